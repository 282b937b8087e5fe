"""What the compiler makes of the kernels for an H200 (sm_90), on any machine: no GPU is needed, only triton.

    PYTHONPATH=. python tests/bench/kernel_code.py            the table
    PYTHONPATH=. python tests/bench/kernel_code.py --lines    one line a variant, without the machine code

A row is a variant: registers a thread and bytes of them that spill, shared memory, tensor-core products, and of
batch-all the instructions for one element of a tile: in one step of the search that each tile with a near negative goes
through (five find an element among 31 thresholds and among 31 more), and for one threshold in a tile with a comparison
too close to call. The walk is all that an element of a tile goes through at 31 thresholds without a second look.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from lossctl.kernels import batch_all, tiles

KERNELS = ("batch_all", "batch_hard", "semi_hard")
KINDS = {"ieee": "fp32", "tf32x3": "fp32", "tf32": "fp32", "bf16": "bf16", "float64": "fp64"}
HEAD = (
    "kernel,precision,D,certified,tile,registers,spilled bytes,shared KiB,tensor-core products,a step,second look,walk"
)


def main() -> None:
    variants = [(name, precision, dim) for name in KERNELS for precision in KINDS for dim in (128, 256, 512)]
    if "--lines" in sys.argv:
        variants = [at for at in variants if at[1] != "tf32" and (at[2] == 128 or at == ("batch_hard", "bf16", 256))]
    else:
        print(f"triton {triton.__version__}, compiled for sm_90\n")
        print(f"| {' | '.join(HEAD.split(','))} |\n|{' --- |' * 5}{' ---: |' * 7}")
    for name, precision, dim in variants:
        has_proof = name == "batch_all" or precision == "float64"  # what lossctl, or a table of it, asks for
        for certified in (False, True) if has_proof and "--lines" not in sys.argv else (has_proof,):
            cells = variant(name, precision, dim, certified=certified)
            print(" ".join(cells) if "--lines" in sys.argv else f"| {' | '.join(cells)} |", flush=True)


def variant(name: str, precision: str, dim: int, *, certified: bool) -> list[str]:
    """The cells of a row, without a space in them; only batch-all looks twice, and the others have "-" there."""
    binary, cut = compiled(name, precision, dim, certified=certified)
    registers, spilled, loops = machine_code(binary)
    elements = cut.block_m * cut.block_n // (32 * cut.warps)
    looks = ["-"] * 3
    if name == "batch_all":
        *reading, search, second = loops
        again = (dim // cut.block_d - 1) * sum(loop.inside for loop in reading)
        walk = search.around - second.inside + 4 * search.inside + again
        looks = [f"{count / elements:.1f}" for count in (search.inside, second.inside, walk)]
    products = len(re.findall(r"wgmma\.mma_async|\bmma\.sync", binary.asm["ptx"]))
    numbers = registers, spilled, -(-binary.metadata.shared // 1024), products
    return [
        name.replace("_", "-"), precision, str(dim), ("no", "yes")[certified],
        f"{cut.block_m}x{cut.block_n}x{cut.block_d}", *map(str, numbers), *looks,
    ]  # fmt: skip


class Card(NamedTuple):
    """A GPU's compute capability, and the bytes of shared memory that a block of threads can have."""

    capability: int
    shared_memory: int


HOPPER = Card(90, 227 << 10)


def compiled(name: str, precision: str, dim: int, *, certified: bool, card: Card = HOPPER) -> tuple[Any, tiles.Tiling]:
    """A kernel as it is launched for points of that many columns, and its tiling."""
    kind = KINDS[precision]
    real = "fp64" if kind == "fp64" else "fp32"
    dtype = torch.float64 if kind == "fp64" else torch.float32
    cut = tiles.cuda_tiling(dim, dtype, precision, card.shared_memory)
    cut = batch_all.small(cut, precision) if name == "batch_all" else cut
    types = dict.fromkeys(("n_rows", "n_counts", *tiles.UNSPECIALIZED), "i32")
    types |= dict.fromkeys(("start", "end", "counts", "farthest_at", "nearest_at"), "*i32")
    types |= {"points": "*" + kind, "loss": "*fp64"}
    if name == "batch_all":
        types |= dict.fromkeys(("rough_inner", "rough_outer", "width", "farthest", "rest"), "*fp32")
    fixed: dict[str, Any] = {
        "DIM": dim,
        "BLOCK_M": cut.block_m,
        "BLOCK_N": cut.block_n,
        "BLOCK_D": cut.block_d,
        "WIDEST": 32,
    }
    fixed |= {"PRECISION": precision if precision.startswith("tf32") else "ieee", "SQUARED": False}
    fixed |= {"CERTIFY": certified, "WIDTH": 4, "UNROLL": 4, "EASIEST": True}
    fixed |= {"ROUND_ROOT": precision in ("ieee", "tf32x3")}
    kernel = import_module(f"lossctl.kernels.{name}")._kernel
    signature = {at: "constexpr" if at in fixed else types.get(at, "*" + real) for at in kernel.arg_names}
    constants = {(i,): fixed[at] for i, at in enumerate(kernel.arg_names) if at in fixed}
    # As at a launch: memory begins, and rows are padded, at multiples of 16.
    even = [i for i, at in enumerate(kernel.arg_names) if signature[at][0] == "*" or at in ("n_rows", "n_counts")]
    aligned = {(i,): [["tt.divisibility", 16]] for i in even}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
    options = {"num_warps": cut.warps, "num_stages": cut.stages}
    return triton.compile(source, target=GPUTarget("cuda", card.capability, 32), options=options), cut


class Loop(NamedTuple):
    """Instructions of an innermost loop, and of the widest loop around it."""

    inside: int
    around: int


def machine_code(binary: Any) -> tuple[int, int, list[Loop]]:
    """Registers a thread, bytes that spill, and the innermost loops in the order of the code."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary.asm["cubin"])
        file.flush()
        text, usage = (
            subprocess.run([tool, option, file.name], capture_output=True, text=True, check=True).stdout
            for option in ("-sass", "-res-usage")
        )
    code = [(int(at, 16), rest) for at, rest in re.findall(r"^\s+/\*([0-9a-f]{4,5})\*/\s+(.*?);", text, re.M)]
    jumps = [(int(to, 16), at) for at, rest in code for to in re.findall(r"BRA\b.*\b0x([0-9a-f]+)", rest)]
    back = [(low, high) for low, high in jumps if low < high]
    inner = [loop for loop in sorted(back) if not any(loop[0] <= a and b <= loop[1] for a, b in back if (a, b) != loop)]
    registers, spilled = (int(re.findall(rf"{what}:(\d+)", usage)[0]) for what in ("REG", "STACK"))
    size = {(low, high): sum(low <= at <= high for at, _ in code) for low, high in back}
    wide = [max(size[a, b] for a, b in back if a <= low and high <= b) for low, high in inner]
    return registers, spilled, [Loop(size[loop], around) for loop, around in zip(inner, wide, strict=True)]


if __name__ == "__main__":
    main()
