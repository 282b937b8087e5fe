"""Segmentation: how far a predicted region is from the true one. One number of all rows together, no mean of rows."""

import math
from typing import Any

from ..language.domains import Fraction as Share
from ..language.domains import NonNegative, Positive
from ..language.numerics import (
    Array,
    Total,
    exact_beside,
    exact_root,
    full_like,
    quotient,
    root,
    row_mean,
    row_sum,
    where,
)
from ..language.predictions import Binary
from ..language.registry import Sums, loss
from .classification import focal


def _share_missed(missed: Total, size: Total, weight: Total, *, smooth: float) -> Array | float:
    return quotient(missed, size + smooth)


@loss(finish=_share_missed, stands_alone=False, reductions=("overall",), aliases=("dice-loss", "soft-dice"))
def dice(prob: Binary, label: Array, *, smooth: NonNegative = 0.0) -> Sums:
    """The share of a region and of its prediction that do not overlap, over all rows (pixels) and labels together.

    Formula: 1 - (2 sum p y + s) / (sum p + sum y + s), from its numerator sum p (1 - y) + y (1 - p), which keeps digits
    Paper: Milletari, Navab, Ahmadi, V-Net, 2016
    Reading: 0 is perfect, 1 is no overlap at all
    Differs: MONAI takes it of each image, then the mean; s is 1e-7 in keras, 1e-5 above and below in MONAI, 1 in optax;
        an empty region with any prediction is 0 in segmentation-models-pytorch, nearly 1 in keras and MONAI; V-Net
        itself squares in the denominator
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    Use: small regions before a large background, which cross-entropy would drown
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: by p of a true row -(1 + loss) / size, of a false one (1 - loss) / size: all rows of a kind pull alike
    Worked: overlap = 0.8 * 1 + 0.4 * 0; size = 0.8 + 0.4 + 1; dice = 1 - 2 * overlap / size
    Example: prob=[0.8,0.4] label=[1,0] -> 0.2727272727272727
    """
    inside = prob.of(0.0 * label + 1.0).p
    return Sums(row_sum(prob.of(label).miss), row_sum(inside + label))


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
    inside = prob.of(0.0 * label + 1.0).p
    return Sums(row_sum(prob.of(label).miss), row_sum(label + (1.0 - label) * inside))


def _tversky(
    false_inside: Total, false_outside: Total, inside: Total, weight: Total, *, alpha: float, beta: float, smooth: float
) -> Array | float:
    exact = exact_beside(inside)
    missed = exact(alpha) * false_inside + exact(beta) * false_outside
    return quotient(missed, inside + missed + exact(smooth))


def _regions(prob: Binary, label: Array) -> Sums:
    """What is wrongly inside, wrongly outside, and rightly inside."""
    miss = prob.of(label).miss
    inside = prob.of(0.0 * label + 1.0).p
    return Sums(row_sum(where(label == 1, 0.0, miss)), row_sum(where(label == 1, miss, 0.0)), row_sum(label * inside))


@loss(finish=_tversky, stands_alone=False, reductions=("overall",), aliases=("tversky-loss",))
def tversky(
    prob: Binary, label: Array, *, alpha: NonNegative = 0.5, beta: NonNegative = 0.5, smooth: NonNegative = 0.0
) -> Sums:
    """Dice with a weight for what is wrongly inside and one for what is wrongly outside.

    Formula: 1 - (TP + s) / (TP + alpha FP + beta FN + s), from its numerator alpha FP + beta FN
    Paper: Salehi, Erdogmus, Gholipour, Tversky Loss Function for Image Segmentation, 2017
    Reading: alpha = beta = 0.5 is dice (with half its s), 1 and 1 is jaccard
    Differs: alpha and beta are these in keras, segmentation-models-pytorch, MONAI and kornia too; much code has alpha
        for what is missed
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
    inside, miss = prob.of(0.0 * label + 1.0).p, prob.of(label).miss
    return Sums(row_sum(miss * miss), row_sum(inside * inside + label))


def _dice_and_surprise(
    missed: Total, size: Total, surprise: Total, weight: Total, *, dice_weight: float, bce_weight: float
) -> Array | float:
    return weighted(dice_weight, quotient(missed, size)) + weighted(bce_weight, quotient(surprise, weight))


def _dice_and_surprise_of_hard(
    missed: Total, size: Total, surprise: Total, weight: Total, *, dice_weight: float, focal_weight: float
) -> Array | float:
    return _dice_and_surprise(missed, size, surprise, weight, dice_weight=dice_weight, bce_weight=focal_weight)


def counted(weight: float, surprise: Array) -> Array:
    """What a term is added up of: nothing where it has no weight, so that no row of it is told to be infinite."""
    return surprise if weight else full_like(surprise, 0.0)


def weighted(weight: float, term: Array | float) -> Array | float:
    """A term of a sum of two losses; one of weight 0 counts nothing, even where it is not finite."""
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
    truth = prob.of(label)
    inside = prob.of(0.0 * label + 1.0).p
    return Sums(row_sum(truth.miss), row_sum(inside + label), counted(bce_weight, row_mean(-truth.log_p)))


@loss(finish=_dice_and_surprise_of_hard, stands_alone=False, reductions=("overall",), aliases=("dice-focal-loss",))
def dice_focal(
    prob: Binary,
    label: Array,
    *,
    gamma: NonNegative = 2.0,
    dice_weight: NonNegative = 1.0,
    focal_weight: NonNegative = 1.0,
) -> Sums:
    """Dice for the region and focal loss for its pixels, added up.

    Formula: a dice + b mean of -(1 - p_t)^gamma log p_t
    Paper: Zhu et al., AnatomyNet, 2019
    Differs: MONAI takes dice of each image and label, then the mean, with 1e-5 above and below
    gamma: how fast pixels that are right already fade
    dice_weight: a
    focal_weight: b
    Use: as dice-bce, where most pixels are easy
    Misleads: two numbers in one: report them apart
    Gradient: the sum of both
    Worked: dice = 1 - 2 * 0.8 / 2.2; hard = -(0.2^2 * log(0.8) + 0.4^2 * log(0.6)) / 2; dice_focal = dice + hard
    Example: prob=[0.8,0.4] label=[1,0] -> 0.3180561936548362
    """
    inside, surprise = prob.of(0.0 * label + 1.0).p, focal(prob, label, gamma=gamma)
    return Sums(row_sum(prob.of(label).miss), row_sum(inside + label), counted(focal_weight, surprise))


def _unified(
    false_inside: Total,
    false_outside: Total,
    inside: Total,
    outside: Total,
    surprise: Total,
    weight: Total,
    *,
    delta: float,
    gamma: float,
    focal_weight: float,
) -> Array | float:
    from fractions import Fraction

    rest: Any = 1 - Fraction(delta)
    fore = _tversky(false_inside, false_outside, inside, weight, alpha=rest, beta=delta, smooth=0.0)
    back = _tversky(false_outside, false_inside, outside, weight, alpha=rest, beta=delta, smooth=0.0)
    if hasattr(fore, "shape"):
        raised = where(fore > 0, fore / where(fore > 0, fore, 1.0) ** gamma, fore)
    else:
        raised = fore / fore**gamma if fore else fore  # 1 - gamma would be rounded
    regions = (back + raised) / 2.0
    return weighted(focal_weight, quotient(surprise, weight)) + weighted(1.0 - focal_weight, regions)


@loss(finish=_unified, stands_alone=False, reductions=("overall",), aliases=("asymmetric-unified-focal",))
def unified_focal(
    prob: Binary, label: Array, *, delta: Share = 0.7, gamma: Share = 0.5, focal_weight: Share = 0.5
) -> Sums:
    """A focal loss that fades for the background alone, and tversky that is raised for the foreground alone.

    Formula: w F + (1 - w) (t_0 + t_1^(1 - gamma)) / 2, F the mean over pixels of -[d y log p + (1 - d) (1 - y) p^gamma
        log(1 - p)] / 2, t_1 tversky of the region with d for what is missed, t_0 that of the background
    Paper: Yeung, Sala, Schonlieb, Rundo, Unified Focal Loss, 2022
    Reading: with gamma 0 and d 1/2 a mean of cross-entropy and dice of both classes
    Differs: the paper adds the two classes of F where MONAI halves them, as here; MONAI takes it of each image, then
        the mean, with 1e-7 above and below and probabilities at least 1e-7 from 0 and 1
    delta: d, the weight of what is missed, and of the foreground
    gamma: how fast an easy background fades, and how much a region that is nearly met counts
    focal_weight: w
    Use: small regions before a large background
    Misleads: three settings in one number: values for different ones cannot be compared
    Gradient: that of cross-entropy for the foreground, of focal for the background, and those of both tversky
    Worked: f = -(0.7 * log(0.8) + 0.3 * 0.4^0.5 * log(0.6)) / 4; t1 = 1 - 0.8 / (0.8 + 0.7 * 0.2 + 0.3 * 0.4);
        t0 = 1 - 0.6 / (0.6 + 0.7 * 0.4 + 0.3 * 0.2); unified_focal = f / 2 + (t0 + t1^0.5) / 4
    Example: prob=[0.8,0.4] label=[1,0] -> 0.24588102522787486
    """
    truth, yes = prob.of(label), label == 1
    hit, miss = truth.p, truth.miss
    share = where(yes, delta, (1.0 - delta) * miss**gamma)
    surprise = row_mean(where(miss == 0, 0.0, share * -truth.log_p)) / 2.0
    surprise = counted(focal_weight, surprise)
    return Sums(
        row_sum(where(yes, 0.0, miss)), row_sum(where(yes, miss, 0.0)),
        row_sum(where(yes, hit, 0.0)), row_sum(where(yes, 0.0, hit)), surprise,
    )  # fmt: skip


def _uncorrelated(tp: Total, fp: Total, fn: Total, tn: Total, weight: Total, *, smooth: float) -> Array | float:
    exact = exact_beside(tp)
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
        then the mean, with 1e-5 under the root; torchmetrics and scikit-learn decide at 0.5 first, and print 1 less it
    smooth: added to each of the four counts
    Use: regions that are small or large, where dice depends on which side is called the region
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: all rows of a kind pull alike
    Worked: tp = 0.8; fp = 0.4; fn = 0.2; tn = 0.6; size = sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn));
        mcc = 1 - (tp * tn - fp * fn) / size
    Example: prob=[0.8,0.4] label=[1,0] -> 0.5917517095361369
    """
    miss = prob.of(label).miss
    hit = prob.of(label).p
    yes = label == 1
    return Sums(
        row_sum(where(yes, hit, 0.0)), row_sum(where(yes, 0.0, miss)),
        row_sum(where(yes, miss, 0.0)), row_sum(where(yes, 0.0, hit)),
    )  # fmt: skip
