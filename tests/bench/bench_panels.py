"""Embedding sets against the plain product of the same size, and against what others offer, side by side in one run.

    python tests/bench/bench_panels.py [--quick] [--n 4096,16384] [--dim 128] [--k 4] [--ours-only]

Every contender runs in a process of its own, again and again for two seconds (at least three times after a first run,
once if that takes ten seconds): its least time, its least CPU seconds, and the peak of memory. Ratios are of CPU
seconds, to the product of the same precision, which is measured anew just before each of our own: they hold on a
machine that others use too. A contender that is not installed, or runs out of memory, is a row that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEMORY_BYTES = 14 << 30
MARGIN = 0.2
LEAST_SECONDS = 2.0


def embeddings(n: int, dim: int, k: int, dtype: str):
    """Random directions, k of each class."""
    import numpy as np

    x = np.random.default_rng(0).standard_normal((n, dim))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(dtype), np.arange(n) // k


# ---------------------------------------------------------------------------------------------------------- contenders


def product(dtype):
    """What every other time is compared with: all products, block by block, nothing done with them."""

    def setup(n, dim, k):
        import numpy as np

        from lossctl.rows.workers import ordered_map
        from lossctl.sets.panels import default_threads
        from lossctl.sets.scratch import Scratch

        x, _ = embeddings(n, dim, k, dtype)
        scratch = Scratch()

        def block(start):
            rows = x[start : start + 256]
            np.matmul(rows, x.T, out=scratch.array("product", (len(rows), n), x.dtype))

        return lambda: list(ordered_map(block, range(0, n, 256), default_threads()))

    return setup


def ours(name):
    def setup(n, dim, k):
        from lossctl.losses import embedding
        from lossctl.sets.panels import anchor_losses
        from lossctl.sets.points import sort_points

        x, labels = embeddings(n, dim, k, "float32")
        return lambda: anchor_losses(sort_points(x, labels), getattr(embedding, name))

    return setup


def our_breakdown(n, dim, k):
    from lossctl.sets.triplets import breakdown

    x, labels = embeddings(n, dim, k, "float32")

    def run():
        assert breakdown(x, labels, margins=[MARGIN]).certified

    return run


def our_mining(strategy):
    def setup(n, dim, k):
        from lossctl.sets.points import sort_points
        from lossctl.sets.strategies import STRATEGIES

        x, labels = embeddings(n, dim, k, "float32")
        return lambda: sum(len(block) for block in STRATEGIES[strategy].mine(sort_points(x, labels), margin=MARGIN))

    return setup


def plain_counts(n, dim, k):
    """Category counts and batch-all as one would write them well: float32 products, a sort, two searches."""
    import numpy as np

    from lossctl.rows.workers import ordered_map
    from lossctl.sets.panels import default_threads

    x, _ = embeddings(n, dim, k, "float32")
    norms = np.einsum("ij,ij->i", x, x)

    def block(start):
        rows = x[start : start + 64]
        squares = rows @ x.T
        squares *= -2
        squares += norms
        squares += norms[start : start + 64, None]
        np.maximum(squares, 0, out=squares)
        hard = costly = loss = 0
        for i, line in enumerate(squares):
            own = slice((start + i) // k * k, (start + i) // k * k + k)
            d_ap = np.sqrt(np.delete(line[own], start + i - own.start))
            line[own] = np.inf
            line.sort()
            hard += int(line.searchsorted(d_ap * d_ap, "right").sum())
            reach = line.searchsorted((d_ap + MARGIN) ** 2)
            sums = np.concatenate([[0], np.cumsum(np.sqrt(line[: reach.max()]), dtype=np.float64)])
            costly += int(reach.sum())
            loss += float((reach * (d_ap + MARGIN) - sums[reach]).sum())
        return hard, costly, loss

    return lambda: list(ordered_map(block, range(0, n, 64), default_threads()))


def pytorch_metric_learning(name):
    def setup(n, dim, k):
        import torch
        from pytorch_metric_learning import distances, losses, miners

        x, labels = map(torch.tensor, embeddings(n, dim, k, "float32"))
        raw = distances.LpDistance(normalize_embeddings=False)
        loss = losses.TripletMarginLoss(margin=MARGIN, distance=raw)
        miner = miners.BatchHardMiner(distance=raw)
        if name == "batch-hard":
            return lambda: float(loss(x, labels, miner(x, labels)))
        return lambda: float(loss(x, labels))

    return setup


def sentence_transformers(name):
    def setup(n, dim, k):
        import torch
        from sentence_transformers import losses

        kind = {
            "batch-hard": losses.BatchHardTripletLoss,
            "batch-all": losses.BatchAllTripletLoss,
            "semi-hard": losses.BatchSemiHardTripletLoss,
        }[name]
        x, labels = map(torch.tensor, embeddings(n, dim, k, "float32"))
        loss = kind(None, margin=MARGIN)
        work = {
            "batch-hard": "batch_hard_triplet_loss",
            "batch-all": "batch_all_triplet_loss",
            "semi-hard": "batch_semi_hard_triplet_loss",
        }[name]
        return lambda: float(getattr(loss, work)(labels, x))

    return setup


def scikit_learn(n, dim, k):
    import numpy as np
    from sklearn.metrics import pairwise_distances_chunked

    x, labels = embeddings(n, dim, k, "float32")

    def reduce(d, start):
        same = labels[start : start + len(d), None] == labels
        return np.where(same, d, -np.inf).max(axis=1) - np.where(same, np.inf, d).min(axis=1)

    return lambda: np.concatenate(list(pairwise_distances_chunked(x, reduce_func=reduce, working_memory=64)))


def faiss(n, dim, k):
    import faiss

    x, _ = embeddings(n, dim, k, "float32")

    def run():
        index = faiss.IndexFlatL2(dim)
        index.add(x)
        index.search(x, k + 1)

    return run


def keops(n, dim, k):
    import torch
    from pykeops.torch import LazyTensor

    x, labels = map(torch.tensor, embeddings(n, dim, k, "float32"))
    y = labels.float()[:, None]

    def run():
        d = ((LazyTensor(x[:, None]) - LazyTensor(x[None])) ** 2).sum(-1)
        same = (-((LazyTensor(y[:, None, :]) - LazyTensor(y[None, :, :])) ** 2).sum(-1) + 0.25).step()
        (d * same).max(dim=1), (d + 1e6 * same).min(dim=1)

    return run


Setup = Callable[[int, int, int], Callable[[], object]]
CONTENDERS: dict[str, tuple[str, str, Setup]] = {  # name: group, what it is compared with, how it is made
    "product float32": ("product", "product float32", product("float32")),
    "product float64": ("product", "product float64", product("float64")),
    "lossctl batch-hard": ("batch-hard", "product float64", ours("batch_hard")),
    "lossctl mine batch-hard": ("batch-hard", "product float64", our_mining("batch-hard")),
    "pytorch-metric-learning batch-hard": ("batch-hard", "product float32", pytorch_metric_learning("batch-hard")),
    "sentence-transformers batch-hard": ("batch-hard", "product float32", sentence_transformers("batch-hard")),
    "scikit-learn batch-hard": ("batch-hard", "product float32", scikit_learn),
    "faiss (nearest only)": ("batch-hard", "product float32", faiss),
    "keops batch-hard": ("batch-hard", "product float32", keops),
    "lossctl batch-all": ("batch-all", "product float64", ours("batch_all")),
    "lossctl batch-all + certified counts": ("batch-all", "product float64", our_breakdown),
    "plain float32 sort, uncertified": ("batch-all", "product float32", plain_counts),
    "pytorch-metric-learning batch-all": ("batch-all", "product float32", pytorch_metric_learning("batch-all")),
    "sentence-transformers batch-all": ("batch-all", "product float32", sentence_transformers("batch-all")),
    "lossctl semi-hard": ("semi-hard", "product float64", ours("semi_hard")),
    "lossctl mine semi-hard": ("semi-hard", "product float64", our_mining("semi-hard")),
    "sentence-transformers semi-hard": ("semi-hard", "product float32", sentence_transformers("semi-hard")),
}


# ----------------------------------------------------------------------------------------------------------- measuring


def run_one(name: str, n: int, dim: int, k: int) -> None:
    """Measure one contender in this process, and print the measurement as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        run = CONTENDERS[name][2](n, dim, k)
        walls, cpus = [], []
        while len(walls) < 4 or sum(walls) < LEAST_SECONDS:
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
            if walls[0] > 10:
                break
        least = 1 if len(walls) > 1 else 0  # the first run warms up
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(json.dumps({"wall": min(walls[least:]), "cpu": min(cpus[least:]), "peak": peak}))
    except ImportError as error:
        print(json.dumps({"failed": f"not installed ({error.name})"}))
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        print(json.dumps({"failed": "out of memory" if not text or "memory" in text.lower() else text}))


def measured(name: str, n: int, dim: int, k: int, limit_seconds: float) -> dict[str, float | str]:
    """One contender, measured in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if name.startswith(("lossctl", "product", "plain")):
        environment["OPENBLAS_NUM_THREADS"] = "1"
    command = [sys.executable, __file__, "--one", name, "--n", str(n), "--dim", str(dim), "--k", str(k)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit_seconds)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done in {limit_seconds:.0f} s"}
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else {"failed": (done.stderr.strip().splitlines() or ["killed"])[-1]}


def table(n: int, dim: int, k: int, names: list[str], limit_seconds: float) -> None:
    """Measure, and print a row for each contender as it comes."""
    print(f"\nN {n:,}, D {dim}, K {k}; {len(os.sched_getaffinity(0))} cores; {date.today()}\n")
    print(f"| {'contender':<36} | wall s | CPU s | x product | peak MB |")
    print(f"|{'-' * 38}|-------:|------:|----------:|--------:|")
    bases: dict[str, dict[str, float | str]] = {}
    for name in names:
        base_name = CONTENDERS[name][1]
        if name != base_name and (base_name not in bases or name.startswith(("lossctl", "plain"))):
            bases[base_name] = measured(base_name, n, dim, k, limit_seconds)
        cost = measured(name, n, dim, k, limit_seconds)
        if name == base_name:
            bases[name] = cost
        if "failed" in cost:
            print(f"| {name:<36} | {cost['failed']} | | | |", flush=True)
            continue
        base = bases[base_name]
        ratio = f"{cost['cpu'] / base['cpu']:9.2f}" if "cpu" in base else " " * 9
        print(f"| {name:<36} | {cost['wall']:6.3f} | {cost['cpu']:5.2f} | {ratio} | {cost['peak']:7,} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="N 2048 only")
    parser.add_argument("--n", default="4096,16384")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds a contender may take")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(arguments.one, int(arguments.n), arguments.dim, arguments.k)
        return
    names = [name for name in CONTENDERS if not arguments.ours_only or name.startswith(("product", "lossctl", "plain"))]
    for n in [2048] if arguments.quick else [int(text) for text in arguments.n.split(",")]:
        table(n, arguments.dim, arguments.k, names, arguments.limit)


if __name__ == "__main__":
    main()
