"""Language: torch; a formula worked out by hand."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from .case import Case, index, reduced, tensor
from .samples import CLASSES, SCORES, C


def with_z(z: float) -> torch.Tensor:
    return F.cross_entropy(tensor(SCORES), index(CLASSES)) + z * (torch.logsumexp(tensor(SCORES), 1) ** 2).mean()


ROUTER = ([[2.0, 1, 0, -1], [0, 1, 2, 0.5], [1, 3, 0, 0]],)
RNG = np.random.default_rng(41)
FRAMES, SYMBOLS, SEQUENCE = RNG.normal(0, 2, (26, 5)), np.zeros(26, int), np.repeat([0, 1, 2, 3], [6, 9, 5, 6])
TEXTS = ([1, 3], [2, 2, 4, 1], [], [4, 4, 4])
for number, text in enumerate(TEXTS):
    SYMBOLS[np.flatnonzero(number == SEQUENCE)[: len(text)]] = text
SPOKEN = (FRAMES, SYMBOLS, SEQUENCE)
LATE = (FRAMES, np.where(SYMBOLS == 0, 4, SYMBOLS - 1), SEQUENCE)  # the last column is the blank


def torch_ctc(reduction: str, blank: int = 0) -> torch.Tensor:
    """Of padded sequences, (T, N, C), with the lengths of both."""
    logits = [tensor(np.roll(FRAMES, -1, axis=1) if blank else FRAMES)[number == SEQUENCE] for number in range(4)]
    log_p = torch.nn.utils.rnn.pad_sequence(logits).log_softmax(dim=2)
    symbols = torch.tensor([symbol - (blank > 0) for text in TEXTS for symbol in text])
    sizes = [torch.tensor([len(part) for part in parts]) for parts in (logits, TEXTS)]
    return F.ctc_loss(log_p, symbols, *sizes, blank=blank, reduction=reduction)


THREE = (np.log([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.2, 0.3]]), [1, 0, 0], [0, 0, 0])
SHORT = (np.zeros((4, 3)), [1, 1, 1, 1], [0, 0, 1, 1])
GIVEN = (tensor(SCORES), index(CLASSES))
CHOSEN = F.log_softmax(tensor(SCORES), 1)[range(50), CLASSES]  # of the true classes
CASES = {
    "token-nll": [
        *reduced(Case("torch", "token-nll", (CHOSEN.numpy(),), lambda: F.cross_entropy(*GIVEN)), 50, "sum"),
    ],
    "token-perplexity": [
        Case("torch", "token-perplexity", (CHOSEN.numpy(),), lambda: F.cross_entropy(*GIVEN).exp()),
        Case("by hand: one of two, then one of eight", "token-perplexity", (np.log([1 / 2, 1 / 8]),), 4.0),
    ],
    "ctc": [
        Case("by hand: three ways at three frames", "ctc", THREE, 0.7031975, digits=7),
        Case("torch", "ctc", SPOKEN, lambda: torch_ctc("none").mean()),
        Case("torch", "ctc", SPOKEN, lambda: torch_ctc("sum"), reduction="sum"),
        Case("torch", "ctc:per=symbol", SPOKEN, lambda: torch_ctc("mean")),
        Case(
            "torch, the last for the blank",
            "ctc:blank=4",
            (np.roll(FRAMES, -1, axis=1), *LATE[1:]),
            lambda: torch_ctc("none", 4).mean(),
        ),
        Case("by hand: the same symbol twice needs three frames", "ctc:zero_infinity=true", SHORT, 0.0),
    ],
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
