"""What `reconcile` tries of one loss on one input: customary choices together, and what libraries do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations as subsets
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import LossctlError
from ..language import choices, libraries
from ..language import options as table
from ..language.choices import Knob
from ..language.libraries import Preset
from ..language.registry import Spec, make
from ..rows import at_once, by_row, checks
from ..rows.at_once import WholeLoss
from ..rows.job import Arrays, Job, Space
from ..rows.shapes import Plan
from ..rows.workers import cores, ordered_map
from ..text import option_text
from . import answers
from .parity import labels_of
from .question import Question
from .shared import Shared
from .totals import Totals, exactly, plan_of, read

if TYPE_CHECKING:
    from ..sets.by_anchor import SetLosses

IDLE = 2.0**-22  # of a probability, by which float32 may round it and its rest
AT_ONCE = 2  # options that differ at the same time
LONG = 20_000  # rows from which on not all is tried: of two options with many values few pairs, and no third option
FEW_VALUES = 2
MOST_PAIRS = 60
WAYS = ("reduction", "scale", "weight_norm")  # settings that come of sums
CHANCES = {"clip", "clip_log", "from_logits", "renormalize"}  # settings of probabilities
SPACE = {"distance": "metric"}  # settings of a set, as its space names them
Options = tuple[tuple[str, Any], ...]  # names of keywords and values, sorted
Values = Callable[[dict[str, Any]], Iterable[tuple[str, float]]]  # options -> each reduction, and what it gives


class Combination(NamedTuple):
    """Choices, and what they give.

    options: those of the loss that are not its defaults;  settings: the others
    """

    options: Options
    settings: Options
    value: float

    @property
    def key(self) -> tuple[Options, Options]:
        return self.options, self.settings

    @property
    def changed(self) -> int:
        """How many choices differ from the defaults; a type goes with its clip."""
        return len(self.options) + sum(choices.COSTS.get(name, 1) > 0 for name, _ in self.settings)

    @property
    def cost(self) -> int:
        """For how many choices they count in the order."""
        return sum(choices.COSTS.get(name, 1) for name, _ in (*self.options, *self.settings))

    @property
    def text(self) -> str:
        """The choices as a command line has them."""
        words = []
        for name, value in (*self.options, *self.settings):
            flag = "-r" if name == "reduction" else f"--{name.replace('_', '-')}"
            words.append(flag if value is True else f"{flag} {option_text(value)}")
        return " ".join(words)


class Combinations:
    """The combinations of one loss on one input."""

    def __init__(self, question: Question, shared: Shared, fixed: Mapping[str, Any]) -> None:
        self.question, self.shared, self.fixed = question, shared, fixed
        self.plan = shared.losses[0].plan
        self.spec = self.plan.spec
        self.loss = self.spec.loss
        self.knobs = list(choices.knobs(self.loss, fixed))
        self.arrays = read(shared.losses[0].inputs()) if self.loss.engine.is_by_row else ()
        self.libraries = self._libraries()
        self._of_sets: dict[tuple[Options, Options], dict[str, float]] = {}

    def _libraries(self) -> dict[tuple[Options, Options], list[Preset]]:
        """What libraries do -> their rows."""
        form = self.plan.entries[0].form or ""
        rows: dict[tuple[Options, Options], list[Preset]] = {}
        weights = (*(["rows"] if self.plan.weight else []), *(["classes"] if self.spec.is_weighted else []))
        for preset in libraries.usable_for(libraries.of_loss(self.loss), form, labels_of(self.plan)):
            if preset.lacks(*weights):
                continue
            spec = make(self.loss, **preset.own(self.loss))
            if self._contradicts(spec):
                continue
            own = spec.by_hand
            settings = {key: _plain(value) for key, value in preset.settings(self.loss).items()}
            if any(settings.get(key, self._default(key)) != value for key, value in self._words_by_hand.items()):
                continue
            settings = {key: value for key, value in settings.items() if key not in self._words_by_hand}
            key = (in_order({**own, **self.spec.by_hand}), self.normal(settings))
            rows.setdefault(key, []).append(preset)
        return rows

    def _contradicts(self, spec: Spec) -> bool:
        """Whether a word or a flag that is set by hand is another there; a number is what is known beside it."""
        ours = self.spec.options
        words = (name for name in ours if name in self.fixed and isinstance(ours[name], bool | str))
        return any(spec.options[name] != ours[name] for name in words)

    @cached_property
    def _words_by_hand(self) -> dict[str, Any]:
        """The flags and words of how inputs are read that are set by hand, which a library has too or contradicts."""
        keys = {key for reading in choices.READINGS for key in reading} - {option.name for option in self.loss.options}
        values = {key: getattr(self.question.reading, SPACE.get(key, key), None) for key in keys & self.fixed.keys()}
        return {key: value for key, value in values.items() if isinstance(value, bool | str)}

    @staticmethod
    def _default(key: str) -> Any:
        return table.setting(key, table.COMPUTE).default

    def normal(self, settings: Mapping[str, Any]) -> Options:
        """Settings without those that change nothing here."""
        idle = {"reduction": self.loss.reductions[0], "scale": 1.0, "clip_type": "float64"}
        left = {key: value for key, value in settings.items() if idle.get(key) != value}
        if self.plan.weight is None and not self.spec.is_weighted:
            left.pop("weight_norm", None)
        if left.get("reduction") == "mean-elements" and self.plan._replace(reduction="mean-elements").cells == 1:
            left.pop("reduction")
        if left.get("reduction") == "sum-elements" and self.plan._replace(reduction="sum-elements").cells == 1:
            left["reduction"] = "sum"
        return in_order(left)

    def combination(self, own: Mapping[str, Any], settings: Mapping[str, Any], value: float) -> Combination:
        """A value with the options and settings that gave it."""
        return Combination(in_order({**self.spec.by_hand, **own}), self.normal(settings), value)

    # --- what is tried

    def all(self) -> list[Combination]:
        """All combinations of customary choices that this input allows, each once."""
        known: dict[tuple[Options, Options], Combination] = {}
        for reading in self._readings():
            of_reading = self._as_without(reading, known) if self.is_idle(reading) else self._of_reading(reading)
            for combination in of_reading:
                known.setdefault(combination.key, combination)
        return list(known.values())

    def is_idle(self, reading: Mapping[str, Any]) -> bool:
        """Whether a clip leaves all probabilities as they are, but for the rounding of its type."""
        if not self.arrays or ("clip" not in reading and "clip_log" not in reading):
            return False
        try:
            plain, clipped = (self._first(some) for some in ({}, reading))
        except LossctlError:
            return False
        floor = math.exp(-float(reading.get("clip_log", 745.0)))
        near = np.abs(plain - clipped) <= IDLE * np.minimum(np.abs(plain), np.abs(1.0 - plain))
        return bool(near.all() and (plain >= floor).all() and (1.0 - plain >= floor).all())

    def _first(self, reading: Mapping[str, Any]) -> np.ndarray:
        chances: np.ndarray = checks.admit(plan_of(self.plan, reading), self.arrays, 0).inputs[0].p
        return chances

    def _as_without(
        self, reading: Mapping[str, Any], known: Mapping[tuple[Options, Options], Combination]
    ) -> Iterator[Combination]:
        """What libraries do with a way of reading that changes nothing here: what they give without it."""
        for options, settings in self.libraries:
            if self._is_of(settings, reading):
                rest = in_order({key: value for key, value in settings if key not in reading})
                if (options, rest) in known:
                    yield Combination(options, settings, known[options, rest].value)

    def _readings(self) -> Iterator[dict[str, Any]]:
        """The ways of reading that mean something for these inputs."""
        form = self.plan.entries[0].form or ""
        own = {option.name for option in self.loss.options}
        for reading in choices.READINGS:
            if any(key in self.fixed or key in own for key in reading):
                continue
            if form != "prob" and not CHANCES.isdisjoint(reading) and not self._clips_logits(reading):
                continue
            if all(table.setting(key, table.COMPUTE).suits(self.loss) for key in reading):
                yield dict(reading)

    def _clips_logits(self, reading: Mapping[str, Any]) -> bool:
        """Whether a library clips the probabilities of logits so."""
        is_of_logits = (self.plan.entries[0].form or "") == "logits" and "clip" in reading
        return is_of_logits and any(self._is_of(settings, reading) for _, settings in self.libraries)

    def _of_reading(self, reading: dict[str, Any]) -> Iterator[Combination]:
        sets = list(self._option_sets(AT_ONCE))
        if reading:
            sets = [own for own in sets if len(own) <= 1]
        of_libraries = [dict(own) for own, settings in self.libraries if self._is_of(settings, reading)]
        sets += [own for own in of_libraries if in_order(own) not in {in_order(other) for other in sets}]
        try:
            evaluate = self._evaluator(reading, sets)
        except (LossctlError, ValueError):
            return

        def safely(own: dict[str, Any]) -> list[Combination]:
            try:
                return evaluate(own)
            except (LossctlError, ValueError, ArithmeticError):
                return []

        for combinations in ordered_map(safely, sets, cores() if self.arrays else 1):
            yield from combinations

    def _is_of(self, settings: Options, reading: Mapping[str, Any]) -> bool:
        left = {key: value for key, value in settings if key not in WAYS}
        return left == dict(self.normal(reading))

    @cached_property
    def _bent(self) -> list[Knob]:
        """The options in which the loss is no straight line, with the values that change something here."""
        bent = [knob for knob in self.knobs if not knob.is_straight]
        if not self.arrays:
            return bent
        changing = ((knob, self._changing(knob, tilted=True)) for knob in bent)
        return [knob._replace(values=values) for knob, values in changing if values]

    @cached_property
    def _beside(self) -> set[str]:
        """Those of them that change something beside an option in which it is a straight line only."""
        return {knob.option.name for knob in self._bent if not self._changing(knob, tilted=False)}

    def _changing(self, knob: Knob, *, tilted: bool) -> tuple[Any, ...]:
        """The values that give other numbers; all where there are many.

        tilted: with the options in which the loss is a straight line off their defaults
        """
        if len(knob.values) > FEW_VALUES:
            return knob.values
        others = {other.option.name: other.values[0] for other in self.knobs if other.is_straight and tilted}
        plain = self._numbers(others)
        return tuple(
            value for value in knob.values if self._numbers({**others, knob.option.name: value}) not in ([], plain)
        )

    def _numbers(self, own: dict[str, Any]) -> list[tuple[dict[str, Any], float]]:
        try:
            return self._plain_totals.numbers(own)
        except (LossctlError, ValueError, ArithmeticError):
            return []

    @cached_property
    def _plain_totals(self) -> Totals:
        return self.totals({})

    @property
    def _is_long(self) -> bool:
        return bool(self.arrays) and len(self.arrays[0]) > LONG

    def _option_sets(self, most: int) -> Iterator[dict[str, Any]]:
        """Sets of options that differ from the defaults, beside those in which the loss is a straight line."""
        for count in range(most + 1):
            for chosen in subsets(self._bent, count):
                many = [len(knob.values) for knob in chosen if len(knob.values) > FEW_VALUES]
                if self._is_long and len(many) > 1 and math.prod(many) > MOST_PAIRS:
                    continue
                for values in product(*(knob.values for knob in chosen)):
                    yield {knob.option.name: value for knob, value in zip(chosen, values, strict=True)}

    # --- row by row: sums, and what comes of them

    def totals(self, reading: Mapping[str, Any]) -> Totals:
        """The sums of the rows, read in a way."""
        return Totals(plan_of(self.plan, reading), self.arrays, self.fixed)

    def _by_row(self, reading: Mapping[str, Any]) -> Callable[[dict[str, Any]], list[Combination]]:
        totals = self.totals(reading)
        straight = [knob for knob in self.knobs if knob.is_straight]
        names = {knob.option.name for knob in straight} | self.spec.by_hand.keys()
        most = 1 - bool(reading) if self._is_long else AT_ONCE

        def evaluate(own: dict[str, Any]) -> list[Combination]:
            return [
                self.combination(options, {**reading, **settings}, value)
                for options, sums in totals.sums_along(own, straight if len(own) <= most else [])
                if options.keys() & names or not options.keys() & self._beside
                for settings, value in totals.reduced(options, sums)
                if math.isfinite(value)
            ]

        return evaluate

    # --- other engines: one pass for all reductions of a set, the pipeline itself for the rest

    def _evaluator(
        self, reading: dict[str, Any], sets: Sequence[Mapping[str, Any]]
    ) -> Callable[[dict[str, Any]], list[Combination]]:
        if self.arrays:
            return self._by_row(reading)
        if self.is_rough:
            values = self._at_once(reading, sets)
        else:
            values = self._of_set(reading) if self.loss.engine.has_space else self._of_pipeline(reading)
        is_scaled = self.loss.finish is None and self.loss.engine.has_values and "scale" not in self.fixed
        scales = choices.SCALES if is_scaled else (1.0,)

        def evaluate(own: dict[str, Any]) -> list[Combination]:
            return [
                self.combination(own, {**reading, "reduction": reduction, "scale": scale}, scale * value)
                for reduction, value in values(own)
                if math.isfinite(value)
                for scale in scales
            ]

        return evaluate

    @property
    def _reductions(self) -> list[str]:
        reductions = [name for name in self.loss.reductions if name != "none"]
        return reductions[:1] if "reduction" in self.fixed else reductions

    def _of_pipeline(self, reading: dict[str, Any]) -> Values:
        def values(own: dict[str, Any]) -> Iterator[tuple[str, float]]:
            for name in self._reductions:
                yield name, self.computed({**self.spec.options, **own}, {**reading, "reduction": name})

        return values

    def _of_set(self, reading: Mapping[str, Any]) -> Values:
        """The distances of a set are compared once, whatever they are reduced by."""
        from ..sets import by_anchor

        job = self.shared.jobs[0]
        space = _space_of(job, reading)

        def values(own: dict[str, Any]) -> Iterator[tuple[str, float]]:
            plan = job.plan._replace(spec=self._with(own))
            asked = WholeLoss(job._replace(plan=plan, space=space), (), self._columns, self.shared.threads)
            return self._reduced(plan, by_anchor.losses_of(asked))

        return values

    def _at_once(self, reading: Mapping[str, Any], sets: Sequence[Mapping[str, Any]]) -> Values:
        """Each triplet is gone through once, whatever the options."""
        from ..sets import by_anchor

        job = self.shared.jobs[0]
        asked = WholeLoss(job._replace(space=_space_of(job, reading)), (), self._columns, self.shared.threads)
        answers = by_anchor.losses_at_once(asked, [self._with(own).options for own in sets])
        of_options = dict(zip(map(in_order, sets), answers, strict=bool(answers)))

        def values(own: dict[str, Any]) -> Iterator[tuple[str, float]]:
            return self._reduced(job.plan._replace(spec=self._with(own)), of_options[in_order(own)])

        return values

    def _exact_of_set(self, options: Options, reading: Options) -> dict[str, float]:
        """What each reduction gives, computed once."""
        if (options, reading) not in self._of_sets:
            self._of_sets[options, reading] = dict(self._of_set(dict(reading))(dict(options)))
        return self._of_sets[options, reading]

    @property
    def is_rough(self) -> bool:
        """Whether values are right to nine digits only until `exact` is asked."""
        job = self.shared.jobs[0]
        return self.loss.at_once is not None and job.space.device == "cpu"

    def _with(self, own: Mapping[str, Any]) -> Spec:
        return make(self.loss, **{**self.spec.options, **own})

    def _reduced(self, plan: Plan, of_set: SetLosses) -> Iterator[tuple[str, float]]:
        """Each reduction of the losses of the anchors of a set, and what it gives."""
        from ..sets import by_anchor

        for name in self._reductions:
            by_name = plan._replace(reduction=name)
            part = by_row.part_of(by_anchor.rows_by(by_name, of_set))
            if part.n:
                yield name, by_row.value_of(by_name, part)

    @cached_property
    def _columns(self) -> Arrays:
        """What a set is read from, once."""
        return at_once.all_rows(self.shared.read(), self.shared.place)

    def computed(self, own: Mapping[str, Any], settings: Mapping[str, Any]) -> float:
        """The value by the pipeline."""
        question = asked_with(self.question, make(self.loss, **own), settings)
        with answers.opened(question) as answer:
            return answer.results()[0].value

    def exact(self, combination: Combination) -> float:
        """What `compute` prints with these choices, to the last digit."""
        settings = dict(combination.settings)
        if self.is_rough:
            reading = in_order({key: value for key, value in settings.items() if key not in WAYS})
            by_reduction = self._exact_of_set(combination.options, reading)
            return float(settings.get("scale", 1.0)) * by_reduction[settings.get("reduction", self._reductions[0])]
        if not self.arrays:
            return combination.value
        spec = make(self.loss, **{**self.spec.options, **dict(combination.options)})
        return exactly(plan_of(self.plan, settings)._replace(spec=spec), self.arrays)


def asked_with(question: Question, spec: Spec, settings: Mapping[str, Any]) -> Question:
    """The question of another spec, with other settings."""
    reading, forms = question.reading, question.forms
    fields = {key: value for key, value in settings.items() if hasattr(reading, key)}
    if "distance" in settings:
        fields["metric"] = settings["distance"]
    if "from_logits" in settings:
        fields["forms"] = {role.name: "logits" for role in spec.loss.roles if role.forms}
        forms = (fields["forms"],)
    return question._replace(
        specs=(spec,),
        forms=forms,
        reading=replace(reading, **fields),
        reduction=settings.get("reduction", question.reduction),
    )


def _space_of(job: Job, reading: Mapping[str, Any]) -> Space:
    """How points are compared when they are read in a way."""
    return job.space._replace(**{SPACE.get(key, key): value for key, value in reading.items()})


def in_order(values: Mapping[str, Any]) -> Options:
    """Values by name, sorted."""
    return tuple(sorted(values.items()))


def _plain(value: Any) -> Any:
    try:
        return value if value is True else float(value)
    except ValueError:
        return value
