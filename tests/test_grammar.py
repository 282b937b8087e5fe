"""One grammar: a loss with its options, a level, a column and a suite are written alike wherever they are asked for."""

import difflib
import json
import math
import re

import numpy as np
import pytest
from conftest import ROOT, run_lossctl
from folds import fold

import lossctl
from lossctl.errors import UsageError
from lossctl.language import registry
from lossctl.language.pointers import POINTERS

S = ROOT / "samples"
PREDS = S / "preds.csv"


def value(*words, **more):
    done = run_lossctl(*words, **more)
    assert done.code == 0, done.err
    return float(done.out)


@pytest.mark.first_fast
@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("focal:gamma=3,alpha=0.25", ("focal", "--gamma", "3", "--alpha", "0.25")),
        ("focal:gamma=2", ("focal",)),
        ("ce:label-smoothing=0.1", ("cross-entropy", "--label-smoothing", "0.1")),
        ("bce:pos_weight=3", ("bce", "--pos-weight", "3")),
    ],
)
def test_a_loss_with_its_options_is_one_word(spec, options):
    files = (S / "digits_probs.npy", S / "digits_labels.npy") if spec.startswith("ce:") else (PREDS,)
    expected = value("compute", *options, *files)
    assert value("compute", spec, *files) == expected
    assert value("compute", "-r", "mean", spec, *files) == expected
    assert lossctl.compute(spec, *map(str, files)).value == expected


@pytest.mark.slow
def test_flags_and_lists_in_a_word(tmp_path):
    np.savez(tmp_path / "d.npz", probs=np.array([[0.2, 0.3, 0.5]] * 4), label=np.array([0, 1, 2, 2]))
    weighted = value("compute", "cross-entropy", "--class-weights", "1/2/3", tmp_path / "d.npz")
    assert value("compute", "cross-entropy:class-weights=1/2/3", tmp_path / "d.npz") == weighted
    assert weighted != value("compute", "cross-entropy", tmp_path / "d.npz")
    sets = S / "embeddings.npz"
    assert value("compute", "circle:unified=true", sets) == value("compute", "circle", "--unified", sets)
    assert value("compute", "circle:unified=false", sets) == value("compute", "circle", sets)


def test_a_word_that_means_nothing_is_refused():
    for word, told in (
        ("focal:gama=2", "no option 'gama'"), ("focl:gamma=2", "'focal'"), ("focal:gamma", "cannot read"),
        ("focal:gamma=x", "gamma"),
    ):  # fmt: skip
        done = run_lossctl("compute", word, PREDS)
        assert done.code == 2 and told in done.err, done.err
    done = run_lossctl("compute", "focal:gamma=3", "--gamma", "2", PREDS)
    assert done.code == 2 and "--gamma is given twice" in done.err


@pytest.mark.first_fast
@pytest.mark.parametrize("level", ["95%", "0.95", "95.0%"])
def test_a_level_is_a_share_or_a_percentage(tmp_path, level):
    def interval(document):
        return document["results"][0]["ci"]

    expected = interval(json.loads(run_lossctl("compute", "bce", PREDS, "--ci", "0.95", "--json").out))
    assert expected["level"] == 0.95
    assert interval(json.loads(run_lossctl("compute", "bce", PREDS, "--ci", level, "--json").out)) == expected
    assert lossctl.compute("bce", str(PREDS), ci=level).ci.low == expected["low"]
    (tmp_path / "s.yaml").write_text(f"losses:\n- {{loss: bce, inputs: '{PREDS}', ci: {level}}}\n")
    assert interval(json.loads(run_lossctl("run", tmp_path / "s.yaml", "--json").out)) == expected
    systems = ("compare", S / "distributions.npz::q", S / "digits_probs.npy", "-y", S / "digits_labels.npy")
    compared = json.loads(run_lossctl(*systems, "--loss", "cross-entropy", "--ci", level, "--json").out)
    assert interval(compared)["level"] == 0.95


@pytest.mark.first_fast
@pytest.mark.parametrize("level", ["95", "100%", "0%", "-5%", "x", "%", "nan", "nan%"])
def test_no_level_is_guessed(level):
    done = run_lossctl("compute", "bce", PREDS, f"--ci={level}")
    assert done.code == 2 and "--ci" in done.err and "0.95" in done.err, done.err


@pytest.fixture
def table(tmp_path):
    rows = [f"{'ab'[k % 2]},r{k},{k},{k + 0.1 * (k % 3)},{1 + k % 2}" for k in range(12)]
    (tmp_path / "t.csv").write_text("site,name,target,ridge,w\n" + "\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.slow
def test_bare_names_stand_for_columns_in_every_role(table):
    expected = value("compute", "mae", "t.csv::ridge", "t.csv::target", cwd=table)
    assert expected == pytest.approx(np.mean([0.1 * (k % 3) for k in range(12)]), rel=1e-12)
    ways = (
        ("t.csv", "--pred", "ridge", "-y", "target"), ("--pred", "t.csv::ridge", "-y", "target"),
        ("--pred", "ridge", "-y", "t.csv::target"), ("t.csv::ridge", "-y", "target"), ("t.csv", "--pred", "ridge"),
    )  # fmt: skip
    weighted = value("compute", "mae", "t.csv::ridge", "t.csv::target", "-w", "t.csv::w", cwd=table)
    by_site = run_lossctl("compute", "mae", "t.csv::ridge", "t.csv::target", "-g", "t.csv::site", cwd=table).out
    for way in ways:
        assert value("compute", "mae", *way, cwd=table) == expected, way
        assert value("compute", "mae", *way, "-w", "w", cwd=table) == weighted, way
        assert run_lossctl("compute", "mae", *way, "-g", "site", cwd=table).out == by_site, way
        top = run_lossctl("compute", "mae", *way, "--top", "1", "--id", "name", cwd=table).out.splitlines()
        head, row = (line.split("\t") for line in top)
        assert row[head.index("id")] == f"r{row[head.index('row')]}"
    content = (table / "t.csv").read_bytes()
    assert value("compute", "mae", "-", "--pred", "ridge", "-y", "target", cwd=table, stdin=content) == expected


def test_a_source_that_names_nothing_is_still_refused(table):
    (table / "other.csv").write_text("ridge,target\n1,2\n")
    columns = ("--pred", "t.csv::ridge", "-y", "t.csv::target")
    assert value("compute", "mae", "t.csv", *columns, cwd=table) == value("compute", "mae", *columns, cwd=table)
    done = run_lossctl("compute", "mae", "other.csv", *columns, cwd=table)
    assert done.code == 2 and "beside options that name every input" in done.err
    done = run_lossctl("compute", "mae", "--pred", "ridge", "-y", "target", cwd=table)
    assert done.code == 4 and "ridge: no such file" in done.err


def test_a_suite_comes_from_a_pipe(table):
    suite = "losses:\n- {loss: mae, inputs: ['t.csv::ridge', 't.csv::target'], max: 1}\n"
    (table / "s.yaml").write_text(suite)
    piped = run_lossctl("run", "-", "--json", stdin=suite.encode(), cwd=table)
    named = run_lossctl("run", "s.yaml", "--json", cwd=table)
    assert piped.code == named.code == 0
    assert json.loads(piped.out)["results"] == json.loads(named.out)["results"]
    done = run_lossctl("run", "-", stdin=b"losess: []", cwd=table)
    assert done.code == 3 and "stdin:1:1" in done.err and "'losses'" in done.err
    done = run_lossctl("run", "s.yml", cwd=table)
    assert done.code == 4 and "did you mean s.yaml?" in done.err
    assert "did you mean" not in run_lossctl("compute", "mae", "nofile.npy", cwd=table).err


# --- names that are no loss


@fold("name", {"all": POINTERS})
def test_a_pointer_says_what_it_is_and_what_works(name):
    pointer = POINTERS[name]
    assert name not in registry.names()
    with pytest.raises(UsageError) as caught:
        registry.find(name)
    assert all((caught.value.what, caught.value.why, caught.value.fix)) and "Did you mean" not in str(caught.value)
    for command in [pointer.loss, *re.findall(r"lossctl (?:compute|explain) ([a-z0-9-]+)", pointer.use)]:
        assert not command or registry.find(command)


@pytest.mark.parametrize("name", ["svm", "Naive Bayes", "cart", "adaline", "accuracy", "reinforcement_learning"])
def test_objectives_are_found_by_their_names(name):
    done = run_lossctl("compute", name, "x.npy")
    assert done.code == 2 and "is no loss here" in done.err and "fix:" in done.err
    done = run_lossctl("explain", name)
    assert done.code == 0 and "Not a loss" in done.out and "Use" in done.out
    assert "no loss has to do" not in run_lossctl("list", "--search", name).err


def test_the_list_ends_with_objectives():
    text = run_lossctl("list", "-f", "table").out
    for name in ("naive-bayes", "genetic-programming", "reinforcement-learning", "svm", "cart", "adaline"):
        assert re.search(f"^ {name} ", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["brierr", "zzz", "focal-los", "auk", "dic"])
def test_no_far_fetched_guess(name):
    with pytest.raises(UsageError) as caught:
        registry.find(name)
    guesses = re.findall(r"'([a-z0-9-]+)'", caught.value.what)[1:]
    assert all(difflib.SequenceMatcher(None, name, guess).ratio() >= 0.75 for guess in guesses)


def test_all_inputs_that_are_not_known_are_asked_for_at_once(tmp_path):
    """Two tries are enough, whatever the columns are called."""
    (tmp_path / "a.csv").write_text("id,diagnosis,p_malignant,p_benign\n1,benign,0.1,0.9\n2,malignant,0.8,0.2\n")
    done = run_lossctl("compute", "bce", tmp_path / "a.csv", "--positive", "benign")
    fix = done.err.partition("fix:")[2]
    words = [f"--prob {tmp_path}/a.csv::p_benign", f"--label {tmp_path}/a.csv::diagnosis"]
    assert done.code == 3 and all(word in fix for word in words)
    line = " ".join(words).split()
    done = run_lossctl("compute", "bce", tmp_path / "a.csv", "--positive", "benign", *line)
    assert float(done.out) == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2, rel=1e-15)
    (tmp_path / "i.csv").write_text("setosa,virginica,species\n0.9,0.1,setosa\n0.2,0.8,virginica\n")
    fix = run_lossctl("compute", "cross-entropy", "i.csv", cwd=tmp_path).err.partition("fix:")[2]
    words = ["--prob i.csv::setosa..virginica", "--label i.csv::species"]
    assert all(f"{word}," in fix for word in words), fix
    done = run_lossctl("compute", "cross-entropy", *" ".join(words).split(), cwd=tmp_path)
    assert float(done.out) == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2, rel=1e-15)
    (tmp_path / "w.csv").write_text("cultivar,alcohol\n1,strong\n2,light\n")
    done = run_lossctl("compute", "gini-gain", tmp_path / "w.csv")
    words = [f"--label {tmp_path}/w.csv::cultivar", f"--split {tmp_path}/w.csv::alcohol"]
    assert all(word in done.err for word in words)
    assert run_lossctl("compute", "gini-gain", tmp_path / "w.csv", *" ".join(words).split()).out == "0.5\n"
