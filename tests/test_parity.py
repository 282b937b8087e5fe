"""Rows of `libraries.tsv` against the libraries themselves, where these are installed; tests/peers.py runs all."""

import numpy as np
import peers
import pytest
import torch

import lossctl
from lossctl.language import libraries

ROWS = [row for row in libraries.presets() if row.proof == "run"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name} {row.loss} {row.reads}")
def test_a_library_prints_what_its_row_gives(row):
    if not peers.is_installed(row.library):
        pytest.skip(f"{row.library} is not installed")
    tried = 0
    for data in peers.DATA:
        x = peers.inputs(*data)
        if not peers.is_apart(row, x):
            assert peers.gap(row, x) <= peers.allowed(row, x), str(x)
            tried += 1
    assert tried


def test_every_row_that_says_so_is_run():
    assert not [(row.name, row.loss, row.form) for row in ROWS if peers.runner(row) is None]


def test_the_page_holds_every_row():
    lines = [
        [cell.strip() for cell in line.split(" | ")]
        for line in peers.PAGE.read_text().replace("| ", "", 1).splitlines()
        if line.startswith("|") or " | " in line
    ]
    told = {(line[0].removeprefix("| "), line[1], line[2]): line[4] for line in lines if len(line) > 5}
    for row in libraries.presets():
        proof = told[row.name, row.loss, row.form]
        assert (proof == "from its source") == (row.proof == "source")
        assert proof != "not run"


@pytest.mark.parametrize("loss, function", [
    ("bce", "binary_cross_entropy"), ("mse", "mse_loss"), ("mae", "l1_loss"), ("huber", "huber_loss"),
])  # fmt: skip
def test_weighted_rows_are_divided_as_torch_divides_them(loss, function):
    random = np.random.default_rng(3)
    prediction, truth, weight = random.random(30), random.integers(0, 2, 30), random.random(30)
    tensors = [torch.from_numpy(array.astype(float)) for array in (prediction, truth)]
    theirs = getattr(torch.nn.functional, function)(*tensors, weight=torch.from_numpy(weight)).item()
    ours = lossctl.compute(loss, prediction, truth, weight=weight, like="torch")
    assert ours.value == pytest.approx(theirs, rel=1e-9)
