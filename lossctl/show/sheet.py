"""A table of texts, in every format that a shell, a page or a paper wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..text import escaped, message

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


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
    """A rich table for a terminal; cells are plain text, never markup.

    What is too wide says once what all its rows share, then rounds its numbers, then folds its cells: nothing is cut.
    """
    import io

    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None, no_color=not colour
    )
    sheet = fit_to_show(sheet)
    for fit in (_sharing, _rounded):
        if _natural_width(sheet, console) > width:
            sheet = fit(sheet)
    if sheet.title:
        console.print(Text(sheet.title))
    console.print(_made(sheet, is_folded=_natural_width(sheet, console) > width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _made(sheet: Sheet, is_folded: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in sheet.columns:
        flush = name in sheet.numeric
        grid.add_column(
            Text(name), justify="right" if flush else "left", overflow="fold", no_wrap=flush and not is_folded
        )
    for row in sheet.rows:
        grid.add_row(*(Text(cell) for cell in row))
    return grid


def _natural_width(sheet: Sheet, console: Console) -> int:
    """How many characters a line takes where there is room for all."""
    roomy = console.options.update(width=1 << 20)
    return console.measure(_made(sheet, is_folded=False), options=roomy).maximum


def _sharing(sheet: Sheet) -> Sheet:
    """Without the columns that hold the same in every row; the title tells them."""
    if len(sheet.rows) < 2:
        return sheet
    columns = list(zip(*sheet.rows, strict=True))
    alike = [len(set(cells)) == 1 and bool(name) for name, cells in zip(sheet.columns, columns, strict=True)]
    if all(alike):
        return sheet
    told = [f"{name} {cells[0]}" for name, cells, same in zip(sheet.columns, columns, alike, strict=True) if same]

    def kept(row: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cell for cell, same in zip(row, alike, strict=True) if not same)

    title = "; ".join([*([sheet.title] if sheet.title else []), *told])
    return Sheet(kept(sheet.columns), tuple(map(kept, sheet.rows)), sheet.numeric, title)


def _rounded(sheet: Sheet) -> Sheet:
    """With six digits of what has more; the title tells it."""

    def short(name: str, cell: str) -> str:
        if name not in sheet.numeric or len(cell) <= 8:
            return cell
        try:
            number = float(cell)
        except ValueError:
            return cell
        return cell if cell.lstrip("-").isdigit() else f"{number:.6g}"

    rows = tuple(tuple(map(short, sheet.columns, row)) for row in sheet.rows)
    if rows == sheet.rows:
        return sheet
    title = "; ".join([*([sheet.title] if sheet.title else []), "rounded to fit: -f tsv has every digit"])
    return Sheet(sheet.columns, rows, sheet.numeric, title)


def fit_to_show(sheet: Sheet) -> Sheet:
    """The sheet with what cannot be seen in its texts as escapes."""
    rows = tuple(tuple(map(escaped, row)) for row in sheet.rows)
    return Sheet(tuple(map(escaped, sheet.columns)), rows, sheet.numeric, message(sheet.title))


FORMATS: dict[str, Any] = {
    name: lambda sheet, writer=writer: writer(fit_to_show(sheet))
    for name, writer in (("tsv", tsv), ("csv", csv), ("md", markdown), ("latex", latex))
}


def text_of(cells: Sequence[object]) -> tuple[str, ...]:
    """Values as cells: floats in full, None as nothing."""
    return tuple("" if cell is None else repr(cell) if isinstance(cell, float) else str(cell) for cell in cells)
