"""The environment as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ..bench.machine import Finding
from ..results.document import document
from .sheet import Sheet


def sheet(findings: Sequence[Finding]) -> Sheet:
    """One row a finding."""
    rows = tuple((item.what, item.value, item.status) for item in findings)
    return Sheet(("what", "value", "status"), rows, prose=frozenset({"value", "status"}))


def as_json(findings: Sequence[Finding]) -> str:
    """One document."""
    return document("doctor", [asdict(item) for item in findings])
