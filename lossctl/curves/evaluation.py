"""Losses and their derivatives at given points.

The values come from the very functions that `compute` calls, the derivatives from torch's autograd through them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import DeviceError
from ..language.registry import Spec, columns_of


def grid(low: float, high: float, points: int, *, is_log: bool = False) -> list[float]:
    """Points at equal distances, or of equal quotients (both ends above 0), each rounded as if it had been typed."""
    if is_log:
        first, last = math.log10(low), math.log10(high)
        powers = (first + (last - first) * k / (points - 1) for k in range(1, points - 1))
        return [low, *(float(f"{10.0**power:.12g}") for power in powers), high]
    step = (high - low) / (points - 1)
    digits = 12 - math.ceil(math.log10(max(abs(low), abs(high))))
    return [low, *(round(low + step * k, digits) + 0.0 for k in range(1, points - 1)), high]


def rows(spec: Spec, inputs: tuple[Any, ...]) -> Any:
    """The loss of each row, infinite where it is, without a warning."""
    import numpy as np

    with np.errstate(all="ignore"):
        columns = columns_of(spec.loss.function(*inputs, **spec.options))
        values = spec.alone(columns)
        return values if spec.loss.finish or columns[-1] is None else values / columns[-1]


STEP = 2.0**-46  # how far right of a point the derivative from the right is taken


def one_sided(function: Callable[..., Any], points: Sequence[Any], beside: Sequence[Any]) -> tuple[Any, ...]:
    """The derivatives at each point; those of the point close beside it where they are others there, as at a kink."""
    import numpy as np

    here, right = derivatives(function, *points), derivatives(function, *beside)
    differs = [np.abs(a - b) > 1e-9 * (1 + np.abs(b)) for a, b in zip(here, right, strict=True)]
    return tuple(np.where(np.any(differs, axis=0), b, a) for a, b in zip(here, right, strict=True))


def derivatives(function: Callable[..., Any], *arrays: Any) -> tuple[Any, ...]:
    """The derivatives of each value that `function` gives by each of its arguments, as numpy arrays.

    DeviceError without torch.
    """
    try:
        import torch
    except ImportError as fault:
        raise DeviceError(
            "slopes are derivatives by torch, which is not installed",
            why="curves without slopes, and all of compute, do without it",
            fix="pip install 'lossctl[torch]'",
        ) from fault
    points = [torch.from_numpy(array.copy()).requires_grad_() for array in arrays]
    values = function(*points)
    if not values.requires_grad:
        return tuple(0.0 * array for array in arrays)
    return tuple(slope.numpy() for slope in torch.autograd.grad(values.sum(), points))
