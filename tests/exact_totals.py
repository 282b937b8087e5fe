"""Losses that are one number of all rows, from their definitions in mpmath, on inputs that cost programs digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import mpmath as mp
import numpy as np
from exact_losses import exact
from exact_views import WHOLE_REFERENCES

from lossctl.api import calls
from lossctl.language import registry

BITS = 1200
List = list[Any]  # of mpmath numbers


@dataclass(frozen=True)
class TotalCase:
    """Rows that are hard in one way. is_logit: whether the predictions are logits"""

    what: str
    spec: str
    inputs: tuple[np.ndarray, ...]
    is_logit: bool = False

    @property
    def loss(self) -> str:
        return self.spec.partition(":")[0]


# --- references


def mean(x: List) -> Any:
    return mp.fsum(x) / len(x)


def square_sum(x: List) -> Any:
    return mp.fdot(x, x)


def apart(a: List, b: List) -> List:
    return [x - y for x, y in zip(a, b, strict=True)]


def centred(x: List) -> List:
    return [value - mean(x) for value in x]


def relative_squared_error(p: List, y: List) -> Any:
    return square_sum(apart(p, y)) / square_sum(centred(y))


def r2(p: List, y: List) -> Any:
    return 1 - relative_squared_error(p, y)


def minkowski(pred: List, target: List, p: float) -> Any:
    return mp.fsum(abs(e) ** mp.mpf(p) for e in apart(pred, target)) ** (1 / mp.mpf(p))


def nrmse(p: List, y: List, normalization: str) -> Any:
    size = {"mean": lambda: abs(mean(y)), "std": lambda: mp.sqrt(square_sum(centred(y)) / len(y))}.get(
        normalization, lambda: mp.sqrt(square_sum(y))
    )
    return mp.sqrt(square_sum(apart(p, y)) / len(y)) / size()


def wmape(p: List, y: List) -> Any:
    return mp.fsum(map(abs, apart(p, y))) / mp.fsum(map(abs, y))


def rmsse(p: List, q: List, y: List) -> Any:
    return mp.sqrt(mp.fsum(e**2 / v for e, v in zip(apart(p, y), q, strict=True)) / len(y))


def owa(p: List, b: List, q: List, y: List) -> Any:
    shares = []
    for cost in (lambda x, v, s: 2 * abs(x - v) / (abs(x) + abs(v)), lambda x, v, s: abs(x - v) / s):
        own, other = (mp.fsum(cost(*row) for row in zip(x, y, q, strict=True)) for x in (p, b))
        shares.append(own / other)
    return mean(shares)


def silog(p: List, y: List, share: float) -> Any:
    d = [mp.log(a / b) for a, b in zip(p, y, strict=True)]
    return mp.sqrt(square_sum(d) / len(d) - mp.mpf(share) * mean(d) ** 2)


def calibration_error(p: List, y: List, bins: int, closed: str) -> Any:
    """With the edges that b / bins rounds to, so that 0.3 is an edge of ten bins."""
    edges = [mp.mpf(b / bins) for b in range(1, bins)]
    beyond = {"right": lambda x: sum(x > e for e in edges), "left": lambda x: sum(x >= e for e in edges)}[closed]
    gaps: dict[int, List] = {}
    for chance, hit in zip(p, y, strict=True):
        gaps.setdefault(beyond(chance), []).append(hit - chance)
    return mp.fsum(abs(mp.fsum(gap)) for gap in gaps.values()) / len(p)


def bits_per_byte(nll: List, size: List) -> Any:
    return mp.fsum(nll) / (mp.log(2) * mp.fsum(size))


def regions(p: List, y: List) -> tuple[Any, Any, Any, Any]:
    """What is rightly inside, wrongly inside, wrongly outside, rightly outside."""
    sides = [(a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b)) for a, b in zip(p, y, strict=True)]
    return tuple(map(mp.fsum, zip(*sides, strict=True)))  # type: ignore[return-value]


def tversky(p: List, y: List, alpha: float, beta: float, smooth: float) -> Any:
    inside, wrongly, missed, _ = regions(p, y)
    lost = mp.mpf(alpha) * wrongly + mp.mpf(beta) * missed
    return lost / (inside + lost + mp.mpf(smooth))


def focal_tversky(p: List, y: List, alpha: float, beta: float, gamma: float, smooth: float) -> Any:
    return tversky(p, y, alpha, beta, smooth) ** mp.mpf(gamma)


def dice(p: List, y: List, smooth: float) -> Any:
    return tversky(p, y, 0.5, 0.5, mp.mpf(smooth) / 2)


def jaccard(p: List, y: List, smooth: float) -> Any:
    return tversky(p, y, 1, 1, smooth)


def dice_squared(p: List, y: List, smooth: float) -> Any:
    return square_sum(apart(p, y)) / (square_sum(p) + mp.fsum(y) + mp.mpf(smooth))


def dice_bce(p: List, y: List, dice_weight: float, bce_weight: float) -> Any:
    surprise = -mean([mp.log(a if b else 1 - a) for a, b in zip(p, y, strict=True)])
    return mp.mpf(dice_weight) * dice(p, y, 0) + mp.mpf(bce_weight) * surprise


def mcc(p: List, y: List, smooth: float) -> Any:
    tp, fp, fn, tn = (count + mp.mpf(smooth) for count in regions(p, y))
    return 1 - (tp * tn - fp * fn) / mp.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


def generalized_dice(probs: list[List], label: List, ignore_index: None = None) -> Any:
    columns = list(zip(*probs, strict=True))
    truths = [[int(y == c) for y in label] for c in range(len(columns))]
    weights = [1 / mp.mpf(sum(truth)) ** 2 for truth in truths]
    missed = [mp.fsum(abs(y - p) for p, y in zip(*pair, strict=True)) for pair in zip(columns, truths, strict=True)]
    sizes = [mp.fsum(p) + sum(y) for p, y in zip(columns, truths, strict=True)]
    return mp.fdot(weights, missed) / mp.fdot(weights, sizes)


def weighted_kappa(probs: list[List], label: List, weights: str, take_log: bool, eps: float) -> Any:
    power = 1 if weights == "linear" else 2
    far = mp.fsum(abs(y - j) ** power * p for y, row in zip(label, probs, strict=True) for j, p in enumerate(row))
    chance = mp.fsum(abs(y - j) ** power * p for y in label for row in probs for j, p in enumerate(row))
    return far * len(label) / chance


def fading(x: Any, gamma: Any) -> Any:
    """(1 - x)^gamma of -log x."""
    return -((1 - x) ** mp.mpf(gamma)) * mp.log(x)


def dice_focal(p: List, y: List, gamma: float, dice_weight: float, focal_weight: float) -> Any:
    surprise = mean([fading(a if b else 1 - a, gamma) for a, b in zip(p, y, strict=True)])
    return mp.mpf(dice_weight) * dice(p, y, 0) + mp.mpf(focal_weight) * surprise


def generalized_dice_focal(
    probs: list[List],
    label: List,
    gamma: float,
    dice_weight: float,
    focal_weight: float,
    one_vs_rest: bool,
    ignore_index: None,
) -> Any:
    assert not one_vs_rest
    surprise = mean([fading(row[int(y)], gamma) for row, y in zip(probs, label, strict=True)])
    return mp.mpf(dice_weight) * generalized_dice(probs, label) + mp.mpf(focal_weight) * surprise


def unified_focal(p: List, y: List, delta: float, gamma: float, focal_weight: float) -> Any:
    d, w = mp.mpf(delta), mp.mpf(focal_weight)
    other = [1 - a for a in p], [1 - b for b in y]
    tilted = tversky(p, y, 1 - d, d, 0) ** (1 - mp.mpf(gamma)), tversky(*other, 1 - d, d, 0)
    terms = [-d * mp.log(a) if b else (1 - d) * fading(1 - a, gamma) for a, b in zip(p, y, strict=True)]
    return w * mean(terms) / 2 + (1 - w) * mp.fsum(tilted) / 2


def wasserstein_dice(probs: list[List], label: List, class_distances: Any, smooth: float, ignore_index: None) -> Any:
    classes = len(probs[0])
    table = list(map(mp.mpf, class_distances or np.ravel(1 - np.eye(classes)).tolist()))
    apart = [
        mp.fdot([m / max(table) for m in table[int(y) * classes :][:classes]], row)
        for row, y in zip(probs, label, strict=True)
    ]
    near = mp.fsum(1 - w for w, y in zip(apart, label, strict=True) if y)
    return mp.fsum(apart) / (2 * near + mp.fsum(apart) + mp.mpf(smooth))


def multiclass_tversky(
    probs: list[List],
    label: List,
    alpha: float,
    beta: float,
    smooth: float,
    over: str,
    background: str,
    ignore_index: None,
) -> Any:
    costs = []
    for c, p in [*enumerate(zip(*probs, strict=True))][background == "drop" :]:
        y = [int(true == c) for true in label]
        tp, fp, fn, _ = regions(list(p), y)
        missed = mp.mpf(alpha) * fp + mp.mpf(beta) * fn
        if over == "all" or any(y):
            costs.append(missed / (tp + missed + mp.mpf(smooth)))
    return mean(costs)


def multiclass_dice(probs: list[List], label: List, smooth: float, **options: Any) -> Any:
    return multiclass_tversky(probs, label, 0.5, 0.5, smooth / 2, **options)


def multiclass_jaccard(probs: list[List], label: List, **options: Any) -> Any:
    return multiclass_tversky(probs, label, 1.0, 1.0, **options)


def contrastive_sides(
    a: list[List],
    b: list[List],
    same: List,
    margin: float,
    margin_similar: float,
    squared: bool,
    distance: str,
    normalize: bool = False,
) -> Any:
    assert distance == "euclidean"
    if normalize:
        a, b = ([[x / mp.sqrt(square_sum(row)) for x in row] for row in side] for side in (a, b))
    d = [mp.sqrt(square_sum(apart(*pair))) for pair in zip(a, b, strict=True)]
    near = [x - mp.mpf(margin_similar) for x, y in zip(d, same, strict=True) if y]
    far = [mp.mpf(margin) - x for x, y in zip(d, same, strict=True) if not y]
    costs = [[x**2 / 2 if squared else x for x in side if x > 0] for side in (near, far)]
    return mp.fsum(mean(side) for side in costs if side)


def contrastive_pairs_sides(emb: list[List], label: List, **options: Any) -> Any:
    pairs = [(i, j) for i in range(len(emb)) for j in range(i)]
    sides = ([emb[pair[k]] for pair in pairs] for k in (0, 1))
    return contrastive_sides(*sides, [label[i] == label[j] for i, j in pairs], distance="euclidean", **options)


REFERENCES: dict[str, Callable[..., Any]] = {
    name: WHOLE_REFERENCES[name]
    for name in (
        *("correlation", "concordance", "wasserstein-1d", "energy-distance", "median-error", "max-error"),
        *("psnr", "snr", "si-sdr", "cox", "adaface", "proxy-anchor", "aot"),
    )
} | {
    "r2": r2,
    "relative-squared-error": relative_squared_error,
    "minkowski": minkowski,
    "nrmse": nrmse,
    "wmape": wmape,
    "silog": silog,
    "rmsse": rmsse,
    "owa": owa,
    "calibration-error": calibration_error,
    "bits-per-byte": bits_per_byte,
    "dice": dice,
    "jaccard": jaccard,
    "tversky": tversky,
    "focal-tversky": focal_tversky,
    "dice-squared": dice_squared,
    "dice-bce": dice_bce,
    "mcc": mcc,
    "generalized-dice": generalized_dice,
    "dice-focal": dice_focal,
    "generalized-dice-focal": generalized_dice_focal,
    "unified-focal": unified_focal,
    "wasserstein-dice": wasserstein_dice,
    "weighted-kappa": weighted_kappa,
    "multiclass-dice": multiclass_dice,
    "multiclass-jaccard": multiclass_jaccard,
    "multiclass-tversky": multiclass_tversky,
    "contrastive-sides": contrastive_sides,
    "contrastive-pairs-sides": contrastive_pairs_sides,
}

# --- hard inputs

REGRESSION = (
    *("r2", "relative-squared-error", "nrmse", "nrmse:normalization=std", "nrmse:normalization=l2", "wmape"),
    *("minkowski", "minkowski:p=1", "minkowski:p=3.5", "minkowski:p=32", "correlation", "concordance"),
    *("wasserstein-1d", "energy-distance", "median-error", "max-error"),
    *("psnr:peak=255", "snr", "snr:zero_mean=true", "si-sdr", "si-sdr:zero_mean=true"),
)
SEGMENTATION = (
    *("dice", "dice:smooth=1e-5", "jaccard", "jaccard:smooth=1", "tversky:alpha=0.3,beta=0.7", "focal-tversky"),
    *("focal-tversky:gamma=3", "dice-squared", "dice-bce", "mcc", "mcc:smooth=1e-5"),
    *("dice-focal", "dice-focal:gamma=0.5", "unified-focal", "unified-focal:gamma=0.2,delta=0.4"),
)

OF_CLASSES = (
    *("generalized-dice", "generalized-dice-focal", "generalized-dice-focal:gamma=0.5", "wasserstein-dice"),
    *("wasserstein-dice:class_distances=0/2/1/2/0/0.5/1/0.3/0", "wasserstein-dice:smooth=1e-5"),
    *("multiclass-dice", "multiclass-dice:smooth=1e-5,background=drop,over=all"),
    *("weighted-kappa", "weighted-kappa:weights=linear"),
    *("multiclass-jaccard", "multiclass-tversky:alpha=0.3,beta=0.7"),
)


def regression_cases(rng: np.random.Generator) -> Iterator[TotalCase]:
    z, w = rng.normal(size=(2, 24))
    pairs = {
        "std 1": (z + 0.3 * w, z),
        "offset 1e6": (1e6 + z + 1e-3 * w, 1e6 + z),
        "offset 1e12": (1e12 + z + w, 1e12 + z),
        "1e-9 apart": (z * (1 + 1e-9 * w), z),
        "a few units in the last place": (1 + 1e-15 * np.round(w * 4), 1 + 1e-15 * np.round(z * 4)),
        "1e200": (1e200 * (z + w), 1e200 * z),
        "1e-200": (1e-200 * (z + w), 1e-200 * z),
        "turned": (1e-9 * w - z, z),
        "log-spaced": (np.sign(w) * 10.0 ** rng.uniform(-100, 100, 24), 10.0 ** rng.uniform(-100, 100, 24)),
    }
    yield from (TotalCase(what, spec, pair) for (what, pair), spec in product(pairs.items(), REGRESSION))
    positive = {
        "std 1": (np.exp(z + w), np.exp(z)),
        "twice, 1e-9 apart": (2 * np.exp(z) * (1 + 1e-9 * w), np.exp(z)),
        "1e-9 apart": (np.exp(z) * (1 + 1e-9 * w), np.exp(z)),
        "log-spaced": (10.0 ** rng.uniform(-300, 300, 24), 10.0 ** rng.uniform(-300, 300, 24)),
    }
    for what, (p, y) in positive.items():
        yield TotalCase(what, "rmsse", (p, np.exp(w), y))
        yield TotalCase(what, "owa", (p, y * 1.5, np.exp(w), y))
    for (what, pair), share in product(positive.items(), (1, 0.85, 0)):
        yield TotalCase(what, f"silog:share={share}", pair)
    yield TotalCase("log-spaced", "bits-per-byte", (10.0 ** rng.uniform(-5, 5, 24), rng.integers(1, 1000, 24)))
    times, event = np.round(abs(w), 1), np.arange(24) % 2
    for what, hazard in {"std 300": 300 * z, "1e-12 apart": 1 + 1e-12 * z, "offset 1e9": 1e9 + z}.items():
        yield TotalCase(what, "cox", (hazard, times, event))


def segmentation_cases(rng: np.random.Generator) -> Iterator[TotalCase]:
    z, y = rng.normal(size=24), (np.arange(24) % 3 == 0).astype(float)
    side = 2 * y - 1
    logits = {
        "std 1": z,
        "std 30": 30 * z,
        "right": side * (30 + abs(z)),
        "wrong": -side * 40,
        "right by 200": side * 200,
    }
    chances = {
        "uniform": rng.uniform(size=24),
        "1e-12 from right": np.where(y == 1, 1 - 1e-12 * abs(z), 1e-12 * abs(z)),
        "1e-12 from wrong": np.where(y == 0, 1 - 1e-12 * abs(z), 1e-12 * abs(z)),
        "log-spaced": 10.0 ** rng.uniform(-300, -1, 24),
        "half": np.full(24, 0.5),
        "1e-9 about half": 0.5 + 1e-9 * z,
    }
    for is_logit, sets in ((True, logits), (False, chances)):
        for (what, x), spec in product(sets.items(), SEGMENTATION):
            yield TotalCase(what, spec, (x, y), is_logit)
    tenths = {
        "uniform": chances["uniform"],
        "tenths": np.round(rng.uniform(size=24), 1),
        "calibrated": np.full(24, 1 / 3),
    }
    for (what, p), bins, closed in product(tenths.items(), (10, 15), ("right", "left")):
        yield TotalCase(what, f"calibration-error:bins={bins},closed={closed}", (p, y))
    scores, label = rng.normal(size=(24, 3)), np.arange(24) % 3
    for what, x in {"std 1": scores, "std 40": 40 * scores, "right": 60 * np.eye(3)[label] + scores}.items():
        for spec in OF_CLASSES:
            yield TotalCase(what, spec, (x, label), True)


def side_cases(rng: np.random.Generator) -> Iterator[TotalCase]:
    a, b = rng.normal(size=(2, 24, 3))
    for what, other in {
        "std 1": b,
        "1e-9 apart": a + 1e-9 * b,
        "near the margin": a + np.eye(3)[0] * (1 - 1e-9),
    }.items():
        for options in ("", ":margin=2,margin_similar=0.5,squared=true"):
            yield TotalCase(what, f"contrastive-sides{options}", (a, other, np.arange(24) % 2))
            if what != "near the margin":
                on_sphere = f"contrastive-sides{options or ':'}{',' if options else ''}normalize=true"
                yield TotalCase(what, on_sphere, (a, other, np.arange(24) % 2))
            emb, label = np.concatenate([a[:6], other[:6]]), np.arange(12) % 6 % 4
            yield TotalCase(what, f"contrastive-pairs-sides{options}", (emb, label))


def proxy_cases(rng: np.random.Generator) -> Iterator[TotalCase]:
    a, b, weights = rng.normal(size=(3, 12, 4))
    label, text = np.arange(12) % 3, "/".join(map(repr, weights[:3].ravel().tolist()))
    sets = {
        "1e200 long": 1e200 * a,
        "1e-200 long": 1e-200 * a,
        "lengths 1e-9 apart": a / np.linalg.norm(a, axis=1, keepdims=True) * (1 + 1e-9 * b[:, :1]),
        "1e-9 apart": a[0] + 1e-9 * b,
        "1e-9 from their proxies": weights[label] * (1 + 1e-9 * b),
    }
    for (what, emb), spec in product(sets.items(), ("adaface:s=4,margin=0.7,h=0.9", "proxy-anchor:s=32")):
        yield TotalCase(what, f"{spec},class_weights={text}", (emb, label))
    sums = -abs(rng.normal(0, 3, (2, 12)))
    for what, apart_by in {"1e-9 apart": 1e-9, "std 30": 30}.items():
        answers = (sums[0], sums[0] - apart_by * abs(a[:, 0]), sums[1], sums[1] - apart_by * abs(b[:, 0]))
        for spec in ("aot:beta=5", "aot:unpaired=true,label_smoothing=0.2"):
            yield TotalCase(what, spec, answers)


def total_cases() -> list[TotalCase]:
    """One for each loss, form of its options and hard set."""
    rng = np.random.default_rng(5)
    return [*regression_cases(rng), *segmentation_cases(rng), *side_cases(rng), *proxy_cases(rng)]


# --- truth, and what is allowed

TOTAL_REASONS = {
    "silog": "logarithms are rounded before their mean is taken away: 8 ulp of their root mean square",
    "psnr, snr, si-sdr": "the logarithm passes through 0: 8 ulp of 10 decibels",
    "calibration-error": "hits and chances cancel: 8 ulp of the mean chance",
    "contrastive-sides, contrastive-pairs-sides": "as contrastive",
    "adaface": "as arcface, for an angle and its cosine: 8 ulp and two for each unit of the scale",
    "aot": "exponentially small: 8 ulp and |ln L|",
}


def _inputs(case: TotalCase) -> List:
    tables = [[exact(row) for row in array] for array in case.inputs]
    if case.is_logit:
        rows = tables[0]
        chances = lambda x: [mp.exp(v) / mp.fsum(map(mp.exp, x)) for v in x]  # noqa: E731
        tables[0] = [chances(x) if isinstance(x, list) else 1 / (1 + mp.exp(-x)) for x in rows]
    return tables


def total_truth(case: TotalCase) -> Any:
    """The exact value."""
    with mp.workprec(BITS):
        return REFERENCES[case.loss](*_inputs(case), **registry.parse(case.spec).options)


def total_computed(case: TotalCase) -> float:
    """The same as lossctl has it."""
    return float(calls.compute(case.spec, *case.inputs, from_logits=case.is_logit).value)


def total_limit(case: TotalCase, truth: Any) -> float:
    """How many ulp of the truth are allowed."""
    size = abs(float(truth))
    if case.loss == "silog":
        logs = np.log(case.inputs[0]) - np.log(case.inputs[1])
        return 8 * max(1.0, float(np.sqrt(np.mean(logs**2))) / size)
    if case.loss in ("psnr", "snr", "si-sdr"):
        return 8 * max(1.0, 10 / size)
    if case.loss == "calibration-error":
        return 8 * max(1.0, float(np.mean(case.inputs[0])) / size)
    if case.loss in ("contrastive-sides", "contrastive-pairs-sides"):
        return 8 * max(1.0, 4 / size)
    if case.loss == "adaface":
        return 8 + 2 * registry.parse(case.spec).options["s"]
    if case.loss == "aot":
        return 8 + abs(math.log(size))
    return 8.0
