"""The words that losses are written in. The only file that knows there is more than one array library.

Every word takes numpy arrays, torch tensors or any other array of the array API standard, and answers in kind. A word
is here because a plain formula would lose digits (`softplus`, `sigmoid`) or because the libraries spell it differently;
what is written in these words stands beside: `rounding`, `entropy`, `distances`. Hyper-parameters are Python floats.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, SupportsFloat

Array = Any  # an array of whichever library the caller uses
Total = Any  # a sum over all rows: an exact fraction (or what of it is no number), or an array with one a resample
FEW_COLUMNS = 64  # rows this short are added up column by column: numpy takes ten times as long along them


def namespace(*arrays: Array) -> Any:
    """The array library of the first array among `arrays`."""
    import numpy as np

    for array in arrays:
        if isinstance(array, (np.ndarray, np.generic)):  # a union would be made anew at each call
            return np
        if hasattr(array, "shape"):
            from array_api_compat import array_namespace

            return array_namespace(array)
    return np


def _is_torch(array: Array) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


# --- counts: exact fractions, or arrays that hold a count for each of many samples


def exact_beside(total: Total) -> Callable[[float], Any]:
    """What makes a number that is added to a total: a fraction beside one, a float beside an array."""
    if hasattr(total, "shape"):
        return float
    from fractions import Fraction

    return Fraction


def quotient(part: Total, divisor: Total) -> Array | float:
    """part / divisor of two totals, rounded once; infinite or nan where the divisor is 0."""
    if hasattr(divisor, "shape") or hasattr(part, "shape"):
        return part / divisor
    if not divisor:
        return math.nan if not part or part != part else math.inf if part > 0 else -math.inf
    try:
        return float(part / divisor)
    except OverflowError:  # beyond the largest float64
        return math.inf if (part > 0) == (divisor > 0) else -math.inf


def exponential(x: Array | float) -> Array | float:
    """e to the x, infinite beyond the largest float64."""
    if hasattr(x, "shape"):
        return exp(x)
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def exponential_of_mean(total: Total, weight: Total) -> Array | float:
    """e to the mean."""
    return exponential(quotient(total, weight))


def logarithm(x: Array | float) -> Array | float:
    """The natural logarithm of what is no less than 0; -inf at 0."""
    if hasattr(x, "shape"):
        return log(x)
    return math.log(x) if x else -math.inf


def root(x: Array | float) -> Array | float:
    """The square root of what is no less than 0, but for a rounding."""
    return sqrt(maximum(x, 0.0)) if hasattr(x, "shape") else math.sqrt(0.0 if x < 0 else x)


def exact_root(x: Total) -> Total:
    """The square root of a fraction above 0, to some 100 bits, as a fraction."""
    from fractions import Fraction

    bits = 200 - 2 * ((x.numerator.bit_length() - x.denominator.bit_length()) // 2)
    scaled = (x.numerator << bits) // x.denominator if bits >= 0 else x.numerator // (x.denominator << -bits)
    return Fraction(math.isqrt(scaled)) / Fraction(2) ** (bits // 2)


def root_of_scaled(parts: Sequence[tuple[Total, int]], divisor: Total) -> float:
    """The square root of the sum of part * 4**exponent over the divisor, rounded twice; the squares need not fit.

    0 below 0, where a derivative may look.
    """
    from fractions import Fraction

    endless = [part for part, _ in parts if isinstance(part, float)]
    if endless:
        return math.sqrt(sum(endless))
    square = sum((part * Fraction(4) ** exponent for part, exponent in parts), Fraction(0)) / divisor
    if square <= 0:
        return 0.0
    exponent = (square.numerator.bit_length() - square.denominator.bit_length()) // 2
    scaled = math.sqrt(square / Fraction(4) ** exponent)
    try:
        return math.ldexp(scaled, exponent)
    except OverflowError:
        return math.inf


def total(terms: Iterable[Any]) -> Any:
    """The sum of floats, rounded once; of arrays, sample by sample."""
    terms = list(terms)
    return sum(terms[1:], terms[0]) if getattr(terms[0], "ndim", 0) else math.fsum(terms)


class Classes(list[Any]):
    """Counts of classes, of which those with the same counts stand once. times: how many classes each stands for"""

    def __init__(self, counts: Iterable[Any], times: Sequence[int]) -> None:
        super().__init__(counts)
        self.times = times

    @property
    def rows(self) -> Any:
        """How many rows all classes have."""
        return sum(count * times for count, times in zip(self, self.times, strict=True))


# --- element by element


def like(number: float | Array, array: Array) -> Array:
    """`number` as an array with the library, dtype and device of `array`."""
    xp = namespace(array)
    if xp is sys.modules["numpy"]:
        return xp.asarray(number, dtype=array.dtype)
    if getattr(number, "dtype", None) == array.dtype:  # a graph goes on
        return number
    return xp.asarray(number, dtype=array.dtype, device=array.device)


def vector(numbers: Iterable[SupportsFloat | Array]) -> Array:
    """Numbers as a numpy array of float64, (n,); arrays (m,) as (n, m)."""
    import numpy as np

    return np.asarray([number if hasattr(number, "shape") else float(number) for number in numbers])


def vectors(rows: Iterable[tuple[Any, ...]], width: int) -> tuple[Array, ...]:
    """The columns of rows of so many numbers, as `vector` has them."""
    import numpy as np

    rest = iter(rows)
    first = next(rest)
    everything = chain([first], rest)
    if any(hasattr(number, "shape") for number in first):
        return tuple(np.asarray(column) for column in zip(*everything, strict=True))
    return tuple(np.fromiter(everything, np.dtype((np.float64, width))).T)


def matrix(numbers: Sequence[float], like: Array) -> Array:
    """Numbers as rows of as many columns as `like` (n, D) has, in its library, dtype and device."""
    xp = namespace(like)
    rows = xp.asarray(numbers, dtype=like.dtype, device=like.device)
    return xp.reshape(rows, (-1, like.shape[1]))


def where(condition: Array, yes: Array | float, no: Array | float) -> Array:
    """`yes` where the condition holds, else `no`; numbers take the dtype of the array beside them."""
    xp = namespace(condition)
    array = yes if hasattr(yes, "dtype") else no
    if hasattr(array, "dtype"):
        yes = yes if hasattr(yes, "dtype") else like(yes, array)
        no = no if hasattr(no, "dtype") else like(no, array)
    else:
        yes, no = (xp.asarray(number, dtype=xp.float64, device=condition.device) for number in (yes, no))
    return xp.where(condition, yes, no)


def minimum(a: Array, b: Array | float) -> Array:
    """The smaller of two, element by element."""
    return namespace(a).minimum(a, b if hasattr(b, "shape") else like(b, a))


def maximum(a: Array, b: Array | float) -> Array:
    """The larger of two, element by element."""
    return namespace(a).maximum(a, b if hasattr(b, "shape") else like(b, a))


def relu(x: Array) -> Array:
    """max(0, x), with gradient 0 at the kink in every library."""
    if _is_torch(x):
        return sys.modules["torch"].relu(x)
    return maximum(x, 0.0)


def exp(x: Array) -> Array:
    """e to the x."""
    return namespace(x).exp(x)


def expm1(x: Array) -> Array:
    """e to the x, minus one, exact near zero."""
    return namespace(x).expm1(x)


def exp2m1(x: Array) -> Array:
    """2 to the x >= 0, minus one, exact for whole numbers."""
    return where(x < 1, expm1(math.log(2) * minimum(x, 1.0)), 2.0**x - 1.0)


def log(x: Array) -> Array:
    """The natural logarithm; -inf at zero, without a warning."""
    return _quiet(namespace(x), "log", x)


def log1p(x: Array) -> Array:
    """log(1 + x), exact near zero; -inf at -1, without a warning."""
    return _quiet(namespace(x), "log1p", x)


def _quiet(xp: Any, name: str, x: Array) -> Array:
    if xp is sys.modules["numpy"]:
        with xp.errstate(divide="ignore"):
            return getattr(xp, name)(x)
    return getattr(xp, name)(x)


def sqrt(x: Array) -> Array:
    """The square root, with gradient 0 (not infinity) at zero."""
    xp = namespace(x)
    if _is_torch(x):
        positive = x > 0
        return xp.where(positive, xp.sqrt(xp.where(positive, x, xp.ones_like(x))), xp.zeros_like(x))
    return xp.sqrt(x)


def softplus(x: Array) -> Array:
    """log(1 + e^x) for any x, without overflow and without losing the small end."""
    if _is_torch(x):  # the derivative at 0 would be 0 through abs and relu; it is 1/2
        return sys.modules["torch"].logaddexp(x, sys.modules["torch"].zeros_like(x))
    return relu(x) + log1p(exp(-abs(x)))


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), as exact near 0 as near 1/2."""
    if _is_torch(x):
        return sys.modules["torch"].sigmoid(x)
    small = exp(-abs(x))
    return where(x >= 0, like(1.0, x), small) / (1.0 + small)


def weigh(weight: Array, value: Array) -> Array:
    """weight * value, and 0 where the weight is 0, whatever the value: what does not count cannot spoil a sum."""
    if not hasattr(weight, "shape"):
        return value * weight if weight else namespace(value).zeros_like(value)
    return where(weight == 0, 0.0, weight * where(weight == 0, 1.0, value))


def erf(x: Array) -> Array:
    """The error function."""
    xp = namespace(x)
    if _is_torch(x):
        return sys.modules["torch"].erf(x)
    flat = xp.reshape(x, (-1,))
    return xp.reshape(xp.asarray([math.erf(value) for value in map(float, flat)], dtype=x.dtype), x.shape)


def stirling_rest(x: Array) -> Array:
    """What log G(x) is beyond (x - 1/2) log x - x + log(2 pi) / 2, for x > 0.

    A series from 8 on, and below that by G(x + 1) = x G(x).
    """
    product, shifted = 0.0 * x + 1.0, x
    for _ in range(8):
        product = where(shifted < 8.0, product * minimum(shifted, 8.0), product)
        shifted = where(shifted < 8.0, shifted + 1.0, shifted)
    inverse = 1.0 / shifted
    rest = 0.0 * x
    for term in (-3617 / 122400, 1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        rest = rest * inverse * inverse + term
    rest = rest * inverse
    low = minimum(x, 8.0)
    beyond = (shifted - 0.5) * log(where(x < 8.0, shifted, 1.0)) - (low - 0.5) * log(low) - (shifted - x) - log(product)
    return where(x < 8.0, rest + beyond, rest)


def arcsine(x: Array) -> Array:
    """The angle whose sine is x."""
    return namespace(x).asin(x)


def sine(x: Array) -> Array:
    """sin x."""
    return namespace(x).sin(x)


def cosine(x: Array) -> Array:
    """cos x."""
    return namespace(x).cos(x)


def arctan(x: Array) -> Array:
    """The angle whose tangent is x."""
    xp = namespace(x)
    return xp.arctan(x) if xp is sys.modules["numpy"] else xp.atan(x)


def power_of_two_below(x: Array) -> Array:
    """The largest power of two up to x > 0, without a gradient: to scale by it rounds nothing."""
    xp = namespace(x)
    return 2.0 ** xp.floor(xp.log2(x.detach() if _is_torch(x) else x))


def joined(a: Array, b: Array) -> Array:
    """The columns of two (n, k) arrays beside each other."""
    return namespace(a).concat([a, b], axis=1)


def ratio(part: Array, divisor: Array) -> Array:
    """part / divisor of what is at least 0: 0 where the part is 0, infinite where only the divisor is."""
    held = divisor > 0
    quotients = part / where(held, divisor, 1.0)
    return where(held, quotients, where(part > 0, float("inf"), 0.0))


# --- over columns


def row_sum(x: Array) -> Array:
    """The sum over the columns of an (n, k) array; an (n,) array is its own sum.

    A row of few columns has the same sum whatever the number of rows and their layout in memory.
    """
    xp = namespace(x)
    if x.ndim == 1:
        return x
    if xp is not sys.modules["numpy"] or not 0 < x.shape[-1] <= FEW_COLUMNS:
        return xp.sum(x, axis=-1)
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        pairs = x[..., :half] + x[..., half : 2 * half]
        if x.shape[-1] % 2:
            pairs[..., 0] += x[..., -1]
        x = pairs
    return x[..., 0]


def class_sum(x: Array) -> Array:
    """The sum over the last columns of an (..., k) array, as many zeros as may stand behind."""
    if namespace(x) is not sys.modules["numpy"] or not x.shape[-1]:
        return namespace(x).sum(x, axis=-1)
    xp = namespace(x)
    while x.shape[-1] > 1:
        even, odd = x[..., ::2], x[..., 1::2]
        both = odd.shape[-1]
        pairs = xp.empty(even.shape, x.dtype)
        xp.add(even[..., :both], odd, out=pairs[..., :both])
        pairs[..., both:] = even[..., both:]
        x = pairs
    return x[..., 0]


def row_mean(x: Array) -> Array:
    """The mean over the columns of an (n, k) array; an (n,) array is its own mean."""
    return x if x.ndim == 1 else homogeneous(lambda x: row_sum(x) / x.shape[-1], x)


def homogeneous(function: Callable[..., Array], *arrays: Array, degree: int = 1) -> Array:
    """function(*arrays), where doubling all arrays multiplies the value by 2**degree; by way of smaller ones in rows
    where it overflows on the way."""
    value = function(*arrays)
    is_finite = namespace(value).isfinite(value)
    if bool(namespace(value).all(is_finite)):
        return value
    return where(is_finite, value, function(*(2.0**-64 * array for array in arrays)) * 2.0 ** (64 * degree))


def column_list(x: Array) -> list[Array]:
    """The columns of an (n, k) array, (n,) each; an (n,) array is its own column."""
    return [x] if x.ndim == 1 else [x[:, at] for at in range(x.shape[1])]


def by_columns(x: Array) -> Array:
    """The same (n, k) array, column after column in memory where there are few: what goes from column to column of it
    is fast."""
    xp = namespace(x)
    return xp.asfortranarray(x) if xp is sys.modules["numpy"] and x.shape[1] <= FEW_COLUMNS else x


def columns(x: Array) -> int:
    """How many columns an (n, k) array has; an (n,) array has one."""
    return 1 if x.ndim == 1 else int(x.shape[1])


def counted_columns(x: Array) -> Array:
    """1, 2, ... along the columns of an (n, k) array, (1, k)."""
    xp = namespace(x)
    beside = {"device": x.device} if _is_torch(x) else {}
    return xp.arange(1, x.shape[1] + 1, dtype=x.dtype, **beside)[None, :]


def row_max(x: Array) -> Array:
    """The largest value of each row of an (n, k) array."""
    return namespace(x).max(x, axis=-1)


def centred(x: Array) -> Array:
    """The columns of an (n, ...) array less their means; from the first row on, so that equal values give 0."""
    apart = x - x[:1, ...]
    return apart - namespace(x).mean(apart, axis=0)


def full_like(x: Array, number: float) -> Array:
    """An array of one number, in the shape, library and dtype of `x`."""
    return namespace(x).full_like(x, number)


def ordered_by(x: Array, key: Array) -> Array:
    """The columns of each row of an (n, k) array in the order of rising `key`, (n, k); equal keys keep their order."""
    xp = namespace(x)
    if xp is sys.modules["numpy"]:
        return xp.take_along_axis(x, xp.argsort(key, axis=-1, kind="stable"), axis=-1)
    return xp.take_along_axis(x, xp.argsort(key, axis=-1, stable=True), axis=-1)


def log_sums_behind(x: Array) -> Array:
    """log of the sum of e^x over the columns behind each column but the last, (n, k) -> (n, k - 1)."""
    xp = namespace(x)
    turned = xp.flip(x, axis=-1)
    if xp is sys.modules["numpy"]:
        sums = xp.logaddexp.accumulate(turned, axis=-1)
    elif _is_torch(x):
        sums = xp.logcumsumexp(turned, dim=-1)
    else:
        parts = [turned[:, 0]]
        for column in range(1, turned.shape[1]):
            parts.append(xp.logaddexp(parts[-1], turned[:, column]))
        sums = xp.stack(parts, axis=-1)
    return xp.flip(sums, axis=-1)[:, 1:]


def pick(x: Array, column: Array) -> Array:
    """x[i, column[i]] for every row i of an (n, k) array; `column` holds whole numbers in any dtype."""
    xp = namespace(x)
    if xp is sys.modules["numpy"]:
        values: Array = x[xp.arange(len(x)), column.astype(xp.int64)]
        return values
    return xp.take_along_axis(x, xp.astype(column, xp.int64)[:, None], axis=1)[:, 0]


def picked(x: Array, columns: Any) -> Array:
    """x[b, columns[b, k]] of (B, N) values for (B, K) columns, integers of numpy: (B, K)."""
    xp = namespace(x)
    if xp.__name__ == "numpy":
        result: Array = x.take(columns + xp.arange(len(x))[:, None] * x.shape[1])
        return result
    return xp.take_along_axis(x, xp.asarray(columns, device=x.device), axis=-1)


def picked_from(x: Array, columns: Array) -> Array:
    """x[i, columns[i, k]] of (n, C) values for (n, K) columns, whole numbers in any dtype: (n, K)."""
    xp = namespace(x)
    return xp.take_along_axis(x, xp.astype(columns, xp.int64), axis=1)


def log_add(a: Array, b: Array) -> Array:
    """log(e^a + e^b)."""
    return namespace(a).logaddexp(a, b)


def one_hot(column: Array, classes: int, x: Array) -> Array:
    """An (n, classes) mask, true at column[i] in row i; library and device of `x`."""
    xp = namespace(x)
    positions = (
        xp.arange(classes, dtype=column.dtype)
        if not _is_torch(x)
        else xp.arange(classes, dtype=column.dtype, device=x.device)
    )
    return column[:, None] == positions[None, :]
