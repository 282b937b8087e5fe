"""One system against others: the library under `lossctl compare`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files.sources import digest, parse_source
from ..language.registry import Loss, Spec
from ..language.roles import ROLES, Form, Role
from ..resampling import bootstrap, paired, survey
from ..resampling.draws import Draws
from ..results.values import Comparison, Interval
from ..rows.job import Scored
from ..rows.workers import keep_freed_memory
from . import calculator, together
from .align import Order, ids_of
from .calculator import Given, Reading
from .together import Confidence, Shared, Side, Wanted

TESTS = ("sign-flip", "bootstrap")
SIGNED = ("mean-error",)  # neither lower nor higher is better


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
    if test not in TESTS:
        raise UsageError(f"--test cannot be {test!r}", fix=f"use {' or '.join(TESTS)}")
    if not systems.others:
        raise UsageError("nothing to compare with", fix="lossctl compare BASE OTHER... --target SRC --loss SPEC")
    with prepared(systems, reading or Reading(), jobs) as shared:
        return _compared(shared, systems, confidence, test, data_hash, progress)


@contextmanager
def prepared(systems: Systems, reading: Reading, jobs: int | None) -> Iterator[Shared]:
    """Every loss of every system over one reading: the systems of the first loss, then those of the next."""
    if systems.align is not None:
        systems = _aligned(systems, reading)
    wanted = []
    for spec, forms in systems.losses:
        truth = spec.loss.truth
        if truth is None or len(spec.loss.roles) < 2 or spec.loss.engine == "tally":
            raise UsageError(
                f"{spec.loss.name} does not compare predictions with a truth, row by row", fix="choose another loss"
            )
        named = {truth.name: systems.target}
        if spec.loss.engine == "lists":
            if systems.group is None:
                raise UsageError(f"{spec.loss.name} needs the lists", fix="add --group SRC")
            named["group"] = systems.group
        wanted += [
            Wanted(spec, forms, [source], named, systems.reduction) for source in (systems.base, *systems.others)
        ]
    with together.prepared(
        wanted, weight=systems.weight, reading=reading, side=Side(cluster=systems.cluster), jobs=jobs
    ) as shared:
        yield shared


def _compared(
    shared: Shared,
    systems: Systems,
    confidence: Confidence,
    test: str,
    data_hash: bool,
    progress: Callable[..., None] | None,
) -> list[Comparison]:
    asked, cluster, each = (
        Draws(confidence.seed, confidence.resamples),
        shared.sides[0].get("cluster"),
        1 + len(systems.others),
    )
    plans = [one.plan for one in shared.losses]
    starts = range(0, len(plans), each)

    def of_block(scored: tuple[Scored, ...]) -> list[paired.Pairs]:
        return [paired.pairs(scored[start : start + each], plans[start].reduction, asked, cluster) for start in starts]

    def merge(done: list[paired.Pairs], more: list[paired.Pairs]) -> list[paired.Pairs]:
        merged = [a.merge(b) for a, b in zip(done, more, strict=True)] if done else more
        if progress:
            progress(merged[0].parts[0].n)
        return merged

    keep_freed_memory()
    if shared.unit == "anchors":
        shared.anchors(progress)
    nothing: list[paired.Pairs] = []
    whole = reduce(merge, shared.each(of_block), nothing)
    if not whole or not all(one.parts[0].n for one in whole):
        raise DataError("no rows to compare", fix="check the files, --na skip and the weights")
    if len(whole[0].clusters or ()) == 1 or (cluster is None and whole[0].units == 1):
        raise DataError("one row (or list, or cluster) only: nothing to tell chance from", fix="give more")
    made: list[Comparison] = []
    for start, found in zip(starts, whole, strict=True):
        settled = paired.settle(found, asked)
        made += _of_loss(shared, systems, start, settled, confidence, test, data_hash)
    return made


def _of_loss(
    shared: Shared,
    systems: Systems,
    start: int,
    whole: paired.Pairs,
    confidence: Confidence,
    test: str,
    data_hash: bool,
) -> list[Comparison]:
    ready = shared.losses[start]
    loss, reduction = ready.plan.spec.loss, ready.plan.reduction
    scale = float(whole.parts[0].n) if reduction == "sum" else 1.0
    found = [paired.difference(whole, at, loss.finish, test, scale) for at in range(len(systems.others))]
    adjusted = paired.holm([one.p for one in found])
    accelerations = _accelerations(shared, start, whole, found, scale, confidence)
    made = []
    for at, one in enumerate(found):
        other = shared.losses[start + 1 + at]
        low, high = bootstrap.interval(one.resampled, one.value, confidence.level, confidence.method, accelerations[at])
        error = float(one.resampled.std(ddof=1)) if np.isfinite(one.resampled).all() else math.nan
        unit = "clusters" if systems.cluster is not None else shared.unit
        interval = Interval(
            confidence.level, confidence.method, low, high, error,
            confidence.resamples, confidence.seed, unit, whole.units,
        )  # fmt: skip
        result = calculator.result(
            other,
            digest(other.fields) if data_hash else None,
            one.other,
            whole.parts[at + 1].n,
            whole.parts[at + 1].facts,
        )
        made.append(
            Comparison(
                loss=loss.name,
                params=result.params,
                reduction=result.reduction,
                base=systems.names[0],
                other=systems.names[at + 1],
                base_value=one.base,
                other_value=one.other,
                difference=one.value,
                ci=interval,
                test=f"{test}, all patterns" if one.exact else test,
                p=one.p,
                p_adjusted=adjusted[at],
                better=int(whole.better[at]),
                equal=int(whole.equal[at]),
                worse=int(whole.worse[at]),
                n=result.n,
                verdict=_verdict(loss, one.value, adjusted[at], 1 - confidence.level),
                signature=result.signature,
                notes=result.notes,
                warnings=result.warnings,
            )
        )
    return made


def _verdict(loss: Loss, difference: float, p: float, alpha: float) -> str:
    if math.isnan(difference) or math.isnan(p):
        return "unknown"
    if loss.name in SIGNED:
        return "different" if p < alpha else "no difference shown"
    return ("worse" if difference > 0 else "better") if p < alpha else "no difference shown"


def _accelerations(
    shared: Shared,
    start: int,
    whole: paired.Pairs,
    found: Sequence[paired.Difference],
    scale: float,
    confidence: Confidence,
) -> list[float]:
    """The a of BCa of each difference; where a root is taken of each mean, the rows are read once more for it."""
    plan = shared.losses[start].plan
    finish = plan.spec.loss.finish
    if confidence.method != "bca" or finish is None:
        return [paired.acceleration(whole, at, finish, scale) for at in range(len(found))]
    means = [part.total / part.weight for part in whole.parts]
    slopes = [survey.slope_of(finish, mean) for mean in means]
    cluster = shared.sides[0].get("cluster")
    totals: list[Any] = [{} if cluster is not None else (0.0, 0.0) for _ in found]
    each = len(found) + 1
    for block in shared.each(
        lambda scored: paired.influence_moments(scored[start : start + each], plan.reduction, means, slopes, cluster)
    ):
        for at, more in enumerate(block):
            if isinstance(more, dict):
                for name, e in more.items():
                    totals[at][name] = totals[at].get(name, 0.0) + e
            else:
                totals[at] = tuple(a + b for a, b in zip(totals[at], more, strict=True))
    return [_skewness(total) for total in totals]


def _skewness(total: dict[str, float] | tuple[float, float]) -> float:
    if isinstance(total, dict):
        total = sum(e * e for e in total.values()), sum(e * e * e for e in total.values())
    squares, cubes = total
    return bootstrap.skewness(squares, cubes)


def _aligned(systems: Systems, reading: Reading) -> Systems:
    """The same systems with every source in the order of the base's identifiers. DataError for unequal ids."""
    desk = calculator.desk_for(reading)
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
            weight=order.rows_of(systems.weight, ROLES["weight"]),
            group=order.rows_of(systems.group, ROLES["group"]),
            cluster=order.rows_of(systems.cluster, Role("cluster", "cluster", "", "row", ("cluster",), "category")),
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
