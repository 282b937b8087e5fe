"""Learning to rank: torch, scipy, scikit-learn list by list; chances as fractions; what rax and others have printed."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.metrics
import torch
import torch.nn.functional as F

from .case import Case, log, mean, tensor

RNG = np.random.default_rng(0)
SIZES = RNG.integers(1, 9, 40)
GROUP = np.repeat(np.arange(40), SIZES)
SCORE = RNG.normal(size=len(GROUP))
GRADE = RNG.integers(0, 4, len(GROUP)).astype(float)
LISTS = (SCORE, GRADE, GROUP)
SPLIT = np.cumsum(SIZES)[:-1]
EACH_LIST = list(zip(np.split(SCORE, SPLIT), np.split(GRADE, SPLIT), strict=True))

# of the libraries' documents and comparisons
ONE = ([0.6, 0.8, 0.1, 0.4], [3, 2, 1, 0], [0, 0, 0, 0])
TWO = ([0.6, 0.8, 0.1, 0.4, 1.5, -0.5, 2.0, 0.25], [3, 2, 1, 0, 0, 2, 1, 3], [0, 0, 0, 0, 1, 1, 1, 1])
TIED = (TWO[0], [3, 2, 1, 1, 0, 2, 0, 3], TWO[2])
CLICKED = (TWO[0], [3, 2, 0, 0, 0, 2, 0, 3], TWO[2])
UPSIDE_DOWN = ([0.6, 0.8], [1, 0], ["q", "q"])
DOCUMENTED = ([2.0, 1.0, 1.0, 0.5, 1.5], [1, 0, 0, 0, 1], [0, 0, 1, 1, 1])
RAX = "rax 0.4.0"


def better_pairs(score: np.ndarray, grade: np.ndarray) -> torch.Tensor:
    """The scores of every pair of a list where one is more relevant than the other, (2, pairs)."""
    documents = range(len(score))
    pairs = [(score[i], score[j]) for i in documents for j in documents if grade[i] > grade[j]]
    return tensor(pairs).reshape(-1, 2).T


PAIRS = [pairs for pairs in (better_pairs(score, grade) for score, grade in EACH_LIST) if pairs.numel()]
ALL_PAIRS = torch.cat(PAIRS, dim=1)


def over_lists(term: Callable[[Any, Any], Any], combine: Callable[[Any], Any] = mean) -> Any:
    return combine([term(score, grade) for score, grade in EACH_LIST])


def torch_bce(score: np.ndarray, grade: np.ndarray) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(tensor(score), tensor(grade > 0))


def torch_hinge(pairs: torch.Tensor, margin: float, reduction: str) -> torch.Tensor:
    return F.margin_ranking_loss(pairs[0], pairs[1], torch.ones_like(pairs[0]), margin=margin, reduction=reduction)


def sklearn_pairs(pairs: torch.Tensor, sigma: float, normalize: bool) -> float:
    """scikit-learn's log loss of the chance that the better document wins (Bradley-Terry)."""
    chance = scipy.special.expit(sigma * (pairs[0] - pairs[1]).numpy())
    return sklearn.metrics.log_loss(np.ones(len(chance)), chance, normalize=normalize, labels=[0, 1])


def scipy_cross_entropy(score: np.ndarray, grade: np.ndarray) -> float:
    p, q = scipy.special.softmax(grade), scipy.special.softmax(score)
    return scipy.stats.entropy(p) + scipy.stats.entropy(p, q)


def drawn_in_turn(score: np.ndarray, grade: np.ndarray) -> float:
    """torch's cross-entropy of the best document among those left, round by round."""
    ranked = tensor(score[np.argsort(-grade, kind="stable")])
    return math.fsum(float(F.cross_entropy(ranked[i:], torch.tensor(0))) for i in range(len(ranked)))


def order_of_weights(*weights: int) -> Decimal:
    """-log of the chance that documents of these weights e^s are drawn in this order."""
    chance = Fraction(1)
    for i, weight in enumerate(weights):
        chance *= Fraction(weight, sum(weights[i:]))
    return -log(chance)


def torch_softmax(score: np.ndarray, grade: np.ndarray, normalized: bool = False) -> torch.Tensor:
    total = grade.sum() if normalized and grade.any() else 1.0
    return F.cross_entropy(tensor(score)[None], tensor(grade)[None], reduction="sum") / total


def torch_unique(score: np.ndarray, grade: np.ndarray) -> torch.Tensor:
    """Each document first, then those below it."""
    rivals = [tensor([s, *score[grade < y]])[None] for s, y in zip(score, grade, strict=True)]
    return sum((2**y - 1) * F.cross_entropy(row, torch.tensor([0])) for row, y in zip(rivals, grade, strict=True))


def variance_of_errors(score: np.ndarray, grade: np.ndarray) -> float:
    return 2 * len(score) ** 2 * np.var(score - grade)


def distances_of_errors(score: np.ndarray, grade: np.ndarray) -> float:
    return 2 * scipy.spatial.distance.pdist((score - grade)[:, None], "sqeuclidean").sum()


CASES: dict[str, list[Case]] = {
    "ranking-softmax": [
        Case(RAX, "ranking-softmax", ONE, 7.862877, digits=6),
        Case("allRank 1.4.3, binary listNet", "ranking-softmax:normalized=true", ONE, 1.31048, digits=5),
        Case("torch", "ranking-softmax", LISTS, lambda: over_lists(torch_softmax)),
        Case("torch, sum", "ranking-softmax", LISTS, lambda: over_lists(torch_softmax, sum), reduction="sum"),
        Case(
            "torch, shares",
            "ranking-softmax:normalized=true",
            LISTS,
            lambda: over_lists(lambda score, grade: torch_softmax(score, grade, normalized=True)),
        ),
        Case(f"{RAX}, poly1", "ranking-softmax:epsilon=1", ONE, 8.586399, digits=6),
        Case(f"{RAX}, poly1, two lists", "ranking-softmax:epsilon=1", TIED, 12.186661371082408),
        Case("by hand, none relevant", "ranking-softmax:normalized=true", ([1.0, 2.0], [0, 0], [0, 0]), 0.0),
    ],
    "pairwise-soft-zero-one": [
        Case(RAX, "pairwise-soft-zero-one:per=pair", ONE, 0.447518, digits=6),
        Case(
            "scipy, pairs",
            "pairwise-soft-zero-one:per=pair",
            LISTS,
            lambda: np.mean(scipy.special.expit((ALL_PAIRS[1] - ALL_PAIRS[0]).numpy())),
        ),
        Case(
            "torch, lists",
            "pairwise-soft-zero-one",
            LISTS,
            lambda: mean(torch.sigmoid(b - a).sum() for a, b in PAIRS),
        ),
        Case(
            "torch, sum",
            "pairwise-soft-zero-one",
            LISTS,
            lambda: torch.sigmoid(ALL_PAIRS[1] - ALL_PAIRS[0]).sum(),
            reduction="sum",
        ),
    ],
    "unique-softmax": [
        Case(RAX, "unique-softmax", ONE, 12.23095, digits=5),
        Case(f"{RAX}, two lists", "unique-softmax", TIED, 18.52566991707913),
        Case("torch", "unique-softmax", LISTS, lambda: over_lists(torch_unique)),
        Case("torch, sum", "unique-softmax", LISTS, lambda: over_lists(torch_unique, sum), reduction="sum"),
    ],
    "pairwise-mse": [
        Case(RAX, "pairwise-mse:per=pair", ONE, 1.98375, digits=5),
        Case(f"{RAX}, two lists", "pairwise-mse:per=pair", TIED, 5.29109375),
        Case("numpy's variance", "pairwise-mse", LISTS, lambda: over_lists(variance_of_errors)),
        Case(
            "scipy's distances",
            "pairwise-mse",
            LISTS,
            lambda: over_lists(
                lambda s, y: 2 * scipy.spatial.distance.pdist((s - y)[:, None], "sqeuclidean").sum(), sum
            ),
            reduction="sum",
        ),
    ],
    "pointwise-mse": [
        Case("torch", "pointwise-mse", LISTS, lambda: F.mse_loss(tensor(SCORE), tensor(GRADE))),
        Case(
            "scikit-learn, lists",
            "pointwise-mse:per=list",
            LISTS,
            lambda: over_lists(lambda score, grade: sklearn.metrics.mean_squared_error(grade, score)),
        ),
        Case(
            "torch, sum",
            "pointwise-mse",
            LISTS,
            lambda: F.mse_loss(tensor(SCORE), tensor(GRADE), reduction="sum"),
            reduction="sum",
        ),
        Case(RAX, "pointwise-mse", TIED, 3.5540625),
        Case("TF-Ranking 0.5.3's example", "pointwise-mse", UPSIDE_DOWN, 0.4),
        Case("by hand, documents", "pointwise-mse", ([1.0, 2, 3], [0, 0, 0], [0, 0, 1]), Fraction(14, 3)),
        Case("by hand, lists", "pointwise-mse:per=list", ([1.0, 2, 3], [0, 0, 0], [0, 0, 1]), Fraction(23, 4)),
    ],
    "pointwise-bce": [
        Case("torch", "pointwise-bce", LISTS, lambda: torch_bce(SCORE, GRADE)),
        Case("torch, lists", "pointwise-bce:per=list", LISTS, lambda: over_lists(torch_bce)),
        Case(
            "scikit-learn, sum",
            "pointwise-bce",
            LISTS,
            lambda: sklearn.metrics.log_loss(GRADE > 0, scipy.special.expit(SCORE), normalize=False),
            reduction="sum",
        ),
        Case(f"{RAX}, of clicks", "pointwise-bce", CLICKED, 0.9805447777489829),
        Case(
            "allRank 1.4.3: the sum of a list, of four documents",
            "pointwise-bce:per=list",
            CLICKED,
            3.9221791109959305 / 4,
        ),
        Case(
            "by hand, odds of 3",
            "pointwise-bce",
            ([math.log(3)] * 2, [2, 0], [0, 0]),
            lambda: (log("4/3") + log(4)) / 2,
        ),
    ],
    "ranknet": [
        Case("torch", "ranknet", LISTS, lambda: mean(-F.logsigmoid(a - b).sum() for a, b in PAIRS)),
        Case(
            "by hand, a list without a pair",
            "ranknet:per=all-documents",
            ([1.0, 0, 5, 7], [1, 0, 1, 1], [0, 0, 1, 1]),
            0.31326168751822286 / 4,
        ),
        Case("scikit-learn, pairs", "ranknet:per=pair", LISTS, lambda: sklearn_pairs(ALL_PAIRS, 1, normalize=True)),
        Case(
            "scikit-learn, sigma, sum",
            "ranknet:sigma=2",
            LISTS,
            lambda: sklearn_pairs(ALL_PAIRS, 2, normalize=False),
            reduction="sum",
        ),
        Case(
            "torch, sigma, pairs",
            "ranknet:sigma=2,per=pair",
            LISTS,
            lambda: -F.logsigmoid(2 * (ALL_PAIRS[0] - ALL_PAIRS[1])).mean(),
        ),
        Case(RAX, "ranknet", TIED, 5.645699003731291),
        Case(f"{RAX}, mean of pairs", "ranknet:per=pair", TIED, 1.1291398007462583),
        Case(f"{RAX}, lists of two and three", "ranknet:per=pair", DOCUMENTED, 0.36686678640551745),
        Case(f"{RAX}, three times the scores", "ranknet:sigma=3", ONE, 3.296345044204398),
        Case("the table", "ranknet", UPSIDE_DOWN, 0.798139, digits=6),
        Case("by hand, odds of 3", "ranknet", ([math.log(3), 0.0], [1, 0], [0, 0]), lambda: log("4/3")),
        Case("by hand, no pair in the second list", "ranknet", ([0.0, 0, 5], [1, 0, 1], [0, 0, 1]), math.log(2)),
    ],
    "margin-ranking": [
        Case("torch", "margin-ranking", LISTS, lambda: mean(torch_hinge(pairs, 1, "sum") for pairs in PAIRS)),
        Case(
            "torch, margin, pairs",
            "margin-ranking:margin=0.3,per=pair",
            LISTS,
            lambda: torch_hinge(ALL_PAIRS, 0.3, "mean"),
        ),
        Case("torch, sum", "margin-ranking:margin=2", LISTS, lambda: torch_hinge(ALL_PAIRS, 2, "sum"), reduction="sum"),
        Case(RAX, "margin-ranking", TIED, 7.575),
        Case(f"{RAX}, mean of pairs", "margin-ranking:per=pair", TIED, 1.515),
        Case("the table", "margin-ranking:per=pair", ONE, 0.7833333, digits=7),
        Case("rax's example", "margin-ranking:per=pair", DOCUMENTED, Fraction(1, 6)),
        Case("TF-Ranking 0.5.3's example, 0.6 for each of two documents", "margin-ranking", UPSIDE_DOWN, 1.2),
        Case("by hand, on the boundary", "margin-ranking:margin=0.5", ([1.0, 0.5], [1, 0], [0, 0]), 0.0),
    ],
    "listnet": [
        Case("scipy", "listnet", LISTS, lambda: over_lists(scipy_cross_entropy)),
        Case("scipy, sum", "listnet", LISTS, lambda: over_lists(scipy_cross_entropy, sum), reduction="sum"),
        Case(
            "torch, softmax targets",
            "listnet",
            LISTS,
            lambda: over_lists(lambda score, grade: F.cross_entropy(tensor(score), torch.softmax(tensor(grade), 0))),
        ),
        Case("allRank 1.4.3 with eps 0; rax of softmax labels", "listnet", TIED, 1.8824115322921804),
        Case("allRank 1.4.3, the table", "listnet", UPSIDE_DOWN, 0.744351, digits=6),
        Case(
            "by hand, weights 1 and 3 against 2 and 1",
            "listnet",
            ([math.log(2), 0.0], [0.0, math.log(3)], [0, 0]),
            lambda: log("3/2") / 4 + 3 * log(3) / 4,
        ),
        Case("a single document costs nothing", "listnet", ([0.0, 0, 5], [1, 1, 1], [0, 0, 1]), math.log(2) / 2),
    ],
    "list-mle": [
        Case("torch, round by round", "list-mle", LISTS, lambda: over_lists(drawn_in_turn)),
        Case("torch, sum", "list-mle", LISTS, lambda: over_lists(drawn_in_turn, math.fsum), reduction="sum"),
        Case("allRank 1.4.3 with eps 0, and rax 0.4.0", "list-mle", TWO, 4.395657273851249),
        Case("TF-Ranking 0.5.3's example", "list-mle", UPSIDE_DOWN, 0.7981389, digits=7),
        Case(
            "chances of weights",
            "list-mle",
            (np.log([2.0, 7, 1, 5]), [3, 1, 9, 0], [0] * 4),
            lambda: order_of_weights(1, 2, 7, 5),
        ),
        Case(
            "chances of weights: ties keep their order",
            "list-mle",
            (np.log([2.0, 7, 1, 5]), [1, 1, 1, 2], [0] * 4),
            lambda: order_of_weights(5, 2, 7, 1),
        ),
        Case("equal scores: all orders alike", "list-mle", ([3.0] * 5, [4, 2, 0, 1, 3], [0] * 5), math.log(120)),
    ],
}
