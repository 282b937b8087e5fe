"""What there is to see of a loss row by row: the spread of the losses, and whether probabilities mean what they say."""

from __future__ import annotations

import numpy as np

from ..language.numerics import sigmoid
from ..results.distributions import Reliability, RowPicture, histogram, reliability
from ..rows import by_row, checks
from .calculator import Prepared, row_losses


def row_picture(ready: Prepared) -> RowPicture:
    """Read the rows again and look at them; holds one number a row (three where there are probabilities)."""
    spec = ready.plan.spec
    losses = np.concatenate([block.total for block in row_losses(ready)])
    return RowPicture(str(spec), spec.loss.doc.get("Unit", ""), histogram(losses), _reliability(ready))


def _reliability(ready: Prepared) -> Reliability | None:
    """Of probabilities of label 1; None for losses without them."""
    first, last = ready.plan.entries[0], ready.plan.entries[-1]
    if first.form not in ("prob", "logits") or last.check != "binary":
        return None
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for block in ready.blocks(by_row.block_rows(ready.plan)):
        prediction, label = checks.admit(ready.plan, block.load(), block.start).inputs
        prob = sigmoid(prediction.values) if prediction.logits else prediction.values
        pairs.append((prob.reshape(-1), label.reshape(-1)))
    prob, label = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return reliability(prob, label)
