"""Who may pair with whom in an embedding set, from the settings of a call: the other set, noise, several classes a
row, and rows that are kept apart."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from ..errors import DataError, UsageError
from ..files import drawer
from ..files.binding import Desk
from ..files.opening import label_of
from ..files.sources import Field, parse_source
from ..rows.job import KEY_MARK, Pairing
from ..text import shown
from .bound import Bound, Derived, as_array, looks_like_column, rider
from .reading import Given, Reading

SHARING = ("any", "all")
KEY = rider("key")


class Reference(NamedTuple):
    """The other set, read. sources: what it was read from, for results"""

    emb: np.ndarray
    label: np.ndarray
    sources: tuple[tuple[str, str], ...]
    skipped: int


Read = Callable[[Sequence[Given], Reading], Reference]  # reads another set as embeddings and labels


def refuse_contradictions(reading: Reading) -> None:
    """Settings of pairs that mean nothing alone. UsageError."""
    for name, needs, value in (
        ("--ref-label", "--ref", reading.ref_label is not None and reading.ref is None),
        ("--ref-exclude-same", "--ref", bool(reading.ref_exclude_same) and reading.ref is None),
        ("--ref-exclude-same", "--exclude-same", bool(reading.ref_exclude_same) and not reading.exclude_same),
        ("--noise negatives", "--noise-label -1", reading.noise == "negatives" and reading.noise_label is None),
        ("--coarse-negatives", "--coarse-label", reading.coarse_negatives is not None and reading.coarse_label is None),
        ("--ref-coarse-label", "--ref", reading.ref_coarse_label is not None and reading.ref is None),
        ("--ref-coarse-label", "--coarse-label", reading.ref_coarse_label is not None and reading.coarse_label is None),
        (
            "--coarse-label",
            "--coarse-negatives near",
            reading.coarse_label is not None and reading.coarse_negatives is None,
        ),
    ):
        if value:
            needed = needs if " " in needs else f"{needs} SRC"
            raise UsageError(f"{name} goes with {needs}", fix=f"add {needed}, or leave {name.split()[0]} out")
    if reading.positive is not None and reading.positive not in SHARING:
        raise UsageError(
            f"{reading.positive!r} does not tell which labels positives share",
            why="rows with several labels are positives where they share any of them, or all",
            fix="use --positive any or --positive all",
        )
    if reading.coarse_negatives not in (None, "near", "far"):
        raise UsageError(
            f"{reading.coarse_negatives!r} does not tell which negatives count",
            fix="use --coarse-negatives near, for those of the anchor's coarse class, or --coarse-negatives far",
        )
    if reading.device != "cpu" and has_pairs(reading):
        raise UsageError(
            f"--device {reading.device} with two sets, noise, rows kept apart or some negatives only",
            why="the kernels compare one set with itself",
            fix="use --device cpu",
        )


def has_pairs(reading: Reading) -> bool:
    """Whether anything is asked about who pairs with whom."""
    asked = (reading.ref, reading.noise_label, reading.positive, reading.coarse_negatives)
    return bool(reading.exclude_same) or any(setting is not None for setting in asked)


def with_sets_of_labels(bound: Bound, at: int, reading: Reading) -> Bound:
    """Columns of 0 and 1, or texts such as a;b, as the classes of each row. DataError."""
    field = bound.fields[at]
    if reading.positive is None:
        return bound
    note, mark = f"rows with {reading.positive} of their labels in common are positives", f"share:{reading.positive}"
    if field.width == 1:
        return bound._replace(notes=(*bound.notes, note), marks=(*bound.marks, mark))
    has_names = bool(field.frame.names) and len(field.columns) == field.width
    titles = [field.frame.names[k] for k in field.columns] if has_names else [str(k) for k in range(field.width)]
    convert = partial(_classes_of_row, titles=titles, place=f"{label_of(field.frame.path)}: {field.name}")

    def arranged(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        return bound.arrange((*arrays[:at], convert(arrays[at]), *arrays[at + 1 :]))

    role = bound.roles[at]
    columns = {**bound.columns, role.name: Derived(field.frame, field.name, 1, 1)}
    return bound._replace(columns=columns, arrange=arranged, notes=(*bound.notes, note), marks=(*bound.marks, mark))


def _classes_of_row(rows: np.ndarray, *, titles: Sequence[str], place: str) -> np.ndarray:
    """(n, L) rows of 0 and 1 -> (n,) the titles of the columns with a 1."""
    absent = np.array([cell is None for cell in rows.reshape(-1).tolist()], bool).reshape(rows.shape)
    try:
        values = np.where(absent, 0, rows).astype(np.float64)
    except ValueError:
        values = np.full(rows.shape, 2.0)
    good = ((values == 0) | (values == 1)).all(axis=1)
    if not good.all():
        row = rows[int(np.argmin(good))].tolist()
        raise DataError(
            f"{place}: a row of labels {shown(str(row))}",
            why="columns of labels hold a 1 for each class of a row, and 0 elsewhere",
            fix="give one column, with ; between the classes of a row: a;b",
        )
    texts = [";".join(title for title, value in zip(titles, row, strict=True) if value) for row in values.tolist()]
    result = np.array(texts, object)
    result[absent.any(axis=1)] = None
    return result


def with_keys(desk: Desk, bound: Bound, reading: Reading, sources: Sequence[Given]) -> Bound:
    """The label of each row with what keeps it apart from others, and its coarse class; further columns are read."""
    keys = [key_field(desk, key, sources, "--exclude-same") for key in reading.exclude_same]
    coarse = (
        [] if reading.coarse_negatives is None else [key_field(desk, reading.coarse_label, sources, "--coarse-label")]
    )
    fields = [*keys, *coarse]
    if not fields:
        return bound
    count, roles = len(bound.fields), (*bound.roles, *(KEY for _ in fields))

    def arranged(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        *first, label = bound.arrange(arrays[:count])
        return (*first, _packed(label.reshape(-1), [key.reshape(-1) for key in arrays[count:]]))

    names = [
        field.frame.names[field.columns[0]] if field.frame.names else str(at) for at, field in enumerate(fields, 1)
    ]
    notes, marks = bound.notes, bound.marks
    if keys:
        marks += (f"apart:{quote(','.join(names[: len(keys)]), safe=',')}",)
        notes += (f"rows that agree in {' and '.join(field.name for field in keys)} are no pair",)
    for field in coarse:
        marks += (f"{reading.coarse_negatives}:{quote(names[-1])}",)
        which = "the anchor's" if reading.coarse_negatives == "near" else "another"
        notes += (f"negatives are of {which} coarse class, by {field.name}",)
    return bound._replace(fields=(*bound.fields, *fields), roles=roles, arrange=arranged, notes=notes, marks=marks)


def _packed(label: np.ndarray, keys: Sequence[np.ndarray]) -> np.ndarray:
    rows = zip(label.tolist(), *(key.tolist() for key in keys), strict=True)
    texts = [None if None in row else f"{row[0]}{KEY_MARK}{KEY_MARK.join(map(str, row[1:]))}" for row in rows]
    return np.array(texts, object) if None in texts else np.array(texts, str)


def key_field(desk: Desk, key: Given, sources: Sequence[Given], flag: str) -> Field:
    """The column of one key of a flag: a source, or the name of a column of the set's own files. DataError."""
    if isinstance(key, str) and looks_like_column(key) and not os.path.exists(key):
        for source in reversed(sources):
            frame, _ = desk.frame(source, "input")
            if key in frame.names:
                return frame.select(f"={key}")
        paths = " or ".join(dict.fromkeys(shown(label_of(desk.frame(source, "input")[0].path)) for source in sources))
        raise DataError(
            f"no column is called {key} in {paths}",
            why="it says of each row who its pairs are, and is in none of the files of the set",
            fix=f"name its file: {flag} PATH::COLUMN",
        )
    field = desk.field(as_array(key), KEY)
    if field.width != 1:
        raise DataError(
            f"{field.name}: {field.width} columns as one key of {flag}",
            why="rows are compared by one column",
            fix="give one column, or several one by one, each a source of its own",
        )
    return field


def pairs_of(reading: Reading, sources: Sequence[Given], read: Read) -> tuple[Pairing, Reference | None]:
    """What a set is asked about its pairs, with the other set read. DataError, UsageError."""
    noise = None if reading.noise_label is None else str(reading.noise_label)
    plain = Pairing(
        noise=noise,
        noise_stays=reading.noise == "negatives",
        sharing=reading.positive or "",
        has_keys=bool(reading.exclude_same),
        negatives=reading.coarse_negatives or "",
    )
    if reading.ref is None or _is_same(reading, sources):
        return plain, None
    _refuse_keys_of_one_set(reading)
    other = [as_array(reading.ref), *([] if reading.ref_label is None else [as_array(reading.ref_label)])]
    try:
        reference = read(other, reading)
    except DataError as fault:
        swap = partial(re.sub, r"--(label|emb|exclude-same)\b", r"--ref-\1")
        fix = swap(fault.fix).replace("--ref-emb", "--ref")
        fault.what, fault.fix = f"the references: {fault.what}", fix
        raise
    return plain._replace(reference=(reference.emb, reference.label)), reference


def _refuse_keys_of_one_set(reading: Reading) -> None:
    """UsageError for columns that are of the rows of the first set alone."""
    beside = [("--exclude-same", key) for key in reading.exclude_same if not reading.ref_exclude_same]
    beside += [("--coarse-label", reading.coarse_label)] if reading.ref_coarse_label is None else []
    for flag, key in beside:
        if key is not None and not (isinstance(key, str) and looks_like_column(key) and not os.path.exists(key)):
            raise UsageError(
                f"{flag} names a column of the first set, and nothing names that of --ref",
                why="a row of one set is held against rows of the other by what both have",
                fix=f"add --ref-{flag[2:]} SRC, or give the name of a column that both files have",
            )


def _is_same(reading: Reading, sources: Sequence[Given]) -> bool:
    """Whether the other set is the set itself, which counts no point against itself."""
    own = tuple(sources)
    other = (reading.ref, *([] if reading.ref_label is None else [reading.ref_label]))
    if len(own) != len(other):
        return len(other) == 1 and len(own) == 2 and _alike(own[0], other[0])
    return all(map(_alike, own, other))


def _alike(first: Given, second: Given) -> bool:
    if isinstance(first, str) and isinstance(second, str):
        a, b = parse_source(first), parse_source(second)
        return a.selector == b.selector and os.path.realpath(a.path) == os.path.realpath(b.path)
    return first is second


def hash_of(reference: Reference) -> str:
    """8 hex digits over the values of the other set."""
    import hashlib

    state = hashlib.sha256()
    for rows in drawer.blocks(reference.emb):
        state.update(np.ascontiguousarray(reference.emb[rows], "<f8").data)
    state.update("\0".join(map(str, reference.label.tolist())).encode())
    return state.hexdigest()[:8]


def marks_of(pairs: Pairing, reference: Reference | None) -> tuple[str, ...]:
    """What a signature says of them, beside the marks of the inputs."""
    marks = [] if reference is None else [f"ref:{len(reference.label)}-{hash_of(reference)}"]
    if pairs.noise is not None:
        marks.append(f"noise:{quote(pairs.noise)}:{'negatives' if pairs.noise_stays else 'out'}")
    return tuple(marks)


def notes_of(pairs: Pairing, reference: Reference | None) -> tuple[str, ...]:
    """What is said of them."""
    notes = []
    if reference is not None:
        notes.append(f"positives and negatives are {len(reference.label)} references of {reference.sources[0][1]}")
    if pairs.noise is not None:
        what = "negatives, and never anchors" if pairs.noise_stays else "left out"
        notes.append(f"rows of label {pairs.noise} are {what}")
    return tuple(notes)
