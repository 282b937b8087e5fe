"""Comparisons of systems as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..results.comparisons import Comparison, Harm
from ..results.document import document
from ..text import json_text, option_text, shown
from .results import interval_text, number
from .sheet import Sheet

SKETCH = 21  # characters of the drawn interval
WORSE = "worse ▸"


def as_json(comparisons: Sequence[Comparison]) -> str:
    """One document."""
    warnings = [warning for comparison in comparisons for warning in comparison.warnings]
    return document("compare", [comparison.to_dict() for comparison in comparisons], warnings)


def ndjson(comparisons: Sequence[Comparison]) -> str:
    """One comparison a line."""
    return "".join(json_text(comparison.to_dict()) + "\n" for comparison in comparisons)


def sheet(comparisons: Sequence[Comparison], digits: int | None) -> Sheet:
    """One row a comparison, everything in it: for programs."""
    grouped = any(comparison.group is not None for comparison in comparisons)
    columns = (
        *("loss", "params", *(("group",) if grouped else ()), "base", "other", "base_value", "other_value"),
        *("value", "low", "high", "p", "p_adjusted", "better", "equal", "worse", "n", "verdict"),
        *(HARM if comparisons[0].harm else ()),
        *(name for name, _ in comparisons[0].beside),
    )
    rows = tuple(_row(comparison, digits, grouped) for comparison in comparisons)
    texts = {"loss", "params", "group", "base", "other", "verdict", "harm_text", "harm_verdict"}
    return Sheet(columns, rows, numeric=frozenset(columns) - texts)


HARM = (
    *("harm_text", "harm_size", "p_non_inferior", "p_equivalent", "non_inferior_adjusted", "equivalent_adjusted"),
    "harm_verdict",
)


def _row(comparison: Comparison, digits: int | None, grouped: bool) -> tuple[str, ...]:
    ends = (comparison.ci.low, comparison.ci.high, comparison.p, comparison.p_adjusted)
    numbers = (comparison.base_value, comparison.other_value, comparison.difference, *ends)
    counts = (comparison.better, comparison.equal, comparison.worse, comparison.n)
    harm = comparison.harm
    return (
        comparison.loss,
        " ".join(f"{name}={option_text(value)}" for name, value in comparison.params),
        *((comparison.group or "",) if grouped else ()),
        comparison.base,
        comparison.other,
        *(number(value, digits) for value in numbers),
        *("" if count is None else str(count) for count in counts),
        comparison.verdict,
        *((harm.text, *(number(value, digits) for value in harm[1:-1]), harm.verdict) if harm else ()),
        *(number(value, digits) for _, value in comparison.beside),
    )


def table_sheet(comparisons: Sequence[Comparison], digits: int | None) -> Sheet:
    """For a person: the base and the others of each loss, the intervals drawn about zero."""
    level = f"{100 * comparisons[0].ci.level:g}% interval"
    grouped = any(comparison.group is not None for comparison in comparisons)
    extra = tuple(TITLES[name] for name, _ in comparisons[0].beside if name in TITLES)
    columns = (
        *("loss", *(("group",) if grouped else ()), "system", "value", "difference", level, WORSE),
        *("p", *extra, "< = >", "verdict"),
    )
    rows: list[tuple[str, ...]] = []
    last: tuple[str, ...] = ()
    for comparison in comparisons:
        group = ALL if comparison.group is None else shown(comparison.group)
        of = (spec_text(comparison, comparisons), *((group,) if grouped else ()))
        if of != last:
            base = f"{shown(comparison.base)} (base)"
            rows.append((*of, base, _short(comparison.base_value, digits), *[""] * (len(columns) - len(of) - 2)))
        last = of
        rows.append(
            (
                *of,
                shown(comparison.other),
                _short(comparison.other_value, digits),
                signed(comparison.difference, digits),
                f"{signed(comparison.ci.low, digits)} .. {signed(comparison.ci.high, digits)}",
                sketch(comparison, _reach(comparison, comparisons)),
                p_text(comparison.p_adjusted),
                *(_beside(name, value, digits) for name, value in comparison.beside if name in TITLES),
                row_counts(comparison),
                verdict_text(comparison).replace("no difference shown", "-"),
            )
        )
    return Sheet(
        columns,
        tuple(rows),
        frozenset({"value", "difference", level, WORSE, "p", "< = >", *extra}),
        title(comparisons),
        spare=("< = >", "value"),
        pictures=frozenset({WORSE}),
        ditto=("loss", "group"),
    )


ALL = "all"
TITLES = {  # what a table has room for of the numbers beside
    "effect_d": "d", "effect_relative": "of base", "effect_better": "better", "detectable": "detectable",
    "t_p": "p of t", "wilcoxon_p": "p of ranks",
}  # fmt: skip


def _beside(name: str, value: float, digits: int | None) -> str:
    if math.isnan(value):
        return "-"
    if name in ("effect_relative", "effect_better"):
        return f"{100 * value:+.3g}%" if name == "effect_relative" else f"{100 * value:.3g}%"
    return p_text(value) if name.endswith("_p") else number(value, digits or 3)


def row_counts(comparison: Comparison) -> str:
    """How many rows are better, equal, worse; "-" where rows have no loss."""
    if comparison.better is None:
        return "-"
    return f"{comparison.better} {comparison.equal} {comparison.worse}"


def verdict_text(comparison: Comparison) -> str:
    """The verdict, and that about the margin."""
    if comparison.harm is None:
        return comparison.verdict
    return f"{comparison.verdict}; {_harm_text(comparison.harm)}"


def _harm_text(harm: Harm) -> str:
    return harm.verdict.replace("not shown", "harm not excluded")


def verdicts_with_p(comparison: Comparison) -> str:
    """The verdict, and that about the margin, each with the p that it rests on."""
    text, harm = f"{comparison.verdict}, p {p_text(comparison.p_adjusted)}", comparison.harm
    if harm is None:
        return text
    is_of_two = harm.verdict == "equivalent" or math.isnan(harm.non_inferior_adjusted)
    p = harm.equivalent_adjusted if is_of_two else harm.non_inferior_adjusted
    return f"{text}; {_harm_text(harm)}, p {p_text(p)}"


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


def title(comparisons: Sequence[Comparison]) -> str:
    """What the table compares with what."""
    base, n = shown(comparisons[0].base), comparisons[0].n
    rows = "" if comparisons[0].better is None else "; < = > are rows below, at, above the base"
    return f"Differences from {base}, n = {n}; below 0 is better{rows}; p is Holm's over {family(comparisons)}"


def family(comparisons: Sequence[Comparison]) -> str:
    """Over what Holm corrects."""
    if comparisons[0].holm != "loss":
        return "all comparisons"
    grouped = any(comparison.group is not None for comparison in comparisons)
    return "the systems, for groups over systems and groups" if grouped else "the systems"


def context(comparisons: Sequence[Comparison]) -> str:
    """How intervals and p-values were made, in a line."""
    first = comparisons[0]
    of = " of a loss" if first.holm == "loss" else ""
    return f"{interval_text(first.ci)}; p by {first.test}, Holm over {family(comparisons)}{of}"


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
