"""`lossctl run SUITE.yaml`: many losses, gates and comparisons from one file, and their reports."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..language.options import RUN
from . import options, output
from .app import EXIT_CODES, say

if TYPE_CHECKING:
    from ..api.suite_file import Suite
    from ..results.suites import SuiteReport

FORMATS = ("table", "json", "ndjson", "tsv", "csv", "md", "latex", "junit", "html")
SUFFIXES = {
    ".json": "json", ".ndjson": "ndjson", ".tsv": "tsv", ".csv": "csv", ".md": "md", ".tex": "latex",
    ".xml": "junit", ".html": "html", ".htm": "html",
}  # fmt: skip

SUITE = Annotated[
    str | None, typer.Argument(metavar="SUITE.yaml", help="What to compute, compare and hold to; - is stdin.")
]


def command() -> Any:
    """The command."""
    return options.command(run, RUN, [("suite", SUITE, None)])


def run(values: Mapping[str, Any]) -> None:
    """Everything a suite asks for: losses, groups, intervals, gates, comparisons.

    Exits with 1 if a gate fails; an entry with an error stops no other entry, and gives its exit code at the end.
    """
    from ..api import suite_file as suites

    suite, path = values["suite"], values["output"]
    own = values["format"] if values["format"] in ("junit", "html") else None
    if own and values["json"]:
        raise UsageError(f"two output formats: {own} and json", fix="choose one")
    style = output.style_of({**values, "format": None} if own else values)
    if values["schema"]:
        import json

        why = "it prints the schema of suites and reads none"
        output.alone("schema", why, values, RUN, ())
        if suite is not None:
            raise UsageError(f"--schema with {suite}", why=why, fix="leave one out")
        with output.destination(style) as writer:
            writer.write(json.dumps(suites.schema(), indent=2) + "\n")
        return
    if suite is None:
        raise UsageError("no suite", fix="lossctl run SUITE.yaml, or --schema for what one may hold")
    reports = {path: _format_of(path) for path in values["report"] or ()}
    chosen = own or style.format or SUFFIXES.get(os.path.splitext(path or "")[1].lower()) or output.many_format(style)
    if chosen == "bare":
        raise UsageError("a suite has no bare form", fix=f"use {', '.join(FORMATS)}")
    if values["signature"] and not {chosen, *reports.values()} & {"json", "ndjson", "html"}:
        why = "signatures are in JSON and HTML only"
        raise UsageError(f"--signature with {chosen}", why=why, fix="use -f json, or leave --signature out")
    loaded = suites.load(suite)
    inputs = [suite, *suites.files(loaded)]
    with (
        _all_open(style, reports, inputs) as writers,
        output.metrics(values["metrics"], style, inputs) as write_metrics,
        output.summary(values["summary"], [path, values["metrics"], *reports], inputs) as write_summary,
    ):
        report = _run(loaded, values, style)
        writers[None].write(_text(report, chosen, values["digits"]))
        for path, kind in reports.items():
            writers[path].write(_text(report, kind, values["digits"]))
        if values["metrics"]:
            from ..show.metrics import of_suite

            write_metrics(of_suite(report))
        if values["summary"]:
            from ..show import summary

            write_summary(summary.of_suite(report, values["digits"]))
    from ..show import suites as show

    sys.stdout.flush()
    output.warn(style, show.warnings(report))
    _close(report, style)


def _format_of(path: str) -> str:
    kind = SUFFIXES.get(os.path.splitext(path)[1].lower())
    if kind is None:
        raise UsageError(f"what is a report called {path!r}?", fix=f"use an ending of {', '.join(SUFFIXES)}")
    return kind


def _all_open(style: output.Style, reports: dict[str, str], inputs: list[str]) -> Any:
    """A writer for the output and for each report, all opened before the work; all in place after it, or none."""

    @contextlib.contextmanager
    def opened() -> Any:
        with contextlib.ExitStack() as stack:
            writers: dict[str | None, Any] = {None: stack.enter_context(output.destination(style, inputs))}
            for path in reports:
                writers[path] = stack.enter_context(output.destination(style._replace(output=path), inputs))
            yield writers

    return opened()


def _run(suite: Suite, values: Mapping[str, Any], style: output.Style) -> SuiteReport:
    from ..api.asked import asked, memory_of, workers_of
    from ..api.suite import run

    call = asked(values, RUN, "shell")
    jobs, memory = workers_of(call), memory_of(call)

    with output.bar(style) as line:
        return run(
            suite,
            only=values["only"] or (),
            jobs=jobs,
            data_hash=values["signature"],
            memory=memory,
            progress=line.name if line else None,
        )


def _text(report: SuiteReport, format: str, digits: int | None) -> str:
    from ..show import suites as show

    if format == "json":
        return show.as_json(report)
    if format == "ndjson":
        return show.ndjson(report)
    if format == "junit":
        return show.junit(report)
    if format == "html":
        from ..show.report import html

        text: str = html(report, digits or 4)
        return text
    if format == "table":
        return output.sheet_text(show.table_sheet(report, digits), format)
    return output.sheet_text(show.sheet(report, digits), format)


def _close(report: SuiteReport, style: output.Style) -> None:
    """Say what failed; exit with the code of the first error, else with 1 if a gate failed."""
    from .. import errors

    codes = [EXIT_CODES[getattr(errors, outcome.error)] for outcome in report.outcomes if outcome.error]
    if not style.quiet:
        for outcome in report.outcomes:
            for reason in outcome.reasons[: 1 if outcome.status == "error" else None]:
                word = "error" if outcome.status == "error" else "gate failed"
                say(f"lossctl: {word}: {outcome.name}: {reason}")
    if codes or report.count("failed"):
        raise typer.Exit(codes[0] if codes else 1)
