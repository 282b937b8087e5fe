"""`lossctl explain LOSS`: the page of one loss."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..language import registry
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
    """One loss: its formula, when it misleads, its options, an example, and where libraries differ."""
    from ..show import losses as show
    from ..show.pages.unavailable import UNAVAILABLE

    style = output.style(None, json, out, False, False, color)
    with output.destination(style) as writer:
        name = loss.strip().lower().replace("_", "-").replace(" ", "-")
        if name in UNAVAILABLE:
            make = show.unavailable_json if style.format == "json" else show.unavailable_page
            writer.write(make(name, UNAVAILABLE[name]))
            return
        found = registry.find(loss)
        writer.write(show.page_json(found) if style.format == "json" else show.page(found))
