"""A table of texts, in every format that a shell, a page or a paper wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sheet:
    """Columns and rows of text. `numeric`: which columns are set flush right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    title: str = ""


def tsv(sheet: Sheet) -> str:
    """Tab-separated, with a header; tabs and newlines in cells become spaces."""
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in (sheet.columns, *sheet.rows))


def csv(sheet: Sheet) -> str:
    """RFC 4180, with a header."""
    import csv as writer
    import io

    out = io.StringIO()
    writer.writer(out, lineterminator="\n").writerows((sheet.columns, *sheet.rows))
    return out.getvalue()


def markdown(sheet: Sheet) -> str:
    """A Markdown table, its columns aligned in the source too."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (sheet.columns, *sheet.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [name in sheet.numeric for name in sheet.columns]
    rule = [("-" * (width - 1) + ":") if flush else "-" * width for width, flush in zip(widths, right, strict=True)]
    lines = [cells[0], rule, *cells[1:]]
    return "".join(
        "| "
        + " | ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        + " |\n"
        for line in lines
    )


_LATEX = str.maketrans(
    {character: "\\" + character for character in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\~{}", "^": r"\^{}"}
)


def latex(sheet: Sheet) -> str:
    """A LaTeX tabular in the style of booktabs."""
    alignment = "".join("r" if name in sheet.numeric else "l" for name in sheet.columns)
    head, *body = (" & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in (sheet.columns, *sheet.rows))
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def table(sheet: Sheet, *, width: int, colour: bool) -> str:
    """A rich table for a terminal; cells are plain text, never markup."""
    import io

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in sheet.columns:
        flush = name in sheet.numeric
        made.add_column(Text(name), justify="right" if flush else "left", overflow="fold", no_wrap=flush)
    for row in sheet.rows:
        made.add_row(*(Text(cell) for cell in row))
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None, no_color=not colour
    )
    if console.measure(made).maximum > width:  # better a number on two lines than half a number
        for column in made.columns:
            column.no_wrap = False
    if sheet.title:
        console.print(Text(sheet.title))
    console.print(made)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


FORMATS: dict[str, Any] = {"tsv": tsv, "csv": csv, "md": markdown, "latex": latex}


def text_of(cells: Sequence[object]) -> tuple[str, ...]:
    """Values as cells: floats in full, None as nothing."""
    return tuple("" if cell is None else repr(cell) if isinstance(cell, float) else str(cell) for cell in cells)
