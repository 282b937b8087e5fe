"""`lossctl suggest SRC...`: which losses fit a file."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from typing import Annotated, Any

import typer

from . import options, output

SOURCES = Annotated[list[str], typer.Argument(metavar="SRC...", help="Files as compute takes them, or PATH::COLUMN.")]


def command() -> Any:
    """The command."""
    return options.command(suggest, "suggest", [("sources", SOURCES, Parameter.empty)])


def suggest(values: Mapping[str, Any]) -> None:
    """Which losses can be computed from a file, by its columns and values, with the commands."""
    from ..api.suggest import suggest as losses_for
    from ..files.dialect import HEADERS, dialect_of
    from ..show import suggest as show

    output.check("--header", values["header"], tuple(HEADERS))
    style = output.style_of(values)
    with output.progress(style):
        suggestions = losses_for(*values["sources"], dialect=dialect_of(values))
    with output.destination(style, values["sources"]) as writer:
        if style.format == "json":
            writer.write(show.as_json(suggestions))
        else:
            writer.write(output.sheet_text(show.sheet(suggestions.fits), output.many_format(style)))
    output.warn(style, suggestions.doubts)
