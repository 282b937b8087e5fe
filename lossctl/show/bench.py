"""Measurements as text: tables with bars for a person, one plain sheet, Markdown and CSV with every sample."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..bench import records
from ..bench.cases import IMPLEMENTATIONS, PEERS, PRODUCT, WHAT, Case
from ..bench.records import Measurement
from ..bench.timing import Slowdown
from ..text import json_text
from .sheet import Sheet, csv, markdown
from .triplets import bar

ORDER = ("blocked", *IMPLEMENTATIONS, *PEERS)
RATES = ("TFLOP/s", "of product", "memory", "error", "wrong")
EXPENDABLE = ("spread", "TFLOP/s", "memory", "error", "of product")  # where the terminal is narrow, in this order
BAR = 16  # characters of the longest time


@dataclass(frozen=True)
class BenchRun:
    """All that a page is made of. compared: by Case.key, where there is a baseline."""

    measurements: tuple[Measurement, ...]
    environment: Mapping[str, str]
    compared: Mapping[str, Slowdown]


def as_json(run: BenchRun) -> str:
    """One document, every sample included; `--baseline` reads it."""
    return records.as_json(run.measurements, run.environment, run.compared)


def ndjson(run: BenchRun) -> str:
    """A case a line."""
    return "".join(json_text(measurement.to_dict()) + "\n" for measurement in run.measurements)


# --- for a person


def tables(run: BenchRun) -> list[Sheet]:
    """A table for each kernel, D, K and dtype: all sizes below each other, the ways to do it side by side."""
    ordered = sorted(run.measurements, key=lambda measurement: (_section(measurement.case), *_place(measurement.case)))
    return [
        _table(list(group), run.compared)
        for _, group in groupby(ordered, lambda measurement: _section(measurement.case))
    ]


def _section(case: Case) -> tuple[int, str, int, int, str]:
    return list(WHAT).index(case.kernel), case.kernel, case.dim, case.k, case.dtype


def _place(case: Case) -> tuple[int, int, str]:
    return case.n, ORDER.index(case.implementation), case.device


def _table(rows: Sequence[Measurement], compared: Mapping[str, Slowdown]) -> Sheet:
    case = rows[0].case
    devices = sorted({measurement.case.device for measurement in rows})
    columns = ("N", "implementation", "device", "median", "spread", "speed-up", "baseline", f"{case.work[1]}/s", *RATES)
    cells = list(_cells(rows, compared))
    dropped = {name for name, column in zip(columns, zip(*cells, strict=True), strict=True) if not any(column)}
    dropped |= {"device"} if len(devices) == 1 else set()
    kept = [k for k, column in enumerate(columns) if column not in dropped]
    bars = _bars(rows)
    lines = tuple(
        (*(row[k] for k in kept), bars.get(measurement.case, measurement.status))
        for row, measurement in zip(cells, rows, strict=True)
    )
    names = (*(columns[k] for k in kept), "time")
    where = f", {devices[0]}" if len(devices) == 1 else ""
    title = f"{case.kernel}, D {case.dim}, K {case.k}, {case.dtype}{where}: {WHAT[case.kernel]}"
    numeric = frozenset(names) - {"implementation", "device", "time"}
    pictures = frozenset({"time"}) if all(measurement.timing for measurement in rows) else frozenset()
    return Sheet(names, lines, numeric, title, spare=EXPENDABLE, pictures=pictures, ditto=("N",))


def _cells(rows: Sequence[Measurement], compared: Mapping[str, Slowdown]) -> Iterator[tuple[str, ...]]:
    """All columns but the last."""
    for n, group in groupby(rows, lambda measurement: measurement.case.n):
        same_size = list(group)
        reference = next((measurement for measurement in same_size if measurement.timing), None)
        for measurement in same_size:
            yield (
                f"{n:,}",
                measurement.case.implementation,
                measurement.case.device,
                *_times(measurement, reference),
                _verdict(compared.get(measurement.case.key)),
                *_rates(measurement),
            )


def _times(measurement: Measurement, reference: Measurement | None) -> tuple[str, str, str]:
    """The median, the spread as a share of it, and how many times as fast as the reference."""
    timing = measurement.timing
    if timing is None or reference is None or reference.timing is None:
        return "", "", ""
    spread = "1 run" if timing.n == 1 else f"±{timing.spread / timing.median / 2:.0%}"
    gain = reference.timing.median / timing.median
    return seconds_text(timing.median), spread, "1x" if measurement is reference else f"{gain:.3g}x"


def _rates(measurement: Measurement) -> tuple[str, ...]:
    if not measurement.timing or measurement.per_second is None or measurement.flops is None:
        return ("",) * 6
    has_share = measurement.case.kernel != PRODUCT
    return (
        si(measurement.per_second),
        f"{measurement.flops / 1e12:.3g}",
        percent(measurement.share) if has_share and measurement.share else "",
        "" if measurement.peak_bytes is None else si(measurement.peak_bytes) + "B",
        "" if measurement.error is None else f"{measurement.error:.1e}",
        ""
        if measurement.wrong is None or measurement.checked is None
        else f"{measurement.wrong}/{si(measurement.checked)}",
    )


def _verdict(against: Slowdown | None) -> str:
    return f"{against.difference:+.1%} {against.verdict}" if against else ""


def _bars(rows: Sequence[Measurement]) -> dict[Case, str]:
    """Times as bars, the same length more for each factor of ten."""
    medians = {measurement.case: measurement.timing.median for measurement in rows if measurement.timing}
    if not medians:
        return {}
    shortest, longest = min(medians.values()), max(medians.values())
    full = 1 + math.log10(longest / shortest)
    return {case: bar((1 + math.log10(median / shortest)) / full, BAR) for case, median in medians.items()}


def seconds_text(seconds: float) -> str:
    """A time in a unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def percent(share: float) -> str:
    """A share in two digits, or to the percent where it has more."""
    return f"{100 * share:.2g}%" if share < 0.995 else f"{share:.0%}"


def si(value: float) -> str:
    """A number with a letter for its thousands: 12.3M."""
    for letter in ("", "k", "M", "G", "T", "P"):
        if value < 999.5 or letter == "P":
            break
        value /= 1000
    return f"{value:.3g}{letter}"


def line(measurement: Measurement) -> str:
    """One case as it comes."""
    text = seconds_text(measurement.timing.median) if measurement.timing else measurement.status
    return f"{measurement.case.key}: {text}" + (
        f", {len(measurement.seconds)} samples" if len(measurement.seconds) > 1 else ""
    )


def environment_line(environment: Mapping[str, str]) -> str:
    """Where the figures come from."""
    return "; ".join(f"{name} {value}" for name, value in environment.items() if value)


# --- for a file or a pipe

COLUMNS = (
    "kernel", "implementation", "device", "n", "dim", "k", "dtype", "status", "median", "spread", "count", "speed_up",
    "per_second", "unit", "tflops", "product_share", "peak_bytes", "error", "wrong", "checked", "baseline",
)  # fmt: skip
WORDS = frozenset({"kernel", "implementation", "device", "dtype", "status", "unit", "baseline"})


def sheet(run: BenchRun) -> Sheet:
    """A row a case, figures in full."""
    return Sheet(COLUMNS, tuple(_rows(run)), frozenset(COLUMNS) - WORDS)


def _rows(run: BenchRun) -> Iterator[tuple[str, ...]]:
    for measurement in run.measurements:
        timing, against = measurement.timing, run.compared.get(measurement.case.key)
        reference = next(
            (other for other in run.measurements if _same_question(measurement, other) and other.timing), None
        )
        gain = reference.timing.median / timing.median if reference and reference.timing and timing else None
        yield (
            *map(str, measurement.case),
            measurement.status,
            *(("", "", "0") if timing is None else (f"{timing.median:.6g}", f"{timing.spread:.3g}", str(timing.n))),
            "" if gain is None else f"{gain:.4g}",
            "" if measurement.per_second is None else f"{measurement.per_second:.4g}",
            measurement.case.work[1],
            "" if measurement.flops is None else f"{measurement.flops / 1e12:.4g}",
            "" if measurement.share is None else f"{measurement.share:.4g}",
            *(
                "" if value is None else f"{value:.6g}"
                for value in (measurement.peak_bytes, measurement.error, measurement.wrong, measurement.checked)
            ),
            _verdict(against),
        )


def _same_question(measurement: Measurement, other: Measurement) -> bool:
    """Whether only device and implementation differ."""
    same = measurement.case._replace(device="", implementation="")
    return same == other.case._replace(device="", implementation="")


def as_csv(run: BenchRun) -> str:
    """The sheet with two columns more: all samples in seconds, and the environment."""
    plain = sheet(run)
    environment = environment_line(run.environment)
    rows = tuple(
        (*row, " ".join(map(repr, measurement.seconds)), environment)
        for row, measurement in zip(plain.rows, run.measurements, strict=True)
    )
    return csv(Sheet((*plain.columns, "seconds", "environment"), rows))


def as_markdown(run: BenchRun) -> str:
    """The environment, the table, and all samples below it."""
    plain = sheet(run)
    samples = [
        f"- {measurement.case.key}: {' '.join(f'{value:.4g}' for value in measurement.seconds)}"
        for measurement in run.measurements
        if measurement.seconds
    ]
    return "\n".join(
        [environment_line(run.environment), "", markdown(plain), "All samples, in seconds:", "", *samples, ""]
    )


# --- what there is


def choices() -> Sheet:
    """The kernels, and the ways to run them."""
    kernels = [("kernel", name, text) for name, text in WHAT.items() if name != PRODUCT]
    ways = [("implementation", name, text) for name, text in IMPLEMENTATIONS.items()]
    peers = [
        ("peer", name, f"{', '.join(kernels)}; with --peers, where installed") for name, (_, kernels) in PEERS.items()
    ]
    return Sheet(("what", "name", "meaning"), tuple(kernels + ways + peers), prose=frozenset({"meaning"}))
