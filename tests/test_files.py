"""Claims about files: one value whatever the format, one clear error for whatever has no one reading."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import lossctl
from lossctl.errors import DataError, FileError, LossctlError, UsageError
from lossctl.files import fast, opening, reading, tables
from lossctl.files.dialect import Dialect, dialect_of
from lossctl.files.memory import frame_of
from lossctl.files.sources import Source, blocks, digest, open_source, parse_source
from lossctl.files.writing import atomic_output, refuse_overwrite_of_inputs
from lossctl.text import shown

SCORES = np.random.default_rng(7).normal(size=(50, 3)).astype(np.float32)
LABELS = np.arange(50) % 4


def read(path, selector=None, kind="number", rows=7, allow_missing=False, **options):
    """All rows of one field, and the field's digest."""
    with open_source(str(path), dialect_of(options, allow_missing)) as frame:
        field = frame.all_columns() if selector is None else frame.select(selector)
        parts = [block.load()[0] for block in blocks([field], [kind], rows)]
        return np.concatenate([part.astype(object) if kind == "category" else part for part in parts])


def refused(path, *words, error=DataError, selector=None, kind="number", **options):
    """The error's text; it must hold every word, and no more than what, why and fix."""
    with pytest.raises(LossctlError) as caught:
        read(path, selector, kind, **options)
    assert type(caught.value) is error
    text = str(caught.value)
    for word in words:
        assert word in text, text
    assert len(text.split("\n")) <= 3
    assert "allow_pickle" not in text
    return text


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def npy_bytes(array, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), **options)
    return stream.getvalue()


def csv_text(matrix, names=("a", "b", "c"), end="\n"):
    return end.join([",".join(names), *(",".join(map(repr, row)) for row in matrix.tolist())]) + end


# --- sources and selectors


def test_source_text_is_its_identity(tmp_path):
    odd = write(tmp_path, "odd::name.csv", "p\n1\n")
    for text, path, selector in [
        ("a.csv", "a.csv", None),
        ("a.csv::p", "a.csv", "p"),
        ("-", "-", None),
        ("-::3", "-", "3"),
        ("a.npz::emb::2", "a.npz", "emb::2"),
        (str(odd), str(odd), None),
        (f"{odd}::p", str(odd), "p"),
    ]:
        assert parse_source(text) == Source(path, selector)
        assert str(parse_source(text)) == text


@pytest.mark.parametrize("text", ["", "::p"])
def test_source_without_file(text):
    with pytest.raises(UsageError):
        parse_source(text)


NAMED = "id,y,p0,p1,p2,2,label\n1,0,.1,.2,.3,.4,5\n"


@pytest.mark.parametrize(
    ("selector", "columns", "ndim"),
    [
        ("y", (1,), 1),
        ("2", None, None),
        ("=2", (5,), 1),
        ("#2", (1,), 1),
        ("-2", (5,), 1),
        ("1", (0,), 1),
        ("p0..p2", (2, 3, 4), 2),
        ("3..5", (2, 3, 4), 2),
        ("p0..-3", (2, 3, 4), 2),
        ("#2..#2", (1,), 2),
        ("y..=2", (1, 2, 3, 4, 5), 2),
        ("p*", (2, 3, 4), 2),
        ("p1*", (3,), 2),
        ("?", (1, 5), 2),
    ],
)
def test_selectors(tmp_path, selector, columns, ndim):
    with open_source(str(write(tmp_path, "a.csv", NAMED))) as frame:
        if columns is None:
            with pytest.raises(UsageError, match=r"(?s)a\.csv.*=2.*#2"):
                frame.select(selector)
        else:
            field = frame.select(selector)
            assert (field.columns, field.ndim, field.frame) == (columns, ndim, frame)
            (block,) = blocks([field], ["number"], 9)
            assert block.load()[0].shape == ((1,) if ndim == 1 else (1, len(columns)))


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("ID", ["no column 'ID'.", "id, y, p0"]),
        ("lable", ["no column 'lable'. Did you mean 'label'?"]),
        ("8", ["no column 8", "has 7"]),
        ("0", ["no column 0"]),
        ("-8", ["no column -8"]),
        ("", ["nothing after"]),
        ("z*", ["no column matches 'z*'"]),
        ("p2..p0", ["runs backwards"]),
        ("=p9", ["no column 'p9'"]),
        ("#y", ["no column '#y'"]),
        ("\x1b[31mred", ["\\x1b[31mred"]),
    ],
)
def test_bad_selectors(tmp_path, selector, words):
    text = refused(write(tmp_path, "a.csv", NAMED), *words, error=UsageError, selector=selector)
    assert "a.csv" in text and "\x1b" not in text


def test_many_columns_are_listed_in_part(tmp_path):
    path = write(tmp_path, "a.csv", ",".join(f"c{i}" for i in range(100)) + "\n" + ",".join(["0"] * 100) + "\n")
    assert "c7, ... (100 in all)" in refused(path, error=UsageError, selector="q")


def test_a_name_that_is_its_own_position_is_no_riddle(tmp_path):
    path = write(tmp_path, "a.csv", "1,2\n5,6\n")
    assert read(path, "2", header=True).tolist() == [6]


def test_npz_keys_and_their_columns(tmp_path):
    np.savez(tmp_path / "a.npz", emb=SCORES, label=LABELS)
    path = tmp_path / "a.npz"
    assert np.array_equal(read(path, "emb"), SCORES)
    assert np.array_equal(read(path, "emb[2]"), SCORES[:, 1])
    assert np.array_equal(read(path, "emb::-2..-1"), SCORES[:, 1:])
    assert np.array_equal(read(path, "2"), LABELS)
    refused(path, "has 2 keys", "emb, label", error=UsageError)
    refused(path, "no column 4", "key 'emb'", error=UsageError, selector="emb[4]")
    refused(path, "key 'emb' has columns of its own", error=UsageError, selector="1..2")
    with open_source(str(path)) as frame:
        assert (frame.names, frame.width, frame.rows, frame.select("emb").width) == (("emb", "label"), 2, 50, 3)


def test_whole(tmp_path):
    np.save(tmp_path / "v.npy", LABELS)
    np.save(tmp_path / "m.npy", SCORES[:, :1])
    np.savez(tmp_path / "one.npz", k=SCORES)
    csv = write(tmp_path, "one.csv", "p\n1\n")
    for path, ndim in [("v.npy", 1), ("m.npy", 2), ("one.npz", 2), (csv.name, 1)]:
        with open_source(str(tmp_path / path)) as frame:
            assert frame.all_columns().ndim == ndim
    assert read(write(tmp_path, "b.csv", csv_text(SCORES))).shape == (50, 3)


# --- the same values from every format


def save_all(folder: Path, matrix: np.ndarray) -> dict[str, Path]:
    """One matrix in every format; paths by name."""
    structured = np.zeros(len(matrix), dtype=[(name, ">f8") for name in "abc"])
    for name, column in zip("abc", matrix.T, strict=True):
        structured[name] = column
    exact = csv_text(matrix.astype(float))
    contents = {
        "c.npy": npy_bytes(matrix),
        "f.npy": npy_bytes(np.asfortranarray(matrix)),
        "big.npy": npy_bytes(matrix.astype(matrix.dtype.newbyteorder(">"))),
        "f64.npy": npy_bytes(matrix.astype(float)),
        "v2.npy": npy_bytes(matrix, version=(2, 0)),
        "v3.npy": npy_bytes(matrix, version=(3, 0)),
        "npy.gz": gzip.compress(npy_bytes(matrix)),
        "structured.npy": npy_bytes(structured),
        "c.csv": exact,
        "crlf.csv": exact.replace("\n", "\r\n"),
        "bom.csv": "\ufeff" + exact,
        "tab.tsv": exact.replace(",", "\t"),
        "semicolon.csv": exact.replace(",", ";"),
        "quoted.csv": "".join('"' + line.replace(",", '","') + '"\n' for line in exact.split()),
        "nolf.csv": exact.rstrip("\n"),
        "csv.gz": gzip.compress(exact.encode()),
        "spaces.csv": exact.replace(",", "  , "),
        "savetxt.csv": "",
        "zip.dat": b"",
        "deflated.dat": b"",
    }
    paths = {name: write(folder, name, content) for name, content in contents.items()}
    np.savetxt(paths["savetxt.csv"], matrix, delimiter=",")
    with open(paths["zip.dat"], "wb") as file:
        np.savez(file, a=matrix)
    with open(paths["deflated.dat"], "wb") as file:
        np.savez_compressed(file, a=matrix)
    return paths


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u2", "i4", "i8", "u8", "?"])
def test_every_format_gives_the_same_values_and_digest(tmp_path, dtype):
    matrix = (np.abs(SCORES) * 3).astype(dtype)
    paths = save_all(tmp_path, matrix)
    seen = set()
    for name, path in paths.items():
        with open_source(str(path)) as frame:
            field = frame.select("a..c") if name == "structured.npy" else frame.all_columns()
            parts = [block.load()[0] for block in blocks([field], ["number"], 16)]
            assert all(part.flags.c_contiguous and part.dtype.str == "<f8" for part in parts), name
            assert np.array_equal(np.concatenate(parts), matrix.astype(float)), name
            seen.add(digest([field]))
            assert frame.rows == 50
    assert len(seen) == 1
    seen.add(digest([frame_of(matrix, "x").all_columns()]))
    assert len(seen) == 1 and len(seen.pop()) == 8


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u2", ">i4", "i8", ">u8"])
def test_every_format_gives_the_same_labels(tmp_path, dtype):
    labels = LABELS.astype(dtype)
    np.save(tmp_path / "y.npy", labels)
    np.savetxt(tmp_path / "savetxt.csv", labels.astype(float))
    np.savetxt(tmp_path / "plain.csv", labels, fmt="%d")
    write(tmp_path, "point.csv", "y\n" + "".join(f"{label}.0\n" for label in LABELS))
    for name in ["y.npy", "savetxt.csv", "plain.csv", "point.csv"]:
        with open_source(str(tmp_path / name)) as frame:
            field = frame.field(0)
            for block in blocks([field], ["category"], 11):
                assert block.load()[0].dtype == np.int64
                assert np.array_equal(block.load()[0], LABELS[block.start : block.stop])
            assert digest([field]) == digest([frame_of(LABELS, "y").all_columns()])


def test_text_labels_agree(tmp_path):
    words = np.array(["cat", "dög", "日本", "a b", "none", "x,y", 'q"q'])
    np.save(tmp_path / "u.npy", words)
    np.save(tmp_path / "s.npy", np.char.encode(words, "utf-8"))
    lines = "".join('"{}"\n'.format(word.replace('"', '""')) for word in words)
    write(tmp_path, "u.csv", "y\n" + lines)
    digests = set()
    for name in ["u.npy", "s.npy", "u.csv"]:
        assert read(tmp_path / name, "1", "category", rows=3).tolist() == words.tolist()
        with open_source(str(tmp_path / name)) as frame:
            digests.add(digest([frame.field(0)]))
    assert len(digests) == 1


def test_a_cell_is_the_same_label_in_any_block(tmp_path):
    path = write(tmp_path, "y.csv", "y\n1\n2.0\n-3\ncat\n12345678901234567890\n4\n")
    for rows in (1, 2, 3, 6):
        assert read(path, "y", "category", rows).tolist() == [1, 2, -3, "cat", "12345678901234567890", 4]


def test_digest_tells_values_shapes_and_order_apart():
    def of(*arrays):
        return digest([frame_of(array, "x").all_columns() for array in arrays])

    column, matrix = np.arange(4.0), np.arange(4.0).reshape(2, 2)
    texts = {of(column), of(matrix), of(column + 1), of(column[:, None]), of(column, column), of(column[::-1])}
    assert len(texts) == 6
    assert of(np.array(["a", "bc"])) != of(np.array(["ab", "c"]))


def test_the_digest_is_a_tree_over_ranges_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "DIGEST_ROWS", 16)
    matrix = SCORES.astype("f4")
    leaves = b"".join(hashlib.sha256(matrix[at : at + 16].astype("<f8").tobytes()).digest() for at in range(0, 50, 16))
    line = f"number {matrix.shape} {hashlib.sha256(leaves).hexdigest()}\n"
    expected = hashlib.sha256(line.encode()).hexdigest()[:8]
    for name, path in save_all(tmp_path, matrix).items():
        with open_source(str(path)) as frame:
            field = frame.select("a..c") if name == "structured.npy" else frame.all_columns()
            assert digest([field]) == expected, name


def test_several_fields_of_one_csv_are_parsed_once(tmp_path, monkeypatch):
    path = write(tmp_path, "a.csv", csv_text(SCORES.astype(float)))
    calls = []
    original = tables.read_rows
    monkeypatch.setattr(tables, "read_rows", lambda *given: calls.append(1) or original(*given))
    with open_source(str(path)) as frame:
        fields = [frame.select("a"), frame.select("b..c"), frame.select("a"), frame.all_columns()]
        (block,) = blocks(fields, ["number"] * 4, 100)
        a, bc, again, everything = block.load()
    assert len(calls) == 1
    assert np.array_equal(np.column_stack([a, bc]), everything) and np.array_equal(a, again)


def test_frames_in_step(tmp_path):
    np.save(tmp_path / "p.npy", SCORES)
    csv = write(tmp_path, "y.csv", "y\n" + "".join(f"{label}\n" for label in LABELS))
    with open_source(str(tmp_path / "p.npy")) as scores, open_source(str(csv)) as labels:
        memory = frame_of({"w": LABELS * 0.5}, "weights")
        fields = [scores.all_columns(), labels.field(0), memory.all_columns()]
        got = [
            (block.start, block.stop, *block.load()) for block in blocks(fields, ["number", "category", "number"], 8)
        ]
        assert [(start, stop) for start, stop, *_ in got][:2] == [(0, 8), (8, 16)] and got[-1][1] == 50
        for start, stop, p, y, w in got:
            assert np.array_equal(p, SCORES[start:stop])
            assert np.array_equal(y, LABELS[start:stop]) and np.array_equal(w, y * 0.5)


@pytest.mark.parametrize("rows", [1, 7, 49, 50, 1000])
@pytest.mark.parametrize("chunk", [16, 100, 1 << 17])
def test_blocks_have_the_rows_asked_for_whatever_the_chunk(tmp_path, monkeypatch, rows, chunk):
    monkeypatch.setattr(tables, "CHUNK", chunk)
    path = write(tmp_path, "a.csv", csv_text(SCORES.astype(float)))
    with open_source(str(path)) as frame:
        got = list(blocks([frame.all_columns()], ["number"], rows))
    assert [block.start for block in got] == list(range(0, 50, rows))
    assert np.array_equal(np.concatenate([block.load()[0] for block in got]), SCORES)


def test_what_pyarrow_reads_has_the_same_values_and_faults(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(fast, "BLOCK", 64)
    cells = ["0.1", " 7 ", "+1", "-0", "true", "", "nan", "inf", "1e999", str(2**53 + 1), "x", "1_0", "1,2", "é", "3\r"]
    cells += ["3\t", '"3"', '"3"4', '"3', '3"', '"\n3"', "007", "0x10", "3.0", "1.5", str(2**63), "None", '"a ""b"""']
    texts = [(cell, "p,y\n" + "0.3,1\n" * 40 + f"0.5,{cell}\n" + "1e-3,2\n" * 40) for cell in cells]
    texts += [(cell, "y,p\n" + f"{cell},0.3\r\n" * 3) for cell in ("\ufeff1", "\ufeffa", '"a\r\nb"')]
    texts += [(row, f"p,y\n{row}\n{row}\n\n{row}\n") for row in ("0.3,1", "0.3,a", '0.3,"a\n\nb"')]
    texts += [("a blank line", f"y\n1\n{blank}2\n{blank}") for blank in ("\n", "\n\n", "\r\n")]
    for kind, (cell, text) in product(("number", "category"), texts):
        path = write(tmp_path, "a.csv", text)
        answers = set()
        for bounds in ((1 << 30, 1 << 30), (0, 1 << 30), (0, 0)):
            monkeypatch.setattr(fast, "SOME", bounds[0])
            monkeypatch.setattr(fast, "MANY", bounds[1])
            try:
                answers.add(repr(read(path, "y", kind).tolist()))
            except DataError as fault:
                answers.add(str(fault))
        assert len(answers) == 1, (kind, cell, answers)
    path = write(tmp_path, "a.csv", "p,y\n" + '0.5,"a, b"\n' * 9 + "\n0.5,c\n")
    refused(path, ":11: a blank line", selector="y", kind="category", allow_missing=True)
    monkeypatch.setattr(fast, "read_fast", None)  # so nothing but pyarrow reads plain numbers and labels
    for text, end in (("a", "\n"), ('"é, ""x""\n"', "\n"), ('""', "\r\n")):
        path = write(tmp_path, "a.csv", "p,y,z\n" + f'0.5,a,{text}{end}"0.1",b,{text}{end}' * 20)
        assert read(path, "p").tolist() == [0.5, 0.1] * 20
        assert read(path, "y", "category").tolist() == ["a", "b"] * 20


@pytest.mark.parametrize("many", [0, 1 << 30])
def test_numbers_and_words_of_one_column_stay_what_they_are(tmp_path, monkeypatch, many):
    for name, value in (("CHUNK", 64), ("CHUNK_OF_MANY", 64)):
        monkeypatch.setattr(tables, name, value)
    monkeypatch.setattr(fast, "MANY", many)
    long = "x" * 100
    rows = (
        [*product([1, 2], ["a", "bc"])] * 10 + [*product(["é", "x"], [7, "long"])] * 10 + [(long, long)] * 9 + [(1, 2)]
    )
    path = write(tmp_path, "a.csv", "y,z\n" + "".join(f"{y},{z}\n" for y, z in rows))
    for size in (1, 7, 40, 1000):
        assert read(path, None, "category", size).tolist() == [*map(list, rows)]
        assert read(path, "y", "category", size).tolist() == [y for y, _ in rows]


@pytest.mark.parametrize("name", ["p.npy", "f.npy", "p.npz", "s.npy"])
def test_threads_read_blocks_at_once(tmp_path, name):
    matrix = np.random.default_rng(1).normal(size=(20_000, 3))
    np.save(tmp_path / "p.npy", matrix)
    np.save(tmp_path / "f.npy", np.asfortranarray(matrix))
    np.savez_compressed(tmp_path / "p.npz", a=matrix)
    np.save(tmp_path / "s.npy", matrix.view([("a", "f8"), ("b", "f8"), ("c", "f8")]).ravel())
    with open_source(str(tmp_path / name)) as frame, ThreadPoolExecutor(8) as pool:
        field = frame.select("a..c") if name == "s.npy" else frame.all_columns()
        got = list(pool.map(lambda block: block.load()[0], blocks([field], ["number"], 37)))
    assert np.array_equal(np.concatenate(got), matrix)


@pytest.mark.parametrize("content", ["a,b\n", "a,b"])
def test_a_header_alone_has_no_rows(tmp_path, content):
    with open_source(str(write(tmp_path, "a.csv", content))) as frame:
        assert list(blocks([frame.all_columns()], ["number"], 5)) == []
        assert frame.rows == 0


def test_no_rows_in_an_array():
    frame = frame_of(np.zeros((0, 3)), "x")
    assert frame.rows == 0 and list(blocks([frame.all_columns()], ["number"], 5)) == []


def test_nan_in_an_array_is_for_the_caller_to_judge():
    (block,) = blocks([frame_of(np.array([np.nan, np.inf]), "x").all_columns()], ["number"], 5)
    assert np.isnan(block.load()[0][0])


def test_names_dtypes_and_places(tmp_path):
    path = write(tmp_path, "a.csv", 'id,p\n"two\nlines",1\nx,2\ny,3\n')
    with open_source(str(path)) as frame:
        field = frame.select("p")
        assert (frame.format, frame.names, frame.rows, field.kind) == ("csv", ("id", "p"), None, "unknown")
        assert (field.name, frame.dtype_of(field)) == ("column 'p' (2)", "text")
        list(blocks([field], ["number"], 2))
        assert [frame.where(row)[-5:] for row in range(3)] == ["csv:2", "csv:4", "csv:5"]
    frame = frame_of(np.zeros((2, 12), ">f4"), "x.npy")
    assert (frame.all_columns().name, frame.field(1).name, frame.where(1)) == (
        "columns 1..12",
        "column 2",
        "x.npy: row 1",
    )
    assert frame.dtype_of(frame.all_columns()) == "float32"
    frame = frame_of({"label": np.array(["a", "bcd"])}, "x")
    assert (frame.all_columns().name, frame.all_columns().kind, frame.dtype_of(frame.all_columns())) == (
        "key 'label'",
        "text",
        "<U3",
    )


# --- NPY that is refused


def header(text: str, *, version=b"\x01\x00") -> bytes:
    width = "<H" if version == b"\x01\x00" else "<I"
    return b"\x93NUMPY" + version + struct.pack(width, len(text)) + text.encode()


def described(descr: str, shape: str, fortran: bool = False) -> bytes:
    return header(f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n")


GOOD = npy_bytes(np.arange(4.0))

BAD_NPY = {
    "truncated": (GOOD[:-3], ["truncated", "declares 32 bytes", "has 29"]),
    "trailing": (GOOD + b"\0" * 5, ["5 trailing bytes"]),
    "two arrays": (GOOD + GOOD, ["trailing bytes"]),
    "magic only": (b"\x93NUMPY", ["not a valid NPY"]),
    "version 9": (b"\x93NUMPY\x09\x00" + GOOD[8:], ["version 1, 2 or 3"]),
    "cut header": (GOOD[:40], ["truncated inside the header"]),
    "long header": (header(" " * 10_001), ["longer than 10000"]),
    "long header 2": (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31), ["longer than 10000"]),
    "not a dict": (header("__import__('os').system('true')\n"), ["not a valid NPY"]),
    "bad keys": (header("{'descr': '<f8'}\n"), ["not a valid NPY"]),
    "nested": (header("(" * 3000 + "\n"), ["not a valid NPY"]),
    "latin header": (header("{'descr': '<f8', 'é"), ["not a valid NPY"]),
    "negative": (described("'<f8'", "(-1,)"), ["shape (-1,)"]),
    "negative 2": (described("'<f8'", "(-1, -1)") + b"\0" * 8, ["shape (-1, -1)"]),
    "huge": (described("'<f8'", "(1000000000000000,)"), ["truncated"]),
    "overflowing": (described("'<f8'", f"({2**62}, {2**62})"), ["truncated"]),
    "endless rows of nothing": (described("'<f8'", f"({2**60}, 0)"), ["shape"]),
    "zero-size text": (described("'<U0'", "(1000,)"), ["text of 0 bytes"]),
    "zero-size void": (described("'|V0'", "(1000,)"), ["cannot use dtype"]),
    "huge text": (described("'<U1000000'", "(1,)") + bytes(4_000_000), ["text of 4000000 bytes"]),
    "objects": (
        npy_bytes(np.array([1, "a"], dtype=object)),
        ["Python objects", "np.array(x.tolist())", "np.savez(path, **x)"],
    ),
    "complex": (npy_bytes(np.zeros(2, complex)), ["complex128"]),
    "dates": (npy_bytes(np.zeros(2, "M8[s]")), ["datetime64"]),
    "timedelta": (npy_bytes(np.zeros(2, "m8[s]")), ["timedelta64"]),
    "float128": (npy_bytes(np.zeros(2, np.longdouble)), [np.dtype(np.longdouble).name]),
    "void": (npy_bytes(np.zeros(2, "V3")), ["V3"]),
    "0-d": (npy_bytes(np.float64(3)), ["single value"]),
    "3-d": (npy_bytes(np.zeros((2, 2, 2))), ["shape (2, 2, 2)", "reshape"]),
    "structured 2-d": (npy_bytes(np.zeros((2, 2), [("a", "f8")])), ["structured", "ravel"]),
    "structured object": (npy_bytes(np.zeros(2, [("a", "O")])), ["field 'a'", "Python objects"]),
    "structured complex": (npy_bytes(np.zeros(2, [("a", "f4"), ("b", "c8")])), ["field 'b'", "complex64"]),
    "subarray field": (npy_bytes(np.zeros(2, [("a", "f4", 3)])), ["field 'a'"]),
    "nested field": (npy_bytes(np.zeros(2, [("a", [("b", "f4")])])), ["field 'a'"]),
    "beyond 2**53": (npy_bytes(np.array([1, 2**53 + 1])), ["row 1", "column 1", "9007199254740993"]),
    "far below": (npy_bytes(np.array([[1, 2], [3, -(2**63)]])), ["row 1", "column 2", "-9223372036854775808"]),
    "beyond, unsigned": (npy_bytes(np.array([2**64 - 1], "u8")), ["row 0", "18446744073709551615"]),
    "text as numbers": (npy_bytes(np.array(["1", "2"])), ["column 1", "text (<U1)"]),
    "bytes as numbers": (npy_bytes(np.array([b"1"])), ["text (|S1)"]),
}


@pytest.mark.parametrize("case", BAD_NPY)
def test_bad_npy(tmp_path, case):
    content, words = BAD_NPY[case]
    tracemalloc.start()
    text = refused(write(tmp_path, "bad.npy", content), "bad.npy", *words)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20 or case == "huge text", text


@pytest.mark.parametrize("case", BAD_NPY)
def test_the_same_is_refused_in_an_npz(tmp_path, case):
    with zipfile.ZipFile(tmp_path / "bad.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("k.npy", BAD_NPY[case][0])
    refused(tmp_path / "bad.npz", "bad.npz")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([1.0, 1.5]), ["row 1", "1.5 is not a label"]),
        (np.array([1.0, np.nan]), ["row 1", "nan is not a label"]),
        (np.array([np.inf]), ["inf is not a label"]),
        (np.array([1.0, 2.0**53]), ["row 1", "beyond 2**53"]),  # 2**53 + 1 as well
        (np.array([1, 2**24 + 1], "f4"), ["row 1", "16777216.0 is beyond 2**24", "float32"]),
        (np.array([2047, 2049], "f2"), ["row 1", "2048.0 is beyond 2**11", "float16"]),
        (np.array([1, 2**63], "u8"), ["row 1", "9223372036854775808 is beyond int64", "as text"]),
        (np.array([[1.0, 2.0], [3.0, 4.5]]), ["row 1", "column 2", "4.5"]),
        (np.array([b"ok", b"\xff"]), ["row 1", "UTF-8"]),
        (np.array([97, 0x110000], "u4").view("U1"), ["row 1", "not Unicode"]),
        (np.array([97, 0xD800], ">u4").view(">U1"), ["row 1", "not Unicode"]),
    ],
)
def test_bad_labels_in_arrays(tmp_path, array, words):
    np.save(tmp_path / "y.npy", array)
    refused(tmp_path / "y.npy", "y.npy", *words, kind="category")


def test_memory_is_held_to_the_same_rules():
    for value in [
        np.array([1, {}]),
        np.float64(1),
        {},
        {"a": np.zeros(2, complex)},
        [[1], [2, 3]],
        {"a": set()},
    ]:
        with pytest.raises(DataError):
            frame_of(value, "pred")
    with pytest.raises(DataError, match="shape"):
        blocks([frame_of(np.zeros((1, 1, 1)), "pred").all_columns()], ["number"], 1)


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    np.save(tmp_path / "p.npy", np.zeros(10_000))
    csv = write(tmp_path, "p.csv", "p\n" + "1\n" * 500_000)
    for path in (tmp_path / "p.npy", csv):
        with open_source(str(path)) as frame:
            found = blocks([frame.all_columns()], ["number"], 1000)
            next(found).load()
            os.truncate(path, 10_000)
            with pytest.raises(DataError, match="ends early"):
                for block in found:
                    block.load()


# --- NPZ that is refused


def zipped(members, compression=zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def patched(content: bytes, offset: int, value: bytes) -> bytes:
    """`value` at `offset` of the local header and of its twin in the central directory (two bytes further on)."""
    central = content.index(b"PK\x01\x02")
    mutable = bytearray(content)
    mutable[offset : offset + len(value)] = value
    mutable[central + offset + 2 : central + offset + 2 + len(value)] = value
    return bytes(mutable)


ONE = zipped([("k.npy", GOOD)])
FLIPPED = ONE.replace(GOOD, GOOD[:-1] + b"\x01")
BAD_NPZ = {
    "empty": (zipped([]), ["without arrays"]),
    "not an array": (zipped([("readme.txt", b"hi"), ("b.csv", b"p")]), ["'readme.txt' is not an array", "unzip -p"]),
    "a folder": (zipped([("d/", b"")]), ["not an array"]),
    "an array and a text": (zipped([("k.npy", GOOD), ("readme.txt", b"hi")]), ["'readme.txt' is not an array"]),
    "encrypted": (patched(ONE, 6, b"\x01\x00"), ["encrypted"]),
    "bzip2": (zipped([("k.npy", GOOD)], zipfile.ZIP_BZIP2), ["method 12"]),
    "lzma": (zipped([("k.npy", GOOD)], zipfile.ZIP_LZMA), ["method 14"]),
    "crc": (FLIPPED, ["CRC"]),
    "cut": (ONE[:-30], ["broken NPZ"]),
    "cut early": (ONE[:20], ["broken NPZ"]),
    "two sizes": (patched(ONE, 22, struct.pack("<I", len(GOOD) + 8)), ["two sizes"]),
    "bomb": (zipped([("k.npy", GOOD + bytes(70 << 20))], zipfile.ZIP_DEFLATED), ["would become"]),
    "structured key": (zipped([("k.npy", npy_bytes(np.zeros(2, [("a", "f8")])))]), ["structured"]),
}


@pytest.mark.parametrize("case", BAD_NPZ)
def test_bad_npz(tmp_path, case):
    content, words = BAD_NPZ[case]
    refused(write(tmp_path, "bad.npz", content), "bad.npz", *words)


def test_duplicate_members(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        content = zipped([("k.npy", GOOD), ("k.npy", GOOD)])
    refused(write(tmp_path, "bad.npz", content), "two members are called 'k.npy'")


def test_npz_keys_of_different_lengths(tmp_path):
    np.savez(tmp_path / "a.npz", train=LABELS, test=LABELS[:9])
    with open_source(str(tmp_path / "a.npz")) as frame:
        assert frame.rows is None
        with pytest.raises(DataError, match=r"key 'train' has 50 rows.*key 'test' has 9 rows"):
            blocks([frame.select("train"), frame.select("test")], ["number"] * 2, 5)
    assert len(read(tmp_path / "a.npz", "test")) == 9


# --- CSV that is refused

CELLS = [
    ("NA", "--na skip"),
    ("", "--na skip"),
    ("  ", "--na skip"),
    ("nan", "--na skip"),
    ("NaN", "--na skip"),
    ("null", "--na skip"),
    ("None", "--na skip"),
    ("N/A", "--na skip"),
    ("1e400", "largest float64"),
    ("0x10", "hexadecimal"),
    ("1_000", "grouped"),
    ('"1,000"', "grouped"),
    ('"0,5"', "decimal point"),
    ("\uff11", "ASCII"),
    ("\u2212" + "5", "ASCII"),
    ("5\xa0", "ASCII"),
    ("tRue", "numbers look like"),
    ("1.2.3", "numbers look like"),
    ("1e", "numbers look like"),
    ("1e-0.5", "numbers look like"),
    ("1e-05.", "numbers look like"),
    (".-5", "numbers look like"),
    ("--5", "numbers look like"),
    ("5-", "numbers look like"),
    (".", "numbers look like"),
    ("+", "numbers look like"),
    ("1 2", "numbers look like"),
    ("1\t", "numbers look like"),
    ("1j", "numbers look like"),
    ("infinity3", "numbers look like"),
    ("9007199254740993", "2**53"),
    ("-100000000000000000000", "2**53"),
    ("\x1b[31m1", "\\x1b[31m1"),
    ("a\u202eb", "\\u202e"),
    ("z" * 100, "z" * 59 + "…"),
]


@pytest.mark.parametrize("before", [0, 3, 20_000])
@pytest.mark.parametrize(("cell", "word"), CELLS)
def test_cells_that_are_no_numbers(tmp_path, cell, word, before):
    path = write(tmp_path, "scores.csv", "id,split,y,p\n" + "1,a,0,0.5\n" * before + f"1,a,0,{cell}\n1,a,0,0.5\n")
    text = refused(path, f"scores.csv:{before + 2}: column 'p' (4): '", word, selector="p")
    assert ("--na skip" in text) == (word == "--na skip")
    assert "\x1b" not in text and "\u202e" not in text


LINES = {
    "blank line": ("a,b\n1,2\n\n3,4\n", [":3:", "blank line"]),
    "blank line, one column": ("a\n1\n\n3\n", [":3:", "blank line"]),
    "two final newlines": ("a,b\n1,2\n\n", [":3:", "blank line"]),
    "blank first line": ("\na,b\n1,2\n", [":1:", "blank line"]),
    "short row": ("a,b\n1,2\n3\n", [":3:", "1 cell,", "the header has 2"]),
    "long row": ("a,b\n1,2\n3,4,5\n", [":3:", "3 cells", "quote the cells"]),
    "row names": ("a,b\nx,1,2\ny,3,4\n", [":2:", "R writes"]),
    "rows that cancel out": ("a,b\n1,2\n3\n4,5,6\n", [":3:", "1 cell,"]),
    "long row, no header": ("1.5,2\n3,4,5\n", [":2:", "the first row has 2"]),
    "comment": ("a,b\n# made by hand\n1,2\n", [":2:", "1 cell"]),
    "duplicate header": ("a,b,a\n1,2,3\n", [":1:", "columns 1 and 3", "'a'"]),
    "nameless column": ("a,\n1,2\n", [":1:", "column 2 has no name"]),
    "numbers that count": ("0,1\n0.5,1\n", [":1:", "--header yes", "--header no"]),
    "numbers that count from 1": ("1,2,3\n4,5,6\n", [":1:", "--header yes", "--header no"]),
    "half a header": ("0.93,cat\n0.8,dog\n", [":1:", "'0.93'", "--header no"]),
    "nul": ("a,b\n1,2\n3,\x004\n", [":3:", "NUL"]),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), ["UTF-16", "iconv"]),
    "utf-16, no bom": ("a,b\n1,2\n".encode("utf-16-le"), ["UTF-16", "iconv"]),
    "latin-1": (b"a,b\n1,2\n\xe9,2\n", [":3:", "0xe9 is not UTF-8"]),
    "a lone cr": ("a,b\r1,2\n3,4\n", [":1:", "carriage return"]),
    "open quote": ('a,b\n1,"2\n3,4\n', [":2:", "never closed"]),
    "text after quote": ('a,b\n"1"x,2\n', [":2:", "expected after"]),
    "empty": (b"", ["is empty"]),
    "bom only": (b"\xef\xbb\xbf", ["is empty"]),
    "empty gz": (gzip.compress(b""), ["is empty once decompressed"]),
    "gz in gz": (gzip.compress(gzip.compress(b"a\n1\n")), ["compressed twice"]),
    "cut gz": (gzip.compress(b"a\n" + b"1\n" * 99)[:-9], ["broken gzip"]),
    "bad gz": (gzip.compress(b"a\n1\n")[:-8] + bytes(8), ["broken gzip"]),
    "long cell": ('a,b\n"' + "x" * 140_000 + '",1\n', [":2:", "131072"]),
}


@pytest.mark.parametrize("case", LINES)
def test_bad_csv(tmp_path, case):
    content, words = LINES[case]
    refused(write(tmp_path, "bad.csv", content), "bad.csv", *words)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("1.5", ["column 'y' (1): '1.5' is not a label", "whole numbers"]),
        ("9007199254740993.0", ["beyond 2**53", "without a point"]),
        ("", ["is not a label", "--na skip"]),
        ("x" * 257, ["longer than 256"]),
    ],
)
def test_cells_that_are_no_labels(tmp_path, cell, words):
    path = write(tmp_path, "y.csv", f"y,p\n1,1\n{cell},2\n")
    refused(path, "y.csv:3:", *words, selector="y", kind="category")


def test_rows_without_end(tmp_path):
    path = write(tmp_path, "a.csv", b"x" * (17 << 20))
    refused(path, "a row longer than 16 MiB", "from byte 0")
    path = write(tmp_path, "b.csv", b'a,b\n1,"' + b"2,3\n" * (5 << 20))
    refused(path, "a row longer than 16 MiB", "from byte 4", "quote")


def test_header_yes_and_no(tmp_path):
    path = write(tmp_path, "a.csv", "0,1\n5,6\n")
    assert read(path, header=True).tolist() == [[5, 6]]
    assert read(path, header=False).tolist() == [[0, 1], [5, 6]]
    assert read(path, "=1", header=True).tolist() == [6]
    assert read(write(tmp_path, "b.csv", "3,1\n5,6\n")).tolist() == [[3, 1], [5, 6]]
    assert read(write(tmp_path, "c.csv", "7\n8\n")).tolist() == [7, 8]


def test_pandas_index_column(tmp_path):
    path = write(tmp_path, "a.csv", ",0,1\n0,.5,.6\n1,.7,.8\n")
    assert read(path, "=0").tolist() == [0.5, 0.7]
    assert read(path, "#1").tolist() == [0, 1]


def test_delimiters(tmp_path):
    assert read(write(tmp_path, "a.txt", "a b\n1 2\n"), "b", delimiter=" ").tolist() == [2]
    assert read(write(tmp_path, "b.txt", "a|b\n1|2\n"), "b", delimiter="|").tolist() == [2]
    for bad in ["", ",,", '"', "\n", ".", "e", "5", "é"]:
        refused(tmp_path / "a.txt", "delimiter", error=UsageError, delimiter=bad)


def test_unselected_columns_may_hold_anything(tmp_path):
    path = write(tmp_path, "a.csv", 'p,note\n1,NA\n2,"two\nlines, quoted ""twice"""\n3,\n4,日本\n')
    assert read(path, "p").tolist() == [1, 2, 3, 4]


def test_missing_cells_become_nan_and_none_where_allowed(tmp_path):
    lines = [f"{i},{'NA' if i % 5 == 0 else i},{'' if i % 7 == 0 else i % 3}" for i in range(1, 1001)]
    no_p, no_y = (np.arange(1, 1001) % step == 0 for step in (5, 7))
    for end in ["", '9999,"1",2\n', '"x""y",8,8\n']:
        path = write(tmp_path, "a.csv", "i,p,y\n" + "\n".join(lines) + "\n" + end)
        with open_source(str(path), Dialect(allow_missing=True)) as frame:
            got = [block.load() for block in blocks([frame.field(1), frame.field(2)], ["number", "category"], 64)]
            p = np.concatenate([one for one, _ in got])[:1000]
            y = np.concatenate([two for _, two in got])[:1000]
            assert np.array_equal(np.isnan(p), no_p)
            assert np.array_equal(np.equal(y, None).astype(bool), no_y)
            assert (y[~no_p & ~no_y] == p[~no_p & ~no_y] % 3).all()
            assert frame.where(0).endswith(":2") and frame.where(5).endswith(":7")
            (alone,) = next(blocks([frame.field(1)], ["number"], 2000)).load()
            assert np.count_nonzero(np.isnan(alone)) == 200
    refused(write(tmp_path, "b.csv", "p\nNA\nabc\n"), "b.csv:3", "'abc' is not a number", allow_missing=True)


def test_unequal_lengths_name_both_files(tmp_path):
    np.save(tmp_path / "p.npy", SCORES)
    np.save(tmp_path / "y.npy", LABELS[:49])
    with (
        open_source(str(tmp_path / "p.npy")) as one,
        open_source(str(tmp_path / "y.npy")) as two,
        pytest.raises(DataError, match=r"p\.npy has 50 rows.*y\.npy has 49 rows"),
    ):
        blocks([one.all_columns(), two.all_columns()], ["number"] * 2, 9)


@pytest.mark.parametrize("count", [0, 1, 48, 49, 51, 52, 500])
@pytest.mark.parametrize("rows", [7, 50, 51, 100])
def test_unequal_lengths_with_csv(tmp_path, count, rows):
    np.save(tmp_path / "p.npy", SCORES)
    write(tmp_path, "a.csv", "y\n" + "1\n" * count)
    write(tmp_path, "b.csv", "y\n" + "1\n" * 50)
    for left, right in [("p.npy", "a.csv"), ("a.csv", "b.csv"), ("b.csv", "a.csv")]:
        with (
            open_source(str(tmp_path / left)) as one,
            open_source(str(tmp_path / right)) as two,
            pytest.raises(DataError, match=f"(?s)50 rows.*{count} rows|{count} rows.*50 rows"),
        ):
            for block in blocks([one.all_columns(), two.all_columns()], ["number"] * 2, rows):
                block.load()


def test_csv_memory_does_not_grow_with_the_file(tmp_path):
    path = write(tmp_path, "a.csv", "p,y\n" + "0.123456789,1\n" * 400_000)
    with open_source(str(path)) as frame:
        tracemalloc.start()
        total = sum(len(block.load()[0]) for block in blocks([frame.field(0), frame.field(1)], ["number"] * 2, 1 << 15))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert total == 400_000 and peak < 12 << 20


# --- where files come from


@pytest.mark.parametrize("make", [lambda: None, lambda: "x" * 300, lambda: "nul\0byte"])
def test_files_that_are_not_there(tmp_path, make):
    name = make() or "none.csv"
    refused(tmp_path / name, error=FileError)


def test_file_errors_say_what_to_do(tmp_path):
    write(tmp_path, "scores.csv", "p\n1\n")
    refused(tmp_path, "is a directory", error=FileError)
    refused(tmp_path / "score.csv", "no such file", "did you mean", "scores.csv", error=FileError)
    (tmp_path / "link.csv").symlink_to("gone/x.csv")
    refused(tmp_path / "link.csv", "a link to gone/x.csv", "no such file", "make gone/x.csv", error=FileError)
    refused("/dev/zero", "is a device", error=FileError)
    if os.geteuid():
        os.chmod(tmp_path / "scores.csv", 0)
        refused(tmp_path / "scores.csv", "permission denied", error=FileError)


def test_fifo(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(GOOD))
    writer.start()
    assert read(tmp_path / "pipe").tolist() == [0, 1, 2, 3]
    writer.join()


SUM = (
    "import sys; from lossctl.files.sources import open_source, blocks\n"
    "sys.argv[1:] and sys.stdin.buffer.raw.seek(int(sys.argv[1]))\n"
    "with open_source('-') as f: print(sum(b.load()[0].sum() for b in blocks([f.field(0)], ['number'], 2)))"
)


def from_stdin(stdin, *given):
    return subprocess.run([sys.executable, "-c", SUM, *given], check=True, capture_output=True, **stdin).stdout.strip()


@pytest.mark.slow
def test_stdin(tmp_path):
    npz = zipped([("k.npy", GOOD)])
    for content in [GOOD, b"p\n0\n1\n2\n3\n", npz, gzip.compress(GOOD)]:
        assert from_stdin({"input": content}) == b"6.0"
        with open(write(tmp_path, "in", content), "rb") as file:
            assert from_stdin({"stdin": file}) == b"6.0"
    for content in (GOOD, npz, b"p\n1\n5\n"):
        with open(write(tmp_path, "in", b"junk" + content), "rb") as file:
            assert from_stdin({"stdin": file}, "4") == b"6.0"


def test_stdin_that_is_no_file(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD)))
    assert read("-").tolist() == [0, 1, 2, 3]
    monkeypatch.setattr(sys, "stdin", None)
    refused("-", "stdin: is closed", error=FileError)


def test_gz_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "RATIO_MATTERS_FROM", 1 << 20)
    refused(write(tmp_path, "a.gz", gzip.compress(bytes(8 << 20))), "would become", "1000 times")


def test_zstd_without_a_library(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_zstd_opener", lambda: None)
    path = write(tmp_path, "a.zst", b"\x28\xb5\x2f\xfd" + bytes(9))
    refused(path, "pip install zstandard", error=FileError)


def test_zstd(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    packed = zstandard.ZstdCompressor().compress(GOOD)
    assert read(write(tmp_path, "a.zst", packed)).tolist() == [0, 1, 2, 3]
    refused(write(tmp_path, "b.zst", packed[:-3]), "b.zst")


def test_no_space_for_a_temporary_copy(tmp_path, monkeypatch):
    class Full(io.RawIOBase):
        def write(self, piece):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(opening, "_temporary", Full)
    refused(write(tmp_path, "a.gz", gzip.compress(GOOD)), "No space left", "TMPDIR", error=FileError)


# --- text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é 日本 [bold]", "plain é 日本 [bold]"),
        ("\x1b]0;x\x07\n\t\x7f\x85", "\\x1b]0;x\\x07\\x0a\\x09\\x7f\\x85"),
        ("a\u200bb\u202ec\u2066d\ufeff", "a\\u200bb\\u202ec\\u2066d\\ufeff"),
        ("\U000e0041\ud800", "\\U000e0041\\ud800"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 59 + "…"),
        ("\n" * 60, ("\\x0a" * 60)[:59] + "…"),
    ],
)
def test_shown(text, expected):
    assert shown(text) == expected


# --- writing


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_new_file_takes_the_place_of_the_old(tmp_path, old):
    path = tmp_path / "out.npy"
    if old:
        path.write_bytes(old)
    with atomic_output(str(path)) as file:
        np.save(file, SCORES)
        assert (path.read_bytes() if old else path.exists()) == (old or False)
    assert np.array_equal(np.load(path), SCORES)
    assert leftovers(tmp_path) == ["out.npy"]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit, OSError])
@pytest.mark.parametrize("old", [None, b"old"])
def test_the_old_file_outlives_a_failure(tmp_path, fault, old):
    path = tmp_path / "out"
    if old:
        path.write_bytes(old)
    with pytest.raises(fault), atomic_output(str(path)) as file:
        file.write(b"x" * 200_000)
        raise fault
    assert leftovers(tmp_path) == (["out"] if old else []) and (not old or path.read_bytes() == old)


CALLS = ["open", "write", "fsync", "replace", "fchmod", "close"]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", CALLS[:-1])
def test_the_nth_call_fails(tmp_path, monkeypatch, call, fault):
    """Whichever call fails: the old file or the new one, nothing else in the directory, no descriptor left."""
    path, new = tmp_path / "out", b"new" * 100_000
    original, failures = getattr(os, call), 0
    for n in range(1, 50):
        path.write_bytes(b"old")
        count = 0

        def failing(*given, _n=n, **named):
            nonlocal count
            count += 1
            if count == _n:
                raise fault
            return original(*given, **named)

        descriptors = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            try:
                with atomic_output(str(path)) as file:
                    for start in range(0, len(new), 10_000):
                        file.write(new[start : start + 10_000])
                failed = False
            except (FileError, KeyboardInterrupt) as caught:
                failed = True
                assert isinstance(caught, KeyboardInterrupt) or ("out" in str(caught) and "No space" in str(caught))
        assert leftovers(tmp_path) == ["out"]
        assert path.read_bytes() == new or (failed and path.read_bytes() == b"old")
        assert descriptors == 0 or len(os.listdir("/proc/self/fd")) == descriptors
        failures += failed
        if not failed:
            break
    assert failures >= 1 and not failed


def test_disk_full_for_real(tmp_path):
    """At every file size limit, the old file or the new one."""
    code = (
        "import resource, sys, signal; from lossctl.files.writing import atomic_output\n"
        "from lossctl.errors import FileError\n"
        "for limit in range(0, 250_000, 30_011):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        with atomic_output(sys.argv[1]) as file: file.write(b'n' * 200_000)\n"
        "    except FileError as fault: assert limit < 200_000 and 'too large' in str(fault), fault\n"
        "    size = len(open(sys.argv[1], 'rb').read())\n"
        "    assert size == (3 if limit < 200_000 else 200_000), (limit, size)\n"
    )
    (tmp_path / "out").write_bytes(b"old")
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=True)
    assert leftovers(tmp_path) == ["out"]


def test_modes(tmp_path):
    path = tmp_path / "out"
    mask = os.umask(0o027)
    try:
        with atomic_output(str(path)):
            pass
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        with atomic_output(str(path)):
            pass
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(mask)


def test_a_symlink_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/out")
    for content in (b"first", b"second"):
        with atomic_output(str(tmp_path / "link")) as file:
            file.write(content)
        assert (tmp_path / "real" / "out").read_bytes() == content
    assert (tmp_path / "link").is_symlink() and leftovers(tmp_path / "real") == ["out"]


def test_fifo_and_device_are_written_in_place(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    with atomic_output(str(tmp_path / "pipe")) as file:
        file.write(b"through")
    reader.join()
    assert got == [b"through"] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with atomic_output("/dev/null") as file:
        file.write(b"away")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_full_device(tmp_path):
    path = tmp_path / "full"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        path.open("wb").close()
    except OSError:
        pytest.skip("no device nodes here")
    with pytest.raises(FileError, match="No space left"), atomic_output(str(path)) as file:
        file.write(b"x")
    assert stat.S_ISCHR(path.stat().st_mode)


def test_stdout_by_name_keeps_what_was_written_before(tmp_path):
    code = (
        "import os; from lossctl.files.writing import atomic_output\n"
        "os.write(1, b'before ')\n"
        "with atomic_output('/dev/stdout') as file: file.write(b'during ')\n"
        "os.write(1, b'after')"
    )
    with open(tmp_path / "out", "wb") as file:
        subprocess.run([sys.executable, "-c", code], check=True, stdout=file)
    assert (tmp_path / "out").read_bytes() == b"before during after"
    assert (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"before during after"
    )


def test_outputs_that_cannot_be(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for path, word in [
        (tmp_path, "directory"),
        (tmp_path / "none" / "out", "No such file"),
        (tmp_path / "file" / "out", "Not a directory"),
        (tmp_path / "nul\0byte", "null"),
    ]:
        with pytest.raises(FileError, match=word), atomic_output(str(path)):
            pytest.fail("the block must not run")
    assert leftovers(tmp_path) == ["file"]


def test_an_input_is_never_the_output(tmp_path):
    path = tmp_path / "in.npy"
    path.write_bytes(GOOD)
    (tmp_path / "link").symlink_to(path)
    os.link(path, tmp_path / "hard")
    for output in [path, tmp_path / "link", tmp_path / "hard", tmp_path / "." / "in.npy"]:
        with pytest.raises(UsageError, match="also an input"):
            refuse_overwrite_of_inputs(str(output), ["none", str(path)])
    refuse_overwrite_of_inputs(str(tmp_path / "new"), [str(path), "-"])


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x80\x04\x95abc", "a pickle"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"%PDF-1.7\n", "a PDF"),
        (b'{"pred": [1, 2]}', "JSON"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"% iris\n\n@RELATION iris\n@ATTRIBUTE prob REAL\n@DATA\n0.9\n", "an ARFF file"),
        (b"1 1:0.5 3:2e-1\n-1 2:0.1\n", "sparse rows of svmlight"),
        (b"3 qid:7 1:0.5 3:0.2 # doc\n", "sparse rows of svmlight"),
        (b"- prob: 0.9\n  label: 1\n", "YAML"),
    ],
)
def test_files_of_other_programs_are_named(tmp_path, head, what):
    path = tmp_path / "x.bin"
    path.write_bytes(head + b"\n" * 40)
    with pytest.raises(DataError, match=what):
        open_source(str(path))


def test_zips_of_other_programs_are_named(tmp_path):
    for member, what in (("archive/data.pkl", "broken torch file"), ("[Content_Types].xml", "Office")):
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr(member, b"1")
        with pytest.raises(DataError, match=what):
            open_source(str(tmp_path / "x.zip"))


def test_labels_that_are_nan_are_missing_where_that_is_allowed():
    labels = np.array([0.0, np.nan, 2.0])
    with pytest.raises(DataError, match="--na skip"):
        [block.load() for block in blocks([frame_of(labels, "y").all_columns()], ["category"], 5)]
    ((found,),) = [block.load() for block in blocks([frame_of(labels, "y", True).all_columns()], ["category"], 5)]
    assert found.tolist() == [0, None, 2]


@pytest.mark.parametrize("rows", [3, 5000])
def test_an_infinite_cell_is_infinite_as_in_an_array(tmp_path, rows):
    """Whoever asks for the number says whether it may be one; a first row that holds one is no header."""
    path = write(tmp_path, "a.csv", "inf,1\n-Infinity,2\n" + "0.5,+inf\n" * rows)
    assert read(path).tolist() == [[np.inf, 1.0], [-np.inf, 2.0], *[[0.5, np.inf]] * rows]
    named = write(tmp_path, "b.csv", "pred,target\n" + path.read_text())
    with pytest.raises(DataError, match=r"b.csv:2.*the value is inf"):
        lossctl.compute("mse", str(named))


def test_a_row_of_logits_where_nothing_is_possible_is_an_error_at_that_row():
    """A class that is masked may be -inf, in any column, but not all of a row: there is no softmax."""
    scores = np.array([[0.0, -np.inf], [-np.inf, 0.0]])
    assert lossctl.compute("cross-entropy", scores, np.array([0, 1]), from_logits=True).value == 0
    for rows, at in ((np.full((2, 2), -np.inf), 0), (np.array([[0.0, -np.inf], [-np.inf, -np.inf]]), 1)):
        with pytest.raises(DataError, match=rf"row {at}: .* -inf, as is all of the row"):
            lossctl.compute("cross-entropy", rows, np.array([0, 1]), from_logits=True)


@pytest.mark.parametrize("classes", [3, 70])
def test_what_is_said_of_logits_is_the_same_of_few_classes_and_of_many(classes):
    """Faults in any column beside a class that is masked, and scores that look like something else."""
    scores, labels = np.full((3, classes), -2.0), np.array([0, 1, 0])
    scores[:, -1] = -np.inf
    for value, said in ((np.nan, "nan"), (np.inf, "inf")):
        bad = scores.copy()
        bad[1, 1] = value
        with pytest.raises(DataError, match=rf"row 1: columns 1..{classes} \[2\]: the value is {said}"):
            lossctl.compute("cross-entropy", bad, labels, from_logits=True)
    bad[1] = -np.inf
    with pytest.raises(DataError, match=r"row 1: .* -inf, as is all of the row"):
        lossctl.compute("cross-entropy", bad, labels, from_logits=True)
    shares = np.full((3, classes), 1 / classes)
    for values, says in ((scores, ""), (shares, "look like probabilities"), (100 * shares + 21, "no logit is below 0")):
        warnings = lossctl.compute("cross-entropy", values, labels, from_logits=True).warnings
        assert bool(warnings) == bool(says), warnings
        assert all(says in text for text in warnings)
        values[2, 1] = -3.0
        assert not lossctl.compute("cross-entropy", values, labels, from_logits=True).warnings
