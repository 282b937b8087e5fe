"""What counts labels beside np.unique of the same array: seconds of processors, and the peak of memory.

    python tests/bench/bench_labels.py [ROWS ...] [KIND ...] [LOSS ...] > tests/bench/labels_DATE.md

Each number is of a process of its own, which has loaded all that it needs and has counted three labels before. "unique"
is np.unique(labels, return_counts=True) of an array that is in memory before the clock starts; "hashed" is without
counts, which numpy does by hashes where it can. Kinds and losses are all unless
named. lossctl reads the file, checks each label, and counts. MiB is what
the peak of the process grows by: for lossctl with the pages of the file that it looks at, for np.unique with its array.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

ROWS = (10**6,)
KINDS = ("distinct", "1,000 classes", "floats", "words")
LOSSES = ("gini", "entropy")
MANY = 10**7  # rows from which a process runs once, not three times
CHILD = """
import re, sys, time
import numpy as np
work, path = sys.argv[1:]
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
if work.startswith("unique") or work == "hashed":
    np.unique(np.array([1, 2]), return_counts=True)
    before = peak()
    labels = np.load(path)
    start = time.process_time()
    np.unique(labels) if work == "hashed" else np.unique(labels, return_counts=True)
else:
    import lossctl
    lossctl.compute(work, [0, 1, 1])
    before, start = peak(), time.process_time()
    lossctl.compute(work, path)
print(time.process_time() - start, peak() - before)
"""


def write(folder: Path, kind: str, rows: int) -> tuple[Path, Path, float]:
    """An NPY and a CSV of the same labels, and how many MiB the distinct ones are."""
    import numpy as np

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 1000, rows) if kind == "1,000 classes" else rng.permutation(rows)
    if kind == "words":
        labels = np.array([f"w{label}" for label in labels.tolist()])
    elif kind == "floats":
        labels = labels.astype(float)
    array, text = folder / "labels.npy", folder / "labels.csv"
    np.save(array, labels)
    text.write_text("label\n" + "\n".join(map(str, labels.tolist())) + "\n")
    return array, text, len(np.unique(labels, return_counts=True)[0]) * labels.itemsize / 2**20


def measure(work: str, path: Path, times: int) -> tuple[float, float]:
    """Seconds and MiB, of the fastest of so many processes."""
    words = [sys.executable, "-c", CHILD, work, str(path)]
    runs = [subprocess.run(words, check=True, capture_output=True, text=True).stdout.split() for _ in range(times)]
    seconds, mebibytes = min((float(first), float(second)) for first, second in runs)
    return seconds, mebibytes


if __name__ == "__main__":
    named = sys.argv[1:]
    kinds, losses = ([name for name in names if name in named] or names for names in (KINDS, LOSSES))
    print(f"# Labels, {date.today()}\n\n`python {' '.join(sys.argv)}`: CPU seconds (times those of unique), MiB\n")
    columns = ["unique", "hashed", *(f"{loss}, {format}" for loss in losses for format in ("NPY", "CSV"))]
    print("| rows | labels | MiB | " + " | ".join(columns) + " |\n| ---: | --- |" + " ---: |" * (len(columns) + 1))
    for rows in [int(word) for word in named if word.isdigit()] or ROWS:
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder:
                array, text, size = write(Path(folder), kind, rows)
                works = [
                    ("unique", array),
                    ("hashed", array),
                    *((loss, path) for loss in losses for path in (array, text)),
                ]
                runs = [measure(*work, 1 if rows >= MANY else 3) for work in works]
            cells = [f"{seconds:.3f} ({seconds / runs[0][0]:.1f}), {mebibytes:.0f}" for seconds, mebibytes in runs]
            print(f"| {rows:,} | {kind} | {size:.0f} | " + " | ".join(cells) + " |", flush=True)
