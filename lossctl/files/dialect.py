"""What a person may say about a file that does not say it itself, or says it twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import UsageError
from ..text import shown

NEEDS = {  # what a setting is about: the format, as messages call it, and why it means nothing to others
    "header": ("csv", "a text table", "other formats name their columns"),
    "delimiter": ("csv", "a text table", "other formats know what separates values"),
    "decimal": ("csv", "a text table", "other formats hold numbers, not their digits"),
    "thousands": ("csv", "a text table", "other formats hold numbers, not their digits"),
    "dim": ("raw", "raw numbers", "every other format says its width"),
}
HEADERS = {"auto": None, "yes": True, "no": False}
NO_DELIMITER = '"\r\n.+-eE0123456789'
THOUSANDS = ",.'_ "


class Dialect(NamedTuple):
    """How a file is to be read.

    header: whether the first row names the columns, None to tell by looking;  delimiter: None to tell by looking
    decimal: "." or ",";  thousands: what groups digits by three, "" where nothing does
    allow_missing: a missing value is nan among numbers and None among categories, instead of an error
    dim: how many columns raw numbers have
    """

    header: bool | None = None
    delimiter: str | None = None
    decimal: str = "."
    thousands: str = ""
    allow_missing: bool = False
    dim: int | None = None


PLAIN = Dialect()


def dialect_of(values: Mapping[str, Any], allow_missing: bool = False) -> Dialect:
    """What the settings of a call say about its files. UsageError for a character that cannot have its part."""
    told = {key: values[key] for key in NEEDS if values.get(key) is not None}
    header = told.pop("header", None)
    dialect = Dialect(HEADERS.get(header, header), allow_missing=allow_missing, **told)
    sign = dialect.delimiter
    if sign is not None and (len(sign) != 1 or not sign.isascii() or sign in NO_DELIMITER):
        raise UsageError(f"the delimiter '{shown(sign)}' cannot be used", fix="give one character: , ; or |")
    if dialect.decimal not in (".", ","):
        raise UsageError(f"the decimal point cannot be '{shown(dialect.decimal)}'", fix="use . or ,")
    if dialect.thousands and (len(dialect.thousands) != 1 or dialect.thousands not in THOUSANDS):
        raise UsageError(
            f"thousands cannot be separated by '{shown(dialect.thousands)}'",
            fix="use one of , . ' _ or a blank, of any width",
        )
    if dialect.thousands == dialect.decimal:
        raise UsageError(
            f"'{dialect.decimal}' cannot be both the decimal point and the separator of thousands",
            fix=f"leave --thousands out, or add --decimal {'.' if dialect.thousands == ',' else ','}",
        )
    return dialect
