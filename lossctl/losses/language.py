"""Language: losses of tokens and of documents."""

from ..language.domains import NonNegative
from ..language.entropy import softmax_parts
from ..language.numerics import Array, Total, log1p, pick, quotient, row_max
from ..language.registry import Sums, loss


@loss(aliases=("z-loss",))
def cross_entropy_z(scores: Array, label: Array, *, z: NonNegative = 1e-4) -> Array:
    """Cross-entropy of logits, and a little of the squared log of their normaliser, which keeps them from drifting.

    Formula: log sum_j e^s_j - s_y + z (log sum_j e^s_j)^2
    Paper: Chowdhery et al., PaLM, 2022
    Differs: for training the first term is that of cross-entropy; T5X and PaLM have z 1e-4, liger 0 unless told
    z: how much the normaliser counts
    Unit: nats
    Use: language models trained in low precision
    Misleads: no surprise any more: take cross-entropy to compare models
    Gradient: by the logits p - y + 2 z p log sum_j e^s_j
    Worked: n = log(exp(0.5) + exp(0.2)); cross_entropy_z = n - 0.5 + 0.0001 * n^2
    Example: scores=[0.5,0.2] label=0 -> 0.5544664109666809
    """
    gap, _, rest = softmax_parts(scores)
    normaliser = row_max(scores) + log1p(rest)
    surprise = pick(gap, label) + log1p(rest)
    return surprise + z * (normaliser * normaliser) if z else surprise


@loss(aliases=("router-z-loss",))
def router_z(router: Array) -> Array:
    """The squared log of a router's normaliser: what keeps its logits small in a mixture of experts.

    Formula: (log sum_e e^x_e)^2
    Paper: Zoph et al., ST-MoE: Designing Stable and Transferable Sparse Expert Models, 2022
    Reading: least where the normaliser is 1, whatever the logits' order
    Differs: it is added to the loss of training times a coefficient, 1e-3 in the paper
    Unit: squared nats
    Use: routers that are trained in low precision
    Misleads: says nothing about the balance of the experts: that is load-balancing
    Gradient: 2 log sum_e e^x_e times the softmax
    Worked: router_z = log(exp(1) + exp(0))^2
    Example: router=[1,0] -> 1.7246562599032103
    """
    _, _, rest = softmax_parts(router)
    normaliser = row_max(router) + log1p(rest)
    return normaliser * normaliser


def _bits_of_unit(nats: Total, size: Total, weight: Total) -> Array | float:
    return quotient(nats, size) / 0.6931471805599453


@loss(
    finish=_bits_of_unit,
    stands_alone=False,
    reductions=("overall",),
    aliases=("bpb", "bits-per-character", "bpc"),
)
def bits_per_byte(nll: Array, bytes: Array) -> Sums:
    """How many bits the model needs for a byte (or character) of text, whatever its tokens are.

    Formula: sum nll / (log 2 * sum bytes)
    Paper: Gao et al., The Pile, 2020
    Reading: 8 is no compression of bytes at all
    Differs: bits per character is the base-2 log of perplexity only where a token is a character
    Unit: bits
    Use: to compare language models with other vocabularies
    Misleads: bytes and characters of one text differ, most outside of English
    Gradient: 1 / (log 2 * sum bytes) for every document
    Worked: bits_per_byte = (12 + 8) / (log(2) * (20 + 10))
    Example: nll=[12,8] bytes=[20,10] -> 0.9617966939259756
    """
    return Sums(nll, bytes)
