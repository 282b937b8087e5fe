"""Rows of `libraries.tsv` against the libraries themselves, where these are installed; tests/peers.py runs all."""

import peers
import pytest
from folds import by, fold

import lossctl
from lossctl.errors import UsageError
from lossctl.language import libraries, registry

ROWS = [row for row in libraries.presets() if row.proof == "run"]


@fold("row", by(lambda row: row.library, ROWS))
def test_a_library_prints_what_its_row_gives(row):
    if not peers.is_installed(row.library):
        pytest.skip(f"{row.library} is not installed")
    tried = 0
    for x in peers.cases(row):
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
    told = {(line[0].removeprefix("| "), line[1], line[2]): line[5] for line in lines if len(line) > 6}
    for row in libraries.presets():
        proof = told[row.name, row.loss, row.form]
        assert (proof == "from its source") == (row.proof == "source")
        assert proof != "not run"


def test_weights_that_a_library_does_not_take_are_refused_until_it_is_said_how_they_divide():
    """Each row of a loss that takes weights; with --weight-norm the caller has said it."""
    x = peers.inputs("random", "float64")
    for row in libraries.presets():
        loss = registry.find(row.loss)
        if loss.has_class_weights:
            continue
        kinds = (["rows"] if loss.engine.is_by_row else []) + (["classes"] if loss.weighs_classes else [])
        for kind in kinds:
            inputs, keywords = peers.ours(row, x._replace(weights=kind))
            asked = {**keywords, "like": row.name}
            if not row.lacks(kind):
                assert lossctl.compute(row.loss, *inputs, **asked).value != 0
                continue
            with pytest.raises(UsageError, match=f"{row.name} has no weights of {kind}"):
                lossctl.compute(row.loss, *inputs, **asked)
            if loss.finish is None:
                lossctl.compute(row.loss, *inputs, **asked, weight_norm="n")
