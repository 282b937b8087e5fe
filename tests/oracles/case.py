"""What a case of the oracle table is, and the words that its truths are written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, getcontext
from fractions import Fraction
from typing import Any

import numpy as np
import torch

getcontext().prec = 40


@dataclass(frozen=True)
class Case:
    """One number: who says it, of which inputs, and how it is asked for.

    truth: the number, or a function without arguments that fetches it
    digits: how many decimals a published number gives; 0 where the truth is exact to rounding
    reduction: the loss's own where None
    forms: role -> form of its probabilities
    space: of an embedding set, how its points are compared: metric, normalize
    """

    source: str
    spec: str
    inputs: tuple[Any, ...]
    truth: float | Fraction | Callable[[], Any]
    digits: int = 0
    reduction: str | None = None
    weight: Any = None
    clip: float = 0.0
    forms: dict[str, str] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)


def tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def index(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, dtype=np.int64))


def log(text: str | int | Fraction) -> Decimal:
    """The natural logarithm of a rational number, to 40 digits."""
    number = Fraction(text)
    return (Decimal(number.numerator) / Decimal(number.denominator)).ln()


def mean(terms: Any) -> Any:
    terms = list(terms)
    return sum(terms) / len(terms)
