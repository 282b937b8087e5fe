"""Saved results: the JSON of an earlier run."""

from __future__ import annotations

import json
from typing import Any

from ..errors import DataError, FileError
from ..text import escaped
from .opening import nearby

LARGEST_BYTES = 1 << 26


def read_json(path: str) -> Any:
    """The document in a file. FileError, DataError."""
    label = escaped(path)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LARGEST_BYTES + 1)  # of a device there is no end
        if len(text) > LARGEST_BYTES:
            raise DataError(f"{label}: too large for a saved result", fix="name the JSON of an earlier run")
        return json.loads(text)
    except FileNotFoundError as fault:
        raise FileError(f"{label}: no such file", fix=nearby(path)) from fault
    except OSError as fault:
        raise FileError(f"{label}: cannot read: {fault.strerror}", fix="check the name") from fault
    except (ValueError, RecursionError):
        raise DataError(f"{label}: not JSON", fix="make one with: lossctl compute ... -f json -o FILE") from None
