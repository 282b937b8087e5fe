"""`lossctl info SRC...`: what is in a file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from . import output
from .app import single


def command() -> Any:
    """The command."""
    return single(info, "info")


def info(
    sources: Annotated[list[str], typer.Argument(metavar="SRC...", help="Files, or PATH::COLUMN; - is stdin.")],
    header: Annotated[
        str, typer.Option("--header", metavar="auto|yes|no", help="Whether a CSV names its columns.")
    ] = "auto",
    format: output.SheetFormat = None,
    json: output.Json = False,
    out: output.Output = None,
    color: output.Colour = "auto",
) -> None:
    """What is in a file: columns, types, ranges."""
    from ..errors import UsageError
    from ..files.summary import summaries
    from ..show import info as show

    if header not in ("auto", "yes", "no"):
        raise UsageError(f"--header cannot be {header!r}", fix="use auto, yes or no")
    style = output.style(format, json, out, False, False, color)
    found = [
        summary for source in sources for summary in summaries(source, {"auto": None, "yes": True, "no": False}[header])
    ]
    with output.destination(style, sources) as writer:
        if style.format == "json":
            writer.write(show.as_json(found))
        else:
            writer.write(output.sheet_text(show.sheet(found), output.many_format(style)))
