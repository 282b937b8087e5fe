"""Who decides a triplet that a product of matrices cannot: differences in float64, and integers where these tie."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, cached_property

import numpy as np

from ..files import drawer
from ..language.rounded import row_dots
from .chords import WholeChords, whole_directions
from .exact import Exact
from .gram import Gram
from .points import HUGE, Points, own_class
from .scratch import Scratch

TINY = 2.0**-1060  # more than underflow can take from a square
TURNED = 2.0**-47  # more than the squared chord of a sum of angles can be off
ROUNDING = 2.0**-49  # four times what a rounded sum of rounded roots can be off, relatively; powers are p times as far
ROOTS = 2.0**-43  # more than the rounding of 1 / p moves x^(1/p)^p, relatively: the logarithm of x times 2^-53
EXACT_WORK = 5e8  # coordinates multiplied as Python integers, about a minute, before the rest is left undecided
MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # of Steele, Lea, Flood, 2014
HASHED_VALUES = 1 << 16  # at a time: they stay near the processor
CROWDED = 8  # so many times as many places are counted off rather than sorted
WIDE, SHORT = 32, 1 << 10  # an anchor with more than one threshold for so many points has many, or beside so few points
PROBED, TIED = 8, 0.25  # anchors that show ties, and the share of all from which on all need columns
LEAST_BUDGET = 64  # triplets of an anchor that may always be decided by integers


@dataclass(frozen=True, eq=False)
class Judge:
    """What it takes to decide a triplet that a product cannot.

    margins: thresholds are d_ap + margin for each of these, the first is 0
    exact: the last instance
    budget: how many triplets of an anchor may go to the last instance; spent: how many went, (M,)
    scratch: the memory in which anchors are ranked
    sparse: whether a screen is worth it, by what has to be left
    """

    points: Points
    gram: Gram
    margins: tuple[float, ...]
    exact: Exact
    budget: int
    spent: np.ndarray
    scratch: Scratch
    sparse: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def twins(self) -> np.ndarray:
        """(M,) equal numbers for equal rows."""
        return equal_rows(self.points.numbers)

    @cached_property
    def crowded(self) -> int:
        """Anchors before this position, those of the largest classes, have many thresholds beside their negatives."""
        points, begin = self.points, self.points.begin
        stop = begin + points.anchors
        if self.widest and self.is_tied:
            return stop
        if points.masks is not None:
            return stop if points.widest > self.widest else begin
        return begin + int(np.count_nonzero(points.sizes(begin, stop) > self.widest))

    def is_ordered(self, anchor: int) -> bool:
        """Whether what is counted of an anchor is told by its squares in order, without their columns."""
        return anchor >= self.crowded and self.points.weights is None

    @cached_property
    def widest(self) -> int:
        """So many positives give an anchor few thresholds beside its negatives, at most."""
        count = len(self.points)
        return int(count // (WIDE * len(self.margins))) if count >= SHORT else 0

    @cached_property
    def is_tied(self) -> bool:
        """Whether many negatives are exactly as far as a positive: a few anchors from all parts show it."""
        points, gram = self.points, self.gram
        if not gram.is_exact:
            return False
        anchors = points.begin + np.arange(PROBED) * points.anchors // PROBED
        squares = gram.products(anchors, slice(0, len(points)))
        own = [own_class(points, at, at + 1)[0][0] for at in anchors.tolist()]
        tied = [np.isin(line, line[places]).mean() for line, places in zip(squares, own, strict=True)]
        return bool(np.mean(tied) > TIED)

    @cached_property
    def integers(self) -> np.ndarray | None:
        """(M, D) whole numbers of the directions, with exact products; None where none are compared, or no such."""
        if isinstance(self.gram, WholeChords):
            return self.gram.whole
        return whole_directions(self.points.numbers) if self.points.is_angular else None

    @cached_property
    def norms(self) -> np.ndarray:
        """(M,) the squared lengths of `integers`."""
        assert self.integers is not None
        norms: np.ndarray = np.einsum("ij,ij->i", self.integers, self.integers)
        return norms

    @cached_property
    def by_row(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) the candidates in the order of their row numbers, and the place of each of them in it."""
        order = np.argsort(self.points.rows[: len(self.points)])
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return order, places

    def alike(self, anchor: int, others: np.ndarray) -> np.ndarray:
        """(M,) for each of M points the first of them that is surely as far from the anchor: an equal row, or, of whole
        numbers, one with the same product and norm."""
        if self.integers is None:
            twins: np.ndarray = self.twins[others]
            return twins
        different, place = distinct(others, len(self.points.rows))
        kind = self.integers[different] @ self.integers[anchor] + 1j * self.norms[different]
        _, first, of = np.unique(kind, return_index=True, return_inverse=True)
        leaders: np.ndarray = different[first][of][place]
        return leaders

    def direct(self, anchor: int, others: np.ndarray) -> np.ndarray:
        """(M,) squared distances of an anchor and M points by differences, of equal rows once."""
        different, place = distinct(self.twins[others], len(self.points.rows))
        squares: np.ndarray = self.gram.direct(np.full(len(different), anchor), different)[place]
        return squares


def make_judge(points: Points, margins: Sequence[float] = (), scratch: Scratch | None = None) -> Judge:
    """The judge of a set, for thresholds at d_ap and d_ap + margin."""
    x = points.numbers
    return Judge(
        points=points,
        gram=points.gram,
        margins=(0.0, *margins),
        exact=Exact(x, points.metric, points.normalize),
        budget=max(LEAST_BUDGET, int(EXACT_WORK / x.shape[1] / max(points.anchors, 1))),
        spent=np.zeros(len(points.rows), np.int64),
        scratch=scratch or Scratch(),
    )


class Judges:
    """The state of one pass over a set, shared by its threads: the judges, made when a loss first asks, and memory."""

    def __init__(self, points: Points) -> None:
        self.points = points
        self.scratch = Scratch()
        self._by_margins: dict[tuple[float, ...], Judge] = {}
        self._lock = threading.Lock()

    def judge(self, margins: tuple[float, ...] = ()) -> Judge:
        """The judge for these margins."""
        with self._lock:
            if margins not in self._by_margins:
                self._by_margins[margins] = make_judge(self.points, margins, self.scratch)
            return self._by_margins[margins]

    def undecided_anchors(self, start: int, stop: int) -> int:
        """How many of the anchors start..stop had more ties than a judge decides by integers."""
        over = [judge.spent[start:stop] > judge.budget for judge in self._by_margins.values()]
        own = int(np.any(over, axis=0).sum()) if over else 0
        return own + (self.points.finder.undecided_anchors(start, stop) if self.points.finder else 0)


def equal_rows(x: np.ndarray, squares: np.ndarray | None = None) -> np.ndarray:
    """(N,) the first row that each of the (N, D) rows equals, itself if none; -0.0 equals 0.0.

    squares: (N,) `square_sums` of the rows, if they are known: where no two of these are equal, no rows are
    """
    ordered = np.sort(square_sums(x) if squares is None else squares)
    if (ordered[1:] != ordered[:-1]).all():
        return np.arange(len(x))
    mixed = np.empty(len(x), np.uint64)
    factors = _odd_factors(x.shape[1])
    step = max(1, HASHED_VALUES // max(1, x.shape[1]))
    for start in range(0, len(x), step):
        bits = _mixed((x[start : start + step].astype(np.float64) + 0.0).view(np.uint64))
        mixed[start : start + step] = (bits * factors).sum(axis=1, dtype=np.uint64)
        drawer.let_go(x)
    _, first, group = np.unique(mixed, return_index=True, return_inverse=True)
    leader = first[group]
    others = np.flatnonzero(leader != np.arange(len(x)))
    for part in np.array_split(others, max(1, x[:1].size * len(others) >> 23)):
        collided = part[(x[part] != x[leader[part]]).any(axis=1)]  # equal hashes of unequal rows: keep those rows apart
        leader[collided] = collided
    drawer.let_go(x)
    return leader


def square_sums(x: np.ndarray) -> np.ndarray:
    """(N,) the squared length of each row, with digits that depend on the row alone."""
    with np.errstate(over="ignore"):
        parts = (x[rows].astype(np.float64, copy=False) for rows in drawer.blocks(x))
        return np.concatenate([row_dots(part, part) for part in parts])


@cache
def _odd_factors(count: int) -> np.ndarray:
    """(count,) odd numbers without a pattern; not from numpy.random, whose import costs more than a small set."""
    return _mixed(np.arange(1, count + 1, dtype=np.uint64)) | np.uint64(1)


def _mixed(bits: np.ndarray) -> np.ndarray:
    """Numbers of 64 bits, mixed in place by rounds of splitmix64, so that sums tell rows of whole numbers apart too."""
    for multiplier in MULTIPLIERS:
        bits ^= bits >> np.uint64(30)
        bits *= np.uint64(multiplier)
    bits ^= bits >> np.uint64(31)
    return bits


def interval(judge: Judge, squares: np.ndarray, errors: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """An interval that holds the square of d + margin, for squares of d that are `errors` from the truth at most."""
    points, gram = judge.points, judge.gram
    low, high = np.maximum(squares - errors, 0.0), squares + errors
    if not margin:
        return low, high
    low = _turned(low, margin, -TURNED) if points.is_angle else plus_margin(points, gram, low, margin)
    high = plus_margin(points, gram, high, margin)
    low *= 1 - _rounding(points)
    low -= TINY
    np.maximum(low, 0.0, out=low)
    high = widened(points, high)
    if gram.is_exact:
        is_whole = _is_whole(points, gram, squares, margin)
        middle = plus_margin(points, gram, squares, margin)
        low, high = np.where(is_whole, middle, low), np.where(is_whole, middle, high)
    return low, high


def plus_margin(points: Points, gram: Gram, squares: np.ndarray, margin: float) -> np.ndarray:
    """The square of d + margin for the square of d; of an angle no less, and HUGE where the sum is past a half turn."""
    if points.is_angle:
        return _turned(squares, margin, TURNED)
    if points.power == 1:
        return squares + points.square_of(margin)
    shifted: np.ndarray = np.sqrt(squares) if points.is_root else squares ** (1 / points.power)
    shifted += min(gram.scaled(margin), HUGE ** (1 / points.power))
    shifted **= 2 if points.is_root else points.power
    return shifted


def minus_margin(points: Points, gram: Gram, squares: np.ndarray, margin: float) -> np.ndarray:
    """The square of a distance that is surely below any d whose sum with the margin reaches the root of these."""
    if points.is_angle:
        is_near = squares <= 2 - 2 * math.cos(min(margin, math.pi)) + TURNED
        return np.where(is_near, -TINY, _chord(np.minimum(squares, 4.0), -margin) - TURNED)
    rounding = _rounding(points)
    if points.power == 1:
        return squares - points.square_of(margin) - rounding * (squares + points.square_of(margin)) - TINY
    roots = np.sqrt(squares) if points.is_root else squares ** (1 / points.power)
    shifted = roots * (1 - rounding) - min(gram.scaled(margin), HUGE ** (1 / points.power)) * (1 + rounding)
    low: np.ndarray = np.maximum(shifted, 0.0) ** points.power * (1 - rounding) - TINY
    return low


def _turned(squares: np.ndarray, margin: float, room: float) -> np.ndarray:
    """The squared chord of an angle and a margin, and `room`; HUGE where the sum is past a half turn, and so surely if
    the room is below 0."""
    is_past = (squares >= 2 + 2 * math.cos(min(margin, math.pi)) - room) | (margin > math.pi)
    return np.where(is_past, HUGE, _chord(squares, margin) + room)


def _chord(squares: np.ndarray, angle: float) -> np.ndarray:
    """The squared chord of the angle of one and another."""
    cosines, sines = 1 - squares / 2, np.sqrt(np.maximum(squares * (1 - squares / 4), 0.0))
    turned: np.ndarray = 2 - 2 * (cosines * math.cos(angle) - sines * math.sin(angle))
    return turned


def _rounding(points: Points) -> float:
    """More than the power of a rounded sum of a rounded root can be off, and what it is compared with, relatively."""
    return (
        ROUNDING * max(1.0, points.power)
        + 8 * points.gram.spread
        + (0.0 if points.is_root or points.power == 1 else ROOTS)
    )


def widened(points: Points, high: np.ndarray) -> np.ndarray:
    """Upper ends of squares, with room for the rounding of `plus_margin`."""
    high *= 1 + _rounding(points)
    high += TINY
    return high


def _is_whole(points: Points, gram: Gram, squares: np.ndarray, margin: float) -> np.ndarray:
    """Where d and the margin are whole numbers, and so the square of their sum is exact."""
    is_whole: np.ndarray = np.full(squares.shape, False)
    if gram.spread or (points.power != 1 and not points.is_root):
        return is_whole
    step = points.square_of(margin) if points.power == 1 else gram.scaled(margin)
    if not step < 2.0**53 or step != float(round(step)):
        return is_whole
    if gram.length != 1.0:
        power = 2 if points.is_root else 1
        size = Fraction(margin) * (2 if points.metric == "cosine" else 1)
        if Fraction(step) ** power != size**power * Fraction(gram.length):
            return is_whole  # it was rounded to a whole number
    if points.power == 1:
        is_whole = squares + step < 2.0**53
    else:
        root = np.sqrt(squares)
        is_whole = (root + step < 2.0**26) & (root == np.rint(root))
    return is_whole


def signs(
    judge: Judge, anchor: int, j: np.ndarray, positives: np.ndarray, negatives: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The signs of d_an - (d_ap + margins[j]) for triplets of one anchor, (M,): 0 for points that are alike, else by
    differences, then by integers, once for all triplets that are alike; and which were left to float64."""
    near, far = np.split(judge.alike(anchor, np.concatenate([positives, negatives])), 2)
    is_open = np.flatnonzero((j > 0) | (near != far))
    sides = np.zeros(len(j), np.int64)
    if not len(is_open):
        return sides, is_open
    (near, p), (far, q) = (distinct(side[is_open], len(judge.points.rows)) for side in (near, far))
    shape = len(judge.margins), len(near), len(far)
    kinds, kind = distinct(np.ravel_multi_index((j[is_open], p, q), shape), math.prod(shape))
    j, p, q = np.unravel_index(kinds, shape)
    squares = judge.gram.direct(np.full(len(near) + len(far), anchor), np.concatenate([near, far]))
    d_ap, d_an = np.split(squares, [len(near)])
    near_errors, errors = map(judge.gram.direct_errors, (d_ap, d_an))
    low, high = np.stack([interval(judge, d_ap, near_errors, margin) for margin in judge.margins], axis=1)
    of_kinds = ((d_an - errors)[q] > high[j, p]).astype(np.int64) - ((d_an + errors)[q] < low[j, p])
    unsure = np.flatnonzero(of_kinds == 0)
    settled = max(0, int(judge.budget - judge.spent[anchor]))
    judge.spent[anchor] += len(unsure)
    for at in unsure[:settled].tolist():
        of_kinds[at] = judge.exact.compare(anchor, int(near[p[at]]), int(far[q[at]]), judge.margins[j[at]])
    left = unsure[settled:]
    of_kinds[left] = np.sign(d_an[q[left]] - (low + high)[j[left], p[left]] / 2)
    sides[is_open] = of_kinds[kind]
    is_guessed = np.zeros(len(kinds), bool)
    is_guessed[left] = True
    return sides, is_open[is_guessed[kind]]


def distinct(numbers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The different ones of (M,) whole numbers below `count`, ascending, and which of these each is."""
    if count > CROWDED * len(numbers):
        different, place = np.unique(numbers, return_inverse=True)
        return different, place
    places = np.zeros(count, np.int64)
    places[numbers] = 1
    different = np.flatnonzero(places)
    places[different] = np.arange(len(different))
    return different, places[numbers]
