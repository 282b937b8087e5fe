"""Likelihoods and deviances: torch, scikit-learn, xgboost; scipy."""

import numpy as np
import scipy.stats
import sklearn.metrics
import torch.nn.functional as F

from .case import Case, reduced, tensor
from .samples import PRED, TABLE, TABLE_TARGET, TARGET

Q = ([1.5, 0.5, 2, 4], [1, 0.5, 3, 5])
R = ([2.5, 0, 2.1, 7.8], [0.5, 1, 2, 0.25], [3, -0.5, 2, 7])
RATE, AMOUNT = np.exp(PRED), np.exp(TARGET)
COUNT = np.floor(AMOUNT)
RATES, COUNTS = np.exp(TABLE), np.floor(np.exp(TABLE_TARGET))
VARIANCE = np.exp(TARGET[::-1])


def deviance(power: float, rate: np.ndarray, count: np.ndarray) -> float:
    return sklearn.metrics.mean_tweedie_deviance(np.ravel(count), np.ravel(rate), power=power)


SPREAD = np.exp(TARGET[::-1])
CASES = {
    "laplace-nll": [
        *reduced(Case("torch.distributions", "laplace-nll", (R[0], np.full(4, 0.5), R[2]), 0.95, digits=7), 4, "sum"),
        Case(
            "scipy",
            "laplace-nll",
            (PRED, SPREAD, TARGET),
            lambda: -np.mean(scipy.stats.laplace.logpdf(TARGET, PRED, SPREAD)),
        ),
    ],
    "student-t-nll": [
        *reduced(Case("torch.distributions", "student-t-nll", (R[0], np.ones(4), R[2]), 1.179281, digits=6), 4, "sum"),
        *(
            Case(
                "scipy",
                f"student-t-nll:nu={nu}",
                (PRED, SPREAD, TARGET),
                lambda nu=nu: -np.mean(scipy.stats.t.logpdf(TARGET, nu, PRED, SPREAD)),
                digits=digits,
            )
            for nu, digits in ((0.7, 12), (12, 12), (300, 12), (1e7, 6))
        ),
    ],
    "negative-binomial-nll": [
        *reduced(
            Case(
                "torch.distributions",
                "negative-binomial-nll",
                (Q[0], np.full(4, 2.0), [1, 0, 3, 5]),
                1.557975,
                digits=6,
            ),
            4,
            "sum",
        ),
        Case(
            "scipy",
            "negative-binomial-nll",
            (RATE, SPREAD, COUNT),
            lambda: -np.mean(scipy.stats.nbinom.logpmf(COUNT, SPREAD, SPREAD / (SPREAD + RATE))),
        ),
    ],
    "tweedie-nll": [
        *reduced(Case("xgboost 3.2.0, tweedie-nloglik", "tweedie-nll", Q, 5.745495, digits=5), 4, "sum"),
        Case(
            "the halved deviance of scikit-learn less that of nothing",
            "tweedie-nll:power=1.2",
            (RATE, COUNT),
            lambda: deviance(1.2, RATE, COUNT) / 2 + np.mean(COUNT**0.8) / (0.2 * 0.8),
        ),
    ],
    "poisson-nll": [
        *reduced(Case("torch 2.13.0, eps 0", "poisson-nll", Q, -0.2674512, digits=7), 4, "sum"),
        Case("xgboost 3.2.0, poisson-nloglik", "poisson-nll:constant=exact", Q, 1.347166, digits=6),
        Case(
            "scipy",
            "poisson-nll:constant=exact",
            (RATE, COUNT),
            lambda: -np.mean(scipy.stats.poisson.logpmf(COUNT, RATE)),
        ),
        Case(
            "torch, full",
            "poisson-nll:constant=stirling",
            (RATE, COUNT),
            lambda: F.poisson_nll_loss(tensor(RATE), tensor(COUNT), log_input=False, eps=0.0, full=True),
        ),
        *reduced(
            Case(
                "torch",
                "poisson-nll",
                (RATE, COUNT),
                lambda: F.poisson_nll_loss(tensor(RATE), tensor(COUNT), log_input=False, eps=0.0),
            ),
            50,
            "sum",
        ),
        Case(
            "torch, log-rates, columns",
            "poisson-nll",
            (RATES, COUNTS),
            lambda: F.poisson_nll_loss(tensor(TABLE), tensor(COUNTS)),
        ),
    ],
    "poisson-deviance": [
        *reduced(Case("scikit-learn 1.9.1", "poisson-deviance", Q, 0.213324, digits=6), 4, "sum"),
        Case("scikit-learn", "poisson-deviance", (RATE, COUNT), lambda: deviance(1, RATE, COUNT)),
        Case("scikit-learn, columns", "poisson-deviance", (RATES, COUNTS), lambda: deviance(1, RATES, COUNTS)),
    ],
    "gamma-deviance": [
        *reduced(Case("scikit-learn 1.9.1", "gamma-deviance", Q, 0.09676156, digits=8), 4, "sum"),
        Case("scikit-learn", "gamma-deviance", (RATE, AMOUNT), lambda: deviance(2, RATE, AMOUNT)),
    ],
    "gamma-nll": [
        *reduced(Case("xgboost 3.2.0", "gamma-nll", Q, 1.552107, digits=6), 4, "sum"),
        Case(
            "scipy, exponential",
            "gamma-nll",
            (RATE, AMOUNT),
            lambda: -np.mean(scipy.stats.expon.logpdf(AMOUNT, scale=RATE)),
        ),
    ],
    "tweedie-deviance": [
        *reduced(Case("scikit-learn 1.9.1", "tweedie-deviance", Q, 0.1405378, digits=7), 4, "sum"),
        *(
            Case(
                "scikit-learn",
                f"tweedie-deviance:power={power}",
                (RATE, count),
                lambda power=power, count=count: deviance(power, RATE, count),
            )
            for power, count in ((1, COUNT), (1.2, COUNT), (1.5, COUNT), (1.9, COUNT), (2, AMOUNT))
        ),
    ],
    "gaussian-nll": [
        *reduced(Case("torch 2.13.0", "gaussian-nll", R, 0.2410882, digits=7), 4, "sum"),
        *(
            Case(
                "torch",
                f"gaussian-nll:full={str(full).lower()}",
                (PRED, VARIANCE, TARGET),
                lambda full=full: F.gaussian_nll_loss(
                    tensor(PRED), tensor(TARGET), tensor(VARIANCE), full=full, eps=0.0
                ),
            )
            for full in (False, True)
        ),
        Case(
            "scipy",
            "gaussian-nll:full=true",
            (PRED, VARIANCE, TARGET),
            lambda: -np.mean(scipy.stats.norm.logpdf(TARGET, PRED, np.sqrt(VARIANCE))),
        ),
    ],
}
