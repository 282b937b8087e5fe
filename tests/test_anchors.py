"""Losses of embedding sets anchor by anchor: rows, groups, intervals, the hardest, comparisons; truths by loops."""

import csv
import io
import json
import math

import numpy as np
import pytest
import scipy.stats
from conftest import ROOT, run_lossctl

import lossctl
from lossctl.api import compare as comparing
from lossctl.api import compute as assess
from lossctl.api.question_of_systems import ComparisonQuestion
from lossctl.errors import DataError, UsageError
from lossctl.language import registry
from lossctl.resampling import jackknife, student
from lossctl.resampling.draws import Draws
from lossctl.rows import by_row as rows
from lossctl.rows import hardest

LOSSES = [
    "batch-all", "batch-hard", "semi-hard", "random-semi-hard", "contrastive-pairs", "multi-similarity", "circle",
    "info-nce", "nt-xent", "supcon",
]  # fmt: skip
EMB = ("compute", "batch-hard", "samples/embeddings.npz")


def a_set(n=60, classes=7, seed=0):
    """Embeddings and labels; label 6 stands alone."""
    random = np.random.default_rng(seed)
    labels = random.integers(classes - 1, size=n)
    labels[5] = classes - 1
    return random.standard_normal((n, 3)) + labels[:, None], labels


def assessed(spec, emb, labels, *, group=None, cluster=None, confidence=None, reduction=None, jobs=2, **reading):
    side = assess.Side(group=group, cluster=cluster)
    wanted = [assess.Request(registry.parse(spec), {}, [emb, labels], None, reduction, side=side)]
    with assess.prepared(wanted, reading=assess.Reading(**reading), jobs=jobs) as shared:
        return assess.results(shared, confidence)


def batch_hard_by_loop(emb, labels, margin=1.0):
    """Row -> loss, anchor by anchor."""
    found = {}
    for a, label in enumerate(labels):
        d = np.sqrt(((emb - emb[a]) ** 2).sum(axis=1))
        positives = [d[p] for p in range(len(labels)) if labels[p] == label and p != a]
        if positives:
            found[a] = max(0.0, max(positives) - min(d[labels != label]) + margin)
    return found


# --- row by row


@pytest.mark.parametrize("size", [1 << 17, 16])
def test_rows_are_the_anchors_in_the_order_of_the_file(size, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_VALUES", size)
    emb, labels = a_set()
    truth = batch_hard_by_loop(emb, labels)
    assert 5 not in truth and len(truth) == 59
    assert lossctl.row_losses("batch-hard", emb, labels) == pytest.approx(list(truth.values()), rel=1e-13)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_rows_add_up_to_the_sum(loss):
    emb, labels = a_set()
    total = lossctl.compute(loss, emb, labels, reduction="sum").value
    assert lossctl.row_losses(loss, emb, labels).sum() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_without_questions_it_is_the_same_number(loss):
    emb, labels = a_set()
    (result,) = assessed(loss, emb, labels)
    assert result.value == lossctl.compute(loss, emb, labels).value


@pytest.mark.slow
def test_per_row_has_identifiers_and_what_each_anchor_counts(tmp_path):
    emb, labels = a_set()
    np.savez(tmp_path / "set.npz", emb=emb, label=labels)
    np.save(tmp_path / "names.npy", np.arange(60) + 1000)
    options = ("--per-row", "--id", str(tmp_path / "names.npy"), "-f", "csv")
    done = run_lossctl("compute", "semi-hard", str(tmp_path / "set.npz"), *options)
    found = list(csv.DictReader(io.StringIO(done.out)))
    assert [int(row["id"]) for row in found] == [1000 + at for at in range(60) if at != 5]
    counts = np.bincount(labels)
    assert [float(row["weight"]) for row in found] == [counts[labels[int(row["row"])]] - 1 for row in found]
    whole = run_lossctl("compute", "semi-hard", str(tmp_path / "set.npz")).out
    shares = [float(row[name]) for name in ("loss", "weight") for row in found]
    assert sum(shares[:59]) / sum(shares[59:]) == pytest.approx(float(whole), rel=1e-13)


def test_left_out_rows_keep_the_numbers_of_the_others():
    emb, labels = a_set()
    truth = batch_hard_by_loop(np.delete(emb, [2, 30], axis=0), np.delete(labels, [2, 30]))
    emb[[2, 30], 1] = np.nan
    wanted = [assess.Request(registry.parse("batch-hard"), {}, [emb, labels], side=assess.Side(id=np.arange(60)))]
    with assess.prepared(wanted, reading=assess.Reading(skip_nan=True)) as shared:
        ((scored,),) = list(shared.score(lambda scored: scored))
    kept = np.delete(np.arange(60), [2, 30])[list(truth)]
    assert np.array_equal(scored.rows.number, kept) and np.array_equal(scored.side[0], kept)
    assert scored.rows.total == pytest.approx(list(truth.values()), rel=1e-13)
    assert scored.rows.facts.skipped == 2


def test_the_hardest_are_the_hardest():
    emb, labels = a_set()
    truth = batch_hard_by_loop(emb, labels)
    order = sorted(truth, key=lambda a: (-truth[a], a))
    with assess.prepared([assess.Request(registry.parse("batch-hard"), {}, [emb, labels])]) as shared:
        found = assess.top(shared, 4)
        (kept,) = assess.kept(shared, hardest.read_kept("10"))
    assert found.number.tolist() == order[:4]
    assert kept.value == pytest.approx(np.mean([truth[a] for a in order[:10]]), rel=1e-13)


# --- groups


def test_a_group_is_its_anchors_against_everyone():
    emb, labels = a_set()
    truth = batch_hard_by_loop(emb, labels)
    group = np.where(np.arange(60) % 3 == 0, "a", "b")
    micro, macro, *each = assessed("batch-hard", emb, labels, group=group)
    means = [np.mean([loss for a, loss in truth.items() if group[a] == name]) for name in "ab"]
    assert [one.value for one in each] == pytest.approx(means, rel=1e-13)
    assert [one.n for one in each] == [sum(group[a] == name for a in truth) for name in "ab"]
    assert (micro.value, macro.value) == pytest.approx((np.mean(list(truth.values())), np.mean(means)), rel=1e-13)


@pytest.mark.slow
def test_several_losses_of_one_set():
    done = run_lossctl(*EMB, "--also", "supcon", "--also", "batch-all:margin=0.2", "--json")
    found = json.loads(done.out)["results"]
    alone = [run_lossctl("compute", *one, EMB[2]).out for one in (["batch-hard"], ["supcon"])]
    assert [one["value"] for one in found[:2]] == [float(text) for text in alone]
    assert found[2]["reduction"] == "mean-active"


# --- intervals


def test_intervals_are_a_jackknife_over_blocks_of_points():
    emb, labels = a_set(70)
    asked = assess.Confidence(level=0.9)
    (result,) = assessed("batch-hard", emb, labels, confidence=asked)
    left_out = []
    for stays in jackknife.blocks_of(Draws(0, 1), 70, None):
        assert 66 <= stays.sum() <= 67
        left_out.append(np.mean([*batch_hard_by_loop(emb[stays], labels[stays]).values()]))
    error = math.sqrt(19 / 20 * np.var(left_out) * 20)
    assert result.ci.standard_error == pytest.approx(error, rel=1e-9)
    low, high = scipy.stats.t.interval(0.9, 19, result.value, error)
    assert (result.ci.low, result.ci.high) == pytest.approx((low, high), rel=1e-9)
    assert (result.ci.method, result.ci.unit, result.ci.units) == ("jackknife", "points", 70)
    (again,) = assessed("batch-hard", emb, labels, confidence=asked, jobs=1)
    assert again.ci == result.ci


def test_every_point_is_left_out_in_one_block():
    masks = np.array(list(jackknife.blocks_of(Draws(3, 1), 47, None)))
    assert masks.shape == (20, 47) and ((~masks).sum(axis=0) == 1).all()
    cluster = np.repeat(np.arange(5), 4)
    masks = np.array(list(jackknife.blocks_of(Draws(3, 1), 20, cluster)))
    assert masks.shape == (5, 20) and all(len(set(cluster[~mask])) == 1 for mask in masks)


@pytest.mark.parametrize("freedom", [1, 2, 4.5, 19, 300])
def test_student_s_t_is_scipy_s(freedom):
    for t in (1e-3, 0.1, 0.9, 2.1, 14.0, 300.0):
        assert student.two_sided(-t, freedom) == pytest.approx(2 * scipy.stats.t.sf(t, freedom), rel=1e-11)
    for level in (0.001, 0.5, 0.9, 0.95, 0.9999):
        assert student.quantile(level, freedom) == pytest.approx(scipy.stats.t.ppf((1 + level) / 2, freedom), rel=1e-9)


def points_of(rng, n, classes=6):
    labels = rng.integers(0, classes, n)
    return np.eye(classes, 8)[labels] * 2 + rng.normal(size=(n, 8)), labels


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["batch-all", "batch-hard", "supcon", "contrastive-pairs"])
def test_nominal_95_percent_of_intervals_hold_the_mean_of_new_sets(loss):
    found = []
    for seed in range(150):
        emb, labels = points_of(np.random.default_rng(seed), 60)
        found.append(assessed(loss, emb, labels, confidence=assess.Confidence())[0])
    truth = np.mean([result.value for result in found])
    covered = np.mean([result.ci.low <= truth <= result.ci.high for result in found])
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / 150) < covered


@pytest.mark.slow
def test_two_sets_that_are_as_good_differ_in_one_of_20():
    p = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        emb, labels = points_of(rng, 60)
        base, other = (emb + rng.normal(0, 0.7, emb.shape) for _ in range(2))
        p.append(compared(base, other, labels, "batch-hard").p)
    assert np.mean(np.array(p) < 0.05) < 0.05 + 3 * math.sqrt(0.95 * 0.05 / 150)


def test_clusters_of_anchors_are_left_out_whole():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(15), 10)
    emb = rng.normal(size=(15, 3))[labels] + 0.3 * rng.normal(size=(150, 3))
    (whole,) = assessed("batch-hard", emb, labels, confidence=assess.Confidence())
    (by_class,) = assessed("batch-hard", emb, labels, cluster=labels, confidence=assess.Confidence())
    assert (by_class.ci.unit, by_class.ci.units) == ("clusters", 15)
    assert by_class.ci.standard_error > 1.5 * whole.ci.standard_error


def test_too_few_points_or_clusters_have_no_interval():
    emb, labels = a_set(200)
    for settings, why in (({"cluster": labels}, "7 clusters: they hold from 10"), ({}, "19 points: they hold from 20")):
        many = slice(None) if settings else slice(19)
        (result,) = assessed("batch-all", emb[many], labels[many], confidence=assess.Confidence(), **settings)
        assert math.isnan(result.ci.low) and math.isnan(result.ci.standard_error)
        assert any(f"no interval of {why}" in text for text in result.warnings), result.warnings
    difference = compared(emb[:19], emb[:19] * [1, 1, 2], labels[:19], "batch-all")
    assert math.isnan(difference.p) and difference.verdict == "unknown"
    assert any("no test of 19 points" in text for text in difference.warnings)


@pytest.mark.slow
def test_one_seed_serves_draws_and_resamples():
    call = ("compute", "random-semi-hard", EMB[2], "--ci", "0.9", "-f", "csv")
    first, same, other = (run_lossctl(*call, "--seed", seed).out for seed in ("3", "3", "4"))
    assert first == same != other


# --- comparisons


def compared(base, other, labels, spec, reduction="mean", **reading):
    question = ComparisonQuestion(
        (registry.parse(spec),), ({},), base, (other,), labels, ("a", "b"), reduction,
        confidence=assess.Confidence(resamples=999), reading=assess.Reading(**reading),
    )  # fmt: skip
    (found,) = comparing.compare(question)
    return found


def test_two_sets_are_compared_anchor_by_anchor():
    emb, labels = a_set()
    worse = emb + np.random.default_rng(1).standard_normal(emb.shape)
    found = compared(emb, worse, labels, "batch-hard")
    base, other = (np.array([*batch_hard_by_loop(x, labels).values()]) for x in (emb, worse))
    assert found.difference == pytest.approx((other - base).mean(), rel=1e-12)
    assert (found.better, found.worse) == ((other < base).sum(), (other > base).sum())
    assert found.verdict == "worse" and found.ci.unit == "points"
    assert compared(emb, emb[:, ::-1].copy(), labels, "batch-hard").difference == pytest.approx(0, abs=1e-12)


def test_the_space_of_a_comparison_can_be_chosen():
    emb, labels = a_set()
    found = compared(emb, 3 * emb, labels, "batch-hard", metric="cosine")
    assert found.difference == pytest.approx(0, abs=1e-12)
    assert found.base_value == lossctl.compute("batch-hard", emb, labels, distance="cosine").value


def test_means_over_different_terms_are_not_compared():
    emb, labels = a_set()
    with pytest.raises(UsageError, match="mean-active is over other terms"):
        compared(emb, 2 * emb, labels, "batch-all", "mean-active")
    assert compared(emb, 2 * emb, labels, "batch-all").difference != 0


@pytest.mark.slow
def test_compare_reads_the_sample_set(tmp_path):
    emb = np.load(ROOT / "samples/embeddings.npy")
    np.save(tmp_path / "noisy.npy", emb + np.random.default_rng(0).standard_normal(emb.shape))
    truth = ("-y", "samples/embedding_labels.npy", "--loss", "supcon", "--normalize")
    done = run_lossctl("compare", "samples/embeddings.npy", str(tmp_path / "noisy.npy"), *truth, "--fail-if", "worse")
    assert done.code == 1 and "worse" in done.out


# --- what has no answer


def test_a_pair_left_out_everywhere_is_an_error_with_its_reason():
    with pytest.raises(DataError, match="every pair is left out"):
        lossctl.compute("random-semi-hard:margin=1e-9", [[0.0], [1], [5], [9]], [0, 0, 1, 1])


def test_weights_are_refused():
    emb, labels = a_set()
    with pytest.raises(UsageError, match="weight"):
        lossctl.compute("batch-hard", emb, labels, weight=np.ones(60))


def test_losses_of_rows_and_of_sets_do_not_mix():
    done = run_lossctl(*EMB, "--also", "mse")
    assert done.code == 2 and "mse by rows" in done.err


def test_no_triplet_that_costs_is_a_loss_of_0():
    emb, labels = [[0.0], [0.1], [50], [50.1]], [0, 0, 1, 1]
    (result,) = assessed("batch-all", np.array(emb), np.array(labels))
    assert result.value == lossctl.compute("batch-all", emb, labels).value == 0.0


def test_a_group_none_of_whose_pairs_counts_is_nan():
    emb, labels = a_set(24)
    group = np.arange(24)
    results = assessed("random-semi-hard:margin=0.05", emb, labels, group=group)
    assert any(np.isnan(one.value) for one in results[2:]) and not np.isnan(results[0].value)
