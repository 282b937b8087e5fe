"""Suites as text: a sheet, JSON, and JUnit XML for build servers."""

from __future__ import annotations

from xml.etree import ElementTree

from ..results.comparisons import Comparison
from ..results.document import document
from ..results.suites import Outcome, SuiteReport
from ..results.values import Result
from ..text import json_text, shown, xml_text
from .comparisons import verdicts_with_p
from .results import loss_text, number, of_text
from .sheet import Sheet

COLUMNS = (
    "status", "entry", "loss", "group", "average", "keep", "base", "other", "value", "low", "high", "n", "note",
)  # fmt: skip


def sheet(report: SuiteReport, digits: int | None) -> Sheet:
    """One row a value, in the words of the JSON; an entry that ended in an error has one row with the reason."""
    rows = [row for outcome in report.outcomes for row in _rows(outcome, digits)]
    return Sheet(COLUMNS, tuple(rows), numeric=frozenset({"value", "low", "high", "n"}))


def _rows(outcome: Outcome, digits: int | None) -> list[tuple[str, ...]]:
    if outcome.status == "error":
        return [("error", outcome.name, *[""] * (len(COLUMNS) - 3), " ".join(outcome.reasons))]
    rows = [_result_row(outcome, result, digits) for result in outcome.results]
    return rows + [_comparison_row(outcome, comparison, digits) for comparison in outcome.comparisons]


def _result_row(outcome: Outcome, result: Result, digits: int | None) -> tuple[str, ...]:
    ends = (number(end, digits) for end in (result.ci.low, result.ci.high)) if result.ci else ("", "")
    of = (result.group or "", result.average or "", result.keep or "", "", "")
    return (
        result.status, outcome.name, loss_text(result), *of, number(result.value, digits), *ends, str(result.n),
        _note(result),
    )  # fmt: skip


def _note(result: Result) -> str:
    failed = [gate.text for gate in result.gates if not gate.passed]
    return f"not {' and not '.join(failed)}" if failed else ", ".join(gate.text for gate in result.gates)


def _comparison_row(outcome: Outcome, comparison: Comparison, digits: int | None) -> tuple[str, ...]:
    of = (comparison.group or "", "", "", comparison.base, comparison.other)
    values = (number(value, digits) for value in (comparison.difference, comparison.ci.low, comparison.ci.high))
    note = verdicts_with_p(comparison)
    status = "failed" if comparison.failure else "ok"
    return (status, outcome.name, loss_text(comparison), *of, *values, str(comparison.n), note)


def values_of(outcome: Outcome) -> list[Result | Comparison]:
    """All numbers of an entry, in order."""
    return [*outcome.results, *outcome.comparisons]


def table_sheet(report: SuiteReport, digits: int | None) -> Sheet:
    """For a person: what a value is of in words, an interval in one cell."""
    rows = []
    values: list[Result | Comparison | None] = []
    for outcome in report.outcomes:
        values += values_of(outcome) or [None]
    for (status, entry, loss, *_, value, low, high, n, note), of in zip(
        sheet(report, digits or 4).rows, map(_of, values), strict=True
    ):
        mark = status if status == "ok" else status.upper()
        rows.append((shown(entry), loss, mark, of, value, f"{low} .. {high}" if low else "", n, note))
    columns = ("entry", "loss", "status", "of", "value", "interval", "n", "note")
    return Sheet(
        columns,
        tuple(rows),
        frozenset({"value", "interval", "n"}),
        summary(report),
        prose=frozenset({"entry", "of", "note"}),
        spare=("n", "interval", "note"),
        ditto=("entry", "loss"),
    )


def _of(value: Result | Comparison | None) -> str:
    if isinstance(value, Comparison):
        return shown(value.other)
    return of_text(value) if value else ""


def as_json(report: SuiteReport) -> str:
    """One document; its results are those of the losses, so that it serves as a baseline too."""
    return document(
        "run",
        [{"entry": outcome.name, **result.to_dict()} for outcome in report.outcomes for result in outcome.results],
        warnings(report),
        title=report.title,
        suite=report.path,
        entries=[outcome.to_dict() for outcome in report.outcomes],
        comparisons=[
            {"entry": outcome.name, **value.to_dict()} for outcome in report.outcomes for value in outcome.comparisons
        ],
    )


def ndjson(report: SuiteReport) -> str:
    """One value a line, of losses and comparisons."""
    return "".join(
        json_text({"entry": outcome.name, "entry_status": outcome.status, **value.to_dict()}) + "\n"
        for outcome in report.outcomes
        for value in values_of(outcome)
    )


def warnings(report: SuiteReport) -> list[str]:
    """Every warning once, with its entry; those of single groups stand beside their values (JSON, reports)."""
    texts = [
        f"{outcome.name}: {text}"
        for outcome in report.outcomes
        for value in values_of(outcome)
        if isinstance(value, Comparison) or value.group is None
        for text in value.warnings
    ]
    return list(dict.fromkeys(texts))


def junit(report: SuiteReport) -> str:
    """JUnit XML: one test case an entry, its numbers in its output."""
    counts = {"failures": report.count("failed"), "errors": report.count("error")}
    seconds = sum(outcome.seconds for outcome in report.outcomes)
    attributes = {
        "name": report.title,
        "tests": str(len(report.outcomes)),
        **{name: str(count) for name, count in counts.items()},
        "skipped": "0",
        "time": f"{seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {name: xml_text(text) for name, text in attributes.items()})
    suite = ElementTree.SubElement(root, "testsuite", {name: xml_text(text) for name, text in attributes.items()})
    for outcome in report.outcomes:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {
                "classname": xml_text(f"{report.title}.{outcome.kind}"),
                "name": xml_text(outcome.name),
                "time": f"{outcome.seconds:.3f}",
            },
        )
        if outcome.status != "passed":
            tag = "error" if outcome.status == "error" else "failure"
            kind = outcome.error or "gate"
            first = {"message": xml_text(outcome.reasons[0]), "type": kind}
            ElementTree.SubElement(case, tag, first).text = xml_text("\n".join(outcome.reasons))
        ElementTree.SubElement(case, "system-out").text = xml_text(_lines(outcome))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _lines(outcome: Outcome) -> str:
    """The values of an entry, a line each: its loss, what it is of, the value, its interval, rows, and note."""
    if outcome.status == "error":
        return ""
    lines = (
        (row[2], f"{value.other} minus {value.base}" if isinstance(value, Comparison) else of_text(value), *row[8:])
        for row, value in zip(_rows(outcome, None), values_of(outcome), strict=True)
    )
    return "\n".join(" ".join(filter(None, line)) for line in lines)


def summary(report: SuiteReport) -> str:
    """ "7 entries: 6 passed, 1 failed"."""
    words = [f"{report.count(status)} {status}" for status in ("passed", "failed") if report.count(status)]
    errors = report.count("error")
    words += [f"{errors} error{'s' if errors > 1 else ''}"] if errors else []
    n = len(report.outcomes)
    return f"{shown(report.title)}: {n} entr{'ies' if n != 1 else 'y'}: {', '.join(words)}"
