"""The environment as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ..bench.machine import Finding
from ..text import json_text
from ..version import __version__
from .sheet import Sheet


def sheet(findings: Sequence[Finding]) -> Sheet:
    """One row a finding."""
    rows = tuple((item.what, item.value, item.status) for item in findings)
    return Sheet(("what", "value", "status"), rows, prose=frozenset({"value", "status"}))


def as_json(findings: Sequence[Finding]) -> str:
    """One document."""
    document = {
        "schema": "lossctl/1",
        "version": __version__,
        "command": "doctor",
        "findings": [asdict(item) for item in findings],
    }
    return json_text(document, indent=2) + "\n"
