"""What a picture, drawn with characters or with ink, needs to know of numbers: limits, ticks, names of series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..curves.pictures import Picture

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ"}  # noqa: RUF001


MOST_DECADES = 8  # below the largest value


class Axis(NamedTuple):
    """From where to where an axis goes, and whether its scale is of logarithms."""

    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """How far along the axis a value stands: 0 at its low end, 1 at its high one."""
        if not self.is_log:
            return (value - self.low) / (self.high - self.low)
        if not value > 0:
            return -math.inf if value == 0 else math.nan
        return (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))

    def ticks(self, most: int) -> list[float]:
        """Round numbers on the axis, at most that many; whole powers of ten where two of them are on it."""
        if not self.is_log:
            return ticks(self.low, self.high, most)
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        if last - first < 1:
            return ticks(self.low, self.high, most)
        step = max(math.ceil((last - first + 1) / most), 1)
        return [float(f"1e{power}") for power in range(first, last + 1) if power % step == 0]

    def padded(self, by: float) -> Axis:
        """The axis with room at both ends, as a share of its length."""
        if not self.is_log:
            room = by * (self.high - self.low)
            return self._replace(low=self.low - room, high=self.high + room)
        factor = (self.high / self.low) ** by
        return self._replace(low=self.low / factor, high=self.high * factor)


def slopes_of(picture: Picture) -> tuple[str, list[tuple[float, ...]]]:
    """The title and the values of the panel of slopes; on a scale of logarithms their size."""
    slope, slopes = f"d loss / d {picture.variable}", [line.slopes or () for line in picture.lines]
    if "y" not in picture.log:
        return f"slope {slope}", slopes
    return f"|{slope}|", [tuple(map(abs, line)) for line in slopes]


def axis_of(values: Sequence[float], *, is_log: bool) -> Axis:
    """The axis that shows the values; one of logarithms shows those above 0, some decades of them."""
    if not is_log:
        return Axis(*limits(values))
    positive = [value for value in values if 0 < value < math.inf]
    if not positive:
        return Axis(0.1, 10.0, is_log=True)
    low, high = max(min(positive), max(positive) * 10.0**-MOST_DECADES), max(positive)
    return Axis(low, high, is_log=True) if low < high else Axis(low / 10, high * 10, is_log=True)


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
