"""Which losses fit some sources: those whose inputs are found there, and whose first rows pass the door."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

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
    words = [shlex.quote(source) if isinstance(source, str) else "ARRAY" for source in inputs]
    suggestions, reasons = [], {}
    for loss in registry.walk():
        try:
            suggestions.append(next(_fits(loss, inputs, words, reading)))
        except FileError:
            raise
        except LossctlError as fault:
            reasons[loss.name] = fault.what
    if not suggestions:
        raise DataError(
            f"no loss fits {', '.join(words)}",
            why=f"mse, for one: {reasons['mse']}",
            fix="name the columns as inputs are named (lossctl list), or give them one by one: lossctl compute --help",
        )
    return tuple(suggestions)


def _fits(loss: Loss, inputs: tuple[Given, ...], words: list[str], reading: Reading) -> Iterator[Suggestion]:
    """The suggestion of one loss: of predictions as they are, or of logits. LossctlError where it does not fit."""
    try:
        yield _suggestion(loss, inputs, words, reading, is_of_logits=False)
    except DataError:
        if not any("logits" in role.forms for role in loss.roles):
            raise
        yield _suggestion(loss, inputs, words, reading, is_of_logits=True)


def _suggestion(
    loss: Loss, inputs: tuple[Given, ...], words: list[str], reading: Reading, is_of_logits: bool
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
    command = " ".join(["lossctl compute", loss.name, *words, *["--from-logits"] * is_of_logits])
    return Suggestion(loss.name, loss.family, "; ".join(notes), command, loss.summary)
