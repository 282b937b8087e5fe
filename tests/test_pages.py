"""The pages of `explain`: what they calculate is what losses compute and what libraries were seen to print."""

import json
import math
import re

import numpy as np
import pytest
from conftest import run_lossctl

import lossctl
from lossctl.curves.entries import read
from lossctl.curves.tracing import trace
from lossctl.language import registry
from lossctl.show.losses import curve_command, page
from lossctl.show.pages import facts, libraries
from lossctl.show.pages.arithmetic import steps

LOSSES = list(registry.walk())


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_page_tells_what_people_need(loss):
    assert {"Use", "Misleads", "Gradient", "Worked"} <= set(loss.doc)
    text = page(loss)
    for heading in ("Formula", "Good for", "Misleads", "Gradient", "Example", "lossctl compute"):
        assert heading in text
    for option in loss.options:
        assert re.search(rf"^  --{option.flag} +\S+", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 140


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_the_worked_example_ends_in_the_example(loss):
    last = steps(loss.doc["Worked"])[-1]
    assert last.name == loss.name.replace("-", "_")
    value = float(loss.doc["Example"].rpartition("->")[2])
    assert last.value == pytest.approx(value, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_the_curve_command_works(loss, capfd):
    from lossctl.cli.app import run

    command = curve_command(loss)
    if command is None:
        assert not loss.engine.has_values or loss.name == "circle-class"
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


def numbers(name):
    return [round(rule.value, 5) for rule in libraries.comparison(name).rules]


# Measured by running the libraries that the rules name.
MEASURED = {
    "contrastive": [0.31083, 0.62167, 1.865, 0.68333, 1.63333, 0.36083],
    "batch-all": [2.89474, 1.42241, 165, 13.10526],
    "batch-hard": [4.125, 3.66667, 3.18413, 1.0],
    "focal": [0.85035, 0.43371, 0.86743, 0.21259, 0.41664],
    "bce": [math.inf, 25.0, 9.01091, 4.02952],
    "cross-entropy": [0.05738, 0.09745, 0.22737, 0.45738],
}


@pytest.mark.parametrize(("name", "expected"), MEASURED.items())
def test_rules_give_what_libraries_printed(name, expected):
    assert numbers(name) == pytest.approx(expected, abs=1.01e-5)
    assert libraries.comparison("semi-hard").rules[0].value == pytest.approx(0.615385, abs=1e-6)


LINE, LABELS = np.arange(9.0)[:, None], np.array(libraries.LABELS)
LOGITS = (np.array(libraries.LOGITS), np.array(libraries.TRUTHS))
DISTANCES = (np.zeros((6, 1)), np.array(libraries.DISTANCES)[:, None], np.array(libraries.SAME))
CE = (np.array([[8.0, 1, 1], [0, 9, 1], [2, 3, 5]]), np.array([0, 1, 2]))


@pytest.mark.parametrize(
    ("name", "position", "spec", "inputs", "options"),
    [
        ("contrastive", 0, "contrastive", DISTANCES, {}),
        ("contrastive", 3, "pairwise-ranking", DISTANCES, {}),
        ("batch-all", 0, "batch-all", (LINE, LABELS), {}),
        ("batch-all", 2, "batch-all", (LINE, LABELS), {"reduction": "sum"}),
        ("batch-hard", 0, "batch-hard", (LINE, LABELS), {}),
        ("batch-hard", 2, "batch-hard:soft=true", (LINE, LABELS), {}),
        ("semi-hard", 0, "semi-hard", (LINE, LABELS), {}),
        ("semi-hard", 1, "semi-hard:fallback=hardest", (LINE, LABELS), {}),
        ("semi-hard", 2, "semi-hard:fallback=drop", (LINE, LABELS), {}),
        ("focal", 0, "focal", LOGITS, {"from_logits": True}),
        ("focal", 1, "focal:alpha=0.25", LOGITS, {"from_logits": True}),
        ("cross-entropy", 0, "cross-entropy", CE, {"from_logits": True}),
        ("cross-entropy", 1, "cross-entropy:class-weights=1/2/4", CE, {"from_logits": True}),
        ("cross-entropy", 3, "cross-entropy:label-smoothing=0.1", CE, {"from_logits": True}),
        ("huber", 0, "huber:delta=0.5", (np.array([0.2, 1, 3]), np.zeros(3)), {}),
        ("huber", 1, "smooth-l1:beta=0.5", (np.array([0.2, 1, 3]), np.zeros(3)), {}),
        ("mse", 0, "mse", (np.array([0.5, 1.5, 2.5, 2.0]), np.zeros(4)), {}),
    ],
)
def test_rules_called_ours_are_ours(name, position, spec, inputs, options):
    rule = libraries.comparison(name).rules[position]
    assert lossctl.compute(spec, *inputs, **options).value == pytest.approx(rule.value, rel=1e-12)


def test_explain_as_json_holds_the_page():
    record = json.loads(run_lossctl("explain", "focal", "--json").out)["loss"]
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
    exact = json.loads(run_lossctl("explain", "bce", "--json").out)["loss"]["libraries"]["rules"][0]
    assert exact["value"] is None


@pytest.mark.parametrize("name", ["maximum-posterior", "fitness", "expected_return"])
def test_what_no_file_can_give_has_a_page_too(name):
    record = json.loads(run_lossctl("explain", name, "--json").out)["loss"]
    assert record["computable"] is False
    assert "not computable" in record["about"]["summary"]
