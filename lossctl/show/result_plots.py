"""Results as a figure: a point for each value, its interval as a shaded band, the interval of all rows across."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..results.comparisons import Comparison
from ..results.values import Result
from ..text import shown
from . import style
from .results import loss_text, of_text


@dataclass(frozen=True)
class Mark:
    """One line of the figure. low, high: of the interval, nan for none"""

    label: str
    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True, repr=False)
class ResultPlot:
    """A figure of results: a notebook shows it, `save` writes it.

    title: what the values are;  across: the value whose interval is shaded over all lines, None for none
    """

    title: str
    marks: tuple[Mark, ...]
    across: Mark | None

    def save(self, path: str) -> None:
        """Write it as .png, .svg or .pdf. UsageError for another ending, DeviceError without matplotlib."""
        from ..files.writing import atomic_output

        form = path.rpartition(".")[2].lower()
        if form not in style.FORMATS:
            raise UsageError(f"{path}: the name does not say what to draw", fix="end it in .png, .svg or .pdf")
        with atomic_output(path) as file:
            self._draw(file, form)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self._draw(file, "png")
        return file.getvalue()

    def __repr__(self) -> str:
        return f"<figure of {self.title}: {', '.join(mark.label for mark in self.marks)}>"

    def _draw(self, file: Any, form: str) -> None:
        with style.figure(file, form, style.COLUMN, 0.7 + 0.24 * len(self.marks)) as figure:
            axes = figure.subplots()
            if self.across is not None and self.across.has_interval:
                axes.axvspan(self.across.low, self.across.high, color=style.GREY, alpha=0.15, linewidth=0.6)
            for place, mark in enumerate(self.marks):
                if mark.has_interval:
                    axes.barh(
                        place, mark.high - mark.low, left=mark.low, height=0.6, color=style.BLUE, alpha=0.3, linewidth=0
                    )
                if math.isfinite(mark.value):
                    axes.plot(mark.value, place, "o", color=style.BLUE, markersize=3.5)
            axes.use_sticky_edges = False
            axes.set_yticks(range(len(self.marks)), [mark.label for mark in self.marks])
            axes.set_ylim(len(self.marks) - 0.4, -0.6)
            axes.grid(axis="y", visible=False)
            axes.set_xlabel(self.title)


def plot(results: Any) -> ResultPlot:
    """The figure of a result, of results by group, of comparisons, or of a list of such.

    Intervals are shaded; that of all rows, or the line of no difference, goes over all groups. UsageError for others,
    DeviceError without matplotlib.
    """
    style.library()
    values = list(_values(results))
    kinds = {type(value) for value in values}
    if kinds not in ({Result}, {Comparison}):
        raise UsageError(
            "plot draws results, or comparisons", fix="give what lossctl.compute or lossctl.compare returned"
        )
    if isinstance(values[0], Comparison):
        return _of_comparisons(values)
    losses = list(dict.fromkeys(map(loss_text, values)))
    marks = tuple(_mark(value, len(losses) > 1) for value in values)
    overall = marks[0] if len(values) > 1 and len(losses) == 1 and values[0].average == "micro" else None
    return ResultPlot(", ".join(losses), marks, overall)


def _values(results: Any) -> Iterable[Any]:
    """Single values, in order."""
    if isinstance(results, Result | Comparison):
        yield results
    elif hasattr(results, "overall") and hasattr(results, "groups"):
        yield from [results.overall, *([results.macro] if results.macro else []), *results.groups.values()]
    elif isinstance(results, Sequence) and not isinstance(results, str):
        for result in results:
            yield from _values(result)
    else:
        yield results


def _mark(result: Result, is_named: bool) -> Mark:
    label = f"{loss_text(result)}, {of_text(result)}" if is_named else of_text(result)
    return Mark(label, result.value, *((result.ci.low, result.ci.high) if result.ci else ()))


def _of_comparisons(values: Sequence[Comparison]) -> ResultPlot:
    base, losses = shown(values[0].base), list(dict.fromkeys(map(loss_text, values)))
    marks = []
    for value in values:
        of = "" if value.group is None else f" ({shown(value.group)})"
        lead = f"{loss_text(value)}, " if len(losses) > 1 else ""
        marks.append(Mark(f"{lead}{shown(value.other)}{of}", value.difference, value.ci.low, value.ci.high))
    return ResultPlot(f"{', '.join(losses)} minus that of {base}", tuple(marks), Mark("", 0.0, 0.0, 0.0))
