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

SET_LOSSES = tuple(loss for loss in walk() if loss.engine.has_space)
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
    """One anchor among all points: distances and cosines to every point, its row and all labels, and |a|^2 + |b|^2 of
    the centred points over their squared distance."""

    row: int
    d: list[Any]
    s: list[Any]
    label: list[Any]
    lost: list[Any]

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
    push = [a.s[n] + m if unified else relu(a.s[n] + m) * (a.s[n] - m) for n in a.negatives]
    pull = [a.s[p] if unified else relu(1 + m - a.s[p]) * (a.s[p] - 1 + m) for p in a.positives]
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
    "batch-all": batch_all,
    "batch-hard": batch_hard,
    "semi-hard": semi_hard,
    "random-semi-hard": random_semi_hard,
    "contrastive-pairs": contrastive_pairs,
    "multi-similarity": multi_similarity,
    "circle": circle,
    "info-nce": info_nce,
    "nt-xent": nt_xent,
    "supcon": supcon,
}


def anchors(case: SetCase) -> Iterator[Anchor]:
    """Every anchor that the loss has a value for, in the order of the rows."""
    x = [[mp.mpf(float(v)) for v in row] for row in case.emb]
    everyone = registry.find(case.loss).everyone
    lengths = [mp.sqrt(mp.fdot(row, row)) for row in x]
    units = [[v / length for v in row] if length else row for row, length in zip(x, lengths, strict=True)]
    compared = units if case.normalize or case.metric == "cosine" else x
    centre = [mp.fsum(column) / len(x) for column in zip(*compared, strict=True)]
    norms = [mp.fsum((u - c) ** 2 for u, c in zip(row, centre, strict=True)) for row in compared]
    for i, row in enumerate(compared):
        squares = [mp.fsum((u - v) ** 2 for u, v in zip(row, other, strict=True)) for other in compared]
        d = [q / 2 if case.metric == "cosine" else mp.sqrt(q) if case.metric == "euclidean" else q for q in squares]
        lost = [(norms[i] + norm) / q if q else mp.mpf(1) for norm, q in zip(norms, squares, strict=True)]
        s = [mp.fdot(units[i], unit) for unit in units]
        anchor = Anchor(i, d, s, case.label.tolist(), lost)
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


# --- bounds: what the error of an anchor's loss is relative to


def measured(a: Anchor, j: int, most: float) -> Any:
    """A distance times how much the product of matrices may have lost of it, up to where it is measured again."""
    return a.d[j] * max(1, min(a.lost[j], most))


def over_triplets(a: Anchor, margin: float, most: float) -> Any:
    terms = [
        measured(a, p, most) + measured(a, n, most) + margin
        for p in a.positives
        for n in a.negatives
        if a.d[n] < a.d[p] + margin
    ]
    return mp.fsum(terms)


def of_hardest(a: Anchor, margin: float, soft: bool) -> Any:
    operands = max(a.d[p] for p in a.positives) + min(a.d[n] for n in a.negatives)
    return 1.5 * (min(1, batch_hard(a, margin, soft)) * operands if soft else operands + margin)


def over_pairs(a: Anchor, margin: float) -> Any:
    pull = mp.fsum(a.d[p] * measured(a, p, AGAIN) for p in a.positives)
    return pull + mp.fsum(relu(margin - a.d[n]) * (margin + measured(a, n, AGAIN)) for n in a.negatives)


NEAR, AGAIN = 2.0**10, 2.0**4
SET_BOUNDS: dict[str, Callable[..., Any]] = {
    "batch-all": lambda a, margin: over_triplets(a, margin, NEAR),
    "batch-hard": of_hardest,
    "semi-hard": lambda a, margin, fallback: over_triplets(a, margin, AGAIN),
    "random-semi-hard": lambda a, margin, seed: over_triplets(a, margin, AGAIN),
    "contrastive-pairs": over_pairs,
}
SET_REASONS = {
    "batch-all": "distances cancel with each other and the margin: 4 ulp of the sum of the three over the triplets "
    "above zero; one from the product of matrices may have lost 10 bits before it is measured again by differences",
    "batch-hard": "two distances, each right to 6 ulp, cancel with each other and the margin",
    "semi-hard": "as batch-all, but 4 bits",
    "random-semi-hard": "as semi-hard",
    "contrastive-pairs": "margin - d cancels: 4 ulp of the margin and the distance; 4 bits as for semi-hard",
}


def set_limits(case: SetCase, truths: list[Any], bits: int) -> list[float]:
    """The error of each anchor that is allowed, in ulp of the truth."""
    if case.loss not in SET_BOUNDS:
        return [4.0] * len(truths)
    options = registry.parse(case.spec).options
    with mp.workprec(bits):
        scales = [SET_BOUNDS[case.loss](anchor, **options) for anchor in anchors(case)]
        return [
            4.0 * max(1.0, float(scale / truth) if truth else float(scale / mp.mpf(5e-324)))
            for scale, truth in zip(scales, truths, strict=True)
        ]


# --- hard sets


def hard_sets() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(3)
    yield "one positive an anchor", np.array([[1.0, 0], [1, 0], [-1, 0], [-1, 0]]), np.array([0, 0, 1, 1])
    yield "parallel", np.array([[1.0, 2], [3, 6], [0.7, 1.4], [1, 3], [2, 6]]), np.array([0, 0, 0, 1, 1])
    label = np.arange(9) % 3
    for columns in (2, 24):
        x, centres = rng.normal(0, 1, (9, columns)), rng.normal(0, 1, (3, columns))
        yield f"std 1, {columns} columns", x, label
        for apart in (0.3, 1e-7, 1e-15):
            near = centres[0] + apart * x
            yield f"classes of size {apart:g}, {columns} columns", centres[label] + apart * x, label
            yield f"all {apart:g} apart, {columns} columns", near, label
            yield f"directions {apart:g} apart, {columns} columns", near * 10.0 ** rng.uniform(-3, 3, (9, 1)), label
    yield "1e200 long", 1e200 * x, label
    yield "1e-200 long", 1e-200 * x, label


SPACES = (("euclidean", False), ("sqeuclidean", False), ("cosine", False), ("euclidean", True), ("sqeuclidean", True))
SPECS = {
    "batch-all": ("batch-all", "batch-all:margin=0"),
    "batch-hard": ("batch-hard", "batch-hard:margin=0", "batch-hard:soft=true"),
    "semi-hard": ("semi-hard", "semi-hard:fallback=hardest", "semi-hard:fallback=drop"),
    "contrastive-pairs": ("contrastive-pairs", "contrastive-pairs:margin=1e-300"),
    "multi-similarity": ("multi-similarity", "multi-similarity:base=0.3"),
    "circle": ("circle", "circle:unified=true", "circle:gamma=80,margin=0.4"),
    "info-nce": ("info-nce", "info-nce:temperature=0.05"),
    "nt-xent": ("nt-xent", "nt-xent:temperature=0.01"),
    "supcon": ("supcon", "supcon:temperature=0.05"),
}


def set_cases() -> list[SetCase]:
    cases = []
    for what, x, label in hard_sets():
        for loss, specs in SPECS.items():
            for metric, normalize in SPACES if loss not in COSINE_LOSSES else SPACES[2:3]:
                if metric == "sqeuclidean" and not normalize and what.endswith("long"):
                    continue
                cases += [SetCase(what, spec, x, label, metric, normalize) for spec in specs]
    corner = np.array([[0.0, 1], [0.3, 1], [2, 1], [0.9, 1.2]]), np.array([0, 0, 0, 1])
    for metric, normalize in SPACES:
        cases.append(SetCase("one negative", "random-semi-hard", *corner, metric, normalize))
    return cases
