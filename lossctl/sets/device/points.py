"""Points on a device: what runs there, how far its squared distances may be from the truth, what is left to the CPU."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DeviceError, LossctlError, UsageError
from ...files import drawer
from ...kernels import KERNELS, find
from ..points import Points

if TYPE_CHECKING:
    from torch import Tensor

EMULATION = "CUBLAS_EMULATE_DOUBLE_PRECISION"
METRICS = ("euclidean", "sqeuclidean", "cosine")
TOGETHER = 64  # anchors a block, on the CPU
SPAN = 1 << 16  # anchors that a device answers for at a time: what devices share out


@dataclass(frozen=True)
class Placed:
    """Points on a device, centred and scaled as in their gram. start, end: (N,) the slice of each one's class."""

    device: str
    x: Tensor
    start: Tensor
    end: Tensor

    @property
    def padded(self) -> Any:
        """The same as the kernels' own building blocks take them."""
        from ...kernels import tiles

        return tiles.prepare(self.x, self.start, self.end, precision="ieee")

    def kernel(self, name: str, span: tuple[int, int]) -> Callable[..., Any]:
        """The fastest implementation that runs here, of the anchors of a span: fused if triton can, or else plain
        torch."""
        import torch

        function = find(name, "triton", self.device) or find(name, "panel", self.device)
        assert function is not None, "place has seen that panels run"
        return partial(function, anchors=torch.arange(*span, device=self.x.device))


def place(points: Points, device: str, dtype: str = "float64") -> Placed:
    """Copies the points to a device. DeviceError where no kernel runs there, or no error bound would hold."""
    check(device)
    refuse_metric(points, device)
    import torch

    def placed(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    right = points.gram.right
    x = torch.empty((len(right), right.shape[1] - 2), dtype=getattr(torch, dtype), device=device)
    for rows in drawer.blocks(right):
        x[rows] = placed(right[rows, :-2].copy())
    return Placed(device, x, placed(points.first), placed(points.last))


def refuse_metric(points: Points, device: str) -> None:
    """UsageError for distances that no kernel has."""
    if points.metric not in METRICS:
        raise UsageError(f"--distance {points.metric} on {device}", why="no kernel has it", fix="use --device cpu")


@contextmanager
def room_on(device: str) -> Iterator[None]:
    """DeviceError where the device runs out of memory, or what is not lossctl's own fails there."""
    try:
        yield
    except LossctlError:
        raise
    except Exception as fault:
        if (told := _told(device, fault)) is None:
            raise
        raise told from fault


def _told(device: str, fault: Exception) -> DeviceError | None:
    """What a fault of torch, triton, the driver or a compiler means; None for one that is no such."""
    import torch

    from ...kernels import tiles

    words = " ".join(str(fault).split())
    if isinstance(fault, tiles.out_of_resources()):
        return DeviceError(
            f"a kernel does not fit {device}",
            why=words.split(". ")[0],
            fix="take another device, or the CPU: --device cpu",
        )
    if isinstance(fault, torch.OutOfMemoryError) or "ALLOC_FAILED" in words:
        return DeviceError(
            f"{device} is out of memory",
            why=". ".join(words.split(". ")[:2]) or "the points, and what is computed from them, do not fit",
            fix="see what else uses it (nvidia-smi), take another one, or the CPU: --device cpu",
        )
    if isinstance(fault, CalledProcessError) or "C compiler" in words:
        return DeviceError(
            f"triton cannot build its launcher for {device}",
            why=words,
            fix="install a C compiler and the headers of Python (gcc, python3-dev), or take the CPU: --device cpu",
        )
    if re.search("CUDA|CUBLAS|cuBLAS|PTXAS", words):
        return DeviceError(
            f"{device} failed",
            why=words.split(" For debugging")[0].split(" Search for")[0],
            fix="see what nvidia-smi and dmesg say of it, take another one, or the CPU: --device cpu",
        )
    return None


def check(device: str) -> None:
    """DeviceError where no kernel runs on a device, or no error bound would hold."""
    if find("batch-hard", "panel", device) is None:
        raise DeviceError(f"nothing runs on {device} here", fix="see what does: lossctl doctor")
    if os.environ.get(EMULATION, "0") not in ("", "0"):
        raise DeviceError(
            f"{EMULATION} is set", why="no error bound is known for emulated float64 products", fix=f"unset {EMULATION}"
        )


def backend_of(device: str, kernel: str, largest_class: int) -> str:
    """What a kernel, or the loss of that name, runs as on a device: "triton-cuda" where fused, else "torch-cuda"."""
    kind = device.partition(":")[0]
    if kernel not in KERNELS or find(kernel, "triton", device) is None:
        return f"torch-{kind}"
    module = import_module(f"lossctl.kernels.{kernel.replace('-', '_')}")
    is_fused = largest_class - 1 <= getattr(module, "MOST_POSITIVES", largest_class)
    return f"{'triton' if is_fused else 'torch'}-{kind}"


def slack_of(points: Points, margin: float) -> float:
    """How far a squared distance on the device may be from the truth, in parts of |a|^2 + |n|^2 + (d_ap + margin)^2.

    The kernel's own error bound is for the centred points that it reads. Those differ from the truth by the error of
    centring and of scaling to unit length, which by the triangle inequality is at most twice the gram's bound; it
    enters through d_an, d_ap and, as 2 margin d_ap, through the square of d_ap + margin.
    """
    import torch

    from ...kernels import tiles

    gram = points.gram
    own = tiles.squared_distance_error(gram.x.shape[1], torch.float64)
    blur = gram.floor * (1 + gram.scaled(margin)) / gram.largest_norm if gram.largest_norm else math.inf
    return own + 5 * gram.slope + 5 * blur


def kernel_margin(points: Points, margin: float) -> float:
    """The margin in the units of what the kernel compares: lengths, or squared lengths, scaled as in the gram."""
    if points.is_root:
        return points.gram.scaled(margin)
    return points.square_of(margin)


def spans(points: Points) -> list[tuple[int, int]]:
    """The anchors, as many at a time as a device answers for."""
    return [(start, min(start + SPAN, points.anchors)) for start in range(0, points.anchors, SPAN)]


def runs(anchors: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ascending numbers as slices of neighbours, none of them long."""
    for run in np.split(anchors, np.flatnonzero(np.diff(anchors) > 1) + 1):
        for k in range(0, len(run), TOGETHER):
            part = run[k : k + TOGETHER]
            yield int(part[0]), int(part[-1]) + 1
