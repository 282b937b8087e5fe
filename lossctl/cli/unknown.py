"""An option that a command does not know: what is meant by it, or who knows it."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError
from ..language import options, synonyms
from ..language.registry import Loss
from ..text import shown


def unknown_option(fault: Any) -> UsageError:
    """The error for an option that the command of a fault of typer does not know."""
    flag, context = fault.option_name, fault.ctx
    path = context.command_path if context else "lossctl"
    loss: Loss | None = getattr(context and context.command, "loss", None)
    rows = [row for row in options.OPTIONS if flag in (row.flag, row.short) and "shell" in row.ways]
    if loss is not None:
        for row in rows:
            if options.COMPUTE in row.commands and not row.suits(loss):
                return UsageError(f"{loss.name} takes no {flag}", why=row.why, fix=f"leave {flag} out")
        known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
        fix = f"{synonyms.fix(flag, loss, known, _flag)}; all options: {path} --help"
        return UsageError(f"No such option: {shown(flag)}", fix=fix)
    known = [name for parameter in (context.command.params if context else ()) for name in parameter.opts]
    if name := synonyms.meant(flag, (name.removeprefix("--") for name in known if name.startswith("--"))):
        return UsageError(f"No such option: {shown(flag)}", fix=f"use {_flag(name)}; all options: {path} --help")
    near = _near(flag, fault.possibilities or ())
    owners = ", ".join(dict.fromkeys(command for row in rows for command in row.commands))
    return UsageError(
        f"No such option: {shown(flag)}{near}",
        why=f"it is an option of {owners}" if owners and not near else "",
        fix=f"see: {path} --help",
    )


def without_value(fault: Any) -> UsageError:
    """The error for an option without its value."""
    flag = fault.option_name
    rows = [row for row in options.OPTIONS if flag in (row.flag, row.short) and "shell" in row.ways]
    row = next((row for row in rows if row.told), rows[0] if rows else None)
    value = f"{flag} {row.metavar or 'VALUE'}: {row.told or row.help.rstrip('.')}" if row else f"{flag} VALUE"
    return UsageError(fault.format_message().rstrip("."), fix=f"give it one: {value}")


def _near(flag: str, known: list[str] | tuple[str, ...]) -> str:
    """The options that are spelled alike; dashes, which all have, do not count."""
    from difflib import get_close_matches

    near = get_close_matches(flag.lstrip("-"), [name.lstrip("-") for name in known])
    return f" (Possible options: {', '.join(map(_flag, near))})" if near else ""


def _flag(name: str) -> str:
    return f"--{name.removeprefix('--')}"
