"""Regions of several classes: scikit-learn, exact fractions, what other libraries printed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import scipy.special
import sklearn.metrics

from .case import Case
from .samples import CLASSES, OF_PROBS, PROBS, SCORES, WEIGHT
from .segmentation import S, of_focal

HARD = np.eye(4)[np.argmax(SCORES, axis=1)]
WITHOUT = np.where(CLASSES == 2, 1, CLASSES)  # no row is of class 2
MARKED = np.where(np.arange(50) % 7 == 0, 255, CLASSES)
SMP, MONAI, KORNIA = "segmentation-models-pytorch 0.6.0", "MONAI 1.6.1", "kornia 0.9.0"
Regions = list[tuple[Fraction, Fraction, Fraction]]


def of_classes(probs: np.ndarray, label: np.ndarray) -> Regions:
    """Of each class, in fractions: the overlap, the size of the prediction, the number of its rows."""
    columns = [[Fraction(p) for p in column] for column in probs.T.tolist()]
    return [
        (
            sum((p for p, y in zip(column, label, strict=True) if y == c), Fraction(0)),
            sum(column, Fraction(0)),
            Fraction(int((label == c).sum())),
        )
        for c, column in enumerate(columns)
    ]


def dice(regions: Regions, smooth: Fraction = Fraction(0)) -> Fraction:
    return 1 - sum((2 * i + smooth) / (p + y + smooth) for i, p, y in regions) / len(regions)


def jaccard(regions: Regions, smooth: Fraction = Fraction(0)) -> Fraction:
    return 1 - sum((i + smooth) / (p + y - i + smooth) for i, p, y in regions) / len(regions)


def tversky(regions: Regions, alpha: Fraction, beta: Fraction, smooth: Fraction) -> Fraction:
    shares = ((i + smooth) / (i + alpha * (p - i) + beta * (y - i) + smooth) for i, p, y in regions)
    return 1 - sum(shares) / len(regions)


def generalized(probs: np.ndarray, label: np.ndarray) -> float:
    """Class by class from the definition, in fractions."""
    terms = []
    for c in range(probs.shape[1]):
        p, y = [Fraction(v) for v in probs[:, c].tolist()], [int(v) for v in label == c]
        overlap = sum(a * b for a, b in zip(p, y, strict=True))
        terms.append((Fraction(1, sum(y) ** 2), overlap, sum(p) + sum(y)))
    return 1 - 2 * sum(w * i for w, i, _ in terms) / sum(w * s for w, _, s in terms)


def of_distances(probs: np.ndarray, label: np.ndarray, table: np.ndarray) -> Fraction:
    """Pixel by pixel from the definition, in fractions."""
    apart = [
        sum(Fraction(m) * Fraction(p) for m, p in zip(table[y].tolist(), row, strict=True))
        for row, y in zip(probs.tolist(), label.tolist(), strict=True)
    ]
    near = sum(1 - w for w, y in zip(apart, label.tolist(), strict=True) if y)
    return sum(apart) / (2 * near + sum(apart))


TWO_CLASSES = np.stack([S[0], 1 - np.array(S[0])], axis=1)
NEARLY = f"{MONAI}, without its 1e-5"
STEPS = abs(np.subtract.outer(np.arange(4), np.arange(4))) / 2.0
IN_STEPS = "/".join(f"{step:g}" for step in STEPS.ravel())
PRESENT = [region for region in of_classes(PROBS, WITHOUT) if region[2]]
SCORED = of_classes(scipy.special.softmax(SCORES, axis=1), CLASSES)
HALF = ([[0.5, 0.5], [0.5, 0.5]], [0, 0])
EMPTY = ([[1.0, 0.0], [1.0, 0.0]], [0, 0])

CASES = {
    "multiclass-dice": [
        Case("fractions", "multiclass-dice", (PROBS, CLASSES), lambda: dice(of_classes(PROBS, CLASSES))),
        Case("fractions, logits", "multiclass-dice", (SCORES, CLASSES), lambda: dice(SCORED), forms=OF_PROBS),
        Case(
            "fractions, smooth",
            "multiclass-dice:smooth=2.5",
            (PROBS, CLASSES),
            lambda: dice(of_classes(PROBS, CLASSES), Fraction(5, 2)),
        ),
        Case(
            "fractions, a class without rows as any other",
            "multiclass-dice:over=all",
            (PROBS, WITHOUT),
            lambda: dice(of_classes(PROBS, WITHOUT)),
        ),
        Case("fractions, it is left out", "multiclass-dice", (PROBS, WITHOUT), lambda: dice(PRESENT)),
        Case(
            "fractions, without the background",
            "multiclass-dice:background=drop",
            (PROBS, CLASSES),
            lambda: dice(of_classes(PROBS, CLASSES)[1:]),
        ),
        Case(
            "fractions, rows with a mark are left out",
            "multiclass-dice:ignore_index=255",
            (PROBS, MARKED),
            lambda: dice(of_classes(PROBS[MARKED < 255], MARKED[MARKED < 255])),
        ),
        Case(
            "scikit-learn, hard regions, weights",
            "multiclass-dice",
            (HARD, CLASSES),
            lambda: 1 - sklearn.metrics.f1_score(CLASSES, HARD.argmax(axis=1), average="macro", sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case(SMP, "multiclass-dice", (SCORES, CLASSES), 0.7350554539276691, forms=OF_PROBS, digits=9),
        Case(
            f"{SMP}, a class without rows",
            "multiclass-dice:over=zero",
            (SCORES, WITHOUT),
            0.5572751219398575,
            forms=OF_PROBS,
            digits=9,
        ),
        Case(
            MONAI,
            "multiclass-dice:smooth=1e-5,over=all",
            (SCORES, WITHOUT),
            0.8072747247641271,
            forms=OF_PROBS,
            digits=9,
        ),
        Case(
            f"{MONAI}, without the background",
            "multiclass-dice:smooth=1e-5,over=all,background=drop",
            (SCORES, WITHOUT),
            0.8016636171427463,
            forms=OF_PROBS,
            digits=9,
        ),
        Case(f"{KORNIA}, macro", "multiclass-dice", (SCORES, CLASSES), 0.735055454032815, forms=OF_PROBS, digits=8),
        Case("by hand, absent and met", "multiclass-dice:over=all,smooth=1", EMPTY, 0.0),
        Case("by hand, absent and not met", "multiclass-dice:over=all", HALF, Fraction(2, 3)),
        Case("by hand, absent counts 0", "multiclass-dice:over=zero", HALF, Fraction(1, 6)),
        Case("perfect", "multiclass-dice", ([[1.0, 0.0], [0.0, 1.0]], [0, 1]), 0.0),
        Case("all wrong", "multiclass-dice", ([[1.0, 0.0], [0.0, 1.0]], [1, 0]), 1.0),
    ],
    "multiclass-jaccard": [
        Case("fractions", "multiclass-jaccard", (PROBS, CLASSES), lambda: jaccard(of_classes(PROBS, CLASSES))),
        Case("fractions, logits", "multiclass-jaccard", (SCORES, CLASSES), lambda: jaccard(SCORED), forms=OF_PROBS),
        Case(
            "fractions, smooth, without the background",
            "multiclass-jaccard:smooth=2.5,background=drop",
            (PROBS, CLASSES),
            lambda: jaccard(of_classes(PROBS, CLASSES)[1:], Fraction(5, 2)),
        ),
        Case(
            "fractions, rows with a mark are left out",
            "multiclass-jaccard:ignore_index=255",
            (PROBS, MARKED),
            lambda: jaccard(of_classes(PROBS[MARKED < 255], MARKED[MARKED < 255])),
        ),
        Case(
            "scikit-learn, hard regions, weights",
            "multiclass-jaccard",
            (HARD, CLASSES),
            lambda: (
                1 - sklearn.metrics.jaccard_score(CLASSES, HARD.argmax(axis=1), average="macro", sample_weight=WEIGHT)
            ),
            weight=WEIGHT,
        ),
        Case(SMP, "multiclass-jaccard", (SCORES, CLASSES), 0.8457819073877563, forms=OF_PROBS, digits=9),
        Case(
            f"{SMP}, a class without rows",
            "multiclass-jaccard:over=zero",
            (SCORES, WITHOUT),
            0.6379797177521295,
            forms=OF_PROBS,
            digits=9,
        ),
        Case(
            f"{MONAI}, a class without rows",
            "multiclass-jaccard:over=all",
            (SCORES, WITHOUT),
            0.8879794880992004,
            forms=OF_PROBS,
            digits=6,
        ),
        Case("all wrong", "multiclass-jaccard", ([[1.0, 0.0], [0.0, 1.0]], [1, 0]), 1.0),
    ],
    "multiclass-tversky": [
        Case(
            "fractions",
            "multiclass-tversky:alpha=0.25,beta=0.75,smooth=0.5",
            (PROBS, CLASSES),
            lambda: tversky(of_classes(PROBS, CLASSES), Fraction(1, 4), Fraction(3, 4), Fraction(1, 2)),
        ),
        Case(
            "fractions, without the background and rows with a mark",
            "multiclass-tversky:background=drop,ignore_index=255",
            (PROBS, MARKED),
            lambda: dice(of_classes(PROBS[MARKED < 255], MARKED[MARKED < 255])[1:]),
        ),
        Case("halves are dice", "multiclass-tversky", (SCORES, CLASSES), lambda: dice(SCORED), forms=OF_PROBS),
        Case(
            "fractions, a class without rows as any other",
            "multiclass-tversky:over=all",
            (PROBS, WITHOUT),
            lambda: dice(of_classes(PROBS, WITHOUT)),
        ),
        Case(
            SMP,
            "multiclass-tversky:alpha=0.3,beta=0.7",
            (SCORES, CLASSES),
            0.7328168867913312,
            forms=OF_PROBS,
            digits=9,
        ),
        Case("all wrong", "multiclass-tversky", ([[1.0, 0.0], [0.0, 1.0]], [1, 0]), 1.0),
    ],
    "generalized-dice": [
        Case(
            "fractions, rows with a mark are left out",
            "generalized-dice:ignore_index=255",
            (PROBS, MARKED),
            lambda: generalized(PROBS[MARKED < 255], MARKED[MARKED < 255]),
        ),
        *(
            Case(
                "MONAI 1.6.1, each of two images, with 1e-5 above and below",
                "generalized-dice",
                (p, y),
                truth,
                digits=4,
            )
            for p, y, truth in ((TWO_CLASSES[:4], [0, 0, 1, 1], 0.175), (TWO_CLASSES[4:], [0, 1, 0, 1], 0.325))
        ),
        Case("fractions", "generalized-dice", (PROBS, CLASSES), lambda: generalized(PROBS, CLASSES)),
        Case(
            "fractions, logits",
            "generalized-dice",
            (SCORES, CLASSES),
            lambda: generalized(scipy.special.softmax(SCORES, axis=1), CLASSES),
            forms=OF_PROBS,
        ),
        Case(
            "by hand, a class without rows weighs as the other",
            "generalized-dice",
            ([[0.75, 0.25], [0.5, 0.5]], [0, 0]),
            Fraction(3, 8),
        ),
        Case("perfect", "generalized-dice", ([[1.0, 0.0], [0.0, 1.0]], [0, 1]), 0.0),
    ],
    "generalized-dice-focal": [
        Case(
            "fractions and numpy, rows with a mark are left out",
            "generalized-dice-focal:ignore_index=255,focal_weight=0",
            (PROBS, MARKED),
            lambda: generalized(PROBS[MARKED < 255], MARKED[MARKED < 255]),
        ),
        Case(NEARLY, "generalized-dice-focal:one_vs_rest=true", (SCORES, CLASSES), 1.3127461, digits=6, forms=OF_PROBS),
        Case(
            NEARLY,
            "generalized-dice-focal:gamma=1.5,dice_weight=0.7,focal_weight=0.2,one_vs_rest=true",
            (SCORES, CLASSES),
            0.6395838,
            digits=6,
            forms=OF_PROBS,
        ),
        Case(
            "fractions and numpy",
            "generalized-dice-focal",
            (PROBS, CLASSES),
            lambda: float(generalized(PROBS, CLASSES)) + of_focal(PROBS[np.arange(len(PROBS)), CLASSES], 1, 2),
        ),
    ],
    "wasserstein-dice": [
        Case(
            "fractions, rows with a mark are left out",
            "wasserstein-dice:ignore_index=255",
            (PROBS, MARKED),
            lambda: of_distances(PROBS[MARKED < 255], MARKED[MARKED < 255], 1.0 - np.eye(4)),
        ),
        Case(NEARLY, "wasserstein-dice", (SCORES, CLASSES), 0.6137964425039255, digits=13, forms=OF_PROBS),
        Case(
            NEARLY,
            f"wasserstein-dice:class_distances={IN_STEPS}",
            (SCORES, CLASSES),
            0.3044562305937446,
            digits=13,
            forms=OF_PROBS,
        ),
        Case(
            "fractions",
            f"wasserstein-dice:class_distances={IN_STEPS}",
            (PROBS, CLASSES),
            lambda: of_distances(PROBS, CLASSES, STEPS / 1.5),
        ),
        Case("fractions", "wasserstein-dice", (PROBS, CLASSES), lambda: of_distances(PROBS, CLASSES, 1.0 - np.eye(4))),
        Case("by hand, an empty region", "wasserstein-dice:smooth=1", ([[0.5, 0.5]], [0]), Fraction(1, 3)),
    ],
}
