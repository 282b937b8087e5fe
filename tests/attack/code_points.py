"""Code points that move a cursor, hide text or break a document, in every name that a person or a file can give.

python tests/attack/code_points.py [COUNT [NAMES]]     COUNT characters in each name, 40 unless given; the first NAMES
                                                      names, all unless given; COUNT 1 takes half an hour
"""

import collections
import contextlib
import csv
import io
import itertools
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from lossctl.cli import app

NONCHARACTERS = [*range(0xFDD0, 0xFDF0), *(plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF))]
BIDI = [0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
POINTS = [*range(0xA0), *BIDI, *NONCHARACTERS]
HIDDEN = {chr(point) for point in [*range(0x20), *range(0x7F, 0xA0), *BIDI, *NONCHARACTERS]} - set("\n\t")
CODES = {0, 1, 2, 3, 4}
WRITTEN = {"-o", "--report", "--summary", "--metrics", "--plot"}
FORMS = {"xml": "junit"}
TABLES = ("table", "tsv", "csv", "md", "latex", "json", "ndjson")
LISTS = ("table", "tsv", "csv", "md", "latex", "json")


class Page(HTMLParser):
    """The elements that a page leaves open, and those that are not of a report."""

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input", "path", "line", "rect", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, name: str, attributes: object) -> None:
        self.names += [] if name in self.VOID else [name]

    def handle_endtag(self, name: str) -> None:
        if name not in self.VOID and (not self.names or self.names.pop() != name):
            raise ValueError(f"</{name}> closes nothing")


def parse(form: str, text: str) -> None:
    """ValueError or a parser's own error where a document is none."""
    if form == "json":
        json.loads(text)
    elif form == "ndjson":
        for line in text.split("\n")[:-1]:
            json.loads(line)
    elif form in ("junit", "svg"):
        ElementTree.fromstring(text.encode())
    elif form == "html":
        page = Page()
        page.feed(text)
        page.close()
        if page.names:
            raise ValueError(f"{page.names} stay open")
    elif form in ("csv", "tsv"):
        rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if form == "tsv" else ",", strict=True)
        widths = {len(row) for row in rows if row}
        if len(widths) > 1:
            raise ValueError(f"rows of {widths} cells")


def quoted(name: str) -> str:
    """As a double-quoted text of YAML."""
    return '"' + "".join(f"\\U{ord(character):08x}" for character in name) + '"'


def suites(here: Path, name: str) -> list[tuple[str, list[str], str]]:
    text = quoted(name)
    entries = [
        f"- {{name: {text}, loss: mse, inputs: {here}/p.npz, group: '{here}/p.npz::group', max: 0.1}}",
        f"- {{name: {quoted(name + 'b')}, loss: mse, inputs: {quoted('no' + name.replace(chr(0), ''))}}}",
    ]
    (here / "s.yaml").write_text(f"title: {text}\nlosses:\n" + "\n".join(entries) + "\n")
    asks = [("suite", ["run", f"{here}/s.yaml", "-f", form], form) for form in (*TABLES, "junit", "html")]
    kinds = {"--report": ("html", "xml", "json", "csv", "md", "tex"), "--summary": ("md",), "--metrics": ("json",)}
    run = [[option, f"{here}/report.{end}"] for option, ends in kinds.items() for end in ends]
    return [*asks, *(("reports", ["run", f"{here}/s.yaml", *more], "table") for more in run)]


def rows(here: Path, name: str) -> list[tuple[str, list[str], str]]:
    ids = np.array([f"a{name}b", f"{name}c", "d"])
    np.savez(here / "p.npz", pred=np.array([1.0, 2, 3]), target=np.array([1.0, 3, 3]), group=ids, id=ids)
    mse = ["compute", "mse", f"{here}/p.npz"]
    ask = {
        "ids of rows": [*mse, "--per-row", "--id", f"{here}/p.npz::id"],
        "ids of the hardest": [*mse, "--top", "2", "--id", f"{here}/p.npz::id"],
        "groups": [*mse, "--group", f"{here}/p.npz::group"],
    }
    asks = [(field, [*words, "-f", form], form) for field, words in ask.items() for form in TABLES]
    plots = [["--group", f"{here}/p.npz::group", "--plot", f"{here}/g.svg"], ["--summary", f"{here}/g.md"]]
    written = [*mse, "--per-row", "--id", f"{here}/p.npz::id", "-o"]
    ends = ("csv", "json", "ndjson", "md", "tsv")
    asks += [("files of groups", [*mse, *more], "text") for more in plots]
    return [*asks, *(("files of rows", [*written, f"{here}/rows.{end}"], "text") for end in ends)]


def labels(here: Path, name: str) -> list[tuple[str, list[str], str]]:
    classes = np.array(["x" + name, "y"] * 3)
    points = np.array([[0.0, 1], [1, 0], [0, 1.1], [1.2, 0], [0.5, 0.6], [0.6, 0.5]])
    np.savez(here / "e.npz", emb=points, label=classes, id=classes)
    word = ["triplets", f"{here}/e.npz", "--by", "class", "--pairs", "2"]
    asks = [("classes", [*word, "-f", form], form) for form in TABLES]
    mine = ["mine", "all", f"{here}/e.npz", "--id", f"{here}/e.npz::id", "-o", f"{here}/mined.csv"]
    return [*asks, ("classes", ["info", f"{here}/e.npz", "-f", "json"], "json"), ("mined ids", mine, "text")]


def columns(here: Path, name: str) -> list[tuple[str, list[str], str]]:
    with open(here / "c.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["x" + name, "y", "z" + name], *[[1, 2, 3], [2, 2, 3], [4, 3, 1]]])
    plain = name.replace("\0", "")
    ask = {
        "columns of info": ["info", f"{here}/c.csv"],
        "columns of suggest": ["suggest", f"{here}/c.csv"],
    }
    asks = [(field, [*words, "-f", form], form) for field, words in ask.items() for form in LISTS]
    words = ["compute", "mse", f"{here}/c.csv::x{plain}", f"{here}/c.csv::y", "-f"]
    asks += [("selected columns", [*words, form], form) for form in TABLES]
    return [*asks, ("columns", ["compute", "mse", f"{here}/c.csv"], "text")]


def files(here: Path, name: str) -> list[tuple[str, list[str], str]]:
    path = str(here / f"f{name.replace(chr(0), '').replace('/', '')}.npz")
    np.savez(path, pred=np.array([0.2, 0.7]), target=np.array([0.0, 1]))
    other = path.removesuffix(".npz") + "2.npz"
    np.savez(other, pred=np.array([0.3, 0.6]), target=np.array([0.0, 1]))
    compare = ["compare", f"{path}::pred", f"{other}::pred", "-y", f"{path}::target", "--loss", "brier", "-f"]
    ask = {"files": ["compute", "mse", path], "files of parity": ["parity", "mse", path]}
    asks = [(field, [*words, "-f", form], form) for field, words in ask.items() for form in TABLES]
    asks += [("files of info", ["info", path, "-f", form], form) for form in LISTS]
    asks += [("files of suggest", ["suggest", path, "-f", form], form) for form in LISTS]
    asks += [("systems", [*compare, form], form) for form in TABLES]
    reconcile = ["reconcile", "mse", path, "--value", "0.13", "-f"]
    asks += [("files of reconcile", [*reconcile, form], form) for form in ("text", "json")]
    return [*asks, ("verbose", ["compute", "mse", path, "-v"], "text")]


def outputs(here: Path, name: str) -> list[tuple[str, list[str], str]]:
    path = str(here / f"out{name.replace(chr(0), '').replace('/', '')}")
    mse = ["compute", "mse", f"{here}/p.npz"]
    asks = [("outputs", [*mse, *more, path + end], "text") for more, end in (
        (["-o"], ".json"), (["-r", "none", "-o"], ".csv"), (["--summary"], ".md"), (["--metrics"], ".json"),
        (["-o"], "/no/x.json"), (["--plot"], ".odd"), (["-f"], ""), (["--color"], ""), (["--baseline"], ".json"),
    )]  # fmt: skip
    return [*asks, ("outputs", ["curve", "mse", "-o", path + ".csv"], "text")]


def words(here: Path, name: str) -> list[tuple[str, list[str], str]]:
    word = "x" + name.replace("\0", "")
    asks = [
        ["explain", word],
        ["list", "--family", word],
        ["list", "--search", word],
        ["curve", word],
        [word],
        ["run", word],
    ]
    asks += [
        ["compute", word],
        ["compute", "mse", "--like", word],
        ["mine", word],
        ["bench", word],
        ["compute", "mse", "--" + word],
    ]
    return [("words", ask, "text") for ask in asks]


FIELDS: tuple[Callable[[Path, str], list[tuple[str, list[str], str]]], ...] = (
    rows, suites, labels, columns, files, outputs, words,
)  # fmt: skip


def ran(arguments: list[str]) -> tuple[int, str, str]:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app.run(arguments)
        out.flush()
        err.flush()
    return code, out.buffer.getvalue().decode(), err.buffer.getvalue().decode()


def outcome(arguments: list[str], form: str) -> tuple[int, str]:
    """The exit code of a command, and what is wrong with it, "" for nothing."""
    try:
        code, out, err = ran(arguments)
    except BaseException as error:
        return 70, traceback.format_exception_only(error)[-1].strip()
    if code not in CODES or "Traceback" in err:
        return code, f"exit {code}: {err.strip()[-200:]!r}"
    documents = [("stdout", form, out), ("stderr", "text", err)]
    for option, path in itertools.pairwise(arguments):
        if option in WRITTEN and os.path.isfile(path):
            end = path.rpartition(".")[2]
            documents.append((option, FORMS.get(end, end), Path(path).read_bytes().decode()))
    for place, kind, text in documents:
        hidden = sorted(hex(ord(character)) for character in HIDDEN & set(text))
        if hidden and (place, arguments[0]) != ("-o", "mine"):  # ids of triplets are joined to a table: as they are
            return code, f"{place} holds {hidden[:5]}"
        try:
            if text:
                parse(kind, text)
        except (ValueError, csv.Error, ElementTree.ParseError) as error:
            return code, f"{place} is no {kind}: {error}"
    return code, ""


def attack(points: list[int], count: int) -> tuple[collections.Counter, list[str]]:
    """How many commands were run for each field, and what was wrong; `count` code points stand in a name together."""
    tried: collections.Counter = collections.Counter()
    faults = []
    with tempfile.TemporaryDirectory() as text:
        for at in range(0, len(points), count):
            name = "".join(map(chr, points[at : at + count]))
            here = Path(text) / str(at)
            here.mkdir()
            for field in FIELDS:
                for kind, arguments, form in field(here, name):
                    code, wrong = outcome(arguments, form)
                    tried[f"{kind}, exit {code}"] += 1
                    faults += [f"{kind}, {form}, {points[at]:#x}: {wrong}"] if wrong else []
    return tried, faults


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    points = POINTS[: count * int(sys.argv[2])] if len(sys.argv) > 2 else POINTS
    tried, faults = attack(points, count)
    print("\n".join(f"{kind}: {times}" for kind, times in tried.items()))
    print(f"{len(points)} code points, {sum(tried.values())} commands: {len(faults)} faults")
    print("\n".join(faults))
    sys.exit(bool(faults))
