"""How the inputs of a call are read: what is the same for every loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..files.dialect import PLAIN, Dialect
from ..language.registry import Spec
from ..language.roles import Form
from ..rows.shapes import Treatment

Given = Any  # the text of a source (PATH::SELECTOR), a numpy array or a torch tensor


@dataclass(frozen=True)
class Reading(Treatment):
    """How the inputs are read: what is the same for every loss.

    classes: what the columns of predictions are, in order;  positive: the label that counts as 1; of a set, "any"
        or "all": which of their labels rows have to share
    multi_label, multi_class: what columns of labels are, where it is not told by looking
    class_axis: which axis holds the classes;  shift: each step of a sequence predicts the label of the next
    frame_axis: which of the first two axes holds frames;  frame_lengths, symbol_lengths: sources of the length of each
        sequence
    train: a source of training values, for their naive error;  season: how many steps back that looks
    dialect: what a person says about the files;  told: what of it was set by hand, each as it was written
    index: triplets as rows of the embeddings, a source of (m, 3) whole numbers; distances: a source of pair distances
    lone: what is done with anchors that are alone in their class: drop, zero or self
    metric, normalize: the distance of an embedding set, and whether its points are put on the unit sphere first
    ref, ref_label: sources of the set that positives and negatives come from (None: the set itself)
    exclude_same, ref_exclude_same: sources of columns; rows that agree in all of them are no pair
    coarse_label, ref_coarse_label: sources of a coarse class of each row;  coarse_negatives: only those of the anchor's
        coarse class, "near", or only those of others, "far" (None: all)
    noise_label: the label that is no class;  noise: "out" to leave its rows out, "negatives" to keep them as such
    device: where the distances of an embedding set are computed, as torch names it
    memory: bytes that it may take, None for what is free
    """

    classes: tuple[str, ...] = ()
    positive: str | None = None
    multi_label: bool = False
    multi_class: bool = False
    class_axis: int | None = None
    shift: bool = False
    frame_axis: int | None = None
    frame_lengths: Given | None = None
    symbol_lengths: Given | None = None
    train: Given | None = None
    season: int = 1
    dialect: Dialect = PLAIN
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
    coarse_label: Given | None = None
    ref_coarse_label: Given | None = None
    coarse_negatives: str | None = None
    noise_label: str | None = None
    noise: str = "out"
    device: str = "cpu"
    memory: int | None = None


class Side(NamedTuple):
    """The columns that ride along: sources of an identifier, a group, a cluster, a seed, a coarse label, one of each at
    most.

    bins: the group is a column of numbers, cut into this many bins of equal width
    """

    id: Given | None = None
    group: Given | None = None
    cluster: Given | None = None
    bins: int | None = None
    seed: Given | None = None
    coarse: Given | None = None


class Request(NamedTuple):
    """One loss of a shared reading: its spec, and where its inputs are if not where those of the first loss are."""

    spec: Spec
    forms: Mapping[str, Form]
    inputs: Sequence[Given] | None = None
    named: Mapping[str, Given] | None = None
    reduction: str | None = None
    weight: Given | None = None
    side: Side = Side()
