"""One column of labels: names, other numbers and codings as 0 and 1, or as class indices."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import numpy as np

from ..errors import DataError, UsageError
from ..files import classes as files_classes
from ..files.cells import SKIP
from ..files.cells import TRUTHS as WORDS_OF_TRUTH
from ..files.opening import label_of
from ..files.sources import Field
from ..language.registry import Spec
from ..rows.facts import SUM_TOLERANCE
from ..rows.shapes import Doubt, single_columns
from ..text import shown
from .bound import Bound, Derived, categories_of
from .reading import Reading

Array = np.ndarray[Any, Any]
Convert = Callable[[Array], Array]
TRUTHS = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("negative", "positive"), ("neg", "pos"))
CODINGS = ((0.0, 255.0), (1.0, 2.0))


class LabelInputs:
    """The inputs of one loss with a label: what is bound, and how it is to be read."""

    def __init__(self, spec: Spec, bound: Bound, reading: Reading, at: int) -> None:
        self.spec, self.bound, self.reading, self.at = spec, bound, reading, at
        self.role = bound.roles[at]
        self.label: Field = bound.fields[at]
        self.first = spec.loss.roles[0]
        self.prediction = bound.columns[self.first.name]
        self.form = reading.forms.get(self.first.name) or (self.first.forms[0] if self.first.forms else None)

    @property
    def has_classes(self) -> bool:
        """Whether the label is a class, one of the columns of the prediction."""
        if self.first.classes == "maybe":
            return self.prediction.width > 1 and self.label.width == 1
        return self.first.classes == "always"

    @property
    def ignore(self) -> int | None:
        return self.spec.ignored

    @property
    def headers(self) -> tuple[str, ...]:
        """The names of the columns of the prediction; () where they have none."""
        field = self.bound.fields[0]
        names = field.frame.names
        return tuple(names[column] for column in field.columns) if names and len(field.columns) == field.width else ()

    @property
    def place(self) -> str:
        return f"{label_of(self.label.frame.path)}: {self.label.name}"

    def read_as(self, kind: str, convert: Convert, note: str, mark: str) -> Bound:
        """With the label read as a kind of value, and converted."""
        return converted(self.bound, self.at, self.role._replace(kind=kind), convert, note, mark)


def converted(bound: Bound, at: int, role: Any, convert: Convert, note: str, mark: str, width: int = 0) -> Bound:
    """An input that is read as a role and converted, before what the inputs are arranged to."""
    roles = (*bound.roles[:at], role, *bound.roles[at + 1 :])
    arrange = bound.arrange

    def arranged(arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        return arrange((*arrays[:at], convert(arrays[at]), *arrays[at + 1 :]))

    columns = dict(bound.columns)
    if width and role.name in columns:
        column = columns[role.name]
        columns[role.name] = Derived(column.frame, column.name, width, 1 if width == 1 else 2)
    notes = (*bound.notes, *([note] if note else []))
    marks = (*bound.marks, *([quote(mark, safe=",=:+")] if mark else []))
    return bound._replace(roles=roles, columns=columns, arrange=arranged, notes=notes, marks=marks)


def positive_column(inputs: LabelInputs) -> LabelInputs:
    """Two columns of probabilities beside one label, for a loss of label 1: the second, of rows that sum to 1."""
    if not inputs.first.is_of_label_1 or inputs.prediction.width != 2 or inputs.form != "prob":
        return inputs
    place = f"{label_of(inputs.bound.fields[0].frame.path)}: {inputs.bound.fields[0].name}"
    scale = 100.0 if inputs.reading.percent else 1.0
    field = inputs.bound.fields[0]
    choices = single_columns(field, inputs.first.option)

    def second(values: Array) -> Array:
        sums = values.sum(axis=1) / scale
        known = ~np.isnan(sums)
        if (np.abs(sums - 1)[known] > SUM_TOLERANCE).any():
            raise DataError(
                f"{place}: two columns of probabilities whose rows do not sum to 1, beside one label",
                why="only of the probabilities of labels 0 and 1 is it told which is which",
                fix=f"{choices}, the one of label 1",
            )
        column: Array = values[:, 1]
        return column

    role = inputs.bound.roles[0]
    note = f"{role.option}: column 2 of two whose rows sum to 1"
    bound = converted(inputs.bound, 0, role, second, note, "column-2", width=1)
    return LabelInputs(inputs.spec, bound, inputs.reading, inputs.at)


def one_column(inputs: LabelInputs) -> Bound:
    idle = "--multi-label" if inputs.reading.multi_label else "--multi-class" if inputs.reading.multi_class else ""
    if idle and inputs.label.width == 1 and not (inputs.has_classes and not inputs.reading.multi_label):
        raise UsageError(
            f"{idle} beside one column of labels",
            why="it says what several columns of labels are",
            fix=f"leave {idle} out",
        )
    names = None
    if is_text(inputs.label):
        names = files_classes.names_in(inputs.label)
    if inputs.has_classes:
        return _classes(inputs, names)
    return _binary(inputs, names)


def is_text(field: Field) -> bool:
    """Whether the labels are names: text in an array, or cells that are no numbers."""
    kinds = {field.frame.content.kind_of(column) for column in field.columns}
    if "unknown" not in kinds:
        return "text" in kinds
    try:
        files_classes.first_values(field, "number")
    except DataError as no_number:
        try:
            labels = files_classes.first_values(field, "category")
        except DataError as no_label:
            if no_label.fix == SKIP != no_number.fix:
                raise  # names, of which one is missing
            return False
        return bool(labels.dtype.kind != "i")
    return False


def _doubt(headers: Sequence[str], width: int, ignored: int | None) -> Doubt:
    """What is done where no label is 0, told by the numbers in the names of the columns."""
    numbers = [re.search(r"[0-9]+$", name) for name in headers]
    places = [int(number[0]) for number in numbers if number]
    first = places[0] if len(places) == width > 0 and places == [*range(places[0], places[0] + width)] else None
    if ignored == 0:
        return ""
    if first == 1:
        return "error"
    return "warn" if first == 0 or ignored is not None else "ask"


def _classes(inputs: LabelInputs, names: tuple[str, ...] | None) -> Bound:
    """Names of classes as places among the columns of the prediction."""
    reading, width = inputs.reading, inputs.prediction.width
    if reading.positive is not None:
        raise UsageError(
            f"--positive beside predictions of {width} classes",
            fix=f"name the classes in order, in its place: {_classes_of(names, width)}",
        )
    order, source = reading.classes, "--classes"
    if not order:
        order, source = _stored_classes(inputs), "key 'classes'"
    if not order and names:
        order, source = files_classes.column_classes(inputs.headers, names) or (), "the names of the columns"
    if not order:
        if names is None:
            return inputs.bound._replace(first_label=_doubt(inputs.headers, width, inputs.ignore))
        raise _ask_classes(inputs, names)
    if len(order) != width or len(set(order)) != width:
        raise UsageError(
            f"{source}: {len(set(order))} classes ({_listed(order)}) for {width} columns of predictions",
            fix=f"name each column once, in order: {_classes_of(names, width)}",
        )
    told = files_classes.column_classes(inputs.headers, tuple(sorted(order))) if source == "--classes" else None
    doubts = (f"--classes {','.join(order)}, but the columns are called {_listed(inputs.headers)}",)
    place = {name: float(index) for index, name in enumerate(order)}
    if inputs.ignore is not None:
        place.setdefault(str(inputs.ignore), float(inputs.ignore))
    note = f"classes in the order of the columns, by {source}: {_listed(order)}"
    convert = partial(_by_name, place=place, where=inputs.place, source=source)
    mark = f"labels:{','.join(order)}" if width <= 8 else "labels:named"
    bound = inputs.read_as("category", convert, note, mark)._replace(first_label="")
    return bound._replace(warnings=(*bound.warnings, *doubts)) if told and told != tuple(order) else bound


def places_of(inputs: LabelInputs) -> Bound:
    """Classes that are rows of a file of class weights: places from 0, or names in the order that is told."""
    order = inputs.reading.classes
    if order:
        place = {name: float(index) for index, name in enumerate(order)}
        if inputs.ignore is not None:
            place.setdefault(str(inputs.ignore), float(inputs.ignore))
        convert = partial(_by_name, place=place, where=inputs.place, source="--classes")
        note = f"classes in the order of the class weights: {_listed(order)}"
        return inputs.read_as("category", convert, note, f"labels:{','.join(order)}")._replace(first_label="")
    if inputs.reading.positive is not None:
        raise UsageError("--positive beside class weights", fix="name the classes in order: --classes A,B,...")
    if is_text(inputs.label):
        names = files_classes.names_in(inputs.label)
        raise DataError(
            f"{inputs.place}: the labels are names ({_listed(names)})",
            why="which row of the class weights is which class is not known",
            fix="name the classes in the order of the weights: --classes A,B,...",
        )
    return inputs.bound


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:8])) + (", ..." if len(names) > 8 else "")


def _stored_classes(inputs: LabelInputs) -> tuple[str, ...]:
    """The classes that an NPZ holds under the key `classes`, beside its predictions or its labels."""
    for field in (inputs.bound.fields[0], inputs.label):
        frame = field.frame
        if frame.content.unit == "key" and "classes" in frame.names:
            stored = frame.select("=classes")
            if stored.width == 1:
                return tuple(files_classes.as_names(categories_of(stored)).tolist())
    return ()


def _classes_of(names: tuple[str, ...] | None, width: int) -> str:
    """The option with the classes there are, where there are as many as columns."""
    return f"--classes {_quoted(','.join(names))}" if names and len(names) == width else "--classes A,B,..."


def _ask_classes(inputs: LabelInputs, names: tuple[str, ...]) -> DataError:
    width = inputs.prediction.width
    same = len(names) == width
    return DataError(
        f"{inputs.place}: the labels are names ({_listed(names)}), and which column is which class is not known",
        why=f"the predictions have {width} columns" + ("" if same else f", the labels {len(names)} classes"),
        fix=f"say it: --classes {_quoted(','.join(names))} if the columns stand so (sorted, as scikit-learn has them)"
        if same
        else "name the class of each column, in order: --classes A,B,...",
    )


def _by_name(labels: Array, *, place: dict[str, float], where: str, source: str) -> Array:
    """(n,) categories -> (n,) places; nan where one is missing. DataError for a name that has none."""
    kinds, codes = np.unique(files_classes.as_names(labels.reshape(-1)), return_inverse=True)
    unknown = [name for name in kinds.tolist() if name and name not in place]
    if unknown:
        raise DataError(
            f"{where}: the label '{shown(unknown[0])}' is not one of the classes {_listed(tuple(place))}",
            why=f"they are told by {source}",
            fix=f"name all classes in the order of the columns: {_classes_of(tuple(filter(None, kinds)), len(place))}",
        )
    numbers = np.array([place.get(name, np.nan) for name in kinds.tolist()])
    values: Array = numbers[codes.reshape(-1)]
    return values


def _marked(inputs: LabelInputs, names: tuple[str, ...] | None) -> Bound:
    """Labels 0 and 1, or -1 and 1, of which one more number says that a row is left out. UsageError beside names."""
    if names is not None or inputs.reading.classes or inputs.reading.positive is not None:
        raise UsageError(
            f"--ignore-index {inputs.ignore} beside labels that are told by name",
            why="it is a number beside labels 0 and 1",
            fix="leave --ignore-index out",
        )

    def unmarked(labels: Array) -> Array:
        return np.where(labels == inputs.ignore, np.nan, labels)

    return inputs.read_as("number", unmarked, "", "")._replace(unknown=inputs.role.name)


def _binary(inputs: LabelInputs, names: tuple[str, ...] | None) -> Bound:
    """One label against the other: names, or numbers that are not 0 and 1."""
    reading = inputs.reading
    if inputs.ignore is not None:
        return _marked(inputs, names)
    if reading.classes:
        if len(reading.classes) != 2:
            raise UsageError(
                f"--classes has {len(reading.classes)} names where labels are 0 and 1",
                fix="name two, first the one that counts as 0, or use --positive LABEL in its place",
            )
        place = {name: float(index) for index, name in enumerate(reading.classes)}
        convert = partial(_by_name, place=place, where=inputs.place, source="--classes")
        note = f"labels {shown(reading.classes[0])} and {shown(reading.classes[1])} read as 0 and 1"
        return inputs.read_as("category", convert, note, f"labels:{','.join(reading.classes)}")
    if reading.positive is not None:
        return _positive(inputs, reading.positive, names)
    if names is None:
        return _coding(inputs)
    positive = _telling(names) or _of_header(inputs, names)
    if positive is None:
        choices = " or ".join(f"--positive {_quoted(name)}" for name in names[:3]) or "--positive LABEL"
        raise DataError(
            f"{inputs.place}: the labels are names: {_listed(names)}",
            why=f"which of them counts as 1 is not known; {inputs.first.option} is of label 1",
            fix=f"say it: {choices}",
        )
    return _positive(inputs, positive, names)


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)


def _telling(names: tuple[str, ...]) -> str | None:
    """The name that says yes, where all of them say yes or no."""
    lower = {name.lower(): name for name in names}
    for no, yes in TRUTHS:
        if len(lower) == len(names) and lower.keys() <= {no, yes}:
            return lower.get(yes, yes)
    return None


def _of_header(inputs: LabelInputs, names: tuple[str, ...]) -> str | None:
    """The class that the column of probabilities is called after, or the second of two such columns."""
    headers = inputs.headers
    if len(names) != 2 or not headers:
        return None
    if len(headers) == 2:
        order = files_classes.column_classes(headers, names)
        return order[1] if order else None
    ending = [name for name in names if headers[0] == name or headers[0].endswith(("_" + name, "=" + name, "." + name))]
    return ending[0] if len(ending) == 1 else None


def _positive(inputs: LabelInputs, positive: str, names: tuple[str, ...] | None) -> Bound:
    """One label as 1, every other as 0."""
    if names is None and positive in WORDS_OF_TRUTH:
        positive = f"{WORDS_OF_TRUTH[positive]:g}"
    known = names if names is not None else _number_names(inputs.label)
    if inputs.reading.positive is not None and known is not None and positive not in known:
        raise DataError(
            f"{inputs.place}: no label is '{shown(positive)}'",
            why=f"the labels are {_listed(known)}",
            fix=f"choose one of them: --positive {_quoted(known[-1])}" if known else "check the column",
        )
    others = [name for name in known or () if name != positive]
    note = f"label {shown(positive)} read as 1" + (f", {_listed(others)} as 0" if others else "")
    mark = f"labels:{positive}=1"
    if names is None:
        try:
            number = float(positive)
        except ValueError:
            raise DataError(
                f"{inputs.place}: no label is '{shown(positive)}'", why="the labels are numbers", fix="check the column"
            ) from None
        return inputs.read_as("number", partial(_equals, number=number), note, mark)
    return inputs.read_as("category", partial(_is_name, name=positive), note, mark)


def _number_names(field: Field) -> tuple[str, ...] | None:
    numbers = files_classes.numbers_in(field)
    return None if numbers is None else tuple(repr(number).removesuffix(".0") for number in numbers.tolist())


def _equals(values: Array, *, number: float) -> Array:
    return np.where(np.isnan(values), np.nan, (values == number).astype(np.float64))


def _is_name(labels: Array, *, name: str) -> Array:
    names = files_classes.as_names(labels)
    return np.where(names == "", np.nan, (names == name).astype(np.float64))


def _coding(inputs: LabelInputs) -> Bound:
    """Labels 0 and 255, or 1 and 2, as 0 and 1."""
    first = files_classes.first_values(inputs.label, "number")
    if np.isin(first, (0.0, 1.0, -1.0)).all():
        return inputs.bound
    if ((first > 0) & (first < 1)).any():
        _refuse_turned(inputs)
        return inputs.bound
    numbers = files_classes.numbers_in(inputs.label)
    if numbers is None:
        return inputs.bound
    for low, high in CODINGS:
        if set(numbers.tolist()) == {low, high}:
            note = f"labels {low:g} and {high:g} read as 0 and 1"
            convert = partial(_decoded, low=low, high=high)
            return inputs.read_as("number", convert, note, f"labels:{low:g},{high:g}")
    return inputs.bound


def _refuse_turned(inputs: LabelInputs) -> None:
    """DataError where predictions are all 0 or 1 and labels are not: the columns changed places."""
    prediction = inputs.bound.fields[0]
    values = files_classes.first_values(prediction, "number")
    if prediction.width == 1 and np.isin(values, (0.0, 1.0)).all():
        frame = label_of(prediction.frame.path)
        option = inputs.first.option
        same = prediction.frame is inputs.label.frame and len(prediction.columns) == 1
        places = f"{inputs.label.columns[0] + 1}", f"{prediction.columns[0] + 1}"
        raise DataError(
            f"{inputs.place}: labels between 0 and 1, beside predictions that are all 0 or 1 ({prediction.name})",
            why="predictions come first, the truth last: these look turned around",
            fix=f"--{option} {_quoted(f'{frame}::{places[0]}')} --label {_quoted(f'{frame}::{places[1]}')}"
            if same
            else f"turn the two around, or name them: --{option} SRC --label SRC",
        )


def _decoded(values: Array, *, low: float, high: float) -> Array:
    return (values - low) / (high - low)
