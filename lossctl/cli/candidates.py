"""What TAB offers: the words that may stand where the cursor is, from the same tables as the help pages."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import LossctlError
from ..language import options as table
from ..language import registry
from .app import COMMANDS, root

FILES = ":files:"  # the shell adds the names of files
SOURCES = ("SRC", "EMB", "BASE", "OTHER", "SUITE", "FILE")
WORD = re.compile(r"[a-z][a-z0-9:-]*")


def candidates(line: str) -> list[str]:
    """Whole words for the last word of a command line up to the cursor; FILES among them where files may stand."""
    *before, current = _words(line)
    try:
        offered = _offered(before[1:], current)
    except (LossctlError, OSError, ValueError):
        return []
    return [word for word in dict.fromkeys(offered) if word == FILES or word.startswith(current)]


def _words(line: str) -> list[str]:
    """The words of a shell, the last one as far as it is typed."""
    for closing in ("", '"', "'"):
        try:
            words = shlex.split(line + closing)
            break
        except ValueError:
            continue
    else:
        words = line.split()
    return [*words, ""] if not line or line[-1].isspace() else words


def _offered(before: Sequence[str], current: str) -> Iterable[str]:
    if not before:
        return [*COMMANDS, "--help", "--version"]
    name, *rest = before
    command = root().get_command(None, name) if name in COMMANDS else None
    if command is None:
        return []
    loss = None
    if hasattr(command, "list_commands"):  # a group: a loss comes first
        at = next((k for k, word in enumerate(rest) if not word.startswith("-")), None)
        if at is None:
            return ["--help"] if current.startswith("-") else _losses(current, command.list_commands(None))
        loss, rest = registry.parse(rest[at]).loss if rest[at] != "all" else None, rest[at + 1 :]
        command = command.get_command(None, loss.name if loss else "all")
    flag, equals, value = current.partition("=")
    if flag.startswith("--") and equals:
        return [f"{flag}={word}" for word in _values(_param(command, flag), name, rest, value) if word != FILES]
    taking = _param(command, before[-1]) if before[-1].startswith("-") else None
    if taking is not None and not taking.is_flag:
        return _values(taking, name, rest, current)
    if current.startswith("-") and current != "-":
        return _flags(command)
    return _argument(command, name, rest, current)


def _param(command: Any, flag: str) -> Any:
    return next((param for param in command.params if flag in param.opts and hasattr(param, "is_flag")), None)


def _flags(command: Any) -> list[str]:
    shown = [param for param in command.params if hasattr(param, "is_flag") and not param.hidden]
    return [*(name for param in shown for name in param.opts if name.startswith("--")), "--help"]


def _values(param: Any, command: str, rest: Sequence[str], current: str) -> Iterable[str]:
    """What an option may be set to."""
    if param is None:
        return []
    metavar, key = param.metavar or "", param.name
    row = table.settings(command, "shell").get(key)
    if key in ("also", "loss") and metavar == "SPEC":
        return _losses(current, _names())
    if key == "like":
        from ..language.libraries import presets

        return [f"{row.library}/{row.variant}" if row.variant else row.library for row in presets()]
    if key == "family":
        return registry.FAMILIES
    if key == "sweep":
        return [f"{option.flag}=" for word in rest if not word.startswith("-") for option in _options(word)]
    if (row is not None and row.kind in ("source", "sources", "bins", "inputs")) or metavar == "SRC":
        return _sources(current, rest)
    if row is not None and row.words and "|" not in metavar:
        return row.words
    words = [word for word in re.split(r"[|,]", re.sub(r"\(.*\)", "", metavar)) if WORD.fullmatch(word)]
    is_path = row is not None and row.kind in ("file", "output", "outputs")
    return [*words, *([FILES] if is_path else [])]


def _argument(command: Any, name: str, rest: Sequence[str], current: str) -> Iterable[str]:
    """What may stand without an option: the arguments of a command are few, and their names tell."""
    metavars = [param.metavar or "" for param in command.params if not hasattr(param, "is_flag")]
    first = metavars[0] if metavars else ""
    if first.startswith("LOSS"):
        return _losses(current, _names())
    if first == "STRATEGY" and not [word for word in rest if word in table.STRATEGIES]:
        return table.STRATEGIES
    if first == "[COMMAND]":
        return [] if rest else [*COMMANDS]
    if first == "[KERNEL...]":
        from ..kernels import KERNELS

        return KERNELS
    if "|" in first:
        return [] if rest else first.split("|")
    if any(word in text for text in metavars for word in SOURCES):
        return _sources(current, [])
    return []


def _names() -> list[str]:
    from ..language.pointers import POINTERS

    return [*registry.names(), *POINTERS]


def _options(spec: str) -> Sequence[Any]:
    try:
        return registry.parse(spec).loss.all_options
    except LossctlError:
        return []


def _losses(current: str, names: Iterable[str]) -> list[str]:
    """Names of losses; behind a colon the options of one, and behind the last = their words."""
    if ":" not in current:
        return list(names)
    name, _, rest = current.partition(":")
    *done, last = rest.split(",")
    lead = f"{name}:" + "".join(f"{part}," for part in done)
    flag, equals, _ = last.partition("=")
    known = registry.find(name).all_options
    if not equals:
        return [f"{lead}{option.flag}=" for option in known]
    words = [("true", "false") if option.domain.kind is bool else option.domain.words for option in known
             if option.flag == flag]  # fmt: skip
    return [f"{lead}{flag}={word}" for group in words for word in group]


def _sources(current: str, rest: Sequence[str]) -> list[str]:
    """Files; behind `FILE::` its keys and columns; beside a file its columns by their bare names."""
    path, mark, _ = current.partition("::")
    if mark:
        return [f"{path}::{name}" for name in _columns(path)]
    homes = [word.partition("::")[0] for word in rest if not word.startswith("-")]
    home = next((word for word in homes if os.path.isfile(word)), None)
    return [*(_columns(home) if home else []), FILES]


def _columns(path: str) -> list[str]:
    from ..files.dialect import Dialect
    from ..files.sources import open_source

    if not os.path.isfile(path):
        return []
    with open_source(path, Dialect(allow_missing=True)) as frame:
        return list(frame.names or ())
