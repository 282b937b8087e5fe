"""JSON lines: one object a row, in constant memory."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import DataError
from ..text import piped, quoted, shown
from .content import numbered_name
from .dialect import Dialect
from .json_table import in_batches, rows_of_table
from .nested import key_of
from .opening import Bytes
from .streams import Batch, ColumnType, Stream, even_lists
from .tables import whole_rows

CHUNK = 1 << 20
BOM = b"\xef\xbb\xbf"
RowsOf = Callable[[int], Iterator[tuple[int, list[dict[str, Any]]]]]


def open_lines(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Stream:
    """The keys of the first object are the columns. DataError for what is no object, or has other keys."""
    label = stretch.label
    begin = len(BOM) if stretch.pread(0, min(3, stretch.size)) == BOM else 0
    table = _table(stretch, begin)
    if table is not None:
        return stream_of(label, table[0], partial(in_batches, table), lambda row: f"{label}: row {row}", dialect)
    first = _first(stretch, begin)
    names = tuple(first)
    if not names:
        raise DataError(f"{label}:1: an object without keys", fix="check the command that wrote it")
    if (
        all(isinstance(value, list | dict) for value in first.values())
        and b"\n" not in whole_rows(stretch, begin, CHUNK).rstrip()
    ):
        raise DataError(
            f"{label}: is JSON: one object of {len(names)} columns, and not one object a row",
            why="whether they are columns, or the values of one row, cannot be told",
            fix=_one_object_as_rows(first, label),
        )
    rows_of = partial(_batches, stretch, begin, names)
    return stream_of(label, first, rows_of, lambda row: f"{label}:{row + 1}", dialect)


def _one_object_as_rows(columns: Mapping[str, Any], label: str) -> str:
    for name, value in columns.items():
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            return piped(f"jq -c {quoted(f'.{key_of(name)}[]')}", label)
    if all(isinstance(value, list) for value in columns.values()):
        return f"save them as columns: numpy.savez('columns.npz', **json.load(open('{label}')))"
    return f"save them as columns: pandas.read_json('{label}').to_csv('columns.csv', index=False)"


def _table(stretch: Bytes, begin: int) -> list[dict[str, Any]] | None:
    """The rows of a file that is one object over several lines, or of lists and objects alone, if it is a table."""
    line, _, rest = whole_rows(stretch, begin, CHUNK).strip().partition(b"\n")
    if rest and not (line.strip() == b"{" or line.rstrip().endswith(b",")):
        return None
    if not rest and not re.match(rb"\{\s*\"(?:[^\"\\]|\\.)*\"\s*:\s*[\[{]", line):
        return None
    return rows_of_table(stretch, begin)


def stream_of(
    label: str, first: Mapping[str, Any], rows_of: RowsOf, place: Callable[[int], str], dialect: Dialect
) -> Stream:
    """The columns of objects with the keys of the first. `rows_of`: at most so many at a time, with the first's row."""
    names = tuple(first)
    lists = tuple(isinstance(value, list) for value in first.values())
    columns = tuple(ColumnType(name, "JSON", "unknown", is_list) for name, is_list in zip(names, lists, strict=True))

    def width(position: int) -> int:
        return max(1, len(first[names[position]]))

    def batches(positions: Sequence[int], rows: int, start: int) -> Iterator[Batch]:
        for begin, batch in rows_of(rows):
            row, objects = max(begin, start), batch[max(0, start - begin) :]
            arrays = {}
            for position in positions:
                name = names[position]
                values = [item[name] for item in objects]
                if not lists[position]:
                    cells = np.empty(len(values), object)
                    cells[:] = values
                    arrays[position] = cells
                    continue
                arrays[position] = even_lists(values, width(position), _cell(place, row, name, position))
            yield Batch(row, len(objects), arrays)

    return Stream(label, columns, batches, place, width, allow_missing=dialect.allow_missing)


def _cell(place: Callable[[int], str], start: int, name: str, position: int) -> Callable[[int], str]:
    return lambda row: f"{place(start + row)}: {numbered_name(name, position)}"


def _first(stretch: Bytes, begin: int) -> dict[str, Any]:
    text = whole_rows(stretch, begin, 1 << 16)
    line = text.split(b"\n", 1)[0]
    try:
        return _object(line, stretch.label, 1)
    except DataError as fault:
        if line.strip() in (b"{", b"") or line.rstrip().endswith(b","):
            raise DataError(
                f"{stretch.label}: is JSON: an object over several lines, and not one object a line",
                fix=piped("jq -c .", stretch.label),
            ) from fault
        raise


def _batches(stretch: Bytes, begin: int, names: Sequence[str], rows: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    offset, row = begin, 0
    while offset < stretch.size:
        chunk = whole_rows(stretch, offset, CHUNK)
        offset += len(chunk)
        objects = _at_once(chunk, names)
        if objects is None:
            objects = _in_turn(chunk, names, stretch.label, row + 1)
        for start in range(0, len(objects), rows):
            yield row + start, objects[start : start + rows]
        row += len(objects)


def _at_once(chunk: bytes, names: Sequence[str]) -> list[dict[str, Any]] | None:
    """The objects of all lines, or None where a line is not certain to hold one object with just these keys."""
    lines = chunk.removesuffix(b"\n").split(b"\n")
    if chunk.count(b'":') != len(lines) * len(names):  # a key that stands twice, or a text that looks like one
        return None
    if chunk[:1] != b"{" or chunk.count(b"\n{") + 1 != len(lines):  # an object may not go on in the next line
        return None
    try:
        objects = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return None
    keys = set(names)
    fit = len(objects) == len(lines) and all(type(item) is dict and item.keys() == keys for item in objects)
    return objects if fit else None


def _in_turn(chunk: bytes, names: Sequence[str], label: str, number: int) -> list[dict[str, Any]]:
    """The same, line by line. DataError at the first that is no object with these keys."""
    objects: list[dict[str, Any]] = []
    for line in chunk.removesuffix(b"\n").split(b"\n"):
        item = _object(line, label, number + len(objects))
        if item.keys() != set(names):
            raise other_keys(item, names, f"{label}:{number + len(objects)}")
        objects.append(item)
    return objects


def _object(line: bytes, label: str, number: int) -> dict[str, Any]:
    place = f"{label}:{number}"
    if not line.strip():
        raise DataError(f"{place}: a blank line", fix=piped("sed '/^[[:space:]]*$/d'", label))
    try:
        item = json.loads(line, parse_constant=float, object_pairs_hook=unique_keys)
    except UnicodeDecodeError as fault:
        raise DataError(f"{place}: is not UTF-8", fix=piped("iconv -f LATIN1 -t UTF-8", label)) from fault
    except (ValueError, RecursionError) as fault:
        raise DataError(f"{place}: not JSON: {shown(str(fault))}", fix="write one object a line") from fault
    if not isinstance(item, dict):
        raise DataError(f"{place}: not an object", why="JSON lines have one object a row", fix='write {"pred": 0.5}')
    return item


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. ValueError where a key stands twice."""
    item = dict(pairs)
    if len(item) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return item


def other_keys(item: dict[str, Any], names: Sequence[str], place: str) -> DataError:
    """The error of an object that has not just the keys of the first."""
    lacking = next((name for name in names if name not in item), None)
    extra = next((name for name in item if name not in names), "")
    what = f"no key '{shown(lacking)}'" if lacking is not None else f"a key '{shown(extra)}' that the first row lacks"
    return DataError(
        f"{place}: {what}",
        why="each row has the keys of the first; a missing value is null",
        fix="write the same keys in every row",
    )
