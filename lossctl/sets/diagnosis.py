"""What an embedding set itself looks like, beside the breakdown of its triplets: collapse, norms, duplicates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..results.breakdown import Breakdown, Diagnosis
from ..rows.facts import NARROW
from .ties import equal_rows


def diagnose(embeddings: np.ndarray, labels: Any, breakdown: Breakdown) -> Diagnosis:
    """What the set itself looks like, beside its breakdown `breakdown`."""
    x, labels = np.asarray(embeddings).astype(np.float64, copy=False), np.asarray(labels)
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))
    mean_norm = float(norms.mean())
    spread = spread_of(x)
    twins = equal_rows(x)
    _, codes = np.unique(labels, return_inverse=True)
    conflicts = _mixed_groups(twins, codes)
    d_ap, d_an = breakdown.positives, breakdown.negatives
    width = max(d_ap.largest, d_an.largest) - min(d_ap.smallest, d_an.smallest)
    largest_off = float(np.abs(norms - 1).max())
    return Diagnosis(
        norm_smallest=float(norms.min()),
        norm_mean=mean_norm,
        norm_largest=float(norms.max()),
        spread=spread,
        contrast=(d_an.mean - d_ap.mean) / d_an.mean if d_an.mean else 0.0,
        duplicates=int((twins != np.arange(len(x))).sum()),
        conflicting=conflicts,
        is_collapsed=spread < NARROW or width <= 1e-3 * max(d_ap.largest, d_an.largest),
        is_nearly_unit=1e-3 < largest_off < 0.1,
        is_stuck=tuple(at.margin > 0 and abs(at.batch_hard - at.margin) < 0.01 * at.margin for at in breakdown.margins),
    )


def spread_of(x: np.ndarray) -> float:
    """How far (N, D) rows lie from their centre, root mean square, in parts of their mean length."""
    mean_norm = float(np.sqrt(np.einsum("ij,ij->i", x, x)).mean())
    centred = x - x.mean(axis=0)
    return math.sqrt(float(np.einsum("ij,ij->", centred, centred)) / len(x)) / mean_norm if mean_norm else 0.0


def _mixed_groups(group: np.ndarray, codes: np.ndarray) -> int:
    """How many rows are in a group with more than one label."""
    low, high = np.full(len(group), np.iinfo(np.int64).max), np.full(len(group), -1)
    np.minimum.at(low, group, codes)
    np.maximum.at(high, group, codes)
    return int((low[group] != high[group]).sum())
