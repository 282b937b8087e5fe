"""Suites: what the YAML may hold, what is computed, every report on real output, the page in a real browser."""

import csv
import io
import json
import re
import shutil
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import ROOT, examples, run_lossctl
from folds import fold
from hypothesis import given, settings
from hypothesis import strategies as st

import lossctl
from lossctl.api import suite_file as suites
from lossctl.api.suite import run
from lossctl.errors import DataError, LossctlError
from lossctl.files import yaml
from lossctl.files.opening import nearby
from lossctl.language.registry import parse
from lossctl.show.forest import ForestBar, svg, ticks_between

SAMPLE = "samples/suite.yaml"


def write(folder, text):
    path = folder / "suite.yaml"
    path.write_text(text)
    return path


# --- variables, patterns and a matrix


def entries(folder, text, environment=None):
    path = write(folder, text)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        return suites.load(str(path)).entries


def test_a_matrix_makes_an_entry_of_each_combination(tmp_path):
    for name in ("m10", "m2"):
        (tmp_path / f"{name}.csv").write_text("prob,label\n0.5,1\n0.25,0\n")
    text = """
losses:
- {name: all, matrix: {loss: [bce, "focal:gamma=2"], inputs: ["m*.csv"]}, max: 1}
- {inputs: m2.csv, matrix: {loss: [bce], ci: [0.9, 0.5]}}
comparisons:
- {matrix: {loss: [bce, brier]}, base: "m2.csv::prob", others: "m10.csv::prob", target: "m2.csv::label"}
"""
    expanded = entries(tmp_path, text)
    assert [entry.name for entry in expanded] == [
        *(f"all ({loss}, {file}.csv)" for loss in ("bce", "focal:gamma=2") for file in ("m2", "m10")),
        *(f"bce of m2.csv ({level})" for level in (0.9, 0.5)),
        *(f"m10.csv::prob against m2.csv::prob ({loss})" for loss in ("bce", "brier")),
    ]
    assert expanded[1].values["inputs"] == [str(tmp_path / "m10.csv")] and expanded[1].values["max"] == 1
    report = lossctl.run(str(tmp_path / "suite.yaml"))
    assert [outcome.status for outcome in report.outcomes] == ["passed"] * 8
    assert report.outcomes[0].results[0].value == lossctl.compute("bce", tmp_path / "m2.csv").value
    done = run_lossctl("run", "suite.yaml", "--only", "all (bce, m2.csv)", "-f", "csv", cwd=tmp_path)
    assert len(done.out.splitlines()) == 2
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.csv").write_bytes((tmp_path / "m2.csv").read_bytes())
    mapped = entries(tmp_path, "losses: [{loss: bce, matrix: {inputs: [{prob: a.csv}, {prob: b.csv}]}}]")
    assert [entry.values["inputs"] for entry in mapped] == [{"prob": str(tmp_path / f"{name}.csv")} for name in "ab"]
    of_runs = entries(tmp_path, "losses: [{matrix: {loss: ['focal:alpha=0.2/0.8'], inputs: ['*/m.csv']}}]")
    assert [entry.name for entry in of_runs] == [f"focal:alpha=0.2/0.8 of m.csv ({name}/m.csv)" for name in "ab"]


def test_variables_are_replaced_wherever_a_value_stands(tmp_path):
    text = 'losses: [{loss: "${LOSS:-bce}", inputs: "${DIR}/${FILE:-a}.csv", max: "${MAX:-0.5}", name: "$${x}"}]'
    (plain,) = entries(tmp_path, text, {"DIR": "d"})
    assert plain.values["loss"] == ["bce"] and plain.values["inputs"] == [str(tmp_path / "d" / "a.csv")]
    assert (plain.values["max"], plain.name) == (0.5, "${x}")
    (other,) = entries(tmp_path, text, {"DIR": "d", "LOSS": "mse", "MAX": "2", "FILE": "010"})
    assert (other.values["loss"], other.values["max"]) == (["mse"], 2)
    assert other.values["inputs"] == [str(tmp_path / "d" / "010.csv")]
    (bare,) = entries(tmp_path, 'losses: [{loss: bce, inputs: "$DIR/a.csv"}]', {"DIR": "d"})
    assert "write ${DIR} in a suite" in nearby(bare.values["inputs"][0])


OPTIONS_AS_KEYS = {
    "loss: 'focal:gamma=2', gamma: 3": ["focal:gamma=3"],
    "loss: 'focal:gamma=2', gamma: 2": ["focal"],
    "loss: 'focal:alpha=0.5', gamma: 3, alpha: [0.25, 0.75]": ["focal:gamma=3,alpha=0.25/0.75"],
    "loss: [bce, focal], gamma: 3": ["bce", "focal:gamma=3"],
    "loss: [bce, focal], options: {gamma: 3, alpha: 0.5}": ["bce", "focal:gamma=3,alpha=0.5"],
    "loss: pinball, tau: 0.1": ["pinball:alpha=0.1"],
    "loss: mnrl, temperature: 0.1": ["mnrl:s=10"],
    "loss: 'cosface:s=2', temperature: 0.5, m: 0.1": ["cosface:s=2,margin=0.1"],
}


def test_options_as_keys_are_written_into_the_loss_by_the_fix(tmp_path):
    for keys, losses in OPTIONS_AS_KEYS.items():
        with pytest.raises(LossctlError) as fault:
            entries(tmp_path, f"losses: [{{inputs: a.csv, {keys}}}]")
        _, _, advice = fault.value.fix.partition(" loss: ")
        (followed,) = entries(tmp_path, f"losses: [{{inputs: a.csv, loss: {advice}}}]")
        assert list(map(str, map(parse, followed.values["loss"]))) == losses, keys


WRONG_EXPANSIONS = {
    "not set": (
        '{loss: bce, inputs: "${LOSSCTL_NO}.csv"}',
        "the variable LOSSCTL_NO is not set",
        "${LOSSCTL_NO:-VALUE}",
    ),
    "no variable": ('{loss: bce, inputs: "${1}.csv"}', "no variable in '${1}.csv'", "$${"),
    "no number": ('{loss: bce, inputs: a.csv, max: "${LOSSCTL_NO:-x}"}', "max is a number, not 'x'", "max:"),
    "empty": ('{loss: bce, inputs: a.csv, max: "${LOSSCTL_NO:-}"}', "max has no value: what its variables", "max out"),
    "null": ('{loss: bce, inputs: a.csv, max: "${LOSSCTL_NO:-null}"}', "max has no value", "max out"),
    "nothing": ("{loss: , inputs: a.csv}", "loss has no value", "give one: "),
    "twice": ("{loss: bce, matrix: {loss: [bce]}, inputs: a.csv}", "loss stands in matrix and beside it", "leave one"),
    "unknown key": ("{loss: bce, matrix: {imputs: [a.csv]}}", "matrix cannot hold 'imputs'", "inputs"),
    "no list": ("{loss: bce, matrix: {inputs: a.csv}}", "inputs of a matrix is a list", "inputs: [A, B]"),
    "empty list": ("{loss: bce, matrix: {inputs: []}}", "inputs of a matrix is a list", "inputs: [A, B]"),
    "no mapping": ("{loss: bce, matrix: [a]}", "matrix is a mapping", "KEY: [A, B]"),
    "alike": ("{loss: bce, matrix: {inputs: [a.csv, a.csv]}}", "two entries are called", "that are alike"),
    "no file": ("{loss: bce, matrix: {inputs: ['z*.csv']}}", "no file matches", ""),
    "several mappings": ("{loss: bce, inputs: [{prob: a.csv}]}", "one mapping", "matrix: {inputs: [...]}"),
    "nothing to read": ("{matrix: {loss: [bce]}}", "the entry has no 'inputs'", "add inputs"),
}


@fold("case", {"all": WRONG_EXPANSIONS})
def test_what_expands_to_nothing_is_told(case, tmp_path):
    entry, what, fix = WRONG_EXPANSIONS[case]
    with pytest.raises(LossctlError) as fault:
        entries(tmp_path, f"losses: [{entry}]")
    assert what in fault.value.what and fix in fault.value.fix


# --- YAML


def plain(node):
    if isinstance(node.value, dict):
        return {name: plain(child) for name, child in node.value.items()}
    return [plain(child) for child in node.value] if isinstance(node.value, list) else node.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1.5", 1.5), (".5", 0.5), ("-2", -2), ("010", 10), ("true", True), ("null", None),
        ("~", None),        ("no", "no"), ("on", "on"), ("0x10", "0x10"), ("1_000", "1_000"), ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("'1'", "1"), ('"a: b"', "a: b"), (".inf", ".inf"), ("9" * 60, "9" * 60), ("a.npy::p*", "a.npy::p*"),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(text, value):
    found = yaml.parse(f"key: {text}", "s.yaml").value["key"]
    assert found.value == value and type(found.value) is type(value)
    assert (found.line, found.column) == (1, 6)


REFUSED = {
    "an alias": ("a: &x 1\nb: *x", "s.yaml:2:4: an alias"),
    "a merge key": ("a:\n  <<: {b: 1}", "s.yaml:2:3: a merge key"),
    "a key twice": ("a: 1\nb: 2\na: 3", "s.yaml:3:1: the key 'a' stands there twice (first at 1:1)"),
    "a tag": ("a: !!python/object/apply:os.system [ls]", "s.yaml:1:4: a tag"),
    "two documents": ("a: 1\n---\nb: 2", "s.yaml:2:1: a second document"),
    "deep nesting": ("[" * 100, "s.yaml:1:22: nested deeper"),
    "a list as key": ("? [a]\n: 1", "s.yaml:1:3: a key that is no text"),
    "broken syntax": ("a: [1,\nb: 2", "s.yaml:2:"),
    "nothing": ("# only a comment\n", "s.yaml: empty"),
    "a control character": ("a: \x01", "s.yaml:"),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_yaml_is_not_let_through(text, expected):
    with pytest.raises(DataError) as fault:
        yaml.parse(text, "s.yaml")
    assert fault.value.what.startswith(expected)
    assert fault.value.fix


@pytest.mark.slow
def test_a_large_file_is_refused_and_a_quarter_of_it_is_read_in_time(tmp_path):
    path = write(tmp_path, "#" * (1 << 20) + "\n")
    with pytest.raises(DataError, match="MiB"):
        yaml.read(str(path))
    path.write_text("losses:\n" + "- {loss: bce, inputs: a.npy}\n" * 9_000)
    assert path.stat().st_size > 250_000
    started = time.perf_counter()
    assert len(yaml.read(str(path)).value["losses"].value) == 9_000
    assert time.perf_counter() - started < 20


@settings(max_examples=examples(300))
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.text("[]{}:,-&*!|>#'\"% \n?ab1.", max_size=60)
)
def test_any_text_is_read_or_refused(text):
    try:
        yaml.parse(text, "s.yaml")
    except DataError as fault:
        assert fault.what.startswith("s.yaml")


# --- the schema

LOSSES = "losses:\n- {loss: bce, inputs: a.npy"
FAULTS = {
    "unknown key at the top": ("lossess: []", "suite.yaml:1:1: unknown key 'lossess' in a suite. Did you mean 'loss"),
    "unknown key in an entry": (
        LOSSES + ", grup: b}", "suite.yaml:2:30: unknown key 'grup' in an entry of losses. Did you mean 'group'",
    ),
    "underscore": (LOSSES + ", from_logits: true}", "Did you mean 'from-logits'"),
    "unknown default": ("defaults: {cii: 1}", "suite.yaml:1:12: unknown key 'cii' in defaults. Did you mean 'ci'"),
    "no loss": ("losses:\n- {inputs: a.npy}", "suite.yaml:2:3: the entry has no 'loss'"),
    "a text for a number": (LOSSES + ", max: high}", "suite.yaml:2:35: max is a number"),
    "a number for a whole": (LOSSES + ", seed: 1.5}", "suite.yaml:2:36: seed is a whole number"),
    "a flag": (LOSSES + ", from-logits: maybe}", "from-logits is true or false"),
    "a choice": (LOSSES + ", na: drop}", "suite.yaml:2:34: na cannot be 'drop'"),
    "below": (LOSSES + ", resamples: 0}", "resamples cannot be 0"),
    "not a list": ("losses: {loss: bce}", "suite.yaml:1:9: losses is a list"),
    "not a mapping": ("losses: [bce]", "suite.yaml:1:10: an entry of losses is a mapping"),
    "nothing to do": ("title: x", "no losses and no comparisons"),
    "same name": (LOSSES + "}\n- {loss: bce, inputs: a.npy}", "suite.yaml:3:3: two entries are called"),
    "a wrong loss": ("losses:\n- {loss: [mse, bec], inputs: a}", "suite.yaml:2:10: unknown loss 'bec'. Did you mean"),
    "a wrong option": ("losses:\n- loss: focal:gama=2\n  inputs: a", "suite.yaml:2:9: focal has no option 'gama'"),
}  # fmt: skip


def test_inputs_as_keys_of_an_entry_are_put_together(tmp_path):
    text = "losses:\n- {loss: [mae, rmse], pred: a.csv::p, target: a.csv::y}"
    with pytest.raises(LossctlError) as fault:
        suites.load(str(write(tmp_path, text)))
    assert fault.value.fix == "inputs stand together: inputs: {pred: a.csv::p, target: a.csv::y}"


@pytest.mark.parametrize(("text", "expected"), FAULTS.values(), ids=FAULTS)
def test_faults_name_line_column_and_the_nearest_key(text, expected, tmp_path):
    with pytest.raises(LossctlError) as fault:
        run(suites.load(str(write(tmp_path, text))))
    assert expected in fault.value.what
    assert fault.value.fix


def test_keys_that_stand_with_the_loss_or_its_inputs_have_a_fix_that_works(tmp_path):
    np.savez(tmp_path / "a.npz", prob=np.array([[0.8, 0.2], [0.5, 0.5], [0.4, 0.6]]), label=np.array([0, 255, 1]))
    entry = "losses:\n- inputs: a.npz\n  loss: multiclass-dice"
    (outcome,) = run(suites.load(str(write(tmp_path, entry)))).outcomes
    assert "the loss is multiclass-dice:ignore-index=255" in " ".join(outcome.reasons)
    cases = {  # what stands in the entry, and what the fix says instead
        "\n  ignore-index: 255": "loss: multiclass-dice:ignore-index=255",
        ":ignore-index=255\n  smooth: 0": 'loss: "multiclass-dice:ignore-index=255,smooth=0"',
        ":ignore-index=255\n  label: a.npz::label": "inputs: {label: a.npz::label}",
    }
    for more, fix in cases.items():
        with pytest.raises(DataError, match="unknown key") as refused:
            suites.load(str(write(tmp_path, entry + more)))
        assert refused.value.fix.endswith(fix), more
        if fix.startswith("loss"):
            text = "losses:\n- inputs: a.npz\n  " + fix
            (outcome,) = run(suites.load(str(write(tmp_path, text)))).outcomes
            assert outcome.results[0].value == pytest.approx((0.6 / 2.2 + 0.6 / 1.8) / 2, rel=1e-15)


def test_the_schema_knows_every_key_and_the_sample_obeys_it():
    schema = json.loads(run_lossctl("run", "--schema").out)
    sample = plain(yaml.read(str(ROOT / SAMPLE)))
    properties = schema["properties"]
    assert set(sample) <= set(properties)
    for kind, keys in (("losses", suites.LOSS), ("comparisons", suites.COMPARISON)):
        entry = properties[kind]["items"]
        assert set(entry["properties"]) == {*keys, "matrix"}
        assert entry["additionalProperties"] is False
        for one in sample[kind]:
            assert set(entry["anyOf"][0]["required"]) <= set(one) <= set(entry["properties"])
    assert properties["defaults"]["properties"]["ci"] == {
        "type": ["number", "string"], "minimum": 0, "description": suites.LOSS["ci"].meaning,
    }  # fmt: skip


# --- what is computed


@pytest.fixture(scope="module")
def sample_run():
    done = run_lossctl("run", SAMPLE, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_the_sample_is_what_compute_says(sample_run):
    assert {entry["status"] for entry in sample_run["entries"]} == {"passed"}
    for entry, command in [
        ("digits", ("ce", "samples/digits_probs.npy", "samples/digits_labels.npy", "--ci=0.95", "--resamples=500")),
        ("hardest tumours", ("bce", "samples/preds.csv", "--keep", "10%")),
        ("species by petal", ("gini-gain", "samples/splits.csv", "--ci=0.95", "--resamples=500")),
    ]:  # fmt: skip
        (ours, *_) = [result for result in sample_run["results"] if result["entry"] == entry]
        (theirs,) = json.loads(run_lossctl("compute", *command, "--json").out)["results"]
        assert ours["value"] == theirs["value"]
        if ours["ci"]:
            assert ours["ci"]["low"] == pytest.approx(theirs["ci"]["low"], rel=1e-12)
    groups = [result for result in sample_run["results"] if result["entry"] == "tumour" and result["loss"] == "bce"]
    assert [one["group"] for one in groups] == [None, None, "0", "1"]


def test_a_run_is_a_baseline_for_the_next(sample_run, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(sample_run))
    text = f"losses:\n- loss: rmse\n  inputs: {ROOT}/samples/regression.csv\n  max-increase: 1%\n  baseline: old.json\n"
    path = write(tmp_path, text)
    assert run_lossctl("run", path).code == 0
    lower = [{**one, "value": 0.9 * one["value"]} for one in sample_run["results"]]
    (tmp_path / "old.json").write_text(json.dumps({**sample_run, "results": lower}))
    assert run_lossctl("run", path).code == 1


def test_files_are_opened_and_rows_are_scored_once_for_all(tmp_path, monkeypatch):
    """Five losses of one NPY, three of them in other entries, with groups of their own: every block is loaded once."""
    from lossctl.files import arrays, binding

    np.save(tmp_path / "p.npy", np.random.default_rng(0).random((50_000, 2)).round(3))
    (tmp_path / "g.npy").write_bytes(b"")
    np.save(tmp_path / "g.npy", np.arange(50_000) % 3)
    path = write(
        tmp_path,
        "sources: {p: p.npy}\nlosses:\n- {name: a, loss: [mse, mae], inputs: p}\n"
        "- {name: b, loss: rmse, inputs: p, group: g.npy}\n- {name: c, loss: [huber, smooth-l1], inputs: p, ci: 0.9}\n",
    )
    opened, read = [], []
    monkeypatch.setattr(
        binding, "open_source", lambda path, *how, _open=binding.open_source: opened.append(path) or _open(path, *how)
    )
    monkeypatch.setattr(
        arrays.Arrays,
        "_convert",
        lambda content, choice, start, stop, _convert=arrays.Arrays._convert: (
            read.append((choice, content.label, start)) or _convert(content, choice, start, stop)
        ),
    )
    report = run(suites.load(str(path)), jobs=1)
    assert [outcome.status for outcome in report.outcomes] == ["passed"] * 3
    assert sorted(opened) == sorted(str(tmp_path / name) for name in ("p.npy", "g.npy"))
    assert len(read) == len(set(read))


@pytest.mark.parametrize("loss", ["mse", "pinball", "gini-gain", "ranknet", "batch-all"])
def test_an_entry_leaves_out_the_rows_that_it_leaves_out_alone(loss, tmp_path):
    """Each entry misses values of its own; what stands beside it changes neither its rows nor its value."""
    generator = np.random.default_rng(3)
    columns = {name: generator.integers(0, 20 if name == "c" else 3, 60) for name in ("a", "b", "w", "g", "k", "c")}
    for name, column in columns.items():
        missing = generator.random(60) < 0.1
        columns[name] = [
            "nan" if gone else f"q{value}" if name in "gkc" else value
            for gone, value in zip(missing, column, strict=True)
        ]
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    inputs = "[rows.csv::a, rows.csv::b]"
    lists = ", group: rows.csv::k" if loss == "ranknet" else ""
    entries = {"plain": lists, "weight": f"{lists}, weight: rows.csv::w", "group": ", group: rows.csv::g"}
    draws = "" if loss == "batch-all" else ", resamples: 50"
    entries["ci"] = f"{lists}, ci: 0.9{draws}, cluster: rows.csv::{'k' if lists else 'c'}"
    if loss in ("batch-all", "ranknet"):
        del entries["weight"]
    head = "defaults: {na: skip}\nlosses:\n"
    written = {name: f"- {{name: {name}, loss: {loss}, inputs: {inputs}{more}}}\n" for name, more in entries.items()}
    path = write(tmp_path, head + "".join(written.values()))
    together = {outcome.name: outcome for outcome in run(suites.load(str(path))).outcomes}
    rows = set()
    for name, entry in written.items():
        (alone,) = run(suites.load(str(write(tmp_path, head + entry)))).outcomes
        assert alone.status == "passed", alone.reasons
        assert alone.results == together[name].results
        rows.add(alone.results[0].n)
    assert len(rows) > 1 or loss == "ranknet"


FAILING = """
sources: {{p: {root}/samples/preds.csv}}
losses:
- {{name: fine, loss: bce, inputs: p}}
- {{name: high, loss: bce, inputs: p, max: 0.1}}
- {{name: lost, loss: bce, inputs: nowhere.npy}}
- {{name: logits, loss: bce, inputs: {root}/samples/binary_logits.npz}}
- {{name: two kinds, loss: [bce, gini], inputs: p}}
comparisons:
- {{name: worse, base: "p::prob", others: flat.npy, target: "p::label", loss: bce, fail-if: worse, resamples: 200}}
"""


@pytest.fixture
def failing(tmp_path):
    prob = np.load(ROOT / "samples/preds.npy")[:, 0]
    np.save(tmp_path / "flat.npy", 0.5 + (prob - 0.5) * 0.2)
    return write(tmp_path, FAILING.format(root=ROOT))


def test_an_entry_that_fails_stops_no_other(failing):
    done = run_lossctl("run", failing, "--json")
    statuses = {entry["name"]: entry["status"] for entry in json.loads(done.out)["entries"]}
    assert statuses == {
        "fine": "passed", "high": "failed", "lost": "error", "logits": "error", "two kinds": "passed",
        "worse": "failed",
    }  # fmt: skip
    assert done.code == 4
    assert "suite.yaml:6:3" in done.err and "nowhere.npy" in done.err
    assert "gate failed: worse: bce: " in done.err
    assert run_lossctl("run", failing, "--only", "high", "--only", "fine").code == 1
    assert run_lossctl("run", failing, "--only", "fine").code == 0
    assert run_lossctl("run", failing, "--only", "logits").code == 3
    none = run_lossctl("run", failing, "--only", "nothing like it")
    assert none.code == 2 and "fine" in none.err


@pytest.mark.first_fast
@pytest.mark.parametrize("jobs", ["1", "3"])
def test_threads_change_nothing(jobs, sample_run):
    document = json.loads(run_lossctl("run", SAMPLE, "--json", "-j", jobs).out)
    assert document["results"] == sample_run["results"]
    assert document["comparisons"] == sample_run["comparisons"]


def test_defaults_are_for_those_that_know_them(tmp_path):
    root = ROOT / "samples"
    path = write(
        tmp_path,
        "defaults: {ci: 0.9, resamples: 50}\nlosses:\n"
        f"- {{name: a, loss: batch-hard, inputs: {root}/embeddings.npz, keep: 10%}}\n"
        f"- {{name: b, loss: bce, inputs: {root}/preds.csv, resamples: 60}}\n",
    )
    a, b = json.loads(run_lossctl("run", path, "--json").out)["results"]
    assert a["ci"] is None
    assert (b["ci"]["level"], b["ci"]["resamples"]) == (0.9, 60)
    own = write(tmp_path, f"losses:\n- {{loss: batch-hard, inputs: {root}/embeddings.npz, keep: 10%, ci: 0.9}}\n")
    done = run_lossctl("run", own)
    assert done.code == 2 and "keep and ci at once" in done.err


@pytest.mark.slow
def test_sets_have_groups_and_intervals_in_a_suite(tmp_path):
    """Every number is the one that `compute` prints; entries with another distance are read apart."""
    source = ROOT / "samples/embeddings.npz"
    path = write(
        tmp_path,
        f"defaults: {{ci: 0.9, resamples: 100}}\nlosses:\n"
        f"- {{name: a, loss: [batch-hard, supcon], inputs: {source}, group: {source}::label}}\n"
        f"- {{name: b, loss: batch-hard, inputs: {source}, distance: cosine}}\n",
    )
    found = json.loads(run_lossctl("run", path, "--json").out)["results"]
    asked = ("--ci", "0.9", "--json")
    alone = [
        json.loads(run_lossctl("compute", loss, source, *options, *asked).out)["results"]
        for loss, *options in (
            ("batch-hard", "-g", "label"),
            ("supcon", "-g", "label"),
            ("batch-hard", "--distance", "cosine"),
        )
    ]
    figures = [(one["value"], one["ci"], one["group"]) for one in found]
    assert len(figures) == 25
    assert figures == [(one["value"], one["ci"], one["group"]) for results in alone for one in results]


def test_counts_have_groups_and_intervals_in_a_suite(tmp_path):
    """Every number is the one that `compute` prints; entries of one file are read together."""
    root = ROOT / "samples"
    path = write(
        tmp_path,
        f"defaults: {{ci: 0.9, resamples: 200, ci-method: percentile}}\nlosses:\n"
        f"- {{name: a, loss: [gini, 'entropy:base=10'], inputs: {root}/splits.csv, group: {root}/splits.csv::split}}\n"
        f"- {{name: b, loss: variance-reduction, inputs: {root}/splits.csv, cluster: {root}/splits.csv::label}}\n"
        f"- {{name: c, loss: gini, inputs: {root}/splits.csv, keep: 10%}}\n",
    )
    done = run_lossctl("run", path, "--json")
    assert done.code == 2 and "gini" in done.err
    asked = ("--ci", "0.9", "--resamples", "200", "--ci-method", "percentile", "--json")
    file = root / "splits.csv"
    alone = [
        *json.loads(run_lossctl("compute", "gini", file, "--also", "entropy:base=10", "-g", "split", *asked).out)[
            "results"
        ],
        *json.loads(run_lossctl("compute", "variance-reduction", file, "--cluster", "label", *asked).out)["results"],
    ]
    together = json.loads(done.out)["results"]
    assert [(one["group"], one["value"], one["ci"]) for one in together] == [
        (one["group"], one["value"], one["ci"]) for one in alone
    ]


# --- reports


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "json", "ndjson", "tsv", "csv", "md", "latex", "junit", "html"])
def test_every_report_holds_every_entry(format, sample_run):
    done = run_lossctl("run", SAMPLE, "-f", format, COLUMNS="200")
    assert done.code == 0, done.err
    names = [entry["name"] for entry in sample_run["entries"]]
    if format == "ndjson":
        assert {json.loads(line)["entry"] for line in done.out.splitlines()} == set(names)
    elif format in ("csv", "tsv"):
        rows = list(csv.DictReader(io.StringIO(done.out), delimiter="," if format == "csv" else "\t"))
        assert {row["entry"] for row in rows} == set(names)
        values = {one["value"] for one in (*sample_run["results"], *sample_run["comparisons"])}
        assert {float(row["value"]) for row in rows} == values
    else:
        assert all(name in done.out for name in names)
    assert "0.1655" in done.out or "0.16547" in done.out
    assert "…" not in done.out  # warnings are whole


def test_junit_is_what_build_servers_read(failing):
    root = ElementTree.fromstring(run_lossctl("run", failing, "-f", "junit").out)
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("6", "2", "2")
    cases = {case.get("name"): case for case in suite}
    assert cases["high"].find("failure").get("message").startswith("bce is 0.165")
    assert "nowhere.npy" in cases["lost"].find("error").get("message")
    assert cases["lost"].find("error").get("type") == "FileError"
    assert cases["fine"].find("failure") is None and cases["fine"].find("system-out").text.startswith("bce all 0.165")
    assert any(" minus " in (case.find("system-out").text or "") for case in suite)


def test_text_from_a_suite_cannot_break_a_report(tmp_path):
    path = write(
        tmp_path,
        'title: "</title><script>alert(1)</script>"\n'
        f'losses:\n- {{name: "a <b> & \\"c\\" \\x1b[2J", loss: bce, inputs: {ROOT}/samples/preds.csv}}\n',
    )
    page = run_lossctl("run", path, "-f", "html").out
    assert "<script" not in page and "\x1b" not in page
    junit = ElementTree.fromstring(run_lossctl("run", path, "-f", "junit").out)
    assert junit[0][0].get("name").startswith('a <b> & "c"')


class Page(HTMLParser):
    """What a page holds: its tags, balanced or not, and what it would fetch."""

    VOID = ("meta", "br", "line", "circle")

    def __init__(self, text):
        super().__init__()
        self.tags, self.fetched, self.ids, self.links, self.stack = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "data", "action", "srcset")]
        self.ids += [values["id"]] if "id" in values else []
        if "href" in values:
            (self.links if values["href"].startswith("#") else self.fetched).append(values["href"])
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    path = folder / "report.html"
    done = run_lossctl("run", SAMPLE, "--report", path, "--report", folder / "junit.xml", "-q")
    assert done.code == 0
    assert ElementTree.parse(folder / "junit.xml").getroot().get("tests") == "7"
    return path


def test_the_page_needs_nothing_else_and_is_whole(page):
    text = page.read_text()
    found = Page(text)
    assert not found.stack and not found.fetched
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert "url(" not in text and "@import" not in text
    assert found.tags.count("svg") >= 8
    assert [link.removeprefix("#") for link in found.links] == found.ids


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_the_page_lays_out_in_a_browser(page, tmp_path):
    """Wide and narrow: nothing sticks out of the page, every picture has a size."""
    probe = tmp_path / "probe.html"
    script = (
        "<script>addEventListener('load', () => { const d = document.documentElement;"
        "const seen = [...document.querySelectorAll('svg')].filter(s => s.getClientRects().length);"
        "const size = seen.length >= 8 && seen.every(s => s.getBoundingClientRect().height > 40);"
        "const words = seen.flatMap(s => [...s.querySelectorAll('text')]);"
        "const cut = words.some(t => { const b = t.getBoundingClientRect(),"
        " s = t.ownerSVGElement.getBoundingClientRect(); return b.left < s.left - 1 || b.right > s.right + 1 });"
        "const boxes = [...document.querySelectorAll('.scroll')];"
        "const inner = Math.max(...boxes.map(e => e.scrollWidth - e.clientWidth));"
        "document.title = `wide ${d.scrollWidth - d.clientWidth}`"
        "+ ` inner ${inner} pictures ${size} cut ${cut}` })</script>"
    )
    probe.write_text(page.read_text().replace("</body>", script + "</body>"))
    for width in ("1100", "500"):
        done = subprocess.run(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--user-data-dir={tmp_path / width}", f"--window-size={width},900", "--dump-dom", f"file://{probe}",
            ],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        title = re.search(r"<title>(wide .*?)<", done.stdout)
        assert title and title[1] == "wide 0 inner 0 pictures true cut false"


def test_a_report_replaces_no_source_and_is_all_or_nothing(failing, tmp_path):
    before = (tmp_path / "flat.npy").read_bytes()
    shutil.copy(tmp_path / "flat.npy", tmp_path / "flat.csv")
    done = run_lossctl("run", failing, "--report", tmp_path / "x.pdf")
    assert done.code == 2 and ".html" in done.err
    assert run_lossctl("run", failing, "--report", tmp_path / "no/such/x.html").code == 4
    assert (tmp_path / "flat.npy").read_bytes() == before
    path = Path(tmp_path / "s.csv")
    path.write_text("pred,target\n1,2\n")
    suite = write(tmp_path, "losses: [{loss: mse, inputs: s.csv}]")
    done = run_lossctl("run", suite, "--report", path)
    assert done.code == 2 and path.read_text() == "pred,target\n1,2\n"


# --- pictures


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_ticks_are_few_and_span_the_values(a, b):
    low, high = sorted((a, b))
    ticks = ticks_between(low, high)
    assert 2 <= len(ticks) <= 10
    slack = 1e-9 * max(abs(low), abs(high))
    assert ticks[0] <= low + slack and ticks[-1] >= high - slack


def test_a_picture_holds_what_is_finite():
    picture = svg(
        [ForestBar("<a>", 1.0, 0.5, 2.0), ForestBar("b", float("nan")), ForestBar("c", 3.0)],
        title="t",
        marks=[(2.5, "max")],
    )
    root = ElementTree.fromstring(picture)
    assert len(root.findall(".//circle")) == 2
    assert "&lt;a&gt;" in picture
    assert svg([ForestBar("b", float("inf"))], title="t") == ""


def test_a_note_gives_each_verdict_the_p_that_it_rests_on(tmp_path):
    rng = np.random.default_rng(4)
    target = rng.normal(size=200)
    noise = rng.normal(size=200)
    np.savez(tmp_path / "x.npz", target=target, base=target + noise, other=target + noise + rng.normal(0, 0.02, 200))
    entry = {"name": "e", "loss": "mse", "base": "x.npz::base", "others": ["x.npz::other"], "target": "x.npz::target"}
    suite = tmp_path / "s.yaml"
    for margin, verdict, name in (
        *(("5%", "equivalent", "equivalent_adjusted"), ("1e-9", "harm not excluded", "non_inferior_adjusted")),
    ):
        suite.write_text(json.dumps({"comparisons": [{**entry, "margin-of-harm": margin}]}))
        report = tmp_path / "r.json"
        note = run_lossctl("run", suite, "-f", "tsv", "--report", report).out.splitlines()[1].split("\t")[-1]
        (comparison,) = json.loads(report.read_text())["comparisons"]

        ps = comparison["p_adjusted"], comparison["harm"][name]
        assert note == f"no difference shown, p {ps[0]:.2g}; {verdict}, p {ps[1]:.2g}", margin
