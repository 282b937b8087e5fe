"""Fields of any frames read in step, block by block; and a digest of what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .arrays import Arrays, categories, numbers
from .frames import Field
from .opening import label_of

if TYPE_CHECKING:
    from .tables import Table

DIGEST_ROWS = 1 << 15


@dataclass(frozen=True)
class Block:
    """Rows start..stop of all fields; `load` reads them, and may be called from any thread."""

    start: int
    stop: int
    load: Callable[[], tuple[np.ndarray[Any, Any], ...]]


def blocks(fields: Sequence[Field], kinds: Sequence[str], rows: int) -> Iterator[Block]:
    """All fields in step, `rows` rows at a time. DataError for unequal lengths, and for cells that are not of the kind.

    kinds, one a field: "number" gives float64, (n,) or (n, k); "category" gives int64 where all are whole numbers,
    else str, or for CSV an object array where a block holds both
    Arrays: only ranges are handed out, `load` reads; what was in memory may come as a view, so do not write into it.
    CSV: a block is parsed when it is handed out.
    """
    for field, kind in zip(fields, kinds, strict=True):
        _check_kind(field, kind)
    length = _known_length(fields)
    for field in fields:
        if isinstance(field.frame.content, Arrays):
            field.frame.content.prepare(field.columns)
    if all(isinstance(field.frame.content, Arrays) for field in fields):
        return _ranges(fields, kinds, rows, length or 0)
    return _walk_tables(fields, kinds, rows, length)


def _check_kind(field: Field, kind: str) -> None:
    if kind not in ("number", "category"):
        raise ValueError(kind)
    if kind == "number" and _is_text(field):
        raise DataError(
            f"{label_of(field.frame.path)}: {field.name}: text ({field.frame.dtype_of(field)}), not numbers",
            fix="choose another column, or save it as numbers",
        )


def _is_text(field: Field) -> bool:
    return any(field.frame.content.kind_of(column) == "text" for column in field.columns)


def _known_length(fields: Sequence[Field]) -> int | None:
    counted = [
        (field, field.frame.content.rows_of(column))
        for field in fields
        if isinstance(field.frame.content, Arrays)
        for column in field.columns
    ]
    for field, count in counted:
        if count != counted[0][1]:
            raise _unequal([counted[0], (field, count)])
    return counted[0][1] if counted else None


def _unequal(counted: Sequence[tuple[Field, int]]) -> DataError:
    one, other = counted[0], next(pair for pair in counted if pair[1] != counted[0][1])
    same = one[0].frame is other[0].frame
    texts = [
        f"{label_of(field.frame.path)}{f' {field.name}' if same else ''} has {count} rows"
        for field, count in (one, other)
    ]
    return DataError(
        f"unequal lengths: {texts[0]}, {texts[1]}",
        why="rows are matched by their place; nothing is cut or repeated",
        fix="make them from the same examples, in the same order",
    )


def _ranges(fields: Sequence[Field], kinds: Sequence[str], rows: int, length: int) -> Iterator[Block]:
    for start in range(0, length, rows):
        stop = min(start + rows, length)
        yield Block(start, stop, _loader(fields, kinds, start, stop, {}))


def _loader(
    fields: Sequence[Field],
    kinds: Sequence[str],
    start: int,
    stop: int,
    parsed: dict[int, np.ndarray[Any, Any]],
) -> Callable[[], tuple[np.ndarray[Any, Any], ...]]:
    def load() -> tuple[np.ndarray[Any, Any], ...]:
        return tuple(
            parsed[at] if at in parsed else _read(field, kind, start, stop)
            for at, (field, kind) in enumerate(zip(fields, kinds, strict=True))
        )

    return load


def _read(field: Field, kind: str, start: int, stop: int) -> np.ndarray[Any, Any]:
    content = field.frame.content
    assert isinstance(content, Arrays)
    convert = numbers if kind == "number" else partial(categories, allow_missing=content.allow_missing)
    parts = content.read(field.columns, field.inner, start, stop)

    def place(at: int) -> Callable[[int, int], str]:
        return lambda row, column: f"{content.where(start + row)}: {_cell_name(field, max(at, column))}"

    found = [convert(part, place(at)) for at, part in enumerate(parts)]
    if len(found) == 1:
        return found[0] if found[0].ndim == field.ndim else found[0].reshape((-1,) if field.ndim == 1 else (-1, 1))
    if kind == "category" and any(one.dtype.kind == "U" for one in found):
        found = [one.astype(object) for one in found]
    return np.stack(found, axis=1)


def _cell_name(field: Field, column: int) -> str:
    if field.frame.content.columns_of(field.columns[0]) is None:
        return field.frame.column_name(field.columns[column])
    inside = column if field.inner is None else field.inner[column]
    return f"{field.frame.column_name(field.columns[0])} column {inside + 1}"


def _walk_tables(fields: Sequence[Field], kinds: Sequence[str], rows: int, length: int | None) -> Iterator[Block]:
    from .tables import Wanted

    tables: dict[Table, list[int]] = {}
    for at, field in enumerate(fields):
        if not isinstance(field.frame.content, Arrays):
            tables.setdefault(field.frame.content, []).append(at)
    walks = {
        table: table.walk([Wanted(fields[at].columns, kinds[at], fields[at].ndim) for at in places], rows)
        for table, places in tables.items()
    }
    start = 0
    while True:
        pieces = {table: next(walk, None) for table, walk in walks.items()}
        lengths = {0 if piece is None else len(piece[0]) for piece in pieces.values()}
        stop = start + max(lengths)
        if len(lengths) > 1 or (length is not None and (stop > length or (stop == start != length))):
            raise _unequal_tables(fields, walks, length)
        if stop == start:
            return
        parsed: dict[int, np.ndarray[Any, Any]] = {}
        for table, piece in pieces.items():
            parsed.update(zip(tables[table], piece or (), strict=True))
        yield Block(start, stop, _loader(fields, kinds, start, stop, parsed))
        start = stop


def _unequal_tables(
    fields: Sequence[Field], walks: dict[Table, Iterator[tuple[np.ndarray[Any, Any], ...]]], length: int | None
) -> DataError:
    for walk in walks.values():
        for _ in walk:
            pass
    counted = []
    for field in fields:
        content = field.frame.content
        counted.append((field, (length if isinstance(content, Arrays) else content.rows) or 0))
    return _unequal(counted)


# --- digest


def digest(fields: Sequence[Field]) -> str:
    """8 hex digits over the values and shapes, the same for every format that holds the same values. Reads everything.

    A field counts as float64 little-endian rows if all of it is numbers, else as UTF-8 text, a NUL after each.
    """
    kinds = ["category" if _is_text(field) else "number" for field in fields]
    try:
        return _digest(fields, kinds)
    except DataError:
        kinds = [_kind_by_reading(field) for field in fields]
    return _digest(fields, kinds)


def _kind_by_reading(field: Field) -> str:
    if _is_text(field):
        return "category"
    try:
        for block in blocks([field], ["number"], DIGEST_ROWS):
            block.load()
    except DataError:
        return "category"
    return "number"


def _digest(fields: Sequence[Field], kinds: Sequence[str]) -> str:
    import hashlib

    sums = [hashlib.sha256() for _ in fields]
    rows = 0
    for block in blocks(fields, kinds, DIGEST_ROWS):
        rows = block.stop
        for running, kind, values in zip(sums, kinds, block.load(), strict=True):
            if kind == "number":
                running.update(values.astype("<f8", order="C", copy=False).data)
            else:
                running.update("".join(f"{value}\0" for value in values.ravel().tolist()).encode())
    total = hashlib.sha256()
    for field, kind, running in zip(fields, kinds, sums, strict=True):
        shape = (rows,) if field.ndim == 1 else (rows, field.width)
        total.update(f"{kind} {shape} {running.hexdigest()}\n".encode())
    return total.hexdigest()[:8]
