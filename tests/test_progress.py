"""Progress: one line in its place, as wide as the terminal, each frame once, gone at the end; nothing in a pipe."""

import fcntl
import itertools
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import numpy as np
import pytest
from conftest import ROOT

from lossctl.cli.progress import Bar

AT_ONCE = (
    "import sys, lossctl.cli.progress as p; p.SILENT = p.PAUSE = 0; from lossctl.cli.app import run; "
    "sys.exit(run(sys.argv[1:]))"
)
N = 200_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("progress")
    rng = np.random.default_rng(0)
    prob = rng.uniform(0.01, 0.99, N)
    np.savez(folder / "a.npz", prob=prob, label=prob > 0.5, other=prob[::-1].copy())
    np.savez(folder / "e.npz", emb=rng.standard_normal((3000, 4)), label=np.arange(3000) % 40)
    (folder / "s.yaml").write_text(
        "losses:\n- {name: first, loss: bce, inputs: {prob: 'a.npz::prob', label: 'a.npz::label'}}\n"
    )
    return folder


def seen(folder, line, width):
    """What both streams of a command write to a terminal of that width."""
    screen, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    environment |= {"TERM": "xterm", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", AT_ONCE, *line.split()]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=far, stderr=far, cwd=folder, env=environment)
    os.close(far)
    text = b""
    while True:
        try:
            part = os.read(screen, 1 << 16)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(screen)
    assert child.wait() == 0, text.decode()
    return text.decode()


CASES = {
    "info a.npz": "rows read",
    "compute bce a.npz::prob a.npz::label --json": "rows",
    "compute bce a.npz::prob a.npz::label --ci 0.9 --resamples 20": "rows",
    "compute bce a.npz::prob a.npz::label --top 2": "rows read",
    "compute bce a.npz::prob a.npz::label --per-row -o out.csv": "rows read",
    "compute bce a.npz::prob a.npz::label --keep 10%": "rows read",
    "compare a.npz::prob a.npz::other -y a.npz::label --loss bce --resamples 99": "rows",
    "triplets e.npz": "anchors",
    "mine semi-hard e.npz -o out.npy": "anchors",
    "run s.yaml": "first",
    "bench batch-hard --n 64 --dim 2 --min-time 0.01": "of 3 cases",
}


@pytest.mark.slow
@pytest.mark.parametrize("width", [30, 100])
@pytest.mark.parametrize("line", CASES)
def test_a_bar_is_drawn_in_its_place_and_goes(folder, line, width):
    text = seen(folder, line, width)
    frames = re.findall(r"\r([^\r\n]*)\033\[K", text)
    drawn = [frame for frame in frames if frame]
    assert drawn and any(CASES[line][:5] in frame for frame in drawn)
    assert max(map(len, drawn)) < width
    assert not [frame for frame, after in itertools.pairwise(frames) if frame == after]
    assert frames[-1] == "" and "━" not in text.rpartition("\033[K")[2]
    assert "\n" not in "".join(drawn)


def test_nothing_is_drawn_in_a_pipe(folder):
    command = [sys.executable, "-c", AT_ONCE, "compute", "bce", "a.npz::prob", "a.npz::label", "--json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("number", [-1, pty.openpty()[1]], ids=["no terminal", "one of no size"])
def test_the_reading_is_silent_beside_what_is_told(number):
    class Screen:
        encoding, text = "utf-8", ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

        def fileno(self):
            return number

    screen = Screen()
    bar = Bar(screen, "anchors", 10)
    bar.started -= 5
    bar.update(5)
    bar.read(3, 9)
    assert "rows read" not in screen.text
    line = screen.text.removeprefix("\r").removesuffix("\033[K")
    assert len(line) == 79 and line.startswith("5 of 10 anchors  ━") and line.endswith("0:05 left")
    assert 0 <= line.count("─") - line.count("━") <= 1
    bar.told -= 2
    bar.drawn = 0
    bar.read(3, 9)
    assert "3 of 9 rows read" in screen.text
