"""What only the whole input can tell: noticed block by block, merged, and said at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import DataError
from .shapes import Plan, full_name

if TYPE_CHECKING:
    from .pair_checks import Turned

SUM_TOLERANCE = 0.01  # float16 softmax rows and three-digit CSV files are within it
SHOWN_ROWS = 5
LISTED = 10  # classes that a fix names one by one
NARROW = 1e-3  # a spread of embeddings, in parts of their mean length, that looks like a collapse


class Facts(NamedTuple):
    """What was noticed on the way, mergeable: what only the whole input can tell.

    logits_like_probabilities, decisions: whether all of them are; None where none was seen
    """

    skipped: int = 0
    negative_labels: int = 0
    zero_labels: int = 0
    logits_like_probabilities: bool | None = None
    sum_error: float = 0.0
    infinite: int = 0
    infinite_rows: tuple[int, ...] = ()
    empty_lists: int = 0
    zero_distances: tuple[int, int] = (0, 0)
    turned_pairs: Turned | None = None
    undecided_anchors: int = 0
    rounded: int = 0
    decisions: bool | None = None
    lowest_label: float = float("inf")
    highest_label: float = float("-inf")
    remarks: tuple[str, ...] = ()
    lowest_logit: float = float("inf")
    highest_logit: float = float("-inf")
    highest_percent: float = float("-inf")
    crossed: int = 0

    def merge(self, other: Facts) -> Facts:
        """The facts of two blocks together."""
        if other is NOTHING:
            return self
        if self is NOTHING:
            return other
        return Facts(
            self.skipped + other.skipped,
            self.negative_labels + other.negative_labels,
            self.zero_labels + other.zero_labels,
            _both(self.logits_like_probabilities, other.logits_like_probabilities),
            max(self.sum_error, other.sum_error),
            self.infinite + other.infinite,
            tuple(sorted((*self.infinite_rows, *other.infinite_rows)))[:SHOWN_ROWS],
            self.empty_lists + other.empty_lists,
            (self.zero_distances[0] + other.zero_distances[0], self.zero_distances[1] + other.zero_distances[1]),
            self.turned_pairs or other.turned_pairs,
            self.undecided_anchors + other.undecided_anchors,
            self.rounded + other.rounded,
            _both(self.decisions, other.decisions),
            min(self.lowest_label, other.lowest_label),
            max(self.highest_label, other.highest_label),
            tuple(sorted({*self.remarks, *other.remarks})),
            min(self.lowest_logit, other.lowest_logit),
            max(self.highest_logit, other.highest_logit),
            max(self.highest_percent, other.highest_percent),
            self.crossed + other.crossed,
        )


def _both(first: bool | None, second: bool | None) -> bool | None:
    if first is None or second is None:
        return second if first is None else first
    return first and second


NOTHING = Facts()
STEEP = 20.0  # logits beyond this leave a chance of 2e-9


def verdict(plan: Plan, facts: Facts, is_of_all: bool = True) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(notes, warnings) that the facts of the whole input give; DataError where labels mix two codings."""
    notes: list[str] = []
    warnings: list[str] = []
    if facts.negative_labels and facts.zero_labels:
        raise DataError(
            f"{full_name(plan.entries[-1].column)}: the labels mix -1 ({facts.negative_labels} of them) "
            f"and 0 ({facts.zero_labels})",
            why="labels are 0 and 1, or -1 and 1, in the whole file",
            fix="write the labels in one coding",
        )
    if facts.negative_labels:
        notes.append("labels -1 and 1 read as 0 and 1")
    if facts.skipped:
        text = rows_left_out(facts.skipped)
        (warnings if plan.treatment.skip_nan or plan.unknown else notes).append(text)
    if facts.rounded:
        notes.append(f"{facts.rounded} probabilities outside [0, 1] by their rounding read as 0 or 1")
    if any(entry.check == "probability" for entry in plan.entries) and facts.decisions:
        warnings.append("all probabilities are 0 or 1: are they decisions? name the column that holds probabilities")
    if is_of_all and plan.entries[-1].check == "index" and plan.entries[-1].first_label and facts.lowest_label == 1:
        _question_first_label(plan, facts.highest_label, warnings)
    warnings += facts.remarks
    if facts.empty_lists:
        notes.append(f"{facts.empty_lists} lists have nothing that this loss compares and are left out of the mean")
    if any(entry.form == "logits" for entry in plan.entries) and facts.logits_like_probabilities:
        is_by_option = any(entry.form == "logits" != entry.role.forms[0] for entry in plan.entries)
        cure = "leave --from-logits out" if is_by_option else "add --from-probs"
        warnings.append(f"all logits look like probabilities: {cure} if they are")
    elif facts.logits_like_probabilities:
        warnings.append(f"all scores look like probabilities; {plan.spec.loss.name} is of decision values")
    if plan.treatment.percent and 0 < facts.highest_percent <= 1:
        warnings.append("all percents are 1 or less: if they are shares already, leave --percent out")
    if facts.lowest_logit >= 0 and facts.highest_logit > STEEP:
        span = f"from {facts.lowest_logit:.6g} to {facts.highest_logit:.6g}"
        warnings.append(f"no logit is below 0, {span}: are they percents (--percent) or counts?")
    if facts.sum_error > SUM_TOLERANCE:
        warnings.append(f"rows of p or q are off a sum of 1 by up to {facts.sum_error:.3g}; nothing was normalised")
    if facts.turned_pairs:
        means = facts.turned_pairs
        warnings.append(
            f"among the first {means.pairs:,} pairs similar ones lie farther apart (mean distance {means.similar:.4g}) "
            f"than dissimilar ones ({means.dissimilar:.4g}): is the label turned around? 1 means similar"
        )
    if facts.crossed:
        warnings.append(f"in {facts.crossed} rows the upper end is below the lower one: were the two exchanged?")
    if any(facts.zero_distances):
        counts = "{} similar, {} dissimilar".format(*facts.zero_distances)
        warnings.append(f"points at distance 0: {counts}: duplicates, or wrong labels?")
    if facts.undecided_anchors:
        warnings.append(
            f"{facts.undecided_anchors} anchors have more ties than can be decided exactly in about a minute; theirs "
            "are left to float64"
        )
    if facts.infinite:
        numbers = ", ".join(str(row) for row in facts.infinite_rows)
        places = ", ".join(plan.entries[0].column.frame.where(row) for row in facts.infinite_rows)
        where, unit = (f"{numbers} (from 0)", "lists") if plan.has_shape else (places, "rows")
        more = " ..." if facts.infinite > len(facts.infinite_rows) else ""
        warnings.append(f"the loss is not finite in {facts.infinite} {unit}: {where}{more}")
    return tuple(notes), tuple(warnings)


def rows_left_out(count: int) -> str:
    """What is said where rows with missing values are left out."""
    return f"{count} row{'s' if count > 1 else ''} left out"


def _question_first_label(plan: Plan, highest: float, warnings: list[str]) -> None:
    """No label is 0: DataError where columns are numbered from 1, or labels reach the last; else a warning."""
    label = plan.entries[-1]
    from_1, from_0 = (counted_from(first, label.classes) for first in (1, 0))
    what = f"no label is 0: do the labels of {label.classes} classes start at 1?"
    if label.first_label == "error" or (label.first_label == "ask" and 1 < highest == label.classes - 1):
        raise DataError(
            f"{full_name(label.column)}: {what}",
            why="label 1 is the first column of predictions then, and else the second",
            fix=f"add --classes {from_1} if label 1 is the first column, --classes {from_0} if it is the second",
        )
    warnings.append(f"{what} if so, add --classes {from_1}")


def counted_from(first: int, classes: int) -> str:
    """The numbers of classes as --classes takes them: "1,2,3", or "1..1000"."""
    if classes > LISTED:
        return f"{first}..{first + classes - 1}"
    return ",".join(map(str, range(first, first + classes)))
