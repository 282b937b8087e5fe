"""A classifier's prediction, converted at the door so that no digit is lost, and the chance it gave to the truth.

Probabilities and logits both answer the same questions exactly: what chance had the truth, what was left (`miss`), the
logarithms of both, and the logit. A loss is written on these and need not know which form the file had.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from .numerics import Array, exp, log, log1p, log_softmax, pick, sigmoid, softmax_parts, softplus, where


class Chance(Protocol):
    """What a prediction gave to the truth, in the views that losses are written on; each row has its own."""

    @property
    def p(self) -> Array:
        """The probability of the truth, p_t."""

    @property
    def miss(self) -> Array:
        """1 - p_t, exact where it is small."""

    @property
    def log_p(self) -> Array:
        """log p_t, exact where p_t is near 1."""

    @property
    def logit(self) -> Array:
        """log p_t - log(1 - p_t), x_t."""


@dataclass(frozen=True)
class FromProbability:
    """A chance known as a probability and what is left of it."""

    p: Array
    miss: Array

    @property
    def log_p(self) -> Array:
        return _exact_log(self.p, self.miss)

    @property
    def logit(self) -> Array:
        return _exact_log(self.p, self.miss) - _exact_log(self.miss, self.p)


def _exact_log(p: Array, rest: Array) -> Array:
    """log p for p + rest = 1, from whichever of the two is smaller and so holds the digits."""
    small = p < 0.5
    return where(small, log(p), log1p(-where(small, 0.0, rest)))


@dataclass(frozen=True)
class FromLogit:
    """A chance known as the logit of the truth, x_t."""

    logit: Array

    @property
    def p(self) -> Array:
        return sigmoid(self.logit)

    @property
    def miss(self) -> Array:
        return sigmoid(-self.logit)

    @property
    def log_p(self) -> Array:
        return -softplus(-self.logit)


@dataclass(frozen=True)
class FromSoftmax:
    """A chance known as one class of a softmax: its log, its share, and the shares of the others, not normalised."""

    log_p: Array
    mine: Array
    others: Array

    @property
    def p(self) -> Array:
        return self.mine / (self.mine + self.others)

    @property
    def miss(self) -> Array:
        return self.others / (self.mine + self.others)

    @property
    def logit(self) -> Array:
        return log(self.mine) - log(self.others)


@dataclass(frozen=True)
class Binary:
    """Predictions of yes or no: (n,), or (n, L) for L labels that hold independently of each other.

    values: the probability of yes, or its logit
    logits: which of the two
    """

    values: Array
    logits: bool

    def given(self, label: Array) -> Chance:
        """The chance of `label`, 0 or 1, of the same shape."""
        yes = label == 1
        if self.logits:
            return FromLogit(where(yes, self.values, -self.values))
        rest = 1.0 - self.values
        return FromProbability(where(yes, self.values, rest), where(yes, rest, self.values))


@dataclass(frozen=True)
class Categorical:
    """Predictions of one class of C: (n, C).

    values: the probabilities of the classes, or their logits
    logits: which of the two
    """

    values: Array
    logits: bool

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return int(self.values.shape[1])

    @cached_property
    def log(self) -> Array:
        """The log of the probability of every class, (n, C)."""
        return log_softmax(self.values) if self.logits else log(self.values)

    def given(self, label: Array) -> Chance:
        """The chance of `label`, a class index 0..C-1, of shape (n,)."""
        if not self.logits:
            p = pick(self.values, label)
            return FromProbability(p, 1.0 - p)
        _, share, rest = softmax_parts(self.values)
        mine = pick(share, label)
        others = where(mine == 1, rest, (1.0 - mine) + rest)  # 1 + rest - mine, without cancelling
        return FromSoftmax(pick(self.log, label), mine, others)


@dataclass(frozen=True)
class Distribution:
    """Rows of a probability distribution over C outcomes, (n, C), in one of three forms.

    form: "prob", "log-prob" or "logits"
    """

    values: Array
    form: str

    @cached_property
    def log(self) -> Array:
        """log p, (n, C)."""
        if self.form == "prob":
            return log(self.values)
        return log_softmax(self.values) if self.form == "logits" else self.values

    @cached_property
    def p(self) -> Array:
        """p, (n, C)."""
        return self.values if self.form == "prob" else exp(self.log)
