"""From a number to a decision: rows, groups, intervals, gates. The truths are scipy's, simulations, and plain loops."""

import csv
import dataclasses
import functools
import io
import itertools
import json
import math

import numpy as np
import pytest
import scipy.stats
from conftest import ROOT, examples, run_lossctl
from hypothesis import given, settings
from hypothesis import strategies as st

import lossctl
from lossctl.api import compute as assess
from lossctl.errors import DataError, UsageError
from lossctl.language import registry
from lossctl.resampling import bootstrap, draws, survey
from lossctl.resampling.clusters import table_of
from lossctl.resampling.draws import Draws
from lossctl.rows import by_row, checks, facts, groups, hardest

BCE = ("compute", "bce", "samples/preds.csv")
PROB, LABEL = np.load(ROOT / "samples/preds.npy").T
LOSS = np.where(LABEL == 1, -np.log(PROB), -np.log1p(-np.minimum(PROB, 1 - 2**-53)))


def assessed(spec, inputs, *, side=None, confidence=None, reduction=None, weight=None, jobs=2, also=()):
    """The results of a loss of arrays."""
    beside = {"side": side or assess.Side(), "weight": weight}
    wanted = [assess.Request(registry.parse(spec), {}, inputs, None, reduction, **beside)]
    wanted += [assess.Request(registry.parse(text), {}, **beside) for text in also]
    with assess.prepared(wanted, jobs=jobs) as shared:
        return assess.results(shared, confidence)


def interval_of(values, **options):
    """The interval of a mean of values, as mean-error of zeros."""
    (result,) = assessed("mean-error", [np.zeros(len(values)), values], confidence=assess.Confidence(**options))
    return result.ci


# --- random weights


def test_weights_are_poisson_and_depend_on_seed_resample_and_row_only():
    n, resamples = 4000, 50
    asked = Draws(7, resamples)
    weights = draws.resample_sums(asked, np.arange(n), np.eye(n)[:, :200]).table[:, :200]
    kinds, counts = np.unique(draws.resample_sums(asked, np.arange(200), np.eye(200)).table, return_counts=True)
    assert np.array_equal(weights, draws.resample_sums(asked, np.arange(200), np.eye(200)).table)
    expected = scipy.stats.poisson(1).pmf(kinds) * 200 * resamples
    usual = expected > 5
    statistic = ((counts - expected)[usual] ** 2 / expected[usual]).sum()
    assert scipy.stats.chi2(usual.sum() - 1).sf(statistic) > 1e-3
    alone = draws.resample_sums(asked, np.array([17, 3]), np.eye(2)).table
    assert np.array_equal(alone, weights[:, [17, 3]])
    assert np.array_equal(draws.resample_sums(Draws(7, 13), np.arange(200), np.eye(200)).table, weights[:13])
    assert not np.array_equal(draws.resample_sums(Draws(8, resamples), np.arange(200), np.eye(200)).table, weights)


def test_weights_of_rows_and_of_resamples_are_uncorrelated():
    weights = draws.resample_sums(Draws(1, 600), np.arange(600), np.eye(600)).table
    for table in (weights, weights.T):
        off = np.corrcoef(table)[np.triu_indices(600, 1)] * math.sqrt(600)
        assert abs(off.mean()) < 0.02
        assert 0.98 < off.std() < 1.02


def test_signs_are_fair_and_independent():
    signs = draws.flip_sums(Draws(3, 1000), np.arange(500), np.eye(500)).table
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 4 / math.sqrt(signs.size)
    off = np.corrcoef(signs.T)[np.triu_indices(500, 1)] * math.sqrt(1000)
    assert 0.98 < off.std() < 1.02


def test_every_flip_sum_is_every_pattern():
    sums = draws.every_flip_sum(np.array([[1.0], [2.0], [4.0]]))[:, 0]
    assert sorted(sums) == [-7, -5, -3, -1, 1, 3, 5, 7]


# --- intervals


def resampled_means(values, asked):
    sums = bootstrap.sample(asked, np.arange(len(values)), np.stack([values, np.ones(len(values))], axis=1)).sums.table
    held = sums[:, 1] > 0
    return sums[held, 0] / sums[held, 1]


def acceleration_of(values):
    """The a of BCa of a mean."""
    moments = bootstrap.moments(np.stack([values, np.ones(len(values))], axis=1))
    return moments.about(np.array([values.mean()])).influence(np.array([1.0, 0.0])).acceleration


def test_moments_merge_about_any_centre():
    rng = np.random.default_rng(0)
    t, w = rng.gamma(2, 3, 1000), rng.uniform(0.5, 2, 1000)
    columns = np.stack([t, t**2, w], axis=1)
    merged = bootstrap.moments(columns[:300]).merge(bootstrap.moments(columns[300:]))
    means = columns[:, :-1].sum(axis=0) / w.sum()
    e = columns - np.append(means, 0) * w[:, None]
    about = merged.about(means)
    assert about.pairs == pytest.approx(np.einsum("ni,nj->ij", e, e), rel=1e-11)
    assert about.triples == pytest.approx(np.einsum("ni,nj,nk->ijk", e, e, e), rel=1e-10)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_agree_with_scipy(method):
    values = np.random.default_rng(2).gamma(1.5, 2.0, 400)
    ours = interval_of(values, method=method, resamples=20_000)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, method="BCa" if method == "bca" else method, n_resamples=20_000, rng=1
    )
    for end, truth in zip((ours.low, ours.high), theirs.confidence_interval, strict=True):
        assert end == pytest.approx(truth, abs=0.08 * theirs.standard_error)
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.02)


def test_the_arithmetic_of_bca_is_scipy_s():
    """The same resamples give the same interval."""
    values = np.random.default_rng(5).gamma(1.0, 1.0, 60)
    theirs = scipy.stats.bootstrap((values,), np.mean, method="BCa", n_resamples=999, rng=9)
    ours = bootstrap.interval(
        theirs.bootstrap_distribution, values.mean(), 0.95, "bca",
        bootstrap.jackknife_acceleration((values.sum() - values) / 59),
    )  # fmt: skip
    assert ours == pytest.approx(tuple(theirs.confidence_interval), rel=1e-12)
    assert acceleration_of(values) == pytest.approx(bootstrap.jackknife_acceleration((values.sum() - values) / 59))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_cover_as_often_as_they_say(method):
    """1,000 data sets of 200 rows; the mean of squared errors of a normal is a skewed statistic."""
    rng = np.random.default_rng(11)
    covered = 0
    for seed in range(1000):
        values = rng.normal(size=200) ** 2
        low, high = bootstrap.interval(
            resampled_means(values, Draws(seed, 999)), values.mean(), 0.95, method, acceleration_of(values)
        )
        covered += low <= 1 <= high
    assert 930 <= covered <= 970


def test_a_cluster_interval_is_that_of_the_clusters():
    """Rows that repeat within clusters carry no more than their cluster does."""
    rng = np.random.default_rng(4)
    means = rng.normal(size=150)
    values, cluster = np.repeat(means, 20), np.repeat(np.arange(150), 20)
    confidence = assess.Confidence(resamples=8000)
    inputs = [np.zeros(3000), values]
    (by_cluster,) = assessed("mean-error", inputs, side=assess.Side(cluster=cluster), confidence=confidence)
    theirs = scipy.stats.bootstrap((means,), np.mean, n_resamples=8000, rng=0)
    assert by_cluster.ci.standard_error == pytest.approx(theirs.standard_error, rel=0.03)
    assert (by_cluster.ci.unit, by_cluster.ci.units) == ("clusters", 150)
    assert by_cluster.ci.low == pytest.approx(theirs.confidence_interval.low, abs=0.15 * theirs.standard_error)
    order = rng.permutation(3000)
    (shuffled,) = assessed(
        "mean-error", [np.zeros(3000), values[order]], side=assess.Side(cluster=cluster[order]), confidence=confidence
    )
    assert shuffled.ci.low == pytest.approx(by_cluster.ci.low, rel=1e-12)


@pytest.mark.parametrize("rows", [100, 70_001])
def test_threads_change_nothing_and_blocks_nothing_but_the_last_digit(rows):
    values = np.random.default_rng(1).normal(size=rows)
    ends = [
        assessed("mse", [values, np.zeros(rows)], confidence=assess.Confidence(resamples=50), jobs=jobs)[0].ci
        for jobs in (1, 2, 5)
    ]
    assert ends[0] == ends[1] == ends[2]
    squares = values**2
    low, high = bootstrap.interval(
        resampled_means(squares, Draws(0, 50)), squares.mean(), bootstrap.widened(0.95, rows), "bca",
        acceleration_of(squares),
    )  # fmt: skip
    assert (ends[0].low, ends[0].high) == pytest.approx((low, high), rel=1e-10)


def test_sums_weights_positives_and_roots_have_their_intervals():
    confidence = assess.Confidence(resamples=400)
    mean = assessed("bce", [PROB, LABEL], confidence=confidence)[0]
    total = assessed("bce", [PROB, LABEL], confidence=confidence, reduction="sum")[0]
    assert total.ci.low == pytest.approx(285 * mean.ci.low)
    doubled = assessed("bce", [PROB, LABEL], confidence=confidence, weight=np.full(285, 2.0))[0]
    assert (doubled.ci.low, doubled.ci.high) == pytest.approx((mean.ci.low, mean.ci.high))
    positives = assessed("bce", [PROB, LABEL], confidence=confidence, reduction="positives")[0]
    assert positives.ci.low < positives.value < positives.ci.high
    squares = assessed("mse", [PROB, LABEL], confidence=confidence)[0]
    roots = assessed("rmse", [PROB, LABEL], confidence=confidence)[0]
    assert roots.ci.low == pytest.approx(math.sqrt(squares.ci.low))
    assert roots.ci.standard_error == pytest.approx(squares.ci.standard_error / (2 * roots.value), rel=0.05)


def test_few_rows_have_student_s_interval():
    values = np.array([0.3, 1.2, 0.7, 2.2, 0.4])
    (result,) = assessed("mean-error", [np.zeros(5), values], confidence=assess.Confidence())
    theirs = scipy.stats.t.interval(0.95, 4, values.mean(), scipy.stats.sem(values))
    assert (result.ci.low, result.ci.high) == pytest.approx(theirs, rel=1e-9)
    assert result.ci.method == "t" and "5 units (effective n 5), and is by Student's t" in result.warnings[-1]


def test_equal_rows_and_one_row_say_why_they_have_no_width_and_no_interval():
    for value in np.random.default_rng(0).normal(size=40):
        (same,) = assessed("mean-error", [np.zeros(12), np.full(12, value)], confidence=assess.Confidence())
        assert (same.ci.low, same.ci.high, same.ci.standard_error) == (same.value, same.value, 0)
        assert "no width" in same.warnings[-1]
        (single,) = assessed("mean-error", [np.zeros(1), np.full(1, value)], confidence=assess.Confidence())
        assert math.isnan(single.ci.low) and math.isnan(single.ci.high) and "single unit" in single.warnings[-1]


def test_weights_tell_the_effective_n():
    rng = np.random.default_rng(1)
    weight, values = rng.lognormal(0, 1.2, 20), rng.random(20)
    (result,) = assessed("mean-error", [np.zeros(20), values], weight=weight, confidence=assess.Confidence())
    assert f"effective n {weight.sum() ** 2 / (weight**2).sum():.3g}" in result.warnings[-1]


@pytest.mark.parametrize(("loss", "is_said"), [("mse", True), ("mean-error", False)])
def test_few_and_skewed_rows_are_named(loss, is_said):
    """Squares of normal errors have skewness 2.8."""
    values = np.random.default_rng(0).normal(size=50)
    (result,) = assessed(loss, [np.zeros(50), values], confidence=assess.Confidence())
    assert any("few and skewed rows" in warning for warning in result.warnings) == is_said
    (many,) = assessed(loss, [np.zeros(500), np.tile(values, 10)], confidence=assess.Confidence())
    assert not many.warnings


@pytest.mark.parametrize(("tail", "is_said"), [(1.0, False), (2.0, True)])
def test_many_rows_of_which_few_make_up_the_value_are_named(tail, is_said):
    """Intervals of 300 log-normal rows hold 93 % of truths where sigma is 1, and 85 % where it is 2."""
    values = np.exp(tail * scipy.stats.norm.ppf((np.arange(300) + 0.5) / 300))
    (result,) = assessed("mean-error", [np.zeros(300), values], confidence=assess.Confidence())
    assert any("few rows make up" in warning for warning in result.warnings) == is_said


@pytest.mark.parametrize("loss", ["mean-error", "gini"])
def test_clusters_of_unequal_weight_tell_the_same_effective_n_by_every_engine(loss):
    """Twenty clusters of one or six rows tell as much as (sum of w)^2 / (sum of w^2) of equal ones."""
    sizes = np.repeat([1, 6], 10)
    cluster, values = np.repeat(np.arange(20), sizes), (np.random.default_rng(0).random(70) < 0.2).astype(int)
    inputs = [np.zeros(70), values] if loss == "mean-error" else [values]
    (result,) = assessed(loss, inputs, side=assess.Side(cluster=cluster), confidence=assess.Confidence())
    assert f"effective n {sizes.sum() ** 2 / (sizes**2).sum():.3g}" in result.warnings[-1]


@settings(max_examples=examples(30))
@given(st.data())
def test_neither_cuts_nor_the_order_of_merging_change_a_byte(data):
    """Values, what the interval is made of, with clusters too, and facts."""
    n = data.draw(st.integers(2, 60))
    values = np.array(data.draw(st.lists(st.floats(-1e9, 1e9) | st.floats(), min_size=n, max_size=n)))
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=6)))
    aspects = survey.Aspects(draws=Draws(1, 40), cluster=data.draw(st.sampled_from([None, 0])))
    weight, names = np.linspace(0.1, 7, n), np.arange(n) % 5

    def piece(start, stop):
        here = slice(start, stop)
        remark = ("first", "second")[start % 2]
        rows = by_row.Rows(checks.RowNumbers(start, None), values[here], weight[here], (values[here], weight[here]),
                           facts.Facts(infinite_rows=(start,), infinite=1, remarks=(remark,)))  # fmt: skip
        return survey.slice_of(by_row.Scored(rows, (names[here],), ()), None, aspects)

    def told(pieces):
        total = functools.reduce(lambda a, b: a.merge(b), pieces)
        sample, clusters = total.sample, total.clusters and table_of(total.clusters)
        about = sample and sample.moments.about(np.array([0.5]))
        parts = [part.tobytes() for part in (sample.sums.table, about.pairs, about.triples)] if sample else []
        return total.part, parts, clusters and (clusters.names, clusters.sums.tobytes())

    ends = [0, *cuts, n]
    parts = [pair for pair in itertools.pairwise(ends) if pair[0] < pair[1]]
    first, second = (told([piece(*pair) for pair in data.draw(st.permutations(parts))]) for _ in range(2))
    assert first == second
    assert (first[0].sums, first[1:]) == (told([piece(0, n)])[0].sums, told([piece(0, n)])[1:])


@pytest.mark.slow
@pytest.mark.parametrize("test", ["sign-flip", "bootstrap"])
def test_the_size_of_blocks_changes_no_byte_of_an_answer(test, monkeypatch):
    rng = np.random.default_rng(5)
    n = 300
    rows = {
        "prob": rng.random(n),
        "other": rng.random(n),
        "label": rng.integers(0, 2, n),
        "w": np.exp(rng.normal(size=n)),
    }
    group, cluster = rng.integers(0, 3, n), rng.integers(0, 40, n)
    rows["prob"][7] = np.nan
    rows["prob"][rows["label"] == 0][9] = 1.0

    def answers():
        shared = {"weight": rows["w"], "resamples": 200, "skip_nan": True}
        for more in ({}, {"cluster": cluster}):
            for loss in ("bce", "gini"):
                inputs = [rows["prob"], rows["label"]] if loss == "bce" else [rows["label"] + 2 * (rows["other"] > 0.7)]
                yield lossctl.compute(loss, *inputs, group=group, ci=0.9, **shared, **more)
            yield lossctl.compute("r2", rows["prob"], rows["other"], ci=0.9, **shared, **more)
            yield lossctl.compare(
                rows["prob"], rows["other"], target=rows["label"], loss="bce", test=test, **shared, **more
            )

    told = []
    for size in (1 << 17, 64, 10):
        monkeypatch.setattr(by_row, "BLOCK_VALUES", size)
        together = (answer if isinstance(answer, tuple) else (answer,) for answer in answers())
        told.append([repr(dataclasses.asdict(answer)) for several in together for answer in several])
    assert told[0] == told[1] == told[2]


def macro_of(values, group, **options):
    results = assessed(
        "mean-error", [np.zeros(len(values)), values], side=assess.Side(group=group),
        confidence=assess.Confidence(**{"resamples": 200, **options}),
    )  # fmt: skip
    return results[1]


def test_the_mean_of_two_small_groups_is_welch_s():
    values, group = np.random.default_rng(2).normal(size=14), np.repeat([0, 1], [5, 9])
    macro = macro_of(np.where(group == 1, -values, values), group)
    theirs = scipy.stats.ttest_ind(values[:5], values[5:], equal_var=False).confidence_interval(0.95)
    assert (macro.ci.low, macro.ci.high) == pytest.approx((theirs.low / 2, theirs.high / 2), rel=1e-9)
    assert macro.ci.method == "welch" and "degrees of freedom" in macro.warnings[-1]


def test_a_group_of_one_row_is_said():
    macro = macro_of(np.arange(5.0), np.array([0, 0, 1, 2, 2]))
    assert math.isnan(macro.ci.low) and "1 of 3 have a single row: 1" in macro.warnings[-1]


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(12, 4, 2, 2), (2,) * 12, (60, 40)], ids=str)
def test_the_mean_of_groups_is_covered(sizes):
    group = np.repeat(np.arange(len(sizes)), sizes)
    covered = 0
    for seed in range(200):
        ci = macro_of(np.random.default_rng(seed).normal(size=len(group)) + group, group, seed=seed).ci
        covered += ci.low <= np.mean(np.arange(len(sizes))) <= ci.high
    assert covered >= 200 * (0.95 - 3 * math.sqrt(0.95 * 0.05 / 200))


def test_no_interval_where_there_is_none():
    (result,) = assessed("bce", [np.array([0.5, 0.0]), np.ones(2)], confidence=assess.Confidence())
    assert result.status == "inf"
    assert math.isnan(result.ci.low) and result.to_dict()["ci"]["low"] is None
    (same,) = assessed("mse", [np.ones(9), np.zeros(9)], confidence=assess.Confidence())
    assert (same.ci.low, same.ci.high, same.ci.standard_error) == (1, 1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("question", ["interval", "more resamples", "top", "keep", "rows"])
def test_memory_does_not_grow_with_the_rows(question, tmp_path):
    """Two million rows, 32 MB, in an NPY: what is held at once is a few MB, whatever is asked."""
    import tracemalloc

    n = 2_000_000
    np.save(tmp_path / "p.npy", np.random.default_rng(0).random((n, 2)))
    wanted = [assess.Request(registry.parse("mse"), {}, [str(tmp_path / "p.npy")])]
    with assess.prepared(wanted, jobs=2) as shared:
        tracemalloc.start()
        if question == "top":
            assert len(assess.top(shared, 100).loss) == 100
        elif question == "keep":
            assert assess.kept(shared, hardest.Kept(None, 50.0))[0].n == n // 2
        elif question == "rows":
            assert sum(shared.score(lambda scored: len(scored[0].rows.total))) == n
        else:
            confidence = assess.Confidence(resamples=10 if question == "interval" else 60)
            assert assess.results(shared, confidence)[0].ci.units == n
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 40e6 + 30 * 2**20 * (question in ("interval", "more resamples"))  # what keep_freed_memory makes


# --- groups


def test_groups_are_the_losses_of_their_rows():
    results = assessed("bce", [PROB, LABEL], side=assess.Side(group=LABEL.astype(int)))
    micro, macro, zero, one = results
    assert (micro.average, macro.average, zero.group, one.group) == ("micro", "macro", "0", "1")
    assert micro.value == pytest.approx(LOSS.mean())
    assert zero.value == pytest.approx(LOSS[LABEL == 0].mean())
    assert macro.value == pytest.approx((zero.value + one.value) / 2)
    assert (micro.n, zero.n + one.n) == (285, 285)


@pytest.mark.parametrize("kinds", [0, 1, 3, 64, 65, 5000, 70_000])
def test_rows_of_a_group_are_those_that_have_its_name(kinds):
    """Also names that the first thousand rows do not have, longer and shorter ones, and many."""
    rng = np.random.default_rng(kinds)
    words = np.array([f"{'long ' * (kind % 3)}{kind}" for kind in range(kinds)])
    column = words[np.sort(rng.integers(0, kinds, 3000 + kinds))] if kinds else np.zeros(0, str)
    expected: dict[str, list[int]] = {}
    for at, name in enumerate(column.tolist()):
        expected.setdefault(name, []).append(at)
    for names in (column, column.astype(object)):
        found = groups.slices(names, None)
        assert [(name, at.tolist()) for name, at in found] == sorted(expected.items())


def test_a_group_s_interval_is_that_of_its_rows_alone():
    confidence = assess.Confidence(resamples=300)
    group = (np.arange(285) >= 100).astype(int)
    first = assessed("bce", [PROB, LABEL], side=assess.Side(group=group), confidence=confidence)[2]
    (alone,) = assessed("bce", [PROB[:100], LABEL[:100]], confidence=confidence)
    assert first.value == alone.value
    assert (first.ci.low, first.ci.high) == pytest.approx((alone.ci.low, alone.ci.high))


def test_the_macro_interval_agrees_with_scipy():
    rng = np.random.default_rng(3)
    group = np.repeat([0, 1], [300, 100])
    values = rng.gamma(1 + group, 1)
    macro = assessed(
        "mean-error", [np.zeros(400), values], side=assess.Side(group=group),
        confidence=assess.Confidence(resamples=9999),
    )[1]  # fmt: skip
    theirs = scipy.stats.bootstrap(
        (values[:300], values[300:]), lambda a, b, axis: (a.mean(axis) + b.mean(axis)) / 2, n_resamples=9999, rng=0
    )
    assert macro.ci.standard_error == pytest.approx(theirs.standard_error, rel=0.03)
    for end, truth in zip((macro.ci.low, macro.ci.high), theirs.confidence_interval, strict=True):
        assert end == pytest.approx(truth, abs=0.08 * theirs.standard_error)


@pytest.mark.parametrize("scale", [1e60, 1e120, 1e150])
def test_losses_too_large_to_cube_have_no_bca_interval_but_a_percentile_one(scale):
    values = np.random.default_rng(0).random(50)
    ours = interval_of(scale * values)
    assert (math.isnan(ours.low), math.isnan(ours.high)) == (scale > 1e100,) * 2
    plain = interval_of(scale * values, method="percentile")
    assert plain.low == pytest.approx(scale * interval_of(values, method="percentile").low, rel=1e-12)


def test_small_and_large_groups_are_summed_alike():
    """Groups of a few rows are summed one by one, in the same exact arithmetic; weights and infinities too."""
    rng = np.random.default_rng(6)
    values = rng.normal(size=3000) * 10.0 ** rng.integers(-200, 100, 3000)
    weight = rng.uniform(0.1, 3, 3000)
    group = np.minimum(rng.integers(0, 2000, 3000), 1000)
    found = assessed("mean-error", [np.zeros(3000), values], side=assess.Side(group=group), weight=weight)
    for result in found[2::97]:
        mine = group == int(result.group)
        truth = math.fsum((values * weight)[mine]) / math.fsum(weight[mine])
        assert result.value == pytest.approx(truth, rel=1e-15)
    infinite = assessed("bce", [np.array([0.0, 0.5, 0.5]), np.ones(3)], side=assess.Side(group=np.array([1, 1, 2])))
    assert [result.value for result in infinite[2:]] == [math.inf, math.log(2)]


def test_bins_hold_every_row_once():
    results = assessed("bce", [PROB, LABEL], side=assess.Side(group=PROB, bins=7))[2:]
    assert sum(result.n for result in results) == 285
    edges = np.linspace(PROB.min(), PROB.max(), 8)
    last = np.clip(np.searchsorted(edges, PROB, side="right") - 1, 0, 6) == 6
    assert results[-1].value == pytest.approx(LOSS[last].mean())
    assert results[-1].group.endswith("]")


def test_also_reads_once_and_says_the_same_as_alone():
    together = assessed("bce", [PROB, LABEL], also=["focal:gamma=2", "mse"])
    assert [one.value for one in together] == [
        assessed(spec, [PROB, LABEL])[0].value for spec in ("bce", "focal:gamma=2", "mse")
    ]


# --- the hardest


def hardest_rows(loss, count):
    return np.lexsort((np.arange(len(loss)), -loss))[:count]


@settings(max_examples=examples(100))
@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, 1e300, 5e-324]), min_size=1, max_size=60), st.data())
def test_the_hardest_are_a_sort_away(values, data):
    loss = np.array(values)
    count = data.draw(st.integers(1, len(loss)))
    with assess.prepared([assess.Request(registry.parse("mean-error"), {}, [np.zeros(len(loss)), loss])]) as shared:
        found = assess.top(shared, count)
        part = hardest.mean_of_hardest(shared.score_rows, 0, hardest.Kept(count, None))
    best = hardest_rows(loss, count)
    assert found.number.tolist() == best.tolist()
    assert float(part.sums[0]) == pytest.approx(math.fsum(loss[best]), rel=1e-15, abs=0)
    assert part.n == count


def test_the_hardest_of_many_blocks_with_ties():
    rng = np.random.default_rng(8)
    loss = rng.integers(0, 5, 200_000).astype(float)
    weight = rng.uniform(1, 2, 200_000)
    wanted = assess.Request(registry.parse("mean-error"), {}, [np.zeros(len(loss)), loss])
    with assess.prepared([wanted._replace(side=assess.Side(id=np.arange(200_000) * 2))]) as shared:
        found = assess.top(shared, 50_000)
    best = hardest_rows(loss, 50_000)
    assert np.array_equal(found.number, best)
    assert np.array_equal(found.side[0], 2 * best)
    assert np.array_equal(found.inputs[1], loss[best])
    with assess.prepared([wanted._replace(weight=weight)]) as shared:
        (kept,) = assess.kept(shared, hardest.read_kept("10%"))
    best = hardest_rows(loss * weight, 20_000)
    assert kept.value == pytest.approx((loss * weight)[best].sum() / weight[best].sum(), rel=1e-12)
    assert kept.n == 20_000


def test_nan_is_hardest_and_an_infinite_row_is_named(tmp_path):
    np.save(tmp_path / "p.npy", np.array([[0.5, 1], [0.0, 1], [0.9, 1]]))
    done = run_lossctl("compute", "bce", "--top", "2", tmp_path / "p.npy")
    assert [line.split("\t")[1:3] for line in done.out.splitlines()[1:]] == [["1", "inf"], ["0", "0.6931471805599453"]]
    assert "p.npy: row 1" in done.err


# --- the command line


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "json", "ndjson", "tsv", "csv", "md", "latex", "bare"])
@pytest.mark.parametrize(
    "question", [("--ci", "0.95", "--resamples", "99"), ("-g", "label"), ("--keep", "10%"), ("--also", "focal")],
    ids=lambda question: question[0],
)  # fmt: skip
def test_every_format_of_every_question_holds_its_values(question, format):
    done = run_lossctl(*BCE, *question, "-f", format, COLUMNS="200")
    if (question[0], format) == ("--ci", "bare"):
        assert done.code == 2 and "the bare number has no interval" in done.err
        return
    assert done.code == 0, done.err
    truth = np.sort(LOSS)[-29:].mean() if question[0] == "--keep" else LOSS.mean()
    text = done.out.replace("\n", " ")
    assert f"{truth:.9f}"[:10] in text
    if format == "json":
        records = json.loads(done.out)["results"]
        assert records[0]["value"] == pytest.approx(truth)
        if question[0] == "--ci":
            assert records[0]["ci"]["low"] < truth < records[0]["ci"]["high"]
            assert records[0]["ci"]["resamples"] == 99
    if format == "csv":
        assert float(next(csv.DictReader(io.StringIO(done.out)))["value"]) == pytest.approx(truth)


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["tsv", "csv", "ndjson", "bare", "npy"])
def test_row_losses_in_every_format(format, tmp_path):
    target = tmp_path / f"rows.{format}"
    choice = () if format == "npy" else ("-f", format)
    beside = () if format == "bare" else ("--id", "label", "-g", "samples/preds.csv::label")
    done = run_lossctl(*BCE, "--per-row", *beside, "-o", target, *choice)
    assert (done.code, done.out) == (0, ""), done.err
    if format == "npy":
        rows = np.load(target)
        assert rows.dtype.names == ("row", "id", "group", "loss")
        assert np.array_equal(rows["id"], LABEL)
        losses = rows["loss"]
    elif format == "bare":
        losses = [float(line) for line in target.read_text().split()]
    elif format == "ndjson":
        losses = [json.loads(line)["loss"] for line in target.read_text().splitlines()]
    else:
        with open(target) as file:
            rows = list(csv.DictReader(file, delimiter="\t" if format == "tsv" else ","))
        assert [int(row["row"]) for row in rows] == list(range(285))
        assert [float(row["id"]) for row in rows] == LABEL.tolist()
        losses = [float(row["loss"]) for row in rows]
    assert np.allclose(losses, LOSS, rtol=1e-13, atol=0)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "ndjson", "npy"])
def test_the_name_of_the_output_tells_the_format(suffix, tmp_path):
    target = tmp_path / f"rows.{suffix}"
    assert run_lossctl(*BCE, "--per-row", "-o", target).code == 0
    starts = {"csv": b"row,loss\n", "tsv": b"row\tloss\n", "ndjson": b'{"row": 0,', "npy": b"\x93NUMPY"}
    assert target.read_bytes().startswith(starts[suffix])


def test_text_identifiers_keep_their_text(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text('name,pred,target\n"a, ""b""",1,3\nlong name,2,2\n')
    done = run_lossctl("compute", "mse", path, "--per-row", "--id", "name", "-f", "csv")
    assert next(csv.DictReader(io.StringIO(done.out))) == {"row": "0", "id": 'a, "b"', "loss": "4.0"}
    run_lossctl("compute", "mse", path, "--per-row", "--id", "name", "-o", tmp_path / "r.npy")
    assert np.load(tmp_path / "r.npy")["id"].tolist() == ['a, "b"', "long name"]


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "json", "ndjson", "tsv", "csv", "md", "latex"])
def test_the_hardest_rows_in_every_format(format):
    done = run_lossctl(*BCE, "--top", "3", "--id", "label", "-f", format)
    assert done.code == 0, done.err
    best = hardest_rows(LOSS, 3)
    if format == "json":
        rows = json.loads(done.out)["results"]
        assert [row["row"] for row in rows] == best.tolist()
        assert rows[0]["inputs"] == {"prob": PROB[best[0]], "label": LABEL[best[0]]}
    elif format == "ndjson":
        assert [json.loads(line)["row"] for line in done.out.splitlines()] == best.tolist()
    else:
        assert f"{LOSS[best[0]]:.9f}"[:9] in done.out and str(best[0]) in done.out


def test_rows_with_a_missing_value_are_left_out_of_every_column(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("id,g,pred,target\na,x,1,3\nb,NA,1,1\nc,y,NA,1\nd,y,0,1\n")
    done = run_lossctl("compute", "mse", path, "--na", "skip", "--per-row", "--id", "id", "-g", "g", "-f", "csv")
    assert done.out.splitlines() == ["row,id,group,loss", "0,a,x,4.0", "3,d,y,1.0"]
    assert run_lossctl("compute", "mse", path, "--per-row", "--id", "id").code == 3


# --- gates


@pytest.mark.first_fast
@pytest.mark.parametrize(
    ("bound", "code"),
    [
        (("--max", "0.17"), 0),
        (("--max", "0.16"), 1),
        (("--min", "0.16"), 0),
        (("--min", "0.17"), 1),
        (("--max", "0.17", "--min", "0.17"), 1),
        (("--ci", "0.9", "--resamples", "50", "--max", "0.16"), 1),
        (("-g", "label", "--max", "0.17"), 1),
        (("--keep", "10", "--max", "0.17"), 1),
    ],
    ids=str,
)
def test_a_gate_ends_with_1_and_the_number_is_printed(bound, code):
    done = run_lossctl(*BCE, *bound, "--json")
    assert done.code == code
    gates = [record["gate"] for record in json.loads(done.out)["results"]]
    assert all(gate["passed"] for gate in gates) == (code == 0)
    assert ("gate failed" in done.err) == (code == 1)


def test_a_saved_result_is_a_baseline(tmp_path):
    saved = tmp_path / "saved.json"
    assert run_lossctl(*BCE, "--json", "-o", saved).code == 0
    increase = ("--max-increase", "5%", "--baseline", saved)
    assert run_lossctl(*BCE, *increase).code == 0
    document = json.loads(saved.read_text())
    document["results"][0]["value"] /= 1.06
    (result,) = document["results"]
    del result["params"]["label-smoothing"]  # as a version that had no such option saved it
    result["signature"] = result["signature"].replace("|label-smoothing:0", "")
    saved.write_text(json.dumps(document))
    done = run_lossctl(*BCE, *increase)
    assert (done.code, float(done.out)) == (1, pytest.approx(LOSS.mean())) and "warning" not in done.err
    assert run_lossctl(*BCE, "--max-increase", "7%", "--baseline", saved).code == 0
    assert run_lossctl(*BCE, "--label-smoothing", "0.1", *increase).code == 3
    other = run_lossctl("compute", "focal", "samples/preds.csv", *increase)
    assert other.code == 3 and "error: the baseline does not hold focal" in other.err
    document["results"][0]["value"] = None
    saved.write_text(json.dumps(document))
    assert run_lossctl(*BCE, *increase).code == 1


def saved_run(tmp_path, text, name, *options):
    path = tmp_path / f"{name}.csv"
    path.write_text("pred,target,g,w\n" + text)
    out = tmp_path / f"{name}.json"
    assert run_lossctl("compute", "mse", path, *options, "--json", "-o", out).code == 0
    return path, ("--max-increase", "900%", "--baseline", out)


ROWS = "1,2,a,1\n2,2,b,1\n3,1,b,2\n4,1,c,1\n"


@pytest.mark.first_fast
@pytest.mark.parametrize(
    ("text", "before", "now", "said"),
    [
        (ROWS + "1,1,a,1\n", (), (), "n is 5, was 4"),
        (ROWS, (), ("-w", "now.csv::w"), "w is sum-w, was none"),
        (ROWS.replace("c", "a"), ("-g", "g"), ("-g", "g"), "group c of the baseline is not here"),
        (ROWS, (), (), ""),
    ],
    ids=["rows", "weights", "groups", "alike"],
)
def test_a_baseline_of_something_else_is_said_and_fails_if_strict(tmp_path, text, before, now, said):
    _, increase = saved_run(tmp_path, ROWS, "before", *before)
    path, _ = saved_run(tmp_path, text, "now")
    done = run_lossctl("compute", "mse", path, *now, *increase, cwd=tmp_path)
    assert done.code == 0 and said in done.err and ("warning" in done.err) == bool(said), done.err
    strict = run_lossctl("compute", "mse", path, *now, *increase, "--strict", cwd=tmp_path)
    assert strict.code == bool(said) and ("not like the baseline" in strict.err) == bool(said)


def test_an_infinite_baseline_does_not_fail_an_improvement(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("prob,label\n0,1\n0.5,1\n")
    assert run_lossctl("compute", "bce", path, "--json", "-o", tmp_path / "b.json").code == 0
    increase = ("--max-increase", "5%", "--baseline", tmp_path / "b.json")
    assert run_lossctl("compute", "bce", path, *increase).code == 0
    path.write_text("prob,label\n0.1,1\n0.5,1\n")
    assert run_lossctl("compute", "bce", path, *increase).code == 0


def test_gates_on_the_ends_of_an_interval():
    (result,) = json.loads(run_lossctl(*BCE, "--ci", "0.95", "--json").out)["results"]
    low, high = result["ci"]["low"], result["ci"]["high"]
    for gate, bound, code in (
        ("--max-high", high, 0), ("--max-high", (result["value"] + high) / 2, 1),
        ("--min-low", low, 0), ("--min-low", (result["value"] + low) / 2, 1),
    ):  # fmt: skip
        done = run_lossctl(*BCE, "--ci", "0.95", gate, repr(bound))
        assert done.code == code and ("has the interval" in done.err) == bool(code)
    assert "add --ci 0.95" in run_lossctl(*BCE, "--max-high", "1").err


@pytest.mark.parametrize(("level", "resamples", "least"), [("0.95", "19", 39), ("0.9999", "1000", 19999)])
def test_levels_that_resamples_cannot_resolve_are_refused(level, resamples, least):
    done = run_lossctl(*BCE, "--ci", level, "--resamples", resamples)
    assert done.code == 2 and f"--resamples {least}" in done.err
    assert run_lossctl(*BCE, "--ci", level, "--resamples", str(least)).code == 0


def test_a_gate_against_nan_fails():
    from lossctl.api import gates
    from lossctl.results.values import Result

    result = Result("mse", (), "mean", math.nan, 1, (), "")
    for bounds in (gates.Bounds(at_most=1e9), gates.Bounds(at_least=-1e9)):
        assert not gates.checked([result], bounds)[0].gates[0].passed


@pytest.mark.parametrize("keep", ["2", "40%", "5"])
def test_the_hardest_of_each_group(keep, tmp_path):
    """Loss rank mining by image: ties go to the first rows, a small group counts whole, no row of weight 0 is there."""
    rng = np.random.default_rng(5)
    n = 4000
    image = rng.integers(0, 900, n)
    pred, weight = rng.integers(0, 6, n).astype(float), rng.integers(0, 3, n) / 2
    np.savez(tmp_path / "a.npz", pred=pred, target=np.zeros(n), weight=weight, image=image)
    chosen = []
    for name in np.unique(image[weight > 0]):
        rows = np.flatnonzero((image == name) & (weight > 0))
        size = math.ceil(len(rows) * 2 / 5) if keep == "40%" else min(int(keep), len(rows))
        chosen.append(sorted(rows, key=lambda row: (-weight[row] * pred[row] ** 2, row))[:size])
    means = [np.sum(weight[rows] * pred[rows] ** 2) / np.sum(weight[rows]) for rows in chosen]
    kept = np.concatenate(chosen)
    path = str(tmp_path / "a.npz")
    micro = lossctl.compute("mse", path, weight=f"{path}::weight", group=f"{path}::image", keep=keep)
    groups = list(micro.groups.values())
    assert micro.value == np.sum(weight[kept] * pred[kept] ** 2) / np.sum(weight[kept])
    assert (micro.overall.n, len(groups)) == (len(kept), len(chosen))
    values = [result.value for result in groups]
    assert np.mean(values) == pytest.approx(np.mean(means), rel=1e-12)
    assert f"|keep:{keep}|" in groups[0].signature and f"group:{groups[0].group}" in groups[0].signature
    assert any("fewer than" in text for text in micro.overall.warnings) == (keep != "40%")


WRONG = {
    "not a saved result": (("--max-increase", "5%", "--baseline", "samples/preds.csv"), 3, "not JSON"),
    "no baseline": (("--max-increase", "5%"), 2, "--baseline"),
    "baseline that is missing": (("--max-increase", "5%", "--baseline", "nowhere.json"), 4, "nowhere.json"),
    "increase without %": (("--max-increase", "0.05", "--baseline", "x"), 2, "5%"),
    "two shapes": (("--top", "3", "--per-row"), 2, "--top"),
    "interval of rows": (("--top", "3", "--ci", "0.9"), 2, "at once"),
    "keep and interval": (("--keep", "3", "--ci", "0.9"), 2, "would vary"),
    "more than there are": (("--keep", "286"), 2, "286 of 285"),
    "keep nothing": (("--keep", "0"), 2, "10%"),
    "level": (("--ci", "95"), 2, "0.95"),
    "method": (("--ci", "0.9", "--ci-method", "magic"), 2, "bca"),
    "cluster without interval": (("--cluster", "label"), 2, "--ci"),
    "id without rows": (("--id", "label"), 2, "--per-row"),
    "bins": (("--by", "bins:prob"), 2, "bins:SRC:K"),
    "bins of one value": (("--by", "bins:samples/preds.csv::label:1"), 2, "bins:SRC:K"),
    "no such column": (("-g", "lable"), 2, "label"),
    "group of another length": (("-g", "samples/digits_labels.npy"), 3, "300"),
    "group that is no category": (("-g", "prob"), 3, "prob"),
    "other inputs": (("--also", "gini"), 2, "gini"),
    "table of rows": (("--per-row", "-f", "latex"), 2, "latex"),
}


@pytest.mark.first_fast
@pytest.mark.parametrize(("arguments", "code", "expected"), WRONG.values(), ids=WRONG)
def test_questions_without_an_answer_say_so(arguments, code, expected):
    done = run_lossctl(*BCE, *arguments)
    assert (done.code, done.out) == (code, ""), done.err
    assert expected in done.err and "fix:" in done.err
    assert len(done.err.splitlines()) <= 5


def test_a_loss_of_counts_has_gates_and_no_rows():
    assert run_lossctl("compute", "gini", "samples/splits.csv", "--max", "0.5").code == 1
    done = run_lossctl("compute", "gini", "samples/splits.csv", "--ci", "0.9", "--top", "3")
    assert done.code == 2 and "no row has a value" in done.err


def test_one_row_has_no_group_mean_to_hide_in():
    with pytest.raises(DataError, match="no rows"):
        assessed("bce", [np.zeros(0), np.zeros(0)])
    with pytest.raises(UsageError):
        lossctl.compute("bce", PROB, LABEL, ci=0.95, resamples=1)
