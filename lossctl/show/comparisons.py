"""Comparisons of systems as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..results.document import document
from ..results.values import Comparison
from ..text import json_text, option_text, shown
from .results import interval_text, number
from .sheet import Sheet

SKETCH = 21  # characters of the drawn interval
WORSE = "worse ▸"


def as_json(comparisons: Sequence[Comparison]) -> str:
    """One document."""
    warnings = [warning for comparison in comparisons for warning in comparison.warnings]
    return document("compare", [comparison.as_json() for comparison in comparisons], warnings)


def ndjson(comparisons: Sequence[Comparison]) -> str:
    """One comparison a line."""
    return "".join(json_text(comparison.as_json()) + "\n" for comparison in comparisons)


def sheet(comparisons: Sequence[Comparison], digits: int | None) -> Sheet:
    """One row a comparison, everything in it: for programs."""
    columns = (
        *("loss", "options", "system", "value", "base", "difference", "low", "high", "p", "p_holm"),
        *("better", "equal", "worse", "n", "verdict"),
    )
    rows = tuple(
        (
            comparison.loss,
            " ".join(f"{name}={option_text(value)}" for name, value in comparison.params),
            comparison.other,
            *(
                number(value, digits)
                for value in (comparison.other_value, comparison.base_value, comparison.difference)
            ),
            *(
                number(value, digits)
                for value in (comparison.ci.low, comparison.ci.high, comparison.p, comparison.p_adjusted)
            ),
            *(
                "" if count is None else str(count)
                for count in (comparison.better, comparison.equal, comparison.worse, comparison.n)
            ),
            comparison.verdict,
        )
        for comparison in comparisons
    )
    return Sheet(columns, rows, numeric=frozenset(columns) - {"loss", "options", "system", "verdict"})


def table_sheet(comparisons: Sequence[Comparison], digits: int | None) -> Sheet:
    """For a person: the base and the others of each loss, the intervals drawn about zero."""
    level = f"{100 * comparisons[0].ci.level:g}% interval"
    columns = ("loss", "system", "value", "difference", level, WORSE, "p", "< = >", "verdict")
    rows: list[tuple[str, ...]] = []
    last = ""
    for comparison in comparisons:
        name = spec_text(comparison, comparisons)
        if name != last:
            base = f"{shown(comparison.base)} (base)"
            rows.append((name, base, _short(comparison.base_value, digits), *[""] * (len(columns) - 3)))
        last = name
        rows.append(
            (
                name,
                shown(comparison.other),
                _short(comparison.other_value, digits),
                signed(comparison.difference, digits),
                f"{signed(comparison.ci.low, digits)} .. {signed(comparison.ci.high, digits)}",
                sketch(comparison, _reach(comparison, comparisons)),
                p_text(comparison.p_adjusted),
                f"{comparison.better} {comparison.equal} {comparison.worse}",
                comparison.verdict.replace("no difference shown", "-"),
            )
        )
    return Sheet(
        columns,
        tuple(rows),
        frozenset({"value", "difference", level, WORSE, "p", "< = >"}),
        title(comparisons[0]),
        spare=("< = >", "value"),
        pictures=frozenset({WORSE}),
        ditto=("loss",),
    )


def p_text(p: float) -> str:
    """Two digits are all that a p-value is good for."""
    return f"{p:.2g}"


def _short(value: float, digits: int | None) -> str:
    return number(value, digits or 4)


def spec_text(comparison: Comparison, comparisons: Sequence[Comparison]) -> str:
    """The loss, with its options where another comparison has other ones."""
    alike = {other.params for other in comparisons if other.loss == comparison.loss}
    options = ",".join(f"{name}={option_text(value)}" for name, value in comparison.params)
    return f"{comparison.loss}:{options}" if len(alike) > 1 and options else comparison.loss


def signed(value: float, digits: int | None) -> str:
    """A difference with its sign, in a few digits."""
    return ("+" if value > 0 else "") + _short(value, digits or 3)


def title(comparison: Comparison) -> str:
    """What the table compares with what."""
    base, n = shown(comparison.base), comparison.n
    rows = "" if comparison.better is None else "; < = > are rows below, at, above the base"
    return f"Differences from {base}, n = {n}; below 0 is better{rows}; p is Holm's over the systems"


def context(comparison: Comparison) -> str:
    """How intervals and p-values were made, in a line."""
    return f"{interval_text(comparison.ci)}; p by {comparison.test}, Holm over the systems of a loss"


def _reach(comparison: Comparison, comparisons: Sequence[Comparison]) -> float:
    ends = [abs(end) for other in comparisons if other.loss == comparison.loss for end in (other.ci.low, other.ci.high)]
    return max((end for end in ends if math.isfinite(end)), default=0.0)


def sketch(comparison: Comparison, reach: float) -> str:
    """The interval as a line about zero: "   ├──●─┤│      "."""
    cells = [" "] * SKETCH
    middle = SKETCH // 2
    cells[middle] = "│"
    ends = (comparison.ci.low, comparison.difference, comparison.ci.high)
    if not reach or not all(map(math.isfinite, ends)):
        return "".join(cells)
    low, at, high = (middle + round(end / reach * middle) for end in ends)
    for position in range(low, high + 1):
        cells[position] = "┼" if position == middle else "─"
    cells[max(0, min(at, SKETCH - 1))] = "●"
    return "".join(cells)
