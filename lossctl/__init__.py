"""lossctl: the loss calculator. `lossctl.compute("focal:gamma=2", pred, label)` gives what the command prints."""

from __future__ import annotations

from .version import __version__

TYPE_CHECKING = False  # type checkers read it as true; typing's own would be the slowest import of --version
if TYPE_CHECKING:
    from typing import Any

    from .api.calls import compare, compute, merge, mine, parts, row_losses, run, triplets
    from .errors import DataError, DeviceError, FileError, LossctlError, UsageError
    from .show.losses import explain
    from .show.result_plots import plot

__all__ = [
    "DataError",
    "DeviceError",
    "FileError",
    "LossctlError",
    "UsageError",
    "__version__",
    "compare",
    "compute",
    "explain",
    "merge",
    "mine",
    "parts",
    "plot",
    "row_losses",
    "run",
    "triplets",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.endswith("Error"):
        from . import errors

        return getattr(errors, name)
    from .api.signatures import called

    if name == "explain":
        from .show import losses

        return called(losses.explain)
    if name == "plot":
        from .show import result_plots

        return called(result_plots.plot)
    from .api import calls

    return getattr(calls, name)
