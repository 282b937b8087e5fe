"""Rows that say who they are: columns of identifiers, which two files must agree on where both carry one."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import numpy as np

from ..errors import DataError
from ..language.roles import ID_NAMES, TIME_NAMES
from ..text import quoted, shown
from .classes import as_names, first_values
from .frames import Field, Frame
from .opening import label_of
from .reading import blocks

ENDING = re.compile(r"(?:^|[a-z]_)(?:id|uuid|guid)$")  # patient_id, query_id
FRACTION = re.compile(r"[-+]?\d*\.\d*(?:e[-+]?\d+)?", re.IGNORECASE)
FEW = 100  # names that are looked at to tell whether they are fractions
BLOCK = 1 << 14


def refuse_other_ids(fields: Collection[Field], *, can_align: bool = True) -> None:
    """DataError where the frames of two fields carry the same column of identifiers and disagree in a row.

    A column that is not called as identifiers are counts as one where its values are different in all rows, and one of
    them stands in another row of the other frame. Where identifiers repeat, or there are none, so do further ones and
    times: a value that stands in another row there; and all columns of words and whole numbers that name rows together.

    fields: what is computed with, which is no identifier;  can_align: whether --align would match the rows
    """
    first, *rest = dict.fromkeys(field.frame for field in fields)
    if not rest or not first.names:
        return
    used = {(id(field.frame), column) for field in fields if field.frame.names for column in field.columns}

    def free(frame: Frame) -> dict[str, Field]:
        every = {name: frame.select("=" + name) for name in frame.names}
        return {
            name: field
            for name, field in every.items()
            if field.ndim == 1 and (id(frame), field.columns[0]) not in used
        }

    head = cache(_head)
    mine = free(first)
    for other in rest if mine else ():
        others = free(other)
        theirs = {**{_singular(name): name for name in others}, **{_plain(name): name for name in others}}
        titles = {name: theirs.get(_plain(name), theirs.get(_singular(name))) for name in mine}
        pairs = {name: others[title] for name, title in titles.items() if title is not None}
        ids = [name for name in pairs if _is_called_id(name) and _plain(name) == _plain(titles[name] or "")]
        moved = (name for name in pairs if _are_moved(head(mine[name]), head(pairs[name])))
        name = next(iter(ids), None) or next(moved, None)
        repeats = name is None or _repeats(head(mine[name])) or _repeats(head(pairs[name]))
        times = [title for title in pairs if _plain(title) in TIME_NAMES]
        order = list(dict.fromkeys([*ids, *times, *(_moved_together(head, mine, pairs) if repeats else ())]))
        together = f"sort them by {', '.join(order)}" if repeats and len(order) > 1 else "sort them by their ids"
        if name is not None:
            are_files = "memory" not in (first.format, other.format) and name == titles[name]
            align = _aligned(name) if can_align and are_files and not repeats else ""
            _compare(mine[name], pairs[name], align, together)
        for title in order if repeats else ():
            if title != name and _are_moved(head(mine[title]), head(pairs[title]), are_names=False):
                _compare(mine[title], pairs[title], "", together if len(order) > 1 else f"sort them by {title}")


def _plain(name: str) -> str:
    return name.strip().lower()


def _singular(name: str) -> str:
    return _plain(name).removesuffix("s") or name


def _is_called_id(name: str) -> bool:
    return _plain(name) in ID_NAMES or ENDING.search(_plain(name)) is not None


Names = np.ndarray[Any, Any]  # (n,) texts


def _head(field: Field) -> Names:
    """The first values of a column, none where they cannot be read."""
    try:
        return as_names(first_values(field, "category"))
    except DataError:
        return np.zeros(0, str)


def _repeats(names: Names) -> bool:
    return len(np.unique(names)) < len(names)


def _are_moved(left: Names, right: Names, *, are_names: bool = True) -> bool:
    """Whether one of the first values of two columns stands in another row there.

    are_names: only of columns that have other values in all rows
    """
    length = min(len(left), len(right))
    left, right = left[:length], right[:length]
    if length < 2 or (are_names and any(map(_repeats, (left, right)))):
        return False
    return bool(np.isin(left[left != right], right).any())


def _moved_together(
    head: Callable[[Field], Names], mine: Mapping[str, Field], theirs: Mapping[str, Field]
) -> list[str]:
    """The columns of words and whole numbers that name each of the first rows together, where one stands elsewhere."""
    heads = {title: (head(mine[title]), head(theirs[title])) for title in theirs}
    named = {
        title: pair
        for title, pair in heads.items()
        if all(map(len, pair)) and not any(map(FRACTION.fullmatch, (name for names in pair for name in names[:FEW])))
    }
    length = min((len(names) for pair in named.values() for names in pair), default=0)
    if length < 2 or all((left[:length] == right[:length]).all() for left, right in named.values()):
        return []
    left, right = (
        list(zip(*(pair[side][:length].tolist() for pair in named.values()), strict=True)) for side in (0, 1)
    )
    others = set(right)
    is_moved = any(own != other and own in others for own, other in zip(left, right, strict=True))
    return list(named) if is_moved and len(set(left)) == len(others) == length else []


def _compare(mine: Field, theirs: Field, align: str, together: str) -> None:
    try:
        steps = list(blocks([mine, theirs], ["category", "category"], BLOCK))
    except DataError as fault:
        if "unequal lengths" in fault.what:
            fault.fix = (
                f"to match rows by their ids, make the files hold the same rows and add {align}"
                if align
                else "make the files hold the same rows, in one order: leave out the others, and " + together
            )
        raise
    for block in steps:
        left, right = map(as_names, block.load())
        other = np.flatnonzero(left != right)
        if len(other):
            row = int(other[0])
            raise DataError(
                f"the ids of {label_of(mine.frame.path)} and {label_of(theirs.frame.path)} disagree: "
                f"{mine.frame.where(block.start + row)} has {shown(left[row])}, "
                f"{theirs.frame.where(block.start + row)} has {shown(right[row])}",
                why="rows are matched by their place" + (" unless told otherwise" if align else ""),
                fix=f"match them by their ids: {align}" if align else f"write both in one order: {together}",
            )


def _aligned(name: str) -> str:
    return f"--align {quoted(f'id::{name or chr(61)}')}"
