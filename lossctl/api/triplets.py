"""The triplets of a labelled embedding set, as `lossctl triplets` prints them and as notebooks call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from ..errors import DataError, UsageError
from ..files import drawer
from ..files.binding import Desk
from ..files.naming import holds_triplets
from ..files.sources import digest
from ..results.notebook import Tabled
from ..rows.facts import Facts
from ..sets.by_anchor import EmbeddingSet, Progress, read_set
from .bound import categories_of, read_all
from .pairing import has_pairs

if TYPE_CHECKING:
    from ..files.sources import Field
    from ..results.breakdown import AtMargin, Batches, Breakdown, Categories, Diagnosis, ShareConfidence
    from ..rows.workers import Workers
    from ..sets.given import GivenTriplets
    from .prepare import Prepared
    from .question_of_sets import TripletQuestion
    from .reading import Given, Reading
    from .shared import Shared


@dataclass(frozen=True, repr=False)
class Report(Tabled):
    """The breakdown of the whole set, what is odd about it, sampled batches if any, and how many rows are left out.

    `breakdown.margins[0].categories` has easy, semi_hard and hard at the first margin.
    """

    breakdown: Breakdown
    diagnosis: Diagnosis
    batches: Batches | None
    sources: tuple[tuple[str, str], ...]
    note: str
    fingerprint: str | None
    left_out: int = 0
    marks: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    confidence: ShareConfidence | None = None

    def __repr__(self) -> str:
        """A line: the shares at each margin."""
        shares = [
            f"margin {at.margin:g}: " + ", ".join(f"{name} {share:.4g}" for name, share in _shares(at.categories))
            for at in self.breakdown.margins
        ]
        certified = "" if self.breakdown.certified else "; not certified"
        sample = self.breakdown.sample
        of = f"estimate from {sample.anchors} of {sample.of} anchors: " if sample else ""
        return f"<{of}triplets of {self.breakdown.anchors.points} points; {'; '.join(shares)}{certified}>"

    def records(self) -> list[dict[str, Any]]:
        """A row for each margin, then for each coarse side and each class at each margin: counts, and their shares."""
        rows: list[dict[str, Any]] = []
        retrieval = asdict(self.breakdown.retrieval)
        for at in self.breakdown.margins:
            more = {"batch_all": at.batch_all_mean_active, "batch_hard": at.batch_hard}
            rows.append({"class": None, "margin": at.margin} | _counts(at.categories) | more | retrieval | _ends(at))
            if self.breakdown.sample:
                sample = self.breakdown.sample
                rows[-1] |= {"estimate": True, "sample_anchors": sample.anchors, "sample_of": sample.of}
        none = dict.fromkeys(("batch_all", "batch_hard", *retrieval))
        for side in self.breakdown.coarse:
            for at, of in zip(self.breakdown.margins, side.categories, strict=True):
                rows.append({"class": None, "coarse": side.negatives, "margin": at.margin} | _counts(of) | none)
        for group in self.breakdown.classes:
            for at, of in zip(self.breakdown.margins, group.categories, strict=True):
                rows.append({"class": str(group.label), "margin": at.margin} | _counts(of) | none)
        return rows


def _shares(categories: Categories) -> Iterator[tuple[str, float]]:
    return zip(("easy", "semi_hard", "hard"), categories.shares, strict=True)


def _ends(at: AtMargin) -> dict[str, Any]:
    names = ("easy", "semi_hard", "hard")
    ends = zip(names, at.intervals, strict=False)
    return {f"{name}_{side}": getattr(end, side) for name, end in ends for side in ("low", "high")}


def _counts(categories: Categories) -> dict[str, Any]:
    counts = {"triplets": categories.triplets, "easy": categories.easy, "semi_hard": categories.semi_hard}
    return counts | {"hard": categories.hard} | {f"{name}_share": share for name, share in _shares(categories)}


def report(
    asked: TripletQuestion,
    opened: Shared,
    *,
    data_hash: bool = False,
    with_distances: bool = True,
    progress: Progress | None = None,
) -> Report:
    """The breakdown of an open set, what is odd about it, and sampled batches (on the CPU) if any are asked for.

    with_distances: with the means and histograms of all distances, which cost as much again as the counts

    Where anchors are sampled, intervals of the shares are about all of them; else about new points.
    """
    if asked.batch is not None and has_pairs(asked.reading):
        raise UsageError(
            "sampled batches of two sets, or of rows kept apart",
            why="a batch is drawn from one set, and everyone in it pairs with everyone",
            fix="leave --batch out",
        )
    asks = partial(_report, asked._replace(jobs=None), with_distances=with_distances)
    return _report(asked, opened, opened.workers(asks), with_distances, data_hash=data_hash, progress=progress)


def _report(
    asked: TripletQuestion,
    shared: Shared,
    workers: Workers,
    with_distances: bool,
    *,
    data_hash: bool = False,
    progress: Any = None,
) -> Report:
    from ..sets.diagnosis import Appearance, both_sets, diagnose, remarks, surely_spread
    from ..sets.triplets import breakdown, with_coarse

    opened, coarse, anchors, level = shared.losses[0], shared.rider("coarse"), asked.anchors, asked.level
    embeddings, reading = read_set(opened.plan, opened.inputs(), opened.place), opened.reading
    kinds = np.zeros(0)
    if coarse is not None:
        embeddings, kinds = _with_coarse_classes(coarse, embeddings)
    settings: dict[str, Any] = {"margins": asked.margins, "metric": reading.metric, "normalize": reading.normalize}
    count: Callable[..., Breakdown] = partial(breakdown, who=opened.pairs)
    if reading.device != "cpu":
        from ..sets.device.triplets import breakdown_on

        count = partial(breakdown_on, reading.device)
    counts_alone: Callable[..., Breakdown] = partial(count, bins=0)
    how: dict[str, Any] = {"threads": workers, **settings}
    bounded, notes = None, opened.notes
    if anchors is not None or level is not None:
        from . import shares
    if anchors is not None:
        bounded = shares.of_sample(
            embeddings, anchors, asked.seed, level or shares.LEVEL, progress, who=opened.pairs, **how
        )
        notes += () if bounded else ("there are no more anchors than that: all are counted",)
    if bounded:
        counts = bounded.breakdown
    else:
        how |= {"by_class": asked.by_class, "pairs": asked.pairs, "progress": progress}
        counts = (count if with_distances else counts_alone)(embeddings.emb, embeddings.label, **how)
    emb, label = both_sets(embeddings.emb, embeddings.label, opened.pairs)  # of as many columns, or nothing was counted
    if not bounded and len(counts.edges) == 1 and not surely_spread(emb, counts):
        counts = count(embeddings.emb, embeddings.label, **how | {"threads": opened.jobs})
    if level is not None and anchors is None:
        bounded = shares.of_points(
            counts, embeddings, asked.seed, level, partial(counts_alone, threads=opened.jobs, **settings)
        )
        counts = bounded.breakdown
    marks = opened.marks
    if coarse is not None:
        some = partial(counts_alone, threads=opened.jobs, **settings)
        counts = with_coarse(counts, embeddings.emb, embeddings.label, kinds, some, opened.pairs)
        marks += (f"coarse:{quote(coarse.name)}",)
        notes += (f"negatives are told by {coarse.name}, the coarse class",)
        if level is not None:
            notes += ("the intervals are of all; --coarse-negatives near, or far, has those of one side",)
    sample = None
    if asked.batch is not None:
        settings |= {"batches": asked.batches, "seed": asked.seed}
        from ..sets.batches import sampled

        classes, rows = asked.batch
        sample = sampled(embeddings.emb, embeddings.label, classes=classes, rows=rows, **settings)
    seen = Appearance(emb)
    diagnosis = diagnose(seen, label, counts)
    odd = remarks(seen, label, opened.pairs, reading.normalize or reading.metric == "cosine")
    return Report(
        counts,
        diagnosis,
        sample,
        opened.sources,
        "; ".join(notes),
        digest(opened.fields) if data_hash else None,
        embeddings.facts.skipped,
        marks,
        (*opened.warnings, *odd, *(bounded.remarks if bounded else ())),
        bounded.confidence if bounded else None,
    )


def _with_coarse_classes(field: Field, embeddings: EmbeddingSet) -> tuple[EmbeddingSet, np.ndarray]:
    """The rows of a set that have a coarse class, and these, (N,). DataError where there is not a cell for each row."""
    cells = categories_of(field)
    rows = len(embeddings.numbers) + embeddings.facts.skipped
    if len(cells) != rows:
        raise DataError(
            f"{field.name}: {len(cells)} coarse labels for {rows} embeddings",
            fix="give one for each row of the embeddings, in their order",
        )
    cells = cells[embeddings.numbers]
    is_there = np.array([cell is not None for cell in cells.tolist()], bool)
    if not is_there.all():
        emb, label, numbers, facts = embeddings
        kept, count = np.flatnonzero(is_there), int((~is_there).sum())
        embeddings = EmbeddingSet(
            drawer.taken(emb, kept), label[kept], numbers[kept], facts.merge(Facts(skipped=count))
        )
        cells = cells[kept]
    return embeddings, cells if cells.dtype.kind in "iu" else cells.astype(str)


def is_of_triplets(sources: Sequence[Given], reading: Reading) -> bool:
    """Whether sources hold anchors, positives and negatives in step, not a labelled set."""
    if len(sources) != 1:
        return len(sources) == 3
    with Desk(reading.dialect) as desk:
        frame, selector = desk.frame(sources[0], "input")
        return selector is None and holds_triplets(frame)


def triplets_in_step(asked: TripletQuestion) -> tuple[GivenTriplets, ...]:
    """The certified categories of anchors, positives and negatives that are given row by row, at each margin."""
    from ..language.registry import make, of_triplets
    from . import compute
    from .reading import Request

    loss = Request(make(of_triplets()), {}, asked.inputs, asked.named)
    with compute.prepared([loss], reading=asked.reading, jobs=asked.jobs) as shared:
        return _in_step(shared.losses[0], asked.margins)


def _in_step(opened: Prepared, margins: Sequence[float]) -> tuple[GivenTriplets, ...]:
    from ..rows import checks
    from ..sets.given import categorize

    plan, reading = opened.plan, opened.reading
    blocks = [checks.admit(plan, block.load(), block.start).inputs for block in opened.inputs()]
    points = [np.concatenate(side) for side in zip(*blocks, strict=True)]
    count = len(points[0])
    rows = np.arange(count)[:, None] + count * np.arange(3)
    how: dict[str, Any] = {"metric": reading.metric, "normalize": reading.normalize}
    try:
        return categorize(np.concatenate(points), [rows.astype(np.float64)], margins, **how)
    except DataError as fault:
        if fault.row is not None:
            side, row = divmod(fault.row, count)
            fault.place_at(plan.entries[side].column.frame.where(row))
        raise


def given_triplets(asked: TripletQuestion, index: Given) -> tuple[GivenTriplets, ...]:
    """The certified categories of triplets that are given as rows of the embeddings, at each margin."""
    from ..files.binding import index_of
    from ..files.sources import blocks
    from ..language.roles import POINTS
    from ..sets.given import categorize

    (emb,) = [*asked.inputs, *asked.named.values()]
    reading = asked.reading
    with Desk(reading.dialect) as desk:
        source = desk.field(emb, POINTS)
        desk.rows.append(source.frame.where)
        triplets = index_of(desk, index)
        desk.refuse_idle(reading.told)
        points = read_all(source)
        parts = (block.load()[0] for block in blocks([triplets], ["number"], 1 << 14))
        return categorize(
            points.reshape(len(points), -1),
            parts,
            asked.margins,
            metric=reading.metric,
            normalize=reading.normalize,
            path=triplets.frame.path,
        )
