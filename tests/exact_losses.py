"""Losses row by row from their formulas in mpmath, and inputs that cost other programs their digits.

The reference reads the binary values of the inputs exactly and works with enough digits that none is lost. The error is
counted in units in the last place of float64: at most 4, or a bound in KNOWN_BOUNDS with its reason.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from itertools import product
from typing import Any

import exact_preference
import exact_regression
import exact_scoring
import mpmath as mp
import numpy as np
from exact_words import (
    BITS,
    CLASS_LOGITS,
    CLASS_PROBABILITIES,
    LARGEST,
    LOG_SPACED,
    LOGITS,
    NEXT_TO_ONE,
    OFFSETS,
    PROBABILITIES,
    SIGNED,
    SMALLEST,
    ULP,
    WIDE,
    Bound,
    Case,
    both,
    chance,
    class_chance,
    distance,
    every_class,
    exact,
    fitting,
    forms_of,
    given,
    log,
    log1p,
    logs,
    nearby,
    option,
    rng,
    rows,
    softmax,
    softplus,
    times,
)
from exact_words import (
    columns as averaged,
)
from readings import rows_of

from lossctl.api.reading import Reading
from lossctl.language import registry

# --- references, row by row


def rmse(pred: Any, target: Any) -> Any:
    """Of one row alone."""
    return mp.sqrt(averaged(lambda pred, target: (pred - target) ** 2)(pred, target))


def perplexity(x: list[Any], label: Any, form: str, ignore_index: Any) -> Any:
    return mp.exp(cross_entropy(x, label, form, 0, None, ignore_index))


def huber(pred: Any, target: Any, delta: float) -> Any:
    e = abs(pred - target)
    return e**2 / 2 if e <= delta else mp.mpf(delta) * (e - mp.mpf(delta) / 2)


def cross_entropy(
    x: list[Any], label: Any, form: str, label_smoothing: float, class_weights: Any, ignore_index: Any
) -> Any:
    classes, eps = len(x), mp.mpf(label_smoothing)
    target = label if isinstance(label, list) else [mp.mpf(j == label) for j in range(classes)]
    target = [(1 - eps) * q + eps / classes for q in target]
    weights = class_weights or [1.0] * classes
    return mp.fsum(
        times(q * w, -class_chance(x, j, form)[0]) for j, (q, w) in enumerate(zip(target, weights, strict=True))
    )


def focal(x: Any, label: Any, form: str, gamma: float, alpha: Any) -> Any:
    log_p, log_miss = given(x, label, form)
    fade = mp.exp(gamma * log_miss) if gamma else mp.mpf(1)
    if alpha is None:
        share = mp.mpf(1)
    elif isinstance(x, list):
        share = mp.mpf(alpha[int(label)] if isinstance(alpha, tuple) else alpha)
    else:
        share = mp.mpf(alpha) if label == 1 else 1 - mp.mpf(alpha)
    return times(share, times(fade, -log_p))


def focal_star(x: Any, label: Any, form: str, gamma: float, beta: float) -> Any:
    log_p, log_miss = chance(x, label, form)
    return softplus(-(mp.mpf(gamma) * (log_p - log_miss) + beta)) / gamma


def hinge(score: Any, label: Any, margin: float) -> Any:
    return max(mp.mpf(0), margin - (score if label == 1 else -score))


def multiclass_hinge(scores: list[Any], label: Any, kind: str, margin: float, l2: Any, l2_strength: float) -> Any:
    y = int(label)
    gaps = [margin + s - scores[y] for j, s in enumerate(scores) if j != y]
    violations = [max(mp.mpf(0), gap) for gap in gaps]
    value = max(violations) if kind == "crammer-singer" else mp.fsum(violations)
    return value + mp.mpf(l2_strength) * mp.fsum(mp.mpf(w) ** 2 for w in l2 or ())


def kl(p: list[Any], q: list[Any], form: tuple[str, str]) -> Any:
    log_p, log_q = logs(p, form[0]), logs(q, form[1])
    return mp.fsum(times(mp.exp(a), a - b) for a, b in zip(log_p, log_q, strict=True) if a > -mp.inf)


def js(p: list[Any], q: list[Any], form: tuple[str, str]) -> Any:
    masses = zip(map(mp.exp, logs(p, form[0])), map(mp.exp, logs(q, form[1])), strict=True)
    terms = [(a, b, (a + b) / 2) for a, b in masses if a + b]
    return mp.fsum(times(a, log(a / m)) + times(b, log(b / m)) for a, b, m in terms) / 2


def masses(p: list[Any], q: list[Any], form: tuple[str, str]) -> list[tuple[Any, Any]]:
    return list(zip(map(mp.exp, logs(p, form[0])), map(mp.exp, logs(q, form[1])), strict=True))


def jeffreys(p: list[Any], q: list[Any], form: tuple[str, str]) -> Any:
    pairs = zip(logs(p, form[0]), logs(q, form[1]), strict=True)
    return mp.fsum(times(mp.exp(a) - mp.exp(b), a - b) for a, b in pairs if a != b)


def total_variation(p: list[Any], q: list[Any], form: tuple[str, str]) -> Any:
    gaps = [a - b for a, b in masses(p, q, form)]
    sides = mp.fsum(gap for gap in gaps if gap > 0), -mp.fsum(gap for gap in gaps if gap < 0)
    return max(sides) if set(form) == {"logits"} else mp.fsum(sides) / 2  # equal, but for what is too small beside 1


def hellinger(p: list[Any], q: list[Any], form: tuple[str, str]) -> Any:
    return mp.sqrt(mp.fsum((mp.sqrt(a) - mp.sqrt(b)) ** 2 for a, b in masses(p, q, form)) / 2)


def kept_from_0(a: Any, b: Any, name: str, eps: float, eps_in: str = "differences") -> Any:
    """A distance of a - b + eps, or with eps added to the sum of squares."""
    if not eps:
        return _distance(a, b, name)
    squares = [(x - y + (mp.mpf(eps) if eps_in == "differences" else 0)) ** 2 for x, y in zip(a, b, strict=True)]
    square = mp.fsum(squares) + (mp.mpf(eps) if eps_in == "root" else 0)
    return square if name == "sqeuclidean" else mp.sqrt(square)


def contrastive(left: Any, right: Any, same: Any, margin: float, distance: str, eps: float) -> Any:
    d = kept_from_0(left, right, distance, eps)
    return (d**2 if same == 1 else max(mp.mpf(0), margin - d) ** 2) / 2


def pairwise_ranking(left: Any, right: Any, same: Any, margin: float, distance: str) -> Any:
    d = _distance(left, right, distance)
    return d if same == 1 else max(mp.mpf(0), margin - d)


def triplet(
    a: Any, p: Any, n: Any, margin: float, distance: str, swap: bool, soft: bool, eps: float, eps_in: str
) -> Any:
    d_ap, d_an = kept_from_0(a, p, distance, eps, eps_in), kept_from_0(a, n, distance, eps, eps_in)
    d_an = min(d_an, kept_from_0(p, n, distance, eps, eps_in)) if swap else d_an
    return softplus(d_ap - d_an) if soft else max(mp.mpf(0), d_ap - d_an + margin)


def circle_class(
    emb: list[Any], label: Any, class_weights: Any, gamma: float, margin: float, unified: bool = False
) -> Any:
    classes = [exact(row) for row in np.reshape(class_weights, (-1, len(emb)))]
    s, m = [1 - distance(emb, weights, "cosine") for weights in classes], mp.mpf(margin)
    own = s[int(label)]
    if unified:
        return mp.log1p(mp.fsum(mp.exp(gamma * (c - own + m)) for j, c in enumerate(s) if j != label))
    push = [max(mp.mpf(0), c + m) * (c - m) for j, c in enumerate(s) if j != label]
    pull = max(mp.mpf(0), 1 + m - own) * (own - 1 + m)
    return mp.log1p(mp.fsum(mp.exp(gamma * x) for x in push) * mp.exp(-gamma * pull))


def to_classes(emb: list[Any], class_weights: Any) -> list[Any]:
    """The cosines with all classes."""
    return [1 - distance(emb, weights, "cosine") for weights in _classes(emb, class_weights)]


def _classes(emb: list[Any], class_weights: Any) -> list[list[Any]]:
    return [exact(row) for row in np.reshape(class_weights, (-1, len(emb)))]


def surprise(logits: list[Any], own: Any, label: Any) -> Any:
    return mp.log1p(mp.fsum(mp.exp(x - own) for j, x in enumerate(logits) if j != label))


def arcface(emb: list[Any], label: Any, class_weights: Any, s: float, margin: float, beyond: str) -> Any:
    cosines, m = to_classes(emb, class_weights), mp.mpf(margin)
    own = cosines[int(label)]
    angle = mp.acos(own)
    shifted = mp.cos(angle + m)
    if beyond == "easy" and angle >= mp.pi / 2:
        shifted = own
    if beyond == "linear" and angle + m >= mp.pi:
        shifted = own - m * mp.sin(m)
    return surprise([s * c for c in cosines], s * shifted, label)


def by_class(emb: list[Any], class_weights: Any, centers: int) -> list[list[Any]]:
    cosines = to_classes(emb, class_weights)
    return [cosines[at : at + centers] for at in range(0, len(cosines), centers)]


def sub_center_arcface(emb: list[Any], label: Any, class_weights: Any, s: float, margin: float, centers: int) -> Any:
    cosines, m = [max(row) for row in by_class(emb, class_weights, centers)], mp.mpf(margin)
    angle = mp.acos(cosines[int(label)])
    shifted = mp.cos(angle + m) if angle + m < mp.pi else mp.cos(angle) - m * mp.sin(m)
    return surprise([s * c for c in cosines], s * shifted, label)


def soft_triple(
    emb: list[Any], label: Any, class_weights: Any, s: float, gamma: float, margin: float, centers: int
) -> Any:
    rows = by_class(emb, class_weights, centers)
    shares = [[mp.exp(c / mp.mpf(gamma)) for c in row] for row in rows]
    logits = [s * mp.fdot(row, part) / mp.fsum(part) for row, part in zip(rows, shares, strict=True)]
    return surprise(logits, logits[int(label)] - s * mp.mpf(margin), label)


def sphereface(emb: list[Any], label: Any, class_weights: Any, multiple: int, s: float, at_length: bool) -> Any:
    cosines, length = to_classes(emb, class_weights), s * _length(emb)
    lengths = [length * _length(row) if at_length else length for row in _classes(emb, class_weights)]
    angle = multiple * mp.acos(cosines[int(label)])
    turns = mp.floor(angle / mp.pi)
    logits = [c * size for c, size in zip(cosines, lengths, strict=True)]
    return surprise(logits, lengths[int(label)] * ((-1) ** int(turns) * mp.cos(angle) - 2 * turns), label)


def center(emb: list[Any], label: Any, class_weights: Any) -> Any:
    own = class_weights[int(label) * len(emb) :][: len(emb)]
    return mp.fsum((x - mp.mpf(c)) ** 2 for x, c in zip(emb, own, strict=True)) / 2


def p2s_grad(emb: list[Any], label: Any, class_weights: Any) -> Any:
    cosines = to_classes(emb, class_weights)
    return mp.fsum(((1 - c) if j == label else c) ** 2 for j, c in enumerate(cosines)) / len(cosines)


def cosface(emb: list[Any], label: Any, class_weights: Any, s: float, margin: float) -> Any:
    cosines = [s * c for c in to_classes(emb, class_weights)]
    return surprise(cosines, cosines[int(label)] - s * mp.mpf(margin), label)


def normalized_softmax(emb: list[Any], label: Any, class_weights: Any, temperature: float) -> Any:
    cosines = [c / mp.mpf(temperature) for c in to_classes(emb, class_weights)]
    return surprise(cosines, cosines[int(label)], label)


def proxy_nca(emb: list[Any], label: Any, class_weights: Any, s: float, with_own: bool) -> Any:
    logits = [2 * s * c for c in to_classes(emb, class_weights)]
    value = surprise(logits, logits[int(label)], label)
    return value if with_own else mp.log(mp.expm1(value))


_distance = distance


def jsd_ce(a: list[Any], b: list[Any], c: list[Any], y: Any, alpha: float, label_smoothing: float) -> Any:
    views, e = [logs(x, "logits") for x in (a, b, c)], mp.mpf(label_smoothing)
    mixture = [mp.log(mp.fsum(map(mp.exp, column)) / 3) for column in zip(*views, strict=True)]
    apart = [mp.fsum(mp.exp(p) * (p - m) for p, m in zip(view, mixture, strict=True)) for view in views]
    return -(1 - e) * views[0][int(y)] - e * mp.fsum(views[0]) / len(a) + alpha * mp.fsum(apart) / 3


REFERENCES: dict[str, Callable[..., Any]] = {
    "jsd-ce": jsd_ce,
    "mean-error": averaged(lambda pred, target: target - pred),
    "mse": averaged(lambda pred, target: (pred - target) ** 2),
    "mae": averaged(lambda pred, target: abs(pred - target)),
    "rmse": rmse,
    "huber": averaged(huber),
    "smooth-l1": averaged(lambda pred, target, beta: huber(pred, target, beta) / beta),
    "bce": averaged(lambda x, y, form, pos_weight: times(pos_weight if y == 1 else 1, -chance(x, y, form)[0])),
    "log-loss": lambda x, y, form, base: (
        (
            -class_chance(x, y, form)[0]
            if isinstance(x, list) and not isinstance(y, list)
            else averaged(lambda x, y, form: -chance(x, y, form)[0])(x, y, form)
        )
        / (1 if base == math.e else mp.log(base))
    ),
    "cross-entropy": cross_entropy,
    "perplexity": perplexity,
    "focal": functools.wraps(focal)(
        lambda x, y, form, **options: (averaged(focal) if isinstance(y, list) else focal)(x, y, form, **options)
    ),
    "focal-star": averaged(focal_star),
    "hinge": hinge,
    "squared-hinge": lambda score, label, margin: hinge(score, label, margin) ** 2,
    "multiclass-hinge": multiclass_hinge,
    "kl": kl,
    "js": js,
    "js-distance": lambda p, q, form: mp.sqrt(js(p, q, form)),
    "jeffreys": jeffreys,
    "reverse-kl": lambda p, q, form: kl(q, p, form[::-1]),
    "total-variation": total_variation,
    "hellinger": hellinger,
    "contrastive": contrastive,
    "pairwise-ranking": pairwise_ranking,
    "triplet": triplet,
    "circle-class": circle_class,
    "arcface": arcface,
    "sub-center-arcface": sub_center_arcface,
    "soft-triple": soft_triple,
    "cosface": cosface,
    "normalized-softmax": normalized_softmax,
    "proxy-nca": proxy_nca,
    "sphereface": sphereface,
    "p2s-grad": p2s_grad,
    "center": center,
    **exact_regression.REFERENCES,
    **exact_preference.REFERENCES,
    **exact_scoring.REFERENCES,
}


def truths(case: Case) -> list[Any]:
    """The exact value of each row, as mpmath numbers."""
    spec = registry.parse(case.spec)
    forms = [case.forms.get(role.name, role.forms[0]) for role in spec.loss.roles if role.forms]
    form = {"form": forms[0] if len(forms) == 1 else tuple(forms)} if forms else {}
    reference = REFERENCES[case.loss]
    options = fitting(reference, spec)
    with mp.workprec(BITS):
        return [reference(*row, **form, **options) for row in exact_rows(case)]


def exact_rows(case: Case) -> list[tuple[Any, ...]]:
    """The inputs row by row, exactly."""
    arrays = ([exact(row) for row in np.asarray(array, dtype=np.float64)] for array in case.inputs)
    return list(zip(*arrays, strict=True))


def computed(case: Case) -> list[float]:
    """The value of each row as lossctl has it."""
    spec = registry.parse(case.spec)
    named = {role.name: np.asarray(array) for role, array in zip(spec.loss.roles, case.inputs, strict=True)}
    reading = Reading(forms=case.forms)
    return rows_of(spec, [], named, reading=reading, jobs=1).tolist()


def ulps(value: float, truth: Any) -> float:
    """|value - truth| in units in the last place of the truth; infinite where only one of the two is."""
    nearest = float(truth)
    if value == nearest:
        return 0.0
    if not (math.isfinite(value) and math.isfinite(nearest)):
        return math.inf
    with mp.workprec(BITS):
        return float(abs(mp.mpf(value) - truth) / mp.mpf(math.ulp(nearest)))


# --- hard inputs


def regression_cases() -> list[Case]:
    near = LOG_SPACED * (1 + rng.normal(0, 1e-12, LOG_SPACED.size))
    many = rng.normal(0, 1, (40, 100))
    inputs = {
        "log-spaced": (SIGNED, np.roll(SIGNED, 7)),
        "against zero": (SIGNED, np.zeros_like(SIGNED)),
        "nearly equal": (LOG_SPACED, near),
        "offset 1e9": (OFFSETS, np.roll(OFFSETS, 1, axis=0)),
        "100 columns": (many, np.roll(many, 1, axis=0)),
        "near the largest": (
            rows([LARGEST, 1], [LARGEST, LARGEST], [-LARGEST, 3]),
            rows([-LARGEST, 1], [0, 0], [0, 0]),
        ),
        "of both signs near the largest": (rows([LARGEST, -LARGEST, LARGEST, -LARGEST]), rows([0, 0, 0, 0])),
    }
    specs = ["mean-error", "mse", "mae", "rmse", "huber", "huber:delta=1e-3", "huber:delta=1e5", "smooth-l1",
             "smooth-l1:beta=0.3", "smooth-l1:beta=1e5"]  # fmt: skip
    return [Case(what, spec, pair) for spec, (what, pair) in product(specs, inputs.items())]


BINARY_SPECS = [
    *("bce", "bce:pos_weight=3.7", "bce:pos_weight=0", "log-loss", "log-loss:base=2"),
    *("focal", "focal:gamma=0", "focal:gamma=0.5", "focal:gamma=5", "focal:gamma=1.3,alpha=0.25"),
    *("focal-star", "focal-star:gamma=4,beta=0", "focal-star:gamma=0.7,beta=-30"),
]


def chance_cases() -> list[Case]:
    binary = [("edges", "prob", both(PROBABILITIES)), ("edges", "logits", both(LOGITS))]
    labels = rng.integers(0, 2, (40, 6))
    binary += [
        ("six labels", "prob", (rng.choice(PROBABILITIES, (40, 6)), labels)),
        ("six labels", "logits", (rng.choice(LOGITS, (40, 6)), labels)),
    ]
    ends = both(rows(1e307, -1e307, 1e308, -1e308, LARGEST, -LARGEST))
    wide = (rows([-LARGEST, -LARGEST]), [[1, 1]])
    stars = [("near the largest", ends), ("two near the largest", wide)]
    classes = [(what, "logits", every_class(x)) for what, x in CLASS_LOGITS]
    classes += [(what, "prob", every_class(x)) for what, x in CLASS_PROBABILITIES]
    cases = []
    for (what, pair), gamma in product(stars, ("", ":gamma=0.3", ":beta=-1e308")):
        cases.append(Case(what, f"focal-star{gamma}", pair, {"logit": "logits"}))
    for (what, form, pair), spec in product(binary, BINARY_SPECS):
        cases.append(Case(what, spec, pair, {registry.parse(spec).loss.roles[0].name: form}))
    for what, form, pair in classes:
        for spec in ("cross-entropy", "perplexity", "log-loss", "focal", "focal:gamma=0.5,alpha=0.3", "focal:gamma=5"):
            cases.append(Case(what, spec, pair, {registry.parse(spec).loss.roles[0].name: form}))
        cases.append(Case(what, "cross-entropy:label_smoothing=0.1", pair, {"probs": form}))
        width = pair[0].shape[1]
        target = np.roll(softmax(rng.normal(0, 3, pair[0].shape)), 1, axis=0)
        cases.append(Case(what + ", distribution", "cross-entropy", (pair[0], target), {"probs": form}))
        weights = "/".join(str(k + 0.5) for k in range(width))
        cases.append(
            Case(
                what + ", weighted", f"cross-entropy:label_smoothing=0.1,class_weights={weights}", pair, {"probs": form}
            )
        )
    return cases


def hinge_cases() -> list[Case]:
    near = 1 + np.array([2.0**-52, -(2.0**-53), 1e-9, -1e-9, 0])
    scores = both(np.concatenate([SIGNED, near, -near]))
    cases = [
        Case("log-spaced", f"{name}{margin}", scores)
        for name in ("hinge", "squared-hinge")
        for margin in ("", ":margin=0.3")
    ]
    tables = [
        *CLASS_LOGITS,
        ("gap near the margin", rng.normal(0, 1e-9, (10, 4)) + rows([0, 1, 2, 3]) + 0.1),
        ("gap near the margin, two classes", rng.normal(0, 1e-9, (10, 2)) + rows([0.1, 1.1])),
    ]
    for what, table in tables:
        for spec in (
            "multiclass-hinge",
            "multiclass-hinge:kind=weston-watkins,margin=0.7",
            "multiclass-hinge:l2=0.1/0.2/3,l2_strength=0.3",
        ):
            cases.append(Case(what, spec, every_class(table)))
    return cases


DIVERGENCES = ("kl", "js", "jeffreys", "reverse-kl", "total-variation", "hellinger", "js-distance")


def divergence_cases() -> list[Case]:
    p = softmax(rng.normal(0, 3, (12, 5)))
    wide = softmax(rng.normal(0, 50, (12, 5)))
    many = softmax(rng.normal(0, 3, (3, 60)))
    probs = [
        ("far apart", p, np.roll(p, 1, axis=0)),
        ("softmax of std 50", wide, np.roll(wide, 1, axis=0)),
        (
            "one rare class apart",
            rows([1e-10, 1 - 1e-10], [1e-300, 1.0], [SMALLEST, 1.0]),
            rows([3e-10, 1 - 3e-10], [2e-300, 1.0], [2 * SMALLEST, 1.0]),
        ),
        *((f"{size:g} apart", p, nearby(p, size)) for size in (0.3, 1e-2, 1e-5, 1e-9, 1e-13)),
        ("60 classes, 1e-6 apart", many, nearby(many, 1e-6)),
        (
            "edges",
            rows([1, 0, 0], [0.5, 0.5, 0], [1, 0, 0], [0, 1, 0]),
            rows([1, 0, 0], [0, 0.5, 0.5], [0.5, 0.25, 0.25], [0, 1, 0]),
        ),
        (
            "saturated",
            rows([NEXT_TO_ONE, 2.0**-53], [1, SMALLEST]),
            rows([1 - 2.0**-52, 2.0**-52], [1e-300, 1]),
        ),
    ]
    a = rng.normal(0, 3, (12, 5))
    logits = [
        ("far apart", a, np.roll(a, 1, axis=0)),
        ("std 50", WIDE, np.roll(WIDE, 1, axis=0)),
        *((f"{size:g} apart", a, a + rng.normal(0, size, a.shape)) for size in (0.3, 1e-2, 1e-5, 1e-9, 1e-13)),
        ("equal but for an offset", a, np.round(a * 2**20) / 2**20 + 1024.0),
        ("1e4", a * 3e3, np.roll(a, 1, axis=0) * 3e3),
    ]
    cases = []
    for loss in DIVERGENCES:
        for what, x, y in probs if loss in ("kl", "js") else [row for row in probs if "rare" not in row[0]]:
            cases.append(Case(what, loss, (x, y)))
            with np.errstate(divide="ignore"):
                cases.append(Case(what, loss, (np.log(x), np.log(y)), {"p": "log-prob", "q": "log-prob"}))
                cases.append(Case(what, loss, (x, np.log(y)), {"q": "log-prob"}))
                cases.append(Case(what, loss, (np.log(x), y), {"p": "log-prob"}))
        for what, x, y in logits[:-1] if loss in ("hellinger", "js-distance") else logits:
            cases.append(Case(what, loss, (x, y), {"p": "logits", "q": "logits"}))
            cases.append(Case(what, loss, (softmax(x), y), {"q": "logits"}))
            cases.append(Case(what, loss, (x, softmax(y)), {"p": "logits"}))
            with np.errstate(divide="ignore"):
                cases.append(Case(what, loss, (x, np.log(softmax(y))), {"p": "logits", "q": "log-prob"}))
                cases.append(Case(what, loss, (np.log(softmax(x)), y), {"p": "log-prob", "q": "logits"}))
    return cases


def augmented_cases() -> list[Case]:
    own = np.random.default_rng(47)
    x, y, z = own.normal(0, 3, (3, 20, 5))
    label = np.arange(20) % 5
    return [
        Case(what, spec, (*views, label))
        for what, views in (
            ("std 3", (x, y, z)),
            ("std 60", (20 * x, 20 * y, z)),
            ("near", (x, x + 1e-6 * y, x + 1e-6 * z)),
        )
        for spec in ("jsd-ce", "jsd-ce:alpha=1,label_smoothing=0")
    ]


def pair_cases() -> list[Case]:
    x, y, z = rng.normal(0, 1, (3, 30, 3))
    wide = rng.normal(0, 1, (3, 10, 64))
    scale = 10.0 ** rng.uniform(-160, 150, (30, 1))
    triples = [
        ("std 1", x, y, z),
        ("64 columns", *wide),
        ("offset 1e6", x + 1e6, y + 1e6, z + 1e6),
        ("1e-9 apart", x, x + 1e-9 * y, x + 2e-9 * z),
        ("log-spaced", x * scale, y * scale, z * scale),
        ("equal", x[:3], x[:3], x[:3]),
    ]
    cases = []
    for (what, a, b, c), metric in product(triples, ("euclidean", "sqeuclidean", "cosine")):
        same = np.arange(len(a)) % 2
        for name in ("contrastive", "pairwise-ranking"):
            cases.append(Case(f"{what}, {metric}", f"{name}:margin=100,distance={metric}", (a, b, same)))
        for extra in ("", ",swap=true", ",soft=true"):
            cases.append(Case(f"{what}, {metric}", f"triplet:distance={metric}{extra}", (a, b, c)))
    return cases


def circle_class_cases() -> list[Case]:
    cases = []
    for columns, classes in ((2, 3), (8, 5), (64, 4), (3, 1)):
        weights, emb = rng.normal(0, 1, (classes, columns)), rng.normal(0, 1, (20, columns))
        label = np.arange(20) % classes
        near = weights[label] + 0.05 * emb
        for what, x, w in (
            ("random", emb, weights),
            ("near their class", near, weights),
            *((f"{size:g} long", near * size, weights) for size in (1e-200, 1e-160, 1e200)),
            *((f"weights {size:g} long", near, weights * size) for size in (1e-200, 1e200)),
        ):
            text = "/".join(map(repr, w.ravel().tolist()))
            for more in ("", ",gamma=64,margin=0.4", ",unified=true"):
                cases.append(
                    Case(f"{what}, {classes} of {columns}", f"circle-class:class_weights={text}{more}", (x, label))
                )
    return cases


def proxy_cases() -> list[Case]:
    cases, own = [], np.random.default_rng(23)
    for columns, classes in ((2, 3), (8, 5), (64, 4)):
        weights, emb = own.normal(0, 1, (classes, columns)), own.normal(0, 1, (20, columns))
        label = np.arange(20) % classes
        near = weights[label] + 0.05 * emb
        for what, x, w in (
            ("random", emb, weights),
            ("near their class", near, weights),
            ("opposite", -near, weights),
            ("1e-200 long", near * 1e-200, weights * 1e200),
        ):
            for spec in (
                *("arcface", "arcface:beyond=easy", "arcface:beyond=plain", "arcface:s=8,margin=1"),
                *(
                    "cosface",
                    "cosface:s=30,margin=0.4",
                    "normalized-softmax",
                    "proxy-nca",
                    "proxy-nca:with_own=true",
                ),
                *("sub-center-arcface:centers=2", "soft-triple:centers=2", "soft-triple:centers=2,s=5,gamma=1"),
                *("sphereface", "sphereface:multiple=3,s=2", "sphereface:at_length=true,s=0.2", "p2s-grad", "center"),
            ):
                name, _, more = spec.partition(":")
                two = np.concatenate([w, np.roll(w, 1, axis=0)], axis=1)
                text = "/".join(map(repr, (two if "centers" in more else w).ravel().tolist()))
                full = f"{name}:class_weights={text}" + (f",{more}" if more else "")
                cases.append(Case(f"{what}, {classes} of {columns}", full, (x, label)))
    return cases


CASES = [
    *augmented_cases(),
    *proxy_cases(),
    *regression_cases(),
    *chance_cases(),
    *hinge_cases(),
    *divergence_cases(),
    *pair_cases(),
    *circle_class_cases(),
    *exact_regression.cases(),
    *exact_preference.cases(),
    *exact_scoring.cases(),
]


# --- bounds


def _focal(truth: Any, case: Case, *row: Any) -> Any:
    return truth * (3 * option(case, "gamma") + 4) / 4


def _focal_star(truth: Any, case: Case, x: Any, y: Any) -> Any:
    values = x if isinstance(x, list) else [x]
    return truth * (1 + option(case, "gamma") * max([abs(log(v) - log1p(-v)) for v in values if 0 < v < 1], default=0))


def _perplexity(truth: Any, case: Case, *row: Any) -> Any:
    return truth * (1 + abs(mp.log(truth))) if mp.isfinite(truth) else truth


def _log_prob(truth: Any, case: Case, p: Any, q: Any) -> Any:
    return mp.fsum(abs(mp.exp(a) - mp.exp(b)) for a, b in zip(p, q, strict=True))


def _mixed(truth: Any, case: Case, p: Any, q: Any) -> Any:
    forms = forms_of(case)
    log_p, log_q = logs(p, forms[0]), logs(q, forms[1])
    both = [(a, b) for a, b in zip(log_p, log_q, strict=True) if a > -mp.inf and b > -mp.inf]
    terms = mp.fsum(mp.exp(max(a, b)) * abs(a - b) * (1 + abs(a)) for a, b in both)
    return terms + (1 if case.loss == "kl" and "log-prob" in forms else 0)


def _met(truth: Any, case: Case, p: Any, q: Any) -> Any:
    """What rounded logarithms of both make of p - q, of their roots, and of log(p/q)."""
    forms = forms_of(case)
    pairs = list(zip(logs(p, forms[0]), logs(q, forms[1]), strict=True))
    sizes = [(mp.exp(max(a, b)), abs(a - b), 1 + abs(a) + abs(b)) for a, b in pairs if min(a, b) > -mp.inf]
    if case.loss == "total-variation":
        return truth + mp.fsum(m * w for m, _, w in sizes)
    if case.loss == "hellinger":
        return truth + mp.sqrt(mp.fsum(m * w**2 for m, _, w in sizes))
    terms = mp.fsum(m * d * w for m, d, w in sizes)
    if case.loss == "js-distance":
        return truth + (terms / truth if truth else 0)
    return truth + 2 * terms + (1 if case.loss == "reverse-kl" and "log-prob" in forms else 0)


def _rounded(a: Any, b: Any, metric: str) -> Any:
    """What the error of a distance is relative to: itself, and for a cosine three times that."""
    return (3 if metric == "cosine" else 1) * _distance(a, b, metric)


def _operands(truth: Any, case: Case, a: Any, b: Any, c: Any) -> Any:
    metric, margin = option(case, "distance"), mp.mpf(option(case, "margin"))
    if case.loss == "triplet":
        distances = mp.fsum(_rounded(*pair, metric) for pair in ((a, b), (a, c), (b, c)))
        return truth + min(1, truth) * distances if option(case, "soft") else margin + distances
    operands = _rounded(a, b, metric) + (0 if c == 1 else margin)
    return mp.sqrt(2 * truth) * operands if case.loss == "contrastive" else operands


def _length(emb: list[Any]) -> Any:
    return mp.sqrt(mp.fdot(emb, emb))


def _longest(case: Case, emb: list[Any]) -> Any:
    """The length that a cosine of sphereface is multiplied by, at most."""
    classes = _classes(emb, option(case, "class_weights"))
    return _length(emb) * (max(map(_length, classes)) if option(case, "at_length") else 1)


PAIRS = ("contrastive", "pairwise-ranking", "triplet")
KNOWN_BOUNDS = (
    Bound(
        ("arcface", "sub-center-arcface"),
        lambda case: True,
        lambda truth, case, *row: truth * (1 + option(case, "s") / 8),
        "the sine of an angle is rounded, and e^-x makes its absolute error relative: 4 ulp and one for every two "
        "units of the scale",
    ),
    Bound(
        ("soft-triple",),
        lambda case: True,
        lambda truth, case, *row: truth * (1 + option(case, "s") / 2),
        "the similarity to a class is a rounded mean, and e^-x makes its absolute error relative: 4 ulp and two for "
        "each unit of the scale",
    ),
    Bound(
        ("sphereface",),
        lambda case: True,
        lambda truth, case, emb, label: (
            truth * (1 + option(case, "s") * option(case, "multiple") * _longest(case, emb))
        ),
        "as arcface: 4 ulp, and 4 m for each unit of the scale and the length",
    ),
    Bound(
        ("proxy-nca",),
        lambda case: not option(case, "with_own"),
        lambda truth, case, *row: abs(truth) + 1,
        "a logarithm that passes through 0: 4 ulp of 1 too",
    ),
    Bound(
        ("jsd-ce",),
        lambda case: True,
        lambda truth, case, *row: truth + option(case, "alpha"),
        "the three views meet as rounded probabilities: 4 ulp of alpha too",
    ),
    Bound(
        ("focal",),
        lambda case: forms_of(case) == ["logits"],
        _focal,
        "1 - p_t of logits is right to 3 ulp, and the power makes that 3 gamma: 3 gamma + 4 ulp",
    ),
    Bound(
        ("focal-star",),
        lambda case: forms_of(case) == ["prob"],
        _focal_star,
        "x_t = log p - log(1 - p) is rounded, and e^-x makes its absolute error relative: about |ln L| ulp",
    ),
    Bound(
        ("perplexity",),
        lambda case: True,
        _perplexity,
        "the error of the cross-entropy becomes relative in its exponential: 4 ulp times 1 + ln of the perplexity",
    ),
    Bound(
        ("kl",),
        lambda case: forms_of(case) == ["log-prob", "log-prob"],
        _log_prob,
        "the sum of p minus the sum of q counts, and each e^(log p) is rounded: 4 ulp of the sum of |p - q|",
    ),
    Bound(
        ("jeffreys", "reverse-kl", "total-variation", "hellinger", "js-distance"),
        lambda case: len(set(forms_of(case))) == 2 or "log-prob" in forms_of(case),
        _met,
        "two forms meet as rounded logarithms: 4 ulp of what these make of p - q, of its roots and of log(p/q)",
    ),
    Bound(
        ("jeffreys", "reverse-kl", "total-variation"),
        lambda case: set(forms_of(case)) == {"logits"},
        lambda truth, case, p, q: 2 * truth,
        "a difference and a logarithm that are each right to 3 ulp: 8 ulp",
    ),
    Bound(
        ("kl", "js"),
        lambda case: len(set(forms_of(case))) == 2,
        _mixed,
        "two forms meet as rounded logarithms: 4 ulp of the terms p |log(p/q)| (1 + |log p|), and for kl of log p "
        "beside another form of the sum of p, which is 1",
    ),
    Bound(
        PAIRS,
        lambda case: True,
        _operands,
        "rounded distances cancel with each other and the margin: 4 ulp of their sum; a cosine distance is itself "
        "right to 12 ulp",
    ),
    *exact_regression.BOUNDS,
    *exact_preference.BOUNDS,
    *exact_scoring.BOUNDS,
)


def allowed(case: Case, values: list[Any]) -> list[float]:
    """The error of each row that is allowed, in ulp of the truth."""
    bound = next((bound for bound in KNOWN_BOUNDS if case.loss in bound.losses and bound.applies(case)), None)
    if bound is None:
        return [ULP] * len(values)
    with mp.workprec(BITS):
        scales = [bound.scale(truth, case, *row) for truth, row in zip(values, exact_rows(case), strict=True)]
    ratios = [
        scale / abs(truth) if truth else math.ulp(float(scale)) / SMALLEST
        for scale, truth in zip(scales, values, strict=True)
    ]
    return [ULP * max(1.0, float(ratio)) if mp.isfinite(ratio) else ULP for ratio in ratios]
