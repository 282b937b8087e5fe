"""From a path to bytes that can be read at any position: plain files in place, others through a temporary file.

A mapped file that is truncated by somebody else kills the process with SIGBUS, so files are read with pread.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO, Any, NamedTuple, Protocol

from ..errors import DataError, FileError
from ..text import escaped, shown

NPY, ZIP = b"\x93NUMPY", (b"PK\x03\x04", b"PK\x05\x06")  # a ZIP with members, and an empty one
PIECE = 1 << 20
PATIENCE = 10.0  # seconds in which somebody should open a named pipe for writing
MOST_RATIO, RATIO_MATTERS_FROM = 1000, 64 << 20


class Readable(Protocol):
    """A stream of decompressed bytes."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Bytes:
    """A readable stretch of an open file. `pread` may be called by several threads at once.

    label: what messages call the file;  start, size: where the stretch begins in the file and how long it is
    is_unpacked: it was decompressed
    """

    file: IO[bytes] | io.FileIO | None
    label: str
    start: int
    size: int
    is_unpacked: bool = False

    @property
    def is_local(self) -> bool:
        """Whether reading it costs no request."""
        return self.file is not None

    def pread(self, position: int, length: int) -> bytes:
        """`length` bytes from `position` (counted from `start`). DataError where the stretch has not so many, or
        the file has become shorter."""
        self.check(position, length)
        content = b""
        while len(content) < length:
            done = len(content)
            try:
                assert self.file is not None
                piece = os.pread(self.file.fileno(), length - done, self.start + position + done)
            except OSError as fault:
                raise FileError(f"{self.label}: cannot read: {fault.strerror}") from fault
            if not piece:
                raise DataError(
                    f"{self.label}: ends early, at byte {position + done} of {self.size}",
                    why="the file became shorter while it was read",
                    fix="wait until it is written, then run again",
                )
            content = content + piece if content else piece
        return content

    def check(self, position: int, length: int) -> None:
        """DataError where the stretch has no such bytes: before there is memory for them."""
        if not 0 <= position <= position + length <= self.size:
            raise DataError(
                f"{self.label}: has {self.size} bytes, and speaks of {position}..{position + length}",
                why="it is damaged, or cut short",
                fix="copy it again, or write it again",
            )

    def reader(self) -> io.BufferedReader:
        """The stretch as a seekable file with a position of its own."""
        return io.BufferedReader(_Window(self), buffer_size=1 << 16)


class _WithNewlines(Bytes):
    def pread(self, position: int, length: int) -> bytes:
        return Bytes.pread(self, position, length).replace(b"\r", b"\n")


def with_newlines(stretch: Bytes) -> Bytes:
    """A text whose lines end with CR, with LF in their place."""
    return _WithNewlines(stretch.file, stretch.label, stretch.start, stretch.size)


class _Window(io.RawIOBase):
    def __init__(self, stretch: Bytes) -> None:
        self.stretch = stretch
        self.position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        position = offset + (0, self.position, self.stretch.size)[whence]
        if position < 0:
            raise OSError(22, "negative position")
        self.position = position
        return position

    def readinto(self, buffer: Any) -> int:
        length = max(0, min(len(buffer), self.stretch.size - self.position))
        buffer[:length] = self.stretch.pread(self.position, length)
        self.position += length
        return length


def label_of(path: str) -> str:
    """What messages call a file."""
    return "stdin" if path == "-" else escaped(public(path))


def public(path: str) -> str:
    """A path, or one with a selector, as it may be shown: an address without its user, password and query, which may
    be secret."""
    if not is_remote(path):
        return path
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(path)
    except ValueError:  # [ without ]
        return f"{path.partition('://')[0]}://..."
    _, mark, selector = f"{parts.query}#{parts.fragment}".partition("::")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{mark}{selector.removesuffix('#')}"


def is_remote(path: str) -> bool:
    """Whether it is the address of a file elsewhere, s3://bucket/key, and no path of this machine."""
    return "://" in path and re.match(r"[a-z][a-z0-9+.-]+://", path) is not None and not os.path.lexists(path)


def open_bytes(path: str, closing: contextlib.ExitStack) -> Bytes:
    """The file's bytes, decompressed (gz, zst, bz2, xz); `closing` closes what was opened. FileError, DataError."""
    label = label_of(path)
    if path == "-":
        stretch = _open_stdin(label, closing)
    elif is_remote(path):
        from .remote import open_remote

        stretch = open_remote(path, closing)
    else:
        stretch = _open_path(path, label, closing)
    if stretch.size == 0:
        raise DataError(f"{label}: is empty", fix="check the command that wrote it")
    packing = _packing(stretch)
    if packing is None:
        return stretch
    stretch = _unpacked(stretch, packing.stream(stretch), packing.name, closing)
    if stretch.size == 0:
        raise DataError(f"{label}: is empty once decompressed", fix="check the command that wrote it")
    if _packing(stretch) is not None:
        raise DataError(f"{label}: is compressed twice", fix="decompress it once")
    return stretch


def spool(pieces: Iterator[bytes], label: str, closing: contextlib.ExitStack) -> Bytes:
    """The pieces in an unnamed temporary file; memory holds one piece at a time. FileError when the disk is full."""
    try:
        file = closing.enter_context(_temporary())
    except OSError as fault:
        raise FileError(f"no temporary file for {label}: {fault.strerror}", fix="set TMPDIR") from fault
    size = 0
    for piece in pieces:
        _write_all(file, piece, label)
        size += len(piece)
    return Bytes(file, label, 0, size)


def _temporary() -> IO[bytes]:
    import tempfile

    return tempfile.TemporaryFile(buffering=0)


def _write_all(file: IO[bytes], piece: bytes, label: str) -> None:
    view = memoryview(piece)
    while view:
        try:
            view = view[file.write(view) :]
        except OSError as fault:
            raise FileError(
                f"cannot keep a temporary copy of {label}: {fault.strerror}",
                fix="free some space there, or set TMPDIR to another disk",
            ) from fault


def _open_path(path: str, label: str, closing: contextlib.ExitStack) -> Bytes:
    try:
        file = closing.enter_context(io.FileIO(path, opener=_without_waiting))
        status = os.fstat(file.fileno())
    except FileNotFoundError as fault:
        target = f" (a link to {label_of(os.readlink(path))})" if os.path.islink(path) else ""
        raise FileError(f"{label}{target}: no such file", fix=nearby(path)) from fault
    except IsADirectoryError as fault:
        raise FileError(f"{label}: is a directory", fix="name a file in it") from fault
    except PermissionError as fault:
        raise FileError(f"{label}: permission denied", fix=f"make it readable: chmod u+r {label}") from fault
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise FileError(f"{label}: cannot open: {reason}", fix="check the path") from fault
    if stat.S_ISREG(status.st_mode):
        return Bytes(file, label, 0, status.st_size)
    if stat.S_ISFIFO(status.st_mode):
        return spool(_pieces_of_pipe(file, label), label, closing)
    raise FileError(f"{label}: is a device, not a file", fix="copy what is needed of it into a file")


def _without_waiting(path: str, flags: int) -> int:
    """A pipe opens at once, also where nobody has opened it for writing."""
    return os.open(path, flags | os.O_NONBLOCK)


def _pieces_of_pipe(file: io.FileIO, label: str) -> Iterator[bytes]:
    """What a named pipe gives; FileError where nobody opens it for writing for a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            first = file.read(PIECE)
        except OSError as fault:
            raise FileError(f"{label}: cannot read: {fault.strerror}") from fault
        if first is None or first:  # None: somebody has opened it, and will write
            break
        if time.monotonic() > deadline:
            raise FileError(
                f"{label}: nobody has written to this pipe for {PATIENCE:g} s",
                why="reading would wait for ever",
                fix="start the command that writes to it first",
            )
        time.sleep(0.01)
    os.set_blocking(file.fileno(), True)
    if first:
        yield first
    yield from _pieces(file.read, label)


def nearby(path: str) -> str:
    """What to do where there is no such file."""
    import difflib

    folder, name = os.path.split(path)
    if os.path.islink(path):
        return f"make {label_of(os.readlink(path))}, or link to another file"
    if variable := re.search(r"\$([A-Za-z_][A-Za-z0-9_]*)", path):
        return f"write ${{{variable[1]}}} in a suite, and outside of single quotes in a shell"
    try:
        names = os.listdir(folder or ".")
    except (OSError, ValueError):
        return "check the path"
    stem, ending = os.path.splitext(name)
    near = difflib.get_close_matches(stem, [os.path.splitext(other)[0] for other in names], n=3, cutoff=0.7)
    near = [other for stem in near for other in names if os.path.splitext(other)[0] == stem]
    near.sort(key=lambda other: os.path.splitext(other)[1] != ending)
    return f"did you mean {escaped(os.path.join(folder, near[0]))}?" if near else "check the path"


def _open_stdin(label: str, closing: contextlib.ExitStack) -> Bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise FileError("stdin: is closed", fix="pipe a file in, or name one")
    stream: Any = getattr(sys.stdin, "buffer", sys.stdin)
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return spool(_pieces(stream.read, label), label, closing)
    if not stat.S_ISREG(status.st_mode):
        return spool(_pieces(stream.read, label), label, closing)
    try:
        file = closing.enter_context(io.FileIO(os.dup(stream.fileno())))
        start = os.lseek(file.fileno(), 0, os.SEEK_CUR)
    except OSError as fault:
        raise FileError(f"stdin: cannot read: {fault.strerror}") from fault
    return Bytes(file, label, start, max(status.st_size - start, 0))


def _pieces(read: Callable[[int], bytes], label: str) -> Iterator[bytes]:
    while True:
        try:
            piece = read(PIECE)
        except OSError as fault:
            raise FileError(f"{label}: cannot read: {fault.strerror}") from fault
        if not piece:
            return
        yield piece


def _unpacked(packed: Bytes, stream: Readable, kind: str, closing: contextlib.ExitStack) -> Bytes:
    return replace(spool(_unpacked_pieces(packed, stream, kind), packed.label, closing), is_unpacked=True)


def _unpacked_pieces(packed: Bytes, stream: Readable, kind: str) -> Iterator[bytes]:
    size = 0
    while True:
        try:
            piece = stream.read(PIECE)
        except (DataError, FileError):
            raise
        except Exception as fault:  # BadGzipFile, EOFError, zlib.error, ZstdError, whichever library is there
            reason = shown(str(fault))
            raise DataError(f"{packed.label}: broken {kind} data: {reason}", fix="make the file again") from fault
        if not piece:
            return
        size += len(piece)
        refuse_bomb(packed.label, packed.size, size)
        yield piece


def refuse_bomb(label: str, packed: int, size: int) -> None:
    """DataError when `packed` bytes become more than a thousand times as many, 64 MiB or more."""
    if size > RATIO_MATTERS_FROM and size > MOST_RATIO * packed:
        raise DataError(
            f"{label}: {packed} bytes would become {size} or more",
            why=f"data that shrinks more than {MOST_RATIO} times is nearly always made to fill a disk",
            fix="decompress it by hand if it is yours",
        )


def _gzip_stream(packed: Bytes) -> Readable:
    import gzip

    return gzip.GzipFile(fileobj=packed.reader(), mode="rb")


def _zstd_stream(packed: Bytes) -> Readable:
    opener = _zstd_opener()
    if opener is None:
        raise FileError(
            f"{packed.label}: is compressed with zstd, which this Python cannot read", fix="pip install zstandard"
        )
    return opener(packed.reader())


def _zstd_opener() -> Callable[[io.BufferedReader], Readable] | None:
    import importlib

    for name in ("compression.zstd", "zstandard"):
        try:
            module: Any = importlib.import_module(name)
        except ImportError:
            continue
        if name == "zstandard":
            return functools.partial(module.ZstdDecompressor().stream_reader, read_across_frames=True)
        return functools.partial(module.ZstdFile, mode="rb")
    return None


def _bzip2_stream(packed: Bytes) -> Readable:
    import bz2

    return bz2.BZ2File(packed.reader(), "rb")


def _xz_stream(packed: Bytes) -> Readable:
    import lzma

    return lzma.LZMAFile(packed.reader(), "rb")


class Packing(NamedTuple):
    """A way of compressing a file: how it begins, and what unpacks it."""

    name: str
    magic: re.Pattern[bytes]
    stream: Callable[[Bytes], Readable]


PACKINGS = (
    Packing("gzip", re.compile(rb"\x1f\x8b"), _gzip_stream),
    Packing("zstd", re.compile(rb"\x28\xb5\x2f\xfd"), _zstd_stream),
    Packing("bzip2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), _bzip2_stream),
    Packing("xz", re.compile(rb"\xfd7zXZ\x00"), _xz_stream),
)


def _packing(stretch: Bytes) -> Packing | None:
    magic = stretch.pread(0, min(16, stretch.size))
    return next((packing for packing in PACKINGS if packing.magic.match(magic)), None)
