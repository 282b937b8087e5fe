"""What a picture, drawn with characters or with ink, needs to know of numbers: limits, ticks, names of series."""

from __future__ import annotations

import math
from collections.abc import Sequence

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ"}  # noqa: RUF001


def limits(values: Sequence[float]) -> tuple[float, float]:
    """The range to show: that of the values, but not all of a branch that runs off to infinity."""
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite:
        return 0.0, 1.0
    low, high = _tamed(finite)
    if low == high:
        return low - 0.5, high + 0.5
    return low, high


def _tamed(ordered: Sequence[float]) -> tuple[float, float]:
    """The ends; one that is four times as far from zero as all but a twentieth of the values is cut to 1.5 times."""
    last = len(ordered) - 1
    low, high = ordered[0], ordered[-1]
    usual_low, usual_high = ordered[round(0.05 * last)], ordered[round(0.95 * last)]
    low = 1.5 * usual_low if low < 4 * usual_low < 0 else low
    return low, 1.5 * usual_high if high > 4 * usual_high > 0 else high


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers within the range, at most that many, at steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(most - 1, 1)
    if rough < 1e-300:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if step >= rough * (1 - 1e-9) and last - first < most:
            return [float(f"{k * step:.12g}") for k in range(first, last + 1)]
    return [low, high]


def pretty(label: str) -> str:
    """A label for the eye: `focal-star:gamma=2,beta=1` becomes focal-star with its options in brackets, in Greek."""
    name, _, rest = label.partition(":")
    if not rest:
        return label
    options, _, case = rest.partition(" ")
    parts = (part.partition("=")[::2] for part in options.split(","))
    words = ", ".join(key if value == "true" else f"{GREEK.get(key, key)} = {value}" for key, value in parts)
    return f"{name} ({words})" + (f", {case}" if case else "")
