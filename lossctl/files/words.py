"""Word vectors: a word and its numbers a line, separated by blanks, as GloVe, word2vec and fastText write them; and
word2vec's binary files, where float32 numbers stand behind the blank.

The first line of word2vec and fastText counts words and numbers. A word may hold anything, quotes and blanks included:
the last numbers of a line are its vector.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import DataError
from ..text import shown
from .cells import ColumnKinds, Form
from .dialect import Dialect
from .fast import read_rows
from .opening import Bytes
from .streams import Batch, ColumnType, Stream

CHUNK = 1 << 20
HEAD = 64
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
LONGEST_WORD = 1 << 16
NUMBER = np.dtype("<f4")
LONGEST_LINE = 16 << 20
COUNTS = re.compile(rb"(\d+) (\d+)[ \r]*\n")
NAMES = ("word", "emb")


def open_words(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Stream:
    """Two columns, the word and its vector. DataError for a line of another length than the first."""
    label = stretch.label
    first = next(_chunks(stretch, 0))
    counts = COUNTS.match(first)
    begin = counts.end() if counts else 0
    line = first[begin:].split(b"\n", 1)[0]
    width = len(line.split()) - 1
    if counts and width != int(counts[2]):
        raise DataError(
            f"{label}:2: a word and {width} numbers, and line 1 says {int(counts[2])}",
            why="the first line of word2vec counts the words and their numbers",
            fix="correct line 1, or leave it out: tail -n +2",
        )
    rows = int(counts[1]) if counts else None
    form = Form(label, " ", (), width, dialect.allow_missing)
    head = 2 if counts else 1

    def batches(positions: Sequence[int], at_most: int, start: int) -> Iterator[Batch]:
        row = 0
        for chunk in _chunks(stretch, begin):
            lines = chunk.removesuffix(b"\n").split(b"\n")
            for offset in range(max(0, start - row), len(lines), at_most):
                parts = [text.rstrip(b" \r").rsplit(b" ", width) for text in lines[offset : offset + at_most]]
                yield Batch(row + offset, len(parts), _arrays(parts, positions, row + offset + head, form))
            row += len(lines)

    columns = (ColumnType(NAMES[0], "text", "text"), ColumnType(NAMES[1], "text", "number", True))
    place = f"{label}:{{}}".format
    return Stream(
        label,
        columns,
        batches,
        lambda row: place(row + head),
        lambda position: width,
        rows,
        dialect.allow_missing,
    )


def open_binary(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Stream:
    """The same two columns of word2vec's binary file: a line of two counts, then words, blanks and float32 numbers.

    DataError where it does not hold as many as the counts say.
    """
    label = stretch.label
    counts = COUNTS.match(stretch.pread(0, min(HEAD, stretch.size)))
    assert counts is not None, "the format is told by its counts"
    rows, width = int(counts[1]), int(counts[2])
    length = width * NUMBER.itemsize

    def arrays(
        words: list[bytes], vectors: list[bytes], positions: Sequence[int], skipped: int, row: int
    ) -> dict[int, np.ndarray]:
        numbers = np.frombuffer(b"".join(vectors[skipped:]), NUMBER).reshape(-1, width)
        if 0 not in positions:
            return {1: numbers}
        texts = np.empty(len(words) - skipped, object)
        texts[:] = [_word(word, label, row + at) for at, word in enumerate(words)][skipped:]
        return {0: texts, 1: numbers}

    def batches(positions: Sequence[int], at_most: int, start: int) -> Iterator[Batch]:
        row, at, held = 0, counts.end(), b""
        while row < rows:
            words: list[bytes] = []
            vectors: list[bytes] = []
            place = 0
            while row + len(words) < rows and len(words) < at_most:
                blank = held.find(b" ", place)
                if blank < 0 or blank + 1 + length > len(held):
                    break
                words.append(held[place:blank].lstrip(b"\n"))
                if CONTROL.search(words[-1]):
                    raise DataError(
                        f"{label}: row {row + len(words) - 1}: {ascii(words[-1])[1:40]} is no word",
                        why=f"line 1 says {rows} words of {width} float32 numbers, and they do not stand so",
                        fix="copy it again, or save it as text: wv.save_word2vec_format(path, binary=False)",
                    )
                place = blank + 1 + length
                vectors.append(held[blank + 1 : place])
            held = held[place:]
            if words:
                skipped = min(max(0, start - row), len(words))
                if skipped < len(words):
                    yield Batch(row + skipped, len(words) - skipped, arrays(words, vectors, positions, skipped, row))
                row += len(words)
                continue
            more = min(max(CHUNK, length), stretch.size - at)
            if not more or len(held) > LONGEST_WORD + length:
                raise DataError(
                    f"{label}: ends in word {row + 1}, or that has no end, and line 1 says {rows} words of {width}",
                    why="a word, a blank and its float32 numbers stand for each word",
                    fix="copy it again, or save it as text: wv.save_word2vec_format(path, binary=False)",
                )
            held, at = held + stretch.pread(at, more), at + more
        if len(held.strip(b"\n")) or (at + len(held) < stretch.size and stretch.size - at > 1):
            raise DataError(
                f"{label}: goes on behind the {rows} words of {width} numbers that line 1 says",
                fix="copy it again",
            )

    columns = (ColumnType(NAMES[0], "text", "text"), ColumnType(NAMES[1], "float32", "number", True))
    place_of = f"{label}: row {{}}".format
    return Stream(label, columns, batches, place_of, lambda position: width, rows, dialect.allow_missing)


def _arrays(parts: list[list[bytes]], positions: Sequence[int], line: int, form: Form) -> dict[int, np.ndarray]:
    short = next((at for at, part in enumerate(parts) if len(part) != form.width + 1), None)
    if short is not None:
        raise DataError(
            f"{form.label}:{line + short}: {len(parts[short])} cells, and the first row has {form.width + 1}",
            why="each line is a word and its vector, separated by single blanks",
            fix="correct that line",
        )
    arrays: dict[int, np.ndarray] = {}
    if 0 in positions:
        words = np.empty(len(parts), object)
        words[:] = [_word(part[0], form.label, line + at) for at, part in enumerate(parts)]
        arrays[0] = words
    if 1 in positions:
        text = b"\n".join(b" ".join(part[1:]) for part in parts) + b"\n"
        arrays[1] = read_rows(text, line, form, ColumnKinds(tuple(range(form.width)), ())).numbers
    return arrays


def _word(text: bytes, label: str, line: int) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"{label}:{line}: '{shown(ascii(text))}' is not UTF-8",
            why="words are text",
            fix="choose the vectors alone with ::emb, or convert the file",
        ) from None


def _chunks(stretch: Bytes, begin: int) -> Iterator[bytes]:
    """Whole lines. DataError for a line of many megabytes."""
    while begin < stretch.size:
        length = min(CHUNK, stretch.size - begin)
        chunk = stretch.pread(begin, length)
        while begin + length < stretch.size and b"\n" not in chunk:
            if length >= LONGEST_LINE:
                raise DataError(f"{stretch.label}: a line longer than {LONGEST_LINE >> 20} MiB", fix="correct it")
            length = min(4 * length, stretch.size - begin)
            chunk = stretch.pread(begin, length)
        end = len(chunk) if begin + length == stretch.size else chunk.rfind(b"\n") + 1
        yield chunk[:end]
        begin += end
