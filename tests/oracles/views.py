"""Two views: numbers that sentence-transformers, lightly and transformers have printed, torch's softmax, and sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .case import Case, reduced, tensor

RNG = np.random.default_rng(5)
LEFT, RIGHT, NEGATIVE, GUIDE_LEFT, GUIDE_RIGHT = RNG.normal(size=(5, 12, 6))
RIGHT = LEFT + 0.7 * RIGHT
GUIDE_RIGHT = GUIDE_LEFT + 0.7 * GUIDE_RIGHT
TWO, THREE, FOUR = (LEFT, RIGHT), (LEFT, RIGHT, NEGATIVE), (LEFT, RIGHT, GUIDE_LEFT, GUIDE_RIGHT)
V = (np.array([[1, 0], [0.6, 0.8], [0, 1]]), np.array([[0.9, 0.1], [0.5, 0.7], [0.3, 1]]))
ST, LIGHTLY = "sentence-transformers 6.2.0", "lightly 1.6.0"
TRANSFORMERS = "transformers 5.24.0"


def logits(left: Any, right: Any, scale: float) -> torch.Tensor:
    return scale * F.normalize(tensor(left)) @ F.normalize(tensor(right)).T


def softmax_of_both(left: Any, right: Any, scale: float) -> float:
    """torch's cross-entropy, each way."""
    x, truth = logits(left, right, scale), torch.arange(len(left))
    return float(F.cross_entropy(x, truth) + F.cross_entropy(x.T, truth)) / 2


def pairs_of(left: Any, right: Any, scale: float, bias: float) -> float:
    """torch's binary cross-entropy of all pairs, whose sum is divided by the rows."""
    truth = torch.eye(len(left), dtype=torch.float64)
    return float(
        F.binary_cross_entropy_with_logits(logits(left, right, scale) + bias, truth, reduction="sum") / len(left)
    )


def of_alignment(temperature: float, alpha: float, alignment: float) -> float:
    """Both views below one another, each row against all but itself, without the small number in lightly's divisor."""
    x = torch.cat([F.normalize(tensor(LEFT)), F.normalize(tensor(RIGHT))])
    s, partner = x @ x.T, torch.arange(24).roll(12)
    t = temperature * (1 + alpha * (s[torch.arange(24), partner].mean() - alignment))
    surprise = F.cross_entropy(s.fill_diagonal_(-torch.inf) / t, partner, reduction="none")
    return float((surprise / (1 - (-surprise).exp())).mean())


def printed(source: str, spec: str, inputs: Any, value: float, digits: int = 13) -> Case:
    return Case(source, spec, inputs, value, digits=digits)


def dot_products() -> torch.Tensor:
    return tensor(LEFT) @ tensor(RIGHT).T


CASES = {
    "n-pairs": [
        *reduced(
            Case("torch", "n-pairs", TWO, lambda: F.cross_entropy(dot_products(), torch.arange(12))),
            12,
            "sum",
        ),
        Case(
            "torch, ten times as long",
            "n-pairs",
            (10 * LEFT, RIGHT),
            lambda: F.cross_entropy(10 * dot_products(), torch.arange(12)),
        ),
    ],
    "clip": [
        printed(TRANSFORMERS, "clip:temperature=0.1", V, 0.2492554, 7),
        printed(ST, "clip:temperature=0.05", TWO, 1.1416220819151375),
        *reduced(Case("torch", "clip", TWO, lambda: softmax_of_both(*TWO, 1 / 0.07)), 12, "sum"),
    ],
    "mnrl": [
        printed(ST, "mnrl", V, 0.1048698, 7),
        printed(ST, "mnrl:symmetric=true", V, 0.1434437, 7),
        *reduced(printed(ST, "mnrl", TWO, 1.190862741449564), 12, "sum"),
        printed(ST, "mnrl:s=5", TWO, 0.9099961530071464),
        printed(ST, "mnrl:symmetric=true", TWO, 1.1416220819151375),
    ],
    "mnrl-negatives": [
        *reduced(printed(ST, "mnrl-negatives", THREE, 1.9462232028966862), 12, "sum"),
        printed(ST, "mnrl-negatives:s=5", THREE, 1.4205338557816036),
    ],
    "nt-xent-views": [
        *reduced(printed(LIGHTLY, "nt-xent-views", TWO, 2.0274774343454243), 12, "sum"),
        printed(LIGHTLY, "nt-xent-views:temperature=0.1", TWO, 1.0778717231879684),
    ],
    "dcl": [
        printed(LIGHTLY, "dcl", V, -1.093749, 6),
        *reduced(printed(LIGHTLY, "dcl", TWO, -0.1801666968455799), 12, "sum"),
        printed(LIGHTLY, "dcl:temperature=0.5", TWO, 1.8740275789374776),
    ],
    "dclw": [
        *reduced(printed(LIGHTLY, "dclw", TWO, 0.38908234839559536), 12, "sum"),
        printed(LIGHTLY, "dclw:temperature=0.5,sigma=0.2", TWO, 2.10031616201021),
    ],
    "macl": [
        *reduced(printed(f"{LIGHTLY}, 1e-8 added to 1 - P", "macl", TWO, 1.73705, 5), 12, "sum"),
        printed(LIGHTLY, "macl:temperature=0.3,alpha=0.2,alignment=0.3", TWO, 2.08014860, 7),
        Case("lightly's own steps", "macl", TWO, lambda: of_alignment(0.1, 0.5, 0.0)),
    ],
    "gist": [
        *reduced(printed(ST, "gist", FOUR, 6.251753592500578), 12, "sum"),
        printed(ST, "gist:temperature=0.1,margin=0.05", FOUR, 1.2257920271228677),
        printed(ST, "gist:temperature=0.1,margin=0.2,relative=true", FOUR, 1.2176565027489772),
        printed(ST, "gist:temperature=0.1,within=left", FOUR, 0.9564196359312384),
        printed(ST, "gist:temperature=0.1,within=right", FOUR, 1.1198239614434964),
        printed(ST, "gist:temperature=0.1,within=none", FOUR, 0.8055021900054014),
    ],
    "siglip": [
        printed(TRANSFORMERS, "siglip", V, 0.9932448, 7),
        *reduced(Case("torch", "siglip", TWO, lambda: pairs_of(*TWO, 10, -10)), 12, "sum"),
        Case("torch", "siglip:s=3,bias=1.5", TWO, lambda: pairs_of(*TWO, 3, 1.5)),
    ],
    "mega-batch-margin": [
        *reduced(printed(ST, "mega-batch-margin", TWO, 0.4281249075509754), 12, "sum"),
        printed(ST, "mega-batch-margin:positive_margin=0.9,negative_margin=0.1", TWO, 0.6889234457555657),
    ],
}
