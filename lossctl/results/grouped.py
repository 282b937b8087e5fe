"""The results of a loss by group, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .notebook import Number, Record, Tabled
from .values import Result


@dataclass(frozen=True, repr=False)
class Grouped(Number, Tabled):
    """The results of a loss by group, as `lossctl compute -g` prints them.

    overall: of all rows;  macro: the mean of the groups, None where rows are added up;  groups: name -> its result
    """

    overall: Result
    macro: Result | None
    groups: Mapping[str, Result]

    @property
    def value(self) -> float:
        """The value of all rows."""
        return self.overall.value

    def __getitem__(self, group: str) -> Result:
        return self.groups[group]

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        macro = f", mean of groups {self.macro.value:.6g}" if self.macro else ""
        return f"<{self.overall.loss} {self.value!r}{macro}, {len(self.groups)} groups>"

    def records(self) -> list[Record]:
        """A row for all rows, for the mean of the groups, and for each group."""
        parts = [self.overall, *([self.macro] if self.macro else []), *self.groups.values()]
        return [record for part in parts for record in part.records()]

    def to_dict(self) -> dict[str, Any]:
        """The parts as JSON holds them."""
        macro = self.macro.to_dict() if self.macro else None
        groups = {name: result.to_dict() for name, result in self.groups.items()}
        return {"overall": self.overall.to_dict(), "macro": macro, "groups": groups}
