"""Losses of two views by how evenly their columns fill the space: by norms of matrices of all rows."""

from __future__ import annotations

from ..language.domains import NonNegative
from ..language.engines import WHOLE
from ..language.numerics import Array, homogeneous, log, namespace, row_sum, sqrt
from ..language.registry import loss


@loss(engine=WHOLE)
def frossl(left: Array, right: Array, *, invariance: NonNegative = 1.0) -> Array:
    """Views alike, and each with as little said twice by its columns as can be.

    Formula: log |A'A / D|^2 + log |B'B / D|^2 + w sum (a - b)^2 / N, A and B the views with columns of length 1, norms
        those of Frobenius
    Paper: Skean, Dhakal, Jacobs, Sanchez Giraldo, FroSSL: Frobenius Norm Minimization for Self-Supervised Learning,
        2024
    Reading: each logarithm is at least -log D, where no two columns overlap, and at most 0, where all are one
    invariance: w, the weight of what views differ by
    Use: learning from two views without rivals; fewer steps than vicreg and barlow-twins
    Misleads: a column of zeros is nan; columns are not centred, so a common offset counts as said twice
    Gradient: 4 A (A'A) / |A'A|^2 and 2 w (a - b) / N, less what changes the length of a column
    Worked: frossl = 2 * log((1^2 + 1^2) / 2^2) + ((1 - 0)^2 * 4) / 2
    Example: left=1/0,0/1 right=0/1,1/0 -> 0.6137056388801094
    """
    xp, n = namespace(left), left.shape[0]
    views = [view / sqrt(xp.sum(view * view, axis=0)) for view in (left, right)]
    gap = views[0] - views[1]
    total = invariance * xp.sum(gap * gap) / n
    for view in views:
        own = view.T @ view / float(view.shape[1])
        total = total + log(xp.sum(own * own))
    return total


@loss(engine=WHOLE, is_signed=True)
def mmcr(left: Array, right: Array, *, lambd: NonNegative = 0.005) -> Array:
    """The mean views of all things spread out, the two views of each thing close together: by nuclear norms.

    Formula: -|C|_* + lambda mean_i |(a_i, b_i)|_*, C the rows (a_i + b_i) / 2, |X|_* the sum of the singular values of
        X
    Paper: Yerxa, Kuang, Simoncelli, Chung, Learning Efficient Coding of Natural Images with Maximum Manifold Capacity
        Representations, 2023
    Reading: it falls without end with the length of rows: put them on the unit sphere first
    lambd: lambda, the weight of how far views of one thing are apart
    Use: self-supervised learning without rivals
    Misleads: grows with the number of rows: compare equal N only
    Gradient: -U V' / 2 of the singular vectors of C by each view, and lambda / N by those of the two views
    Worked: mmcr = -2 + 0.005 * sqrt(2)
    Example: left=1/0,0/1 right=1/0,0/1 -> -1.992928932188135
    """
    xp = namespace(left)
    own = homogeneous(_nuclear_norms, left, right)
    return lambd * xp.mean(own) - xp.sum(xp.linalg.svdvals((left + right) / 2.0))


def _nuclear_norms(left: Array, right: Array) -> Array:
    """The sum of the singular values of each matrix of two rows, (n,)."""
    a, b, both = row_sum(left * left), row_sum(right * right), row_sum(left * right)
    outside = left - right * (both / b)[:, None]
    area = sqrt(b) * sqrt(row_sum(outside * outside))
    return sqrt(a + b + 2.0 * area)
