"""Robust regression: kornia, keras, xgboost, lightgbm, catboost; scipy; mpmath."""

import numpy as np
import scipy.special
from exact_regression import REFERENCES

from .case import Case, by_mpmath, reduced
from .samples import PRED, TABLE, TABLE_TARGET, TARGET

R = ([2.5, 0, 2.1, 7.8], [3, -0.5, 2, 7])
PRINTED = {
    "log-cosh": ("keras 3.15.1", 0.1339936),
    "pseudo-huber": ("xgboost 3.2.0, kornia 0.9.0", 0.1304201),
    "cauchy": ("kornia 0.9.0", 0.1295463),
    "welsch": ("kornia 0.9.0", 0.1284612),
    "geman-mcclure": ("kornia 0.9.0", 0.1290359),
    "fair": ("catboost 1.2.10, smoothness 1", 0.1014932),
}
OPTIONS = {
    "pseudo-huber": ("delta=0.3",),
    **dict.fromkeys(("cauchy", "welsch", "geman-mcclure", "fair"), ("c=0.3",)),
    "barron": ("alpha=-2,c=0.7", "alpha=0", "alpha=2", "alpha=1.3"),
    "wing": ("w=0.6,eps=0.2",),
}
CASES = {
    name: [
        *(reduced(Case(PRINTED[name][0], name, R, PRINTED[name][1], digits=7), 4, "sum") if name in PRINTED else []),
        *by_mpmath(REFERENCES[name], name, (PRED, TARGET), "sum"),
        *by_mpmath(REFERENCES[name], name, (TABLE, TABLE_TARGET)),
        *(case for options in OPTIONS.get(name, ()) for case in by_mpmath(REFERENCES[name], f"{name}:{options}", R)),
    ]
    for name in ("log-cosh", "pseudo-huber", "cauchy", "welsch", "geman-mcclure", "barron", "fair", "wing")
}
CASES["pseudo-huber"].append(
    Case(
        "scipy",
        "pseudo-huber:delta=0.7",
        (PRED, TARGET),
        lambda: np.mean(scipy.special.pseudo_huber(0.7, PRED - TARGET)),
    )
)
CASES["barron"] += [
    Case(f"kornia 0.9.0, {name}", f"barron:alpha={alpha}", R, PRINTED[name][1], digits=7)
    for name, alpha in (("pseudo-huber", 1), ("cauchy", 0), ("geman-mcclure", -2))
]
CASES["wing"].append(Case("by hand, beyond", "wing", ([20.0], [0.0]), 10 + 10 * np.log(6)))
