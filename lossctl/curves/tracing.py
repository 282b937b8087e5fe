"""What a loss does, as numbers: its curve against its natural variable, its derivative, its contours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import UsageError
from .entries import Subject
from .lines import lines
from .pictures import Picture, Plane, Regions
from .planes import plane
from .regions import NAME, space

POINTS = 401
PLANE_POINTS = 121
SPACE_POINTS = 160  # even, so that none is at 0, which has no direction


def trace(
    subjects: Sequence[Subject],
    *,
    variable: str | None = None,
    span: tuple[float, float] | None = None,
    at: Mapping[str, float] | None = None,
    points: int | None = None,
    grad: bool = False,
    log: str = "",
) -> Picture | Plane | Regions:
    """The losses against the variable they share, or over (s_n, s_p) if they are losses of similarities.

    Losses of triplets against "space" are drawn over the places of the negative.

    variable: its name, where there is a choice; span: from where to where; at: quantities that stay as they are
    grad: the derivatives too; log: the axes with a scale of logarithms, "x", "y" or "xy"
    UsageError where there is no such curve
    """
    if variable == NAME and all(subject.spec.loss.is_of_triplets for subject in subjects):
        if grad or log:
            raise UsageError(
                "--grad and --log are of curves, and these are regions", fix="leave them out, or draw: --x d_an"
            )
        return space(subjects, span, at or {}, points or SPACE_POINTS)
    if not any(subject.spec.loss.has_plane for subject in subjects):
        return lines(subjects, variable, span, at or {}, points or POINTS, grad, log)
    if log:
        raise UsageError("--log is of curves: similarities may be 0 and below", fix="leave --log out")
    if variable or at:
        raise UsageError("the variables of these losses are s_n and s_p", fix="leave --at and the name in --x out")
    return plane(subjects, span, points or PLANE_POINTS, grad)
