"""The command line as its users meet it: values, formats, streams, errors and exit codes."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from commands import on_a_terminal
from conftest import ROOT, run_lossctl

import lossctl as package
import lossctl.errors
from lossctl.language import registry

FOCAL = ("compute", "focal", "--gamma", "2")


def torch_focal(path, gamma):
    """The focal loss of a two-column file, in torch's own arithmetic."""
    prob, label = torch.from_numpy(np.load(path)).T
    surprise = torch.nn.functional.binary_cross_entropy(prob, label, reduction="none")
    return ((1 - torch.exp(-surprise)) ** gamma * surprise).mean().item()


# --- one value


def test_focal_of_the_sample_is_torch_s_number():
    done = run_lossctl(*FOCAL, "samples/preds.npy")
    assert (done.code, done.err) == (0, "")
    assert float(done.out) == pytest.approx(torch_focal(ROOT / "samples/preds.npy", 2), rel=1e-15)


@pytest.mark.first_fast
@pytest.mark.parametrize("source", ["samples/preds.csv", "samples/preds.npz"])
def test_every_format_prints_the_same_bytes(source):
    assert run_lossctl(*FOCAL, source).out == run_lossctl(*FOCAL, "samples/preds.npy").out


def test_a_column_of_stdin_may_stand_first():
    content = (ROOT / "samples/preds.csv").read_bytes()
    whole = run_lossctl("compute", "bce", "samples/preds.csv").out
    assert run_lossctl("compute", "bce", "-::prob", "samples/preds.csv::label", stdin=content).out == whole
    assert run_lossctl("compute", "bce", "-::prob..label", stdin=content).out == whole
    assert "stdin" in run_lossctl("compute", "bce", "-::nosuch", "samples/preds.csv::label", stdin=content).err


def test_an_output_is_never_stdin(tmp_path):
    done = run_lossctl("compute", "bce", ROOT / "samples/preds.csv", "-o", "-::y", cwd=tmp_path)
    assert done.code == 0 and (tmp_path / "-::y").read_text() == "0.16547767596449212\n"


@pytest.mark.first_fast
@pytest.mark.parametrize("source", ["samples/preds.npy", "samples/preds.csv", "samples/preds.npz"])
def test_stdin_prints_the_same_bytes(source):
    content = (ROOT / source).read_bytes()
    assert run_lossctl(*FOCAL, "-", stdin=content).out == run_lossctl(*FOCAL, source).out


@pytest.mark.first_fast
@pytest.mark.parametrize(
    "arguments",
    [
        ("focal", "--gamma", "2", "samples/preds.npy"),
        ("--gamma", "2", "focal", "samples/preds.npy"),
        ("--gamma=2", "focal", "samples/preds.npy"),
        ("-r", "mean", "focal", "samples/preds.npy", "--gamma", "2"),
        ("FOCAL", "samples/preds.npy"),
        ("focal", "samples/preds.npy::1", "samples/preds.npy::2"),
        ("focal", "samples/preds.npy::1", "-y", "samples/preds.npy::-1"),
        ("focal", "--prob", "samples/preds.csv::p*", "--label", "samples/preds.csv::label"),
        ("focal", "--from-logits", "samples/binary_logits.npz"),
    ],
    ids=" ".join,
)
def test_options_and_sources_in_any_order(arguments):
    expected = float(run_lossctl(*FOCAL, "samples/preds.npy").out)
    assert float(run_lossctl("compute", *arguments).out) == pytest.approx(expected, rel=1e-13)


def test_underscores_and_aliases_mean_the_same_loss():
    value = run_lossctl("compute", "cross-entropy", "samples/digits.csv").out
    assert run_lossctl("compute", "cross_entropy", "samples/digits.csv").out == value
    assert run_lossctl("compute", "ce", "samples/digits.csv").out == value


def test_the_library_gives_what_the_command_prints():
    prob, label = np.load(ROOT / "samples/preds.npy").T
    result = package.compute("focal:gamma=2", prob, label)
    assert repr(result.value) == run_lossctl(*FOCAL, "samples/preds.npy").out.strip()
    assert result == package.compute("focal:gamma=2", torch.from_numpy(prob), torch.from_numpy(label))
    assert float(result) == result.value


def test_rounding_is_only_done_on_request():
    assert run_lossctl(*FOCAL, "-p", "3", "samples/preds.npy").out == "0.0725\n"


@pytest.mark.first_fast
@pytest.mark.parametrize("jobs", ["1", "2", "5"])
def test_threads_do_not_change_the_digits(jobs, tmp_path):
    rng = np.random.default_rng(3)
    prob = rng.random(300_001)
    np.save(tmp_path / "p.npy", np.stack([prob, rng.random(prob.size) < prob], axis=1))
    assert (
        run_lossctl("compute", "bce", "-j", jobs, tmp_path / "p.npy").out
        == run_lossctl("compute", "bce", tmp_path / "p.npy").out
    )


# --- formats


def test_json_is_the_one_schema():
    document = json.loads(run_lossctl(*FOCAL, "--json", "samples/preds.npy").out)
    assert document["schema"] == "lossctl/1"
    assert document["version"] == package.__version__
    assert document["command"] == "compute"
    (result,) = document["results"]
    assert set(result) >= {
        "loss", "params", "reduction", "source", "group", "value", "n", "ci", "status", "gate", "signature",
    }  # fmt: skip
    assert result["params"] == {
        "gamma": 2.0, "alpha": None, "alpha-rule": "label", "label-smoothing": 0.0, "threshold": None,
        "normalized": False, "one-vs-rest": False,
    }  # fmt: skip
    assert (result["n"], result["status"]) == (285, "ok")
    assert repr(result["value"]) == run_lossctl(*FOCAL, "samples/preds.npy").out.strip()


def test_the_signature_says_what_was_computed():
    value, signature = run_lossctl(*FOCAL, "--signature", "samples/preds.npy").out.strip().split("\t")
    parts = dict(part.partition(":")[::2] for part in signature.split("|"))
    assert parts.pop("focal") == ""
    assert len(parts.pop("data")) == 8
    assert parts == {
        "gamma": "2", "alpha": "none", "alpha-rule": "label", "label-smoothing": "0", "threshold": "none",
        "normalized": "false", "one-vs-rest": "false", "in": "prob", "red": "mean", "w": "none", "n": "285",
        "acc": "f64", "be": "numpy", "v": package.__version__,
    }  # fmt: skip
    assert float(value)


def test_the_data_hash_is_of_the_values_not_of_the_file():
    signatures = {
        run_lossctl(*FOCAL, "--signature", source).out.split("\t")[1]
        for source in ("samples/preds.npy", "samples/preds.csv", "samples/preds.npz")
    }
    assert len(signatures) == 1


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "json", "ndjson", "tsv", "csv", "md", "latex", "bare"])
def test_every_format_holds_the_value(format):
    done = run_lossctl(*FOCAL, "-f", format, "samples/preds.npy")
    assert done.code == 0
    assert "0.07246878524309487" in done.out


def test_an_infinite_loss_is_inf_with_a_warning_and_valid_json(tmp_path):
    np.save(tmp_path / "p.npy", np.array([[0.5, 1.0], [0.0, 1.0]]))
    done = run_lossctl("compute", "bce", tmp_path / "p.npy")
    assert (done.code, done.out) == (0, "inf\n")
    assert "not finite in 1 row" in done.err and "row 1" in done.err
    document = json.loads(run_lossctl("compute", "bce", "--json", tmp_path / "p.npy").out)
    assert document["results"][0]["value"] is None
    assert document["results"][0]["value_text"] == "inf"
    assert document["results"][0]["status"] == "inf"
    assert len(document["warnings"]) == 1


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["bare", "tsv", "csv", "ndjson"])
def test_row_losses_average_to_the_mean(format):
    text = run_lossctl("compute", "bce", "-r", "none", "-f", format, "samples/preds.npy").out
    if format == "bare":
        values = [float(line) for line in text.splitlines()]
    elif format == "ndjson":
        values = [json.loads(line)["loss"] for line in text.splitlines()]
    else:
        rows = list(csv.DictReader(io.StringIO(text), delimiter="\t" if format == "tsv" else ","))
        assert [int(row["row"]) for row in rows] == list(range(285))
        values = [float(row["loss"]) for row in rows]
    assert np.mean(values) == pytest.approx(float(run_lossctl("compute", "bce", "samples/preds.npy").out), rel=1e-14)


def test_output_goes_to_a_file_whole_or_not_at_all(tmp_path):
    target = tmp_path / "loss.txt"
    assert run_lossctl(*FOCAL, "samples/preds.npy", "-o", target).out == ""
    assert target.read_text() == "0.07246878524309487\n"
    assert run_lossctl("compute", "mse", "samples/preds.npy", "samples/regression_target.npy", "-o", target).code == 3
    assert target.read_text() == "0.07246878524309487\n"
    assert os.listdir(tmp_path) == ["loss.txt"]


def test_an_output_is_never_written_onto_an_input(tmp_path):
    path = tmp_path / "p.npy"
    np.save(path, np.array([[0.5, 1.0]]))
    before = path.read_bytes()
    done = run_lossctl("compute", "bce", path, "-o", path)
    assert done.code == 2
    assert path.read_bytes() == before


# --- the one file


def test_a_csv_is_split_by_its_names_whatever_their_order(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("id,y,note,p\n1,1,a,0.8\n2,0,b,0.3\n")
    assert float(run_lossctl("compute", "bce", path).out) == pytest.approx(-(np.log(0.8) + np.log(0.7)) / 2)


def test_names_that_do_not_tell_are_an_error_with_both_ways_out(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("a,b\n0.8,1\n")
    done = run_lossctl("compute", "bce", path)
    assert done.code == 3
    assert "--prob" in done.err and "the columns are a, b" in done.err


def test_a_column_that_does_not_exist_never_exits_0():
    done = run_lossctl("compute", "bce", "samples/preds.csv::prb", "samples/preds.csv::label")
    assert done.code == 2
    assert "prob" in done.err


@pytest.mark.slow
def test_pairs_from_embeddings_and_from_their_distances_agree():
    direct = run_lossctl("compute", "contrastive", "samples/pairs.npz").out
    assert run_lossctl("compute", "contrastive", "samples/pairs.csv").out == direct
    by_option = run_lossctl(
        "compute", "contrastive", "--distances", "samples/pairs.csv::distance", "--same", "samples/pairs.csv::same"
    )
    assert by_option.out == direct


def test_triplets_by_rows_and_by_index_agree(tmp_path):
    emb, index = np.load(ROOT / "samples/embeddings.npy"), np.load(ROOT / "samples/triplets_index.npy")
    np.savez(tmp_path / "t.npz", anchor=emb[index[:, 0]], positive=emb[index[:, 1]], negative=emb[index[:, 2]])
    by_index = run_lossctl(
        "compute", "triplet", "samples/embeddings.npy", "--index", "samples/triplets_index.npy", "--margin", "0.2"
    )
    assert by_index.out == run_lossctl("compute", "triplet", tmp_path / "t.npz", "--margin", "0.2").out
    assert float(by_index.out) > 0


def test_an_index_beyond_the_embeddings_is_an_error(tmp_path):
    np.save(tmp_path / "i.npy", np.array([[0, 1, 300]]))
    done = run_lossctl("compute", "triplet", "samples/embeddings.npy", "--index", tmp_path / "i.npy")
    assert done.code == 3
    assert "300" in done.err and "0..299" in done.err


def test_weights_count_rows(tmp_path):
    np.save(tmp_path / "p.npy", np.array([[1.0, 3.0], [5.0, 5.5]]))
    np.save(tmp_path / "w.npy", np.array([3.0, 1.0]))
    done = run_lossctl("compute", "mse", tmp_path / "p.npy", "-w", tmp_path / "w.npy")
    assert float(done.out) == (3 * 4 + 0.25) / 4


def test_class_weights_from_a_file_or_in_place(tmp_path):
    np.save(tmp_path / "w.npy", np.arange(1.0, 11.0))
    inputs = ("samples/digits_probs.npy", "samples/digits_labels.npy")
    in_place = run_lossctl("compute", "ce", *inputs, "--class-weights", "1,2,3,4,5,6,7,8,9,10")
    assert in_place.out == run_lossctl("compute", "ce", *inputs, "--class-weights", tmp_path / "w.npy").out
    assert run_lossctl("compute", "ce", *inputs, "--class-weights", "1/2").code == 2


# --- errors

WRONG = {
    "an option alone": (("compute", "bce", "x.npy", "--ci"), 2, "--ci LEVEL: the level of a bootstrap interval"),
    "unknown loss": (("compute", "focl", "x.npy"), 2, "Did you mean 'focal'"),
    "unknown command": (("copmute",), 2, "Did you mean 'compute'"),
    "unknown option": (("compute", "focal", "--gama", "2", "samples/preds.npy"), 2, "did you mean --gamma?"),
    "option out of range": (("compute", "focal", "--gamma", "-1", "samples/preds.npy"), 2, "gamma cannot be '-1'"),
    "option not a number": (("compute", "huber", "--delta", "1_0", "samples/regression.csv"), 2, "delta"),
    "option of another loss": (("compute", "mse", "--gamma", "2", "samples/regression.csv"), 2, "mse has no options"),
    "no input": (("compute", "mse"), 2, "mse needs its input"),
    "too many inputs": (("compute", "mse", "a.npy", "b.npy", "c.npy"), 2, "3 sources for 2 inputs"),
    "option beside a spec": (("compute", "focal:gamma=2", "--gamma", "3", "samples/preds.npy"), 2, "given twice"),
    "stdin twice": (("compute", "mse", "-", "-"), 2, "once"),
    "unknown format": (("compute", "mse", "-f", "xml", "samples/regression.csv"), 2, "xml"),
    "two formats": (("compute", "mse", "-f", "csv", "--json", "samples/regression.csv"), 2, "two output formats"),
    "unknown reduction": (("compute", "mse", "-r", "max", "samples/regression.csv"), 2, "max"),
    "reduction that makes no sense": (("compute", "rmse", "-r", "sum", "samples/regression.csv"), 2, "rmse"),
    "positives without labels": (
        ("compute", "mse", "-r", "positives", "samples/regression.csv"),
        2,
        "no reduction 'positives'",
    ),
    "missing file": (("compute", "mse", "nowhere.npy"), 4, "nowhere.npy"),
    "a directory": (("compute", "mse", "samples"), 4, "samples"),
    "unequal lengths": (("compute", "mse", "samples/preds.npy::1", "samples/regression_target.npy"), 3, "285"),
    "logits as probabilities": (("compute", "bce", "samples/binary_logits.npz"), 3, "--from-logits"),
    "class labels for bce": (("compute", "bce", "samples/preds.npy::1", "samples/digits_labels.npy"), 3, "285"),
    "one column for classes": (("compute", "ce", "samples/preds.npy::1", "samples/preds.npy::2"), 3, "bce"),
    "text as numbers": (("compute", "mse", "samples/splits.csv::label", "samples/splits.csv::target"), 3, "setosa"),
}


@pytest.mark.parametrize(("arguments", "code", "expected"), WRONG.values(), ids=WRONG)
def test_errors_say_what_and_how_to_fix_it(arguments, code, expected):
    done = run_lossctl(*arguments)
    assert done.code == code, done.err
    assert done.out == ""
    assert done.err.startswith("lossctl: error: ")
    assert expected in done.err
    assert "fix:" in done.err
    assert len(done.err.splitlines()) <= 5
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0.5, 1], [np.nan, 0]], "row 1: column 1"),
        ([[0.5, 1], [np.inf, 0]], "row 1: column 1"),
        ([[0.5, 2]], "neither 0 nor 1"),
        ([[0.5, 0], [0.5, -1]], "mix -1"),
    ],
    ids=["nan", "inf", "label 2", "two codings"],
)
def test_values_that_cannot_be_used_name_their_place(rows, expected, tmp_path):
    np.save(tmp_path / "p.npy", np.array(rows))
    done = run_lossctl("compute", "bce", tmp_path / "p.npy")
    assert (done.code, done.out) == (3, "")
    assert expected in done.err


def test_nan_rows_are_left_out_on_request_only(tmp_path):
    np.save(tmp_path / "p.npy", np.array([[1.0, 3.0], [np.nan, 0.0], [1.0, 2.0]]))
    done = run_lossctl("compute", "mse", "--na", "skip", "-v", tmp_path / "p.npy")
    assert float(done.out) == 2.5
    assert "1 row left out" in done.err
    csv_path = tmp_path / "p.csv"
    csv_path.write_text("pred,target\n1,3\nNA,0\n1,2\n")
    assert run_lossctl("compute", "mse", csv_path).code == 3
    assert float(run_lossctl("compute", "mse", "--na", "skip", csv_path).out) == 2.5


def test_na_rows_stay_aligned_between_files(tmp_path):
    (tmp_path / "p.csv").write_text("pred\n1\nNA\n5\n")
    (tmp_path / "t.csv").write_text("target\n3\n0\n5\n")
    done = run_lossctl("compute", "mse", "--na", "skip", tmp_path / "p.csv", tmp_path / "t.csv")
    assert done.out == "2.0\n"


def test_a_bug_is_one_line_and_exit_70(tmp_path):
    script = (
        "import sys\nfrom lossctl.api import compute\nfrom lossctl.cli.app import run\n"
        "def broken(*a, **k): raise ZeroDivisionError('oops')\n"
        "compute.results = broken\n"
        "sys.exit(run(['compute', 'mse', 'samples/regression.csv']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 70
    assert "bug" in done.stderr and "LOSSCTL_DEBUG=1" in done.stderr and "Traceback" not in done.stderr


# --- streams and signals


def test_a_reader_that_leaves_is_no_error(tmp_path):
    path = tmp_path / "p.npy"
    np.save(path, np.zeros((200_000, 2)))
    command = f"{sys.executable} -m lossctl compute mse -r none {path} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0.0\n141\n", "")


def test_a_full_disk_is_one_line_and_exit_4():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lossctl", *FOCAL, "samples/preds.npy"],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
    assert done.returncode == 4
    assert done.stderr.decode().startswith("lossctl: error: cannot write")
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_no_partial_file(number, code, tmp_path):
    fifo, target = tmp_path / "never.npy", tmp_path / "out.txt"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [sys.executable, "-m", "lossctl", "compute", "mse", "-", "-o", str(target)],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(os.listdir(tmp_path)) < 2 and time.monotonic() < deadline:  # until the output is open
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(120) == code
    assert os.listdir(tmp_path) == ["never.npy"]
    process.stdin.close()
    process.stderr.close()


def test_a_person_sees_what_became_what():
    seen = on_a_terminal(*FOCAL, "samples/preds.npy")
    assert "0.07246878524309487" in seen
    assert "prob = column 1, label = column 2" in seen
    assert "285 rows" in seen
    assert "285 rows" not in on_a_terminal(*FOCAL, "-q", "samples/preds.npy")


def test_colour_is_for_terminals_that_want_it():
    assert "\033[31m" in on_a_terminal("compute", "focl", code=2)
    assert "\033[" not in on_a_terminal("compute", "focl", code=2, NO_COLOR="1")
    assert "\033[" not in on_a_terminal("compute", "focl", code=2, TERM="dumb")
    assert "\033[" not in run_lossctl("compute", "focl").err


def test_text_from_files_cannot_move_the_cursor(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("pred,target\n\x1b[2J\u202eabc[red],1\n")
    done = run_lossctl("compute", "mse", path)
    assert done.code == 3
    assert "\x1b" not in done.err and "\u202e" not in done.err
    assert "\\x1b[2J" in done.err


# --- other commands


def test_list_knows_every_loss():
    names = run_lossctl("list", "--names").out.split()
    assert names == [loss.name for loss in registry.walk()]
    rows = list(csv.DictReader(io.StringIO(run_lossctl("list").out), delimiter="\t"))
    assert [row["name"] for row in rows] == names
    assert len(json.loads(run_lossctl("list", "--json").out)["results"]) == len(names)
    family = run_lossctl("list", "--names", "--family", "impurity").out.split()
    assert "gini" in family and "mse" not in family
    assert run_lossctl("list", "--family", "nothing").code == 2


@pytest.mark.first_fast
@pytest.mark.parametrize("loss", list(registry.walk()), ids=lambda loss: loss.name)
def test_explain_and_help_tell_everything_about_a_loss(loss):
    from lossctl.show.losses import page

    text = page(loss)
    assert loss.doc["Formula"].split()[0] in text
    assert all(f"--{option.flag}" in text for option in loss.options)
    assert "Example" in text
    assert json.loads(run_lossctl("explain", loss.name, "--json").out)["results"][0]["name"] == loss.name


def test_help_of_a_loss_lists_its_options():
    text = run_lossctl("compute", "focal", "-h").out
    for word in ("--gamma", "--alpha", "--from-logits", "--weight", "--label", "-alpha_t (1 - p_t)^gamma log p_t"):
        assert word in text


@pytest.mark.parametrize("name", ["maximum-posterior", "fitness", "expected-return"])
def test_explain_says_what_no_file_can_give(name):
    done = run_lossctl("explain", name)
    assert done.code == 0
    assert "not computable" in done.out


def test_info_tells_columns_and_ranges():
    rows = list(
        csv.DictReader(io.StringIO(run_lossctl("info", "samples/preds.npz", "samples/splits.csv").out), delimiter="\t")
    )
    assert [row["what"].split("'")[1] for row in rows] == ["prob", "label", "label", "split", "target"]
    assert rows[1]["values"] == "0 1" and rows[1]["rows"] == "285"
    assert rows[2]["values"] == "setosa versicolor virginica"


def test_doctor_names_what_runs():
    findings = {item["what"]: item for item in json.loads(run_lossctl("doctor", "--json").out)["results"]}
    assert findings["numpy"]["value"] == np.__version__
    assert findings["torch"]["value"] == torch.__version__


def test_doctor_has_the_command_of_every_extra_that_is_missing(monkeypatch):
    import importlib.util
    import tomllib

    from lossctl.bench.machine import examine

    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: find(name) if name.startswith("lossctl") else None)
    missing = [item.value for item in examine() if item.status == "missing"]
    assert all("pip install " in text for text in missing)
    for extra in extras - {"test", "parity"}:
        assert any(f"pip install 'lossctl[{extra}]'" in text for text in missing)


@pytest.mark.slow
def test_what_is_computed_on_the_cpu_needs_no_torch(monkeypatch, capsys, tmp_path):
    from oracles import ORACLES
    from test_oracles import value_of

    from lossctl.cli.app import run

    monkeypatch.setitem(sys.modules, "torch", None)
    for case in (case for cases in ORACLES.values() for case in cases):
        value_of(case)
    monkeypatch.chdir(ROOT)
    for line in (
        "compute bce samples/preds.csv --ci 0.9 --resamples 20 -g label",
        "triplets samples/embeddings.npz",
        "mine semi-hard samples/embeddings.npz -f csv -o " + str(tmp_path / "t.csv"),
        "run samples/suite.yaml",
        "curve huber -n 5",
    ):
        assert run(line.split()) == 0
    capsys.readouterr()
    assert run(["curve", "huber", "--grad"]) == 5
    assert "pip install 'lossctl[torch]'" in capsys.readouterr().err


def test_version_and_module_and_no_arguments():
    assert run_lossctl("--version").out == f"lossctl {package.__version__}\n"
    assert run_lossctl("-V").out == f"lossctl {package.__version__}\n"
    assert run_lossctl().out == run_lossctl("--help").out


def test_options_before_the_loss_take_a_value_in_every_loss_or_in_none():
    """What lets an option stand before the name of the loss."""
    from lossctl.cli import options
    from lossctl.cli.compute import parameters

    takes: dict[str, set[bool]] = {}
    for loss in registry.walk():
        for _, annotation, _ in parameters(loss):
            for name in options.names(annotation):
                takes.setdefault(name, set()).add(options.takes_value(annotation))
    assert [name for name, kinds in takes.items() if len(kinds) > 1] == []


# --- what is easy to get wrong


def test_kl_reads_each_side_in_its_own_form(tmp_path):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((20, 3))
    p = rng.dirichlet(np.ones(3), 20)
    np.savez(tmp_path / "kl.npz", p=p, q=logits)
    done = run_lossctl("compute", "kl", tmp_path / "kl.npz")
    assert done.code == 3 and "--q-form logits" in done.err
    q = torch.log_softmax(torch.from_numpy(logits), 1)
    expected = torch.nn.functional.kl_div(q, torch.from_numpy(p), reduction="batchmean").item()
    value = float(run_lossctl("compute", "kl", tmp_path / "kl.npz", "--q-form", "logits").out)
    assert value == pytest.approx(expected, rel=1e-13)
    assert run_lossctl("compute", "kl", tmp_path / "kl.npz", "--p-form", "prob", "--from-logits").code == 2


def test_info_shows_what_is_missing_and_infinite(tmp_path):
    np.save(tmp_path / "x.npy", np.array([1.0, np.inf, np.nan]))
    (row,) = csv.DictReader(io.StringIO(run_lossctl("info", tmp_path / "x.npy").out), delimiter="\t")
    assert (row["nan"], row["inf"], row["max"]) == ("1", "1", "1")
    np.savez(tmp_path / "x.npz", logits=np.arange(24.0).reshape(2, 3, 2, 2), lengths=[1, 3])
    frames, _ = csv.DictReader(io.StringIO(run_lossctl("info", tmp_path / "x.npz").out), delimiter="\t")
    assert (frames["what"], frames["columns"], frames["max"]) == ("key 'logits' (2, 3, 2, 2)", "12", "23")
    (tmp_path / "x.csv").write_text("p,name\n0.5,a\nNA,b\n")
    numbers, names = csv.DictReader(io.StringIO(run_lossctl("info", tmp_path / "x.csv").out), delimiter="\t")
    assert (numbers["type"], numbers["nan"], numbers["max"]) == ("number", "1", "0.5")
    assert (names["type"], names["values"]) == ("text", "a b")
    (tmp_path / "y.csv").write_text("p,q\n1,2\n3\n")
    assert "y.csv:3" in run_lossctl("info", tmp_path / "y.csv").err


def test_a_signal_that_an_import_would_lose_ends_it_and_leaves_nothing(tmp_path):
    lines = ("import os, signal", "try:", "    os.kill(os.getpid(), signal.SIGTERM)", "    [0 for _ in range(9)]")
    (tmp_path / "deaf.py").write_text("\n".join((*lines, "except BaseException:", "    pass", "")))
    program = (
        "import signal, sys; from lossctl.cli import app; from lossctl.files.writing import atomic_output\n"
        "signal.signal(signal.SIGTERM, app._terminate); sys.path.insert(0, '.')\n"
        "with atomic_output('out.txt'):\n    import deaf\n"
    )
    process = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert process.returncode == 143
    assert not {path.name for path in tmp_path.iterdir()} - {"deaf.py", "__pycache__"}


def test_info_of_the_first_rows_is_that_of_a_file_of_them_and_says_so(tmp_path):
    rows = np.random.default_rng(0).normal(size=(9, 3))
    for count in (9, 4):
        np.save(tmp_path / f"{count}.npy", rows[:count])
        np.savez(tmp_path / f"{count}.npz", x=rows[:count], wide=np.tile(rows[:count], 5))
        lines = [f"{a},{b},word {c}\n" for a, b, c in rows[:count].tolist()]
        (tmp_path / f"{count}.csv").write_text("a,b,c\n" + "".join(lines))
    for end in ("npy", "npz", "csv"):
        part, rest = (
            json.loads(run_lossctl("info", tmp_path / name, *words, "--json").out)["results"]
            for name, words in ((f"9.{end}", ("--first", "4")), (f"4.{end}", ("--first", "4")))
        )
        assert {column.pop("first_of") for column in part} == {9}, end
        for column in (*part, *rest):
            del column["file"]
        assert part == rest
        assert "first 4 of 9" in run_lossctl("info", tmp_path / f"9.{end}", "--first", "4").out


def test_info_says_before_it_reads_for_long_and_how_to_read_less(tmp_path, monkeypatch):
    from lossctl.files import summary

    monkeypatch.setattr(summary, "LOOKED", 0.0)
    monkeypatch.setattr(summary, "LONG", 0.0)
    monkeypatch.setattr(summary, "BLOCK_ROWS", 100)
    np.save(tmp_path / "x.npy", np.zeros((1000, 2)))
    told = []
    assert len(list(summary.summaries(str(tmp_path / "x.npy"), tell=told.append))) == 2
    (few,) = re.findall(r"x.npy: 2,000 values are to be read, which takes about .* --first (\d+) looks", *told)
    assert run_lossctl("info", tmp_path / "x.npy", "--first", few).code == 0


def test_cosine_of_a_row_without_direction_is_an_error(tmp_path):
    zero, one = np.zeros((2, 3)), np.ones((2, 3))
    np.savez(tmp_path / "t.npz", anchor=zero, positive=one, negative=one)
    done = run_lossctl("compute", "triplet", "--distance", "cosine", tmp_path / "t.npz")
    assert (done.code, done.out) == (3, "")
    assert "all zeros" in done.err


def test_rows_left_out_are_told_in_a_pipe_too(tmp_path):
    (tmp_path / "p.csv").write_text("pred,target\n1,3\nNA,0\n1,2\n")
    done = run_lossctl("compute", "mse", "--na", "skip", "--json", tmp_path / "p.csv")
    assert "1 row left out" in done.err
    document = json.loads(done.out)
    assert document["warnings"] == ["1 row left out"]
    assert "na:skip" in document["results"][0]["signature"]


def test_closed_streams_are_no_traceback():
    command = f"{sys.executable} -m lossctl"
    for line, code in ((f"{command} list >&-", 4), (f"{command} compute bce x --foo 2>&-", 2)):
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == code
        assert "Traceback" not in done.stderr


def test_embeddings_without_labels_ask_for_labels():
    for command in (("triplets",), ("compute", "batch-hard"), ("mine", "batch-hard", "-o", "/tmp/never.npy")):
        done = run_lossctl(*command, "samples/embeddings.npy")
        assert done.code == 3
        assert "without labels" in done.err and "--label" in done.err


def test_the_library_gives_the_loss_of_each_row():
    prob, label = np.load(ROOT / "samples/preds.npy").T
    rows = package.row_losses("bce", prob, label)
    expected = torch.nn.functional.binary_cross_entropy(
        torch.from_numpy(prob), torch.from_numpy(label), reduction="none"
    )
    assert rows == pytest.approx(expected.numpy(), rel=1e-14)
    with pytest.raises(package.errors.UsageError, match="one number"):
        package.compute("bce", prob, label, reduction="none")


@pytest.mark.first_fast
@pytest.mark.parametrize(
    "arguments",
    [
        ("bce", "samples/preds.npy"),
        ("focal", "--from-logits", "samples/binary_logits.npz"),
        ("mse", "samples/regression.csv"),
        ("bce", "samples/multilabel.npz"),
    ],
    ids=" ".join,
)
def test_plot_draws_the_rows(arguments, tmp_path):
    path = tmp_path / "rows.svg"
    done = run_lossctl("compute", *arguments, "--plot", path)
    assert (done.code, done.err) == (0, "")
    assert float(done.out)
    text = path.read_text()
    assert "<svg" in text
    assert ("observed" in text) == (arguments[0] != "mse")


def test_a_device_that_is_not_there_is_exit_5():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = run_lossctl("triplets", "samples/embeddings.npz", "--device", "cuda")
    assert (done.code, done.out) == (5, "")
    assert "fix:" in done.err


# --- tables that have to fit


def test_a_narrow_table_cuts_nothing():
    """What all rows share is told once, numbers are rounded, and both are said."""
    from lossctl.show.sheet import Sheet, table

    rows = tuple(("bce", f"group {at}", repr(1.23456789e-5 * at), repr(1.1e-7 / 3), "285") for at in range(1, 4))
    sheet = Sheet(("loss", "group", "value", "standard error", "n"), rows, frozenset({"value", "standard error", "n"}))
    assert repr(1.23456789e-5) in table(sheet, width=200, colour=False)
    narrow = table(sheet, width=44, colour=False)
    assert max(map(len, narrow.splitlines())) <= 44
    told = " ".join(narrow.split())
    assert told.startswith("loss bce; standard error 3.66") and "n 285" in told
    assert all(text in told for text in ("group 1", repr(1.23456789e-5), "group 3"))
    narrower = " ".join(table(sheet, width=24, colour=False).split())
    assert all(text in narrower for text in ("group 1", "1.23457e-05", "group 3", "3.7037e-05", "rounded to fit"))


def test_the_ending_of_an_output_names_its_format(tmp_path):
    for name, start in (("o.json", '{\n  "schema"'), ("o.csv", "loss,"), ("o.md", "| loss"), ("o.txt", "0.165")):
        assert run_lossctl("compute", "bce", ROOT / "samples/preds.csv", "-o", tmp_path / name).code == 0
        assert (tmp_path / name).read_text().startswith(start), name
    for name in ("o.npy", "o.parquet"):
        done = run_lossctl("compute", "bce", ROOT / "samples/preds.csv", "-r", "none", "-o", tmp_path / name)
        assert done.code == 2 and "is text" in done.err and not (tmp_path / name).exists()


@pytest.mark.slow
def test_a_locale_without_unicode_gets_tables_too():
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for more in ({}, {"PYTHONIOENCODING": "latin-1"}):
        done = run_lossctl("triplets", ROOT / "samples/embeddings.npz", "-f", "table", **plain, **more)
        assert done.code == 0 and "semi-hard" in done.out, done.err


def test_similarities_of_an_all_zero_embedding_are_refused(tmp_path):
    emb = np.ones((4, 2))
    emb[2] = 0
    np.savez(tmp_path / "zero.npz", emb=emb, label=[0, 0, 1, 1])
    done = run_lossctl("compute", "supcon", tmp_path / "zero.npz")
    assert (done.code, done.out) == (3, "") and "row 2: key 'emb': the embedding is all zeros" in done.err


def test_what_is_wrong_with_the_rows_names_their_files(tmp_path):
    """Whoever sees only numbers says what is wrong with them; whoever opened the files says where they are from."""
    zero = np.array([[1.0, 2], [3, 4], [0, 0], [5, 6]])
    for name, array in {
        "eight": np.ones((4, 8)), "one": np.ones(4), "nan": np.full(4, np.nan), "none": np.zeros(0), "zero": zero,
        "emb": zero + 1, "label": np.arange(4) % 2, "null": np.zeros(4), "wide": np.ones((4, 3)),
    }.items():  # fmt: skip
        np.save(tmp_path / f"{name}.npy", array)
    rows = (f"{k},{x},{y},{k % 2}\n" for k, (x, y) in enumerate(zero))
    (tmp_path / "zero.csv").write_text("id,emb_0,emb_1,label\n" + "".join(rows))
    for name in ("one.npy", "zero.npz", "zero.csv.gz"):
        (tmp_path / f"bad-{name}").write_bytes(b"\x01" + bytes(range(128, 150)))
    for line, expected in {
        "compute mse eight.npy one.npy": "eight.npy, one.npy: pred has 8 columns and target has 1",
        "compute mse nan.npy one.npy --na skip": "nan.npy, one.npy: no rows to average: all 4 rows were left out",
        "compute mse none.npy none.npy": "none.npy: no rows to average",
        "compute mse one.npy one.npy -w null.npy": "one.npy, null.npy: no rows to average",
        "compute bce one.npy null.npy -r positives": "one.npy, null.npy: no label is 1",
        "compute clip emb.npy wide.npy": "emb.npy, wide.npy: left has 2 columns and right has 3",
        "triplets zero.npy label.npy --distance cosine": "zero.npy: row 2: the embedding is all zeros",
        "triplets zero.csv --distance cosine": "zero.csv:4: the embedding is all zeros",
        "mine semi-hard zero.csv --distance cosine -o x.npy": "zero.csv:4: the embedding is all zeros",
        "triplets emb.npy emb.npy zero.npy --distance cosine": "zero.npy: row 2: the embedding is all zeros",
        "mine semi-hard emb.npy null.npy -o x.npy": "emb.npy, null.npy: no anchor has both",
        "triplets emb.npy label.npy --ref zero.npy --ref-label label.npy --distance cosine": "references, row 2: the",
        "triplets emb.npy label.npy --ref wide.npy --ref-label label.npy": "wide.npy: embeddings of 2 columns",
        "compute mse bad-one.npy": "bad-one.npy: its first bytes are 01 80 81 82 83 84 85 86, where",
        "compute mse bad-zero.npz": "bad-zero.npz: its first bytes are 01 80",
        "compute mse bad-zero.csv.gz": "bad-zero.csv.gz: its first bytes are 01 80",
    }.items():  # fmt: skip
        done = run_lossctl(*line.split(), cwd=tmp_path)
        assert done.code == 3 and expected in done.err, (line, done.err)
    with pytest.raises(lossctl.errors.DataError, match=r"^pred, target: no rows to average"):
        package.compute("mse", np.zeros(0), np.zeros(0))


def test_the_colour_of_one_command_line_is_not_that_of_the_next(capfd):
    from lossctl.cli.app import run

    assert run(["info", "nowhere.npy", "--color", "always"]) == 4
    assert "\033[31m" in capfd.readouterr().err
    assert run(["info", "nowhere.npy"]) == 4
    assert "\033[" not in capfd.readouterr().err


def test_a_signal_that_an_import_takes_for_a_fault_of_its_own_is_no_bug(monkeypatch, capsys):
    """A C library turns what it is interrupted by into another exception."""
    from lossctl.cli import app

    def swallowed(*arguments, **settings):
        with pytest.raises(KeyboardInterrupt):
            app._interrupt(signal.SIGINT, None)
        raise SyntaxError("cannot load unicodedata")

    monkeypatch.setattr(app, "SIGNALS", [])
    monkeypatch.setattr(app, "root", swallowed)
    assert app._run([]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert run_lossctl("compute", "bce", "none.csv", "--ci", "0.9", "--resamples", "1" + "0" * 20).code == 2
