"""What a breakdown of triplets found: frozen, and nothing of ours is needed to read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Categories:
    """How many triplets are easy, semi-hard and hard at one margin; the three add up to all.

    easy: d_an >= d_ap + margin; semi_hard: d_ap < d_an < d_ap + margin; hard: d_an <= d_ap
    hard_ties: those of `hard` with d_an == d_ap; margin_ties: those of `easy` with d_an == d_ap + margin. With margin 0
    both are the same triplets, and they count as hard
    """

    easy: int
    semi_hard: int
    hard: int
    hard_ties: int = 0
    margin_ties: int = 0

    @property
    def triplets(self) -> int:
        return self.easy + self.semi_hard + self.hard

    @property
    def shares(self) -> tuple[float, float, float]:
        """Easy, semi-hard and hard as parts of all; nan where there is no triplet."""
        count = self.triplets
        if not count:
            return (float("nan"),) * 3
        return self.easy / count, self.semi_hard / count, self.hard / count


@dataclass(frozen=True, slots=True)
class ShareInterval:
    """Between which values a share lies at the level asked; nan for both where there is no such interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ShareConfidence:
    """Of which intervals of shares are: their level and method, what varies, how many of these there are.

    unit: "points" speaks for new points, "anchors" for all anchors of the set
    """

    level: float
    method: str
    unit: str
    units: int
    seed: int


@dataclass(frozen=True, slots=True)
class AnchorSample:
    """The anchors that were counted where not all were: so many of all that there are, drawn by a seed."""

    anchors: int
    of: int
    seed: int


@dataclass(frozen=True, slots=True)
class AtMargin:
    """Everything at one margin.

    batch_all_sum: the sum of [d_ap - d_an + margin]+ over all triplets; active: how many of its terms are above zero
    batch_hard: the mean of [max d_ap - min d_an + margin]+ over the anchors; nan where there is none
    undecided: triplets that were counted by rounded distances although these could not tell
    active_anchors: how many anchors have a triplet that costs something
    """

    margin: float
    categories: Categories
    batch_all_sum: float
    active: int
    batch_hard: float
    undecided: int = 0
    intervals: tuple[ShareInterval, ...] = ()
    active_anchors: int = 0

    @property
    def batch_all_mean_active(self) -> float:
        """The batch-all loss over the triplets that cost something; 0 if none does, nan if there is no triplet."""
        if not self.categories.triplets:
            return float("nan")
        return self.batch_all_sum / self.active if self.active else 0.0

    @property
    def batch_all_mean(self) -> float:
        """The batch-all loss over all triplets; nan if there is none."""
        count = self.categories.triplets
        return self.batch_all_sum / count if count else float("nan")


@dataclass(frozen=True, slots=True)
class Anchors:
    """How many points there are, and which of them are no anchors; how many references, where these are another set."""

    points: int
    used: int
    without_positive: int
    without_negative: int
    references: int = 0


@dataclass(frozen=True, slots=True)
class ClassShare:
    """The triplets whose anchor is of one class.

    label: the class, as in the labels; points: its size; categories: one entry a margin
    """

    label: object
    points: int
    categories: tuple[Categories, ...]


@dataclass(frozen=True, slots=True)
class CoarseShare:
    """The triplets whose negative is of the anchor's coarse class, or of another.

    negatives: "same" or "other"; categories: one entry a margin
    """

    negatives: str
    categories: tuple[Categories, ...]


@dataclass(frozen=True, slots=True)
class ClassPair:
    """How many hard triplets have an anchor of one class and a negative of the other; their share of all hard ones."""

    anchor: object
    negative: object
    hard: int
    share: float


@dataclass(frozen=True, slots=True)
class Distances:
    """The distances from anchors to positives, or to negatives: each ordered pair counts once.

    counts: pairs in each bin of the histogram; the first bin holds everything below its upper edge, the last everything
    from its lower edge on
    """

    pairs: int
    smallest: float
    mean: float
    largest: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well the nearest points are of an anchor's class: means over the anchors, nan where there is none.

    R is how many positives an anchor has. A negative that is as near as a positive stands before it.

    precision_at_1: the share of anchors whose nearest point is a positive
    r_precision: of an anchor's R nearest points, the share that are positives
    map_at_r: the sum of the precisions at those of its R nearest points that are positives, divided by R
    """

    precision_at_1: float
    r_precision: float
    map_at_r: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The triplets of a labelled set.

    margins: one entry a margin, in the order asked for
    certified: whether every count is proven; why: the reason if not
    edges: the bins' edges, one more than bins, the same for positives and negatives
    classes: by class of the anchor, in label order, if asked for; coarse: by coarse class of the negative, same and
        other, which add up to all, if coarse labels are there; pairs: the class pairs with the most hard triplets
    retrieval: how well the nearest points are of the anchor's class, from the same ranks
    backend: what counted most of it, "numpy" or for example "triton-cuda"
    sample: the anchors whose triplets these are, where not all were counted: shares and means are estimates then
    ends: the smallest and the largest of the distances to farthest positives and nearest negatives
    """

    metric: str
    normalize: bool
    anchors: Anchors
    margins: tuple[AtMargin, ...]
    certified: bool
    why: str
    edges: tuple[float, ...]
    positives: Distances
    negatives: Distances
    retrieval: Retrieval
    classes: tuple[ClassShare, ...] = ()
    pairs: tuple[ClassPair, ...] = ()
    backend: str = "numpy"
    sample: AnchorSample | None = None
    coarse: tuple[CoarseShare, ...] = ()
    ends: tuple[float, float] = (float("nan"), float("nan"))

    @property
    def undecided(self) -> int:
        """The triplets, over all margins, that were counted by rounded distances although these could not tell."""
        return sum(at.undecided for at in self.margins)


@dataclass(frozen=True, slots=True)
class OverBatches:
    """A quantity over batches: its mean and its standard deviation (n - 1; 0 for one batch)."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class AtMarginInBatches:
    """What training sees at one margin: shares of each batch's triplets, and its losses, over the batches."""

    margin: float
    easy: OverBatches
    semi_hard: OverBatches
    hard: OverBatches
    batch_all_mean_active: OverBatches
    batch_hard: OverBatches


@dataclass(frozen=True, slots=True)
class Batches:
    """PK-sampled batches: `classes` classes and `rows` rows of each, drawn anew for each of `batches` batches.

    eligible: how many classes have that many rows; certified: whether the counts of all batches are proven
    """

    classes: int
    rows: int
    batches: int
    seed: int
    eligible: int
    certified: bool
    margins: tuple[AtMarginInBatches, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Facts that say what is wrong with a set, beside its triplets.

    norm_smallest, norm_mean, norm_largest: the lengths of the embeddings
    spread: the root of the mean squared distance from the centre, as a part of the mean length
    contrast: (mean d_an - mean d_ap) / mean d_an; near 0, classes are no closer than strangers
    duplicates: rows equal to an earlier row; conflicting: rows equal to a row with another label
    is_collapsed: all embeddings alike (spread below rows.facts.NARROW), or all distances within 1e-3 of each other
    is_nearly_unit: lengths within 10 % of 1, yet not 1: normalised data that lost it, or was never asked for it
    is_stuck: the batch-hard loss is within 1 % of the margin, where a collapsed network ends; one entry a margin
    """

    norm_smallest: float
    norm_mean: float
    norm_largest: float
    spread: float
    contrast: float
    duplicates: int
    conflicting: int
    is_collapsed: bool
    is_nearly_unit: bool
    is_stuck: tuple[bool, ...]
