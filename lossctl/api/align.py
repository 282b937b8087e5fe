"""Files joined by an identifier: every source brought into the order of the first, or an error with counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files.binding import Desk
from ..files.classes import as_names
from ..files.embeddings import vectors_by_key
from ..files.opening import label_of
from ..files.sources import Field, blocks, parse_source
from ..language.roles import ROLES, WEIGHT, Role
from ..rows import groups
from ..text import shown
from .bound import column_of, read_all, rider
from .label_column import is_text
from .reading import Given

if TYPE_CHECKING:
    from .question import Question


WHOLE = "a row without an identifier matches no other"
NAMED = "give every row one, or leave such rows out of all files"


def ids_of(desk: Desk, source: Given, column: str) -> np.ndarray:
    """The identifiers of a source, (n,) text. DataError where one is there twice."""
    frame, _ = desk.frame(source, "input")
    if column not in frame.names and (vectors := vectors_by_key(frame)) is not None:
        frame = vectors.frame
    if not frame.names:
        raise UsageError(
            f"{label_of(frame.path)} has no column {column!r}: its columns have no names",
            why="rows are matched by a column of ids in every file",
            fix="leave --align out if the rows stand in one order; if not, save the ids beside them, as NPZ or CSV",
        )
    field = frame.select(column)
    try:
        parts = [block.load()[0].reshape(-1) for block in blocks([field], ["category"], 1 << 16)]
    except DataError as fault:
        fault.why, fault.fix, fault.is_placed = WHOLE, NAMED, True
        raise
    if any((as_names(part) == "").any() for part in parts):
        raise DataError(f"{label_of(frame.path)}: {field.name}: a row has no identifier", why=WHOLE, fix=NAMED)
    ids = np.concatenate([groups.as_text(part) for part in parts]) if parts else np.zeros(0, dtype=str)
    kinds, counts = np.unique(ids, return_counts=True)
    if len(kinds) < len(ids):
        twice = kinds[counts > 1]
        raise DataError(
            f"{label_of(frame.path)}: {field.name}: {len(twice)} identifiers stand there more than once "
            f"(first: {shown(str(twice[0]))})",
            fix="choose a column that names each row once; if there is none, write the files in one order, and leave "
            "--align out",
        )
    return ids


class Order(NamedTuple):
    """The order of the base's identifiers, and how other sources are brought into it."""

    desk: Desk
    column: str
    ids: np.ndarray
    name: str

    def rows_of(self, source: Given, role: Role) -> Given:
        """The columns of a role in a source, in the base's order."""
        if source is None:
            return None
        mine = ids_of(self.desk, source, self.column)
        self._refuse_unequal(source, mine)
        place, sorted_ids = np.argsort(mine), np.sort(mine)
        return self._values(self.desk.field(source, role), role)[place[np.searchsorted(sorted_ids, self.ids)]]

    def _values(self, field: Field, role: Role) -> np.ndarray:
        if role.kind == "number" and not (role.truth and is_text(field)):
            values = read_all(field)
            return values.reshape(-1) if field.width == 1 and field.ndim == 1 else values
        parts = [as_names(block.load()[0].reshape(-1)) for block in blocks([field], ["category"], 1 << 16)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=str)

    def _refuse_unequal(self, source: Given, mine: np.ndarray) -> None:
        missing, extra = np.setdiff1d(self.ids, mine), np.setdiff1d(mine, self.ids)
        if len(missing) or len(extra):
            frame, _ = self.desk.frame(source, "input")
            first = shown(str((missing if len(missing) else extra)[0]))
            raise DataError(
                f"unequal ids: {label_of(frame.path)} lacks {len(missing)} of the {len(self.ids)} of "
                f"{shown(self.name)} and has {len(extra)} others (first: {first})",
                why="a comparison over the rows that happen to be in both would be another comparison",
                fix="make the files hold the same rows, in any order",
            )


def aligned(asked: Question) -> tuple[Question, dict[str, str]]:
    """The same question with every source in the order of its first, and where the moved inputs came from, by option.

    What stands in the first file is in order already and stays as it is.  UsageError where a source has no names of
    columns; DataError for unequal ids.
    """
    column, roles = asked.align or "", asked.specs[0].loss.roles
    free = [role for role in roles if role.name not in asked.named and role.option not in asked.named]
    by_role = {role.name: source for role, source in zip(free, asked.inputs, strict=False)}
    by_role |= {
        role.name: asked.named.get(role.name, asked.named.get(role.option)) for role in roles if role not in free
    }
    if len(asked.inputs) not in (1, len(free)) or not by_role:
        return asked, {}  # a wrong number of sources is an error of its own
    first = next(by_role[role.name] for role in roles if role.name in by_role)
    desk = Desk(asked.reading.dialect)
    places: dict[str, str] = {}

    def moved(source: Given, role: Role) -> Given:
        if source is None or source is first or _is_of(source, first):
            return source
        values = order.rows_of(source, role)
        frame, selector = desk.frame(source, role.option)
        places[role.option] = (
            f"{frame.path}: {frame.select(selector).name if selector else desk.field(source, role).name}"
        )
        return values

    with desk:
        for source in (*by_role.values(), asked.weight, *asked.side[:3]):
            if source is not None and not isinstance(source, str):
                raise UsageError("--align with an array", why="an array has no column of ids", fix="give files")
        order = Order(desk, column, ids_of(desk, first, column), parse_source(first).path)
        values = {name: moved(source, ROLES[name]) for name, source in by_role.items()}
        riders = {}
        for name in ("id", "group", "cluster"):
            is_number = name == "group" and bool(asked.side.bins)
            riders[name] = moved(getattr(asked.side, name), rider(name, is_number))
        weight = moved(asked.weight, WEIGHT)
        desk.refuse_idle(asked.reading.told)
    inputs = tuple(values.get(role.name) for role in free[: len(asked.inputs)])
    named = {role.name: values[role.name] for role in roles if role not in free}
    side, reading = asked.side._replace(**riders), replace(asked.reading, told=())
    return asked._replace(inputs=inputs, named=named, weight=weight, side=side, reading=reading), places


def _is_of(source: str, first: str) -> bool:
    """Whether a source is in the first file: by its path, or as the bare name of a column."""
    return parse_source(str(column_of(source, first))).path == parse_source(first).path
