"""YAML, the safe part: mappings, lists, texts and numbers, each with its line and column. Nothing else is let through.

Aliases, merge keys, tags, duplicate keys, several documents, deep nesting and files beyond a MiB are errors. Plain
scalars follow YAML 1.2: `1e-3` is a number, `no` is a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import DataError, FileError
from ..text import escaped, shown
from .opening import nearby

LARGEST_BYTES = 1 << 20
DEEPEST = 20
INTEGER = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
WORDS: dict[str, Any] = {"null": None, "~": None, "": None, "true": True, "false": False}
WORDS |= {word.capitalize(): value for word, value in WORDS.items() if word.isalpha()}
LONGEST_NUMBER = 40


class Node(NamedTuple):
    """A value and where it stands; lines and columns count from 1.

    value: a dict of text -> Node, a list of Node, a text, an int, a float, a bool, or None
    keys: of a mapping, where each key stands
    """

    value: Any
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = {}  # noqa: RUF012 - never written to

    @property
    def place(self) -> str:
        """ "line:column"."""
        return f"{self.line}:{self.column}"


def read(path: str) -> Node:
    """The one document of a file. FileError, DataError with line and column."""
    label = escaped(path)
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError as fault:
        raise FileError(f"{label}: no such file", fix=nearby(path)) from fault
    except OSError as fault:
        raise FileError(f"{label}: cannot read: {fault.strerror}", fix="check the name") from fault
    if len(content) > LARGEST_BYTES:
        raise DataError(f"{label}: larger than a MiB", fix="a suite names files, it does not hold data")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise DataError(f"{label}: not UTF-8 (byte {fault.start})", fix="save it as UTF-8") from None
    return parse(text, label)


def parse(text: str, label: str) -> Node:
    """The one document of a text. DataError."""
    import yaml

    try:
        return _Reader(yaml.parse(text, Loader=yaml.SafeLoader), label).document()
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise DataError(f"{label}{where}: {shown(str(fault.problem))}", fix="mend the YAML there") from None
    except yaml.YAMLError as fault:
        raise DataError(f"{label}: {shown(str(fault).splitlines()[0])}", fix="save it as plain text") from None


class _Reader:
    """The events of a parser, one after the other, made into nodes."""

    def __init__(self, events: Iterator[Any], label: str) -> None:
        self._events = events
        self._label = label

    def document(self) -> Node:
        found = None
        for event in self._events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                if found is not None:
                    raise self._fault(event, "a second document", "keep one document in the file")
                found = self._node(next(self._events), 0)
        if found is None:
            raise DataError(f"{self._label}: empty", fix="lossctl run --schema shows what a suite holds")
        return found

    def _node(self, event: Any, depth: int) -> Node:
        kind = type(event).__name__
        if kind == "AliasEvent":
            raise self._fault(event, f"an alias (*{shown(event.anchor)})", "write the value out; use defaults:")
        if event.tag not in (None, "!"):
            raise self._fault(event, f"a tag ({shown(event.tag)})", "leave it out")
        if depth > DEEPEST:
            raise self._fault(event, f"nested deeper than {DEEPEST}", "a suite is flat")
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if kind == "ScalarEvent":
            value = self._scalar(event) if event.implicit[0] else event.value
            return Node(value, line, column)
        if kind == "SequenceStartEvent":
            items = []
            while type(event := next(self._events)).__name__ != "SequenceEndEvent":
                items.append(self._node(event, depth + 1))
            return Node(items, line, column)
        return self._mapping(line, column, depth)

    def _mapping(self, line: int, column: int, depth: int) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = self._node(event, depth + 1)
            if isinstance(key.value, dict | list):
                raise self._fault(event, "a key that is no text", "give it a name")
            name = event.value
            if name == "<<":
                raise self._fault(event, "a merge key (<<)", "write the keys out; use defaults:")
            if name in values:
                first = ":".join(map(str, keys[name]))
                raise self._fault(event, f"the key {shown(name)!r} stands there twice (first at {first})", "remove one")
            keys[name] = (key.line, key.column)
            values[name] = self._node(next(self._events), depth + 1)
        return Node(values, line, column, keys)

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if text in WORDS:
            return WORDS[text]
        if len(text) <= LONGEST_NUMBER:
            if INTEGER.fullmatch(text):
                return int(text)
            if NUMBER.fullmatch(text):
                return float(text)
        return text

    def _fault(self, event: Any, what: str, fix: str) -> DataError:
        mark = event.start_mark
        return DataError(f"{self._label}:{mark.line + 1}:{mark.column + 1}: {what}", fix=fix)
