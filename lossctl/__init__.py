"""lossctl: the loss calculator. `lossctl.compute("focal:gamma=2", pred, label)` gives what the command prints."""

from __future__ import annotations

from .version import __version__

TYPE_CHECKING = False  # type checkers read it as true; typing's own would be the slowest import of --version
if TYPE_CHECKING:
    from typing import Any

    from .api.calls import compute, row_losses
    from .api.triplets import triplets
    from .errors import DataError, DeviceError, FileError, LossctlError, UsageError

FAULTS = ("LossctlError", "UsageError", "DataError", "FileError", "DeviceError")
__all__ = [
    "DataError",
    "DeviceError",
    "FileError",
    "LossctlError",
    "UsageError",
    "__version__",
    "compute",
    "row_losses",
    "triplets",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name == "compute":
        from .api.calls import compute

        return compute
    if name == "row_losses":
        from .api.calls import row_losses

        return row_losses
    if name == "triplets":
        from .api.triplets import triplets

        return triplets
    if name in FAULTS:
        from . import errors

        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
