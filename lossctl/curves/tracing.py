"""What a loss does, as numbers: its curve against its natural variable, its derivative, its contours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import UsageError
from .entries import Subject
from .lines import lines
from .pictures import Picture, Plane
from .planes import plane

POINTS = 401
PLANE_POINTS = 121


def trace(
    subjects: Sequence[Subject],
    *,
    variable: str | None = None,
    span: tuple[float, float] | None = None,
    at: Mapping[str, float] | None = None,
    points: int | None = None,
    grad: bool = False,
    log: str = "",
) -> Picture | Plane:
    """The losses against the variable they share, or over (s_n, s_p) if they are losses of similarities.

    variable: its name, where there is a choice; span: from where to where; at: quantities that stay as they are
    grad: the derivatives too; log: the axes with a scale of logarithms, "x", "y" or "xy"
    UsageError where there is no such curve
    """
    if not any(subject.spec.loss.has_plane for subject in subjects):
        return lines(subjects, variable, span, at or {}, points or POINTS, grad, log)
    if log:
        raise UsageError("--log is of curves: similarities may be 0 and below", fix="leave --log out")
    if variable or at:
        raise UsageError("the variables of these losses are s_n and s_p", fix="leave --at and the name in --x out")
    return plane(subjects, span, points or PLANE_POINTS, grad)
