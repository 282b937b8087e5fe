"""How often intervals hold the truth, and p is below .05: python tests/bench/coverage.py > tests/bench/coverage_DATE.md

--at-most N       data sets of each line (default: as many as it says)
--only PATTERN    only lines whose name and n a regular expression is found in: 'set, .* 1000$'
--keep FILE       the other lines, as FILE has them
"""

from __future__ import annotations

import argparse
import datetime
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lossctl import triplets
from lossctl.api import compare, compute
from lossctl.api.question_of_systems import ComparisonQuestion
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
Answer = tuple[float, float, float]  # low, high, and the truth


class Line(NamedTuple):
    """Lines of a table: what is sampled n at a time, and what is made of it.

    sizes: n -> how many data sets;  answer: of one of them; for p-values the p
    is_about: the truth is the mean of all values, and the ends are those about the value, which is the third
    """

    name: str
    sizes: dict[int, int]
    answer: Callable[[Rng, int, int], Answer | float]
    is_about: bool = False


def _interval(
    spec: str, inputs: list[np.ndarray], seed: int, which: int = 0, weight=None, reduction=None, **side
) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
    requests = [compute.Request(registry.parse(spec), {}, inputs, side.pop("named", None), reduction, weight)]
    requests = [request._replace(side=compute.Side(**side)) for request in requests]
    with compute.prepared(requests, jobs=1) as shared:
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


def points(rng: Rng, n: int, apart: float = 2.0, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """n points of overlapping classes, of random sizes, whose centres lie so far apart."""
    labels = rng.integers(0, classes, n)
    return np.eye(classes, 8)[labels] * apart + rng.normal(size=(n, 8)), labels


def of_set(spec: str, reduction: str | None = None) -> Callable[[Rng, int, int], Answer]:
    """A loss of an embedding set, about new points."""

    def answer(rng: Rng, n: int, seed: int) -> Answer:
        low, high, value = _interval(spec, list(points(rng, n)), seed, reduction=reduction)
        return low - value, high - value, value

    return answer


def of_classes(spec: str) -> Callable[[Rng, int, int], Answer]:
    """The same about new classes: n random ones of five points, which are left out whole."""

    def answer(rng: Rng, n: int, seed: int) -> Answer:
        labels = np.repeat(np.arange(n), 5)
        emb = 1.2 * rng.normal(size=(n, 8))[labels] + rng.normal(size=(5 * n, 8))
        low, high, value = _interval(spec, [emb, labels], seed, cluster=labels)
        return low - value, high - value, value

    return answer


def hard_share(apart: float, margin: float) -> Callable[[Rng, int, int], Answer]:
    """The share of hard triplets, about new points."""

    def answer(rng: Rng, n: int, seed: int) -> Answer:
        emb, labels = points(rng, n, apart)
        at = triplets(emb, labels, margin=margin, ci=LEVEL, seed=seed, jobs=1).breakdown.margins[0]
        share, ends = at.categories.shares[2], at.intervals[2]
        return ends.low - share, ends.high - share, share

    return answer


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
    low, high, _ = shares.of_sample(hard[chosen], of_all[chosen], LEVEL, seed, len(hard))
    return low, high, hard.sum() / of_all.sum()


ROWS = {20: 1000, 50: 1000, 200: 1000, 1000: 1000}
MORE = {20: 2000, 50: 2000, 200: 2000, 1000: 2000}
SLOW = {20: 400, 50: 400, 200: 400, 1000: 200}
POINTS = {20: 1000, 50: 600, 60: 200, 200: 200, 1000: 60}
COVERAGE = (
    Line("mean, normal", ROWS, normal),
    Line("mean, exponential", ROWS, skewed),
    Line("rmse, normal", MORE, rmse),
    Line("weighted mean", MORE, weighted),
    Line("mean of groups", SLOW, macro),
    Line("lists", SLOW, lists, is_about=True),
    Line("clusters", {10: 400, 30: 400, 100: 400}, clusters),
    Line("gini, 20:80", SLOW, gini(0.2)),
    Line("gini, 50:50", SLOW, gini(0.5)),
    *(Line(f"set, {spec}", POINTS, of_set(spec), is_about=True) for spec in SET_LOSSES),
    Line("set, batch-all, mean-active", {60: 200, 200: 200, 1000: 60}, of_set("batch-all", "mean-active"), True),
    *(
        Line(f"set, {spec}, classes", {10: 300, 20: 200}, of_classes(spec), is_about=True)
        for spec in ("batch-all", "batch-hard")
    ),
    Line("set, share of hard triplets, 26 %", {20: 250, 60: 250, 200: 80}, hard_share(2.0, 1.0), is_about=True),
    Line("set, share of hard triplets, 3 %", {20: 250, 60: 250, 200: 80}, hard_share(4.0, 0.5), is_about=True),
    Line("share from sampled anchors", {200: 3000, 400: 3000, 1600: 3000}, sampled),
)


# --- under the null


def _p(  # type: ignore[no-untyped-def]
    base: np.ndarray, other: np.ndarray, truth: np.ndarray, spec: str, seed: int, cluster=None, seed_of=None,
    test="sign-flip",
) -> float:  # fmt: skip
    question = ComparisonQuestion(
        (registry.parse(spec),), ({},), base, (other,), truth, ("base", "other"), cluster=cluster, seed_of=seed_of,
        confidence=compute.Confidence(LEVEL, "bca", RESAMPLES, seed), test=test, jobs=1,
    )  # fmt: skip
    return compare.compare(question)[0].p


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


def resampled(gaps: Callable[[Rng, int], np.ndarray]) -> Callable[[Rng, int, int], float]:
    """Differences of mean 0 of n rows, by --test bootstrap."""

    def p(rng: Rng, n: int, seed: int) -> float:
        gap = gaps(rng, n)
        return _p(np.zeros(len(gap)), gap, np.zeros(len(gap)), "mean-error", seed, test="bootstrap")

    return p


FLIPS = {5: 1000, 10: 1000, 30: 1000, 200: 1000}
BOOTSTRAP = {20: 1000, 50: 1000, 200: 1000}
NULL = (
    Line("mae", FLIPS, alike("mae")),
    Line("rmse", FLIPS, alike("rmse")),
    Line("ties", FLIPS, ties),
    Line("tiny differences", FLIPS, tiny),
    Line("float32 copy, mae", FLIPS, single("mae")),
    Line("float32 copy, rmse", FLIPS, single("rmse")),
    Line("clusters", FLIPS, clustered),
    Line("seeds", {5: 1000, 10: 1000, 30: 1000}, seeded),
    Line("resamples, normal", BOOTSTRAP, resampled(lambda rng, n: rng.normal(size=n))),
    Line("resamples, exponential", BOOTSTRAP, resampled(lambda rng, n: rng.exponential(size=n) - 1)),
    Line("resamples, n of 500 rows differ", {4: 1000, 20: 1000, 50: 1000},
         resampled(lambda rng, n: np.append(rng.normal(size=n), np.zeros(500 - n)))),
    *(Line(f"set, {spec}", {60: 200, 200: 200}, sets(spec)) for spec in ("batch-all", "batch-hard", "supcon")),
)  # fmt: skip


# --- tables


def covered(line: Line, n: int, count: int) -> tuple[float, float]:
    """(share of the intervals that hold the truth, share of data sets that were refused one)."""
    answers = np.array([line.answer(np.random.default_rng(seed), n, seed) for seed in range(count)])
    low, high, truth = answers.T
    if line.is_about:
        low, high, truth = low + truth, high + truth, np.full(count, truth.mean())
    refused = np.isnan(low)
    held = (low <= truth) & (truth <= high)
    return float(held[~refused].mean()) if (~refused).any() else math.nan, float(refused.mean())


def rejected(line: Line, n: int, count: int) -> tuple[float, float, float]:
    """(share of p below .05, below .5, share of data sets that were refused a p)."""
    p = np.array([line.answer(np.random.default_rng(seed), n, seed) for seed in range(count)])
    refused = np.isnan(p)
    p = p[~refused] if (~refused).any() else p
    return float((p < 0.05).mean()), float((p < 0.5).mean()), float(refused.mean())


COVERS = "| interval of | n | covers % | refused % |"
SMALL = "| p under the null | n | below .05 % | below .5 % | refused % |"


def table(lines: Sequence[Line], head: str, ask: Ask) -> Iterator[str]:
    """A table in Markdown, line by line. head: of its first columns, by which it is known"""
    yield f"{head} data sets | day |"
    yield "|---|" + (head.count("|") - 2) * "--:|" + "--:|---|"
    measure = covered if head == COVERS else rejected
    kept = _kept(ask.kept, head)
    for line in lines:
        for n, count in line.sizes.items():
            if re.search(ask.only, f"{line.name} {n}"):
                count = min(count, ask.at_most)
                percents = [f"{100 * share:.1f}" for share in measure(line, n, count)]
                yield f"| {' | '.join([line.name, str(n), *percents, str(count), ask.day])} |"
            elif (line.name, str(n)) in kept:
                yield kept[line.name, str(n)]


class Ask(NamedTuple):
    """What is computed: the lines that the pattern `only` is found in; the others are those of a text, `kept`."""

    only: str
    at_most: int
    kept: str
    day: str


def _kept(text: str, head: str) -> dict[tuple[str, ...], str]:
    """The lines of one table of a text, by name and n."""
    _, _, rest = text.partition(head)
    rows = [row for row in rest.split("\n\n")[0].splitlines() if row.startswith("| ")]
    return {tuple(cell.strip() for cell in row.split("|")[1:3]): row for row in rows}


HEAD = f"""# How often nominal 95 % intervals hold the truth, and p is below .05 where nothing differs

    python tests/bench/coverage.py

lossctl {__version__}, {RESAMPLES} resamples. Two standard errors of 95 % are 0.8 % in 3,000 data sets, 1.0 % in 2,000,
1.4 % in 1,000, 2.2 % in 400, 3.1 % in 200, 4.4 % in 100, 5.6 % in 60. Lines may be of several runs
(`--only PATTERN --keep FILE`): each has its day.
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--at-most", type=int, default=sys.maxsize)
    arguments.add_argument("--only", default="")
    arguments.add_argument("--keep", default="")
    asked = arguments.parse_args()
    kept = Path(asked.keep).read_text() if asked.keep else ""
    ask = Ask(asked.only, asked.at_most, kept, str(datetime.date.today()))
    print(HEAD)
    for row in chain(table(COVERAGE, COVERS, ask), [""], table(NULL, SMALL, ask)):
        print(row, flush=True)


if __name__ == "__main__":
    main()
