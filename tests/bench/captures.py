"""Is every number whole at 60, 80 and 120 columns? Each table of each command, on the samples, captured and read.

    python tests/bench/captures.py [--tree FOLDER] [--keep FOLDER]

--tree: another working tree of lossctl, such as an older one;  --keep: where the captures are written, a file each
A number of a narrow table is whole where the command prints it on 5000 columns, to all its digits, to six or to four.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
WIDTHS = (60, 80, 120)
ROOMY = 5000


def calls() -> dict[str, tuple[str, ...]]:
    """Name -> the words of a command."""
    from test_widths import TABLES, S

    tables = {name: (*map(str, words), "-f", "table") for name, words in TABLES.items()}
    more = {
        "explain": ("explain", "focal"),
        "explain of an objective": ("explain", "naive-bayes"),
        "curve": ("curve", "bce", "focal", "--grad", "-f", "plot"),
        "curve of logarithms": ("curve", "bce", "--log", "xy", "-f", "plot"),
        "curve in space": ("curve", "triplet", "--x", "space", "-f", "plot"),
        "curve of a plane": ("curve", "circle", "-f", "plot"),
        "triplets in words": ("triplets", f"{S}/embeddings.npz", "--explain", "-f", "table"),
        "mine": ("mine", "hardest", f"{S}/embeddings.npz", "--limit", "5", "-o", "OUT.csv", "-v"),
        "bench": ("bench", "batch-hard", "--n", "64", "--dim", "8", "--min-time", "0.01", "-f", "table"),
    }
    return tables | more


def captured(words: tuple[str, ...], tree: Path, width: int) -> tuple[int, str]:
    """The exit code of a command, and what it prints on a terminal of that width."""
    screen, far = pty.openpty()
    with tempfile.TemporaryDirectory() as folder, open(screen, "rb", buffering=0) as screened:
        child = subprocess.Popen(
            [sys.executable, "-m", "lossctl", *(word.replace("OUT", f"{folder}/OUT") for word in words)],
            stdin=subprocess.DEVNULL, stdout=far, stderr=subprocess.DEVNULL, cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": str(width), "NO_COLOR": "1", "TERM": "xterm"},
        )  # fmt: skip
        os.close(far)
        text = b""
        with contextlib.suppress(OSError):  # which is how a terminal ends
            while part := screened.read(1 << 16):
                text += part
        return child.wait(), text.decode().replace("\r\n", "\n")


def verdict(name: str, narrow: str, roomy: str, width: int) -> str:
    """What is wrong with a capture, "whole" for nothing."""
    from test_widths import numbers, rounded

    allowed = rounded(numbers(roomy))
    strange = [number for number in sorted(numbers(narrow)) if number.lstrip("+") not in allowed]
    if name.startswith("curve") or name == "bench":  # ticks go by the width, times by the run
        strange = []
    long = (line for line in narrow.splitlines() if len(line) > width and len(line.split()) > 2)
    too_long = [line for line in long if not line.startswith("    lossctl ")]  # to be copied
    parts = [f"{len(strange)} split ({' '.join(strange[:3])})"] * bool(strange)
    return "; ".join([*parts, *[f"{len(too_long)} lines too long"] * bool(too_long)]) or "whole"


def main() -> int:
    """A row a command; exit code 1 where a number is split."""
    from lossctl.show.sheet import Sheet, markdown

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    rows = []
    for name, words in calls().items():
        code, roomy = captured(words, asked.tree.resolve(), ROOMY)
        cells = []
        for width in WIDTHS:
            text = captured(words, asked.tree.resolve(), width)[1]
            cells.append(verdict(name, text, roomy, width) if code == 0 else f"exit {code}")
            if asked.keep:
                asked.keep.mkdir(parents=True, exist_ok=True)
                (asked.keep / f"{name.replace(' ', '-')}-{width}.txt").write_text(text)
        rows.append((name, *cells))
    print(markdown(Sheet(("command", *map(str, WIDTHS)), tuple(rows))), end="")
    return int(any("split" in cell for row in rows for cell in row[1:]))


if __name__ == "__main__":
    sys.exit(main())
