"""Segmentation: how far a predicted region is from the true one. One number of all rows together, no mean of rows."""

from ..language.domains import NonNegative
from ..language.numerics import Array, Total, quotient, row_sum
from ..language.predictions import Binary
from ..language.registry import Sums, loss


def _share_missed(missed: Total, size: Total, weight: Total, *, smooth: float) -> Array | float:
    return quotient(missed, size + smooth)


@loss(finish=_share_missed, stands_alone=False, reductions=("overall",), aliases=("dice-loss", "soft-dice"))
def dice(prob: Binary, label: Array, *, smooth: NonNegative = 0.0) -> Sums:
    """The share of a region and of its prediction that do not overlap, over all rows (pixels) and labels together.

    Formula: 1 - (2 sum p y + s) / (sum p + sum y + s), from its numerator sum p (1 - y) + y (1 - p), which keeps digits
    Paper: Milletari, Navab, Ahmadi, V-Net, 2016
    Reading: 0 is perfect, 1 is no overlap at all
    Differs: MONAI takes it of each image, then the mean; s is 1e-7 in keras, 1e-5 above and below in MONAI, 1 in optax;
        V-Net itself squares in the denominator
    smooth: s, added above and below: what an empty region is worth; without it an empty region met is nan
    Use: small regions before a large background, which cross-entropy would drown
    Misleads: of all rows together it hides the small images; the mean of groups tells them apart: -g SRC
    Gradient: by p of a true row -(2 - loss) / size, of a false one loss / size: all rows of a kind pull alike
    Worked: overlap = 0.8 * 1 + 0.4 * 0; size = 0.8 + 0.4 + 1; dice = 1 - 2 * overlap / size
    Example: prob=[0.8,0.4] label=[1,0] -> 0.2727272727272727
    """
    inside = prob.given(0.0 * label + 1.0).p
    return Sums(row_sum(prob.given(label).miss), row_sum(inside + label))
