"""Memory that is used again from block to block of one pass over a set."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np


class Scratch:
    """Arrays by name, of each thread its own: fresh memory costs more than the arithmetic on it.

    What `array` returns is valid until the same thread asks for the same name again.
    """

    def __init__(self) -> None:
        self._kept = threading.local()

    def array(self, name: str, shape: tuple[int, ...], dtype: Any = float) -> np.ndarray:
        """An uninitialised array in the memory that this thread has under a name."""
        size = math.prod(shape)
        buffer = getattr(self._kept, name, None)
        if buffer is None or buffer.size < size or buffer.dtype != dtype:
            buffer = np.empty(size, dtype)
            setattr(self._kept, name, buffer)
        return buffer[:size].reshape(shape)
