"""Which columns are called like an input, and which may be meant where none is."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from ..errors import DataError
from ..language.roles import (
    ID_NAMES,
    LABEL_NAMES,
    PREDICTION_NAMES,
    PROBABILITY_NAMES,
    ROLES,
    TIME_NAMES,
    TRIPLET,
    TRUTH_NAMES,
    Role,
)
from ..text import piped, quoted, shown
from .classes import as_names, columns_of_classes, first_values, names_in
from .frames import Field, Frame
from .nested import path_to_rows
from .opening import label_of
from .selectors import listed

LOOKED_AT = 20  # columns of a text that are read to tell which may be meant
COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+(?:[eE][-+]?[0-9]+)?")
EMBEDDED = re.compile(r"^emb(?:eddings?)?_|_(?:emb(?:eddings?)?|vec(?:tors?)?)$")


def named(frame: Frame, roles: Sequence[Role], others: Collection[Field]) -> dict[str, Field]:
    """The columns of each role, by their names. others: what is taken already. DataError where they cannot be told."""
    bound: dict[str, Field] = {}
    taken = {frame.names[column] for field in others for column in field.columns}
    # a role whose names are few knows them better: `p` is a probability only where no role is called p
    for role in sorted(roles, key=lambda role: len(role.columns)):
        names = columns_called(frame, role, taken)
        if names:
            _refuse_matrices(frame, role, names)
            taken.update(names)
            bound[role.name] = field_called(frame, names)
    for role in roles:
        if "logit" in role.columns and role.name in bound:
            _refuse_decisions(frame, role, bound[role.name], taken)
        if role.is_set and role.name not in bound:
            from .embeddings import unnamed

            if (vectors := unnamed(frame, taken)) is not None:
                bound[role.name] = vectors
    missing = [role for role in roles if role.name not in bound]
    if len(missing) == 1 and missing[0].has_class_columns and (truth := _truth_of(roles, bound, others)):
        names = _class_columns(frame, truth, taken)
        if names:
            bound[missing.pop().name] = field_called(frame, names)
    if missing:
        columns = ", ".join(shown(name) for name in frame.names[:8]) + (", ..." if len(frame.names) > 8 else "")
        role = missing[0]
        several = _like(frame, role, taken)
        if several:
            raise _ambiguous(frame, role, several)
        _refuse_nested(frame, missing)
        _refuse_commas(frame, taken)
        choices, likely = _choices(frame, role, taken), _likeliest(frame, missing, taken)
        taken = {*taken, *_covered(frame, _candidates(frame, role, taken))}
        rest = [other for other in missing[1:] if not other.naive]
        others_too = "".join(f", the {other.option} with {_choices(frame, other, taken)}" for other in rest)
        errors = "; ".join(_naive(frame, other, taken) for other in missing if other.naive)
        raise DataError(
            f"{label_of(frame.path)}: no column is called {' or '.join(role.columns[:3])}: which is the {role.option}?",
            why=f"{role.option}: {role.meaning}; the columns are {columns}",
            fix=errors
            if role.naive
            else _two_views(frame, role)
            or f"name it with {choices}{others_too}, or give it as a file of its own{errors and '; '}{errors}",
            likely=likely,
        )
    return {role.name: bound[role.name] for role in roles}


def _refuse_nested(frame: Frame, missing: Sequence[Role]) -> None:
    """DataError where what is missing stands within the lists and objects of JSON."""
    at = [at for at in range(frame.width) if frame.content.dtype_name(at) == "JSON"]
    if not at:
        return
    content: Any = frame.content
    batch = next(content.batches(at, 1, 0))
    cells = {frame.names[column]: batch.arrays[column][0] for column in at}
    first = {name: cell.tolist() if isinstance(cell, np.ndarray) else cell for name, cell in cells.items()}
    if rows := path_to_rows(first, [role.columns for role in missing]):
        raise DataError(
            f"{label_of(frame.path)}: the {missing[0].option} stands within lists or objects: {rows}",
            why="a row is one object, whose keys are the columns",
            fix=piped(f"jq -c {quoted(rows)}", label_of(frame.path)),
        )


def _refuse_commas(frame: Frame, taken: Collection[str]) -> None:
    """DataError where a column holds numbers with a decimal comma, which are none unless it is told."""
    unknown = [name for at, name in enumerate(frame.names) if frame.content.kind_of(at) == "unknown"]
    for name in [name for name in unknown if name not in taken][:LOOKED_AT]:
        try:
            cells = as_names(first_values(frame.select(f"={name}"), "category"))
        except DataError:
            continue
        if len(cells) and all(COMMA.fullmatch(cell) for cell in cells.ravel().tolist()):
            raise DataError(
                f"{label_of(frame.path)}: column '{shown(name)}' holds {shown(str(cells.flat[0]))}, which is no number",
                why="the decimal point is '.' unless told otherwise",
                fix="add --decimal ,",
            )


def _truth_of(roles: Sequence[Role], bound: Mapping[str, Field], others: Collection[Field]) -> Field | None:
    return next((bound[role.name] for role in roles if role.truth and role.name in bound), next(iter(others), None))


def _class_columns(frame: Frame, truth: Field, taken: Collection[str]) -> tuple[str, ...]:
    """The columns that are called after the classes of the truth: ham and spam, or p_ham and p_spam."""
    try:
        classes = names_in(truth) if truth.width == 1 else ()
    except DataError:
        return ()
    free = [name for name in frame.names if name not in taken]
    names = columns_of_classes(free, classes)
    if names and set(names) == set(classes):
        _refuse_more_classes(frame, names, free)
    return names


def _refuse_more_classes(frame: Frame, names: Sequence[str], free: Sequence[str]) -> None:
    """DataError where the columns of classes are no whole, and others stand beside them: of a class that no row has?"""
    usual = {*ID_NAMES, *(name for role in ROLES.values() for name in role.columns)}
    others = [name for name in free if name not in names and name.lower() not in usual and _holds_numbers(frame, name)]
    if not others or _are_whole(field_called(frame, tuple(names))):
        return
    path, both = frame.path, [name for name in free if name in names or name in others]
    at = [frame.names.index(name) for name in both]
    is_run = at == list(range(at[0], at[0] + len(at)))
    raise DataError(
        f"{label_of(path)}: columns are called {listed(tuple(names))}, as the labels are, and "
        f"{listed(tuple(others))} as none",
        why="rows of the former do not sum to 1, and a column may be of a class that no row has",
        fix=f"if they are classes too: --prob {quoted(f'{path}::{both[0]}..{both[-1]}')} "
        f"--classes {quoted(','.join(both))}"
        if is_run
        else "give the columns of all classes as a file of their own",
    )


def _are_whole(field: Field) -> bool:
    """Whether the first rows sum to 1."""
    try:
        rows = first_values(field, "number")
    except DataError:
        return False
    return bool((abs(rows.sum(axis=1) - 1) < 1e-3).all())


def _refuse_matrices(frame: Frame, role: Role, names: Sequence[str]) -> None:
    """DataError for several matrices where one input is asked for: negative_1 beside negative_2."""
    if len(names) == 1 or all(frame.content.columns_of(frame.names.index(name)) in (None, 1) for name in names):
        return
    sides = {side: columns_called(frame, ROLES[side], ()) or (side,) for side in TRIPLET[:2]}
    others = [f"{side}=np.tile(x[{shown(name)!r}], ({len(names)}, 1))" for side, (name, *_) in sides.items()]
    stacked = ", ".join(f"x[{shown(name)!r}]" for name in names)
    raise DataError(
        f"{label_of(frame.path)}: {listed(tuple(names))} are matrices, and the {role.option} is one",
        why="a triplet has one anchor, one positive and one negative" if role.is_of_triplet else "",
        fix=f"make a triplet of each negative: np.savez('apn.npz', {', '.join(others)}, "
        f"negative=np.concatenate([{stacked}]))"
        if role.name == TRIPLET[2]
        else f"choose one: --{role.option} {quoted(f'{frame.path}::{names[0]}')}",
    )


def holds_triplets(frame: Frame) -> bool:
    """Whether a frame has anchors, positives and negatives by name; by letters only as matrices."""
    sides = [columns_called(frame, ROLES[side], ()) for side in TRIPLET]
    named = [name for names in sides for name in names]
    if all(sides) and any(len(name) == 1 or name.startswith("arr_") for name in named):
        widths = {frame.content.columns_of(frame.names.index(name)) for name in named}
        return len(widths) == 1 and widths.isdisjoint({None, 1})
    return all(sides)


def _refuse_decisions(frame: Frame, role: Role, field: Field, taken: Collection[str]) -> None:
    """DataError where a column such as `pred` holds only 0 and 1, and what it was decided by may stand beside it."""
    name = frame.names[field.columns[0]]
    if name.lower() not in PREDICTION_NAMES or len(field.columns) > 1 or not _are_all(field, _is_decision):
        return
    is_one = _is_share if role.columns[0] == PROBABILITY_NAMES[0] else np.isfinite
    others = [
        other
        for other in _candidates(frame, role, taken)
        if _are_all(frame.select(f"={other}"), is_one) and not _are_all(frame.select(f"={other}"), _is_whole)
    ]
    if not others:
        return
    choices = " or ".join(f"--{role.option} {quoted(f'{frame.path}::{other}')}" for other in others[:3])
    decided = shown(name)
    raise DataError(
        f"{label_of(frame.path)}: column '{decided}' holds only 0 and 1, beside {listed(tuple(others))}",
        why=f"decisions are no {role.option}; what made them may stand beside, of label 1 or of the decision",
        fix=f"{choices} if it is of label 1; if it is of the decision, write 1 - {shown(others[0])} where {decided} is "
        f"0; for the decisions as they are --{role.option} {quoted(f'{frame.path}::{name}')}",
    )


def _are_all(field: Field, holds: Callable[[Any], Any]) -> bool:
    """Whether the first numbers of a column are all of a kind; False where there is none, or one that is no number."""
    try:
        values = first_values(field, "number")
    except DataError:
        return False
    return bool(values.size and np.all(holds(values)))


def _is_decision(values: Any) -> Any:
    return (values == 0) | (values == 1)


def _is_share(values: Any) -> Any:
    return (values >= 0) & (values <= 1)


def _is_whole(values: Any) -> Any:
    return values == np.floor(values)


def _naive(frame: Frame, role: Role, taken: Collection[str]) -> str:
    """How a naive error is given: it seldom is a column, and no column's values tell that it is one."""
    words = [name for name in _candidates(frame, role, taken) if _shared_words(role, name) > 1]
    column = quoted(f"{frame.path}::{words[0] if words else 'COLUMN'}")
    train = "give the training values with --train SRC (and --season M)"
    return f"{train}, or a column of the errors with --{role.option} {column}"


def _choices(frame: Frame, role: Role, taken: Collection[str]) -> str:
    """The options that would name the columns of a role."""
    selectors = _selectors(frame, role, taken) or ["FIRST..LAST" if role.layout == "vectors" else "COLUMN"]
    return " or ".join(f"--{role.option} {quoted(f'{frame.path}::{selector}')}" for selector in selectors[:3])


def _likeliest(frame: Frame, missing: Sequence[Role], taken: Collection[str]) -> dict[str, str]:
    """The selector that may be meant by each role, no column twice; {} where one has none.

    More than one that shares no word with its role is a guess too many, unless there is nothing else to choose; any
    column could be the categories, or the one column of vectors.
    """
    likely: dict[str, str] = {}
    strangers = choices = 0
    for role in missing:
        selectors = _selectors(frame, role, taken)
        first, _, last = selectors[0].partition("..") if selectors else ("", "", "")
        is_stranger = _shared_words(role, first) < (2 if role.naive else 1)  # Naive is a forecast
        is_family = _stem(first) == _stem(last) or _prefix(first) == _prefix(last) != ""
        is_any = bool(role.naive) or role.kind == "category" or (role.layout == "vectors" and not last)
        if not selectors or (last and not is_family) or (is_stranger and is_any):
            return {}
        likely[role.name] = selectors[0]
        strangers += is_stranger
        choices = max(choices, len(selectors))
        taken = {*taken, *_covered(frame, [selectors[0].removeprefix("=")])}
    return likely if strangers < 2 or choices <= strangers == 2 else {}


def _shares_a_word(role: Role, name: str) -> bool:
    """Whether a column is called by a word that the role is called by."""
    return _shared_words(role, name) > 0


def _shared_words(role: Role, name: str) -> int:
    words = set(re.findall(r"[a-z]{2,}", " ".join(role.columns)))
    return len(words & set(re.findall(r"[a-z]+", name.lower())))


def _selectors(frame: Frame, role: Role, taken: Collection[str]) -> list[str]:
    """The columns that may be meant by a role, the likeliest first."""
    names = _likely_first(frame, role, _candidates(frame, role, taken), taken)
    return [*_runs(frame, role, taken), *(f"={name}" if name.isdigit() else name for name in names)]


def _runs(frame: Frame, role: Role, taken: Collection[str]) -> list[str]:
    """Neighbouring columns called after the role and something more: pred_a..pred_e for pred."""
    free = [name for name in frame.names if name not in taken and "_" in name]
    prefixes = dict.fromkeys(_prefix(name) for name in free) if role.layout == "rows" else {}
    runs = {prefix: [name for name in free if _prefix(name) == prefix] for prefix in prefixes}
    return [
        f"{run[0]}..{run[-1]}"
        for prefix, run in runs.items()
        if len(run) > 1 and _shares_a_word(role, prefix)
        if frame.names.index(run[-1]) - frame.names.index(run[0]) == len(run) - 1
    ]


def _prefix(name: str) -> str:
    return name.rpartition("_")[0].lower()


def _likely_first(frame: Frame, role: Role, names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Columns of values that the role may have before others, then those that share most words with it, then an upper
    end of a lower one, fractions before whole numbers; of labels only the words count."""

    def is_allowed(values: Any) -> Any:
        return (role.low <= values) & (values <= role.high)

    floors = _floors(frame, role, taken)

    def rank(name: str) -> tuple[bool, int, int, bool]:
        is_counted = not role.truth and role.kind == "number" and len(names) <= LOOKED_AT and name in frame.names
        field = frame.select(f"={name}") if is_counted else None
        is_bounded = min(-role.low, role.high) < np.inf
        is_beyond = field is not None and is_bounded and not _are_all(field, is_allowed)
        floor = floors.index(digits) if (digits := _digits(name)) in floors else len(floors)
        return is_beyond, -_shared_words(role, name), floor, field is not None and _are_all(field, _is_whole)

    return sorted(names, key=rank) if len(names) > 1 else list(names)


def _floors(frame: Frame, role: Role, taken: Collection[str]) -> list[list[str]]:
    """The digits in the names of the lower ends that an upper end may go with, those of one that is taken first."""
    lows = [name for name in frame.names if role.floor and _shares_a_word(ROLES[role.floor], name)]
    return [_digits(name) for name in sorted(lows, key=lambda name: name not in taken)]


def _digits(name: str) -> list[str]:
    return re.findall(r"[0-9]+", name)


def _candidates(frame: Frame, role: Role, taken: Collection[str]) -> list[str]:
    """The columns that may be meant where none is called like the role, as selectors write them."""
    others = {*ID_NAMES, *TIME_NAMES, "step", "cutoff", *(() if role.truth else (*LABEL_NAMES, *TRUTH_NAMES))}
    free = [name for name in frame.names if name not in taken]
    free = [name for name in free if name.strip().lower() not in others] or free
    if role.truth or role.kind == "category":
        undecided = [name for name in free if not role.truth or name.strip().lower() not in PREDICTION_NAMES]
        return undecided or free
    place = {name: at for at, name in enumerate(frame.names)}
    kinds = {name: frame.content.kind_of(place[name]) for name in free}
    unread = set([name for name in free if kinds[name] == "unknown"][LOOKED_AT:])
    free = [
        name
        for name in free
        if kinds[name] == "number" or name in unread or (kinds[name] != "text" and _holds_numbers(frame, name))
    ]
    if (
        not (role.layout == "vectors" or role.is_per_class)
        or len(free) < 2
        or any(map(frame.content.columns_of, range(frame.width)))
    ):
        return free
    family = max((_family([name for name in free if _stem(name) == _stem(first)]) for first in free), key=len)
    run = list(family) if len(family) > 1 else free
    at = [frame.names.index(name) for name in run]
    if at == list(range(at[0], at[0] + len(at))):
        return [f"{run[0]}..{run[-1]}"]
    return [] if role.layout == "vectors" else free


def _covered(frame: Frame, places: Sequence[str]) -> Collection[str]:
    """The columns of the one place that may be meant; none where it may be another."""
    first, _, last = places[0].partition("..") if len(places) == 1 else ("", "", "")
    if not {first, last or first} <= set(frame.names):
        return ()
    return frame.names[frame.names.index(first) : frame.names.index(last or first) + 1]


def _stem(name: str) -> str:
    return re.sub(r"[0-9]+(\]?)$", r"\1", name)


def _holds_numbers(frame: Frame, name: str) -> bool:
    try:
        first_values(frame.select(f"={name}"), "number")
    except DataError:
        return False
    return True


def _two_views(frame: Frame, role: Role) -> str:
    """How two embeddings a row become a set, where a set is asked for and no label stands beside them; "" elsewhere."""
    if not role.is_set or len(frame.names) != 2 or frame.content.unit != "key":
        return ""
    left, right = frame.names
    if len({frame.content.columns_of(column) for column in (0, 1)}) != 1 or frame.content.columns_of(0) in (None, 1):
        return ""
    return (
        f"if row k of {shown(left)} belongs to row k of {shown(right)}: np.savez('views.npz', "
        f"emb=np.concatenate([{shown(left)}, {shown(right)}]), label=np.tile(np.arange(len({shown(left)})), 2), "
        f"view=np.repeat([0, 1], len({shown(left)}))), then views.npz; with --exclude-same views.npz::view only "
        f"{shown(left)} against {shown(right)} counts, as in CLIP"
    )


def columns_called(frame: Frame, role: Role, taken: Collection[str]) -> tuple[str, ...]:
    """The columns that are called like the role; of a vector also as anchor_emb, or embeddings_anchor."""
    lower = {title.lower(): title for title in frame.names if title not in taken}
    names = _called(frame, role, lower)
    if names or not role.is_of_triplet:
        return names
    bare = {EMBEDDED.sub("", title): name for title, name in lower.items() if EMBEDDED.search(title)}
    return next(((bare[name],) for name in role.columns if name in bare), ())


def _called(frame: Frame, role: Role, lower: Mapping[str, str]) -> tuple[str, ...]:
    for name in role.columns:
        if name in lower and not (name == "x" and role.layout == "vectors" and _is_axis(frame, lower[name])):
            return (lower[name],)
        if "*" in name:
            matching = [title for low, title in lower.items() if fnmatchcase(low, name)]
            if len(matching) == 1:
                return tuple(matching)
            if matching:
                family = _family(matching) if role.layout != "row" else ()
                if family or role.layout == "row" or not any(low in role.columns for low in lower):
                    return family
                raise _ambiguous(frame, role, matching)
        elif role.layout != "row":
            pattern = re.escape(name) + r"[_.\[]?\d+\]?"
            family = _family([title for low, title in lower.items() if re.fullmatch(pattern, low)])
            if family and not (role.is_set and _are_words(frame, family)):
                return family
    return ()


def _are_words(frame: Frame, names: Sequence[str]) -> bool:
    """Whether keys are the names of vectors among others, as x7 and x33 are: they do not count from 0 or 1."""
    if frame.content.unit != "key" or len(names) == frame.width:
        return False
    if any(frame.content.columns_of(frame.names.index(name)) is not None for name in names):
        return False
    numbers = [int(name.rstrip("]")[len(_stem(name).rstrip("]")) :]) for name in names]
    return numbers[0] > 1 or numbers != list(range(numbers[0], numbers[0] + len(numbers)))


def _is_axis(frame: Frame, title: str) -> bool:
    """Whether a column is one coordinate of several, as x beside y and z."""
    return len(frame.names) > 1 and frame.select(f"={title}").width == 1


def _like(frame: Frame, role: Role, taken: Collection[str]) -> list[str]:
    """The columns that a pattern of the role takes in, where more than one."""
    patterns = [name for name in role.columns if "*" in name]
    titles = [title for title in frame.names if title not in taken]
    matching = [[title for title in titles if fnmatchcase(title.lower(), pattern)] for pattern in patterns]
    return next((alike for alike in matching if len(alike) > 1), [])


def _family(titles: Sequence[str]) -> tuple[str, ...]:
    """Columns that are called alike but for a number at the end, in the order of the number; () for others."""
    split = [re.fullmatch(r"(.*?)(\d+)(\]?)", title) for title in titles]
    if not all(split) or len({(part[1].lower(), part[3]) for part in split if part}) != 1:
        return ()
    return tuple(title for _, title in sorted((int(part[2]), part[0]) for part in split if part))


def _ambiguous(frame: Frame, role: Role, titles: Sequence[str]) -> DataError:
    at = [frame.names.index(title) for title in titles]
    is_run = (role.layout == "vectors" or role.is_per_class) and at == list(range(at[0], at[0] + len(at)))
    ends = [f"{titles[0]}..{titles[-1]}"] if is_run else titles[:3]
    choices = " or ".join(f"--{role.option} {quoted(f'{frame.path}::{end}')}" for end in ends)
    return DataError(
        f"{label_of(frame.path)}: {len(titles)} columns could be the {role.option}: "
        f"{', '.join(map(shown, titles[:8]))}",
        why=f"{role.option} is {role.meaning}",
        fix=f"say which: {choices}",
    )


def field_called(frame: Frame, names: tuple[str, ...]) -> Field:
    if len(names) == 1:
        return frame.field(frame.names.index(names[0]))
    columns = tuple(frame.names.index(name) for name in names)
    return Field(frame, f"columns '{shown(names[0])}'..'{shown(names[-1])}'", columns, 2, "unknown")
