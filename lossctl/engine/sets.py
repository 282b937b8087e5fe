"""Embedding sets: read whole, because each anchor meets everyone; then a panel loss over all anchors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import DataError, UsageError
from . import door, panels

if TYPE_CHECKING:
    import numpy as np

    from ..registry import Spec
    from .rows import Block

Progress = Callable[..., None]


class EmbeddingSet(NamedTuple):
    """Points and their classes, and what was noticed when they were read.

    emb: (N, D) float64; label: (N,) whole numbers or text
    """

    emb: np.ndarray
    label: np.ndarray
    facts: door.Facts


class SetLoss(NamedTuple):
    """The loss of a set, the anchors it is of, and how many of what it is a mean of and what was left out.

    backend: what computed it, "numpy" or for example "triton-cuda"
    """

    value: float
    anchors: int
    counts: tuple[tuple[str, int], ...]
    facts: door.Facts
    backend: str = "numpy"


def read_set(plan: door.Plan, blocks: Iterable[Block]) -> EmbeddingSet:
    """All of the embeddings and labels. DataError for values that cannot be used."""
    import numpy as np

    admitted = [door.admit(plan, block.load(), block.start) for block in blocks]
    if not admitted:
        raise DataError("no rows", fix="check the file")
    emb, label = zip(*(one.inputs for one in admitted), strict=True)
    facts = door.NOTHING
    for one in admitted:
        facts = facts.merge(one.facts)
    return EmbeddingSet(np.concatenate(emb), _joined(label), facts)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Labels of all blocks as one array; text where any of them is text."""
    import numpy as np

    if all(part.dtype.kind == "i" for part in parts):
        return np.concatenate([part.reshape(-1) for part in parts])
    return np.array([str(label) for part in parts for label in part.reshape(-1).tolist()])


def add_up(
    plan: door.Plan,
    blocks: Iterable[Block],
    *,
    metric: str,
    normalize: bool,
    jobs: int,
    device: str = "cpu",
    progress: Progress | None = None,
) -> SetLoss:
    """A loss with engine="panel" of a whole set, on the CPU or on "cuda:0" for example.

    DataError where no anchor has a positive and a negative."""
    loss = plan.spec.loss
    if plan.weight:
        raise UsageError(f"{loss.name} takes no row weights", fix="leave -w out")
    found = read_set(plan, blocks)
    points = panels.sort_points(found.emb, found.label, metric=metric, normalize=normalize)
    sums, backend = _summed(plan.spec, points, device, threads=jobs, progress=progress)
    if not sums.anchors or (not sums.weight.units and plan.reduction != "mean-active"):
        raise DataError(
            "no anchor has both a positive and a negative",
            why=f"{len(points)} points in {len(points.names)} classes",
            fix="check the label column",
        )
    return SetLoss(_reduced(sums, plan.reduction), sums.anchors, _counts(points, sums), found.facts, backend)


def _summed(spec: Spec, points: panels.Points, device: str, **how: Any) -> tuple[panels.Sums, str]:
    """The sums of a loss over all anchors, and what computed them. how: threads, progress"""
    if device != "cpu":
        from .device_losses import sum_losses_on

        return sum_losses_on(device, points, spec, **how)
    loss = spec.loss
    sums = panels.sum_losses(points, lambda panel: loss.function(panel, **spec.options), everyone=loss.everyone, **how)
    return sums, "numpy"


def _reduced(sums: panels.Sums, reduction: str) -> float:
    if reduction == "sum":
        return float(sums.total)
    if reduction == "mean":
        return sums.total / sums.valid
    return sums.mean if sums.weight.units else 0.0  # no triplet costs anything


def _counts(points: panels.Points, sums: panels.Sums) -> tuple[tuple[str, int], ...]:
    counts = [("anchors", sums.anchors)]
    if sums.valid != sums.weight:
        counts += [("triplets", round(float(sums.valid))), ("active", round(float(sums.weight)))]
    elif float(sums.weight) != sums.anchors:
        counts += [("pairs", round(float(sums.weight)))]
    counts += [("without positive", points.without_positive), ("without negative", points.without_negative)]
    return tuple(counts)
