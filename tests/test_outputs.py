"""Outputs beside other outputs, inputs and readers: nothing is lost, nothing is left behind, and the fault is true."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import run_lossctl

from lossctl.errors import FileError, UsageError
from lossctl.files.writing import atomic_output, refuse_shared_outputs


def names(folder):
    return sorted(os.listdir(folder))


def test_two_outputs_are_two_files(tmp_path):
    (tmp_path / "link").symlink_to("out")
    for other in ("out", "link", "./out"):
        with (
            pytest.raises(UsageError, match="two outputs"),
            atomic_output(f"{tmp_path}/out"),
            atomic_output(f"{tmp_path}/{other}"),
        ):
            pytest.fail("the block must not run")
        with pytest.raises(UsageError, match="two outputs"):
            refuse_shared_outputs([None, f"{tmp_path}/out", f"{tmp_path}/{other}"])
    for _ in range(2):
        with atomic_output(f"{tmp_path}/out") as file:
            file.write(b"x")
    assert names(tmp_path) == ["link", "out"]


BENCH = ("bench", "batch-hard", "--n", "64", "--min-time", "0.01", "--impl", "panel", "--device", "cpu", "-q")


@pytest.mark.parametrize("option", ["--save", "-o"])
def test_a_baseline_is_no_output(tmp_path, option):
    path = tmp_path / "b.json"
    assert run_lossctl(*BENCH, "--save", path).code == 0
    kept = path.read_bytes()
    done = run_lossctl(*BENCH, "--baseline", path, option, path)
    assert done.code == 2 and "also an input" in done.err and path.read_bytes() == kept


def test_a_number_and_its_plot_are_two_files(tmp_path):
    path = tmp_path / "x.svg"
    done = run_lossctl("compute", "mse", "samples/regression.csv", "-o", path, "--plot", path)
    assert done.code == 2 and "two outputs" in done.err and names(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_leaves_nothing_behind(tmp_path, unbuffered):
    np.save(tmp_path / "p.npy", np.random.default_rng(0).random((60_000, 2)))
    command = [sys.executable, "-m", "lossctl", "compute", "mse", "p.npy", "-r", "none", "--plot", "big.svg"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        child.stdout.close()
        assert (child.wait(), child.stderr.read()) == (141, b"")
    assert names(tmp_path) == ["p.npy"]


@pytest.mark.parametrize(("number", "is_told"), [(errno.EACCES, False), (errno.EINVAL, False), (errno.EIO, True)])
@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_directory_that_cannot_be_synced_is_no_file_that_cannot_be_written(
    tmp_path, monkeypatch, call, number, is_told
):
    path, original = tmp_path / "out", getattr(os, call)
    path.write_bytes(b"old")

    def failing(first, *more):
        target = first if isinstance(first, str) else os.readlink(f"/proc/self/fd/{first}")
        if target == str(tmp_path):
            raise OSError(number, os.strerror(number))
        return original(first, *more)

    monkeypatch.setattr(os, call, failing)
    fault = None
    try:
        with atomic_output(str(path)) as file:
            file.write(b"new")
    except FileError as caught:
        fault = caught
    assert path.read_bytes() == b"new" and names(tmp_path) == ["out"]
    assert (fault is not None) == is_told
    assert fault is None or ("is written" in fault.what and "old file is as it was" not in str(fault))


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path):
    for name in ("\N{GRINNING FACE}" * 62, "x" * 255, "\N{GRINNING FACE}" * 63 + "xyz"):
        with atomic_output(f"{tmp_path}/{name}") as file:
            file.write(b"x")
        assert names(tmp_path) == [name]
        os.unlink(tmp_path / name)
    with pytest.raises(FileError, match="too long") as caught, atomic_output(f"{tmp_path}/{'x' * 256}"):
        pytest.fail("the block must not run")
    assert caught.value.fix == "choose a shorter name"


@pytest.mark.parametrize("target", ["nowhere/out", "link"])
def test_a_link_that_leads_nowhere_is_told_with_its_target(tmp_path, target):
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(FileError) as caught, atomic_output(f"{tmp_path}/link"):
        pytest.fail("the block must not run")
    assert f"(a link to {target})" in caught.value.what
