"""Parquet, Arrow (Feather) and Arrow streams, by pyarrow: batches of the columns that are asked for, and no others."""

from __future__ import annotations

import bisect
import contextlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from ..errors import DataError, FileError, UsageError
from ..text import shown
from .content import Array, numbered_name
from .dialect import Dialect
from .opening import Bytes
from .streams import Batch, ColumnType, Stream

BUFFER = 1 << 20
MAGIC, CONTINUED, TAIL = b"ARROW1", b"\xff\xff\xff\xff", struct.Struct("<i")
TEXTS = ("string", "large_string", "string_view")
AGAIN = "copy it again, or write it again"


def open_parquet(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Stream:
    """A Parquet file, its footer read. DataError."""
    import pyarrow.parquet as parquet

    label = stretch.label
    with _faults(f"{label}: broken Parquet"):
        file = closing.enter_context(
            parquet.ParquetFile(stretch.reader(), buffer_size=BUFFER, pre_buffer=not stretch.is_local)
        )
        schema = file.schema_arrow
        counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    starts = [0, *np.cumsum(counts).tolist()]
    columns = _columns(schema, label)

    def place(row: int) -> str:
        group = max(0, bisect.bisect_right(starts, row) - 1)
        return f"{label}: row {row} (row group {min(group, len(counts) - 1)})"

    def read(positions: Sequence[int], rows: int, start: int) -> Iterator[Any]:
        names = [columns[position].name for position in positions]
        first = max(0, bisect.bisect_right(starts, start) - 1)
        for group in range(first, len(counts)):
            what = partial(_broken_column, file, group, names, label)
            with _faults(what):
                batches = file.iter_batches(rows, row_groups=[group], columns=names, use_threads=False)
            skipped = max(0, start - starts[group])
            yield from _after(_faulty(batches, what), skipped) if skipped else _faulty(batches, what)

    return _stream(label, columns, schema, read, place, starts[-1], dialect)


def _broken_column(file: Any, group: int, names: Sequence[str], label: str) -> str:
    """Which of the columns of a row group cannot be read."""
    for position, name in enumerate(names):
        try:
            file.read_row_group(group, columns=[name], use_threads=False)
        except Exception:
            return f"{label}: row group {group}: {numbered_name(name, position)}: broken Parquet"
    return f"{label}: row group {group}: broken Parquet"


def open_file(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Stream:
    """An Arrow IPC file, which is what Feather is. DataError."""
    from pyarrow import ipc

    label = stretch.label
    with _faults(f"{label}: broken Arrow file"):
        file = closing.enter_context(ipc.open_file(stretch.reader()))
        schema, starts = file.schema, [0, *accumulate(_lengths(stretch))]
        if len(starts) != file.num_record_batches + 1:
            raise ValueError("the footer does not list its record batches")

    def read(positions: Sequence[int], rows: int, start: int) -> Iterator[Any]:
        options = ipc.IpcReadOptions(included_fields=list(positions), use_threads=False)
        with _faults(f"{label}: broken Arrow file"), ipc.open_file(stretch.reader(), options=options) as some:
            for index in range(max(0, bisect.bisect_right(starts, start) - 1), len(starts) - 1):
                with _faults(f"{label}: record batch {index}: broken Arrow file"):
                    batch = some.get_batch(index)
                yield from _after(_slices(batch, rows), max(0, start - starts[index]))

    return _stream(label, _columns(schema, label), schema, read, _by_row(label), starts[-1], dialect)


def _lengths(stretch: Bytes) -> list[int]:
    """How many rows each record batch of an Arrow file has, by its metadata alone.

    Source: the flatbuffers of the format, File.fbs and Message.fbs: a footer lists blocks of 24 bytes, each with the
    place and length of a message, whose header is the record batch, whose first field is its length.
    """
    tail = TAIL.size + len(MAGIC)
    (size,) = TAIL.unpack(stretch.pread(stretch.size - tail, TAIL.size))
    footer = stretch.pread(stretch.size - tail - size, size)
    place = _field(footer, _follow(footer, 0), 3)
    blocks = 0 if place is None else _follow(footer, place)
    lengths = []
    for at in range(TAIL.unpack_from(footer, blocks)[0] if blocks else 0):
        offset, length = struct.unpack_from("<qi", footer, blocks + 4 + 24 * at)
        message = stretch.pread(offset, length)
        base = 8 if message[:4] == CONTINUED else 4
        header = _field(message, _follow(message, base), 2)
        rows = None if header is None else _field(message, _follow(message, header), 0)
        lengths.append(0 if rows is None else struct.unpack_from("<q", message, rows)[0])
    return lengths


def _follow(buffer: bytes, place: int) -> int:
    return place + int(TAIL.unpack_from(buffer, place)[0])


def _field(buffer: bytes, table: int, number: int) -> int | None:
    """Where a field of a table of a flatbuffer lies; None where it has its default."""
    names = table - TAIL.unpack_from(buffer, table)[0]
    (size,) = struct.unpack_from("<H", buffer, names)
    if 4 + 2 * number >= size:
        return None
    (offset,) = struct.unpack_from("<H", buffer, names + 4 + 2 * number)
    return table + offset if offset else None


def open_stream(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Stream:
    """An Arrow IPC stream. DataError."""
    from pyarrow import ipc

    label = stretch.label
    with _faults(f"{label}: broken Arrow stream"), ipc.open_stream(stretch.reader()) as file:
        schema = file.schema

    def read(positions: Sequence[int], rows: int, start: int) -> Iterator[Any]:
        options = ipc.IpcReadOptions(included_fields=list(positions), use_threads=False)
        with _faults(f"{label}: broken Arrow stream"), ipc.open_stream(stretch.reader(), options=options) as some:
            for batch in some:
                yield from _after(_slices(batch, rows), start)
                start = max(0, start - batch.num_rows)

    return _stream(label, _columns(schema, label), schema, read, _by_row(label), None, dialect)


def _by_row(label: str) -> Callable[[int], str]:
    return lambda row: f"{label}: row {row}"


def _slices(batch: Any, rows: int) -> Iterator[Any]:
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _after(batches: Iterable[Any], rows: int) -> Iterator[Any]:
    """Batches without their first rows."""
    for batch in batches:
        skipped = min(rows, batch.num_rows)
        rows -= skipped
        yield batch.slice(skipped) if skipped else batch


def _faulty(batches: Iterator[Any], what: Callable[[], str]) -> Iterator[Any]:
    while True:
        with _faults(what):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@contextlib.contextmanager
def _faults(what: str | Callable[[], str]) -> Iterator[None]:
    """pyarrow raises its own and Python's errors on damaged files; all mean the same here."""
    try:
        yield
    except (DataError, FileError, UsageError, GeneratorExit):
        raise
    except Exception as fault:
        place = what if isinstance(what, str) else what()
        reason = shown(str(fault)) or type(fault).__name__
        raise DataError(f"{place}: {reason}", fix=AGAIN) from fault


# --- columns


def _columns(schema: Any, label: str) -> tuple[ColumnType, ...]:
    with _faults(f"{label}: broken schema"):
        names = list(schema.names)
        columns = tuple(_column(field) for field in schema)
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise DataError(f"{label}: two columns are called '{shown(twice)}'", fix="rename one")
    if not names:
        raise DataError(f"{label}: has no columns", fix="check what wrote it")
    return columns


def _column(field: Any) -> ColumnType:
    import pyarrow.types as types

    type = field.type
    lists = types.is_list(type) or types.is_large_list(type) or types.is_fixed_size_list(type)
    inner = type.value_type if lists else type
    inner = inner.value_type if types.is_dictionary(inner) else inner
    return ColumnType(field.name, _type_name(inner), _kind(inner), lists)


def _kind(type: Any) -> str:
    import pyarrow.types as types

    numeric = types.is_integer(type) or types.is_floating(type) or types.is_boolean(type) or types.is_decimal(type)
    return "number" if numeric else "text" if str(type) in TEXTS or _is_time(type) else "unknown"


def _is_time(type: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_date(type) or types.is_timestamp(type))


def _written(times: Any) -> Any:
    """Dates and points in time as text: 2024-01-31, with the time where it is not midnight; zoned ones in UTC and Z."""
    import pyarrow as pa
    import pyarrow.compute as compute
    import pyarrow.types as types

    is_utc = types.is_timestamp(times.type) and times.type.tz is not None
    plain = times.cast(pa.timestamp(times.type.unit)) if is_utc else times
    texts = compute.replace_substring_regex(plain.cast("string"), r"\.0+$", "")
    return compute.binary_join_element_wise(compute.replace_substring_regex(texts, r" 00:00:00$", ""), "Z" * is_utc, "")


def _type_name(type: Any) -> str:
    """As numpy calls it where numpy has it: "float32" for float."""
    names = {"halffloat": "float16", "float": "float32", "double": "float64", "large_string": "string"}
    return names.get(str(type), str(type))


def _stream(
    label: str,
    columns: tuple[ColumnType, ...],
    schema: Any,
    read: Callable[[Sequence[int], int, int], Iterator[Any]],
    place: Callable[[int], str],
    rows: int | None,
    dialect: Dialect,
) -> Stream:
    widths: dict[int, int] = {}

    def width_of(position: int) -> int:
        if position not in widths:
            widths[position] = _list_width(schema.field(position).type, lambda: next(read([position], 1, 0), None))
        return widths[position]

    def batches(positions: Sequence[int], rows: int, start: int) -> Iterator[Batch]:
        for batch in read(positions, rows, start):
            arrays: dict[int, Array] = {}
            for position in positions:

                def at(row: int, position: int = position, start: int = start) -> str:
                    return f"{place(start + row)}: {numbered_name(columns[position].name, position)}"

                values = batch.column(columns[position].name)
                width = width_of(position) if columns[position].lists else None
                arrays[position] = _stored(values, width, at)
            yield Batch(start, batch.num_rows, arrays)
            start += batch.num_rows

    return Stream(label, columns, batches, place, width_of, rows, dialect.allow_missing)


def _list_width(type: Any, first: Callable[[], Any]) -> int:
    """Of fixed lists by their type, of others by the first row; 1 where there is none."""
    import pyarrow.types as types

    if types.is_fixed_size_list(type):
        return int(type.list_size)
    batch = first()
    cell = batch.column(0)[0].as_py() if batch is not None and batch.num_rows else None
    return max(1, len(cell)) if cell is not None else 1


def _stored(values: Any, width: int | None, at: Callable[[int], str]) -> Array:
    """An Arrow array as numpy has it, (n,) or (n, width); as objects where values are missing, and for text."""
    import pyarrow.types as types

    if width is not None:
        return _stored(_flat(values, width, at), None, at).reshape(len(values), width)
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if _is_time(values.type):
        values = _written(values)
    kind = _kind(values.type)
    if kind == "unknown" and not types.is_null(values.type):
        raise DataError(f"{at(0)}: {shown(str(values.type))} is neither numbers nor text", fix="choose another column")
    if kind != "number" or values.null_count or types.is_decimal(values.type):
        objects = np.empty(len(values), object)
        objects[:] = values.to_pylist()
        return objects
    if types.is_boolean(values.type):
        return np.from_dlpack(values.cast("uint8")).view(bool)
    return np.from_dlpack(values)  # its own to_numpy imports pandas


def _flat(values: Any, width: int, at: Callable[[int], str]) -> Any:
    """The values of lists of one length, one list after the other. DataError for a list of another length."""
    import pyarrow.types as types

    if types.is_fixed_size_list(values.type) and not values.null_count:
        return values.flatten()
    lengths = values.value_lengths().to_pylist()
    unlike = next((row for row, length in enumerate(lengths) if length != width), None)
    if unlike is not None:
        have = "null" if lengths[unlike] is None else f"a list of {lengths[unlike]}"
        raise DataError(
            f"{at(unlike)}: {have}, where the first row has a list of {width}",
            why="a column of lists is read as a matrix",
            fix="make them of one length, or choose another column",
        )
    return values.flatten()
