"""Boxes: how far a predicted box x1 y1 x2 y2 is from the true one."""

from typing import NamedTuple

from ..language.numerics import Array, arctan, maximum, minimum, power_of_two_below, ratio, relu, where
from ..language.registry import loss


class Extent(NamedTuple):
    """Two intervals on one axis, all lengths scaled alike.

    a, b: their lengths; common: of their intersection; a_rest, b_rest: what is beyond it; hull: from end to end
    apart: between their centres; scale: what the lengths were divided by
    """

    a: Array
    b: Array
    common: Array
    a_rest: Array
    b_rest: Array
    hull: Array
    apart: Array
    scale: Array


def _side(a_low: Array, a_high: Array, b_low: Array, b_high: Array) -> Extent:
    low, high = maximum(a_low, b_low), minimum(a_high, b_high)
    meets = high > low
    a, b = a_high - a_low, b_high - b_low
    common = where(meets, high - low, 0.0)
    a_rest = where(meets, (a_high - high) + (low - a_low), a)
    b_rest = where(meets, (b_high - high) + (low - b_low), b)
    hull = maximum(a_high, b_high) - minimum(a_low, b_low)
    apart = abs((a_low - b_low) / 2 + (a_high - b_high) / 2)
    scale = power_of_two_below(hull)
    a, b, common, a_rest, b_rest = (length / scale for length in (a, b, common, a_rest, b_rest))
    return Extent(a, b, common, a_rest, b_rest, hull / scale, apart / scale, scale)


def _sides(box: Array, true_box: Array) -> tuple[Extent, Extent]:
    x, y = ((box[:, k], box[:, k + 2], true_box[:, k], true_box[:, k + 2]) for k in (0, 1))
    return _side(*x), _side(*y)


def _areas(x: Extent, y: Extent) -> tuple[Array, Array]:
    """What the boxes do not have in common, and their union, without a difference of nearly equal areas."""
    common = x.common * y.common
    meets = common > 0
    missed = where(meets, x.a * y.a_rest + y.common * x.a_rest, x.a * y.a) + where(
        meets, x.b * y.b_rest + y.common * x.b_rest, x.b * y.b
    )
    return missed, common + missed


def _one_minus_iou(x: Extent, y: Extent) -> Array:
    missed, union = _areas(x, y)
    return where(union > 0, ratio(missed, union), 1.0)


@loss(aliases=("iou-loss",))
def iou(box: Array, true_box: Array) -> Array:
    """The share of the union of two boxes that they do not have in common.

    Formula: 1 - |A and B| / |A or B|
    Paper: Yu et al., UnitBox, 2016 (with -log of the share)
    Reading: 0 is the same box, 1 no overlap
    Differs: mmdet has -log, linear and squared forms; torchvision's box_iou is the share itself, of all pairs
        of two sets; boxes as centre and size (YOLO, DETR) have to be turned into corners first
    Use: detection, where boxes count by their overlap
    Misleads: 1 for boxes that do not meet, however far apart they are
    Gradient: 0 for boxes that do not meet
    Worked: common = 1 * 1; iou = 1 - common / (4 + 4 - common)
    Example: box=[0,0,2,2] true_box=[1,1,3,3] -> 0.8571428571428571
    """
    return _one_minus_iou(*_sides(box, true_box))


@loss(aliases=("giou-loss", "generalized-iou"))
def giou(box: Array, true_box: Array) -> Array:
    """iou, and the share of the smallest box around both that neither covers: boxes that do not meet attract.

    Formula: 1 - IoU + (|hull| - |A or B|) / |hull|
    Paper: Rezatofighi et al., Generalized Intersection over Union, 2019
    Reading: 0 is the same box, up to 2 for boxes far apart
    Differs: torchvision adds 1e-7 to the denominators
    Use: as iou, where boxes may not meet at first
    Misleads: it first grows the predicted box until it meets the true one
    Gradient: by the corners of the hull too, so never 0 for boxes that do not meet
    Worked: common = 1 * 1; union = 4 + 4 - common; giou = 1 - common / union + (9 - union) / 9
    Example: box=[0,0,2,2] true_box=[1,1,3,3] -> 1.0793650793650793
    """
    x, y = _sides(box, true_box)
    _, union = _areas(x, y)
    hull = x.hull * y.hull
    return _one_minus_iou(x, y) + relu(hull - union) / hull


def _distance(x: Extent, y: Extent) -> Array:
    """The squared distance of the centres as a share of the squared diagonal of the hull."""
    scale = maximum(x.scale, y.scale)
    across, down = x.scale / scale, y.scale / scale
    centres = (x.apart * across) ** 2 + (y.apart * down) ** 2
    return centres / ((x.hull * across) ** 2 + (y.hull * down) ** 2)


@loss(aliases=("diou-loss", "distance-iou"))
def diou(box: Array, true_box: Array) -> Array:
    """iou, and the squared distance of the centres as a share of the squared diagonal of the hull.

    Formula: 1 - IoU + |centre A - centre B|^2 / diagonal^2
    Paper: Zheng et al., Distance-IoU Loss, 2020
    Reading: 0 is the same box, up to 2 for boxes far apart
    Differs: torchvision adds 1e-7 to the denominators
    Use: as giou, with a shorter way for boxes that do not meet
    Misleads: boxes with one centre differ by their overlap alone
    Gradient: towards the other centre for boxes that do not meet
    Worked: common = 1 * 1; diou = 1 - common / (4 + 4 - common) + (1^2 + 1^2) / (3^2 + 3^2)
    Example: box=[0,0,2,2] true_box=[1,1,3,3] -> 0.9682539682539683
    """
    x, y = _sides(box, true_box)
    return _one_minus_iou(x, y) + _distance(x, y)


@loss(aliases=("ciou-loss", "complete-iou"))
def ciou(box: Array, true_box: Array) -> Array:
    """diou, and how far the shapes are from each other: overlap, distance and aspect ratio.

    Formula: DIoU loss + v^2 / (1 - IoU + v);  v = 4/pi^2 (atan w/h - atan w'/h')^2
    Paper: Zheng et al., Distance-IoU Loss, 2020
    Differs: torchvision and others take v / (1 - IoU + v) as a constant for gradients; the value is the same
    Use: the loss of boxes in most detectors of today
    Misleads: the shape counts for little where boxes hardly overlap, and the size not at all beyond diou
    Gradient: that of diou, and of the ratio of width and height
    Worked: common = 1 * 1; v = 0; ciou = 1 - common / (4 + 4 - common) + (1^2 + 1^2) / (3^2 + 3^2) + v
    Example: box=[0,0,2,2] true_box=[1,1,3,3] -> 0.9682539682539683
    """
    x, y = _sides(box, true_box)
    overlap = _one_minus_iou(x, y)
    angle = _angle(x.a, y.a, x, y) - _angle(x.b, y.b, x, y)
    v = 0.4052847345693511 * angle * angle
    return overlap + _distance(x, y) + ratio(v * v, overlap + v)


def _angle(width: Array, height: Array, x: Extent, y: Extent) -> Array:
    """Of the diagonal of a box with its height."""
    return arctan((width / height) * (x.scale / y.scale))
