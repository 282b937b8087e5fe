"""Preferences: TRL; torch's log-sigmoid; mpmath."""

import numpy as np
import torch.nn.functional as F
from exact_preference import REFERENCES

from .case import Case, by_mpmath, reduced, tensor

G = ([-12.0, -15], [-14.0, -13], [-13.0, -14.5], [-13.5, -13.2])  # sums over tokens
MEANS = ([-3.0, -3], [-3.5, -3.25], [-3.25, -2.9], [-3.375, -3.3])  # over lengths chosen 4, 5, rejected 4, 4
ALL = tuple(np.ravel(pair) for pair in (G[:2], G[2:]))  # chosen, then rejected
TRL = "TRL 1.16.0"
PRINTED = {
    "dpo": [(TRL, "dpo", G, 0.6748583, 7), (TRL + ", sigmoid_norm, over lengths", "dpo", MEANS, 0.6876241, 7)],
    "robust-dpo": [(TRL, "robust-dpo", G, 0.6698583, 7)],
    "ipo": [(TRL + ", over lengths", "ipo", MEANS, 23.95656, 5)],
    "dpo-hinge": [(TRL, "dpo-hinge", G, 0.96, 7)],
    "exo": [(TRL, "exo:label_smoothing=0.1", G, 0.490631, 6)],
    "nca-pair": [(TRL, "nca-pair", G, 1.377556, 6)],
    "bco-pair": [(TRL, "bco-pair", G, 1.367257, 6)],
    "sppo-hard": [(TRL, "sppo-hard", G, 46.77, 5)],
    "apo-zero": [(TRL, "apo-zero", G, 0.9900103, 7)],
    "apo-down": [(TRL, "apo-down", G, 0.9962724, 7)],
    "discopop": [(TRL, "discopop", G, 0.8230481, 7)],
    "simpo": [(TRL, "simpo", MEANS[:2], 0.5836121, 6)],
    "cpo": [(TRL + ", the preference term", "cpo:alpha=0", G[:2], 0.6981389, 7)],
    "orpo": [(TRL + ", the odds term and 3 for the chosen", "orpo:beta=0.1", MEANS[:2], 3.05186661, 7)],
    "kto": [(TRL + "'s expression", "kto:kl=0.3", (*ALL, [1, 1, 0, 0]), 0.4950018, 7)],
    "reward-model": [("TRL's logsigmoid", "reward-model", ([1.0, -0.5], [-0.5, 0.2]), 0.6522997, 7)],
    "ppo-clip": [
        ("torch 2.13.0", "ppo-clip", ([-1.0, -0.5, -2], [-1.2, -0.4, -2.5], [1.0, -1, 0.5]), -0.2983875, 7),
    ],
    "kl-estimate": [("torch 2.13.0", "kl-estimate", ([-1.0, -0.5], [-1.2, -0.4]), 0.01195084, 8)],
}
OPTIONS = {
    "dpo": ("beta=0.5,label_smoothing=0.2",),
    "robust-dpo": ("beta=0.5,label_smoothing=0.2",),
    "exo": ("beta=0.5",),
    "bco-pair": ("beta=0.5,delta=0.3",),
    "discopop": ("beta=0.5,tau=0.2",),
    "simpo": ("beta=2.5,gamma=1.4",),
    "cpo": ("beta=0.5,alpha=0.3",),
    "kto": ("beta=0.5,kl=0.3,desirable_weight=1.3,undesirable_weight=0.7",),
    "reward-model": ("margin=0.3,center=0.01",),
    "ppo-clip": ("epsilon=0.1",),
    "kl-estimate": ("kind=k1", "kind=k2"),
}
CASES = {
    name: [
        *(
            case
            for source, spec, inputs, number, digits in rows
            for case in reduced(Case(source, spec, inputs, number, digits=digits), len(inputs[0]), "sum")
        ),
        *by_mpmath(REFERENCES[name], name, rows[0][2], "sum"),
        *(
            case
            for options in OPTIONS.get(name, ("beta=0.5",))
            for case in by_mpmath(REFERENCES[name], f"{name}:{options}", rows[0][2])
        ),
    ]
    for name, rows in PRINTED.items()
}
CASES["dpo"].append(
    Case(
        "torch",
        "dpo:beta=0.3",
        G,
        lambda: -F.logsigmoid(0.3 * (tensor(G[0]) - tensor(G[2]) - tensor(G[1]) + tensor(G[3]))).mean(),
    )
)
