"""Several seeds (or folds) of each system: what varies is the seed, and the rows too where they are named.

The contributions of single rows to a value add up to those of seeds, and to those of clusters that come under every
seed. Each sum gives a variance; what seeds and clusters have in common, single rows, is in both and is taken off once.
Sources: Satterthwaite, 1946 (degrees of freedom); Cameron, Gelbach, Miller, Robust inference with multiway clustering,
2011.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from . import student

ROUNDING = 1e-12  # of the largest contribution: a standard error below it is rounding


class Components(NamedTuple):
    """How a value varies: its standard error and the degrees of freedom of that."""

    standard_error: float
    freedom: float


def components(units: tuple[np.ndarray, ...], of_rows: float, rows: int) -> Components:
    """units: contributions of each seed, (S,), and of each cluster, (C,), if any

    of_rows: the sum of the squared contributions of single rows;  rows: how many they are
    """
    sizes = [len(parts) for parts in units]
    if min(sizes) < 2:
        return Components(math.nan, math.nan)
    squares = [float(parts @ parts) * n / (n - 1) for parts, n in zip(units, sizes, strict=True)]
    common = of_rows * rows / (rows - 1) if len(units) > 1 else 0.0
    variance = max(*squares, sum(squares) - common) if len(units) > 1 else squares[0]
    bound = sum(square * square / (n - 1) for square, n in zip(squares, sizes, strict=True))
    freedom = variance * variance / bound if bound else math.inf
    return Components(math.sqrt(variance), max(min(sizes) - 1.0, min(freedom, sum(sizes) - len(sizes))))


def interval(value: float, own: Components, level: float) -> tuple[float, float, float]:
    """(low, high, p): Student's t; nan where nothing varies, so that nothing tells how much it might."""
    if not own.standard_error > ROUNDING * abs(value):
        nothing = value == 0 and own.standard_error == 0
        return (value, value, 1.0) if nothing else (math.nan, math.nan, math.nan)
    reach = own.standard_error * student.quantile(level, own.freedom)
    return value - reach, value + reach, student.two_sided(value / own.standard_error, own.freedom)


def p_beyond(value: float, own: Components) -> float:
    """One-sided, that the value is not below 0."""
    varies = own.standard_error > ROUNDING * abs(value)
    return student.below(value / own.standard_error, own.freedom) if varies else math.nan
