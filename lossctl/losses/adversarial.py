"""Two networks against each other: what a discriminator's scores of real and generated rows cost either of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ..language.engines import WHOLE
from ..language.numerics import Array, namespace, relu, where
from ..language.registry import loss

Network = Literal["discriminator", "generator"]


@loss(engine=WHOLE, aliases=("hinge-gan", "gan-hinge-loss"))
def gan_hinge(score: Array, label: Array, *, network: Network = "discriminator") -> Array:
    """Real rows scored above 1 and generated ones below -1; the generator raises the scores of its own.

    Formula: mean over real rows of [1 - s]+ + mean over generated ones of [1 + s]+; of the generator -mean s of its own
    Paper: Lim, Ye, Geometric GAN, 2017
    Reading: label 1 is real, 0 generated; where a file has one kind alone, its mean is all
    Differs: MONAI puts scores through tanh first unless told: --squash tanh
    network: whose loss it is
    Use: discriminators without a sigmoid, as in SAGAN and BigGAN
    Misleads: the two losses have no common scale, and neither tells how good the images are
    Gradient: -1 by each real score below 1, 1 by each other one above -1, divided by their numbers
    Worked: real = 1 - 0.5; generated = 1 + 2; gan_hinge = real + generated
    Example: score=[0.5,2] label=[1,0] -> 3.5
    """
    if network == "generator":
        return _mean(-score, label == 0)
    return _of_both(score, label, lambda s: relu(1.0 - s), lambda s: relu(1.0 + s))


@loss(engine=WHOLE, aliases=("lsgan", "least-squares-gan"))
def gan_least_squares(score: Array, label: Array, *, network: Network = "discriminator") -> Array:
    """Real rows scored 1 and generated ones 0, by squares; the generator wants its own scored 1.

    Formula: mean over real rows of (s - 1)^2 + mean over generated ones of s^2; of the generator mean (s - 1)^2 of its
        own
    Paper: Mao, Li, Xie, Lau, Wang, Smolley, Least Squares Generative Adversarial Networks, 2017
    Reading: label 1 is real, 0 generated; where a file has one kind alone, its mean is all
    Differs: the paper has half of it; MONAI puts scores through a leaky ReLU of slope 0.05
        first unless told no_activation_leastsq=True
    network: whose loss it is
    Use: generators that saturate with bce
    Misleads: a discriminator that is too sure costs as much as one that is not sure enough
    Gradient: 2 (s - 1) by each real score, 2 s by each other one, divided by their numbers
    Worked: real = (0.5 - 1)^2; generated = 2^2; gan_least_squares = real + generated
    Example: score=[0.5,2] label=[1,0] -> 4.25
    """
    if network == "generator":
        return _mean((score - 1.0) * (score - 1.0), label == 0)
    return _of_both(score, label, lambda s: (s - 1.0) * (s - 1.0), lambda s: s * s)


@loss(engine=WHOLE, is_signed=True, aliases=("wgan", "wgan-loss", "wasserstein-loss"))
def wasserstein_gan(score: Array, label: Array, *, network: Network = "discriminator") -> Array:
    """How much higher generated rows are scored than real ones; the generator raises the scores of its own.

    Formula: mean s of generated rows - mean s of real ones; of the generator -mean s of its own
    Paper: Arjovsky, Chintala, Bottou, Wasserstein GAN, 2017
    Reading: its negative estimates the distance of the two distributions, if the critic's slope is at most 1
    Differs: code often adds a penalty of the critic's gradient, which no score tells
    network: whose loss it is
    Use: critics whose slope is bounded
    Misleads: without that bound it falls without end
    Gradient: 1 by each generated score and -1 by each real one, divided by their numbers
    Worked: wasserstein_gan = 2 - 0.5
    Example: score=[0.5,2] label=[1,0] -> 1.5
    """
    if network == "generator":
        return _mean(-score, label == 0)
    return _of_both(score, label, lambda s: -s, lambda s: s)


def _of_both(score: Array, label: Array, real: Callable[[Array], Array], other: Callable[[Array], Array]) -> Any:
    return _mean(real(score), label == 1, 0.0) + _mean(other(score), label == 0, 0.0)


def _mean(values: Array, mask: Array, of_none: float = float("nan")) -> Any:
    xp = namespace(values)
    count = xp.sum(xp.astype(mask, values.dtype))
    return where(count > 0, xp.sum(where(mask, values, 0.0)) / where(count > 0, count, 1.0), of_none)
