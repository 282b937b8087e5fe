"""The triplets of a whole embedding set by category: easy, semi-hard and hard, at each margin, with all that
`lossctl triplets` tells of it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files import drawer
from ..results.breakdown import (
    Anchors,
    AnchorSample,
    AtMargin,
    Breakdown,
    Categories,
    ClassPair,
    ClassShare,
    CoarseShare,
    Distances,
    Retrieval,
)
from ..rows.job import PLAIN, Pairing
from ..rows.sums import count, total
from ..rows.workers import Workers, mapped
from ..text import shown
from .counting import Census, Counts, DistanceSums, count_panel, joined
from .pairing import coded, marks_of
from .panels import MEMORY_BYTES, Panel, default_threads, fold
from .points import Points, sort_points
from .ties import Judges, equal_rows, make_judge

BINS = 40
SAMPLE = 1 << 14  # pairs that set the range of the histogram; of very wide points fewer, and of few points
A_POINT = 8  # the same, for each of the points
LEAST_SAMPLE, SAMPLED_VALUES = 1 << 8, 1 << 28
MASKED = 1 << 9  # the same, where positives are no slices
SAMPLING = 1 << 62  # sets what draws anchors apart from what draws batches
FIELDS = ("easy", "semi_hard", "hard", "hard_ties", "margin_ties")
Progress = Callable[[int, int], None]


def breakdown(
    embeddings: np.ndarray,
    labels: Any,
    *,
    margins: Sequence[float] = (1.0,),
    metric: str = "euclidean",
    normalize: bool = False,
    by_class: bool = False,
    pairs: int = 0,
    bins: int = BINS,
    block: int | None = None,
    threads: Workers | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
    who: Pairing = PLAIN,
) -> Breakdown:
    """All triplets of (N, D) embeddings with N labels, by category, at each margin.

    margins: in units of the distance, >= 0; each is decided as the float64 it is
    by_class: also by class of the anchor; pairs: also the so many class pairs with the most hard triplets
    bins: of the histograms of distances; where it is 0, no distance but those of triplets is measured
    block, threads, memory_bytes, progress: as in panels.fold; they do not change a proven count
    who: who may pair with whom

    Raises DataError for unusable embeddings or labels, UsageError for an unknown metric or a bad margin.
    """
    embeddings, labels = np.asarray(embeddings), np.asarray(labels)
    census = prepare(
        embeddings,
        labels,
        margins=margins,
        metric=metric,
        normalize=normalize,
        with_pairs=pairs > 0,
        bins=bins,
        who=who,
    )
    margins = [float(margin) for margin in margins]
    counted = list(
        fold(
            census.points,
            lambda panel: count_panel(census, panel, is_whole=True),
            block=block,
            threads=threads,
            memory_bytes=memory_bytes,
            progress=progress,
        )
    )
    return report(census, counted, margins, by_class, pairs)


def with_coarse(
    counted: Breakdown,
    embeddings: np.ndarray,
    labels: np.ndarray,
    coarse: np.ndarray,
    count: Callable[[np.ndarray, np.ndarray], Breakdown],
    who: Pairing = PLAIN,
) -> Breakdown:
    """A breakdown of one set, told also by whether the negative is of the anchor's coarse class.

    coarse: (N,) the coarse class of each row; a class lies in one of them, so that positives share it
    count: the breakdown of some rows, with the settings of `counted`

    Triplets within one coarse class are those of its rows alone; all others have a negative of another.
    Raises DataError for a class in two coarse classes; noise may lie in any.
    """
    marks = marks_of(labels, who)
    _, codes = np.unique(coarse, return_inverse=True)
    _check_nested(marks.classes[~marks.is_noise], codes[~marks.is_noise], marks.names, coarse[~marks.is_noise])
    order = np.argsort(codes, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    kept = [rows for rows in groups if len(np.unique(marks.classes[rows])) > 1]
    parts = [count(drawer.taken(embeddings, rows), labels[rows]) for rows in kept]
    same = [_sum_of([part.margins[k].categories for part in parts]) for k in range(len(counted.margins))]
    other = [_less(at.categories, part) for at, part in zip(counted.margins, same, strict=True)]
    return replace(
        counted,
        coarse=(CoarseShare("same", tuple(same)), CoarseShare("other", tuple(other))),
        certified=counted.certified and all(part.certified for part in parts),
        why=counted.why or next((part.why for part in parts if part.why), ""),
    )


def _check_nested(classes: np.ndarray, codes: np.ndarray, names: np.ndarray, coarse: np.ndarray) -> None:
    """DataError where rows of one class differ in their coarse class."""
    _, first = np.unique(classes, return_index=True)
    example = np.zeros(len(names), np.int64)
    example[classes[first]] = first
    strays = np.flatnonzero(codes != codes[example[classes]])
    if len(strays):
        stray = int(strays[0])
        here, there = (shown(str(coarse[row])) for row in (example[classes[stray]], stray))
        raise DataError(
            f"class {shown(str(names[classes[stray]]))} lies in two coarse classes: {here} and {there}",
            why="a coarse class holds whole classes, so that an anchor and its positives are of one",
            fix="check both columns, or give what is two classes two labels",
        )


def _sum_of(parts: list[Categories]) -> Categories:
    return Categories(*(sum(getattr(part, name) for part in parts) for name in FIELDS))


def _less(total: Categories, part: Categories) -> Categories:
    return Categories(*(getattr(total, name) - getattr(part, name) for name in FIELDS))


class Sampled(NamedTuple):
    """The breakdown of some anchors, and what each of them adds to it.

    categories: (margins, 3, anchors) how many of its triplets are easy, semi-hard, hard
    """

    breakdown: Breakdown
    categories: np.ndarray


def breakdown_of_some(
    embeddings: np.ndarray,
    labels: Any,
    anchors: int,
    seed: int,
    *,
    margins: Sequence[float] = (1.0,),
    metric: str = "euclidean",
    normalize: bool = False,
    threads: Workers | None = None,
    progress: Progress | None = None,
    who: Pairing = PLAIN,
) -> Sampled | None:
    """The same of `anchors` anchors against everyone, drawn without replacement; None where there are no more.

    The other arguments and the errors are those of `breakdown`.
    """
    census = prepare(
        np.asarray(embeddings),
        np.asarray(labels),
        margins=margins,
        metric=metric,
        normalize=normalize,
        merge=False,
        who=who,
    )
    points, margins = census.points, [float(margin) for margin in margins]
    if points.anchors <= anchors:
        return None
    chosen = np.sort(_drawn(points, anchors, seed))
    judges, workers = Judges(points), default_threads() if threads is None else threads
    counted = []
    for panel in mapped(lambda at: count_panel(census, Panel(points, at, at + 1, judges)), chosen.tolist(), workers):
        counted.append(panel)
        if progress is not None:
            progress(len(counted), anchors)
    breakdown = report(census, counted, margins, False, 0)
    counts = joined(counted)
    rows = []
    for margin in margins:
        j = census.margins.index(margin)
        hard = counts.below[0] + counts.ties[0]
        costly = counts.below[j] if margin else hard
        rows.append(np.stack([counts.triplets - costly, costly - hard, hard]))
    return Sampled(replace(breakdown, sample=AnchorSample(anchors, points.anchors, seed)), np.array(rows))


def _drawn(points: Points, anchors: int, seed: int) -> np.ndarray:
    """Positions of anchors, (anchors,): which rows these are depends on the seed and on the rows alone."""
    positions = np.arange(points.begin, points.begin + points.anchors)
    by_row = positions[np.argsort(points.rows[positions])]
    random = np.random.Generator(np.random.Philox(key=[seed, SAMPLING]))
    chosen: np.ndarray = by_row[random.choice(len(by_row), anchors, replace=False, shuffle=False)]
    return chosen


def prepare(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    margins: Sequence[float],
    metric: str,
    normalize: bool,
    merge: bool = True,
    with_pairs: bool = False,
    bins: int = BINS,
    who: Pairing = PLAIN,
) -> Census:
    """What counting needs to know of a set; arguments and errors as in `breakdown`.

    merge: count equal rows of one class once, with a weight
    """
    check_margins(margins)
    is_merged = merge and who.is_by_class and metric != "dot"  # less a row's own product is not 0
    first, weights = distinct(embeddings, labels) if is_merged else (np.arange(len(embeddings)), None)
    other_weights = None
    if who.reference is not None and is_merged:
        others, marks = map(np.asarray, who.reference)
        first_others, other_weights = distinct(others, marks)
        who = who._replace(reference=(drawer.taken(others, first_others), marks[first_others]))
    steps = sorted({float(margin) for margin in margins if margin > 0})
    points = sort_points(
        embeddings if weights is None else drawer.taken(embeddings, first),
        labels if weights is None else labels[first],
        metric=metric,
        normalize=normalize,
        weights=weights,
        numbers=first,
        steps=steps,
        pairs=who,
        reference_weights=other_weights,
    )
    asked = 0 if 0.0 in margins else 1
    return Census(points, (0.0, *steps), asked, make_judge(points, steps), histogram_edges(points, bins), with_pairs)


def distinct(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The first row of each group of equal rows with equal labels, and how many rows it stands for (None: all one)."""
    if embeddings.ndim != 2 or labels.ndim != 1 or len(embeddings) != len(labels) or not embeddings.size:
        return np.arange(len(embeddings)), None  # sort_points says what is wrong
    leaders = equal_rows(embeddings)
    if (leaders == np.arange(len(leaders))).all():
        return leaders, None
    _, codes = coded(labels)
    group = leaders * (int(codes.max()) + 1) + codes
    _, first, members = np.unique(group, return_index=True, return_counts=True)
    if len(first) == len(embeddings):
        return np.arange(len(embeddings)), None
    order = np.argsort(first)
    return first[order], members[order]


def check_margins(margins: Sequence[float]) -> None:
    if not margins:
        raise UsageError("no margin", fix="give one, for example 0.2")
    for margin in margins:
        if not (math.isfinite(margin) and margin >= 0):
            raise UsageError(f"margin cannot be {margin!r}", fix="give a number >= 0")


def histogram_edges(points: Points, bins: int) -> np.ndarray:
    """Equal bins over what a sample of pairs spans: as many positives as negatives, chosen by a fixed seed."""
    if not points.anchors or not bins:
        return np.linspace(0.0, 1.0, bins + 1)
    random = np.random.Generator(np.random.Philox(key=0))
    sample = min(SAMPLE, max(LEAST_SAMPLE, min(A_POINT * len(points), SAMPLED_VALUES // points.x.shape[1])))
    anchors = random.integers(points.anchors, size=sample) + points.begin
    if points.masks is not None:
        anchors = np.sort(anchors[:MASKED])
    own = _some_positives(points, anchors, random.integers(1 << 62, size=len(anchors)))
    any_point = random.integers(len(points), size=len(anchors))
    pairs = np.sort(np.concatenate([own, any_point]) + np.tile(anchors, 2) * len(points))
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    distances = points.measured(points.gram.direct(*np.divmod(pairs, len(points))))
    some = distances if points.is_signed else distances[distances > 0]
    low, high = float(some.min(initial=np.inf)), float(distances.max())
    if not high > low:
        low, high = 0.0, high or 1.0
    margin = 0.05 * (high - low)
    low = low - margin if points.is_signed else max(0.0, low - margin)
    return np.linspace(low, high + margin, bins + 1)


def _some_positives(points: Points, anchors: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """A point of the class of each anchor, told by (n,) random whole numbers."""
    if points.masks is None:
        places: np.ndarray = points.first[anchors] + draws % (points.last - points.first)[anchors]
        return places
    is_positive, _ = points.masks.relations(anchors)
    return np.array([np.flatnonzero(row)[draw % row.sum()] for row, draw in zip(is_positive, draws, strict=True)])


# --- reporting


def report(census: Census, parts: list[Counts], margins: list[float], by_class: bool, pairs: int) -> Breakdown:
    points = census.points
    counts = joined(parts) if parts else None
    at = tuple(_at_margin(census, counts, margin) for margin in margins)
    undecided = sum(entry.undecided for entry in at)
    why = f"{undecided} triplets were left to float64: deciding all of them by integers would take too long"
    size, out = points.total, points.out
    return Breakdown(
        metric=points.metric,
        normalize=points.normalize,
        anchors=Anchors(size, size - sum(out), *out, _references(points)),
        margins=at,
        certified=not undecided,
        why=why if undecided else "",
        edges=tuple(map(float, census.edges)),
        positives=_distances(counts.positives if counts else None, len(census.edges) - 1),
        negatives=_distances(counts.negatives if counts else None, len(census.edges) - 1),
        retrieval=_retrieval(points, counts),
        classes=_class_shares(census, counts, margins) if by_class else (),
        pairs=_hardest_pairs(points, counts, pairs) if pairs and counts else (),
        ends=_ends(counts) if counts else (math.nan, math.nan),
    )


def _ends(counts: Counts) -> tuple[float, float]:
    sides = counts.farthest, counts.nearest
    return float(min(side.min() for side in sides)), float(max(side.max() for side in sides))


def _references(points: Points) -> int:
    """How many points the other set has; 0 if there is none."""
    if not points.begin:
        return 0
    return len(points) if points.weights is None else int(points.weights[: len(points)].sum())


def _categories(census: Census, counts: Counts, margin: float, anchors: slice | np.ndarray) -> Categories:
    j = census.margins.index(margin)
    triplets = int(counts.triplets[anchors].sum())
    hard_ties, ties = int(counts.ties[0, anchors].sum()), int(counts.ties[j, anchors].sum())
    hard = int(counts.below[0, anchors].sum()) + hard_ties
    costly = int(counts.below[j, anchors].sum()) if margin else hard
    return Categories(triplets - costly, costly - hard, hard, hard_ties, ties)


def _at_margin(census: Census, counts: Counts | None, margin: float) -> AtMargin:
    if counts is None:
        return AtMargin(margin, Categories(0, 0, 0), 0.0, 0, math.nan)
    points, j = census.points, census.margins.index(margin)
    members = _members(points, counts)
    worst = np.maximum(counts.farthest - counts.nearest + margin, 0.0) * members
    return AtMargin(
        margin=margin,
        categories=_categories(census, counts, margin, slice(None)),
        batch_all_sum=float(total(counts.losses[j])),
        active=int(counts.below[j].sum()),
        batch_hard=total(worst) / total(members),
        undecided=int(counts.undecided[0].sum()) + (int(counts.undecided[j].sum()) if j else 0),
        active_anchors=int(members[counts.below[j] > 0].sum()),
    )


def _members(points: Points, counts: Counts) -> np.ndarray:
    """(A,) how many anchors each of those counted stands for."""
    if points.weights is None:
        return np.ones(len(counts.farthest))
    members: np.ndarray = points.weights[points.used].astype(float)
    return members


def _retrieval(points: Points, counts: Counts | None) -> Retrieval:
    if counts is None:
        return Retrieval(math.nan, math.nan, math.nan)
    members = _members(points, counts)
    size = total(members)
    return Retrieval(*(total(values * members) / size for values in counts.precisions))


def _distances(side: DistanceSums | None, bins: int) -> Distances:
    if side is None or not side.pairs:
        return Distances(0, math.nan, math.nan, math.nan, (0,) * bins)
    return Distances(
        side.pairs, side.smallest, side.sum / count(side.pairs), side.largest, tuple(int(n) for n in side.counts)
    )


def _class_shares(census: Census, counts: Counts | None, margins: Iterable[float]) -> tuple[ClassShare, ...]:
    points = census.points
    members = np.ones(len(points.rows), np.int64) if points.weights is None else points.weights
    mine, used = points.classes[points.begin :], points.classes[points.used]
    members = members[points.begin :]
    order, starts = np.argsort(used, kind="stable"), np.searchsorted(np.sort(used), np.arange(len(points.names) + 1))
    shares = []
    for key in np.unique(mine).tolist():
        anchors = order[starts[key] : starts[key + 1]]
        categories = tuple(
            _categories(census, counts, margin, anchors) if counts and len(anchors) else Categories(0, 0, 0)
            for margin in margins
        )
        shares.append(ClassShare(_plain(points.names[key]), int(members[mine == key].sum()), categories))
    return tuple(shares)


def _hardest_pairs(points: Points, counts: Counts, pairs: int) -> tuple[ClassPair, ...]:
    hard = sum(int(row.sum()) for row in counts.hard_by_class.values())
    counts_of_pairs = [
        (-int(row[negative]), anchor, int(negative))
        for anchor, row in counts.hard_by_class.items()
        for negative in np.argsort(-row, kind="stable")[:pairs]
        if row[negative] > 0
    ]
    return tuple(
        ClassPair(_plain(points.names[anchor]), _plain(points.names[negative]), -minus, -minus / hard)
        for minus, anchor, negative in heapq.nsmallest(pairs, counts_of_pairs)
    )


def _plain(label: Any) -> object:
    return label.item() if hasattr(label, "item") else label
