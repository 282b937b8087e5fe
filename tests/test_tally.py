"""Losses of counts beyond one number: groups, intervals, clusters. The truths are scipy's, simulations, plain loops."""

import json
import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import scipy.stats
from conftest import examples, run_lossctl
from hypothesis import given, settings
from hypothesis import strategies as st

import lossctl
from lossctl.api import compute as assess
from lossctl.api.reading import Reading
from lossctl.errors import DataError, UsageError
from lossctl.language import registry
from lossctl.resampling import bootstrap, draws, survey
from lossctl.resampling import by_count as tally
from lossctl.resampling.draws import Draws
from lossctl.rows import by_row as rows
from lossctl.rows import hardest

LOSSES = [loss for loss in registry.walk() if not loss.engine.has_values and loss.engine.takes_weights]
RNG = np.random.default_rng(20)
N = 400
GROUP = RNG.choice(["a", "b", "c"], N, p=[0.5, 0.3, 0.2])
LABEL = np.where(RNG.random(N) < 0.6, 0, RNG.integers(0, 4, N))
SPLIT = np.where(RNG.random(N) < 0.5, LABEL, RNG.integers(0, 3, N))
TARGET = RNG.gamma(1.5, 2.0, N) + SPLIT
WEIGHT = RNG.uniform(0.2, 3.0, N)
COLUMNS = {"label": LABEL, "split": SPLIT, "target": TARGET}


def inputs_of(loss, at=slice(None)):
    """The columns that a loss takes, at some rows."""
    return [COLUMNS[role.option][at] for role in loss.roles]


def assessed(spec, inputs, *, side=None, confidence=None, weight=None, jobs=2, also=(), reading=None):
    beside = {"side": side or assess.Side(), "weight": weight}
    wanted = [assess.Request(registry.parse(spec), {}, inputs, **beside)]
    wanted += [assess.Request(registry.parse(text), {}, **beside) for text in also]
    with assess.prepared(wanted, jobs=jobs, reading=reading) as shared:
        return assess.results(shared, confidence)


def weights_of(asked, n):
    """The weight of each row in each resample, (resamples, n)."""
    return draws.resample_sums(asked, np.arange(n), np.eye(n)).table


# --- one function for exact counts and for resamples


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@settings(max_examples=examples(100))
@given(st.data())
def test_fractions_and_arrays_give_the_same(loss, data):
    """Empty classes and branches are in arrays only: they must not change what the others give."""
    branches = data.draw(st.integers(1, 3)) if len(loss.roles) > 1 else 1
    count = st.sampled_from([0, 0, 1, 2, 3, 17, 10**6])
    table = [[data.draw(count) for _ in range(3)] for _ in range(branches)]
    if not any(map(any, table)):
        return
    targets = [data.draw(st.sampled_from([-2.5, 0.0, 3.0])) * sum(row) for row in table]
    full = [(row, target) for row, target in zip(table, targets, strict=True) if any(row)]
    classes = [name for name in range(3) if any(row[name] for row in table)]

    def value(rows, classes, number):
        counts = [[number(row[name]) for name in classes] for row, _ in rows]
        seen = {"category": counts if len(loss.roles) > 1 else counts[0]}
        seen |= {"split": [sum(row) for row in counts], "target": [number(target) for _, target in rows]}
        defaults = {option.name: option.default for option in loss.options}
        return loss.function(*(seen[role.name] for role in loss.roles), **defaults)

    exact = float(value(full, classes, Fraction))
    (array,) = value(list(zip(table, targets, strict=True)), range(3), lambda number: np.array([float(number)]))
    assert array == pytest.approx(exact, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_resample_is_the_loss_of_its_rows(loss, weight):
    """The value of a resample is what the loss gives if the rows are weighted as `draws` says."""
    asked = Draws(5, 40)
    wanted = [assess.Request(registry.parse(loss.name), {}, inputs_of(loss), weight=weight)]
    with assess.prepared(wanted) as shared:
        plan = shared.losses[0].plan
        aspects = (survey.Aspects(draws=asked),)
        (found,) = survey.add_up(shared.score(partial(survey.of_block, aspects, tally.tally_of)), aspects)
    spread = found[None].spread(plan, asked, "percentile")
    for drawn, value in zip(weights_of(asked, N), spread.resampled, strict=True):
        mine = drawn if weight is None else drawn * weight
        assert value == pytest.approx(lossctl.compute(loss.name, *inputs_of(loss), weight=mine).value, rel=1e-11)


# --- groups


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_groups_are_the_losses_of_their_rows_alone(loss, weight):
    micro, macro, *each = assessed(loss.name, inputs_of(loss), side=assess.Side(group=GROUP), weight=weight)
    assert (micro.average, macro.average, [one.group for one in each]) == ("micro", "macro", ["a", "b", "c"])
    assert micro.value == lossctl.compute(loss.name, *inputs_of(loss), weight=weight).value
    for one in each:
        mine = one.group == GROUP
        alone = lossctl.compute(
            loss.name, *inputs_of(loss, mine), weight=None if weight is None else weight[mine], jobs=1
        )
        assert (one.value, one.n) == (alone.value, alone.n)
    assert macro.value == pytest.approx(np.mean([one.value for one in each]), rel=1e-15)
    assert (micro.n, macro.n) == (N, 3)


def test_a_group_s_interval_is_that_of_its_rows_alone():
    group = (np.arange(N) >= 150).astype(int)
    asked = assess.Confidence(resamples=300)
    first = assessed("variance-reduction", [TARGET, SPLIT], side=assess.Side(group=group), confidence=asked)[2]
    (alone,) = assessed("variance-reduction", [TARGET[:150], SPLIT[:150]], confidence=asked)
    assert first.value == alone.value
    assert (first.ci.low, first.ci.high) == pytest.approx((alone.ci.low, alone.ci.high), rel=1e-10)
    assert first.ci.units == alone.ci.units == 150


def test_bins_without_rows_are_not_there():
    numbers = np.where(LABEL == 0, 0.1, 0.9)
    results = assessed("gini", [LABEL], side=assess.Side(group=numbers, bins=4))
    assert [one.n for one in results] == [N, 2, int((LABEL == 0).sum()), int((LABEL != 0).sum())]
    assert results[2].value == 0


def test_rows_without_weight_make_no_group():
    results = assessed("gini", [LABEL], side=assess.Side(group=GROUP), weight=np.where(GROUP == "b", 0.0, 1.0))
    assert [one.group for one in results[2:]] == ["a", "c"]


# --- intervals


def gini_of(x, axis):
    return 1 - sum(np.mean(x == name, axis=axis) ** 2 for name in range(4))


def reduction_of(target, split, axis):
    """The variance between the branches of paired samples."""
    mean = target.mean(axis=axis, keepdims=True)
    total = 0
    for name in range(4):
        mine = split == name
        n = mine.sum(axis=axis, keepdims=True)
        part = np.where(mine, target, 0).sum(axis=axis, keepdims=True) / np.maximum(n, 1)
        total = total + n * (part - mean) ** 2
    return np.squeeze(total, axis=axis) / target.shape[axis]


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize(
    ("spec", "statistic"), [("gini", gini_of), ("variance-reduction", reduction_of)], ids=["gini", "variance-reduction"]
)
def test_intervals_agree_with_scipy(spec, statistic, method):
    """scipy's resamples all have N rows, so that gini takes few values: that alone moves the median by 0.025 errors,
    and an end of BCa by twice as much."""
    inputs = inputs_of(registry.find(spec))
    (result,) = assessed(spec, inputs, confidence=assess.Confidence(method=method, resamples=20_000))
    theirs = scipy.stats.bootstrap(
        tuple(inputs), statistic, method="BCa" if method == "bca" else method, n_resamples=20_000, rng=1,
        paired=True, batch=1000,
    )  # fmt: skip
    assert result.value == pytest.approx(statistic(*inputs, axis=0))
    for end, truth in zip((result.ci.low, result.ci.high), theirs.confidence_interval, strict=True):
        assert end == pytest.approx(truth, abs=(0.15 if method == "bca" else 0.1) * theirs.standard_error)
    assert result.ci.standard_error == pytest.approx(theirs.standard_error, rel=0.03)


@pytest.mark.first_fast
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_the_acceleration_is_that_of_the_infinitesimal_jackknife(loss, weight):
    """Each row weighted a little more and a little less, one by one."""
    asked = Draws(0, 2)
    at = slice(0, 120)
    w = np.ones(120) if weight is None else weight[at]
    with assess.prepared([assess.Request(registry.parse(loss.name), {}, inputs_of(loss, at), weight=w)]) as shared:
        aspects = (survey.Aspects(draws=asked),)
        (found,) = survey.add_up(shared.score(partial(survey.of_block, aspects, tally.tally_of)), aspects)
        ours = found[None].spread(shared.losses[0].plan, asked, "bca").acceleration

    def changed(factor):
        values = []
        for row in range(120):
            mine = w.copy()
            mine[row] *= factor
            values.append(lossctl.compute(loss.name, *inputs_of(loss, at), weight=mine, jobs=1).value)
        return np.array(values)

    influence = (changed(1.01) - changed(0.99)) / 0.02
    truth = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    assert ours == pytest.approx(truth, rel=1e-3)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_a_large_target_has_the_acceleration_of_a_small_one(offset):
    asked = assess.Confidence(resamples=500)
    (near,) = assessed("variance-reduction", [TARGET, SPLIT], confidence=asked)
    (far,) = assessed("variance-reduction", [TARGET + offset, SPLIT], confidence=asked)
    assert (far.ci.low, far.ci.high) == pytest.approx((near.ci.low, near.ci.high), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_cover_as_often_as_they_say(method):
    """1,000 data sets of 200 rows, of classes with shares .7, .2, .1: far from the evenly mixed, where gini is largest,
    flat, and always above what is resampled."""
    shares = np.array([0.7, 0.2, 0.1])
    truth = 1 - (shares**2).sum()
    rng = np.random.default_rng(12)
    plan = None
    covered = 0
    for seed in range(1000):
        label = rng.choice(3, 200, p=shares)
        if plan is None:
            with assess.prepared([assess.Request(registry.parse("gini"), {}, [label])]) as shared:
                plan = shared.losses[0].plan
        asked = Draws(seed, 999)
        seen = tally.see(plan, (label,), 0)
        spread = tally.tally_of(seen, None, survey.Aspects(draws=asked)).spread(plan, asked, method)
        low, high = bootstrap.interval(spread.resampled, spread.value, 0.95, method, spread.acceleration)
        covered += low <= truth <= high
    assert 930 <= covered <= 970


def test_a_cluster_interval_is_that_of_the_clusters():
    """Rows that repeat within clusters carry no more than their cluster does."""
    repeated = [np.repeat(column, 10) for column in (TARGET, SPLIT)]
    cluster = np.repeat(np.arange(N), 10)
    asked = assess.Confidence(resamples=8000)
    (ours,) = assessed("variance-reduction", repeated, side=assess.Side(cluster=cluster), confidence=asked)
    theirs = scipy.stats.bootstrap(
        (TARGET, SPLIT), reduction_of, method="BCa", n_resamples=8000, rng=3, paired=True, batch=1000
    )
    assert (ours.ci.unit, ours.ci.units) == ("clusters", N)
    assert ours.ci.standard_error == pytest.approx(theirs.standard_error, rel=0.04)
    for end, truth in zip((ours.ci.low, ours.ci.high), theirs.confidence_interval, strict=True):
        assert end == pytest.approx(truth, abs=0.12 * theirs.standard_error)
    order = np.random.default_rng(1).permutation(10 * N)
    (shuffled,) = assessed(
        "variance-reduction", [column[order] for column in repeated], side=assess.Side(cluster=cluster[order]),
        confidence=asked,
    )  # fmt: skip
    assert shuffled.ci.low == pytest.approx(ours.ci.low, rel=1e-9)


def test_the_macro_interval_agrees_with_scipy():
    group = np.repeat([0, 1], [300, 100])
    macro = assessed(
        "gini", [LABEL], side=assess.Side(group=group), confidence=assess.Confidence(resamples=9999)
    )[1]  # fmt: skip
    theirs = scipy.stats.bootstrap(
        (LABEL[:300], LABEL[300:]), lambda a, b, axis: (gini_of(a, axis) + gini_of(b, axis)) / 2,
        n_resamples=9999, rng=0, batch=1000,
    )  # fmt: skip
    assert macro.ci.standard_error == pytest.approx(theirs.standard_error, rel=0.04)
    for end, truth in zip((macro.ci.low, macro.ci.high), theirs.confidence_interval, strict=True):
        assert end == pytest.approx(truth, abs=0.1 * theirs.standard_error)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_threads_and_blocks_change_nothing(loss, monkeypatch):
    """The same bytes for any number of threads; for any size of blocks too, where sums of counts are whole."""
    large = [np.tile(column, 30) for column in inputs_of(loss)]
    asked, side = assess.Confidence(resamples=50), assess.Side(group=np.tile(GROUP, 30))
    found = [assessed(loss.name, large, side=side, confidence=asked, jobs=jobs) for jobs in (1, 3)]
    monkeypatch.setattr(rows, "BLOCK_VALUES", 3001)
    threads = [assessed(loss.name, large, side=side, confidence=asked, jobs=jobs) for jobs in (1, 3)]
    assert found[0] == found[1] and threads[0] == threads[1]
    for one, other in zip(found[0], threads[0], strict=True):
        assert one.value == other.value
        if any(role.name == "target" for role in loss.roles):
            assert one.ci[2:5] == pytest.approx(other.ci[2:5], rel=1e-9)
        else:
            assert one.ci == other.ci


def test_weights_that_are_alike_change_nothing():
    asked = assess.Confidence(resamples=200)
    (plain,) = assessed("information-gain", [LABEL, SPLIT], confidence=asked)
    (same,) = assessed("information-gain", [LABEL, SPLIT], confidence=asked, weight=np.full(N, 0.3))
    assert (same.ci.low, same.ci.high) == pytest.approx((plain.ci.low, plain.ci.high), rel=1e-9)
    (kept,) = assessed("gini", [LABEL], confidence=asked, weight=(GROUP == "a").astype(float))
    assert kept.ci.units == kept.n == (GROUP == "a").sum()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_what_does_not_vary_has_an_interval_of_no_width_and_one_row_has_none(loss):
    rows = [np.full(7, 3) for _ in loss.roles]
    (result,) = assessed(loss.name, rows, confidence=assess.Confidence(resamples=50))
    assert (result.value, result.ci.low, result.ci.high, result.ci.standard_error) == (0, 0, 0, 0)
    assert "no width" in result.warnings[-1]
    (result,) = assessed(loss.name, [row[:1] for row in rows], confidence=assess.Confidence(resamples=50))
    assert math.isnan(result.ci.low) and math.isnan(result.ci.high) and "single unit" in result.warnings[-1]


def test_the_largest_gini_has_no_bca_interval():
    """All resamples lie below it: scipy has no answer either."""
    (result,) = assessed("gini", [np.arange(300) % 3], confidence=assess.Confidence())
    assert math.isnan(result.ci.low) and math.isnan(result.ci.high)
    assert result.to_dict()["ci"]["low"] is None


def test_extreme_weights_and_targets_raise_nothing():
    huge = np.array([1e300, -1e300, 5e307, 3.0])
    asked = assess.Confidence(resamples=60)
    for weight in (None, np.full(4, 1e-200), np.full(4, 1e200)):
        for side in (None, assess.Side(group=[0, 0, 1, 1]), assess.Side(cluster=[0, 1, 1, 2])):
            (first, *_) = assessed(
                "variance-reduction", [huge, [0, 1, 0, 1]], confidence=asked, weight=weight, side=side
            )
            assert first.value == lossctl.compute("variance-reduction", huge, [0, 1, 0, 1], weight=weight).value
            assessed("gini", [[0, 1, 0, 1]], confidence=asked, weight=weight, side=side)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path):
    import tracemalloc

    n = 2_000_000
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 4, (n, 2)).astype(float))
    with assess.prepared(
        [assess.Request(registry.parse("gini-gain"), {}, [str(tmp_path / "x.npy")])], jobs=2
    ) as shared:
        tracemalloc.start()
        assert assess.results(shared, assess.Confidence(resamples=10))[0].ci.units == n
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 40e6 + 30 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("side", [None, assess.Side(group=np.arange(3000) // 2)], ids=["", "groups"])
def test_intervals_of_more_counts_than_memory_holds_are_refused(side):
    with pytest.raises(UsageError, match="sums in all") as fault:
        assessed("gini", [np.arange(3000)], side=side, confidence=assess.Confidence(resamples=30_000))
    assert "GiB" in fault.value.why and ("groups" in fault.value.what) == (side is not None)


def test_bca_of_very_many_counts_is_refused(monkeypatch):
    monkeypatch.setattr(tally, "MOST_CELLS", 100)
    many, asked = np.arange(101), assess.Confidence(resamples=50)
    with pytest.raises(UsageError, match="101 counts") as fault:
        assessed("gini", [many], confidence=asked)
    assert "percentile" in fault.value.fix
    (result,) = assessed("gini", [many], confidence=asked._replace(method="percentile"))
    assert result.ci.low < result.ci.high < result.value and result.ci.units == 101


# --- several losses, missing values, the command line


@pytest.mark.parametrize(
    ("first", "second"), [("gini", "entropy:base=10"), ("information-gain", "gini-gain")], ids=" ".join
)
def test_also_reads_once_and_says_the_same_as_alone(first, second):
    inputs, side, asked = inputs_of(registry.parse(first).loss), assess.Side(group=GROUP), assess.Confidence()
    together = assessed(first, inputs, side=side, confidence=asked, also=[second])
    alone = [result for spec in (first, second) for result in assessed(spec, inputs, side=side, confidence=asked)]
    assert together == alone


def test_a_row_that_misses_one_value_is_left_out_of_all(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("label,split,g,w\na,x,p,1\nb,x,NA,1\na,NA,q,2\nb,y,q,2\na,y,q,NA\nNA,x,p,1\na,x,p,3\n")
    done = run_lossctl("compute", "gini", path, "--na", "skip", "-g", "g", "--json")
    results = json.loads(done.out)["results"]
    assert [(one["group"], one["n"], one["value"]) for one in results] == [
        (None, 5, 0.32), (None, 2, (0 + 4 / 9) / 2), ("p", 2, 0), ("q", 3, 4 / 9),
    ]  # fmt: skip
    done = run_lossctl("compute", "gini", path, "--na", "skip", "-g", "g", "-w", f"{path}::w", "--json")
    results = json.loads(done.out)["results"]
    assert [(one["group"], one["n"], one["value"]) for one in results[2:]] == [("p", 2, 0), ("q", 2, 0.5)]


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "json", "ndjson", "tsv", "csv", "md", "latex", "bare"])
@pytest.mark.parametrize("question", [("--ci", "0.9", "--resamples", "99"), ("-g", "split"), ("--also", "gini-gain")])
def test_every_format_holds_the_value(question, format):
    done = run_lossctl("compute", "information-gain", "samples/splits.csv", *question, "-f", format, COLUMNS="200")
    if (question[0], format) == ("--ci", "bare"):
        assert done.code == 2 and "the bare number has no interval" in done.err
        return
    assert done.code == 0, done.err
    assert "0.66666666" in done.out.replace("\n", " ")


def test_the_interval_does_not_know_the_threads():
    asked = ("compute", "variance-reduction", "samples/splits.csv", "--ci", "0.9", "--by", "bins:target:3", "--json")
    one, other = (run_lossctl(*asked, "-j", jobs).out for jobs in ("1", "3"))
    assert one == other
    assert json.loads(one)["results"][0]["ci"]["unit"] == "rows"


WRONG = {
    "--per-row": (("gini", "--per-row"), "no row has a value"),
    "--top": (("gini", "--top", "3"), "no row has a value"),
    "--keep": (("gini", "--keep", "10%"), "no row has a value"),
    "--id": (("gini", "--id", "label"), "no row has a value"),
    "-r none": (("gini", "-r", "none"), "no reduction 'none'"),
    "a row loss beside": (("gini-gain", "--also", "mse"), "mse by rows"),
    "other inputs": (("gini", "--also", "gini-gain"), "gini-gain takes 2 inputs"),
    "cluster without interval": (("gini", "--cluster", "split"), "--ci"),
    "groups and bins": (("gini", "-g", "split", "--by", "bins:target:3"), "choose one"),
    "no such column": (("gini", "-g", "splt"), "split"),
}


@pytest.mark.first_fast
@pytest.mark.parametrize(("arguments", "expected"), WRONG.values(), ids=WRONG)
def test_questions_without_an_answer_say_so(arguments, expected):
    done = run_lossctl("compute", arguments[0], "samples/splits.csv", *arguments[1:])
    assert (done.code, done.out) == (2, ""), done.err
    assert expected in done.err and "fix:" in done.err
    assert len(done.err.splitlines()) <= 5


def test_what_needs_rows_says_so_in_python_too():
    with assess.prepared([assess.Request(registry.parse("gini"), {}, [LABEL])]) as shared:
        for question in (lambda: assess.top(shared, 3), lambda: assess.kept(shared, hardest.Kept(3, None))):
            with pytest.raises(UsageError, match="no value for each row"):
                question()
    with pytest.raises(DataError, match="no rows"):
        assessed("gini", [np.zeros(0, int)])
    done = run_lossctl("compare", "samples/splits.csv::label", "samples/splits.csv::split", "--loss", "gini-gain",
                       "-y", "samples/splits.csv::label")  # fmt: skip
    assert done.code == 2 and "gini-gain" in done.err
    with pytest.raises(DataError, match="no rows"):
        assessed("gini", [np.array(["a"])], weight=np.zeros(1), reading=Reading(skip_nan=True))


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("counts", [(20, 20), (14, 13, 13), (101, 99)])
def test_at_the_end_of_its_range_a_loss_has_no_interval(counts, method):
    """Rows of evenly mixed classes: every other mixture has a lower gini."""
    label = np.repeat(np.arange(len(counts)), counts)
    (result,) = assessed("gini", [label], confidence=assess.Confidence(method=method, resamples=999))
    assert math.isnan(result.ci.low) and math.isnan(result.ci.high) and "at an end" in result.warnings[-1]


@pytest.mark.slow
def test_a_gain_of_nothing_has_no_interval_but_rarely_a_wrong_one():
    refused = missed = 0
    for seed in range(200):
        label, split = np.random.default_rng(seed).integers(0, 2, (2, 200))
        (result,) = assessed("gini-gain", [label, split], confidence=assess.Confidence(resamples=999, seed=seed))
        refused += math.isnan(result.ci.low)
        missed += result.ci.low > 0
    assert refused > 120 and missed < 70


def test_numbers_and_text_may_be_classes_of_one_column(tmp_path):
    (tmp_path / "mixed.csv").write_text("label,g\n1,1\na,a\n2,2\n1,1.0\n")
    done = run_lossctl("compute", "gini", f"{tmp_path}/mixed.csv::label", "-g", f"{tmp_path}/mixed.csv::g", "-f", "csv")
    assert done.code == 0 and "gini,,mean,,micro,0.625,4" in done.out


@pytest.mark.parametrize("scale", [1e-60, 1e-120, 1e120])
def test_targets_of_any_size_have_an_interval_or_none(scale):
    random = np.random.default_rng(0)
    target, split = scale * random.random(60), random.integers(3, size=60)
    (result,) = assessed("variance-reduction", [target, split], confidence=assess.Confidence(resamples=99))
    assert result.value > 0
    assert math.isnan(result.ci.low) or result.ci.low <= result.value


@pytest.mark.slow
def test_a_bca_interval_of_too_many_counts_is_refused_before_it_is_begun(monkeypatch):
    def begun(*_):
        raise AssertionError("the losses of resamples were computed")

    monkeypatch.setattr(tally, "_losses", begun)
    labels = np.random.default_rng(0).permutation(12_000) % 5001
    for rows_of_a_block in (1 << 17, 4000):  # of which each has fewer
        monkeypatch.setattr(rows, "BLOCK_VALUES", rows_of_a_block)
        with pytest.raises(UsageError, match="a BCa interval of 5001 counts"):
            lossctl.compute("gini", np.sort(labels), ci=0.95, resamples=100)
