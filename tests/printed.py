"""Numbers that libraries printed on small inputs, and the options that give them: published comparisons, run again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from oracles.embedding import A5, A9, KERAS
from oracles.ranking import UPSIDE_DOWN
from oracles.samples import H1, H4, K3, KP, SATURATED, K, T

VIEWS = (np.array([[-1.954, 1.078], [0.238, -0.5703], [1.8745, -0.0195], [-0.6719, -1.921]]), np.array([0, 0, 1, 1]))
COUNTS = (np.array([[1.0, 9, 2], [5, 2, 6]]), np.array([[4.0, 8, 12], [8, 1, 3]]))


class Printed(NamedTuple):
    """A number as a library printed it.

    text: its digits;  loss, inputs: of what;  options: those that give it, as a command line has them
    fixed: what is known beside the data
    """

    text: str
    who: str
    loss: str
    inputs: tuple[Any, ...]
    options: str = ""
    fixed: str = ""


LOGITS = "--from-logits"
PRINTED = [
    Printed("0.310833", "sentence-transformers", "contrastive", T),
    Printed("0.621667", "tensorflow-addons", "contrastive", T, "--scale 2"),
    Printed("1.865000", "Hadsell et al.", "contrastive", T, "-r sum"),
    Printed("0.683333", "torch", "pairwise-ranking", T),
    Printed("0.433715", "torchvision", "focal", K, "--alpha 0.25", LOGITS),
    Printed("0.850350", "keras", "focal", K, "", LOGITS),
    Printed("0.867430", "RetinaNet", "focal", K, "--alpha 0.25 -r positives", LOGITS),
    Printed("0.212588", "alpha on both classes", "focal", K, "--alpha 0.25 --alpha-rule both", LOGITS),
    Printed("0.416635", "reversed alpha", "focal", K, "--alpha 0.75", LOGITS),
    Printed("1.036079", "torch", "bce", K, "", LOGITS),
    Printed("0.772634", "FL*(2, 1)", "focal-star", K),
    Printed("0.933779", "FL*(4, 0)", "focal-star", K, "--beta 0 --gamma 4"),
    Printed("0.057376", "torch", "cross-entropy", K3, "", LOGITS),
    Printed("0.457376", "torch", "cross-entropy", K3, "--label-smoothing 0.1", LOGITS),
    Printed("0.097446", "torch", "cross-entropy", K3, "", f"{LOGITS} --class-weights 1/2/4"),
    Printed("0.227375", "keras", "cross-entropy", K3, "--weight-norm n", f"{LOGITS} --class-weights 1/2/4"),
    Printed("25.0000", "torch", "bce", SATURATED, "--clip-log 100"),
    Printed("4.02952", "keras, float64", "bce", SATURATED, "--clip 1e-7"),
    Printed("3.98560", "keras", "bce", SATURATED, "--clip 1e-7 --clip-type float32"),
    Printed("9.01091", "scikit-learn", "bce", SATURATED, "--clip 2.220446049250313e-16"),
    Printed("8.63469", "scikit-learn before 1.1", "bce", SATURATED, "--clip-log 34.538776394910684"),
    Printed("0.300000", "scikit-learn", "hinge", H1),
    Printed("0.625000", "optax, labels as they are", "hinge", H1, "--targets raw"),
    Printed("0.746432", "torchmetrics", "hinge", H1, "--squash sigmoid"),
    Printed("0.861667", "scikit-learn", "multiclass-hinge", H4),
    Printed("1.151667", "keras", "categorical-hinge", H4),
    Printed("0.420417", "torch", "multiclass-hinge", H4, "--kind weston-watkins -r mean-elements"),
    Printed("1.681667", "torch, times C", "multiclass-hinge", H4, "--kind weston-watkins"),
    Printed("0.950213", "torchmetrics", "multiclass-hinge", H4, "--squash softmax"),
    Printed("0.596074", "keras", "kl", KP),
    Printed("0.198691", "torch", "kl", KP, "-r mean-elements"),
    Printed("1.192148", "torch, sum", "kl", KP, "-r sum"),
    Printed("-1.603007", "torch, without the log", "kl", KP, "--forgot-log"),
    Printed("0.010835", "torchmetrics", "kl", KP, "--renormalize"),
    Printed("0.015631", "scipy, base 2", "kl", KP, "--base 2 --renormalize"),
    Printed("-3.30658", "keras", "poisson-nll", COUNTS),
    Printed("5.36382", "scikit-learn", "poisson-deviance", COUNTS),
    Printed("2.89474", "omoindrot", "batch-all", A9),
    Printed("1.42241", "all valid triplets", "batch-all", A9, "-r mean"),
    Printed("165.000", "Hermans et al.", "batch-all", A9, "-r sum"),
    Printed("13.10526", "squared", "batch-all", A9, "--distance sqeuclidean"),
    Printed("6.43966", "squared, all valid", "batch-all", A9, "-r mean --distance sqeuclidean"),
    Printed("4.12500", "pytorch-metric-learning", "batch-hard", A9),
    Printed("3.18413", "soft", "batch-hard", A9, "--soft"),
    Printed("20.6250", "squared", "batch-hard", A9, "--distance sqeuclidean"),
    Printed("0.615385", "tensorflow-addons", "semi-hard", A9),
    Printed("0.165076", "pytorch-metric-learning", "batch-all", A5, "", "--margin 0.2"),
    Printed("0.164933", "pytorch-metric-learning", "batch-all", A5, "--normalize", "--margin 0.2"),
    Printed("51.1103", "pytorch-metric-learning", "circle", A5, "", "--gamma 80 --margin 0.4"),
    Printed("188.388", "keras", "circle", KERAS, "", "--gamma 80 --margin 0.4"),
    Printed("652.762", "rows", "circle", KERAS),
    Printed("14.01032", "optax", "nt-xent", VIEWS),
    Printed("9.81444", "pytorch-metric-learning", "supcon", VIEWS),
    Printed("2.307216", "lightly", "nt-xent", VIEWS, "--temperature 0.5"),
    Printed("0.798139", "allRank", "ranknet", UPSIDE_DOWN),
    Printed("0.399069", "TF-Ranking", "ranknet", UPSIDE_DOWN, "--per document"),
]
