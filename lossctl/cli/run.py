"""`lossctl run SUITE.yaml`: many losses, gates and comparisons from one file, and their reports."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..text import shown
from . import intake, output
from .app import EXIT_CODES, say, single

if TYPE_CHECKING:
    from ..api.suite_file import Suite
    from ..results.values import SuiteReport

FORMATS = ("table", "json", "ndjson", "tsv", "csv", "md", "latex", "junit", "html")
SUFFIXES = {
    ".json": "json", ".ndjson": "ndjson", ".tsv": "tsv", ".csv": "csv", ".md": "md", ".tex": "latex",
    ".xml": "junit", ".html": "html", ".htm": "html",
}  # fmt: skip

SuiteFile = Annotated[str | None, typer.Argument(metavar="SUITE.yaml", help="What to compute, compare and hold to.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="TEXT", help="Only entries whose name holds this text; repeatable."),
]
Schema = Annotated[bool, typer.Option("--schema", help="Print the JSON schema of suites.")]
Format = Annotated[str | None, typer.Option("-f", "--format", metavar="|".join(FORMATS), help="Output format.")]
Report = Annotated[
    list[str] | None,
    typer.Option(
        "--report", metavar="FILE", help="Write a report too; .html, .xml (JUnit), .json, .csv ...; repeatable."
    ),
]
Signature = Annotated[bool, typer.Option("--signature", help="Hash the data into the signatures (reads it again).")]


def command() -> Any:
    """The command."""
    return single(run, "run")


def run(
    suite: SuiteFile = None,
    only: Only = None,
    schema: Schema = False,
    report: Report = None,
    format: Format = None,
    json: output.Json = False,
    out: output.Output = None,
    digits: output.Digits = None,
    signature: Signature = False,
    jobs: intake.Jobs = None,
    quiet: output.Quiet = False,
    verbose: output.Verbose = False,
    color: output.Colour = "auto",
) -> None:
    """Everything a suite asks for: losses, groups, intervals, gates, comparisons.

    Exits with 1 if a gate fails; an entry with an error stops no other entry, and gives its exit code at the end.
    """
    from ..api import suite_file as suites

    own = format if format in ("junit", "html") else None
    style = output.style(None if own else format, json, out, quiet, verbose, color)
    if schema:
        import json as json_text

        with output.destination(style) as writer:
            writer.write(json_text.dumps(suites.schema(), indent=2) + "\n")
        return
    if suite is None:
        raise UsageError("no suite", fix="lossctl run SUITE.yaml, or --schema for what one may hold")
    reports = {path: _format_of(path) for path in report or ()}
    chosen = own or style.format or SUFFIXES.get(os.path.splitext(out or "")[1].lower()) or output.many_format(style)
    if chosen == "bare":
        raise UsageError("a suite has no bare form", fix=f"use {', '.join(FORMATS)}")
    loaded = suites.load(suite)
    inputs = [suite, *_files_of(loaded)]
    with _all_open(style, reports, inputs) as writers:
        found = _run(loaded, only or [], jobs, signature, style)
        writers[None].write(_text(found, chosen, digits))
        for path, kind in reports.items():
            writers[path].write(_text(found, kind, digits))
    from ..show import suites as show

    sys.stdout.flush()
    output.warn(style, show.warnings(found))
    _close(found, style)


def _format_of(path: str) -> str:
    kind = SUFFIXES.get(os.path.splitext(path)[1].lower())
    if kind is None:
        raise UsageError(f"what is a report called {path!r}?", fix=f"use an ending of {', '.join(SUFFIXES)}")
    return kind


def _files_of(suite: Suite) -> list[str]:
    """Everything the suite reads, which a report must not overwrite."""
    names = ("inputs", "others", "base", "target", "weight", "group", "cluster", "baseline")
    found: list[str] = []
    for entry in suite.entries:
        for value in (entry.values[name] for name in names if name in entry.values):
            found += value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return found


def _all_open(style: output.Style, reports: dict[str, str], inputs: list[str]) -> Any:
    """A writer for the output and for each report, all opened before the work; all in place after it, or none."""
    import contextlib

    @contextlib.contextmanager
    def opened() -> Any:
        with contextlib.ExitStack() as stack:
            writers: dict[str | None, Any] = {None: stack.enter_context(output.destination(style, inputs))}
            for path in reports:
                writers[path] = stack.enter_context(output.destination(style._replace(output=path), inputs))
            yield writers

    return opened()


def _run(suite: Suite, only: list[str], jobs: int | None, signature: bool, style: output.Style) -> SuiteReport:
    from ..api.suite import run

    shows = not style.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def progress(name: str) -> None:
        print(f"\r\033[K{shown(name)} ...", end="", file=sys.stderr, flush=True)

    try:
        return run(suite, only=only, jobs=jobs, data_hash=signature, progress=progress if shows else None)
    finally:
        if shows:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _text(found: SuiteReport, format: str, digits: int | None) -> str:
    from ..show import suites as show

    if format == "json":
        return show.as_json(found)
    if format == "ndjson":
        return show.ndjson(found)
    if format == "junit":
        return show.junit(found)
    if format == "html":
        from ..show.report import html

        text: str = html(found, digits or 4)
        return text
    if format == "table":
        return output.sheet_text(show.table_sheet(found, digits), format)
    return output.sheet_text(show.sheet(found, digits), format)


def _close(found: SuiteReport, style: output.Style) -> None:
    """Say what failed; exit with the code of the first error, else with 1 if a gate failed."""
    from .. import errors

    codes = [EXIT_CODES[getattr(errors, one.error)] for one in found.outcomes if one.error]
    if not style.quiet:
        for outcome in found.outcomes:
            for reason in outcome.reasons[: 1 if outcome.status == "error" else None]:
                word = "error" if outcome.status == "error" else "gate failed"
                say(f"lossctl: {word}: {outcome.name}: {reason}")
    if codes or found.count("failed"):
        raise typer.Exit(codes[0] if codes else 1)
