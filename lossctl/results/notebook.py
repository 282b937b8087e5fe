"""How results behave in a notebook: numbers that compare and format, tables that frames are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import DeviceError
from ..text import html_text

Record = dict[str, Any]


class Tabled:
    """What has rows: a table in a notebook, a DataFrame where a library for it is installed."""

    def records(self) -> list[Record]:
        """One mapping a row: column -> text, number or None."""
        raise NotImplementedError

    def to_pandas(self) -> Any:
        """A pandas DataFrame of the records. DeviceError where pandas is not installed."""
        return _library("pandas").DataFrame(self.records())

    def to_polars(self) -> Any:
        """A polars DataFrame of the records. DeviceError where polars is not installed."""
        return _library("polars").DataFrame(self.records(), infer_schema_length=None)

    def _repr_html_(self) -> str:
        return html_table(self.records())


class Number:
    """What is one number: it compares with numbers and its like, rounds, and formats."""

    def __float__(self) -> float:
        raise NotImplementedError

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else str(self)

    def __round__(self, digits: int | None = None) -> float:
        return round(float(self), digits)

    def __lt__(self, other: Any) -> bool:
        return _compared(self, other, float.__lt__)

    def __le__(self, other: Any) -> bool:
        return _compared(self, other, float.__le__)

    def __gt__(self, other: Any) -> bool:
        return _compared(self, other, float.__gt__)

    def __ge__(self, other: Any) -> bool:
        return _compared(self, other, float.__ge__)


def _compared(number: Number, other: Any, holds: Callable[[float, float], bool]) -> bool:
    if isinstance(other, bool | str) or not hasattr(other, "__float__"):
        return NotImplemented  # type: ignore[no-any-return]
    return holds(float(number), float(other))


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise DeviceError(f"{name} is not installed", fix=f"pip install {name}, or use .records()") from None


def html_table(records: list[Record]) -> str:
    """Records as an HTML table, numbers to the right; columns that are empty in all rows are left out."""
    columns = [name for name in records[0] if any(record[name] is not None for record in records)] if records else []
    head = "".join(f"<th>{html_text(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(_cell(record[name]) for name in columns)}</tr>" for record in records)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f'<td style="text-align: right" title="{value!r}">{value:.6g}</td>'
    if isinstance(value, int):
        return f'<td style="text-align: right">{value}</td>'
    return f'<td style="text-align: left">{html_text("" if value is None else str(value))}</td>'
