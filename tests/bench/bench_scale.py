"""One mean over many Parquet files: one process, clusters of this machine, and the engines that people use instead.

    python tests/bench/bench_scale.py [ROWS] [FILES] > tests/bench/scale_DATE.md

Each way runs in a process of its own, on the same files; seconds are of the whole process, its start included. What is
not installed is left out.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from datetime import date

CLI = "import sys; from lossctl.cli.app import run; sys.exit(run(['compute', 'bce', sys.argv[1] + '/*.parquet'{more}]))"
WAYS = {
    "lossctl, one process": ("lossctl", CLI.format(more=", '-j', '1'")),
    "lossctl": ("lossctl", CLI.format(more="")),
    "lossctl --on dask": ("distributed", CLI.format(more=", '--on', 'dask'")),
    "lossctl --on ray": ("ray", CLI.format(more=", '--on', 'ray'")),
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


def timed(code: str, folder: str) -> tuple[str, float, float]:
    """What one way prints, its seconds, and the peak memory of the process that was started, in MB."""
    script = f"if __name__ == '__main__':\n{textwrap.indent(textwrap.dedent(code).strip(), '    ')}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(script)
        file.flush()
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, file.name, folder], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    return out.strip() if status == 0 else "failed", seconds, usage.ru_maxrss / 1024


def main(rows: int = 50_000_000, files: int = 64) -> None:
    """Print the table."""
    print(f"{rows:.0e} rows of two float64 columns in {files} Parquet files (zstd), {date.today()}, ", end="")
    print(f"{len(os.sched_getaffinity(0))} cores, Python {sys.version.split()[0]}\n")
    print("| way | mean | seconds | beside one process | peak MB |\n|---|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        write(folder, rows, files)
        first = 0.0
        for name, (library, code) in WAYS.items():
            if importlib.util.find_spec(library) is None:
                continue
            value, seconds, peak = timed(code, folder)
            first = first or seconds
            print(f"| {name} | {value} | {seconds:.1f} | {seconds / first:.2f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
