"""Rows of the table of options as options of a command, and a function of values as a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Annotated, Any

import typer

from ..language import options
from ..language.setting import Setting
from .app import single

TYPES = {"flag": bool, "number": float, "whole": int, "texts": list[str], "sources": list[str], "outputs": list[str]}
Parameter = tuple[str, Any, Any]  # name, annotation, default


class Typed(dict[str, Any]):
    """The values of a command, and which of them were typed, at their default or not."""

    def __init__(self, values: Mapping[str, Any], by_hand: frozenset[str]) -> None:
        super().__init__(values)
        self.by_hand = by_hand


def option(row: Setting, **changes: Any) -> Any:
    """The annotation of one row. changes: what is otherwise on this page: metavar, help, hidden"""
    kind: Any = TYPES.get(row.kind, str)
    names = [*([row.short] if row.short else []), row.flag, *row.aliases]
    more: dict[str, Any] = {"metavar": row.metavar or None, "help": row.help, "show_default": row.shows_default}
    if row.shows_bounds:
        more |= {name: bound for name, bound in (("min", row.low), ("max", row.high)) if abs(bound) != float("inf")}
    is_optional = not row.is_required and kind is not bool
    return Annotated[kind | None if is_optional else kind, typer.Option(*names, **(more | changes))]


def parameter(row: Setting, command: str, **changes: Any) -> Parameter:
    """One row as a parameter of a command."""
    default = inspect.Parameter.empty if row.is_required else row.default_of(command)
    return row.key, option(row, **changes), default


def parameters(command: str) -> list[Parameter]:
    """All that a command takes, in the order of its help page."""
    return [parameter(row, command) for row in options.settings(command, "shell").values()]


def signature(parameters: Iterable[Parameter]) -> inspect.Signature:
    """What typer reads off a function."""
    return inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for name, annotation, default in parameters
        ]
    )


def command(
    run: Callable[[Mapping[str, Any]], None], name: str, arguments: Sequence[Parameter] = (), help: str = ""
) -> Any:
    """A function of values (`Setting.key` -> value) as the command of that name, its arguments before its options.

    The docstring is the help page above the options.
    """
    return command_of(run, name, [*arguments, *parameters(name)], help=help or inspect.cleandoc(run.__doc__ or ""))


def command_of(
    run: Callable[[Mapping[str, Any]], None], name: str, parameters: Sequence[Parameter], **settings: Any
) -> Any:
    """A function of values as a command of these parameters."""

    def called(context: typer.Context, **values: Any) -> None:
        by_hand = {key for key in values if str(context.get_parameter_source(key)).endswith("COMMANDLINE")}
        run(Typed(values, by_hand=frozenset(by_hand)))

    of_context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    shape = signature(parameters)
    called.__signature__ = shape.replace(parameters=[of_context, *shape.parameters.values()])  # type: ignore[attr-defined]
    called.__annotations__ = {"context": typer.Context} | {name: annotation for name, annotation, _ in parameters}
    return single(called, name, **settings)


def unlisted(annotation: Any) -> Any:
    """An option that is refused with a reason, so that it is on no help page."""
    info = copy(annotation.__metadata__[0])
    info.hidden = True
    return Annotated[annotation.__origin__, info]


def names(annotation: Any) -> tuple[str, ...]:
    """The names of an option; in an annotation typer holds the first of them as the default."""
    info = annotation.__metadata__[0]
    return () if info.param_decls is None else (info.default, *info.param_decls)


def takes_value(annotation: Any) -> bool:
    """Whether the option is followed by a value."""
    return annotation.__origin__ is not bool
