"""Counts of labels, in any blocks and any order of merging, against loops over Python's own Counter."""

from collections import Counter
from fractions import Fraction
from functools import reduce
from itertools import product

import numpy as np
import pytest
from conftest import run_lossctl
from folds import by, fold

import lossctl
from lossctl.errors import UsageError
from lossctl.resampling import census
from lossctl.rows import limbs

KINDS = {
    "numbers": lambda rng, n: rng.integers(-9, 9, n),
    "many numbers": lambda rng, n: rng.integers(0, 10**9, n),
    "texts": lambda rng, n: np.array([f"{'x' * (k % 5)}{k}" for k in rng.integers(0, 40, n)]),
    "long words of every alphabet": lambda rng, n: np.array(
        [("é", "x" * 9, "日本")[k % 3] + str(k // 9) for k in rng.integers(0, 40, n)]
    ),
    "hardly any alike": lambda rng, n: rng.integers(-n, n, n),
    "words hardly any alike": lambda rng, n: rng.integers(0, 9 * n, n).astype(str),
    "zeros of both signs": lambda rng, n: np.where(rng.random(n) < 0.02, -0.0, rng.integers(0, 9 * n, n) / 8),
    "both": lambda rng, n: np.array([k if k % 2 else str(k) for k in rng.integers(0, 40, n).tolist()], object),
    "beyond 64 bits": lambda rng, n: np.array([k << 62 for k in rng.integers(-9, 9, n).tolist()], object),
}


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch):
    monkeypatch.setattr(census, "STRETCH", 7)


def truth(labels, branches):
    names = sorted(set(branches))
    by_label = {label: tuple(0 for _ in names) for label in labels}
    for label, branch in zip(labels, branches, strict=True):
        at = names.index(branch)
        by_label[label] = tuple(count + (row == at) for row, count in enumerate(by_label[label]))
    return Counter(by_label.values()), names


@fold("case", by(lambda case: case[0], product(KINDS, (1, 3), range(5))))
def test_any_cuts_and_any_order_give_the_same_counts(case):
    kind, branches, seed = case
    rng = np.random.default_rng(seed)
    n = 300
    labels, split = KINDS[kind](rng, n), rng.integers(0, branches, n)
    cuts = np.sort(rng.integers(0, n, 12))
    parts = [census.taken(*part) for part in zip(np.split(labels, cuts), np.split(split, cuts), strict=True)]
    rng.shuffle(parts)
    expected, names = truth(labels.tolist(), split.tolist())
    assert census.columns(reduce(census.joined, parts), names) == expected


def weights(rng, n, kind):
    """Of many sizes, down to the least that float64 has, some of them 0."""
    exponents = {"narrow": 0, "wide": rng.integers(-60, 60, n), "extreme": rng.integers(-1100, 900, n)}[kind]
    return np.where(rng.random(n) < 0.1, 0.0, np.ldexp(rng.random(n), exponents))


@fold("case", by(lambda case: case[0], product(("numbers", "texts", "both"), ("narrow", "wide", "extreme"), (1, 2))))
def test_any_cuts_and_any_order_give_the_same_weights(case):
    """Against fractions; the losses see whole numbers of a common unit."""
    kind, size, branches = case
    rng = np.random.default_rng(7)
    n = 200
    labels, split, weight = KINDS[kind](rng, n), rng.integers(0, branches, n), weights(rng, n, size)
    cuts = np.sort(rng.integers(0, n, 12))
    parts = [
        census.taken(*part) for part in zip(*(np.split(side, cuts) for side in (labels, split, weight)), strict=True)
    ]
    rng.shuffle(parts)
    rows, times = census.table(reduce(census.joined, parts), range(branches))
    sums = {label: [Fraction(0)] * branches for label in labels.tolist()}
    for label, branch, each in zip(labels.tolist(), split.tolist(), weight.tolist(), strict=True):
        sums[label][branch] += Fraction(each)
    unit = Fraction(sum(map(sum, rows))) / sum(map(sum, sums.values()))
    assert sorted(zip(*rows, strict=True)) == sorted(tuple(part * unit for part in parts) for parts in sums.values())
    assert times == [1] * len(sums)


def test_digits_are_carried_before_they_overflow():
    numbers = limbs.of(np.array([1.0, 3.5]))
    doubled = 80
    for _ in range(doubled):
        a, b = limbs.alike([numbers, numbers])
        numbers = limbs.Limbs(a.digits + b.digits, a.low)
    low = numbers.low
    assert numbers.integers(low) == [number << doubled for number in limbs.of(np.array([1.0, 3.5])).integers(low)]


def test_a_run_counts_more_rows_than_its_number_has_bits():
    parts = [census.taken(np.zeros(100, np.int64), None) for _ in range(1000)]
    assert census.columns(reduce(census.joined, parts), [None]) == {(100_000,): 1}


@pytest.mark.parametrize("loss", ["gini", "entropy", "gini-gain", "information-gain"])
def test_a_loss_is_that_of_its_weighted_rows(loss):
    """Weights of a third, which no unit but their own divides, change no digit."""
    rng = np.random.default_rng(1)
    columns = [rng.zipf(1.4, 900) % 500]
    if loss.endswith("gain"):
        columns.append(rng.integers(0, 4, 900))
    value = lossctl.compute(loss, *columns).value
    for weight in (1.0, 1 / 3, 5e-324, 1e300):
        assert lossctl.compute(loss, *columns, weight=np.full(900, weight)).value == value


def test_an_interval_of_too_many_labels_is_refused_before_it_is_computed():
    with pytest.raises(UsageError, match="a BCa interval of 200000 counts"):
        lossctl.compute("gini", np.arange(200_000), ci=0.95)
    with pytest.raises(UsageError, match="sums in all"):
        lossctl.compute("gini", np.arange(200_000), ci=0.95, ci_method="percentile", resamples=10**6)


def test_gini_of_many_labels_is_exact():
    counts = [1, 2, 3, 700, 10**5]
    labels = np.repeat(np.arange(5), counts)
    n = sum(counts)
    assert lossctl.compute("gini", labels).value == float(1 - sum(Fraction(count, n) ** 2 for count in counts))


def test_a_table_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, label=np.arange(20_000), split=np.arange(20_000))
    done = run_lossctl("compute", "gini-gain", str(path))
    assert done.code == 2 and "20000 branches" in done.err


def test_more_rows_than_32_bits_count():
    """As a set of so many rows would be: its counts, not its rows."""
    many = {"": {"i": (census.Run(np.array([1, 2]), census._narrow(np.array([2**32 - 1, 2**33]))),)}}
    few = census.taken(np.array([1, 1, 3]), None)
    both = census.joined({None: many[""]}, few)
    assert census.columns(both, [None]) == Counter({(2**32 + 1,): 1, (2**33,): 1, (1,): 1})
    assert census.columns({**both, "b": many[""]}, [None, "b"])[(2**33, 2**33)] == 1
