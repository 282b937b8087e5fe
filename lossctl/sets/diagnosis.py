"""What an embedding set itself looks like, beside the breakdown of its triplets: collapse, norms, duplicates."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import drawer
from ..language.rounded import row_dots
from ..rows.facts import NARROW
from ..rows.job import PLAIN, Pairing
from .pairing import coded, marks_of, together
from .ties import equal_rows, square_sums

if TYPE_CHECKING:
    from ..results.breakdown import Breakdown, Diagnosis

MOST = 0.5  # a share of the rows that is said of one class among several, or of rows that are alone in theirs
SAMPLE = 1 << 12  # rows that tell how far a set is spread
FEWEST = 8  # rows that tell what a column is
ALIKE = 1e-3  # parts of the largest distance, within which all are alike
NEARLY_ALL = 0.9  # the same of one class of two


class Appearance:
    """The rows of a set, (N, D), and what more than one question is about."""

    def __init__(self, embeddings: np.ndarray) -> None:
        self.x = np.asarray(embeddings).astype(np.float64, copy=False)

    @cached_property
    def squares(self) -> np.ndarray:
        """(N,) squared lengths."""
        return square_sums(self.x)

    @cached_property
    def norms(self) -> np.ndarray:
        """(N,) lengths."""
        norms: np.ndarray = np.sqrt(self.squares)
        return norms

    @cached_property
    def twins(self) -> np.ndarray:
        """(N,) the first row that each equals."""
        return equal_rows(self.x, self.squares)

    @cached_property
    def spread(self) -> float:
        """How far they lie from their centre, root mean square, in parts of their mean length."""
        return _spread(self.x, float(self.norms.mean()))


def both_sets(embeddings: np.ndarray, labels: np.ndarray, pairs: Pairing) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and labels, with those of the other set, if there is one."""
    if pairs.reference is None:
        return embeddings, labels
    others, marks = pairs.reference
    return drawer.joined([embeddings, others]), together([labels, marks])


def diagnose(seen: Appearance, labels: Any, breakdown: Breakdown) -> Diagnosis:
    """What the set itself looks like, beside its breakdown `breakdown`."""
    from ..results.breakdown import Diagnosis

    norms, twins, spread = seen.norms, seen.twins, seen.spread
    conflicts = _mixed_groups(twins, coded(np.asarray(labels))[1])
    d_ap, d_an = breakdown.positives, breakdown.negatives
    width = max(d_ap.largest, d_an.largest) - min(d_ap.smallest, d_an.smallest)
    largest_off = float(np.abs(norms - 1).max())
    return Diagnosis(
        norm_smallest=float(norms.min()),
        norm_mean=float(norms.mean()),
        norm_largest=float(norms.max()),
        spread=spread,
        contrast=(d_an.mean - d_ap.mean) / abs(d_an.mean) if d_an.mean else 0.0,
        duplicates=int((twins != np.arange(len(twins))).sum()),
        conflicting=conflicts,
        is_collapsed=spread < NARROW or width <= ALIKE * max(d_ap.largest, d_an.largest),
        is_nearly_unit=1e-3 < largest_off < 0.1,
        is_stuck=tuple(at.margin > 0 and abs(at.batch_hard - at.margin) < 0.01 * at.margin for at in breakdown.margins),
    )


def surely_spread(embeddings: np.ndarray, breakdown: Breakdown) -> bool:
    """Whether the farthest positives and the nearest negatives alone show that distances are not all alike."""
    largest = math.sqrt(float(square_sums(embeddings.astype(np.float64, copy=False)).max()))
    lengths = {"euclidean": 2 * largest, "sqeuclidean": 4 * largest**2, "cosine": 2.0, "angular": math.pi}
    if breakdown.normalize:
        lengths |= {"euclidean": 2.0, "sqeuclidean": 4.0}
    smallest, farthest = breakdown.ends
    most = lengths.get(breakdown.metric, math.inf)
    return farthest - smallest > 2 * ALIKE * most


def remarks(seen: Appearance, labels: np.ndarray, pairs: Pairing = PLAIN, is_angular: bool = False) -> tuple[str, ...]:
    """What looks wrong with a set before anything is counted, in sentences.

    seen, labels: of the anchors' set and the other, if there is one
    is_angular: lengths do not matter to what is computed
    """
    if len(labels) < 2:
        return ()
    marks = marks_of(labels, pairs)
    with np.errstate(over="ignore", invalid="ignore"):
        return (*_of_points(seen, marks.classes, is_angular), *_of_classes(marks.names, marks.classes, pairs))


def _of_points(seen: Appearance, classes: np.ndarray, is_angular: bool) -> list[str]:
    lines = []
    x, norms, step = seen.x, seen.norms, max(1, len(seen.x) // SAMPLE)
    spread = seen.spread if step == 1 else _spread(x[::step], float(norms[::step].mean()))
    if spread < NARROW:
        lines.append(
            f"the embeddings differ by {spread:.1g} of their length only: they have collapsed, or share an offset"
        )
    conflicting = _mixed_groups(seen.twins, classes)
    if conflicting:
        lines.append(f"{conflicting} rows are equal to a row with another label")
    zeros = 0 if seen.squares.all() else sum(int((~x[part].any(axis=1)).sum()) for part in drawer.blocks(x))
    if zeros:
        lines.append(f"{zeros} embeddings are all zeros")
    lines += _of_columns(x, classes)
    off = float(np.abs(norms - 1).max())
    if 1e-3 < off < 0.1 and not is_angular:
        lengths = f"{norms.min():.4g} to {norms.max():.4g}"
        lines.append(f"the embeddings are nearly, but not quite, of length 1 ({lengths}): --normalize may be missing")
    return lines


def _of_columns(embeddings: np.ndarray, classes: np.ndarray) -> list[str]:
    """Columns that are no coordinate: one that tells the class, or that counts the rows."""
    if embeddings.shape[1] < 2 or len(embeddings) < FEWEST:
        return []
    lines = []
    some = embeddings[:SAMPLE]
    is_whole = some[0] == np.rint(some[0])
    for rows in drawer.blocks(some) if is_whole.any() else ():
        is_whole &= (some[rows] == np.rint(some[rows])).all(axis=0)
    for column in np.flatnonzero(is_whole).tolist():
        values = embeddings[:, column]
        if (np.diff(values) == 1).all():
            lines.append(f"column {column + 1} of the embeddings counts the rows: leave it out")
            continue
        kinds, codes = np.unique(values, return_inverse=True)
        groups = np.unique(codes * (int(classes.max()) + 1) + classes)
        if 1 < len(kinds) < len(values) and len(groups) == len(kinds) == len(np.unique(classes)):
            lines.append(f"column {column + 1} of the embeddings is the label: leave it out")
    return lines


def absent_noise(names: np.ndarray, pairs: Pairing) -> list[str]:
    """That none of the labels is the one that means noise, if that is so."""
    if pairs.noise is None or any(str(name) == pairs.noise for name in names.tolist()):
        return []
    return [f"no row has the label {pairs.noise} that means noise"]


def _of_classes(names: np.ndarray, classes: np.ndarray, pairs: Pairing) -> list[str]:
    lines = []
    size = np.bincount(classes, minlength=len(names))
    if pairs.noise is None and names.dtype.kind == "i" and len(names) > 2 and names[0] == -1:
        lines.append(f"label -1 is a class of {size[0]} rows: if it means noise, add --noise-label -1")
    lines += absent_noise(names, pairs)
    largest = int(size.argmax())
    share = float(size[largest] / size.sum())
    if len(names) > 1 and share > (MOST if len(names) > 2 else NEARLY_ALL):
        lines.append(f"class {names[largest]} has {share:.0%} of the rows: most pairs are of it")
    alone = int((size == 1).sum())
    if pairs.reference is None and not pairs.sharing and alone > MOST * size.sum():
        lines.append(f"{alone} of {size.sum()} rows are alone in their class, and no anchors")
    return lines


def _spread(x: np.ndarray, mean_norm: float) -> float:
    """How far (N, D) rows lie from their centre, root mean square, in parts of their mean length."""
    centre = drawer.mean(x)
    squares = []
    for rows in drawer.blocks(x):
        centred = x[rows] - centre
        squares.append(row_dots(centred, centred))
    return math.sqrt(float(np.concatenate(squares).mean())) / mean_norm if mean_norm else 0.0


def _mixed_groups(group: np.ndarray, codes: np.ndarray) -> int:
    """How many rows are in a group with more than one label."""
    if (group == np.arange(len(group))).all():
        return 0
    low, high = np.full(len(group), np.iinfo(np.int64).max), np.full(len(group), -1)
    np.minimum.at(low, group, codes)
    np.maximum.at(high, group, codes)
    return int((low[group] != high[group]).sum())
