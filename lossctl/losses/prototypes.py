"""Losses of scores against prototypes, where one view's assignments are what the other should predict.

Assignments are balanced over all rows by iterations of Sinkhorn and Knopp, whose number is an option: each makes all
prototypes alike in size, then each row a distribution. All rows meet, so the loss is one number.
"""

from __future__ import annotations

import math
from typing import Annotated

from ..language.domains import Domain, NonNegative, Positive
from ..language.engines import WHOLE
from ..language.entropy import log_softmax, log_sum_exp
from ..language.numerics import Array, exp, log, namespace, row_sum, weigh
from ..language.registry import loss

Iterations = Annotated[int, Domain(int, low=1)]
Rounds = Annotated[int, Domain(int, low=0)]
Shares = Annotated[tuple[float, ...] | None, Domain(float, low=0, low_open=True, many=True, optional=True)]


@loss(engine=WHOLE, aliases=("swapped-assignments",))
def swav(
    left_codes: Array,
    right_codes: Array,
    *,
    temperature: Positive = 0.1,
    epsilon: Positive = 0.05,
    iterations: Iterations = 3,
) -> Array:
    """Each view's scores of the prototypes against the balanced assignments of the other view.

    Formula: mean of -1/2 sum_k q_k(b) log softmax(a / T)_k - 1/2 sum_k q_k(a) log softmax(b / T)_k, q(a) = e^(a / e)
        made alike in the sums of its columns and then 1 in each row, so many times
    Paper: Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, 2020
    Reading: all N rows are balanced together; in training a batch is, and a queue of rows before it
    Differs: the iterations are cut off, as in the paper: 3 rounds balance nearly, not wholly; of many crops each pair
        is one call
    temperature: T, of the predictions
    epsilon: e, of the assignments; the smaller, the nearer they are to one prototype a row
    iterations: how many rounds of balancing
    Unit: nats
    Use: learning from two views by clustering, with scores as cosines of features and prototypes
    Misleads: the least value is the entropy of the assignments, not 0; another N, other assignments
    Gradient: (softmax - q) / (2 T N) by the scores; training takes assignments for constants
    Worked: near = log(1 + exp(-(1 - 0) / 1)); far = near + 1; q = exp(1) / (1 + exp(1));
        swav = q * near + (1 - q) * far
    Example: left=1/0,0/1 right=1/0,0/1 temperature=1 epsilon=1 -> 0.5822031088882179
    """
    sides = (left_codes, right_codes), (right_codes, left_codes)
    return sum(_predicted(x / temperature, _balanced(y / epsilon, iterations)) for x, y in sides) / 2.0


@loss(engine=WHOLE, aliases=("capi-loss",))
def capi(
    student: Array,
    teacher: Array,
    *,
    temperature: Positive = 0.12,
    teacher_temperature: Positive = 0.06,
    iterations: Iterations = 3,
) -> Array:
    """A student's scores of the clusters against the balanced assignments of a teacher.

    Formula: mean of -sum_k q_k log softmax(s / T)_k, q = e^(t / T') made alike in the sums of its columns and then 1 in
        each row, so many times
    Paper: Darcet et al., Cluster and Predict Latent Patches for Improved Masked Image Modeling, 2025
    Reading: all rows are balanced together; the paper balances each position in the image by itself: -g POSITION
    Differs: lightly adds 1e-8 to what it divides by
    temperature: T, of the student
    teacher_temperature: T'
    iterations: how many rounds of balancing
    Unit: nats
    Use: masked patches, whose clusters a teacher gives
    Misleads: the least value is the entropy of the assignments, not 0; another N, other assignments
    Gradient: (softmax - q) / (T N) by the student's scores; training takes assignments for constants
    Worked: near = log(1 + exp(-(1 - 0) / 1)); far = near + 1; q = exp(1) / (1 + exp(1));
        capi = q * near + (1 - q) * far
    Example: student=1/0,0/1 teacher=1/0,0/1 temperature=1 teacher_temperature=1 -> 0.5822031088882179
    """
    return _predicted(student / temperature, _balanced(teacher / teacher_temperature, iterations))


@loss(engine=WHOLE, aliases=("masked-siamese",))
def msn(
    left_codes: Array,
    right_codes: Array,
    *,
    temperature: Positive = 0.1,
    sharpness: Positive = 0.25,
    iterations: Rounds = 3,
    regularization: NonNegative = 1.0,
) -> Array:
    """A masked view's scores of the prototypes against the sharpened, balanced ones of the whole view.

    Formula: mean of -sum_k q_k log p_k + w sum_k m_k log(K m_k), p = softmax(a / T), q = softmax(b / (T t)) balanced, m
        the mean of p over the rows
    Paper: Assran et al., Masked Siamese Networks for Label-Efficient Learning, 2022
    Reading: left is the masked view, right the whole one; scores are cosines of features and prototypes
    Differs: lightly takes features and prototypes, of which these are the cosines; several masked views are one call
        each
    temperature: T
    sharpness: t, below 1 for targets sharper than predictions
    iterations: how many rounds of balancing, 0 for none
    regularization: w, how much prototypes that are used unevenly cost
    Unit: nats
    Use: learning from masked images
    Misleads: the least value is the entropy of the assignments, not 0; another N, other assignments
    Gradient: (p - q) / (T N) by the scores, and that of the entropy of m; training takes targets for constants
    Worked: near = log(1 + exp(-(1 - 0) / 1)); far = near + 1; q = exp(1) / (1 + exp(1));
        msn = q * near + (1 - q) * far
    Example: left=1/0,0/1 right=1/0,0/1 temperature=1 sharpness=1 -> 0.5822031088882179
    """
    logs = log_softmax(left_codes / temperature)
    m = namespace(logs).mean(exp(logs), axis=0)
    uneven = row_sum(weigh(m, log(m * float(m.shape[0])))[None, :])[0]
    return _siamese(logs, right_codes, temperature, sharpness, iterations) + regularization * uneven


@loss(engine=WHOLE, aliases=("prior-matching-siamese",))
def pmsn(
    left_codes: Array,
    right_codes: Array,
    *,
    temperature: Positive = 0.1,
    sharpness: Positive = 0.25,
    iterations: Rounds = 3,
    regularization: NonNegative = 1.0,
    exponent: NonNegative = 0.25,
    prior_shares: Shares = None,
) -> Array:
    """msn where prototypes should be used by a prior, such as a power law, in place of alike.

    Formula: mean of -sum_k q_k log p_k + w sum_k r_k log(r_k / m_k), p = softmax(a / T), q = softmax(b / (T t))
        balanced, m the mean of p over the rows, r the prior, by default proportional to k^-exponent
    Paper: Assran et al., The Hidden Uniform Cluster Prior in Self-Supervised Learning, 2023
    Reading: left is the masked view, right the whole one; the first column is the prototype that should be most used
    Differs: exponent 0 is KL(uniform, m), where msn has KL(m, uniform)
    temperature: T
    sharpness: t, below 1 for targets sharper than predictions
    iterations: how many rounds of balancing, 0 for none
    regularization: w, how much prototypes that are not used as the prior says cost
    exponent: of the power law
    prior_shares: r in place of the power law: a number for each prototype, divided by their sum
    Unit: nats
    Use: learning from masked images whose classes differ in size
    Misleads: balancing works against a prior that is uneven; the order of the prototypes counts
    Gradient: (p - q) / (T N) by the scores, and that of the divergence of m; training takes targets for constants
    Worked: near = log(1 + exp(-(1 - 0) / 1)); far = near + 1; q = exp(1) / (1 + exp(1));
        pmsn = q * near + (1 - q) * far
    Example: left=1/0,0/1 right=1/0,0/1 temperature=1 sharpness=1 exponent=0 -> 0.5822031088882179
    """
    logs = log_softmax(left_codes / temperature)
    m = namespace(logs).mean(exp(logs), axis=0)
    shares = prior_shares or [float(k + 1) ** -exponent for k in range(m.shape[0])]
    terms = [r / sum(shares) * (math.log(r / sum(shares)) - log(m[k : k + 1])) for k, r in enumerate(shares)]
    return (
        _siamese(logs, right_codes, temperature, sharpness, iterations) + regularization * sum(terms[1:], terms[0])[0]
    )


def _siamese(logs: Array, codes: Array, temperature: float, sharpness: float, iterations: int) -> Array:
    """The mean surprise at the sharpened, balanced targets of the other view under log-probabilities."""
    targets = _balanced(log_softmax(codes / (temperature * sharpness)), iterations)
    return namespace(logs).mean(-row_sum(weigh(targets, logs)))


def _predicted(x: Array, targets: Array) -> Array:
    return namespace(x).mean(-row_sum(weigh(targets, log_softmax(x))))


def _balanced(x: Array, iterations: int) -> Array:
    """e^x with the sums of its columns made alike and then each row 1, so many times, (n, K)."""
    for _ in range(iterations):
        x = x - log_sum_exp(x.T)[None, :]
        x = x - log_sum_exp(x)[:, None]
    return exp(x)
