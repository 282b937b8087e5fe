"""`lossctl bench [KERNEL...]`: how fast the kernels are here, against each other, and whether they are right."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..bench.cases import Schedule, check, parse_share, parse_sizes
from ..errors import DataError, DeviceError, UsageError
from ..kernels import KERNELS
from . import options, output
from .app import say

if TYPE_CHECKING:
    from ..bench.records import Baseline, Measurement
    from ..show.bench import BenchRun

SAVED = (".json", ".csv", ".md")
PICTURES = (".png", ".svg", ".pdf")


KERNEL_NAMES = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KERNEL...]", show_default=False, help=f"{', '.join(KERNELS)}; all unless given."),
]


def command() -> Any:
    """The command."""
    return options.command(bench, "bench", [("kernels", KERNEL_NAMES, None)])


def bench(values: Mapping[str, Any]) -> None:
    """How fast the kernels are on this machine, against each other, and whether they are right.

    Times are medians of runs taken in turn, each on other random points; `speed-up` is against the first
    implementation of the same size, `of product` against the bare N x N matrix product, `error` and `wrong` against
    float64. The baseline's verdicts are SAME, FAST, SLOW, or AMBIGUOUS where more samples are needed (--min-time).
    """
    style = output.style_of(values)
    form = output.many_format(style)
    if form == "bare":
        raise UsageError("a benchmark is no single number", fix="use -f table, tsv, csv, md or json")
    if values["list"]:
        output.alone("list", "it measures nothing", values, "bench", ("format", "json"))
        if values["kernels"]:
            raise UsageError("kernels with --list", why="it lists all of them", fix="leave one out")
        with output.destination(style) as writer:
            from ..show.bench import choices

            writer.write(output.sheet_text(choices(), form))
        return
    save, plot, baseline, fail_slower = (values[name] for name in ("save", "plot", "baseline", "fail_slower"))
    for name, path, endings in (("--save", save, SAVED), ("--plot", plot, PICTURES)):
        _check_ending(name, path, endings)
    sources = [] if baseline is None else [baseline]
    from ..files.writing import refuse_overwrite_of_inputs, refuse_shared_outputs

    refuse_shared_outputs([style.output, save, plot])
    for path in (save, plot):
        if path is not None:
            refuse_overwrite_of_inputs(path, sources)
    threshold = parse_share(fail_slower, "--fail-slower") if fail_slower is not None else 0.05
    if fail_slower is not None and baseline is None:
        raise UsageError(
            "--fail-slower needs --baseline FILE.json", fix="make one with: lossctl bench --save FILE.json"
        )
    schedule = _schedule(values)
    check(schedule)
    if values["jobs"] is not None:
        _stay_on(values["jobs"])
    from ..kernels.devices import choose_all

    chosen = choose_all(values["device"])
    for device in chosen:
        if device.note and not style.quiet:
            say(f"lossctl: {device.note}")
    with output.destination(style, sources) as writer:
        timings, is_cut_short = _measured(
            schedule._replace(devices=tuple(device.name for device in chosen)), baseline, threshold, save, style
        )
        writer.write(_text(timings, form))
        if plot is not None:
            _draw(timings, plot)
    if is_cut_short:
        output.warn(style, ["interrupted: these are the cases so far"])
        raise KeyboardInterrupt
    if fail_slower is not None and not timings.compared:
        raise DataError(
            f"{baseline} holds none of these cases: --fail-slower has nothing to compare",
            why="a case is its kernel, implementation, device, N, D, K and dtype",
            fix="measure what it holds, or make another with: lossctl bench --save FILE.json",
        )
    if fail_slower is not None and any(against.verdict == "SLOW" for against in timings.compared.values()):
        raise typer.Exit(1)


def _schedule(values: Mapping[str, Any]) -> Schedule:
    """What is measured. UsageError."""
    kernels, impl = values["kernels"], values["impl"]
    return Schedule(
        kernels=tuple(dict.fromkeys(name.replace("_", "-") for name in kernels)) if kernels else KERNELS,
        implementations=None if impl is None else tuple(impl.split(",")),
        sizes=parse_sizes(values["n"], "--n"),
        dims=parse_sizes(values["dim"], "--dim"),
        ks=parse_sizes(values["k"], "--k"),
        dtypes=tuple(values["dtype"].split(",")),
        peers=values["peers"],
        min_time=values["min_time"],
        time_limit=values["time_limit"],
        total_limit=values["total_limit"],
    )


def _check_ending(option: str, path: str | None, endings: Sequence[str]) -> None:
    if path is not None and os.path.splitext(path)[1] not in endings:
        raise UsageError(f"{option} {path}: the ending tells the format", fix=f"use one of {', '.join(endings)}")
    output.out_of_place(path)


def _stay_on(jobs: int) -> None:
    """Keep this process on so many cores, from which every library takes its number of threads."""
    if not hasattr(os, "sched_setaffinity"):
        raise DeviceError("--jobs: this system does not let a process choose its cores", fix="leave --jobs out")
    cores = sorted(os.sched_getaffinity(0))
    if jobs > len(cores):
        raise UsageError(f"--jobs {jobs}: there are {len(cores)} cores", fix=f"use at most {len(cores)}")
    os.sched_setaffinity(0, cores[:jobs])


def _warn_of_load(style: output.Style) -> None:
    """Threads that wait for each other, as torch's do, are much slower where others use the cores."""
    load, cores = (os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0), os.cpu_count() or 1
    if load > 0.5 * cores:
        text = f"the machine is busy (load {load:.1f}, {cores} cores): times are longer than they need be"
        output.warn(style, [text])


def _measured(
    schedule: Schedule, baseline: str | None, threshold: float, save: str | None, style: output.Style
) -> tuple[BenchRun, bool]:
    """All measurements, in the order of the plan, and whether an interrupt cut them short."""
    from ..bench.machine import stamp
    from ..bench.measuring import measure
    from ..bench.records import read_baseline
    from ..show.bench import line

    earlier = read_baseline(baseline) if baseline is not None else None
    environment = stamp(schedule.devices)
    _warn_of_load(style)
    if earlier is not None:
        changes = earlier.differences(environment)
        output.warn(style, [f"the baseline is from elsewhere: {'; '.join(changes)}"] if changes else [])
    known: dict[str, Measurement] = {}
    timings = _timings(known, environment, earlier, threshold)
    is_cut_short = False
    cases = len({case for group in schedule.groups() for case in group})
    try:
        with output.progress(style, cases, "cases") as update, contextlib.redirect_stdout(sys.stderr):  # some talk
            for measurement in measure(schedule):
                known[measurement.case.key] = measurement
                timings = _timings(known, environment, earlier, threshold)
                output.note(style, line(measurement))
                if save is not None:
                    _save(timings, save)
                if update:
                    update(sum(not measurement.is_cold for measurement in known.values()))
    except KeyboardInterrupt:
        is_cut_short = True
    return timings, is_cut_short


def _timings(
    known: dict[str, Measurement], environment: dict[str, str], earlier: Baseline | None, threshold: float
) -> BenchRun:
    from ..show.bench import BenchRun

    compared = {key: earlier.compared(measurement, threshold) for key, measurement in known.items()} if earlier else {}
    return BenchRun(
        tuple(known.values()), environment, {key: change for key, change in compared.items() if change is not None}
    )


def _text(timings: BenchRun, form: str) -> str:
    from ..show import bench as show

    writers = {"json": show.as_json, "ndjson": show.ndjson, "csv": show.as_csv, "md": show.as_markdown}
    if form in writers:
        return writers[form](timings)
    if form != "table":
        return output.sheet_text(show.sheet(timings), form)
    head = "\n".join(output.lines(show.environment_line(timings.environment))) + "\n\n"
    return head + "\n".join(output.sheet_text(sheet, form) for sheet in show.tables(timings))


def _save(timings: BenchRun, path: str) -> None:
    from ..files.writing import atomic_output

    with atomic_output(path) as file:
        file.write(_text(timings, os.path.splitext(path)[1][1:]).encode())


def _draw(timings: BenchRun, path: str) -> None:
    from ..files.writing import atomic_output
    from ..show.bench_plot import draw

    with atomic_output(path) as file:
        draw(timings.measurements, file, os.path.splitext(path)[1][1:])
