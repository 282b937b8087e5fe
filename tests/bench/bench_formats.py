"""Formats side by side: the same two columns from each, beside pyarrow and polars reading the same file.

    python tests/bench/bench_formats.py [--gigabytes 1 | --rows 5000000] [--repeats 3] [--folder DIR]

Two columns (float64 scores, int64 labels) of a table of six are read, in a process of its own each time, from the page
cache; a file of each format has the size that is asked for. lossctl reads blocks and keeps none, the others hold both
columns. Peak is what the process grew by after its imports; seconds are of the reading alone, the least of the repeats.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Columns = dict[str, Any]
Writer = Callable[[Path, Columns], None]
PILOT = 100_000  # rows that tell how many make a file of the size that is asked for

PRELUDE = """
import sys, time
path = sys.argv[1]
{imports}
def bits(pred, label): return float((pred.view("u8") * np.uint64(3) + label.view("u8")).sum() % np.uint64(2**40))
def peak(): return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before, started = peak(), time.perf_counter()
{body}
seconds = time.perf_counter() - started
print(rows, total.hex(), seconds, (peak() - before) / 1024)
"""
LOSSCTL = (
    "import math\nimport numpy as np\nfrom lossctl.files.sources import blocks, open_source\n{extra}",
    """
with open_source(path) as frame:
    fields = [frame.select("pred"), frame.select("label")]
    rows, sums = 0, []
    for block in blocks(fields, ["number"] * 2, 1 << 15):
        pred, label = block.load()
        rows += len(pred)
        sums.append(bits(pred, label))
total = math.fsum(sums) % 2.0**53
""",
)
WHOLE = """
pred, label = {read}
pred, label = np.ascontiguousarray(pred, np.float64), np.ascontiguousarray(label, np.float64)
rows = len(pred)
total = math.fsum(bits(pred[at : at + (1 << 15)], label[at : at + (1 << 15)]) for at in range(0, rows, 1 << 15))
total %= 2.0**53
"""
PEERS = {
    "npz": {"numpy": ("", "(np.load(path)[name] for name in ('pred', 'label'))")},
    "csv": {
        "pyarrow": (
            "from pyarrow import csv",
            "(csv.read_csv(path, convert_options=csv.ConvertOptions(include_columns=['pred', 'label']))"
            ".column(name).to_numpy() for name in ('pred', 'label'))",
        ),
        "polars": ("import polars", "polars.read_csv(path, columns=['pred', 'label']).get_columns()"),
    },
    "parquet": {
        "pyarrow": (
            "from pyarrow import parquet",
            "(lambda table: [table.column(name).to_numpy() for name in ('pred', 'label')])"
            "(parquet.read_table(path, columns=['pred', 'label']))",
        ),
        "polars": ("import polars", "polars.read_parquet(path, columns=['pred', 'label']).get_columns()"),
    },
    "feather": {
        "pyarrow": (
            "from pyarrow import feather",
            "(lambda table: [table.column(name).to_numpy() for name in ('pred', 'label')])"
            "(feather.read_table(path, columns=['pred', 'label'], memory_map=False))",
        ),
        "polars": (
            "import polars",
            "polars.read_ipc(path, columns=['pred', 'label']).get_columns()",
        ),
    },
    "arrows": {
        "pyarrow": (
            "from pyarrow import ipc",
            "(lambda table: [table.column(name).to_numpy() for name in ('pred', 'label')])"
            "(ipc.open_stream(path).read_all())",
        )
    },
    "jsonl": {
        "polars": ("import polars", "polars.read_ndjson(path).select('pred', 'label').get_columns()"),
    },
    "safetensors": {
        "safetensors": (
            "from safetensors.numpy import load_file",
            "(lambda table: [table['pred'], table['label']])(load_file(path))",
        )
    },
    "pt": {
        "torch": (
            "import torch",
            "(lambda table: [table['pred'].numpy(), table['label'].numpy()])(torch.load(path, weights_only=True))",
        )
    },
    "h5": {"h5py": ("import h5py", "(h5py.File(path)[name][:] for name in ('pred', 'label'))")},
    "csv.gz": {"polars": ("import polars", "polars.read_csv(path, columns=['pred', 'label']).get_columns()")},
}
EXTRA = {
    "parquet": "import pyarrow.parquet",
    "feather": "import pyarrow.ipc",
    "arrows": "import pyarrow.ipc",
    "pt": "import torch",
    "h5": "import h5py",
}


def write(name: str, path: Path, rows: int) -> None:
    """The table in one format."""
    rng = np.random.default_rng(0)
    columns = {"pred": rng.random(rows), "label": rng.integers(0, 2, rows)}
    columns |= {f"other{index}": rng.random(rows) for index in range(4)}
    WRITERS[name](path, columns)


def _polars(kind: str) -> Writer:
    def write_it(path: Path, columns: Columns) -> None:
        import polars

        getattr(polars.DataFrame(columns), f"write_{kind}")(path)

    return write_it


def _arrow(kind: str) -> Writer:
    def write_it(path: Path, columns: Columns) -> None:
        import pyarrow
        from pyarrow import ipc

        table = pyarrow.table(columns)
        with getattr(ipc, kind)(str(path), table.schema) as file:
            file.write_table(table, max_chunksize=1 << 16)

    return write_it


def _parquet(path: Path, columns: Columns) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path)


def _safetensors(path: Path, columns: Columns) -> None:
    from safetensors.numpy import save_file

    save_file(columns, path)


def _torch(path: Path, columns: Columns) -> None:
    import torch

    torch.save({name: torch.from_numpy(values) for name, values in columns.items()}, path)


def _hdf5(path: Path, columns: Columns) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file.create_dataset(name, data=values)


def _gzip(path: Path, columns: Columns) -> None:
    import gzip

    plain = path.with_suffix("")
    _polars("csv")(plain, columns)
    with open(plain, "rb") as text, gzip.open(path, "wb", compresslevel=1) as packed:
        while piece := text.read(1 << 20):
            packed.write(piece)
    plain.unlink()


WRITERS: dict[str, Writer] = {
    "npz": lambda path, columns: np.savez(path, **columns),
    "csv": _polars("csv"),
    "parquet": _parquet,
    "feather": _arrow("new_file"),
    "arrows": _arrow("new_stream"),
    "jsonl": _polars("ndjson"),
    "safetensors": _safetensors,
    "pt": _torch,
    "h5": _hdf5,
    "csv.gz": _gzip,
}


def run(path: Path, imports: str, body: str, repeats: int) -> tuple[str, float, float]:
    """What was read (rows and a sum over the bits), the least seconds, and the median of the MiB grown."""
    script = PRELUDE.format(imports=imports, body=body)
    runs = []
    for _ in range(repeats):
        done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
        rows, total, seconds, grown = done.stdout.split()
        runs.append((f"{rows} {total}", float(seconds), float(grown)))
    return runs[0][0], min(seconds for _, seconds, _ in runs), statistics.median(grown for *_, grown in runs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    print("| format | GB | M rows | reader | digits | peak MiB | M rows/s |")
    print("|---|--:|--:|---|---|--:|--:|")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name in PEERS:
            path = Path(folder) / f"table.{name}"
            write(name, path, PILOT)
            rows = options.rows or int(options.gigabytes * 1e9 / path.stat().st_size * PILOT)
            write(name, path, rows)
            readers = {"lossctl": (LOSSCTL[0].format(extra=EXTRA.get(name, "")), LOSSCTL[1])}
            for peer, (imports, expression) in PEERS[name].items():
                readers[peer] = (f"import math\nimport numpy as np\n{imports}", WHOLE.format(read=expression))
            truth = ""
            for reader, (imports, body) in readers.items():
                got, seconds, grown = run(path, imports, body, options.repeats)
                truth = truth or got
                same = "equal" if got == truth else "DIFFER"
                size = f"{path.stat().st_size / 1e9:.2f} | {rows / 1e6:.1f}"
                print(f"| {name} | {size} | {reader} | {same} | {grown:.0f} | {rows / seconds / 1e6:.2f} |", flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
