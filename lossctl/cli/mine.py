"""`lossctl mine STRATEGY EMB LABEL -o FILE`: choose triplets offline and write them to a file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..text import did_you_mean
from . import intake, output
from .app import single

STRATEGIES = {
    "batch-hard": "for each anchor its farthest positive and its nearest negative",
    "semi-hard": "for each positive pair the nearest negative beyond it",
    "random-semi-hard": "for each positive pair a random negative of its semi-hard band",
    "hardest": "the --limit hardest triplets of the whole set",
    "all": "every triplet of some categories",
    "distance-weighted": "for each positive pair a negative drawn so that all distances are as likely",
}
CATEGORIES = ("hard", "semi-hard", "easy")
FORMATS = ("npy", "csv", "ndjson")


def command() -> Any:
    """The command."""
    listed = "\n\n".join(f"{name}: {text}." for name, text in STRATEGIES.items())
    return single(mine, "mine", help=f"{(mine.__doc__ or '').strip()}\n\n{listed}")


def mine(
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="How triplets are chosen; see above.")],
    sources: intake.EmbeddingSources = None,
    out: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Where the triplets go (required).")
    ] = None,
    emb: intake.Emb = None,
    label: intake.Label = None,
    margin: Annotated[float, typer.Option("--margin", metavar="M", min=0, help="The margin.")] = 1.0,
    distance: intake.Distance = "euclidean",
    normalize: intake.Normalize = False,
    category: Annotated[
        str | None,
        typer.Option(
            "--category",
            metavar="|".join(CATEGORIES),
            help="For `all`: these only, with commas between. [default: hard,semi-hard]",
            show_default=False,
        ),
    ] = None,
    fallback: Annotated[
        str | None,
        typer.Option(
            "--fallback",
            metavar="hardest|easiest|drop",
            help="For `semi-hard`: the negative where none lies beyond. [default: easiest]",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many triplets.")] = None,
    per_anchor: Annotated[
        int | None,
        typer.Option("--per-anchor", metavar="K", min=1, help="At most so many of each anchor, its hardest."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of what is random.")] = 0,
    identity: Annotated[
        str | None, typer.Option("--id", metavar="SRC", help="Write these ids instead of row numbers (CSV, NDJSON).")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("-f", "--format", metavar="|".join(FORMATS), help="Told by the name of the file unless given."),
    ] = None,
    na: intake.Na = "error",
    header: intake.Header = "auto",
    delimiter: intake.Delimiter = None,
    device: intake.Device = "cpu",
    jobs: intake.Jobs = None,
    quiet: output.Quiet = False,
    verbose: output.Verbose = False,
    color: output.Colour = "auto",
) -> None:
    """Choose triplets of an embedding set offline and write them to a file.

    The same file for any block size, number of threads and device: decisions are exact, and ties go to the
    lowest row number. Triplets stand class by class, the largest class first, as --limit takes them.
    """
    style = output.style(None, False, out, quiet, verbose, color)
    named = {name: source for name, source in (("emb", emb), ("identity", label)) if source is not None}
    kind = _check(strategy, out, category, fallback, format, identity, limit)
    skip_nan, names_columns = intake.skips_nan(na), intake.has_header(header)
    if not sources and not named:
        raise UsageError("mine needs embeddings and labels", fix=f"lossctl mine {strategy} EMB LABEL -o FILE")
    from ..api import mine, triplets
    from ..rows.checks import rows_left_out

    assert out is not None
    chosen = intake.note_device(style, mine.choose_device(strategy, device))
    inputs = [*(sources or []), *named.values(), *([identity] if identity else [])]
    options: dict[str, Any] = {"margin": margin}
    options |= {"fallback": fallback} if fallback else {}
    options |= {"categories": tuple(category.split(","))} if category else {}
    options |= {"seed": seed} if strategy in ("random-semi-hard", "distance-weighted") else {}
    with (
        triplets.opened(
            sources or [],
            named,
            distance=distance,
            normalize=normalize,
            device=chosen.name,
            jobs=jobs,
            skip_nan=skip_nan,
            header=names_columns,
            delimiter=delimiter,
        ) as ready,
        output.progress(style, None, "anchors") as update,
    ):
        job = mine.prepare(
            ready, strategy, options, limit=limit, per_anchor=per_anchor, identity=identity, kind=kind, path=out
        )
        output.warn(style, [rows_left_out(job.left_out)] if job.left_out else [])
        output.note(style, job.forecast)
        summary = mine.write(job, out, inputs, progress=update)
    output.note(style, _page(summary))


def _check(
    strategy: str,
    out: str | None,
    category: str | None,
    fallback: str | None,
    format: str | None,
    identity: str | None,
    limit: int | None,
) -> str:
    if strategy not in STRATEGIES:
        guess = did_you_mean(strategy, STRATEGIES)
        raise UsageError(f"unknown strategy {strategy!r}{guess}", fix=f"use one of {', '.join(STRATEGIES)}")
    if out is None or out == "-":
        what = "mine writes a file, not to stdout" if out else "mine writes a file, and none is named"
        raise UsageError(what, fix="add -o triplets.npy")
    if category is not None and (strategy != "all" or not set(category.split(",")) <= set(CATEGORIES)):
        raise UsageError(f"--category {category!r} with {strategy}", fix=f"use it with `all`: {', '.join(CATEGORIES)}")
    if fallback is not None and (strategy != "semi-hard" or fallback not in ("hardest", "easiest", "drop")):
        raise UsageError(
            f"--fallback {fallback!r} with {strategy}", fix="use it with `semi-hard`: hardest, easiest, drop"
        )
    if strategy == "hardest" and limit is None:
        raise UsageError("how many of the hardest?", fix="add --limit N")
    kind = format or (out.rpartition(".")[2].lower() if "." in out else "npy")
    if kind not in FORMATS:
        raise UsageError(f"cannot tell the format of {out!r}", fix=f"add -f {' or '.join(FORMATS)}")
    if identity is not None and kind == "npy":
        raise UsageError("an NPY of triplets holds row numbers", fix="write ids as CSV or NDJSON")
    return kind


def _page(summary: Any) -> str:
    from ..show.mined import page

    return output.sheet_text(page(summary), "table").rstrip("\n")
