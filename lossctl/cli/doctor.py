"""`lossctl doctor`: the machine and the libraries, as lossctl sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import options, output


def command() -> Any:
    """The command."""
    return options.command(doctor, "doctor")


def doctor(values: Mapping[str, Any]) -> None:
    """The machine and the libraries, as lossctl sees them."""
    from ..bench.machine import examine
    from ..show.environment import as_json, sheet

    style = output.style_of(values)
    machine = examine()
    with output.destination(style) as writer:
        if style.format == "json":
            writer.write(as_json(machine))
        else:
            writer.write(output.sheet_text(sheet(machine), output.many_format(style)))
