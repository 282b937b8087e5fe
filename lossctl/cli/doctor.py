"""`lossctl doctor`: the machine and the libraries, as lossctl sees them."""

from __future__ import annotations

from typing import Any

from . import output
from .app import single


def command() -> Any:
    """The command."""
    return single(doctor, "doctor")


def doctor(
    format: output.SheetFormat = None,
    json: output.Json = False,
    out: output.Output = None,
    color: output.Colour = "auto",
) -> None:
    """The machine and the libraries, as lossctl sees them."""
    from ..bench.machine import examine
    from ..show.environment import as_json, sheet

    style = output.style(format, json, out, False, False, color)
    found = examine()
    with output.destination(style) as writer:
        if style.format == "json":
            writer.write(as_json(found))
        else:
            writer.write(output.sheet_text(sheet(found), output.many_format(style)))
