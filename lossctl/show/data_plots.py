"""Figures of data: how hard triplets are, how row losses are spread, how long kernels take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from ..results.breakdown import Breakdown, Categories, Distances
from ..results.distributions import Histogram, Reliability, RowPicture
from ..text import option_text, shown
from . import style
from .scale import pretty

MOST_CLASSES = 20
FEWEST_ROWS = 10  # of a bin of probabilities
METRIC_UNITS = {
    "euclidean": "embedding units",
    "sqeuclidean": "squared embedding units",
    "cosine": "1 - cosine",
    "angular": "radians",
    "manhattan": "embedding units",
    "dot": "less the inner product",
}


# --- triplets


def draw_breakdown(breakdown: Breakdown, file: IO[bytes], format: str) -> None:
    """Distances to positives and to negatives, and the categories at each margin, or by class of the anchor if given.

    Classes have a panel for each margin. At most twenty classes, those with the most points.
    """
    panels = _category_panels(breakdown)
    heights = [0.5 + 0.16 * len(bars) for _, bars in panels]
    with style.figure(file, format, style.COLUMN, 2.3 + sum(height + 0.32 for height in heights)) as figure:
        upper, *others = figure.subplots(1 + len(panels), 1, gridspec_kw={"height_ratios": [2.0, *heights]})
        _draw_distances(upper, breakdown)
        for axes, (heading, bars) in zip(others, panels, strict=True):
            _draw_shares(axes, bars, heading)


def _category_panels(breakdown: Breakdown) -> list[tuple[str, list[tuple[str, Categories]]]]:
    """What the bars of each panel are, and (name, categories) of each bar."""
    margins = [option_text(at.margin) for at in breakdown.margins]
    if not breakdown.classes:
        return [("margin", [(margin, at.categories) for margin, at in zip(margins, breakdown.margins, strict=True)])]
    largest = sorted(breakdown.classes, key=lambda group: -group.points)[:MOST_CLASSES]
    chosen = [group for group in breakdown.classes if group in largest]
    rest = len(breakdown.classes) - len(chosen)
    what = "class" if not rest else f"{len(chosen)} of {len(breakdown.classes)} classes"
    return [
        (f"{what} (margin {margin})", [(shown(str(group.label)), group.categories[at]) for group in chosen])
        for at, margin in enumerate(margins)
    ]


def _draw_distances(axes: Any, breakdown: Breakdown) -> None:
    for position, (name, distances) in enumerate(
        (("to positives d_ap", breakdown.positives), ("to negatives d_an", breakdown.negatives))
    ):
        _draw_steps(axes, breakdown.edges, distances, style.mathematical(name), position)
    axes.set_xlim(breakdown.edges[0], breakdown.edges[-1])
    axes.set_ylim(bottom=0)
    unit = METRIC_UNITS.get(breakdown.metric, breakdown.metric)
    axes.set_xlabel(f"distance ({unit}{', normalised' if breakdown.normalize else ''})")
    axes.set_ylabel("share of pairs (%)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)


def _draw_steps(axes: Any, edges: Sequence[float], distances: Distances, label: str, position: int) -> None:
    shares = [100 * count / max(distances.pairs, 1) for count in distances.counts]
    looks = style.line_style(position)
    axes.stairs(shares, edges, fill=True, alpha=0.18, color=looks["color"], linewidth=0)
    axes.stairs(shares, edges, label=label, linewidth=1.1, **looks)


def _draw_shares(axes: Any, bars: Sequence[tuple[str, Categories]], heading: str) -> None:
    names = [name for name, _ in bars]
    left = [0.0] * len(bars)
    for position, (category, hatch) in enumerate((("easy", ""), ("semi-hard", "////"), ("hard", "xxxx"))):
        shares = [100 * _or_zero(categories.shares[position]) for _, categories in bars]
        axes.barh(
            range(len(bars)), shares, left=left, height=0.72, label=category, color=style.BANDS[category],
            hatch=hatch, edgecolor="white", linewidth=0,
        )  # fmt: skip
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axes.set_yticks(range(len(bars)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of triplets (%)")
    axes.set_ylabel(heading)
    axes.grid(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)


def _count(rows: int) -> str:
    """A number of rows in few characters: 9999, 12.3k, 4.5M."""
    if rows < 10_000:
        return str(rows)
    power = min(int(math.log10(rows)) // 3, 3)
    return f"{rows / 1000**power:.3g}{' kMG'[power]}"


def _or_zero(share: float) -> float:
    return 0.0 if math.isnan(share) else share


# --- rows


def draw_rows(picture: RowPicture, file: IO[bytes], format: str) -> None:
    """The distribution of the row losses, and below it the reliability of the probabilities if there are any."""
    panels = 1 if picture.reliability is None else 2
    with style.figure(file, format, style.COLUMN, 2.1 if panels == 1 else 4.7) as figure:
        stack = figure.subplots(panels, 1, squeeze=False, gridspec_kw={"height_ratios": [1.9, 2.6][:panels]})[:, 0]
        _draw_histogram(stack[0], picture.losses, picture)
        if picture.reliability is not None:
            _draw_reliability(stack[1], picture.reliability)


def _draw_histogram(axes: Any, rows: Histogram, picture: RowPicture) -> None:
    axes.stairs(rows.counts, rows.edges, fill=True, alpha=0.35, color=style.BLUE)
    axes.stairs(rows.counts, rows.edges, color=style.BLUE, linewidth=0.9)
    if not math.isnan(rows.mean):
        axes.axvline(rows.mean, label=f"mean {rows.mean:.3g}", color=style.VERMILLION, linestyle=style.DASHES[1])
        axes.legend(loc="upper right")
    positive = [count for count in rows.counts if count]
    if positive and max(positive) > 50 * min(positive):
        axes.set_yscale("log")
    lost = f"; {rows.infinite} infinite not shown" if rows.infinite else ""
    axes.set_xlabel(f"{pretty(picture.label)} loss of a row{f' ({picture.unit})' if picture.unit else ''}{lost}")
    axes.set_ylabel("rows")
    axes.set_xlim(rows.edges[0], rows.edges[-1])


def _draw_reliability(axes: Any, reliability: Reliability) -> None:
    axes.plot([0, 1], [0, 1], color=style.GREY, linestyle=":", linewidth=0.9, label="as predicted")
    bins = reliability.merged(FEWEST_ROWS).bins
    largest = max(part.count for part in bins)
    for part in bins:
        height, middle = -0.02 - 0.1 * part.count / largest, (part.low + part.high) / 2
        axes.bar(
            part.low, height + 0.02, part.high - part.low, bottom=-0.02, align="edge", color=style.SKY, alpha=0.5,
            edgecolor="white", linewidth=0.5,
        )  # fmt: skip
        axes.text(middle, height - 0.01, _count(part.count), ha="center", va="top", fontsize=5.5)
    reach = np.abs(np.array([part.interval for part in bins]) - [[part.observed] for part in bins]).T
    label = f"observed, 95 % (ECE {reliability.expected_error:.3f})"
    axes.errorbar(
        [part.predicted for part in bins], [part.observed for part in bins], yerr=reach, marker="o", markersize=3,
        color=style.BLUE, linewidth=0.7, elinewidth=1.0, capsize=1.5, label=label,
    )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(-0.22, 1.02), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1], ylabel="share of label 1")
    axes.set_xlabel(f"predicted probability of label 1\n(bars: {reliability.n:,} rows, {FEWEST_ROWS} or more each)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
