"""Frames of padded sequences as rows, one sequence after another, and what stands beside each sequence or its rows.

An array of frames is never held: what a block of rows needs of it is read by strips.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ..errors import DataError
from .content import Array, Choice, Chunk
from .frames import Field, Frame
from .opening import label_of
from .unfolding import SeenOtherwise

STRIP_VALUES = 1 << 20  # what is read of an array at once


@dataclass(eq=False)
class Frames:
    """The frames of n sequences, of which the first so many of each are real.

    field: an array of shape (steps, n, width), or (n, steps, width), or (steps, width) of one sequence
    axis: which of its first two axes holds the steps;  lengths: (n,);  certain: what a frame holds where there is
    none of a sequence, (width,)
    """

    field: Field
    axis: int
    lengths: Array
    width: int
    certain: Array

    @property
    def place(self) -> str:
        """What messages call the array."""
        return f"{label_of(self.field.frame.path)}: {self.field.name}"

    def read(self, sequence: Array, step: Array) -> Array:
        """The frames of some steps of sequences, (k, width) for two (k,); sequences in order."""
        values = np.empty((len(sequence), self.width))
        first, last = int(sequence[0]), int(sequence[-1]) + 1
        across = max(1, STRIP_VALUES // ((last - first) * self.width))
        for start in range(int(step.min()), int(step.max()) + 1, across):
            rows = np.flatnonzero((step >= start) & (step < start + across))
            if len(rows):
                stop = int(step[rows].max()) + 1
                strip = self._strip(first, last, start, stop)
                values[rows] = strip[sequence[rows] - first, step[rows] - start]
        values[self.lengths[sequence] == 0] = self.certain
        broken = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(broken):
            at = int(broken[0])
            value = values[at][~np.isfinite(values[at])][0]
            raise DataError(
                f"{self.place}: sequence {sequence[at]}, frame {step[at]}: a value is {value}",
                why="a frame cannot be left out of its sequence",
                fix="find where it comes from, or leave the sequence out",
            )
        return values

    def _strip(self, first: int, last: int, start: int, stop: int) -> Array:
        """Steps start..stop of the sequences first..last, (last - first, stop - start, width)."""
        outer, inner = ((start, stop), (first, last)) if self.axis == 0 else ((first, last), (start, stop))
        columns = tuple(range(inner[0] * self.width, inner[1] * self.width))
        is_key = self.field.width != len(self.field.columns)
        choice = Choice(self.field.columns if is_key else columns, "number", 2, columns if is_key else None)
        walk = self.field.frame.content.walk([choice], outer[1] - outer[0], outer[0])
        strip = next(iter(walk)).load()[0].reshape(outer[1] - outer[0], inner[1] - inner[0], self.width)
        return strip if self.axis else np.moveaxis(strip, 1, 0)


@dataclass(eq=False)
class Spoken:
    """The rows of sequences: column 0 the frames, (rows, width), column 1 the symbols, column 2 which sequence it is.

    symbols: (n, longest);  sizes: how many rows each sequence has, (n,);  repeats: which of them say their first symbol
    at every frame, (n,)
    """

    frames: Frames
    symbols: Array
    sizes: Array
    repeats: Array
    blank: float

    unit = "column"
    names = ()
    width = 3
    matrix = False
    lazy = True

    @property
    def label(self) -> str:
        return self.frames.place

    @cached_property
    def ends(self) -> Array:
        """The row behind the last of each sequence, (n,)."""
        ends: Array = np.cumsum(self.sizes)
        return ends

    @property
    def rows(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def rows_of(self, column: int) -> int:
        return self.rows

    def columns_of(self, column: int) -> int | None:
        return self.frames.width if column == 0 else None

    def kind_of(self, column: int) -> str:
        return "number"

    def dtype_name(self, column: int) -> str:
        return self.frames.field.frame.dtype_of(self.frames.field) if column == 0 else "int64"

    def column_name(self, column: int) -> str:
        return ("frames", "symbols", "sequences")[column]

    def where(self, row: int) -> str:
        sequence, step = self._place(np.array([row]))
        return f"{label_of(self.frames.field.frame.path)}: sequence {sequence[0]}, frame {step[0]}"

    def walk(self, choices: Sequence[Choice], rows: int, start: int = 0) -> Iterator[Chunk]:
        for begin in range(start, self.rows, rows):
            end = min(begin + rows, self.rows)
            yield Chunk(end - begin, partial(self._load, tuple(choices), begin, end))

    def _place(self, rows: Array) -> tuple[Array, Array]:
        """Of rows, which sequence and which of its steps, (k,) each."""
        sequence = np.searchsorted(self.ends, rows, side="right")
        return sequence, rows - (self.ends - self.sizes)[sequence]

    def _load(self, choices: tuple[Choice, ...], begin: int, end: int) -> tuple[Array, ...]:
        sequence, step = self._place(np.arange(begin, end))
        return tuple(self._column(choice, sequence, step) for choice in choices)

    def _column(self, choice: Choice, sequence: Array, step: Array) -> Array:
        if choice.columns[0] == 0:
            steps = np.minimum(step, np.maximum(self.frames.lengths[sequence] - 1, 0))
            return self.frames.read(sequence, steps)
        values = sequence
        if choice.columns[0] == 1:
            position = np.where(self.repeats[sequence], 0, step)
            is_inside = position < self.symbols.shape[1]
            values = np.full(len(sequence), self.blank)
            values[is_inside] = self.symbols[sequence[is_inside], position[is_inside]]
        values = values if choice.kind == "category" else values.astype(np.float64)
        return values if choice.ndim == 1 else values[:, None]


@dataclass(eq=False)
class Along(SeenOtherwise):
    """A column with a value for each of n things, each of them `sizes` times. DataError where it has not n.

    things: what they are, "sequences"
    """

    sizes: Array
    things: str

    unit = "column"

    @property
    def rows(self) -> int:
        return int(self.sizes.sum())

    def rows_of(self, column: int) -> int:
        return self.rows

    def where(self, row: int) -> str:
        return self.field.frame.where(int(np.searchsorted(np.cumsum(self.sizes), row, side="right")))

    def walk(self, choices: Sequence[Choice], rows: int, start: int = 0) -> Iterator[Chunk]:
        own = Choice(self.field.columns, choices[0].kind, 1, self.field.inner)
        chunks = self.field.frame.content.walk([own], 1 << 16)
        parts = [chunk.load()[0].reshape(-1) for chunk in chunks]
        values: Array = np.concatenate(parts) if parts else np.zeros(0)
        if len(values) != len(self.sizes):
            raise DataError(
                f"{label_of(self.field.frame.path)}: {self.field.name}: {len(values)} values beside "
                f"{len(self.sizes)} {self.things}",
                why="rows are matched by their place; nothing is cut or repeated",
                fix=f"give one for each of the {self.things}",
            )
        ends = np.cumsum(self.sizes)
        for begin in range(start, self.rows, rows):
            at = np.searchsorted(ends, np.arange(begin, min(begin + rows, self.rows)), side="right")
            part = values[at]
            yield Chunk(len(at), lambda part=part: (part,) * len(choices))  # type: ignore[misc]


def spoken_fields(content: Spoken, written: Field) -> tuple[Field, Field, Field]:
    """Frames, symbols and numbers of the sequences as columns. written: where the symbols come from"""
    source = content.frames.field
    named = ((source.frame, source.name), (written.frame, written.name), (source.frame, "sequences"))
    frames = [Frame(home.path, home.format, content, contextlib.ExitStack()) for home, _ in named]
    first, second, third = (
        frame.field(at)._replace(name=name) for at, (frame, (_, name)) in enumerate(zip(frames, named, strict=True))
    )
    return first, second, third


def along(field: Field, sizes: Array, things: str) -> Field:
    """A column with a value for each thing as one with a value for each of its rows."""
    frame = Frame(field.frame.path, field.frame.format, Along(field, sizes, things), contextlib.ExitStack())
    return Field(frame, field.name, (0,), 1, field.kind)
