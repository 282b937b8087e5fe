"""What is measured on: random points in classes, several sets of them, so that none is found in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .cases import Case

MOST_BYTES = 1 << 30
MOST_COPIES = 64
L3 = Path("/sys/devices/system/cpu/cpu0/cache/index3/size")
CACHE_BYTES = 64 << 20


@dataclass(frozen=True)
class Inputs:
    """N embeddings with their labels, classes in random order, and a copy on each device that asked for one."""

    embeddings: np.ndarray
    labels: np.ndarray

    @cached_property
    def placed(self) -> dict[str, Any]:
        """What `on` has made, by device."""
        return {}

    def on(self, device: str) -> tuple[Any, Any]:
        """(embeddings, labels) as torch tensors on a device; moved once."""
        import torch

        if device not in self.placed:
            self.placed[device] = tuple(torch.from_numpy(a).to(device) for a in (self.embeddings, self.labels))
        tensors: tuple[Any, Any] = self.placed[device]
        return tensors


def make(case: Case, seed: int) -> Inputs:
    """Unit vectors around class centres, so near to each other that all categories of triplets are common."""
    random = np.random.Generator(np.random.Philox(key=[seed, case.n]))
    labels = random.permutation(np.arange(case.n) // case.k)
    centres = random.standard_normal((int(labels.max()) + 1, case.dim), np.float32)
    points = random.standard_normal((case.n, case.dim), np.float32)
    points += 0.5 * centres[labels]
    points /= np.sqrt(np.einsum("ij,ij->i", points, points))[:, None]
    return Inputs(points.astype(np.float64) if case.dtype == "float64" else points, labels)


def copies(n_bytes: int, cache_bytes: int) -> int:
    """How many sets of so many bytes are twice the cache: at least 2, but few enough for memory."""
    count = -(-2 * cache_bytes // n_bytes)
    return max(2, min(count, MOST_COPIES, MOST_BYTES // n_bytes))


def rotation(case: Case, devices: tuple[str, ...]) -> list[Inputs]:
    """Sets of points for a group of cases, together larger than the cache of any of its devices."""
    cache = max(cache_bytes(device) for device in devices)
    size = 8 if case.dtype == "float64" else 4
    return [make(case, seed) for seed in range(copies(case.n * case.dim * size, cache))]


def cache_bytes(device: str) -> int:
    """The largest cache of a device, or a guess at it."""
    if device != "cpu":
        import torch

        return int(getattr(torch.cuda.get_device_properties(device), "L2_cache_size", CACHE_BYTES))
    try:
        text = L3.read_text().strip()
        return int(text[:-1]) * UNITS[text[-1]]
    except (OSError, ValueError, KeyError):
        return CACHE_BYTES


UNITS = {"K": 1 << 10, "M": 1 << 20}
