"""Cosines of vectors that are given row by row, and pairs of scores."""

from ..language.distances import cosine_distance as distance_of
from ..language.domains import NonNegative, Positive, Real
from ..language.numerics import Array, joined, relu, row_sum, where
from ..language.registry import loss
from ..language.rounding import compensated_row_sum, sum_of_three, two_product, two_sum


@loss(is_angular=True, aliases=("cosine", "cosine-similarity-loss"))
def cosine_distance(left: Array, right: Array) -> Array:
    """One minus the cosine of the angle between two vectors.

    Formula: 1 - left . right / (|left| |right|)
    Reading: 0 is the same direction, 1 a right angle, 2 the opposite one
    Differs: keras prints minus the cosine, torchmetrics the sum of the cosines of the rows; for a vector of zeros
        keras and
        torch say cosine 0, optax nan, here it is refused
    Use: directions that should agree whatever their length
    Misleads: blind to the length; hardly changes for small angles
    Gradient: by the left vector, at right angles to it: 0 along it
    Worked: cosine_distance = 1 - (1 * 3 + 0 * 4) / (1 * 5)
    Example: left=[1,0] right=[3,4] -> 0.4
    """
    return distance_of(left, right)


@loss(is_angular=True, aliases=("cosine-embedding-loss",))
def cosine_embedding(left: Array, right: Array, same: Array, *, margin: Real = 0.0) -> Array:
    """Pulls similar pairs to one direction and pushes dissimilar ones apart until the margin.

    Formula: 1 - cos for a similar pair, else [cos - margin]+
    Differs: torch takes 1 and -1 for similar and not, which are read here too
    margin: the cosine below which a dissimilar pair costs nothing
    Use: pairs known to be similar or not, by direction
    Misleads: with margin 0 a right angle is far enough
    Gradient: that of 1 - cos, and minus it for a dissimilar pair within the margin
    Worked: cosine_embedding = max(0, (1 * 3 + 0 * 4) / (1 * 5) - 0)
    Example: left=[1,0] right=[3,4] same=0 -> 0.6
    """
    d = distance_of(left, right)
    return where(same == 1, d, relu(_cosine_less(d, margin)))


def _cosine_less(d: Array, number: Array | float) -> Array:
    """cos - number of a cosine distance."""
    ones = 0.0 * d + 1.0
    return sum_of_three(ones, 0.0 * d - number, -d)


@loss(is_angular=True, aliases=("cosinesimilarityloss",))
def cosine_similarity_mse(left: Array, right: Array, similarity: Array) -> Array:
    """The squared error of the cosine as a prediction of how similar a pair is.

    Formula: (cos - y)^2
    Paper: Reimers, Gurevych, Sentence-BERT, 2019
    Use: pairs with a graded similarity, such as those of STS
    Misleads: grades are no cosines: their scale decides; a loss of ranks does without
    Gradient: 2 (cos - y) times that of cos
    Worked: cosine_similarity_mse = ((1 * 3 + 0 * 4) / (1 * 5) - 0.8)^2
    Example: left=[1,0] right=[3,4] similarity=0.8 -> 0.04000000000000005
    """
    return _cosine_less(distance_of(left, right), similarity) ** 2


@loss(aliases=("margin-ranking-loss",))
def pair_order(first: Array, second: Array, wins: Array, *, margin: NonNegative = 0.0) -> Array:
    """What the score that should be higher lacks to lead by the margin, pair by pair.

    Formula: [margin - (s1 - s2)]+ where the first should win, else [margin + (s1 - s2)]+
    Differs: it is torch's margin_ranking_loss, with labels 1 and 0 or 1 and -1; margin-ranking is of lists
    margin: by how much the winner should lead
    Use: scores of which an order is known pair by pair
    Misleads: with margin 0 equal scores cost nothing
    Gradient: -1 for the winner and 1 for the loser within the margin, 0 beyond
    Worked: pair_order = max(0, 0 - (0.2 - 0.5))
    Example: first=0.2 second=0.5 wins=1 -> 0.3
    """
    d, lost = two_sum(first, -second)
    sign = 2.0 * wins - 1.0
    return relu((margin - sign * d) - sign * lost)


@loss(aliases=("margin-mse-loss",))
def margin_mse(anchor: Array, positive: Array, negative: Array, teacher_margin: Array) -> Array:
    """The squared error of how much better the positive scores than the negative, as a prediction of a teacher's lead.

    Formula: (q . p - q . n - m)^2, with dot products as scores;  q the anchor, p the positive, n the negative
    Paper: Hofstaetter et al., Improving Efficient Neural Ranking Models with Cross-Architecture Distillation, 2020
    Differs: the margin is a difference of the teacher's scores, not one of its scores
    Use: distilling a cross-encoder into embeddings
    Misleads: dot products have a scale, which must be the teacher's
    Gradient: 2 (lead - m) times p - n by the anchor
    Worked: lead = (1 * 0.5 + 0 * 1) - (1 * 0.2 + 0 * 0); margin_mse = (lead - 0.1)^2
    Example: anchor=[1,0] positive=[0.5,1] negative=[0.2,0] teacher_margin=0.1 -> 0.04
    """
    gap, gap_lost = two_sum(positive, -negative)
    product, lost = two_product(anchor, gap)
    lead = compensated_row_sum(joined(product, -teacher_margin[:, None])) + row_sum(lost + anchor * gap_lost)
    return lead * lead


@loss(is_angular=True, aliases=("align",))
def alignment(left: Array, right: Array, *, alpha: Positive = 2.0) -> Array:
    """How far the two embeddings of a pair are apart on the unit sphere.

    Formula: |x - y|^alpha = (2 - 2 cos)^(alpha / 2), x and y of length 1
    Paper: Wang, Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity, 2020
    Reading: with alpha 2 twice the cosine distance
    alpha: the power of the distance
    Use: beside uniformity, to see what a contrastive loss is made of
    Misleads: 0 where all embeddings are the same: uniformity sees that
    Gradient: alpha |x - y|^(alpha - 1), along the difference
    Worked: alignment = (2 - 2 * 0)^(2 / 2)
    Example: left=[1,0] right=[0,1] -> 2
    """
    square = 2.0 * distance_of(left, right)
    return square if alpha == 2 else square ** (alpha / 2.0)
