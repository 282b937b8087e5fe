"""`lossctl schema [COMMAND]`: the JSON schema of what --json prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..text import did_you_mean
from . import options, output

COMMAND = Annotated[
    str | None, typer.Argument(metavar="[COMMAND]", show_default=False, help="Of one command; of all unless given.")
]


def command() -> Any:
    """The command."""
    return options.command(schema, "schema", [("of", COMMAND, None)])


def schema(values: Mapping[str, Any]) -> None:
    """The JSON schema of what --json prints, of one command or of all. That of suites: lossctl run --schema."""
    import json

    from ..results.schema import COMMANDS
    from ..results.schema import schema as schema_of

    name = values["of"]
    if name is not None and name not in COMMANDS:
        guess = did_you_mean(name, COMMANDS)
        raise UsageError(f"{name!r} prints no JSON of its own{guess}", fix=f"choose one of {', '.join(COMMANDS)}")
    with output.destination(output.style_of(values)) as writer:
        writer.write(json.dumps(schema_of(name), indent=2) + "\n")
