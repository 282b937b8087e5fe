"""What was computed: frozen, and complete enough that a number never travels without its meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from .notebook import Number, Record, Tabled


class Interval(NamedTuple):
    """A confidence interval of a value.

    method: "bca" or "percentile" (resamples), "t" (few rows), "welch" (the mean of small groups), "jackknife" (sets of
        embeddings), "sign-flip" (differences), "seeds" (differences over seeds)
    low, high: nan where there is none, as a warning says; of a difference infinite where so few rows cannot tell
    standard_error: of the value;  resamples: how many resamples, sign patterns, or blocks that are left out
    unit: what varies, "rows", "lists", "points", "clusters" or "seeds"; units: how many of them there are
    """

    level: float
    method: str
    low: float
    high: float
    standard_error: float
    resamples: int
    seed: int
    unit: str
    units: int

    def to_dict(self) -> dict[str, Any]:
        """The interval as JSON holds it."""
        record = self._asdict()
        return {name: finite(value) if isinstance(value, float) else value for name, value in record.items()}


class Gate(NamedTuple):
    """A bound on a value, and whether it holds; nan holds no bound.

    kind: "max", "min", "max-increase", "max-high" or "min-low" (of the interval), "strict" (not like the baseline)
    limit: the bound on the value itself, nan for "strict";  text: the bound as it was asked for
    """

    kind: str
    limit: float
    text: str
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        """The gate as JSON holds it."""
        return {"kind": self.kind, "limit": finite(self.limit), "text": self.text, "passed": self.passed}


def finite(value: float) -> float | None:
    """The value, None where it is no number for JSON."""
    return value if math.isfinite(value) else None


def status_of(value: float) -> str:
    """ "ok", or "inf" or "nan" where the value is no number for JSON."""
    return "ok" if math.isfinite(value) else "nan" if math.isnan(value) else "inf"


@dataclass(frozen=True, repr=False)
class Result(Number, Tabled):
    """One loss of one input.

    loss: its name; params: all its options, defaults included
    reduction: "mean", "sum" or "positives"
    value: the number, nan where the data gives none
    n: how many rows count
    sources: what each role was read from, role -> text
    signature: every choice that changes the number
    group: the group of rows it is of, None for all rows; average: "micro" or "macro" (the mean of the groups' values)
        beside groups;  keep: which of the rows count, "10%" or "100" of the hardest, None for all
    ci, gates: the confidence interval and the bounds, where they were asked for
    counts: what the value is a mean of and what was left out, where rows are not all that counts
    notes: what a person should know of how the input was read; warnings: what looks wrong
    """

    loss: str
    params: tuple[tuple[str, Any], ...]
    reduction: str
    value: float
    n: int
    sources: tuple[tuple[str, str], ...]
    signature: str
    dtype: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    group: str | None = None
    average: str | None = None
    keep: str | None = None
    ci: Interval | None = None
    gates: tuple[Gate, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()

    @property
    def status(self) -> str:
        """ "failed" where a gate does not hold, else "ok", or "inf" or "nan" where the value is no number for JSON."""
        if not all(gate.passed for gate in self.gates):
            return "failed"
        return status_of(self.value)

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        of = f" of group {self.group!r}" if self.group is not None else ", mean of groups" * (self.average == "macro")
        of += f", {self.keep} hardest" if self.keep else ""
        ci = f", {self.ci.level:g} interval {self.ci.low:.6g} .. {self.ci.high:.6g}" if self.ci else ""
        gates = "" if all(gate.passed for gate in self.gates) else ", gate failed"
        return f"<{self.loss} {self.value!r}{of} ({self.reduction}, n={self.n}){ci}{gates}>"

    def records(self) -> list[Record]:
        """Its row of a table, in the words of the JSON."""
        ends = (self.ci.low, self.ci.high) if self.ci else (None, None)
        record = {"loss": self.loss, "reduction": self.reduction, "group": self.group, "average": self.average}
        return [
            {**record, "keep": self.keep, "value": self.value, "low": ends[0], "high": ends[1], "n": self.n,
             "status": self.status, "signature": self.signature}
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The result in the schema lossctl/1; an infinite or missing value is null, with its text beside it."""
        return {
            "loss": self.loss,
            "params": dict(self.params),
            "reduction": self.reduction,
            "source": dict(self.sources),
            "group": self.group,
            **({"average": self.average} if self.average else {}),
            **({"keep": self.keep} if self.keep else {}),
            "value": finite(self.value),
            "value_text": repr(self.value),
            "n": self.n,
            **({"counts": dict(self.counts)} if self.counts else {}),
            "ci": self.ci.to_dict() if self.ci else None,
            "status": self.status,
            "gate": gates_json(self.gates),
            "signature": self.signature,
        }


def gates_json(gates: tuple[Gate, ...]) -> dict[str, Any] | None:
    """All gates of one value: whether it passed, and each bound."""
    if not gates:
        return None
    return {"passed": all(gate.passed for gate in gates), "bounds": [gate.to_dict() for gate in gates]}
