"""lossctl: the loss calculator. `lossctl.compute("focal:gamma=2", pred, label)` gives what the command prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .calculator import compute

__all__ = ["__version__", "compute"]


def __getattr__(name: str) -> Any:
    if name == "compute":
        from .calculator import compute

        return compute
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
