"""What compute tells of pairs and triplets: labels that seem turned around, and points at distance 0."""

import numpy as np
import pytest

import lossctl
from lossctl.errors import DataError
from lossctl.rows import by_row as rows


def pairs(n=200, seed=0):
    """Points, similar ones near them, dissimilar ones far off: left, right, same."""
    random = np.random.default_rng(seed)
    left, same = random.standard_normal((n, 4)), np.arange(n) % 2
    return left, left + random.standard_normal((n, 4)) * np.where(same, 0.1, 3.0)[:, None], same


@pytest.mark.parametrize("loss", ["contrastive", "pairwise-ranking"])
def test_turned_labels_are_told(loss):
    left, right, same = pairs()
    assert lossctl.compute(loss, left, right, same).warnings == ()
    (warning,) = lossctl.compute(loss, left, right, 1 - same).warnings
    assert warning.startswith("among the first 200 pairs") and "1 means similar" in warning


def test_chance_turns_no_label():
    random = np.random.default_rng(1)
    told = 0
    for _ in range(300):
        left, right = random.standard_normal((2, 60, 3))
        told += bool(lossctl.compute("contrastive", left, right, random.integers(2, size=60)).warnings)
    assert told <= 1


def test_few_pairs_tell_nothing():
    left, right, same = pairs(18)
    assert lossctl.compute("contrastive", left, right, 1 - same).warnings == ()


@pytest.mark.parametrize("size", [1 << 17, 7])
def test_points_at_distance_0_are_counted_whatever_the_blocks(size, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_VALUES", size)
    left, right, same = pairs()
    right[[3, 5, 6]] = left[[3, 5, 6]]
    (warning,) = lossctl.compute("contrastive", left, right, same).warnings
    assert warning.startswith("points at distance 0: 2 similar, 1 dissimilar")
    right[7, 1:] = left[7, 1:]  # alike but for one coordinate
    assert lossctl.compute("contrastive", left, right, same).warnings == (warning,)


def test_triplets_of_equal_points_are_counted():
    anchor, positive, _ = pairs()
    negative = anchor + 9.0
    assert lossctl.compute("triplet", anchor, positive, negative).warnings == ()
    positive[0], negative[1:3] = anchor[0], anchor[1:3]
    (warning,) = lossctl.compute("triplet", anchor, positive, negative).warnings
    assert warning.startswith("points at distance 0: 1 similar, 2 dissimilar")


def test_a_pair_has_one_distance():
    """Two columns beside one label are the chances of two classes, say."""
    with pytest.raises(DataError, match="2 columns as distances"):
        lossctl.compute("contrastive", np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1]))
