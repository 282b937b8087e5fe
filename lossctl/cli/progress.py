"""One line on a terminal that tells how far the work is, drawn anew in its place and gone at the end."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

SILENT = 1.0  # seconds before there is anything to see, and after which the reading may speak again
PAUSE = 0.1  # seconds between two drawings
LEAST = 10  # characters of a bar, else there is none
shown: list[Bar] = []


class Bar:
    """What is done, of how many where that is known, a bar, and the time that is left."""

    def __init__(self, stream: Any, unit: str, total: int | None) -> None:
        self.stream, self.unit, self.total, self.title = stream, unit, total, ""
        self.started = self.told = time.monotonic()
        self.drawn = 0.0
        self.line = ""
        self.process = os.getpid()
        self.drawing = threading.Lock()

    def update(self, done: int, of: int | None = None) -> None:
        """So many are done, of `of` where that is no longer the total that was told."""
        self.told = time.monotonic()
        self._show(done, self.total if of is None else of, self.unit)

    def read(self, done: int, of: int | None) -> None:
        """So many rows are read; what is told by `update` goes first."""
        if time.monotonic() - self.told >= SILENT:
            self._show(done, of, "rows read")

    def name(self, title: str) -> None:
        """What begins now stands in front."""
        self.title, self.started = title, time.monotonic()
        self._write(_cut(f"{title} ...", self._width()))

    def erase(self) -> None:
        """Leave the line as it was."""
        if self.line:
            self._put("\r\033[K")
            self.line = ""

    def _show(self, done: int, of: int | None, unit: str) -> None:
        now = time.monotonic()
        if os.getpid() != self.process or now - self.started < SILENT or now - self.drawn < PAUSE:
            return
        self.drawn = now
        of = of if of and of >= done else None
        count = f"{done:,} of {of:,} {unit}" if of else f"{done:,} {unit}"
        left = (
            f"{_clock((now - self.started) * (of - done) / done)} left" if of and done else _clock(now - self.started)
        )
        lead = " ".join(filter(None, (self.title, count)))
        width = self._width()
        room = width - len(lead) - len(left) - 4
        bar = f"  {_bar(done / of, room, self.stream)}" if of and room >= LEAST else ""
        self._write(_cut(f"{lead}{bar}  {left}", width))

    def _width(self) -> int:
        try:
            columns = os.get_terminal_size(self.stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        return max((columns or 80) - 1, 1)  # 0 where a terminal does not tell

    def _write(self, line: str) -> None:
        if not self.drawing.acquire(blocking=False):  # another thread draws; never waited for, in a signal or a fork
            return
        try:
            if line != self.line:
                self._put(f"\r{line}\033[K")
                self.line = line
        finally:
            self.drawing.release()

    def _put(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self.stream.write(text)
            self.stream.flush()


def _bar(share: float, width: int, stream: Any) -> str:
    unicode = (getattr(stream, "encoding", "") or "").lower().startswith("utf")
    full, empty = ("━", "─") if unicode else ("#", ".")
    return full * int(share * width) + empty * (width - int(share * width))


def _cut(text: str, width: int) -> str:
    from ..text import escaped

    text = escaped(text)
    return text if len(text) <= width else text[:width]


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@contextlib.contextmanager
def bar(unit: str, total: int | None) -> Iterator[Bar]:
    """A bar on stderr while the block runs, also of what it reads."""
    from ..files.reading import watchers

    line = Bar(sys.stderr, unit, total)
    shown.append(line)
    watchers.append(line.read)
    try:
        yield line
    finally:
        watchers.remove(line.read)
        shown.remove(line)
        line.erase()
