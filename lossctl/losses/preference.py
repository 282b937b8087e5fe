"""Preferences: log-probabilities of a chosen and a rejected answer, under a model and under its reference.

A log-probability is the sum over the tokens of the answer, unless the loss says mean.
"""

from typing import Annotated, Literal

from ..language.domains import Domain, Fraction, NonNegative, Positive, Real
from ..language.entropy import expm1_tail
from ..language.numerics import Array, exp, expm1, log, log1p, maximum, minimum, relu, softplus, weigh, where
from ..language.registry import loss
from ..language.rounding import (
    chance,
    difference,
    difference_of_pairs,
    exponential,
    multiply_pair,
    negative,
    surprise,
    two_sum,
)

Noise = Annotated[float, Domain(float, low=0, high=0.49)]
Doubt = Annotated[float, Domain(float, low=0, high=0.5, low_open=True)]
FAR = 700.0  # beyond it e^x has no digits to lose


def _lead(chosen: Array, rejected: Array, ref_chosen: Array, ref_rejected: Array) -> tuple[Array, Array]:
    """(lc - lc_ref) - (lr - lr_ref), rounded, and what the rounding lost."""
    return difference_of_pairs(difference(chosen, ref_chosen), difference(rejected, ref_rejected))


@loss(aliases=("dpo-sigmoid",))
def dpo(
    chosen: Array,
    rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    beta: Positive = 0.1,
    label_smoothing: Fraction = 0.0,
) -> Array:
    """Direct preference optimisation: the surprise that the chosen answer is the better one, in rewards of the policy.

    Formula: -(1 - e) log sigmoid(beta d) - e log sigmoid(-beta d);  d = (lc - lc_ref) - (lr - lr_ref)
    Paper: Rafailov et al., Direct Preference Optimization, 2023
    Reading: 0.693 (log 2) where the model is its reference
    Differs: log-probabilities are sums over tokens here and in TRL's sigmoid; with means over tokens it is TRL's
        sigmoid_norm
    beta: how far the model may leave its reference; small is far
    label_smoothing: e, the share of preferences that may be turned around (conservative DPO)
    Unit: nats
    Use: to train or score a model on pairs of answers, without a reward model
    Misleads: it falls also while the chosen answer becomes less likely, if the rejected one does so faster
    Gradient: by d -beta sigmoid(-beta d): pairs in the wrong order pull hardest
    Worked: d = (-12 + 13) - (-14 + 13); x = 0.1 * d; dpo = log(1 + exp(-x))
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 0.598138869381592
    """
    x = multiply_pair(beta, _lead(chosen, rejected, ref_chosen, ref_rejected))
    if not label_smoothing:
        return surprise(x)
    return weigh(1.0 - label_smoothing, surprise(x)) + weigh(label_smoothing, surprise(negative(x)))


@loss
def robust_dpo(
    chosen: Array,
    rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    beta: Positive = 0.1,
    label_smoothing: Noise = 0.1,
) -> Array:
    """DPO as it would be on average without the noise of turned preferences: unbiased, and unbounded below.

    Formula: [(1 - e) f(d) - e f(-d)] / (1 - 2e);  f(d) = -log sigmoid(beta d), d as in dpo
    Paper: Chowdhury, Kini, Natarajan, Provably Robust DPO, 2024
    Differs: TRL has e 0 unless told, which is dpo
    beta: how far the model may leave its reference
    label_smoothing: e, the share of preferences that are turned around, below 1/2
    Unit: nats
    Use: preferences of which a known share is wrong
    Misleads: it can be negative, without limit: no sign that anything is perfect
    Gradient: by d -beta [sigmoid(-beta d) + e / (1 - 2e)]: it never fades
    Worked: x = 0.1 * 2; f = log(1 + exp(-x)); g = log(1 + exp(x)); robust_dpo = (0.9 * f - 0.1 * g) / 0.8
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 0.573138869381592
    """
    x = multiply_pair(beta, _lead(chosen, rejected, ref_chosen, ref_rejected))
    if not label_smoothing:
        return surprise(x)
    bent = label_smoothing / (1.0 - 2.0 * label_smoothing)
    return where(x[0] == float("inf"), -float("inf"), surprise(x) - (bent * x[0] + bent * x[1]))


@loss(aliases=("dpo-ipo",))
def ipo(chosen: Array, rejected: Array, ref_chosen: Array, ref_rejected: Array, *, beta: Positive = 0.1) -> Array:
    """Identity preference optimisation: the squared distance of the lead from the one that is wanted, 1/(2 beta).

    Formula: (d - 1/(2 beta))^2;  d = (lc - lc_ref) - (lr - lr_ref)
    Paper: Azar et al., A General Theoretical Paradigm to Understand Learning from Human Preferences, 2023
    Differs: TRL divides each log-ratio by the length of its answer: give means over tokens for its number
    beta: the lead that is wanted is 1/(2 beta)
    Use: as dpo, where certain preferences should not drive the lead to infinity
    Misleads: a lead beyond 1/(2 beta) costs as much as one that lacks as much
    Gradient: by d 2 (d - 1/(2 beta)), 0 at the lead that is wanted
    Worked: d = (-12 + 13) - (-14 + 13); ipo = (d - 1 / (2 * 0.1))^2
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 9
    """
    gap, lost = multiply_pair(2.0 * beta, _lead(chosen, rejected, ref_chosen, ref_rejected), -1.0)
    return ((gap + lost) / (2.0 * beta)) ** 2


@loss(aliases=("slic-norm",))
def dpo_hinge(chosen: Array, rejected: Array, ref_chosen: Array, ref_rejected: Array, *, beta: Positive = 0.1) -> Array:
    """The hinge of DPO's rewards: no pull once the chosen answer leads by the margin.

    Formula: [1 - beta d]+;  d = (lc - lc_ref) - (lr - lr_ref)
    Paper: Liu et al., Statistical Rejection Sampling Improves Preference Optimization, 2023
    Differs: SLiC itself has no reference: its d is lc - lr
    beta: the margin is 1/beta of d
    Use: as dpo, where pairs beyond the margin should not matter
    Misleads: 0 says that every pair leads by 1/beta, not that the order is certain
    Gradient: by d -beta within the margin, 0 beyond
    Worked: d = (-12 + 13) - (-14 + 13); dpo_hinge = max(0, 1 - 0.1 * d)
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 0.8
    """
    gap, lost = multiply_pair(-beta, _lead(chosen, rejected, ref_chosen, ref_rejected), 1.0)
    return relu(gap + lost)


@loss(aliases=("exo-pair",))
def exo(
    chosen: Array,
    rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    beta: Positive = 0.1,
    label_smoothing: Doubt = 1e-3,
) -> Array:
    """The reverse KL from the model's preference to the one that was seen: it seeks the mode.

    Formula: p log(p / (1 - e)) + (1 - p) log((1 - p) / e);  p = sigmoid(beta d), d as in dpo
    Paper: Ji et al., Towards Efficient Exact Optimization of Language Model Alignment, 2024
    beta: how far the model may leave its reference
    label_smoothing: e, what the preference seen leaves to the rejected answer; above 0, else the divergence is infinite
    Unit: nats
    Use: as dpo, where the model should give up what it cannot reach instead of spreading
    Misleads: least where p is 1 - e, not where the lead is largest; its size depends on e
    Gradient: by d beta p (1 - p) [beta d - log((1 - e)/e)]: it fades for pairs far in the wrong order too
    Worked: p = 1 / (1 + exp(-0.2)); exo = p * log(p / 0.9) + (1 - p) * log((1 - p) / 0.1)
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 label_smoothing=0.1 -> 0.40630425072495613
    """
    x = multiply_pair(beta, _lead(chosen, rejected, ref_chosen, ref_rejected))
    p, miss = chance(x), chance(negative(x))
    e = label_smoothing
    return weigh(p, -surprise(x) - float(log1p(-_number(e)))) + weigh(
        miss, -surprise(negative(x)) - float(log(_number(e)))
    )


def _number(value: float) -> Array:
    import numpy as np

    return np.float64(value)


@loss
def nca_pair(chosen: Array, rejected: Array, ref_chosen: Array, ref_rejected: Array, *, beta: Positive = 0.1) -> Array:
    """Noise-contrastive alignment: rewards of each answer by itself, so that the chosen one does not become less
        likely.

    Formula: -ls(beta rc) - ls(-beta rc)/2 - ls(-beta rr)/2;  ls = log sigmoid, rc = lc - lc_ref, rr = lr - lr_ref
    Paper: Chen et al., Noise Contrastive Alignment of Language Models with Explicit Rewards, 2024
    beta: how far the model may leave its reference
    Unit: nats
    Use: as dpo, where the chosen answer itself should stay likely
    Misleads: 1.386 (2 log 2) where the model is its reference; no function of the difference alone
    Gradient: by rc -beta [1 - 3/2 sigmoid(beta rc)]; by rr beta sigmoid(beta rr) / 2
    Worked: c = 0.1 * 1; r = 0.1 * -1; nca_pair = log(1 + exp(-c)) + log(1 + exp(c)) / 2 + log(1 + exp(r)) / 2
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 1.3387933201471418
    """
    c = multiply_pair(beta, difference(chosen, ref_chosen))
    r = multiply_pair(beta, difference(rejected, ref_rejected))
    return surprise(c) + (surprise(negative(c)) + surprise(negative(r))) / 2


@loss
def bco_pair(
    chosen: Array,
    rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    beta: Positive = 0.1,
    delta: Real = 0.0,
) -> Array:
    """Binary classifier optimisation: the chosen answer's reward above a level, the rejected one's below it.

    Formula: -log sigmoid(beta rc - delta) - log sigmoid(delta - beta rr);  rc = lc - lc_ref, rr = lr - lr_ref
    Paper: Jung et al., Binary Classifier Optimization for Large Language Model Alignment, 2024
    Differs: the paper and TRL's BCO trainer take for delta a running mean of the rewards; TRL's bco_pair has 0
    beta: how far the model may leave its reference
    delta: the level between good and bad rewards
    Unit: nats
    Use: answers that are judged good or bad each by itself
    Misleads: depends on delta: values for different levels cannot be compared
    Gradient: by rc -beta sigmoid(delta - beta rc); by rr beta sigmoid(beta rr - delta)
    Worked: c = 0.1 * 1; r = 0.1 * -1; bco_pair = log(1 + exp(-c)) + log(1 + exp(r))
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 1.2887933201471413
    """
    c = multiply_pair(beta, difference(chosen, ref_chosen), -delta)
    r = multiply_pair(-beta, difference(rejected, ref_rejected), delta)
    return surprise(c) + surprise(r)


@loss(aliases=("sppo",))
def sppo_hard(chosen: Array, rejected: Array, ref_chosen: Array, ref_rejected: Array, *, beta: Positive = 0.1) -> Array:
    """Self-play preference optimisation: each log-ratio is pulled to its own goal, plus and minus 1/(2 beta).

    Formula: (rc - 1/(2 beta))^2 + (rr + 1/(2 beta))^2;  rc = lc - lc_ref, rr = lr - lr_ref
    Paper: Wu et al., Self-Play Preference Optimization for Language Model Alignment, 2024
    beta: the goals are 1/(2 beta) and -1/(2 beta)
    Use: as ipo, where the chosen answer itself should become more likely
    Misleads: 1/(2 beta^2) where the model is its reference, so values for different beta cannot be compared
    Gradient: by rc 2 (rc - 1/(2 beta)), by rr 2 (rr + 1/(2 beta))
    Worked: sppo_hard = (1 - 1 / (2 * 0.1))^2 + (-1 + 1 / (2 * 0.1))^2
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 32
    """
    c, c_lost = multiply_pair(2.0 * beta, difference(chosen, ref_chosen), -1.0)
    r, r_lost = multiply_pair(2.0 * beta, difference(rejected, ref_rejected), 1.0)
    return ((c + c_lost) / (2.0 * beta)) ** 2 + ((r + r_lost) / (2.0 * beta)) ** 2


@loss
def apo_zero(chosen: Array, rejected: Array, ref_chosen: Array, ref_rejected: Array, *, beta: Positive = 0.1) -> Array:
    """Anchored preference optimisation, up: the chosen answer more likely than under the reference, the other less.

    Formula: 1 - sigmoid(beta rc) + sigmoid(beta rr);  rc = lc - lc_ref, rr = lr - lr_ref
    Paper: D'Oosterlinck et al., Anchored Preference Optimization and Contrastive Revisions, 2024
    beta: how far the model may leave its reference
    Use: chosen answers that are better than what the model gives
    Misleads: 1 where the model is its reference; bounded by 2, so pairs far off hardly pull
    Gradient: by rc -beta s (1 - s) with s = sigmoid(beta rc); by rr the same of rr with the other sign
    Worked: apo_zero = 1 - 1 / (1 + exp(-0.1)) + 1 / (1 + exp(0.1))
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 0.95004162504212
    """
    c = multiply_pair(beta, difference(chosen, ref_chosen))
    r = multiply_pair(beta, difference(rejected, ref_rejected))
    return chance(negative(c)) + chance(r)


@loss
def apo_down(chosen: Array, rejected: Array, ref_chosen: Array, ref_rejected: Array, *, beta: Positive = 0.1) -> Array:
    """Anchored preference optimisation, down: both answers less likely, the rejected one more so.

    Formula: sigmoid(beta rc) + 1 - sigmoid(beta d);  rc = lc - lc_ref, d as in dpo
    Paper: D'Oosterlinck et al., Anchored Preference Optimization and Contrastive Revisions, 2024
    beta: how far the model may leave its reference
    Use: chosen answers that are worse than what the model gives
    Misleads: 1 where the model is its reference; it falls as the chosen answer becomes less likely
    Gradient: by rc beta s (1 - s) with s = sigmoid(beta rc), and -beta s (1 - s) of the difference
    Worked: apo_down = 1 / (1 + exp(-0.1)) + 1 - 1 / (1 + exp(-0.2))
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 0.9751451901664621
    """
    c = multiply_pair(beta, difference(chosen, ref_chosen))
    x = multiply_pair(beta, _lead(chosen, rejected, ref_chosen, ref_rejected))
    return chance(c) + chance(negative(x))


@loss
def discopop(
    chosen: Array,
    rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    beta: Positive = 0.1,
    tau: Positive = 0.05,
) -> Array:
    """The loss that a language model found: logistic for pairs in the wrong order, exponential for those in the right.

    Formula: (1 - m) log(1 + e^-x) + m e^-x;  x = beta d, m = sigmoid(x / tau), d as in dpo
    Paper: Lu et al., Discovering Preference Optimization Algorithms with and for Large Language Models, 2024
    beta: how far the model may leave its reference
    tau: how sharply one turns into the other around x = 0
    Use: as dpo; the found loss won on its authors' benchmarks
    Misleads: it is not convex: around x = 0 it rises before it falls
    Gradient: mixed of -beta sigmoid(-x) and -beta e^-x, with a bump of beta (1 - log 2) / (4 tau) at 0
    Worked: x = 0.1 * 2; m = 1 / (1 + exp(-x / 0.05)); discopop = (1 - m) * log(1 + exp(-x)) + m * exp(-x)
    Example: chosen=-12 rejected=-14 ref_chosen=-13 ref_rejected=-13 -> 0.8147631411418853
    """
    x, lost = multiply_pair(beta, _lead(chosen, rejected, ref_chosen, ref_rejected))
    weight = chance((-x / tau, -lost / tau))
    falling = exp(-x - softplus(-x / tau))
    falling = where(x < 0, where(abs(x) < float("inf"), falling, 0.0 if tau < 1 else float("inf")), falling)
    return weigh(weight, surprise((x, lost))) + where(abs(x) < FAR, falling * (1.0 - lost), falling)


@loss
def simpo(mean_chosen: Array, mean_rejected: Array, *, beta: Positive = 2.0, gamma: NonNegative = 0.5) -> Array:
    """Simple preference optimisation: mean log-probabilities, no reference, and a margin.

    Formula: -log sigmoid(beta (lc - lr) - gamma);  lc, lr are means over the tokens
    Paper: Meng, Xia, Chen, SimPO, 2024
    Differs: TRL's beta is 0.1 unless told, the paper's 2 to 2.5; TRL calls gamma simpo_gamma, the margin itself here
        too
    beta: how steep
    gamma: by how much beta times the lead should exceed 0
    Unit: nats
    Use: preferences without a reference model, where length should not pay
    Misleads: sums of log-probabilities instead of means give another, length-driven number
    Gradient: by lc -beta sigmoid(gamma - beta (lc - lr)), by lr the same with the other sign
    Worked: x = 2 * (-3 + 3.5) - 0.5; simpo = log(1 + exp(-x))
    Example: mean_chosen=-3 mean_rejected=-3.5 -> 0.4740769841801067
    """
    return surprise(multiply_pair(beta, difference(mean_chosen, mean_rejected), -gamma))


@loss
def cpo(chosen: Array, rejected: Array, *, beta: Positive = 0.1, alpha: NonNegative = 1.0) -> Array:
    """Contrastive preference optimisation: DPO without a reference, held by the likelihood of the chosen answer.

    Formula: -log sigmoid(beta (lc - lr)) - alpha lc
    Paper: Xu et al., Contrastive Preference Optimization, 2024
    Differs: TRL's second term is the mean over the tokens of the batch, not the sum over each answer: alpha 0 leaves
        it out
    beta: how steep
    alpha: how much the likelihood of the chosen answer counts
    Unit: nats
    Use: preferences without a reference model, as in translation
    Misleads: with alpha 1 the second term is most of the number: long answers dominate
    Gradient: by lc -beta sigmoid(-beta (lc - lr)) - alpha
    Worked: x = 0.1 * (-3 + 5); cpo = log(1 + exp(-x)) + 3
    Example: chosen=-3 rejected=-5 -> 3.598138869381592
    """
    preference = surprise(multiply_pair(beta, difference(chosen, rejected)))
    return preference - alpha * chosen if alpha else preference


@loss
def orpo(mean_chosen: Array, mean_rejected: Array, *, beta: Positive = 0.1) -> Array:
    """Odds-ratio preference optimisation: the likelihood of the chosen answer, and the log of how much better its odds
        are.

    Formula: -lc - beta log sigmoid(log odds(lc) - log odds(lr));  odds(l) = e^l / (1 - e^l), lc, lr means over the
        tokens
    Paper: Hong, Lee, Thorne, ORPO, 2024
    Differs: TRL's first term is the mean over the tokens of the batch, not of each answer; it logs the second with its
        sign
        turned
    beta: how much the odds count (lambda in the paper)
    Unit: nats
    Use: preferences and imitation in one step, without a reference model
    Misleads: most of the number is the first term, plain cross-entropy of the chosen answers
    Gradient: by lc -1 - beta sigmoid(-z) / (1 - e^lc), with z the log of the odds ratio
    Worked: c = -3 - log(1 - exp(-3)); r = -3.5 - log(1 - exp(-3.5)); orpo = 3 + 0.1 * log(1 + exp(r - c))
    Example: mean_chosen=-3 mean_rejected=-3.5 -> 3.0466421562213624
    """
    return beta * softplus(_log_odds(mean_rejected) - _log_odds(mean_chosen)) - mean_chosen


def _log_odds(log_p: Array) -> Array:
    """log(p / (1 - p)) of log p < 0."""
    near = log_p > -0.7
    return where(near, -log(expm1(where(near, -log_p, 1.0))), log_p - log1p(-exp(where(near, -1.0, log_p))))


@loss
def kto(
    policy: Array,
    reference: Array,
    desirable: Array,
    *,
    beta: Positive = 0.1,
    kl: NonNegative = 0.0,
    desirable_weight: NonNegative = 1.0,
    undesirable_weight: NonNegative = 1.0,
) -> Array:
    """Kahneman-Tversky optimisation: answers that are good or bad each by itself, against a reference point.

    Formula: w_d [1 - sigmoid(beta (r - z))] if desirable, else w_u [1 - sigmoid(beta (z - r))];  r = l - l_ref
    Paper: Ethayarajh et al., KTO: Model Alignment as Prospect Theoretic Optimization, 2024
    Differs: TRL estimates z, the KL from the reference, in each batch, and clamps it at 0; here it is a number: kl
    beta: how far the model may leave its reference
    kl: z, the reference point
    desirable_weight: w_d
    undesirable_weight: w_u
    Use: thumbs up or down instead of pairs
    Misleads: 1/2 where the model is its reference; bounded by the weights, so answers far off hardly pull
    Gradient: by r -w beta s (1 - s) for desirable answers, with s the sigmoid, else w beta s (1 - s)
    Worked: x = 0.1 * (1 - 0); kto = 1 - 1 / (1 + exp(-x))
    Example: policy=-12 reference=-13 desirable=1 -> 0.47502081252106
    """
    r, lost = difference(policy, reference)
    s, e = two_sum(r, 0.0 * r - kl)
    x = multiply_pair(beta, (s, e + lost))
    bad, good = chance(negative(x)), chance(x)
    return where(desirable == 1, desirable_weight * bad, undesirable_weight * good)


@loss(aliases=("bradley-terry", "reward-modeling"))
def reward_model(
    chosen_reward: Array, rejected_reward: Array, *, margin: NonNegative = 0.0, center: NonNegative = 0.0
) -> Array:
    """The surprise that the chosen answer has the larger reward: Bradley and Terry's model of choices.

    Formula: -log sigmoid(rc - rr - margin) + center (rc + rr)^2
    Paper: Bradley, Terry, Rank Analysis of Incomplete Block Designs, 1952; Ouyang et al., InstructGPT, 2022
    Reading: 0.693 (log 2) where both rewards are alike
    Differs: TRL takes a margin of each pair from a column, and calls center center_rewards_coefficient
    margin: by how much the chosen answer's reward should be larger, as in Llama 2
    center: how much rewards away from 0 cost (0.01 in Eisenstein et al. 2023)
    Unit: nats
    Use: to train or score a reward model on pairs of answers
    Misleads: rewards have no zero: adding a number to all changes nothing, unless center holds them
    Gradient: by rc -sigmoid(margin - (rc - rr)), by rr the same with the other sign
    Worked: x = 1 - 0.5; reward_model = log(1 + exp(-x))
    Example: chosen_reward=1 rejected_reward=0.5 -> 0.4740769841801067
    """
    d, lost = difference(chosen_reward, rejected_reward)
    s, e = two_sum(d, 0.0 * d - margin)
    preference = surprise((s, e + lost))
    return preference + center * (chosen_reward + rejected_reward) ** 2 if center else preference


@loss(is_signed=True, aliases=("ppo", "clipped-surrogate"))
def ppo_clip(policy: Array, behaviour: Array, advantage: Array, *, epsilon: Fraction = 0.2) -> Array:
    """The clipped surrogate of proximal policy optimisation: no reward for moving farther than the clip allows.

    Formula: -min(r A, clip(r, 1 - e, 1 + e) A);  r = e^(l - l_old)
    Paper: Schulman et al., Proximal Policy Optimization Algorithms, 2017
    Differs: GRPO takes the mean over tokens of each answer, then over answers; DAPO over all tokens, as
        TRL unless told: here over rows
    epsilon: e
    Use: tokens or answers with an advantage, written by an older model
    Misleads: its value says little: it is near minus the mean advantage, which is near 0; its gradient is what counts
    Gradient: by l -r A within the clip or where moving back helps, 0 beyond
    Worked: r = exp(-1 + 1.2); ppo_clip = -min(r * 1, 1.2 * 1)
    Example: policy=-1 behaviour=-1.2 advantage=1 -> -1.2
    """
    ratio = exponential(difference(policy, behaviour))
    held = minimum(maximum(ratio, 1.0 - epsilon), 1.0 + epsilon)
    return maximum(-weigh(advantage, ratio), -weigh(advantage, held))


@loss(is_signed=True, aliases=("k3",))
def kl_estimate(policy: Array, reference: Array, *, kind: Literal["k1", "k2", "k3"] = "k3") -> Array:
    """What each answer (or token) that the model wrote tells of the KL divergence from its reference.

    Formula: k3: e^x - x - 1;  k1: -x;  k2: x^2/2;  x = l_ref - l
    Paper: Schulman, Approximating KL Divergence, 2020
    Differs: GRPO and TRL take k3
    kind: k1 is unbiased and noisy, k2 is biased and less noisy, k3 is unbiased and never negative
    Unit: nats
    Use: the KL term of GRPO and PPO, token by token
    Misleads: unbiased only for answers that the model itself wrote; one rare token can be most of the mean
    Gradient: by l of k3 1 - e^x
    Worked: x = -1.2 + 1; kl_estimate = exp(x) - x - 1
    Example: policy=-1 reference=-1.2 -> 0.01873075307798185
    """
    x, lost = difference(reference, policy)
    if kind == "k1":
        return -(x + lost)
    return x * x / 2 if kind == "k2" else expm1_tail(x) + where(abs(x) < FAR, expm1(minimum(x, FAR)) * lost, 0.0)
