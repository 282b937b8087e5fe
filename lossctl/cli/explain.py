"""`lossctl explain LOSS`: the page of one loss."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .. import registry
from . import output
from .app import single


def command() -> Any:
    """The command."""
    return single(explain, "explain")


def explain(
    loss: Annotated[str, typer.Argument(metavar="LOSS", help="The name of a loss, or an alias.")],
    json: output.Json = False,
    out: output.Output = None,
    color: output.Colour = "auto",
) -> None:
    """One loss: its formula, its options, and where libraries differ."""
    from ..show import losses as show
    from ..unavailable import UNAVAILABLE

    style = output.style(None, json, out, False, False, color)
    with output.destination(style) as writer:
        reason = UNAVAILABLE.get(loss.lower().replace("_", "-"))
        if reason:
            writer.write(f"{loss}: {reason}\n")
            return
        found = registry.find(loss)
        writer.write(show.page_json(found) if style.format == "json" else show.page(found))
