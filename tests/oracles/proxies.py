"""Embeddings against class weights: pytorch-metric-learning has printed; torch's softmax; angles by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .case import Case, index, reduced, tensor
from .embedding import PML, PROXIES, W

RNG = np.random.default_rng(29)
EMB, CLASS = RNG.normal(size=(40, 6)), RNG.integers(0, 5, 40)
WEIGHTS = RNG.normal(size=(5, 6))
TEXT = "/".join(map(repr, WEIGHTS.ravel().tolist()))
CENTERS = np.random.default_rng(37).normal(size=(10, 6))  # two a class
OF_CENTERS = "/".join(map(repr, CENTERS.ravel().tolist()))
ROWS = (EMB, CLASS)
THREE = (np.array([[1, 0.2], [0.1, 1], [-0.6, 0.8]]), np.array([0, 1, 2]))
DEGREES = math.radians(28.6), math.radians(80)


def torch_cosines() -> torch.Tensor:
    return F.normalize(tensor(EMB)) @ F.normalize(tensor(WEIGHTS)).T


def with_margin(shift: Any, scale: float) -> float:
    """torch's cross-entropy, the true class by what `shift` makes of its cosine."""
    cosines = torch_cosines()
    own = cosines.gather(1, index(CLASS)[:, None])
    return float(F.cross_entropy(scale * cosines.scatter(1, index(CLASS)[:, None], shift(own)), index(CLASS)))


def linear(c: torch.Tensor, m: float) -> torch.Tensor:
    return torch.where(c.acos() + m < math.pi, (c.acos() + m).cos(), c - m * math.sin(m))


def squares() -> torch.Tensor:
    return torch.cdist(F.normalize(tensor(EMB)), F.normalize(tensor(WEIGHTS))) ** 2


def without_own() -> float:
    d = squares()
    own = F.one_hot(index(CLASS), 5).bool()
    return float((d[own] + (-d).masked_fill(own, -math.inf).logsumexp(dim=1)).mean())


def squared_error() -> float:
    return float(F.mse_loss(torch_cosines(), F.one_hot(index(CLASS), 5).double()))


def to_centers() -> torch.Tensor:
    """(40, 5, 2) cosines."""
    return (F.normalize(tensor(EMB)) @ F.normalize(tensor(CENTERS)).T).view(-1, 5, 2)


def of_nearest(margin: float, scale: float) -> float:
    c = to_centers().max(dim=2).values
    own = c.gather(1, index(CLASS)[:, None])
    return float(F.cross_entropy(scale * c.scatter(1, index(CLASS)[:, None], linear(own, margin)), index(CLASS)))


def of_quality(s: float, margin: float, h: float) -> float:
    """As the paper's code, its guards apart: an angular margin within the cosine, an additive one behind it."""
    norms = torch.linalg.norm(tensor(EMB), dim=1, keepdim=True)
    scaler = ((norms - norms.mean()) / norms.std() * h).clip(-1, 1)
    truth = F.one_hot(index(CLASS), 5).double()
    theta = (torch_cosines().acos() - truth * margin * scaler).clip(0, math.pi)
    return float(F.cross_entropy(s * (theta.cos() - truth * (margin + margin * scaler)), index(CLASS)))


def printed(spec: str, value: float, inputs: Any = W, digits: int = 12) -> Case:
    name, _, more = spec.partition(":")
    return Case(PML, f"{name}:class_weights={PROXIES}" + (f",{more}" if more else ""), inputs, value, digits=digits)


CASES = {
    "center": [
        *reduced(
            Case(
                "torch",
                f"center:class_weights={TEXT}",
                ROWS,
                lambda: F.mse_loss(tensor(EMB), tensor(WEIGHTS)[index(CLASS)], reduction="sum") / 80,
            ),
            40,
            "sum",
        ),
    ],
    "arcface": [
        printed(f"arcface:margin={DEGREES[0]!r}", 32.39210311464613),
        printed(f"arcface:margin={DEGREES[1]!r},s=8", 8.585864012045464),
        *reduced(
            Case(
                "torch",
                f"arcface:class_weights={TEXT},s=16",
                ROWS,
                lambda: with_margin(lambda c: linear(c, 0.5), 16),
            ),
            40,
            "sum",
        ),
        *(
            Case(
                "torch",
                f"arcface:class_weights={TEXT},s=4,margin=1.5,beyond={beyond}",
                ROWS,
                lambda shift=shift: with_margin(shift, 4),
            )
            for beyond, shift in (
                ("linear", lambda c: linear(c, 1.5)),
                ("plain", lambda c: (c.acos() + 1.5).cos()),
                ("easy", lambda c: torch.where(c > 0, (c.acos() + 1.5).cos(), c)),
            )
        ),
        Case(
            "by hand, a right angle",
            "arcface:class_weights=1/0/0/1,s=2,margin=0.75",
            ([[0.0, 3.0]], [0]),
            math.log1p(math.exp(2 + 2 * math.sin(0.75))),
        ),
    ],
    "sub-center-arcface": [
        *reduced(
            Case(
                PML,
                f"sub-center-arcface:class_weights={OF_CENTERS},centers=2,margin={DEGREES[0]!r}",
                ROWS,
                54.21814490276522,
                digits=12,
            ),
            40,
            "sum",
        ),
        Case(
            "torch",
            f"sub-center-arcface:class_weights={OF_CENTERS},centers=2,s=16",
            ROWS,
            lambda: of_nearest(0.5, 16),
        ),
    ],
    "soft-triple": [
        *reduced(
            Case(PML, f"soft-triple:class_weights={OF_CENTERS},centers=2", ROWS, 8.650854952281469, digits=12),
            40,
            "sum",
        ),
        Case(
            PML,
            f"soft-triple:class_weights={OF_CENTERS},centers=2,s=5,gamma=0.5,margin=0.2",
            ROWS,
            3.426190045821899,
            digits=12,
        ),
    ],
    "adaface": [
        Case("torch", f"adaface:class_weights={TEXT}", ROWS, lambda: of_quality(64, 0.4, 0.333)),
        Case("torch", f"adaface:class_weights={TEXT},s=8,margin=0.7,h=0.9", ROWS, lambda: of_quality(8, 0.7, 0.9)),
    ],
    "cosface": [
        printed("cosface", 28.384475163597983),
        printed("cosface:margin=0.1,s=7", 2.232317076238047),
        *reduced(
            Case("torch", f"cosface:class_weights={TEXT},s=16", ROWS, lambda: with_margin(lambda c: c - 0.35, 16)),
            40,
            "sum",
        ),
    ],
    "normalized-softmax": [
        printed("normalized-softmax", 5.233594734745572),
        printed("normalized-softmax:temperature=0.7", 0.8603056881845621),
        *reduced(
            Case(
                "torch",
                f"normalized-softmax:class_weights={TEXT},temperature=0.25",
                ROWS,
                lambda: F.cross_entropy(4 * torch_cosines(), index(CLASS)),
            ),
            40,
            "sum",
        ),
    ],
    "proxy-nca": [
        printed("proxy-nca:with_own=true", 0.8855324723993387),
        printed("proxy-nca:with_own=true,s=3", 1.6563113776177605),
        *reduced(Case("torch, as the paper", f"proxy-nca:class_weights={TEXT}", ROWS, without_own), 40, "sum"),
        Case(
            "torch, ProxyNCA++",
            f"proxy-nca:class_weights={TEXT},with_own=true,s=2",
            ROWS,
            lambda: F.cross_entropy(-2 * squares(), index(CLASS)),
        ),
    ],
    "sphereface": [
        printed("sphereface", 1.0475829074619314, THREE),
        printed("sphereface:multiple=3,s=2", 0.9494579547761676, THREE),
        *reduced(Case(PML, f"sphereface:class_weights={TEXT}", ROWS, 9.425934697291023, digits=12), 40, "sum"),
        Case(PML, f"sphereface:class_weights={TEXT},multiple=3,s=2", ROWS, 12.855045872640437, digits=12),
        Case(PML, f"sphereface:class_weights={TEXT},at_length=true", ROWS, 19.119527554621406, digits=12),
        Case(
            PML, f"sphereface:class_weights={TEXT},multiple=3,s=0.5,at_length=true", ROWS, 7.39610426887276, digits=12
        ),
    ],
    "proxy-anchor": [
        printed("proxy-anchor", 14.458006107898187, THREE),
        printed("proxy-anchor:margin=0.2,s=8", 4.480686640102164, THREE),
        Case(PML, f"proxy-anchor:class_weights={TEXT}", ROWS, 47.85996839916038, digits=12),
        Case(PML, f"proxy-anchor:class_weights={TEXT},margin=0.2,s=8", ROWS, 15.117173957652136, digits=12),
    ],
    "p2s-grad": [
        printed("p2s-grad", 0.19483478575426422, THREE, 6),
        *reduced(Case("torch", f"p2s-grad:class_weights={TEXT}", ROWS, squared_error), 40, "sum"),
    ],
}
