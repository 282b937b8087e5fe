"""The machine and the libraries: what runs here, and what does not, and why."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from .version import __version__


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its name, what it is, and whether it works ("ok", "missing", "off")."""

    what: str
    value: str
    status: str = "ok"


def examine() -> list[Finding]:
    """Everything that changes a number or a speed. Imports torch, where it is installed."""
    from .engine.workers import cores

    return [
        Finding("lossctl", __version__),
        Finding("python", f"{platform.python_version()} ({platform.python_implementation()}, {platform.machine()})"),
        Finding("system", f"{platform.system()} {platform.release()}"),
        Finding("cores", f"{cores()} of {os.cpu_count()} usable"),
        *_numpy(),
        *_torch(),
        *(_optional(name, use) for name, use in OPTIONAL.items()),
    ]


OPTIONAL = {
    "triton": "CUDA kernels",
    "matplotlib": "pictures; install lossctl[plot]",
    "zstandard": "reading .zst files before Python 3.14",
}


def _optional(name: str, use: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, f"not installed ({use})", "missing")
    from importlib.metadata import version

    return Finding(name, f"{version(name)} ({use})")


def _numpy() -> Iterator[Finding]:
    import numpy as np

    yield Finding("numpy", np.__version__)
    config = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {}) if isinstance(config, dict) else {}
    yield Finding("blas", f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip())
    simd = config.get("SIMD Extensions", {}).get("found", []) if isinstance(config, dict) else []
    yield Finding("simd", " ".join(simd[-3:]) or "baseline")


def _torch() -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None:
        yield Finding("torch", "not installed (gradients, CUDA)", "missing")
        return
    import torch

    yield Finding("torch", torch.__version__)
    if torch.cuda.is_available():
        for device in range(torch.cuda.device_count()):
            yield Finding(f"cuda:{device}", torch.cuda.get_device_name(device))
    elif torch.version.cuda is None:
        yield Finding("cuda", "this torch is built for the CPU only", "off")
    else:
        yield Finding("cuda", "no device or no driver", "off")
