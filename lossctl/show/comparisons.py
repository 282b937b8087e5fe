"""Comparisons of systems as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..results.values import Comparison
from ..text import json_text, option_text, shown
from ..version import __version__
from .results import interval_text, number
from .sheet import Sheet

SKETCH = 21  # characters of the drawn interval
ROOM = 118  # columns of a terminal that has room for it
WORSE = "worse ▸"


def as_json(found: Sequence[Comparison]) -> str:
    """One document."""
    document = {
        "schema": "lossctl/1",
        "version": __version__,
        "command": "compare",
        "results": [one.as_json() for one in found],
        "warnings": [warning for one in found for warning in one.warnings],
    }
    return json_text(document, indent=2) + "\n"


def ndjson(found: Sequence[Comparison]) -> str:
    """One comparison a line."""
    return "".join(json_text(one.as_json()) + "\n" for one in found)


def sheet(found: Sequence[Comparison], digits: int | None) -> Sheet:
    """One row a comparison, everything in it: for programs."""
    columns = (
        *("loss", "options", "system", "value", "base", "difference", "low", "high", "p", "p_holm"),
        *("better", "equal", "worse", "n", "verdict"),
    )
    rows = tuple(
        (
            one.loss,
            " ".join(f"{name}={option_text(value)}" for name, value in one.params),
            one.other,
            *(number(value, digits) for value in (one.other_value, one.base_value, one.difference)),
            *(number(value, digits) for value in (one.ci.low, one.ci.high, one.p, one.p_adjusted)),
            *(str(count) for count in (one.better, one.equal, one.worse, one.n)),
            one.verdict,
        )
        for one in found
    )
    return Sheet(columns, rows, numeric=frozenset(columns) - {"loss", "options", "system", "verdict"})


def table_sheet(found: Sequence[Comparison], digits: int | None, width: int) -> Sheet:
    """For a person: the base and the others of each loss; where there is room, intervals are drawn about zero."""
    level = f"{100 * found[0].ci.level:g}% interval"
    columns = (
        "loss",
        "system",
        "value",
        "difference",
        level,
        *((WORSE,) if width >= ROOM else ()),
        "p",
        "rows < = >",
        "verdict",
    )
    rows: list[tuple[str, ...]] = []
    last = ""
    for one in found:
        name = spec_text(one, found)
        if name != last:
            rows.append((name, f"{shown(one.base)} (base)", _short(one.base_value, digits), *[""] * (len(columns) - 3)))
        last = name
        rows.append(
            (
                "",
                shown(one.other),
                _short(one.other_value, digits),
                signed(one.difference, digits),
                f"{signed(one.ci.low, digits)} .. {signed(one.ci.high, digits)}",
                *((sketch(one, _reach(one, found)),) if width >= ROOM else ()),
                p_text(one.p_adjusted),
                f"{one.better} {one.equal} {one.worse}",
                one.verdict.replace("no difference shown", "-"),
            )
        )
    numeric = frozenset({"value", "difference", level, WORSE, "p", "rows < = >"})
    return Sheet(columns, tuple(rows), numeric=numeric, title=title(found[0]))


def p_text(p: float) -> str:
    """Two digits are all that a p-value is good for."""
    return f"{p:.2g}"


def _short(value: float, digits: int | None) -> str:
    return number(value, digits or 4)


def spec_text(one: Comparison, found: Sequence[Comparison]) -> str:
    """The loss, with its options where another comparison has other ones."""
    alike = {other.params for other in found if other.loss == one.loss}
    options = ",".join(f"{name}={option_text(value)}" for name, value in one.params)
    return f"{one.loss}:{options}" if len(alike) > 1 and options else one.loss


def signed(value: float, digits: int | None) -> str:
    """A difference with its sign, in a few digits."""
    return ("+" if value > 0 else "") + _short(value, digits or 3)


def title(one: Comparison) -> str:
    """What the table compares with what."""
    return f"Differences from {shown(one.base)}, n = {one.n}; below 0 is better; p is Holm's over the systems"


def context(one: Comparison) -> str:
    """How intervals and p-values were made, in a line."""
    return f"{interval_text(one.ci)}; p by {one.test}, Holm over the systems of a loss"


def _reach(one: Comparison, found: Sequence[Comparison]) -> float:
    ends = [abs(end) for other in found if other.loss == one.loss for end in (other.ci.low, other.ci.high)]
    return max((end for end in ends if math.isfinite(end)), default=0.0)


def sketch(one: Comparison, reach: float) -> str:
    """The interval as a line about zero: "   ├──●─┤│      "."""
    cells = [" "] * SKETCH
    middle = SKETCH // 2
    cells[middle] = "│"
    ends = (one.ci.low, one.difference, one.ci.high)
    if not reach or not all(map(math.isfinite, ends)):
        return "".join(cells)
    low, at, high = (middle + round(end / reach * middle) for end in ends)
    for position in range(low, high + 1):
        cells[position] = "┼" if position == middle else "─"
    cells[max(0, min(at, SKETCH - 1))] = "●"
    return "".join(cells)
