"""Fields of any frames read in step, block by block; and a digest of what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DataError
from .content import Choice, Chunk, Content
from .frames import COLUMN_BYTES, Field
from .opening import label_of
from .room import ALLOWED, bytes_free, exceeds, refuse_beyond

if TYPE_CHECKING:
    from .drawer import Place

DIGEST_ROWS = 1 << 15
DIGEST_VALUES = 1 << 20  # that are read at a time for it
NUMBER = 8  # bytes of a number, whatever it is in the file
HELD = 3  # how many times their size rows that are compared take meanwhile: as read, in order, as factors
HELD_DIRECTIONS = 6  # the same of directions, which are in twice the digits
TOGETHER = "each row is compared with all others, so all of them are held in memory"
SAMPLED = "compute a sample of the rows, or run where there is more memory"


watchers: list[Callable[[int, int | None], None]] = []  # each is told how many rows of a walk are read, and of how many


class Block(NamedTuple):
    """Rows start..stop of all fields; `load` reads them, and may be called from any thread."""

    start: int
    stop: int
    load: Callable[[], tuple[np.ndarray[Any, Any], ...]]


def blocks(
    fields: Sequence[Field], kinds: Sequence[str], rows: int, start: int = 0, stop: int | None = None
) -> Iterator[Block]:
    """All fields in step, `rows` rows at a time. DataError for unequal lengths, and for cells that are not of the kind.

    kinds, one a field: "number" gives float64, (n,) or (n, k); "category" gives int64 where all are whole numbers,
    else str, or an object array where a block of a text file holds both
    Arrays are read by `load`, and what was in memory may come as a view, so do not write into it; formats that can
    only be read from their beginning on are parsed when a block is handed out.
    start, stop: only these rows, of files that know how many they have; start is a multiple of `rows`
    """
    for field, kind in zip(fields, kinds, strict=True):
        _check_kind(field, kind)
    length = _known_length(fields)
    walk = _in_step(fields, kinds, rows, length, start, stop)
    return _watched(walk, length) if watchers else walk


def _watched(walk: Iterator[Block], length: int | None) -> Iterator[Block]:
    """The blocks, and a word to the watchers when one is read."""
    read = 0

    def loader(block: Block) -> Callable[[], tuple[np.ndarray[Any, Any], ...]]:
        def load() -> tuple[np.ndarray[Any, Any], ...]:
            nonlocal read
            arrays = block.load()
            read += block.stop - block.start
            for tell in tuple(watchers):
                tell(read, length)
            return arrays

        return load

    for block in walk:
        yield block._replace(load=loader(block))


def place_of(fields: Sequence[Field], can_be_filed: bool = False, copies: int = HELD, beside: int = 0) -> Place:
    """Where all rows of the fields are kept: in a file where they need more memory than is free.

    can_be_filed: whoever reads them can work on a file; FileError where not, or where the disk has no room for it
    copies: how many times their size they take;  beside: numbers of another set that is held as well
    """
    from .drawer import Place, refuse_full

    length = _known_length(fields)
    place = Place(length)
    if length is None or not any(_is_file(field) for field in fields):
        return place
    width = sum(field.width for field in fields)
    largest = max(filter(_is_file, fields), key=lambda field: field.width)
    needed, what = (
        copies * NUMBER * (length * width + beside),
        f"{label_of(largest.frame.path)}: {length:,} rows of {width:,} numbers",
    )
    if can_be_filed:
        free = bytes_free()
        if free is None or needed <= free:
            return place
        refuse_full(needed, what)
        return Place(length, is_file=True)
    refuse_beyond(needed, f"{what} together", TOGETHER, SAMPLED)
    return place


def held(walk: Iterator[Block], fields: Sequence[Field]) -> Iterator[Block]:
    """The blocks of rows that are all kept; FileError, naming the file, as soon as they need more memory than is free.

    What a header says was compared before; text and streams say how long they are only when they have been read.
    """
    if _known_length(fields) is not None or not any(_is_file(field) for field in fields):
        yield from walk
        return
    width = sum(field.width for field in fields)
    label = label_of(max(filter(_is_file, fields), key=lambda field: field.width).frame.path)
    for block in walk:
        size = NUMBER * block.stop * width
        if exceeds(HELD * size, held=size):
            rows = max((block.stop, *(rest.stop for rest in walk)))
            needed, what = HELD * NUMBER * rows * width, f"{label}: {rows:,} rows of {width:,} numbers together"
            refuse_beyond(needed, what, TOGETHER, SAMPLED, held=size)
        yield block


def block_rows(fields: Sequence[Field], most: int) -> int:
    """How many rows a block of so many values has, fewer where memory is allowed for fewer. FileError for a row that
    is too long."""
    width = sum(field.width for field in fields)
    rows = max(1, most // width)
    allowed = ALLOWED.get()
    if allowed is None:
        return rows
    what = f"{label_of(fields[0].frame.path)}: a row of {width:,} numbers"
    refuse_beyond(COLUMN_BYTES * width, what, "a row is computed as one", "name fewer columns")
    return min(rows, allowed // (COLUMN_BYTES * width))


def numbers_of(fields: Sequence[Field]) -> int:
    """How many numbers the fields hold; 0 where that is not known."""
    return (_known_length(fields) or 0) * sum(field.width for field in fields)


def _is_file(field: Field) -> bool:
    return field.frame.format != "memory"


def _check_kind(field: Field, kind: str) -> None:
    if kind not in ("number", "category"):
        raise ValueError(kind)
    if field.axes and not field.flat:
        from .npy import axes_unread

        raise axes_unread(f"{label_of(field.frame.path)}: {field.name}", field.axes)
    if kind == "number" and _is_text(field):
        raise DataError(
            f"{label_of(field.frame.path)}: {field.name}: text ({field.frame.dtype_of(field)}), not numbers",
            fix="choose another column, or save it as numbers",
        )


def _is_text(field: Field) -> bool:
    return any(field.frame.content.kind_of(column) == "text" for column in field.frame.unlike(field.columns))


def _known_length(fields: Sequence[Field]) -> int | None:
    counted = [
        (field, count)
        for field in fields
        for column in field.frame.unlike(field.columns)
        if (count := field.frame.content.rows_of(column)) is not None
    ]
    for field, count in counted:
        if count != counted[0][1]:
            raise _unequal([counted[0], (field, count)])
    return counted[0][1] if counted else None


def _unequal(counted: Sequence[tuple[Field, int]]) -> DataError:
    first, other = counted[0], next(pair for pair in counted if pair[1] != counted[0][1])
    same = first[0].frame is other[0].frame
    texts = [
        f"{label_of(field.frame.path)}{f' {field.name}' if same else ''} has {count} rows"
        for field, count in (first, other)
    ]
    return DataError(
        f"unequal lengths: {texts[0]}, {texts[1]}",
        why="rows are matched by their place; nothing is cut or repeated",
        fix=_lying(first, other)
        or _lying(other, first)
        or _turned(first, other)
        or _turned(other, first)
        or "make them from the same examples, in the same order",
    )


def _lying(row: tuple[Field, int], column: tuple[Field, int]) -> str:
    """What to do where values lie in one row, (1, n), beside n rows."""
    lies = row[1] == 1 and row[0].width == column[1] > 1
    return f"its values lie in one row: np.save({label_of(row[0].frame.path)!r}, x.ravel())" if lies else ""


def _turned(matrix: tuple[Field, int], column: tuple[Field, int]) -> str:
    """What to do where a matrix has a column, and not a row, for each row of the other."""
    is_turned = matrix[0].width == column[1] > 1 and matrix[1] != column[1]
    return f"if its columns are the rows: np.save({label_of(matrix[0].frame.path)!r}, x.T)" if is_turned else ""


def _in_step(
    fields: Sequence[Field], kinds: Sequence[str], rows: int, length: int | None, start: int, end: int | None
) -> Iterator[Block]:
    places: dict[Content, list[int]] = {}
    choices: dict[Content, list[Choice]] = {}
    for at, (field, kind) in enumerate(zip(fields, kinds, strict=True)):
        places.setdefault(field.frame.content, []).append(at)
        choices.setdefault(field.frame.content, []).append(Choice(field.columns, kind, field.ndim, field.inner))
    walks = {content: content.walk(chosen, rows, start) for content, chosen in choices.items()}
    order = list(chain.from_iterable(places.values()))
    while end is None or start < end:
        pieces = [next(walk, None) for walk in walks.values()]
        counts = {0 if piece is None else piece.rows for piece in pieces}
        stop = start + max(counts)
        if len(counts) > 1 or (length is not None and (stop > length or (stop == start != length))):
            raise _unequal_walks(fields, walks, length)
        if stop == start:
            return
        yield Block(start, stop, _loader([piece for piece in pieces if piece is not None], order))
        start = stop


def _loader(pieces: Sequence[Chunk], order: Sequence[int]) -> Callable[[], tuple[np.ndarray[Any, Any], ...]]:
    if len(pieces) == 1:
        return pieces[0].load

    def load() -> tuple[np.ndarray[Any, Any], ...]:
        arrays = [array for piece in pieces for array in piece.load()]
        return tuple(array for _, array in sorted(zip(order, arrays, strict=True), key=lambda pair: pair[0]))

    return load


def _unequal_walks(fields: Sequence[Field], walks: dict[Content, Iterator[Chunk]], length: int | None) -> DataError:
    for content, walk in walks.items():
        if content.rows is None:
            for _ in walk:
                pass
    counted = []
    for field in fields:
        rows = field.frame.content.rows_of(field.columns[0])
        counted.append((field, (length if rows is None else rows) or 0))
    return _unequal(counted)


# --- digest


class Leaves(NamedTuple):
    """What the digest of some rows is made of; those of rows side by side add up.

    kinds: one a field, "number" or "category";  hashes: of each field, 32 bytes for every DIGEST_ROWS rows
    """

    kinds: tuple[str, ...]
    rows: int
    hashes: tuple[bytes, ...]

    def merge(self, following: Leaves) -> Leaves:
        """With the leaves of the rows that follow, which begin at a multiple of DIGEST_ROWS."""
        hashes = tuple(own + more for own, more in zip(self.hashes, following.hashes, strict=True))
        return Leaves(self.kinds, self.rows + following.rows, hashes)


def digest(fields: Sequence[Field]) -> str:
    """8 hex digits over the values and shapes, the same for every format that holds the same values. Reads everything.

    A field counts as float64 little-endian rows if all of it is numbers, else as UTF-8 text, a NUL after each. It is a
    tree: of the hashes of every DIGEST_ROWS rows, so that parts of it can be made apart.
    """
    try:
        return digest_of(fields, leaves(fields))
    except DataError:
        kinds = [_kind_by_reading(field) for field in fields]
    return digest_of(fields, leaves(fields, kinds))


def digest_of(fields: Sequence[Field], tree: Leaves) -> str:
    """The digest of fields from the leaves of all of their rows."""
    import hashlib

    total = hashlib.sha256()
    for field, kind, hashes in zip(fields, tree.kinds, tree.hashes, strict=True):
        shape = (tree.rows,) if field.ndim == 1 else (tree.rows, field.width)
        total.update(f"{kind} {shape} {hashlib.sha256(hashes).hexdigest()}\n".encode())
    return total.hexdigest()[:8]


def leaves(fields: Sequence[Field], kinds: Sequence[str] = (), start: int = 0, stop: int | None = None) -> Leaves:
    """Those of the rows start..stop, where start is a multiple of DIGEST_ROWS. DataError for text among numbers."""
    import hashlib

    kinds = kinds or ["category" if _is_text(field) else "number" for field in fields]
    hashes: list[list[Any]] = [[] for _ in fields]
    rows, step = start, DIGEST_ROWS
    while step % 2 == 0 and step * sum(field.width for field in fields) > DIGEST_VALUES:
        step //= 2  # a leaf of very wide rows is read in pieces
    for block in blocks(fields, kinds, step, start, stop):
        rows = block.stop
        for held, kind, values in zip(hashes, kinds, block.load(), strict=True):
            if block.start % DIGEST_ROWS == 0:
                held.append(hashlib.sha256())
            if kind == "number":
                held[-1].update(values.astype("<f8", order="C", copy=False).data)
            else:
                held[-1].update("".join(f"{value}\0" for value in values.ravel().tolist()).encode())
    return Leaves(tuple(kinds), rows - start, tuple(b"".join(leaf.digest() for leaf in held) for held in hashes))


def _kind_by_reading(field: Field) -> str:
    if _is_text(field):
        return "category"
    try:
        for block in blocks([field], ["number"], DIGEST_ROWS):
            block.load()
    except DataError:
        return "category"
    return "number"
