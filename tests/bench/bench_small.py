"""Batches as training sees them, N 64 to 1,000, and exact sums: ours beside the naive way, in turn, on one core.

    python tests/bench/bench_small.py [--before CHECKOUT]

A checkout of an older state gives a second column. Each of both states runs twice, in turn, in a process of its own;
figures are the least of all turns, since other programs only ever add.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from side_by_side import machine

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 1.0


def pairs() -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """What is timed: its name, ours, the naive way."""
    import numpy as np

    from lossctl.bench.cases import Case
    from lossctl.bench.contenders import contender
    from lossctl.bench.inputs import make
    from lossctl.rows import sums

    for kernel, sizes in {"batch-hard": (64, 256, 1000), "batch-all": (64, 256), "semi-hard": (64, 256)}.items():
        for n in sizes:
            runs = []
            for implementation in ("panel", "naive"):
                case = Case(kernel, implementation, "cpu", n, 128, 4, "float32")
                ways = contender(case)
                inputs = ways.place(make(case, 0))
                runs.append(lambda ways=ways, inputs=inputs: ways.run(inputs))
            yield f"{kernel}, N {n}", runs[0], runs[1]
    values = np.random.default_rng(0).random(1 << 17) ** 2
    yield "exact sum of 131,072 values, beside np.sum", lambda: sums.total(values), values.sum


def measure() -> dict[str, tuple[float, float]]:
    """The least milliseconds of ours and of the naive way, by name."""
    import torch

    torch.set_num_threads(1)
    least = {}
    for name, *ways in pairs():
        times: list[list[float]] = [[], []]
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until or len(times[0]) < 3:
            for way, samples in zip(ways, times, strict=True):
                started = time.perf_counter()
                way()
                samples.append(1e3 * (time.perf_counter() - started))
        least[name] = (min(times[0]), min(times[1]))
    return least


def child(checkout: Path) -> dict[str, tuple[float, float]]:
    """What `measure` gives for the package of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--measure"]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="the folder of an older checkout")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if options.measure:
        print(json.dumps(measure()))
        return
    checkouts = {"before": options.before.resolve()} if options.before else {}
    checkouts["now"] = ROOT
    turns = [{state: child(checkout) for state, checkout in checkouts.items()} for _ in range(2)]
    print(f"# Small batches beside the naive way\n\n{machine()}\n")
    print(f"| what | naive, ms | {' | '.join(f'{state}, ms | to naive' for state in checkouts)} |")
    print("| ---- |" + " ---: |" * (1 + 2 * len(checkouts)))
    for name in turns[0]["now"]:
        naive = min(turn[state][name][1] for turn in turns for state in checkouts)
        ours = (min(turn[state][name][0] for turn in turns) for state in checkouts)
        print(f"| {name} | {naive:.2f} | {' | '.join(f'{least:.2f} | {least / naive:.2f}' for least in ours)} |")


if __name__ == "__main__":
    main()
