"""`lossctl compare BASE OTHER...`: which system is better, by how much, and whether chance would do."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..language import registry
from . import asking, intake, output
from .app import say, single

BaseSource = Annotated[str, typer.Argument(metavar="BASE", help="The predictions to compare with.")]
Others = Annotated[list[str], typer.Argument(metavar="OTHER...", help="Predictions of the other systems.")]
Target = Annotated[str, typer.Option("-y", "--target", "--label", metavar="SRC", help="The truth of every row.")]
Losses = Annotated[list[str], typer.Option("--loss", metavar="SPEC", help="A loss, such as focal:gamma=2; repeatable.")]
Reduction = Annotated[str, typer.Option("-r", "--reduction", metavar="mean|sum", help="How rows become one number.")]
Weight = Annotated[str | None, typer.Option("-w", "--weight", metavar="SRC", help="A weight for each row.")]
Lists = Annotated[str | None, typer.Option("-g", "--group", metavar="SRC", help="The lists of ranking losses.")]
FromLogits = Annotated[bool, typer.Option("--from-logits", help="The predictions are logits, not probabilities.")]
FromProbs = Annotated[bool, typer.Option("--from-probs", help="The predictions are probabilities, not logits.")]
Na = Annotated[str, typer.Option("--na", metavar="error|skip", help="Rows that hold nan or NA in any source.")]
Ci = Annotated[float, typer.Option("--ci", metavar="LEVEL", help="The level of the intervals; p < 1 - LEVEL decides.")]
Test = Annotated[
    str, typer.Option("--test", metavar="sign-flip|bootstrap", help="How p is found: swap systems, or resample rows.")
]
Align = Annotated[
    str | None,
    typer.Option("--align", metavar="id::COL", help="Match rows by this column of every file, not by place."),
]
FailIf = Annotated[
    str | None, typer.Option("--fail-if", metavar="worse", help="Exit with 1 if a system is worse than the base.")
]


def command() -> Any:
    """The command."""
    return single(compare, "compare")


def compare(
    base: BaseSource,
    others: Others,
    target: Target,
    loss: Losses,
    reduction: Reduction = "mean",
    weight: Weight = None,
    group: Lists = None,
    from_logits: FromLogits = False,
    from_probs: FromProbs = False,
    na: Na = "error",
    distance: intake.Distance = "euclidean",
    normalize: intake.Normalize = False,
    ci: Ci = 0.95,
    ci_method: asking.CiMethod = "bca",
    resamples: asking.Resamples = 10_000,
    seed: asking.Seed = 0,
    cluster: asking.Cluster = None,
    test: Test = "sign-flip",
    align: Align = None,
    fail_if: FailIf = None,
    format: output.Format = None,
    json: output.Json = False,
    out: output.Output = None,
    digits: output.Digits = None,
    jobs: intake.Jobs = None,
    quiet: output.Quiet = False,
    verbose: output.Verbose = False,
    color: output.Colour = "auto",
) -> None:
    """Which system is better, by how much, and whether chance alone would make such a difference.

    A difference is the other system's loss minus the base's: below 0 is better. Systems are compared row by row; sets
    of embeddings anchor by anchor.
    """
    from ..api import calculator, compare, together

    style = output.style(format, json, out, quiet, verbose, color)
    if fail_if not in (None, "worse"):
        raise UsageError(f"--fail-if cannot be {fail_if!r}", fix="use --fail-if worse")
    if na not in ("error", "skip"):
        raise UsageError(f"--na cannot be {na!r}", fix="use error or skip")
    if reduction not in ("mean", "sum"):
        raise UsageError(f"-r cannot be {reduction!r}", fix="use mean or sum")
    if from_logits and from_probs:
        raise UsageError("--from-logits and --from-probs contradict each other", fix="choose one")
    specs = [registry.parse(text) for text in loss]
    if fail_if:
        for spec in specs:
            if spec.loss.name in compare.SIGNED:
                raise UsageError(f"--fail-if worse with {spec.loss.name}: lower is not better", fix="choose a loss")
    if from_logits:
        for spec in specs:
            calculator.logit_forms(spec.loss)
    systems = compare.Systems(
        base,
        others,
        target,
        [(spec, together.forms_of(spec.loss, from_logits, from_probs)) for spec in specs],
        compare.names_of([base, *others]),
        reduction,
        weight,
        group,
        cluster,
        align.removeprefix("id::") if align is not None else None,
    )
    sources = [base, *others, target, *(text for text in (weight, group, cluster) if text)]
    with output.destination(style, sources) as writer:
        with output.progress(style, None) as update:
            found = compare.compare(
                systems,
                confidence=together.check_confidence(ci, ci_method, resamples, seed),
                test=test,
                reading=calculator.Reading(skip_nan=na == "skip", metric=distance, normalize=normalize),
                jobs=jobs,
                data_hash=style.format in ("json", "ndjson"),
                progress=update,
            )
        _write(found, style, writer, digits)
    _close(found, style, fail_if)


def _write(found: list[Any], style: output.Style, writer: Any, digits: int | None) -> None:
    from ..show import comparisons as show
    from ..show.results import number

    format = output.many_format(style)
    if format == "bare":
        writer.write("".join(number(one.difference, digits) + "\n" for one in found))
    elif format == "json":
        writer.write(show.as_json(found))
    elif format == "ndjson":
        writer.write(show.ndjson(found))
    else:
        width = shutil.get_terminal_size((100, 24)).columns
        sheet = show.table_sheet(found, digits, width) if format == "table" else show.sheet(found, digits)
        writer.write(output.sheet_text(sheet, format))
    output.note(style, show.context(found[0]))
    output.warn(style, list(dict.fromkeys(warning for one in found for warning in one.warnings)))


def _close(found: list[Any], style: output.Style, fail_if: str | None) -> None:
    failed = [one for one in found if one.verdict in ("worse", "unknown")] if fail_if else []
    if failed:
        if not style.quiet:
            sys.stdout.flush()
            for one in failed:
                what = "worse than" if one.verdict == "worse" else "not comparable with"
                say(f"lossctl: gate failed: {one.loss}: {one.other} is {what} {one.base}")
        raise typer.Exit(1)
