"""Which losses fit some sources: those whose inputs are found there, and whose first rows pass the door."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from os import PathLike, fspath

from ..errors import DataError, FileError, LossctlError
from ..language import registry
from ..language.registry import Loss
from ..results.suggestions import Suggestion
from ..rows import checks
from .compute import Request, forms_of, prepared
from .reading import Given, Reading


def suggest(*inputs: Given, header: bool | None = None, delimiter: str | None = None) -> tuple[Suggestion, ...]:
    """The losses that can be computed from sources, as `compute` takes them, in the order of the families.

    A loss fits where all of its inputs are found and their first block holds values that it allows: rows further on
    may still be refused. DataError where none fits, FileError.
    """
    reading = Reading(header=header, delimiter=delimiter)
    write = _of_shell if all(isinstance(source, str | PathLike) for source in inputs) else _of_python
    suggestions, reasons = [], {}
    for loss in registry.walk():
        try:
            suggestions.append(next(_fits(loss, inputs, reading, write)))
        except FileError:
            raise
        except LossctlError as fault:
            reasons[loss.name] = fault.what
    if not suggestions:
        raise DataError(
            f"no loss fits {', '.join(map(_source, inputs))}",
            why=f"mse, for one: {reasons['mse']}",
            fix="name the columns as inputs are named (lossctl list), or give them one by one: lossctl compute --help",
        )
    return tuple(suggestions)


Write = Callable[[str, Sequence[Given], Reading, bool], str]  # loss, inputs, reading, of logits -> a command


def _of_shell(loss: str, inputs: Sequence[Given], reading: Reading, is_of_logits: bool) -> str:
    words = ["lossctl", "compute", loss, *map(fspath, inputs)]
    words += [] if reading.header is None else ["--header", "yes" if reading.header else "no"]
    words += [] if reading.delimiter is None else ["--delimiter", reading.delimiter]
    return shlex.join([*words, *["--from-logits"] * is_of_logits])


def _of_python(loss: str, inputs: Sequence[Given], reading: Reading, is_of_logits: bool) -> str:
    words = [repr(loss), *map(_source, inputs)]
    words += [] if reading.header is None else [f"header={reading.header}"]
    words += [] if reading.delimiter is None else [f"delimiter={reading.delimiter!r}"]
    return f"lossctl.compute({', '.join([*words, *['from_logits=True'] * is_of_logits])})"


def _source(source: Given) -> str:
    """As Python writes it."""
    if isinstance(source, str):
        return repr(source)
    if isinstance(source, PathLike):
        return f"Path({fspath(source)!r})"
    if isinstance(source, list | tuple) and any(isinstance(path, PathLike) for path in source):
        return f"({', '.join(map(_source, source))},)"
    return "ARRAY"


def _fits(loss: Loss, inputs: tuple[Given, ...], reading: Reading, write: Write) -> Iterator[Suggestion]:
    """The suggestion of one loss: of predictions as they are, or of logits. LossctlError where it does not fit."""
    try:
        yield _suggestion(loss, inputs, reading, write, is_of_logits=False)
    except DataError:
        if not any("logits" in role.forms for role in loss.roles):
            raise
        yield _suggestion(loss, inputs, reading, write, is_of_logits=True)


def _suggestion(
    loss: Loss, inputs: tuple[Given, ...], reading: Reading, write: Write, is_of_logits: bool
) -> Suggestion:
    request = Request(registry.make(loss), forms_of(loss, from_logits=is_of_logits), inputs)
    with prepared([request], reading=reading, jobs=1) as shared:
        (job,) = shared.jobs
        block = next(iter(shared.read()), None)
        if block is None:
            raise DataError("no rows", fix="check the file")
        arrays = block.load()
        checks.admit(job.plan, job.arrange(tuple(arrays[place] for place in job.picks)), block.start)
        notes = shared.losses[0].notes
    command = write(loss.name, inputs, reading, is_of_logits)
    return Suggestion(loss.name, loss.family, "; ".join(notes), command, loss.summary)
