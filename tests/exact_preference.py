"""The accuracy audit of preference losses: references, hard inputs, bounds."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
from exact_words import Bound, Case, option, softplus, times

rng = np.random.default_rng(12)


def chance(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def lead(lc: Any, lr: Any, kc: Any, kr: Any) -> Any:
    return (lc - kc) - (lr - kr)


def dpo(lc: Any, lr: Any, kc: Any, kr: Any, beta: float, label_smoothing: float) -> Any:
    x, e = mp.mpf(beta) * lead(lc, lr, kc, kr), mp.mpf(label_smoothing)
    return (1 - e) * softplus(-x) + e * softplus(x)


def robust(lc: Any, lr: Any, kc: Any, kr: Any, beta: float, label_smoothing: float) -> Any:
    x, e = mp.mpf(beta) * lead(lc, lr, kc, kr), mp.mpf(label_smoothing)
    return ((1 - e) * softplus(-x) - e * softplus(x)) / (1 - 2 * e)


def exo(lc: Any, lr: Any, kc: Any, kr: Any, beta: float, label_smoothing: float) -> Any:
    x, e = mp.mpf(beta) * lead(lc, lr, kc, kr), mp.mpf(label_smoothing)
    return chance(x) * (-softplus(-x) - mp.log(1 - e)) + chance(-x) * (-softplus(x) - mp.log(e))


def discopop(lc: Any, lr: Any, kc: Any, kr: Any, beta: float, tau: float) -> Any:
    x = mp.mpf(beta) * lead(lc, lr, kc, kr)
    return chance(-x / mp.mpf(tau)) * softplus(-x) + mp.exp(-x - softplus(-x / mp.mpf(tau)))


def nca(lc: Any, lr: Any, kc: Any, kr: Any, beta: float) -> Any:
    c, r = mp.mpf(beta) * (lc - kc), mp.mpf(beta) * (lr - kr)
    return softplus(-c) + softplus(c) / 2 + softplus(r) / 2


def log_odds(log_p: Any) -> Any:
    return log_p - mp.log(-mp.expm1(log_p))


def kto(
    policy: Any, reference: Any, desirable: Any, beta: float, kl: float, desirable_weight: float,
    undesirable_weight: float,
) -> Any:  # fmt: skip
    x = mp.mpf(beta) * (policy - reference - mp.mpf(kl))
    return times(mp.mpf(desirable_weight), chance(-x)) if desirable else times(mp.mpf(undesirable_weight), chance(x))


def ppo(policy: Any, behaviour: Any, advantage: Any, epsilon: float) -> Any:
    ratio, e = mp.exp(policy - behaviour), mp.mpf(epsilon)
    return -min(ratio * advantage, min(max(ratio, 1 - e), 1 + e) * advantage)


def kl_estimate(policy: Any, reference: Any, kind: str) -> Any:
    x = reference - policy
    return {"k1": -x, "k2": x**2 / 2, "k3": mp.expm1(x) - x}[kind]


def half(beta: float) -> Any:
    return 1 / (2 * mp.mpf(beta))


REFERENCES = {
    "dpo": dpo,
    "robust-dpo": robust,
    "ipo": lambda *row, beta: (lead(*row) - half(beta)) ** 2,
    "dpo-hinge": lambda *row, beta: max(mp.mpf(0), 1 - mp.mpf(beta) * lead(*row)),
    "exo": exo,
    "nca-pair": nca,
    "bco-pair": lambda lc, lr, kc, kr, beta, delta: (
        softplus(delta - mp.mpf(beta) * (lc - kc)) + softplus(mp.mpf(beta) * (lr - kr) - delta)
    ),
    "sppo-hard": lambda lc, lr, kc, kr, beta: (lc - kc - half(beta)) ** 2 + (lr - kr + half(beta)) ** 2,
    "apo-zero": lambda lc, lr, kc, kr, beta: chance(mp.mpf(beta) * (kc - lc)) + chance(mp.mpf(beta) * (lr - kr)),
    "apo-down": lambda lc, lr, kc, kr, beta: (
        chance(mp.mpf(beta) * (lc - kc)) + chance(-mp.mpf(beta) * lead(lc, lr, kc, kr))
    ),
    "discopop": discopop,
    "simpo": lambda lc, lr, beta, gamma: softplus(mp.mpf(gamma) - mp.mpf(beta) * (lc - lr)),
    "cpo": lambda lc, lr, beta, alpha: softplus(mp.mpf(beta) * (lr - lc)) - mp.mpf(alpha) * lc,
    "orpo": lambda lc, lr, beta: mp.mpf(beta) * softplus(log_odds(lr) - log_odds(lc)) - lc,
    "kto": kto,
    "reward-model": lambda rc, rr, margin, center: (
        softplus(mp.mpf(margin) - (rc - rr)) + mp.mpf(center) * (rc + rr) ** 2
    ),
    "ppo-clip": ppo,
    "kl-estimate": kl_estimate,
}
FOUR = [
    *("dpo", "dpo:beta=0.7,label_smoothing=0.2", "robust-dpo", "robust-dpo:label_smoothing=0", "ipo", "ipo:beta=0.03"),
    *("dpo-hinge", "dpo-hinge:beta=3", "exo", "exo:label_smoothing=0.1", "nca-pair", "bco-pair"),
    *("bco-pair:delta=-0.3", "sppo-hard", "sppo-hard:beta=2", "apo-zero", "apo-down", "discopop", "discopop:tau=0.7"),
]
TWO = ["simpo", "simpo:beta=2.5,gamma=1.3", "orpo", "orpo:beta=1.5"]


def log_probs(size: float, columns: int) -> tuple[np.ndarray, ...]:
    return tuple(-rng.uniform(0, size, (columns, 60)))


def cases() -> list[Case]:
    near = -rng.uniform(0, 300, 60)
    fours = {
        "of sentences": log_probs(300, 4),
        "of tokens": log_probs(3, 4),
        "of documents": log_probs(1e5, 4),
        "near the reference": (near, near[::-1].copy(), near * (1 + 1e-12), near[::-1] * (1 - 1e-13)),
        "one lead": (near, near - 1.0, near[::-1].copy(), near[::-1].copy()),
    }
    table = [Case(what, spec, columns) for spec in FOUR for what, columns in fours.items()]
    pairs = {"of tokens": log_probs(4, 2), "nearly equal": (near, near * (1 + 1e-12)), "small": log_probs(1e-9, 2)}
    for what, pair in pairs.items():
        table += [Case(what, spec, pair) for spec in (*TWO, "cpo", "cpo:alpha=0", "cpo:beta=1,alpha=0.2")]
        table += [Case(what, f"kl-estimate:kind={kind}", pair) for kind in ("k1", "k2", "k3")]
        table += [Case(what, f"ppo-clip{more}", (*pair, rng.normal(0, 1, 60))) for more in ("", ":epsilon=0.5")]
        for more in ("", ":beta=2,kl=0.3,desirable_weight=1.5,undesirable_weight=0.3"):
            table.append(Case(what, f"kto{more}", (*pair, np.arange(60) % 2)))
        table += [Case(what, f"reward-model{more}", pair) for more in ("", ":margin=0.3,center=0.1")]
    return table


def _terms(truth: Any, case: Case, *row: Any) -> Any:
    x = mp.mpf(option(case, "beta")) * lead(*row)
    if case.loss == "robust-dpo":
        return softplus(-x) + abs(x)
    e = mp.mpf(option(case, "label_smoothing"))
    return chance(x) * (softplus(-x) + abs(mp.log(1 - e))) + chance(-x) * (softplus(x) + abs(mp.log(e)))


def _exponent(truth: Any, case: Case, *row: Any) -> Any:
    x = abs(mp.mpf(option(case, "beta")) * lead(*row))
    return truth * (1 + x + x / mp.mpf(option(case, "tau")))


def _odds(truth: Any, case: Case, chosen: Any, rejected: Any) -> Any:
    return truth + mp.mpf(option(case, "beta")) * (1 + abs(log_odds(chosen)) + abs(log_odds(rejected)))


BOUNDS = (
    Bound(
        ("robust-dpo", "exo"),
        lambda case: True,
        _terms,
        "terms of both signs cancel, near p = 1 - e and where the sign turns: 4 ulp of their sizes",
    ),
    Bound(
        ("discopop",),
        lambda case: True,
        _exponent,
        "an exponent is rounded, and e^x makes its absolute error relative: 4 ulp times 1 + |x| + |x|/tau",
    ),
    Bound(("orpo",), lambda case: True, _odds, "two rounded log odds cancel: 4 ulp of them"),
)
