"""The one shape of every JSON that is printed: what asked, what came out, what looks wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..text import json_text
from ..version import __version__

SCHEMA = "lossctl/1"


def document(
    command: str, results: Sequence[Any], warnings: Sequence[str] = (), *, indent: int | None = 2, **facts: Any
) -> str:
    """{"schema", "version", "command", facts, "results", "warnings"} as text; facts: of the call as a whole"""
    body = {
        "schema": SCHEMA,
        "version": __version__,
        "command": command,
        **facts,
        "results": list(results),
        "warnings": list(warnings),
    }
    return json_text(body, indent=indent) + "\n"
