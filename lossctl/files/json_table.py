"""JSON: one object that is a table, as pandas (split, columns, index, table) and wandb write it; held whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import DataError
from .opening import Bytes
from .room import refuse_beyond

COPIES = 12  # bytes in memory of a byte of JSON
SPLIT = ({"columns", "data"}, {"columns", "data", "index"}, {"columns", "data", "index", "name"})

Row = dict[str, Any]


def rows_of_table(stretch: Bytes, begin: int) -> list[Row] | None:
    """The rows of a table that is one object; None for an object that is none. DataError where it is too large.

    Source: pandas, DataFrame.to_json: split {columns, index, data}, columns {column: {row: value}}, index
    {row: {column: value}}, table {schema, data}; wandb: {columns, data}
    """
    refuse_beyond(
        COPIES * stretch.size,
        f"{stretch.label}: JSON of {stretch.size:,} bytes that is one object",
        "it is read whole",
        "write it with one object a line: table.to_json(path, orient='records', lines=True)",
    )
    try:
        table = json.loads(stretch.pread(begin, stretch.size - begin), parse_constant=float, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return _rows(table, stretch.label) if isinstance(table, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> Row:
    item = dict(pairs)
    if len(item) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return item


def _rows(table: Mapping[str, Any], label: str) -> list[Row] | None:
    if set(table) in SPLIT:
        return _of_split(table["columns"], table["data"], label)
    if set(table) == {"schema", "data"} and _are_rows(table["data"]):
        return list(table["data"])
    if not table or not _are_rows(list(table.values())):
        return None
    outer, inner = list(table), list(next(iter(table.values())))
    if _are_numbers(inner) and not _are_numbers(outer):
        return [{name: column[row] for name, column in table.items()} for row in inner]
    return list(table.values()) if _are_numbers(outer) and not _are_numbers(inner) else None


def _of_split(columns: Any, rows: Any, label: str) -> list[Row] | None:
    are_lists = isinstance(columns, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    if not are_lists or not columns or not rows:
        return None
    names = [str(name) for name in columns]
    short = next((at for at, row in enumerate(rows) if len(row) != len(names)), None)
    if short is not None or len(set(names)) < len(names):
        raise DataError(
            f"{label}: row {short}: {len(rows[short])} values for {len(names)} columns"
            if short is not None
            else f"{label}: two columns are called alike",
            fix="check the command that wrote it",
        )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _are_rows(values: Any) -> bool:
    """Whether they are objects with the same keys, at least one."""
    if not isinstance(values, list) or not values or not all(isinstance(value, dict) and value for value in values):
        return False
    keys = values[0].keys()
    return all(value.keys() == keys for value in values)


def _are_numbers(keys: Sequence[str]) -> bool:
    """Whether they are the numbers of rows, in any order."""
    return sorted(keys) == sorted(map(str, range(len(keys))))


def in_batches(rows: list[Row], most: int) -> Iterator[tuple[int, list[Row]]]:
    for start in range(0, len(rows), most):
        yield start, rows[start : start + most]
