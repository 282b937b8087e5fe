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
    clip_type: the type that rounds probabilities and those bounds;  clip_log: no log is below -clip_log, 0 for none
    squash: what scores go through first: none, sigmoid, softmax or tanh
    scale: by what every loss is multiplied;  weight_norm: what a weighted mean divides by, "sum" or "n"
    percent: probabilities are percents;  renormalize: rows of them are divided by their sums
    classes: what the columns of predictions are, in order;  positive: the label that counts as 1; of a set, "any"
        or "all": which of their labels rows have to share
    multi_label, multi_class: what columns of labels are, where it is not told by looking
    soft: labels may be anything from 0 to 1
    class_axis: which axis holds the classes;  shift: each step of a sequence predicts the label of the next
    skip_nan: leave out rows with nan, or with NA in a CSV; header: whether a CSV has one (None: told by looking)
    delimiter, decimal, thousands: of a CSV: what separates cells (None: told by looking), the decimal point, and what
        groups digits by three;  dim: the columns of raw float32
    told: which of header, delimiter, decimal, thousands and dim were set by hand, each as it was written
    index: triplets as rows of the embeddings, a source of (m, 3) whole numbers; distances: a source of pair distances
    lone: what is done with anchors that are alone in their class: drop, zero or self
    metric, normalize: the distance of an embedding set, and whether its points are put on the unit sphere first
    ref, ref_label: sources of the set that positives and negatives come from (None: the set itself)
    exclude_same, ref_exclude_same: sources of columns; rows that agree in all of them are no pair
    noise_label: the label that is no class;  noise: "out" to leave its rows out, "negatives" to keep them as such
    device: where the distances of an embedding set are computed, as torch names it
    memory: bytes that it may take, None for what is free
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    clip: float = 0.0
    clip_type: str = "float64"
    clip_log: float = 0.0
    squash: str = "none"
    scale: float = 1.0
    weight_norm: str = "sum"
    percent: bool = False
    renormalize: bool = False
    classes: tuple[str, ...] = ()
    positive: str | None = None
    multi_label: bool = False
    multi_class: bool = False
    soft: bool = False
    class_axis: int | None = None
    shift: bool = False
    skip_nan: bool = False
    header: bool | None = None
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    dim: int | None = None
    told: tuple[tuple[str, str], ...] = ()
    index: Given | None = None
    distances: Given | None = None
    metric: str = "euclidean"
    normalize: bool = False
    lone: str = "drop"
    ref: Given | None = None
    ref_label: Given | None = None
    exclude_same: tuple[Given, ...] = ()
    ref_exclude_same: tuple[Given, ...] = ()
    noise_label: str | None = None
    noise: str = "out"
    device: str = "cpu"
    memory: int | None = None
