"""Rows, or blocks of anchors, in parts: an executor does each where it likes, and what it gives comes back in order.

The blocks, what is made of each and the order in which they are merged are those of one process, so every number,
interval and message is too, whoever ran the parts and however often one had to be run again.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import replace
from functools import partial, reduce, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import DataError, FileError, LossctlError, UsageError
from ..files import again, room
from ..files.binding import Paths
from ..files.opening import is_remote
from ..files.sources import DIGEST_ROWS, Leaves, digest, digest_of, leaves
from ..rows.workers import Workers, ordered_map
from ..version import __version__
from . import compute
from .reading import Given, Reading, Request

if TYPE_CHECKING:
    from .shared import Shared

PART_ROWS = 1 << 22  # a worker opens the files again for each part
BLOCKS = 8  # of units that are compared with all others, in one part: they take seconds, where there are many
KEPT = 60.0  # seconds that a worker holds the points of a call after a part of it
MAKING, FORGETTING = threading.Lock(), threading.Lock()
_forgetting: threading.Timer | None = None
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
    reading: Reading
    paired: bool
    folder: str
    version: str
    block_rows: int

    @property
    def sources(self) -> list[Given]:
        """All that is read."""
        sources = [
            source
            for request in self.requests
            for source in (*(request.inputs or ()), *(request.named or {}).values(), request.weight)
        ]
        sources += [source for request in self.requests for source in request.side._replace(bins=None)]
        return [source for source in sources if source is not None]


class Parts(NamedTuple):
    """Who runs the parts, and from what."""

    executor: Executor
    recipe: Recipe

    def score(self, shared: Shared, fold: Callable[[tuple[Any, ...]], Any]) -> Iterator[Any]:
        """fold(what each loss gives of some rows), block by block, in order. UsageError for what cannot be cut."""
        rows = self.rows(shared)
        size = -(-PART_ROWS // shared.block_rows) * shared.block_rows
        yield from _of_ranges(self.executor, rows, size, partial(score_part, self.recipe), lambda *_: (fold,))

    def digest(self, shared: Shared, at: int) -> str:
        """The hash of what a loss reads, made in parts."""
        fields = shared.losses[at].fields
        size = -(-PART_ROWS // DIGEST_ROWS) * DIGEST_ROWS
        parts = list(
            _of_ranges(self.executor, self.rows(shared), size, partial(leaves_of_part, self.recipe), lambda *_: (at,))
        )
        if not parts or None in parts:
            return digest(fields)
        return digest_of(fields, reduce(Leaves.merge, parts))

    def crew(self, shared: Shared, ask: Callable[[Shared, Workers], Any]) -> ExecutorCrew:
        """Others that read the same inputs and ask the same, to take blocks of it. UsageError where they cannot."""
        self._refuse_unreadable()
        plan = pickle.dumps((os.urandom(8), self.recipe, ask))  # of this call alone: files may change before the next
        return ExecutorCrew(self.executor, plan, shared.threads)

    def rows(self, shared: Shared) -> int:
        """How many rows there are. UsageError where that, or what a worker needs, is not known beforehand."""
        losses = {loss.plan.spec.loss.name: loss.plan.spec.loss for loss in shared.losses}
        for loss in losses.values():
            if not loss.engine.is_parted:
                raise UsageError(
                    f"{loss.name} goes by {loss.engine.kind}, which parts would cut",
                    fix="compute it in one process, without --on",
                )
        self._refuse_unreadable()
        counts = [(field, field.frame.rows) for field in shared.fields]
        for field, count in counts:
            if count is None:
                raise FileError(
                    f"{field.frame.path}: how many rows it has is only known by reading it",
                    why=f"parts need to know where they begin, and {field.frame.format} does not say",
                    fix="write it as Parquet or NPY, or compute in one process, without --on",
                )
        return max(count or 0 for _, count in counts)

    def _refuse_unreadable(self) -> None:
        for source in self.recipe.sources:
            if not _is_path(source):
                what = "stdin" if isinstance(source, str) else "an array in memory"
                raise UsageError(f"{what} cannot be read in parts", fix="save it to a file, and name that")


def _of_ranges(
    executor: Executor, count: int, size: int, work: Callable[..., Any], how: Callable[[int, int], tuple[Any, ...]]
) -> Iterator[Any]:
    """What work(start, stop, *how(start, stop)) lists, of ranges of `size` of `count`, in order; each is done by the
    executor."""
    waiting: deque[Future] = deque()
    try:
        for start in range(0, count, size):
            stop = min(start + size, count)
            waiting.append(executor.submit(work, start, stop, *how(start, stop)))
            if len(waiting) > getattr(executor, "ahead", AHEAD):
                yield from _received(waiting.popleft())
        while waiting:
            yield from _received(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()


class ExecutorCrew(NamedTuple):
    """`rows.workers.Crew` of an executor.

    plan: pickled, of which call, from what and how whoever does a part makes its own function of blocks
    threads: how many this process would use
    """

    executor: Executor
    plan: bytes
    threads: int

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """function(item) for each item, in order; executors within this process use this very function."""
        size = max(1, min(BLOCKS, len(items) // AHEAD))
        work = partial(blocks_of_part, self.plan, getattr(self.executor, "threads", 1))
        FUNCTIONS[self.plan] = function
        try:
            yield from _of_ranges(self.executor, len(items), size, work, lambda *part: (items[slice(*part)],))
        finally:
            FUNCTIONS.pop(self.plan, None)


class _Asked(Exception):
    """A question has come to the function that gives what is known of a block."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function


class _Asking(NamedTuple):
    """A crew that only finds out what it is to do."""

    threads: int = 1

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        raise _Asked(function)


FUNCTIONS: dict[bytes, Callable[[Any], Any]] = {}  # by plan: at most one that was made here, with its points


class Delivery(NamedTuple):
    """What a worker gives of a part: an entry for each block, and what it did again."""

    entries: list[Any]
    again: dict[str, int]


def _telling(work: Callable[..., list[Any] | LossctlError]) -> Callable[..., Delivery | LossctlError]:
    """The work of a part, which says what was done again for it."""

    @wraps(work)
    def done(*arguments: Any) -> Delivery | LossctlError:
        entries = work(*arguments)
        return entries if isinstance(entries, LossctlError) else Delivery(entries, again.taken())

    return done


@_telling
def blocks_of_part(plan: bytes, threads: int, start: int, stop: int, items: Sequence[Any]) -> list[Any] | LossctlError:
    """What a worker does for the blocks start..stop, which are `items`, of units that are compared with all others; it
    keeps the points for the next part.

    A fault comes back as a value, as in `score_part`.
    """
    try:
        return list(ordered_map(_function_of(plan), items, threads))
    except LossctlError as fault:
        return fault
    finally:
        _let_go_later(plan)


def _let_go_later(plan: bytes) -> None:
    """Forget the points of a call some time after its last part: a worker may outlast it by days."""
    global _forgetting
    with FORGETTING:
        if _forgetting is not None:
            _forgetting.cancel()
        _forgetting = threading.Timer(KEPT, FUNCTIONS.pop, (plan, None))
        _forgetting.daemon = True
        _forgetting.start()


def _function_of(plan: bytes) -> Callable[[Any], Any]:
    with MAKING:
        function = FUNCTIONS.get(plan)
        if function is None:
            FUNCTIONS.clear()
            _, recipe, ask = pickle.loads(plan)
            with _opened(recipe) as shared:
                try:
                    ask(shared, _Asking())
                except _Asked as asked:
                    function = FUNCTIONS[plan] = asked.function
        assert function is not None
        return function


def _is_path(source: Given) -> bool:
    """Whether a worker can open it by its name."""
    if isinstance(source, Paths):
        return True
    return isinstance(source, str) and source != "-"


def recipe_of(requests: Sequence[Request], shared: Shared, reading: Reading, paired: bool) -> Recipe:
    """The recipe of a shared reading; what was settled by reading all rows (balanced weights) is in it as it is, and
    whoever does a part may take the memory that was allowed here."""
    reading = replace(reading, memory=room.ALLOWED.get())
    settled = (request._replace(spec=loss.plan.spec) for request, loss in zip(requests, shared.losses, strict=True))
    return Recipe(tuple(settled), reading, paired, os.getcwd(), __version__, shared.block_rows)


@_telling
def score_part(
    recipe: Recipe, start: int, stop: int, fold: Callable[[tuple[Any, ...]], Any]
) -> list[Any] | LossctlError:
    """What a worker does: one entry for each block of some rows, or the fault that the user can mend.

    A fault comes back as a value, since executors run again what has raised.
    """
    try:
        with _opened(recipe) as shared:
            read = partial(shared.read, start=start, stop=stop)
            return list(shared.scorer.blocks(shared.jobs, shared.ride, read, 1, fold))
    except LossctlError as fault:
        return fault


@_telling
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
        compute.prepared(recipe.requests, reading=recipe.reading, jobs=1, paired=recipe.paired) as shared,
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
    again.count(answer.again)
    return list(answer.entries)
