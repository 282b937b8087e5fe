"""`lossctl list`: all losses, by family."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..language import registry
from . import output
from .app import single


def command() -> Any:
    """The command."""
    return single(losses, "list")


def losses(
    family: Annotated[str | None, typer.Option("--family", metavar="NAME", help="One family only.")] = None,
    names: Annotated[bool, typer.Option("--names", help="The names alone, a line each.")] = False,
    format: output.SheetFormat = None,
    json: output.Json = False,
    out: output.Output = None,
    color: output.Colour = "auto",
) -> None:
    """All losses, by family."""
    if family is not None and family not in registry.FAMILIES:
        raise UsageError(f"unknown family {family!r}", fix=f"use one of {', '.join(registry.FAMILIES)}")
    style = output.style(format, json, out, False, False, color)
    chosen = [loss for loss in registry.walk() if family in (None, loss.family)]
    with output.destination(style) as writer:
        if names:
            writer.write("".join(f"{loss.name}\n" for loss in chosen))
        elif style.format == "json":
            from ..show import losses as show

            writer.write(show.list_json(chosen))
        else:
            from ..show import losses as show

            writer.write(output.sheet_text(show.list_sheet(chosen), output.many_format(style)))
