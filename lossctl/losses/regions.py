"""Regions of several classes: how far each predicted one is from the true one, and the mean over the classes."""

import math
from fractions import Fraction
from typing import Any, Literal

from ..language.domains import ClassIndex, NonNegative
from ..language.numerics import Array, Total, column_list, one_hot, quotient, where
from ..language.predictions import Categorical
from ..language.registry import Sums, loss

Over = Literal["present", "all", "zero"]
Background = Literal["keep", "drop"]


def _of_classes(probs: Categorical, label: Array) -> Sums:
    """Of each class what is wrongly inside, wrongly outside, and rightly inside."""
    p = probs.p
    truth = where(one_hot(label, probs.classes, p), 0.0 * p + 1.0, 0.0) if label.ndim == 1 else label
    parts = (p * (1.0 - truth), truth * probs.misses, truth * p)
    by_class = zip(*map(column_list, parts), strict=True)
    return Sums(*(column for columns in by_class for column in columns))


def _mean_tversky(
    totals: tuple[Total, ...], alpha: float, beta: float, smooth: float, over: Over, background: Background
) -> Array | float:
    *sums, _ = totals
    classes = [sums[at : at + 3] for at in range(3 if background == "drop" else 0, len(sums), 3)]
    exact: Any = float if hasattr(sums[0], "shape") else Fraction
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


@loss(finish=_mean_dice, stands_alone=False, reductions=("overall",), aliases=("macro-dice", "mean-dice"))
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


@loss(finish=_mean_of_tversky, stands_alone=False, reductions=("overall",), aliases=("mean-tversky",))
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
