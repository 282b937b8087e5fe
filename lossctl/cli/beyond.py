"""`compute` with questions beside the number: which answer is wanted, and where it is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..api import together
from ..errors import UsageError
from ..language import registry
from . import asking, output
from .rows import row_format, write_rows, write_top

if TYPE_CHECKING:
    from ..api.calculator import Reading
    from ..language.registry import Spec


def answer(
    spec: Spec,
    sources: Sequence[str],
    named: Mapping[str, str],
    reading: Reading,
    style: output.Style,
    inputs: Sequence[str],
    given: dict[str, Any],
) -> None:
    """Read, compute and write what the options of one call ask for."""
    per_row = given["per_row"] or given["reduction"] == "none"
    if not spec.loss.engine.has_values:
        _refuse_rows(spec.loss.name, given)
    _refuse_contradictions(given, per_row)
    others = [registry.parse(text) for text in given["also"] or ()]
    bounds, confidence, side = asking.bounds(given), asking.confidence(given), asking.side(given)
    reduction = None if per_row else given["reduction"]
    wanted = [together.Wanted(spec, reading.forms, sources, named, reduction)]
    common = None if reduction == spec.loss.reductions[0] else reduction
    wanted += [_beside(other, given, common) for other in others]
    format = row_format(style, "tsv" if given["per_row"] else "bare") if per_row else None
    results = []
    with (
        _destination(style, inputs, binary=format == "npy") as out,
        together.prepared(wanted, weight=given.get("weight"), reading=reading, side=side, jobs=given["jobs"]) as shared,
    ):
        if format:
            write_rows(shared, style, out, format, given["digits"])
        elif given["top"]:
            write_top(together.top(shared, given["top"]), shared, style, out, given["digits"])
        else:
            hashed = given["signature"] or style.format in ("json", "ndjson")
            if given["keep"]:
                from ..rows.hardest import read_kept

                results = together.kept(shared, read_kept(given["keep"]), data_hash=hashed)
            else:
                with output.progress(style, shared.fields[0].frame.rows) as update:
                    results = together.results(shared, confidence, data_hash=hashed, progress=update)
            results = asking.gated(results, bounds)
            write_results(results, style, out, given["digits"], given["signature"], "compute")
    asking.close_gates(results, style)


def _beside(spec: Spec, given: dict[str, Any], reduction: str | None) -> together.Wanted:
    forms = together.forms_of(spec.loss, bool(given.get("from_logits")), bool(given.get("from_probs")))
    fits = reduction if reduction in spec.loss.reductions else None
    if reduction is not None and fits is None:
        raise UsageError(f"{spec.loss.name} has no reduction {reduction!r}", fix="compute it in a call of its own")
    return together.Wanted(spec, forms, reduction=fits)


def _refuse_rows(loss: str, given: dict[str, Any]) -> None:
    """UsageError where a loss of counts is asked for its rows."""
    asked = {"--per-row": given["per_row"], "--top": given["top"], "--keep": given["keep"], "--id": given["id"]}
    for name in (name for name, is_asked in asked.items() if is_asked):
        raise UsageError(
            f"{loss} knows no {name}",
            why="it counts rows, and no row has a value of its own",
            fix="leave it out; a value for each group: -g SRC",
        )


def _refuse_contradictions(given: dict[str, Any], per_row: bool) -> None:
    """Questions that have no common answer. UsageError."""
    asked = {
        "--per-row": given["per_row"],
        "-r none": given["reduction"] == "none" and not given["per_row"],
        "--top": given["top"],
        "--keep": given["keep"],
    }
    shapes = [name for name, is_asked in asked.items() if is_asked]
    values = {
        "--ci": given["ci"],
        "--max": given["max"],
        "--min": given["min"],
        "--max-increase": given["max_increase"],
    }
    apart = {"--group": given.get("group"), "--by": given["by"], "--ci": given["ci"]}
    first = shapes[0] if shapes else ""
    if len(shapes) > 1:
        raise UsageError(f"{shapes[0]} and {shapes[1]} at once", fix="ask for them in two calls")
    if per_row or given["top"]:
        _refuse(first, values, "it is about one value")
        if given["signature"]:
            raise UsageError(f"{first} prints no signature", fix="leave --signature out")
    if given["by"] and (per_row or given["top"]):
        raise UsageError(f"{first} and --by at once", fix="name the column with --group, or leave it out")
    if given["keep"]:
        _refuse("--keep", apart, "the hardest are chosen from all rows")
    if given["top"] and given["also"]:
        raise UsageError("--top and --also at once", fix="rows are ranked by one loss: leave --also out")
    if given["id"] and not (per_row or given["top"]):
        raise UsageError("--id is for --per-row and --top", fix="leave it out, or group by it: --group SRC")


def _refuse(first: str, others: Mapping[str, Any], why: str) -> None:
    for name, is_asked in others.items():
        if is_asked is not None:
            raise UsageError(f"{first} and {name} at once", why=why, fix="ask for them in two calls")


@contextlib.contextmanager
def _destination(style: output.Style, inputs: Sequence[str], binary: bool) -> Iterator[Any]:
    if not binary:
        with output.destination(style, inputs) as out:
            yield out
        return
    from ..files.sources import parse_source
    from ..files.writing import atomic_output, refuse_overwrite_of_inputs

    assert style.output is not None  # npy is told by the name of the output
    refuse_overwrite_of_inputs(style.output, [parse_source(text).path for text in inputs])
    with atomic_output(style.output) as file:
        yield file


def write_results(
    results: Sequence[Any], style: output.Style, out: Any, digits: int | None, signature: bool, command: str
) -> None:
    """Results in the format asked for: one bare value alone, a sheet for several or with an interval."""
    from ..show import results as show

    single = len(results) == 1 and results[0].ci is None
    format = style.choose("bare") if single else output.many_format(style)
    if format == "bare":
        text = show.bare(results, digits)
        if signature:
            text = "".join(
                f"{value}\t{result.signature}\n" for value, result in zip(text.splitlines(), results, strict=True)
            )
        out.write(text)
    elif format == "json":
        out.write(show.as_json(results, command))
    elif format == "ndjson":
        out.write(show.ndjson(results))
    else:
        out.write(output.sheet_text(show.sheet(results, digits, signature=signature), format))
    output.warn(style, [warning for result in results for warning in result.warnings if result.group is None])
    for result in results:
        if result.group is None and result.average != "macro":
            output.note(style, show.context(result))
