"""Which choices give a number: customary values, all reductions, what libraries do; sums are shared.

Rows are read once. A way of reading and a set of options give sums of rows; every reduction, every factor, and every
option in which the loss is a straight line come from those sums alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property, partial
from itertools import combinations as subsets
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..errors import LossctlError, UsageError
from ..language import choices, libraries
from ..language.choices import Knob
from ..language.registry import Loss, Spec, columns_of, make
from ..results.choices import Fit, Reconciliation
from ..rows import by_row, checks, shapes
from ..rows.workers import cores, ordered_map
from ..text import option_text
from . import answers
from .compute import Shared
from .parity import labels_of
from .question import Question

FLOAT32 = 5e-6
IDLE = 2.0**-22  # of a probability, by which float32 may round it and its rest
TWINS = 1e-11  # values that are the same number
AT_ONCE = 2  # options that differ at the same time
LONG = 20_000  # rows from which on not all pairs of options are tried: of two that differ, one has few values
FEW_VALUES = 2
GRID = 17
Options = tuple[tuple[str, Any], ...]  # names of keywords and values, sorted


class Combination(NamedTuple):
    """Choices, and what they give.

    options: those of the loss that are not its defaults;  settings: the others
    """

    options: Options
    settings: Options
    value: float

    @property
    def changed(self) -> int:
        """How many choices differ from the defaults; a type goes with its clip."""
        return len(self.options) + sum(name != "clip_type" for name, _ in self.settings)


class Printed(NamedTuple):
    """A number as it was printed: its text, its value, its significant digits, and half a unit of the last of them."""

    text: str
    value: float
    digits: int
    half: float

    def fits(self, value: float, share: float = 0.0) -> bool:
        """Whether a value rounds to it; share: of the value, by which it may be off beside that."""
        return abs(value - self.value) <= self.half * (1 + 1e-9) + share * abs(self.value)


def number_of(text: str) -> Printed:
    """A text as a printed number. UsageError."""
    try:
        decimal = Decimal(text.strip())
    except InvalidOperation:
        decimal = Decimal("nan")
    if not decimal.is_finite() or not decimal:
        raise UsageError(f"the value cannot be {text!r}", fix="give the number as it was printed, such as 0.433715")
    exponent = decimal.as_tuple().exponent
    assert isinstance(exponent, int)
    return Printed(text.strip(), float(decimal), len(decimal.as_tuple().digits), 0.5 * 10.0**exponent)


def reconcile(
    asked: Sequence[tuple[Question, Mapping[str, Any]]], text: str, *, solve: bool = False, narrow: Narrow | None = None
) -> Reconciliation:
    """The choices that give a number, the best first.

    asked: each loss of the inputs with what is set by hand, which stays;  narrow: a second number and its question
    """
    number = number_of(text)
    fits: list[Fit] = []
    solved: list[Fit] = []
    defaults: list[Fit] = []
    tried, chance = 0, 0.0
    for question, fixed in asked:
        with answers.opened(question) as answer:
            field = Combinations(question, answer.shared, fixed)
            combinations = field.combinations()
            tried += len(combinations)
            chance += by_chance(number, [combination.value for combination in combinations])
            fits += field.fits(number, combinations, narrow)
            defaults.append(field.default(combinations))
            solved += field.solved(number, narrow) if solve else []
    return Reconciliation(
        number.text,
        number.value,
        number.digits,
        tried,
        chance,
        tuple(sorted(fits, key=_order)),
        tuple(sorted(solved, key=_order)),
        tuple(defaults),
    )


class Narrow(NamedTuple):
    """A second number, and what is asked of its data with the options and settings of a combination."""

    number: Printed
    ask: Callable[[Loss, Mapping[str, Any], Mapping[str, Any]], Question]

    def holds(self, loss: Loss, combination: Combination) -> bool:
        """Whether the combination gives it too."""
        try:
            with answers.opened(self.ask(loss, dict(combination.options), dict(combination.settings))) as answer:
                value = answer.results()[0].value
        except LossctlError:
            return False
        return self.number.fits(value, FLOAT32 if self.number.digits > 6 else 0.0)


def _order(fit: Fit) -> tuple[Any, ...]:
    return fit.changed, not fit.libraries, len(fit.options), fit.options


def by_chance(number: Printed, values: Iterable[float]) -> float:
    """How many different values would be hit by a number drawn log-uniformly within a factor of 2 of it."""
    near = sorted({float(f"{value:.12g}") for value in values if 0.5 <= value / number.value <= 2})
    share = 2 * number.half / abs(number.value) / math.log(4)
    return sum(min(1.0, share * number.value / value) for value in near)


class Combinations:
    """The combinations of one loss on one input."""

    def __init__(self, question: Question, shared: Shared, fixed: Mapping[str, Any]) -> None:
        self.question, self.shared, self.fixed = question, shared, fixed
        self.plan = shared.losses[0].plan
        self.spec = self.plan.spec
        self.loss = self.spec.loss
        self.knobs = list(choices.knobs(self.loss, fixed))
        self.presets = self._presets()
        self.arrays = self._read() if self.loss.engine.is_by_row else ()

    def _read(self) -> tuple[np.ndarray, ...]:
        blocks = [block.arrays for block in self.shared.losses[0].inputs()]
        return tuple(np.concatenate(column) for column in zip(*blocks, strict=True))

    def _presets(self) -> dict[tuple[Options, Options], list[str]]:
        """What libraries do -> their names."""
        form = self.plan.entries[0].form or ""
        known: dict[tuple[Options, Options], list[str]] = {}
        for preset in libraries.usable_for(libraries.of_loss(self.loss), form, labels_of(self.plan)):
            own = make(self.loss, **{**preset.own(self.loss)}).by_hand
            settings = {key: _plain(value) for key, value in preset.settings(self.loss).items()}
            key = (_sorted({**own, **self.spec.by_hand}), self._normal(settings))
            known.setdefault(key, []).append(preset.name)
        return known

    def _normal(self, settings: Mapping[str, Any]) -> Options:
        """Settings without those that change nothing here."""
        idle = {"reduction": self.loss.reductions[0], "scale": 1.0, "clip_type": "float64"}
        left = {key: value for key, value in settings.items() if idle.get(key) != value}
        if self.plan.weight is None and not any(
            name == "class_weights" and value is not None for name, value in self.spec.params
        ):
            left.pop("weight_norm", None)
        if left.get("reduction") == "mean-elements" and self.plan._replace(reduction="mean-elements").cells == 1:
            left.pop("reduction")
        if left.get("reduction") == "sum-elements" and self.plan._replace(reduction="sum-elements").cells == 1:
            left["reduction"] = "sum"
        return _sorted(left)

    # --- what is tried

    def combinations(self) -> list[Combination]:
        """All combinations of customary choices that this input allows, each once."""
        known: dict[tuple[Options, Options], Combination] = {}
        for reading in self.readings():
            of_reading = self._as_without(reading, known) if self._is_idle(reading) else self._of_reading(reading)
            for combination in of_reading:
                known.setdefault((combination.options, combination.settings), combination)
        return list(known.values())

    def _is_idle(self, reading: Mapping[str, Any]) -> bool:
        """Whether a clip leaves all probabilities as they are, but for the rounding of its type."""
        if not self.arrays or ("clip" not in reading and "clip_log" not in reading):
            return False
        try:
            plain, clipped = (self._first(self.plan_of(some)) for some in ({}, reading))
        except LossctlError:
            return False
        floor = math.exp(-float(reading.get("clip_log", 745.0)))
        near = np.abs(plain - clipped) <= IDLE * np.minimum(np.abs(plain), np.abs(1.0 - plain))
        return bool(near.all() and (plain >= floor).all() and (1.0 - plain >= floor).all())

    def _first(self, plan: shapes.Plan) -> np.ndarray:
        values: np.ndarray = checks.admit(plan, self.arrays, 0).inputs[0].values
        return values

    def _as_without(
        self, reading: Mapping[str, Any], known: Mapping[tuple[Options, Options], Combination]
    ) -> Iterator[Combination]:
        """What libraries do with a way of reading that changes nothing here: what they give without it."""
        for options, settings in self.presets:
            if self._is_of(settings, reading):
                rest = _sorted({key: value for key, value in settings if key not in reading})
                if (options, rest) in known:
                    yield Combination(options, settings, known[options, rest].value)

    def readings(self) -> Iterator[dict[str, Any]]:
        """The ways of reading that mean something for these inputs."""
        from ..language import options as table

        form = self.plan.entries[0].form or ""
        for reading in choices.READINGS:
            rows = [table.setting(key, table.COMPUTE) for key in reading]
            own = {option.name for option in self.loss.options}
            if any(key in self.fixed or key in own for key in reading):
                continue
            if form != "prob" and not {"clip", "clip_log", "from_logits", "renormalize"}.isdisjoint(reading):
                continue
            if all(row.suits(self.loss) for row in rows):
                yield dict(reading)

    def _of_reading(self, reading: dict[str, Any]) -> Iterator[Combination]:
        sets = list(self._option_sets(0 if reading and self.loss.engine.has_space else AT_ONCE))
        if reading:
            sets = [own for own in sets if len(own) <= 1]
        readings = [dict(own) for own, settings in self.presets if self._is_of(settings, reading)]
        for own in readings:
            if _sorted(own) not in {_sorted(other) for other in sets}:
                sets.append(own)
        try:
            evaluate = self._by_row(reading) if self.loss.engine.is_by_row else self._by_pipeline(reading)
        except (LossctlError, ValueError):
            return

        def safely(own: dict[str, Any]) -> list[Combination]:
            try:
                return evaluate(own)
            except (LossctlError, ValueError, ZeroDivisionError, OverflowError):
                return []

        for combinations in ordered_map(safely, sets, cores() if self.arrays else 1):
            yield from combinations

    def _is_of(self, settings: Options, reading: Mapping[str, Any]) -> bool:
        left = {key: value for key, value in settings if key not in ("reduction", "scale", "weight_norm")}
        return left == dict(self._normal(reading))

    @cached_property
    def _bent(self) -> list[Knob]:
        """The options in which the loss is no straight line, with the values that change something here."""
        bent = [knob for knob in self.knobs if not knob.is_straight]
        if not self.arrays:
            return bent
        plan = self.plan_of({})
        admitted = checks.admit(plan, self.arrays, 0)
        tilted = {knob.option.name: knob.values[0] for knob in self.knobs if knob.is_straight}

        def sums(own: dict[str, Any]) -> list[float]:
            try:
                return self._sums(plan, admitted, {**tilted, **own})
            except (LossctlError, ValueError):
                return []

        plain = sums({})
        kept = []
        for knob in bent:
            if len(knob.values) > 2:
                kept.append(knob)
                continue
            values = tuple(value for value in knob.values if sums({knob.option.name: value}) not in ([], plain))
            kept += [knob._replace(values=values)] if values else []
        return kept

    def _option_sets(self, most: int) -> Iterator[dict[str, Any]]:
        """Sets of options that differ from the defaults, beside those in which the loss is a straight line."""
        bent = self._bent
        for count in range(most + 1):
            for chosen in subsets(bent, count):
                is_long = bool(self.arrays) and len(self.arrays[0]) > LONG
                if is_long and sum(len(knob.values) > FEW_VALUES for knob in chosen) > 1:
                    continue
                for values in product(*(knob.values for knob in chosen)):
                    yield {knob.option.name: value for knob, value in zip(chosen, values, strict=True)}

    # --- row by row: sums, and what comes of them

    def _by_row(self, reading: Mapping[str, Any]) -> Callable[[dict[str, Any]], list[Combination]]:
        plan = self.plan_of(reading)
        with np.errstate(all="ignore"):
            admitted = checks.admit(plan, self.arrays, 0)
        straight = [knob for knob in self.knobs if knob.is_straight]
        reductions = self._reductions(plan, admitted)

        def evaluate(own: dict[str, Any]) -> list[Combination]:
            combinations = []
            for options, sums in self._sums_of(plan, admitted, own, straight):
                for settings, value in reductions(sums):
                    if math.isfinite(value):
                        chosen = self._normal({**reading, **settings})
                        combinations.append(Combination(_sorted({**self.spec.by_hand, **options}), chosen, value))
            return combinations

        return evaluate

    def plan_of(self, reading: Mapping[str, Any]) -> shapes.Plan:
        """The plan with another way of reading."""
        plan = self.plan._replace(**{key: value for key, value in reading.items() if key in shapes.Plan._fields})
        entries = plan.entries
        if reading.get("from_logits"):
            entries = (entries[0]._replace(form="logits", check="logits"), *entries[1:])
        if reading.get("clip"):
            entries = tuple(entry._replace(slack=shapes.CLIPPED) for entry in entries)
        if reading.get("renormalize") and entries[0].ndim == 1:
            raise UsageError("a sum of one probability a row", fix="leave it out")
        if plan.squash == "softmax" and entries[0].ndim == 1:
            raise UsageError("a softmax of one score a row", fix="use a sigmoid")
        return plan._replace(entries=entries)

    def _sums(self, plan: shapes.Plan, admitted: checks.Admitted, own: Mapping[str, Any]) -> list[float]:
        """The sums of the columns of a loss with these options, the divisor last."""
        spec = make(self.loss, **{**self.spec.options, **own})
        with np.errstate(all="ignore"):
            columns = columns_of(by_row.values_of(plan._replace(spec=spec), admitted))
            weights = admitted.weights
            n = float(_count(admitted))
            sums = []
            for column in columns:
                if weights is not None:
                    column = weights if column is None else np.where(weights == 0, 0.0, weights * column)
                sums.append(n if column is None else float(np.sum(column)))
        return sums

    def _sums_of(
        self, plan: shapes.Plan, admitted: checks.Admitted, own: dict[str, Any], straight: list[Knob]
    ) -> Iterator[tuple[dict[str, Any], list[float]]]:
        """The sums for the options, and for each value of an option in which the loss is a straight line."""
        yield own, self._sums(plan, admitted, own)
        for knob in straight:
            if knob.option.name in own:
                continue
            ends = (0.0, 1.0) if knob.option.default is None else (knob.option.default, 1.0)
            low, high = (self._sums(plan, admitted, {**own, knob.option.name: end}) for end in ends)
            for value in knob.values:
                share = (value - ends[0]) / (ends[1] - ends[0])
                total = low[0] + share * (high[0] - low[0])
                yield {**own, knob.option.name: value}, [total, *low[1:]]

    def _reductions(
        self, plan: shapes.Plan, admitted: checks.Admitted
    ) -> Callable[[list[float]], Iterator[tuple[dict[str, Any], float]]]:
        """What sums of columns give, for every reduction and factor."""
        finish = self.loss.finish
        scales = (1.0,) if "scale" in self.fixed else choices.SCALES
        cells = {
            name: plan._replace(reduction=name).cells for name in ("mean-elements", "sum-elements")
        } if len(self.loss.all_reductions) > len(self.loss.reductions) else {}  # fmt: skip
        positives = 0.0
        if "positives" in self.loss.reductions and plan.entries[-1].check == "binary":
            label = admitted.inputs[-1]
            positives = float(np.sum(label if label.ndim == 1 else label.mean(axis=1)))
        n = float(_count(admitted))
        is_weighted = plan.weight is not None or any(knob == "class_weights" for knob in self.spec.by_hand)

        def reduced(sums: list[float]) -> Iterator[tuple[dict[str, Any], float]]:
            if finish is not None:
                spec = self.spec
                assert spec.finish is not None
                finite = all(map(math.isfinite, sums))
                yield {}, float(spec.finish(*(map(Fraction, sums) if finite else sums)))
                return
            total, divisor = sums[0], sums[-1]
            rules: list[tuple[dict[str, Any], float]] = [({}, total / divisor if divisor else math.nan)]
            if "reduction" not in self.fixed:
                rules.append(({"reduction": "sum"}, total))
                rules += [({"reduction": "positives"}, total / positives)] if positives else []
                for name, factor in cells.items():
                    divided = total if name.startswith("sum") else total / divisor if divisor else math.nan
                    rules.append(({"reduction": name}, divided * factor))
            if is_weighted:
                rules.append(({"weight_norm": "n"}, total / n))
            for settings, value in rules:
                for scale in scales:
                    yield ({**settings, "scale": scale} if scale != 1 else settings), scale * value

        return reduced

    # --- other engines: the pipeline itself

    def _by_pipeline(self, reading: Mapping[str, Any]) -> Callable[[dict[str, Any]], list[Combination]]:
        def evaluate(own: dict[str, Any]) -> list[Combination]:
            combinations = []
            for reduction in self.loss.reductions:
                if reduction == "none" or (reduction != self.loss.reductions[0] and "reduction" in self.fixed):
                    continue
                value = self.computed({**self.spec.options, **own}, {**reading, "reduction": reduction})
                for scale in choices.SCALES if self.loss.finish is None and self.loss.engine.has_values else (1.0,):
                    settings = self._normal({**reading, "reduction": reduction, "scale": scale})
                    if math.isfinite(value):
                        options = _sorted({**self.spec.by_hand, **own})
                        combinations.append(Combination(options, settings, scale * value))
            return combinations

        return evaluate

    def computed(self, own: Mapping[str, Any], settings: Mapping[str, Any]) -> float:
        """The value by the pipeline."""
        question = asked_with(self.question, make(self.loss, **own), settings)
        with answers.opened(question) as answer:
            return answer.results()[0].value

    # --- what fits

    def fits(self, number: Printed, combinations: Sequence[Combination], narrow: Narrow | None) -> list[Fit]:
        """The combinations that give a number, twins in one."""
        known = self.presets
        hits = [
            combination
            for combination in combinations
            if number.fits(combination.value)
            or ((combination.options, combination.settings) in known and number.fits(combination.value, FLOAT32))
        ]
        if narrow is not None:
            hits = [combination for combination in hits if narrow.holds(self.loss, combination)]
        hits.sort(key=lambda hit: (self._changed(hit), (hit.options, hit.settings) not in known, len(self.text(hit))))
        groups: list[list[Combination]] = []
        for hit in hits:
            for group in groups:
                if math.isclose(group[0].value, hit.value, rel_tol=TWINS):
                    group.append(hit)
                    break
            else:
                groups.append([hit])
        return [self._fit(group) for group in groups]

    def _changed(self, combination: Combination) -> int:
        return 0 if (combination.options, combination.settings) in self.presets else combination.changed

    def _fit(self, group: list[Combination]) -> Fit:
        first, *twins = group
        names = [name for hit in group for name in self.presets.get((hit.options, hit.settings), ())]
        texts = tuple(self.text(hit) for hit in twins)
        return Fit(self.loss.name, self.text(first), first.value, self._changed(first), tuple(names), texts)

    def default(self, combinations: Sequence[Combination]) -> Fit:
        """What the loss gives with nothing changed."""
        plain = (hit.value for hit in combinations if not hit.settings and dict(hit.options) == self.spec.by_hand)
        value = next(plain, None)
        value = self.computed(self.spec.options, {}) if value is None else value
        return Fit(self.loss.name, "", value, 0, tuple(self.presets.get((_sorted(self.spec.by_hand), ()), ())))

    def text(self, combination: Combination) -> str:
        """The choices as a command line has them."""
        return " ".join(
            [
                f"--{name.replace('_', '-')}" + ("" if value is True else f" {option_text(value)}")
                for name, value in combination.options
            ]
            + [
                f"-r {value}"
                if name == "reduction"
                else f"--{name.replace('_', '-')}" + ("" if value is True else f" {option_text(value)}")
                for name, value in combination.settings
            ]
        )

    # --- one number solved for

    def solved(self, number: Printed, narrow: Narrow | None) -> list[Fit]:
        """Values of one option at a time that give a number exactly, with all else at its defaults or as a library."""
        if not self.loss.engine.is_by_row or self.loss.finish is not None:
            return []
        plan = self.plan_of({})
        admitted = checks.admit(plan, self.arrays, 0)
        reductions = self._reductions(plan, admitted)
        fits = []
        for knob in self.knobs:
            numbers = sorted(value for value in knob.values if isinstance(value, float))
            if len(numbers) < 2:
                continue
            fits += self._solve(knob, numbers, number, lambda own: self._sums(plan, admitted, own), reductions, narrow)
        return fits

    def _solve(
        self,
        knob: Knob,
        numbers: list[float],
        number: Printed,
        sums: Callable[[dict[str, Any]], list[float]],
        reductions: Callable[[list[float]], Iterator[tuple[dict[str, Any], float]]],
        narrow: Narrow | None,
    ) -> list[Fit]:
        name = knob.option.name
        grid = np.linspace(numbers[0], numbers[-1], GRID).tolist()
        table = [[value for _, value in reductions(sums({name: x}))] for x in grid]

        def gap(at: int, x: float) -> float:
            return _nth(reductions(sums({name: x})), at) - number.value

        kinds = [settings for settings, _ in reductions(sums({name: grid[0]}))]
        fits = []
        for at, settings in enumerate(kinds):
            for k in range(GRID - 1):
                a, b = table[k][at] - number.value, table[k + 1][at] - number.value
                if not a * b < 0:
                    continue
                x = self._root(grid[k], grid[k + 1], a, partial(gap, at))
                hit = Combination(
                    _sorted({**self.spec.by_hand, name: float(f"{x:.6g}")}),
                    self._normal(settings),
                    _nth(reductions(sums({name: float(f"{x:.6g}")})), at),
                )
                if narrow is None or narrow.holds(self.loss, hit):
                    fits.append(Fit(self.loss.name, self.text(hit), hit.value, hit.changed, solved=name))
        return fits

    @staticmethod
    def _root(low: float, high: float, at_low: float, function: Callable[[float], float]) -> float:
        for _ in range(40):
            middle = (low + high) / 2
            value = function(middle)
            if value == 0:
                return middle
            if (value < 0) == (at_low < 0):
                low = middle
            else:
                high = middle
        return (low + high) / 2


def _count(admitted: checks.Admitted) -> int:
    """How many rows there are."""
    last = admitted.inputs[-1]
    return len(getattr(last, "values", last))


def asked_with(question: Question, spec: Spec, settings: Mapping[str, Any]) -> Question:
    """The question of another spec, with other settings."""
    reading = question.reading
    fields = {key: value for key, value in settings.items() if hasattr(reading, key)}
    if "distance" in settings:
        fields["metric"] = settings["distance"]
    return question._replace(
        specs=(spec,),
        reading=replace(reading, **fields),
        reduction=settings.get("reduction", question.reduction),
    )


def _nth(values: Iterator[tuple[dict[str, Any], float]], at: int) -> float:
    return next(value for place, (_, value) in enumerate(values) if place == at)


def _sorted(values: Mapping[str, Any]) -> Options:
    return tuple(sorted(values.items()))


def _plain(value: Any) -> Any:
    try:
        return value if value is True else float(value)
    except ValueError:
        return value
