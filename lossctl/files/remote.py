"""Files of object stores and of the web, by fsspec: s3://, gs://, https:// and what else it knows.

Credentials come from where each store keeps them (its environment variables and files) and are never shown.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import DataError, FileError
from ..text import shown
from .opening import Bytes, label_of, spool

IN_PIECES = (b"\x93NUMPY", b"PAR1", b"ARROW1")
DOWNLOAD = 8 << 20
ATTEMPTS, FIRST_PAUSE = 4, 0.5  # seconds, doubled each time
NEEDS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class RemoteBytes(Bytes):
    """A file elsewhere; each `pread` is a request. system: of fsspec;  key: the file in it"""

    system: Any = None
    key: str = ""

    def pread(self, position: int, length: int) -> bytearray:
        """Exactly `length` bytes from `position`; DataError if the file has become shorter, FileError."""
        if not length:
            return bytearray()
        begin = self.start + position
        content = _asked(self.label, lambda: self.system.cat_file(self.key, start=begin, end=begin + length))
        if len(content) != length:
            raise DataError(
                f"{self.label}: ends early, at byte {position + len(content)} of {self.size}",
                why="the file became shorter while it was read",
                fix="wait until it is written, then run again",
            )
        return bytearray(content)


def open_remote(path: str, closing: contextlib.ExitStack) -> Bytes:
    """The bytes behind an address, in a temporary file where their format is not read in pieces. FileError."""
    label = label_of(path)
    system, key = _system(path, label)
    about = _asked(label, lambda: system.info(key))
    if about.get("type") == "directory":
        raise FileError(f"{label}: is a directory", fix="name a file in it, or files: *.parquet")
    if about.get("size") is None:
        raise FileError(
            f"{label}: the server does not say how long it is", fix="download the file, and name it instead"
        )
    stretch = RemoteBytes(None, label, 0, int(about["size"]), system, key)
    if stretch.pread(0, min(6, stretch.size)).startswith(IN_PIECES):
        return stretch
    starts = range(0, stretch.size, DOWNLOAD)
    return spool((bytes(stretch.pread(at, min(DOWNLOAD, stretch.size - at))) for at in starts), label, closing)


def matching_remote(path: str) -> list[str]:
    """The addresses that a glob matches. FileError."""
    label = label_of(path)
    system, key = _system(path, label)
    keys = _asked(label, lambda: system.glob(key))
    return [system.unstrip_protocol(match) for match in keys]


def _system(path: str, label: str) -> tuple[Any, str]:
    protocol = path.partition("://")[0]
    try:
        import fsspec

        system, key = fsspec.core.url_to_fs(path)
    except ImportError as fault:
        needs = NEEDS.get(protocol, "fsspec")
        raise FileError(
            f"{label}: is read by fsspec and {needs}" if needs != "fsspec" else f"{label}: is read by fsspec",
            why=f"{fault.name or needs} is not installed",
            fix="pip install 'lossctl[remote]'",
        ) from fault
    except ValueError as fault:
        raise FileError(f"{label}: nothing here reads {protocol}://", fix="use s3://, gs:// or https://") from fault
    return system, key


def _asked(label: str, request: Callable[[], Answer]) -> Answer:
    """What a store answers, asked again after faults that may pass. FileError."""
    for attempt in itertools.count(1):
        try:
            return request()
        except FileNotFoundError as fault:
            raise FileError(f"{label}: no such file", fix="check the address, and the region of the store") from fault
        except PermissionError as fault:
            raise FileError(
                f"{label}: permission denied", fix="check the credentials in the environment, and who may read it"
            ) from fault
        except Exception as fault:
            if attempt == ATTEMPTS:
                reason = re.sub(r"https?://\S+", "...", str(fault)).strip().splitlines() or [""]
                raise FileError(
                    f"{label}: cannot read, tried {ATTEMPTS} times: {type(fault).__name__}: {shown(reason[0])}",
                    fix="check the network and the credentials in the environment, then run again",
                ) from fault
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
    raise AssertionError("a request is answered, or fails")
