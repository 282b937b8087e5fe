"""The triplets of a labelled embedding set, as `lossctl triplets` prints them and as notebooks call it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import UsageError, told_in_python
from ..kernels.devices import choose
from ..language.registry import find, make
from ..sets.by_anchor import Progress, read_set
from ..text import did_you_mean
from .calculator import Reading, as_array, read_all, refuse_none
from .together import Wanted, prepared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..results.breakdown import Batches, Breakdown, Diagnosis
    from ..sets.given import GivenTriplets
    from .calculator import Given, Prepared


class Report(NamedTuple):
    """The breakdown of the whole set, what is odd about it, sampled batches if any, and how many rows are left out.

    `whole.margins[0].categories` has easy, semi_hard and hard at the first margin.
    """

    whole: Breakdown
    diagnosis: Diagnosis
    batches: Batches | None
    sources: tuple[tuple[str, str], ...]
    note: str
    data: str | None
    left_out: int = 0


@told_in_python()
def triplets(
    *inputs: Given,
    margin: float | Sequence[float] = 1.0,
    skip_nan: bool = False,
    distance: str = "euclidean",
    normalize: bool = False,
    precision: str = "float64",
    by_class: bool = False,
    pairs: int = 0,
    batch: tuple[int, int] | None = None,
    batches: int = 100,
    seed: int = 0,
    device: str = "cpu",
    jobs: int | None = None,
    **named: Given,
) -> Report:
    """The triplets of an embedding set by category, as `lossctl triplets` prints them.

    inputs: embeddings (N, D) and labels (N,), or one source that holds both; or emb=..., label=...
    margin: one or several; skip_nan: leave out rows that hold a nan
    distance: euclidean, sqeuclidean or cosine; normalize: onto the unit sphere first
    precision: "float64" certifies the counts, "float32" is quick and does not
    by_class, pairs: also by class of the anchor, and the so many class pairs with the most hard triplets
    batch: (P, K), also over `batches` sampled batches of P classes with K rows each, from `seed`
    device: where the whole set is counted: cpu, cuda, cuda:1 (and so on), or auto; the counts are the same

    Raises UsageError (wrong call), DataError (unusable values), FileError (unreadable file), DeviceError (no such
    device).
    """
    _check_call(inputs, named, batch)
    chosen, margins = choose(device), _margins(margin)
    options: dict[str, Any] = {"distance": distance, "normalize": normalize, "skip_nan": skip_nan, "jobs": jobs}
    with opened(inputs, named, device=chosen.name, **options) as ready:
        return report(
            ready, margins, precision=precision, by_class=by_class, pairs=pairs, batch=batch, batches=batches, seed=seed
        )


def _check_call(inputs: Sequence[Given], named: dict[str, Given], batch: Any) -> None:
    import inspect

    options = [one.name for one in inspect.signature(triplets).parameters.values() if one.kind is one.KEYWORD_ONLY]
    for name in named.keys() - {"emb", "label", "identity"}:
        raise UsageError(
            f"triplets has no argument {name!r}{did_you_mean(name, ['emb', 'label', *options])}",
            fix=f"its inputs are emb, label; its options are {', '.join(options)}",
        )
    refuse_none("triplets", [*inputs, *named.values()])
    if batch is not None and not (
        isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(count, int) for count in batch)
    ):
        raise UsageError(f"batch cannot be {batch!r}", fix="give (P, K): P classes with K rows each, such as (18, 4)")


def _margins(margin: Any) -> tuple[float, ...]:
    try:
        return tuple(float(one) for one in np.ravel(as_array(margin)).tolist())
    except (TypeError, ValueError):
        raise UsageError(f"margin cannot be {margin!r}", fix="give a number >= 0, or several in a list") from None


@contextmanager
def opened(
    inputs: Sequence[Given],
    named: dict[str, Given],
    *,
    distance: str = "euclidean",
    normalize: bool = False,
    device: str = "cpu",
    jobs: int | None = None,
    skip_nan: bool = False,
    header: bool | None = None,
    delimiter: str | None = None,
) -> Iterator[Prepared]:
    """Embeddings and labels, open and bound to their roles."""
    reading = Reading(
        metric=distance, normalize=normalize, device=device, skip_nan=skip_nan, header=header, delimiter=delimiter
    )
    with prepared([Wanted(make(find("batch-all")), {}, inputs, named)], reading=reading, jobs=jobs) as shared:
        yield shared.losses[0]


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
    """The breakdown of a prepared set, its diagnosis, and sampled batches (on the CPU) if `batch` is given."""
    from ..sets.batches import sampled
    from ..sets.diagnosis import diagnose
    from ..sets.triplets import breakdown

    found, reading = read_set(ready.plan, ready.read()), ready.reading
    settings: dict[str, Any] = {"margins": margins, "metric": reading.metric, "normalize": reading.normalize}
    count = breakdown
    if reading.device != "cpu":
        from ..sets.device.triplets import breakdown_on

        count = partial(breakdown_on, reading.device)
    whole = count(
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
        drawn = sampled(found.emb, found.label, classes=batch[0], rows=batch[1], batches=batches, seed=seed, **settings)
    diagnosis = diagnose(found.emb, found.label, whole)
    return Report(whole, diagnosis, drawn, ready.sources, ready.note, data, found.facts.skipped)


def given_triplets(
    emb: Given,
    index: Given,
    margins: Sequence[float],
    *,
    distance: str = "euclidean",
    normalize: bool = False,
) -> tuple[GivenTriplets, ...]:
    """The certified categories of triplets that are given as rows of an embedding source, at each margin."""
    from ..files import binding
    from ..files.sources import blocks
    from ..language.roles import ROLES
    from ..sets.given import categorize

    desk = binding.Desk()
    with desk.stack:
        source = desk.field(emb, ROLES["emb"])
        triplets = binding.index_of(desk, index)
        points = read_all(source)
        parts = (block.load()[0] for block in blocks([triplets], ["number"], 1 << 14))
        return categorize(
            points.reshape(len(points), -1),
            parts,
            margins,
            metric=distance,
            normalize=normalize,
            path=triplets.frame.path,
        )
