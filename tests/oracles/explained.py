"""What share of a loss is explained: scikit-learn."""

import sklearn.metrics

from .case import Case
from .likelihood import COUNT, COUNTS, RATE, RATES, R
from .samples import PRED, TABLE, TABLE_TARGET, TARGET

CASES = {
    "d2-pinball": [
        Case("scikit-learn 1.9.1, d2_absolute_error_score", "d2-pinball", (R[0], R[2]), 0.7764706, digits=7),
        *(
            Case(
                "scikit-learn",
                f"d2-pinball:alpha={alpha}",
                (PRED, TARGET),
                lambda alpha=alpha: sklearn.metrics.d2_pinball_score(TARGET, PRED, alpha=alpha),
            )
            for alpha in (0.1, 0.33, 0.9)
        ),
        Case(
            "scikit-learn, columns",
            "d2-pinball",
            (TABLE, TABLE_TARGET),
            lambda: sklearn.metrics.d2_absolute_error_score(TABLE_TARGET, TABLE),
        ),
    ],
    "d2-tweedie": [
        *(
            Case(
                "scikit-learn",
                f"d2-tweedie:power={power}",
                (RATE, COUNT + (power == 2)),
                lambda power=power: sklearn.metrics.d2_tweedie_score(COUNT + (power == 2), RATE, power=power),
            )
            for power in (1, 1.5, 2)
        ),
        Case(
            "scikit-learn, columns one by one",
            "d2-tweedie:power=1",
            (RATES, COUNTS),
            lambda: (
                sum(sklearn.metrics.d2_tweedie_score(y, p, power=1) for y, p in zip(COUNTS.T, RATES.T, strict=True))
                / COUNTS.shape[1]
            ),
        ),
    ],
}
