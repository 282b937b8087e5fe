"""The choices that people and libraries make of a loss: what `reconcile` tries, as data.

A new choice is a value in one of these tables. What is tried first is what is customary; nothing else can be told from
a number by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .domains import Option
from .registry import Loss

# option, or loss.option -> customary values
CUSTOMARY: Mapping[str, tuple[Any, ...]] = {
    "alpha": (0.25, 0.5, 0.75),
    "gamma": (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0),
    "beta": (0.0, 0.1, 0.25, 0.5, 1.0, 2.0),
    "delta": (0.1, 0.25, 0.5, 1.0, 1.345, 1.5, 2.0, 5.0),
    "margin": (0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0, 1.5, 2.0, 5.0),
    "temperature": (0.05, 0.07, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0),
    "label_smoothing": (0.01, 0.05, 0.1, 0.2),
    "pos_weight": (0.5, 2.0, 3.0, 5.0, 10.0),
    "threshold": (0.5,),
    "base": (2.0, 2.718281828459045, 10.0),
    "eps": (1e-10, 1e-8, 1e-7, 1e-6),
    "smooth": (0.0, 1e-7, 1e-6, 1e-5, 1.0, 2.0),
    "sigma": (0.1, 0.5, 1.0, 2.0),
    "epsilon": (0.1, 0.2, 1.0, 2.0),
    "mining": (0.1,),
    "smooth-l1.beta": (0.1, 1 / 9, 0.25, 0.5, 1.0, 2.0),
    "circle.gamma": (1.0, 64.0, 80.0, 128.0, 256.0),
    "multi-similarity.alpha": (1.0, 2.0),
    "multi-similarity.beta": (10.0, 40.0, 50.0),
    "pinball.alpha": (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
    "tversky.alpha": (0.3, 0.5, 0.7),
    "tversky.beta": (0.3, 0.5, 0.7),
}
UNTRIED = ("seed", "l2", "l2_strength", "class_weights", "ignore_index")  # nothing is customary of them
STRAIGHT: Mapping[str, tuple[str, ...]] = {
    "focal": ("alpha",),
    "focal-star": ("alpha",),
    "bce": ("label_smoothing",),
    "cross-entropy": ("label_smoothing",),
}

# settings that are one choice together: how inputs are read
READINGS: tuple[Mapping[str, Any], ...] = (
    {},
    {"clip": 1e-7},
    {"clip": 1e-7, "clip_type": "float32"},
    {"clip": 2.220446049250313e-16},
    {"clip": 1.1920928955078125e-07, "clip_type": "float32"},
    {"clip": 0.0009765625, "clip_type": "float16"},
    {"clip": 1e-15},
    {"clip_log": 34.538776394910684},  # -log(1e-15)
    {"clip_log": 36.04365338911715},  # -log(2.2e-16)
    {"clip": 1e-12},
    {"clip": 1e-8},
    {"clip": 1e-6},
    {"clip_log": 100.0},
    {"from_logits": True},
    {"renormalize": True},
    {"squash": "sigmoid"},
    {"squash": "softmax"},
    {"squash": "tanh"},
    {"distance": "sqeuclidean"},
    {"distance": "cosine"},
    {"normalize": True},
    {"lone": "zero"},
    {"lone": "self"},
    {"lone": "negatives"},
    {"normalize": True, "distance": "sqeuclidean"},
)
SCALES = (1.0, 0.25, 0.5, 2.0, 100.0)
COSTS: Mapping[str, int] = {"scale": 2, "clip_type": 0}  # choices a change counts for, 1 if not told: a free factor
# makes many numbers alike, and a type goes with its clip


class Knob(NamedTuple):
    """An option of a loss and the values to try beside its default; whether the loss is a straight line in it."""

    option: Option
    values: tuple[Any, ...]
    is_straight: bool


def knobs(loss: Loss, fixed: Mapping[str, Any]) -> Iterator[Knob]:
    """The options of a loss that are not fixed, with customary values."""
    for option in loss.options:
        if option.name in fixed or option.name in UNTRIED:
            continue
        if option.domain.kind is bool:
            values: tuple[Any, ...] = (True, False)
        elif option.domain.words and option.domain.kind is str:
            values = option.domain.words
        else:
            values = CUSTOMARY.get(f"{loss.name}.{option.name}", CUSTOMARY.get(option.name, ()))
        allowed = tuple(value for value in values if value != option.default and _is_allowed(option, value))
        if allowed:
            yield Knob(option, allowed, option.name in STRAIGHT.get(loss.name, ()))


def _is_allowed(option: Option, value: Any) -> bool:
    try:
        option.domain.check(value)
    except (ValueError, TypeError):
        return False
    return True
