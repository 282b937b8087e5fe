"""Losses of a set anchor by anchor, every triplet and pair one by one: mpmath numbers of 40 digits, torch, scipy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import scipy.spatial.distance
import torch
import torch.nn.functional as F

from .case import index, tensor

mp = mpmath.MPContext()
mp.dps = 40


def neighbours(label: Any) -> Iterator[tuple[int, list[int], list[int]]]:
    """Each anchor that has both, with its positives and its negatives."""
    label = list(label)
    for a, own in enumerate(label):
        positives = [j for j, other in enumerate(label) if other == own and j != a]
        negatives = [j for j, other in enumerate(label) if other != own]
        if positives and negatives:
            yield a, positives, negatives


def unit(row: list[Any]) -> list[Any]:
    length = mp.sqrt(mp.fdot(row, row))
    return [v / length for v in row]


def distances(emb: Any, metric: str, normalize: bool) -> list[list[Any]]:
    rows = [[mp.mpf(float(v)) for v in row] for row in emb]
    if normalize or metric == "cosine":
        rows = [unit(row) for row in rows]
    if metric == "cosine":
        return [[1 - mp.fdot(a, b) for b in rows] for a in rows]
    squares = [[mp.fsum((u - v) ** 2 for u, v in zip(a, b, strict=True)) for b in rows] for a in rows]
    return squares if metric == "sqeuclidean" else [[mp.sqrt(square) for square in row] for row in squares]


def hinges(d: list[list[Any]], label: Any, margin: float) -> list[Any]:
    """What every triplet costs."""
    return [
        max(mp.mpf(0), d[a][p] - d[a][n] + margin)
        for a, positives, negatives in neighbours(label)
        for p in positives
        for n in negatives
    ]


def hardest(d: list[list[Any]], label: Any) -> list[Any]:
    """By how much the farthest positive of each anchor is beyond its nearest negative."""
    return [
        max(d[a][p] for p in positives) - min(d[a][n] for n in negatives)
        for a, positives, negatives in neighbours(label)
    ]


def mean_of_active(terms: list[Any]) -> Any:
    return mp.fsum(terms) / sum(1 for term in terms if term > 0)


def semi_hard(d: list[list[Any]], label: Any, margin: float, fallback: str) -> list[Any]:
    """What every positive pair costs with the nearest negative beyond it."""
    terms = []
    for a, positives, negatives in neighbours(label):
        for p in positives:
            ranked = sorted(d[a][n] for n in negatives)
            beyond = [d_an for d_an in ranked if d_an > d[a][p]]
            if not beyond and fallback == "drop":
                continue
            d_an = beyond[0] if beyond else ranked[-1 if fallback == "easiest" else 0]
            terms.append(max(mp.mpf(0), d[a][p] - d_an + margin))
    return terms


def of_band(d: list[list[Any]], label: Any, margin: float) -> list[Any]:
    """What every positive pair costs whose band between d_ap and d_ap + margin holds one distance, whoever is drawn."""
    terms = []
    for a, positives, negatives in neighbours(label):
        for p in positives:
            band = {d[a][n] for n in negatives if d[a][p] < d[a][n] < d[a][p] + margin}
            assert len(band) <= 1
            terms += [d[a][p] - d_an + margin for d_an in band]
    return terms


# --- similarities


def cosines(emb: Any) -> torch.Tensor:
    return F.cosine_similarity(tensor(emb)[:, None], tensor(emb)[None], dim=2, eps=0.0)


def contrasts(emb: Any, label: Any, temperature: float) -> list[list[float]]:
    """torch's cross-entropy of each positive as the one right answer among the negatives, anchor by anchor."""
    s = cosines(emb) / temperature
    return [
        [float(F.cross_entropy(torch.cat([s[a, [p]], s[a, negatives]]), index(0))) for p in positives]
        for a, positives, negatives in neighbours(label)
    ]


def against_everyone(emb: Any, label: Any, temperature: float) -> list[float]:
    """torch's cross-entropy of everyone else against a target that is uniform over the anchor's positives."""
    s = cosines(emb) / temperature
    losses = []
    for a, positives, negatives in neighbours(label):
        share = torch.tensor([1 / len(positives)] * len(positives) + [0.0] * len(negatives), dtype=torch.float64)
        losses.append(float(F.cross_entropy(s[a, positives + negatives], share)))
    return losses


def similarities(emb: Any) -> list[list[Any]]:
    return [[1 - d for d in row] for row in distances(emb, "cosine", False)]


def two_means(d: list[list[Any]], label: Any, margin: float, power: Callable[[Any], Any]) -> Any:
    """Of the pairs of a class that are apart, and of the other pairs nearer than the margin: two means, added."""
    pairs = list(itertools.combinations(range(len(label)), 2))
    pull = [d[i][j] for i, j in pairs if label[i] == label[j] and d[i][j] > 0]
    push = [margin - d[i][j] for i, j in pairs if label[i] != label[j] and d[i][j] < margin]
    return mp.fsum(mp.fsum(map(power, side)) / len(side) for side in (pull, push) if side)


def multi_similarity(emb: Any, label: Any, alpha: float, beta: float, base: float) -> list[Any]:
    s = similarities(emb)
    return [
        mp.log(1 + mp.fsum(mp.exp(-alpha * (s[a][p] - base)) for p in positives)) / alpha
        + mp.log(1 + mp.fsum(mp.exp(beta * (s[a][n] - base)) for n in negatives)) / beta
        for a, positives, negatives in neighbours(label)
    ]


def circle(own: list[Any], others: list[Any], gamma: float, margin: float, unified: bool = False) -> Any:
    """The paper's sum over all pairs of a positive and a negative similarity, (1) unified and (6) with weights."""
    m = mp.mpf(margin)

    def exponent(s_p: Any, s_n: Any) -> Any:
        if unified:
            return s_n - s_p + m
        return max(mp.mpf(0), s_n + m) * (s_n - m) - max(mp.mpf(0), 1 + m - s_p) * (s_p - 1 + m)

    return mp.log(1 + mp.fsum(mp.exp(gamma * exponent(s_p, s_n)) for s_p in own for s_n in others))


def circles(emb: Any, label: Any, **options: Any) -> list[Any]:
    s = similarities(emb)
    return [
        circle([s[a][p] for p in positives], [s[a][n] for n in negatives], **options)
        for a, positives, negatives in neighbours(label)
    ]


def class_circles(emb: Any, label: Any, weights: Any, **options: Any) -> list[Any]:
    rows = len(emb)
    s = [row[rows:] for row in similarities([*emb, *weights])[:rows]]
    return [
        circle([row[own]], [v for k, v in enumerate(row) if k != own], **options)
        for row, own in zip(s, label, strict=True)
    ]


def margin_softmax(emb: Any, label: Any, weights: Any, gamma: float, margin: float) -> float:
    """torch's cross-entropy of cosines with the classes, the margin taken off the true one."""
    x, w = (F.normalize(torch.tensor(np.asarray(rows, dtype=float))) for rows in (emb, weights))
    own = F.one_hot(torch.tensor(np.asarray(label)), len(w)).double()
    return float(F.cross_entropy(gamma * (x @ w.T - margin * own), torch.tensor(np.asarray(label))))


# --- pairs


def half_squares(emb: Any, label: Any, metric: str, normalize: bool, margin: float) -> Any:
    """scipy's distances of all pairs; each half a squared error, from 0 within a class, from the margin across."""
    x = np.asarray(emb)
    x = x / np.linalg.norm(x, axis=1)[:, None] if normalize else x
    d = scipy.spatial.distance.pdist(x, metric)
    same = np.array([label[i] == label[j] for i in range(len(x)) for j in range(i + 1, len(x))])
    return F.mse_loss(tensor(d), tensor(np.where(same, 0, np.maximum(d, margin)))) / 2
