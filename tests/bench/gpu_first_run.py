"""Checks, timings and proofs of the CUDA kernels, in parts: gpu_first_run.py PART (see gpu_first_run.sh).

facts      versions, imports, and the card's own ceilings (copy, matrix products)
check      one precision and one width against float64 by direct differences; several run side by side
timings    kernels beside the product, in order of worth, until the deadline; saved after each case
certified  batch-all with its certificate, and the whole breakdown against the CPU's engine
Every part prints what it did not reach. --toy: tiny sizes on the CPU, in Triton's interpreter.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import pkgutil
import sys
import time
import traceback
from functools import partial
from pathlib import Path

PRECISIONS = ("float64", "ieee", "tf32x3", "tf32", "bf16")
MARGIN = 0.2
SETTINGS = ("CUBLAS", "NVIDIA_TF32", "TORCH_ALLOW", "TRITON")
BEGAN = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("facts", "check", "timings", "certified"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0, help="begin nothing new after so many")
    parser.add_argument("--precision", default="float64")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--toy", action="store_true")
    options = parser.parse_args()
    if options.toy:
        os.environ["TRITON_INTERPRET"] = "1"
    import torch

    options.device = "cpu" if options.toy else "cuda"
    if not options.toy and not torch.cuda.is_available():
        sys.exit("gpu_first_run: no CUDA device")
    {"facts": facts, "check": check, "timings": timings, "certified": certified}[options.part](options)


def left(options: argparse.Namespace) -> float:
    return options.seconds - (time.monotonic() - BEGAN)


def say(options: argparse.Namespace, **what: object) -> None:
    """One line of JSON into results.jsonl, and on the screen; one write, so that processes may share the file."""
    what = {"part": options.part} | what
    line = json.dumps(
        {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in what.items()}
    )
    with open(options.out / "results.jsonl", "a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(line, flush=True)


# --- facts


def facts(options: argparse.Namespace) -> None:
    import torch

    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "cuda": torch.version.cuda}
    for name in ("numpy", "triton", "scipy", "array_api_compat", "typer", "rich", "yaml", "xdist"):
        try:
            versions[name] = getattr(importlib.import_module(name), "__version__", "there")
        except ImportError as fault:
            versions[name] = f"not there: {fault}"
    say(options, **versions)
    import lossctl

    for module in pkgutil.walk_packages(lossctl.__path__, "lossctl."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except Exception as fault:
            say(options, cannot_import=module.name, why=f"{type(fault).__name__}: {fault}")
    if options.toy:
        return
    card = torch.cuda.get_device_properties(0)
    say(
        options, card=card.name, capability=f"{card.major}.{card.minor}", sms=card.multi_processor_count,
        memory=card.total_memory, l2=card.L2_cache_size, fp32_precision=str(torch.backends.cuda.matmul.fp32_precision),
        environment={k: v for k, v in os.environ.items() if k.startswith(SETTINGS)},
    )  # fmt: skip
    from lossctl.kernels import tiles

    source = torch.randn(1 << 29, device="cuda")
    target = torch.empty_like(source)
    seconds = median(partial(target.copy_, source), 5)
    say(options, ceiling="copy", tb_per_second=2 * source.nbytes / seconds / 1e12)
    seconds = median(partial(target.fill_, 1.5), 5)
    say(options, ceiling="write", tb_per_second=source.nbytes / seconds / 1e12)
    del source, target
    for precision, dtype in (("float64", torch.float64), *((p, torch.float32) for p in ("ieee", "tf32"))):
        for rows, dim in ((8192, 8192), (8192, 128), (256, 128), (268, 128)):
            columns = 8192 if rows == dim else 1_000_000 if rows < 1000 else 32768
            left_, right = (torch.randn((n, dim), device="cuda", dtype=dtype) for n in (rows, columns))
            name = "ieee" if precision == "float64" else precision
            seconds = median(lambda a=left_, b=right, p=name: tiles.product(a, b, p), 5)
            rate = 2e-12 * rows * columns * dim / seconds
            say(options, ceiling=f"product {precision} {rows}x{columns}x{dim}", tflops=rate)
    for rows, columns, dim in ((8192, 8192, 8192), (8192, 32768, 128)):
        left_, right = (torch.randn((n, dim), device="cuda").bfloat16() for n in (rows, columns))
        seconds = median(lambda a=left_, b=right: tiles.product(a, b, "bf16"), 5)
        say(options, ceiling=f"product bf16 {rows}x{columns}x{dim}", tflops=2e-12 * rows * columns * dim / seconds)
    # Is float32 really float32: one product whose TF32 answer is far off.
    a = torch.full((128, 128), 1 + 2.0**-20, device="cuda")
    off = float((tiles.product(a, a, "ieee").double() - (a.double() @ a.double().T)).abs().max())
    say(options, ieee_product_off=off, is_float32=off < 1e-4)


def median(run, count: int) -> float:
    import torch

    run()
    taken = []
    for _ in range(count):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        taken.append(start.elapsed_time(end) / 1000)
    return sorted(taken)[len(taken) // 2]


# --- check: against float64 by direct differences


def check(options: argparse.Namespace) -> None:
    # 4200 points make the same compiled kernels as 16,000, 100,000 and 1,000,000: they are ready for the timings.
    sizes = [(4200, 4), (4200, 32), (1, 1), (2, 2), (129, 3), (1000, 7), (777, 40), (513, 513)]
    if options.toy:
        sizes = [(70, 4), (33, 3), (1, 1), (45, 40)]
    for n, k in sizes:
        # Ties across the tiles of one program need many points: small sets have a program for each tile.
        kinds = (
            ("grid", "random", "far", "scaled")
            if n in (129, 33)
            else ("random", "grid")
            if (n, k) in ((4200, 4), (70, 4))
            else ("random",)
        )
        for kind in kinds:
            where = {"precision": options.precision, "dim": options.dim, "n": n, "k": k, "kind": kind}
            if left(options) < 0:
                say(options, **where, status="not reached")
                continue
            for kernel in ("batch-hard", "batch-all", "semi-hard"):
                began = time.monotonic()
                try:
                    status = one_check(options, kernel, n, k, kind)
                except Exception as fault:
                    status = {"status": f"FAILED {type(fault).__name__}: {' '.join(str(fault).split())[:200]}"}
                    status["where"] = traceback.format_exc().splitlines()[-3][:160]
                say(options, kernel=kernel, **where, seconds=time.monotonic() - began, **status)


def inputs(options: argparse.Namespace, n: int, k: int, kind: str):
    import torch

    random = torch.Generator().manual_seed(1000 * n + k)
    index = torch.arange(n)
    points = torch.randn((n, options.dim), generator=random, dtype=torch.float64)
    points += 0.5 * torch.randn((-(-n // k), options.dim), generator=random, dtype=torch.float64)[index // k]
    if kind == "grid":
        points = torch.randint(-2, 3, (n, options.dim), generator=random).double()
        points[:, 2:] = 0  # ties abound
    points = points + 50 if kind == "far" else points * 2.0**40 if kind == "scaled" else points
    if options.precision != "float64":
        points = points.float()
    start = index // k * k
    return points.to(options.device), start.to(options.device), (start + k).clamp(max=n).to(options.device)


def one_check(options: argparse.Namespace, kernel: str, n: int, k: int, kind: str) -> dict[str, object]:
    import torch

    from lossctl.kernels import batch_all, batch_hard, semi_hard, tiles

    x, start, end = inputs(options, n, k, kind)
    precision = "ieee" if options.precision == "float64" else options.precision
    unit = 2.0**40 if kind == "scaled" else 1.0
    row = torch.arange(n, device=x.device)
    same = (row >= start[:, None]) & (row < end[:, None])
    positive = same & (row != row[:, None])
    truth = (
        torch.cat([(x[i : i + 64, None].double() - x[None].double()).square().sum(2) for i in range(0, n, 64)])
        if n <= 1000
        else torch.cat(
            [
                sum(
                    (x[i : i + 256, None, c : c + 8].double() - x[None, :, c : c + 8].double()).square().sum(2)
                    for c in range(0, options.dim, 8)
                )
                for i in range(0, n, 256)
            ]
        )
    )
    padded = tiles.prepare(x, start, end, precision=precision)
    relative = tiles.squared_distance_error(options.dim, x.dtype, precision)
    bound = 1.05 * relative * (padded.norms + padded.norms.max()).double()
    torch.full((1 << (12 if options.toy else 26),), torch.nan, device=x.device)  # freed at once: new memory is not zero
    module = {"batch-hard": batch_hard, "batch-all": batch_all, "semi-hard": semi_hard}[kernel]
    knobs = {"margin": MARGIN * unit} if kernel == "batch-all" else {}
    sums, again = (module.fused(x, start, end, precision=precision, **knobs) for _ in range(2))
    is_same = all(
        torch.equal(torch.nan_to_num(getattr(sums, f), -9.0), torch.nan_to_num(getattr(again, f), -9.0))
        for f in sums.__dataclass_fields__
    )
    faults: list[str] = [] if is_same else ["two runs differ"]
    error, proven = 0.0, n
    if kernel == "batch-hard":
        for side, signed in (
            ("positive", torch.where(positive, -truth, torch.inf)),
            ("negative", torch.where(same, torch.inf, truth)),
        ):
            at, exists = getattr(sums, f"{side}_at"), torch.isfinite(signed).any(1)
            if not torch.equal(at >= 0, exists):
                faults.append(f"{side}: exists where it should not, or the reverse")
            chosen = signed.gather(1, at.clamp(min=0)[:, None])[:, 0]
            if not bool((chosen <= signed.amin(1) + 2 * bound)[exists].all()):
                faults.append(
                    f"{side}: {int((chosen > signed.amin(1) + 2 * bound)[exists].sum())} picks beyond the bound"
                )
            if kind == "grid" and not torch.equal(at[exists], signed.argmin(1)[exists]):
                faults.append(f"{side}: a tie not won by the lowest row, or a wrong row on exact data")
            if precision == "ieee":
                sure = module.fused(x, start, end, precision=precision, slack=relative)
                clear = exists & ~sure.is_open
                proven = min(proven, int(clear.sum()))
                if not torch.equal(getattr(sure, f"{side}_at")[clear], signed.argmin(1)[clear]):
                    faults.append(f"{side}: a proven pick differs from float64 by direct differences")
            off = (getattr(sums, side).double() - chosen.abs().sqrt()).abs()[exists]
            error = max([error, *off.nan_to_num(nan=torch.inf).tolist()])
    elif kernel == "batch-all":
        distance = truth.sqrt()
        hard, active, near = (torch.zeros(n, dtype=torch.int64, device=x.device) for _ in range(3))
        loss = torch.zeros(n, dtype=torch.float64, device=x.device)
        columns = tiles.positive_columns(padded, row, padded.largest_class - 1)
        for column in columns.T:
            there = column >= 0
            d_ap = distance.gather(1, column.clamp(min=0)[:, None])
            valid = ~same & there[:, None]
            hard += (valid & (truth <= d_ap.square())).sum(1)
            reach = d_ap + MARGIN * unit
            active += (valid & (distance < reach)).sum(1)
            loss += ((reach - distance).clamp(min=0) * valid).sum(1)
            width = 2.2 * bound[:, None] + 1.05 * relative * reach.square()
            near += (
                valid & (((truth - d_ap.square()).abs() <= width) | ((truth - reach.square()).abs() <= width))
            ).sum(1)
        size = end - start
        if not torch.equal(sums.hard + sums.semi_hard + sums.easy, (size - 1) * (n - size)):
            faults.append("categories do not add up to the triplets")
        for name, right in (("hard", hard), ("active", active)):
            mine = sums.hard if name == "hard" else sums.hard + sums.semi_hard
            worse = (mine - right).abs() > near
            if bool(worse.any()):
                faults.append(f"{name}: {int(worse.sum())} anchors off by more than their borderline triplets")
        triplets = ((size - 1) * (n - size)).clamp(min=1)
        error = float(((sums.loss - loss) / triplets).abs().max())
        if precision == "ieee":
            sure = module.fused(x, start, end, precision=precision, slack=relative, **knobs)
            clear = sure.borderline == 0
            proven = int(clear.sum())
            if not (
                torch.equal(sure.hard[clear], hard[clear])
                and torch.equal((sure.hard + sure.semi_hard)[clear], active[clear])
            ):
                faults.append("a proven count differs from float64 by direct differences")
    else:
        exists = sums.positive_at >= 0
        d_ap = truth.gather(1, sums.positive_at.clamp(min=0)) if sums.positive_at.shape[1] else truth[:, :0]
        chosen = truth.gather(1, sums.negative_at.clamp(min=0)) if d_ap.shape[1] else d_ap
        sure = module.fused(x, start, end, precision=precision, slack=relative) if precision == "ieee" else None
        for j in range(d_ap.shape[1]):
            beyond = torch.where(~same & (truth > d_ap[:, j, None] + 2 * bound[:, None]), truth, torch.inf).amin(1)
            taken = exists[:, j] & ~sums.fell_back[:, j]
            if not bool(
                (chosen[:, j] <= beyond + 2 * bound)[taken].all()
                and (chosen[:, j] >= d_ap[:, j] - 2 * bound)[taken].all()
            ):
                faults.append(f"positive {j}: a pick beyond the bound")
            if bool((sums.fell_back[:, j] & torch.isfinite(beyond)).any()):
                faults.append(f"positive {j}: fell back though a negative is beyond")
            if sure is not None:
                clear = exists[:, j] & ~sure.is_open[:, j] & ~sure.fell_back[:, j]
                proven = min(proven, int(clear.sum()))
                right = torch.where(~same & (truth > d_ap[:, j, None]), truth, torch.inf).argmin(1)
                if not torch.equal(sure.negative_at[clear, j], right[clear]):
                    faults.append(f"positive {j}: a proven pick differs from float64 by direct differences")
            off = (sums.negative[:, j].double() - chosen[:, j].sqrt()).abs()[taken]
            error = max([error, *off.nan_to_num(nan=torch.inf).tolist()])
    return verdict(faults, error / unit, **({"proven": f"{proven} of {n}"} if precision == "ieee" else {}))


def verdict(faults: list[str], error: float, **more: object) -> dict[str, object]:
    return {"status": "ok" if not faults else "WRONG: " + "; ".join(sorted(set(faults))[:4]), "error": error, **more}


# --- timings, by the project's own table


def timings(options: argparse.Namespace) -> None:
    """(kernels, implementations, n, k, precisions, seconds that a group may take at most), the most wanted first."""
    table_file = Path("tests/bench/cuda_table.py")
    specification = importlib.util.spec_from_file_location("cuda_table", table_file)
    cuda_table = importlib.util.module_from_spec(specification)
    sys.modules["cuda_table"] = cuda_table
    specification.loader.exec_module(cuda_table)
    sys.argv = [
        "cuda_table",
        "--seconds",
        str(options.seconds),
        "--rounds",
        "7",
        "--min-time",
        "0.3",
        "--limit",
        "4",
    ] + (["--toy"] if options.toy else [])
    knobs = cuda_table.parse()
    knobs.anchors = 8 if options.toy else 64
    every = PRECISIONS
    plan = [
        (("batch-hard",), ("triton",), 100_000, 4, every, 12),
        (("batch-all", "certified"), ("triton",), 100_000, 4, every, 16),
        (("batch-hard",), ("triton",), 1_000_000, 4, ("bf16", "tf32", "tf32x3"), 30),
        (("semi-hard",), ("triton",), 100_000, 4, every, 12),
        (("batch-all", "certified", "semi-hard"), ("triton",), 100_000, 32, every, 25),
        (("batch-hard",), ("panel",), 100_000, 4, every, 12),
        (("batch-hard", "batch-all", "semi-hard"), ("triton", "panel"), 16_000, 4, every, 10),
        (("batch-hard", "batch-all", "semi-hard"), ("triton", "panel"), 16_000, 32, every, 10),
        (("batch-all",), ("triton",), 1_000_000, 4, ("bf16", "ieee"), 60),
        (("batch-hard",), ("triton",), 1_000_000, 4, ("ieee", "float64"), 90),
        (("batch-hard", "batch-all", "semi-hard"), ("naive",), 4_096, 4, ("ieee",), 10),
    ]
    rows: list = []
    target = options.out / "timings.md"
    # Other cuts at 100,000 points, worth a look while the kernels are compiled anyway; of wide points those that read
    # the anchors anew for each tile, beside the default, which keeps them.
    tilings = {
        ("float64", 128): ["64,32,128,8,2", "128,32,64,8,2"], ("ieee", 128): ["64,64,32,8,3", "64,64,16,4,3"],
        ("tf32", 128): ["64,64,128,4,2"], ("bf16", 128): ["64,64,128,4,3"], ("tf32x3", 128): ["64,32,128,4,2"],
        ("tf32", 256): ["128,64,64,8,2"], ("bf16", 512): ["128,64,64,8,3"], ("float64", 256): ["64,32,32,8,3"],
    }  # fmt: skip
    groups = [
        (kernels, impls, n, k, precision, most, 128, [])
        for kernels, impls, n, k, precisions, most in plan
        for precision in precisions
    ]
    sweep = [
        (("batch-hard",), ("triton",), 100_000, 4, precision, 20, dim, cuts)
        for (precision, dim), cuts in tilings.items()
    ]
    groups[18:18] = sweep
    if options.toy:
        for kernels, implementations, n, k, precision, most, dim, cuts in groups:
            what = f"{'+'.join(kernels)} {'+'.join(implementations)} {precision} n {n} k {k} dim {dim}"
            say(options, on_a_gpu=" ".join([what, *cuts]), seconds_at_most=most)
        groups = [
            (("batch-hard", "batch-all", "certified"), ("triton",), 45, 3, "ieee", 9, 20, []),
            (("certified",), ("triton", "panel"), 24, 2, "float64", 9, 20, ["16,16,32,4,2"]),
        ]
    for kernels, implementations, n, k, precision, most, dim, cuts in groups:
        label = {
            "kernels": list(kernels),
            "implementations": list(implementations),
            "n": n,
            "k": k,
            "dim": dim,
            "precision": precision,
        }
        if left(options) < min(most, 8):
            say(options, **label, status="not reached")
            continue
        knobs.kernel, knobs.impl, knobs.tiling, knobs.dim = kernels, implementations, cuts, dim
        knobs.limit = max(0.5, min(most / 5, left(options) / 8))  # a case runs about six times
        cases = list(cuda_table.cases_of(knobs, n, k, precision))
        cases = [row for row in cases if row.case not in {old.case for old in rows if old.seconds}]
        if cases and cases[0].kernel != "product":
            cases.insert(0, cuda_table.Row("product", "torch", precision, n, knobs.dim, k))
        try:
            for row in cuda_table.measure(knobs, options.device, cases, rows):
                rows = [old for old in rows if old.case != row.case] + [row]
                cuda_table.save(target, rows, options.device)
                took = min(row.seconds) if row.seconds else None
                say(
                    options,
                    case=" ".join(map(str, row.case)),
                    status=row.status,
                    seconds=took,
                    wrong=row.wrong,
                    error=row.error,
                )
        except Exception as fault:
            say(options, **label, status=f"FAILED {type(fault).__name__}: {str(fault)[:200]}")
    print(target.read_text() if target.exists() else "no timings")


# --- certified counts


def certified(options: argparse.Namespace) -> None:
    import numpy as np
    import torch

    from lossctl.kernels import batch_all, batch_hard, semi_hard, tiles
    from lossctl.sets.device import triplets as offload
    from lossctl.sets.triplets import breakdown

    for n, k in ((60, 3),) if options.toy else ((16_000, 4), (100_000, 4), (16_000, 32), (100_000, 32)):
        if left(options) < 5:
            say(options, n=n, k=k, status="not reached")
            continue
        random = np.random.default_rng(n + k)
        dim = 9 if options.toy else 128
        labels = np.arange(n) // k
        x = random.standard_normal((n, dim)) + 0.5 * random.standard_normal((labels[-1] + 1, dim))[labels]
        x /= np.linalg.norm(x, axis=1)[:, None]
        try:
            values = torch.from_numpy(x).to(options.device)
            s = tiles.sort_by_label(values, torch.from_numpy(labels).to(options.device))
            slack = tiles.squared_distance_error(dim, torch.float64)
            floor = None if options.toy else median(partial(tiles.blocked_product, s.embeddings, "ieee"), 3)
            for module, knobs in ((batch_all, {"margin": MARGIN}), (batch_hard, {}), (semi_hard, {})):
                run = partial(module.fused, s.embeddings, s.start, s.end, slack=slack, **knobs)
                sums = run()
                is_open = sums.borderline > 0 if module is batch_all else sums.is_open
                seconds = None if options.toy else median(run, 3)
                say(
                    options, what=module.__name__.rpartition(".")[2], n=n, k=k, seconds=seconds, product=floor,
                    ratio=seconds and seconds / floor, open=int(is_open.sum()),
                )  # fmt: skip
            began = time.monotonic()
            name = "cpu" if options.toy else "cuda:0"
            there = offload.breakdown_on(name, x, labels, margins=(MARGIN,))
            took = time.monotonic() - began
            say(
                options,
                what="breakdown on the device",
                n=n,
                k=k,
                seconds=took,
                certified=there.certified,
                backend=there.backend,
            )
            if n * n * k <= 2_000_000_000 and left(options) > 30:
                began = time.monotonic()
                here = breakdown(x, labels, margins=(MARGIN,))
                is_same = [m.categories for m in here.margins] == [m.categories for m in there.margins]
                say(
                    options,
                    what="breakdown on the CPU",
                    n=n,
                    k=k,
                    seconds=time.monotonic() - began,
                    same_counts=is_same,
                )
        except Exception as fault:
            say(options, n=n, k=k, status=f"FAILED {type(fault).__name__}: {str(fault)[:300]}")
            traceback.print_exc()
    if not options.toy and left(options) > 10:
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiled:
            offload.breakdown_on("cuda:0", x[:40_000], labels[:40_000], margins=(MARGIN,))
            torch.cuda.synchronize()
        text = profiled.key_averages().table(sort_by="self_cuda_time_total", row_limit=18, max_name_column_width=60)
        (options.out / "profile.txt").write_text(text)


if __name__ == "__main__":
    main()
