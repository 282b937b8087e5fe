"""JSON whose rows stand within lists and objects of a larger one: where, as jq writes it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

DEEPEST = 12


def path_to_rows(value: Any, inputs: Sequence[Collection[str]], path: str = "") -> str:
    """What jq makes rows of: the first object that has a value for each input, or a list for the only one; "" for none.

    inputs: what the key of each may be called
    """
    if isinstance(value, list):
        inner = next((item for item in value if isinstance(item, dict | list)), None)
        return "" if inner is None else path_to_rows(inner, inputs, f"{path}[]")
    if not isinstance(value, dict) or path.count(".") > DEEPEST:
        return ""
    keys = {key.lower(): key for key in value}
    names = [next((keys[name] for name in called if name in keys), None) for called in inputs]
    if all(name is not None and not isinstance(value[name], dict | list) for name in names):
        return path or "."
    if len(names) == 1 and names[0] is not None and _are_plain(value[names[0]]):
        return list_as_rows(names[0], path)
    for key, item in value.items():
        if rows := path_to_rows(item, inputs, f"{path}.{key_of(key)}"):
            return rows
    return ""


def list_as_rows(name: str, path: str = "") -> str:
    """What jq makes rows of: one of each value of a list."""
    return f"{{{key_of(name)}: {path}.{key_of(name)}[]}}"


def _are_plain(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and not any(isinstance(item, dict | list) for item in value)


def key_of(name: str) -> str:
    """The name of a key as jq writes it."""
    import json

    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else json.dumps(name)
