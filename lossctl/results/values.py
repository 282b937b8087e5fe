"""What was computed: frozen, and complete enough that a number never travels without its meaning."""

from __future__ import annotations

import math
from collections.abc import Mapping
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

    def as_json(self) -> dict[str, Any]:
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

    def as_json(self) -> dict[str, Any]:
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
        """The same as `as_json`."""
        return self.as_json()

    def as_json(self) -> dict[str, Any]:
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
            "ci": self.ci.as_json() if self.ci else None,
            "status": self.status,
            "gate": gates_json(self.gates),
            "signature": self.signature,
        }


def gates_json(gates: tuple[Gate, ...]) -> dict[str, Any] | None:
    """All gates of one value: whether it passed, and each bound."""
    if not gates:
        return None
    return {"passed": all(gate.passed for gate in gates), "bounds": [gate.as_json() for gate in gates]}


class Harm(NamedTuple):
    """Whether another system is shown to be no worse than the base by a margin, and to be as good but for the margin.

    text: the margin as it was asked for;  size: how large it is, in the unit of the value
    p_non_inferior: one-sided, that the other is worse by the margin or more; nan for a signed number
    p_equivalent: that the two differ by the margin or more, in either direction (the larger of two one-sided ones)
    non_inferior_adjusted, equivalent_adjusted: Holm's, over the same comparisons as `p_adjusted`
    verdict: "equivalent", else "non-inferior", else "not shown", where Holm's p is below 1 - level; "unknown" for nan
    """

    text: str
    size: float
    p_non_inferior: float
    p_equivalent: float
    non_inferior_adjusted: float
    equivalent_adjusted: float
    verdict: str

    def as_json(self) -> dict[str, Any]:
        """The margin as JSON holds it."""
        record = self._asdict()
        return {name: finite(value) if isinstance(value, float) else value for name, value in record.items()}


@dataclass(frozen=True, repr=False)
class Comparison(Tabled):
    """Another system against a base, on the same rows.

    difference: the other's value minus the base's;  ci: its interval
    p: two-sided, under the hypothesis that swapping the two systems in a row changes nothing (test "sign-flip"), from
        the resamples ("bootstrap") or from the points left out ("jackknife"); below 1 - level where `ci` leaves 0 out
    p_adjusted: Holm's, over the systems (of all groups, where these are compared) of this loss, or of all losses
    better, equal, worse: rows in which the other's loss is below, at, above the base's; None where rows have none
    verdict: "better" or "worse" where p_adjusted is below 1 - level, else "no difference shown"; "unknown" for nan;
        "different" for a signed number
    group: the group of rows that is compared, None for all rows;  holm: over what it corrects, "loss" or "all"
    failure: why it fails what it is held to, "" where it does not
    harm: what is said of a margin, if one was given
    beside: numbers that were asked for beside the test, by name: effect_d (difference over the standard deviation of
        units), effect_relative (over the base's value), effect_better (share of rows that are better, ties half),
        detectable (the true difference that this many units show with 80 % power), t, t_freedom, t_p, wilcoxon (the
        smaller sum of ranks), wilcoxon_n, wilcoxon_p
    """

    loss: str
    params: tuple[tuple[str, Any], ...]
    reduction: str
    base: str
    other: str
    base_value: float
    other_value: float
    difference: float
    ci: Interval
    test: str
    p: float
    p_adjusted: float
    better: int | None
    equal: int | None
    worse: int | None
    n: int
    verdict: str
    signature: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    group: str | None = None
    holm: str = "loss"
    failure: str = ""
    harm: Harm | None = None
    beside: tuple[tuple[str, float], ...] = ()

    def __repr__(self) -> str:
        ends = f"{self.ci.level:g} interval {self.ci.low:.6g} .. {self.ci.high:.6g}, p {self.p_adjusted:.2g}"
        of = f" of group {self.group!r}" if self.group is not None else ""
        return f"<{self.loss}{of}: {self.other} minus {self.base} is {self.difference!r}, {ends}: {self.verdict}>"

    def __float__(self) -> float:
        return self.difference

    def records(self) -> list[Record]:
        """Its row of a table."""
        return [
            {
                "loss": self.loss, "group": self.group, "base": self.base, "other": self.other,
                "base_value": self.base_value, "other_value": self.other_value, "value": self.difference,
                "low": self.ci.low, "high": self.ci.high, "p": self.p, "p_adjusted": self.p_adjusted, "n": self.n,
                "verdict": self.verdict,
            }
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The same as `as_json`."""
        return self.as_json()

    def as_json(self) -> dict[str, Any]:
        """The comparison in the schema lossctl/1; what is no finite number is null."""
        return {
            "loss": self.loss,
            "params": dict(self.params),
            "reduction": self.reduction,
            "group": self.group,
            "base": {"name": self.base, "value": finite(self.base_value)},
            "other": {"name": self.other, "value": finite(self.other_value)},
            "value": finite(self.difference),
            "value_text": repr(self.difference),
            "n": self.n,
            "ci": self.ci.as_json(),
            "test": self.test,
            "p": finite(self.p),
            "p_adjusted": finite(self.p_adjusted),
            "holm": self.holm,
            "rows": {"better": self.better, "equal": self.equal, "worse": self.worse},
            "verdict": self.verdict,
            **({"harm": self.harm.as_json()} if self.harm else {}),
            **({"beside": {name: finite(value) for name, value in self.beside}} if self.beside else {}),
            "signature": self.signature,
        }


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

    def as_json(self) -> dict[str, Any]:
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
        macro = self.macro.as_json() if self.macro else None
        groups = {name: result.as_json() for name, result in self.groups.items()}
        return {"overall": self.overall.as_json(), "macro": macro, "groups": groups}
