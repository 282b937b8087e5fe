"""A classifier's prediction, converted at the door so that no digit is lost, and the chance it gave to the truth.

Probabilities and logits both answer the same questions exactly: what chance had the truth, what was left (`miss`), the
logarithms of both, and the logit. A loss is written on these and need not know which form the file had.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from . import entropy
from .entropy import log_softmax, softmax_parts, softmax_parts_at
from .numerics import Array, exp, log, log1p, maximum, pick, row_sum, sigmoid, softplus, where
from .rounding import compensated_row_sum


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


NO_FLOOR = -float("inf")
SMALLEST = 2.2250738585072014e-308  # of the normal float64 numbers


class FromProbability(NamedTuple):
    """A chance known as a probability and what is left of it. floor: no log of it is below."""

    p: Array
    miss: Array
    floor: float = NO_FLOOR

    @property
    def log_p(self) -> Array:
        return _floored(_exact_log(self.p, self.miss), self.floor)

    @property
    def logit(self) -> Array:
        return _exact_log(self.p, self.miss) - _exact_log(self.miss, self.p)


def _exact_log(p: Array, rest: Array) -> Array:
    """log p for p + rest = 1, where whichever of the two is smaller holds the digits.

    log p misses the rounding of p near 1; what was lost, 1 - p - rest, is known exactly and comes back as its quotient.
    """
    return log(p) + ((1.0 - p) - rest) / maximum(p, SMALLEST)


def _floored(logs: Array, floor: float) -> Array:
    return logs if floor == NO_FLOOR else maximum(logs, floor)


class FromLogit(NamedTuple):
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


class FromSoftmax(NamedTuple):
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


class Binary(NamedTuple):
    """Predictions of yes or no: (n,), or (n, L) for L labels that hold independently of each other.

    values: the probability of yes, or its logit
    logits: which of the two;  floor: no log of a probability is below
    """

    values: Array
    logits: bool
    floor: float = NO_FLOOR

    @property
    def p(self) -> Array:
        """The probability of yes."""
        return sigmoid(self.values) if self.logits else self.values

    def of(self, label: Array) -> Chance:
        """The chance of `label`, 0 or 1, of the same shape."""
        if self.logits:
            return FromLogit(self.values * (2.0 * label - 1.0))
        no = 1.0 - label
        turned = (label - no) * self.values  # p for label 1, -p for label 0
        return FromProbability(no + turned, label - turned, self.floor)


@dataclass(frozen=True, eq=False)
class Categorical:
    """Predictions of one class of C: (n, C).

    values: the probabilities of the classes, or their logits
    logits: which of the two;  floor: no log of a probability is below
    top: where each row of logits has its largest, (n,), if that is known
    """

    values: Array
    logits: bool
    floor: float = NO_FLOOR
    top: Array | None = None

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return int(self.values.shape[1])

    @cached_property
    def _parts(self) -> tuple[Array, Array, Array]:
        return softmax_parts(self.values)

    @cached_property
    def log(self) -> Array:
        """The log of the probability of every class, (n, C)."""
        return log_softmax(self.values) if self.logits else _floored(log(self.values), self.floor)

    @cached_property
    def p(self) -> Array:
        """The probability of every class, (n, C)."""
        if not self.logits:
            return self.values
        _, share, rest = self._parts
        return share / (1.0 + rest)[:, None]

    @cached_property
    def misses(self) -> Array:
        """1 - p of every class, (n, C), without cancelling."""
        if not self.logits:
            return 1.0 - self.values
        _, share, rest = self._parts
        rest = rest[:, None]
        return where(share == 1, rest, (1.0 - share) + rest) / (1.0 + rest)

    def of(self, label: Array) -> Chance:
        """The chance of `label`, a class index 0..C-1, of shape (n,)."""
        if not self.logits:
            p = pick(self.values, label)
            return FromProbability(p, 1.0 - p, self.floor)
        gap, mine, rest = softmax_parts_at(self.values, label, self.top)
        others = where(mine == 1, rest, (1.0 - mine) + rest)  # 1 + rest - mine, without cancelling
        return FromSoftmax(-(gap + log1p(rest)), mine, others)


@dataclass(frozen=True, eq=False)
class Distribution:
    """Rows of a probability distribution over C outcomes, (n, C), in one of three forms.

    form: "prob", "log-prob" or "logits";  floor: no log of a probability is below
    """

    values: Array
    form: str
    floor: float = NO_FLOOR

    @cached_property
    def log(self) -> Array:
        """log p, (n, C)."""
        if self.form == "logits":
            gap, _, rest = self._parts
            return -(gap + log1p(rest)[:, None])
        return _floored(log(self.values), self.floor) if self.form == "prob" else self.values

    @cached_property
    def p(self) -> Array:
        """p, (n, C)."""
        if self.form == "logits":
            _, share, rest = self._parts
            return share / (1.0 + rest)[:, None]
        return self.values if self.form == "prob" else exp(self.values)

    @cached_property
    def _parts(self) -> tuple[Array, Array, Array]:
        return softmax_parts(self.values)

    @property
    def excess(self) -> Array:
        """The sum of p minus 1, (n,): what a file rounds off, and 0 for logits."""
        return self.values[:, 0] * 0.0 if self.form == "logits" else compensated_row_sum(self.p, -1.0)


@dataclass(frozen=True, eq=False)
class DistributionPair:
    """Two distributions beside each other: what cancels where they are nearly equal, from whatever knows it best."""

    p: Distribution
    q: Distribution

    @cached_property
    def log_ratio(self) -> Array:
        """log(p / q), (n, C)."""
        p, q = self.p, self.q
        if p.form == q.form == "prob":
            return entropy.log_quotient(p.p, q.p)
        if p.form == q.form == "logits":
            return entropy.log_quotient_of_softmaxes(p.values, q.values, p.log, q.log)
        return where(p.log > -float("inf"), p.log - q.log, -float("inf"))

    @cached_property
    def difference(self) -> Array:
        """p - q, (n, C)."""
        if self.p.form == self.q.form != "prob":
            return entropy.difference_of_masses(self.p.p, self.q.p, self.log_ratio)
        return self.p.p - self.q.p

    @property
    def relative_entropy(self) -> Array:
        """The sum over the columns of p log(p / q), (n,)."""
        alike = self.p.form == self.q.form != "logits"
        surplus = self.difference if alike else 0.0 * self.difference
        parts = entropy.relative_entropy_parts(self.p.p, self.q.p, self.difference, surplus, self.log_ratio)
        known = row_sum(parts[0]) + compensated_row_sum(parts[1])
        return known if alike else known + (self.p.excess - self.q.excess)
