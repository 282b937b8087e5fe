"""What labels mean: names, other numbers, one-hot columns and unknown cells as 0 and 1, or as class indices.

What can be told for certain is read, and said in a note and in the signature; what cannot is an error that asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..files import classes as files_classes
from ..files.opening import label_of
from ..files.sources import Field, blocks
from ..files.unfolding import cells_of
from ..language.registry import Spec
from ..rows.facts import SUM_TOLERANCE
from ..text import shown
from .bound import Bound
from .label_column import (
    Array,
    LabelInputs,
    converted,
    one_column,
    places_of,
    positive_column,
)
from .reading import Reading


def coded(spec: Spec, bound: Bound, reading: Reading) -> Bound:
    """The same inputs, their labels read as the loss needs them. DataError, UsageError."""
    on_sphere = spec.loss.engine.has_space and (reading.normalize or reading.metric == "cosine")
    if reading.skip_nan and (spec.is_angular or on_sphere):
        bound = _without_zeros(bound)
    ranked = next((at for at, role in enumerate(bound.roles) if role.is_grade), None)
    if ranked is not None and bound.fields[ranked].width == 1:
        return _padded(bound, ranked)
    at = next((at for at, role in enumerate(bound.roles) if role.is_coded), None)
    if at is None:
        return bound
    if bound.roles[at].kind == "category":
        return _identity(bound, at)
    inputs = LabelInputs(spec, bound, reading, at)
    if inputs.first.is_set and inputs.label.width > 1:
        _refuse_order(inputs)
        return _one_hot(inputs)
    if inputs.first.is_set:
        return places_of(inputs)
    if inputs.label.width > 1:
        return _several_columns(inputs)
    return one_column(positive_column(inputs))


def _without_zeros(bound: Bound) -> Bound:
    """Embeddings that have no direction as missing ones."""
    for at, role in enumerate(bound.roles):
        if role.layout == "vectors" and not role.forms and role.kind == "number":
            bound = converted(bound, at, role, _directed, "", "")
    return bound


def _directed(rows: Array) -> Array:
    zero = ~rows.any(axis=-1) if rows.ndim == 2 else rows == 0
    if not zero.any():
        return rows
    rows = rows.copy()
    rows[zero] = np.nan
    return rows


def _padded(bound: Bound, at: int) -> Bound:
    """Documents of relevance -1 are padding, where every other relevance is 0 or more."""
    field = bound.fields[at]
    low, count = 0.0, 0
    for block in blocks([field], ["number"], files_classes.BLOCK):
        (values,) = block.load()
        low, count = min(low, float(np.nanmin(values, initial=0.0))), count + int((values == -1).sum())
        if low < -1:
            return bound
    if not count:
        return bound
    warning = f"{count} documents of relevance -1 taken for padding and left out"
    padded = converted(bound, at, bound.roles[at], _without_unknown, "", "padding:-1")
    return padded._replace(unknown=bound.roles[at].name, warnings=(*padded.warnings, warning))


# --- several columns


def _identity(bound: Bound, at: int) -> Bound:
    """Rows of 0 and a single 1 as the class of each row."""
    field = bound.fields[at]
    if field.width == 1:
        return bound
    role = bound.roles[at]
    fix = ONE_CLASS
    if role.is_class_of_points:
        fix = "positives of rows with several labels share any of them, or all: add --positive any or --positive all"
    convert = partial(_argmax, place=f"{label_of(field.frame.path)}: {field.name}", fix=fix)
    note = f"{bound.roles[at].option}: {field.width} one-hot columns read as classes"
    return converted(bound, at, bound.roles[at], convert, note, "one-hot", width=1)


ONE_CLASS = "give one class a row, (n,); several labels a row are for bce and focal"
ONE_HOT = "this loss knows one class a row: rows of 0 and a single 1, or one column of classes"


def _argmax(rows: Array, *, place: str, fix: str = ONE_CLASS) -> Array:
    """(n, C) rows of 0 and a single 1 -> (n,) where the 1 stands; nan where a cell is nan. DataError."""
    if rows.dtype.kind in "OU":
        word = next((cell for row in rows.tolist() for cell in row if isinstance(cell, str)), None)
        if word is not None:
            raise DataError(f"{place}: '{shown(word)}' is text in one of {rows.shape[1]} columns", why=ONE_HOT, fix=fix)
    values = rows.astype(np.float64)
    missing = np.isnan(values).any(axis=1)
    good = ((values == 0) | (values == 1)).all(axis=1) & (values.sum(axis=1) == 1)
    if not (good | missing).all():
        row = values[int(np.argmin(good | missing))]
        raise DataError(
            f"{place}: a row of labels with {int(np.count_nonzero(row))} entries that are not 0",
            why=ONE_HOT,
            fix=fix,
        )
    index = values.argmax(axis=1)
    return np.where(missing, np.nan, index) if missing.any() else index if rows.dtype.kind in "iu" else index * 1.0


def _several_columns(inputs: LabelInputs) -> Bound:
    bound, classes = inputs.bound, inputs.first.classes
    if inputs.reading.multi_label and classes == "always":
        raise UsageError(f"{inputs.spec.loss.name} knows one class a row", fix="leave --multi-label out, or use bce")
    _refuse_order(inputs)
    if classes == "always" and not inputs.first.forms:
        return _one_hot(inputs)
    if classes == "maybe" and inputs.prediction.width == inputs.label.width and not inputs.reading.multi_label:
        if inputs.reading.multi_class:
            return _one_hot(inputs)
        if inputs.form == "prob" and _is_one_hot(inputs):
            return _one_hot(inputs, "; --multi-label reads them as several labels")
    if classes == "always":
        return bound
    if not classes and inputs.form == "prob" and inputs.prediction.width == inputs.label.width and _is_one_hot(inputs):
        note = (
            f"{inputs.role.option}: {inputs.label.width} labels a row, one by one; cross-entropy knows one class a row"
        )
        bound = inputs.bound = bound._replace(notes=(*bound.notes, note))
    return _cells(inputs)


def _refuse_order(inputs: LabelInputs) -> None:
    """UsageError for names of classes beside columns of labels."""
    option = "--classes" if inputs.reading.classes else "--positive"
    if inputs.reading.classes or (inputs.reading.positive is not None and inputs.first.classes == "always"):
        raise UsageError(
            f"{inputs.label.width} columns of labels, and {option}",
            why="columns of labels are in the order of the columns of predictions",
            fix="leave it out, or give one column of labels",
        )


def _one_hot(inputs: LabelInputs, more: str = "") -> Bound:
    if inputs.label.width != inputs.prediction.width and not inputs.first.is_set:
        raise DataError(
            f"{inputs.place}: {inputs.label.width} columns of labels beside {inputs.prediction.width} of predictions",
            why="one-hot labels have a column for each class, as the predictions do",
            fix="choose the columns of the same classes in both, or give one column of classes",
        )
    note = f"{inputs.role.option}: {inputs.label.width} one-hot columns read as classes{more}"
    convert = partial(_argmax, place=inputs.place)
    bound = converted(inputs.bound, inputs.at, inputs.role, convert, note, "one-hot", width=1)
    return bound._replace(first_label="")


def _is_one_hot(inputs: LabelInputs) -> bool:
    """Whether all rows of labels hold a single 1, and all of probabilities sum to 1; stops where one does not."""
    fields = [inputs.bound.fields[0], inputs.label]
    for block in blocks(fields, ["number", "number"], files_classes.BLOCK):
        chance, label = block.load()
        known = ~np.isnan(label).any(axis=1) & ~np.isnan(chance).any(axis=1)
        single = ((label == 0) | (label == 1)).all(axis=1) & (label.sum(axis=1) == 1)
        sums = np.abs(chance.sum(axis=1) / (100.0 if inputs.reading.percent else 1.0) - 1) <= SUM_TOLERANCE
        if not (single & sums)[known].all():
            return False
    return True


def _cells(inputs: LabelInputs) -> Bound:
    """Several labels a row; where some are unknown, each cell is a row of its own."""
    bound, reading = inputs.bound, inputs.reading
    label = inputs.label
    if reading.positive is not None:
        return one_column(inputs)
    if inputs.prediction.width != label.width or len(bound.fields) != 2 or not _has_unknown(inputs):
        return bound
    fields = tuple(cells_of(field) for field in bound.fields)
    columns = dict(zip(bound.columns, fields, strict=True))
    note = f"{label.width} labels a row: cells count one by one, unknown ones (-1 or nan) are left out"
    unfolded = replace_fields(bound, fields, columns)
    return converted(unfolded, inputs.at, inputs.role, _without_unknown, note, "cells")._replace(
        unknown=inputs.role.name, places=label.width
    )


def _has_unknown(inputs: LabelInputs) -> bool:
    """Whether a cell of the labels is nan, where such are left out, or -1 beside others that are 0."""
    negative = zero = False
    for block in blocks([inputs.label], ["number"], files_classes.BLOCK):
        (values,) = block.load()
        if inputs.reading.skip_nan and np.isnan(values).any():
            return True
        negative, zero = negative or bool((values == -1).any()), zero or bool((values == 0).any())
        if negative and zero:
            return True
    return False


def _without_unknown(values: Array) -> Array:
    return np.where(values == -1, np.nan, values)


def replace_fields(bound: Bound, fields: Sequence[Field], columns: Any) -> Bound:
    """The same with other fields of the same roles."""
    return bound._replace(fields=tuple(fields), columns=columns)
