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
from lossctl.resampling import census

KINDS = {
    "numbers": lambda rng, n: rng.integers(-9, 9, n),
    "many numbers": lambda rng, n: rng.integers(0, 10**9, n),
    "texts": lambda rng, n: np.array([f"{'x' * (k % 5)}{k}" for k in rng.integers(0, 40, n)]),
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


def test_a_run_counts_more_rows_than_its_number_has_bits():
    parts = [census.taken(np.zeros(100, np.int64), None) for _ in range(1000)]
    assert census.columns(reduce(census.joined, parts), [None]) == {(100_000,): 1}


@pytest.mark.parametrize("loss", ["gini", "entropy", "gini-gain", "information-gain"])
def test_a_loss_is_that_of_its_weighted_rows(loss):
    """Weights of 1 go another way, cell by cell."""
    rng = np.random.default_rng(1)
    columns = [rng.zipf(1.4, 900) % 500]
    if loss.endswith("gain"):
        columns.append(rng.integers(0, 4, 900))
    value = lossctl.compute(loss, *columns).value
    assert value == pytest.approx(lossctl.compute(loss, *columns, weight=np.ones(900)).value, rel=4e-16)


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
