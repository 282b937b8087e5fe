"""Relative errors: scikit-learn, torchmetrics; exact fractions; mpmath."""

from fractions import Fraction

import numpy as np
import sklearn.metrics
from exact_regression import REFERENCES

from .case import Case, by_mpmath, reduced
from .samples import PRED, TABLE, TABLE_TARGET, TARGET, WEIGHT

R = ([2.5, 0, 2.1, 7.8], [3, -0.5, 2, 7])
Q = ([1.5, 0.5, 2, 4], [1, 0.5, 3, 5])
SIZES = (np.exp(PRED), np.exp(TARGET))


def scatter(p: np.ndarray, y: np.ndarray, share: float) -> float:
    d = np.log(p) - np.log(y)
    return float(np.sqrt(np.mean(d**2) - share * np.mean(d) ** 2))


DEPTHS = (np.exp(TABLE), np.exp(TABLE_TARGET))
CASES = {
    "silog": [
        Case("numpy's std", "silog", DEPTHS, lambda: np.std(TABLE - TABLE_TARGET), digits=13),
        Case("numpy's mean square", "silog:share=0", DEPTHS, lambda: np.sqrt(np.mean((TABLE - TABLE_TARGET) ** 2))),
        Case("numpy", "silog:share=0.85", DEPTHS, lambda: scatter(*DEPTHS, 0.85), digits=13),
        Case("by hand: one factor for all", "silog", ([2.0, 4, 6], [1.0, 2, 3]), 0.0),
    ],
    "mape": [
        *reduced(Case("scikit-learn 1.9.1", "mape", R, 0.3327381, digits=7), 4, "sum"),
        Case(
            "scikit-learn",
            "mape",
            (PRED, TARGET),
            lambda: sklearn.metrics.mean_absolute_percentage_error(TARGET, PRED),
        ),
        Case(
            "scikit-learn, columns",
            "mape",
            (TABLE, TABLE_TARGET),
            lambda: sklearn.metrics.mean_absolute_percentage_error(TABLE_TARGET, TABLE),
        ),
        Case("by hand, both 0", "mape", ([0.0, 1.0], [0, 2]), 0.25),
    ],
    "smape": [
        *reduced(Case("torchmetrics 1.9.0", "smape", R, 0.5846767, digits=7), 4, "sum"),
        *by_mpmath(REFERENCES["smape"], "smape", (PRED, TARGET), "sum"),
        Case("by hand, a target of 0, and both 0", "smape", ([3.0, 0.0], [0, 0]), 1.0),
    ],
    "wmape": [
        Case("torchmetrics 1.9.0", "wmape", R, 0.152, digits=7),
        Case("fractions", "wmape", ([2.0, 2, 5], [1, 2, 7]), Fraction(3, 10)),
        Case(
            "scikit-learn, two means",
            "wmape",
            (PRED, TARGET),
            lambda: (
                sklearn.metrics.mean_absolute_error(TARGET, PRED, sample_weight=WEIGHT)
                / np.average(abs(TARGET), weights=WEIGHT)
            ),
            weight=WEIGHT,
        ),
    ],
    "msle": [
        *reduced(Case("scikit-learn 1.9.1", "msle", Q, 0.04144879, digits=8), 4, "sum"),
        Case("scikit-learn", "msle", SIZES, lambda: sklearn.metrics.mean_squared_log_error(*SIZES[::-1])),
        Case(
            "scikit-learn, columns",
            "msle",
            (np.exp(TABLE), np.exp(TABLE_TARGET)),
            lambda: sklearn.metrics.mean_squared_log_error(np.exp(TABLE_TARGET), np.exp(TABLE)),
        ),
    ],
    "rmsle": [
        Case("scikit-learn 1.9.1", "rmsle", Q, 0.2035898, digits=7),
        Case("scikit-learn", "rmsle", SIZES, lambda: sklearn.metrics.root_mean_squared_log_error(*SIZES[::-1])),
    ],
    "relative-squared-error": [
        Case("torchmetrics 1.9.0", "relative-squared-error", R, 0.03940043, digits=8),
        Case(
            "scikit-learn",
            "relative-squared-error",
            (PRED, TARGET),
            lambda: 1 - sklearn.metrics.r2_score(TARGET, PRED),
        ),
        Case("by hand, backwards", "relative-squared-error", ([3.0, 2.0, 1.0], [1, 2, 3]), 4.0),
    ],
}
