"""Libraries that need an environment of their own (numpy before 2), run there: what they print for the inputs of
peers.py. No other file of ours is imported.

    python3.11 -m venv elsewhere
    elsewhere/bin/pip install tensorflow-cpu==2.15.1 tensorflow-addons==0.23.0 tensorflow-ranking==0.5.5 'numpy<2'
    LOSSCTL_PEERS=elsewhere/bin/python python tests/peers.py

Several interpreters, with a colon between, are asked in turn: mxnet==1.9.1 wants 'numpy<1.24' and one for itself.
`python tests/peers_apart.py FOLDER` reads KIND TYPE.npz there and writes JSON: the versions, and a list of [library,
row, kind, type, number].
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
MODULES = {"tensorflow-addons": "tensorflow_addons", "tf-ranking": "tensorflow_ranking", "mxnet": "mxnet"}


def addons(x: dict[str, Any]) -> dict[str, Any]:
    import tensorflow_addons.losses as losses

    emb = x["emb"].astype(np.float32)  # of no other type
    gaps = np.linalg.norm(x["left"] - x["right"], axis=1).astype(x["left"].dtype)
    return {
        "contrastive": losses.ContrastiveLoss()(x["same"], gaps),
        "batch-hard": losses.TripletHardLoss()(x["ids"], emb),
        "semi-hard": losses.TripletSemiHardLoss()(x["ids"], emb),
    }


def ranking(x: dict[str, Any]) -> dict[str, Any]:
    from tensorflow_ranking import keras

    shape = len(set(x["group"])), -1
    relevance, score = (x[name].astype(np.float32).reshape(shape) for name in ("relevance", "score"))  # no other type
    return {
        "ranknet": keras.losses.PairwiseLogisticLoss()(relevance, score),
        "ranking-softmax": keras.losses.SoftmaxLoss()(relevance, score),
    }


def gluon(x: dict[str, Any]) -> dict[str, Any]:
    import mxnet

    pred, target = (mxnet.nd.array(x[name], dtype=x[name].dtype) for name in ("table", "table_target"))
    return {"mse": mxnet.gluon.loss.L2Loss()(pred, target).mean().asscalar()}


RUN = {"tensorflow-addons": addons, "tf-ranking": ranking, "mxnet": gluon}

if __name__ == "__main__":
    versions, numbers = {}, []
    for library, function in RUN.items():
        try:
            versions[library] = importlib.import_module(MODULES[library]).__version__
        except ImportError:
            continue
        for path in sorted(Path(sys.argv[1]).glob("*.npz")):
            kind, type = path.stem.split()
            with np.load(path) as arrays:
                printed = function({name: arrays[name] for name in arrays.files})
            numbers += [(library, row, kind, type, float(value)) for row, value in printed.items()]
    Path(sys.argv[1], "printed.json").write_text(json.dumps([versions, numbers]))
