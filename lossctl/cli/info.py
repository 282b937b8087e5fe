"""`lossctl info SRC...`: what is in a file."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from typing import Annotated, Any

import typer

from . import options, output

SOURCES = Annotated[list[str], typer.Argument(metavar="SRC...", help="Files, or PATH::COLUMN; - is stdin.")]


def command() -> Any:
    """The command."""
    return options.command(info, "info", [("sources", SOURCES, Parameter.empty)])


def info(values: Mapping[str, Any]) -> None:
    """What is in a file: columns, types, ranges."""
    from ..files.dialect import HEADERS, dialect_of
    from ..files.summary import summaries
    from ..show import info as show

    output.check("--header", values["header"], tuple(HEADERS))
    style, dialect = output.style_of(values), dialect_of(values)

    def tell(text: str) -> None:
        output.warn(style, [text])

    with output.progress(style):
        columns = [
            column for source in values["sources"] for column in summaries(source, dialect, values["first"], tell)
        ]
    with output.destination(style, values["sources"]) as writer:
        if style.format == "json":
            writer.write(show.as_json(columns))
        else:
            writer.write(output.sheet_text(show.sheet(columns), output.many_format(style)))
