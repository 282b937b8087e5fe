"""The loop: each case once on trial, then all of a group in turn, round after round, on inputs that change."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from . import clocks
from .answers import Correctness
from .cases import IMPLEMENTATIONS, PRODUCT, Case, Schedule, bytes_needed, seconds_expected
from .contenders import Contender, Unavailable, contender
from .inputs import Inputs, rotation
from .peers import peer
from .records import Measurement

FEWEST, MOST = 3, 300  # samples a case
SHARE_OF_MEMORY = 0.6  # of what is free; the rest is left to others, and to estimates that are too low
Maker = Callable[[Case], Contender]


def measure(schedule: Schedule, maker: Maker | None = None) -> Iterator[Measurement]:
    """Measurements as they come: a case is there after its trial run, and again with more samples after its rounds.

    maker: makes the contender of a case, those of lossctl and its peers unless given
    An interrupt (KeyboardInterrupt) first gives the samples taken so far.
    """
    known: list[tuple[Case, float]] = []
    end = time.monotonic() + schedule.total_limit
    products: dict[Case, tuple[float, ...]] = {}
    for group in schedule.groups():
        inputs = rotation(group[0], tuple(case.device for case in group if case.kernel == PRODUCT))
        running: list[_Meter] = []
        for case in group:
            if time.monotonic() > end:
                if case not in products:
                    yield Measurement(case, f"not run: {schedule.total_limit:g} s were over")
                continue
            trial = _tried(case, inputs, schedule, known, maker or _maker)
            if isinstance(trial, _Meter):
                running.append(trial)
                if case not in products:
                    yield trial.measured({})
            elif case not in products:
                yield trial
        try:
            _rounds(running, inputs, schedule, end)
        except KeyboardInterrupt:
            yield from _group_measured(running, products)
            raise
        yield from _group_measured(running, products)
        known += [(run.case, min(run.seconds or [run.trial_seconds])) for run in running]
        for device in {case.device for case in group}:
            clocks.release(device)


def _maker(case: Case) -> Contender:
    return contender(case) if case.kernel == PRODUCT or case.implementation in IMPLEMENTATIONS else peer(case)


@dataclass
class _Meter:
    """A case that passed its trial. spent: seconds so far, trial included; seconds: the samples."""

    case: Case
    contender: Contender
    trial_seconds: float
    peak_bytes: int | None
    spent: float
    correctness: Correctness | None = None
    seconds: list[float] = field(default_factory=list)
    is_stopped: bool = False

    def wants_more(self, schedule: Schedule) -> bool:
        """Whether another sample is needed, and can be had in time."""
        if self.is_stopped or len(self.seconds) >= MOST or self.spent + self.trial_seconds > schedule.time_limit:
            return False
        return len(self.seconds) < FEWEST or sum(self.seconds) < schedule.min_time

    def measured(self, products: dict[str, float]) -> Measurement:
        """What is known by now; products: the median of each device's product."""
        return Measurement(
            case=self.case,
            seconds=tuple(self.seconds or [self.trial_seconds]),
            is_cold=not self.seconds,
            product_seconds=products.get(self.case.device),
            peak_bytes=self.peak_bytes,
            error=None if self.correctness is None else self.correctness.error,
            wrong=None if self.correctness is None else self.correctness.wrong,
            checked=None if self.correctness is None else self.correctness.checked,
        )


def _group_measured(running: Sequence[_Meter], products: dict[Case, tuple[float, ...]]) -> Iterator[Measurement]:
    """The group's cases; the product of the same data gathers its samples over the kernels."""
    medians = {
        run.case.device: statistics.median(run.seconds or [run.trial_seconds])
        for run in running
        if run.case.kernel == PRODUCT
    }
    for run in running:
        measurement = run.measured(medians)
        if run.case.kernel == PRODUCT:
            measurement = replace(measurement, seconds=products.get(run.case, ()) + measurement.seconds)
            products[run.case] = measurement.seconds
        yield measurement


def _tried(
    case: Case, inputs: list[Inputs], schedule: Schedule, known: Sequence[tuple[Case, float]], maker: Maker
) -> _Meter | Measurement:
    """The first run: it warms up, shows what memory is needed, and is judged. A Measurement says why there is none."""
    needed, free = bytes_needed(case), clocks.bytes_free(case.device)
    if free is not None and needed > SHARE_OF_MEMORY * free:
        return Measurement(case, f"out of memory: needs about {in_bytes(needed)}, {in_bytes(free)} are free")
    expected = seconds_expected(case, known)
    if expected > schedule.time_limit:
        return Measurement(case, f"not run: about {expected:.0f} s, the limit is {schedule.time_limit:g} s")
    try:
        contender = maker(case)
        with clocks.limited(schedule.time_limit):
            first, answer = _first_run(case, contender, inputs[0])
        first.correctness = contender.judge(inputs[0], answer) if contender.judge else None
        return first
    except Unavailable as fault:
        return Measurement(case, f"not available: {fault}")
    except clocks.TimeUp:
        return Measurement(case, f"stopped after {schedule.time_limit:g} s")
    except Exception as fault:  # one case that fails must not cost the others
        if clocks.is_out_of_memory(fault):
            return Measurement(case, "out of memory")
        if os.environ.get("LOSSCTL_DEBUG"):
            raise
        return Measurement(case, f"failed: {type(fault).__name__}: {' '.join(str(fault).split())[:120]}")
    finally:
        clocks.release(case.device)


def _first_run(case: Case, contender: Contender, inputs: Inputs) -> tuple[_Meter, Any]:
    placed = contender.place(inputs)
    if case.device != "cpu":
        contender.run(placed)  # compiles
    peak, (seconds, answer) = clocks.weighed(
        lambda: clocks.timed(partial(contender.run, placed), case.device), case.device
    )
    return _Meter(case, contender, seconds, peak, spent=seconds), answer


def _rounds(running: Sequence[_Meter], inputs: Sequence[Inputs], schedule: Schedule, end: float) -> None:
    """Samples in turn, until each case has enough, or the time is over.

    The first round is a warm-up for short cases and not counted.
    """
    for turn in range(MOST + 1):
        waiting = [run for run in running if run.wants_more(schedule)]
        if not waiting or time.monotonic() > end:
            return
        for run in waiting:
            if time.monotonic() > end:
                return
            _sample(
                run,
                inputs[turn % len(inputs)],
                schedule,
                is_warm_up=turn == 0 and run.trial_seconds < schedule.min_time,
            )


def _sample(run: _Meter, inputs: Inputs, schedule: Schedule, *, is_warm_up: bool) -> None:
    placed = run.contender.place(inputs)
    try:
        with clocks.limited(schedule.time_limit - run.spent):
            seconds, _ = clocks.timed(partial(run.contender.run, placed), run.case.device)
    except clocks.TimeUp:
        run.is_stopped = True
        return
    except Exception as fault:
        if not clocks.is_out_of_memory(fault):
            raise
        run.is_stopped = True  # the memory was enough a moment ago: keep what there is
        return
    run.spent += seconds
    if not is_warm_up:
        run.seconds.append(seconds)


def in_bytes(count: float) -> str:
    """A number of bytes for a person: 1.3 TB."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.3g} {unit}"
