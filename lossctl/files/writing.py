"""Output files that are the old one or the new one, never half."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from typing import IO, Any

from ..errors import FileError, UsageError
from .opening import label_of

UNDER_WAY: dict[str, str] = {}  # where the outputs of this process will be -> where they are now
OPEN_DESCRIPTOR = re.compile(r"/dev/std(?:out|err)|/(?:dev|proc/self)/fd/[0-9]+")


@contextlib.contextmanager
def atomic_output(path: str) -> Iterator[IO[bytes]]:
    """A binary file to write; it takes the place of `path` when the block ends well, and vanishes when it does not.

    The temporary file is in the same directory and is made on entry, so what forbids writing is known before the
    work. A symlink is followed; a device, a FIFO, or a descriptor such as /dev/stdout is written in place.
    FileError with the path and the reason; UsageError where another output that is not yet in place has that name;
    BrokenPipeError, in place only, when the reader has gone.
    """
    with _faults(path):
        old = _status(path)
        in_place = OPEN_DESCRIPTOR.fullmatch(path) or (old is not None and not stat.S_ISREG(old.st_mode))
    if in_place:
        with _written_in_place(path) as file:
            yield file
    else:
        with _replaced(path, old) as file:
            yield file


def abandon() -> None:
    """Take away what is not in place yet, before an end that no block sees."""
    for temporary in UNDER_WAY.values():
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def refuse_overwrite_of_inputs(path: str, inputs: Sequence[str]) -> None:
    """UsageError if the output is one of the inputs ("-" is stdin), by whatever name or link."""
    try:
        output = os.stat(path)
    except (OSError, ValueError):
        return
    for source in inputs:
        try:
            same = os.path.samestat(output, os.fstat(0) if source == "-" else os.stat(source))
        except (OSError, ValueError):
            continue
        if same:
            raise UsageError(
                f"the output {label_of(path)} is also an input", why="it would be lost", fix="choose another name"
            )


def refuse_shared_outputs(paths: Sequence[str | None]) -> None:
    """UsageError if two outputs are one file, by whatever name or link; None is no output."""
    targets: set[str] = set()
    for path in paths:
        if path is not None:
            _refuse_twice(path, targets)
            targets.add(os.path.realpath(path))


def _refuse_twice(path: str, others: Collection[str]) -> None:
    if os.path.realpath(path) in others:
        raise UsageError(
            f"{label_of(path)} is to hold two outputs", why="one would be lost", fix="give each a name of its own"
        )


class _Descriptor(io.RawIOBase):
    """Writes to a descriptor that it does not own, with faults that name the file."""

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor = descriptor
        self.path = path

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return stat.S_ISREG(os.fstat(self.descriptor).st_mode)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _faults(self.path):
            return os.lseek(self.descriptor, offset, whence)

    def write(self, piece: Any) -> int:
        with _faults(self.path):
            return os.write(self.descriptor, piece)


@contextlib.contextmanager
def _replaced(path: str, old: os.stat_result | None) -> Iterator[IO[bytes]]:
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    start = os.fsencode(name)[:60].decode(errors="ignore")
    temporary = os.path.join(folder, f".{start}.{os.urandom(6).hex()}.tmp")
    _refuse_twice(path, UNDER_WAY)
    descriptor = None
    try:  # before the file is there, since a signal may come as soon as it is
        with _faults(path):
            if old is not None and not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            UNDER_WAY[target] = temporary
            if old is not None:
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)
        with _buffered(descriptor, path) as file:
            yield file
        with _faults(path):
            os.fsync(descriptor)
            os.replace(temporary, target)
        _sync_folder(folder, path)
    finally:
        UNDER_WAY.pop(target, None)
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # after a replace that went well there is none
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


@contextlib.contextmanager
def _written_in_place(path: str) -> Iterator[IO[bytes]]:
    with _faults(path):
        if OPEN_DESCRIPTOR.fullmatch(path):
            # opening /dev/stdout again would truncate the file that a shell redirected it to
            number = {"/dev/stdout": 1, "/dev/stderr": 2}.get(path)
            descriptor = os.dup(int(path.rpartition("/")[2]) if number is None else number)
        else:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        with _buffered(descriptor, path) as file:
            yield file
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _buffered(descriptor: int, path: str) -> Iterator[IO[bytes]]:
    """A buffer that is flushed when the block ends well, and thrown away when it does not."""
    raw = _Descriptor(descriptor, path)
    file = io.BufferedWriter(raw, buffer_size=1 << 16)
    try:
        yield file
        if not file.closed:
            file.flush()
    finally:
        raw.close()


@contextlib.contextmanager
def _faults(path: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as fault:
        number = fault.errno if isinstance(fault, OSError) else None
        reason = os.strerror(number) if number else str(fault)
        raise FileError(f"{_name_of(path)}: cannot write: {reason}", fix=_remedy(number)) from fault


def _name_of(path: str) -> str:
    """What messages call an output: a link with what it points to."""
    try:
        return f"{label_of(path)} (a link to {label_of(os.readlink(path))})"
    except (OSError, ValueError):
        return label_of(path)


def _remedy(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "free some space, or write to another disk; the old file is as it was"
    return {
        errno.ENOENT: "make the directory first",
        errno.EACCES: "choose a place you may write to",
        errno.EROFS: "choose a place you may write to",
        errno.EISDIR: "name a file in it",
        errno.ENAMETOOLONG: "choose a shorter name",
        errno.ELOOP: "remove the link, or name a file",
    }.get(number or 0, "choose another place")


def _status(path: str) -> os.stat_result | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return status


def _sync_folder(folder: str, path: str) -> None:
    """Makes a new name outlast a power cut, where the directory may be read and its file system can; the file is in
    place whatever happens here."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as fault:
        if fault.errno not in (errno.EINVAL, errno.EACCES, errno.EPERM):
            raise FileError(
                f"{_name_of(path)}: is written, but its directory cannot be synced: {os.strerror(fault.errno or 0)}",
                why="the new file is in place; a power cut now may bring the old one back",
                fix="see what ails the disk, then run: sync",
            ) from fault
