"""Where results go, in which format, and what is said beside them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from ..errors import FileError, UsageError
from ..language.options import FORMATS, settings
from .app import COLOUR_CHOICE, colour, is_seen, say

if TYPE_CHECKING:
    from ..kernels.devices import Device
    from ..show.sheet import Sheet
    from .progress import Bar


ENDINGS = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "tsv",
    ".md": "md",
    ".tex": "latex",
}
MEANT = {  # what formats are called elsewhere
    **dict.fromkeys(("github", "markdown", "gfm", "pipe"), "md"),
    **dict.fromkeys(("tex", "booktabs"), "latex"),
    **dict.fromkeys(("jsonl", "jsonlines", "json-lines"), "ndjson"),
    **dict.fromkeys(("text", "txt", "pretty", "rich", "human"), "table"),
    **dict.fromkeys(("plain", "raw", "value", "number", "quiet"), "bare"),
    **dict.fromkeys(
        ("html", "junit", "xml"), "json, md or table; a suite has lossctl run --report FILE.html, or FILE.xml"
    ),
}
NOT_TEXT = (".npy", ".npz", ".parquet", ".feather", ".xlsx", ".h5", ".pkl", ".pt", ".gz", ".zst")


class Style(NamedTuple):
    """The shared output options of one call, checked."""

    format: str | None
    output: str | None
    quiet: bool
    verbose: bool

    def choose(self, otherwise: str) -> str:
        """The format asked for, or else the one that suits."""
        return self.format or otherwise


def style_of(values: Mapping[str, Any]) -> Style:
    """The shared output options among the values of a command. UsageError."""
    color, output = values.get("color", "auto"), values.get("output")
    if color not in ("auto", "always", "never"):
        raise UsageError(f"--color cannot be {color!r}", fix="use auto, always or never")
    COLOUR_CHOICE.set(color)
    formats = [name for name in ("bare", "json") if values.get(name)]
    if values.get("format") and values["format"] not in formats:
        formats.append(values["format"])
    if len(formats) > 1:
        raise UsageError(f"two output formats: {' and '.join(sorted(formats))}", fix="choose one")
    if formats and formats[0] not in FORMATS:
        meant = MEANT.get(formats[0].lower())
        fix = f"use {meant}" if meant else f"use one of {', '.join(FORMATS)}"
        why = (
            "--summary FILE appends such a table to a file, as to that of GITHUB_STEP_SUMMARY" if meant == "md" else ""
        )
        raise UsageError(f"unknown format {formats[0]!r}", why=why, fix=fix)
    format = formats[0] if formats else ENDINGS.get(ending(output))
    chosen = Style(format, output, values.get("quiet", False), values.get("verbose", False))
    form = "npy" if ending(chosen.output) == ".npy" else chosen.format
    if (
        values.get("digits") is not None
        and form in ("json", "ndjson", "npy")
        and not (values.get("report") or values.get("summary"))
    ):
        raise UsageError(
            f"--digits with {form}", why="programs read it: it holds every digit", fix="leave --digits out"
        )
    return chosen


def alone(flag: str, why: str, values: Mapping[str, Any], command: str, beside: Sequence[str]) -> None:
    """UsageError where a flag that prints something else stands with what it would drop; beside: what it obeys"""
    obeyed = {flag, "output", "quiet", "verbose", "color", *beside}
    for key, row in settings(command, "shell").items():
        if row.name not in obeyed and values.get(key) not in (None, [], row.default_of(command)):
            raise UsageError(f"{row.flag} with --{flag}", why=why, fix="leave one out")


def refuse_stdin(texts: Sequence[Any], why: str) -> None:
    """UsageError where one of the sources is stdin, which can be read once only."""
    from ..files.sources import parse_source

    if any(isinstance(text, str) and parse_source(text).path == "-" for text in texts):
        raise UsageError("stdin ('-') can be read once only", why=why, fix="write it to a file, and name that")


def check(name: str, value: str, allowed: Sequence[str]) -> str:
    """The value of an option that takes a few words. UsageError."""
    if value not in allowed:
        raise UsageError(f"{name} cannot be {value!r}", fix=f"use {' or '.join(allowed)}")
    return value


def device(style: Style, text: str) -> str:
    """The device that a text means, with a word on stderr where the choice was left to lossctl. DeviceError."""
    from ..kernels.devices import choose

    return told(style, choose(text))


def told(style: Style, chosen: Device) -> str:
    """The name of a device, with a word on stderr where the choice was left to lossctl; -q silences it."""
    if chosen.note and not style.quiet:
        say(chosen.note)
    return chosen.name


def close(failures: Sequence[str], style: Style) -> None:
    """Exit with 1 if a gate failed; said on stderr."""
    if not failures:
        return
    if not style.quiet:
        sys.stdout.flush()
        for text in failures:
            say(f"lossctl: gate failed: {text}")
    raise typer.Exit(1)


def ending(path: str | None) -> str:
    """The end of a file's name from the last dot on, in small letters."""
    return os.path.splitext(path or "")[1].lower()


@contextlib.contextmanager
def destination(style: Style, inputs: Sequence[str] = (), *, is_binary: bool = False) -> Iterator[Any]:
    """A writer of text: stdout, or the output file, opened now and put in place only if all goes well.

    is_binary: of bytes, to a file
    """
    if style.output is None or style.output == "-":
        yield sys.stdout
        return
    import io

    from ..files.sources import parse_source
    from ..files.writing import atomic_output, refuse_overwrite_of_inputs

    if ending(style.output) in NOT_TEXT and not is_binary:
        raise UsageError(
            f"-o {style.output}: what would be written is text", fix=f"end it in {', '.join(ENDINGS)} or another name"
        )
    refuse_overwrite_of_inputs(style.output, [parse_source(text).path for text in inputs])
    with atomic_output(style.output) as binary:
        if is_binary:
            yield binary
            return
        writer = io.TextIOWrapper(binary, encoding="utf-8", newline="")
        yield writer
        writer.flush()
        writer.detach()


@contextlib.contextmanager
def picture(path: str | None, inputs: Sequence[str] = ()) -> Iterator[tuple[Any, str] | None]:
    """(a binary file, png, svg or pdf) for a figure, put in place if all goes well; None where none is asked for."""
    if path is None:
        yield None
        return
    from ..files.sources import parse_source
    from ..files.writing import atomic_output, refuse_overwrite_of_inputs
    from ..show import style

    format = path.rpartition(".")[2].lower()
    if format not in style.FORMATS:
        raise UsageError(f"--plot {path}: the name does not say what to draw", fix="end it in .png, .svg or .pdf")
    style.library()
    refuse_overwrite_of_inputs(path, [parse_source(text).path for text in inputs])
    with atomic_output(path) as file:
        yield file, format


@contextlib.contextmanager
def metrics(path: str | None, style: Style, inputs: Sequence[str] = ()) -> Iterator[Any]:
    """A function that writes metrics, (name, number) each, to the file, in place if all goes well."""
    if path is None:
        yield lambda numbers: None
        return
    if ending(path) != ".json":
        raise UsageError(f"--metrics {path}: they are one JSON object", fix="end it in .json")
    with destination(style._replace(output=path), inputs) as writer:

        def write(numbers: Any) -> None:
            from ..show import metrics as show

            text, absent = show.text(numbers)
            writer.write(text)
            warn(style, [f"{path} has no {', '.join(absent)}: not finite"] if absent else [])

        yield write


@contextlib.contextmanager
def summary(path: str | None, others: Sequence[str | None], inputs: Sequence[str] = ()) -> Iterator[Any]:
    """A function that appends a text to the file, which is tried before the work. others: the other outputs"""
    if path is None:
        yield lambda text: None
        return
    from ..files.sources import parse_source
    from ..files.writing import refuse_overwrite_of_inputs, refuse_shared_outputs

    out_of_place(path)
    refuse_shared_outputs([path, *others])
    refuse_overwrite_of_inputs(path, [parse_source(text).path for text in inputs])
    try:
        with open(path, "a", encoding="utf-8"):
            pass
    except OSError as fault:
        raise FileError(f"{path}: {fault.strerror}", fix="give a place that can be written") from fault

    def write(text: str) -> None:
        with open(path, "a", encoding="utf-8", newline="") as file:
            file.write(text)

    yield write


def width() -> int:
    """How many characters a line of a table may have; a pipe has no edge."""
    return shutil.get_terminal_size((1000, 24)).columns


def lines(text: str) -> list[str]:
    """A sentence as lines that fit the terminal."""
    from ..show.sheet import folded

    return folded(text, width())


def sheet_text(sheet: Sheet, format: str) -> str:
    """A sheet in one of the sheet formats; a table fits the terminal."""
    from ..show import sheet as sheets

    if format == "table":
        return sheets.table(sheet, width=max(width(), 40), colour=colour(sys.stdout))
    if format not in sheets.FORMATS:
        raise UsageError(f"this command has no format {format!r}", fix=f"use table, json, {', '.join(sheets.FORMATS)}")
    text: str = sheets.FORMATS[format](sheet)
    return text


def many_format(style: Style) -> str:
    """For many values: a table for a person, TSV for a pipe or a file."""
    return style.choose("table" if sys.stdout.isatty() and style.output is None else "tsv")


def note(style: Style, text: str) -> None:
    """Context on stderr: for a person at a terminal, or with -v."""
    if text and not style.quiet and (style.verbose or (sys.stderr is not None and sys.stderr.isatty())):
        say(text)


def warn(style: Style, warnings: Sequence[str]) -> None:
    """Warnings on stderr, also in a pipe; -q silences them."""
    if not style.quiet:
        for text in warnings:
            say(f"lossctl: warning: {text}")


@contextlib.contextmanager
def progress(style: Style, total: int | None = None, unit: str = "rows") -> Iterator[Any]:
    """A callable that takes how many are done (and of how many), None where nobody sees it."""
    with bar(style, total, unit) as line:
        yield line and line.update


def bar(style: Style, total: int | None = None, unit: str = "rows") -> contextlib.AbstractContextManager[Bar | None]:
    """A bar on a terminal after one second, of what is read too; None where nobody sees it."""
    if style.quiet or not is_seen(sys.stderr):
        return contextlib.nullcontext()
    from .progress import bar

    return bar(unit, total)


def out_of_place(path: str | None) -> None:
    """A directory is no output file."""
    if path and os.path.isdir(path):
        raise FileError(f"{path} is a directory", fix="give the name of a file")
