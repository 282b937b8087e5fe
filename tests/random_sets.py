"""Small labelled sets that are hard on a distance: ties, duplicates, far offsets, collapse, subnormals."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Random = np.random.Generator


def _labels(random: Random, n: int) -> list[int]:
    kind = random.integers(4)
    if kind == 0:
        return [7] * n
    if kind == 1:
        return [*range(n - 1), 0]  # singletons, and one pair
    return random.integers(1 + random.integers(1, 6), size=n).tolist()


def grid(random: Random, n: int, d: int) -> np.ndarray:
    """Whole numbers: full of ties."""
    return random.integers(-3, 4, size=(n, d)).astype(float)


def scaled_grid(random: Random, n: int, d: int) -> np.ndarray:
    """Multiples of a third: ties that no sum of floats sees."""
    return random.integers(-2, 3, size=(n, d)) / 3


def gauss(random: Random, n: int, d: int) -> np.ndarray:
    """Nothing special."""
    return random.standard_normal((n, d))


def duplicated(random: Random, n: int, d: int) -> np.ndarray:
    """A few rows, many times each."""
    return gauss(random, n, d)[random.integers(max(1, n // 3), size=n)]


def far(random: Random, n: int, d: int) -> np.ndarray:
    """An offset of 1e8 that eats half the digits."""
    return gauss(random, n, d) + 1e8


def collapsed(random: Random, n: int, d: int) -> np.ndarray:
    """All within 1e-4 of a point."""
    return gauss(random, 1, d) + 1e-4 * gauss(random, n, d)


def identical(random: Random, n: int, d: int) -> np.ndarray:
    """All the same."""
    return np.repeat(gauss(random, 1, d), n, axis=0)


def subnormal(random: Random, n: int, d: int) -> np.ndarray:
    """Squares that vanish."""
    return random.integers(-4, 5, size=(n, d)) * 5e-324


def huge(random: Random, n: int, d: int) -> np.ndarray:
    """Squares that overflow."""
    return gauss(random, n, d) * 1e200


def outlier(random: Random, n: int, d: int) -> np.ndarray:
    """One point that makes the error of all products large."""
    x = gauss(random, n, d)
    x[: n // 8 + 1] *= 1e12
    return x


def single(random: Random, n: int, d: int) -> np.ndarray:
    """float32 values."""
    return random.standard_normal((n, d)).astype(np.float32)


def permuted(random: Random, n: int, d: int) -> np.ndarray:
    """One row with its columns shuffled: equal norms, many equal distances."""
    return random.permuted(np.repeat(gauss(random, 1, d), n, axis=0), axis=1)


KINDS: tuple[Callable[[Random, int, int], np.ndarray], ...] = (
    grid,
    scaled_grid,
    gauss,
    duplicated,
    far,
    collapsed,
    identical,
    subnormal,
    huge,
    outlier,
    single,
    permuted,
)


def sets(seed: int, count: int, largest: int) -> Iterator[tuple[str, np.ndarray, list[int], float]]:
    """Name, embeddings, labels and a margin that makes sense for them."""
    random = np.random.default_rng(seed)
    for k in range(count):
        kind = KINDS[k % len(KINDS)]
        n, d = int(random.integers(1, largest + 1)), int(random.integers(1, 6))
        x = kind(random, n, d)
        scale = float(np.abs(x - x[0]).max(initial=0.0)) or 1.0
        margin = float(random.choice([0.0, 1.0, 0.2, scale * 0.25, scale]))
        yield kind.__name__, x, _labels(random, n), margin


def codes(seed: int, n: int = 10) -> Iterator[tuple[str, np.ndarray, list[int], float]]:
    """Whole numbers of one length, whose directions tie, at margins that are, nearly are, and are no difference."""
    random = np.random.default_rng(seed)
    for d, margin in [(2, 0.5), (3, 1 / 3), (3, 2 / 3), (4, 0.5), (4, 0.25), (6, 1 / 3), (6, 0.0), (8, 0.25)]:
        yield f"signs {d} {margin}", random.choice([-3.0, 3.0], size=(n, d)), _labels(random, n), margin
        row = random.integers(-1, 2, size=(1, d)) + np.eye(1, d) * 2
        yield f"turned {d} {margin}", random.permuted(np.repeat(row, n, axis=0), axis=1) / 4, _labels(random, n), margin


def sets_at_a_tie(seed: int, count: int, largest: int) -> Iterator[tuple[str, np.ndarray, list[int], float]]:
    """The same with margins that are, but for one rounding, the difference of two distances from one of the points."""
    random = np.random.default_rng(seed)
    for name, x, labels, margin in sets(seed, count, largest):
        with np.errstate(over="ignore", invalid="ignore"):
            length, other = np.sqrt(
                ((x[random.integers(len(x), size=2)] - x[random.integers(len(x))]) ** 2).sum(axis=1)
            )
            tied = float(abs(length - other))
        yield name, x, labels, tied if np.isfinite(tied) else margin
