"""What `compute` can be asked beside the number: rows, groups, intervals, gates. Its options, and how they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from . import output
from .app import say

if TYPE_CHECKING:
    from ..api.gates import Bounds
    from ..api.together import Confidence, Side
    from ..language.registry import Loss
    from ..results.values import Result

PerRow = Annotated[bool, typer.Option("--per-row", help="A line for each row: its number, identifier, group, loss.")]
Top = Annotated[int | None, typer.Option("--top", metavar="K", min=1, help="The K hardest rows, with their inputs.")]
Keep = Annotated[
    str | None, typer.Option("--keep", metavar="K|P%", help="The mean over the K (or P percent) hardest rows.")
]
Id = Annotated[
    str | None, typer.Option("--id", metavar="SRC", help="What each row is called, for --per-row and --top.")
]
Group = Annotated[
    str | None,
    typer.Option("-g", "--group", metavar="SRC", help="A value for each group, with their mean; a file or a column."),
]
By = Annotated[
    str | None, typer.Option("--by", metavar="bins:SRC:K", help="Groups by K bins of equal width of a numeric column.")
]
Also = Annotated[
    list[str] | None,
    typer.Option("--also", metavar="SPEC", help="Another loss of the same inputs, such as focal:gamma=2; repeatable."),
]
Ci = Annotated[
    float | None, typer.Option("--ci", metavar="LEVEL", help="A bootstrap confidence interval, such as 0.95.")
]
CiMethod = Annotated[str, typer.Option("--ci-method", metavar="bca|percentile", help="How the interval is read.")]
Resamples = Annotated[int, typer.Option("--resamples", metavar="N", help="How many resamples make the interval.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Which resamples.")]
Cluster = Annotated[
    str | None, typer.Option("--cluster", metavar="SRC", help="Resample these groups of rows, not single rows.")
]
Max = Annotated[float | None, typer.Option("--max", metavar="X", help="Exit with 1 unless every value is <= X.")]
Min = Annotated[float | None, typer.Option("--min", metavar="X", help="Exit with 1 unless every value is >= X.")]
MaxIncrease = Annotated[
    str | None,
    typer.Option("--max-increase", metavar="F%", help="Exit with 1 if a value is more than F% above the baseline."),
]
Baseline = Annotated[
    str | None, typer.Option("--baseline", metavar="FILE", help="A result saved with --json, for --max-increase.")
]


def parameters(loss: Loss) -> list[tuple[str, Any, Any]]:
    """(name, annotation, default) of these options. A loss that draws has a --seed of its own, which serves both."""
    found: list[tuple[str, Any, Any]] = [
        ("max", Max, None),
        ("min", Min, None),
        ("max_increase", MaxIncrease, None),
        ("baseline", Baseline, None),
    ]
    of_rows = [("per_row", PerRow, False), ("top", Top, None), ("keep", Keep, None), ("id", Id, None)]
    refused = loss.engine == "tally"
    found += [(name, _unlisted(kind) if refused else kind, default) for name, kind, default in of_rows]
    found += [("group", Group, None)] if loss.engine != "lists" else []
    found += [("by", By, None), ("also", Also, None), ("ci", Ci, None), ("ci_method", CiMethod, "bca")]
    found += [("resamples", Resamples, 1000), ("cluster", Cluster, None)]
    found += [] if any(option.name == "seed" for option in loss.options) else [("seed", Seed, 0)]
    return found


def _unlisted(annotation: Any) -> Any:
    """An option that is refused with a reason, so that it is on no help page."""
    from copy import copy

    info = copy(annotation.__metadata__[0])
    info.hidden = True
    return Annotated[annotation.__origin__, info]


BESIDE = ("per_row", "top", "keep", "id", "group", "by", "also", "ci", "cluster")


def is_asked(given: dict[str, Any]) -> bool:
    """Whether anything is asked that one number does not answer."""
    return any(given.get(name) for name in BESIDE)


def sources(given: dict[str, Any]) -> list[str]:
    """The files among these options that an output must not overwrite."""
    named = [given[name] for name in ("id", "group", "cluster", "baseline") if given.get(name)]
    return named + ([given["by"].split(":", 1)[1].rpartition(":")[0]] if ":" in (given.get("by") or "") else [])


def bounds(given: dict[str, Any]) -> Bounds:
    """The gates. UsageError, DataError, FileError for a baseline that is none."""
    if not any(given.get(name) is not None for name in ("max", "min", "max_increase", "baseline")):
        return _none()
    from ..api import gates
    from ..files.saved import read_json

    increase = given["max_increase"]
    if (increase is None) != (given["baseline"] is None):
        raise UsageError("--max-increase and --baseline go together", fix="give both, or --max X")
    return gates.Bounds(
        given["max"],
        given["min"],
        None if increase is None else gates.read_percent(increase),
        None if increase is None else gates.read_baseline(read_json(given["baseline"]), given["baseline"]),
    )


def _none() -> Bounds:
    from ..api.gates import Bounds

    return Bounds()


def side(given: dict[str, Any]) -> Side:
    """The columns that ride along. UsageError."""
    from ..api.together import Side, read_bins

    group, bins = given.get("group"), None
    if given.get("by") is not None:
        if group is not None:
            raise UsageError("--group and --by at once", fix="choose one")
        group, bins = read_bins(given["by"])
    return Side(given.get("id"), group, given.get("cluster"), bins)


def confidence(given: dict[str, Any]) -> Confidence | None:
    """The interval, where one is asked for. UsageError."""
    from ..api.together import check_confidence

    level, seed = 0.95 if given["ci"] is None else given["ci"], given.get("seed", given.get("option_seed") or 0)
    checked = check_confidence(level, given["ci_method"], given["resamples"], int(seed))
    if given["ci"] is None:
        if given["cluster"] is not None:
            raise UsageError("--cluster is for intervals", fix="add --ci 0.95, or leave it out")
        return None
    return checked


def gated(results: list[Result], asked: Bounds) -> list[Result]:
    """The results with their gates, where there are any."""
    if not asked:
        return results
    from ..api.gates import checked

    return checked(results, asked)


def close_gates(results: list[Result], style: output.Style) -> None:
    """Exit with 1 if a gate failed; said on stderr."""
    if not any(result.gates for result in results):
        return
    import sys

    from ..api.gates import failures

    found = failures(results)
    if found:
        if not style.quiet:
            sys.stdout.flush()
            for text in found:
                say(f"lossctl: gate failed: {text}")
        raise typer.Exit(1)
