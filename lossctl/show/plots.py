"""Curves and contours as figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import IO, Any

from ..curves.pictures import REGIONS, Picture, Plane, Point, Regions, Surface, Zones
from . import style
from .scale import Axis, axis_of, pretty, slopes_of

ARROWS = 11  # in each direction
TINTS = {"easy": "#DCF2EB", "semi-hard": "#FBEFD5", "hard": "#F4CDB8"}  # of style.BANDS, so pale that marks stand out
UNITS = " (embedding units)"
LETTER = 0.024  # of the width of the axes, in the names of bands


def draw(picture: Picture | Plane | Regions, file: IO[bytes], format: str) -> None:
    """The figure as PNG, SVG or PDF. DeviceError where matplotlib is not installed."""
    if isinstance(picture, Regions):
        _draw_space(picture, file, format)
    elif isinstance(picture, Plane):
        _draw_plane(picture, file, format)
    else:
        _draw_picture(picture, file, format)


# --- lines


def _draw_picture(picture: Picture, file: IO[bytes], format: str) -> None:
    panels = [("loss" + (f" ({picture.unit})" if picture.unit else ""), [line.values for line in picture.lines])]
    if picture.has_slopes:
        panels.append(slopes_of(picture))
    labels = [pretty(line.label) for line in picture.lines]
    rows = math.ceil(len(labels) / max(int(19 * style.COLUMN) // (max(map(len, labels)) + 6), 1))
    height = 0.4 + 1.85 * len(panels) + 0.14 * rows
    with style.figure(file, format, style.COLUMN, height) as figure:
        stack = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (title, series) in zip(stack, panels, strict=True):
            _draw_lines(axes, picture, labels, series)
            axes.set_ylabel(style.mathematical(title))
        _shade_bands(stack, picture)
        stack[-1].set_xlabel(style.mathematical(picture.label))
        figure.align_ylabels()
        fixed = [f"{name} = {value:g}" for name, value in picture.fixed if value]
        style.legend(figure, stack[0], [", ".join([label, *fixed]) for label in labels])


def _draw_lines(axes: Any, picture: Picture, labels: Sequence[str], series: Sequence[Sequence[float]]) -> None:
    for position, (label, values) in enumerate(zip(labels, series, strict=True)):
        finite = [value if math.isfinite(value) else math.nan for value in values]
        axes.plot(picture.x, finite, label=label, **style.line_style(position))
    if "x" in picture.log:
        axes.set_xscale("log")
    if "y" in picture.log:
        axes.set_yscale("log", nonpositive="mask")
    height = axis_of([value for values in series for value in values], is_log="y" in picture.log).padded(0.04)
    axes.set_ylim(height.low, height.high)
    axes.set_xlim(picture.x[0], picture.x[-1])


def _shade_bands(stack: Sequence[Any], picture: Picture) -> None:
    """Each band as a tint over all axes, its name above the first, a line higher where the one before has the room."""
    across = Axis(picture.x[0], picture.x[-1], "x" in picture.log)
    ends = [0.0, 0.0]
    for band in picture.bands:
        middle, half = sum(map(across.share, (band.low, band.high))) / 2, len(band.name) * LETTER / 2
        line = int(middle - half < ends[0])
        ends[line] = middle + half
        for axes in stack:
            axes.axvspan(band.low, band.high, color=style.BANDS[band.name], alpha=0.14, linewidth=0)
        stack[0].annotate(
            band.name,
            (middle, 1.0),
            xycoords="axes fraction",
            xytext=(0, 2 + 9 * line),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )


# --- contours


def _draw_plane(plane: Plane, file: IO[bytes], format: str) -> None:
    columns = min(len(plane.surfaces), 2)
    rows = math.ceil(len(plane.surfaces) / columns)
    width = style.COLUMN if columns == 1 else style.PAGE
    with style.figure(file, format, width, 0.25 + 0.85 * rows * width / columns) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, surface in zip(grid.flat, plane.surfaces, strict=False):
            _draw_surface(figure, axes, plane, surface)
        for axes in list(grid.flat)[len(plane.surfaces) :]:
            axes.set_axis_off()
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)


def _draw_surface(figure: Any, axes: Any, plane: Plane, surface: Surface) -> None:
    shades = axes.contourf(plane.s_n, plane.s_p, surface.values, levels=8, cmap=style.SHADES)
    shades.set_edgecolor("face")  # no seams between the shades
    unit = f" ({plane.unit})" if plane.unit else ""
    figure.colorbar(shades, ax=axes, shrink=0.75, pad=0.03, label=f"loss{unit}").outline.set_visible(False)
    if surface.slopes is not None:
        _draw_arrows(axes, plane, surface)
    if surface.boundary is not None:
        axes.contour(
            plane.s_n, plane.s_p, surface.values, levels=[surface.boundary], colors=[style.VERMILLION], linewidths=1.6
        )
        axes.plot([], [], color=style.VERMILLION, label="boundary, loss = log 2")
    best = (max(plane.s_n[0], 0.0), plane.s_p[-1])
    axes.plot(*best, "o", color=style.VERMILLION, markersize=4, clip_on=False, label="best", zorder=5)
    axes.set_title(pretty(surface.label))
    axes.set_xlabel(style.mathematical("similarity to the negative s_n"))
    axes.set_ylabel(style.mathematical("similarity to the positive s_p"))
    axes.set_box_aspect(1)
    axes.grid(False)


def _draw_arrows(axes: Any, plane: Plane, surface: Surface) -> None:
    """Arrows of equal length down the slope, where there is one."""
    by_n, by_p = surface.slopes or ((), ())
    step = max(len(plane.s_n) // ARROWS, 1)
    steepest = max(math.hypot(a, b) for rows in zip(by_n, by_p, strict=True) for a, b in zip(*rows, strict=True))
    arrows = []
    for i in range(step // 2, len(plane.s_p), step):
        for j in range(step // 2, len(plane.s_n), step):
            length = math.hypot(by_n[i][j], by_p[i][j])
            if length > 1e-3 * steepest:
                arrows.append((plane.s_n[j], plane.s_p[i], -by_n[i][j] / length, -by_p[i][j] / length))
    axes.quiver(*zip(*arrows, strict=True), color="#333333", scale=18, width=0.005, pivot="mid")


# --- regions


def _draw_space(space: Regions, file: IO[bytes], format: str) -> None:
    columns = min(len(space.zones), 2)
    rows = math.ceil(len(space.zones) / columns)
    width = style.COLUMN if columns == 1 else style.PAGE
    with style.figure(file, format, width, 0.45 + 1.02 * rows * width / columns) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, zones in zip(grid.flat, space.zones, strict=False):
            _draw_zones(axes, space, zones)
        for axes in list(grid.flat)[len(space.zones) :]:
            axes.set_axis_off()
        style.legend(figure, grid[0, 0], grid[0, 0].get_legend_handles_labels()[1])


def _draw_zones(axes: Any, space: Regions, zones: Zones) -> None:
    edges = [-zones.margin, 0.0] if zones.margin else [0.0]
    beyond = 2.0 * max(abs(lead) for row in zones.leads for lead in row if math.isfinite(lead)) + zones.margin + 1.0
    names = [name for name in REGIONS if zones.margin or name != "semi-hard"]
    axes.contourf(
        space.side, space.side, zones.leads, levels=[-beyond, *edges, beyond], colors=[TINTS[name] for name in names]
    )
    axes.contour(space.side, space.side, zones.leads, levels=edges, colors="#333333", linewidths=0.8, linestyles="-")
    for name in reversed(names):
        axes.fill([], [], color=TINTS[name], label=name)
    if space.is_round:
        turns = [2.0 * math.pi * k / 180 for k in range(181)]
        axes.plot(list(map(math.cos, turns)), list(map(math.sin, turns)), color=style.GREY, linewidth=0.8)
    axes.plot(*space.anchor, "s", color="#000000", markersize=4.5, label="anchor", zorder=5)
    axes.plot(*space.positive, "o", color=style.BLUE, markersize=4.5, label="positive", zorder=5)
    if zones.path:
        _draw_margin(axes, zones.path, is_round=space.is_round)
    axes.set_title(pretty(zones.label) + "\n" + style.mathematical(f"d_ap = {space.d_ap:g}, margin = {zones.margin:g}"))
    axes.set_xlabel("x of the negative" + UNITS)
    axes.set_ylabel("y of the negative" + UNITS)
    axes.set_xlim(space.side[0], space.side[-1])
    axes.set_ylim(space.side[0], space.side[-1])
    axes.set_box_aspect(1)
    axes.grid(False)


def _draw_margin(axes: Any, path: Sequence[Point], *, is_round: bool) -> None:
    """An arrow along the margin with its name, which stands outside of a circle."""
    axes.annotate("", path[-1], path[-2], arrowprops={"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0})
    axes.plot(*zip(*path, strict=True), color="#000000", linewidth=1.0)
    middle = path[len(path) // 2] if is_round else [sum(ends) / 2 for ends in zip(*path, strict=True)]
    place = {"va": "center"} if is_round else {"xytext": (0, 3), "textcoords": "offset points"}
    at = [1.15 * part for part in middle] if is_round else middle
    axes.annotate("margin", at, ha="center", fontsize=7, **place)
