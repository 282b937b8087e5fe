"""Suites: what a YAML file asks to be computed, compared and held to, checked against a table of keys.

The table is the one place: it checks files, names the nearest valid key, and prints the JSON schema.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ..errors import DataError
from ..files import yaml
from ..files.yaml import Node
from ..text import shown

Kind = Literal["text", "texts", "number", "whole", "flag", "sources", "names"]


class Key(NamedTuple):
    """One key of an entry.

    kind: "text"; "texts", one or a list; "number"; "whole"; "flag"; "sources", a list or a mapping of texts;
        "names", a mapping of texts
    words: the texts that are allowed, () for any;  low: the least a number may be
    """

    kind: Kind
    help: str
    words: tuple[str, ...] = ()
    low: float = -math.inf
    required: bool = False


READING = {
    "from-logits": Key("flag", "predictions are logits, not probabilities"),
    "from-probs": Key("flag", "predictions are probabilities, not logits"),
    "clip": Key("number", "clip probabilities into [clip, 1 - clip]", low=0),
    "na": Key("text", "what to do with rows that hold nan or NA", ("error", "skip")),
    "header": Key("text", "whether the first row of a CSV names its columns", ("auto", "yes", "no")),
    "delimiter": Key("text", "what separates the cells of a CSV"),
    "distance": Key("text", "the distance of an embedding set", ("euclidean", "sqeuclidean", "cosine")),
    "normalize": Key("flag", "put embeddings on the unit sphere first"),
}
INTERVAL = {
    "ci": Key("number", "the level of a bootstrap interval, such as 0.95", low=0),
    "ci-method": Key("text", "how the interval is read", ("bca", "percentile")),
    "resamples": Key("whole", "how many resamples make the interval", low=2),
    "seed": Key("whole", "which resamples", low=0),
    "cluster": Key("text", "the source of the groups of rows that are resampled whole"),
}
LOSS = {
    "name": Key("text", "what the entry is called in reports; the loss unless given"),
    "loss": Key("texts", "a loss, or several, such as focal:gamma=2", required=True),
    "inputs": Key("sources", "sources in role order, or role: source", required=True),
    "reduction": Key("text", "how rows become one number", ("mean", "sum", "positives", "mean-active")),
    "weight": Key("text", "the source of row weights"),
    "group": Key("text", "the source of groups; of the lists for ranking losses"),
    "by": Key("text", "groups by bins of a numeric column, bins:SRC:K"),
    "keep": Key("text", "only the hardest rows: 100, or 10%"),
    "max": Key("number", "the entry fails unless every value is at most this"),
    "min": Key("number", "the entry fails unless every value is at least this"),
    "max-increase": Key("text", "the entry fails if a value is more than this above the baseline, such as 5%"),
    "baseline": Key("text", "the saved JSON of an earlier run, for max-increase"),
    **INTERVAL,
    **READING,
}
COMPARISON = {
    "name": Key("text", "what the entry is called in reports"),
    "base": Key("text", "the predictions to compare with", required=True),
    "others": Key("texts", "the predictions of the other systems", required=True),
    "target": Key("text", "the source of the truth", required=True),
    "loss": Key("texts", "a loss, or several", required=True),
    "reduction": Key("text", "how rows become one number", ("mean", "sum")),
    "weight": Key("text", "the source of row weights"),
    "group": Key("text", "the source of the lists of ranking losses"),
    "test": Key("text", "how p is found", ("sign-flip", "bootstrap")),
    "align": Key("text", "match rows by this column of every file"),
    "fail-if": Key("text", "the entry fails if a system is worse than the base", ("worse",)),
    **INTERVAL,
    **READING,
}
DEFAULTS = {
    name: key
    for name, key in {**LOSS, **COMPARISON}.items()
    if name not in ("name", "loss", "inputs", "base", "others", "target", "max", "min")
}
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


def load(path: str) -> Suite:
    """Read and check a suite. FileError; DataError with line, column and the nearest valid key."""
    label = shown(os.path.basename(path)) if len(path) > 60 else shown(path)
    top = _Checker(label, os.path.dirname(path))
    return top.suite(yaml.read(path), path)


class _Checker:
    """What checking a suite needs to know: the file, its folder, its sources."""

    def __init__(self, label: str, folder: str) -> None:
        self.label = label
        self.folder = folder
        self.sources: dict[str, str] = {}

    def suite(self, node: Node, path: str) -> Suite:
        values = self.mapping(node, TOP, "a suite")
        title = str(values["title"].value) if "title" in values else os.path.basename(path)
        if "sources" in values:
            names = self.checked("sources", values["sources"], Key("names", ""))
            self.sources = {name: self.path(text) for name, text in names.items()}
        defaults = self.entry_values(values["defaults"], DEFAULTS, "defaults") if "defaults" in values else {}
        entries = []
        for kind, keys in (("losses", LOSS), ("comparisons", COMPARISON)):
            for item in self.items(values.get(kind), kind):
                entries.append(self.entry(item, kind, keys, defaults))
        if not entries:
            raise DataError(f"{self.label}: no losses and no comparisons", fix="lossctl run --schema shows the keys")
        self.refuse_same_names(entries)
        return Suite(path, title, tuple(entries))

    def refuse_same_names(self, entries: list[Entry]) -> None:
        seen: dict[str, str] = {}
        for entry in entries:
            if entry.name in seen:
                raise DataError(
                    f"{entry.place}: two entries are called {shown(entry.name)!r} (the other: {seen[entry.name]})",
                    fix="give each a name of its own: name: ...",
                )
            seen[entry.name] = entry.place

    def items(self, node: Node | None, what: str) -> list[Node]:
        if node is None:
            return []
        if not isinstance(node.value, list):
            raise self.fault(node, f"{what} is a list", f"begin each entry with '- ' under {what}:")
        return node.value

    def entry(self, node: Node, kind: str, keys: Mapping[str, Key], defaults: Mapping[str, Any]) -> Entry:
        own = self.entry_values(node, keys, f"an entry of {kind}")
        for name, key in keys.items():
            if key.required and name not in own:
                raise self.fault(node, f"the entry has no {name!r}", f"add {name}: {key.help}")
        grouping = {"group", "by"}
        taken = {name for name in grouping if name in own}
        usable = {name: value for name, value in defaults.items() if name in keys and not (taken and name in grouping)}
        values = {**usable, **own}
        places = {name: f"{self.label}:{child.place}" for name, child in node.value.items()}
        name = str(values.get("name") or _default_name(kind, values))
        return Entry(kind, name, values, f"{self.label}:{node.place}", places)

    def entry_values(self, node: Node, keys: Mapping[str, Key], what: str) -> dict[str, Any]:
        found = self.mapping(node, tuple(keys), what)
        return {name: self.resolved(name, self.checked(name, child, keys[name])) for name, child in found.items()}

    def mapping(self, node: Node, allowed: tuple[str, ...], what: str) -> dict[str, Node]:
        if not isinstance(node.value, dict):
            raise self.fault(node, f"{what} is a mapping of keys to values", f"its keys: {', '.join(allowed[:8])}")
        for name in node.value:
            if name not in allowed:
                raise self.unknown(name, node.keys[name], allowed, what)
        return node.value

    def unknown(self, name: str, at: tuple[int, int], allowed: tuple[str, ...], what: str) -> DataError:
        import difflib

        dashed = name.replace("_", "-")
        near = [dashed] if dashed in allowed else difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        return DataError(
            f"{self.label}:{at[0]}:{at[1]}: unknown key {shown(name)!r} in {what}.{guess}",
            fix=f"its keys: {', '.join(allowed[:10])}{', ...' if len(allowed) > 10 else ''}; lossctl run --schema",
        )

    def checked(self, name: str, node: Node, key: Key) -> Any:
        """The value of a key, in the type that its kind says."""
        value = node.value
        if key.kind == "names" or (key.kind == "sources" and isinstance(value, dict)):
            if not isinstance(value, dict):
                raise self.fault(node, f"{name} is a mapping of names to files", "write NAME: PATH")
            return {one: self.text(name, child) for one, child in value.items()}
        if key.kind in ("texts", "sources"):
            items = value if isinstance(value, list) else [node]
            if not items:
                raise self.fault(node, f"{name} is empty", f"give {key.help}")
            return [self.text(name, child) for child in items]
        if key.kind == "text":
            text = self.text(name, node)
            if key.words and text not in key.words:
                raise self.fault(node, f"{name} cannot be {shown(text)!r}", f"use {' or '.join(key.words)}")
            return text
        return self.plain(name, node, key)

    def plain(self, name: str, node: Node, key: Key) -> Any:
        value = node.value
        if key.kind == "flag":
            if not isinstance(value, bool):
                raise self.fault(node, f"{name} is true or false, not {shown(str(value))!r}", f"write {name}: true")
            return value
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not (is_whole or (key.kind == "number" and isinstance(value, float))):
            kind = "a whole number" if key.kind == "whole" else "a number"
            raise self.fault(node, f"{name} is {kind}, not {shown(str(value))!r}", f"{name}: {key.help}")
        if not key.low <= value < math.inf:
            raise self.fault(node, f"{name} cannot be {value}", f"it is {key.low:g} or more")
        return value if key.kind == "whole" else float(value)

    def text(self, name: str, node: Node) -> str:
        if isinstance(node.value, dict | list | bool) or node.value is None:
            raise self.fault(node, f"{name} is a text here", "write one value, in quotes if it looks like another kind")
        return node.value if isinstance(node.value, str) else str(node.value)

    def resolved(self, name: str, value: Any) -> Any:
        """Names of sources as their paths, paths as seen from the suite's folder."""
        if name in ("inputs", "others"):
            if isinstance(value, dict):
                return {role: self.source(text) for role, text in value.items()}
            return [self.source(text) for text in value]
        if name in ("weight", "group", "cluster", "base", "target"):
            return self.source(value)
        if name == "by":
            head, _, count = value.rpartition(":")
            kind, _, source = head.partition(":")
            return f"{kind}:{self.source(source)}:{count}"
        return self.path(value) if name == "baseline" else value

    def source(self, text: str) -> str:
        if text in self.sources:
            return self.sources[text]
        name, mark, selector = text.partition("::")
        if mark and name in self.sources:
            return f"{self.sources[name]}::{selector}"
        return self.path(text)

    def path(self, text: str) -> str:
        if text == "-" or os.path.isabs(text):
            return text
        return os.path.join(self.folder, text) if self.folder else text

    def fault(self, node: Node, what: str, fix: str) -> DataError:
        return DataError(f"{self.label}:{node.place}: {what}", fix=fix)


def _default_name(kind: str, values: Mapping[str, Any]) -> str:
    losses = ", ".join(values["loss"])
    if kind == "losses":
        inputs = values["inputs"].values() if isinstance(values["inputs"], dict) else values["inputs"]
        return f"{losses} of {', '.join(os.path.basename(text) for text in inputs)}"
    others = ", ".join(os.path.basename(text) for text in values["others"])
    return f"{others} against {os.path.basename(values['base'])}"


# --- the JSON schema


def schema() -> dict[str, Any]:
    """What a suite may hold, as a JSON schema (2020-12)."""

    def entry(keys: Mapping[str, Key]) -> dict[str, Any]:
        required = [name for name, key in keys.items() if key.required]
        return {
            "type": "object",
            "properties": {name: _property(key) for name, key in keys.items()},
            "additionalProperties": False,
            **({"required": required} if required else {}),
        }

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A suite of losses and comparisons, for lossctl run",
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "what reports are called"},
            "defaults": {**entry(DEFAULTS), "description": "for every entry that knows the key and does not set it"},
            "sources": {**_property(Key("names", "names for files")), "description": "name: PATH or PATH::COLUMN"},
            "losses": {"type": "array", "items": entry(LOSS)},
            "comparisons": {"type": "array", "items": entry(COMPARISON)},
        },
        "additionalProperties": False,
    }


def _property(key: Key) -> dict[str, Any]:
    text: dict[str, Any] = {"type": ["string", "number"]}
    if key.words:
        text = {"enum": list(key.words)}
    several = {"type": "array", "items": text, "minItems": 1}
    named = {"type": "object", "additionalProperties": text}
    number = {"minimum": key.low} if key.low > -math.inf else {}
    shapes: dict[str, dict[str, Any]] = {
        "text": text,
        "texts": {"anyOf": [text, several]},
        "sources": {"anyOf": [text, several, named]},
        "names": named,
        "number": {"type": "number", **number},
        "whole": {"type": "integer", **number},
        "flag": {"type": "boolean"},
    }
    return {**shapes[key.kind], "description": key.help}
