"""Sequences as arrays: padded frames, (frames, sequences, symbols) or (sequences, frames, symbols), and the symbols of
each, padded or one after another, with the lengths of both. They become rows, a list for each sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files import binding
from ..files.opening import label_of
from ..files.sequences import Frames, Spoken, spoken_fields
from ..files.sources import Field
from ..language.registry import Spec
from ..language.roles import Role
from ..rows import shapes
from .bound import Bound, as_array, column_of, home_of, read_all, rider
from .reading import Given, Reading

Array = np.ndarray[Any, Any]
COUNTED = "they are counted from the array of symbols"
LENGTH = Role("length", "lengths", "how long each sequence is", "row", ("length", "lengths"))
FRAME_LENGTHS = ("input_lengths", "input_length", "frame_lengths", "logit_lengths")
SYMBOL_LENGTHS = ("target_lengths", "target_length", "symbol_lengths", "label_lengths", "label_length")


class Text(NamedTuple):
    """The symbols of all sequences, padded to (sequences, longest), and how many each has, (sequences,)."""

    symbols: Array
    counts: Array

    @property
    def frames_needed(self) -> Array:
        """How many frames each needs: one for a symbol, and one for the blank between two that are the same."""
        inside = np.arange(1, self.symbols.shape[1]) < self.counts[:, None]
        repeats = (self.symbols[:, 1:] == self.symbols[:, :-1]) & inside
        needed: Array = self.counts + repeats.sum(axis=1)
        return needed


def sequences_of(
    desk: binding.Desk, spec: Spec, inputs: list[Given], named: Mapping[str, Given], reading: Reading
) -> Bound | None:
    """The rows of arrays of sequences; None where the inputs are rows. DataError, UsageError where lengths misfit."""
    roles = spec.loss.roles
    home = home_of([*inputs, *named.values()])
    frame_lengths, symbol_lengths = (
        None if source is None else as_array(column_of(source, home))
        for source in (reading.frame_lengths, reading.symbol_lengths)
    )
    settings = {"axis": reading.frame_axis, "lengths": frame_lengths}
    told = [f"--frame-{name}" for name, setting in settings.items() if setting is not None]
    told += ["--symbol-lengths"] * (symbol_lengths is not None)
    group = named.get(roles[-1].name)
    inputs = [_padded(source) for source in inputs]
    rest = {name: _padded(source) for name, source in named.items() if source is not group}
    fields = _fields(desk, roles[:2], inputs, rest)
    if fields is None or not (fields[0].axes or (group is None and _is_one(*fields))):
        if told:
            raise UsageError(
                f"{told[0]} is for frames as an array of three axes",
                why="among rows, the group says where a sequence ends",
                fix=f"leave {' and '.join(told)} out",
            )
        return None
    frames, written = fields
    beside = [
        _called(names, fields) if source is None else None
        for names, source in ((FRAME_LENGTHS, frame_lengths), (SYMBOL_LENGTHS, symbol_lengths))
    ]
    shape = frames.axes or (frames.frame.content.rows_of(frames.columns[0]) or len(read_all(frames)), 1, frames.width)
    lengths, counts = (
        _whole(field) if field is not None else None if source is None else _whole(desk.field(source, LENGTH))
        for field, source in zip(beside, (frame_lengths, symbol_lengths), strict=True)
    )
    values = read_all(written)
    if written.ndim == 1 and counts is None:
        if shape[1] > 1:
            raise DataError(
                f"{_place(written)}: one axis, with no lengths beside it",
                why="where one sequence ends and the next begins cannot be told",
                fix="say how many symbols each has: --symbol-lengths SRC",
            )
        values = values.reshape(1, -1)
    sequences = next((len(known) for known in (lengths, counts) if known is not None), len(values))
    axis = _frame_axis(frames, shape, sequences, reading.frame_axis if frames.axes else 0)
    longest, width = shape[axis], shape[2]
    blank = spec.blank_of(width)
    lengths = np.full(sequences, longest) if lengths is None else lengths
    _refuse_lengths(lengths, sequences, longest, "--frame-lengths", "frames", f"the array has {longest} for each")
    text = _text(written, values, sequences, counts, width, blank)
    bound = _in_rows(roles, Frames(frames, axis, lengths, width, _certain(width, blank)), written, shape, text, blank)
    bound = bound._replace(notes=(*bound.notes, *(f"lengths: {field.name}" for field in beside if field is not None)))
    return bound if group is None else bound._replace(grouping=desk.field(group, rider("group")))


def _padded(source: Given) -> Given:
    """Lists of any lengths, one a sequence, as (sequences, longest), padded with -1; anything else as it is."""
    is_lists = isinstance(source, np.ndarray) and source.dtype == object and source.ndim == 1 and len(source)
    if not is_lists or not all(hasattr(text, "__len__") and not isinstance(text, str) for text in source):
        return source
    padded = np.full((len(source), max(1, *map(len, source))), -1.0)
    for row, text in zip(padded, source, strict=True):
        row[: len(text)] = text
    return padded


def _called(names: Sequence[str], fields: Sequence[Field]) -> Field | None:
    """The first column beside frames or symbols of one of these names."""
    frames = [field.frame for field in fields]
    return next((frame.select(f"={name}") for frame in frames for name in names if name in frame.names), None)


def _is_one(frames: Field, written: Field) -> bool:
    """Whether they are the frames (steps, symbols) and the symbols of a single sequence."""
    return frames.ndim == 2 and (written.ndim == 1 or written.frame.content.rows_of(written.columns[0]) == 1)


def _certain(width: int, blank: int) -> Array:
    """A frame at which the blank is certain."""
    return np.where(np.arange(width) == blank, 0.0, -1e300)


def _fields(
    desk: binding.Desk, roles: Sequence[Role], inputs: list[Given], named: Mapping[str, Given]
) -> tuple[Field, ...] | None:
    if len(inputs) + len(named) > 2:
        return None
    try:
        fields = binding.bind(desk, [roles[0], roles[1]._replace(layout="rows")], inputs, named)
    except (DataError, UsageError):
        return None
    return tuple(fields[role.name] for role in roles)


def _place(field: Field) -> str:
    return f"{label_of(field.frame.path)}: {field.name}"


def _whole(field: Field) -> Array:
    """Lengths, (n,). DataError where they are no whole numbers."""
    values = read_all(field).reshape(-1)
    if not (np.isfinite(values) & (values == np.floor(values)) & (values >= 0)).all():
        raise DataError(f"{_place(field)}: lengths are whole numbers, 0 or more", fix="choose another column")
    return values.astype(np.int64)


def _frame_axis(field: Field, shape: tuple[int, ...], sequences: int, told: int | None) -> int:
    """Which of the first two axes holds the frames: the other one has the length of the sequences."""
    fitting = [axis for axis in (0, 1) if shape[1 - axis] == sequences]
    if not fitting:
        raise DataError(
            f"{_place(field)}: shape {shape} beside {sequences} sequences: neither of its first axes has that length",
            why="frames are (frames, sequences, symbols) as torch has them, or (sequences, frames, symbols)",
            fix="give frames, symbols and lengths of the same sequences",
        )
    if told is not None and told not in fitting:
        raise UsageError(
            f"--frame-axis {told}: shape {shape} has {shape[1 - told]} sequences then, and there are {sequences}",
            fix=f"--frame-axis {fitting[0]}",
        )
    if told is None and len(fitting) > 1:
        raise DataError(
            f"{_place(field)}: shape {shape} beside {sequences} sequences: two axes could hold the frames",
            why="torch has them on axis 0, keras and optax on axis 1",
            fix="say which: --frame-axis 0 or --frame-axis 1",
        )
    return fitting[0] if told is None else told


def _refuse_lengths(lengths: Array, sequences: int, high: int, option: str, what: str, why: str) -> None:
    if len(lengths) != sequences:
        raise DataError(
            f"{option}: {len(lengths)} lengths for {sequences} sequences", fix="give one for each of the sequences"
        )
    bad = np.flatnonzero(lengths > high)
    if len(bad):
        raise DataError(
            f"{option}: sequence {bad[0]} has {lengths[bad[0]]} {what}, not 0 to {high}",
            why=why,
            fix="check whether lengths were computed before the model made frames fewer, or leave such sequences out",
        )


def _text(field: Field, values: Array, sequences: int, counts: Array | None, classes: int, blank: int) -> Text:
    """The symbols of an array (sequences, longest), or of (all,) one sequence after another."""
    if field.ndim == 1 and counts is not None:
        _refuse_lengths(counts, sequences, len(values), "--symbol-lengths", "symbols", COUNTED)
        if counts.sum() != len(values):
            raise DataError(
                f"{_place(field)}: {len(values)} symbols, and --symbol-lengths add up to {counts.sum()}",
                fix="give the lengths of these symbols",
            )
        symbols = np.full((sequences, max(1, int(counts.max(initial=0)))), float(blank))
        symbols[np.arange(symbols.shape[1]) < counts[:, None]] = values.reshape(-1)
        values = symbols
    if len(values) != sequences:
        raise DataError(
            f"{_place(field)}: symbols of {len(values)} sequences, and lengths of {sequences}",
            fix="give lengths of the same sequences",
        )
    if not values.shape[1]:
        values = np.full((sequences, 1), float(blank))
    if counts is None:
        is_symbol = ~((values < 0) | (values == blank))
        counts = np.where(is_symbol.any(axis=1), values.shape[1] - is_symbol[:, ::-1].argmax(axis=1), 0)
    _refuse_lengths(counts, sequences, values.shape[1], "--symbol-lengths", "symbols", COUNTED)
    inside = np.arange(values.shape[1]) < counts[:, None]
    stray = np.argwhere(inside & (values == blank))
    if len(stray):
        sequence, position = stray[0].tolist()
        raise DataError(
            f"{_place(field)}: sequence {sequence} holds the blank, {blank}, as its symbol {position + 1} of "
            f"{counts[sequence]}",
            why="the blank stands between symbols and is none",
            fix="say which column of the frames is the blank, or give lengths that end before it",
        )
    strange = np.argwhere(inside & ((values < 0) | (values >= classes) | (values != np.floor(values))))
    if len(strange):
        sequence, position = strange[0].tolist()
        raise DataError(
            f"{_place(field)}: sequence {sequence}: symbol {position + 1}, {values[sequence, position]:g}, is not one "
            f"of 0..{classes - 1}",
            why=f"the frames have {classes} columns, one a symbol",
            fix="check the symbols, and their lengths",
        )
    return Text(np.where(inside, values, float(blank)), counts)


def _in_rows(
    roles: tuple[Role, ...], frames: Frames, written: Field, shape: tuple[int, ...], text: Text, blank: int
) -> Bound:
    """A row for each frame. A text longer than its frames is told by one symbol at all of at least two frames, which
    has no alignment either; a sequence without frames by one at which the blank is certain."""
    lengths, is_crowded = frames.lengths, text.counts > frames.lengths
    sizes = np.maximum(lengths, np.where(is_crowded, 2, 1))
    cells = spoken_fields(Spoken(frames, text.symbols, sizes, is_crowded, float(blank)), written)
    columns: dict[str, shapes.Column] = dict(zip((role.name for role in roles), cells, strict=True))
    note = (
        f"{shape}: axis {frames.axis} holds the frames; {len(sizes)} sequences of {lengths.min()} to {lengths.max()} "
        f"frames and {text.counts.min()} to {text.counts.max()} symbols"
        if frames.field.axes and len(sizes)
        else f"one sequence of {lengths[0]} frames and {text.counts[0]} symbols"
        if len(sizes)
        else ""
    )
    short = np.flatnonzero(text.frames_needed > lengths)
    warnings = (
        (
            f"{len(short)} of {len(sizes)} sequences have too few frames for their symbols, the first is {short[0]} "
            f"({text.frames_needed[short[0]]} needed, {lengths[short[0]]} there): they cost infinity, or 0 with "
            "--zero-infinity",
        )
        if len(short)
        else ()
    )
    return Bound(
        cells, roles, columns, notes=(note,), marks=(f"frames:{frames.axis}",), warnings=warnings, places=sizes,
        has_shape=True, blank=blank,
    )  # fmt: skip
