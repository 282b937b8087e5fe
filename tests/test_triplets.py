"""Counts of triplets are those of exact arithmetic, for any set; losses are those of the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from exact_distances import category_counts
from random_sets import sets

from lossctl.engine.triplets import breakdown, diagnose, sampled
from lossctl.errors import DataError, UsageError

LINE = np.arange(9.0)[:, None]
LINE_LABELS = [0, 0, 1, 1, 0, 2, 1, 1, 1]


def counts_of(x, labels, margin, **options):
    found = breakdown(x, labels, margins=[margin], **options)
    c = found.margins[0].categories
    assert found.certified, found.why
    return c.easy, c.semi_hard, c.hard, c.hard_ties, c.margin_ties


@pytest.mark.parametrize("seed", range(5))
def test_equal_exact_arithmetic(seed):
    for name, x, labels, margin in sets(seed, 72, 18):
        assert counts_of(x, labels, margin) == category_counts(x, labels, margin), (name, x, labels, margin)


@pytest.mark.parametrize(
    "metric, normalize", [("sqeuclidean", False), ("euclidean", True), ("sqeuclidean", True), ("cosine", False)]
)
def test_equal_exact_arithmetic_in_other_metrics(metric, normalize):
    options = {"metric": metric, "normalize": normalize}
    for name, x, labels, margin in sets(11, 48, 10):
        if normalize or metric == "cosine":
            x = x[x.any(axis=1)]
            labels = labels[: len(x)]
        if len(x) and (normalize or metric == "cosine" or float(np.abs(x).max()) < 1e150):
            assert counts_of(x, labels, margin, **options) == category_counts(x, labels, margin, **options), (
                name,
                x,
                labels,
                margin,
            )


def test_equal_exact_arithmetic_at_sixty():
    for name, x, labels, margin in sets(99, 12, 60):
        x, labels = np.resize(x, (60, x.shape[1])), (labels * 60)[:60]
        assert counts_of(x, labels, margin) == category_counts(x, labels, margin), name
