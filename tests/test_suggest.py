"""What fits a file can be computed from it, and nothing else can."""

from __future__ import annotations

import gzip
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from conftest import run_lossctl

import lossctl
from lossctl.api.suggest import suggest
from lossctl.errors import DataError, FileError, LossctlError
from lossctl.files import sources
from lossctl.files.dialect import Dialect
from lossctl.files.opening import open_bytes
from lossctl.language import options, registry

SOURCES = {
    "preds.csv": {"bce", "focal", "calibration-error", "dice"},
    "regression.csv": {"mse", "mape", "poisson-nll", "r2"},
    "ranking.csv": {"ndcg", "ranknet", "list-mle"},
    "pairs.npz": {"contrastive", "pairwise-ranking"},
    "splits.csv": {"gini", "information-gain"},
    "triplets.npz": {"triplet"},
    "distributions.npz": {"kl", "js"},
    "binary_logits.npz": {"hinge", "bce", "focal-star"},
    "embeddings.npz": {"supcon", "batch-hard"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_every_command_computes(name: str) -> None:
    document = json.loads(run_lossctl("suggest", f"samples/{name}", "--json").out)
    losses = {item["loss"]: item["command"] for item in document["results"]}
    assert losses.keys() >= SOURCES[name]
    for command in losses.values():
        done = run_lossctl(*shlex.split(command)[1:])
        assert done.code == 0, (command, done.err)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["preds.csv", "ranking.csv", "distributions.npz"])
def test_what_is_not_suggested_cannot_be_computed(name: str) -> None:
    fitting = {item.loss for item in suggest(f"samples/{name}").fits}
    others = [loss.name for loss in registry.walk() if loss.name not in fitting]
    assert [other for other in others if _is_computed(other, f"samples/{name}")] == []


def _is_computed(loss: str, path: str) -> bool:
    try:
        lossctl.compute(loss, path)
    except LossctlError:
        return False
    return True


def test_values_decide_between_probabilities_and_logits() -> None:
    rows = np.array([0, 1, 1]), np.array([[-3.0], [2.0], [0.5]])
    of_logits = {item.loss: item.command for item in suggest(rows[1][:, 0], rows[0]).fits}
    assert (
        of_logits["bce"] == "lossctl.compute('bce', ARRAY, ARRAY, from_logits=True)"
        and "from" not in of_logits["hinge"]
    )
    chances = {item.loss: item.command for item in suggest(np.array([0.1, 0.8, 0.9]), rows[0]).fits}
    assert "from" not in chances["bce"]


def test_two_sources_and_names_with_blanks(tmp_path) -> None:
    path = tmp_path / "my scores.npy"
    np.save(path, np.array([0.2, 0.7]))
    np.save(tmp_path / "y.npy", np.array([0, 1]))
    commands = {item.loss: item.command for item in suggest(str(path), str(tmp_path / "y.npy")).fits}
    assert run_lossctl(*shlex.split(commands["bce"])[1:]).code == 0


def test_what_was_said_of_the_file_is_in_the_commands(tmp_path) -> None:
    """Each of its settings: without one of them the command would read another table, or none."""
    path = tmp_path / "a.csv"
    path.write_text("0,25|0\n0,5|1\n1.000,75|1\n")
    settings = ["--header", "no", "--delimiter", "|", "--decimal", ",", "--thousands", "."]
    done = run_lossctl("suggest", str(path), *settings, "--json")
    commands = {item["loss"]: item["command"] for item in json.loads(done.out)["results"]}
    assert run_lossctl(*shlex.split(commands["mae"])[1:]).out == run_lossctl("compute", "mae", str(path), *settings).out
    rows = options.settings("suggest", "shell").keys() & options.settings("compute", "shell").keys()
    assert {f"--{key}" for key in rows - {"output", "format", "json", "color", "dim"}} <= set(
        shlex.split(commands["mae"])
    )


def test_columns_that_are_read_otherwise_are_told(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("prob;label\n0,25;0\n0,5;1\n")
    done = run_lossctl("suggest", str(tmp_path / "a.csv"))
    assert "gini" in done.out and "'0,25' is not a number; add --decimal ," in done.err
    assert "bce" in run_lossctl("suggest", str(tmp_path / "a.csv"), "--decimal", ",").out


@pytest.mark.slow
def test_several_files_as_one_are_a_call_of_python(tmp_path) -> None:
    paths = tmp_path / "a.csv", tmp_path / "b.csv"
    for path in paths:
        path.write_text("prob;label\n0.25;0\n0.5;1\n")
    commands = {item.loss: item.command for item in suggest(paths, dialect=Dialect(header=True, delimiter=";")).fits}
    assert eval(commands["bce"], {"lossctl": lossctl, "Path": Path}).n == 4
    alone = {item.loss: item.command for item in suggest(paths[0], dialect=Dialect(delimiter=";")).fits}
    assert run_lossctl(*shlex.split(alone["bce"])[1:]).code == 0


@pytest.mark.slow
def test_what_fits_nothing_says_why(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("alpha,omega\nx,y\nz,w\n")
    done = run_lossctl("suggest", str(tmp_path / "a.csv"), "--header", "yes")
    assert (done.code, done.out) == (3, "") and "why:" in done.err and "fix:" in done.err
    done = run_lossctl("suggest", str(tmp_path / "a.csv"))
    assert done.code == 3 and "no loss fits" not in done.err and "--header yes" in done.err
    with pytest.raises(DataError, match="no loss fits"):
        suggest(str(tmp_path / "a.csv"), dialect=Dialect(header=True))
    with pytest.raises(FileError):
        suggest(str(tmp_path / "none.csv"))


@pytest.mark.slow
def test_a_file_is_unpacked_once_whatever_losses_ask_for(tmp_path, monkeypatch) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(Path("samples/preds.csv").read_bytes()))
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(bytes(128 << 20)))
    plain, paths = suggest("samples/preds.csv"), []
    monkeypatch.setattr(sources, "open_bytes", lambda path, closing: paths.append(path) or open_bytes(path, closing))
    packed = suggest(str(tmp_path / "a.csv.gz"))
    assert [item.loss for item in packed.fits] == [item.loss for item in plain.fits] and len(paths) == 1
    with pytest.raises(DataError, match="would become"):
        suggest(str(tmp_path / "bomb.csv.gz"))
    assert len(paths) == 2


@pytest.mark.slow
def test_where_no_column_has_a_name_the_likeliest_are_taken_and_it_is_said(tmp_path) -> None:
    """A forecast with its interval, a model's name as the column, a guess too many; each command runs."""
    path = tmp_path / "a.csv"

    def commands(text: str) -> dict[str, str]:
        path.write_text(text)
        done = run_lossctl("suggest", str(path), "--json")
        assert "likeliest" in done.err
        return {item["loss"]: item["command"] for item in json.loads(done.out)["results"]}

    of_forecast = commands(  # the ends nearest to each other in the file are of two levels
        "ds,y,NHITS,NHITS-lo-90,NHITS-lo-80,NHITS-hi-80,NHITS-hi-90\n"
        "Mon,1.5,1.25,1.125,1.2,1.3,2.5\nTue,3.5,3.25,2.125,3.2,3.3,4.5\n"
    )
    assert json.loads(run_lossctl(*shlex.split(of_forecast["mse"])[1:], "--json").out)["results"][0]["value"] == 0.0625
    ends = [f"--lower={path}::NHITS-lo-90", f"--upper={path}::NHITS-hi-90"]
    right = run_lossctl("compute", "interval-score", str(path), *ends).out
    assert run_lossctl(*shlex.split(of_forecast["interval-score"])[1:]).out == right
    assert of_forecast.keys().isdisjoint({"gaussian-nll", "router-z", "koleo"})
    of_two = commands("gt,tuned\n1,0.25\n0,0.5\n")
    assert f"--prob {path}::tuned --label {path}::gt" in of_two["bce"]
    for text in ("u,v,w\n1.5,2.5,0.25\n", "gt,v,w\n1,0.5,0.25\n"):
        path.write_text(text)
        assert run_lossctl("suggest", str(path)).code == 3


def test_items_of_users_are_lists_of_documents(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("user_id,item_id,score,clicked\nann,1,0.5,1\nann,2,0.75,0\nbob,1,0.25,1\n")
    named = lossctl.compute("ndcg", [0.5, 0.75, 0.25], [1, 0, 1], group=["ann", "ann", "bob"]).value
    assert lossctl.compute("ndcg", str(path)).value == named
