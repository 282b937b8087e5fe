"""How libraries compute a loss, as data: by which of our options, and what each rule gives on one small example.

A row was found by running the libraries, or by reading their source. `tests/test_pages.py` holds every row that our
options express against our own loss, and the numbers against what libraries printed.
"""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple


class Convention(NamedTuple):
    """One rule, and the number it gives on the example of its loss.

    rule: what it does
    libraries: who follows it, the library's name first and then what of it
    command: what computes it here, the loss and its options as a command line has them; "" where our options cannot
    missing: why our options cannot
    """

    rule: str
    value: float
    libraries: tuple[str, ...] = ()
    command: str = ""
    missing: str = ""


class Conventions(NamedTuple):
    """The rules that libraries have for one loss, and an example on which they disagree.

    inputs: of the example, in the order of the loss's roles; logits: whether they are
    """

    example: str
    inputs: tuple[Any, ...]
    rules: tuple[Convention, ...]
    logits: bool = False


DISTANCES, SAME = (0.1, 0.3, 1.3, 0.7, 1.1, 0.5), (0, 0, 1, 1, 0, 1)
PAIRS = Conventions(
    f"d = {DISTANCES}, same = {SAME}, margin 1",
    (((0.0,),) * 6, tuple((d,) for d in DISTANCES), SAME),
    (
        Convention("half the squares, mean", 0.3108333333, ("Caffe", "sentence-transformers"), "contrastive"),
        Convention("the squares, mean", 0.6216666667, ("tensorflow-addons",), "contrastive --scale 2"),
        Convention("half the squares, sum", 1.865, ("Hadsell et al. (there y = 0 is similar)",), "contrastive -r sum"),
        Convention("not squared, mean", 0.6833333333, ("torch HingeEmbeddingLoss",), "pairwise-ranking"),
        Convention(
            "not squared, mean of active similar + mean of active dissimilar",
            1.633333333,
            ("pytorch-metric-learning",),
            "contrastive-sides",
        ),
        Convention(
            "half of [margin - d^2]+ for dissimilar",
            0.3608333333,
            ("Caffe legacy_version",),
            "contrastive --legacy",
        ),
    ),
)

CLASSES = (0, 0, 1, 1, 0, 2, 1, 1, 1)
LINE = f"embeddings 0, 1, ..., 8 of one dimension, labels {CLASSES}, margin 1, Euclidean"
LINE_INPUTS = (tuple((float(x),) for x in range(9)), CLASSES)
NORMALISED = "--normalize refuses the row 0, which has no direction; the library leaves it 0"

LOGITS, TRUTHS = (1.5, -2.7, 2.9, -3.8, 1.2, -4.5), (1, 1, 0, 0, 1, 0)
CERTAIN, RIGHT = (1.0, 1.0, 1.0, 0.0), (1, 0, 1, 0)
BINARY = Conventions(
    f"prob = {tuple(map(int, CERTAIN))}, label = {RIGHT}: certain, and once wrong",
    (CERTAIN, RIGHT),
    (
        Convention("exact", inf, (), "bce"),
        Convention("log clamped at -100", 25.0, ("torch",), "bce --clip-log 100"),
        Convention(
            "p clipped by the float64 epsilon",
            9.010913347,
            ("scikit-learn on float64",),
            "bce --clip 2.220446049250313e-16",
        ),
        Convention("p clipped by 1e-7", 4.029523988, ("keras on float64",), "bce --clip 1e-7"),
    ),
)

ROWS = ((8, 1, 1), (0, 9, 1), (2, 3, 5))
SCORES = ((0.5, 0.2, 0.1), (0.3, 1.2, -0.4), (1.0, 0.1, 0.6))
SQUARED_ERRORS, ERRORS = (0.5, 1.5, 2.5, 2.0), (0.2, 1.0, 3.0)
P, Q = ((0.5, 0.3, 0.2), (0.1, 0.6, 0.3)), ((0.4, 0.4, 0.2), (0.3, 0.4, 0.3))
HUBERS = Conventions(
    f"errors = {ERRORS}, delta = beta = 0.5",
    (ERRORS, (0.0, 0.0, 0.0)),
    (
        Convention("delta (|e| - delta/2) beyond delta", 0.59, ("torch HuberLoss", "keras"), "huber --delta 0.5"),
        Convention("that, divided by beta", 1.18, ("torch SmoothL1Loss",), "smooth-l1 --beta 0.5"),
        Convention("delta^2 (sqrt(1 + (e/delta)^2) - 1)", 0.5329886224, (), "pseudo-huber --delta 0.5"),
    ),
)
LIST = (0.6, 0.8, 0.1, 0.4)

CONVENTIONS: dict[str, Conventions] = {
    "contrastive": PAIRS,
    "contrastive-sides": PAIRS,
    "pairwise-ranking": PAIRS,
    "batch-all": Conventions(
        LINE,
        LINE_INPUTS,
        (
            Convention(
                "mean of the terms above 0",
                2.894736842,
                ("pytorch-metric-learning with normalize_embeddings=False",),
                "batch-all",
            ),
            Convention("mean of all terms", 1.422413793, (), "batch-all -r mean"),
            Convention("sum", 165.0, ("Hermans et al.",), "batch-all -r sum"),
            Convention(
                "squared distances, mean of the terms above 0",
                13.10526316,
                ("FaceNet's distance",),
                "batch-all --distance sqeuclidean",
            ),
            Convention(
                "normalised rows, mean of the terms above 0", 1.125, ("pytorch-metric-learning",), missing=NORMALISED
            ),
        ),
    ),
    "batch-hard": Conventions(
        LINE,
        LINE_INPUTS,
        (
            Convention(
                "anchors with a positive",
                4.125,
                ("pytorch-metric-learning with normalize_embeddings=False",),
                "batch-hard",
            ),
            Convention(
                "all rows, a lone one with d_ap = 0",
                3.666666667,
                ("tensorflow-addons",),
                "batch-hard --lone self",
            ),
            Convention("soft", 3.184133838, (), "batch-hard --soft"),
            Convention(
                "the farthest negative, never right",
                1.0,
                ("a slip in tutorials",),
                missing="the loss is of the nearest negative",
            ),
            Convention("normalised rows", 1.25, ("pytorch-metric-learning",), missing=NORMALISED),
        ),
    ),
    "semi-hard": Conventions(
        LINE,
        LINE_INPUTS,
        (
            Convention("the farthest negative where none is beyond", 0.6153846154, ("tensorflow-addons",), "semi-hard"),
            Convention("the nearest negative there", 1.192307692, (), "semi-hard --fallback hardest"),
            Convention("such pairs dropped", 0.0, (), "semi-hard --fallback drop"),
        ),
    ),
    "focal": Conventions(
        f"logits = {LOGITS}, labels = {TRUTHS}, gamma 2",
        (LOGITS, TRUTHS),
        (
            Convention("no alpha, mean", 0.8503501751, ("keras", "optax", "fvcore"), "focal"),
            Convention("alpha 0.25 for label 1, 0.75 for 0", 0.4337151047, ("torchvision",), "focal --alpha 0.25"),
            Convention(
                "that, divided by the positives",
                0.8674302094,
                ("RetinaNet",),
                "focal --alpha 0.25 -r positives",
            ),
            Convention(
                "alpha 0.25 for both labels", 0.2125875438, ("some copies",), "focal --alpha 0.25 --alpha-rule both"
            ),
            Convention("alpha 0.25 for label 0", 0.4166350704, ("some copies",), "focal --alpha 0.75"),
        ),
        logits=True,
    ),
    "bce": BINARY,
    "log-loss": BINARY,
    "cross-entropy": Conventions(
        f"logits = {ROWS}, label = (0, 1, 2)",
        (ROWS, (0, 1, 2)),
        (
            Convention("no weights", 0.05737562988, (), "cross-entropy"),
            Convention(
                "weights 1/2/4, mean by the sum of weights",
                0.09744624507,
                ("torch", "scikit-learn"),
                "cross-entropy --class-weights 1/2/4",
            ),
            Convention(
                "weights 1/2/4, mean by n",
                0.2273745718,
                ("keras sample_weight",),
                "cross-entropy --class-weights 1/2/4 --weight-norm n",
            ),
            Convention(
                "label smoothing 0.1, eps/K on every class",
                0.4573756299,
                ("torch", "keras"),
                "cross-entropy --label-smoothing 0.1",
            ),
        ),
        logits=True,
    ),
    "multiclass-hinge": Conventions(
        f"scores = {SCORES}, label = (0, 1, 2)",
        (SCORES, (0, 1, 2)),
        (
            Convention("the best rival", 0.7333333333, ("scikit-learn", "optax"), "multiclass-hinge"),
            Convention("all rivals", 1.1, (), "multiclass-hinge --kind weston-watkins"),
            Convention(
                "all rivals, divided by C",
                0.3666666667,
                ("torch MultiMarginLoss",),
                "multiclass-hinge --kind weston-watkins -r mean-elements",
            ),
        ),
    ),
    "mse": Conventions(
        f"errors = {SQUARED_ERRORS}",
        (SQUARED_ERRORS, (0.0,) * 4),
        (
            Convention("squares", 3.1875, ("torch", "keras", "scikit-learn"), "mse"),
            Convention("half of them", 1.59375, ("optax l2_loss", "MXNet L2Loss"), "mse --scale 0.5"),
        ),
    ),
    "huber": HUBERS,
    "smooth-l1": HUBERS,
    "kl": Conventions(
        f"P = {P}, Q = {Q}",
        (P, Q),
        (
            Convention("mean of KL(P || Q) over rows", 0.07934249496, ("keras", "torch batchmean"), "kl"),
            Convention("mean over elements", 0.02644749832, ("torch kl_div by default",), "kl -r mean-elements"),
            Convention("sum", 0.1586849899, ("torch sum",), "kl -r sum"),
            Convention(
                "the other way round, KL(Q || P)",
                0.09660652591,
                ("arguments swapped",),
                missing="give the two inputs in the other order",
            ),
        ),
    ),
    "ranknet": Conventions(
        f"one list, score = {LIST}, relevance = (3, 2, 1, 0)",
        (LIST, (3, 2, 1, 0)),
        (
            Convention("sum over the pairs of a list", 3.640911269, (), "ranknet"),
            Convention("mean over pairs", 0.6068185448, (), "ranknet --per pair"),
            Convention(
                "divided by the length of the list",
                0.9102278172,
                ("TF-Ranking's Keras class",),
                "ranknet --per document",
            ),
        ),
    ),
}
