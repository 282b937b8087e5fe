"""The accuracy audit of robust, relative, quantile and likelihood losses: references, hard inputs, bounds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import product
from typing import Any

import mpmath as mp
import numpy as np
from exact_words import LOG_SPACED, OFFSETS, SIGNED, Bound, Case, columns, log, mean, option, rows, times

rng = np.random.default_rng(11)
TINY = mp.mpf(10) ** -20  # below it the first term of a series is exact to 40 digits


def log_cosh(pred: Any, target: Any) -> Any:
    e = abs(pred - target)
    return e**2 / 2 if e < TINY else e + mp.log1p(mp.exp(-2 * e)) - mp.log(2)


def pseudo_huber(pred: Any, target: Any, delta: float) -> Any:
    r = (pred - target) / mp.mpf(delta)
    return mp.mpf(delta) ** 2 * r**2 / (1 + mp.sqrt(1 + r**2))


def squared(pred: Any, target: Any, c: float) -> Any:
    return ((pred - target) / mp.mpf(c)) ** 2


def barron(pred: Any, target: Any, alpha: float, c: float) -> Any:
    z, a = squared(pred, target, c), mp.mpf(alpha)
    if alpha == 2:
        return z / 2
    if alpha == 0:
        return mp.log1p(z / 2)
    return abs(a - 2) / a * mp.expm1(a / 2 * mp.log1p(z / abs(a - 2)))


def fair(pred: Any, target: Any, c: float) -> Any:
    r = abs(pred - target) / mp.mpf(c)
    return mp.mpf(c) ** 2 * (r**2 / 2 if r < TINY else r - mp.log1p(r))


def wing(pred: Any, target: Any, w: float, eps: float) -> Any:
    e, w, eps = abs(pred - target), mp.mpf(w), mp.mpf(eps)
    return w * mp.log1p(e / eps) if e < w else e - w + w * mp.log1p(w / eps)


def quotient(part: Any, divisor: Any) -> Any:
    return part / divisor if divisor else (mp.inf if part else mp.mpf(0))


def log_gap(size: Any, true_size: Any) -> Any:
    return (mp.log1p(size) - mp.log1p(true_size)) ** 2


def pinball(pred: Any, target: Any, alpha: float) -> Any:
    return mp.mpf(alpha) * (target - pred) if target >= pred else (1 - mp.mpf(alpha)) * (pred - target)


def expectile(pred: Any, target: Any, alpha: float) -> Any:
    return (mp.mpf(alpha) if target >= pred else 1 - mp.mpf(alpha)) * (pred - target) ** 2


def interval_score(lower: Any, upper: Any, target: Any, alpha: float) -> Any:
    if isinstance(lower, list):
        return mean([interval_score(*row, alpha) for row in zip(lower, upper, target, strict=True)])
    return upper - lower + 2 / mp.mpf(alpha) * (max(lower - target, 0) + max(target - upper, 0))


def crps(members: list[Any], outcome: Any) -> Any:
    return mean([abs(x - outcome) for x in members]) - mean([abs(a - b) for a in members for b in members]) / 2


def poisson_deviance(rate: Any, count: Any) -> Any:
    return 2 * (times(count, log(count) - log(rate)) - count + rate)


def gamma_deviance(rate: Any, amount: Any) -> Any:
    return 2 * (log(rate) - log(amount) + amount / rate - 1)


def tweedie(rate: Any, count: Any, power: float) -> Any:
    if power in (1, 2):
        return (poisson_deviance if power == 1 else gamma_deviance)(rate, count)
    k = mp.mpf(power)
    return 2 * (count ** (2 - k) / ((1 - k) * (2 - k)) - count * rate ** (1 - k) / (1 - k) + rate ** (2 - k) / (2 - k))


def gaussian(pred: Any, variance: Any, target: Any, full: bool) -> Any:
    if isinstance(pred, list):
        return mean([gaussian(*row, full) for row in zip(pred, variance, target, strict=True)])
    return (log(variance) + (pred - target) ** 2 / variance + (mp.log(2 * mp.pi) if full else 0)) / 2


def quantile_huber(pred: Any, target: Any, alpha: float, delta: float) -> Any:
    size, m = abs(target - pred), mp.mpf(delta)
    cost = size**2 / 2 if size <= m else m * (size - m / 2)
    return abs(mp.mpf(alpha) - (target < pred)) * cost / m


def beside(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference for three values as one for three rows, averaged."""

    @functools.wraps(function)
    def averaged(pred: Any, width: Any, target: Any, **options: Any) -> Any:
        if isinstance(pred, list):
            return mean([function(*row, **options) for row in zip(pred, width, target, strict=True)])
        return function(pred, width, target, **options)

    return averaged


def gaussian_crps(pred: Any, deviation: Any, target: Any) -> Any:
    z = (target - pred) / deviation
    both_sides = mp.erf(min(abs(z), 40) / mp.sqrt(2))
    return deviation * (abs(z) * both_sides + 2 * mp.npdf(z) - 1 / mp.sqrt(mp.pi))


def student_t(pred: Any, spread: Any, target: Any, nu: float) -> Any:
    n = mp.mpf(nu)
    norm = mp.log(n * mp.pi) / 2 + mp.loggamma(n / 2) - mp.loggamma((n + 1) / 2)
    return log(spread) + norm + (n + 1) / 2 * mp.log1p(((pred - target) / spread) ** 2 / n)


def poisson(rate: Any, count: Any, constant: str) -> Any:
    value = rate - times(count, log(rate))
    if constant == "exact":
        return value + mp.loggamma(count + 1)
    beyond = constant == "stirling" and count > 1
    return value + (count * log(count) - count + mp.log(2 * mp.pi * count) / 2 if beyond else 0)


def negative_binomial(rate: Any, dispersion: Any, count: Any) -> Any:
    ways = mp.loggamma(dispersion) + mp.loggamma(count + 1) - mp.loggamma(count + dispersion)
    return ways + dispersion * mp.log1p(rate / dispersion) + count * mp.log1p(dispersion / rate)


def tweedie_nll(rate: Any, count: Any, power: float) -> Any:
    k = mp.mpf(power)
    return count * rate ** (1 - k) / (k - 1) + rate ** (2 - k) / (2 - k)


def _log_bounds(lifetime: Any, earliest: Any, latest: Any, s: float) -> tuple[Any, Any]:
    return tuple(
        mp.log(bound / lifetime) / mp.mpf(s) if 0 < bound < mp.inf else (-mp.inf if bound == 0 else mp.inf)
        for bound in (earliest, latest)
    )


DENSITIES = {
    "normal": lambda z: mp.exp(-(z**2) / 2) / mp.sqrt(2 * mp.pi),
    "logistic": lambda z: mp.exp(-abs(z)) / (1 + mp.exp(-abs(z))) ** 2,
    "extreme": lambda z: mp.exp(z - mp.exp(z)),
}
TAILS = {
    "normal": lambda z: mp.erfc(z / mp.sqrt(2)) / 2,
    "logistic": lambda z: 1 / (1 + mp.exp(z)),
    "extreme": lambda z: mp.exp(-mp.exp(z)),
}


def _time_mass(low: Any, high: Any, distribution: str) -> Any:
    """Between two bounds, as what is left beyond the first less what is left beyond the other."""
    with mp.workprec(4000):
        beyond = TAILS[distribution]
        return (mp.mpf(1) if low == -mp.inf else beyond(low)) - (mp.mpf(0) if high == mp.inf else beyond(high))


def aft(lifetime: Any, earliest: Any, latest: Any, distribution: str, s: float, floor: float) -> Any:
    low, high = _log_bounds(lifetime, earliest, latest, s)
    if earliest == latest:
        return -mp.log(DENSITIES[distribution](low)) + mp.log(mp.mpf(s) * earliest)
    return -mp.log(_time_mass(low, high, distribution))


REFERENCES = {
    "negative-binomial-nll": beside(negative_binomial),
    "tweedie-nll": columns(tweedie_nll),
    "quantile-huber": columns(quantile_huber),
    "gaussian-crps": beside(gaussian_crps),
    "laplace-nll": beside(lambda pred, spread, target: log(2 * spread) + abs(pred - target) / spread),
    "student-t-nll": beside(student_t),
    "log-cosh": columns(log_cosh),
    "pseudo-huber": columns(pseudo_huber),
    "cauchy": columns(lambda pred, target, c: mp.log1p(squared(pred, target, c) / 2)),
    "welsch": columns(lambda pred, target, c: -mp.expm1(-squared(pred, target, c) / 2)),
    "geman-mcclure": columns(lambda pred, target, c: 2 / (1 + 4 / z) if (z := squared(pred, target, c)) else mp.mpf(0)),
    "barron": columns(barron),
    "fair": columns(fair),
    "wing": columns(wing),
    "mape": columns(lambda pred, target: quotient(abs(pred - target), abs(target))),
    "smape": columns(lambda pred, target: quotient(2 * abs(pred - target), abs(pred) + abs(target))),
    "msle": columns(log_gap),
    "rmsle": lambda size, true_size: mp.sqrt(columns(log_gap)(size, true_size)),
    "pinball": columns(pinball),
    "expectile": columns(expectile),
    "interval-score": interval_score,
    "interval-coverage": lambda lower, upper, target: mp.mpf(lower <= target <= upper),
    "crps-ensemble": crps,
    "poisson-nll": columns(poisson),
    "poisson-deviance": columns(poisson_deviance),
    "gamma-nll": columns(lambda rate, amount: amount / rate + log(rate)),
    "gamma-deviance": columns(gamma_deviance),
    "tweedie-deviance": columns(tweedie),
    "gaussian-nll": gaussian,
    "aft": aft,
    "mase": lambda pred, naive, target: abs(pred - target) / naive,
    "msis": lambda lower, upper, naive, target, alpha: interval_score(lower, upper, target, alpha) / naive,
    "wis": lambda q, y, levels: 2 * mean([pinball(x, y, a) for x, a in zip(q, levels, strict=True)]),
}

ERRORS = {
    "log-spaced": (SIGNED[::2], np.roll(SIGNED, 7)[::2]),
    "against zero": (SIGNED, np.zeros_like(SIGNED)),
    "nearly equal": (LOG_SPACED, LOG_SPACED * (1 + rng.normal(0, 1e-12, LOG_SPACED.size))),
    "ordinary": (rng.normal(0, 2, 200), rng.normal(0, 2, 200)),
    "offset 1e9": (OFFSETS, np.roll(OFFSETS, 1, axis=0)),
}
POSITIVE = 10.0 ** rng.uniform(-6, 6, 80)
POSITIVES = {
    "log-spaced": (POSITIVE, np.roll(POSITIVE, 7)),
    "ordinary": (rng.gamma(2, 2, 200), rng.gamma(2, 2, 200)),
    "far apart": (10.0 ** rng.uniform(-100, 100, 60), 10.0 ** rng.uniform(-100, 100, 60)),
    **{
        f"{size:g} apart": (POSITIVE, POSITIVE * (1 + rng.uniform(-size, size, POSITIVE.size)))
        for size in (0.5, 1e-2, 1e-5, 1e-9, 1e-14)
    },
}
ERROR_SPECS = [
    *("log-cosh", "pseudo-huber", "pseudo-huber:delta=1e-3", "cauchy", "cauchy:c=0.3", "welsch", "welsch:c=0.3"),
    *("geman-mcclure", "geman-mcclure:c=0.3", "barron", "barron:alpha=-2,c=0.7", "barron:alpha=0", "barron:alpha=2"),
    *("barron:alpha=1.7", "fair", "fair:c=0.3", "wing", "wing:w=3,eps=0.5", "mape", "smape", "pinball"),
    *("pinball:alpha=0.9", "expectile", "expectile:alpha=0.1", "quantile-huber", "quantile-huber:alpha=0.1,delta=0.3"),
]
POSITIVE_SPECS = [
    *("poisson-nll", "poisson-deviance", "gamma-nll", "gamma-deviance", "tweedie-deviance"),
    *("tweedie-deviance:power=1", "tweedie-deviance:power=2", "tweedie-deviance:power=1.2"),
    *(
        "poisson-nll:constant=exact",
        "poisson-nll:constant=stirling",
        "tweedie-deviance:power=1.9",
        "msle",
        "rmsle",
        "tweedie-nll",
        "tweedie-nll:power=1.1",
    ),
]


def cases() -> list[Case]:
    table = [Case(what, spec, pair) for spec, (what, pair) in product(ERROR_SPECS, ERRORS.items())]
    table = [case for case in table if case.loss != "wing" or case.what != "against zero"]  # eps makes it subnormal
    table += [Case(what, spec, pair) for spec, (what, pair) in product(POSITIVE_SPECS, POSITIVES.items())]
    zero = (POSITIVE, np.zeros_like(POSITIVE))
    table += [Case("counts of 0", spec, zero) for spec in ("poisson-nll", "poisson-deviance", "tweedie-deviance")]
    edge = rows(-1 + 2.0**-53, -1 + 1e-9, -0.5, -1e-17, 1e-300, 0.0, 1e300)
    table += [Case("near -1", spec, (edge, np.roll(edge, k))) for spec in ("msle", "rmsle") for k in (1, 2, 3)]
    table = [case for case in table if (case.spec, case.what) != ("rmsle", "near -1")]  # squares that are subnormal
    a, b, c = rng.normal(0, 2, (3, 100))
    table += [Case("ordinary", f"interval-score{more}", (a, b, c)) for more in ("", ":alpha=0.5")]
    table += [Case("ordinary", "interval-coverage", (a, b, c))]
    table += [Case("ends that are met", "interval-coverage", (c, np.maximum(b, c), c))]
    steep = np.array([1e155, 1e160])  # errors whose powers leave float64 where the loss does not
    table += [Case("powers beyond float64", f"barron:alpha={alpha}", (steep, 0 * steep)) for alpha in (1.9, 1.5)]
    table += [
        Case("ordinary", "mase", (a, np.exp(b), c)),
        Case("nearly equal", "mase", (c * (1 + 1e-12), np.exp(b), c)),
    ]
    table += [Case("ordinary", f"msis{more}", (a, b, np.exp(a), c)) for more in ("", ":alpha=0.5")]
    table += [Case("ordinary", "wis", (np.stack([a, b, c + 1], axis=1), c))]
    table += [Case("holds it", "interval-score", (c - abs(a), c + abs(b), c))]
    for m in (1, 2, 7, 40):
        members = rng.normal(0, 1, (10, m))
        table += [
            Case(f"{m} members", "crps-ensemble", (members, rng.normal(0, 1, 10))),
            Case(f"{m} members, one of them", "crps-ensemble", (members, members[:, 0])),
            Case(f"{m} members, offset 1e9", "crps-ensemble", (np.round(members, 3) + 1e9, np.full(10, 1e9))),
        ]
    own = np.random.default_rng(31)
    mean_of, true, width = (*own.normal(0, 1, (2, 80)), np.exp(own.normal(0, 2, 80)))
    for what, x, s, y in (
        ("ordinary", mean_of, width, true),
        ("far off", np.multiply(mean_of, 1e200), width, true),
        ("met", true, width, true),
        ("nearly equal", np.multiply(true, 1 + 1e-12), width, true),
    ):
        for spec in ("gaussian-crps", "laplace-nll", "student-t-nll", "student-t-nll:nu=0.4", "student-t-nll:nu=1e9"):
            table.append(Case(what, spec, (np.array(x), s, np.array(y))))
    for what, size in (("ordinary", 1.0), ("far apart", 5.0)):
        mean_of, r, y = np.exp(own.normal(0, size, (3, 60)))
        table.append(Case(what, "negative-binomial-nll", (mean_of, r, np.floor(y))))
    life, start, more = np.exp(own.normal(0, 1, (3, 24)))
    for distribution, s in product(DENSITIES, (1, 0.1)):
        spec = f"aft:distribution={distribution},s={s}"
        for what, low, high in (
            ("events", start, start),
            ("events nearly met", life * (1 + 1e-12), life * (1 + 1e-12)),
            ("not come", start, np.full(24, np.inf)),
            ("come before", np.zeros(24), start),
            ("between", start, start + more),
            ("between, 1e-9 apart", start, start * (1 + 1e-9 * more)),
            ("between, about the prediction", life * 0.9, life * 1.1),
        ):
            table.append(Case(what, spec, (life, low, high)))
    variance = np.exp(rng.normal(0, 3, 100))
    table += [Case("ordinary", f"gaussian-nll{more}", (a, variance, b)) for more in ("", ":full=true")]
    table += [Case("nearly equal", "gaussian-nll", (a, variance, a * (1 + 1e-12)))]
    return table


def _power(truth: Any, case: Case, pred: Any, target: Any) -> Any:
    return truth * (1 + abs(mp.log(truth))) if truth else truth


def _terms(truth: Any, case: Case, rate: Any, count: Any) -> Any:
    if case.loss == "poisson-nll":
        constant = option(case, "constant")
        if constant != "none" and count > (constant == "stirling"):
            return poisson_deviance(rate, count) / 2 + abs(log(count)) + (12 if count < 8 else 2)
        return rate + abs(count * log(rate))
    if case.loss == "gamma-nll":
        return count / rate + abs(log(rate))
    k = mp.mpf(option(case, "power")) if case.loss == "tweedie-deviance" else 1
    if k in (1, 2):
        return 2 * truth
    parts = count ** (2 - k) / ((k - 1) * (2 - k)), count * rate ** (1 - k) / (k - 1), rate ** (2 - k) / (2 - k)
    return truth * (1 / (k - 1)) * 4 if abs(count - rate) < 6 * rate else 2 * mp.fsum(parts)


def _of_spread(truth: Any, case: Case, pred: Any, spread: Any, target: Any) -> Any:
    z = abs(pred - target) / spread
    if case.loss == "laplace-nll":
        return abs(log(2 * spread)) + z
    n = mp.mpf(option(case, "nu"))
    return abs(log(spread)) + 1 + (n + 1) / 2 * mp.log1p(z**2 / n)


def _of_normal(truth: Any, case: Case, pred: Any, variance: Any, target: Any) -> Any:
    return abs(log(variance)) + (pred - target) ** 2 / variance + 2


def _of_time(truth: Any, case: Case, lifetime: Any, earliest: Any, latest: Any) -> Any:
    """By how much the two bounds, each right to an ulp, move the value; and the sizes of its terms."""
    name, s = option(case, "distribution"), option(case, "s")
    low, high = _log_bounds(lifetime, earliest, latest, s)
    if earliest == latest:
        steep = abs(low) * mp.exp(low) if name == "extreme" else low**2
        return 1 + abs(mp.log(earliest)) + abs(mp.log(s)) + abs(low) + steep
    ends = [z for z in (low, high) if mp.isfinite(z)]
    mass = _time_mass(low, high, name)
    slopes = [DENSITIES[name](z) for z in ends]
    if len(ends) == 2:  # their distance is known by itself
        return 4 + truth + max(map(abs, ends)) * abs(slopes[1] - slopes[0]) / mass
    return 2 * truth + abs(ends[0]) * slopes[0] / mass


def _of_gammas(truth: Any, case: Case, rate: Any, r: Any, y: Any) -> Any:
    apart = r * abs(mp.log((r + rate) / (r + y))) + y * abs(mp.log((y or 1) / rate) + mp.log((rate + r) / (y + r)))
    return 4 * (2 + abs(log(r)) + abs(log(y or 1)) + apart) if y else truth


BOUNDS = (
    Bound(
        ("negative-binomial-nll",), lambda case: True, _of_gammas, "terms of both signs cancel: 16 ulp of their sizes"
    ),
    Bound(
        ("barron",),
        lambda case: option(case, "alpha") not in (0, 2),
        _power,
        "a power of what is right to 2 ulp: 4 ulp times 1 + |log L|",
    ),
    Bound(
        ("poisson-nll", "gamma-nll", "poisson-deviance", "tweedie-deviance"),
        lambda case: True,
        _terms,
        "terms of both signs cancel, and 0 is no perfect value of a likelihood: 4 ulp of their sizes",
    ),
    Bound(
        ("gaussian-crps",),
        lambda case: True,
        lambda truth, case, *row: 2 * truth,
        "the bell and what is taken from it cancel by half: 8 ulp",
    ),
    Bound(("aft",), lambda case: True, _of_time, "logarithms of times are right to an ulp: 4 ulp of what they move"),
    Bound(("laplace-nll", "student-t-nll"), lambda case: True, _of_spread, "as gaussian-nll: 4 ulp of their terms"),
    Bound(("gaussian-nll",), lambda case: True, _of_normal, "log v and e^2/v cancel: 4 ulp of their sizes"),
)
