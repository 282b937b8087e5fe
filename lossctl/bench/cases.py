"""What there is to run: kernels, implementations, sizes; what each takes; and how sizes are written. Imports nothing
heavy, for the help and the list of the command come from here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import UsageError
from ..kernels import KERNELS

PRODUCT = "product"
WHAT = {
    PRODUCT: "the N x N inner products alone, in blocks: what no kernel can do without",
    "batch-hard": "the farthest positive and the nearest negative of every anchor",
    "batch-all": "the loss and the easy, semi-hard and hard counts over all triplets",
    "semi-hard": "for every anchor and positive, the nearest negative beyond the positive",
}
IMPLEMENTATIONS = {
    "naive": "what people write: the whole distance matrix, or all triplets at once, in torch",
    "panel": "lossctl, blocks of anchors against everyone: numpy on the CPU, torch on CUDA",
    "triton": "lossctl, one fused Triton kernel: CUDA",
}
PEERS = {
    "pytorch-metric-learning": ("pytorch_metric_learning", ("batch-hard", "batch-all")),
    "sentence-transformers": ("sentence_transformers", ("batch-hard", "batch-all", "semi-hard")),
    "keops": ("pykeops", ("batch-hard",)),
    "faiss": ("faiss", ("batch-hard",)),
}
DTYPES = {
    "float64": "float64 throughout; batch-all counts by panels are then certified",
    "float32": "float32 products",
    "tf32x3": "float32 by three TF32 products (CUDA)",
    "tf32": "TF32 products, approximate (CUDA)",
    "bf16": "bfloat16 products, approximate (CUDA)",
}
ON_CPU = ("float64", "float32")
MARGIN = 0.2
BLOCK_BYTES = 1 << 30


class Case(NamedTuple):
    """One thing to time. implementation: one of IMPLEMENTATIONS, a peer, or "blocked" for the product."""

    kernel: str
    implementation: str
    device: str
    n: int
    dim: int
    k: int
    dtype: str

    @property
    def key(self) -> str:
        """The case in words, by which a baseline is searched."""
        return " ".join(map(str, self))

    @property
    def pairs(self) -> int:
        """Ordered pairs of points."""
        return self.n * (self.n - 1)

    @property
    def triplets(self) -> int:
        """How many triplets the classes of k points, the last with the rest, make."""
        full, rest = divmod(self.n, self.k)
        return full * self.k * (self.k - 1) * (self.n - self.k) + rest * max(rest - 1, 0) * (self.n - rest)

    @property
    def work(self) -> tuple[int, str]:
        """What is counted per second: triplets where all of them are looked at, or else pairs."""
        return (self.triplets, "triplets") if self.kernel == "batch-all" else (self.pairs, "pairs")

    @property
    def flop(self) -> int:
        """Of the full product, which every kernel is held against."""
        return 2 * self.n * self.n * self.dim


class Schedule(NamedTuple):
    """What to run and for how long.

    implementations: None for all that the device has; peers: also those of other libraries
    min_time: seconds of samples a case; time_limit: seconds after which a case gives up; total_limit: after which none
        begins
    """

    kernels: tuple[str, ...] = KERNELS
    implementations: tuple[str, ...] | None = None
    devices: tuple[str, ...] = ("cpu",)
    sizes: tuple[int, ...] = (1000, 4000)
    dims: tuple[int, ...] = (128,)
    ks: tuple[int, ...] = (4,)
    dtypes: tuple[str, ...] = ("float32",)
    peers: bool = False
    min_time: float = 0.5
    time_limit: float = 60.0
    total_limit: float = 540.0

    def groups(self) -> Iterator[tuple[Case, ...]]:
        """The cases that are timed in turn: same kernel, same data. Small sizes first, so that they foretell the large.

        The first cases of a group are the products, one a device.
        """
        for n in sorted(self.sizes):
            for dim in self.dims:
                for k in self.ks:
                    for dtype in self.dtypes:
                        for kernel in self.kernels:
                            yield tuple(self._group(kernel, n, dim, k, dtype))

    def _group(self, kernel: str, n: int, dim: int, k: int, dtype: str) -> Iterator[Case]:
        for device in self.devices:
            yield Case(PRODUCT, "blocked", device, n, dim, k, dtype)
        for implementation in (*self._implementations(), *self._peers(kernel)):
            for device in self.devices:
                if implementation != "triton" or device != "cpu" or self.implementations is not None:
                    yield Case(kernel, implementation, device, n, dim, k, dtype)

    def _implementations(self) -> tuple[str, ...]:
        return tuple(IMPLEMENTATIONS) if self.implementations is None else self.implementations

    def _peers(self, kernel: str) -> tuple[str, ...]:
        return tuple(name for name, (_, kernels) in PEERS.items() if kernel in kernels) if self.peers else ()


def check(schedule: Schedule) -> Schedule:
    """The plan, or a UsageError at the first thing that cannot be run."""
    for what, names, known in (
        ("kernel", schedule.kernels, KERNELS),
        ("implementation", schedule.implementations or (), tuple(IMPLEMENTATIONS)),
        ("dtype", schedule.dtypes, tuple(DTYPES)),
    ):
        for name in names:
            if name not in known:
                raise UsageError(f"unknown {what} {name!r}", fix=f"choose from {', '.join(known)}")
    smallest, k, largest = min(schedule.sizes), min(schedule.ks), max(schedule.ks)
    if k < 2 or min(schedule.dims) < 1 or smallest <= largest:
        raise UsageError(
            f"N {smallest}, D {min(schedule.dims)}, K {k if k < 2 else largest}: no triplets in such a set",
            fix="at least 2 a class (--k), 1 column (--dim), and more points (--n) than one class has",
        )
    if not (schedule.min_time >= 0 and schedule.time_limit > 0 and schedule.total_limit > 0):
        raise UsageError("--min-time is at least 0, --time-limit and --total-limit are above 0")
    return schedule


SIZE = re.compile(r"(\d+(?:\.\d+)?)([kKmM]?)")


def parse_sizes(text: str, option: str) -> tuple[int, ...]:
    """Numbers such as 4096, 4k (4,000) or 1M from a comma-separated list. UsageError."""
    return tuple(_parse_size(part, option) for part in text.split(","))


def _parse_size(text: str, option: str) -> int:
    match = SIZE.fullmatch(text.strip())
    size = float(match[1]) * {"": 1, "k": 1000, "m": 1000_000}[match[2].lower()] if match else 0.5
    if size != int(size):
        raise UsageError(f"{option}: {text!r} is not a whole number", fix="for example 4096, 16k or 1M")
    return int(size)


def parse_share(text: str, option: str) -> float:
    """0.1 from "10%" or "0.1". UsageError."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1e3:
        raise UsageError(f"{option}: {text!r} is no share", fix="for example 10%")
    return share


# --- what a case takes, foreseen


def bytes_needed(case: Case) -> int:
    """About how much memory a run takes beyond its inputs, rather more than less."""
    size = 8 if case.dtype == "float64" else 4
    square, cube, panel = case.n**2, case.n**3, min(case.n**2, BLOCK_BYTES // 4)
    copies, answers = 6 * case.n * case.dim * 8, case.n * case.k * 40
    needed = {
        ("batch-hard", "naive"): square * (3 * size + 8),
        ("batch-all", "naive"): cube * (2 * size + 16),
        ("semi-hard", "naive"): cube * (size + 3),
        ("batch-hard", "pytorch-metric-learning"): square * 32,
        ("batch-all", "pytorch-metric-learning"): min(cube, 2**31) + 70 * case.triplets,
        ("batch-hard", "sentence-transformers"): square * 24,
        ("batch-all", "sentence-transformers"): case.n * (case.k - 1) * case.n * 13 + square * 12,
        ("semi-hard", "sentence-transformers"): square * 60,
    }.get((case.kernel, case.implementation), 0)
    if not needed and case.implementation == "panel":
        needed = panel * (10 * size) if case.device != "cpu" else (1 << 28) + panel // 8
    return needed + copies + answers


def seconds_expected(case: Case, known: Sequence[tuple[Case, float]]) -> float:
    """From the largest smaller size among the known times, 0 where there is none. Times grow with N^2 at least."""
    smaller = [(old.n, seconds) for old, seconds in known if old == case._replace(n=old.n) and old.n < case.n]
    if not smaller:
        return 0.0
    n, seconds = max(smaller)
    return seconds * (case.n / n) ** (3 if case.implementation == "naive" and case.kernel != "batch-hard" else 2)
