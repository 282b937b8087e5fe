"""The bootstrap of what is made of sums over rows (a mean, a quotient, a root ...), streaming.

A row has k columns, the divisor last, and gets a Poisson weight for each resample (`draws`), so sums of blocks merge
and no resample is ever stored: some 16 k bytes a resample, whatever the number of rows. The acceleration of BCa comes
from the second and third moments of the rows' influence, which merge too. All sums are exact (`grid`, `rows.sums`), so
neither the order of the rows nor where they are cut moves a digit.
Sources: Efron, Better bootstrap confidence intervals, 1987; Chamandy et al., Estimating uncertainty for massive data
streams, 2012 (Poisson weights).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import combinations_with_replacement, permutations
from typing import Literal, NamedTuple

import numpy as np

from ..language.rounding import two_product
from ..rows.sums import UNIT_EXPONENT, Total, count, total
from . import draws, student
from .draws import Draws
from .grid import GridSums

Method = Literal["bca", "percentile"]
FEWEST, FEW, MANY = 10.0, 20.0, 1e4  # effective units: t below; a remark below; no correction above
SEVERAL, SKEWED = 100.0, 1.0  # a remark for fewer effective units whose influence is more skewed
HEAVY = 0.3  # the skewness of the influence over the root of n, from which on there is a remark for any n
ROUNDING = 1e-13  # of a value: what resamples of equal rows differ by
EPS, CANCELLED = 2.0**-53, 0.5  # of the a of BCa: what rounding may do to 6 a
SMALLEST = 2.0**-630  # squares of influences whose cubes are numbers
WIDEST = 1 - 2.0**-52  # of levels
AT_ONCE = 1 << 15  # rows whose products stay in the cache
NOTHING = Total()
HALVINGS = 50  # of the levels between which 0 leaves an interval
METHODS: tuple[Method, ...] = ("bca", "percentile")


class Moments(NamedTuple):
    """Sums over rows of the products of two and of three of their columns, which are u = v - centre * w, and w at last.

    centre: of each column but the last, (k - 1,);  pairs: (k, k);  triples: (k, k, k);  n: how many rows
    """

    centre: np.ndarray
    pairs: np.ndarray
    triples: np.ndarray
    n: int

    def influence(self, slopes: np.ndarray) -> Influence:
        """That of the rows on a value, whose derivatives by the sum of each centred column are `slopes`, (k,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(slopes @ self.pairs @ slopes)
            cubes = float(np.einsum("i,j,k,ijk->", slopes, slopes, slopes, self.triples, optimize=True))
            parts = float(np.abs(slopes) @ np.sqrt(np.abs(np.diag(self.pairs))))
            if squares > 0 and self.n and EPS * (parts / math.sqrt(squares)) ** 3 > CANCELLED * math.sqrt(self.n):
                cubes = math.nan
        return Influence(squares, cubes, self.n)


class Powers(NamedTuple):
    """Exact sums over rows of the products of two and of three of their k columns, the divisor last; they merge.

    pairs: of the columns i <= j, in order;  triples: of i <= j <= l;  n: how many rows
    """

    width: int
    pairs: tuple[Total, ...]
    triples: tuple[Total, ...]
    n: int

    def merge(self, other: Powers) -> Powers:
        """Those of two sets of rows together."""
        return Powers(
            self.width,
            tuple(map(_sum, self.pairs, other.pairs)),
            tuple(map(_sum, self.triples, other.triples)),
            self.n + other.n,
        )

    def about(self, centre: np.ndarray) -> Moments:
        """The moments about a centre, (k - 1,), each rounded once; nan where a value or the centre is no number."""
        k = self.width
        pairs, triples = np.full((k, k), math.nan), np.full((k, k, k), math.nan)
        if np.isfinite(centre).all() and all(total.is_finite for total in self.pairs):
            ratios = [mean.as_integer_ratio() for mean in centre.tolist()]
            bits = max((bottom.bit_length() - 1 for _, bottom in ratios), default=0)
            c = [top * (1 << bits) // bottom for top, bottom in ratios] + [0]
            self._pairs_about(c, bits, pairs)
            if all(total.is_finite for total in self.triples):
                self._triples_about(c, bits, triples)
        return Moments(centre, pairs, triples, self.n)

    def _pairs_about(self, c: list[int], bits: int, result: np.ndarray) -> None:
        """c: the centre, and 0, in units of 2^-bits"""
        w = self.width - 1
        v = {key: total.units for key, total in zip(_pairs(self.width), self.pairs, strict=True)}
        for i, j in _pairs(self.width):
            units = (((v[i, j] << bits) - c[i] * v[j, w] - c[j] * v[i, w]) << bits) + c[i] * c[j] * v[w, w]
            result[i, j] = result[j, i] = _rounded(units, 2 * bits)

    def _triples_about(self, c: list[int], bits: int, result: np.ndarray) -> None:
        w = self.width - 1
        v = {key: total.units for key, total in zip(_triples(self.width), self.triples, strict=True)}
        idle = {i for i in range(w) if not c[i] and not any(v[min(i, j), max(i, j), w] for j in range(self.width))}
        result.fill(0.0)
        for (i, j, m), units in v.items():
            if not units and (i in idle or j in idle or m in idle):
                continue
            once = c[i] * v[j, m, w] + c[j] * v[i, m, w] + c[m] * v[i, j, w]
            twice = c[i] * c[j] * v[m, w, w] + c[i] * c[m] * v[j, w, w] + c[j] * c[m] * v[i, w, w]
            units = (((((units << bits) - once) << bits) + twice) << bits) - c[i] * c[j] * c[m] * v[w, w, w]
            for place in set(permutations((i, j, m))):
                result[place] = _rounded(units, 3 * bits)


def _sum(a: Total, b: Total) -> Total:
    return (a + b if a != NOTHING else b) if b != NOTHING else a


def _pairs(k: int) -> Iterator[tuple[int, int]]:
    return combinations_with_replacement(range(k), 2)


def _triples(k: int) -> Iterator[tuple[int, int, int]]:
    return combinations_with_replacement(range(k), 3)


def _rounded(units: int, bits: int) -> float:
    try:
        return units / (1 << (UNIT_EXPONENT + bits))
    except OverflowError:
        return math.inf if units > 0 else -math.inf


class Influence(NamedTuple):
    """What single rows (or clusters) do to a value: sums of the squares and cubes of their influences.

    units: how many of them there are;  by_cluster: the influence of each cluster, None for rows
    """

    squares: float
    cubes: float
    units: int
    by_cluster: dict[str, float] | None = None

    @classmethod
    def of_clusters(cls, by_cluster: dict[str, float]) -> Influence:
        """From the influence of each cluster."""
        values = by_cluster.values()
        return cls(sum(e * e for e in values), sum(e * e * e for e in values), len(by_cluster), by_cluster)

    @property
    def acceleration(self) -> float:
        """The a of BCa."""
        return skewness(self.squares, self.cubes)

    def times(self, factor: float) -> Influence:
        """On the value times a factor."""
        if self.by_cluster is not None:
            return Influence.of_clusters({name: factor * e for name, e in self.by_cluster.items()})
        return Influence(factor * factor * self.squares, factor * factor * factor * self.cubes, self.units)

    def plus(self, other: Influence) -> Influence:
        """On the sum of two values, of different rows, but perhaps of the same clusters."""
        if self.by_cluster is None or other.by_cluster is None:
            return Influence(self.squares + other.squares, self.cubes + other.cubes, self.units + other.units)
        more = {name: self.by_cluster.get(name, 0.0) + e for name, e in other.by_cluster.items()}
        return Influence.of_clusters({**self.by_cluster, **more})


class Ends(NamedTuple):
    """An interval, and the method that made it."""

    method: str
    low: float
    high: float


class Spread(NamedTuple):
    """The bootstrap of one value: how it varies, and what BCa needs.

    value: of all rows;  resampled: of each resample, (resamples,);  held: which resamples hold any row
    acceleration: of BCa;  influence: of the rows or clusters on the value
    effective: how many units of equal weight tell as much; infinite for no correction for their number
    is_at_end: whether the value is so near an end of what it can be that it does not vary as sums do
    """

    value: float
    resampled: np.ndarray
    held: np.ndarray
    acceleration: float
    influence: Influence
    effective: float = math.inf
    is_at_end: bool = False

    def ends(self, level: float, method: Method) -> Ends:
        """The interval of the value; nan where there is none (see `remark`).

        From few units Student's t of their influence; from more the bootstrap, whose level is widened as t is wider
        than the normal distribution (Hesterberg, What teachers should know about the bootstrap, 2015).
        """
        if self.influence.units == 1:
            return Ends(method, math.nan, math.nan)
        if self.is_constant:
            return Ends(method, self.value, self.value)
        if self.is_at_end:
            return Ends(method, math.nan, math.nan)
        wide = level if self.effective < FEWEST else widened(level, self.effective)
        if self.effective < FEWEST or 1 - wide < self.finest:
            reach = self.of_units * student.quantile(level, max(1.0, self.effective - 1))
            return Ends("t", self.value - reach, self.value + reach)
        return Ends(method, *self.read(wide, method))

    def read(self, level: float, method: Method) -> tuple[float, float]:
        """What the resamples themselves say at a level, whatever the number of units."""
        if self.is_constant:
            return self.value, self.value
        return interval(self.resampled[self.held], self.value, level, method, self.acceleration)

    def interval(self, level: float, method: Method) -> tuple[float, float]:
        """(low, high) of `ends`."""
        return self.ends(level, method)[1:]

    @property
    def in_range(self) -> Spread:
        """The same, without what the units do to the value where float64 does not hold their squares."""
        if SMALLEST <= self.influence.squares < math.inf or self.is_constant:
            return self
        return self._replace(acceleration=math.nan, influence=Influence(math.nan, math.nan, self.influence.units))

    @property
    def is_constant(self) -> bool:
        """Whether no resample moves the value by more than rounding."""
        resampled = self.resampled[self.held]
        if not len(resampled) or not np.isfinite(resampled).all():
            return False
        return bool(max(self.value - resampled.min(), resampled.max() - self.value) <= ROUNDING * abs(self.value))

    @property
    def standard_error(self) -> float:
        """The standard deviation of the resampled value, of few units that of the mean; nan where it has none."""
        if self.influence.units == 1:
            return math.nan
        if self.is_constant:
            return 0.0
        if self.effective < FEWEST:
            return self.of_units
        resampled = self.resampled[self.held]
        if len(resampled) < 2 or not np.isfinite(resampled).all():
            return math.nan
        with np.errstate(over="ignore"):
            return float(resampled.std(ddof=1))

    @property
    def of_units(self) -> float:
        """The standard error by what single units do to the value; nan for a single one."""
        squares, effective = self.influence.squares, self.effective
        few = effective / (effective - 1) if effective < math.inf else 1.0
        return math.sqrt(squares * few) if effective > 1 else math.nan

    @property
    def finest(self) -> float:
        """What a level must leave out at least, for resamples to tell it."""
        return 1 / (len(self.resampled) + 1)

    @property
    def remark(self) -> str:
        """Why there is no interval, or what it rests on where that is little; "" for nothing to say."""
        if not math.isfinite(self.value):
            return ""
        if self.influence.units == 1:
            return "no interval of a single unit"
        if self.is_constant:
            return "an interval of no width: all units are alike, which does not show that others would be"
        if self.is_at_end:
            return "no interval: the value is at an end of what it can be, where it does not vary as sums do"
        if math.isnan(self.acceleration) and math.isfinite(self.influence.squares):
            return (
                "no BCa interval: its correction cancels beyond float64; use --ci-method percentile, or subtract a "
                "constant near the mean from the columns"
            )
        if self.effective < FEW:
            way = ", and is by Student's t" if self.effective < FEWEST else ""
            return f"the interval rests on {self.influence.units} units (effective n {self.effective:.3g}){way}"
        if 6 * abs(self.acceleration) > HEAVY:
            return (
                f"a few rows make up much of the value (skewness {self.skewness:.2g} of {self.influence.units}): 95 % "
                "intervals of such hold 85 to 93 % of truths"
            )
        if self.effective < SEVERAL and self.skewness > SKEWED:
            return f"few and skewed rows (skewness {self.skewness:.2g}): 95 % intervals of such hold 93 % of truths"
        return ""

    @property
    def skewness(self) -> float:
        """How skewed the influence of the units is, without its sign."""
        return 6 * abs(self.acceleration) * math.sqrt(min(self.effective, self.influence.units))


def widened(level: float, effective: float) -> float:
    """The level at which a normal distribution reaches as far as Student's t and the loss of a degree do."""
    if not math.isfinite(effective) or effective > MANY:
        return level
    reach = student.quantile(level, effective - 1) * math.sqrt(effective / (effective - 1))
    return min(math.erf(reach / math.sqrt(2)), WIDEST)


def narrowed(p: float, effective: float) -> float:
    """The p-value whose level `widened` widens to 1 - p."""
    if not math.isfinite(effective) or effective > MANY:
        return p
    from statistics import NormalDist

    reach = -NormalDist().inv_cdf(p / 2)
    return student.two_sided(reach * math.sqrt((effective - 1) / effective), effective - 1)


class Sample(NamedTuple):
    """What the bootstrap keeps of some rows; samples of different rows merge.

    sums: of each column in each resample, (resamples, k)
    """

    sums: GridSums
    moments: Powers

    def merge(self, other: Sample) -> Sample:
        """The sample of two sets of rows together."""
        return Sample(self.sums + other.sums, self.moments.merge(other.moments))


def sample(asked: Draws, numbers: np.ndarray, columns: np.ndarray) -> Sample:
    """The sample of some rows, which `numbers` (n,) name. columns: what is added up, (n, k), the divisor last"""
    return Sample(draws.resample_sums(asked, numbers, columns), moments(columns))


def moments(columns: np.ndarray) -> Powers:
    """The products of the columns of some rows, (n, k), added up; of a few rows at a time, which bounds the memory."""
    starts = range(0, max(1, len(columns)), AT_ONCE)
    return reduce(Powers.merge, (_moments(columns[start : start + AT_ONCE]) for start in starts))


def _moments(columns: np.ndarray) -> Powers:
    n, k = columns.shape
    by_column = np.ascontiguousarray(columns.T)
    ones = {at for at, column in enumerate(by_column) if (column == 1).all()}
    own = [at for at, column in enumerate(by_column) if at not in ones and column.any()]
    sums: dict[tuple[int, ...], Total] = {(): count(n)}
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for first, i in enumerate(own):
            sums[i,] = total(by_column[i])
            for second, j in enumerate(own[first:], first):
                product, lost = two_product(by_column[i], by_column[j])
                sums[i, j] = total(product) + total(lost)
                for m in own[second:]:
                    third, rest = two_product(product, by_column[m])
                    sums[i, j, m] = total(third) + total(rest) + total(lost * by_column[m])

    def of(key: tuple[int, ...]) -> Total:
        return sums.get(tuple(at for at in key if at not in ones), NOTHING)

    return Powers(k, tuple(map(of, _pairs(k))), tuple(map(of, _triples(k))), n)


def skewness(squares: float, cubes: float) -> float:
    """sum e^3 / (6 (sum e^2)^1.5), the a of BCa; 0 where nothing varies, nan where the sums leave float64."""
    if not (math.isfinite(squares) and math.isfinite(cubes)) or 0 < squares < SMALLEST:
        return math.nan
    return float(cubes / squares / math.sqrt(squares) / 6) if squares > 0 else 0.0


def interval(
    resampled: np.ndarray, value: float, level: float, method: Method, accelerated: float
) -> tuple[float, float]:
    """(low, high) of the statistic `value` from its resamples, (resamples,); nan where the method has no answer.

    accelerated: the a of BCa
    """
    if not len(resampled) or not math.isfinite(value) or not np.isfinite(resampled).all():
        return math.nan, math.nan
    tail = (1 - level) / 2
    tails = (tail, 1 - tail)
    if method == "bca":
        tails = _corrected(resampled, value, tails, accelerated)
        if any(math.isnan(share) for share in tails):
            return math.nan, math.nan
    low, high = np.quantile(resampled, tails)
    return float(low), float(high)


def _corrected(
    resampled: np.ndarray, value: float, tails: tuple[float, float], accelerated: float
) -> tuple[float, float]:
    """The shares at which BCa reads the resamples. Efron 1987, equation 3.9"""
    from statistics import NormalDist

    lower, upper = int(np.count_nonzero(resampled < value)), int(np.count_nonzero(resampled > value))
    if (lower == 0) != (upper == 0) or not math.isfinite(accelerated):
        return math.nan, math.nan  # the value is at an end of what it can be: a shift tells nothing
    below = (len(resampled) + lower - upper) / (2 * len(resampled))
    normal = NormalDist()
    bias = normal.inv_cdf(below)

    def moved(share: float) -> float:
        z = bias + normal.inv_cdf(share)
        spread = 1 - accelerated * z
        return normal.cdf(bias + z / spread) if spread > 0 else math.nan

    return moved(tails[0]), moved(tails[1])


def p_of_zero(spread: Spread, method: Method) -> float:
    """1 - the largest level at which the interval leaves 0 out; nan where there is no interval.

    At least what resamples can tell.
    """

    def leaves_out(level: float) -> bool:
        low, high = spread.read(level, method)
        return low > 0 or high < 0

    return narrowed(_smallest_p(spread, method, leaves_out), spread.effective)


def p_beyond_zero(spread: Spread, method: Method) -> float:
    """One-sided, that the value is not below 0: half of what two-sided intervals that end below 0 leave out."""
    is_below = spread.value < 0

    def ends_before(level: float) -> bool:
        low, high = spread.read(level, method)
        return high < 0 if is_below else low > 0

    p = narrowed(_smallest_p(spread, method, ends_before), spread.effective) / 2
    return p if is_below else 1 - p


def _smallest_p(spread: Spread, method: Method, leaves_out: Callable[[float], bool]) -> float:
    """1 - the largest level of which something holds that holds of all lower ones; nan where there is no interval."""
    if math.isnan(spread.read(0.5, method)[0]):
        return math.nan
    outside, inside = 1.0, spread.finest  # as p-values: the narrowest interval, a point, and the widest
    if leaves_out(1 - inside):
        return inside
    for _ in range(HALVINGS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if leaves_out(1 - middle) else (outside, middle)
    return outside


def jackknife_acceleration(left_out: np.ndarray) -> float:
    """The a of BCa from the values that leave one unit out, (n,); 0 where they are all alike."""
    if len(left_out) < 2:
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        gap = left_out.mean() - left_out
        largest = float(np.abs(gap).max())
        gap = gap / largest if 0 < largest < math.inf else gap
        return skewness(float((gap * gap).sum()), float((gap**3).sum()))
