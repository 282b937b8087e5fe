"""The embeddings of a file that does not name them: numbered columns, a column of lists, a vector a key; and sets that
are turned by 90 degrees."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from functools import partial

import numpy as np

from ..errors import DataError
from ..language.roles import ID_NAMES, ROLES
from ..text import shown
from .arrays import Arrays, of_array, of_keys
from .content import Array
from .frames import Field, Frame
from .memory import Held, hold
from .npy import Layout
from .opening import label_of
from .reading import blocks
from .unfolding import cells_of

SAMPLE_ROWS = 1 << 10
SORTING = {"safetensors", "hdf5"}  # formats that give their keys in the order of the alphabet
FEWEST_TO_COUNT = 3  # rows that tell a column that counts them
OTHERS = {
    *ID_NAMES,
    "label",
    "labels",
    "class",
    "target",
    "y",
    "weight",
    "weights",
    "group",
    "fold",
    "split",
    "cluster",
}


def unnamed(frame: Frame, taken: Collection[str]) -> Field | None:
    """The embeddings among columns of which none is called so; None where it cannot be told.

    taken: the names of columns that something else needs
    """
    by_key = vectors_by_key(frame) if not taken else None
    if by_key is not None:
        return by_key
    free = [name for name in frame.names if name not in taken]
    lists = [name for name in free if frame.content.columns_of(frame.names.index(name)) is not None]
    if len(lists) == 1:
        field = frame.select("=" + lists[0])
        return _guessed(field, lists[0]) if _is_prediction(lists[0]) else _said(field)
    if lists or frame.content.unit == "key":
        return None
    families = numbered(free)
    if len(families) == 1 and len(families[0]) > 1:
        return _columns(frame, families[0])
    numeric = tuple(name for name in free if name.strip().lower() not in OTHERS and _is_coordinate(frame, name))
    is_space = {"x", "y"} <= {name.strip().lower() for name in free}  # y is a coordinate there, and no label
    if families or len(numeric) < 2 or is_space:
        return None
    field = _columns(frame, numeric)
    return _guessed(
        field, ", ".join(map(shown, numeric[:4])) + (f" .. {shown(numeric[-1])}" if len(numeric) > 4 else "")
    )


def numbered(names: Collection[str]) -> list[tuple[str, ...]]:
    """The families of two names or more that differ by the number at their end only, 0, 1, 2 ... or 1, 2, 3 ..."""
    families: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for name in names:
        parts = re.fullmatch(r"(.*?)(\d+)(\]?)", name)
        if parts:
            families.setdefault((parts[1].lower(), parts[3]), []).append((int(parts[2]), name))
    ordered = [sorted(members) for members in families.values()]
    return [
        tuple(name for _, name in members)
        for members in ordered
        if len(members) > 1 and [at for at, _ in members] == list(range(members[0][0], members[0][0] + len(members)))
    ]


def _columns(frame: Frame, names: tuple[str, ...]) -> Field:
    columns = tuple(frame.names.index(name) for name in names)
    return _said(Field(frame, f"columns '{shown(names[0])}'..'{shown(names[-1])}'", columns, 2, "unknown"))


def _guessed(field: Field, listed: str) -> Field:
    return field._replace(said=f"{label_of(field.frame.path)}: taken for embeddings: {listed}", is_guess=True)


def _is_prediction(name: str) -> bool:
    """Whether a column is called as predictions of classes are: scores, logits, probs."""
    patterns = {pattern for role in ROLES.values() for pattern in role.columns if "*" in pattern}
    return any(fnmatchcase(name.lower(), pattern) for pattern in patterns)


def _said(field: Field) -> Field:
    return field._replace(said=f"embeddings = {field.width} numbers of {field.name}")


def _is_coordinate(frame: Frame, name: str) -> bool:
    """Whether the first rows of a column are numbers that do not count the rows."""
    field = frame.select("=" + name)
    if field.ndim != 1 or field.kind == "text":
        return False
    try:
        values = next(iter(blocks([field], ["number"], SAMPLE_ROWS))).load()[0]
    except (DataError, StopIteration):
        return False
    return not counts_rows(values)


def counts_rows(values: Array) -> bool:
    """Whether numbers are the next one more than the one before, from a whole number on."""
    return len(values) >= FEWEST_TO_COUNT and float(values[0]).is_integer() and bool((np.diff(values) == 1).all())


# --- a vector a key


def vectors_by_key(frame: Frame) -> Field | None:
    """{id: vector} as a set, (keys, D): the column emb of a frame with the keys as its column id. None for others."""
    content = frame.content
    if not isinstance(content, Arrays) or not content.keyed or len(content.names) < 2:
        return None
    shapes = {(layout.rows,) if len(layout.shape) == 1 else layout.shape for layout in content.layouts}
    shape = next(iter(shapes))
    if len(shapes) > 1 or len(shape) > 2 or (len(shape) == 2 and shape[0] != 1):
        return None
    if any(content.dtype(at).kind != "f" for at in range(content.width)):
        return None
    order, said = _order_of_keys(frame)
    rows = [content.array(at).read(0, content.layouts[at].rows).reshape(-1) for at in order]
    columns = {"id": np.array([content.names[at] for at in order]), "emb": np.stack(rows)}
    held = {name: hold(column, content.label) for name, column in columns.items()}
    keys = of_keys(content.label, {name: (item.layout, partial(_same, item)) for name, item in held.items()})
    by_key = Frame(frame.path, frame.format, keys, contextlib.ExitStack())
    return by_key.select("=emb")._replace(said=said, is_guess=said.startswith(label_of(frame.path)))


def _order_of_keys(frame: Frame) -> tuple[Sequence[int], str]:
    """The keys of {id: vector} in the order of the rows, and what is said of it.

    Formats that sort their keys put doc10 before doc2: numbers without a gap are put in order, of others it is told.
    """
    names = frame.names
    said = f"each of {len(names)} keys is the embedding of a row"
    if frame.format not in SORTING:
        return range(len(names)), said
    families = numbered(names)
    if len(families) == 1 and len(families[0]) == len(names):
        return [names.index(name) for name in families[0]], f"{said}, in the order of their numbers"
    first = ", ".join(map(shown, names[:3]))
    return range(len(names)), (
        f"{label_of(frame.path)}: rows are in the order that the file sorts its keys to, {first}, ...: labels of "
        "another file have to stand in it too, unless compute matches their ids by --align id"
    )


def _same(item: Held) -> Held:
    return item


# --- turned


def upright(emb: Field, label: Field) -> tuple[Field, Field]:
    """Embeddings (D, N) and labels (1, N) as (N, D) and (N,), where the lengths leave nothing else."""
    rows = emb.frame.content.rows_of(emb.columns[0])
    count = label.frame.content.rows_of(label.columns[0])
    if count == 1 and label.width > 1 and (rows is None or label.width in (rows, emb.width)):
        label = cells_of(label)._replace(said=f"the one row of {label.name} is {label.width} labels")
        count = label.frame.content.rows_of(0)
    if emb.ndim == 2 and rows not in (None, count) and emb.width > 1 and (count or emb.width > (rows or 0)):
        count = _length(label) if count is None else count
        if count == emb.width != rows:
            emb = _turned(emb)
    return emb, label


def _length(field: Field) -> int:
    return max((block.stop for block in blocks([field], ["category"], 1 << 15)), default=0)


def _turned(field: Field) -> Field:
    parts = [block.load()[0] for block in blocks([field], ["number"], 1 << 12)]
    name = field.frame.dtype_of(field)
    dtype = np.dtype(name) if name in ("float16", "float32") else np.dtype(np.float64)
    values = np.ascontiguousarray(np.concatenate(parts).T.astype(dtype))
    content = of_array(Held(Layout(dtype, values.shape), values), field.frame.content.label)
    frame = Frame(field.frame.path, field.frame.format, content, contextlib.ExitStack())
    shape = (values.shape[1], values.shape[0])
    return frame.all_columns()._replace(
        said=f"{field.name}, {shape}, is turned: its columns are the {shape[1]} embeddings"
    )
