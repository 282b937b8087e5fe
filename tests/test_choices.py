"""What one choice does to another: a bare name of a column, a mark in the labels, a weight of 0, a name with braces."""

from math import inf

import numpy as np
import pytest
from conftest import run_lossctl

import lossctl
from lossctl.errors import DataError, UsageError

RANDOM = np.random.default_rng(7)
CHANCE = RANDOM.random(60)
LABEL = np.arange(60) % 3 // 2


def test_every_system_is_held_to_the_truth_of_the_base(tmp_path):
    for name, label in (("a", LABEL), ("b", 1 - LABEL)):
        rows = zip(CHANCE.tolist(), label.tolist(), RANDOM.random(60).tolist(), strict=True)
        text = "p,label,w\n" + "".join(f"{p},{y},{w}\n" for p, y, w in rows)
        (tmp_path / f"{name}.csv").write_text(text)
    systems = (f"{tmp_path}/a.csv::p", f"{tmp_path}/b.csv::p")
    for more in ((), ("-w", "w"), ("--cluster", "label")):
        done = run_lossctl("compare", *systems, "-y", "label", "--loss", "bce", *more, "-f", "csv")
        header, line = done.out.splitlines()
        values = dict(zip(header.split(","), line.split(","), strict=True))
        assert (values["value"], values["equal"]) == ("0.0", "60" if "--cluster" not in more else values["equal"])


def test_a_bare_name_is_a_column_of_the_first_source_everywhere(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("prob,label,w\n0.5,1,1\n0.25,0,3\n")
    named = ("--prob", f"{path}::prob", "--label", f"{path}::label")
    right = run_lossctl("compute", "bce", str(path), "-w", "w").out
    assert run_lossctl("compute", "bce", *named, "-w", "w").out == right
    assert run_lossctl("compute", "bce", str(path), "--also", "brier", "-w", "w").out.splitlines()[1].startswith("bce")
    assert run_lossctl("compute", "bce", *named, "-g", "label").code == 0


def test_an_unknown_label_excuses_no_prediction():
    chance, label = np.stack([CHANCE, 1 - CHANCE], 1), np.stack([LABEL, 1 - LABEL], 1)
    label[4, 0] = -1
    known = lossctl.compute("bce", np.delete(chance.ravel(), 8), np.delete(label.ravel(), 8))
    assert lossctl.compute("bce", chance, label).value == pytest.approx(known.value, rel=1e-15)
    chance[9, 1] = np.nan
    with pytest.raises(DataError, match="nan"):
        lossctl.compute("bce", chance, label)


def test_a_weight_of_0_is_of_a_whole_list():
    group, score, relevance = np.repeat([1, 2, 3, 4], 3), RANDOM.random(12), np.tile([0, 1, 2], 4)
    weight = np.repeat([0.0, 1.0, 1.0, 1.0], 3)
    rest = lossctl.compute("ranknet", score[3:], relevance[3:], group=group[3:])
    result = lossctl.compute("ranknet", score, relevance, group=group, weight=weight)
    assert (result.value, result.n, result.notes) == (rest.value, 3, ("3 rows left out",))
    weight[4] = 0
    with pytest.raises(DataError, match="weight changes"):
        lossctl.compute("ranknet", score, relevance, group=group, weight=weight)


def test_classes_beside_columns_of_labels_are_refused():
    shares, one_hot = RANDOM.dirichlet(np.ones(3), 60), np.eye(3)[LABEL]
    for choice in ({"classes": "2,1,0"}, {"positive": "1"}):
        with pytest.raises(UsageError, match="columns of labels"):
            lossctl.compute("cross-entropy", shares, one_hot, **choice)
    with pytest.raises(UsageError, match="columns of labels"):
        lossctl.compute("bce", shares, one_hot, classes="x,y")


def test_names_of_labels_are_text_in_a_signature():
    names = np.where(LABEL, "{a} |red: y", "{n}")
    result = lossctl.compute("bce", CHANCE, names, positive="{a} |red: y")
    assert result.value == lossctl.compute("bce", CHANCE, LABEL).value
    assert " " not in result.signature and result.signature.count("|red:") == 1


def test_soft_labels_are_of_losses_of_rows():
    with pytest.raises(UsageError, match="soft"):
        lossctl.compute("dice", CHANCE, CHANCE, soft=True)
    balanced = lossctl.compute("focal", CHANCE, LABEL * 1.0, alpha="balanced")
    assert lossctl.compute("focal", CHANCE, LABEL * 1.0, alpha="balanced", soft=True).value == pytest.approx(
        balanced.value, rel=1e-14
    )


def test_probabilities_that_are_no_shares_are_not_renormalized():
    for choice in ({"renormalize": True}, {"percent": True, "from_logits": True}):
        with pytest.raises(UsageError, match="probabilities"):
            lossctl.compute("focal", CHANCE, LABEL, **choice)


def test_a_group_without_positives_leaves_an_interval():
    group, label = np.repeat(["a", "b"], 30), np.where(np.arange(60) < 30, 0, LABEL)
    alone = lossctl.compute("bce", CHANCE, label, reduction="positives", ci=0.95)
    beside = lossctl.compute("bce", CHANCE, label, reduction="positives", ci=0.95, group=group)
    assert (beside.overall.ci.low, beside.overall.ci.high) == pytest.approx((alone.ci.low, alone.ci.high), rel=1e-9)


def test_a_group_is_not_suspected_unseen():
    result = lossctl.compute("bce", CHANCE, LABEL, group=LABEL)
    assert [group.warnings for group in result.groups.values()] == [(), ()]


def test_quotients_beyond_float64():
    assert lossctl.compute("r2", np.full(20, 1e154), np.zeros(20)).value == -inf
    heavy = lossctl.compute("tversky", CHANCE, LABEL, weight=np.full(60, 1e308))
    assert heavy.value == pytest.approx(lossctl.compute("tversky", CHANCE, LABEL).value, rel=1e-15)
    one = lossctl.compute("dice-bce:bce-weight=0", np.array([1.0, 0.4]), np.array([0, 1])).value
    assert one == pytest.approx(1 - 2 * 0.4 / 2.4, rel=1e-15)


def test_an_embedding_without_direction_is_left_out():
    a, b = RANDOM.normal(size=(2, 20, 4))
    a[2] = 0
    rest = lossctl.compute("cosine-distance", np.delete(a, 2, 0), np.delete(b, 2, 0))
    assert lossctl.compute("cosine-distance", a, b, skip_nan=True).value == rest.value


def test_an_option_is_given_once():
    with pytest.raises(UsageError, match="twice"):
        lossctl.compute("focal:gamma=1,gamma=3", CHANCE, LABEL)


def test_a_share_of_rows_is_exact():
    assert lossctl.compute("bce", np.tile(CHANCE, 50), np.tile(LABEL, 50), keep="1.1%").n == 33


def test_a_coordinate_is_no_embedding(tmp_path):
    points = RANDOM.normal(size=(40, 3))
    rows = zip(points.tolist(), (np.arange(40) % 4).tolist(), strict=True)
    (tmp_path / "xyz.csv").write_text("x,y,z,label\n" + "".join(f"{a},{b},{c},{y}\n" for (a, b, c), y in rows))
    source = f"{tmp_path}/xyz.csv"
    done = run_lossctl("compute", "batch-hard", source)
    assert done.code == 3 and "FIRST..LAST" in done.err
    named = run_lossctl("compute", "batch-hard", "--emb", f"{source}::x..z", "--label", f"{source}::label")
    assert float(named.out) == pytest.approx(lossctl.compute("batch-hard", points, np.arange(40) % 4).value, rel=1e-12)


def test_a_gain_may_not_fall_by_more_than_the_increase(tmp_path):
    target = RANDOM.normal(size=60)
    (tmp_path / "a").mkdir()
    for name, noise in (("good", 0.1), ("bad", 0.5)):
        np.savetxt(
            tmp_path / f"{name}.csv", np.stack([target + noise * np.sin(np.arange(60)), target], 1), delimiter=","
        )
        done = run_lossctl("compute", "r2", f"{tmp_path}/{name}.csv", "--json", "-o", f"{tmp_path}/{name}.json")
        assert done.code == 0
    for now, before, code in (("bad", "good", 1), ("good", "bad", 0)):
        gate = ("--max-increase", "5%", "--baseline", f"{tmp_path}/{before}.json")
        assert run_lossctl("compute", "r2", f"{tmp_path}/{now}.csv", *gate).code == code


def test_results_of_groups_have_signatures_of_their_own():
    result = lossctl.compute("bce", CHANCE, LABEL, group=np.arange(60) % 3)
    signatures = [result.overall.signature, result.macro.signature, *(one.signature for one in result.groups.values())]
    assert len(set(signatures)) == len(signatures)
    assert all(" " not in signature for signature in signatures)


def test_a_suite_elsewhere_knows_its_columns(tmp_path):
    (tmp_path / "s").mkdir()
    rows = zip(CHANCE.tolist(), LABEL.tolist(), strict=True)
    (tmp_path / "s" / "b.csv").write_text("prob,label,g\n" + "".join(f"{p},{y},{y}\n" for p, y in rows))
    entries = "losses:\n  - {loss: bce, inputs: b.csv, group: g}\n"
    entries += "  - {name: bins, loss: bce, inputs: b.csv, by: 'bins:prob:3'}\n"
    (tmp_path / "s" / "q.yaml").write_text(entries)
    assert run_lossctl("run", f"{tmp_path}/s/q.yaml").code == 0


def test_an_interval_that_cancels_is_refused():
    target = np.round(RANDOM.normal(size=60) * 1024) / 1024
    pred = target + np.round(RANDOM.normal(size=60) * 256) / 1024
    plain, near, far = (lossctl.compute("r2", pred + shift, target + shift, ci=0.9) for shift in (0, 2.0**13, 2.0**20))
    assert (near.ci.low, near.ci.high) == pytest.approx((plain.ci.low, plain.ci.high), abs=1e-4)
    assert np.isnan(far.ci.low) and "cancels" in far.warnings[0]


@pytest.mark.parametrize("loss", ["multiclass-hinge", "sparsemax", "multi-margin"])
def test_scores_that_look_like_probabilities_are_warned_about(loss):
    chances = RANDOM.dirichlet(np.ones(3), 20)
    labels = np.arange(20) % 3
    assert any("look like probabilities" in text for text in lossctl.compute(loss, chances, labels).warnings)
    for scores in (3 * chances, chances - chances.mean(axis=1, keepdims=True), chances[:, :2]):
        assert not lossctl.compute(loss, scores, labels % scores.shape[1]).warnings


def test_squares_beyond_float64_are_no_traceback():
    result = lossctl.compute("r2", [1e200, 3e200, 2e200], [2e200, 1e200, 5e200])
    assert result.value == pytest.approx(1 - 14 / (26 / 3), rel=1e-12) and not result.warnings


def test_classes_in_another_order_than_the_headers_are_warned_about(tmp_path):
    (tmp_path / "m.csv").write_text("cat,cow,label\n0.25,0.75,cat\n0.5,0.5,cow\n")
    source = f"{tmp_path}/m.csv"
    done = run_lossctl("compute", "cross-entropy", f"{source}::cat..cow", f"{source}::label", "--classes", "cow,cat")
    assert done.code == 0 and "the columns are called cat, cow" in done.err


def test_ids_of_mined_triplets_may_be_an_array(tmp_path):
    points, label = RANDOM.normal(size=(30, 3)), np.arange(30) % 3
    lossctl.mine("semi-hard", points, label, out=str(tmp_path / "m.csv"), id=np.arange(30) * 10)
    assert set((tmp_path / "m.csv").read_text().split("\n")[1].split(",")[0]) <= set("0123456789")


def test_resamples_of_two_rows_are_warned_about():
    systems = [[0.5, 0.25], [0.25, 0.125]]
    results = lossctl.compare(*systems, target=[0, 0], loss="bce", test="bootstrap")
    assert any("too few of 2 units" in text for result in results for text in result.warnings)


def test_whole_numbers_near_two_to_the_64_are_read(tmp_path):
    numbers = [f"{2**64 - back}{tail}" for back in (1, 2, 1023, 1024, 1025, 2048, 2049) for tail in (".0", ".")]
    (tmp_path / "n.csv").write_text("\n".join(f"{number},0" for number in numbers * 20) + "\n")
    losses = lossctl.row_losses("mae", f"{tmp_path}/n.csv")
    assert losses.tolist() == [float(number) for number in numbers * 20]
