"""Likelihoods and deviances: targets that are counts, amounts, or normal with a predicted variance."""

import math
from typing import Annotated, Literal

from ..language.domains import Domain, Flag, Fraction, Positive
from ..language.entropy import expm1_tail, log_quotient, log_ratio_by_difference, log_tail, relative_entropy_parts
from ..language.normal import LOG_ROOT_2_PI, log_mass_of_normal, log_one_less_exp
from ..language.numerics import (
    Array,
    exp,
    log,
    log1p,
    maximum,
    minimum,
    row_mean,
    softplus,
    sqrt,
    stirling_rest,
    weigh,
    where,
)
from ..language.registry import loss

Power = Annotated[float, Domain(float, low=1, high=2)]
Between = Annotated[float, Domain(float, low=1, high=1.999, low_open=True)]


@loss(is_signed=True, aliases=("poisson",))
def poisson_nll(rate: Array, count: Array, *, constant: Literal["none", "stirling", "exact"] = "none") -> Array:
    """The surprise at a count under a predicted rate, without the part that no prediction changes.

    Formula: pred - y log pred
    Differs: torch reads log-rates unless log_input is False, and adds 1e-8 within the log; keras adds 1e-7; xgboost
        adds log y! (--constant exact), torch with full=True Stirling's form of it (--constant stirling)
    constant: what is added that no prediction changes: exact is log y!, stirling y log y - y + log(2 pi y) / 2 for y
        above 1
    Unit: nats, up to a constant of the targets
    Use: counts: calls, claims, goals
    Misleads: it can be negative, and 0 is not perfect: poisson-deviance is measured from what is
    Gradient: 1 - y / pred
    Worked: poisson_nll = 2 - 3 * log(2)
    Example: pred=2 target=3 -> -0.07944154167983575
    """
    value = rate - weigh(count, log(rate))
    if constant == "none":
        return row_mean(value)
    is_counted = count > (1.0 if constant == "stirling" else 0.0)
    y = where(is_counted, count, 1.0)
    more = log(2.0 * math.pi * y) / 2.0 + (stirling_rest(y) if constant == "exact" else 0.0)
    return row_mean(where(is_counted, _unlikeness(rate, y) / 2.0 + more, value))


@loss(aliases=("mean-poisson-deviance",))
def poisson_deviance(rate: Array, count: Array) -> Array:
    """Twice what a count's log-likelihood lacks to that of a perfect prediction: 0 is perfect.

    Formula: 2 [y log(y / pred) - y + pred], with 0 log 0 = 0
    Paper: Nelder, Wedderburn, Generalized Linear Models, 1972
    Unit: twice nats
    Use: counts, and to compare models of them
    Misleads: predictions far too low cost much more than those far too high
    Gradient: 2 (1 - y / pred)
    Worked: poisson_deviance = 2 * (3 * log(3 / 2) - 3 + 2)
    Example: pred=2 target=3 -> 0.4327906486489862
    """
    return row_mean(_unlikeness(rate, count))


def _unlikeness(rate: Array, count: Array) -> Array:
    gap = count - rate
    beyond, rest = relative_entropy_parts(count, rate, gap, 0.0 * gap, log_quotient(where(count > 0, count, 1.0), rate))
    return 2.0 * (beyond + rest)


@loss(aliases=("mean-gamma-deviance",))
def gamma_deviance(rate: Array, amount: Array) -> Array:
    """The deviance of amounts whose spread is proportional to their mean: relative errors count.

    Formula: 2 [log(pred / y) + y / pred - 1]
    Paper: Nelder, Wedderburn, Generalized Linear Models, 1972
    Differs: lightgbm prints the sum of the rows, not the mean; xgboost has an epsilon inside
    Use: amounts above 0: damages, durations, prices
    Misleads: predictions far too low cost without limit, far too high only by the logarithm
    Gradient: 2 (pred - y) / pred^2
    Worked: gamma_deviance = 2 * (log(2 / 3) + 3 / 2 - 1)
    Example: pred=2 target=3 -> 0.18906978378367124
    """
    return row_mean(2.0 * log_tail(amount, rate, amount - rate))


@loss(is_signed=True, aliases=("gamma-nloglik",))
def gamma_nll(rate: Array, amount: Array) -> Array:
    """The surprise at an amount under an exponential (gamma of shape 1) distribution of the predicted mean.

    Formula: y / pred + log pred
    Unit: nats
    Use: waiting times and amounts
    Misleads: 0 is not perfect: gamma-deviance is twice the distance from what is
    Gradient: (pred - y) / pred^2
    Worked: gamma_nll = 3 / 2 + log(2)
    Example: pred=2 target=3 -> 2.1931471805599454
    """
    return row_mean(amount / rate + log(rate))


@loss(aliases=("mean-tweedie-deviance", "tweedie"))
def tweedie_deviance(rate: Array, count: Array, *, power: Power = 1.5) -> Array:
    """The deviance between counts and amounts: many zeros, and amounts above them.

    Formula: 2 [y^(2-k) / ((1-k)(2-k)) - y pred^(1-k) / (1-k) + pred^(2-k) / (2-k)], with its limits at 1 and 2
    Paper: Jorgensen, Exponential Dispersion Models, 1987
    Reading: k 1 is poisson-deviance, 2 gamma-deviance
    Differs: scikit-learn and torchmetrics have k 0 unless told, which is mse; gradient boosting 1.5, and minimises the
        part that depends on the prediction
    power: k, the power of the mean that the variance grows with
    Use: damages of insurance, sales, rainfall
    Misleads: values for different power cannot be compared
    Gradient: 2 (pred - y) / pred^k
    Worked: tweedie_deviance = 2 * (3^0.5 / -0.25 - 3 * 2^-0.5 / -0.5 + 2^0.5 / 0.5)
    Example: pred=2 target=3 -> 0.2857291631799322
    """
    if power == 1:
        return poisson_deviance(rate, count)
    if power == 2:
        return row_mean(
            2.0 * where(count > 0, log_tail(where(count > 0, count, 1.0), rate, count - rate), float("inf"))
        )
    a = 2.0 - power
    y = where(count > 0, count, rate)
    excess = (y - rate) / rate
    near = (excess > -0.85) & (excess < 6.0)
    w = log1p(where(near, excess, 0.0))
    series = (a * log_tail(y, rate, y - rate) - expm1_tail(a * w)) / (a * (power - 1.0))
    plain = rate**a / a + y * rate ** (1.0 - power) / (power - 1.0) - y**a / (a * (power - 1.0))
    return row_mean(2.0 * where(count > 0, where(near, rate**a * series, plain), rate**a / a))


@loss(aliases=("tweedie-nloglik", "tweedie-loss"))
def tweedie_nll(rate: Array, count: Array, *, power: Between = 1.5) -> Array:
    """What a Tweedie likelihood loses by a predicted mean: the deviance without its part of the targets alone, halved.

    Formula: -y pred^(1-k) / (1-k) + pred^(2-k) / (2-k)
    Paper: Jorgensen, Exponential Dispersion Models, 1987
    Reading: least where pred is y, at y^(2-k) / ((k-1) (2-k))
    Differs: xgboost and lightgbm minimise it; catboost prints it; scikit-learn has the deviance
    power: k, the power of the mean that the variance grows with
    Use: damages of insurance, sales, rainfall, where gradient boosting prints it
    Misleads: 0 is not perfect: tweedie-deviance is measured from what is; values for different power cannot be compared
    Gradient: (pred - y) / pred^k
    Worked: tweedie_nll = 3 * 4^-0.5 / 0.5 + 4^0.5 / 0.5
    Example: pred=4 target=3 -> 7
    """
    return row_mean(count * rate ** (1.0 - power) / (power - 1.0) + rate ** (2.0 - power) / (2.0 - power))


@loss(aliases=("negative-binomial", "nb-nll"))
def negative_binomial_nll(rate: Array, dispersion: Array, count: Array) -> Array:
    """The surprise at a count under a negative binomial distribution of predicted mean and dispersion.

    Formula: -log G(y + r) + log G(r) + log G(y + 1) + r log((r + m) / r) + y log((r + m) / m), m the mean, G the gamma
        function
    Paper: Hilbe, Negative Binomial Regression, 2007
    Reading: the variance is m + m^2 / r; as r grows it becomes Poisson
    Differs: others give alpha = 1 / r, or the probability r / (r + m), or the log of either
    Unit: nats
    Use: counts that vary more than Poisson's: visits, reads of genes, sales
    Misleads: a small r makes any count likely: look at r before trusting a low value
    Gradient: r (m - y) / (m (r + m)) by m
    Worked: negative_binomial_nll = 1 * log((1 + 1) / 1)
    Example: pred=1 dispersion=1 target=0 -> 0.6931471805599453
    """
    r, m, y = dispersion, rate, where(count > 0, count, 1.0)
    share = r / (y + r) * ((y - m) / m)
    near = share > -0.5
    far = log(y) - log(m) + log_quotient(m + r, y + r)
    more = (m - y) / (r + y)
    few = where(more > -0.5, log1p(where(more > -0.5, more, 0.0)), log_quotient(r + m, r + y))
    gap = r * few + y * where(near, log1p(where(near, share, 0.0)), far)
    rest = stirling_rest(r) + stirling_rest(y) - stirling_rest(y + r)
    width = (log(y) - log(r) + log(y + r) + math.log(2.0 * math.pi)) / 2.0
    return row_mean(where(count > 0, maximum(gap + width + rest, 0.0), r * log1p(m / r)))


@loss(is_signed=True, aliases=("gaussian-negative-log-likelihood",))
def gaussian_nll(pred: Array, variance: Array, target: Array, *, full: Flag = False) -> Array:
    """The surprise at a value under a normal distribution whose mean and variance are predicted.

    Formula: [log v + e^2 / v] / 2, with --full log(2 pi) / 2 more;  e = pred - target
    Paper: Nix, Weigend, Estimating the Mean and Variance of the Target Probability Distribution, 1994
    Differs: torch clamps v at 1e-6 without a word; other code takes log v or the standard deviation
    full: add the constant log(2 pi) / 2, so that it is minus the log of the density
    Unit: nats
    Use: predictions that say how sure they are
    Misleads: it is a density: negative for small variances, and it changes with the units of the target
    Gradient: by the mean e / v, by the variance [1 - e^2 / v] / (2 v)
    Worked: e = 3 - 1; gaussian_nll = (log(2) + e^2 / 2) / 2
    Example: pred=3 variance=2 target=1 -> 1.3465735902799727
    """
    z = (pred - target) / sqrt(variance)
    value = (log(variance) + z * z) / 2
    return row_mean(value + 0.9189385332046727 if full else value)


@loss(is_signed=True)
def laplace_nll(pred: Array, spread: Array, target: Array) -> Array:
    """The surprise at a value under a Laplace distribution whose centre and scale are predicted.

    Formula: log(2 b) + |e| / b, b the spread;  e = pred - target
    Paper: Laplace, Memoire sur la probabilite des causes par les evenements, 1774
    Differs: the spread is b, and the variance 2 b^2; some code predicts log b
    Unit: nats
    Use: predictions that say how sure they are, with outliers
    Misleads: it is a density: negative for small spreads, and it changes with the units of the target
    Gradient: by the centre 1 / b or -1 / b, by the spread [1 - |e| / b] / b
    Worked: laplace_nll = log(2 * 2) + 2 / 2
    Example: pred=3 spread=2 target=1 -> 2.386294361119891
    """
    return row_mean(log(2.0 * spread) + abs(pred - target) / spread)


@loss(is_signed=True, aliases=("t-nll",))
def student_t_nll(pred: Array, spread: Array, target: Array, *, nu: Positive = 3.0) -> Array:
    """The surprise at a value under Student's t distribution, whose tails are heavier than those of the normal one.

    Formula: log s + log(nu pi) / 2 + log G(nu/2) - log G((nu+1)/2) + (nu+1)/2 log(1 + (e/s)^2 / nu), s the spread, G
        the gamma function;  e = pred - target
    Paper: Lange, Little, Taylor, Robust Statistical Modeling Using the t Distribution, 1989
    Differs: the spread is no standard deviation, which is s sqrt(nu / (nu - 2))
    nu: degrees of freedom: 1 is Cauchy's distribution; the larger, the nearer to the normal one
    Unit: nats
    Use: predictions that say how sure they are, with outliers far off
    Misleads: it is a density: negative for small spreads, and it changes with the units of the target
    Gradient: by the centre (nu + 1) e / (nu s^2 + e^2), which falls again far off
    Worked: student_t_nll = log(3.141592653589793) + log(1 + (2 / 1)^2)
    Example: pred=3 spread=1 target=1 nu=1 -> 2.7541677982835005
    """
    w = abs(pred - target) / (spread * math.sqrt(nu))
    near, far = minimum(w, 1e8), maximum(w / 1e8, 1.0)  # the square of far ones may be beyond float64
    tail = log1p(near * near) + 2.0 * log(far)
    return row_mean(log(spread) + _log_norm(nu) + (nu + 1.0) / 2.0 * tail)


INFINITY = float("inf")


@loss(is_signed=True, aliases=("aft-nloglik", "accelerated-failure-time", "survival-aft"))
def aft(
    lifetime: Array,
    earliest: Array,
    latest: Array,
    *,
    distribution: Literal["normal", "logistic", "extreme"] = "normal",
    s: Positive = 1.0,
    floor: Fraction = 0.0,
) -> Array:
    """The surprise at when an event came, where only the bounds of that time may be known.

    Formula: -log [f(z) / (s l)] where l = u, else -log [F(z_u) - F(z_l)];  z = log(t / pred) / s, l and u the bounds
        of the time, f and F the density and distribution of z: normal, logistic, or extreme (f = e^z e^(-e^z))
    Paper: Wei, The Accelerated Failure Time Model, 1992; Barnwal, Cho, Hocking, Survival Regression with AFT Model in
        XGBoost, 2022
    Reading: both bounds alike are an event; an upper one of inf is one that has not come yet (right-censored), a lower
        one of 0 one that came before (left-censored); 0 to inf tells nothing and costs 0
    Differs: xgboost has no likelihood below 1e-12 (--floor 1e-12); its output_margin is log(pred), and what it prints
        is the metric of that
    distribution: of the logarithm of the time, less that of the prediction, in units of s
    s: how wide that distribution is (aft_loss_distribution_scale)
    floor: the least likelihood that counts, 0 for none
    Unit: nats; of an event it is a density of the time
    Use: survival times, of which some are known by bounds alone
    Misleads: it is a density for events: negative for times below 1, and it changes with the unit of time
    Gradient: by log(pred) of an event (normal) -z / s; of one that has not come, minus the hazard at its bound over s
    Worked: z = log(2 / 1); aft = log(1 + exp(z))
    Example: pred=1 lower=2 upper=1e999 distribution=logistic -> 1.0986122886681098
    """
    is_event, is_left, is_right = earliest == latest, earliest == 0, latest == INFINITY
    start = where(is_left, lifetime, earliest)
    end = where(is_right, lifetime, latest)
    low, high = _log_times(start, lifetime) / s, _log_times(end, lifetime) / s
    between = ~(is_event | is_left | is_right)
    gap = where(between, _log_times(where(between, end, 2.0), where(between, start, 1.0)) / s, INFINITY)
    event = _log_density(distribution, low) - log(start) - math.log(s)
    mass = _log_mass(distribution, low, high, gap, is_left, is_right | is_event)
    value = 0.0 - where(is_event, event, mass)
    return minimum(value, -math.log(floor)) if floor else value


def _log_times(a: Array, b: Array) -> Array:
    """log(a / b), exact also where a is nearly b."""
    return log_ratio_by_difference(a, b, a - b, log_quotient(a, b))


def _log_density(distribution: str, z: Array) -> Array:
    if distribution == "normal":
        return -(z * z) / 2.0 - LOG_ROOT_2_PI
    return -softplus(z) - softplus(-z) if distribution == "logistic" else z - exp(z)


def _log_mass(distribution: str, low: Array, high: Array, gap: Array, is_left: Array, is_right: Array) -> Array:
    """log of the probability between two bounds, of which the first does not count where left, the other where right.

    gap: high - low, where both count
    """
    both = ~(is_left | is_right)
    if distribution == "normal":
        return log_mass_of_normal(where(is_left, -INFINITY, low), where(is_right, INFINITY, high), gap)
    if distribution == "logistic":
        ends = where(is_right, 0.0, softplus(-high)) + where(is_left, 0.0, softplus(low))
        return where(both, log_one_less_exp(gap), 0.0) - ends
    log_rise = where(is_left, high, high + log_one_less_exp(gap))  # of what e^z grows by
    rise = exp(log_rise)
    tiny = rise < 1e-5
    small = where(tiny, rise, 0.0)
    held = where(is_right | tiny, 1.0, rise)
    risen = where(tiny, log_rise - small / 2.0 + small * small / 24.0, log_one_less_exp(held))
    return where(is_right, 0.0, risen) - where(is_left, 0.0, exp(low))


def _log_norm(nu: float) -> float:
    """log(nu pi) / 2 + log G(nu/2) - log G((nu+1)/2), by its series, from where that is short down to nu."""
    x, steps = nu / 2.0, max(0, math.ceil(60 - nu / 2.0))
    y = x + steps
    series = [1 / 8, -1 / 192, 1 / 640, -17 / 14336, 31 / 18432]
    terms = [part * (1.0 / y) ** (2 * at + 1) for at, part in enumerate(series)]
    down = [math.log1p(0.5 / (x + at)) for at in range(steps)]
    return math.fsum([math.log(2 * math.pi) / 2, (math.log(x) - math.log(y)) / 2, *terms, *down])
