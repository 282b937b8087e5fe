"""Sets full of ties: triplets, losses and mining in CPU seconds, against another checkout, and counts against integers.

    python tests/bench/bench_ties.py [--before CHECKOUT] [--n 2000] [--limit 60]

Each piece of work has a process of its own with one job. Classes: 20, drawn. "right": whether hard triplets of whole
numbers are as many as integers say: squared distances, or squared cosines as fractions, which float64 tells apart.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from side_by_side import machine

ROOT = Path(__file__).resolve().parents[2]
SETS = ("signs", "bits", "one-hot", "counts", "bytes", "one apart", "twice")
METRICS = ("euclidean", "cosine")
WORK = ("triplets", "batch_all", "semi_hard", "batch_hard", "mine")
CASE = """
import sys, time
import numpy as np
from functools import partial
from lossctl.losses import embedding
from lossctl.sets.mining import mine_semi_hard
from lossctl.sets.panels import anchor_losses
from lossctl.sets.points import sort_points
from lossctl.sets.triplets import breakdown

n, kind, metric = int(sys.argv[1]), sys.argv[2], sys.argv[3]
random = np.random.default_rng(5)
x = {
    "signs": lambda: random.choice([-1, 1], (n, 32)),
    "bits": lambda: random.integers(0, 2, (n, 64)),
    "one-hot": lambda: np.eye(50, dtype=int)[random.integers(0, 50, n)],
    "counts": lambda: random.poisson(2, (n, 40)),
    "bytes": lambda: random.integers(-128, 128, (n, 128)),
    "one apart": lambda: np.where(np.arange(n)[:, None] < n - 1, 0.3, 0.7) * np.ones((1, 32)),
    "twice": lambda: np.tile(random.normal(size=(n // 2, 32)), (2, 1)),
}[kind]()
y = random.integers(0, 20, n)

def hard():
    total, norms = 0, (x * x).sum(axis=1)
    for a in range(n):
        dots = x @ x[a]
        keys = norms - 2 * dots if metric == "euclidean" else -dots * abs(dots) / norms
        own = (y == y[a]) & (np.arange(n) != a)
        total += int(np.sort(keys[y != y[a]]).searchsorted(keys[own], "right").sum())
    return total

def work(name):
    if name == "triplets":
        return breakdown(x.astype(float), y, margins=[0.2], metric=metric, threads=1)
    points = sort_points(x.astype(float), y, metric=metric)
    if name == "mine":
        return sum(map(len, mine_semi_hard(points, margin=0.2, threads=1)))
    return anchor_losses(points, partial(getattr(embedding, name), margin=0.2), threads=1)

for name in sys.argv[4:]:
    before = time.process_time()
    answer = work(name)
    print(f"{time.process_time() - before:.2f}", flush=True)
    if name == "triplets":
        is_whole = x.dtype.kind == "i"
        print("-" if not is_whole else "yes" if answer.margins[0].categories.hard == hard() else "NO", flush=True)
"""


def seconds(checkout: Path, n: int, kind: str, metric: str, limit: float) -> list[str]:
    """Of each of WORK, and whether the counts are right, in one checkout; what takes longer than the limit says so."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    cells: list[str] = []
    for name in WORK:
        command = [sys.executable, "-P", "-c", CASE, str(n), kind, metric, name]
        try:
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=limit)
            cells += run.stdout.split()
        except subprocess.TimeoutExpired:
            cells += [f"> {limit:g}", "-"][: 2 if name == "triplets" else 1]
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for each")
    options = parser.parse_args()
    checkouts = {"before": options.before, "now": ROOT} if options.before else {"now": ROOT}
    names = [WORK[0], "right", *WORK[1:]]
    print(f"N {options.n:,}, 20 classes, one job; {machine()}; CPU seconds\n")
    print(f"| set | distance | | {' | '.join(names)} |\n| --- | --- | --- |{' ---: |' * len(names)}")
    for kind in SETS:
        for metric in METRICS:
            for state, path in checkouts.items():
                cells = seconds(path, options.n, kind, metric, options.limit)
                print(f"| {kind} | {metric} | {state} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
