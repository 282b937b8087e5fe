"""`lossctl triplets EMB LABEL`: how hard the triplets of an embedding set are, counted and certified."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import UsageError
from . import intake, output
from .app import single


def command() -> Any:
    """The command."""
    return single(triplets, "triplets")


def triplets(
    sources: intake.EmbeddingSources = None,
    emb: intake.Emb = None,
    label: intake.Label = None,
    margin: Annotated[
        list[str] | None,
        typer.Option("--margin", metavar="M[,M...]", help="One margin, or several in one pass. [default: 1]"),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(
            "--index", metavar="SRC", help="Triplets as rows (anchor, positive, negative) of EMB: their categories."
        ),
    ] = None,
    distance: intake.Distance = "euclidean",
    normalize: intake.Normalize = False,
    by: Annotated[str | None, typer.Option("--by", metavar="class", help="Also by class of the anchor.")] = None,
    pairs: Annotated[
        int,
        typer.Option(
            "--pairs",
            metavar="K",
            min=0,
            show_default=False,
            help="Also the K class pairs with the most hard triplets.",
        ),
    ] = 0,
    batch: Annotated[
        str | None,
        typer.Option("--batch", metavar="P,K", help="Also what training sees: batches of P classes with K rows each."),
    ] = None,
    batches: Annotated[int, typer.Option("--batches", metavar="B", min=1, help="How many batches.")] = 100,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of the batches.")] = 0,
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="float64|float32",
            help="float64 certifies the counts; float32 is quick and does not.",
        ),
    ] = "float64",
    na: intake.Na = "error",
    header: intake.Header = "auto",
    delimiter: intake.Delimiter = None,
    plot: output.Plot = None,
    format: output.Format = None,
    json: output.Json = False,
    bare: Annotated[
        bool, typer.Option("-b", "--bare", help="easy TAB semi-hard TAB hard, a line for each margin.")
    ] = False,
    out: output.Output = None,
    device: intake.Device = "cpu",
    jobs: intake.Jobs = None,
    quiet: output.Quiet = False,
    verbose: output.Verbose = False,
    color: output.Colour = "auto",
) -> None:
    """How hard the triplets of an embedding set are: easy, semi-hard, hard, over the whole set.

    A triplet is an anchor, a positive of its class and a negative of another. Hard: d_an <= d_ap. Semi-hard:
    d_ap < d_an < d_ap + margin. Easy: d_an >= d_ap + margin. Every count is certified, as if computed in exact
    arithmetic.
    """
    style = output.style(format, json, out, quiet, verbose, color, bare)
    named = {name: source for name, source in (("emb", emb), ("identity", label)) if source is not None}
    if not sources and not named:
        raise UsageError("triplets needs embeddings and labels", fix="lossctl triplets EMB LABEL --margin 0.2")
    intake.check("--distance", distance, intake.DISTANCES)
    intake.check("--by", by, ("class", None))
    intake.check("--precision", precision, ("float64", "float32"))
    skip_nan, names_columns = intake.skips_nan(na), intake.has_header(header)
    margins, drawn = _numbers("--margin", ",".join(margin or ["1"])), _pair(batch)
    if index is not None and device not in ("cpu", "auto"):
        raise UsageError(f"--device {device} with --index", why="given triplets are few", fix="leave --device out")
    extras = {"--by": by, "--pairs": pairs, "--batch": batch}
    if bare and plot is None:
        _refuse("--bare", extras, "it prints the three counts alone")
    if index is not None:
        _refuse("--index", {**extras, "--na skip": skip_nan}, "given triplets are counted as they are")
        _write_given(sources or [], named, index, margins, distance, normalize, style)
        return
    from ..api import triplets
    from ..files.sources import digest
    from ..kernels.devices import choose

    chosen = intake.note_device(style, choose(device))
    inputs = [*(sources or []), *named.values()]
    with (
        output.destination(style, inputs) as writer,
        output.picture(plot, inputs) as drawing,
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
        found = triplets.report(
            ready,
            margins,
            precision=precision,
            by_class=by is not None,
            pairs=pairs,
            batch=drawn,
            batches=batches,
            seed=seed,
            data=digest(ready.fields) if style.format in ("json", "ndjson") else None,
            progress=update,
        )
        _write(found, style, writer)
        if drawing is not None:
            from ..show.data_plots import draw_breakdown

            draw_breakdown(found.whole, *drawing)


def _refuse(flag: str, others: dict[str, Any], why: str) -> None:
    for other, given in others.items():
        if given:
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


def _write_given(
    sources: list[str],
    named: dict[str, str],
    index: str,
    margins: tuple[float, ...],
    distance: str,
    normalize: bool,
    style: output.Style,
) -> None:
    """The categories of the triplets in a file."""
    from ..api import triplets
    from ..show import triplets as show

    given = [*sources, *named.values()]
    if len(given) != 1 or "identity" in named:
        raise UsageError("--index goes with the embeddings alone", fix="lossctl triplets EMB --index FILE")
    with output.destination(style, [*given, index]) as writer:
        found = triplets.given_triplets(given[0], index, margins, distance=distance, normalize=normalize)
        format = output.many_format(style)
        if format == "bare":
            writer.write(show.given_bare(found))
        elif format in ("json", "ndjson"):
            writer.write(show.given_json(found, distance, normalize, indent=2 if format == "json" else None))
        else:
            writer.write(output.sheet_text(show.given_sheet(found, bars=format == "table"), format))


def _write(found: Any, style: output.Style, writer: Any) -> None:
    from ..show import triplets as show

    format = output.many_format(style)
    output.note(style, found.note)
    output.warn(style, show.warnings(found))
    if format == "bare":
        writer.write(show.bare(found))
    elif format in ("json", "ndjson"):
        writer.write(show.as_json(found, indent=2 if format == "json" else None))
    elif format == "table":
        for part in show.page(found, output.width()):
            writer.write(part if isinstance(part, str) else output.sheet_text(part, "table"))
    elif format in ("tsv", "csv"):
        writer.write(output.sheet_text(show.rectangle(found), format))
    else:
        sheets = show.sheets(found)
        writer.write("\n".join(output.sheet_text(sheet, format) for sheet in sheets))
