"""`lossctl parity LOSS SRC...`: what each known library would print on this data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..language.options import COMPUTE, LOSSES, PARITY, settings
from ..language.registry import Loss, find
from . import compute, options, output
from .app import group


class LossesInLibraries(compute.Losses):
    """The losses as commands, each with the inputs, the options and the way of reading that `compute` has."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        loss = find(cmd_name)
        return loss_command(loss, PARITY, lambda values: parity(loss, values), f"What libraries print for {loss.name}.")


def command() -> Any:
    """The group."""

    def losses() -> None:
        """What each known library would print on this data, what it does otherwise, and the options that do it.

        A row of the table is a library that was run against it, or read, as it says. See also: lossctl reconcile
        """

    return group(LossesInLibraries, "parity", losses, no_args_is_help=True, subcommand_metavar="LOSS [OPTIONS] SRC...")


def loss_command(loss: Loss, name: str, run: Any, help: str) -> Any:
    """The command of a loss that takes its inputs, its options, how they are read, and the options of that name."""
    reading = {key for key, row in settings(COMPUTE, "shell").items() if set(row.commands) >= set(LOSSES[:2])}
    reading = (reading | {"index", "distances"}) - {"like"}
    kept = [
        parameter
        for parameter in compute.parameters(loss)
        if parameter[0] in reading or parameter[0] not in settings(COMPUTE, "shell")
    ]
    command = options.command_of(run, loss.name, [*kept, *options.parameters(name)], help=help)
    command.loss = loss
    return command


def parity(loss: Loss, values: Mapping[str, Any]) -> None:
    """Compute the rows of the table, and write them."""
    from ..api import parity
    from ..show import choices as show

    style = output.style_of(values)
    asked = compute.question(loss, values, style)
    form = next(iter(asked.forms[0].values()), "")

    def ask(library: str | None) -> Any:
        return compute.question(loss, options.Typed({**values, "like": library}, values.by_hand), style)  # type: ignore[attr-defined]

    sources = [*asked.inputs, *asked.named.values()]
    output.refuse_stdin([*sources, asked.weight], "parity reads its input once for each library")
    with output.destination(style, sources) as writer:
        answer = parity.parity(loss, form, ask)
        if style.format == "json":
            writer.write(show.parity_json(answer))
        else:
            sheet = show.parity_sheet(answer.values, values["digits"])
            writer.write(output.sheet_text(sheet, output.many_format(style)))
    output.warn(style, answer.warnings)
