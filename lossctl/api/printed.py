"""A number as it was printed: which values it may stand for, and how many would fit it by chance."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from ..errors import UsageError

FLOAT64 = 2.0**-46  # by which share sums in float64 may be off: 128 times its rounding
FLOAT32 = 5e-6  # the same of float32


class Printed(NamedTuple):
    """A number as it was printed.

    text: its digits;  digits: how many of them are significant
    half: by how much a value that it stands for may differ: half a unit of the last digit, or the rounding of float64
    """

    text: str
    value: float
    digits: int
    half: float

    def fits(self, value: float, share: float = 0.0) -> bool:
        """Whether a value rounds to it; share: of the value, by which it may be off beside that."""
        return abs(value - self.value) <= self.half * (1 + 1e-9) + share * abs(self.value)

    @property
    def is_full(self) -> bool:
        """Whether it has so many digits that sums in another order may print others."""
        return self.half < 1e-11 * abs(self.value)


def number_of(text: str) -> Printed:
    """A text as a printed number. UsageError."""
    try:
        decimal = Decimal(text.strip())
    except InvalidOperation:
        decimal = Decimal("nan")
    value = float(decimal) if decimal.is_finite() else math.nan
    if decimal.is_finite() and not value:
        raise UsageError(
            f"nothing can be told from {text.strip()!r}",
            why="0 has no significant digits, and all choices give it where no row costs anything",
            fix="give the number that was printed for other data, such as 0.433715",
        )
    if not math.isfinite(value):
        fix = "give the number as it was printed, with a point and all its digits, such as 0.433715"
        raise UsageError(f"{text!r} is no number that a loss prints", fix=fix)
    exponent = decimal.as_tuple().exponent
    assert isinstance(exponent, int)
    half = max(0.5 * 10.0**exponent, FLOAT64 * abs(value))
    return Printed(text.strip(), value, len(decimal.as_tuple().digits), half)


def by_chance(number: Printed, values: Iterable[float]) -> float:
    """How many different values would be hit by a number drawn log-uniformly within a factor of 2 of it."""
    near = sorted({float(f"{value:.12g}") for value in values if 0.5 <= value / number.value <= 2})
    share = 2 * number.half / abs(number.value) / math.log(4)
    return sum(min(1.0, share * number.value / value) for value in near)
