"""One system against others: the library under `lossctl compare`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from urllib.parse import quote

from ..errors import DataError, UsageError
from ..files.binding import Desk
from ..language.registry import Loss
from ..language.roles import LISTS, WEIGHT
from ..resampling import contrast, jackknife, paired, survey
from ..resampling.draws import Draws
from ..resampling.paired import Ask, Pairs
from ..results.comparisons import Comparison
from ..rows import groups
from ..rows.by_row import Scored
from ..rows.shapes import Plan
from ..rows.workers import keep_freed_memory
from . import compute, numbers, verdicts
from .align import Order, ids_of
from .bound import are_lists, as_array, column_of, rider
from .numbers import Confidence
from .question_of_systems import ComparisonQuestion
from .reading import Request, Side
from .shared import Progress, Shared

SHARED_BY_ALL = ("target", "weight", "group", "cluster", "seed_of")  # a bare name is a column of the base


Pieces = dict[str | None, Pairs]  # group -> its pairs; None -> those of all rows


def compare(asked: ComparisonQuestion, *, data_hash: bool = False, progress: Progress = None) -> list[Comparison]:
    """Each other system against the base, for each loss: losses in order, systems in order within them.

    Raises UsageError, DataError (unusable values, unequal ids), FileError.
    """
    with prepared(asked) as shared:
        _refuse_space(shared, asked)
        ask = Ask(
            Draws(asked.confidence.seed, 1 if shared.engine.has_space else asked.confidence.resamples),
            asked.test if asked.seed_of is None else paired.SEEDS,
            shared.sides[0].get("cluster"),
            shared.sides[0].get("seed"),
            asked.margin,
            "wilcoxon" in asked.beside,
        )
        comparisons = []
        for place, pieces in enumerate(_pieces(shared, asked, ask, progress)):
            start = place * (1 + len(asked.others))
            for group, differences in _differences(shared, start, pieces, ask, asked.confidence).items():
                comparisons += _of_group(shared, asked, start, group, pieces[group], differences, data_hash)
    comparisons = verdicts.settled(comparisons, asked.confidence.level, asked.margin, asked.holm)
    comparisons = [_held(system, asked.fails_if) for system in comparisons]
    if asked.align is None:
        return comparisons
    mark = f"|align:{asked.align}|red:"
    return [replace(system, signature=system.signature.replace("|red:", mark, 1)) for system in comparisons]


def _held(system: Comparison, fails_if: str) -> Comparison:
    """The comparison, failed where the system is "worse", "harm" is not excluded, or neither can be told."""
    verdict, harm = system.verdict, system.harm
    what = ""
    if fails_if and verdict == "unknown":
        what = f"not comparable with {system.base}"
    elif fails_if == "worse" and verdict == "worse":
        what = f"worse than {system.base}"
    elif fails_if == "harm" and harm is not None and harm.verdict in ("not shown", "unknown"):
        what = f"not shown to be within {harm.text} of {system.base}"
    if not what:
        return system
    of = "" if system.group is None else f" in group {system.group}"
    return replace(system, failure=f"{system.loss}: {system.other} is {what}{of}")


@contextmanager
def prepared(asked: ComparisonQuestion) -> Iterator[Shared]:
    """Every loss of every system over one reading: the systems of the first loss, then those of the next."""
    asked = asked._replace(**{name: column_of(as_array(getattr(asked, name)), asked.base) for name in SHARED_BY_ALL})
    asked = asked if asked.align is None else _aligned(asked)
    requests, side = [], Side(group=asked.group, cluster=asked.cluster, seed=asked.seed_of)
    for spec, forms in zip(asked.specs, asked.forms, strict=True):
        truth = spec.loss.truth
        if truth is None or len(spec.loss.roles) < 2 or not spec.loss.engine.has_values:
            raise UsageError(
                f"{spec.loss.name} does not compare predictions with a truth, row by row", fix="choose another loss"
            )
        named = {truth.name: asked.target}
        if spec.loss.engine.has_lists:
            side = side._replace(group=None)
            if asked.group is not None:
                named[LISTS.name] = asked.group
            elif not are_lists(asked.base, spec.loss.roles[0], asked.reading):
                raise UsageError(f"{spec.loss.name} needs the lists", fix="add --group SRC")
        requests += [
            Request(spec, forms, [source], named, asked.reduction or _reduction(spec.loss), asked.weight, side)
            for source in (asked.base, *asked.others)
        ]
    with compute.prepared(requests, reading=asked.reading, jobs=asked.jobs, paired=True) as shared:
        yield shared


def _reduction(loss: Loss) -> str:
    """The mean, where a loss has one: the others are over what counts for each system alone."""
    return "mean" if "mean" in loss.reductions else loss.reductions[0]


def _refuse_space(shared: Shared, asked: ComparisonQuestion) -> None:
    """UsageError for what sets of embeddings have no answer to."""
    if not shared.engine.has_space:
        return
    if asked.test == paired.BOOTSTRAP:
        raise UsageError(
            "--test bootstrap of embedding sets",
            why="points cannot be drawn twice: a copy of a point has distance 0 to it",
            fix="leave it out: points are left out in turn",
        )
    if "wilcoxon" in asked.beside:
        raise UsageError(
            "--beside wilcoxon of embedding sets",
            why="its ranks are of independent differences, and anchors share all points",
            fix="leave it out: points are left out in turn",
        )


def _pieces(shared: Shared, asked: ComparisonQuestion, ask: Ask, progress: Progress) -> list[Pieces]:
    """What all rows, and each group of them, say of the systems, for each loss. DataError where that is nothing."""
    per_loss, group = 1 + len(asked.others), shared.sides[0].get("group") if asked.group is not None else None
    plans = [loss.plan for loss in shared.losses]
    starts = range(0, len(plans), per_loss)
    group = None if shared.engine.has_lists and shared.losses[0].grouping is None else group

    of_block = partial(_of_block, tuple(plan.apart for plan in plans[::per_loss]), ask, group)

    def merge(held: list[Pieces], more: list[Pieces]) -> list[Pieces]:
        for pieces, others in zip(held, more, strict=True):
            for name, pairs in others.items():
                pieces[name] = pieces[name].merge(pairs) if name in pieces else pairs
        bytes_of_all = sum(pairs.bytes for pieces in held for pairs in pieces.values())
        _refuse_too_many(max(map(len, held)) - 1, bytes_of_all)
        if progress:
            progress((held or more)[0][None].parts[0].n)
        return held or more

    keep_freed_memory()
    nothing: list[Pieces] = [{} for _ in starts]
    of_losses = reduce(merge, shared.score(of_block, progress), nothing)
    if not all(pieces and pieces[None].parts[0].n for pieces in of_losses):
        raise DataError("no rows to compare", fix="check the files, --na skip and the weights")
    pairs = of_losses[0][None]
    if pairs.seeds is not None and len(pairs.seeds) == 1:
        raise DataError("one seed only: nothing to tell how seeds vary", fix="give more, or leave --seed-of out")
    if len(pairs.clusters or ()) == 1 or (ask.cluster is None and pairs.units == 1):
        raise DataError("one row (or list, or cluster) only: nothing to tell chance from", fix="give more")
    return [
        {name: paired.settle(plans[start], pairs, ask) for name, pairs in pieces.items()}
        for start, pieces in zip(starts, of_losses, strict=True)
    ]


def _of_block(plans: Sequence[Plan], ask: Ask, group: int | None, scored: tuple[Scored, ...]) -> list[Pieces]:
    """The systems of one block beside the base, for each loss: all rows, and each group of them. plans: one a loss"""
    per_loss = len(scored) // len(plans)
    return [_of_loss(plan, scored[at * per_loss : (at + 1) * per_loss], ask, group) for at, plan in enumerate(plans)]


def _of_loss(plan: Plan, scored: tuple[Scored, ...], ask: Ask, group: int | None) -> Pieces:
    pieces: Pieces = {None: paired.pairs(plan, scored, ask)}
    held = pieces[None].bytes
    for name, rows in groups.slices(scored[0].side[group], None) if group is not None else ():
        pieces[name] = paired.pairs(plan, [system.only(rows) for system in scored], ask)
        held += pieces[name].bytes
        _refuse_too_many(len(pieces) - 1, held)
    return pieces


def _refuse_too_many(count: int, held: int) -> None:
    """UsageError where all groups together need more than a GiB. count: of groups;  held: bytes"""
    if held > survey.LARGEST_BYTES:
        raise UsageError(
            f"{count} groups or more to compare" if count else "so many systems, losses and resamples",
            why="their sign patterns need more than a GiB",
            fix="ask for fewer --resamples, for coarser groups, or for fewer systems at once",
        )


def _differences(
    shared: Shared, start: int, pieces: Pieces, ask: Ask, confidence: Confidence
) -> dict[str | None, list[contrast.Difference]]:
    """The differences of all rows, then of each group of them, from the base at a place."""
    names = [None, *groups.ordered([name for name in pieces if name is not None], None)]
    if shared.engine.has_space:
        return _left_out(shared, start, {name: pieces[name] for name in names}, ask, confidence)
    plan = shared.losses[start].plan
    return {
        name: [
            contrast.difference(plan, pieces[name], at, confidence.level, ask, confidence.method)
            for at in range(len(pieces[name].parts) - 1)
        ]
        for name in names
    }


def _of_group(
    shared: Shared,
    asked: ComparisonQuestion,
    start: int,
    group: str | None,
    pairs: Pairs,
    differences: Sequence[contrast.Difference],
    data_hash: bool,
) -> list[Comparison]:
    """The comparisons by one loss of all rows, or of a group of them; Holm's correction is still to come."""
    unit = "points" if shared.engine.has_space else shared.engine.unit
    unit = "seeds" if asked.seed_of is not None else "clusters" if asked.cluster is not None else unit
    comparisons = []
    for at, difference in enumerate(differences):
        other, part = shared.computed[start + 1 + at], pairs.parts[at + 1]
        fingerprint = shared.digest(start + 1 + at) if data_hash else None
        result = numbers.result(other, fingerprint, difference.other, part.n, part.facts)
        comparisons.append(
            verdicts.comparison(
                numbers.signed(result, quote(group)) if group is not None else result,
                (asked.names[0], asked.names[at + 1]),
                other.plan.spec.loss,
                difference,
                [None if counts is None else int(counts[at]) for counts in (pairs.better, pairs.equal, pairs.worse)],
                group=group,
                unit=unit,
                confidence=asked.confidence,
                beside=verdicts.beside(difference, pairs, at, asked.confidence.level, asked.beside),
            )
        )
    return comparisons


def _left_out(
    shared: Shared, start: int, pieces: Pieces, ask: Ask, confidence: Confidence
) -> dict[str | None, list[contrast.Difference]]:
    """The differences of systems that are sets of embeddings, by leaving the same points out of all of them."""
    aspects = survey.Aspects(group=shared.sides[start].get("group"), cluster=ask.cluster)
    systems = [
        compute.left_out(
            shared, start + at, {name: survey.Slice(pairs.parts[at]) for name, pairs in pieces.items()}, aspects,
            confidence,
        )
        for at in range(len(pieces[None].parts))
    ]  # fmt: skip
    return {
        name: [_without(systems[0][name], system[name], ask, confidence) for system in systems[1:]] for name in pieces
    }


def _without(
    base: jackknife.Jackknife, system: jackknife.Jackknife, ask: Ask, confidence: Confidence
) -> contrast.Difference:
    """The difference of two sets that lack the same points in turn."""
    gap = jackknife.difference(base, system)
    low, high = gap.interval(confidence.level)
    blocks = len(gap.left_out)
    difference = contrast.Difference(
        base.value, system.value, system.value - base.value, "jackknife", low, high, gap.standard_error, gap.p,
        "jackknife", blocks, gap.units, blocks - 1.0,
    )  # fmt: skip
    if ask.margin is None:
        return difference
    margin = contrast.size_of(ask.margin, base.value)
    if not margin > 0:
        return difference._replace(margin=margin)
    below, above = (
        jackknife.difference(base, system, 1 + side.sign * side.share, side.sign * side.amount)
        for side in contrast.sides_of(ask.margin, base.value)
    )
    return difference._replace(margin=margin, beyond=(below.p_beyond, above.negative.p_beyond))


def _aligned(asked: ComparisonQuestion) -> ComparisonQuestion:
    """The same systems with every source in the order of the base's identifiers. DataError for unequal ids."""
    with Desk(asked.reading.dialect) as desk:
        column = asked.align or ""
        order = Order(desk, column, ids_of(desk, asked.base, column), asked.names[0])
        loss = asked.specs[0].loss
        truth = loss.truth
        assert truth is not None
        moved = asked._replace(
            base=order.rows_of(asked.base, loss.roles[0]),
            others=tuple(order.rows_of(source, loss.roles[0]) for source in asked.others),
            target=order.rows_of(asked.target, truth),
            weight=order.rows_of(asked.weight, WEIGHT),
            group=order.rows_of(asked.group, LISTS),
            cluster=order.rows_of(asked.cluster, rider("cluster")),
            seed_of=order.rows_of(asked.seed_of, rider("seed")),
            reading=replace(asked.reading, told=()),
        )
        desk.refuse_idle(asked.reading.told)
        return moved
