"""Questions answered: the one place that knows both what is asked and how the library computes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import UsageError
from ..language.registry import SET, make
from ..results.values import Result
from ..rows.by_row import Rows
from ..rows.facts import Facts, verdict
from . import compute
from .question import Question
from .reading import Request
from .shared import Progress, Shared

if TYPE_CHECKING:
    from ..results.distributions import RowPicture
    from ..rows.hardest import Hardest
    from .question_of_sets import MiningQuestion, TripletQuestion


class Answer(NamedTuple):
    """A question whose files are open: nothing but headers has been read."""

    question: Question
    shared: Shared

    @property
    def rows(self) -> int | None:
        """How many rows there are to read, where that is known."""
        return self.shared.fields[0].frame.rows

    def results(self, *, data_hash: bool = False, progress: Progress = None) -> list[Result]:
        """The numbers, with their gates."""
        asked = self.question
        if asked.keep:
            results = compute.kept(self.shared, asked.keep, data_hash=data_hash)
        else:
            results = compute.results(self.shared, asked.confidence, data_hash=data_hash, progress=progress)
        if asked.align is not None:
            results = [_aligned_by(result, asked.align) for result in results]
        if asked.note:
            results = [replace(result, notes=(asked.note, *result.notes)) for result in results]
        if asked.bounds is None:
            return results
        from .gates import checked

        return checked(results, asked.bounds)

    def row_losses(self) -> Iterator[Rows]:
        """The (first) loss of every row that counts, block by block."""
        return compute.row_losses(self.shared)

    def top(self) -> Hardest:
        """The hardest rows."""
        assert self.question.top is not None
        return compute.top(self.shared, self.question.top)

    def picture(self) -> RowPicture:
        """What there is to see of the first loss row by row."""
        from .row_plots import row_picture

        return row_picture(self.shared)


@contextmanager
def opened(asked: Question) -> Iterator[Answer]:
    """Open what a question is about; the files close at the end of the with block."""
    places: dict[str, str] = {}
    if asked.align is not None:
        from .align import aligned

        asked, places = aligned(asked)
    with compute.prepared(losses_of(asked), reading=asked.reading, jobs=asked.jobs) as shared:
        yield Answer(asked, _told_from(shared, places) if places else shared)


def _told_from(shared: Shared, places: Mapping[str, str]) -> Shared:
    """The losses with the sources that were moved into order under their own names."""
    losses = tuple(
        loss._replace(sources=tuple((name, places.get(name, text)) for name, text in loss.sources))
        for loss in shared.losses
    )
    return replace(shared, losses=losses)


def _aligned_by(result: Result, column: str) -> Result:
    """The result with the column that matched its rows in the signature."""
    return replace(result, signature=result.signature.replace("|red:", f"|align:{column}|red:", 1))


def losses_of(asked: Question) -> list[Request]:
    """The losses of a question, as a shared reading takes them; its other losses have the inputs of the first.

    UsageError where one of the others has no such reduction.
    """
    first = asked.specs[0].loss
    reduction = None if asked.is_by_row and not asked.is_plain else asked.reduction
    common = None if reduction == first.reductions[0] else reduction
    losses = [Request(asked.specs[0], asked.forms[0], asked.inputs, asked.named, reduction, asked.weight, asked.side)]
    for spec, forms in zip(asked.specs[1:], asked.forms[1:], strict=True):
        if common is not None and common not in spec.loss.all_reductions:
            raise UsageError(f"{spec.loss.name} has no reduction {common!r}", fix="compute it in a call of its own")
        losses.append(Request(spec, forms, None, None, common, asked.weight, asked.side))
    return losses


def row_values(asked: Question) -> np.ndarray:
    """The loss of each row (list, anchor) that counts, (n,) float64; a row's weight multiplies its loss."""
    with opened(asked._replace(reduction="none")) as answer:
        facts, losses = Facts(), [np.empty(0)]
        for rows in answer.row_losses():
            facts = facts.merge(rows.facts)
            losses.append(rows.total)
        verdict(answer.shared.losses[0].plan, facts)
        return np.concatenate(losses)


# --- sets of embeddings


@contextmanager
def opened_set(asked: TripletQuestion | MiningQuestion) -> Iterator[Shared]:
    """Embeddings and labels, and ids where rows have some, open and bound to their roles."""
    loss = Request(make(SET), {}, asked.inputs, asked.named, side=asked.side)
    with compute.prepared([loss], reading=asked.reading, jobs=asked.jobs) as shared:
        yield shared
