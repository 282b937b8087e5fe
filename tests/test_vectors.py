"""Claims about files of vectors: each writing of a set gives the numbers of its NPY, and says what it cannot be."""

from __future__ import annotations

import gzip
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

import lossctl
from lossctl.errors import DataError, LossctlError, UsageError
from lossctl.files.dialect import Dialect
from lossctl.files.sources import blocks, open_source
from lossctl.files.summary import summaries
from lossctl.show.info import sheet

RNG = np.random.default_rng(5)
X = RNG.normal(size=(12, 5)).round(3).astype(np.float32)
Y = np.repeat(np.arange(4), 3)
WORDS = ["the", ",", '"', "...", "c'est", "3rd", "naïve", "a\u00a0b", "x", "y", "z", "new york"]


def field(path, selector=None, kind="number", rows=5, **dialect):
    """All rows of one field."""
    with open_source(str(path), Dialect(**dialect)) as frame:
        column = frame.all_columns() if selector is None else frame.select(selector)
        return np.concatenate([block.load()[0] for block in blocks([column], [kind], rows)])


def refused(path, *words, error=DataError, selector=None, **dialect):
    with pytest.raises(LossctlError) as fault:
        field(path, selector, **dialect)
    assert type(fault.value) is error, fault.value
    for word in words:
        assert word in str(fault.value), fault.value
    return fault.value


def lines(end=""):
    return [word + " " + " ".join(f"{value:g}" for value in row) + end for word, row in zip(WORDS, X, strict=True)]


def vecs(x):
    return b"".join(np.int32(x.shape[1]).tobytes() + row.tobytes() for row in x)


# --- words


def test_word_vectors_are_read_whatever_the_words_are(tmp_path):
    path = tmp_path / "v.txt"
    texts = {
        "glove": "\n".join(lines()) + "\n",
        "no last newline": "\n".join(lines()),
        "word2vec": "12 5\n" + "\n".join(lines()) + "\n",
        "fasttext": "12 5\n" + "\n".join(lines(" ")) + "\n",
        "crlf": "12 5\r\n" + "\r\n".join(lines()) + "\r\n",
        "a comma first": "\n".join(lines()[1:] + lines()[:1]) + "\n",
    }
    for name, text in texts.items():
        path.write_bytes(text.encode())
        order = np.roll(np.arange(12), -1) if name == "a comma first" else np.arange(12)
        assert np.array_equal(field(path, "emb").astype(np.float32), X[order]), name
        assert field(path, "word", "category").tolist() == [WORDS[at] for at in order], name
        assert np.array_equal(field(path, "emb::2..3").astype(np.float32), X[order][:, 1:3]), name
        value = lossctl.compute("batch-hard", str(path), Y[order], margin=0.5).value
        assert value == pytest.approx(lossctl.compute("batch-hard", X[order], Y[order], margin=0.5).value, rel=1e-6)
    path.write_text("2 2\na 1 2\nb 3 4\n")  # only the counts say that these are no columns
    assert field(path, "emb").tolist() == [[1, 2], [3, 4]]


def test_word_vectors_that_do_not_fit_are_refused_by_line(tmp_path):
    path = tmp_path / "v.txt"
    for text, words in (
        ("\n".join([*lines(), "w 1 2"]), [":13:", "3 cells"]),
        ("\n".join([*lines(), "w 1 2 x 4 5"]), [":13:", "'x' is not a number"]),
        ("12 4\n" + "\n".join(lines()), [":2:", "5 numbers", "line 1 says 4"]),
        ("99 5\n" + "\n".join(lines()), ["12 rows", "99"]),
    ):
        path.write_text(text)
        refused(path, "v.txt", *words, selector="emb")
    path.write_text("\n".join(lines()[:1] + lines()[3:8]))
    assert field(path, "2..6", delimiter=" ", header=False).shape == (6, 5), "a person may say that it is a table"


@pytest.mark.slow
def test_binary_word_vectors_are_read_as_word2vec_and_gensim_write_them(tmp_path):
    path = tmp_path / "v.bin"
    names = [word.replace(" ", "_") for word in WORDS]
    rows = [name.encode() + b" " + row.tobytes() for name, row in zip(names, X, strict=True)]
    for end in (b"", b"\n"):  # word2vec ends a word with a line's end, gensim does not
        path.write_bytes(b"12 5\n" + b"".join(row + end for row in rows))
        assert field(path, "emb").astype(np.float32).tobytes() == X.tobytes(), end
        assert field(path, "word", "category").tolist() == names, end
        assert np.array_equal(field(path, "emb::2..3").astype(np.float32), X[:, 1:3]), end
    for text, words in (
        (b"13 5\n" + b"".join(rows), ["ends in word 13", "13 words of 5"]),
        (b"12 6\n" + b"".join(rows), ["12 words of 6", "no word"]),
        (b"11 5\n" + b"".join(rows), ["goes on behind the 11 words"]),
    ):
        path.write_bytes(text)
        refused(path, "v.bin", *words, selector="emb")
    many = np.repeat(X, 9000, axis=0)
    path.write_bytes(b"108000 5\n" + b"".join(b"w%d " % at + row.tobytes() for at, row in enumerate(many)))
    assert np.array_equal(field(path, "emb").astype(np.float32), many), "more than one block"


# --- vectors of faiss, raw numbers


def test_vecs_are_read_as_their_name_says(tmp_path):
    for letter, dtype in (("f", "f4"), ("i", "i4"), ("b", "u1")):
        x = RNG.uniform(1, 200, (40, 6)).astype(dtype)
        path = tmp_path / f"v.{letter}vecs"
        path.write_bytes(vecs(x))
        assert np.array_equal(field(path), x), letter
        assert np.array_equal(field(path, "2..3"), x[:, 1:3]), letter
        packed = tmp_path / f"v.{letter}vecs.gz"
        packed.write_bytes(gzip.compress(vecs(x)))
        assert np.array_equal(field(packed), x), letter
    path = tmp_path / "v.fvecs"
    path.write_bytes(vecs(X) + b"\0")
    refused(path, "no rows of 5 values")
    path.write_bytes(vecs(X[:5]) + vecs(X[:1, :2].repeat(2, axis=1)) + b"\0\0\0\0")
    refused(path, "row 5", "says that it has 4 values")


def test_raw_float32_needs_a_width_and_is_looked_at(tmp_path):
    path, labels = tmp_path / "x.dat", tmp_path / "y.npy"
    np.save(labels, Y)
    path.write_bytes(X.tobytes())
    refused(path, "is binary", "add --dim D")
    assert np.array_equal(field(path, dim=5), X)
    expected = lossctl.compute("batch-hard", X, Y, margin=0.5).value
    assert lossctl.compute("batch-hard", str(path), str(labels), margin=0.5, dim=5).value == expected
    refused(path, "240 bytes are no rows of 7 float32", dim=7)
    x = RNG.normal(size=(40, 10)).astype(np.float32)
    bits = x.view("u4") >> 16
    for other in (x.astype("f8"), RNG.normal(size=(40, 10)), x.astype("f2"), (100 * x).astype("i4"), x.astype(">f4"),
                  (100 * x).astype("i1"), bits.astype("u2"), np.arange(400.0)):  # fmt: skip
        path.write_bytes(other.tobytes())
        refused(path, "as float32, look like", dim=5)
    for same in (x.astype("f2"), (100 * x).astype("i4"), bits << 16, np.arange(400), np.abs(x), np.zeros(400)):
        path.write_bytes(same.astype(np.float32).tobytes() if same.dtype != "u4" else same.tobytes())
        assert len(field(path, dim=5)) == 80
    for few in ([[0.13, 0.36], [0.1, -0.54], [0.13, 1.3]] * 3, [[1.0, v] for v in X.reshape(-1)], [[0.1, 0.2]] * 9):
        path.write_bytes(np.array(few, np.float32).tobytes())
        assert np.array_equal(field(path, dim=2), np.array(few, np.float32)), "few values are no float64"
    np.full(600, 0x7FA00001, "<u4").tofile(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(path, "600 are no number", dim=5)
    with pytest.raises(UsageError, match="no file is raw"):
        lossctl.compute("batch-hard", X, Y, dim=5)


def flat(x, kind=b"IxF2"):
    return _head(kind, x) + struct.pack("<q", x.size) + x.tobytes()


def _head(kind, x):
    return kind + struct.pack("<i3qBi", x.shape[1], len(x), 1 << 20, 1 << 20, 1, 1)


def test_flat_faiss_indexes_are_read_and_codes_refused(tmp_path):
    path = tmp_path / "x.faiss"
    graph = b"".join(struct.pack("<q", 2) + bytes(2 * size) for size in (8, 4, 4, 8, 4))
    for name, content in {
        "flat": flat(X),
        "inner product": flat(X, b"IxFI"),
        "hnsw": _head(b"IHNf", X) + graph + bytes(20) + flat(X),
        "hnsw of newer versions": _head(b"IHNf", X) + graph + bytes(16) + flat(X),
    }.items():
        path.write_bytes(content)
        assert np.array_equal(field(path), X), name
    path.write_bytes(_head(b"IxMp", X) + flat(X) + struct.pack("<q", 12) + np.arange(7, 19).tobytes())
    assert np.array_equal(field(path, "emb"), X) and field(path, "id").tolist() == list(range(7, 19))
    path.write_bytes(_head(b"IxSQ", X) + bytes(200))
    refused(path, "of kind IxSQ", "reconstruct_n")
    for cut in (20, 44, 50, len(flat(X)) - 1):
        path.write_bytes(flat(X)[:cut])
        refused(path, "a faiss index that ends early")
    faiss = pytest.importorskip("faiss")
    for spec in ("Flat", "HNSW8", "IDMap,Flat"):
        index = faiss.index_factory(5, spec)
        index.add_with_ids(X, np.arange(12)) if spec.startswith("ID") else index.add(X)
        faiss.write_index(index, str(path))
        assert np.array_equal(field(path, "emb" if spec.startswith("ID") else None), X), spec


# --- embeddings that no name tells


def table(path, names, *columns):
    rows = zip(*(np.asarray(column).tolist() for column in columns), strict=True)
    path.write_text(",".join(names) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return str(path)


def test_columns_that_are_numbered_or_numbers_are_the_embeddings(tmp_path):
    path, x = tmp_path / "t.csv", X.astype(float)
    expected = lossctl.compute("batch-hard", x, Y, margin=0.5).value
    numbered = [f"e{k}" for k in range(5)]
    noise = RNG.permutation(12) * 100
    for names, columns in (
        ([*numbered, "label"], [*x.T, Y]),
        (["id", *numbered, "label"], [noise, *x.T, Y]),
        (["", *"01234", "label"], [np.arange(12), *x.T, Y]),
        (["label", "score", *reversed(numbered)], [Y, noise, *x.T[::-1]]),
        (["when", "a", "b", "c", "d", "e", "text", "y"], [np.arange(50, 62), *x.T, ["w"] * 12, Y]),
    ):
        result = lossctl.compute("batch-hard", table(path, names, *columns), margin=0.5)
        assert result.value == expected, names
        assert ("taken for embeddings: a, b, c, d .. e" in " ".join(result.warnings)) == ("a" in names)
        if "label" in names:  # the fix for a label elsewhere, too
            assert lossctl.triplets(str(path), Y, margin=0.5).breakdown == lossctl.triplets(x, Y, margin=0.5).breakdown
    for name in ("scores", "vectors"):
        np.savez(tmp_path / "s.npz", **{name: x, "label": Y})
        result = lossctl.compute("batch-hard", str(tmp_path / "s.npz"), margin=0.5)
        assert (result.value, any("taken for" in text for text in result.warnings)) == (expected, name == "scores")
    with pytest.raises(DataError, match=r"::e0\.\.e1"):
        lossctl.compute("batch-hard", table(path, ["e0", "e1", "f0", "f1", "y"], *x.T[:4], Y))


def test_lists_in_cells_are_matrices(tmp_path):
    path, x = tmp_path / "t.csv", X.astype(float)
    for opening, sign, closing in ("[", ", ", "]"), ("(", ",", ")"), ("[ ", "\n  ", " ]"):
        cells = [opening + sign.join(map(repr, row)) + closing for row in x.tolist()]
        table(path, ["text", "vector", "label"], ["a"] * 12, [f'"{cell}"' for cell in cells], Y)
        assert np.array_equal(field(path, "vector"), x)
        assert np.array_equal(field(path, "vector::2..3"), x[:, 1:3])
        assert lossctl.compute("batch-hard", str(path)).value == lossctl.compute("batch-hard", x, Y).value
    bare = [sign.join(map(repr, row)) for sign, row in zip((" ", ", ", ";", "|") * 3, x.tolist(), strict=True)]
    table(path, ["text", "vector", "label"], ["a"] * 12, [f'"{cell}"' for cell in bare], Y)
    assert np.array_equal(field(path, "vector"), x)
    for cell, words in (
        ("[1,2,3,4]", ["t.csv:12:", "a list of 4, where the first row has a list of 5"]),
        ("[1,2,x,4,5]", ["t.csv:12:", "'x' is not a number"]),
        ("[1 ... 5]", ["t.csv:12:", "numpy leaves numbers out"]),
        ("7", ["t.csv:12:", "no list, where the first row has one"]),
    ):
        lists = [f'"{row}"' for row in x.tolist()]
        table(path, ["vector", "label"], [*lists[:10], f'"{cell}"', lists[11]], Y)
        refused(path, *words, selector="vector")


def test_a_dictionary_of_vectors_is_a_set(tmp_path):
    expected = lossctl.compute("batch-hard", X, Y, margin=0.5)
    vectors = {f"doc{row}": x for row, x in enumerate(X)}
    np.savez(tmp_path / "d.npz", **vectors)
    sources = [vectors, str(tmp_path / "d.npz")]
    if numpy_tensors := pytest.importorskip("safetensors.numpy"):
        numpy_tensors.save_file(vectors, tmp_path / "d.safetensors")
        got = lossctl.compute("batch-hard", str(tmp_path / "d.safetensors"), Y, margin=0.5)
        assert got.value == expected.value and not got.warnings, "numbers stand in their order"
        words = ["x7", "cat", "x33", *(f"w{3 * k}" for k in range(9))]
        numpy_tensors.save_file(dict(zip(words, X, strict=True)), tmp_path / "w.safetensors")
        order = np.argsort(words)
        by_name = lossctl.compute("batch-hard", str(tmp_path / "w.safetensors"), Y[order], margin=0.5)
        assert by_name.value == pytest.approx(expected.value, rel=1e-12) and "cat, w0, w12" in by_name.warnings[0]
        table(tmp_path / "y.csv", ["id", "label"], words, Y)
        by_id = lossctl.compute(
            "batch-hard", str(tmp_path / "w.safetensors"), str(tmp_path / "y.csv"), align="id", margin=0.5
        )
        assert by_id.value == pytest.approx(expected.value, rel=1e-12)
    for source in sources:
        result = lossctl.compute("batch-hard", source, Y, margin=0.5)
        assert result.value == expected.value and "each of 12 keys is the embedding of a row" in result.notes
    with pytest.raises(DataError, match="no column is called emb"):
        lossctl.compute("batch-hard", {**vectors, "other": X[0, :3]}, Y)
    both = lossctl.compute("mse", {"pred": X[0], "target": X[1]}).value
    assert both == lossctl.compute("mse", X[0], X[1]).value, "columns stay columns where a loss takes them"


def test_ids_of_a_dictionary_that_disagree_have_a_fix_that_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = lossctl.compute("batch-hard", X, Y, margin=0.5).value
    vectors = {f"doc{row}": x for row, x in enumerate(X)}
    np.savez("d.npz", **vectors)
    rows = [f"doc{row},{y}\n" for row, y in enumerate(Y.tolist())]
    Path("y.csv").write_text("id,label\n" + "".join(reversed(rows)))
    Path("less.csv").write_text("id,label\n" + "".join(reversed(rows[1:])))
    Path("ordered.csv").write_text("id,label\n" + "".join(rows))
    with pytest.raises(DataError, match="disagree") as fault:
        lossctl.compute("batch-hard", "d.npz", "y.csv", margin=0.5)
    assert fault.value.fix == 'match them by their ids: align="id::id"'
    assert lossctl.compute("batch-hard", "d.npz", "y.csv", margin=0.5, align="id::id").value == expected
    assert lossctl.compute("batch-hard", label="y.csv", emb="d.npz", margin=0.5, align="id::id").value == expected
    with pytest.raises(DataError, match=r"unequal ids: less\.csv lacks 1"):
        lossctl.compute("batch-hard", "d.npz", "less.csv", align="id::id")
    triplets, ref = lossctl.triplets("d.npz", "ordered.csv"), {"ref": X, "ref_label": Y}
    assert triplets.breakdown == lossctl.triplets(X, Y).breakdown
    for call in (  # where rows are not matched by ids, no fix says so
        lambda: lossctl.triplets("d.npz", "y.csv"),
        lambda: lossctl.mine("batch-hard", "d.npz", "y.csv"),
        lambda: lossctl.compute("batch-hard", "d.npz", "y.csv", **ref),
        lambda: lossctl.compute("batch-hard", vectors, "y.csv"),
    ):
        with pytest.raises(DataError, match="disagree") as fault:
            call()
        assert fault.value.fix == "write both in one order: sort them by their ids"
    with pytest.raises(DataError, match="unequal lengths") as fault:
        lossctl.triplets("d.npz", "less.csv")
    assert "align" not in str(fault.value)


def test_sets_and_labels_that_are_turned_are_turned_back():
    expected = lossctl.compute("batch-hard", X, Y, margin=0.5)
    for emb, label, notes in (
        (X.T, Y, 1),
        (X, Y[None], 1),
        (X.T, Y[None], 2),
        (X.T.astype(float), Y, 1),
        (X, Y[:, None], 0),
    ):
        result = lossctl.compute("batch-hard", emb, label, margin=0.5)
        assert result.value == expected.value
        assert sum("turned" in note or "the one row" in note for note in result.notes) == notes
        assert lossctl.triplets(emb, label, margin=0.5).breakdown == lossctl.triplets(X, Y, margin=0.5).breakdown
    square = X[:5]
    assert lossctl.compute("batch-hard", square, Y[:5]) == lossctl.compute("batch-hard", square.copy(), Y[:5])
    with pytest.raises(DataError, match="unequal lengths"):
        lossctl.compute("batch-hard", X, Y[:11])


def test_info_tells_lengths_equal_rows_and_columns_of_one_value(tmp_path):
    x = RNG.normal(size=(2000, 300))
    x[:, 7] = -0.0
    x[5, 7] = x[9, 7] = 0.0
    x[100] = x[1999] = x[3]
    np.save(tmp_path / "x.npy", x)
    (summary,) = summaries(str(tmp_path / "x.npy"))
    norms = np.linalg.norm(x, axis=1)
    assert summary.vectors == pytest.approx((norms.min(), norms.max(), 2, 1))
    assert "2 duplicate rows, 1 columns of one value" in sheet([summary]).rows[0][-1]
    np.save(tmp_path / "late.npy", 7.0 * (np.arange(9000) == 8000))
    (summary,) = summaries(str(tmp_path / "late.npy"))
    assert summary.values == "0 7"


def test_columns_that_are_no_coordinates_are_warned_of():
    rows = np.arange(12.0)
    for column, words in ((Y * 2.0 + 1, "column 2 of the embeddings is the label"), (rows + 7, "counts the rows")):
        warnings = " ".join(lossctl.compute("batch-hard", np.c_[X[:, :1], column, X], Y).warnings)
        assert words in warnings, warnings
        assert words in " ".join(lossctl.triplets(np.c_[X[:, :1], column, X], Y).remarks)
    for column in (rows % 4, rows[::-1], np.zeros(12)):
        assert not lossctl.compute("batch-hard", np.c_[column, X], Y).warnings
