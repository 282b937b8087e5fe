"""Ranking losses from their definitions in mpmath, list by list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, product
from typing import Any

import mpmath as mp
import numpy as np
from exact_words import exact, fitting

from lossctl.api import calls
from lossctl.language import registry

LIST_LOSSES = tuple(loss.name for loss in registry.walk() if loss.engine.has_lists and not loss.roles[0].has_cells)


@dataclass(frozen=True)
class ListCase:
    """Lists of one length that are hard in one way: (lists, length) scores and relevances."""

    what: str
    spec: str
    score: np.ndarray
    relevance: np.ndarray

    @property
    def loss(self) -> str:
        return self.spec.partition(":")[0]


def softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x))


def pairs(relevance: list[Any]) -> list[tuple[int, int]]:
    return [(i, j) for i, y in enumerate(relevance) for j, z in enumerate(relevance) if y > z]


def softmax(x: list[Any]) -> list[Any]:
    total = mp.fsum(map(mp.exp, x))
    return [mp.exp(v) / total for v in x]


def listnet(s: list[Any], y: list[Any]) -> Any:
    return mp.fsum(q * -mp.log(p) for p, q in zip(softmax(s), softmax(y), strict=True))


def list_mle(s: list[Any], y: list[Any]) -> Any:
    order = sorted(range(len(s)), key=lambda i: -y[i])
    ranked = [s[i] for i in order]
    return mp.fsum(mp.log1p(mp.fsum(mp.exp(t - v) for t in ranked[i + 1 :])) for i, v in enumerate(ranked))


def ranking_softmax(s: list[Any], y: list[Any], normalized: bool, epsilon: float) -> Any:
    total, chances = mp.fsum(y), softmax(s)
    value = mp.fsum(q * -mp.log(p) for p, q in zip(chances, y, strict=True))
    hit = mp.fsum(p * q for p, q in zip(chances, y, strict=True)) / total
    return (value / total if normalized else value) + mp.mpf(epsilon) * (1 - hit)


def gain_of(y: Any, gain: str = "exponential") -> Any:
    return y if gain == "linear" else mp.mpf(2) ** y - 1


def discount(place: Any) -> Any:
    return 1 / mp.log(1 + place, 2)


def cumulated(key: list[Any], gains: list[Any], cutoff: int | None, ties: str) -> Any:
    """The discounted sum of gains, each with the mean discount of the places that documents of its key share."""
    order = sorted(range(len(key)), key=lambda i: -key[i])
    at = {i: mp.mpf(0) if cutoff and k >= cutoff else discount(k + 1) for k, i in enumerate(order)}
    shared = [[at[j] for j in order if key[j] == key[i]] for i in range(len(key))]
    return mp.fsum(
        g * (mp.fsum(rest) / len(rest) if ties == "average" else at[i])
        for i, (g, rest) in enumerate(zip(gains, shared, strict=True))
    )


def dcg(s: list[Any], y: list[Any], gain: str, cutoff: int | None, ties: str) -> Any:
    return cumulated(s, [gain_of(v, gain) for v in y], cutoff, ties)


def best(y: list[Any], gain: str = "exponential", cutoff: int | None = None) -> Any:
    return cumulated(y, [gain_of(v, gain) for v in y], cutoff, "order")


def ndcg(s: list[Any], y: list[Any], gain: str, cutoff: int | None, ties: str, empty: str) -> Any:
    return dcg(s, y, gain, cutoff, ties) / best(y, gain, cutoff)


def approx_ndcg(s: list[Any], y: list[Any], temperature: float, gain: str) -> Any:
    soft = [
        1 + mp.fsum(1 / (1 + mp.exp((u - v) / mp.mpf(temperature))) for j, v in enumerate(s) if j != i)
        for i, u in enumerate(s)
    ]
    return -mp.fsum(gain_of(v, gain) * discount(k) for v, k in zip(y, soft, strict=True)) / best(y, gain)


def lambda_loss(s: list[Any], y: list[Any], scheme: str, sigma: float, mu: float, cutoff: int | None, per: str) -> Any:
    order = sorted(range(len(s)), key=lambda i: -s[i])
    place = [order.index(i) + 1 for i in range(len(s))]
    limit, terms = cutoff or len(s), []
    for i, j in pairs(y):
        if max(place[i], place[j]) > limit:
            continue
        apart = abs(place[i] - place[j])
        by_distance = discount(apart) - discount(apart + 1)
        by_place = abs(discount(place[i]) - discount(place[j]))
        weight = {"ndcg-loss2": by_distance, "lambdarank": by_place}.get(scheme, mp.mpf(mu) * by_distance + by_place)
        gap = gain_of(y[i]) - gain_of(y[j])
        terms.append(weight * gap * softplus(-mp.mpf(sigma) * (s[i] - s[j])) / mp.log(2))
    return mp.fsum(terms) / best(y, "exponential", cutoff)


def unique_softmax(s: list[Any], y: list[Any]) -> Any:
    below = [[t for t, z in zip(s, y, strict=True) if z < v] for v in y]
    return mp.fsum(
        gain_of(v) * mp.log1p(mp.fsum(mp.exp(t - u) for t in rest)) for u, v, rest in zip(s, y, below, strict=True)
    )


def pairwise_mse(s: list[Any], y: list[Any], per: str) -> Any:
    return mp.fsum(((a - b) - (u - v)) ** 2 for a, u in zip(s, y, strict=True) for b, v in zip(s, y, strict=True))


def approx_mrr(s: list[Any], y: list[Any], temperature: float) -> Any:
    soft = [
        1 + mp.fsum(1 / (1 + mp.exp((u - v) / mp.mpf(temperature))) for j, v in enumerate(s) if j != i)
        for i, u in enumerate(s)
    ]
    return -mp.fsum(v / k for v, k in zip(y, soft, strict=True)) / mp.fsum(y)


def ctc(frames: list[list[Any]], symbols: list[Any], blank: int) -> Any:
    """Every way to write one symbol a frame, one by one."""
    text = [int(symbol) for symbol in symbols if symbol != blank]
    chances, total = [softmax(row) for row in frames], mp.mpf(0)
    for way in product(range(len(frames[0])), repeat=len(frames)):
        if [symbol for symbol, _ in groupby(way) if symbol != blank] == text:
            total += mp.fprod(row[symbol] for row, symbol in zip(chances, way, strict=True))
    return -mp.log(total)


def mean_average_precision(s: list[Any], y: list[Any], cutoff: int | None, ties: str, empty: str) -> Any:
    """Where documents of one score come in any order alike: what each place holds is expected."""
    order = sorted(range(len(s)), key=lambda i: -s[i])
    n, total = cutoff or len(s), mp.mpf(0)
    for k, i in enumerate(order[:n]):
        alike = [j for j in order if s[j] == s[i]] if ties == "average" else [i]
        place = k - order.index(alike[0])
        above = sum(y[j] > 0 for j in order[: order.index(alike[0])])
        hits = sum(y[j] > 0 for j in alike)
        inside = mp.mpf(place) * (hits - 1) / (len(alike) - 1) if len(alike) > 1 else 0
        total += mp.mpf(hits) / len(alike) * (above + 1 + inside) / (k + 1)
    return total / min(n, sum(v > 0 for v in y))


def neural_ndcg(s: list[Any], y: list[Any], temperature: float, gain: str, cutoff: int | None, iterations: int) -> Any:
    n = len(s)
    spread = [mp.fsum(abs(v - w) for w in s) for v in s]
    x = [
        softmax([((n + 1 - 2 * k) * v - b) / mp.mpf(temperature) for v, b in zip(s, spread, strict=True)])
        for k in range(1, n + 1)
    ]
    for _ in range(iterations):
        sums = [mp.fsum(column) for column in zip(*x, strict=True)]
        x = [[v / total for v, total in zip(row, sums, strict=True)] for row in x]
        x = [[v / mp.fsum(row) for v in row] for row in x]
    gains = [gain_of(v, gain) for v in y]
    mixed = [mp.fdot(row, gains) * discount(k + 1) for k, row in enumerate(x[:cutoff])]
    return -mp.fsum(mixed) / best(y, gain, cutoff)


LIST_REFERENCES: dict[str, Callable[..., Any]] = {
    "pointwise-mse": lambda s, y, per: mp.fsum((u - v) ** 2 for u, v in zip(s, y, strict=True)),
    "pointwise-bce": lambda s, y, per: mp.fsum(softplus(-u if v > 0 else u) for u, v in zip(s, y, strict=True)),
    "ranknet": lambda s, y, sigma, per: mp.fsum(softplus(-sigma * (s[i] - s[j])) for i, j in pairs(y)),
    "margin-ranking": lambda s, y, margin, per: mp.fsum(max(mp.mpf(0), margin - (s[i] - s[j])) for i, j in pairs(y)),
    "listnet": listnet,
    "list-mle": list_mle,
    "ranking-softmax": ranking_softmax,
    "dcg": dcg,
    "ndcg": ndcg,
    "approx-ndcg": approx_ndcg,
    "approx-mrr": approx_mrr,
    "mean-average-precision": mean_average_precision,
    "neural-ndcg": neural_ndcg,
    "ctc": ctc,
    "lambda-loss": lambda_loss,
    "unique-softmax": unique_softmax,
    "pairwise-mse": pairwise_mse,
    "pairwise-soft-zero-one": lambda s, y, per: mp.fsum(1 / (1 + mp.exp(s[i] - s[j])) for i, j in pairs(y)),
}


def list_truths(case: ListCase, bits: int) -> list[Any]:
    """The exact value of each list, as mpmath numbers."""
    options = fitting(LIST_REFERENCES[case.loss], registry.parse(case.spec))
    with mp.workprec(bits):
        return [
            LIST_REFERENCES[case.loss](*([exact(v) for v in side] for side in row), **options)
            for row in zip(case.score, case.relevance, strict=True)
        ]


def list_computed(case: ListCase) -> list[float]:
    """The value of each list as lossctl has it."""
    group = np.repeat(np.arange(len(case.score)), case.score.shape[1])
    rows = case.score.reshape(-1, *case.score.shape[2:])
    values: list[float] = calls.row_losses(case.spec, rows, case.relevance.ravel(), group).tolist()
    return values


def list_cases() -> list[ListCase]:
    rng = np.random.default_rng(7)
    score, grades = rng.normal(0, 1, (12, 6)), rng.integers(0, 4, (12, 6)).astype(float)
    grades[:, 0] = 4
    order = np.argsort(-grades, axis=1)
    perfect = np.empty_like(score)
    np.put_along_axis(perfect, order, np.sort(score, axis=1)[:, ::-1], axis=1)
    sets = [
        ("std 1", score, grades),
        ("std 50", 50 * score, grades),
        ("perfect", 30 * perfect, grades),
        ("offset 1e8", np.round(score, 2) + 1e8, grades),
        ("nearly equal", 1e-9 * score, grades),
        ("perfect, 80 and 40 apart", np.array([[80.0, 40, 0], [0, -40, -80]]), np.array([[2.0, 1, 0], [2, 1, 0]])),
        ("forty documents", rng.normal(0, 3, (3, 40)), rng.integers(0, 5, (3, 40)).astype(float)),
    ]
    sets.append(("tied scores", np.round(score), grades))
    specs = [*LIST_LOSSES, "ranknet:sigma=3", "ranking-softmax:normalized=true", "margin-ranking:margin=0.3"]
    specs += [
        "ranking-softmax:epsilon=1",
        "ndcg:gain=exponential,cutoff=3",
        "dcg:ties=order",
        "approx-ndcg:gain=linear",
        "mean-average-precision:cutoff=3",
        "mean-average-precision:ties=order",
    ]
    specs += ["lambda-loss:scheme=lambdarank,cutoff=4", "lambda-loss:scheme=ndcg-loss2++,sigma=2"]
    frames = rng.normal(0, 1, (6, 5, 3))
    texts = np.array(
        [[1, 2, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [2, 1, 2, 0, 0], [1, 1, 1, 0, 0], [1, 2, 1, 2, 1]]
    )
    spoken = [ListCase(f"frames of std {size}", "ctc", size * frames, texts) for size in (1, 8)]
    return [*spoken, *(ListCase(what, spec, s, y) for spec in specs for what, s, y in sets)]


def list_limits(case: ListCase, truths: list[Any]) -> list[float]:
    """The error of each list that is allowed, in ulp of the truth."""
    if case.score.ndim == 3:
        return [4.0 * (1 + case.score.shape[1] / float(abs(truth))) for truth in truths]
    if case.loss not in LIST_BOUNDS:
        return [4.0] * len(truths)
    options = fitting(LIST_BOUNDS[case.loss], registry.parse(case.spec))
    scales = [LIST_BOUNDS[case.loss](list(map(mp.mpf, row)), **options) for row in case.score.tolist()]
    return [4.0 * float(scale) for scale in scales]


LIST_BOUNDS: dict[str, Callable[..., Any]] = {
    "ranknet": lambda s, sigma, per: 1 + sigma * (max(s) - min(s)) / 4,
    "pairwise-soft-zero-one": lambda s, per: 1 + (max(s) - min(s)) / 4,
    "lambda-loss": lambda s, sigma, **_: 1 + sigma * (max(s) - min(s)) / 4,
    "neural-ndcg": lambda s, temperature, **_: (
        1 + (len(s) * (max(s) - min(s)) + max(map(abs, s))) / mp.mpf(temperature)
    ),
    "list-mle": lambda s: 1 + (max(s) - min(s)) / 2,
}
LIST_REASONS = {
    "ctc": "a logarithm of sums at every frame: 4 ulp, and 4 of 1 for each frame",
    "ranknet": "a gap of scores is rounded, and e^-x makes its absolute error relative: 4 ulp and one for each unit of "
    "sigma times the widest gap of a list",
    "pairwise-soft-zero-one": "as ranknet with sigma 1: 4 ulp and one for each unit of the widest gap of a list",
    "lambda-loss": "as ranknet: 4 ulp and one for each unit of sigma times the widest gap of a list",
    "neural-ndcg": "gaps of scores, added up over a list, stand in an exponent: 4 ulp and four for each unit",
    "list-mle": "as ranknet: 4 ulp and two for each unit of the widest gap of a list",
}
