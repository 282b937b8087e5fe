"""`lossctl reconcile LOSS SRC... --value V`: which choices give the number that you have."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from typing import Any

from ..errors import LossctlError, UsageError
from ..language.options import COMPUTE, RECONCILE, setting, settings
from ..language.registry import BY_NAME, Loss, find, names, parse, walk
from . import compute, options, output
from .app import group
from .parity import loss_command


class LossesTried(compute.Losses):
    """The losses as commands, and `all`, which tries every loss that fits the inputs."""

    def list_commands(self, ctx: Any) -> list[str]:
        return ["all", *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name == "all":
            sources = ("sources", compute.Sources, None)
            flag = options.parameter(setting("from_logits", COMPUTE), COMPUTE)
            parameters = [sources, flag, *options.parameters(RECONCILE)]
            return options.command_of(reconcile_all, "all", parameters, help="Try every loss that fits the inputs.")
        loss = find(cmd_name)
        return loss_command(loss, RECONCILE, lambda values: reconcile(loss, values), f"Choices of {loss.name}.")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        names()
        is_loss = args[0].strip().lower().replace("_", "-") in BY_NAME
        is_source = any(mark in args[0] for mark in (".", "/", "::")) or args[0] == "-"
        return super().resolve_command(ctx, args if is_loss or not is_source else ["all", *args])


def command() -> Any:
    """The group."""

    def losses() -> None:
        """Which choices give the number that you have: reductions, options, clips, and what libraries do.

        Without a loss, all losses that fit the inputs are tried. The best explanation stands first: what a library
        does, then the fewest choices changed. Give the number with all its digits.
        """

    return group(
        LossesTried, RECONCILE, losses, no_args_is_help=True, subcommand_metavar="[LOSS] [OPTIONS] SRC... --value V"
    )


def reconcile(loss: Loss, values: Mapping[str, Any]) -> None:
    """The choices of one loss."""
    style = output.style_of(values)
    question = compute.question(loss, _without_also(values), style)
    if not loss.engine.is_by_row:
        sources = [*question.inputs, *question.named.values()]
        output.refuse_stdin(sources, f"{loss.name} reads its input once for each combination")
    _write([(loss, question)], values, style)


def _without_also(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options without the second loss, which is no loss to be printed beside."""
    return options.Typed({**values, "also": None}, getattr(values, "by_hand", frozenset()))


def reconcile_all(values: Mapping[str, Any]) -> None:
    """The choices of every loss that the inputs fit."""
    from ..api import answers

    style = output.style_of(values)
    output.refuse_stdin(values["sources"], "each loss reads its input")
    asked = []
    for loss in walk():
        full = {f"option_{option.name}": None for option in loss.all_options}
        full |= {f"role_{role.name}": None for role in loss.roles} | dict(values)
        try:
            question = compute.question(loss, _without_also(full), style)
            with answers.opened(question) as answer:
                answer.results()
            asked.append((loss, question))
        except LossctlError:
            continue
    if not asked:
        raise UsageError("no loss fits these inputs", fix="name the loss: lossctl reconcile LOSS SRC... --value V")
    _write(asked, values, style)


def _write(asked: list[tuple[Loss, Any]], values: Mapping[str, Any], style: output.Style) -> None:
    from ..api import reconcile
    from ..show import choices as show

    if style.format not in (None, "table", "json"):
        raise UsageError(f"reconcile has no format {style.format!r}", fix="use -f table or -f json")
    sources = [*asked[0][1].inputs, *asked[0][1].named.values()]
    by_hand: frozenset[str] = getattr(values, "by_hand", frozenset())
    if style.format == "json" and "most" in by_hand:
        raise UsageError("--most with json", why="programs read it: it holds every answer", fix="leave --most out")
    fixed = {key.removeprefix("option_"): True for key in by_hand}
    with output.destination(style, sources) as writer:
        answer = reconcile.reconcile(
            [(question, fixed) for _, question in asked],
            values["value"],
            solve=values["solve"],
            narrow=_narrow(values, asked[0][1], fixed),
        )
        if style.format == "json":
            writer.write(show.reconcile_json(answer))
        else:
            inputs = _given(asked[0][0], values, by_hand)
            text = show.reconcile_text(
                answer, inputs, values["most"], solve=values["solve"], width=max(output.width(), 40)
            )
            writer.write(text)
    output.warn(style, answer.warnings)


def _narrow(values: Mapping[str, Any], question: Any, by_hand: Collection[str]) -> Any:
    """The second number and what it is of, None where there is none. UsageError."""
    from ..api import reconcile

    text, sources, also = values["value2"], values["src2"], values["also"]
    if text is None and not sources and also is None:
        return None
    if text is None:
        flag = "--also" if also is not None else "--src2"
        raise UsageError(f"{flag} without --value2", fix=f"give the number that it has: --value2 V {flag} ...")
    number = reconcile.number_of(text)
    if also is not None:
        if sources:
            raise UsageError("--also beside --src2", why="one number narrows at a time", fix="leave one of them out")
        inputs = [*question.inputs, *question.named.values()]
        output.refuse_stdin(inputs, "what gives the second number is tried on it too")
        return reconcile.other_loss(number, question, parse(also), by_hand)
    if not sources:
        raise UsageError(
            "--value2 alone",
            why="a second number narrows the choice where it is known what it is of",
            fix="for other data add --src2 SRC, for another loss of the same data --also LOSS",
        )
    output.refuse_stdin(sources, "what gives the first number is tried on it, choice by choice")
    for key in ("weight", "index", "distances"):
        if key in by_hand:
            raise UsageError(
                f"--{key} beside --value2",
                why="it is of the first data, and nothing says what it is for the second",
                fix="ask for the two numbers apart, without --value2",
            )
    return reconcile.OtherData(number, tuple(sources))


def _given(loss: Loss, values: Mapping[str, Any], by_hand: Collection[str]) -> str:
    """What was set by hand beside the options of the loss, and the sources, as a command line has them."""
    words: list[str] = []
    for role in loss.roles:
        for key, flag in ((f"role_{role.name}", f"--{role.option}"), (f"form_{role.name}", f"--{role.option}-form")):
            words += [flag, str(values[key])] if values.get(key) is not None else []
    for key, row in settings(COMPUTE, "shell").items():
        if key in by_hand and key not in settings(RECONCILE, "shell"):
            many = values[key] if row.kind in ("texts", "sources") else [values[key]]
            words += [word for value in many for word in ([row.flag] if value is True else [row.flag, str(value)])]
    return shlex.join([*words, *values["sources"]])
