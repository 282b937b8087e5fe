"""Numbers worth knowing about a loss, calculated when they are shown, with nothing heavier than `math`."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, log1p, log2, pow, sqrt

FACTS: dict[str, Callable[[], tuple[str, ...]]] = {}


def facts(name: str) -> tuple[str, ...]:
    """What there is to know of a loss, a sentence each; none for most."""
    return FACTS[name]() if name in FACTS else ()


def _of(*names: str) -> Callable[[Callable[[], tuple[str, ...]]], Callable[[], tuple[str, ...]]]:
    def keep(function: Callable[[], tuple[str, ...]]) -> Callable[[], tuple[str, ...]]:
        FACTS.update(dict.fromkeys(names, function))
        return function

    return keep


# --- classification


def focal_cut(p: float, gamma: float = 2.0) -> float:
    """By how much focal divides the cross-entropy of a row whose truth had the chance p."""
    return pow(1 - p, -gamma)


def focal_slope(x: float, gamma: float = 2.0) -> float:
    """The derivative of focal by the logit of the truth."""
    p, miss = 1 / (1 + exp(-x)), 1 / (1 + exp(x))
    return pow(miss, gamma) * (gamma * p * log(p) - miss)


def steepest_focal(gamma: float = 2.0) -> tuple[float, float]:
    """Where the derivative of focal by the logit is largest, and how large it is there."""
    low, high = -20.0, 5.0
    while high - low > 1e-9:
        third = (high - low) / 3
        if focal_slope(low + third, gamma) < focal_slope(high - third, gamma):
            high -= third
        else:
            low += third
    return (low + high) / 2, -focal_slope((low + high) / 2, gamma)


@_of("focal")
def _focal() -> tuple[str, ...]:
    cuts = ", ".join(f"at {p:g} by {focal_cut(p):.0f}" for p in (0.5, 0.9, 0.968))
    x, slope = steepest_focal()
    return (
        f"gamma 2 cuts the loss at p_t {cuts.removeprefix('at ')}",
        f"with gamma 2 the gradient peaks at {slope:.3f}, at x_t = {x:.2f}; that of cross-entropy stays below 1",
        f"a row at p_t 0.1 has {focal_cut(0.9) / focal_cut(0.1):.0f} times the weight (1 - p_t)^2 of one at p_t 0.9",
    )


@_of("focal-star")
def _focal_star() -> tuple[str, ...]:
    def slope(x: float) -> float:
        return 1 / (1 + exp(2 * x + 1))

    return (
        f"with gamma 2 and beta 1 the gradient is {slope(0):.3f} at x_t = 0 (cross-entropy: {0.5:g}) "
        f"and {slope(2):.4f} at x_t = 2 (cross-entropy: {1 / (1 + exp(2)):.3f})",
        f"the gradient is half of its largest at x_t = -beta / gamma = {-1 / 2:g}",
    )


@_of("bce", "log-loss")
def _bce() -> tuple[str, ...]:
    return (
        f"a coin scores {log(2):.3f}; " + ", ".join(f"p_t {p:g} costs {-log(p):.3f}" for p in (0.9, 0.1, 0.001)),
        f"one row in 100 at p_t 1e-6 adds {-log(1e-6) / 100:.3f} to the mean",
    )


@_of("cross-entropy")
def _cross_entropy() -> tuple[str, ...]:
    guesses = ", ".join(f"{log(classes):.3f} for {classes}" for classes in (2, 10, 1000))
    floor = -(0.91 * log(0.91) + 9 * 0.01 * log(0.01))
    return (
        f"a uniform guess scores log C: {guesses} classes",
        f"label smoothing 0.1 over 10 classes cannot go below {floor:.3f}, even where every answer is right",
    )


@_of("hinge")
def _hinge() -> tuple[str, ...]:
    return (
        f"at s = 0, undecided, hinge is 1 and log-loss {log(2):.3f}; "
        f"at s = 2 hinge is 0 and log-loss still {log1p(exp(-2)):.3f}",
        "it is above zero-one everywhere, so its mean bounds the error rate from above",
    )


# --- regression


def _mse_share() -> float:
    return 100 * 10**2 / (10**2 + 99)


@_of("mse")
def _mse() -> tuple[str, ...]:
    outlier = f"one error of 10 among 99 errors of 1 makes up {_mse_share():.0f} % of the sum"
    return (f"{outlier} (mae: {100 * 10 / 109:.0f} %)",)


@_of("huber")
def _huber() -> tuple[str, ...]:
    share = 100 * 9.5 / (9.5 + 99 * 0.5)
    outlier = f"with delta 1, one error of 10 among 99 errors of 1 makes up {share:.0f} % of the sum"
    return (f"{outlier} (mse: {_mse_share():.0f} %)",)


@_of("rmse")
def _rmse() -> tuple[str, ...]:
    return (f"errors 1, 1, 1, 5: rmse {sqrt(28 / 4):.3f}, mae {8 / 4:g}; equal only if all errors are of one size",)


# --- divergence, impurity


@_of("kl")
def _kl() -> tuple[str, ...]:
    p, q = 0.5, 0.9
    there = p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))
    back = q * log(q / p) + (1 - q) * log((1 - q) / (1 - p))
    return (f"P = (0.5, 0.5), Q = (0.9, 0.1): KL(P || Q) = {there:.3f}, KL(Q || P) = {back:.3f}",)


@_of("js")
def _js() -> tuple[str, ...]:
    return (f"never above log 2 = {log(2):.3f}, which distributions without a common outcome reach",)


@_of("gini", "entropy")
def _impurity() -> tuple[str, ...]:
    gini = 1 - 0.9**2 - 0.1**2
    bits = -(0.9 * log2(0.9) + 0.1 * log2(0.1))
    return (
        f"classes 9 : 1 have gini {gini:.2f} of at most {0.5:g}, entropy {bits:.3f} of at most 1 bit: "
        "entropy minds a small class more",
    )


# --- embeddings


@_of("contrastive")
def _contrastive() -> tuple[str, ...]:
    return (
        f"with margin 1 both branches cost the same at d = {1 / 2:g}, {0.5**2 / 2:g} each; from d = 1 on others cost 0",
    )


@_of("triplet")
def _triplet() -> tuple[str, ...]:
    return (
        "d_ap = 0.5 and margin 1: hard up to d_an = 0.5, semi-hard up to "
        f"{0.5 + 1:g}, easy from there on; undecided (d_an = d_ap) costs the margin, soft log 2 = {log(2):.3f}",
        "on the unit sphere d is at most 2, so a margin above 2 is never met (FaceNet: 0.2, of squared distances)",
    )


@_of("batch-all")
def _batch_all() -> tuple[str, ...]:
    p, k = 18, 4
    count = p * k * (k - 1) * (p * k - k)
    return (f"a batch of P = {p} classes with K = {k} rows each has PK(K-1)(PK-K) = {count} triplets",)


@_of("batch-hard")
def _batch_hard() -> tuple[str, ...]:
    p, k = 18, 4
    share = 1 / ((k - 1) * (p * k - k))
    return (
        f"of P = {p} classes with K = {k} rows it looks at {p * k} triplets, 1 in {1 / share:.0f}",
        f"a network that maps all to one point scores exactly the margin, soft log 2 = {log(2):.3f}: "
        "a loss that stays there has collapsed",
    )


@_of("circle")
def _circle() -> tuple[str, ...]:
    margin = 0.25
    radius = sqrt(2) * margin
    return (
        "with one positive and one negative the loss is log 2 on s_n^2 + (1 - s_p)^2 = 2 m^2, "
        f"a circle of radius {radius:.3f} for margin {margin:g}",
        f"with gamma 256 it is {256 * (2 * 0.5**2 - 2 * margin**2):g} at s_n = s_p = 0.5: few anchors make the mean",
    )


@_of("info-nce", "nt-xent", "supcon")
def _contrasts() -> tuple[str, ...]:
    return tuple(
        f"temperature {t:g}: one negative that is 0.1 less similar than the positive costs {log1p(exp(-0.1 / t)):.3f}"
        for t in (0.07, 0.1, 0.5)
    )


@_of("ranknet")
def _ranknet() -> tuple[str, ...]:
    return (f"an undecided pair costs log 2 = {log(2):.3f}; a lead of 2 costs {log1p(exp(-2)):.3f}",)
