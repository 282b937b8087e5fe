"""Impurity of a decision tree's node, and what a split gains: seen as counts, never row by row.

A tally loss receives its inputs counted, exactly (rows count by their weight): `category` as the counts of the
classes, or, beside a split, as one such list for each branch; `target` as its sum over each branch; `split` as the
number of rows in each branch. Counts are whole numbers of a unit, whatever it is; beside a target they are fractions.
For resamples each count is an array instead, with one count a resample, and may be 0.
Classes that have the same counts may be given once, with their number (`Classes`): all here are sums over classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias

from ..language.domains import Base
from ..language.engines import COUNTS
from ..language.entropy import entropy_term, log_ratio, relative_entropy_parts, share
from ..language.numerics import Classes, total, vectors
from ..language.registry import loss

if TYPE_CHECKING:
    from fractions import Fraction

Count: TypeAlias = "int | Fraction"
Counts: TypeAlias = "list[Count]"


def _sum(numbers: Iterable[Any]) -> Any:
    return reduce(add, numbers)


def _over(category: Counts, term: Callable[[Any], Any]) -> Iterator[Any]:
    """A term of each class's count, that of classes with the same counts times their number."""
    if not isinstance(category, Classes):
        return map(term, category)
    return (times * term(count) for count, times in zip(category, category.times, strict=True))


def _size(category: Counts) -> Any:
    return _sum(_over(category, lambda count: count))


def _parent(category: list[Counts]) -> Counts:
    """The classes of all branches together."""
    counts = [_sum(column) for column in zip(*category, strict=True)]
    return Classes(counts, category[0].times) if isinstance(category[0], Classes) else counts


def _shares(count: Any, size: Any, every: Any, n: Any) -> tuple[Any, Any, Any, Any]:
    """What share of n rows is in a branch and of a class, what would be were these independent; p, q, p - q, log p/q.

    count: rows of both;  size: of the branch;  every: of the class
    """
    if hasattr(n, "shape"):
        p, q = share(count, n), share(size, n) * share(every, n)
        return p, q, p - q, log_ratio(p, q)
    joint, independent, square = count * n, size * every, n * n
    return joint / square, independent / square, (joint - independent) / square, log_ratio(joint, independent)


@loss(engine=COUNTS, aliases=("gini-impurity",))
def gini(category: Counts) -> Fraction:
    """Gini impurity: how often two rows drawn at random differ in class; the criterion of CART.

    Formula: 1 - sum_k p_k^2
    Paper: Breiman, Friedman, Olshen, Stone, Classification and Regression Trees, 1984
    Reading: 0 for one class, 1 - 1/C for C classes alike
    Use: to choose splits of a classification tree, or to see how mixed a node is
    Misleads: a small class hardly shows
    Gradient: none: it counts rows; by a share p of two classes 2 - 4 p
    Worked: p = 2 / 4; gini = 1 - p^2 - (1 - p)^2
    Example: label=[0,0,1,1] -> 0.5
    """
    n = _size(category)
    alike: Fraction = (
        _sum(_over(category, lambda count: share(count, n) ** 2))
        if hasattr(n, "shape")
        else share(_sum(_over(category, lambda count: count * count)), n * n)
    )
    return 1 - alike


@loss(engine=COUNTS)
def entropy(category: Counts, *, base: Base = 2.0) -> float:
    """Entropy of the classes: how many questions it takes to tell the class of a row.

    Formula: -sum_k p_k log p_k
    Paper: Shannon, A Mathematical Theory of Communication, 1948
    base: of the logarithm; 2 gives bits, 2.718281828459045 gives nats
    Use: to see how mixed a node is; more sensitive to a small class than gini
    Misleads: bits or nats by the base; small samples look purer than they are
    Gradient: none: it counts rows; by a share p of two classes log((1 - p) / p)
    Worked: p = 2 / 4; entropy = -p * log2(p) - (1 - p) * log2(1 - p)
    Example: label=[0,0,1,1] -> 1
    """
    n = _size(category)
    entropy: float = total(_over(category, lambda count: entropy_term(count, n))) / math.log(base)
    return entropy


@loss(engine=COUNTS)
def information_gain(category: list[Counts], split: Counts, *, base: Base = 2.0) -> float:
    """How much a split tells about the class: entropy before, minus the entropy left in its branches (ID3, C4.5).

    Formula: H(parent) - sum_s n_s/n H(branch s)
    Paper: Quinlan, Induction of Decision Trees, 1986
    base: of the logarithm; 2 gives bits, 2.718281828459045 gives nats
    Use: to choose splits of a classification tree, where a small class should count
    Misleads: grows with the number of branches: a split by row number gains everything
    Gradient: none: it counts rows
    Worked: before = -log2(2 / 4); after = 0; information_gain = before - after
    Example: label=[0,0,1,1] split=[0,0,1,1] -> 1
    """
    n = _sum(split)
    classes = _parent(category)
    times = [float(count) for branch in category for count in _over(branch, lambda count: 1)]
    # the divergence of the joint shares from independent ones: all terms >= 0, where the entropies would cancel
    cells = (
        _shares(count, size, every, n)
        for branch, size in zip(category, split, strict=True)
        for count, every in zip(branch, classes, strict=True)
    )
    p, q, difference, log_p_q = vectors(cells, 4)
    parts = relative_entropy_parts(p, q, difference, 0.0 * difference, log_p_q)
    gain: float = total(many * term for part in parts for many, term in zip(times, part, strict=True)) / math.log(base)
    return gain


@loss(engine=COUNTS)
def gini_gain(category: list[Counts], split: Counts) -> Fraction:
    """How much a split lowers the Gini impurity: what CART maximises for classes.

    Formula: G(parent) - sum_s n_s/n G(branch s)
    Paper: Breiman, Friedman, Olshen, Stone, Classification and Regression Trees, 1984
    Use: to choose splits of a classification tree
    Misleads: as information gain, it likes splits into many branches
    Gradient: none: it counts rows
    Worked: before = 1 - (2 / 4)^2 - (2 / 4)^2; after = 0; gini_gain = before - after
    Example: label=[0,0,1,1] split=[0,0,1,1] -> 0.5
    """
    n = _sum(split)
    parent = gini(_parent(category))
    left: Fraction = _sum(share(size, n) * gini(branch) for branch, size in zip(category, split, strict=True))
    return parent - left


@loss(engine=COUNTS)
def variance_reduction(target: list[Fraction], split: Counts) -> Fraction:
    """How much a split lowers the variance of the target: what a regression tree maximises.

    Formula: Var(parent) - sum_s n_s/n Var(branch s), with the variance over n (not n - 1)
    Paper: Breiman, Friedman, Olshen, Stone, Classification and Regression Trees, 1984
    Unit: squared units of the target
    Use: to choose splits of a regression tree
    Misleads: outliers choose the splits
    Gradient: none: it counts rows
    Worked: mean = (0 + 0 + 2 + 2) / 4; before = (2 * (0 - mean)^2 + 2 * (2 - mean)^2) / 4; after = 0;
        variance_reduction = before - after
    Example: target=[0,0,2,2] split=[0,0,1,1] -> 1
    """
    # what is left when the variances cancel: the variance between the means of the branches
    n = _sum(split)
    mean = share(_sum(target), n)
    between: Fraction = _sum(
        share(size, n) * (share(subtotal, size) - mean) ** 2 for subtotal, size in zip(target, split, strict=True)
    )
    return between
