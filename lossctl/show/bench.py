"""Measurements as text: tables with bars for a person, one plain sheet, Markdown and CSV with every sample."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..bench.cases import IMPLEMENTATIONS, PEERS, PRODUCT, WHAT, Case
from ..bench.records import Measurement, document
from ..bench.timing import Comparison
from ..text import json_text
from ..version import __version__
from .sheet import Sheet, csv, markdown
from .triplets import bar

ORDER = ("blocked", *IMPLEMENTATIONS, *PEERS)
RATES = ("TFLOP/s", "of product", "memory", "error", "wrong")
EXPENDABLE = ("spread", "TFLOP/s", "memory", "error", "of product")  # where the terminal is narrow, in this order
GAP = 3  # characters between columns
BARS = (10, 24)


@dataclass(frozen=True)
class Found:
    """All that a page is made of. compared: by Case.key, where there is a baseline."""

    measurements: tuple[Measurement, ...]
    environment: Mapping[str, str]
    compared: Mapping[str, Comparison]


def as_json(found: Found) -> str:
    """One document, every sample included; `--baseline` reads it."""
    return document(found.measurements, found.environment, found.compared, __version__)


def ndjson(found: Found) -> str:
    """A case a line."""
    return "".join(json_text(one.as_json()) + "\n" for one in found.measurements)


# --- for a person


def tables(found: Found, width: int) -> list[Sheet]:
    """A table for each kernel, D, K and dtype: all sizes below each other, the ways to do it side by side."""
    ordered = sorted(found.measurements, key=lambda one: (_section(one.case), *_place(one.case)))
    return [_table(list(group), found.compared, width) for _, group in groupby(ordered, lambda one: _section(one.case))]


def _section(case: Case) -> tuple[int, str, int, int, str]:
    return list(WHAT).index(case.kernel), case.kernel, case.dim, case.k, case.dtype


def _place(case: Case) -> tuple[int, int, str]:
    return case.n, ORDER.index(case.implementation), case.device


def _table(rows: Sequence[Measurement], compared: Mapping[str, Comparison], width: int) -> Sheet:
    case = rows[0].case
    devices = sorted({one.case.device for one in rows})
    columns = ["N", "implementation", "device", "median", "spread", "speed-up", "baseline", f"{case.work[1]}/s", *RATES]
    cells = list(_cells(rows, compared))
    dropped = {name for name, column in zip(columns, zip(*cells, strict=True), strict=True) if not any(column)}
    dropped |= {"device"} if len(devices) == 1 else set()
    for name in ("", *EXPENDABLE):  # until it fits
        dropped.add(name)
        kept = [k for k, column in enumerate(columns) if column not in dropped]
        taken = sum(max(len(row[k]) for row in (columns, *cells)) + GAP for k in kept)
        if taken + BARS[0] <= width - GAP:
            break
    bars = _bars(rows, min(max(width - GAP - taken, BARS[0]), BARS[1]))
    lines = [
        (*(row[k] for k in kept), bars[one.case] if one.timing else one.status)
        for row, one in zip(cells, rows, strict=True)
    ]
    names = (*(columns[k] for k in kept), "time")
    where = f", {devices[0]}" if len(devices) == 1 else ""
    title = f"{case.kernel}, D {case.dim}, K {case.k}, {case.dtype}{where}: {WHAT[case.kernel]}"
    return Sheet(names, tuple(lines), frozenset(names) - {"implementation", "device", "time"}, title)


def _cells(rows: Sequence[Measurement], compared: Mapping[str, Comparison]) -> Iterator[tuple[str, ...]]:
    """All columns but the last, the size only where it changes."""
    for n, group in groupby(rows, lambda one: one.case.n):
        same_size = list(group)
        reference = next((one for one in same_size if one.timing), None)
        for place, one in enumerate(same_size):
            yield (
                "" if place else f"{n:,}",
                one.case.implementation,
                one.case.device,
                *_times(one, reference),
                _verdict(compared.get(one.case.key)),
                *_rates(one),
            )


def _times(one: Measurement, reference: Measurement | None) -> tuple[str, str, str]:
    """The median, the spread as a share of it, and how many times as fast as the reference."""
    timing = one.timing
    if timing is None or reference is None or reference.timing is None:
        return "", "", ""
    spread = "1 run" if timing.n == 1 else f"±{timing.spread / timing.median / 2:.0%}"
    gain = reference.timing.median / timing.median
    return seconds_text(timing.median), spread, "1x" if one is reference else f"{gain:.3g}x"


def _rates(one: Measurement) -> tuple[str, ...]:
    if not one.timing or one.per_second is None or one.flops is None:
        return ("",) * 6
    has_share = one.case.kernel != PRODUCT
    return (
        si(one.per_second),
        f"{one.flops / 1e12:.3g}",
        f"{100 * one.share:.2g}%" if has_share and one.share else "",
        "" if one.peak_bytes is None else si(one.peak_bytes) + "B",
        "" if one.error is None else f"{one.error:.1e}",
        "" if one.wrong is None or one.checked is None else f"{one.wrong}/{si(one.checked)}",
    )


def _verdict(against: Comparison | None) -> str:
    return f"{against.difference:+.1%} {against.verdict}" if against else ""


def _bars(rows: Sequence[Measurement], width: int) -> dict[Case, str]:
    """Times as bars, the same length more for each factor of ten."""
    medians = {one.case: one.timing.median for one in rows if one.timing}
    if not medians:
        return {}
    shortest, longest = min(medians.values()), max(medians.values())
    whole = 1 + math.log10(longest / shortest)
    return {case: bar((1 + math.log10(median / shortest)) / whole, width) for case, median in medians.items()}


def seconds_text(seconds: float) -> str:
    """A time in a unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def si(value: float) -> str:
    """A number with a letter for its thousands: 12.3M."""
    for letter in ("", "k", "M", "G", "T", "P"):
        if value < 999.5 or letter == "P":
            break
        value /= 1000
    return f"{value:.3g}{letter}"


def line(one: Measurement) -> str:
    """One case as it comes."""
    text = seconds_text(one.timing.median) if one.timing else one.status
    return f"{one.case.key}: {text}" + (f", {len(one.seconds)} samples" if len(one.seconds) > 1 else "")


def environment_line(environment: Mapping[str, str]) -> str:
    """Where the figures come from."""
    return "; ".join(f"{name} {value}" for name, value in environment.items() if value)


# --- for a file or a pipe

COLUMNS = (
    "kernel", "implementation", "device", "N", "D", "K", "dtype", "status", "median s", "spread s", "samples",
    "speed-up", "per second", "unit", "TFLOP/s", "of product", "peak bytes", "error", "wrong", "checked", "baseline",
)  # fmt: skip
WORDS = frozenset({"kernel", "implementation", "device", "dtype", "status", "unit", "baseline"})


def sheet(found: Found) -> Sheet:
    """A row a case, figures in full."""
    return Sheet(COLUMNS, tuple(_rows(found)), frozenset(COLUMNS) - WORDS)


def _rows(found: Found) -> Iterator[tuple[str, ...]]:
    for one in found.measurements:
        timing, against = one.timing, found.compared.get(one.case.key)
        reference = next((other for other in found.measurements if _same_question(one, other) and other.timing), None)
        gain = reference.timing.median / timing.median if reference and reference.timing and timing else None
        yield (
            *map(str, one.case),
            one.status,
            *(("", "", "0") if timing is None else (f"{timing.median:.6g}", f"{timing.spread:.3g}", str(timing.n))),
            "" if gain is None else f"{gain:.4g}",
            "" if one.per_second is None else f"{one.per_second:.4g}",
            one.case.work[1],
            "" if one.flops is None else f"{one.flops / 1e12:.4g}",
            "" if one.share is None else f"{one.share:.4g}",
            *("" if value is None else f"{value:.6g}" for value in (one.peak_bytes, one.error, one.wrong, one.checked)),
            _verdict(against),
        )


def _same_question(one: Measurement, other: Measurement) -> bool:
    """Whether only device and implementation differ."""
    same = one.case._replace(device="", implementation="")
    return same == other.case._replace(device="", implementation="")


def as_csv(found: Found) -> str:
    """The sheet with two columns more: all samples in seconds, and the environment."""
    plain = sheet(found)
    environment = environment_line(found.environment)
    rows = tuple(
        (*row, " ".join(map(repr, one.seconds)), environment)
        for row, one in zip(plain.rows, found.measurements, strict=True)
    )
    return csv(Sheet((*plain.columns, "seconds", "environment"), rows))


def as_markdown(found: Found) -> str:
    """The environment, the table, and all samples below it."""
    plain = sheet(found)
    samples = [
        f"- {one.case.key}: {' '.join(f'{value:.4g}' for value in one.seconds)}"
        for one in found.measurements
        if one.seconds
    ]
    return "\n".join(
        [environment_line(found.environment), "", markdown(plain), "All samples, in seconds:", "", *samples, ""]
    )


# --- what there is


def choices() -> Sheet:
    """The kernels, and the ways to run them."""
    kernels = [("kernel", name, text) for name, text in WHAT.items() if name != PRODUCT]
    ways = [("implementation", name, text) for name, text in IMPLEMENTATIONS.items()]
    peers = [
        ("peer", name, f"{', '.join(kernels)}; with --peers, where installed") for name, (_, kernels) in PEERS.items()
    ]
    return Sheet(("what", "name", "meaning"), tuple(kernels + ways + peers))
