"""Sets by all pairs and by ranks: pytorch-metric-learning has printed; torch and loops over 40-digit distances."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .case import Case, reduced, tensor
from .embedding import PML, X, in_all_spaces

E = (
    np.array([[1, 0.2], [0.8, 0.6], [0.1, 1], [-0.6, 0.8], [0.7, -0.8], [-0.9, 0.1]]),
    np.array([0, 0, 1, 1, 2, 2]),
)
EMB, IDS = np.random.default_rng(8).normal(size=(24, 5)), np.repeat(np.arange(6), 4)
FOURS = (EMB, IDS)
ON_SPHERE = {"normalize": True}


def printed(spec: str, inputs: Any, value: float, digits: int = 12, **space: Any) -> Case:
    return Case(PML, spec, inputs, value, digits=digits, space=space)


def of_both_ends(margin: float, positive_margin: float) -> Any:
    """The mean over positive pairs, each with the negatives of both ends, one by one."""

    def truth(d: Any, label: Any) -> float:
        terms, near = [], [[float(x) for x in row] for row in d]
        for a, p in product(range(len(label)), repeat=2):
            if a != p and label[a] == label[p]:
                ends = (near[i][n] for i in (a, p) for n in range(len(label)) if label[n] != label[a])
                push = math.log(math.fsum(math.exp(margin - x) for x in ends))
                terms.append(max(0.0, push + near[a][p] - positive_margin) ** 2 / 2)
        return math.fsum(terms) / len(terms)

    return truth


def of_anchors(term: Any) -> Any:
    """The mean over anchors of term(distances to positives, distances to negatives), as floats."""

    def truth(d: Any, label: Any) -> float:
        terms = []
        for a, row in enumerate(d):
            pos = [float(x) for j, x in enumerate(row) if label[j] == label[a] and j != a]
            neg = [float(x) for j, x in enumerate(row) if label[j] != label[a]]
            if pos and neg:
                terms.append(term(pos, neg))
        return math.fsum(terms) / len(terms)

    return truth


def lifted(pos: list[float], neg: list[float], margin: float = 1.0) -> float:
    return max(0.0, math.log(math.fsum(map(math.exp, pos))) + math.log(math.fsum(math.exp(margin - d) for d in neg)))


def nca(pos: list[float], neg: list[float]) -> float:
    near = math.fsum(math.exp(-d * d) for d in pos)
    return math.log1p(math.fsum(math.exp(-d * d) for d in neg) / near)


def ranked(
    pos: list[float],
    neg: list[float],
    margin: float = 0.4,
    alpha: float = 1.2,
    balance: float = 0.5,
    sharp: float = 10.0,
    sharp_pos: float = 0.0,
) -> float:
    def mean(gaps: list[float], k: float) -> float:
        weights = [math.exp(k * x) for x in gaps]
        return math.fsum(w * x for w, x in zip(weights, gaps, strict=True)) / math.fsum(weights) if gaps else 0.0

    line = alpha - margin
    pull, push = [d - line for d in pos if d > line], [alpha - d for d in neg if d < alpha]
    return (1 - balance) * mean(pull, sharp_pos) + balance * mean(push, sharp)


def margins(d: Any, label: Any) -> tuple[float, float, float]:
    """Of all triplets: the mean over the terms above 0, that over the triplets, and the sum."""
    terms = [
        (max(0.0, float(row[p]) - 1.0), max(0.0, 1.4 - float(row[n])))
        for a, row in enumerate(d)
        for p in range(len(row))
        for n in range(len(row))
        if label[p] == label[a] and p != a and label[n] != label[a]
    ]
    active = sum((pull > 0) + (push > 0) for pull, push in terms)
    total = math.fsum(pull + push for pull, push in terms)
    return total / active, total / len(terms), total


def angles(alpha: float) -> float:
    """Each triplet's angle by itself, from normalised rows in torch."""
    x, t = F.normalize(tensor(EMB)), math.tan(math.radians(alpha)) ** 2
    terms = []
    for a in range(24):
        for p in np.flatnonzero((IDS[a] == IDS) & (np.arange(24) != a)):
            negatives = x[torch.from_numpy(IDS[a] != IDS)]
            terms.append(torch.log1p(torch.exp(4 * t * negatives @ (x[a] + x[p]) - 2 * (1 + t) * x[a] @ x[p]).sum()))
    return float(torch.stack(terms).mean())


def precision(temperature: float) -> float:
    """Smooth average precision by loops over pairs of neighbours, without the anchor."""
    s = (F.normalize(tensor(EMB)) @ F.normalize(tensor(EMB)).T).numpy()
    values = []
    for a in range(24):
        positives = [j for j in range(24) if IDS[j] == IDS[a] and j != a]
        rivals = [j for j in range(24) if IDS[j] != IDS[a]]
        step = 1 / (1 + np.exp((s[a][:, None] - s[a][None, :]) / temperature))  # of the second before the first
        ahead = [1 + sum(step[p, q] for q in positives if q != p) for p in positives]
        everyone = [x + sum(step[p, j] for j in rivals) for x, p in zip(ahead, positives, strict=True)]
        values.append(1 - np.mean([x / y for x, y in zip(ahead, everyone, strict=True)]))
    return float(np.mean(values))


M1, M2 = math.radians(5.73), math.radians(20)
CASES = {
    "lifted-structure": [
        printed("lifted-structure", E, 3.8922887981302874, **ON_SPHERE),
        *in_all_spaces("lifted-structure", FOURS, of_both_ends(1, 0)),
        *in_all_spaces("lifted-structure", FOURS, lambda d, y: 72 * of_both_ends(1, 0)(d, y), reduction="sum"),
        *in_all_spaces("lifted-structure:margin=0.7,positive_margin=0.2", FOURS, of_both_ends(0.7, 0.2)),
        *(
            Case(PML, "lifted-structure:margin=0.7,positive_margin=0.2", X, value, digits=11, space=space)
            for value, space in ((6.242113550920178, ON_SPHERE), (7.269867424431527, {}))
        ),
    ],
    "generalized-lifted": [
        printed("generalized-lifted", E, 2.037469066926488, **ON_SPHERE),
        *in_all_spaces("generalized-lifted", FOURS, of_anchors(lifted)),
        *reduced(printed("generalized-lifted", FOURS, 5.2668303630071405, **ON_SPHERE), 24, "sum"),
        *in_all_spaces("generalized-lifted:margin=0.5", FOURS, of_anchors(lambda p, n: lifted(p, n, 0.5))),
    ],
    "nca": [
        printed("nca", E, 1.5420125920496126, **ON_SPHERE),
        *reduced(printed("nca", FOURS, 2.4017312991108954, **ON_SPHERE), 24, "sum"),
        printed("nca:s=5", FOURS, 6.01254576732952, **ON_SPHERE),
        *in_all_spaces("nca", FOURS, of_anchors(nca)),
    ],
    "margin-wu": [
        printed("margin-wu", E, 0.5896881322269567, 7, **ON_SPHERE),  # its beta is a float32
        printed("margin-wu:margin=0.1,beta=1", E, 0.6509297598305438, **ON_SPHERE),
        printed("margin-wu:margin=0.1,beta=1", FOURS, 0.5152412721019695, **ON_SPHERE),
        *in_all_spaces("margin-wu", FOURS, lambda d, y: margins(d, y)[0]),
        *in_all_spaces("margin-wu", FOURS, lambda d, y: margins(d, y)[1], "mean"),
        *in_all_spaces("margin-wu", FOURS, lambda d, y: margins(d, y)[2], "sum"),
    ],
    "tuplet-margin": [
        printed(f"tuplet-margin:margin={M1!r}", E, 26.834977728957654),
        *reduced(printed(f"tuplet-margin:margin={M2!r},s=10", FOURS, 6.245914948073029), 72, "sum"),
    ],
    "ranked-list": [
        printed("ranked-list", E, 0.3412377892361804, 4, **ON_SPHERE),  # it adds 1e-5 N to the weights
        *in_all_spaces("ranked-list", FOURS, of_anchors(ranked)),
        *in_all_spaces("ranked-list", FOURS, lambda d, y: 24 * of_anchors(ranked)(d, y), "sum"),
        *in_all_spaces(
            "ranked-list:margin=0.3,alpha=1,balance=0.3,negative_sharpness=2,positive_sharpness=4",
            FOURS,
            of_anchors(lambda p, n: ranked(p, n, 0.3, 1.0, 0.3, 2.0, 4.0)),
        ),
    ],
    "smooth-ap": [
        printed("smooth-ap:with_anchor=true", (E[0][:4], E[1][:4]), 0.0001589953899383545, 8),
        printed("smooth-ap:with_anchor=true", (EMB[:16], IDS[:16]), 0.5080718994140625, 6),
        printed("smooth-ap:with_anchor=true,temperature=0.1", (EMB[:16], IDS[:16]), 0.5312424898147583, 6),
        *reduced(Case("one by one", "smooth-ap", FOURS, lambda: precision(0.01)), 24, "sum"),
    ],
    "pnp": [
        printed("pnp:with_anchor=true", E, 0.47578051877375666),
        *reduced(printed("pnp:with_anchor=true", FOURS, 8.524049139251836), 24, "sum"),
        printed("pnp:variant=ds,with_anchor=true", FOURS, 1.8091415142988847),
        printed("pnp:variant=dq,with_anchor=true", FOURS, 0.6735165858858401),
        printed("pnp:variant=iu,with_anchor=true", FOURS, 24.144753666260982),
        printed("pnp:variant=ib,with_anchor=true", FOURS, 3.6896765667059856),
        printed("pnp:variant=dq,alpha=3,temperature=0.1,with_anchor=true", FOURS, 0.8464666944287351),
        printed("pnp:variant=ib,b=3,temperature=0.1,with_anchor=true", FOURS, 2.5559720244547677),
    ],
    "fast-ap": [
        printed("fast-ap", E, 0.4260667770533675),
        *reduced(printed("fast-ap", FOURS, 0.8649677340924066), 24, "sum"),
        printed("fast-ap:bins=4", FOURS, 0.8700341484851833),
    ],
    "angular": [
        *reduced(Case("one by one in torch", "angular", FOURS, lambda: angles(40)), 72, "sum"),
        Case("one by one in torch", "angular:alpha=30", FOURS, lambda: angles(30)),
    ],
}
