"""The engines: the ways in which losses meet their input. A loss has one, and everyone asks it.

What each engine computes with stands above (`SCORERS` of `lossctl.api.compute` knows where); what can be said without
computing stands here.
"""

from __future__ import annotations

from typing import NamedTuple


class Engine(NamedTuple):
    """How the losses of one kind go through their input.

    unit: what is counted and resampled, in the plural
    kind: what its losses go by, as messages say it
    reductions: how its units may become one number, the default first
    roles_beside: roles that its losses have after those of their function
    has_values: whether each unit has a loss of its own, to be written, ranked and compared
    has_space: whether points are compared in a space: a distance, on the unit sphere or not, on a device
    has_lists: whether the groups of rows are its lists, which other groups would cut
    takes_weights: whether rows may be weighted
    """

    unit: str
    kind: str
    reductions: tuple[str, ...]
    roles_beside: tuple[str, ...] = ()
    has_values: bool = True
    has_space: bool = False
    has_lists: bool = False
    takes_weights: bool = True

    @property
    def is_by_row(self) -> bool:
        """Whether rows are scored one by one, whatever stands beside them."""
        return self.has_values and self.is_divisible

    @property
    def is_divisible(self) -> bool:
        """Whether parts of its rows can be scored apart: no list, and no set of points, is cut by them."""
        return not (self.has_space or self.has_lists)


ROWS = Engine("rows", "rows", ("mean", "sum", "none"))
COUNTS = Engine("rows", "counts", ("mean",), has_values=False)
LISTS = Engine("lists", "lists", ("mean", "sum", "none"), roles_beside=("group",), has_lists=True)
SETS = Engine("anchors", "anchors of a set", ("mean", "sum", "none"), has_space=True, takes_weights=False)
