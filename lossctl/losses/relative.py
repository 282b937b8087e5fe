"""Relative errors: as a share of the target, of its logarithm, or of how far the targets spread."""

from ..language.domains import Fraction
from ..language.entropy import log_quotient
from ..language.numerics import (
    Array,
    Total,
    column_list,
    log,
    log1p,
    maximum,
    minimum,
    quotient,
    ratio,
    root,
    row_mean,
    row_sum,
    where,
)
from ..language.registry import Sums, loss
from ..language.rounding import two_product
from .regression import by_size, r2, root_of_mean, share_of_spread, squares


@loss(aliases=("mean-absolute-percentage-error",))
def mape(pred: Array, target: Array) -> Array:
    """The absolute error as a share of the target.

    Formula: |e| / |target|, 0 where both are 0;  e = pred - target
    Reading: 0.1 is ten percent; infinite where only the target is 0
    Differs: keras prints percent; below the bar stands max(|y|, eps) in scikit-learn (2.2e-16), keras (1e-7) and
        torchmetrics (1.17e-6), max(|y|, 1) in lightgbm and catboost: a target of 0 gives a number there, of no meaning
    Unit: share of the target
    Use: targets far from 0 whose relative error matters
    Misleads: small targets make the number; predicting too low is bounded by 1, too high by nothing, so it favours low
    Gradient: 1/|target| or minus it
    Worked: e = 3 - 5; mape = abs(e) / 5
    Example: pred=3 target=5 -> 0.4
    """
    return row_mean(ratio(abs(pred - target), abs(target)))


@loss(aliases=("symmetric-mean-absolute-percentage-error",))
def smape(pred: Array, target: Array) -> Array:
    """The absolute error as a share of the mean size of prediction and target: at most 2.

    Formula: 2 |e| / (|pred| + |target|), 0 where both are 0;  e = pred - target
    Paper: Makridakis, Accuracy Measures, 1993
    Differs: catboost prints percent; some code has no 2, so that it is at most 1
    Unit: share of the mean size
    Use: as mape, with targets that may be 0
    Misleads: not symmetric: predicting too low costs more than too high; a target of 0 costs 2 whatever is predicted
    Gradient: by a prediction above the target 4 |target| / (|pred| + |target|)^2 for one sign of both
    Worked: e = 3 - 5; smape = 2 * abs(e) / (3 + 5)
    Example: pred=3 target=5 -> 0.5
    """
    scale = where(maximum(abs(pred), abs(target)) > 1e300, 0.25 + 0.0 * pred, 1.0)  # half of them would overflow
    pred, target = pred * scale, target * scale
    return row_mean(2.0 * ratio(abs(pred - target), abs(pred) + abs(target)))


def _share(error: Total, size: Total, weight: Total) -> Array | float:
    return quotient(error, size)


@loss(
    finish=_share,
    stands_alone=False,
    reductions=("overall",),
    aliases=("wape", "nd", "weighted-mean-absolute-percentage-error"),
)
def wmape(pred: Array, target: Array) -> Sums:
    """All absolute errors together as a share of all targets together.

    Formula: sum |e| / sum |target|;  e = pred - target
    Reading: mae divided by the mean size of the target; it is the mape in which each row weighs by its target
    Unit: share of the targets
    Use: as mape, where some targets are small or 0
    Misleads: rows with large targets make the number
    Gradient: 1 or -1 divided by the sum of the targets
    Worked: errors = 1 + 0 + 2; wmape = errors / (1 + 2 + 7)
    Example: pred=[2,2,5] target=[1,2,7] -> 0.3
    """
    return Sums(row_sum(abs(pred - target)), row_sum(abs(target)))


@loss(aliases=("mean-squared-logarithmic-error",))
def msle(size: Array, true_size: Array) -> Array:
    """The squared difference of the logarithms of one plus the value: errors count by their factor.

    Formula: [log(1 + y) - log(1 + pred)]^2
    Differs: for values of -1 and below keras clips without a word, scikit-learn refuses (as here), torchmetrics prints
        nan
    Use: counts and amounts over many orders of magnitude
    Misleads: predicting too low costs more than predicting too high by as much
    Gradient: by the prediction -2 [log(1 + y) - log(1 + pred)] / (1 + pred)
    Worked: gap = log(1 + 7) - log(1 + 3); msle = gap^2
    Example: pred=3 target=7 -> 0.4804530139182014
    """
    return row_mean(_log_gap(size, true_size) ** 2)


def _log_ratio(p: Array, y: Array) -> Array:
    """log(p / y), exact also where p is nearly y."""
    near = (p <= 2.0 * y) & (y <= 2.0 * p)
    return where(near, log1p(where(near, p - y, 0.0) / y), log_quotient(p, y))


def _log_gap(a: Array, b: Array) -> Array:
    """|log(1 + a) - log(1 + b)|, exact also where a is nearly b."""
    low, high = 1.0 + minimum(a, b), maximum(a, b)
    far = (high > 1e150) & (low < 1e100)  # the quotient may overflow
    near = log1p(where(far, 0.0, abs(a - b)) / where(far, 1.0, low))
    return where(far, log(where(far, high, 1.0)) - log(where(far, low, 1.0)), near)


@loss(finish=root_of_mean, aliases=("root-mean-squared-log-error",))
def rmsle(size: Array, true_size: Array) -> Sums:
    """The root of the mean squared logarithmic error.

    Formula: sqrt(mean([log(1 + y) - log(1 + pred)]^2))
    Reading: the root is taken once, after the mean over all rows and columns
    Differs: scikit-learn takes the root of each column, then the mean
    Use: to report msle: 0.1 is about ten percent
    Misleads: as msle; the mean of several rmsle is not the rmsle of all
    Gradient: that of msle divided by 2 rmsle
    Worked: gap = log(1 + 7) - log(1 + 3); mean = gap^2 / 1; rmsle = sqrt(mean)
    Example: pred=3 target=7 -> 0.6931471805599453
    """
    return Sums(*squares(by_size(_log_gap(size, true_size))))


def _unexplained_share(*totals: Total) -> Array | float:
    return share_of_spread(totals, lambda errors, spread: errors)


@loss(finish=_unexplained_share, stands_alone=False, reductions=("overall",), aliases=("rse",))
def relative_squared_error(pred: Array, target: Array) -> Sums:
    """The squared errors as a share of those of the mean of the targets: 1 - r2.

    Formula: sum e^2 / sum (y - mean y)^2;  e = pred - target
    Reading: 0 is perfect, 1 is the mean's own score
    Differs: torchmetrics gives the root with squared=False
    Use: as r2, where smaller should be better
    Misleads: depends on how far the targets spread, so values of two data sets cannot be compared
    Gradient: 2 e divided by the spread of the targets
    Worked: mean = (1 + 2 + 6) / 3; spread = (1 - mean)^2 + (2 - mean)^2 + (6 - mean)^2;
        relative_squared_error = (1^2 + 0^2 + 1^2) / spread
    Example: pred=[2,2,5] target=[1,2,6] -> 0.14285714285714285
    """
    return r2(pred, target)


def _root_of_scatter(*totals: Total, share: float) -> Array | float:
    """The root of the mean square less a share of the square of the mean; totals are three a column."""
    from fractions import Fraction as Exact

    *sums, weight = totals
    count = weight * (len(sums) // 3)
    mean, square = (sum(parts[1:], parts[0]) / count for parts in (sums[0::3], [*sums[1::3], *sums[2::3]]))
    part = share if hasattr(mean, "shape") else Exact(share)
    return root(square - part * mean * mean)


@loss(finish=_root_of_scatter, stands_alone=False, reductions=("overall",), aliases=("scale-invariant-log-error",))
def silog(rate: Array, amount: Array, *, share: Fraction = 1.0) -> Sums:
    """How far predictions are from the true values but for one factor that they may all be off by.

    Formula: sqrt(mean d^2 - v (mean d)^2), d = log pred - log y, over all rows and columns
    Paper: Eigen, Puhrsch, Fergus, Depth Map Prediction from a Single Image using a Multi-Scale Deep Network, 2014
    Reading: with v 1 a common factor costs nothing; with v 0 it is the root of the mean squared log error
    Differs: KITTI prints 100 times it; training has v 0.5 (Eigen, without the root) or 0.85 (times 10); images have one
        each and then their mean: -g SRC
    share: v
    Use: depth from single images, whose scale no camera tells
    Misleads: with v 1 predictions of twice the size are perfect
    Gradient: (d - v mean d) / (n times the loss), divided by the prediction
    Worked: d = log(2); mean = d / 2; silog = sqrt(d^2 / 2 - mean^2)
    Example: pred=[2,1] target=[1,1] -> 0.34657359027997264
    """
    columns = []
    for p, y in zip(column_list(rate), column_list(amount), strict=True):
        d = _log_ratio(p, y)
        columns += [d, *two_product(d, d)]
    return Sums(*columns)
