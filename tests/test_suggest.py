"""What fits a file can be computed from it, and nothing else can."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from conftest import run_lossctl

from lossctl.api.suggest import suggest
from lossctl.errors import DataError, FileError
from lossctl.language import registry

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


@pytest.mark.first_fast
@pytest.mark.parametrize("name", SOURCES)
def test_every_command_computes(name: str) -> None:
    document = json.loads(run_lossctl("suggest", f"samples/{name}", "--json").out)
    losses = {item["loss"]: item["command"] for item in document["losses"]}
    assert losses.keys() >= SOURCES[name]
    for command in losses.values():
        done = run_lossctl(*shlex.split(command)[1:])
        assert done.code == 0, (command, done.err)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["preds.csv", "ranking.csv", "distributions.npz"])
def test_what_is_not_suggested_cannot_be_computed(name: str) -> None:
    fitting = {item.loss for item in suggest(f"samples/{name}")}
    others = [loss.name for loss in registry.walk() if loss.name not in fitting]
    assert [other for other in others if run_lossctl("compute", other, f"samples/{name}").code == 0] == []


def test_values_decide_between_probabilities_and_logits() -> None:
    rows = np.array([0, 1, 1]), np.array([[-3.0], [2.0], [0.5]])
    of_logits = {item.loss: item.command for item in suggest(rows[1][:, 0], rows[0])}
    assert of_logits["bce"].endswith("--from-logits") and not of_logits["hinge"].endswith("--from-logits")
    chances = {item.loss: item.command for item in suggest(np.array([0.1, 0.8, 0.9]), rows[0])}
    assert not chances["bce"].endswith("--from-logits")


def test_two_sources_and_names_with_blanks(tmp_path) -> None:
    path = tmp_path / "my scores.npy"
    np.save(path, np.array([0.2, 0.7]))
    np.save(tmp_path / "y.npy", np.array([0, 1]))
    commands = {item.loss: item.command for item in suggest(str(path), str(tmp_path / "y.npy"))}
    assert run_lossctl(*shlex.split(commands["bce"])[1:]).code == 0


def test_what_fits_nothing_says_why(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("alpha,omega\nx,y\nz,w\n")
    done = run_lossctl("suggest", str(tmp_path / "a.csv"))
    assert (done.code, done.out) == (3, "") and "why:" in done.err and "fix:" in done.err
    with pytest.raises(DataError, match="no loss fits"):
        suggest(str(tmp_path / "a.csv"))
    with pytest.raises(FileError):
        suggest(str(tmp_path / "none.csv"))
