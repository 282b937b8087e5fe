"""Robust regression: squared near zero, and slower than the square for errors that are far off."""

import math

from ..language.domains import Positive, Real
from ..language.entropy import log_cosh as log_of_cosh
from ..language.entropy import log_tail
from ..language.numerics import (
    Array,
    exp,
    expm1,
    homogeneous,
    like,
    log,
    log1p,
    maximum,
    minimum,
    row_mean,
    sqrt,
    where,
)
from ..language.registry import loss

FAR = 1e100  # an error in units of its scale beyond which squares would overflow and 1 no longer counts


@loss(aliases=("logcosh",))
def log_cosh(pred: Array, target: Array) -> Array:
    """The log of the hyperbolic cosine of the error: half the square near zero, the absolute error less log 2 far off.

    Formula: log cosh e = |e| + log(1 + exp(-2|e|)) - log 2;  e = pred - target
    Reading: as huber with delta 1, without its seam
    Differs: catboost prints three digits that are right (0.133939 for 0.1339936)
    Use: regression with outliers where a second derivative should exist everywhere
    Misleads: where square turns into line is fixed at about 1 unit of the target: scale the target first
    Gradient: tanh e: e near zero, 1 or -1 far off
    Worked: e = 3 - 1; log_cosh = abs(e) + log(1 + exp(-2 * abs(e))) - log(2)
    Example: pred=3 target=1 -> 1.3250027473578645
    """
    return homogeneous(lambda pred, target: row_mean(log_of_cosh(pred - target)), pred, target)


@loss(aliases=("charbonnier", "mphe"))
def pseudo_huber(pred: Array, target: Array, *, delta: Positive = 1.0) -> Array:
    """A smooth huber: half the square near zero, delta times the absolute error far off.

    Formula: delta^2 [sqrt(1 + (e/delta)^2) - 1];  e = pred - target
    Paper: Charbonnier et al., Deterministic Edge-Preserving Regularization in Computed Imaging, 1997
    Differs: kornia calls it Charbonnier with delta 1; code for super-resolution has sqrt(e^2 + eps^2) with eps 1e-3:
        that
        is (pseudo-huber with delta eps) / eps + eps
    delta: where the square turns into a line
    Use: as huber, where a second derivative should exist everywhere
    Misleads: delta is in units of the target, so values for different delta cannot be compared
    Gradient: e / sqrt(1 + (e/delta)^2): e near zero, delta or -delta far off
    Worked: e = 3 - 0; pseudo_huber = sqrt(1 + e^2) - 1
    Example: pred=3 target=0 -> 2.1622776601683795
    """
    return homogeneous(_pseudo_huber, pred, target, like(delta, pred), degree=2)


def _pseudo_huber(pred: Array, target: Array, delta: Array) -> Array:
    error = abs(pred - target)
    r = minimum(error / delta, like(FAR, error))
    return row_mean(error * (delta * (r / (1.0 + sqrt(1.0 + r * r)))))


@loss(aliases=("lorentzian",))
def cauchy(pred: Array, target: Array, *, c: Positive = 1.0) -> Array:
    """The log of one plus half the squared error: errors far off pull less and less.

    Formula: log(1 + (e/c)^2 / 2);  e = pred - target
    Paper: Black, Anandan, The Robust Estimation of Multiple Motions, 1996
    Differs: some code has c^2 / 2 before the log and no 1/2 within
    c: the scale of an ordinary error
    Use: many gross outliers
    Misleads: not convex: from a poor start it may settle among the outliers
    Gradient: (e/c^2) / (1 + (e/c)^2 / 2): largest at sqrt(2) c, then falling to 0
    Worked: e = 3 - 1; cauchy = log(1 + e^2 / 2)
    Example: pred=3 target=1 -> 1.0986122886681098
    """
    return row_mean(_log_of_square_and_one(pred, target, c, 2.0))


def _log_of_square_and_one(pred: Array, target: Array, c: float, size: float) -> Array:
    """log(1 + (error / c)^2 / size), also where the square overflows, or the error."""
    error = abs(pred - target)
    near = error / c < FAR
    z = where(near, error / c, 0.0)
    half = where(near, 0.5, abs(pred / 2.0 - target / 2.0))
    far = 2.0 * ((log(half) + math.log(2.0)) - math.log(c)) - math.log(size)
    return where(near, log1p(z * z / size), far)


@loss(aliases=("leclerc",))
def welsch(pred: Array, target: Array, *, c: Positive = 1.0) -> Array:
    """One minus a bell: an error far off costs 1, however far.

    Formula: 1 - exp(-(e/c)^2 / 2);  e = pred - target
    Paper: Dennis, Welsch, Techniques for Nonlinear Least Squares and Robust Regression, 1978
    Differs: some code multiplies by c^2 / 2 and has no 1/2 within
    c: the scale of an ordinary error
    Use: outliers that should not count at all
    Misleads: rows far off have no gradient, so nothing brings them back
    Gradient: (e/c^2) exp(-(e/c)^2 / 2): largest at c, then falling to 0
    Worked: e = 3 - 1; welsch = 1 - exp(-e^2 / 2)
    Example: pred=3 target=1 -> 0.8646647167633873
    """
    r = minimum(abs(pred - target) / c, FAR)
    return row_mean(-expm1(-(r * r) / 2))


@loss
def geman_mcclure(pred: Array, target: Array, *, c: Positive = 1.0) -> Array:
    """The square over the square plus a constant: an error far off costs 2, however far.

    Formula: 2 (e/c)^2 / ((e/c)^2 + 4);  e = pred - target
    Paper: Geman, McClure, Bayesian Image Analysis, 1985, as in Barron, A General and Adaptive Robust Loss Function,
        2019
    Differs: without Barron's scale it is e^2 / (1 + e^2)
    c: the scale of an ordinary error
    Use: as welsch, where errors far off should still pull a little
    Misleads: rows far off have next to no gradient, so nothing brings them back
    Gradient: 16 (e/c^2) / ((e/c)^2 + 4)^2
    Worked: e = 3 - 1; geman_mcclure = 2 * e^2 / (e^2 + 4)
    Example: pred=3 target=1 -> 1
    """
    r = minimum(abs(pred - target) / c, FAR)
    return row_mean(2.0 * (r * r) / (r * r + 4.0))


@loss(aliases=("general-robust",))
def barron(pred: Array, target: Array, *, alpha: Real = 1.0, c: Positive = 1.0) -> Array:
    """One family for all: alpha 2 is half the square, 1 pseudo-huber, 0 cauchy, -2 geman-mcclure.

    Formula: |alpha - 2| / alpha [((e/c)^2 / |alpha - 2| + 1)^(alpha/2) - 1], with its limits at 0 and 2;  e = pred -
        target
    Paper: Barron, A General and Adaptive Robust Loss Function, 2019
    alpha: the smaller, the less errors far off count
    c: the scale of an ordinary error
    Use: to choose how much outliers count by one number
    Misleads: values for different alpha cannot be compared
    Gradient: (e/c^2) ((e/c)^2 / |alpha - 2| + 1)^(alpha/2 - 1)
    Worked: e = 3 - 1; barron = sqrt(e^2 + 1) - 1
    Example: pred=3 target=1 -> 1.2360679774997898
    """
    size = abs(alpha - 2.0)
    if alpha == 2:
        return row_mean((abs(pred - target) / c) ** 2 / 2)
    growth = _log_of_square_and_one(pred, target, c, size)
    if alpha == 0:
        return row_mean(growth * size / 2)
    power = alpha / 2 * growth
    half = exp(minimum(power, 1400.0) / 2)  # a power may leave float64 where the loss does not
    return row_mean(where(power > 600.0, size / alpha * half * half, size / alpha * expm1(minimum(power, 600.0))))


@loss
def fair(pred: Array, target: Array, *, c: Positive = 1.0) -> Array:
    """Between square and line, with a slow turn from one into the other.

    Formula: c^2 [|e|/c - log(1 + |e|/c)];  e = pred - target
    Paper: Fair, On the Robust Estimation of Econometric Models, 1974
    Differs: lightgbm has c 1; catboost's smoothness must be given
    c: the scale of an ordinary error
    Use: as huber; three derivatives exist everywhere
    Misleads: far off it stays below the line by c^2 log(|e|/c), so it is no absolute error
    Gradient: e / (1 + |e|/c)
    Worked: e = 3 - 1; fair = abs(e) - log(1 + abs(e))
    Example: pred=3 target=1 -> 0.9013877113318902
    """
    return homogeneous(_fair, pred, target, like(c, pred), degree=2)


def _fair(pred: Array, target: Array, c: Array) -> Array:
    error = abs(pred - target)
    r = minimum(error / c, like(FAR, error))
    near = r < 1e8
    z = where(near, r, 0.0)
    return row_mean(where(near, c * (c * log_tail(1.0 + z, 0.0 * z + 1.0, z)), c * error - c * (c * log1p(r))))


@loss
def wing(pred: Array, target: Array, *, w: Positive = 10.0, eps: Positive = 2.0) -> Array:
    """A logarithm for small errors and a line for large ones: small errors pull hardest.

    Formula: w log(1 + |e|/eps) if |e| < w, else |e| - w + w log(1 + w/eps);  e = pred - target
    Paper: Feng et al., Wing Loss for Robust Facial Landmark Localisation, 2018
    w: where the logarithm turns into a line
    eps: how sharp the tip at zero is
    Use: positions of landmarks, where small errors should still be worth correcting
    Misleads: w and eps are in pixels of the paper's images: scale them to yours
    Gradient: w / (eps + |e|) below w, 1 beyond, with a jump at w unless eps is 0
    Worked: e = 3 - 1; wing = 10 * log(1 + e / 2)
    Example: pred=3 target=1 -> 6.931471805599453
    """
    return homogeneous(_wing, pred, target, like(w, pred), like(eps, pred))


def _wing(pred: Array, target: Array, w: Array, eps: Array) -> Array:
    error = abs(pred - target)
    near = minimum(error, w)
    return row_mean(w * log1p(near / eps) + maximum(error - w, 0.0))
