"""Summaries of files as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..files.summary import Summary, Vectors
from ..results.document import document
from ..text import shown
from .sheet import Sheet

COLUMNS = ("file", "what", "type", "rows", "columns", "min", "mean", "max", "nan", "inf", "values")


def sheet(summaries: Sequence[Summary]) -> Sheet:
    """One row a column."""
    rows = tuple(
        (
            shown(item.path),
            item.name,
            item.dtype,
            _rows(item),
            str(item.columns),
            *("" if value is None else f"{value:.6g}" for value in (item.low, item.mean, item.high)),
            str(item.missing),
            str(item.infinite),
            "; ".join(filter(None, (shown(item.values), _words(item.vectors)))),
        )
        for item in summaries
    )
    numeric = frozenset({"rows", "columns", "min", "mean", "max", "nan", "inf"})
    return Sheet(
        COLUMNS, rows, numeric, prose=frozenset({"values"}), spare=("values", "columns", "inf", "type", "nan", "mean")
    )


def _rows(item: Summary) -> str:
    if item.part is None:
        return str(item.rows)
    return f"first {item.rows}" + ("" if item.part.of is None else f" of {item.part.of}")


def _words(vectors: Vectors | None) -> str:
    """Lengths of rows, and what is odd about them."""
    if vectors is None:
        return ""
    counts = ((vectors.duplicates, "duplicate rows"), (vectors.constant, "columns of one value"))
    odd = "".join(f", {count} {what}" for count, what in counts if count)
    odd += ", equal rows not counted" if vectors.duplicates is None else ""
    return f"lengths {vectors.shortest:.6g} to {vectors.longest:.6g}{odd}"


def as_json(summaries: Sequence[Summary]) -> str:
    """One document."""
    return document("info", [_record(item) for item in summaries])


def _record(item: Summary) -> dict[str, Any]:
    cells = (item.path, item.name, item.dtype, item.rows, item.columns, item.low, item.mean, item.high)
    record = dict(zip(COLUMNS, (*cells, item.missing, item.infinite, item.values), strict=True))
    if item.part is not None:
        record |= {"first_of": item.part.of}
    return record if item.vectors is None else {**record, "vectors": item.vectors._asdict()}
