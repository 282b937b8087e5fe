"""What can be computed from a file: frozen, and nothing of ours is needed to read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A loss that fits some sources.

    inputs: which column is which input, in words;  command: what computes it, in a shell; of arrays and
        of several files as one, in Python
    """

    loss: str
    family: str
    inputs: str
    command: str
    summary: str
