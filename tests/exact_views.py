"""Losses of two views from 50 digits and more, thing by thing, and numbers of all rows together, from their definitions
in mpmath."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np
from exact_losses import exact

from lossctl.api import calls
from lossctl.language import registry

Table = list[list[Any]]  # of mpmath numbers


@dataclass(frozen=True)
class ViewCase:
    """Views of the same things that are hard in one way."""

    what: str
    spec: str
    inputs: tuple[np.ndarray, ...]

    @property
    def loss(self) -> str:
        return self.spec.partition(":")[0]


def cosines(a: Table, b: Table) -> Table:
    lengths = [[mp.sqrt(mp.fdot(row, row)) for row in view] for view in (a, b)]
    return [
        [mp.fdot(x, y) / (p * q) for y, q in zip(b, lengths[1], strict=True)]
        for x, p in zip(a, lengths[0], strict=True)
    ]


def surprise(own: Any, others: list[Any], scale: Any) -> Any:
    return mp.log1p(mp.fsum(mp.exp(scale * (other - own)) for other in others))


def without(row: list[Any], i: int) -> list[Any]:
    return [value for j, value in enumerate(row) if j != i]


def both_ways(s: Table, term: Callable[[list[Any], int], Any]) -> list[Any]:
    turned = [list(column) for column in zip(*s, strict=True)]
    return [(term(s[i], i) + term(turned[i], i)) / 2 for i in range(len(s))]


def clip(a: Table, b: Table, temperature: float) -> list[Any]:
    return both_ways(cosines(a, b), lambda row, i: surprise(row[i], without(row, i), 1 / mp.mpf(temperature)))


def mnrl(a: Table, b: Table, s: float, symmetric: bool) -> list[Any]:
    table = cosines(a, b)
    if symmetric:
        return clip(a, b, 1 / mp.mpf(s))
    return [surprise(row[i], without(row, i), s) for i, row in enumerate(table)]


def mnrl_negatives(a: Table, p: Table, n: Table, s: float) -> list[Any]:
    near, far = cosines(a, p), cosines(a, n)
    return [surprise(row[i], without(row, i) + far[i], s) for i, row in enumerate(near)]


def with_own_view(a: Table, b: Table) -> Iterator[tuple[Any, list[Any]]]:
    s, t = cosines(a, b), cosines(a, a)
    for i, row in enumerate(s):
        yield row[i], without(row, i) + without(t[i], i)


def nt_xent_views(a: Table, b: Table, temperature: float) -> list[Any]:
    k = 1 / mp.mpf(temperature)
    ways = ([surprise(own, others, k) for own, others in with_own_view(*views)] for views in ((a, b), (b, a)))
    return [(x + y) / 2 for x, y in zip(*ways, strict=True)]


def dcl(a: Table, b: Table, temperature: float) -> list[Any]:
    k = 1 / mp.mpf(temperature)
    ways = (
        [mp.log(mp.fsum(mp.exp(k * (other - own)) for other in others)) for own, others in with_own_view(*views)]
        for views in ((a, b), (b, a))
    )
    return [(x + y) / 2 for x, y in zip(*ways, strict=True)]


def n_pairs(a: Table, p: Table) -> list[Any]:
    table = [[mp.fdot(x, y) for y in p] for x in a]
    return [surprise(row[i], without(row, i), 1) for i, row in enumerate(table)]


def gist(
    a: Table, b: Table, c: Table, d: Table, temperature: float, margin: float, relative: bool, within: str
) -> list[Any]:
    names = [("left", a, c), ("right", b, d)]
    tables = [(cosines(a, b), cosines(c, d), True)]
    tables += [(cosines(x, x), cosines(g, g), False) for name, x, g in names if within in ("both", name)]
    values = []
    for i in range(len(a)):
        own = tables[0][1][i][i]
        least = own - (abs(own) * mp.mpf(margin) if relative else mp.mpf(margin))
        rivals = [
            s[i][j]
            for s, guide, crosses in tables
            for j in range(len(a))
            if guide[i][j] <= least and not (crosses and i == j)
        ]
        values.append(surprise(tables[0][0][i][i], rivals, 1 / mp.mpf(temperature)))
    return values


def siglip(a: Table, b: Table, s: float, bias: float) -> list[Any]:
    def term(row: list[Any], i: int) -> Any:
        return mp.log1p(mp.exp(-(s * row[i] + bias))) + mp.fsum(mp.log1p(mp.exp(s * x + bias)) for x in without(row, i))

    return [term(row, i) for i, row in enumerate(cosines(a, b))]


def mega_batch_margin(a: Table, b: Table, positive_margin: float, negative_margin: float) -> list[Any]:
    return [
        max(0, positive_margin - row[i]) + max(0, max(without(row, i)) - mp.mpf(negative_margin))
        for i, row in enumerate(cosines(a, b))
    ]


def columns_of(view: Table) -> Table:
    """Columns of mean 0."""
    columns = [list(column) for column in zip(*view, strict=True)]
    return [[x - mp.fsum(column) / len(column) for x in column] for column in columns]


def barlow_twins(a: Table, b: Table, lambd: float, eps: float) -> Any:
    def standard(view: Table) -> Table:
        return [[x / mp.sqrt(mp.fdot(c, c) / len(c) + mp.mpf(eps)) for x in c] for c in columns_of(view)]

    one, other = standard(a), standard(b)
    table = [[mp.fdot(x, y) / len(x) for y in other] for x in one]
    return mp.fsum(
        (1 - c) ** 2 if i == j else mp.mpf(lambd) * c**2 for i, row in enumerate(table) for j, c in enumerate(row)
    )


def vicreg(a: Table, b: Table, invariance: float, variance: float, covariance: float, eps: float) -> Any:
    n, width = len(a), len(a[0])
    total = (
        invariance
        * mp.fsum((x - y) ** 2 for r, q in zip(a, b, strict=True) for x, y in zip(r, q, strict=True))
        / (n * width)
    )
    for view in (a, b):
        columns = columns_of(view)
        table = [[mp.fdot(x, y) / (n - 1) for y in columns] for x in columns]
        total += (
            variance / 2 * mp.fsum(max(0, 1 - mp.sqrt(row[i] + mp.mpf(eps))) for i, row in enumerate(table)) / width
        )
        total += covariance * mp.fsum(c**2 for i, row in enumerate(table) for c in without(row, i)) / width
    return total


def proxy_anchor(emb: Table, label: list[Any], class_weights: Any, margin: float, s: float) -> Any:
    proxies = [exact(row) for row in np.reshape(class_weights, (-1, len(emb[0])))]
    table = cosines(proxies, emb)
    own = [[x for x, y in zip(row, label, strict=True) if y == k] for k, row in enumerate(table)]
    others = [[x for x, y in zip(row, label, strict=True) if y != k] for k, row in enumerate(table)]
    pull = [mp.log1p(mp.fsum(mp.exp(-s * (x - mp.mpf(margin))) for x in row)) for row in own if row]
    push = [mp.log1p(mp.fsum(mp.exp(s * (x + mp.mpf(margin))) for x in row)) for row in others]
    return mp.fsum(pull) / len(pull) + mp.fsum(push) / len(push)


def out_of_order(a: list[Any], y: list[Any], s: float) -> Any:
    terms = [mp.exp(s * (v - u)) for u, p in zip(a, y, strict=True) for v, q in zip(a, y, strict=True) if p > q]
    return mp.log1p(mp.fsum(terms))


def paired_cosines(a: Table, b: Table) -> list[Any]:
    return [cosines([x], [y])[0][0] for x, y in zip(a, b, strict=True)]


def cosent(a: Table, b: Table, y: list[Any], s: float) -> Any:
    return out_of_order(paired_cosines(a, b), y, s)


def angle(a: Table, b: Table, y: list[Any], s: float) -> Any:
    half = len(a[0]) // 2
    turned = [row[half:] + [-x for x in row[:half]] for row in a]
    pairs = zip(paired_cosines(a, b), paired_cosines(turned, b), strict=True)
    return out_of_order([abs(cosine + sine) for cosine, sine in pairs], y, s)


def online_contrastive(a: Table, b: Table, same: list[Any], margin: float) -> Any:
    d = [1 - c for c in paired_cosines(a, b)]
    near, far = ([x for x, y in zip(d, same, strict=True) if y == kind] for kind in (1, 0))
    pull = mp.fsum(x**2 for x in near if x > min(far))
    return pull + mp.fsum(max(0, margin - x) ** 2 for x in far if x < max(near))


def lovasz(cost: list[Any], error: list[Any], truth: list[Any]) -> Any:
    order = sorted(range(len(error)), key=lambda i: -error[i])
    region, total, before = {i for i, y in enumerate(truth) if y}, mp.mpf(0), mp.mpf(0)
    for at in range(len(order)):
        missed = set(order[: at + 1])
        now = mp.mpf(len(missed)) / len(region | missed)
        total, before = total + cost[order[at]] * (now - before), now
    return total


def lovasz_hinge(score: list[Any], label: list[Any]) -> Any:
    error = [1 - (2 * y - 1) * s for s, y in zip(score, label, strict=True)]
    return lovasz([max(0, e) for e in error], error, label)


def lovasz_softmax(probs: Table, label: list[Any], over: str, ignore_index: None) -> Any:
    names = [c for c in range(len(probs[0])) if over == "all" or c in label]
    truths = [[int(y == c) for y in label] for c in names]
    errors = [[abs(y - row[c]) for y, row in zip(t, probs, strict=True)] for c, t in zip(names, truths, strict=True)]
    return mp.fsum(lovasz(e, e, t) for e, t in zip(errors, truths, strict=True)) / len(names)


def wasserstein_1d(u: list[Any], v: list[Any]) -> Any:
    return mp.fsum(abs(x - y) for x, y in zip(sorted(u), sorted(v), strict=True)) / len(u)


def energy_distance(u: list[Any], v: list[Any]) -> Any:
    def apart(a: list[Any], b: list[Any]) -> Any:
        return mp.fsum(abs(x - y) for x in a for y in b) / (len(a) * len(b))

    return mp.sqrt(2 * apart(u, v) - apart(u, u) - apart(v, v))


def median_error(u: list[Any], v: list[Any]) -> Any:
    errors = sorted(abs(x - y) for x, y in zip(u, v, strict=True))
    return (errors[(len(errors) - 1) // 2] + errors[len(errors) // 2]) / 2


def max_error(u: list[Any], v: list[Any]) -> Any:
    return max(abs(x - y) for x, y in zip(u, v, strict=True))


def decibels(signal: list[Any], noise: list[Any]) -> Any:
    return 10 * mp.log10(mp.fdot(signal, signal) / mp.fdot(noise, noise))


def centred(x: list[Any], is_asked: bool) -> list[Any]:
    return [value - mp.fsum(x) / len(x) for value in x] if is_asked else x


def psnr(u: list[Any], v: list[Any], peak: float) -> Any:
    return 10 * mp.log10(mp.mpf(peak) ** 2 * len(u) / mp.fsum((x - y) ** 2 for x, y in zip(u, v, strict=True)))


def snr(u: list[Any], v: list[Any], zero_mean: bool) -> Any:
    p, y = centred(u, zero_mean), centred(v, zero_mean)
    return decibels(y, [a - b for a, b in zip(y, p, strict=True)])


def si_sdr(u: list[Any], v: list[Any], zero_mean: bool) -> Any:
    p, y = centred(u, zero_mean), centred(v, zero_mean)
    part = [mp.fdot(p, y) / mp.fdot(y, y) * value for value in y]
    return decibels(part, [a - b for a, b in zip(part, p, strict=True)])


def adaface(emb: Table, label: list[Any], class_weights: Any, s: float, margin: float, h: float) -> Any:
    classes = [exact(row) for row in np.reshape(class_weights, (-1, len(emb[0])))]
    lengths, m = [mp.sqrt(mp.fdot(row, row)) for row in emb], mp.mpf(margin)
    mean = mp.fsum(lengths) / len(lengths)
    deviation = mp.sqrt(mp.fsum((x - mean) ** 2 for x in lengths) / (len(lengths) - 1))
    values = []
    for row, y, length in zip(cosines(emb, classes), map(int, label), lengths, strict=True):
        g = min(max(mp.mpf(h) * (length - mean) / deviation, -1), 1)
        own = mp.cos(min(max(mp.acos(row[y]) - m * g, 0), mp.pi)) - m * (1 + g)
        values.append(mp.log1p(mp.fsum(mp.exp(s * (c - own)) for c in without(row, y))))
    return mp.fsum(values) / len(values)


def uniformity(x: Table, t: float) -> Any:
    table = cosines(x, x)
    terms = [mp.fsum(mp.exp(2 * mp.mpf(t) * (c - 1)) for c in without(row, i)) for i, row in enumerate(table)]
    return mp.log(mp.fsum(terms) / (len(x) * (len(x) - 1)))


def koleo(x: Table) -> list[Any]:
    return [-mp.log(2 - 2 * max(without(row, i))) / 2 for i, row in enumerate(cosines(x, x))]


def correlation(u: list[Any], v: list[Any]) -> Any:
    p, y = centred(u, True), centred(v, True)
    return 1 - mp.fdot(p, y) / mp.sqrt(mp.fdot(p, p) * mp.fdot(y, y))


def concordance(u: list[Any], v: list[Any]) -> Any:
    n, p, y = len(u), centred(u, True), centred(v, True)
    apart = mp.fsum((a - b) ** 2 for a, b in zip(u, v, strict=True))
    return apart / (mp.fdot(p, p) + mp.fdot(y, y) + (mp.fsum(u) - mp.fsum(v)) ** 2 / n)


def cox(h: list[Any], t: list[Any], event: list[Any]) -> Any:
    terms = [
        mp.log(mp.fsum(mp.exp(x) for x, later in zip(h, t, strict=True) if later >= t[i])) - h[i]
        for i in range(len(t))
        if event[i]
    ]
    return mp.fsum(terms) / len(terms)


def aot(
    lc: list[Any], lr: list[Any], rc: list[Any], rr: list[Any], beta: float, label_smoothing: float, unpaired: bool
) -> Any:
    pairs = ((lc, rc), (lr, rr)) if unpaired else ((lc, lr), (rc, rr))
    one, other = (sorted(x - y for x, y in zip(*pair, strict=True)) for pair in pairs)
    e = mp.mpf(label_smoothing)
    x = [beta * (u - v) for u, v in zip(one, other, strict=True)]
    return mp.fsum((1 - e) * mp.log1p(mp.exp(-v)) + e * mp.log1p(mp.exp(v)) for v in x) / len(x)


def load_balancing(router: Table, experts: int) -> Any:
    n, all_experts = len(router), len(router[0])
    best = [sorted(range(all_experts), key=lambda e: -row[e])[:experts] for row in router]
    p = [[mp.exp(x) / mp.fsum(map(mp.exp, row)) for x in row] for row in router]
    return all_experts * mp.fsum(
        mp.mpf(sum(e in row for row in best)) / n * mp.fsum(row[e] for row in p) / n for e in range(all_experts)
    )


def of_kinds(table: Table, label: list[Any]) -> tuple[list[Any], list[Any]]:
    """What a table has of the positive pairs, and of the negative ones."""
    same = [[y == other for other in label] for y in label]
    near = [x for i, row in enumerate(table) for j, x in enumerate(row) if same[i][j] and i != j]
    return near, [x for i, row in enumerate(table) for j, x in enumerate(row) if not same[i][j]]


def mean_of(values: list[Any]) -> Any:
    return mp.fsum(values) / len(values) if values else mp.mpf(0)


def intra_pair_variance(x: Table, label: list[Any], positive_slack: float, negative_slack: float) -> Any:
    near, far = of_kinds(cosines(x, x), label)
    low, high = (1 - mp.mpf(positive_slack)) * mean_of(near), (1 + mp.mpf(negative_slack)) * mean_of(far)
    return mean_of([max(0, low - s) ** 2 for s in near]) + mean_of([max(0, s - high) ** 2 for s in far])


def histogram(x: Table, label: list[Any], bins: int) -> Any:
    def shares(values: list[Any]) -> list[Any]:
        return [mean_of([max(0, 1 - abs((s + 1) * bins / 2 - k)) for s in values]) for k in range(bins + 1)]

    near, far = map(shares, of_kinds(cosines(x, x), label))
    return mp.fsum(share * mp.fsum(near[: k + 1]) for k, share in enumerate(far))


def snr_contrastive(x: Table, label: list[Any], margin: float, positive_margin: float, unit_length: bool) -> Any:
    def variance(row: list[Any]) -> Any:
        return mp.fsum((v - mean_of(row)) ** 2 for v in row)

    rows = [[v / mp.sqrt(mp.fdot(row, row)) for v in row] for row in x] if unit_length else x
    table = [[variance([u - v for u, v in zip(a, b, strict=True)]) / variance(a) for b in rows] for a in rows]
    near, far = of_kinds(table, label)
    pull = mean_of([d - mp.mpf(positive_margin) for d in near if d > positive_margin])
    return pull + mean_of([mp.mpf(margin) - d for d in far if d < margin])


def threshold_consistent_margin(x: Table, label: list[Any], positive_margin: float, negative_margin: float) -> Any:
    near, far = of_kinds(cosines(x, x), label)
    pull = mean_of([mp.mpf(positive_margin) - s for s in near if s <= positive_margin])
    return pull + mean_of([s - mp.mpf(negative_margin) for s in far if s >= negative_margin])


def of_networks(
    real: Callable[[Any], Any], other: Callable[[Any], Any], own: Callable[[Any], Any]
) -> Callable[..., Any]:
    def reference(score: list[Any], label: list[Any], network: str) -> Any:
        kinds = [[s for s, y in zip(score, label, strict=True) if y == kind] for kind in (1, 0)]
        if network == "generator":
            return mean_of([own(s) for s in kinds[1]])
        return mean_of([real(s) for s in kinds[0]]) + mean_of([other(s) for s in kinds[1]])

    return reference


def frossl(a: Table, b: Table, invariance: float) -> Any:
    lengths = [[mp.sqrt(mp.fdot(column, column)) for column in zip(*view, strict=True)] for view in (a, b)]
    views = [
        [[x / s for x, s in zip(row, size, strict=True)] for row in v] for v, size in zip((a, b), lengths, strict=True)
    ]
    total = (
        invariance
        * mp.fsum((x - y) ** 2 for rows in zip(*views, strict=True) for x, y in zip(*rows, strict=True))
        / len(a)
    )
    for view in views:
        columns = list(zip(*view, strict=True))
        total += mp.log(mp.fsum((mp.fdot(x, y) / len(columns)) ** 2 for x in columns for y in columns))
    return total


def nuclear(rows: Table) -> Any:
    return mp.fsum(mp.svd_r(mp.matrix(rows), compute_uv=False))


def mmcr(a: Table, b: Table, lambd: float) -> Any:
    own = mean_of([nuclear([x, y]) for x, y in zip(a, b, strict=True)])
    return mp.mpf(lambd) * own - nuclear(
        [[(x + y) / 2 for x, y in zip(*rows, strict=True)] for rows in zip(a, b, strict=True)]
    )


def explained(cost: Callable[[Any, Any], Any], p: list[Any], y: list[Any], best: Any) -> Any:
    own, other = (mp.fsum(cost(x, t) for x, t in zip(q, y, strict=True)) for q in (p, [best] * len(y)))
    return 1 - own / other


def d2_pinball(p: list[Any], y: list[Any], alpha: float) -> Any:
    def cost(x: Any, t: Any) -> Any:
        return mp.mpf(alpha) * (t - x) if t >= x else (1 - mp.mpf(alpha)) * (x - t)

    return explained(cost, p, y, min(y, key=lambda best: mp.fsum(cost(best, t) for t in y)))


def d2_tweedie(p: list[Any], y: list[Any], power: float) -> Any:
    k = mp.mpf(power)

    def cost(m: Any, t: Any) -> Any:
        return t ** (2 - k) / ((1 - k) * (2 - k)) - t * m ** (1 - k) / (1 - k) + m ** (2 - k) / (2 - k)

    return explained(cost, p, y, mean_of(y))


def dclw(a: Table, b: Table, temperature: float, sigma: float) -> list[Any]:
    own = [row[i] for i, row in enumerate(cosines(a, b))]
    shares = [mp.exp(c / mp.mpf(sigma)) for c in own]
    weights = [2 - len(own) * share / mp.fsum(shares) for share in shares]
    values = []
    for i in range(len(a)):
        sides = []
        for x, y in ((a, b), (b, a)):
            others = [*without(cosines([x[i]], y)[0], i), *without(cosines([x[i]], x)[0], i)]
            sides.append(mp.log(mp.fsum(mp.exp(c / mp.mpf(temperature)) for c in others)))
        values.append(mp.fsum(sides) / 2 - weights[i] * own[i] / mp.mpf(temperature))
    return values


def macl(a: Table, b: Table, temperature: float, alpha: float, alignment: float) -> list[Any]:
    own = [row[i] for i, row in enumerate(cosines(a, b))]
    t = mp.mpf(temperature) * (1 + mp.mpf(alpha) * (mean_of(own) - mp.mpf(alignment)))
    values = []
    for i in range(len(a)):
        total = mp.mpf(0)
        for x, y in ((a, b), (b, a)):
            others = [*without(cosines([x[i]], y)[0], i), *without(cosines([x[i]], x)[0], i)]
            surprise = mp.log1p(mp.fsum(mp.exp((c - own[i]) / t) for c in others))
            total += surprise / -mp.expm1(-surprise)
        values.append(total / 2)
    return values


def hypersphere(a: Table, b: Table, t: float, alpha: float, uniformity_weight: float) -> Any:
    pull = mean_of([(2 - 2 * row[i]) ** (mp.mpf(alpha) / 2) for i, row in enumerate(cosines(a, b))])
    return pull + mp.mpf(uniformity_weight) * (uniformity(a, t) + uniformity(b, t)) / 2


def aucm(s: list[Any], y: list[Any], margin: float, a: Any, b: Any, alpha: Any, prior: bool) -> Any:
    yes, no = ([x for x, kind in zip(s, y, strict=True) if kind == side] for side in (1, 0))
    lead = mp.mpf(margin) + mean_of(no) - mean_of(yes)
    weight = max(mp.mpf(0), lead) if alpha is None else mp.mpf(alpha)
    value = 2 * weight * lead - weight**2
    for side, fixed in ((yes, a), (no, b)):
        centre = mean_of(side) if fixed is None else mp.mpf(fixed)
        value += mean_of([(x - centre) ** 2 for x in side])
    return value * len(yes) * len(no) / len(s) ** 2 if prior else value


def two_way(s: Table, y: Table, positive_temperature: float, negative_temperature: float) -> Any:
    tp, tn, total = mp.mpf(positive_temperature), mp.mpf(negative_temperature), mp.mpf(0)
    for rows, truths in ((s, y), (list(zip(*s, strict=True)), list(zip(*y, strict=True)))):
        terms = []
        for row, truth in zip(rows, truths, strict=True):
            high = mp.fsum(mp.exp(x / tn) for x, held in zip(row, truth, strict=True) if not held)
            low = mp.fsum(mp.exp(-x / tp) for x, held in zip(row, truth, strict=True) if held)
            if low:
                terms.append(mp.log1p(high**tn * low**tp))
        total += mean_of(terms)
    return total


def distribution_balanced(s: Table, y: Table, **options: Any) -> Any:
    o = {key: mp.mpf(value) for key, value in options.items() if value is not None and key != "class_counts"}
    rows = o.get("count", mp.mpf(len(s)))
    counts = [min(max(mp.fsum(column), 1), rows - 1) for column in zip(*y, strict=True)]

    def fading(x: Any) -> Any:
        return o["focal_scale"] * (1 / (1 + mp.exp(-x))) ** o["gamma"] * mp.log1p(mp.exp(x))

    cells = []
    for row, truth in zip(s, y, strict=True):
        met = mp.fsum(held / n for held, n in zip(truth, counts, strict=True))
        for x, held, n in zip(row, truth, counts, strict=True):
            rare = 1 / (1 + mp.exp(-o["steepness"] * (1 / n / met - o["threshold"]))) if met else 1
            scale = o["negative_scale"]
            z = x - o["bias"] * mp.log(rows / n - 1) / scale
            cells.append((o["least"] + rare) * (fading(-z) if held else fading(scale * z) / scale))
    return mean_of(cells)


def mutual_information(x: list[Any], y: list[Any], bins: int, kernel: str, unit: bool, normalized: bool) -> Any:
    def weights(column: list[Any]) -> list[list[Any]]:
        low, high = (mp.mpf(0), mp.mpf(1)) if unit else (min(column), max(column))
        places = [(v - low) / (high - low) * (bins - 1) for v in column]
        if kernel == "gaussian":
            rows = [[mp.exp(-2 * (p - k) ** 2) for k in range(bins)] for p in places]
            return [[w / mp.fsum(row) for w in row] for row in rows]
        steps = [[abs(p - k) for k in range(bins)] for p in places]
        tenth = mp.mpf(0.1), mp.mpf(1.8), mp.mpf(1.9)
        return [
            [
                1 - u * (tenth[0] + tenth[1] * u) if 2 * u < 1 else (1 - u) * (tenth[2] - tenth[1] * u) if u < 1 else 0
                for u in row
            ]
            for row in steps
        ]

    a, b = weights(x), weights(y)
    joint = [[mean_of([p[k] * q[m] for p, q in zip(a, b, strict=True)]) for m in range(bins)] for k in range(bins)]
    sides = [mp.fsum(row) for row in joint], [mp.fsum(column) for column in zip(*joint, strict=True)]
    if normalized:
        parts = [-mp.fsum(p * mp.log(p) for p in side if p) for side in (*sides, [p for row in joint for p in row])]
        return -(parts[0] + parts[1]) / parts[2]
    return -mp.fsum(
        p * mp.log(p / (sides[0][k] * sides[1][m])) for k, row in enumerate(joint) for m, p in enumerate(row) if p
    )


def average_precision(score: list[Any], label: list[Any], between: str) -> Any:
    """Score by score, from the highest."""
    area, hits, rows = mp.mpf(0), mp.mpf(0), mp.mpf(0)
    for top in sorted(set(score), reverse=True):
        above = [y for s, y in zip(score, label, strict=True) if s >= top]
        gained, later = mp.fsum(above) - hits, mp.mpf(len(above))
        if gained and between == "step":
            area += gained * (hits + gained) / later
        elif gained:
            slope = (later - rows) / gained
            offset = rows - slope * hits
            bend = offset / slope * mp.log((rows + slope * gained) / rows) if offset else 0
            area += (gained - bend) / slope
        hits, rows = hits + gained, later
    return area / hits


def log_softmax(x: list[Any], temperature: Any) -> list[Any]:
    scaled = [v / mp.mpf(temperature) for v in x]
    total = mp.log(mp.fsum(map(mp.exp, scaled)))
    return [v - total for v in scaled]


def codes_of(logs: list[list[Any]], rounds: int) -> list[list[Any]]:
    x = [[mp.exp(v) for v in row] for row in logs]
    for _ in range(rounds):
        sums = [mp.fsum(column) for column in zip(*x, strict=True)]
        x = [[v / total for v, total in zip(row, sums, strict=True)] for row in x]
        x = [[v / mp.fsum(row) for v in row] for row in x]
    return x


def surprise_at(logs: list[list[Any]], codes: list[list[Any]]) -> Any:
    return -mp.fsum(mp.fdot(*pair) for pair in zip(logs, codes, strict=True)) / len(logs)


def capi(a: Any, b: Any, temperature: float, teacher_temperature: float, iterations: int) -> Any:
    codes = codes_of([[v / mp.mpf(teacher_temperature) for v in row] for row in b], iterations)
    return surprise_at([log_softmax(row, temperature) for row in a], codes)


def swav(a: Any, b: Any, temperature: float, epsilon: float, iterations: int) -> Any:
    return (capi(a, b, temperature, epsilon, iterations) + capi(b, a, temperature, epsilon, iterations)) / 2


def siamese(prior: Any) -> Any:
    def value(
        a: Any, b: Any, temperature: float, sharpness: float, iterations: int, regularization: float, **options: Any
    ) -> Any:
        logs = [log_softmax(row, temperature) for row in a]
        codes = codes_of([log_softmax(row, mp.mpf(temperature) * mp.mpf(sharpness)) for row in b], iterations)
        mean = [mp.fsum(map(mp.exp, column)) / len(a) for column in zip(*logs, strict=True)]
        return surprise_at(logs, codes) + mp.mpf(regularization) * prior(mean, **options)

    return value


def from_prior(mean: list[Any], exponent: float, prior_shares: Any) -> Any:
    shares = [mp.mpf(r) for r in prior_shares or [mp.mpf(k + 1) ** -mp.mpf(exponent) for k in range(len(mean))]]
    shares = [r / mp.fsum(shares) for r in shares]
    return mp.fsum(r * mp.log(r / m) for r, m in zip(shares, mean, strict=True))


VIEW_REFERENCES: dict[str, Callable[..., list[Any]]] = {
    "clip": clip,
    "mnrl": mnrl,
    "mnrl-negatives": mnrl_negatives,
    "nt-xent-views": nt_xent_views,
    "dcl": dcl,
    "dclw": dclw,
    "macl": macl,
    "gist": gist,
    "n-pairs": n_pairs,
    "siglip": siglip,
    "mega-batch-margin": mega_batch_margin,
    "koleo": koleo,
}
WHOLE_REFERENCES: dict[str, Callable[..., Any]] = {
    "barlow-twins": barlow_twins,
    "vicreg": vicreg,
    "proxy-anchor": proxy_anchor,
    "cosent": cosent,
    "angle": angle,
    "online-contrastive": online_contrastive,
    "lovasz-hinge": lovasz_hinge,
    "lovasz-softmax": lovasz_softmax,
    "wasserstein-1d": wasserstein_1d,
    "energy-distance": energy_distance,
    "median-error": median_error,
    "max-error": max_error,
    "psnr": psnr,
    "snr": snr,
    "si-sdr": si_sdr,
    "cox": cox,
    "average-precision": average_precision,
    "swav": swav,
    "capi": capi,
    "msn": siamese(lambda mean: mp.fsum(m * mp.log(len(mean) * m) for m in mean)),
    "pmsn": siamese(from_prior),
    "aot": aot,
    "load-balancing": load_balancing,
    "adaface": adaface,
    "uniformity": uniformity,
    "correlation": correlation,
    "concordance": concordance,
    "gan-hinge": of_networks(lambda s: max(0, 1 - s), lambda s: max(0, 1 + s), lambda s: -s),
    "gan-least-squares": of_networks(lambda s: (s - 1) ** 2, lambda s: s**2, lambda s: (s - 1) ** 2),
    "wasserstein-gan": of_networks(lambda s: -s, lambda s: s, lambda s: -s),
    "frossl": frossl,
    "aucm": aucm,
    "two-way": two_way,
    "distribution-balanced": distribution_balanced,
    "mutual-information": mutual_information,
    "hypersphere": hypersphere,
    "mmcr": mmcr,
    "d2-pinball": d2_pinball,
    "d2-tweedie": d2_tweedie,
    "intra-pair-variance": intra_pair_variance,
    "histogram": histogram,
    "snr-contrastive": snr_contrastive,
    "threshold-consistent-margin": threshold_consistent_margin,
}
VIEW_SPECS = {
    "clip": ("clip", "clip:temperature=0.01"),
    "mnrl": ("mnrl", "mnrl:symmetric=true,s=100"),
    "gist": ("gist", "gist:margin=0.1,relative=true,within=left"),
    "siglip": ("siglip", "siglip:s=100,bias=-20"),
    "uniformity": ("uniformity", "uniformity:t=20"),
    "dclw": ("dclw", "dclw:temperature=0.5,sigma=0.1"),
    "hypersphere": ("hypersphere", "hypersphere:alpha=1,t=1,uniformity_weight=0.3"),
}
VIEW_REASONS = {
    "clip, mnrl, mnrl-negatives, nt-xent-views, gist, siglip": "as many terms as there are rows, each right to 4 ulp: "
    "8 ulp",
    "koleo": "a logarithm that passes through 0: 8 ulp, and 8 of 1",
    "dcl, dclw": "what pulls and what pushes cancel: 8 ulp of 2 / T",
    "barlow-twins, vicreg, and others of all rows at once": "sums over all rows in float64: 20 ulp",
}


def _exact(case: ViewCase) -> Any:
    spec = registry.parse(case.spec)
    reference = {**VIEW_REFERENCES, **WHOLE_REFERENCES}[case.loss]
    tables = ([exact(row) for row in array] for array in case.inputs)
    return reference(*tables, **spec.options)


def view_truths(case: ViewCase, bits: int) -> list[Any]:
    """The exact value of each thing, or that of all rows."""
    with mp.workprec(bits):
        return _exact(case) if case.loss in VIEW_REFERENCES else [_exact(case)]


def view_computed(case: ViewCase) -> list[float]:
    """The same as lossctl has it."""
    if case.loss in VIEW_REFERENCES:
        values: list[float] = calls.row_losses(case.spec, *case.inputs).tolist()
        return values
    return [calls.compute(case.spec, *case.inputs).value]


def view_limits(case: ViewCase, truths: list[Any]) -> list[float]:
    """The error that is allowed, in ulp of the truth."""
    if case.loss == "koleo":
        return [8.0 * max(1.0, float(1 / abs(truth))) for truth in truths]
    if case.loss in ("dcl", "dclw"):
        return [8.0 * max(1.0, float(20 / abs(truth))) for truth in truths]
    return [8.0 if case.loss in VIEW_REFERENCES else 20.0] * len(truths)


def hard_views() -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    rng = np.random.default_rng(11)
    yield "the same twice", (np.eye(3), np.eye(3)[[0, 0, 2]], np.eye(3)[::-1].copy(), np.eye(3) + 0.1)
    for n, columns in ((5, 2), (9, 24)):
        a, noise, c, d = rng.normal(size=(4, n, columns))
        yield f"std 1, {columns} columns", (a, a + 0.5 * noise, c, c + 0.5 * d)
        yield f"pairs 1e-7 apart, {columns} columns", (a, a + 1e-7 * noise, c, d)
        yield f"all 1e-7 apart, {columns} columns", (a[0] + 1e-7 * noise, a[0] + 1e-7 * c, a[0] + 1e-7 * d, a)
        yield f"1e200 and 1e-200 long, {columns} columns", (1e200 * a, 1e-200 * (a + noise), 1e200 * c, d)


def all_rows() -> dict[str, tuple[np.ndarray, ...]]:
    """Inputs of losses of all rows together, with ties."""
    rng = np.random.default_rng(12)
    left, right, scores = rng.normal(size=(3, 14, 4))
    grade, half = rng.integers(0, 4, 14) / 4.0, np.arange(14) % 2
    u, v = np.round(rng.normal(size=(2, 14)), 1)
    answers = tuple(-abs(rng.normal(0, 3, (4, 14))))
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return {
        **dict.fromkeys(("cosent", "angle:s=3"), (left, right, grade)),
        "online-contrastive": (left, right, half),
        "lovasz-hinge": (u, half),
        **dict.fromkeys(("lovasz-softmax", "lovasz-softmax:over=all"), (probs, np.arange(14) % 3)),
        **dict.fromkeys(("wasserstein-1d", "energy-distance", "median-error", "max-error"), (u, v)),
        **dict.fromkeys(("correlation", "concordance"), (u, v)),
        **dict.fromkeys(("psnr:peak=255", "snr", "si-sdr", "snr:zero_mean=true", "si-sdr:zero_mean=true"), (u, v)),
        "cox": (u, abs(v), half),
        **dict.fromkeys(("average-precision", "average-precision:between=davis-goadrich"), (u, half)),
        **dict.fromkeys(("swav", "swav:epsilon=1,iterations=1", "capi", "msn", "pmsn"), (left, right)),
        **dict.fromkeys(("msn:iterations=0,regularization=0", "pmsn:prior-shares=4/3/2/1"), (left, right)),
        **dict.fromkeys(("gan-hinge", "gan-least-squares", "wasserstein-gan"), (u, half)),
        **dict.fromkeys(("gan-hinge:network=generator", "gan-least-squares:network=generator"), (u, half)),
        **dict.fromkeys(("frossl", "mmcr"), (left, right)),
        **dict.fromkeys(("d2-pinball", "d2-pinball:alpha=0.8"), (u, v)),
        "d2-tweedie": (np.exp(u), np.exp(v)),
        **dict.fromkeys(("aucm", "aucm:prior=true,a=0.1,b=0.3,alpha=0.5"), (u, half)),
        **dict.fromkeys(
            ("two-way", "two-way:positive_temperature=0.5", "distribution-balanced"), (scores, (left > 0) * 1.0)
        ),
        **dict.fromkeys(("mutual-information:bins=5", "mutual-information:bins=4,normalized=true"), (u, v)),
        "mutual-information:bins=5,kernel=gaussian": (u, v),
        **dict.fromkeys(("intra-pair-variance", "histogram:bins=9", "snr-contrastive"), (left, half)),
        **dict.fromkeys(("snr-contrastive:unit_length=true", "threshold-consistent-margin"), (left, half)),
        **dict.fromkeys(("aot", "aot:unpaired=true,label_smoothing=0.2,beta=0.5"), answers),
        **dict.fromkeys(("load-balancing", "load-balancing:experts=1"), (scores,)),
    }


def ends_of_scores() -> Iterator[ViewCase]:
    """Scores that tie, that vanish, and that are as sure as can be; labels of one kind alone."""
    rng = np.random.default_rng(8)
    scores, (u, v) = rng.normal(size=(10, 4)), np.round(rng.normal(size=(2, 14)), 1)
    many, half, lone = (rng.normal(size=(10, 4)) > 0) * 1.0, np.arange(14) % 2, (np.arange(14) == 3) * 1
    for name, x, label in (("aucm", u, half), ("two-way", scores, many), ("distribution-balanced", scores, many)):
        yield ViewCase("ties alone", name, (0.0 * x + 0.3, label))
        yield ViewCase("1e-200", name, (1e-200 * x, label))
        yield ViewCase("700 and -700", name, (700 * np.sign(x), label))
        yield ViewCase("700 and -700, all right", name, (700.0 * (2 * label - 1), label))
    yield ViewCase("one true row", "aucm", (u, lone))
    for name in ("two-way", "distribution-balanced"):
        yield ViewCase("all labels hold", name, (scores, np.ones((10, 4))))
    binned = "mutual-information:bins=5"
    yield ViewCase("ties alone", binned, (np.round(u), np.round(u)))
    yield ViewCase("1e-200 beside 1e200", binned, (1e-200 * u, 1e200 * v))
    yield ViewCase("nothing told", "mutual-information:bins=3", (np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 0, 1])))


def view_cases() -> list[ViewCase]:
    """One for each loss, form of its options and hard set."""
    cases = []
    for what, views in hard_views():
        for name in (*VIEW_REFERENCES, "barlow-twins", "vicreg", "uniformity", "hypersphere"):
            width = len(registry.find(name).roles)
            if name == "n-pairs" and what.startswith("1e200"):
                continue  # no exponential of such products
            if name in WHOLE_REFERENCES and not what.startswith(("std 1", "pairs")):
                continue
            cases += [ViewCase(what, spec, views[:width]) for spec in VIEW_SPECS.get(name, (name,))]
    emb, weights = np.random.default_rng(4).normal(size=(2, 12, 5))
    text = "/".join(map(repr, weights[:4].ravel().tolist()))
    for name, inputs in all_rows().items():
        cases.append(ViewCase("ties among the rows", name, inputs))
    cases += ends_of_scores()
    for more in ("", ",s=4,margin=0.7,h=0.9"):
        cases.append(ViewCase("a class without rows", f"adaface:class_weights={text}{more}", (emb, np.arange(12) % 3)))
    cases.append(ViewCase("a class without rows", f"proxy-anchor:class_weights={text}", (emb, np.arange(12) % 3)))
    return cases
