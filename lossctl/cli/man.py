"""`lossctl man`: the manual page, made from the texts of the help pages."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from ..language import registry
from ..language.options import settings
from ..version import __version__
from .app import COMMANDS, root, single
from .examples import EXAMPLES

EXIT_CODES = {
    "0": "done",
    "1": "a gate or a check failed",
    "2": "wrong usage",
    "3": "unusable data",
    "4": "cannot read or write",
    "5": "a device or a library is not there",
    "70": "a bug",
    "130, 141, 143": "interrupted, reader gone, terminated",
}


def command() -> Any:
    """The command."""
    return single(man, "man")


def man() -> None:
    """Print the manual page, as man reads it.

    To read it: lossctl man | man -l -; to keep it: lossctl man > ~/.local/share/man/man1/lossctl.1
    """
    print("\n".join(_page()))


def _page() -> Iterator[str]:
    """The lines of the page, in the macros of man(7)."""
    top = root()
    about, *more = _paragraphs(top.help)
    yield f'.TH LOSSCTL 1 "" "lossctl {__version__}" "User Commands"'
    yield from (".SH NAME", r"lossctl \- the loss calculator", ".SH SYNOPSIS", r"lossctl \fICOMMAND\fR [\fIOPTIONS\fR]")
    yield from (".SH DESCRIPTION", _text(about))
    for paragraph in more:
        yield from (".PP", _text(paragraph))
    yield ".SH COMMANDS"
    for name in COMMANDS:
        yield from _command(name, top.get_command(None, name))
    yield ".SH LOSSES"
    for loss in registry.walk():
        yield from (".TP", rf"\fB{_text(loss.name)}\fR", _text(loss.summary))
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES.items():
        yield from (".TP", rf"\fB{code}\fR", _text(meaning))


def _command(name: str, command: Any) -> Iterator[str]:
    yield from (f'.SS "lossctl {name}"', _text(COMMANDS[name]))
    for paragraph in _paragraphs(command.help)[1:]:
        yield from (".PP", _text(paragraph))
    for row in settings(name, "shell").values():
        names = ", ".join(part for part in (row.short, row.flag, *row.aliases) if part)
        value = rf" \fI{_text(row.metavar)}\fR" if row.metavar else ""
        yield from (".TP", rf"\fB{_text(names)}\fR{value}", _text(row.help))
    for line, what in EXAMPLES[name]:
        yield from (".PP", f"{_text(what[0].upper() + what[1:])}:", ".PP", ".nf", rf"    {_text(line)}", ".fi")


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(part.split()) for part in inspect.cleandoc(textwrap.dedent(text or "")).split("\n\n")]


def _text(text: str) -> str:
    """A text that man takes for nothing else."""
    plain = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{plain}" if plain[:1] in (".", "'") else plain
