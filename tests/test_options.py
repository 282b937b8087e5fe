"""One table of options: every way in takes the same, with the same defaults, and drops nothing in silence."""

import ast
import dataclasses
import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, run_lossctl
from folds import by, fold

import lossctl
from lossctl.api import suite_file
from lossctl.api.asked import asked, reading_of
from lossctl.api.reading import Reading
from lossctl.errors import DataError, UsageError
from lossctl.language import options, registry

PREDS = str(ROOT / "samples/preds.csv")
EMBEDDINGS = str(ROOT / "samples/embeddings.npz")
RNG = np.random.default_rng(0)
PROB, LABEL, GROUP = RNG.uniform(0.05, 0.95, 60), RNG.integers(0, 2, 60), np.arange(60) % 3


# --- the table is what the ways in take


@pytest.mark.parametrize("name", options.CALLS)
def test_a_signature_of_python_is_the_rows_of_the_table(name):
    signature = inspect.signature(getattr(lossctl, name))
    keywords = {item.name: item.default for item in signature.parameters.values() if item.kind is item.KEYWORD_ONLY}
    rows = options.settings(name, "python").values()
    expected = {
        row.argument: inspect.Parameter.empty if row.is_required else row.default_of(name, "python") for row in rows
    }
    assert keywords == expected
    for keyword in keywords:
        assert (
            keyword in inspect.getdoc(getattr(lossctl, name))
            or "as in" in inspect.getdoc(getattr(lossctl, name))
            or ("those of `compute`" in inspect.getdoc(getattr(lossctl, name)))
        )


def commands():
    from lossctl.cli.app import root

    group = root()
    return {name: group.get_command(None, name) for name in group.list_commands(None)}


@pytest.mark.parametrize(
    "name", ["compare", "triplets", "mine", "run", "bench", "curve", "list", "info", "doctor", "explain"]
)
def test_a_command_takes_the_rows_of_the_table(name):
    taken = {param.name for param in commands()[name].params if param.param_type_name == "option"} - {"help"}
    assert taken == set(options.settings(name, "shell"))


@fold("loss", by(lambda loss: loss.family, registry.walk()))
def test_a_loss_takes_the_rows_that_suit_it(loss):
    from lossctl.cli.compute import parameters

    rows = options.settings("compute", "shell")
    names = {name for name, _, _ in parameters(loss)}
    assert names & rows.keys() == {key for key, row in rows.items() if row.suits(loss)}
    own = {f"option_{option.name}" for option in loss.all_options} | {f"role_{role.name}" for role in loss.roles}
    assert {name for name in names - rows.keys() if not name.startswith("form_")} == own | {"sources"}


def test_a_loss_and_a_setting_share_no_name_unless_it_is_stated():
    """Else one of them cannot be set."""
    rows = [(name, row) for row in options.OPTIONS for name in {row.key, row.argument, *_keys(row.aliases)}]
    shared = set()
    for loss in registry.walk():
        own = {option.name for option in loss.all_options}
        assert not own & {role.name for role in loss.roles}, loss.name
        shared |= {name for name, _ in rows if name in own}
        for name, row in rows:
            is_asked = set(row.commands) & set(options.LOSSES) and row.suits(loss) and "shell" in row.ways
            assert not (name in own and is_asked), f"{loss.name} and a setting have {name}"
    assert shared == set(options.SHARED)


def _keys(flags):
    return [flag.strip("-").replace("-", "_") for flag in flags]


def test_a_suite_takes_the_rows_of_the_table():
    for kind, command in options.ENTRIES.items():
        rows = options.settings(command, "suite")
        assert set(suite_file.keys_of(kind)) == {row.name for row in rows.values()}
        for key, row in options.settings(command, "shell").items():
            if "suite" in row.ways:
                assert rows[key] is row or rows[key].kind == row.kind


def test_what_compute_has_compare_has_too():
    """But for what asks for rows, groups and gates, and what a comparison has no place for."""
    gates = {"max", "min", "max_high", "min_low", "strict", "max_increase", "baseline"}
    beside = gates | {"per_row", "top", "keep", "id", "by", "also", "like"}
    only = {"index", "distances", "bare", "plot", "signature", "ref", "ref_label", "ref_exclude_same"}
    only |= {"ref_coarse_label", "train", "season"}
    compute, compare = options.settings("compute", "shell"), options.settings("compare", "shell")
    assert compute.keys() - compare.keys() == beside | only


def test_every_field_of_a_reading_is_a_setting():
    values = {"na": "skip", "header": "no", "delimiter": ";", "decimal": ",", "thousands": ".", "clip": 0.1, "dim": 3}
    values |= {"clip_type": "float32", "clip_log": 100.0, "squash": "tanh", "scale": 2.0, "weight_norm": "n"}
    values |= {"percent": True, "renormalize": True, "classes": "a,b", "positive": "a", "multi_label": True}
    values |= {"multi_class": True, "soft": True, "class_axis": 1, "shift": True}
    values |= {"lone": "zero", "distance": "cosine", "normalize": True, "index": "i", "distances": "d"}
    values |= {"ref": "r", "ref_label": "l", "exclude_same": ["c"], "ref_exclude_same": ["c"]}
    values |= {"noise_label": "-1", "noise": "negatives", "memory": "8GB"}
    values |= {"coarse_label": "c", "ref_coarse_label": "c", "coarse_negatives": "near"}
    values |= {"frame_axis": 1, "frame_lengths": "t", "symbol_lengths": "s", "train": "h", "season": 2}
    call = asked(values, "compute", "shell")
    reading, plain = reading_of(call, {"prob": "logits"}, "cuda"), Reading()
    names = [field.name for field in dataclasses.fields(reading)]
    for one, other, fields in ((reading, plain, names), (reading.dialect, plain.dialect, plain.dialect._fields)):
        for name in fields:
            assert getattr(one, name) != getattr(other, name), name


def test_no_function_of_the_command_line_is_a_train():
    for path in (Path(lossctl.__file__).parent / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                count = len(node.args.args) + len(node.args.kwonlyargs) + len(node.args.posonlyargs)
                assert count <= 8, f"{path.name}: {node.name} has {count} parameters"


def test_the_words_of_a_signature_are_marked_in_the_table():
    marks = {row.mark for row in options.OPTIONS if row.mark} | {"n", "acc", "data", "v", "columns", "anchors"}
    calls = (("focal", PREDS), ("batch-hard", EMBEDDINGS), ("mse", str(ROOT / "samples/regression.csv")))
    for name, path in calls:
        signature = lossctl.compute(name, path, skip_nan=True, data_hash=True).signature
        own = {option.flag for option in registry.find(name).options}
        assert {part.partition(":")[0] for part in signature.split("|")[1:]} <= marks | own


# --- the same question from everywhere has the same answer


def test_groups_intervals_and_the_hardest_in_python_are_those_of_the_shell(tmp_path):
    np.save(tmp_path / "p.npy", np.stack([PROB, LABEL], axis=1))
    np.save(tmp_path / "g.npy", GROUP)
    shell = ("compute", "bce", tmp_path / "p.npy", "--json", "-g", tmp_path / "g.npy", "--ci", "0.9", "--seed", "3")
    results = json.loads(run_lossctl(*shell).out)["results"]
    result = lossctl.compute("bce", PROB, LABEL, group=GROUP, ci=0.9, seed=3)
    called = [result.overall, result.macro, *result.groups.values()]
    assert [result.value for result in called] == [result["value"] for result in results]
    assert [result.ci.low for result in called] == [result["ci"]["low"] for result in results]
    assert list(result.groups) == ["0", "1", "2"] and result["1"].n == 20 and result.value == result.overall.value
    losses = np.where(LABEL == 1, -np.log(PROB), -np.log1p(-PROB))
    assert result["1"].value == pytest.approx(losses[GROUP == 1].mean(), rel=1e-15)
    kept = lossctl.compute("bce", PROB, LABEL, keep=10)
    assert kept.value == pytest.approx(np.sort(losses)[-10:].mean(), rel=1e-15)
    assert lossctl.compute("bce", PROB, LABEL, keep="50%").n == 30


def test_bins_in_python(tmp_path):
    (tmp_path / "t.csv").write_text(
        "p,y,age\n" + "".join(f"{p},{y},{a}\n" for p, y, a in zip(PROB, LABEL, range(60), strict=True))
    )
    result = lossctl.compute("bce", f"{tmp_path}/t.csv::p", f"{tmp_path}/t.csv::y", by=f"bins:{tmp_path}/t.csv::age:2")
    assert [group.n for group in result.groups.values()] == [30, 30]


def test_a_ranking_loss_takes_its_lists_as_group():
    score, grade = RNG.standard_normal(60), RNG.integers(0, 3, 60)
    named = lossctl.compute("list-mle", score, grade, group=GROUP)
    assert named.value == lossctl.compute("list-mle", score, grade, GROUP).value and named.n == 3


@pytest.mark.parametrize("delimiter", [";", "|"])
def test_a_delimiter_is_the_same_everywhere(tmp_path, delimiter):
    def table(name, head, columns):
        lines = [head, *zip(*columns, strict=True)]
        (tmp_path / name).write_text("".join(delimiter.join(map(str, line)) + "\n" for line in lines))
        return str(tmp_path / name)

    y = table("y.csv", ["y"], [LABEL])
    a, b = (table(name, ["p"], [np.clip(PROB + shift, 0.01, 0.99)]) for name, shift in (("a.csv", 0), ("b.csv", 0.1)))
    both = table("both.csv", ["p", "y"], [PROB, LABEL])
    expected = lossctl.compute("bce", PROB, LABEL).value
    assert lossctl.compute("bce", both, delimiter=delimiter).value == expected
    assert float(run_lossctl("compute", "bce", both, "--delimiter", delimiter).out) == expected
    assert lossctl.row_losses("bce", both, delimiter=delimiter).mean() == pytest.approx(expected, rel=1e-14)
    shell = run_lossctl("compare", a, b, "-y", y, "--loss", "bce", "--delimiter", delimiter, "--json")
    (called,) = lossctl.compare(a, b, target=y, loss="bce", delimiter=delimiter)
    (suite,) = _comparison(tmp_path, f"base: a.csv, others: b.csv, target: y.csv, loss: bce, delimiter: '{delimiter}'")
    (arrays,) = lossctl.compare(PROB, np.clip(PROB + 0.1, 0.01, 0.99), target=LABEL, loss="bce")
    values = [json.loads(shell.out)["results"][0]["value"], called.difference, suite.difference]
    assert values == [arrays.difference] * 3
    assert (called.base, called.other, arrays.base, arrays.other) == ("a.csv", "b.csv", "base", "other 1")


def test_numbers_as_others_write_them(tmp_path):
    (tmp_path / "t.csv").write_text("pred;target\n1.234,5;1.000\n2,5;3\n")
    expected = lossctl.compute("mae", [1234.5, 2.5], [1000, 3]).value
    path, flags = str(tmp_path / "t.csv"), ("--decimal", ",", "--thousands", ".")
    assert lossctl.compute("mae", path, decimal=",", thousands=".").value == expected
    assert float(run_lossctl("compute", "mae", path, *flags).out) == expected
    (tmp_path / "suite.yaml").write_text("losses:\n- {loss: mae, inputs: t.csv, decimal: ',', thousands: .}\n")
    (outcome,) = lossctl.run(str(tmp_path / "suite.yaml")).outcomes
    assert outcome.results[0].value == expected
    assert json.loads(run_lossctl("info", path, *flags, "--json").out)["results"][0]["max"] == 1234.5


def _comparison(folder, text):
    (folder / "suite.yaml").write_text(f"comparisons:\n- {{{text}}}\n")
    (outcome,) = lossctl.run(str(folder / "suite.yaml")).outcomes
    assert outcome.status == "passed", outcome.reasons
    return outcome.comparisons


def test_mining_gives_what_the_file_holds(tmp_path):
    mined = lossctl.mine("semi-hard", EMBEDDINGS, margin=0.2)
    summary = lossctl.mine("semi-hard", EMBEDDINGS, margin=0.2, out=str(tmp_path / "t.npy"))
    assert np.array_equal(np.load(tmp_path / "t.npy"), mined.rows)
    assert summary.triplets == len(mined.rows) and summary.loss == pytest.approx(mined.loss.mean(), rel=1e-12)
    done = run_lossctl("mine", "semi-hard", EMBEDDINGS, "--margin", "0.2", "-o", tmp_path / "s.npy")
    assert done.code == 0 and (tmp_path / "s.npy").read_bytes() == (tmp_path / "t.npy").read_bytes()


def test_a_suite_in_python():
    report = lossctl.run(str(ROOT / "samples/suite.yaml"), only="tumour")
    assert report.outcomes and all("tumour" in outcome.name for outcome in report.outcomes)


# --- faults are told in the words of whoever asks


FAULTS = {
    "ci": (2.0, "ci cannot be 2"), "ci_method": ("median", "ci_method cannot be 'median'"),
    "resamples": (1, "resamples cannot be 1"), "seed": (-1, "seed cannot be -1"), "na": ("omit", "na cannot be 'omit'"),
    "header": ("maybe", "header cannot be 'maybe'"), "clip": (0.7, "clip cannot be 0.7"),
    "jobs": (0, "jobs cannot be 0"), "keep": ("x", "keep cannot be 'x'"), "by": ("age:3", "by cannot be 'age:3'"),
    "cluster": (GROUP, "cluster is for intervals"),
}  # fmt: skip


@pytest.mark.parametrize("key", FAULTS)
def test_faults_of_a_call_name_its_keywords(key):
    value, message = FAULTS[key]
    with pytest.raises(UsageError) as fault:
        lossctl.compute(
            "bce", PROB, LABEL, **{"ci": 0.9} if key in ("ci_method", "resamples", "seed") else {}, **{key: value}
        )
    assert message in fault.value.what and "--" not in str(fault.value) and fault.value.fix


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ci", "0.9", "--plot", "x.png", "-g", "y"), "--plot and --group at once"),
        (("--also", "focal", "--plot", "x.png"), "--plot and --also at once"),
        (("--keep", "10", "--plot", "x.png"), "--plot"),
        (("--top", "3", "--plot", "x.png"), "--plot"),
        (("--resamples", "50"), "--resamples is for intervals"),
        (("--ci-method", "percentile"), "--ci-method is for intervals"),
    ],
)
def test_what_has_no_answer_is_refused_by_name(arguments, message):
    done = run_lossctl("compute", "bce", PREDS, *arguments)
    assert done.code == 2 and message in done.err and not Path("x.png").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lossctl.compute("mse", PROB, PROB, clip=0.1), "mse takes no clip"),
        (lambda: lossctl.compute("mse", PROB, PROB, from_logits=True), "mse takes no from_logits"),
        (lambda: lossctl.compute("mse", PROB, PROB, device="cuda"), "mse takes no device"),
        (lambda: lossctl.compare(PROB, PROB, target=LABEL, loss="mse", distance="cosine"), "mse takes no distance"),
        (
            lambda: lossctl.compare(EMBEDDINGS, EMBEDDINGS, target=LABEL, loss="batch-all", seed_of=GROUP),
            "batch-all takes no seed_of",
        ),
        (lambda: lossctl.triplets(EMBEDDINGS, batches=3), "batches is for sampled batches"),
        (lambda: lossctl.mine("batch-hard", EMBEDDINGS, fallback="drop"), "fallback 'drop' with batch-hard"),
        (lambda: lossctl.compute("bce", PROB, LABEL, keep=3, ci=0.9), "keep and ci at once"),
    ],
)
def test_what_a_call_would_not_use_is_refused(call, message):
    with pytest.raises(UsageError) as fault:
        call()
    assert message in fault.value.what


def test_an_entry_is_refused_what_it_would_not_use(tmp_path):
    np.save(tmp_path / "p.npy", np.stack([PROB, LABEL], axis=1))
    entries = "- {name: a, loss: mse, inputs: p.npy, clip: 0.1}\n- {name: b, loss: mse, inputs: p.npy, resamples: 99}\n"
    (tmp_path / "suite.yaml").write_text(f"losses:\n{entries}")
    a, b = lossctl.run(str(tmp_path / "suite.yaml")).outcomes
    assert "mse takes no clip" in a.reasons[0] and "resamples is for intervals" in b.reasons[0]
    (tmp_path / "suite.yaml").write_text(
        "defaults: {clip: 0.1, resamples: 99}\nlosses:\n- {loss: mse, inputs: p.npy}\n"
    )
    assert lossctl.run(str(tmp_path / "suite.yaml")).count("passed") == 1


def test_a_plot_is_drawn_beside_an_interval(tmp_path):
    path = tmp_path / "rows.svg"
    assert run_lossctl("compute", "bce", PREDS, "--ci", "0.9", "--plot", path).code == 0
    assert path.read_bytes().startswith(b"<?xml")


@pytest.mark.first_fast
@pytest.mark.parametrize("key", [key for key, row in options.settings("compute", "shell").items() if row.is_read])
def test_no_output_overwrites_what_an_option_names(key, tmp_path):
    """Whatever names a file is known from the table; the file is safe even where it holds nothing of use."""
    row = options.setting(key, "compute")
    loss, source = {"index": ("triplet", EMBEDDINGS), "distances": ("contrastive", EMBEDDINGS)}.get(key, ("bce", PREDS))
    if key == "by":
        values = {key: f"bins:{tmp_path}/kept.csv::x:3"}
    else:
        values = {key: f"{tmp_path}/kept.csv::x" if row.kind == "source" else f"{tmp_path}/kept.csv"}
    assert [path.partition("::")[0] for path in options.inputs_of("compute", "shell", values)] == [
        f"{tmp_path}/kept.csv"
    ]
    (tmp_path / "kept.csv").write_text("x\n1\n")
    beside = {"id": ("--top", "2"), "cluster": ("--ci", "0.9"), "baseline": ("--max-increase", "5%")}.get(key, ())
    done = run_lossctl("compute", loss, source, row.flag, values[key], *beside, "-o", tmp_path / "kept.csv")
    assert done.code in (2, 3, 4) and (tmp_path / "kept.csv").read_text() == "x\n1\n"


@pytest.mark.parametrize("beside", ["", "weight", "group"])
def test_rows_are_matched_by_ids(tmp_path, beside):
    """Files in other orders give what one file in one order gives."""
    order, ids = RNG.permutation(60), [f"row{k}" for k in range(60)]
    columns = {"p": PROB, "y": LABEL, "w": RNG.uniform(0.5, 2, 60), "g": np.array(list("abc"))[GROUP]}
    for name, values in columns.items():
        rows = order if name != "p" else range(60)
        lines = [f"{ids[row]},{values[row]}\n" for row in rows]
        (tmp_path / f"{name}.csv").write_text(f"id,{name}\n" + "".join(lines))
    option = {"": {}, "weight": {"weight": "w"}, "group": {"group": "g"}}[beside]
    files = {key: f"{tmp_path}/{name}.csv::{name}" for key, name in option.items()}
    arrays = {key: columns[name] for key, name in option.items()}
    inputs = f"{tmp_path}/p.csv::p", f"{tmp_path}/y.csv::y"
    result, expected = (
        lossctl.compute("bce", *inputs, align="id", **files),
        lossctl.compute("bce", PROB, LABEL, **arrays),
    )
    if beside == "group":
        assert {name: group.value for name, group in result.groups.items()} == {
            name: group.value for name, group in expected.groups.items()
        }
        result, expected = result.overall, expected.overall
    assert result.value == expected.value and "|align:id|" in result.signature
    assert result.sources == (
        ("prob", f"{tmp_path}/p.csv: column 'p' (2)"),
        ("label", f"{tmp_path}/y.csv: column 'y' (2)"),
    )
    flags = [text for key, value in files.items() for text in (f"--{key}", value)]
    done = run_lossctl("compute", "bce", *inputs, *flags, "--align", "id::id", "--json")
    assert json.loads(done.out)["results"][0]["value"] == expected.value
    keys = "".join(f", {key}: {value}" for key, value in files.items())
    (tmp_path / "suite.yaml").write_text(f"losses:\n- {{loss: bce, inputs: [p.csv::p, y.csv::y], align: id{keys}}}\n")
    (outcome,) = lossctl.run(str(tmp_path / "suite.yaml")).outcomes
    assert outcome.results[0].value == expected.value
    with pytest.raises(DataError, match="disagree"):
        lossctl.compute("bce", *inputs)


def test_ids_that_differ_are_refused(tmp_path):
    (tmp_path / "p.csv").write_text("id,p\na,0.5\nb,0.5\n")
    (tmp_path / "y.csv").write_text("id,y\na,1\nc,0\n")
    done = run_lossctl("compute", "bce", tmp_path / "p.csv::p", tmp_path / "y.csv::y", "--align", "id")
    assert done.code == 3 and "unequal ids" in done.err
    with pytest.raises(UsageError, match="align with an array"):
        lossctl.compute("bce", PROB, LABEL, align="id")


def test_a_suite_may_be_a_path_and_nothing_else():
    report = lossctl.run(ROOT / "samples/suite.yaml", only="tumour")
    assert report.path and {outcome.status for outcome in report.outcomes} == {"passed"}
    with pytest.raises(UsageError, match="path cannot be 3"):
        lossctl.run(3)


def test_the_margin_of_an_angle_ends_where_its_formula_does():
    """Where t + m is beyond pi, cos t - m sin m: at m = pi that is cos t."""
    emb, weights = np.array([[1.0, 0.0]]), np.array([1.0, 0.0, 0.0, 1.0])
    asked = {"class_weights": weights, "s": 2.0}
    at_pi = lossctl.compute("arcface", emb * [1, 1] + [0, 0.5], np.array([0]), margin=np.pi, **asked).value
    c = 1 / np.hypot(1, 0.5)
    assert at_pi == pytest.approx(np.log1p(np.exp(2 * (0.5 * c - c))), rel=1e-12)
    with pytest.raises(UsageError, match="margin cannot be"):
        lossctl.compute("arcface", emb, np.array([0]), margin=3.15, **asked)
