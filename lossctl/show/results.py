"""Results as text: bare numbers, JSON in the one schema, or a sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..language.registry import find, make
from ..results.document import document
from ..results.values import Interval, Result
from ..text import json_text, option_text, shown

if TYPE_CHECKING:
    from ..results.comparisons import Comparison
    from .sheet import Sheet


def number(value: float, digits: int | None) -> str:
    """A value with full round-trip precision, or rounded to significant digits on request."""
    return repr(value) if digits is None else f"{value:.{digits}g}"


def bare(results: Sequence[Result], digits: int | None) -> str:
    """The numbers alone, a line each."""
    return "".join(number(result.value, digits) + "\n" for result in results)


def as_json(results: Sequence[Result], command: str) -> str:
    """One document: {"schema", "version", "command", "results", "warnings"}."""
    warnings = [warning for result in results for warning in result.warnings]
    return document(command, [result.to_dict() for result in results], warnings)


def ndjson(results: Sequence[Result]) -> str:
    """One result a line."""
    return "".join(json_text(result.to_dict()) + "\n" for result in results)


def loss_text(result: Result | Comparison) -> str:
    """A loss with the options that are not its defaults, as a spec writes them."""
    return str(make(find(result.loss), **{name.replace("-", "_"): value for name, value in result.params}))


def sheet(results: Sequence[Result], digits: int | None, *, signature: bool) -> Sheet:
    """One row a result."""
    from .sheet import Sheet

    grouped = any(result.group is not None or result.average for result in results)
    extra = _extra_columns(results, digits)
    columns = ("loss", "params", "reduction", *(("group", "average") if grouped else ()), "value", *extra, "n")
    columns += ("signature",) if signature else ()
    rows = tuple(
        (
            result.loss,
            " ".join(f"{name}={option_text(value)}" for name, value in result.params),
            result.reduction if result.keep is None else f"{result.reduction} of the {result.keep} hardest",
            *((shown(result.group or ""), result.average or "") if grouped else ()),
            number(result.value, digits),
            *(text(result) for text in extra.values()),
            str(result.n),
            *((result.signature,) if signature else ()),
        )
        for result in results
    )
    return Sheet(
        columns,
        rows,
        frozenset({"value", "n", "low", "high", "standard_error"}),
        spare=("standard_error", "reduction", "params"),
        brief={"params": tuple(loss_text(result).partition(":")[2].replace(",", " ") for result in results)},
    )


def _extra_columns(results: Sequence[Result], digits: int | None) -> dict[str, Callable[[Result], str]]:
    """The columns of intervals and gates, where there are any: name -> its cell."""
    columns: dict[str, Callable[[Result], str]] = {}
    if any(result.ci for result in results):
        columns["low"] = lambda result: number(result.ci.low, digits) if result.ci else ""
        columns["high"] = lambda result: number(result.ci.high, digits) if result.ci else ""
        columns["standard_error"] = lambda result: number(result.ci.standard_error, digits) if result.ci else ""
    if any(result.gates for result in results):
        columns["gate"] = lambda result: "passed" if all(gate.passed for gate in result.gates) else "FAILED"
    return columns


def of_text(result: Result) -> str:
    """What a value is of, in words: a group, all rows, the hardest of them, or the mean over the groups."""
    of = "mean of groups" if result.average == "macro" else "all"
    of = of if result.group is None else f"group {shown(result.group)}"
    if not result.keep:
        return of
    kept = f"{result.keep} hardest"
    return kept if result.group is None and result.average is None else f"{kept} of each group: {of}"


def context(result: Result) -> str:
    """What a person at a terminal wants to know of a bare number, in a line or two."""
    options = ", ".join(f"{name} {option_text(value)}" for name, value in result.params)
    title = f"{result.loss} ({options})" if options else result.loss
    rows = f"{result.n} row{'s' if result.n != 1 else ''}"
    lines = [f"{title}: {result.reduction} of {rows}, {result.dtype}", *result.notes]
    if result.ci:
        lines.append(interval_text(result.ci))
    return "\n".join(lines)


def interval_text(ci: Interval) -> str:
    """How an interval was made, in a line."""
    if ci.method == "jackknife":
        return f"{ci.level:.6g} interval by jackknife, without each of {ci.resamples} blocks of {ci.units} {ci.unit}"
    if ci.method == "seeds":
        return f"{ci.level:.6g} interval by Student's t over {ci.units} seeds"
    return f"{ci.level:.6g} interval by {ci.method}, {ci.resamples} resamples of {ci.units} {ci.unit}, seed {ci.seed}"
