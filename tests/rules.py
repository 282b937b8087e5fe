"""Rules by which libraries compute losses, each with the command that gives its number: docs/rules.md.

`python tests/rules.py` runs every library that is installed and writes the page; tests/test_parity.py computes its
commands. Inputs are those of tests/peers.py, and a few more.
"""

from __future__ import annotations

import datetime
import shlex
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import peers
from peers import CLASS_WEIGHTS, DATA, RUN, C, Inputs, N, f, lists, pml_row, t

PAGE = Path(__file__).parent.parent / "docs" / "rules.md"


class Rule(NamedTuple):
    """One rule of one library.

    title: as the page has it;  command: what follows `lossctl compute`, with names of arrays for files; "" for none
    theirs: runs the library, or its formula where that does not install; None where its numbers are random
    why: no command gives it;  apart: words of the inputs on which none does, "hard" or "hard float32"
    float32: the command for float32 inputs, where that is another
    """

    library: str
    title: str
    command: str
    theirs: Callable[[Inputs], Any] | None
    why: str = ""
    apart: str = ""
    float32: str = ""

    @property
    def name(self) -> str:
        return f"{self.library}: {self.title}"

    def command_for(self, type: str) -> str:
        """Its command for inputs of a type."""
        return self.float32 or self.command if type == "float32" else self.command

    def holds(self, kind: str, type: str) -> bool:
        """Whether its command gives the number of such inputs."""
        return bool(self.command) and not (self.apart and set(self.apart.split()) <= {kind, type})


RULES: list[Rule] = []


def rule(
    library: str,
    title: str,
    command: str,
    theirs: Callable[[Inputs], Any] | str | None,
    why: str = "",
    apart: str = "",
    float32: str = "",
) -> None:
    """List a rule; theirs as a text is a row of tests/peers.py."""
    run = RUN[library, theirs] if isinstance(theirs, str) else theirs
    RULES.append(Rule(library, title, command, run, why, apart, float32))


def inputs(kind: str, type: str) -> Inputs:
    """Those of tests/peers.py; classes of which some are -100, relevances as 0 and 1, one branch of all rows."""
    x = peers.inputs(kind, type)
    p = x.p.copy()
    if kind == "hard":
        p[0] = np.eye(C)[x.classes[0]]
    more = {
        "ignored": np.where(np.arange(N) % 7 == 3, -100, x.classes),
        "clicks": (x.relevance > 0).astype(type),
        "branch": np.arange(N),
        "heavy": p * x.rate[:, None],
        "light": 0.9 * x.q,
        "p": p,
    }
    return x._replace(arrays={**x.arrays, **more})


# --- how they are called


def fn(name: str, *arrays: str, **options: Any) -> Callable[[Inputs], Any]:
    """A function of torch.nn.functional on arrays; labels as floats where the first are floats, `c` in order."""

    def printed(x: Inputs) -> Any:
        return getattr(f(), name)(*(t(x.arrays[word]) for word in arrays), **options)

    return printed


def floats(name: str, *arrays: str, **options: Any) -> Callable[[Inputs], Any]:
    """The same, with all arrays as floats."""

    def printed(x: Inputs) -> Any:
        return getattr(f(), name)(*(t(x.arrays[word].astype(x.type)) for word in arrays), **options)

    return printed


def classes(*arrays: str, weighted: bool = False, mean: bool = False, **options: Any) -> Callable[[Inputs], Any]:
    """torch's cross_entropy."""

    def printed(x: Inputs) -> Any:
        weight = t(np.array(CLASS_WEIGHTS, x.type)) if weighted else None
        value = f().cross_entropy(*(t(x.arrays[word]) for word in arrays), weight=weight, **options)
        return value.mean() if mean else value

    return printed


def weighted(function: Callable[[Inputs], Any]) -> Callable[[Inputs], Any]:
    """With the weights of the rows."""
    return lambda x: function(x._replace(weights="rows"))


def sk(name: str, *arrays: str, **options: Any) -> Callable[[Inputs], Any]:
    def printed(x: Inputs) -> Any:
        import sklearn.metrics

        return getattr(sklearn.metrics, name)(*(x.arrays[word] for word in arrays), **options)

    return printed


def keras(name: str, *arrays: str, **options: Any) -> Callable[[Inputs], Any]:
    return peers.keras_row(name, *arrays, **options)


def optax(call: Callable[[Any, Inputs], Any]) -> Callable[[Inputs], Any]:
    return peers.optax_row(call)


def metrics(name: str, *arrays: str, **options: Any) -> Callable[[Inputs], Any]:
    return peers.metrics_row(name, *arrays, **options)


def smp(name: str, mode: str, **options: Any) -> Callable[[Inputs], Any]:
    def printed(x: Inputs) -> Any:
        with peers.without_operators():
            from segmentation_models_pytorch import losses

        given = (t(x.scores), t(x.classes)) if mode == "multiclass" else (t(x.logit), t(x.label))
        return getattr(losses, name)(mode, **options)(*given)

    return printed


def rax(name: str, relevance: str = "relevance") -> Callable[[Inputs], Any]:
    def printed(x: Inputs) -> Any:
        return peers.rax_row(name)(x._replace(arrays={**x.arrays, "relevance": x.arrays[relevance]}))

    return printed


def pml(
    loss: str, *, margin: float | None = None, distance: str = "", reducer: str = "", miner: str = "", **options: Any
):
    """A loss of pytorch-metric-learning; distance "raw" is not normalised, "squared" is raw and squared."""

    def make(losses: Any, reducers: Any, distances: Any, miners: Any) -> Any:
        chosen = dict(options)
        if margin is not None:
            chosen["margin"] = margin
        if distance:
            power = 2 if distance == "squared" else 1
            chosen["distance"] = distances.LpDistance(normalize_embeddings=False, power=power)
        if reducer:
            chosen["reducer"] = getattr(reducers, reducer)()
        return getattr(losses, loss)(**chosen)

    def mine(miners: Any) -> Any:
        from pytorch_metric_learning import distances

        if miner == "BatchHardMiner":
            return miners.BatchHardMiner(distance=distances.LpDistance(normalize_embeddings=False))
        return getattr(miners, miner)()

    return pml_row(make, mine if miner else None)


def sentence(name: str, *arrays: str, online: bool = False, **options: Any) -> Callable[[Inputs], Any]:
    """A loss of sentence-transformers, of embeddings."""

    def printed(x: Inputs) -> Any:
        with peers.without_operators():
            from sentence_transformers import losses

        made = getattr(losses, name)(model=None, **options)
        columns = [t(x.arrays[word]) for word in arrays]
        if arrays[-1] == "same":
            return made.compute_loss_from_embeddings(columns[:2], columns[2])
        return made.compute_loss_from_embeddings(columns, None)

    return printed


def multi_focal(x: Inputs, **options: Any) -> Any:
    return peers.vision().sigmoid_focal_loss(t(x.scores), t(x.many.astype(x.type)), reduction="mean", **options)


def soft_center(x: Inputs) -> Any:
    import timm.loss

    return timm.loss.SoftTargetCrossEntropy()(t(x.scores), t(x.q))


def transformers_smoother(x: Inputs) -> Any:
    with peers.without_operators():
        from transformers.trainer_pt_utils import LabelSmoother

    return LabelSmoother(0.1)({"logits": t(x.scores)}, t(x.ignored))


def monai_labels(x: Inputs) -> Any:
    from monai.losses import FocalLoss

    return FocalLoss()(t(x.scores), t(x.many.astype(x.type)))


def sequential_by_list(x: Inputs) -> Any:
    """The formula of TF-Ranking's Keras pairwise logistic loss: the sums of its lists by their length, their mean."""
    score, relevance = lists(x)
    gap = score[:, :, None] - score[:, None, :]
    above = relevance[:, :, None] > relevance[:, None, :]
    return np.where(above, np.logaddexp(0.0, -gap), 0.0).sum(axis=(1, 2)).mean() / score.shape[1]


def without_half(x: Inputs) -> Any:
    """The formula of tensorflow-addons' contrastive loss."""
    d = np.linalg.norm(x.left - x.right, axis=1)
    return np.where(x.same == 1, d**2, np.maximum(0, 1 - d) ** 2).mean()


def log_loss(truth: str, prediction: str, *, weights: bool = False, **options: Any) -> Callable[[Inputs], Any]:
    def printed(x: Inputs) -> Any:
        import sklearn.metrics

        more = {"sample_weight": x.weight} if weights else {}
        return sklearn.metrics.log_loss(x.arrays[truth], x.arrays[prediction], **more, **options)

    return printed


def tree(criterion: str, target: str) -> Callable[[Inputs], Any]:
    def printed(x: Inputs) -> Any:
        from sklearn import tree as trees

        kind = trees.DecisionTreeRegressor if criterion == "squared_error" else trees.DecisionTreeClassifier
        grown = kind(criterion=criterion, max_depth=1).fit(x.table, x.arrays[target])
        return grown.tree_.impurity[0]

    return printed


def stats(call: Callable[[Any, Any, Inputs], Any]) -> Callable[[Inputs], Any]:
    def printed(x: Inputs) -> Any:
        import scipy.spatial.distance
        import scipy.stats

        return call(scipy.stats, scipy.spatial.distance, x)

    return printed


# --- the rules

MSE, MAE = "mse pred target", "mae pred target"
rule("torch", "mse, mean", MSE, fn("mse_loss", "pred", "target"))
rule("keras", "mse, mean", MSE, keras("MeanSquaredError", "target", "pred"))
rule("scikit-learn", "mse, mean", MSE, sk("mean_squared_error", "target", "pred"))
rule("torch", "mse of a table, mean", "mse table table_target", "mse")
rule("torch", "mse, sum", "mse -r sum pred target", fn("mse_loss", "pred", "target", reduction="sum"))
rule("scikit-learn", "mse, sample_weight", "mse -w weight table table_target", weighted(RUN["scikit-learn", "mse"]))
rule("torch", "mae, mean", MAE, fn("l1_loss", "pred", "target"))
rule("keras", "mae, mean", MAE, keras("MeanAbsoluteError", "target", "pred"))
rule("scikit-learn", "mae, mean", MAE, sk("mean_absolute_error", "target", "pred"))
rule("torch", "mae of a table, mean", "mae table table_target", "mae")
rule("torch", "mae, sum", "mae -r sum pred target", fn("l1_loss", "pred", "target", reduction="sum"))
rule("scikit-learn", "mae, sample_weight", "mae -w weight table table_target", weighted(RUN["scikit-learn", "mae"]))
rule("torchmetrics", "mse, mean", MSE, metrics("MeanSquaredError", "target", "pred"))
rule("optax", "squared_error, mean", MSE, optax(lambda o, x: o.squared_error(x.pred, x.target)))
rule("scikit-learn", "rmse, one column", "rmse pred target", sk("root_mean_squared_error", "target", "pred"))
rule("torchmetrics", "rmse", "rmse pred target", metrics("MeanSquaredError", "target", "pred", squared=False))
HUBER = "huber --delta 0.5 pred target"
rule("torch", "huber, delta 0.5", HUBER, fn("huber_loss", "pred", "target", delta=0.5))
rule("keras", "huber, delta 0.5", HUBER, keras("Huber", "target", "pred", delta=0.5))
rule("optax", "huber, delta 0.5", HUBER, optax(lambda o, x: o.huber_loss(x.pred, x.target, delta=0.5)))
SMOOTH = "smooth-l1 --beta 0.5 pred target"
rule("torch", "smooth_l1, beta 0.5", SMOOTH, fn("smooth_l1_loss", "pred", "target", beta=0.5))
rule("fvcore", "smooth_l1, beta 0.5", SMOOTH, lambda x: peers.fv().smooth_l1_loss(t(x.pred), t(x.target), 0.5, "mean"))
rule("torch", "smooth_l1, beta 0", MAE, fn("smooth_l1_loss", "pred", "target", beta=0.0))
LOGITS = "bce --from-logits logit label"
rule("torch", "bce with logits", LOGITS, "bce logits")
rule(
    "torch", "bce with logits, pos_weight 3", "bce --pos-weight 3 --from-logits logit label",
    lambda x: f().binary_cross_entropy_with_logits(
        t(x.logit), t(x.label.astype(x.type)), pos_weight=t(np.array(3.0, x.type))
    ),
)  # fmt: skip
MANY = floats("binary_cross_entropy_with_logits", "scores", "many")
rule("torch", "bce with logits of several labels", "bce --from-logits scores many", MANY)
rule("keras", "bce from_logits", LOGITS, "bce logits")
rule("optax", "sigmoid bce", LOGITS, "bce")
CLIP64, CLIP32 = "--clip 2.220446049250313e-16", "--clip 1.1920928955078125e-07 --clip-type float32"
CLIPPED = "log-loss --clip 2.220446049250313e-16"
rule(
    "scikit-learn",
    "log_loss of two classes",
    f"{CLIPPED} prob label",
    log_loss("label", "prob"),
    float32=f"log-loss {CLIP32} prob label",
)
rule("scikit-learn", "log_loss of classes", f"{CLIPPED} probs classes", log_loss("classes", "probs"))
rule(
    "scikit-learn", "log_loss, sample_weight", f"{CLIPPED} -w weight probs classes",
    log_loss("classes", "probs", weights=True),
)  # fmt: skip
rule(
    "scikit-learn", "log_loss, normalize=False", f"{CLIPPED} -r sum probs classes",
    log_loss("classes", "probs", normalize=False),
)  # fmt: skip
CE, CW = "cross-entropy --from-logits", "--class-weights 1/2/4/0.5"
rule("torch", "cross_entropy, mean", f"{CE} scores classes", classes("scores", "classes"))
rule("torch", "cross_entropy, sum", f"{CE} -r sum scores classes", classes("scores", "classes", reduction="sum"))
rule(
    "torch", "cross_entropy, label_smoothing 0.1", f"{CE} --label-smoothing 0.1 scores classes",
    classes("scores", "classes", label_smoothing=0.1),
)  # fmt: skip
rule("torch", "cross_entropy, weight", f"{CE} {CW} scores classes", classes("scores", "classes", weighted=True))
rule(
    "torch", "cross_entropy, weight and smoothing 0.1", f"{CE} {CW} --label-smoothing 0.1 scores classes",
    classes("scores", "classes", weighted=True, label_smoothing=0.1),
)  # fmt: skip
IGNORED = f"{CE} --ignore-index -100 scores ignored"
rule("torch", "cross_entropy, ignore_index -100", IGNORED, classes("scores", "ignored"))
rule("torch", "cross_entropy of soft targets", f"{CE} scores q", classes("scores", "q"))
rule("torch", "cross_entropy of soft targets, weight", f"{CE} {CW} scores q", classes("scores", "q", weighted=True))
rule("torch", "nll_loss of log p", "cross-entropy p classes", lambda x: f().nll_loss(t(np.log(x.p)), t(x.classes)))
rule("keras", "sparse crossentropy from_logits", f"{CE} scores classes", "cross-entropy logits")
rule(
    "keras", "sparse crossentropy of probabilities",
    "cross-entropy --clip 1e-7 --clip-type float32 probs classes", "cross-entropy prob",
)  # fmt: skip
rule(
    "keras", "sparse crossentropy, ignore_class", IGNORED,
    keras("SparseCategoricalCrossentropy", "ignored", "scores", from_logits=True, ignore_class=-100),
)  # fmt: skip
rule(
    "keras", "categorical crossentropy, label_smoothing 0.1", f"{CE} --label-smoothing 0.1 scores classes",
    keras("CategoricalCrossentropy", "classes", "scores", from_logits=True, label_smoothing=0.1),
)  # fmt: skip
rule("optax", "cross-entropy of integer labels", f"{CE} scores classes", "cross-entropy")
rule("timm", "LabelSmoothingCrossEntropy 0.1", f"{CE} --label-smoothing 0.1 scores classes", "cross-entropy")
rule("timm", "SoftTargetCrossEntropy", f"{CE} scores q", soft_center)
rule(
    "transformers", "LabelSmoother 0.1, ignoring -100",
    f"{CE} --label-smoothing 0.1 --ignore-index -100 scores ignored", transformers_smoother,
)  # fmt: skip
rule(
    "segmentation-models-pytorch", "SoftCrossEntropyLoss, smoothing 0.1", f"{CE} --label-smoothing 0.1 scores classes",
    lambda x: __import__("segmentation_models_pytorch").losses.SoftCrossEntropyLoss(smooth_factor=0.1)(
        t(x.scores), t(x.classes)
    ),
)  # fmt: skip
FOCAL = "focal --from-logits"
rule("torchvision", "sigmoid_focal_loss, alpha 0.25", f"{FOCAL} --alpha 0.25 logit label", "focal")
rule("torchvision", "sigmoid_focal_loss, alpha -1", f"{FOCAL} logit label", "focal/no-alpha")
rule("torchvision", "focal, sum by positives", f"{FOCAL} --alpha 0.25 -r positives logit label", "focal/retinanet")
rule(
    "torchvision", "focal of several labels", f"{FOCAL} --alpha 0.25 scores many", lambda x: multi_focal(x, alpha=0.25)
)
rule("fvcore", "sigmoid_focal_loss, alpha -1", f"{FOCAL} logit label", "focal")
KERAS_CLIP = "--clip 1e-7 --clip-type float32"
rule("keras", "categorical focal, alpha 0.25", f"focal --alpha 0.25 {KERAS_CLIP} probs classes", "focal/classes")
rule("optax", "sigmoid_focal_loss, no alpha", f"{FOCAL} logit label", "focal")
rule("segmentation-models-pytorch", "binary focal, alpha 0.25", f"{FOCAL} --alpha 0.25 logit label", "focal/alpha")
rule("kornia", "binary focal, alpha 0.25", f"{FOCAL} --alpha 0.25 logit label", "focal")
rule("monai", "sigmoid focal of several labels", f"{FOCAL} scores many", monai_labels)
rule("fvcore", "sigmoid_focal_loss_star, gamma 1", "focal-star --gamma 1 --beta 0 logit label", "focal-star")
rule("scikit-learn", "hinge_loss of two classes", "hinge score label", "hinge")
rule("keras", "Hinge of labels 0 and 1", "hinge score label", "hinge")
rule("optax", "hinge_loss of labels -1 and 1", "hinge score label", "hinge")
rule("keras", "SquaredHinge", "squared-hinge score label", "squared-hinge")
rule("scikit-learn", "hinge_loss, Crammer-Singer", "multiclass-hinge scores classes", "multiclass-hinge")
rule("optax", "multiclass_hinge_loss", "multiclass-hinge scores classes", "multiclass-hinge")
rule("torch", "kl_div, batchmean", "kl p q", "kl/batchmean")
rule("torch", "kl_div, sum", "kl -r sum p q", "kl/sum")
rule("keras", "KLDivergence", "kl p q", "kl")
rule("optax", "kl_divergence", "kl p q", "kl")
rule("torchmetrics", "KLDivergence, of rows that sum to 1", "kl --renormalize p q", "kl")
rule("scipy", "jensenshannon squared", "js p q", stats(lambda s, d, x: (d.jensenshannon(x.p, x.q, axis=1) ** 2).mean()))
rule("scikit-learn", "gini of a tree", "gini classes", "gini")
rule("scikit-learn", "entropy of a tree, in bits", "entropy classes", "entropy")
NATS = "--base 2.718281828459045"
rule("scipy", "entropy, in nats", f"entropy {NATS} classes", stats(lambda s, d, x: s.entropy(np.bincount(x.classes))))
rule("scikit-learn", "mutual_info_score, in nats", f"information-gain {NATS} classes split", "information-gain")
COSINE = "contrastive --distance cosine --margin 0.5"
PAIRS = ("left", "right", "same")
rule("sentence-transformers", "ContrastiveLoss, cosine, 0.5", f"{COSINE} left right same", "contrastive")
rule(
    "sentence-transformers", "ContrastiveLoss, size_average=False", f"{COSINE} -r sum left right same",
    sentence("ContrastiveLoss", *PAIRS, size_average=False),
)  # fmt: skip
rule("torch", "hinge_embedding_loss", "pairwise-ranking left right same", "pairwise-ranking")
TRIPLET = "left right third"
rule("torch", "triplet_margin_loss, eps 1e-6", f"triplet --eps 1e-6 {TRIPLET}", "triplet")
rule("torch", "triplet_margin_loss, swap", f"triplet --swap --eps 1e-6 {TRIPLET}", "triplet/swap")
rule("torch", "triplet with_distance, cosine", f"triplet --distance cosine {TRIPLET}", "triplet/cosine")
rule("optax", "triplet_margin_loss, eps 1e-6", f"triplet --eps 1e-6 --eps-in root {TRIPLET}", "triplet")
rule("sentence-transformers", "TripletLoss, margin 5", f"triplet --margin 5 {TRIPLET}", "triplet")
SET = "emb ids"
rule("pytorch-metric-learning", "TripletMarginLoss", f"batch-all --normalize --margin 0.05 {SET}", "batch-all")
RAW = {"margin": 1.0, "distance": "raw"}
rule(
    "pytorch-metric-learning",
    "TripletMarginLoss, as they are, margin 1",
    f"batch-all {SET}",
    pml("TripletMarginLoss", **RAW),
)
rule(
    "pytorch-metric-learning", "TripletMarginLoss, MeanReducer", f"batch-all -r mean {SET}",
    pml("TripletMarginLoss", reducer="MeanReducer", **RAW),
)  # fmt: skip
rule(
    "pytorch-metric-learning", "TripletMarginLoss, squared", f"batch-all --distance sqeuclidean {SET}",
    pml("TripletMarginLoss", margin=1.0, distance="squared"),
)  # fmt: skip
rule("sentence-transformers", "BatchAllTripletLoss, margin 5", f"batch-all --margin 5 {SET}", "batch-all")
rule(
    "pytorch-metric-learning", "BatchHardMiner, MeanReducer", f"batch-hard {SET}",
    pml("TripletMarginLoss", reducer="MeanReducer", miner="BatchHardMiner", **RAW),
)  # fmt: skip
rule("sentence-transformers", "BatchSemiHardTripletLoss, margin 5", f"semi-hard --margin 5 {SET}", "semi-hard")
CIRCLE = "circle --gamma 80 --margin 0.4"
rule("pytorch-metric-learning", "CircleLoss, mean above zero", f"{CIRCLE} {SET}", "circle")
rule("keras", "Circle, 80 and 0.4", f"{CIRCLE} {SET}", "circle")
rule("pytorch-metric-learning", "NTXentLoss, T 0.07", f"nt-xent {SET}", "nt-xent")
rule("optax", "ntxent, T 0.07", f"nt-xent {SET}", "nt-xent")
rule("lightly", "NTXentLoss, T 0.5, two views", "nt-xent --temperature 0.5 emb views", "nt-xent")
rule("pytorch-metric-learning", "SupConLoss, T 0.1", f"supcon {SET}", "supcon")
LISTS = "score relevance group"
rule("allrank", "rankNet, over pairs", f"ranknet --per pair {LISTS}", "ranknet")
rule("rax", "pairwise_logistic_loss", f"ranknet --per pair {LISTS}", "ranknet")
rule("rax", "pairwise_hinge_loss", f"margin-ranking --per pair {LISTS}", "margin-ranking")
rule("rax", "listmle_loss", f"list-mle {LISTS}", "list-mle")
rule("rax", "pointwise_mse_loss", f"pointwise-mse {LISTS}", "pointwise-mse")
rule(
    "rax",
    "pointwise_sigmoid_loss of 0 and 1",
    "pointwise-bce score clicks group",
    rax("pointwise_sigmoid_loss", "clicks"),
)
# some data only, before
rule("torch", "bce, log clamped at -100", "bce --clip-log 100 prob label", "bce prob")
rule("keras", "bce of probabilities", f"bce {KERAS_CLIP} prob label", "bce prob")
rule("keras", "focal from_logits", f"{FOCAL} {KERAS_CLIP} logit label", "focal logits")
rule(
    "keras", "focal from_logits, balanced 0.25", f"{FOCAL} --alpha 0.25 {KERAS_CLIP} logit label",
    "focal/balanced logits",
)  # fmt: skip
rule("keras", "focal of probabilities", f"focal {KERAS_CLIP} prob label", "focal prob")
rule(
    "sentence-transformers", "BatchHardTripletLoss, margin 5", f"batch-hard --margin 5 --lone self {SET}", "batch-hard"
)
rule(
    "sentence-transformers", "BatchHardSoftMarginTripletLoss", f"batch-hard --soft --lone self {SET}", "batch-hard/soft"
)
rule(
    "pytorch-metric-learning",
    "MultiSimilarityLoss",
    f"multi-similarity --lone negatives {SET}",
    "multi-similarity",
)
rule("pytorch-metric-learning", "CircleLoss, MeanReducer", f"{CIRCLE} --lone zero {SET}", "circle/mean")
rule(
    "pytorch-metric-learning", "NTXentLoss, PerAnchorReducer", f"info-nce --lone zero {SET}",
    lambda x: pml_row(
        lambda made, r, d, m: made.NTXentLoss(temperature=0.1, reducer=r.PerAnchorReducer(r.MeanReducer()))
    )(x),
)  # fmt: skip
rule("pytorch-metric-learning", "SupConLoss, MeanReducer", f"supcon --lone zero {SET}", "supcon/mean")
rule("allrank", "listNet, 1e-10 inside the log", f"listnet --eps 1e-10 {LISTS}", "listnet")
rule("allrank", "listMLE", "", None, "ties are put in random order")
# none, before
BY_N = "--weight-norm n -w weight"
rule("keras", "mse, sample_weight", f"mse {BY_N} table table_target", weighted(RUN["keras", "mse"]))
rule("keras", "mae, sample_weight", f"mae {BY_N} table table_target", weighted(RUN["keras", "mae"]))
rule("optax", "l2_loss", "mse --scale 0.5 pred target", optax(lambda o, x: o.l2_loss(x.pred, x.target)))
rule("torch", "mse of a table, sum", "mse -r sum-elements table table_target", "mse/sum")
rule("scikit-learn", "rmse of a table", "rmse --columns each table table_target", "rmse")
rule("torch", "bce, weight=", f"bce --clip-log 100 {BY_N} prob label", weighted(RUN["torch", "bce prob"]))
rule(
    "torch", "bce of several labels, a pos_weight each", "bce --from-logits --pos-weight 1/2/3/4 scores many",
    lambda x: f().binary_cross_entropy_with_logits(
        t(x.scores), t(x.many.astype(x.type)), pos_weight=t(np.arange(1, C + 1).astype(x.type))
    ),
)  # fmt: skip
rule(
    "keras", "bce, label_smoothing 0.1", f"bce {KERAS_CLIP} --label-smoothing 0.1 prob label",
    keras("BinaryCrossentropy", "label", "prob", label_smoothing=0.1),
)  # fmt: skip
rule(
    "torch", "cross_entropy, weight, none and mean", f"{CE} {CW} --weight-norm n scores classes",
    classes("scores", "classes", weighted=True, reduction="none", mean=True),
)  # fmt: skip
rule(
    "keras", "sparse crossentropy, sample_weight", f"{CE} {BY_N} scores classes",
    weighted(RUN["keras", "cross-entropy logits"]),
)  # fmt: skip
rule("torchmetrics", "Perplexity", "perplexity --from-logits scores classes", "perplexity")
rule(
    "keras", "focal, label_smoothing 0.1", f"focal {KERAS_CLIP} --label-smoothing 0.1 prob label",
    keras("BinaryFocalCrossentropy", "label", "prob", label_smoothing=0.1),
)  # fmt: skip
rule(
    "segmentation-models-pytorch", "focal, normalized", "", smp("FocalLoss", "binary", normalized=True),
    "it divides the sum by that of the weights, and then by n once more: --normalized --scale 1/n",
)  # fmt: skip
rule(
    "segmentation-models-pytorch",
    "focal, reduced_threshold 0.5",
    f"{FOCAL} --threshold 0.5 logit label",
    "focal/reduced",
)
rule("segmentation-models-pytorch", "focal of classes", f"{FOCAL} --one-vs-rest scores classes", "focal/classes")
rule(
    "kornia", "focal of classes, alpha 0.25", f"{FOCAL} --alpha 0.25 --alpha-rule rest -r mean-elements scores classes",
    "focal/classes",
)  # fmt: skip
rule("monai", "focal, softmax", f"{FOCAL} -r mean-elements scores classes", "focal/softmax")
rule(
    "fvcore",
    "sigmoid_focal_loss_star, alpha 0.25",
    "focal-star --gamma 1 --beta 0 --alpha 0.25 logit label",
    "focal-star/alpha",
)
rule("optax", "hinge_loss of labels 0 and 1", "hinge --targets raw score label", "hinge/raw-labels")
rule("torchmetrics", "BinaryHingeLoss", "hinge --squash sigmoid score label", "hinge")
rule("torchmetrics", "BinaryHingeLoss, squared", "squared-hinge --squash sigmoid score label", "squared-hinge")
rule("torch", "multi_margin_loss", "multi-margin scores classes", "multi-margin")
rule("torch", "multi_margin_loss, p 2", "multi-margin --squared scores classes", "multi-margin/p2")
rule("keras", "CategoricalHinge", "categorical-hinge scores classes", "categorical-hinge")
rule("torchmetrics", "MulticlassHingeLoss", "multiclass-hinge --squash softmax scores classes", "multiclass-hinge")
rule(
    "torchmetrics", "MulticlassHingeLoss, one-vs-all",
    "multiclass-hinge --squash softmax --kind one-vs-all scores classes", "multiclass-hinge/one-vs-all",
)  # fmt: skip
rule("torch", "kl_div, mean", "kl -r mean-elements p q", "kl")
rule(
    "scipy",
    "entropy(p, q), base 2",
    "kl --base 2 p q",
    stats(lambda s, d, x: s.entropy(x.p, x.q, axis=1, base=2).mean()),
)
rule(
    "torch",
    "kl_div without the log",
    "kl --forgot-log p q",
    lambda x: f().kl_div(t(x.q), t(x.p), reduction="batchmean"),
)
rule("torchmetrics", "KLDivergence, of any rows", "kl --renormalize heavy q", metrics("KLDivergence", "q", "heavy"))
rule(
    "optax",
    "generalized_kl_divergence",
    "kl --generalized p light",
    optax(lambda o, x: o.losses.generalized_kl_divergence(np.log(x.light), x.p)),
)
rule("scipy", "jensenshannon", "js-distance p q", "js-distance")
rule("scikit-learn", "variance of a tree", "variance-reduction pred branch", tree("squared_error", "pred"))
rule(
    "sentence-transformers",
    "OnlineContrastiveLoss",
    "online-contrastive left right same",
    sentence("OnlineContrastiveLoss", *PAIRS),
)
rule("tensorflow-addons", "ContrastiveLoss, a formula", "contrastive --scale 2 left right same", without_half)
rule("torch", "triplet_margin_loss, p 1", f"triplet --distance manhattan --eps 1e-6 {TRIPLET}", "triplet/p1")
rule(
    "pytorch-metric-learning",
    "TripletMarginLoss, smooth_loss",
    f"batch-all --soft {SET}",
    pml("TripletMarginLoss", smooth_loss=True, **RAW),
)
rule(
    "pytorch-metric-learning",
    "TripletMarginLoss, swap",
    f"batch-all --swap {SET}",
    pml("TripletMarginLoss", swap=True, **RAW),
)
rule(
    "pytorch-metric-learning", "BatchHardMiner, mean above zero", f"batch-hard -r mean-active {SET}",
    pml("TripletMarginLoss", miner="BatchHardMiner", **RAW),
)  # fmt: skip
rule(
    "pytorch-metric-learning",
    "ContrastiveLoss, as they are",
    "",
    pml("ContrastiveLoss", distance="raw"),
    "it adds two means, over similar and over dissimilar pairs that cost something",
)
rule(
    "pytorch-metric-learning", "MultiSimilarityMiner 0.1", f"multi-similarity --mining 0.1 --lone zero {SET}",
    "multi-similarity/mined",
)  # fmt: skip
rule("sentence-transformers", "MultipleNegativesRankingLoss", "mnrl --s 20 left near", "mnrl")
rule("rax", "softmax_loss of raw labels", f"ranking-softmax {LISTS}", "ranking-softmax")
rule("rax", "pointwise_sigmoid_loss of grades", f"pointwise-bce --grades clipped {LISTS}", "pointwise-bce")
rule("allrank", "bce of sigmoids", "pointwise-bce --per list-sum score clicks group", "pointwise-bce")
rule(
    "tf-ranking",
    "PairwiseLogisticLoss, a formula",
    f"ranknet --per all-documents {LISTS}",
    sequential_by_list,
)


# --- the page


def computed(rule: Rule, x: Inputs) -> float:
    """What its command prints, of arrays in memory."""
    loss, *words = shlex.split(rule.command_for(x.type))
    end = next(k for k in range(len(words)) if all(word in x.arrays for word in words[k:]))
    end += words[end - 1] == "-w"
    return value(loss, tuple(x.arrays[word] for word in words[end:]), shlex.join(words[:end]), x.arrays)


def value(loss: str, inputs: tuple[Any, ...], options: str, arrays: dict[str, Any] | None = None) -> float:
    """What a command prints, with its options as a command line has them; arrays: that options may name."""
    import lossctl
    from lossctl.language import libraries
    from lossctl.language import options as table

    known = table.settings(table.COMPUTE, "python")
    keywords: dict[str, Any] = {}
    for key, word in libraries.keywords(options).items():
        is_number = key in known and known[key].kind == "number"
        keywords[key] = (arrays or {}).get(word, float(word) if is_number else word)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lossctl.compute(loss, *inputs, **keywords).value


def printed(rule: Rule, x: Inputs) -> float:
    """What its library prints. ImportError where it is not installed."""
    assert rule.theirs is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(rule.theirs(x))


def rows() -> Iterator[tuple[str, str, list[str], str, str]]:
    """The lines of the page: rule, command, numbers, how they agree, what is not expressed and why."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if len(cells) == 8 and cells[0] != "rule" and not line.startswith("| --"):
            yield cells[0], cells[1], cells[2:6], cells[6], cells[7]


def page(today: str) -> tuple[str, list[str]]:
    """docs/rules.md, and what does not hold."""
    from lossctl.language.libraries import DIGITS
    from lossctl.show.sheet import Sheet, markdown

    table, faults = [], []
    data = [inputs(kind, type) for kind, type in DATA]
    for rule in RULES:
        cells, worst = [], {"float64": 0.0, "float32": 0.0}
        for x in data:
            if rule.theirs is None:
                cells.append("random")
                continue
            theirs = printed(rule, x)
            cells.append(f"{theirs:.10g}" if x.type == "float64" else f"{theirs:.7g}")
            if rule.holds(x.kind, x.type):
                off = abs(computed(rule, x) - theirs) / max(abs(theirs), 1e-300)
                worst[x.type] = max(worst[x.type], off)
        agrees = next((word for word, most in DIGITS.items() if worst["float64"] <= most), "not")
        if agrees == "not" or worst["float32"] > OF_FLOAT32:
            faults.append(f"{rule.name}: off by {worst}")
        why = f"not on {rule.apart} inputs: {rule.why}" if rule.apart else rule.why
        command = f"`{rule.command}`" if rule.command else "none"
        command += f"; of float32 `{rule.float32}`" if rule.float32 else ""
        table.append((rule.name, command, *cells, agrees if rule.command else "-", why or "-"))
    columns = ("rule", "command", "random", "random, float32", "hard", "hard, float32", "agrees", "not expressed")
    ran = {
        library: peers.version_of(library)
        for library in dict.fromkeys(r.library for r in RULES)
        if library not in FORMULAS
    }
    count = len(RULES)
    head = HEAD.format(
        today=today,
        ran="\n".join(textwrap.wrap(", ".join(f"{name} {version}" for name, version in ran.items()), 115)),
        count=count,
        all=sum(bool(r.command) and not r.apart for r in RULES),
        some=sum(bool(r.command and r.apart) for r in RULES),
        none=sum(not r.command for r in RULES),
    )
    return head + markdown(Sheet(columns, tuple(table))), faults


OF_FLOAT32 = 2e-5  # by which share a number of float32 inputs may be off, where numbers cancel
FORMULAS = ("tensorflow-addons", "tf-ranking")  # they need TensorFlow
HEAD = """# Rules of libraries, each by one command

{count} rules of real libraries: {all} are one command here that gives their number on random and on hard inputs, in
float64 and in float32; {some} are on some of these inputs, {none} on none, and the last column says why. The numbers
are what the libraries printed on {today}, by `python tests/rules.py`; a test computes every command. Names in
commands are the arrays of that file. "exact" is to 1e-9, "float32" to 5e-6 of the value on float64 inputs, where a
library computes in float32 or adds a small number; on float32 inputs all agree to 2e-5. tensorflow-addons and
tf-ranking are their formulas.

Run on the CPU: {ran}.

"""


if __name__ == "__main__":
    text, faults = page(datetime.date.today().isoformat())
    print("\n".join(faults), file=sys.stderr)
    if "--write" in sys.argv or not faults:
        PAGE.write_text(text)
    raise SystemExit(bool(faults))
