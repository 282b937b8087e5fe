"""Sources: `PATH::SELECTOR`, whatever the format, opened as frames."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import NamedTuple

from ..errors import LossctlError, UsageError
from ..text import STDIN
from .dialect import PLAIN, Dialect
from .formats import open_content
from .frames import Field, Frame
from .opening import open_bytes, public
from .reading import (
    DIGEST_ROWS,
    Block,
    Leaves,
    block_rows,
    blocks,
    digest,
    digest_of,
    held,
    leaves,
    numbers_of,
    place_of,
)

__all__ = [
    "DIGEST_ROWS",
    "Block",
    "Field",
    "Frame",
    "Leaves",
    "Source",
    "block_rows",
    "blocks",
    "digest",
    "digest_of",
    "held",
    "leaves",
    "numbers_of",
    "open_source",
    "opened_once",
    "parse_source",
    "place_of",
]


KEPT: ContextVar[dict[tuple[str, Dialect], Frame | LossctlError] | None] = ContextVar("KEPT", default=None)


class Source(NamedTuple):
    """A file and which of its columns are meant; `str(source)` gives the text back. Path "-" is stdin."""

    path: str
    selector: str | None = None

    def __str__(self) -> str:
        return self.path if self.selector is None else f"{self.path}::{self.selector}"


def parse_source(text: str) -> Source:
    """`PATH` or `PATH::SELECTOR`; a path that itself contains `::` is taken whole if that file exists. UsageError."""
    path, mark, selector = text.partition("::")
    if mark and text != "-" and not os.path.exists(text):
        at = text.rfind("::")
        while at > 0 and not os.path.exists(text[:at]):
            at = text.rfind("::", 0, at)
        if at > 0:
            path, selector = text[:at], text[at + 2 :]
    elif mark:
        path, mark = text, ""
    if not path:
        raise UsageError(f"no file in '{text}'", fix="write PATH or PATH::COLUMN; - is stdin")
    return Source("-" if path == STDIN else path, selector if mark else None)


def open_source(path: str | Sequence[str], dialect: Dialect = PLAIN) -> Frame:
    """The file as a frame, its format told by its first bytes; a context manager. FileError, DataError.

    path: a file, a glob such as preds/*.parquet, or several files, which are read as one, in their natural order
    """
    if isinstance(path, str) and not set("*?[") & set(path):
        return _open_file(path, dialect)
    from .shards import matching, open_shards

    paths = matching(path) if isinstance(path, str) else tuple(path)
    if len(paths) == 1:
        return _open_file(paths[0], dialect)
    content, format = open_shards(paths, lambda shard: _open_file(shard, dialect))
    return Frame(content.label, format, content, contextlib.ExitStack())


@contextlib.contextmanager
def opened_once() -> Iterator[None]:
    """Inside of it a file is fetched, unpacked and looked at once, however often it is opened; so is its fault."""
    kept: dict[tuple[str, Dialect], Frame | LossctlError] = {}
    token = KEPT.set(kept)
    try:
        yield
    finally:
        KEPT.reset(token)
        for frame in kept.values():
            if isinstance(frame, Frame):
                frame.close()


def _open_file(path: str, dialect: Dialect) -> Frame:
    kept = KEPT.get()
    if kept is None:
        return _opened(path, dialect)
    if (path, dialect) not in kept:
        try:
            kept[path, dialect] = _opened(path, dialect)
        except LossctlError as fault:
            kept[path, dialect] = fault
    frame = kept[path, dialect]
    if isinstance(frame, LossctlError):
        raise frame
    return Frame(frame.path, frame.format, frame.content, contextlib.ExitStack())


def _opened(path: str, dialect: Dialect) -> Frame:
    closing = contextlib.ExitStack()
    try:
        content, format = open_content(open_bytes(path, closing), closing, dialect)
    except BaseException:
        closing.close()
        raise
    return Frame(public(path), format, content, closing)
