"""Rows in parts: an executor reads and scores each where it likes, and its blocks come back in order.

The blocks, what is made of each and the order in which they are merged are those of one process, so every number,
interval and message is too, whoever ran the parts and however often one had to be run again.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import DataError, FileError, LossctlError, UsageError
from ..files.binding import Paths
from ..files.opening import is_remote
from ..files.sources import DIGEST_ROWS, Leaves, digest, digest_of, leaves
from ..version import __version__
from . import compute
from .reading import Given, Reading

if TYPE_CHECKING:
    from .compute import Request, Shared, Side

PART_ROWS = 1 << 22  # a worker opens the files again for each part
AHEAD = 64  # parts that are on their way, unless an executor says how many


class Future(Protocol):
    """What `concurrent.futures` calls a future."""

    def result(self) -> Any: ...
    def cancel(self) -> Any: ...


class Executor(Protocol):
    """What `concurrent.futures` calls an executor; those of dask, loky, mpi4py and others are ones too."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Any: ...


class Recipe(NamedTuple):
    """What opens the same inputs somewhere else: what `compute.prepared` takes, and from which folder paths count.

    version, block_rows: of lossctl, and how many rows it reads at a time: a worker must have the same
    """

    requests: tuple[Request, ...]
    weight: Given | None
    reading: Reading
    side: Side | None
    paired: bool
    folder: str
    version: str
    block_rows: int

    @property
    def sources(self) -> list[Given]:
        """All that is read."""
        sides = [side for side in (self.side, *(request.side for request in self.requests)) if side]
        sources = [
            source
            for request in self.requests
            for source in (*(request.inputs or ()), *(request.named or {}).values(), request.weight)
        ]
        sources += [
            self.weight,
            *(source for side in sides for source in (side.id, side.group, side.cluster, side.seed)),
        ]
        return [source for source in sources if source is not None]


class Parts(NamedTuple):
    """Who runs the parts, and from what."""

    executor: Executor
    recipe: Recipe

    def score(self, shared: Shared, fold: Callable[[tuple[Any, ...]], Any]) -> Iterator[Any]:
        """fold(what each loss gives of some rows), block by block, in order. UsageError for what cannot be cut."""
        rows = self.rows(shared)
        size = -(-PART_ROWS // shared.block_rows) * shared.block_rows
        yield from self._of_ranges(rows, size, partial(score_part, self.recipe), fold)

    def digest(self, shared: Shared, at: int) -> str:
        """The hash of what a loss reads, made in parts."""
        fields = shared.losses[at].fields
        size = -(-PART_ROWS // DIGEST_ROWS) * DIGEST_ROWS
        parts = list(self._of_ranges(self.rows(shared), size, partial(leaves_of_part, self.recipe), at))
        if not parts or None in parts:
            return digest(fields)
        return digest_of(fields, reduce(Leaves.merge, parts))

    def _of_ranges(self, rows: int, size: int, work: Callable[..., Any], *how: Any) -> Iterator[Any]:
        """What work(start, stop, *how) lists, of ranges of `size` rows, in order; each is done by the executor."""
        waiting: deque[Future] = deque()
        try:
            for start in range(0, rows, size):
                waiting.append(self.executor.submit(work, start, min(start + size, rows), *how))
                if len(waiting) > getattr(self.executor, "ahead", AHEAD):
                    yield from _received(waiting.popleft())
            while waiting:
                yield from _received(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def rows(self, shared: Shared) -> int:
        """How many rows there are. UsageError where that, or what a worker needs, is not known beforehand."""
        losses = {loss.plan.spec.loss.name: loss.plan.spec.loss for loss in shared.losses}
        for loss in losses.values():
            if not loss.engine.is_divisible:
                raise UsageError(
                    f"{loss.name} goes by {loss.engine.kind}, which parts would cut",
                    fix="compute it in one process, without --on",
                )
        for source in self.recipe.sources:
            if not _is_path(source):
                what = "stdin" if isinstance(source, str) else "an array in memory"
                raise UsageError(f"{what} cannot be read in parts", fix="save it to a file, and name that")
        counts = [(field, field.frame.rows) for field in shared.fields]
        for field, count in counts:
            if count is None:
                raise FileError(
                    f"{field.frame.path}: how many rows it has is only known by reading it",
                    why=f"parts need to know where they begin, and {field.frame.format} does not say",
                    fix="write it as Parquet or NPY, or compute in one process, without --on",
                )
        return max(count or 0 for _, count in counts)


def _is_path(source: Given) -> bool:
    """Whether a worker can open it by its name."""
    if isinstance(source, Paths):
        return True
    return isinstance(source, str) and source != "-"


def recipe_of(
    requests: Sequence[Request], shared: Shared, weight: Given | None, reading: Reading, side: Side | None, paired: bool
) -> Recipe:
    """The recipe of a shared reading; what was settled by reading all rows (balanced weights) is in it as it is."""
    settled = (request._replace(spec=loss.plan.spec) for request, loss in zip(requests, shared.losses, strict=True))
    return Recipe(tuple(settled), weight, reading, side, paired, os.getcwd(), __version__, shared.block_rows)


def score_part(
    recipe: Recipe, start: int, stop: int, fold: Callable[[tuple[Any, ...]], Any]
) -> list[Any] | LossctlError:
    """What a worker does: one entry for each block of some rows, or the fault that the user can mend.

    A fault comes back as a value, since executors run again what has raised.
    """
    try:
        with _opened(recipe) as shared:
            scorer = compute.SCORERS[shared.engine]()
            read = partial(shared.read, start=start, stop=stop)
            return list(scorer.blocks(shared.jobs, shared.ride, read, 1, fold))
    except LossctlError as fault:
        return fault


def leaves_of_part(recipe: Recipe, start: int, stop: int, at: int) -> list[Leaves | None] | LossctlError:
    """What a worker does for the hash of a loss's input: its leaves; None where text stands among numbers."""
    try:
        with _opened(recipe) as shared:
            return [leaves(shared.losses[at].fields, (), start, stop)]
    except DataError:
        return [None]
    except LossctlError as fault:
        return fault


@contextmanager
def _opened(recipe: Recipe) -> Iterator[Shared]:
    with (
        _folder(recipe),
        compute.prepared(
            recipe.requests,
            weight=recipe.weight,
            reading=recipe.reading,
            side=recipe.side,
            jobs=1,
            paired=recipe.paired,
        ) as shared,
    ):
        if (recipe.version, recipe.block_rows) != (__version__, shared.block_rows):
            raise UsageError(
                f"a worker has lossctl {__version__} and blocks of {shared.block_rows} rows",
                why=f"the parts were cut by lossctl {recipe.version} into blocks of {recipe.block_rows} rows",
                fix="install the same lossctl on all workers",
            )
        yield shared


@contextmanager
def _folder(recipe: Recipe) -> Iterator[None]:
    """From where paths count, while it lasts. FileError on a worker that does not have that folder."""
    if os.getcwd() == recipe.folder or not any(map(_is_relative, recipe.sources)):
        yield
        return
    if not os.path.isdir(recipe.folder):
        raise FileError(
            f"{recipe.folder}: no such folder where a part is read", fix="name the files as every worker finds them"
        )
    with chdir(recipe.folder):
        yield


def _is_relative(source: Given) -> bool:
    paths = source if isinstance(source, Paths) else (source,)
    return any(isinstance(path, str) and not os.path.isabs(path) and not is_remote(path) for path in paths)


def _received(future: Future) -> list[Any]:
    answer = future.result()
    if isinstance(answer, LossctlError):
        raise answer
    return list(answer)
