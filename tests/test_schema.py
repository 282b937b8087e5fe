"""Every JSON that is printed obeys the schema that `lossctl schema` prints, and is true of gates and groups."""

import csv
import io
import json

import numpy as np
import pytest
from conftest import ROOT, run_lossctl

jsonschema = pytest.importorskip("jsonschema")
S = ROOT / "samples"
DIGITS = (S / "digits_probs.npy", S / "digits_labels.npy")
SETS = (S / "embeddings.npz",)
CALLS = {
    "one": ("compute", "focal", S / "preds.npy"),
    "gate": ("compute", "bce", S / "preds.csv", "--max", "0.1", "--ci", "0.9"),
    "groups": ("compute", "cross-entropy", *DIGITS, "-g", DIGITS[1], "--ci", "0.9"),
    "hardest": ("compute", "bce", S / "preds.csv", "--keep", "10%"),
    "set": ("compute", "batch-all", *SETS, "--also", "batch-hard"),
    "lists": ("compute", "list-mle", S / "ranking.csv"),
    "no mean": ("compute", "dice", S / "preds.csv", "--ci", "0.9"),
    "top": ("compute", "cross-entropy", *DIGITS, "--top", "3"),
    "top lists": ("compute", "ranknet", S / "ranking.csv", "--top", "2"),
    "compare": ("compare", S / "distributions.npz::q", DIGITS[0], "-y", DIGITS[1], "--loss", "cross-entropy"),
    "compare no mean": ("compare", S / "preds.csv::prob", S / "preds.csv::label", "-y", S / "preds.csv::label",
                        "--loss", "dice"),
    "compare groups": ("compare", S / "distributions.npz::q", DIGITS[0], "-y", DIGITS[1], "--loss", "cross-entropy",
                       "-g", DIGITS[1], "--margin-of-harm", "1%", "--beside", "effect,detectable,t,wilcoxon"),
    "run": ("run", S / "suite.yaml"),
    "triplets": ("triplets", *SETS, "--margin", "0.2,1", "--by", "class", "--pairs", "2", "--batch", "3,2"),
    "given": ("triplets", S / "embeddings.npy", "--index", S / "triplets_index.npy"),
    "curve": ("curve", "huber", "mse", "--grad", "-n", "5"),
    "plane": ("curve", "circle", "--grad", "-n", "3"),
    "bands": ("curve", "triplet", "-n", "5"),
    "parity": ("parity", "mse", S / "regression.csv", "-w", "pred"),
    "reconcile": ("reconcile", "focal", S / "preds.csv", "--value", "0.0345568", "--solve"),
    "suggest": ("suggest", S / "splits.csv"),
    "list": ("list",),
    "explain": ("explain", "focal"),
    "explain, none": ("explain", "fitness"),
    "info": ("info", S / "preds.csv", S / "embeddings.npz"),
    "doctor": ("doctor",),
    "bench": ("bench", "batch-hard", "--n", "64", "--min-time", "0.001", "-q"),
}  # fmt: skip


def printed(*words, cwd=ROOT):
    done = run_lossctl(*words, cwd=cwd)
    assert done.code in (0, 1), done.err
    return done.out


@pytest.fixture(scope="module")
def schema():
    return json.loads(printed("schema"))


def test_the_schema_is_a_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    for part in schema["oneOf"]:
        own = json.loads(printed("schema", part["properties"]["command"]["const"]))
        assert {key: own[key] for key in part} == part
    done = run_lossctl("schema", "computer")
    assert done.code == 2 and "'compute'" in done.err


def _paths(value, names=()):
    """All keys in a document, each with those that it is under."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield (*names, name)
            yield from _paths(part, (*names, name))
    elif isinstance(value, list):
        for part in value[:40]:
            yield from _paths(part, names)


OF_TABLES = {  # what a table has beside: of what a row is, and what it works out
    "triplets": {"of", "estimate"}, "run": {"note"}, "bench": {"speed_up", "baseline"},
}  # fmt: skip
NO_TABLE = ("curve", "explain", "reconcile")  # of names that each call chooses, or none


@pytest.mark.first_fast
@pytest.mark.parametrize("name", CALLS)
def test_every_document_obeys_it_and_tables_have_its_words(schema, name):
    """A column has the name of a key, after those that it is under where that is needed."""
    document = json.loads(printed(*CALLS[name], "--json"))
    of = json.loads(printed("schema", document["command"]))
    jsonschema.validate(document, of)
    jsonschema.validate(document, schema)
    assert {"schema", "version", "command", "results", "warnings"} <= document.keys() and document["results"]
    if document["command"] not in NO_TABLE:
        columns = set(printed(*CALLS[name], "-f", "tsv").splitlines()[0].split("\t"))
        known = {"_".join(path[k:]) for path in _paths(document) for k in range(len(path))}
        assert columns <= known | OF_TABLES.get(document["command"], set()), columns - known


@pytest.mark.slow
def test_numbers_of_libraries_and_their_choices_tell_what_is_no_number(schema, tmp_path):
    """One row is infinitely surprised: clips alone make that finite, and a library without one is named as it is."""
    (tmp_path / "t.csv").write_text("prob,label\n1,0\n0.5,1\n")
    documents = [
        json.loads(printed(*call, "--json", cwd=tmp_path))
        for call in (
            ("parity", "bce", "t.csv"), ("parity", "bce", "t.csv", "-w", "prob"),
            ("reconcile", "bce", "t.csv", "--value", "0.5123"), ("reconcile", "t.csv", "--value", "0.25000"),
        )
    ]  # fmt: skip
    for document in documents:
        jsonschema.validate(document, schema)
        assert any("not finite in 1 row" in text for text in document["warnings"]), document["command"]
    plain, weighted, one, _ = documents
    values = {row["library"]: row for row in plain["results"]}
    assert (values["lossctl"]["value"], values["lossctl"]["value_text"], values["lossctl"]["status"]) == (
        None, "inf", "inf",
    )  # fmt: skip
    assert values["torch"]["status"] == "ok" and values["torch"]["value"] == (100 + np.log(2)) / 2
    assert {row["status"] for row in weighted["results"] if row["fault"]} == {"error"}
    assert all(row["fault"] or row["status"] != "error" for row in weighted["results"])
    assert one["results"] == [] and one["defaults"][0]["value_text"] == "inf"
    for call in (
        ("parity", "bce", "no.csv"), ("parity", "bce", "-"), ("suggest", "no.csv"),
        ("reconcile", "bce", "t.csv", "--value", "inf"), ("reconcile", "bce", "t.csv", "--value", "1", "--most", "3"),
        ("reconcile", "-", "--value", "1.5"), ("reconcile", "batch-hard", "-", "--value", "1.5"),
    ):  # fmt: skip
        done = run_lossctl(*call, "--json", cwd=tmp_path, stdin=b"prob,label\n0.5,1\n")
        assert done.code in (2, 4) and not done.out and "error:" in done.err, call


@pytest.mark.first_fast
@pytest.mark.parametrize("name", ["one", "groups", "compare", "top", "triplets", "run"])
def test_lines_are_the_results(name):
    lines = [json.loads(line) for line in printed(*CALLS[name], "-f", "ndjson").splitlines()]
    document = json.loads(printed(*CALLS[name], "--json"))
    if name == "triplets":
        assert lines == [document]
    elif name == "run":
        values = [*document["results"], *document["comparisons"]]
        known = {json.dumps({key: line[key] for key in line if key != "entry_status"}) for line in lines}
        assert known == {json.dumps(value) for value in values}
    else:
        assert lines == document["results"]


@pytest.mark.slow
def test_another_document_does_not(schema):
    """The schema can say no."""
    document = json.loads(printed(*CALLS["one"], "--json"))
    for change in ({"status": "fine"}, {"value": "0.1"}, {"n": -1}, {"extra": 1}, {"ci": {}}):
        broken = {**document, "results": [{**document["results"][0], **change}]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


def test_a_failed_gate_has_the_status_failed():
    document = json.loads(printed("compute", "bce", S / "preds.csv", "--max", "0.05", "--json"))
    assert document["results"][0]["status"] == "failed" and document["results"][0]["gate"]["passed"] is False
    held = json.loads(printed("compute", "bce", S / "preds.csv", "--max", "5", "--json"))
    assert held["results"][0]["status"] == "ok"


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_groups_called_all_or_mean_are_no_summary(tmp_path, format):
    names = ["all", "mean of groups", "micro", "macro"]
    lines = [f"{0.1 + 0.2 * (k % 4)},{k % 3 == 0:d},{names[k % 4]}" for k in range(16)]
    (tmp_path / "t.csv").write_text("prob,label,g\n" + "\n".join(lines) + "\n")
    call = ("compute", "bce", "t.csv", "-g", "g")
    text = printed(*call, "-f", format, cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t" if format == "tsv" else ","))
    results = json.loads(printed(*call, "--json", cwd=tmp_path))["results"]
    assert [(row["group"], row["average"], float(row["value"])) for row in rows] == [
        (result["group"] or "", result.get("average") or "", result["value"]) for result in results
    ]
    assert sorted(row["group"] for row in rows if not row["average"]) == sorted(names)
    assert [row["average"] for row in rows if not row["group"]] == ["micro", "macro"]
    suite = "losses:\n- {name: e, loss: bce, inputs: t.csv, group: g}\n"
    (tmp_path / "s.yaml").write_text(suite)
    rows = list(csv.DictReader(io.StringIO(printed("run", "s.yaml", "-f", "csv", cwd=tmp_path))))
    assert {(row["group"], row["average"]) for row in rows} == {(name, "") for name in names} | {
        ("", "micro"), ("", "macro")
    }  # fmt: skip
    table = printed("run", "s.yaml", "-f", "table", cwd=tmp_path)
    assert "group all" in table and "group mean of groups" in table
    assert np.isclose(sum(float(row["value"]) for row in rows if row["group"]) / 4,
                      next(float(row["value"]) for row in rows if row["average"] == "macro"))  # fmt: skip
