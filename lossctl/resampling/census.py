"""How many rows each label has: sorted labels with their counts, in runs that grow by merging equals.

A run is merged with the one before it once it is half as long, so a label takes part in few merges, and a merge goes
through both runs in stretches: time is nearly linear, and memory that of the labels and their counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

STRETCH = 1 << 18  # labels that are merged at once
LARGEST = 2**63  # whole numbers below this, and above its negative, are labels of one kind


class Run(NamedTuple):
    """Distinct labels of one kind in ascending order, (m,), and how many rows have each, (m,) whole numbers."""

    labels: np.ndarray
    counts: np.ndarray


Census = Mapping[Any, Mapping[str, tuple[Run, ...]]]  # branch -> kind of label -> runs, the longest first


def taken(labels: np.ndarray, branches: np.ndarray | None) -> Census:
    """The census of rows, from their labels (n,) and the branches of a split, (n,) or None for none."""
    if branches is None:
        return {None: _runs(labels)}
    if branches.dtype == object:
        names = Counter(branches.tolist())
        return {name: _runs(labels[branches == name]) for name in names}
    order = np.argsort(branches, kind="stable")
    ordered = branches[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(order) else order
    parts = np.split(order, starts[1:]) if len(order) else []
    return {name: _runs(labels[part]) for name, part in zip(ordered[starts].tolist(), parts, strict=True)}


def joined(a: Census, b: Census) -> Census:
    """The census of two sets of rows together."""
    return {branch: _added(a.get(branch, {}), b.get(branch, {})) for branch in {**a, **b}}


def distinct(census: Census) -> int:
    """How many labels there are in all branches together."""
    result = 0
    for kind in {kind for runs in census.values() for kind in runs}:
        labels = [run.labels for runs in census.values() for run in runs.get(kind, ())]
        result += len(np.unique(np.concatenate(labels), return_counts=True)[0])  # without counts numpy hashes, slowly
    return result


def columns(census: Census, branches: Sequence[Any]) -> Counter[tuple[int, ...]]:
    """How many labels have the same counts in each of the branches: counts by branch -> labels."""
    kinds = {kind for runs in census.values() for kind in runs}
    result: Counter[tuple[int, ...]] = Counter()
    for kind in sorted(kinds):
        runs = [(row, run) for row, branch in enumerate(branches) for run in census[branch].get(kind, ())]
        for tables in _merged([run for _, run in runs]):
            result.update(_columns(tables, [row for row, _ in runs], len(branches)))
    return result


def _columns(parts: list[Run], rows: list[int], height: int) -> dict[tuple[int, ...], int]:
    labels, codes = np.unique(np.concatenate([part.labels for part in parts]), return_inverse=True)
    table = np.zeros((height, len(labels)), dtype=np.int64)
    start = 0
    for row, part in zip(rows, parts, strict=True):
        codes_here = codes[start : start + len(part.labels)]
        table[row, codes_here] += part.counts  # labels of a run are distinct
        start += len(part.labels)
    distinct, times = np.unique(table, axis=1, return_counts=True)
    return dict(zip(map(tuple, distinct.T.tolist()), times.tolist(), strict=True))


# --- runs


def _runs(labels: np.ndarray) -> dict[str, tuple[Run, ...]]:
    runs = {kind: _counted(part) for kind, part in _by_kind(labels)}
    return {kind: (run,) for kind, run in runs.items() if len(run.labels)}


def _by_kind(labels: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
    """Labels of which all can be put in order."""
    if labels.dtype != object:
        return [(labels.dtype.kind, labels)]
    numbers = [label for label in labels.tolist() if not isinstance(label, str)]
    texts = [label for label in labels.tolist() if isinstance(label, str)]
    beyond = [number for number in numbers if not -LARGEST <= number < LARGEST]
    integers = [number for number in numbers if -LARGEST <= number < LARGEST]
    parts = [("i", np.array(integers, np.int64)), ("O", np.array(beyond, object)), ("U", np.array(texts, str))]
    return [(kind, part) for kind, part in parts if len(part)]


def _counted(labels: np.ndarray) -> Run:
    distinct, counts = np.unique(labels, return_counts=True)
    return Run(distinct, _narrow(counts))


def _narrow(counts: np.ndarray) -> np.ndarray:
    return counts.astype(_width(int(counts.max(initial=0))), copy=False)


def _width(largest: int) -> np.dtype[Any]:
    """The narrowest type that holds it and adds up with int64."""
    return np.min_scalar_type(largest) if largest < 1 << 32 else np.dtype(np.int64)


def _added(a: Mapping[str, tuple[Run, ...]], b: Mapping[str, tuple[Run, ...]]) -> dict[str, tuple[Run, ...]]:
    result = dict(a)
    for kind, runs in b.items():
        together = [*result.get(kind, ()), *runs]
        while len(together) > 1 and 2 * len(together[-1].labels) >= len(together[-2].labels):
            together[-2:] = [_together(together[-2], together[-1])]
        result[kind] = tuple(together)
    return result


def _together(a: Run, b: Run) -> Run:
    size = len(a.labels) + len(b.labels)
    wide = int(a.counts.max()) + int(b.counts.max())
    labels = np.empty(size, np.promote_types(a.labels.dtype, b.labels.dtype))
    counts = np.empty(size, _width(wide))
    end = 0
    for parts in _merged([a, b]):
        mixed = np.concatenate([part.labels for part in parts])
        order = np.argsort(mixed, kind="stable")
        mixed = mixed[order]
        starts = np.flatnonzero(np.concatenate([[True], mixed[1:] != mixed[:-1]]))
        stop = end + len(starts)
        labels[end:stop] = mixed[starts]
        both = np.concatenate([part.counts for part in parts])[order]
        counts[end:stop] = np.add.reduceat(both, starts, dtype=counts.dtype)
        end = stop
    if end < size:
        labels.resize(end, refcheck=False)
        counts.resize(end, refcheck=False)
    return Run(labels, counts)


def _merged(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """The runs in stretches: of each run the labels up to the same one."""
    starts = [0] * len(runs)
    longest = max(runs, key=lambda run: len(run.labels))
    for at in range(STRETCH, len(longest.labels) + STRETCH, STRETCH):
        stops = [len(run.labels) for run in runs]
        if at < len(longest.labels):
            stops = [int(np.searchsorted(run.labels, longest.labels[at])) for run in runs]
        yield [Run(*(side[start:stop] for side in run)) for run, start, stop in zip(runs, starts, stops, strict=True)]
        starts = stops
