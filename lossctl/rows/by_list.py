"""The list engine: ranking losses, one value a list. Rows that share a group are a list, of any length.

A loss is a plain function of a matrix: lists of one length together, a list a row. Where the rows of each list stand
together, lists are scored as they are read and memory is bounded by the largest; else the columns are held and sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import NamedTuple, TypeVar

import numpy as np

from ..errors import DataError
from ..language.registry import columns_of
from . import checks
from .by_row import BLOCK_VALUES, Scored, rows_of
from .facts import NOTHING, Facts
from .job import Job, Loaded, Read, RowBlock, RowsAt, shared
from .workers import ordered_map

Result = TypeVar("Result")


class Documents(NamedTuple):
    """Documents of one job that passed the door, (n,) each: with the group's name, row weight and row number."""

    score: np.ndarray
    relevance: np.ndarray
    group: np.ndarray
    weight: np.ndarray
    number: np.ndarray
    side: tuple[np.ndarray, ...]
    facts: Facts

    def take(self, chosen: slice | np.ndarray) -> Documents:
        """Some of the documents; the facts stay behind."""
        return Documents(
            self.score[chosen],
            self.relevance[chosen],
            self.group[chosen],
            self.weight[chosen],
            self.number[chosen],
            tuple(column[chosen] for column in self.side),
            NOTHING,
        )


def score_blocks(
    jobs: tuple[Job, ...],
    side: tuple[int, ...],
    read: Read,
    threads: int,
    fold: Callable[[tuple[Scored, ...]], Result],
) -> Iterator[Result]:
    """fold(one Scored for each job), some whole lists at a time; see `by_row`. DataError for a mixed-up list."""
    place = jobs[0].picks[2]
    pieces = ordered_map(lambda block: _admitted(jobs, side, block), read(), threads)
    stretches = _as_they_come(pieces) if stand_together(read(only=(place,))) else _held(pieces, BLOCK_VALUES)
    yield from ordered_map(lambda stretch: fold(tuple(map(_scored, jobs, stretch))), stretches, threads)


def stand_together(blocks: Iterable[RowBlock]) -> bool:
    """Whether the rows of every list stand together; remembers the names of the lists."""
    names_before: set[str] = set()
    last: str | None = None
    for block in blocks:
        (group,) = block.load()
        group = group.reshape(-1)
        for at in _starts(group).tolist():
            name = str(group[at])
            if name == last:  # the list goes on from the block before
                continue
            if name in names_before:
                return False
            names_before.add(name)
            last = name
    return True


def _starts(group: np.ndarray) -> np.ndarray:
    """Where lists begin, (lists,)."""
    if not len(group):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))


def _admitted(jobs: tuple[Job, ...], side: tuple[int, ...], block: RowBlock) -> list[Documents]:
    documents = []
    for job, arrays in shared(jobs, block.load()):
        loaded = Loaded(block.start, job.arrange(tuple(arrays[place] for place in job.picks)))
        admitted = checks.admit(job.plan, loaded.arrays, loaded.start)
        keep = admitted.rows.keep
        score, relevance, group = admitted.inputs
        weight = np.ones(len(score)) if admitted.weights is None else admitted.weights
        ride = tuple(arrays[place] if keep is None else arrays[place][keep] for place in side)
        numbers = admitted.rows.at(np.arange(len(score)))
        documents.append(Documents(score, relevance, group.reshape(-1), weight, numbers, ride, admitted.facts))
    return documents


def _as_they_come(pieces: Iterable[list[Documents]]) -> Iterator[list[Documents]]:
    """Pieces cut where lists end; what follows the last end waits for the next piece."""
    waiting: list[list[Documents]] = []
    nothing: list[Documents] = []
    for many in pieces:
        nothing = nothing or [piece.take(slice(0, 0))._replace(facts=NOTHING) for piece in many]
        waiting = waiting or [[] for _ in many]
        complete = []
        for held, piece in zip(waiting, many, strict=True):
            starts = _starts(piece.group)
            cut = int(starts[-1]) if len(starts) else 0
            goes_on = len(starts) == 1 and (not held or str(held[-1].group[-1]) == str(piece.group[0]))
            cut_lists = [] if goes_on or not len(starts) else [*held, piece.take(slice(0, cut))]
            if cut_lists:
                held.clear()
            if len(starts):
                held.append(piece.take(slice(cut, None)))
            complete.append(_joined(cut_lists or [piece.take(slice(0, 0))])._replace(facts=piece.facts))
        yield complete
    if waiting and any(waiting):
        yield [_joined(held or [empty]) for held, empty in zip(waiting, nothing, strict=True)]


def _held(pieces: Iterable[list[Documents]], size: int) -> Iterator[list[Documents]]:
    """All pieces, the rows of each list brought together: lists in the order in which they begin, rows in their own."""
    joined = [_joined(list(held)) for held in zip(*pieces, strict=True)]
    rest = []
    for piece in joined:
        _, first, codes = np.unique(_names(piece.group), return_index=True, return_inverse=True)
        rest.append(piece.take(np.argsort(first[codes], kind="stable"))._replace(facts=piece.facts))
    ends = [[*_starts(piece.group)[1:].tolist(), len(piece.group)] for piece in rest]
    at = [0] * len(rest)
    is_first = True
    while is_first or any(start < len(piece.group) for start, piece in zip(at, rest, strict=True)):
        complete = []
        for position, piece in enumerate(rest):
            stop = next((end for end in ends[position] if end >= at[position] + size), len(piece.group))
            facts = piece.facts if is_first else NOTHING
            complete.append(piece.take(slice(at[position], stop))._replace(facts=facts))
            at[position] = stop
        is_first = False
        yield complete


def _joined(pieces: list[Documents]) -> Documents:
    if len(pieces) == 1:
        return pieces[0]
    groups = [piece.group for piece in pieces]
    if len({group.dtype.kind for group in groups}) > 1:
        groups = [_names(group) for group in groups]
    return Documents(
        np.concatenate([piece.score for piece in pieces]),
        np.concatenate([piece.relevance for piece in pieces]),
        np.concatenate(groups),
        np.concatenate([piece.weight for piece in pieces]),
        np.concatenate([piece.number for piece in pieces]),
        tuple(np.concatenate(parts) for parts in zip(*(piece.side for piece in pieces), strict=True)),
        reduce(Facts.merge, (piece.facts for piece in pieces)),
    )


def _names(group: np.ndarray) -> np.ndarray:
    return group if group.dtype.kind in "Ui" else np.array([str(name) for name in group])


def _scored(job: Job, piece: Documents) -> Scored:
    """The loss of each list of a piece."""
    starts = _starts(piece.group)
    sizes = np.diff(np.append(starts, len(piece.group)))
    columns: list[np.ndarray] = []
    for size in np.unique(sizes).tolist():
        alike = np.flatnonzero(sizes == size)
        rows_of_lists = starts[alike, None] + np.arange(size)
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            value = job.plan.spec.loss.function(
                piece.score[rows_of_lists], piece.relevance[rows_of_lists], **job.plan.spec.options
            )
        parts = columns_of(value)
        columns = columns or [np.empty(len(starts)) for _ in parts]
        for column, part in zip(columns, parts, strict=True):
            column[alike] = 1.0 if part is None else part
    for beside, what in ((piece.weight, "weight"), *((column, "value beside the list") for column in piece.side)):
        _refuse_mixed(job, piece, beside, starts, sizes, what)
    columns = columns or [np.empty(0), np.empty(0)]
    weighted = piece.weight[starts] != 0
    compared = columns[-1] > 0
    keep = compared & weighted
    odd = Facts(skipped=int(sizes[~weighted].sum()), empty_lists=int(np.count_nonzero(~compared & weighted)))
    numbers = piece.group.astype(np.int64) if job.plan.has_shape else piece.number
    scored = rows_of(
        job.plan,
        RowsAt(numbers[starts[keep]]),
        tuple(column[keep] for column in columns),
        piece.weight[starts[keep]],
        piece.facts.merge(odd),
    )
    ends = starts + sizes
    inputs = tuple(_ragged(column, starts[keep], ends[keep]) for column in (piece.score, piece.relevance))
    return Scored(scored, tuple(column[starts[keep]] for column in piece.side), (*inputs, piece.group[starts[keep]]))


def _refuse_mixed(
    job: Job, piece: Documents, column: np.ndarray, starts: np.ndarray, sizes: np.ndarray, what: str
) -> None:
    same = column == np.repeat(column[starts], sizes)
    if not same.all():
        row = int(np.argmin(same))
        where = job.plan.entries[2].column.frame.where(int(piece.number[row]))
        raise DataError(
            f"{where}: the {what} changes within the list '{piece.group[row]}'",
            why="a list counts as a whole",
            fix="give a column that has one value a list",
        )


def _ragged(column: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    lists = np.empty(len(starts), dtype=object)
    lists[:] = [column[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return lists
