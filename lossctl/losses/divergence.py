"""Divergences: how far one probability distribution is from another. Rows are distributions, (n, C) each."""

import math
from typing import Annotated, Literal

from ..language.domains import Base, Domain, Flag, Fraction, NonNegative, Positive
from ..language.engines import WHOLE
from ..language.entropy import (
    expm1_tail,
    jensen_term,
    log_quotient,
    log_ratio_by_difference,
    relative_entropy_parts,
    softmax_parts,
)
from ..language.numerics import (
    Array,
    column_list,
    exp,
    log,
    log1p,
    maximum,
    minimum,
    namespace,
    pick,
    row_mean,
    row_sum,
    sqrt,
    weigh,
    where,
)
from ..language.predictions import Distribution, DistributionPair
from ..language.registry import loss

_infinity = float("inf")
Share = Annotated[float, Domain(float, low=0.001, high=0.999)]
Steps = Annotated[int, Domain(int, low=2)]
ROWS_AT_ONCE = 1 << 14


@loss(
    aliases=(
        "kl-divergence",
        "relative-entropy",
        "kl-loss",
        "kld",
    )
)
def kl(
    p: Distribution, q: Distribution, *, base: Base = math.e, forgot_log: Flag = False, generalized: Flag = False
) -> Array:
    """What it costs to expect Q where P is true; asymmetric, so no distance.

    Formula: KL(P || Q) = sum_j p_j log(p_j / q_j), with 0 log 0 = 0 and infinity where q_j = 0 < p_j
    Paper: Kullback, Leibler, On Information and Sufficiency, 1951
    Reading: cross-entropy of P and Q less the entropy of P; natural log; rows are not normalised again, and their
        mean is what torch calls batchmean
    Differs: torch kl_div takes (log Q, P) in that order and divides by n C unless told batchmean
    base: of the logarithm; 2 gives bits
    forgot_log: what torch kl_div prints where Q is given in place of its logarithm: sum_j p_j (log p_j - q_j)
    generalized: with sum_j (q_j - p_j) added, for rows that do not sum to 1, as optax generalized_kl_divergence has it
    Unit: nats
    Use: to compare a distribution with a true one, as in distillation
    Misleads: the direction matters, and one outcome that Q holds impossible makes it infinite
    Gradient: by q_j -p_j / q_j; by the logits of Q q_j - p_j
    Worked: kl = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75)
    Example: p=[0.5,0.5] q=[0.25,0.75] -> 0.14384103622589042
    """
    slip = row_sum(weigh(p.p, p.log) - p.p * q.p) if forgot_log else None
    value = DistributionPair(p, q).relative_entropy if slip is None else slip
    value = value - row_sum(DistributionPair(p, q).difference) if generalized else value
    return value if base == math.e else value / math.log(base)


@loss(
    aliases=(
        "jensen-shannon",
        "js-divergence",
    )
)
def js(p: Distribution, q: Distribution) -> Array:
    """Jensen-Shannon divergence: symmetric, finite, at most log 2.

    Formula: [KL(P || M) + KL(Q || M)] / 2;  M = (P + Q) / 2
    Paper: Lin, Divergence Measures Based on the Shannon Entropy, 1991
    Differs: scipy's jensenshannon is the square root of it
    Unit: nats
    Use: to compare distributions when neither is the true one
    Misleads: log 2 for all that do not overlap, however far apart they are
    Gradient: by q_j log(q_j / m_j) / 2, infinite where q_j is 0 and p_j is not
    Worked: m = (1 + 0) / 2; js = (1 * log(1 / m) + 1 * log(1 / m)) / 2
    Example: p=[1,0] q=[0,1] -> 0.6931471805599453
    """
    return row_sum(jensen_term(p.p, q.p, DistributionPair(p, q).difference)) / 2


@loss(aliases=("j-divergence",))
def jeffreys(p: Distribution, q: Distribution) -> Array:
    """KL in both directions, added up: symmetric, and infinite as soon as one holds impossible what the other does not.

    Formula: KL(P || Q) + KL(Q || P) = sum_j (p_j - q_j) log(p_j / q_j)
    Paper: Jeffreys, An Invariant Form for the Prior Probability in Estimation Problems, 1946
    Differs: some code halves it
    Unit: nats
    Use: to compare distributions when neither is the true one, and rare outcomes matter
    Misleads: one outcome that only one of them holds possible makes it infinite
    Gradient: by q_j 1 - p_j / q_j - log(p_j / q_j)
    Worked: jeffreys = (0.5 - 0.25) * log(0.5 / 0.25) + (0.5 - 0.75) * log(0.5 / 0.75)
    Example: p=[0.5,0.5] q=[0.25,0.75] -> 0.27465307216702745
    """
    pair = DistributionPair(p, q)
    terms = weigh(pair.difference, log_ratio_by_difference(p.p, q.p, pair.difference, pair.log_ratio))
    is_held_by_either = (p.log > -_infinity) | (q.log > -_infinity)
    return row_sum(where((abs(pair.log_ratio) == _infinity) & is_held_by_either, _infinity, terms))


@loss(aliases=("kl-reversed",))
def reverse_kl(p: Distribution, q: Distribution) -> Array:
    """KL in the other direction: what it costs to expect P where Q is true; it seeks the modes.

    Formula: KL(Q || P) = sum_j q_j log(q_j / p_j), with 0 log 0 = 0 and infinity where p_j = 0 < q_j
    Paper: Kullback, Leibler, On Information and Sufficiency, 1951
    Unit: nats
    Use: a model Q that should give up what it cannot reach instead of spreading over all of P
    Misleads: it says nothing of outcomes that Q holds impossible
    Gradient: by q_j log(q_j / p_j) + 1
    Worked: reverse_kl = 0.25 * log(0.25 / 0.5) + 0.75 * log(0.75 / 0.5)
    Example: p=[0.5,0.5] q=[0.25,0.75] -> 0.13081203594113697
    """
    return DistributionPair(q, p).relative_entropy


@loss(aliases=("total-variation-distance", "tvd"))
def total_variation(p: Distribution, q: Distribution) -> Array:
    """The largest difference that the two make in the probability of anything.

    Formula: sum_j |p_j - q_j| / 2
    Differs: without the half it is the L1 distance
    Use: how often two models can disagree at most
    Misleads: blind to the ratio of small probabilities
    Gradient: by q_j 1/2 or -1/2
    Worked: total_variation = (abs(0.5 - 0.25) + abs(0.5 - 0.75)) / 2
    Example: p=[0.5,0.5] q=[0.25,0.75] -> 0.25
    """
    return row_sum(abs(DistributionPair(p, q).difference)) / 2


@loss(aliases=("hellinger-distance",))
def hellinger(p: Distribution, q: Distribution) -> Array:
    """The distance of the square roots of the probabilities: a metric, at most 1.

    Formula: sqrt(sum_j (sqrt p_j - sqrt q_j)^2 / 2)
    Paper: Hellinger, Neue Begruendung der Theorie quadratischer Formen, 1909
    Differs: some code squares it
    Use: to compare distributions with outcomes of probability 0
    Misleads: 1 for all that do not overlap, however far apart they are
    Gradient: by q_j [1 - sqrt(p_j / q_j)] / (4 hellinger), infinite where only q_j is 0; 0 is returned there
    Worked: gap = (sqrt(0.5) - sqrt(0.25))^2 + (sqrt(0.5) - sqrt(0.75))^2; hellinger = sqrt(gap / 2)
    Example: p=[0.5,0.5] q=[0.25,0.75] -> 0.18459191128251448
    """
    sizes = sqrt(p.p) + sqrt(q.p)
    gap = DistributionPair(p, q).difference / where(sizes > 0, sizes, 1.0)
    return sqrt(row_sum(gap * gap) / 2)


@loss(aliases=("jensen-shannon-distance",))
def js_distance(p: Distribution, q: Distribution) -> Array:
    """The root of js, which is a metric.

    Formula: sqrt([KL(P || M) + KL(Q || M)] / 2);  M = (P + Q) / 2
    Paper: Endres, Schindelin, A New Metric for Probability Distributions, 2003
    Differs: it is scipy's jensenshannon, which others call the divergence
    Use: as js, where the triangle inequality is needed
    Misleads: the root makes small differences look large
    Gradient: that of js divided by 2 js_distance
    Worked: m = (1 + 0) / 2; js_distance = sqrt((1 * log(1 / m) + 1 * log(1 / m)) / 2)
    Example: p=[1,0] q=[0,1] -> 0.8325546111576977
    """
    return sqrt(js(p, q))


@loss(aliases=("distillation", "kd", "kl-from-logits"))
def knowledge_distillation(
    student: Array, teacher: Array, *, temperature: Positive = 2.0, scaled: Flag = True
) -> Array:
    """The divergence of a model from the one that it learns from, both softened by a temperature.

    Formula: T^2 KL(softmax(teacher / T) || softmax(student / T)), without T^2 unless --scaled
    Paper: Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, 2015
    Differs: code with and without T^2; torch kl_div divides by n C unless told batchmean
    temperature: T; larger shows more of the unlikely classes
    scaled: multiply by T^2, so that gradients keep their size
    Unit: nats
    Use: to train or score a small model on the logits of a large one
    Misleads: values for different temperatures cannot be compared
    Gradient: by the student's logits T (softmax(student / T) - softmax(teacher / T))
    Worked: p = 1 / (1 + exp(-0.5)); knowledge_distillation = 4 * (p * log(2 * p) + (1 - p) * log(2 * (1 - p)))
    Example: student=[0,0] teacher=[1,0] -> 0.12119944792306367
    """
    truth, model = (Distribution(logits / temperature, "logits") for logits in (teacher, student))
    value = DistributionPair(truth, model).relative_entropy
    return temperature * temperature * value if scaled else value


@loss(aliases=("gkd",))
def generalized_jsd(student: Array, teacher: Array, *, beta: Share = 0.5) -> Array:
    """A divergence between the forward and the reverse KL of a model and the one that it learns from.

    Formula: beta KL(T || M) + (1 - beta) KL(S || M);  M = beta T + (1 - beta) S, softmaxes
    Paper: Agarwal et al., On-Policy Distillation of Language Models, 2024
    Differs: TRL has the forward KL at beta 0 and the reverse at 1, which are no limits of this but of it over beta
    beta: the share of the teacher in the mixture
    Unit: nats
    Use: distillation on what the student itself writes
    Misleads: it goes to 0 with beta or 1 - beta: values for different beta cannot be compared
    Gradient: by the student's logits (1 - beta) times that of its KL from M
    Worked: s = 1 / 2; t = 3 / 4; m = (s + t) / 2; w = (1 - s + 1 - t) / 2;
        generalized_jsd = (t * log(t / m) + (1 - t) * log((1 - t) / w) + s * log(s / m) + (1 - s) * log((1 - s) / w)) /
        2
    Example: student=[0,0] teacher=[1.0986122886681098,0] -> 0.033822075568605205
    """
    t, s = Distribution(teacher, "logits"), Distribution(student, "logits")
    apart = DistributionPair(t, s).difference
    mixture = beta * t.p + (1.0 - beta) * s.p
    terms = 0.0
    for share, side, gap in ((beta, t.p, (1.0 - beta) * apart), (1.0 - beta, s.p, -beta * apart)):
        beyond, rest = relative_entropy_parts(side, mixture, gap, 0.0 * gap, log_quotient(side, mixture))
        terms = terms + share * (beyond + rest)
    return row_sum(terms)


@loss(aliases=("vae-kl",))
def gaussian_kl(mean: Array, log_variance: Array) -> Array:
    """The divergence of normal distributions from the standard one, summed over the columns: the second term of a VAE.

    Formula: sum_j [mu_j^2 + e^v_j - 1 - v_j] / 2;  v the log of the variance
    Paper: Kingma, Welling, Auto-Encoding Variational Bayes, 2014
    Differs: some code takes the mean over the columns, or multiplies by a beta
    Unit: nats
    Use: how far a code is from its prior
    Misleads: 0 says that the code tells nothing of its input: posterior collapse
    Gradient: by mu_j mu_j, by v_j (e^v_j - 1) / 2
    Worked: gaussian_kl = (0.5^2 + exp(0.2) - 1 - 0.2) / 2
    Example: mean=0.5 log_variance=0.2 -> 0.13570137908008492
    """
    return row_sum(mean * mean + expm1_tail(log_variance)) / 2


@loss(aliases=("augmix", "jsd-cross-entropy"))
def jsd_ce(
    scores: Array,
    augmented: Array,
    augmented_again: Array,
    label: Array,
    *,
    alpha: NonNegative = 12.0,
    label_smoothing: Fraction = 0.1,
) -> Array:
    """Cross-entropy of what is seen as it is, and how far the predictions of three views of it are from each other.

    Formula: (1 - e) (-log p1_y) + e mean_j(-log p1_j) + alpha/3 sum_k KL(p_k || m), m the mean of p1, p2 and p3, e the
        smoothing
    Paper: Hendrycks, Mu, Cubuk, Zoph, Gilmer, Lakshminarayanan, AugMix, 2020
    Differs: timm smooths by 0.1 unless told, as here, the paper not; timm keeps m above 1e-7
    alpha: how much the divergence counts
    label_smoothing: e
    Unit: nats
    Use: classifiers that should not change their mind about an image that is shifted, blurred or recoloured
    Misleads: no surprise any more: take cross-entropy of the first view to compare models
    Gradient: by the first logits that of cross-entropy; by all alpha/3 p_k times log(p_k / m) less its mean
    Worked: surprise = log(2); jsd_ce = surprise + 12 * 0
    Example: scores=[0,0] augmented=[0,0] augmented_again=[0,0] label=0 label_smoothing=0 -> 0.6931471805599453
    """
    logs = [_log_softmax(view) for view in (scores, augmented, augmented_again)]
    top = maximum(maximum(logs[0], logs[1]), logs[2])
    mixture = top + log(sum(exp(part - top) for part in logs) / 3.0)
    apart = sum(row_sum(exp(part) * (part - mixture)) for part in logs) / 3.0
    surprise = -(1.0 - label_smoothing) * pick(logs[0], label) - label_smoothing * row_mean(logs[0])
    return surprise + alpha * apart


def _log_softmax(logits: Array) -> Array:
    gap, _, rest = softmax_parts(logits)
    return -(gap + log1p(rest)[:, None])


@loss(engine=WHOLE, is_signed=True, aliases=("mutual-information-loss", "nmi"))
def mutual_information(
    pred: Array,
    target: Array,
    *,
    bins: Steps = 64,
    kernel: Literal["polynomial", "gaussian"] = "polynomial",
    unit: Flag = False,
    normalized: Flag = False,
) -> Array:
    """Minus what two columns tell of each other, from their joint histogram with soft bins.

    Formula: -sum_kl P_kl log [P_kl / (P_k P_l)], P_kl the mean over rows of w_k(x) w_l(y), x and y from their least to
        their largest in steps of bins; normalized: -(H_x + H_y) / H_xy;  columns are averaged
    Paper: Viola, Wells, Alignment by Maximization of Mutual Information, 1997; Xu et al., 2008 (the polynomial)
    Reading: 0 where neither tells anything of the other; normalized it is between -2 and -1
    Differs: kornia has 64 bins and the polynomial; MONAI 23 bins from 0 to 1 and the Gaussian: --bins 23 --kernel
        gaussian --unit; both add small numbers inside the logarithm
    bins: how many steps each column falls into
    kernel: how a value is shared between bins: 1 - 0.1 u - 1.8 u^2 below u 1/2 and 1.9 - 3.7 u + 1.8 u^2 up to 1, u the
        steps apart; or e^(-2 u^2), divided by its sum
    unit: steps are from 0 to 1, not from the least to the largest value; values beyond count for the nearest bins
    normalized: the sum of both entropies by the joint one
    Unit: nats
    Use: registration of images whose brightness means different things
    Misleads: with few rows most bins are empty and any two columns seem to tell of each other
    Gradient: through the weights of the two or few bins of a value
    Worked: mutual_information = -2 * 0.5 * log(0.5 / (0.5 * 0.5))
    Example: pred=[0,1] target=[3,5] bins=2 -> -0.6931471805599453
    """
    xp, n = namespace(pred), pred.shape[0]
    pairs = zip(*(column_list(xp.reshape(x, (n, -1))) for x in (pred, target)), strict=True)
    values = [_told(x, y, bins, kernel, unit, normalized) for x, y in pairs]
    return sum(values[1:], values[0]) / float(len(values))


def _told(x: Array, y: Array, bins: int, kernel: str, unit: bool, normalized: bool) -> Array:
    xp, n, joint = namespace(x), x.shape[0], 0.0
    places = [column * (bins - 1.0) if unit else _steps(column, bins) for column in (x, y)]
    for start in range(0, n, ROWS_AT_ONCE):
        a, b = (_bin_weights(place[start : min(n, start + ROWS_AT_ONCE)], bins, kernel) for place in places)
        joint = joint + a.T @ b
    joint = joint / float(n)
    sides = xp.sum(joint, axis=1), xp.sum(joint, axis=0)
    if normalized:
        entropies = [-xp.sum(where(p > 0, p * log(where(p > 0, p, 1.0)), 0.0)) for p in (*sides, joint)]
        return -(entropies[0] + entropies[1]) / entropies[2]
    apart = sides[0][:, None] * sides[1][None, :]
    held = joint > 0
    return 0.0 - xp.sum(where(held, joint * log(where(held, joint / where(held, apart, 1.0), 1.0)), 0.0))


def _steps(x: Array, bins: int) -> Array:
    """Each value as steps from the least, 0 to bins - 1; 0 where all are alike."""
    xp = namespace(x)
    low, high = xp.min(x), xp.max(x)
    part = where(high - low < _infinity, 1.0, 0.5)  # of both, where their difference is beyond float64
    width = where(high > low, high * part - low * part, 1.0)
    return (x * part - low * part) / width * (bins - 1.0)


def _bin_weights(place: Array, bins: int, kernel: str) -> Array:
    """(n, bins) how much of each value each bin has."""
    xp = namespace(place)
    place = place if kernel == "gaussian" else minimum(maximum(place, 0.0), bins - 1.0)
    u = abs(place[:, None] - xp.arange(bins, dtype=place.dtype, device=getattr(place, "device", None))[None, :])
    if kernel == "gaussian":
        share = exp(-2.0 * (u * u - xp.min(u, axis=-1, keepdims=True) ** 2))
        return share / row_sum(share)[:, None]
    return where(u < 0.5, 1.0 - u * (0.1 + 1.8 * u), where(u < 1, (1.0 - u) * (1.9 - 1.8 * u), 0.0))
