"""Losses of all rows together: rows are put in order, or each is compared with all others, and one number comes out."""

from __future__ import annotations

from typing import Any, Literal

from ..language.distances import cosine_distance
from ..language.domains import Bins, ClassIndex, Flag, Fraction, NonNegative, Positive
from ..language.engines import WHOLE
from ..language.numerics import (
    Array,
    exp,
    homogeneous,
    log1p,
    log_sums_behind,
    namespace,
    one_hot,
    relu,
    row_max,
    row_sum,
    softplus,
    sqrt,
    where,
)
from ..language.predictions import Categorical
from ..language.registry import loss
from ..language.rounding import compensated_row_sum, near_one
from ..language.twofold import Twofold, centred_rows, directions, row_length

# ---------------------------------------------------------------------------------------------------------------- pairs


@loss(engine=WHOLE, is_angular=True, aliases=("cosent-loss",))
def cosent(left: Array, right: Array, similarity: Array, *, s: Positive = 20.0) -> Array:
    """How far the cosines of pairs are from the order of their similarities: every two pairs count.

    Formula: log(1 + sum_{y_i > y_j} e^(s (c_j - c_i))), c the cosine of a pair, y its similarity
    Paper: Su, CoSENT, 2022
    Reading: only the order of the similarities counts
    s: how far cosines count
    Unit: nats
    Use: pairs with a graded similarity of which the order counts, not the scale
    Misleads: one number of a batch, which grows with the logarithm of its pairs: compare equal N only
    Gradient: a softmax over the pairs of pairs in the wrong order
    Worked: cosent = log(1 + exp(2 * (0 - 1)))
    Example: left=[[1,0],[1,0]] right=[[1,0],[0,1]] similarity=[1,0] s=2 -> 0.1269280110429725
    """
    return _out_of_order(-s * cosine_distance(left, right), similarity)


@loss(engine=WHOLE, is_angular=True, aliases=("angle-loss",))
def angle(left: Array, right: Array, similarity: Array, *, s: Positive = 20.0) -> Array:
    """cosent with a similarity that does not flatten where vectors are alike: cosine and sine of complex halves.

    Formula: log(1 + sum_{y_i > y_j} e^(s (a_j - a_i))), a = |cos + sum (v_k x_k - u_k w_k)| of unit vectors (u, v) and
        (x, w), each cut into halves
    Paper: Li, Li, AnglE-optimized Text Embeddings, 2024
    s: how far similarities count
    Unit: nats
    Use: as cosent
    Misleads: it depends on which columns make the halves; a vector of odd length is filled up by a 0
    Gradient: as cosent, by the similarity
    Worked: angle = log(1 + exp(2 * (1 - 1)))
    Example: left=[[1,0],[1,0]] right=[[1,0],[0,1]] similarity=[1,0] s=2 -> 0.6931471805599453
    """
    xp = namespace(left)
    x, y = directions(left).nearest, directions(right).nearest
    half = (x.shape[1] + 1) // 2
    if x.shape[1] % 2:
        x, y = (xp.concat([view, 0.0 * view[:, :1]], axis=1) for view in (x, y))
    sines = row_sum(x[:, half:] * y[:, :half] - x[:, :half] * y[:, half:])
    return _out_of_order(s * abs(row_sum(x * y) + sines), similarity)


@loss(engine=WHOLE, is_angular=True)
def online_contrastive(left: Array, right: Array, same: Array, *, margin: NonNegative = 0.5) -> Array:
    """The contrastive loss of hard pairs alone: similar ones beyond the nearest dissimilar one, and the reverse.

    Formula: sum of d^2 over similar pairs with d > min d of dissimilar ones, and of [margin - d]+^2 over dissimilar
        ones with d < max d of similar ones; d = 1 - cos
    Paper: Reimers, Gurevych, Sentence-BERT's library, 2019
    Differs: a sum without the half of contrastive, as sentence-transformers has it; where a kind is absent, the mean of
        the other kind is the bound
    margin: how far apart a dissimilar pair costs nothing
    Use: pairs of a batch, most of which are easy
    Misleads: a sum over the rows: it grows with their number
    Gradient: 2 d by each hard similar pair, -2 (margin - d) by each hard dissimilar one
    Worked: similar = 1^2; dissimilar = (0.5 - 0)^2; online_contrastive = similar + dissimilar
    Example: left=[[1,0],[1,0]] right=[[0,1],[1,0]] same=[1,0] -> 1.25
    """
    xp, d, is_same = namespace(left), cosine_distance(left, right), same == 1
    mean = xp.mean(d)
    nearest = xp.min(where(is_same, float("inf"), d)) if not xp.all(is_same) else mean
    farthest = xp.max(where(is_same, d, -float("inf"))) if xp.any(is_same) else mean
    gap = relu(margin - d)
    return xp.sum(where(is_same & (d > nearest), d * d, 0.0) + where(~is_same & (d < farthest), gap * gap, 0.0))


# -------------------------------------------------------------------------------------------------------------- regions


@loss(engine=WHOLE)
def lovasz_hinge(score: Array, label: Array) -> Array:
    """The hinge of each pixel, weighed by what missing it would cost in intersection over union.

    Formula: sum_i [1 - z_i s_i]+ (J_i - J_{i-1}), pixels in falling order of 1 - z s, z = 1 or -1, J_i = 1 - the
        intersection over union where the first i pixels are missed
    Paper: Berman, Rannen Triki, Blaschko, The Lovasz-Softmax Loss, 2018
    Differs: all rows are one image, as in segmentation-models-pytorch; kornia takes the mean of images: -g SRC
    Use: to train for intersection over union
    Misleads: all pixels together hide small images; without a true pixel the worst false one alone counts
    Gradient: the weights by the scores of what is not right by 1
    Worked: first = (1 + 1) * 0.5; second = (1 - 0.5) * 0.5; lovasz_hinge = first + second
    Example: score=[1,0.5] label=[0,1] -> 1.25
    """
    error = 1.0 - (2.0 * label - 1.0) * score
    return _lovasz(relu(error), error, label)


@loss(engine=WHOLE, takes_masks=True)
def lovasz_softmax(
    probs: Categorical,
    label: Array,
    *,
    over: Literal["present", "all"] = "present",
    ignore_index: ClassIndex = None,
) -> Array:
    """What is wrong of each probability, weighed by what missing the pixel would cost in intersection over union.

    Formula: mean over classes c of sum_i e_i (J_i - J_{i-1}), e = |[y = c] - p_c|, pixels in falling order of e, J_i =
        1 - the intersection over union of c where the first i pixels are missed
    Paper: Berman, Rannen Triki, Blaschko, The Lovasz-Softmax Loss, 2018
    Differs: all rows are one image, as in segmentation-models-pytorch; kornia takes the mean of images: -g SRC
    over: the mean is over classes that have a pixel, or over all
    ignore_index: pixels with this label are left out before the loss sees them (often 255)
    Use: to train for mean intersection over union
    Misleads: all pixels together hide small images
    Gradient: the weights by the probabilities
    Worked: class_0 = 0.2 * 1; class_1 = 0.2 * 1; lovasz_softmax = class_0
    Example: probs=[[0.8,0.2]] label=[0] -> 0.19999999999999996
    """
    xp, values = namespace(label), []
    p = probs.p
    for name in range(p.shape[1]):
        truth = xp.astype(label == name, p.dtype)
        if over == "all" or xp.any(label == name):
            error = abs(truth - p[:, name])
            values.append(_lovasz(error, error, truth))
    return sum(values) / float(len(values))


# -------------------------------------------------------------------------------------------------------- distributions


@loss(
    engine=WHOLE,
    aliases=(
        "earth-mover",
        "emd",
        "wasserstein-distance",
        "earth-movers-distance",
    ),
)
def wasserstein_1d(pred: Array, target: Array) -> Array:
    """How far one sample must be moved to become the other, value by value in order.

    Formula: mean_k |u_(k) - v_(k)|, u and v in rising order
    Paper: Villani, Optimal Transport: Old and New, 2009
    Reading: which row a value stands in does not count; several columns are averaged
    Differs: of samples; of two histograms it is the width of a bin times the sum of |differences of their running sums|
    Use: to compare distributions of predictions and of true values
    Misleads: 0 where values are right but stand in wrong rows
    Gradient: the sign of each difference in order, divided by N
    Worked: wasserstein_1d = (abs(1 - 2) + abs(3 - 3)) / 2
    Example: pred=[3,1] target=[2,3] -> 0.5
    """
    xp = namespace(pred)
    return xp.mean(abs(xp.sort(pred, axis=0) - xp.sort(target, axis=0)))


@loss(engine=WHOLE)
def energy_distance(pred: Array, target: Array) -> Array:
    """How far two samples are apart beyond how far each is spread.

    Formula: sqrt(2 E|U - V| - E|U - U'| - E|V - V'|), which is the root of 2 times the integral of (F - G)^2
    Paper: Szekely, Rizzo, Energy Statistics, 2013
    Reading: which row a value stands in does not count; several columns are averaged
    Differs: scipy takes the root, others do not
    Use: to compare distributions of predictions and of true values; 0 for equal ones only
    Misleads: 0 where values are right but stand in wrong rows
    Gradient: by a value: what F and G differ by on its two sides, divided by N times the distance
    Worked: energy_distance = sqrt(2 * (2 - 0) * 1)
    Example: pred=[0] target=[2] -> 2
    """
    xp, n = namespace(pred), pred.shape[0]
    u, v = (xp.sort(xp.reshape(x, (n, -1)), axis=0) for x in (pred, target))
    values: Any = 0.0
    for column in range(u.shape[1]):
        edges = xp.sort(xp.concat([u[:, column], v[:, column]]))
        counts = [xp.astype(xp.searchsorted(x[:, column] + 0.0, edges[:-1], side="right"), u.dtype) / n for x in (u, v)]
        gap = counts[0] - counts[1]
        values = values + sqrt(2.0 * xp.sum(gap * gap * (edges[1:] - edges[:-1])))
    return values / u.shape[1]


@loss(engine=WHOLE, aliases=("median-absolute-error", "median-ae", "medae"))
def median_error(pred: Array, target: Array) -> Array:
    """The middle one of the absolute errors: half are smaller.

    Formula: median |y - p|; the mean of the two in the middle where N is even; several columns are averaged
    Use: targets with outliers, which do not move it
    Misleads: blind to how large the errors beyond the middle are
    Gradient: the sign of the error in the middle, 0 for all others
    Worked: median_error = (1 + 2) / 2
    Example: pred=[1,2,9,0] target=[0,0,0,0] -> 1.5
    """
    return homogeneous(_middle_error, pred, target)


def _middle_error(pred: Array, target: Array) -> Array:
    xp, n = namespace(pred), pred.shape[0]
    errors = xp.sort(abs(target - pred), axis=0)
    return xp.mean((errors[(n - 1) // 2, ...] + errors[n // 2, ...]) / 2.0)


@loss(engine=WHOLE, aliases=("max-absolute-error",))
def max_error(pred: Array, target: Array) -> Array:
    """The largest of the absolute errors.

    Formula: max |y - p|, over all columns
    Use: where one bad prediction spoils all, as in tables and approximations
    Misleads: one row decides: an outlier hides all others
    Gradient: the sign of the largest error, 0 for all others
    Worked: max_error = abs(0 - 3)
    Example: pred=[1,3] target=[0,0] -> 3
    """
    return namespace(pred).max(abs(target - pred))


# -------------------------------------------------------------------------------------------------------------- signals


@loss(engine=WHOLE, is_gain=True, aliases=("peak-signal-noise-ratio",))
def psnr(pred: Array, target: Array, *, peak: Positive = 1.0) -> Array:
    """How far the peak stands above the root mean squared error, in decibels: a gain.

    Formula: 10 log10(peak^2 / mse), over all rows and columns
    Differs: of all rows together, where images have one each and then their mean: -g SRC; kornia's loss is its
        negative; the peak is 3 in torchmetrics' function unless told, and must be told to its class
    peak: the largest possible value, or the range of values: 1, or 255
    Unit: decibels; infinite for a perfect prediction
    Use: images and sound, where decibels are customary
    Misleads: blind to where the errors are; another peak, another number
    Gradient: -20 (p - y) / (ln 10 times the sum of the squared errors)
    Worked: mse = (0.1^2 + 0.1^2) / 2; psnr = 10 * log(1^2 / mse) / log(10)
    Example: pred=[0.1,0.9] target=[0,1] -> 20
    """
    error = _signal(target - pred)
    return _decibels(peak * error.shape[1] ** 0.5, row_length(error))


@loss(engine=WHOLE, is_gain=True, aliases=("signal-noise-ratio",))
def snr(pred: Array, target: Array, *, zero_mean: Flag = False) -> Array:
    """How far the signal stands above the error, in decibels: a gain.

    Formula: 10 log10(sum y^2 / sum (y - p)^2), over all rows and columns
    Differs: of all rows together: a signal each is -g SRC
    zero_mean: without the mean of each
    Unit: decibels; infinite for a perfect prediction
    Use: sound, where the scale of the prediction counts
    Misleads: a prediction of the right form and the wrong loudness is a bad one: see si-sdr
    Gradient: -20 (p - y) / (ln 10 times the sum of the squared errors)
    Worked: snr = 10 * log((1^2 + 2^2) / (0.5^2 + 0)) / log(10)
    Example: pred=[1.5,2] target=[1,2] -> 13.010299956639813
    """
    y = Twofold(_signal(target), 0.0 * _signal(target))
    noise = y - _signal(pred)
    if zero_mean:
        y, noise = centred_rows(y), centred_rows(noise)
    return _decibels(row_length(y.high), row_length(noise.high))


@loss(engine=WHOLE, is_gain=True, aliases=("si-snr", "scale-invariant-sdr"))
def si_sdr(pred: Array, target: Array, *, zero_mean: Flag = False) -> Array:
    """How far the part of a prediction that follows the signal stands above the rest, in decibels: a gain.

    Formula: 10 log10(|a y|^2 / |a y - p|^2), a = p . y / y . y, over all rows and columns
    Paper: Le Roux, Wisdom, Erdogan, Hershey, SDR - half-baked or well done?, 2019
    Differs: with --zero-mean it is SI-SNR; of all rows together: a signal each is -g SRC; a loss is its negative
    zero_mean: without the mean of each
    Unit: decibels; infinite for a prediction of the right form
    Use: separation of sources, where loudness is free
    Misleads: a prediction turned upside down is as good as the right one
    Gradient: by the prediction, at right angles to it: its scale is free
    Worked: a = (1 * 1 + 1 * 0) / 1; si_sdr = 10 * log(a^2 / ((a - 1)^2 + 1^2)) / log(10)
    Example: pred=[1,1] target=[1,0] -> 0
    """
    p, y = (Twofold(x, 0.0 * x) for x in (near_one(_signal(pred)), near_one(_signal(target))))
    if zero_mean:
        p, y = centred_rows(p), centred_rows(y)
    return _decibels(abs(_dot(p, y)) / row_length(y.high), row_length(_aside(p, y)))


# ------------------------------------------------------------------------------------------------------------ orderings


@loss(engine=WHOLE, aliases=("cox-nloglik", "partial-likelihood"))
def cox(hazard: Array, time: Array, event: Array) -> Array:
    """The surprise at whom each event meets, among all who are still at risk.

    Formula: mean over events i of log sum_{t_j >= t_i} e^(h_j) - h_i, h the log of the hazard
    Paper: Cox, Regression Models and Life-Tables, 1972; ties as Breslow, 1974
    Reading: those without an event (censored) count as long as they are at risk
    Differs: xgboost takes the mean over events too, scikit-survival of rows, torchsurv of distinct times of events;
        lifelines and catboost print the sum with a minus; ties by Efron are another number: lifelines has them so, and
        torchsurv unless told
    Unit: nats
    Use: survival times, of which some are not over
    Misleads: a constant added to all h changes nothing: it judges order alone; it grows with log N
    Gradient: by h_j: its share among those at risk at each event, less 1 for its own, divided by the events
    Worked: first = log(exp(0) + exp(1)) - 0; last = 0; cox = (first + last) / 2
    Example: hazard=[0,1] time=[1,2] event=[1,1] -> 0.6566308437591114
    """
    xp = namespace(hazard)
    order = xp.argsort(time)
    h, t, counts = hazard[order] - xp.max(hazard), time[order], event[order]
    at_risk = _sums_from(h)[xp.searchsorted(t, t, side="left")]
    return xp.sum(where(counts == 1, at_risk - h, 0.0)) / xp.sum(counts)


@loss(engine=WHOLE)
def aot(
    chosen: Array,
    rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    beta: Positive = 0.1,
    label_smoothing: Fraction = 0.0,
    unpaired: Flag = False,
) -> Array:
    """DPO between distributions: leads in rising order against those of the reference in rising order.

    Formula: mean_k (1 - e) f(b d_k) + e f(-b d_k), f(x) = log(1 + e^-x), d the sorted lc - lr less the sorted
        reference's; with --unpaired the sorted lc - lc_ref less the sorted lr - lr_ref
    Paper: Melnyk et al., Distributional Preference Alignment of LLMs via Optimal Transport, 2024
    beta: b, how far the model may move from its reference
    label_smoothing: e, the share of preferences that may be turned
    unpaired: chosen and rejected answers need not answer the same prompt
    Unit: nats
    Use: alignment to a distribution of preferences, not pair by pair
    Misleads: rows are sorted: which pair a number belongs to does not count
    Gradient: -b times the sigmoid of -b d by each lead at its place
    Worked: aot = log(1 + exp(-0.5 * ((-1 - -3) - (-2 - -2))))
    Example: chosen=[-1] rejected=[-3] ref_chosen=[-2] ref_rejected=[-2] beta=0.5 -> 0.31326168751822286
    """
    xp = namespace(chosen)
    pair = (
        (chosen - ref_chosen, rejected - ref_rejected) if unpaired else (chosen - rejected, ref_chosen - ref_rejected)
    )
    x = beta * (xp.sort(pair[0]) - xp.sort(pair[1]))
    value = softplus(-x) * (1.0 - label_smoothing)
    return xp.mean(value + softplus(x) * label_smoothing if label_smoothing else value)


@loss(engine=WHOLE, aliases=("router-load-balancing",))
def load_balancing(router: Array, *, experts: Bins = 2) -> Array:
    """How unevenly a router sends tokens to experts.

    Formula: E sum_e f_e P_e, f_e the share of tokens that go to e (k experts each), P_e its mean probability
    Paper: Fedus, Zoph, Shazeer, Switch Transformers, 2021
    Reading: even routing is k; below k where the experts chosen most are chosen by a narrow lead; Switch has k 1,
        Mixtral 2
    experts: k, how many a token goes to
    Use: mixtures of experts, so that none idles
    Misleads: it judges the router alone; the coefficient that training gives it stands apart
    Gradient: E f_e by the probabilities; the choice itself has none
    Worked: load_balancing = 2 * (0.5 * 0.5 + 0.5 * 0.5)
    Example: router=[[1,0],[0,1]] experts=1 -> 1
    """
    xp, n = namespace(router), router.shape[0]
    shares = exp(router - row_max(router)[:, None])
    p = shares / row_sum(shares)[:, None]
    best = xp.argsort(-router, axis=-1, stable=True)[:, :experts]
    chosen: Any = 0.0
    for place in range(best.shape[1]):
        hits = one_hot(best[:, place], router.shape[1], router)
        chosen = chosen + xp.sum(xp.astype(hits, router.dtype), axis=0)
    return router.shape[1] * xp.sum(chosen / n * xp.mean(p, axis=0))


@loss(
    engine=WHOLE,
    is_gain=True,
    aliases=("aucpr", "pr-auc", "auprc", "average-precision-score"),
)
def average_precision(
    score: Array, label: Array, *, between: Literal["step", "davis-goadrich", "trapezoid"] = "step"
) -> Array:
    """The area under precision over recall, of all rows in the order of their scores: 1 where the positives come first.

    Formula: sum over scores, falling, of (R - R before) P; R the share of the positives at that score and above, P the
        share of positives among the rows there
    Paper: Davis, Goadrich, The Relationship Between Precision-Recall and ROC Curves, 2006
    Reading: larger is better; rows of one score count together; without a positive row it is nan
    Differs: scikit-learn's average_precision_score has steps, as here, its auc of the curve trapezoids; xgboost's aucpr
        goes from one score to the next as counts do, by Davis and Goadrich
    between: how precision goes from one score to the next: the step of the later one, as straight counts
        (davis-goadrich), or on a straight line (trapezoid), which is too high
    Use: rare positives, where the order of the rows is what counts
    Misleads: chance gives the share of the positives, not 0.5: values of two data sets cannot be compared
    Gradient: 0 almost everywhere, as order alone counts: train on bce or ranknet
    Worked: average_precision = 1 / 2 * 1 / 1 + 1 / 2 * 2 / 3
    Example: score=[3,2,1] label=[1,0,1] -> 0.8333333333333333
    """
    xp = namespace(score)
    order = xp.argsort(-score)
    s, y = score[order], label[order]
    is_last = xp.concat([s[1:] != s[:-1], s[:1] == s[:1]])
    hits, rows = xp.cumulative_sum(y)[is_last], (xp.cumulative_sum(0.0 * y + 1.0))[is_last]
    start = 0.0 * hits[:1]
    hits_before, rows_before = xp.concat([start, hits[:-1]]), xp.concat([start, rows[:-1]])
    gained, precision = hits - hits_before, hits / rows
    if between == "trapezoid":
        before = xp.concat([precision[:1], precision[:-1]])
        return xp.sum(gained * (precision + before)) / 2.0 / xp.sum(y)
    if between == "step":
        return xp.sum(gained * precision) / xp.sum(y)
    slope = (rows - rows_before) / where(gained > 0, gained, 1.0)  # rows that each hit costs
    offset = rows_before - slope * hits_before
    is_even = (offset == 0) | (gained == 0)
    held = where(is_even, 1.0, offset)
    bent = gained - held / slope * log1p(slope * gained / where(is_even, 1.0, rows_before))
    return xp.sum(where(gained > 0, where(is_even, gained, bent) / slope, 0.0)) / xp.sum(y)


# ---------------------------------------------------------------------------------------------------------------- words


def _decibels(signal: Array | float, noise: Array) -> Array:
    """Of a length of one row, (1,), and another."""
    return 20.0 * namespace(noise).log10(signal / noise)[0, ...]


def _signal(x: Array) -> Array:
    """All numbers as one row, (1, N)."""
    return namespace(x).reshape(x, (1, -1))


def _sums_from(x: Array) -> Array:
    """log of the sum of e^x from each place to the end, (n,)."""
    xp = namespace(x)
    sums: Array = log_sums_behind(xp.concat([x[:1], x])[None, :])[0, ...]
    return sums


def _out_of_order(z: Array, y: Array) -> Array:
    """log(1 + sum of e^(z_j - z_i) over y_i > y_j)."""
    xp, n = namespace(z), z.shape[0]
    order = xp.argsort(y)
    z, y = z[order], y[order]
    first = xp.searchsorted(y, y, side="right")  # the first that is more similar
    has_any = first < n
    terms = where(has_any, z + _sums_from(-z)[where(has_any, first, 0)], 0.0)[None, :]
    return Twofold(terms, 0.0 * terms).log_sum_exp(has_any[None, :]).log_one_plus_exp()[0]


def _lovasz(cost: Array, error: Array, truth: Array) -> Array:
    """The costs in falling order of the errors, each times how much missing it adds to 1 - intersection over union."""
    xp = namespace(error)
    order = xp.argsort(-error, stable=True)
    truth = truth[order]
    total = xp.sum(truth)
    union = total + xp.cumulative_sum(1.0 - truth)
    lost = 1.0 - (total - xp.cumulative_sum(truth)) / union
    steps = xp.concat([lost[:1], lost[1:] - lost[:-1]])
    return xp.sum(cost[order] * steps)


# --------------------------------------------------------------------------------------------------------- correlations


@loss(engine=WHOLE, aliases=("pearson", "pearson-loss"))
def correlation(pred: Array, target: Array) -> Array:
    """One minus Pearson's correlation with the true values.

    Formula: 1 - sum (p - mean p) (y - mean y) / sqrt(sum (p - mean p)^2 sum (y - mean y)^2); columns are averaged
    Reading: 0 where they lie on a rising line, 1 where none tells anything of the other, 2 on a falling one
    Differs: libraries print the correlation itself
    Use: predictions that need to be right but for scale and offset
    Misleads: blind to scale and offset: predictions far off may be at 0
    Gradient: the standard target less the correlation times the standard prediction, divided by -n sd
    Worked: correlation = 1 - (-1 * -1 + 0 * 1 + 1 * 0) / (sqrt(2) * sqrt(2))
    Example: pred=[1,2,3] target=[0,2,1] -> 0.5
    """
    p, y = (centred_rows(Twofold(x, 0.0 * x)) for x in (near_one(_columns(pred)), near_one(_columns(target))))
    r = _dot(p, y) / (row_length(p.high) * row_length(y.high))
    sine = row_length(_aside(p, y)) / row_length(p.high)
    return namespace(pred).mean(where(r > 0, sine * sine / (1.0 + r), 1.0 - r))  # 1 - r without its cancelling


@loss(engine=WHOLE, aliases=("ccc", "concordance-correlation"))
def concordance(pred: Array, target: Array) -> Array:
    """One minus Lin's concordance correlation: how far predictions and true values are from the line of equal ones.

    Formula: sum (p - y)^2 / [sum (p - mean p)^2 + sum (y - mean y)^2 + n (mean p - mean y)^2], which is 1 - 2 cov /
        [var p + var y + (mean p - mean y)^2]; columns are averaged
    Paper: Lin, A Concordance Correlation Coefficient to Evaluate Reproducibility, 1989
    Reading: 0 is perfect, 1 where none tells anything of the other, at most 2
    Differs: libraries print 1 less it; variances divide by n here, by n - 1 in torchmetrics
    Use: ratings of emotion and the like, where scale and offset count too
    Misleads: depends on how far the targets spread, so values of two data sets cannot be compared
    Gradient: 2 (p - y) by the divisor, less the share of what moves the divisor
    Worked: apart = 1^2 + 0^2 + 2^2; concordance = apart / (2 + 2 + 3 * (2 - 1)^2)
    Example: pred=[1,2,3] target=[0,2,1] -> 0.7142857142857143
    """
    xp, n = namespace(pred), pred.shape[0]
    both = near_one(xp.concat([_columns(pred), _columns(target)], axis=1))
    p, y = both[:, :n], both[:, n:]
    error = p - y
    offset = xp.mean(error, axis=-1)
    varied = [row_length(centred_rows(Twofold(x, 0.0 * x)).high) for x in (p, y)]
    spread = varied[0] * varied[0] + varied[1] * varied[1] + n * offset * offset
    return xp.mean(row_sum(error * error) / spread)


def _columns(x: Array) -> Array:
    """Each column as a row, (n, ...) -> (k, n)."""
    return namespace(x).reshape(x, (x.shape[0], -1)).T


def _dot(a: Twofold, b: Twofold) -> Array:
    """The products of each row of one with that of the other, added up, (k,)."""
    terms = a * b
    return compensated_row_sum(namespace(terms.high).concat([terms.high, terms.low], axis=1))


def _aside(a: Twofold, b: Twofold) -> Array:
    """What of each row of one is at right angles to that of the other, (k, n)."""
    square = row_sum(b.high * b.high)
    for _ in range(2):  # the second time for what the first share was rounded by
        a = a - b * (_dot(a, b) / square)[:, None]
    return a.high + a.low
