"""Pairs of a whole set, positive and negative ones, as losses of pairs take them: what a miner of pairs chooses.

An anchor need not have both kinds here, so a row that is alone in its class has negative pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..rows.workers import Workers, mapped
from .mining import Estimate, Sides, multi_similarity_sides
from .panels import default_threads
from .points import Points
from .strategies import PANEL, SAMPLE, against, check_distances, drawn_pairs, easy_hard_sides
from .ties import make_judge


@dataclass(frozen=True, eq=False)
class MinedPairs:
    """M pairs.

    rows: (M, 2) int64, anchor and other as row numbers of the embeddings (of the second set, where there are two)
    is_positive: (M,) bool;  distances: (M,) each from the differences of its pair alone
    """

    rows: np.ndarray
    is_positive: np.ndarray
    distances: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def indices(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(a1, p, a2, n): anchors and positives of the positive pairs, anchors and negatives of the negative ones."""
        (a1, p), (a2, n) = self.rows[self.is_positive].T, self.rows[~self.is_positive].T
        return a1, p, a2, n


def joined_pairs(blocks: Iterable[MinedPairs]) -> MinedPairs:
    """Blocks as one."""
    parts = [MinedPairs(np.empty((0, 2), np.int64), np.empty(0, bool), np.empty(0)), *blocks]
    return MinedPairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in MinedPairs.__annotations__))


def pairs_of(
    points: Points,
    strategy: str,
    options: dict[str, Any],
    threads: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[MinedPairs]:
    """The pairs that a strategy of STRATEGIES chooses, in the order of its anchors, then of rows. UsageError."""
    sides = STRATEGIES[strategy](points, **options)
    end = points.begin + points.everyone

    def choose(part: tuple[int, int]) -> MinedPairs:
        return joined_pairs(
            _block(points, anchor, others, is_positive)
            for anchor, *both in sides(*part)
            for others, is_positive in zip(both, (True, False), strict=True)
        )

    parts = [(start, min(start + PANEL, end)) for start in range(points.begin, end, PANEL)]
    blocks = mapped(choose, parts, default_threads() if threads is None else threads)
    for (_, stop), pairs in zip(parts, blocks, strict=True):
        if progress is not None:
            progress(stop - points.begin, end - points.begin)
        yield pairs


def estimate(points: Points, strategy: str, options: dict[str, Any]) -> Estimate:
    """How many pairs a strategy will give, from about SAMPLE anchors spread over the set; of drawn ones, at most."""
    if "per_bin" in options:
        most = 2 * options["steps"] * options["per_bin"]
        return Estimate(most, False, most)
    sides, anchors = STRATEGIES[strategy](points, **options), range(points.begin, points.begin + points.everyone)
    some = anchors[:: max(1, len(anchors) // SAMPLE)]
    count = sum(len(own) + len(others) for anchor in some for _, own, others in sides(anchor, anchor + 1))
    return Estimate(round(count * len(anchors) / max(1, len(some))), len(some) == len(anchors), len(anchors) ** 2)


def _block(points: Points, anchor: int, others: np.ndarray, is_positive: bool) -> MinedPairs:
    others = others[np.argsort(points.rows[others], kind="stable")]
    distances = points.measured(points.gram.direct(np.full(len(others), anchor), others))
    rows = np.stack([np.full(len(others), points.rows[anchor]), points.rows[others]], axis=1)
    return MinedPairs(rows, np.full(len(others), is_positive), distances)


def _pair_margin(points: Points, *, farther_than: float = 0.2, nearer_than: float = 0.8, **_: Any) -> Sides:
    check_distances(points)
    judge = make_judge(points)

    def sides(start: int, stop: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        is_positive, is_negative = points.relations(start, stop)
        is_positive = is_positive & (against(judge, start, stop, farther_than) > 0)
        is_negative = is_negative & (against(judge, start, stop, nearer_than) < 0)
        for row in range(stop - start):
            yield start + row, np.flatnonzero(is_positive[row]), np.flatnonzero(is_negative[row])

    return sides


def _multi_similarity(points: Points, *, margin: float = 1.0) -> Sides:
    return multi_similarity_sides(points, margin)


def _easy_hard(points: Points, *, positives: str = "easy", negatives: str = "semi-hard", **_: Any) -> Sides:
    return easy_hard_sides(points, positives, negatives)


def _uniform_histogram(points: Points, *, seed: int = 0, steps: int = 100, per_bin: int = 10, **_: Any) -> Sides:
    kinds = drawn_pairs(points, seed, steps, per_bin, is_lone=True)

    def sides(start: int, stop: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        for anchor in range(start, stop):
            own, others = (pairs[pairs[:, 0] == anchor, 1] for pairs in kinds)
            yield anchor, own, others

    return sides


STRATEGIES: dict[str, Callable[..., Sides]] = {
    "multi-similarity": _multi_similarity,
    "pair-margin": _pair_margin,
    "easy-hard": _easy_hard,
    "uniform-histogram": _uniform_histogram,
}
