"""Segmentation: how far a predicted region is from the true one. One number of all rows together, no mean of rows."""

import math
from fractions import Fraction
from typing import Any

from ..language.domains import NonNegative, Positive
from ..language.numerics import (
    Array,
    Total,
    column_list,
    exact_root,
    maximum,
    one_hot,
    quotient,
    root,
    row_mean,
    row_sum,
    where,
)
from ..language.predictions import Binary, Categorical
from ..language.registry import Sums, loss


def _share_missed(missed: Total, size: Total, weight: Total, *, smooth: float) -> Array | float:
    return quotient(missed, size + smooth)


@loss(finish=_share_missed, stands_alone=False, reductions=("overall",), aliases=("dice-loss", "soft-dice"))
def dice(prob: Binary, label: Array, *, smooth: NonNegative = 0.0) -> Sums:
    """The share of a region and of its prediction that do not overlap, over all rows (pixels) and labels together.

    Formula: 1 - (2 sum p y + s) / (sum p + sum y + s), from its numerator sum p (1 - y) + y (1 - p), which keeps digits
    Paper: Milletari, Navab, Ahmadi, V-Net, 2016
    Reading: 0 is perfect, 1 is no overlap at all
    Differs: MONAI takes it of each image, then the mean; s is 1e-7 in keras, 1e-5 above and below in MONAI, 1 in optax;
        V-Net itself squares in the denominator
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    Use: small regions before a large background, which cross-entropy would drown
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: by p of a true row -(2 - loss) / size, of a false one loss / size: all rows of a kind pull alike
    Worked: overlap = 0.8 * 1 + 0.4 * 0; size = 0.8 + 0.4 + 1; dice = 1 - 2 * overlap / size
    Example: prob=[0.8,0.4] label=[1,0] -> 0.2727272727272727
    """
    inside = prob.given(0.0 * label + 1.0).p
    return Sums(row_sum(prob.given(label).miss), row_sum(inside + label))


@loss(
    finish=_share_missed, stands_alone=False, reductions=("overall",), aliases=("iou-soft", "soft-iou", "soft-jaccard")
)
def jaccard(prob: Binary, label: Array, *, smooth: NonNegative = 0.0) -> Sums:
    """The share of the union of a region and its prediction that they do not have in common.

    Formula: 1 - (sum p y + s) / (sum p + sum y - sum p y + s), from its numerator sum p (1 - y) + y (1 - p)
    Paper: Rahman, Wang, Optimizing Intersection-Over-Union in Deep Neural Networks, 2016
    Reading: 2 d / (1 + d) of dice d without s: the same order of models on one set of rows
    Differs: segmentation-models-pytorch has an option for -log of the share in common
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    Use: where the intersection over union is what is reported
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: by p of a true row -1 / union, of a false one (1 - loss) / union
    Worked: overlap = 0.8 * 1 + 0.4 * 0; union = 0.8 + 0.4 + 1 - overlap; jaccard = 1 - overlap / union
    Example: prob=[0.8,0.4] label=[1,0] -> 0.4285714285714286
    """
    inside = prob.given(0.0 * label + 1.0).p
    return Sums(row_sum(prob.given(label).miss), row_sum(label + (1.0 - label) * inside))


def _tversky(
    false_inside: Total, false_outside: Total, inside: Total, weight: Total, *, alpha: float, beta: float, smooth: float
) -> Array | float:
    exact: Any = float if hasattr(inside, "shape") else Fraction
    missed = exact(alpha) * false_inside + exact(beta) * false_outside
    return quotient(missed, inside + missed + exact(smooth))


def _regions(prob: Binary, label: Array) -> Sums:
    """What is wrongly inside, wrongly outside, and rightly inside."""
    miss = prob.given(label).miss
    inside = prob.given(0.0 * label + 1.0).p
    return Sums(row_sum(where(label == 1, 0.0, miss)), row_sum(where(label == 1, miss, 0.0)), row_sum(label * inside))


@loss(finish=_tversky, stands_alone=False, reductions=("overall",), aliases=("tversky-loss",))
def tversky(
    prob: Binary, label: Array, *, alpha: NonNegative = 0.5, beta: NonNegative = 0.5, smooth: NonNegative = 0.0
) -> Sums:
    """Dice with a weight for what is wrongly inside and one for what is wrongly outside.

    Formula: 1 - (TP + s) / (TP + alpha FP + beta FN + s), from its numerator alpha FP + beta FN
    Paper: Salehi, Erdogmus, Gholipour, Tversky Loss Function for Image Segmentation, 2017
    Reading: alpha = beta = 0.5 is dice (with half its s), 1 and 1 is jaccard
    alpha: how much what is wrongly inside counts
    beta: how much what is wrongly outside counts
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    Use: small regions that should not be missed: beta above alpha
    Misleads: values for different alpha and beta cannot be compared
    Gradient: by p of a true row -beta and less, of a false one alpha (1 - loss), divided by the weighted size
    Worked: size = 0.8 + 0.5 * 0.4 + 0.5 * 0.2; tversky = 1 - 0.8 / size
    Example: prob=[0.8,0.4] label=[1,0] -> 0.2727272727272727
    """
    return _regions(prob, label)


def _focal_tversky(
    false_inside: Total,
    false_outside: Total,
    inside: Total,
    weight: Total,
    *,
    alpha: float,
    beta: float,
    gamma: float,
    smooth: float,
) -> Array | float:
    return _tversky(false_inside, false_outside, inside, weight, alpha=alpha, beta=beta, smooth=smooth) ** gamma


@loss(finish=_focal_tversky, stands_alone=False, reductions=("overall",))
def focal_tversky(
    prob: Binary,
    label: Array,
    *,
    alpha: NonNegative = 0.3,
    beta: NonNegative = 0.7,
    gamma: Positive = 0.75,
    smooth: NonNegative = 0.0,
) -> Sums:
    """A power of tversky, which says how much regions that are nearly met still count.

    Formula: tversky^gamma
    Paper: Abraham, Khan, A Novel Focal Tversky Loss Function with Improved Attention U-Net, 2019
    Differs: the paper's exponent is 1 / gamma with its gamma 4/3; segmentation-models-pytorch has gamma 1 unless told
    alpha: how much what is wrongly inside counts
    beta: how much what is wrongly outside counts
    gamma: the exponent; below 1 regions that are nearly met count more
    smooth: s of tversky
    Use: as tversky
    Misleads: it is a power of one number: of all rows together it orders models as tversky does
    Gradient: that of tversky times gamma tversky^(gamma - 1)
    Worked: size = 0.8 + 0.3 * 0.4 + 0.7 * 0.2; t = 1 - 0.8 / size; focal_tversky = t^0.75
    Example: prob=[0.8,0.4] label=[1,0] -> 0.34853838301575124
    """
    return _regions(prob, label)


@loss(finish=_share_missed, stands_alone=False, reductions=("overall",), aliases=("v-net-dice",))
def dice_squared(prob: Binary, label: Array, *, smooth: NonNegative = 0.0) -> Sums:
    """Dice as V-Net has it, with the squares of the probabilities in the size.

    Formula: 1 - (2 sum p y + s) / (sum p^2 + sum y + s), from its numerator sum (p - y)^2
    Paper: Milletari, Navab, Ahmadi, V-Net, 2016
    Differs: keras, optax and segmentation-models-pytorch have no squares; MONAI has them with squared_pred=True
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    Use: as dice; probabilities near 0 and 1 are favoured less
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: by p 2 (p - y) / size, less 2 p loss / size
    Worked: overlap = 0.8; size = 0.8^2 + 0.4^2 + 1; dice_squared = 1 - 2 * overlap / size
    Example: prob=[0.8,0.4] label=[1,0] -> 0.1111111111111111
    """
    inside, miss = prob.given(0.0 * label + 1.0).p, prob.given(label).miss
    return Sums(row_sum(miss * miss), row_sum(inside * inside + label))


def _dice_and_surprise(
    missed: Total, size: Total, surprise: Total, weight: Total, *, dice_weight: float, bce_weight: float
) -> Array | float:
    return _weighted(dice_weight, quotient(missed, size)) + _weighted(bce_weight, quotient(surprise, weight))


def _weighted(weight: float, term: Array | float) -> Array | float:
    return weight * term if weight else 0.0


@loss(
    finish=_dice_and_surprise,
    stands_alone=False,
    reductions=("overall",),
    aliases=(
        "dice-ce",
        "combo",
        "bce-dice",
    ),
)
def dice_bce(prob: Binary, label: Array, *, dice_weight: NonNegative = 1.0, bce_weight: NonNegative = 1.0) -> Sums:
    """Dice for the region and cross-entropy for its pixels, added up.

    Formula: a dice + b bce
    Paper: Taghanaki et al., Combo Loss, 2019; Isensee et al., nnU-Net, 2021
    Differs: nnU-Net adds minus the overlap, so that it is 1 less; MONAI takes dice of each image
    dice_weight: a
    bce_weight: b
    Use: as dice, with smoother training
    Misleads: two numbers in one: report them apart
    Gradient: the sum of both
    Worked: dice = 1 - 2 * 0.8 / 2.2; bce = -(log(0.8) + log(0.6)) / 2; dice_bce = dice + bce
    Example: prob=[0.8,0.4] label=[1,0] -> 0.6397118602673729
    """
    truth = prob.given(label)
    inside = prob.given(0.0 * label + 1.0).p
    return Sums(row_sum(truth.miss), row_sum(inside + label), row_mean(-truth.log_p))


def _uncorrelated(tp: Total, fp: Total, fn: Total, tn: Total, weight: Total, *, smooth: float) -> Array | float:
    exact: Any = float if hasattr(tp, "shape") else Fraction
    tp, fp, fn, tn = (count + exact(smooth) for count in (tp, fp, fn, tn))
    agreement = tp * tn - fp * fn
    square = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    if hasattr(square, "shape"):
        return 1.0 - agreement / root(square)
    if not square or square != square:
        return math.nan
    size = exact_root(square)
    if agreement <= 0:
        return float(1 - agreement / size)
    return float((square - agreement * agreement) / (size * (size + agreement)))  # without cancelling


@loss(finish=_uncorrelated, stands_alone=False, reductions=("overall",), aliases=("mcc-loss", "matthews"))
def mcc(prob: Binary, label: Array, *, smooth: NonNegative = 0.0) -> Sums:
    """One minus the correlation of a region and its prediction, which counts what is rightly outside too.

    Formula: 1 - (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)), counts of probabilities
    Paper: Abhishek, Hamarneh, Matthews Correlation Coefficient Loss, 2021
    Reading: 0 is perfect, 1 no better than chance, 2 all wrong; nan where all labels or predictions are alike
    Differs: segmentation-models-pytorch adds 1e-5 (smooth) to each of the four counts; MONAI takes it of each image,
        then the mean, with 1e-5 under the root
    smooth: added to each of the four counts
    Use: regions that are small or large, where dice depends on which side is called the region
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: all rows of a kind pull alike
    Worked: tp = 0.8; fp = 0.4; fn = 0.2; tn = 0.6; size = sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn));
        mcc = 1 - (tp * tn - fp * fn) / size
    Example: prob=[0.8,0.4] label=[1,0] -> 0.5917517095361369
    """
    miss = prob.given(label).miss
    hit = prob.given(label).p
    yes = label == 1
    return Sums(
        row_sum(where(yes, hit, 0.0)), row_sum(where(yes, 0.0, miss)),
        row_sum(where(yes, miss, 0.0)), row_sum(where(yes, 0.0, hit)),
    )  # fmt: skip


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


@loss(finish=_generalized, stands_alone=False, reductions=("overall",), aliases=("generalized-dice-loss", "gdl"))
def generalized_dice(probs: Categorical, label: Array) -> Sums:
    """Dice of several classes together, each weighed by the inverse square of its size, so that small ones count.

    Formula: 1 - 2 sum_c w_c I_c / sum_c w_c (P_c + Y_c), w_c = 1 / Y_c^2, from its numerator, which keeps digits;
        a class without rows has the largest w of the others
    Paper: Sudre et al., Generalised Dice Overlap as a Deep Learning Loss Function, 2017
    Reading: 0 is perfect, 1 is no overlap at all
    Differs: MONAI takes it of each image, then the mean, with 1e-5 above and below; 1 / Y_c is an option there
    Use: segmentation with classes of very different sizes
    Misleads: a class of few pixels makes the number
    Gradient: that of dice, class by class, times its weight
    Worked: missed = 0.2 + 0.2 + 0.6 + 0.6 ; size = 0.8 + 1 + 0.2 + 0.6 + 0.4 + 1; generalized_dice = 1 - 2 * 1.2 / 4
    Example: probs=[[0.8,0.2],[0.6,0.4]] label=[0,1] -> 0.4
    """
    truth = where(one_hot(label, probs.classes, probs.p), 0.0 * probs.p + 1.0, 0.0) if label.ndim == 1 else label
    missed = probs.p * (1.0 - truth) + truth * probs.misses
    parts = zip(column_list(missed), column_list(probs.p + truth), column_list(truth), strict=True)
    return Sums(*(column for columns in parts for column in columns))
