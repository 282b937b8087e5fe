"""The part of a source after `::`: which of the columns, fields or keys are meant. One grammar for every format.

NAME   3   -1   A..B (names or positions, inclusive)   p*   =NAME (a name, whatever it looks like)   #3 (a position)
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import UsageError
from ..text import shown

POSITION = re.compile(r"-?[0-9]{1,9}")
LISTED = 8


class Names(NamedTuple):
    """What can be selected in one file: `width` things, named or not.

    label: the file, for messages;  unit: what one is called
    """

    names: tuple[str, ...]
    width: int
    label: str
    unit: str


def positions(selector: str, among: Names) -> tuple[tuple[int, ...], bool]:
    """The 0-based positions a selector means, and whether it means a block (a range or a glob). UsageError."""
    if not selector:
        raise UsageError(f"{among.label}: nothing after '::'", fix=_choices(among))
    if selector in among.names or selector[0] == "=" or re.fullmatch(r"#?-?[0-9]{1,9}", selector):
        return (position(selector, among),), False
    if ".." in selector:
        return _range(selector, among), True
    if "*" in selector or "?" in selector:
        return _glob(selector, among), True
    raise _unknown(selector, among)


def position(selector: str, among: Names) -> int:
    """The 0-based position of one name or 1-based position. UsageError."""
    if selector.startswith("=") and selector not in among.names:
        return _named(selector[1:], among)
    if selector.startswith("#") and POSITION.fullmatch(selector[1:]):
        return _numbered(selector[1:], among)
    if not POSITION.fullmatch(selector):
        return _named(selector, among)
    if selector not in among.names:
        return _numbered(selector, among)
    by_name = among.names.index(selector)
    by_position = _index(int(selector), among.width)
    if by_position is None or by_position == by_name:
        return by_name
    raise UsageError(
        f"{among.label}: '{selector}' is the name of {among.unit} {by_name + 1} and the position of another",
        fix=f"write ={selector} for the name, or #{selector} for the position",
    )


def _named(name: str, among: Names) -> int:
    if name in among.names:
        return among.names.index(name)
    raise _unknown(name, among)


def _numbered(text: str, among: Names) -> int:
    index = _index(int(text), among.width)
    if index is None:
        raise UsageError(
            f"{among.label}: no {among.unit} {int(text)}: it has {among.width}",
            why="positions begin at 1; -1 is the last",
            fix=_choices(among),
        )
    return index


def _index(position: int, width: int) -> int | None:
    index = position - 1 if position > 0 else position + width
    return index if position != 0 and 0 <= index < width else None


def _range(selector: str, among: Names) -> tuple[int, ...]:
    splits = [match.start() for match in re.finditer(r"\.\.", selector)]
    known = [at for at in splits if _known(selector[:at], among) and _known(selector[at + 2 :], among)]
    at = known[0] if known else splits[0]
    first, last = position(selector[:at], among), position(selector[at + 2 :], among)
    if len(known) > 1:
        raise UsageError(f"{among.label}: '{shown(selector)}' can be read as several ranges", fix="use #2..#5")
    if last < first:
        raise UsageError(
            f"{among.label}: the range '{shown(selector)}' runs backwards ({first + 1} to {last + 1})",
            fix=f"write {shown(selector[at + 2 :])}..{shown(selector[:at])}",
        )
    return tuple(range(first, last + 1))


def _known(side: str, among: Names) -> bool:
    return bool(side) and (side.lstrip("=") in among.names or POSITION.fullmatch(side.lstrip("#")) is not None)


def _glob(selector: str, among: Names) -> tuple[int, ...]:
    pattern = re.compile(fnmatch.translate(selector.replace("[", "[[]")))
    matches = tuple(index for index, name in enumerate(among.names) if pattern.match(name))
    if not matches:
        raise UsageError(f"{among.label}: no {among.unit} matches '{shown(selector)}'", fix=_choices(among))
    return matches


def _unknown(name: str, among: Names) -> UsageError:
    import difflib

    near = difflib.get_close_matches(name, among.names[:1000], n=1)
    guess = f" Did you mean '{shown(near[0])}'?" if near else ""
    return UsageError(f"{among.label}: no {among.unit} '{shown(name)}'.{guess}", fix=_choices(among))


def _choices(among: Names) -> str:
    if not among.names:
        return f"choose a position: {_span(among.width)}"
    return f"choose among {listed(among.names)}"


def _span(width: int) -> str:
    return "1" if width == 1 else f"1..{width}"


def listed(names: Sequence[str]) -> str:
    """The first names, for a message."""
    text = ", ".join(shown(name) or "'' (no name)" for name in names[:LISTED])
    return text if len(names) <= LISTED else f"{text}, ... ({len(names)} in all)"
