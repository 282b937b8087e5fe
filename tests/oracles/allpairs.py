"""All pairs of a set at once: what pytorch-metric-learning (PML) has printed, and torch and numpy pair by pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch.nn.functional as F

from .case import Case, tensor
from .structures import EMB, IDS, E

PML = "pytorch-metric-learning 2.9.0"


def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Which of the (24, 24) pairs are positive, and which negative."""
    same = IDS[:, None] == IDS[None, :]
    return same & ~np.eye(24, dtype=bool), ~same


def similar() -> Any:
    return F.cosine_similarity(tensor(EMB)[:, None], tensor(EMB)[None], dim=2).numpy()


def off_the_means(slack: float, other: float) -> float:
    s, (near, far) = similar(), pairs()
    short = np.maximum((1 - slack) * s[near].mean() - s[near], 0)
    return float((short**2).mean() + (np.maximum(s[far] - (1 + other) * s[far].mean(), 0) ** 2).mean())


def overlap(bins: int) -> float:
    """By numpy's interpolation: a pair's share at an edge is a hat function of its cosine."""
    edges, s = np.linspace(-1, 1, bins + 1), similar()
    hats = [np.interp(s, edges, np.eye(bins + 1)[k]) for k in range(bins + 1)]
    near, far = (np.array([hat[mask].mean() for hat in hats]) for mask in pairs())
    return float(sum(far[k] * near[: k + 1].sum() for k in range(bins + 1)))


def noise(margin: float, positive_margin: float, unit: bool) -> float:
    x = F.normalize(tensor(EMB)).numpy() if unit else EMB
    d = np.array([[np.var(a - b, ddof=1) / np.var(a, ddof=1) for b in x] for a in x])
    gaps = zip((d - positive_margin, margin - d), pairs(), strict=True)
    return float(sum(gap[mask & (gap > 0)].mean() for gap, mask in gaps))


def beyond(positive: float, negative: float) -> float:
    s = similar()
    gaps = zip((positive - s, s - negative), pairs(), strict=True)
    return float(sum(gap[mask & (gap >= 0)].mean() for gap, mask in gaps))


def both(name: str, value: float, more: dict[str, Callable[[], float]], digits: int = 6, own: str = "") -> list[Case]:
    spelled = f"{name}:{own}" if own else name
    printed = Case(PML, spelled, E, value, digits=digits)
    return [printed, *(Case("pair by pair", f"{name}:{text}" if text else name, (EMB, IDS), truth)
                       for text, truth in more.items())]  # fmt: skip


CASES = {
    "intra-pair-variance": both(
        "intra-pair-variance",
        0.5213376,
        {
            "": lambda: off_the_means(0.01, 0.01),
            "positive_slack=0.3,negative_slack=0.2": lambda: off_the_means(0.3, 0.2),
        },
    ),
    "histogram": both("histogram", 0.276294, {"": lambda: overlap(100), "bins=7": lambda: overlap(7)}, digits=6),
    "snr-contrastive": both(
        "snr-contrastive",
        3.730666,
        {
            "": lambda: noise(1, 0, False),
            "margin=2.5,positive_margin=0.4,unit_length=true": lambda: noise(2.5, 0.4, True),
        },
        own="unit_length=true",
    ),
    "threshold-consistent-margin": both(
        "threshold-consistent-margin",
        1.081279,
        {"": lambda: beyond(0.9, 0.5), "positive_margin=0.6,negative_margin=0.1": lambda: beyond(0.6, 0.1)},
    ),
}
