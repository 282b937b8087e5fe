"""A table of every kernel and precision on an NVIDIA GPU, beside the matrix product that none of them can do without.

    PYTHONPATH=. python tests/bench/cuda_table.py --save cuda.md
    PYTHONPATH=. python tests/bench/cuda_table.py --n 1000000 --impl triton --save cuda.md     (adds to the file)
    PYTHONPATH=. python tests/bench/cuda_table.py --toy                                        (interpreted, no GPU)

All variants of one size, class size and precision run in turn, round after round, each time on other inputs, together
larger than the cache. Times are medians of CUDA events after a warm-up; every sample is kept in a JSON file beside the
table. Cases already timed in that file are not run again, so a table can be made in several goes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossctl.bench.clocks import is_out_of_memory
from lossctl.bench.timing import summarize

if TYPE_CHECKING:
    from torch import Tensor

PRECISIONS = ("float64", "ieee", "tf32x3", "tf32", "bf16")
KERNELS = ("batch-hard", "batch-all", "certified", "semi-hard")
MARGIN = 0.2
L2_BYTES = 50 << 20
BEGAN = time.monotonic()


@dataclass(frozen=True)
class Row:
    """One case. seconds: every sample. error: the largest, of a distance. status: ok, or why there is no time."""

    kernel: str
    implementation: str
    precision: str
    n: int
    dim: int
    k: int
    tiling: str = ""
    status: str = "ok"
    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    error: float | None = None
    wrong: int | None = None
    sampled: int | None = None

    @property
    def case(self) -> tuple[str, str, str, int, int, int, str]:
        return self.kernel, self.implementation, self.precision, self.n, self.dim, self.k, self.tiling


@dataclass(frozen=True)
class Inputs:
    embeddings: Tensor
    start: Tensor
    end: Tensor


def main() -> None:
    options = parse()
    if options.toy:
        os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are imported
    import torch

    device = "cpu" if options.toy else "cuda"
    if not (options.toy or torch.cuda.is_available()):
        sys.exit("cuda_table: no CUDA device (torch.cuda.is_available() is false); --toy runs in the interpreter")
    rows = load(options.save)
    if not options.save:
        print("cuda_table: nothing is saved without --save", file=sys.stderr)
    for row in measure_all(options, device, rows):
        rows = [old for old in rows if old.case != row.case] + [row]
        save(options.save, rows, device)
        print(f"cuda_table: {' '.join(map(str, row.case))}: {row.status}", file=sys.stderr)
    print(table(rows, device))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", type=among(KERNELS), default=KERNELS)
    parser.add_argument("--impl", type=among(("naive", "panel", "triton")), default=("naive", "panel", "triton"))
    parser.add_argument("--precision", type=among(PRECISIONS), default=PRECISIONS)
    parser.add_argument("--n", type=sizes, default=(4096, 16384, 100_000, 1_000_000))
    parser.add_argument("--k", type=sizes, default=(4, 32))
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=30, help="most samples a case")
    parser.add_argument("--min-time", type=float, default=1.0, help="seconds after which 3 samples are enough")
    parser.add_argument("--seconds", type=float, default=540.0, help="begin no case after so many")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds a run may be expected to take")
    parser.add_argument("--anchors", type=int, default=256, help="anchors compared with float64")
    parser.add_argument(
        "--tiling", action="append", default=[], metavar="M,N,D,WARPS,STAGES", help="also with this one"
    )
    parser.add_argument("--save", type=Path, help="Markdown file; its samples go into a .json beside it")
    parser.add_argument("--toy", action="store_true", help="tiny sizes, to see that all of it runs")
    options = parser.parse_args()
    if options.toy:
        options.n, options.k, options.dim, options.rounds, options.anchors = (24, 45), (2, 3), 20, 2, 8
    return options


def among(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        if unknown := set(text.split(",")) - set(known):
            raise argparse.ArgumentTypeError(f"{sorted(unknown)}: choose from {', '.join(known)}")
        return tuple(text.split(","))

    return read


def sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(1000 * int(part[:-1]) if part.endswith("k") else int(part) for part in text.split(",")))


def measure_all(options: argparse.Namespace, device: str, done: list[Row]) -> Iterator[Row]:
    rows = list(done)
    for n in options.n:
        for k in options.k:
            for precision in options.precision:
                known = {row.case for row in rows if row.seconds or row.status.startswith("OOM")}
                cases = [row for row in cases_of(options, n, k, precision) if row.case not in known]
                if not cases:
                    continue
                if all(row.kernel != "product" for row in cases):  # its share is taken from samples of the same rounds
                    cases.insert(0, Row("product", "torch", precision, n, options.dim, k))
                for row in measure(options, device, cases, rows):
                    rows = [old for old in rows if old.case != row.case] + [row]
                    yield row


def cases_of(options: argparse.Namespace, n: int, k: int, precision: str) -> Iterator[Row]:
    yield Row("product", "torch", precision, n, options.dim, k)
    for kernel in options.kernel:
        for implementation in options.impl:
            if kernel == "certified" and implementation == "naive":
                continue  # it knows no bound
            for tiling in ("", *(options.tiling if implementation == "triton" else ())):
                yield Row(kernel, implementation, precision, n, options.dim, k, tiling)


def measure(options: argparse.Namespace, device: str, cases: list[Row], done: list[Row]) -> Iterator[Row]:
    inputs = rotation(cases[0], device)
    calls: list[tuple[Row, Callable[[Inputs], Any]]] = []
    for row in cases:
        if time.monotonic() - BEGAN > options.seconds:
            yield replace(row, status="not reached")
            continue
        expected = expectation(row, done)
        if expected > options.limit:
            yield replace(row, status=f"not run: about {expected:.0f} s")
            continue
        function = runner(row, device)
        if function is None:
            yield replace(row, status="not available")
            continue
        try:
            function(inputs[0])  # compiles, and shows whether the memory is enough
            peak = peak_bytes(partial(function, inputs[0]), device)
            error, wrong, sampled = judge(row, function, inputs[0], options.anchors)
            calls.append((replace(row, peak_bytes=peak, error=error, wrong=wrong, sampled=sampled), function))
        except Exception as fault:  # one case that fails must not cost the table
            if is_out_of_memory(fault):
                yield replace(row, status=f"OOM: {' '.join(str(fault).split())[:60]}")
                continue
            yield replace(row, status=f"failed: {type(fault).__name__}: {str(fault).splitlines()[0][:80]}")
        empty_cache(device)
    samples: dict[tuple[Any, ...], list[float]] = {row.case: [] for row, _ in calls}
    for turn in range(options.rounds):
        for row, function in calls:
            taken = samples[row.case]
            is_late = time.monotonic() - BEGAN > options.seconds
            if not is_late and (len(taken) < 3 or sum(taken) < options.min_time):
                taken.append(seconds(partial(function, inputs[turn % len(inputs)]), device))
    for row, _ in calls:
        yield replace(row, seconds=samples[row.case], status="ok" if samples[row.case] else "not reached")


def rotation(row: Row, device: str) -> list[Inputs]:
    """Inputs that together are twice the cache, at least two."""
    import torch

    copies = max(2, -(-2 * L2_BYTES // (row.n * row.dim * 4))) if device == "cuda" else 2
    return [random_inputs(row, torch.Generator(device).manual_seed(seed), device) for seed in range(min(copies, 64))]


def random_inputs(row: Row, generator: Any, device: str) -> Inputs:
    """Unit vectors around class centres, so near that all categories are common. The last class takes the rest."""
    import torch

    classes = -(-row.n // row.k)
    centres = torch.randn((classes, row.dim), generator=generator, device=device)
    points = torch.randn((row.n, row.dim), generator=generator, device=device)
    index = torch.arange(row.n, device=device)
    points = torch.nn.functional.normalize(points + 0.5 * centres[index // row.k])
    start = index // row.k * row.k
    return Inputs(points.double() if row.precision == "float64" else points, start, (start + row.k).clamp(max=row.n))


def expectation(row: Row, done: list[Row]) -> float:
    """Seconds, from the largest smaller size: times grow with N^2 at least."""
    smaller = [old for old in done if old.case == replace(row, n=old.n).case and old.n < row.n and old.seconds]
    if not smaller:
        return 0.0
    largest = max(smaller, key=lambda old: old.n)
    return min(largest.seconds) * (row.n / largest.n) ** 2


def runner(row: Row, device: str) -> Callable[[Inputs], Any] | None:
    import torch

    from lossctl.kernels import find, tiles

    precision = "ieee" if row.precision == "float64" else row.precision
    if row.kernel == "product":
        return lambda inputs: tiles.blocked_product(inputs.embeddings, precision)
    function = find(computed(row.kernel), row.implementation, device)
    if function is None:
        return None
    knobs: dict[str, Any] = {"precision": precision} | margin_of(row.kernel)
    if row.kernel == "certified":
        dtype = torch.float64 if row.precision == "float64" else torch.float32
        knobs["slack"] = tiles.squared_distance_error(row.dim, dtype, precision)
    if row.tiling:
        knobs["tiling"] = tiles.Tiling(*map(int, row.tiling.split(",")))
    return lambda inputs: function(inputs.embeddings, inputs.start, inputs.end, **knobs)


def judge(
    row: Row, function: Callable[[Inputs], Any], inputs: Inputs, n_anchors: int
) -> tuple[float | None, int | None, int | None]:
    """(largest error, wrong answers, anchors looked at) against float64.

    Wrong are mined rows other than those of float64, and for batch-all triplets in another category (at least so many:
    two that change places are not seen). Its error is that of the mean loss of an anchor's triplets.
    """
    import torch

    from lossctl.kernels import find

    panel = find(computed(row.kernel), "panel", "cpu") if row.kernel != "product" else None
    if panel is None:
        return None, None, None
    count = min(n_anchors, row.n)
    anchors = torch.linspace(0, row.n - 1, count, device=inputs.start.device).long()
    knobs = margin_of(row.kernel)
    truth = panel(inputs.embeddings.double(), inputs.start, inputs.end, anchors=anchors, **knobs)
    answer = function(inputs)
    if knobs:
        triplets = (truth.hard + truth.semi_hard + truth.easy).clamp(min=1)
        error = ((answer.loss[anchors] - truth.loss) / triplets).abs().max()
        categories = ("hard", "semi_hard", "easy")
        moved = sum(int((getattr(answer, name)[anchors] - getattr(truth, name)).abs().sum()) for name in categories)
        return float(error), moved // 2, count
    error, wrong = 0.0, 0
    for name in ("positive", "negative"):
        expected, at = getattr(truth, name), getattr(truth, f"{name}_at")
        off = (getattr(answer, name)[anchors].double() - expected).abs()[at >= 0]
        error = max([error, *off.nan_to_num(nan=torch.inf).flatten().tolist()])
        wrong += int((getattr(answer, f"{name}_at")[anchors] != at).sum())
    return error, wrong, count


def computed(kernel: str) -> str:
    """What makes the numbers: certified counts are those of batch-all, with what lies too near to tell."""
    return "batch-all" if kernel == "certified" else kernel


def margin_of(kernel: str) -> dict[str, Any]:
    return {"margin": MARGIN} if computed(kernel) == "batch-all" else {}


def seconds(run: Callable[[], Any], device: str) -> float:
    import torch

    if device == "cpu":
        before = time.perf_counter()
        run()
        return time.perf_counter() - before
    event: Any = torch.cuda.Event
    start, end = event(enable_timing=True), event(enable_timing=True)
    torch.cuda.synchronize()
    start.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / 1000


def peak_bytes(run: Callable[[], Any], device: str) -> int:
    """What a run takes beyond its inputs, 0 on the CPU."""
    import torch

    if device == "cpu":
        return 0
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    return int(torch.cuda.max_memory_allocated()) - before


def empty_cache(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.empty_cache()


def load(path: Path | None) -> list[Row]:
    samples = path.with_suffix(".json") if path else None
    if samples is None or not samples.exists():
        return []
    return [Row(**row) for row in json.loads(samples.read_text())["rows"]]


def save(path: Path | None, rows: list[Row], device: str) -> None:
    if path is None:
        return
    for target, text in (
        (path.with_suffix(".json"), json.dumps({"environment": environment(device), "rows": list(map(asdict, rows))})),
        (path, table(rows, device)),
    ):
        scratch = target.with_name(target.name + ".new")
        scratch.write_text(text + "\n")
        scratch.replace(target)


def environment(device: str) -> dict[str, str]:
    import torch

    versions = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU, Triton's interpreter: times mean nothing",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": version("triton") if find_spec("triton") else "none",
    }
    if device == "cuda":
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
        answer = subprocess.run(query, capture_output=True, text=True, check=False)
        versions |= {"cuda": str(torch.version.cuda), "driver": answer.stdout.strip() or "unknown"}
    return versions


def table(rows: list[Row], device: str) -> str:
    products = {(row.precision, row.n, row.dim, row.k): row for row in rows if row.kernel == "product" and row.seconds}
    names = "kernel,impl,precision,N,D,K,median ms,IQR ms,runs,pairs/s,TFLOP/s,x product,peak MB,error,wrong,of anchors"
    head = names.split(",")
    lines = [
        "; ".join(f"{key} {value}" for key, value in environment(device).items()),
        "",
        f"| {' | '.join(head)} |",
        f"|{' --- |' * 3}{' ---: |' * (len(head) - 3)}",
    ]
    for row in sorted(rows, key=lambda row: (row.n, row.k, PRECISIONS.index(row.precision))):
        name = f"triton {row.tiling}" if row.tiling else row.implementation
        cells = [row.kernel, name, row.precision, f"{row.n:,}", str(row.dim), str(row.k)]
        if row.seconds:
            timing = summarize(row.seconds)
            product = products.get((row.precision, row.n, row.dim, row.k))
            ratio = f"{timing.median / summarize(product.seconds).median:.2f}" if product else ""
            cells += [f"{1e3 * timing.median:.4g}", f"{1e3 * timing.spread:.2g}", str(timing.n)]
            cells += [f"{row.n**2 / timing.median:.3g}", f"{2e-12 * row.n**2 * row.dim / timing.median:.4g}", ratio]
            cells += [f"{row.peak_bytes / 1e6:.0f}" if row.peak_bytes else ""]
            cells += ["" if value is None else f"{value:.2g}" for value in (row.error,)]
            cells += ["" if value is None else str(value) for value in (row.wrong, row.sampled)]
        else:
            cells += [row.status.replace("|", "/"), *[""] * (len(head) - 7)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
