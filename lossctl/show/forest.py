"""Values with their intervals as one picture: a self-contained SVG that follows the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..text import html_text as escape


class ForestShape(NamedTuple):
    """Where things stand, in pixels: the height of a line, the scale from `left` on, and what is right of it.

    is_stacked: labels and values are above the scale, not beside it
    """

    name: str
    row: int
    left: int
    width: int
    right: int
    is_stacked: bool = False


WIDE = ForestShape("wide", 26, 230, 470, 150)
NARROW = ForestShape("narrow", 42, 8, 300, 12, True)  # for the width of a phone
TOP, BOTTOM = 14, 34  # pixels
LONGEST_LABEL = 36
CHARACTER = 7.5  # pixels that one takes at most


class ForestBar(NamedTuple):
    """One line of the picture.

    low, high: the interval, nan for none;  tone: "plain", "good", "bad" or "strong"
    """

    label: str
    value: float
    low: float = math.nan
    high: float = math.nan
    tone: str = "plain"
    text: str = ""


def svg(
    bars: Sequence[ForestBar],
    *,
    title: str,
    marks: Sequence[tuple[float, str]] = (),
    from_zero: bool = True,
    shape: ForestShape = WIDE,
) -> str:
    """Bars on one scale, with vertical marks (limits, zero). Empty where no bar has a finite value.

    from_zero: the scale holds 0, so that lengths may be compared
    """
    shown = [bar for bar in bars if math.isfinite(bar.value)]
    if not shown:
        return ""
    ends = [end for bar in shown for end in (bar.value, bar.low, bar.high) if math.isfinite(end)]
    ends += [at for at, _ in marks if math.isfinite(at)] + ([0.0] if from_zero else [])
    ticks = ticks_between(min(ends), max(ends))
    ticks = ticks[::2] if shape.is_stacked and len(ticks) > 5 else ticks
    low, high = min(ticks[0], min(ends)), max(ticks[-1], max(ends))

    def x(value: float) -> float:
        return shape.left + shape.width * (value - low) / (high - low)

    height = TOP + shape.row * len(shown) + BOTTOM
    parts = [
        f'<svg class="forest {shape.name}" viewBox="0 0 {shape.left + shape.width + shape.right} {height}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>'
    ]
    bottom = height - BOTTOM
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(_below("tick", x(tick), bottom + 16, f"{tick:.4g}", shape))
    for at, name in marks:
        if math.isfinite(at):
            parts.append(f'<line class="mark" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{TOP - 4}" y2="{bottom}"/>')
            parts.append(_below("mark", x(at), bottom + 29, name, shape))
    for position, bar in enumerate(shown):
        parts.append(_bar(bar, TOP + shape.row * (position + 0.5), x, shape))
    return "".join([*parts, "</svg>"])


def _below(kind: str, x: float, y: float, text: str, shape: ForestShape) -> str:
    """A text in the middle below x, or at the edge of the picture where it would stick out."""
    half, edge = CHARACTER * len(text) / 2, shape.left + shape.width + shape.right
    place, anchor = (x, "middle")
    if x - half < 2:
        place, anchor = 2, "start"
    elif x + half > edge - 2:
        place, anchor = edge - 2, "end"
    return f'<text class="{kind}" x="{place:.1f}" y="{y}" style="text-anchor: {anchor}">{escape(text)}</text>'


def _bar(bar: ForestBar, y: float, x, shape: ForestShape) -> str:  # type: ignore[no-untyped-def]
    label = bar.label if len(bar.label) <= LONGEST_LABEL else bar.label[: LONGEST_LABEL - 1] + "…"
    edge, over, y = (shape.left, y - 8, y + 8) if shape.is_stacked else (shape.left - 10, y + 4, y)
    text = f'<text class="label" x="{edge}" y="{over:.1f}">{escape(label)}</text>'
    line = ""
    if math.isfinite(bar.low) and math.isfinite(bar.high):
        line = f'<line class="interval" x1="{x(bar.low):.1f}" x2="{x(bar.high):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    tip = f"{bar.label}: {bar.value!r}" + (f" ({bar.low:.6g} to {bar.high:.6g})" if line else "")
    dot = f'<circle cx="{x(bar.value):.1f}" cy="{y:.1f}" r="4.5"/>'
    right = shape.left + shape.width + (0 if shape.is_stacked else 10)
    value = f'<text class="value" x="{right}" y="{over:.1f}">{escape(bar.text)}</text>'
    return f'<g class="{bar.tone}"><title>{escape(tip)}</title>{text}{line}{dot}{value}</g>'


def ticks_between(low: float, high: float) -> list[float]:
    """Four to nine round numbers that span [low, high]."""
    span = high - low
    if span < 1e-300 or not math.isfinite(span):
        pad = max(abs(low), abs(high)) / 2
        pad = pad if pad > 1e-300 else 1.0
        low, span = low - pad, high - low + 2 * pad
    step = 10.0 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if span / (step * factor) <= 7)
    first = math.floor(low / step)
    return [at * step for at in range(first, math.ceil((low + span) / step) + 1)]
