"""Triplets of sets as networks leave them, against the float64 product, and against another checkout of lossctl.

    python tests/bench/bench_sets.py [--before CHECKOUT] [--n 4096] [--k 4 32 half] [--noise 0.5 1.5 30] [--d 128]
        [--sizes equal|zipf] [--unit] [--shared] [--work counts breakdown ...]

Every set has a process of its own with one job, checkout after checkout, round after round: a ratio is that of the
least CPU seconds to those of the product, which is measured in the same process after each. Sets: class centres of
standard deviation 1, and noise around them: at 0.5 no triplet is active at a margin of 0.2, at 30 half of them are.
Classes are of K points, or of sizes by Zipf's law, K in the mean; --unit: on the unit sphere; --shared: the class is a
text, which rows of several classes could share, in masks.
"breakdown" is "counts" with means and histograms of all distances; "mine" is `mine semi-hard` to an NPZ, without its
file but with its summary; "told" is the same with all distances, as Python, CSV and NDJSON have them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from side_by_side import machine

ROOT = Path(__file__).resolve().parents[2]
NOISES = ("0.5", "1.5", "30")
WORK = ("counts", "breakdown", "batch_all", "semi_hard", "mine", "told", "batch_hard")
CASE = """
import inspect, sys, time
import numpy as np
from functools import partial
from lossctl.api.mine import MiningSummary
from lossctl.losses import embedding
from lossctl.rows.job import Pairing
from lossctl.sets.mining import mine_semi_hard
from lossctl.sets.panels import anchor_losses
from lossctl.sets.points import sort_points
from lossctl.sets.triplets import breakdown

n, k, noise, d = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
random = np.random.default_rng(7)
classes = -(-n // k)
y = np.arange(n) // k
if sys.argv[5] == "zipf":
    shares = 1 / np.arange(1, classes + 1)
    y = random.choice(classes, n, p=shares / shares.sum())
x = random.normal(size=(classes, d))[y] + noise * random.normal(size=(n, d))
if sys.argv[6] == "unit":
    x /= np.linalg.norm(x, axis=1, keepdims=True)
x = x.astype(np.float32)
pairs = Pairing(sharing="any" if sys.argv[7] == "shared" else "")
if pairs.sharing:
    y = y.astype(str)
wide, out = x.astype(np.float64), np.empty((256, n))

def product():
    for start in range(0, n, 256):
        rows = wide[start : start + 256]
        np.matmul(rows, wide.T, out=out[: len(rows)])

def work(name):
    if name in ("counts", "breakdown"):
        breakdown(x, y, margins=[0.2], threads=1, who=pairs, **({"bins": 0} if name == "counts" else {}))
    elif name in ("mine", "told"):
        how = {"is_told": False} if name == "mine" and "is_told" in inspect.signature(mine_semi_hard).parameters else {}
        summary = MiningSummary("semi-hard", "")
        for block in mine_semi_hard(sort_points(x, y, pairs=pairs), margin=0.2, threads=1, **how):
            summary = summary.beside(block, 0.2)
    else:
        anchor_losses(sort_points(x, y, pairs=pairs), partial(getattr(embedding, name), margin=0.2), threads=1)

def least(function):
    function()
    taken = []
    for _ in range(2):
        before = time.process_time()
        function()
        taken.append(time.process_time() - before)
    return min(taken)

for name in sys.argv[8:]:
    print(least(partial(work, name)) / least(product), flush=True)
"""


def ratios(checkout: Path, case: list[str], work: list[str]) -> list[float]:
    """Of each work, in one checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", CASE, *case, *work]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return [float(line) for line in output.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    parser.add_argument("--n", type=int, default=4096)
    parser.add_argument("--k", nargs="+", default=["4", "32", "half"], help="points of a class; half: of the set")
    parser.add_argument("--noise", nargs="+", default=NOISES)
    parser.add_argument("--d", default="128", help="columns")
    parser.add_argument("--sizes", choices=("equal", "zipf"), default="equal")
    parser.add_argument("--unit", action="store_true")
    parser.add_argument("--shared", action="store_true", help="rows may have several classes")
    parser.add_argument("--work", nargs="+", default=WORK, choices=WORK)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    checkouts = {"before": options.before, "now": ROOT} if options.before else {"now": ROOT}
    kind = [options.sizes, "unit" if options.unit else "free", "shared" if options.shared else "own"]
    print(f"N {options.n:,}, D {options.d}, {', '.join(kind)}, one job; {machine()}; CPU seconds to the product's\n")
    print(f"| noise | K | work | {' | '.join(checkouts)} |\n| ---: | ---: | --- |{' ---: |' * len(checkouts)}")
    for k in (str(options.n // 2) if k == "half" else k for k in options.k):
        for noise in options.noise:
            case = [str(options.n), k, noise, options.d, *kind]
            rounds = [[ratios(path, case, options.work) for path in checkouts.values()] for _ in range(options.rounds)]
            for place, name in enumerate(options.work):
                cells = [min(of[path][place] for of in rounds) for path in range(len(checkouts))]
                print(f"| {noise} | {k} | {name} | {' | '.join(f'{cell:.2f}' for cell in cells)} |", flush=True)


if __name__ == "__main__":
    main()
