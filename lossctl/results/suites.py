"""What a suite came to: its entries, each with its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .comparisons import Comparison
from .notebook import Record, Tabled
from .values import Result


@dataclass(frozen=True)
class Outcome:
    """One entry of a suite, done.

    kind: "losses" or "comparisons";  status: "passed", "failed" (a gate does not hold) or "error"
    reasons: what failed, or the error in its parts;  error: the kind of error, "" where there is none
    """

    name: str
    kind: str
    status: str
    results: tuple[Result, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    reasons: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The entry without its numbers, which stand in the lists of the document."""
        return {
            "name": self.name,
            "kind": self.kind,
            "status": self.status,
            "reasons": list(self.reasons),
            "seconds": round(self.seconds, 6),
        }


@dataclass(frozen=True, repr=False)
class SuiteReport(Tabled):
    """A suite, done: its title, the file it came from, and its entries in order."""

    title: str
    path: str
    outcomes: tuple[Outcome, ...]

    def __repr__(self) -> str:
        counts = [f"{self.count(status)} {status}" for status in ("passed", "failed", "error") if self.count(status)]
        return f"<{self.title}: {len(self.outcomes)} entries, {', '.join(counts)}>"

    def records(self) -> list[Record]:
        """A row for each value, and for each entry that ended in an error."""
        records: list[Record] = []
        for outcome in self.outcomes:
            lead: Record = {"entry": outcome.name, "entry_status": outcome.status}
            for value in (*outcome.results, *outcome.comparisons):
                records += [lead | record for record in value.records()]
            if outcome.error:
                records.append({**lead, "error": outcome.reasons[0]})
        names = dict.fromkeys(name for record in records for name in record)
        return [{name: record.get(name) for name in names} for record in records]

    def count(self, status: str) -> int:
        """How many entries have a status."""
        return sum(outcome.status == status for outcome in self.outcomes)
