"""Sources: `PATH::SELECTOR`, whatever the format, opened as frames."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import DataError, UsageError
from ..text import STDIN
from .arrays import Arrays, of_array, of_members
from .frames import Field, Frame
from .npy import hold, open_npy
from .opening import NPY, ZIP, Bytes, open_bytes
from .reading import Block, blocks, digest

if TYPE_CHECKING:
    from .tables import Table

__all__ = ["Block", "Field", "Frame", "Source", "blocks", "digest", "frame_of", "open_source", "parse_source"]


@dataclass(frozen=True)
class Source:
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


def open_source(
    path: str, *, header: bool | None = None, delimiter: str | None = None, allow_missing: bool = False
) -> Frame:
    """The file as a frame, its format told by its first bytes; a context manager. FileError, DataError.

    header, delimiter: for CSV; what the first row is, what separates cells
    allow_missing: a row of a CSV with a missing cell becomes nan, and categories that are missing None, instead of an
        error
    """
    closing = contextlib.ExitStack()
    try:
        stretch = open_bytes(path, closing)
        content, kind = _content(stretch, closing, header, delimiter, allow_missing)
        content = replace(content, allow_missing=allow_missing) if isinstance(content, Arrays) else content
    except BaseException:
        closing.close()
        raise
    return Frame(path, kind, content, closing)


def _content(
    stretch: Bytes, closing: contextlib.ExitStack, header: bool | None, delimiter: str | None, allow_missing: bool
) -> tuple[Arrays | Table, str]:
    magic = bytes(stretch.pread(0, min(6, stretch.size)))
    if magic.startswith(NPY):
        return of_array(open_npy(stretch), stretch.label), "npy"
    if magic.startswith(ZIP):
        from .npz import open_npz

        return of_members(open_npz(stretch, closing), stretch.label), "npz"
    from .tables import open_table

    return open_table(stretch, header, delimiter, allow_missing), "csv"


def frame_of(value: object, name: str, allow_missing: bool = False) -> Frame:
    """A frame over an array in memory, or over a dict of them; the rules are those for files. DataError."""
    if not isinstance(value, dict):
        held_one = replace(of_array(hold(value, name), name), allow_missing=allow_missing)
        return Frame(name, "npy", held_one, contextlib.ExitStack())
    if not value:
        raise DataError(f"{name}: no arrays in it")
    held = {str(key): hold(one, f"{name}: key '{key}'") for key, one in value.items()}
    fetch = tuple((lambda array=array: array) for array in held.values())
    layouts = tuple(array.layout for array in held.values())
    content = Arrays(name, layouts, fetch, tuple(held), "key", allow_missing)
    return Frame(name, "npz", content, contextlib.ExitStack())
