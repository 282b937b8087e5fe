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

SET_LOSSES = tuple(loss for loss in walk() if loss.engine.has_space and loss.stands_alone)
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
    units: list[list[Any]]
    table: list[list[Any]]

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


def batch_all(a: Anchor, margin: float, soft: bool, swap: bool, mining: str) -> Any:
    assert not swap, "an anchor does not know how far its positives are from its negatives"
    hinge = softplus if soft else relu
    gaps = [a.d[p] - a.d[n] for p in a.positives for n in a.negatives]
    mined = {"all": lambda gap: True, "hard": lambda gap: gap >= 0, "semi-hard": lambda gap: -margin < gap < 0}[mining]
    return mp.fsum(hinge(gap + margin) for gap in gaps if mined(gap))


def batch_hard(a: Anchor, margin: float, soft: bool, mining: str) -> Any:
    gap = max(a.d[p] for p in a.positives) - min(a.d[n] for n in a.negatives)
    if mining == "hard" and gap < 0:
        return mp.mpf(0)
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


def multi_similarity(a: Anchor, alpha: float, beta: float, base: float, mining: float | None) -> Any:
    positives, negatives = a.positives, a.negatives
    if mining is not None:
        positives = [p for p in a.positives if any(a.s[p] - mining < a.s[n] for n in a.negatives)]
        negatives = [n for n in a.negatives if any(a.s[n] + mining > a.s[p] for p in a.positives)]
    pull = mp.fsum(mp.exp(-alpha * (a.s[p] - base)) for p in positives)
    push = mp.fsum(mp.exp(beta * (a.s[n] - base)) for n in negatives)
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


def generalized_lifted(a: Anchor, margin: float) -> Any:
    pull = mp.fsum(mp.exp(a.d[p]) for p in a.positives)
    return relu(mp.log(pull) + mp.log(mp.fsum(mp.exp(margin - a.d[n]) for n in a.negatives)))


def lifted_structure(a: Anchor, margin: float, positive_margin: float) -> Any:
    def term(p: int) -> Any:
        push = mp.fsum(mp.exp(mp.mpf(margin) - a.table[i][n]) for i in (a.row, p) for n in a.negatives)
        return relu(mp.log(push) + a.d[p] - mp.mpf(positive_margin)) ** 2 / 2

    return mp.fsum(map(term, a.positives))


def nca(a: Anchor, s: float) -> Any:
    own = mp.fsum(mp.exp(-s * a.d[p] ** 2) for p in a.positives)
    return mp.log1p(mp.fsum(mp.exp(-s * a.d[n] ** 2) for n in a.negatives) / own)


def margin_wu(a: Anchor, margin: float, beta: float) -> Any:
    pull = mp.fsum(relu(a.d[p] - mp.mpf(beta) + margin) for p in a.positives)
    push = mp.fsum(relu(mp.mpf(beta) - a.d[n] + margin) for n in a.negatives)
    return pull * len(a.negatives) + push * len(a.positives)


def tuplet_margin(a: Anchor, margin: float, s: float) -> Any:
    def term(p: int) -> Any:
        sine = mp.sqrt(relu(1 - a.s[p] ** 2))
        own = a.s[p] * mp.cos(margin) + sine * mp.sin(margin)
        return mp.log1p(mp.fsum(mp.exp(s * (a.s[n] - own)) for n in a.negatives))

    return mp.fsum(map(term, a.positives))


def ranked_list(
    a: Anchor, margin: float, alpha: float, balance: float, negative_sharpness: float, positive_sharpness: float
) -> Any:
    def mean(gaps: list[Any], sharpness: float) -> Any:
        gaps = [gap for gap in gaps if gap > 0]
        weights = [mp.exp(sharpness * gap) for gap in gaps]
        return mp.fdot(weights, gaps) / mp.fsum(weights) if gaps else mp.mpf(0)

    pull = mean([a.d[p] - mp.mpf(alpha - margin) for p in a.positives], positive_sharpness)
    push = mean([alpha - a.d[n] for n in a.negatives], negative_sharpness)
    return (1 - mp.mpf(balance)) * pull + balance * push


def before(a: Anchor, others: list[int], p: int, temperature: float) -> Any:
    """How many of the others stand before p, by smooth steps."""
    return mp.fsum(1 / (1 + mp.exp((a.s[p] - a.s[j]) / mp.mpf(temperature))) for j in others)


def smooth_ap(a: Anchor, temperature: float, with_anchor: bool) -> Any:
    own = a.positives + [a.row] * with_anchor
    values = []
    for p in own:
        rivals, ahead = before(a, a.negatives, p, temperature), before(a, [q for q in own if q != p], p, temperature)
        values.append(rivals / (1 + ahead + rivals))
    return mp.fsum(values) / len(own)


def pnp(a: Anchor, variant: str, b: float, alpha: float, temperature: float, with_anchor: bool) -> Any:
    own = a.positives + [a.row] * with_anchor
    cost = {
        "o": lambda x: x,
        "ds": lambda x: mp.log1p(x),
        "dq": lambda x: 1 - (1 + x) ** -mp.mpf(alpha),
        "iu": lambda x: (1 + x) * mp.log1p(x),
        "ib": lambda x: (b * x - mp.log1p(b * x)) / mp.mpf(b) ** 2,
    }[variant]
    return mp.fsum(cost(before(a, a.negatives, p, temperature)) for p in own) / len(own)


def fast_ap(a: Anchor, bins: int) -> Any:
    def share(others: list[int], edge: int) -> Any:
        return mp.fsum(relu(1 - abs((2 - 2 * a.s[j]) * bins / 4 - edge)) for j in others)

    total = own_sum = all_sum = mp.mpf(0)
    for edge in range(bins + 1):
        own = share(a.positives, edge)
        own_sum, all_sum = own_sum + own, all_sum + own + share(a.negatives, edge)
        total += own * (all_sum - own_sum) / all_sum if all_sum else 0
    return total / len(a.positives)


def angular(a: Anchor, alpha: float) -> Any:
    t = mp.tan(mp.radians(alpha)) ** 2

    def term(p: int) -> Any:
        exponents = (4 * t * (a.s[n] + mp.fdot(a.units[p], a.units[n])) - 2 * (1 + t) * a.s[p] for n in a.negatives)
        return mp.log1p(mp.fsum(map(mp.exp, exponents)))

    return mp.fsum(map(term, a.positives))


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
    "generalized-lifted": generalized_lifted,
    "lifted-structure": lifted_structure,
    "nca": nca,
    "margin-wu": margin_wu,
    "tuplet-margin": tuplet_margin,
    "ranked-list": ranked_list,
    "smooth-ap": smooth_ap,
    "pnp": pnp,
    "fast-ap": fast_ap,
    "angular": angular,
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
    measure = {"cosine": lambda q: q / 2, "euclidean": mp.sqrt}.get(case.metric, lambda q: q)
    gaps = [[mp.fsum((u - v) ** 2 for u, v in zip(row, other, strict=True)) for other in compared] for row in compared]
    table = [[measure(q) for q in squares] for squares in gaps]
    for i, (squares, d) in enumerate(zip(gaps, table, strict=True)):
        lost = [(norms[i] + norm) / q if q else mp.mpf(1) for norm, q in zip(norms, squares, strict=True)]
        s = [mp.fdot(units[i], unit) for unit in units]
        anchor = Anchor(i, d, s, case.label.tolist(), lost, units, table)
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


def of_hardest(a: Anchor, margin: float, soft: bool, mining: str) -> Any:
    operands = max(a.d[p] for p in a.positives) + min(a.d[n] for n in a.negatives)
    return 1.5 * (min(1, batch_hard(a, margin, soft, mining)) * operands if soft else operands + margin)


def over_pairs(a: Anchor, margin: float) -> Any:
    pull = mp.fsum(a.d[p] * measured(a, p, AGAIN) for p in a.positives)
    return pull + mp.fsum(relu(margin - a.d[n]) * (margin + measured(a, n, AGAIN)) for n in a.negatives)


def others(a: Anchor) -> list[int]:
    return [*a.positives, *a.negatives]


NEAR, AGAIN = 2.0**10, 2.0**4
SET_BOUNDS: dict[str, Callable[..., Any]] = {
    "batch-all": lambda a, margin, soft, swap, mining: over_triplets(a, margin, NEAR),
    "batch-hard": of_hardest,
    "semi-hard": lambda a, margin, fallback: over_triplets(a, margin, AGAIN),
    "random-semi-hard": lambda a, margin, seed: over_triplets(a, margin, AGAIN),
    "contrastive-pairs": over_pairs,
    "generalized-lifted": lambda a, margin: abs(margin) + 2 * max(measured(a, j, AGAIN) for j in others(a)) + 3,
    "lifted-structure": lambda a, margin, positive_margin: (
        mp.sqrt(2 * len(a.positives) * lifted_structure(a, margin, positive_margin))
        * (abs(margin) + 3 * max(measured(a, j, AGAIN) for j in others(a)) + 3)
    ),
    "nca": lambda a, s: nca(a, s) * (1 + 2 * s * max(measured(a, j, AGAIN) * a.d[j] for j in others(a))),
    "margin-wu": lambda a, margin, beta: mp.fsum(
        measured(a, p, AGAIN) + measured(a, n, AGAIN) + beta + margin for p in a.positives for n in a.negatives
    ),
    "tuplet-margin": lambda a, margin, s: tuplet_margin(a, margin, s) * (1 + s / 4),
    "ranked-list": lambda a, margin, alpha, balance, negative_sharpness, positive_sharpness: (
        (alpha + max(measured(a, j, AGAIN) for j in others(a)))
        * (1 + negative_sharpness * alpha + positive_sharpness * max(a.d))
    ),
    "smooth-ap": lambda a, temperature, with_anchor: smooth_ap(a, temperature, with_anchor) * (1 + 1 / temperature),
    "pnp": lambda a, **options: pnp(a, **options) * (3 + 2 / options["temperature"]),
    "fast-ap": lambda a, bins: mp.mpf(bins),
    "angular": lambda a, alpha: angular(a, alpha) * (1 + 4 * mp.tan(mp.radians(alpha)) ** 2),
}
SET_REASONS = {
    "batch-all": "distances cancel with each other and the margin: 4 ulp of the sum of the three over the triplets "
    "above zero; one from the product of matrices may have lost 10 bits before it is measured again by differences",
    "batch-hard": "two distances, each right to 6 ulp, cancel with each other and the margin",
    "semi-hard": "as batch-all, but 4 bits",
    "random-semi-hard": "as semi-hard",
    "contrastive-pairs": "margin - d cancels: 4 ulp of the margin and the distance; 4 bits as for semi-hard",
    "generalized-lifted, lifted-structure, margin-wu, ranked-list": "distances cancel with each other and the margin: "
    "4 ulp of their sum; 4 bits as for semi-hard",
    "nca": "a squared distance is rounded, and e^-x makes its absolute error relative: 4 ulp and 8 for each unit of "
    "s d^2",
    "tuplet-margin": "as arcface, for the sine: 4 ulp and one for each unit of s",
    "smooth-ap, pnp": "a difference of cosines is rounded, and e^-x makes its absolute error relative: 4 ulp and 8 for "
    "each unit of 1 / T",
    "fast-ap": "what a distance has to the next edge of a bin is a difference: 4 ulp of the number of bins",
    "angular": "as smooth-ap: 4 ulp and 16 for each unit of tan^2 alpha",
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
    "batch-all": ("batch-all", "batch-all:margin=0", "batch-all:mining=hard"),
    "batch-hard": ("batch-hard", "batch-hard:margin=0", "batch-hard:soft=true"),
    "semi-hard": ("semi-hard", "semi-hard:fallback=hardest", "semi-hard:fallback=drop"),
    "contrastive-pairs": ("contrastive-pairs", "contrastive-pairs:margin=1e-300"),
    "multi-similarity": ("multi-similarity", "multi-similarity:base=0.3"),
    "circle": ("circle", "circle:unified=true", "circle:gamma=80,margin=0.4"),
    "info-nce": ("info-nce", "info-nce:temperature=0.05"),
    "nt-xent": ("nt-xent", "nt-xent:temperature=0.01"),
    "supcon": ("supcon", "supcon:temperature=0.05"),
    "generalized-lifted": ("generalized-lifted",),
    "lifted-structure": ("lifted-structure",),
    "nca": ("nca",),
    "margin-wu": ("margin-wu",),
    "tuplet-margin": ("tuplet-margin", "tuplet-margin:margin=0.3,s=10"),
    "ranked-list": ("ranked-list", "ranked-list:negative_sharpness=2,positive_sharpness=3"),
    "smooth-ap": ("smooth-ap", "smooth-ap:with_anchor=true,temperature=0.1"),
    "pnp": tuple(f"pnp:variant={variant},temperature=0.1" for variant in ("o", "ds", "dq", "iu", "ib")),
    "fast-ap": ("fast-ap", "fast-ap:bins=4"),
    "angular": ("angular",),
}


def set_cases() -> list[SetCase]:
    cases = []
    for what, x, label in hard_sets():
        for loss, specs in SPECS.items():
            for metric, normalize in SPACES if loss not in COSINE_LOSSES else SPACES[2:3]:
                squares = metric == "sqeuclidean" or loss == "nca"
                if squares and metric != "cosine" and not normalize and what.endswith("long"):
                    continue
                cases += [SetCase(what, spec, x, label, metric, normalize) for spec in specs]
    corner = np.array([[0.0, 1], [0.3, 1], [2, 1], [0.9, 1.2]]), np.array([0, 0, 0, 1])
    for metric, normalize in SPACES:
        cases.append(SetCase("one negative", "random-semi-hard", *corner, metric, normalize))
    return cases
