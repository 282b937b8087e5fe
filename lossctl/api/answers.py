"""Questions answered: the one place that knows both what is asked and how the library computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import UsageError
from ..files.sources import digest
from ..language.registry import SET, make, of_triplets
from ..results.values import Result
from ..rows.by_row import Rows
from ..rows.facts import Facts, verdict
from . import compute
from .compute import Request
from .question import Question
from .reading import Given
from .shared import Progress, Shared

if TYPE_CHECKING:
    from ..results.comparisons import Comparison
    from ..results.distributions import RowPicture
    from ..rows.hardest import Hardest
    from ..rows.workers import Workers
    from ..sets.given import GivenTriplets
    from . import mine, triplets
    from .question_of_sets import MiningQuestion, TripletQuestion
    from .question_of_systems import ComparisonQuestion


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


def compared(asked: ComparisonQuestion, *, data_hash: bool = False, progress: Progress = None) -> list[Comparison]:
    """Each other system against the base, for each loss."""
    from . import compare

    systems = compare.Systems(
        asked.base,
        asked.others,
        asked.target,
        list(zip(asked.specs, asked.forms, strict=True)),
        asked.names,
        asked.reduction,
        asked.weight,
        asked.group,
        asked.cluster,
        asked.align,
        asked.seed_of,
    )
    comparisons = compare.compare(
        systems,
        confidence=asked.confidence,
        test=asked.test,
        margin=asked.margin,
        beside=asked.beside,
        holm=asked.holm,
        reading=asked.reading,
        jobs=asked.jobs,
        data_hash=data_hash,
        progress=progress,
    )
    comparisons = [_held(system, asked.fails_if) for system in comparisons]
    if asked.align is None:
        return comparisons
    mark = f"|align:{asked.align}|red:"
    return [replace(system, signature=system.signature.replace("|red:", mark, 1)) for system in comparisons]


def _held(system: Comparison, fails_if: str) -> Comparison:
    """The comparison, failed where the system is "worse", "harm" is not excluded, or neither can be told."""
    verdict, harm = system.verdict, system.harm
    what = ""
    if fails_if and verdict == "unknown":
        what = f"not comparable with {system.base}"
    elif fails_if == "worse" and verdict == "worse":
        what = f"worse than {system.base}"
    elif fails_if == "harm" and harm is not None and harm.verdict in ("not shown", "unknown"):
        what = f"not shown to be within {harm.text} of {system.base}"
    if not what:
        return system
    of = "" if system.group is None else f" in group {system.group}"
    return replace(system, failure=f"{system.loss}: {system.other} is {what}{of}")


# --- sets of embeddings


@contextmanager
def opened_set(asked: TripletQuestion | MiningQuestion) -> Iterator[Shared]:
    """Embeddings and labels, and ids where rows have some, open and bound to their roles."""
    loss = Request(make(SET), {}, asked.inputs, asked.named, side=asked.side)
    with compute.prepared([loss], reading=asked.reading, jobs=asked.jobs) as shared:
        yield shared


def report(
    asked: TripletQuestion, embeddings: Shared, *, data_hash: bool = False, progress: Progress = None
) -> triplets.Report:
    """The triplets of an open set by category, what is odd about it, and sampled batches if any."""
    workers = embeddings.workers(partial(_report, asked._replace(jobs=None)))
    return _report(asked, embeddings, workers, data_hash=data_hash, progress=progress)


def _report(
    asked: TripletQuestion, embeddings: Shared, workers: Workers, *, data_hash: bool = False, progress: Progress = None
) -> triplets.Report:
    from . import triplets

    opened = embeddings.losses[0]
    return triplets.report(
        opened,
        asked.margins,
        workers,
        by_class=asked.by_class,
        pairs=asked.pairs,
        batch=asked.batch,
        batches=asked.batches,
        seed=asked.seed,
        anchors=asked.anchors,
        level=asked.level,
        coarse=embeddings.rider("coarse"),
        fingerprint=digest(opened.fields) if data_hash else None,
        progress=progress,
    )


def given_triplets(asked: TripletQuestion, index: Given) -> tuple[GivenTriplets, ...]:
    """The categories of triplets that are given as rows of the embeddings, at each margin."""
    from . import triplets

    (emb,) = [*asked.inputs, *asked.named.values()]
    return triplets.given_triplets(emb, index, asked.margins, asked.reading)


def triplets_in_step(asked: TripletQuestion) -> tuple[GivenTriplets, ...]:
    """The categories of anchors, positives and negatives that are given row by row, at each margin."""
    from . import triplets

    loss = Request(make(of_triplets()), {}, asked.inputs, asked.named)
    with compute.prepared([loss], reading=asked.reading, jobs=asked.jobs) as shared:
        return triplets.triplets_in_step(shared.losses[0], asked.margins)


def mining_job(asked: MiningQuestion, embeddings: Shared) -> mine.MiningJob:
    """The triplets of an open set, embeddings to be mined, with a forecast of how many they are."""
    from . import mine

    plain = asked._replace(jobs=None, path=None)
    return mine.prepare(
        embeddings.losses[0],
        asked.strategy,
        dict(asked.options),
        embeddings.workers(partial(_blocks, plain)),
        thinning=asked.thinning,
        ids=embeddings.rider("id"),
        kind=asked.kind,
        path=asked.path,
        as_pairs=asked.as_pairs,
    )


def _blocks(asked: MiningQuestion, embeddings: Shared, workers: Workers) -> Any:
    from . import mine

    points = mine.points_of(embeddings.losses[0])[1]
    limit = asked.thinning.limit
    options = dict(asked.options)
    return [*mine.blocks(points, asked.strategy, options, workers, limit=limit, as_pairs=asked.as_pairs)]


def write_mined(
    asked: MiningQuestion,
    job: mine.MiningJob,
    inputs: Sequence[str],
    progress: Progress = None,
    foretell: Callable[[float], None] | None = None,
) -> mine.Summary:
    """Mine to the file of the question, which is whole at the end or not there."""
    from . import mine

    assert asked.path is not None
    return mine.write(job, asked.path, inputs, progress=progress, foretell=foretell)
