"""The breakdown of triplets as one table with every digit, for programs: a row for each thing that has numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..results.breakdown import AtMargin, Categories
from ..text import shown
from .sheet import Sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..api.triplets import Report

Record = dict[str, str]
# paths of the JSON, with _ between their parts
SHARES = ("shares_easy", "shares_semi_hard", "shares_hard")
MEASURES = (
    "margin", "triplets", "easy", "semi_hard", "hard", *SHARES, "ties_hard", "ties_margin", "batch_all_mean_active",
    "batch_all_mean", "batch_all_sum", "batch_all_active", "batch_hard", "active_anchors", "precision_at_1",
    "r_precision", "map_at_r", "certified",
)  # fmt: skip
BOUNDS = ("easy_low", "easy_high", "semi_hard_low", "semi_hard_high", "hard_low", "hard_high")
ESTIMATE = ("estimate", "sample_anchors", "sample_of")


def measures_of(report: Report) -> tuple[str, ...]:
    """The columns of a margin: with the ends of intervals, and with a mark where they are estimates."""
    return MEASURES + (BOUNDS if report.confidence else ()) + (ESTIMATE if report.breakdown.sample else ())


def rectangle(report: Report) -> Sheet:
    """All of it as one table with every digit, for programs: what a row is of stands first, what it has no value for is
    empty."""
    records = records_of_set(report)
    more = [*_coarse_records(report), *_class_records(report), *_pair_records(report), *_batch_records(report)]
    measures = measures_of(report)
    columns = ("of", "class", "negative", "points", *measures) if more else measures
    rows = tuple(tuple(record.get(name, "") for name in columns) for record in (*records, *more))
    return Sheet(columns, rows, frozenset(columns) - {"of", "class", "negative", "certified", "estimate"})


def records_of_set(report: Report) -> list[Record]:
    records, of = [], report.breakdown.retrieval
    for at in report.breakdown.margins:
        item = at.categories
        numbers = (
            at.margin, item.triplets, item.easy, item.semi_hard, item.hard, *item.shares, item.hard_ties,
            item.margin_ties, at.batch_all_mean_active, at.batch_all_mean, at.batch_all_sum, at.active, at.batch_hard,
            at.active_anchors, of.precision_at_1, of.r_precision, of.map_at_r,
        )  # fmt: skip
        certified = "yes" if report.breakdown.certified else "no"
        points = str(report.breakdown.anchors.points)
        ends = [repr(end) for interval in at.intervals for end in (interval.low, interval.high)]
        sample = report.breakdown.sample
        mark = ("yes", str(sample.anchors), str(sample.of)) if sample else ()
        records.append(
            _record("set", numbers)
            | {"certified": certified, "points": points}
            | dict(zip(BOUNDS, ends, strict=False))
            | dict(zip(ESTIMATE, mark, strict=False))
        )
    return records


def _coarse_records(report: Report) -> list[Record]:
    return [
        _record(f"{item.negatives} coarse class", _numbers(at, of))
        for item in report.breakdown.coarse
        for at, of in zip(report.breakdown.margins, item.categories, strict=True)
    ]


def _class_records(report: Report) -> list[Record]:
    return [
        _record("class", _numbers(at, of)) | {"class": shown(str(item.label)), "points": str(item.points)}
        for item in report.breakdown.classes
        for at, of in zip(report.breakdown.margins, item.categories, strict=True)
    ]


def _numbers(at: AtMargin, of: Categories) -> tuple[float, ...]:
    return at.margin, of.triplets, of.easy, of.semi_hard, of.hard, *of.shares, of.hard_ties, of.margin_ties


def _pair_records(report: Report) -> list[Record]:
    return [
        {
            "of": "pair",
            "class": shown(str(pair.anchor)),
            "negative": shown(str(pair.negative)),
            "hard": str(pair.hard),
            "shares_hard": repr(pair.share),
        }
        for pair in report.breakdown.pairs
    ]


def _batch_records(report: Report) -> list[Record]:
    """The mean over the batches, and the standard deviation."""
    names = ("margin", *SHARES, "batch_all_mean_active", "batch_hard")
    records = []
    for at in report.batches.margins if report.batches else ():
        spreads = (at.easy, at.semi_hard, at.hard, at.batch_all_mean_active, at.batch_hard)
        for of, numbers in (
            ("batch mean", [spread.mean for spread in spreads]),
            ("batch deviation", [spread.deviation for spread in spreads]),
        ):
            records.append({"of": of, **dict(zip(names, map(repr, (at.margin, *numbers)), strict=True))})
    return records


def _record(of: str, numbers: Sequence[float]) -> Record:
    return {"of": of, **dict(zip(MEASURES, map(repr, numbers), strict=False))}
