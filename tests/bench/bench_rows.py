"""Row losses beside numpy and torch one-liners: throughput, memory, and the number itself.

    python tests/bench/bench_rows.py [--rows 100000000] [--csv-rows 5000000] [--repeats 3] [--folder DIR]

Float32 NPY files and one CSV are made in a temporary folder (1.4 GB for 1e8 rows) and read from the page cache; the
logits have ten classes and a tenth of the rows.
Every command is a whole process, imports and all; throughput is bytes of input over wall time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import Case, machine, median, python, run

NUMPY = {
    "mse": "((p - y) ** 2).mean()",
    "mae": "np.abs(p - y).mean()",
    "bce": "-np.where(y == 1, np.log(p), np.log1p(-p)).mean()",
    "focal": "(np.where(y == 1, 1 - p, p) ** 2 * -np.where(y == 1, np.log(p), np.log1p(-p))).mean()",
}
TORCH = {
    "mse": "F.mse_loss(p, y)",
    "mae": "F.l1_loss(p, y)",
    "bce": "F.binary_cross_entropy(p, y)",
    "focal": "(torch.where(y == 1, 1 - p, p) ** 2 * F.binary_cross_entropy(p, y, reduction='none')).mean()",
}
NUMPY_CLASSES = "(np.log(np.exp(p - p.max(1, keepdims=True)).sum(1)) + p.max(1) - p[np.arange(len(y)), y]).mean()"
TORCH_CLASSES = "F.cross_entropy(p, y)"
NUMPY_LINE = "import sys, numpy as np; p, y = map(np.load, sys.argv[1:]); print(float({}))"
TORCH_LINE = (
    "import sys, numpy as np, torch, torch.nn.functional as F;"
    " p, y = (torch.from_numpy(np.load(path)) for path in sys.argv[1:]); print(float({}))"
)
CHUNKS = (
    "import sys, itertools, numpy as np\n"
    "total = n = 0\n"
    "with open(sys.argv[1]) as file:\n"
    "    next(file)\n"
    "    while lines := list(itertools.islice(file, 50_000)):\n"
    "        p, y = np.loadtxt(lines, delimiter=',', unpack=True)\n"
    "        total += ((p - y) ** 2).sum(); n += len(p)\n"
    "print(total / n)"
)


# in a process of its own: a child's peak memory counts from that of its parent, which so stays small
MAKE = """
import sys, numpy as np
folder, rows, csv_rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
p, y = (np.lib.format.open_memmap(f"{folder}/{name}.npy", "w+", np.float32, (rows,)) for name in ("prob", "label"))
for start in range(0, rows, 10**7):
    block = rng.random(min(10**7, rows - start), dtype=np.float32) * np.float32(0.999) + np.float32(0.0005)
    p[start : start + block.size] = block
    y[start : start + block.size] = rng.random(block.size, dtype=np.float32) < block
p = np.lib.format.open_memmap(f"{folder}/logits.npy", "w+", np.float32, (rows // 10, 10))
y = np.lib.format.open_memmap(f"{folder}/classes.npy", "w+", np.int64, (rows // 10,))
for start in range(0, rows // 10, 10**6):
    block = rng.standard_normal((min(10**6, rows // 10 - start), 10), dtype=np.float32)
    p[start : start + len(block)] = block
    y[start : start + len(block)] = rng.integers(10, size=len(block))
with open(f"{folder}/table.csv", "w") as file:
    file.write("pred,target\\n")
    for start in range(0, csv_rows, 10**5):
        pairs = rng.random((min(10**5, csv_rows - start), 2))
        file.writelines(f"{a!r},{b!r}\\n" for a, b in pairs.tolist())
"""


def report(title: str, cases: list[Case], size: int) -> None:
    """One table: time, throughput, memory, value."""
    print(f"\n## {title}\n")
    print("| what | wall s | CPU s | GB/s | peak MB | value |")
    print("| ---- | -----: | ----: | ---: | ------: | ----- |")
    for case in cases:
        wall = median(case.wall)
        print(
            f"| {case.name} | {wall:.2f} | {median(case.cpu):.2f} | {size / wall / 1e9:.2f} | {case.peak:.0f} "
            f"| {case.output} |",
            flush=True,
        )


def compare(loss: list[str], numpy: str, torch: str, pred: Path, label: Path, repeats: int) -> None:
    """One loss of two files beside the one-liners."""
    paths = [str(pred), str(label)]
    cases = [
        Case(f"lossctl {loss[0]}", [sys.executable, "-m", "lossctl", "compute", *loss, *paths]),
        Case(f"numpy {loss[0]}", python(NUMPY_LINE.format(numpy), *paths)),
        Case(f"torch {loss[0]}", python(TORCH_LINE.format(torch), *paths)),
    ]
    size = pred.stat().st_size + label.stat().st_size
    run(cases, repeats)
    report(f"{loss[0]}, two NPY files of {size / 1e6:.0f} MB together", cases, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10**8)
    parser.add_argument("--csv-rows", type=int, default=5 * 10**6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to make the files")
    options = parser.parse_args()
    print(f"# Row losses beside one-liners\n\n{machine()}; {options.rows:,} rows, {options.csv_rows:,} CSV rows")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        subprocess.run([sys.executable, "-c", MAKE, name, str(options.rows), str(options.csv_rows)], check=True)
        files = ("prob.npy", "label.npy", "logits.npy", "classes.npy", "table.csv")
        prob, label, logits, classes, table = (Path(name) / file for file in files)
        for loss in NUMPY:
            compare([loss], NUMPY[loss], TORCH[loss], prob, label, options.repeats)
        compare(["cross-entropy", "--from-logits"], NUMPY_CLASSES, TORCH_CLASSES, logits, classes, options.repeats)
        cases = [
            Case("lossctl mse", [sys.executable, "-m", "lossctl", "compute", "mse", str(table)]),
            Case("np.loadtxt in chunks", python(CHUNKS, str(table))),
        ]
        run(cases, options.repeats)
        report(f"mse, one CSV of {table.stat().st_size / 1e6:.0f} MB", cases, table.stat().st_size)


if __name__ == "__main__":
    main()
