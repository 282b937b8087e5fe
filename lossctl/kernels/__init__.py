"""Distance kernels over an embedding set sorted by label; torch and triton load only when one is asked for.

Every kernel takes `(embeddings, start, end)`: points of shape (N, D) sorted by label, and for each point the first
row of its class and the row after its last: the positives of an anchor are one slice, its negatives the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import UsageError

KERNELS = ("batch-hard", "batch-all", "semi-hard")
FUNCTIONS = {"naive": "naive", "panel": "panel", "triton": "fused"}
DEVICES = ("cpu", "cuda")


def find(kernel: str, implementation: str, device: str) -> Callable[..., Any] | None:
    """The function that runs a kernel, or None where this machine cannot run it.

    kernel: one of KERNELS
    implementation: naive (the whole broadcast), panel (blocks of anchors, plain torch) or triton (fused)
    device: "cpu", "cuda" or "cuda:1"; triton runs on the CPU only under TRITON_INTERPRET=1, as a test
    Raises UsageError for a name that does not exist.
    """
    for what, name, known in (
        ("kernel", kernel, KERNELS),
        ("implementation", implementation, tuple(FUNCTIONS)),
        ("device", device.split(":")[0], DEVICES),
    ):
        if name not in known:
            raise UsageError(f"unknown {what} {name!r}", fix=f"choose one of {', '.join(known)}")
    if find_spec("torch") is None or (device != "cpu" and not _cuda_is_available()):
        return None
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if implementation == "triton" and (find_spec("triton") is None or (device == "cpu" and not interpreted)):
        return None
    module = import_module(f"lossctl.kernels.{kernel.replace('-', '_')}")
    function: Callable[..., Any] = getattr(module, FUNCTIONS[implementation])
    return function


def _cuda_is_available() -> bool:
    import torch

    return torch.cuda.is_available()
