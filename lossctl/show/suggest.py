"""Suggestions as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ..results.document import document
from ..results.suggestions import Suggestion, Suggestions
from .sheet import Sheet


def sheet(suggestions: Sequence[Suggestion]) -> Sheet:
    """One row a loss."""
    rows = tuple((item.loss, item.family, item.command, item.summary) for item in suggestions)
    return Sheet(("loss", "family", "command", "summary"), rows, prose=frozenset({"summary"}))


def as_json(suggestions: Suggestions) -> str:
    """One document."""
    return document("suggest", [asdict(item) for item in suggestions.fits], suggestions.doubts)
