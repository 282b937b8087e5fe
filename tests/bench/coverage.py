"""How often intervals hold the truth, and p is below .05: python tests/bench/coverage.py > tests/bench/coverage_DATE.md

--simulations N   data sets of each line (default 1000; sets of embeddings get a fifth)
--only TEXT       lines whose name holds the text
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from lossctl import triplets
from lossctl.api import compare, compute
from lossctl.language import registry
from lossctl.resampling import shares
from lossctl.sets.triplets import breakdown_of_some
from lossctl.version import __version__

LEVEL, RESAMPLES = 0.95, 999
SET_LOSSES = (
    "batch-all", "batch-hard", "semi-hard", "contrastive-pairs", "multi-similarity", "circle:gamma=8", "info-nce",
    "nt-xent", "supcon",
)  # fmt: skip
Rng = np.random.Generator
Answer = tuple[float, float, float]  # low, high, and the truth; nan for the mean of all values


class Line(NamedTuple):
    """A line of the table: what is sampled n at a time, and what is made of it."""

    name: str
    sizes: tuple[int, ...]
    answer: Callable[[Rng, int, int], Answer]
    share: float = 1.0


def _interval(spec: str, inputs: list[np.ndarray], seed: int, which: int = 0, weight=None, **side) -> tuple:  # type: ignore[no-untyped-def]
    requests = [compute.Request(registry.parse(spec), {}, inputs, side.pop("named", None))]
    with compute.prepared(requests, side=compute.Side(**side), weight=weight, jobs=1) as shared:
        result = compute.results(shared, compute.Confidence(LEVEL, "bca", RESAMPLES, seed))[which]
    assert result.ci is not None
    return result.ci.low, result.ci.high, result.value


def normal(rng: Rng, n: int, seed: int) -> Answer:
    """Losses of normal rows."""
    return (*_interval("mean-error", [np.zeros(n), rng.normal(size=n)], seed)[:2], 0.0)


def skewed(rng: Rng, n: int, seed: int) -> Answer:
    """Exponential losses."""
    return (*_interval("mean-error", [np.zeros(n), rng.exponential(size=n)], seed)[:2], 1.0)


def rmse(rng: Rng, n: int, seed: int) -> Answer:
    """A root of a mean."""
    return (*_interval("rmse", [np.zeros(n), rng.normal(size=n)], seed)[:2], 1.0)


def weighted(rng: Rng, n: int, seed: int) -> Answer:
    """Weights that go with the loss: both are exponential of one normal."""
    z = rng.normal(size=n)
    weight, loss = np.exp(0.5 * z), z + rng.normal(size=n)
    return (*_interval("mean-error", [np.zeros(n), loss], seed, weight=weight)[:2], 0.5)


def macro(rng: Rng, n: int, seed: int) -> Answer:
    """The mean of four uneven groups: 60, 20, 10 and 10 percent of the rows."""
    group = np.repeat(np.arange(4), [n - 2 * (n // 5) + 0, n // 5, n // 10, n // 5 - n // 10])
    return (*_interval("mean-error", [np.zeros(n), rng.normal(size=n) + group], seed, 1, group=group)[:2], 1.5)


def lists(rng: Rng, n: int, seed: int) -> Answer:
    """n lists of five documents; the truth is the mean over all simulations."""
    relevance, score = rng.integers(0, 3, 5 * n).astype(float), rng.normal(size=5 * n)
    named = {"group": np.repeat(np.arange(n), 5)}
    low, high, value = _interval("list-mle", [score, relevance], seed, named=named)
    return low - value, high - value, value


def clusters(rng: Rng, n: int, seed: int) -> Answer:
    """n clusters of 5 rows, half of whose variance is between them."""
    cluster = np.repeat(np.arange(n), 5)
    loss = np.repeat(rng.normal(size=n), 5) + rng.normal(size=5 * n)
    return (*_interval("mean-error", [np.zeros(5 * n), loss], seed, cluster=cluster)[:2], 0.0)


def gini(share: float) -> Callable[[Rng, int, int], Answer]:
    """Of two classes, one of which has a share of the rows."""

    def answer(rng: Rng, n: int, seed: int) -> Answer:
        return (*_interval("gini", [rng.binomial(1, share, n)], seed)[:2], 2 * share * (1 - share))

    return answer


def points(rng: Rng, n: int, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """n points of overlapping classes, of random sizes."""
    labels = rng.integers(0, classes, n)
    return np.eye(classes, 8)[labels] * 2 + rng.normal(size=(n, 8)), labels


def of_set(spec: str) -> Callable[[Rng, int, int], Answer]:
    """A loss of an embedding set; the truth is the mean over all simulations."""

    def answer(rng: Rng, n: int, seed: int) -> Answer:
        emb, labels = points(rng, n)
        low, high, value = _interval(spec, [emb, labels], seed)
        return low - value, high - value, value

    return answer


def hard_share(rng: Rng, n: int, seed: int) -> Answer:
    """The share of hard triplets, about new points."""
    emb, labels = points(rng, n)
    at = triplets(emb, labels, margin=1.0, ci=LEVEL, seed=seed, jobs=1).breakdown.margins[0]
    share, ends = at.categories.shares[2], at.intervals[2]
    return ends.low - share, ends.high - share, share


@cache
def crowd() -> tuple[np.ndarray, np.ndarray]:
    """For each of 4,000 anchors of uneven classes, how many of its triplets are hard, and how many there are."""
    rng = np.random.default_rng(7)
    chance = 1 / np.arange(1, 101)
    labels = rng.choice(100, 4000, p=chance / chance.sum())
    emb = 1.5 * rng.normal(size=(100, 16))[labels] + rng.normal(size=(4000, 16))
    some = breakdown_of_some(emb, labels, 3900, 0, margins=[0.5])
    assert some is not None
    return some.categories[0, 2], some.categories[0].sum(axis=0)


def sampled(rng: Rng, n: int, seed: int) -> Answer:
    """The same about one set, from n of its anchors."""
    hard, of_all = crowd()
    chosen = rng.choice(len(hard), n, replace=False)
    low, high, _ = shares.of_sample(hard[chosen], of_all[chosen], LEVEL, seed)
    return low, high, hard.sum() / of_all.sum()


COVERAGE = (
    Line("mean, normal", (20, 50, 200, 1000), normal),
    Line("mean, exponential", (20, 50, 200, 1000), skewed),
    Line("rmse, normal", (20, 50, 200, 1000), rmse),
    Line("weighted mean", (20, 50, 200, 1000), weighted),
    Line("mean of groups", (20, 50, 200, 1000), macro),
    Line("lists", (20, 50, 200, 1000), lists),
    Line("clusters", (10, 30, 100), clusters),
    Line("gini, 20:80", (20, 50, 200, 1000), gini(0.2)),
    Line("gini, 50:50", (20, 50, 200, 1000), gini(0.5)),
    *(Line(f"set, {spec}", (20, 50, 60, 200), of_set(spec), 0.2) for spec in SET_LOSSES),
    Line("set, share of hard triplets", (20, 60, 200), hard_share, 0.2),
    Line("share from sampled anchors", (200, 400, 1600), sampled, 0.4),
)


# --- under the null


def _p(
    base: np.ndarray, other: np.ndarray, truth: np.ndarray, spec: str, seed: int, cluster=None, seed_of=None
) -> float:  # type: ignore[no-untyped-def]
    names = ["base", "other"]
    systems = compare.Systems(
        base, [other], truth, [(registry.parse(spec), {})], names, cluster=cluster, seed_of=seed_of
    )
    confidence = compute.Confidence(LEVEL, "bca", RESAMPLES, seed)
    return compare.compare(systems, confidence=confidence, jobs=1)[0].p


def alike(spec: str) -> Callable[[Rng, int, int], float]:
    """Two systems of exponential errors."""
    return lambda rng, n, seed: _p(*rng.exponential(size=(2, n)), np.zeros(n), spec, seed)


def ties(rng: Rng, n: int, seed: int) -> float:
    """Losses of 0 and 1."""
    return _p(*rng.integers(0, 2, (2, n)).astype(float), np.zeros(n), "mae", seed)


def tiny(rng: Rng, n: int, seed: int) -> float:
    """Differences of 1e-3 in 4 rows."""
    base = rng.normal(size=n)
    return _p(base, base + (np.arange(n) < 4) * rng.normal(0, 1e-3, n), np.zeros(n), "mae", seed)


def single(spec: str) -> Callable[[Rng, int, int], float]:
    """A copy in float32."""

    def p(rng: Rng, n: int, seed: int) -> float:
        base = rng.normal(size=n)
        return _p(base, base.astype(np.float32).astype(float), np.zeros(n), spec, seed)

    return p


def clustered(rng: Rng, n: int, seed: int) -> float:
    """n clusters of 5 rows that differ alike."""
    base = np.repeat(rng.normal(size=n), 5)
    return _p(
        base, base + np.repeat(rng.normal(size=n), 5), np.zeros(5 * n), "mean-error", seed, np.repeat(range(n), 5)
    )


def seeded(rng: Rng, n: int, seed: int) -> float:
    """n seeds of the same 20 items, each of which differs by its own, and by the seed's."""
    gaps = (0.5 * rng.normal(size=(n, 1)) + rng.normal(size=(1, 20)) + rng.normal(size=(n, 20))).ravel()
    cluster, seed_of = np.tile(np.arange(20), n), np.repeat(np.arange(n), 20)
    base = np.full(20 * n, 50.0)
    return _p(base, base + gaps, np.zeros(20 * n), "mean-error", seed, cluster, seed_of)


def sets(spec: str) -> Callable[[Rng, int, int], float]:
    """Two noises on one set of points."""

    def p(rng: Rng, n: int, seed: int) -> float:
        emb, labels = points(rng, n)
        base, other = (emb + rng.normal(0, 0.7, emb.shape) for _ in range(2))
        return _p(base, other, labels, spec, seed)

    return p


NULL = (
    Line("mae", (5, 10, 30, 200), alike("mae")),  # type: ignore[arg-type]
    Line("rmse", (5, 10, 30, 200), alike("rmse")),  # type: ignore[arg-type]
    Line("ties", (5, 10, 30, 200), ties),  # type: ignore[arg-type]
    Line("tiny differences", (5, 10, 30, 200), tiny),  # type: ignore[arg-type]
    Line("float32 copy, mae", (5, 10, 30, 200), single("mae")),  # type: ignore[arg-type]
    Line("float32 copy, rmse", (5, 10, 30, 200), single("rmse")),  # type: ignore[arg-type]
    Line("clusters", (5, 10, 30, 200), clustered),  # type: ignore[arg-type]
    Line("seeds", (5, 10, 30), seeded),  # type: ignore[arg-type]
    *(Line(f"set, {spec}", (60, 200), sets(spec), 0.2) for spec in ("batch-all", "batch-hard", "supcon")),  # type: ignore[arg-type]
)


# --- tables


def covered(line: Line, n: int, simulations: int) -> tuple[float, float, int]:
    """(share that hold the truth, share that were refused, how many data sets)."""
    count = max(2, round(simulations * line.share))
    answers = np.array([line.answer(np.random.default_rng(seed), n, seed) for seed in range(count)])
    low, high, truth = answers.T
    if line.name == "lists" or line.name.startswith("set"):  # ends about the value, and the value itself
        low, high, truth = low + truth, high + truth, np.full(count, truth.mean())
    refused = np.isnan(low)
    held = (low <= truth) & (truth <= high)
    return float(held[~refused].mean()) if (~refused).any() else math.nan, float(refused.mean()), count


def rejected(line: Line, n: int, simulations: int) -> tuple[float, float, int]:
    """(share of p below .05, below .5, how many data sets)."""
    count = max(2, round(simulations * line.share))
    p = np.array([line.answer(np.random.default_rng(seed), n, seed) for seed in range(count)])
    return float((p < 0.05).mean()), float((p < 0.5).mean()), count


def table(simulations: int, only: str = "") -> Iterator[str]:
    """Both tables, in Markdown."""
    yield "| interval of | n | covers % | refused % | data sets |\n|---|--:|--:|--:|--:|"
    for line in COVERAGE:
        for n in line.sizes if only in line.name else ():
            share, refused, count = covered(line, n, simulations)
            yield f"| {line.name} | {n} | {100 * share:.1f} | {100 * refused:.0f} | {count} |"
    yield "\n| p under the null | n | below .05 % | below .5 % | data sets |\n|---|--:|--:|--:|--:|"
    for line in NULL:
        for n in line.sizes if only in line.name else ():
            small, half, count = rejected(line, n, simulations)
            yield f"| {line.name} | {n} | {100 * small:.1f} | {100 * half:.1f} | {count} |"


HEAD = f"""# How often nominal 95 % intervals hold the truth, and p is below .05 where nothing differs

    python tests/bench/coverage.py --simulations {{simulations}}

lossctl {__version__}, {RESAMPLES} resamples. Two standard errors of 95 % are 1.4 % in 1,000 data sets, 3.1 % in 200.
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--simulations", type=int, default=1000)
    arguments.add_argument("--only", default="")
    asked = arguments.parse_args()
    print(HEAD.format(simulations=asked.simulations))
    for row in table(asked.simulations, asked.only):
        print(row, flush=True)


if __name__ == "__main__":
    main()
