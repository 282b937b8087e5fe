"""`lossctl list`: all losses, by family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..language import registry
from . import options, output


def command() -> Any:
    """The command."""
    return options.command(losses, "list")


def losses(values: Mapping[str, Any]) -> None:
    """All losses, by family."""
    family = values["family"]
    if family is not None and family not in registry.FAMILIES:
        raise UsageError(f"unknown family {family!r}", fix=f"use one of {', '.join(registry.FAMILIES)}")
    style = output.style_of(values)
    if values["names"]:
        output.alone("names", "names are printed bare, a line each", values, "list", ("family",))
    chosen = [loss for loss in registry.walk() if family in (None, loss.family)]
    with output.destination(style) as writer:
        if values["names"]:
            writer.write("".join(f"{loss.name}\n" for loss in chosen))
            return
        from ..show import losses as show

        if style.format == "json":
            writer.write(show.list_json(chosen))
        elif output.many_format(style) == "table":
            writer.write("".join(output.sheet_text(sheet, "table").lstrip("\n") for sheet in show.by_family(chosen)))
            more = "formula, inputs and options of one: lossctl explain LOSS; of all: lossctl list -f tsv"
            writer.write("\n".join(output.lines(more)) + "\n")
        else:
            writer.write(output.sheet_text(show.list_sheet(chosen), output.many_format(style)))
