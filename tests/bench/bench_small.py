"""Batches as training sees them, N 64 to 1,024, and exact sums: ours beside the naive ways, in turn, on one core.

    python tests/bench/bench_small.py [--before CHECKOUT]

A checkout of an older state gives a second column. Each of both states runs twice, in turn, in a process of its own;
figures are the least processor time of all turns, since other programs only ever add. "call" is `lossctl.compute` or
`lossctl.triplets` with its checks, remarks and histograms; the others are what `lossctl bench` times.
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
SECONDS = 0.3  # of processor time, so that a busy machine leaves as many turns as an idle one
SIZES, CUBED = (64, 256, 1024), 256  # points; of so many at most the naive ways hold all triplets


Way = Callable[[], object]


def rows() -> Iterator[tuple[str, Way, Way | None, Way | None]]:
    """What is timed: its name, ours, the naive way in torch and in numpy, where there is one that memory bears."""
    import numpy as np

    from lossctl.rows import sums

    yield from _of_bench()
    for n in SIZES:
        yield from _calls(n)
    values = np.random.default_rng(0).random(1 << 17) ** 2
    yield "exact sum of 131,072 values", lambda: sums.total(values), None, values.sum


def _of_bench() -> Iterator[tuple[str, Way, Way | None, Way | None]]:
    from lossctl.bench.cases import Case
    from lossctl.bench.contenders import contender
    from lossctl.bench.inputs import make

    for kernel, sizes in {"batch-hard": (64, 256, 1024), "batch-all": (64, 256), "semi-hard": (64, 256)}.items():
        for n in sizes:
            runs = []
            for implementation in ("panel", "naive"):
                case = Case(kernel, implementation, "cpu", n, 128, 4, "float32")
                ways = contender(case)
                inputs = ways.place(make(case, 0))
                runs.append(lambda ways=ways, inputs=inputs: ways.run(inputs))
            yield f"{kernel}, N {n}", runs[0], runs[1], None


def _calls(n: int) -> Iterator[tuple[str, Way, Way | None, Way | None]]:
    """Calls from Python of one batch, beside the few lines that people write."""
    import numpy as np
    import torch

    import lossctl

    x = np.random.default_rng(0).normal(size=(n, 128)).astype(np.float32)
    label, view = np.arange(n) // 4, np.arange(n) % (n // 2)
    tx, ty = torch.from_numpy(x), torch.from_numpy(label)
    is_self, of_view = np.eye(n, dtype=bool), torch.arange(n).roll(n // 2)

    def torch_hard() -> object:
        d, same = torch.cdist(tx, tx), ty[:, None] == ty
        far = torch.where(same, d, -torch.inf).amax(1)
        return (far - torch.where(same, torch.inf, d).amin(1) + 0.2).clamp(min=0).mean()

    def numpy_distances() -> np.ndarray:
        norms = (x * x).sum(axis=1)
        return np.sqrt(np.maximum(norms[:, None] + norms - 2 * x @ x.T, 0))

    def numpy_hard() -> object:
        d, same = numpy_distances(), label[:, None] == label
        far = np.where(same, d, -np.inf).max(axis=1)
        return np.maximum(far - np.where(same, np.inf, d).min(axis=1) + 0.2, 0).mean()

    def torch_all() -> object:
        d, same = torch.cdist(tx, tx), ty[:, None] == ty
        mask = (same & ~torch.from_numpy(is_self))[:, :, None] & ~same[:, None, :]
        return ((d[:, :, None] - d[:, None, :] + 0.2).clamp(min=0) * mask).sum()

    def numpy_all() -> object:
        d, same = numpy_distances(), label[:, None] == label
        mask = (same & ~is_self)[:, :, None] & ~same[:, None, :]
        return (np.maximum(d[:, :, None] - d[:, None, :] + 0.2, 0) * mask).sum()

    def torch_views() -> object:
        z = torch.nn.functional.normalize(tx, dim=1)
        logits = (z @ z.T / 0.1).masked_fill(torch.from_numpy(is_self), -torch.inf)
        return torch.nn.functional.cross_entropy(logits, of_view)

    def numpy_views() -> object:
        z = x / np.sqrt((x * x).sum(axis=1))[:, None]
        logits = np.where(is_self, -np.inf, z @ z.T / 0.1)
        top = logits.max(axis=1)
        return (top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - logits[np.arange(n), of_view.numpy()]).mean()

    triples = (torch_all, numpy_all) if n <= CUBED else (None, None)
    call = lossctl.compute
    yield f"call of batch-hard, N {n}", lambda: call("batch-hard:margin=0.2", x, label), torch_hard, numpy_hard
    yield f"call of batch-all, N {n}", lambda: call("batch-all:margin=0.2", x, label), *triples
    yield f"call of semi-hard, N {n}", lambda: call("semi-hard:margin=0.2", x, label), *triples
    yield f"call of triplets, N {n}", lambda: lossctl.triplets(x, label, margin=0.2), *triples
    yield f"call of nt-xent, N {n}", lambda: call("nt-xent:temperature=0.1", x, view), torch_views, numpy_views


def measure() -> dict[str, list[float | None]]:
    """The least milliseconds of processor time of ours and of the naive ways, by name."""
    import torch

    torch.set_num_threads(1)
    least: dict[str, list[float | None]] = {}
    for name, *ways in rows():
        times: list[list[float]] = [[] for _ in ways]
        until = time.process_time() + SECONDS
        while time.process_time() < until or len(times[0]) < 3:
            for way, samples in zip(ways, times, strict=True):
                if way is not None:
                    started = time.process_time()
                    way()
                    samples.append(1e3 * (time.process_time() - started))
        least[name] = [min(samples, default=None) for samples in times]
    return least


def child(checkout: Path) -> dict[str, list[float | None]]:
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
    print(f"| what | torch, ms | numpy, ms | {' | '.join(f'{state}, ms | to torch' for state in checkouts)} |")
    print("| ---- |" + " ---: |" * (2 + 2 * len(checkouts)))
    for name in turns[0]["now"]:
        torch_way, numpy_way = (
            min((turn[state][name][k] for turn in turns for state in checkouts), key=lambda ms: ms or 0) for k in (1, 2)
        )
        cells = [_cell(torch_way), _cell(numpy_way)]
        for state in checkouts:
            least = min(turn[state][name][0] for turn in turns)
            cells += [_cell(least), _cell(None if torch_way is None else least / torch_way)]
        print(f"| {name} | {' | '.join(cells)} |")


def _cell(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"


if __name__ == "__main__":
    main()
