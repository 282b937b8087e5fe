"""Clusters of rows that are resampled whole: what each adds up to, and its number among the random weights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..rows import groups

Clusters = dict[str, np.ndarray]  # name -> the sum of each column, (k,)


def cluster_sums(names: np.ndarray, columns: np.ndarray) -> Clusters:
    """What the rows of each cluster add up to; columns (n, k)."""
    kinds, codes = np.unique(groups.as_text(names), return_inverse=True)
    sums = np.stack([np.bincount(codes, column, len(kinds)) for column in columns.T], axis=1)
    return dict(zip(kinds.tolist(), sums, strict=True))


def cluster_numbers(names: Iterable[str]) -> np.ndarray:
    """A number for each name, (n,): its hash, so that it does not depend on the other names or on their order."""
    import hashlib

    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, dtype="<u8")


def merge_into(held: Clusters, more: Clusters) -> Clusters:
    """`held` with the rows of `more` added to it, in place."""
    for name, sums in more.items():
        held[name] = held[name] + sums if name in held else sums
    return held
