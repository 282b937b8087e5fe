"""What a case of the oracle table is, and the words that its truths are written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal, getcontext
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import torch
from exact_words import exact

from lossctl.language import registry

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


def reduced(case: Case, n: int, *names: str, positives: int = 0) -> list[Case]:
    """A case whose truth is a mean over n rows, and the same for other reductions."""
    mean_truth = case.truth
    cases = [case]
    for name in names:
        factor = Fraction(n, positives) if name == "positives" else Fraction(n)
        truth = (
            (lambda factor=factor: float(mean_truth()) * float(factor))
            if callable(mean_truth)
            else float(mean_truth) * factor
        )
        digits = case.digits and case.digits - len(str(int(factor)))
        cases.append(replace(case, truth=truth, digits=digits, reduction=name))
    return cases


def by_mpmath(
    reference: Callable[..., Any], spec: str, inputs: tuple[Any, ...], *names: str, **more: Any
) -> list[Case]:
    """Cases for the mean and other reductions, from a reference of one row in mpmath."""
    parsed = registry.parse(spec)
    forms = more.get("forms", {})
    form = [forms.get(role.name, role.forms[0]) for role in parsed.loss.roles if role.forms]
    shape = {"form": form[0] if len(form) == 1 else tuple(form)} if form else {}

    def truth() -> Any:
        with mp.workprec(200):
            rows = zip(*([exact(row) for row in np.asarray(array, dtype=np.float64)] for array in inputs), strict=True)
            return mean([reference(*row, **shape, **parsed.options) for row in rows])

    label = np.ravel(inputs[-1])
    case = Case("mpmath", spec, inputs, truth, **more)
    return reduced(case, len(inputs[0]), *names, positives=int(np.sum(label == 1)))
