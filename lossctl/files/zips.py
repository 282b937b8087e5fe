"""A ZIP file: the arrays of np.savez, what torch.save wrote, or one table."""

from __future__ import annotations

import contextlib
import zipfile
from shlex import quote

from ..errors import DataError
from ..text import piped, shown
from .dialect import Dialect
from .formats import FORMATS, Opened, open_content
from .npz import check_entry, member_pieces, open_npz, opened
from .opening import Bytes, spool


def open_zip(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Opened:
    """By what its members are called. DataError where there are several tables in it."""
    label = stretch.label
    archive = opened(stretch, closing)
    entries = [entry for entry in archive.infolist() if not _is_beside(entry)]
    names = [entry.filename for entry in entries]
    if any(name.endswith("data.pkl") for name in names):
        return next(format for format in FORMATS if format.name == "torch").open(stretch, closing, dialect)
    if "[Content_Types].xml" in names:
        raise DataError(f"{label}: is an Office document", fix="export the sheet as CSV")
    if not names or any(name.endswith(".npy") for name in names):
        return Opened(open_npz(archive, stretch, closing, dialect), "npz")
    if len(entries) == 1 and not entries[0].filename.endswith("/"):
        return _single(archive, entries[0], stretch, closing, dialect)
    listed = ", ".join(map(shown, names[:5])) + (", ..." if len(names) > 5 else "")
    raise DataError(
        f"{label}: a ZIP of {len(names)} files, and no NPZ: '{shown(names[0])}' is not an array",
        why=f"one of them must be meant: {listed}",
        fix=" or ".join(piped(f"unzip -p {quote(label)}", name) for name in names[:2]),
    )


def _is_beside(entry: zipfile.ZipInfo) -> bool:
    """What a Mac puts beside the files."""
    return entry.filename.startswith("__MACOSX/") or entry.filename.endswith(".DS_Store")


def _single(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect
) -> Opened:
    place = f"{stretch.label}: '{shown(entry.filename)}'"
    check_entry(entry, place, stretch.label)
    inner = spool(member_pieces(archive, entry, place), place, closing)
    if inner.size == 0:
        raise DataError(f"{place} is empty", fix="check the command that wrote it")
    if inner.pread(0, min(4, inner.size)).startswith(b"PK\x03\x04"):
        raise DataError(f"{place} is a ZIP in a ZIP", fix=f"unzip {stretch.label}, and name what is in it")
    return open_content(inner, closing, dialect)
