"""`lossctl curve LOSS...`: what a loss does, as a picture or as points."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from . import options, output
from .app import colour

if TYPE_CHECKING:
    from ..curves.pictures import Picture, Plane, Regions

TABLES = ("tsv", "csv", "md", "latex", "json")
FIGURES = ("png", "svg", "pdf")
WIDTH = 100  # of a text plot that no terminal shows

LOSSES = Annotated[
    list[str], typer.Argument(metavar="LOSS...", help="Losses with their options, such as focal:gamma=2,alpha=0.25.")
]


def command() -> Any:
    """The command."""
    return options.command(curve, "curve", [("losses", LOSSES, Parameter.empty)])


def curve(values: Mapping[str, Any]) -> None:
    """What a loss does: its curve against its natural variable, or its contours, and its slope with --grad.

    On a terminal a plot of text, in a pipe the points as TSV. Try: lossctl curve focal --sweep gamma=0,0.5,1,2,5
    """
    is_plot = values["format"] == "plot"
    if is_plot and values["json"]:
        raise UsageError("two output formats: json and plot", fix="choose one")
    style = output.style_of({**values, "format": None} if is_plot else values)
    form = _form(style, plot=is_plot)
    from ..curves.entries import read
    from ..curves.entries import sweep as swept
    from ..curves.tracing import trace

    entries = tuple(read(text) for text in values["losses"])
    sweeps = [_assignment("--sweep", text, "gamma=0,0.5,1,2,5") for text in values["sweep"] or ()]
    if len({option for option, _ in sweeps}) < len(sweeps):
        raise UsageError("two --sweep of one option", fix="give all its values at once: gamma=0,1,2")
    for option, numbers in sweeps:
        entries = swept(entries, option, numbers.split(","))
    variable, span = _variable(values["x"])
    log = values["log"] or ""
    if log not in ("", "x", "y", "xy"):
        raise UsageError(f"--log cannot be {log!r}", fix="use x or y or xy")
    if "y" in log and form in TABLES:
        raise UsageError(
            "--log y is of a picture, and a table has none",
            fix=f"leave {'y' if 'x' in log else '--log'} out, or draw it: -f plot, -o FILE.svg",
        )
    with output.destination(style) as writer:
        picture = trace(
            entries,
            variable=variable,
            span=span,
            at=_fixed(values["at"]),
            points=values["points"],
            grad=values["grad"],
            log=log,
        )
        if form in FIGURES:
            from ..show.plots import draw

            draw(picture, writer.buffer, form)
        else:
            writer.write(_text(picture, form, to_terminal=style.output is None and sys.stdout.isatty()))


def _form(style: output.Style, *, plot: bool) -> str:
    """What is written: "plot", one of TABLES or one of FIGURES."""
    if plot or style.format:
        form = "plot" if plot else style.choose("")
        if form != "plot" and form not in TABLES:
            raise UsageError(f"curve has no format {form!r}", fix=f"use plot, {', '.join(TABLES)}, or -o FILE.svg")
        return form
    if style.output is None or style.output == "-":
        return "plot" if sys.stdout.isatty() else "tsv"
    ending = os.path.splitext(style.output)[1].lower().removeprefix(".")
    if ending == "txt":
        return "plot"
    if ending not in (*FIGURES, *TABLES):
        raise UsageError(
            f"{style.output}: the name does not say what to write",
            fix=f"end it in .{', .'.join(FIGURES)}, .csv, .tsv, .json or .txt, or add -f",
        )
    return ending


def _variable(text: str | None) -> tuple[str | None, tuple[float, float] | None]:
    """The name and the range in `--x`; either may be missing."""
    if text is None:
        return None, None
    name, _, span = text.partition("=") if "=" in text else ("", "", text) if ".." in text else (text, "", "")
    if not span and "=" not in text:
        return name.strip(), None
    low, dots, high = span.partition("..")
    try:
        if not dots:
            raise ValueError(text)
        return name.strip() or None, (_number(low), _number(high))
    except ValueError:
        raise UsageError(f"--x cannot be {text!r}", fix="write LOW..HIGH such as -3..3, a name, or x_t=-3..3") from None


def _fixed(text: str | None) -> dict[str, float]:
    if text is None:
        return {}
    pairs = [_assignment("--at", part, "d_ap=0.5") for part in text.split(",")]
    try:
        return {name.replace("-", "_"): _number(value) for name, value in pairs}
    except ValueError:
        raise UsageError(f"--at cannot be {text!r}", fix="write NAME=NUMBER, such as d_ap=0.5") from None


def _number(text: str) -> float:
    if not re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", text, re.ASCII):
        raise ValueError(text)
    return float(text)


def _assignment(option: str, text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name.strip() and value.strip()):
        raise UsageError(f"{option} cannot be {text!r}", fix=f"write it like {example}")
    return name.strip(), value


def _text(picture: Picture | Plane | Regions, form: str, *, to_terminal: bool) -> str:
    if form != "plot":
        from ..show import curves as show

        return show.as_json(picture) if form == "json" else output.sheet_text(show.sheet(picture), form)
    from ..show.textplot import text

    if picture.has_arrows:
        raise UsageError(
            "--grad of contours is arrows, which a text plot has not", fix="-o FILE.svg draws them, -f tsv lists them"
        )
    width = shutil.get_terminal_size((WIDTH, 24)).columns if to_terminal else WIDTH
    plain = to_terminal and (os.environ.get("TERM") == "dumb" or not _is_unicode(sys.stdout.encoding))
    return text(picture, width=width, ascii=plain, colour=to_terminal and colour(sys.stdout))


def _is_unicode(encoding: str | None) -> bool:
    return (encoding or "").lower().replace("-", "").startswith("utf")
