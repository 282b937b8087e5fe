"""Divergences: how far one probability distribution is from another. Rows are distributions, (n, C) each."""

from ..language.entropy import jensen_term
from ..language.numerics import Array, row_sum
from ..language.predictions import Distribution, DistributionPair
from ..language.registry import loss


@loss(aliases=("kl-divergence", "relative-entropy"))
def kl(p: Distribution, q: Distribution) -> Array:
    """What it costs to expect Q where P is true; asymmetric, so no distance.

    Formula: KL(P || Q) = sum_j p_j log(p_j / q_j), with 0 log 0 = 0 and infinity where q_j = 0 < p_j
    Paper: Kullback, Leibler, On Information and Sufficiency, 1951
    Reading: natural log; rows are not normalised again, and their mean is what torch calls batchmean
    Differs: torch kl_div takes (log Q, P) in that order and divides by n C unless told batchmean
    Unit: nats
    Use: to compare a distribution with a true one, as in distillation
    Misleads: the direction matters, and one outcome that Q holds impossible makes it infinite
    Gradient: by q_j -p_j / q_j; by the logits of Q q_j - p_j
    Worked: kl = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75)
    Example: p=[0.5,0.5] q=[0.25,0.75] -> 0.14384103622589042
    """
    return DistributionPair(p, q).relative_entropy


@loss(aliases=("jensen-shannon",))
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
