"""Breakdowns on a device, against the CPU's own engine: the same counts with the same certificate.

The device is CUDA where there is one, else torch on the CPU. Whether Triton interprets is settled for a whole process,
so the fused kernels are tested by starting this file again, interpreted, in a process of its own.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from random_sets import sets

torch = pytest.importorskip("torch")

from lossctl.errors import DataError, DeviceError, UsageError  # noqa: E402
from lossctl.sets.device import picks  # noqa: E402
from lossctl.sets.device import triplets as offload  # noqa: E402
from lossctl.sets.device.points import EMULATION  # noqa: E402
from lossctl.sets.triplets import breakdown  # noqa: E402

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LARGEST = 12 if INTERPRETED else 40
METRICS = [(metric, normalize) for metric in ("euclidean", "sqeuclidean", "cosine") for normalize in (False, True)]


def blobs(n=60 if INTERPRETED else 200, d=6, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(n // 5, size=n)
    return random.standard_normal((n, d)) + 0.5 * random.standard_normal((n // 5, d))[labels], labels


def outcome(function, *arguments, **options):
    """What it returns, None for data that it refuses."""
    try:
        return function(*arguments, **options)
    except DataError:
        return None


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "normalize"), METRICS)
def test_hostile_sets_have_the_same_certified_counts(metric, normalize):
    proven = 0
    for name, x, labels, margin in sets(seed=5, count=24 if INTERPRETED else 120, largest=LARGEST):
        knobs = {"margins": (margin, 0.3), "metric": metric, "normalize": normalize, "by_class": True, "pairs": 9}
        here = outcome(breakdown, x, labels, **knobs)
        there = outcome(offload.breakdown_on, DEVICE, x, labels, **knobs)
        if here is None:
            assert there is None, name
            continue
        proven += here.certified
        assert [at.categories for at in there.margins] == [at.categories for at in here.margins], name
        assert (there.certified, there.undecided, there.anchors) == (here.certified, here.undecided, here.anchors), name
        assert (there.classes, there.pairs) == (here.classes, here.pairs), name
        assert astuple(there.retrieval) == pytest.approx(astuple(here.retrieval), rel=1e-12, nan_ok=True), name
    assert proven > 8


@pytest.mark.parametrize(("metric", "normalize"), METRICS)
def test_losses_and_distances_are_those_of_the_cpu(metric, normalize):
    x, labels = blobs()
    knobs = {"margins": (0.2, 0.0), "metric": metric, "normalize": normalize}
    here, there = breakdown(x, labels, **knobs), offload.breakdown_on(DEVICE, x, labels, **knobs)
    assert astuple(there.retrieval) == pytest.approx(astuple(here.retrieval), rel=1e-12)
    for one, other in zip(here.margins, there.margins, strict=True):
        assert other.batch_all_sum == pytest.approx(one.batch_all_sum, rel=1e-12)
        assert other.batch_hard == pytest.approx(one.batch_hard, rel=1e-12)
        assert other.active == one.active
    for one, other in ((here.positives, there.positives), (here.negatives, there.negatives)):
        assert (other.pairs, other.counts) == (one.pairs, one.counts)
        figures = [(side.smallest, side.mean, side.largest) for side in (one, other)]
        assert figures[1] == pytest.approx(figures[0], rel=1e-9)


def test_most_anchors_stay_on_the_device(monkeypatch):
    x, labels = blobs()
    counted = []
    count_panel = offload.count_panel
    monkeypatch.setattr(
        offload, "count_panel", lambda task, panel: counted.append(len(panel)) or count_panel(task, panel)
    )
    assert offload.breakdown_on(DEVICE, x, labels, margins=(0.2,)).certified
    assert sum(counted) < 0.05 * len(x)


def test_without_the_bound_the_counts_would_be_wrong(monkeypatch):
    """What the certificate rests on: take the slack away, and ties that rounding breaks are counted as it likes."""
    random = np.random.default_rng(1)
    x, labels = random.integers(-2, 3, size=(40, 3)) / 3, random.integers(5, size=40)
    knobs = {"margins": (1 / 3,)}
    right = breakdown(x, labels, **knobs).margins[0].categories
    assert offload.breakdown_on(DEVICE, x, labels, **knobs).margins[0].categories == right
    for module in (offload, picks):
        monkeypatch.setattr(module, "slack_of", lambda points, margin: 0.0)
    assert offload.breakdown_on(DEVICE, x, labels, **knobs).margins[0].categories != right


def test_what_the_cpu_counted_is_not_said_to_be_the_device_s():
    x, labels = blobs()
    assert offload.breakdown_on(DEVICE, x, labels, margins=(0.2,)).backend.endswith(DEVICE)
    assert offload.breakdown_on(DEVICE, x, labels, margins=(1e300,)).backend == "numpy"


def test_progress_ends_with_all_anchors_and_no_distance_is_measured_for_no_histogram(monkeypatch):
    x, labels = blobs()
    seen = []
    monkeypatch.setattr(offload, "distances", None)
    progress = {"progress": lambda done, count: seen.append((done, count))}
    there = offload.breakdown_on(DEVICE, x, labels, bins=0, **progress)
    assert there.margins == breakdown(x, labels, bins=0).margins
    assert seen[-1][0] == seen[-1][1] > 0


def test_emulated_products_are_refused(monkeypatch):
    monkeypatch.setenv(EMULATION, "1")
    with pytest.raises(DeviceError, match="no error bound"):
        offload.breakdown_on(DEVICE, *blobs())


@pytest.mark.skipif(DEVICE == "cuda", reason="there is CUDA")
def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises(DeviceError):
        offload.breakdown_on("cuda", *blobs())


def test_a_bad_margin_is_an_error():
    with pytest.raises(UsageError):
        offload.breakdown_on(DEVICE, *blobs(), margins=(-1.0,))


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="this is the process that it starts")
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_the_fused_kernels_hold_in_the_interpreter():
    answers = f"{Path(__file__).with_name('test_bench.py')}::test_our_own_answers_are_right"
    files = [__file__, str(Path(__file__).with_name("test_device.py")), answers]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "", "-n", "0", "-p", "no:cacheprovider", *files]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert finished.returncode == 0, finished.stdout + finished.stderr
