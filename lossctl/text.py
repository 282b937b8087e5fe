"""Values as text. Text that came from outside is made fit to be shown: it cannot move a cursor or hide a character."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

LONGEST = 60
STDIN = "/dev/stdin"  # the long name of "-"

# C0, DEL, C1; soft hyphen; zero-width and bidi marks; line and paragraph separators; surrogates; BOM; tags; and what is
# no character at all
UNSEEN = (
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e0fff"
    + "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]"
)


def shown(text: str) -> str:
    """The text with control, bidi and zero-width characters as escapes, cut at 60 characters."""
    visible = escaped(text[: LONGEST + 1])
    return visible if len(visible) <= LONGEST else visible[: LONGEST - 1] + "…"


def escaped(text: str) -> str:
    """The same, whole: for paths, which mean nothing when cut."""
    return _replaced(text, _escape)


def message(text: str) -> str:
    """`escaped` with line breaks and tabs as they are: for messages of several lines."""
    return _replaced(text, _escape, but="\n\t")


def html_text(text: str) -> str:
    """`message` as text or an attribute of HTML."""
    from html import escape

    return escape(message(text))


def xml_text(text: str) -> str:
    """Text for an XML document, which cannot hold some characters: these are U+FFFD."""
    return _replaced(text, lambda unseen: "\N{REPLACEMENT CHARACTER}", but="\n\t")


def json_text(document: Any, *, indent: int | None = None) -> str:
    """A document as JSON in UTF-8 that means the same, with what cannot be seen as \\u escapes. ValueError for nan."""
    import json

    text = json.dumps(document, ensure_ascii=False, indent=indent, allow_nan=False)
    return _replaced(text, lambda unseen: json.dumps(unseen)[1:-1], but="\n")


def _replaced(text: str, escape: Callable[[str], str], but: str = "") -> str:
    """The text with what cannot be seen escaped, but for some; most has nothing of it, and needs no pattern."""
    if text.isascii() and (text.replace("\n", "") if but else text).isprintable():
        return text
    return re.sub(UNSEEN, lambda match: match[0] if match[0] in but else escape(match[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def option_text(value: Any) -> str:
    """An option's value as it is written in a spec or a signature."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "/".join(option_text(item) for item in value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def piped(command: str, label: str, more: str = "-") -> str:
    """A fix that gives a file to the same command in another form: sed 1d 'a b.csv' | lossctl ... -

    more: what stands for the file, and options to add; the command line puts the words of its call for the dots
    """
    return f"{command} {quoted(label)} | lossctl ... {more}"


def quoted(text: str) -> str:
    """A text as one word of a shell."""
    import shlex

    return shlex.quote(text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: ". Did you mean 'x'?", or nothing where none of the known is near."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f". Did you mean {near[0]!r}?" if near else ""
