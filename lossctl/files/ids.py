"""Rows that say who they are: columns of identifiers, which two files must agree on where both carry one."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..errors import DataError
from ..text import shown
from .classes import as_names
from .frames import Field, Frame
from .opening import label_of
from .reading import blocks

NAMES = (
    "id", "ids", "row_id", "rowid", "index", "idx", "uuid", "guid", "uid", "key", "sample_id", "sampleid", "example_id",
    "item_id", "record_id", "image_id", "doc_id", "user_id", "passengerid", "filename", "file_name", "unnamed: 0", "",
)  # fmt: skip
BLOCK = 1 << 14


def id_column(frame: Frame, name: str | None = None) -> Field | None:
    """The column of a frame that is called as identifiers are; with a name, the one that is called so."""
    for title in frame.names:
        low = title.strip().lower()
        if low in NAMES if name is None else title == name:
            return frame.select("=" + title)
    return None


def refuse_other_ids(frames: Collection[Frame], columns: Collection[Field]) -> None:
    """DataError where two frames carry the same column of identifiers and disagree in a row.

    columns: what is computed with, which is no identifier
    """
    used = {(id(field.frame), column) for field in columns for column in field.columns}
    several = list(dict.fromkeys(frames))
    first = several[0] if several else None
    mine = None if first is None else id_column(first)
    if first is None or mine is None or mine.ndim != 1 or (id(first), mine.columns[0]) in used:
        return
    name = first.names[mine.columns[0]]
    for other in several[1:]:
        theirs = id_column(other, name)
        if theirs is not None and theirs.ndim == 1 and (id(other), theirs.columns[0]) not in used:
            _compare(mine, theirs, name)


def _compare(mine: Field, theirs: Field, name: str) -> None:
    try:
        steps = list(blocks([mine, theirs], ["category", "category"], BLOCK))
    except DataError as fault:
        if "unequal lengths" in fault.what:
            fault.fix = f"to match rows by their ids, make the files hold the same rows and add --align id::{name}"
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
                why="rows are matched by their place unless told otherwise",
                fix=f"match them by their ids: --align id::{name}",
            )
