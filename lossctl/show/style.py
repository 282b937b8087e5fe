"""The one look of all figures: sizes, fonts, colours, and how a figure becomes a file.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; lines differ by dashes too, for print
without colour. Text stays text in SVG and PDF. The same numbers give the same bytes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import IO, Any

from ..errors import DeviceError

FORMATS = ("png", "svg", "pdf")
COLUMN, PAGE = 3.35, 6.9  # inches: the widths of a column and of a page of a paper
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442",
)  # fmt: skip
GREY = "#666666"
COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (8, 2)), "-", "--")
BANDS = {"hard": VERMILLION, "semi-hard": ORANGE, "easy": GREEN}
SHADES = "Blues"
LOOK: dict[str, Any] = {
    "axes.grid": True,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.4,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "lines.linewidth": 1.3,
    "mathtext.fontset": "dejavusans",
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
    "svg.fonttype": "none",
    "svg.hashsalt": "lossctl",
    "xtick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7,
    "ytick.major.width": 0.6,
}
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": "lossctl"},
    "svg": {"Creator": "lossctl", "Date": None},
    "pdf": {"Creator": "lossctl", "Producer": None, "CreationDate": None},
}


@contextlib.contextmanager
def figure(file: IO[bytes], format: str, width: float, height: float) -> Iterator[Any]:
    """An empty figure in the look of all; it is written to the file when the block ends well. DeviceError."""
    matplotlib = library()
    with matplotlib.rc_context(LOOK):
        canvas = matplotlib.figure.Figure(figsize=(width, height), layout="constrained")
        yield canvas
        canvas.savefig(file, format=format, metadata=METADATA[format])


def library() -> Any:
    """matplotlib; DeviceError where it is not installed."""
    try:
        import matplotlib
        import matplotlib.figure
    except ImportError:
        raise DeviceError(
            "figures are drawn by matplotlib, which is not installed",
            why="text plots, TSV, CSV and JSON do without it",
            fix="pip install matplotlib",
        ) from None
    return matplotlib


def line_style(position: int) -> dict[str, Any]:
    """Colour and dashes of the line at that position."""
    return {"color": COLOURS[position % len(COLOURS)], "linestyle": DASHES[position % len(DASHES)]}


def mathematical(text: str) -> str:
    """The text with p_t, d_an, ... set as symbols with an index."""
    return re.sub(r"\b([a-zA-Z])_([a-z]{1,2})\b", r"$\1_{\\mathrm{\2}}$", text)


def legend(figure: Any, axes: Any, labels: list[str]) -> None:
    """The names of the lines above the axes, as many side by side as fit."""
    handles, _ = axes.get_legend_handles_labels()
    texts = [mathematical(label) for label in labels]
    for across in range(len(labels), 0, -1):
        names = figure.legend(handles, texts, loc="outside upper left", ncols=across)
        if across == 1 or names.get_window_extent().width <= figure.bbox.width:
            return
        names.remove()
