"""Quantiles, intervals and ensembles: how well a predicted distribution fits the value that came."""

from typing import Annotated

from ..language.domains import Domain, Fraction, Positive
from ..language.numerics import (
    Array,
    counted_columns,
    erf,
    exp,
    homogeneous,
    like,
    maximum,
    minimum,
    ordered_by,
    relu,
    row_mean,
    row_sum,
    where,
)
from ..language.registry import loss

Level = Annotated[float, Domain(float, low=0, high=1, low_open=True)]


@loss(aliases=("quantile", "quantile-loss", "mean-pinball-loss"))
def pinball(pred: Array, target: Array, *, alpha: Fraction = 0.5) -> Array:
    """The absolute error, weighed by the side: its best constant prediction is the alpha quantile.

    Formula: alpha (y - pred) if y >= pred, else (1 - alpha) (pred - y)
    Paper: Koenker, Bassett, Regression Quantiles, 1978
    Reading: at alpha 0.5 it is half of mae
    Differs: scikit-learn's alpha is 0.5 too, lightgbm's 0.9
    alpha: the quantile that is predicted
    Unit: units of the target
    Use: to train or score one predicted quantile
    Misleads: values for different alpha cannot be compared; it says nothing about coverage
    Gradient: -alpha where the prediction is too low, 1 - alpha where it is too high
    Worked: pinball = 0.5 * (5 - 3)
    Example: pred=3 target=5 -> 1
    """

    def sides(pred: Array, target: Array) -> Array:
        return row_mean(alpha * relu(target - pred) + (1.0 - alpha) * relu(pred - target))

    return homogeneous(sides, pred, target)


@loss(aliases=("quantile-huber-loss",))
def quantile_huber(pred: Array, target: Array, *, alpha: Fraction = 0.5, delta: Positive = 1.0) -> Array:
    """Pinball with a rounded corner: smooth where the prediction is right.

    Formula: |alpha - [e < 0]| h(e) / delta, h(e) = e^2/2 if |e| <= delta, else delta (|e| - delta/2);  e = y - pred
    Paper: Dabney, Rowland, Bellemare, Munos, Distributional Reinforcement Learning with Quantile Regression, 2018
    Reading: at alpha 0.5 it is half of smooth-l1
    Differs: the paper leaves out the division by delta, which is 1 there; torch-like code has kappa for delta
    alpha: the quantile that is predicted
    delta: where the square turns into a line
    Unit: units of the target
    Use: quantiles of returns in reinforcement learning; gradients that fade where the prediction is right
    Misleads: its best constant prediction is the quantile only as delta goes to 0
    Gradient: -alpha where the prediction is too low by delta and more, 1 - alpha where it is too high by that
    Worked: h = 1 * (2 - 1 / 2); quantile_huber = 0.5 * h / 1
    Example: pred=3 target=5 -> 0.75
    """

    def rounded(pred: Array, target: Array, delta: Array) -> Array:
        error = target - pred
        near = minimum(abs(error), delta)
        return row_mean(where(error < 0, 1.0 - alpha, alpha + 0.0 * near) * (near / delta * (abs(error) - near / 2)))

    return homogeneous(rounded, pred, target, like(delta, pred))


@loss
def expectile(pred: Array, target: Array, *, alpha: Fraction = 0.5) -> Array:
    """The squared error, weighed by the side: its best constant prediction is the alpha expectile.

    Formula: alpha (y - pred)^2 if y >= pred, else (1 - alpha) (pred - y)^2
    Paper: Newey, Powell, Asymmetric Least Squares Estimation and Testing, 1987
    Reading: at alpha 0.5 it is half of mse
    Differs: catboost needs alpha
    alpha: how much predicting too low counts; 1 - alpha is for too high
    Unit: squared units of the target
    Use: as pinball, where large errors should count more
    Misleads: expectiles are no quantiles; a few outliers make the number
    Gradient: -2 alpha (y - pred) where the prediction is too low, 2 (1 - alpha) (pred - y) where it is too high
    Worked: expectile = 0.5 * (5 - 3)^2
    Example: pred=3 target=5 -> 2
    """
    low, high = relu(target - pred), relu(pred - target)
    return row_mean(alpha * (low * low) + (1.0 - alpha) * (high * high))


@loss(aliases=("winkler", "winkler-score", "regression-mwi-score"))
def interval_score(lower: Array, upper: Array, target: Array, *, alpha: Level = 0.1) -> Array:
    """The width of a predicted interval, and what is beyond it times 2 / alpha.

    Formula: (u - l) + 2/alpha [l - y]+ + 2/alpha [y - u]+
    Paper: Winkler, A Decision-Theoretic Approach to Interval Estimation, 1972; Gneiting, Raftery, 2007
    alpha: the share of values that the interval may miss: 0.1 for one of 90 %
    Unit: units of the target
    Use: to score central intervals: narrow ones that still hold the values
    Misleads: intervals for different alpha cannot be compared; ends that are crossed have a negative width
    Gradient: by the upper end 1 while it holds the value, else 1 - 2/alpha
    Worked: width = 3 - 1; interval_score = width + 2 / 0.1 * (4 - 3)
    Example: lower=1 upper=3 target=4 -> 22
    """
    return row_mean((upper - lower) + 2.0 / alpha * (relu(lower - target) + relu(target - upper)))


@loss(is_signed=True, aliases=("empirical-coverage", "coverage-probability", "picp", "regression-coverage-score"))
def interval_coverage(lower: Array, upper: Array, target: Array) -> Array:
    """The share of values that lie within their predicted intervals, ends included: near 0.9 where 90 % was meant.

    Formula: [l <= y <= u]
    Reading: neither more nor less is better, but nearer to what was meant; the mean width of the intervals is
        mean-error of their lower and upper ends, in that order
    Differs: scikit-learn's coverage_error is of several labels a row, coverage-error here; darts' mic, sktime and
        MAPIE include the ends, as here
    Use: whether intervals hold as many values as they say, beside interval-score
    Misleads: intervals as wide as everything hold all; those of some groups or seasons may hold far fewer: see -g
    Gradient: 0 almost everywhere: train on pinball or interval-score
    Worked: inside = 1; outside = 0; interval_coverage = (inside + outside) / 2
    Example: lower=[1,1] upper=[3,3] target=[2,4] -> 0.5
    """
    none = 0.0 * lower + 0.0 * upper + 0.0 * target
    return row_mean(where((lower <= target) & (target <= upper), none + 1.0, none))


@loss(aliases=("crps",))
def crps_ensemble(members: Array, outcome: Array) -> Array:
    """How far the steps of an ensemble's distribution are from the step at the value that came; mae for one member.

    Formula: mean_i |x_i - y| - mean_ij |x_i - x_j| / 2, as the integral of (F(t) - [t >= y])^2, which keeps digits
    Paper: Matheson, Winkler, Scoring Rules for Continuous Probability Distributions, 1976; Gneiting, Raftery, 2007
    Differs: the fair form divides the second term by M (M - 1), not M^2; torchmetrics and this do not
    Unit: units of the target
    Use: to score ensembles and samples of a predicted distribution
    Misleads: a small ensemble is punished for being small: compare ensembles of one size, or the fair form
    Gradient: by a member twice what the distribution misses there, divided by M
    Worked: near = (abs(2 - 2.5) + abs(3 - 2.5)) / 2; crps_ensemble = near - (abs(2 - 3) + abs(3 - 2)) / 4 / 2
    Example: members=[2,3] target=2.5 -> 0.25
    """
    x, y, m = ordered_by(members, members), outcome[:, None], members.shape[1]
    beyond = relu(x[:, 0] - outcome) + relu(outcome - x[:, -1])
    if m == 1:
        return beyond
    low, high, rank = x[:, :-1], x[:, 1:], counted_columns(x[:, :-1])
    reached = (rank / m) ** 2
    left = ((m - rank) / m) ** 2
    below, above = relu(minimum(high, y) - low), relu(high - maximum(low, y))
    return beyond + row_sum(reached * below + left * above)


@loss(aliases=("crps-gaussian", "crps-normal"))
def gaussian_crps(pred: Array, deviation: Array, target: Array) -> Array:
    """How far a predicted normal distribution is from the step at the value that came; mae as the deviation goes to 0.

    Formula: s [z (2 F(z) - 1) + 2 f(z) - 1/sqrt(pi)], z = (y - pred) / s, f and F of the standard normal distribution
    Paper: Gneiting, Raftery, Strictly Proper Scoring Rules, Prediction, and Estimation, 2007
    Unit: units of the target
    Use: to score predictions of mean and deviation where one miss should not make the number, as it does for a
        likelihood
    Misleads: it takes the standard deviation, where gaussian-nll takes the variance
    Gradient: by the mean 1 - 2 F(z), by the deviation 2 f(z) - 1/sqrt(pi)
    Worked: root = sqrt(3.141592653589793); gaussian_crps = 2 * (2 / (sqrt(2) * root) - 1 / root)
    Example: pred=3 deviation=2 target=3 -> 0.46738995451021825
    """
    gap = abs(target - pred)
    z = gap / deviation
    bell = 0.7978845608028654 * exp(-(z * z) / 2.0) - 0.5641895835477563
    return row_mean(gap * erf(z * 0.7071067811865476) + deviation * bell)
