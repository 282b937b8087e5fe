"""Two views by their spectrum: what lightly has printed, and numpy's singular values."""

from __future__ import annotations

from typing import Any

import numpy as np

from .case import Case
from .views import LEFT, RIGHT


def entropies(weight: float) -> float:
    """The squared Frobenius norm as the sum of the fourth powers of the singular values."""
    views = [view / np.linalg.norm(view, axis=0) for view in (LEFT, RIGHT)]
    spread = sum(np.log((np.linalg.svd(view)[1] ** 4).sum() / view.shape[1] ** 2) for view in views)
    return float(spread + weight * ((views[0] - views[1]) ** 2).sum() / len(LEFT))


def manifolds(weight: float) -> float:
    def size(x: Any) -> float:
        return float(np.linalg.norm(x, "nuc"))

    own = np.mean([size(np.stack(pair)) for pair in zip(LEFT, RIGHT, strict=True)])
    return float(weight * own - size((LEFT + RIGHT) / 2))


CASES = {
    "frossl": [
        Case("numpy", "frossl", (LEFT, RIGHT), lambda: entropies(1)),
        Case("numpy", "frossl:invariance=0.3", (LEFT, RIGHT), lambda: entropies(0.3)),
    ],
    "mmcr": [
        Case("numpy", "mmcr", (LEFT, RIGHT), lambda: manifolds(0.005)),
        Case("numpy", "mmcr:lambd=2", (LEFT, RIGHT), lambda: manifolds(2)),
    ],
}
