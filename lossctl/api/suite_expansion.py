"""What a suite says once for many: variables of the environment, and a matrix of values that makes several entries."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import DataError
from ..files.opening import is_remote, public
from ..files.shards import matching
from ..files.yaml import Node
from ..text import shown

MATRIX = "matrix"
VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}|\$\{")
READ = ("inputs", "base", "others", "target", "weight", "group")  # keys of files, whose patterns stand for several


class Filled(str):
    """A text that a variable gave: where a number is wanted, it may be one."""

    __slots__ = ()


def filled(node: Node, label: str, environment: Mapping[str, str]) -> Node:
    """The document with `${NAME}` and `${NAME:-default}` replaced; `$${` is `${`. DataError where it stands."""
    if isinstance(node.value, dict):
        return node._replace(value={name: filled(child, label, environment) for name, child in node.value.items()})
    if isinstance(node.value, list):
        return node._replace(value=[filled(child, label, environment) for child in node.value])
    if not isinstance(node.value, str) or "${" not in node.value:
        return node

    def value(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        name, default = match["name"], match["default"]
        if name is None:
            raise DataError(
                f"{label}:{node.place}: no variable in {shown(str(node.value))!r}",
                why="a variable is ${NAME}, or ${NAME:-DEFAULT}",
                fix="write it so, or $${ for the characters ${",
            )
        text = environment.get(name, "")
        if default is not None:
            return text or default
        if name not in environment:
            raise DataError(
                f"{label}:{node.place}: the variable {name} is not set",
                fix=f"set it: export {name}=VALUE, or give a default: ${{{name}:-VALUE}}",
            )
        return text

    return node._replace(value=Filled(VARIABLE.sub(value, node.value)))


class Expansion(NamedTuple):
    """One entry of those that a matrix makes. labels: the values that were chosen, by their keys, as texts"""

    node: Node
    labels: Mapping[str, str]


def expanded(
    node: Node, label: str, allowed: tuple[str, ...], place: Callable[[str], str], folder: str
) -> list[Expansion]:
    """The entries of a node: one for each combination of the values of its matrix, or itself.

    place: the path of a source;  folder: what paths are relative to.  DataError, FileError
    """
    if not isinstance(node.value, dict) or MATRIX not in node.value:
        return [Expansion(node, {})]
    matrix = node.value[MATRIX]
    if not isinstance(matrix.value, dict) or not matrix.value:
        raise DataError(f"{label}:{matrix.place}: {MATRIX} is a mapping of keys to lists", fix="write KEY: [A, B]")
    rest = {name: child for name, child in node.value.items() if name != MATRIX}
    choices: list[list[tuple[str, Node, str]]] = []
    for name, child in matrix.value.items():
        at = f"{label}:{matrix.keys[name][0]}:{matrix.keys[name][1]}"
        if name in rest:
            raise DataError(f"{at}: {shown(name)} stands in {MATRIX} and beside it", fix="leave one of them out")
        if name not in allowed or name == "name":
            raise DataError(f"{at}: {MATRIX} cannot hold {shown(name)!r}", fix=f"its keys: {', '.join(allowed[1:8])}")
        if not isinstance(child.value, list) or not child.value:
            raise DataError(f"{label}:{child.place}: {name} of a {MATRIX} is a list", fix=f"write {name}: [A, B]")
        values = [value for item in child.value for value in _files(name, item, place, folder)]
        choices.append([(name, value, text) for value, text in zip(values, _labels(name, values), strict=True)])
    parts = []
    for chosen in itertools.product(*choices):
        keys = {**node.keys, **{name: (value.line, value.column) for name, value, _ in chosen}}
        entry = node._replace(value={**rest, **{name: value for name, value, _ in chosen}}, keys=keys)
        parts.append(Expansion(entry, {name: text for name, _, text in chosen}))
    return parts


def _labels(key: str, values: Sequence[Node]) -> list[str]:
    """What values are called in the names of entries: files without their folders, where that tells them apart."""
    texts = [[public(text) for text in _texts(value)] for value in values]
    paths = [", ".join(text) for text in texts]
    names = [", ".join(map(os.path.basename, text)) for text in texts]
    return names if key in READ and len(set(names)) == len(set(paths)) else paths


def _files(name: str, node: Node, place: Callable[[str], str], folder: str) -> Iterator[Node]:
    """The node; where it is a pattern of files, one for each that matches."""
    path, mark, selector = str(node.value).partition("::")
    if name not in READ or not isinstance(node.value, str) or not glob.has_magic(path):
        yield node
        return
    for match in matching(place(path)):
        is_whole = os.path.isabs(path) or is_remote(path) or not folder
        relative = match if is_whole else os.path.relpath(match, folder)
        yield node._replace(value=f"{relative}{mark}{selector}")


def _texts(node: Node) -> Iterator[str]:
    """The texts of a value."""
    if isinstance(node.value, dict):
        yield from (text for child in node.value.values() for text in _texts(child))
    elif isinstance(node.value, list):
        yield from (text for child in node.value for text in _texts(child))
    else:
        yield str(node.value)
