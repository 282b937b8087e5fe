"""Suites: what a YAML file asks to be computed, compared and held to, checked against the table of options.

The rows of the table check files, name the nearest valid key, and make the JSON schema.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import DataError, UsageError
from ..files import yaml
from ..files.opening import is_remote, public
from ..files.yaml import Node
from ..language import options, synonyms
from ..language.options import ENTRIES, level_of
from ..language.registry import find
from ..language.setting import Setting
from ..text import shown
from .bound import looks_like_column
from .suite_expansion import MATRIX, READ, Filled, expanded, filled

Keys = Mapping[str, Setting]  # by their names in a suite


def keys_of(kind: str) -> dict[str, Setting]:
    """What an entry of "losses" or "comparisons" may hold."""
    return {row.name: row for row in options.settings(ENTRIES[kind], "suite").values()}


LOSS, COMPARISON = keys_of("losses"), keys_of("comparisons")
OWN = ("name", "loss", "inputs", "base", "others", "target", "max", "min")  # what every entry tells for itself
DEFAULTS = {name: row for name, row in {**LOSS, **COMPARISON}.items() if name not in OWN}
NAMED = {"losses": ("loss", "inputs"), "comparisons": ("base", "others")}  # in the name of an entry without one
NAMES = Setting("sources", "inputs", "Names for files.", ())
MAPPINGS = ("options", "params")  # under which other tools have the options of a loss
TOP = ("title", "defaults", "sources", "losses", "comparisons")


class Entry(NamedTuple):
    """One thing to compute: its checked values, defaults filled in, sources resolved.

    kind: "losses" or "comparisons";  place: "suite.yaml:12:5";  places: where each of its own keys' values stands
    """

    kind: str
    name: str
    values: Mapping[str, Any]
    place: str
    places: Mapping[str, str]


class Suite(NamedTuple):
    """A suite that has been read: its title, and the entries in order."""

    path: str
    title: str
    entries: tuple[Entry, ...]


def _elsewhere(name: str, values: Mapping[str, str], losses: list[str], allowed: tuple[str, ...]) -> str:
    """How an entry of these values says what an input or an option of its losses is, "" for a name of neither."""
    try:
        specs = [find(text.partition(":")[0]) for text in losses]
    except UsageError:
        return ""
    role = next((role for role in specs[0].roles if role.option == name), None)
    if role and "inputs" in allowed:
        inputs = [role.option for role in specs[0].roles if role.option in values]
        return f"inputs stand together: inputs: {{{', '.join(f'{option}: {values[option]}' for option in inputs)}}}"
    if role:
        return f"the truth is target: {values[name]}" if role.truth else "the predictions are base: ... and others: ..."
    is_mapping = name in MAPPINGS
    for position, spec in enumerate(specs):
        flags = [option.name.replace("_", "-") for option in spec.all_options]
        meant = {key: key if key in flags else synonyms.meant(key, flags) for key in values if key not in allowed}
        given = {flag: _turned(key, flag, values[key]) for key, flag in meant.items() if flag}
        if meant[name] or (is_mapping and (given or position == len(specs) - 1)):
            text = _with_options(losses[position], given or {"OPTION": "VALUE"})
            written = [*losses[:position], text, *losses[position + 1 :]]
            return f"options stand with the loss, each once: loss: {_flow(written if len(losses) > 1 else text)}"
    return ""


def _turned(key: str, flag: str, value: str) -> str:
    """What an option is, given as another of its meaning."""
    if key == flag or not synonyms.is_inverse(key, flag):
        return value
    try:
        return f"{1 / float(value):.15g}"
    except (ValueError, ZeroDivisionError):
        return f"(1 / {value})"


def _with_options(loss: str, values: Mapping[str, str]) -> str:
    """The text of a loss with options of these values, in place of those that it had."""
    name, _, rest = loss.partition(":")
    pairs = [part.strip().partition("=") for part in rest.split(",") if part.strip()]
    options = {option.replace("_", "-"): value for option, _, value in pairs} | dict(values)
    return f"{name}:{','.join(f'{option}={value}' for option, value in options.items())}"


def _as_option(value: Any) -> str:
    """A value of YAML as options have it: lists with slashes between."""
    if isinstance(value, list):
        return "/".join(_as_option(child.value) for child in value)
    return (
        "..."
        if isinstance(value, dict) or value is None
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _flow(value: str | list[str]) -> str:
    """Texts as YAML has them wherever they stand, with quotes where a comma would end them."""
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return json.dumps(value) if "," in value else value


def load(source: str) -> Suite:
    """Read and check a suite; the files of one from stdin ("-") are those of the working directory.

    Variables of the environment are replaced, and a matrix makes several entries of one.

    FileError; DataError with line, column and the nearest valid key.
    """
    path = "stdin" if source == "-" else source
    label = shown(os.path.basename(path)) if len(path) > 60 else shown(path)
    top = _Checker(label, os.path.dirname(path))
    return top.suite(filled(yaml.read(source), label, os.environ), path)


class _Checker:
    """What checking a suite needs to know: the file, its folder, its sources."""

    def __init__(self, label: str, folder: str) -> None:
        self.label = label
        self.folder = folder
        self.sources: dict[str, str] = {}

    def suite(self, node: Node, path: str) -> Suite:
        values = self.mapping(node, TOP, "a suite")
        title = self.text("title", values["title"]) if "title" in values else os.path.basename(path)
        if "sources" in values:
            names = self.checked("sources", values["sources"], NAMES)
            self.sources = {name: self.path(text) for name, text in names.items()}
        defaults = self.entry_values(values["defaults"], DEFAULTS, "defaults") if "defaults" in values else {}
        entries = []
        for kind, keys in (("losses", LOSS), ("comparisons", COMPARISON)):
            for item in self.items(values.get(kind), kind):
                for part in expanded(item, self.label, tuple(keys), self.source, self.folder):
                    entries.append(self.entry(part.node, kind, keys, defaults, part.labels))
        if not entries:
            raise DataError(f"{self.label}: no losses and no comparisons", fix="lossctl run --schema shows the keys")
        self.refuse_same_names(entries)
        return Suite(path, title, tuple(entries))

    def refuse_same_names(self, entries: list[Entry]) -> None:
        places: dict[str, str] = {}
        for entry in entries:
            if entry.name in places:
                raise DataError(
                    f"{entry.place}: two entries are called {shown(entry.name)!r} (the other: {places[entry.name]})",
                    fix="give each a name of its own: name: ..."
                    if places[entry.name] != entry.place
                    else f"leave out one of the values of its {MATRIX} that are alike",
                )
            places[entry.name] = entry.place

    def items(self, node: Node | None, what: str) -> list[Node]:
        if node is None:
            return []
        if not isinstance(node.value, list):
            raise self.fault(node, f"{what} is a list", f"begin each entry with '- ' under {what}:")
        return node.value

    def entry(self, node: Node, kind: str, keys: Keys, defaults: Mapping[str, Any], labels: Mapping[str, str]) -> Entry:
        own = self.entry_values(node, keys, f"an entry of {kind}")
        for name, key in keys.items():
            if key.is_required and name not in own:
                raise self.fault(node, f"the entry has no {name!r}", f"add {name}: {key.meaning}")
        grouping = {"group", "by"}
        taken = grouping & own.keys()
        usable = {name: value for name, value in defaults.items() if name in keys and not (taken and name in grouping)}
        values = {**usable, **own}
        places = {name: f"{self.label}:{child.place}" for name, child in node.value.items()}
        name = str(values.get("name") or _default_name(kind, values))
        is_told = {key for key, text in labels.items() if key not in NAMED[kind] or (key in READ and "/" in text)}
        told = [text for key, text in labels.items() if values.get("name") or key in is_told]
        name = f"{name} ({', '.join(told)})" if told else name
        return Entry(kind, name, values, f"{self.label}:{node.place}", places)

    def entry_values(self, node: Node, keys: Keys, what: str) -> dict[str, Any]:
        nodes = self.mapping(node, tuple(keys), what)
        return {name: self.resolved(keys[name], self.checked(name, child, keys[name])) for name, child in nodes.items()}

    def mapping(self, node: Node, allowed: tuple[str, ...], what: str) -> dict[str, Node]:
        if not isinstance(node.value, dict):
            raise self.fault(node, f"{what} is a mapping of keys to values", f"its keys: {', '.join(allowed[:8])}")
        for name in node.value:
            if name not in allowed:
                raise self.unknown(name, node, allowed, what)
        return node.value

    def unknown(self, name: str, node: Node, allowed: tuple[str, ...], what: str) -> DataError:
        import difflib

        at, dashed, loss = node.keys[name], name.replace("_", "-"), node.value.get("loss")
        told = loss.value if loss and isinstance(loss.value, list) else [loss] if loss else []
        losses = [child.value for child in told if isinstance(child.value, str)]
        if dashed not in allowed and losses:
            nested = [node.value[key].value for key in MAPPINGS if key in node.value]
            mapped = [value for value in nested if isinstance(value, dict)]
            items = [item for mapping in (node.value, *mapped) for item in mapping.items()]
            values = {key.replace("_", "-"): _as_option(child.value) for key, child in items}
            fix = _elsewhere(dashed, values, losses, allowed)
            if fix:
                return DataError(f"{self.label}:{at[0]}:{at[1]}: unknown key {shown(name)!r} in {what}", fix=fix)
        near = [dashed] if dashed in allowed else difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        return DataError(
            f"{self.label}:{at[0]}:{at[1]}: unknown key {shown(name)!r} in {what}.{guess}",
            fix=f"its keys: {', '.join(allowed[:10])}{', ...' if len(allowed) > 10 else ''}; lossctl run --schema",
        )

    def checked(self, name: str, node: Node, key: Setting) -> Any:
        """The value of a key, in the type that its kind says."""
        value = node.value
        if value is None or (isinstance(value, Filled) and yaml.plain_value(value) is None):
            empty = ": what its variables give is empty" if isinstance(value, Filled) else ""
            leave = "" if key.is_required else f", or leave {name} out"
            raise self.fault(node, f"{name} has no value{empty}", f"give one{leave}: {key.meaning}")
        if key is NAMES or (key.kind == "inputs" and isinstance(value, dict)):
            if not isinstance(value, dict):
                raise self.fault(node, f"{name} is a mapping of names to files", "write NAME: PATH")
            return {role: self.text(name, child) for role, child in value.items()}
        if key.kind in ("texts", "sources", "inputs") or (key.kind == "names" and isinstance(value, list)):
            items = value if isinstance(value, list) else [node]
            if key.kind == "inputs" and any(
                isinstance(child, Node) and isinstance(child.value, dict) for child in items
            ):
                several = f"write an entry for each, or the same list as {MATRIX}: {{{name}: [...]}}"
                raise self.fault(node, f"{name} is a list of mappings, and an entry has one mapping", several)
            if not items:
                raise self.fault(node, f"{name} is empty", f"give {key.meaning}")
            return [self.text(name, child) for child in items]
        if key.kind in ("flag", "number", "level", "whole"):
            return self.plain(name, node, key)
        if isinstance(value, bool) and {"yes", "no"} <= set(key.words):  # which YAML takes for true and false
            value = "yes" if value else "no"
        text = value if isinstance(value, str) else self.text(name, node)
        if key.words and not key.allows(text):
            words = [*key.words, f"{key.stem}:P"] if key.stem else key.words
            raise self.fault(node, f"{name} cannot be {shown(text)!r}", f"use {' or '.join(words)}")
        return text

    def plain(self, name: str, node: Node, key: Setting) -> Any:
        value = yaml.plain_value(node.value) if isinstance(node.value, Filled) else node.value
        if key.kind == "level" and isinstance(value, str):
            value = level_of(value) or value
        if key.kind == "flag":
            if not isinstance(value, bool):
                raise self.fault(node, f"{name} is true or false, not {shown(str(value))!r}", f"write {name}: true")
            return value
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not (is_whole or (key.kind != "whole" and isinstance(value, float))):
            kind = "a whole number" if key.kind == "whole" else "a number"
            raise self.fault(node, f"{name} is {kind}, not {shown(str(value))!r}", f"{name}: {key.meaning}")
        if not (key.low <= value <= key.high and math.isfinite(value)):
            most = f" and {key.high:g} or less" if math.isfinite(key.high) else ""
            raise self.fault(node, f"{name} cannot be {value}", f"it is {key.low:g} or more{most}")
        return value if key.kind == "whole" else float(value)

    def text(self, name: str, node: Node) -> str:
        if isinstance(node.value, dict | list | bool) or node.value is None:
            raise self.fault(node, f"{name} is a text here", "write one value, in quotes if it looks like another kind")
        return node.value if isinstance(node.value, str) else str(node.value)

    def resolved(self, key: Setting, value: Any) -> Any:
        """Names of sources as their paths, paths as places from the suite's folder."""
        if isinstance(value, dict):
            return {role: self.source(text) for role, text in value.items()}
        if key.kind in ("sources", "inputs"):
            return [self.source(text) for text in value]
        if key.kind == "source":
            return self.source(value)
        if key.kind == "bins":
            head, _, count = value.rpartition(":")
            kind, _, source = head.partition(":")
            return f"{kind}:{self.source(source)}:{count}"
        return self.path(value) if key.kind == "file" else value

    def source(self, text: str) -> str:
        if text in self.sources:
            return self.sources[text]
        name, mark, selector = text.partition("::")
        if mark and name in self.sources:
            return f"{self.sources[name]}::{selector}"
        path = self.path(text)
        is_column = not mark and looks_like_column(text) and not os.path.exists(path)
        return text if is_column else path

    def path(self, text: str) -> str:
        if text == "-" or os.path.isabs(text) or is_remote(text):
            return text
        return os.path.join(self.folder, text) if self.folder else text

    def fault(self, node: Node, what: str, fix: str) -> DataError:
        return DataError(f"{self.label}:{node.place}: {what}", fix=fix)


def files(suite: Suite) -> list[str]:
    """Everything that a suite reads, which no output may overwrite."""
    return [
        path
        for entry in suite.entries
        for path in options.inputs_of(ENTRIES[entry.kind], "suite", by_key(entry.values))
    ]


def by_key(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an entry by `Setting.key`."""
    return {name.replace("-", "_"): value for name, value in values.items()}


def _default_name(kind: str, values: Mapping[str, Any]) -> str:
    losses = ", ".join(values["loss"])
    if kind == "losses":
        inputs = values["inputs"].values() if isinstance(values["inputs"], dict) else values["inputs"]
        return f"{losses} of {', '.join(os.path.basename(public(text)) for text in inputs)}"
    others = ", ".join(os.path.basename(public(text)) for text in values["others"])
    return f"{others} against {os.path.basename(public(values['base']))}"


# --- the JSON schema


def schema() -> dict[str, Any]:
    """What a suite may hold, as a JSON schema (2020-12)."""

    def entry(keys: Keys) -> dict[str, Any]:
        required = [name for name, key in keys.items() if key.is_required]
        properties = {name: _property(key) for name, key in keys.items()}
        shape = {"type": "object", "properties": properties, "additionalProperties": False}
        if not required:
            return shape
        values = {
            name: {"type": "array", "items": part, "minItems": 1} for name, part in properties.items() if name != "name"
        }
        matrix = {"type": "object", "properties": values, "additionalProperties": False, "minProperties": 1}
        about = "an entry for each combination of these values; a pattern of files is one value for each that matches"
        properties[MATRIX] = {**matrix, "description": about}
        return {**shape, "anyOf": [{"required": required}, {"required": [MATRIX]}]}

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A suite of losses and comparisons, for lossctl run",
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "what reports are called"},
            "defaults": {**entry(DEFAULTS), "description": "for every entry that knows the key and does not set it"},
            "sources": {**_property(NAMES), "description": "name: PATH or PATH::COLUMN"},
            "losses": {"type": "array", "items": entry(LOSS)},
            "comparisons": {"type": "array", "items": entry(COMPARISON)},
        },
        "additionalProperties": False,
    }


def _property(key: Setting) -> dict[str, Any]:
    text: dict[str, Any] = {"enum": list(key.words)} if key.words else {"type": ["string", "number"]}
    if key.stem:
        text = {"anyOf": [text, {"type": "string", "pattern": f"^{key.stem}:"}]}
    several = {"type": "array", "items": text, "minItems": 1}
    named = {"type": "object", "additionalProperties": text}
    low = {"minimum": key.low} if math.isfinite(key.low) else {}
    high = {"maximum": key.high} if math.isfinite(key.high) else {}
    variable = {"pattern": r"\$\{"}  # of texts alone: a variable that gives a number
    shapes: dict[str, dict[str, Any]] = {
        "texts": {"anyOf": [text, several]},
        "names": {"anyOf": [text, several]},
        "sources": {"anyOf": [text, several]},
        "inputs": {"anyOf": [text, several, named]},
        "number": {"type": ["number", "string"], **low, **high, **variable},
        "level": {"type": ["number", "string"], **low, **high},
        "whole": {"type": ["integer", "string"], **low, **high, **variable},
        "flag": {"type": ["boolean", "string"], **variable},
    }
    shape = named if key is NAMES else shapes.get(key.kind, text)
    return {**shape, "description": key.meaning}
