"""The audit of accuracy as a whole: the worst error of every loss in every form, and the bounds that are known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from exact_counts import count_cases, count_computed, count_truth
from exact_lists import LIST_REASONS, list_cases, list_computed, list_limits, list_truths
from exact_losses import BITS, CASES, KNOWN_BOUNDS, ULP, allowed, computed, forms_of, truths, ulps
from exact_sets import SET_REASONS, SetCase, set_cases, set_computed, set_limits, set_truths
from exact_totals import TOTAL_REASONS, total_cases, total_computed, total_limit, total_truth
from exact_views import VIEW_REASONS, view_cases, view_computed, view_limits, view_truths

from lossctl.language import registry


class Audited(NamedTuple):
    """The values of one case: how they are read, the largest error in ulp, and the largest part of what is allowed."""

    loss: str
    form: str
    what: str
    worst: float
    part: float
    values: int


def known_bounds() -> list[tuple[str, str]]:
    """(losses, why they have a bound of their own)."""
    rows = [(", ".join(bound.losses), bound.reason) for bound in KNOWN_BOUNDS]
    return [*rows, *LIST_REASONS.items(), *SET_REASONS.items(), *VIEW_REASONS.items(), *TOTAL_REASONS.items()]


def by_set() -> list[list[SetCase]]:
    """The cases of each loss and set together."""
    cases = sorted(set_cases(), key=lambda case: (case.loss, case.what))
    return [list(group) for _, group in groupby(cases, key=lambda case: (case.loss, case.what))]


def audit(*names: str) -> Iterator[Audited]:
    """Every case, loss by loss in the order of the registry; of these losses alone where some are named."""
    asked = names or registry.load()
    order = {loss.name: place for place, loss in enumerate(registry.walk())}
    kinds = (kind(asked) for kind in (_rows, _lists, _sets, _views, _totals, _counts))
    yield from sorted((row for kind in kinds for row in kind), key=lambda row: (order[row.loss], row.form))


def _audited(loss: str, form: str, what: str, values: list[float], exact: list[Any], limits: list[float]) -> Audited:
    errors = [ulps(value, truth) for value, truth in zip(values, exact, strict=True)]
    parts = [error / limit for error, limit in zip(errors, limits, strict=True)]
    return Audited(loss, form, what, max(errors), max(parts), len(errors))


def _rows(asked: Collection[str]) -> Iterator[Audited]:
    for case in (case for case in CASES if case.loss in asked):
        exact = truths(case)
        yield _audited(case.loss, ", ".join(forms_of(case)), case.what, computed(case), exact, allowed(case, exact))


def _lists(asked: Collection[str]) -> Iterator[Audited]:
    for case in (case for case in list_cases() if case.loss in asked):
        exact = list_truths(case, BITS)
        yield _audited(case.loss, "", case.what, list_computed(case), exact, list_limits(case, exact))


def _sets(asked: Collection[str]) -> Iterator[Audited]:
    for case in (case for case in set_cases() if case.loss in asked):
        exact = set_truths(case, BITS)
        form = ", ".join(["normalized"] * case.normalize + [case.metric])
        yield _audited(case.loss, form, case.what, set_computed(case), exact, set_limits(case, exact, BITS))


def _views(asked: Collection[str]) -> Iterator[Audited]:
    for case in (case for case in view_cases() if case.loss in asked):
        exact = view_truths(case, BITS)
        yield _audited(case.loss, "", case.what, view_computed(case), exact, view_limits(case, exact))


def _totals(asked: Collection[str]) -> Iterator[Audited]:
    for case in (case for case in total_cases() if case.loss in asked):
        exact, form = total_truth(case), "logits" * case.is_logit
        yield _audited(case.loss, form, case.what, [total_computed(case)], [exact], [total_limit(case, exact)])


def _counts(asked: Collection[str]) -> Iterator[Audited]:
    for case in (case for case in count_cases() if case.loss in asked):
        yield _audited(case.loss, "", case.what, [count_computed(case)], [count_truth(case, BITS)], [ULP])


def table(rows: Iterator[Audited]) -> Iterator[str]:
    """Lines of Markdown: one for each loss and form."""
    yield "| loss | form | values | worst ulp | of what is allowed | where |"
    yield "|---|---|--:|--:|--:|---|"
    key: Callable[[Audited], tuple[str, str]] = lambda row: (row.loss, row.form)  # noqa: E731
    for (loss, form), group in groupby(rows, key=key):
        cases = list(group)
        worst, part = max(cases, key=lambda row: row.worst), max(row.part for row in cases)
        count = sum(row.values for row in cases)
        yield f"| {loss} | {form} | {count:,} | {worst.worst:.3g} | {part:.0%} | {worst.what} |"
