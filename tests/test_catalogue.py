"""Numbers that libraries have printed of small inputs, which no oracle holds: as written down, digit for digit."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

import lossctl

P = ([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0])
C = (np.array([[2.0, 1, 0], [0, 1, 3], [1, 2, 1.5]]), np.array([0, 2, 0]))
M = ([[1.2, -0.8, 0.5], [-0.3, 0.7, -1.1]], [[1, 0, 1], [0, 1, 1]])
R = ([2.5, 0, 2.1, 7.8], [3, -0.5, 2, 7])
V = ([[1, 0], [0.6, 0.8], [0, 1]], [[0.9, 0.1], [0.5, 0.7], [0.3, 1]])
S = np.array([0.9, 0.8, 0.3, 0.1, 0.7, 0.2, 0.6, 0.4])
MASK = np.array([1, 1, 0, 0, 1, 0, 1, 0])
E = [[1, 0.2], [0.8, 0.6], [0.1, 1], [-0.6, 0.8], [0.7, -0.8], [-0.9, 0.1]]
W = ([[1, 0.2], [0.1, 1], [-0.6, 0.8]], [0, 1, 2])
L = ([0.6, 0.8, 0.1, 0.4], [3, 2, 1, 0], [0] * 4)
PROXIES = "class_weights=1/0.1/0.2/1/-1/0.3"


class Printed(NamedTuple):
    """A number that a library has printed: of which call of ours it is `factor` times the value, and `offset` more."""

    source: str
    value: float
    spec: str
    inputs: tuple[Any, ...]
    options: dict[str, Any] = {}  # noqa: RUF012
    factor: float = 1.0
    offset: float = 0.0
    digits: int = 6


NUMBERS = (
    Printed("torch", 0.5755561, "bce", M, {"from_logits": True}),
    Printed("keras", 0.6004136, "bce:label_smoothing=0.2", P),
    Printed("torch", 0.2666667, "pairwise-ranking", ([[0.1], [0.3], [1.3]], [[0], [0], [0]], [1, -1, -1])),
    Printed("catboost", 0.4601425, "bce", (P[0], [1, 0.7, 0.2, 0]), {"soft": True}),
    Printed("keras", 0.09685641, "focal:alpha=0.25", C, {"from_logits": True}),
    Printed("catboost, of log p", 0.3125, "pinball:alpha=0.5", ([1.5, 0.5, 2, 4], [1, 0.5, 3, 5])),
    Printed("allRank", 1.388636, "ordinal", ([[0.9, 0.6, 0.2], [0.8, 0.7, 0.4]], [2, 1])),
    Printed("MONAI", 0.778483, "gan-hinge", ([0.5, -1, 2], [1, 1, 1]), {"squash": "tanh"}),
    Printed("scikit-learn", 0.8, "max-error", R),
    Printed("scikit-learn", 0.5, "median-error", R),
    Printed("scipy", 0.475, "wasserstein-1d", R),
    Printed("pytorch-metric-learning, of unit vectors", 1.347530, "angular", (E, [0, 0, 1, 1, 2, 2])),
    Printed("optax", 0.01734535, "kl:generalized=true", ([[0.5, 0.8, 0.12]], [[0.4, 0.9, 0.12]])),
    Printed("scipy", 0.4873397, "energy-distance", R),
    Printed("pytorch-metric-learning", 5.219515, f"arcface:{PROXIES},margin={math.radians(28.6)!r}", W, digits=5),
    Printed("pytorch-metric-learning", 4.527377, f"cosface:{PROXIES}", W),
    Printed("pytorch-metric-learning", 0.02054604, f"normalized-softmax:{PROXIES}", W),
    Printed("pytorch-metric-learning", 0.4064663, f"proxy-nca:{PROXIES},with_own=true", W),
    Printed("pytorch-metric-learning, of unit vectors", 0.8765537, "mnrl:s=1", (E[0::2], E[1::2])),
    Printed("lightly", -0.9838132, "cosine-distance", V, offset=-1.0),
    Printed("allRank", -0.6701877, "approx-ndcg:temperature=1", L),
    Printed("transformers", 0.8247961, "cross-entropy:label_smoothing=0.1,ignore_index=-100",
            (np.concatenate([C[0], C[0][:1]]), [*C[1], -100]), {"from_logits": True}),
    Printed("MONAI, 1e-5 apart", 0.25, "generalized-dice", (np.stack([S, 1 - S], 1), 1 - MASK),
            {"group": [0] * 4 + [1] * 4}),
)  # fmt: skip


def test_what_libraries_have_printed() -> None:
    wrong = []
    for number in NUMBERS:
        answer = lossctl.compute(number.spec, *map(np.asarray, number.inputs), **number.options)
        value = number.factor * getattr(answer, "macro", answer).value + number.offset
        if abs(value - number.value) > 0.5000001 * 10.0**-number.digits:
            wrong.append((number.source, number.spec, value, number.value))
    assert not wrong
