"""Decimal text to float64, many cells at once: rounded as float() rounds, or left to float().

Digits are read eight at a time from a 64-bit word (Lemire's parse_eight_digits), so a cell becomes an integer below
10**19 times a power of ten. That product is taken in double-double arithmetic, whose error is bounded: where both ends
of the bound round to the same float64, that is the one. A cell where they do not, or that is not a plain decimal, is
reported as uncertain.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

MOST_DIGITS = 24  # three words; beyond 19 only leading zeros
LARGEST_POWER = 64  # far from overflow and subnormals, where the bound would not hold
UNSURE = 2.0**-98  # the product's relative error is below 2**-102
SPLITTER = 2.0**27 + 1
EXACT = 2**53
ZEROS = 0x3030303030303030


def pad(text: bytes) -> Array:
    """The text as uint8, with room before it, so that a word may end anywhere."""
    return np.frombuffer(b"0" * MOST_DIGITS + text, np.uint8)


def decimals(padded: Array, starts: Array, ends: Array, after_point: Array) -> tuple[Array, Array]:
    """The values of cells, float64 (n,), and which of them are certain, bool (n,).

    padded: `pad` of the text without its decimal points;  starts, ends: int64 (n,), where the cells lie in that text
    after_point: how many characters of a cell stood after its point, -1 if it had none
    Whole numbers beyond 2**53 are not certain.
    """
    starts, ends = starts + MOST_DIGITS, ends + MOST_DIGITS
    fractions = np.maximum(after_point, 0)
    first = padded[starts]
    negative = first == ord("-")
    exponents = -fractions
    certain: Array | bool = True
    has_exponent = (padded[ends - 4] | 0x20 == ord("e")) & (ends - 4 >= starts)
    if has_exponent.any():
        written, certain = _exponents(padded, ends)
        exponents += np.where(has_exponent, written + 4 * (after_point >= 0), 0)
        certain = certain | ~has_exponent
        fractions -= 4 * (has_exponent & (after_point >= 0))
        ends = ends - 4 * has_exponent
    lengths = ends - starts - (negative | (first == ord("+")))
    certain = certain & (lengths >= 1) & (lengths <= MOST_DIGITS) & (fractions >= 0) & (fractions <= lengths)
    integers, all_digits = _integers(padded, ends, np.clip(lengths, 0, MOST_DIGITS))
    certain &= all_digits & (np.abs(exponents) <= LARGEST_POWER)
    certain &= (after_point >= 0) | has_exponent | (integers <= EXACT)
    values, rounded = _times_power_of_ten(integers, np.clip(exponents, -LARGEST_POWER, LARGEST_POWER))
    return np.where(negative, -values, values), certain & rounded


def whole_numbers(padded: Array, starts: Array, ends: Array) -> tuple[Array, Array]:
    """The values of cells that are a sign and digits only (-0 is not taken), int64 (n,), and which are, bool (n,)."""
    starts, ends = starts + MOST_DIGITS, ends + MOST_DIGITS
    negative = padded[starts] == ord("-")
    lengths = ends - starts - (negative | (padded[starts] == ord("+")))
    values, certain = _integers(padded, ends, np.clip(lengths, 0, MOST_DIGITS))
    certain &= (lengths >= 1) & (lengths <= MOST_DIGITS) & (values < 2**63) & ~(negative & (values == 0))
    return np.where(negative, -1, 1) * values.astype("i8"), certain


def _exponents(padded: Array, ends: Array) -> tuple[Array, Array]:
    """What the last three characters say when read as a sign and two digits, and where they are that."""
    sign, tens, ones = (padded[ends - back].astype("i8") for back in (3, 2, 1))
    value = (tens - 48) * 10 + ones - 48
    valid = ((sign == ord("-")) | (sign == ord("+"))) & (tens >= 48) & (tens <= 57) & (ones >= 48) & (ones <= 57)
    value[sign == ord("-")] *= -1
    return value, valid


def _integers(padded: Array, ends: Array, lengths: Array) -> tuple[Array, Array]:
    """The digits that end at `ends` as uint64, and where they are digits and stay below 10**19."""
    words = np.ndarray(len(padded) - 7, "<u8", padded, strides=1)
    longest = int(lengths.max(initial=0))
    total, valid = _eight_digits(words[ends - 8], lengths)
    if longest > 8:
        value, are_digits = _eight_digits(words[ends - 16], lengths - 8)
        total += value * np.uint64(10**8)
        valid &= are_digits
    if longest > 16:
        value, are_digits = _eight_digits(words[ends - 24], lengths - 16)
        total += value * np.uint64(10**16)
        valid &= are_digits & (value < 1000)
    return total, valid


def _eight_digits(words: Array, lengths: Array) -> tuple[Array, Array]:
    """The number that the last `lengths` of eight characters spell, and where they are digits."""
    word = words ^ np.uint64(ZEROS)
    if lengths.min(initial=8) < 8:
        word &= _keeping()[np.clip(lengths, 0, 8)]
    valid = ((word + np.uint64(0x7676767676767676)) | word) & np.uint64(0x8080808080808080) == 0
    word *= np.uint64(10 * 2**8 + 1)
    word >>= np.uint64(8)
    word &= np.uint64(0x00FF00FF00FF00FF)
    word *= np.uint64(100 * 2**16 + 1)
    word >>= np.uint64(16)
    word &= np.uint64(0x0000FFFF0000FFFF)
    word *= np.uint64(10000 * 2**32 + 1)
    word >>= np.uint64(32)
    return word, valid


@functools.cache
def _keeping() -> Array:
    """Masks that keep the last 0..8 characters of a word; the last one is the highest byte."""
    return np.array([2**64 - 2 ** (64 - 8 * length) for length in range(9)], "u8")


@functools.cache
def _powers_of_ten() -> tuple[Array, Array]:
    """10**p for p from -LARGEST_POWER on, as unevaluated sums of two float64."""
    powers = range(-LARGEST_POWER, LARGEST_POWER + 1)
    high = [float(f"1e{power}") for power in powers]
    return np.array(high), np.array([_rest(power, rounded) for power, rounded in zip(powers, high, strict=True)])


def _rest(power: int, rounded: float) -> float:
    numerator, denominator = rounded.as_integer_ratio()
    exact_numerator, exact_denominator = 10 ** max(power, 0), 10 ** max(-power, 0)
    difference: int = exact_numerator * denominator - numerator * exact_denominator
    return float(difference / (exact_denominator * denominator))


BELOW_2_64 = 2.0**64 - 2.0**11  # the largest float64 that is a uint64


def _times_power_of_ten(integers: Array, exponents: Array) -> tuple[Array, Array | bool]:
    """integers * 10**exponents, and where the result is certain to be correctly rounded."""
    if exponents.max(initial=0) == 0 and integers.max(initial=0) <= EXACT:
        if exponents.min(initial=0) == 0:
            return integers.astype("f8"), True
        if exponents.min(initial=0) >= -22:  # both exact, so one division rounds once (Clinger)
            return integers / _powers_of_ten()[0][LARGEST_POWER - exponents], True
    return _double_product(integers, exponents)


def _double_product(integers: Array, exponents: Array) -> tuple[Array, Array]:
    """The same for any, by Dekker's product."""
    high, low = _powers_of_ten()
    power, power_rest = high[exponents + LARGEST_POWER], low[exponents + LARGEST_POWER]
    integer = np.minimum(integers.astype("f8"), BELOW_2_64)
    rest = (integers - integer.astype("u8")).view("i8").astype("f8")
    product = integer * power
    integer_head, integer_tail = _halves(integer)
    power_head, power_tail = _halves(power)
    error = integer_head * power_head
    error -= product
    error += integer_head * power_tail
    error += integer_tail * power_head
    error += integer_tail * power_tail
    error += integer * power_rest
    error += rest * power
    unsure = product * UNSURE
    value = product + (error - unsure)
    error += unsure
    error += product
    return value, value == error


def _halves(values: Array) -> tuple[Array, Array]:
    """Two numbers of at most 26 bits whose sum it is (Veltkamp)."""
    head = values * SPLITTER
    head -= head - values
    return head, values - head
