"""Row losses beside numpy and torch one-liners: throughput, memory, and the number itself.

    python tests/bench/bench_rows.py [--rows 100000000] [--csv-rows 5000000] [--repeats 3] [--folder DIR]
    python tests/bench/bench_rows.py --ratios [--rows 20000000] [--csv-rows 4000000] [--repeats 9]

Float32 NPY files and one CSV are made in a temporary folder (1.4 GB for 1e8 rows) and read from the page cache; the
logits have ten classes and a tenth of the rows.
Every command is a whole process, imports and all; throughput is bytes of input over wall time.

--ratios: what lossctl takes to what the plainest code takes, CPU seconds in turn in one process, after all imports, one
job. Row losses beside a numpy loop over blocks, in float64, without any check; cross-entropy beside torch's float32 on
one thread; a CSV of numbers, one in groups of words and one with quoted text beside polars, which reads all columns.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
with open(f"{folder}/words.csv", "w") as plain, open(f"{folder}/quoted.csv", "w") as quoted:
    plain.write("prob,label,word\\n")
    quoted.write("prob,label,text\\n")
    for start in range(0, csv_rows // 2, 10**5):
        labels = rng.integers(0, 2, 10**5).tolist()
        for at, (p, y) in enumerate(zip(rng.random(10**5).tolist(), labels)):
            plain.write(f"{p!r},{y},{('cat', 'dog', 'bird')[at % 3]}\\n")
            quoted.write(f'{p!r},{y},"a text, with ""quotes"" in it"\\n')
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


def loops() -> dict[str, Callable[[Any, Any], Any]]:
    """The sum of a loss over one block of float64, as anybody would write it."""
    import numpy as np

    def chance(p: Any, y: Any) -> Any:
        return np.where(y == 1, p, 1 - p)

    def focal(p: Any) -> Any:
        return ((1 - p) ** 2 * -np.log(p)).sum()

    return {
        "mse": lambda p, y: ((p - y) ** 2).sum(),
        "mae": lambda p, y: np.abs(p - y).sum(),
        "bce": lambda p, y: -np.log(chance(p, y)).sum(),
        "focal": lambda p, y: focal(chance(p, y)),
    }


def in_turn(name: str, ours: Callable[[], float], theirs: Callable[[], float], repeats: int) -> None:
    """A row of the table: medians, and the quotients of neighbours, after one turn that is not counted."""
    taken: list[tuple[float, float]] = []
    for _ in range(repeats + 1):
        stamps = [time.process_time()]
        values = []
        for call in (theirs, ours):
            values.append(call())
            stamps.append(time.process_time())
        taken.append((stamps[1] - stamps[0], stamps[2] - stamps[1]))
    taken = taken[1:]
    plain, own = (statistics.median(times) for times in zip(*taken, strict=True))
    quotients = sorted(b / a for a, b in taken)
    print(
        f"| {name} | {plain * 1e3:.0f} | {own * 1e3:.0f} | {statistics.median(quotients):.2f} | {quotients[0]:.2f} "
        f"| {quotients[-1]:.2f} | {values[1] / values[0] - 1:.0e} |",
        flush=True,
    )


def ratios(folder: Path, rows: int, csv_rows: int, repeats: int) -> None:
    import numpy as np
    import polars
    import torch

    import lossctl
    from lossctl.rows.workers import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    print("| what | plain ms | lossctl ms | median ratio | least | largest | values differ by |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    prob, label = str(folder / "prob.npy"), str(folder / "label.npy")

    def blocked(loss: Callable[[Any, Any], Any]) -> float:
        p, y = (np.load(path, mmap_mode="r") for path in (prob, label))
        starts = range(0, rows, 1 << 16)
        parts = [loss(p[at : at + (1 << 16)].astype(float), y[at : at + (1 << 16)].astype(float)) for at in starts]
        return float(np.sum(parts)) / rows

    for name, loss in loops().items():
        in_turn(
            f"{name}, {rows:,} rows of float32",
            lambda name=name: lossctl.compute(name, prob, label, jobs=1).value,  # type: ignore[misc]
            lambda loss=loss: blocked(loss),  # type: ignore[misc]
            repeats,
        )
    rng = np.random.default_rng(0)
    for classes, dtype in ((10, "float32"), (1000, "float32"), (32_000, "float32"), (1000, "bfloat16")):
        count = 8_000_000 // classes
        logits = torch.from_numpy(rng.standard_normal((count, classes), dtype=np.float32))
        truth = rng.integers(0, classes, count)
        kind = torch.bfloat16 if dtype == "bfloat16" else torch.float32
        raw = logits.to(kind).view(torch.int16).numpy().view("V2") if dtype == "bfloat16" else logits.numpy()
        np.save(folder / "scores.npy", raw)
        np.save(folder / "truth.npy", truth)

        def theirs(kind: Any = kind) -> float:
            values = np.load(folder / "scores.npy")
            values = values.view(np.int16) if values.dtype.kind == "V" else values
            return float(
                torch.nn.functional.cross_entropy(
                    torch.from_numpy(values).view(kind).float(), torch.from_numpy(np.load(folder / "truth.npy"))
                )
            )

        def ours() -> float:
            paths = (str(folder / "scores.npy"), str(folder / "truth.npy"))
            return lossctl.compute("cross-entropy", *paths, from_logits=True, jobs=1).value

        in_turn(f"cross-entropy, {count:,} x {classes:,} {dtype}", ours, theirs, repeats)

    def by_polars(path: str) -> float:
        pred, target = polars.read_csv(path).get_columns()[:2]
        return float(((pred - target) ** 2).mean())  # type: ignore[arg-type]

    for name, count, group in (
        ("table", csv_rows, ""),
        ("words", csv_rows // 2, "word"),
        ("quoted", csv_rows // 2, ""),
    ):
        path = str(folder / f"{name}.csv")
        first, second = ("pred", "target") if name == "table" else ("prob", "label")
        inputs = {"pred": f"{path}::{first}", "target": f"{path}::{second}"}
        options = {"group": f"{path}::{group}"} if group else {}
        in_turn(
            f"mse of a CSV ({name}), {count:,} rows",
            lambda inputs=inputs, options=options: lossctl.compute("mse", **inputs, **options, jobs=1).value,  # type: ignore[misc]
            lambda path=path: by_polars(path),  # type: ignore[misc]
            repeats,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--csv-rows", type=int)
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--ratios", action="store_true")
    parser.add_argument("--folder", type=Path, help="where to make the files")
    options = parser.parse_args()
    rows, csv_rows, repeats = (2 * 10**7, 4 * 10**6, 9) if options.ratios else (10**8, 5 * 10**6, 3)
    options.rows, options.csv_rows = options.rows or rows, options.csv_rows or csv_rows
    options.repeats = options.repeats or repeats
    print(f"# Row losses beside one-liners\n\n{machine()}; {options.rows:,} rows, {options.csv_rows:,} CSV rows")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        subprocess.run([sys.executable, "-c", MAKE, name, str(options.rows), str(options.csv_rows)], check=True)
        if options.ratios:
            ratios(Path(name), options.rows, options.csv_rows, options.repeats)
            return
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
