"""Lines of text from columns, many at a time; numbers are as repr() has them, the shortest that read back the same."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

AT_ONCE = 1 << 14  # lines, so that their cells stay in the cache
MANY = 1 << 17  # lines from which pyarrow, where it is installed, is worth its import
DECIMAL = (1e-3, 1e7)  # between these pyarrow has the digits and the form of repr(), but for whole numbers


class Spelling(NamedTuple):
    """How a format writes what stands for a row, and numbers that are not finite."""

    cell: Callable[[str], str]
    odd: dict[str, str]


def written(texts: Sequence[str], spelling: Spelling) -> np.ndarray:
    """(N,) texts as a format writes them, for columns of them."""
    return np.array([*map(spelling.cell, texts)], object)


def lines(
    columns: Sequence[np.ndarray], between: Sequence[str], spelling: Spelling, *, is_large: bool
) -> Iterator[bytes]:
    """M lines, some at a time, of columns of float64, int64 or `written` texts, (M,) each.

    between: what stands before the first cell, between two, and behind the last, which ends with the newline
    is_large: more lines than MANY are written, with those before
    """
    write = (_by_arrow() if is_large else None) or _plainly
    for start in range(0, len(columns[0]), AT_ONCE):
        yield write([column[start : start + AT_ONCE] for column in columns], between, spelling)


def _plainly(columns: Sequence[np.ndarray], between: Sequence[str], spelling: Spelling) -> bytes:
    pieces: list[Any] = [repeat(between[0])]
    for column, text in zip(columns, between[1:], strict=True):
        cells = column if column.dtype == object else _texts(column, spelling)
        pieces += [cells.tolist(), repeat(text)]
    return "".join(map("".join, zip(*pieces, strict=False))).encode()


def _texts(numbers: np.ndarray, spelling: Spelling) -> np.ndarray:
    """(M,) texts of numbers, each differing one made once."""
    _, first, place = np.unique(numbers.view(np.int64), return_index=True, return_inverse=True)
    texts = [*map(repr, numbers[first].tolist())]
    return np.array([spelling.odd.get(text, text) for text in texts], object)[place]


def _by_arrow() -> Callable[..., bytes] | None:
    """`_plainly` by pyarrow, to the same bytes; None where it is not installed."""
    try:
        import pyarrow
        from pyarrow import compute
    except ImportError:
        return None

    def texts(column: np.ndarray, spelling: Spelling) -> Any:
        cells = compute.cast(pyarrow.array(column), pyarrow.string())
        if column.dtype != np.float64:
            return cells
        size = abs(column)
        is_other = ~((size >= DECIMAL[0]) & (size < DECIMAL[1])) | (column == np.rint(column))
        others = _texts(column[is_other], spelling)
        return compute.replace_with_mask(cells, pyarrow.array(is_other), pyarrow.array(others, pyarrow.string()))

    def write(columns: Sequence[np.ndarray], between: Sequence[str], spelling: Spelling) -> bytes:
        cells = [texts(column, spelling) for column in columns]
        pieces = [piece for pair in zip(between, cells, strict=False) for piece in pair]
        whole = compute.binary_join_element_wise(*pieces, between[-1], "")
        _, ends, text = whole.buffers()
        return memoryview(text)[: int(np.frombuffer(ends, np.int32)[len(whole)])].tobytes()

    return write


def _csv_cell(text: str) -> str:
    cell = io.StringIO()
    csv.writer(cell, lineterminator="\n").writerow([text, ""])
    return cell.getvalue()[: -len(",\n")]


CSV = Spelling(_csv_cell, {})
JSON = Spelling(json.dumps, {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"})
