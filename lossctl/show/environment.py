"""The environment as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..text import json_text
from ..version import __version__
from .sheet import Sheet

if TYPE_CHECKING:
    from ..bench.machine import Finding


def sheet(found: Sequence[Finding]) -> Sheet:
    """One row a finding."""
    return Sheet(("what", "value", "status"), tuple((item.what, item.value, item.status) for item in found))


def as_json(found: Sequence[Finding]) -> str:
    """One document."""
    document = {
        "schema": "lossctl/1",
        "version": __version__,
        "command": "doctor",
        "findings": [asdict(item) for item in found],
    }
    return json_text(document, indent=2) + "\n"
