"""Who pairs with whom: the order of a set in which an anchor's positives are a slice, or the masks where they are none.

Points of one class are positives of each other, of different classes negatives. A second set, a class that is noise,
rows with several classes and rows that must not meet change that, and only here.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..rows.job import KEY_MARK, Pairing

SEVERAL = re.compile(r"\s*[;|,]\s*")  # between the classes of one row
BLOCK = 1 << 22  # pairs looked at in one pass
LARGE = 1 << 5  # a class of more than one in so many candidates is kept as a mask, any other as a list
CROWD = 1 << 12  # labels among so many whole numbers, or no more than there are labels, are counted, not sorted


class LabelledSet(NamedTuple):
    """The labels of one set, as they are read, and which of its rows stand here.

    labels: (N,);  weights: (N,) how many equal points each stands for, or None
    """

    labels: np.ndarray
    weights: np.ndarray | None = None


class Memberships(NamedTuple):
    """The classes of M rows, of which each may have several, and the candidates of each of L classes.

    classes, ends: row i is of classes[ends[i] : ends[i + 1]]
    cells: class times N plus candidate, ascending;  places: (L,) that of a large class in `masks`, or -1
    masks: (W, N) which candidates are of a large class;  columns: N, how many candidates there are
    """

    classes: np.ndarray
    ends: np.ndarray
    cells: np.ndarray
    places: np.ndarray
    masks: np.ndarray
    columns: int

    def shared(self, anchors: np.ndarray, columns: slice) -> np.ndarray:
        """(B, n) which candidates have a class of the row."""
        begin, end, _ = columns.indices(self.columns)
        result = np.zeros((len(anchors), end - begin), bool)
        row, at = spread(self.ends[anchors], self.ends[anchors + 1])
        of = self.classes[at]
        places = self.places[of]
        for line, mask in zip(row[places >= 0].tolist(), places[places >= 0].tolist(), strict=True):
            result[line] |= self.masks[mask, begin:end]
        row, of = row[places < 0], of[places < 0] * self.columns
        which, at = spread(*(self.cells.searchsorted(of + side) for side in (begin, end)))
        result.ravel()[row[which] * (end - begin) + self.cells[at] - of[which] - begin] = True
        return result


def spread(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole numbers of M ranges, one range after the other, and which range each is of."""
    counts = stops - starts
    of = np.repeat(np.arange(len(counts)), counts)
    return of, np.arange(len(of)) + (starts - (np.cumsum(counts) - counts))[of]


class Relations(NamedTuple):
    """The anchors start..stop. positives, exists: (B, K) as `points.own_class`;  is_out: (B, N) which candidates are no
    negatives"""

    start: int
    stop: int
    positives: np.ndarray
    exists: np.ndarray
    is_out: np.ndarray


@dataclass(frozen=True, eq=False)
class Masks:
    """Positives and negatives that are no slices, for M positions: candidates, then anchors of another set if any.

    codes: (M,) the class, each of its own where it is noise;  members: the classes of a row that has several, or None
    keys: (M,) equal for rows that must not meet, or None
    coarse: (M,) the coarse class, where negatives are of the anchor's only, or of others only, or None
    is_near: whether they are of the anchor's
    columns: how many are candidates;  begin: the first anchor's position; 0 where anchors are candidates
    positives, negatives: (M,) how many candidates are such for each position
    """

    codes: np.ndarray
    members: Memberships | None
    keys: np.ndarray | None
    coarse: np.ndarray | None
    is_near: bool
    columns: int
    begin: int
    positives: np.ndarray
    negatives: np.ndarray
    _last: threading.local = field(default_factory=threading.local)

    def relations(self, anchors: slice | np.ndarray, columns: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """(B, n) which candidates are positives, and which negatives, of some positions."""
        here, there = np.arange(len(self.codes))[anchors], np.arange(self.columns)[columns]
        if self.members is None:
            positives = self.codes[here, None] == self.codes[there]
        else:
            positives = self.members.shared(here, columns)
        negatives = ~positives
        if self.keys is not None:
            is_pair = self.keys[here, None] != self.keys[there]
            positives &= is_pair
            negatives &= is_pair
        if not self.begin and len(there):
            row = np.flatnonzero((here >= there[0]) & (here <= there[-1]))
            positives[row, here[row] - there[0]] = negatives[row, here[row] - there[0]] = False
        if self.coarse is not None:
            negatives &= (self.coarse[here, None] == self.coarse[there]) == self.is_near
        return positives, negatives

    def block(self, start: int, stop: int) -> Relations:
        """Some anchors with what they pair with; the last that a thread has asked for is kept, for parts of it too."""
        last: Relations | None = getattr(self._last, "block", None)
        if last is None or start < last.start or stop > last.stop:
            positives, negatives = self.relations(slice(start, stop))
            sizes = self.positives[start:stop]
            exists = np.arange(int(sizes.max(initial=0))) < sizes[:, None]
            index = np.zeros(exists.shape, np.int64)
            at = np.flatnonzero(positives)
            index[exists] = at - np.repeat(np.arange(len(sizes)) * self.columns, sizes)
            last = self._last.block = Relations(start, stop, index, exists, np.logical_not(negatives, out=negatives))
        part = slice(start - last.start, stop - last.start)
        width = int(self.positives[start:stop].max(initial=0))
        return Relations(start, stop, last.positives[part, :width], last.exists[part, :width], last.is_out[part])


class Arrangement(NamedTuple):
    """A set in the order of its points: the candidates, then the anchors where these are of another set.

    order: (N,) rows of the candidates;  anchor_order: (Q,) rows of the anchors' set, or None
    classes: (M,) index into `names`;  first, last: (M,) candidates first <= position < last are of the class
    anchors: how many have a positive and a negative;  everyone: how many would be anchors if they had
    out: how many of these have no positive, and how many of the others no negative
    """

    order: np.ndarray
    anchor_order: np.ndarray | None
    classes: np.ndarray
    names: np.ndarray
    first: np.ndarray
    last: np.ndarray
    anchors: int
    everyone: int
    out: tuple[int, int]
    masks: Masks | None


class Marks(NamedTuple):
    """Labels taken apart. names: of the classes;  classes: (N,);  groups: (N,) what is compared;  several: (N,) the
    classes of each row, as text, or None;  keys, coarse: (N,) or None;  is_noise: (N,)"""

    classes: np.ndarray
    names: np.ndarray
    groups: np.ndarray
    several: list[tuple[str, ...]] | None
    keys: np.ndarray | None
    coarse: np.ndarray | None
    is_noise: np.ndarray


def marks_of(labels: np.ndarray, pairs: Pairing) -> Marks:
    """Labels taken apart, as they pair."""
    keys = coarse = None
    if pairs.negatives:
        parts = [str(label).rsplit(KEY_MARK, 1) for label in labels.tolist()]
        labels = _plain([part[0] for part in parts])
        _, coarse = np.unique([part[1] for part in parts], return_inverse=True)
    if pairs.has_keys:
        parts = [str(label).split(KEY_MARK, 1) for label in labels.tolist()]
        labels = _plain([part[0] for part in parts])
        _, keys = np.unique([part[1] for part in parts], return_inverse=True)
    several = None
    if pairs.sharing:
        several = [_classes_in(str(label)) for label in labels.tolist()]
        labels = np.array(["+".join(classes) for classes in several])
    names, classes = coded(labels)
    is_noise = np.zeros(len(labels), bool)
    if pairs.noise is not None:
        is_noise = np.array([str(name) == pairs.noise for name in names.tolist()], bool)[classes]
    if several is not None:  # a row without a class is of none
        is_noise |= np.array([not row for row in several], bool)
    groups = classes.astype(np.int64)
    if is_noise.any():
        groups = np.where(is_noise, len(names) + np.arange(len(labels)), groups)
    return Marks(classes, names, groups, several if pairs.sharing == "any" else None, keys, coarse, is_noise)


def coded(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different labels in order, and which of them each is, (N,); whole numbers near each other are not sorted."""
    if labels.dtype == np.int64 and labels.size:
        low = int(labels.min())
        if int(labels.max()) - low < max(CROWD, labels.size):
            places = labels - low
            is_there = np.bincount(places) > 0
            return np.flatnonzero(is_there) + low, (np.cumsum(is_there) - 1)[places]
    names, codes = np.unique(labels, return_inverse=True)
    return names, codes.reshape(-1)


def _classes_in(text: str) -> tuple[str, ...]:
    """The classes of one cell, in order, each once."""
    return tuple(sorted({part for part in SEVERAL.split(text.strip()) if part}))


def _plain(labels: Sequence[str]) -> np.ndarray:
    """Whole numbers where all of them are written as such, else text."""
    if all(label.lstrip("-").isdigit() and label == str(int(label)) for label in labels):
        try:
            return np.array([int(label) for label in labels], np.int64)
        except OverflowError:
            pass
    return np.array(labels)


def kept_rows(labels: np.ndarray, pairs: Pairing) -> np.ndarray | None:
    """(n,) the rows that stay where noise is left out; None for all."""
    if pairs.noise is None or pairs.noise_stays:
        return None
    is_noise = np.array([str(label).split(KEY_MARK, 1)[0] == pairs.noise for label in labels.tolist()], bool)
    return np.flatnonzero(~is_noise) if is_noise.any() else None


def layout(own: LabelledSet, pairs: Pairing, reference: LabelledSet | None = None) -> Arrangement:
    """The order of a set, or of the candidates `reference` and the anchors `own`."""
    sides = [own] if reference is None else [reference, own]
    labels = together([side.labels for side in sides])
    marks = marks_of(labels, pairs)
    n = len(sides[0].labels)
    if not pairs.is_by_class:
        return _by_masks(marks, n, is_one=reference is None, is_near=pairs.negatives == "near")
    codes = coded(marks.groups)[1] if marks.is_noise.any() else marks.groups
    groups = int(codes.max(initial=-1)) + 1
    weights = sides[0].weights
    size = np.bincount(codes[:n], minlength=groups)
    members = size if weights is None else np.bincount(codes[:n], weights, minlength=groups).astype(np.int64)
    at_least = 2 if reference is None else 1
    has_other = members.sum() > members
    usable = (members >= at_least) & has_other
    usable[codes[marks.is_noise]] = False
    place = np.empty(groups, dtype=np.int64)
    place[np.lexsort((np.arange(groups), -size, ~usable))] = np.arange(groups)
    order = np.argsort(place[codes[:n]], kind="stable")
    starts = np.zeros(groups, np.int64)
    starts[np.argsort(place)] = np.concatenate([[0], np.cumsum(size[np.argsort(place)])[:-1]]) if groups else 0
    at, anchor_order = order, None
    if reference is not None:
        anchor_order = np.argsort(np.where(marks.is_noise[n:], groups, place[codes[n:]]), kind="stable")
        at = np.concatenate([order, anchor_order + n])
    first = starts[codes[at]]
    last = first + size[codes[at]]
    mine = slice(0, n) if reference is None else slice(n, None)
    counts = np.ones(len(codes[mine]), np.int64) if own.weights is None else own.weights
    is_anchor = ~marks.is_noise[mine]
    lonely = (members[codes[mine]] < at_least) | ~is_anchor
    strangers = ~lonely & ~has_other[codes[mine]]
    return Arrangement(
        order=order,
        anchor_order=anchor_order,
        classes=marks.classes[at],
        names=marks.names,
        first=first,
        last=last,
        anchors=int((usable[codes[mine]] & is_anchor).sum()),
        everyone=int(is_anchor.sum()),
        out=(int(counts[lonely].sum()), int(counts[strangers].sum())),
        masks=None,
    )


def together(parts: list[np.ndarray]) -> np.ndarray:
    """Labels of two sets as one array; text where any of them is text."""
    if len({part.dtype.kind in "iub" for part in parts}) == 1:
        return np.concatenate(parts)
    return np.concatenate([part.astype(str) for part in parts])


def _by_masks(marks: Marks, n: int, is_one: bool, is_near: bool) -> Arrangement:
    begin = 0 if is_one else n
    count = len(marks.groups)
    cells = None if marks.several is None else _cells(marks.several)
    members = None if cells is None else _memberships(*cells, count, n)
    empty = np.zeros(count, np.int64)
    masks = Masks(marks.groups, members, marks.keys, marks.coarse, is_near, n, begin, empty, empty)
    positives, negatives = _counts(masks, count)
    is_anchor = ~marks.is_noise
    usable = is_anchor & (positives > 0) & (negatives > 0)
    size = np.bincount(marks.classes, minlength=len(marks.names))
    keys = (np.arange(count), marks.classes, -size[marks.classes], ~usable, ~is_anchor)
    if is_one:
        at = np.lexsort(keys)
        order, anchor_order = at, None
    else:
        order = np.arange(n)
        anchor_order = np.lexsort(tuple(key[n:] for key in keys))
        at = np.concatenate([order, anchor_order + n])
    mine = slice(begin, None)
    lonely, strangers = positives[mine] == 0, (positives[mine] > 0) & (negatives[mine] == 0)
    lonely, strangers = lonely | ~is_anchor[mine], strangers & is_anchor[mine]
    masks = Masks(
        marks.groups[at],
        None if cells is None else _memberships(np.argsort(at)[cells[0]], cells[1], count, n),
        None if marks.keys is None else marks.keys[at],
        None if marks.coarse is None else marks.coarse[at],
        is_near,
        n,
        begin,
        positives[at],
        negatives[at],
    )
    slices = np.zeros(count, np.int64)
    return Arrangement(
        order=order,
        anchor_order=anchor_order,
        classes=marks.classes[at],
        names=marks.names,
        first=slices,
        last=slices,
        anchors=int(usable[mine].sum()),
        everyone=int(is_anchor[mine].sum()),
        out=(int(lonely.sum()), int(strangers.sum())),
        masks=masks,
    )


def _cells(several: list[tuple[str, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are of which classes, by number, row by row."""
    names = {name: place for place, name in enumerate(sorted({name for row in several for name in row}))}
    rows = np.repeat(np.arange(len(several)), [len(row) for row in several])
    return rows, np.array([names[name] for row in several for name in row], np.int64)


def _memberships(rows: np.ndarray, classes: np.ndarray, count: int, columns: int) -> Memberships:
    """Of so many rows, of which the first are the candidates."""
    order = np.argsort(rows, kind="stable")
    is_here = rows < columns
    cells = np.sort(classes[is_here] * columns + rows[is_here])
    sizes = np.bincount(classes[is_here], minlength=int(classes.max(initial=-1)) + 1)
    large = np.flatnonzero(sizes * LARGE > columns)
    places = np.full(len(sizes), -1)
    places[large] = np.arange(len(large))
    masks = np.zeros((len(large), columns), bool)
    of, row = np.divmod(cells, max(1, columns))
    masks[places[of[places[of] >= 0]], row[places[of] >= 0]] = True
    ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
    return Memberships(classes[order], ends, cells, places, masks, columns)


def _counts(masks: Masks, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(M,) how many positives and negatives each position has."""
    positives, negatives = np.zeros((2, count), np.int64)
    step = max(1, BLOCK // max(1, masks.columns))
    for start in range(masks.begin, count, step):
        part = slice(start, min(start + step, count))
        is_positive, is_negative = masks.relations(part)
        positives[part], negatives[part] = is_positive.sum(axis=1), is_negative.sum(axis=1)
    return positives, negatives
