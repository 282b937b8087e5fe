"""The shape of a computation, settled before anything is read: each input with its check, how blocks are admitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..errors import DataError, UsageError
from ..files.nested import list_as_rows
from ..files.opening import label_of
from ..language.registry import Spec
from ..language.roles import WEIGHT, Check, Form, Role
from ..text import piped, quoted

if TYPE_CHECKING:
    from typing import Protocol

    class Origin(Protocol):
        """Where a row of an input stands, for messages."""

        @property
        def path(self) -> str: ...
        @property
        def rows(self) -> int | None: ...
        def where(self, row: int) -> str: ...

    class Column(Protocol):
        """What the door needs to know of an input: its shape and its name in messages."""

        @property
        def name(self) -> str: ...
        @property
        def ndim(self) -> int: ...
        @property
        def width(self) -> int: ...
        @property
        def frame(self) -> Origin: ...


Doubt = Literal["", "warn", "ask", "error"]
ROUNDING = 4 * 2.0**-23  # of float32, by which sums of probabilities miss 1
CLIPPED = 1e-3  # what --clip mends, and nothing beyond
OF_CLASSES = "cross-entropy or multiclass-hinge"  # losses of one class index a row


class Shape(NamedTuple):
    """An input whose file is not of this process."""

    name: str
    ndim: int
    width: int
    frame: Any = None


class Input(NamedTuple):
    """One input as the loss will see it.

    ndim: 1 for (n,), 2 for (n, width); check: what its values may be
    form: of a probability; classes: how many an index may reach; counted: what has so many, and what to do with others
    slack: how far outside [0, 1] a probability counts as rounded
    first_label: of a class index: what is done where no label is 0 and some are 1
    """

    role: Role
    column: Column
    ndim: int
    width: int
    check: Check
    form: Form | None = None
    classes: int = 0
    counted: tuple[str, str] = ("", "")
    slack: float = ROUNDING
    first_label: Doubt = "warn"

    @property
    def apart(self) -> Input:
        """The same without its file, so that it can be sent to another process."""
        return self._replace(column=Shape(self.column.name, self.column.ndim, self.column.width))


@dataclass(frozen=True)
class Treatment:
    """What is done to the values that are read, on the way to a number.

    forms: role name -> form of its probabilities; clip: into [clip, 1 - clip]
    clip_type: the type that rounds probabilities and those bounds;  clip_log: no log is below -clip_log, 0 for none
    squash: what scores go through first: none, sigmoid, softmax or tanh
    scale: by what every loss is multiplied;  weight_norm: what a weighted mean divides by, "sum" or "n"
    percent: probabilities are percents;  renormalize: rows of them are divided by their sums
    soft: labels may be anything from 0 to 1;  skip_nan: leave out rows with nan, or with NA in a CSV
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    clip: float = 0.0
    clip_type: str = "float64"
    clip_log: float = 0.0
    squash: str = "none"
    scale: float = 1.0
    weight_norm: str = "sum"
    percent: bool = False
    renormalize: bool = False
    soft: bool = False
    skip_nan: bool = False

    @property
    def alone(self) -> Treatment:
        """The same without what else is known of how inputs are read."""
        return Treatment(**{item.name: getattr(self, item.name) for item in fields(Treatment)})


UNTREATED = Treatment()


class Plan(NamedTuple):
    """How the blocks of one computation are admitted.

    entries: the loss's inputs in order; weight: the row weights, or None
    treatment: what is done to values;  ignore: rows with this class index are left out
    unknown: rows that hold a nan in this role are left out, whatever is done with others
    has_shape: lists are rows of the files, so that a list has the number of its row
    """

    spec: Spec
    entries: tuple[Input, ...]
    reduction: str = "mean"
    weight: Input | None = None
    treatment: Treatment = UNTREATED
    ignore: int | None = None
    unknown: str = ""
    has_shape: bool = False

    @property
    def is_sum(self) -> bool:
        """Whether values are added up and divided by nothing."""
        return self.reduction in ("sum", "sum-elements")

    @property
    def cells(self) -> float:
        """What a reduction over cells multiplies the loss of a row by; 1 for the others.

        A row is the mean of its columns, or one value of all of them.
        """
        first = self.entries[0]
        is_mean = first.role.layout == "rows" and not first.classes
        if self.reduction == "sum-elements":
            return float(first.width) if is_mean else 1.0
        return 1.0 if is_mean or self.reduction != "mean-elements" else 1.0 / first.width

    @property
    def apart(self) -> Plan:
        """The same without the files of this process, so that it can be sent to another."""
        weight = None if self.weight is None else self.weight.apart
        entries = tuple(entry.apart for entry in self.entries)
        return self._replace(entries=entries, weight=weight, treatment=self.treatment.alone)

    @property
    def is_soft(self) -> bool:
        """Whether labels may be anything from 0 to 1."""
        return self.entries[-1].check == "soft"

    @property
    def width(self) -> int:
        """How many values a row has, all inputs together."""
        return sum(entry.width for entry in self.every)

    @property
    def every(self) -> tuple[Input, ...]:
        return (*self.entries, self.weight) if self.weight else self.entries


def plan(
    spec: Spec,
    columns: dict[str, Column],
    treatment: Treatment,
    *,
    reduction: str = "mean",
    weight: Column | None = None,
    first_label: Doubt = "warn",
    unknown: str = "",
    has_shape: bool = False,
) -> Plan:
    """Settle the shape, the form and the check of every input; DataError where shapes do not fit the loss.

    columns: role name -> input
    """
    forms, clip = treatment.forms, treatment.clip
    _refuse_flat(spec, columns)
    entries = [
        _entry(role, columns[role.name], forms.get(role.name) or (role.forms[0] if role.forms else None))
        for role in spec.loss.roles
    ]
    entries = _settle_together(spec, entries)
    if treatment.soft and entries[-1].check == "binary":
        entries[-1] = entries[-1]._replace(check="soft")
    entries[-1] = entries[-1]._replace(first_label=first_label)
    if clip:
        entries = [entry._replace(slack=CLIPPED) for entry in entries]
    _check_reduction(spec, entries, reduction)
    if reduction == "mean-active" and treatment.weight_norm == "n":
        raise UsageError(
            "-r mean-active with --weight-norm n",
            why="one divides by the rows that cost something, the other by all",
            fix="leave one of them out",
        )
    _check_class_numbers(spec, entries)
    _check_ignored(spec, entries, unknown)
    if clip and not any(entry.form in ("prob", "logits") for entry in entries):
        raise UsageError("--clip applies to probabilities only", fix="leave it out: logarithms need no clipping")
    if treatment.squash == "softmax" and entries[0].ndim == 1:
        raise UsageError("--squash softmax of one score a row", why="it is over classes", fix="use --squash sigmoid")
    for option, is_asked in (
        ("--clip-log", treatment.clip_log),
        ("--clip-type", treatment.clip_type != "float64" and not clip),
        ("--percent", treatment.percent),
        ("--renormalize", treatment.renormalize),
    ):
        if is_asked and not any(entry.form == "prob" for entry in entries):
            raise UsageError(f"{option} applies to probabilities only", fix="leave it out")
    shares = [entry for entry in entries if entry.check == "classes" or entry.role.is_distribution]
    if treatment.renormalize and not any(entry.form == "prob" for entry in shares):
        raise UsageError(
            "--renormalize of probabilities that are no shares of one whole",
            why="it divides a row of probabilities of classes by their sum",
            fix="leave it out",
        )
    return Plan(
        spec,
        tuple(entries),
        reduction,
        weight=_entry(WEIGHT, weight, None) if weight else None,
        treatment=treatment,
        ignore=spec.ignored,
        unknown=unknown,
        has_shape=has_shape,
    )


def _refuse_flat(spec: Spec, columns: dict[str, Column]) -> None:
    """DataError for scores of all classes in one long column, as LightGBM gives them."""
    roles = spec.loss.roles
    first, last = columns[roles[0].name], columns[roles[-1].name]
    if not roles[0].classes or first.width != 1 or first.frame is last.frame:
        return
    count, rows = first.frame.rows, last.frame.rows
    if not count or not rows or count % rows or count == rows:
        return
    classes = count // rows
    raise DataError(
        f"{full_name(first)}: {count} values for {rows} labels look like the scores of {classes} classes in one column",
        why="they may stand class by class, as LightGBM has them, or row by row, and nothing in them tells",
        fix=f"class by class: np.save(path, x.reshape({classes}, -1).T); "
        f"row by row: np.save(path, x.reshape(-1, {classes}))",
    )


def _check_reduction(spec: Spec, entries: list[Input], reduction: str) -> None:
    if reduction not in spec.loss.all_reductions:
        raise UsageError(
            f"{spec.loss.name} has no reduction {reduction!r}", fix=f"use -r {' or '.join(spec.loss.all_reductions)}"
        )
    if reduction == "positives" and entries[-1].check != "binary":
        raise UsageError("-r positives needs labels 0 and 1", fix="use -r mean or -r sum")


def _check_ignored(spec: Spec, entries: list[Input], unknown: str) -> None:
    label = entries[-1]
    if spec.ignored is None or label.check == "index" or unknown == label.role.name:
        return
    raise UsageError(
        f"--ignore-index {spec.ignored} beside {label.width} columns of labels",
        why="it leaves out rows by their label, and a row has several",
        fix="leave it out; where a label is not known, write nan in its place, and add --na skip",
    )


def _check_class_numbers(spec: Spec, entries: list[Input]) -> None:
    classes = entries[0].classes
    if spec.loss.has_class_weights:
        return
    for name, numbers in spec.class_numbers.items():
        if len(numbers) != (classes or entries[0].width):
            of = " of labels" if entries[-1].check in ("binary", "soft") else ""
            what = f"{classes} classes" if classes else f"{entries[0].width} columns{of}"
            raise UsageError(
                f"{name.replace('_', '-')} has {len(numbers)} numbers for {what}",
                fix=f"give one number for each {'class' if classes else 'column'}",
            )
        if not classes and entries[-1].check == "soft":
            raise UsageError(
                f"a list of {name.replace('_', '-')} with --soft", fix="give one number, or leave --soft out"
            )
    distances = spec.class_distances
    if distances is not None and len(distances) != classes**2:
        apart = "/".join(str(int(at % (classes + 1) != 0)) for at in range(classes**2))
        raise UsageError(
            f"class-distances has {len(distances)} numbers for {classes} classes",
            why="it has one for each class and each other, row by row",
            fix=f"give {classes**2}, as in --class-distances {apart}, where all are 1 apart",
        )


def full_name(column: Column) -> str:
    return f"{column.frame.path}: {column.name}"


def single_columns(column: Column, option: str) -> str:
    """How the first few columns of a matrix are named one by one."""
    field: Any = column
    frame = field.frame
    if getattr(frame, "format", "memory") == "memory":
        return "give one of its columns"
    columns, names = field.columns, frame.names
    key = f"{names[columns[0]]}::" if names and frame.content.columns_of(columns[0]) is not None else ""
    named = names and not key
    ends = [names[at] for at in columns[:3]] if named else [at + 1 for at in (field.inner or range(field.width))[:3]]
    return "choose a column: " + " or ".join(f"--{option} {quoted(f'{frame.path}::{key}{end}')}" for end in ends)


def _lists_as_rows(column: Column) -> str:
    """How each value of a column of lists in JSON is a row, "" for other columns."""
    field: Any = column
    frame = field.frame
    if getattr(frame, "format", "memory") == "memory" or frame.content.dtype_name(field.columns[0]) != "JSON":
        return ""
    rows = list_as_rows(frame.names[field.columns[0]])
    return f"; if each value is a row: {piped(f'jq -c {quoted(rows)}', label_of(frame.path))}"


def _entry(role: Role, column: Column, form: Form | None) -> Input:
    width = column.width
    ndim = column.ndim
    if role.layout == "row" and width > 1:
        raise DataError(
            f"{full_name(column)}: {width} columns where {role.option} needs one",
            why=f"{role.option} is {role.meaning}",
            fix=f"{single_columns(column, role.option)}; of losses of classes, see multiclass-hinge"
            if role.name == "score"
            else single_columns(column, role.option) + _lists_as_rows(column),
        )
    if role.layout != "vectors" and width == 1:
        ndim = 1
    if role.layout == "vectors" and ndim == 1 and role.is_per_class:
        raise DataError(
            f"{full_name(column)}: one value a row where {role.option} needs one for each class",
            fix="for predictions of two classes use bce (probabilities of label 1) or hinge (scores)",
        )
    if role.check == "box" and width != 4:
        raise DataError(
            f"{full_name(column)}: {width} columns where {role.option} needs four",
            why=f"{role.option} is {role.meaning}",
            fix="choose the four columns: PATH::NAME..NAME",
        )
    return Input(role, column, 2 if role.layout == "vectors" else ndim, width, _check_of(role, form), form)


def _check_of(role: Role, form: Form | None) -> Check:
    if role.kind == "category":
        return "category"
    if form == "prob":
        return "probability"
    if form is not None:
        return form
    return role.check


def _settle_together(spec: Spec, entries: list[Input]) -> list[Input]:
    """Shapes and checks that depend on two inputs: the label on the prediction, a target on its prediction."""
    first, last = entries[0], entries[-1]
    if spec.loss.has_class_weights:
        classes = _weighted_classes(spec, first.width)
        return [first, _index(spec, last, classes, f"the class weights are of {classes} classes")]
    if last.role.is_label:
        return (
            [*entries[:-1], _label_beside(spec, first, last)]
            if not _is_classes(first, last)
            else [
                first._replace(check="classes" if first.form == "prob" else first.check, classes=first.width, ndim=2),
                *_of_one_width(spec, entries[:-1])[1:],
                _class_label(spec, first, last),
            ]
        )
    if entries[1:] and entries[1].role.check == "index":
        blank = spec.blank_of(first.width)
        if blank >= first.width:
            raise UsageError(
                f"--blank {blank} where {first.role.option} has {first.width} columns",
                why="one of the columns, counted from 0, is the blank",
                fix=f"use --blank 0, or one up to {first.width - 1}",
            )
        counted = f"{first.role.option} has {first.width} columns, one a symbol; {blank} stands behind the last one"
        return [first, _index(spec, entries[1], first.width, counted), *entries[2:]]
    if last.role.is_level:
        counted = f"{first.role.option} has {first.width} columns, one for each step up from 0"
        return [*entries[:-1], _index(spec, last, first.width + 1, counted)]
    return _of_one_width(spec, entries)


def _of_one_width(spec: Spec, entries: list[Input]) -> list[Input]:
    """The inputs themselves. DataError where one has not the columns of the first that it should have."""
    first = entries[0]
    for entry in entries[1:]:
        if entry.role.is_shaped_as_first and not first.role.kind == "category" and entry.width != first.width:
            raise DataError(
                f"{first.role.option} has {first.width} columns and {entry.role.option} has {entry.width}",
                why=f"{spec.loss.name} compares them column by column; nothing is broadcast",
                fix=f"give {entry.role.option} the shape of {first.role.option}",
            )
    return entries


def _is_classes(prediction: Input, label: Input) -> bool:
    if prediction.role.classes == "always":
        return True
    return prediction.role.classes == "maybe" and prediction.ndim == 2 and label.ndim == 1


def _weighted_classes(spec: Spec, width: int) -> int:
    """How many classes a file of class weights has."""
    numbers = spec.class_weights
    if not numbers or len(numbers) % width:
        raise UsageError(
            f"--class-weights has {len(numbers)} numbers for embeddings of {width} columns"
            if numbers
            else f"{spec.loss.name} needs --class-weights",
            fix="give a file with one row of that width for each class",
        )
    rows = [numbers[k : k + width] for k in range(0, len(numbers), width)]
    zero = next((j for j, row in enumerate(rows) if not any(row)), None)
    if zero is not None:
        raise UsageError(
            f"--class-weights: row {zero} is all zeros",
            why=f"class {zero} has no direction, so no cosine",
            fix="give each class weights that are not all 0",
        )
    if len(rows) % spec.centers:
        raise UsageError(
            f"--class-weights has {len(rows)} rows, of which {spec.centers} are for a class",
            why=f"{spec.loss.name} has {spec.centers} centers a class, the rows of a class one after another",
            fix="give that many rows for each class, or say how many they are: --centers",
        )
    return len(rows) // spec.centers


def _index(spec: Spec, label: Input, classes: int, counted: str) -> Input:
    mark = (
        f"; if such rows are to be left out, the loss is {spec.loss.name}:ignore-index={{}}" if spec.can_ignore else ""
    )
    return label._replace(check="index", classes=classes, counted=(counted, mark))


def _class_label(spec: Spec, prediction: Input, label: Input) -> Input:
    if label.ndim == 1:
        counted = f"the predictions have {prediction.width} columns, one a class"
        return _index(spec, label, prediction.width, counted)
    takes_shares = prediction.role.forms and not spec.loss.engine.reads_whole
    if label.width != prediction.width or not takes_shares:
        raise DataError(
            f"{full_name(label.column)}: {label.width} label columns beside {prediction.width} classes",
            why=f"{spec.loss.name} needs one class index a row"
            + (", or a distribution over the classes" if takes_shares else ""),
            fix=single_columns(label.column, label.role.option),
        )
    return label._replace(check="classes", classes=label.width)


def _label_beside(spec: Spec, prediction: Input, label: Input) -> Input:
    if label.width != prediction.width:
        raise DataError(
            f"{prediction.role.option} has {prediction.width} columns and {label.role.option} has {label.width}",
            why=f"{spec.loss.name} needs one 0/1 label for each prediction",
            fix=f"for one class index a row use {spec.loss.of_classes or OF_CLASSES}" if label.width == 1 else "",
        )
    return label._replace(check="binary")
