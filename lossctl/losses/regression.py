"""Regression: how far a predicted value is from the true one. One value a row; several columns are averaged."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Literal

from ..language.distances import euclidean
from ..language.domains import Domain, Positive
from ..language.numerics import (
    Array,
    Total,
    column_list,
    columns,
    homogeneous,
    like,
    log,
    minimum,
    quotient,
    root,
    root_of_scaled,
    row_mean,
    row_sum,
    total,
    where,
)
from ..language.registry import Sums, loss
from ..language.rounding import compensated_row_sum, two_product, two_sum

Order = Annotated[float, Domain(float, low=1, high=32)]


@loss(aliases=("bias", "me"), is_signed=True)
def mean_error(pred: Array, target: Array) -> Array:
    """The signed error, target minus prediction: a diagnostic for bias, not a loss (large errors can cancel).

    Formula: target - pred
    Reading: positive where the model predicts too low, negative where it predicts too high
    Unit: units of the target
    Use: to see whether a model predicts too high or too low on the whole
    Misleads: errors of both signs cancel, so 0 says nothing about their size
    Gradient: -1 everywhere; it has no minimum, so nothing can be trained on it
    Worked: mean_error = 5 - 3
    Example: pred=3 target=5 -> 2
    """
    return homogeneous(_mean_difference, target, pred)


def _mean_difference(a: Array, b: Array) -> Array:
    difference, lost = two_sum(a, -b)
    return (compensated_row_sum(difference) + row_sum(lost)) / columns(a)


@loss(aliases=("l2", "mean-squared-error"))
def mse(pred: Array, target: Array) -> Array:
    """The squared error: large errors dominate.

    Formula: e^2;  e = pred - target
    Reading: in squared units of the target; the best constant prediction is the mean
    Differs: some libraries print half of it (optax l2_loss, MXNet L2Loss)
    Unit: squared units of the target
    Use: noise alike everywhere and without outliers; predicts the mean
    Misleads: a few outliers make the number; it is in squared units
    Gradient: 2 e, as large as the error, so outliers pull hardest
    Worked: e = 3 - 5; mse = e^2
    Example: pred=3 target=5 -> 4
    """
    error = pred - target
    return row_mean(error * error)


@loss(aliases=("l1", "mean-absolute-error"))
def mae(pred: Array, target: Array) -> Array:
    """The absolute error: every unit of error counts alike.

    Formula: |e|;  e = pred - target
    Reading: in units of the target; the best constant prediction is the median
    Unit: units of the target
    Use: targets with outliers; predicts the median
    Misleads: says nothing about rare large errors
    Gradient: 1 or -1 whatever the size of the error, so steps do not shrink near the minimum
    Worked: e = 3 - 5; mae = abs(e)
    Example: pred=3 target=5 -> 2
    """
    return homogeneous(lambda pred, target: row_mean(abs(pred - target)), pred, target)


SCALE = 2.0**600  # brings errors whose squares leave the range of float64 back into it
TINY, HUGE = 2.0**-400, 2.0**500  # between them also what rounding loses of a square is a number


def root_of_mean(*totals: Total) -> Array | float:
    """The root of the mean of `squares`, or the mean over columns of such roots, three totals each; the weight last.

    A single total before the weight is of roots already.
    """
    *sums, weight = totals
    if len(sums) == 1:
        return quotient(sums[0], weight)
    roots = [_root_of_parts(*sums[at : at + 3], weight) for at in range(0, len(sums), 3)]
    return roots[0] if len(roots) == 1 else sum(roots[1:], roots[0]) / len(roots)


def _root_of_parts(*parts: Total) -> Array | float:
    """The root of a mean of squares: of errors as they are, of tiny ones times SCALE, of huge ones divided by it."""
    plain, tiny, huge, weight = parts
    if not hasattr(plain, "shape"):
        return root_of_scaled(((plain, 0), (tiny, -600), (huge, 600)), weight)
    plain, tiny, huge = (part / weight for part in (plain, tiny, huge))
    middle = root(plain + tiny / SCALE / SCALE)
    return where(huge > 0, root(huge + plain / SCALE / SCALE) * SCALE, where(plain > 0, middle, root(tiny) / SCALE))


@loss(finish=root_of_mean, aliases=("root-mean-squared-error",))
def rmse(pred: Array, target: Array, *, columns: Literal["together", "each", "first"] = "together") -> Sums:
    """The root of the mean squared error: mse in units of the target.

    Formula: sqrt(mean(e^2));  e = pred - target
    Reading: the root is taken once, after the mean over all rows and columns
    Differs: scikit-learn takes the root of each column, then the mean (--columns each); allRank that of each row, its
        columns first (--columns first)
    columns: one root of the mean over all columns together, the mean of one root for each of them, or the mean over
        rows of the root of each row
    Unit: units of the target
    Use: to report mse in units that people know
    Misleads: large errors dominate as in mse; the mean of several rmse is not the rmse of all
    Gradient: that of mse divided by 2 rmse
    Worked: e = 3 - 5; mean = e^2 / 1; rmse = sqrt(mean)
    Example: pred=3 target=5 -> 2
    """
    if columns == "first":
        return Sums(homogeneous(_root_of_row, pred, target))
    if columns == "each":
        pairs = zip(column_list(pred), column_list(target), strict=True)
        return Sums(*(part for p, y in pairs for part in squares(_errors_by_size(p, y))))
    return Sums(*squares(_errors_by_size(pred, target)))


def _root_of_row(pred: Array, target: Array) -> Array:
    """The root of the mean square of each row, (n,)."""
    return abs(pred - target) if pred.ndim == 1 else euclidean(pred, target) / math.sqrt(columns(pred))


Sizes = tuple[Array, Array, Array]  # numbers as they are, tiny ones times SCALE, huge ones divided by it; 0 elsewhere


def squares(sizes: Sizes) -> Sizes:
    """Squares of errors `by_size`; the mean over the columns, (n,) each."""
    plain, tiny, huge = (row_mean(part * part) for part in sizes)
    return plain, tiny, huge


def _errors_by_size(pred: Array, target: Array) -> Sizes:
    plain, tiny, _ = by_size(error := pred - target)
    return plain, tiny, where(abs(error) > HUGE, pred / SCALE - target / SCALE, 0.0)  # the error may be no number


def by_size(x: Array) -> Sizes:
    """Numbers in parts whose squares are within float64."""
    size = abs(x)
    is_tiny, is_huge = size < TINY, size > HUGE
    return (
        where(is_tiny | is_huge, 0.0, x), where(is_tiny, x * SCALE, 0.0), where(is_huge, x / SCALE, 0.0),
    )  # fmt: skip


@loss
def huber(pred: Array, target: Array, *, delta: Positive = 1.0) -> Array:
    """Squared near zero, linear beyond delta, so outliers pull less.

    Formula: e^2/2 if |e| <= delta, else delta (|e| - delta/2);  e = pred - target
    Paper: Huber, Robust Estimation of a Location Parameter, 1964
    delta: where the square turns into a line
    Differs: delta is 0.9 unless told in lightgbm (alpha there), and must be told in catboost
    Use: regression with some outliers: smooth near zero, bounded pull far out
    Misleads: delta is in units of the target, so values for different delta cannot be compared
    Gradient: e near zero, then delta or -delta: an outlier pulls no harder than an error of delta
    Curve: --sweep delta=0.5,1,2 --grad
    Worked: e = 3 - 0; huber = 1 * (abs(e) - 1 / 2)
    Example: pred=3 target=0 -> 2.5
    """
    return homogeneous(_huber, pred, target, like(delta, pred), degree=2)


def _huber(pred: Array, target: Array, delta: Array) -> Array:
    error = abs(pred - target)
    near = minimum(error, delta)
    return row_mean(near * (error - near / 2))


@loss
def smooth_l1(pred: Array, target: Array, *, beta: Positive = 1.0) -> Array:
    """Absolute error with a rounded corner: huber divided by its width.

    Formula: e^2/(2 beta) if |e| <= beta, else |e| - beta/2;  e = pred - target
    Paper: Girshick, Fast R-CNN, 2015
    beta: where the square turns into a line; smooth-l1 with beta is huber with delta = beta, divided by beta
    Unit: units of the target
    Use: regression of boxes, where mae is wanted without its corner
    Misleads: with beta other than 1 it is not huber but huber / beta
    Gradient: e / beta near zero, then 1 or -1
    Curve: --sweep beta=0.5,1,2 --grad
    Worked: e = 3 - 0; smooth_l1 = abs(e) - 1 / 2
    Example: pred=3 target=0 -> 2.5
    """
    return homogeneous(_smooth_l1, pred, target, like(beta, pred))


def _smooth_l1(pred: Array, target: Array, beta: Array) -> Array:
    error = abs(pred - target)
    near = minimum(error, beta)
    return row_mean(near / beta * (error - near / 2))


Share = Callable[[Total, Total], Total]  # (squared errors, spread of the targets) -> what is divided by the spread


def _explained_share(*totals: Total) -> Array | float:
    return share_of_spread(totals, lambda errors, spread: spread - errors)


def share_of_spread(totals: Sequence[Total], part: Share) -> Array | float:
    """The mean over the columns of a part of the targets' spread; totals of `_errors_and_targets`."""
    shares = []
    for residual, target, square, weight in _columns_of(totals):
        if hasattr(weight, "shape"):
            shares.append(_share_of_arrays(residual, square, target, weight, part))
        else:
            errors, squares = _in_tiny_units(residual), _in_tiny_units(square)
            spread = squares - target * target * TINY_UNITS / weight
            shares.append(quotient(part(errors, spread), spread))
    return sum(shares[1:], shares[0]) / len(shares)


TINY_UNITS = int(SCALE) ** 2  # squares of tiny parts, in a square as it is


def _in_tiny_units(sums: Sequence[Total]) -> Total:
    """A sum of squares, exact: in the units of the tiny parts, of which the others are whole multiples."""
    return sums[0] * TINY_UNITS + sums[1] + sums[2] * TINY_UNITS * TINY_UNITS


def _errors_and_targets(pred: Array, target: Array) -> Sums:
    """For each column a sum of targets, and sums of squared errors, of squared targets and of what their rounding lost:
    by size, three each."""
    columns = []
    for p, y in zip(column_list(pred), column_list(target), strict=True):
        products = [two_product(part, part) for part in by_size(y)]
        columns += [y, *(part * part for part in _errors_by_size(p, y))]
        columns += [*(square for square, _ in products), *(lost for _, lost in products)]
    return Sums(*columns)


def _columns_of(totals: Sequence[Total]) -> Iterator[tuple[Sequence[Total], Total, list[Total], Total]]:
    """Squared errors by size, targets, squared targets by size and weights, column by column."""
    *sums, weight = totals
    for at in range(0, len(sums), 10):
        target, *parts = sums[at : at + 10]
        yield parts[:3], target, [a + b for a, b in zip(parts[3:6], parts[6:9], strict=True)], weight


def _share_of_arrays(
    residual: Sequence[Array], square: Sequence[Array], target: Array, weight: Array, part: Share
) -> Array:
    """In the units of the largest part that there is; the next smaller one may still count."""

    def share(own: int, smaller: int | None, scaled: Array) -> Array:
        errors, squares = (
            sums[own] + (0.0 if smaller is None else sums[smaller] / SCALE / SCALE) for sums in (residual, square)
        )
        spread = squares - scaled * scaled / weight
        return part(errors, spread) / spread

    is_huge, is_plain = (residual[at] + square[at] > 0 for at in (2, 0))
    tiny = share(1, None, target * SCALE)
    return where(is_huge, share(2, 0, target / SCALE), where(is_plain, share(0, 1, target), tiny))


@loss(finish=_explained_share, stands_alone=False, is_gain=True, reductions=("overall",), aliases=("r-squared",))
def r2(pred: Array, target: Array) -> Sums:
    """The share of the target's variance that the predictions explain: 1 is perfect, 0 is the mean's own score.

    Formula: 1 - sum e^2 / sum (y - mean y)^2;  e = pred - target
    Reading: below 0 the predictions are worse than the mean of the targets; the variance is that of the rows at hand
    Differs: for a constant target scikit-learn and torchmetrics print 0 (1 where all errors are 0), ours is -inf (nan)
    Use: to compare models of one target on one set of rows
    Misleads: depends on how far the targets spread, so values of two data sets cannot be compared; it is no loss
    Gradient: -2 e divided by the spread of the targets
    Worked: mean = (1 + 2 + 6) / 3; spread = (1 - mean)^2 + (2 - mean)^2 + (6 - mean)^2; error = 1^2 + 0^2 + 1^2;
        r2 = 1 - error / spread
    Example: pred=[2,2,5] target=[1,2,6] -> 0.8571428571428571
    """
    return _errors_and_targets(pred, target)


def _scales(p: float) -> list[int]:
    """The exponents of two that errors are divided by, so that their p-th powers and sums of these are in float64.

    Each is for the errors from half way to the one before it to half way to the next.
    """
    width = 2 * int(POWERS / 2 / p)
    beside = 0 if p == 1 else math.ceil((LONGEST - width / 2) / width)
    return [width * at for at in range(-beside, beside + 1) if width * at - width // 2 < 1024]


POWERS, LONGEST = 1700, 1074  # bits that powers may span; bits from 1 to the smallest of float64


def _scaled(x: Array, exponent: int) -> Array:
    """x times a power of two that may lie beyond float64."""
    return x * 2.0 ** (exponent // 2) * 2.0 ** (exponent - exponent // 2)


def _norm(*totals: Total, p: float) -> Array | float:
    """The p-th root of the powers in `_scales`, from the largest that there is: what is far below it is nothing."""
    *sums, _ = totals
    scales = _scales(p)
    lengths = []
    for at, scale in enumerate(scales):
        beside = zip(sums[: at + 1], scales[: at + 1], strict=True)
        powers = total(quotient(part, 1) * 2.0 ** ((lower - scale) * p) for part, lower in beside)
        lengths.append(_scaled(_p_th_root(powers, p), scale))
    length = lengths[0]
    for part, longer in zip(sums[1:], lengths[1:], strict=True):
        length = where(part > 0, longer, length) if hasattr(part, "shape") else longer if part else length
    return length


def _p_th_root(x: Array | float, p: float) -> Array | float:
    """x to the 1/p, with what is lost in 1/p."""
    from fractions import Fraction

    lost = float((1 - Fraction(1 / p) * Fraction(p)) / Fraction(p))
    if hasattr(x, "shape"):
        return where(x > 0, x ** (1.0 / p) * (1.0 + lost * log(where(x > 0, x, 1.0))), 0.0 * x)
    return x ** (1.0 / p) * (1.0 + lost * math.log(x)) if 0 < x < math.inf else x


@loss(finish=_norm, stands_alone=False, reductions=("overall",), aliases=("minkowski-distance", "lp-norm"))
def minkowski(pred: Array, target: Array, *, p: Order = 2.0) -> Sums:
    """The length of the vector of all errors, by the p-norm: 1 adds up their sizes, 2 is Euclidean.

    Formula: (sum |e|^p)^(1/p);  e = pred - target
    Reading: a sum, not a mean: twice the rows are 2^(1/p) times the value
    Differs: torchmetrics has no default for p; catboost's Lq is the mean of |e|^q without the root
    p: 1 to 32; the larger, the more the largest errors make the number
    Unit: units of the target
    Use: distances of two vectors
    Misleads: grows with the number of rows, so values of two data sets cannot be compared
    Gradient: sign(e) (|e| / value)^(p - 1)
    Worked: minkowski = sqrt(3^2 + 4^2)
    Example: pred=[3,0] target=[0,4] -> 5
    """
    error, scales = abs(pred - target), _scales(p)
    if len(scales) == 1:
        return Sums(row_sum(error))
    half = (scales[1] - scales[0]) // 2
    columns = []
    for scale in scales:
        is_above = error > (2.0 ** (scale - half) if scale > scales[0] else 0.0)
        is_here = is_above & (error <= 2.0 ** (scale + half)) if scale < scales[-1] else is_above
        columns.append(row_sum(_scaled(where(is_here, error, 0.0), -scale) ** p))
    return Sums(*columns)


def _normalized(*totals: Total, normalization: str) -> Array | float:
    """The mean over the columns of a root of errors by a size; totals of `_errors_and_targets`."""
    shares = [_normalized_column(*column, normalization) for column in _columns_of(totals)]
    return sum(shares[1:], shares[0]) / len(shares)


def _normalized_column(
    residual: Sequence[Total], target: Total, square: Sequence[Total], weight: Total, normalization: str
) -> Array | float:
    if hasattr(weight, "shape"):
        if normalization == "mean":
            return _root_of_parts(*residual, weight) / abs(target / weight)
        if normalization == "std":
            return _root_of_parts(*residual, 1.0) / _root_of_spread(square, target, weight)
        return _root_of_parts(*residual, weight) / _root_of_parts(*square, 1.0)
    errors = _in_tiny_units(residual)
    if normalization == "mean":
        errors, size = errors * weight, target * target * TINY_UNITS
    else:
        squares = _in_tiny_units(square)
        size = squares - target * target * TINY_UNITS / weight if normalization == "std" else squares * weight
    return root_of_scaled(((errors, 0),), size) if size else quotient(errors, size)


def _root_of_spread(square: Sequence[Array], target: Array, weight: Array) -> Array:
    """The root of sum y^2 - (sum y)^2 / w of arrays, in the units of the largest part of the squares that there is."""
    plain, tiny, huge = square
    by_huge = root(huge + plain / SCALE / SCALE - (target / SCALE) ** 2 / weight) * SCALE
    by_plain = root(plain + tiny / SCALE / SCALE - target * target / weight)
    by_tiny = root(tiny - (target * SCALE) ** 2 / weight) / SCALE
    return where(huge > 0, by_huge, where(plain > 0, by_plain, by_tiny))


@loss(finish=_normalized, stands_alone=False, reductions=("overall",), aliases=("normalized-root-mean-squared-error",))
def nrmse(pred: Array, target: Array, *, normalization: Literal["mean", "std", "l2"] = "mean") -> Sums:
    """rmse as a share of the targets' size.

    Formula: sqrt(mean e^2) / |mean y|, or / their standard deviation (of n), or / sqrt(sum y^2);  e = pred - target
    Reading: of several columns the mean; with std it is sqrt(1 - r2) of one column
    Differs: torchmetrics has these three and the range of the targets, which is no sum; other code takes the mean, the
        range or the standard deviation unless told
    normalization: what it is divided by
    Use: to compare errors of targets on different scales
    Misleads: a mean near 0 makes any error large; values by different sizes cannot be compared
    Gradient: that of rmse divided by the size
    Worked: rmse = sqrt((1^2 + 0^2 + 2^2) / 3); nrmse = rmse / (6 / 3)
    Example: pred=[2,2,5] target=[1,2,3] -> 0.6454972243679028
    """
    return _errors_and_targets(pred, target)
