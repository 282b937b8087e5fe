"""What an input is called, its shape and what it may hold: one row of a table for each role.

The positional parameters of a loss are roles. A role says how its values are read, what is refused, which column names
mean it in a file with a header, and how to draw a random sample of it (`tests` and `explain` do).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

Kind = Literal["number", "category"]
Layout = Literal["row", "rows", "vectors"]
Form = Literal["prob", "logits", "log-prob"]
Check = Literal[
    "real",
    "probability",
    "classes",
    "logits",
    "log-prob",
    "binary",
    "soft",
    "index",
    "weight",
    "category",
    "box",
    "bound",
]


class Role(NamedTuple):
    """One input of a loss.

    name: what the parameter of the loss is called
    option: the command-line option that gives it, without the dashes
    meaning: one line for help and errors
    layout: "row" (n,); "rows" (n,) or (n, k); "vectors" (n, D)
    columns: column names that mean this role in a file of several columns, most telling first; a column family such as
        p0, p1, ... counts where the layout allows more than one, a pattern such as *prob* where one column has it
    kind: "number", or "category" where values are only compared
    forms: which forms of a probability the file may hold, the default first; () for other roles
    truth: whether this is the role that the option -y gives
    low, high: the bounds of its values, themselves allowed unless is_open
    check: what its values may be, where no form says it
    floor: the input that it should not lie below, as the upper end of an interval;  is_ordered: that it must not
    is_level: whether it is how many of the columns before it hold
    naive: which error of a naive forecast in training it is, the absolute or the squared one
    levels: the option that tells of which level each of its columns is
    is_shaped_as_first: whether it has the columns of the first input;  is_per_class: whether it has one for each class
    classes: whether its columns are classes: "always", or "maybe", told by the label beside it
    counts: what a loss of counts makes of it: its "branches", its "classes", or the "sum" of its values
    """

    name: str
    option: str
    meaning: str
    layout: Layout
    columns: tuple[str, ...]
    kind: Kind = "number"
    forms: tuple[Form, ...] = ()
    truth: bool = False
    low: float = -math.inf
    high: float = math.inf
    is_open: bool = False
    check: Check = "real"
    floor: str = ""
    is_ordered: bool = False
    is_level: bool = False
    naive: Literal["", "error", "square"] = ""
    levels: str = ""
    is_shaped_as_first: bool = False
    is_per_class: bool = False
    classes: Literal["", "maybe", "always"] = ""
    counts: Literal["", "branches", "classes", "sum"] = ""

    @property
    def is_label(self) -> bool:
        """Whether it is the truth of predictions: 0 or 1, a class, or a distribution, told by what stands beside it."""
        return self.name == "label"

    @property
    def is_class_of_points(self) -> bool:
        """Whether it says which embeddings belong together."""
        return self.name == "identity"

    @property
    def is_coded(self) -> bool:
        """Whether it holds labels that may be names, or numbers other than the loss knows."""
        return self.name in ("label", "same", "category", "identity")

    @property
    def is_grade(self) -> bool:
        """Whether it says how relevant a document is, and may be padding."""
        return self.option == "relevance"

    @property
    def has_codes(self) -> bool:
        """Whether its values may be something else than they say: names, other numbers, padding."""
        return self.is_coded or self.is_grade

    @property
    def is_frames(self) -> bool:
        """Whether its rows are the frames of sequences, which arrays of three axes hold too."""
        return self.name == "frames"

    @property
    def is_set(self) -> bool:
        """Whether its rows are the points of one set, which are compared with each other."""
        return self.name == "emb"

    @property
    def is_shaped_as_truth(self) -> bool:
        """Whether the truth beside it has its shape, so that both have half of the columns of one source."""
        return self.name in ("pred", "prob", "logit", "label_scores", "rate", "size", "lower")

    @property
    def is_fractional(self) -> bool:
        """Whether its values are fractions, as whole numbers of 16 bits are not."""
        return bool(self.forms) or self.is_shaped_as_truth or self.is_set

    @property
    def is_of_label_1(self) -> bool:
        """Whether it is the probability of one of two labels, of which the other one has the rest."""
        return self.name == "prob"

    @property
    def has_class_columns(self) -> bool:
        """Whether it may have a column for each class that is called after it."""
        return bool(self.classes) or self.is_of_label_1

    @property
    def is_of_triplet(self) -> bool:
        """Whether it is one of the three points of a triplet."""
        return self.name in TRIPLET

    @property
    def has_cells(self) -> bool:
        """Whether its columns are values of their own, as those of a vector are not."""
        return self.layout == "rows" or self.is_per_class

    @property
    def is_distribution(self) -> bool:
        """Whether a row is a distribution that is compared with another one."""
        return "log-prob" in self.forms


PREDICTION_NAMES = ("pred", "prediction", "predictions", "y_pred", "yhat", "y_hat", "output", "arr_0")
TOLD_NAMES = ("y_test", "ground_truth")
TRUTH_NAMES = ("target", "targets", "truth", "y_true", "actual", "label_ids", "y", "arr_1", *TOLD_NAMES)
# A name with * is a pattern that counts where one column has it; decisions (y_pred) come after what decided them.
PROBABILITY_NAMES = (
    "prob", "probs", "proba", "probability", "probabilities", "y_prob", "y_proba", "p", "*prob*", "y_score", "score",
    "scores", "*score*", *PREDICTION_NAMES,
)  # fmt: skip
LOGIT_NAMES = ("logit", "logits", "*logit*", "score", "scores", "*score*", "x", *PREDICTION_NAMES)
LABEL_NAMES = (
    "label", "labels", "class", "y_true", "target", "targets", "truth", "label_ids", "y", "arr_1", *TOLD_NAMES,
)  # fmt: skip
LIKED_NAMES = ("rating", "ratings", "clicked", "click", "clicks")  # what users tell of items
ID_NAMES = (
    "id", "ids", "row_id", "rowid", "index", "idx", "uuid", "guid", "uid", "key", "sample_id", "sampleid", "example_id",
    "item_id", "record_id", "image_id", "doc_id", "user_id", "passengerid", "filename", "file_name", "unnamed: 0", "",
)  # fmt: skip
TIME_NAMES = (
    "ds", "date", "datetime", "timestamp", "time", "time_idx", "hour", "day", "week", "month", "quarter", "year",
)  # fmt: skip


def _chance(name: str, meaning: str, layout: Layout) -> Role:
    return Role(name, "prob", meaning, layout, (*PROBABILITY_NAMES, "logit", "logits"), forms=("prob", "logits"))


PAIR = ("left", "right", "same")
TRIPLET = ("anchor", "positive", "negative")
ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role("pred", "pred", "predicted values", "rows", PREDICTION_NAMES),
        Role("target", "target", "true values, in the shape of the predictions", "rows", TRUTH_NAMES,
             truth=True, is_shaped_as_first=True,
             counts="sum"),
        _chance("prob", "predicted probabilities of label 1; (n,), or (n, L) for L labels", "rows"),
        _chance("probs", "predicted probabilities of C classes, (n, C)", "vectors")._replace(
            is_per_class=True, classes="always"),
        _chance("chance", "predicted probabilities: (n,), (n, L) labels or (n, C) classes", "rows")._replace(
            classes="maybe"),
        Role("logit", "logit", "predicted logits of label 1", "rows", LOGIT_NAMES, forms=("logits", "prob")),
        Role("score", "score", "decision values; larger means label 1", "row", ("score", "scores", *LOGIT_NAMES)),
        Role("scores", "scores", "decision values of C classes, (n, C)", "vectors",
             ("scores", "score", *LOGIT_NAMES), is_per_class=True,
             classes="always"),
        *(
            Role(name, name.replace("_", "-"), f"logits of the same rows, augmented {how}, (n, C)", "vectors", (name,),
                 is_shaped_as_first=True, is_per_class=True, classes="always")
            for name, how in (("augmented", "once"), ("augmented_again", "in another way"))
        ),
        Role("label", "label", "true labels: 0 or 1, or a class index", "rows", LABEL_NAMES, truth=True,
             check="binary"),
        Role("p", "p", "the distribution P, (n, C)", "vectors", ("p",),
             forms=("prob", "log-prob", "logits"), is_per_class=True),
        Role("q", "q", "the distribution Q, (n, C)", "vectors", ("q",),
             forms=("prob", "log-prob", "logits"), is_shaped_as_first=True, is_per_class=True),
        Role("left", "left", "first embedding of each pair, (n, D)", "vectors", ("left", "a", "x1", "emb1")),
        Role("right", "right", "second embedding of each pair, (n, D)", "vectors",
             ("right", "b", "x2", "emb2"), is_shaped_as_first=True),
        *(
            Role(f"guide_{side}", f"guide-{side}", f"the guide's embedding of the {side} one of each pair, (n, D)",
                 "vectors", (f"guide_{side}",))
            for side in ("left", "right")
        ),
        Role("same", "same", "1 for a similar pair, 0 for a dissimilar one", "row",
             ("same", "similar", "match", *LABEL_NAMES), truth=True, check="binary"),
        Role("anchor", "anchor", "anchor embeddings, (n, D)", "vectors",
             ("anchor", "anchors", "query", "queries", "a", "q", "sentence_0", "arr_0")),
        Role("positive", "positive", "positive embeddings, (n, D)", "vectors",
             ("positive", "positives", "pos", "document", "passage", "answer", "p", "sentence_1", "arr_1"),
             is_shaped_as_first=True),
        Role("negative", "negative", "negative embeddings, (n, D)", "vectors",
             ("negative", "negatives", "neg", "n", "sentence_2", "arr_2"), is_shaped_as_first=True),
        Role("category", "label", "true classes, numbers or text", "row", LABEL_NAMES, kind="category", truth=True,
             counts="classes"),
        Role("split", "split", "the branch that each row falls into, numbers or text", "row",
             ("split", "branch", "child", "node", "group"), kind="category",
             counts="branches"),
        Role("frames", "scores", "logits (or log-probabilities) of C symbols at each frame, (n, C)", "vectors",
             ("frame", "frames", "scores", "score", "log_probs", *LOGIT_NAMES), is_per_class=True, classes="always"),
        Role("symbol", "label", "the k-th symbol of a sequence at its k-th frame, the blank at those behind",
             "row", ("symbol", "symbols", *LABEL_NAMES), truth=True, check="index"),
        Role("rank_score", "score", "scores of documents; larger ranks higher", "row",
             ("score", "scores", *LOGIT_NAMES)),
        Role("relevance", "relevance", "how relevant each document is; larger is better, 0 is not at all", "row",
             ("relevance", "rel", "grade", "gain", *LIKED_NAMES, *LABEL_NAMES), truth=True),
        Role("grade", "relevance", "how relevant each document is, 0 or more; 0 is not at all", "row",
             ("grade", "relevance", "rel", "gain", *LIKED_NAMES, *LABEL_NAMES), truth=True, low=0.0),
        Role("group", "group", "the list that each document belongs to, a number or text", "row",
             ("group", "qid", "query", "query_id", "list", "session_id", "user_id", "user"), kind="category"),
        Role("emb", "emb", "embeddings, (n, D)", "vectors", ("emb", "embedding", "embeddings", "x", "arr_0")),
        Role("points", "emb", "embeddings, (n, D)", "vectors", ("emb", "embedding", "embeddings", "x", "arr_0")),
        Role("identity", "label", "the class of each embedding, numbers or text", "row", LABEL_NAMES,
             kind="category", truth=True),
        *(
            Role(name, name.replace("_", "-"), f"log-probability of the {what}, at most 0", "row",
                 (name, f"logp_{name}", f"{name}_logp", f"{name}_logps", *others), high=0.0)
            for name, what, others in (
                *(
                    (name, f"{name} answer", (f"policy_{name}_logp", f"policy_{name}_logps", f"logps/{name}"))
                    for name in ("chosen", "rejected")
                ),
                *(
                    (f"ref_{name}", f"{name} answer under the reference model",
                     (f"reference_{name}_logp", f"reference_{name}_logps", f"ref_logps/{name}"))
                    for name in ("chosen", "rejected")
                ),
                ("policy", "answer (or token) under the model", ()),
                ("reference", "answer (or token) under the reference model", ()),
                ("behaviour", "answer (or token) under the model that wrote it", ()),
            )
        ),
        Role("token_logprob", "logprob", "log-probability that the model gave the token, in nats, at most 0", "row",
             ("logprob", "logprobs", "log_prob", "log_probs", "token_logprob", "token_logprobs", "logp", "logps",
              "log_p", "loglikelihood", "log_likelihood"), high=0.0),
        *(
            Role(f"mean_{name}", name, f"mean log-probability of the tokens of the {name} answer, below 0", "row",
                 (f"mean_{name}", f"mean_logp_{name}", name, f"{name}_logps"), high=0.0, is_open=True)
            for name in ("chosen", "rejected")
        ),
        *(
            Role(f"{name}_reward", name, f"reward of the {name} answer", "row",
                 (f"{name}_reward", f"reward_{name}", name, f"rewards_{name}"))
            for name in ("chosen", "rejected")
        ),
        Role("advantage", "advantage", "how much better than expected the answer (or token) was", "row",
             ("advantage", "advantages")),
        Role("desirable", "desirable", "1 for a desirable answer, 0 for an undesirable one", "row",
             ("desirable", *LABEL_NAMES), truth=True, check="binary"),
        Role("rate", "pred", "predicted rates or means, above 0", "rows", ("rate", *PREDICTION_NAMES), low=0.0,
             is_open=True),
        Role("count", "target", "true counts or amounts, 0 or more", "rows", ("count", *TRUTH_NAMES), truth=True,
             low=0.0, is_shaped_as_first=True),
        Role("amount", "target", "true amounts, above 0", "rows", ("amount", *TRUTH_NAMES), truth=True, low=0.0,
             is_open=True, is_shaped_as_first=True),
        Role("size", "pred", "predicted values, above -1", "rows", ("size", *PREDICTION_NAMES), low=-1.0, is_open=True),
        Role("true_size", "target", "true values, above -1", "rows", ("true_size", *TRUTH_NAMES), truth=True, low=-1.0,
             is_open=True, is_shaped_as_first=True),
        Role("variance", "variance", "predicted variances (not standard deviations), above 0", "rows",
             ("variance", "var", "variances"), low=0.0, is_open=True, is_shaped_as_first=True),
        Role("deviation", "deviation", "predicted standard deviations, above 0", "rows",
             ("deviation", "std", "sd", "sigma", "stddev"), low=0.0, is_open=True, is_shaped_as_first=True),
        Role("spread", "spread", "predicted scales of a distribution (not standard deviations), above 0", "rows",
             ("spread", "scale", "scales", "b"), low=0.0, is_open=True, is_shaped_as_first=True),
        Role("dispersion", "dispersion", "predicted dispersions r (the variance is m + m^2 / r), above 0", "rows",
             ("dispersion", "dispersions", "r", "total_count"), low=0.0, is_open=True, is_shaped_as_first=True),
        Role("lower", "lower", "lower ends of predicted intervals", "rows", ("lower", "low", "lo", "q_low")),
        Role("upper", "upper", "upper ends of predicted intervals", "rows",
             ("upper", "high", "hi", "q_high"), floor="lower", is_shaped_as_first=True),
        Role("members", "members", "predictions of an ensemble or samples, (n, M)", "vectors",
             ("member", "members", "sample", "samples", *PREDICTION_NAMES)),
        Role("outcome", "target", "the true value of each row", "row", TRUTH_NAMES, truth=True),
        Role("label_scores", "scores", "decision values of L labels, (n, L)", "rows",
             ("scores", "score", *LOGIT_NAMES)),
        Role("student", "student", "logits of the model, (n, C)", "vectors", ("student", "logit", "logits")),
        Role("teacher", "teacher", "logits of the model that it learns from, (n, C)", "vectors",
             ("teacher",), is_shaped_as_first=True),
        Role("mean", "mean", "means of a normal distribution", "rows", ("mean", "mu", "means")),
        Role("log_variance", "log-variance", "logarithms of its variances, in the shape of the means", "rows",
             ("log_variance", "logvar", "log_var"), is_shaped_as_first=True),
        Role("nll", "nll", "negative log-likelihood of each document (or token), in nats", "row",
             ("nll", "loss", "neg_log_likelihood")),
        Role("bytes", "bytes", "how many bytes (or characters) it has", "row",
             ("bytes", "n_bytes", "characters", "length"), low=0.0),
        Role("box", "box", "predicted boxes x1 y1 x2 y2, (n, 4)", "vectors",
             ("box", "boxes", "pred_box", "pred_bbox", "bbox", "pred"), check="box"),
        Role("true_box", "target", "true boxes x1 y1 x2 y2, (n, 4)", "vectors",
             ("true_box", "true_bbox", "gt_box", "gt_bbox", "target", "gt"), is_shaped_as_first=True, check="box"),
        Role("teacher_margin", "margin-target", "the teacher's score of the positive less that of the negative", "row",
             ("teacher_margin", "margin", "score_difference", *TRUTH_NAMES), truth=True),
        Role("similarity", "similarity", "how similar each pair is, as a cosine", "row",
             ("similarity", "score", "scores", *TRUTH_NAMES), truth=True),
        Role("first", "first", "scores of the first of each pair", "row", ("first", "a", "x1", "s1", "score1")),
        Role("second", "second", "scores of the second of each pair", "row", ("second", "b", "x2", "s2", "score2")),
        Role("wins", "wins", "1 where the first should rank higher, 0 where the second", "row",
             ("wins", "order", *LABEL_NAMES), truth=True, check="binary"),
        Role("hazard", "hazard", "logarithms of hazards (risk scores); larger means an earlier event", "row",
             ("hazard", "log_hazard", "risk", *PREDICTION_NAMES)),
        Role("time", "time", "when each event came, or how long none did", "row", ("time", "times", "duration"),
             low=0.0),
        Role("event", "event", "1 where the event came, 0 where none did (censored)", "row",
             ("event", "events", "status", *LABEL_NAMES), truth=True, check="binary"),
        Role("lifetime", "pred", "predicted survival times, above 0", "row", ("lifetime", *PREDICTION_NAMES), low=0.0,
             is_open=True),
        Role("earliest", "lower", "when each event came at the earliest, 0 where that is not known", "row",
             ("earliest", "label_lower_bound", "lower_bound", "y_lower", "lower", "low"), low=0.0),
        Role("latest", "upper", "when each event came at the latest, inf where it has not come", "row",
             ("latest", "label_upper_bound", "upper_bound", "y_upper", "upper", "high"), low=0.0, is_open=True,
             check="bound", floor="earliest", is_ordered=True),
        Role("naive", "naive-error", "mean absolute error of the seasonal naive forecast in training, above 0 "
             "(--train SRC --season M computes it)", "row",
             ("naive_error", "mase_scale"), low=0.0, is_open=True, naive="error"),
        Role("naive_square", "naive-square", "mean squared error of the seasonal naive forecast in training, above 0 "
             "(--train SRC --season M computes it)",
             "row", ("naive_square", "rmsse_scale"), low=0.0, is_open=True, naive="square"),
        Role("benchmark", "benchmark", "forecasts of the benchmark, in the shape of the others", "rows",
             ("benchmark", "naive2", "seasonal_naive", "snaive"), is_shaped_as_first=True),
        Role("quantiles", "quantiles", "predicted quantiles, one column a level, (n, Q)", "vectors",
             ("quantile", "quantiles", "q", *PREDICTION_NAMES), levels="levels"),
        Role("thresholds", "prob", "predicted probabilities that the grade is at least 1, 2, ... K, (n, K)", "vectors",
             (*PROBABILITY_NAMES, "logit", "logits"), forms=("prob", "logits")),
        Role("level", "label", "true grades, whole numbers from 0 to K", "row", ("level", "grade", *LABEL_NAMES),
             truth=True, is_level=True),
        *(
            Role(f"{side}_codes", side, f"scores of K prototypes from the {side} view, (n, K)", "vectors",
                 (f"{side}_codes", side, *names), is_shaped_as_first=True)
            for side, names in (("left", ("a", "x1", "view1")), ("right", ("b", "x2", "view2")))
        ),
        Role("router", "router", "logits of E experts, (n, E)", "vectors",
             ("router", "router_logits", "gate", "logits")),
        Role("weight", "weight", "a weight >= 0 for each row", "row",
             ("weight", "weights", "sample_weight", "w"), check="weight"),
    )
}  # fmt: skip
SAME = ROLES["same"]
DISTANCE = ROLES["left"]._replace(
    name="distance", option="distances", columns=("distance", "d", "dist"), layout="row"
)  # of a pair, in place of its ends
POINTS, IDENTITY = ROLES["emb"], ROLES["identity"]
LISTS, WEIGHT = ROLES["group"], ROLES["weight"]
