"""The engines: the ways in which losses meet their input. A loss has one, and everyone asks it.

What each engine computes with stands above (`SCORERS` of `lossctl.api.shared` knows where); what can be said without
computing stands here.
"""

from __future__ import annotations

from typing import NamedTuple


class Engine(NamedTuple):
    """How the losses of one kind go through their input.

    unit: what is counted and resampled, in the plural
    kind: what its losses go by, as messages say it
    reductions: how its units may become one number, the default first
    roles: of the losses whose function takes all of its input as one panel
    roles_beside: roles that its losses have after those of their function
    is_by_row: whether rows are scored one by one, whatever stands beside them
    has_values: whether each unit has a loss of its own, to be written, ranked and compared
    no_values: why a row alone has none, where it has none
    has_space: whether points are compared in a space: a distance, on the unit sphere or not, on a device
    reads_whole: whether all rows are read before the first is scored, as each meets all others
    is_blockwise: whether a block of its units is compared with all others apart from other blocks
    has_lists: whether the groups of rows are its lists, which other groups would cut
    takes_weights: whether rows may be weighted
    """

    unit: str
    kind: str
    reductions: tuple[str, ...]
    roles: tuple[str, ...] = ()
    roles_beside: tuple[str, ...] = ()
    is_by_row: bool = False
    has_values: bool = True
    no_values: str = "it is one number of all rows together"
    has_space: bool = False
    reads_whole: bool = False
    is_blockwise: bool = False
    has_lists: bool = False
    takes_weights: bool = True

    @property
    def is_parted(self) -> bool:
        """Whether others can compute parts of it: of its rows, where no list and no set of points is cut by that, or
        of the units that are compared."""
        return self.is_blockwise or not (self.reads_whole or self.has_lists)


ROWS = Engine("rows", "rows", ("mean", "sum", "none"), is_by_row=True)
COUNTS = Engine(
    "rows",
    "counts",
    ("mean",),
    has_values=False,
    no_values="it counts rows, and no row has a value of its own",
)
LISTS = Engine("lists", "lists", ("mean", "sum", "none"), roles_beside=("group",), has_lists=True)
SETS = Engine(
    "anchors",
    "anchors of a set",
    ("mean", "sum", "none"),
    roles=("emb", "identity"),
    has_space=True,
    reads_whole=True,
    is_blockwise=True,
    takes_weights=False,
)
VIEWS = Engine(
    "pairs",
    "pairs of two views",
    ("mean", "sum", "none"),
    roles=("left", "right"),
    reads_whole=True,
    is_blockwise=True,
    takes_weights=False,
)
WHOLE = Engine("rows", "all rows together", ("mean",), has_values=False, reads_whole=True, takes_weights=False)
