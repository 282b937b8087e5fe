"""Losses against the one variable that they share.

The derivative at a kink is the one from the right, that at an end of the variable's range the one from inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from ..language import numerics
from ..language.distances import LONGEST
from ..language.registry import Spec
from ..text import option_text
from .entries import Subject, unit
from .evaluation import STEP, derivatives, grid, one_sided, rows
from .pictures import Band, Line, Picture
from .variables import NEAREST, Variable, variables_of

DECADES = 4  # of an axis of logarithms whose range begins at 0 or below
NO_SLOPE = 1e-15  # at a point where only a limit exists


def lines(
    subjects: Sequence[Subject],
    variable: str | None,
    span: tuple[float, float] | None,
    at: Mapping[str, float],
    points: int,
    grad: bool,
    log: str,
) -> Picture:
    """The losses against the variable of that name, or the first that they all know. UsageError."""
    chosen = _shared(subjects, variable)
    fixed = _fixed(chosen[0], at)
    refuse_beyond_sphere(subjects, fixed.get("d_ap", 0.0))
    low, high = _span(subjects, chosen[0], fixed, span)
    if "x" in log:
        low = _above_zero(chosen[0].name, low, high, span)
    x = tuple(grid(low, high, points, is_log="x" in log))
    curves = tuple(
        line for subject, axis in zip(subjects, chosen, strict=True) for line in _lines(subject, axis, x, fixed, grad)
    )
    if "y" in log:
        _refuse_below_zero(curves)
    bands = _bands(subjects, fixed, low, high) if all(subject.spec.loss.is_of_triplets for subject in subjects) else ()
    return Picture(chosen[0].name, chosen[0].label, unit(subjects), tuple(fixed.items()), x, curves, bands, log)


def _above_zero(name: str, low: float, high: float, span: tuple[float, float] | None) -> float:
    """Where an axis of logarithms begins: at the low end, or some decades below the high one. UsageError."""
    if low > 0:
        return low
    begin = high * 10.0**-DECADES
    if span is None and high > 0:
        return begin
    raise UsageError(
        f"an axis of logarithms has no place for {low:g}",
        why="log 0 is minus infinity",
        fix=f"give --x {name}={begin:g}..{high:g}" if high > 0 else "leave x out of --log",
    )


def _refuse_below_zero(curves: Sequence[Line]) -> None:
    """UsageError where an axis of logarithms would leave a loss out."""
    for line in curves:
        if any(value < 0 for value in line.values):
            raise UsageError(
                f"{line.label} is below 0 here: an axis of logarithms has no place for that", fix="leave y out of --log"
            )
    if not any(0 < value < math.inf for line in curves for value in line.values):
        raise UsageError("no loss here is above 0", why="an axis of logarithms has no 0", fix="leave y out of --log")


def _shared(subjects: Sequence[Subject], name: str | None) -> list[Variable]:
    """The variable of that name for each loss; by default the first that they all know."""
    known = [{axis.name: axis for axis in _variables(subject)} for subject in subjects]
    shared = [word for word in known[0] if all(word in axes for axes in known)]
    if name is None and shared:
        name = shared[0]
    if name not in shared:
        own = "; ".join(f"{subject.label}: {', '.join(axes)}" for subject, axes in zip(subjects, known, strict=True))
        shared = [*shared, "space"] if all(subject.spec.loss.is_of_triplets for subject in subjects) else shared
        what = f"no curve against {name}" if name else "no variable that all of these losses know"
        raise UsageError(what, why=f"what can be drawn: {own}", fix=_use(shared))
    return [axes[name] for axes in known]


def _common(subjects: Sequence[Subject]) -> list[Variable]:
    """The variables that all of the losses know."""
    known = [{axis.name for axis in _variables(subject)} for subject in subjects]
    return [axis for axis in _variables(subjects[0]) if all(axis.name in names for names in known)]


def _use(names: Sequence[str]) -> str:
    return f"use --x {' or --x '.join(names)}" if names else "draw them one by one"


def _variables(subject: Subject) -> tuple[Variable, ...]:
    loss = subject.spec.loss
    variables = variables_of(loss)
    if variables and (loss.stands_alone or not loss.engine.has_values):
        return variables
    if loss.engine.has_values and not loss.stands_alone:
        raise UsageError(
            f"{loss.name} has no curve",
            why="it is one number of all rows together; a row alone has none",
            fix="draw the loss of a row instead, such as: lossctl curve bce",
        )
    if loss.engine.has_space:
        raise UsageError(
            f"{loss.name} depends on a whole set of embeddings, not on one number",
            why="each of its terms is that of a single triplet or pair",
            fix="draw that: lossctl curve triplet, or lossctl curve contrastive",
        )
    raise UsageError(f"{loss.name} has no curve", why="it is not a function of one number", fix="see: lossctl list")


def _fixed(variable: Variable, at: Mapping[str, float]) -> dict[str, float]:
    known = dict(variable.fixed)
    for name in at:
        if name not in known:
            names = ", ".join(known)
            raise UsageError(
                f"{name!r} cannot be fixed here", fix=f"what can be is {names}" if names else "leave --at out"
            )
    if not all(value >= 0 for name, value in at.items() if name in ("d_ap", "p")) or at.get("p", 0.0) > 1:
        raise UsageError("--at is out of range", fix="d_ap >= 0; 0 <= p <= 1")
    return {**known, **at}


def refuse_beyond_sphere(subjects: Sequence[Subject], d_ap: float) -> None:
    """UsageError where points of such a distance are no directions."""
    for metric in {subject.spec.metric for subject in subjects} & set(LONGEST):
        if d_ap > LONGEST[metric]:
            raise UsageError(
                f"no two directions have a distance {metric} of {d_ap:g}",
                fix=f"give --at d_ap={math.floor(LONGEST[metric])}, or less",
            )


def _span(
    subjects: Sequence[Subject], variable: Variable, fixed: Mapping[str, float], span: tuple[float, float] | None
) -> tuple[float, float]:
    if span is None:
        spans = [variable.span(subject.spec, fixed) for subject in subjects]
        return min(low for low, _ in spans), max(high for _, high in spans)
    low, high = span
    if variable.low <= low < high <= variable.high and math.isfinite(high - low):
        return span
    bounds = f" within {variable.low:g}..{variable.high:g}" if variable.low > -math.inf else ""
    others = [axis.name for axis in _common(subjects) if low < high and axis.low <= low and high <= axis.high]
    more = "".join(f", or of another variable: --x {name}={low:g}..{high:g}" for name in others[:1])
    raise UsageError(f"{low:g}..{high:g} is no range of {variable.name}", fix=f"give --x LOW..HIGH{bounds}{more}")


def _lines(
    subject: Subject, variable: Variable, x: Sequence[float], fixed: Mapping[str, float], grad: bool
) -> list[Line]:
    _refuse_unknown(subject)
    if grad and variable.by_counts:
        raise UsageError(f"{subject.label} has no derivative here", why="it counts rows", fix="leave --grad out")
    spec, array, lines_of_cases = subject.spec, numerics.vector(x), []
    for case, inputs in variable.inputs(array, fixed, spec).items():
        values = _counted(spec, inputs) if variable.by_counts else rows(spec, inputs)

        def function(points: Any, case: str = case) -> Any:
            return rows(spec, variable.inputs(points, fixed, spec)[case])

        slopes = _slopes(function, array, variable, values) if grad else None
        label = f"{subject.label} {case}" if case else subject.label
        lines_of_cases.append(Line(label, str(spec), case, tuple((values + 0.0).tolist()), slopes))
    return lines_of_cases


def _refuse_unknown(subject: Subject) -> None:
    """UsageError for options that mean nothing without data."""
    spec = subject.spec
    may_be_binary = spec.loss.roles[0].classes == "maybe"
    names = (*([spec.balanced] if spec.balanced else ()), *(spec.class_numbers if may_be_binary else ()))
    for name in names:
        raise UsageError(
            f"{name} {option_text(spec.options[name])} needs a file's labels", fix=f"give {name} one number"
        )
    for name, numbers in spec.class_numbers.items():
        if len(numbers) != 2:
            flag = name.replace("_", "-")
            raise UsageError("a curve has two classes", fix=f"give {flag} two numbers, such as 1/3")


def _counted(spec: Spec, inputs: tuple[Any, ...]) -> Any:
    return numerics.vector(spec.loss.function(counts, **spec.options) for counts in inputs[0])


def _slopes(function: Callable[..., Any], x: np.ndarray, variable: Variable, values: np.ndarray) -> tuple[float, ...]:
    """The derivative at each point, from the right where the sides differ, infinite where it grows beyond bounds."""
    at = _inside(x, variable, NEAREST)
    (slopes,) = one_sided(function, [at], [_inside(at + STEP * np.abs(at), variable, NEAREST)])
    (farther,) = derivatives(function, _inside(x, variable, 1e-12))
    slopes = np.where((at != x) & (np.abs(slopes) < NO_SLOPE), 0.0, slopes) + 0.0  # of a point beside it
    at_end = (x == variable.low) | (x == variable.high)
    grows = at_end & (np.abs(slopes) > 1.01 * np.abs(farther)) & (np.abs(slopes) > 1)
    numbers: list[float] = np.where(grows | ~np.isfinite(values), np.copysign(np.inf, slopes), slopes).tolist()
    return tuple(numbers)


def _inside(x: np.ndarray, variable: Variable, by: float) -> np.ndarray:
    """The points, those at 0 or at an end of the variable's range moved inside."""
    return np.clip(
        np.where(x == 0, by, x), variable.low + by, min(variable.high - by, np.nextafter(variable.high, -np.inf))
    )


def _bands(subjects: Sequence[Subject], fixed: Mapping[str, float], low: float, high: float) -> tuple[Band, ...]:
    """Easy, semi-hard and hard, where all curves agree on them."""
    margins = {subject.spec.margin for subject in subjects}
    if len(margins) > 1 or any(subject.spec.is_soft or subject.spec.is_mutual for subject in subjects):
        return ()
    near, far = fixed["d_ap"], fixed["d_ap"] + margins.pop()
    bands = (Band("hard", low, min(near, high)), Band("semi-hard", max(near, low), min(far, high)))
    return tuple(band for band in (*bands, Band("easy", max(far, low), high)) if band.low < band.high)
