"""Likelihoods and deviances: targets that are counts, amounts, or normal with a predicted variance."""

from typing import Annotated

from ..language.domains import Domain, Flag
from ..language.entropy import expm1_tail, log_quotient, log_tail, relative_entropy_parts
from ..language.numerics import Array, log, log1p, row_mean, sqrt, weigh, where
from ..language.registry import loss

Power = Annotated[float, Domain(float, low=1, high=2)]


@loss(is_signed=True, aliases=("poisson",))
def poisson_nll(rate: Array, count: Array) -> Array:
    """The surprise at a count under a predicted rate, without the part that no prediction changes.

    Formula: pred - y log pred
    Differs: torch reads log-rates unless log_input is False, and adds 1e-8 within the log; keras adds 1e-7; xgboost
        adds
        log y!
    Unit: nats, up to a constant of the targets
    Use: counts: calls, claims, goals
    Misleads: it can be negative, and 0 is not perfect: poisson-deviance is measured from what is
    Gradient: 1 - y / pred
    Worked: poisson_nll = 2 - 3 * log(2)
    Example: pred=2 target=3 -> -0.07944154167983575
    """
    return row_mean(rate - weigh(count, log(rate)))


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
    gap = count - rate
    beyond, rest = relative_entropy_parts(count, rate, gap, 0.0 * gap, log_quotient(where(count > 0, count, 1.0), rate))
    return row_mean(2.0 * (beyond + rest))


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
