"""Numbers by name in one flat JSON object: what experiment trackers read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..errors import DataError
from ..language.registry import find, make
from ..results.comparisons import Comparison
from ..results.suites import SuiteReport
from ..results.values import Interval, Result
from ..text import json_text, shown

if TYPE_CHECKING:
    from ..api.triplets import Report

Metric = tuple[str, float]
STRANGE = re.compile(r"[^\w\-. /]+", re.ASCII)  # what MLflow takes in no name


def text(metrics: Iterable[Metric]) -> tuple[str, list[str]]:
    """(one JSON object, the names of what is left out since it is no finite number). DataError for one name twice."""
    numbers: dict[str, float] = {}
    absent = []
    for name, value in metrics:
        if name in numbers or name in absent:
            raise DataError(
                f"two values would be the metric {shown(name)}", why="names keep letters, digits, _ - . / and blanks",
                fix="rename a group, an entry or a file, or leave --metrics out",
            )  # fmt: skip
        if math.isfinite(value):
            numbers[name] = value
        else:
            absent.append(name)
    return json_text(numbers, indent=2) + "\n", absent


def of_results(results: Iterable[Result], lead: str = "") -> Iterator[Metric]:
    """LOSS, LOSS/macro, LOSS/group/NAME, LOSS/hardest/10%, each with /low and /high where it has an interval."""
    for result in results:
        name = lead + _loss(result)
        name += f"/{result.reduction}" if result.reduction != find(result.loss).reductions[0] else ""
        name += f"/hardest/{result.keep}" if result.keep else ""
        name += f"/group/{_part(result.group)}" if result.group is not None else ""
        name += "/macro" if result.average == "macro" else ""
        yield _clean(name), result.value
        yield from _ends(_clean(name), result.ci)


def of_comparisons(comparisons: Iterable[Comparison], lead: str = "") -> Iterator[Metric]:
    """LOSS/SYSTEM (its difference from the base), with /low, /high and /p."""
    for comparison in comparisons:
        of = f"/group/{_part(comparison.group)}" if comparison.group is not None else ""
        name = _clean(f"{lead}{_loss(comparison)}/{_part(comparison.other)}{of}")
        yield name, comparison.difference
        yield from _ends(name, comparison.ci)
        yield f"{name}/p", comparison.p_adjusted


def of_suite(report: SuiteReport) -> Iterator[Metric]:
    """The same of all entries, each under its name."""
    for outcome in report.outcomes:
        lead = f"{_part(outcome.name)}/"
        yield from of_results(outcome.results, lead)
        yield from of_comparisons(outcome.comparisons, lead)


def of_triplets(report: Report) -> Iterator[Metric]:
    """margin M/easy, /semi_hard, /hard (shares of all triplets), and of each coarse side; /batch_all, /batch_hard;
    retrieval/precision_at_1, /r_precision, /map_at_r; estimate/anchors."""
    if report.breakdown.sample:
        yield "estimate/anchors", report.breakdown.sample.anchors
    for name, value in asdict(report.breakdown.retrieval).items():
        yield f"retrieval/{name}", value
    for place, at in enumerate(report.breakdown.margins):
        lead = f"margin {at.margin!r}"
        names = ("easy", "semi_hard", "hard")
        for name, share in zip(names, at.categories.shares, strict=True):
            yield f"{lead}/{name}", share
        for name, interval in zip(names, at.intervals, strict=False):
            yield f"{lead}/{name}/low", interval.low
            yield f"{lead}/{name}/high", interval.high
        for side in report.breakdown.coarse:
            of = side.categories[place]
            for name, share in zip(names, of.shares, strict=True):
                yield f"{lead}/{side.negatives} coarse class/{name}", share
        yield f"{lead}/batch_all", at.batch_all_mean_active
        yield f"{lead}/batch_hard", at.batch_hard


def _ends(name: str, ci: Interval | None) -> Iterator[Metric]:
    if ci is not None:
        yield f"{name}/low", ci.low
        yield f"{name}/high", ci.high


def _loss(value: Result | Comparison) -> str:
    return str(make(find(value.loss), **{name.replace("-", "_"): option for name, option in value.params}))


def _part(text: str) -> str:
    """A name as one part of a path."""
    return text.replace("/", "_")


def _clean(name: str) -> str:
    return STRANGE.sub("_", name)
