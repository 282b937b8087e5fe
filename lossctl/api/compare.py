"""One system against others: the library under `lossctl compare`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from typing import NamedTuple
from urllib.parse import quote

from ..errors import DataError, UsageError
from ..files.dialect import refuse_idle
from ..files.sources import parse_source
from ..language.registry import Loss, Spec
from ..language.roles import LISTS, WEIGHT, Form
from ..resampling import contrast, jackknife, paired, survey
from ..resampling.draws import Draws
from ..resampling.paired import Ask, Pairs
from ..results.comparisons import Comparison
from ..rows import groups
from ..rows.by_row import Scored
from ..rows.shapes import Plan
from ..rows.workers import keep_freed_memory
from . import compute, numbers, prepare, verdicts
from .align import Order, ids_of
from .bound import as_array, column_of, rider
from .compute import Jobs, Request, Side
from .numbers import Confidence
from .reading import Given, Reading
from .shared import Shared

SHARED_BY_ALL = ("target", "weight", "group", "cluster", "seed_of")  # a bare name is a column of the base


class Systems(NamedTuple):
    """What is compared on what.

    base, others: sources of predictions;  target: the truth;  group: of rows; the lists of ranking losses
    losses: a spec and the forms of its predictions each;  names: what the systems are called, the base first
    align: the column that names the rows, in every source;  seed_of: the seed or fold of each row
    """

    base: Given
    others: Sequence[Given]
    target: Given
    losses: Sequence[tuple[Spec, Mapping[str, Form]]]
    names: Sequence[str]
    reduction: str | None = None
    weight: Given | None = None
    group: Given | None = None
    cluster: Given | None = None
    align: str | None = None
    seed_of: Given | None = None


Pieces = dict[str | None, Pairs]  # group -> its pairs; None -> those of all rows


def compare(
    systems: Systems,
    *,
    confidence: Confidence | None = None,
    test: str = "sign-flip",
    margin: paired.Margin | None = None,
    beside: Sequence[str] = (),
    holm: str = "loss",
    reading: Reading | None = None,
    jobs: Jobs = None,
    data_hash: bool = False,
    progress: Callable[..., None] | None = None,
) -> list[Comparison]:
    """Each other system against the base, for each loss: losses in order, systems in order within them.

    margin: what is no harm;  beside: "effect", "detectable", "t", "wilcoxon";  holm: over "loss" or "all"

    Raises UsageError, DataError (unusable values, unequal ids), FileError.
    """
    confidence = confidence or Confidence(resamples=10_000)
    if test not in paired.TESTS:
        raise UsageError(f"--test cannot be {test!r}", fix=f"use {' or '.join(paired.TESTS)}")
    with prepared(systems, reading or Reading(), jobs) as shared:
        _refuse_space(shared, test, beside)
        ask = Ask(
            Draws(confidence.seed, 1 if shared.engine.has_space else confidence.resamples),
            test if systems.seed_of is None else paired.SEEDS,
            shared.sides[0].get("cluster"),
            shared.sides[0].get("seed"),
            margin,
            "wilcoxon" in beside,
        )
        comparisons = []
        for place, pieces in enumerate(_pieces(shared, systems, ask, progress)):
            start = place * (1 + len(systems.others))
            for group, differences in _differences(shared, start, pieces, ask, confidence).items():
                comparisons += _of_group(
                    shared, systems, start, group, pieces[group], differences, confidence, beside, data_hash
                )
    return verdicts.settled(comparisons, confidence.level, margin, holm)


@contextmanager
def prepared(systems: Systems, reading: Reading, jobs: Jobs) -> Iterator[Shared]:
    """Every loss of every system over one reading: the systems of the first loss, then those of the next."""
    systems = systems._replace(
        **{name: column_of(as_array(getattr(systems, name)), systems.base) for name in SHARED_BY_ALL}
    )
    if systems.align is not None:
        systems, reading = _aligned(systems, reading), replace(reading, told=())
    requests, side = [], Side(group=systems.group, cluster=systems.cluster, seed=systems.seed_of)
    for spec, forms in systems.losses:
        truth = spec.loss.truth
        if truth is None or len(spec.loss.roles) < 2 or not spec.loss.engine.has_values:
            raise UsageError(
                f"{spec.loss.name} does not compare predictions with a truth, row by row", fix="choose another loss"
            )
        named = {truth.name: systems.target}
        if spec.loss.engine.has_lists:
            if systems.group is None:
                raise UsageError(f"{spec.loss.name} needs the lists", fix="add --group SRC")
            named[LISTS.name] = systems.group
            side = side._replace(group=None)
        requests += [
            Request(spec, forms, [source], named, systems.reduction or _reduction(spec.loss))
            for source in (systems.base, *systems.others)
        ]
    with compute.prepared(
        requests, weight=systems.weight, reading=reading, side=side, jobs=jobs, paired=True
    ) as shared:
        yield shared


def _reduction(loss: Loss) -> str:
    """The mean, where a loss has one: the others are over what counts for each system alone."""
    return "mean" if "mean" in loss.reductions else loss.reductions[0]


def _refuse_space(shared: Shared, test: str, beside: Sequence[str]) -> None:
    """UsageError for what sets of embeddings have no answer to."""
    if not shared.engine.has_space:
        return
    if test == paired.BOOTSTRAP:
        raise UsageError(
            "--test bootstrap of embedding sets",
            why="points cannot be drawn twice: a copy of a point has distance 0 to it",
            fix="leave it out: points are left out in turn",
        )
    if "wilcoxon" in beside:
        raise UsageError(
            "--beside wilcoxon of embedding sets",
            why="its ranks are of independent differences, and anchors share all points",
            fix="leave it out: points are left out in turn",
        )


def _pieces(shared: Shared, systems: Systems, ask: Ask, progress: Callable[..., None] | None) -> list[Pieces]:
    """What all rows, and each group of them, say of the systems, for each loss. DataError where that is nothing."""
    per_loss, group = 1 + len(systems.others), shared.sides[0].get("group") if systems.group is not None else None
    plans = [loss.plan for loss in shared.losses]
    starts = range(0, len(plans), per_loss)
    group = None if shared.engine.has_lists else group

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
    systems: Systems,
    start: int,
    group: str | None,
    pairs: Pairs,
    differences: Sequence[contrast.Difference],
    confidence: Confidence,
    beside: Sequence[str],
    data_hash: bool,
) -> list[Comparison]:
    """The comparisons by one loss of all rows, or of a group of them; Holm's correction is still to come."""
    unit = "points" if shared.engine.has_space else shared.engine.unit
    unit = "seeds" if systems.seed_of is not None else "clusters" if systems.cluster is not None else unit
    comparisons = []
    for at, difference in enumerate(differences):
        other, part = shared.computed[start + 1 + at], pairs.parts[at + 1]
        fingerprint = shared.digest(start + 1 + at) if data_hash else None
        result = numbers.result(other, fingerprint, difference.other, part.n, part.facts)
        comparisons.append(
            verdicts.comparison(
                numbers.signed(result, quote(group)) if group is not None else result,
                (systems.names[0], systems.names[at + 1]),
                other.plan.spec.loss,
                difference,
                [None if counts is None else int(counts[at]) for counts in (pairs.better, pairs.equal, pairs.worse)],
                group=group,
                unit=unit,
                confidence=confidence,
                beside=verdicts.beside(difference, pairs, at, confidence.level, beside),
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


def _aligned(systems: Systems, reading: Reading) -> Systems:
    """The same systems with every source in the order of the base's identifiers. DataError for unequal ids."""
    desk = prepare.desk_for(reading)
    with desk:
        column = systems.align or ""
        order = Order(desk, column, ids_of(desk, systems.base, column), systems.names[0])
        loss = systems.losses[0][0].loss
        truth = loss.truth
        assert truth is not None
        moved = systems._replace(
            base=order.rows_of(systems.base, loss.roles[0]),
            others=[order.rows_of(source, loss.roles[0]) for source in systems.others],
            target=order.rows_of(systems.target, truth),
            weight=order.rows_of(systems.weight, WEIGHT),
            group=order.rows_of(systems.group, LISTS),
            cluster=order.rows_of(systems.cluster, rider("cluster")),
            seed_of=order.rows_of(systems.seed_of, rider("seed")),
        )
        refuse_idle(dict(reading.told), {frame.format for frame in desk.frames.values()})
        return moved


def names_of(sources: Sequence[str]) -> list[str]:
    """What systems are called: their sources without the folders that all of them share."""
    import os

    folders = [os.path.dirname(parse_source(text).path) for text in sources]
    try:
        common = os.path.commonpath(folders) if all(folders) else ""
    except ValueError:
        return list(sources)
    return [text[len(common) + 1 :] if common and text.startswith(common + "/") else text for text in sources]
