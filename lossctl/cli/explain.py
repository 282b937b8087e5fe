"""`lossctl explain LOSS`: the page of one loss."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from typing import Annotated, Any

import typer

from ..language import registry
from . import options, output

LOSS = Annotated[str, typer.Argument(metavar="LOSS", help="The name of a loss, or an alias.")]


def command() -> Any:
    """The command."""
    return options.command(explain, "explain", [("loss", LOSS, Parameter.empty)])


def explain(values: Mapping[str, Any]) -> None:
    """One loss: its formula, when it misleads, its options, an example, and where libraries differ."""
    from ..language.pointers import pointer
    from ..show import losses as show

    style = output.style_of(values)
    width = min(output.width(), show.WIDTH)
    with output.destination(style) as writer:
        name = values["loss"].strip().lower().replace("_", "-").replace(" ", "-")
        known = None if name in registry.names() else pointer(name)
        if known is not None:
            is_json = style.format == "json"
            writer.write(show.pointer_json(name, known) if is_json else show.pointer_page(name, known, width))
            return
        loss = registry.find(values["loss"])
        writer.write(show.page_json(loss) if style.format == "json" else show.page(loss, width))
