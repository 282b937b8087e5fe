"""Rows of `libraries.tsv` against the libraries themselves, where these are installed; tests/peers.py runs all."""

import peers
import pytest
import rules
from folds import by, fold

import lossctl
from lossctl.api.printed import number_of
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


@pytest.mark.slow
def test_rules_of_libraries_are_one_command_each():
    """Of 162 rules at least 150 give the library's number on random and on hard inputs, of both types; all others have
    their reason on the page."""
    page = {name: (command, numbers, agrees, why) for name, command, numbers, agrees, why in rules.rows()}
    assert len(page) == len(rules.RULES) == 162
    inputs = [rules.inputs(kind, type) for kind, type in peers.DATA]
    full = 0
    for rule in rules.RULES:
        command, numbers, agrees, why = page[rule.name]
        assert command.startswith(f"`{rule.command}`" if rule.command else "none"), rule.name
        on = [place for place, x in enumerate(inputs) if rule.holds(x.kind, x.type)]
        full += len(on) == len(inputs)
        assert (len(on) < len(inputs)) == (why != "-"), rule.name
        for place in on:
            x, number = inputs[place], number_of(numbers[place])
            share = libraries.DIGITS[agrees] if x.type == "float64" else rules.OF_FLOAT32
            assert number.fits(rules.computed(rule, x), share), f"{rule.name} on {x.kind} {x.type}"
    assert full >= 150
