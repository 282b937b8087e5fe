"""What a comparison of two systems says: frozen, with its interval and its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from .notebook import Record, Tabled
from .values import Interval, finite


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

    def to_dict(self) -> dict[str, Any]:
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
            "ci": self.ci.to_dict(),
            "test": self.test,
            "p": finite(self.p),
            "p_adjusted": finite(self.p_adjusted),
            "holm": self.holm,
            "rows": {"better": self.better, "equal": self.equal, "worse": self.worse},
            "verdict": self.verdict,
            **({"harm": self.harm.to_dict()} if self.harm else {}),
            **({"beside": {name: finite(value) for name, value in self.beside}} if self.beside else {}),
            "signature": self.signature,
        }
