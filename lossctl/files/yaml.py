"""YAML, the safe part: mappings, lists, texts and numbers, each with its line and column. Nothing else is let through.

Aliases, merge keys, tags, duplicate keys, several documents, deep nesting and files beyond a MiB are errors. Plain
scalars follow YAML 1.2: `1e-3` is a number, `no` is a text.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from ..errors import DataError, FileError
from ..text import STDIN, escaped, shown
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
    """The one document of a file; "-" is stdin. FileError, DataError with line and column."""
    label = "stdin" if path == "-" else escaped(path)
    try:
        with open(STDIN if path == "-" else path, "rb") as file:
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
    try:
        root = _Loader(label, text).get_single_node()
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise DataError(f"{label}{where}: {shown(str(fault.problem))}", fix="mend the YAML there") from None
    except yaml.YAMLError as fault:
        raise DataError(f"{label}: {shown(str(fault).splitlines()[0])}", fix="save it as plain text") from None
    if root is None:
        raise DataError(f"{label}: empty", fix="lossctl run --schema shows what a suite holds")
    return _node(root, label)


class _Loader(yaml.SafeLoader):
    """A loader that refuses, where it stands, what the nodes it composes do not show any more."""

    def __init__(self, label: str, text: str) -> None:
        super().__init__(text)
        self.label = label
        self.depth = -1

    def get_single_node(self: Any) -> Any:
        self.get_event()
        root = None if self.check_event(yaml.StreamEndEvent) else self.compose_document()
        if not self.check_event(yaml.StreamEndEvent):
            raise _fault(self.label, self.peek_event(), "a second document", "keep one document in the file")
        return root

    def compose_node(self: Any, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        self.depth += 1
        if isinstance(event, yaml.AliasEvent):
            raise _fault(
                self.label, event, f"an alias (*{shown(str(event.anchor))})", "write the value out; use defaults:"
            )
        if event.tag is not None:
            raise _fault(self.label, event, f"a tag ({shown(event.tag)})", "leave it out")
        if self.depth > DEEPEST:
            raise _fault(self.label, event, f"nested deeper than {DEEPEST}", "a suite is flat")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _node(node: Any, label: str) -> Node:
    """A node of the composer with its value in Python's terms."""
    line, column = _position(node)
    if node.id == "scalar":
        return Node(plain_value(node.value) if node.style is None else node.value, line, column)
    if node.id == "sequence":
        return Node([_node(item, label) for item in node.value], line, column)
    values: dict[str, Node] = {}
    keys: dict[str, tuple[int, int]] = {}
    for key, value in node.value:
        if key.id != "scalar":
            raise _fault(label, key, "a key that is no text", "give it a name")
        name = key.value
        if name == "<<":
            raise _fault(label, key, "a merge key (<<)", "write the keys out; use defaults:")
        if name in values:
            first = ":".join(map(str, keys[name]))
            raise _fault(label, key, f"the key {shown(name)!r} stands there twice (first at {first})", "remove one")
        keys[name] = _position(key)
        values[name] = _node(value, label)
    return Node(values, line, column, keys)


def plain_value(text: str) -> Any:
    """What a scalar without quotes stands for."""
    if text in WORDS:
        return WORDS[text]
    if len(text) <= LONGEST_NUMBER:
        if INTEGER.fullmatch(text):
            return int(text)
        if NUMBER.fullmatch(text):
            return float(text)
    return text


def _position(marked: Any) -> tuple[int, int]:
    """The line and the column where an event or a node starts, from 1."""
    return marked.start_mark.line + 1, marked.start_mark.column + 1


def _fault(label: str, marked: Any, what: str, fix: str) -> DataError:
    line, column = _position(marked)
    return DataError(f"{label}:{line}:{column}: {what}", fix=fix)
