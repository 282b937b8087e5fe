"""Mined triplets on their way to a file: the forecast, the writers, and a summary of what was written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DataError, FileError, UsageError
from ..files import lines, sources
from ..files.sources import Field, parse_source
from ..files.writing import atomic_output, refuse_overwrite_of_inputs
from ..kernels.devices import Device, choose
from ..sets import mined_pairs, mining, strategies
from ..sets.by_anchor import no_anchor, read_set
from ..sets.diagnosis import absent_noise
from ..sets.points import sort_points

if TYPE_CHECKING:
    from ..files.lines import Spelling
    from ..rows.workers import Workers
    from ..sets.by_anchor import EmbeddingSet
    from ..sets.mined_pairs import MinedPairs
    from ..sets.mining import Mined
    from ..sets.points import Points
    from .prepare import Prepared
    from .question_of_sets import MiningQuestion
    from .shared import Shared

BYTES_EACH = {"npy": 24, "npz": 24, "csv": 64, "ndjson": 110}
ONLY_ROWS = ("npy", "npz")  # of triplets, and no distances
BYTES_A_PAIR = {"npz": 16, "csv": 40, "ndjson": 80}
HEADER_BYTES = 128
SIDES = ("anchor", "positive", "negative")
PAIR_SIDES = ("a1", "p", "a2", "n")  # what pytorch-metric-learning calls them
KEPT_FREE = 64 << 20
LARGE = 1e9  # bytes of a file that is told of before it is written
TOLD_AFTER = 2.0  # seconds of writing that foretell the rest
NAMELESS = "the ids stand for the rows in what is written"
ONE_EACH = "give one id for each row"


class MiningJob(NamedTuple):
    """Triplets that are ready to be mined: nothing but a sample has been looked at.

    anchors: how many there are;  blocks: the triplets, lazily;  ids: what stands for each row, None for row numbers
    forecast: how many triplets and bytes to expect, as a sentence;  expected, size: these numbers
    left_out: how many rows are, for holding nan
    warnings: where what was read may be wrong
    """

    asked: MiningQuestion
    anchors: int
    blocks: Callable[[Any], Iterator[Any]]
    ids: list[str] | None
    forecast: str
    expected: int
    size: int
    left_out: int
    warnings: tuple[str, ...] = ()


class MiningSummary(NamedTuple):
    """What was written: triplets by category of their measured distances, anchors covered, mean loss."""

    strategy: str
    path: str
    triplets: int = 0
    hard: int = 0
    semi_hard: int = 0
    easy: int = 0
    anchors: int = 0
    all_anchors: int = 0
    loss: float = 0.0
    bytes: int = 0

    @property
    def total(self) -> int:
        return self.triplets

    def beside(self, block: Mined, margin: float) -> MiningSummary:
        """With the triplets of a block; `loss` is their sum."""
        hard = int(np.count_nonzero(block.d_an <= block.d_ap))
        costly = int(np.count_nonzero((block.loss > 0) | (block.d_an <= block.d_ap)))
        return self._replace(
            triplets=self.triplets + len(block),
            hard=self.hard + hard,
            semi_hard=self.semi_hard + costly - hard,
            easy=self.easy + len(block) - costly,
            loss=self.loss + float(block.loss.sum()),
        )

    def ended(self, anchors: int, size: int) -> MiningSummary:
        loss = self.loss / self.triplets if self.triplets else 0.0
        return self._replace(anchors=anchors, loss=loss, bytes=size)


class PairSummary(NamedTuple):
    """What was written: pairs of each kind, anchors covered."""

    strategy: str
    path: str
    positives: int = 0
    negatives: int = 0
    anchors: int = 0
    all_anchors: int = 0
    bytes: int = 0

    @property
    def total(self) -> int:
        return self.positives + self.negatives

    def beside(self, block: MinedPairs, margin: float) -> PairSummary:
        """With the pairs of a block."""
        positives = int(block.is_positive.sum())
        negatives = self.negatives + len(block) - positives
        return self._replace(positives=self.positives + positives, negatives=negatives)

    def ended(self, anchors: int, size: int) -> PairSummary:
        return self._replace(anchors=anchors, bytes=size)


def choose_device(strategy: str, text: str) -> Device:
    """The device to find a strategy's triplets on: cpu, cuda, cuda:1 or auto, which takes the CPU without a kernel.

    Raises UsageError for a strategy without a kernel on CUDA, DeviceError for a device that is not there.
    """
    if strategy in strategies.ON_DEVICE or not text.startswith(("cuda", "auto")):
        return choose(text)
    if text == "auto":
        return Device("cpu", f"auto: cpu, for {strategy} has no kernel for CUDA")
    raise UsageError(
        f"--device {text} with {strategy}",
        why=f"{strategy} has no kernel for CUDA; those that have: {', '.join(strategies.ON_DEVICE)}",
        fix="use --device cpu, or auto",
    )


def points_of(opened: Prepared) -> tuple[EmbeddingSet, Points]:
    """The set as it was read, and its points, on their device. DataError where none can be an anchor."""
    embeddings, reading = read_set(opened.plan, opened.inputs(), opened.place), opened.reading
    points = sort_points(
        embeddings.emb,
        embeddings.label,
        metric=reading.metric,
        normalize=reading.normalize,
        numbers=embeddings.numbers,
        pairs=opened.pairs,
    )
    if not points.anchors:
        raise no_anchor(points)
    if reading.device != "cpu":
        from ..sets.device.picks import with_picks

        points = with_picks(points, reading.device)
    return embeddings, points


def prepare(asked: MiningQuestion, opened: Shared) -> MiningJob:
    """Read the set, forecast the output, and refuse what would fill the disk. DataError, UsageError, FileError."""
    workers = opened.workers(partial(_all_blocks, asked._replace(jobs=None, path=None)))
    ids = opened.rider("id")
    embeddings, points = points_of(opened.losses[0])
    if asked.as_pairs:
        options = dict(asked.options)
        expected, size = mined_pairs.estimate(points, asked.strategy, options), BYTES_A_PAIR[asked.kind]
    else:
        expected, size = _expected(points, asked), BYTES_EACH[asked.kind]
    size *= expected.triplets
    if asked.path is not None:
        _refuse_full_disk(asked.path, size, asked.kind)
    about = "" if expected.is_exact else "about "
    return MiningJob(
        asked,
        points.everyone if asked.as_pairs else points.anchors,
        lambda progress: iter(asked.thinning.of(_blocks(asked, points, workers, progress))),
        None if ids is None else _texts(ids, len(points) + embeddings.facts.skipped),
        f"{about}{expected.triplets:,} {'pairs' if asked.as_pairs else 'triplets'}, {about}{_size(size)}",
        expected.triplets,
        size,
        embeddings.facts.skipped,
        (*opened.losses[0].warnings, *absent_noise(np.unique(embeddings.label), opened.losses[0].pairs)),
    )


def _all_blocks(asked: MiningQuestion, opened: Shared, workers: Workers) -> list[Any]:
    """What a worker asks to come to its blocks of anchors."""
    return [*_blocks(asked, points_of(opened.losses[0])[1], workers)]


def _blocks(asked: MiningQuestion, points: Points, workers: Workers, progress: Any = None) -> Iterator[Any]:
    """What a strategy takes of all anchors, as triplets or as pairs. workers: who compares them with all points"""
    options = dict(asked.options)
    if asked.as_pairs:
        return mined_pairs.pairs_of(points, asked.strategy, options, workers, progress)
    options |= {"count": asked.thinning.limit} if asked.strategy == "hardest" else {}
    strategy = strategies.STRATEGIES[asked.strategy]
    if strategy.may_be_rough and asked.path is not None and asked.kind in ONLY_ROWS:
        thinning = asked.thinning
        options["is_told"] = (thinning.min_distance, thinning.per_positive, thinning.per_anchor) != (None, None, None)
    return strategy.mine(points, **options, threads=workers, progress=progress)


def _expected(points: Any, asked: MiningQuestion) -> mining.Estimate:
    thinning = asked.thinning
    estimate = strategies.STRATEGIES[asked.strategy].expected(points, **dict(asked.options))
    pairs = 0 if thinning.per_positive is None else mining.estimate_pairs(points).triplets
    most = thinning.most(points.anchors, pairs)
    if most is not None and most < estimate.triplets:
        is_exact = estimate.is_exact and thinning.per_positive is None
        return mining.Estimate(most, is_exact, most)
    return estimate if thinning.min_distance is None else mining.Estimate(estimate.triplets, False, estimate.most)


def _refuse_full_disk(path: str, size: int, kind: str) -> None:
    """FileError where the file, and beside an NPZ its columns in the folder of temporary files, have no room."""
    import tempfile

    folder = os.path.dirname(os.path.realpath(path)) or "."
    if not os.path.isdir(folder) or (os.path.exists(path) and not os.path.isfile(path)):
        return
    beside = tempfile.gettempdir() if kind == "npz" else folder
    is_twice = kind == "npz" and os.stat(beside).st_dev == os.stat(folder).st_dev
    for place, needed in ((folder, size * (1 + is_twice)), (beside, size)):
        free = shutil.disk_usage(place).free
        if needed + KEPT_FREE > free:
            where = "" if place == folder else f" in {place}, where an NPZ is prepared"
            raise FileError(
                f"{path}: about {_size(needed)} would be written, and {_size(free)} are free{where}",
                why="a full disk harms more than this file",
                fix="write fewer with --limit or --per-anchor, or write to another disk",
            )


def duration(seconds: float) -> str:
    """A time as people tell it."""
    for unit, length in (("seconds", 60), ("minutes", 60), ("hours", 48)):
        if seconds < 2 * length:
            return f"{seconds:.0f} {unit}"
        seconds /= length if unit != "hours" else 24
    return f"{seconds:.0f} days"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _texts(ids: Field, rows: int) -> list[str]:
    """The id of each row, as text."""
    try:
        parts = [block.load()[0].reshape(-1).tolist() for block in sources.blocks([ids], ["category"], 1 << 15)]
    except DataError as fault:
        raise DataError(fault.what, why=NAMELESS, fix=ONE_EACH) from None
    cells = [cell for part in parts for cell in part]
    if len(cells) != rows:
        raise DataError(f"{ids.frame.path}: {len(cells)} ids for {rows} embeddings", fix=ONE_EACH)
    if None in cells:
        where = ids.frame.where(cells.index(None))
        raise DataError(f"{where}: {ids.name}: a row has no identifier", why=NAMELESS, fix=ONE_EACH)
    return list(map(str, cells))


# --- writing

Summary = MiningSummary | PairSummary


def write(
    job: MiningJob,
    inputs: Sequence[str],
    progress: Any = None,
    foretell: Callable[[float], None] | None = None,
) -> Summary:
    """Mine and write block by block; the file is whole or not there. Returns what was written.

    foretell: of a large file, takes the seconds that it will need by what the first seconds wrote, or by how many
        anchors they came to where all is written at the end
    """
    asked, begun, early = job.asked, time.monotonic(), None
    path = asked.path
    assert path is not None

    def passed(done: int, total: int) -> None:
        nonlocal foretell
        spent = time.monotonic() - begun
        if foretell is not None and early is None and done and spent > TOLD_AFTER:
            foretell(spent * total / done)
            foretell = None
        if progress is not None:
            progress(done, total)

    refuse_overwrite_of_inputs(path, [parse_source(text).path for text in inputs])
    with atomic_output(path) as file:
        writer = (PAIR_WRITERS if asked.as_pairs else WRITERS)[asked.kind](file, job.ids)
        next(writer)
        kind, covered = PairSummary if asked.as_pairs else MiningSummary, set()
        summary: Summary = kind(asked.strategy, path, all_anchors=job.anchors)
        for block in job.blocks(passed):
            if len(block):
                writer.send(block)
                anchors = block.rows[:, 0]
                covered.update(anchors[np.flatnonzero(np.diff(anchors, prepend=-1))].tolist())
                summary = summary.beside(block, asked.options["margin"])
                spent = time.monotonic() - begun
                early = early or (spent, summary.total)
                if foretell is not None and spent > early[0] + TOLD_AFTER:
                    pace = (spent - early[0]) / (summary.total - early[1])
                    foretell(spent + pace * max(job.expected - summary.total, 0))
                    foretell = None
        with contextlib.suppress(StopIteration):
            writer.send(None)  # the end
    return summary.ended(len(covered), os.path.getsize(path) if os.path.isfile(path) else 0)


Writer = Generator[None, Any, None]  # takes blocks of what was mined, and None at the end


def _write_npy(file: IO[bytes], ids: list[str] | None) -> Writer:
    """(M, 3) int64; M is known at the end, so the header is written twice, into the same space."""
    if not file.seekable():
        raise UsageError("an NPY file begins with its length, which is known at the end", fix="write CSV: -f csv")
    file.write(b" " * HEADER_BYTES)
    count = 0
    while (block := (yield)) is not None:
        count += len(block)
        file.write(np.ascontiguousarray(block.rows, "<i8").tobytes())
    file.seek(0)
    file.write(_npy_header(count))
    file.seek(0, os.SEEK_END)


def _write_npz(file: IO[bytes], ids: list[str] | None) -> Writer:
    """anchor, positive, negative, each (M,) int64, as losses in PyTorch take them."""
    return _write_arrays(file, SIDES, lambda block: block.rows.T)


def _write_npz_of_pairs(file: IO[bytes], ids: list[str] | None) -> Writer:
    """a1, p, a2, n, int64: the positive pairs, each (P,), then the negative ones, each (Q,)."""
    return _write_arrays(file, PAIR_SIDES, lambda block: block.indices)


def _write_arrays(file: IO[bytes], names: Sequence[str], columns_of: Callable[[Any], Iterable[np.ndarray]]) -> Writer:
    """Arrays that are laid into files until their lengths are known."""
    import tempfile
    import zipfile

    with contextlib.ExitStack() as stack:
        columns = [stack.enter_context(tempfile.TemporaryFile()) for _ in names]
        while (block := (yield)) is not None:
            for column, rows in zip(columns, columns_of(block), strict=True):
                column.write(np.ascontiguousarray(rows, "<i8").tobytes())
        with zipfile.ZipFile(file, "w") as archive:
            for name, column in zip(names, columns, strict=True):
                count = column.tell() // 8
                column.seek(0)
                item = zipfile.ZipInfo(f"{name}.npy")
                with archive.open(item, "w", force_zip64=True) as member:
                    member.write(_npy_header(count, ","))
                    shutil.copyfileobj(column, member)


def _npy_header(count: int, columns: str = ", 3") -> bytes:
    """The header of format 1.0, padded to HEADER_BYTES. Source: numpy's NEP 1."""
    text = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({count}{columns}), }}"
    return (
        b"\x93NUMPY\x01\x00"
        + (HEADER_BYTES - 10).to_bytes(2, "little")
        + text.ljust(HEADER_BYTES - 11).encode()
        + b"\n"
    )


def _write_csv(columns: TextColumns, file: IO[bytes], ids: list[str] | None) -> Writer:
    file.write((",".join(columns.names) + "\n").encode())
    return _write_lines(columns, ["", *"," * (len(columns.names) - 1), "\n"], lines.CSV, file, ids)


def _write_ndjson(columns: TextColumns, file: IO[bytes], ids: list[str] | None) -> Writer:
    first, *others = (f"{json.dumps(name)}: " for name in columns.names)
    return _write_lines(columns, ["{" + first, *(f", {name}" for name in others), "}\n"], lines.JSON, file, ids)


def _write_lines(
    columns: TextColumns, between: list[str], spelling: Spelling, file: IO[bytes], ids: list[str] | None
) -> Writer:
    texts, count = None if ids is None else lines.written(ids, spelling), 0
    while (block := (yield)) is not None:
        count += len(block)
        rows = np.ascontiguousarray(block.rows.T)
        cells = [*(rows if texts is None else texts[rows]), *columns.others(block)]
        for piece in lines.lines(cells, between, spelling, is_large=count > lines.MANY):
            file.write(piece)


class TextColumns(NamedTuple):
    """The columns of a file of text: those of rows, then others."""

    names: tuple[str, ...]
    others: Callable[[Any], tuple[np.ndarray, ...]]


TRIPLETS = TextColumns((*SIDES, "d_ap", "d_an", "loss"), lambda block: (block.d_ap, block.d_an, block.loss))
PAIRS = TextColumns(
    ("anchor", "other", "same", "distance"), lambda block: (block.is_positive.astype(int), block.distances)
)


WRITERS: dict[str, Callable[[IO[bytes], list[str] | None], Writer]] = {
    "npy": _write_npy,
    "npz": _write_npz,
    "csv": partial(_write_csv, TRIPLETS),
    "ndjson": partial(_write_ndjson, TRIPLETS),
}
PAIR_WRITERS: dict[str, Callable[[IO[bytes], list[str] | None], Writer]] = {
    "npz": _write_npz_of_pairs,
    "csv": partial(_write_csv, PAIRS),
    "ndjson": partial(_write_ndjson, PAIRS),
}
