"""The bootstrap of a million losses, beside the same thing as matrix products in numpy. Prints a table.

    python tests/bench/bench_bootstrap.py [ROWS] [RESAMPLES]

The peers: Poisson weights drawn by numpy, block by block, times the block (the streaming formulation); and the product
alone, with weights that are there already (a floor that no bootstrap reaches).
"""

import os
import sys
import threading
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from lossctl.api import compute as assess
from lossctl.language import registry

BLOCK = 4096


def by_poisson(values: np.ndarray, resamples: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    columns = np.stack([values, np.ones(len(values))], axis=1)
    sums = np.zeros((resamples, 2))
    for start in range(0, len(values), BLOCK):
        block = columns[start : start + BLOCK]
        sums += rng.poisson(1.0, (resamples, len(block))).astype(np.float64) @ block
    return sums[:, 0] / sums[:, 1]


def by_product_alone(values: np.ndarray, resamples: int) -> np.ndarray:
    weights = np.random.default_rng(0).poisson(1.0, (resamples, BLOCK)).astype(np.float64)
    columns = np.stack([values, np.ones(len(values))], axis=1)
    sums = np.zeros((resamples, 2))
    for start in range(0, len(values) - BLOCK + 1, BLOCK):
        sums += weights @ columns[start : start + BLOCK]
    return sums[:, 0] / sums[:, 1]


def by_lossctl(pred: np.ndarray, resamples: int, jobs: int) -> assess.Result:
    requests = [assess.Request(registry.parse("mse"), {}, [pred, np.zeros(len(pred))])]
    with assess.prepared(requests, jobs=jobs) as shared:
        return assess.results(shared, assess.Confidence(resamples=resamples))[0]


def anonymous_bytes() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


class Peak:
    """The most anonymous memory while the block runs, sampled every 5 ms, above what there was."""

    def __enter__(self) -> "Peak":
        self.before, self.most, self.stop = anonymous_bytes(), 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self) -> None:
        while not self.stop.wait(0.005):
            self.most = max(self.most, anonymous_bytes() - self.before)

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()


def main(rows: int = 1_000_000, resamples: int = 1000) -> None:
    pred = np.random.default_rng(1).normal(size=rows)
    runs = {
        "lossctl, 1 thread": lambda: by_lossctl(pred, resamples, 1),
        "lossctl, 2 threads": lambda: by_lossctl(pred, resamples, 2),
        "numpy: poisson weights @ losses": lambda: by_poisson(pred * pred, resamples),
        "numpy: the product alone": lambda: by_product_alone(pred * pred, resamples),
    }
    by_lossctl(pred[:10_000], resamples, 2)
    print(f"{rows} rows x {resamples} resamples")
    for name, run in runs.items():
        with Peak() as peak:
            started = time.perf_counter()
            run()
            seconds = time.perf_counter() - started
        print(f"{name:<34} {seconds:8.2f} s {seconds / rows / resamples * 1e9:7.2f} ns a weight {peak.most >> 20:5} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
