"""Losses of similarities over the plane of (s_n, s_p), those of an anchor to one negative and to one positive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UsageError
from ..language import numerics
from ..language.registry import Spec, walk
from ..language.twofold import Twofold
from .entries import Subject, unit
from .evaluation import STEP, grid, one_sided, rows
from .pictures import Plane, Surface

if TYPE_CHECKING:
    import numpy as np


class _Pair(NamedTuple):
    """An anchor with one positive and one negative, (n, 2) similarities, as a panel shows it to a loss."""

    similarity: Any
    is_positive: Any
    is_negative: Any
    is_pair: Any
    positives: Any
    own: tuple[Any, Any]

    @property
    def exact_similarity(self) -> Any:
        return self.similarity

    def distance_to(self, index: Any) -> Any:
        return 1.0 - self.similarity.columns(index).high


def _pair_losses(spec: Spec, s_n: Any, s_p: Any) -> Any:
    import numpy as np

    xp = numerics.namespace(s_n)
    nearest = xp.stack([s_p, s_n], axis=-1)
    similarity = Twofold(nearest, 0.0 * nearest)
    first = xp.asarray([[True, False]])
    panel = _Pair(
        similarity, first, ~first, first | ~first, 0.0 * s_p + 1.0, (np.zeros((len(s_n), 1), int), first[:, :1])
    )
    return rows(spec, (panel,))


def plane(subjects: Sequence[Subject], span: tuple[float, float] | None, points: int, grad: bool) -> Plane:
    """The losses over the plane; `span` is that of both similarities. UsageError."""
    import numpy as np

    if not all(subject.spec.loss.has_plane for subject in subjects):
        raise UsageError(
            "a loss of similarities is drawn over (s_n, s_p), alone or beside its like",
            fix=f"such losses are {', '.join(loss.name for loss in walk() if loss.has_plane)}",
        )
    low, high = span or (0.0, 1.0)
    if not -1 <= low < high <= 1:
        raise UsageError(f"{low:g}..{high:g} is no range of cosines", fix="give --x LOW..HIGH within -1..1")
    side = grid(low, high, points)
    s_n, s_p = (part.ravel() for part in np.meshgrid(side, side))
    surfaces = []
    for subject in subjects:
        spec = subject.spec
        values = _pair_losses(spec, s_n, s_p)
        slopes = None
        if grad:
            by_n, by_p = one_sided(lambda a, b, spec=spec: _pair_losses(spec, a, b), [s_n, s_p], [s_n + STEP, s_p])
            slopes = (square(by_n, points), square(by_p, points))
        surfaces.append(Surface(subject.label, str(spec), square(values, points), spec.loss.even_at, slopes))
    return Plane(unit(subjects), tuple(side), tuple(side), tuple(surfaces))


def square(values: np.ndarray, points: int) -> tuple[tuple[float, ...], ...]:
    """Values of all points of a square, by its rows."""
    return tuple(tuple(row) for row in values.reshape(points, points).tolist())
