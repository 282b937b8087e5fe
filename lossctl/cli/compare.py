"""`lossctl compare BASE OTHER...`: which system is better, by how much, and whether chance would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..language import registry
from ..language.options import COMPARE, inputs_of
from . import options, output

if TYPE_CHECKING:
    from ..results.comparisons import Comparison

ARGUMENTS = (
    ("base", Annotated[str, typer.Argument(metavar="BASE", help="The predictions to compare with.")], Parameter.empty),
    (
        "others",
        Annotated[list[str], typer.Argument(metavar="OTHER...", help="Predictions of the other systems.")],
        Parameter.empty,
    ),
)


def command() -> Any:
    """The command."""
    return options.command(compare, COMPARE, ARGUMENTS)


def compare(values: Mapping[str, Any]) -> None:
    """Which system is better, by how much, and whether chance alone would make such a difference.

    A difference is the other system's loss minus the base's: below 0 is better. Systems are compared row by row; sets
    of embeddings anchor by anchor.
    """
    from ..api.asked import asked
    from ..api.compare import compare as answer
    from ..api.question_of_systems import ComparisonQuestion

    style = output.style_of(values)
    call = asked(values, COMPARE, "shell")
    if style.format == "bare":
        judged = ("ci", "ci_method", "resamples", "cluster", "seed", "test", "margin_of_harm", "seed_of", "holm")
        for key in ("beside", *(() if values["fail_if"] else judged)):
            if call.has(key):
                why = "the bare difference has no interval and no p"
                fix = "leave one out" + (", or add --fail-if worse" if key != "beside" else "")
                raise UsageError(f"{call.name(key)} with -f bare", why=why, fix=fix)
    specs = [registry.parse(text) for text in values["loss"]]
    device = output.device(style, values["device"])
    question = ComparisonQuestion.of(call, specs, values["base"], values["others"], device=device)
    sources = [values["base"], *values["others"], *inputs_of(COMPARE, "shell", values)]
    with (
        output.destination(style, sources) as writer,
        output.metrics(values["metrics"], style, sources) as write_metrics,
        output.summary(values["summary"], [values["output"], values["metrics"]], sources) as write_summary,
    ):
        with output.progress(style, None) as update:
            compared = answer(question, data_hash=style.format in ("json", "ndjson"), progress=update)
        _write(compared, style, writer, values["digits"])
        write_metrics(_metrics(compared))
        if values["summary"]:
            from ..show import summary

            write_summary(summary.of_comparisons(compared, values["digits"]))
    output.close([system.failure for system in compared if system.failure], style)


def _metrics(compared: Sequence[Comparison]) -> Iterator[tuple[str, float]]:
    from ..show.metrics import of_comparisons

    yield from of_comparisons(compared)


def _write(compared: Sequence[Comparison], style: output.Style, writer: Any, digits: int | None) -> None:
    from ..show import comparisons as show
    from ..show.results import number

    format = output.many_format(style)
    if format == "bare":
        writer.write("".join(number(system.difference, digits) + "\n" for system in compared))
    elif format == "json":
        writer.write(show.as_json(compared))
    elif format == "ndjson":
        writer.write(show.ndjson(compared))
    else:
        sheet = (show.table_sheet if format == "table" else show.sheet)(compared, digits)
        writer.write(output.sheet_text(sheet, format))
    output.note(style, show.context(compared))
    output.warn(style, list(dict.fromkeys(warning for system in compared for warning in system.warnings)))
