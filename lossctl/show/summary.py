"""Results as a section of Markdown: what build servers put on their page, one section after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..results.comparisons import Comparison
from ..results.suites import SuiteReport
from ..results.values import Result
from ..text import escaped
from . import comparisons as comparison_text
from . import results as result_text
from . import suites
from .sheet import FORMATS, Sheet

if TYPE_CHECKING:
    from ..api.triplets import Report

DIGITS = 4  # of a number, unless told
MARKS = str.maketrans({mark: "\\" + mark for mark in "\\`*_[<"})


def of_results(results: Sequence[Result], failures: Sequence[str], digits: int | None) -> str:
    """The values of `compute`, their gates and warnings."""
    names = ", ".join(dict.fromkeys(result_text.loss_text(result) for result in results))
    sheet = result_text.sheet(results, digits or DIGITS, signature=False)
    warnings = [f"{result.loss}: {text}" for result in results for text in result.warnings]
    return _section(_judged(names, failures), [sheet], failures, warnings)


def of_comparisons(compared: Sequence[Comparison], digits: int | None) -> str:
    """The differences of `compare`."""
    failures = [system.failure for system in compared if system.failure]
    names = ", ".join(dict.fromkeys(result_text.loss_text(system) for system in compared))
    title = _judged(f"{names}, differences from {compared[0].base}", failures)
    warnings = [text for system in compared for text in system.warnings]
    return _section(title, [comparison_text.sheet(compared, digits or DIGITS)], failures, warnings)


def of_suite(report: SuiteReport, digits: int | None) -> str:
    """All entries of a suite."""
    faults = [f"{outcome.name}: {reason}" for outcome in report.outcomes for reason in outcome.reasons]
    return _section(suites.summary(report), [suites.sheet(report, digits or DIGITS)], faults, suites.warnings(report))


def of_triplets(report: Report) -> str:
    """The tables of `triplets`."""
    from . import triplets

    return _section(
        f"triplets of {report.breakdown.anchors.points} points", triplets.sheets(report), (), triplets.warnings(report)
    )


def _judged(title: str, failures: Sequence[str]) -> str:
    return f"{title}: {len(failures)} gate{'s' if len(failures) > 1 else ''} failed" if failures else title


def _section(title: str, sheets: Sequence[Sheet], faults: Sequence[str], warnings: Sequence[str]) -> str:
    """A heading, tables, and a list of what is wrong and odd; an empty line after each."""
    said = [f"- **failed**: {_plain(text)}" for text in faults]
    said += [f"- warning: {_plain(text)}" for text in dict.fromkeys(warnings)]
    tables = [FORMATS["md"](sheet).replace("<", r"\<") for sheet in sheets]
    return "\n".join([f"### {_plain(title)}\n", *tables, *(["\n".join(said) + "\n"] if said else [])]) + "\n"


def _plain(text: str) -> str:
    """A text in one line that Markdown takes for a text."""
    return escaped(" ".join(text.split())).translate(MARKS)
