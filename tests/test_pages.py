"""The pages of `explain`: what they calculate is what losses compute and what libraries were seen to print."""

import json
import math
import re

import numpy as np
import pytest
from conftest import run_lossctl
from folds import by, fold

import lossctl
from lossctl.curves.entries import read
from lossctl.curves.tracing import trace
from lossctl.language import libraries, registry
from lossctl.language.presets import CONVENTIONS
from lossctl.show.losses import curve_command, page
from lossctl.show.pages import facts
from lossctl.show.pages.arithmetic import steps

LOSSES = list(registry.walk())


@fold("loss", by(lambda loss: loss.family, LOSSES))
def test_a_page_tells_what_people_need(loss):
    assert {"Use", "Misleads", "Gradient", "Worked"} <= set(loss.doc)
    text = page(loss)
    for heading in ("Formula", "Good for", "Misleads", "Gradient", "Example", "lossctl compute"):
        assert heading in text
    for option in loss.options:
        assert re.search(rf"^  --{option.flag} +\S+", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 140


@fold("loss", by(lambda loss: loss.family, LOSSES))
def test_the_worked_example_ends_in_the_example(loss):
    last = steps(loss.doc["Worked"])[-1]
    assert last.name == loss.name.replace("-", "_")
    value = float(loss.doc["Example"].rpartition("->")[2])
    assert last.value == pytest.approx(value, rel=1e-12, abs=1e-12)


@pytest.mark.first_fast
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_the_curve_command_works(loss, capfd):
    from lossctl.cli.app import run

    command = curve_command(loss)
    if command is None:
        assert not loss.stands_alone or loss.has_class_weights or not loss.has_plane
        return
    assert run([*command.split()[1:], "-n", "3"]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "text",
    ["a = __import__('os')", "a = (1).real", "a = [1]", "a = 'x'", "a = b", "a = 1 if 2 else 3", "a = log(1, x=2)"],
)
def test_steps_are_arithmetic_and_nothing_else(text):
    with pytest.raises(ValueError):
        steps(text)


def test_facts_are_those_of_the_losses():
    sentences = " ".join(facts.facts("focal"))
    for number in ("0.9 by 100", "0.968 by 977", "0.5 by 4", "1.129", "-2.79"):
        assert number in sentences
    x, slope = facts.steepest_focal()
    picture = trace([read("focal")], variable="x_t", span=(-6.0, 6.0), grad=True, points=12_001)
    (line,) = picture.lines
    assert -min(line.slopes) == pytest.approx(slope, rel=1e-7)
    assert picture.x[int(np.argmin(line.slopes))] == pytest.approx(x, abs=1e-3)
    for p in (0.5, 0.9, 0.968):
        ratio = lossctl.compute("bce", [p], [1]).value / lossctl.compute("focal", [p], [1]).value
        assert facts.focal_cut(p) == pytest.approx(ratio, rel=1e-12)


# Measured by running the libraries that the rules name, in the order of the rules.
MEASURED = {
    "contrastive": [0.31083, 0.62167, 1.865, 0.68333, 1.63333, 0.36083],
    "batch-all": [2.89474, 1.42241, 165, 13.10526, 1.125],
    "batch-hard": [4.125, 3.66667, 3.18413, 1.0, 1.25],
    "focal": [0.85035, 0.43371, 0.86743, 0.21259, 0.41664],
    "bce": [math.inf, 25.0, 9.01091, 4.02952],
    "cross-entropy": [0.05738, 0.09745, 0.22737, 0.45738],
}


@pytest.mark.parametrize(("name", "expected"), MEASURED.items())
def test_rules_give_what_libraries_printed(name, expected):
    values = [round(rule.value, 5) for rule in CONVENTIONS[name].rules]
    assert values == pytest.approx(expected, abs=1.01e-5)
    assert CONVENTIONS["semi-hard"].rules[0].value == pytest.approx(0.615385, abs=1e-6)


RULES = [(name, rule) for name, conventions in CONVENTIONS.items() for rule in conventions.rules]


@pytest.mark.parametrize(("name", "rule"), RULES, ids=lambda part: part if isinstance(part, str) else part.rule)
def test_a_rule_is_one_of_our_options_or_says_why_not(name, rule):
    conventions = CONVENTIONS[name]
    assert bool(rule.command) != bool(rule.missing)
    if rule.missing:
        return
    inputs = [np.array(side) for side in conventions.inputs]
    group = {"group": np.zeros(len(inputs[0]))} if name == "ranknet" else {}
    loss, _, options = rule.command.partition(" ")
    chosen = {key: number(value) for key, value in libraries.keywords(options).items()}
    ours = lossctl.compute(loss, *inputs, from_logits=conventions.logits, **chosen, **group)
    assert ours.value == pytest.approx(rule.value, rel=1e-9)


def number(value):
    """A text of a command line as Python has it."""
    try:
        return value if value is True else float(value)
    except ValueError:
        return value


@pytest.mark.parametrize(("name", "value"), [("batch-all", 1.125), ("batch-hard", 1.25)])
def test_a_library_that_normalises_is_said_to(name, value):
    """With each row divided by its length, and the row of zeros left as it is, all is 0 or 1."""
    embeddings = np.array([[0.0]] + [[1.0]] * 8)
    labels = np.array(CONVENTIONS[name].inputs[1])
    assert lossctl.compute(name, embeddings, labels).value == value
    (rule,) = (rule for rule in CONVENTIONS[name].rules if rule.libraries == ("pytorch-metric-learning",))
    assert rule.value == value


def test_explain_as_json_holds_the_page():
    record = json.loads(run_lossctl("explain", "focal", "--json").out)["results"][0]
    assert record["computable"] is True
    assert record["worked"][-1]["value"] == pytest.approx(0.0010536051565782627, rel=1e-12)
    assert record["options"][0] == {
        "name": "gamma",
        "default": 2.0,
        "allowed": ">= 0",
        "meaning": "how fast easy rows fade",
    }
    assert record["curve"].startswith("lossctl curve focal")
    assert len(record["libraries"]["rules"]) == 5
    exact = json.loads(run_lossctl("explain", "bce", "--json").out)["results"][0]["libraries"]["rules"][0]
    assert exact["value"] is None


@pytest.mark.parametrize("name", ["maximum-posterior", "fitness", "expected_return"])
def test_what_no_file_can_give_has_a_page_too(name):
    record = json.loads(run_lossctl("explain", name, "--json").out)["results"][0]
    assert record["computable"] is False
    assert "not computable" in record["about"]["why"] and record["about"]["use"]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("x", [-4.0, -0.5, 0.0, 1.5, 6.0])
def test_the_gradient_of_focal_is_the_one_that_its_page_has(gamma, x):
    """The page's formula against a central difference of the loss itself."""
    p_t, h = 1 / (1 + math.exp(-x)), 1e-5
    stated = 0.25 * (1 - p_t) ** gamma * (gamma * p_t * math.log(p_t) + p_t - 1)
    high, low = (
        lossctl.compute("focal", [x + step], [1], gamma=gamma, alpha=0.25, from_logits=True).value for step in (h, -h)
    )
    assert (high - low) / (2 * h) == pytest.approx(stated, rel=1e-6, abs=1e-10)
    assert "(gamma p_t log p_t + p_t - 1)" in " ".join(page(registry.find("focal")).split())


@pytest.mark.parametrize("name", ["focal-star", "cross-entropy", "batch-hard", "triplet"])
def test_pages_say_what_is_often_written_wrong(name):
    assert "Often wrong" in page(registry.find(name))


def test_names_of_the_literature_are_found():
    for alias, name in (("focal-loss", "focal"), ("kl-loss", "kl"), ("triplet-ranking", "triplet")):
        assert registry.find(alias).name == name
    assert "less the entropy" in page(registry.find("kl"))
    for name in ("ohem", "loss-rank-mining"):
        assert "--keep" in run_lossctl("compute", name, "x.npy").err
