"""What training sees: the triplets of sampled batches of P classes with K rows each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..results.breakdown import AtMargin, AtMarginInBatches, Batches, OverBatches
from .triplets import breakdown

Progress = Callable[[int, int], None]


def sampled(
    embeddings: np.ndarray,
    labels: Any,
    *,
    classes: int,
    rows: int,
    batches: int = 100,
    seed: int = 0,
    margins: Sequence[float] = (1.0,),
    metric: str = "euclidean",
    normalize: bool = False,
    progress: Progress | None = None,
) -> Batches:
    """What training sees: breakdowns of PK batches, `classes` classes (P) with `rows` rows of each (K).

    Classes with fewer rows are not drawn; nothing is drawn twice in a batch. Batch b depends on seed and b alone.
    Raises DataError where too few classes have enough rows, UsageError where a batch would have no triplet.
    """
    if classes < 2 or rows < 2 or batches < 1:
        raise UsageError(f"batches of {classes} classes with {rows} rows", fix="at least 2,2 and one batch")
    embeddings, labels = np.asarray(embeddings), np.asarray(labels)
    _, codes = np.unique(labels, return_inverse=True)
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    eligible = [member for member in members if len(member) >= rows]
    if len(eligible) < classes:
        raise DataError(f"{len(eligible)} classes have {rows} rows, {classes} are wanted", fix="smaller batches")
    breakdowns = []
    for b in range(batches):
        chosen = _draw(eligible, classes, rows, np.random.Generator(np.random.Philox(key=[seed, b])))
        breakdowns.append(
            breakdown(
                embeddings[chosen],
                labels[chosen],
                margins=margins,
                metric=metric,
                normalize=normalize,
                bins=0,
                threads=1,
            )
        )
        if progress is not None:
            progress(b + 1, batches)
    return Batches(
        classes,
        rows,
        batches,
        seed,
        len(eligible),
        all(batch.certified for batch in breakdowns),
        tuple(_over_batches([batch.margins[k] for batch in breakdowns]) for k in range(len(margins))),
    )


def _draw(eligible: list[np.ndarray], classes: int, rows: int, random: np.random.Generator) -> np.ndarray:
    classes_of_batch = random.choice(len(eligible), classes, replace=False)
    return np.concatenate([random.choice(eligible[k], rows, replace=False) for k in classes_of_batch])


def _over_batches(batches: list[AtMargin]) -> AtMarginInBatches:
    easy, semi_hard, hard = (_spread(values) for values in zip(*(at.categories.shares for at in batches), strict=True))
    return AtMarginInBatches(
        margin=batches[0].margin,
        easy=easy,
        semi_hard=semi_hard,
        hard=hard,
        batch_all_mean_active=_spread([at.batch_all_mean_active for at in batches]),
        batch_hard=_spread([at.batch_hard for at in batches]),
    )


def _spread(values: Sequence[float]) -> OverBatches:
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return OverBatches(mean, 0.0)
    return OverBatches(mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)))
