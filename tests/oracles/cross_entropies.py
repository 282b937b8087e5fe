"""Cross-entropies as torch has them, of the samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch.nn.functional as F

from .case import index, tensor
from .samples import CLASSES, SCORES


def torch_ce(**options: Any) -> Callable[[], Any]:
    return lambda: F.cross_entropy(tensor(SCORES), index(CLASSES), **options)


def torch_bce(logit: np.ndarray, label: np.ndarray) -> Any:
    """The sum over all rows and labels."""
    return F.binary_cross_entropy_with_logits(tensor(logit), tensor(label), reduction="sum")
