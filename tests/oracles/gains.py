"""Gains of rankings: scikit-learn; what rax, allRank and scikit-learn have printed; counts of places by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise, permutations

import numpy as np
import scipy.stats
import sklearn.metrics

from .case import Case, reduced
from .ranking import EACH_LIST, LISTS, ONE, RAX, TIED

RATED = [(score, grade) for score, grade in EACH_LIST if grade.any()]
COARSE = np.round(LISTS[0])  # scores that tie
COARSE_LISTS = (COARSE, *LISTS[1:])
COARSE_RATED = [(np.round(score), grade) for score, grade in RATED]
ALLRANK = "allRank 1.4.3"


def of_lists(
    function: Callable[..., float], lists: list[tuple[np.ndarray, np.ndarray]], **options: object
) -> Callable[[], float]:
    """The mean of a metric of scikit-learn over lists, which it wants to be of two documents or more."""

    def one(score: np.ndarray, grade: np.ndarray) -> float:
        beside = np.append(score, score.min() - 1), np.append(grade, 0.0)
        return function(beside[1][None], beside[0][None], **options)

    return lambda: float(np.mean([one(score, grade) for score, grade in lists]))


def exponential(function: Callable[..., float]) -> Callable[..., float]:
    return lambda grade, score, **options: function(2.0**grade - 1, score, **options)


def mean_over_orders(score: list[float], gain: list[float]) -> float:
    """The dcg of every order that the scores allow, averaged."""
    values = [
        sum(gain[i] / math.log2(2 + place) for place, i in enumerate(order))
        for order in permutations(range(len(score)))
        if all(score[a] >= score[b] for a, b in pairwise(order))
    ]
    return sum(values) / len(values)


def soft_places(score: np.ndarray, grade: np.ndarray, temperature: float, gain: Callable[..., np.ndarray]) -> float:
    """By the logistic distribution of scipy."""
    place = scipy.stats.logistic.cdf(score[None] - score[:, None], scale=temperature).sum(axis=1) + 0.5
    best = sum(g / math.log2(2 + k) for k, g in enumerate(np.sort(gain(grade))[::-1]))
    return -float(np.sum(gain(grade) / np.log2(1 + place))) / best


def soft_reciprocals(score: np.ndarray, grade: np.ndarray, temperature: float) -> float:
    place = scipy.stats.logistic.cdf(score[None] - score[:, None], scale=temperature).sum(axis=1) + 0.5
    return -float(np.sum(grade / place)) / grade.sum()


def power(grade: np.ndarray) -> np.ndarray:
    return 2.0**grade - 1


def precisions(score: list[float], grade: list[float], cutoff: int | None = None) -> float:
    """The average precision of every order that the scores allow, averaged."""
    values = []
    for order in permutations(range(len(score))):
        if all(score[a] >= score[b] for a, b in pairwise(order)):
            hits = [grade[i] > 0 for i in order]
            terms = [sum(hits[: k + 1]) / (k + 1) for k, hit in enumerate(hits) if hit and k < (cutoff or len(hits))]
            values.append(sum(terms) / min(sum(hits), cutoff or len(hits)))
    return sum(values) / len(values)


def neural(
    score: np.ndarray,
    grade: np.ndarray,
    temperature: float,
    gain: np.ndarray | None = None,
    cutoff: int | None = None,
    rounds: int = 50,
) -> float:
    """NeuralSort with whole matrices, balanced by division."""
    n = len(score)
    spread = abs(score[:, None] - score[None]).sum(axis=1)
    x = ((n + 1 - 2 * np.arange(1, n + 1))[:, None] * score[None] - spread[None]) / temperature
    order = np.exp(x - x.max(axis=1, keepdims=True))
    order /= order.sum(axis=1, keepdims=True)
    for _ in range(rounds):
        order /= order.sum(axis=0)
        order /= order.sum(axis=1, keepdims=True)
    discount = 1 / np.log2(2 + np.arange(n)) * (np.arange(n) < (cutoff or n))
    gain = power(grade) if gain is None else gain
    return -float((order @ gain) @ discount / (np.sort(gain)[::-1] @ discount))


SEVEN = ([3.0, 3, 2, 2, 2, 1, 0], [0, 1, 1, 0, 2, 0, 1], [0] * 7)
FIRST, THEN = [0.9, 0.8, 0.3, 0.7, 0.7, 0.2, 0.6, 0.4], [0] * 5 + [1] * 3

CASES = {
    "mean-average-precision": [
        Case(
            "scikit-learn",
            "map",
            LISTS,
            lambda: float(np.mean([sklearn.metrics.average_precision_score(y > 0, s) for s, y in RATED])),
        ),
        *(
            Case(
                "every order",
                f"map{more}",
                SEVEN,
                reduction="sum" if cutoff == 6 else None,
                truth=lambda cutoff=cutoff: precisions(*SEVEN[:2], cutoff),
            )
            for more, cutoff in (("", None), (":cutoff=1", 1), (":cutoff=3", 3), (":cutoff=6", 6))
        ),
        *(
            Case(f"xgboost 3.2.0, {name}", f"map:ties=order,{more}", (FIRST, label, THEN), value)
            for name, more, label, value in (
                ("map", "empty=one", [1, 0, 0, 1, 0, 1, 1, 0], 0.83333333333333326),
                ("map@1", "empty=one,cutoff=1", [1, 0, 0, 1, 0, 1, 1, 0], 1.0),
                ("map", "empty=one", [0, 0, 0, 0, 0, 1, 1, 0], 0.91666666666666663),
                ("map-", "empty=zero", [0, 0, 0, 0, 0, 1, 1, 0], 0.41666666666666663),
                ("map@2", "empty=one,cutoff=2", [0, 0, 0, 0, 0, 1, 1, 0], 0.75),
            )
        ),
    ],
    "neural-ndcg": [
        *(
            Case(
                "numpy, whole matrices",
                f"neural-ndcg:temperature={t}",
                LISTS,
                lambda t=t: float(np.mean([neural(s, y, t) for s, y in RATED])),
                digits=10,
            )
            for t in (1, 0.3)
        ),
        *reduced(Case(ALLRANK, "neural-ndcg", ONE, -0.8091848, digits=6), 1, "sum"),
        Case(
            "numpy, cut off, 9 rounds, linear gains",
            "neural-ndcg:gain=linear,cutoff=3,iterations=9",
            LISTS,
            lambda: float(np.mean([neural(s, y, 1, y, 3, 9) for s, y in RATED])),
            digits=10,
        ),
        Case(ALLRANK, "neural-ndcg:temperature=0.3", TIED, -0.7017800, digits=6),
    ],
    "dcg": [
        Case("scikit-learn", "dcg", LISTS, of_lists(sklearn.metrics.dcg_score, EACH_LIST)),
        Case(
            "scikit-learn, ties",
            "dcg",
            COARSE_LISTS,
            of_lists(sklearn.metrics.dcg_score, [(np.round(s), y) for s, y in EACH_LIST]),
        ),
        Case("scikit-learn, 3 places", "dcg:cutoff=3", LISTS, of_lists(sklearn.metrics.dcg_score, EACH_LIST, k=3)),
        Case(
            "scikit-learn, sum",
            "dcg",
            LISTS,
            lambda: 40 * of_lists(sklearn.metrics.dcg_score, EACH_LIST)(),
            reduction="sum",
        ),
        Case(RAX, "dcg:gain=exponential", TIED, 6.569607253646887),
        Case(f"{RAX}, 2 places", "dcg:gain=exponential,cutoff=2", TIED, 3.708254137500101),
        Case(
            "every order of ties",
            "dcg:gain=exponential",
            ([1.0, 2, 1, 1], [3, 0, 1, 2], [0] * 4),
            lambda: mean_over_orders([1.0, 2, 1, 1], [7, 0, 1, 3]),
        ),
        Case(
            "by hand: ties in the order of the file",
            "dcg:ties=order",
            ([1.0, 1, 1], [0, 2, 1], [0] * 3),
            2 / math.log2(3) + 0.5,
        ),
    ],
    "approx-mrr": [
        *reduced(
            Case(
                "scipy",
                "approx-mrr",
                LISTS,
                lambda: np.mean([soft_reciprocals(*row, 0.1) for row in RATED]),
            ),
            len(RATED),
            "sum",
        ),
        Case(
            "scipy",
            "approx-mrr:temperature=1",
            LISTS,
            lambda: np.mean([soft_reciprocals(*row, 1) for row in RATED]),
        ),
    ],
    "ndcg": [
        Case("scikit-learn 1.9.1", "ndcg", ONE, 0.9079365, digits=7),
        Case("scikit-learn", "ndcg", LISTS, of_lists(sklearn.metrics.ndcg_score, RATED)),
        Case("scikit-learn, ties", "ndcg", COARSE_LISTS, of_lists(sklearn.metrics.ndcg_score, COARSE_RATED)),
        Case("scikit-learn, empty lists 0", "ndcg:empty=zero", LISTS, of_lists(sklearn.metrics.ndcg_score, EACH_LIST)),
        Case(
            "scikit-learn, empty lists 1",
            "ndcg:empty=one",
            LISTS,
            lambda: (of_lists(sklearn.metrics.ndcg_score, RATED)() * len(RATED) + 40 - len(RATED)) / 40,
        ),
        Case(
            "scikit-learn, 3 places, of 2^y - 1",
            "ndcg:cutoff=3,gain=exponential",
            COARSE_LISTS,
            of_lists(exponential(sklearn.metrics.ndcg_score), COARSE_RATED, k=3),
        ),
        Case(
            "scikit-learn, sum",
            "ndcg",
            LISTS,
            lambda: len(RATED) * of_lists(sklearn.metrics.ndcg_score, RATED)(),
            reduction="sum",
        ),
        Case(RAX, "ndcg:gain=exponential", TIED, 0.6942929073847461),
        Case(f"{RAX}, 2 places", "ndcg:gain=exponential,cutoff=2", TIED, 0.4169956161990743),
        Case("by hand: ties in the order of the file", "ndcg:ties=order", ([1.0, 1], [0, 1], [0, 0]), math.log(2, 3)),
        Case("by hand: ties", "ndcg", ([1.0, 1], [0, 1], [0, 0]), (1 + math.log(2, 3)) / 2),
    ],
    "approx-ndcg": [
        Case(ALLRANK, "approx-ndcg:temperature=1", ONE, -0.670188, digits=6),
        Case(f"{ALLRANK}, alpha 2", "approx-ndcg:temperature=0.5", TIED, -0.6282905, digits=7),
        Case(
            "scipy",
            "approx-ndcg",
            LISTS,
            lambda: float(np.mean([soft_places(s, y, 0.1, power) for s, y in RATED])),
        ),
        Case(
            "scipy, linear gains, sum",
            "approx-ndcg:gain=linear,temperature=2",
            LISTS,
            lambda: float(np.sum([soft_places(s, y, 2.0, np.asarray) for s, y in RATED])),
            reduction="sum",
        ),
    ],
    "lambda-loss": [
        Case(f"{ALLRANK}, ndcgLoss2", "lambda-loss", ONE, 0.5634997, digits=7),
        Case(f"{ALLRANK}, sigma 2", "lambda-loss:sigma=2", TIED, 2.498608, digits=6, reduction="sum"),
        Case(f"{ALLRANK}, mean of pairs", "lambda-loss:sigma=2,per=pair", TIED, 0.2498608, digits=7),
        Case(
            f"{ALLRANK}, lambdaRank",
            "lambda-loss:sigma=2,scheme=lambdarank",
            TIED,
            4.579435,
            digits=6,
            reduction="sum",
        ),
        Case(
            f"{ALLRANK}, ndcgLoss2PP",
            "lambda-loss:sigma=2,scheme=ndcg-loss2++",
            TIED,
            29.565513,
            digits=6,
            reduction="sum",
        ),
        Case(
            f"{ALLRANK}, 2 places, of 8 documents",
            "lambda-loss:sigma=2,scheme=ndcg-loss2++,cutoff=2",
            TIED,
            2.405339,
            digits=6,
            reduction="sum",
        ),
        Case(
            "by hand, mu: the weights of two documents are alike",
            "lambda-loss:scheme=ndcg-loss2++,mu=3",
            ([0.0, 0.0], [1, 0], [0, 0]),
            4 * (1 - math.log(2, 3)),
        ),
    ],
}
