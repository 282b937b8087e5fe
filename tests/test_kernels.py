"""Claims about the kernels, each against float64 by direct differences.

Whether Triton compiles or interprets a kernel is settled when the kernel is imported, for the whole process. So in an
ordinary run the fused kernels are tested by one test that starts this file again, interpreted, in a process of its own.
Where there is a GPU the same claims run on it, in this process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from decimal import Decimal, localcontext
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from lossctl.errors import DataError, DeviceError, UsageError
from lossctl.kernels import KERNELS, find

torch = pytest.importorskip("torch")
tiles = pytest.importorskip("lossctl.kernels.tiles")
batch_hard = pytest.importorskip("lossctl.kernels.batch_hard")
batch_all = pytest.importorskip("lossctl.kernels.batch_all")
semi_hard = pytest.importorskip("lossctl.kernels.semi_hard")

ROOT = Path(__file__).parents[1]
HAS_TRITON = importlib.util.find_spec("triton") is not None
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
FUSED_RUNS_HERE = HAS_TRITON and (DEVICE == "cuda" or INTERPRETED)

needs_triton = pytest.mark.skipif(not HAS_TRITON, reason="triton is not installed")
fused_claim = pytest.mark.skipif(not FUSED_RUNS_HERE, reason="see test_the_fused_kernels_hold_in_the_interpreter")
IMPLEMENTATIONS = ["naive", "panel", pytest.param("fused", marks=fused_claim)]
PRECISIONS = ["float64", "ieee", "tf32x3", "tf32", "bf16"]
SHAPES = [(5, 3, 2), (17, 40, 3), (33, 16, 33), (50, 7, 9), (67, 20, 5)]  # N, D, number of classes

Tensor = Any


def points(n: int, dim: int, classes: int, precision: str = "float64", *, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn((n, dim), generator=generator, dtype=torch.float64)
    if precision != "float64":
        values = values.float()
    labels = torch.randint(0, classes, (n,), generator=generator)
    return tiles.sort_by_label(values.to(DEVICE), labels.to(DEVICE))


def grid_points(n: int, dim: int, classes: int) -> Any:
    """Points on a small integer grid, where every precision is exact and ties abound."""
    generator = torch.Generator().manual_seed(n)
    values = torch.randint(-2, 3, (n, dim), generator=generator).float()
    labels = torch.randint(0, classes, (n,), generator=generator)
    return tiles.sort_by_label(values.to(DEVICE), labels.to(DEVICE))


def squared(values: Tensor) -> Tensor:
    exact = values.double()
    return (exact[:, None] - exact[None]).square().sum(2)


def relations(a: Any) -> tuple[Tensor, Tensor]:
    """(N, N) masks of the positives and the negatives of each anchor."""
    row = torch.arange(len(a.start), device=a.start.device)
    same = (row >= a.start[:, None]) & (row < a.end[:, None])
    return same & (row != row[:, None]), ~same


def run(module: Any, implementation: str, a: Any, precision: str = "float64", **knobs: Any) -> Any:
    knobs["precision"] = "ieee" if precision == "float64" else precision
    return getattr(module, implementation)(a.embeddings, a.start, a.end, **knobs)


def doubt(a: Any, precision: str) -> Tensor:
    """How far a squared distance from each anchor may be from the truth."""
    ready = tiles.prepare(a.embeddings, a.start, a.end, precision="ieee" if precision == "float64" else precision)
    relative = tiles.squared_distance_error(a.embeddings.shape[1], a.embeddings.dtype, ready.precision)
    return relative * 1.05 * (ready.norms + ready.norms.max()).double()


def rms(values: Tensor) -> float:
    return float(values.nan_to_num().square().mean().sqrt())


def same_fields(left: Any, right: Any) -> bool:
    return all(
        torch.equal(torch.nan_to_num(getattr(left, name), -9.0), torch.nan_to_num(getattr(right, name), -9.0))
        for name in left.__dataclass_fields__
    )


# The answers


@pytest.mark.first_fast
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_batch_hard_mines_what_float64_mines_where_the_gap_allows(
    implementation: str, precision: str, shape: tuple[int, int, int]
) -> None:
    a = points(*shape, precision)
    truth, bound = squared(a.embeddings), doubt(a, precision)
    positive, negative = relations(a)
    found = run(batch_hard, implementation, a, precision)
    for at, signed in (
        (found.positive_at, torch.where(positive, -truth, torch.inf)),
        (found.negative_at, torch.where(negative, truth, torch.inf)),
    ):
        exists = torch.isfinite(signed.amin(1))
        assert torch.equal(at >= 0, exists)
        best, second = signed.sort(1).values[:, :2].T
        chosen = signed.gather(1, at.clamp(min=0)[:, None])[:, 0]
        assert bool((chosen <= best + 2 * bound)[exists].all())
        clear = exists & (second - best > 2 * bound)
        assert torch.equal(at[clear], signed.argmin(1)[clear])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_semi_hard_takes_the_nearest_negative_beyond_the_positive(implementation: str, precision: str) -> None:
    a = points(50, 7, 9, precision)
    truth, bound = squared(a.embeddings), doubt(a, precision)[:, None]
    _, negative = relations(a)
    found = run(semi_hard, implementation, a, precision)
    exists = found.positive_at >= 0
    d_ap = truth.gather(1, found.positive_at.clamp(min=0))
    chosen = truth.gather(1, found.negative_at.clamp(min=0))
    for k in range(d_ap.shape[1]):
        # No negative that is surely beyond the positive is surely nearer than the one taken.
        beyond = torch.where(negative & (truth > d_ap[:, k, None] + 2 * bound), truth, torch.inf).amin(1)
        taken = exists[:, k] & ~found.fell_back[:, k]
        assert bool((chosen[:, k] <= beyond + 2 * bound[:, 0])[taken].all())
        assert bool((chosen[:, k] >= d_ap[:, k] - 2 * bound[:, 0])[taken].all())
        assert not bool((found.fell_back[:, k] & torch.isfinite(beyond)).any())


@pytest.mark.parametrize("fallback", semi_hard.FALLBACKS)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_semi_hard_fallback(implementation: str, fallback: str) -> None:
    values = torch.tensor([[0.0], [9.0], [1.0], [2.0], [-2.0]], device=DEVICE)
    a = tiles.sort_by_label(values, torch.tensor([0, 0, 1, 2, 2], device=DEVICE))
    found = run(semi_hard, implementation, a, "ieee", fallback=fallback)
    # Row 0 has its positive at 9 and negatives at 1, 2 and 2: of equals the lower row.
    at, distance = {"easiest": (3, 2.0), "hardest": (2, 1.0), "drop": (-1, None)}[fallback]
    assert bool(found.fell_back[0, 0])
    assert int(found.negative_at[0, 0]) == at
    assert (distance is None) == bool(found.negative[0, 0].isnan())
    assert distance is None or float(found.negative[0, 0]) == distance
    assert found.positive_at[2, 0] == -1 and not bool(found.fell_back[2, 0])


@pytest.mark.parametrize("shape", [(5, 3, 2), (33, 4, 33), (50, 6, 5)])
@pytest.mark.parametrize("squares", [False, True])
@pytest.mark.parametrize("margin", [0.0, 0.5])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_batch_all_counts_and_sums_are_exact_on_a_grid(
    implementation: str, margin: float, squares: bool, shape: tuple[int, int, int]
) -> None:
    a = grid_points(*shape)
    distance = squared(a.embeddings) if squares else squared(a.embeddings).sqrt()
    positive, negative = relations(a)
    valid = positive[:, :, None] & negative[:, None, :]
    d_ap, d_an = distance[:, :, None], distance[:, None, :]
    hard, easy = valid & (d_an <= d_ap), valid & (d_an > d_ap) & (d_an >= d_ap + margin)
    found = run(batch_all, implementation, a, "ieee", margin=margin, squared=squares)
    assert torch.equal(found.hard, hard.sum((1, 2)))
    assert torch.equal(found.tied, (valid & (d_an == d_ap)).sum((1, 2)))
    assert torch.equal(found.hard + found.semi_hard + found.easy, valid.sum((1, 2)))
    if squares or margin == 0:  # else the boundary to easy lies at square roots, which float32 rounds
        assert torch.equal(found.easy, easy.sum((1, 2)))
    loss = ((d_ap + margin - d_an).clamp(min=0) * valid).sum((1, 2))
    assert torch.allclose(found.loss, loss, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("precision", ["float64", "ieee", "bf16"])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_of_equal_distances_the_lowest_row_is_mined(implementation: str, precision: str) -> None:
    a = grid_points(67, 2, 4)
    if precision == "float64":
        a = tiles.Sorted(a.embeddings.double(), a.start, a.end, a.order)
    truth = squared(a.embeddings)
    positive, negative = relations(a)
    found = run(batch_hard, implementation, a, precision)
    assert torch.equal(found.positive_at, torch.where(positive, -truth, torch.inf).argmin(1))
    assert torch.equal(found.negative_at, torch.where(negative, truth, torch.inf).argmin(1))
    pairs = run(semi_hard, implementation, a, precision)
    d_ap = truth.gather(1, pairs.positive_at.clamp(min=0))
    beyond = torch.where(negative[:, None, :] & (truth[:, None, :] > d_ap[:, :, None]), truth[:, None, :], torch.inf)
    taken = (pairs.positive_at >= 0) & ~pairs.fell_back
    assert torch.equal(pairs.negative_at[taken], beyond.argmin(2)[taken])


# The errors


def textbook(values: Tensor, precision: str) -> Tensor:
    """Distances as they are usually computed in float32, with the operands of the product as the precision has them."""
    operand = {"bf16": lambda x: x.bfloat16().float(), "tf32": tiles.round_to_tf32}.get(precision, lambda x: x)(values)
    norms = values.square().sum(1)
    with torch.no_grad():
        return (norms[:, None] + norms - 2 * tiles.product(operand, operand, "ieee")).clamp(min=0).sqrt()


def hinge_sums(a: Any, distance: Tensor) -> Tensor:
    """(N,) sums over each anchor's triplets at margin 0.5, in the dtype of the distances."""
    positive, negative = relations(a)
    valid = positive[:, :, None] & negative[:, None, :]
    return ((distance[:, :, None] + 0.5 - distance[:, None, :]).clamp(min=0) * valid).sum((1, 2))


def extremes(a: Any, distance: Tensor) -> Tensor:
    """(2, N) largest positive and smallest negative distance of each anchor; infinite where there is none."""
    positive, negative = relations(a)
    farthest = torch.where(positive, distance, -torch.inf).amax(1)
    return torch.stack((farthest, torch.where(negative, distance, torch.inf).amin(1)))


@pytest.mark.parametrize("offset", [0.0, 50.0])
@pytest.mark.parametrize("precision", ["ieee", "tf32x3", "tf32", "bf16"])
@pytest.mark.parametrize("implementation", ["panel", pytest.param("fused", marks=fused_claim)])
def test_errors_are_no_larger_than_those_of_the_textbook(implementation: str, precision: str, offset: float) -> None:
    a = points(*((45, 40, 12) if offset else (61, 20, 12)), precision)
    a = tiles.Sorted(a.embeddings + offset, a.start, a.end, a.order)
    truth, plain = squared(a.embeddings).sqrt(), textbook(a.embeddings, precision)
    found = run(batch_hard, implementation, a, precision)
    mined = torch.stack((found.positive, found.negative)).double()
    loss = run(batch_all, implementation, a, precision, margin=0.5).loss
    errors = {
        "mined": mined - extremes(a, truth),
        "mined, textbook": extremes(a, plain).double() - extremes(a, truth),
        "loss": loss - hinge_sums(a, truth),
        "loss, textbook": hinge_sums(a, plain).double() - hinge_sums(a, truth),
    }
    size = {name: rms(error) for name, error in errors.items()}
    # In tf32 and bf16 the rounding of the operands is all there is, and it is the same in both.
    assert size["mined"] <= 1.02 * size["mined, textbook"]
    assert size["loss"] <= 1.02 * size["loss, textbook"]


@fused_claim
@pytest.mark.parametrize("precision", ["float64", "tf32x3"])
def test_results_do_not_depend_on_the_run_and_hardly_on_the_tiling(precision: str) -> None:
    a = points(37, 20, 9, precision)
    other = tiles.Tiling(32, 16, 32, programs=1)
    for module in (batch_hard, batch_all, semi_hard):
        once, again = (run(module, "fused", a, precision) for _ in range(2))
        assert same_fields(once, again)
        elsewise = run(module, "fused", a, precision, tiling=other)
        for name in once.__dataclass_fields__:
            left, right = (getattr(result, name).double().nan_to_num(-9.0) for result in (once, elsewise))
            assert torch.allclose(left, right, rtol=1e-4, atol=1e-4), name


@pytest.mark.parametrize("classes", [1, 45])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_anchors_without_positives_or_negatives(implementation: str, classes: int) -> None:
    labels = torch.arange(45, device=DEVICE) % classes
    a = tiles.sort_by_label(points(45, 5, 1).embeddings, labels)
    hard = run(batch_hard, implementation, a)
    missing_at, missing = (hard.negative_at, hard.negative) if classes == 1 else (hard.positive_at, hard.positive)
    assert bool((missing_at == -1).all()) and bool(missing.isnan().all())
    sums = run(batch_all, implementation, a)
    assert not any(bool(getattr(sums, name).any()) for name in sums.__dataclass_fields__)
    pairs = run(semi_hard, implementation, a)
    assert pairs.positive_at.shape == (45, 44 if classes == 1 else 0)
    assert bool((pairs.negative_at == -1).all()) and bool(pairs.negative.isnan().all())
    assert bool(pairs.fell_back.all())


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_single_point(implementation: str) -> None:
    a = points(1, 3, 1)
    assert int(run(batch_hard, implementation, a).positive_at[0]) == -1
    assert int(run(batch_all, implementation, a).easy[0]) == 0
    assert run(semi_hard, implementation, a).positive_at.shape == (1, 0)


@fused_claim
@pytest.mark.parametrize("size", [6, 32, 33])
def test_every_class_size_up_to_the_sorted_route(size: int) -> None:
    labels = torch.tensor([0] * size + [1] * 2 + [2] * 20, device=DEVICE)
    a = tiles.sort_by_label(points(len(labels), 5, 1).embeddings, labels)
    assert torch.allclose(run(batch_all, "fused", a).loss, run(batch_all, "panel", a).loss)
    for slack in (0.0, 1e-3):  # the second in reach of what float32 sees, and beyond its rounding
        fused, panel = (run(batch_all, way, a, slack=slack) for way in ("fused", "panel"))
        assert all(torch.equal(getattr(fused, side), getattr(panel, side)) for side in ("hard", "easy", "borderline"))
    assert bool(fused.borderline.any())
    assert torch.equal(run(semi_hard, "fused", a).negative_at, run(semi_hard, "panel", a).negative_at)


@pytest.mark.parametrize("precision", ["float64", "tf32x3"])
def test_an_anchor_is_independent_of_its_block(precision: str) -> None:
    a = points(67, 20, 12, precision)
    neighbours = torch.arange(21, 52, device=DEVICE)
    ways = [("panel", torch.tensor([3, 4, 40, 66], device=DEVICE)), *([("fused", neighbours)] * FUSED_RUNS_HERE)]
    for module, (way, some) in product((batch_hard, batch_all, semi_hard), ways):
        whole, part = run(module, way, a, precision), run(module, way, a, precision, anchors=some)
        for name in whole.__dataclass_fields__:
            left, right = getattr(whole, name)[some].double(), getattr(part, name).double()
            assert torch.allclose(left, right, rtol=1e-5, atol=1e-5, equal_nan=True), name


# Certified counts


def exact_counts(rows: list[list[float]], start: list[int], end: list[int], margin: float) -> list[list[int]]:
    """hard, semi-hard and easy of each anchor, decided with 60 digits."""
    with localcontext() as context:
        context.prec = 60
        exact = [[Decimal(value) for value in row] for row in rows]
        everyone = range(len(rows))
        d = [[sum(((x - y) ** 2 for x, y in zip(p, q, strict=True)), Decimal(0)).sqrt() for q in exact] for p in exact]
        counts = [[0, 0, 0] for _ in everyone]
        for a, p, n in product(everyone, repeat=3):
            if a != p and start[a] <= p < end[a] and not start[a] <= n < end[a]:
                hard, easy = d[a][n] <= d[a][p], d[a][n] >= d[a][p] + Decimal(margin)
                counts[a][0 if hard else 2 if easy else 1] += 1
    return counts


@pytest.mark.parametrize(
    ("precision", "spread"), [("float64", 1.0), ("float64", 1e-6), ("float64", 1e-9), ("float64", 0.0), ("ieee", 1.0)]
)
@pytest.mark.parametrize("implementation", ["panel", pytest.param("fused", marks=fused_claim)])
def test_counts_without_borderline_triplets_are_exact(implementation: str, precision: str, spread: float) -> None:
    proven = 0
    for seed in range(4):
        a = points(13, 3, 4, precision, seed=seed)
        a = tiles.Sorted(1 + spread * a.embeddings, a.start, a.end, a.order)
        slack = tiles.squared_distance_error(3, a.embeddings.dtype)
        margin = spread / 2
        found = run(batch_all, implementation, a, precision, margin=margin, slack=slack)
        truth = exact_counts(a.embeddings.tolist(), a.start.tolist(), a.end.tolist(), margin)
        for anchor, counts in enumerate(truth):
            if int(found.borderline[anchor]) == 0:
                proven += 1
                assert [int(x[anchor]) for x in (found.hard, found.semi_hard, found.easy)] == counts
    assert proven >= 40 if spread > 1e-7 else proven <= 40


# The door


def test_nothing_heavy_is_imported_until_a_kernel_is_asked_for() -> None:
    code = "import sys, lossctl.kernels; sys.exit(any(name in sys.modules for name in ('torch', 'triton', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_find(kernel: str) -> None:
    assert find(kernel, "panel", "cpu") is not None
    assert find(kernel, "naive", "cpu") is not None
    assert (find(kernel, "triton", "cpu") is not None) == (HAS_TRITON and INTERPRETED)
    assert (find(kernel, "triton", "cuda") is not None) == (HAS_TRITON and DEVICE == "cuda")


def test_find_knows_its_names() -> None:
    for wrong in (("batch", "panel", "cpu"), ("batch-hard", "fast", "cpu"), ("batch-hard", "panel", "gpu")):
        with pytest.raises(UsageError, match="unknown"):
            find(*wrong)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_faults_are_raised_at_the_door(implementation: str) -> None:
    a = points(9, 4, 3, "ieee")
    values, start, end = a.embeddings, a.start, a.end
    hard, sums, pairs = (getattr(module, implementation) for module in (batch_hard, batch_all, semi_hard))
    for arrays, message in (
        ((values[0], start, end), "shape"),
        ((values[:0], start[:0], end[:0]), "shape"),
        ((values.int(), start, end), "floating"),
        ((values, start[:-1], end), "start"),
        ((values, start, end.float()), "end"),
        ((values, end, start), "slices"),
        ((values * 1e30, start, end), "overflows"),
        ((torch.where(values == values[3], torch.nan, values), start, end), "row 3"),
    ):
        for kernel in (hard, sums, pairs):
            with pytest.raises(DataError, match=message):
                kernel(*arrays)
    with pytest.raises(UsageError, match="precision"):
        hard(values, start, end, precision="fp8")
    with pytest.raises(UsageError, match="float64"):
        hard(values.double(), start, end, precision="tf32")
    with pytest.raises(UsageError, match="margin"):
        sums(values, start, end, margin=-1.0)
    with pytest.raises(UsageError, match="fallback"):
        pairs(values, start, end, fallback="random")


@needs_triton
@pytest.mark.skipif(FUSED_RUNS_HERE and INTERPRETED, reason="the interpreter reads any device")
def test_the_fused_kernels_refuse_the_cpu() -> None:
    a = points(9, 4, 3, "ieee")
    for module in (batch_hard, batch_all, semi_hard):
        with pytest.raises(DeviceError, match="GPU"):
            module.fused(a.embeddings.cpu(), a.start.cpu(), a.end.cpu())


# Rounding


def test_rounding_to_tf32_is_to_nearest_even() -> None:
    ulp = 2.0**-10
    values = torch.tensor([1.0, 1 + ulp / 2, 1 + 1.5 * ulp, 1 + 0.51 * ulp, -1 - 0.51 * ulp, 2 - 2.0**-23, 0.0])
    rounded = [1.0, 1.0, 1 + 2 * ulp, 1 + ulp, -1 - ulp, 2.0, 0.0]
    assert tiles.round_to_tf32(values).tolist() == rounded


def test_centring_is_exact_on_a_grid_and_leaves_centred_points_alone() -> None:
    centred = points(40, 6, 2, "ieee").embeddings
    assert torch.equal(tiles.prepare(centred, *one_class(40), precision="ieee").exact, centred)
    grid = torch.randint(100, 105, (40, 6), device=DEVICE).float()
    moved = tiles.prepare(grid, *one_class(40), precision="ieee").exact
    assert float(moved.abs().max()) < 8
    assert torch.equal(squared(moved), squared(grid))
    constant = torch.full((40, 1), 0.1, device=DEVICE)
    assert not bool(tiles.prepare(constant, *one_class(40), precision="ieee").exact.any())


def one_class(n: int) -> tuple[Tensor, Tensor]:
    return torch.zeros(n, dtype=torch.int64, device=DEVICE), torch.full((n,), n, device=DEVICE)


def test_tiles_fit_a_card_of_99_kib() -> None:
    for precision, dim in product(PRECISIONS, (3, 64, 65, 128, 200, 256, 512, 2000)):
        dtype = torch.float64 if precision == "float64" else torch.float32
        cut = tiles.cuda_tiling(dim, dtype, precision, 99 << 10)
        size = (
            2 if precision == "bf16" else dtype.itemsize * (1.5 if precision == "tf32x3" else 1)
        )  # high and low parts
        assert (cut.block_m + cut.stages * cut.block_n) * cut.block_d * size <= 99 << 10, (precision, dim)


# Other processes


@pytest.mark.slow
@needs_triton
@pytest.mark.skipif(FUSED_RUNS_HERE, reason="the claims run in this process")
def test_the_fused_kernels_hold_in_the_interpreter() -> None:
    only = "fused or tiling or every_class"
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "", "-n", "0", "-p", "no:cacheprovider", "-k", only, __file__],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.slow
@needs_triton
def test_every_kernel_compiles_for_hopper(tmp_path: Path) -> None:
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), "TRITON_INTERPRET": "0"}
    command = [sys.executable, ROOT / "tests/bench/kernel_code.py", "--lines"]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    lines = [line.split() for line in finished.stdout.splitlines()]
    assert len(lines) == 13
    for kernel, precision, *_, shared_kib, tensor_core_products, step, _, walk in lines:
        assert int(shared_kib) <= 227
        assert (int(tensor_core_products) > 0) == (precision != "ieee")
        if kernel == "batch-all":  # instructions an element; a multiprocessor issues 128 while float64 multiplies one
            assert float(step) < 18 and (precision not in ("float64", "bf16") or float(walk) < 2 * 128), precision


@pytest.mark.slow
@needs_triton
def test_the_table_is_made_end_to_end(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    command = [sys.executable, str(ROOT / "tests/bench/cuda_table.py"), "--toy", "--precision", "tf32", "--k", "2"]
    for _ in range(2):  # the second time there is nothing left to measure
        finished = subprocess.run(
            [*command, "--save", str(table)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
    rows = json.loads(table.with_suffix(".json").read_text())["rows"]
    assert {row["status"] for row in rows} == {"ok"}
    assert len(rows) == 2 * 2 * (1 + 3 * 4 - 1)
    assert finished.stdout == table.read_text()
    assert finished.stdout.count("| batch-hard | triton |") == 4


def test_a_case_out_of_memory_is_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    specification = importlib.util.spec_from_file_location("cuda_table", ROOT / "tests/bench/cuda_table.py")
    assert specification and specification.loader
    cuda_table = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "cuda_table", cuda_table)
    specification.loader.exec_module(cuda_table)
    runner = cuda_table.runner

    def too_large(row: Any, device: str) -> Any:
        def run_out(inputs: Any) -> None:
            raise torch.OutOfMemoryError("out of memory: tried to allocate too much")

        return run_out if row.implementation == "naive" else runner(row, device)

    monkeypatch.setattr(cuda_table, "runner", too_large)
    monkeypatch.setattr(sys, "argv", ["cuda_table", "--toy", "--impl", "naive,panel", "--kernel", "batch-hard"])
    cases = list(cuda_table.cases_of(cuda_table.parse(), 24, 2, "ieee"))
    rows = list(cuda_table.measure(cuda_table.parse(), "cpu", cases, []))
    status = {row.implementation: row.status for row in rows}
    assert status == {"torch": "ok", "naive": "OOM: out of memory: tried to allocate too much", "panel": "ok"}
    assert "| OOM: out of" in cuda_table.table(rows, "cpu")
