"""The engine of losses of two views (or more) of the same things, from files in step: a value for each thing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..errors import DataError
from ..files import drawer
from ..files.drawer import Place, Stack
from ..rows import checks
from ..rows.at_once import WholeLoss, WholeScores
from ..rows.by_row import Scored, rows_of
from ..rows.facts import NOTHING, Facts
from ..rows.job import Arrays, RowsAt
from ..rows.shapes import Input, Plan
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
    views, numbers, facts = _admitted(plan, asked.job.arrange(asked.inputs))
    loss = plan.spec.loss
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
    return WholeScores(
        Scored(
            rows_of(plan, RowsAt(numbers), (values, None), None, facts),
            tuple(asked.arrays[place][numbers] for place in asked.side),
            tuple(drawer.taken(array, numbers) for array in asked.inputs[: len(plan.entries)]),
        )
    )


def _admitted(plan: Plan, arrays: Arrays) -> tuple[Arrays, np.ndarray, Facts]:
    """The views as the loss takes them, which rows of the input they are, (N,), and what was noticed."""
    place = Place(len(arrays[0]), any(drawer.file_of(array) is not None for array in arrays))
    cuts = drawer.blocks(arrays[0]) if place.is_file else [slice(0, len(arrays[0]))]
    stacks = [Stack(place, array) for array in arrays]
    numbers, facts = [], NOTHING
    for cut in cuts:
        part = checks.admit(plan, tuple(array[cut] for array in arrays), cut.start)
        for stack, values in zip(stacks, part.inputs, strict=True):
            stack.add(values)
        numbers.append(part.rows.at(np.arange(len(part.inputs[0]))))
        facts = facts.merge(part.facts)
        for array in arrays:
            drawer.let_go(array)
    return tuple(stack.array() for stack in stacks), np.concatenate(numbers), facts
