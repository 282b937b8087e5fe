"""Values as text. Text that came from outside is made fit to be shown: it cannot move a cursor or hide a character."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

LONGEST = 60
STDIN = "/dev/stdin"  # the long name of "-"

# C0, DEL, C1; soft hyphen; zero-width and bidi marks; line and paragraph separators; surrogates; BOM; tags
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)


def shown(text: str) -> str:
    """The text with control, bidi and zero-width characters as escapes, cut at 60 characters."""
    visible = escaped(text[: LONGEST + 1])
    return visible if len(visible) <= LONGEST else visible[: LONGEST - 1] + "…"


def escaped(text: str) -> str:
    """The same, whole: for paths, which mean nothing when cut."""
    return UNSEEN.sub(lambda match: _escape(match[0]), text)


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


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: ". Did you mean 'x'?", or nothing where none of the known is near."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f". Did you mean {near[0]!r}?" if near else ""
