"""Regions of several classes: how far each predicted one is from the true one, and the mean over the classes."""

import math
from typing import Literal

from ..language.domains import ClassIndex, Flag, NonNegative, Weights
from ..language.numerics import (
    Array,
    Total,
    column_list,
    exact_beside,
    matrix,
    maximum,
    one_hot,
    quotient,
    row_mean,
    row_sum,
    weigh,
    where,
)
from ..language.predictions import Binary, Categorical
from ..language.registry import Sums, loss
from .segmentation import counted, weighted

Over = Literal["present", "all", "zero"]
Background = Literal["keep", "drop"]


def one_of_classes(probs: Categorical, label: Array) -> Array:
    """The true distribution of each row, (n, C)."""
    return where(one_hot(label, probs.classes, probs.p), 0.0 * probs.p + 1.0, 0.0) if label.ndim == 1 else label


def _of_classes(probs: Categorical, label: Array) -> Sums:
    """Of each class what is wrongly inside, wrongly outside, and rightly inside."""
    p, truth = probs.p, one_of_classes(probs, label)
    parts = (p * (1.0 - truth), truth * probs.misses, truth * p)
    by_class = zip(*map(column_list, parts), strict=True)
    return Sums(*(column for columns in by_class for column in columns))


def _mean_tversky(
    totals: tuple[Total, ...], alpha: float, beta: float, smooth: float, over: Over, background: Background
) -> Array | float:
    *sums, _ = totals
    classes = [sums[at : at + 3] for at in range(3 if background == "drop" else 0, len(sums), 3)]
    exact = exact_beside(sums[0])
    values, counted = [], []
    for false_inside, false_outside, inside in classes:
        missed = exact(alpha) * false_inside + exact(beta) * false_outside
        value = quotient(missed, inside + missed + exact(smooth))
        is_present = inside + false_outside > 0
        if hasattr(value, "shape"):
            values.append(value if over == "all" else where(is_present, value, 0.0))
            counted.append(where(is_present, 1.0, 0.0) if over == "present" else 1.0)
        else:
            values.append(value if over == "all" or is_present else 0.0)
            counted.append(1.0 if over != "present" or is_present else 0.0)
    if hasattr(values[0], "shape"):
        return sum(values[1:], values[0]) / sum(counted[1:], counted[0])
    return math.fsum(values) / sum(counted) if any(counted) else math.nan


def _mean_dice(*totals: Total, smooth: float, over: Over, background: Background) -> Array | float:
    return _mean_tversky(totals, 0.5, 0.5, smooth / 2, over, background)


@loss(
    takes_masks=True,
    finish=_mean_dice,
    stands_alone=False,
    reductions=("overall",),
    aliases=("macro-dice", "mean-dice"),
)
def multiclass_dice(
    probs: Categorical,
    label: Array,
    *,
    smooth: NonNegative = 0.0,
    over: Over = "present",
    background: Background = "keep",
    ignore_index: ClassIndex = None,
) -> Sums:
    """The share of each class's region and of its prediction that do not overlap, and the mean over the classes.

    Formula: mean over c of 1 - (2 I_c + s) / (P_c + Y_c + s), I_c = sum p_c [y = c], P_c = sum p_c, Y_c the rows of c
    Paper: Drozdzal et al., The Importance of Skip Connections in Biomedical Image Segmentation, 2016
    Reading: 0 is perfect, 1 is no overlap at all; every class counts alike, however small
    Differs: a class without rows is 0 in segmentation-models-pytorch (--over zero), as any other in MONAI, nnU-Net and
        kornia (--over all), with s 1e-5, MONAI and kornia image by image; keras takes all classes as one region (dice)
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    over: the mean is over classes that have a row, over all, or over all with 0 for those that have none
    background: whether class 0 counts too (MONAI: include_background; nnU-Net leaves it out)
    ignore_index: rows with this label are left out before the loss sees them (often 255)
    Use: segmentation where the mean dice of the classes is what is reported
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: that of dice by p_c, divided by the number of classes
    Worked: first = 0.8 / 2.4; second = 0.8 / 1.6; multiclass_dice = (first + second) / 2
    Example: probs=[[0.8,0.2],[0.6,0.4]] label=[0,1] -> 0.4166666666666667
    """
    return _of_classes(probs, label)


def _mean_jaccard(*totals: Total, smooth: float, over: Over, background: Background) -> Array | float:
    return _mean_tversky(totals, 1.0, 1.0, smooth, over, background)


@loss(
    takes_masks=True,
    finish=_mean_jaccard,
    stands_alone=False,
    reductions=("overall",),
    aliases=("soft-miou", "miou-loss", "multiclass-iou", "mean-jaccard"),
)
def multiclass_jaccard(
    probs: Categorical,
    label: Array,
    *,
    smooth: NonNegative = 0.0,
    over: Over = "present",
    background: Background = "keep",
    ignore_index: ClassIndex = None,
) -> Sums:
    """The share of the union of each class's region and its prediction that is not common, and the mean of these.

    Formula: mean over c of 1 - (I_c + s) / (P_c + Y_c - I_c + s), I_c = sum p_c [y = c], P_c = sum p_c, Y_c the
        rows of c
    Paper: Rahman, Wang, Optimizing Intersection-Over-Union in Deep Neural Networks, 2016
    Reading: of predictions that are 0 and 1 it is 1 - mIoU
    Differs: segmentation-models-pytorch counts a class without rows as 0 (--over zero); scikit-learn's jaccard_score
        leaves out those that are neither true nor predicted
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    over: the mean is over classes that have a row, over all, or over all with 0 for those that have none
    background: whether class 0 counts too
    ignore_index: rows with this label are left out before the loss sees them (often 255)
    Use: segmentation where the mean intersection over union is what is reported
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: that of jaccard by p_c, divided by the number of classes
    Worked: first = 0.8 / 1.6; second = 0.8 / 1.2; multiclass_jaccard = (first + second) / 2
    Example: probs=[[0.8,0.2],[0.6,0.4]] label=[0,1] -> 0.5833333333333334
    """
    return _of_classes(probs, label)


def _mean_of_tversky(
    *totals: Total, alpha: float, beta: float, smooth: float, over: Over, background: Background
) -> Array | float:
    return _mean_tversky(totals, alpha, beta, smooth, over, background)


@loss(takes_masks=True, finish=_mean_of_tversky, stands_alone=False, reductions=("overall",), aliases=("mean-tversky",))
def multiclass_tversky(
    probs: Categorical,
    label: Array,
    *,
    alpha: NonNegative = 0.5,
    beta: NonNegative = 0.5,
    smooth: NonNegative = 0.0,
    over: Over = "present",
    background: Background = "keep",
    ignore_index: ClassIndex = None,
) -> Sums:
    """Tversky of each class's region, with a weight for what is wrongly inside and one for what is wrongly outside.

    Formula: mean over c of 1 - (TP_c + s) / (TP_c + alpha FP_c + beta FN_c + s)
    Paper: Salehi, Erdogmus, Gholipour, Tversky Loss Function for Image Segmentation, 2017
    Reading: alpha = beta = 0.5 is multiclass-dice (with half its s), 1 and 1 is multiclass-jaccard
    Differs: segmentation-models-pytorch counts a class without rows as 0 (--over zero), and takes the mean to a power
        gamma
    alpha: how much what is wrongly inside counts
    beta: how much what is wrongly outside counts
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    over: the mean is over classes that have a row, over all, or over all with 0 for those that have none
    background: whether class 0 counts too
    ignore_index: rows with this label are left out before the loss sees them (often 255)
    Use: small regions that should not be missed: beta above alpha
    Misleads: values for different alpha and beta cannot be compared
    Gradient: that of tversky by p_c, divided by the number of classes
    Worked: first = 0.4 / 1.2; second = 0.4 / 0.8; multiclass_tversky = (first + second) / 2
    Example: probs=[[0.8,0.2],[0.6,0.4]] label=[0,1] -> 0.4166666666666667
    """
    return _of_classes(probs, label)


def _generalized(*totals: Total) -> Array | float:
    *sums, _ = totals
    classes = [sums[at : at + 3] for at in range(0, len(sums), 3)]
    if hasattr(sums[0], "shape"):
        weights = [where(count > 0, 1.0 / where(count > 0, count, 1.0) ** 2, 0.0) for _, _, count in classes]
        most = weights[0]
        for weight in weights:
            most = maximum(most, weight)
        weights = [where(weight > 0, weight, most) for weight in weights]
    else:
        weights = [1 / count**2 if count else 0 for _, _, count in classes]
        weights = [weight or max(weights) for weight in weights]
    missed, size = (
        sum(
            (weight * part[at] for weight, part in zip(weights[1:], classes[1:], strict=True)),
            weights[0] * classes[0][at],
        )
        for at in (0, 1)
    )
    return quotient(missed, size)


def _volumes(probs: Categorical, label: Array) -> tuple[Array, ...]:
    """Of each class what is missed, its size, and its true size."""
    truth = one_of_classes(probs, label)
    missed = probs.p * (1.0 - truth) + truth * probs.misses
    parts = zip(column_list(missed), column_list(probs.p + truth), column_list(truth), strict=True)
    return tuple(column for columns in parts for column in columns)


@loss(
    takes_masks=True,
    finish=_generalized,
    stands_alone=False,
    reductions=("overall",),
    aliases=("generalized-dice-loss", "gdl"),
)
def generalized_dice(probs: Categorical, label: Array, *, ignore_index: ClassIndex = None) -> Sums:
    """Dice of several classes together, each weighed by the inverse square of its size, so that small ones count.

    Formula: 1 - 2 sum_c w_c I_c / sum_c w_c (P_c + Y_c), w_c = 1 / Y_c^2, from its numerator, which keeps digits;
        a class without rows has the largest w of the others
    Paper: Sudre et al., Generalised Dice Overlap as a Deep Learning Loss Function, 2017
    Reading: 0 is perfect, 1 is no overlap at all
    Differs: MONAI takes it of each image, then the mean, with 1e-5 above and below; 1 / Y_c is an option there
    ignore_index: rows with this label are left out before the loss sees them (often 255)
    Use: segmentation with classes of very different sizes
    Misleads: a class of few pixels makes the number
    Gradient: that of dice, class by class, times its weight
    Worked: missed = 0.2 + 0.2 + 0.6 + 0.6 ; size = 0.8 + 1 + 0.2 + 0.6 + 0.4 + 1; generalized_dice = 1 - 2 * 1.2 / 4
    Example: probs=[[0.8,0.2],[0.6,0.4]] label=[0,1] -> 0.4
    """
    return Sums(*_volumes(probs, label))


def _generalized_and_focal(*totals: Total, dice_weight: float, focal_weight: float) -> Array | float:
    *volumes, surprise, weight = totals
    return weighted(dice_weight, _generalized(*volumes, weight)) + weighted(focal_weight, quotient(surprise, weight))


@loss(finish=_generalized_and_focal, stands_alone=False, reductions=("overall",))
def generalized_dice_focal(
    probs: Categorical,
    label: Array,
    *,
    gamma: NonNegative = 2.0,
    dice_weight: NonNegative = 1.0,
    focal_weight: NonNegative = 1.0,
    one_vs_rest: Flag = False,
    ignore_index: ClassIndex = None,
) -> Sums:
    """Generalized dice for the regions of all classes and focal loss for their pixels, added up.

    Formula: a generalized-dice + b mean of -(1 - p_y)^gamma log p_y
    Paper: Sudre et al., 2017; Lin et al., Focal Loss for Dense Object Detection, 2017
    Differs: MONAI's focal loss is of C labels of yes or no (--one-vs-rest), and its dice that of each image
    gamma: how fast pixels that are right already fade
    dice_weight: a
    focal_weight: b
    one_vs_rest: the focal loss is of classes as C labels of yes or no
    ignore_index: rows with this label are left out before the loss sees them (often 255)
    Use: segmentation with classes of very different sizes, most pixels of which are easy
    Misleads: two numbers in one: report them apart
    Gradient: the sum of both
    Worked: dice = 1 - 2 * 1.2 / 4; hard = -(0.2^2 * log(0.8) + 0.6^2 * log(0.4)) / 2;
        generalized_dice_focal = dice + hard
    Example: probs=[[0.8,0.2],[0.6,0.4]] label=[0,1] -> 0.5693952027636321
    """
    truth = one_of_classes(probs, label)
    if one_vs_rest:
        labels = Binary(probs.values, probs.logits, probs.floor)
        sides = (truth, labels.of(0.0 * truth + 1.0)), (1.0 - truth, labels.of(0.0 * truth))
        surprise = row_mean(sum(weigh(share, side.miss**gamma * -side.log_p) for share, side in sides))
    else:
        surprise = row_sum(weigh(truth, probs.misses**gamma * -probs.log))
    return Sums(*_volumes(probs, label), counted(focal_weight, surprise))


def _far(apart: Total, near: Total, weight: Total, *, smooth: float) -> Array | float:
    return quotient(apart, 2 * near + apart + exact_beside(near)(smooth))


@loss(
    takes_masks=True,
    finish=_far,
    stands_alone=False,
    reductions=("overall",),
    aliases=("generalized-wasserstein-dice", "generalized-wasserstein-dice-loss", "gwdl"),
)
def wasserstein_dice(
    probs: Categorical,
    label: Array,
    *,
    class_distances: Weights = None,
    smooth: NonNegative = 0.0,
    ignore_index: ClassIndex = None,
) -> Sums:
    """Dice of several classes, where a pixel is missed by how far the predicted classes are from the true one.

    Formula: sum W / (2 sum_{y > 0} (1 - W) + sum W + s), W = sum_l M_yl p_l the distance of a prediction from the
        truth, M the distances of classes divided by the largest
    Paper: Fidon et al., Generalised Wasserstein Dice Score for Imbalanced Multi-class Segmentation, 2017
    Reading: class 0 is the background, which only costs where it is predicted or missed
    Differs: MONAI takes it of each image, then the mean, with 1e-5 above and below
    class_distances: M, a file or list of C x C distances, row by row, 0 on the diagonal; all classes 1 apart by default
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    ignore_index: rows with this label are left out before the loss sees them (often 255)
    Use: classes that are confused with near ones at a lower price, such as parts of a tumour
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: by p_l of a row M_yl (1 - loss), and 2 loss M_yl of one with a region, divided by the size
    Worked: apart = 0.2 + 0.6; near = 1 - 0.6; wasserstein_dice = apart / (2 * near + apart)
    Example: probs=[[0.8,0.2],[0.6,0.4]] label=[0,1] -> 0.5
    """
    truth = one_of_classes(probs, label)
    if class_distances is None:
        apart = row_sum(truth * probs.misses)
    else:
        largest = max(class_distances) or 1.0
        apart = row_sum(truth @ matrix([d / largest for d in class_distances], probs.p) * probs.p)
    return Sums(apart, row_sum(truth[:, 1:]) * (1.0 - apart))
