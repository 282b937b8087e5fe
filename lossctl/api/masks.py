"""Masks of class numbers on both sides: predictions that are decided already, beside the true class of each pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DataError
from ..files.classes import numbers_in
from ..files.opening import label_of
from ..files.sources import Field
from ..files.unfolding import cells_of, unfolded
from ..language.registry import Spec
from ..rows import shapes
from .bound import Bound

Array = np.ndarray[Any, Any]
MOST_CLASSES = 1 << 10
MARK = 255  # by which masks of bytes leave pixels out


def masks_of(spec: Spec, bound: Bound) -> Bound | None:
    """The inputs with a certain prediction for each pixel; None where predictions are no class numbers. DataError."""
    if not spec.loss.takes_masks or len(bound.fields) != 2:
        return None
    prediction, label = (field._replace(flat=True) for field in bound.fields)
    if shape_of(prediction) != shape_of(label) or "text" in (prediction.kind, label.kind):
        return None
    has_rows_of_two = prediction.ndim == 2 and not prediction.axes  # of numbers up to 1 they may be one-hot
    ours = _whole(numbers_in(prediction, MOST_CLASSES))
    if ours is None or not len(ours) or ours[0] < 0 or (has_rows_of_two and ours[-1] <= 1):
        return None
    theirs = _whole(numbers_in(label, MOST_CLASSES))
    if theirs is None:
        return None
    theirs = theirs[theirs != (math.nan if spec.ignored is None else spec.ignored)]
    highest = float(max(ours[-1], theirs.max(initial=0)))
    mark = next((number for number in theirs.tolist() if number < 0 or (number == MARK and ours[-1] < MARK - 1)), None)
    if mark is not None:
        raise DataError(
            f"{label_of(label.frame.path)}: {label.name}: a label is {mark:g}, and predictions are 0..{ours[-1]:g}",
            why="it would count as a class that is always missed",
            fix=f"if it marks pixels that are to be left out: --ignore-index {mark:g}",
        )
    classes = int(highest) + 1
    fields = _one_hot(prediction, classes), cells_of(label) if label.width > 1 else label
    columns: dict[str, shapes.Column] = dict(zip(bound.columns, fields, strict=True))
    note = f"both are class numbers: each prediction is taken as certain, among {classes} classes"
    return bound._replace(
        fields=fields, columns=columns, notes=(*bound.notes, note), marks=(*bound.marks, f"masks:{classes}"),
        places=label.width, first_label="",
    )  # fmt: skip


def shape_of(field: Field) -> tuple[int, ...]:
    """The shape of an array, (n,), (n, k) or of more axes; of a text table n is 0."""
    rows = field.frame.content.rows_of(field.columns[0])
    return field.axes or ((rows or 0,) if field.ndim == 1 else (rows or 0, field.width))


def _whole(values: Array | None) -> Array | None:
    if values is None or (values != np.floor(values)).any():
        return None
    return values


def _one_hot(field: Field, classes: int) -> Field:
    """A row of 0 and 1 for each class number, nan for nan."""

    def cut(values: Array) -> Array:
        flat = values.reshape(-1)
        rows: Array = (flat[:, None] == np.arange(classes)).astype(np.float64)
        rows[np.isnan(flat)] = np.nan
        return rows

    return unfolded(field, field.width, classes, cut)
