"""Divergences: how far one probability distribution is from another. Rows are distributions, (n, C) each."""

from ..chances import Comparison, Distribution
from ..numerics import Array, jensen_term, row_sum
from ..registry import loss


@loss(aliases=("kl-divergence", "relative-entropy"))
def kl(p: Distribution, q: Distribution) -> Array:
    """What it costs to expect Q where P is true; asymmetric, so no distance.

    Formula: KL(P || Q) = sum_j p_j log(p_j / q_j), with 0 log 0 = 0 and infinity where q_j = 0 < p_j
    Paper: Kullback, Leibler, On Information and Sufficiency, 1951
    Reading: natural log; rows are not normalised again, and their mean is what torch calls batchmean
    Differs: torch kl_div takes (log Q, P) in that order and divides by n C unless told batchmean
    Example: p=[0.5,0.5] q=[0.25,0.75] -> 0.14384103622589042
    """
    return Comparison(p, q).relative_entropy


@loss(aliases=("jensen-shannon",))
def js(p: Distribution, q: Distribution) -> Array:
    """Jensen-Shannon divergence: symmetric, finite, at most log 2.

    Formula: [KL(P || M) + KL(Q || M)] / 2;  M = (P + Q) / 2
    Paper: Lin, Divergence Measures Based on the Shannon Entropy, 1991
    Differs: scipy's jensenshannon is the square root of it
    Example: p=[1,0] q=[0,1] -> 0.6931471805599453
    """
    return row_sum(jensen_term(p.p, q.p, Comparison(p, q).difference)) / 2
