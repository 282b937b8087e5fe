"""Columns of arrays: which array a column lives in, and its values as numbers or as categories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ..text import shown
from .npy import Held, Layout, Stored

if TYPE_CHECKING:
    from .npz import Member

EXACT = 2**53  # beyond it float64 skips whole numbers


@dataclass(eq=False)
class Arrays:
    """One array, the fields of a structured one, or the keys of an NPZ, as positions 0..width-1.

    names: fields or keys, () for a plain array;  unit: what one of them is called in messages
    allow_missing: a category that is nan becomes None instead of an error
    """

    label: str
    layouts: tuple[Layout, ...]
    fetch: tuple[Callable[[], Stored | Held], ...]
    names: tuple[str, ...] = ()
    unit: str = "column"
    allow_missing: bool = False
    _fetched: dict[int, Stored | Held] = field(default_factory=dict)

    @property
    def keyed(self) -> bool:
        """Each position is an array of its own."""
        return self.unit == "key"

    @property
    def width(self) -> int:
        if self.names:
            return len(self.names)
        shape = self.layouts[0].shape
        return shape[1] if len(shape) == 2 else 1

    @property
    def rows(self) -> int | None:
        counts = {layout.rows for layout in self.layouts}
        return counts.pop() if len(counts) == 1 else None

    def rows_of(self, column: int) -> int:
        """How many rows a column has; the keys of an NPZ may differ."""
        return self.layouts[column if self.keyed else 0].rows

    def columns_of(self, column: int) -> int | None:
        """How many columns a two-dimensional key has; None for anything that is one column."""
        if not self.keyed:
            return None
        shape = self.layouts[column].shape
        return shape[1] if len(shape) == 2 else None

    def dtype(self, column: int) -> np.dtype[Any]:
        layout = self.layouts[column if self.keyed else 0]
        if self.unit == "field":
            return layout.dtype[self.names[column]]
        return layout.dtype

    def kind_of(self, column: int) -> str:
        """ "number" or "text"."""
        return "text" if self.dtype(column).kind in "US" else "number"

    def dtype_name(self, column: int) -> str:
        """As numpy writes it in native order: "float32", "<U3"."""
        dtype = self.dtype(column)
        return dtype.newbyteorder("<").str if dtype.kind in "US" else dtype.newbyteorder("=").name

    def column_name(self, column: int) -> str:
        """What messages call a column: "column 2", "key 'label'", "field 'x'"."""
        return f"{self.unit} '{shown(self.names[column])}'" if self.names else f"column {column + 1}"

    def where(self, row: int) -> str:
        return f"{self.label}: row {row}"

    def array(self, index: int) -> Stored | Held:
        """Fetched once; the first call of an NPZ key copies it out and checks its CRC."""
        if index not in self._fetched:
            self._fetched[index] = self.fetch[index]()
        return self._fetched[index]

    def prepare(self, columns: tuple[int, ...]) -> None:
        """Fetch what `read` will need, so that several threads may call it."""
        for column in columns if self.keyed else (0,):
            self.array(column)

    def read(
        self, columns: tuple[int, ...], inner: tuple[int, ...] | None, start: int, stop: int
    ) -> list[np.ndarray[Any, Any]]:
        """Rows start..stop as stored: one array (n, k), or one (n,) a column."""
        if self.keyed:
            return [self.array(column).read(start, stop, inner) for column in columns]
        array = self.array(0)
        if self.unit == "field":
            records = array.read(start, stop)
            return [records[self.names[column]] for column in columns]
        if len(array.layout.shape) == 1:
            return [array.read(start, stop)]
        everything = columns == tuple(range(self.width))
        return [array.read(start, stop, None if everything else columns)]


def of_array(array: Stored | Held, label: str) -> Arrays:
    """A plain or a structured array."""
    names = array.layout.dtype.names
    unit = "field" if names else "column"
    return Arrays(label, (array.layout,), (lambda: array,), tuple(names or ()), unit)


def of_members(members: tuple[Member, ...], label: str) -> Arrays:
    """The keys of an NPZ. DataError for a structured array in it."""
    for member in members:
        if member.layout.dtype.names:
            raise DataError(
                f"{label}: key '{shown(member.key)}' is a structured array", fix="save each of its fields as a key"
            )
    layouts = tuple(member.layout for member in members)
    return Arrays(label, layouts, tuple(member.open for member in members), tuple(m.key for m in members), "key")


# --- values


def numbers(stored: np.ndarray[Any, Any], place: Callable[[int, int], str]) -> np.ndarray[Any, Any]:
    """As C-contiguous native float64, same shape. DataError at `place(row, column)` for an integer beyond 2**53."""
    if stored.dtype.kind in "iu" and stored.dtype.itemsize == 8 and stored.size:
        beyond = (stored > EXACT) | (stored < -EXACT) if stored.dtype.kind == "i" else stored > EXACT
        if beyond.any():
            row, column = _first(beyond)
            raise DataError(
                f"{place(row, column)}: {_item(stored, row, column)} is beyond 2**53",
                why="float64 cannot hold every whole number that large",
                fix="if it is an identifier it is no prediction: choose another column",
            )
    return np.ascontiguousarray(stored, dtype=np.float64)


def categories(
    stored: np.ndarray[Any, Any], place: Callable[[int, int], str], allow_missing: bool = False
) -> np.ndarray[Any, Any]:
    """As native int64 (whole floats too), or str. DataError at `place(row, column)` for 1.5, nan, beyond int64.

    allow_missing: nan becomes None, among objects
    """
    kind = stored.dtype.kind
    if kind == "U":
        return _checked_text(np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("=")), place)
    if kind == "S":
        return _decoded(stored, place)
    if kind == "f":
        stored = stored.astype(np.float64)
        missing = np.isnan(stored)
        if allow_missing and missing.any():
            found = categories(np.where(missing, 0.0, stored), place).astype(object)
            found[missing] = None
            return found
        fit = (stored == np.floor(stored)) & (np.abs(stored) <= EXACT)
    else:
        fit = stored <= np.iinfo(np.int64).max if kind == "u" else np.ones(stored.shape, bool)
    if not fit.all():
        row, column = _first(~fit)
        value = _item(stored, row, column)
        raise DataError(
            f"{place(row, column)}: {value} is not a label",
            why="labels are whole numbers (1.0 reads as 1), or text",
            fix="leave those rows out: --na skip, or choose another column"
            if value != value
            else "choose another column",
        )
    return np.ascontiguousarray(stored, dtype=np.int64)


def _checked_text(texts: np.ndarray[Any, Any], place: Callable[[int, int], str]) -> np.ndarray[Any, Any]:
    """numpy stores any 32-bit code, and fails only when such an item is looked at."""
    codes = texts.view(np.uint32).reshape(*texts.shape, -1)
    invalid = np.any((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF)), axis=-1)
    if invalid.any():
        raise DataError(f"{place(*_first(np.asarray(invalid)))}: text that is not Unicode", fix="save the file again")
    return texts


def _decoded(stored: np.ndarray[Any, Any], place: Callable[[int, int], str]) -> np.ndarray[Any, Any]:
    try:
        return np.char.decode(np.ascontiguousarray(stored), "utf-8")
    except UnicodeDecodeError as fault:
        for row, item in enumerate(stored.reshape(len(stored), -1).tolist()):
            for column, text in enumerate(item):
                if text == fault.object:
                    raise DataError(
                        f"{place(row, column)}: {shown(ascii(text))} is not UTF-8", fix="save it as text ('U')"
                    ) from fault
        raise


def _first(mask: np.ndarray[Any, Any]) -> tuple[int, int]:
    index = int(mask.argmax())
    columns = mask.shape[1] if mask.ndim == 2 else 1
    return index // columns, index % columns


def _item(stored: np.ndarray[Any, Any], row: int, column: int) -> object:
    return stored[row, column].item() if stored.ndim == 2 else stored[row].item()
