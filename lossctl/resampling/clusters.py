"""Clusters of rows that are resampled whole: what each adds up to, and its number among the random weights."""

from __future__ import annotations

from collections.abc import Iterable
from operator import add
from typing import NamedTuple

import numpy as np

from ..rows import groups, sums
from ..rows.sums import Total

Clusters = dict[str, tuple[Total, ...]]  # name -> the exact sum of each column


class ClusterTable(NamedTuple):
    """The sums of clusters in the order of their names. sums: (m, k) float64"""

    names: tuple[str, ...]
    sums: np.ndarray


def cluster_sums(names: np.ndarray, columns: np.ndarray) -> Clusters:
    """What the rows of each cluster add up to; columns (n, k)."""
    texts = groups.as_text(names)
    order = np.argsort(texts, kind="stable")
    kinds, counts = np.unique(texts, return_counts=True)
    ends = np.cumsum(counts)
    rows = columns[order]
    parts = zip(kinds.tolist(), (ends - counts).tolist(), ends.tolist(), strict=True)
    return {name: tuple(sums.total(column) for column in rows[start:stop].T) for name, start, stop in parts}


def table_of(clusters: Clusters) -> ClusterTable:
    """The clusters in an order that no merging changes."""
    names = tuple(sorted(clusters))
    width = len(next(iter(clusters.values()), ()))
    return ClusterTable(
        names, np.array([[float(part) for part in clusters[name]] for name in names]).reshape(-1, width)
    )


def cluster_numbers(names: Iterable[str]) -> np.ndarray:
    """A number for each name, (n,): its hash, so that it does not depend on the other names or on their order."""
    import hashlib

    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, dtype="<u8")


def merge_into(held: Clusters, more: Clusters) -> Clusters:
    """`held` with the rows of `more` added to it, in place."""
    for name, parts in more.items():
        held[name] = tuple(map(add, held[name], parts)) if name in held else parts
    return held
