"""Figures of data: how hard triplets are, how row losses are spread, how long kernels take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import IO, Any

from ..results.breakdown import Breakdown, Categories, Distances
from ..results.distributions import Histogram, Reliability, RowPicture
from ..text import option_text, shown
from . import style
from .scale import pretty

MOST_CLASSES = 20
METRIC_UNITS = {
    "euclidean": "embedding units",
    "sqeuclidean": "squared embedding units",
    "cosine": "1 - cosine",
}


# --- triplets


def draw_breakdown(found: Breakdown, file: IO[bytes], format: str) -> None:
    """Distances to positives and to negatives, and the categories at each margin, or by class of the anchor if given.

    With several margins, the classes are shown at the first. At most twenty classes, those with the most points.
    """
    bars, heading = _category_bars(found)
    height = 2.3 + 0.5 + 0.16 * (len(bars) + 2)
    with style.figure(file, format, style.COLUMN, height) as figure:
        upper, lower = figure.subplots(2, 1, gridspec_kw={"height_ratios": [2.0, 0.5 + 0.16 * len(bars)]})
        _draw_distances(upper, found)
        _draw_shares(lower, bars, heading)


def _category_bars(found: Breakdown) -> tuple[list[tuple[str, Categories]], str]:
    """(name, categories) of each bar, and what the bars are."""
    margins = [option_text(at.margin) for at in found.margins]
    if not found.classes:
        return [(margin, at.categories) for margin, at in zip(margins, found.margins, strict=True)], "margin"
    largest = sorted(found.classes, key=lambda one: -one.points)[:MOST_CLASSES]
    chosen = [one for one in found.classes if one in largest]
    rest = len(found.classes) - len(chosen)
    heading = f"class (margin {margins[0]})" if not rest else f"{len(chosen)} of {len(found.classes)} classes"
    return [(shown(str(one.label)), one.categories[0]) for one in chosen], heading


def _draw_distances(axes: Any, found: Breakdown) -> None:
    for position, (name, distances) in enumerate(
        (("to positives d_ap", found.positives), ("to negatives d_an", found.negatives))
    ):
        _draw_steps(axes, found.edges, distances, style.mathematical(name), position)
    axes.set_xlim(found.edges[0], found.edges[-1])
    axes.set_ylim(bottom=0)
    unit = METRIC_UNITS.get(found.metric, found.metric)
    axes.set_xlabel(f"distance ({unit}{', normalised' if found.normalize else ''})")
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
        shares = [100 * _or_zero(one.shares[position]) for _, one in bars]
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


def _or_zero(share: float) -> float:
    return 0.0 if math.isnan(share) else share


# --- rows


def draw_rows(found: RowPicture, file: IO[bytes], format: str) -> None:
    """The distribution of the row losses, and below it the reliability of the probabilities if there are any."""
    panels = 1 if found.reliability is None else 2
    with style.figure(file, format, style.COLUMN, 2.1 if panels == 1 else 4.7) as figure:
        stack = figure.subplots(panels, 1, squeeze=False, gridspec_kw={"height_ratios": [1.9, 2.6][:panels]})[:, 0]
        _draw_histogram(stack[0], found.losses, found)
        if found.reliability is not None:
            _draw_reliability(stack[1], found.reliability)


def _draw_histogram(axes: Any, rows: Histogram, found: RowPicture) -> None:
    axes.stairs(rows.counts, rows.edges, fill=True, alpha=0.35, color=style.BLUE)
    axes.stairs(rows.counts, rows.edges, color=style.BLUE, linewidth=0.9)
    if not math.isnan(rows.mean):
        axes.axvline(rows.mean, label=f"mean {rows.mean:.3g}", color=style.VERMILLION, linestyle=style.DASHES[1])
        axes.legend(loc="upper right")
    positive = [count for count in rows.counts if count]
    if positive and max(positive) > 50 * min(positive):
        axes.set_yscale("log")
    lost = f"; {rows.infinite} infinite not shown" if rows.infinite else ""
    axes.set_xlabel(f"{pretty(found.label)} loss of a row{f' ({found.unit})' if found.unit else ''}{lost}")
    axes.set_ylabel("rows")
    axes.set_xlim(rows.edges[0], rows.edges[-1])


def _draw_reliability(axes: Any, found: Reliability) -> None:
    axes.plot([0, 1], [0, 1], color=style.GREY, linestyle=":", linewidth=0.9, label="as predicted")
    largest = max(one.count for one in found.bins)
    for one in found.bins:
        height = 0.16 * one.count / largest
        axes.bar(one.low, height, one.high - one.low, align="edge", color=style.SKY, alpha=0.5, linewidth=0)
    predicted, observed = ([getattr(one, name) for one in found.bins] for name in ("predicted", "observed"))
    label = f"observed (ECE {found.expected_error:.3f})"
    axes.plot(predicted, observed, marker="o", markersize=3, color=style.BLUE, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of label 1")
    axes.set_xlabel(f"predicted probability of label 1 (bars: {found.n} rows)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
