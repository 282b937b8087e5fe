"""Rows of `libraries.tsv` against the libraries themselves, where these are installed; tests/peers.py runs all."""

import peers
import pytest

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
