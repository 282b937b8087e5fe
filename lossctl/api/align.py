"""Files joined by an identifier: every source brought into the order of the first, or an error with counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import DataError
from ..files.sources import Field, blocks
from ..language.roles import Role
from ..rows import groups
from ..text import shown
from . import calculator
from .calculator import Given

if TYPE_CHECKING:
    from ..files.binding import Desk


def ids_of(desk: Desk, given: Given, column: str) -> np.ndarray:
    """The identifiers of a source, (n,) text. DataError where one is there twice."""
    frame, _ = desk.frame(given, "input")
    field = frame.select(column)
    parts = [groups.as_text(block.load()[0]) for block in blocks([field], ["category"], 1 << 16)]
    ids = np.concatenate(parts) if parts else np.zeros(0, dtype=str)
    kinds, counts = np.unique(ids, return_counts=True)
    if len(kinds) < len(ids):
        twice = kinds[counts > 1]
        raise DataError(
            f"{shown(frame.path)}: {field.name}: {len(twice)} identifiers stand there more than once "
            f"(first: {shown(str(twice[0]))})",
            fix="choose a column that names each row once",
        )
    return ids


class Order(NamedTuple):
    """The order of the base's identifiers, and how other sources are brought into it."""

    desk: Desk
    column: str
    ids: np.ndarray
    name: str

    def rows_of(self, given: Given, role: Role) -> Given:
        """The columns of a role in a source, in the base's order."""
        if given is None:
            return None
        mine = ids_of(self.desk, given, self.column)
        self._refuse_unequal(given, mine)
        place, sorted_ids = np.argsort(mine), np.sort(mine)
        return self._values(self.desk.field(given, role), role)[place[np.searchsorted(sorted_ids, self.ids)]]

    def _values(self, field: Field, role: Role) -> np.ndarray:
        if role.kind == "number":
            values = calculator.read_all(field)
            return values.reshape(-1) if field.width == 1 and field.ndim == 1 else values
        parts = [groups.as_text(block.load()[0]) for block in blocks([field], ["category"], 1 << 16)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=str)

    def _refuse_unequal(self, given: Given, mine: np.ndarray) -> None:
        missing, extra = np.setdiff1d(self.ids, mine), np.setdiff1d(mine, self.ids)
        if len(missing) or len(extra):
            frame, _ = self.desk.frame(given, "input")
            first = shown(str((missing if len(missing) else extra)[0]))
            raise DataError(
                f"unequal ids: {shown(frame.path)} lacks {len(missing)} of the {len(self.ids)} of "
                f"{shown(self.name)} and has {len(extra)} others (first: {first})",
                why="a comparison over the rows that happen to be in both would be another comparison",
                fix="make the files hold the same rows, in any order",
            )
