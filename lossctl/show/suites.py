"""Suites as text: a sheet, JSON, and JUnit XML for build servers."""

from __future__ import annotations

from xml.etree import ElementTree

from ..language.registry import find, make
from ..results.values import Comparison, Outcome, Result, SuiteReport
from ..text import json_text, shown, xml_text
from ..version import __version__
from .results import group_text, number
from .sheet import Sheet


def sheet(report: SuiteReport, digits: int | None) -> Sheet:
    """One row a value; an entry that ended in an error has one row with the reason."""
    columns = ("status", "entry", "loss", "of", "value", "low", "high", "n", "note")
    rows = [row for outcome in report.outcomes for row in _rows(outcome, digits)]
    return Sheet(columns, tuple(rows), numeric=frozenset({"value", "low", "high", "n"}))


def _rows(outcome: Outcome, digits: int | None) -> list[tuple[str, ...]]:
    if outcome.status == "error":
        return [("error", outcome.name, "", "", "", "", "", "", " ".join(outcome.reasons))]
    rows = [_result_row(outcome, result, digits) for result in outcome.results]
    return rows + [_comparison_row(outcome, comparison, digits) for comparison in outcome.comparisons]


def _result_row(outcome: Outcome, result: Result, digits: int | None) -> tuple[str, ...]:
    failed = [gate.text for gate in result.gates if not gate.passed]
    ends = (number(end, digits) for end in (result.ci.low, result.ci.high)) if result.ci else ("", "")
    status = "failed" if failed else "passed" if result.gates else "-"
    note = f"not {' and not '.join(failed)}" if failed else ", ".join(gate.text for gate in result.gates)
    return (
        status, outcome.name, loss_text(result), of_text(result), number(result.value, digits), *ends,
        str(result.n), note,
    )  # fmt: skip


def _comparison_row(outcome: Outcome, comparison: Comparison, digits: int | None) -> tuple[str, ...]:
    bad = outcome.status == "failed" and comparison.verdict in ("worse", "unknown")
    of = f"{comparison.other} minus {comparison.base}"
    values = (number(value, digits) for value in (comparison.difference, comparison.ci.low, comparison.ci.high))
    note = f"{comparison.verdict}, p {comparison.p_adjusted:.2g}"
    return ("failed" if bad else "-", outcome.name, loss_text(comparison), of, *values, str(comparison.n), note)


def loss_text(result: Result | Comparison) -> str:
    """A loss with the options that are not its defaults, as a spec writes them."""
    return str(make(find(result.loss), **{name.replace("-", "_"): value for name, value in result.params}))


def values_of(outcome: Outcome) -> list[Result | Comparison]:
    """All numbers of an entry, in order."""
    return [*outcome.results, *outcome.comparisons]


def of_text(result: Result) -> str:
    """What a value is of: a group, all rows, the hardest rows."""
    if result.keep:
        return f"{result.keep} hardest"
    return group_text(result)


VERDICTS = ("better", "worse", "no difference", "different", "unknown")


def table_sheet(report: SuiteReport, digits: int | None) -> Sheet:
    """For a person: an interval is one cell."""
    rows = []
    for status, entry, loss, of, value, low, high, n, note in sheet(report, digits or 4).rows:
        mark = {"passed": "ok", "-": ""}.get(status, status.upper())
        between = f"{low} .. {high}" if low else ""
        of = of.partition(" minus ")[0] if note.startswith(VERDICTS) else of
        rows.append((shown(entry), loss, mark, of, value, between, n, note))
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


def as_json(report: SuiteReport) -> str:
    """One document; its results are those of the losses, so that it serves as a baseline too."""
    document = {
        "schema": "lossctl/1",
        "version": __version__,
        "command": "run",
        "title": report.title,
        "suite": report.path,
        "entries": [outcome.as_json() for outcome in report.outcomes],
        "results": [
            {"entry": outcome.name, **result.as_json()} for outcome in report.outcomes for result in outcome.results
        ],
        "comparisons": [
            {"entry": outcome.name, **value.as_json()} for outcome in report.outcomes for value in outcome.comparisons
        ],
        "warnings": warnings(report),
    }
    return json_text(document, indent=2) + "\n"


def ndjson(report: SuiteReport) -> str:
    """One value a line, of losses and comparisons."""
    return "".join(
        json_text({"entry": outcome.name, "entry_status": outcome.status, **value.as_json()}) + "\n"
        for outcome in report.outcomes
        for value in values_of(outcome)
    )


def warnings(report: SuiteReport) -> list[str]:
    """Every warning once, with its entry."""
    texts = [
        f"{outcome.name}: {text}"
        for outcome in report.outcomes
        for value in values_of(outcome)
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
    rows = [row for row in _rows(outcome, None) if row[0] != "error"]
    return "\n".join(" ".join(cell for cell in row[2:] if cell) for row in rows)


def summary(report: SuiteReport) -> str:
    """ "7 entries: 6 passed, 1 failed"."""
    words = [f"{report.count(status)} {status}" for status in ("passed", "failed") if report.count(status)]
    errors = report.count("error")
    words += [f"{errors} error{'s' if errors > 1 else ''}"] if errors else []
    n = len(report.outcomes)
    return f"{shown(report.title)}: {n} entr{'ies' if n != 1 else 'y'}: {', '.join(words)}"
