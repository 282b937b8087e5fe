"""Quantiles, intervals and ensembles: scikit-learn, catboost, torchmetrics; scipy; by hand."""

from itertools import pairwise

import numpy as np
import scipy.integrate
import scipy.stats
import sklearn.metrics
import torch.nn.functional as F
from exact_regression import REFERENCES

from .case import Case, by_mpmath, reduced, tensor
from .samples import PRED, PROBS, TABLE, TABLE_TARGET, TARGET

R = ([2.5, 0, 2.1, 7.8], [3, -0.5, 2, 7])
MEMBERS = ([[2, 3, 2.5], [0, 0.4, -0.4]], [3, -0.5])


def integral(members: np.ndarray, outcome: float) -> float:
    """Of the squared distance of the two steps, piece by piece."""
    ends = np.sort([*members, outcome])
    pieces = pairwise(ends)
    return sum(
        scipy.integrate.quad(lambda t: (np.mean(members <= t) - (t >= outcome)) ** 2, a, b)[0]
        for a, b in pieces
        if b > a
    )


def of_normal(pred: float, deviation: float, outcome: float) -> float:
    """scipy's integral of the squared distance of the distribution from the step."""
    normal, far = scipy.stats.norm(pred, deviation), 40 * deviation + abs(outcome - pred)
    below = scipy.integrate.quad(lambda t: normal.cdf(t) ** 2, pred - far, outcome, points=[pred - deviation])[0]
    return below + scipy.integrate.quad(lambda t: normal.sf(t) ** 2, outcome, pred + far, points=[pred + deviation])[0]


def weighed_huber(alpha: float, delta: float) -> float:
    """torch's huber, each row by its side."""
    rows = F.huber_loss(tensor(PRED), tensor(TARGET), delta=delta, reduction="none")
    return float((abs(alpha - tensor(TARGET < PRED)) * rows / delta).mean())


MET = np.array([PRED[0] - 0.5, PRED[1] + 0.75, *TARGET[2:]])  # an end of the first two intervals
DEVIATION = np.exp(TARGET[::-1])
CASES = {
    "quantile-huber": [
        *reduced(
            Case("torch", "quantile-huber", (PRED, TARGET), lambda: F.smooth_l1_loss(tensor(PRED), tensor(TARGET)) / 2),
            50,
            "sum",
        ),
        Case("torch", "quantile-huber:alpha=0.9,delta=0.3", (PRED, TARGET), lambda: weighed_huber(0.9, 0.3)),
        *by_mpmath(REFERENCES["quantile-huber"], "quantile-huber:alpha=0.2", (TABLE, TABLE_TARGET)),
    ],
    "gaussian-crps": [
        *reduced(Case("scipy's normal", "gaussian-crps", (R[0], np.ones(4), R[1]), 0.3441783, digits=7), 4, "sum"),
        Case("properscoring 0.1", "gaussian-crps", (PRED, DEVIATION, TARGET), 0.7695570979227768, digits=13),
        Case(
            "scipy, the integral",
            "gaussian-crps",
            (PRED, DEVIATION, TARGET),
            lambda: np.mean([of_normal(*row) for row in zip(PRED, DEVIATION, TARGET, strict=True)]),
            digits=8,
        ),
    ],
    "pinball": [
        *reduced(Case("scikit-learn 1.9.1", "pinball:alpha=0.9", R, 0.1475, digits=7), 4, "sum"),
        *(
            Case(
                "scikit-learn",
                f"pinball:alpha={alpha}",
                (PRED, TARGET),
                lambda alpha=alpha: sklearn.metrics.mean_pinball_loss(TARGET, PRED, alpha=alpha),
            )
            for alpha in (0.5, 0.1, 0.95)
        ),
        Case(
            "scikit-learn, columns",
            "pinball",
            (TABLE, TABLE_TARGET),
            lambda: sklearn.metrics.mean_pinball_loss(TABLE_TARGET, TABLE),
        ),
    ],
    "expectile": [
        *reduced(Case("catboost 1.2.10", "expectile:alpha=0.9", R, 0.07875, digits=7), 4, "sum"),
        Case(
            "scikit-learn, half of mse",
            "expectile",
            (PRED, TARGET),
            lambda: sklearn.metrics.mean_squared_error(TARGET, PRED) / 2,
        ),
    ],
    "interval-score": [
        *reduced(
            Case("by hand, all within", "interval-score", (np.array(R[0]) - 1, np.array(R[0]) + 1, R[1]), 2.0), 4, "sum"
        ),
        Case(
            "scikit-learn, two pinballs",
            "interval-score:alpha=0.3",
            (PRED, PRED + 1, TARGET),
            lambda: (
                (
                    sklearn.metrics.mean_pinball_loss(TARGET, PRED, alpha=0.15)
                    + sklearn.metrics.mean_pinball_loss(TARGET, PRED + 1, alpha=0.85)
                )
                * 2
                / 0.3
            ),
        ),
    ],
    "interval-coverage": [
        *reduced(
            Case("sktime 1.2.0, utilsforecast 0.2.17", "interval-coverage", (PRED - 0.5, PRED + 0.75, MET), 0.42),
            50,
            "sum",
        ),
    ],
    "crps-ensemble": [
        *reduced(Case("torchmetrics 1.9.0", "crps-ensemble", MEMBERS, 0.3, digits=7), 2, "sum"),
        *by_mpmath(REFERENCES["crps-ensemble"], "crps-ensemble", (PROBS, TARGET), "sum"),
        Case(
            "scipy, the integral",
            "crps-ensemble",
            (TABLE, TABLE_TARGET[:, 0]),
            lambda: np.mean([integral(*row) for row in zip(TABLE, TABLE_TARGET[:, 0], strict=True)]),
            digits=9,
        ),
        Case(
            "scikit-learn, one member",
            "crps-ensemble",
            (PRED[:, None], TARGET),
            lambda: sklearn.metrics.mean_absolute_error(TARGET, PRED),
        ),
    ],
}
