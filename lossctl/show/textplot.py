"""Curves and contours as text: axes, legend and all, in the width of the terminal.

Lines are drawn in braille, two by four dots a character, with a letter on each line that the legend explains, so they
can be told apart without colour. Where the terminal has ASCII only, each line has a character of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..curves.pictures import REGIONS, Band, Picture, Plane, Point, Regions, Surface, Zones
from .scale import Axis, axis_of, slopes_of

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # the bits of a braille character, by row and column
COLOURS = (34, 33, 32, 35, 36, 31)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MARKS = "*o.x#%@&=~"


class Glyphs(NamedTuple):
    """The characters that frames and shades are made of."""

    side: str
    side_tick: str
    corner: str
    floor: str
    floor_tick: str
    edge: str
    shades: str
    boundary: str
    zones: str


UNICODE = Glyphs("│", "┤", "└", "─", "┬", "┊", " ░▒▓█", "●", " ░▓")
ASCII = Glyphs("|", "+", "+", "-", "+", ":", " .:+#", "O", " .#")


class Canvas(NamedTuple):
    """Where a panel is drawn, in characters, and how."""

    width: int
    height: int
    ascii: bool
    colour: bool

    @property
    def glyphs(self) -> Glyphs:
        return ASCII if self.ascii else UNICODE

    @property
    def dots(self) -> tuple[int, int]:
        """Dots in a character, across and down."""
        return (1, 1) if self.ascii else (2, 4)


Cells = list[list[str]]


def text(picture: Picture | Plane | Regions, *, width: int, ascii: bool = False, colour: bool = False) -> str:
    """Curves or contours, at most `width` characters wide (but at least 40)."""
    width = max(width, 40)
    if isinstance(picture, Regions):
        return regions(picture, width=width, ascii=ascii, colour=colour)
    if isinstance(picture, Plane):
        return contours(picture, width=width, ascii=ascii, colour=colour)
    return plot(picture, width=width, ascii=ascii, colour=colour)


def plot(picture: Picture, *, width: int, ascii: bool = False, colour: bool = False) -> str:
    """The curves, and below them their slopes if there are any, `width` characters wide."""
    height = min(max(width // 6, 10), 18)
    panels = [(_title("loss", picture.unit), [line.values for line in picture.lines])]
    if picture.has_slopes:
        panels.append(slopes_of(picture))
    across = Axis(picture.x[0], picture.x[-1], "x" in picture.log)
    heights = [
        axis_of([value for values in series for value in values], is_log="y" in picture.log).padded(0.02)
        for _, series in panels
    ]
    left = max(len(_number(tick)) for axis in heights for tick in axis.ticks(_most_ticks(height))) + 1
    canvas = Canvas(width - left - 2, height, ascii, colour)
    parts = []
    for (title, series), upwards in zip(panels, heights, strict=True):
        cells = _draw(len(picture.x), series, across, upwards, picture.bands, canvas)
        parts += [title, *_framed(cells, upwards, left, canvas), *_below(across, left, canvas, picture.bands)]
    parts += [picture.label.rjust(width)[-width:]]
    fixed = [f"{name} = {_number(value)}" for name, value in picture.fixed if value]
    names = [line.label for line in picture.lines]
    parts += _legend(names, canvas, width) + ([", ".join(fixed)] if fixed else [])
    return "\n".join(part.rstrip() for part in parts) + "\n"


def contours(plane: Plane, *, width: int, ascii: bool = False, colour: bool = False) -> str:
    """Each loss as shades, the darker the larger, with the boundary as a line of marks."""
    height = min(max(width // 5, 10), 20)
    left = 6
    canvas = Canvas(min(width - left - 2, 3 * height), height, ascii, colour)
    parts = []
    for surface in plane.surfaces:
        parts.append(f"s_p   {surface.label}"[:width])
        parts += _framed(_shade(surface, canvas), Axis(plane.s_p[0], plane.s_p[-1]), left, canvas)
        parts += _below(Axis(plane.s_n[0], plane.s_n[-1]), left, canvas, ())
        parts += ["s_n".rjust(left + 2 + canvas.width), *_key(surface, plane.unit, canvas, width), ""]
    return "\n".join(part.rstrip() for part in parts[:-1]) + "\n"


def regions(space: Regions, *, width: int, ascii: bool = False, colour: bool = False) -> str:
    """Where a negative is easy, semi-hard or hard, as shades, with the anchor a and the positive p."""
    height = min(max(width // 4, 10), 24)
    axis = Axis(space.side[0], space.side[-1])
    left = max(len(_number(tick)) for tick in axis.ticks(_most_ticks(height))) + 1
    canvas = Canvas(min(width - left - 2, 2 * height), height, ascii, colour)
    parts = []
    for zones in space.zones:
        parts += [f"y   {zones.label}, d_ap = {_number(space.d_ap)}, margin = {_number(zones.margin)}"[:width]]
        parts += _framed(_zoned(space, zones, canvas), axis, left, canvas)
        parts += [*_below(axis, left, canvas, (), fewest=5), "x".rjust(left + 2 + canvas.width)]
        shades = zip(canvas.glyphs.zones, REGIONS, strict=True)
        words = [f"{shade if shade != ' ' else 'blank'} {name}" for shade, name in shades]
        parts += [*_folded([*words, "a anchor", "p positive"], width), ""]
    return "\n".join(part.rstrip() for part in parts[:-1]) + "\n"


# --- frames


def _most_ticks(height: int) -> int:
    """How many numbers may stand beside an axis of that height."""
    return max(height // 3, 4)


def _title(what: str, unit: str) -> str:
    return f"{what} ({unit})" if unit else what


def _number(value: float) -> str:
    return f"{value:.6g}"


def _framed(cells: Cells, axis: Axis, left: int, canvas: Canvas) -> list[str]:
    """The cells with the axis on their left; a tick stands on the row that its value falls into."""
    at = {
        min(int((1 - axis.share(tick)) * canvas.height), canvas.height - 1): _number(tick)
        for tick in axis.ticks(_most_ticks(canvas.height))
    }
    glyphs = canvas.glyphs
    return [
        f"{at.get(row, ''):>{left}} {glyphs.side_tick if row in at else glyphs.side}{''.join(line)}"
        for row, line in enumerate(cells)
    ]


def _below(axis: Axis, left: int, canvas: Canvas, bands: Sequence[Band], fewest: int = 3) -> list[str]:
    """The axis below the cells, its numbers, and the names of the bands."""
    glyphs, width = canvas.glyphs, canvas.width
    floor, numbers = [glyphs.floor] * width, [" "] * (width + 8)
    for tick in axis.ticks(max(width // 10, fewest)):
        column = _column(tick, axis, width)
        text = _number(tick)
        floor[column] = glyphs.floor_tick
        start = max(min(column - len(text) // 2, width - len(text)), 0)
        numbers[start : start + len(text)] = text
    lines = [" " * (left + 1) + glyphs.corner + "".join(floor), " " * (left + 2) + "".join(numbers)]
    if bands:
        names = [" "] * width
        for band in bands:
            first, last = _column(band.low, axis, width), _column(band.high, axis, width)
            text = band.name[: max(last - first - 1, 0)]
            start = first + (last - first - len(text) + 1) // 2
            names[start : start + len(text)] = text
        lines.append(" " * (left + 2) + "".join(names))
    return lines


def _column(x: float, axis: Axis, width: int) -> int:
    return min(int(axis.share(x) * width), width - 1)


def _legend(names: Sequence[str], canvas: Canvas, width: int) -> list[str]:
    """The lines' letters and names, as many on a row as fit."""
    keys = MARKS if canvas.ascii else LETTERS
    single = len(names) == 1 and not canvas.ascii
    items = [name if single else f"{keys[k % len(keys)]} {name}" for k, name in enumerate(names)]
    cell = max(map(len, items)) + 3
    across = max(width // cell, 1)
    painted = [_paint(item, k, canvas) + " " * (cell - len(item)) for k, item in enumerate(items)]
    return ["".join(painted[start : start + across]).rstrip() for start in range(0, len(items), across)]


def _paint(text: str, series: int, canvas: Canvas) -> str:
    return f"\033[{COLOURS[series % len(COLOURS)]}m{text}\033[0m" if canvas.colour else text


# --- lines


def _draw(
    points: int,
    series: Sequence[Sequence[float]],
    across: Axis,
    upwards: Axis,
    bands: Sequence[Band],
    canvas: Canvas,
) -> Cells:
    cells = [[" "] * canvas.width for _ in range(canvas.height)]
    for band in bands[1:]:
        column = _column(band.low, across, canvas.width)
        for line in cells:
            line[column] = canvas.glyphs.edge
    inked = [_ink(_heights(points, list(map(upwards.share, values)), canvas), canvas) for values in series]
    for k, ink in enumerate(inked):
        for (row, column), bits in ink.items():
            if canvas.ascii:
                cells[row][column] = _paint(MARKS[k % len(MARKS)], k, canvas)
            else:
                shared = bits
                for other in inked[:k]:
                    shared |= other.get((row, column), 0)
                cells[row][column] = _paint(chr(0x2800 + shared), k, canvas)
    if len(series) > 1 and not canvas.ascii:
        _put_letters(cells, inked, canvas)
    return cells


def _heights(points: int, shares: Sequence[float], canvas: Canvas) -> list[float | None]:
    """For each column of dots the row of dots, from the top, that the line passes; None where it is out of sight.

    shares: how far up each of the points is, which lie at equal distances from side to side
    """
    across, down = canvas.width * canvas.dots[0], canvas.height * canvas.dots[1]
    heights: list[float | None] = []
    for dot in range(across):
        position = dot / (across - 1) * (points - 1)
        k = min(int(position), points - 2)
        a, b = shares[k], shares[k + 1]
        y = a if position == k else a + (b - a) * (position - k)
        row = (1 - y) * down
        heights.append(row if math.isfinite(row) else None)
    return heights


def _ink(heights: Sequence[float | None], canvas: Canvas) -> dict[tuple[int, int], int]:
    """The cells that a line touches, with the dots it touches there; steep parts are joined."""
    across, down = canvas.dots
    tall = canvas.height * down
    ink: dict[tuple[int, int], int] = {}
    before: int | None = None
    for dot, height in enumerate(heights):
        if height is None:
            before = None
            continue
        row = math.floor(height)
        start = row if before is None else before + (1 if row > before else -1 if row < before else 0)
        for y in range(max(min(start, row), 0), min(max(start, row), tall - 1) + 1):
            cell = (y // down, dot // across)
            ink[cell] = ink.get(cell, 0) | DOTS[y % down][dot % across]
        before = row
    return ink


def _put_letters(cells: Cells, inked: Sequence[dict[tuple[int, int], int]], canvas: Canvas) -> None:
    """A letter on each line, where it is farthest from the others."""
    for k, ink in enumerate(inked):
        others = [cell for j, other in enumerate(inked) if j != k for cell in other]
        if ink:
            row, column = max(ink, key=lambda cell: (_clearance(cell, others), -abs(cell[1] - canvas.width / 2)))
            cells[row][column] = _paint(LETTERS[k % len(LETTERS)], k, canvas)


def _clearance(cell: tuple[int, int], others: Sequence[tuple[int, int]]) -> float:
    """How far the nearest other cell is, a row being as high as two columns are wide; beyond 8 does not matter."""
    return min((max(2 * abs(row - cell[0]), abs(column - cell[1])) for row, column in others), default=8)


# --- shades


def _shade(surface: Surface, canvas: Canvas) -> Cells:
    rows, columns = len(surface.values), len(surface.values[0])

    def value(row: float, column: float) -> float:
        i = round((canvas.height - 0.5 - row) / canvas.height * (rows - 1))
        j = round((column + 0.5) / canvas.width * (columns - 1))
        return surface.values[min(max(i, 0), rows - 1)][min(max(j, 0), columns - 1)]

    glyphs, largest = canvas.glyphs, max(map(max, surface.values))

    def cell(row: int, column: int) -> str:
        corners = [value(row + down, column + right) for down in (-0.5, 0.5) for right in (-0.5, 0.5)]
        if surface.boundary is not None and min(corners) <= surface.boundary < max(corners):
            return glyphs.boundary
        return glyphs.shades[_level(value(row, column), largest, len(glyphs.shades))]

    return [[cell(row, column) for column in range(canvas.width)] for row in range(canvas.height)]


def _zoned(space: Regions, zones: Zones, canvas: Canvas) -> Cells:
    axis, last = Axis(space.side[0], space.side[-1]), len(space.side) - 1

    def shade(row: int, column: int) -> str:
        i = round((canvas.height - 0.5 - row) / canvas.height * last)
        j = round((column + 0.5) / canvas.width * last)
        region = zones.region(zones.leads[i][j])
        return canvas.glyphs.zones[REGIONS.index(region)] if region else " "

    cells = [[shade(row, column) for column in range(canvas.width)] for row in range(canvas.height)]
    for mark, place in (("a", space.anchor), ("p", space.positive)):
        _mark(cells, place, axis, mark, canvas)
    return cells


def _mark(cells: Cells, place: Point, axis: Axis, mark: str, canvas: Canvas) -> None:
    """A letter on the place, where it is in the picture."""
    if all(axis.low <= part <= axis.high for part in place):
        row = canvas.height - 1 - _column(place[1], axis, canvas.height)
        cells[row][_column(place[0], axis, canvas.width)] = mark


def _level(value: float, largest: float, levels: int) -> int:
    return min(math.ceil(value / largest * (levels - 1) - 1e-3), levels - 1) if value > 0 else 0


def _key(surface: Surface, unit: str, canvas: Canvas, width: int) -> list[str]:
    """What the shades mean."""
    shades, largest = canvas.glyphs.shades, max(map(max, surface.values))
    words = [f"{_title('loss', unit)}:"]
    words += [f"{shade} to {largest * k / (len(shades) - 1):.3g}" for k, shade in enumerate(shades) if k]
    words += [] if surface.boundary is None else [f"{canvas.glyphs.boundary} boundary, {surface.boundary:.3g}"]
    return _folded(words, width)


def _folded(words: Sequence[str], width: int) -> list[str]:
    """The words on lines of that width, none of them broken."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 2 + len(word) <= width:
            lines[-1] += "  " + word
        else:
            lines.append("  " + word)
    return lines
