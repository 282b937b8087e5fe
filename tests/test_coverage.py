"""The simulation behind the table of coverage, in short: nominal within its chance."""

import math
import runpy

import pytest
from conftest import ROOT

SIMULATION = runpy.run_path(str(ROOT / "tests/bench/coverage.py"))
COUNT = 150
CHANCE = 3.5 * math.sqrt(0.05 * 0.95 / COUNT)
FEW_LINES = [
    line for line in SIMULATION["COVERAGE"] if not line.name.startswith(("set", "share", "lists", "rmse", "gini, 50"))
]

ROWS_ALIKE = [line for line in SIMULATION["NULL"] if not line.name.startswith("set")]


@pytest.mark.slow
@pytest.mark.parametrize("line", FEW_LINES, ids=lambda line: line.name)
def test_intervals_hold_the_truth(line):
    share, refused = SIMULATION["covered"](line, list(line.sizes)[1], COUNT)
    assert share > 0.95 - CHANCE and refused < 0.1


@pytest.mark.slow
def test_intervals_of_sets_and_shares_hold_the_truth():
    lines = {line.name: line for line in SIMULATION["COVERAGE"]}
    for name, n, count in (
        ("set, batch-all", 20, 60),
        ("set, share of hard triplets, 26 %", 60, 40),
        ("share from sampled anchors", 400, 150),
    ):
        share, refused = SIMULATION["covered"](lines[name], n, count)
        assert share > 0.95 - 3.5 * math.sqrt(0.05 * 0.95 / count) and refused < 0.1, name


@pytest.mark.slow
@pytest.mark.parametrize("line", ROWS_ALIKE, ids=lambda line: line.name)
def test_p_is_rarely_small_under_the_null(line):
    small, half, refused = SIMULATION["rejected"](line, next(iter(line.sizes)), COUNT)
    root = math.sqrt(max(1, COUNT * (1 - refused)))
    assert small < 0.05 + 3.5 * math.sqrt(0.05 * 0.95) / root and half < 0.5 + 3.5 * 0.5 / root
