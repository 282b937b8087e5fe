"""Language: torch; a formula worked out by hand."""

import math

import torch
import torch.nn.functional as F

from .case import Case, index, reduced, tensor
from .samples import CLASSES, SCORES, C


def with_z(z: float) -> torch.Tensor:
    return F.cross_entropy(tensor(SCORES), index(CLASSES)) + z * (torch.logsumexp(tensor(SCORES), 1) ** 2).mean()


ROUTER = ([[2.0, 1, 0, -1], [0, 1, 2, 0.5], [1, 3, 0, 0]],)
CASES = {
    "router-z": [
        *reduced(Case("transformers 5.24.0, Switch", "router-z", ROUTER, 7.582393, digits=6), 3, "sum"),
        Case("torch", "router-z", (SCORES,), lambda: (torch.logsumexp(tensor(SCORES), 1) ** 2).mean()),
    ],
    "cross-entropy-z": [
        *reduced(Case("torch 2.13.0", "cross-entropy-z", C, 0.7533415, digits=7), 3, "sum"),
        Case("torch", "cross-entropy-z", (SCORES, CLASSES), lambda: with_z(1e-4)),
        Case("torch, larger", "cross-entropy-z:z=0.1", (SCORES, CLASSES), lambda: with_z(0.1)),
        Case("torch, none", "cross-entropy-z:z=0", (SCORES, CLASSES), lambda: with_z(0.0)),
    ],
    "bits-per-byte": [
        Case("by hand", "bits-per-byte", ([math.log(2), 3 * math.log(2)], [1, 1]), 2.0),
        Case(
            "torch, three tokens of 7 bytes",
            "bits-per-byte",
            (F.cross_entropy(tensor(C[0]), index(C[1]), reduction="none").numpy(), [2, 4, 1]),
            0.4653148,
            digits=7,
        ),
    ],
}
