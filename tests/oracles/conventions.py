"""What libraries choose otherwise, option by option: scikit-learn, scipy, torch, numbers that libraries printed."""

from __future__ import annotations

import math

import numpy as np
import scipy.special
import scipy.stats
import sklearn.metrics
import torch
import torch.nn.functional as F

from .case import Case, index, mean, tensor
from .pairs import distances
from .ranking import GRADE, LISTS, SCORE, UPSIDE_DOWN, over_lists
from .samples import (
    CLASSES,
    H1,
    KP,
    LABEL,
    LEFT,
    LOGIT,
    MANY_LABELS,
    MANY_LOGITS,
    OF_CHANCE,
    OF_PROB,
    OTHER,
    RIGHT,
    SAME,
    SCORES,
    SOFT,
    TABLE,
    TABLE_TARGET,
    THIRD,
    K,
    T,
)

ONE_HOT = np.eye(4)[CLASSES]
SMOOTHED = 0.9 * LABEL + 0.05


def soft_bce(logit: np.ndarray, label: np.ndarray, **options: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(tensor(logit), tensor(label), **options)


def kornia_weights() -> np.ndarray:
    return np.where(CLASSES == 0, 0.75, 0.25)


def smoothed_focal(alpha: bool = False) -> float:
    """keras: binary labels y (1 - eps) + eps / 2 in every place where labels stand."""
    p = scipy.special.expit(LOGIT)
    cross_entropy = scipy.special.xlogy(-SMOOTHED, p) - scipy.special.xlogy(1 - SMOOTHED, 1 - p)
    rest = SMOOTHED * (1 - p) + (1 - SMOOTHED) * p
    weight = 0.25 * SMOOTHED + 0.75 * (1 - SMOOTHED) if alpha else 1.0
    return float(np.mean(weight * rest**2 * cross_entropy))


def reduced_focal(cut: float) -> float:
    p_t = scipy.special.expit(np.where(LABEL == 1, LOGIT, -LOGIT))
    terms = [-math.log(p) * (1 if p < cut else ((1 - p) / cut) ** 2) for p in p_t]
    return mean(terms)


def cityblock_triplet() -> torch.Tensor:
    return F.triplet_margin_with_distance_loss(
        tensor(LEFT), tensor(RIGHT), tensor(THIRD), distance_function=lambda a, b: (a - b).abs().sum(1), margin=2.0
    )


CASES: dict[str, list[Case]] = {
    "bce": [
        Case(
            "torch, a weight a label",
            "bce:pos-weight=1/2/3/0.5",
            (MANY_LOGITS, MANY_LABELS),
            lambda: soft_bce(MANY_LOGITS, MANY_LABELS, pos_weight=tensor([1, 2, 3, 0.5])),
            forms=OF_PROB,
        ),
        Case(
            "torch, soft labels",
            "bce:label-smoothing=0.1",
            (LOGIT, LABEL),
            lambda: soft_bce(LOGIT, SMOOTHED),
            forms=OF_PROB,
        ),
        Case(
            "torch, soft labels, weighted",
            "bce:label-smoothing=0.1,pos-weight=3",
            (LOGIT, LABEL),
            lambda: soft_bce(LOGIT, SMOOTHED, pos_weight=tensor([3.0])),
            forms=OF_PROB,
        ),
    ],
    "focal": [
        Case("printed, alpha of both", "focal:alpha=0.25,alpha-rule=both", K, 0.212588, digits=6, forms=OF_CHANCE),
        Case("printed by smp, times 6", "focal:normalized=true,alpha=0.25", K, 1.396158, digits=5, forms=OF_CHANCE),
        Case(
            "torch, kornia's weights",
            "focal:gamma=0,alpha=0.25,alpha-rule=rest",
            (SCORES, CLASSES),
            lambda: mean(kornia_weights() * F.cross_entropy(tensor(SCORES), index(CLASSES), reduction="none").numpy()),
            forms=OF_CHANCE,
        ),
        Case("scipy", "focal:label-smoothing=0.1", (LOGIT, LABEL), smoothed_focal, forms=OF_CHANCE),
        Case(
            "scipy, alpha",
            "focal:label-smoothing=0.1,alpha=0.25",
            (LOGIT, LABEL),
            lambda: smoothed_focal(True),
            forms=OF_CHANCE,
        ),
        Case(
            "torch, smoothed classes",
            "focal:gamma=0,label-smoothing=0.1",
            (SCORES, CLASSES),
            lambda: F.cross_entropy(tensor(SCORES), index(CLASSES), label_smoothing=0.1),
            forms=OF_CHANCE,
        ),
        Case("row by row", "focal:threshold=0.5", (LOGIT, LABEL), lambda: reduced_focal(0.5), forms=OF_CHANCE),
        Case(
            "torch, classes as labels",
            "focal:gamma=0,one-vs-rest=true",
            (SCORES, CLASSES),
            lambda: soft_bce(SCORES, ONE_HOT),
            forms=OF_CHANCE,
        ),
    ],
    "focal-star": [
        Case(
            "torch, gamma 1 beta 0, alpha",
            "focal-star:gamma=1,beta=0,alpha=0.25",
            (LOGIT, LABEL),
            lambda: soft_bce(LOGIT, LABEL, weight=tensor(np.where(LABEL == 1, 0.25, 0.75))),
        )
    ],
    "hinge": [Case("printed by optax, labels as they are", "hinge:targets=raw", H1, 0.625)],
    "squared-hinge": [Case("by hand, labels as they are", "squared-hinge:targets=raw", H1, 2.25 / 4)],
    "multiclass-hinge": [
        Case(
            "scikit-learn, class by class",
            "multiclass-hinge:kind=one-vs-all",
            (SCORES, CLASSES),
            lambda: mean(sklearn.metrics.hinge_loss(k == CLASSES, SCORES[:, k]) for k in range(4)),
        )
    ],
    "kl": [
        Case(
            "scipy, rows that do not sum to 1",
            "kl:generalized=true",
            (SOFT, OTHER),
            lambda: scipy.special.kl_div(SOFT, OTHER).sum(axis=1).mean(),
        ),
        Case("scipy, sums of 1.42 and more", "kl:generalized=true", KP, lambda: scipy.special.kl_div(*KP).sum() / 2),
        Case("scipy, bits", "kl:base=2", (SOFT, OTHER), lambda: mean(scipy.stats.entropy(SOFT, OTHER, base=2, axis=1))),
        Case(
            "torch, without the log",
            "kl:forgot-log=true",
            (SOFT, OTHER),
            lambda: F.kl_div(tensor(OTHER), tensor(SOFT), reduction="batchmean"),
        ),
    ],
    "rmse": [
        Case(
            "scikit-learn, row by row",
            "rmse:columns=first",
            (TABLE, TABLE_TARGET),
            lambda: mean(
                sklearn.metrics.root_mean_squared_error(a, b) for a, b in zip(TABLE_TARGET, TABLE, strict=True)
            ),
        ),
        Case("by hand, one column", "rmse:columns=first", ([1.0, -3.0], [0.0, 1.0]), 2.5),
        Case("by hand, huge", "rmse:columns=first", ([[3e200, 4e200]], [[0.0, 0.0]]), 5e200 / math.sqrt(2)),
        Case(
            "scikit-learn, each column",
            "rmse:columns=each",
            (TABLE, TABLE_TARGET),
            lambda: sklearn.metrics.root_mean_squared_error(TABLE_TARGET, TABLE),
        ),
        Case("by hand, huge and tiny", "rmse:columns=each", ([[3e200, 4e-200]], [[0.0, 0.0]]), 1.5e200),
    ],
    "pointwise-bce": [
        Case(
            "torch, grades as soft labels",
            "pointwise-bce:grades=raw",
            LISTS,
            lambda: soft_bce(SCORE, GRADE),
        ),
        Case(
            "torch, grades clipped to soft labels",
            "pointwise-bce:grades=clipped",
            (SCORE, GRADE / 2, LISTS[2]),
            lambda: soft_bce(SCORE, np.clip(GRADE / 2, 0, 1)),
        ),
        Case(
            "torch, sums of lists",
            "pointwise-bce:per=list-sum",
            LISTS,
            lambda: over_lists(lambda s, y: F.binary_cross_entropy_with_logits(tensor(s), tensor(y > 0)) * len(s)),
        ),
    ],
    "listnet": [
        Case(
            "scipy, eps",
            "listnet:eps=0.01",
            LISTS,
            lambda: over_lists(lambda s, y: -scipy.special.softmax(y) @ np.log(scipy.special.softmax(s) + 0.01)),
        )
    ],
    "ranknet": [Case("printed by TF-Ranking's Keras class", "ranknet:per=document", UPSIDE_DOWN, 0.399069, digits=6)],
    "contrastive": [
        Case("printed by Caffe's rule", "contrastive:legacy=true", T, 0.360833, digits=6),
        Case("by hand", "contrastive:legacy=true,margin=2", ([[0.0], [0]], [[1.0], [1]], [0, 1]), (0.5 + 0.5) / 2),
        Case(
            "scipy, cityblock",
            "contrastive:distance=manhattan,margin=4",
            (LEFT, RIGHT, SAME),
            lambda: (
                np.mean(np.where(SAME == 1, distances("cityblock"), np.maximum(4 - distances("cityblock"), 0)) ** 2) / 2
            ),
        ),
    ],
    "triplet": [Case("torch, p = 1", "triplet:distance=manhattan,margin=2", (LEFT, RIGHT, THIRD), cityblock_triplet)],
}
