"""How many rows each label has, or what they weigh: sorted labels and counts, in runs that grow by merging equals.

A run is merged with the one before it once it is half as long, so a label takes part in few merges, and a merge goes
through both runs in stretches: time is nearly linear, and memory that of the labels and their counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..rows import limbs
from ..rows.limbs import Limbs

STRETCH = 1 << 16  # labels that are merged at once
ASCII, WORD = 127, 8
LARGEST = 2**63  # whole numbers below this, and above its negative, are labels of one kind


class Run(NamedTuple):
    """Distinct labels of one kind in ascending order, (m,).

    counts: how many rows have each, (m,) whole numbers, or what these rows weigh
    """

    labels: np.ndarray
    counts: np.ndarray | Limbs

    def part(self, start: int, stop: int) -> Run:
        """Some of the labels."""
        counts = self.counts
        return Run(
            self.labels[start:stop],
            counts.part(slice(start, stop)) if isinstance(counts, Limbs) else counts[start:stop],
        )


Census = Mapping[Any, Mapping[str, tuple[Run, ...]]]  # branch -> kind of label -> runs, the longest first


def taken(labels: np.ndarray, branches: np.ndarray | None, weights: np.ndarray | None = None) -> Census:
    """The census of rows, from their labels (n,) and the branches of a split, (n,) or None for none.

    weights: of the rows, (n,), finite and at least 0; None for ones
    """

    def runs(at: np.ndarray | slice) -> dict[str, tuple[Run, ...]]:
        return _runs(labels[at], None if weights is None else weights[at])

    if branches is None:
        return {None: runs(slice(None))}
    if branches.dtype == object:
        names = Counter(branches.tolist())
        return {name: runs(branches == name) for name in names}
    order = np.argsort(branches, kind="stable")
    ordered = branches[order]
    starts = _starts(ordered)
    parts = np.split(order, starts[1:]) if len(order) else []
    return {name: runs(part) for name, part in zip(ordered[starts].tolist(), parts, strict=True)}


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


class LabelTable(NamedTuple):
    """What the labels have in each branch, alike ones perhaps once.

    rows: of each branch the counts, or the weights in a unit that all share;  times: how many labels each stands for
    """

    rows: list[list[int]]
    times: list[int]


def table(census: Census, branches: Sequence[Any]) -> LabelTable:
    """The counts of all labels in each of the branches."""
    weights = [run.counts for kinds in census.values() for runs in kinds.values() for run in runs]
    lows = [weight.low for weight in weights if isinstance(weight, Limbs)]
    if lows:
        return _weighed(census, branches, min(lows))
    together = columns(census, branches)
    return LabelTable([list(row) for row in zip(*together, strict=True)], list(together.values()))


def columns(census: Census, branches: Sequence[Any]) -> Counter[tuple[int, ...]]:
    """How many labels have the same counts in each of the branches: counts by branch -> labels."""
    result: Counter[tuple[int, ...]] = Counter()
    for labels, parts in _stretches(census, branches):
        counts = np.zeros((len(branches), labels), dtype=np.int64)
        for row, codes, part in parts:
            assert isinstance(part.counts, np.ndarray)
            counts[row, slice(None) if len(codes) == labels else codes] += part.counts  # labels of a run are distinct
        distinct, times = _often(counts)
        result.update(dict(zip(map(tuple, distinct.T.tolist()), times.tolist(), strict=True)))
    return result


def _often(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which columns stand in whole numbers from 0, (rows, n), and how often."""
    bases = [int(most) + 1 for most in counts.max(axis=1, initial=0)]
    if math.prod(bases) >= LARGEST:
        return np.unique(counts, axis=1, return_counts=True)
    codes = np.ravel_multi_index(tuple(counts), bases) if len(counts) > 1 else counts[0]
    if math.prod(bases) > counts.shape[1]:
        distinct, times = np.unique(codes, return_counts=True)
    else:
        times = np.bincount(codes)
        distinct = np.flatnonzero(times)
        times = times[distinct]
    return np.stack(np.unravel_index(distinct, bases)), times


def _weighed(census: Census, branches: Sequence[Any], low: int) -> LabelTable:
    """The table of weights, in units of the column `low` of their digits."""
    rows: list[list[int]] = [[] for _ in branches]
    for labels, parts in _stretches(census, branches):
        for row in rows:
            row += [0] * labels
        for at, codes, part in parts:
            assert isinstance(part.counts, Limbs)
            row = rows[at]
            places = (codes + (len(row) - labels)).tolist()
            for place, weight in zip(places, part.counts.integers(low), strict=True):
                row[place] += weight
    return LabelTable(rows, [1] * len(rows[0]))


def _stretches(census: Census, branches: Sequence[Any]) -> Iterator[tuple[int, list[tuple[int, np.ndarray, Run]]]]:
    """The labels in stretches: how many, and the parts of runs that have them, each with its branch and their codes."""
    for kind in sorted({kind for runs in census.values() for kind in runs}):
        runs = [(row, run) for row, branch in enumerate(branches) for run in census[branch].get(kind, ())]
        is_one = len({row for row, _ in runs}) == 1 and not any(isinstance(run.counts, Limbs) for _, run in runs)
        for parts in _merged([run for _, run in runs]):
            if len(parts) == 1 or is_one:
                part = parts[0] if len(parts) == 1 else Run(*_summed(parts, np.dtype(np.int64)))
                yield len(part.labels), [(runs[0][0], np.arange(len(part.labels)), part)]
                continue
            labels, codes = np.unique(np.concatenate([part.labels for part in parts]), return_inverse=True)
            codes_of = np.split(codes, np.cumsum([len(part.labels) for part in parts])[:-1])
            yield len(labels), [(row, code, part) for (row, _), code, part in zip(runs, codes_of, parts, strict=True)]


# --- runs


def _runs(labels: np.ndarray, weights: np.ndarray | None) -> dict[str, tuple[Run, ...]]:
    runs = {kind: _counted(part, weight) for kind, part, weight in _by_kind(labels, weights)}
    return {kind: (run,) for kind, run in runs.items() if len(run.labels)}


def _by_kind(labels: np.ndarray, weights: np.ndarray | None) -> Iterable[tuple[str, np.ndarray, np.ndarray | None]]:
    """Labels of which all can be put in order, and their weights."""
    if labels.dtype.kind == "U":
        return [("U", _packed(labels), weights)]
    if labels.dtype != object:
        return [(labels.dtype.kind, labels, weights)]
    kinds = np.array([_kind(label) for label in labels.tolist()], dtype="U1")
    types: dict[str, Any] = {"i": np.int64, "O": object, "U": str}
    at = {kind: kinds == kind for kind in types if (kinds == kind).any()}
    arrays = {kind: np.array(labels[here].tolist(), types[kind]) for kind, here in at.items()}
    return [
        (kind, _packed(array) if kind == "U" else array, None if weights is None else weights[at[kind]])
        for kind, array in arrays.items()
    ]


def _packed(texts: np.ndarray) -> np.ndarray:
    """Texts as UTF-8, which has the same order, in as few bytes as the longest needs; (n,)."""
    codes = np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), texts.dtype.itemsize // 4)
    if codes.max(initial=0) > ASCII:
        return np.char.encode(texts, "utf-8")
    used = np.flatnonzero(codes.any(axis=0))
    width = int(used[-1]) + 1 if len(used) else 1
    return codes[:, :width].astype(np.uint8).view(f"S{width}").ravel()


def _keys(labels: np.ndarray) -> np.ndarray:
    """What has the same order and is sorted faster: texts of eight bytes as whole numbers."""
    if labels.dtype.kind != "S" or labels.dtype.itemsize > WORD:
        return labels
    return labels.astype(f"S{WORD}").view(">u8").astype(np.uint64)


def _texts(keys: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The labels of keys, `labels` being of the same kind."""
    return keys if keys.dtype == labels.dtype else keys.astype(">u8").view(f"S{WORD}").astype(labels.dtype)


def _kind(label: Any) -> str:
    return "U" if isinstance(label, str) else "i" if -LARGEST <= label < LARGEST else "O"


def _counted(labels: np.ndarray, weights: np.ndarray | None) -> Run:
    if weights is None:
        distinct, counts = np.unique(_keys(labels), return_counts=True)
        return Run(_texts(distinct, labels), _narrow(counts))
    order = np.argsort(_keys(labels), kind="stable")
    ordered = labels[order]
    starts = _starts(ordered)
    return Run(ordered[starts], limbs.sums(limbs.of(weights[order]), starts))


def _starts(ordered: np.ndarray) -> np.ndarray:
    """Where each of the distinct labels begins."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else np.arange(0)


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
    a, b, kind = _alike(a, b)
    size = len(a.labels) + len(b.labels)
    labels = np.empty(size, np.promote_types(a.labels.dtype, b.labels.dtype))
    counts = np.empty((size, *_digits(a).shape[1:]), kind)
    end = 0
    for parts in _merged([a, b]):
        some, sums = _summed(parts, kind)
        stop = end + len(some)
        labels[end:stop], counts[end:stop] = some, sums
        end = stop
    if end < size:
        labels.resize(end, refcheck=False)
        counts.resize((end, *counts.shape[1:]), refcheck=False)
    return Run(labels, Limbs(counts, a.counts.low) if isinstance(a.counts, Limbs) else counts)


def _summed(parts: Sequence[Run], kind: np.dtype[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The labels of all parts, ascending, and the sums of their counts, or of the digits of these."""
    mixed, digits = np.concatenate([part.labels for part in parts]), [_digits(part) for part in parts]
    keys, are_ones = _keys(mixed), all(some.ndim == 1 and some.max(initial=1) == 1 for some in digits)
    if are_ones and keys.dtype.kind in "iuf":  # which are sorted in a third of the time
        distinct, counts = np.unique(keys, return_counts=True)
        return _texts(distinct, mixed), counts
    order = np.argsort(keys, kind="stable")
    mixed = mixed[order]
    starts = _starts(mixed)
    return mixed[starts], np.add.reduceat(np.concatenate(digits)[order], starts, axis=0, dtype=kind)


def _alike(a: Run, b: Run) -> tuple[Run, Run, np.dtype[Any]]:
    """The same runs with counts that add up column by column, and a type for the sums."""
    if isinstance(a.counts, Limbs) and isinstance(b.counts, Limbs):
        left, right = limbs.alike([a.counts, b.counts])
        return Run(a.labels, left), Run(b.labels, right), np.dtype(np.int64)
    return a, b, _width(int(_digits(a).max()) + int(_digits(b).max()))


def _digits(run: Run) -> np.ndarray:
    return run.counts.digits if isinstance(run.counts, Limbs) else run.counts


def _merged(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """The runs in stretches: of each run the labels up to the same one."""
    starts = [0] * len(runs)
    longest = max(runs, key=lambda run: len(run.labels))
    for at in range(STRETCH, len(longest.labels) + STRETCH, STRETCH):
        stops = [len(run.labels) for run in runs]
        if at < len(longest.labels):
            stops = [int(np.searchsorted(run.labels, longest.labels[at])) for run in runs]
        yield [run.part(start, stop) for run, start, stop in zip(runs, starts, stops, strict=True)]
        starts = stops
