"""Names that people look for and that are no loss here: what each is, and what to use.

Objectives of models are among them (naive Bayes, CART, support vector machines), and metrics that are no losses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Pointer(NamedTuple):
    """What a name stands for, why it is not computed, and the loss that comes nearest ("" for none).

    use: what to do instead, as a command or a place
    """

    what: str
    why: str
    use: str
    loss: str = ""


def _model(what: str, objective: str, loss: str, why: str = "") -> Pointer:
    return Pointer(what, why or "what a model minimises besides is not in its predictions", objective, loss)


_POSTERIOR = _model(
    "naive Bayes: it maximises the posterior probability of the class",
    "its probabilities are scored by: lossctl compute log-loss", "log-loss",
    "not computable from a file of predictions: the posterior is that of its own model",
)  # fmt: skip
_FITNESS = _model(
    "genetic programming: it maximises the fitness function of its problem",
    "if that is an error of predictions, compute that error: lossctl list", "",
    "not computable from a file of predictions: each problem defines its own fitness",
)  # fmt: skip
_RETURN = _model(
    "reinforcement learning: it maximises the expected return of a policy",
    "losses of its updates are there: lossctl explain ppo-clip", "ppo-clip",
    "not computable from a file of predictions: the environment has to be played",
)  # fmt: skip
_SVM = _model(
    "a support vector machine: it minimises the hinge loss, and the size of its weights",
    "the hinge of its decision values: lossctl compute hinge (squared-hinge for scikit-learn's LinearSVC)", "hinge",
)  # fmt: skip
_TREE = _model(
    "a decision tree: each split maximises the information gain, or lowers the impurity or variance most",
    "lossctl compute gini-gain (CART), information-gain (ID3, C4.5), variance-reduction (regression)", "gini-gain",
    "it is of a split: class (or target) and branch of each row",
)  # fmt: skip
_SQUARES = _model("it minimises the mean squared error of its predictions", "lossctl compute mse", "mse")
_LIKELIHOOD = _model(
    "it maximises the log-likelihood of the labels, which is to minimise their cross-entropy",
    "lossctl compute cross-entropy, or bce for labels 0 and 1; -r sum is minus the log-likelihood", "cross-entropy",
)  # fmt: skip
_ORDER = "it is of the order of scores over all rows, not a loss that training lowers"
_AUC = Pointer("the area under the ROC curve", _ORDER, "scikit-learn's roc_auc_score; of losses, ranknet is nearest",
               "ranknet")  # fmt: skip
_RETRIEVAL = Pointer(
    "a metric of ranked lists", "ranking metrics with cutoffs are those of TREC", "ir_measures or ranx; ndcg is here"
    ": lossctl compute ndcg", "ndcg",
)  # fmt: skip
_DECISIONS = Pointer(
    "a metric of decisions at one threshold", "a loss judges probabilities, not decisions",
    "scikit-learn's metrics; for the overlap of regions: lossctl compute dice (1 - F1)", "dice",
)  # fmt: skip
_TEXT = Pointer("a score of generated texts", "texts are no numbers", "sacrebleu, rouge-score or jiwer; of the model's "
                "probabilities: lossctl compute perplexity", "perplexity")  # fmt: skip
_IMAGES = Pointer("a score of generated images", "images are no predictions of labels",
                  "torchmetrics or scikit-image; pixel by pixel: lossctl compute mse", "mse")  # fmt: skip
_CORRELATION = Pointer("a correlation", "it tells order or spread, not how far off predictions are",
                       "scipy.stats, scikit-learn; lossctl compute correlation (Pearson), r2 or mse", "r2")  # fmt: skip
_NEIGHBOURS = Pointer("the total variation of an image", "it needs the neighbours of each pixel",
                      "kornia or torchmetrics; of two distributions: lossctl compute total-variation",
                      "total-variation")  # fmt: skip
_VAE = Pointer("two terms of one objective", "reconstruction and KL are read from different files",
               "lossctl compute gaussian-kl for the KL term, bce or mse for the other", "gaussian-kl")  # fmt: skip
_GAN = Pointer(
    "two networks against each other",
    "each has a loss of its own",
    "of scores of real (1) and generated (0) rows: lossctl compute gan-hinge, gan-least-squares or bce",
    "gan-hinge",
)

_RANKED = Pointer(
    "a family of losses, those of the order of documents in lists",
    "some look at each document (pointwise), some at pairs, some at whole lists",
    "lossctl list --family ranking; of pairs: lossctl compute ranknet", "ranknet",
)  # fmt: skip
_SIAMESE = Pointer(
    "a family of losses, those of distances between embeddings",
    "some are of pairs, some of triplets, some of whole sets",
    "lossctl list --family pairs, or embedding; of pairs: lossctl compute contrastive", "contrastive",
)  # fmt: skip
_HARDEST = Pointer(
    "the mean of the hardest rows", "it is a choice of rows, for any loss of rows",
    "lossctl compute cross-entropy --keep 25%; of each image: --keep 64 -g image", "cross-entropy",
)  # fmt: skip

_COSINE = Pointer(
    "the negative cosine of two views", "its value is the cosine distance less 1 (BYOL: twice the distance)",
    "lossctl compute cosine-distance", "cosine-distance",
)  # fmt: skip
_SMOOTHED = Pointer("an option of cross-entropy", "it changes the labels, not the loss",
                    "lossctl compute cross-entropy --label-smoothing 0.1", "cross-entropy")  # fmt: skip
_FEATURES = Pointer("a distance of a model's features", "the features come from a model",
                    "save the features of both; then: lossctl compute mse (or mae)", "mse")  # fmt: skip
_ORDINAL = Pointer("a family of losses, those of grades in order", "some look at each step up, some at distances",
                   "lossctl list --family ordinal; of the steps: lossctl compute ordinal", "ordinal")  # fmt: skip
_LOVASZ = Pointer("two losses, of one region and of several classes", "one takes scores, the other probabilities",
                  "lossctl compute lovasz-hinge, or lovasz-softmax", "lovasz-hinge")  # fmt: skip
_SHAPES = Pointer("a loss of the shapes of regions", "it needs whole images: how far each pixel is from an edge",
                  "MONAI or kornia; pixel by pixel: lossctl compute dice or tversky", "dice")  # fmt: skip
_TEACHERS = Pointer("a loss of a teacher that follows the model", "it keeps a state between batches",
                    "lightly; of two views: lossctl compute nt-xent-views, dcl or vicreg", "vicreg")  # fmt: skip
_GROUPS = Pointer("a clipped surrogate whose advantages come from the rewards of a group of answers",
                  "rewards become advantages before it", "lossctl compute ppo-clip, with a column of advantages; "
                  "kl-estimate for its KL term", "ppo-clip")  # fmt: skip
_PRIORS = Pointer("cross-entropy of logits that class sizes have moved", "it is cross-entropy of other logits",
                  "add tau log(share of class c) to column c (ldam: take C / n_c^(1/4) from the true class's logit); "
                  "then: lossctl compute cross-entropy", "cross-entropy")  # fmt: skip
_SAMPLES = Pointer("a distance of two samples of points", "it takes all pairs of points, or a transport between them",
                   "POT or geomloss; of numbers: lossctl compute energy-distance or wasserstein-1d",
                   "energy-distance")  # fmt: skip

_CLUSTERS = Pointer("a score of clusterings", "it compares groups of rows, not predictions with labels",
                    "scikit-learn has them; of labelled embeddings: lossctl triplets EMB LABEL")  # fmt: skip
_MIXTURE = Pointer("the likelihood of a mixture, or of a distribution of one's choice", "a distribution is a loss here",
                   "of mean and variance: lossctl compute gaussian-nll; others are poisson-nll, negative-binomial-nll, "
                   "student-t-nll; of samples: crps-ensemble", "gaussian-nll")  # fmt: skip
_OVERLAP = Pointer("the overlap of regions", "it is 1 minus a loss", "lossctl compute jaccard or dice, of several "
                   "classes multiclass-jaccard or multiclass-dice, of boxes iou", "jaccard")  # fmt: skip
_KAPPA = Pointer("agreement beyond chance, all misses alike", "weighted-kappa is of grades, and of probabilities",
                 "scikit-learn's cohen_kappa_score; of grades, or of 0 and 1: lossctl compute weighted-kappa, which is "
                 "1 minus kappa", "weighted-kappa")  # fmt: skip
_ASSOCIATION = Pointer("how far two columns of labels go together", "neither is a prediction",
                       "scipy.stats.contingency.association; by entropy: lossctl compute information-gain",
                       "information-gain")  # fmt: skip
_SOUND = Pointer("a score of sounds that are filtered or matched first", "it is no loss of rows",
                 "torchmetrics; of signals as they are: lossctl compute si-sdr or snr", "si-sdr")  # fmt: skip
_SHARE = Pointer("an error as a share of the mean or range of the true values", "it is a quotient",
                 "lossctl compute nrmse or wape; of others, divide mae or rmse by it", "nrmse")  # fmt: skip
_RELATIVE = Pointer("an error as a share of that of other forecasts", "it is a quotient of two losses",
                    "compute both and divide, or: lossctl compare OTHERS FILE -y TRUTH --loss mae", "mae")  # fmt: skip

POINTERS: dict[str, Pointer] = {
    **dict.fromkeys(("rand", "adjusted-rand", "mutual-info", "adjusted-mutual-info", "normalized-mutual-info",
                     "v-measure", "homogeneity", "completeness", "fowlkes-mallows", "calinski-harabasz",
                     "davies-bouldin", "dunn", "cluster-accuracy", "pair-confusion", "consensus",
                     "homogeneity-completeness-v-measure"), _CLUSTERS),
    **dict.fromkeys(("jaccard-score", "jaccard-index", "jaccard-macro", "jaccard-micro", "jaccard-weighted",
                     "jaccard-samples", "dice-metric", "mean-iou", "binary-iou", "one-hot-iou", "one-hot-mean-iou",
                     "dice-score", "generalized-dice-score"), _OVERLAP),
    **dict.fromkeys(("kappa", "cohen-kappa", "cohens-kappa"), _KAPPA),
    **dict.fromkeys(("macro-average-precision", "multiclass-average-precision", "multilabel-average-precision"),
                    Pointer("the mean of the average precision of each class", "it is a mean of several values",
                            "lossctl compute average-precision, with the scores and 0 or 1 of each class in turn",
                            "average-precision")),
    **dict.fromkeys(("cramers-v", "tschuprows-t", "theils-u", "pearsons-contingency-coefficient"), _ASSOCIATION),
    **dict.fromkeys(("signal-distortion-ratio", "source-aggregated-signal-distortion-ratio", "pit",
                     "permutation-invariant-training"), _SOUND),
    **dict.fromkeys(("distribution", "normal-distribution", "log-normal-distribution", "beta-distribution",
                     "negative-binomial-distribution", "multivariate-normal-distribution", "gmm", "pmm", "nbmm",
                     "mqf2-distribution"), _MIXTURE),
    **dict.fromkeys(("rel-mse", "rmae", "relative-mae", "theil-u2", "mean-relative-absolute-error"), _RELATIVE),
    **dict.fromkeys(("mqloss", "multi-quantile", "multi-quantile-loss", "mql", "mean-quantile"),
                    Pointer("the mean pinball of several quantiles", "it is half of wis, which takes a level a column",
                            "lossctl compute wis --levels 0.1/0.5/0.9 --scale 0.5", "wis")),
    **dict.fromkeys(("iqloss", "implicit-quantile-network-distribution"),
                    Pointer("the pinball of a quantile that is drawn for each batch", "it is chance that chooses",
                            "of fixed quantiles: lossctl compute pinball --alpha, or wis --levels", "pinball")),
    **dict.fromkeys(("scrps", "scaled-crps", "wql", "mean-wquantile-loss", "mean-weighted-quantile-loss",
                     "mean-weighted-sum-quantile-loss"),
                    Pointer("crps over the mean size of the true values", "it is a quotient of two means",
                            "of samples: lossctl compute crps-ensemble; of quantiles: wis; then divide by the mean of "
                            "|target|", "crps-ensemble")),
    **dict.fromkeys(("msse", "mean-squared-scaled-error"),
                    Pointer("the mean squared error in units of the naive one", "it is the square of rmsse",
                            "lossctl compute rmsse", "rmsse")),
    **dict.fromkeys(("naive-bayes", "maximum-posterior", "map-estimate", "posterior"), _POSTERIOR),
    **dict.fromkeys(("genetic-programming", "fitness", "genetic-algorithm", "evolution"), _FITNESS),
    **dict.fromkeys(("reinforcement-learning", "expected-return", "rl", "reward", "value-function"), _RETURN),
    **dict.fromkeys(("svm", "svc", "linear-svc", "support-vector-machine"), _SVM),
    **dict.fromkeys(("cart", "decision-tree", "classification-tree", "regression-tree", "id3", "c4.5", "c45",
                     "random-forest"), _TREE),
    **dict.fromkeys(("pointwise", "point-wise", "pairwise", "pair-wise", "listwise", "list-wise", "rank-loss",
                     "ranking", "ranking-loss", "learning-to-rank"), _RANKED),
    **dict.fromkeys(("siamese", "siamese-loss", "metric-learning", "face-verification"), _SIAMESE),
    **dict.fromkeys(("adaline", "adaptive-linear-neuron", "linear-regression", "least-squares", "ols", "ridge",
                     "lasso"), _SQUARES),
    **dict.fromkeys(("maximum-likelihood", "log-likelihood", "likelihood", "logistic-regression"), _LIKELIHOOD),
    "accuracy": Pointer("the share of rows that are right", "it is 1 minus the error rate",
                        "lossctl compute zero-one: accuracy is 1 minus it", "zero-one"),
    **dict.fromkeys(("auc", "roc-auc", "auroc", "roc", "det", "log-auc", "eer", "equal-error-rate", "auc-mu",
                     "query-auc", "normalized-gini"), _AUC),
    **dict.fromkeys(("mrr", "hit-rate", "reciprocal-rank", "fall-out", "r-precision", "retrieval-precision",
                     "retrieval-recall", "retrieval-precision-recall-curve", "retrieval-recall-at-fixed-precision",
                     "retrieval-auroc", "ranking-average-precision", "label-ranking-average-precision",
                     "recall-at-k", "precision-at-k", "recall-at", "precision-at", "pfound", "average-gain",
                     "filtered-dcg"), _RETRIEVAL),
    **dict.fromkeys(("precision", "recall", "f1", "f1-score", "f-score", "fbeta", "confusion-matrix",
                     "balanced-accuracy", "balanced-error-rate", "top-k-accuracy", "total-f1", "specificity",
                     "sensitivity", "positive-predictive-value", "negative-predictive-value", "likelihood-ratio",
                     "class-likelihood-ratios", "positive-likelihood-ratio", "neg-negative-likelihood-ratio",
                     "classification-report", "precision-recall-fscore-support", "critical-success", "exact-match",
                     "precision-recall-curve", "precision-at-recall", "precision-at-fixed-recall",
                     "recall-at-precision", "recall-at-fixed-precision", "sensitivity-at-specificity",
                     "specificity-at-sensitivity", "stat-scores", "true-positives", "true-negatives",
                     "false-positives", "false-negatives", "group-stat-rates", "fairness", "fleiss-kappa",
                     "multiclass-matthews-corrcoef", "multilabel-matthews-corrcoef"), _DECISIONS),
    **dict.fromkeys(("top-k-categorical-accuracy", "panoptic-quality", "modified-panoptic-quality"), _DECISIONS),
    **dict.fromkeys(("bleu", "sacre-bleu", "rouge", "wer", "cer", "meteor", "chrf", "bertscore", "squad",
                     "squad-v2", "ter", "comet", "mauve", "seqeval", "wiki-split", "edit-distance",
                     "word-error-rate", "char-error-rate", "match-error-rate", "word-info-lost",
                     "word-info-preserved", "word-information-lost", "word-information-preserved",
                     "translation-edit-rate", "extended-edit-distance"), _TEXT),
    **dict.fromkeys(("hausdorff", "hausdorff-distance", "hausdorff-loss", "boundary", "boundary-loss", "cldice",
                     "soft-cldice"), _SHAPES),
    **dict.fromkeys(("dino", "dino-loss", "ibot", "tico"), _TEACHERS),
    **dict.fromkeys(("grpo", "dapo", "dr-grpo"), _GROUPS),
    **dict.fromkeys(("logit-adjusted", "logit-adjustment", "balanced-softmax", "ldam"), _PRIORS),
    "class-balanced": Pointer("cross-entropy with weights (1 - b) / (1 - b^n_c) for classes of n_c rows",
                              "it is an option of cross-entropy", "lossctl compute cross-entropy --class-weights, "
                              "--weight-norm n for its mean over rows", "cross-entropy"),
    **dict.fromkeys(("mmd", "sinkhorn", "sliced-wasserstein", "optimal-transport"), _SAMPLES),
    "bco": Pointer("binary classifier optimisation", "its level is a running mean of rewards",
                   "lossctl compute bco-pair --delta LEVEL; of one answer a row: kto", "bco-pair"),
    "coverage": Pointer("two losses, of predicted intervals and of several labels a row", "both go by that name",
                        "lossctl compute interval-coverage, or coverage-error", "interval-coverage"),
    "rnn-t": Pointer("the loss of a transducer", "it needs scores of each frame with each symbol",
                     "torchaudio's rnnt_loss; of frames alone: lossctl compute ctc", "ctc"),
    **dict.fromkeys(("ssim", "ms-ssim", "fid", "lpips", "inception-score", "spectral-angle-mapper",
                     "spectral-distortion", "universal-image-quality", "relative-average-spectral-error",
                     "error-relative-global-dimensionless-synthesis",
                     "root-mean-squared-error-using-sliding-window"), _IMAGES),
    **dict.fromkeys(("spearman", "spearmanr", "kendall", "kendall-rank"), _CORRELATION),
    "explained-variance": Pointer("1 less the variance of the errors over that of the true values",
                                  "it is blind to an offset of all predictions", "scikit-learn's "
                                  "explained_variance_score; where the offset counts: lossctl compute r2", "r2"),
    **dict.fromkeys(("vae", "vae-loss", "elbo", "beta-vae"), _VAE),
    **dict.fromkeys(("gan", "gan-loss"), _GAN),
    **dict.fromkeys(("ohem", "loss-rank-mining", "hard-example-mining"), _HARDEST),
    **dict.fromkeys(("byol", "simsiam", "negative-cosine"), _COSINE),
    **dict.fromkeys(("label-smoothing", "label-smoothing-loss", "labelsmoothingloss"), _SMOOTHED),
    **dict.fromkeys(("perceptual", "perceptual-loss", "style-loss", "feature-matching"), _FEATURES),
    **dict.fromkeys(("corn", "ordinal-regression"), _ORDINAL),
    **dict.fromkeys(("lovasz", "lovasz-loss"), _LOVASZ),
    "generalized-kl": Pointer("the KL divergence of rows that need not sum to 1", "it is an option of kl",
                              "lossctl compute kl --generalized; of rates, poisson-deviance --scale 0.5", "kl"),
    **dict.fromkeys(("tv", "tv-loss", "image-total-variation"), _NEIGHBOURS),
    "wasserstein": Pointer("two losses, of two samples and of the scores of a critic", "both go by that name",
                           "lossctl compute wasserstein-1d, or wasserstein-gan", "wasserstein-1d"),
    **dict.fromkeys(("ope", "marre", "arre", "coefficient-of-variation"), _SHARE),
    "silhouette": Pointer("how well clusters are apart", "it is no loss",
                          "scikit-learn's silhouette_score; of labelled embeddings: lossctl triplets EMB LABEL"),
}  # fmt: skip


TASKS = re.compile("^(?:binary|multiclass|multilabel|retrieval|sparse(?=categorical|topk)|categorical(?=accuracy))+")
SCORES = re.compile("(?:score|loss|index|corrcoef|matrix|metric|curve|macro|micro|weighted|samples|ovr|ovo)$")


def pointer(name: str) -> Pointer | None:
    """What a name stands for that is no loss, also as `RocAuc`, `roc_auc_score` or `BinaryAUROC`; None for others."""
    kebab = "-".join(name.lower().replace("_", "-").split())
    if kebab in POINTERS:
        return POINTERS[kebab]
    known = {_plain(other): pointer for other, pointer in reversed(POINTERS.items())}
    return next((known[spelling] for spelling in _spellings(_plain(kebab)) if spelling in known), None)


def _spellings(word: str) -> Iterator[str]:
    """A name, and what is left of it without what libraries add for the task, the mean, or that it is a score."""
    words = [word] if word.endswith("loss") else [word, TASKS.sub("", word)]  # a loss of a task is another loss
    for begin in words:
        rest = begin
        yield rest
        while rest != (rest := SCORES.sub("", rest)):
            yield rest


def _plain(name: str) -> str:
    return name.replace("-", "")
