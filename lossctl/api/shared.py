"""Several losses that are read together, and how each engine scores their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..files.sources import Block, Field, block_rows, blocks, digest, held, place_of
from ..language.engines import COUNTS, LISTS, ROWS, SETS, VIEWS, WHOLE, Engine
from ..language.numerics import FEW_COLUMNS
from ..resampling import survey
from ..rows import by_row
from ..rows.job import Job
from ..rows.workers import Workers
from .prepare import Prepared

if TYPE_CHECKING:
    from ..files.drawer import Place
    from ..rows.at_once import WholeScores
    from .parts import Parts

Progress = Callable[..., None] | None


@dataclass(eq=False)
class Shared:
    """Several losses that are read together.

    losses: each as it would be computed alone;  fields, kinds: what is read, each column once
    jobs: how each loss finds its columns;  ride: places of the columns that ride along
    sides: for each loss, side column ("id", "group", "cluster", "seed", "coarse", "list") -> where it stands in `ride`
    bins: of each loss's group column
    answers: of what is read whole, what one reading gave, for the questions that follow; () before
    parts: who scores the rows, if not this process
    """

    losses: tuple[Prepared, ...]
    fields: tuple[Field, ...]
    kinds: tuple[str, ...]
    jobs: tuple[Job, ...]
    ride: tuple[int, ...]
    sides: tuple[dict[str, int], ...]
    bins: tuple[int | None, ...]
    answers: tuple[WholeScores, ...] = ()
    parts: Parts | None = None

    @property
    def threads(self) -> int:
        return self.losses[0].jobs

    @property
    def engine(self) -> Engine:
        """How all of the losses meet their input."""
        return self.losses[0].plan.spec.loss.engine

    @property
    def scorer(self) -> Scorer:
        """How that engine computes."""
        return SCORERS[self.engine]()

    def rider(self, name: str) -> Field | None:
        """The column of the first loss that rides along as `name`."""
        place = self.sides[0].get(name)
        return None if place is None else self.fields[self.ride[place]]

    @property
    def block_rows(self) -> int:
        """How many rows a block has."""
        is_wide = sum(field.width for field in self.fields) > FEW_COLUMNS
        return block_rows(self.fields, by_row.BLOCK_VALUES << is_wide)  # few rows: calls are what takes time

    def read(self, only: tuple[int, ...] | None = None, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """The blocks, of all columns or of some. start, stop: of some rows, from the beginning of a block on"""
        chosen = range(len(self.fields)) if only is None else only
        fields, kinds = [self.fields[at] for at in chosen], [self.kinds[at] for at in chosen]
        walk = blocks(fields, kinds, self.block_rows, start, stop)
        return held(walk, fields) if self.engine.reads_whole else walk

    def score(self, fold: Callable[[tuple[Any, ...]], Any], progress: Progress = None) -> Iterator[Any]:
        """fold(what each loss gives of some rows), block by block, in order."""
        if self.parts and not self.engine.is_blockwise:
            yield from self.parts.score(self, fold)
            return
        if not self.engine.reads_whole:
            yield from self.scorer.blocks(self.jobs, self.ride, self.read, self.threads, fold)
            return
        if not self.answers:
            from ..rows import at_once

            workers = [self.workers(partial(whole_scores, at)) for at in range(len(self.jobs))]
            self.answers = at_once.answers(
                self.scorer.blocks, self.jobs, self.ride, self.read, self.place, workers, progress
            )
        yield fold(tuple(answer.scored for answer in self.answers))

    @property
    def place(self) -> Place:
        """Where all rows are kept, if they are read whole. FileError where they do not fit anywhere."""
        if not self.engine.is_blockwise:
            return place_of(self.fields)
        first, *others = (loss.place for loss in self.losses)
        return first._replace(is_file=first.is_file or any(place.is_file for place in others))

    def digest(self, at: int) -> str:
        """The hash of what a loss reads."""
        fields = self.losses[at].fields
        return self.parts.digest(self, at) if self.parts and not self.engine.reads_whole else digest(fields)

    def workers(self, ask: Callable[[Shared, Workers], Any]) -> Workers:
        """Who compares blocks of units with all others in `ask`, which asks anew wherever there are others."""
        return self.parts.crew(self, ask) if self.parts else self.threads

    def score_rows(self, fold: Callable[[tuple[by_row.Scored, ...]], Any]) -> Iterator[Any]:
        """The same, where every row (list, anchor) has a loss of its own. UsageError where it has none."""
        for loss in self.losses:
            by_row.refuse_rows(loss.plan.spec.loss)
        return self.score(fold)

    @property
    def computed(self) -> tuple[Prepared, ...]:
        """The losses, each with what computed it, once that is known."""
        if not self.answers:
            return self.losses
        return tuple(
            loss._replace(backend=answer.backend) for loss, answer in zip(self.losses, self.answers, strict=True)
        )


def whole_scores(at: int, shared: Shared, workers: Workers) -> tuple[WholeScores, ...]:
    """What one of the losses gives of all rows, where these are read whole."""
    from ..rows import at_once

    return at_once.answers(
        shared.scorer.blocks, shared.jobs[at : at + 1], shared.ride, shared.read, shared.place, [workers]
    )


class Scorer(NamedTuple):
    """How an engine computes.

    blocks: scores blocks of rows; all of them at once, a `rows.at_once.Engine`, where it reads them whole
    piece: what is known of some of the rows that were scored
    most_of_bca: how many sums a piece may have for a BCa interval, None for any number
    """

    blocks: Callable[..., Any]
    piece: survey.Weigh
    most_of_bca: int | None = None


def _of_lists() -> Scorer:
    from ..rows import by_list

    return Scorer(by_list.score_blocks, survey.slice_of)


def _of_counts() -> Scorer:
    from ..resampling import by_count

    return Scorer(by_count.count_blocks, by_count.tally_of, 2 * by_count.MOST_CELLS)


def _of_sets() -> Scorer:
    from ..sets import by_anchor

    return Scorer(by_anchor.answer, survey.slice_of)


def _of_views() -> Scorer:
    from ..sets import by_view

    return Scorer(by_view.answer, survey.slice_of)


def _of_whole() -> Scorer:
    from ..rows import by_whole

    return Scorer(by_whole.answer, by_whole.part_of)


SCORERS: dict[Engine, Callable[[], Scorer]] = {
    ROWS: lambda: Scorer(by_row.score_blocks, survey.slice_of),
    LISTS: _of_lists,
    COUNTS: _of_counts,
    SETS: _of_sets,
    VIEWS: _of_views,
    WHOLE: _of_whole,
}
