"""Divergences: scipy and torch; logarithms of fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.spatial.distance
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F

from .case import Case, index, log, mean, reduced, tensor
from .samples import CLASSES, KP, OF_BOTH, OTHER, PRED, PROBS, SCORES, SOFT, TABLE, TABLE_TARGET, TARGET


def torch_kl(p: np.ndarray, log_q: np.ndarray) -> torch.Tensor:
    return F.kl_div(tensor(log_q), tensor(p), reduction="batchmean")


LOG_FORMS = {"p": "log-prob", "q": "log-prob"}
with np.errstate(divide="ignore"):
    LOG_ZERO = np.log([[0.5, 0.5, 0.0]])

SEEN = (np.random.default_rng(43).normal(0, 2, (50, 4)), SCORES, SCORES[::-1].copy())
VIEWS = ([[2.0, 1, 0]], [[1.5, 0.5, 0.2]], [[1.8, 1.2, -0.1]], [0])


def augmix(alpha: float, smoothing: float) -> float:
    """torch's cross-entropy and divergences, as timm adds them up."""
    chances = [tensor(view).softmax(dim=1) for view in SEEN]
    mixture = torch.stack(chances).mean(dim=0).log()
    apart = sum(F.kl_div(mixture, chance, reduction="batchmean") for chance in chances) / 3
    return float(F.cross_entropy(tensor(SEEN[0]), index(CLASSES), label_smoothing=smoothing) + alpha * apart)


CASES = {
    "jsd-ce": [
        *reduced(Case("timm 1.0.31", "jsd-ce", VIEWS, 0.6231797, digits=6), 1, "sum"),
        Case("torch", "jsd-ce", (*SEEN, CLASSES), lambda: augmix(12, 0.1)),
        Case("torch", "jsd-ce:alpha=2,label_smoothing=0", (*SEEN, CLASSES), lambda: augmix(2, 0)),
    ],
    "kl": [
        Case("the table", "kl", KP, 0.596074, digits=6),
        Case("the table, sum", "kl", KP, 1.192148, digits=6, reduction="sum"),
        Case("scipy", "kl", (SOFT, OTHER), lambda: mean(scipy.stats.entropy(SOFT, OTHER, axis=1))),
        Case("scipy, not normalised", "kl", KP, lambda: scipy.special.rel_entr(*KP).sum() / 2),
        Case(
            "torch, log-prob",
            "kl",
            (np.log(SOFT), np.log(OTHER)),
            lambda: torch_kl(SOFT, np.log(OTHER)),
            forms=LOG_FORMS,
        ),
        Case(
            "torch, q log-prob",
            "kl",
            (SOFT, np.log(OTHER)),
            lambda: torch_kl(SOFT, np.log(OTHER)),
            forms={"q": "log-prob"},
        ),
        Case(
            "torch, logits",
            "kl",
            (SCORES, 2 * np.roll(SCORES, 1)),
            lambda: torch_kl(PROBS, scipy.special.log_softmax(2 * np.roll(SCORES, 1), axis=1)),
            forms=OF_BOTH,
        ),
        Case(
            "torch, p probabilities, q logits",
            "kl",
            (SOFT, SCORES),
            lambda: torch_kl(SOFT, scipy.special.log_softmax(SCORES, axis=1)),
            forms={"q": "logits"},
        ),
        Case(
            "scipy, p logits, q log-prob",
            "kl",
            (SCORES, np.log(OTHER)),
            lambda: mean(scipy.stats.entropy(PROBS, OTHER, axis=1)),
            forms={"p": "logits", "q": "log-prob"},
        ),
        Case("by hand", "kl", ([[0.5, 0.5]], [[0.25, 0.75]]), lambda: log("4/3") / 2),
        Case("the other direction", "kl", ([[0.25, 0.75]], [[0.5, 0.5]]), lambda: log("27/16") / 4),
        Case("0 log 0 is 0", "kl", ([[1.0, 0.0]], [[0.5, 0.5]]), math.log(2)),
        Case("0 log 0 is 0, of log-prob", "kl", (LOG_ZERO, np.log([[0.25, 0.25, 0.5]])), math.log(2), forms=LOG_FORMS),
        Case("infinite where only q is 0", "kl", ([[0.5, 0.5]], [[1.0, 0.0]]), math.inf),
        Case("infinite, of log-prob", "kl", (np.log([[0.25, 0.25, 0.5]]), LOG_ZERO), math.inf, forms=LOG_FORMS),
        Case("equal", "kl", (SOFT, SOFT), 0.0),
        Case(
            "an offset of logits is nothing", "kl", ([[1.0, 2.0, 4.0]], [[1025.0, 1026.0, 1028.0]]), 0.0, forms=OF_BOTH
        ),
        Case("far logits", "kl", ([[0.0, 20000.0]], [[0.0, -20000.0]]), 20000.0, forms=OF_BOTH),
    ],
    "js": [
        Case(
            "scipy, sum",
            "js",
            (SOFT, OTHER),
            lambda: (scipy.spatial.distance.jensenshannon(SOFT, OTHER, axis=1) ** 2).sum(),
            reduction="sum",
        ),
        Case(
            "scipy", "js", (SOFT, OTHER), lambda: mean(scipy.spatial.distance.jensenshannon(SOFT, OTHER, axis=1) ** 2)
        ),
        Case(
            "scipy, log-prob",
            "js",
            (np.log(SOFT), np.log(OTHER)),
            lambda: mean(scipy.spatial.distance.jensenshannon(SOFT, OTHER, axis=1) ** 2),
            forms=LOG_FORMS,
        ),
        Case(
            "scipy, logits",
            "js",
            (SCORES, -SCORES),
            lambda: mean(
                scipy.spatial.distance.jensenshannon(PROBS, scipy.special.softmax(-SCORES, axis=1), axis=1) ** 2
            ),
            forms=OF_BOTH,
        ),
        Case(
            "scipy, mixed",
            "js",
            (SCORES, OTHER),
            lambda: mean(scipy.spatial.distance.jensenshannon(PROBS, OTHER, axis=1) ** 2),
            forms={"p": "logits"},
        ),
        Case("nothing in common", "js", ([[1.0, 0.0]], [[0.0, 1.0]]), math.log(2)),
        Case("by hand", "js", ([[0.5, 0.5]], [[1.0, 0.0]]), lambda: 3 * log("4/3") / 4),
        Case("equal", "js", (SOFT, SOFT), 0.0),
        Case(
            "nearly equal: half the square of the step",
            "js",
            ([[0.5 + 2.0**-30, 0.5 - 2.0**-30]], [[0.5, 0.5]]),
            2.0**-61,
        ),
    ],
}


def of_two(name: str, function: Callable[..., Any], number: float, digits: int) -> list[Case]:
    """The printed number, and every form and reduction; function: rows of probabilities -> one value each."""
    d = ([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]], [[0.4, 0.4, 0.2], [0.3, 0.4, 0.3]])
    other = scipy.special.softmax(-SCORES, axis=1)
    return [
        *reduced(Case("the table", name, d, number, digits=digits), 2, "sum"),
        *reduced(Case("scipy", name, (SOFT, OTHER), lambda: np.mean(function(SOFT, OTHER))), 50, "sum"),
        Case(
            "scipy, log", name, (np.log(SOFT), np.log(OTHER)), lambda: np.mean(function(SOFT, OTHER)), forms=LOG_FORMS
        ),
        Case("scipy, logits", name, (SCORES, -SCORES), lambda: np.mean(function(PROBS, other)), forms=OF_BOTH),
    ]


def jeffreys(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return scipy.stats.entropy(p, q, axis=1) + scipy.stats.entropy(q, p, axis=1)


def hellinger(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    rows = zip(np.sqrt(p), np.sqrt(q), strict=True)
    return np.array([scipy.spatial.distance.euclidean(a, b) for a, b in rows]) / math.sqrt(2)


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.array([scipy.spatial.distance.cityblock(a, b) / 2 for a, b in zip(p, q, strict=True)])


STUDENT = ([[1.0, 1, 0], [0, 2, 2], [2, 1, 1]], [[2.0, 1, 0], [0, 1, 3], [1, 2, 1.5]])
CODE = ([[0.5, -1]], [[0.2, -0.3]])


def distilled(temperature: float) -> torch.Tensor:
    student, teacher = (F.log_softmax(tensor(x) / temperature, dim=1) for x in (SCORES, -SCORES))
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True)


CASES |= {
    "jeffreys": of_two("jeffreys", jeffreys, 0.175949, 6),
    "reverse-kl": [
        *of_two("reverse-kl", lambda p, q: scipy.stats.entropy(q, p, axis=1), 0.0924389, 7)[2:],
        Case("by hand", "reverse-kl", ([[0.5, 0.5]], [[0.25, 0.75]]), lambda: log("1/2") / 4 + 3 * log("3/2") / 4),
    ],
    "total-variation": of_two("total-variation", total_variation, 0.15, 7),
    "hellinger": of_two("hellinger", hellinger, 0.1359686, 7),
    "js-distance": of_two("js-distance", lambda p, q: scipy.spatial.distance.jensenshannon(p, q, axis=1), 0.1350685, 7),
    "knowledge-distillation": [
        *reduced(Case("torch 2.13.0, batchmean", "knowledge-distillation", STUDENT, 0.2885467, digits=7), 3, "sum"),
        Case("torch", "knowledge-distillation", (SCORES, -SCORES), lambda: 4 * distilled(2.0)),
        Case(
            "torch, without the square",
            "knowledge-distillation:temperature=3,scaled=false",
            (SCORES, -SCORES),
            lambda: distilled(3.0),
        ),
    ],
    "generalized-jsd": [
        Case("TRL 1.16.0", "generalized-jsd:beta=0.3", STUDENT, 0.1672334, digits=7, reduction="sum"),
        Case(
            "scipy, the half",
            "generalized-jsd",
            (SCORES, -SCORES),
            lambda: mean(
                scipy.spatial.distance.jensenshannon(PROBS, scipy.special.softmax(-SCORES, axis=1), axis=1) ** 2
            ),
        ),
    ],
    "gaussian-kl": [
        *reduced(Case("torch.distributions 2.13.0", "gaussian-kl", CODE, 0.6561105, digits=7), 1, "sum"),
        Case(
            "torch",
            "gaussian-kl",
            (TABLE, TABLE_TARGET),
            lambda: (
                torch.distributions.kl_divergence(
                    torch.distributions.Normal(tensor(TABLE), torch.exp(tensor(TABLE_TARGET) / 2)),
                    torch.distributions.Normal(0.0, 1.0),
                )
                .sum(1)
                .mean()
            ),
        ),
    ],
}

U, V = (PRED - PRED.min()) / np.ptp(PRED), (TARGET - TARGET.min()) / np.ptp(TARGET) * 0.9
CASES |= {
    "mutual-information": [
        Case("kornia 0.9.0", "mutual-information", (PRED, TARGET), -2.25323077915, digits=11),
        Case("kornia 0.9.0", "mutual-information:bins=8", (PRED, TARGET), -0.24912243706, digits=11),
        Case("kornia 0.9.0", "mutual-information:normalized=true", (PRED, TARGET), -1.48451746153, digits=11),
        Case(
            "MONAI 1.6.1, with 1e-7 in the logarithm",
            "mutual-information:bins=23,kernel=gaussian,unit=true",
            (U, V),
            -0.71182,
            digits=4,
        ),
        Case("by hand, one tells the other", "mutual-information:bins=2", ([0.0, 1.0], [3.0, 5.0]), -math.log(2)),
        Case(
            "by hand, beyond 0 and 1", "mutual-information:bins=2,unit=true", ([-2.0, 9.0], [1.0, -1.0]), -math.log(2)
        ),
        Case(
            "by hand, a range beyond float64", "mutual-information:bins=2", ([-1e308, 1e308], [0.0, 1.0]), -math.log(2)
        ),
        Case(
            "by hand, nothing is told", "mutual-information:bins=2", ([0.0, 1.0, 0.0, 1.0], [3.0, 5.0, 5.0, 3.0]), 0.0
        ),
    ],
}
