"""Sets of embeddings that are larger than the memory they may take: the same answers, and the peak.

    python tests/bench/bench_disk.py [ROWS] [COLUMNS] [MEMORY] [WORD ...] > tests/bench/disk_DATE.md

Each command runs twice, as it is and with --memory MEMORY, in a process of its own, on float32 points in an NPY.
The peak is of anonymous memory (smaps_rollup), which cannot go back to a file, and in brackets of all that is mapped;
the process alone, before it reads anything, is the first line. WORD: only commands that have one of these words.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

MARGIN = ("--margin", "2")
COMMANDS = (
    ("triplets", "E", "L", *MARGIN),
    ("compute", "batch-hard", "E", "L", *MARGIN),
    ("compute", "batch-all", "E", "L", *MARGIN),
    ("compute", "semi-hard", "E", "L", *MARGIN),
    ("compute", "supcon", "E", "L"),
    ("triplets", "E", "L", "--distance", "cosine", "--margin", "0.1"),
    ("triplets", "E", "L", "--distance", "manhattan", *MARGIN),
    ("triplets", "E", "L", "--ref", "R", "--ref-label", "L", *MARGIN),
    ("mine", "batch-hard", "E", "L", "-o", "OUT"),
    ("mine", "semi-hard", "E", "L", "-o", "OUT"),
    ("mine", "all", "E", "L", *MARGIN, "-o", "OUT"),
    ("compute", "clip", "E", "R"),
    ("compute", "batch-hard", "E", "L", "--lone", "self", *MARGIN),
)


def write(folder: Path, rows: int, columns: int, names: list[str]) -> None:
    """Sets of classes of ten points around centres, so near each other that triplets of all kinds occur."""
    import numpy as np

    random = np.random.default_rng(0)
    sets = [np.lib.format.open_memmap(folder / name, "w+", "f4", (rows, columns)) for name in names]
    for start in range(0, rows, 10):
        centre = (2 / columns) ** 0.25 * random.standard_normal(columns, "f4")
        for points in sets:
            shape = len(points[start : start + 10]), columns
            points[start : start + 10] = random.standard_normal(shape, "f4") + centre
    np.save(folder / "label.npy", np.arange(rows) // 10)


def timed(arguments: tuple[str, ...], folder: Path) -> tuple[str, float, str]:
    """A hash of what a command prints and writes, its seconds, and the peaks of its memory in MB."""
    (folder / "out.npy").unlink(missing_ok=True)
    names = {"E": "emb.npy", "R": "ref.npy", "L": "label.npy", "OUT": "out.npy"}
    command = [sys.executable, "-m", "lossctl", *(names.get(word, word) for word in arguments)]
    started, peak, mapped = time.perf_counter(), 0.0, 0.0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder)
    while process.poll() is None:
        peak = max(peak, size_of(process.pid, "smaps_rollup", "Anonymous:"))
        mapped = max(mapped, size_of(process.pid, "status", "VmHWM:"))
        time.sleep(0.01)
    out, err = process.communicate()
    if process.returncode:
        return err.decode().splitlines()[0], time.perf_counter() - started, ""
    files = [path.read_bytes() for path in folder.glob("out.npy")]
    answer = hashlib.sha256(b"".join([out, *files])).hexdigest()[:8]
    return answer, time.perf_counter() - started, f"{peak:.0f} ({mapped:.0f})"


def size_of(pid: int, file: str, name: str) -> float:
    """What the system says of a process, in MB."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1e3
    return 0.0


def main(rows: int = 4000, columns: int = 30_000, memory: str = "256MB", *words: str) -> None:
    """Print the table."""
    size = f"{rows * columns * 4 / 1e6:,.0f} MB in the file, {rows * columns * 8 / 1e6:,.0f} MB as float64"
    print(f"{rows:,} points of {columns:,} columns, {size}; --memory {memory}; {date.today()},", end=" ")
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.0f}\n")
    print("| command | answer | seconds | peak MB | with --memory | seconds | peak MB |\n|---|---|--:|--:|---|--:|--:|")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as place:
        folder = Path(place)
        commands = [command for command in COMMANDS if not words or set(words) & set(command)]
        write(folder, rows, columns, ["emb.npy", *(["ref.npy"] if any("R" in command for command in commands) else [])])
        for command in (("list",), *commands):
            cells = [f"`{' '.join(command)}`"]
            for more in ((), ("--memory", memory)) if len(command) > 1 else ((),):
                answer, seconds, peak = timed((*command, *more), folder)
                cells += [answer, f"{seconds:.0f}", peak]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
