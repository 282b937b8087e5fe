"""Where a negative is easy, semi-hard or hard, in the plane of an anchor and a positive."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import UsageError
from ..language.distances import LONGEST
from ..language.domains import ANGULAR
from ..language.registry import Spec
from .entries import Subject, unit
from .evaluation import grid, rows
from .lines import refuse_beyond_sphere
from .pictures import Point, Regions, Zones
from .planes import square
from .variables import D_AN, distance_of, length_of

NAME = "space"
ROOM = 1.2  # of the picture, about what it shows
ARC = 33  # points of a margin that goes around


def space(
    subjects: Sequence[Subject], span: tuple[float, float] | None, at: Mapping[str, float], points: int
) -> Regions:
    """Losses of triplets over the places of the negative; `span` is that of both coordinates. UsageError."""
    for subject in subjects:
        if subject.spec.is_soft:
            raise UsageError(
                f"{subject.label} has no regions",
                why="with a soft margin no triplet is easy: each has a loss",
                fix=f"draw it against the distance: lossctl curve {subject.spec.loss.name}:soft=true",
            )
    metrics = {subject.spec.metric for subject in subjects}
    if len(metrics) > 1:
        raise UsageError("places by several distances in one picture", fix="draw them one by one")
    if "dot" in metrics:
        raise UsageError(
            "distance=dot has no regions about an anchor",
            why="they move with its length",
            fix="draw it against the distance: leave --x out",
        )
    d_ap = at.get("d_ap", dict(D_AN.fixed)["d_ap"])
    if set(at) - {"d_ap"} or not 0 <= d_ap < math.inf:
        raise UsageError("--at is out of range", fix="what can be is d_ap, at 0 or above")
    refuse_beyond_sphere(subjects, d_ap)
    anchor, positive = _anchor(d_ap, subjects[0].spec), _positive(d_ap, subjects[0].spec)
    low, high = span or _span(subjects, d_ap)
    if not low < high:
        raise UsageError(f"{low:g}..{high:g} is no range", fix=f"give --x {NAME}=LOW..HIGH")
    metric = subjects[0].spec.metric
    reach = distance_of(8.0 * (1.0 + d_ap + max(abs(low), abs(high))), metric)  # beyond any distance here
    if not math.isfinite(reach):
        raise UsageError(f"{low:g}..{high:g} is too wide for a picture", fix="give a smaller margin, d_ap or --x")
    side = grid(low, high, points)
    zones = tuple(_zones(subject, side, anchor, positive, reach, d_ap) for subject in subjects)
    return Regions(unit(subjects), tuple(side), anchor, positive, d_ap, metric in ANGULAR, zones)


def _zones(subject: Subject, side: Sequence[float], anchor: Point, positive: Point, reach: float, d_ap: float) -> Zones:
    spec = subject.spec
    x, y = (part.ravel() for part in np.meshgrid(side, side))
    negative = np.stack([x, y], axis=-1)
    inputs = (np.broadcast_to(anchor, negative.shape), np.broadcast_to(positive, negative.shape), negative)
    if spec.metric in ANGULAR:
        inputs = (*inputs[:2], np.where(np.any(negative != 0, axis=1, keepdims=True), negative, np.nan))
    lead = rows(spec.with_margin(reach), inputs) - reach  # with so wide a margin nothing is cut at 0
    values, leads = (square(numbers, len(side)) for numbers in (rows(spec, inputs), lead))
    return Zones(subject.label, str(spec), spec.margin, values, leads, _path(spec, d_ap))


def _anchor(d_ap: float, spec: Spec) -> Point:
    return (1.0, 0.0) if spec.metric in ANGULAR else (0.0, 0.0)


def _positive(d_ap: float, spec: Spec) -> Point:
    return _at_angle(_angle(d_ap, spec)) if spec.metric in ANGULAR else (length_of(d_ap, spec.metric), 0.0)


def _angle(distance: float, spec: Spec) -> float:
    """The angle of two directions that are so far apart."""
    return math.acos(1.0 - distance) if spec.metric == "cosine" else distance


def _at_angle(angle: float) -> Point:
    return (math.cos(angle), math.sin(angle))


def _span(subjects: Sequence[Subject], d_ap: float) -> tuple[float, float]:
    """A square about the anchor that shows all boundaries; about 0 where directions count."""
    spec = subjects[0].spec
    if spec.metric in ANGULAR:
        return -1.4, 1.4
    farthest = max(subject.spec.margin for subject in subjects) + d_ap
    reach = length_of(farthest, spec.metric)
    if any(subject.spec.is_mutual for subject in subjects):
        reach += length_of(d_ap, spec.metric)
    side = float(f"{ROOM * (reach or 1.0):.3g}")
    return -side, side


def _path(spec: Spec, d_ap: float) -> tuple[Point, ...]:
    """The margin as a way from the end of hard to the start of easy, away from the positive; () for none."""
    farthest = d_ap + spec.margin
    if not spec.margin or farthest > LONGEST.get(spec.metric, math.inf):
        return ()
    if spec.metric not in ANGULAR:
        return (-length_of(d_ap, spec.metric), 0.0), (-length_of(farthest, spec.metric), 0.0)
    first, last = _angle(d_ap, spec), _angle(farthest, spec)
    return tuple(_at_angle(-(first + (last - first) * k / (ARC - 1))) for k in range(ARC))
