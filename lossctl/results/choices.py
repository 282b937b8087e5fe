"""What choices give: the numbers of libraries, and the choices behind a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .values import finite, status_of

HIDDEN = ("cost", "is_near", "near_library", "more")  # of a record in JSON


@dataclass(frozen=True)
class LibraryValue:
    """The number that a library would print.

    library: its name, with the variant, as --like takes it; "lossctl" for ours
    value: nan where our options cannot give it here, as `fault` says; fault: "" where they can
    agrees: "exact" or "float32";  proof: "run" or "source";  what: its name there and what it does otherwise
    options: those that give the number here
    """

    library: str
    value: float
    agrees: str
    proof: str
    what: str
    options: str
    fault: str = ""

    @property
    def status(self) -> str:
        """ "ok", "inf", "nan" or "error"."""
        return "error" if self.fault else status_of(self.value)

    def to_dict(self) -> dict[str, Any]:
        """The record in the schema lossctl/1."""
        return {
            **self.__dict__,
            "value": finite(self.value),
            "value_text": repr(self.value),
            "status": self.status,
            "fault": self.fault or None,
        }


@dataclass(frozen=True)
class Parity:
    """The numbers of a loss, ours first; warnings: what looks wrong in the input."""

    loss: str
    values: tuple[LibraryValue, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fit:
    """Choices that give a number.

    loss: the loss;  options: as a command line has them, "" for the defaults;  value: what they give
    changed: how many choices differ from the defaults, 0 for what a library does;  libraries: who does exactly this
    twins: other choices that give the same number;  solved: the option that was solved for, "" for none
    is_near: it has other digits, and is as near as a library that computes in float32 may be
    what: what it is called in the first of the libraries, and what that does otherwise
    near_library: the one whose choices these are but for one more, or one number;  more: that one, as a command line
        has it
    beside: what gives the second number by the same choices, as a command line has it, "" for the same loss or none
    cost: for how much the changed choices count in the order, where a free factor counts for more than one
    """

    loss: str
    options: str
    value: float
    changed: int
    libraries: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()
    solved: str = ""
    is_near: bool = False
    what: str = ""
    near_library: str = ""
    more: str = ""
    beside: str = ""
    cost: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The record in the schema lossctl/1."""
        record = {name: value for name, value in self.__dict__.items() if name not in HIDDEN}
        many = {"libraries": list(self.libraries), "twins": list(self.twins)}
        said = {"solved": self.solved or None, "what": self.what or None, "near": self.is_near}
        said["beside"] = self.beside or None
        return {**record, "value": finite(self.value), "value_text": repr(self.value), **many, **said}


@dataclass(frozen=True)
class Reconciliation:
    """A number, and the choices that give it.

    digits: how many significant digits it has;  tried: how many combinations;  by_chance: how many of them would give
        a random number of that size and so many digits
    fits: the best first;  solved: those with an option solved for, weak evidence
    defaults: what the losses give by default;  warnings: what looks wrong in the input
    """

    text: str
    value: float
    digits: int
    tried: int
    by_chance: float
    fits: tuple[Fit, ...]
    solved: tuple[Fit, ...]
    defaults: tuple[Fit, ...]
    warnings: tuple[str, ...] = ()
