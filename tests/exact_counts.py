"""Losses of counts of categories from their definitions in mpmath."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np

from lossctl.api import calls


@dataclass(frozen=True)
class CountCase:
    """Categories with weights that are hard in one way, and the exact value, to be asked for at some precision."""

    what: str
    loss: str
    named: dict[str, Any]
    truth: Callable[[], Any]


def count_truth(case: CountCase, bits: int) -> Any:
    with mp.workprec(bits):
        return case.truth()


def count_computed(case: CountCase) -> float:
    return calls.compute(case.loss, **case.named).value


def shares(counts: list[int]) -> list[Any]:
    return [mp.mpf(count) / sum(counts) for count in counts]


def entropy(counts: list[int]) -> Any:
    return -mp.fsum(p * mp.log(p) for p in shares(counts) if p) / mp.log(2)


def gini(counts: list[int]) -> Any:
    return 1 - mp.fsum(p**2 for p in shares(counts))


def gain(impurity: Callable[[list[int]], Any], table: list[list[int]]) -> Any:
    """table: branch by class."""
    n = sum(map(sum, table))
    parent = [sum(column) for column in zip(*table, strict=True)]
    return impurity(parent) - mp.fsum(mp.mpf(sum(branch)) / n * impurity(branch) for branch in table)


def variance_reduction(target: np.ndarray, weights: np.ndarray) -> Any:
    """Of a split in the middle."""
    w, t = ([mp.mpf(float(v)) for v in side] for side in (weights, target))
    means = [mp.fdot(w[i : i + 2], t[i : i + 2]) / mp.fsum(w[i : i + 2]) for i in (0, 2)]
    parts = [mp.fsum(w[:2]) / mp.fsum(w), mp.fsum(w[2:]) / mp.fsum(w)]
    return parts[0] * parts[1] * (means[0] - means[1]) ** 2


def count_cases() -> list[CountCase]:
    cases = []
    for counts in ([1, 1], [1, 10**9], [3, 5], [2**52, 1], [2**53 - 1, 2**53 - 1], [7, 10**15]):
        named = {"label": [0, 1], "weight": np.asarray(counts, float)}
        for loss, impurity in (("entropy", entropy), ("gini", gini)):
            cases.append(CountCase(f"counts {counts}", loss, named, lambda f=impurity, c=counts: f(c)))
    for size in (0, 1, 10**3, 10**6, 10**9, 10**12):
        table = [[size + 3, size + 1], [size + 2, size + 2]]
        named = {"label": [0, 1, 0, 1], "split": [0, 0, 1, 1], "weight": np.ravel(table).astype(float)}
        for loss, impurity in (("information-gain", entropy), ("gini-gain", gini)):
            what = f"a nearly useless split of {size}"
            cases.append(CountCase(what, loss, named, lambda f=impurity, t=table: gain(f, t)))
    weights = np.array([0.1, 0.2, 0.3, 0.7])
    for offset in (0.0, 1e6, 1e12):
        target = np.array([1.0, 2.0, 4.0, 8.5]) + offset
        named = {"target": target, "split": [0, 0, 1, 1], "weight": weights}
        truth = lambda t=target: variance_reduction(t, weights)  # noqa: E731
        cases.append(CountCase(f"offset {offset:g}", "variance-reduction", named, truth))
    return cases
