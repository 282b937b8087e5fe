"""The classes of a column of labels, and the columns whose names carry them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from .frames import Field
from .reading import blocks

BLOCK = 1 << 14
MOST = 10_000  # a column with more is no column of classes


def first_values(field: Field, kind: str) -> np.ndarray[Any, Any]:
    """The first rows of a column as "number" or as "category". DataError for cells that are not of the kind."""
    return next((block.load()[0] for block in blocks([field], [kind], BLOCK)), np.zeros(0))


def as_names(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Categories as text, of the same shape; a missing one is ''."""
    if labels.dtype.kind != "O":
        return labels.astype(str)
    missing = np.array([item is None for item in labels.ravel().tolist()]).reshape(labels.shape)
    names: np.ndarray[Any, Any] = np.where(missing, "", labels).astype(str)
    return names


def names_in(field: Field) -> tuple[str, ...]:
    """The distinct labels of all rows as text: whole numbers by size, then texts in order. Reads the column once."""
    names: set[str] = set()
    for block in blocks([field], ["category"], BLOCK):
        names.update(np.unique(as_names(block.load()[0])).tolist())
        if len(names) > MOST:
            break
    return tuple(sorted(names - {""}, key=_place))


def numbers_in(field: Field, most: int = 32) -> np.ndarray[Any, Any] | None:
    """The distinct numbers of all rows, sorted, without nan; None where there are more than `most`."""
    values = np.zeros(0)
    for block in blocks([field], ["number"], BLOCK):
        part = np.unique(block.load()[0])
        values = np.union1d(values, part[~np.isnan(part)])
        if len(values) > most:
            return None
    return values


def _place(name: str) -> tuple[bool, int, str]:
    is_whole = name.lstrip("-").isdecimal()
    return (not is_whole, int(name) if is_whole else 0, name)


def column_classes(columns: Sequence[str], classes: Collection[str]) -> tuple[str, ...] | None:
    """The class of each column where all names are a class within one frame: ham, p_ham, Probability:Class=ham.

    classes: what must be among them
    """
    for before, after in _frames(columns, classes):
        if all(name.startswith(before) and name.endswith(after) for name in columns):
            inner = tuple(name[len(before) : len(name) - len(after)] for name in columns)
            if set(classes) <= set(inner):
                return inner
    return None


def columns_of_classes(columns: Sequence[str], classes: Collection[str]) -> tuple[str, ...]:
    """The columns whose names carry the classes, in their order; () where none do, or two sets of columns might."""
    frames = _frames(columns, classes)
    if len(frames) != 1 or len(classes) < 2:
        return ()
    ((before, after),) = frames
    if not before and not after:
        return tuple(name for name in columns if name in classes)
    return tuple(name for name in columns if name.startswith(before) and name.endswith(after))


def _frames(columns: Sequence[str], classes: Collection[str]) -> list[tuple[str, str]]:
    """What stands before and after the class in the names, such that every class has a column."""
    if not classes:
        return []
    first = min(classes)
    names = set(columns)
    frames = [
        (name[:at], name[at + len(first) :])
        for name in columns
        for at in range(len(name) - len(first) + 1)
        if name.startswith(first, at)
    ]
    return [(before, after) for before, after in frames if all(f"{before}{kind}{after}" in names for kind in classes)]
