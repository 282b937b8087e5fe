"""Easy, semi-hard and hard: the triplets of a whole set, counted and certified without making one of them.

Equal rows of one class are counted once, with a weight. For each anchor the negatives are sorted, and each positive
gives two ranks a margin (ranks.py); a prefix sum of the sorted distances gives the batch-all loss from the same ranks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..breakdown import (
    Anchors,
    AtMargin,
    AtMarginInBatches,
    Batches,
    Breakdown,
    Categories,
    ClassPair,
    ClassShare,
    Diagnosis,
    Distances,
    Spread,
)
from ..errors import DataError, UsageError
from .panels import MEMORY_BYTES, Panel, fold, sums_of_first
from .points import DTYPES, Points, own_runs, sort_points
from .ranks import Judge, Ranks, equal_rows, make_judge, rank, strip_starts
from .sums import Total, count, total
from .workers import scratch

if TYPE_CHECKING:
    import numpy as np

BINS = 40
SAMPLE = 1 << 14  # pairs that set the range of the histogram
Progress = Callable[[int, int], None]


def breakdown(
    embeddings: np.ndarray,
    labels: Any,
    *,
    margins: Sequence[float] = (1.0,),
    metric: str = "euclidean",
    normalize: bool = False,
    precision: str = "float64",
    by_class: bool = False,
    pairs: int = 0,
    bins: int = BINS,
    block: int | None = None,
    threads: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress | None = None,
) -> Breakdown:
    """All triplets of (N, D) embeddings with N labels, by category, at each margin.

    margins: in units of the distance, >= 0; each is decided as the float64 it is
    precision: "float64" proves every count; "float32" is quick and proves nothing
    by_class: also by class of the anchor; pairs: also the so many class pairs with the most hard triplets
    block, threads, memory_bytes, progress: as in panels.fold; they do not change a count

    Raises DataError for unusable embeddings or labels, UsageError for an unknown metric or precision or a bad margin.
    """
    import numpy as np

    embeddings, labels = np.asarray(embeddings), np.asarray(labels)
    first, members = distinct(embeddings, labels)
    task = prepare(
        embeddings[first],
        labels[first],
        margins=margins,
        metric=metric,
        normalize=normalize,
        precision=precision,
        weights=members,
        numbers=first,
        with_pairs=pairs > 0,
        bins=bins,
    )
    counted = list(
        fold(
            task.judge.points,
            lambda panel: count_panel(task, panel),
            block=block,
            threads=threads,
            memory_bytes=memory_bytes,
            progress=progress,
        )
    )
    return report(task, counted, [float(margin) for margin in margins], precision, by_class, pairs)


def prepare(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    margins: Sequence[float],
    metric: str,
    normalize: bool,
    precision: str,
    weights: np.ndarray | None = None,
    numbers: np.ndarray | None = None,
    with_pairs: bool = False,
    bins: int = BINS,
) -> Task:
    """What counting needs to know of a set; arguments and errors as in `breakdown`, the rest as in `sort_points`."""
    import numpy as np

    check_margins(margins)
    if precision not in DTYPES:
        raise UsageError(f"unknown precision {precision!r}", fix=f"choose one of {', '.join(DTYPES)}")
    steps = sorted({float(margin) for margin in margins if margin > 0})
    points = sort_points(
        embeddings, labels, metric=metric, normalize=normalize, weights=weights, numbers=numbers, steps=steps
    )
    judge = make_judge(points, steps, certify=precision == "float64")
    edges = histogram_edges(points, bins)
    squares = np.array([points.square_of(float(edge)) for edge in edges[1:-1]])
    return Task(judge, edges, squares, with_pairs)


def distinct(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The first row of each group of equal rows with equal labels, and how many rows it stands for (None: all one)."""
    import numpy as np

    if embeddings.ndim != 2 or labels.ndim != 1 or len(embeddings) != len(labels) or not embeddings.size:
        return np.arange(len(embeddings)), None  # sort_points says what is wrong
    _, codes = np.unique(labels, return_inverse=True)
    group = equal_rows(embeddings) * (int(codes.max()) + 1) + codes
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


# --- counting


@dataclass(frozen=True)
class Task:
    judge: Judge
    edges: np.ndarray
    edge_squares: np.ndarray
    with_pairs: bool


@dataclass(frozen=True)
class Counts:
    """What B anchors add; (J, B) rows are for d_ap + margin with the judge's margins, of which the first is 0.

    below, ties, undecided: triplets below and at each threshold, and not proven; losses: sums of [d_ap + m - d_an]+
    triplets: (B,); farthest, nearest: (B,) distances; positives, negatives: one Side
    hard_by_class: anchor class -> (C,) hard triplets by class of the negative
    """

    below: np.ndarray
    ties: np.ndarray
    undecided: np.ndarray
    losses: np.ndarray
    triplets: np.ndarray
    farthest: np.ndarray
    nearest: np.ndarray
    positives: Side
    negatives: Side
    hard_by_class: dict[int, np.ndarray]


@dataclass(frozen=True)
class Side:
    """Sums over the distances to positives, or to negatives, weighted by the anchors too."""

    pairs: int
    smallest: float
    sum: Total
    largest: float
    counts: np.ndarray


def count_panel(task: Task, panel: Panel) -> Counts:
    """The counts of one panel, strip by strip."""
    import numpy as np

    gram, n = task.judge.gram, len(panel.points)
    squares = scratch("squares", (len(panel), n))
    if gram.right.dtype == np.float64:
        gram.squares(panel.start, panel.stop, out=squares)
    else:
        squares[...] = gram.squares(panel.start, panel.stop, out=scratch("single", squares.shape, np.float32))
        np.maximum(squares, 0.0, out=squares)
    starts = strip_starts(panel.points, panel.start, panel.stop)
    return joined([_count_strip(task, squares[k : k + starts.step], panel.start + k) for k in starts])


def joined(parts: list[Counts]) -> Counts:
    import numpy as np

    def along(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts], axis=-1)

    arrays = ("below", "ties", "undecided", "losses", "triplets", "farthest", "nearest")
    by_class: dict[int, np.ndarray] = {}
    for part in parts:
        for key, hard in part.hard_by_class.items():
            by_class[key] = by_class[key] + hard if key in by_class else hard
    return Counts(
        **{name: along(name) for name in arrays},
        positives=merged([part.positives for part in parts]),
        negatives=merged([part.negatives for part in parts]),
        hard_by_class=by_class,
    )


def merged(sides: list[Side]) -> Side:
    return Side(
        sum(side.pairs for side in sides),
        min(side.smallest for side in sides),
        sum((side.sum for side in sides), Total()),
        max(side.largest for side in sides),
        sum(side.counts for side in sides),  # type: ignore[arg-type]
    )


def _count_strip(task: Task, squares: np.ndarray, start: int) -> Counts:
    import numpy as np

    judge = task.judge
    points, weight_of = judge.points, judge.points.weights
    stop = start + len(squares)
    ranks = rank(judge, squares, start, task.edge_squares)
    weight, positives = ranks.weight, ranks.weight.sum(axis=1)
    members = np.ones(len(squares), np.int64) if weight_of is None else weight_of[start:stop]
    negatives = (len(points) if weight_of is None else int(weight_of.sum())) - positives - 1
    farthest, nearest = points.measured(_farthest(judge, ranks)), points.measured(_nearest(judge, ranks))
    d_ap = points.measured(ranks.positives)
    d_an = points.measured(squares, out=squares)  # the squares are not needed any more
    return Counts(
        below=np.einsum("bjk,bk->jb", ranks.below, weight) * members,
        ties=np.einsum("bjk,bk->jb", ranks.ties, weight) * members,
        undecided=ranks.undecided.T * members,
        losses=_batch_all_sums(judge, ranks, d_ap, d_an) * members,
        triplets=positives * negatives * members,
        farthest=farthest,
        nearest=nearest,
        positives=_positive_side(task, ranks, d_ap, members, positives * members),
        negatives=_negative_side(task, ranks, d_an, members, negatives * members),
        hard_by_class=_hard_by_class(judge, ranks, members) if task.with_pairs else {},
    )


def _batch_all_sums(judge: Judge, ranks: Ranks, d_ap: np.ndarray, d_an: np.ndarray) -> np.ndarray:
    """(J, B) sums of [d_ap + margin - d_an]+: the first r negatives cost r (d_ap + margin) less their own distances."""
    import numpy as np

    weights, width = judge.points.weights, int(ranks.sure.max(initial=0)) + 1
    columns = np.bitwise_and(
        ranks.keys[:, :width], ranks.key_mask, out=scratch("columns", (len(d_an), width), np.int64)
    )
    members = None if weights is None else weights[columns]
    columns += np.arange(len(d_an))[:, None] * d_an.shape[1]
    sorted_d_an = d_an.take(columns, out=scratch("sorted", columns.shape), mode="clip")  # "raise" would make a copy
    counts = reach = ranks.sure.reshape(len(d_an), -1)
    if members is not None:
        reach = sums_of_first(members, counts)
        sorted_d_an *= members
    terms = d_ap[:, None] + np.asarray(judge.margins)[:, None]
    terms *= reach.reshape(terms.shape)
    terms -= sums_of_first(sorted_d_an, counts).reshape(terms.shape)
    terms *= ranks.weight[:, None]
    totals: np.ndarray = terms.sum(axis=2).T
    return totals


def _nearest(judge: Judge, ranks: Ranks) -> np.ndarray:
    """(B,) squared distance of the nearest negative, by differences among all that may be the nearest."""
    import numpy as np

    anchors = np.arange(ranks.start, ranks.start + len(ranks.keys))
    column = ranks.keys[:, 0] & ranks.key_mask
    found: np.ndarray = ranks.squares[anchors - ranks.start, column]
    if judge.exact is None or judge.gram.is_exact:
        return found
    limit = np.maximum(found, 0.0) + 4 * judge.gram.bounds(ranks.start, ranks.start + len(anchors))
    limit_keys = limit.view(np.int64) | ranks.key_mask
    found = judge.gram.direct(anchors, column)
    for row in map(int, np.flatnonzero(ranks.keys[:, min(1, ranks.keys.shape[1] - 1)] <= limit_keys)):
        rivals = ranks.columns(row, slice(0, int(ranks.keys[row].searchsorted(limit_keys[row], "right"))))
        found[row] = judge.gram.direct(np.full(len(rivals), anchors[row]), rivals).min()
    return found


def _farthest(judge: Judge, ranks: Ranks) -> np.ndarray:
    """(B,) squared distance of the farthest positive, by differences among all that may be the farthest."""
    import numpy as np

    found: np.ndarray = ranks.positives.max(axis=1)
    if judge.exact is None or judge.gram.is_exact:
        return found
    limit = found - 4 * judge.gram.bounds(ranks.start, ranks.start + len(found))
    i, k = np.nonzero(ranks.positives >= limit[:, None])
    measured = judge.gram.direct(i + ranks.start, ranks.index[i, k])
    found = np.zeros(len(found))
    np.maximum.at(found, i, measured)
    return found


def _positive_side(task: Task, ranks: Ranks, d_ap: np.ndarray, members: np.ndarray, pairs: np.ndarray) -> Side:
    """The distances to positives; an anchor's to itself, which does not count, is 0."""
    import numpy as np

    bins = np.searchsorted(task.edges[1:-1], d_ap.ravel(), "right")
    if task.judge.points.weights is None:
        counts, sums = np.bincount(bins, minlength=len(task.edges) - 1), d_ap.sum(axis=1)
        counts[0] -= d_ap.size - pairs.sum()
    else:
        counts = np.bincount(bins, (ranks.weight * members[:, None]).ravel(), len(task.edges) - 1).astype(np.int64)
        sums = (d_ap * ranks.weight).sum(axis=1)
    smallest = np.where(ranks.weight > 0, d_ap, np.inf).min()
    return Side(int(pairs.sum()), float(smallest), total(sums * members), float(d_ap.max()), counts)


def _negative_side(task: Task, ranks: Ranks, d_an: np.ndarray, members: np.ndarray, pairs: np.ndarray) -> Side:
    """The distances to negatives; sets those within the own class, which are infinite, to 0 for their sum."""
    import numpy as np

    points, rows = task.judge.points, np.arange(len(d_an))
    places = np.zeros((len(rows), len(task.edges)), np.int64)
    places[:, 1:-1], places[:, -1] = ranks.cuts, ranks.negatives
    if points.weights is not None:
        for row, line in enumerate(ranks.keys):
            places[row] = np.concatenate([[0], np.cumsum(points.weights[line & ranks.key_mask])])[places[row]]
    ends = np.stack([ranks.keys[:, 0], ranks.keys[rows, ranks.negatives - 1]]) & ranks.key_mask
    span = d_an[rows, ends]
    for own in own_runs(points, ranks.start, ranks.start + len(d_an), slice(0, len(points))):
        d_an[own] = 0.0
    sums = d_an.sum(axis=1) if points.weights is None else d_an @ points.weights
    counts = (np.diff(places, axis=1) * members[:, None]).sum(axis=0)
    return Side(int(pairs.sum()), float(span.min()), total(sums * members), float(span.max()), counts)


def _hard_by_class(judge: Judge, ranks: Ranks, members: np.ndarray) -> dict[int, np.ndarray]:
    """Anchor class -> hard triplets by class of the negative: a negative counts once for each positive behind it."""
    import numpy as np

    points = judge.points
    by_class: dict[int, np.ndarray] = {}
    for row in range(len(ranks.keys)):
        sure, weight = ranks.hard[row], ranks.weight[row]
        columns = ranks.columns(row, slice(0, int(sure.max(initial=0))))
        behind = weight.sum() - np.cumsum(np.bincount(sure, weight, minlength=len(columns) + 1))[:-1]
        if points.weights is not None:
            behind = behind * points.weights[columns]
        hard = np.bincount(points.classes[columns], behind, minlength=len(points.names)).astype(np.int64)
        for k, decided in ranks.decided_hard.get(row, ()):
            counts = weight[k] * (1 if points.weights is None else points.weights[decided])
            np.add.at(hard, points.classes[decided], counts)
        key = int(points.classes[ranks.start + row])
        by_class[key] = by_class.get(key, 0) + hard * members[row]
    return by_class


def histogram_edges(points: Points, bins: int) -> np.ndarray:
    """Equal bins over what a sample of pairs spans: as many positives as negatives, chosen by a fixed seed."""
    import numpy as np

    if not points.anchors:
        return np.linspace(0.0, 1.0, bins + 1)
    random = np.random.Generator(np.random.Philox(key=0))
    anchors = random.integers(points.anchors, size=SAMPLE)
    own = points.first[anchors] + random.integers(1 << 62, size=SAMPLE) % (points.last - points.first)[anchors]
    any_point = random.integers(len(points), size=SAMPLE)
    squares = points.gram.direct(np.tile(anchors, 2), np.concatenate([own, any_point]))
    distances = points.measured(squares)
    low, high = float(distances[distances > 0].min(initial=np.inf)), float(distances.max())
    if not high > low:
        low, high = 0.0, high or 1.0
    margin = 0.05 * (high - low)
    return np.linspace(max(0.0, low - margin), high + margin, bins + 1)


# --- reporting


def report(
    task: Task, parts: list[Counts], margins: list[float], precision: str, by_class: bool, pairs: int
) -> Breakdown:
    judge = task.judge
    points = judge.points
    counts = joined(parts) if parts else None
    at = tuple(_at_margin(judge, counts, margin) for margin in margins)
    undecided = sum(entry.undecided for entry in at)
    reasons = {
        "float32": "float32 distances were compared as they came",
        "float64": f"{undecided} triplets were left to float64: deciding all of them by integers would take too long",
    }
    certified = precision == "float64" and not undecided
    size = len(points) if points.weights is None else int(points.weights.sum())
    out = points.without_positive, points.without_negative
    return Breakdown(
        metric=points.metric,
        normalize=points.normalize,
        precision=precision,
        anchors=Anchors(size, size - sum(out), *out),
        margins=at,
        certified=certified,
        why="" if certified else reasons[precision],
        edges=tuple(map(float, task.edges)),
        positives=_distances(counts.positives if counts else None, len(task.edges) - 1),
        negatives=_distances(counts.negatives if counts else None, len(task.edges) - 1),
        classes=_class_shares(judge, counts, margins) if by_class else (),
        pairs=_hardest_pairs(points, counts, pairs) if pairs and counts else (),
    )


def _categories(judge: Judge, counts: Counts, margin: float, anchors: slice) -> Categories:
    j = judge.margins.index(margin)
    triplets = int(counts.triplets[anchors].sum())
    hard_ties, ties = int(counts.ties[0, anchors].sum()), int(counts.ties[j, anchors].sum())
    hard = int(counts.below[0, anchors].sum()) + hard_ties
    costly = int(counts.below[j, anchors].sum()) if margin else hard
    return Categories(triplets - costly, costly - hard, hard, hard_ties, ties)


def _at_margin(judge: Judge, counts: Counts | None, margin: float) -> AtMargin:
    import numpy as np

    if counts is None:
        return AtMargin(margin, Categories(0, 0, 0), 0.0, 0, math.nan)
    points, j = judge.points, judge.margins.index(margin)
    members = np.ones(points.anchors) if points.weights is None else points.weights[: points.anchors].astype(float)
    worst = np.maximum(counts.farthest - counts.nearest + margin, 0.0) * members
    return AtMargin(
        margin=margin,
        categories=_categories(judge, counts, margin, slice(None)),
        batch_all_sum=float(total(counts.losses[j])),
        active=int(counts.below[j].sum()),
        batch_hard=total(worst) / total(members),
        undecided=int(counts.undecided[0].sum()) + (int(counts.undecided[j].sum()) if j else 0),
    )


def _distances(side: Side | None, bins: int) -> Distances:
    if side is None:
        return Distances(0, math.nan, math.nan, math.nan, (0,) * bins)
    return Distances(
        side.pairs, side.smallest, side.sum / count(side.pairs), side.largest, tuple(int(n) for n in side.counts)
    )


def _class_shares(judge: Judge, counts: Counts | None, margins: Iterable[float]) -> tuple[ClassShare, ...]:
    import numpy as np

    points = judge.points
    members = np.ones(len(points), np.int64) if points.weights is None else points.weights
    shares = {}
    for start in np.unique(points.first):
        own = slice(int(start), int(points.last[start]))
        is_used = counts is not None and own.start < points.anchors
        categories = tuple(
            _categories(judge, counts, margin, own) if is_used and counts else Categories(0, 0, 0) for margin in margins
        )
        key = int(points.classes[start])
        shares[key] = ClassShare(_plain(points.names[key]), int(members[own].sum()), categories)
    return tuple(shares[key] for key in sorted(shares))


def _hardest_pairs(points: Points, counts: Counts, pairs: int) -> tuple[ClassPair, ...]:
    import numpy as np

    hard = sum(int(row.sum()) for row in counts.hard_by_class.values())
    found = [
        (-int(row[negative]), anchor, int(negative))
        for anchor, row in counts.hard_by_class.items()
        for negative in np.argsort(-row, kind="stable")[:pairs]
        if row[negative] > 0
    ]
    return tuple(
        ClassPair(_plain(points.names[anchor]), _plain(points.names[negative]), -minus, -minus / hard)
        for minus, anchor, negative in heapq.nsmallest(pairs, found)
    )


def _plain(label: Any) -> object:
    return label.item() if hasattr(label, "item") else label


# --- batches


def sampled(
    embeddings: np.ndarray,
    labels: Any,
    *,
    classes: int,
    rows: int,
    batches: int = 100,
    seed: int = 0,
    margins: Sequence[float] = (1.0,),
    metric: str = "euclidean",
    normalize: bool = False,
    precision: str = "float64",
    progress: Progress | None = None,
) -> Batches:
    """What training sees: breakdowns of PK batches, `classes` classes (P) with `rows` rows of each (K).

    Classes with fewer rows are not drawn; nothing is drawn twice in a batch. Batch b depends on seed and b alone.
    Raises DataError where too few classes have enough rows, UsageError where a batch would have no triplet.
    """
    import numpy as np

    if classes < 2 or rows < 2 or batches < 1:
        raise UsageError(f"batches of {classes} classes with {rows} rows", fix="at least 2,2 and one batch")
    embeddings, labels = np.asarray(embeddings), np.asarray(labels)
    _, codes = np.unique(labels, return_inverse=True)
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    eligible = [member for member in members if len(member) >= rows]
    if len(eligible) < classes:
        raise DataError(f"{len(eligible)} classes have {rows} rows, {classes} are wanted", fix="smaller batches")
    found = []
    for b in range(batches):
        chosen = _draw(eligible, classes, rows, np.random.Generator(np.random.Philox(key=[seed, b])))
        found.append(
            breakdown(
                embeddings[chosen],
                labels[chosen],
                margins=margins,
                metric=metric,
                normalize=normalize,
                precision=precision,
                threads=1,
            )
        )
        if progress is not None:
            progress(b + 1, batches)
    return Batches(
        classes,
        rows,
        batches,
        seed,
        len(eligible),
        all(one.certified for one in found),
        tuple(_over_batches([one.margins[k] for one in found]) for k in range(len(margins))),
    )


def _draw(eligible: list[np.ndarray], classes: int, rows: int, random: np.random.Generator) -> np.ndarray:
    import numpy as np

    drawn = random.choice(len(eligible), classes, replace=False)
    return np.concatenate([random.choice(eligible[k], rows, replace=False) for k in drawn])


def _over_batches(found: list[AtMargin]) -> AtMarginInBatches:
    easy, semi_hard, hard = (_spread(values) for values in zip(*(at.categories.shares for at in found), strict=True))
    return AtMarginInBatches(
        margin=found[0].margin,
        easy=easy,
        semi_hard=semi_hard,
        hard=hard,
        batch_all_mean_active=_spread([at.batch_all_mean_active for at in found]),
        batch_hard=_spread([at.batch_hard for at in found]),
    )


def _spread(values: Sequence[float]) -> Spread:
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Spread(mean, 0.0)
    return Spread(mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)))


# --- diagnosis


def diagnose(embeddings: np.ndarray, labels: Any, found: Breakdown) -> Diagnosis:
    """What the set itself looks like, beside its breakdown `found`."""
    import numpy as np

    x, labels = np.asarray(embeddings).astype(np.float64, copy=False), np.asarray(labels)
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))
    centred = x - x.mean(axis=0)
    mean_norm = float(norms.mean())
    spread = math.sqrt(float(np.einsum("ij,ij->", centred, centred)) / len(x)) / mean_norm if mean_norm else 0.0
    twins = equal_rows(x)
    _, codes = np.unique(labels, return_inverse=True)
    conflicts = _mixed_groups(twins, codes)
    d_ap, d_an = found.positives, found.negatives
    width = max(d_ap.largest, d_an.largest) - min(d_ap.smallest, d_an.smallest)
    largest_off = float(np.abs(norms - 1).max())
    return Diagnosis(
        norm_smallest=float(norms.min()),
        norm_mean=mean_norm,
        norm_largest=float(norms.max()),
        spread=spread,
        contrast=(d_an.mean - d_ap.mean) / d_an.mean if d_an.mean else 0.0,
        duplicates=int((twins != np.arange(len(x))).sum()),
        conflicting=conflicts,
        is_collapsed=spread < 1e-3 or width <= 1e-3 * max(d_ap.largest, d_an.largest),
        is_nearly_unit=1e-3 < largest_off < 0.1,
        is_stuck=tuple(at.margin > 0 and abs(at.batch_hard - at.margin) < 0.01 * at.margin for at in found.margins),
    )


def _mixed_groups(group: np.ndarray, codes: np.ndarray) -> int:
    """How many rows are in a group with more than one label."""
    import numpy as np

    low, high = np.full(len(group), np.iinfo(np.int64).max), np.full(len(group), -1)
    np.minimum.at(low, group, codes)
    np.maximum.at(high, group, codes)
    return int((low[group] != high[group]).sum())
