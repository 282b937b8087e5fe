"""What is drawn: curves and contours as numbers, frozen, and nothing of ours is needed to read them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One curve. label: for the legend; loss: the spec; slopes: dy/dx, None if not asked for."""

    label: str
    loss: str
    case: str
    values: tuple[float, ...]
    slopes: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Band:
    """A named range of the variable."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Picture:
    """Curves over one variable. fixed: what stays as it is along them; unit: of the losses, empty where they differ.

    log: the axes with a scale of logarithms, "x", "y", "xy" or ""; the points of x are at equal distances on its scale
    """

    variable: str
    label: str
    unit: str
    fixed: tuple[tuple[str, float], ...]
    x: tuple[float, ...]
    lines: tuple[Line, ...]
    bands: tuple[Band, ...] = ()
    log: str = ""

    has_arrows = False

    @property
    def has_slopes(self) -> bool:
        """Whether slopes were asked for."""
        return any(line.slopes is not None for line in self.lines)


@dataclass(frozen=True)
class Surface:
    """One loss over the similarities of an anchor to a negative and to a positive.

    values: a row for each s_p, a value for each s_n; slopes: d/ds_n and d/ds_p likewise, None if not asked for
    boundary: the value on which the pair is undecided, None where the loss has no such value
    """

    label: str
    loss: str
    values: tuple[tuple[float, ...], ...]
    boundary: float | None
    slopes: tuple[tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...]] | None = None


Point = tuple[float, float]
REGIONS = ("easy", "semi-hard", "hard")


@dataclass(frozen=True)
class Zones:
    """One loss of triplets over the places of the negative: a row of values for each y, a value for each x.

    leads: by how much the negative is nearer to the anchor than the positive, nan where there is no distance
    path: points along the margin, from where hard ends to where easy begins
    """

    label: str
    loss: str
    margin: float
    values: tuple[tuple[float, ...], ...]
    leads: tuple[tuple[float, ...], ...]
    path: tuple[Point, ...]

    def region(self, lead: float) -> str:
        """The region of a place by its lead, "" where there is no distance."""
        return "" if lead != lead else REGIONS[2 if lead >= 0 else 1 if lead > -self.margin else 0]


@dataclass(frozen=True)
class Regions:
    """Where a negative may be: x to the right and y upwards, beside an anchor and a positive at a distance of d_ap.

    is_round: whether only directions count
    """

    unit: str
    side: tuple[float, ...]
    anchor: Point
    positive: Point
    d_ap: float
    is_round: bool
    zones: tuple[Zones, ...]

    has_arrows = False


@dataclass(frozen=True)
class Plane:
    """Losses over the same similarities, s_n to the right and s_p upwards."""

    unit: str
    s_n: tuple[float, ...]
    s_p: tuple[float, ...]
    surfaces: tuple[Surface, ...]

    @property
    def has_arrows(self) -> bool:
        """Whether slopes were asked for."""
        return any(surface.slopes is not None for surface in self.surfaces)
