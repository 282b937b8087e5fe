"""NPZ: the arrays of a ZIP file, each one an NPY file that is checked before it is taken out."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import DataError
from ..text import shown
from .arrays import Arrays, of_keys
from .dialect import Dialect
from .npy import HEAD, Layout, Stored, read_layout
from .opening import PIECE, Bytes, refuse_bomb, spool

MOST_MEMBERS = 10_000
AGAIN = "write it again with np.savez"


@dataclass(frozen=True)
class Member:
    """One array of an NPZ: its layout is known, its bytes are fetched (and their CRC checked) by `open`."""

    key: str
    layout: Layout
    open: Callable[[], Stored]


def opened(stretch: Bytes, closing: contextlib.ExitStack) -> zipfile.ZipFile:
    """A ZIP file with its list of members read. DataError for a broken one, or one of too many members."""
    with _zip_faults(stretch.label):
        archive = closing.enter_context(zipfile.ZipFile(stretch.reader()))
        count = len(archive.infolist())
    if count > MOST_MEMBERS:
        raise DataError(f"{stretch.label}: {count} arrays", why=f"more than {MOST_MEMBERS}", fix="save fewer")
    return archive


def open_npz(archive: zipfile.ZipFile, stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Arrays:
    """The arrays of an NPZ file in their order, layouts checked. DataError for anything np.savez would not write."""
    label = stretch.label
    entries = archive.infolist()
    if not entries:
        raise DataError(f"{label}: an NPZ without arrays", fix="write it again with np.savez")
    names = [entry.filename for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise DataError(f"{label}: two members are called '{shown(twice)}'", fix="write it again with np.savez")
    members = tuple(_member(archive, entry, label, closing) for entry in entries)
    for member in members:
        if member.layout.dtype.names:
            raise DataError(
                f"{label}: key '{shown(member.key)}' is a structured array", fix="save each of its fields as a key"
            )
    return of_keys(label, {member.key: (member.layout, member.open) for member in members}, dialect.allow_missing)


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, label: str, closing: contextlib.ExitStack) -> Member:
    place = f"{label}: '{shown(entry.filename)}'"
    if not entry.filename.endswith(".npy"):
        raise DataError(f"{place} is not an array", why="an NPZ holds NPY files only", fix=AGAIN)
    check_entry(entry, place, label)
    key = entry.filename.removesuffix(".npy")
    with _zip_faults(place), archive.open(entry) as stream:
        head = stream.read(HEAD)
    layout = read_layout(head, entry.file_size, f"{label}: key '{shown(key)}'")

    def fetch() -> Stored:
        stretch = spool(member_pieces(archive, entry, place), label, closing)
        return Stored(layout, stretch)

    return Member(key, layout, fetch)


def check_entry(entry: zipfile.ZipInfo, place: str, label: str) -> None:
    """DataError for a member that is encrypted, compressed unusually, damaged, or made to fill a disk."""
    if entry.flag_bits & 0x41:
        raise DataError(f"{place} is encrypted", fix=AGAIN)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{place} is compressed by method {entry.compress_type}", fix=AGAIN)
    if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
        raise DataError(f"{place} declares two sizes, {entry.compress_size} and {entry.file_size}", fix=AGAIN)
    refuse_bomb(place, entry.compress_size, entry.file_size)


def member_pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: str) -> Iterator[bytes]:
    """The bytes of a member; its CRC is checked at the end. DataError."""
    size = 0
    with contextlib.ExitStack() as closing:
        with _zip_faults(place):
            stream = closing.enter_context(archive.open(entry))
        while True:
            with _zip_faults(place):
                piece = stream.read(PIECE)
            if not piece:
                break
            size += len(piece)
            yield piece
    if size != entry.file_size:
        raise DataError(f"{place} has {size} bytes, not the {entry.file_size} it declares", fix="write it again")


@contextlib.contextmanager
def _zip_faults(place: str) -> Iterator[None]:
    """zipfile raises some nine types on damaged files; all mean the same here."""
    try:
        yield
    except DataError:
        raise
    except Exception as fault:
        reason = shown(str(fault)) or type(fault).__name__
        raise DataError(f"{place}: broken NPZ: {reason}", fix="copy it again, or write it with np.savez") from fault
