"""Numbers that libraries printed on small inputs, and the options that give them: published comparisons, run again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from oracles.embedding import A5, A9, KERAS
from oracles.ranking import UPSIDE_DOWN
from oracles.samples import H1, H4, K3, KP, SATURATED, K, T
from scipy.special import softmax

VIEWS = (np.array([[-1.954, 1.078], [0.238, -0.5703], [1.8745, -0.0195], [-0.6719, -1.921]]), np.array([0, 0, 1, 1]))
COUNTS = (np.array([[1.0, 9, 2], [5, 2, 6]]), np.array([[4.0, 8, 12], [8, 1, 3]]))


LONE_ROW = (np.array([[1, 0], [0.8, 0.6], [0, 1], [0.1, 0.9], [-1, 0]]), np.array([0, 0, 1, 1, 2]))
THREE_AND_ONE = (VIEWS[0], np.array([0, 0, 0, 1]))
FLOAT32_MEAN = (np.array([1.1, 2.2]), np.zeros(2))
CERTAIN, NO_MASK = (np.ones(1), np.zeros(1)), (np.array([0.4, 0.6]), np.array([0, 0]))


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
    Printed("1.633333", "pytorch-metric-learning", "contrastive-sides", T),
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

C80 = "--gamma 80 --margin 0.4"
MORE = [  # told apart by their inputs, by options that stand for another choice, or twins of those above
    Printed("0.825000", "y = 0 similar", "contrastive", T, "-r sum --positive 0"),
    Printed("0.360833", "caffe, legacy_version", "contrastive", T, "--legacy"),
    Printed("3.66667", "omoindrot", "batch-hard", A9, "--lone self"),
    Printed("2.86515", "omoindrot", "batch-hard", A9, "--soft --lone self"),
    Printed("18.3333", "omoindrot", "batch-hard", A9, "--distance sqeuclidean --lone self"),
    Printed("0.0550", "all valid triplets", "batch-all", A5, "--margin 0.2 -r mean"),
    Printed("0.09686", "all rows", "batch-hard", A5, "--margin 0.2 --lone self"),
    Printed("0.12107", "rows with positives", "batch-hard", A5, "--margin 0.2"),
    Printed("0.16143", "rows above zero", "batch-hard", A5, "--margin 0.2 -r mean-active"),
    Printed("0.15739", "normalised", "batch-hard", A5, "--margin 0.2 -r mean-active --normalize"),
    Printed("0.10379", "squared, all rows", "batch-hard", A5, "--margin 0.2 --distance sqeuclidean --lone self"),
    Printed("0.12973", "squared", "batch-hard", A5, "--margin 0.2 --distance sqeuclidean"),
    Printed("0.161186", "pytorch-metric-learning, cosine", "batch-all", A5, "--margin 0.2 --distance cosine"),
    Printed("1.301145", "tensorflow-addons", "focal", K, "--alpha 0.25 --scale 3", LOGITS),
    Printed("0.232693", "smp", "focal", K, "--alpha 0.25 --normalized --scale 0.16666666666666666", LOGITS),
    Printed("3.98560", "scikit-learn, float32", "bce", SATURATED, "--clip 1.1920928955078125e-07 --clip-type float32"),
    Printed("0.097446", "keras, mean_with_sample_weight", "cross-entropy", K3, "--class-weights 1/2/4", LOGITS),
    Printed("0.085834", "one ignored", "cross-entropy", (K3[0], np.array([0, -100, 2])), "--ignore-index -100", LOGITS),
    Printed("0.657376", "eps / (K - 1)", "cross-entropy", K3, "--label-smoothing 0.15", LOGITS),
    Printed("0.587395", "chances taken for logits", "cross-entropy", (softmax(K3[0], axis=1), K3[1]), "", LOGITS),
    Printed("0.596074", "torch, batchmean", "kl", KP),
    Printed("0.010876", "torchmetrics, the other way", "kl", KP[::-1], "--renormalize"),
    Printed("1418.74", "torch, log_input", "poisson-nll", (np.exp(COUNTS[0]), COUNTS[1])),
    Printed("150.711", "pytorch-metric-learning, MeanReducer", "circle", KERAS, f"{C80} --lone zero"),
    Printed("40.8882", "pytorch-metric-learning, MeanReducer", "circle", A5, f"{C80} --lone zero"),
    Printed("8.968544", "optax", "nt-xent", THREE_AND_ONE),
    Printed("10.672104", "pytorch-metric-learning", "supcon", THREE_AND_ONE, "--temperature 0.07"),
    Printed("1.151471", "allRank, lambdaLoss in bits", "ranknet", UPSIDE_DOWN, "--scale 1.4426950408889634"),
    Printed("0.744351", "allRank, softmax of the labels", "listnet", UPSIDE_DOWN),
    Printed("0.798139", "allRank, labels by their sum", "ranking-softmax", UPSIDE_DOWN, "--normalized"),
    Printed("-0.740520", "allRank", "approx-ndcg", UPSIDE_DOWN, "--temperature 1"),
    Printed("-0.655107", "TF-Ranking", "approx-ndcg", UPSIDE_DOWN, "--temperature 0.1"),
    Printed("3.02500", "keras, in float32", "mse", FLOAT32_MEAN),
    Printed("15.942", "keras, p = 1", "bce", CERTAIN, "--clip 1e-7 --clip-type float32"),
    Printed("16.118", "keras, p = 0", "bce", CERTAIN[::-1], "--clip 1e-7 --clip-type float32"),
    Printed("0.244766", "pytorch-metric-learning", "multi-similarity", LONE_ROW, "--lone negatives"),
    Printed("0.305958", "without the lone row", "multi-similarity", LONE_ROW),
    Printed("0.109376", "pytorch-metric-learning", "supcon", LONE_ROW),
    Printed("0.087500", "pytorch-metric-learning, MeanReducer", "supcon", LONE_ROW, "--lone zero"),
    Printed("7.562735", "pytorch-metric-learning", "circle", LONE_ROW, C80),
    Printed("6.050188", "pytorch-metric-learning, MeanReducer", "circle", LONE_ROW, f"{C80} --lone zero"),
    Printed("0.059693", "pytorch-metric-learning", "nt-xent", LONE_ROW),
    Printed("0.99999", "MONAI", "dice", NO_MASK, "--smooth 1e-5"),
    Printed("1.00000", "keras", "dice", NO_MASK, "--smooth 1e-7"),
    Printed("-6.907755", "torch, the variance raised", "gaussian-nll", (np.zeros(1), np.full(1, 1e-6), np.zeros(1))),
    Printed("800", "exact, inf in torch", "soft-margin", (np.array([-800.0]), np.ones(1))),
]
"""More numbers of the same comparisons, held to their commands alone."""

UNSAID = {  # numbers of them that no command gives, and why
    "1.73340": "scikit-learn adds in float16; ours is 1.73360",
    "1.125": "pytorch-metric-learning puts points on the unit sphere, one of which is 0 and has no direction",
    "1.0": "a slip: the largest d_an in place of the smallest",
    "0.0": "the same, of A5",
    "305.15": "TinyZeaMays' circle is one softmax over all pairs of the batch",
    "1026.41": "the same",
    "128.844": "fast-reid's circle leaves masked pairs inside the sum, each as e^0",
    "-0.797073": "neuralNDCG sorts softly by a matrix that is made doubly stochastic",
    "nan": "all targets ignored: an error here",
    "250000048": "keras' mape of a target of 0 divides by 1e-7; here, as in xgboost, it is infinite",
    "5e8": "the same, of other numbers",
    "1.1259e15": "scikit-learn's divides by 2.2e-16",
    "2.25e15": "the same",
    "213675.65": "torchmetrics' divides by 1.17e-6",
    "427350": "the same",
    "0.5625": "lightgbm's and catboost's divide by max(1, |y|)",
    "4.37508": "torch's full=True adds Stirling's approximation of log y!, a constant of the targets",
    "1.41e-6": "torch adds 1e-6 to each difference: equal points of 2 columns; here they are exactly 0 apart",
    "1.13e-5": "the same, of 128 columns",
    "1e-3": "optax adds 1e-6 below the root",
    "0.0442": "torch.cdist of float32 by products, which cancel",
    "0.07": "the same, at the worst",
}
