"""What many tests need: the command line as a person runs it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def run_lossctl(*arguments, stdin=None, cwd=ROOT, **environment):
    """`python -m lossctl ARGUMENTS` in a process of its own; stdin is bytes."""
    done = subprocess.run(
        [sys.executable, "-m", "lossctl", *map(str, arguments)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", **environment},
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def lossctl():
    return run_lossctl
