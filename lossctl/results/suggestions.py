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


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The losses that fit some sources, in the order of the families.

    doubts: what losses that do not fit were refused for, where another way to read the sources may mend it
    """

    fits: tuple[Suggestion, ...]
    doubts: tuple[str, ...]
