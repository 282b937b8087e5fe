"""Random weights and signs that depend on (seed, resample, row) only: no state, so blocks and threads change nothing.

A 64-bit hash of a row's key plus a resample's key gives four resampling weights, or 64 signs. Weights are Poisson(1)
counts, cut to multiples of 2**-16 in probability so that the mean is exactly 1 and the variance 0.99997.
Sources: Hanley, MacGibbon, Creating non-parametric bootstrap samples using Poisson frequencies, 2006; the mixing
function is Stafford's variant 13 of the MurmurHash3 finaliser, as in SplitMix64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np

from . import grid
from .grid import GridSums

GOLDEN = 0x9E3779B97F4A7C15
WORD = 1 << 64
TILE_ROWS, TILE_COLUMNS = 128, 1024  # a tile of weights and its temporaries stays in the second-level cache
AT_LEAST = (41427, 17317, 5263, 1244, 240, 39, 5, 1)  # 2**16 P(weight >= k), k = 1..8: they sum to 2**16
LARGEST_MATRIX = 2  # columns up to which a product per column beats one product for all


Multiply = Callable[["Draws", np.ndarray, np.ndarray], np.ndarray]  # (draws, numbers, digits (n, L)) -> (L, resamples)


class Draws(NamedTuple):
    """Which random numbers: the seed, and how many resamples (or sign patterns)."""

    seed: int
    resamples: int


def resample_sums(draws: Draws, numbers: np.ndarray, values: np.ndarray) -> GridSums:
    """sum_i weight(seed, r, numbers[i]) * values[i], for each resample r.

    numbers: (n,) whole numbers that name the rows (or clusters);  values: (n, m) float64
    """
    return _added(draws, numbers, values, _weighted)


def flip_sums(draws: Draws, numbers: np.ndarray, values: np.ndarray) -> GridSums:
    """sum_i sign(seed, r, numbers[i]) * values[i], for each pattern r of fair signs; shapes as in `resample_sums`."""
    return _added(draws, numbers, values, _signed)


def _added(draws: Draws, numbers: np.ndarray, values: np.ndarray, multiply: Multiply) -> GridSums:
    parts = []
    for start in range(0, max(1, len(numbers)), grid.MOST_ROWS):
        rows = slice(start, start + grid.MOST_ROWS)
        places, digits, tops, lost = grid.digits(values[rows])
        sums = multiply(draws, numbers[rows], digits)
        parts.append(GridSums(places, sums.astype(np.int64), tops, lost, len(digits)))
    return reduce(add, parts)


def _weighted(draws: Draws, numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
    thresholds = np.array([(1 << 16) - count for count in AT_LEAST], dtype=np.uint16)
    result = np.zeros((values.shape[1], draws.resamples))
    for rows, columns, words in _tiles(draws, numbers, 4):
        digits = words.view(np.uint16)
        counts = np.greater_equal(digits, thresholds[0]).view(np.uint8)
        reached = np.empty(counts.shape, dtype=bool)
        for threshold in thresholds[1:]:
            np.greater_equal(digits, threshold, out=reached)
            np.add(counts, reached.view(np.uint8), out=counts)
        _add_product(result[:, columns], values[rows], counts)
    return result


def _signed(draws: Draws, numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
    result = np.zeros((values.shape[1], draws.resamples))
    for rows, columns, words in _tiles(draws, numbers, 64):
        ones = np.unpackbits(words.view(np.uint8), axis=1)
        _add_product(result[:, columns], values[rows], ones)
    return np.asarray(2 * result - values.sum(axis=0)[:, None])


def order_of(draws: Draws, numbers: np.ndarray) -> np.ndarray:
    """A random order of the units that `numbers` name, (n,)."""
    seed = _mixed(np.array([(draws.seed * 128 + 1) % WORD], dtype=np.uint64))[0]
    return np.argsort(_mixed(numbers.astype(np.uint64) * np.uint64(GOLDEN) + seed), kind="stable")


def every_flip_sum(values: np.ndarray) -> np.ndarray:
    """The sums under all 2**n sign patterns, (2**n, m), for (n, m) values; n is small."""
    patterns = np.arange(1 << len(values))[:, None] >> np.arange(len(values))
    result: np.ndarray = (1.0 - 2.0 * (patterns & 1)) @ values
    return result


def _add_product(result: np.ndarray, values: np.ndarray, counts: np.ndarray) -> None:
    """result += values.T @ counts, where counts may have some columns too many."""
    weights = counts[:, : result.shape[1]].astype(np.float64)
    if len(result) > LARGEST_MATRIX:
        result += values.T @ weights
    else:
        for sums, column in zip(result, values.T, strict=True):
            sums += column @ weights


def _tiles(draws: Draws, numbers: np.ndarray, per_hash: int) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """(rows, resamples, hashes) of every tile; a hash serves `per_hash` of them."""
    words = -(-draws.resamples // per_hash)
    seed = _mixed(np.array([(draws.seed * 128 + per_hash) % WORD], dtype=np.uint64))[0]  # weights and signs apart
    row_keys = _mixed(numbers.astype(np.uint64) * np.uint64(GOLDEN) + seed)
    resample_keys = _mixed((np.arange(words, dtype=np.uint64) + np.uint64(1)) * np.uint64(GOLDEN) ^ seed)
    step = TILE_COLUMNS // per_hash
    for row in range(0, len(numbers), TILE_ROWS):
        rows = slice(row, row + TILE_ROWS)
        for word in range(0, words, step):
            hashes = _mixed(row_keys[rows, None] + resample_keys[word : word + step])
            yield rows, slice(word * per_hash, min((word + step) * per_hash, draws.resamples)), hashes


def _mixed(words: np.ndarray) -> np.ndarray:
    """A bijection of 64-bit words in which every input bit sways every output bit. Works in place."""
    shifted = np.empty_like(words)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        np.right_shift(words, np.uint64(shift), out=shifted)
        np.bitwise_xor(words, shifted, out=words)
        if factor != 1:
            np.multiply(words, np.uint64(factor), out=words)
    return words
