"""Commands timed in turn, A B C A B C ..., each in a process of its own, with the memory that it took."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field


@dataclass
class Case:
    """One command and what its runs took: wall and CPU seconds, and the peak of its resident memory in MB."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: float = 0.0
    output: str = ""


def run(cases: list[Case], repeats: int, warmups: int = 1) -> None:
    """Run all cases in turn, `repeats` times after the warm-ups."""
    for turn in range(repeats + warmups):
        for case in cases:
            wall, cpu, peak, case.output = _once(case)
            if turn >= warmups:
                case.wall.append(wall)
                case.cpu.append(cpu)
                case.peak = max(case.peak, peak)


def _once(case: Case) -> tuple[float, float, float, str]:
    started = time.perf_counter()
    process = subprocess.Popen(
        case.command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env={**os.environ, **case.environment}
    )
    assert process.stdout is not None
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{case.name}: exit {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output.strip()


def median(samples: list[float]) -> float:
    """The median, as printed."""
    return statistics.median(samples)


def machine() -> str:
    """One line about where the figures come from."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown CPU")
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores; Python {platform.python_version()}; {time.strftime('%Y-%m-%d')}"


def python(code: str, *arguments: str) -> list[str]:
    """A command that runs a line of Python."""
    return [sys.executable, "-c", code, *arguments]
