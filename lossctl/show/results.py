"""Results as text: bare numbers, JSON in the one schema, or a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..results import Result
from ..text import option_text
from ..version import __version__

if TYPE_CHECKING:
    from .sheet import Sheet

SCHEMA = "lossctl/1"


def number(value: float, digits: int | None) -> str:
    """A value with full round-trip precision, or rounded to significant digits on request."""
    return repr(value) if digits is None else f"{value:.{digits}g}"


def bare(results: Sequence[Result], digits: int | None) -> str:
    """The numbers alone, a line each."""
    return "".join(number(result.value, digits) + "\n" for result in results)


def as_json(results: Sequence[Result], command: str) -> str:
    """One document: {"schema", "version", "command", "results", "warnings"}."""
    import json

    document = {
        "schema": SCHEMA,
        "version": __version__,
        "command": command,
        "results": [result.as_json() for result in results],
        "warnings": [warning for result in results for warning in result.warnings],
    }
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def ndjson(results: Sequence[Result]) -> str:
    """One result a line."""
    import json

    return "".join(json.dumps(result.as_json(), ensure_ascii=False, allow_nan=False) + "\n" for result in results)


def sheet(results: Sequence[Result], digits: int | None, *, signature: bool) -> Sheet:
    """One row a result."""
    from .sheet import Sheet

    columns = ("loss", "options", "reduction", "value", "n", *(("signature",) if signature else ()))
    rows = tuple(
        (
            result.loss,
            " ".join(f"{name}={option_text(value)}" for name, value in result.params),
            result.reduction,
            number(result.value, digits),
            str(result.n),
            *((result.signature,) if signature else ()),
        )
        for result in results
    )
    return Sheet(columns, rows, numeric=frozenset({"value", "n"}))


def context(result: Result) -> str:
    """What a person at a terminal wants to know of a bare number, in a line or two."""
    options = ", ".join(f"{name} {option_text(value)}" for name, value in result.params)
    title = f"{result.loss} ({options})" if options else result.loss
    rows = f"{result.n} row{'s' if result.n != 1 else ''}"
    return "\n".join([f"{title}: {result.reduction} of {rows}, {result.dtype}", *result.notes])
