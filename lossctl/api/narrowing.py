"""What narrows the choices of `reconcile`: a second number, of other data or of another loss."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ..errors import LossctlError, UsageError
from ..language import options as table
from ..language.registry import Spec, make
from . import answers
from .combinations import Combination, Combinations, asked_with
from .printed import FLOAT32, Printed
from .question import Question

ROUGH = 1e-9  # of a value, by which it may be off until it is computed exactly


class Narrow(Protocol):
    """A second number."""

    @property
    def number(self) -> Printed: ...

    def check(self, field: Combinations) -> None:
        """LossctlError where it cannot be computed at all."""

    def holds(self, field: Combinations, combination: Combination, share: float = 0.0) -> bool:
        """Whether the choices of a combination give it too. share: of the value, by which it may be off"""

    def told(self, field: Combinations, combination: Combination) -> str:
        """What gives it with them, as a command line has it; "" where that is the same."""


class OtherData(NamedTuple):
    """A number that the same loss has for other data, and the sources of that."""

    number: Printed
    sources: tuple[str, ...]

    def question(self, field: Combinations, combination: Combination) -> Question:
        """What a combination gives for that data."""
        spec = make(field.loss, **{**field.spec.options, **dict(combination.options)})
        asked = asked_with(field.question, spec, dict(combination.settings))
        return asked._replace(inputs=self.sources, named={})

    def holds(self, field: Combinations, combination: Combination, share: float = 0.0) -> bool:
        try:
            with answers.opened(self.question(field, combination)) as answer:
                return self.number.fits(answer.results()[0].value, share)
        except LossctlError:
            return False

    def check(self, field: Combinations) -> None:
        with answers.opened(self.question(field, field.combination({}, {}, math.nan))) as answer:
            answer.results()

    def told(self, field: Combinations, combination: Combination) -> str:
        return ""


class OtherLoss(NamedTuple):
    """A number that the same program has for another loss, and what gives it.

    field: the combinations of that loss;  hits: those that give the number, the fewest choices first
    """

    number: Printed
    field: Combinations
    hits: tuple[Combination, ...]

    def check(self, field: Combinations) -> None:
        if not self.hits:
            spec = self.field.spec
            raise UsageError(
                f"no combination of {spec.loss.name} gives {self.number.text}",
                why=f"so it tells nothing of {field.loss.name}",
                fix="check --value2 and --also, or leave both out",
            )

    def holds(self, field: Combinations, combination: Combination, share: float = 0.0) -> bool:
        return self._beside(field, combination) is not None

    def told(self, field: Combinations, combination: Combination) -> str:
        hit = self._beside(field, combination)
        assert hit is not None
        return " ".join(word for word in (self.field.loss.name, hit.text) if word)

    def _beside(self, field: Combinations, combination: Combination) -> Combination | None:
        """The first that gives the number by the same choices, or as the same library does."""
        libraries = {preset.name for preset in field.libraries.get(combination.key, ())}
        for hit in self.hits:
            theirs = {preset.name for preset in self.field.libraries.get(hit.key, ())}
            if libraries & theirs or _is_alike((field, combination), (self.field, hit)):
                return hit
        return None


def _is_alike(first: tuple[Combinations, Combination], second: tuple[Combinations, Combination]) -> bool:
    """Whether two combinations of two losses make the same choices, as far as both of these have them."""
    fields = first[0], second[0]
    settings = [dict(combination.settings) for _, combination in (first, second)]
    words = [own.pop("reduction", field.loss.reductions[0]) for field, own in zip(fields, settings, strict=True)]
    is_default = [word == field.loss.reductions[0] for field, word in zip(fields, words, strict=True)]
    is_common = all(word in field.loss.all_reductions for field, word in zip(fields, words[::-1], strict=True))
    if is_common and not all(is_default) and words[0] != words[1]:
        return False
    common = [_effective(fields[0], _effective(fields[1], own)) for own in settings]
    return common[0] == common[1]


def _effective(field: Combinations, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a loss has, and that change something of its input."""
    own = {key: value for key, value in settings.items() if table.setting(key, table.COMPUTE).suits(field.loss)}
    clips = {key: value for key, value in own.items() if key.startswith("clip")}
    return {key: value for key, value in own.items() if key not in clips} if field.is_idle(clips) else own


def other_loss(number: Printed, question: Question, spec: Spec, by_hand: Collection[str]) -> OtherLoss:
    """What gives a number of another loss of the inputs of a question. LossctlError.

    spec: that loss, and what is known of its options;  by_hand: what is set by hand for the first
    """
    loss, first = spec.loss, question.specs[0].loss
    form = next(iter(question.forms[0].values()), "")
    forms = {role.name: form if form in role.forms else role.forms[0] for role in loss.roles if role.forms}
    names = dict(zip((role.name for role in first.roles), (role.name for role in loss.roles), strict=False))
    named = {names[name]: source for name, source in question.named.items() if name in names}
    of_first = {option.name for option in first.options}
    fixed = dict.fromkeys([*(key for key in by_hand if key not in of_first), *spec.by_hand], True)
    asked = question._replace(specs=(spec,), forms=(forms,), named=named)
    with answers.opened(asked) as answer:
        answer.results()
        field = Combinations(asked, answer.shared, fixed)
        hits = sorted(exact_hits(field, field.all(), number), key=lambda hit: cost(field, hit))
    return OtherLoss(number, field, tuple(hits))


def exact_hits(field: Combinations, combinations: Sequence[Combination], number: Printed) -> list[Combination]:
    """The combinations that give a number; what libraries do also where float32 may be between."""
    answer = []
    for combination in combinations:
        share = share_of(field, combination)
        is_near = number.is_full and not number.fits(combination.value, share)
        if number.fits(combination.value, max(share, ROUGH)) and (is_near or field.is_rough):
            combination = combination._replace(value=field.exact(combination))
        if number.fits(combination.value, share):
            answer.append(combination)
    return answer


def share_of(field: Combinations, combination: Combination) -> float:
    """By which share of its value a number may be off beside its digits."""
    return FLOAT32 if combination.key in field.libraries else 0.0


def cost(field: Combinations, combination: Combination) -> int:
    """For how many choices those that differ count in the order; for none where a library does it."""
    return 0 if combination.key in field.libraries else combination.cost - len(field.spec.by_hand)
