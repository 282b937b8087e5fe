"""Are the answers right: those of a few anchors against float64, by the sum of (a - b)^2 and nothing cleverer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .inputs import Inputs

SAMPLE = 64  # anchors that are looked at, fewer where that would take long
LOOKED_AT = 1 << 31  # coordinates
ROWS = 1 << 15  # at a time


@dataclass(frozen=True)
class Picks:
    """Mined triplets, of shape (M,): rows of the set, and the distances as the kernel has them."""

    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    d_ap: np.ndarray
    d_an: np.ndarray


@dataclass(frozen=True)
class AnswerSums:
    """What the triplets of each anchor add up to, of shape (S,). counts: (S, 3), easy, semi-hard, hard."""

    anchor: np.ndarray
    loss: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Correctness:
    """How right an answer is.

    error: the largest, of a distance, or of an anchor's mean loss
    wrong: picks that are not the right ones, or triplets that must be in another category
    checked: how many picks, or triplets, were looked at
    """

    error: float
    wrong: int
    checked: int


def sample(n: int, dim: int) -> np.ndarray:
    """Rows spread over a set of n points of dim coordinates."""
    count = max(4, min(SAMPLE, LOOKED_AT // (n * dim), n))
    return np.unique(np.linspace(0, n - 1, count).astype(np.int64))


def distances(inputs: Inputs, row: int) -> np.ndarray:
    """(N,) distances from one row to all, in float64."""
    x, anchor = inputs.embeddings, inputs.embeddings[row].astype(np.float64)
    lengths = np.empty(len(x))
    for k in range(0, len(x), ROWS):
        difference = x[k : k + ROWS] - anchor
        lengths[k : k + ROWS] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return lengths


def judge_sums(inputs: Inputs, answer: AnswerSums, margin: float) -> Correctness:
    """The sums of all triplets of the sampled anchors."""
    error, wrong, checked = 0.0, 0, 0
    for row, loss, counts in zip(answer.anchor, answer.loss, answer.counts, strict=True):
        d_ap, d_an = _sides(inputs, int(row), distances(inputs, int(row)))
        nearest = np.sort(d_an)
        hard, active = nearest.searchsorted(d_ap, "right"), nearest.searchsorted(d_ap + margin, "left")
        sums = np.concatenate([[0.0], np.cumsum(nearest)])
        triplets = len(d_ap) * len(d_an)
        truth = float((active * (d_ap + margin) - sums[active]).sum())
        right = np.array([triplets - active.sum(), (active - hard).sum(), hard.sum()])
        error = max(error, abs(float(loss) - truth) / max(triplets, 1))
        wrong += int(np.abs(counts - right).sum()) // 2
        checked += triplets
    return Correctness(error, wrong, checked)


def _sides(inputs: Inputs, row: int, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the distances d from one row, those to its positives and those to its negatives."""
    same = inputs.labels == inputs.labels[row]
    negatives, same[row] = d[~same], False
    return d[same], negatives


def judge_hardest(inputs: Inputs, answer: Picks) -> Correctness:
    """The farthest positive and the nearest negative of the sampled anchors."""
    error, wrong = 0.0, 0
    for row, positive, negative, d_ap, d_an in _each(answer):
        d = distances(inputs, row)
        to_positives, to_negatives = _sides(inputs, row, d)
        farthest, nearest = to_positives.max(), to_negatives.min()
        wrong += int(d[positive] != farthest) + int(d[negative] != nearest)
        error = max(error, abs(d_ap - farthest), abs(d_an - nearest))
    return Correctness(float(error), wrong, 2 * len(answer.anchor))


def judge_semi_hard(inputs: Inputs, answer: Picks, rows: np.ndarray) -> Correctness:
    """For each positive of the sampled rows the nearest negative beyond it, or the farthest where none is beyond."""
    error, wrong, pairs = 0.0, 0, 0
    for row in rows.tolist():
        d = distances(inputs, row)
        to_positives, negatives = _sides(inputs, row, d)
        nearest = np.sort(negatives)
        mine = answer.anchor == row
        lengths = d[answer.positive[mine]], d[answer.negative[mine]]
        beyond = nearest.searchsorted(lengths[0], "right").clip(max=len(nearest) - 1)
        wrong += int((nearest[beyond] != lengths[1]).sum()) + abs(len(to_positives) - int(mine.sum()))
        error = max([error, *abs(answer.d_ap[mine] - lengths[0]), *abs(answer.d_an[mine] - nearest[beyond])])
        pairs += len(to_positives)
    return Correctness(float(error), wrong, pairs)


def _each(answer: Picks) -> zip[tuple[int, int, int, float, float]]:
    return zip(
        answer.anchor.tolist(), answer.positive.tolist(), answer.negative.tolist(), answer.d_ap.tolist(),
        answer.d_an.tolist(), strict=True,
    )  # fmt: skip
