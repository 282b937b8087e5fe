"""A table of texts, in every format that a shell, a page or a paper wants."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ..text import escaped, message

GAP, FRAME = 3, 2  # characters between columns of a table, and around them
PROSE = 16  # characters that sentences have at least
MANY_DIGITS = re.compile(r"[-+]?\d*\.\d+([eE][-+]?\d+)?")


class Sheet(NamedTuple):
    """Columns and rows of text, and what a table on a terminal may do with them.

    numeric: columns that are set flush right;  prose: columns of sentences, whose lines may break between words
    spare: columns that a narrow table leaves out, with a word, the first of them first;  pictures: drawings of what
        other columns say, left out without a word
    ditto: columns whose cells are said once where they repeat; a later one only where all earlier ones repeat too
    brief: cells of a column without what goes without saying, for a narrow table
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    title: str = ""
    prose: frozenset[str] = frozenset()
    spare: tuple[str, ...] = ()
    pictures: frozenset[str] = frozenset()
    ditto: tuple[str, ...] = ()
    brief: Mapping[str, tuple[str, ...]] = MappingProxyType({})


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
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]  # a rule is three characters at least
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

    What is too wide says once what all its rows share, then leaves its least important columns out, then rounds its
    numbers, and at last stands row under row, cell under cell. A number is never split.
    """
    sheet = fit_to_show(sheet)
    layout = next((layout for layout in _layouts(sheet) if _least_width(layout) <= width), None)
    if layout is None:
        shared = _sharing(sheet)
        return _title(shared, width) + _records(shared, width)
    widths = _widths(_dittoed(layout), width)
    return _title(layout, width) + _grid(_dittoed(layout), widths, colour)


def _layouts(sheet: Sheet) -> Iterator[Sheet]:
    """The sheet as wide as it is, and narrower ones, one after another."""
    plain = _without(sheet, sheet.pictures)
    yield from (sheet, plain)
    yield _sharing(plain)
    shared = _sharing(_briefed(plain))
    for form in (shared, _rounded(shared, 6), _rounded(shared, 4)):
        yield from (_said_without(form, sheet.spare[:count]) for count in range(len(sheet.spare) + 1))


def _title(sheet: Sheet, width: int) -> str:
    return "".join(line + "\n" for part in sheet.title.splitlines() for line in folded(part, width))


def folded(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of so many characters, broken between words only; indent: of all but the first."""
    import textwrap

    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _grid(sheet: Sheet, widths: Sequence[int], colour: bool) -> str:
    import io

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = io.StringIO()
    system = "standard" if colour else None
    total = sum(widths) + FRAME + GAP * len(widths)
    console = Console(file=out, width=total, force_terminal=colour, color_system=system, no_color=not colour)  # type: ignore[arg-type]
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, at in zip(sheet.columns, widths, strict=True):
        grid.add_column(Text(name), justify="right" if name in sheet.numeric else "left", width=at)
    for row in sheet.rows:
        grid.add_row(*(Text(cell) for cell in row))
    console.print(grid)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _records(sheet: Sheet, width: int) -> str:
    """A line a cell, an empty line between rows; empty cells and what is drawn are left out."""
    from rich.cells import cell_len

    indent = max(map(cell_len, sheet.columns), default=0) + 2
    parts = []
    for row in sheet.rows:
        parts.append("")
        for name, cell in zip(sheet.columns, row, strict=True):
            if cell and name not in sheet.pictures:
                first, *rest = folded(cell, max(width - indent, 1)) or [""]
                parts.append(name + " " * (indent - cell_len(name)) + first)
                parts += [" " * indent + line for line in rest]
    return "".join(line + "\n" for line in [*parts, ""])


def _widths(sheet: Sheet, width: int) -> list[int]:
    """How many characters each column has; what may break takes what the others leave."""
    least, natural = zip(*_spans(sheet), strict=True) if sheet.columns else ((), ())
    room = width - FRAME - GAP * (len(least) - 1) - sum(least)
    widths = []
    for low, high in zip(least, natural, strict=True):
        widths.append(min(high, low + max(room, 0)))
        room -= widths[-1] - low
    return widths


def _spans(sheet: Sheet) -> Iterator[tuple[int, int]]:
    """The least and the natural width of each column: headings and prose may break between words."""
    from rich.cells import cell_len

    for name, *cells in zip(sheet.columns, *sheet.rows, strict=True):
        longest = max(map(cell_len, cells), default=0)
        words = max((cell_len(word) for text in cells for word in text.split()), default=0)
        head = max(map(cell_len, name.split()), default=0)
        yield (
            max(head, max(words, min(longest, PROSE)) if name in sheet.prose else longest),
            max(longest, cell_len(name)),
        )


def _least_width(sheet: Sheet) -> int:
    return sum(least for least, _ in _spans(_dittoed(sheet))) + FRAME + GAP * (len(sheet.columns) - 1)


def _without(sheet: Sheet, names: Collection[str]) -> Sheet:
    """Without some columns."""
    places = [at for at, name in enumerate(sheet.columns) if name not in names]
    rows = tuple(tuple(row[at] for at in places) for row in sheet.rows)
    return sheet._replace(columns=tuple(sheet.columns[at] for at in places), rows=rows)


def _said_without(sheet: Sheet, names: Sequence[str]) -> Sheet:
    """Without some columns, which the title tells."""
    names = [name for name in sheet.columns if name in names]
    return _titled(_without(sheet, names), f"not shown: {', '.join(names)} (-f tsv has all)") if names else sheet


def _titled(sheet: Sheet, *texts: str) -> Sheet:
    """With more in its title."""
    return sheet._replace(title="; ".join([*([sheet.title] if sheet.title else []), *texts]))


def _dittoed(sheet: Sheet) -> Sheet:
    """What repeats from row to row is said once, from the left."""
    places = [sheet.columns.index(name) for name in sheet.ditto if name in sheet.columns]
    rows: list[tuple[str, ...]] = []
    for row, last in zip(sheet.rows, ((), *sheet.rows), strict=False):
        depth = next((k for k, at in enumerate(places) if not last or row[at] != last[at]), len(places))
        blank = places[:depth]
        rows.append(tuple("" if at in blank else cell for at, cell in enumerate(row)))
    return sheet._replace(rows=tuple(rows))


def _briefed(sheet: Sheet) -> Sheet:
    """With the brief cells of its columns; the title tells it. A column of which nothing is left is left out."""
    names = [name for name in sheet.columns if name in sheet.brief]
    if not names:
        return sheet
    columns = dict(zip(sheet.columns, zip(*sheet.rows, strict=True), strict=True)) | {
        name: sheet.brief[name] for name in names
    }
    short = sheet._replace(rows=tuple(zip(*columns.values(), strict=True)))
    empty = [name for name in names if not any(columns[name])]
    return _titled(_without(short, empty), f"defaults of {', '.join(names)} not shown (-f tsv has all)")


def _sharing(sheet: Sheet) -> Sheet:
    """Without the columns that hold the same in every row; the title tells them."""
    if len(sheet.rows) < 2:
        return sheet
    first, *others = sheet.rows
    alike = [all(row[at] == cell for row in others) for at, cell in enumerate(first)]
    if all(alike):
        return sheet
    names = [name for name, same in zip(sheet.columns, alike, strict=True) if same]
    told = [f"{name} {cell}" for name, cell, same in zip(sheet.columns, first, alike, strict=True) if same and cell]
    return _titled(_without(sheet, names), *told)


def _rounded(sheet: Sheet, digits: int) -> Sheet:
    """With so many digits of what has more; the title tells it."""

    def short(name: str, cell: str) -> str:
        if name not in sheet.numeric or not MANY_DIGITS.fullmatch(cell):
            return cell
        text = f"{float(cell):.{digits}g}"
        return text if len(text) < len(cell) else cell

    rows = tuple(tuple(map(short, sheet.columns, row)) for row in sheet.rows)
    return sheet if rows == sheet.rows else _titled(sheet._replace(rows=rows), "rounded to fit: -f tsv has every digit")


def fit_to_show(sheet: Sheet) -> Sheet:
    """The sheet with what cannot be seen in its texts as escapes."""
    rows = tuple(tuple(map(escaped, row)) for row in sheet.rows)
    return sheet._replace(columns=tuple(map(escaped, sheet.columns)), rows=rows, title=message(sheet.title))


FORMATS: dict[str, Any] = {
    name: lambda sheet, writer=writer: writer(fit_to_show(sheet))
    for name, writer in (("tsv", tsv), ("csv", csv), ("md", markdown), ("latex", latex))
}


def text_of(cells: Sequence[object]) -> tuple[str, ...]:
    """Values as cells: floats in full, None as nothing."""
    return tuple("" if cell is None else repr(cell) if isinstance(cell, float) else str(cell) for cell in cells)
