"""The accuracy audit of scores, margins, cosines, boxes and losses of two models: references, hard inputs, bounds."""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from typing import Any

import mpmath as mp
import numpy as np
from exact_words import (
    BITS,
    CLASS_LOGITS,
    CLASS_PROBABILITIES,
    LOGITS,
    PROBABILITIES,
    SIGNED,
    Bound,
    Case,
    both,
    class_chance,
    columns,
    distance,
    every_class,
    forms_of,
    given,
    log,
    log1p,
    mean,
    option,
    rows,
    times,
)

from lossctl.language import registry

rng = np.random.default_rng(13)


def of_chance(function: Any) -> Any:
    """A reference of (log p_t, log(1 - p_t)) as one of a row of one prediction, of several labels, or of classes."""

    def row(x: Any, y: Any, form: str, **options: Any) -> Any:
        if isinstance(y, list):
            return mean([row(*pair, form, **options) for pair in zip(x, y, strict=True)])
        return function(*given(x, y, form), **options)

    return row


def brier(x: Any, y: Any, form: str, half: bool) -> Any:
    if isinstance(y, list):
        return mean([brier(*pair, form, half) for pair in zip(x, y, strict=True)])
    value = mp.exp(given(x, y, form)[1]) ** 2
    if isinstance(x, list):
        value += mp.fsum(mp.exp(2 * class_chance(x, j, form)[0]) for j in range(len(x)) if j != y)
    return value / 2 if half else value


def asymmetric(x: Any, y: Any, form: str, gamma_neg: float, gamma_pos: float, offset: float) -> Any:
    log_p, log_miss = given(x, y, form)
    if y == 1:
        return times(mp.exp(gamma_pos * log_miss) if gamma_pos else mp.mpf(1), -log_p)
    q = max(mp.mpf(0), mp.exp(log_miss) - mp.mpf(offset))
    if not offset:
        return times(mp.exp(gamma_neg * log_miss) if gamma_neg else mp.mpf(1), -log_p)
    return times(q ** mp.mpf(gamma_neg) if gamma_neg else mp.mpf(1), -log1p(-q))


def rival(scores: list[Any], y: Any) -> Any:
    return max(s for j, s in enumerate(scores) if j != y)


def positive(x: Any) -> Any:
    return max(mp.mpf(0), x)


def multi_margin(scores: list[Any], y: Any, margin: float, squared: bool) -> Any:
    gaps = [positive(mp.mpf(margin) + s - scores[int(y)]) for j, s in enumerate(scores) if j != y]
    return mp.fsum(gap**2 if squared else gap for gap in gaps) / len(scores)


def listed(x: Any) -> list[Any]:
    return x if isinstance(x, list) else [x]


def multilabel_margin(scores: Any, labels: Any) -> Any:
    pairs = list(zip(listed(scores), listed(labels), strict=True))
    gaps = [positive(1 - (s - t)) for s, y in pairs for t, z in pairs if y == 1 and z == 0]
    return mp.fsum(gaps) / len(pairs)


def zlpr(scores: Any, labels: Any) -> Any:
    pairs = list(zip(listed(scores), listed(labels), strict=True))
    sums = mp.fsum(mp.exp(s) for s, y in pairs if y == 0), mp.fsum(mp.exp(-s) for s, y in pairs if y == 1)
    return mp.log1p(sums[0]) + mp.log1p(sums[1])


def with_z(scores: list[Any], y: Any, z: float) -> Any:
    top = max(scores)
    normaliser = top + mp.log(mp.fsum(mp.exp(s - top) for s in scores))
    return -class_chance(scores, int(y), "logits")[0] + mp.mpf(z) * normaliser**2


def softmax(x: list[Any], temperature: float = 1.0) -> list[Any]:
    return [mp.exp(class_chance([v / mp.mpf(temperature) for v in x], j, "logits")[0]) for j in range(len(x))]


def divergence(p: list[Any], q: list[Any]) -> Any:
    return mp.fsum(times(a, log(a) - log(b)) for a, b in zip(p, q, strict=True))


def distilled(student: list[Any], teacher: list[Any], temperature: float, scaled: bool) -> Any:
    value = divergence(softmax(teacher, temperature), softmax(student, temperature))
    return mp.mpf(temperature) ** 2 * value if scaled else value


def generalized_jsd(student: list[Any], teacher: list[Any], beta: float) -> Any:
    t, s, b = softmax(teacher), softmax(student), mp.mpf(beta)
    m = [b * x + (1 - b) * y for x, y in zip(t, s, strict=True)]
    return b * divergence(t, m) + (1 - b) * divergence(s, m)


def gaussian_kl(mu: Any, v: Any) -> Any:
    return mp.fsum(a**2 + mp.expm1(b) - b for a, b in zip(listed(mu), listed(v), strict=True)) / 2


def cosine(a: list[Any], b: list[Any]) -> Any:
    return 1 - distance(a, b, "cosine")


class Boxes:
    """What two boxes have in common, exactly."""

    def __init__(self, a: list[Any], b: list[Any]) -> None:
        self.a, self.b = a, b
        self.sizes = [(box[2] - box[0], box[3] - box[1]) for box in (a, b)]
        self.hull = [max(a[k + 2], b[k + 2]) - min(a[k], b[k]) for k in (0, 1)]
        common = [positive(min(a[k + 2], b[k + 2]) - max(a[k], b[k])) for k in (0, 1)]
        self.common = common[0] * common[1]
        self.union = mp.fsum(w * h for w, h in self.sizes) - self.common

    @property
    def overlap(self) -> Any:
        return 1 - self.common / self.union

    @property
    def diou(self) -> Any:
        centres = [(self.a[k] + self.a[k + 2] - self.b[k] - self.b[k + 2]) / 2 for k in (0, 1)]
        return self.overlap + mp.fsum(c**2 for c in centres) / mp.fsum(h**2 for h in self.hull)

    @property
    def ciou(self) -> Any:
        angles = [mp.atan(w / h) for w, h in self.sizes]
        v = 4 / mp.pi**2 * (angles[0] - angles[1]) ** 2
        return self.diou + (v**2 / (self.overlap + v) if v else 0)


def zero_one(x: Any, y: Any, form: str, threshold: float) -> Any:
    """By the values as they are, in their own form."""
    if isinstance(y, list):
        return mean([zero_one(*pair, form, threshold) for pair in zip(x, y, strict=True)])
    if isinstance(x, list):
        return mp.mpf(x.index(max(x)) != y)
    cut = mp.mpf(threshold)
    return mp.mpf((x > (mp.log(cut / (1 - cut)) if form == "logits" else cut)) != (y == 1))


def coverage(scores: Any, labels: Any) -> Any:
    pairs = list(zip(listed(scores), listed(labels), strict=True))
    ranks = [sum(t >= s for t, _ in pairs) for s, y in pairs if y == 1]
    return mp.mpf(max(ranks, default=0))


def label_ranking(scores: Any, labels: Any) -> Any:
    pairs = list(zip(listed(scores), listed(labels), strict=True))
    wrong = [s <= t for s, y in pairs for t, z in pairs if y == 1 and z == 0]
    return mp.mpf(sum(wrong)) / len(wrong) if wrong else mp.mpf(0)


def sparsemax(s: list[Any], y: Any) -> Any:
    """The threshold by trying every size of the support."""
    ranked = sorted(s, reverse=True)
    thresholds = [(mp.fsum(ranked[:k]) - 1) / k for k in range(1, len(s) + 1)]
    t = next(t for k, t in reversed(list(enumerate(thresholds, 1))) if ranked[k - 1] > t)
    return mp.mpf(1) / 2 - s[int(y)] + mp.fsum(v**2 - t**2 for v in s if v > t) / 2


def entmax(s: list[Any], y: Any, alpha: float = 1.5) -> Any:
    return _of_entmax(tuple(s), alpha) - s[int(y)]


@cache
def _of_entmax(s: tuple[Any, ...], alpha: float) -> Any:
    """The largest of an expectation and its entropy: the threshold by bisection, the rest by definition."""
    a = mp.mpf(alpha) - 1
    x = [a * v for v in s]
    low, high = max(x) - 1, max(x)
    for _ in range(BITS):
        middle = (low + high) / 2
        low, high = (middle, high) if mp.fsum(positive(v - middle) ** (1 / a) for v in x) >= 1 else (low, middle)
    p = [positive(v - low) ** (1 / a) for v in x]
    tsallis = (1 - mp.fsum(q ** (a + 1) for q in p)) / (a * (a + 1))
    return tsallis + mp.fsum(q * v for q, v in zip(p, s, strict=True))


def normmax(s: list[Any], y: Any, alpha: float) -> Any:
    return _of_normmax(tuple(s), alpha) - s[int(y)]


@cache
def _of_normmax(s: tuple[Any, ...], alpha: float) -> Any:
    """The largest of an expectation and its entropy: the threshold by bisection, the rest by definition."""
    a = mp.mpf(alpha) - 1
    low, high = max(s) - 1, max(s)
    for _ in range(BITS):
        middle = (low + high) / 2
        low, high = (middle, high) if mp.fsum(positive(v - middle) ** (1 + 1 / a) for v in s) >= 1 else (low, middle)
    mass = [positive(v - low) ** (1 / a) for v in s]
    p = [m / mp.fsum(mass) for m in mass]
    size = mp.fsum(q ** (a + 1) for q in p) ** (1 / (a + 1))
    return 1 - size + mp.fsum(q * v for q, v in zip(p, s, strict=True))


def margin_mse(q: list[Any], p: list[Any], n: list[Any], m: Any) -> Any:
    return (mp.fsum(a * (b - c) for a, b, c in zip(q, p, n, strict=True)) - m) ** 2


def ordinal(x: list[Any], level: Any, form: str) -> Any:
    return mp.fsum(-given(step, mp.mpf(level > k), form)[0] for k, step in enumerate(x))


REFERENCES = {
    "ordinal": ordinal,
    "zero-one": zero_one,
    "coverage-error": coverage,
    "label-ranking": label_ranking,
    "sparsemax": sparsemax,
    "entmax15": entmax,
    "entmax": entmax,
    "normmax": normmax,
    "margin-mse": margin_mse,
    "brier": brier,
    "poly1": of_chance(lambda log_p, log_miss, epsilon: mp.mpf(epsilon) * mp.exp(log_miss) - log_p),
    "symmetric-ce": of_chance(
        lambda log_p, log_miss, alpha, beta, log_of_zero: (
            -mp.mpf(beta) * mp.mpf(log_of_zero) * mp.exp(log_miss) - (mp.mpf(alpha) * log_p if alpha else 0)
        )
    ),
    "token-nll": lambda log_p: -log_p,
    "token-perplexity": lambda log_p: mp.exp(-log_p),
    "router-z": lambda x: mp.log(mp.fsum(map(mp.exp, x))) ** 2,
    "alignment": lambda a, b, alpha: (2 * distance(a, b, "cosine")) ** (mp.mpf(alpha) / 2),
    "generalized-ce": of_chance(lambda log_p, log_miss, q: -mp.expm1(mp.mpf(q) * log_p) / mp.mpf(q)),
    "asymmetric": columns(asymmetric),
    "soft-margin": lambda s, y: mp.log1p(mp.exp(-s if y == 1 else s)),
    "exponential": lambda s, y: mp.exp(-s if y == 1 else s),
    "perceptron": lambda s, y: positive(-s if y == 1 else s),
    "multiclass-perceptron": lambda s, y: positive(rival(s, y) - s[int(y)]),
    "categorical-hinge": lambda s, y: positive(1 + positive(rival(s, y)) - s[int(y)]),
    "multi-margin": multi_margin,
    "multilabel-margin": multilabel_margin,
    "zlpr": zlpr,
    "cross-entropy-z": with_z,
    "knowledge-distillation": distilled,
    "generalized-jsd": generalized_jsd,
    "gaussian-kl": gaussian_kl,
    "cosine-distance": lambda a, b: distance(a, b, "cosine"),
    "cosine-embedding": lambda a, b, same, margin: (
        distance(a, b, "cosine") if same == 1 else positive(cosine(a, b) - mp.mpf(margin))
    ),
    "cosine-similarity-mse": lambda a, b, y: (cosine(a, b) - y) ** 2,
    "pair-order": lambda a, b, wins, margin: positive(mp.mpf(margin) - (a - b if wins == 1 else b - a)),
    "iou": lambda a, b: Boxes(a, b).overlap,
    "giou": lambda a, b: (x := Boxes(a, b)).overlap + 1 - x.union / (x.hull[0] * x.hull[1]),
    "diou": lambda a, b: Boxes(a, b).diou,
    "ciou": lambda a, b: Boxes(a, b).ciou,
}
CHANCE_SPECS = [
    "zero-one",
    "zero-one:threshold=0.3",
    "brier",
    "brier:half=true",
    "poly1",
    "poly1:epsilon=2",
    "symmetric-ce",
    "symmetric-ce:alpha=0",
    "generalized-ce",
    "generalized-ce:q=0.2",
]
ASYMMETRIC = ["asymmetric", "asymmetric:gamma_neg=0,offset=0", "asymmetric:gamma_pos=0,gamma_neg=2,offset=0.2"]
ENTMAX = ("entmax:alpha=1.2", "entmax:alpha=3", "normmax", "normmax:alpha=1.2", "normmax:alpha=4")
CLASS_SPECS = [
    *("multiclass-perceptron", "categorical-hinge", "multi-margin", "multi-margin:margin=0.3,squared=true"),
    *("sparsemax", "entmax15", *ENTMAX),
    *("cross-entropy-z", "cross-entropy-z:z=0"),
]


def cases() -> list[Case]:
    forms = {"prob": both(PROBABILITIES[::2]), "logits": both(LOGITS[::2])}
    classes = [(what, "logits", every_class(x)) for what, x in CLASS_LOGITS if "forty" not in what]
    classes += [(what, "prob", every_class(x)) for what, x in CLASS_PROBABILITIES]
    table = []
    for form, x in (("prob", PROBABILITIES), ("logits", LOGITS)):
        steps = np.resize(x, (len(x) // 2, 3))
        table += [Case("edges", "ordinal", (steps, np.arange(len(steps)) % 4), {"thresholds": form})]
    for spec, (form, pair) in product([*CHANCE_SPECS, *ASYMMETRIC], forms.items()):
        table.append(Case("edges", spec, pair, {registry.parse(spec).loss.roles[0].name: form}))
    for spec, (what, form, pair) in product(CHANCE_SPECS, classes):
        table.append(Case(what, spec, pair, {"chance": form}))
    table += [Case("edges", spec, both(SIGNED)) for spec in ("soft-margin", "exponential", "perceptron")]
    for spec, (what, form, pair) in product(CLASS_SPECS, classes):
        table += [Case(what, spec, pair)] if form == "logits" else []
    table += [Case(what, "router-z", (x,)) for what, x in CLASS_LOGITS]
    chosen = -np.exp(np.random.default_rng(5).normal(-2, 2, 60))
    table += [Case("ordinary", spec, (chosen,)) for spec in ("token-nll", "token-perplexity")]
    table.append(Case("a normaliser near 1", "router-z", (rows([-0.7, math.log(1 + 1e-6 - math.exp(-0.7))]),)))
    scores, labels = rng.normal(0, 3, (40, 5)), rng.integers(0, 2, (40, 5))
    for what, x in (
        ("std 3", scores),
        ("std 300", scores * 100),
        ("near the margin", np.round(scores) + 1e-9 * scores),
    ):
        table += [
            Case(what, spec, (x, labels)) for spec in ("zlpr", "multilabel-margin", "coverage-error", "label-ranking")
        ]
    own = np.random.default_rng(17)
    s = own.normal(0, 1, (40, 5))
    table += [Case("std 1", spec, every_class(s)) for spec in ("sparsemax", "entmax15", *ENTMAX)]
    q, p, n = own.normal(0, 1, (3, 40, 6))
    for what, x, m in (
        ("std 1", n, p[:, 0]),
        ("met", n, np.sum(q * (p - n), axis=1)),
        ("near", p + 1e-9 * n, 0 * p[:, 0]),
    ):
        table.append(Case(what, "margin-mse", (q, p, x, m)))
    logits = rng.normal(0, 3, (12, 5))
    for what, x, y in (
        ("far apart", logits, np.roll(logits, 1, axis=0)),
        *((f"{size:g} apart", logits, logits + rng.normal(0, size, logits.shape)) for size in (0.3, 1e-3, 1e-9)),
    ):
        for spec in ("knowledge-distillation", "knowledge-distillation:temperature=3,scaled=false", "generalized-jsd",
                     "generalized-jsd:beta=0.1"):  # fmt: skip
            table.append(Case(what, spec, (x, y)))
    small = rng.normal(0, 1, (30, 3)) * 10.0 ** rng.uniform(-12, 1, (30, 1))
    table.append(Case("log-spaced", "gaussian-kl", (small, np.roll(small, 1, axis=0))))
    a, b = rng.normal(0, 1, (2, 40, 4))
    for what, x, y in (("std 1", a, b), ("1e-6 apart", a, a + 1e-6 * b), ("opposite", a, -a + 1e-3 * b)):
        table += [
            Case(what, "cosine-distance", (x, y)),
            Case(what, "alignment", (x, y)),
            Case(what, "alignment:alpha=1.5", (x, y)),
            Case(what, "cosine-embedding", (x, y, np.arange(40) % 2)),
            Case(what, "cosine-embedding:margin=0.3", (x, y, np.arange(40) % 2)),
            Case(what, "cosine-similarity-mse", (x, y, rng.uniform(-1, 1, 40))),
        ]
    first, second = rng.normal(0, 1, (2, 60))
    for what, x, y in (("std 1", first, second), ("nearly equal", first, first * (1 + 1e-12))):
        table += [Case(what, f"pair-order{more}", (x, y, np.arange(60) % 2)) for more in ("", ":margin=0.3")]
    corner = rng.uniform(0, 100, (60, 2))
    box = np.concatenate([corner, corner + rng.uniform(1, 60, (60, 2))], axis=1)
    wider = np.round(box) + np.array([0, 0, 2, 2])
    for what, x, y in (
        ("at random", box, np.roll(box, 1, axis=0)),
        ("1e-9 apart", box, box + rng.normal(0, 1e-9, box.shape)),
        (
            "pixels apart",
            wider,
            wider + rng.integers(0, 2, (60, 1)) * np.array([0, 1, 1, 0]),
        ),
        ("large", box * 1e250, np.roll(box, 1, axis=0) * 1e250),
    ):
        table += [Case(what, spec, (x, y)) for spec in ("iou", "giou", "diou", "ciou")]
    return table


def _fading(truth: Any, case: Case, x: Any, y: Any) -> Any:
    gamma = option(case, "gamma_pos" if y == 1 else "gamma_neg")
    if y == 1:
        return truth * (3 * gamma + 4) / 4
    p = mp.exp(given(x, y, forms_of(case)[0])[1])
    q = positive(p - mp.mpf(option(case, "offset")))
    return truth * (gamma + 2) * (1 + p / q) if q else truth


def _logits(truth: Any, case: Case, student: Any, teacher: Any) -> Any:
    t = option(case, "temperature")
    p, q = softmax(teacher, t), softmax(student, t)
    size = max(abs(v) for v in (*student, *teacher)) / mp.mpf(t)
    scale = mp.mpf(t) ** 2 if option(case, "scaled") else 1
    return truth + scale * size * mp.fsum(abs(a - b) for a, b in zip(p, q, strict=True))


def _angles(truth: Any, case: Case, a: Any, b: Any, *y: Any) -> Any:
    d = distance(a, b, "cosine")
    rounded = 3 * (d + 1e-12)
    if case.loss == "cosine-similarity-mse":
        return 2 * mp.sqrt(truth) * (1 + rounded) + truth
    if case.loss == "alignment":
        return truth * (1 + rounded / d) * max(1, option(case, "alpha"))
    return truth + rounded if case.loss == "cosine-distance" or y[0] == 1 else 2 + rounded


def _gap(truth: Any, case: Case, a: Any, b: Any, wins: Any) -> Any:
    return truth + mp.mpf(option(case, "margin"))


def _boxes(truth: Any, case: Case, a: Any, b: Any) -> Any:
    if case.loss in ("iou", "diou"):
        return 2 * truth
    return 2 * truth + (1 if case.loss == "giou" else Boxes(a, b).overlap)


def _lead(truth: Any, case: Case, q: Any, p: Any, n: Any, m: Any) -> Any:
    size = abs(m) + mp.fsum(abs(a * (b - c)) for a, b, c in zip(q, p, n, strict=True))
    return truth + mp.sqrt(truth) * size * mp.mpf(2) ** -50


def _normaliser(truth: Any, case: Case, x: Any) -> Any:
    return truth + mp.sqrt(truth) * max(map(abs, x))


def _steepness(case: Case) -> float:
    """How a small lead over the threshold is raised."""
    alpha = option(case, "alpha")
    return float(alpha / (alpha - 1))


BOUNDS = (
    Bound(
        ("router-z",),
        lambda case: True,
        _normaliser,
        "a logarithm that passes through 0 has the digits of the largest logit: 4 ulp of the root times that, too",
    ),
    Bound(
        ("sparsemax",),
        lambda case: True,
        lambda truth, case, *row: truth + mp.sqrt(truth),
        "a probability is what is left of scores that cancel, right to an ulp of 1: 4 ulp of the root of the loss",
    ),
    Bound(
        ("entmax15",),
        lambda case: True,
        lambda truth, case, *row: 2 * truth + 2 * mp.cbrt(truth) ** 2,
        "as sparsemax, with the root of a probability right to an ulp of 1: 8 ulp of the loss to the power of 2/3",
    ),
    Bound(
        ("entmax", "normmax"),
        lambda case: True,
        lambda truth, case, *row: truth + _steepness(case) * abs(truth) ** (1 - 1 / mp.mpf(_steepness(case))),
        "as sparsemax, a / (a - 1) times the loss to the power of 1 / a",
    ),
    Bound(
        ("margin-mse",),
        lambda case: True,
        _lead,
        "products that cancel are known to twice the digits: 4 ulp of these too",
    ),
    Bound(
        ("asymmetric",),
        lambda case: True,
        _fading,
        "a power of a rounded 1 - p, and for label 0 of what is left of p above the offset: 4 ulp times gamma + 2 and "
        "p / (p - offset)",
    ),
    Bound(
        ("knowledge-distillation",),
        lambda case: True,
        _logits,
        "logits are divided by T and rounded: 4 ulp of the largest of them times the sum of |p - q|",
    ),
    Bound(
        ("cosine-distance", "cosine-embedding", "cosine-similarity-mse", "alignment"),
        lambda case: True,
        _angles,
        "a cosine distance is right to 12 ulp, and 1 less it to those of 1",
    ),
    Bound(
        ("iou", "giou", "diou", "ciou"),
        lambda case: True,
        _boxes,
        "products of two rounded lengths, and for giou a union that cancels with the hull: 8 ulp, and 4 ulp of 1",
    ),
)
