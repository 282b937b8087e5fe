"""What notebooks call: options as keywords, and what a loss does not take."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

import lossctl
from lossctl.errors import DataError, LossctlError, UsageError

A, P, N = np.random.default_rng(0).standard_normal((3, 7, 4))
X, LABELS = np.random.default_rng(1).standard_normal((20, 4)), np.arange(20) % 4


@pytest.mark.parametrize(
    "text, name, inputs, options",
    [
        ("triplet:margin=0.3,distance=cosine", "triplet", (A, P, N), {"margin": 0.3, "distance": "cosine"}),
        ("focal:gamma=2,alpha=0.25", "focal:gamma=2", ([0.1, 0.9], [0, 1]), {"alpha": 0.25}),
        ("batch-all:margin=0.2", "batch_all", (X, LABELS), {"margin": 0.2}),
        ("ce:class-weights=1/2/3/4", "ce", (np.abs(X) / np.abs(X).sum(1, keepdims=True), LABELS),
         {"class_weights": np.array([1, 2, 3, 4])}),
    ],
)  # fmt: skip
def test_options_may_be_keywords(text, name, inputs, options):
    written, called = lossctl.compute(text, *inputs), lossctl.compute(name, *inputs, **options)
    assert (called.value, called.signature) == (written.value, written.signature)
    assert lossctl.row_losses(name, *inputs, **options).tolist() == lossctl.row_losses(text, *inputs).tolist()


def test_a_matrix_of_class_weights():
    directions = np.random.default_rng(2).standard_normal((4, 4))
    text = "circle-class:class-weights=" + "/".join(map(repr, directions.ravel().tolist()))
    assert (
        lossctl.compute("circle-class", X, LABELS, class_weights=directions).value
        == lossctl.compute(text, X, LABELS).value
    )


def test_the_distance_of_a_set_is_that_of_the_set():
    one = lossctl.compute("batch-hard", X, LABELS, distance="sqeuclidean", normalize=True)
    other = lossctl.compute("batch-hard", X, LABELS, distance="cosine")
    assert one.value - 1 == pytest.approx(2 * (other.value - 1), rel=1e-12)


@pytest.mark.parametrize(
    "loss, inputs, options, message",
    [
        ("mse", (A, A), {"distance": "cosine"}, "mse takes no distance"),
        ("mse", (A, A), {"normalize": True}, "mse takes no normalize"),
        ("mse", (A, A), {"gama": 1}, "no input or option 'gama'"),
        ("triplet", (A, P, N), {"normalize": True}, "triplet takes no normalize"),
        ("triplet", (A, P, N), {"distance": "chebyshev"}, "distance cannot be 'chebyshev'"),
        ("triplet", (A, P, N), {"marging": 1}, "Did you mean 'margin'"),
        ("triplet:margin=0.5", (A, P, N), {"margin": 0.7}, "given twice"),
        ("info-nce", (X, LABELS), {"distance": "euclidean"}, "made of cosines"),
        ("bce", (None, [0, 1]), {}, "input 1 of bce is None"),
    ],
)
def test_what_a_loss_does_not_take_is_refused(loss, inputs, options, message):
    for call in (lossctl.compute, lossctl.row_losses):
        with pytest.raises(UsageError, match=message):
            call(loss, *inputs, **options)


def test_truth_words_may_name_columns(tmp_path):
    table, named = tmp_path / "table.csv", tmp_path / "named.csv"
    table.write_text("False,True\n0.25,0.75\n0.5,0.5\n")
    assert lossctl.compute("mse", f"{table}::1", f"{table}::2").value == 0.125
    named.write_text("id,true,pred\n7,1,0.5\n8,0,0.5\n")
    found = lossctl.compute("bce", f"{named}::pred", label=f"{named}::true")
    assert found.value == pytest.approx(np.log(2), rel=1e-15) and found.n == 2
    table.write_text("False,True\nTrue,True\n")
    assert lossctl.compute("mse", f"{table}::1", f"{table}::2").value == 0.5


@pytest.mark.parametrize("head", ["p,y\n", ""])
def test_truth_values_of_a_csv_are_one_and_zero(tmp_path, head):
    words, digits = tmp_path / "words.csv", tmp_path / "digits.csv"
    words.write_text(head + "0.2,False\n0.9,True\n0.7,true\n0.4,FALSE\n")
    digits.write_text(head + "0.2,0\n0.9,1\n0.7,1\n0.4,0\n")
    assert lossctl.compute("bce", words).value == lossctl.compute("bce", digits).value


@pytest.mark.parametrize(
    "loss, inputs, said",
    [
        ("bce", ([3.0, -2.0], [0, 1]), "add from_logits=True"),
        ("mse", ([np.nan, 1.0], [0.0, 1.0]), "skip_nan=True"),
        ("bce", ("samples.csv",), 'label="samples.csv::x"'),
        ("mse", (), "pred=... target=..."),
    ],
)
def test_faults_of_a_call_speak_of_arguments(tmp_path, monkeypatch, loss, inputs, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples.csv").write_text("prob,x,z\n0.2,1,2\n0.5,1,2\n")
    with pytest.raises(LossctlError) as fault:
        lossctl.compute(loss, *inputs)
    assert said in str(fault.value) and "--" not in str(fault.value)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"marign": 1}, "triplets has no argument 'marign'. Did you mean 'margin'"),
        ({"margin": "a"}, "margin cannot be 'a'"),
        ({"margin": None}, "margin cannot be None"),
        ({"batch": "3,2"}, "batch cannot be '3,2'"),
        ({"jobs": 0}, "jobs cannot be 0"),
    ],
)
def test_what_triplets_does_not_take_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        lossctl.triplets(X, LABELS, **options)
    with pytest.raises(UsageError, match="input 2 of triplets is None"):
        lossctl.triplets(X, None)


def test_margins_of_any_kind():
    expected = [at.categories for at in lossctl.triplets(X, LABELS, margin=[0.2, 1]).breakdown.margins]
    assert [
        at.categories for at in lossctl.triplets(X, LABELS, margin=np.array([0.2, 1])).breakdown.margins
    ] == expected
    assert lossctl.triplets(X, LABELS, margin=np.float32(1)).breakdown.margins[0].categories == expected[1]


def test_the_loss_comes_first():
    with pytest.raises(UsageError, match="the loss is an object of type ndarray"):
        lossctl.compute(A, P)


def test_objects_are_read_as_what_they_are():
    words = np.array(["a", "b", "c", "d"], object)[LABELS]
    assert lossctl.compute("batch-all", X, words).value == lossctl.compute("batch-all", X, LABELS).value
    assert lossctl.compute("mse", A.astype(object), P).value == lossctl.compute("mse", A, P).value


def test_masked_values_are_missing():
    masked = np.ma.masked_array(A[:, 0], A[:, 0] > 0.5)
    with pytest.raises(LossctlError, match="nan"):
        lossctl.compute("mse", masked, P[:, 0])
    kept = ~masked.mask
    found = lossctl.compute("mse", masked, P[:, 0], skip_nan=True)
    assert (found.value, found.n) == (lossctl.compute("mse", A[kept, 0], P[kept, 0]).value, kept.sum())
    assert lossctl.compute("mse", np.ma.masked_array(A[:, 0]), P[:, 0]).n == 7


def test_rows_with_nan_are_left_out_of_triplets_too():
    x = np.concatenate([X, np.full((1, 4), np.nan)])
    labels = np.append(LABELS, 0)
    found = lossctl.triplets(x, labels, skip_nan=True)
    assert found.left_out == 1
    assert found.breakdown.margins == lossctl.triplets(X, LABELS).breakdown.margins


def test_class_weights_from_a_file(tmp_path):
    weights = np.random.default_rng(2).standard_normal((4, 4))
    np.save(tmp_path / "w.npy", weights)
    expected = lossctl.compute("circle-class", X, LABELS, class_weights=weights).value
    for given in (str(tmp_path / "w.npy"), weights.tolist()):
        assert lossctl.compute("circle-class", X, LABELS, class_weights=given).value == expected


def test_names_of_files_in_a_list_are_no_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "plain"):
        Path(name).write_text("label\n0\n1\n")
    for names in (("a.csv", "a.csv"), ["a.csv::label"], ("none.parquet",), ["plain"]):
        for call in (
            lambda names: lossctl.compute("gini", names),
            lambda names: lossctl.row_losses("mse", names, names),
        ):
            with pytest.raises(UsageError, match="names of files"):
                call(names)
        with pytest.raises(UsageError, match="names of files"):
            lossctl.compare(names, "a.csv", target="a.csv::label", loss="mse")
    assert lossctl.compute("gini", np.array(["a.csv", "b.csv"])).value == 0.5
    assert lossctl.compute("gini", ["yes", "no", "a.csv"]).n == 3
    assert lossctl.compute("gini", tuple(map(Path, ("a.csv", "a.csv")))).n == 4
    base = tuple(map(Path, ("a.csv", "a.csv")))
    assert lossctl.compare(base, base, target=np.array([0, 1, 0, 1]), loss="mse")[0].n == 4


def test_text_in_columns_of_one_hot_labels_is_named(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,1\nb,0\n")
    with pytest.raises(DataError, match="'a' is text in one of 2 columns"):
        lossctl.compute("gini", str(path), header="no")


def test_an_argument_of_another_type_is_refused_by_its_name():
    calls = {
        "compute": ("bce", [0.9, 0.2], [1, 0]), "row_losses": ("bce", [0.9, 0.2], [1, 0]), "triplets": (X, LABELS),
        "mine": ("all", X, LABELS), "compare": ([0.9, 0.2], [0.8, 0.2]), "run": ("s.yaml",), "parts": ("bce", "p.npy"),
    }  # fmt: skip
    needed = {"compare": {"target": [1, 0], "loss": "bce"}}
    tried = 0
    for name, inputs in calls.items():
        function = getattr(lossctl, name)
        items = inspect.signature(lossctl.compute if name == "parts" else function).parameters.values()
        for item in (item for item in items if item.kind is item.KEYWORD_ONLY):
            for value in (object(), 1j, b"x", {1}):
                with pytest.raises(UsageError, match=rf"{item.name} (cannot be|with parts)") as fault:
                    function(*inputs, **{**needed.get(name, {}), item.name: value})
                assert fault.value.fix and "--" not in str(fault.value), item.name
                tried += 1
    assert tried > 500


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: lossctl.compare([0.9], [0.8], target=[1], loss="bce", keep=3), ["compare has no argument 'keep'"]),
        (lambda: lossctl.compare([0.9], [0.8], loss="bce"), ["'target'", "lossctl.compare(base, *others, target=..."]),
        (lambda: lossctl.run("s.yaml", job=2), ["run has no argument 'job'. Did you mean 'jobs'?"]),
        (lambda: lossctl.merge(), ["lossctl.merge(parts)"]),
        (lambda: lossctl.explain(5), ["loss cannot be 5"]),
        (lambda: lossctl.run(5), ["path cannot be 5"]),
        (lambda: lossctl.compute("bce", [0.9], [1], jobs=float("inf")), ["jobs cannot be inf", "a whole number"]),
    ],
)
def test_calls_that_do_not_fit_their_signature(call, words):
    with pytest.raises(UsageError) as fault:
        call()
    assert all(word in str(fault.value) for word in words), fault.value


def test_classes_may_be_an_array_as_libraries_have_them():
    chances = [[0.7, 0.3], [0.4, 0.6]]
    value = lossctl.compute("ce", chances, ["ham", "spam"], classes=np.array(["ham", "spam"])).value
    assert value == pytest.approx(-np.log([0.7, 0.6]).mean(), rel=1e-12)
    assert lossctl.compute("ce", chances, [5, 9], classes=np.array([5, 9])).value == value


def test_a_call_is_what_its_own_words_say_whatever_came_before():
    p, y = np.array([0.2, 0.7, 0.4]), np.array([0, 1, 1])
    for zero in (0.0, -0.0, 0):
        gamma = lossctl.compute("focal", p, y, gamma=zero, scale=1).params[0][1]
        assert str(gamma) == str(float(zero))
    assert lossctl.compute("focal", 1 - p, 1 - y).value == pytest.approx(lossctl.compute("focal", p, y).value)
    for _ in range(2):
        with pytest.raises(UsageError, match="skip_nan cannot be 1"):
            lossctl.compute("focal", p, y, skip_nan=1)
        with pytest.raises(UsageError, match="focal takes no distance"):
            lossctl.compute("focal", p, y, distance="cosine")
