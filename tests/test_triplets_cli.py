"""`lossctl triplets` and the losses of embedding sets, as their users meet them."""

import csv
import io
import json
import re

import numpy as np
import pytest
from commands import on_a_terminal
from conftest import run_lossctl

import lossctl

LINE = np.arange(9.0)[:, None]
CLASSES = np.array([0, 0, 1, 1, 0, 2, 1, 1, 1])
SAMPLE = "samples/embeddings.npz"


@pytest.fixture
def line(tmp_path):
    np.savez(tmp_path / "line.npz", emb=LINE, label=CLASSES)
    return tmp_path / "line.npz"


@pytest.mark.slow
def test_the_documents_numbers(line):
    assert run_lossctl("triplets", line, "-b").out == "59\t0\t57\n"
    losses = {
        ("batch-all",): 2.8947368421052633,
        ("batch-all", "-r", "mean"): 1.4224137931034482,
        ("batch-all", "-r", "sum"): 165.0,
        ("batch-hard",): 4.125,
        ("semi-hard",): 0.6153846153846154,
        ("batch-all", "--distance", "sqeuclidean"): 13.105263157894736,
        ("batch-hard", "--distance", "sqeuclidean"): 20.625,
    }
    for arguments, value in losses.items():
        assert float(run_lossctl("compute", *arguments, line).out) == pytest.approx(value, rel=1e-14), arguments


def test_the_library_gives_what_the_command_prints(line):
    found = lossctl.triplets(LINE, CLASSES, margin=1.0).breakdown
    (at,) = found.margins
    assert (at.categories.easy, at.categories.semi_hard, at.categories.hard) == (59, 0, 57)
    assert found.certified
    assert lossctl.compute("batch-all", LINE, CLASSES).value == pytest.approx(165 / 57)


def test_json_holds_counts_ties_losses_and_whether_they_are_certified(line):
    document = json.loads(
        run_lossctl("triplets", line, "--margin", "1,0", "--json", "--by", "class", "--pairs", "2").out
    )
    one, zero = document["results"]
    assert (one["easy"], one["semi_hard"], one["hard"], one["triplets"]) == (59, 0, 57, 116)
    assert one["ties"] == {"hard": 8, "margin": 16}
    assert zero["hard"] == 57 and zero["semi_hard"] == 0
    assert one["batch_all"]["mean_active"] == pytest.approx(2.8947368421052633)
    assert one["batch_hard"] == 4.125
    assert document["certified"] is True and document["undecided"] == 0
    assert document["anchors"] == {
        "points": 9,
        "used": 8,
        "without_positive": 1,
        "without_negative": 0,
        "references": 0,
    }
    assert sum(item["categories"][0]["hard"] for item in document["classes"]) == 57
    assert len(document["pairs"]) == 2 and document["pairs"][0]["hard"] >= document["pairs"][1]["hard"]
    assert "certified:yes" in document["signature"] and "data:" in document["signature"]


def test_a_pipe_gets_tsv_with_every_digit(line):
    (row,) = csv.DictReader(io.StringIO(run_lossctl("triplets", line).out), delimiter="\t")
    assert (row["easy"], row["hard"], row["certified"]) == ("59", "57", "yes")
    assert float(row["shares_easy"]) == 59 / 116


def test_a_pipe_gets_one_table_whatever_is_asked():
    asked = ("--margin", "0.2,1", "--by", "class", "--pairs", "3", "--batch", "4,4", "--batches", "3")
    rows = list(csv.DictReader(io.StringIO(run_lossctl("triplets", SAMPLE, *asked, "-f", "csv").out)))
    found = json.loads(run_lossctl("triplets", SAMPLE, *asked, "--json").out)
    by = {of: [row for row in rows if row["of"] == of] for of in {row["of"] for row in rows}}
    assert {of: len(of_rows) for of, of_rows in by.items()} == {
        "set": 2, "class": 20, "pair": 3, "batch mean": 2, "batch deviation": 2,
    }  # fmt: skip
    whole = sum(int(row["hard"]) for row in by["class"] if row["margin"] == "0.2")
    assert whole == int(by["set"][0]["hard"]) == found["results"][0]["hard"]
    pair = max(by["pair"], key=lambda row: int(row["hard"]))
    assert float(pair["shares_hard"]) == int(pair["hard"]) / whole
    shares = [float(by["batch mean"][0][f"shares_{name}"]) for name in ("easy", "semi_hard", "hard")]
    assert sum(shares) == pytest.approx(1, rel=1e-12)
    assert by["pair"][0]["margin"] == by["set"][0]["class"] == ""


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "json", "ndjson", "tsv", "csv", "md", "latex", "bare"])
def test_every_format_holds_the_counts(format, line):
    done = run_lossctl("triplets", line, "-f", format, "--by", "class", "--pairs", "2", "--batch", "2,2")
    assert done.code == 0, done.err
    assert "59" in done.out and "57" in done.out


def test_a_terminal_gets_tables_with_bars():
    seen = on_a_terminal("triplets", SAMPLE, "--margin", "0.2")
    assert "█" in seen and "semi-hard" in seen and "95.63%" in seen and "certified" in seen


@pytest.mark.slow
def test_batches_depend_on_the_seed_alone():
    arguments = ("triplets", SAMPLE, "--batch", "5,4", "--batches", "10", "--json")
    first, again, other = (run_lossctl(*arguments, "--seed", seed).out for seed in (1, 1, 2))
    assert first == again
    assert json.loads(first)["batches"] != json.loads(other)["batches"]


def test_text_labels_from_a_csv_mean_the_same(tmp_path, line):
    rows = [f"{x},c{label}" for x, label in zip(LINE[:, 0], CLASSES, strict=True)]
    (tmp_path / "line.csv").write_text("emb,label\n" + "\n".join(rows) + "\n")
    assert run_lossctl("triplets", tmp_path / "line.csv", "-b").out == "59\t0\t57\n"


def test_warnings_name_what_is_wrong(tmp_path):
    rng = np.random.default_rng(0)
    collapsed = 1 + 1e-6 * rng.standard_normal((20, 3))
    np.savez(tmp_path / "c.npz", emb=collapsed, label=np.arange(20) % 4)
    assert "collapsed" in run_lossctl("triplets", tmp_path / "c.npz").err
    twins = np.repeat(rng.standard_normal((5, 3)), 2, axis=0)
    np.savez(tmp_path / "t.npz", emb=twins, label=np.arange(10) % 2)
    assert "another label" in run_lossctl("triplets", tmp_path / "t.npz").err
    assert run_lossctl("triplets", tmp_path / "t.npz", "-q").err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("triplets",), 2, "EMB LABEL"),
        (("triplets", SAMPLE, "--margin", "-1"), 2, "margin"),
        (("triplets", SAMPLE, "--margin", "a"), 2, "--margin"),
        (("triplets", SAMPLE, "--distance", "chebyshev"), 2, "chebyshev"),
        (("triplets", SAMPLE, "--by", "row"), 2, "use --by class"),
        (("triplets", SAMPLE, "--batch", "3"), 2, "P,K"),
        (("triplets", "samples/embeddings.npy", "samples/preds.npy::2"), 3, "300"),
        (("compute", "batch-hard", SAMPLE, "-w", "samples/weights.npy"), 2, "it counts all points of a set alike"),
        (("compute", "batch-hard", SAMPLE, "--ci", "0.9", "--resamples", "99"), 2, "batch-hard takes no --resamples"),
        (("compute", "batch-hard", "samples/preds.npz"), 3, "fix:  name it with --emb samples/preds.npz::prob,"),
        (("compute", "circle-class", SAMPLE), 2, "--class-weights"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_say_what_and_how_to_fix_it(arguments, code, expected):
    done = run_lossctl(*arguments)
    assert (done.code, done.out) == (code, "")
    assert expected in done.err and "fix:" in done.err


@pytest.mark.first_fast
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0]], ids=["one class", "all alone", "one row"])
def test_a_set_without_triplets_has_no_loss_but_a_count(labels, tmp_path):
    np.savez(tmp_path / "s.npz", emb=np.arange(len(labels), dtype=float)[:, None], label=np.array(labels))
    assert run_lossctl("triplets", tmp_path / "s.npz", "-b").out == "0\t0\t0\n"
    done = run_lossctl("compute", "batch-hard", tmp_path / "s.npz")
    assert done.code == 3
    assert "no anchor" in done.err


def test_anchors_left_out_are_counted(line):
    counts = json.loads(run_lossctl("compute", "batch-all", line, "--json").out)["results"][0]["counts"]
    assert counts == {"anchors": 8, "triplets": 116, "active": 57, "without positive": 1, "without negative": 0}


def test_class_weights_give_the_class_level_circle(tmp_path):
    rng = np.random.default_rng(5)
    emb, label, weights = rng.standard_normal((6, 4)), rng.integers(0, 3, 6), rng.standard_normal((3, 4))
    np.savez(tmp_path / "e.npz", emb=emb, label=label)
    np.save(tmp_path / "w.npy", weights)
    done = run_lossctl(
        "compute", "circle-class", tmp_path / "e.npz", "--class-weights", tmp_path / "w.npy", "--gamma", "16"
    )
    s = (emb / np.linalg.norm(emb, axis=1)[:, None]) @ (weights / np.linalg.norm(weights, axis=1)[:, None]).T
    own = np.arange(3) == label[:, None]
    positive, negative = s[own], s[~own].reshape(6, 2)
    push = 16 * np.maximum(negative + 0.25, 0) * (negative - 0.25)
    pull = -16 * np.maximum(1.25 - positive, 0) * (positive - 0.75)
    assert float(done.out) == pytest.approx(np.log1p(np.exp(push).sum(axis=1) * np.exp(pull)).mean(), rel=1e-12)


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_plot_draws_the_breakdown(format, tmp_path):
    path = tmp_path / f"t.{format}"
    done = run_lossctl("triplets", SAMPLE, "--by", "class", "--plot", path, "-b")
    assert (done.code, done.err) == (0, "")
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[format]
    assert path.read_bytes().startswith(start)


def test_a_plot_of_no_known_kind_is_refused_before_the_work(tmp_path):
    done = run_lossctl("triplets", SAMPLE, "--plot", tmp_path / "t.gif")
    assert (done.code, done.out) == (2, "")
    assert ".svg" in done.err


@pytest.mark.slow
def test_a_label_column_of_the_same_file_is_no_embedding(tmp_path):
    x, labels = np.random.default_rng(0).standard_normal((24, 4)), np.arange(24) % 3
    both = np.column_stack([x, labels])
    np.save(tmp_path / "x.npy", x), np.save(tmp_path / "y.npy", labels), np.save(tmp_path / "both.npy", both)
    np.savetxt(tmp_path / "plain.csv", both, delimiter=",")
    np.savetxt(tmp_path / "named.csv", both, delimiter=",", header="x0,x1,x2,x3,x4", comments="")
    np.savez(tmp_path / "key.npz", z=both)
    expected = run_lossctl("triplets", tmp_path / "x.npy", tmp_path / "y.npy", "-b").out
    for name, column in (
        ("key.npz", "z::5"),
        ("key.npz", "z[-1]"),
        ("both.npy", 5),
        ("both.npy", -1),
        ("plain.csv", 5),
        ("named.csv", "x4"),
    ):
        path = tmp_path / name
        assert run_lossctl("triplets", path, "--label", f"{path}::{column}", "-b").out == expected


def test_margins_may_be_given_one_by_one(line):
    one_by_one = run_lossctl("triplets", line, "--margin", "1", "--margin", "2")
    assert one_by_one.out == run_lossctl("triplets", line, "--margin", "1,2").out


def test_rows_left_out_are_told(tmp_path):
    x = np.random.default_rng(0).standard_normal((12, 3))
    x[4, 1] = np.nan
    np.savez(tmp_path / "x.npz", emb=x, label=np.arange(12) % 3)
    done = run_lossctl("triplets", tmp_path / "x.npz", "--na", "skip", "--json")
    assert done.err == "lossctl: warning: 1 row left out\n"
    assert json.loads(done.out)["warnings"] == ["1 row left out"]


def test_what_an_index_has_no_use_for_is_refused(tmp_path):
    done = run_lossctl("triplets", "x.npy", "--index", "i.npy", "--by", "class")
    assert done.code == 2 and "--by with --index" in done.err
    np.savez(tmp_path / "apn.npz", anchor=LINE, positive=LINE, negative=LINE)
    given = (("x.npy", "--index", "i.npy"), (tmp_path / "apn.npz",))
    for flag, value in (
        ("--noise-label", "0"), ("--noise", "negatives"), ("--positive", "any"), ("--seed", "3"), ("--ref", "y.npy"),
        ("--ref-label", "y.npy"), ("--exclude-same", "y.npy"), ("--ref-exclude-same", "y.npy"), ("--ci", "0.9"),
        ("--coarse-label", "y.npy"),
    ):  # fmt: skip
        for sources in given:
            done = run_lossctl("triplets", *sources, flag, value)
            assert done.code == 2 and f"error: {flag} " in done.err, (flag, sources, done.err)


def test_files_of_given_triplets_are_read_as_the_options_say(tmp_path):
    x = np.random.default_rng(1).standard_normal((6, 3)).astype("<f4")
    index = np.array([[0, 1, 2], [1, 0, 3], [5, 4, 0]])
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "i.npy", index)
    x.tofile(tmp_path / "x.f32")
    (tmp_path / "i.csv").write_text("".join("|".join(map(str, row)) + "\n" for row in index.tolist()))
    rows = [";".join(f"{float(value)!r}".replace(".", ",") for value in row) for row in x]
    (tmp_path / "x.csv").write_text("\n".join(["e0;e1;e2", *rows]) + "\n")
    sides = ["|".join(f"{float(v)!r}" for v in x[row].reshape(-1)).replace(".", ",") for row in index.tolist()]
    names = "|".join(f"{side}_{k}" for side in ("anchor", "positive", "negative") for k in range(3))
    (tmp_path / "apn.csv").write_text("\n".join([names, *sides]) + "\n")

    def done(line: str):
        return run_lossctl("triplets", *line.split(), cwd=tmp_path)

    plain = done("x.npy --index i.npy").out
    assert plain.splitlines()[1].split("\t")[1] == "3"
    for line in (
        "x.csv --decimal , --index i.npy",
        "x.csv --decimal , --delimiter ; --header yes --index i.npy",
        "x.f32 --dim 3 --index i.npy",
        "x.npy --header no --index i.csv",
        "x.npy --header no --delimiter | --index i.csv",
        "apn.csv --decimal , --delimiter |",
    ):
        assert done(line).out == plain, (line, done(line).err)
    fewer = done("x.npy --header yes --index i.csv").out
    assert fewer.splitlines()[1].split("\t")[1] == "2"
    idle = done("x.npy --index i.npy --delimiter ;")
    assert idle.code == 2 and "--delimiter, and no file is a text table" in idle.err


def test_explain_says_which_state_of_training_it_is(tmp_path):
    random, label = np.random.default_rng(3), np.repeat(np.arange(4), 5)
    states = {
        "The network has collapsed": np.full((20, 3), 0.5),
        "nothing left to learn": 100.0 * label[:, None] + random.normal(size=(20, 3)),
        "hardly apart": random.normal(size=(20, 3)),
        "something to learn without mining": np.eye(4)[label] * 2 + random.normal(size=(20, 4)) * 0.5,
    }
    np.save(tmp_path / "y.npy", label)
    for words, emb in states.items():
        np.save(tmp_path / "x.npy", emb)
        asked = ("triplets", tmp_path / "x.npy", tmp_path / "y.npy", "--margin", "0.5", "--explain")
        done = run_lossctl(*asked)
        assert words in " ".join(done.out.split()), (words, done.out)
        record = json.loads(run_lossctl(*asked, "--json").out)
        assert len(record["explanation"]) == 3 and words in record["explanation"][2]
        distance = np.linalg.norm(emb[:, None] - emb[None], axis=-1)
        same = label[:, None] == label
        far = np.where(same, distance, 0).max(axis=1)
        near = np.where(same, np.inf, distance).min(axis=1)
        assert record["results"][0]["active_anchors"] == int((far + 0.5 > near).sum()), words
    for format in ("csv", "tsv"):
        assert run_lossctl("triplets", tmp_path / "x.npy", tmp_path / "y.npy", "--explain", "-f", format).code == 2
    record = json.loads(run_lossctl(*asked, "--anchors", "8", "--json").out)
    assert all(line.startswith("Estimate from 8 of 20 anchors, seed 0: ") for line in record["explanation"])


def test_triplets_of_one_array_and_several_negatives_are_explained(tmp_path):
    """The fix, followed as it is printed, gives the loss of loops over the triplets that were meant."""
    x = np.random.default_rng(5).standard_normal((30, 4))
    meant = {
        "rows": (np.stack([x[:7], x[7:14], x[14:21]], axis=1), "x[:, 2]", [(k, 7 + k, 14 + k) for k in range(7)]),
        "sides": (np.stack([x[:7], x[7:14], x[14:21]]), "=x[2])", [(k, 7 + k, 14 + k) for k in range(7)]),
        "several": (
            x.reshape(5, 6, 4),
            "reshape",
            [(6 * k, 6 * k + 1, 6 * k + n) for k in range(5) for n in range(2, 6)],
        ),
        "beside": (
            {"query": x[:5], "positive": x[5:10], "neg": x[10:30].reshape(5, 4, 4)},
            "np.concatenate",
            [(k, 5 + k, 10 + 4 * k + n) for k in range(5) for n in range(4)],
        ),
        "numbered": (
            {"query": x[:5], "pos": x[5:10], "negative_1": x[10:15], "negative_2": x[15:20]},
            "np.concatenate",
            [(k, 5 + k, n + k) for n in (10, 15) for k in range(5)],
        ),
        "a key": ({"triplets": x.reshape(10, 3, 4)}, "x[:, 2]", [(3 * k, 3 * k + 1, 3 * k + 2) for k in range(10)]),
    }
    for name, (array, mark, triplets) in meant.items():
        if isinstance(array, dict):
            np.savez(tmp_path / "x.npz", **array)
        else:
            np.save(tmp_path / "x.npy", array)
        source = tmp_path / ("x.npz" if isinstance(array, dict) else "x.npy")
        with pytest.raises(lossctl.DataError) as fault:
            lossctl.compute("triplet", str(source))
        line = next(step for step in re.findall(r"np\.savez\(.*?\)(?=; |$)", str(fault.value), re.M) if mark in step)
        asked = run_lossctl("triplets", source)
        assert asked.code == 3 and line.strip() in " ".join(asked.err.split()), (name, asked.err)
        stack = array["triplets"] if name == "a key" else array
        exec(line.replace("'apn.npz'", "path"), {"np": np, "x": stack, "path": tmp_path / "apn.npz"})
        d = [np.linalg.norm(x[a] - x[p]) - np.linalg.norm(x[a] - x[n]) + 1 for a, p, n in triplets]
        loss = lossctl.compute("triplet", str(tmp_path / "apn.npz")).value
        assert loss == pytest.approx(np.maximum(d, 0).mean(), rel=1e-12), name


def test_triplets_in_step_are_known_by_the_names_that_libraries_give_them(tmp_path):
    """Their sides stand in any order, and what is a labelled set stays one."""
    x = np.random.default_rng(6).standard_normal((3, 12, 4))
    sides = dict(zip("apn", x, strict=True))
    d = np.linalg.norm(x[0] - x[1], axis=1) - np.linalg.norm(x[0] - x[2], axis=1)
    counts = [int(n) for n in ((d <= -1).sum(), ((d > -1) & (d < 0)).sum(), (d >= 0).sum())]
    for names in (
        "anchor positive negative", "anchors positives negatives", "query pos neg", "q p n", "A P N",
        "query document negative", "sentence_0 sentence_1 sentence_2", "anchor_emb positive_emb negative_emb",
        "emb_anchor emb_pos emb_neg", "arr_0 arr_1 arr_2",
    ):  # fmt: skip
        path = tmp_path / "t.npz"
        np.savez(path, **{name: sides[side] for side, name in sorted(zip("apn", names.split(), strict=True))[::-1]})
        assert run_lossctl("triplets", path, "--margin", "1", "-b").out.split() == [str(n) for n in counts], names
        assert lossctl.compute("triplet", str(path)).value == pytest.approx(np.maximum(d + 1, 0).mean(), rel=1e-12)
    np.savez(tmp_path / "set.npz", x[0], np.arange(12) % 3, np.arange(12))
    assert run_lossctl("triplets", tmp_path / "set.npz", "-b").code == 0
    header = "a,n,p,label"
    np.savetxt(tmp_path / "set.csv", np.c_[x[0, :, :3], np.arange(12) % 3], delimiter=",", header=header, comments="")
    assert "embeddings: a, n, p" in run_lossctl("triplets", tmp_path / "set.csv", "-b").err
