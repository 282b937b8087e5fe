"""Metrics: one flat object of names and numbers, which are those of the JSON."""

import json
import math

import pytest
from conftest import ROOT, run_lossctl

S = ROOT / "samples"
DIGITS = (S / "digits_probs.npy", S / "digits_labels.npy")


def metrics(folder, *words, code=0):
    done = run_lossctl(*words, "--metrics", folder / "m.json", "--json")
    assert done.code == code, done.err
    flat = json.loads((folder / "m.json").read_text())
    assert all(isinstance(value, float | int) and math.isfinite(value) for value in flat.values())
    return flat, json.loads(done.out)


def test_groups_and_intervals_have_names(tmp_path):
    flat, document = metrics(tmp_path, "compute", "cross-entropy", *DIGITS, "-g", DIGITS[1], "--ci", "0.9")
    for result in document["results"]:
        of = "/macro" if result.get("average") == "macro" else ""
        of += f"/group/{result['group']}" if result["group"] else ""
        assert flat[f"cross-entropy{of}"] == result["value"]
        assert (flat[f"cross-entropy{of}/low"], flat[f"cross-entropy{of}/high"]) == (
            result["ci"]["low"], result["ci"]["high"]
        )  # fmt: skip
    assert len(flat) == 3 * len(document["results"])


def test_a_failed_gate_has_metrics_too(tmp_path):
    flat, _ = metrics(tmp_path, "compute", "bce", S / "preds.csv", "--max", "0.01", "-r", "sum", code=1)
    assert list(flat) == ["bce/sum"]


def test_a_suite_leads_with_the_entry(tmp_path):
    flat, document = metrics(tmp_path, "run", S / "suite.yaml")
    assert flat["digits/cross-entropy"] == next(
        result["value"] for result in document["results"] if result["entry"] == "digits"
    )
    values = {value for value in flat.values()}
    assert {result["value"] for result in document["results"]} <= values
    assert {comparison["p_adjusted"] for comparison in document["comparisons"]} <= values


def test_comparisons_and_triplets(tmp_path):
    systems = (S / "distributions.npz::q", DIGITS[0], "-y", DIGITS[1], "--loss", "cross-entropy")
    flat, document = metrics(tmp_path, "compare", *systems)
    (result,) = document["results"]
    assert list(flat.values()) == [
        result["value"], result["ci"]["low"], result["ci"]["high"], result["p_adjusted"]
    ]  # fmt: skip
    flat, document = metrics(tmp_path, "triplets", S / "embeddings.npz", "--margin", "0.2")
    assert flat["margin 0.2/hard"] == document["results"][0]["shares"]["hard"]
    assert flat["margin 0.2/batch_hard"] == document["results"][0]["batch_hard"]


def test_names_are_fit_for_trackers_and_one_name_is_one_number(tmp_path):
    lines = [f"{0.2 + 0.1 * (k % 5)},{k % 2},{name}" for k, name in enumerate(["a/b: 1", "c,d", "é"] * 4)]
    quoted = [f'{line.split(",", 2)[0]},{line.split(",", 2)[1]},"{line.split(",", 2)[2]}"' for line in lines]
    (tmp_path / "t.csv").write_text("prob,label,g\n" + "\n".join(quoted) + "\n")
    flat, _ = metrics(tmp_path, "compute", "bce", tmp_path / "t.csv", "-g", "g")
    assert [name for name in flat if "group" in name] == ["bce/group/a_b_ 1", "bce/group/c_d", "bce/group/_"]
    (tmp_path / "t.csv").write_text(
        "prob,label,g\n" + "".join(f"0.3,{k % 2},{'a:' if k % 3 else 'a;'}\n" for k in range(9))
    )
    done = run_lossctl("compute", "bce", tmp_path / "t.csv", "-g", "g", "--metrics", tmp_path / "x.json")
    assert done.code == 3 and "two values would be the metric bce/group/a_" in done.err
    assert not (tmp_path / "x.json").exists()


def test_what_is_no_number_is_left_out_with_a_word(tmp_path):
    (tmp_path / "t.csv").write_text("prob,label\n0,1\n0.5,1\n")
    flat, document = metrics(tmp_path, "compute", "bce", tmp_path / "t.csv", "--also", "brier")
    assert document["results"][0]["value"] is None and list(flat) == ["brier"]
    done = run_lossctl("compute", "bce", tmp_path / "t.csv", "--metrics", tmp_path / "m.json")
    assert "has no bce: not finite" in done.err


@pytest.mark.first_fast
@pytest.mark.parametrize("words", [("--top", "2"), ("--per-row",), ("-r", "none")])
def test_rows_are_no_metrics(tmp_path, words):
    done = run_lossctl("compute", "bce", S / "preds.csv", *words, "--metrics", tmp_path / "m.json")
    assert done.code == 2 and "--metrics with" in done.err
    done = run_lossctl("compute", "bce", S / "preds.csv", "--metrics", tmp_path / "m.txt")
    assert done.code == 2 and ".json" in done.err
