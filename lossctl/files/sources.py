"""Sources: `PATH::SELECTOR`, whatever the format, as columns that are read in step, block by block."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lossctl.errors import DataError, UsageError
from lossctl.files.arrays import Arrays, categories, numbers, of_array, of_members
from lossctl.files.npy import hold, open_npy, open_npz
from lossctl.files.opening import NPY, ZIP, label_of, open_bytes
from lossctl.files.selectors import Names, listed, positions
from lossctl.files.tables import Table, Wanted, open_table

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np

DIGEST_ROWS = 1 << 15


@dataclass(frozen=True)
class Source:
    """A file and which of its columns are meant; `str(source)` gives the text back. Path "-" is stdin."""

    path: str
    selector: str | None = None

    def __str__(self) -> str:
        return self.path if self.selector is None else f"{self.path}::{self.selector}"


def parse_source(text: str) -> Source:
    """`PATH` or `PATH::SELECTOR`; a path that itself contains `::` is taken whole if that file exists. UsageError."""
    path, mark, selector = text.partition("::")
    if mark and text != "-" and not os.path.exists(text):
        at = text.rfind("::")
        while at > 0 and not os.path.exists(text[:at]):
            at = text.rfind("::", 0, at)
        if at > 0:
            path, selector = text[:at], text[at + 2 :]
    elif mark:
        path, mark = text, ""
    if not path:
        raise UsageError(f"no file in '{text}'", fix="write PATH or PATH::COLUMN; - is stdin")
    return Source(path, selector if mark else None)


@dataclass(frozen=True)
class Field:
    """A column, or a block of columns, of one frame.

    columns: 0-based positions within the frame;  ndim: 1 for arrays (n,), 2 for (n, width)
    kind: "number", "text", or "unknown" (CSV);  inner: which columns of a two-dimensional NPZ key, None for all
    """

    frame: Frame
    name: str
    columns: tuple[int, ...]
    ndim: int
    kind: str
    inner: tuple[int, ...] | None = None

    @property
    def width(self) -> int:
        """How many columns its arrays have."""
        if self.inner is not None:
            return len(self.inner)
        return self.frame.content.columns_of(self.columns[0]) or len(self.columns)


@dataclass(frozen=True)
class Block:
    """Rows start..stop of all fields; `load` reads them, and may be called from any thread."""

    start: int
    stop: int
    load: Callable[[], tuple[np.ndarray[Any, Any], ...]]


class Frame:
    """An open file (or an array in memory) seen as columns. A context manager; compared by identity.

    format: "npy", "npz" or "csv";  names: header, fields or keys, () when there are only positions
    """

    def __init__(self, path: str, format: str, content: Arrays | Table, closing: contextlib.ExitStack) -> None:
        self.path = path
        self.format = format
        self.content = content
        self._closing = closing

    @property
    def names(self) -> tuple[str, ...]:
        return self.content.names

    @property
    def width(self) -> int:
        """How many columns, fields or keys can be selected."""
        return self.content.width

    @property
    def rows(self) -> int | None:
        """None for a CSV that has not been read to its end, and for an NPZ whose keys differ."""
        return self.content.rows

    @property
    def skipped(self) -> int:
        """Rows that the last pass dropped because of missing values."""
        return self.content.skipped

    def select(self, selector: str) -> Field:
        """The columns a selector means. UsageError."""
        key, inner = self._split_key(selector)
        columns, is_block = positions(key, self._among())
        if inner is not None:
            return self._inside(columns[0], inner)
        return self._block(columns) if is_block else self.field(columns[0])

    def field(self, position: int) -> Field:
        """The 0-based column, field or key. UsageError."""
        if not 0 <= position < self.width:
            raise UsageError(f"{label_of(self.path)}: no {self.content.unit} {position + 1}: it has {self.width}")
        ndim = 1 if self.content.columns_of(position) is None else 2
        return Field(self, self.column_name(position), (position,), ndim, self.content.kind_of(position))

    def whole(self) -> Field:
        """All of a plain array or a CSV, or the only key or field there is. UsageError otherwise."""
        content = self.content
        if self.width == 1 and not (isinstance(content, Arrays) and self._is_matrix(content)):
            return self.field(0)
        if content.unit == "column":
            return self._block(tuple(range(self.width)))
        raise UsageError(
            f"{label_of(self.path)}: has {self.width} {content.unit}s", fix=f"choose one of {listed(self.names)}"
        )

    def where(self, row: int) -> str:
        """Where a row stands: "scores.csv:1043", or "preds.npy: row 1042" (counted from 0)."""
        return self.content.where(row)

    def dtype_of(self, field: Field) -> str:
        """ "float32", "<U3", ... ; "text" for CSV; several, joined by commas, where the columns differ."""
        return ", ".join(dict.fromkeys(self.content.dtype_name(column) for column in field.columns))

    def column_name(self, position: int) -> str:
        """What messages call one column: "column 'p' (4)", "column 2", "key 'label'"."""
        content = self.content
        if isinstance(content, Table):
            return content.column_name(position)
        from lossctl.text import shown

        return f"{content.unit} '{shown(content.names[position])}'" if content.names else f"column {position + 1}"

    def close(self) -> None:
        """Close the file and remove temporary copies."""
        self._closing.close()

    def __enter__(self) -> Frame:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _among(self) -> Names:
        return Names(self.names, self.width, label_of(self.path), self.content.unit)

    def _is_matrix(self, content: Arrays) -> bool:
        return content.unit == "column" and len(content.layouts[0].shape) == 2

    def _block(self, columns: tuple[int, ...]) -> Field:
        for column in columns:
            if self.content.columns_of(column) is not None:
                name = self.column_name(column)
                raise UsageError(f"{label_of(self.path)}: {name} has columns of its own", fix="select it alone")
        kinds = {self.content.kind_of(column) for column in columns}
        kind = kinds.pop() if len(kinds) == 1 else "text"
        return Field(self, self._block_name(columns), columns, 2, kind)

    def _block_name(self, columns: tuple[int, ...]) -> str:
        if len(columns) == 1:
            return self.column_name(columns[0])
        if columns == tuple(range(columns[0], columns[-1] + 1)):
            return f"{self.content.unit}s {columns[0] + 1}..{columns[-1] + 1}"
        some = ", ".join(str(column + 1) for column in columns[:5])
        return f"{self.content.unit}s {some}" + (", ..." if len(columns) > 5 else "")

    def _split_key(self, selector: str) -> tuple[str, str | None]:
        """NPZ only: KEY[SEL] and KEY::SEL choose columns of a two-dimensional key."""
        if not (isinstance(self.content, Arrays) and self.content.keyed) or selector in self.names:
            return selector, None
        if selector.endswith("]") and "[" in selector:
            key, _, inner = selector[:-1].rpartition("[")
            return key, inner
        key, mark, inner = selector.rpartition("::")
        return (key, inner) if mark else (selector, None)

    def _inside(self, key: int, inner: str) -> Field:
        count = self.content.columns_of(key)
        name = self.column_name(key)
        if count is None:
            raise UsageError(f"{label_of(self.path)}: {name} has no columns", fix="select it whole")
        columns, is_block = positions(inner, Names((), count, f"{label_of(self.path)}: {name}", "column"))
        text = f"{name} column {columns[0] + 1}" + (f"..{columns[-1] + 1}" if is_block else "")
        return Field(self, text, (key,), 2 if is_block else 1, self.content.kind_of(key), columns)


# --- opening


def open_source(
    path: str, *, header: bool | None = None, delimiter: str | None = None, na_skip: bool = False
) -> Frame:
    """The file as a frame, its format told by its first bytes; a context manager. FileError, DataError.

    header, delimiter, na_skip: for CSV; what the first row is, what separates cells, drop rows with missing values
    """
    with contextlib.ExitStack() as closing:
        stretch = open_bytes(path, closing)
        magic = bytes(stretch.pread(0, min(6, stretch.size)))
        content: Arrays | Table
        if magic.startswith(NPY):
            content, kind = of_array(open_npy(stretch), stretch.label), "npy"
        elif magic.startswith(ZIP) and magic[2:4] in (b"\x03\x04", b"\x05\x06"):
            content, kind = of_members(open_npz(stretch, closing), stretch.label), "npz"
        else:
            content, kind = open_table(stretch, header, delimiter, na_skip), "csv"
        return Frame(path, kind, content, closing.pop_all())


def frame_of(value: object, name: str) -> Frame:
    """A frame over an array in memory, or over a dict of them; the rules are those for files. DataError."""
    if not isinstance(value, dict):
        return Frame(name, "npy", of_array(hold(value, name), name), contextlib.ExitStack())
    if not value:
        raise DataError(f"{name}: no arrays in it")
    held = {str(key): hold(one, f"{name}: key '{key}'") for key, one in value.items()}
    fetch = tuple((lambda array=array: array) for array in held.values())
    content = Arrays(name, tuple(array.layout for array in held.values()), fetch, tuple(held), "key")
    return Frame(name, "npz", content, contextlib.ExitStack())


# --- reading


def blocks(fields: Sequence[Field], kinds: Sequence[str], rows: int) -> Iterator[Block]:
    """All fields in step, `rows` rows at a time. DataError for unequal lengths, and for cells that are not of the kind.

    kinds, one a field: "number" gives float64, (n,) or (n, k); "category" gives int64 where all are whole numbers,
    else str, or for CSV an object array where a block holds both
    Arrays: only ranges are handed out, `load` reads. CSV: a block is parsed when it is handed out.
    """
    for field, kind in zip(fields, kinds, strict=True):
        _check_kind(field, kind)
    length = _known_length(fields)
    for field in fields:
        if isinstance(field.frame.content, Arrays):
            field.frame.content.prepare(field.columns)
    if any(isinstance(field.frame.content, Table) for field in fields):
        return _walk_tables(fields, kinds, rows, length)
    return _ranges(fields, kinds, rows, length or 0)


def _check_kind(field: Field, kind: str) -> None:
    if kind not in ("number", "category"):
        raise ValueError(kind)
    if kind == "number" and field.kind == "text":
        raise DataError(
            f"{label_of(field.frame.path)}: {field.name}: text ({field.frame.dtype_of(field)}), not numbers",
            fix="choose another column, or save it as numbers",
        )


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
        f"{label_of(field.frame.path)}{f' {field.name}' if same else ''} has {count} rows" for field, count in (one, other)
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
    import numpy as np

    content = field.frame.content
    assert isinstance(content, Arrays)
    convert = numbers if kind == "number" else categories
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


def _walk_tables(
    fields: Sequence[Field], kinds: Sequence[str], rows: int, length: int | None
) -> Iterator[Block]:
    tables: dict[Table, list[int]] = {}
    for at, field in enumerate(fields):
        if isinstance(field.frame.content, Table):
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
        counted.append((field, (content.rows if isinstance(content, Table) else length) or 0))
    return _unequal(counted)


# --- digest


def digest(fields: Sequence[Field]) -> str:
    """8 hex digits over the values and shapes, the same for every format that holds the same values. Reads everything.

    A field counts as float64 little-endian rows if all of it is numbers, else as UTF-8 text, a NUL after each.
    """
    kinds = ["category" if field.kind == "text" else "number" for field in fields]
    try:
        return _digest(fields, kinds)
    except DataError:
        kinds = [_kind_by_reading(field) for field in fields]
    return _digest(fields, kinds)


def _kind_by_reading(field: Field) -> str:
    if field.kind == "text":
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
