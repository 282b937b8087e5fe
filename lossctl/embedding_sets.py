"""Labelled embedding sets: read whole, then each anchor against everyone, or broken down into easy and hard triplets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .engine import door, panels, rows
from .errors import DataError, UsageError
from .losses.embedding import EVERYONE
from .results import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from .breakdown import Batches, Breakdown, Diagnosis
    from .calculator import Given, Prepared
    from .engine.given import GivenTriplets

Progress = Callable[..., None]


class EmbeddingSet(NamedTuple):
    """Points and their classes, and what to say of how they were read.

    emb: (N, D) float64; label: (N,) whole numbers or text
    """

    emb: np.ndarray
    label: np.ndarray
    facts: door.Facts


class Report(NamedTuple):
    """What `lossctl triplets` prints: the breakdown of the whole set, what is odd about it, and sampled batches if any."""

    whole: Breakdown
    diagnosis: Diagnosis
    batches: Batches | None
    sources: tuple[tuple[str, str], ...]
    note: str
    data: str | None


def read_set(ready: Prepared) -> EmbeddingSet:
    """All of the embeddings and labels. DataError for values that cannot be used."""
    import numpy as np

    admitted = [
        door.admit(ready.plan, block.load(), block.start) for block in ready.blocks(rows.block_rows(ready.plan))
    ]
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


def evaluate(ready: Prepared, signature: str, progress: Progress | None = None) -> Result:
    """A loss of the whole set, `engine="panel"`. DataError where no anchor has a positive and a negative."""
    plan, reading = ready.plan, ready.reading
    loss = plan.spec.loss
    if plan.weight:
        raise UsageError(f"{loss.name} takes no row weights", fix="leave -w out")
    found = read_set(ready)
    points = panels.sort_points(found.emb, found.label, metric=reading.metric, normalize=reading.normalize)
    sums = panels.sum_losses(
        points,
        lambda panel: loss.function(panel, **plan.spec.options),
        everyone=loss.name in EVERYONE,
        threads=ready.jobs,
        progress=progress,
    )
    if not sums.anchors or not sums.weight.units and plan.reduction != "mean-active":
        raise DataError(
            "no anchor has both a positive and a negative",
            why=f"{len(points)} points in {len(points.names)} classes",
            fix="check the label column",
        )
    notes, warnings = door.verdict(plan, found.facts)
    counts = _counts(points, sums)
    note = ", ".join(f"{name} {number}" for name, number in counts)
    return Result(
        loss=loss.name,
        params=tuple((name.replace("_", "-"), item) for name, item in plan.spec.params),
        reduction=plan.reduction,
        value=_reduced(sums, plan.reduction),
        n=sums.anchors,
        sources=ready.sources,
        signature=signature.format(n=sums.anchors),
        dtype=ready.dtype,
        notes=tuple(text for text in (ready.note, *notes, note) if text),
        warnings=warnings,
        counts=counts,
    )


def _reduced(sums: panels.Sums, reduction: str) -> float:
    if reduction == "sum":
        return float(sums.total)
    if reduction == "mean":
        return sums.total / sums.valid
    return sums.mean if sums.weight.units else 0.0  # no triplet costs anything


def _counts(points: panels.Points, sums: panels.Sums) -> tuple[tuple[str, int], ...]:
    """How many of what the value is a mean of, and what was left out."""
    counts = [("anchors", sums.anchors)]
    if sums.valid != sums.weight:
        counts += [("triplets", round(float(sums.valid))), ("active", round(float(sums.weight)))]
    elif float(sums.weight) != sums.anchors:
        counts += [("pairs", round(float(sums.weight)))]
    counts += [("without positive", points.without_positive), ("without negative", points.without_negative)]
    return tuple(counts)


def triplets(
    *inputs: Given,
    margin: float | Sequence[float] = 1.0,
    distance: str = "euclidean",
    normalize: bool = False,
    precision: str = "float64",
    by_class: bool = False,
    pairs: int = 0,
    batch: tuple[int, int] | None = None,
    batches: int = 100,
    seed: int = 0,
    jobs: int | None = None,
    **named: Given,
) -> Report:
    """The triplets of an embedding set by category, as `lossctl triplets` prints them.

    inputs: embeddings (N, D) and labels (N,), or one source that holds both; or emb=..., label=...
    margin: one or several; distance: euclidean, sqeuclidean or cosine; normalize: put the points on the unit sphere first
    precision: "float64" certifies the counts, "float32" is quick and does not
    by_class, pairs: also by class of the anchor, and the so many class pairs with the most hard triplets
    batch: (P, K), also over `batches` sampled batches of P classes with K rows each, from `seed`

    Raises UsageError (wrong call), DataError (unusable values), FileError (unreadable file).
    """
    margins = tuple(margin) if isinstance(margin, Sequence) else (margin,)
    with opened(inputs, named, distance=distance, normalize=normalize, jobs=jobs) as ready:
        return report(
            ready, margins, precision=precision, by_class=by_class, pairs=pairs, batch=batch, batches=batches, seed=seed
        )


@contextmanager
def opened(
    inputs: Sequence[Given],
    named: dict[str, Given],
    *,
    distance: str = "euclidean",
    normalize: bool = False,
    jobs: int | None = None,
    skip_nan: bool = False,
    header: bool | None = None,
    delimiter: str | None = None,
) -> Iterator[Prepared]:
    """Embeddings and labels, open and bound to their roles."""
    from .calculator import Reading, prepared
    from .registry import find, make

    reading = Reading(metric=distance, normalize=normalize, skip_nan=skip_nan, header=header, delimiter=delimiter)
    with prepared(make(find("batch-all")), inputs, named, reading=reading, jobs=jobs) as ready:
        yield ready


def report(
    ready: Prepared,
    margins: Sequence[float],
    *,
    precision: str = "float64",
    by_class: bool = False,
    pairs: int = 0,
    batch: tuple[int, int] | None = None,
    batches: int = 100,
    seed: int = 0,
    data: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """The breakdown of a prepared set, its diagnosis, and sampled batches if `batch` is given."""
    from .engine import triplets as engine

    found, reading = read_set(ready), ready.reading
    settings: dict[str, Any] = {"margins": margins, "metric": reading.metric, "normalize": reading.normalize}
    whole = engine.breakdown(
        found.emb,
        found.label,
        precision=precision,
        by_class=by_class,
        pairs=pairs,
        threads=ready.jobs,
        progress=progress,
        **settings,
    )
    drawn = None
    if batch is not None:
        drawn = engine.sampled(
            found.emb, found.label, classes=batch[0], rows=batch[1], batches=batches, seed=seed, **settings
        )
    return Report(whole, engine.diagnose(found.emb, found.label, whole), drawn, ready.sources, ready.note, data)


def given_triplets(
    emb: Given,
    index: Given,
    margins: Sequence[float],
    *,
    distance: str = "euclidean",
    normalize: bool = False,
) -> tuple[GivenTriplets, ...]:
    """The certified categories of triplets that are given as rows of an embedding source, at each margin."""
    from .calculator import read_all
    from .engine.given import categorize
    from .files import binding
    from .files.sources import blocks
    from .roles import ROLES

    desk = binding.Desk()
    with desk.stack:
        source = desk.field(emb, ROLES["emb"])
        frame, selector = desk.frame(index, "index")
        triplets = frame.select(selector) if selector is not None else frame.whole()
        if triplets.ndim != 2 or triplets.width != 3:
            raise DataError(
                f"{frame.path}: {triplets.name}: an index has three columns", fix="anchor, positive, negative"
            )
        points = read_all(source)
        parts = (block.load()[0] for block in blocks([triplets], ["number"], 1 << 14))
        return categorize(points.reshape(len(points), -1), parts, margins, metric=distance, normalize=normalize)
