"""What there is to see of a loss row by row: the spread of the losses, and whether probabilities mean what they say."""

from __future__ import annotations

import numpy as np

from ..language.numerics import sigmoid
from ..results.distributions import Reliability, RowPicture, histogram, reliability
from ..rows import checks
from .compute import row_losses
from .shared import Shared


def row_picture(shared: Shared) -> RowPicture:
    """Read the rows again and look at them; holds one number a row (three where there are probabilities)."""
    spec = shared.losses[0].plan.spec
    losses = np.concatenate([block.total for block in row_losses(shared)])
    return RowPicture(str(spec), spec.loss.doc.get("Unit", ""), histogram(losses), _reliability(shared))


def _reliability(shared: Shared) -> Reliability | None:
    """Of probabilities of label 1; None for losses without them."""
    plan = shared.losses[0].plan
    first, last = plan.entries[0], plan.entries[-1]
    if first.form not in ("prob", "logits") or last.check != "binary":
        return None
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for block in shared.read():
        prediction, label = checks.admit(plan, shared.losses[0].arrange(block.load()), block.start).inputs
        prob = sigmoid(prediction.values) if prediction.logits else prediction.values
        pairs.append((prob.reshape(-1), label.reshape(-1)))
    prob, label = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return reliability(prob, label)
