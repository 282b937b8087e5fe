"""What cannot fit is refused from the header, before it is read; what never comes is not awaited for ever."""

import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import run_lossctl

import lossctl
from lossctl.errors import FileError, UsageError
from lossctl.files import drawer, opening, reading, room
from lossctl.sets import gram


def sparse(path, shape, kind):
    """An NPY file of zeros that takes no room on the disk."""
    with open(path, "wb") as file:
        header = {"descr": kind, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + int(np.prod(shape, dtype=object)) * np.dtype(kind).itemsize)
    return str(path)


def test_a_set_that_cannot_fit_is_refused_by_its_header(tmp_path):
    emb = sparse(tmp_path / "emb.npy", (80_000_000, 640), "<f8")
    label = sparse(tmp_path / "label.npy", (80_000_000,), "<i8")
    for command in (("compute", "info-nce"), ("triplets",), ("mine", "semi-hard", "-o", tmp_path / "m.npy")):
        done = run_lossctl(*command, "--emb", emb, "--label", label)
        assert done.code == 4, command
        assert "emb.npy: 80,000,000 rows of 641 numbers" in done.err and "are free" in done.err and "sample" in done.err


def test_a_row_that_cannot_fit_is_refused(tmp_path):
    path = sparse(tmp_path / "wide.npy", (2, 25_000_000_000), "<f8")
    done = run_lossctl("compute", "cross-entropy", path, sparse(tmp_path / "label.npy", (2,), "<i8"))
    assert done.code == 4 and "wide.npy: a row of 25,000,000,000 columns needs about 2.5 TB" in done.err


def test_memory_is_what_somebody_allows(tmp_path):
    """With too little, and with what the fix names; in a suite, and in Python, where nothing is left of it."""
    rows = tmp_path / "rows.npz"
    np.savez(rows, left=np.eye(40), right=np.eye(40)[::-1])
    (tmp_path / "s.yaml").write_text("losses:\n  - {loss: barlow-twins, inputs: [rows.npz::left, rows.npz::right]}\n")
    refused = run_lossctl("compute", "barlow-twins", rows, "--memory", "9 kB")
    assert refused.code == 4 and "76.8 kB of memory, 9 kB are allowed" in refused.err
    size = refused.err.split("--memory ")[1].split()[0]
    done = run_lossctl("compute", "barlow-twins", rows, "--memory", size)
    assert done.code == 0 and done.out == run_lossctl("compute", "barlow-twins", rows, "--memory", "1TiB").out
    assert run_lossctl("run", tmp_path / "s.yaml", "--memory", "9kB").code
    with pytest.raises(FileError, match=f'memory="{size}"'):
        lossctl.compute("barlow-twins", str(rows), memory="0.009MB")
    assert f"{lossctl.compute('barlow-twins', str(rows)).value!r}" == done.out.strip()


@pytest.mark.slow
def test_text_is_held_to_the_memory_that_is_allowed(tmp_path):
    """What says its length only when it has been read: whole, in blocks of rows, with an index; nothing is 1 byte."""
    x = np.random.default_rng(0).normal(size=(600, 3)).tolist()
    text, index = tmp_path / "e.csv", tmp_path / "index.csv"
    text.write_text("emb_0,emb_1,emb_2,label\n" + "".join(f"{a},{b},{c},{k % 7}\n" for k, (a, b, c) in enumerate(x)))
    points = tmp_path / "points.csv"
    points.write_text("".join(f"{a},{b},{c}\n" for a, b, c in x))
    index.write_text("anchor,positive,negative\n0,7,1\n1,8,2\n")
    for line in (f"triplets {text}", f"compute koleo {points}", f"compute triplet {points} --index {index}"):
        refused = run_lossctl(*line.split(), "--memory", "5kB")
        assert refused.code == 4 and ".csv: 600 rows of" in refused.err, refused.err
        size = refused.err.split("--memory ")[1].split()[0]
        assert run_lossctl(*line.split(), "--memory", size).out == run_lossctl(*line.split()).out
    columns = ("compute", "mse", f"{text}::emb_0", f"{text}::emb_1")
    assert "a row of 2 numbers" in run_lossctl(*columns, "--memory", "1").err
    assert run_lossctl(*columns, "--memory", "300").out == run_lossctl(*columns).out


def test_a_size_is_a_number_and_a_unit():
    for text, size in {"8": 8, "8 GB": 8 * 10**9, "0.5kib": 512, "2M": 2 * 10**6}.items():
        assert room.parse_bytes(text, "--memory") == size
    for text in ("", "0", "GB", "8XB", "-1GB", "1e3MB", "inf"):
        with pytest.raises(UsageError, match="--memory cannot be"):
            room.parse_bytes(text, "--memory")


@pytest.mark.parametrize("names", room.LIMITS)
def test_the_limit_of_a_control_group_counts(tmp_path, monkeypatch, names):
    *files, name = names
    for file, text in zip(files, (3 << 20, 2 << 20, f"anon 7\n{name} {1 << 20}\nlast 9"), strict=True):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(f"{text}\n")
    monkeypatch.setattr(room, "GROUPS", tmp_path)
    assert room.bytes_free() == 2 << 20
    with pytest.raises(FileError, match=r"a file needs about 100 MB of memory, 2\.1 MB are free"):
        room.refuse_beyond(10**8, "a file", "why", "fix")


def test_a_pipe_without_a_writer_is_not_awaited_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "PATIENCE", 0.1)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(FileError, match="nobody has written"), opening.contextlib.ExitStack() as closing:
        opening.open_bytes(str(path), closing)


def test_a_pipe_whose_writer_is_late_is_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Timer(0.2, lambda: path.write_bytes(b"pred,target\n1,2\n"))
    writer.start()
    with opening.contextlib.ExitStack() as closing:
        assert opening.open_bytes(str(path), closing).size == 16
    writer.join()


def test_a_device_is_no_baseline(tmp_path):
    preds = tmp_path / "preds.csv"
    preds.write_text("pred,target\n1,2\n")
    done = run_lossctl("compute", "mse", str(preds), "--max-increase", "5%", "--baseline", "/dev/zero")
    assert done.code == 3 and "/dev/zero: too large for a saved result" in done.err


def test_a_member_whose_name_begins_with_nul_is_an_error_of_the_file(tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, p=np.arange(4.0))
    path.write_bytes(path.read_bytes().replace(b"p.npy", b"\0.npy"))
    done = run_lossctl("compute", "mse", str(path))
    assert done.code == 3 and "1 column cannot be split into pred and target" in done.err


@pytest.mark.slow
def test_a_set_larger_than_memory_lies_in_a_file_and_gives_the_same(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    labels = random.integers(9, size=90)
    emb = random.standard_normal((9, 50))[labels] + random.standard_normal((90, 50))
    emb[:20] = emb[20:40]
    files = str(tmp_path / "emb.npy"), str(tmp_path / "label.npy")
    np.save(files[1], labels)
    filed, count = drawer.filed, []
    monkeypatch.setattr(drawer, "filed", lambda *shape: count.append(shape) or filed(*shape))
    for values in (1e-30 * emb, emb.round(), emb.astype("float32")):
        np.save(files[0], values)
        answers = []
        for free in (1 << 40, 10_000):
            with monkeypatch.context() as patch:
                for module, name, value in (
                    (reading, "bytes_free", lambda free=free: free), (drawer, "BLOCK_BYTES", 3000),
                    (gram, "TILE", 16), (gram, "VALUES_AT_ONCE", 999),
                ):  # fmt: skip
                    patch.setattr(module, name, value)
                report = lossctl.triplets(*files, margin=[0.5, 1], by_class=True, pairs=2)
                counts = [[at.categories for at in report.breakdown.margins], report.breakdown.classes]
                mined = [lossctl.mine(strategy, *files).rows.tolist() for strategy in ("batch-hard", "semi-hard")]
                hardest = lossctl.compute("batch-hard", *files, margin=0.5).value
                mean = round(lossctl.compute("batch-all", *files, margin=1).value, 12)  # of float64 products
                answers.append((counts, report.breakdown.certified, report.diagnosis.duplicates, mined, hardest, mean))
        assert answers[0] == answers[1]
        assert len(count) >= 16  # as read, in order of classes, centred: five times; once more as it was checked
        count.clear()
    np.save(tmp_path / "ref.npy", emb[30:] + 0.5)
    np.save(tmp_path / "ref_label.npy", labels[30:])
    ways = ({"distance": "cosine"}, {"distance": "angular"}, {"distance": "manhattan"}, {"distance": "minkowski:3"})
    two_sets = {"ref": str(tmp_path / "ref.npy"), "ref_label": str(tmp_path / "ref_label.npy")}
    for how in (*ways, {"distance": "dot"}, {"normalize": True}, {"noise_label": 3}, two_sets):
        count.clear()
        reports = [lossctl.triplets(*files, margin=0.5, memory=size, **how) for size in ("1GB", "10kB")]
        assert len(count) >= 3, how
        counts = [[at.categories for at in report.breakdown.margins] for report in reports]
        assert counts[0] == counts[1] and all(report.breakdown.certified for report in reports), how
        assert reports[0].diagnosis.duplicates == reports[1].diagnosis.duplicates
    np.save(tmp_path / "view.npy", emb + 0.1 * random.standard_normal(emb.shape))
    alone = str(tmp_path / "alone.npy")
    np.save(alone, np.where(np.arange(90) < 5, 100 + np.arange(90), labels))
    asked = [("supcon", files, {}), *(("batch-hard", (files[0], alone), {"lone": lone}) for lone in ("self", "zero"))]
    views = files[0], str(tmp_path / "view.npy")
    asked += [(name, views, {}) for name in ("clip", "n-pairs", "nt-xent-views", "dcl")]
    for name, sources, how in asked:
        count.clear()
        losses = [round(lossctl.compute(name, *sources, memory=size, **how).value, 12) for size in ("1GB", "10kB")]
        assert losses[0] == losses[1], name
        assert len(count) >= 3, name
    values = [lossctl.row_losses("mnrl", *views, na="skip", memory=size) for size in ("1GB", "10kB")]
    np.testing.assert_allclose(*values, rtol=1e-14)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "bytes_free", lambda: 10_000)
        patch.setattr(drawer.shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
        with pytest.raises(FileError, match="set TMPDIR"):
            lossctl.triplets(*files)
    with pytest.raises(FileError, match="numbers together needs"):
        lossctl.compute("histogram", *files, memory="10kB")
    with monkeypatch.context() as patch:
        patch.setenv("TMPDIR", "/no/such/folder")
        with pytest.raises(FileError, match="/no/such/folder"):
            lossctl.triplets(*files, memory="10kB")


@pytest.mark.slow
def test_no_digit_of_long_rows_depends_on_how_many_fit_into_memory(tmp_path):
    random = np.random.default_rng(0)
    emb, label = str(tmp_path / "emb.npy"), str(tmp_path / "label.npy")
    np.save(emb, random.standard_normal((70, 9001)) + np.repeat(random.standard_normal((7, 9001)), 10, axis=0) / 9)
    np.save(label, np.arange(70) // 10)
    for distance in ("euclidean", "cosine"):
        line = "triplets", emb, label, "--distance", distance, "--margin", "2", "--format", "json"
        runs = [run_lossctl(*line, *more) for more in ((), ("--memory", "6MB"))]
        assert runs[0].out == runs[1].out and not runs[0].code, distance
