"""Claims about text tables as the world writes them: read as they are meant, or asked, and no row lost in silence."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossctl.errors import DataError, LossctlError, UsageError
from lossctl.files.dialect import Dialect, dialect_of
from lossctl.files.sources import blocks, open_source

BRIEF = settings(max_examples=200, deadline=None, database=None, derandomize=True)


def read(path, selector=None, kind="number", rows=7, allow_missing=False, **options):
    with open_source(str(path), dialect_of(options, allow_missing)) as frame:
        field = frame.all_columns() if selector is None else frame.select(selector)
        parts = [block.load()[0] for block in blocks([field], [kind], rows)]
        return np.concatenate([part.astype(object) if kind == "category" else part for part in parts])


def refused(path, *words, error=DataError, **options):
    with pytest.raises(LossctlError) as caught:
        read(path, **options)
    assert type(caught.value) is error, caught.value
    for word in words:
        assert word in str(caught.value), str(caught.value)


@pytest.fixture
def write(tmp_path):
    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# --- what separates cells, and what stands before them

BLANKS = "0.9 1\n0.2 0\n"
SAME = {  # texts that hold one table
    "excel": "sep=;\np;y\n0.9;1\n0.2;0\n",
    "excel with a bom": "\ufeffsep=;\r\np;y\r\n0.9;1\r\n0.2;0\r\n",
    "excel with tabs": "sep=\t\np\ty\n0.9\t1\n0.2\t0\n",
    "bars": "p|y\n0.9|1\n0.2|0\n",
    "blanks": "p y\n0.9 1\n0.2 0\n",
    "aligned": "  p     y\n0.9     1\n0.2     0  \n",
    "aligned crlf": "  p     y\r\n0.9     1 \r\n0.2     0  \r\n",
    "comment names": "# p y\n" + BLANKS,
    "comment names, commas": "# p,y\n0.9,1\n0.2,0\n",
    "two comments": "# made by hand\n# p y\n" + BLANKS,
    "a comment and a header": "# made by hand, today\np,y\n0.9,1\n0.2,0\n",
    "two boms' worth": "\ufeff# p y\n" + BLANKS,
    "cr": "p,y\r0.9,1\r0.2,0\r",
    "cr without an end": "p,y\r0.9,1\r0.2,0",
    "cr, excel": "sep=;\rp;y\r0.9;1\r0.2;0",
}


@pytest.mark.parametrize("case", SAME)
def test_tables_as_others_write_them(write, case):
    path = write(SAME[case])
    for rows in (1, 5):
        assert read(path, "p", rows=rows).tolist() == [0.9, 0.2]
        assert read(path, "y", "category", rows=rows).tolist() == [1, 0]


@pytest.mark.parametrize("options", [{}, {"header": "p y"}, {"fmt": "%10.5f"}, {"fmt": "%.3e", "header": "p y"}])
@pytest.mark.parametrize("delimiter", [" ", ",", "\t", ";"])
def test_savetxt(write, options, delimiter):
    stream = io.StringIO()
    matrix = np.array([[-0.5, 1], [0.25, 0], [1e-3, 1]])
    np.savetxt(
        stream, matrix, delimiter=delimiter, **{**options, "header": options.get("header", "").replace(" ", delimiter)}
    )
    path = write(stream.getvalue(), "t.txt")
    with open_source(str(path)) as frame:
        assert frame.names == (("p", "y") if "header" in options else ())
    assert np.allclose(read(path), matrix, atol=1e-5 if "fmt" in options else 0)


def test_comments_that_may_be_labels_are_asked(write):
    refused(write("#cat\ndog\ncat\n"), "may be a comment or a label", "--header no")
    assert read(write("#cat\n#dog\n"), kind="category", header=False).tolist() == ["#cat", "#dog"]
    refused(write("p,y\n1,2\n# end\n3,4\n"), ":3:", "a comment among the rows", "grep -v '^#'")


def test_two_rows_of_names_are_told_with_a_fix_that_works(write, tmp_path):
    text = "split,fold,,\nmodel,,prob,label\n0,0,0.9,1\n0,1,0.2,0\n"
    refused(write(text), ":2: a second row of names", "sed -e 1d -e '2s/.*/model,fold,prob,label/'")
    path = write("".join(text.splitlines(keepends=True)[2:]))
    assert read(path, "3", header=False).tolist() == [0.9, 0.2]
    text = "a,b\nunit,share\n1,2\n3,4\n"
    refused(write(text), ":2: a second row of names", "tail -n +2")
    assert read(write(text.split("\n", 1)[1]), "share").tolist() == [2, 4]


# --- numbers of other countries

POINTS = [
    ("0,9;1\n0,25;0\n", {"decimal": ","}),
    ("p;y\n0,9;1\n0,25;0\n", {"decimal": ","}),
    ('p,y\n"0,9","1"\n"0,25","0"\n', {"decimal": ","}),
    ("p\ty\n 0,9\t1\n2,5e-1\t0\n", {"decimal": ","}),
    ("p;y\n0,9;1,0\n0,25;0,0\n", {"decimal": ","}),
]


@pytest.mark.parametrize(("text", "options"), POINTS)
def test_decimal_commas(write, text, options):
    path = write(text)
    assert read(path, "1", **options).tolist() == [0.9, 0.25]
    assert read(path, "2", "category", **options).tolist() == [1, 0]


@BRIEF
@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=1, max_size=5), st.sampled_from([",", "."]), st.data())
def test_any_number_in_any_dress_has_its_digits(tmp_path_factory, values, decimal, data):
    thousands = data.draw(st.sampled_from(["", " ", "'", "." if decimal == "," else ","]))

    def dressed(value):
        text = f"{value:,.6f}".translate(str.maketrans({",": thousands, ".": decimal}))
        return text

    path = tmp_path_factory.mktemp("n") / "t.csv"
    path.write_text("p;text\n" + "".join(f"{dressed(value)};a.b,c\n" for value in values))
    got = read(path, "p", decimal=decimal, thousands=thousands)
    assert got.tolist() == [float(f"{value:.6f}") for value in values]
    assert set(read(path, "text", "category", decimal=decimal, thousands=thousands)) == {"a.b,c"}


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("0,5", ["add --decimal ,"]),
        ("12,345", ["add --thousands , where that is a whole number, or --decimal , where it is a fraction"]),
        ("1,234.5", ["add --thousands ,"]),
        ("1.234,5", ["add --thousands . --decimal ,"]),
        ("1 234", ["add --thousands ' '"]),
        ("1'234", ['add --thousands "\'"']),
        ("1_000", ["add --thousands _"]),
        ("1,23,456.78", ["add --thousands ,"]),
        ("12.34.567,8", ["add --thousands . --decimal ,"]),
        ("1\u2019234.5", ['add --thousands "\'"']),
        ("1\u2009234,5", ["add --thousands ' ' --decimal ,"]),
        ("97%", ["sed -E 's/ ?%/e-2/g'", "whether 97% is 97 or 0.97"]),
        ("97 %", ["sed -E 's/ ?%/e-2/g'"]),
        ("[0.1, 0.2]", ["a column of lists has one in every row"]),
    ],
)
def test_numbers_in_another_dress_name_the_option(write, cell, words):
    refused(write(f"p;y\n{cell};1\n0.5;0\n"), ":2: column 'p' (1)", *words, selector="p")


def test_the_options_that_are_named_work(write):
    assert read(write("p;y\n1.234,5;1\n"), "p", decimal=",", thousands=".").tolist() == [1234.5]
    assert read(write("p;y\n1 234;1\n"), "p", thousands=" ").tolist() == [1234]
    assert read(write("p;y\n1\u202f234,5;1\n"), "p", thousands=" ", decimal=",").tolist() == [1234.5]
    for mark in "'\u2019":
        assert read(write(f"p;y\n1{mark}234{mark}567.5;1\n"), "p", thousands="'").tolist() == [1234567.5]
    indian = "p;y\n1,23,456.78;1\n-12,34,56,789;1\n99,999;1\n1,234;1\n"
    assert read(write(indian), "p", thousands=",").tolist() == [123456.78, -123456789, 99999, 1234]
    assert read(write("p,y\n97e-2,1\n"), "p").tolist() == [0.97]


def test_groups_of_other_than_three_and_points_are_refused(write):
    for cell in (
        "1,23",
        "123,45,678",
        "1,2345",
        ",123",
        "1,234,5",
        "1,234,5678",
        "1,23,45",
        "1,23,4567",
        "1,234,56,789",
    ):
        refused(write(f"p;y\n{cell};1\n"), ":2:", selector="p", thousands=",")
    refused(write("p;y\n1.5;1\n"), "'1.5' has a point", selector="p", decimal=",")
    refused(write("p;y\n0,5;1.0\n"), "'1.0' has a point", selector="y", kind="category", decimal=",")
    for options in ({"decimal": ";"}, {"thousands": "5"}, {"thousands": "."}, {"decimal": ",", "thousands": ","}):
        refused(write("p;y\n1;1\n"), error=UsageError, **options)


# --- the first row: names or data

HEADERLESS = [
    ("cat\ndog\ncat\n", "category", ["cat", "dog", "cat"]),
    ("a1,cat\na2,dog\na3,cat\n", "category", [["a1", "cat"], ["a2", "dog"], ["a3", "cat"]]),
    ("1\n2\n3\n", "number", [1, 2, 3]),
    ("True\nFalse\n", "number", [1, 0]),
]


@pytest.mark.parametrize(("text", "kind", "values"), HEADERLESS)
def test_no_first_row_is_lost(write, text, kind, values):
    assert read(write(text), kind=kind).tolist() == values


@pytest.mark.parametrize("text", ["cat\ndog\nbird\n", "ham,x\nspam,y\n", "a1,1\nb2,2\n"])
def test_a_first_row_like_the_others_is_asked(write, text):
    path = write(text)
    refused(path, ":1: the first row may be a header or data", "--header yes, or --header no", kind="category")
    with open_source(str(path), Dialect(header=False)) as frame:
        assert frame.names == ()


@pytest.mark.parametrize(
    "text", ["label\ncat\ndog\n", "id,lang\na,de\nb,en\n", "foo,bar\n1,cat\n2,dog\n", "w\n1\n2\n", "x,0,1\n5,.1,.2\n"]
)
def test_a_first_row_of_another_kind_or_of_usual_names_is_a_header(write, text):
    with open_source(str(write(text))) as frame:
        assert frame.names == tuple(text.split("\n")[0].split(","))


# --- files that are something else


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            ["Git LFS pointer", "git lfs pull"],
        ),
        (np.random.default_rng(0).normal(size=99).astype("f4").tobytes(), ["is binary", "np.fromfile"]),
        (np.arange(99, dtype="f8").tobytes(), ["is binary", "np.fromfile"]),
        ("p,y\n1,2\n".encode("utf-16"), ["UTF-16", "iconv -f UTF-16"]),
        ("p,y\n1,2\n".encode("utf-16-be"), ["UTF-16", "iconv -f UTF-16BE"]),
        ("p,y\n1,2\n".encode("utf-32"), ["UTF-32", "iconv -f UTF-32"]),
        (b"<html><body>", ["a web page"]),
    ],
)
def test_files_that_are_no_tables_are_named(write, content, words):
    refused(write(content), "t.csv: is ", *words)
