"""The words that losses are written in. The only file that knows there is more than one array library.

Every word takes numpy arrays, torch tensors or any other array of the array API standard, and answers in kind. A word
is here because a plain formula would lose digits (`softplus`, `log_softmax`, `relative_entropy_term`) or because the
libraries spell it differently. Hyper-parameters are Python floats.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from time import perf_counter
from typing import Any, SupportsFloat

Array = Any  # an array of whichever library the caller uses
FEW_COLUMNS = 64  # rows this short are added up column by column: numpy takes ten times as long along them
FAR = 1 << 1000  # a float64 holds numbers up to it, and their inverses, with all digits


def namespace(*arrays: Array) -> Any:
    """The array library of the first array among `arrays`."""
    import numpy as np

    for array in arrays:
        if isinstance(array, np.ndarray | np.generic):
            return np
        if hasattr(array, "shape"):
            from array_api_compat import array_namespace

            return array_namespace(array)
    return np


def _is_torch(array: Array) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


# --- counts: exact fractions, or arrays that hold a count for each of many samples


def share(part: Any, whole: Any) -> Any:
    """part / whole, a fraction of fractions; 0 where a sample has no whole."""
    if not hasattr(whole, "shape"):
        return part / whole
    held = whole > 0
    return where(held, part / where(held, whole, 1.0), 0.0)


def entropy_term(count: Any, n: Any) -> Any:
    """-p log p for p = count / n, exact also where count is nearly n; 0 where there are none."""
    if not hasattr(n, "shape"):
        if not count:
            return 0.0
        return float(count / n) * (log_ratio(n, count) if 2 * count <= n else -math.log1p(-(n - count) / n))
    p, many = share(count, n), 2 * count > n
    return p * where(many, -log1p(-where(many, share(n - count, n), 0.0)), -log(where((p > 0) & ~many, p, 1.0)))


def log_ratio(a: Any, b: Any) -> Any:
    """log(a / b), also of what no float64 can hold; 0 where a or b is 0."""
    if hasattr(b, "shape"):
        held = (a > 0) & (b > 0)
        return log_quotient(where(held, a, 1.0), where(held, b, 1.0))
    if not (a and b):
        return 0.0
    ratio = a / b
    if ratio < FAR and ratio * FAR > 1:
        return math.log(ratio)
    return math.log(ratio.numerator) - math.log(ratio.denominator)


def total(terms: Iterable[Any]) -> Any:
    """The sum of floats, rounded once; of arrays, sample by sample."""
    terms = list(terms)
    return sum(terms[1:], terms[0]) if getattr(terms[0], "ndim", 0) else math.fsum(terms)


# --- element by element


def like(number: float, array: Array) -> Array:
    """`number` as an array with the library, dtype and device of `array`."""
    xp = namespace(array)
    if xp is sys.modules["numpy"]:
        return xp.asarray(number, dtype=array.dtype)
    return xp.asarray(number, dtype=array.dtype, device=array.device)


def vector(numbers: Iterable[SupportsFloat | Array]) -> Array:
    """Numbers as a numpy array of float64, (n,); arrays (m,) as (n, m)."""
    import numpy as np

    return np.asarray([number if hasattr(number, "shape") else float(number) for number in numbers])


def matrix(numbers: Sequence[float], like: Array) -> Array:
    """Numbers as rows of as many columns as `like` (n, D) has, in its library, dtype and device."""
    xp = namespace(like)
    made = xp.asarray(numbers, dtype=like.dtype, device=like.device)
    return xp.reshape(made, (-1, like.shape[1]))


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


def by_columns(x: Array) -> Array:
    """The same (n, k) array, column after column in memory where there are few: what goes from column to column of it
    is fast."""
    xp = namespace(x)
    return xp.asfortranarray(x) if xp is sys.modules["numpy"] and x.shape[1] <= FEW_COLUMNS else x


def columns(x: Array) -> int:
    """How many columns an (n, k) array has; an (n,) array has one."""
    return 1 if x.ndim == 1 else int(x.shape[1])


def row_max(x: Array) -> Array:
    """The largest value of each row of an (n, k) array."""
    return namespace(x).max(x, axis=-1)


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
    index = xp.astype(column, xp.int64) if xp is not sys.modules["numpy"] else column.astype(xp.int64)
    return xp.take_along_axis(x, index[:, None], axis=1)[:, 0]


def picked(x: Array, columns: Any) -> Array:
    """x[b, columns[b, k]] of (B, N) values for (B, K) columns, integers of numpy: (B, K)."""
    xp = namespace(x)
    if xp.__name__ == "numpy":
        result: Array = x.take(columns + xp.arange(len(x))[:, None] * x.shape[1])
        return result
    return xp.take_along_axis(x, xp.asarray(columns, device=x.device), axis=-1)


def one_hot(column: Array, classes: int, x: Array) -> Array:
    """An (n, classes) mask, true at column[i] in row i; library and device of `x`."""
    xp = namespace(x)
    positions = (
        xp.arange(classes, dtype=column.dtype)
        if not _is_torch(x)
        else xp.arange(classes, dtype=column.dtype, device=x.device)
    )
    return column[:, None] == positions[None, :]


def compensated_row_sum(x: Array, plus: float = 0.0) -> Array:
    """`plus` and the sum over the columns, as if in twice the precision: for terms of both signs that nearly cancel.

    Source: Ogita, Rump, Oishi, Accurate sum and dot product, 2005, arranged as a tree so that it stays vectorised.
    """
    xp = namespace(x)
    if x.ndim == 1:
        return x + plus
    error = xp.zeros_like(x[:, 0])
    while x.shape[1] > 1:
        half = x.shape[1] // 2
        a, b, odd = x[:, :half], x[:, half : 2 * half], x[:, 2 * half :]
        s, e = two_sum(a, b)
        error = error + xp.sum(e, axis=-1)
        x = xp.concat([s, odd], axis=1)
    s, e = two_sum(x[:, 0], like(plus, x))
    return s + (error + e)


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b rounded, and what the rounding lost, exactly; 0 where the sum overflows. Source: Knuth, TAOCP 2, 4.2.2."""
    s = a + b
    b_part = s - a
    return s, _zero_unless(namespace(s).isfinite(s), (a - (s - b_part)) + (b - b_part))


def _zero_unless(is_good: Array, x: Array) -> Array:
    """x, with 0 where it is not good; where all is, numpy need not look at each."""
    if isinstance(is_good, sys.modules["numpy"].ndarray) and is_good.all():
        return x
    return where(is_good, x, 0.0)


def sum_of_three(a: Array, b: Array, c: Array | float) -> Array:
    """a + b + c, exact also where they nearly cancel."""
    s, lost = two_sum(a, b)
    return (s + c) + lost


def multiply_add(factor: float, x: Array, plus: float) -> tuple[Array, Array]:
    """factor * x + plus rounded, and what the rounding lost."""
    product, lost = two_product(factor, x)
    s, e = two_sum(product, like(plus, x))
    return s, lost + e


def two_product(a: Array | float, b: Array) -> tuple[Array, Array]:
    """a * b rounded, and what the rounding lost; 0 where a factor is beyond 1e300. Source: Dekker 1971."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    lost = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, _zero_unless(namespace(lost).isfinite(lost), lost)


def _halves(x: Array | float) -> tuple[Array, Array]:
    """x as two numbers of 26 bits. Source: Veltkamp 1968."""
    big = 134217729.0 * x
    high = big - (big - x)
    return high, x - high


# --- products of matrices

WORTH_TORCH = 8e11  # multiplications, some ten seconds of them: from here on the import of torch can pay
CLEARLY_FASTER = 1.1


def matmul(multiplications: float, dtype: Any) -> Callable[..., Array]:
    """np.matmul, or torch's product of numpy arrays in its place: where there is much to multiply, and torch is faster
    on this machine (its library is made for Intel's processors). Call it as product(a, b, out=...)."""
    import numpy as np

    if multiplications < WORTH_TORCH or find_spec("torch") is None:
        return np.matmul
    return _faster_product(np.dtype(dtype).name)


@cache
def _faster_product(dtype: str) -> Callable[..., Array]:
    import numpy as np

    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":  # so shall be the threads of torch, if it is not there yet
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        import torch
    except (ImportError, OSError):
        return np.matmul

    def product(a: Array, b: Array, out: Array) -> Array:
        if torch.get_float32_matmul_precision() != "highest":  # fewer bits than the error bound is for
            return np.matmul(a, b, out=out)
        torch.matmul(torch.from_numpy(a), torch.from_numpy(b), out=torch.from_numpy(out))
        return out

    return product if _seconds(np.matmul, dtype) > CLEARLY_FASTER * _seconds(product, dtype) else np.matmul


def _seconds(product: Callable[..., Array], dtype: str) -> float:
    """The least of five times that a product of a block of points with others takes."""
    import numpy as np

    points = np.random.default_rng(0).standard_normal((4096, 128)).astype(dtype)
    block, out = points[:256].copy(), np.empty((256, len(points)), dtype)

    def once() -> float:
        start = perf_counter()
        product(block, points.T, out=out)
        return perf_counter() - start

    return min(once() for _ in range(5))


# --- probability, entropy


def softmax_parts(logits: Array) -> tuple[Array, Array, Array]:
    """What an (n, C) array of logits says, in parts that keep every digit: (gap, share, rest).

    gap    (n, C)  the largest logit of the row minus this one, >= 0
    share  (n, C)  e^-gap, so that the softmax is share / (1 + rest)
    rest   (n,)    the sum of the shares without one that is the largest, so that log(sum of shares) = log1p(rest)
    """
    logits = by_columns(logits)
    largest = row_max(logits)[:, None]
    gap, lost = two_sum(largest, -logits)
    share = exp(-gap)
    if bool(namespace(lost).any(lost)):
        share = share - share * lost  # gap was rounded; one rounding less than share * (1 - lost)
    below = namespace(logits).astype(logits < largest, share.dtype)
    others = float(columns(logits) - 1) - row_sum(below)  # how many more are the largest, with a share of 1 each
    return gap, share, row_sum(share * below) + others


def log_softmax(logits: Array) -> Array:
    """log of the softmax over the columns of (n, C) logits, exact near 0 too: [40, 0, -3] gives -4.46e-18 first."""
    gap, _, rest = softmax_parts(logits)
    return -(gap + log1p(rest)[:, None])


def relative_entropy_parts(
    p: Array, q: Array, difference: Array, surplus: Array, log_ratio: Array
) -> tuple[Array, Array]:
    """p log(p/q) - difference + surplus, in two parts: one >= 0, and one of both signs whose sum may cancel.

    difference: p - q, from whatever knows it best: its digits are the digits of the result where p is near q
    surplus: p - q again, or 0 where the sums of p and q are known to be equal
    log_ratio: log(p/q), used where p is far from q; infinite where only q is 0

    With s = (p - q) / (p + q), p log(p/q) - (p - q) is (p - q) * [s + (1 + s) (atanh s - s) / s], where no first-order
    terms cancel. The series of atanh is used for |s| <= 1/2; beyond, the plain form loses less than two bits.
    """
    s = tilt(difference, p + q)
    near = abs(s) <= 1 / 2
    s = where(near, s, 0.0)
    beyond = where(near, difference, 0.0) * (s + (1.0 + s) * _atanh_tail(s * s))
    plain = weigh(p, log_ratio) - (difference - surplus)
    return beyond, where(log_ratio == _infinity, _infinity, where(near, surplus, plain))


def log_quotient(p: Array, q: Array) -> Array:
    """log(p/q) for p, q >= 0; of the quotient, unless that leaves the normal numbers."""
    quotient = p / where(q > 0, q, 1.0)
    normal = (quotient > 1e-300) & (quotient < 1e300) & (q > 0)
    return where(normal, log(where(normal, quotient, 1.0)), log(p) - log(q))


def log_quotient_of_softmaxes(a: Array, b: Array, log_p: Array, log_q: Array) -> Array:
    """log(p / q) for p and q the softmax of (n, C) logits a and b, exact also where the two are nearly equal.

    The logits are compared first, class by class, against the likeliest class of a. What is then added to all classes
    of a row is the softmaxes' own error at first; the second time, it makes the sum of p - q zero, as it must be.
    """
    xp = namespace(a)
    top = xp.astype(xp.argmax(a, axis=-1), xp.float64)
    difference, lost = two_sum(a, -b)
    r = (difference - pick(difference, top)[:, None]) + (lost - pick(lost, top)[:, None])
    r = r + (pick(log_p, top) - pick(log_q, top))[:, None]
    return r - log1p(row_sum(difference_of_masses(exp(log_p), exp(log_q), r)))[:, None]


def difference_of_masses(p: Array, q: Array, log_ratio: Array) -> Array:
    """p - q, by way of log(p/q) where they are nearly equal."""
    near = abs(log_ratio) < 1.2
    return where(near, q * expm1(where(near, log_ratio, 0.0)), p - q)


def tilt(difference: Array, total: Array) -> Array:
    """(p - q) / (p + q) for p, q >= 0; 0 where both are 0."""
    return difference / where(total > 0, total, 1.0)


_infinity = float("inf")


def jensen_term(p: Array, q: Array, difference: Array) -> Array:
    """p log(p/m) + q log(q/m) with m = (p + q) / 2, which is >= 0, exact also where p is nearly q.

    difference: p - q, from whatever knows it best

    With s = (p - q) / (p + q) it is p log(1 + s) + q log(1 - s), whose first-order terms cancel: the series does
    without them for |s| <= 1/2; beyond, the plain form loses less than two bits.
    """
    s = tilt(difference, p + q)
    near = abs(s) <= 1 / 2
    plain = weigh(p, log_quotient(2.0 * p, p + q)) + weigh(q, log_quotient(2.0 * q, p + q))
    return where(near, difference / 2 * s * _jensen_series(where(near, s * s, 0.0)), plain)


def _atanh_tail(z: Array) -> Array:
    """(atanh(s) - s) / s with z = s^2 <= 1/4: z/3 + z^2/5 + z^3/7 + ..."""
    return _horner(z, [0.0] + [1.0 / (2 * k + 1) for k in range(1, 27)])


def _jensen_series(z: Array) -> Array:
    """1 + z/6 + z^2/15 + ... = the sum of z^(k-1) / (k (2k - 1)), for z <= 1/4."""
    return _horner(z, [1.0 / (k * (2 * k - 1)) for k in range(1, 25)])


def _horner(z: Array, coefficients: list[float]) -> Array:
    result = z * 0.0 + coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = result * z + coefficient
    return result


# --- distance


def unit_rows(x: Array) -> Array:
    """x / |x| for (N, D), without overflow or underflow on the way."""
    xp = namespace(x)
    exponent = xp.floor(xp.log2(xp.max(abs(x), axis=-1, keepdims=True)))
    x = x * 2.0 ** -exponent.clip(-1000, 1000)  # a power of two: rounds nothing
    return x / xp.sqrt(xp.sum(x * x, axis=-1, keepdims=True))


def euclidean(a: Array, b: Array) -> Array:
    """|a - b| for two (n, D) arrays, without overflow or underflow on the way; exactly 0 for equal rows."""
    xp = namespace(a)
    difference = abs(a - b)
    plain = sqrt(row_sum(difference * difference))
    largest = row_max(difference)
    odd = (largest > 0) & (largest < _infinity) & ((largest < 1e-140) | (largest > 1e140))
    if not bool(xp.any(odd)):
        return plain
    scale = 2.0 ** xp.floor(xp.log2(where(odd, largest, 1.0)))  # a power of two: scaling rounds nothing
    scaled = difference / scale[:, None]
    return where(odd, sqrt(row_sum(scaled * scaled)) * scale, plain)


def squared_euclidean(a: Array, b: Array) -> Array:
    """|a - b|^2 for two (n, D) arrays."""
    difference = a - b
    return row_sum(difference * difference)


def cosine_distance(a: Array, b: Array) -> Array:
    """1 - cos(a, b) for two (n, D) arrays, as |a/|a| - b/|b||^2 / 2; nan where a row is all zeros.

    The difference of the unit vectors is made of a - b and |a| - |b|, exact where a is nearly b, not of the two.
    """
    zero = a * 0.0
    norm_a, norm_b = euclidean(a, zero)[:, None], euclidean(b, zero)[:, None]
    longest, unit = maximum(norm_a, norm_b), where(norm_a > norm_b, b / norm_b, a / norm_a)
    excess = row_sum((a - b) * ((a + b) / (norm_a + norm_b)))[:, None]  # |a| - |b|
    chord = ((a - b) - unit * excess) / longest
    return row_sum(chord * chord) / 2.0


DISTANCES = {"euclidean": euclidean, "sqeuclidean": squared_euclidean, "cosine": cosine_distance}
