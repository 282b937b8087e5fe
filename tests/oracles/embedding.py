"""Embedding sets: pytorch-metric-learning (PML), tensorflow-addons, Keras and torch; every triplet and pair one by one.

Loops run over mpmath numbers of 40 digits; on a line of whole numbers they are whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from .anchors import (
    against_everyone,
    circles,
    class_circles,
    contrasts,
    distances,
    half_squares,
    hardest,
    hinges,
    margin_softmax,
    mean_of_active,
    mp,
    multi_similarity,
    of_band,
    semi_hard,
    two_means,
)
from .case import Case, mean

SPACES = [("euclidean", False), ("sqeuclidean", False), ("cosine", False), ("euclidean", True), ("sqeuclidean", True)]
Truth = Callable[..., Any]

# of published comparisons
A9 = (np.arange(9.0)[:, None], np.array([0, 0, 1, 1, 0, 2, 1, 1, 1]))
ANGLES = np.radians([0, 20, 40, 60, 80])
A5 = (np.stack([2 * np.cos(ANGLES), 0.5 * np.sin(ANGLES)], axis=1), np.array([0, 0, 1, 1, 2]))
KERAS = (
    np.array(
        [
            [0.70014004, -0.42008403, 0.14002801, 0.56011203],
            [0.17609018, 0.70436073, -0.52827054, 0.44022545],
            [-0.34050261, 0.25537696, -0.68100522, 0.59587957],
            [0.32163376, -0.75047877, 0.53605627, -0.21442251],
            [0.51261459, -0.34174306, 0.17087153, 0.76892189],
        ]
    ),
    np.array([1, 1, 2, 2, 3]),
)
OPTAX = np.array([[-1.954, 1.078], [0.238, -0.5703], [1.8745, -0.0195], [-0.6719, -1.921]])
TWO_AND_TWO, THREE_AND_ONE = (OPTAX, np.array([0, 0, 1, 1])), (OPTAX, np.array([0, 0, 0, 1]))
LONE = (np.array([[1.0, 0], [0.8, 0.6], [0, 1], [0.1, 0.9], [-1, 0]]), np.array([0, 0, 1, 1, 2]))

# three classes of five, four and three points
X = (
    np.array(
        [
            [0.03, 1.36, 1.22],
            [-0.51, -0.3, -0.53],
            [0.57, -0.06, 0.75],
            [-1.85, 1.57, -0.1],
            [0.68, -0.14, -0.38],
            [0.46, 0.82, -0.2],
            [-0.15, 0.69, -0.87],
            [-1.51, 0.39, -0.67],
            [-1.92, -0.81, -0.47],
            [-1.19, -1.49, 0.04],
            [0.9, -0.23, -0.74],
            [0.38, 0.72, -0.3],
        ]
    ),
    np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 1]),
)
ONE_NEGATIVE = (X[0][:8], np.array([0, 0, 0, 0, 0, 0, 0, 1]))
CROWD = (np.repeat([0.0, 0.25, 0.75], [60, 75, 25])[:, None], np.concatenate([np.zeros(60), np.arange(1, 101)]))
PML = "pytorch-metric-learning 2.9.0"


def in_all_spaces(spec: str, inputs: Any, truth: Truth, reduction: str | None = None) -> list[Case]:
    """Cases whose truth is that of the 40-digit distances of each space."""
    return [
        Case(
            f"one by one: {metric}{', unit sphere' if normalize else ''}",
            spec,
            inputs,
            lambda metric=metric, normalize=normalize: truth(distances(inputs[0], metric, normalize), inputs[1]),
            reduction=reduction,
            space={"metric": metric, "normalize": normalize},
        )
        for metric, normalize in SPACES
    ]


def printed(spec: str, numbers: list[float], reduction: str | None = None) -> list[Case]:
    """What PML prints for X in each space; its cosine margin is that of the similarities."""
    return [
        Case(PML, spec, X, number, digits=12, reduction=reduction, space={"metric": metric, "normalize": normalize})
        for (metric, normalize), number in zip(SPACES, numbers, strict=True)
    ]


# --- the table

BATCH_ALL = [0.959674869690, 3.663886740331, 0.749333671330, 0.613211664192, 1.393790132804]
BATCH_ALL_MEAN = [0.661844737717, 2.286770689655, 0.529701388354, 0.458851486654, 0.922785191373]
SOFT, SWAP, SOFT_SWAP = 1.0612931448647653, 1.2107356786384642, 1.344276229775178
NEAR = (
    np.array(
        [
            [5.0, -2.6, 0.4],
            [2.4, -0.5, -0.2],
            [1.0, -0.2, -0.9],
            [3.3, 3.2, -0.4],
            [-0.3, 2.3, -1.1],
            [-0.4, 3.5, -0.2],
            [1.0, -0.2, 3.0],
            [1.5, 0.5, 2.5],
            [-0.2, 0.5, 4.9],
        ]
    ),
    np.repeat([0, 1, 2], 3),
)
BATCH_HARD = [2.015061810428, 6.876725, 1.610643580988, 1.470104363646, 3.021287161976]
BATCH_HARD_SOFT = [1.995810791342, 6.716712620706, 1.632229766997, 1.525368367097, 2.883648400898]
SQUARED = {"metric": "sqeuclidean"}
CORNERS = (np.array([[1.0, 0], [0, 1], [0, 1]]), np.array([0, 0, 1]))  # a cosine is 0 or 1
TWINS = (np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([0, 0, 1]))
W = (np.array([[1, 0.2], [0.1, 1], [-0.6, 0.8], [0.3, 0.9], [-0.2, 0.1]]), np.array([0, 1, 2, 0, 1]))
PROXIES = "1/0.1/0.2/1/-1/0.3"

CASES: dict[str, list[Case]] = {
    "batch-all": [
        Case("the table, sum", "batch-all", A9, 165.0, reduction="sum"),
        Case("the table, all 116", "batch-all", A9, 1.42241, digits=5, reduction="mean"),
        Case("omoindrot's mean over the 57 above zero", "batch-all", A9, 2.89474, digits=5),
        Case("the table, squared", "batch-all", A9, 13.10526, digits=5, space=SQUARED),
        Case("the table, squared, all", "batch-all", A9, 6.43966, digits=5, reduction="mean", space=SQUARED),
        Case(PML, "batch-all:margin=0.2", A5, 0.165076, digits=6),
        Case(PML, "batch-all:margin=0.2", A5, 0.164933, digits=6, space={"normalize": True}),
        Case(PML, "batch-all:margin=0.2", A5, 0.161186, digits=6, space={"metric": "cosine"}),
        *printed("batch-all:margin=0.2", BATCH_ALL),
        *printed("batch-all:margin=0.2", BATCH_ALL_MEAN, reduction="mean"),
        *in_all_spaces("batch-all:margin=0.7", X, lambda d, y: mean_of_active(hinges(d, y, 0.7))),
        *in_all_spaces("batch-all", X, lambda d, y: mp.fsum(hinges(d, y, 1)), reduction="sum"),
        *in_all_spaces("batch-all:margin=0", X, lambda d, y: mean(hinges(d, y, 0)), reduction="mean"),
        Case(f"{PML}, smooth_loss", "batch-all:soft=true,margin=0.2", X, SOFT, digits=14),
        Case(f"{PML}, swap", "batch-all:swap=true,margin=0.2", X, SWAP, digits=14),
        Case(
            f"{PML}, both, MeanReducer",
            "batch-all:soft=true,swap=true,margin=0.2",
            X,
            SOFT_SWAP,
            digits=14,
            reduction="mean",
        ),
        Case("the table's 57 hard ones, ties among them, sum", "batch-all:mining=hard", A9, 165.0, reduction="sum"),
        *(
            Case(
                f"{PML}, its miner: {words}",
                f"batch-all:margin=0.2,mining={words}",
                X,
                number,
                digits=12,
                space={"normalize": normalize},
            )
            for words, normalize, number in (
                ("hard", False, 1.104569322176),
                ("hard,soft=true", False, 1.424246738203),
                ("hard,swap=true", True, 0.894821005095),
                ("semi-hard", False, 0.105297236069),
                ("semi-hard,soft=true", True, 0.744933169694),
                ("semi-hard,swap=true", False, 0.694099482759),
            )
        ),
        Case("a collapsed embedding is all ties", "batch-all:mining=hard", (np.ones((4, 2)), [0, 0, 1, 1]), 1.0),
        Case("nothing is hard", "batch-all:mining=hard", ([[0.0], [1], [9], [10]], [0, 0, 1, 1]), 0.0),
        Case("a collapsed embedding pays the margin", "batch-all:margin=0.2", (np.ones((4, 2)), [0, 0, 1, 1]), 0.2),
    ],
    "batch-hard": [
        Case(
            "by hand, the inner two", "batch-hard", ([[0.0], [1], [2], [3]], [0, 0, 1, 1]), 1.0, reduction="mean-active"
        ),
        Case("PML's rule of the table: anchors with positives", "batch-hard", A9, 4.125),
        Case(
            "by hand, the inner two are tied",
            "batch-hard:mining=hard",
            ([[0.0], [1], [2], [3]], [0, 0, 1, 1]),
            1.0,
        ),
        Case("the table, soft", "batch-hard:soft=true", A9, 3.18413, digits=5),
        Case("the table, squared", "batch-hard", A9, 20.625, space=SQUARED),
        Case(
            "the table, sum: nine times the mean of all rows, the lone one at 0",
            "batch-hard",
            A9,
            33.0,
            reduction="sum",
        ),
        Case("the table", "batch-hard:margin=0.2", A5, 0.12107, digits=5),
        Case("the table, squared", "batch-hard:margin=0.2", A5, 0.12973, digits=5, space=SQUARED),
        *printed("batch-hard:margin=0.2", BATCH_HARD),
        *printed("batch-hard:soft=true", BATCH_HARD_SOFT),
        *in_all_spaces(
            "batch-hard:margin=0.7", X, lambda d, y: mean([max(mp.mpf(0), gap + 0.7) for gap in hardest(d, y)])
        ),
        *in_all_spaces(
            "batch-hard:soft=true",
            X,
            lambda d, y: mp.fsum(mp.log1p(mp.exp(gap)) for gap in hardest(d, y)),
            reduction="sum",
        ),
        Case("a collapsed embedding pays log 2", "batch-hard:soft=true", (np.ones((4, 2)), [0, 0, 1, 1]), math.log(2)),
    ],
    "semi-hard": [
        Case(
            "by hand, three of four",
            "semi-hard",
            ([[0.0], [1], [1.5], [3]], [0, 0, 1, 1]),
            2 / 3,
            reduction="mean-active",
        ),
        Case("tensorflow-addons' rule of the table", "semi-hard", A9, 0.615385, digits=6),
        *(
            Case(
                f"a line of whole numbers, {fallback}",
                f"semi-hard:fallback={fallback}",
                A9,
                lambda fallback=fallback: mean(semi_hard(distances(A9[0], "euclidean", False), A9[1], 1, fallback)),
            )
            for fallback in ("easiest", "hardest", "drop")
        ),
        Case(
            "by hand, none beyond: the farthest",
            "semi-hard",
            ([[0.0], [5], [1], [3]], [0, 0, 1, 1]),
            (3 + 2 + 0 + 0) / 4,
        ),
        *(
            case
            for fallback in ("easiest", "hardest", "drop")
            for case in in_all_spaces(
                f"semi-hard:margin=0.7,fallback={fallback}",
                X,
                lambda d, y, fallback=fallback: mean(semi_hard(d, y, 0.7, fallback)),
            )
        ),
        *in_all_spaces("semi-hard", X, lambda d, y: mp.fsum(semi_hard(d, y, 1, "easiest")), reduction="sum"),
    ],
    "random-semi-hard": [
        *(
            case
            for seed in (0, 5)
            for case in in_all_spaces(
                f"random-semi-hard:margin=0.3,seed={seed}", ONE_NEGATIVE, lambda d, y: mean(of_band(d, y, 0.3))
            )
        ),
        Case(
            "the mean of many draws: 3 of 4 negatives are the nearer", "random-semi-hard:seed=9", CROWD, 0.625, digits=1
        ),
        *in_all_spaces("random-semi-hard", ONE_NEGATIVE, lambda d, y: mp.fsum(of_band(d, y, 1)), reduction="sum"),
        Case(
            "by hand, all of the band alike",
            "random-semi-hard:seed=3",
            ([[0.0], [1], [1.5], [1.5], [1.5]], [0, 0, 1, 1, 1]),
            0.5,
        ),
        Case("by hand, a pair without a band", "random-semi-hard", ([[0.0], [1], [1.5], [5]], [0, 0, 1, 1]), 0.5),
    ],
    "contrastive-pairs": [
        Case(
            "by hand, but for the far pair",
            "contrastive-pairs:margin=2.5",
            ([[0.0], [1], [3]], [0, 0, 1]),
            (0.5 + 0.125) / 2,
            reduction="mean-active",
        ),
        *(
            Case(
                f"scipy and torch, {metric}{', unit sphere' if normalize else ''}",
                f"contrastive-pairs:margin={margin}",
                X,
                lambda margin=margin, metric=metric, normalize=normalize: half_squares(*X, metric, normalize, margin),
                space={"metric": metric, "normalize": normalize},
            )
            for (metric, normalize), margin in zip(SPACES, (1.5, 4, 0.9, 1.2, 1.3), strict=True)
        ),
        Case(
            "scipy and torch, sum: each pair from both ends",
            "contrastive-pairs",
            X,
            lambda: 12 * 11 * half_squares(*X, "euclidean", False, 1),
            reduction="sum",
        ),
        Case("by hand", "contrastive-pairs:margin=2", ([[0.0], [1], [1.5]], [0, 0, 1]), (1 + 0.25 + 2.25) / 6),
        Case("nobody alike", "contrastive-pairs:margin=3", ([[0.0], [1], [2]], [0, 1, 2]), (4 + 4 + 1) / 6),
    ],
    "contrastive-pairs-sides": [
        *(
            Case(
                f"{PML}, power {2 if metric == 'sqeuclidean' else 1}{', its unit vectors' if normalize else ''}",
                "contrastive-pairs-sides:margin=1.5,margin_similar=0.2",
                X,
                number,
                digits=12,
                space={"metric": metric, "normalize": normalize},
            )
            for (metric, normalize), number in {
                ("euclidean", False): 2.393446404373,
                ("sqeuclidean", False): 5.789673684211,
                ("euclidean", True): 1.771940249578,
                ("sqeuclidean", True): 2.780148571965,
            }.items()
        ),
        *in_all_spaces(
            "contrastive-pairs-sides:margin=1.3,squared=true", X, lambda d, y: two_means(d, y, 1.3, lambda x: x * x / 2)
        ),
        Case("nobody alike", "contrastive-pairs-sides:margin=3", ([[0.0], [1], [2]], [0, 1, 2]), (2 + 2 + 1) / 3),
        Case("one class costs nothing any more", "contrastive-pairs-sides", (np.ones((3, 2)), [0, 0, 0]), 0.0),
    ],
    "multi-similarity": [
        Case(f"{PML}, without its lone row", "multi-similarity", LONE, 0.305958, digits=6),
        Case(PML, "multi-similarity", X, 1.729292827753, digits=12),
        Case(PML, "multi-similarity:alpha=1,beta=10,base=0.3", X, 2.396278351937, digits=12),
        Case(f"{PML}, its miner", "multi-similarity:mining=0.1", NEAR, 0.06158694278572013, digits=14),
        Case(f"{PML}, its miner, 0.3", "multi-similarity:mining=0.3", NEAR, 0.1534363577621703, digits=14),
        Case("anchor by anchor", "multi-similarity", X, lambda: mean(multi_similarity(*X, 2, 50, 0.5))),
        Case(
            "anchor by anchor, sum",
            "multi-similarity:alpha=3,beta=20,base=-0.25",
            X,
            lambda: mp.fsum(multi_similarity(*X, 3, 20, -0.25)),
            reduction="sum",
        ),
        Case(
            "by hand, at the base all exponents are 0",
            "multi-similarity:alpha=4,beta=5,base=0",
            ([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0, 1]),
            math.log(2) / 4 + math.log(2) / 5,
        ),
    ],
    "circle": [
        Case("Keras' Circle, lone row left out", "circle:gamma=80,margin=0.4", KERAS, 188.388, digits=3),
        Case("the table", "circle", KERAS, 652.762, digits=3),
        Case("the table", "circle:gamma=80,margin=0.4", A5, 51.1103, digits=4),
        Case(f"{PML}, without its lone row", "circle:gamma=80,margin=0.4", LONE, 7.562735, digits=6),
        Case(PML, "circle:gamma=80,margin=0.4", X, 233.136157032051, digits=12),
        Case(PML, "circle", X, 795.825304732576, digits=12),
        Case(PML, "circle:gamma=4,margin=0.1", X, 13.662520960108, digits=12),
        Case("pair by pair", "circle:gamma=4,margin=0.1", X, lambda: mean(circles(*X, gamma=4, margin=0.1))),
        Case("pair by pair, sum", "circle", X, lambda: mp.fsum(circles(*X, gamma=256, margin=0.25)), reduction="sum"),
        Case(
            "pair by pair, unified",
            "circle:gamma=7,margin=0.3,unified=true",
            X,
            lambda: mean(circles(*X, gamma=7, margin=0.3, unified=True)),
        ),
        Case(
            "by hand, a positive at a right angle",
            "circle",
            CORNERS,
            (256 * (-1 / 16 + 15 / 16) + 256 * (15 / 16 + 15 / 16)) / 2,
        ),
        Case(
            "by hand, unified is a softplus of the gap and the margin",
            "circle:gamma=2,margin=0.5,unified=true",
            TWINS,
            math.log1p(math.exp(2 * (-1 + 0.5))),
        ),
    ],
    "circle-class": [
        Case(f"{PML}, ref_emb", f"circle-class:class_weights={PROXIES}", W, 152.485778123850, digits=12),
        Case(
            f"{PML}, ref_emb",
            f"circle-class:class_weights={PROXIES},gamma=80,margin=0.4",
            W,
            37.924403502070,
            digits=12,
        ),
        Case(
            f"{PML}, ref_emb", f"circle-class:class_weights={PROXIES},gamma=4,margin=0.1", W, 3.170443686993, digits=12
        ),
        Case(
            "pair by pair, sum",
            f"circle-class:class_weights={PROXIES},gamma=4,margin=0.1",
            W,
            lambda: mp.fsum(class_circles(*W, [[1, 0.1], [0.2, 1], [-1, 0.3]], gamma=4, margin=0.1)),
            reduction="sum",
        ),
        Case(
            "torch, unified: cross-entropy of cosines with the margin off the true one",
            f"circle-class:class_weights={PROXIES},gamma=5,margin=0.2,unified=true",
            W,
            lambda: margin_softmax(*W, [[1, 0.1], [0.2, 1], [-1, 0.3]], gamma=5, margin=0.2),
        ),
        Case(
            "by hand, orthogonal classes",
            "circle-class:class_weights=1/0/0/1,gamma=8,margin=0.25",
            ([[3.0, 0.0]], [1]),
            lambda: mp.log1p(mp.exp(mp.mpf(8 * 15 * 2) / 16)),
        ),
    ],
    "info-nce": [
        Case(f"{PML}: NTXent with PerAnchorReducer", "info-nce", X, 10.300186920025, digits=12),
        Case(f"{PML}: NTXent with PerAnchorReducer", "info-nce:temperature=0.5", X, 3.077696484907, digits=12),
        Case(
            f"{PML}, 3/4 of it with the lone row at 0",
            "info-nce",
            THREE_AND_ONE,
            4.712510229397954 * 4 / 3,
        ),
        Case("torch, softmax by softmax", "info-nce", X, lambda: mean(map(mean, contrasts(*X, 0.1)))),
        Case(
            "torch, softmax by softmax, sum",
            "info-nce:temperature=0.3",
            X,
            lambda: math.fsum(map(mean, contrasts(*X, 0.3))),
            reduction="sum",
        ),
        Case("by hand", "info-nce:temperature=2", TWINS, math.log1p(math.exp(-0.5))),
        Case(
            "a collapsed embedding guesses",
            "info-nce",
            (np.ones((6, 2)), [0, 0, 1, 1, 1, 2]),
            (2 * math.log(5) + 3 * math.log(4)) / 5,
        ),
    ],
    "nt-xent": [
        Case("optax 0.2.8 and PML", "nt-xent", TWO_AND_TWO, 14.01032, digits=5),
        Case("lightly 1.6.0", "nt-xent:temperature=0.5", TWO_AND_TWO, 2.307216, digits=6),
        Case(PML, "nt-xent", THREE_AND_ONE, 8.968543856484597),
        Case(f"{PML}, a lone row", "nt-xent", LONE, 0.059693, digits=6),
        Case(PML, "nt-xent", X, 14.116030850201, digits=12),
        Case(PML, "nt-xent:temperature=0.5", X, 3.013496064043, digits=12),
        Case("torch, softmax by softmax", "nt-xent", X, lambda: mean(chain.from_iterable(contrasts(*X, 0.07)))),
        Case(
            "torch, softmax by softmax, sum",
            "nt-xent:temperature=0.3",
            X,
            lambda: math.fsum(chain.from_iterable(contrasts(*X, 0.3))),
            reduction="sum",
        ),
        Case("by hand", "nt-xent:temperature=2", TWINS, math.log1p(math.exp(-0.5))),
        Case(
            "a collapsed embedding guesses",
            "nt-xent",
            (np.ones((6, 2)), [0, 0, 1, 1, 1, 2]),
            (2 * math.log(5) + 6 * math.log(4)) / 8,
        ),
    ],
    "supcon": [
        Case(PML, "supcon", TWO_AND_TWO, 9.81444, digits=5),
        Case(PML, "supcon:temperature=0.07", THREE_AND_ONE, 10.672104379738704),
        Case(f"{PML}, a lone row left out", "supcon", LONE, 0.109376, digits=6),
        Case(PML, "supcon", X, 10.348362039389, digits=12),
        Case(PML, "supcon:temperature=0.5", X, 3.227186868001, digits=12),
        Case("torch, a soft target", "supcon", X, lambda: mean(against_everyone(*X, 0.1))),
        Case(
            "torch, a soft target, sum",
            "supcon:temperature=0.3",
            X,
            lambda: math.fsum(against_everyone(*X, 0.3)),
            reduction="sum",
        ),
        Case("by hand", "supcon:temperature=2", TWINS, math.log1p(math.exp(-0.5))),
        Case("a collapsed embedding guesses", "supcon", (np.ones((6, 2)), [0, 0, 1, 1, 1, 2]), math.log(5)),
    ],
}
