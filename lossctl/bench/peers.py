"""Other libraries on the same question, where they are installed: as their own documentation calls them.

Each answers as much of the question as it can: most give the loss alone, faiss the negatives alone (of its nearest
K + 1 points one at least is a negative). What they answer is not judged, for they do not say which triplets they took.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from .cases import MARGIN, PEERS, Case
from .contenders import Contender, Unavailable


def peer(case: Case) -> Contender:
    """How a peer's case is run. Raises Unavailable."""
    module = PEERS[case.implementation][0]
    if find_spec(module) is None:
        raise Unavailable("not installed")
    if case.dtype != "float32":
        raise Unavailable("compared in float32 only")
    try:
        return _MAKERS[case.implementation](case)
    except ImportError as fault:  # installed, but not whole
        raise Unavailable(f"cannot be imported: {fault}") from fault


def _on_torch(case: Case, run: Any) -> Contender:
    return Contender(lambda inputs: inputs.on(case.device), run)


def _pytorch_metric_learning(case: Case) -> Contender:
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import BatchHardMiner

    plain = LpDistance(normalize_embeddings=False)
    if case.kernel == "batch-hard":
        miner = BatchHardMiner(distance=plain)
        return _on_torch(case, lambda inputs: miner(*inputs))
    loss = TripletMarginLoss(margin=MARGIN, distance=plain)
    return _on_torch(case, lambda inputs: loss(*inputs))


def _sentence_transformers(case: Case) -> Contender:
    try:
        losses: Any = import_module("sentence_transformers.sentence_transformer.losses")
    except ModuleNotFoundError:  # before 6
        losses = import_module("sentence_transformers.losses")
    name, method = {
        "batch-hard": ("BatchHardTripletLoss", "batch_hard_triplet_loss"),
        "batch-all": ("BatchAllTripletLoss", "batch_all_triplet_loss"),
        "semi-hard": ("BatchSemiHardTripletLoss", "batch_semi_hard_triplet_loss"),
    }[case.kernel]
    loss = getattr(getattr(losses, name)(model=None, margin=MARGIN), method)
    return _on_torch(case, lambda inputs: loss(inputs[1], inputs[0]))


def _keops(case: Case) -> Contender:
    from pykeops.torch import LazyTensor

    def run(inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        x, labels = inputs[0], inputs[1].to(inputs[0].dtype)
        squares = ((LazyTensor(x[:, None]) - LazyTensor(x[None])) ** 2).sum(-1)
        other = ((LazyTensor(labels[:, None, None]) - LazyTensor(labels[None, :, None])) ** 2 - 0.5).step()
        far = 1e6
        return (squares - far * other).argmax(1), (squares + far * (1 - other)).argmin(1)

    return _on_torch(case, run)


def _faiss(case: Case) -> Contender:
    if case.device != "cpu":
        raise Unavailable("compared on the CPU only")
    import faiss

    def run(inputs: Any) -> Any:
        index = faiss.IndexFlatL2(case.dim)
        index.add(inputs.embeddings)
        _, nearest = index.search(inputs.embeddings, case.k + 1)
        is_negative = inputs.labels[nearest] != inputs.labels[:, None]
        return nearest[np.arange(case.n), is_negative.argmax(1)]

    return Contender(lambda inputs: inputs, run)


_MAKERS = {
    "pytorch-metric-learning": _pytorch_metric_learning,
    "sentence-transformers": _sentence_transformers,
    "keops": _keops,
    "faiss": _faiss,
}
