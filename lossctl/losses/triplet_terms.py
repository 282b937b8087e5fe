"""The terms of batch-all that the sums of sorted distances do not give: each positive with each negative."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..language.numerics import Array, class_sum, exp, log, minimum, namespace, picked, relu, row_sum, softplus, where

Panel = Any  # sets.panels.Panel, which losses do not know
AT_MOST = 1000  # factors of at most 2 each whose product is a float64
TINY = 1e-5  # of a mean soft term, whose digits a product loses below it; of what a difference is taken of
TINIEST = 745.0  # -log of the least float64


class TripletLosses(NamedTuple):
    """Sums over the triplets, or the pairs, of each anchor.

    total: of the losses, (B,); weight: how many are above zero, (B,); valid: how many there are, (B,)
    """

    total: Array
    weight: Array
    valid: Array


def cast(values: Array, like: Array) -> Array:
    """Numbers or truths in the type of others."""
    return namespace(like).astype(values, like.dtype)


class MinedBand(NamedTuple):
    """The negatives that are mined, of B anchors.

    first, last: (B, N) of every point as a positive, from which and to which place in the order of the negatives;
    place: (B, N) where each point stands in that order
    """

    first: Array
    last: Array
    place: Array


def _band(panel: Panel, margin: float, mining: str) -> MinedBand:
    """The counts are those of exact numbers, so rounding only exchanges negatives that are as far."""
    d = panel.distance
    xp = namespace(d)
    hard = _by_distance(panel, panel.below(0.0, with_ties=True)[1])
    first, last = (hard, _by_distance(panel, panel.below(margin)[1])) if mining == "semi-hard" else (0 * hard, hard)
    return MinedBand(first, last, xp.argsort(xp.argsort(where(panel.is_negative, d, math.inf), axis=1), axis=1))


def _by_distance(panel: Panel, reach: Array) -> Array:
    """(B, N) counts of the positives, (B, K) in any order, which do not fall with the distance, at their points."""
    d, xp = panel.distance, namespace(panel.distance)
    place = xp.argsort(xp.argsort(where(panel.is_positive, -d, math.inf), axis=1), axis=1)
    falling, last = xp.flip(xp.sort(reach, axis=1), axis=1), reach.shape[1] - 1
    return where(panel.is_positive & (place <= last), picked(falling, xp.clip(place, None, last)), 0)


def one_by_one(panel: Panel, margin: float, soft: bool, swap: bool, mining: str) -> TripletLosses:
    """Each positive of each anchor against all negatives, or those that are mined."""
    totals, weights, counts = [], [], []
    band = None if mining == "all" else _band(panel, margin, mining)
    for rows, positions in panel.positives_in_turn():
        total = weight = count = 0.0 * panel.distance[rows, 0]
        for position in positions:
            gap, is_counted = _gaps(panel, rows, position, slice(None), swap, band)
            cost = softplus(gap + margin) if soft else relu(gap + margin)
            total = total + row_sum(where(is_counted, cost, 0.0))
            weight = weight + row_sum(cast(is_counted & (cost > 0), cost))
            count = count + row_sum(cast(is_counted, cost))
        totals.append(total)
        weights.append(weight)
        counts.append(count)
    xp = namespace(*totals)
    return TripletLosses(xp.concat(totals), xp.concat(weights), xp.concat(counts))


def _gaps(
    panel: Panel, rows: slice, position: int, columns: slice | Array, swap: bool, band: MinedBand | None
) -> tuple[Array, Array]:
    """(B, N) d_ap - d_an of the positive at a position, and which of them count, of some rows and columns."""
    d_an = panel.distance[rows][:, columns]
    d_ap = panel.distance[rows, position][:, None]
    if swap:
        d_an = minimum(d_an, panel.from_point(position)[None, columns])
    is_counted = panel.is_positive[rows, position][:, None] & panel.is_negative[rows][:, columns]
    if band is not None:
        first, last, place = band.first[rows, position], band.last[rows, position], band.place[rows][:, columns]
        is_counted = is_counted & (place >= first[:, None]) & (place < last[:, None])
    return d_ap - d_an, is_counted


# ------------------------------------------------------------------------------------------------- many options at once


def each_at_once(panel: Panel, options: Sequence[Mapping[str, Any]]) -> list[TripletLosses]:
    """What `one_by_one` gives with each of several sets of its options, to nine digits: the gaps of the triplets are
    made once, and soft terms are logarithms of products."""
    answers: dict[int, TripletLosses] = {}
    kinds: dict[tuple[Any, ...], list[int]] = {}
    for at, own in enumerate(options):
        is_between = own["mining"] == "semi-hard"
        if is_between and not own["soft"] and not own["swap"]:
            answers[at] = _between(panel, own)
        else:
            kinds.setdefault((own["swap"], own["mining"], own["margin"] if is_between else 0.0), []).append(at)
    for (swap, mining, width), places in kinds.items():
        terms = sorted({(options[at]["margin"], options[at]["soft"]) for at in places})
        band = None if mining == "all" else _band(panel, width, mining)
        totals, weights, count = _sums_of_each(panel, terms, swap, band)
        for at in places:
            term = terms.index((options[at]["margin"], options[at]["soft"]))
            answers[at] = _if_large(panel, options[at], TripletLosses(totals[term], weights[term], count), count)
    return [answers[at] for at in range(len(options))]


def _sums_of_each(
    panel: Panel, terms: Sequence[tuple[float, bool]], swap: bool, band: MinedBand | None
) -> tuple[Array, Array, Array]:
    """(T, B) the costs of each margin, soft or not, and how many are above 0; (B,) how many triplets count."""
    runs = []
    for rows, positions in panel.positives_in_turn():
        xp = namespace(panel.distance)
        columns = xp.nonzero(xp.any(panel.is_negative[rows], axis=0))[0]
        totals = [0.0 * panel.distance[rows, 0] for _ in terms]
        weights, count = [*totals], totals[0]
        for position in positions:
            gap, is_counted = _gaps(panel, rows, position, columns, swap, band)
            gap = where(is_counted, gap, -math.inf)
            count = count + row_sum(cast(is_counted, gap))
            for at, (margin, soft) in enumerate(terms):
                beyond = gap + margin
                totals[at] = totals[at] + row_sum(relu(beyond))
                if soft:
                    totals[at] = totals[at] + _log_product(1.0 + exp(-abs(beyond)))
                weights[at] = weights[at] + row_sum(cast(beyond > (-TINIEST if soft else 0.0), gap))
        runs.append((xp.stack(totals), xp.stack(weights), count[None]))
    totals, weights, counts = (xp.concat(parts, axis=1) for parts in zip(*runs, strict=True))
    return totals, weights, counts[0]


def _log_product(factors: Array) -> Array:
    """(B,) the logarithm of the product of (B, N) factors from 1 to 2."""
    xp, cuts = namespace(factors), range(0, factors.shape[1], AT_MOST)
    products = [xp.prod(factors[:, cut : cut + AT_MOST], axis=1) for cut in cuts]
    return row_sum(log(xp.stack(products, axis=1)))


def _between(panel: Panel, own: Mapping[str, Any]) -> TripletLosses:
    """The costs of the semi-hard ones: those of all that cost something less those of the hard ones."""
    margin, parts = own["margin"], []
    for d_ap, reach, sums in (panel.below(margin), panel.below(0.0, with_ties=True)):
        count = cast(reach, sums)
        parts.append((class_sum(count * (d_ap + margin) - sums), class_sum(count)))
    (costly, reach), (hard, near) = parts
    return _if_large(panel, own, TripletLosses(costly - hard, reach - near, reach - near), costly)


def _if_large(panel: Panel, own: Mapping[str, Any], answer: TripletLosses, beside: Array) -> TripletLosses:
    """The answer where it is no tiny part of what it was made of, else one by one."""
    is_tiny = float(answer.valid.sum()) > 0 and float(answer.total.sum()) < TINY * float(beside.sum())
    return one_by_one(panel, **own) if is_tiny else answer
