"""Suggestions as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ..results.suggestions import Suggestion
from ..text import json_text
from ..version import __version__
from .sheet import Sheet


def sheet(suggestions: Sequence[Suggestion]) -> Sheet:
    """One row a loss."""
    rows = tuple((item.loss, item.family, item.command, item.summary) for item in suggestions)
    return Sheet(("loss", "family", "command", "what it is"), rows, prose=frozenset({"what it is"}))


def as_json(suggestions: Sequence[Suggestion]) -> str:
    """One document."""
    document = {
        "schema": "lossctl/1",
        "version": __version__,
        "command": "suggest",
        "losses": [asdict(item) for item in suggestions],
    }
    return json_text(document, indent=2) + "\n"
