"""Which losses fit some sources: those whose inputs are found there, and whose first rows pass the door."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from ..errors import DataError, FileError, LossctlError
from ..files.dialect import NEEDS, PLAIN, Dialect
from ..files.opening import public
from ..files.sources import opened_once, parse_source
from ..language import registry
from ..language.registry import Loss
from ..results.suggestions import Suggestion, Suggestions
from ..rows import checks
from .compute import forms_of, prepared
from .reading import Given, Reading, Request


def suggest(*inputs: Given, dialect: Dialect = PLAIN) -> Suggestions:
    """The losses that can be computed from sources, as `compute` takes them.

    A loss fits where all of its inputs are found and their first block holds values that it allows: rows further on
    may still be refused. Where none fits and no column of the one file is called like an input, the likeliest columns
    are taken, and a doubt says so. DataError where none fits, FileError.
    """
    write = _of_shell if all(isinstance(source, str | PathLike) for source in inputs) else _of_python
    with opened_once():
        suggestions, faults = _tried(registry.walk(), lambda loss: next(_fits(loss, inputs, {}, dialect, write)))
        doubts = [f"{fault.what}; {fault.fix}" for fault in faults.values() if _is_of_reading(fault)]
        if not suggestions and len(inputs) == 1:
            likely = {
                name: fault.likely for name, fault in faults.items() if isinstance(fault, DataError) and fault.likely
            }
            guessed = map(registry.find, likely)
            suggestions, _ = _tried(guessed, lambda loss: next(_fits(loss, inputs, likely[loss.name], dialect, write)))
            doubts += [GUESSED] * bool(suggestions)
    if not suggestions:
        if len({id(fault) for fault in faults.values()}) == 1:
            raise faults["mse"]  # of the file, whatever the loss
        raise DataError(
            f"no loss fits {', '.join(map(_source, inputs))}",
            why=f"mse, for one: {faults['mse'].what}",
            fix="name the columns as inputs are named (lossctl list), or give them one by one: lossctl compute --help",
        )
    return Suggestions(tuple(suggestions), tuple(dict.fromkeys(doubts)))


GUESSED = "no columns are called as inputs are: the likeliest are named, and may not be what is meant"


def _tried(
    losses: Iterable[Loss], fit: Callable[[Loss], Suggestion]
) -> tuple[list[Suggestion], dict[str, LossctlError]]:
    """The losses that fit, and by name what the others are refused for. FileError."""
    suggestions: list[Suggestion] = []
    faults: dict[str, LossctlError] = {}
    for loss in losses:
        try:
            suggestions.append(fit(loss))
        except FileError:
            raise
        except LossctlError as fault:
            faults[loss.name] = fault
    return suggestions, faults


def _is_of_reading(fault: LossctlError) -> bool:
    """Whether another way to read the sources mends it."""
    return any(fault.fix.startswith(f"add --{name} ") for name in NEEDS)


Write = Callable[[Loss, Sequence[Given], Mapping[str, str], Dialect, bool], str]
# loss, inputs, columns by role, dialect, of logits -> a command


def _told(dialect: Dialect) -> dict[str, Any]:
    return {name: getattr(dialect, name) for name in NEEDS if getattr(dialect, name) != getattr(PLAIN, name)}


def _of_shell(
    loss: Loss, inputs: Sequence[Given], columns: Mapping[str, str], dialect: Dialect, is_of_logits: bool
) -> str:
    words = ["lossctl", "compute", loss.name, *(public(fspath(source)) for source in inputs)]
    for role in (role for role in loss.roles if role.name in columns):
        words += [f"--{role.option}", public(_place(inputs, columns[role.name]))]
    for name, value in _told(dialect).items():
        words += [f"--{name}", {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)]
    return shlex.join([*words, *["--from-logits"] * is_of_logits])


def _of_python(
    loss: Loss, inputs: Sequence[Given], columns: Mapping[str, str], dialect: Dialect, is_of_logits: bool
) -> str:
    words = [repr(loss.name), *map(_source, inputs)]
    words += [
        f"{role.name}={public(_place(inputs, columns[role.name]))!r}" for role in loss.roles if role.name in columns
    ]
    words += [f"{name}={value!r}" for name, value in _told(dialect).items()]
    return f"lossctl.compute({', '.join([*words, *['from_logits=True'] * is_of_logits])})"


def _place(inputs: Sequence[Given], selector: str) -> str:
    """Columns of the first source."""
    return f"{parse_source(fspath(inputs[0])).path}::{selector}"


def _source(source: Given) -> str:
    """As Python writes it."""
    if isinstance(source, str):
        return repr(public(source))
    if isinstance(source, PathLike):
        return f"Path({fspath(source)!r})"
    if isinstance(source, list | tuple) and any(isinstance(path, PathLike) for path in source):
        return f"({', '.join(map(_source, source))},)"
    return "ARRAY"


def _fits(
    loss: Loss, inputs: tuple[Given, ...], columns: Mapping[str, str], dialect: Dialect, write: Write
) -> Iterator[Suggestion]:
    """The suggestion of one loss: of predictions as they are, or of logits. LossctlError where it does not fit."""
    try:
        yield _suggestion(loss, inputs, columns, dialect, write, is_of_logits=False)
    except DataError:
        if not any("logits" in role.forms for role in loss.roles):
            raise
        yield _suggestion(loss, inputs, columns, dialect, write, is_of_logits=True)


def _suggestion(
    loss: Loss,
    inputs: tuple[Given, ...],
    columns: Mapping[str, str],
    dialect: Dialect,
    write: Write,
    is_of_logits: bool,
) -> Suggestion:
    named = {name: _place(inputs, selector) for name, selector in columns.items()}
    request = Request(registry.make(loss), forms_of(loss, from_logits=is_of_logits), inputs, named)
    with prepared([request], reading=Reading(dialect=dialect), jobs=1) as shared:
        (job,) = shared.jobs
        block = next(iter(shared.read()), None)
        if block is None:
            raise DataError("no rows", fix="check the file")
        arrays = block.load()
        checks.admit(job.plan, job.arrange(tuple(arrays[place] for place in job.picks)), block.start)
        notes = shared.losses[0].notes
    command = write(loss, inputs, columns, dialect, is_of_logits)
    return Suggestion(loss.name, loss.family, "; ".join(notes), command, loss.summary)
