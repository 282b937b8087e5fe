"""JSON: a list of objects, one a row, in constant memory."""

from __future__ import annotations

import codecs
import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import DataError
from ..text import shown
from .dialect import Dialect
from .jsonl import BOM, CHUNK, other_keys, stream_of, unique_keys
from .opening import Bytes
from .streams import Stream

LONGEST = 1 << 26  # characters of one object
MOST_ROWS = 1 << 12  # objects that are held at once
NEAR = 16  # characters at the end of what is read, in which a word may be cut
BLANKS = re.compile(r"[ \t\r\n]*")
CHECK = "check the command that wrote it"


def open_list(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Stream:
    """The keys of the first object are the columns. DataError for what is no object, or has other keys."""
    label = stretch.label
    first = next(_objects(stretch), None)
    if not first:
        raise DataError(f"{label}: row 0: an object without keys", fix=CHECK)
    names = tuple(first)

    def rows_of(rows: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        return _batches(stretch, names, rows)

    return stream_of(label, first, rows_of, lambda row: f"{label}: row {row}", dialect)


def _batches(stretch: Bytes, names: Sequence[str], rows: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    keys, row = set(names), 0
    batch: list[dict[str, Any]] = []
    for item in _objects(stretch):
        if item.keys() != keys:
            raise other_keys(item, names, f"{stretch.label}: row {row + len(batch)}")
        batch.append(item)
        if len(batch) == min(rows, MOST_ROWS):
            yield row, batch
            row, batch = row + len(batch), []
    if batch:
        yield row, batch


def _objects(stretch: Bytes) -> Iterator[dict[str, Any]]:
    """The objects of the list one after another. DataError at the first that is none, or at the end of half a list."""
    decoder = json.JSONDecoder(parse_constant=float, object_pairs_hook=unique_keys)
    text, at, row = _Text(stretch), 0, 0
    at = text.past_blanks(at) + 1  # the bracket
    while True:
        at = text.past_blanks(at)
        mark = text.character(at)
        if mark == "]" and row:
            break
        if row:
            if mark != ",":
                raise _not_json(stretch, row, "no comma and no ] after it" if mark else "the list has no end")
            at = text.past_blanks(at + 1)
        while True:
            try:
                item, at = decoder.raw_decode(text.held, at)
                break
            except (ValueError, RecursionError) as fault:
                if not _is_cut(fault, text, at) or not text.more():
                    raise _not_json(stretch, row, str(fault)) from fault
        if not isinstance(item, dict):
            raise DataError(
                f"{stretch.label}: row {row}: not an object",
                why="a list of JSON has one object a row",
                fix='write [{"pred": 0.5}, ...]',
            )
        yield item
        row += 1
        at = text.let_go(at)
    if text.character(text.past_blanks(at + 1)):
        raise DataError(f"{stretch.label}: goes on behind the list", why=f"it ends after row {row - 1}", fix=CHECK)


def _is_cut(fault: Exception, text: _Text, at: int) -> bool:
    """Whether an object may be no more than not read to its end."""
    if not isinstance(fault, json.JSONDecodeError) or len(text.held) - at > LONGEST:
        return False
    return fault.msg.startswith("Unterminated string") or fault.pos >= len(text.held) - NEAR


def _not_json(stretch: Bytes, row: int, what: str) -> DataError:
    return DataError(f"{stretch.label}: row {row}: not JSON: {shown(what)}", fix=CHECK)


class _Text:
    """The characters of a file, of which those that are still asked for are held."""

    def __init__(self, stretch: Bytes) -> None:
        self.stretch, self.held = stretch, ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._offset = len(BOM) if stretch.pread(0, min(3, stretch.size)) == BOM else 0

    def more(self) -> bool:
        """Hold as many again, at least a chunk; False at the end. DataError for what is not UTF-8."""
        length = min(max(CHUNK, len(self.held)), self.stretch.size - self._offset)
        if not length:
            return False
        content = self.stretch.pread(self._offset, length)
        self._offset += length
        try:
            self.held += self._decoder.decode(content, final=self._offset == self.stretch.size)
        except UnicodeDecodeError as fault:
            raise DataError(f"{self.stretch.label}: is not UTF-8", fix="write it as UTF-8") from fault
        return True

    def character(self, at: int) -> str:
        """The one at a place, "" at the end."""
        while at >= len(self.held):
            if not self.more():
                return ""
        return self.held[at]

    def past_blanks(self, at: int) -> int:
        """The place of the next that is no blank."""
        while self.character(at):
            match = BLANKS.match(self.held, at)
            assert match is not None
            at = match.end()
            if at < len(self.held):
                break
        return at

    def let_go(self, at: int) -> int:
        """Hold no longer what stands before a place, once it is much; the place from then on."""
        if at < CHUNK:
            return at
        self.held = self.held[at:]
        return 0
