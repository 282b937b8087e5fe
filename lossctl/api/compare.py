"""One system against others: the library under `lossctl compare`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import NamedTuple

from ..errors import DataError, UsageError
from ..files.sources import digest, parse_source
from ..language.registry import Loss, Spec
from ..language.roles import LISTS, WEIGHT, Form
from ..resampling import flips, jackknife, paired, survey
from ..resampling.bootstrap import FEW
from ..resampling.draws import Draws
from ..results.values import Comparison, Interval
from ..rows.by_row import Scored
from ..rows.workers import keep_freed_memory
from . import compute, prepare
from .align import Order, ids_of
from .bound import as_array, column_of, rider
from .compute import Confidence, Request, Shared, Side
from .reading import Given, Reading

SHARED_BY_ALL = ("target", "weight", "group", "cluster")  # a bare name is a column of the base


class Systems(NamedTuple):
    """What is compared on what.

    base, others: sources of predictions;  target: the truth;  group: the lists of ranking losses
    losses: a spec and the forms of its predictions each;  names: what the systems are called, the base first
    align: the column that names the rows, in every source
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


def compare(
    systems: Systems,
    *,
    confidence: Confidence | None = None,
    test: str = "sign-flip",
    reading: Reading | None = None,
    jobs: int | None = None,
    data_hash: bool = False,
    progress: Callable[..., None] | None = None,
) -> list[Comparison]:
    """Each other system against the base, for each loss: losses in order, systems in order within them.

    Raises UsageError, DataError (unusable values, unequal ids), FileError.
    """
    confidence = confidence or Confidence(resamples=10_000)
    if test not in paired.TESTS:
        raise UsageError(f"--test cannot be {test!r}", fix=f"use {' or '.join(paired.TESTS)}")
    if not systems.others:
        raise UsageError("nothing to compare with", fix="lossctl compare BASE OTHER... --target SRC --loss SPEC")
    with prepared(systems, reading or Reading(), jobs) as shared:
        return _compared(shared, systems, confidence, test, data_hash, progress)


@contextmanager
def prepared(systems: Systems, reading: Reading, jobs: int | None) -> Iterator[Shared]:
    """Every loss of every system over one reading: the systems of the first loss, then those of the next."""
    systems = systems._replace(
        **{name: column_of(as_array(getattr(systems, name)), systems.base) for name in SHARED_BY_ALL}
    )
    if systems.align is not None:
        systems = _aligned(systems, reading)
    requests = []
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
        requests += [
            Request(spec, forms, [source], named, systems.reduction or _reduction(spec.loss))
            for source in (systems.base, *systems.others)
        ]
    with compute.prepared(
        requests, weight=systems.weight, reading=reading, side=Side(cluster=systems.cluster), jobs=jobs
    ) as shared:
        yield shared


def _reduction(loss: Loss) -> str:
    """The mean, where a loss has one: the others are over what counts for each system alone."""
    return "mean" if "mean" in loss.reductions else loss.reductions[0]


def _compared(
    shared: Shared,
    systems: Systems,
    confidence: Confidence,
    test: str,
    data_hash: bool,
    progress: Callable[..., None] | None,
) -> list[Comparison]:
    if shared.engine.has_space and test == paired.BOOTSTRAP:
        raise UsageError(
            "--test bootstrap of embedding sets",
            why="points cannot be drawn twice: a copy of a point has distance 0 to it",
            fix="leave it out: points are left out in turn",
        )
    asked, cluster, per_loss = (
        Draws(confidence.seed, 1 if shared.engine.has_space else confidence.resamples),
        shared.sides[0].get("cluster"),
        1 + len(systems.others),
    )
    plans = [loss.plan for loss in shared.losses]
    starts = range(0, len(plans), per_loss)

    def of_block(scored: tuple[Scored, ...]) -> list[paired.Pairs]:
        return [paired.pairs(plans[start], scored[start : start + per_loss], asked, cluster, test) for start in starts]

    def merge(held: list[paired.Pairs], more: list[paired.Pairs]) -> list[paired.Pairs]:
        merged = [a.merge(b) for a, b in zip(held, more, strict=True)] if held else more
        if progress:
            progress(merged[0].parts[0].n)
        return merged

    keep_freed_memory()
    nothing: list[paired.Pairs] = []
    pairs_by_loss = reduce(merge, shared.score(of_block, progress), nothing)
    if not pairs_by_loss or not all(pairs.parts[0].n for pairs in pairs_by_loss):
        raise DataError("no rows to compare", fix="check the files, --na skip and the weights")
    if len(pairs_by_loss[0].clusters or ()) == 1 or (cluster is None and pairs_by_loss[0].units == 1):
        raise DataError("one row (or list, or cluster) only: nothing to tell chance from", fix="give more")
    comparisons: list[Comparison] = []
    for start, pairs in zip(starts, pairs_by_loss, strict=True):
        settled = paired.settle(plans[start], pairs, asked, test)
        comparisons += _of_loss(shared, systems, start, settled, confidence, test, data_hash)
    return comparisons


def _of_loss(
    shared: Shared,
    systems: Systems,
    start: int,
    pairs: paired.Pairs,
    confidence: Confidence,
    test: str,
    data_hash: bool,
) -> list[Comparison]:
    loss = shared.losses[start]
    others = range(len(systems.others))
    level, method = confidence.level, confidence.method
    if shared.engine.has_space:
        differences = _left_out(shared, start, pairs, confidence)
    else:
        differences = [paired.difference(loss.plan, pairs, at, level, test, method) for at in others]
    adjusted = paired.holm([difference.p for difference in differences])
    plain = "points" if shared.engine.has_space else shared.engine.unit
    unit = "clusters" if systems.cluster is not None else plain
    comparisons = []
    for at, difference in enumerate(differences):
        other = shared.computed[start + 1 + at]
        interval = Interval(
            level, difference.method, difference.low, difference.high, difference.standard_error,
            difference.draws, confidence.seed, unit, difference.units,
        )  # fmt: skip
        part = pairs.parts[at + 1]
        result = prepare.result(
            other, digest(other.fields) if data_hash else None, difference.other, part.n, part.facts
        )
        better, equal, worse = (
            None if counts is None else int(counts[at]) for counts in (pairs.better, pairs.equal, pairs.worse)
        )
        comparisons.append(
            Comparison(
                loss=result.loss,
                params=result.params,
                reduction=result.reduction,
                base=systems.names[0],
                other=systems.names[at + 1],
                base_value=difference.base,
                other_value=difference.other,
                difference=difference.value,
                ci=interval,
                test=difference.test,
                p=difference.p,
                p_adjusted=adjusted[at],
                better=better,
                equal=equal,
                worse=worse,
                n=result.n,
                verdict=_verdict(loss.plan.spec.loss, difference.value, adjusted[at], flips.alpha_of(level)),
                signature=result.signature,
                notes=result.notes,
                warnings=(*result.warnings, *_cannot_tell(difference, level)),
            )
        )
    return comparisons


def _left_out(shared: Shared, start: int, pairs: paired.Pairs, confidence: Confidence) -> list[paired.Difference]:
    """The differences of systems that are sets of embeddings, by leaving the same points out of all of them."""
    aspects = survey.Aspects(cluster=shared.sides[start].get("cluster"))
    systems = [
        compute.left_out(shared, start + at, {None: survey.Slice(part)}, aspects, confidence)[None]
        for at, part in enumerate(pairs.parts)
    ]
    differences = []
    for system in systems[1:]:
        gap = jackknife.difference(systems[0], system)
        low, high = gap.interval(confidence.level)
        value = system.value - systems[0].value
        differences.append(
            paired.Difference(
                systems[0].value, system.value, value, "jackknife", low, high, gap.standard_error, gap.p, "jackknife",
                len(gap.left_out), gap.units,
            )
        )  # fmt: skip
    return differences


def _cannot_tell(difference: paired.Difference, level: float) -> list[str]:
    """What to say where no difference at all could be shown, or where little shows it."""
    if math.isnan(difference.low) and math.isfinite(difference.value):
        return ["no interval of the difference: resamples are not finite, or their sums cancel beyond float64"]
    if difference.test == paired.BOOTSTRAP and difference.units < FEW:
        return [f"resamples of {difference.units} units tell little: use --test sign-flip, which is exact for few"]
    if not (math.isinf(difference.low) or math.isinf(difference.high)):
        return []
    smallest = max(2.0 ** (1 - difference.units), 1 / (difference.draws + 1))
    return [f"{difference.units} units cannot show a difference at {level:g}: no p is below {smallest:.3g}"]


def _verdict(loss: Loss, difference: float, p: float, alpha: float) -> str:
    if math.isnan(difference) or math.isnan(p):
        return "unknown"
    if loss.is_signed:
        return "different" if p < alpha else "no difference shown"
    is_worse = difference < 0 if loss.is_gain else difference > 0
    return ("worse" if is_worse else "better") if p < alpha else "no difference shown"


def _aligned(systems: Systems, reading: Reading) -> Systems:
    """The same systems with every source in the order of the base's identifiers. DataError for unequal ids."""
    desk = prepare.desk_for(reading)
    with desk.stack:
        column = systems.align or ""
        order = Order(desk, column, ids_of(desk, systems.base, column), systems.names[0])
        loss = systems.losses[0][0].loss
        truth = loss.truth
        assert truth is not None
        return systems._replace(
            base=order.rows_of(systems.base, loss.roles[0]),
            others=[order.rows_of(source, loss.roles[0]) for source in systems.others],
            target=order.rows_of(systems.target, truth),
            weight=order.rows_of(systems.weight, WEIGHT),
            group=order.rows_of(systems.group, LISTS),
            cluster=order.rows_of(systems.cluster, rider("cluster")),
        )


def names_of(sources: Sequence[str]) -> list[str]:
    """What systems are called: their sources without the folders that all of them share."""
    import os

    folders = [os.path.dirname(parse_source(text).path) for text in sources]
    try:
        common = os.path.commonpath(folders) if all(folders) else ""
    except ValueError:
        return list(sources)
    return [text[len(common) + 1 :] if common and text.startswith(common + "/") else text for text in sources]
