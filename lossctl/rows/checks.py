"""The door: what comes from a file becomes what a loss is written on, or one clear error.

Shapes are settled once, before anything is read (`plan`); values are checked block by block (`admit`). A block leaves
the door as float64, in the shape the loss expects, labels mapped to {0, 1} or class indices, predictions as chances.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..errors import DataError, UsageError
from ..language.predictions import Binary, Categorical, Distribution
from ..language.registry import Spec
from ..language.roles import ROLES, Form, Role
from .pair_checks import Oddities, Turned, oddities

if TYPE_CHECKING:
    from typing import Protocol

    import numpy as np

    class Frame(Protocol):
        """Where a row of an input stands, for messages."""

        @property
        def path(self) -> str: ...
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
        def frame(self) -> Frame: ...


Check = Literal["real", "probability", "classes", "logits", "log-prob", "binary", "index", "weight", "category", "box"]

SUM_TOLERANCE = 0.01  # float16 softmax rows and three-digit CSV files are within it
SHOWN_ROWS = 5
NEEDS_CLASSES = ("probs", "scores", "p", "q")
SHAPED_AS_FIRST = (
    *("target", "q", "right", "positive", "negative", "count", "amount", "true_size", "variance", "upper", "true_box"),
    *("teacher", "log_variance"),
)
WEIGHT = ROLES["weight"]
NOT_ODD = Oddities()


class Input(NamedTuple):
    """One input as the loss will see it.

    ndim: 1 for (n,), 2 for (n, width); check: what its values may be
    form: of a probability; classes: how many an index may reach; counted: what has so many, and what to do with others
    """

    role: Role
    column: Column
    ndim: int
    width: int
    check: Check
    form: Form | None = None
    classes: int = 0
    counted: tuple[str, str] = ("", "")


class Plan(NamedTuple):
    """How the blocks of one computation are admitted.

    entries: the loss's inputs in order; weight: the row weights, or None
    clip: probabilities are clipped into [clip, 1 - clip]; ignore: rows with this class index are left out
    skip_nan: rows that hold a nan are left out (else they are an error)
    """

    spec: Spec
    entries: tuple[Input, ...]
    reduction: str = "mean"
    weight: Input | None = None
    clip: float = 0.0
    ignore: int | None = None
    skip_nan: bool = False

    @property
    def width(self) -> int:
        """How many values a row has, all inputs together."""
        return sum(entry.width for entry in self.every)

    @property
    def every(self) -> tuple[Input, ...]:
        return (*self.entries, self.weight) if self.weight else self.entries


class Facts(NamedTuple):
    """What was noticed on the way, mergeable: what only the whole input can tell."""

    skipped: int = 0
    negative_labels: int = 0
    zero_labels: int = 0
    logits_like_probabilities: bool = True
    sum_error: float = 0.0
    infinite: int = 0
    infinite_rows: tuple[int, ...] = ()
    empty_lists: int = 0
    zero_distances: tuple[int, int] = (0, 0)
    turned_pairs: Turned | None = None
    undecided_anchors: int = 0

    def merge(self, other: Facts) -> Facts:
        """The facts of two blocks together."""
        return Facts(
            self.skipped + other.skipped,
            self.negative_labels + other.negative_labels,
            self.zero_labels + other.zero_labels,
            self.logits_like_probabilities and other.logits_like_probabilities,
            max(self.sum_error, other.sum_error),
            self.infinite + other.infinite,
            (*self.infinite_rows, *other.infinite_rows)[:SHOWN_ROWS],
            self.empty_lists + other.empty_lists,
            (self.zero_distances[0] + other.zero_distances[0], self.zero_distances[1] + other.zero_distances[1]),
            self.turned_pairs or other.turned_pairs,
            self.undecided_anchors + other.undecided_anchors,
        )


NOTHING = Facts()

# --- shapes


def plan(
    spec: Spec,
    columns: dict[str, Column],
    *,
    reduction: str = "mean",
    forms: dict[str, Form] | None = None,
    weight: Column | None = None,
    clip: float = 0.0,
    skip_nan: bool = False,
) -> Plan:
    """Settle the shape, the form and the check of every input; DataError where shapes do not fit the loss.

    columns: role name -> input; forms: role name -> form, where it is not the role's default
    """
    forms = forms or {}
    entries = [
        _entry(role, columns[role.name], forms.get(role.name) or (role.forms[0] if role.forms else None))
        for role in spec.loss.roles
    ]
    entries = _settle_together(spec, entries)
    _check_reduction(spec, entries, reduction)
    _check_class_numbers(spec, entries)
    if clip and not any(entry.form == "prob" for entry in entries):
        raise UsageError("--clip applies to probabilities only", fix="leave it out: logits need no clipping")
    return Plan(
        spec,
        tuple(entries),
        reduction,
        weight=_entry(WEIGHT, weight, None) if weight else None,
        clip=clip,
        ignore=spec.options.get("ignore_index"),
        skip_nan=skip_nan,
    )


def _check_reduction(spec: Spec, entries: list[Input], reduction: str) -> None:
    if reduction not in spec.loss.reductions:
        raise UsageError(
            f"{spec.loss.name} has no reduction {reduction!r}", fix=f"use -r {' or '.join(spec.loss.reductions)}"
        )
    if reduction == "positives" and entries[-1].check != "binary":
        raise UsageError("-r positives needs labels 0 and 1", fix="use -r mean or -r sum")


def _check_class_numbers(spec: Spec, entries: list[Input]) -> None:
    classes = entries[0].classes
    if entries[0].role.name == "emb":
        return
    for name in ("class_weights", "alpha"):
        numbers = spec.options.get(name)
        if isinstance(numbers, tuple) and len(numbers) != classes:
            raise UsageError(
                f"{name.replace('_', '-')} has {len(numbers)} numbers for {classes or 'no'} classes",
                fix="give one number for each class",
            )


def _full_name(column: Column) -> str:
    return f"{column.frame.path}: {column.name}"


def _entry(role: Role, column: Column, form: Form | None) -> Input:
    width = column.width
    ndim = column.ndim
    if role.layout == "row" and width > 1:
        raise DataError(
            f"{_full_name(column)}: {width} columns where {role.option} needs one",
            why=f"{role.option} is {role.meaning}",
            fix="choose a column: PATH::NAME or PATH::3",
        )
    if role.layout != "vectors" and width == 1:
        ndim = 1
    if role.layout == "vectors" and ndim == 1 and role.name in NEEDS_CLASSES:
        raise DataError(
            f"{_full_name(column)}: one value a row where {role.option} needs one for each class",
            fix="for predictions of two classes use bce (probabilities of label 1) or hinge (scores)",
        )
    if role.name in ("box", "true_box") and width != 4:
        raise DataError(
            f"{_full_name(column)}: {width} columns where {role.option} needs four",
            why=f"{role.option} is {role.meaning}",
            fix="choose the four columns: PATH::NAME..NAME",
        )
    return Input(role, column, 2 if role.layout == "vectors" else ndim, width, _check_of(role, form), form)


def _check_of(role: Role, form: Form | None) -> Check:
    if role.kind == "category":
        return "category"
    if role.name == "weight":
        return "weight"
    if role.name in ("box", "true_box"):
        return "box"
    if form == "prob":
        return "probability"
    if form is not None:
        return form
    return "binary" if role.name in ("same", "label", "desirable", "wins") else "real"


def _settle_together(spec: Spec, entries: list[Input]) -> list[Input]:
    """Shapes and checks that depend on two inputs: the label on the prediction, a target on its prediction."""
    first, last = entries[0], entries[-1]
    if first.role.name == "emb" and last.role.name == "label":
        classes = _weighted_classes(spec, first.width)
        return [first, _index(spec, last, classes, f"the class weights have {classes} rows, one a class")]
    if last.role.name == "label":
        return (
            [*entries[:-1], _label_beside(spec, first, last)]
            if not _is_classes(first, last)
            else [
                first._replace(check="classes" if first.form == "prob" else first.check, classes=first.width, ndim=2),
                _class_label(spec, first, last),
            ]
        )
    for entry in entries[1:]:
        if entry.role.name in SHAPED_AS_FIRST and first.role.name != "split" and entry.width != first.width:
            raise DataError(
                f"{first.role.option} has {first.width} columns and {entry.role.option} has {entry.width}",
                why=f"{spec.loss.name} compares them column by column; nothing is broadcast",
                fix=f"give {entry.role.option} the shape of {first.role.option}",
            )
    return entries


def _is_classes(prediction: Input, label: Input) -> bool:
    if prediction.role.name in ("probs", "scores"):
        return True
    return prediction.role.name == "chance" and prediction.ndim == 2 and label.ndim == 1


def _weighted_classes(spec: Spec, width: int) -> int:
    """How many classes a file of class weights has."""
    numbers = spec.options["class_weights"]
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
    return len(rows)


def _index(spec: Spec, label: Input, classes: int, counted: str) -> Input:
    mark = "; rows to leave out can carry a mark: --ignore-index" if "ignore_index" in spec.options else ""
    return label._replace(check="index", classes=classes, counted=(counted, mark))


def _class_label(spec: Spec, prediction: Input, label: Input) -> Input:
    if label.ndim == 1:
        counted = f"the predictions have {prediction.width} columns, one a class"
        return _index(spec, label, prediction.width, counted)
    if label.width != prediction.width or prediction.role.name == "scores":
        raise DataError(
            f"{_full_name(label.column)}: {label.width} label columns beside {prediction.width} classes",
            why=f"{spec.loss.name} needs one class index a row"
            + (", or a distribution over the classes" if prediction.role.name == "probs" else ""),
            fix="choose one label column: PATH::NAME",
        )
    return label._replace(check="classes", classes=label.width)


def _label_beside(spec: Spec, prediction: Input, label: Input) -> Input:
    if label.width != prediction.width:
        raise DataError(
            f"{prediction.role.option} has {prediction.width} columns and {label.role.option} has {label.width}",
            why=f"{spec.loss.name} needs one 0/1 label for each prediction",
            fix="for one class index a row use cross-entropy or multiclass-hinge" if label.width == 1 else "",
        )
    return label._replace(check="binary")


# --- values


class RowNumbers(NamedTuple):
    """Which rows of the input the rows of a block are: from `start` on, those in `keep` (None: all)."""

    start: int
    keep: np.ndarray | None

    def at(self, positions: np.ndarray) -> np.ndarray:
        """The numbers of the rows at some positions of the block."""
        import numpy as np

        return self.start + (positions if self.keep is None else np.flatnonzero(self.keep)[positions])

    def number(self, position: int) -> int:
        """The number of the row at one position of the block."""
        import numpy as np

        return int(self.at(np.asarray([position]))[0])


class Admitted(NamedTuple):
    """One block that passed the door: what the loss takes, the row weights or None, and what was noticed."""

    inputs: tuple[Any, ...]
    weights: np.ndarray | None
    rows: RowNumbers
    facts: Facts


def admit(plan: Plan, arrays: tuple[np.ndarray, ...], start: int) -> Admitted:
    """Check and convert one block. DataError at the first value that is not allowed.

    arrays: one for each entry, in order, float64 or category; start: the number of their first row.
    """
    import numpy as np

    keep = _kept(plan, arrays)
    rows = RowNumbers(start, keep)
    if keep is not None:
        arrays = tuple(array[keep] for array in arrays)
    facts = Facts(skipped=0 if keep is None else int(keep.size - np.count_nonzero(keep)))
    admitted = []
    for entry, array in zip(plan.every, arrays, strict=True):
        values = array.reshape(len(array), entry.width) if entry.ndim == 2 else array.reshape(-1)
        seen = _CHECKS[entry.check](entry, values, rows)
        if entry.role.layout == "vectors" and entry.check == "real" and _is_angular(plan.spec):
            _check_direction(entry, values, rows)
        admitted.append(_converted(plan, entry, values, seen))
        facts = facts.merge(seen)
    weights = admitted.pop() if plan.weight else None
    odd = oddities([entry.role.name for entry in plan.entries], admitted, start)
    if odd != NOT_ODD:
        facts = facts.merge(Facts(zero_distances=odd.zero, turned_pairs=odd.turned))
    return Admitted(tuple(admitted), weights, rows, facts)


def _kept(plan: Plan, arrays: tuple[np.ndarray, ...]) -> np.ndarray | None:
    """Which rows count, or None where all do."""
    import numpy as np

    keep = None
    for entry, array in zip(plan.every, arrays, strict=True):
        out = None
        if plan.skip_nan and array.dtype.kind == "f":
            out = np.isnan(array) if array.ndim == 1 else np.isnan(array).any(axis=1)
        if plan.skip_nan and array.dtype == object:
            out = np.array([value is None for value in array.reshape(-1)])
        if entry.check == "index" and plan.ignore is not None:
            out = array.reshape(-1) == plan.ignore if out is None else out | (array.reshape(-1) == plan.ignore)
        if entry.check == "weight":
            out = array.reshape(-1) == 0 if out is None else out | (array.reshape(-1) == 0)
        if out is not None and out.any():
            keep = ~out if keep is None else keep & ~out
    return keep


def _converted(plan: Plan, entry: Input, values: np.ndarray, seen: Facts) -> Any:
    import numpy as np

    if entry.check == "binary":
        return np.maximum(values, 0.0) if seen.negative_labels else values  # {-1, 1} becomes {0, 1}
    if entry.form is None:
        return values
    if entry.form == "prob" and plan.clip:
        values = np.clip(values, plan.clip, 1.0 - plan.clip)
    if entry.role.name in ("p", "q"):
        return Distribution(values, entry.form)
    made = Categorical if entry.classes else Binary
    return made(values, entry.form == "logits")


def _fault(
    entry: Input, values: np.ndarray, rows: RowNumbers, bad: np.ndarray, what: str, *, why: str = "", fix: str = ""
) -> DataError:
    """An error at the first bad value: `what` is filled with its text."""
    import numpy as np

    position = tuple(int(index) for index in np.argwhere(bad)[0])
    column = entry.column
    place = f"{column.frame.where(rows.number(position[0]))}: {column.name}"
    if len(position) == 2:
        place += f" [{position[1] + 1}]"
    return DataError(f"{place}: {what.format(_text(values[position]))}", why=why, fix=fix)


def _text(value: Any) -> str:
    return repr(float(value)).removesuffix(".0")


def _finite(
    entry: Input, values: np.ndarray, rows: RowNumbers, allow_minus_infinity: bool = False
) -> tuple[float, float]:
    """(min, max) of a block that holds at least one value and only finite ones."""
    import numpy as np

    if not values.size:
        return 0.0, 0.0
    low, high = float(values.min()), float(values.max())
    if high - high == 0 and (low - low == 0 or (allow_minus_infinity and low == -np.inf)):
        return low, high
    bad = ~np.isfinite(values) if not allow_minus_infinity else np.isnan(values) | (values == np.inf)
    raise _fault(
        entry,
        values,
        rows,
        bad,
        "the value is {}",
        why=f"{entry.role.option} must be a finite number in every row",
        fix="find where it comes from" + (", or leave such rows out: --na skip" if np.isnan(values[bad][0]) else ""),
    )


def _check_real(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(values.sum())  # half the time of min and max; it may overflow, so look again
    if suspicious:
        _finite(entry, values, rows)
    _check_bounds(entry, values, rows)
    return Facts()


def _check_bounds(entry: Input, values: np.ndarray, rows: RowNumbers) -> None:
    role = entry.role
    if role.low == -math.inf and role.high == math.inf:
        return
    below = values <= role.low if role.is_open else values < role.low
    above = values >= role.high if role.is_open else values > role.high
    bad = below | above
    if bad.any():
        bound, side = (role.low, "above") if role.low > -math.inf else (role.high, "below")
        needed = f"{side} {bound:g}" + ("" if role.is_open else " or equal to it")
        raise _fault(
            entry,
            values,
            rows,
            bad,
            f"{{}} where {role.option} must be {needed}",
            why=f"{role.option} is {role.meaning}",
            fix="check that this is the right column, or leave such rows out of the file",
        )


def _is_angular(spec: Spec) -> bool:
    """Whether embeddings are compared by their direction."""
    return spec.options.get("distance") == "cosine" or spec.loss.cosine or spec.loss.name == "circle-class"


def _check_direction(entry: Input, values: np.ndarray, rows: RowNumbers) -> None:
    zero = ~values.any(axis=1)
    if zero.any():
        row = int(zero.argmax())
        raise DataError(
            f"{entry.column.frame.where(rows.number(row))}: {entry.column.name}: the embedding is all zeros",
            why="it has no direction, so no cosine",
            fix="leave it out, or use another distance",
        )


def _check_probability(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    low, high = _finite(entry, values, rows)
    if low < 0 or high > 1:
        just_outside = low > -1e-3 and high < 1 + 1e-3
        logits = "the file was rounded" if just_outside else "these look like logits"
        raise _fault(
            entry,
            values,
            rows,
            (values < 0) | (values > 1),
            f"{{}} is outside [0, 1] (from {_text(low)} to {_text(high)} nearby): {logits}",
            why=f"{entry.role.option} is read as probabilities unless told otherwise",
            fix="clip the values in the file" if just_outside else _form_fix(entry.role, high),
        )
    if entry.role.name in ("p", "q") and values.size:
        import numpy as np

        return Facts(sum_error=float(np.abs(values.sum(axis=1) - 1).max()))
    return Facts()


def _form_fix(role: Role, high: float) -> str:
    """The option that reads the values as what they look like."""
    if len(role.forms) > 2:
        return f"add --{role.option}-form {'log-prob' if high <= 0 else 'logits'}"
    return "leave --from-probs out" if role.forms[0] == "logits" else "add --from-logits"


def _check_classes(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    import numpy as np

    facts = _check_probability(entry, values, rows)
    sums = values.sum(axis=1)
    error = np.abs(sums - 1)
    if values.size and error.max() > SUM_TOLERANCE:
        row = int(np.argmax(error > SUM_TOLERANCE))
        raise DataError(
            f"{entry.column.frame.where(rows.number(row))}: {entry.column.name}: "
            f"the probabilities sum to {_text(sums[row])}, not 1",
            why="a row must be a distribution over the classes",
            fix="for independent labels give a 0/1 label column for each; for raw scores add --from-logits",
        )
    return facts


def _check_logits(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    import numpy as np

    low, high = _finite(entry, values, rows)
    alike = low >= 0 and high <= 1
    if alike and entry.classes:
        alike = bool(np.abs(values.sum(axis=1) - 1).max(initial=0.0) < 1e-3)
    return Facts(logits_like_probabilities=alike)


def _check_log_prob(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    _, high = _finite(entry, values, rows, allow_minus_infinity=True)
    if high > 0:
        raise _fault(entry, values, rows, values > 0, "{} is above 0, so no log of a probability", fix="see --p-form")
    return Facts()


def _check_binary(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    import numpy as np

    _finite(entry, values, rows)
    ones = int(np.count_nonzero(values == 1))
    zeros = int(np.count_nonzero(values == 0))
    negatives = values.size - ones - zeros
    if negatives and negatives != np.count_nonzero(values == -1):
        raise _fault(
            entry,
            values,
            rows,
            (values != 0) & (values != 1) & (values != -1),
            "the label {} is neither 0 nor 1",
            why="labels are 0 and 1, or -1 and 1",
            fix="for class indices use cross-entropy; for another coding write the labels as 0 and 1",
        )
    return Facts(negative_labels=negatives, zero_labels=zeros)


def _check_index(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    import numpy as np

    low, high = _finite(entry, values, rows)
    whole = np.array_equal(values, np.floor(values))
    if low < 0 or high >= entry.classes or not whole:
        bad = (values < 0) | (values >= entry.classes) | (values != np.floor(values))
        hint = "labels that start at 1? subtract 1" if low >= 1 and high == entry.classes else "check the label column"
        raise _fault(
            entry,
            values,
            rows,
            bad,
            f"the label {{}} is not one of the classes 0..{entry.classes - 1}",
            why=entry.counted[0],
            fix=hint + entry.counted[1],
        )
    return Facts()


def _check_weight(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    low, _ = _finite(entry, values, rows)
    if low < 0:
        raise _fault(entry, values, rows, values < 0, "the weight {} is negative", fix="weights are 0 or larger")
    return Facts()


def _check_box(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    import numpy as np

    _finite(entry, values, rows)
    narrow = np.zeros(values.shape, dtype=bool)
    narrow[:, 2:] = values[:, 2:] <= values[:, :2]
    if narrow.any():
        raise _fault(
            entry,
            values,
            rows,
            narrow,
            "{} is not beyond the corner opposite, so the box has no area",
            why="a box is x1 y1 x2 y2 with x1 < x2 and y1 < y2",
            fix="write a box of centre and size as cx - w/2, cy - h/2, cx + w/2, cy + h/2",
        )
    return Facts()


def _check_category(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    return Facts()


_CHECKS: dict[Check, Callable[[Input, Any, Any], Facts]] = {
    "real": _check_real,
    "probability": _check_probability,
    "classes": _check_classes,
    "logits": _check_logits,
    "log-prob": _check_log_prob,
    "binary": _check_binary,
    "index": _check_index,
    "weight": _check_weight,
    "category": _check_category,
    "box": _check_box,
}


def index_rows(at: np.ndarray, count: int, path: str) -> np.ndarray:
    """(M, 3) row numbers of anchors, positives and negatives as int64. DataError where they are no triplet."""
    bad = (at < 0) | (at >= count) | (at % 1 != 0)
    if bad.any():
        raise DataError(
            f"{path}: {_text(at[bad][0])} is no row of the embeddings",
            why=f"its rows are numbered 0..{count - 1}",
            fix="check that the index was made for these embeddings",
        )
    twice = (at[:, 0] == at[:, 1]) | (at[:, 0] == at[:, 2])
    if twice.any():
        row = int(at[twice][0, 0])
        raise DataError(
            f"{path}: row {row} is its own positive or negative",
            why="a triplet has an anchor, another row of its class, and a row of another class",
            fix="leave such triplets out",
        )
    return at.astype("int64")


def verdict(plan: Plan, facts: Facts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(notes, warnings) that the facts of the whole input give; DataError where labels mix two codings."""
    notes: list[str] = []
    warnings: list[str] = []
    if facts.negative_labels and facts.zero_labels:
        raise DataError(
            f"{_full_name(plan.entries[-1].column)}: the labels mix -1 ({facts.negative_labels} of them) "
            f"and 0 ({facts.zero_labels})",
            why="labels are 0 and 1, or -1 and 1, in the whole file",
            fix="write the labels in one coding",
        )
    if facts.negative_labels:
        notes.append("labels -1 and 1 read as 0 and 1")
    if facts.skipped:
        text = rows_left_out(facts.skipped)
        (warnings if plan.skip_nan else notes).append(text)
    if facts.empty_lists:
        notes.append(f"{facts.empty_lists} lists have nothing that this loss compares and are left out of the mean")
    if any(entry.form == "logits" for entry in plan.entries) and facts.logits_like_probabilities:
        given = any(entry.form == "logits" != entry.role.forms[0] for entry in plan.entries)
        cure = "leave --from-logits out" if given else "add --from-probs"
        warnings.append(f"all logits look like probabilities: {cure} if they are")
    if facts.sum_error > SUM_TOLERANCE:
        warnings.append(f"rows of p or q are off a sum of 1 by up to {facts.sum_error:.3g}; nothing was normalised")
    if facts.turned_pairs:
        seen = facts.turned_pairs
        warnings.append(
            f"among the first {seen.pairs:,} pairs similar ones lie farther apart (mean distance {seen.similar:.4g}) "
            f"than dissimilar ones ({seen.dissimilar:.4g}): is the label turned around? 1 means similar"
        )
    if any(facts.zero_distances):
        counts = "{} similar, {} dissimilar".format(*facts.zero_distances)
        warnings.append(f"points at distance 0: {counts}: duplicates, or wrong labels?")
    if facts.undecided_anchors:
        warnings.append(
            f"{facts.undecided_anchors} anchors have more ties than can be decided exactly in about a minute; theirs "
            "are left to float64"
        )
    if facts.infinite:
        where = ", ".join(plan.entries[0].column.frame.where(row) for row in facts.infinite_rows)
        more = " ..." if facts.infinite > len(facts.infinite_rows) else ""
        warnings.append(f"the loss is not finite in {facts.infinite} rows: {where}{more}")
    return tuple(notes), tuple(warnings)


def rows_left_out(count: int) -> str:
    """What is said where rows with missing values are left out."""
    return f"{count} row{'s' if count > 1 else ''} left out"
