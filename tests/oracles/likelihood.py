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
LIFE = np.array([2.5, 2.0, 4.0, 1.0, 0.5, 3.0])
BOUNDS = np.array([2.0, 3.0, 0.0, 1.5, 4.0, 0.0]), np.array([2.0, np.inf, 5.0, 2.5, 4.0, np.inf])
TIMES = np.exp(np.sort(np.random.default_rng(4).normal(size=(2, 50)), axis=0))
OF_TIME = {"normal": scipy.stats.lognorm, "logistic": scipy.stats.fisk, "extreme": scipy.stats.weibull_min}


def of_times(name: str, s: float, kind: str) -> float:
    """By scipy's distributions of the time itself: log-normal, log-logistic, Weibull."""
    pred = RATE
    law = OF_TIME[name](s if name == "normal" else 1 / s, scale=pred)
    low, high = TIMES
    if kind == "event":
        return float(-np.mean(law.logpdf(low)))
    if kind == "between":
        return float(-np.mean(np.log(law.cdf(high) - law.cdf(low))))
    return float(-np.mean(law.logsf(low) if kind == "after" else law.logcdf(low)))


def bounds(kind: str) -> tuple[np.ndarray, np.ndarray]:
    low, high = TIMES
    ends = {"event": (low, low), "between": (low, high), "after": (low, np.inf * low), "before": (0 * low, low)}
    return ends[kind]


CASES = {
    "aft": [
        *(
            Case("xgboost 3.2.0, aft-nloglik", f"aft:distribution={name}", (LIFE, *BOUNDS), value, digits=8)
            for name, value in (("normal", 1.586874231), ("logistic", 1.577716190), ("extreme", 2.136566380))
        ),
        *(
            Case(
                "scipy",
                f"aft:distribution={name},s={s}",
                (RATE, *bounds(kind)),
                lambda name=name, s=s, kind=kind: of_times(name, s, kind),
                digits=10,
            )
            for name in OF_TIME
            for s, kind in ((1, "event"), (0.5, "event"), (2, "between"), (0.7, "after"), (1.5, "before"))
        ),
        Case("a sum", "aft", ([2.0, 2], [0.0, 2], [np.inf, np.inf]), np.log(2), reduction="sum"),
        Case("nothing is known", "aft", ([2.0], [0.0], [np.inf]), 0.0),
        Case("xgboost's floor", "aft:floor=1e-12", ([1.0], [np.exp(40.0)], [np.exp(40.0)]), 12 * np.log(10)),
    ],
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
