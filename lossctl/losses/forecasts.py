"""Forecasts of time series: errors in units of what a naive forecast misses in training, and intervals together.

The naive error of a series is a column beside its rows, or comes of its training values: --train SRC --season M.
"""

from __future__ import annotations

from typing import Annotated

from ..language.domains import Domain
from ..language.numerics import Array, Total, column_list, quotient, relu, row_mean, sqrt
from ..language.registry import Sums, loss
from .quantile import Level, interval_score
from .regression import by_size, root_of_mean, squares
from .relative import smape

Levels = Annotated[tuple[float, ...], Domain(float, low=0, high=1, low_open=True, many=True)]


@loss(aliases=("mean-absolute-scaled-error",))
def mase(pred: Array, naive: Array, target: Array) -> Array:
    """The absolute error in units of what the seasonal naive forecast misses in training: below 1 is better than that.

    Formula: |e| / q, q = mean |y_t - y_{t-m}| over the training values of the series;  e = pred - target
    Paper: Hyndman, Koehler, Another Look at Measures of Forecast Accuracy, 2006
    Reading: q is a column (naive_error), or comes of --train SRC --season M, series by series; rows count alike, which
        is the mean of the series where all are of one length, else see the mean of groups: -g SERIES
    Differs: m is the season in M4, utilsforecast, gluonts and sktime (sp), and 1 unless told; sktime and darts take one
        series at a time
    Unit: naive errors
    Use: forecasts of many series in different units
    Misleads: a series that hardly varies in training makes the number; m 1 is easily beaten on seasonal series
    Gradient: 1 or -1 divided by q
    Worked: e = 3 - 5; mase = abs(e) / 4
    Example: pred=3 naive=4 target=5 -> 0.5
    """
    return row_mean(abs(pred - target)) / naive


@loss(finish=root_of_mean, stands_alone=False, reductions=("overall",), aliases=("root-mean-squared-scaled-error",))
def rmsse(pred: Array, naive_square: Array, target: Array) -> Sums:
    """The root of the mean squared error in units of that of the seasonal naive forecast in training.

    Formula: sqrt(mean(e^2 / q)), q = mean (y_t - y_{t-m})^2 over the training values of the series;  e = pred - target
    Paper: Hyndman, Koehler, Another Look at Measures of Forecast Accuracy, 2006; M5, 2020 (m 1)
    Reading: q is a column (naive_square), or comes of --train SRC --season M; the root is taken once over all rows:
        that of each series, and their mean, is -g SERIES
    Differs: M5 weighs series by their sales, and lets training begin at the first that is not 0
    Unit: naive errors
    Use: forecasts of many series in different units, where large errors should count more
    Misleads: a few series that hardly vary in training make the number
    Gradient: e / (n q rmsse)
    Worked: e = 3 - 5; mean = e^2 / 16; rmsse = sqrt(mean)
    Example: pred=[3] naive_square=[16] target=[5] -> 0.5
    """
    error = pred - target
    scale = sqrt(naive_square)
    return Sums(*squares(by_size(error / (scale if error.ndim == 1 else scale[:, None]))))


@loss(aliases=("mean-scaled-interval-score",))
def msis(lower: Array, upper: Array, naive: Array, target: Array, *, alpha: Level = 0.05) -> Array:
    """The width of a predicted interval and what is beyond it times 2 / alpha, in units of the naive error.

    Formula: [(u - l) + 2/alpha [l - y]+ + 2/alpha [y - u]+] / q, q as in mase
    Paper: Gneiting, Raftery, 2007; Makridakis, Spiliotis, Assimakopoulos, The M4 Competition, 2020
    Reading: interval-score divided by the naive error; q is a column, or comes of --train SRC --season M
    Differs: alpha is 0.05 in M4 and gluonts
    alpha: the share of values that the interval may miss: 0.05 for one of 95 %
    Unit: naive errors
    Use: intervals of many series in different units
    Misleads: a series that hardly varies in training makes the number
    Gradient: that of interval-score divided by q
    Worked: width = 3 - 1; msis = (width + 2 / 0.05 * (4 - 3)) / 6
    Example: lower=1 upper=3 naive=6 target=4 -> 7
    """
    return interval_score(lower, upper, target, alpha=alpha) / naive


def _relative_to_benchmark(*totals: Total) -> Array | float:
    own, other, scaled, scaled_other, _ = totals
    return (quotient(own, other) + quotient(scaled, scaled_other)) / 2


@loss(finish=_relative_to_benchmark, stands_alone=False, reductions=("overall",), aliases=("overall-weighted-average",))
def owa(pred: Array, benchmark: Array, naive: Array, target: Array) -> Sums:
    """smape and mase, each as a share of that of a benchmark's forecasts, averaged: below 1 is better than those.

    Formula: [mean smape(pred) / mean smape(b) + mean mase(pred) / mean mase(b)] / 2, b the benchmark
    Paper: Makridakis, Spiliotis, Assimakopoulos, The M4 Competition, 2020
    Reading: the benchmark of M4 is Naive2: the naive forecast of values without their season
    Differs: rows count alike, where M4 takes means of series first: the same where all are of one length
    Use: to compare with M4's table
    Misleads: two numbers in one: report them apart
    Gradient: half of that of smape and of mase, each divided by what the benchmark has
    Worked: first = 0.5 / (2 / 3); second = 0.5 / 1.25; owa = (first + second) / 2
    Example: pred=[3] benchmark=[10] naive=[4] target=[5] -> 0.575
    """
    scaled = (row_mean(abs(x - target)) / naive for x in (pred, benchmark))
    return Sums(smape(pred, target), smape(benchmark, target), *scaled)


@loss(aliases=("weighted-interval-score",))
def wis(quantiles: Array, outcome: Array, *, levels: Levels = (0.1, 0.5, 0.9)) -> Array:
    """Several predicted quantiles together: the weighted score of the intervals between them, and of the median.

    Formula: mean over levels a of 2 [a (y - q_a)]+ + 2 [(1 - a) (q_a - y)]+, which is [|y - median| / 2 + sum over
        intervals of a/2 times their interval score] / (K + 1/2)
    Paper: Bracher, Ray, Gneiting, Reich, Evaluating Epidemic Forecasts in an Interval Format, 2021
    Reading: mae for the median alone; twice the mean pinball loss
    Differs: utilsforecast's mqloss, gluonts' mean quantile loss and others have no 2
    levels: of the columns, in their order
    Unit: units of the target
    Use: forecasts by quantiles, as those of epidemics, energy and sales
    Misleads: other levels, another number; quantiles that cross are not told
    Gradient: by each quantile -2 a / Q where it is too low, 2 (1 - a) / Q where it is too high
    Worked: wis = 2 * (0.1 * 2 + 0.5 * 1 + 0.1 * 1) / 3
    Example: quantiles=[1,2,4] outcome=3 -> 0.5333333333333333
    """
    terms = [
        level * relu(outcome - q) + (1.0 - level) * relu(q - outcome)
        for level, q in zip(levels, column_list(quantiles), strict=True)
    ]
    return 2.0 * sum(terms[1:], terms[0]) / float(len(terms))
