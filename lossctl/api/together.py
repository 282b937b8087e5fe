"""Beyond one number: several losses over one reading, groups, intervals, the hardest rows, row losses with names.

`prepared(...)` opens everything; what it yields answers each question. The library under `lossctl compute` with these
options, under `lossctl compare` and under `lossctl run`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files.sources import Block, Field, blocks, digest, parse_source
from ..language.registry import Loss, Spec
from ..language.roles import Form, Role
from ..resampling import by_count, survey
from ..resampling.bootstrap import METHODS, Method
from ..resampling.draws import Draws
from ..results.values import Interval, Result
from ..rows import by_row, groups, hardest, job
from . import calculator
from .calculator import Given, Prepared, Reading

if TYPE_CHECKING:
    from ..files.binding import Desk
    from ..sets.by_anchor import AnchorScores

Progress = Callable[..., None] | None


class Confidence(NamedTuple):
    """Which interval: its level, the method, and the resamples it is made from."""

    level: float = 0.95
    method: Method = "bca"
    resamples: int = 1000
    seed: int = 0


class Side(NamedTuple):
    """The columns that ride along: sources of an identifier, a group, a cluster, one of each at most.

    bins: the group is a column of numbers, cut into this many bins of equal width
    """

    id: Given | None = None
    group: Given | None = None
    cluster: Given | None = None
    bins: int | None = None


class Shared(NamedTuple):
    """Several losses that are read together.

    losses: each as it would be computed alone;  fields, kinds: what is read, each column once
    jobs: how each loss finds its columns;  ride: places of the columns that ride along
    sides: for each loss, side column ("id", "group", "cluster", "list") -> where it stands among those that ride along
    bins: of each loss's group column
    held: of embedding sets, what one reading gave, for those that follow
    """

    losses: tuple[Prepared, ...]
    fields: tuple[Field, ...]
    kinds: tuple[str, ...]
    jobs: tuple[job.Job, ...]
    ride: tuple[int, ...]
    sides: tuple[dict[str, int], ...]
    bins: tuple[int | None, ...]
    held: list[AnchorScores]

    @property
    def threads(self) -> int:
        return self.losses[0].jobs

    @property
    def engine(self) -> str:
        """What all of the losses go by."""
        return self.losses[0].plan.spec.loss.engine

    @property
    def unit(self) -> str:
        """What is counted and resampled: "rows", "lists" or "anchors"."""
        return {"lists": "lists", "panel": "anchors"}.get(self.engine, "rows")

    def read(self, only: tuple[int, ...] | None = None) -> Iterator[Block]:
        """The blocks, of all columns or of some."""
        chosen = range(len(self.fields)) if only is None else only
        width = sum(field.width for field in self.fields)
        fields, kinds = [self.fields[at] for at in chosen], [self.kinds[at] for at in chosen]
        return blocks(fields, kinds, max(1, by_row.BLOCK_VALUES // width))

    def each(self, fold: Callable[[tuple[job.Scored, ...]], Any]) -> Iterator[Any]:
        """fold(one Scored a loss), block by block, in order."""
        if self.unit == "anchors":
            yield fold(self.anchors().scored)
        else:
            yield from job.each(self.jobs, self.ride, self.read, self.threads, fold)

    def anchors(self, progress: Progress = None) -> AnchorScores:
        """All anchors of embedding sets: computed once, and held."""
        if not self.held:
            from ..sets import by_anchor

            self.held.append(by_anchor.score(self.jobs, self.ride, self.read, self.threads, progress))
        return self.held[0]

    @property
    def computed(self) -> tuple[Prepared, ...]:
        """The losses, each with what computed it, once that is known."""
        if not self.held:
            return self.losses
        backends = self.held[0].backends
        return tuple(one._replace(backend=name) for one, name in zip(self.losses, backends, strict=True))

    def counted(self, fold: Callable[[tuple[by_count.Seen, ...]], Any]) -> Iterator[Any]:
        """fold(one Seen a loss of counts), block by block, in order."""
        return by_count.each(self.jobs, self.ride, self.read, self.threads, fold)


class Wanted(NamedTuple):
    """One loss of a shared reading: its spec, and where its inputs are if not where those of the first loss are.

    weight, side: its own, if not those of all
    """

    spec: Spec
    forms: Mapping[str, Form]
    inputs: Sequence[Given] | None = None
    named: Mapping[str, Given] | None = None
    reduction: str | None = None
    weight: Given | None = None
    side: Side | None = None


@contextmanager
def prepared(
    wanted: Sequence[Wanted],
    *,
    weight: Given | None = None,
    reading: Reading | None = None,
    side: Side | None = None,
    jobs: int | None = None,
) -> Iterator[Shared]:
    """Open the inputs of several losses together; each file is opened once, each column is read once.

    wanted: the first has inputs; one without takes those of the first, in the same order
    """
    reading = reading or Reading()
    _refuse_mixed(wanted)
    desk = calculator.desk_for(reading)
    with desk.stack:
        made: list[Prepared] = []
        sides: list[tuple[Side, dict[str, tuple[Field, str]]]] = []
        for one in wanted:
            inputs, named = one.inputs or (), one.named or {}
            made.append(
                calculator.prepare(
                    desk,
                    one.spec,
                    inputs,
                    named,
                    reduction=one.reduction or one.spec.loss.reductions[0],
                    weight=weight if one.weight is None else one.weight,
                    reading=replace(reading, forms=one.forms),
                    jobs=jobs,
                    like=None if one.inputs or one.named else made[0].bound,
                )
            )
            own = one.side or side or Side()
            sides.append((own, _side_fields(desk, own, one.inputs or wanted[0].inputs or ())))
        yield _joined(made, sides)


def _refuse_mixed(wanted: Sequence[Wanted]) -> None:
    first = wanted[0].spec.loss
    for loss in (one.spec.loss for one in wanted):
        if loss.engine != first.engine:
            units = {"rows": "rows", "lists": "lists", "panel": "anchors of a set", "tally": "counts"}
            raise UsageError(
                f"{first.name} goes by {units[first.engine]}, {loss.name} by {units[loss.engine]}",
                why="losses of one reading go by the same",
                fix=f"compute {loss.name} in a call of its own",
            )


def forms_of(loss: Loss, from_logits: bool = False, from_probs: bool = False) -> dict[str, Form]:
    """The form of each input of a loss, where all predictions are logits, or all are probabilities."""
    forms: dict[str, Form] = {}
    for role in loss.roles:
        for form, wanted in (("logits", from_logits), ("prob", from_probs)):
            if wanted and form in role.forms:
                forms[role.name] = form
    return forms


def _side_fields(desk: Desk, side: Side, inputs: Sequence[Given]) -> dict[str, tuple[Field, str]]:
    found = {}
    for name in ("id", "group", "cluster"):
        given = getattr(side, name)
        if given is not None:
            kind = "number" if name == "group" and side.bins else "category"
            role = Role(name, name, f"the {name} of each row", "row", (name,), kind=kind)  # type: ignore[arg-type]
            field = desk.field(_source_of(given, inputs), role)
            if field.width != 1:
                raise DataError(f"{field.name}: {field.width} columns as {name}", fix="choose one: PATH::COLUMN")
            found[name] = (field, kind)
    return found


def _source_of(given: Given, inputs: Sequence[Given]) -> Given:
    """A source; a bare name that is no file is a column of the first input."""
    if not isinstance(given, str):
        return calculator.as_array(given)
    bare = "::" not in given and given != "-" and not os.path.exists(given)
    if bare and inputs and isinstance(inputs[0], str):
        return f"{parse_source(inputs[0]).path}::{given}"
    return given


def _joined(made: list[Prepared], sides: list[tuple[Side, dict[str, tuple[Field, str]]]]) -> Shared:
    """The columns of all losses, each once."""
    fields: list[Field] = []
    kinds: list[str] = []
    places: dict[Any, int] = {}

    def place(field: Field, kind: str) -> int:
        key = (id(field.frame), field.columns, field.inner, field.ndim, kind)
        if key not in places:
            places[key] = len(fields)
            fields.append(field)
            kinds.append(kind)
        return places[key]

    jobs = [one.job._replace(picks=tuple(map(place, one.fields, one.kinds))) for one in made]
    ride: list[int] = []
    beside = []
    for task, (_, named) in zip(jobs, sides, strict=True):
        at = {name: place(field, kind) for name, (field, kind) in named.items()}
        if task.plan.spec.loss.engine == "lists" and "group" not in at:
            at["list"] = task.picks[2]
        ride += [one for one in at.values() if one not in ride]
        beside.append({name: ride.index(one) for name, one in at.items()})
    bins = tuple(own.bins for own, _ in sides)
    return Shared(tuple(made), tuple(fields), tuple(kinds), tuple(jobs), tuple(ride), tuple(beside), bins, [])


# --- questions


def results(
    shared: Shared,
    confidence: Confidence | Sequence[Confidence | None] | None = None,
    *,
    data_hash: bool = False,
    progress: Progress = None,
) -> list[Result]:
    """The value of each loss: of all rows, then, beside groups, their mean (macro) and each group's.

    confidence: one for all losses, or one for each
    """
    return [result for one in results_of_each(shared, confidence, data_hash, progress) for result in one]


def results_of_each(
    shared: Shared,
    confidence: Confidence | Sequence[Confidence | None] | None = None,
    data_hash: bool = False,
    progress: Progress = None,
) -> list[list[Result]]:
    """The same, loss by loss."""
    one_for_all = confidence is None or isinstance(confidence, Confidence)
    confidences: list[Any] = [confidence] * len(shared.losses) if one_for_all else list(confidence or ())
    wanted = tuple(
        survey.Wanted(
            group=side.get("group"),
            bins=_bins(shared, side["group"], count) if count else None,
            cluster=side.get("cluster"),
            draws=Draws(asked.seed, asked.resamples) if asked else None,
        )
        for side, count, asked in zip(shared.sides, shared.bins, confidences, strict=True)
    )
    if shared.unit == "anchors":
        shared.anchors(progress)
    found = _pieces(shared, wanted, progress)
    if not found or not found[0][None].n:
        raise DataError("no rows to average", fix="check the file, --ignore-index, --na skip and the weights")
    return [
        _of_loss(shared.unit, ready, slices, asked, how, digest(ready.fields) if data_hash else None)
        for ready, slices, asked, how in zip(shared.computed, found, wanted, confidences, strict=True)
    ]


def _pieces(shared: Shared, wanted: tuple[survey.Wanted, ...], progress: Progress) -> tuple[survey.Pieces[Any], ...]:
    """Of each loss, what is known of all rows and of each group."""
    if shared.engine == "tally":
        return survey.add_up(shared.counted(survey.counted(wanted)), wanted, progress)
    reductions = tuple(one.plan.reduction for one in shared.losses)
    return survey.add_up(shared.each(survey.fold(wanted, reductions)), wanted, progress)


def _bins(shared: Shared, ride: int, count: int) -> groups.Bins:
    """The bins of a group column: its range is read first."""
    place = shared.ride[ride]
    low, high = np.inf, -np.inf
    for block in shared.read(only=(place,)):
        (values,) = block.load()
        good = values[np.isfinite(values)]
        if good.size:
            low, high = min(low, float(good.min())), max(high, float(good.max()))
    if not low < high:
        what = "one value only" if low == high else "no number"
        raise DataError(f"{shared.fields[place].name}: {what}, so no bins", fix="use another column")
    return groups.Bins(low, high, count)


def _of_loss(
    unit: str,
    ready: Prepared,
    pieces: survey.Pieces[Any],
    wanted: survey.Wanted,
    confidence: Confidence | None,
    data: str | None,
) -> list[Result]:
    """The results of one loss: of all rows, the mean of the groups, each group."""
    plan = ready.plan
    if not pieces[None].n:
        raise DataError(f"{plan.spec.loss.name}: no rows to average", fix="check --ignore-index and the weights")
    unit = "clusters" if wanted.cluster is not None else unit
    spreads = {}
    if confidence and wanted.draws:
        spreads = {name: survey.spread(plan, piece, wanted.draws, confidence.method) for name, piece in pieces.items()}

    def of(name: str | None, **more: Any) -> Result:
        piece = pieces[name]
        result = calculator.result(ready, data, survey.value_of(plan, piece), piece.n, piece.facts, **more)
        if confidence is None:
            return result
        found = survey.interval_of(plan, piece.n, spreads[name], confidence.level, confidence.method)
        return replace(result, ci=_interval(confidence, unit, found))

    if wanted.group is None:
        return [of(None)]
    names = groups.ordered([name for name in pieces if name is not None], wanted.bins)
    each = [of(name, group=name) for name in names]
    made = [of(None, average="micro")]
    if plan.reduction != "sum":
        macro = sum(result.value for result in each) / len(each)
        average = replace(made[0], value=macro, average="macro", n=len(each), warnings=(), notes=())
        if confidence:
            of_groups = [spreads[name] for name in names]
            found = survey.macro_interval(plan, of_groups, confidence.level, confidence.method)
            average = replace(average, ci=_interval(confidence, unit, found))
        made.append(average)
    return made + each


def _interval(confidence: Confidence, unit: str, found: tuple[float, float, float, int]) -> Interval:
    low, high, error, units = found
    level, method, resamples, seed = confidence
    return Interval(level, method, low, high, error, resamples, seed, unit, units)


def kept(shared: Shared, keep: hardest.Kept, *, data_hash: bool = False) -> list[Result]:
    """The mean (or sum) of each loss over its hardest rows."""
    made = []
    for position, ready in enumerate(shared.losses):
        if ready.plan.reduction not in ("mean", "sum"):
            raise UsageError(f"--keep with -r {ready.plan.reduction}", fix="use -r mean or -r sum")
        part = hardest.mean_of_hardest(shared.each, position, keep)
        if not part.n:
            raise DataError("no rows to average", fix="check the file, --ignore-index, --na skip and the weights")
        data = digest(ready.fields) if data_hash else None
        result = calculator.result(shared.computed[position], data, by_row.finish(ready.plan, part), part.n, part.facts)
        signature = result.signature.replace("|red:", f"|keep:{keep.text}|red:", 1)
        note = f"the {part.n} hardest {shared.unit}"
        made.append(replace(result, signature=signature, keep=keep.text, notes=(*result.notes, note)))
    return made


def top(shared: Shared, count: int) -> hardest.Hardest:
    """The rows with the highest loss (of the first loss), hardest first."""
    found = hardest.top_of(shared.each(lambda scored: hardest.top(scored[0], count)), count)
    if found is None or not found.n:
        raise DataError("no rows", fix="check the file, --ignore-index, --na skip and the weights")
    return found


def check_confidence(level: float, method: str, resamples: int, seed: int) -> Confidence:
    """UsageError where one of them cannot be."""
    if not 0 < level < 1:
        raise UsageError(f"--ci cannot be {level:g}", fix="give a level between 0 and 1, such as 0.95")
    if method not in METHODS:
        raise UsageError(f"--ci-method cannot be {method!r}", fix=f"use {' or '.join(METHODS)}")
    if resamples < 2 or seed < 0:
        raise UsageError("--resamples is 2 or more, --seed 0 or more", fix="leave them out: 1000 and 0")
    return Confidence(level, "bca" if method == "bca" else "percentile", resamples, seed)


def read_bins(text: str) -> tuple[str, int]:
    """ "bins:SRC:K" as (SRC, K). UsageError."""
    kind, _, rest = text.partition(":")
    source, _, count = rest.rpartition(":")
    if kind == "bins" and source and count.isascii() and count.isdigit() and 1 < int(count) <= 10_000:
        return source, int(count)
    raise UsageError(f"--by cannot be {text!r}", fix="write bins:SRC:K, such as bins:scores.csv::prob:10")
