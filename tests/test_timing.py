import math
import random
from itertools import permutations

import pytest

from lossctl.bench.timing import Timing, Verdict, _mann_whitney, compare, summarize


def noisy(seed: int, *, seconds: float = 1.0, n: int = 15, noise: float = 0.02) -> list[float]:
    """Times as they are measured: skewed to the slow side, one in ten disturbed."""
    source = random.Random(seed)
    return [seconds * (1 + source.expovariate(1 / noise) + (source.random() < 0.1) * source.random()) for _ in range(n)]


def test_summary_of_known_samples() -> None:
    assert summarize([4.0, 1.0, 3.0, 2.0, 100.0]) == Timing(median=3.0, spread=2.0, minimum=1.0, n=5)
    assert summarize([0.25]) == Timing(median=0.25, spread=0.0, minimum=0.25, n=1)


@pytest.mark.parametrize("samples", [[], [0.0], [-1.0], [1.0, math.nan], [math.inf]])
def test_only_positive_finite_times_are_summarized(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        summarize(samples)
    with pytest.raises(ValueError, match="positive"):
        compare([1.0], samples)


@pytest.mark.parametrize(("threshold", "confidence"), [(-0.1, 0.95), (math.nan, 0.95), (0.1, 1.0), (0.1, 0.0)])
def test_a_comparison_needs_a_threshold_and_a_confidence(threshold: float, confidence: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        compare([1.0], [1.0], threshold=threshold, confidence=confidence)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 3), (4, 3), (1, 5)])
def test_rank_distribution_is_that_of_all_orders(n: int, m: int) -> None:
    counts = [0] * (n * m + 1)
    for order in set(permutations([0] * n + [1] * m)):
        counts[sum(a > b for i, a in enumerate(order) for b in order[i:])] += 1
    assert _mann_whitney(n, m) == counts


def test_interval_of_four_against_four() -> None:
    # P(U <= 0) = 1/70 and P(U <= 1) = 2/70: at 95 % only the extreme ratio lies outside what must be covered.
    found = compare([8.0, 16.0, 32.0, 64.0], [1.0, 1.0, 1.0, 1.0])
    assert (found.low, found.high) == (7.0, 63.0)
    assert found.difference == 23.0
    assert found.verdict is Verdict.SLOW


def test_three_against_three_prove_nothing_at_95_percent() -> None:
    found = compare([100.0, 100.0, 100.0], [1.0, 1.0, 1.0])
    assert (found.low, found.high, found.verdict) == (-1.0, math.inf, Verdict.AMBIGUOUS)
    assert found.difference == 99.0


@pytest.mark.parametrize(
    ("factor", "threshold", "verdict"),
    [(1.0, 0.1, Verdict.SAME), (1.3, 0.1, Verdict.SLOW), (0.7, 0.1, Verdict.FAST), (1.1, 0.1, Verdict.AMBIGUOUS)],
)
@pytest.mark.parametrize("n", [15, 40])
def test_verdicts_on_noise(factor: float, threshold: float, verdict: Verdict, n: int) -> None:
    found = [
        compare(noisy(seed, seconds=factor, n=n), noisy(1000 + seed, n=n), threshold=threshold).verdict
        for seed in range(40)
    ]
    assert found.count(verdict) >= 36


def test_the_interval_covers_the_truth_as_often_as_promised() -> None:
    covered = 0
    for seed in range(400):
        found = compare(noisy(seed, seconds=1.2, n=8), noisy(5000 + seed, n=8), confidence=0.9)
        covered += found.low <= 0.2 <= found.high
    assert covered >= 0.9 * 400 - 3 * math.sqrt(400 * 0.9 * 0.1)


def test_swapping_the_sets_turns_the_verdict() -> None:
    slow, fast = noisy(1, seconds=2.0), noisy(2)
    forth, back = compare(slow, fast), compare(fast, slow)
    assert (forth.verdict, back.verdict) == (Verdict.SLOW, Verdict.FAST)
    assert 1 + back.low == pytest.approx(1 / (1 + forth.high))


def test_order_and_unit_do_not_matter() -> None:
    samples, baseline = noisy(3), noisy(4)
    milliseconds = [1000 * sample for sample in samples], [1000 * sample for sample in baseline]
    assert compare(*milliseconds).difference == pytest.approx(compare(samples, baseline).difference)
    assert compare(sorted(samples), baseline) == compare(samples, baseline)
