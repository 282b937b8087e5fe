"""How the inputs of a call are read: what is the same for every loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..language.roles import Form

Given = Any  # the text of a source (PATH::SELECTOR), a numpy array or a torch tensor


@dataclass(frozen=True)
class Reading:
    """How the inputs are read: what is the same for every loss.

    forms: role name -> form of its probabilities; clip: into [clip, 1 - clip]
    skip_nan: leave out rows with nan, or with NA in a CSV; header: whether a CSV has one (None: told by looking)
    delimiter, decimal, thousands: of a CSV: what separates cells (None: told by looking), the decimal point, and what
        groups digits by three
    index: triplets as rows of the embeddings, a source of (m, 3) whole numbers; distances: a source of pair distances
    metric, normalize: the distance of an embedding set, and whether its points are put on the unit sphere first
    device: where the distances of an embedding set are computed, as torch names it
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    clip: float = 0.0
    skip_nan: bool = False
    header: bool | None = None
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    index: Given | None = None
    distances: Given | None = None
    metric: str = "euclidean"
    normalize: bool = False
    device: str = "cpu"
