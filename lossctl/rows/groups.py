"""Groups of rows: names that stand in a column, or bins of its numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import DataError

SAMPLE, FEW = 1024, 64  # rows that are looked at first; names among them that are few


class Bins(NamedTuple):
    """`number` bins of equal width from `low` to `high`; each holds its lower edge, the last its upper one too."""

    low: float
    high: float
    number: int

    @property
    def edges(self) -> np.ndarray:
        """(number + 1,)."""
        return np.linspace(self.low, self.high, self.number + 1)

    def of(self, values: np.ndarray) -> np.ndarray:
        """The bin of each value, (n,)."""
        bins = np.searchsorted(self.edges, values, side="right") - 1
        return np.clip(bins, 0, self.number - 1)

    @property
    def names(self) -> list[str]:
        """What the bins are called, from low to high: "[0.1, 0.2)"."""
        edges = self.edges.tolist()
        texts = [f"{edge:.4g}" for edge in edges]
        texts = texts if len(set(texts)) == len(texts) else [repr(edge) for edge in edges]
        closing = [")"] * (self.number - 1) + ["]"]
        return [f"[{low}, {high}{end}" for low, high, end in zip(texts[:-1], texts[1:], closing, strict=True)]


def slices(column: np.ndarray, bins: Bins | None) -> list[tuple[str, np.ndarray]]:
    """(name of the group, positions of its rows) for each group in a column, (n,).

    DataError for a number that is in no bin.
    """
    if bins is not None:
        if np.isnan(column).any():
            raise DataError("the column of the bins holds nan", fix="leave those rows out: --na skip")
        if np.isinf(column).any():
            raise DataError("the column of the bins holds inf", fix="correct it, or choose another column")
        codes = bins.of(column)
        names = bins.names
    else:
        names, codes = _coded(column)
    order = np.argsort(codes.astype(np.uint16) if len(names) <= 1 << 16 else codes, kind="stable")
    counts = np.bincount(codes, minlength=len(names))
    ends = np.cumsum(counts)
    return [
        (name, order[end - count : end])
        for name, count, end in zip(names, counts.tolist(), ends.tolist(), strict=True)
        if count
    ]


def _coded(column: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The names in a column, in the order of text, and which of them each row has, (n,)."""
    texts = as_text(column)
    kinds = np.unique(texts[:SAMPLE])
    if len(kinds) > FEW:
        kinds, codes = np.unique(texts, return_inverse=True)
        return kinds.tolist(), codes
    codes = np.searchsorted(kinds[1:], texts, side="right")  # a search among few names takes less than a sort
    others = texts[kinds[codes] != texts]
    if len(others):
        kinds = np.unique(np.concatenate([kinds, others]))
        codes = np.searchsorted(kinds[1:], texts, side="right")
    return kinds.tolist(), codes


def as_text(column: np.ndarray) -> np.ndarray:
    """Categories as text, so that a name is the same in every block: 1 and "1" are one group."""
    return column.reshape(-1) if column.dtype.kind == "U" else np.array([str(name) for name in column.reshape(-1)])


def ordered(names: list[str], bins: Bins | None) -> list[str]:
    """Names as people list them: bins from low to high, whole numbers by value, text by the alphabet."""
    if bins is not None:
        return sorted(names, key=bins.names.index)

    def key(name: str) -> tuple[int, int, str]:
        digits = name.removeprefix("-")
        return (0, int(name), name) if digits.isascii() and digits.isdigit() else (1, 0, name)

    return sorted(names, key=key)
