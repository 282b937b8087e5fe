"""Time and memory of two sets, a query against a gallery, beside one set with as many pairs.

    python tests/bench/bench_two_sets.py [--n 10000] [--dim 128]

Each case is a process of its own, with one job: the least CPU seconds of two runs, and the most memory beyond what
Python and numpy take. One set of N has N^2 pairs, and so have N queries against a
gallery of N.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
from pathlib import Path

from side_by_side import machine

ROOT = Path(__file__).resolve().parents[2]
WORK = ("triplets", "batch-hard", "batch-all", "mine semi-hard")
SETS = ("one set", "two sets", "one set, kept apart", "two sets, kept apart")
CASE = """
import resource, sys, time
import numpy as np
from functools import partial
from lossctl.losses import embedding
from lossctl.rows.job import KEY_MARK, Pairing
from lossctl.sets import mining
from lossctl.sets.panels import anchor_losses
from lossctl.sets.points import sort_points
from lossctl.sets.triplets import breakdown

work, sets, n, d = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
random = np.random.default_rng(7)
centres = random.normal(size=(n // 20, d))
x, other = (centres[np.arange(n) // 20 % len(centres)] + random.normal(size=(n, d)) for _ in range(2))
y = np.arange(n) // 20 % len(centres)
apart = "apart" in sets
if apart:
    y = np.array([f"{label}{KEY_MARK}{row % 6}" for row, label in enumerate(y.tolist())])
who = Pairing(reference=(other, y) if "two" in sets else None, has_keys=apart)

def run():
    if work == "triplets":
        breakdown(x, y, margins=[0.2], threads=1, who=who)
        return
    points = sort_points(x, y, pairs=who)
    if work == "mine semi-hard":
        for _ in mining.mine_semi_hard(points, threads=1):
            pass
    else:
        anchor_losses(points, partial(getattr(embedding, work.replace("-", "_")), margin=0.2), threads=1)

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before, taken = memory(), []
for _ in range(2):
    start = time.process_time()
    run()
    taken.append(time.process_time() - start)
print(min(taken), memory() - before)
"""


def case(work: str, sets: str, n: int, dim: int) -> tuple[float, float]:
    """CPU seconds and MiB."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CASE, work, sets, str(n), str(dim)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=128)
    options = parser.parse_args()
    print(f"{datetime.date.today()}, N {options.n:,}, D {options.dim}, classes of 20, one job; {machine()}; ", end="")
    print(f"CPU seconds, MiB\n\n| work | {' | '.join(SETS)} |\n| --- |{' ---: |' * len(SETS)}")
    for work in WORK:
        cells = [case(work, sets, options.n, options.dim) for sets in SETS]
        print(f"| {work} | {' | '.join(f'{seconds:.1f} s, {memory:.0f}' for seconds, memory in cells)} |", flush=True)


if __name__ == "__main__":
    main()
