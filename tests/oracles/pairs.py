"""Pairs and triplets of a file: torch and scipy; what others have published."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import scipy.spatial.distance
import torch
import torch.nn.functional as F

from .case import Case, tensor
from .samples import LEFT, RIGHT, SAME, THIRD, T

A345 = (np.array([[0.0, 0.0]]), np.array([[0.6, 0.8]]), np.array([[0.3, 0.4]]))
TORCH_DISTANCES = {
    "euclidean": lambda a, b: torch.linalg.vector_norm(a - b, dim=1),
    "sqeuclidean": lambda a, b: F.mse_loss(a, b, reduction="none").sum(1),
    "cosine": lambda a, b: 1 - F.cosine_similarity(a, b, dim=1, eps=0.0),
    "minkowski:3": lambda a, b: F.pairwise_distance(a, b, p=3.0, eps=0.0),
    "angular": lambda a, b: torch.acos(F.cosine_similarity(a, b, dim=1, eps=0.0)),
    "dot": lambda a, b: -torch.linalg.vecdot(a, b),
}
SCIPY_DISTANCES = {
    "minkowski:3": lambda a, b: scipy.spatial.distance.minkowski(a, b, 3),
    "angular": lambda a, b: math.acos(1 - scipy.spatial.distance.cosine(a, b)),
}


def distances(metric: str) -> np.ndarray:
    distance = SCIPY_DISTANCES.get(metric) or getattr(scipy.spatial.distance, metric)
    return np.array([distance(a, b) for a, b in zip(LEFT, RIGHT, strict=True)])


def torch_triplet(metric: str, margin: float, swap: bool) -> Any:
    return F.triplet_margin_with_distance_loss(
        tensor(LEFT), tensor(RIGHT), tensor(THIRD), distance_function=TORCH_DISTANCES[metric], margin=margin, swap=swap
    )


def torch_soft_triplet(metric: str) -> Any:
    d = TORCH_DISTANCES[metric]
    gap = d(tensor(LEFT), tensor(THIRD)) - d(tensor(LEFT), tensor(RIGHT))
    return F.soft_margin_loss(gap, torch.ones_like(gap))


def torch_embedding(metric: str, margin: float) -> Any:
    """Similar pairs at their distance, others at the hinge: torch calls it a hinge embedding, of given distances."""
    return F.hinge_embedding_loss(tensor(distances(metric)), tensor(2 * SAME - 1), margin=margin)


def halved_squares(metric: str, margin: float) -> Any:
    """Contrastive as two half squared errors, against a distance of 0 and of the margin."""
    d = distances(metric)
    return F.mse_loss(tensor(d), tensor(np.where(SAME == 1, 0, np.maximum(d, margin)))) / 2


def sides(metric: str, margin: float, bound: float, squared: str) -> float:
    """The pairs of each kind that cost something, picked out one by one; the two means of their costs, added."""
    power = 2 if squared == "squared=true" else 1
    gaps: list[list[float]] = [[], []]
    for d, same in zip(distances(metric), SAME, strict=True):
        gap = d - bound if same == 1 else margin - d
        gaps[int(same == 1)] += [gap**power / power] if gap > 0 else []
    return sum(statistics.fmean(gap) for gap in gaps if gap)


SQUARED = [f"squared={word}" for word in ("true", "false", "true", "false", "true")]
METRICS = ("euclidean", "sqeuclidean", "cosine", "minkowski:3", "angular")
CASES = {
    "contrastive": [
        Case(
            "by hand, over the pairs that cost something",
            "contrastive",
            ([[0.0], [0], [0]], [[1.0], [3], [0.5]], [1, 0, 0]),
            (0.5 + 0.125) / 2,
            reduction="mean-active",
        ),
        Case("the table", "contrastive", T, 0.310833, digits=6),
        Case("the table, the paper's sum", "contrastive", T, 1.865, reduction="sum"),
        *(
            Case(
                f"torch and scipy, {metric}",
                f"contrastive:margin={margin},distance={metric}",
                (LEFT, RIGHT, SAME),
                lambda metric=metric, margin=margin: halved_squares(metric, margin),
            )
            for metric, margin in zip(METRICS, (4, 9, 0.8, 3, 1.5), strict=True)
        ),
        Case(
            "torch's pairwise_distance",
            "contrastive:eps=0.25",
            (LEFT, RIGHT, np.ones(30)),
            lambda: (F.pairwise_distance(tensor(LEFT), tensor(RIGHT), eps=0.25) ** 2 / 2).mean(),
        ),
        Case("by hand, similar", "contrastive", (*A345[:2], [1]), 0.5),
        Case("by hand, dissimilar", "contrastive:margin=2", (*A345[:2], [0]), 0.5),
        Case("by hand, labels -1", "contrastive:margin=3", (*A345[:2], [-1]), 2.0),
        Case("the same twice", "contrastive", (LEFT, LEFT, np.ones(30)), 0.0),
    ],
    "pairwise-ranking": [
        Case("the table, sum", "pairwise-ranking", T, 4.1, reduction="sum"),
        Case("the table", "pairwise-ranking", T, 0.683333, digits=6),
        *(
            Case(
                f"torch and scipy, {metric}",
                f"pairwise-ranking:margin={margin},distance={metric}",
                (LEFT, RIGHT, SAME),
                lambda metric=metric, margin=margin: torch_embedding(metric, margin),
            )
            for metric, margin in zip(METRICS, (4, 9, 0.8, 3, 1.5), strict=True)
        ),
        Case("by hand", "pairwise-ranking:margin=3", (*A345[:2], [0]), 2.0),
        Case("the same twice", "pairwise-ranking", (LEFT, LEFT, np.zeros(30)), 1.0),
    ],
    "contrastive-sides": [
        Case("by hand, pytorch-metric-learning's rule", "contrastive-sides", T, 1.633333, digits=6),
        Case("nobody costs anything", "contrastive-sides", ([[0.0], [0]], [[0.0], [2]], [1, 0]), 0.0),
        Case("one side costs nothing", "contrastive-sides", ([[0.0], [0]], [[0.5], [2]], [1, 0]), 0.5),
        Case(
            "torch's normalize and pairwise_distance",
            "contrastive-sides:normalize=true",
            (LEFT, RIGHT, np.ones(30)),
            lambda: F.pairwise_distance(F.normalize(tensor(LEFT)), F.normalize(tensor(RIGHT)), eps=0).mean(),
        ),
        *(
            Case(
                f"scipy, {metric}",
                f"contrastive-sides:margin={margin},margin_similar={bound},distance={metric},{squared}",
                (LEFT, RIGHT, SAME),
                lambda case=(metric, margin, bound, squared): sides(*case),
            )
            for metric, margin, bound, squared in zip(
                METRICS, (4, 9, 0.8, 3, 1.5), (3, 0, 0.5, 0, 1.2), SQUARED, strict=True
            )
        ),
    ],
    "triplet": [
        Case(
            "by hand, over the triplets that cost something",
            "triplet",
            ([[0.0], [0], [0]], [[1.0], [1], [1]], [[0.5], [3], [1]]),
            (1.5 + 1) / 2,
            reduction="mean-active",
        ),
        Case(
            "torch, sum",
            "triplet",
            (LEFT, RIGHT, THIRD),
            lambda: 30 * torch_triplet("euclidean", 1, False),
            reduction="sum",
        ),
        *(
            Case(
                f"torch, {metric}",
                f"triplet:margin=0.7,distance={metric},swap={swap}",
                (LEFT, RIGHT, THIRD),
                lambda metric=metric, swap=swap: torch_triplet(metric, 0.7, swap),
            )
            for metric in TORCH_DISTANCES
            for swap in (False, True)
        ),
        *(
            Case(
                f"torch, soft, {metric}",
                f"triplet:soft=true,distance={metric}",
                (LEFT, RIGHT, THIRD),
                lambda metric=metric: torch_soft_triplet(metric),
            )
            for metric in TORCH_DISTANCES
        ),
        *(
            Case(
                f"torch, eps in the differences, p {p}",
                f"triplet:eps=0.25,distance={metric},swap={swap}",
                (LEFT, RIGHT, THIRD),
                lambda p=p, swap=swap: F.triplet_margin_loss(
                    tensor(LEFT), tensor(RIGHT), tensor(THIRD), p=p, eps=0.25, swap=swap
                ),
            )
            for metric, p in (("euclidean", 2), ("manhattan", 1), ("minkowski:3", 3))
            for swap in (False, True)
        ),
        Case("by hand, eps under the root", "triplet:eps=9,eps_in=root", ([[0.0]], [[4.0]], [[0.0]]), 5 - 3 + 1),
        Case(
            "by hand, eps under the cube root",
            "triplet:eps=19,eps_in=root,distance=minkowski:3",
            ([[0.0]], [[2.0]], [[-2.0]]),
            1.0,
        ),
        Case("by hand", "triplet", A345, 1.5),
        Case("by hand, easy", "triplet:margin=0.25", (A345[0], A345[2], A345[1]), 0.0),
        Case("by hand, on the boundary", "triplet:margin=0.5", ([[0.0]], [[1.0]], [[1.5]]), 0.0),
        Case("by hand, swapped", "triplet:swap=true", ([[0.0]], [[1.0]], [[1.5]]), 1.5),
        Case("a collapsed embedding pays the margin", "triplet:margin=0.2", (LEFT, LEFT, LEFT), 0.2),
        Case("a collapsed embedding pays log 2", "triplet:soft=true", (LEFT, LEFT, LEFT), math.log(2)),
    ],
}
