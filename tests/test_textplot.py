"""Plots of text, as pictures: `python tests/test_textplot.py` draws the snapshots anew; then look at them."""

import math
from pathlib import Path

import pytest

from lossctl.curves.entries import read, sweep
from lossctl.curves.tracing import trace
from lossctl.show.scale import Axis, axis_of, limits, pretty, ticks
from lossctl.show.textplot import text

SNAPSHOTS = Path(__file__).parent / "snapshots"
THREE = ("bce", "focal:gamma=2", "focal-star:gamma=2,beta=1")
PICTURES = {
    "logits": lambda: trace([read(loss) for loss in THREE], variable="x_t", grad=True),
    "focal": lambda: trace(sweep([read("focal")], "gamma", ["0", "0.5", "1", "2", "5"])),
    "hinge": lambda: trace([read(word) for word in ("zero-one", "hinge", "log-loss")], variable="score"),
    "triplet": lambda: trace([read("triplet")]),
    "powers": lambda: trace([read("bce"), read("focal:gamma=5")], grad=True, log="xy"),
    "circle": lambda: trace([read("circle")]),
    "space": lambda: trace([read("triplet:margin=0.3")], variable="space"),
}  # fmt: skip
CASES = [(name, width, False) for name in PICTURES for width in (60, 120)] + [
    ("logits", 60, True),
    ("circle", 60, True),
]


def path(name, width, ascii):
    return SNAPSHOTS / f"{name}-{width}{'-ascii' if ascii else ''}.txt"


@pytest.mark.parametrize(("name", "width", "ascii"), CASES)
def test_plots_look_as_they_did(name, width, ascii):
    drawn = text(PICTURES[name](), width=width, ascii=ascii)
    assert drawn == path(name, width, ascii).read_text()
    assert max(map(len, drawn.splitlines())) <= width
    assert drawn.isascii() == ascii


@pytest.mark.parametrize("width", [20, 40, 61, 79, 200])
@pytest.mark.parametrize("name", PICTURES)
def test_plots_fit_any_width(name, width):
    assert max(map(len, text(PICTURES[name](), width=width).splitlines())) <= max(width, 40)


def test_colour_adds_nothing_but_colour():
    import re

    picture = PICTURES["logits"]()
    coloured = text(picture, width=80, colour=True)
    assert "\033[34m" in coloured
    assert re.sub("\033\\[[0-9]*m", "", coloured) == text(picture, width=80)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-5, 5, 3, [-5, 0, 5]),
        (0, 0.7, 4, [0, 0.5]),
        (0.999, 1.001, 3, [0.999, 1, 1.001]),
        (-1e-9, 1e-9, 3, [-1e-9, 0, 1e-9]),
    ],
)
def test_ticks_are_round_and_within(low, high, most, expected):
    assert ticks(low, high, most) == pytest.approx(expected, abs=1e-18)


def test_an_axis_of_logarithms_has_powers_of_ten_for_ticks():
    assert Axis(1e-4, 1, is_log=True).ticks(5) == [1e-4, 1e-3, 1e-2, 0.1, 1]
    assert Axis(1e-4, 1, is_log=True).ticks(3) == [1e-4, 1e-2, 1]
    assert Axis(2, 5, is_log=True).ticks(4) == [2, 3, 4, 5]
    axis = axis_of([0, 1e-300, 10, math.inf], is_log=True)
    assert axis == (1e-7, 10, True) and [axis.share(value) for value in (1e-7, 1e-3, 10)] == [0, 0.5, 1]


def test_a_branch_to_infinity_does_not_flatten_the_rest():
    assert limits([1 / (k / 100) for k in range(1, 101)])[1] < 40
    assert limits([0.0, 1.0, float("inf")]) == (0, 1)
    assert limits([float("nan")]) == (0, 1)
    assert limits([2.0, 2.0]) == (1.5, 2.5)


def test_labels_are_for_the_eye():
    assert pretty("focal-star:gamma=2,beta=1") == "focal-star (\u03b3 = 2, \u03b2 = 1)"
    assert pretty("contrastive:margin=2 similar") == "contrastive (margin = 2), similar"
    assert pretty("circle:unified=true") == "circle (unified)"


if __name__ == "__main__":
    SNAPSHOTS.mkdir(exist_ok=True)
    for name, width, ascii in CASES:
        path(name, width, ascii).write_text(text(PICTURES[name](), width=width, ascii=ascii))
