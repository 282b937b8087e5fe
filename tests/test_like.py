"""`--like LIBRARY`: rows of data, each of which parses, computes, and stays below what is set by hand."""

import json

import numpy as np
import pytest
from conftest import run_lossctl
from folds import by, fold

import lossctl
from lossctl.errors import UsageError
from lossctl.language import libraries, options, registry

LOGITS, LABELS = np.array([1.5, -2.7, 2.9, -3.8, 1.2, -4.5]), np.array([1, 1, 0, 0, 1, 0])
ROWS = libraries.presets()


@fold("row", by(lambda row: row.name, ROWS))
def test_a_row_is_of_a_loss_and_sets_what_that_takes(row):
    loss = registry.find(row.loss)
    assert loss.name == row.loss
    assert row.agrees in libraries.DIGITS and row.proof in ("run", "source") and row.what
    assert row.form in ("any", "prob", "logits") and row.reads.split()[:-1] in ([], ["class"], ["binary"])
    registry.make(loss, **row.own(loss))
    for key, value in row.settings(loss).items():
        setting = options.setting(key, options.COMPUTE)
        assert setting.suits(loss), key
        if setting.kind == "number":
            float(value)
        elif key == "reduction":
            assert value in loss.all_reductions
        else:
            assert value is True or value in setting.words


def test_no_two_rows_mean_the_same():
    keys = [(row.name, row.versions, row.loss, row.reads) for row in ROWS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("like", "value"),
    [
        ("torchvision", 0.4337151047),
        ("torchvision/no-alpha", 0.8503501751),
        ("torchvision/retinanet", 0.8674302094),
        ("keras", 0.8503501751),
        ("keras/balanced", 0.4337151047),
        ("optax@0.2.8", 0.8503501751),
        ("fvcore", 0.8503501751),
    ],
)
def test_one_file_of_logits_as_libraries_print_it(like, value):
    assert lossctl.compute("focal", LOGITS, LABELS, from_logits=True, like=like).value == pytest.approx(value)


def test_what_is_set_by_hand_stays(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1.0, 2.0], [3.0, 5.0]]))
    np.save(tmp_path / "y.npy", np.zeros((2, 2)))
    mse = ("compute", "mse", tmp_path / "x.npy", tmp_path / "y.npy", "--like", "torch/sum")
    assert run_lossctl(*mse).out == "39.0\n"
    assert run_lossctl(*mse, "-r", "mean").out == "9.75\n", "at its default, but set"
    focal = {"from_logits": True, "like": "torchvision"}
    plain = lossctl.compute("focal", LOGITS, LABELS, from_logits=True, alpha=0.75).value
    assert lossctl.compute("focal", LOGITS, LABELS, alpha=0.75, **focal).value == plain
    assert lossctl.compute("focal:alpha=0.75", LOGITS, LABELS, **focal).value == plain


def test_the_three_ways_agree_and_say_it(tmp_path):
    np.save(tmp_path / "x.npy", np.array([1.0, 0.25]))
    np.save(tmp_path / "y.npy", np.array([0, 1]))
    shell = run_lossctl("compute", "bce", tmp_path / "x.npy", tmp_path / "y.npy", "--like", "torch", "-v")
    assert "as torch: BCELoss" in shell.err and "--clip-log 100" in shell.err
    suite = tmp_path / "s.yaml"
    suite.write_text("losses:\n  - {loss: bce, inputs: [x.npy, y.npy], like: torch}\n")
    document = json.loads(run_lossctl("run", suite, "-f", "json").out)
    called = lossctl.compute("bce", np.array([1.0, 0.25]), np.array([0, 1]), like="torch")
    assert float(shell.out) == called.value == document["results"][0]["value"] == (100 - np.log(0.25)) / 2
    assert "clip-log:100" in called.signature


@pytest.mark.parametrize(
    ("loss", "like", "message"),
    [
        ("focal", "trch", "Did you mean 'torch'"),
        ("focal", "scipy", "nothing is known of focal in scipy"),
        ("bce", "keras@2.1", "keras 2.1 is not known"),
        ("bce", "keras@x", "'x' is no version"),
        ("focal", "keras/blanced", "keras has no 'blanced' of focal"),
    ],
)
def test_what_is_not_known_is_refused(loss, like, message):
    with pytest.raises(UsageError, match=message) as fault:
        lossctl.compute(loss, [0.5, 0.25], [0, 1], like=like)
    assert fault.value.fix


def test_versions_are_ranges():
    assert libraries.holds(">=1.0,<3", "2.13.0+cpu") and not libraries.holds(">=1.0,<3", "3")
    assert libraries.holds(">=0.2", "0.2.8") and not libraries.holds(">=0.2", "0.1.9")
