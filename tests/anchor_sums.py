"""The loss of a whole set as exact sums over its anchors, for claims that hold to the last bit."""

from dataclasses import dataclass

from lossctl.rows.sums import ZERO, Total, total
from lossctl.sets.panels import anchor_losses


@dataclass(frozen=True)
class AnchorSums:
    """What anchors add up to: the total of the losses, the weight that divides it for the mean, the valid triplets."""

    total: Total = ZERO
    weight: Total = ZERO
    valid: Total = ZERO
    anchors: int = 0

    @property
    def mean(self) -> float:
        """total / weight: over the terms above zero where a loss tells them, else over all; nan where there is none."""
        return self.total / self.weight

    @property
    def plain_mean(self) -> float:
        """total / valid: over all triplets, pairs, or anchors."""
        return self.total / self.valid


def sums_of(losses):
    """The sums of `panels.AnchorLosses`."""
    return AnchorSums(total(losses.total), total(losses.weight), total(losses.valid), len(losses))


def sum_losses(points, function, **options):
    """A panel loss over all anchors; `options` are those of `panels.fold`. The order of the points does not matter."""
    return sums_of(anchor_losses(points, function, **options))
