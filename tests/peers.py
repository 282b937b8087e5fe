"""The libraries of `libraries.tsv`, run: a function for each row, and the page of what was proved.

`python tests/peers.py` runs all that are installed and writes docs/parity.md; tests/test_parity.py holds those of the
pinned set. A library that is not installed raises ImportError. Those that need an older numpy are run by the
interpreters of LOSSCTL_PEERS: peers_apart.py says how.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.special

os.environ.setdefault("KERAS_BACKEND", "torch")
PAGE = Path(__file__).parent.parent / "docs" / "parity.md"
N, C = 60, 4


CLASS_WEIGHTS = [1, 2, 4, 0.5]


class Inputs(NamedTuple):
    """The inputs of every loss, of one kind, "random" or "hard", and type.

    weights: whether "rows" or "classes" are weighted
    """

    kind: str
    type: str
    arrays: dict[str, np.ndarray]
    weights: str = ""

    @property
    def of_rows(self) -> np.ndarray | None:
        """The weights of the rows: their own, or those of their classes."""
        of_classes = np.array(CLASS_WEIGHTS, self.type)[self.arrays["classes"]]
        return {"rows": self.arrays["weight"], "classes": of_classes}.get(self.weights)

    @property
    def of_classes(self) -> Any:
        """The weights of the classes, as a tensor."""
        return t(np.array(CLASS_WEIGHTS, self.type)) if self.weights == "classes" else None

    def of_cells(self, columns: int = 0) -> Any:
        """The weights of the rows as a tensor, for each of some columns."""
        weights = self.of_rows
        return None if weights is None else t(np.repeat(weights[:, None], columns, axis=1) if columns else weights)

    def __getattr__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __str__(self) -> str:
        return f"{self.kind} {self.type}" + (f" with weights of {self.weights}" if self.weights else "")


def inputs(kind: str, type: str) -> Inputs:
    """Random, or hard: certain and wrong predictions, huge errors, equal points, a lone class, ties."""
    rng = np.random.default_rng(11)
    hard = kind == "hard"
    pred, target = rng.normal(size=(2, N)) * (30 if hard else 1)
    table, table_target = rng.normal(size=(2, N, 3)) * (30 if hard else 1)
    logit, scores = rng.normal(0, 2, N), rng.normal(0, 2, (N, C))
    prob = scipy.special.expit(logit)
    emb, ids = rng.normal(size=(24, 5)), np.repeat(np.arange(6), 4)
    left, right, third = rng.normal(size=(3, N, 5))
    score, relevance = rng.normal(size=N), rng.integers(0, 4, N).astype(float)
    if hard:
        logit, scores = logit * 8, scores * 6
        prob[:6] = [0, 1, 0, 1, 1e-9, 1 - 1e-9]
        emb[1], ids[-1] = emb[0], 6
        relevance = np.minimum(relevance, 1)
    p, q = rng.dirichlet(np.ones(C), (2, N))
    corner = rng.uniform(0, 4, (2, N, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 4, (2, N, 2))], axis=2)
    floats = {
        "pred": pred, "target": target, "table": table, "table_target": table_target, "logit": logit,
        "scores": scores, "prob": prob, "probs": scipy.special.softmax(rng.normal(0, 2, (N, C)), axis=1), "emb": emb,
        "left": left, "right": right, "third": third, "score": score, "relevance": relevance, "p": p, "q": q,
        "box": boxes[0], "true_box": boxes[1], "rate": rng.uniform(0.5, 5, N), "amount": rng.uniform(0.5, 5, N),
        "variance": rng.uniform(0.1, 2, N), "weight": rng.uniform(0.5, 2, N),
        "distances": np.linalg.norm(left - right, axis=1),
    }  # fmt: skip
    whole = {
        "label": (np.arange(N) // 3) % 2, "classes": rng.integers(0, C, N), "same": rng.integers(0, 2, N), "ids": ids,
        "group": np.repeat(np.arange(10), 6), "many": rng.integers(0, 2, (N, C)), "counts": rng.integers(0, 9, N),
        "split": rng.integers(0, 3, N), "views": np.tile(np.arange(12), 2),
    }  # fmt: skip
    whole["few"] = np.minimum(whole["classes"], C - 2)  # one class has no row
    arrays = {name: array.astype(type) for name, array in floats.items()}
    arrays["probs"] /= arrays["probs"].sum(axis=1, keepdims=True)
    for name, size in (
        ("chosen", "rate"),
        ("rejected", "amount"),
        ("ref_chosen", "variance"),
        ("ref_rejected", "weight"),
    ):
        arrays[name] = (-20 if hard else -1) * arrays[size]
    arrays["guide"] = arrays["third"] + arrays["left"] / 2
    arrays["near"] = arrays["left"] + arrays["right"] / 2
    arrays["share"], arrays["even_emb"], whole["even_ids"] = arrays["relevance"] / 3, arrays["emb"][:16], ids[:16]
    arrays["frames"], whole["symbols"] = arrays["scores"].reshape(4, 15, C), 1 + whole["classes"][:12].reshape(4, 3) % 3
    arrays["time"] = rng.permutation(N).astype(type) + 1
    return Inputs(kind, type, {**arrays, **whole})


# what lossctl is given for a loss; predictions as logits stand behind
OURS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("mse", "mae", "rmse", "huber", "smooth-l1", "log-cosh", "pinball", "r2"), ("table", "table_target")
    ),
    **dict.fromkeys(
        ("mape", "msle", "poisson-deviance", "gamma-deviance", "tweedie-deviance", "d2-tweedie", "gamma-nll"),
        ("rate", "amount"),
    ),
    "tweedie-nll": ("rate", "counts"), "negative-binomial-nll": ("rate", "variance", "counts"),
    "ctc": ("frames", "symbols"),
    "poisson-nll": ("rate", "counts"), "gaussian-nll": ("pred", "variance", "target"), "kl": ("p", "q"),
    "js-distance": ("p", "q"), "hinge": ("score", "label"), "squared-hinge": ("score", "label"),
    "soft-margin": ("score", "label"), "multiclass-hinge": ("scores", "classes"), "multi-margin": ("scores", "classes"),
    "categorical-hinge": ("scores", "classes"), "multilabel-margin": ("scores", "many"),
    **dict.fromkeys(("two-way", "distribution-balanced"), ("scores", "many")), "aucm": ("score", "label"),
    **dict.fromkeys(("sparsemax", "entmax15", "entmax", "normmax"), ("scores", "classes")),
    "focal-star": ("logit", "label"), "triplet": ("left", "right", "third"), "contrastive": ("left", "right", "same"),
    "contrastive-sides": ("left", "right", "same"),
    "pairwise-ranking": ("left", "right", "same"), "cosine-embedding": ("left", "right", "same"),
    **dict.fromkeys(
        ("mnrl", "clip", "mega-batch-margin", "nt-xent-views", "dcl", "dclw", "macl", "hypersphere", "barlow-twins",
         "vicreg", "frossl", "mmcr"),
        ("left", "near"),
    ),
    "mnrl-negatives": ("left", "near", "third"), "gist": ("left", "near", "third", "guide"), "siglip": ("left", "near"),
    "pair-order": ("score", "pred", "label"), "giou": ("box", "true_box"), "diou": ("box", "true_box"),
    "ciou": ("box", "true_box"), "gini": ("classes",), "entropy": ("classes",),
    "information-gain": ("classes", "split"), "lovasz-hinge": ("score", "label"),
    **dict.fromkeys(("multiclass-dice", "multiclass-jaccard", "multiclass-tversky"), ("probs", "few")),
    "lovasz-softmax": ("probs", "classes"), "cox": ("pred", "time", "label"), "load-balancing": ("scores",),
    "online-contrastive": ("left", "right", "same"),
    **dict.fromkeys(("dpo", "aot"), ("chosen", "rejected", "ref_chosen", "ref_rejected")),
    **dict.fromkeys(("cosent", "angle"), ("left", "near", "share")),
    **dict.fromkeys(("sphereface", "proxy-anchor", "p2s-grad"), ("left", "classes")),
    **dict.fromkeys(("smooth-ap", "pnp"), ("even_emb", "even_ids")),
    **dict.fromkeys(
        ("median-error", "max-error", "wasserstein-1d", "energy-distance", "psnr", "snr", "si-sdr", "d2-pinball"),
        ("pred", "target"),
    ),
    **dict.fromkeys(
        ("ranknet", "listnet", "list-mle", "ranking-softmax", "pointwise-mse", "pointwise-bce", "margin-ranking",
         "pairwise-soft-zero-one"),
        ("score", "relevance", "group"),
    ),
    "ndcg": ("counts", "relevance", "group"), "mean-average-precision": ("counts", "same", "group"),  # many ties
    **dict.fromkeys(
        ("batch-all", "batch-hard", "semi-hard", "multi-similarity", "circle", "nt-xent", "supcon", "nca", "margin-wu",
         "generalized-lifted", "tuplet-margin", "fast-ap", "contrastive-pairs-sides", "snr-contrastive",
         "intra-pair-variance", "threshold-consistent-margin", "histogram"),
        ("emb", "ids"),
    ),
}  # fmt: skip


def ours(row: Any, x: Inputs) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    """The inputs of a row and the keywords beside them."""
    from lossctl.language import registry

    names = OURS.get(row.loss)
    keywords: dict[str, Any] = {}
    if names is None:
        is_class = row.loss in ("cross-entropy", "perplexity") or "class" in row.reads.split()
        names = ("scores" if row.form == "logits" else "probs", "classes") if is_class else (
            ("logit" if row.form == "logits" else "prob"), "label")  # fmt: skip
        keywords = {"from_logits": True} if row.form == "logits" else {}
    if row.library in ("xgboost", "lightgbm", "catboost") and "table" in names:
        names = ("pred", "target")
    if (row.library, row.loss) == ("optax", "poisson-deviance"):
        names = ("rate", "amount")
    if (row.library, row.loss) == ("lightly", "nt-xent"):
        names = ("emb", "views")
    if registry.find(row.loss).has_class_weights:
        keywords["class_weights"] = x.third[:C]
    if x.weights:
        keywords |= {"weight": x.weight} if x.weights == "rows" else {"class_weights": CLASS_WEIGHTS}
    return tuple(x.arrays[name] for name in names), keywords


# --- the libraries

Run = Callable[[Inputs], Any]
RUN: dict[tuple[str, str], Run] = {}  # library, and LOSS[/VARIANT][ READS]


def run(library: str, *rows: str) -> Callable[[Run], Run]:
    """List a function as what the library prints for rows `LOSS[/VARIANT][ READS]`."""

    def listed(function: Run) -> Run:
        RUN.update({(library, row): function for row in rows})
        return function

    return listed


def runner(row: Any) -> Run | None:
    """The function of a row."""
    name = f"{row.loss}/{row.variant}" if row.variant else row.loss
    return RUN.get((row.library, f"{name} {row.form}"), RUN.get((row.library, name)))


def t(array: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def f() -> Any:
    import torch.nn.functional as functional

    return functional


def torch_rows() -> dict[str, Run]:
    import torch

    def multilabel(x: Inputs) -> Any:
        target = np.full((N, C), -1)
        for i, row in enumerate(x.many):
            where = np.flatnonzero(row)
            target[i, : len(where)] = where
        return f().multilabel_margin_loss(t(x.scores), t(target))

    def ctc(**choice: Any) -> Run:
        def printed(x: Inputs) -> Any:
            log_p = t(x.frames).transpose(0, 1).log_softmax(2)
            return f().ctc_loss(log_p, t(x.symbols), *(t(np.full(4, size)) for size in (15, 3)), **choice)

        return printed

    return {
        "ctc": ctc(),
        "negative-binomial-nll": lambda x: (
            -torch.distributions.NegativeBinomial(t(x.variance), logits=t(np.log(x.rate / x.variance)))
            .log_prob(t(x.counts.astype(x.type)))
            .mean()
        ),
        "ctc/sum": ctc(reduction="sum"),
        "ctc/zero-infinity": ctc(zero_infinity=True),
        "mse": lambda x: f().mse_loss(t(x.table), t(x.table_target), weight=x.of_cells(3)),
        "mse/sum": lambda x: f().mse_loss(t(x.table), t(x.table_target), weight=x.of_cells(3), reduction="sum"),
        "mae": lambda x: f().l1_loss(t(x.table), t(x.table_target), weight=x.of_cells(3)),
        "mae/sum": lambda x: f().l1_loss(t(x.table), t(x.table_target), weight=x.of_cells(3), reduction="sum"),
        "huber": lambda x: f().huber_loss(t(x.table), t(x.table_target), weight=x.of_cells(3)),
        "smooth-l1": lambda x: f().smooth_l1_loss(t(x.table), t(x.table_target)),
        "poisson-nll": lambda x: f().poisson_nll_loss(t(x.rate), t(x.counts), log_input=False),
        "gaussian-nll": lambda x: f().gaussian_nll_loss(t(x.pred), t(x.target), t(x.variance)),
        "bce prob": lambda x: f().binary_cross_entropy(t(x.prob), t(x.label.astype(x.type)), weight=x.of_cells()),
        "bce logits": lambda x: f().binary_cross_entropy_with_logits(
            t(x.logit), t(x.label.astype(x.type)), weight=x.of_cells()
        ),
        "cross-entropy": lambda x: f().cross_entropy(t(x.scores), t(x.classes), weight=x.of_classes),
        "cross-entropy/sum": lambda x: f().cross_entropy(
            t(x.scores), t(x.classes), weight=x.of_classes, reduction="sum"
        ),
        "cross-entropy/by-n": lambda x: (
            f().cross_entropy(t(x.scores), t(x.classes), weight=x.of_classes, reduction="none").mean()
        ),
        "multi-margin": lambda x: f().multi_margin_loss(t(x.scores), t(x.classes)),
        "multi-margin/p2": lambda x: f().multi_margin_loss(t(x.scores), t(x.classes), p=2),
        "multiclass-hinge": lambda x: f().multi_margin_loss(t(x.scores), t(x.classes)),
        "soft-margin": lambda x: f().soft_margin_loss(t(x.score), t((2 * x.label - 1).astype(x.type))),
        "multilabel-margin": multilabel,
        "kl": lambda x: f().kl_div(t(np.log(x.q)), t(x.p), reduction="mean"),
        "kl/batchmean": lambda x: f().kl_div(t(np.log(x.q)), t(x.p), reduction="batchmean"),
        "kl/sum": lambda x: f().kl_div(t(np.log(x.q)), t(x.p), reduction="sum"),
        "kl/forgot-log": lambda x: f().kl_div(t(x.q), t(x.p), reduction="mean"),
        "pairwise-ranking": lambda x: f().hinge_embedding_loss(t(x.distances), t(2 * x.same - 1)),
        "cosine-embedding": lambda x: f().cosine_embedding_loss(t(x.left), t(x.right), t(2 * x.same - 1)),
        "pair-order": lambda x: f().margin_ranking_loss(t(x.score), t(x.pred), t((2 * x.label - 1).astype(x.type))),
        "triplet": lambda x: f().triplet_margin_loss(t(x.left), t(x.right), t(x.third)),
        "triplet/swap": lambda x: f().triplet_margin_loss(t(x.left), t(x.right), t(x.third), swap=True),
        "triplet/p1": lambda x: f().triplet_margin_loss(t(x.left), t(x.right), t(x.third), p=1),
        "triplet/cosine": lambda x: f().triplet_margin_with_distance_loss(
            t(x.left), t(x.right), t(x.third), distance_function=lambda a, b: 1 - f().cosine_similarity(a, b)
        ),
    }


for name, function in torch_rows().items():
    run("torch", name)(function)


@contextmanager
def without_operators() -> Iterator[None]:
    """torchvision beside a torch that it was not built for: its losses are plain Python and need no operators."""
    import torch

    kept = torch.library.register_fake
    torch.library.register_fake = lambda *_, **__: lambda function: function
    try:
        yield
    finally:
        torch.library.register_fake = kept


def vision() -> Any:
    with without_operators():
        import torchvision.ops
    return torchvision.ops


def visual_focal(module: Callable[[], Any], alpha: float, reduction: str = "mean") -> Run:
    def printed(x: Inputs) -> Any:
        label = t(x.label.astype(x.type))
        value = module().sigmoid_focal_loss(t(x.logit), label, alpha=alpha, gamma=2, reduction=reduction)
        return value / label.sum() if reduction == "sum" else value

    return printed


run("torchvision", "focal")(visual_focal(vision, 0.25))
run("torchvision", "focal/no-alpha")(visual_focal(vision, -1))
run("torchvision", "focal/retinanet")(visual_focal(vision, 0.25, "sum"))
for name, word in (("giou", "generalized"), ("diou", "distance"), ("ciou", "complete")):
    run("torchvision", name)(
        lambda x, word=word: getattr(vision(), f"{word}_box_iou_loss")(t(x.box), t(x.true_box), reduction="mean")
    )


def fv() -> Any:
    import fvcore.nn

    return fvcore.nn


def star(alpha: float) -> Run:
    def printed(x: Inputs) -> Any:
        from fvcore.nn.focal_loss import sigmoid_focal_loss_star

        return sigmoid_focal_loss_star(t(x.logit), t(x.label.astype(x.type)), alpha=alpha, reduction="mean")

    return printed


run("fvcore", "focal")(visual_focal(fv, -1))
run("fvcore", "focal-star")(star(-1))
run("fvcore", "focal-star/alpha")(star(0.25))


def keras_row(name: str, *inputs: str, **options: Any) -> Run:
    def printed(x: Inputs) -> Any:
        import keras

        truth, prediction = (x.arrays[word] for word in inputs)
        loss = getattr(keras.losses, name)(**options)
        if name.startswith("Categorical"):
            truth = np.eye(C)[truth]
        if truth.ndim == 1 and prediction.ndim == 1:
            truth, prediction = truth[:, None], prediction[:, None]
        return loss(truth.astype(x.type), prediction, sample_weight=x.of_rows)

    return printed


BALANCED = {"apply_class_balancing": True}
for row, function in {
    "mse": keras_row("MeanSquaredError", "table_target", "table"),
    "mae": keras_row("MeanAbsoluteError", "table_target", "table"),
    "huber": keras_row("Huber", "table_target", "table"),
    "log-cosh": keras_row("LogCosh", "table_target", "table"),
    "msle": keras_row("MeanSquaredLogarithmicError", "amount", "rate"),
    "mape": keras_row("MeanAbsolutePercentageError", "amount", "rate"),
    "poisson-nll": keras_row("Poisson", "counts", "rate"),
    "bce prob": keras_row("BinaryCrossentropy", "label", "prob"),
    "bce/float64": keras_row("BinaryCrossentropy", "label", "prob", dtype="float64"),
    "bce logits": keras_row("BinaryCrossentropy", "label", "logit", from_logits=True),
    "cross-entropy prob": keras_row("SparseCategoricalCrossentropy", "classes", "probs"),
    "cross-entropy logits": keras_row("SparseCategoricalCrossentropy", "classes", "scores", from_logits=True),
    "focal prob": keras_row("BinaryFocalCrossentropy", "label", "prob"),
    "focal logits": keras_row("BinaryFocalCrossentropy", "label", "logit", from_logits=True),
    "focal/balanced prob": keras_row("BinaryFocalCrossentropy", "label", "prob", **BALANCED),
    "focal/balanced logits": keras_row("BinaryFocalCrossentropy", "label", "logit", from_logits=True, **BALANCED),
    "focal/classes": keras_row("CategoricalFocalCrossentropy", "classes", "probs"),
    "hinge": keras_row("Hinge", "label", "score"),
    "squared-hinge": keras_row("SquaredHinge", "label", "score"),
    "categorical-hinge": keras_row("CategoricalHinge", "classes", "scores"),
    "kl": keras_row("KLDivergence", "p", "q"),
}.items():
    run("keras", row)(function)


@run("keras", "ctc")
def keras_ctc(x: Inputs) -> Any:
    import keras

    return keras.losses.CTC()(x.symbols, x.frames)


@run("keras", "circle")
def keras_circle(x: Inputs) -> Any:
    import keras

    rows = x.emb / np.linalg.norm(x.emb, axis=1, keepdims=True)
    return keras.losses.Circle()(x.ids, rows)


def sklearn_row(name: str, truth: str, prediction: str, **options: Any) -> Run:
    def printed(x: Inputs) -> Any:
        import sklearn.metrics

        weights = {"sample_weight": x.of_rows} if x.weights else {}
        return getattr(sklearn.metrics, name)(x.arrays[truth], x.arrays[prediction], **weights, **options)

    return printed


def impurity(criterion: str) -> Run:
    def printed(x: Inputs) -> Any:
        from sklearn.tree import DecisionTreeClassifier

        tree = DecisionTreeClassifier(criterion=criterion, max_depth=1).fit(x.table, x.classes, sample_weight=x.of_rows)
        return tree.tree_.impurity[0]

    return printed


for row, function in {
    "mse": sklearn_row("mean_squared_error", "table_target", "table"),
    "mae": sklearn_row("mean_absolute_error", "table_target", "table"),
    "rmse": sklearn_row("root_mean_squared_error", "table_target", "table"),
    "msle": sklearn_row("mean_squared_log_error", "amount", "rate"),
    "mape": sklearn_row("mean_absolute_percentage_error", "amount", "rate"),
    "pinball": sklearn_row("mean_pinball_loss", "table_target", "table"),
    "log-loss": sklearn_row("log_loss", "label", "prob"),
    "log-loss/float32": sklearn_row("log_loss", "label", "prob"),
    "bce": sklearn_row("log_loss", "label", "prob"),
    "cross-entropy": sklearn_row("log_loss", "classes", "probs"),
    "hinge": sklearn_row("hinge_loss", "label", "score"),
    "multiclass-hinge": sklearn_row("hinge_loss", "classes", "scores"),
    "poisson-deviance": sklearn_row("mean_poisson_deviance", "amount", "rate"),
    "gamma-deviance": sklearn_row("mean_gamma_deviance", "amount", "rate"),
    "r2": sklearn_row("r2_score", "table_target", "table"),
    "gini": impurity("gini"),
    "entropy": impurity("entropy"),
    "information-gain": sklearn_row("mutual_info_score", "classes", "split"),
}.items():
    run("scikit-learn", row)(function)


@run("scipy", "kl")
def scipy_kl(x: Inputs) -> Any:
    import scipy.stats

    return scipy.stats.entropy(x.p, x.q, axis=1).mean()


@run("scipy", "js-distance")
def scipy_js(x: Inputs) -> Any:
    import scipy.spatial.distance

    return scipy.spatial.distance.jensenshannon(x.p, x.q, axis=1).mean()


def optax_row(call: Callable[[Any, Inputs], Any]) -> Run:
    def printed(x: Inputs) -> Any:
        import jax

        jax.config.update("jax_enable_x64", True)
        import optax

        return call(optax, x).mean()

    return printed


for row, function in {
    "mse": lambda o, x: o.squared_error(x.table, x.table_target),
    "ctc": lambda o, x: o.ctc_loss(x.frames, np.zeros((4, 15)), x.symbols, np.zeros((4, 3))),
    "mse/l2-loss": lambda o, x: o.l2_loss(x.table, x.table_target),
    "huber": lambda o, x: o.huber_loss(x.table, x.table_target),
    "log-cosh": lambda o, x: o.log_cosh(x.table, x.table_target),
    "bce": lambda o, x: o.sigmoid_binary_cross_entropy(x.logit, x.label.astype(x.type)),
    "cross-entropy": lambda o, x: o.softmax_cross_entropy_with_integer_labels(x.scores, x.classes),
    "focal": lambda o, x: o.sigmoid_focal_loss(x.logit, x.label.astype(x.type)),
    "hinge": lambda o, x: o.hinge_loss(x.score, (2 * x.label - 1).astype(x.type)),
    "hinge/raw-labels": lambda o, x: o.hinge_loss(x.score, x.label.astype(x.type)),
    "multiclass-hinge": lambda o, x: o.losses.multiclass_hinge_loss(x.scores, x.classes),
    "kl": lambda o, x: o.kl_divergence(np.log(x.q), x.p),
    "kl/generalized": lambda o, x: o.losses.generalized_kl_divergence(np.log(x.q), x.p),
    "triplet": lambda o, x: o.losses.triplet_margin_loss(x.left, x.right, x.third),
    "nt-xent": lambda o, x: o.ntxent(x.emb, x.ids),
}.items():
    run("optax", row)(optax_row(function))


def metrics_row(name: str, truth: str, prediction: str, combine: Run = lambda value: value, **options: Any) -> Run:
    def printed(x: Inputs) -> Any:
        with without_operators():
            import torchmetrics
            import torchmetrics.classification
            import torchmetrics.text

        homes = (torchmetrics, torchmetrics.classification, torchmetrics.text)
        metric = next(getattr(home, name) for home in homes if hasattr(home, name))(**options).set_dtype(
            t(x.pred).dtype
        )
        columns = [t(x.arrays[name]) for name in (prediction, truth)]
        return combine(metric(*(column.reshape(-1) if truth == "table_target" else column for column in columns)))

    return printed


def perplexity(x: Inputs) -> Any:
    with without_operators():
        from torchmetrics.text import Perplexity

    return Perplexity()(t(x.scores)[None], t(x.classes)[None])


for row, function in {
    "mse": metrics_row("MeanSquaredError", "table", "table_target"),
    "mae": metrics_row("MeanAbsoluteError", "table", "table_target"),
    "rmse": metrics_row("MeanSquaredError", "table", "table_target", squared=False),
    "hinge": metrics_row("BinaryHingeLoss", "label", "score"),
    "squared-hinge": metrics_row("BinaryHingeLoss", "label", "score", squared=True),
    "multiclass-hinge": metrics_row("MulticlassHingeLoss", "classes", "scores", num_classes=C),
    "multiclass-hinge/one-vs-all": metrics_row(
        "MulticlassHingeLoss", "classes", "scores", lambda v: v.mean(), num_classes=C, multiclass_mode="one-vs-all"
    ),
    "kl": metrics_row("KLDivergence", "q", "p"),
    "perplexity": perplexity,
}.items():
    run("torchmetrics", row)(function)


def pml_row(make: Callable[[Any, Any, Any, Any], Any], miner: Callable[[Any], Any] | None = None) -> Run:
    def printed(x: Inputs) -> Any:
        from pytorch_metric_learning import distances, losses, miners, reducers

        loss = make(losses, reducers, distances, miners)
        emb, ids = t(x.emb), t(x.ids)
        return loss(emb, ids, miner(miners)(emb, ids)) if miner else loss(emb, ids)

    return printed


for row, function in {
    "batch-all": pml_row(lambda made, r, d, m: made.TripletMarginLoss()),
    "batch-all/unnormalized": pml_row(
        lambda made, r, d, m: made.TripletMarginLoss(distance=d.LpDistance(normalize_embeddings=False))
    ),
    "batch-all/mean": pml_row(lambda made, r, d, m: made.TripletMarginLoss(reducer=r.MeanReducer())),
    "batch-hard": pml_row(lambda made, r, d, m: made.TripletMarginLoss(), lambda m: m.BatchHardMiner()),
    "batch-hard/mean": pml_row(
        lambda made, r, d, m: made.TripletMarginLoss(reducer=r.MeanReducer()),
        lambda m: m.BatchHardMiner(),
    ),
    "batch-all/smooth": pml_row(lambda made, r, d, m: made.TripletMarginLoss(smooth_loss=True)),
    "batch-all/swap": pml_row(lambda made, r, d, m: made.TripletMarginLoss(swap=True)),
    **{
        f"batch-all/{ours}": pml_row(
            lambda made, r, d, m: made.TripletMarginLoss(),
            lambda m, theirs=theirs: m.TripletMarginMiner(margin=0.05, type_of_triplets=theirs),
        )
        for ours, theirs in (("hard", "hard"), ("semi-hard", "semihard"))
    },
    "contrastive-pairs-sides": pml_row(lambda made, r, d, m: made.ContrastiveLoss()),
    "contrastive-pairs-sides/unnormalized": pml_row(
        lambda made, r, d, m: made.ContrastiveLoss(distance=d.LpDistance(normalize_embeddings=False))
    ),
    "contrastive-pairs-sides/squared": pml_row(
        lambda made, r, d, m: made.ContrastiveLoss(distance=d.LpDistance(power=2))
    ),
    "multi-similarity": pml_row(lambda made, r, d, m: made.MultiSimilarityLoss()),
    "multi-similarity/mined": pml_row(
        lambda made, r, d, m: made.MultiSimilarityLoss(), lambda m: m.MultiSimilarityMiner()
    ),
    "circle/mean": pml_row(lambda made, r, d, m: made.CircleLoss(reducer=r.MeanReducer())),
    "supcon/mean": pml_row(lambda made, r, d, m: made.SupConLoss(reducer=r.MeanReducer())),
    "circle": pml_row(lambda made, r, d, m: made.CircleLoss()),
    "generalized-lifted": pml_row(lambda made, r, d, m: made.GeneralizedLiftedStructureLoss()),
    "nca": pml_row(lambda made, r, d, m: made.NCALoss()),
    "margin-wu": pml_row(lambda made, r, d, m: made.MarginLoss()),
    "tuplet-margin": pml_row(lambda made, r, d, m: made.TupletMarginLoss()),
    "fast-ap": pml_row(lambda made, r, d, m: made.FastAPLoss()),
    "snr-contrastive": pml_row(lambda made, r, d, m: made.SignalToNoiseRatioContrastiveLoss()),
    "intra-pair-variance": pml_row(lambda made, r, d, m: made.IntraPairVarianceLoss()),
    "threshold-consistent-margin": pml_row(lambda made, r, d, m: made.ThresholdConsistentMarginLoss()),
    "histogram": pml_row(lambda made, r, d, m: made.HistogramLoss()),
    "nt-xent": pml_row(lambda made, r, d, m: made.NTXentLoss()),
    "supcon": pml_row(lambda made, r, d, m: made.SupConLoss()),
}.items():
    run("pytorch-metric-learning", row)(function)


def monai_row(**options: Any) -> Run:
    def printed(x: Inputs) -> Any:
        from monai.losses import FocalLoss

        if options:
            one_hot = np.eye(C, dtype=x.type)[x.classes]
            return FocalLoss(**options)(t(x.scores), t(one_hot))
        return FocalLoss()(t(x.logit)[:, None], t(x.label.astype(x.type))[:, None])

    return printed


run("monai", "focal")(monai_row())
run("monai", "focal/softmax")(monai_row(use_softmax=True))


@run("kornia", "focal")
def kornia_binary(x: Inputs) -> Any:
    from kornia.losses import binary_focal_loss_with_logits

    label = t(x.label.astype(x.type))[:, None]
    return binary_focal_loss_with_logits(t(x.logit)[:, None], label, alpha=0.25, gamma=2, reduction="mean")


@run("kornia", "focal/classes")
def kornia_classes(x: Inputs) -> Any:
    from kornia.losses import focal_loss

    return focal_loss(t(x.scores), t(x.classes), alpha=0.25, gamma=2, reduction="mean")


def smp_row(mode: str, **options: Any) -> Run:
    def printed(x: Inputs) -> Any:
        with without_operators():
            from segmentation_models_pytorch.losses import FocalLoss

        data = (t(x.scores), t(x.classes)) if mode == "multiclass" else (t(x.logit), t(x.label))
        return FocalLoss(mode, **options)(*data)

    return printed


run("segmentation-models-pytorch", "focal")(smp_row("binary"))
run("segmentation-models-pytorch", "focal/alpha")(smp_row("binary", alpha=0.25))
run("segmentation-models-pytorch", "focal/reduced")(smp_row("binary", reduced_threshold=0.5))
run("segmentation-models-pytorch", "focal/classes")(smp_row("multiclass"))


@run("timm", "cross-entropy")
def timm_smoothing(x: Inputs) -> Any:
    with without_operators():
        from timm.loss import LabelSmoothingCrossEntropy

    return LabelSmoothingCrossEntropy(0.1)(t(x.scores), t(x.classes))


@run("transformers", "cross-entropy")
def transformers_smoother(x: Inputs) -> Any:
    with without_operators():
        from transformers.trainer_pt_utils import LabelSmoother

    return LabelSmoother(0.1)({"logits": t(x.scores)}, t(x.classes))


def lists(x: Inputs) -> tuple[np.ndarray, np.ndarray]:
    return x.score.reshape(10, 6), x.relevance.reshape(10, 6)


def rax_row(name: str) -> Run:
    def printed(x: Inputs) -> Any:
        import jax

        jax.config.update("jax_enable_x64", True)
        import rax

        return getattr(rax, name)(*lists(x))

    return printed


for row, name in {
    "ranknet": "pairwise_logistic_loss", "margin-ranking": "pairwise_hinge_loss", "list-mle": "listmle_loss",
    "ranking-softmax": "softmax_loss", "pointwise-mse": "pointwise_mse_loss", "pointwise-bce": "pointwise_sigmoid_loss",
    "pairwise-soft-zero-one": "pairwise_soft_zero_one_loss",
}.items():  # fmt: skip
    run("rax", row)(rax_row(name))


def allrank_row(module: str, name: str) -> Run:
    def printed(x: Inputs) -> Any:
        files = types.ModuleType("file_utils")  # of files, which are not read here, by modules of the cloud
        vars(files)["__getattr__"] = lambda word: None
        sys.modules.setdefault("allrank.utils.file_utils", files)
        home = importlib.import_module(f"allrank.models.losses.{module}")
        score, relevance = map(t, lists(x))
        if name == "bce":
            return home.bce(score.sigmoid(), (relevance > 0).to(score.dtype))
        return getattr(home, name)(score.clone(), relevance.clone())

    return printed


run("allrank", "ranknet")(allrank_row("rankNet", "rankNet"))
run("allrank", "listnet")(allrank_row("listNet", "listNet"))
run("allrank", "pointwise-bce")(allrank_row("bce", "bce"))


@run("lightly", "nt-xent")
def lightly_views(x: Inputs) -> Any:
    with without_operators():
        from lightly.loss import NTXentLoss

    return NTXentLoss()(t(x.emb[:12]), t(x.emb[12:]))


def boosted(library: str, metric: str) -> Run:
    """The metric that a model reports of predictions that it is given."""

    def printed(x: Inputs) -> Any:
        labels = {"binary_logloss": ("prob", "label"), "Logloss": ("logit", "label")}
        amounts = {"gamma_deviance": ("rate", "amount"), "gamma-nloglik": ("rate", "amount")}
        amounts |= dict.fromkeys(("poisson", "tweedie", "poisson-nloglik", "tweedie-nloglik@1.5"), ("rate", "counts"))
        pred, truth = (x.arrays[name] for name in {**labels, **amounts}.get(metric, ("pred", "target")))
        return globals()[f"{library}_metric"](metric, pred, truth, x)

    return printed


def xgboost_metric(metric: str, pred: np.ndarray, truth: np.ndarray, x: Inputs) -> float:
    import xgboost

    objective = {"poisson-nloglik": "count:poisson", "gamma-nloglik": "reg:gamma", "tweedie-nloglik@1.5": "reg:tweedie"}
    choice = {"base_score": 0.0, "eval_metric": metric, "disable_default_eval_metric": 1}
    if metric in objective:
        choice |= {"objective": objective[metric], "base_score": 1.0}
        pred = np.log(pred)
    booster = xgboost.train(choice, xgboost.DMatrix(np.zeros((2, 1)), label=[1.0, 1.0]), num_boost_round=0)
    data = xgboost.DMatrix(np.zeros((len(pred), 1)), label=truth, base_margin=pred, weight=x.of_rows)
    return float(booster.eval(data).rpartition(":")[2])


def lightgbm_metric(metric: str, pred: np.ndarray, truth: np.ndarray, x: Inputs) -> float:
    import lightgbm

    is_chance = metric == "binary_logloss"
    of_rates = {"gamma_deviance": "gamma", "poisson": "poisson", "tweedie": "tweedie"}
    start = np.log(pred / (1 - pred)) if is_chance else np.log(pred) if metric in of_rates else pred
    objective = {"binary_logloss": "binary", **of_rates}.get(metric, "regression")
    features = np.arange(len(pred), dtype=float)[:, None]
    data = lightgbm.Dataset(features, truth, init_score=start.astype(np.float64), weight=x.of_rows)
    scores: dict[str, Any] = {}
    still = {"learning_rate": 1e-300, "boost_from_average": False, "verbosity": -1}
    callbacks = [lightgbm.record_evaluation(scores)]
    lightgbm.train({**still, "objective": objective, "metric": metric}, data, 1, valid_sets=[data], callbacks=callbacks)
    return float(scores["training"][metric][0])


def catboost_metric(metric: str, pred: np.ndarray, truth: np.ndarray, x: Inputs) -> float:
    from catboost.utils import eval_metric

    return float(eval_metric(truth, pred, metric, weight=x.of_rows)[0])


for library, row, metric in (
    ("xgboost", "rmse", "rmse"), ("xgboost", "mae", "mae"), ("lightgbm", "mse", "l2"), ("lightgbm", "rmse", "rmse"),
    ("lightgbm", "bce", "binary_logloss"), ("lightgbm", "gamma-deviance", "gamma_deviance"),
    ("xgboost", "poisson-nll", "poisson-nloglik"), ("xgboost", "tweedie-nll", "tweedie-nloglik@1.5"),
    ("xgboost", "gamma-nll", "gamma-nloglik"), ("lightgbm", "poisson-nll", "poisson"),
    ("lightgbm", "tweedie-nll", "tweedie"), ("catboost", "rmse", "RMSE"), ("catboost", "bce", "Logloss"),
):  # fmt: skip
    run(library, row)(boosted(library, metric))


@run("lightly", "nt-xent-views")
def lightly_both(x: Inputs) -> Any:
    return lightly_loss("NTXentLoss")(t(x.left), t(x.near))


@run("lightly", "dcl")
def lightly_decoupled(x: Inputs) -> Any:
    return lightly_loss("DCLLoss")(t(x.left), t(x.near))


@run("lightly", "barlow-twins")
def lightly_twins(x: Inputs) -> Any:
    return lightly_loss("BarlowTwinsLoss")(t(x.left), t(x.near))


@run("lightly", "vicreg")
def lightly_vicreg(x: Inputs) -> Any:
    return lightly_loss("VICRegLoss")(t(x.left), t(x.near))


@run("lightly", "frossl")
def lightly_frossl(x: Inputs) -> Any:
    return lightly_loss("FroSSLLoss")([t(x.left), t(x.near)])


@run("lightly", "mmcr")
def lightly_manifolds(x: Inputs) -> Any:
    return lightly_loss("MMCRLoss")(t(x.left)[:, None], t(x.near)[:, None])


def lightly_loss(name: str) -> Any:
    with without_operators():
        import lightly.loss

    return getattr(lightly.loss, name)()


def pml_pairs(**distance: Any) -> Run:
    def printed(x: Inputs) -> Any:
        from pytorch_metric_learning import distances, losses

        loss = losses.ContrastiveLoss(distance=distances.LpDistance(**distance))
        similar, dissimilar = (t(x.same).eq(kind).nonzero()[:, 0] for kind in (1, 0))
        return loss(t(x.left), indices_tuple=(similar, similar, dissimilar, dissimilar), ref_emb=t(x.right))

    return printed


run("pytorch-metric-learning", "contrastive-sides")(pml_pairs())
run("pytorch-metric-learning", "contrastive-sides/unnormalized")(pml_pairs(normalize_embeddings=False))
run("pytorch-metric-learning", "contrastive-sides/squared")(pml_pairs(power=2))


@run("pytorch-metric-learning", "vicreg")
def pml_vicreg(x: Inputs) -> Any:
    from pytorch_metric_learning.losses import VICRegLoss

    return VICRegLoss()(t(x.left), ref_emb=t(x.near))


METHODS = {
    "All": "batch_all_triplet_loss",
    "SemiHard": "batch_semi_hard_triplet_loss",
    "SoftMargin": "batch_hard_triplet_soft_margin_loss",
    "BatchHard": "batch_hard_triplet_loss",
}


def pairwise(left: Any, right: Any) -> Any:
    """SiameseDistanceMetric.EUCLIDEAN there."""
    return f().pairwise_distance(left, right, p=2)


def sentence_row(name: str, negatives: bool = False, **options: Any) -> Run:
    def printed(x: Inputs) -> Any:
        with without_operators():
            from sentence_transformers import losses

        made = getattr(losses, name)(model=None, **options)
        if name == "TripletLoss":
            return made.compute_loss_from_embeddings([t(x.left), t(x.right), t(x.third)], None)
        if name == "MultipleNegativesRankingLoss" and negatives:
            return made.compute_loss_from_embeddings([t(x.left), t(x.near), t(x.third)], None)
        if name.startswith("MultipleNegatives"):
            return made.compute_loss_from_embeddings([t(x.left), t(x.near)], None)
        if name == "ContrastiveLoss":
            return made.compute_loss_from_embeddings([t(x.left), t(x.right)], t(x.same))
        method = next(word for mark, word in METHODS.items() if mark in name)
        return getattr(made, method)(t(x.ids), t(x.emb))

    return printed


run("sentence-transformers", "contrastive")(sentence_row("ContrastiveLoss"))
run("sentence-transformers", "contrastive/euclidean")(sentence_row("ContrastiveLoss", distance_metric=pairwise))
run("sentence-transformers", "mnrl")(sentence_row("MultipleNegativesRankingLoss"))
run("sentence-transformers", "mnrl-negatives")(sentence_row("MultipleNegativesRankingLoss", negatives=True))
run("sentence-transformers", "mnrl/symmetric")(sentence_row("MultipleNegativesSymmetricRankingLoss"))
run("sentence-transformers", "clip")(sentence_row("MultipleNegativesSymmetricRankingLoss"))
run("sentence-transformers", "triplet")(sentence_row("TripletLoss"))
run("sentence-transformers", "batch-all")(sentence_row("BatchAllTripletLoss"))
run("sentence-transformers", "batch-hard")(sentence_row("BatchHardTripletLoss"))
run("sentence-transformers", "batch-hard/soft")(sentence_row("BatchHardSoftMarginTripletLoss"))
run("sentence-transformers", "semi-hard")(sentence_row("BatchSemiHardTripletLoss"))


def sentence_pairs(name: str, *arrays: str, **options: Any) -> Run:
    def printed(x: Inputs) -> Any:
        with without_operators():
            from sentence_transformers import losses

        made = getattr(losses, name)(model=None, **options)
        left, right, *label = (t(x.arrays[word]) for word in arrays)
        if name == "MegaBatchMarginLoss":
            return made.calculate_loss([[left], [right]])
        return made.compute_loss_from_embeddings([left, right], *label)

    return printed


run("sentence-transformers", "cosent")(sentence_pairs("CoSENTLoss", "left", "near", "share"))
run("sentence-transformers", "angle")(sentence_pairs("AnglELoss", "left", "near", "share"))
run("sentence-transformers", "online-contrastive")(sentence_pairs("OnlineContrastiveLoss", "left", "right", "same"))
run("sentence-transformers", "mega-batch-margin")(
    sentence_pairs("MegaBatchMarginLoss", "left", "near", use_mini_batched_version=False)
)


@run("transformers", "clip/start")
def transformers_clip(x: Inputs) -> Any:
    with without_operators():
        from transformers.models.clip import modeling_clip

    cosines = f().normalize(t(x.left)) @ f().normalize(t(x.near)).T
    return modeling_clip.image_text_contrastive_loss(cosines / 0.07)


@run("transformers", "load-balancing")
def transformers_router(x: Inputs) -> Any:
    with without_operators():
        from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    return load_balancing_loss_func((t(x.scores),), num_experts=C, top_k=2)


def pml_even(name: str) -> Run:
    def printed(x: Inputs) -> Any:
        from pytorch_metric_learning import losses

        return getattr(losses, name)()(t(x.even_emb), t(x.even_ids))

    return printed


def pml_classes(name: str, weight: str, is_turned: bool, **options: Any) -> Run:
    """A loss whose weights are parameters, a class a column where they are turned."""

    def printed(x: Inputs) -> Any:
        import torch
        from pytorch_metric_learning import losses

        classes = t(x.third[:C])
        sizes = (5, C) if name == "P2SGradLoss" else (C, 5)
        made = getattr(losses, name)(*sizes, **options)
        setattr(made, weight, torch.nn.Parameter(classes.T.clone() if is_turned else classes))
        return made(t(x.left), t(x.classes))

    return printed


run("pytorch-metric-learning", "smooth-ap")(pml_even("SmoothAPLoss"))
run("pytorch-metric-learning", "pnp")(pml_even("PNPLoss"))
run("pytorch-metric-learning", "sphereface")(pml_classes("SphereFaceLoss", "W", True))
run("pytorch-metric-learning", "proxy-anchor")(pml_classes("ProxyAnchorLoss", "proxies", False))
run("pytorch-metric-learning", "p2s-grad")(pml_classes("P2SGradLoss", "weight", True))


def lovasz(mode: str) -> Run:
    def printed(x: Inputs) -> Any:
        with without_operators():
            from segmentation_models_pytorch.losses import LovaszLoss

        if mode == "binary":
            return LovaszLoss(mode)(t(x.score)[None, None, None].float(), t(x.label)[None, None, None])
        return LovaszLoss(mode)(t(np.log(x.probs.T))[None, :, None].float(), t(x.classes)[None, None])

    return printed


run("segmentation-models-pytorch", "lovasz-hinge")(lovasz("binary"))
run("segmentation-models-pytorch", "lovasz-softmax")(lovasz("multiclass"))
run("scikit-learn", "median-error")(sklearn_row("median_absolute_error", "target", "pred"))
for row, power in (("", 1.5), ("/poisson", 1), ("/gamma", 2)):
    run("scikit-learn", f"tweedie-deviance{row}")(sklearn_row("mean_tweedie_deviance", "amount", "rate", power=power))
    run("scikit-learn", f"d2-tweedie{row}")(sklearn_row("d2_tweedie_score", "amount", "rate", power=power))
run("scikit-learn", "d2-pinball")(sklearn_row("d2_absolute_error_score", "target", "pred"))
run("scikit-learn", "max-error")(sklearn_row("max_error", "target", "pred"))
for name in ("wasserstein-1d", "energy-distance"):
    word = f"{name.removesuffix('-1d').removesuffix('-distance')}_distance"

    @run("scipy", name)
    def scipy_distance(x: Inputs, word: str = word) -> Any:
        import scipy.stats

        return getattr(scipy.stats, word)(x.pred, x.target)


@run("optax", "poisson-deviance")
def optax_convex(x: Inputs) -> Any:
    return optax_row(lambda o, x: o.losses.convex_kl_divergence(np.log(x.rate)[:, None], x.amount[:, None]))(x)


@run("kornia", "psnr")
def kornia_psnr(x: Inputs) -> Any:
    from kornia.losses import psnr_loss

    return -psnr_loss(t(x.pred)[None, None, None], t(x.target)[None, None, None], 1.0)


def signal_row(name: str, **options: Any) -> Run:
    def printed(x: Inputs) -> Any:
        with without_operators():
            import torchmetrics.audio

        return getattr(torchmetrics.audio, name)(**options)(t(x.pred), t(x.target))

    return printed


run("torchmetrics", "snr")(signal_row("SignalNoiseRatio"))
run("torchmetrics", "si-sdr")(signal_row("ScaleInvariantSignalDistortionRatio"))
run("torchmetrics", "si-sdr/zero-mean")(signal_row("ScaleInvariantSignalNoiseRatio"))


def xgboost_lists(metric: str, relevance: str) -> Run:
    """A metric of lists of 6."""

    def printed(x: Inputs) -> float:
        import xgboost

        data = xgboost.DMatrix(np.zeros((N, 1)), label=x.arrays[relevance], base_margin=x.counts)
        data.set_group([6] * 10)
        choice = {"objective": "rank:pairwise", "eval_metric": metric, "base_score": 0.0}
        return float(xgboost.train(choice, data, num_boost_round=0).eval(data).rpartition(":")[2])

    return printed


run("xgboost", "ndcg")(xgboost_lists("ndcg", "relevance"))
run("xgboost", "ndcg/minus")(xgboost_lists("ndcg-", "relevance"))
run("xgboost", "mean-average-precision")(xgboost_lists("map", "same"))


@run("lightgbm", "ndcg")
def lightgbm_ndcg(x: Inputs) -> float:
    import lightgbm

    features = np.arange(N, dtype=float)[:, None]
    data = lightgbm.Dataset(features, x.relevance, group=[6] * 10, init_score=x.counts.astype(float))
    booster = lightgbm.Booster({"objective": "lambdarank", "metric": "ndcg", "eval_at": [6], "verbosity": -1}, data)
    return float(booster.eval_train()[0][2])


@run("scikit-learn", "ndcg")
def sklearn_ndcg(x: Inputs) -> float:
    import sklearn.metrics

    return float(sklearn.metrics.ndcg_score(x.relevance.reshape(10, 6), x.counts.reshape(10, 6)))


@run("xgboost", "cox")
def xgboost_cox(x: Inputs) -> float:
    return xgboost_metric("cox-nloglik", np.exp(x.pred), np.where(x.label == 1, x.time, -x.time), x)


@run("keras", "dice")
def keras_dice(x: Inputs) -> Any:
    import keras

    return keras.losses.Dice()(x.label.astype(x.type)[:, None], x.prob[:, None])


def smp_dice(smooth: float) -> Run:
    def printed(x: Inputs) -> Any:
        with without_operators():
            from segmentation_models_pytorch.losses import DiceLoss

        return DiceLoss("binary", from_logits=False, smooth=smooth)(t(x.prob)[None, None], t(x.label)[None, None])

    return printed


run("segmentation-models-pytorch", "dice")(smp_dice(0.0))
run("segmentation-models-pytorch", "dice/smooth-1")(smp_dice(1.0))


def monai_dice(**settings: Any) -> Run:
    def printed(x: Inputs) -> Any:
        from monai.losses import DiceLoss

        label = t(x.label.astype(x.prob.dtype))
        return DiceLoss(batch=True, **settings)(t(x.prob).reshape(2, 1, -1), label.reshape(2, 1, -1))

    return printed


run("monai", "dice/batch")(monai_dice())
run("monai", "dice-squared/batch")(monai_dice(squared_pred=True))


def smp_regions(name: str, **settings: Any) -> Run:
    def printed(x: Inputs) -> Any:
        with without_operators():
            import segmentation_models_pytorch.losses as losses

        image = t(x.probs.T)[None, :, None], t(x.few)[None, None]
        return getattr(losses, name)("multiclass", from_logits=False, **settings)(*image)

    return printed


for row, name, settings in (
    ("dice", "DiceLoss", {}), ("dice/smooth-1", "DiceLoss", {"smooth": 1.0}), ("jaccard", "JaccardLoss", {}),
    ("jaccard/smooth-1", "JaccardLoss", {"smooth": 1.0}), ("tversky", "TverskyLoss", {}),
):  # fmt: skip
    run("segmentation-models-pytorch", f"multiclass-{row}")(smp_regions(name, **settings))


def monai_regions(name: str, **settings: Any) -> Run:
    """One image of all rows."""

    def printed(x: Inputs) -> Any:
        import monai.losses

        made = getattr(monai.losses, name)(to_onehot_y=True, **settings)
        return made(t(x.probs.T)[None, :, None], t(x.few)[None, None, None])

    return printed


for row, name, settings in (
    ("dice", "DiceLoss", {}), ("dice/no-background", "DiceLoss", {"include_background": False}),
    ("jaccard", "DiceLoss", {"jaccard": True}), ("tversky", "TverskyLoss", {}),
):  # fmt: skip
    run("monai", f"multiclass-{row}")(monai_regions(name, **settings))


@run("monai", "wasserstein-dice")
def monai_apart(x: Inputs) -> Any:
    from monai.losses import GeneralizedWassersteinDiceLoss

    made = GeneralizedWassersteinDiceLoss((1 - np.eye(C)).astype(x.type))
    return made(t(x.scores.T)[None, :, None], t(x.classes)[None, None, None])


@run("monai", "dice-focal")
def monai_two(x: Inputs) -> Any:
    from monai.losses import DiceFocalLoss

    return DiceFocalLoss(sigmoid=True)(t(x.logit)[None, None], t(x.label.astype(x.type))[None, None])


@run("monai", "unified-focal")
def monai_unified(x: Inputs) -> Any:
    from monai.losses import AsymmetricUnifiedFocalLoss

    both = t(np.stack([1 - x.prob, x.prob]))[None, :, None]
    label = t(np.stack([1 - x.label, x.label]).astype(x.type))[None, :, None]
    return AsymmetricUnifiedFocalLoss()(both, label)


def monai_areas(version: str) -> Run:
    def printed(x: Inputs) -> Any:
        from monai.losses import AUCMLoss

        return AUCMLoss(version=version)(t(x.score)[:, None], t(x.label)[:, None])

    return printed


run("monai", "aucm")(monai_areas("v1"))
run("monai", "aucm/v2")(monai_areas("v2"))


@run("timm", "two-way")
def timm_both_ways(x: Inputs) -> Any:
    with without_operators():
        from timm.loss import TwoWayLoss

    return TwoWayLoss()(t(x.scores), t(x.many))


@run("timm", "distribution-balanced")
def timm_balanced(x: Inputs) -> Any:
    with without_operators():
        from timm.loss import DistributionBalancedLoss

    return DistributionBalancedLoss(x.many.sum(axis=0), N)(t(x.scores), t(x.many))


def entmax_row(name: str) -> Run:
    def printed(x: Inputs) -> Any:
        import entmax

        return getattr(entmax, name)()(t(x.scores), t(x.classes))

    return printed


for name, row in (
    ("SparsemaxLoss", "sparsemax"), ("Entmax15Loss", "entmax15"), ("EntmaxBisectLoss", "entmax"),
    ("NormmaxBisectLoss", "normmax"),
):  # fmt: skip
    run("entmax", row)(entmax_row(name))
for name, row in (("DCLWLoss", "dclw"), ("MACLLoss", "macl")):
    run("lightly", row)(lambda x, name=name: lightly_loss(name)(t(x.left), t(x.near)))


@run("lightly", "hypersphere")
def lightly_sphere(x: Inputs) -> Any:
    with without_operators():
        from lightly.loss.hypersphere_loss import HypersphereLoss

    return HypersphereLoss()(t(x.left), t(x.near))


def trl_row(kind: str) -> Run:
    """DPOTrainer's loss of a batch, of a model that gives the log-probabilities of one token each."""

    def printed(x: Inputs) -> Any:
        from unittest.mock import MagicMock

        import torch

        with without_operators():
            from trl import DPOTrainer

        def model(chosen: np.ndarray, rejected: np.ndarray) -> Any:
            log_probs = t(np.concatenate([chosen, rejected]))[:, None]
            beside = {name: torch.zeros_like(log_probs) for name in ("entropy", "mean_logits", "is_top1")}
            return lambda **_: types.SimpleNamespace(log_probs=log_probs, **{**beside, "is_top1": log_probs > 0})

        trainer = MagicMock(
            loss_types=[kind], loss_weights=[1.0], beta=0.1, label_smoothing=0.0, ld_alpha=None, aux_loss_enabled=False,
            precompute_ref_logps=False, f_divergence_type="reverse_kl", use_weighting=False,
            ref_model=model(x.ref_chosen, x.ref_rejected),
        )  # fmt: skip
        trainer.accelerator.gather = trainer.accelerator.gather_for_metrics = lambda values: values
        tokens = torch.ones((2 * N, 2), dtype=torch.int64)
        batch = {"input_ids": tokens, "attention_mask": tokens, "completion_mask": tokens}
        return DPOTrainer._compute_loss(trainer, model(x.chosen, x.rejected), batch, False)

    return printed


for name, kind in (("dpo", "sigmoid"), ("aot", "aot"), ("aot/unpaired", "aot_unpaired")):
    run("trl", name)(trl_row(kind))


@run("sentence-transformers", "gist")
def sentence_gist(x: Inputs) -> Any:
    import torch

    with without_operators():
        from sentence_transformers import losses

    made = losses.GISTEmbedLoss.__new__(losses.GISTEmbedLoss)  # its checks ask for tokenizers
    torch.nn.Module.__init__(made)
    made.model, made.guide = (lambda column, at=at: {"sentence_embedding": column["embeddings"][at]} for at in (0, 1))
    made.temperature, made.margin, made.margin_strategy, made.must_retokenize = 0.01, 0.0, "absolute", False
    made.contrast_anchors = made.contrast_positives = True
    made.gather_across_devices, made.similarity_fct = False, torch.nn.CosineSimilarity(dim=-1)
    made.cross_entropy_loss = torch.nn.CrossEntropyLoss()
    return made([{"embeddings": (t(a), t(b))} for a, b in ((x.left, x.third), (x.near, x.guide))], None)


@run("open_clip", "siglip/start")
def open_clip_siglip(x: Inputs) -> Any:
    from torch.nn.functional import normalize

    with without_operators():
        from open_clip.loss import SigLipLoss

    return SigLipLoss()(normalize(t(x.left)), normalize(t(x.near)), 10.0, -10.0)


@cache
def apart() -> tuple[dict[str, str], dict[tuple[str, ...], float]]:
    """The versions of the libraries that other interpreters have, and what each row of them prints."""
    versions: dict[str, str] = {}
    numbers: dict[tuple[str, ...], float] = {}
    for python in filter(None, os.environ.get("LOSSCTL_PEERS", "").split(os.pathsep)):
        with tempfile.TemporaryDirectory() as folder:
            for kind, type in DATA:
                np.savez(Path(folder, f"{kind} {type}.npz"), **inputs(kind, type).arrays)
            away = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
            subprocess.run(
                [python, Path(__file__).with_name("peers_apart.py"), folder], check=True, capture_output=True, env=away
            )
            more, printed_there = json.loads(Path(folder, "printed.json").read_text())
        versions |= more
        numbers |= {tuple(names): number for *names, number in printed_there}
    return versions, numbers


for library, *names in (
    ("tensorflow-addons", "contrastive", "batch-hard", "semi-hard"),
    ("tf-ranking", "ranknet", "ranking-softmax"),
    ("mxnet", "mse"),
):
    for name in names:
        run(library, name)(lambda x, at=(library, name): apart()[1][*at, x.kind, x.type])


# --- what was proved

DATA = [(kind, type) for kind in ("random", "hard") for type in ("float64", "float32")]
APART = {  # rows that agree less well somewhere, and why
    ("keras/float64", "bce", "prob"): ("float32", "of float32 its clip is in float32: keras"),
    ("scikit-learn", "log-loss", "prob"): ("hard float32", "of float32 its clip is another: scikit-learn/float32"),
    ("scikit-learn", "bce", "prob"): ("hard float32", "of float32 its clip is another"),
    ("pytorch-metric-learning", "histogram", "any"): (
        "hard",
        "it stops at equal points, beyond its bins",
    ),
    ("pytorch-metric-learning", "generalized-lifted", "any"): ("hard", "a lone anchor counts with its negatives"),
    ("xgboost", "cox", "any"): ("hard", "its risks, in float32, are beyond the largest"),
    ("scikit-learn/float32", "log-loss", "prob"): ("float64", "of float64 its clip is another: scikit-learn"),
}


def cases(row: Any) -> Iterator[Inputs]:
    """The inputs on which a row is held to its library: without weights, and with those that it takes."""
    for kind, type in DATA:
        for weights in ("", *row.weights.split()):
            yield inputs(kind, type)._replace(weights=weights)


def printed(row: Any, x: Inputs) -> float:
    """What the library prints. ImportError where it is not installed."""
    function = runner(row)
    assert function is not None, f"no function runs {row.name} {row.loss}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = function(x)
    return float(value.detach() if hasattr(value, "detach") else value)


def computed(row: Any, x: Inputs) -> float:
    """What lossctl prints with --like."""
    import lossctl

    given, keywords = ours(row, x)
    return lossctl.compute(row.loss, *given, like=row.name, **keywords).value


def is_apart(row: Any, x: Inputs) -> bool:
    """Whether the row says that it agrees less well on such inputs."""
    words = APART.get((row.name, row.loss, row.form), ("-", ""))[0].split()
    return all(word in (x.kind, x.type) for word in words)


def gap(row: Any, x: Inputs) -> float:
    """By which share of the value the library is off."""
    theirs, our = printed(row, x), computed(row, x)
    return abs(theirs - our) / max(abs(our), 1e-300) if theirs != our else 0.0


def allowed(row: Any, x: Inputs) -> float:
    """By which share it may be off: what the row says; 2e-5 where inputs are float32 and numbers cancel."""
    from lossctl.language.libraries import DIGITS

    return max(DIGITS[row.agrees], 2e-5 if x.type == "float32" else 0.0)


def page(today: str) -> tuple[str, list[str]]:
    """docs/parity.md, and what does not hold."""
    from lossctl.language.libraries import presets
    from lossctl.show.sheet import Sheet, markdown

    rows, faults, versions = [], [], {}
    for row in presets():
        options = f"`{row.options}`" if row.options else "the defaults"
        cells = [row.name, row.loss, row.form, options, row.weights.replace(" ", ", ") or "none"]
        if row.proof == "source":
            rows.append((*cells, "from its source", row.what))
            continue
        gaps = []
        for x in cases(row):
            if is_apart(row, x):
                continue
            try:
                off = gap(row, x)
            except Exception as fault:
                faults.append(f"{row.name} {row.loss} {row.form} on {x}: {type_name(fault)}: {str(fault)[:150]}")
                continue
            gaps.append((off, str(x)))
            if not off <= allowed(row, x):
                faults.append(f"{row.name} {row.loss} {row.form} on {x}: {printed(row, x)} for {computed(row, x)}")
        versions[row.library] = version_of(row.library)
        worst = max((off for off, _ in gaps), default=float("nan"))
        exact = max((off for off, name in gaps if "float64" in name), default=float("nan"))
        proof = f"{share(exact)}, {share(worst)}" if gaps else "not run"
        reason = APART.get((row.name, row.loss, row.form))
        rows.append((*cells, proof, row.what + (f"; not on {reason[0]} inputs: {reason[1]}" if reason else "")))
    sheet = Sheet(("library", "loss", "reads", "options", "weights", "off by", "what"), tuple(rows))
    ran = "\n".join(textwrap.wrap(", ".join(f"{name} {version}" for name, version in versions.items()), 115))
    return HEAD.format(today=today, ran=ran, count=sum(row[5] != "from its source" for row in rows)) + markdown(
        sheet
    ), faults


def share(off: float) -> str:
    """A share of the value in words."""
    return "-" if off != off else "0" if off < 1e-15 else f"{off:.0e}"


HEAD = """# What was proved by running the libraries

Each row is a line of `lossctl/language/libraries.tsv`, set by `--like LIBRARY`. {count} of them were run against the
library itself on {today}, by `python tests/peers.py`: on random inputs and on hard ones (probabilities of exactly 0
and 1, huge errors and logits, equal points, a lone class), in float64 and float32. "Off by" is the largest difference
as a share of the value: on float64 inputs, and on all. "Weights" are those that it takes, run too; with others
--like refuses, until --weight-norm says how they divide. Rows "from its source" were told by reading it, and not run:
Caffe has no wheel, and is built with boost, protobuf and glog. What needs a numpy before 2 was run by an interpreter of
its own (`tests/peers_apart.py`).

Run on the CPU: {ran}.

"""


def type_name(fault: Exception) -> str:
    return type(fault).__name__


MODULES = {
    "scikit-learn": "sklearn", "pytorch-metric-learning": "pytorch_metric_learning",
    "segmentation-models-pytorch": "segmentation_models_pytorch", "sentence-transformers": "sentence_transformers",
}  # fmt: skip


def is_installed(library: str) -> bool:
    """Whether a library can be imported."""
    return importlib.util.find_spec(MODULES.get(library, library)) is not None or library in apart()[0]


def version_of(library: str) -> str:
    """The version that is installed."""
    if library in apart()[0]:
        return apart()[0][library]
    names = importlib.metadata.packages_distributions()
    return importlib.metadata.version(names[MODULES.get(library, library)][0])


if __name__ == "__main__":
    text, faults = page(datetime.date.today().isoformat())
    print("\n".join(faults), file=sys.stderr)
    if "--write" in sys.argv or not faults:
        PAGE.write_text(text)
    raise SystemExit(bool(faults))
