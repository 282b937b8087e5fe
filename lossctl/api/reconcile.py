"""Which choices give a number: customary values, all reductions, what libraries do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..results.choices import Fit, Reconciliation
from ..text import option_text
from . import answers, solving
from .combinations import Combination, Combinations
from .narrowing import Narrow, OtherData, cost, exact_hits, other_loss, share_of
from .printed import Printed, by_chance, number_of
from .question import Question

__all__ = ["OtherData", "number_of", "other_loss", "reconcile"]
TWINS = 1e-11  # values that are the same number


def reconcile(
    asked: Sequence[tuple[Question, Mapping[str, Any]]], text: str, *, solve: bool = False, narrow: Narrow | None = None
) -> Reconciliation:
    """The choices that give a number, the best first. UsageError.

    asked: each loss of the inputs with what is set by hand, which stays;  narrow: a second number
    """
    number = number_of(text)
    fits: list[Fit] = []
    solved: list[Fit] = []
    defaults: list[Fit] = []
    warnings: list[str] = []
    tried, chance = 0, 0.0
    for question, fixed in asked:
        with answers.opened(question) as answer:
            name = f"{question.specs[0].loss.name}: " if len(asked) > 1 else ""
            warnings += [name + text for text in answer.results()[0].warnings]
            field = Combinations(question, answer.shared, fixed)
            if narrow is not None:
                narrow.check(field)
            combinations = field.all()
            tried += len(combinations)
            chance += by_chance(number, [combination.value for combination in combinations])
            fits += [
                _fit(field, group, number, narrow)
                for group in _folded(field, hits(field, combinations, number, narrow))
            ]
            defaults.append(_default(field, combinations))
            solutions = solving.solutions(field, number) if solve else ()
            solved += [
                _solution(field, name, group)
                for name, group in solutions
                if narrow is None or narrow.holds(field, group[0])
            ]
    return Reconciliation(
        number.text,
        number.value,
        number.digits,
        tried,
        chance,
        tuple(sorted(fits, key=_order)),
        tuple(sorted(solved, key=_order)),
        tuple(defaults),
        tuple(warnings),
    )


def _order(fit: Fit) -> tuple[Any, ...]:
    return fit.cost, fit.is_near, not fit.libraries, fit.changed, not fit.near_library, len(fit.options), fit.options


def hits(
    field: Combinations, combinations: Sequence[Combination], number: Printed, narrow: Narrow | None
) -> Iterator[Combination]:
    """The combinations that give a number, and the second one."""
    for combination in exact_hits(field, combinations, number):
        share = share_of(field, combination) if narrow is not None and narrow.number.digits > 6 else 0.0
        if narrow is None or narrow.holds(field, combination, share):
            yield combination


def _folded(field: Combinations, combinations: Iterator[Combination]) -> list[list[Combination]]:
    """The combinations of one value together, the plainest first: the defaults, a library, few choices."""
    groups: list[list[Combination]] = []
    plain = (field.combination({}, {}, 0.0)).key

    def rank(hit: Combination) -> tuple[Any, ...]:
        is_of_library = hit.key in field.libraries
        return cost(field, hit), hit.key != plain, not is_of_library, not _nearest(field, hit)[0], len(hit.text)

    for hit in sorted(combinations, key=rank):
        for group in groups:
            if math.isclose(group[0].value, hit.value, rel_tol=TWINS):
                group.append(hit)
                break
        else:
            groups.append([hit])
    return groups


def _changed(field: Combinations, combination: Combination) -> int:
    """How many choices differ from the defaults and from what was set by hand; none of what a library does."""
    return 0 if combination.key in field.libraries else combination.changed - len(field.spec.by_hand)


def _fit(field: Combinations, group: list[Combination], number: Printed, narrow: Narrow | None) -> Fit:
    first, *twins = group
    presets = [preset for hit in group for preset in field.libraries.get(hit.key, ())]
    near, more = ("", "") if presets else _nearest(field, first)
    if not presets and not near:
        near, more = _but_one_number(field, first)
    return Fit(
        field.loss.name,
        first.text,
        first.value,
        _changed(field, first),
        tuple(preset.name for preset in presets),
        tuple(twin.text for twin in twins),
        is_near=not number.fits(first.value),
        what=presets[0].what if presets else "",
        near_library=near,
        more=more,
        beside=narrow.told(field, first) if narrow is not None else "",
        cost=cost(field, first),
    )


def _nearest(field: Combinations, hit: Combination) -> tuple[str, str]:
    """The library that makes all choices of a combination but one, some at least; and that one. ("", "") for none."""
    for (own, settings), presets in field.libraries.items():
        more = field.combination(dict(set(hit.options) - set(own)), dict(set(hit.settings) - set(settings)), hit.value)
        is_part = set(own) <= set(hit.options) and set(settings) <= set(hit.settings)
        if is_part and (own or settings) and more.changed - len(field.spec.by_hand) == 1:
            return presets[0].name, more.text
    return "", ""


def _but_one_number(field: Combinations, hit: Combination) -> tuple[str, str]:
    """The library that makes all choices of a combination, one at least, and has another number of one option; that
    number here. ("", "") for none."""
    ours = dict(hit.options)
    defaults = {option.name: option.default for option in field.loss.options}
    for (own, settings), presets in field.libraries.items():
        theirs = dict(own)
        apart = [name for name, default in defaults.items() if theirs.get(name, default) != ours.get(name, default)]
        is_one = len(apart) == 1 and isinstance(theirs.get(apart[0]), float)
        if is_one and settings == hit.settings and len(theirs) + len(settings) > 1 + len(field.spec.by_hand):
            (name,) = apart
            return presets[0].name, f"--{name.replace('_', '-')} {option_text(ours.get(name, defaults[name]))}"
    return "", ""


def _solution(field: Combinations, name: str, group: list[Combination]) -> Fit:
    first, *twins = group
    texts, known = tuple(twin.text for twin in twins), len(field.spec.by_hand)
    changed, cost = first.changed - known, first.cost - known
    return Fit(field.loss.name, first.text, first.value, changed, twins=texts, solved=name, cost=cost)


def _default(field: Combinations, combinations: Sequence[Combination]) -> Fit:
    """What the loss gives with nothing changed."""
    plain = field.combination({}, {}, math.nan)
    value = next((hit.value for hit in combinations if hit.key == plain.key), math.nan)
    if math.isnan(value):
        value = field.computed(field.spec.options, {})
    return Fit(field.loss.name, "", value, 0, tuple(preset.name for preset in field.libraries.get(plain.key, ())))
