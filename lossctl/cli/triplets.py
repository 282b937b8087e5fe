"""`lossctl triplets EMB LABEL`: how hard the triplets of an embedding set are, counted and certified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..language.options import TRIPLETS, inputs_of
from ..language.registry import SET
from . import options, output

if TYPE_CHECKING:
    from ..api.question_of_sets import TripletQuestion
    from ..api.triplets import Report
    from ..sets.given import GivenTriplets

SOURCES = Annotated[
    list[str] | None,
    typer.Argument(metavar="EMB LABEL", show_default=False, help="Two files, or one that holds both; - is stdin."),
]


def command() -> Any:
    """The command."""
    return options.command(triplets, TRIPLETS, [("sources", SOURCES, None)])


def triplets(values: Mapping[str, Any]) -> None:
    """How hard the triplets of an embedding set are: easy, semi-hard, hard, over the whole set.

    A triplet is an anchor, a positive of its class and a negative of another. Hard: d_an <= d_ap. Semi-hard:
    d_ap < d_an < d_ap + margin. Easy: d_an >= d_ap + margin. Every count is certified, as if computed in exact
    arithmetic.
    """
    style = output.style_of(values)
    question = _question(values, style)
    inputs = [*question.inputs, *inputs_of(TRIPLETS, "shell", values)]
    from ..api import answers
    from ..api import triplets as api

    if values["index"] is not None:
        _refuse_set(question, inputs)
        _write_given(question, lambda: api.given_triplets(question, values["index"]), style, inputs)
        return
    if _is_of_triplets(values, question):
        _write_given(question, lambda: api.triplets_in_step(question), style, inputs)
        return

    with (
        output.destination(style, inputs) as writer,
        output.picture(values["plot"], inputs) as drawing,
        output.metrics(values["metrics"], style, inputs) as write_metrics,
        output.summary(values["summary"], [style.output, values["metrics"], values["plot"]], inputs) as write_summary,
        answers.opened_set(question) as embeddings,
    ):
        with output.progress(style, None, "anchors") as update:
            report = api.report(
                question,
                embeddings,
                data_hash=style.format in ("json", "ndjson"),
                with_distances=_shows_distances(values, style),
                progress=update,
            )
        _write(report, style, writer, values["explain"])
        if values["metrics"]:
            from ..show.metrics import of_triplets

            write_metrics(of_triplets(report))
        if values["summary"]:
            from ..show import summary

            write_summary(summary.of_triplets(report))
        if drawing is not None:
            from ..show.data_plots import draw_breakdown

            draw_breakdown(report.breakdown, *drawing)


def sources_of(values: Mapping[str, Any], command: str, usage: str) -> tuple[list[str], dict[str, str]]:
    """Embeddings and labels: in order, and by the name of their role. UsageError where there are none."""
    named = {role.name: values[role.option] for role in SET.roles if values[role.option] is not None}
    if not values["sources"] and not named:
        raise UsageError(f"{command} needs embeddings and labels", fix=usage)
    return values["sources"] or [], named


def _question(values: Mapping[str, Any], style: output.Style) -> TripletQuestion:
    """What the options of one call ask. UsageError, DeviceError."""
    sources, named = sources_of(values, TRIPLETS, "lossctl triplets EMB LABEL --margin 0.2")
    from ..api.asked import asked
    from ..api.question_of_sets import TripletQuestion

    call = asked(values, TRIPLETS, "shell")
    margins, batch = _numbers("--margin", ",".join(values["margin"] or ["1"])), _pair(values["batch"])
    beside = {"--by": values["by"], "--pairs": values["pairs"], "--batch": batch, "--ci": values["ci"]}
    beside["--coarse-label"] = values["coarse_negatives"] is None and values["coarse_label"]
    if values["anchors"] is not None:
        why = "it shows counts and shares as if they were of all anchors"
        _refuse("--anchors", {"--bare": values["bare"], "--plot": values["plot"]}, why)
    beside["--anchors"] = values["anchors"]
    if values["bare"] and values["plot"] is None:
        _refuse("--bare", beside, "it prints the three counts alone")
    if values["index"] is not None:
        device = values["device"]
        if device not in ("cpu", "auto"):
            raise UsageError(f"--device {device} with --index", why="given triplets are few", fix="leave --device out")
        beside |= {"--na skip": values["na"] == "skip", **_of_a_set(values)}
        _refuse("--index", beside, "given triplets are counted as they are")
        device = "cpu"
    else:
        device = output.device(style, values["device"])
    return TripletQuestion.of(call, sources, named, margins, batch=batch, device=device)


def _refuse(flag: str, others: Mapping[str, Any], why: str) -> None:
    for other in (name for name, value in others.items() if value):
        raise UsageError(f"{other} with {flag}", why=why, fix=f"leave {other} out")


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{name} cannot be {text!r}", fix="give numbers, with commas between") from None


def _pair(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        classes, rows = (int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--batch cannot be {text!r}", fix="give P,K, such as 18,4") from None
    return classes, rows


def _is_of_triplets(values: Mapping[str, Any], question: TripletQuestion) -> bool:
    """Whether the sources are anchors, positives and negatives in step. UsageError for what is of a set."""
    from ..api.triplets import is_of_triplets

    if question.named or not is_of_triplets(question.inputs, question.reading):
        return False
    why = "they are counted as they are, and have no classes"
    _refuse("anchors, positives and negatives in step", _of_a_set(values), why)
    return True


def _of_a_set(values: Mapping[str, Any]) -> dict[str, Any]:
    """What given triplets have no use for, by its flag."""
    names = (
        "by", "explain", "on", "pairs", "batch", "anchors", "ci", "plot", "metrics", "summary", "ref", "ref_label",
        "exclude_same", "ref_exclude_same", "coarse_label", "ref_coarse_label", "coarse_negatives", "noise_label",
        "positive",
    )  # fmt: skip
    beside = {f"--{name.replace('_', '-')}": values[name] for name in names}
    return beside | {"--noise": values["noise"] == "negatives"}


def _refuse_set(question: TripletQuestion, inputs: list[str]) -> None:
    if len(inputs) != 2 or SET.roles[-1].name in question.named:
        raise UsageError("--index goes with the embeddings alone", fix="lossctl triplets EMB --index FILE")


def _write_given(
    question: TripletQuestion,
    count: Callable[[], tuple[GivenTriplets, ...]],
    style: output.Style,
    inputs: list[str],
) -> None:
    """The categories of the triplets in a file."""
    from ..show import triplets as show

    with output.destination(style, inputs) as writer:
        categories = count()
        metric, normalize = question.reading.metric, question.reading.normalize
        format = output.many_format(style)
        if format == "bare":
            writer.write(show.given_bare(categories))
        elif format in ("json", "ndjson"):
            indent = 2 if format == "json" else None
            writer.write(show.given_json(categories, metric, normalize, indent=indent))
        else:
            writer.write(output.sheet_text(show.given_sheet(categories, bars=format == "table"), format))


def _shows_distances(values: Mapping[str, Any], style: output.Style) -> bool:
    """Whether means and histograms of all distances are printed or drawn."""
    return bool(values["explain"] or values["plot"] or output.many_format(style) in ("table", "json", "ndjson"))


def _write(report: Report, style: output.Style, writer: Any, with_sentences: bool = False) -> None:
    from ..show import triplets as show

    format = output.many_format(style)
    if with_sentences and format == "tsv" and style.format is None and style.output is None:
        format = "table"
    output.note(style, report.note)
    output.warn(style, show.warnings(report))
    if with_sentences and format not in ("table", "json", "ndjson", "md"):
        raise UsageError(f"--explain has no {format} form", why="it is sentences", fix="leave it out, or -f table")
    if format == "bare":
        writer.write(show.bare(report))
    elif format in ("json", "ndjson"):
        writer.write(show.as_json(report, indent=2 if format == "json" else None, with_sentences=with_sentences))
    elif format == "table":
        for part in show.page(report, output.width()):
            writer.write(part if isinstance(part, str) else output.sheet_text(part, "table"))
        if with_sentences:
            writer.write("\n" + "".join(f"{line}\n" for line in show.explained(report, output.width())))
    elif format in ("tsv", "csv"):
        from ..show.triplet_rows import rectangle

        writer.write(output.sheet_text(rectangle(report), format))
    else:
        writer.write("\n".join(output.sheet_text(sheet, format) for sheet in show.sheets(report)))
        if with_sentences:
            writer.write("\n" + "\n".join(show.sentences(report)) + "\n")
