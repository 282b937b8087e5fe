"""What share of a loss a model explains: one minus its loss as a share of that of the best constant."""

from __future__ import annotations

from typing import Any

from ..language.domains import Fraction
from ..language.engines import WHOLE
from ..language.numerics import Array, namespace, where
from ..language.registry import loss
from .likelihood import Power, tweedie_deviance
from .quantile import pinball


@loss(engine=WHOLE, is_gain=True, stands_alone=False, aliases=("d2-absolute-error", "d2-absolute-error-score"))
def d2_pinball(pred: Array, target: Array, *, alpha: Fraction = 0.5) -> Array:
    """The share of the pinball loss that predictions explain: 1 is perfect, 0 is the quantile's own score.

    Formula: 1 - sum pinball(y, p) / sum pinball(y, q), q the alpha quantile of the targets; columns are averaged
    Paper: Koenker, Machado, Goodness of Fit and Related Inference Processes for Quantile Regression, 1999
    Reading: alpha 0.5 is the share of the absolute error beyond that of the median; q is the best constant
    Differs: a constant target has no value here; scikit-learn prints 0, or 1 where all errors are 0
    alpha: the quantile that is predicted
    Use: to compare models of one quantile on one set of rows
    Misleads: depends on how far the targets spread, so values of two data sets cannot be compared
    Gradient: that of pinball divided by the loss of the constant, times -N
    Worked: own = 1 + 0 + 1; constant = 1 + 0 + 4; d2_pinball = 1 - own / constant
    Example: pred=[2,2,5] target=[1,2,6] -> 0.6
    """
    xp, n = namespace(pred), pred.shape[0]
    order = xp.sort(target, axis=0)
    best = order[min(n - 1, max(0, -int(-alpha * n // 1) - 1)), ...]
    return _explained(pinball, pred, target, 0.0 * target + best, alpha=alpha)


@loss(engine=WHOLE, is_gain=True, stands_alone=False, aliases=("d2-tweedie-score",))
def d2_tweedie(rate: Array, count: Array, *, power: Power = 1.5) -> Array:
    """The share of the Tweedie deviance that predictions explain: 1 is perfect, 0 is the mean's own score.

    Formula: 1 - sum deviance(y, p) / sum deviance(y, mean y); columns are averaged
    Paper: Cameron, Windmeijer, R-Squared Measures for Count Data Regression Models, 1996
    Reading: power 1 is the share of the Poisson deviance, 2 of that of gamma
    Differs: scikit-learn has power 0 unless told, which is r2; a constant target has no value here and fails there
    power: k, the power of the mean that the variance grows with
    Use: to compare models of counts or amounts on one set of rows
    Misleads: depends on how far the targets spread, so values of two data sets cannot be compared
    Gradient: that of the deviance divided by that of the mean, times -N
    Worked: own = 2 * (log(2 / 3) + 3 / 2 - 1); constant = 2 * (log(2 / 3) + 3 / 2 - 1 + log(2 / 1) + 1 / 2 - 1);
        d2_tweedie = 1 - own / constant
    Example: pred=[2,1] target=[3,1] power=2 -> 0.6713910912621055
    """
    first = count[:1, ...]  # from which equal targets have their own mean
    best = first + namespace(rate).mean(count - first, axis=0)
    return _explained(tweedie_deviance, rate, count, 0.0 * count + best, power=power)


def _explained(cost: Any, pred: Array, target: Array, constant: Array, **options: float) -> Array:
    """The mean over the columns of the share of a loss that is explained; nan where the constant costs nothing."""
    xp, n = namespace(pred), pred.shape[0]
    wide = [xp.reshape(x, (n, -1)) for x in (pred, target, constant)]
    shares = []
    for column in range(wide[0].shape[1]):
        p, y, best = (x[:, column] for x in wide)
        own, other = xp.sum(cost(p, y, **options)), xp.sum(cost(best, y, **options))
        shares.append(where(other > 0, (other - own) / where(other > 0, other, 1.0), float("nan")))
    return sum(shares[1:], shares[0]) / float(len(shares))
