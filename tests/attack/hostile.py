"""Hostile files in every command that reads them: a number or one clear error, soon, in little memory.

python tests/attack/hostile.py [--all] [WORD ...]

Every file is given to three commands and to one of the others in turn, with --all to all of them.  WORD: only the files
whose names hold one of the words.

Of each run it asks: an exit code of the documented ones, no traceback, an error that names the file, an end within
SECONDS of processors, at most BYTES more memory than before, no file left in the temporary folder, the input as it was.
"""

import bz2
import collections
import gzip
import io
import json
import lzma
import os
import pickle
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lossctl.cli import app

SECONDS, BYTES = 10.0, 1 << 30  # of processors, and of memory beyond that of the start
LONGEST = 120.0  # seconds by the clock, which others may use too
CODES = {0, 1, 2, 3, 4}
NAMED = {3, 4}  # whose messages name a file
COMMANDS = {
    "table": (
        "compute mse {file}",
        "compute bce {file} -r none --na skip",
        "info {file}",
        "compute mse {file} --ci --by {file}::1",
        "compute mse {good} {file}",
        "compute mse {good}::pred {good}::target -w {file}",
        "compare {file} {good}::pred -y {good}::target --loss mse",
        "parity mse {file}",
        "reconcile 0.5 {file}",
        "compute gini {file}",
        "suggest {file}",
        "triplets {file}",
        "triplets {set}::emb {file}",
        "mine semi-hard {file} -o {out}.npy",
    ),
    "set": (
        "triplets {file} {labels}",
        "triplets {set} --ref {file} --ref-label {labels}",
        "compute supcon {file} {labels}",
        "compute batch-hard {file} {labels} --distance cosine",
        "compute triplet {file} --index {index}",
        "triplets {set}::emb --index {file}",
        "mine semi-hard {file} {labels} -o {out}.npy",
        "info {file}",
    ),
    "suite": ("run {file}", "run {file} --report {out}.html"),
    "baseline": (
        "compute mse {good} --baseline {file} --max-increase 10%",
        "run {suite} --baseline {file} --max-increase 10%",
        "bench -n 16 --baseline {file}",
    ),
}

Make = bytes | Callable[[Path], None]


# --- files


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def headed(header: str, body: bytes = b"", version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    """An NPY file with this header."""
    text = header.encode("latin-1" if version[0] < 3 else "utf-8", "surrogateescape")
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes(version) + size + text + body


def described(dtype: str = "'<f8'", shape: str = "(4, 2)", order: str = "False") -> str:
    return f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def arrays() -> Iterator[tuple[str, Make]]:
    """Damaged, lying and unusual NPY files."""
    good = npy(np.array([[0.5, 1.0], [0.25, 0.0], [0.125, 1.0], [0.75, 0.0]]))
    body = good[-64:]
    for cut in (1, 5, 6, 8, 9, 10, 11, 40, 127, 128, 129, 136, len(good) - 1):
        yield f"cut at {cut}", good[:cut]
    for at in range(10):
        yield f"byte {at} flipped", good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
    yield "trailing byte", good + b"\0"
    yield "two arrays", good + good
    for version in ((1, 0), (2, 0), (3, 0), (4, 0), (0, 0), (255, 255)):
        yield f"version {version[0]}.{version[1]}", headed(described(), body, version)
    yield "header of 4 GB", headed(described(), body, (2, 0), 2**32 - 1)
    yield "header of 20 kB", headed(described() + " " * 20000, body, (2, 0))
    yield "header of one kind of bracket", headed("(" * 9000, body)
    yield "header that runs", headed("__import__('os').system('touch {out}')", body)
    yield "header with a lambda", headed("{'descr': (lambda: 1)(), 'fortran_order': False, 'shape': (4, 2)}", body)
    yield "header without shape", headed("{'descr': '<f8', 'fortran_order': False}", body)
    yield "header with more", headed("{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2), 'x': 1}", body)
    yield "header that is a list", headed("['<f8', False, (4, 2)]", body)
    yield "header of NUL", headed("\0" * 100, body)
    for shape in (
        "()",
        "(-1,)",
        "(-4, -2)",
        "(4,)",
        "(0,)",
        "(0, 2)",
        "(4, 0)",
        "(2, 4)",
        "(8,)",
        "(4, 2, 1)",
        "(1, 4, 2)",
        "(1,) * 10**9",
        "(10**30,)",
        f"(0, {2**63 - 1})",
        f"({2**63 - 1}, 0)",
        f"({2**63},)",
        f"({2**62}, 4)",
        "(4.0, 2)",
        "('4', 2)",
        "(True, 8)",
        "None",
        "4",
        "[4, 2]",
        "(99999999999, 2)",
        f"({2**31}, {2**31})",
        str((1,) * 64),
        str((2,) * 40),
    ):
        yield f"shape {shape[:24]}", headed(described(shape=shape), body)
    for dtype in (
        "'|O'",
        "'<c16'",
        "'<M8[s]'",
        "'<m8'",
        "'|V8'",
        "'|V0'",
        "'<U0'",
        "'|S0'",
        "'<U2'",
        "'|S8'",
        "'<f16'",
        "'<f3'",
        "'>f8'",
        "'<i8'",
        "'>u2'",
        "'|b1'",
        "'<U999999999'",
        "'|S2147483647'",
        "''",
        "'f8,f8'",
        "'nonsense'",
        "None",
        "[('a', '<f8'), ('b', '<f8')]",
        "[('a', '<f8'), ('a', '<f8')]",
        "[('a', '|O')]",
        "[]",
        "[('', '<f8')]",
        "[('a', '<f8', (999999, 999999))]",
        "[('a', [('b', '<f8')])]",
        "('<f8', (2,))",
        "{'names': ['a'], 'formats': [1]}",
        "[('\\x1b[2J', '<f8'), ('b', '<f8')]",
    ):
        yield f"dtype {dtype[:24]}", headed(described(dtype), body)
        yield f"dtype {dtype[:24]}, one row", headed(described(dtype, "(1,)"), body[:8])
    for order in ("True", "1", "None", "'F'"):
        yield f"order {order}", headed(described(order=order), body)
    yield "pickled objects", npy(np.array([{"a": 1}, [2]], object))
    yield "objects that run", headed(described("'|O'", "(1,)"), pickle.dumps(Runs()))


class Runs:
    """What a pickle would run."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch /tmp/lossctl-attack-ran",)


def values() -> Iterator[tuple[str, Make]]:
    """NPY files that are in order, with values that are not."""
    base = np.array([[0.5, 1.0], [0.25, 0.0], [0.125, 1.0], [0.75, 0.0]])
    for value in (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, -0.0, 1.5, -1.0, 2**53 + 1.0, 1e-320):
        for place in ((0, 0), (3, 1)):
            changed = base.copy()
            changed[place] = value
            yield f"{value!r} at {place}", npy(changed)
    for value in (np.nan, np.inf, 0.0, -1.0, 1e308, 5e-324):
        yield f"all {value!r}", npy(np.full((4, 2), value))
    signalling = base.copy()
    signalling.view(np.uint64)[1, 0] = 0x7FF0000000000001
    yield "signalling nan", npy(signalling)
    yield "signalling nan in float32", npy(np.array([[0x7F800001, 0], [0, 0]], np.uint32).view(np.float32))
    yield "one row", npy(base[:1])
    yield "one column", npy(base[:, :1])
    yield "one number", npy(np.float64(1))
    yield "no rows", npy(base[:0])
    yield "no columns", npy(base[:, :0])
    yield "three columns", npy(np.hstack([base, base[:, :1]]))
    yield "a row of 100000", npy(np.zeros((2, 100_000)))
    yield "a cube", npy(np.zeros((4, 2, 2)))
    yield "labels as text", npy(np.array(["a", "b", "a", "\x1b[31m"]))
    yield "labels of bytes", npy(np.array([b"a", b"\xff", b"a", b""]))
    for value in (2**64 - 1, 2**63, 2**53 + 1):
        yield f"label {value}", npy(np.array([value, 0, 1, 1], np.uint64))
    yield "label -2^63", npy(np.array([-(2**63), 0, 1, 1]))
    yield "labels 1.5", npy(np.array([1.5, 0, 1, 1]))
    yield "one class", npy(np.zeros(4))
    yield "no two alike", npy(np.arange(4))


def sets() -> Iterator[tuple[str, Make]]:
    """Embeddings and indexes that nothing can be made of, and some that are only odd."""
    x = np.random.default_rng(0).normal(size=(6, 3))
    for name, value in {
        "zeros": 0.0,
        "nan": np.nan,
        "inf": np.inf,
        "huge": 1e300,
        "beyond": 1.7e308,
        "tiny": 5e-324,
    }.items():
        changed = x.copy()
        changed[2] = value
        yield f"a row of {name}", npy(changed)
        yield f"all {name}", npy(np.full((6, 3), value))
    yield "5 rows", npy(x[:5])
    yield "no rows", npy(x[:0])
    yield "no columns", npy(x[:, :0])
    yield "one row", npy(x[:1])
    yield "one column", npy(x[:, :1])
    yield "4 columns", npy(np.hstack([x, x[:, :1]]))
    yield "equal rows", npy(np.repeat(x[:1], 6, axis=0))
    yield "text", npy(np.array([["a", "b", "c"]] * 6))
    yield "complex", npy(x.astype(complex))
    for name, rows in {
        "-1": [[-1, 0, 1]],
        "6": [[0, 1, 6]],
        "2^53": [[0, 1, 2**53]],
        "itself": [[0, 0, 1]],
        "itself as negative": [[0, 1, 0]],
    }.items():
        yield f"index {name}", npy(np.array(rows))
    yield "index 0.5", npy(np.array([[0.5, 1, 2]]))
    yield "index nan", npy(np.array([[np.nan, 1, 2]]))
    yield "index of 2 columns", npy(np.array([[0, 1]]))
    yield "index without rows", npy(np.zeros((0, 3), int))


def archives() -> Iterator[tuple[str, Make]]:
    """NPZ and other ZIP files."""
    one, two = npy(np.array([0.5, 0.25])), npy(np.array([1.0, 0.0]))

    def packed(members: list[tuple[str, bytes]], how: int = zipfile.ZIP_STORED) -> bytes:
        stream = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", how) as archive:
            warnings.simplefilter("ignore")
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name), content, how)
        return stream.getvalue()

    good = packed([("pred.npy", one), ("target.npy", two)])
    yield "npz", good
    yield "twice the same", packed([("pred.npy", one), ("pred.npy", two)])
    for name in (
        "\0pred.npy",
        "pred\0.npy",
        "../../pred.npy",
        "/etc/pred.npy",
        "",
        ".npy",
        "a/b/pred.npy",
        "\x1b[2Jpred.npy",
        "p" * 60000 + ".npy",
        "\u202epred.npy",
        "C:\\pred.npy",
    ):
        yield f"member {name[:20]!r}", packed([(name, one), ("target.npy", two)])
    yield "no members", packed([])
    yield "one folder", packed([("folder/", b"")])
    yield "text inside", packed([("readme.txt", b"hello"), ("pred.npy", one)])
    yield "two tables", packed([("a.csv", b"pred,target\n1,2\n"), ("b.csv", b"1,2\n")])
    yield "a zip in a zip", packed([("inner.zip", good)])
    yield "a zip in a zip as npy", packed([("inner.npy", good)])
    yield "an empty member", packed([("pred.npy", b""), ("target.npy", two)])
    yield "unequal members", packed([("pred.npy", npy(np.zeros(3))), ("target.npy", two)])
    yield "objects inside", packed([("pred.npy", npy(np.array([{}], object))), ("target.npy", two)])
    yield "10000 members", packed([(f"k{k}.npy", one) for k in range(10_000)])
    yield (
        "a bomb of zeros",
        packed([("pred.npy", headed(described(shape="(25000000,)"), bytes(200_000_000)))], zipfile.ZIP_DEFLATED),
    )
    yield "bzip2 inside", packed([("pred.npy", one), ("target.npy", two)], zipfile.ZIP_BZIP2)
    yield "xz inside", packed([("pred.npy", one), ("target.npy", two)], zipfile.ZIP_LZMA)
    encrypted = bytearray(good)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[good.index(mark) + place] |= 1
    yield "encrypted", bytes(encrypted)
    for mark, place, name in (
        (b"PK\x01\x02", 16, "crc"),
        (b"PK\x01\x02", 20, "packed size"),
        (b"PK\x01\x02", 24, "size"),
        (b"PK\x01\x02", 42, "place"),
        (b"PK\x05\x06", 8, "count"),
        (b"PK\x05\x06", 12, "directory size"),
        (b"PK\x05\x06", 16, "directory place"),
        (b"PK\x03\x04", 26, "length of the name"),
        (b"PK\x03\x04", 8, "method"),
    ):
        for number in (b"\xff\xff", b"\x01\x80", b"\0\0"):
            at = good.index(mark) + place
            yield f"{name} {number.hex()}", good[:at] + number + good[at + 2 :]
    for cut in (2, 4, 30, len(good) // 2, len(good) - 22, len(good) - 1):
        yield f"cut at {cut}", good[:cut]
    yield "something before", b"hello" * 10 + good
    yield "something behind", good + b"hello"


def tables() -> Iterator[tuple[str, Make]]:
    """Text tables."""
    head, good = b"pred,target\n", b"0.5,1\n0.25,0\n"
    yield from {
        "csv": head + good,
        "empty": b"",
        "a newline": b"\n",
        "newlines": b"\n" * 1000,
        "spaces": b"   \n  \n",
        "bom": b"\xef\xbb\xbf",
        "bom and head": b"\xef\xbb\xbf" + head,
        "head": head,
        "two boms": b"\xef\xbb\xbf" * 2 + head + good,
        "no last newline": head + b"0.5,1",
        "cr": (head + good).replace(b"\n", b"\r"),
        "crlf": (head + good).replace(b"\n", b"\r\n"),
        "mixed ends": head + b"0.5,1\r\n0.25,0\r0.1,1\n",
        "blank row": head + b"0.5,1\n\n0.25,0\n",
        "ragged": head + b"0.5,1\n0.25\n",
        "too wide": head + b"0.5,1\n0.25,0,3\n",
        "quotes": b'"pred","target"\n"0.5","1"\n',
        "open quote": head + b'"0.5,1\n0.25,0\n',
        "quote within": head + b'0"5,1\n',
        "a quoted newline": b'"pr\ned",target\n0.5,1\n',
        "same names": b"pred,pred\n0.5,1\n",
        "no names": b",\n0.5,1\n",
        "numbers as names": b"1,2\n0.5,1\n",
        "hex": head + b"0x1p-1,1\n",
        "underscores": head + b"1_000,1\n",
        "thousands": head + b'"1,000",1\n',
        "full width": head + "\uff10.\uff15,1\n".encode(),
        "arabic": head + "\u0660.\u0665,1\n".encode(),
        "minus sign": head + "\u22120.5,1\n".encode(),
        "na": head + b"NA,1\n0.5,0\n",
        "nan": head + b"nan,1\n0.5,0\n",
        "empty cell": head + b",1\n0.5,0\n",
        "inf": head + b"inf,1\n0.5,0\n",
        "1e400": head + b"1e400,1\n",
        "1e-400": head + b"1e-400,1\n",
        "400 digits": head + b"9" * 400 + b",1\n",
        "a million digits": head + b"0." + b"3" * 1_000_000 + b",1\n",
        "1e99999999999": head + b"1e99999999999,1\n",
        "nul": head + b"0.5\0,1\n",
        "nuls": bytes(1000),
        "latin-1": "prédiction,target\n0.5,1\n".encode("latin-1"),
        "utf-16": "pred,target\n0.5,1\n".encode("utf-16"),
        "utf-16 without bom": "pred,target\n0.5,1\n".encode("utf-16-le"),
        "utf-32": "pred,target\n0.5,1\n".encode("utf-32"),
        "cut character": head + b"0.5,\xe2\x82",
        "surrogate": head + b"\xed\xa0\x80,1\n",
        "overlong": head + b"\xc0\xaf,1\n",
        "escapes in names": b"pred\x1b[2J,target\n0.5,1\n",
        "escapes in cells": head + b"\x1b]0;x\x07,1\n",
        "bidi": "pred\u202e,target\n0.5,1\n".encode(),
        "formulas": head + b"=1+1,1\n",
        "semicolons": b"pred;target\n0,5;1\n",
        "tabs": b"pred\ttarget\n0.5\t1\n",
        "spaces between": b"pred target\n0.5 1\n",
        "pipes": b"pred|target\n0.5|1\n",
        "a label 2": head + b"0.5,2\n",
        "a label -1 and 0": head + b"0.5,-1\n0.5,0\n",
        "text labels": head + b"0.5,cat\n0.2,dog\n",
        "all na": head + b"NA,NA\n" * 5,
        "json": b'{"pred": 0.5, "target": 1}',
        "html": b"<!DOCTYPE html><html></html>",
        "a path": b"/etc/passwd",
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n",
        "random": np.random.default_rng(0).bytes(5000),
        "200000 columns": b",".join(b"c%d" % k for k in range(200_000)) + b"\n" + b",".join([b"1"] * 200_000) + b"\n",
        "a line of 64 MB": b"0" * (64 << 20),
        "64 MB of commas": b"," * (64 << 20),
        "64 MB of quotes": b'"' * (64 << 20),
        "64 MB of newlines": b"\n" * (64 << 20),
        "a quoted cell of 64 MB": head + b'"' + b"x" * (64 << 20) + b'",1\n',
        "a name of 1 MB": b"x" * (1 << 20) + b",target\n0.5,1\n",
    }.items()


def lines() -> Iterator[tuple[str, Make]]:
    """JSON lines."""
    good = b'{"pred": 0.5, "target": 1}\n'
    yield from {
        "good": good,
        "not closed": good + b'{"pred": 0.5',
        "a list": good + b"[0.5, 1]\n",
        "a number": good + b"1\n",
        "null": good + b"null\n",
        "another key": good + b'{"pred": 0.5, "truth": 1}\n',
        "a key less": good + b'{"pred": 0.5}\n',
        "keys twice": b'{"pred": 0.5, "pred": 0.6, "target": 1}\n',
        "nan": b'{"pred": NaN, "target": 1}\n',
        "infinity": b'{"pred": -Infinity, "target": 1}\n',
        "1e400": b'{"pred": 1e400, "target": 1}\n',
        "400 digits": b'{"pred": ' + b"9" * 400 + b', "target": 1}\n',
        "5000 digits": b'{"pred": ' + b"9" * 5000 + b', "target": 1}\n',
        "true": b'{"pred": true, "target": 1}\n',
        "text": b'{"pred": "0.5", "target": 1}\n',
        "a dict": b'{"pred": {"a": 1}, "target": 1}\n',
        "lists": b'{"pred": [0.5, 1], "target": 1}\n{"pred": [0.5], "target": 1}\n',
        "an empty list": b'{"pred": [], "target": []}\n',
        "deep": b'{"pred": ' + b"[" * 100_000 + b"]" * 100_000 + b', "target": 1}\n',
        "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"\n",
        "a lone surrogate": b'{"pred": "\\ud800", "target": 1}\n',
        "a nul": b'{"pred\\u0000": 0.5, "target": 1}\n',
        "an escape": b'{"\\u001b[2J": 0.5, "target": 1}\n',
        "an empty key": b'{"": 0.5, "target": 1}\n',
        "blank lines": b"\n\n" + good,
        "comments": b"// x\n" + good,
        "one object": b'{"pred": [0.5, 1], "target": [1, 0]}',
        "not utf-8": b'{"pred\xff": 0.5, "target": 1}\n',
        "100000 keys": json.dumps({f"k{k}": 1 for k in range(100_000)}).encode(),
        "64 MB of brackets": b"{" * (64 << 20),
    }.items()


def packed_files() -> Iterator[tuple[str, Make]]:
    """Compressed files; their names end in .csv and the first bytes tell what they are."""
    good = b"pred,target\n0.5,1\n0.25,0\n"
    for name, pack in {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}.items():
        content = pack(good)
        yield name, content
        yield f"{name} cut", content[:-4]
        yield f"{name} cut short", content[:12]
        yield f"{name} flipped", content[:15] + bytes([content[15] ^ 0x55]) + content[16:]
        yield f"{name} and more", content + b"hello"
        yield f"{name} twice", pack(content)
        yield f"{name} of nothing", pack(b"")
        yield f"{name} two members", content + pack(b"0.125,1\n")
        yield f"{name} bomb", pack(bytes(256 << 20))
    yield "zstd magic", b"\x28\xb5\x2f\xfd" + b"\0" * 20
    yield "gzip magic", b"\x1f\x8b"


def others() -> Iterator[tuple[str, Make]]:
    """The other binary formats, each with numbers that lie."""
    big = struct.pack("<i", 2**31 - 1)
    yield "a.fvecs", struct.pack("<i", 2) + struct.pack("<2f", 0.5, 1)
    yield "wide.fvecs", big + b"\0" * 100
    yield "negative.fvecs", struct.pack("<i", -5) + b"\0" * 100
    yield "uneven.fvecs", struct.pack("<i2f", 2, 0, 1) + struct.pack("<i3f", 3, 0, 1, 2)
    yield "a.safetensors", struct.pack("<Q", 2**60) + b'{"a":1}'
    for name, header in {
        "offsets": {"pred": {"dtype": "F64", "shape": [2], "data_offsets": [0, 2**60]}},
        "negative": {"pred": {"dtype": "F64", "shape": [-2], "data_offsets": [0, 16]}},
        "shape": {"pred": {"dtype": "F64", "shape": [2**62, 2**62], "data_offsets": [0, 16]}},
        "overlap": {k: {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]} for k in ("pred", "target")},
        "type": {"pred": {"dtype": "Q9", "shape": [2], "data_offsets": [0, 16]}},
        "list": [1, 2],
        "nothing": {},
    }.items():
        text = json.dumps(header).encode()
        yield f"{name}.safetensors", struct.pack("<Q", len(text)) + text + bytes(16)
    yield "deep.safetensors", struct.pack("<Q", 200_000) + b'{"a":' + b"[" * 199_995
    yield "a word.txt", b"1000000000000 300\ncat 0.1 0.2 0.3\n"
    yield "a word.bin", b"1000000000000 300\ncat " + bytes(100)
    yield "a pickle.pt", pickle.dumps({"pred": [1.0], "run": Runs()})
    yield "a pickle.pkl", pickle.dumps(Runs())
    yield "faiss.index", b"IxF2" + struct.pack("<iqqq", 4, 2**40, 0, 0) + bytes(64)
    yield "png.png", b"\x89PNG\r\n\x1a\n" + bytes(50)
    yield "hdf5.h5", b"\x89HDF\r\n\x1a\n" + bytes(200)
    yield "arrow stream.arrow", b"\xff\xff\xff\xff\x10\x00\x00\x00" + bytes(100)
    yield "parquet.parquet", b"PAR1" + bytes(20) + struct.pack("<I", 2**31) + b"PAR1"
    yield "parquet of nothing.parquet", b"PAR1PAR1"
    yield "arrow.arrow", b"ARROW1\0\0" + bytes(20) + struct.pack("<i", 2**31 - 1) + b"ARROW1"
    for name in ("torch", "pyarrow", "h5py"):
        yield from _written(name)


def _written(library: str) -> Iterator[tuple[str, Make]]:
    """Files of a library if it is installed: as written, cut, and with a stretch in them overwritten."""
    stream = io.BytesIO()
    try:
        if library == "torch":
            import torch

            torch.save({"pred": torch.zeros(4), "target": torch.ones(4)}, stream)
            written = {"pt": stream.getvalue()}
            stream = io.BytesIO()
            torch.save(Runs(), stream)
            written["runs.pt"] = stream.getvalue()
        elif library == "pyarrow":
            import pyarrow.feather
            import pyarrow.parquet

            table = pyarrow.table(
                {"pred": [0.5, 0.25, None], "target": [1.0, 0.0, 1.0], "note": ["a", None, "\x1b[2J"]}
            )
            pyarrow.parquet.write_table(table, stream)
            written = {"parquet": stream.getvalue()}
            stream = io.BytesIO()
            pyarrow.feather.write_feather(table, stream)
            written["feather"] = stream.getvalue()
        else:
            import h5py

            with h5py.File(stream, "w") as file:
                file["pred"], file["target"] = np.zeros(4), np.ones(4)
            written = {"h5": stream.getvalue()}
    except ImportError:
        return
    for ending, content in written.items():
        yield f"good.{ending}", content
        for cut in (4, 16, len(content) // 2, len(content) - 8, len(content) - 1):
            yield f"cut at {cut}.{ending}", content[:cut]
        for place in (
            8,
            len(content) // 3,
            len(content) // 2,
            len(content) - 100,
            len(content) - 30,
            len(content) - 12,
        ):
            for filler in (b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0" * 8):
                yield f"{filler[-2:].hex()} at {place}.{ending}", content[:place] + filler + content[place + 8 :]


def suites() -> Iterator[tuple[str, Make]]:
    entry = "  - {loss: mse, inputs: [good.csv]}\n"
    for name, text in {
        "good": "losses:\n" + entry,
        "empty": "",
        "nothing": "losses:\n",
        "a list": "- 1\n- 2\n",
        "a text": "hello\n",
        "a number": "1\n",
        "a tag": "losses: !!python/object/apply:os.system ['touch /tmp/lossctl-attack-ran']\n",
        "a set": "losses: !!set {a, b}\n",
        "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nlosses: [*b, *b]\n",
        "itself": "losses: &a [*a]\n",
        "merge": "losses:\n  - <<: {loss: mse}\n",
        "keys twice": "losses:\n" + entry + "losses:\n" + entry,
        "keys twice within": "losses:\n  - {loss: mse, loss: bce, inputs: [good.csv]}\n",
        "tabs": "losses:\n\t- loss: mse\n",
        "not closed": "losses: [{loss: mse",
        "a nul": "losses:\0\n",
        "control": "losses:\x1b[2J\n",
        "deep": "[" * 20_000,
        "deep maps": "{a: " * 5_000,
        "deep lists": "- " * 5_000 + "x\n",
        "two documents": "losses:\n" + entry + "---\nlosses: []\n",
        "2 MB": "losses:\n" + entry + "#" * (2 << 20),
        "2 MB of entries": "losses:\n" + entry * 50_000,
        "unknown key": "losses:\n  - {loss: mse, colour: red}\n",
        "unknown loss": "losses:\n  - {loss: msee, inputs: [good.csv]}\n",
        "a loss that is a list": "losses:\n  - {loss: [mse], inputs: [good.csv]}\n",
        "no file": "losses:\n  - {loss: mse, inputs: [missing.csv]}\n",
        "inputs of numbers": "losses:\n  - {loss: mse, inputs: [1, 2]}\n",
        "inputs of null": "losses:\n  - {loss: mse, inputs: null}\n",
        "a huge number": "losses:\n  - {loss: mse, inputs: [good.csv], max: " + "9" * 5000 + "}\n",
        "1e400": "losses:\n  - {loss: mse, inputs: [good.csv], max: 1e400}\n",
        "a date": "losses:\n  - {loss: mse, inputs: [good.csv], max: 2020-01-01}\n",
        "binary": "losses:\n  - {loss: mse, inputs: [good.csv], name: !!binary aGVsbG8=}\n",
        "names that move": 'losses:\n  - {loss: mse, inputs: [good.csv], name: "\\e[2J"}\n',
        "a variable": "losses:\n  - {loss: mse, inputs: ['${MISSING_OF_LOSSCTL}']}\n",
        "a pattern": "losses:\n  - {loss: mse, inputs: ['*.nothing']}\n",
        "itself as input": "losses:\n  - {loss: mse, inputs: [file.yaml]}\n",
        "a matrix": "losses:\n  - {loss: mse, inputs: [good.csv], matrix: {reduction: ["
        + ", ".join(["mean"] * 300)
        + "]}}\n",
        "resamples": "losses:\n  - {loss: mse, inputs: [good.csv], ci: 0.95, resamples: 99999999999999999999}\n",
        "a seed": "losses:\n  - {loss: mse, inputs: [good.csv], ci: 0.95, seed: " + "9" * 400 + "}\n",
        "a device": "losses:\n  - {loss: mse, inputs: [/dev/zero]}\n",
        "a folder": "losses:\n  - {loss: mse, inputs: [/tmp]}\n",
    }.items():
        yield name, text.encode()
    yield "utf-16", "losses:\n".encode("utf-16")
    yield "not utf-8", b"losses: \xff\n"
    yield "random", np.random.default_rng(1).bytes(5000)
    yield "a zip", b"PK\x03\x04" + bytes(100)


def baselines() -> Iterator[tuple[str, Make]]:
    one = '{"schema": "lossctl/1", "results": [%s]}'
    for name, text in {
        "empty": "",
        "a list": "[]",
        "an object": "{}",
        "null": "null",
        "a number": "1",
        "nan": "NaN",
        "not closed": '{"results": [',
        "deep": "[" * 100_000,
        "400 digits": one % ('{"loss": "mse", "value": ' + "9" * 400 + "}"),
        "5000 digits": one % ('{"loss": "mse", "value": ' + "9" * 5000 + "}"),
        "1e400": one % '{"loss": "mse", "value": 1e400}',
        "text": one % '{"loss": "mse", "value": "0.5"}',
        "no value": one % '{"loss": "mse"}',
        "a value of null": one % '{"loss": "mse", "value": null}',
        "value list": '{"loss": "mse", "value": [1]}',
        "keys twice": '{"loss": "mse", "loss": "bce", "value": 1}',
        "results of numbers": one % "1, 2",
        "results of null": one % "null",
        "escapes": one % '{"loss": "\\u001b[2J", "value": 1}',
        "100000 results": one % ",".join(['{"loss": "mse", "value": 1}'] * 100_000),
    }.items():
        yield name, text.encode()
    yield "not utf-8", b'{"loss": "\xff"}'
    yield "utf-16", "{}".encode("utf-16")
    yield "random", np.random.default_rng(2).bytes(5000)
    yield "64 MB of spaces", b" " * (64 << 20)


def paths() -> Iterator[tuple[str, Make]]:
    """What is no plain file."""
    yield "a folder", lambda path: path.mkdir()
    yield "a link to nothing", lambda path: path.symlink_to("nothing")
    yield "a link to itself", lambda path: path.symlink_to(path.name)
    yield "a link to zeros", lambda path: path.symlink_to("/dev/zero")
    yield "a link to nothing at all", lambda path: path.symlink_to("/dev/null")
    yield "a link to random", lambda path: path.symlink_to("/dev/urandom")
    yield "a socket", _socket
    yield "no file", lambda path: None
    yield "a file of 400 GB", lambda path: _sparse(path, b"", 400_000_000_000)


def _socket(path: Path) -> None:
    import socket

    socket.socket(socket.AF_UNIX).bind(os.path.relpath(path))


def _sparse(path: Path, head: bytes, size: int) -> None:
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + size)


def wide() -> Iterator[tuple[str, Make]]:
    """Arrays that are larger than any memory, as files with holes."""
    for name, shape in {"400 GB": (50_000_000, 1000), "two rows": (2, 250_000_000), "one row": (1, 10**10)}.items():
        head = headed(described(shape=str(shape)))
        yield f"{name}.npy", lambda path, head=head, shape=shape: _sparse(path, head, 8 * shape[0] * shape[1])


KINDS = {  # group -> the kind of command, the name of a file, and what is in it
    "npy": ("table", "file.npy", arrays),
    "values": ("table", "file.npy", values),
    "npz": ("table", "file.npz", archives),
    "csv": ("table", "file.csv", tables),
    "jsonl": ("table", "file.jsonl", lines),
    "packed": ("table", "file.csv", packed_files),
    "others": ("table", "", others),
    "set": ("set", "file.npy", sets),
    "suite": ("suite", "file.yaml", suites),
    "baseline": ("baseline", "file.json", baselines),
    "path": ("table", "file.csv", paths),
    "wide": ("set", "", wide),
}


# --- runs


def prepare(here: Path) -> dict[str, str]:
    """Good files beside the hostile one, by what commands call them."""
    rng = np.random.default_rng(0)
    (here / "good.csv").write_text("pred,target\n0.5,1\n0.25,0\n0.125,1\n0.75,0\n")
    np.savez(here / "set.npz", emb=rng.normal(size=(6, 3)), label=np.arange(6) % 3)
    np.save(here / "labels.npy", np.arange(6) % 3)
    np.save(here / "index.npy", np.array([[0, 3, 1], [1, 4, 2]]))
    (here / "suite.yaml").write_text("losses:\n  - {loss: mse, inputs: [good.csv]}\n")
    names = {"good": "good.csv", "set": "set.npz", "labels": "labels.npy", "index": "index.npy", "suite": "suite.yaml"}
    return names | {"out": "out/result"}


def run(words: list[str], said: Path) -> tuple[int, float, int, str]:
    """Exit code, seconds of processors, bytes of memory beyond those of the start, and what stderr says."""
    before = _resident()
    child = os.fork()
    if not child:
        code = 99
        resource.setrlimit(resource.RLIMIT_CPU, (int(3 * SECONDS),) * 2)
        signal.alarm(int(LONGEST))
        try:
            with open(said, "wb") as file, open(os.devnull, "r+b") as nothing:
                os.dup2(nothing.fileno(), 0)
                os.dup2(nothing.fileno(), 1)
                os.dup2(file.fileno(), 2)
            code = app.run(words)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 98
        finally:
            os._exit(code)
    _, status, usage = os.wait4(child, 0)
    seconds = usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss * 1024 - before
    return os.waitstatus_to_exitcode(status), seconds, peak, said.read_text(errors="replace")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def wrong(words: list[str], path: Path, here: Path) -> tuple[str, int, float, int]:
    """What is wrong with a run, "" for nothing; its exit code, seconds and bytes."""
    code, seconds, peak, said = run(words, here / "said")
    faults = []
    if code not in CODES:
        faults.append(f"exit {code}")
    if "Traceback" in said or "bug:" in said:
        faults.append("a traceback or a bug")
    first = said.split("lossctl: error: ", 1)[-1].split("\n")[0] if code in NAMED else path.name
    if not any(name in first for name in (path.name, *(word.partition("::")[0] for word in words if "." in word))):
        faults.append("does not name a file")
    if re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", said):
        faults.append("control characters")
    if seconds > SECONDS:
        faults.append(f"{seconds:.1f} s")
    if peak > BYTES:
        faults.append(f"{peak >> 20} MiB")
    if left := [*(here / "out").iterdir(), *(here / "tmp").iterdir()]:
        kept = [item.name for item in left if not item.name.startswith("result")]  # a report tells of errors too
        faults += [f"leaves {kept}"] if kept else []
        for item in left:
            item.unlink()
    if Path("/tmp/lossctl-attack-ran").exists():
        Path("/tmp/lossctl-attack-ran").unlink()
        faults.append("ran what was in the file")
    return ", ".join(faults) + (f": {first[:200]}" if faults else ""), code, seconds, peak


def attack(only: list[str], is_all: bool) -> tuple[dict[str, collections.Counter], list[str]]:
    """Of each group: how many files, runs, each exit code, the slowest and the largest run; and the faults."""
    told: dict[str, collections.Counter] = {}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        os.chdir(here)
        names = prepare(here)
        (here / "out").mkdir()
        (here / "tmp").mkdir()
        for words in (line.split() for lines in COMMANDS.values() for line in lines):
            others = {"file": "set.npz" if "set.npz" in words else "good.csv"}
            run([word.format(**names, **others) for word in words], here / "said")
        for command in ("compute mse good.csv", "triplets set.npz", "info set.npz", "run suite.yaml"):
            _quietly(command.split())  # so that a child has most of its imports
        tempfile.tempdir = str(here / "tmp")
        for group, (kind, fixed, make) in KINDS.items():
            count = told[group] = collections.Counter()
            for name, content in make():
                if only and not any(word in f"{group} {name}" for word in only):
                    continue
                path = here / (fixed or name.replace(" ", "-"))
                path.write_bytes(content) if isinstance(content, bytes) else content(path)
                count["files"] += 1
                lines = COMMANDS[kind]
                some = (
                    lines
                    if is_all
                    else (*lines[:3], lines[3 + count["files"] % (len(lines) - 3)])
                    if len(lines) > 3
                    else lines
                )
                for line in some:
                    words = [word.format(**names, file=path.name) for word in line.split()]
                    fault, code, seconds, peak = wrong(words, path, here)
                    count["runs"] += 1
                    count[f"exit {code}"] += 1
                    count["ms"] = max(count["ms"], round(1000 * seconds))
                    count["MiB"] = max(count["MiB"], peak >> 20)
                    if fault:
                        faults.append(f"{group}, {name}: {line}: {fault}")
                        print(faults[-1], file=sys.stderr, flush=True)
                    if isinstance(content, bytes) and path.read_bytes() != content:
                        faults.append(f"{group}, {name}: {line}: the file is another one")
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            print(group, dict(count), file=sys.stderr, flush=True)
        os.chdir("/")
    return told, faults


def _quietly(words: list[str]) -> None:
    import contextlib

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        app.run(words)


if __name__ == "__main__":
    told, faults = attack([word for word in sys.argv[1:] if word != "--all"], "--all" in sys.argv)
    columns = [
        "files",
        "runs",
        *sorted({key for count in told.values() for key in count if key.startswith("exit")}),
        "ms",
        "MiB",
    ]
    print("| group | " + " | ".join(columns) + " |\n| --- |" + " ---: |" * len(columns))
    for group, count in told.items():
        print(f"| {group} | " + " | ".join(f"{count[column]:,}" for column in columns) + " |")
    files, runs = (sum(count[key] for count in told.values()) for key in ("files", "runs"))
    print(f"\n{files} files, {runs} runs: {len(faults)} faults")
    print("\n".join(faults))
    sys.exit(bool(faults))
