"""What a case of the accuracy audit is, the words that its references are written in, and inputs that are hard."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import numpy as np

from lossctl.language import registry
from lossctl.language.registry import Spec

ULP = 4.0

BITS = 400  # kl of distributions that differ by 1e-15 needs 160

SMALLEST, NORMAL, NEXT_TO_ONE = 5e-324, 2.0**-1022, 1.0 - 2.0**-53

LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class Case:
    """Inputs of one loss, role by role, that are hard in one way. forms: role -> form, where not the default."""

    what: str
    spec: str
    inputs: tuple[Any, ...]
    forms: dict[str, str] = field(default_factory=dict)

    @property
    def loss(self) -> str:
        return self.spec.partition(":")[0]


def exact(row: Any) -> Any:
    """A row's value or values as mpmath numbers, exactly."""
    return [mp.mpf(float(value)) for value in row] if np.ndim(row) else mp.mpf(float(row))


def mean(terms: list[Any]) -> Any:
    return mp.fsum(terms) / len(terms)


def fitting(reference: Callable[..., Any], spec: Spec) -> dict[str, Any]:
    """The options of a case that its reference knows, which are all but some that are at their default."""
    parameters = inspect.signature(reference).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return spec.options
    known = {parameter.name for parameter in parameters}
    defaults = {option.name: option.default for option in spec.loss.options}
    return {name: value for name, value in spec.options.items() if name in known or value != defaults[name]}


def columns(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference for one value as a reference for a row of several, averaged."""

    @functools.wraps(function)
    def averaged(a: Any, b: Any, form: Any = None, **options: Any) -> Any:
        pairs = list(zip(a, b, strict=True)) if isinstance(a, list) else [(a, b)]
        return mean([function(*pair, **({"form": form} if form else {}), **options) for pair in pairs])

    return averaged


def chance(x: Any, label: Any, form: str) -> tuple[Any, Any]:
    """(log p_t, log(1 - p_t)) of a yes-or-no prediction."""
    if form == "logits":
        x = x if label == 1 else -x
        return -mp.log1p(mp.exp(-x)), -mp.log1p(mp.exp(x))
    yes, no = log(x), log1p(-x)
    return (yes, no) if label == 1 else (no, yes)


def class_chance(x: list[Any], label: Any, form: str) -> tuple[Any, Any]:
    """(log p_t, log(1 - p_t)) of a prediction of one class."""
    y = int(label)
    if form != "logits":
        return log(x[y]), log1p(-x[y])
    odds = mp.fsum(mp.exp(v - x[y]) for j, v in enumerate(x) if j != y)
    return -mp.log1p(odds), -mp.log1p(1 / odds)


def log(x: Any) -> Any:
    return mp.log(x) if x else -mp.inf


def log1p(x: Any) -> Any:
    return mp.log1p(x) if x > -1 else -mp.inf


def times(weight: Any, value: Any) -> Any:
    """weight * value, where a weight of 0 silences infinity."""
    return weight * value if weight else mp.mpf(0)


def given(x: Any, label: Any, form: str) -> tuple[Any, Any]:
    return class_chance(x, label, form) if isinstance(x, list) else chance(x, label, form)


def softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x)) if x < mp.inf else x


def logs(x: list[Any], form: str) -> list[Any]:
    """log p of a distribution."""
    if form == "prob":
        return [log(v) for v in x]
    return x if form == "log-prob" else [class_chance(x, j, "logits")[0] for j in range(len(x))]


def distance(a: list[Any], b: list[Any], metric: str) -> Any:
    if metric == "cosine":
        dot = lambda x, y: mp.fsum(u * v for u, v in zip(x, y, strict=True))  # noqa: E731
        return 1 - dot(a, b) / mp.sqrt(dot(a, a) * dot(b, b))
    square = mp.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    return square if metric == "sqeuclidean" else mp.sqrt(square)


rng = np.random.default_rng(20240607)

LOG_SPACED = np.concatenate([10.0 ** rng.uniform(-300, 300, 60), 10.0 ** rng.uniform(-6, 6, 60)])

SIGNED = np.concatenate([LOG_SPACED, -LOG_SPACED, [0.0, SMALLEST, NORMAL, 1.0, 1e308]])

NEAR_HALF = 0.5 + np.array([0.0, 2.0**-54, 2.0**-53, -(2.0**-54), 1e-9, -1e-9])

EDGES = np.array(
    [0.0, SMALLEST, 1e-300, 1e-17, 2.0**-53, 2.0**-52, 0.1, 0.9, 1 - 2.0**-52, NEXT_TO_ONE, 1.0, *NEAR_HALF]
)

PROBABILITIES = np.concatenate(
    [EDGES, rng.random(60), 10.0 ** rng.uniform(-40, 0, 40), 1 - 10.0 ** rng.uniform(-16, 0, 40)]
)

LOGITS = np.concatenate(
    [[0.0, SMALLEST, 1e-17, 1e-9, 36.7, 37.5, 700.0, 744.4, 745.2, 746.0, 1e4], 10.0 ** rng.uniform(-20, 2.8, 80)]
)

LOGITS = np.concatenate([LOGITS, -LOGITS])


def both(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every value with label 0 and with label 1."""
    return np.repeat(values, 2), np.tile([0, 1], len(values))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def every_class(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every row with every class as its label."""
    n, classes = values.shape
    return np.repeat(values, classes, axis=0), np.tile(np.arange(classes), n)


def rows(*values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float64)


WIDE = rng.normal(0, 50, (12, 5))

TIGHT = rng.normal(0, 1e-9, (6, 4))

CLASS_LOGITS = [
    ("named traps", rows([40, 0, -3], [37.5, 0, -1e4], [1e4, -1e4, 0], [0, 0, 0], [800, 800, -800], [1e-17, 0, 0])),
    ("std 50", WIDE),
    ("std 3", rng.normal(0, 3, (12, 4))),
    ("nearly equal", TIGHT),
    ("offset 1e8", np.round(rng.normal(0, 3, (6, 4)), 2) + 1e8),
    ("offset -1e4", rng.normal(0, 3, (6, 4)) - 1e4),
    ("two of them far ahead", rng.normal(0, 3, (6, 4)) + rows([300, 300, 0, 0])),
    ("forty classes", rng.normal(0, 5, (1, 40))),
]

CLASS_PROBABILITIES = [
    ("softmax of std 50", softmax(WIDE)),
    ("softmax of std 3", softmax(rng.normal(0, 3, (12, 4)))),
    (
        "saturated",
        rows([1, 0, 0], [NEXT_TO_ONE, 2.0**-53, 0], [1.0, 1e-300, SMALLEST], [0.5, 0.5, 0], [2**-54 + 0.5, 0.5, 1e-17]),
    ),
]

OFFSETS = rng.normal(0, 1, (40, 3)) + 1e9


def nearby(p: np.ndarray, size: float) -> np.ndarray:
    q = p * (1 + rng.uniform(-size, size, p.shape))
    return q / q.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Bound:
    """Where 4 ulp of the result are not kept: 4 ulp of a larger number are, and why.

    applies: which cases of the losses it is for
    scale: (truth, case, values of the row) -> that larger number
    """

    losses: tuple[str, ...]
    applies: Callable[[Case], bool]
    scale: Callable[..., Any]
    reason: str


def forms_of(case: Case) -> list[str]:
    return [case.forms.get(role.name, role.forms[0]) for role in registry.parse(case.spec).loss.roles if role.forms]


def option(case: Case, name: str) -> Any:
    return registry.parse(case.spec).options[name]
