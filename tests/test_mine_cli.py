"""`lossctl mine`, and what is done with its files, as their users meet it."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, run_lossctl

from lossctl.files import lines

SAMPLE = "samples/embeddings.npz"
POINTS = "samples/embeddings.npy"


def mined(tmp_path, *arguments, name="m.npy"):
    path = tmp_path / name
    done = run_lossctl("mine", *arguments, SAMPLE, "-o", path)
    assert (done.code, done.out, done.err) == (0, "", "")
    return path


def test_the_mined_file_gives_the_loss_it_was_mined_for(tmp_path):
    path = mined(tmp_path, "batch-hard")
    loss = run_lossctl("compute", "triplet", POINTS, "--index", path).out
    assert float(loss) == pytest.approx(float(run_lossctl("compute", "batch-hard", SAMPLE).out), rel=1e-14)


@pytest.mark.slow
def test_all_of_a_category_is_what_the_breakdown_counts(tmp_path):
    _, semi_hard, hard = map(int, run_lossctl("triplets", SAMPLE, "--margin", "0.2", "-b").out.split())
    path = mined(tmp_path, "all", "--margin", "0.2")
    assert np.load(path).shape == (semi_hard + hard, 3)
    assert run_lossctl("triplets", POINTS, "--index", path, "--margin", "0.2", "-b").out == f"0\t{semi_hard}\t{hard}\n"
    only = mined(tmp_path, "all", "--margin", "0.2", "--category", "semi-hard", name="only.npy")
    assert len(np.load(only)) == semi_hard
    document = json.loads(run_lossctl("triplets", POINTS, "--index", path, "--margin", "0.2", "--json").out)
    loss = float(run_lossctl("compute", "batch-all", SAMPLE, "--margin", "0.2").out)
    assert document["results"][0]["loss"] == pytest.approx(loss, rel=1e-13)


@pytest.mark.first_fast
@pytest.mark.parametrize("strategy", ["batch-hard", "semi-hard", "random-semi-hard", "all"])
def test_threads_do_not_change_the_file(strategy, tmp_path):
    one = mined(tmp_path, strategy, "-j", "1", name="one.npy").read_bytes()
    assert mined(tmp_path, strategy, "-j", "3", name="three.npy").read_bytes() == one


@pytest.mark.parametrize("is_large", [False, True])
def test_lines_are_those_of_csv_and_json(is_large):
    if is_large:
        pytest.importorskip("pyarrow")
    random = np.random.default_rng(3)
    bits = random.integers(-(2**63), 2**63, 3000).view(np.float64)
    ends = [0.0, -0.0, 1.0, 1e-4, 9.999e-5, 1e15, 2.0**53, 1e16, 5e-324, np.inf, -np.inf, np.nan]
    ties = np.ldexp(random.integers(1, 2**53, 3000).astype(np.float64), random.integers(-70, 20, 3000))
    numbers = np.concatenate(
        [bits[np.isfinite(bits)], ends, ties, 10.0 ** random.uniform(-5, 17, 3000), random.normal(size=9000)]
    )
    ids = ["plain", "", "a,b", 'say "a"', "two\nlines", "\r", " blank", "\u00e9\U0001f600", "0", "None"]
    rows = random.integers(0, len(ids), len(numbers))
    table = [[ids[row], row, x] for row, x in zip(rows.tolist(), numbers.tolist(), strict=True)]
    texts = io.StringIO(newline="")
    csv.writer(texts, lineterminator="\n").writerows(table)
    names = ["{" + '"id": ', ', "row": ', ', "x": ', "}\n"]
    records = "".join(json.dumps(dict(zip(("id", "row", "x"), line, strict=True))) + "\n" for line in table)
    for spelling, between, truth in ((lines.CSV, ["", ",", ",", "\n"], texts.getvalue()), (lines.JSON, names, records)):
        columns = [lines.written(ids, spelling)[rows], rows, numbers]
        assert b"".join(lines.lines(columns, between, spelling, is_large=is_large)) == truth.encode()


def test_ids_are_no_index(tmp_path):
    (tmp_path / "ids.csv").write_text("anchor,positive,negative\nd1,d2,d3\n")
    done = run_lossctl("compute", "triplet", str(ROOT / POINTS), "--index", str(tmp_path / "ids.csv"))
    assert done.code == 3 and "'d1' is not a number" in done.err and "row numbers of the embeddings" in done.err


@pytest.mark.slow
def test_formats_hold_the_same_triplets(tmp_path):
    rows = np.load(mined(tmp_path, "semi-hard"))
    records = list(csv.DictReader(io.StringIO(mined(tmp_path, "semi-hard", name="m.csv").read_text())))
    names = ("anchor", "positive", "negative")
    with np.load(mined(tmp_path, "semi-hard", name="m.npz")) as arrays:
        assert [arrays[name].dtype for name in names] == [np.int64] * 3
        assert np.stack([arrays[name] for name in names], axis=1).tolist() == rows.tolist()
    assert [[int(record[name]) for name in names] for record in records] == rows.tolist()
    lines = [json.loads(line) for line in mined(tmp_path, "semi-hard", name="m.jsonl").read_text().splitlines()]
    assert [[line[name] for name in names] for line in lines] == rows.tolist()
    emb = np.load(ROOT / POINTS).astype(float)
    for record, (a, p, n) in zip(records[:50], rows[:50], strict=True):
        d_ap, d_an = np.linalg.norm(emb[a] - emb[p]), np.linalg.norm(emb[a] - emb[n])
        assert float(record["d_ap"]) == pytest.approx(d_ap)
        assert float(record["loss"]) == pytest.approx(max(d_ap - d_an + 1, 0))


def test_ids_stand_for_rows(tmp_path):
    ids = tmp_path / "ids.csv"
    ids.write_text("id\n" + "".join(f"img{row}.png\n" for row in range(300)))
    plain = np.load(mined(tmp_path, "batch-hard"))
    text = mined(tmp_path, "batch-hard", "--id", f"{ids}::id", name="m.csv").read_text()
    first = next(csv.DictReader(io.StringIO(text)))
    assert [first[name] for name in ("anchor", "positive", "negative")] == [f"img{row}.png" for row in plain[0]]


def test_ids_are_read_as_the_options_say(tmp_path):
    (tmp_path / "set.csv").write_text(
        "id;e0;e1;label\n" + "".join(f"q{k};{k},5;{k * k},25;{k % 2}\n" for k in range(6))
    )
    (tmp_path / "ids.csv").write_text("n;id\n" + "".join(f"{k};q{k}\n" for k in range(6)))
    (tmp_path / "less.csv").write_text("id\nq0\nq1\nNA\nq3\nq4\nq5\n")
    base = ("mine", "batch-hard", "set.csv", "--decimal", ",", "-o", "m.csv", "--id")
    for more in (["ids.csv"], ["ids.csv::id", "--delimiter", ";", "--header", "yes"], ["id"], ["set.csv::id"]):
        assert run_lossctl(*base, *more, cwd=tmp_path).code == 0, more
        assert (tmp_path / "m.csv").read_text().splitlines()[1].split(",")[:3] == ["q0", "q4", "q1"], more
    for more in (["less.csv"], ["less.csv", "--na", "skip"]):
        done = run_lossctl(*base, *more, cwd=tmp_path)
        assert done.code == 3 and "less.csv:4" in done.err and "fix:  give one id for each row" in done.err, more


@pytest.mark.slow
def test_limits(tmp_path):
    assert len(np.load(mined(tmp_path, "all", "--limit", "1000"))) == 1000
    rows = np.load(mined(tmp_path, "semi-hard", "--per-anchor", "2"))
    assert np.bincount(rows[:, 0]).max() == 2
    hardest = mined(tmp_path, "hardest", "--limit", "20", name="h.csv").read_text()
    losses = [float(record["loss"]) for record in csv.DictReader(io.StringIO(hardest))]
    assert losses == sorted(losses, reverse=True)
    everything = mined(tmp_path, "all", name="a.csv").read_text()
    most = sorted((float(record["loss"]) for record in csv.DictReader(io.StringIO(everything))), reverse=True)
    assert losses == most[:20]


@pytest.mark.slow
def test_the_seed_is_all_that_is_random(tmp_path):
    one, same, other = (
        np.load(mined(tmp_path, "random-semi-hard", "--seed", seed, name=f"{k}.npy"))
        for k, seed in enumerate((1, 1, 2))
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_person_sees_a_forecast_and_a_summary(tmp_path):
    done = run_lossctl("mine", "batch-hard", SAMPLE, "-v", "-o", tmp_path / "m.npy")
    assert "300 triplets, 7.2 kB" in done.err
    for word in ("hard", "anchors covered", "100.00%", "mean margin violation"):
        assert word in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("bach-hard", SAMPLE, "-o", "x.npy"), 2, "Did you mean 'batch-hard'"),
        (("batch-hard", SAMPLE), 2, "-o triplets.npy"),
        (("hardest", SAMPLE, "-o", "x.npy"), 2, "--limit"),
        (("batch-hard", SAMPLE, "--category", "hard", "-o", "x.npy"), 2, "--category"),
        (("batch-hard", SAMPLE, "-o", "x.parquet"), 2, "format"),
        (("batch-hard", SAMPLE, "--id", "samples/weights.npy", "-o", "x.npy"), 2, "row numbers"),
        (("distance-weighted", SAMPLE, "-o", "x.npy"), 2, "normalize"),
        (("batch-hard", "-o", "x.npy"), 2, "EMB LABEL"),
        (("batch-hard", SAMPLE, "-o", "nowhere/x.npy"), 4, "nowhere"),
        (("batch-hard", "samples/preds.npy", "-o", "x.npy", "--label", "samples/digits_labels.npy"), 3, "300"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_say_what_and_how_to_fix_it(arguments, code, expected, tmp_path):
    arguments = [ROOT / word if str(word).startswith("samples/") else word for word in arguments]
    done = run_lossctl("mine", *arguments, cwd=tmp_path)
    assert (done.code, done.out) == (code, "")
    assert expected in done.err and "fix:" in done.err
    assert os.listdir(tmp_path) == []


def test_what_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    script = (
        "import shutil, sys, types\n"
        "shutil.disk_usage = lambda path: types.SimpleNamespace(free=65 << 20)\n"
        "from lossctl.cli.app import run\n"
        f"sys.exit(run(['mine', 'all', {SAMPLE!r}, '-o', {str(tmp_path / 'm.npy')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 4
    assert "--limit" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_killed_run_leaves_no_partial_file(number, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "big.npz", emb=rng.standard_normal((800, 8)), label=np.arange(800) % 8)
    target = tmp_path / "m.csv"
    process = subprocess.Popen(
        [sys.executable, "-m", "lossctl", "mine", "all", str(tmp_path / "big.npz"), "-o", str(target)],
        stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        sizes = [entry.stat().st_size for entry in os.scandir(tmp_path) if entry.name.endswith(".tmp")]
        if sizes and sizes[0] > 0:
            break
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(120) == 128 + number
    process.stderr.close()
    assert os.listdir(tmp_path) == ["big.npz"]


@pytest.mark.slow
def test_a_csv_of_triplets_feeds_back_as_the_npy_does(tmp_path):
    npy, text = mined(tmp_path, "semi-hard"), mined(tmp_path, "semi-hard", name="m.csv")
    for command in (("compute", "triplet"), ("triplets",)):
        assert run_lossctl(*command, POINTS, "--index", text).out == run_lossctl(*command, POINTS, "--index", npy).out


@pytest.mark.parametrize("name", ["t.npz", "t.csv"])
def test_mined_row_numbers_are_no_points(tmp_path, name):
    """Three columns of whole numbers were points of one column each, and gave a number."""
    mined = tmp_path / name
    labels = "samples/embedding_labels.npy"
    assert run_lossctl("mine", "semi-hard", POINTS, labels, "--margin", "0.2", "-o", mined).code == 0
    for command in (("compute", "triplet"), ("triplets",)):
        done = run_lossctl(*command, mined)
        assert done.code == 3 and "row numbers as points" in done.err and f"--index {mined}" in done.err
        assert run_lossctl(*command, POINTS, "--index", mined).code == 0
    points = {side: np.array([[0.0], [3.0]]) for side in ("anchor", "positive", "negative")}
    np.savez(tmp_path / "points.npz", **points)
    assert float(run_lossctl("compute", "triplet", tmp_path / "points.npz", "--margin", "1").out) == 1.0


def test_an_index_that_is_no_triplet_is_refused(tmp_path):
    np.save(tmp_path / "i.npy", np.array([[0, 1, 2], [5, 5, 7]]))
    for command in (("compute", "triplet"), ("triplets",)):
        done = run_lossctl(*command, POINTS, "--index", tmp_path / "i.npy")
        assert done.code == 3
        assert "row 5 is its own positive" in done.err


@pytest.mark.slow
def test_rows_with_nan_are_left_out_and_keep_their_numbers(tmp_path):
    x = np.random.default_rng(0).standard_normal((12, 3))
    labels = np.arange(12) % 3
    np.savez(tmp_path / "all.npz", emb=x, label=labels)
    x[4, 1] = np.nan
    np.savez(tmp_path / "some.npz", emb=x, label=labels)
    kept = np.delete(np.arange(12), 4)
    np.savez(tmp_path / "kept.npz", emb=x[kept], label=labels[kept])
    refused = run_lossctl("mine", "batch-hard", tmp_path / "some.npz", "-o", tmp_path / "a.npy")
    assert refused.code == 3 and "--na skip" in refused.err
    done = run_lossctl("mine", "batch-hard", tmp_path / "some.npz", "-o", tmp_path / "a.npy", "--na", "skip")
    assert (done.code, done.err) == (0, "lossctl: warning: 1 row left out\n")
    assert run_lossctl("mine", "batch-hard", tmp_path / "kept.npz", "-o", tmp_path / "b.npy").code == 0
    assert np.load(tmp_path / "a.npy").tolist() == kept[np.load(tmp_path / "b.npy")].tolist()
    ids = ("--id", tmp_path / "ids.csv", "--na", "skip")
    (tmp_path / "ids.csv").write_text("id\n" + "".join(f"row{k}\n" for k in range(12)))
    assert run_lossctl("mine", "batch-hard", tmp_path / "some.npz", "-o", tmp_path / "a.csv", *ids).code == 0
    assert "row4," not in (tmp_path / "a.csv").read_text() and "row11" in (tmp_path / "a.csv").read_text()


def test_a_file_without_triplets_is_a_warning_that_says_why(tmp_path):
    np.savez(tmp_path / "easy.npz", emb=np.array([[0.0], [1], [100], [101]]), label=[0, 0, 1, 1])
    done = run_lossctl("mine", "all", tmp_path / "easy.npz", "--margin", "0.5", "-o", tmp_path / "m.csv")
    assert done.code == 0 and "is empty: no triplet is of the kind that all takes at margin 0.5" in done.err
    assert (tmp_path / "m.csv").read_text() == "anchor,positive,negative,d_ap,d_an,loss\n"


def test_a_label_that_means_noise_and_is_not_there_is_told(tmp_path):
    done = run_lossctl("mine", "batch-hard", SAMPLE, "--noise-label", 99, "-o", tmp_path / "m.npz")
    assert (done.code, done.err) == (0, "lossctl: warning: no row has the label 99 that means noise\n")
    assert run_lossctl("mine", "batch-hard", SAMPLE, "--noise-label", 1, "-o", tmp_path / "n.npz").err == ""
