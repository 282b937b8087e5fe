"""Language: losses of tokens and of documents."""

from typing import Annotated, Literal

from ..language.domains import Domain, Flag, NonNegative
from ..language.engines import LISTS
from ..language.entropy import softmax_parts, softmax_parts_at
from ..language.numerics import (
    Array,
    Total,
    exponential_of_mean,
    log1p,
    log_add,
    maximum,
    namespace,
    ordered_by,
    pick,
    picked_from,
    quotient,
    row_max,
    row_sum,
    where,
)
from ..language.registry import Sums, loss

Symbol = Annotated[int, Domain(int, low=-1)]
NEVER = -1e300  # the logarithm of the probability of what cannot be


@loss(aliases=("z-loss",))
def cross_entropy_z(scores: Array, label: Array, *, z: NonNegative = 1e-4) -> Array:
    """Cross-entropy of logits, and a little of the squared log of their normaliser, which keeps them from drifting.

    Formula: log sum_j e^s_j - s_y + z (log sum_j e^s_j)^2
    Paper: Chowdhery et al., PaLM, 2022
    Differs: for training the first term is that of cross-entropy; PaLM and T5 as T5X trains it have z 1e-4,
        the functions of T5X (which adds up the tokens) and liger 0 unless told
    z: how much the normaliser counts
    Unit: nats
    Use: language models trained in low precision
    Misleads: no surprise any more: take cross-entropy to compare models
    Gradient: by the logits p - y + 2 z p log sum_j e^s_j
    Worked: n = log(exp(0.5) + exp(0.2)); cross_entropy_z = n - 0.5 + 0.0001 * n^2
    Example: scores=[0.5,0.2] label=0 -> 0.5544664109666809
    """
    gap, _, rest = softmax_parts_at(scores, label)
    normaliser = row_max(scores) + log1p(rest)
    surprise = gap + log1p(rest)
    return surprise + z * (normaliser * normaliser) if z else surprise


@loss(engine=LISTS, aliases=("ctc-loss", "connectionist-temporal-classification"))
def ctc(
    frames: Array,
    symbol: Array,
    *,
    blank: Symbol = 0,
    per: Literal["sequence", "symbol"] = "sequence",
    zero_infinity: Flag = False,
) -> Array:
    """The surprise at a sequence of symbols, wherever in the frames each of them stands.

    Formula: -log of the sum, over all ways to write one symbol or the blank at each frame that give the sequence once
        repetitions are merged and blanks left out, of prod_t p_t;  p the softmax of the frame's scores
    Paper: Graves, Fernandez, Gomez, Schmidhuber, Connectionist Temporal Classification, 2006
    Reading: a list is a sequence: its rows are its frames, and the k-th of them holds its k-th symbol, too; or an array
        of three axes is padded sequences, (frames, sequences, symbols) or (sequences, frames, symbols), beside symbols
        (sequences, longest), or one sequence after another, with --frame-lengths and --symbol-lengths
    Differs: torch divides each by its number of symbols before the mean (--per symbol), and takes scores as they are
        where no log_softmax was before it; keras takes the last class for the blank in its older functions; optax
        gives an impossible alignment 1e5, torch infinity
    blank: which column is the blank, -1 the last; it stands behind the last symbol of a sequence, nowhere before (nan)
    per: a sequence counts by its surprise, or by that divided by its number of symbols, at least 1
    zero_infinity: symbols that do not fit into the frames cost 0, not infinity
    Unit: nats
    Use: speech and handwriting, where nobody has said at which frame a symbol stands
    Misleads: longer sequences cost more: compare equal ones, or --per symbol
    Gradient: the softmax of each frame minus the share of the ways that write the symbol there
    Worked: one = 0.5 * 0.5; ctc = -log(3 * one)
    Example: scores=[[0,0],[0,0]] label=[1,0] -> 0.2876820724517809
    """
    xp, (lists, length, width) = namespace(frames), frames.shape
    gap, _, rest = softmax_parts(xp.reshape(frames, (lists * length, width)))
    chance = xp.reshape(-(gap + log1p(rest)[:, None]), (lists, length, width))
    blank = blank if blank >= 0 else width + blank
    is_blank = symbol == blank
    count = length - row_sum(xp.astype(is_blank, chance.dtype))
    text = ordered_by(symbol, xp.astype(is_blank, chance.dtype))[:, : int(xp.max(count))]
    between = 0.0 * text + float(blank)
    places = xp.reshape(xp.stack([between, text], axis=2), (lists, 2 * text.shape[1]))
    places = xp.concat([places, 0.0 * symbol[:, :1] + float(blank)], axis=1)
    shut = 0.0 * chance[:, 0, :1] + NEVER
    skips = xp.concat([shut == 0, shut == 0, (places[:, 2:] != places[:, :-2]) & (places[:, 2:] != blank)], axis=1)
    skips = skips[:, : places.shape[1]]
    reach = where(_counted(places) < 2, picked_from(chance[:, 0, :], places), NEVER)
    for frame in range(1, length):
        before = xp.concat([shut, reach[:, :-1]], axis=1)
        skipped = where(skips, xp.concat([shut, shut, reach[:, :-2]], axis=1)[:, : places.shape[1]], NEVER)
        ways = log_add(log_add(reach, before), skipped)
        reach = maximum(ways + picked_from(chance[:, frame, :], places), NEVER)
    last = pick(reach, 2.0 * count)
    end = where(count > 0, log_add(last, pick(reach, maximum(2.0 * count - 1.0, 0.0))), last)
    surprise = where(end > NEVER / 2, -end, 0.0 if zero_infinity else float("inf"))
    stray = row_sum(xp.astype(is_blank[:, :-1] & ~is_blank[:, 1:], chance.dtype))
    surprise = where(stray > 0, float("nan"), surprise)
    return surprise if per == "sequence" else surprise / maximum(count, 1.0)


def _counted(x: Array) -> Array:
    """0, 1, ... along the columns of an (n, k) array."""
    xp = namespace(x)
    return xp.cumulative_sum(0.0 * x + 1.0, axis=1) - 1.0


@loss(aliases=("token-surprise",))
def token_nll(token_logprob: Array) -> Array:
    """The surprise at each token, from the log-probability that the model gave it: cross-entropy, token by token.

    Formula: -log p
    Reading: a row is a token; -g DOCUMENT is the mean of each document's tokens, -r sum their whole surprise
    Differs: a mean over documents of their means is another number: --average macro
    Unit: nats
    Use: what vllm, OpenAI's interface and lm-eval write: a logprob for each token
    Misleads: depends on the tokens: of models with other vocabularies compare bits-per-byte
    Gradient: -1 for every token
    Worked: token_nll = 0.5
    Example: logprob=-0.5 -> 0.5
    """
    return 0.0 - token_logprob


@loss(finish=exponential_of_mean, aliases=("token-ppl", "perplexity-of-tokens"))
def token_perplexity(token_logprob: Array) -> Array:
    """Perplexity from the log-probability that the model gave each token: the exponential of their mean surprise.

    Formula: exp(mean(-log p))
    Reading: as perplexity, which takes the probabilities of all classes; 1 is certain and right
    Differs: the mean of the perplexities of documents is another, larger number; here the mean is over all tokens
    Unit: tokens
    Use: what vllm, OpenAI's interface and lm-eval write: a logprob for each token
    Misleads: depends on the tokens: models with other vocabularies cannot be compared by it
    Gradient: minus the perplexity for every token, over their number
    Worked: mean = 0.5; token_perplexity = exp(mean)
    Example: logprob=-0.5 -> 1.6487212707001282
    """
    return token_nll(token_logprob)


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
