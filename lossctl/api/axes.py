"""Arrays of more than two axes as rows: sequences, images, views of one thing; and lists that are rows of a matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..files.classes import first_values
from ..files.memory import frame_of
from ..files.npy import axes_unread
from ..files.opening import label_of
from ..files.sources import Field
from ..files.unfolding import cells_of, unfolded
from ..language.registry import Spec
from ..rows import shapes
from ..text import shown
from .bound import Bound
from .masks import shape_of
from .reading import Reading

Array = np.ndarray[Any, Any]


def spread(spec: Spec, bound: Bound, reading: Reading) -> Bound:
    """The same inputs with a row for each step, pixel or view. DataError where axes do not fit."""
    first = bound.roles[0]
    if len(bound.fields) == 2 and first.classes:
        return _classes(bound, reading)
    if len(bound.fields) == 2:
        _refuse_classes(spec, bound)
    if reading.class_axis is not None or reading.shift:
        raise UsageError(f"{spec.loss.name} has no axis of classes here", fix="leave --class-axis and --shift out")
    if len(bound.fields) == 2 and first.is_set:
        return _views(bound)
    return _flat(bound)


def _with(bound: Bound, fields: tuple[Field, ...], note: str, mark: str, places: int = 1) -> Bound:
    columns: dict[str, shapes.Column] = dict(zip(bound.columns, fields, strict=True))
    notes, marks = (*bound.notes, note), (*bound.marks, mark)
    return bound._replace(fields=fields, columns=columns, notes=notes, marks=marks, places=places)


def _place(field: Field) -> str:
    return f"{label_of(field.frame.path)}: {field.name}"


# --- classes


def _classes(bound: Bound, reading: Reading) -> Bound:
    prediction, label = bound.fields
    shape, truth = shape_of(prediction), shape_of(label)
    if bound.roles[0].classes == "maybe" and shape == truth and reading.class_axis is None and not reading.shift:
        return _flat(bound)
    axis = _class_axis(prediction, shape, truth, reading.class_axis)
    rest = tuple(length for at, length in enumerate(shape) if at != axis)
    classes = shape[axis]
    inner = rest[1:]
    count = math.prod(inner)
    if reading.shift and len(rest) != 2:
        raise UsageError(f"--shift with shape {shape}", fix="it is for (batch, step, class): leave --shift out")

    def cut(values: Array) -> Array:
        moved = np.moveaxis(values.reshape(-1, *shape[1:]), axis, -1)
        moved = moved[:, :-1] if reading.shift else moved
        return np.ascontiguousarray(moved).reshape(-1, classes)

    def cut_label(values: Array) -> Array:
        steps = values.reshape(-1, *inner)
        return np.ascontiguousarray(steps[:, 1:] if reading.shift else steps).reshape(-1)

    count = count // inner[0] * (inner[0] - 1) if reading.shift else count
    fields = unfolded(prediction, count, classes, cut), unfolded(label, count, None, cut_label)
    shift = ", each step with the label of the next" if reading.shift else ""
    note = f"{shape}: axis {axis} holds {classes} classes, every other place is a row{shift}"
    return _with(bound, fields, note, f"axis:{axis}" + ("+shift" if reading.shift else ""), count)


def _refuse_classes(spec: Spec, bound: Bound) -> None:
    """DataError where one axis of the predictions holds classes, for a loss of one region."""
    shape, truth = map(shape_of, bound.fields)
    if shape == truth and spec.loss.of_classes and _are_class_numbers(bound.fields[1]):
        raise DataError(
            f"{_place(bound.fields[1])}: class numbers, in the shape of the predictions",
            why=f"{spec.loss.name} needs one 0/1 label for each prediction",
            fix=f"for masks of class numbers on both sides use {spec.loss.of_classes}",
        )
    has_classes = any(shape[at] > 1 and shape[:at] + shape[at + 1 :] == truth for at in range(1, len(shape)))
    if has_classes and spec.loss.of_classes:  # in this order: the second loads all losses
        raise DataError(
            f"{_place(bound.fields[0])}: shape {shape} beside labels of shape {truth}",
            why=f"{spec.loss.name} needs one 0/1 label for each prediction, and one axis more holds classes",
            fix=f"for class indices as labels use {spec.loss.of_classes}",
        )


def _are_class_numbers(label: Field) -> bool:
    """Whether labels are whole numbers of which some are neither 0, 1 nor a mark, by the first of them."""
    values = np.unique(first_values(label._replace(flat=True), "number"))
    is_whole = len(values) > 0 and bool((values == np.floor(values)).all())
    return is_whole and bool(((values > 1) & (values < 255)).any())


def _class_axis(field: Field, shape: tuple[int, ...], truth: tuple[int, ...], told: int | None) -> int:
    """The axis without which the predictions have the shape of the labels. DataError where none, or two, have it."""
    fitting = [at for at in range(1, len(shape)) if shape[:at] + shape[at + 1 :] == truth]
    if told is not None:
        axis = told + len(shape) if told < 0 else told
        if axis not in fitting:
            raise UsageError(
                f"--class-axis {told}: without it shape {shape} is not the {truth} of the labels",
                fix=f"--class-axis {fitting[0]}" if fitting else "give labels of the other axes",
            )
        return axis
    if not fitting:
        raise DataError(
            f"{_place(field)}: shape {shape} beside labels of shape {truth}",
            why="one axis of the predictions holds the classes, the others are those of the labels",
            fix=_reshaped(shape, truth),
        )
    if len(fitting) > 1:
        choices = " or ".join(f"--class-axis {at}" for at in fitting)
        raise DataError(
            f"{_place(field)}: shape {shape} beside labels of shape {truth}: several axes could hold the classes",
            why="torch has them on axis 1, keras and most others on the last",
            fix=f"say which: {choices}",
        )
    return fitting[0]


def _reshaped(shape: tuple[int, ...], truth: tuple[int, ...]) -> str:
    """How labels get the axes of the predictions but that of the classes."""
    if shape == truth:
        return "if they are one-hot: np.save(path, x.argmax(-1)), with -1 the axis of the classes"
    places = [shape[:at] + shape[at + 1 :] for at in (len(shape) - 1, 1)]
    fitting = next((left for left in places if math.prod(left) == math.prod(truth)), None)
    if fitting is None:
        return "save the labels with the axes of the predictions but one"
    return f"save them with the axes of the predictions but one: np.save(path, x.reshape{fitting})"


# --- views, cells


def _views(bound: Bound) -> Bound:
    emb, label = bound.fields
    shape, truth = shape_of(emb), shape_of(label)
    if len(shape) != 3 or truth not in ((shape[0],), (shape[0], 1), shape[:2]):
        raise axes_unread(_place(emb), shape)
    views, dim = shape[1:]
    points = unfolded(emb, views, dim, lambda values: values.reshape(-1, dim))

    def repeated(values: Array) -> Array:
        return np.repeat(values.reshape(-1), views)

    label_per_view: Callable[[Array], Array] = repeated if truth != shape[:2] else lambda values: values.reshape(-1)
    note = f"{views} views of each of {shape[0]} rows: {shape[0] * views} embeddings"
    return _with(bound, (points, unfolded(label, views, None, label_per_view)), note, "views", views)


def _several(bound: Bound, field: Field) -> DataError:
    """The error of several embeddings a row beside one, such as an anchor with its negatives."""
    count = field.axes[1]
    parts = []
    for role, other in zip(bound.roles, bound.fields, strict=True):
        key = shown(other.frame.names[other.columns[0]]) if other.frame.names else role.name
        of_each = f"concatenate(x[{key!r}])" if len(other.axes) == 3 else f"repeat(x[{key!r}], {count}, axis=0)"
        parts.append(f"{role.name}=np.{of_each}")
    return DataError(
        f"{_place(field)}: shape {field.axes}",
        why=f"each row holds {count}, where a triplet has one anchor, one positive and one negative",
        fix=f"make {count} triplets of each row: np.savez('apn.npz', {', '.join(parts)})",
    )


def _flat(bound: Bound) -> Bound:
    """Arrays of one shape, compared place by place: the mean over a row's places."""
    first = bound.roles[0]
    lengths = {
        (shape_of(field)[0], *(length for length in shape_of(field)[1:] if length > 1)) for field in bound.fields
    }
    if first.layout != "rows" or len(lengths) != 1:
        field = next(field for field in bound.fields if field.axes)
        if first.is_of_triplet and len(field.axes) == 3:
            raise _several(bound, field)
        raise axes_unread(_place(field), field.axes)
    fields = tuple(field._replace(flat=True) for field in bound.fields)
    return _with(bound, fields, f"{shape_of(fields[0])}: a row counts with the mean of its places", "places:mean")


# --- lists


def lists_of(score: Field, relevance: Field) -> tuple[Field, ...]:
    """Score, relevance and group of matrices (lists, documents)."""
    rows, width = score.frame.content.rows_of(score.columns[0]), score.width
    if rows is None:
        raise DataError(f"{_place(score)}: a matrix of lists in a text file", fix="save it as NPY or NPZ")
    group = frame_of(np.repeat(np.arange(rows), width), "group").all_columns()
    return cells_of(score), cells_of(relevance), group
