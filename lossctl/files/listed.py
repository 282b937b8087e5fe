"""Lists in the cells of a text table: [0.1, 0.2] as pandas and JSON write them, [0.1 0.2] as numpy does, and numbers
without brackets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .cells import BETWEEN, FEWEST_BARE, NUMBER, ColumnKinds, Form, plain_rows, strict_rows
from .fast import read_rows

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

LIST = re.compile(r"\s*[\[(](.*)[\])]\s*", re.DOTALL)
LOOKED_AT = 8  # rows that tell a column of lists


def list_widths(rows: Sequence[Sequence[str]]) -> dict[int, int]:
    """Which columns hold lists of numbers, and how many each has, by the first rows."""
    first = rows[:LOOKED_AT]
    widths = {}
    for column in range(len(first[0])) if first else ():
        counts = {len(numbers) for row in first if (numbers := _numbers(row[column])) is not None}
        if counts and min(counts) > 0 and all(_numbers(row[column]) is not None for row in first):
            widths[column] = len(_numbers(first[0][column]) or ())
    return widths


def _numbers(cell: str) -> list[str] | None:
    """The numbers of a list; None for what is none. Whole numbers without brackets may be several labels."""
    inside = LIST.fullmatch(cell)
    parts = [part for part in BETWEEN.split((inside[1] if inside else cell).strip()) if part]
    if inside is None and (len(parts) < FEWEST_BARE or "." not in cell):
        return None
    return parts if all(NUMBER.fullmatch(part) or part == "..." for part in parts) else None


def read_lists(chunk: bytes, line: int, form: Form, column: int, width: int) -> Array:
    """The lists of one column of whole rows, (n, width). DataError with file and line for one that does not fit."""
    begins: list[int] = []
    lists: list[str] = []
    for row_line, cells in strict_rows(plain_rows(chunk, form), line, form):
        place = f"{form.label}:{row_line}: {form.column_name(column)}"
        parts = _parts(cells[column], place)
        if len(parts) != width:
            raise DataError(
                f"{place}: a list of {len(parts)}, where the first row has a list of {width}",
                why="a column of lists is read as a matrix",
                fix="make them of one length",
            )
        begins.append(row_line)
        lists.append(" ".join(parts))
    plan = ColumnKinds(tuple(range(width)), ())
    inner = Form(form.label, " ", (), width, form.allow_missing)
    try:
        return read_rows("".join(f"{text}\n" for text in lists).encode(), line, inner, plan).numbers
    except DataError:
        for row_line, text in zip(begins, lists, strict=True):
            read_rows(f"{text}\n".encode(), row_line, inner, plan)
        raise


def _parts(cell: str, place: str) -> list[str]:
    inside = LIST.fullmatch(cell)
    parts = [part for part in BETWEEN.split((inside[1] if inside else cell).strip()) if part]
    if inside is None and len(parts) < FEWEST_BARE:
        raise DataError(f"{place}: no list, where the first row has one", fix="correct it, or choose another column")
    if "..." in parts:
        raise DataError(
            f"{place}: a list with ... in it",
            why="numpy leaves numbers out where it prints long arrays, and they are lost",
            fix="write it again from the arrays: np.save('x.npy', np.stack(table['column']))",
        )
    return parts
