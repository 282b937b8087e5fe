"""What was once wrong, and what is right now: each by a command or a call, with a truth from elsewhere.

python tests/attack/reproducers.py
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mpmath
import numpy as np

import lossctl
from lossctl.errors import LossctlError

MAX = sys.float_info.max
LABELS = np.array([0, 0, 1, 1])
UNSYNCED = """
import os, stat, sys
name = sys.argv.pop(1)
real = getattr(os, name)
def call(first, *rest, **more):
    status = os.fstat(first) if isinstance(first, int) else os.stat(first) if os.path.exists(first) else None
    if status and stat.S_ISDIR(status.st_mode):
        raise OSError(13, os.strerror(13))
    return real(first, *rest, **more)
setattr(os, name, call)
from lossctl.cli import app
sys.exit(app.run(sys.argv[1:]))
"""
Row = tuple[str, str, str, bool]  # what is done, what came of it before, what comes now, whether that is right


def lossctl_of(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lossctl", *words], capture_output=True, text=True)


def inputs() -> Iterator[Row]:
    """Outputs over inputs."""
    Path("g.csv").write_text("prob,g\n0.1,1\n0.2,2\n0.9,3\n0.4,4\n")
    Path("s.yaml").write_text('losses:\n  - {loss: mse, inputs: [d.csv], by: "bins:g.csv::prob:3"}\n')
    Path("b.json").write_text("{}")
    lines = {
        "run s.yaml --report g.csv": "g.csv",
        "bench batch-hard --n 64 --save b.json --baseline b.json": "b.json",
        "compute mse d.csv -o d.csv": "d.csv",
    }
    for line, name in lines.items():
        content = Path(name).read_bytes()
        done = lossctl_of(*line.split())
        is_right = done.returncode == 2 and Path(name).read_bytes() == content
        yield f"`{line}`", "the input is overwritten", first_of(done.stderr), is_right
    done = lossctl_of(*["compute", "mse", "d.csv", "-o", "x.svg", "--plot", "x.svg"])
    yield "`compute mse d.csv -o x.svg --plot x.svg`", "one is lost", first_of(done.stderr), done.returncode == 2


def readers() -> Iterator[Row]:
    """Readers that leave."""
    Path("s.yaml").write_text("losses:\n  - {loss: mse, inputs: [d.csv]}\n")
    Path("big.csv").write_text("pred,target\n" + "".join(f"{at % 7},{at % 5}\n" for at in range(200_000)))
    for line, name in {
        "run s.yaml --report r.html": "r.html",
        "compute mse big.csv -r none --plot p.svg": "p.svg",
    }.items():
        before = set(os.listdir())
        subprocess.run(["sh", "-c", f"{sys.executable} -m lossctl {line} 2>/dev/null | head -1 >/dev/null"])
        left = set(os.listdir()) - before - {name}
        yield f"`{line} \\| head -1`", "a temporary file is left", f"left: {sorted(left) or 'nothing'}", not left


def directories() -> Iterator[Row]:
    """A directory that cannot be opened, or synced, after the new file is in place."""
    for name in ("open", "fsync"):
        Path("y.json").write_text("old")
        words = [sys.executable, "-c", UNSYNCED, name, *["compute", "mse", "d.csv", "--json", "-o", "y.json"]]
        done = subprocess.run(words, capture_output=True, text=True)
        is_new = '"results"' in Path("y.json").read_text()
        said = f"exit {done.returncode}, the file is {'new' if is_new else 'old'}"
        is_right = done.returncode == 0 and is_new and "as it was" not in done.stderr
        yield f"os.{name} of the directory fails", "'cannot write', 'the old file is as it was'", said, is_right


def interrupts() -> Iterator[Row]:
    """Signals at moments of the start, and of bench."""
    moments = {"compute mse d.csv": (0.05, 0.1, 0.15, 0.2, 0.3, 0.5), "bench batch-hard --n 2048": (1, 2, 4)}
    for line, delays in moments.items():
        worst, traces = 0.0, 0
        for delay in delays:
            for number in (signal.SIGINT, signal.SIGTERM):
                words = [sys.executable, "-m", "lossctl", *line.split()]
                process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                time.sleep(delay)
                process.send_signal(number)
                start = time.monotonic()
                traces += b"lossctl/" in process.communicate()[1]
                worst = max(worst, time.monotonic() - start)
        said = f"{2 * len(delays)} signals: {traces} tracebacks through lossctl, at most {worst:.1f} s"
        yield f"SIGINT and SIGTERM of `{line}`", "a traceback; 20 s", said, not traces and worst < 2


def names() -> Iterator[Row]:
    """Long names and dangling links."""
    for name in ("\N{GRINNING FACE}" * 62 + ".json", "a" * 250 + ".json"):
        done = lossctl_of("compute", "mse", "d.csv", "-o", name)
        yield f"-o of {len(name.encode())} bytes", "too long", f"exit {done.returncode}", Path(name).exists()
    os.symlink("missing/x.json", "out.json")
    done = lossctl_of("compute", "mse", "d.csv", "-o", "out.json")
    is_right = done.returncode == 4 and "missing/x.json" in done.stderr
    yield "-o of a link to nothing", "the target is not named", first_of(done.stderr), is_right


def texts() -> Iterator[Row]:
    """Control characters of a name; all of them: code_points.py."""
    done = lossctl_of("compute", "mse", "no\x1b[31m\x9b\u202e.csv")
    is_right = not set("\x1b\x9b\u202e") & set(done.stderr)
    yield "a file named ESC, CSI, RLO", "raw on the terminal", ascii(first_of(done.stderr)), is_right
    Path("n.yaml").write_text('losses:\n  - {loss: mse, inputs: [d.csv], name: "a\\x1b\\x9b\\u202eX\\uFFFE"}\n')
    for ending in ("json", "html", "xml"):
        lossctl_of("run", "n.yaml", "--report", f"n.{ending}")
        raw = sorted(set("\x1b\x9b\u202e\ufffe") & set(Path(f"n.{ending}").read_text()))
        yield f"such an entry in {ending}", "raw", f"raw: {ascii(raw) if raw else 'none'}", not raw


def digits() -> Iterator[Row]:
    """Values against closed forms and fractions."""
    x = np.array([[1.0, 0], [1, 0], [-1, 0], [-1, 0]])
    for temperature in (0.1, 0.05):
        truth = float(mpmath.log1p(2 * mpmath.exp(-2 / mpmath.mpf(temperature))))
        told = lossctl.compute("supcon", x, LABELS, temperature=temperature).value
        yield f"supcon, T {temperature}", "no digit right", *against(told, truth)
    points, weights = np.array([[1.0, 2], [3, 1], [1, -1]]), np.array([[1.0, 0.5], [0.25, -1]])
    labels = np.array([0, 1, 1])

    def circle(points: np.ndarray, weights: np.ndarray) -> float:
        return lossctl.compute("circle-class", points, labels[: len(points)], class_weights=weights, gamma=2.0).value

    truth = circle(points, weights)
    for scale in (2.0**600, 2.0**-600):
        yield (
            f"circle-class, embeddings x {scale:.0e}",
            "another number",
            *against(circle(points * scale, weights), truth),
        )
        yield f"circle-class, weights x {scale:.0e}", "another number", *against(circle(points, weights * scale), truth)
    yield "circle-class of one class", "nan", *against(circle(points[:1], weights[:1]), 0.0)
    yield "circle-class, a row of weights 0", "nan", *refused(lambda: circle(points, weights * [[1], [0]]))
    for size in (1e200, 1e-200):
        yield f"rmse of errors {size}", "inf, 0", *against(lossctl.compute("rmse", [size, size], [0, 0]).value, size)
    rows = lossctl.compute("mae", [MAX, 0.0], [-MAX / 2, 0.0]).value
    yield "mae of MAX beside -MAX / 2, and 0", "inf", *against(rows, 0.75 * MAX)
    near = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-7]])
    (a, b), (c, d) = ([mpmath.mpf(item) for item in row] for row in near.tolist())
    distance = 1 - (a * c + b * d) / mpmath.sqrt((a * a + b * b) * (c * c + d * d))
    told = lossctl.compute("contrastive-pairs", np.r_[near, -near], LABELS, distance="cosine").value
    yield "contrastive-pairs of cosines that are nearly 1", "1.2e7 ulp", *against(told, float(distance**2 / 6))


def against(told: float, truth: float) -> tuple[str, bool]:
    """A value, and whether it is the truth to 10 ulp."""
    return repr(told), told == truth or abs(told - truth) <= 10 * math.ulp(truth)


def refused(ask: Callable[[], float]) -> tuple[str, bool]:
    try:
        return repr(ask()), False
    except LossctlError as fault:
        return first_of(str(fault)), True


def first_of(text: str) -> str:
    return text.split("\n")[0].removeprefix("lossctl: error: ")


def main() -> int:
    wrong, mpmath.mp.dps = 0, 50
    print("| | before | now | |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("d.csv").write_text("pred,target\n0.5,1\n0.25,0\n0.125,1\n0.75,0\n")
        for rows in (inputs, readers, directories, interrupts, names, texts, digits):
            for what, before, now, is_right in rows():
                wrong += not is_right
                print(f"| {what} | {before} | {now} | {'right' if is_right else 'WRONG'} |", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main()))
