"""The breakdown of triplets as text: a page of tables with bars, plain sheets, JSON, or the bare counts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..results.breakdown import AtMargin, Categories, Distances
from ..results.document import document
from ..rows.facts import NARROW, rows_left_out
from ..rows.sums import count as count_of
from ..text import option_text, shown
from ..version import __version__
from .sheet import Sheet, folded
from .triplet_rows import SHARES, measures_of, records_of_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..api.triplets import Report
    from ..results.breakdown import Breakdown, ShareConfidence
    from ..sets.given import GivenTriplets

BAR = 24
ROOMY = 100  # characters a line that have room for every bin of a histogram
EIGHTHS = " ▏▎▍▌▋▊▉█"
RARE, LARGE = 0.01, 0.35  # shares of triplets that are active, and hard
LEVELS = " ▁▂▃▄▅▆▇█"


def bare(report: Report) -> str:
    """easy TAB semi-hard TAB hard, a line for each margin."""
    return "".join(
        f"{at.categories.easy}\t{at.categories.semi_hard}\t{at.categories.hard}\n" for at in report.breakdown.margins
    )


def as_json(report: Report, indent: int | None = 2, with_sentences: bool = False) -> str:
    """One document; counts are whole numbers, `certified` says whether they are proven."""
    breakdown = report.breakdown
    facts = {
        "source": dict(report.sources),
        "signature": signature(report),
        "metric": breakdown.metric,
        "normalize": breakdown.normalize,
        "certified": breakdown.certified,
        "undecided": breakdown.undecided,
        "why": breakdown.why or None,
        "anchors": asdict(breakdown.anchors),
        "retrieval": asdict(breakdown.retrieval),
        "distances": {
            "edges": list(breakdown.edges),
            "positive": asdict(breakdown.positives),
            "negative": asdict(breakdown.negatives),
        },
        "classes": [
            {"class": item.label, "points": item.points, "categories": [_category_record(c) for c in item.categories]}
            for item in breakdown.classes
        ],
        "coarse": [
            {"negatives": item.negatives, "categories": [_category_record(c) for c in item.categories]}
            for item in breakdown.coarse
        ],
        "pairs": [asdict(pair) for pair in breakdown.pairs],
        "batches": asdict(report.batches) if report.batches else None,
        "sample": asdict(breakdown.sample) if breakdown.sample else None,
        "confidence": asdict(report.confidence) if report.confidence else None,
        "diagnosis": asdict(report.diagnosis),
    }
    if with_sentences:
        facts["explanation"] = sentences(report)
    results = [_finite(_margin_record(at)) for at in breakdown.margins]
    return document("triplets", results, warnings(report), indent=indent, **_finite(facts))


def _finite(value: Any) -> Any:
    """The same document with null for what is no finite number."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value


def _margin_record(at: AtMargin) -> dict[str, Any]:
    intervals = dict(zip(("easy", "semi_hard", "hard"), map(asdict, at.intervals), strict=False))
    return {
        "margin": at.margin,
        **_category_record(at.categories),
        **({"intervals": intervals} if intervals else {}),
        "batch_all": {
            "mean_active": at.batch_all_mean_active,
            "mean": at.batch_all_mean,
            "sum": at.batch_all_sum,
            "active": at.active,
        },
        "batch_hard": at.batch_hard,
        "undecided": at.undecided,
        "active_anchors": at.active_anchors,
    }


def _category_record(item: Categories) -> dict[str, Any]:
    easy, semi_hard, hard = item.shares
    return {
        "triplets": item.triplets,
        "easy": item.easy,
        "semi_hard": item.semi_hard,
        "hard": item.hard,
        "shares": {"easy": easy, "semi_hard": semi_hard, "hard": hard},
        "ties": {"hard": item.hard_ties, "margin": item.margin_ties},
    }


def signature(report: Report) -> str:
    """Every choice that changes the counts."""
    breakdown = report.breakdown
    margins = "/".join(option_text(at.margin) for at in breakdown.margins)
    parts = [
        "triplets",
        f"m:{margins}",
        f"dist:{breakdown.metric}",
        f"norm:{'l2' if breakdown.normalize else 'none'}",
        "easy:d_an>=d_ap+m",
        "hard:d_an<=d_ap",
        "acc:float64",
        f"certified:{'yes' if breakdown.certified else 'no'}",
        f"n:{breakdown.anchors.points}",
        f"be:{breakdown.backend}",
    ]
    if breakdown.sample:
        parts.append(f"estimate:{breakdown.sample.anchors}-of-{breakdown.sample.of}-anchors-by-{breakdown.sample.seed}")
    marks = [f"read:{'+'.join(report.marks)}"] if report.marks else []
    return "|".join(
        [*parts, *marks, *([f"data:{report.fingerprint}"] if report.fingerprint else []), f"v:{__version__}"]
    )


def warnings(report: Report) -> list[str]:
    """What looks wrong with the set."""
    diagnosis, breakdown = report.diagnosis, report.breakdown
    lines = [rows_left_out(report.left_out)] if report.left_out else []
    if not breakdown.margins[0].categories.triplets:
        return [*lines, "there are no triplets: no row has another of its class and one of another class"]
    lines += report.remarks
    if diagnosis.is_collapsed and not diagnosis.spread < NARROW:
        lines.append("the embeddings have collapsed: all distances are nearly alike")
    for at, is_stuck in zip(breakdown.margins, diagnosis.is_stuck, strict=True):
        if is_stuck:
            margin = option_text(at.margin)
            lines.append(f"the batch-hard loss is stuck at the margin {margin}, where a collapsed network ends")
    if not breakdown.certified:
        lines.append(f"the counts are not certified: {breakdown.why}")
    return lines


# --- tables


def page(report: Report, width: int) -> list[Sheet | str]:
    """What a person reads on lines of so many characters: each table with bars, and the histograms."""
    breakdown = report.breakdown
    used = breakdown.anchors
    state = "certified" if breakdown.certified else "not certified"
    against = f" against {used.references} references" if used.references else ""
    lacking = (("positive", used.without_positive), ("negative", used.without_negative))
    without = ", ".join(f"{count} without a {what}" for what, count in lacking if count)
    head = _estimated(report) + (
        f"{used.points} points{against}, {used.used} anchors{f' ({without})' if without else ''}; {breakdown.metric}"
        f"{', normalised' if breakdown.normalize else ''}; {state}"
    )
    parts: list[Sheet | str] = [line + "\n" for line in folded(head, width)]
    parts += [_margin_table(at, report.confidence) for at in breakdown.margins]
    parts += [_losses(report), _retrieval(report), _histogram(report, 1 if width >= ROOMY else 2)]
    if breakdown.coarse:
        parts.append(_coarse(report, bars=True))
    if breakdown.classes:
        parts.append(_classes(report, bars=True))
    if breakdown.pairs:
        parts.append(_pairs(report))
    if report.batches:
        parts.append(_batches(report))
    return parts


def _estimated(report: Report) -> str:
    """What stands before all else where not all anchors were counted."""
    sample = report.breakdown.sample
    return f"estimate from {sample.anchors:,} of {sample.of:,} anchors, seed {sample.seed}: " if sample else ""


def _margin_table(at: AtMargin, confidence: ShareConfidence | None) -> Sheet:
    item = at.categories
    intervals: list[tuple[str, ...]] = [
        (f"{_percent(end.low) or '?'} .. {_percent(end.high) or '?'}",) for end in at.intervals
    ]
    between = intervals or [()] * 3  # nothing stands between a share and its bar
    names = ("easy", "semi-hard", "hard")
    counts = zip(names, (item.easy, item.semi_hard, item.hard), item.shares, between, strict=True)
    rows: list[tuple[str, ...]] = [
        (name, f"{count:,}", _percent(share), *ends, bar(share)) for name, count, share, ends in counts
    ]
    more = [("all", item.triplets)]
    if item.hard_ties or item.margin_ties:
        place = "easy" if at.margin else "hard"
        more += [("ties d_an = d_ap, in hard", item.hard_ties)]
        more += [(f"ties d_an = d_ap + margin, in {place}", item.margin_ties)]
    empty = ("",) * (len(rows[0]) - 2)
    rows += [(name, f"{count:,}", *empty) for name, count in more]
    interval = (f"{confidence.level:.4g} interval",) if confidence else ()
    columns = ("triplets", "count", "share", *interval, "")
    title = f"margin {option_text(at.margin)}"
    return Sheet(columns, tuple(rows), frozenset({"count", "share", *interval}), title, pictures=frozenset({""}))


def _losses(report: Report) -> Sheet:
    rows = tuple(
        (
            option_text(at.margin),
            *(f"{value:.6g}" for value in (at.batch_all_mean_active, at.batch_all_mean, at.batch_hard)),
            _percent(_active_share(report.breakdown, at)),
        )
        for at in report.breakdown.margins
    )
    columns = ("margin", "batch-all mean-active", "batch-all mean", "batch-hard", "active anchors")
    return Sheet(columns, rows, frozenset(columns), title="losses")


def _retrieval(report: Report) -> Sheet:
    of = report.breakdown.retrieval
    columns = ("precision@1", "R-precision", "MAP@R")
    row = tuple(_percent(value) for value in (of.precision_at_1, of.r_precision, of.map_at_r))
    return Sheet(columns, (row,), frozenset(columns), title="retrieval")


def _active_share(breakdown: Breakdown, at: AtMargin) -> float:
    """The share of the anchors that have a triplet above zero."""
    counted = breakdown.sample.anchors if breakdown.sample else breakdown.anchors.used
    return at.active_anchors / counted if counted else float("nan")


def sentences(report: Report) -> list[str]:
    """What the numbers mean for training, in three sentences for each margin."""
    breakdown, diagnosis = report.breakdown, report.diagnosis
    if not breakdown.margins[0].categories.triplets:
        return []
    d_ap, d_an = breakdown.positives, breakdown.negatives
    lines = [
        f"A positive lies {d_ap.mean:.4g} away on the mean, a negative {d_an.mean:.4g}: "
        + (f"positives are {diagnosis.contrast:.1%} nearer." if diagnosis.contrast > 0 else "positives are no nearer.")
    ]
    for at, is_stuck in zip(breakdown.margins, diagnosis.is_stuck, strict=True):
        active = at.active / at.categories.triplets
        lines.append(
            f"At margin {option_text(at.margin)}, {active:.2%} of the triplets cost something, and "
            f"{_active_share(breakdown, at):.2%} of the anchors have such a triplet."
        )
        lines.append(_meaning(at, active, diagnosis.is_collapsed, is_stuck))
    head = _estimated(report).capitalize()
    return [head + line for line in lines]


def explained(report: Report, width: int) -> list[str]:
    """The sentences on lines of so many characters."""
    return [line for sentence in sentences(report) for line in folded(sentence, width)]


def _meaning(at: AtMargin, active: float, is_collapsed: bool, is_stuck: bool) -> str:
    """One sentence: which of the known states of training this is."""
    _, semi_hard, hard = at.categories.shares
    if is_collapsed or is_stuck:
        return (
            f"The network has collapsed: all distances are alike, the batch-hard loss is {at.batch_hard:.4g} beside a "
            "margin of "
            f"{option_text(at.margin)}, and no gradient parts the classes; mine semi-hard, or lower the learning rate."
        )
    if not active:
        return "No triplet costs anything, so this loss has nothing left to learn: raise the margin, or stop."
    if active < RARE:
        return (
            "Nearly all triplets are easy, and a random batch hardly holds one that costs: mine hard or semi-hard ones."
        )
    if hard > LARGE:
        return (
            f"{hard:.0%} of the triplets have the negative nearer than the positive, as chance would have it at 50 %: "
            "the classes are hardly apart yet, and the hardest of them may be wrong labels."
        )
    return f"{semi_hard:.1%} are semi-hard and {hard:.1%} hard: there is something to learn without mining."


def _histogram(report: Report, merged: int) -> Sheet:
    """The distances, and their histograms with so many bins drawn as one."""
    breakdown = report.breakdown
    rows = tuple(
        (
            name,
            f"{item.pairs:,}",
            *(f"{value:.4g}" for value in (item.smallest, item.mean, item.largest)),
            spark(item, merged),
        )
        for name, item in (("d_ap", breakdown.positives), ("d_an", breakdown.negatives))
    )
    low, high = (f"{edge:.3g}" for edge in (breakdown.edges[0], breakdown.edges[-1]))
    columns = ("distance", "pairs", "min", "mean", "max", f"from {low} to {high}")
    numeric = frozenset({"pairs", "min", "mean", "max"})
    return Sheet(columns, rows, numeric, title="distances", pictures=frozenset({columns[-1]}))


def _classes(report: Report, *, bars: bool) -> Sheet:
    rows = []
    for item in report.breakdown.classes:
        for at, counts in zip(report.breakdown.margins, item.categories, strict=True):
            easy, semi_hard, hard = counts.shares
            cells = [shown(str(item.label)), str(item.points), option_text(at.margin), str(counts.triplets)]
            if bars:
                rows.append((*cells, _percent(semi_hard), _percent(hard), bar(hard)))
            else:
                numbers = (counts.easy, counts.semi_hard, counts.hard, easy, semi_hard, hard)
                rows.append((*cells, *map(repr, numbers)))
    last = ("semi-hard", "hard", "") if bars else ("easy", "semi_hard", "hard", *SHARES)
    columns = ("class", "points", "margin", "triplets", *last)
    numeric = frozenset(columns[1:]) - {""}
    return Sheet(columns, tuple(rows), numeric, "by class of the anchor", spare=("points",), pictures=frozenset({""}))


def _coarse(report: Report, *, bars: bool) -> Sheet:
    rows = []
    for item in report.breakdown.coarse:
        for at, counts in zip(report.breakdown.margins, item.categories, strict=True):
            cells, numbers = [item.negatives, option_text(at.margin)], (counts.easy, counts.semi_hard, counts.hard)
            if bars:
                easy, semi_hard, hard = map(_percent, counts.shares)
                rows.append((*cells, f"{counts.triplets:,}", easy, semi_hard, hard, bar(counts.shares[2])))
            else:
                rows.append((*cells, str(counts.triplets), *map(repr, (*numbers, *counts.shares))))
    last = ("easy", "semi-hard", "hard", "") if bars else ("easy", "semi_hard", "hard", *SHARES)
    columns = ("coarse class", "margin", "triplets", *last)
    title = "by coarse class of the negative, beside the anchor's"
    return Sheet(columns, tuple(rows), frozenset(columns[1:]) - {""}, title, pictures=frozenset({""}))


def _pairs(report: Report) -> Sheet:
    rows = tuple(
        (shown(str(pair.anchor)), shown(str(pair.negative)), str(pair.hard), f"{pair.share:.4g}")
        for pair in report.breakdown.pairs
    )
    columns = ("anchor", "negative", "hard", "share of all hard")
    return Sheet(columns, rows, frozenset(columns[2:]), title="class pairs with the most hard triplets")


def _batches(report: Report) -> Sheet:
    batches = report.batches
    assert batches is not None
    rows = tuple(
        (option_text(at.margin), name, f"{value.mean:{mean}}", f"{value.deviation:{deviation}}")
        for at in batches.margins
        for name, value, mean, deviation in (
            ("easy", at.easy, ".2%", ".2%"),
            ("semi-hard", at.semi_hard, ".2%", ".2%"),
            ("hard", at.hard, ".2%", ".2%"),
            ("batch-all mean-active", at.batch_all_mean_active, ".4g", ".2g"),
            ("batch-hard", at.batch_hard, ".4g", ".2g"),
        )
    )
    columns = ("margin", "of a batch", "mean", "deviation")
    title = f"{batches.batches} batches of {batches.classes} x {batches.rows}, seed {batches.seed}"
    return Sheet(columns, rows, frozenset(columns) - {"of a batch"}, title=title)


def sheets(report: Report) -> list[Sheet]:
    """The same as plain tables with every digit, for a page."""
    columns = measures_of(report)
    rows = [tuple(record[name] for name in columns) for record in records_of_set(report)]
    parts = [Sheet(columns, tuple(rows), frozenset(columns) - {"certified", "estimate"})]
    if report.breakdown.coarse:
        parts.append(_coarse(report, bars=False))
    if report.breakdown.classes:
        parts.append(_classes(report, bars=False))
    if report.breakdown.pairs:
        parts.append(_pairs(report))
    if report.batches:
        parts.append(_batches(report))
    return parts


# --- triplets from a file


def given_bare(triplets: Sequence[GivenTriplets]) -> str:
    """easy TAB semi-hard TAB hard, a line for each margin."""
    return "".join(f"{at.categories.easy}\t{at.categories.semi_hard}\t{at.categories.hard}\n" for at in triplets)


def given_json(triplets: Sequence[GivenTriplets], metric: str, normalize: bool, indent: int | None = 2) -> str:
    """One document, each margin as in the breakdown of a whole set."""
    results = [
        {
            "margin": at.margin,
            **_category_record(at.categories),
            "loss": at.loss / count_of(at.categories.triplets),
            "loss_active": at.loss / count_of(at.active) if at.active else 0.0,
            "in_order": 1 - at.categories.shares[2],
            "active": at.active,
        }
        for at in triplets
    ]
    facts = {"metric": metric, "normalize": normalize, "certified": True}
    return document("triplets", [_finite(result) for result in results], (), indent=indent, **facts)


def given_sheet(triplets: Sequence[GivenTriplets], *, bars: bool) -> Sheet:
    """One row a margin and category, with bars for a person; every digit otherwise."""
    columns = ("margin", "triplets", "easy", "semi-hard", "hard", "hard ties", "margin ties", "mean loss", "in order")
    if not bars:
        columns = ("margin", "triplets", "easy", "semi_hard", "hard", "ties_hard", "ties_margin", "loss", "in_order")
    rows = []
    for at in triplets:
        item, mean = at.categories, at.loss / count_of(at.categories.triplets)
        counts = (item.triplets, item.easy, item.semi_hard, item.hard, item.hard_ties, item.margin_ties)
        cells = [option_text(at.margin) if bars else repr(at.margin)]
        cells += [f"{count:,}" if bars else str(count) for count in counts]
        in_order = 1 - item.shares[2]
        cells += [f"{mean:.6g}", _percent(in_order)] if bars else [repr(mean), repr(in_order)]
        rows.append((*cells, bar(item.shares[2])) if bars else tuple(cells))
    names = (*columns, "hard share") if bars else columns
    spare = ("margin ties", "hard ties", "triplets")
    return Sheet(names, tuple(rows), frozenset(columns), spare=spare, pictures=frozenset({"hard share"}))


def _percent(share: float) -> str:
    return "" if share != share else f"{share:.2%}"


def bar(share: float, width: int = BAR) -> str:
    """A share as a bar, to an eighth of a character."""
    if not share > 0:
        return ""
    full, part = divmod(max(1, round(share * width * 8)), 8)
    return "█" * full + EIGHTHS[part].strip()


def spark(item: Distances, merged: int = 1) -> str:
    """A histogram as one line, its tallest bin full; so many neighbouring bins are one character."""
    counts = [sum(item.counts[k : k + merged]) for k in range(0, len(item.counts), merged)]
    tallest = max(counts, default=0)
    return "".join(LEVELS[-(-8 * count // tallest)] if tallest else " " for count in counts)
