"""The inputs that several families of oracles share."""

import numpy as np
import scipy.special

RNG = np.random.default_rng(7)
PRED, TARGET = RNG.normal(size=(2, 50))
TABLE, TABLE_TARGET = RNG.normal(size=(2, 20, 3))
WEIGHT = RNG.integers(0, 5, 50).astype(float)
LABEL = RNG.integers(0, 2, 50)
LOGIT = RNG.normal(0, 2, 50)
PROB = RNG.uniform(0.01, 0.99, 50)
MANY_LABELS = RNG.integers(0, 2, (20, 4))
MANY_LOGITS = RNG.normal(0, 2, (20, 4))
CLASSES = RNG.integers(0, 4, 50)
COUNTS = np.bincount(CLASSES, minlength=4)
SCORES = RNG.normal(0, 2, (50, 4))
PROBS = scipy.special.softmax(SCORES, axis=1)
SOFT = RNG.dirichlet(np.ones(4), 50)
OTHER = RNG.dirichlet(np.ones(4), 50)
LEFT, RIGHT, THIRD = RNG.normal(size=(3, 30, 5))
SAME = RNG.integers(0, 2, 30)
SPLIT = RNG.integers(0, 3, 50)

# of published comparisons: T (pairs by distance), K (three labels; classes; two distributions), C (classes), H (hinge)
T = (np.array([[0.1], [0.3], [1.3], [0.7], [1.1], [0.5]]), np.zeros((6, 1)), np.array([0, 0, 1, 1, 0, 1]))
K = (np.array([[1.5, -2.7, 2.9], [-3.8, 1.2, -4.5]]), np.array([[1, 1, 0], [0, 1, 0]]))
K3 = (np.array([[8.0, 1, 1], [0, 9, 1], [2, 3, 5]]), np.array([0, 1, 2]))
C = (np.array([[2.0, 1, 0], [0, 1, 3], [1, 2, 1.5]]), np.array([0, 2, 0]))
KP = (np.array([[0.5, 0.8, 0.12], [0.7, 0.43, 0.8]]), np.array([[0.4, 0.9, 0.12], [0.36, 0.3, 0.4]]))
SATURATED = (np.array([1.0, 1, 1, 0]), np.array([1, 0, 1, 0]))
H1 = (np.array([-8.5, 0.5, 1.5, -0.3]), np.array([0, 1, 1, 0]))
H4 = (
    np.array(
        [
            [0.36, -0.17, -0.58, -0.99],
            [-0.54, -0.37, -0.48, -0.58],
            [-1.45, -0.58, -0.38, -0.17],
            [-0.54, -0.38, -0.48, -0.58],
            [-2.36, -0.79, -0.27, 0.24],
            [-1.45, -0.58, -0.38, -0.17],
        ]
    ),
    np.array([0, 1, 2, 1, 3, 2]),
)

# role -> form: what a case of logits is read with
OF_PROB, OF_PROBS, OF_CHANCE = {"prob": "logits"}, {"probs": "logits"}, {"chance": "logits"}
OF_BOTH = {"p": "logits", "q": "logits"}
