"""Losses and mined triplets on a device, against the CPU's own: the same picks, ties included, and the same sums.

The device is CUDA where there is one, else torch on the CPU; test_offload.py starts this file again with Triton
interpreted.
"""

from __future__ import annotations

import csv
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import pytest
from anchor_sums import sum_losses, sums_of
from conftest import run_lossctl
from random_sets import grid, scaled_grid, sets

torch = pytest.importorskip("torch")

import lossctl  # noqa: E402
from lossctl.api import mine as mined  # noqa: E402
from lossctl.cli.app import run  # noqa: E402
from lossctl.errors import DataError, DeviceError, UsageError  # noqa: E402
from lossctl.kernels import devices  # noqa: E402
from lossctl.language.registry import make, parse, walk  # noqa: E402
from lossctl.sets.device import losses as device_losses  # noqa: E402
from lossctl.sets.device import picks as device_picks  # noqa: E402
from lossctl.sets.device import points as placed  # noqa: E402
from lossctl.sets.device import triplets as offload  # noqa: E402
from lossctl.sets.device.points import EMULATION  # noqa: E402
from lossctl.sets.mining import joined  # noqa: E402
from lossctl.sets.panels import Panel  # noqa: E402
from lossctl.sets.points import sort_points  # noqa: E402
from lossctl.sets.strategies import ON_DEVICE, STRATEGIES  # noqa: E402
from lossctl.sets.ties import Judges  # noqa: E402
from lossctl.sets.triplets import breakdown  # noqa: E402

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SOME, LARGEST = (24, 12) if INTERPRETED else (120, 40)
SAMPLE = "samples/embeddings.npz"
METRICS = ("euclidean", "sqeuclidean", "cosine")
STEPS = [
    ("batch-hard", {}),
    ("semi-hard", {"fallback": "easiest"}),
    ("semi-hard", {"fallback": "hardest"}),
    ("semi-hard", {"fallback": "drop"}),
    ("random-semi-hard", {"seed": 3}),
]
PANEL_LOSSES = [loss.name for loss in walk() if loss.engine.has_space]
VARIANTS = ["batch-hard:soft=true", "semi-hard:fallback=hardest", "semi-hard:fallback=drop", "circle:unified=true"]

without_cuda = pytest.mark.skipif(DEVICE == "cuda", reason="there is CUDA")
on_the_command_line = pytest.mark.skipif(INTERPRETED, reason="takes minutes when interpreted, and says no more")
needs_cuda = pytest.mark.skipif(DEVICE == "cpu", reason="there is no CUDA")


def blobs(n=60 if INTERPRETED else 200, d=6, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(n // 5, size=n)
    return random.standard_normal((n, d)) + 0.5 * random.standard_normal((n // 5, d))[labels], labels


def hostile(seed, metric):
    """(name, points, margin) of small sets that have anchors."""
    for name, x, labels, margin in sets(seed=seed, count=SOME, largest=LARGEST):
        try:
            points = sort_points(x.astype(float), labels, metric=metric)
        except DataError:
            continue
        if points.anchors:
            yield name, points, margin


def differing(one, other):
    names = ("rows", "d_ap", "d_an", "loss")
    return [name for name in names if not np.array_equal(getattr(one, name), getattr(other, name))]


# --- picks


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("strategy", "options"), STEPS, ids=lambda value: str(value) if value else "")
def test_mined_triplets_are_those_of_the_cpu(strategy, options, metric):
    for name, points, margin in hostile(5, metric):
        there = device_picks.with_picks(points, DEVICE)
        one, other = (
            joined(STRATEGIES[strategy].mine(p, margin=margin, **options, threads=1)) for p in (points, there)
        )
        assert differing(one, other) == [], name


def test_blocks_and_threads_change_nothing():
    points = sort_points(*blobs())
    for strategy, options in STEPS:
        there = device_picks.with_picks(points, DEVICE)
        one = joined(STRATEGIES[strategy].mine(points, **options))
        assert differing(one, joined(STRATEGIES[strategy].mine(there, **options, block=7, threads=3))) == []


def test_most_anchors_are_proven_on_the_device():
    points = sort_points(*blobs())
    there = device_picks.with_picks(points, DEVICE)
    for strategy, options in STEPS:
        joined(STRATEGIES[strategy].mine(there, **options))
    assert len(there.finder.answers) == len(STEPS)
    assert all(found.is_open.mean() < 0.02 for found in there.finder.answers.values())


@pytest.mark.parametrize("spread", [1.0, 0.0])
def test_large_classes_are_sorted_instead_of_compared(spread):
    """And of points that are all the same no bound says anything."""
    random = np.random.default_rng(2)
    n = 90 if spread else 12
    points = sort_points(1 + spread * random.standard_normal((n, 3)), np.arange(n) % 2)
    for strategy, options in STEPS:
        there = device_picks.with_picks(points, DEVICE)
        one, other = (joined(STRATEGIES[strategy].mine(p, **options)) for p in (points, there))
        assert differing(one, other) == [], (strategy, options)


def test_without_the_bound_ties_would_be_decided_by_rounding(monkeypatch):
    monkeypatch.setattr(device_picks, "slack_of", lambda points, margin: 0.0)
    wrong = 0
    for seed in range(8):
        random = np.random.default_rng(seed)
        points = sort_points(scaled_grid(random, 60, 3), random.integers(5, size=60))
        there = device_picks.with_picks(points, DEVICE)
        one, other = (joined(STRATEGIES["batch-hard"].mine(p)) for p in (points, there))
        wrong += "rows" in differing(one, other)
    assert wrong


# --- losses


def sum_losses_on(*arguments, **options):
    """The sums of a loss on a device, and what computed them."""
    found, backend = device_losses.anchor_losses_on(*arguments, **options)
    return sums_of(found), backend


@pytest.mark.first_fast
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("text", PANEL_LOSSES + VARIANTS)
def test_a_loss_is_that_of_the_cpu(text, metric):
    spec, points = parse(text), sort_points(*blobs(), metric=metric)
    here = sum_losses(points, lambda panel: spec.loss.function(panel, **spec.options), everyone=spec.loss.everyone)
    there, _ = sum_losses_on(DEVICE, points, spec, threads=2)
    assert float(there.total) == pytest.approx(float(here.total), rel=1e-12)
    assert (there.weight, there.valid, there.anchors) == (here.weight, here.valid, here.anchors)


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("text", ["batch-all", "batch-hard", "semi-hard", "random-semi-hard", "contrastive-pairs"])
def test_hostile_sets_have_the_same_losses(text, metric):
    """To 1e-12, or to a few units in the last place of the distances that cancel."""
    loss = parse(text).loss
    for name, points, margin in hostile(6, metric):
        if name == "huge" and text == "contrastive-pairs":
            continue  # the square of such a distance is no float
        spec = make(loss, margin=margin or 1.0)
        panel = Panel(points, 0, len(points), Judges(points))
        here = sum_losses(points, lambda p, s=spec: s.loss.function(p, **s.options), everyone=loss.everyone)
        there, _ = sum_losses_on(DEVICE, points, spec)
        assert there.anchors == here.anchors, name
        assert there.valid == here.valid, name  # of its active terms those at 0 are told by rounded sums
        largest = float(panel.distance.max()) + spec.options["margin"]
        terms = float(here.valid) * largest * (largest if text == "contrastive-pairs" else 1)
        assert float(there.total) == pytest.approx(float(here.total), rel=1e-12, abs=2e-15 * terms + 1e-300), name


def test_batch_all_of_whole_numbers_counts_as_the_cpu_does():
    """Ties at a margin are many there, and the distances are exact on both sides."""
    random = np.random.default_rng(3)
    for metric in ("euclidean", "sqeuclidean"):
        points = sort_points(grid(random, 50, 3), random.integers(6, size=50), metric=metric)
        spec = make(parse("batch-all").loss, margin=1.0)
        here = sum_losses(points, lambda panel, s=spec: s.loss.function(panel, **s.options))
        assert sum_losses_on(DEVICE, points, spec)[0].weight == here.weight


def test_the_kernel_of_batch_all_gives_the_sums_of_its_function():
    points = sort_points(*blobs())
    placed = device_losses.place(points, DEVICE)
    losses, active, is_open = device_losses._batch_all(placed, points, 0.2, (0, points.anchors))
    total, weight, _ = parse("batch-all").loss.function(Panel(points, 0, points.anchors, Judges(points)), margin=0.2)
    assert is_open.mean() < 0.05
    assert np.allclose(losses[~is_open], total[~is_open], rtol=1e-12, atol=0)
    assert np.array_equal(active[~is_open], weight[~is_open])


def test_an_outlier_costs_near_pairs_no_digits():
    """Differences are taken before the points are centred."""
    random = np.random.default_rng(4)
    x = random.standard_normal((20, 3))
    x[:3] *= 1e12
    points = sort_points(x, np.arange(20) % 4)
    there = device_picks.with_picks(points, DEVICE)
    graph = device_losses.replace(there, x=torch.from_numpy(points.x).to(DEVICE))
    here = Panel(points, 0, 20, Judges(points)).distance
    assert np.allclose(Panel(graph, 0, 20, Judges(graph)).distance.cpu().numpy(), here, rtol=1e-12, atol=0)


# --- what is said and what is not


@pytest.mark.slow
def test_the_backend_is_told():
    fused, kind = "triton" if INTERPRETED or DEVICE == "cuda" else "torch", DEVICE
    points = sort_points(*blobs())
    for name in ("batch-hard", "batch-all", "semi-hard"):
        assert sum_losses_on(DEVICE, points, parse(name))[1] == f"{fused}-{kind}"
    assert sum_losses_on(DEVICE, points, parse("circle"))[1] == f"torch-{kind}"
    assert sum_losses_on(DEVICE, points, parse("batch-all:margin=1e160"))[1] == "numpy"  # beyond every error bound
    large = sort_points(np.random.default_rng(0).standard_normal((70, 2)), np.arange(70) % 2)
    assert sum_losses_on(DEVICE, large, parse("semi-hard"))[1] == f"torch-{kind}"


def test_emulated_products_are_refused(monkeypatch):
    monkeypatch.setenv(EMULATION, "1")
    points = sort_points(*blobs())
    with pytest.raises(DeviceError, match="EMULATE"):
        sum_losses_on(DEVICE, points, parse("circle"))
    with pytest.raises(DeviceError, match="EMULATE"):
        device_picks.with_picks(points, DEVICE)


@pytest.fixture
def elsewhere(monkeypatch):
    """A device by the name of cuda:0 that is this test's own; a list of what was asked of it."""
    asked = []

    def on_ours(function, place):
        def asking(*arguments, **options):
            asked.append(arguments[place])
            return function(*arguments[:place], DEVICE, *arguments[place + 1 :], **options)

        return asking

    def chosen(text):
        return devices.Device("cuda:0" if text.startswith("cuda") else "cpu")

    for module in (devices, mined):
        monkeypatch.setattr(module, "choose", chosen)
    for module, name, place in (
        (device_losses, "anchor_losses_on", 0), (device_picks, "with_picks", 1),
        (offload, "breakdown_on", 0),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, on_ours(getattr(module, name), place))
    return asked


@on_the_command_line
def test_compute_on_a_device(elsewhere, capsys):
    for loss in ("batch-all", "supcon"):
        assert run(["compute", loss, SAMPLE, "--device", "cuda", "--signature"]) == 0
        value, signature = capsys.readouterr().out.split("\t")
        assert float(value) == pytest.approx(float(run_lossctl("compute", loss, SAMPLE).out), rel=1e-12)
        assert f"-{DEVICE}|" in signature and "be:t" in signature
    assert elsewhere == ["cuda:0", "cuda:0"]


@pytest.mark.slow
@on_the_command_line
def test_rows_groups_and_intervals_of_a_device(elsewhere, capsys):
    interval = ("--ci", "0.9", "-f", "csv")
    for options in (("--per-row", "-f", "csv"), ("-g", "label", *interval), ("--keep", "10%", "-f", "csv")):
        found = []
        for device in ("cpu", "cuda"):
            assert run(["compute", "batch-hard", SAMPLE, *options, "--device", device]) == 0
            found.append(list(csv.reader(io.StringIO(capsys.readouterr().out))))
        here, there = ([[_as_number(cell) for cell in line] for line in lines] for lines in found)
        assert len(here) > 1
        for mine, theirs in zip(here, there, strict=True):
            assert theirs == pytest.approx(mine, rel=1e-12)
    assert run(["compute", "batch-hard", SAMPLE, *interval[:2], "--json", "--device", "cuda"]) == 0
    assert f"-{DEVICE}|" in json.loads(capsys.readouterr().out)["results"][0]["signature"]
    assert elsewhere


def _as_number(cell):
    """Text that is no number as the sum of its letters, so that lines compare as numbers."""
    try:
        return float(cell)
    except ValueError:
        return float(sum(map(ord, cell)))


@on_the_command_line
def test_mine_on_a_device_writes_the_same_file(elsewhere, tmp_path):
    for strategy in ON_DEVICE:
        for k, device in enumerate(("cpu", "cuda")):
            path = str(tmp_path / f"{strategy}{k}.csv")
            assert run(["mine", strategy, SAMPLE, "--margin", "0.2", "-o", path, "--device", device]) == 0
        assert (tmp_path / f"{strategy}0.csv").read_bytes() == (tmp_path / f"{strategy}1.csv").read_bytes()
    assert elsewhere == ["cuda:0"] * len(ON_DEVICE)


def test_from_python(elsewhere):
    x, labels = blobs()
    here, there = (lossctl.compute("semi-hard:margin=0.2", x, labels, device=device) for device in ("cpu", "cuda:0"))
    assert there.value == pytest.approx(here.value, rel=1e-12)
    assert there.counts == here.counts
    assert "be:numpy" in here.signature and f"-{DEVICE}|" in there.signature
    here, there = (lossctl.triplets(x, labels, margin=0.2, device=device) for device in ("cpu", "cuda:0"))
    assert there.breakdown.margins[0].categories == here.breakdown.margins[0].categories
    assert (here.breakdown.backend, there.breakdown.backend[-len(DEVICE) :]) == ("numpy", DEVICE)
    with pytest.raises(UsageError, match="mse takes no device"):
        lossctl.compute("mse", [1.0], [2.0], device="cuda")


@pytest.mark.slow
def test_spans_of_anchors_shared_out_give_what_one_device_gives(elsewhere, monkeypatch, tmp_path):
    emb, label = (str(tmp_path / name) for name in ("emb.npy", "label.npy"))
    for path, array in zip((emb, label), blobs(24 if INTERPRETED else 200), strict=True):
        np.save(path, array)

    def answers(**how):
        yield asdict(lossctl.triplets(emb, label, margin=[0.2, 1], pairs=3, device="cuda:0", **how))
        for loss in ("batch-all", "batch-hard"):
            yield lossctl.compute(loss, emb, label, device="cuda:0", **how)
        mine = lossctl.mine("semi-hard", emb, label, device="cuda:0", **how)
        yield mine.rows.tolist(), mine.d_an.tolist()

    once = list(map(repr, answers()))
    assert list(map(repr, answers(memory="1kB" if INTERPRETED else "9kB"))) == once  # from points in a file
    monkeypatch.setattr(placed, "SPAN", 8 if INTERPRETED else 64)
    with ThreadPoolExecutor(2) as pool:
        for one, other in zip(once, map(repr, answers(executor=pool)), strict=True):
            assert one == other


@pytest.mark.parametrize("kernel", ["batch-all", "batch-hard"])
def test_a_device_without_room_is_said(elsewhere, monkeypatch, kernel):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.")

    kernel_of = placed.Placed.kernel
    monkeypatch.setattr(
        placed.Placed, "kernel", lambda self, name, at: full if name == kernel else kernel_of(self, name, at)
    )
    for ask in (lossctl.triplets, lambda *inputs, **options: lossctl.compute(kernel, *inputs, **options)):
        with pytest.raises(DeviceError, match="is out of memory") as fault:
            ask(*blobs(40), device="cuda:0")
        assert 'device="cpu"' in str(fault.value)


def test_a_kernel_that_does_not_fit_a_card_is_said(elsewhere, monkeypatch):
    errors = pytest.importorskip("triton.runtime.errors")

    def too_large(*_, **__):
        raise errors.OutOfResources(262144, 101376, "shared memory")

    monkeypatch.setattr(placed.Placed, "kernel", lambda self, name, span: too_large)
    with pytest.raises(DeviceError, match=r"(?s)does not fit.*shared memory, Required: 262144"):
        lossctl.triplets(*blobs(40), device="cuda:0")


def test_repeated_rows_are_counted_alike():
    """The CPU merges equal rows of a class, the device does not."""
    x, labels = blobs(20 if INTERPRETED else 40)
    x, labels = np.concatenate([x, x, x[:9]]), np.concatenate([labels, labels, labels[:9] + 1])
    here, there = breakdown(x, labels, margins=(0.0, 0.3)), offload.breakdown_on(DEVICE, x, labels, margins=(0.0, 0.3))
    assert [at.categories for at in there.margins] == [at.categories for at in here.margins]
    assert there.certified and here.certified


# --- the command line


@without_cuda
@on_the_command_line
@pytest.mark.parametrize(
    "arguments",
    [("compute", "batch-hard"), ("compute", "circle"), ("mine", "semi-hard", "-o", "x.npy"), ("triplets",)],
    ids=" ".join,
)
def test_no_cuda_is_told_before_any_file_is_read(arguments, tmp_path):
    done = run_lossctl(*arguments, "no-such-file.npz", "--device", "cuda", cwd=tmp_path)
    assert (done.code, done.out) == (5, "")
    assert "no CUDA here" in done.err and "fix:" in done.err
    assert os.listdir(tmp_path) == []


@pytest.mark.first_fast
@pytest.mark.parametrize("strategy", ["all", "hardest", "distance-weighted"])
def test_a_strategy_without_a_kernel_names_those_that_have_one(strategy, tmp_path):
    asked = ("mine", strategy, SAMPLE, "--limit", "5", "--normalize", "-o", tmp_path / "x.npy", "--device")
    done = run_lossctl(*asked, "cuda")
    assert (done.code, done.out) == (2, "")
    assert all(name in done.err for name in ON_DEVICE)
    done = run_lossctl(*asked, "auto")
    assert done.code == 0
    assert done.err == f"auto: cpu, for {strategy} has no kernel for CUDA\n"


@pytest.mark.slow
@without_cuda
@on_the_command_line
def test_auto_says_what_it_chose(tmp_path):
    for arguments in (("compute", "batch-hard"), ("triplets", "-b"), ("mine", "batch-hard", "-o", tmp_path / "x.npy")):
        done = run_lossctl(*arguments, SAMPLE, "--device", "auto")
        assert done.code == 0 and done.err.startswith("auto: cpu, for there is no CUDA")
        assert run_lossctl(*arguments, SAMPLE, "--device", "auto", "-q").err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("compute", "batch-hard", SAMPLE, "--device", "gpu"),
        ("mine", "all", SAMPLE, "-o", "x.npy", "--device", "gpu"),
        ("triplets", "samples/embeddings.npy", "--index", "samples/triplets_index.npy", "--device", "cuda"),
    ],
    ids=" ".join,
)
def test_a_device_that_makes_no_sense_is_refused(arguments):
    done = run_lossctl(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "device" in done.err and "fix:" in done.err


@needs_cuda
def test_the_command_line_on_cuda(tmp_path):
    for loss in PANEL_LOSSES:
        here, there = (run_lossctl("compute", loss, SAMPLE, "--device", device) for device in ("cpu", "cuda"))
        assert there.code == 0 and float(there.out) == pytest.approx(float(here.out), rel=1e-12)
    for strategy in ON_DEVICE:
        for device in ("cpu", "cuda"):
            assert run_lossctl("mine", strategy, SAMPLE, "-o", tmp_path / f"{device}.csv", "--device", device).code == 0
        assert (tmp_path / "cpu.csv").read_bytes() == (tmp_path / "cuda.csv").read_bytes()
