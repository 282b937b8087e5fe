"""Losses of labelled embedding sets from 50 digits and more, anchor by anchor, straight from their definitions: loops
over mpmath numbers, distances and cosines of the float64 rows exactly as they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np

from lossctl.api import calls
from lossctl.language import registry
from lossctl.language.registry import walk

SET_LOSSES = tuple(loss for loss in walk() if loss.engine == "panel")
COSINE_LOSSES = tuple(loss.name for loss in SET_LOSSES if loss.cosine)


@dataclass(frozen=True)
class SetCase:
    """A labelled set that is hard in one way, and how its points are compared."""

    what: str
    spec: str
    emb: np.ndarray
    label: np.ndarray
    metric: str = "euclidean"
    normalize: bool = False

    @property
    def loss(self) -> str:
        return self.spec.partition(":")[0]

    @property
    def space(self) -> dict[str, Any]:
        return {} if self.loss in COSINE_LOSSES else {"distance": self.metric, "normalize": self.normalize}


@dataclass(frozen=True)
class Anchor:
    """One anchor among all points: distances and cosines to every point, who is of its class, and which it is."""

    row: int
    d: list[Any]
    s: list[Any]
    label: list[Any]

    @property
    def positives(self) -> list[int]:
        return [j for j, y in enumerate(self.label) if y == self.label[self.row] and j != self.row]

    @property
    def negatives(self) -> list[int]:
        return [j for j, y in enumerate(self.label) if y != self.label[self.row]]


def relu(x: Any) -> Any:
    return max(x, mp.mpf(0))


def softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x))


def batch_all(a: Anchor, margin: float) -> Any:
    return mp.fsum(relu(a.d[p] - a.d[n] + margin) for p in a.positives for n in a.negatives)


def batch_hard(a: Anchor, margin: float, soft: bool) -> Any:
    gap = max(a.d[p] for p in a.positives) - min(a.d[n] for n in a.negatives)
    return softplus(gap) if soft else relu(gap + margin)


def semi_hard(a: Anchor, margin: float, fallback: str) -> Any:
    def negative(p: int) -> Any:
        beyond = [a.d[n] for n in a.negatives if a.d[n] > a.d[p]]
        if beyond or fallback == "drop":
            return min(beyond, default=mp.inf)
        return (max if fallback == "easiest" else min)(a.d[n] for n in a.negatives)

    return mp.fsum(relu(a.d[p] - negative(p) + margin) for p in a.positives)


def random_semi_hard(a: Anchor, margin: float, seed: int) -> Any:
    """Of sets where no band holds two negatives of different distance: whichever is drawn, the loss is this."""
    total = mp.mpf(0)
    for p in a.positives:
        band = {a.d[n] for n in a.negatives if a.d[p] < a.d[n] < a.d[p] + margin}
        assert len(band) <= 1
        total += mp.fsum(a.d[p] - d_an + margin for d_an in band)
    return total


def contrastive_pairs(a: Anchor, margin: float) -> Any:
    pull = mp.fsum(a.d[p] ** 2 for p in a.positives)
    return (pull + mp.fsum(relu(margin - a.d[n]) ** 2 for n in a.negatives)) / 2


def multi_similarity(a: Anchor, alpha: float, beta: float, base: float) -> Any:
    pull = mp.fsum(mp.exp(-alpha * (a.s[p] - base)) for p in a.positives)
    push = mp.fsum(mp.exp(beta * (a.s[n] - base)) for n in a.negatives)
    return mp.log1p(pull) / alpha + mp.log1p(push) / beta


def circle(a: Anchor, gamma: float, margin: float, unified: bool) -> Any:
    m = mp.mpf(margin)
    push = [(1 if unified else relu(a.s[n] + m)) * (a.s[n] - m) for n in a.negatives]
    pull = [(1 if unified else relu(1 + m - a.s[p])) * (a.s[p] - 1 + m) for p in a.positives]
    return mp.log1p(mp.fsum(mp.exp(gamma * x) for x in push) * mp.fsum(mp.exp(-gamma * x) for x in pull))


def info_nce(a: Anchor, temperature: float) -> Any:
    return nt_xent(a, temperature) / len(a.positives)


def nt_xent(a: Anchor, temperature: float) -> Any:
    others = mp.fsum(mp.exp(a.s[n] / temperature) for n in a.negatives)
    return mp.fsum(mp.log1p(others / mp.exp(a.s[p] / temperature)) for p in a.positives)


def supcon(a: Anchor, temperature: float) -> Any:
    terms = []
    for p in a.positives:
        others = [mp.exp((a.s[j] - a.s[p]) / temperature) for j in range(len(a.s)) if j not in (a.row, p)]
        terms.append(mp.log1p(mp.fsum(others)))
    return mp.fsum(terms) / len(terms)


SET_REFERENCES: dict[str, Callable[..., Any]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        batch_all,
        batch_hard,
        semi_hard,
        random_semi_hard,
        contrastive_pairs,
        multi_similarity,
        circle,
        info_nce,
        nt_xent,
        supcon,
    )  # fmt: skip
}


def anchors(case: SetCase) -> Iterator[Anchor]:
    """Every anchor that the loss has a value for, in the order of the rows."""
    x = [[mp.mpf(float(v)) for v in row] for row in case.emb]
    label = case.label.tolist()
    everyone = registry.find(case.loss).everyone
    angular = case.normalize or case.metric == "cosine"
    norms = [mp.fdot(row, row) for row in x]
    for i, row in enumerate(x):
        dots = [mp.fdot(row, other) for other in x]
        s = [dot / mp.sqrt(norms[i] * norm) if norm else mp.nan for dot, norm in zip(dots, norms, strict=True)]
        squares = (
            [2 * (1 - c) for c in s] if angular else [norms[i] + n - 2 * t for n, t in zip(norms, dots, strict=True)]
        )
        squares = [max(square, mp.mpf(0)) if j != i else mp.mpf(0) for j, square in enumerate(squares)]
        d = [q / 2 if case.metric == "cosine" else mp.sqrt(q) if case.metric == "euclidean" else q for q in squares]
        anchor = Anchor(i, d, s, label)
        if everyone or (anchor.positives and anchor.negatives):
            yield anchor


def set_truths(case: SetCase, bits: int) -> list[Any]:
    """The exact value of each anchor, as mpmath numbers."""
    spec = registry.parse(case.spec)
    with mp.workprec(bits):
        return [SET_REFERENCES[case.loss](anchor, **spec.options) for anchor in anchors(case)]


def set_computed(case: SetCase) -> list[float]:
    """The value of each anchor as lossctl has it."""
    values: list[float] = calls.row_losses(case.spec, case.emb, case.label, **case.space).tolist()
    return values
