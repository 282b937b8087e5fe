"""Claims about formats: the same digits from each, only what is asked for is read, and one clear error for the rest."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
import lzma
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lossctl
from lossctl.errors import DataError, FileError, LossctlError, UsageError
from lossctl.files import formats, opening, tensors
from lossctl.files.dialect import Dialect
from lossctl.files.formats import FORMATS
from lossctl.files.memory import frame_of
from lossctl.files.shards import natural
from lossctl.files.sources import blocks, digest, open_source

BRIEF = settings(max_examples=40, deadline=None, database=None, derandomize=True)
BFLOAT16 = np.array([0.9, 0.2, -3.5, 1e30], np.float32)


def read(source, selector=None, kind="number", rows=7, **options):
    """All rows of one field."""
    with open_source(source if isinstance(source, tuple) else str(source), Dialect(**options)) as frame:
        field = frame.all_columns() if selector is None else frame.select(selector)
        parts = [block.load()[0] for block in blocks([field], [kind], rows)]
        return np.concatenate([part.astype(object) if kind == "category" else part for part in parts])


def refused(path, *words, error=DataError, selector=None, kind="number", **options):
    with pytest.raises(LossctlError) as caught:
        read(path, selector, kind, **options)
    assert type(caught.value) is error, caught.value
    text = str(caught.value)
    for word in words:
        assert word in text, text
    return text


# --- writers, by other libraries


def write_parquet(path, columns, **options):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table(columns), path, **options)


def write_polars(path, columns):
    polars = pytest.importorskip("polars")
    polars.DataFrame(columns).write_parquet(path)


def write_arrow(path, columns, **options):
    pa, ipc = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.ipc")
    table = pa.table(columns)
    with ipc.new_file(str(path), table.schema, options=ipc.IpcWriteOptions(**options)) as file:
        file.write_table(table, max_chunksize=5)


def write_stream(path, columns):
    pa, ipc = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.ipc")
    table = pa.table(columns)
    with ipc.new_stream(str(path), table.schema) as file:
        file.write_table(table, max_chunksize=5)


def write_jsonl(path, columns):
    rows = zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True)
    Path(path).write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))


def write_safetensors(path, columns):
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({name: np.ascontiguousarray(values) for name, values in columns.items()}, path)


def write_torch(path, columns, **options):
    torch = pytest.importorskip("torch")
    torch.save({name: torch.tensor(values) for name, values in columns.items()}, path, **options)


def write_hdf5(path, columns):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file.create_dataset(name, data=values, chunks=True, compression="gzip")


def write_csv(path, columns):
    rows = zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True)
    text = ",".join(columns) + "\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows)
    Path(path).write_text(text)


def write_zip(path, columns):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        write_csv(f"{path}.csv", columns)
        archive.write(f"{path}.csv", "folder/p.csv")
    Path(path).write_bytes(stream.getvalue())


WRITERS = {
    "parquet": write_parquet,
    "polars.parquet": write_polars,
    "groups.parquet": lambda path, columns: write_parquet(path, columns, row_group_size=3, use_dictionary=False),
    "feather": write_arrow,
    "lz4.feather": lambda path, columns: write_arrow(path, columns, compression="lz4"),
    "arrows": write_stream,
    "jsonl": write_jsonl,
    "safetensors": write_safetensors,
    "pt": write_torch,
    "old.pt": lambda path, columns: write_torch(path, columns, _use_new_zipfile_serialization=False),
    "h5": write_hdf5,
    "csv": write_csv,
    "zip": write_zip,
    "npz": lambda path, columns: np.savez(path, **columns),
}
dtypes = st.sampled_from(["f2", "f4", "f8", "i1", "i4", "i8", "u1", "?"])


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = 10.0 ** draw(st.integers(-4, 4))
    return {
        name: (rng.normal(size=rows) * (scale if dtype.startswith("f") else 50)).clip(-6e4, 6e4).astype(dtype)
        for name, dtype in zip(("pred", "label"), (draw(dtypes), draw(dtypes)), strict=True)
    }


@pytest.mark.first_fast
@pytest.mark.parametrize("ending", WRITERS)
def test_each_format_has_the_digits_and_the_hash_of_npy(tmp_path, ending):
    @BRIEF
    @given(tables(), st.sampled_from([1, 4, 100]))
    def check(columns, rows):
        path = tmp_path / f"table.{ending}"
        WRITERS[ending](path, columns)
        with open_source(str(path)) as frame:
            assert frame.names == ("pred", "label") or sorted(frame.names) == ["label", "pred"]
            chosen = [frame.select("pred"), frame.select("label")]
            truth = [frame_of(columns["pred"], "x").all_columns(), frame_of(columns["label"], "y").all_columns()]
            for values, field in zip(columns.values(), chosen, strict=True):
                parts = [block.load()[0] for block in blocks([field], ["number"], rows)]
                got = np.concatenate(parts)
                assert got.dtype == np.float64 and got.tobytes() == values.astype(np.float64).tobytes()
            assert digest(chosen) == digest(truth)
            assert frame.rows == len(columns["pred"])

    check()


@pytest.mark.parametrize("ending", [name for name in WRITERS if name not in ("csv", "zip")])
def test_a_matrix_in_each_format_is_a_matrix(tmp_path, ending):
    matrix = np.random.default_rng(3).normal(size=(11, 4))
    path = tmp_path / f"table.{ending}"
    nested = "parquet" in ending or ending in ("feather", "lz4.feather", "arrows")
    WRITERS[ending](path, {"emb": list(matrix) if nested else matrix, "label": np.arange(11) % 3})
    assert np.array_equal(read(path, "emb"), matrix)
    assert np.array_equal(read(path, "emb[2]"), matrix[:, 1])
    assert np.array_equal(read(path, "emb::3..-1"), matrix[:, 2:])
    assert read(path, "label", "category").tolist() == [row % 3 for row in range(11)]
    refused(path, "no column 9", error=UsageError, selector="emb[9]")
    with open_source(str(path)) as frame:
        fields = [frame.select("emb"), frame.select("label")]
        assert (fields[0].width, fields[0].ndim) == (4, 2)
        for block in blocks(fields, ["number", "category"], 4):
            emb, label = block.load()
            assert np.array_equal(emb, matrix[block.start : block.stop]) and len(label) == len(emb)


@pytest.mark.parametrize("ending", ["parquet", "feather", "arrows", "jsonl", "h5", "npz"])
def test_text_labels_and_missing_values(tmp_path, ending):
    words = ["cat", "dög", "日本", "none", "cat"]
    path = tmp_path / f"table.{ending}"
    WRITERS[ending](path, {"y": words if ending == "h5" else np.array(words), "p": np.arange(5.0)})
    assert read(path, "y", "category").tolist() == words
    with open_source(str(path)) as frame:
        assert digest([frame.select("y")]) == digest([frame_of(np.array(words), "y").all_columns()])
    refused(path, "numbe", selector="y")


@pytest.mark.parametrize("ending", ["parquet", "feather", "arrows"])
def test_nulls_of_arrow(tmp_path, ending):
    path = tmp_path / f"table.{ending}"
    WRITERS[ending](path, {"p": [0.5, None, 0.25], "n": [1, None, 3], "y": ["a", None, "b"]})
    group = " (row group 0)" if ending == "parquet" else ""
    for selector, kind in (("p", "number"), ("n", "number"), ("y", "category"), ("n", "category")):
        refused(path, f"row 1{group}: column '{selector}'", "null", "--na skip", selector=selector, kind=kind)
    assert np.array_equal(read(path, "p", allow_missing=True), [0.5, np.nan, 0.25], equal_nan=True)
    assert np.array_equal(read(path, "n", allow_missing=True), [1, np.nan, 3], equal_nan=True)
    assert read(path, "y", "category", allow_missing=True).tolist() == ["a", None, "b"]
    assert read(path, "n", "category", allow_missing=True).tolist() == [1, None, 3]


def test_types_of_arrow(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from decimal import Decimal

    path = tmp_path / "a.parquet"
    exact = [Decimal("0.1"), Decimal("123456789.987654321"), Decimal("-0.000000001")]
    columns = {
        "decimal": pa.array(exact, pa.decimal128(30, 9)),
        "category": pa.array(["a", "b", "a"]).dictionary_encode(),
        "large": pa.array(["a", "b", "c"], pa.large_string()),
        "half": pa.array(np.array([0.5, 2, 3], np.float16)),
        "huge": pa.array([1, 2**53 + 1, 3], pa.int64()),
        "time": pa.array([0, 86401, None], pa.timestamp("s")),
        "fixed": pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32(), 2)),
        "ragged": pa.array([[1.0, 2.0], [3.0], [5.0, 6.0]]),
        "struct": pa.array([{"x": 1}] * 3),
        "nested.name": pa.array([7, 8, 9]),
        "day": pa.array([0, 1, 20000], pa.date32()),
        "instant": pa.array([0, 1_500_000, 86_400_000_000], pa.timestamp("us", "Europe/Berlin")),
    }
    write_parquet(path, columns)
    assert read(path, "decimal").tolist() == [0.1, 123456789.987654321, -0.000000001]
    assert read(path, "category", "category").tolist() == ["a", "b", "a"]
    assert read(path, "large", "category").tolist() == ["a", "b", "c"]
    assert read(path, "half").tolist() == [0.5, 2, 3]
    assert read(path, "nested.name").tolist() == [7, 8, 9]
    assert read(path, "huge", "category").tolist() == [1, 2**53 + 1, 3]
    assert read(path, "day", "category").tolist() == ["1970-01-01", "1970-01-02", "2024-10-04"]
    assert read(path, "instant", "category").tolist() == ["1970-01-01Z", "1970-01-01 00:00:01.500000Z", "1970-01-02Z"]
    assert read(path, "fixed").tolist() == [[1, 2], [3, 4], [5, 6]]
    refused(path, "row 1 (row group 0): column 'huge' (5)", "2**53", selector="huge")
    refused(path, "row 1 (row group 0): column 'ragged' (8)", "a list of 1", selector="ragged")
    refused(path, "column 'time' (6)", "timestamp", "not numbers", selector="time")
    refused(path, "column 'struct' (9)", selector="struct")


# --- what is read


def test_only_the_columns_that_are_asked_for_are_read(tmp_path, monkeypatch):
    """Bytes of the file that are read, counted below the libraries."""
    rng = np.random.default_rng(0)
    columns = {"label": np.arange(50_000) % 2, **{f"c{i}": rng.normal(size=50_000) for i in range(20)}}
    count = 0
    pread = opening.Bytes.pread

    def counted(self, position, length):
        nonlocal count
        count += length
        return pread(self, position, length)

    monkeypatch.setattr(opening.Bytes, "pread", counted)
    for ending in ("parquet", "feather", "safetensors", "h5"):
        path = tmp_path / f"wide.{ending}"
        WRITERS[ending](path, columns) if ending != "feather" else write_wide_arrow(path, columns)
        count = 0
        assert np.array_equal(read(path, "c7", rows=1 << 16), columns["c7"])
        assert count < (0.35 if ending == "h5" else 0.2) * path.stat().st_size, (ending, count / path.stat().st_size)


def write_wide_arrow(path, columns):
    pa, ipc = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.ipc")
    table = pa.table(columns)
    with ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)


PEAK = (
    "import sys; from lossctl.files.sources import open_source, blocks\n"
    "def peak(): return int(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"
    "with open_source(sys.argv[1]) as frame:\n"
    "    fields = [frame.select('p'), frame.select('y')]\n"
    "    next(blocks(fields, ['number'] * 2, 1 << 15)).load()\n"
    "    before = peak()\n"
    "    total = sum(len(b.load()[0]) for b in blocks(fields, ['number'] * 2, 1 << 15))\n"
    "    print(total, peak() - before)"
)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["parquet", "feather", "arrows", "jsonl", "safetensors", "h5", "csv"])
def test_memory_does_not_grow_with_the_file(tmp_path, ending):
    """6 M rows of 16 bytes are 96 MB as arrays; 2 M of them as text are 32 MB."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process is read from /proc")
    is_text = ending in ("jsonl", "csv")
    n, times = (20_000, 100) if is_text else (6_000_000, 1)
    rng = np.random.default_rng(0)
    columns = {"p": rng.random(n), "y": rng.integers(0, 2, n)}
    path = tmp_path / f"big.{ending}"
    if ending in ("feather", "arrows"):
        pa, ipc = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.ipc")
        make = ipc.new_file if ending == "feather" else ipc.new_stream
        with make(str(path), pa.table(columns).schema) as file:
            file.write_table(pa.table(columns), max_chunksize=1 << 16)
    else:
        WRITERS[ending](path, columns)
    if is_text:
        text = path.read_bytes()
        head = text[: text.index(b"\n") + 1] if ending == "csv" else b""
        path.write_bytes(head + text[len(head) :] * times)
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], check=True, capture_output=True, text=True)
    total, grown_kib = map(int, done.stdout.split())
    assert total == n * times and grown_kib < 40 << 10, grown_kib


# --- compression


def test_bz2_and_xz(tmp_path):
    for ending, pack in (("bz2", bz2.compress), ("xz", lzma.compress)):
        path = tmp_path / f"p.csv.{ending}"
        path.write_bytes(pack(b"p\n0.5\n0.25\n"))
        assert read(path).tolist() == [0.5, 0.25]
        path.write_bytes(pack(b"p\n" + np.random.default_rng(0).bytes(5000).hex().encode())[:-20])
        refused(path, f"p.csv.{ending}: broken")
        path.write_bytes(pack(b""))
        refused(path, "is empty once decompressed")
        path.write_bytes(pack(pack(b"p\n1\n")))
        refused(path, "compressed twice")


def test_a_zip_of_several_tables_is_asked(tmp_path):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "p\n1\n")
        archive.writestr("b.csv", "p\n2\n")
    refused(path, "a ZIP of 2 files", "a.csv, b.csv", "unzip -p")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/._a.csv", b"\0\5\x16\7")
        archive.writestr("a.csv", "p\n0.5\n1\n")
    assert read(path).tolist() == [0.5, 1]


def test_keys_of_npz_may_have_any_name(tmp_path):
    names = ["a/b", "x y", "1", "p*", "e[2]", "k::v", "é", "=q"]
    np.savez(tmp_path / "a.npz", **{name: np.full(3, index) for index, name in enumerate(names)})
    for index, name in enumerate(names):
        selector = f"={name}" if name in ("1",) else name
        assert read(tmp_path / "a.npz", selector).tolist() == [index] * 3, name


# --- several files as one


@pytest.mark.parametrize("ending", ["npy", "csv", "parquet", "jsonl", "npz", "safetensors"])
@pytest.mark.parametrize("rows", [1, 4, 100])
def test_shards_are_read_as_one_in_natural_order(tmp_path, ending, rows):
    values = np.random.default_rng(1).normal(size=33)
    for number, part in enumerate(np.split(values, [3, 10, 11, 12, 13, 14, 15, 16, 17, 20])):
        path = tmp_path / f"part-{number}.{ending}"
        np.save(path, part) if ending == "npy" else WRITERS[ending](path, {"p": part})
    pattern = f"{tmp_path}/part-*.{ending}"
    assert np.array_equal(read(pattern, None if ending == "npy" else "p", rows=rows), values)
    paths = tuple(str(path) for path in sorted(tmp_path.iterdir(), key=lambda path: natural(str(path))))
    assert np.array_equal(read(paths, rows=rows), values)
    with open_source(pattern) as frame:
        assert frame.rows == (None if ending in ("csv", "jsonl") else 33)
        fields = [frame.all_columns(), frame_of(values, "y").all_columns()]
        for block in blocks(fields, ["number"] * 2, rows):
            one, two = block.load()
            assert np.array_equal(one.reshape(-1), two)
        assert digest(fields[:1]) == digest(fields[1:])


def test_shards_that_do_not_fit_are_named(tmp_path):
    def shards(first, second, *words, ending="csv"):
        for number, content in enumerate((first, second)):
            path = tmp_path / f"s{number}.{ending}"
            np.save(path, content) if ending == "npy" else path.write_text(content)
        refused(f"{tmp_path}/s*.{ending}", f"s1.{ending}", *words)

    shards("p,y\n1,2\n", "p,z\n1,2\n", "has p, z", "has p, y")
    shards("p,y\n1,2\n", '{"p": 1, "y": 2}\n', "is jsonl", "is csv")
    shards(np.zeros((3, 2)), np.zeros((3, 4)), "has 4 columns", "2 columns", ending="npy")
    shards(np.zeros(3), np.array(["a"]), "column 1: is <U1", "float64", ending="npy")
    (tmp_path / "s0.csv").write_text("p\n1\n")
    (tmp_path / "s1.csv").write_text("p\n1\n2\nx\n")
    refused(f"{tmp_path}/s*.csv", "s1.csv:4: column 'p' (1): 'x'")
    refused(f"{tmp_path}/none*.csv", "no file matches", error=FileError)


def test_natural_order():
    names = ["p10", "p2", "p1", "a9b10", "a9b9", "p01"]
    assert sorted(names, key=natural) == ["a9b9", "a9b10", "p01", "p1", "p2", "p10"]


# --- libraries that are not there


@pytest.mark.parametrize(
    ("head", "library", "extra"),
    [
        (b"PAR1\x15\x04", "pyarrow", "arrow"),
        (b"ARROW1\0\0", "pyarrow", "arrow"),
        (b"\xff\xff\xff\xff\x78\0\0\0", "pyarrow", "arrow"),
        (b"\x89HDF\r\n\x1a\n", "h5py", "hdf5"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "torch", "torch"),
    ],
)
def test_a_missing_extra_is_named_with_its_command(tmp_path, monkeypatch, head, library, extra):
    path = tmp_path / "x.bin"
    path.write_bytes(head + bytes(99))
    monkeypatch.setitem(sys.modules, library, None)
    refused(path, "x.bin: is a", f"needs {library}", f"pip install 'lossctl[{extra}]'", error=FileError)


def test_every_extra_that_a_format_names_exists():
    import tomllib

    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for format in FORMATS:
        if format.extra:
            assert any(line.startswith(format.library) for line in extras[format.extra])


# --- hostile files


@pytest.mark.parametrize("ending", [name for name in WRITERS if name not in ("csv", "zip", "npz")])
def test_damaged_files_end_in_an_error_of_lossctl(tmp_path, ending):
    rng = np.random.default_rng(5)
    path = tmp_path / f"a.{ending}"
    WRITERS[ending](path, {"pred": rng.normal(size=40), "label": np.arange(40)})
    whole = path.read_bytes()
    damaged = [whole[: int(len(whole) * share)] for share in (0.1, 0.3, 0.5, 0.8, 0.95)] + [whole[:-1], whole[:9]]
    for _ in range(30):
        mutable = bytearray(whole)
        for place in rng.integers(8, len(whole), 3):
            mutable[place] = rng.integers(256)
        damaged.append(bytes(mutable))
    faults = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            read(path, "pred", rows=16)
        except (DataError, FileError, UsageError) as fault:
            faults += 1
            assert len(str(fault).split("\n")) <= 3 and str(path) in str(fault)
    assert faults >= 3


def test_names_of_hdf5_that_are_no_text_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["pred"], file[b"lab\xff"] = [0.5], [1]
    with pytest.raises(DataError, match=r"a.h5: b'lab.xff' names a dataset"):
        read(path, "pred")


class Danger:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def test_pickles_are_never_run(tmp_path):
    torch = pytest.importorskip("torch")
    content = pickle.dumps(Danger())
    (tmp_path / "a.pkl").write_bytes(content)
    refused(tmp_path / "a.pkl", "a pickle", "could run code")
    torch.save({"pred": Danger()}, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "holds more than tensors", "torch.save({'pred': pred, 'label': label}, path)")
    torch.save({"pred": Danger()}, tmp_path / "b.pt", _use_new_zipfile_serialization=False)
    refused(tmp_path / "b.pt", "holds more than tensors")
    np.save(tmp_path / "a.npy", np.array([Danger()]), allow_pickle=True)
    refused(tmp_path / "a.npy", "holds Python objects")


def test_torch_tensors(tmp_path):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(BFLOAT16).to(torch.bfloat16)
    for value in (tensor, tensor.requires_grad_(), torch.nn.Parameter(tensor.detach())):
        torch.save(value, tmp_path / "a.pt")
        assert read(tmp_path / "a.pt").tolist() == tensor.detach().double().tolist()
    torch.save({"epoch": 3, "out": {"pred": tensor.detach(), "n": 1}, "y": torch.arange(4)}, tmp_path / "a.pt")
    assert read(tmp_path / "a.pt", "out.pred").tolist() == tensor.detach().double().tolist()
    for value, words in [
        ({"epoch": 3}, ["no tensors"]),
        (torch.zeros(2, 2, 2), ["shape (2, 2, 2)"]),
        (torch.eye(3).to_sparse(), ["sparse"]),
        (torch.zeros(3, dtype=torch.complex64), ["complex64"]),
    ]:
        torch.save(value, tmp_path / "a.pt")
        refused(tmp_path / "a.pt", *words)


def test_batches_of_a_trainer_stand_one_after_another(tmp_path):
    """Lists of dicts, of tuples, of tensors whose last is shorter; a few of one length may be the inputs themselves."""
    torch = pytest.importorskip("torch")
    rows, labels = torch.arange(30.0).reshape(10, 3), torch.arange(10)
    parts, numbers = rows.split(4), labels.split(4)
    path = tmp_path / "a.pt"
    for batches, selector in (
        ([{"x": x, "y": y, "loss": torch.tensor(0.5)} for x, y in zip(parts, numbers, strict=True)], "x"),
        (list(zip(parts, numbers, strict=True)), "=0"),
        (list(parts), None),
        (list(rows.split(2)), None),
    ):
        torch.save(batches, path)
        assert read(path, selector).tolist() == rows.tolist(), selector
    torch.save(list(rows.split(5)), path)
    assert read(path, "=1").tolist() == rows[5:].tolist()


def test_values_of_torch_stay_in_their_file_where_they_lie_there_row_by_row(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    path, base = tmp_path / "a.pt", torch.arange(60, dtype=torch.float64).reshape(10, 6) / 7
    kept = {
        "x": base,
        "rows": base[3:],
        "flat": base.reshape(-1)[5:],
        "half": base.half(),
        "whole": base.int(),
        "y": base > 4,
    }
    held = {"column": base[:, 2], "turned": base.T.contiguous().T, "wide": base[:1].expand(4, 6)}
    torch.save({**kept, **held, "none": torch.zeros(0, 3)}, path)
    for name, tensor in (kept | held).items():
        assert read(path, name).tolist() == tensor.double().tolist(), name
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in archive.infolist():
            packed.writestr(entry.filename, archive.read(entry))
    assert read(tmp_path / "b.pt", "rows").tolist() == base[3:].tolist()
    (tmp_path / "a.pt.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read(tmp_path / "a.pt.gz", "rows").tolist() == base[3:].tolist()
    torch.save(kept, path)
    monkeypatch.setattr(tensors, "hold", lambda tensor, label: pytest.fail(f"{label} was read whole"))
    for name, tensor in kept.items():
        assert read(path, name).tolist() == tensor.double().tolist(), name


# --- bfloat16


def test_bfloat16_of_every_kind(tmp_path):
    torch, save = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    tensor = torch.tensor(BFLOAT16).to(torch.bfloat16)
    truth = tensor.double().tolist()
    bits = tensor.view(torch.int16).numpy().view("u2")
    np.save(tmp_path / "v2.npy", bits.view("V2"))
    np.save(tmp_path / "f.npy", np.asfortranarray(np.stack([bits, bits], axis=1)).view("V2"))
    np.savez(tmp_path / "v2.npz", p=bits.view("V2"))
    save.save_file({"p": tensor}, tmp_path / "a.safetensors")
    for name in ("v2.npy", "v2.npz", "a.safetensors"):
        assert read(tmp_path / name).tolist() == truth
        with open_source(str(tmp_path / name)) as frame:
            assert frame.dtype_of(frame.all_columns()) == "bfloat16" and frame.all_columns().kind == "number"
    assert read(tmp_path / "f.npy", "2").tolist() == truth
    ml_dtypes = pytest.importorskip("ml_dtypes")
    np.save(tmp_path / "ml.npy", BFLOAT16.astype(ml_dtypes.bfloat16))
    assert read(tmp_path / "ml.npy").tolist() == truth


# --- safetensors and JSON that are refused


def safetensors_bytes(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (safetensors_bytes({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(7)), ["truncated"]),
        (safetensors_bytes({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]}}, bytes(8)), ["truncated"]),
        (safetensors_bytes({"w": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}, bytes(8)), ["offsets"]),
        (safetensors_bytes({"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}, bytes(2)), ["F8_E4M3"]),
        (safetensors_bytes({"w": {"dtype": "F32", "shape": [1, 1, 1], "data_offsets": [0, 4]}}, bytes(4)), ["shape"]),
        (safetensors_bytes({"w": {"shape": [2]}}), ["broken safetensors"]),
        (safetensors_bytes(b'{"w": [' * 30), ["broken safetensors"]),
        (safetensors_bytes({"__metadata__": {"a": "b"}}), ["no tensors"]),
        ((2**27).to_bytes(8, "little") + b'{"w":', ["header declares"]),
    ],
)
def test_safetensors_that_are_refused(tmp_path, content, words):
    (tmp_path / "a.safetensors").write_bytes(content)
    refused(tmp_path / "a.safetensors", *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"p": 1}\n{"p": 2, "q": 3}\n', [":2: a key 'q'"]),
        ('{"p": 1, "q": 1}\n{"p": 2}\n', [":2: no key 'q'"]),
        ('{"p": 1}\n\n{"p": 2}\n', [":2: a blank line"]),
        ('{"p": 1}\n{"p": 1, "p": 2}\n', [":2: not JSON: a key stands twice"]),
        ('{"p": 1}\n[1]\n', [":2: not an object"]),
        ('{"p": 1}\n{"p": 2\n', [":2: not JSON"]),
        ('{"p": 1}\n{"p": "x"}\n', [":2: column 'p' (1): 'x' is not a number"]),
        ('{"p": 1}\n{"p": null}\n', [":2: column 'p' (1): null", "--na skip"]),
        ('{"p": 1}\n{"p": {"q": 1}}\n', [":2: column 'p' (1): an object"]),
        ('{"p": 1}\n{"p": 9007199254740993}\n', [":2:", "2**53"]),
        ('{"p": [1, 2]}\n{"p": [1]}\n', [":2: column 'p' (1): a list of 1"]),
        ('{"p": [1, 2]}\n{"p": [1, "x"]}\n', [":2: column 'p' (1) column 2: 'x'"]),
        ('{"p": [1, 2], "y": [0, 1]}\n', ["one object of 2 columns", "numpy.savez"]),
        ('{"p": {"0": 1}, "y": {"a": 0}}', ["one object of 2 columns", "pandas.read_json"]),
        ('{\n "p": 1\n}\n', ["over several lines", "jq -c ."]),
        ('[{"p": 1}, {"p": 2, "q": 3}]', ["row 1: a key 'q'"]),
        ('[{"p": 1}, {"p": "x"}]', ["row 1: column 'p' (1): 'x' is not a number"]),
        ('[{"p": [1, 2]}, {"p": [1]}]', ["row 1: column 'p' (1): a list of 1"]),
        ('[{"p": 1}, {"p": 1, "p": 2}]', ["row 1: not JSON: a key stands twice"]),
        ('[{"p": 1}, [1]]', ["row 1: not an object"]),
        ('[{"p": 1}, {"p": 2}', ["row 2: not JSON: the list has no end"]),
        ('[{"p": 1} {"p": 2}]', ["row 1: not JSON: no comma"]),
        ('[{"p": 1}, {"p": 2},]', ["row 2: not JSON"]),
        ('[{"p": 1}, {"p": ', ["row 1: not JSON"]),
        ('[{"p": 1}, {"p": "' + "a" * 100, ["row 1: not JSON"]),
        ('[{"p": 1}]\n[{"p": 2}]\n', ["goes on behind the list"]),
        ('[{"p": 1}, {"p": ' + "[" * 100_000, ["row 1: not JSON"]),
        ("[{}]", ["row 0: an object without keys"]),
        ("[[1.5, 2], [3, 4]]", ["a list of lists", "np.array(json.load("]),
        ("{}\n", ["without keys"]),
        ('{"p": 1}\n{"p": 1},{"p": 2}\n{"p": 3\n}\n', [":2: not JSON"]),
        ('{"p": 1}\n{"p":\n1}\n', [":2: not JSON"]),
        ('{"p": 1}\n{"p": ' + "[" * 100_000 + "\n", [":2: not JSON"]),
    ],
)
def test_json_that_is_refused(tmp_path, text, words):
    (tmp_path / "a.jsonl").write_text(text)
    refused(tmp_path / "a.jsonl", *words, selector="p")


def test_a_text_that_looks_like_a_key_changes_nothing(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"p": 0.5, "t": "\\": {"}\n{"p": 0.25, "t": "x"}\n')
    assert read(path, "p").tolist() == [0.5, 0.25]
    assert read(path, "t", "category").tolist() == ['": {', "x"]


def test_tables_that_are_one_object_are_read_as_pandas_writes_them(tmp_path):
    """split, columns, index and table of DataFrame.to_json, and wandb's tables; on one line or on many."""
    table = {"prob": [0.9, 0.2, 0.6], "label": [1, 0, 1]}
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    data = [list(row.values()) for row in rows]
    layouts = {
        "split": {"columns": list(table), "index": [5, 7, 9], "data": data},
        "columns": {name: {str(at): value for at, value in enumerate(column)} for name, column in table.items()},
        "index": {str(at): row for at, row in enumerate(rows)},
        "table": {"schema": {"fields": [], "primaryKey": ["index"]}, "data": [{"index": 0, **row} for row in rows]},
        "wandb": {"columns": list(table), "data": data},
    }
    truth = lossctl.compute("bce", table["prob"], table["label"]).value
    path = tmp_path / "t.json"
    for (layout, content), indent in itertools.product(layouts.items(), (None, 2)):
        path.write_text(json.dumps(content, indent=indent))
        assert lossctl.compute("bce", str(path)).value == truth, (layout, indent)
    path.write_text(json.dumps(layouts["wandb"]).replace("[0.2, 0]", "[0.2]"))
    refused(path, "row 1: 1 values for 2 columns", selector="prob")


def test_a_list_of_objects_is_read_as_json_lines_are(tmp_path, monkeypatch):
    """Wherever a chunk ends: in a word, a number, a letter of several bytes, between two objects."""
    rows = [
        {"p": (k - 3) / 7, "t": "x" + '\N{SNOWMAN}\\" ]}, {' * (k % 3), "v": [k, 1e-9 * k], "y": k % 2 == 1}
        for k in range(40)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for indent, ascii_only in ((None, True), (None, False), (2, False)):
        text = json.dumps(rows, indent=indent, ensure_ascii=ascii_only)
        (tmp_path / "a.json").write_text("\ufeff" + text if indent else text, encoding="utf-8")
        for chunk in (1, 2, 3, 7, 64, 1 << 20):
            monkeypatch.setattr("lossctl.files.json_list.CHUNK", chunk)
            for column, kind in (("p", "number"), ("t", "category"), ("v", "number"), ("y", "category")):
                of_list, of_lines = (read(tmp_path / f"a.{ending}", column, kind) for ending in ("json", "jsonl"))
                assert of_list.tolist() == of_lines.tolist(), (indent, chunk, column)


def test_json_numbers_and_labels(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('\ufeff{"p": 0.1, "y": "a"}\r\n{"p": 1e-320, "y": 3}\r\n{"p": true, "y": 2.0}'.encode())
    assert read(path, "p").tolist() == [0.1, 1e-320, 1]
    assert read(path, "y", "category").tolist() == ["a", 3, 2]


# --- values in memory


def frames_of(value):
    frame = frame_of(value, "x")
    return frame.names, [
        np.concatenate([block.load()[0] for block in blocks([frame.field(at)], ["number"], 2)])
        for at in range(frame.width)
    ]


def test_tables_in_memory():
    p, y = np.array([0.1, 0.2, 0.3]), np.array([1, 0, 1])
    values = [{"p": p, "y": y}]
    for library in ("pandas", "polars"):
        values.append(pytest.importorskip(library).DataFrame({"p": p, "y": y}))
    values.append(pytest.importorskip("pyarrow").table({"p": p, "y": y}))
    for value in values:
        names, columns = frames_of(value)
        assert names == ("p", "y") and np.array_equal(columns[0], p) and np.array_equal(columns[1], y)


def test_a_table_in_memory_holds_the_roles_by_name():

    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    p, y = [0.9, 0.2, 0.6], [1, 0, 1]
    truth = lossctl.compute("bce", np.array(p), np.array(y)).value
    columns = {"id": ["c", "a", "b"], "label": y, "prob": p}
    for value in (pandas.DataFrame(columns), polars.DataFrame(columns), {"label": y, "prob": p}):
        assert lossctl.compute("bce", value).value == truth
    frame = pandas.DataFrame(np.array([[0.7, 0.3], [0.1, 0.9]]), columns=["ham", "spam"])
    matrix = lossctl.compute("cross-entropy", frame.to_numpy(), [0, 1]).value
    assert lossctl.compute("cross-entropy", frame, [0, 1]).value == matrix
    series = pandas.Series([0.9, None, 0.6], dtype="Float64")
    assert lossctl.compute("bce", series, y, skip_nan=True).value == lossctl.compute("bce", p[::2], y[::2]).value


def test_columns_of_tables_may_be_objects():
    pandas = pytest.importorskip("pandas")
    frame = frame_of(pandas.DataFrame({"y": ["a", None, "b"], "p": [1, 2, 3]}, dtype=object), "df")
    with pytest.raises(DataError, match="df: row 1: column 'y': "):
        next(blocks([frame.select("y")], ["category"], 5)).load()
    frame = frame_of(pandas.DataFrame({"y": ["a", None, "b"]}, dtype=object), "df", True)
    assert next(blocks([frame.select("y")], ["category"], 5)).load()[0].tolist() == ["a", None, "b"]


def test_what_is_no_array_is_told_so():
    sparse = pytest.importorskip("scipy.sparse")
    for value in (sparse.eye(3).tocsr(), iter([1, 2]), object()):
        told = rf"an input of type {type(value).__name__} is no array\nfix: give x.toarray\(\)"
        with pytest.raises(DataError, match=told):
            frame_of(value, "x")
        with pytest.raises(DataError, match=told):
            lossctl.compute("mse", value, [1.0, 2.0])


def test_dlpack_and_gradients():
    torch = pytest.importorskip("torch")

    class Capsule:
        def __init__(self, tensor):
            self.tensor = tensor

        def __dlpack__(self, **options):
            return self.tensor.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.tensor.__dlpack_device__()

    tensor = torch.tensor([0.5, 2.0], requires_grad=True)
    for value in (tensor, Capsule(tensor.detach()), tensor.detach().to(torch.bfloat16)):
        assert frames_of(value)[1][0].tolist() == [0.5, 2.0]


def test_shards_from_python(tmp_path):

    for number, (p, y) in enumerate([([0.9, 0.2], [1, 0]), ([0.6], [1])]):
        np.savez(tmp_path / f"{number}.npz", prob=p, label=y)
    truth = lossctl.compute("bce", [0.9, 0.2, 0.6], [1, 0, 1]).value
    assert lossctl.compute("bce", [tmp_path / "0.npz", tmp_path / "1.npz"]).value == truth
    assert lossctl.compute("bce", str(tmp_path / "?.npz")).value == truth


def test_formats_have_names_of_their_own():
    assert len({format.name for format in FORMATS}) == len(FORMATS)
    assert formats.FORMATS[-1].matches(b"anything")
