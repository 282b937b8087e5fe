"""Forecasts: scikit-learn's errors of scaled values, M4's formula, intervals scored one by one."""

from __future__ import annotations

import numpy as np
import sklearn.metrics

from .case import Case, reduced
from .samples import PRED, TABLE, TABLE_TARGET, TARGET

RNG = np.random.default_rng(40)
SCALE, WIDTH = np.exp(RNG.normal(size=(2, 50)))
WIDE = SCALE[: len(TABLE), None]
BENCHMARK = TARGET + RNG.normal(size=50)
LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)
QUANTILES = np.sort(RNG.normal(size=(50, 5)), axis=1)


def intervals() -> float:
    """The median and two intervals, each by its own score."""
    total = abs(TARGET - QUANTILES[:, 2]) / 2
    for alpha, at in ((0.05, 0), (0.5, 1)):
        u, v = QUANTILES[:, at], QUANTILES[:, 4 - at]
        score = (v - u) + 2 / alpha * (np.maximum(u - TARGET, 0) + np.maximum(TARGET - v, 0))
        total = total + alpha / 2 * score
    return float(np.mean(total / 2.5))


def scaled(x: np.ndarray) -> float:
    return float(sklearn.metrics.mean_absolute_error(TARGET / SCALE, x / SCALE))


def averaged() -> float:
    """M4's formula, of percentages."""

    def smape(x: np.ndarray) -> float:
        return float(np.mean(200 * abs(TARGET - x) / (abs(TARGET) + abs(x))))

    return (smape(PRED) / smape(BENCHMARK) + scaled(PRED) / scaled(BENCHMARK)) / 2


def pinballs() -> float:
    losses = [
        sklearn.metrics.mean_pinball_loss(TARGET, QUANTILES[:, k], alpha=a)
        for k, a in zip((1, 2, 3), (0.1, 0.5, 0.9), strict=True)
    ]
    return 2 * sum(losses) / 3


CASES = {
    "mase": [
        *reduced(Case("scikit-learn", "mase", (PRED, SCALE, TARGET), lambda: scaled(PRED)), 50, "sum"),
        Case(
            "scikit-learn, columns",
            "mase",
            (TABLE, WIDE[:, 0], TABLE_TARGET),
            lambda: sklearn.metrics.mean_absolute_error(TABLE_TARGET / WIDE, TABLE / WIDE),
        ),
    ],
    "rmsse": [
        Case(
            "scikit-learn",
            "rmsse",
            (PRED, SCALE**2, TARGET),
            lambda: sklearn.metrics.root_mean_squared_error(TARGET / SCALE, PRED / SCALE),
        ),
    ],
    "msis": [
        Case(
            "numpy",
            "msis:alpha=0.1",
            (PRED - WIDTH, PRED + WIDTH, SCALE, TARGET),
            lambda: np.mean((2 * WIDTH + 20 * np.maximum(abs(TARGET - PRED) - WIDTH, 0)) / SCALE),
        ),
        *reduced(Case("by hand, M4's level", "msis", ([1.0, 1], [3.0, 3], [6.0, 2], [4, 2]), 4.0), 2, "sum"),
    ],
    "owa": [
        Case("M4's formula", "owa", (PRED, BENCHMARK, SCALE, TARGET), averaged),
        Case("the benchmark itself", "owa", (PRED, PRED, SCALE, TARGET), 1.0),
    ],
    "wis": [
        Case("interval by interval", f"wis:levels={'/'.join(map(str, LEVELS))}", (QUANTILES, TARGET), intervals),
        Case("scikit-learn's pinball", "wis", (QUANTILES[:, 1:4], TARGET), pinballs),
        *reduced(Case("the median alone is mae", "wis:levels=0.5", ([[1.0], [4.0]], [2, 2]), 1.5), 2, "sum"),
    ],
}
