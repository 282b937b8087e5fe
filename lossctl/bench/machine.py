"""The machine and the libraries: what runs here, and what does not, and why."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..kernels import KERNELS, find
from ..kernels.devices import no_cuda
from ..version import __version__


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its name, what it is, and whether it works ("ok", "missing", "off")."""

    what: str
    value: str
    status: str = "ok"


def examine() -> list[Finding]:
    """Everything that changes a number or a speed. Imports torch, where it is installed."""
    from ..rows.workers import cores

    return [
        Finding("lossctl", __version__),
        Finding("python", f"{platform.python_version()} ({platform.python_implementation()}, {platform.machine()})"),
        Finding("system", f"{platform.system()} {platform.release()}"),
        Finding("cpu", processor()),
        Finding("cores", f"{cores()} of {os.cpu_count()} usable"),
        *_numpy(),
        *_torch(),
        Finding("threads", threads()),
        *(_optional(name, use) for name, use in OPTIONAL.items()),
        *_kernels(),
    ]


OPTIONAL = {
    "triton": "fused CUDA kernels; pip install triton",
    "matplotlib": "pictures; pip install 'lossctl[plot]'",
    "pyarrow": "Parquet, Arrow and Feather files; pip install 'lossctl[arrow]'",
    "h5py": "HDF5 files; pip install 'lossctl[hdf5]'",
    "fsspec": "files at s3://, gs:// and https://; pip install 'lossctl[remote]'",
    "ray": "--on ray; pip install 'lossctl[ray]'",
    "distributed": "--on dask; pip install 'lossctl[dask]'",
    "zstandard": ".zst files before Python 3.14; pip install zstandard",
}


def _optional(name: str, use: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, f"not installed ({use})", "missing")
    from importlib.metadata import version

    return Finding(name, f"{version(name)} ({use})")


def _numpy() -> Iterator[Finding]:
    yield Finding("numpy", np.__version__)
    config = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {}) if isinstance(config, dict) else {}
    yield Finding("blas", f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip())
    simd = config.get("SIMD Extensions", {}).get("found", []) if isinstance(config, dict) else []
    yield Finding("simd", " ".join(simd[-3:]) or "baseline")


def _torch() -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None:
        yield Finding(
            "torch", "not installed (slopes of curves, CUDA, .pt files; pip install 'lossctl[torch]')", "missing"
        )
        return
    import torch

    yield Finding("torch", torch.__version__)
    reason = no_cuda()
    if reason:
        yield Finding("cuda", reason, "off")
        return
    for device in range(torch.cuda.device_count()):
        yield Finding(f"cuda:{device}", gpu(f"cuda:{device}"))
    yield Finding("driver", f"{driver()}, CUDA {torch.version.cuda}")


def _kernels() -> Iterator[Finding]:
    """What each kernel runs as: numpy panels on the CPU, and on CUDA the first of the two that is there."""
    reason = no_cuda()
    for kernel in KERNELS:
        if reason:
            yield Finding(f"kernel {kernel}", f"cpu: panel, numpy; cuda: none, {reason}")
            continue
        fused = find(kernel, "triton", "cuda") is not None
        yield Finding(
            f"kernel {kernel}", f"cpu: panel, numpy; cuda: {'triton' if fused else 'panel, torch, for want of triton'}"
        )


def processor() -> str:
    """The model of the CPU."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def threads() -> str:
    """How many threads there are, of lossctl, of numpy's BLAS and of torch where it is loaded."""
    from ..sets.panels import default_threads

    blas = next((os.environ[name] for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if name in os.environ), "")
    parts = [f"{default_threads()} of lossctl", f"{blas or 'as many as it likes'} of the BLAS in each"]
    torch = sys.modules.get("torch")
    return ", ".join([*parts, f"{torch.get_num_threads()} of torch"] if torch else parts)


def gpu(device: str) -> str:
    """The name and the memory of a CUDA device."""
    import torch

    properties = torch.cuda.get_device_properties(device)
    return f"{properties.name}, {properties.total_memory / 1e9:.0f} GB, sm_{properties.major}{properties.minor}"


def driver() -> str:
    """The version of the NVIDIA driver, as nvidia-smi has it."""
    import subprocess

    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    return answer or "unknown"


def stamp(devices: Sequence[str]) -> dict[str, str]:
    """Where and when figures were measured, as name -> text."""
    from datetime import UTC, datetime
    from importlib.metadata import version

    from ..rows.workers import cores

    environment = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "lossctl": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": processor(),
        "cores": str(cores()),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "",
        "numpy": np.__version__,
        "blas": next(finding.value for finding in _numpy() if finding.what == "blas"),
    }
    for name in ("torch", "triton"):
        environment[name] = version(name) if importlib.util.find_spec(name) else "none"
    cuda = next((device for device in devices if device != "cpu"), None)
    if cuda is not None:
        import torch

        environment |= {
            "gpu": gpu(cuda),
            "driver": driver(),
            "cuda": str(torch.version.cuda),
            "precision": precisions(),
        }
    return environment | {"threads": threads()}


def precisions() -> str:
    """What torch is set to do with float32 products outside the kernels, which set it for themselves."""
    import torch

    matmul = torch.backends.cuda.matmul
    setting = getattr(matmul, "fp32_precision", None) or ("tf32" if matmul.allow_tf32 else "ieee")
    return f"float32 products {setting}"
