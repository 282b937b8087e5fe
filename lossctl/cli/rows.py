"""Losses row by row: written as they come (`--per-row`), or the hardest of them (`--top`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from . import output

if TYPE_CHECKING:
    from ..api.answers import Answer
    from ..api.question import Question
    from ..api.shared import Shared
    from ..rows.by_row import Scored
    from ..rows.hardest import Hardest

SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".npy": "npy"}
FORMATS = ("tsv", "csv", "ndjson", "bare")


def format_of(asked: Question, style: output.Style) -> str:
    """The format of the rows that are asked for; npy, which the name of the output tells, is of bytes. UsageError."""
    if asked.is_plain:
        return _plain_format(style)
    format = row_format(style, "tsv" if asked.per_row else "bare")
    if format == "bare":
        _refuse_bare_columns(asked)
    return format


def _refuse_bare_columns(asked: Question) -> None:
    """UsageError where bare rows would leave out what was asked for beside them."""
    beside = {"--id": asked.side.id is not None, "--group": asked.side.group is not None, "--also": asked.specs[1:]}
    for name in (name for name, is_asked in beside.items() if is_asked):
        why = "a bare row is the number of one loss alone"
        raise UsageError(f"{name} with bare rows", why=why, fix="add -f tsv, csv or ndjson in place of bare")


def write(answer: Answer, style: output.Style, out: Any, format: str, digits: int | None) -> None:
    """A line for each row that counts, as they come."""
    if answer.question.is_plain:
        _write_alone(answer, style, out, format, digits)
    else:
        write_rows(answer.shared, style, out, format, digits)


def _write_alone(answer: Answer, style: output.Style, out: Any, format: str, digits: int | None) -> None:
    """The rows of one loss, with nothing beside them."""
    from ..rows.by_row import infinite_rows
    from ..rows.facts import Facts, verdict
    from ..show.results import number

    separator = {"tsv": "\t", "csv": ","}.get(format, "")
    if separator:
        out.write(f"row{separator}loss\n")
    facts = Facts()
    for block in answer.row_losses():
        facts = facts.merge(block.facts).merge(infinite_rows(block))
        pairs = zip(block.number.tolist(), block.total.tolist(), strict=True)
        if format == "bare":
            out.write("".join(number(value, digits) + "\n" for _, value in pairs))
        elif separator:
            out.write("".join(f"{row}{separator}{number(value, digits)}\n" for row, value in pairs))
        else:
            out.write("".join(_json_row(row, value) for row, value in pairs))
    notes, warnings = verdict(answer.shared.losses[0].plan, facts)
    sys.stdout.flush()
    output.note(style, "\n".join(notes))
    output.warn(style, warnings)


def _json_row(row: int, value: float) -> str:
    import json

    finite = value - value == 0
    return json.dumps({"row": row, "loss": value if finite else None, "value_text": repr(value)}) + "\n"


def _plain_format(style: output.Style) -> str:
    """The format of rows with nothing beside them. UsageError."""
    format = style.choose("bare")
    if format not in FORMATS:
        raise UsageError(f"-r none cannot be written as {format}", fix="use bare, tsv, csv or ndjson")
    return format


def row_format(style: output.Style, otherwise: str = "tsv") -> str:
    """The format of row losses: the one asked for, else the one that the output's name tells. UsageError."""
    import os

    suffix = os.path.splitext(style.output or "")[1].lower()
    format = style.format or SUFFIXES.get(suffix, otherwise)
    if format not in (*FORMATS, "npy"):
        raise UsageError(
            f"rows cannot be written as {format}", fix=f"use {', '.join(FORMATS)}, or an output file that ends in .npy"
        )
    return format


def write_rows(shared: Shared, style: output.Style, out: Any, format: str, digits: int | None) -> None:
    """A line for each row that counts, as they come. out: a text writer, or for npy a binary one"""
    from ..rows.by_row import infinite_rows
    from ..rows.facts import NOTHING, Facts, verdict
    from ..show.rows import lines, record_array

    places, facts = shared.sides[0], NOTHING
    names = list(places)
    weighted = shared.losses[0].plan.weight is not None or shared.engine.has_space
    titles = [str(loss.plan.spec) for loss in shared.losses]

    def of_block(scored: tuple[Scored, ...]) -> tuple[Any, Facts]:
        numbers = [losses.rows.number for losses in scored]
        if any(not np.array_equal(numbers[0], other) for other in numbers[1:]):
            raise UsageError(
                "--also with --per-row: the losses leave out different rows",
                fix="write them in calls of their own (see --ignore-index)",
            )
        side = {name: scored[0].side[at] for name, at in places.items()}
        weight = scored[0].rows.weight if weighted else None
        table = (numbers[0], side, [losses.rows.total for losses in scored], weight)
        text = record_array(*table, titles) if format == "npy" else lines(*table, titles, format, digits)
        noticed = scored[0].rows.facts.merge(infinite_rows(scored[0].rows))
        return text, noticed

    def pieces() -> Iterator[Any]:
        nonlocal facts
        for text, noticed in shared.score_rows(of_block):
            facts = facts.merge(noticed)
            yield text

    if format == "npy":
        write_npy(out, pieces())
    else:
        from ..show.rows import header

        out.write(header(names, titles, weighted, format))
        for text in pieces():
            out.write(text)
    notes, warnings = verdict(shared.losses[0].plan, facts)
    sys.stdout.flush()
    output.note(style, "\n".join(notes))
    output.warn(style, warnings)


def write_npy(out: Any, pieces: Iterator[np.ndarray]) -> None:
    """Structured records as one NPY. Their number and the width of their texts are known at the end only, so they go
    through a temporary file."""
    import tempfile

    kinds: list[tuple[Any, int]] = []
    with tempfile.TemporaryFile() as spool:
        for records in pieces:
            if len(records):
                records.tofile(spool)
                kinds.append((records.dtype, len(records)))
        if not kinds:
            raise UsageError("no rows to write", fix="check the file and --na skip")
        dtype = np.dtype(
            [(name, max((kind[name] for kind, _ in kinds), key=lambda t: t.itemsize)) for name in kinds[0][0].names]
        )
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
        np.lib.format.write_array_header_2_0(out, {**header, "shape": (sum(n for _, n in kinds),)})
        spool.seek(0)
        for kind, n in kinds:
            out.write(np.fromfile(spool, dtype=kind, count=n).astype(dtype).tobytes())


def write_top(hardest: Hardest, shared: Shared, style: output.Style, out: Any, digits: int | None) -> None:
    """The hardest rows, hardest first."""
    from ..rows.facts import verdict
    from ..show import rows as show

    format = output.many_format(style)
    loss = shared.losses[0]
    roles = [entry.role.option for entry in loss.plan.entries][: len(hardest.inputs)]
    names = list(shared.sides[0])
    hardest = hardest._replace(side=tuple(hardest.side[at] for at in shared.sides[0].values()))
    if format == "bare":
        raise UsageError("--top cannot be written as bare", fix="use table, json, ndjson, tsv, csv, md or latex")
    if format == "json":
        out.write(show.top_json(hardest, str(loss.plan.spec), roles, names, loss.sources))
    elif format == "ndjson":
        out.write("".join(show.top_records(hardest, roles, names)))
    else:
        sheet = show.top_sheet(hardest, roles, names, digits, cut=format == "table")
        out.write(output.sheet_text(sheet, format))
    notes, warnings = verdict(loss.plan, hardest.facts)
    output.note(style, "\n".join([f"the {len(hardest.loss)} hardest of {hardest.n} {shared.engine.unit}", *notes]))
    output.warn(style, warnings)
