"""The engine of losses of two views (or more) of the same things, from files in step: a value for each thing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..errors import DataError
from ..rows import checks
from ..rows.by_row import Scored, rows_of
from ..rows.shapes import Input
from ..rows.whole import WholeLoss, WholeScores
from .views import values_of


def _refuse_other_widths(entries: Sequence[Input], views: Sequence[np.ndarray]) -> None:
    """DataError where two views that meet have not the same columns."""
    for left, right, a, b in zip(entries[::2], entries[1::2], views[::2], views[1::2], strict=False):
        if a.shape[1] != b.shape[1]:
            raise DataError(
                f"{left.role.option} has {a.shape[1]} columns, {right.role.option} {b.shape[1]}",
                why="a cosine needs both in one space",
                fix="give two files of one model",
            )


def answer(asked: WholeLoss) -> WholeScores:
    """All pairs (or triples) of views. DataError for a single one, which has no rivals."""
    plan = asked.job.plan
    admitted = checks.admit(plan, asked.job.arrange(asked.inputs), 0)
    views, loss = admitted.inputs, plan.spec.loss
    if len(views[0]) < 2:
        raise DataError(
            f"{loss.name} of {len(views[0])} {loss.engine.unit}",
            why="each is compared with all others",
            fix="give at least two rows",
        )
    _refuse_other_widths(plan.entries, views)
    values = values_of(
        views, partial(loss.function, **plan.spec.options), threads=asked.threads, progress=asked.progress
    )
    rows = rows_of(plan, admitted.rows, (values, None), None, admitted.facts)
    keep = admitted.rows.keep
    at = slice(None) if keep is None else np.flatnonzero(keep)
    return WholeScores(
        Scored(
            rows,
            tuple(asked.arrays[place][at] for place in asked.side),
            tuple(array[at] for array in asked.inputs[: len(plan.entries)]),
        )
    )
