"""Shares of triplets with intervals: from sampled anchors, marked as estimates everywhere, and about new points."""

import json
import math

import numpy as np
import pytest
from conftest import run_lossctl

import lossctl
from lossctl.resampling import shares

MARGINS = (0.5, 0.0)


def clouds(n=400, seed=0):
    random = np.random.default_rng(seed)
    label = random.integers(0, 5, n)
    return np.eye(5, 6)[label] * 1.5 + random.normal(size=(n, 6)), label


def counted(emb, label, anchor, margin):
    """(easy, semi-hard, hard) of one anchor, triplet by triplet."""
    distance = np.linalg.norm(emb - emb[anchor], axis=1)
    is_own = label == label[anchor]
    negatives = distance[~is_own]
    is_own[anchor] = False
    gaps = negatives - distance[is_own][:, None]
    return np.array([(gaps >= margin).sum(), ((gaps > 0) & (gaps < margin)).sum(), (gaps <= 0).sum()])


@pytest.mark.slow
def test_sampled_anchors_count_all_of_their_triplets_and_no_others():
    emb, label = clouds()
    report = lossctl.triplets(emb, label, margin=MARGINS, anchors=150, seed=3)
    sample = report.breakdown.sample
    assert (sample.anchors, sample.of, sample.seed) == (150, 400, 3)
    assert "estimate from 150 of 400 anchors" in repr(report)
    assert report.records()[0]["estimate"] and report.records()[0]["sample_anchors"] == 150
    of_all = {margin: np.array([counted(emb, label, k, margin) for k in range(len(emb))]) for margin in (0.5,)}
    at = report.breakdown.margins[0].categories
    assert at.triplets < of_all[0.5].sum() / 2
    again = [lossctl.triplets(emb, label, margin=0.5, anchors=150, seed=seed).breakdown.margins[0] for seed in (3, 4)]
    assert again[0].categories == at != again[1].categories
    order = np.random.default_rng(1).permutation(len(emb))
    turned = np.random.default_rng(2).permutation(5)[label]  # the names of classes are not in what is drawn
    assert lossctl.triplets(emb, turned, margin=0.5, anchors=150, seed=3).breakdown.margins[0].categories == at
    assert lossctl.triplets(emb[order], label[order], margin=0.5, anchors=399).breakdown.sample.of == 400
    some = [lossctl.triplets(emb, label, margin=0.5, anchors=100, seed=seed).breakdown.margins[0] for seed in range(10)]
    mean = np.mean([at.categories.shares for at in some], axis=0)
    assert mean == pytest.approx(of_all[0.5].sum(axis=0) / of_all[0.5].sum(), rel=0.05)


def test_two_sets_and_rows_kept_apart_have_samples_too():
    emb, label = clouds()
    report = lossctl.triplets(emb[:200], label[:200], ref=emb[200:], ref_label=label[200:], margin=0.5, anchors=199)
    whole = lossctl.triplets(emb[:200], label[:200], ref=emb[200:], ref_label=label[200:], margin=0.5)
    missing = whole.breakdown.margins[0].categories.triplets - report.breakdown.margins[0].categories.triplets
    own, others = np.bincount(label[200:], minlength=5), 200
    assert missing in {int(size * (others - size)) for size in own}


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_where_most_anchors_are_sampled():
    random = np.random.default_rng(0)
    of_all = 1000.0 * random.integers(1, 4, 600)
    hard = np.maximum(np.round(of_all * np.minimum(1, 0.05 * random.gamma(0.5, 2, 600))), random.random(600) < 0.9)
    truth, times = hard.sum() / of_all.sum(), 120
    for anchors in (250, 540):
        held, widths = 0, []
        for seed in range(times):
            some = random.choice(600, anchors, replace=False)
            low, high, _ = shares.of_sample(hard[some], of_all[some], 0.9, seed, 600)
            held += low <= truth <= high
            widths.append(high - low)
        assert 0.8 < held / times < 0.975, anchors  # 0.9 by at most 3.5 standard errors
    low, high, _ = shares.of_sample(hard, of_all, 0.9, 0, 600)
    assert low == high == pytest.approx(truth, rel=1e-12)


def test_all_anchors_are_no_estimate(tmp_path):
    emb, label = clouds(60)
    np.savez(tmp_path / "x.npz", emb=emb, label=label)
    plain = run_lossctl("triplets", tmp_path / "x.npz", "-f", "tsv").out
    some = run_lossctl("triplets", tmp_path / "x.npz", "-f", "tsv", "--anchors", "60", "-v")
    assert some.out == plain and "all are counted" in some.err


@pytest.mark.slow
def test_an_estimate_is_marked_in_every_format(tmp_path):
    emb, label = clouds()
    path = tmp_path / "x.npz"
    np.savez(path, emb=emb, label=label)
    call = ["triplets", path, "--margin", "0.5", "--anchors", "300", "--seed", "1"]
    for format in ("tsv", "csv", "md", "latex"):
        out = run_lossctl(*call, "-f", format).out
        assert "estimate" in out and "300" in out and "400" in out, format
    assert run_lossctl(*call, "-f", "table").out.startswith("estimate from 300 of 400 anchors, seed 1")
    document = json.loads(run_lossctl(*call, "--json", "--metrics", tmp_path / "m.json").out)
    assert document["sample"] == {"anchors": 300, "of": 400, "seed": 1}
    assert "|estimate:300-of-400-anchors-by-1|" in document["signature"]
    assert document["confidence"]["unit"] == "anchors" and document["confidence"]["level"] == 0.95
    hard = document["results"][0]["intervals"]["hard"]
    assert 0 < hard["low"] < document["results"][0]["shares"]["hard"] < hard["high"] < 1
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["estimate/anchors"] == 300 and metrics["margin 0.5/hard/low"] == hard["low"]
    for refused in (["-b"], ["--plot", tmp_path / "x.png"], ["--by", "class"]):
        done = run_lossctl(*call, *refused)
        assert done.code == 2
        assert f"{refused[0].replace('-b', '--bare') if len(refused) == 1 else refused[0]} with --anchors" in done.err


@pytest.mark.slow
def test_shares_that_tell_nothing_have_no_interval_and_say_why():
    emb, label = clouds()
    few = lossctl.triplets(emb, label, margin=0.5, anchors=90)
    assert all(math.isnan(end.low) for end in few.breakdown.margins[0].intervals)
    assert any("fewer than 200 sampled anchors" in text and "count more --anchors" in text for text in few.remarks)
    apart = lossctl.triplets(emb + 1000 * label[:, None], label, margin=0.5, ci=0.95)
    assert [math.isnan(end.low) for end in apart.breakdown.margins[0].intervals] == [True] * 3
    assert any("no triplet is of this kind, or all are" in text for text in apart.remarks)
    small = lossctl.triplets(emb[:19], label[:19], ci=0.95)
    assert any("19 points are too few" in text for text in small.remarks)


@pytest.mark.slow
def test_wider_levels_hold_narrower_ones():
    emb, label = clouds()
    for settings in ({"anchors": 300}, {}):
        ends = [
            lossctl.triplets(emb, label, margin=0.5, ci=level, **settings).breakdown.margins[0].intervals[2]
            for level in (0.99, 0.9, 0.5)
        ]
        lows, highs = [end.low for end in ends], [end.high for end in ends]
        assert 0 < lows[0] < lows[1] < lows[2] < highs[2] < highs[1] < highs[0] < 1


def test_log_odds_of_points_are_those_of_a_t_interval():
    stats = pytest.importorskip("scipy.stats")
    left_out = np.array([0.1, 0.12, 0.11, 0.09, 0.13])
    low, high, _ = shares.of_points(0.11, left_out, 0.9)
    odds = [math.log(share / (1 - share)) for share in (low, 0.11, high)]
    error = math.sqrt(4 / 5 * ((left_out - 0.11) ** 2).sum()) / (0.11 * 0.89)
    assert odds[2] - odds[1] == pytest.approx(odds[1] - odds[0])
    assert odds[2] - odds[1] == pytest.approx(stats.t.ppf(0.95, 4) * error, rel=1e-9)
