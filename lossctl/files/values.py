"""Stored values as numbers or as categories, by the same rules whatever the format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..text import shown

Array = np.ndarray[Any, Any]
Place = Callable[[int, int], str]  # row and column within the array -> where a message says it stands

EXACT = 2**53  # beyond it float64 skips whole numbers
NAMELESS = frozenset(("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>", "#N/A"))  # of labels
BEGINS_MISSING = sorted({ord(name[0]) for name in NAMELESS if name})
BLANK, DELETE = 32, 127
SKIP = "leave those rows out: --na skip, or choose another column"


def numbers(stored: Array, place: Place, allow_missing: bool = False) -> Array:
    """As C-contiguous native float64, same shape. DataError at `place(row, column)` for an integer beyond 2**53.

    allow_missing: None among objects becomes nan instead of an error
    """
    if stored.dtype == object:
        return _numbers_of_objects(stored, place, allow_missing)
    if stored.dtype.kind in "iu" and stored.dtype.itemsize == 8 and stored.size:
        beyond = (stored > EXACT) | (stored < -EXACT) if stored.dtype.kind == "i" else stored > EXACT
        if beyond.any():
            row, column = _first(beyond)
            raise _beyond_exact(_item(stored, row, column), place(row, column))
    with np.errstate(invalid="ignore"):  # what a signalling nan sets
        return np.ascontiguousarray(stored, dtype=np.float64)


def _beyond_exact(value: object, place: str) -> DataError:
    return DataError(
        f"{place}: {value} is beyond 2**53",
        why="float64 cannot hold every whole number that large",
        fix="if it is an identifier it is no prediction: choose another column",
    )


def _numbers_of_objects(stored: Array, place: Place, allow_missing: bool) -> Array:
    items = stored.ravel().tolist()
    if set(map(type, items)) <= {float, int, bool}:
        values = _as_floats(stored)
        if values is not None:
            return values
    values = np.empty(len(items))
    for position, item in enumerate(items):
        values[position] = _number(item, lambda at=position: place(*_split(at, stored)), allow_missing)  # type: ignore[misc]
    return values.reshape(stored.shape)


def _as_floats(stored: Array) -> Array | None:
    """None where a number is so large that it must be looked at, or no number."""
    try:
        values = stored.astype(np.float64)
    except OverflowError:
        return None
    return values if bool((np.abs(values) < EXACT).all()) else None


def _number(item: object, place: Callable[[], str], allow_missing: bool) -> float:
    from decimal import Decimal

    if is_missing(item):
        if allow_missing:
            return np.nan
        raise DataError(f"{place()}: {_missing_name(item)} is not a number", why="every row needs one", fix=SKIP)
    if isinstance(item, int | np.integer) and abs(int(item)) > EXACT:
        raise _beyond_exact(item, place())
    if isinstance(item, int | float | np.number | np.bool_ | Decimal) and not isinstance(item, np.complexfloating):
        return float(item)
    if isinstance(item, str):
        raise DataError(f"{place()}: '{shown(item)}' is not a number", fix="correct it, or choose another column")
    raise DataError(f"{place()}: {_kind_name(item)} is not a number", fix="choose another column")


def categories(stored: Array, place: Place, allow_missing: bool = False) -> Array:
    """As native int64 (whole floats too), or str. DataError at `place(row, column)` for 1.5, nan, beyond int64.

    allow_missing: nan and None become None, among objects
    """
    kind = stored.dtype.kind
    if kind == "O":
        return _categories_of_objects(stored, place, allow_missing)
    if kind == "U":
        text = _checked_text(np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("=")), place)
        return _names(text, place, allow_missing)
    if kind == "S":
        return _names(_decoded(stored, place), place, allow_missing)
    if kind == "f":
        return _whole_numbers(stored, place, allow_missing)
    fit = stored <= np.iinfo(np.int64).max if kind == "u" else np.ones(stored.shape, bool)
    if not fit.all():
        row, column = _first(~fit)
        raise _no_label(_item(stored, row, column), place(row, column))
    return np.ascontiguousarray(stored, dtype=np.int64)


def _whole_numbers(stored: Array, place: Place, allow_missing: bool) -> Array:
    """Floats that are labels; a missing one is None, or an error, and so is one that may have been its neighbour."""
    bits = min(np.finfo(stored.dtype).nmant + 1, EXACT.bit_length() - 1)
    with np.errstate(invalid="ignore"):
        values = stored.astype(np.float64)
    missing = np.isnan(values) if allow_missing else np.zeros(values.shape, bool)
    fit = missing | ((values == np.floor(values)) & (np.abs(values) < 2.0**bits))  # 2**53 may have been 2**53 + 1
    if not fit.all():
        row, column = _first(~fit)
        raise _no_label(_item(values, row, column), place(row, column), bits, stored.dtype.name)
    labels: Array = np.ascontiguousarray(np.where(missing, 0.0, values), dtype=np.int64)
    if missing.any():
        labels = labels.astype(object)
        labels[missing] = None
    return labels


def _names(texts: Array, place: Place, allow_missing: bool) -> Array:
    """Texts without blanks around them; a missing one (NA, nan, None, nothing) is None, or an error."""
    if _are_words(texts):
        return texts
    kinds, codes = np.unique(texts, return_inverse=True)
    bare = np.char.strip(kinds)
    absent = np.isin(bare, list(NAMELESS))
    labels: Array = bare[codes].reshape(texts.shape)
    if not absent.any():
        return labels
    missing = absent[codes].reshape(texts.shape)
    if not allow_missing:
        raise _nameless(_item(texts, *_first(missing)), place(*_first(missing)))
    objects = labels.astype(object)
    objects[missing] = None
    return objects


def _are_words(texts: Array) -> bool:
    """Whether no text has blanks around it, or can be a missing value, by its characters alone."""
    if not texts.size or not texts.dtype.itemsize:
        return False
    codes = np.ascontiguousarray(texts).view(np.uint32).reshape(texts.size, -1)
    first = codes[:, 0]
    is_plain = codes.max() < DELETE and not ((codes <= BLANK) & (codes > 0)).any()
    return bool(is_plain and ((first > BLANK) & ~np.isin(first, BEGINS_MISSING)).all())


def _nameless(text: object, place: str) -> DataError:
    return DataError(
        f"{place}: '{shown(str(text))}' is not a label",
        why="every row needs one; NA, nan and None are missing values",
        fix=SKIP,
    )


def _no_label(value: object, place: str, bits: int = EXACT.bit_length() - 1, name: str = "float64") -> DataError:
    if isinstance(value, int | np.integer):
        return DataError(
            f"{place}: {value} is beyond int64",
            why="labels that are whole numbers lie from -2**63 to 2**63 - 1",
            fix="write such identifiers as text",
        )
    if abs(float(value)) >= 2.0**bits and float(value).is_integer():  # type: ignore[arg-type]
        return DataError(
            f"{place}: {value} is beyond 2**{bits}",
            why=f"{name} does not tell whole numbers of that size from their neighbours",
            fix="write such identifiers as whole numbers or as text",
        )
    return DataError(
        f"{place}: {value} is not a label",
        why="labels are whole numbers (1.0 reads as 1), or text",
        fix=SKIP if value != value else "choose another column",
    )


def _categories_of_objects(stored: Array, place: Place, allow_missing: bool) -> Array:
    items = stored.ravel().tolist()
    kinds = set(map(type, items))
    if kinds == {int} and min(items) >= -(2**63) and max(items) < 2**63:
        return np.array(items, np.int64).reshape(stored.shape)
    if kinds == {str}:
        return _names(np.array(items, str), place, allow_missing).reshape(stored.shape)
    if kinds:
        items = [
            _category(item, lambda at=position: place(*_split(at, stored)), allow_missing)  # type: ignore[misc]
            for position, item in enumerate(items)
        ]
    labels = np.empty(len(items), object)
    labels[:] = items
    return settled(labels).reshape(stored.shape)


def _category(item: object, place: Callable[[], str], allow_missing: bool) -> int | str | None:
    from decimal import Decimal

    if is_missing(item):
        if allow_missing:
            return None
        raise DataError(f"{place()}: {_missing_name(item)} is not a label", why="every row needs one", fix=SKIP)
    if isinstance(item, str):
        if item.strip() not in NAMELESS:
            return item.strip()
        if allow_missing:
            return None
        raise _nameless(item, place())
    if isinstance(item, int | np.integer | np.bool_) and abs(int(item)) < 2**63:
        return int(item)
    if isinstance(item, float | np.floating | Decimal) and float(item).is_integer() and abs(float(item)) < EXACT:
        return int(item)
    if isinstance(item, int | float | np.number | Decimal):
        raise _no_label(item, place())
    raise DataError(f"{place()}: {_kind_name(item)} is not a label", fix="choose another column")


def is_missing(item: object) -> bool:
    """None, nan, or what a table library writes for a value that is not there."""
    return item is None or type(item).__name__ in ("NAType", "NaTType") or (isinstance(item, float) and item != item)


def _missing_name(item: object) -> str:
    return "null" if item is None else shown(str(item))


def _kind_name(item: object) -> str:
    return {"list": "a list", "dict": "an object"}.get(type(item).__name__, f"a {shown(type(item).__name__)}")


def settled(labels: Array) -> Array:
    """Objects that are all int as int64, all str as str; others as they are."""
    if labels.dtype != object:
        return labels
    kinds = set(map(type, labels.ravel().tolist()))
    if kinds == {int}:
        return labels.astype(np.int64)
    return labels.astype(str) if kinds == {str} else labels


def joined(parts: Sequence[Array]) -> Array:
    """One after another; numbers and texts keep what they are, as objects."""
    return np.concatenate(_alike(parts))


def stacked(columns: Sequence[Array]) -> Array:
    """Side by side; numbers and texts keep what they are, as objects."""
    return np.stack(_alike(columns), axis=1)


def _alike(parts: Sequence[Array]) -> Sequence[Array]:
    return [part.astype(object) for part in parts] if len({part.dtype.kind for part in parts}) > 1 else parts


def _checked_text(texts: Array, place: Place) -> Array:
    """numpy stores any 32-bit code, and fails only when such an item is looked at."""
    codes = texts.view(np.uint32).reshape(*texts.shape, -1)
    invalid = np.any((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF)), axis=-1)
    if invalid.any():
        raise DataError(f"{place(*_first(np.asarray(invalid)))}: text that is not Unicode", fix="save the file again")
    return texts


def _decoded(stored: Array, place: Place) -> Array:
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


def _first(mask: Array) -> tuple[int, int]:
    return _split(int(mask.argmax()), mask)


def _split(index: int, array: Array) -> tuple[int, int]:
    return divmod(index, array.shape[1] if array.ndim == 2 else 1)


def _item(stored: Array, row: int, column: int) -> object:
    return stored[row, column].item() if stored.ndim == 2 else stored[row].item()
