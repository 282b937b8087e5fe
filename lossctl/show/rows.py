"""Row losses as text: lines of them as they come, and the table of the hardest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..results.document import document
from ..rows.hardest import Hardest
from ..text import escaped, json_text, shown
from .results import number
from .sheet import Sheet

Sides = dict[str, "np.ndarray"]
DIGITS = 6  # of the numbers of a vector in a cell
MOST_SHOWN, FIRST_SHOWN = 6, 3  # values of a vector in a cell: so many are all shown, of more the first so many


def header(names: Sequence[str], losses: Sequence[str], weighted: bool, format: str) -> str:
    """The first line: `row`, the columns that ride along, and one column a loss."""
    if format not in ("tsv", "csv"):
        return ""
    return _line(["row", *map(escaped, names), *loss_columns(losses), *(["weight"] if weighted else [])], format)


def loss_columns(losses: Sequence[str]) -> list[str]:
    """One loss is called "loss", several are called by their specs."""
    return ["loss"] if len(losses) == 1 else list(losses)


def lines(
    rows: np.ndarray,
    side: Sides,
    totals: Sequence[np.ndarray],
    weight: np.ndarray | None,
    losses: Sequence[str],
    format: str,
    digits: int | None,
) -> str:
    """The lines of some rows. bare: the (first) loss alone."""
    if format == "bare":
        return "".join(number(value, digits) + "\n" for value in totals[0].tolist())
    columns = [rows.tolist(), *(column.reshape(-1).tolist() for column in side.values())]
    values = [*totals, *([weight] if weight is not None else [])]
    table = zip(*columns, *(column.tolist() for column in values), strict=True)
    names = ["row", *side, *loss_columns(losses), *(["weight"] if weight is not None else [])]
    if format == "ndjson":
        return "".join(json_text(_record(names, cells)) + "\n" for cells in table)
    first = len(columns)
    return "".join(
        _line([*map(_visible, cells[:first]), *(number(value, digits) for value in cells[first:])], format)
        for cells in table
    )


def _record(names: Sequence[str], cells: Sequence[Any]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name, value in zip(names, cells, strict=True):
        finite = not isinstance(value, float) or value - value == 0
        record[name] = value if finite else None
        if not finite:
            record[f"{name}_text"] = repr(value)
    return record


def _visible(value: object) -> str:
    return escaped(value) if isinstance(value, str) else str(value)


def _line(cells: Sequence[str], format: str) -> str:
    if format == "tsv":
        return "\t".join(" ".join(cell.split()) for cell in cells) + "\n"
    return ",".join(_quoted(cell) for cell in cells) + "\n"


def _quoted(cell: str) -> str:
    if any(mark in cell for mark in ',"\n\r'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def record_array(
    rows: np.ndarray, side: Sides, totals: Sequence[np.ndarray], weight: np.ndarray | None, losses: Sequence[str]
) -> np.ndarray:
    """Some rows as a structured array with the columns of `header`."""
    columns = {"row": rows.astype("<i8")}
    for name, column in side.items():
        column = column.reshape(-1)
        columns[name] = column.astype(str) if column.dtype.kind == "O" else column
    columns.update(zip(loss_columns(losses), totals, strict=True))
    if weight is not None:
        columns["weight"] = weight
    records = np.empty(len(rows), dtype=[(name, column.dtype.newbyteorder("<")) for name, column in columns.items()])
    for name, column in columns.items():
        records[name] = column
    return records


# --- the hardest


def top_sheet(hardest: Hardest, roles: Sequence[str], names: Sequence[str], digits: int | None, cut: bool) -> Sheet:
    """One row a row, hardest first, its inputs in one cell an input. cut: for a person, long cells are shortened"""
    from .sheet import Sheet

    weighted = bool((hardest.weight != 1).any())
    columns = ("rank", "row", *names, "loss", *(("weight",) if weighted else ()), *roles)
    rows = tuple(
        (
            str(at + 1),
            str(int(hardest.number[at])),
            *(shown(str(column[at])) if cut else str(column[at]) for column in hardest.side),
            number(float(hardest.loss[at]), digits),
            *((number(float(hardest.weight[at]), digits),) if weighted else ()),
            *(_cell(column[at], digits, cut) for column in hardest.inputs),
        )
        for at in range(len(hardest.loss))
    )
    plain = {
        name for name, column in zip(roles, hardest.inputs, strict=True) if column.ndim == 1 and _is_number(column)
    }
    return Sheet(columns, rows, frozenset({"rank", "row", "loss", "weight"} | plain), spare=("rank",))


def _is_number(column: np.ndarray) -> bool:
    return column.dtype.kind in "biuf"


def _cell(value: Any, digits: int | None, cut: bool) -> str:
    values = _listed(value)
    if not isinstance(values, list):
        return shown(values) if isinstance(values, str) and cut else _text(values, digits)
    if not cut:
        return " ".join(_text(item, digits) for item in values)
    few = values if len(values) <= MOST_SHOWN else values[:FIRST_SHOWN]
    text = " ".join(shown(_text(item, digits or DIGITS)) for item in few)
    return text if len(few) == len(values) else f"{text} … ({len(values)} values)"


def _text(value: Any, digits: int | None) -> str:
    return number(value, digits) if isinstance(value, float) else str(value)


def _listed(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def top_records(hardest: Hardest, roles: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """One JSON line a row."""
    for record in _top(hardest, roles, names):
        yield json_text(record) + "\n"


def top_json(
    hardest: Hardest, loss: str, roles: Sequence[str], names: Sequence[str], sources: Sequence[tuple[str, str]]
) -> str:
    """One document."""
    rows = list(_top(hardest, roles, names))
    return document("compute --top", rows, loss=loss, source=dict(sources), n=hardest.n)


def _top(hardest: Hardest, roles: Sequence[str], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for at in range(len(hardest.loss)):
        side = zip(names, (_listed(column[at]) for column in hardest.side), strict=True)
        inputs = zip(roles, (_listed(column[at]) for column in hardest.inputs), strict=True)
        cells = [at + 1, int(hardest.number[at]), float(hardest.loss[at]), float(hardest.weight[at])]
        yield {**_record(["rank", "row", "loss", "weight"], cells), **dict(side), "inputs": dict(inputs)}
