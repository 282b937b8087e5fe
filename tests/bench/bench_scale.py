"""One mean over many Parquet files: one process, clusters of this machine, and the engines that people use instead.

    python tests/bench/bench_scale.py [ROWS] [FILES] > tests/bench/scale_DATE.md

Each way runs in a process of its own, on the same files. Seconds are of the whole process; those to start are of
the same on as many files of ten rows. What is not installed is left out.
"""

from __future__ import annotations

import contextlib
import glob
import importlib.util
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from datetime import date

LIMIT = 300  # seconds of one way
CLI = "import sys; from lossctl.cli.app import run; sys.exit(run(['compute', 'bce', sys.argv[1] + '/*.parquet'{more}]))"
WAYS = {
    "lossctl, one process": ("lossctl", CLI.format(more=", '-j', '1'")),
    "lossctl": ("lossctl", CLI.format(more="")),
    "lossctl --on dask": ("distributed", CLI.format(more=", '--on', 'dask'")),
    "lossctl --on ray": ("ray", CLI.format(more=", '--on', 'ray'")),
    "torchrun, 2 ranks of lossctl": ("torch", CLI.format(more="")),
    "DuckDB": (
        "duckdb",
        """
        import duckdb, sys
        duckdb.sql("set threads to 2")
        mean = "avg(-case when label = 1 then ln(prob) else ln(1 - prob) end)"
        print(duckdb.sql(f"select {mean} from '{sys.argv[1]}/*.parquet'").fetchall()[0][0])
        """,
    ),
    "polars": (
        "polars",
        """
        import sys, polars as pl
        p, y = pl.col("prob"), pl.col("label")
        loss = pl.when(y == 1).then(-p.log()).otherwise(-(1 - p).log())
        print(pl.scan_parquet(sys.argv[1] + "/*.parquet").select(loss.mean()).collect(engine="streaming").item())
        """,
    ),
    "torchmetrics": (
        "torchmetrics",
        """
        import glob, sys, torch, pyarrow.parquet as pq
        from torchmetrics import MeanMetric
        metric = MeanMetric()
        for path in sorted(glob.glob(sys.argv[1] + "/*.parquet")):
            for batch in pq.ParquetFile(path).iter_batches(1 << 20):
                p, y = (torch.from_numpy(column.to_numpy().astype("f4")) for column in batch.columns)
                metric.update(torch.nn.functional.binary_cross_entropy(p, y, reduction="none"))
        print(metric.compute().item())
        """,
    ),
}


def write(folder: str, rows: int, files: int) -> None:
    """Probabilities and labels, in files of equal length."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    for at in range(files):
        n = rows // files
        prob = random.random(n)
        table = pa.table({"prob": prob, "label": (random.random(n) < prob).astype("f8")})
        pq.write_table(table, f"{folder}/part-{at:03}.parquet", compression="zstd")


def timed(way: str, code: str, folder: str) -> tuple[str, float, float]:
    """What one way prints, its seconds, and the peak memory of all processes that descend from it, in MB."""
    script = f"if __name__ == '__main__':\n{textwrap.indent(textwrap.dedent(code).strip(), '    ')}\n"
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2"] if "torchrun" in way else []
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(script)
        file.flush()
        started, peak = time.perf_counter(), 0.0
        command = [sys.executable, *launcher, file.name, folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        while process.poll() is None and time.perf_counter() - started < LIMIT:
            peak = max(peak, held(process.pid))
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        process.terminate()
        out, _ = process.communicate()
    if seconds >= LIMIT:
        return f"no end in {LIMIT} s", seconds, peak
    return out.strip() if process.returncode == 0 else "failed", seconds, peak


def held(root: int) -> float:
    """The resident memory of a process and its descendants, in MB; pages that they share count for each."""
    parents, pages = {}, {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            with open(path) as file:
                fields = file.read().rpartition(")")[2].split()
            pid = int(path.split("/")[2])
            parents[pid], pages[pid] = int(fields[1]), int(fields[21])
    own = {root}
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    return sum(pages.get(pid, 0) for pid in own) * os.sysconf("SC_PAGE_SIZE") / 1e6


def load() -> str:
    return f"{os.getloadavg()[0]:.0f}"


def main(rows: int = 50_000_000, files: int = 64) -> None:
    """Print the table."""
    print(f"{rows:.0e} rows of two float64 columns in {files} Parquet files (zstd), {date.today()}, ", end="")
    print(f"{len(os.sched_getaffinity(0))} cores, Python {sys.version.split()[0]}\n")
    print("| way | mean | seconds | of these to start | peak MB | load |\n|---|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as few:
        write(folder, rows, files)
        write(few, 10 * files, files)
        for name, (library, code) in WAYS.items():
            if importlib.util.find_spec(library) is None:
                continue
            _, start, _ = timed(name, code, few)
            value, seconds, peak = timed(name, code, folder)
            print(f"| {name} | {value} | {seconds:.1f} | {start:.1f} | {peak:.0f} | {load()} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
