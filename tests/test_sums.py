"""Sums are exact while they add up and rounded once at the end: in any order, block by block, whatever the values."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lossctl.rows import sums

LARGEST, SMALLEST = 1.7976931348623157e308, 5e-324

rng = np.random.default_rng(11)
VALUES = {
    "ordinary": rng.normal(0, 1, 1000),
    "one": np.array([0.1]),
    "zeros of both signs": np.array([0.0, -0.0, 0.0]),
    "a zero below 0 among others": np.array([1.5, -0.0, 1e-40, -0.0]),
    "subnormal": rng.integers(-(2**40), 2**40, 500) * SMALLEST,
    "smallest": np.array([SMALLEST, SMALLEST, -SMALLEST]),
    "where normal numbers end": np.array([2.0**-1022, -(2.0**-1022) + SMALLEST, 2.0**-1021]),
    "huge": rng.normal(0, 1, 300) * 1e305,
    "largest, cancelling": np.array([LARGEST, LARGEST, -LARGEST, 1.0, -LARGEST]),
    "around the grid's own limits": np.array([2.0**899, 2.0**900, -(2.0**901), 2.0**800, 3.0**500, -1.0]),
    "all magnitudes": rng.normal(0, 1, 2000) * 10.0 ** rng.uniform(-320, 307, 2000),
    "cancelling": np.array([1e16, 1.0, -1e16, 1e-16]),
    "half way between two": np.array([2.0**53, 1.0, 2.0**-300]),
    "all bits set": np.full(1 << 16, np.nextafter(2.0, 1)),
    "more than a chunk": rng.normal(0, 1, (1 << 16) + 3) * 1e100,
    "just below a power of two": np.full(5000, -np.nextafter(1.0, 0)),
}
VALUES |= {  # what the grid of 0.75 leaves of each: just under half a step, in so many bits
    f"rests of {bits} bits": np.r_[0.75, np.full((1 << 15) - 1, 2.0 ** (5 - bits) + 2.0**-48 - 2.0 ** (-47 - bits))]
    for bits in (39, 40)
}
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


def exactly(values: np.ndarray) -> Fraction:
    """The sum as a fraction. Powers of two in common keep it fast."""
    pairs = [value.as_integer_ratio() for value in values.ravel().tolist()]
    common = max((bottom for _, bottom in pairs), default=1)
    return Fraction(sum(top * (common // bottom) for top, bottom in pairs), common)


def fraction(total: sums.Total) -> Fraction:
    return Fraction(total.units, 1 << 1074)


@pytest.mark.parametrize("name", VALUES)
def test_a_sum_is_exact(name: str) -> None:
    assert fraction(sums.total(VALUES[name])) == exactly(VALUES[name])
    assert fraction(sums.total(np.tile(VALUES[name], 25)[:100_000])) == exactly(np.tile(VALUES[name], 25)[:100_000])


@given(arrays(np.float64, st.integers(0, 60), elements=finite))
def test_any_sum_is_exact(values: np.ndarray) -> None:
    """Of few, whose rounded sum is taken off until nothing is left, and of many."""
    assert fraction(sums.total(values)) == exactly(values)
    assert fraction(sums.total(np.tile(values, 25))) == 25 * exactly(values)


@pytest.mark.parametrize("name", VALUES)
def test_a_sum_is_rounded_once(name: str) -> None:
    try:
        nearest = math.fsum(VALUES[name].tolist())
    except OverflowError:  # fsum cannot pass through what is too large on the way
        nearest = float(exactly(VALUES[name]))
    assert float(sums.total(VALUES[name])) == nearest


@pytest.mark.parametrize("name", VALUES)
def test_order_layout_and_blocks_change_nothing(name: str) -> None:
    values = VALUES[name]
    whole = sums.total(values)
    spread = np.zeros((values.size, 3))
    spread[:, 1] = values
    half = values.size // 2
    assert sums.total(rng.permutation(values)) == whole
    assert sums.total(values[::-1]) == whole
    assert sums.total(spread[:, 1]) == whole
    assert sums.total(np.asfortranarray(spread)) == whole
    assert sums.total(values[:half]) + sums.total(values[half:]) == whole
    assert sum((sums.total(part) for part in np.array_split(values, 7)), sums.Total()) == whole


@given(st.lists(arrays(np.float64, st.integers(0, 9), elements=st.floats(width=64)), max_size=5), st.randoms())
def test_merging_is_a_sum_in_any_order(parts: list[np.ndarray], random: object) -> None:
    totals = [sums.total(part) for part in parts]
    whole = sums.total(np.concatenate([np.zeros(0), *parts]))
    random.shuffle(totals)  # type: ignore[attr-defined]
    assert sum(totals, sums.Total()) == whole


def test_the_input_is_left_alone() -> None:
    values = VALUES["all magnitudes"].copy()
    sums.total(values)
    assert np.array_equal(values, VALUES["all magnitudes"])


@pytest.mark.parametrize(
    ("values", "result"),
    [
        ([], 0.0),
        ([math.inf, 1.0, LARGEST], math.inf),
        ([-math.inf, LARGEST, LARGEST], -math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.nan, 1.0], math.nan),
        ([math.nan, math.inf], math.nan),
        ([LARGEST, LARGEST], math.inf),
        ([-LARGEST, -LARGEST], -math.inf),
        ([LARGEST, 2.0**969], LARGEST),
        ([LARGEST, 2.0**970], math.inf),
        ([SMALLEST / 2, -0.0], 0.0),
    ],
)
def test_what_no_fraction_can_say(values: list[float], result: float) -> None:
    for rest in (0, 25):
        value = float(sums.total(np.array([*values, *[0.0] * rest])))
        assert value == result or (math.isnan(value) and math.isnan(result))


def test_infinities_do_not_hide_the_rest() -> None:
    for rest in (0, 25):
        total = sums.total(np.array([1.5, math.inf, -math.inf, math.nan, 2.0, *[0.0] * rest]))
        assert (fraction(total), total.infinities, total.minus_infinities, total.nans) == (Fraction(7, 2), 1, 1, 1)


@given(arrays(np.float64, st.integers(1, 40), elements=finite), st.integers(1, 10**9))
def test_a_mean_is_rounded_once(values: np.ndarray, n: int) -> None:
    truth = exactly(values) / n
    try:
        nearest = float(truth)
    except OverflowError:
        nearest = math.inf if truth > 0 else -math.inf
    assert sums.total(values) / sums.count(n) == nearest


@given(
    arrays(np.float64, 9, elements=st.floats(-1e300, 1e300)),
    arrays(np.float64, 9, elements=st.floats(0, 1e300, exclude_min=True)),
)
def test_a_weighted_mean_is_a_quotient_of_exact_sums(values: np.ndarray, weights: np.ndarray) -> None:
    truth = exactly(values) / exactly(weights)
    if abs(truth) < 10**308:
        assert sums.total(values) / sums.total(weights) == float(truth)


@pytest.mark.parametrize(
    ("over", "under", "result"),
    [
        ([1.0], [0.0], math.inf),
        ([-1.0], [0.0], -math.inf),
        ([0.0], [0.0], math.nan),
        ([math.inf], [2.0], math.inf),
        ([math.inf], [math.inf], math.nan),
        ([math.nan], [0.0], math.nan),
        ([LARGEST], [SMALLEST], math.inf),
        ([-LARGEST], [SMALLEST], -math.inf),
        ([SMALLEST], [LARGEST], 0.0),
    ],
)
def test_quotients_at_the_ends(over: list[float], under: list[float], result: float) -> None:
    value = sums.total(np.array(over)) / sums.total(np.array(under))
    assert value == result or (math.isnan(value) and math.isnan(result))


def test_plain_sums_would_be_caught() -> None:
    """The same claims about numpy's own sum fail on the same data, so the claims can fail."""
    values = VALUES["all magnitudes"][np.abs(VALUES["all magnitudes"]) < 1e16]
    assert len({float(np.sum(rng.permutation(values))) for _ in range(20)}) > 1
    assert len({float(sums.total(rng.permutation(values))) for _ in range(20)}) == 1
    assert Fraction(float(np.sum(VALUES["cancelling"]))) != exactly(VALUES["cancelling"])
    parts = np.array_split(VALUES["ordinary"], 7)
    assert sum(float(part.sum()) for part in parts) != math.fsum(VALUES["ordinary"].tolist())
