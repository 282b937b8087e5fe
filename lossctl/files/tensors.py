"""Tensors: safetensors, whose header is read here, and files of torch.save, by torch.load(weights_only=True) only."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import DataError, FileError
from ..text import shown
from .arrays import Arrays, of_array, of_keys
from .dialect import Dialect
from .memory import Held, hold
from .npy import BFLOAT16_BITS, Layout, Stored, check_shape, flattened
from .opening import Bytes

ZIP = b"PK\x03\x04"
RECORD = re.compile(r"(?:^|/)data/[0-9]+$")  # of one storage, in what torch.save writes
LONGEST_HEADER = 100_000_000  # as the format has it
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16_BITS.str,
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
TORCH_TYPES = {
    "torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16",
    "torch.int64": "I64", "torch.int32": "I32", "torch.int16": "I16", "torch.int8": "I8",
    "torch.uint64": "U64", "torch.uint32": "U32", "torch.uint16": "U16", "torch.uint8": "U8", "torch.bool": "BOOL",
}  # fmt: skip
MOST_INPUTS = 4  # tensors that may be the inputs of a loss; more of one shape are batches


def open_safetensors(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Arrays:
    """The tensors of a safetensors file by name. DataError for a broken header, or a type or shape that has no use."""
    label = stretch.label
    length = int.from_bytes(stretch.pread(0, 8), "little")
    if length > LONGEST_HEADER or 8 + length > stretch.size:
        raise DataError(f"{label}: broken safetensors: its header declares {length} bytes", fix="copy it again")
    try:
        header = json.loads(stretch.pread(8, length))
        entries = {str(name): entry for name, entry in header.items() if name != "__metadata__"}
        layouts = {name: _layout(entry, 8 + length, stretch, name) for name, entry in entries.items()}
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as fault:
        raise DataError(f"{label}: broken safetensors: {shown(str(fault))}", fix="copy it again") from fault
    if not layouts:
        raise DataError(f"{label}: no tensors in it", fix="write it again with save_file")
    fetch = {name: (layout, partial(Stored, layout, stretch)) for name, layout in layouts.items()}
    return of_keys(label, fetch, dialect.allow_missing)


def _layout(entry: Mapping[str, Any], base: int, stretch: Bytes, name: str) -> Layout:
    place = f"{stretch.label}: key '{shown(name)}'"
    type, shape = str(entry["dtype"]), tuple(int(length) for length in entry["shape"])
    begin, end = (int(offset) for offset in entry["data_offsets"])
    if type not in DTYPES:
        raise DataError(
            f"{place}: cannot use dtype {shown(type)}",
            why="only bfloat16, float16, float32, float64, integers and bool have one reading",
            fix="save it as float32: x.float()",
        )
    check_shape(shape, False, place)
    dtype = np.dtype(DTYPES[type])
    if not 0 <= begin <= end <= stretch.size - base or end - begin != math.prod(shape) * dtype.itemsize:
        raise DataError(f"{place}: truncated, or its offsets do not fit its shape {shape}", fix="copy it again")
    flat, axes = flattened(shape)
    return Layout(dtype, flat, False, base + begin, type == "BF16", axes)


def open_tensors(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Arrays:
    """A tensor, a dict of tensors, or a list of batches of either, that torch.save wrote. DataError for anything that
    only unpickling could read.

    Values stay in the file where it is a ZIP with a name, which torch writes since 1.6, and are read in blocks.
    """
    label = stretch.label
    value, places = _loaded(stretch)
    value = _joined(value)
    if hasattr(value, "detach"):
        return of_array(_kept(value, label, places, stretch), label, dialect.allow_missing)
    if not isinstance(value, Mapping):
        value = dict(enumerate(value)) if isinstance(value, list | tuple) else {}
    tensors = dict(_tensors(value))
    if not tensors:
        raise DataError(
            f"{label}: no tensors in it",
            why="a tensor, or a dict of tensors, is what can be read",
            fix="torch.save({'pred': pred, 'label': label}, path)",
        )
    kept = {name: _kept(item, f"{label}: key '{shown(name)}'", places, stretch) for name, item in tensors.items()}
    return of_keys(
        label, {name: (item.layout, partial(_same, item)) for name, item in kept.items()}, dialect.allow_missing
    )


def _joined(value: Any) -> Any:
    """Batches one after another, as a Trainer's `predict` returns them: dicts or tuples of tensors, or tensors of which
    the last is shorter, or which are more than inputs of a loss could be; anything else as it is."""
    if not isinstance(value, list) or len(value) < 2:
        return value
    if all(map(_is_batch, value)):
        lengths = [len(batch) for batch in value]
        is_cut = len(set(lengths[:-1])) == 1 and lengths[-1] < lengths[0]
        rows = _one_after_another(value) if is_cut or len(value) > MOST_INPUTS else None
        return value if rows is None else rows
    if all(isinstance(batch, Mapping) for batch in value):
        keys = [key for key, item in value[0].items() if _is_batch(item)]
        parts = {key: [batch.get(key) for batch in value] for key in keys}
    elif all(isinstance(batch, list | tuple) and len(batch) == len(value[0]) for batch in value):
        parts = {at: [batch[at] for batch in value] for at in range(len(value[0]))}
    else:
        return value
    joined = {key: _one_after_another(batches) for key, batches in parts.items()}
    return joined if joined and all(rows is not None for rows in joined.values()) else value


def _is_batch(item: Any) -> bool:
    return hasattr(item, "detach") and item.ndim > 0


def _one_after_another(batches: Sequence[Any]) -> Any:
    """Tensors of one type that differ in their first axis at most, as one; None for others."""
    import torch

    if not all(map(_is_batch, batches)):
        return None
    if len({(batch.dtype, tuple(batch.shape[1:])) for batch in batches}) > 1:
        return None
    return torch.cat(list(batches))


def _same(item: Held | Stored) -> Held | Stored:
    return item


def _tensors(value: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The tensors of nested dicts, with a point between the keys."""
    for key, item in value.items():
        if hasattr(item, "detach"):
            yield f"{prefix}{key}", item
        elif isinstance(item, Mapping):
            yield from _tensors(item, f"{prefix}{key}.")


def _kept(tensor: Any, label: str, places: Mapping[int, int], stretch: Bytes) -> Held | Stored:
    """A tensor where it is: in the file, or in memory where it does not lie there row by row. DataError."""
    if tensor.is_sparse or tensor.is_quantized or tensor.layout != _strided():
        raise DataError(f"{label}: a sparse or quantized tensor", fix="save it dense: x.to_dense()")
    type = TORCH_TYPES.get(str(tensor.dtype))
    begin = places.get(tensor.untyped_storage().data_ptr())
    if begin is None or type is None or not tensor.is_contiguous() or tensor.is_neg():
        return hold(tensor, label)
    shape = tuple(tensor.shape)
    check_shape(shape, False, label)
    flat, axes = flattened(shape)
    begin += tensor.storage_offset() * tensor.element_size()
    return Stored(Layout(np.dtype(DTYPES[type]), flat, False, begin, type == "BF16", axes), stretch)


def _strided() -> Any:
    import torch

    return torch.strided


def _loaded(stretch: Bytes) -> tuple[Any, Mapping[int, int]]:
    """What torch.load gives, and from the address of each storage where it begins in the file; {} where it was read."""
    import warnings

    import torch

    storages: list[Any] = []

    def noted(storage: Any, place: str) -> Any:
        storages.append(storage)
        return storage

    path, begins = _mappable(stretch)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if begins:
                value = torch.load(path, map_location=noted, weights_only=True, mmap=True)
                places = _places(begins, storages)
                if places:
                    return value, places
            return torch.load(stretch.reader(), map_location="cpu", weights_only=True), {}
    except (DataError, FileError):
        raise
    except Exception as fault:
        text = str(fault)
        if "weights_only" in text or "WeightsUnpickler" in text or "Unsupported" in text:
            raise DataError(
                f"{stretch.label}: was written by torch.save, and holds more than tensors",
                why="reading Python objects could run code",
                fix="save the tensors alone: torch.save({'pred': pred, 'label': label}, path)",
            ) from fault
        reason = shown(text.split("\n")[0]) or type(fault).__name__
        raise DataError(f"{stretch.label}: broken torch file: {reason}", fix="copy it again") from fault


def _mappable(stretch: Bytes) -> tuple[str, list[tuple[int, int]]]:
    """A path of the open file, and where each storage begins in it and its size; none where it cannot be mapped.

    It cannot where it is no ZIP of plain members, or no whole file of this machine.
    """
    path = "" if stretch.file is None else f"/proc/self/fd/{stretch.file.fileno()}"
    is_whole = os.path.exists(path) and (stretch.start, stretch.size) == (0, os.stat(path).st_size)
    if not is_whole or stretch.pread(0, min(4, stretch.size)) != ZIP:
        return path, []
    try:
        with zipfile.ZipFile(stretch.reader()) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError):
        return path, []
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        return path, []
    kept = [entry for entry in entries if RECORD.search(entry.filename) and entry.file_size]
    return path, sorted((_begin(stretch, entry), entry.file_size) for entry in kept)


def _begin(stretch: Bytes, entry: zipfile.ZipInfo) -> int:
    """Where the bytes of a member begin: after its own header, which may be longer than that of the directory."""
    header = stretch.pread(entry.header_offset, 30)
    return entry.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")


def _places(begins: Sequence[tuple[int, int]], storages: Sequence[Any]) -> Mapping[int, int]:
    """Where mapped storages begin in the file, by their addresses: both lie in the same order, at the same distances.

    {} where they do not, so that nothing is read from a place that is not certain
    """
    mapped = sorted({(storage.data_ptr(), storage.nbytes()) for storage in storages if storage.nbytes()})
    steps = {address - begin for (address, _), (begin, _) in zip(mapped, begins, strict=False)}
    if [size for _, size in mapped] != [size for _, size in begins] or len(steps) != 1:
        return {}
    return {address: begin for (address, _), (begin, _) in zip(mapped, begins, strict=True)}
