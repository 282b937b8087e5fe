"""Results in a notebook: numbers that compare and format, tables, frames; and the tutorial, run from end to end."""

import ast
import dataclasses
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import ROOT

import lossctl

PREDS = str(ROOT / "samples/preds.csv")
RNG = np.random.default_rng(0)
PROB, LABEL = RNG.uniform(0.05, 0.95, 60), RNG.integers(0, 2, 60)
GROUP = np.array(["a<b>", "b&c", "c"])[np.arange(60) % 3]


def results():
    return {
        "result": lossctl.compute("bce", PROB, LABEL, ci=0.9),
        "grouped": lossctl.compute("bce", PROB, LABEL, group=GROUP),
        "hardest": lossctl.compute("bce", PROB, LABEL, keep=5),
        "comparison": lossctl.compare(PROB, PROB / 2, target=LABEL, loss="bce")[0],
    }


@pytest.mark.parametrize("name", ["result", "grouped", "hardest", "comparison"])
def test_a_table_in_html_holds_the_records(name):
    result = results()[name]
    root = ElementTree.fromstring(result._repr_html_())
    records = result.records()
    heads = [cell.text for cell in root.iter("th")]
    assert heads == [key for key in records[0] if any(record[key] is not None for record in records)]
    for row, record in zip(root.find("tbody"), records, strict=True):
        for cell, head in zip(row, heads, strict=True):
            value = record[head]
            if isinstance(value, float):
                assert float(cell.get("title")) == value and cell.text == f"{value:.6g}"
            else:
                assert (cell.text or "") == ("" if value is None else str(value))


@pytest.mark.parametrize("name", ["result", "grouped", "hardest", "comparison"])
def test_frames_and_dicts_hold_every_digit(name):
    result = results()[name]
    key = "value"
    expected = [record[key] for record in result.records()]
    assert result.to_pandas()[key].tolist() == expected == result.to_polars()[key].to_list()
    assert float(result) == expected[0]
    assert json.loads(json.dumps(result.to_dict()))
    assert len(repr(result)) < 160 and repr(float(result)) in repr(result) and "\n" not in repr(result)


def test_a_result_is_a_number():
    result = lossctl.compute("bce", PROB, LABEL)
    truth = float(np.where(LABEL == 1, -np.log(PROB), -np.log1p(-PROB)).mean())
    assert float(result) == pytest.approx(truth, rel=1e-14)
    assert f"{result:.3f}" == f"{truth:.3f}" and f"{result:>10.2e}" == f"{truth:>10.2e}" and f"{result}" == str(result)
    assert round(result, 2) == round(truth, 2)
    assert result < truth + 1 and result <= result and result > np.float64(0) and not result >= 10 and result < 10
    worse = lossctl.compute("bce", 1 - PROB, LABEL)
    assert (result < worse) == (float(result) < float(worse))
    assert sorted([worse, result], key=float) == sorted([worse, result])
    for other in ("0.1", None, True):
        with pytest.raises(TypeError):
            assert result < other
    nan = dataclasses.replace(result, value=np.nan)
    assert not nan < 1 and not nan > 1


def test_a_failed_gate_and_a_group_are_in_the_text():
    grouped = lossctl.compute("bce", PROB, LABEL, group=GROUP)
    assert "of group 'c'" in repr(grouped["c"]) and "3 groups" in repr(grouped)
    assert "mean of groups" in repr(grouped.macro)


def test_a_page_in_a_notebook():
    page = lossctl.explain("focal")
    assert repr(page).startswith("focal (classification)") and page._repr_html_().startswith("<pre")
    assert "Use" in repr(lossctl.explain("accuracy"))
    with pytest.raises(lossctl.UsageError):
        lossctl.explain("focl")


def test_a_missing_library_is_told(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(lossctl.DeviceError, match="polars is not installed"):
        lossctl.compute("bce", PROB, LABEL).to_polars()


@pytest.mark.slow
def test_the_tutorial_runs(monkeypatch, capsys):
    """Each cell runs, and what its last line gives can be shown."""
    monkeypatch.chdir(ROOT)
    book = json.loads((ROOT / "docs/tutorial.ipynb").read_text())
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 8 and not any(cell["outputs"] for cell in cells)
    names, shown = {}, []
    for cell in cells:
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "tutorial", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "tutorial", "eval"), names)
            shown.append(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
    text = " ".join(shown)
    assert re.search(r"95% interval 0\.\d{3} to 0\.\d{3}", text) and "Categories(easy=2246786" in text
    assert "fix: " in capsys.readouterr().out


def test_results_are_drawn_with_their_intervals(tmp_path):
    grouped = lossctl.compute("bce", "samples/preds.csv", group="label", ci=0.9)
    picture = lossctl.plot(grouped)
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert [(mark.label, mark.value) for mark in picture.marks] == [
        ("all", grouped.value), ("mean of groups", grouped.macro.value), ("group 0", grouped["0"].value),
        ("group 1", grouped["1"].value),
    ]  # fmt: skip
    assert (picture.across.low, picture.across.high) == (grouped.overall.ci.low, grouped.overall.ci.high)
    picture.save(str(tmp_path / "a.svg"))
    assert "mean of groups" in (tmp_path / "a.svg").read_text()
    systems = ("samples/digits_probs.npy", "samples/distributions.npz::q")
    compared = lossctl.compare(*systems, target="samples/digits_labels.npy", loss="cross-entropy")
    assert lossctl.plot(compared).title == "cross-entropy minus that of digits_probs.npy"
    assert lossctl.plot([lossctl.compute("mse", [1.0], [0.0]), lossctl.compute("mae", [1.0], [0.0])]).across is None
    for wrong in (3.0, [], "bce", [grouped, compared]):
        with pytest.raises(lossctl.UsageError):
            lossctl.plot(wrong)


def test_triplets_and_suites_are_tables():
    report = lossctl.triplets("samples/embeddings.npz", margin=[0.2, 1.0], by_class=True)
    assert repr(report).startswith(
        "<triplets of 300 points; margin 0.2: easy 0.9563, semi_hard 0.01408, hard 0.02961; margin 1"
    )
    frame = report.to_pandas()
    assert len(frame) == 2 * 11 and frame["hard"][0] == report.breakdown.margins[0].categories.hard
    assert frame[frame["class"].notna() & (frame["margin"] == 1)]["easy"].sum() == frame["easy"][1]
    assert "<table>" in report._repr_html_()
    suite = lossctl.run("samples/suite.yaml")
    assert repr(suite) == "<Sample models: 7 entries, 7 passed>"
    table = suite.to_polars()
    assert (
        set(table["entry"]) == {outcome.name for outcome in suite.outcomes}
        and "<th>verdict</th>" in suite._repr_html_()
    )
