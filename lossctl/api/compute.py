"""The pipeline: one or several losses over one reading, with groups, intervals, the hardest rows, the losses of rows.

`prepared(...)` opens everything; what it yields answers each question. The library under `lossctl compute`, under
`lossctl compare` and under `lossctl run`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import numpy as np

from ..errors import DataError, UsageError
from ..files import room
from ..files.binding import Desk
from ..files.sources import Block, Field
from ..language.registry import Loss
from ..language.roles import Form
from ..resampling import survey
from ..results.values import Result
from ..rows import by_row
from ..rows.workers import forked
from . import numbers, prepare
from .bound import as_array, column_of, home_of, rider
from .numbers import Confidence
from .prepare import Prepared
from .reading import Given, Reading, Request, Side
from .shared import Progress, Shared

if TYPE_CHECKING:
    from ..resampling.jackknife import Jackknife
    from ..rows.groups import Bins
    from ..rows.hardest import Hardest, Kept
    from .parts import Executor

FORK_ROWS = 1 << 22  # from here on a second process pays for its start
CHECKS = "check what leaves rows out: missing values, labels that are ignored, weights of 0"
Jobs: TypeAlias = "int | str | Executor | None"  # how many threads (all cores: None), or who runs the parts


@contextmanager
def prepared(
    requests: Sequence[Request],
    *,
    reading: Reading | None = None,
    jobs: Jobs = None,
    paired: bool = False,
) -> Iterator[Shared]:
    """Open the inputs of several losses together; each file is opened once, each column is read once.

    requests: the first has inputs; one without takes those of the first, in the same order
    jobs: how many threads, or an executor that reads and scores the rows in parts
    paired: a row that misses a value for one loss is left out of all
    """
    threads = jobs if isinstance(jobs, int) else None
    if not (jobs is None or isinstance(jobs, str) or hasattr(jobs, "submit") or (threads and threads > 0)):
        raise UsageError(f"jobs cannot be {jobs!r}", fix="give a whole number from 1")
    reading = reading or Reading()
    _refuse_mixed(requests)
    desk = Desk(reading.dialect)
    with desk:
        if reading.memory is not None:
            desk.stack.enter_context(room.allowed(reading.memory))
        losses: list[Prepared] = []
        sides: list[dict[str, tuple[Field, str]]] = []
        for request in requests:
            first = _first_source(request) or _first_source(requests[0])
            own = request._replace(weight=column_of(as_array(request.weight), first))
            like = None if request.inputs or request.named or not losses else losses[0].bound
            losses.append(prepare.prepare(desk, own, reading, threads, like))
            paths = [field.frame.path for field in losses[-1].fields if isinstance(field.frame.path, str)]
            riders = _side_fields(desk, request.side, [first, *paths], losses[-1].places)
            if (grouping := losses[-1].grouping) is not None:
                riders["group"] = (grouping, "category")
            sides.append({name: (losses[-1].beside(field), kind) for name, (field, kind) in riders.items()})
        desk.refuse_idle(reading.told)
        shared = _joined(losses, sides, tuple(request.side.bins for request in requests), paired)
        if jobs is None or threads:
            yield shared
            return
        from .executors import working
        from .parts import Parts, recipe_of

        recipe = recipe_of(requests, shared, reading, paired)
        with working(jobs) as executor:
            assert executor is not None and not isinstance(executor, int)
            yield replace(shared, parts=Parts(executor, recipe))


def _refuse_mixed(requests: Sequence[Request]) -> None:
    first = requests[0].spec.loss
    for request in requests[1:]:
        loss = request.spec.loss
        if loss.engine != first.engine:
            raise UsageError(
                f"{first.name} goes by {first.engine.kind}, {loss.name} by {loss.engine.kind}",
                why="losses of one reading go by the same",
                fix=f"compute {loss.name} in a call of its own",
            )


def forms_of(loss: Loss, from_logits: bool = False, from_probs: bool = False) -> dict[str, Form]:
    """The form of each input of a loss, where all predictions are logits, or all are probabilities."""
    forms: dict[str, Form] = {}
    for role in loss.roles:
        for form, is_asked in (("logits", from_logits), ("prob", from_probs)):
            if is_asked and form in role.forms:
                forms[role.name] = form
    return forms


def _first_source(request: Request) -> str | None:
    """The source whose columns bare names are; None where the inputs are arrays."""
    return home_of([*(request.inputs or ()), *(request.named or {}).values()])


def _side_fields(desk: Desk, side: Side, homes: Sequence[str | None], places: int) -> dict[str, tuple[Field, str]]:
    """The columns that ride along. homes: the files that a bare name may be a column of; the first has it else

    places: how many rows of the loss a row of the files has; a column of so many is one for each
    """
    columns: dict[str, tuple[Field, str]] = {}
    for name in ("id", "group", "cluster", "seed", "coarse"):
        source = getattr(side, name)
        if source is not None:
            role = rider(name, is_number=name == "group" and bool(side.bins))
            field = desk.field(_at_home(desk, as_array(source), homes), role)
            if field.width not in (1, places):
                raise DataError(f"{field.name}: {field.width} columns as {name}", fix="choose one: PATH::COLUMN")
            columns[name] = (field, role.kind)
    return columns


def _at_home(desk: Desk, source: Given, homes: Sequence[str | None]) -> Given:
    """A source; a bare name that is no file as a column of the first file that has one of that name."""
    first, *others = (column_of(source, home) for home in homes)
    if first is not source:
        for place in (first, *others):
            frame, _ = desk.frame(place, "input")
            if source in frame.names:
                return place
    return first


def _joined(
    losses: list[Prepared], sides: list[dict[str, tuple[Field, str]]], bins: tuple[int | None, ...], paired: bool
) -> Shared:
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

    picked = [loss.job._replace(picks=tuple(map(place, loss.fields, loss.kinds))) for loss in losses]
    ride: list[int] = []
    beside, jobs = [], []
    for task, named in zip(picked, sides, strict=True):
        at = {name: place(field, kind) for name, (field, kind) in named.items()}
        if task.plan.spec.loss.engine.has_lists and "group" not in at:
            at["list"] = task.picks[2]
        ride += [column for column in at.values() if column not in ride]
        beside.append({name: ride.index(column) for name, column in at.items()})
        jobs.append(task._replace(complete=(*task.picks, *at.values())))
    if paired:
        jobs = [task._replace(complete=tuple(range(len(fields)))) for task in jobs]
    return Shared(tuple(losses), tuple(fields), tuple(kinds), tuple(jobs), tuple(ride), tuple(beside), bins)


# --- questions


def row_losses(shared: Shared) -> Iterator[by_row.Rows]:
    """The loss of every row (list, anchor), block by block; totals carry the row weights."""
    return shared.score_rows(_first_rows)


def _first_rows(scored: tuple[by_row.Scored, ...]) -> by_row.Rows:
    return scored[0].rows


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
    return list(chain.from_iterable(results_of_each(shared, confidence, data_hash, progress)))


def results_of_each(
    shared: Shared,
    confidence: Confidence | Sequence[Confidence | None] | None = None,
    data_hash: bool = False,
    progress: Progress = None,
) -> list[list[Result]]:
    """The same, loss by loss."""
    one_for_all = confidence is None or isinstance(confidence, Confidence)
    confidences: list[Any] = [confidence] * len(shared.losses) if one_for_all else list(confidence or ())
    aspects = tuple(
        survey.Aspects(
            group=side.get("group"),
            bins=_bins(shared, side["group"], count) if count else None,
            cluster=side.get("cluster"),
            draws=asked.draws if asked and not shared.engine.reads_whole else None,
            most=shared.scorer.most_of_bca if asked and asked.method == "bca" else None,
        )
        for side, count, asked in zip(shared.sides, shared.bins, confidences, strict=True)
    )
    pieces = _pieces(shared, aspects, progress)
    _refuse_nothing(shared, pieces)
    counts = [answer.counts for answer in shared.answers] or [()] * len(shared.losses)
    return [
        _of_loss(shared, at, pieces[at], aspects[at], confidences[at], data_hash, counts[at])
        for at in range(len(shared.losses))
    ]


def _pieces(shared: Shared, aspects: tuple[survey.Aspects, ...], progress: Progress) -> tuple[survey.Pieces, ...]:
    """Of each loss, what is known of all rows and of each group."""
    fold = partial(survey.of_block, aspects, shared.scorer.piece)
    forks = shared.engine.is_by_row and not any(asked.draws for asked in aspects)
    many = all(field.frame.lazy and (field.frame.rows or 0) >= FORK_ROWS for field in shared.fields)
    if forks and many and shared.threads > 1 and not shared.parts:
        pieces = _forked(shared, fold, aspects, progress)
        if pieces is not None:
            return pieces
    return survey.add_up(shared.score(fold, progress), aspects, progress)


def _forked(
    shared: Shared, fold: Callable[..., Any], aspects: tuple[survey.Aspects, ...], progress: Progress
) -> tuple[survey.Pieces, ...] | None:
    """The pieces from several processes; None where one fails: then in order, so that a fault is the same every time.

    Threads would meet at the interpreter lock after each of the short operations of a block.
    """
    several = None if progress is None else lambda rows: progress(rows * shared.threads)

    def share(blocks: Iterable[Block]) -> tuple[survey.Pieces, ...]:
        scored = (fold(by_row.score_block(shared.jobs, shared.ride, block)) for block in blocks)
        return survey.add_up(scored, aspects, several)

    shares = forked(share, list(shared.read()), shared.threads)
    return None if shares is None else survey.add_up(filter(None, shares), aspects)


def _refuse_nothing(shared: Shared, pieces: tuple[survey.Pieces, ...]) -> None:
    """DataError where no row counts, or none leaves anything to divide by."""
    if not pieces:
        raise DataError(f"no {shared.engine.unit} to average", fix=CHECKS)
    for loss, of_loss in zip(shared.losses, pieces, strict=True):
        piece = of_loss[None]
        name = "" if len(shared.losses) == 1 else f"{loss.plan.spec.loss.name}: "
        if not piece.n and piece.facts.empty_lists:
            raise DataError(
                f"{name}no lists to average: none has anything to compare",
                why=f"{piece.facts.empty_lists} lists have one relevance only",
                fix="check the relevance column, the groups and --na skip",
            )
        if not piece.n:
            left_out = f": all {piece.facts.skipped} rows were left out" if piece.facts.skipped else ""
            raise DataError(f"{name}no {shared.engine.unit} to average{left_out}", fix=CHECKS)
        piece.refuse_nothing(loss.plan)


def _bins(shared: Shared, ride: int, count: int) -> Bins:
    """The bins of a group column: its range is read first."""
    from ..rows.groups import Bins

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
    return Bins(low, high, count)


def _of_loss(
    shared: Shared,
    at: int,
    pieces: survey.Pieces,
    aspects: survey.Aspects,
    confidence: Confidence | None,
    data_hash: bool,
    counts: tuple[tuple[str, int], ...] = (),
) -> list[Result]:
    """The results of one loss: of all rows, the mean of the groups, each group. counts: of a set, what was averaged"""
    loss = shared.computed[at]
    plan, fingerprint = loss.plan, shared.digest(at) if data_hash else None
    unit = "clusters" if aspects.cluster is not None else shared.engine.unit
    spreads: dict[str | None, Any] = {}
    if confidence and aspects.draws:
        spreads = {name: piece.spread(plan, aspects.draws, confidence.method) for name, piece in pieces.items()}
    elif confidence:
        unit = "clusters" if aspects.cluster is not None else numbers.left_out_unit(shared.engine)
        spreads = left_out(shared, at, pieces, aspects, confidence)

    def of(name: str | None, **more: Any) -> Result:
        piece = pieces[name]
        interval = numbers.interval_of(confidence, unit, spreads[name]) if confidence else None
        result = numbers.result(loss, fingerprint, piece.value(plan), piece.n, piece.facts, ci=interval, **more)
        return numbers.remarked(result, numbers.remark_of(result, spreads[name].remark)) if confidence else result

    if aspects.group is None:
        return [numbers.counted(of(None), counts)]
    from ..rows import groups

    names = groups.ordered([name for name in pieces if name is not None], aspects.bins)
    of_groups = [numbers.signed(of(name, group=name), quote(name)) for name in names]
    results = [numbers.counted(of(None, average="micro"), counts)]
    if not plan.is_sum:
        macro = sum(result.value for result in of_groups) / len(of_groups)
        lost = [str(result.group) for result in of_groups if not math.isfinite(result.value)]
        warnings = (
            (f"the mean of groups is {macro!r}, as groups are not finite: {numbers.some_of(lost)}",) if lost else ()
        )
        average = replace(
            results[0], value=macro, average="macro", n=len(of_groups), counts=(), ci=None, warnings=warnings, notes=()
        )
        average = numbers.signed(average, "mean-of-groups")
        if confidence:
            of_names = [spreads[name] for name in names]
            spread = _spread_of_mean(shared, of_names, names)
            average = numbers.remarked(
                replace(average, ci=numbers.interval_of(confidence, unit, spread)), spread.remark
            )
        results.append(average)
    return results + of_groups


def _spread_of_mean(shared: Shared, spreads: list[Any], names: list[str]) -> Any:
    """How the mean of the groups varies."""
    from ..resampling import jackknife, macro

    return jackknife.mean(spreads) if shared.engine.reads_whole else macro.spread_of_mean(spreads, names)


def left_out(
    shared: Shared, at: int, pieces: survey.Pieces, aspects: survey.Aspects, confidence: Confidence
) -> dict[str | None, Jackknife]:
    """What the value of all rows, and of each group of them, is without each block of rows (or of clusters)."""
    from ..resampling import jackknife
    from ..rows import at_once, groups

    units = 0

    def masks(riders: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        nonlocal units
        clusters = None if aspects.cluster is None else riders[aspects.cluster]
        units = (
            len(riders[0]) - pieces[None].facts.skipped
            if clusters is None
            else len(np.unique(groups.as_text(clusters)))
        )
        return list(jackknife.blocks_of(confidence.draws, len(riders[0]), clusters))

    plan = shared.losses[at].plan
    fold = partial(survey.of_block, (aspects,), shared.scorer.piece)
    scored = at_once.without(
        shared.scorer.blocks, shared.jobs[at], shared.ride, shared.read, shared.place, shared.threads, masks
    )
    rests: list[survey.Pieces] = [{} if rest is None else fold((rest,))[0] for rest in scored]
    values = {name: np.array([rest[name].value(plan) if name in rest else np.nan for rest in rests]) for name in pieces}
    fewest = jackknife.FEW_POINTS if aspects.cluster is None else jackknife.FEW_CLUSTERS
    return {name: jackknife.Jackknife(piece.value(plan), values[name], units, fewest) for name, piece in pieces.items()}


def kept(shared: Shared, keep: Kept, *, data_hash: bool = False) -> list[Result]:
    """The mean (or sum) of each loss over its hardest rows, or over the hardest of each group."""
    from ..rows import hardest

    results = []
    for position, loss in enumerate(shared.losses):
        if loss.plan.reduction not in ("mean", "sum"):
            raise UsageError(f"--keep with -r {loss.plan.reduction}", fix="use -r mean or -r sum")
        side, bins = shared.sides[position], shared.bins[position]
        aspects = survey.Aspects(side.get("group"), _bins(shared, side["group"], bins) if bins else None)
        parts: dict[str | None, by_row.Part]
        if aspects.group is None:
            parts = {None: hardest.mean_of_hardest(shared.score_rows, position, keep)}
        else:
            parts = hardest.of_groups(shared.score_rows, position, aspects.group, aspects.bins, keep)
        if not parts[None].n:
            raise DataError(f"no {shared.engine.unit} to average", fix=CHECKS)
        by_row.refuse_nothing(loss.plan, parts[None])
        pieces: survey.Pieces = {name: survey.Slice(part) for name, part in parts.items()}
        few = [name for name, part in parts.items() if name is not None and part.n < (keep.number or 0)]
        of = _of_loss(shared, position, pieces, aspects, None, data_hash)
        if few:
            text = f"{len(few)} groups have fewer than {keep.text} {shared.engine.unit} and count whole"
            text = f"{text}: {numbers.some_of(few)}"
            of[0] = replace(of[0], warnings=(*of[0].warnings, f"{loss.plan.spec.loss.name}: {text}"))
        results += [numbers.marked(result, keep, shared.engine.unit) for result in of]
    return results


def top(shared: Shared, count: int) -> Hardest:
    """The rows with the highest loss (of the first loss), hardest first."""
    from ..rows import hardest

    rows = hardest.top_of(shared.score_rows(partial(hardest.top, count)), count)
    if rows is None or not rows.n:
        raise DataError(f"no {shared.engine.unit}", fix=CHECKS)
    return rows


def read_bins(text: str) -> tuple[str, int]:
    """ "bins:SRC:K" as (SRC, K). UsageError."""
    kind, _, rest = text.partition(":")
    source, _, count = rest.rpartition(":")
    if kind == "bins" and source and count.isascii() and count.isdigit() and 1 < int(count) <= 10_000:
        return source, int(count)
    raise UsageError(f"--by cannot be {text!r}", fix="write bins:SRC:K, such as bins:scores.csv::prob:10")
