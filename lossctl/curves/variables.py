"""The natural variable of a loss: the one number that its curve is drawn against, and how it becomes the loss's inputs.

A table by roles, so a new loss with known inputs has a curve at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..language.distances import LONGEST, pair_at
from ..language.numerics import Array, namespace, sqrt
from ..language.predictions import Binary, Categorical, Distribution
from ..language.registry import Loss, Spec

Numbers = Mapping[str, Any]
Cases = dict[str, tuple[Any, ...]]  # what tells the lines of one loss apart -> its inputs; one line has the name ""
NEAREST = 1e-30  # what stands for 0 where only a limit exists


class Variable(NamedTuple):
    """What a curve is drawn against.

    name: as --x and the columns of a table call it; label: for the axis, with the unit
    inputs: values of the variable (x), the fixed quantities (at) and the loss as it is set to the inputs of each line
    span: the range that shows what matters, by the loss as it is set and the fixed quantities
    low, high: the values that make sense
    fixed: quantities that stay as they are along the curve, with their defaults; `--at` sets them
    by_counts: whether the loss counts rows, which has no derivative
    """

    name: str
    label: str
    inputs: Callable[[Array, Numbers, Spec], Cases]
    span: Callable[[Spec, Numbers], tuple[float, float]]
    low: float = -math.inf
    high: float = math.inf
    fixed: tuple[tuple[str, float], ...] = ()
    by_counts: bool = False


def _ones(x: Array) -> Array:
    return namespace(x).ones_like(x)


def _columns(*parts: Array) -> Array:
    return namespace(parts[0]).stack(list(parts), axis=-1)


def _column(x: Array) -> Array:
    return x[:, None]


# --- inputs


def _error(x: Array, at: Numbers, spec: Spec) -> Cases:
    target = at["target"] * _ones(x)
    return {"": (x + target, target)}


def _binary(logits: bool) -> Callable[..., Cases]:
    return lambda x, at, spec: {"": (Binary(x, logits), _ones(x))}


def _categorical(logits: bool) -> Callable[..., Cases]:
    def inputs(x: Array, at: Numbers, spec: Spec) -> Cases:
        rest = namespace(x).zeros_like(x) if logits else 1.0 - x
        return {"": (Categorical(_columns(x, rest), logits), namespace(x).zeros_like(x))}

    return inputs


def _score(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (x, _ones(x))}


def _scores(x: Array, at: Numbers, spec: Spec) -> Cases:
    zero = namespace(x).zeros_like(x)
    return {"": (_columns(x, zero), zero)}


def _one_document(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (_column(x), _column(_ones(x)))}


def _two_documents(x: Array, at: Numbers, spec: Spec) -> Cases:
    zero = namespace(x).zeros_like(x)
    return {"": (_columns(x, zero), _columns(_ones(x), zero))}


def _against_p(x: Array, at: Numbers, spec: Spec) -> Cases:
    p = at["p"] * _ones(x)
    return {"": (Distribution(_columns(p, 1.0 - p), "prob"), Distribution(_columns(x, 1.0 - x), "prob"))}


def _two_classes(x: Array, at: Numbers, spec: Spec) -> Cases:
    from fractions import Fraction

    return {"": ([[Fraction(share), 1 - Fraction(share)] for share in x.tolist()],)}


def _pair(x: Array, at: Numbers, spec: Spec) -> Cases:
    zero, ones = namespace(x).zeros_like(x), _ones(x)
    left, right = pair_at(spec.metric or "cosine", x)  # a loss of pairs that has no choice is of cosines
    return {"similar": (left, right, ones), "dissimilar": (left, right, zero)}


def _triplet(x: Array, at: Numbers, spec: Spec) -> Cases:
    anchor, negative = pair_at(spec.metric, x)
    return {"": (anchor, pair_at(spec.metric, at["d_ap"] * _ones(x))[1], negative)}


def length_of(d: Array, distance: str) -> Array:
    """How far apart two points lie whose distance, of that kind, is d."""
    return sqrt(d) if distance == "sqeuclidean" else d


def distance_of(length: float, distance: str) -> float:
    """The distance, of that kind, of two points that lie so far apart."""
    return length * length if distance == "sqeuclidean" else length


def _beside_target(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (x, at["target"] * _ones(x))}


def _error_and_width(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (x, at[spec.loss.roles[1].name] * _ones(x), 0.0 * x)}


def _beside_interval(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (-_ones(x), _ones(x), x)}


def _beside_members(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (_columns(-_ones(x), _ones(x)), x)}


def _student(x: Array, at: Numbers, spec: Spec) -> Cases:
    zero = 0.0 * x
    return {"": (_columns(x, zero), _columns(_ones(x), zero))}


def _normal(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (x, at["log_variance"] * _ones(x))}


def _boxes(x: Array, at: Numbers, spec: Spec) -> Cases:
    zero, ones = 0.0 * x, _ones(x)
    return {"": (_columns(x, zero, x + 1.0, ones), _columns(zero, zero, ones, ones))}


def _angle(x: Array) -> tuple[Array, Array]:
    return _columns(_ones(x), 0.0 * x), _columns(x, sqrt((1.0 - x) * (1.0 + x)))


def _directions(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": _angle(x)}


def _directions_alike(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (*_angle(x), at["similarity"] * _ones(x))}


def _in_order(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (x, 0.0 * x, _ones(x))}


def _towards_teacher(x: Array, at: Numbers, spec: Spec) -> Cases:
    ones = _column(_ones(x))
    return {"": (ones, _column(x), 0.0 * ones, at["teacher_margin"] * _ones(x))}


def _against_reference(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (x, 0.0 * x, 0.0 * x, 0.0 * x)}


def _two_answers(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (-_ones(x), -x - 1.0)}


def _two_rewards(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (x / 2, -x / 2)}


def _chosen(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (x, -_ones(x))}


def _desirable(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"desirable": (x, 0.0 * x, _ones(x)), "undesirable": (x, 0.0 * x, 0.0 * x)}


def _advantage(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"advantage 1": (x, 0.0 * x, _ones(x)), "advantage -1": (x, 0.0 * x, -_ones(x))}


def _score_of_pair(x: Array, at: Numbers, spec: Spec) -> Cases:
    return {"": (x, 0.0 * x)}


# --- ranges


def _around_zero(spec: Spec, at: Numbers) -> tuple[float, float]:
    reach = 3.0 * max(1.0, spec.width)
    return -reach, reach


def _unit(spec: Spec, at: Numbers) -> tuple[float, float]:
    return 0.0, 1.0


def _logits(spec: Spec, at: Numbers) -> tuple[float, float]:
    return -5.0, 5.0


def _to_margin(spec: Spec, at: Numbers) -> tuple[float, float]:
    return 0.0, _on_sphere(1.5 * spec.margin if spec.metric else 2.0, spec)


def _beyond_margin(spec: Spec, at: Numbers) -> tuple[float, float]:
    return 0.0, _on_sphere(max(at["d_ap"] + 2.0 * spec.margin, 2.0 * at["d_ap"]), spec)


def _on_sphere(distance: float, spec: Spec) -> float:
    return min(distance, LONGEST.get(spec.metric or "cosine", math.inf))


# --- the table

ERROR = Variable("error", "error, pred - target (units of the target)", _error, _around_zero, fixed=(("target", 0.0),))
P_T = Variable("p_t", "probability of the true class p_t", _binary(False), _unit, 0.0, 1.0)
X_T = Variable("x_t", "logit of the true class x_t (log-odds)", _binary(True), _logits)
SCORE = Variable("score", "score s of a row with label 1", _score, _around_zero)
TWO_CLASS_P_T, TWO_CLASS_X_T = P_T._replace(inputs=_categorical(False)), X_T._replace(inputs=_categorical(True))
LEAD = Variable("score", "lead of the true class, s_y - max s_j", _scores, _around_zero)
ORDER = Variable("lead", "lead of the more relevant document, s_i - s_j", _two_documents, _logits)
DOCUMENT = Variable("score", "score s of a relevant document", _one_document, _logits)
Q = Variable("q", "q of Q = (q, 1 - q), beside P = (p, 1 - p)", _against_p, _unit, 0.0, 1.0, (("p", 0.5),))
SHARE = Variable("share", "share of one of two classes", _two_classes, _unit, 0.0, 1.0, by_counts=True)
DISTANCE = Variable("d", "distance of the pair d (embedding units)", _pair, _to_margin, 0.0)
D_AN = Variable(
    "d_an", "distance to the negative d_an (embedding units)", _triplet, _beyond_margin, 0.0,
    fixed=(("d_ap", 0.5),),
)  # fmt: skip


PREDICTED = Variable(
    "pred", "prediction beside a target (units of the target)", _beside_target, lambda spec, at: (0.1, 4.0), 0.0,
    fixed=(("target", 1.0),),
)  # fmt: skip
ERROR_OF_MEAN = Variable(
    "error", "error of the mean, pred - target (units of the target)", _error_and_width, _around_zero,
    fixed=(("variance", 1.0),),
)  # fmt: skip
VALUE = Variable("target", "the value that comes (units of the target)", _beside_interval, _around_zero)
LEAD_OF_STUDENT = Variable("score", "lead of the class that the teacher prefers by 1", _student, _logits)
MEAN = Variable("mean", "mean of the normal distribution", _normal, _around_zero, fixed=(("log_variance", 0.0),))
SHIFT = Variable("shift", "shift of the box (its widths)", _boxes, _around_zero)
COSINE = Variable("cos", "cosine of the angle between the two", _directions, lambda spec, at: (-1.0, 1.0), -1.0, 1.0)
LEAD_OF_TEACHER = Variable(
    "lead", "lead of the positive, q . p - q . n", _towards_teacher, _around_zero, fixed=(("teacher_margin", 0.0),)
)
LEAD_OF_FIRST = Variable("lead", "lead of the one that should win", _in_order, _around_zero)


def _wide(spec: Spec, at: Numbers) -> tuple[float, float]:
    reach = 3.0 / spec.steepness
    return -reach, reach


D = Variable(
    "d", "lead of the chosen answer over the reference's, in log-probability (nats)", _against_reference, _wide
)
LEAD_OF_CHOSEN = Variable("d", "lead of the chosen answer, in log-probability (nats)", _two_answers, _wide)
REWARD = Variable("d", "lead of the chosen answer's reward", _two_rewards, _logits)
LOG_P = Variable(
    "log_p", "mean log-probability of the chosen answer (nats)", _chosen, lambda spec, at: (-4.0, -0.01), high=0.0
)
LOG_RATIO = Variable("r", "log-ratio to the reference (nats)", _desirable, _wide)
RATIO_OF_POLICY = Variable("r", "log-ratio to the model that wrote it (nats)", _advantage, lambda spec, at: (-1.0, 1.0))
FROM_REFERENCE = Variable("r", "log-ratio to the reference (nats)", _score_of_pair, lambda spec, at: (-2.0, 2.0))


def _as_score(variable: Variable) -> Variable:
    return SCORE._replace(inputs=variable.inputs)


VARIABLES: dict[tuple[str, ...], tuple[Variable, ...]] = {
    ("pred", "target"): (ERROR, SCORE),
    ("prob", "label"): (P_T, X_T, _as_score(X_T)),
    ("chance", "label"): (P_T, X_T, _as_score(X_T)),
    ("logit", "label"): (X_T, P_T, _as_score(X_T)),
    ("probs", "label"): (TWO_CLASS_P_T, TWO_CLASS_X_T, _as_score(TWO_CLASS_X_T)),
    ("score", "label"): (SCORE, X_T._replace(inputs=_score)),
    ("scores", "label"): (LEAD,),
    ("p", "q"): (Q,),
    ("rank_score", "relevance", "group"): (ORDER, DOCUMENT),
    ("rank_score", "grade", "group"): (ORDER,),
    ("category",): (SHARE,),
    ("left", "right", "same"): (DISTANCE,),
    ("anchor", "positive", "negative"): (D_AN,),
    ("size", "true_size"): (PREDICTED,),
    ("rate", "count"): (PREDICTED,),
    ("rate", "amount"): (PREDICTED,),
    ("pred", "variance", "target"): (ERROR_OF_MEAN,),
    ("pred", "deviation", "target"): (ERROR_OF_MEAN._replace(fixed=(("deviation", 1.0),)),),
    ("pred", "spread", "target"): (ERROR_OF_MEAN._replace(fixed=(("spread", 1.0),)),),
    ("lower", "upper", "target"): (VALUE,),
    ("members", "outcome"): (VALUE._replace(inputs=_beside_members),),
    ("label_scores", "label"): (ORDER._replace(label="lead of the label that holds, s_i - s_j"),),
    ("student", "teacher"): (LEAD_OF_STUDENT,),
    ("mean", "log_variance"): (MEAN,),
    ("box", "true_box"): (SHIFT,),
    ("left", "right"): (COSINE,),
    ("left", "right", "similarity"): (COSINE._replace(inputs=_directions_alike, fixed=(("similarity", 0.5),)),),
    ("first", "second", "wins"): (LEAD_OF_FIRST,),
    ("anchor", "positive", "negative", "teacher_margin"): (LEAD_OF_TEACHER,),
    ("chosen", "rejected", "ref_chosen", "ref_rejected"): (D,),
    ("chosen", "rejected"): (LEAD_OF_CHOSEN,),
    ("mean_chosen", "mean_rejected"): (LOG_P,),
    ("chosen_reward", "rejected_reward"): (REWARD,),
    ("policy", "reference", "desirable"): (LOG_RATIO,),
    ("policy", "behaviour", "advantage"): (RATIO_OF_POLICY,),
    ("policy", "reference"): (FROM_REFERENCE,),
}


def variables_of(loss: Loss) -> tuple[Variable, ...]:
    """What the loss can be drawn against, the most natural first; () for what its inputs do not tell."""
    return () if loss.engine.reads_whole else VARIABLES.get(tuple(role.name for role in loss.roles), ())
