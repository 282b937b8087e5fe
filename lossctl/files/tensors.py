"""Tensors: safetensors, whose header is read here, and files of torch.save, by torch.load(weights_only=True) only."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
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

LONGEST_HEADER = 100_000_000  # as the format has it
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16_BITS.str,
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def open_safetensors(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Arrays:
    """The tensors of a safetensors file by name. DataError for a broken header, or a type or shape that has no use."""
    label = stretch.label
    length = int.from_bytes(stretch.pread(0, 8), "little")
    if length > LONGEST_HEADER or 8 + length > stretch.size:
        raise DataError(f"{label}: broken safetensors: its header declares {length} bytes", fix="copy it again")
    try:
        header = json.loads(bytes(stretch.pread(8, length)))
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
    """A tensor, or a dict of tensors, that torch.save wrote. DataError for anything that only unpickling could read."""
    label = stretch.label
    value = _loaded(stretch)
    if hasattr(value, "detach"):
        return of_array(_held(value, label), label, dialect.allow_missing)
    if not isinstance(value, Mapping):
        value = dict(enumerate(value)) if isinstance(value, list | tuple) else {}
    tensors = dict(_tensors(value))
    if not tensors:
        raise DataError(
            f"{label}: no tensors in it",
            why="a tensor, or a dict of tensors, is what can be read",
            fix="torch.save({'pred': pred, 'label': label}, path)",
        )
    held = {name: _held(tensor, f"{label}: key '{shown(name)}'") for name, tensor in tensors.items()}
    return of_keys(
        label, {name: (item.layout, partial(_same, item)) for name, item in held.items()}, dialect.allow_missing
    )


def _same(item: Held) -> Held:
    return item


def _tensors(value: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The tensors of nested dicts, with a point between the keys."""
    for key, item in value.items():
        if hasattr(item, "detach"):
            yield f"{prefix}{key}", item
        elif isinstance(item, Mapping):
            yield from _tensors(item, f"{prefix}{key}.")


def _held(tensor: Any, label: str) -> Held:
    if tensor.is_sparse or tensor.is_quantized or tensor.layout != _strided():
        raise DataError(f"{label}: a sparse or quantized tensor", fix="save it dense: x.to_dense()")
    return hold(tensor, label)


def _strided() -> Any:
    import torch

    return torch.strided


def _loaded(stretch: Bytes) -> Any:
    import warnings

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(stretch.reader(), map_location="cpu", weights_only=True)
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
