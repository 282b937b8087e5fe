"""Embedding sets: read whole, because each anchor meets everyone; then a panel loss gives every anchor its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files import drawer
from ..files.drawer import Place, Stack
from ..rows import checks, shapes
from ..rows.at_once import WholeLoss, WholeScores
from ..rows.by_row import Rows, Scored, rows_of
from ..rows.facts import NOTHING, Facts
from ..rows.job import PLAIN, Job, Loaded, RowBlock, RowsAt, Space
from ..rows.workers import Workers
from . import panels
from .diagnosis import Appearance, both_sets, remarks
from .points import Points, sort_points

Progress = Callable[..., None]


class EmbeddingSet(NamedTuple):
    """Points and their classes, and what was noticed when they were read.

    emb: (N, D) float64; label: (N,) whole numbers or text; numbers: (N,) which rows of the input these are
    """

    emb: np.ndarray
    label: np.ndarray
    numbers: np.ndarray
    facts: Facts


def read_set(
    plan: shapes.Plan, blocks: Iterable[RowBlock], place: Place, source: np.ndarray | None = None
) -> EmbeddingSet:
    """All of the embeddings and labels. DataError for values that cannot be used.

    place: where the embeddings are kept;  source: an array whose rows the blocks hold
    """
    emb = Stack(place, source)
    label, numbers, facts = [], [], NOTHING
    for block in blocks:
        part = checks.admit(plan, block.load(), block.start)
        values, labels = part.inputs
        emb.add(values)
        label.append(labels)
        numbers.append(part.rows.at(np.arange(len(values))))
        facts = facts.merge(part.facts)
    if not label:
        raise DataError("no rows", fix="check the file")
    return EmbeddingSet(emb.array(), _joined(label), np.concatenate(numbers), facts)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Labels of all blocks as one array; text where any of them is text."""
    if all(part.dtype.kind == "i" for part in parts):
        return np.concatenate([part.reshape(-1) for part in parts])
    return np.array([str(label) for part in parts for label in part.reshape(-1).tolist()])


# --- anchors and their losses


def _points(plan: shapes.Plan, embedding_set: EmbeddingSet, space: Space) -> Points:
    metric = "cosine" if plan.spec.loss.cosine else space.metric  # a similarity needs a direction too
    if metric == "dot" and not plan.spec.loss.is_of_order:
        raise UsageError(
            f"{plan.spec.loss.name} of the distance dot",
            why="it asks how far points are apart, and less the inner product only tells what is nearer",
            fix="use --distance cosine, or a loss of triplets: batch-hard, batch-all, semi-hard",
        )
    margin = plan.spec.margin
    return sort_points(
        embedding_set.emb,
        embedding_set.label,
        metric=metric,
        normalize=space.normalize,
        numbers=embedding_set.numbers,
        steps=(margin,) if margin > 0 else (),
        pairs=space.pairs,
    )


def _losses(
    plan: shapes.Plan, points: Points, device: str, workers: Workers, progress: Progress | None, everyone: bool
) -> tuple[panels.AnchorLosses, str]:
    """The losses, and what computed them.

    everyone: of all points, also those without a positive
    """
    loss, options = plan.spec.loss, plan.spec.options
    how: dict[str, Any] = {"threads": workers, "progress": progress}
    if device == "cpu":
        if loss.cosine:
            how["most"] = max(32, min(panels.ANCHORS // 2, panels.CACHED // max(1, len(points))))
        losses = panels.anchor_losses(points, partial(loss.function, **options), everyone=everyone, **how)
        backend = "numpy"
    else:
        from .device.losses import anchor_losses_on

        losses, backend = anchor_losses_on(device, points, plan.spec, everyone=everyone, **how)
    if not len(losses):
        raise no_anchor(points)
    if not losses.valid.any() and loss.everyone:
        raise DataError(f"{loss.name} of {len(points)} point: there is no pair", fix="check the file")
    return losses, backend


def _alone(job: Job, embeddings: EmbeddingSet) -> np.ndarray:
    """The points that are alone in their class, where they are not left out, (k,). UsageError where none can be."""
    lone, loss = job.space.lone, job.plan.spec.loss
    if lone == "drop":
        return np.zeros(0, dtype=np.int64)
    if lone not in loss.lone:
        raise UsageError(f"{loss.name} has no --lone {lone}", fix=f"use --lone {' or --lone '.join(loss.lone)}")
    if job.space.pairs != PLAIN:
        raise UsageError("--lone beside other rules of who pairs with whom", fix="leave --lone out")
    _, codes, sizes = np.unique(embeddings.label, return_inverse=True, return_counts=True)
    return np.flatnonzero((sizes[codes.reshape(-1)] == 1) & (len(sizes) > 1))


def _with_twins(embeddings: EmbeddingSet, alone: np.ndarray) -> EmbeddingSet:
    """The set with every lone point once more, as its own positive; the numbers of the copies are beyond all others."""
    emb, label, numbers, facts = embeddings
    beyond = 1 + int(numbers[-1]) + np.arange(len(alone))
    return EmbeddingSet(
        drawer.joined([emb, drawer.taken(emb, alone)]),
        np.concatenate([label, label[alone]]),
        np.concatenate([numbers, beyond]),
        facts,
    )


class SetLosses(NamedTuple):
    """The losses of the anchors of a set, before any reduction.

    alone: the numbers of points that count though they have no positive, as 0 where they are not among the anchors
    backend: what computed them
    """

    embeddings: EmbeddingSet
    alone: np.ndarray
    points: Points
    losses: panels.AnchorLosses
    backend: str


def losses_of(asked: WholeLoss) -> SetLosses:
    """The losses of all anchors. DataError where none has a positive and a negative."""
    job = asked.job
    embeddings, alone, points, everyone = _opened(asked)
    losses, backend = _losses(job.plan, points, job.space.device, asked.threads, asked.progress, everyone)
    return SetLosses(embeddings, embeddings.numbers[alone], points, losses, backend)


def losses_at_once(asked: WholeLoss, options: Sequence[Mapping[str, Any]]) -> list[SetLosses]:
    """Those with each of several sets of options, to nine digits, of a loss that has a function for these; none where
    no anchor has a positive and a negative."""
    at_once = asked.job.plan.spec.loss.at_once
    assert at_once is not None
    embeddings, alone, points, everyone = _opened(asked)
    function = partial(at_once, options=options)
    answers = panels.anchor_losses_at_once(points, function, everyone=everyone, threads=asked.threads)
    return [SetLosses(embeddings, embeddings.numbers[alone], points, losses, "numpy") for losses in answers]


def _opened(asked: WholeLoss) -> tuple[EmbeddingSet, np.ndarray, Points, bool]:
    """The set, which points are alone in their class and count all the same, what is compared, and whether everyone
    is an anchor."""
    job = asked.job
    arranged = job.arrange(asked.inputs)
    is_file = drawer.file_of(arranged[0]) is not None
    cuts = list(drawer.blocks(arranged[0])) if is_file else [slice(0, len(arranged[0]))]
    parts = (Loaded(part.start, tuple(array[part] for array in arranged)) for part in cuts)
    embeddings = read_set(job.plan, parts, Place(len(arranged[0]), is_file), arranged[0])
    alone = _alone(job, embeddings)
    points = _points(job.plan, _with_twins(embeddings, alone) if job.space.lone == "self" else embeddings, job.space)
    return embeddings, alone, points, job.plan.spec.loss.everyone or (job.space.lone == "negatives" and len(alone) > 0)


def rows_by(plan: shapes.Plan, of_set: SetLosses) -> Rows:
    """The anchors' losses in the order of the input; the weight is what the reduction of the plan divides by.

    DataError where that is nothing.
    """
    embeddings, alone, points, losses, _ = of_set
    if not losses.valid.any() and plan.reduction != "mean-active":
        choices = [option.flag for option in plan.spec.loss.options if option.domain.words]
        raise DataError(
            f"{plan.spec.loss.name}: every pair is left out",
            why="no pair has a negative of the kind that is wanted",
            fix=f"widen the margin, or choose another {' or '.join([*choices, 'loss'])}",
        )
    numbers = points.rows[points.begin : points.begin + len(losses.total)]
    *sums, active = losses.columns
    columns = (*sums, active if plan.reduction == "mean-active" else losses.valid)
    if len(alone):
        own = numbers <= embeddings.numbers[-1]  # without the copies of lone points
        more = np.setdiff1d(alone, numbers)
        shares = (*(0.0 for _ in sums), float(plan.reduction != "mean-active"))
        columns = tuple(
            np.concatenate([column[own], np.full(len(more), share)])
            for column, share in zip(columns, shares, strict=True)
        )
        numbers = np.concatenate([numbers[own], more])
    order = np.argsort(numbers)
    facts = embeddings.facts._replace(undecided_anchors=losses.undecided)
    return rows_of(plan, RowsAt(numbers[order]), tuple(column[order] for column in columns), None, facts)


def _counts(points: Points, losses: panels.AnchorLosses, unit: str) -> tuple[tuple[str, int], ...]:
    """What the loss is a mean of, `unit` where an anchor is in several, and which points are no anchors."""
    anchors, valid, weight = len(losses.total), round(float(losses.valid.sum())), round(float(losses.weight.sum()))
    counts = [("anchors", anchors)]
    if losses.valid is not losses.weight:
        counts += [(unit, valid), ("active", weight)]
    elif weight != anchors:
        counts += [("pairs", weight)]
    counts += [("without positive", points.without_positive), ("without negative", points.without_negative)]
    return tuple(counts)


def no_anchor(points: Points) -> DataError:
    """The fault of a set in which nothing can be compared."""
    what = "no anchor has both a positive and a negative"
    if points.begin:
        alone = f"{points.out[0]} of {points.total} anchors have no reference of their class that they may pair with"
        return DataError(what, why=alone, fix="check the labels of both sets, and what is kept apart")
    if points.masks is not None:
        alone = f"{points.out[0]} of {points.total} points have no other of their class that they may pair with"
        return DataError(what, why=alone, fix="check the label column, and what is kept apart")
    return DataError(what, why=f"{len(points)} points in {len(points.names)} classes", fix="check the label column")


def answer(asked: WholeLoss) -> WholeScores:
    """All anchors of a set. DataError where none has a positive and a negative."""
    job, inputs = asked.job, asked.inputs
    of_set = losses_of(asked)
    embeddings, points, losses = of_set.embeddings, of_set.points, of_set.losses
    rows = rows_by(job.plan, of_set)
    if not asked.is_rest:
        is_angular = job.plan.spec.loss.cosine or job.space.normalize or job.space.metric == "cosine"
        emb, label = both_sets(embeddings.emb, embeddings.label, job.space.pairs)
        odd = remarks(Appearance(emb), label, job.space.pairs, is_angular)
        rows = rows._replace(facts=rows.facts.merge(Facts(remarks=odd)))
    at = rows.number
    scored = Scored(
        rows,
        tuple(asked.arrays[place][at] for place in asked.side),
        tuple(drawer.taken(array, at) for array in inputs[: len(job.plan.entries)]),
    )
    unit = "pairs" if job.plan.spec.loss.everyone else "triplets"
    return WholeScores(scored, of_set.backend, _counts(points, losses, unit))
