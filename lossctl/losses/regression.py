"""Regression: how far a predicted value is from the true one. One value a row; several columns are averaged."""

from math import sqrt

from ..numerics import Array, columns, compensated_row_sum, minimum, row_mean, row_sum, two_sum
from ..registry import Positive, loss


@loss(aliases=("bias", "me"))
def mean_error(pred: Array, target: Array) -> Array:
    """The signed error, target minus prediction: a diagnostic for bias, not a loss (large errors can cancel).

    Formula: target - pred
    Reading: positive where the model predicts too low, negative where it predicts too high
    Example: pred=3 target=5 -> 2
    """
    error, lost = two_sum(target, -pred)
    return (compensated_row_sum(error) + row_sum(lost)) / columns(pred)


@loss(aliases=("l2", "mean-squared-error"))
def mse(pred: Array, target: Array) -> Array:
    """The squared error: large errors dominate.

    Formula: e^2;  e = pred - target
    Reading: in squared units of the target; the best constant prediction is the mean
    Differs: some libraries print half of it (optax l2_loss, MXNet L2Loss)
    Example: pred=3 target=5 -> 4
    """
    error = pred - target
    return row_mean(error * error)


@loss(aliases=("l1", "mean-absolute-error"))
def mae(pred: Array, target: Array) -> Array:
    """The absolute error: every unit of error counts alike.

    Formula: |e|;  e = pred - target
    Reading: in units of the target; the best constant prediction is the median
    Example: pred=3 target=5 -> 2
    """
    return row_mean(abs(pred - target))


@loss(finish=sqrt, aliases=("root-mean-squared-error",))
def rmse(pred: Array, target: Array) -> Array:
    """The root of the mean squared error: mse in units of the target.

    Formula: sqrt(mean(e^2));  e = pred - target
    Reading: the root is taken once, after the mean over all rows and columns
    Differs: some libraries take the root of each column, then the mean
    Example: pred=3 target=5 -> 2
    """
    return mse(pred, target)


@loss
def huber(pred: Array, target: Array, *, delta: Positive = 1.0) -> Array:
    """Squared near zero, linear beyond delta, so outliers pull less.

    Formula: e^2/2 if |e| <= delta, else delta (|e| - delta/2);  e = pred - target
    Paper: Huber, Robust Estimation of a Location Parameter, 1964
    delta: where the square turns into a line
    Example: pred=3 target=0 -> 2.5
    """
    error = abs(pred - target)
    near = minimum(error, delta)
    return row_mean(near * (error - near / 2))


@loss
def smooth_l1(pred: Array, target: Array, *, beta: Positive = 1.0) -> Array:
    """Absolute error with a rounded corner: huber divided by its width.

    Formula: e^2/(2 beta) if |e| <= beta, else |e| - beta/2;  e = pred - target
    Paper: Girshick, Fast R-CNN, 2015
    beta: where the square turns into a line; smooth-l1 with beta is huber with delta = beta, divided by beta
    Example: pred=3 target=0 -> 2.5
    """
    error = abs(pred - target)
    near = minimum(error, beta)
    return row_mean(near / beta * (error - near / 2))
