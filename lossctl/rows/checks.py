"""The door: what comes from a file becomes what a loss is written on, or one clear error.

Values are checked block by block. A block leaves the door as float64, in the shape the loss expects, labels mapped to
{0, 1} or class indices, predictions as chances.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import DataError
from ..language.roles import Check, Role
from .facts import NOTHING, SUM_TOLERANCE, Facts, counted_from
from .shapes import CLIPPED, Input, Plan

if TYPE_CHECKING:
    import numpy as np

NEARLY = 0.1  # rows that miss a sum of 1 by less were rounded


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
    facts = NOTHING if keep is None else Facts(skipped=int(keep.size - np.count_nonzero(keep)))
    admitted = []
    for entry, array in zip(plan.every, arrays, strict=True):
        values = array.reshape(len(array), entry.width) if entry.ndim == 2 else array.reshape(-1)
        if entry.form == "prob" and (plan.treatment.percent or plan.treatment.renormalize):
            values = _scaled(plan, entry, values)
        top = _top_of_many(entry, values)
        verdict = _CHECKS[entry.check](entry, values, rows) if top is None else _check_many(entry, values, top, rows)
        if entry.role.layout == "vectors" and entry.check == "real" and plan.spec.is_angular:
            _check_direction(entry, values, rows)
        if plan.treatment.percent and entry.form == "prob" and values.size:
            verdict = verdict.merge(Facts(highest_percent=100.0 * float(values.max())))
        admitted.append(_converted(plan, entry, values, verdict, top))
        facts = facts.merge(verdict)
    weights = admitted.pop() if plan.weight else None
    if plan.entries[0].role.layout == "vectors":
        from .pair_checks import oddities

        odd = oddities(plan.spec.loss, admitted, start)
        facts = facts.merge(Facts(zero_distances=odd.zero, turned_pairs=odd.turned))
    return Admitted(tuple(admitted), weights, rows, facts.merge(_crossed(plan, arrays, rows)))


def _crossed(plan: Plan, arrays: tuple[np.ndarray, ...], rows: RowNumbers) -> Facts:
    """How many rows have an upper end below the lower one."""
    above = next((entry.role for entry in plan.entries if entry.role.floor), None)
    if above is None:
        return NOTHING
    by_role = {
        entry.role.name: array.reshape(len(array), entry.width) for entry, array in zip(plan.every, arrays, strict=True)
    }
    lower, upper = by_role[above.floor], by_role[above.name]
    if above.is_ordered and (upper < lower).any():
        entry = next(entry for entry in plan.entries if entry.role is above)
        raise _fault(
            entry,
            upper,
            rows,
            upper < lower,
            "the bound {} is below the lower one",
            why="the time lies between its bounds",
            fix="exchange --lower and --upper if they were turned, or correct the row",
        )
    return Facts(crossed=int((upper < lower).any(axis=1).sum()))


def _scaled(plan: Plan, entry: Input, values: np.ndarray) -> np.ndarray:
    """Percents as probabilities, and rows that are divided by their sums."""
    import numpy as np

    values = values / 100.0 if plan.treatment.percent else values
    if plan.treatment.renormalize and values.ndim == 2:
        sums = values.sum(axis=1, keepdims=True)
        values = values / np.where(sums > 0, sums, 1.0)
    return values


def _kept(plan: Plan, arrays: tuple[np.ndarray, ...]) -> np.ndarray | None:
    """Which rows count, or None where all do."""
    import numpy as np

    keep = None
    for entry, array in zip(plan.every, arrays, strict=True):
        out = None
        if (plan.treatment.skip_nan or entry.role.name == plan.unknown) and array.dtype.kind == "f":
            out = np.isnan(array) if array.ndim == 1 else np.isnan(array).any(axis=1)
        if plan.treatment.skip_nan and array.dtype == object:
            out = np.array([value is None for value in array.reshape(-1)])
        if entry.check == "index" and plan.ignore is not None:
            out = array.reshape(-1) == plan.ignore if out is None else out | (array.reshape(-1) == plan.ignore)
        counts = plan.spec.loss.engine.has_lists or plan.treatment.weight_norm == "n"
        if entry.check == "weight" and not counts:
            out = array.reshape(-1) == 0 if out is None else out | (array.reshape(-1) == 0)
        if out is not None and out.any():
            keep = ~out if keep is None else keep & ~out
    return keep


def _converted(plan: Plan, entry: Input, values: np.ndarray, facts: Facts, top: np.ndarray | None) -> Any:
    import numpy as np

    if entry.check == "binary":
        return np.maximum(values, 0.0) if facts.negative_labels else values  # {-1, 1} becomes {0, 1}
    if entry.form is None:
        squash = plan.treatment.squash if entry is plan.entries[0] else "none"
        return _squashed(squash, values) if squash != "none" else values
    from ..language.predictions import Binary, Categorical, Distribution

    if facts.rounded:
        values = np.clip(values, 0.0, 1.0)
    form = entry.form
    if form == "logits" and plan.treatment.clip:  # the probabilities that they give
        is_softmax = entry.classes > 0 or entry.role.is_distribution
        values, form = _chances(values, is_softmax, plan.treatment.clip_type), "prob"
    if form == "prob" and plan.treatment.clip_type != "float64":
        values = values.astype(plan.treatment.clip_type).astype(np.float64)
    if form == "prob" and plan.treatment.clip:
        values = np.clip(values, *_bounds(plan))
    floor = -plan.treatment.clip_log if plan.treatment.clip_log else -math.inf
    if entry.role.is_distribution:
        return Distribution(values, form, floor)
    if entry.classes:
        return Categorical(values, form == "logits", floor, top)
    return Binary(values, form == "logits", floor)


def _chances(logits: np.ndarray, is_softmax: bool, kind: str) -> np.ndarray:
    """The probabilities that logits give; in a smaller type all steps are of that type, as a library takes them."""
    import numpy as np

    if kind == "float64":
        return _squashed("softmax" if is_softmax else "sigmoid", logits)
    x = logits.astype(kind)
    with np.errstate(over="ignore"):
        if not is_softmax:
            return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float64)
        shares = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float64)


def _bounds(plan: Plan) -> tuple[float, float]:
    """What --clip keeps probabilities between, as the type of --clip-type has it."""
    import numpy as np

    kind = np.dtype(plan.treatment.clip_type).type
    return float(kind(plan.treatment.clip)), float(kind(1.0 - plan.treatment.clip))


def _squashed(squash: str, scores: np.ndarray) -> np.ndarray:
    """Scores after a sigmoid, a softmax or a tanh; those outside of the range of float64 are at its end."""
    import numpy as np

    from ..language.numerics import sigmoid
    from ..language.predictions import Categorical

    if squash == "sigmoid":
        return np.asarray(sigmoid(scores))
    return np.asarray(np.tanh(scores) if squash == "tanh" else Categorical(scores, True).p)


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
    if all(end - end == 0 or (allow_minus_infinity and end == -np.inf) for end in (low, high)):
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
    return Facts(logits_like_probabilities=_are_shares(values)) if entry.role.classes == "always" else NOTHING


def _are_shares(values: np.ndarray) -> bool:
    """Whether every row is of probabilities that sum to 1."""
    inside = values.min(initial=0.0) >= 0 and values.max(initial=0.0) <= 1
    return bool(inside and abs(values.sum(axis=1) - 1).max(initial=0.0) < 1e-3)


def _check_bound(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    """Real numbers, or inf for no bound."""
    import numpy as np

    finite = np.where(values == np.inf, entry.role.low + 1.0, values)
    return _check_real(entry, finite, rows)


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


def _check_direction(entry: Input, values: np.ndarray, rows: RowNumbers) -> None:
    zero = ~values.any(axis=1)
    if zero.any():
        row = int(zero.argmax())
        raise DataError(
            f"{entry.column.frame.where(rows.number(row))}: {entry.column.name}: the embedding is all zeros",
            why="it has no direction, so no cosine and no unit length, of which this loss is made",
            fix="leave such rows out: --na skip",
        )


def _check_probability(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    import numpy as np

    low, high = _finite(entry, values, rows)
    rounded = 0
    if low < 0 or high > 1:
        if low < -entry.slack or high > 1 + entry.slack:
            raise _outside(entry, values, rows, low, high)
        rounded = int(np.count_nonzero((values < 0) | (values > 1)))
    decisions = low in (0, 1) and high in (0, 1) and set(values.ravel()[:64].tolist()) <= {0.0, 1.0}
    decisions = decisions and bool(((values == 0) | (values == 1)).all())
    error = float(np.abs(values.sum(axis=1) - 1).max(initial=0.0)) if entry.role.is_distribution else 0.0
    return Facts(sum_error=error, rounded=rounded, decisions=decisions)


def _outside(entry: Input, values: np.ndarray, rows: RowNumbers, low: float, high: float) -> DataError:
    """The error of a value that is no probability: what the values look like, and what reads them so."""
    as_logits = _form_fix(entry.role, high)
    if low > -CLIPPED and high < 1 + CLIPPED:
        looks, fix = "the file was rounded", "add --clip 1e-7; or correct the file"
    elif low >= 0 and 1.5 < high <= 100:
        looks, fix = "these look like percents", f"add --percent if they are; if they are logits, {as_logits}"
    elif low >= 0:
        looks, fix = "these are no probabilities", f"choose another column; if they are logits, {as_logits}"
    else:
        looks, fix = "these look like logits", as_logits
    return _fault(
        entry,
        values,
        rows,
        (values < -entry.slack) | (values > 1 + entry.slack),
        f"{{}} is outside [0, 1] (from {_text(low)} to {_text(high)} nearby): {looks}",
        why=f"{entry.role.option} is read as probabilities unless told otherwise",
        fix=fix,
    )


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
            fix="add --renormalize to divide each row by its sum"
            if error.max() < NEARLY
            else "for labels that do not exclude each other use bce with a 0/1 label column for each; "
            "if the columns are shares of one whole, add --renormalize",
        )
    return facts


def _check_logits(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    low, high = _finite(entry, values, rows, allow_minus_infinity=entry.classes > 0)
    _refuse_no_class(entry, values, rows, low)
    alike = low >= 0 and high <= 1 and (not entry.classes or _are_shares(values))
    return Facts(logits_like_probabilities=alike, lowest_logit=low, highest_logit=high)


def _top_of_many(entry: Input, values: np.ndarray) -> np.ndarray | None:
    """Where each row of logits of many classes has its largest, (n,): what a softmax needs tells of most faults too."""
    from ..language.numerics import FEW_COLUMNS

    is_wanted = entry.check == "logits" and entry.classes > FEW_COLUMNS and values.size
    return values.argmax(axis=1) if is_wanted else None


def _check_many(entry: Input, values: np.ndarray, top: np.ndarray, rows: RowNumbers) -> Facts:
    """`_check_logits` of rows whose largest stand at `top`; the lowest is looked for where all may be 0 or more."""
    import numpy as np

    largest = values[np.arange(len(values)), top]  # nan where a row has any
    high, low = float(largest.max()), float(values[0].min())
    if not high < np.inf or low >= 0:
        low, high = _finite(entry, values, rows, allow_minus_infinity=True)
    _refuse_no_class(entry, values, rows, float(largest.min()))
    alike = low >= 0 and high <= 1 and _are_shares(values)
    return Facts(logits_like_probabilities=alike, lowest_logit=low, highest_logit=high)


def _refuse_no_class(entry: Input, values: np.ndarray, rows: RowNumbers, low: float) -> None:
    """DataError where all values of a row are -inf. low: the lowest of all"""
    import numpy as np

    if low == -math.inf and (values.max(axis=-1) == -np.inf).any():
        bad = np.broadcast_to(values.max(axis=-1, keepdims=True) == -np.inf, values.shape)
        raise _fault(
            entry,
            values,
            rows,
            bad,
            "{}, as is all of the row",
            why="what is -inf has probability 0, and something must be possible",
            fix="find where it comes from, or leave such rows out of the file",
        )


def _check_log_prob(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    low, high = _finite(entry, values, rows, allow_minus_infinity=True)
    _refuse_no_class(entry, values, rows, low)
    if high > 0:
        raise _fault(entry, values, rows, values > 0, "{} is above 0, so no log of a probability", fix="see --p-form")
    return NOTHING


def _check_binary(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    import numpy as np

    ones = int(np.count_nonzero(values == 1))
    zeros = int(np.count_nonzero(values == 0))
    negatives = values.size - ones - zeros
    if negatives and negatives != np.count_nonzero(values == -1):
        _finite(entry, values, rows)
        raise _fault(
            entry,
            values,
            rows,
            (values != 0) & (values != 1) & (values != -1),
            "the label {} is neither 0 nor 1",
            why="labels are 0 and 1, or -1 and 1",
            fix=_binary_fix(values),
        )
    return Facts(negative_labels=negatives, zero_labels=zeros)


def _binary_fix(values: np.ndarray) -> str:
    """How labels that are neither 0 nor 1 can be read."""
    import numpy as np

    odd = values[(values != 0) & (values != 1) & (values != -1)]
    if ((odd > 0) & (odd < 1)).all():
        return "add --soft if labels are the chance of 1"
    if values.ndim == 1 and len(np.unique(odd)) == 1 and ((values == 0).any() and (values == 1).any()):
        mark = _text(odd[0])
        other = "" if (odd < 0).all() else f"; for label {mark} against the others add --positive {mark}"
        return f"if {mark} marks labels that are not known: --ignore-index {mark}{other}"
    if (odd < 0).all():
        return f"if {_text(odd[0])} marks labels that are not known, write nan in its place and add --na skip"
    if values.ndim == 2:
        return "write 0 and 1 in every column, and nan where a label is not known, with --na skip"
    return f"for one label against the others add --positive {_text(odd[0])}; for class indices use cross-entropy"


def _check_soft(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    low, high = _finite(entry, values, rows)
    if low < 0 or high > 1:
        raise _fault(
            entry,
            values,
            rows,
            (values < 0) | (values > 1),
            "the label {} is outside [0, 1]",
            why="a soft label is the chance that the label is 1",
            fix="leave --soft out" if high > 1 else "write the labels from 0 to 1",
        )
    return NOTHING


def _check_index(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    import numpy as np

    low, high = _finite(entry, values, rows)
    are_integers = np.array_equal(values, np.floor(values))
    if low < 0 or high >= entry.classes or not are_integers:
        bad = (values < 0) | (values >= entry.classes) | (values != np.floor(values))
        from_1 = f"if labels start at 1: --classes {counted_from(1, entry.classes)}"
        hint = from_1 if low >= 1 and high == entry.classes else "check the label column"
        raise _fault(
            entry,
            values,
            rows,
            bad,
            f"the label {{}} is not one of the classes 0..{entry.classes - 1}",
            why=entry.counted[0],
            fix=hint + entry.counted[1].format(_text(values[bad][0])),
        )
    return Facts(lowest_label=low, highest_label=high)


def _check_weight(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    low, _ = _finite(entry, values, rows)
    if low < 0:
        raise _fault(entry, values, rows, values < 0, "the weight {} is negative", fix="weights are 0 or larger")
    return NOTHING


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
    return NOTHING


def _check_category(entry: Input, values: np.ndarray, rows: RowNumbers) -> Facts:
    return NOTHING


_CHECKS: dict[Check, Callable[[Input, Any, Any], Facts]] = {
    "real": _check_real,
    "probability": _check_probability,
    "classes": _check_classes,
    "logits": _check_logits,
    "log-prob": _check_log_prob,
    "binary": _check_binary,
    "soft": _check_soft,
    "index": _check_index,
    "weight": _check_weight,
    "category": _check_category,
    "box": _check_box,
    "bound": _check_bound,
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
