"""Classification: the chance that a model gave to the truth, or the margin by which it decided for it."""

import math
from typing import Annotated, Any, Literal

from ..language.domains import (
    Alpha,
    Base,
    ClassIndex,
    Domain,
    Flag,
    Fraction,
    LabelWeight,
    NonNegative,
    Numbers,
    Positive,
    Real,
    Threshold,
    Weights,
)
from ..language.numerics import (
    Array,
    exponential_of_mean,
    like,
    one_hot,
    pick,
    relu,
    row_max,
    row_mean,
    row_sum,
    sigmoid,
    softplus,
    weigh,
    where,
)
from ..language.predictions import Binary, Categorical
from ..language.registry import Weighted, loss
from ..language.rounding import multiply_add, sum_of_three

Share = Annotated[float | None, Domain(float, low=0, high=1, optional=True)]


@loss(aliases=("binary-cross-entropy", "multi-label"))
def bce(prob: Binary, label: Array, *, pos_weight: LabelWeight = 1.0, label_smoothing: Fraction = 0.0) -> Array:
    """Binary cross-entropy: the surprise at each label, 0 or 1; several labels a row are averaged.

    Formula: -[w y log p + (1 - y) log(1 - p)]
    Reading: 0.693 (log 2) is a coin's score; a certain and wrong prediction costs infinity, never a clipped number
    Differs: torch clamps the log at -100 (--clip-log 100), keras and scikit-learn clip p by an epsilon of the dtype
        (--clip); timm smooths a class index to 1 - eps + eps / C and eps / C over C columns
    pos_weight: w, how much more a positive label counts; one number, or one for each column of labels
    label_smoothing: eps; a label y is y (1 - eps) + eps / 2
    Unit: nats
    Use: probabilities of labels that do not exclude each other, and of two classes
    Misleads: one certain and wrong row makes the mean; rare positives drown among negatives
    Gradient: by the logit p - y, never above 1 in size: 0 for what is right, 1 for what is wrong
    Worked: bce = -(1 * log(0.8) + (1 - 1) * log(1 - 0.8))
    Example: prob=0.8 label=1 -> 0.22314355131420976
    """
    if label_smoothing:
        share, ones = _smoothed(label, label_smoothing), 0.0 * label + 1.0
        positive = share if pos_weight == 1 else share * _label_weights(ones, pos_weight, 1.0)
        return row_mean(weigh(positive, -prob.of(ones).log_p) + weigh(1.0 - share, -prob.of(0.0 * ones).log_p))
    surprise = -prob.of(label).log_p
    return row_mean(surprise if pos_weight == 1 else weigh(_label_weights(label, pos_weight, 1.0), surprise))


def _smoothed(label: Array, eps: float) -> Array:
    return (1.0 - eps) * label + eps / 2


@loss
def log_loss(chance: Binary | Categorical, label: Array, *, base: Base = math.e) -> Array:
    """Minus the log of the chance given to the truth: bce for labels 0 and 1, cross-entropy for class indices.

    Formula: -log p_t
    base: of the logarithm; 2 gives bits, in which a guess between two costs 1
    Unit: nats
    Use: to score probabilities, whatever the number of classes
    Misleads: one certain and wrong row makes the mean
    Gradient: by the logit of the truth p_t - 1, by the probability -1 / p_t
    Worked: p_t = 1 - 0.8; log_loss = -log(p_t)
    Example: prob=0.8 label=0 -> 1.6094379124341005
    """
    surprise = row_mean(-chance.of(label).log_p)
    return surprise if base == math.e else surprise / math.log(base)


@loss(aliases=("ce", "nll", "softmax-loss"))
def cross_entropy(
    probs: Categorical,
    label: Array,
    *,
    label_smoothing: Fraction = 0.0,
    class_weights: Weights = None,
    ignore_index: ClassIndex = None,
) -> Array | Weighted:
    """The surprise at the true class; the label is a class index or a distribution over the classes.

    Formula: -log p_y, or -sum_j q_j log p_j for a distribution q
    Reading: log C is the score of a uniform guess over C classes
    Differs: with class weights the mean divides by the sum of the weights (torch, scikit-learn), not by n (keras);
        language models in transformers are beside the label of the next step: --shift --ignore-index -100
    label_smoothing: eps of every label is spread evenly over all C classes, eps / C each
    class_weights: a weight for each class; the mean is then over the sum of the weights of the true classes
    ignore_index: rows with this label are left out before the loss sees them (torch: -100)
    Unit: nats
    Use: one true class of C
    Misleads: rewards confidence beyond what is known; with class weights or smoothing it is no surprise any more
    Slips: several labels a row take a sigmoid each and bce; a softmax makes them exclude each other
    Gradient: by the logits p - q, the prediction minus the truth: it sums to 0 over the classes
    Worked: p_y = 0.7; cross_entropy = -log(p_y)
    Example: prob=[0.7,0.2,0.1] label=0 -> 0.35667494393873245
    """
    hard = label.ndim == 1
    if hard and not label_smoothing and class_weights is None:
        return -probs.of(label).log_p
    target = where(one_hot(label, probs.classes, probs.values), like(1.0, probs.values), 0.0) if hard else label
    if label_smoothing:
        target = (1.0 - label_smoothing) * target + label_smoothing / probs.classes
    if class_weights is None:
        return row_sum(weigh(target, -probs.log))
    weights = _as_row(class_weights, probs.values)
    total = row_sum(weigh(target * weights, -probs.log))
    return Weighted(total, pick(weights + 0.0 * probs.values, label)) if hard else total


@loss(finish=exponential_of_mean, aliases=("ppl",))
def perplexity(probs: Categorical, label: Array, *, ignore_index: ClassIndex = None) -> Array | Weighted:
    """Between how many classes alike the model hesitates: the exponential of the mean cross-entropy.

    Formula: exp(mean(-log p_y))
    Reading: 1 is certain and right; C is the score of a uniform guess over C classes; of a column of log-probabilities
        of the tokens that came: token-perplexity
    Differs: the mean of the perplexities of batches is another, larger number; here the mean is over all rows
    ignore_index: rows with this label are left out before the loss sees them (torch: -100)
    Unit: classes
    Use: language models, token by token
    Misleads: depends on the tokens: models with other vocabularies cannot be compared by it
    Gradient: that of cross-entropy times the perplexity
    Worked: mean = -(log(0.7) + log(0.7)) / 2; perplexity = exp(mean)
    Example: prob=[0.7,0.2,0.1] label=0 -> 1.4285714285714286
    """
    return cross_entropy(probs, label)


@loss
def focal(
    chance: Binary | Categorical,
    label: Array,
    *,
    gamma: NonNegative = 2.0,
    alpha: Alpha = None,
    alpha_rule: Literal["label", "both", "rest"] = "label",
    label_smoothing: Fraction = 0.0,
    threshold: Threshold = None,
    normalized: Flag = False,
    one_vs_rest: Flag = False,
) -> Array | Weighted:
    """Cross-entropy that fades for rows the model already gets right, so that the hard ones decide.

    Formula: -alpha_t (1 - p_t)^gamma log p_t
    Paper: Lin et al., Focal Loss for Dense Object Detection, 2017
    Reading: gamma 0 is cross-entropy
    Differs: alpha is off here, 0.25 unless told in torchvision and, for every class alike, in keras'
        CategoricalFocalCrossentropy; RetinaNet divides by the number of positives: -r positives
    gamma: how fast easy rows fade
    alpha: weight of label 1, with 1 - alpha for label 0 (of classes: one for all, or a list of one each); balanced
        takes the inverse class frequencies
    alpha_rule: whom alpha is for: label 1, with 1 - alpha for label 0 (one alpha for all classes); both labels; or the
        rest, all classes but class 0, which has 1 - alpha (kornia)
    label_smoothing: eps; a label y is y (1 - eps) + eps / 2, of classes y (1 - eps) + eps / C, as in keras
    threshold: the reduced focal loss: chances below it weigh 1, others ((1 - p_t) / threshold)^gamma
    normalized: divide by the sum of the weights (1 - p_t)^gamma, not by n
    one_vs_rest: classes as C labels of yes or no, and their mean
    Unit: nats
    Use: many easy rows beside few hard ones, as in dense detection
    Misleads: it hides overconfidence, for easy rows count next to nothing; no score for probabilities
    Gradient: by x_t, the logit of the truth, alpha_t (1 - p_t)^gamma (gamma p_t log p_t + p_t - 1): nearly 0 for easy
        rows, above that of cross-entropy in size for hard ones
    Curve: --sweep gamma=0,0.5,1,2,5
    Worked: p_t = 0.9; weight = (1 - p_t)^2; surprise = -log(p_t); focal = weight * surprise
    Example: prob=0.9 label=1 -> 0.0010536051565782627
    """
    if one_vs_rest and isinstance(chance, Categorical):
        label = where(one_hot(label, chance.classes, chance.values), like(1.0, chance.values), 0.0)
        chance = Binary(chance.values, chance.logits, chance.floor)
    if label_smoothing:
        fading, value = _smoothed_focal(chance, label, gamma, label_smoothing, threshold)
    else:
        of_label = chance.of(label)
        fading = _fading(of_label.p, of_label.miss, gamma, threshold)
        value = -of_label.log_p if fading is None else fading * -of_label.log_p
    if alpha is not None:
        value = weigh(_alpha_t(alpha, label, chance, alpha_rule, label_smoothing), value)
    if not normalized:
        return row_mean(value)
    return Weighted(row_mean(value), row_mean(0.0 * value + 1.0 if fading is None else fading))


def _fading(p: Array, miss: Array, gamma: float, threshold: float | None) -> Array | None:
    """The weight of a chance; None where all weigh 1."""
    if not gamma:
        return None
    return miss**gamma if threshold is None else where(p < threshold, 1.0, (miss / threshold) ** gamma)


def _smoothed_focal(
    chance: Binary | Categorical, label: Array, gamma: float, eps: float, threshold: float | None
) -> tuple[Array | None, Array]:
    """The weights and the values of focal loss against labels that are no longer 0 or 1."""
    if isinstance(chance, Categorical):
        hard = where(one_hot(label, chance.classes, chance.values), like(1.0, chance.values), 0.0)
        share = (1.0 - eps) * hard + eps / chance.classes
        fading = _fading(chance.p, chance.misses, gamma, threshold)
        return fading, row_sum(weigh(share if fading is None else share * fading, -chance.log))
    share, ones = _smoothed(label, eps), 0.0 * label + 1.0
    yes, no = chance.of(ones), chance.of(0.0 * ones)
    surprise = weigh(share, -yes.log_p) + weigh(1.0 - share, -no.log_p)
    p_t = share * yes.p + (1.0 - share) * no.p
    fading = _fading(p_t, share * yes.miss + (1.0 - share) * no.miss, gamma, threshold)
    return fading, surprise if fading is None else fading * surprise


@loss
def focal_star(logit: Binary, label: Array, *, gamma: Positive = 2.0, beta: Real = 1.0, alpha: Share = None) -> Array:
    """The variant of focal loss in its paper's appendix: a steeper, shifted cross-entropy.

    Formula: -log sigmoid(gamma x_t + beta) / gamma;  x_t = x for label 1, -x for label 0
    Paper: Lin et al., Focal Loss for Dense Object Detection, 2017, appendix A
    gamma: steepness
    beta: shift
    alpha: weight of label 1, with 1 - alpha for label 0
    Unit: nats
    Use: as focal; gamma and beta shape the curve apart from each other
    Misleads: gamma and beta are not the gamma of focal: (2, 1) looks like focal with 2
    Slips: y in x_t = y x is the true label as -1 or 1, not whether the row was classified right
    Gradient: sigmoid(gamma x_t + beta) - 1: that of cross-entropy, steeper and shifted, never above 1 in size
    Curve: --sweep gamma=1,2,4 --grad
    Worked: x_t = 0; z = 2 * x_t + 1; focal_star = log(1 + exp(-z)) / 2
    Example: logit=0 label=1 -> 0.15663084375911143
    """
    x_t = logit.of(label).logit
    x, lost = multiply_add(gamma, x_t, beta)
    exact = (softplus(-x) - lost * sigmoid(-x)) / gamma
    value = where(abs(x) < float("inf"), exact, relu(-(x_t + beta / gamma)))
    return row_mean(value if alpha is None else weigh(_label_weights(label, alpha, 1.0 - alpha), value))


@loss
def hinge(score: Array, label: Array, *, margin: Positive = 1.0, targets: Literal["signs", "raw"] = "signs") -> Array:
    """How far a decision value is from being right by the margin; zero beyond it.

    Formula: [margin - (2y - 1) s]+
    Paper: Cortes, Vapnik, Support-Vector Networks, 1995
    Differs: keras takes labels 0 and 1 as -1 and 1 where all are 0 or 1; optax multiplies by them as they are
    margin: the distance from the boundary that costs nothing
    targets: labels as signs, -1 and 1, or raw, 0 and 1, by which each label 0 costs the margin: a common slip
    Use: decisions by the sign of a score, where rows beyond the margin should not matter
    Misleads: scores have no scale: doubling them changes the loss, not one decision
    Gradient: -1 within the margin, 0 beyond it: only the rows near the boundary pull
    Worked: lead = (2 * 1 - 1) * 0.5; hinge = max(0, 1 - lead)
    Example: score=0.5 label=1 -> 0.5
    """
    sign = label if targets == "raw" else 2.0 * label - 1.0
    return relu(margin - sign * score)


@loss
def squared_hinge(
    score: Array, label: Array, *, margin: Positive = 1.0, targets: Literal["signs", "raw"] = "signs"
) -> Array:
    """The square of hinge: smooth at the margin, harder on large violations.

    Formula: [margin - (2y - 1) s]+^2
    margin: the distance from the boundary that costs nothing
    targets: labels as signs, -1 and 1, or raw, 0 and 1
    Use: as hinge, where a smooth loss is easier to minimise
    Misleads: wrong labels weigh by the square of their score
    Gradient: -2 [margin - lead]+: shrinks towards the margin
    Worked: lead = (2 * 1 - 1) * 0.5; squared_hinge = max(0, 1 - lead)^2
    Example: score=0.5 label=1 -> 0.25
    """
    return hinge(score, label, margin=margin, targets=targets) ** 2


@loss
def multiclass_hinge(
    scores: Array,
    label: Array,
    *,
    kind: Literal["crammer-singer", "weston-watkins", "one-vs-all"] = "crammer-singer",
    margin: Positive = 1.0,
    l2: Numbers = None,
    l2_strength: NonNegative = 1.0,
) -> Array:
    """How far the true class is from winning by the margin, over the best rival or over all of them.

    Formula: [m + max_{j != y} s_j - s_y]+ (crammer-singer);  sum_{j != y} [m + s_j - s_y]+ (weston-watkins)
    Paper: Crammer, Singer, 2001; Weston, Watkins, 1999
    Differs: torch MultiMarginLoss is weston-watkins divided by C
    kind: crammer-singer looks at the best rival only, weston-watkins at every rival; one-vs-all is the mean of C
        hinges, each of a class against all others
    margin: m
    l2: the model's weights (numbers, or a file): adds strength times the sum of their squares, the SVM objective
    l2_strength: how much the regulariser counts
    Use: the objective of a multi-class support vector machine
    Misleads: libraries differ in which rivals count and in dividing by C
    Gradient: 1 for the best rival (each rival), -1 (minus their number) for the true class, within the margin
    Worked: rival = max(0.2, 0.1); multiclass_hinge = max(0, 1 + rival - 0.5)
    Example: scores=[0.5,0.2,0.1] label=0 -> 0.7
    """
    true, mine = pick(scores, label), one_hot(label, scores.shape[1], scores)
    if kind == "crammer-singer":
        value = relu(sum_of_three(row_max(where(mine, -float("inf"), scores)), -true, margin))
    elif kind == "one-vs-all":
        value = row_mean(relu(margin - where(mine, scores, -scores)))
    else:
        value = row_sum(where(mine, 0.0, relu(sum_of_three(scores, -true[:, None], margin))))
    return value if l2 is None else value + l2_strength * sum(weight * weight for weight in l2)


def _label_weights(label: Array, positive: float | tuple[float, ...], negative: float) -> Array:
    if isinstance(positive, tuple):
        return where(label == 1, _as_row(positive, label) + 0.0 * label, like(negative, label))
    return where(label == 1, like(positive, label), like(negative, label))


def _as_row(numbers: tuple[float, ...], array: Array) -> Array:
    row = 0.0 * array[:1, :]
    for position, number in enumerate(numbers):
        row = row + where(one_hot(like(float(position), array)[None], len(numbers), array), like(number, array), 0.0)
    return row


def _alpha_t(alpha: Any, label: Array, chance: Binary | Categorical, rule: str, eps: float) -> Array:
    if isinstance(chance, Categorical):
        first = 1.0 - alpha if rule == "rest" else alpha
        numbers = alpha if isinstance(alpha, tuple) else (first, *(alpha,) * (chance.classes - 1))
        return pick(_as_row(numbers, chance.values) + 0.0 * chance.values, label)
    if eps and rule == "label":
        share = _smoothed(label, eps)
        return share * alpha + (1.0 - share) * (1.0 - alpha)
    return _label_weights(label, alpha, alpha if rule == "both" else 1.0 - alpha)
