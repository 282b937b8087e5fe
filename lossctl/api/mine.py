"""Mined triplets on their way to a file: the forecast, the writers, and a summary of what was written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DataError, FileError, UsageError
from ..files import sources
from ..files.sources import Field, parse_source
from ..files.writing import atomic_output, refuse_overwrite_of_inputs
from ..kernels.devices import Device, choose
from ..sets import mining, strategies
from ..sets.by_anchor import no_anchor, read_set
from ..sets.points import sort_points
from ..sets.thinning import Thinning

if TYPE_CHECKING:
    from ..rows.workers import Workers
    from ..sets.by_anchor import EmbeddingSet
    from ..sets.mining import Mined
    from ..sets.points import Points
    from .prepare import Prepared

BYTES_EACH = {"npy": 24, "npz": 24, "csv": 64, "ndjson": 110}
HEADER_BYTES = 128
SIDES = ("anchor", "positive", "negative")
KEPT_FREE = 64 << 20
NAMELESS = "the ids stand for the rows in what is written"
ONE_EACH = "give one id for each row"


class MiningJob(NamedTuple):
    """Triplets that are ready to be mined: nothing but a sample has been looked at.

    blocks: the triplets, lazily; ids: what stands for each row, or None for row numbers
    forecast: how many triplets and bytes to expect, as a sentence; left_out: how many rows are, for holding nan
    warnings: where what was read may be wrong
    """

    kind: str
    strategy: str
    margin: float
    anchors: int
    blocks: Callable[[Any], Iterator[Mined]]
    ids: list[str] | None
    forecast: str
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


def choose_device(strategy: str, text: str) -> Device:
    """The device to find a strategy's triplets on: cpu, cuda, cuda:1 or auto, which takes the CPU without a kernel.

    Raises UsageError for a strategy without a kernel on CUDA, DeviceError for a device that is not there.
    """
    if strategy in mining.ON_DEVICE or not text.startswith(("cuda", "auto")):
        return choose(text)
    if text == "auto":
        return Device("cpu", f"auto: cpu, for {strategy} has no kernel for CUDA")
    raise UsageError(
        f"--device {text} with {strategy}",
        why=f"{strategy} has no kernel for CUDA; those that have: {', '.join(mining.ON_DEVICE)}",
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


def blocks(
    points: Points,
    strategy: str,
    options: dict[str, Any],
    workers: Workers,
    *,
    limit: int | None,
    progress: Any = None,
) -> Iterator[Mined]:
    """What a strategy takes of all anchors."""
    extra = {"count": limit} if strategy == "hardest" else {}
    return strategies.STRATEGIES[strategy](points, **options, **extra, threads=workers, progress=progress)


def prepare(
    opened: Prepared,
    strategy: str,
    options: dict[str, Any],
    workers: Workers,
    *,
    thinning: Thinning,
    ids: Field | None,
    kind: str,
    path: str | None,
) -> MiningJob:
    """Read the set, forecast the output, and refuse what would fill the disk. DataError, UsageError, FileError.

    workers: who compares blocks of anchors with all points
    """
    embeddings, points = points_of(opened)
    expected = _expected(points, strategy, options, thinning)
    if path is not None:
        _refuse_full_disk(path, expected.triplets * BYTES_EACH[kind])
    texts = None if ids is None else _texts(ids, len(points) + embeddings.facts.skipped)
    size = expected.triplets * BYTES_EACH[kind]
    about = "" if expected.is_exact else "about "
    forecast = f"{about}{expected.triplets:,} triplets, {about}{_size(size)}"

    def mine(progress: Any) -> Iterator[Mined]:
        return iter(thinning.of(blocks(points, strategy, options, workers, limit=thinning.limit, progress=progress)))

    return MiningJob(
        kind,
        strategy,
        options["margin"],
        points.anchors,
        mine,
        texts,
        forecast,
        embeddings.facts.skipped,
        opened.warnings,
    )


def _expected(points: Any, strategy: str, options: dict[str, Any], thinning: Thinning) -> mining.Estimate:
    if strategy in ("batch-hard", "easy-positive"):
        certain = strategy == "batch-hard" or options.get("fallback", "drop") != "drop"
        estimate = mining.Estimate(points.anchors, certain, points.anchors)
    elif strategy == "multi-similarity":
        estimate = mining.estimate_multi_similarity(points, margin=options["margin"])
    elif strategy in strategies.CHOOSERS:
        estimate = strategies.estimate(points, strategy, options)
    elif strategy in ("all", "hardest"):
        categories = options.get("categories", ("hard", "semi-hard"))
        estimate = mining.estimate_all(
            points, margin=options["margin"], categories=mining.CATEGORIES if strategy == "hardest" else categories
        )
    else:
        estimate = mining.estimate_pairs(points)
        certain = strategy == "distance-weighted" or (strategy == "semi-hard" and options.get("fallback") != "drop")
        estimate = mining.Estimate(estimate.triplets, certain, estimate.most)
    pairs = 0 if thinning.per_positive is None else mining.estimate_pairs(points).triplets
    most = thinning.most(points.anchors, pairs)
    if most is not None and most < estimate.triplets:
        is_exact = estimate.is_exact and thinning.per_positive is None
        return mining.Estimate(most, is_exact, most)
    return estimate if thinning.min_distance is None else mining.Estimate(estimate.triplets, False, estimate.most)


def _refuse_full_disk(path: str, size: int) -> None:
    folder = os.path.dirname(os.path.realpath(path)) or "."
    if not os.path.isdir(folder) or (os.path.exists(path) and not os.path.isfile(path)):
        return
    free = shutil.disk_usage(folder).free
    if size + KEPT_FREE > free:
        raise FileError(
            f"{path}: about {_size(size)} would be written, and {_size(free)} are free",
            why="a full disk harms more than this file",
            fix="write fewer with --limit or --per-anchor, or write to another disk",
        )


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


def write(job: MiningJob, path: str, inputs: Sequence[str], progress: Any = None) -> MiningSummary:
    """Mine and write block by block; the file is whole or not there. Returns what was written."""
    refuse_overwrite_of_inputs(path, [parse_source(text).path for text in inputs])
    with atomic_output(path) as file:
        writer = WRITERS[job.kind](file, job.ids)
        next(writer)
        summary, covered, loss = MiningSummary(job.strategy, path, all_anchors=job.anchors), set(), 0.0
        for block in job.blocks(progress):
            if len(block):
                writer.send(block)
                covered.update(block.rows[:, 0].tolist())
                loss += float(block.loss.sum())
                summary = _counted(summary, block, job.margin)
        with contextlib.suppress(StopIteration):
            writer.send(None)  # the end
    count = summary.triplets
    return summary._replace(
        anchors=len(covered),
        loss=loss / count if count else 0.0,
        bytes=os.path.getsize(path) if os.path.isfile(path) else 0,
    )


def _counted(summary: MiningSummary, block: Mined, margin: float) -> MiningSummary:
    hard = int(np.count_nonzero(block.d_an <= block.d_ap))
    costly = int(np.count_nonzero((block.loss > 0) | (block.d_an <= block.d_ap)))
    return summary._replace(
        triplets=summary.triplets + len(block),
        hard=summary.hard + hard,
        semi_hard=summary.semi_hard + costly - hard,
        easy=summary.easy + len(block) - costly,
    )


Writer = Generator[None, Any, None]  # takes Mined blocks, and None at the end


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
    """anchor, positive, negative, each (M,) int64, as losses in PyTorch take them; laid into files until M is known."""
    import tempfile
    import zipfile

    with contextlib.ExitStack() as stack:
        columns = [stack.enter_context(tempfile.TemporaryFile()) for _ in SIDES]
        count = 0
        while (block := (yield)) is not None:
            count += len(block)
            for column, rows in zip(columns, block.rows.T, strict=True):
                column.write(np.ascontiguousarray(rows, "<i8").tobytes())
        with zipfile.ZipFile(file, "w") as archive:
            for name, column in zip(SIDES, columns, strict=True):
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


def _write_csv(file: IO[bytes], ids: list[str] | None) -> Writer:
    import csv
    import io

    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("anchor", "positive", "negative", "d_ap", "d_an", "loss"))
    while (block := (yield)) is not None:
        rows.writerows((*triplet, *numbers) for triplet, numbers in _records(block, ids))
    text.flush()
    text.detach()


def _write_ndjson(file: IO[bytes], ids: list[str] | None) -> Writer:
    names = ("anchor", "positive", "negative", "d_ap", "d_an", "loss")
    while (block := (yield)) is not None:
        lines = (json.dumps(dict(zip(names, (*t, *n), strict=True))) + "\n" for t, n in _records(block, ids))
        file.write("".join(lines).encode())


def _records(block: Mined, ids: list[str] | None) -> Iterator[tuple[list[Any], tuple[float, float, float]]]:
    numbers = zip(block.d_ap.tolist(), block.d_an.tolist(), block.loss.tolist(), strict=True)
    for triplet, values in zip(block.rows.tolist(), numbers, strict=True):
        yield triplet if ids is None else [ids[row] for row in triplet], values


WRITERS: dict[str, Callable[[IO[bytes], list[str] | None], Writer]] = {
    "npy": _write_npy,
    "npz": _write_npz,
    "csv": _write_csv,
    "ndjson": _write_ndjson,
}
