"""Words of orders: the place of each column among those of its row, and what columns of one value share."""

from __future__ import annotations

from .numerics import Array, namespace, ordered_by, where


def places(key: Array) -> Array:
    """The place of each column in the order of rising (n, k) keys, from 1; equal keys keep their order."""
    xp = namespace(key)
    position = _positions(key)
    ranked = ordered_by(position, key)  # which column stands at each place
    return ordered_by(position, ranked) + xp.ones_like(key)


def tie_ends(key: Array) -> tuple[Array, Array]:
    """The first and the last place, from 0, of the columns of the same key, (n, k); equal keys stand together."""
    xp = namespace(key)
    position = _positions(key)
    is_new = key[:, 1:] != key[:, :-1]
    edge = xp.ones_like(key[:, :1]) > 0
    first = running_max(where(xp.concat([edge, is_new], axis=1), position, 0.0))
    back = running_max(xp.flip(where(xp.concat([is_new, edge], axis=1), -position, -float("inf")), axis=-1))
    return first, -xp.flip(back, axis=-1)


def tie_means(key: Array, value: Array) -> Array:
    """The mean of the values of all columns of the same key, (n, k); equal keys stand beside each other."""
    xp = namespace(key)
    first, last = tie_ends(key)
    alone = first == last
    if bool(xp.all(alone)):
        return value
    sums = xp.concat([xp.zeros_like(value[:, :1]), running_sum(value)], axis=1)
    index = xp.int64
    total = xp.take_along_axis(sums, xp.astype(last, index) + 1, axis=-1)
    total = total - xp.take_along_axis(sums, xp.astype(first, index), axis=-1)
    return where(alone, value, total / (last - first + 1.0))


def running_max(x: Array) -> Array:
    """The largest of each column and those before it, (n, k)."""
    xp = namespace(x)
    if xp.__name__ == "numpy":
        result: Array = xp.maximum.accumulate(x, axis=-1)
        return result
    if hasattr(xp, "cummax"):
        return xp.cummax(x, dim=-1).values
    parts = [x[:, 0]]
    for column in range(1, x.shape[1]):
        parts.append(xp.maximum(parts[-1], x[:, column]))
    return xp.stack(parts, axis=-1)


def _positions(x: Array) -> Array:
    """0, 1, ... in every row, in the shape of x."""
    return running_sum(namespace(x).ones_like(x)) - 1.0


def running_sum(x: Array) -> Array:
    """The sum of each column and those before it, (n, k)."""
    return namespace(x).cumulative_sum(x, axis=-1)
