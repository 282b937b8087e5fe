"""Names of losses in libraries: each is known, and means one loss of ours or says why not."""

from __future__ import annotations

import json

import pytest
import sklearn.metrics
import torch
from conftest import run_lossctl
from folds import by, fold

import lossctl
from lossctl.errors import UsageError
from lossctl.language import elsewhere, registry

ROWS = elsewhere.table()
INSTALLED = {"torch": (torch.nn, torch.nn.functional), "scikit-learn": (sklearn.metrics,)}


def test_every_row_means_a_loss_or_says_why_not() -> None:
    losses = registry.load()
    assert [row for row in ROWS if bool(row.loss in losses) == bool(row.reason)] == []
    assert len({(row.library, row.names, row.where) for row in ROWS}) == len(ROWS)


@fold("row", by(lambda row: row.library, (row for row in ROWS if row.library in INSTALLED)))
def test_the_names_are_those_of_the_library(row: elsewhere.Foreign) -> None:
    assert all(any(hasattr(module, name) for module in INSTALLED[row.library]) for name in row.names)


@fold("row", by(lambda row: row.library, (row for row in ROWS if row.loss)))
def test_a_name_with_its_library_finds_the_loss(row: elsewhere.Foreign) -> None:
    for name in row.names:
        own = name.replace("_", "-").lower()
        if row.where:
            with pytest.raises(UsageError) as caught:
                elsewhere.ours(f"{row.library}.{name}")
            assert f"{row.loss} in {row.library}, {row.where}" in caught.value.why and row.loss in caught.value.fix
            continue
        assert elsewhere.ours(f"{row.library}.{name}") == row.loss
        if own not in registry.names():
            try:
                assert registry.find(name).name == row.loss
            except UsageError as fault:
                assert row.loss in fault.fix


def test_what_is_missing_says_why() -> None:
    with pytest.raises(UsageError, match="MatryoshkaLoss") as caught:
        registry.find("sentence_transformers.MatryoshkaLoss")
    assert "needs a model" in caught.value.why
    with pytest.raises(UsageError, match="unknown loss 'ndcg@10'") as caught:
        registry.find("ndcg@10")
    assert caught.value.fix == "write ndcg:cutoff=10"
    with pytest.raises(UsageError, match="unknown loss"):
        registry.find("torch.nn.NoSuchLoss")
    assert registry.find("F.l1_loss").name == registry.find("l1").name == "mae"
    assert registry.find("nn.CrossEntropyLoss()").name == "cross-entropy"
    assert registry.find("Mean Squared Error").name == registry.find("mean_squared_error").name == "mse"
    for name, use in {
        "MQLoss": "wis --levels 0.1/0.5/0.9 --scale 0.5",
        "roc_auc_score": "ranknet",
        "BalancedAccuracy": "scikit-learn",
        "NormalDistributionLoss": "gaussian-nll",
        "coverage": "interval-coverage, or coverage-error",
        "BinaryAUROC": "ranknet",
        "MulticlassF1Score": "dice",
        "AdjustedRandScore": "lossctl triplets",
        "SparseCategoricalAccuracy": "zero-one",
        "RetrievalPrecision": "ndcg",
        "word_error_rate": "jiwer",
        "MulticlassCohenKappa": "weighted-kappa, which is 1 minus kappa",
        "BinaryJaccardIndex": "jaccard",
        "f1_macro": "dice",
        "ConfusionMatrixMetric": "dice",
        "roc_auc_ovr_weighted": "ranknet",
        "label_ranking_average_precision_score": "ndcg",
    }.items():
        with pytest.raises(UsageError, match="is no loss here") as caught:
            registry.find(name)
        assert use in caught.value.fix, name
    for name in ("neg_mean_squared_error", "neg_mse"):
        with pytest.raises(UsageError, match="is minus a loss") as caught:
            registry.find(name)
        assert caught.value.fix == "write mse"
    with pytest.raises(UsageError) as caught:
        lossctl.compute("MQLoss", [0.5], [1.0])
    assert caught.value.fix == 'lossctl.compute("wis", ..., levels="0.1/0.5/0.9", scale=0.5)'
    assert registry.find("regression_mwi_score").name == "interval-score"
    with pytest.raises(UsageError, match=r"ArcFaceLoss\(num_classes=10\) is a call"):
        registry.find("losses.ArcFaceLoss(num_classes=10)")


@pytest.mark.parametrize(
    ("words", "first", "some"),
    [
        ("focal", "focal", {"focal-star", "focal-tversky"}),
        ("BCEWithLogitsLoss", "bce", set()),
        ("huber scikit-learn", "", set()),
        ("order lists", "listnet", {"list-mle", "ranking-softmax"}),
        ("trl", "generalized-jsd", {"dpo", "kto", "ipo", "orpo"}),
        ("nothing-like-it", "", set()),
        ("ranking", "ranknet", {"margin-ranking", "listnet", "label-ranking"}),
        ("svm", "hinge", set()),
        ("adaline", "mse", set()),
        ("naive-bayes", "log-loss", set()),
        ("reinforcement learning", "ppo-clip", set()),
        ("genetic-programming", "", set()),
    ],
)
def test_a_search_looks_in_names_here_and_elsewhere(words: str, first: str, some: set[str]) -> None:
    done = run_lossctl("list", "--search", words, "--names")
    names = done.out.split()
    if not first:
        assert (done.code, names) == (2, []) and "fix:" in done.err
        return
    assert names[0] == first and some <= set(names)


def test_a_library_lists_its_names_and_ours() -> None:
    lines = [line.split("\t") for line in run_lossctl("list", "--like", "pml", "-f", "tsv").out.splitlines()]
    assert lines[0] == ["theirs", "ours", "reason"] and ["FastAPLoss", "fast-ap", ""] in lines
    assert sum(bool(there) and bool(name) != bool(reason) for there, name, reason in lines[1:]) == len(lines) - 1
    assert "ciou" in run_lossctl("list", "--like", "torchvision", "--names").out.split()
    done = run_lossctl("list", "--like", "torchvison")
    assert done.code == 2 and "Did you mean 'torchvision'" in done.err


def test_a_search_within_a_family_and_as_json() -> None:
    gains = [loss.name for loss in registry.walk() if loss.family == "gains"]
    names = run_lossctl("list", "--search", "order", "--family", "gains", "--names").out.split()
    assert names and set(names) <= set(gains)
    (loss, *_) = json.loads(
        run_lossctl("list", "--search", "mean_squared_log_error", "--family", "relative", "--json").out
    )["results"]
    assert loss["name"] == "msle" and "mean_squared_log_error" in loss["elsewhere"]["scikit-learn"]


def test_a_loss_may_be_asked_for_by_what_stands_in_code() -> None:
    here = run_lossctl("compute", "bce", "samples/preds.csv").out
    assert run_lossctl("compute", "F.binary_cross_entropy", "samples/preds.csv").out == here


MEANT = {  # what people type, of which loss, and what that loss calls it
    "pinball": {"tau": "alpha", "quantile": "alpha", "quantiles": "alpha", "q": "alpha"},
    "expectile": {"tau": "alpha"},
    "info-nce": {"tau": "temperature", "T": "temperature", "logit_scale": "temperature, 1 over"},
    "cosface": {"temperature": "s, 1 over", "m": "margin", "scale": "s"},
    "huber": {"beta": "delta", "kappa": "delta"},
    "smooth-l1": {"delta": "beta"},
    "cross-entropy": {"weight": "class-weights", "smoothing": "label-smoothing", "ignore_label": "ignore-index"},
    "bce": {"scale_pos_weight": "pos-weight", "posweight": "pos-weight", "alpha": ""},
    "triplet": {"alpha": "margin", "temperature": ""},
    "ndcg": {"k": "cutoff", "top_k": "cutoff"},
    "minkowski": {"power": "p"},
    "tweedie-deviance": {"p": "power", "variance_power": "power"},
    "dice": {"eps": "smooth", "smooth_nr": "smooth", "background": ""},
    "student-t-nll": {"df": "nu"},
    "swav": {"sinkhorn_iterations": "iterations", "sinkhorn_epsilon": "epsilon"},
}


def test_an_option_by_another_name_is_answered_by_its_own():
    for loss, words in MEANT.items():
        for word, expected in words.items():
            with pytest.raises(UsageError) as caught:
                registry.parse(f"{loss}:{word}=1")
            own, fix = registry.find(loss), caught.value.fix.replace("_", "-")
            if expected:
                assert any(f"{lead} {expected}" in fix for lead in ("use", "mean")), (loss, word, fix)
            else:
                assert fix.startswith(f"{loss} has {own.options[0].flag}"), (loss, word, fix)


def test_options_by_another_name_are_told_in_the_words_of_the_place():
    done = run_lossctl("compute", "pinball", "--tau", ".9", "samples/preds.npy")
    assert "No such option: --tau" in done.err and "use --alpha: the quantile" in done.err
    done = run_lossctl("triplets", "x.npz", "--metric", "cosine")
    assert "No such option: --metric" in done.err and "use --distance;" in done.err
    done = run_lossctl("compute", "dice", "--over", "all", "samples/preds.npy")
    assert "--over is of multiclass-dice" in done.err
    with pytest.raises(UsageError, match="no input or option 'tau'\\nfix: use alpha: the quantile"):
        lossctl.compute("pinball", [1.0], [2.0], tau=0.9)
