"""Files of object stores and of the web, by fsspec: s3://, gs://, https:// and what else it knows.

Credentials come from where each store keeps them (its environment variables and files) and are never shown.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from ..errors import DataError, FileError, LossctlError
from ..text import shown
from . import again
from .opening import Bytes, label_of, spool

IN_PIECES = (b"\x93NUMPY", b"PAR1", b"ARROW1")
HEAD, DOWNLOAD = 6, 8 << 20
ATTEMPTS, FIRST_PAUSE = 4, 0.5  # seconds, doubled each time
ABSENT, DENIED = (404, 410), (401, 403)  # what a server of HTTP says of a file that it does not give
WEB = ("http", "https")
OF_WEB = {"client_kwargs": {"trust_env": True}}  # ~/.netrc and proxies
NEEDS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
Answer = TypeVar("Answer")


VERSIONS = (  # what stores call that by which a file differs from another of the same name and length
    *("ETag", "etag", "VersionId", "generation", "md5Hash", "md5", "Content-MD5", "sha"),
    *("LastModified", "last_modified", "Last-Modified", "updated", "mtime", "modified", "created"),
)
CHECKED_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class RemoteBytes(Bytes):
    """A file elsewhere; each `pread` is a request.

    system: of fsspec;  key: the file in it;  version: which file it was when it was opened;  checked: when that was
    asked last
    """

    system: Any = None
    key: str = ""
    version: dict[str, str] = field(default_factory=dict)
    checked: list[float] = field(default_factory=lambda: [time.monotonic()])

    def refuse_another(self) -> None:
        """DataError if another file has taken its place, FileError."""
        self.checked[0] = time.monotonic()
        version = _version(_about(self.system, self.key, self.label))
        other = [name for name in self.version.keys() & version.keys() if self.version[name] != version[name]]
        if other:
            raise DataError(
                f"{self.label}: another file has taken its place while it was read",
                why=f"its {sorted(other)[0]} is another one, and what was read is part of both",
                fix="wait until it is written, then run again",
            )

    def pread(self, position: int, length: int) -> bytes:
        """Exactly `length` bytes from `position`; DataError if the file has become shorter, FileError."""
        if not length:
            return b""
        begin = self.start + position
        content = _asked(self.label, lambda: self.system.cat_file(self.key, start=begin, end=begin + length))
        if len(content) != length:
            raise DataError(
                f"{self.label}: ends early, at byte {position + len(content)} of {self.size}",
                why="the file became shorter while it was read",
                fix="wait until it is written, then run again",
            )
        if time.monotonic() > self.checked[0] + CHECKED_EVERY:
            self.refuse_another()
        return bytes(content)


def open_remote(path: str, closing: contextlib.ExitStack) -> Bytes:
    """The bytes behind an address, in a temporary file where their format is not read in pieces. FileError."""
    label = label_of(path)
    system, key = _system(path, label)
    about = _about(system, key, label)
    if about.get("type") == "directory":
        raise FileError(f"{label}: is a directory", fix="name a file in it, or files: *.parquet")
    length = about.get("size")
    stretch = RemoteBytes(None, label, 0, int(length or 0), system=system, key=key, version=_version(about))
    head = b"" if length is None else _asked(label, lambda: _head(stretch, path.partition("://")[0] in WEB))
    if length is None or len(head) > min(HEAD, stretch.size):
        copy = _asked(label, lambda: _streamed(stretch, length, closing))
        stretch.refuse_another()
        return copy
    if head.startswith(IN_PIECES):
        closing.push(lambda kind, fault, trace: stretch.refuse_another() if kind is None else None)
        return stretch
    starts = range(0, stretch.size, DOWNLOAD)
    copy = spool((stretch.pread(at, min(DOWNLOAD, stretch.size - at)) for at in starts), label, closing)
    stretch.refuse_another()
    return copy


def _head(stretch: RemoteBytes, is_of_web: bool) -> bytes:
    """The first bytes; one more than that from a server that gives no pieces."""
    if not is_of_web:
        return stretch.pread(0, min(HEAD, stretch.size))
    asked = {"size": stretch.size, "headers": {"Range": f"bytes=0-{HEAD - 1}"}}
    with stretch.system.open(stretch.key, "rb", block_size=0, **asked) as stream:
        return bytes(stream.read(HEAD + 1)) if stretch.size else b""


def _streamed(stretch: RemoteBytes, length: int | None, closing: contextlib.ExitStack) -> Bytes:
    """The file of a server that gives no pieces of it, in a temporary file. OSError where it ends early."""
    with contextlib.ExitStack() as attempt:
        stream = attempt.enter_context(stretch.system.open(stretch.key, "rb", block_size=0))
        copy = spool(iter(partial(stream.read, DOWNLOAD), b""), stretch.label, attempt)
        if length is not None and copy.size != length:
            raise OSError(f"ends early, at byte {copy.size} of {length}")
        closing.push(attempt.pop_all())
    return copy


def _about(system: Any, key: str, label: str) -> dict[str, Any]:
    """What the store says of a file now, and not what it said before."""

    def ask() -> dict[str, Any]:
        system.invalidate_cache()
        return dict(system.info(key))

    return _asked(label, ask)


def _version(about: dict[str, Any]) -> dict[str, str]:
    return {name: str(about[name]) for name in (*VERSIONS, "size") if about.get(name) is not None}


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

        system, key = fsspec.core.url_to_fs(path, **(OF_WEB if protocol in WEB else {}))
    except ImportError as fault:
        needs, missing = NEEDS.get(protocol, "fsspec"), getattr(fault.__cause__ or fault, "name", None)
        raise FileError(
            f"{label}: is read by fsspec and {needs}" if needs != "fsspec" else f"{label}: is read by fsspec",
            why=f"{missing or needs} is not installed",
            fix="pip install 'lossctl[remote]'",
        ) from fault
    except Exception as fault:
        if isinstance(fault, ValueError) and protocol not in fsspec.available_protocols():
            raise FileError(f"{label}: nothing here reads {protocol}://", fix="use s3://, gs:// or https://") from None
        raise FileError(f"{label}: cannot open: {_reason(fault)}", fix="check the address") from None
    return system, key


def _asked(label: str, request: Callable[[], Answer]) -> Answer:
    """What a store answers, asked again after faults that may pass. FileError."""
    for attempt in itertools.count(1):
        try:
            return request()
        except LossctlError:
            raise
        except Exception as raised:
            fault = _origin(raised)
            if isinstance(fault, PermissionError) or getattr(fault, "status", None) in DENIED:
                raise FileError(
                    f"{label}: permission denied", fix="check the credentials in the environment, and who may read it"
                ) from None
            if isinstance(fault, FileNotFoundError):
                raise FileError(
                    f"{label}: no such file", fix="check the address, and the region of the store"
                ) from None
            if attempt == ATTEMPTS:
                raise FileError(
                    f"{label}: cannot read, tried {ATTEMPTS} times: {_reason(fault)}",
                    fix="check the network and the credentials in the environment, then run again",
                ) from None  # a traceback would show what is left out here
            again.count({f"requests to {'/'.join(label.split('/')[:3])}": 1})
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
    raise AssertionError("a request is answered, or fails")


def _origin(fault: Exception) -> BaseException:
    """What went wrong where fsspec calls every fault of a web server an absent file."""
    cause = fault.__cause__
    is_of_the_web = isinstance(cause, OSError) or type(cause).__module__.startswith("aiohttp")
    is_absent = getattr(cause, "status", None) in ABSENT
    return cause if cause and isinstance(fault, FileNotFoundError) and is_of_the_web and not is_absent else fault


SECRETS = re.compile(  # addresses, user:password@host, and what is called like a secret
    r"[a-z][a-z0-9+.-]*://\S+|\S+:\S+@\S+"
    r"|\S*(?:key|token|secret|signature|passw|credential|authorization|sig)\w*['\"]?\s*[=:]\s*"
    r"['\"]?(?:(?:bearer|basic|aws4\S*)\s+)?\S+",
    re.IGNORECASE,
)


def _reason(fault: BaseException) -> str:
    """What a library says, in a line, without what may be secret in it."""
    lines = SECRETS.sub("...", str(fault)).strip().splitlines() or [""]
    return f"{type(fault).__name__}: {shown(lines[0])}"
