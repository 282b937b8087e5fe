"""What an input is called, its shape and what it may hold: one row of a table for each role.

The positional parameters of a loss are roles. A role says how its values are read, what is refused, which column names
mean it in a file with a header, and how to draw a random sample of it (`tests` and `explain` do).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["number", "category"]
Layout = Literal["row", "rows", "vectors"]
Form = Literal["prob", "logits", "log-prob"]


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
    """

    name: str
    option: str
    meaning: str
    layout: Layout
    columns: tuple[str, ...]
    kind: Kind = "number"
    forms: tuple[Form, ...] = ()
    truth: bool = False


PREDICTION_NAMES = ("pred", "prediction", "predictions", "y_pred", "yhat", "y_hat", "output", "arr_0")
TRUTH_NAMES = ("target", "targets", "truth", "y_true", "actual", "label_ids", "y", "arr_1")
# A name with * is a pattern that counts where one column has it; decisions (y_pred) come after what decided them.
PROBABILITY_NAMES = (
    "prob", "probs", "proba", "probability", "probabilities", "y_prob", "y_proba", "p", "*prob*", "y_score", "score",
    "scores", "*score*", *PREDICTION_NAMES,
)  # fmt: skip
LOGIT_NAMES = ("logit", "logits", "*logit*", "score", "scores", "*score*", "x", *PREDICTION_NAMES)
LABEL_NAMES = ("label", "labels", "class", "y_true", "target", "truth", "label_ids", "y", "arr_1")


def _chance(name: str, meaning: str, layout: Layout) -> Role:
    return Role(name, "prob", meaning, layout, (*PROBABILITY_NAMES, "logit", "logits"), forms=("prob", "logits"))


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role("pred", "pred", "predicted values", "rows", PREDICTION_NAMES),
        Role("target", "target", "true values, in the shape of the predictions", "rows", TRUTH_NAMES, truth=True),
        _chance("prob", "predicted probabilities of label 1; (n,), or (n, L) for L labels", "rows"),
        _chance("probs", "predicted probabilities of C classes, (n, C)", "vectors"),
        _chance("chance", "predicted probabilities: (n,), (n, L) labels or (n, C) classes", "rows"),
        Role("logit", "logit", "predicted logits of label 1", "rows", LOGIT_NAMES, forms=("logits", "prob")),
        Role("score", "score", "decision values; larger means label 1", "row", ("score", "scores", *LOGIT_NAMES)),
        Role("scores", "scores", "decision values of C classes, (n, C)", "vectors", ("scores", "score", *LOGIT_NAMES)),
        Role("label", "label", "true labels: 0 or 1, or a class index", "rows", LABEL_NAMES, truth=True),
        Role("p", "p", "the distribution P, (n, C)", "vectors", ("p",), forms=("prob", "log-prob", "logits")),
        Role("q", "q", "the distribution Q, (n, C)", "vectors", ("q",), forms=("prob", "log-prob", "logits")),
        Role("left", "left", "first embedding of each pair, (n, D)", "vectors", ("left", "a", "x1", "emb1")),
        Role("right", "right", "second embedding of each pair, (n, D)", "vectors", ("right", "b", "x2", "emb2")),
        Role("same", "same", "1 for a similar pair, 0 for a dissimilar one", "row",
             ("same", "similar", "match", *LABEL_NAMES), truth=True),
        Role("anchor", "anchor", "anchor embeddings, (n, D)", "vectors", ("anchor", "a")),
        Role("positive", "positive", "positive embeddings, (n, D)", "vectors", ("positive", "pos", "p")),
        Role("negative", "negative", "negative embeddings, (n, D)", "vectors", ("negative", "neg", "n")),
        Role("category", "label", "true classes, numbers or text", "row", LABEL_NAMES, kind="category", truth=True),
        Role("split", "split", "the branch that each row falls into, numbers or text", "row",
             ("split", "branch", "child", "node", "group"), kind="category"),
        Role("rank_score", "score", "scores of documents; larger ranks higher", "row",
             ("score", "scores", *LOGIT_NAMES)),
        Role("relevance", "relevance", "how relevant each document is; larger is better, 0 is not at all", "row",
             ("relevance", "rel", "grade", "gain", *LABEL_NAMES), truth=True),
        Role("group", "group", "the list that each document belongs to, a number or text", "row",
             ("group", "qid", "query", "query_id", "list"), kind="category"),
        Role("emb", "emb", "embeddings, (n, D)", "vectors", ("emb", "embedding", "embeddings", "x", "arr_0")),
        Role("identity", "label", "the class of each embedding, numbers or text", "row", LABEL_NAMES,
             kind="category", truth=True),
        Role("weight", "weight", "a weight >= 0 for each row", "row", ("weight", "weights", "sample_weight", "w")),
    )
}  # fmt: skip
