"""What was computed: frozen, and complete enough that a number never travels without its meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """One loss of one input.

    loss: its name; params: all its options, defaults included
    reduction: "mean", "sum" or "positives"
    value: the number, nan where the data gives none
    n: how many rows count
    sources: what each role was read from, role -> text
    signature: every choice that changes the number
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
    counts: tuple[tuple[str, int], ...] = ()

    @property
    def status(self) -> str:
        """ "ok", or "inf" or "nan" where the value is no number that JSON can hold."""
        return "ok" if math.isfinite(self.value) else "nan" if math.isnan(self.value) else "inf"

    def __float__(self) -> float:
        return self.value

    def as_json(self) -> dict[str, Any]:
        """The result in the schema lossctl/1; an infinite or missing value is null, with its text beside it."""
        finite = self.status == "ok"
        return {
            "loss": self.loss,
            "params": dict(self.params),
            "reduction": self.reduction,
            "source": dict(self.sources),
            "group": self.group,
            "value": self.value if finite else None,
            "value_text": repr(self.value),
            "n": self.n,
            **({"counts": dict(self.counts)} if self.counts else {}),
            "ci": None,
            "status": self.status,
            "gate": None,
            "signature": self.signature,
        }
