"""Work spread over threads and processes: the same answer, and the same fault."""

import ast
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

import lossctl
from lossctl.api import compute
from lossctl.errors import DataError
from lossctl.rows import by_row as rows
from lossctl.rows import workers


@pytest.fixture
def forking(monkeypatch):
    """Fork for any number of rows, in small blocks."""
    monkeypatch.setattr(compute, "FORK_ROWS", 0)
    monkeypatch.setattr(rows, "BLOCK_VALUES", 64)


def test_ordered_map_keeps_the_order_and_raises_the_first_fault():
    assert list(workers.ordered_map(lambda k: k * k, range(100), 3)) == [k * k for k in range(100)]

    def fail(k):
        if k >= 5:
            raise ValueError(k)
        return k

    with pytest.raises(ValueError, match="5"):
        list(workers.ordered_map(fail, range(100), 3))


def test_ordered_map_finishes_what_came_before_a_fault_of_the_items():
    def items():
        yield from range(4)
        raise OSError("the file ends")

    def fail_at_3(k):
        if k == 3:
            raise ValueError(k)
        return k

    with pytest.raises(ValueError, match="3"):
        list(workers.ordered_map(fail_at_3, items(), 3))
    with pytest.raises(OSError, match="the file ends"):
        list(workers.ordered_map(str, items(), 3))


def test_processes_share_the_items():
    script = (
        "import os; from lossctl.rows.workers import forked;"
        "print([os.getpid(), *forked(lambda items: (os.getpid(), sum(items)), range(1000), 3)])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    parent, *shares = ast.literal_eval(done.stdout)
    assert sum(total for _, total in shares) == sum(range(1000))
    assert len({process for process, _ in shares}) == 3
    assert shares[0][0] == parent


@pytest.mark.parametrize("place", [0, 1, 2], ids=["this process", "a child", "another child"])
def test_a_fault_in_any_process_gives_no_shares(place):
    def work(items):
        if place in list(items):
            raise ValueError(place)
        return 0

    assert workers.forked(work, range(3), 3) is None


@pytest.mark.parametrize("loss", ["mse", "bce", "focal"])
def test_processes_and_threads_give_the_same_digits(loss, forking):
    rng = np.random.default_rng(1)
    prob = rng.random(5000)
    label = (rng.random(5000) < prob).astype(float)
    one = lossctl.compute(loss, prob, label, jobs=1)
    assert lossctl.compute(loss, prob, label, jobs=3) == one


def test_a_fault_is_the_same_in_processes(forking):
    prob = np.full(5000, 0.5)
    prob[[700, 4000]] = np.nan
    for jobs in (1, 2, 3):
        with pytest.raises(DataError, match="row 700"):
            lossctl.compute("bce", prob, np.ones(5000), jobs=jobs)


def test_a_signal_in_a_destructor_ends_the_command():
    """Where no exception goes on: the handler's would be printed and forgotten."""
    script = (
        "import os, signal, sys, time\n"
        "from lossctl.cli import app\n"
        "class Late:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(0.001)\n"
        "def run(args):\n"
        "    Late()\n"
        "    time.sleep(60)\n"
        "app._run = run\n"
        "sys.exit(app.run([]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")


@pytest.mark.slow
def test_system_calls_that_fail_leave_files_old_or_whole():
    """A small share of tests/attack/calls.py."""
    script = ROOT / "tests" / "attack" / "calls.py"
    done = subprocess.run([sys.executable, script, "1", "rows"], capture_output=True, text=True)
    assert done.returncode == 0 and "19 failing calls: 0 faults" in done.stdout, done.stdout + done.stderr
