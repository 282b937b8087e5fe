"""Regression: scikit-learn, scipy, torch; exact fractions; what others have published."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.metrics
import torch.nn.functional as F

from .case import Case, mean, tensor
from .samples import PRED, TABLE, TABLE_TARGET, TARGET, WEIGHT


def fractions(pred: Any, target: Any) -> list[Fraction]:
    """Errors, exactly."""
    return [Fraction(p) - Fraction(t) for p, t in zip(np.ravel(pred).tolist(), np.ravel(target).tolist(), strict=True)]


LINE = np.polyval(np.polyfit(PRED, TARGET, 1), PRED)

CASES = {
    "mean-error": [
        Case("fractions, sum", "mean-error", (PRED, TARGET), lambda: -sum(fractions(PRED, TARGET)), reduction="sum"),
        Case("by hand: too low is positive", "mean-error", ([1.0, 2.0], [3.0, 2.5]), 1.25),
        Case("fractions", "mean-error", (PRED, TARGET), lambda: -mean(fractions(PRED, TARGET))),
        Case("fractions, columns", "mean-error", (TABLE, TABLE_TARGET), lambda: -mean(fractions(TABLE, TABLE_TARGET))),
        Case("means apart", "mean-error", ([1.0, 2.0], [5.0, 7.0]), Fraction(9, 2), weight=[1, 1]),
        Case("numpy", "mean-error", (PRED, TARGET), lambda: np.average(TARGET - PRED, weights=WEIGHT), weight=WEIGHT),
    ],
    "mse": [
        Case("scikit-learn", "mse", (PRED, TARGET), lambda: sklearn.metrics.mean_squared_error(TARGET, PRED)),
        Case(
            "scikit-learn, weights",
            "mse",
            (PRED, TARGET),
            lambda: sklearn.metrics.mean_squared_error(TARGET, PRED, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case("torch, columns", "mse", (TABLE, TABLE_TARGET), lambda: F.mse_loss(tensor(TABLE), tensor(TABLE_TARGET))),
        Case(
            "torch, sum",
            "mse",
            (PRED, TARGET),
            lambda: F.mse_loss(tensor(PRED), tensor(TARGET), reduction="sum"),
            reduction="sum",
        ),
        Case("scikit-learn's example", "mse", ([2.5, 0.0, 2, 8], [3, -0.5, 2, 7]), 0.375),
    ],
    "mae": [
        Case("scikit-learn", "mae", (PRED, TARGET), lambda: sklearn.metrics.mean_absolute_error(TARGET, PRED)),
        Case("torch, columns", "mae", (TABLE, TABLE_TARGET), lambda: F.l1_loss(tensor(TABLE), tensor(TABLE_TARGET))),
        Case("scipy", "mae", (PRED, TARGET), lambda: scipy.spatial.distance.cityblock(PRED, TARGET), reduction="sum"),
        Case("scikit-learn's example", "mae", ([2.5, 0.0, 2, 8], [3, -0.5, 2, 7]), 0.5),
    ],
    "rmse": [
        Case("scikit-learn", "rmse", (PRED, TARGET), lambda: sklearn.metrics.root_mean_squared_error(TARGET, PRED)),
        Case(
            "scikit-learn, weights",
            "rmse",
            (PRED, TARGET),
            lambda: sklearn.metrics.root_mean_squared_error(TARGET, PRED, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case(
            "scipy, columns",
            "rmse",
            (TABLE, TABLE_TARGET),
            lambda: scipy.spatial.distance.euclidean(TABLE.ravel(), TABLE_TARGET.ravel()) / 60**0.5,
        ),
        Case("a 3-4-5 triangle", "rmse", ([3.0, 4.0], [0.0, 0.0]), 5 / math.sqrt(2)),
    ],
    "huber": [
        Case(
            "torch",
            f"huber:delta={delta}",
            (PRED, TARGET),
            lambda delta=delta: F.huber_loss(tensor(PRED), tensor(TARGET), delta=delta),
        )
        for delta in (0.5, 1.0, 3.0)
    ]
    + [
        Case(
            "scipy",
            "huber:delta=0.7",
            (PRED, TARGET),
            lambda: scipy.special.huber(0.7, PRED - TARGET).sum(),
            reduction="sum",
        ),
        Case(
            "torch, columns", "huber", (TABLE, TABLE_TARGET), lambda: F.huber_loss(tensor(TABLE), tensor(TABLE_TARGET))
        ),
        Case("by hand, all beyond", "huber:delta=0.5", ([2.0, 1.92, 1.84], [0, 0, 0]), 0.835),
        Case("by hand, both sides and the seam", "huber:delta=2", ([1.0, 2.0, 3.0], [0, 0, 0]), Fraction(1 + 4 + 8, 6)),
    ],
    "smooth-l1": [
        Case(
            "torch",
            f"smooth-l1:beta={beta}",
            (PRED, TARGET),
            lambda beta=beta: F.smooth_l1_loss(tensor(PRED), tensor(TARGET), beta=beta),
        )
        for beta in (0.5, 1.0, 3.0)
    ]
    + [
        Case(
            "torch, sum",
            "smooth-l1:beta=0.7",
            (PRED, TARGET),
            lambda: F.smooth_l1_loss(tensor(PRED), tensor(TARGET), beta=0.7, reduction="sum"),
            reduction="sum",
        ),
        Case("by hand, all beyond", "smooth-l1:beta=0.5", ([2.0, 1.92, 1.84], [0, 0, 0]), 1.67),
        Case(
            "torch, columns",
            "smooth-l1",
            (TABLE, TABLE_TARGET),
            lambda: F.smooth_l1_loss(tensor(TABLE), tensor(TABLE_TARGET)),
        ),
    ],
    "r2": [
        Case("scikit-learn", "r2", (PRED, TARGET), lambda: sklearn.metrics.r2_score(TARGET, PRED)),
        Case(
            "scikit-learn, weights",
            "r2",
            (PRED, TARGET),
            lambda: sklearn.metrics.r2_score(TARGET, PRED, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case(
            "scikit-learn, columns",
            "r2",
            (TABLE, TABLE_TARGET),
            lambda: sklearn.metrics.r2_score(TABLE_TARGET, TABLE),
        ),
        Case(
            "scipy, the square of the correlation of a least-squares line",
            "r2",
            (LINE, TARGET),
            lambda: scipy.stats.pearsonr(PRED, TARGET).statistic ** 2,
        ),
        Case(
            "scikit-learn's example", "r2", ([2.5, 0.0, 2, 8], [3, -0.5, 2, 7]), 1 - Fraction(12, 8) / Fraction(467, 16)
        ),
        Case("the table", "r2", ([2.5, 0, 2.1, 7.8], [3, -0.5, 2, 7]), 0.9605996, digits=7),
        Case("by hand, the mean itself", "r2", ([2.0, 2.0, 2.0], [1, 2, 3]), 0.0),
        Case("by hand, backwards", "r2", ([3.0, 2.0, 1.0], [1, 2, 3]), -3.0),
        Case("perfect", "r2", (TARGET, TARGET), 1.0),
        Case("by hand, one column perfect", "r2", ([[1.0, 3], [2, 2], [3, 1]], [[1.0, 1], [2, 2], [3, 3]]), -1.0),
    ],
}

R = ([2.5, 0, 2.1, 7.8], [3, -0.5, 2, 7])


def of_mean(pred: np.ndarray, target: np.ndarray) -> float:
    return math.sqrt(sklearn.metrics.mean_squared_error(target, pred)) / abs(float(np.mean(target)))


CASES |= {
    "minkowski": [
        Case("torchmetrics 1.9.0", "minkowski:p=3", R, 0.9137797, digits=7),
        *(
            Case(
                "scipy",
                f"minkowski:p={p}",
                (PRED, TARGET),
                lambda p=p: scipy.spatial.distance.minkowski(PRED, TARGET, p),
            )
            for p in (1, 2, 3.5)
        ),
        Case(
            "scipy, weights",
            "minkowski:p=3",
            (PRED, TARGET),
            lambda: scipy.spatial.distance.minkowski(PRED, TARGET, 3, WEIGHT),
            weight=WEIGHT,
        ),
        Case("numpy, columns", "minkowski", (TABLE, TABLE_TARGET), lambda: np.linalg.norm(TABLE - TABLE_TARGET)),
    ],
    "nrmse": [
        Case("torchmetrics 1.9.0", "nrmse", R, 0.186501, digits=6),
        Case("torchmetrics 1.9.0", "nrmse:normalization=std", R, 0.1984954111951322),
        Case("torchmetrics 1.9.0", "nrmse:normalization=l2", R, 0.06795935473194495),
        Case("scikit-learn", "nrmse", (PRED, TARGET), lambda: of_mean(PRED, TARGET)),
        Case(
            "scikit-learn, columns",
            "nrmse",
            (TABLE, TABLE_TARGET),
            lambda: mean(of_mean(p, t) for p, t in zip(TABLE.T, TABLE_TARGET.T, strict=True)),
        ),
        Case(
            "scikit-learn, 1 - r2",
            "nrmse:normalization=std",
            (PRED, TARGET),
            lambda: math.sqrt(1 - sklearn.metrics.r2_score(TARGET, PRED)),
        ),
        Case("by hand, a mean of 0", "nrmse", ([1.0, 1.0], [1, -1]), math.inf),
    ],
}
