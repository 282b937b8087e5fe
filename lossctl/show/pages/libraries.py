"""Why libraries print different numbers for one loss: the same small input, each rule with the number it gives.

The numbers are calculated when they are shown. Which library follows which rule was found by running it, or by reading
its source; `tests/test_pages.py` holds the numbers that were measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import exp, inf, log, log1p
from typing import NamedTuple


class Rule(NamedTuple):
    """One rule: what it does, who follows it, and the number it gives."""

    rule: str
    who: str
    value: float


class Comparison(NamedTuple):
    """One input and the rules that disagree on it."""

    data: str
    rules: tuple[Rule, ...]


COMPARISONS: dict[str, Callable[[], Comparison]] = {}


def comparison(name: str) -> Comparison | None:
    """How libraries differ on a loss, None where nothing is known."""
    return COMPARISONS[name]() if name in COMPARISONS else None


def _of(*names: str) -> Callable[[Callable[[], Comparison]], Callable[[], Comparison]]:
    def keep(function: Callable[[], Comparison]) -> Callable[[], Comparison]:
        COMPARISONS.update(dict.fromkeys(names, function))
        return function

    return keep


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _relu(x: float) -> float:
    return max(x, 0.0)


def _softplus(x: float) -> float:
    return max(x, 0.0) + log1p(exp(-abs(x)))


# --- pairs

DISTANCES, SAME = (0.1, 0.3, 1.3, 0.7, 1.1, 0.5), (0, 0, 1, 1, 0, 1)


@_of("contrastive", "pairwise-ranking")
def _contrastive() -> Comparison:
    pairs = list(zip(DISTANCES, SAME, strict=True))
    squared = [d * d if same else _relu(1 - d) ** 2 for d, same in pairs]
    plain = [d if same else _relu(1 - d) for d, same in pairs]
    far = [_relu(1 - d) for d, same in pairs if not same]
    separate = _mean(d for d, same in pairs if same) + _mean(value for value in far if value)
    legacy = [d * d if same else _relu(1 - d * d) for d, same in pairs]
    return Comparison(
        f"d = {DISTANCES}, same = {SAME}, margin 1",
        (
            Rule("half the squares, mean", "contrastive; Caffe, sentence-transformers", _mean(squared) / 2),
            Rule("the squares, mean", "tensorflow-addons", _mean(squared)),
            Rule("half the squares, sum", "Hadsell et al. (there y = 0 is similar)", sum(squared) / 2),
            Rule("not squared, mean", "pairwise-ranking; torch HingeEmbeddingLoss", _mean(plain)),
            Rule("not squared, mean of similar + mean of active dissimilar", "pytorch-metric-learning", separate),
            Rule("half of [margin - d^2]+ for dissimilar", "Caffe legacy_version", _mean(legacy) / 2),
        ),
    )


# --- embeddings, on the points 0, 1, ..., 8 of a line

LABELS = (0, 0, 1, 1, 0, 2, 1, 1, 1)


def _positives(a: int) -> list[int]:
    return [abs(a - p) for p, label in enumerate(LABELS) if label == LABELS[a] and p != a]


def _negatives(a: int) -> list[int]:
    return [abs(a - n) for n, label in enumerate(LABELS) if label != LABELS[a]]


LINE = f"embeddings 0, 1, ..., 8 of one dimension, labels {LABELS}, margin 1, Euclidean"


@_of("batch-all")
def _batch_all() -> Comparison:
    terms = [_relu(p - n + 1.0) for a in range(9) for p in _positives(a) for n in _negatives(a)]
    squared = [_relu(p * p - n * n + 1.0) for a in range(9) for p in _positives(a) for n in _negatives(a)]
    return Comparison(
        LINE,
        (
            Rule("mean of the terms above 0", "batch-all; pytorch-metric-learning", _mean(t for t in terms if t)),
            Rule("mean of all terms", "batch-all -r mean", _mean(terms)),
            Rule("sum", "batch-all -r sum; Hermans et al.", sum(terms)),
            Rule("squared distances, mean of the terms above 0", "FaceNet's distance", _mean(t for t in squared if t)),
        ),
    )


@_of("batch-hard")
def _batch_hard() -> Comparison:
    rows = [(_positives(a), _negatives(a)) for a in range(9)]
    anchors = [(p, n) for p, n in rows if p]
    return Comparison(
        LINE,
        (
            Rule(
                "anchors with a positive",
                "batch-hard; pytorch-metric-learning",
                _mean(_hardest(p, n) for p, n in anchors),
            ),
            Rule(
                "all rows, a lone one with d_ap = 0", "tensorflow-addons", _mean(_hardest(p or [0], n) for p, n in rows)
            ),
            Rule("soft", "batch-hard --soft", _mean(_softplus(max(p) - min(n)) for p, n in anchors)),
            Rule(
                "the farthest negative, never right",
                "a slip in tutorials",
                _mean(_relu(max(p) - max(n) + 1) for p, n in anchors),
            ),
        ),
    )


def _hardest(positives: Sequence[int], negatives: Sequence[int]) -> float:
    return _relu(max(positives) - min(negatives) + 1.0)


@_of("semi-hard")
def _semi_hard() -> Comparison:
    pairs = [(p, _negatives(a)) for a in range(9) for p in _positives(a)]
    return Comparison(
        LINE,
        (
            Rule("the farthest negative where none is beyond", "semi-hard; tensorflow-addons", _beyond(pairs, max)),
            Rule("the nearest negative there", "semi-hard --fallback hardest", _beyond(pairs, min)),
            Rule(
                "such pairs dropped",
                "semi-hard --fallback drop",
                _beyond([one for one in pairs if one[0] < max(one[1])], max),
            ),
        ),
    )


def _beyond(pairs: Sequence[tuple[int, list[int]]], otherwise: Callable[[list[int]], int]) -> float:
    chosen = ((p, min((n for n in negatives if n > p), default=otherwise(negatives))) for p, negatives in pairs)
    return _mean(_relu(p - n + 1.0) for p, n in chosen)


# --- classification

LOGITS = (1.5, -2.7, 2.9, -3.8, 1.2, -4.5)
TRUTHS = (1, 1, 0, 0, 1, 0)


@_of("focal")
def _focal() -> Comparison:
    signed = [x if y else -x for x, y in zip(LOGITS, TRUTHS, strict=True)]
    terms = [_softplus(-x) / (1 + exp(x)) ** 2 for x in signed]
    weighted = [t * (0.25 if y else 0.75) for t, y in zip(terms, TRUTHS, strict=True)]
    reversed_ = [t * (0.75 if y else 0.25) for t, y in zip(terms, TRUTHS, strict=True)]
    return Comparison(
        f"logits = {LOGITS}, labels = {TRUTHS}, gamma 2",
        (
            Rule("no alpha, mean", "focal; keras, optax, fvcore", _mean(terms)),
            Rule("alpha 0.25 for label 1, 0.75 for 0", "focal --alpha 0.25; torchvision", _mean(weighted)),
            Rule("that, divided by the positives", "-r positives; RetinaNet", sum(weighted) / sum(TRUTHS)),
            Rule("alpha 0.25 for both labels", "some copies", 0.25 * _mean(terms)),
            Rule("alpha 0.25 for label 0", "some copies", _mean(reversed_)),
        ),
    )


@_of("bce", "log-loss")
def _bce() -> Comparison:
    labels, probs = (1, 0, 1, 0), (1, 1, 1, 0)

    def clipped(eps: float) -> float:
        inside = (min(max(p, eps), 1 - eps) for p in probs)
        return _mean(-log(p if y else 1 - p) for p, y in zip(inside, labels, strict=True))

    return Comparison(
        f"prob = {probs}, label = {labels}: certain, and once wrong",
        (
            Rule("exact", "bce", inf),
            Rule("log clamped at -100", "torch", 100 / 4),
            Rule("p clipped by the float64 epsilon", "scikit-learn on float64", clipped(2.0**-52)),
            Rule("p clipped by 1e-7", "keras on float64; bce --clip 1e-7", clipped(1e-7)),
        ),
    )


@_of("cross-entropy")
def _cross_entropy() -> Comparison:
    logits, weights = ((8, 1, 1), (0, 9, 1), (2, 3, 5)), (1, 2, 4)
    terms = [log(sum(exp(x - row[k]) for x in row)) for k, row in enumerate(logits)]
    weighted = sum(w * term for w, term in zip(weights, terms, strict=True))
    smooth = [log(sum(exp(x) for x in row)) - 0.9 * row[k] - 0.1 * _mean(row) for k, row in enumerate(logits)]
    return Comparison(
        f"logits = {logits}, label = (0, 1, 2)",
        (
            Rule("no weights", "cross-entropy", _mean(terms)),
            Rule(
                "weights 1/2/4, mean by the sum of weights", "--class-weights 1/2/4; torch, scikit-learn", weighted / 7
            ),
            Rule("weights 1/2/4, mean by n", "keras sample_weight", weighted / 3),
            Rule("label smoothing 0.1, eps/K on every class", "--label-smoothing 0.1; torch, keras", _mean(smooth)),
        ),
    )


@_of("multiclass-hinge")
def _multiclass_hinge() -> Comparison:
    scores, labels = ((0.5, 0.2, 0.1), (0.3, 1.2, -0.4), (1.0, 0.1, 0.6)), (0, 1, 2)
    gaps = [[_relu(1 + s - row[k]) for j, s in enumerate(row) if j != k] for row, k in zip(scores, labels, strict=True)]
    return Comparison(
        f"scores = {scores}, label = {labels}",
        (
            Rule("the best rival", "crammer-singer; scikit-learn, optax", _mean(max(row) for row in gaps)),
            Rule("all rivals", "--kind weston-watkins", _mean(sum(row) for row in gaps)),
            Rule("all rivals, divided by C", "torch MultiMarginLoss", _mean(sum(row) / 3 for row in gaps)),
        ),
    )


# --- regression, divergence, ranking


@_of("mse")
def _mse() -> Comparison:
    errors = (0.5, 1.5, 2.5, 2.0)
    squares = [error * error for error in errors]
    return Comparison(
        f"errors = {errors}",
        (Rule("squares", "mse; torch, keras, scikit-learn", _mean(squares)),
         Rule("half of them", "optax l2_loss, MXNet L2Loss", _mean(squares) / 2)),
    )  # fmt: skip


@_of("huber", "smooth-l1")
def _huber() -> Comparison:
    errors = (0.2, 1.0, 3.0)
    huber = [min(e, 0.5) * (e - min(e, 0.5) / 2) for e in errors]
    return Comparison(
        f"errors = {errors}, delta = beta = 0.5",
        (
            Rule("delta (|e| - delta/2) beyond delta", "huber; torch HuberLoss, keras", _mean(huber)),
            Rule("that, divided by beta", "smooth-l1; torch SmoothL1Loss", _mean(huber) / 0.5),
            Rule(
                "delta^2 (sqrt(1 + (e/delta)^2) - 1)",
                "pseudo-Huber",
                _mean(0.25 * ((1 + 4 * e * e) ** 0.5 - 1) for e in errors),
            ),
        ),
    )


@_of("kl")
def _kl() -> Comparison:
    p, q = ((0.5, 0.3, 0.2), (0.1, 0.6, 0.3)), ((0.4, 0.4, 0.2), (0.3, 0.4, 0.3))
    rows = [_divergence(a, b) for a, b in zip(p, q, strict=True)]
    back = [_divergence(b, a) for a, b in zip(p, q, strict=True)]
    return Comparison(
        f"P = {p}, Q = {q}",
        (
            Rule("mean of KL(P || Q) over rows", "kl; keras, torch batchmean", _mean(rows)),
            Rule("mean over elements", "torch kl_div by default", sum(rows) / 6),
            Rule("sum", "kl -r sum; torch sum", sum(rows)),
            Rule("the other way round, KL(Q || P)", "arguments swapped", _mean(back)),
        ),
    )


def _divergence(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True))


@_of("ranknet")
def _ranknet() -> Comparison:
    scores = (0.6, 0.8, 0.1, 0.4)
    terms = [_softplus(b - a) for a, b in combinations(scores, 2)]
    return Comparison(
        f"one list, score = {scores}, relevance = (3, 2, 1, 0)",
        (
            Rule("sum over the pairs of a list", "ranknet", sum(terms)),
            Rule("mean over pairs", "ranknet --per pair", _mean(terms)),
            Rule("divided by the length of the list", "TF-Ranking's Keras class", sum(terms) / 4),
        ),
    )
