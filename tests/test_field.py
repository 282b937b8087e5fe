"""Numbers as people have them: names as labels, one-hot rows, arrays of many axes, ids, percents; and their fix lines.

Truths are closed forms of the few numbers in each test.
"""

import re
import shlex
from datetime import UTC, datetime, timedelta, timezone
from math import exp, inf, log

import numpy as np
import pytest

import lossctl
from lossctl.cli.app import run
from lossctl.errors import DataError, UsageError
from lossctl.language import registry

BCE = -(log(0.9) + log(0.8) + log(0.6)) / 3  # of chances 0.9, 0.2, 0.6 beside labels 1, 0, 1
P_OF_3, Y_OF_3 = np.array([0.9, 0.2, 0.6]), np.array([1, 0, 1])
LOGS = np.log([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.3, 0.4, 0.3]])


def csv(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def value(*arguments, **keywords):
    return lossctl.compute(*arguments, **keywords).value


# --- labels


@pytest.mark.parametrize(
    ("no", "yes", "keywords"),
    [
        ("no", "yes", {}),
        ("false", "true", {}),
        ("N", "Y", {}),
        ("negative", "positive", {}),
        ("0", "255", {}),
        ("1", "2", {}),
        ("-1", "1", {}),
        ("real", "fake", {"positive": "fake"}),
        ("benign", "malignant", {"classes": "benign,malignant"}),
        ("3", "7", {"positive": "7"}),
        ("churned ", " stayed", {"positive": "stayed"}),
    ],
)
def test_two_labels_of_any_name(tmp_path, no, yes, keywords):
    path = csv(tmp_path, f"chance,outcome\n0.9,{yes}\n0.2,{no}\n0.6,{yes}\n")
    got = value("bce", f"{path}::chance", "outcome", **keywords)
    assert got == pytest.approx(BCE, rel=1e-15)
    labels = np.array([yes, no, yes])
    if not (no + yes).strip("-").isdigit():
        assert value("bce", np.array([0.9, 0.2, 0.6]), labels, **keywords) == got


@pytest.mark.parametrize("names", [("cat", "dog"), ("spam", "ham"), ("b", "a")])
def test_names_that_do_not_say_yes_are_asked_about(tmp_path, names):
    path = csv(tmp_path, f"prob,label\n0.9,{names[0]}\n0.2,{names[1]}\n0.6,{names[0]}\n")
    with pytest.raises(DataError) as fault:
        lossctl.compute("bce", path)
    for name in names:
        assert f'positive="{name}"' in fault.value.fix or f"positive {name}" in fault.value.fix


@pytest.mark.parametrize(
    "header",
    [
        "dog,cat,fox,label",
        "p_dog,p_cat,p_fox,label",
        "Probability:Class=dog,Probability:Class=cat,Probability:Class=fox,Label",
    ],
)
def test_columns_called_after_classes(tmp_path, header):
    path = csv(tmp_path, header + "\n0.7,0.2,0.1,dog\n0.1,0.3,0.6,fox\n0.3,0.4,0.3,cat\n")
    got = lossctl.compute("cross-entropy", path)
    assert got.value == pytest.approx(-(log(0.7) + log(0.6) + log(0.4)) / 3, rel=1e-15)
    assert "dog,cat,fox" in got.signature and any("dog, cat, fox" in note for note in got.notes)


def test_names_beside_columns_without_names_are_asked_about_and_told_by_classes(tmp_path):
    chances = np.exp(LOGS)
    labels = np.array(["dog", "fox", "cat"])
    with pytest.raises(DataError, match="which column is which class"):
        lossctl.compute("cross-entropy", chances, labels)
    expected = -(log(0.7) + log(0.6) + log(0.4)) / 3
    assert value("cross-entropy", chances, labels, classes="dog,cat,fox") == pytest.approx(expected)
    assert value("cross-entropy", chances, labels, classes=["dog", "cat", "fox"]) == pytest.approx(expected)
    path = tmp_path / "scored.npz"
    np.savez(path, prob=chances, label=labels, classes=np.array(["dog", "cat", "fox"]))
    assert value("cross-entropy", str(path)) == pytest.approx(expected)


def test_labels_from_1(tmp_path):
    text = "p1,p2,p3,label\n0.7,0.2,0.1,1\n0.1,0.8,0.1,2\n"
    path = csv(tmp_path, text)
    with pytest.raises(DataError, match="start at 1"):
        lossctl.compute("cross-entropy", path)
    assert value("cross-entropy", path, classes="1,2,3") == pytest.approx(-(log(0.7) + log(0.8)) / 2)
    assert value("cross-entropy", path, classes="0,1,2") == pytest.approx(-(log(0.2) + log(0.1)) / 2)
    chances, right = np.exp(LOGS), -(LOGS[0, 0] + LOGS[1, 1] + LOGS[2, 0]) / 3
    for ask in (lossctl.compute, lossctl.row_losses):
        with pytest.raises(DataError, match='classes="1,2,3" if label 1 is the first'):
            ask("cross-entropy", chances, np.array([1, 2, 1]))
    for order, asked in (("1,2,3", right), ("1..3", right), ("0..2", -(LOGS[0, 1] + LOGS[1, 2] + LOGS[2, 1]) / 3)):
        assert value("cross-entropy", chances, np.array([1, 2, 1]), classes=order) == pytest.approx(asked)
    assert lossctl.compute("cross-entropy", chances, np.array([1, 1, 1])).warnings
    groups = lossctl.compute("cross-entropy", chances, np.array([0, 1, 2]), group=np.array([1, 2, 2]))
    assert not any(result.warnings for result in groups.groups.values())
    assert not lossctl.compute("cross-entropy", chances, np.array([1, 2, 1]), ignore_index=0).warnings
    for labels, more in (([1, 2, -100], {"ignore_index": -100}), ([1, 1, 1], {}), ([2, 1, 1], {"ignore_index": 9})):
        assert lossctl.compute("cross-entropy", chances, np.array(labels), **more).warnings
    assert lossctl.compute("cross-entropy", np.full((2, 9), 1 / 9), np.array([1, 5])).warnings  # tokens of a vocabulary


@pytest.mark.parametrize("missing", ["NA", "nan", "None", ""])
def test_a_missing_label_is_no_class(tmp_path, missing):
    path = csv(tmp_path, f"emb0,label\n0,a\n1,a\n2,b\n3,b\n9,{missing}\n8,{missing}\n")
    with pytest.raises(DataError, match="is not a label"):
        lossctl.compute("batch-hard", path)
    expected = value("batch-hard", np.arange(4.0)[:, None], np.array(list("aabb")))
    assert value("batch-hard", path, na="skip") == expected
    labels = np.array(["a", "a", "b", "b", missing, missing])
    points = np.array([[0.0], [1], [2], [3], [9], [8]])
    assert value("batch-hard", points, labels, na="skip") == expected


def test_the_door_says_what_it_decided(tmp_path):
    got = lossctl.compute("bce", np.array([0.9, 0.2]), np.array(["yes", "no"]))
    assert "labels:yes=1" in got.signature and "yes read as 1" in " ".join(got.notes)


# --- one-hot


@pytest.mark.parametrize("dtype", [int, float, bool])
@pytest.mark.parametrize("loss", ["focal:gamma=0", "log-loss", "focal:gamma=2"])
def test_one_hot_rows_beside_distributions_are_classes(loss, dtype):
    chances, index = np.exp(LOGS), np.array([0, 2, 1])
    hot = np.eye(3)[index].astype(dtype)
    got = lossctl.compute(loss, chances, hot)
    assert got.value == value(loss, chances, index)
    assert "one-hot" in got.signature
    several = value(loss, chances, hot, multi_label=True)
    assert several == pytest.approx(
        np.mean([value(loss, chances[:, k], hot[:, k].astype(int)) for k in range(3)]), rel=1e-14
    )
    assert several != got.value
    assert value(loss, LOGS, hot, from_logits=True, multi_class=True) == pytest.approx(got.value)


def test_rows_that_are_not_all_one_hot_are_several_labels():
    chances, labels = np.exp(LOGS), np.array([[1, 0, 0], [0, 1, 1], [0, 1, 0]])
    assert value("focal:gamma=0", chances, labels) == pytest.approx(value("bce", chances, labels))


@pytest.mark.parametrize("loss", ["semi-hard", "batch-hard", "supcon"])
def test_one_hot_classes_of_a_set(loss):
    points = np.random.default_rng(0).normal(size=(8, 3))
    index = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    assert value(loss, points, np.eye(3)[index]) == value(loss, points, index)
    assert value(loss, points, np.eye(3, dtype=bool)[index]) == value(loss, points, index)
    with pytest.raises(DataError, match="2 entries"):
        lossctl.compute(loss, points, np.eye(3)[index] + np.eye(3)[index[::-1]] > 0)


def test_one_hot_of_multiclass_hinge():
    index = np.array([0, 2, 1])
    assert value("multiclass-hinge", LOGS, np.eye(3)[index]) == value("multiclass-hinge", LOGS, index)


# --- shapes


def test_sequences_and_images(tmp_path):
    generator = np.random.default_rng(1)
    logits, labels = generator.normal(size=(2, 4, 5, 3)), generator.integers(0, 3, (2, 4, 5))
    labels[0, 0, 0] = -100
    flat = value("cross-entropy:ignore-index=-100", logits.reshape(-1, 3), labels.ravel(), from_logits=True)
    assert value("cross-entropy:ignore-index=-100", logits, labels, from_logits=True) == flat
    first = np.moveaxis(logits, -1, 1)
    assert value("cross-entropy:ignore-index=-100", first, labels, from_logits=True) == flat
    np.save(tmp_path / "x.npy", first)
    np.save(tmp_path / "y.npy", labels)
    files = str(tmp_path / "x.npy"), str(tmp_path / "y.npy")
    told = {"from_logits": True, "ignore_index": -100, "class_axis": 1}
    assert value("cross-entropy", *files, **told) == flat
    with pytest.raises(UsageError, match="class_axis=2"):
        lossctl.compute("cross-entropy", *files, **{**told, "class_axis": 2})


def test_classes_of_images_are_for_losses_of_classes():
    """One region a loss, or the mean over the regions of the classes: the first names the second."""
    generator = np.random.default_rng(2)
    logits, mask = generator.normal(size=(2, 3, 4, 5)), generator.integers(0, 3, (2, 4, 5))
    for loss in ("dice", "jaccard", "tversky"):
        rows = np.moveaxis(logits, 1, -1).reshape(-1, 3), mask.ravel()
        for inputs in ((logits, mask), rows):
            with pytest.raises(DataError) as error:
                lossctl.compute(loss, *inputs, from_logits=True)
            assert f"use multiclass-{loss}" in str(error.value.fix)
        of_images = value(f"multiclass-{loss}", logits, mask, from_logits=True)
        assert of_images == value(f"multiclass-{loss}", *rows, from_logits=True)


def test_numbers_of_classes_that_do_not_fit_are_refused():
    scores, labels = np.zeros((3, 2)), np.eye(3)[:, :2]
    for loss, inputs, options, what in (
        ("distribution-balanced", (scores, labels), {"class_counts": (3.0,)}, "has 1 numbers for 2 columns"),
        ("distribution-balanced", (scores, labels), {"class_counts": (3.0, -1.0)}, "cannot be"),
        ("distribution-balanced", (scores, labels), {"count": 1}, "count cannot be 1"),
        ("wasserstein-dice", (scores + 0.5, [0, 1, 1]), {"class_distances": (0.0, -1.0, -1.0, 0.0)}, "cannot be"),
        ("wasserstein-dice", (scores + 0.5, [0, 1, 1]), {"class_distances": (0.0, 1.0)}, 'class_distances="0/1/1/0"'),
    ):
        with pytest.raises(UsageError, match=what):
            lossctl.compute(loss, *inputs, **options)


def test_an_axis_that_could_be_two_is_asked_about():
    logits, labels = np.zeros((2, 3, 3)), np.zeros((2, 3), int)
    with pytest.raises(DataError, match="several axes"):
        lossctl.compute("cross-entropy", logits, labels, from_logits=True)
    for axis in (1, 2, -1):
        assert value("cross-entropy", logits, labels, from_logits=True, class_axis=axis) == pytest.approx(log(3))


def test_padded_sequences_are_read_as_torch_and_keras_have_them(tmp_path):
    """Lengths, symbols padded or one after another, either order of axes, and those that no frames can hold."""
    torch = pytest.importorskip("torch")
    frames = torch.from_numpy(np.random.default_rng(5).normal(size=(9, 5, 4))).log_softmax(2)
    padded = np.array([[1, 2, 2], [3, 0, 0], [1, 1, 1], [2, 3, 1], [0, 0, 0]])
    sizes, counts = np.array([9, 4, 3, 1, 5]), np.array([3, 1, 3, 3, 0])
    joined = np.concatenate([row[:count] for row, count in zip(padded, counts, strict=True)])
    lengths = [torch.from_numpy(part) for part in (sizes, counts)]

    def torch_ctc(**choice):
        return torch.nn.functional.ctc_loss(frames, torch.from_numpy(joined), *lengths, **choice).numpy()

    garbage = np.where(np.arange(3) < counts[:, None], padded, 99)
    ways = {
        "padded with blanks": (frames, padded, None),
        "padded with -100": (frames, np.where(padded == 0, -100, padded), None),
        "padded with anything": (frames, garbage, counts),
        "one after another": (frames, joined, counts),
        "sequences first": (frames.transpose(0, 1).float(), padded, None),
    }
    truth = torch_ctc(reduction="none")
    assert list(np.isinf(truth)) == [False, False, True, True, False]
    for name, (cube, symbols, known) in ways.items():
        values = lossctl.row_losses("ctc", cube, symbols, frame_lengths=sizes, symbol_lengths=known)
        np.testing.assert_allclose(values, truth, rtol=1e-6 if "first" in name else 1e-12, err_msg=name)
    np.savez(tmp_path / "s.npz", x=frames.numpy(), y=padded, t=sizes, n=counts)
    source = str(tmp_path / "s.npz")
    asked = {"frame_lengths": "t", "symbol_lengths": "n", "like": "torch/zero-infinity"}
    result = lossctl.compute("ctc", f"{source}::x", "y", **asked)
    assert result.value == pytest.approx(float(torch_ctc(zero_infinity=True)), rel=1e-12)
    assert "2 of 5 sequences have too few frames" in result.warnings[0]


def test_what_is_wrong_with_sequences_is_told_by_their_number():
    frames, symbols = np.zeros((6, 2, 3)), np.array([[1, 2], [2, 0]])
    for words, inputs, lengths in (
        ("sequence 1 has 7 frames", (frames, symbols), {"frame_lengths": [6, 7]}),
        ("3 lengths for 2", (frames, symbols), {"frame_lengths": [6, 6], "symbol_lengths": [1, 1, 1]}),
        ("add up to 4", (frames, [1, 2, 1]), {"symbol_lengths": [2, 2]}),
        ("whole numbers", (frames, symbols), {"frame_lengths": [6, 2.5]}),
        ("sequence 1 holds the blank", (frames, symbols), {"symbol_lengths": [2, 2]}),
        ("sequence 1: symbol 1, 3,", (frames, [[1, 2], [3, 0]]), {}),
        ("neither of its first axes", (frames, [[1, 2]] * 3), {}),
        (
            "sequence 0, frame 5: a value is nan",
            (np.where(np.arange(6)[:, None, None] < 5, 0.0, np.nan) + frames, symbols),
            {},
        ),
    ):
        with pytest.raises(DataError, match=words):
            lossctl.compute("ctc", *inputs, **lengths)


def test_times_in_memory_are_names_of_groups():
    """As in a Parquet file: days alone at midnight, zones in UTC."""
    times = np.array(["2024-01-31", "2024-02-01T10:30", "2024-01-31"], "M8[ns]")
    days = [moment.date() for moment in times.astype("M8[us]").tolist()]
    zoned = [datetime(2024, 1, 31, 1, tzinfo=timezone(timedelta(hours=1))), *[datetime(2024, 2, 1, tzinfo=UTC)] * 2]
    for group, names in (
        (times, {"2024-01-31": 2, "2024-02-01 10:30:00": 1}),
        (days, {"2024-01-31": 2, "2024-02-01": 1}),
        (zoned, {"2024-01-31Z": 1, "2024-02-01Z": 2}),
    ):
        groups = lossctl.compute("bce", P_OF_3, Y_OF_3, group=group).groups
        assert {name: result.n for name, result in groups.items()} == names


def test_masks_of_class_numbers_stand_on_both_sides():
    """As (n, h, w), one image, one column: the mean over the classes of what sets of pixels share; also by pixel."""
    ours, theirs = np.random.default_rng(0).integers(0, 4, (2, 3, 4, 5))
    theirs[theirs == 3] = 2  # a class that is only predicted
    pixels = np.arange(60).reshape(3, 4, 5)

    def jaccard(chosen):
        classes = [
            (set(pixels[chosen & (ours == k)]), set(pixels[chosen & (theirs == k)])) for k in np.unique(theirs[chosen])
        ]
        return 1 - sum(len(a & b) / len(a | b) for a, b in classes) / len(classes)

    everywhere, half, marked = ours >= 0, pixels % 2 == 0, np.where(pixels % 2 == 0, theirs, 255)
    assert value("multiclass-jaccard", ours, theirs) == pytest.approx(jaccard(everywhere), rel=1e-12)
    assert value("multiclass-jaccard", ours.ravel(), theirs.ravel()) == value("multiclass-jaccard", ours, theirs)
    assert value("multiclass-jaccard", ours[0], theirs[0]) == pytest.approx(jaccard(pixels < 20), rel=1e-12)
    assert value("multiclass-jaccard", ours, marked, ignore_index=255) == pytest.approx(jaccard(half), rel=1e-12)
    assert value("multiclass-jaccard", ours, theirs, weight=half * 1.0) == pytest.approx(jaccard(half), rel=1e-12)
    by_pixel = lossctl.compute("multiclass-jaccard", ours, theirs, group=half)
    assert {name: item.value for name, item in by_pixel.groups.items()} == pytest.approx(
        {"0": jaccard(~half), "1": jaccard(half)}, rel=1e-12
    )
    assert value("lovasz-softmax", ours, theirs) == pytest.approx(jaccard(everywhere), rel=1e-12)
    for loss in ("dice", "jaccard", "tversky"):
        with pytest.raises(DataError) as fault:
            lossctl.compute(loss, ours, theirs)
        assert f"multiclass-{loss}" in fault.value.fix


@pytest.mark.slow
def test_a_mark_leaves_rows_out_of_every_loss_of_labels():
    """With --ignore-index as without those rows, whatever the labels are; without it the fix names it."""
    generator = np.random.default_rng(0)
    scores, classes = generator.normal(size=(30, 4)), generator.integers(0, 4, 30)
    chances, marked = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), np.arange(30) % 3 == 1
    known = ~marked
    inputs = {  # by the first role: what is read beside labels 0 and 1, and beside classes
        "prob": (chances[:, 0], None), "chance": (chances[:, 0], chances), "logit": (scores[:, 0], None),
        "score": (scores[:, 0], None), "probs": (None, chances), "scores": (None, scores), "emb": (None, scores),
    }  # fmt: skip
    own = {"wasserstein-dice": {"class_distances": "0/1/1/1/1/0/1/1/1/1/0/1/1/1/1/0"}}
    tried = set()
    for loss in registry.walk():
        if not registry.make(loss).can_ignore or loss.name == "jsd-ce":  # which has four inputs
            continue
        more = dict(own.get(loss.name, {}))
        if loss.has_class_weights:
            more["class_weights"] = np.repeat(scores[:4] + np.eye(4), registry.make(loss).centers, axis=0)
        for prediction, labels in zip(inputs[loss.roles[0].name], (classes % 2, classes), strict=True):
            if prediction is None:
                continue
            truth = value(loss.name, prediction[known], labels[known], **more)
            with_mark = np.where(marked, 255, labels)
            assert value(loss.name, prediction, with_mark, ignore_index=255, **more) == truth, loss.name
            with pytest.raises(DataError) as fault:
                value(loss.name, prediction, with_mark, **more)
            assert "ignore" in fault.value.fix, loss.name
            tried.add(loss.name)
    assert {"bce", "focal", "poly1", "brier", "generalized-ce", "symmetric-ce", "arcface", "lovasz-softmax"} <= tried


def test_the_next_token():
    generator = np.random.default_rng(2)
    logits, tokens = generator.normal(size=(3, 6, 4)), generator.integers(0, 4, (3, 6))
    expected = value("cross-entropy", logits[:, :-1].reshape(-1, 4), tokens[:, 1:].ravel(), from_logits=True)
    assert value("cross-entropy", logits, tokens, from_logits=True, shift=True) == expected


def test_views_of_one_thing():
    views, labels = np.random.default_rng(3).normal(size=(5, 2, 4)), np.array([0, 0, 1, 1, 2])
    assert value("supcon", views, labels) == value("supcon", views.reshape(10, 4), np.repeat(labels, 2))


def test_an_array_of_many_axes_is_never_flattened_unasked():
    with pytest.raises(DataError, match="shape"):
        lossctl.compute("supcon", np.zeros((4, 2, 3, 2)), np.arange(4))
    with pytest.raises(DataError, match="shape"):
        lossctl.compute("mse", np.zeros((4, 2, 3)), np.zeros((4, 3, 2)))
    assert value("mse", np.ones((4, 2, 3)), np.zeros((4, 2, 3))) == 1


def test_two_columns_of_a_binary_loss():
    chances, labels = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]]), np.array([1, 0, 1])
    assert value("bce", chances, labels) == pytest.approx(BCE)
    with pytest.raises(DataError, match="do not sum to 1"):
        lossctl.compute("bce", chances * 0.9, labels)


@pytest.mark.parametrize("loss", ["list-mle", "listnet", "ranknet"])
def test_matrices_of_lists_and_padding(tmp_path, loss):
    score, grade = np.array([[1.5, 0.3, 0.0], [2.0, 1.0, 0.5]]), np.array([[2, 1, -1], [0, 1, 2]])
    keep = grade.ravel() >= 0
    group = np.repeat([0, 1], 3)[keep]
    expected = value(loss, score.ravel()[keep], grade.ravel()[keep], group)
    got = lossctl.compute(loss, score, grade)
    assert got.value == expected and "padding" in " ".join(got.warnings)
    np.savez(tmp_path / "lists.npz", score=score, relevance=grade)
    assert value(loss, str(tmp_path / "lists.npz")) == expected


# --- columns and ids


@pytest.mark.parametrize("chance", ["y_proba", "pred_proba", "probability_of_1", "y_score", "score"])
def test_decisions_are_no_probabilities(tmp_path, chance):
    path = csv(tmp_path, f"y_true,y_pred,{chance}\n1,1,0.9\n0,0,0.2\n1,0,0.6\n")
    assert value("bce", path) == pytest.approx(BCE)


def test_a_column_of_logits_is_preferred_where_logits_are_said(tmp_path):
    path = csv(tmp_path, "label,pred,prob,out_logit\n1,1,0.9,0\n0,0,0.2,0\n")
    assert value("bce", path, from_logits=True) == pytest.approx(log(2))


@pytest.mark.parametrize("decision, beside", [("pred", "confidence"), ("Prediction", "conf"), ("output", "certainty")])
def test_decisions_beside_what_may_have_made_them_are_asked_about(tmp_path, decision, beside):
    path = csv(tmp_path, f"label,{decision},{beside},age\n1,1,0.9,33\n0,0,0.8,21\n1,1,0.6,5\n")
    with pytest.raises(
        DataError, match=f'prob="{path}::{beside}" if it is of label 1; .* 1 - {beside} where {decision}'
    ):
        lossctl.compute("bce", path)
    table = {"p": np.array([0.9, 1 - 0.8, 0.6]), "label": np.array([1, 0, 1])}
    assert value("bce", table) == pytest.approx(-(log(0.9) + log(0.8) + log(0.6)) / 3)
    assert lossctl.compute("bce", csv(tmp_path, "label,pred,age\n1,1,33\n0,0,21\n", "few.csv")).warnings
    with pytest.raises(DataError, match="decisions are no score"):
        lossctl.compute("hinge", csv(tmp_path, "label,pred,margin\n1,1,3.3\n0,0,-2.1\n", "margin.csv"))


def test_what_libraries_call_their_columns(tmp_path):
    """scikit-learn's y_test beside y_pred; log-probabilities of trl and of its older versions, in any order."""
    assert value("bce", csv(tmp_path, "proba_0,proba_1,y_pred,y_test\n0.1,0.9,0,1\n0.8,0.2,0,0\n0.4,0.6,1,1\n")) == BCE
    own = csv(tmp_path, "proba_1,y_pred,outcome\n0.9,0,1\n0.2,0,0\n0.6,1,1\n", "own.csv")
    with pytest.raises(DataError, match=r"which is the label") as caught:
        lossctl.compute("bce", own)
    assert f'label="{own}::outcome"' in caught.value.fix and "::y_pred" not in caught.value.fix
    names = (
        "ref_rejected_logps,policy_chosen_logps,ref_chosen_logps,policy_rejected_logps",
        "reference_rejected_logps,chosen_logps,reference_chosen_logps,rejected_logps",
        "ref_logps/rejected,logps/chosen,ref_logps/chosen,logps/rejected",
    )
    for head in names:  # (-1 + 3) - (-4 + 6) + 1 = d
        path = csv(tmp_path, f"{head}\n-6,-1,-3,-5\n", "logs.csv")
        assert value("dpo", path, beta=1) == pytest.approx(log(1 + exp(-1)))
    strange = csv(tmp_path, "prompt,ours_rejected_lp,ours_chosen_lp\n7,-2,-1\n", "strange.csv")
    with pytest.raises(DataError) as caught:
        lossctl.compute("cpo", strange)
    assert re.search(r'chosen="\S+::ours_chosen_lp" or .*rejected="\S+::ours_rejected_lp"', caught.value.fix)


def test_decisions_alone_are_warned_about(tmp_path):
    path = csv(tmp_path, "y_true,y_pred\n1,1\n0,0\n")
    assert "decisions" in " ".join(lossctl.compute("bce", path).warnings)


@pytest.mark.parametrize("name", ["id", "row_id", "uuid", "index"])
def test_ids_that_disagree(tmp_path, name):
    pred = csv(tmp_path, f"{name},prob\na,0.9\nb,0.2\nc,0.6\n", "pred.csv")
    truth = csv(tmp_path, f"{name},label\nc,1\nb,0\na,1\n", "truth.csv")
    with pytest.raises(DataError, match=r"disagree.*pred\.csv:2 has a, .*truth\.csv:2 has c"):
        lossctl.compute("bce", pred, truth)
    assert value("bce", pred, truth, align=f"id::{name}") == pytest.approx(BCE)
    same = csv(tmp_path, f"{name},label\na,1\nb,0\nc,1\n", "same.csv")
    assert value("bce", pred, same) == pytest.approx(BCE)


def test_rows_of_ids_that_repeat_are_held_to_their_times(tmp_path):
    days = [f"{name},2024-01-0{day}" for name in "ab" for day in (1, 2)]
    truth = csv(tmp_path, "unique_id,ds,y\n" + "".join(f"{k},{v}\n" for k, v in zip(days, (1, 2, 5, 9), strict=True)))
    forecast = dict(zip(days, (1.5, 2.0, 5.0, 8.0), strict=True))
    orders = {(0, 1, 2, 3): "", (1, 0, 2, 3): "has 2024-01-02", (2, 3, 0, 1): "has b", (0, 2, 1, 3): "has b"}
    for order, told in orders.items():
        rows = [f"{days[row]},{forecast[days[row]]}\n" for row in order]
        for head, cut, key in (("unique_id,ds", 0, "unique_id, ds"), ("ds", 2, "ds")):
            path = csv(tmp_path, f"{head},pred\n" + "".join(row[cut:] for row in rows), "forecast.csv")
            if order == (2, 3, 0, 1) and cut:
                continue  # days alone cannot tell two series apart
            if not told:
                assert value("mae", path, truth) == (0.5 + 1) / 4, head
                continue
            with pytest.raises(DataError, match="disagree") as fault:
                lossctl.compute("mae", path, truth)
            assert fault.value.fix == f"write both in one order: sort them by {key}", (order, head)
            assert cut or told in fault.value.what, order


@pytest.mark.parametrize("name", ["series", "item_id"])
def test_rows_that_several_columns_name_together_stand_in_one_order(tmp_path, name):
    """Not called as ids or times are, and each of them repeats; columns that differ otherwise name nothing."""
    keys = [(who, step) for who in "ab" for step in (0, 1)]
    truth = csv(tmp_path, f"{name},step,target\n" + "".join(f"{k},{t},{t}\n" for k, t in keys), "truth.csv")
    for order, is_right in {(0, 1, 2, 3): True, (1, 0, 2, 3): False, (2, 3, 0, 1): False}.items():
        rows = "".join("{},{},{},1\n".format(*keys[row], 1.5 * keys[row][1]) for row in order)
        path = csv(tmp_path, f"{name},step,pred,seed\n{rows}", "forecast.csv")
        if is_right:
            assert value("mae", path, truth) == 0.25
            continue
        with pytest.raises(DataError, match="disagree") as fault:
            lossctl.compute("mae", path, truth)
        assert fault.value.fix == f"write both in one order: sort them by {name}, step"


def test_ids_are_one_column_in_the_plural(tmp_path):
    np.savez(tmp_path / "pred.npz", prob=np.array([0.9, 0.2, 0.6]), ids=np.array(["a", "b", "c"]))
    pred, same = tmp_path / "pred.npz", csv(tmp_path, "id,label\na,1\nb,0\nc,1\n", "same.csv")
    assert value("bce", f"{pred}::prob", same) == pytest.approx(BCE)
    other = csv(tmp_path, "id,label\nc,1\nb,0\na,1\n", "other.csv")
    with pytest.raises(DataError, match=r"row 0 has a, .*:2 has c"):
        lossctl.compute("bce", f"{pred}::prob", other)


def test_a_row_without_a_group_is_in_none(tmp_path):
    pred = csv(tmp_path, "id,prob\na,0.9\nb,0.2\nc,0.6\n", "pred.csv")
    truth = csv(tmp_path, "id,label,kind\nc,1,x\nb,0,NA\na,1,y\n", "truth.csv")
    for sources in ((pred, truth), (truth, pred)):
        by_role = dict(zip(("prob", "label") if sources[0] == pred else ("label", "prob"), sources, strict=True))
        got = lossctl.compute("bce", **by_role, group=f"{truth}::kind", align="id", na="skip")
        assert list(got.groups) == ["x", "y"] and got.overall.n == 2


def test_balanced_weights_count_the_rows_that_count(tmp_path):
    chance, label = np.array([0.9, 0.2, 0.6, np.nan, np.nan]), np.array([1, 0, 1, 0, 0])
    got = value("focal:alpha=balanced", chance, label, na="skip")
    assert got == value("focal:alpha=balanced", chance[:3], label[:3])


def test_indexes_that_disagree():
    pandas = pytest.importorskip("pandas")
    chance, label = (pandas.Series(column, index=list("abc")) for column in (P_OF_3, Y_OF_3))
    assert value("bce", chance, label) == value("bce", chance, label.to_numpy()[:]) == pytest.approx(BCE)
    with pytest.raises(DataError, match="row 0 is a in the first, c"):
        lossctl.compute("bce", chance, label[::-1])
    turned, table = label[::-1], pandas.DataFrame({"prob": chance, "label": label})
    points, classes = pandas.DataFrame(np.eye(4), index=list("abcd")), pandas.Series([0, 0, 1, 1], index=list("bacd"))
    for call in (
        lambda: lossctl.compute("bce", prob=chance, label=turned),
        lambda: lossctl.row_losses("bce", chance, turned),
        lambda: lossctl.compute("bce", table, weight=turned),
        lambda: lossctl.compute("bce", table, group=turned),
        lambda: lossctl.compute("bce", table, cluster=turned, ci=0.9),
        lambda: lossctl.compare(chance, turned, target=label, loss="bce"),
        lambda: lossctl.compare(chance, chance, target=turned, loss="bce"),
        lambda: lossctl.compute("batch-hard", points, classes),
        lambda: lossctl.triplets(points, classes),
        lambda: lossctl.mine("batch-hard", points, classes),
    ):
        with pytest.raises(DataError, match="two indexes disagree"):
            call()


class OnADevice:
    """An array as cupy has it: numpy is refused, and .get() copies it to the host."""

    def __init__(self, values):
        self.values, self.shape, self.__cuda_array_interface__ = values, values.shape, {}

    def __array__(self, *args, **keywords):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def get(self):
        return self.values


def test_tables_and_arrays_of_other_libraries():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {"s": P_OF_3, "y": Y_OF_3, "w": [1.0, 2, 3], "g": ["u", "v", "u"]}
    weighted = value("bce", P_OF_3, Y_OF_3, weight=np.array([1.0, 2, 3]))
    for table in (pandas.DataFrame(columns), polars.DataFrame(columns), columns):
        assert value("bce", table, prob="s", label="y", weight="w") == weighted
        assert value("bce", table, prob="s", group="g") == pytest.approx(BCE)
        with pytest.raises(UsageError, match="no column and no file is called 'gg'"):
            lossctl.compute("bce", table, prob="s", group="gg")
    assert value("bce", OnADevice(P_OF_3), OnADevice(Y_OF_3), weight=OnADevice(np.array([1.0, 2, 3]))) == weighted
    assert value("bce", polars.Series(P_OF_3), polars.Series(["no", "yes"]).gather([1, 0, 1])) == pytest.approx(BCE)
    with pytest.raises(DataError, match="holds no values yet"):
        lossctl.compute("bce", polars.DataFrame(columns).lazy())
    points, label = [[1.0, 2], [3, 4], [1, 1], [0, 2]], [0, 0, 1, 1]
    expected = value("batch-hard", np.array(points), np.array(label))
    for table in (pandas.DataFrame, polars.DataFrame):
        assert value("batch-hard", table({"emb": points, "label": label})) == expected


def test_bare_names_of_columns(tmp_path):
    path = csv(tmp_path, "guess,yes,heavy\n0.9,1,1\n0.2,0,1\n0.6,1,1\n")
    assert value("bce", f"{path}::guess", label="yes", weight="heavy") == pytest.approx(BCE)


# --- values


def test_soft_labels():
    chance, label = np.array([0.9, 0.2]), np.array([0.8, 0.1])
    expected = -(0.8 * log(0.9) + 0.2 * log(0.1) + 0.1 * log(0.2) + 0.9 * log(0.8)) / 2
    assert value("bce", chance, label, soft=True) == pytest.approx(expected, rel=1e-15)
    several = value("bce", np.stack([chance, chance], 1), np.stack([label, label], 1), soft=True)
    assert several == pytest.approx(expected)
    with pytest.raises(DataError, match="neither 0 nor 1"):
        lossctl.compute("bce", chance, label)
    assert value("bce", np.array([1.0, 0.0]), np.array([1.0, 0.0]), soft=True) == 0


def test_masked_classes():
    logits = np.array([[-inf, 1.0, 2.0], [0.0, 1.0, -inf]])
    expected = (log(1 + exp(1)) + log(1 + exp(1))) / 2
    assert value("cross-entropy", logits, np.array([1, 0]), from_logits=True) == pytest.approx(expected)
    assert value("cross-entropy", logits, np.array([0, 0]), from_logits=True) == inf


def test_unknown_cells():
    chance, label = np.array([[0.9, 0.2], [0.1, 0.6]]), np.array([[1, -1], [0, 1]])
    expected = -(2 * log(0.9) + log(0.6)) / 3
    assert value("bce", chance, label) == pytest.approx(expected)
    assert value("bce", chance, np.where(label < 0, np.nan, label), na="skip") == pytest.approx(expected)


@pytest.mark.parametrize("unknown", [-1, np.nan])
def test_one_unknown_cell_far_down_leaves_one_cell_out(unknown, tmp_path):
    rows = 40_000
    generator = np.random.default_rng(8)
    chance, label = generator.random((rows, 3)), generator.integers(0, 2, (rows, 3)).astype(float)
    label[rows - 5, 1] = unknown
    known = np.arange(label.size) != 3 * (rows - 5) + 1
    told = {"na": "skip"} if np.isnan(unknown) else {}
    got = lossctl.compute("bce", chance, label, **told)
    assert got.n == label.size - 1
    assert got.value == value("bce", chance.ravel()[known], label.ravel()[known])
    weight, group = generator.random(rows), generator.integers(0, 4, rows)
    each = {"weight": np.repeat(weight, 3)[known], "group": np.repeat(group, 3)[known]}
    flat = lossctl.compute("bce", chance.ravel()[known], label.ravel()[known], **each)
    rows_of = lossctl.compute("bce", chance, label, weight=weight, group=group, **told)
    assert [rows_of.groups[name].value for name in "0123"] == [flat.groups[name].value for name in "0123"]


def test_a_weight_and_a_group_of_each_sequence():
    generator = np.random.default_rng(9)
    logits, labels = generator.normal(size=(6, 4, 3)), generator.integers(0, 3, (6, 4))
    weight, group = generator.random(6), np.array(list("aabbcc"))
    flat = lossctl.compute(
        "cross-entropy", logits.reshape(-1, 3), labels.ravel(), from_logits=True,
        weight=np.repeat(weight, 4), group=np.repeat(group, 4),
    )  # fmt: skip
    for beside in ({"weight": weight, "group": group}, {"weight": np.repeat(weight, 4), "group": np.repeat(group, 4)}):
        got = lossctl.compute("cross-entropy", logits, labels, from_logits=True, **beside)
        assert [got.groups[name].value for name in "abc"] == [flat.groups[name].value for name in "abc"]


def test_probabilities_a_rounding_above_1(tmp_path):
    above = np.array([1.0000001, 0.2], np.float32)
    got = lossctl.compute("bce", above, np.array([1, 0]))
    assert got.value == pytest.approx(-log(1 - float(above[1])) / 2) and "rounding" in " ".join(got.notes)
    with pytest.raises(DataError, match="outside"):
        lossctl.compute("bce", np.array([1.0001, 0.2]), np.array([1, 0]))
    clipped = value("bce", np.array([1.0001, 0.2]), np.array([1, 0]), clip=1e-7)
    assert clipped == pytest.approx(-(log(1 - 1e-7) + log(0.8)) / 2)


def test_percents_and_rows_off_1():
    assert value("bce", np.array([90.0, 20, 60]), np.array([1, 0, 1]), percent=True) == pytest.approx(BCE)
    rows, label = np.array([[0.67, 0.17, 0.17], [0.1, 0.8, 0.1]]), np.array([0, 1])
    expected = -(log(0.67 / 1.01) + log(0.8)) / 2
    assert value("cross-entropy", rows, label, renormalize=True) == pytest.approx(expected)
    with pytest.raises(DataError) as fault:
        lossctl.compute("cross-entropy", rows, label)
    assert "renormalize" in fault.value.fix and "logits" not in fault.value.fix


def test_a_vector_of_zeros_is_left_out_where_asked():
    points = np.array([[1.0, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0, 0]])
    label = np.array([0, 0, 1, 1, 1])
    with pytest.raises(DataError, match="all zeros"):
        lossctl.compute("circle", points, label)
    assert value("circle", points, label, na="skip") == value("circle", points[:4], label[:4])


# --- fix lines


CASES = {
    "names": ("bce", "prob,label\n0.9,cat\n0.2,dog\n0.6,cat\n", "", BCE),
    "odd numbers": ("bce", "prob,label\n0.9,2\n0.2,0\n0.6,2\n", "", BCE),
    "soft": ("bce", "prob,label\n0.9,0.8\n0.2,0.1\n", "", 0.453289209275634),
    "percents": ("bce", "prob,label\n90,1\n20,0\n60,1\n", "", BCE),
    "turned": ("bce", "1,0.9\n0,0.2\n1,0.6\n", "", BCE),
    "rounded": ("bce", "prob,label\n1.0001,1\n0.2,0\n", "", -(log(1 - 1e-7) + log(0.8)) / 2),
    "sums": ("cross-entropy", "p0,p1,label\n0.7,0.31,0\n0.2,0.8,1\n", "", -(log(0.7 / 1.01) + log(0.8)) / 2),
    "from 1": ("cross-entropy", "p1,p2,p3,label\n0.7,0.2,0.1,1\n0.1,0.8,0.1,2\n", "", -(log(0.7) + log(0.8)) / 2),
    "up to K": ("cross-entropy", "a1,a2,label\n0.7,0.3,1\n0.2,0.8,2\n", "--prob {0}::1..2", -(log(0.7) + log(0.8)) / 2),
    "comma": ("bce", "prob;label\n0,9;1\n0,2;0\n0,6;1\n", "", BCE),
    "two chances": ("bce", "a_prob,b_prob,label\n0.9,0.5,1\n0.2,0.5,0\n0.6,0.5,1\n", "", BCE),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fix_followed_to_the_letter_gives_the_number(case, tmp_path, capsys, monkeypatch):
    """The first way out that a fix line names, typed as it is printed, after the command."""
    loss, text, more, expected = CASES[case]
    monkeypatch.chdir(tmp_path)
    csv(tmp_path, text)
    words = ["compute", loss, "table.csv", *shlex.split(more.format("table.csv"))]
    if more:
        words.remove("table.csv")
        words += ["--label", "table.csv::label"]
    for _ in range(3):
        code = run(words)
        out, err = capsys.readouterr()
        if code == 0:
            assert float(out) == pytest.approx(expected, rel=1e-12)
            return
        fix = re.search(r"fix: (.*)", err)[1]
        flags = re.search(r"(?:--[a-z-]+(?: (?!or\b|if\b|the\b|for\b)[^\s;]+)*)(?: --[a-z-]+ [^\s;]+)?", fix)[0]
        flags = re.sub(r"(--(?:soft|percent|renormalize)\b).*", r"\1", flags)
        added = shlex.split(flags)
        if any(word.startswith("table.csv::") for word in added) and "--label" in added:
            words = ["compute", loss]
        words = [*words, *added[:4]]
    raise AssertionError(f"no number after three fixes: {err}")


def test_sets_of_one_hot_classes_are_counted_and_mined():
    points, index = np.random.default_rng(4).normal(size=(9, 2)), np.arange(9) % 3
    hot = np.eye(3)[index]
    assert lossctl.triplets(points, hot).breakdown == lossctl.triplets(points, index).breakdown
    mined = [lossctl.mine("semi-hard", points, labels).rows.tolist() for labels in (hot, index)]
    assert mined[0] == mined[1]


def test_classes_of_weights_are_no_pair_of_codes():
    """Labels 1 and 2 are 0 and 1 of a binary loss, but rows of the weights of a classifier."""
    generator = np.random.default_rng(5)
    points, weights, label = generator.normal(size=(4, 3)), generator.normal(size=(3, 3)), np.array([1, 2, 1, 2])
    expected = value("circle-class", points, label + 0, class_weights=weights)
    assert value("circle-class", points, np.array(list("bcbc")), class_weights=weights, classes="a,b,c") == expected
    assert value("circle-class", points, label - 1, class_weights=weights[1:]) != expected


def test_flat_scores_are_named():
    with pytest.raises(DataError, match="3 classes in one column"):
        lossctl.compute("cross-entropy", np.zeros(12), np.zeros(4, int), from_logits=True)


def test_collapsed_sets_are_warned_about():
    points = np.full((6, 3), 0.5)
    assert "collapsed" in " ".join(lossctl.compute("batch-hard", points, np.arange(6) % 2).warnings)


@pytest.mark.parametrize("ending", ["npz", "npy", "csv"])
def test_ways_of_reading_share_the_number(tmp_path, ending):
    """Names as labels through files, weights, groups, rows, alpha and a second loss."""
    chance, names = np.array([0.9, 0.2, 0.6]), np.array(["yes", "no", "yes"])
    if ending == "csv":
        source = [csv(tmp_path, "prob,label\n0.9,yes\n0.2,no\n0.6,yes\n")]
    elif ending == "npz":
        np.savez(tmp_path / "t.npz", prob=chance, label=names)
        source = [str(tmp_path / "t.npz")]
    else:
        np.save(tmp_path / "p.npy", chance)
        np.save(tmp_path / "y.npy", names)
        source = [str(tmp_path / "p.npy"), str(tmp_path / "y.npy")]
    plain = np.array([1, 0, 1])
    assert value("bce", *source) == value("bce", chance, plain)
    assert value("focal:alpha=balanced", *source) == value("focal:alpha=balanced", chance, plain)
    assert lossctl.row_losses("bce", *source).tolist() == lossctl.row_losses("bce", chance, plain).tolist()
    assert value("bce", *source, weight=np.array([1.0, 2, 3])) == value("bce", chance, plain, weight=[1.0, 2, 3])
    assert lossctl.compute("bce", *source, ci=0.9).ci == lossctl.compute("bce", chance, plain, ci=0.9).ci


def test_two_sources_of_ids_of_which_one_is_an_input(tmp_path):
    """A column that is computed with is no column of ids."""
    path = csv(tmp_path, "index,prob\n5,0.9\n6,0.2\n7,0.6\n", "p.csv")
    truth = csv(tmp_path, "index,y\n1,1\n0,0\n1,1\n", "y.csv")
    assert value("bce", f"{path}::prob", f"{truth}::index") == pytest.approx(BCE)


def test_what_would_be_dropped_is_refused():
    points, index = np.random.default_rng(6).normal(size=(9, 2)), np.arange(9) % 3
    for beside in ({"id": np.arange(9)}, {"format": "csv"}):
        with pytest.raises(UsageError, match="is for a file"):
            lossctl.mine("batch-hard", points, index, **beside)
    with pytest.raises(UsageError, match="keep"):
        lossctl.compute("bce", np.array([0.9, 0.2]), np.array([1, 0]), keep=0)


def test_what_only_text_tables_know_is_refused_of_other_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("p.npy", [0.9, 0.2, 0.6])
    np.savez("t.npz", prob=[0.9, 0.2, 0.6], label=[1, 0, 1])
    csv(tmp_path, "y;g;w\n1;a;1\n0;b;1\n1;a;1\n", "y.csv")
    (tmp_path / "t.jsonl").write_text('{"prob": 0.9, "label": 1}\n')
    for words in ("--delimiter ;", "--header no", "--decimal ,", "--thousands ,"):
        flag = words.split()[0]
        for files in ("t.npz", "t.jsonl", "t.npz -g t.npz::label"):
            assert run(["compute", "bce", *files.split(), *words.split()]) == 2, (files, words)
            assert f"leave {flag} out" in capsys.readouterr().err
        assert run(["compare", "t.npz::prob", "p.npy", "-y", "t.npz::label", "--loss", "bce", *words.split()]) == 2, (
            words
        )
        capsys.readouterr()
        with pytest.raises(UsageError, match=flag[2:]):
            lossctl.compute("bce", P_OF_3, Y_OF_3, **{flag[2:]: words.split()[1]})
    for files in ("p.npy y.csv::y", "t.npz -g y.csv::g", "t.npz -w y.csv::w"):
        assert run(["compute", "bce", *files.split(), "--delimiter", ";"]) == 0, files
    (tmp_path / "s.yaml").write_text(
        "defaults: {delimiter: ';'}\nlosses:\n"
        "  - {loss: bce, inputs: t.npz}\n  - {loss: mse, inputs: [p.npy, y.csv::y]}\n"
    )
    assert [outcome.error for outcome in lossctl.run("s.yaml").outcomes] == ["", ""]
    for idle in ({"multi_label": True}, {"multi_class": True}):
        with pytest.raises(UsageError, match="one column of labels"):
            lossctl.compute("focal", P_OF_3, Y_OF_3, **idle)
    assert value("cross-entropy", np.exp(LOGS), np.array([0, 2, 1]), multi_class=True) > 0


@pytest.mark.parametrize("cell", ["x1", "0,5", "1e400", "[1]", "97%"])
def test_a_cell_that_is_no_number_is_no_missing_one(tmp_path, cell):
    """Leaving out what is missing leaves out nothing else, before or after it."""
    for rows in (f"NA;0\n{cell};1", f"{cell};1\nNA;0", f"0.2;NA\n{cell};NA"):
        path = csv(tmp_path, f"prob;label\n0.9;1\n{rows}\n")
        with pytest.raises(DataError, match=r"not a number|beyond"):
            lossctl.compute("bce", path, na="skip")


def test_a_class_that_no_row_has_is_asked_about(tmp_path):
    """Columns called after the labels that are there are not all classes where their rows do not sum to 1."""
    rows = "0.7,0.2,0.1,cat\n0.1,0.3,0.6,dog\n"
    path = csv(tmp_path, f"cat,dog,owl,label\n{rows}")
    with pytest.raises(DataError, match="owl as none") as fault:
        lossctl.compute("cross-entropy", path)
    assert fault.value.fix == f'if they are classes too: prob="{path}::cat..owl" classes="cat,dog,owl"'
    expected = -(log(0.7) + log(0.3)) / 2
    assert value("cross-entropy", path, prob=f"{path}::cat..owl", classes="cat,dog,owl") == pytest.approx(expected)
    beside = csv(tmp_path, "cat,dog,age,label\n0.7,0.3,30,cat\n0.4,0.6,50,dog\n", "beside.csv")
    assert value("cross-entropy", beside) == pytest.approx(-(log(0.7) + log(0.6)) / 2)


def test_shapes_that_do_not_fit_say_which_would():
    scores, label = np.zeros((2, 3, 4)), np.zeros((2, 3), int)
    for wrong, words in (
        (np.eye(4)[label], "x.argmax(-1)"),
        (label.ravel(), "x.reshape(2, 3)"),
        (label[..., None], "x.reshape(2, 3)"),
    ):
        with pytest.raises(DataError) as fault:
            lossctl.compute("cross-entropy", scores, wrong, from_logits=True)
        assert words in fault.value.fix
    with pytest.raises(DataError, match="unequal lengths") as fault:
        lossctl.compute("cross-entropy", np.zeros((3, 5)), np.zeros(5, int), from_logits=True)
    assert "x.T" in fault.value.fix
    with pytest.raises(DataError, match="3 columns of labels beside 2 of predictions"):
        lossctl.compute("multiclass-hinge", np.zeros((2, 2)), np.eye(3)[:2])
    with pytest.raises(DataError, match="without labels") as fault:
        lossctl.compute("nt-xent", np.ones((4, 2, 3)))
    assert "np.arange" in fault.value.fix


def test_logits_that_look_like_percents_and_words_of_python():
    chance, label = np.array([90.0, 20, 60]), np.array([1, 0, 1])
    assert "percent=True" in " ".join(lossctl.compute("bce", chance, label, from_logits=True).warnings)
    assert not lossctl.compute("bce", chance / 10 - 4, label, from_logits=True).warnings
    shifted = lossctl.compute("cross-entropy", np.full((2, 3), 1 / 3), np.array([1, 1]))
    assert 'classes="1,2,3"' in " ".join(shifted.warnings)


@pytest.mark.parametrize("name", ["id", "patient_id", "Unnamed: 0", "", "query_id", "image_name", "path", "0"])
def test_any_column_of_ids_is_compared_and_its_fix_matches_them(tmp_path, name, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    csv(tmp_path, f"{name},row_id,prob\na,1,0.9\nb,2,0.2\nc,3,0.6\n", "p.csv")
    csv(tmp_path, f"{name},label\nb,0\na,1\nc,1\n", "y.csv")
    assert run(["compute", "bce", "p.csv", "y.csv"]) == 3
    fix = re.search(r"fix: +match them by their ids: (.*)", capsys.readouterr().err)[1]
    assert run(["compute", "bce", "p.csv", "y.csv", *shlex.split(fix)]) == 0, fix
    assert float(capsys.readouterr().out) == pytest.approx(BCE)


def test_values_that_are_not_what_was_said():
    chance, label = np.array([[0.9, 0.2], [0.3, 0.8]]), np.array([[1, -100], [0, 1]])
    with pytest.raises(DataError) as fault:
        lossctl.compute("bce", chance, label)
    assert "nan" in fault.value.fix and "positive" not in fault.value.fix
    assert "leave percent out" in " ".join(lossctl.compute("bce", P_OF_3, Y_OF_3, percent=True).warnings)
    assert not lossctl.compute("bce", 100 * P_OF_3, Y_OF_3, percent=True).warnings
    bits = (P_OF_3.astype("f4").view("u4") >> 16).astype("u2").view("V2")
    assert value("bce", bits, Y_OF_3) == pytest.approx(BCE, rel=0.01)


def test_a_fix_names_the_likeliest_columns_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("step,y,A,A-lo-90,A-hi-90\n0,1.5,1.25,0.5,2.5\n1,2.5,2.25,1.5,3.5\n")
    for loss, first in (("mae", 'pred="t.csv::A" or'), ("winkler", 'lower="t.csv::A-lo-90" or')):
        with pytest.raises(DataError) as error:
            lossctl.compute(loss, "t.csv")
        assert first in str(error.value.fix)
    (tmp_path / "m.csv").write_text("ds,hour,y,NHITS,Naive\n1,0,1.5,1.25,2.5\n2,1,2.5,2.25,1.5\n")
    fixes = {}
    for loss in ("owa", "mase"):  # times are no forecasts, and forecasts by the naive method no errors of it
        with pytest.raises(DataError) as error:
            lossctl.compute(loss, "m.csv", pred="m.csv::NHITS")
        fixes[loss] = error.value.fix
    train = "give the training values with train=... (and season=M), or a column of the errors with naive_error="
    assert fixes["mase"] == f'{train}"m.csv::COLUMN"'
    assert fixes["owa"].startswith('name it with benchmark="m.csv::Naive", or') and train in fixes["owa"]


def test_ends_of_intervals_that_are_exchanged_are_told():
    low, high, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.5]), np.array([0.5, 1.5, 1.75])
    for inputs, count in (((low, high, y), 1), ((high, low, y), 2), ((low[:2], high[:2], y[:2]), 0)):
        told = [text for text in lossctl.compute("interval-score", *inputs).warnings if "exchanged" in text]
        assert told == (
            [f"in {count} rows the upper end is below the lower one: were the two exchanged?"] if count else []
        )
