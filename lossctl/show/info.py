"""Summaries of files as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ..files.summary import Summary
from ..text import json_text, shown
from ..version import __version__
from .sheet import Sheet


def sheet(summaries: Sequence[Summary]) -> Sheet:
    """One row a column."""
    columns = ("file", "what", "type", "rows", "columns", "min", "mean", "max", "nan", "inf", "values")
    rows = tuple(
        (
            shown(item.path),
            item.name,
            item.dtype,
            str(item.rows),
            str(item.columns),
            *("" if value is None else f"{value:.6g}" for value in (item.low, item.mean, item.high)),
            str(item.missing),
            str(item.infinite),
            shown(item.values),
        )
        for item in summaries
    )
    numeric = frozenset({"rows", "columns", "min", "mean", "max", "nan", "inf"})
    return Sheet(
        columns, rows, numeric, prose=frozenset({"values"}), spare=("values", "columns", "inf", "type", "nan", "mean")
    )


def as_json(summaries: Sequence[Summary]) -> str:
    """One document."""
    document = {
        "schema": "lossctl/1",
        "version": __version__,
        "command": "info",
        "columns": [asdict(item) for item in summaries],
    }
    return json_text(document, indent=2) + "\n"
