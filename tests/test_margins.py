"""Margins, effects, other tests, groups and seeds of comparisons, against scipy, statsmodels and brute force."""

import itertools
import json
import math
import re

import numpy as np
import pytest
import scipy.stats
from conftest import ROOT, run_lossctl

import lossctl
from lossctl.errors import UsageError
from lossctl.resampling import contrast, student, survey
from lossctl.resampling.signed_rank import signed_ranks

SAMPLES = ROOT / "samples"


def systems(n, shift=0.0, scale=0.3, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.normal(5, 1, n)
    return base, base + shift + rng.normal(0, scale, n), np.zeros(n)


def compared(base, other, target, loss="mae", **settings):
    (system,) = lossctl.compare(base, other, target=target, loss=loss, **settings)
    return system


# --- margins


def one_sided(gap):
    """The share of all sign patterns whose sum is as far below 0, by brute force."""
    sums = [sum(sign * value for sign, value in zip(signs, gap, strict=True)) for signs in
            itertools.product((1, -1), repeat=len(gap))]  # fmt: skip
    return np.mean(np.array(sums) <= sum(gap) + 1e-12 * np.abs(gap).sum())


@pytest.mark.parametrize("margin", [0.2, "4%"])
def test_the_margin_of_few_rows_is_tested_by_all_patterns(margin):
    base, other, target = systems(10, 0.1)
    harm = compared(base, other, target, margin_of_harm=margin).harm
    wide = 0.2 if margin == 0.2 else 0.04 * base
    assert harm.size == pytest.approx(0.2 if margin == 0.2 else 0.04 * base.mean())
    assert harm.p_non_inferior == one_sided(other - base - wide)
    assert harm.p_equivalent == max(one_sided(other - base - wide), one_sided(base - other - wide))


@pytest.mark.parametrize("settings", [{}, {"test": "bootstrap"}], ids=str)
@pytest.mark.parametrize("margin", [0.06, "1.2%"])
def test_the_margin_of_many_rows_agrees_with_student_s(settings, margin):
    base, other, target = systems(400, 0.03)
    harm = compared(base, other, target, margin_of_harm=margin, **settings).harm
    wide = 0.06 if margin == 0.06 else 0.012 * base
    worse = scipy.stats.ttest_1samp(other - base - wide, 0, alternative="less").pvalue
    better = scipy.stats.ttest_1samp(other - base + wide, 0, alternative="greater").pvalue
    assert harm.p_non_inferior == pytest.approx(worse, abs=0.006)
    assert harm.p_equivalent == pytest.approx(max(worse, better), abs=0.006)
    assert 0.001 < worse < 0.05


def test_equivalence_over_seeds_is_that_of_statsmodels():
    """ttost_paired(means of seeds, -0.5, 0.5) of statsmodels 0.14 for these twelve pairs: p = 1.2161298228702047e-4."""
    rng = np.random.default_rng(1)
    base = rng.normal(size=12) + 5
    other = base + rng.normal(0.1, 0.4, 12)
    system = compared(base, other, np.zeros(12), margin_of_harm=0.5, seed_of=np.arange(12))
    assert system.harm.p_equivalent == pytest.approx(1.2161298228702047e-4, rel=1e-9)
    assert system.harm.verdict == "equivalent"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "loss", "margin"),
    [
        ("sign-flip", "mae", "10%"),
        ("sign-flip", "rmse", "absolute"),
        ("bootstrap", "mae", "absolute"),
        ("bootstrap", "rmse", "10%"),
        ("seeds", "mae", "10%"),
        ("seeds", "rmse", "absolute"),
    ],
)
def test_a_system_that_is_worse_by_the_margin_is_seldom_called_harmless(loss, margin, test):
    """Errors are normal and a tenth larger: 5 % are called non-inferior at that margin."""
    settings = {"seed_of": np.arange(120) % 12} if test == "seeds" else {"test": test, "resamples": 199}
    size = 0.1 * (math.sqrt(2 / math.pi) if loss == "mae" else 1.0)
    count = 0
    for seed in range(400):
        common, own, others = np.random.default_rng(seed).normal(size=(3, 120))
        base, other = 0.8 * common + 0.6 * own, 1.1 * (0.8 * common + 0.6 * others)
        harm = compared(
            base, other, np.zeros(120), loss, margin_of_harm=size if margin == "absolute" else margin, **settings
        ).harm
        count += harm.p_non_inferior < 0.05
    assert abs(count / 400 - 0.05) <= 3 * math.sqrt(0.05 * 0.95 / 400)


def test_a_gain_is_harmed_by_falling_and_a_signed_number_in_no_direction():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    good, bad = truth + 0.3 * rng.normal(size=200), truth + 0.6 * rng.normal(size=200)
    fallen, risen = (
        compared(base, other, truth, "r2", margin_of_harm=0.1).harm for base, other in ((good, bad), (bad, good))
    )
    assert (fallen.p_non_inferior > 0.99, fallen.verdict) == (True, "not shown")
    assert (risen.p_non_inferior < 0.01, risen.verdict) == (True, "non-inferior")
    signed = compared(good, good + 0.01 * rng.normal(size=200), truth, "mean-error", margin_of_harm=0.1).harm
    assert math.isnan(signed.p_non_inferior) and signed.verdict == "equivalent"


def test_a_share_of_a_base_of_0_is_no_margin():
    system = compared(np.zeros(20), np.full(20, 0.5), np.zeros(20), margin_of_harm="5%")
    assert system.harm.size == 0 and system.harm.verdict == "unknown"
    assert "a base of 0" in system.warnings[-1]


@pytest.mark.parametrize("margin", ["0", "-1%", "nan", "inf", "x", "", "%", True, 0.0, "1%%"])
def test_what_is_no_margin_is_refused(margin):
    with pytest.raises(UsageError, match="margin_of_harm cannot be"):
        compared(np.ones(5), np.zeros(5), np.zeros(5), margin_of_harm=margin)


def test_sets_of_points_are_held_to_a_margin():
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 4
    emb = np.eye(4, 6)[labels] * 2 + rng.normal(size=(120, 6))
    near = emb + rng.normal(0, 0.02, emb.shape)
    (system,) = lossctl.compare(emb, near, target=labels, loss="batch-all", margin_of_harm="5%")
    error = system.ci.standard_error
    assert system.harm.verdict == "equivalent"
    absolute = compared(emb, near, labels, "batch-all", margin_of_harm=2 * error + system.difference).harm
    assert absolute.p_non_inferior == pytest.approx(scipy.stats.t.cdf(-2, 19), rel=1e-9)


# --- beside the test


@pytest.mark.parametrize("freedom", [1, 2, 4, 30, 999])
@pytest.mark.parametrize("shift", [0.0, 0.7, 2.5, 6.0])
def test_power_is_that_of_the_non_central_t(freedom, shift):
    far = scipy.stats.t.ppf(0.975, freedom)
    truth = scipy.stats.nct.sf(far, freedom, shift) + scipy.stats.nct.cdf(-far, freedom, shift)
    assert student.power(shift, 0.95, freedom) == pytest.approx(truth, abs=1e-5)


def test_the_detectable_difference_is_that_of_statsmodels():
    """TTestPower().solve_power(nobs=50, alpha=0.05, power=0.8) = 0.4041829997, in standard deviations."""
    base, other, target = systems(50)
    system = compared(base, other, target, beside="detectable")
    deviation = (other - base).std(ddof=1)
    assert dict(system.beside)["detectable"] == pytest.approx(0.4041829997 * deviation, rel=1e-6)
    few = compared(base[:5], other[:5], target[:5], beside=["detectable"])
    assert dict(few.beside)["detectable"] == math.inf


def test_effects_and_t_are_those_of_scipy():
    base, other, target = systems(80, 0.1)
    numbers = dict(compared(base, other, target, beside=["effect", "t"]).beside)
    gap = other - base
    theirs = scipy.stats.ttest_rel(other, base)
    assert numbers["t"] == pytest.approx(theirs.statistic) and numbers["t_p"] == pytest.approx(theirs.pvalue)
    assert numbers["t_freedom"] == 79
    assert numbers["effect_d"] == pytest.approx(gap.mean() / gap.std(ddof=1))
    assert numbers["effect_relative"] == pytest.approx(gap.mean() / base.mean())
    assert numbers["effect_better"] == np.mean(gap < 0)


@pytest.mark.parametrize("n", [1, 2, 7, 30, 50, 51, 400])
def test_signed_ranks_are_scipy_s(n):
    gap = np.random.default_rng(n).normal(0.2, 1, n)
    ours, theirs = signed_ranks(gap), scipy.stats.wilcoxon(gap)
    assert (ours.statistic, ours.n) == (theirs.statistic, n)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize("n", [6, 11, 80])
def test_tied_ranks_are_scipy_s(n):
    gap = np.random.default_rng(n).integers(-2, 4, n).astype(float)
    ours, left = signed_ranks(gap), gap[gap != 0]
    if len(left) > 50:
        assert ours.p == pytest.approx(scipy.stats.wilcoxon(gap, method="approx").pvalue, rel=1e-9)
        return
    exact = scipy.stats.wilcoxon(left, method=scipy.stats.PermutationMethod(n_resamples=math.inf)).pvalue
    assert ours.p == pytest.approx(exact, rel=1e-9)


def test_nothing_to_rank():
    assert signed_ranks(np.zeros(9))[1:] == (0, 1.0)
    assert math.isnan(signed_ranks(np.array([1.0, math.nan])).p)


def test_signed_ranks_of_clusters_are_those_of_their_means():
    base, other, target = systems(60, 0.1)
    cluster = np.repeat(np.arange(12), 5)
    numbers = dict(compared(base, other, target, cluster=cluster, beside="wilcoxon").beside)
    means = (other - base).reshape(12, 5).mean(axis=1)
    assert numbers["wilcoxon_p"] == pytest.approx(scipy.stats.wilcoxon(means).pvalue)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beside": "wilcoxen"}, "beside cannot be 'wilcoxen'"),
        ({"beside": "wilcoxon", "weight": np.ones(8)}, "its ranks have no weights"),
        ({"beside": "wilcoxon", "seed_of": np.arange(8) % 2}, "rows of one seed"),
        ({"seed_of": np.arange(8) % 2, "test": "bootstrap"}, "test and seed_of at once"),
        ({"holm": "none"}, "holm cannot be 'none'"),
    ],
)
def test_what_has_no_answer_is_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        lossctl.compare(np.arange(8.0), np.ones(8), target=np.zeros(8), loss="mae", **settings)


# --- groups, and what Holm corrects


@pytest.mark.parametrize("loss", ["mae", "rmse"])
def test_a_group_is_compared_as_its_rows_alone(loss):
    base, other, target = systems(90, 0.1)
    group = np.arange(90) % 3
    whole, *parts = lossctl.compare(base, other, target=target, loss=loss, group=group, margin_of_harm="3%")
    assert whole.difference == compared(base, other, target, loss).difference
    assert [part.group for part in parts] == ["0", "1", "2"]
    for part in parts:
        mine = group == int(part.group)
        alone = compared(base[mine], other[mine], target[mine], loss)
        assert (part.difference, part.n, part.better) == (alone.difference, 30, alone.better)
        assert part.p == pytest.approx(alone.p, abs=0.02)
        assert f"|group:{part.group}|" in part.signature
    assert [part.p_adjusted for part in parts] == contrast.holm([part.p for part in parts])
    assert whole.p_adjusted == whole.p


def test_holm_over_all_is_over_losses_groups_and_systems():
    base, other, target = systems(90, 0.1)
    group = np.arange(90) % 3
    every = lossctl.compare(base, other, other + 0.1, target=target, loss=["mae", "mse"], group=group, holm="all")
    assert len(every) == 16
    assert [system.p_adjusted for system in every] == contrast.holm([system.p for system in every])


def test_a_group_of_sets_is_its_anchors():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 4
    emb, other = (np.eye(4, 6)[labels] + rng.normal(size=(60, 6)) for _ in range(2))
    whole, *parts = lossctl.compare(emb, other, target=labels, loss="batch-hard", group=labels % 2)
    grouped = lossctl.compute("batch-hard", other, labels, group=labels % 2)
    assert whole.other_value == grouped.value
    assert {part.group: part.other_value for part in parts} == {
        name: result.value for name, result in grouped.groups.items()
    }


def test_a_group_of_one_row_shows_nothing_and_says_so():
    base, other, target = systems(21)
    *_, single = lossctl.compare(base, other, target=target, loss="mae", group=np.arange(21) // 20)
    assert single.verdict == "no difference shown" and single.p == 1
    assert single.warnings[-1].startswith("group 1: 1 units cannot show")


@pytest.mark.slow
def test_too_many_groups_are_refused(monkeypatch):
    monkeypatch.setattr(survey, "LARGEST_BYTES", 1 << 20)
    base, other, target = systems(200)
    with pytest.raises(UsageError, match="groups or more to compare"):
        lossctl.compare(base, other, target=target, loss="mae", group=np.arange(200), resamples=1_000)


# --- seeds


def test_seeds_alone_have_student_s_interval_of_their_means():
    base, other, target = systems(60, 0.1)
    seed = np.arange(60) % 6
    system = compared(base, other, target, seed_of=seed)
    gaps = [(other - base)[seed == at].mean() for at in range(6)]
    theirs = scipy.stats.ttest_1samp(gaps, 0)
    assert system.p == pytest.approx(theirs.pvalue)
    assert (system.ci.low, system.ci.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert (system.ci.unit, system.ci.units, system.test) == ("seeds", 6, "t over seeds")


def test_files_of_runs_are_read_by_a_pattern(tmp_path):
    """The mean of each run, by scipy's paired t: 6 runs of 20 rows."""
    truth, gaps = np.random.default_rng(4).normal(size=20), []
    for run in range(6):
        errors = np.random.default_rng(run).normal(size=(2, 20))
        rows = np.column_stack([truth + errors[0], truth + 0.7 * errors[1], truth, np.full(20, run)])
        np.savetxt(tmp_path / f"run{run}.csv", rows, "%.17g", ",", header="old,new,y,run", comments="")
        gaps.append((rows[:, 1] - rows[:, 2]) ** 2 - (rows[:, 0] - rows[:, 2]) ** 2)
    files = f"{tmp_path}/run*.csv"
    system = compared(f"{files}::old", f"{files}::new", "y", "mse", seed_of="run")
    assert system.p == pytest.approx(scipy.stats.ttest_1samp(np.mean(gaps, axis=1), 0).pvalue, rel=1e-9)


def test_seeds_and_items_have_the_variance_of_a_two_way_layout():
    """Balanced: MS of seeds + MS of items - MS of the rest, over the number of rows (Searle, Variance components)."""
    rng = np.random.default_rng(3)
    gap = rng.normal(0.3, 1, (5, 1)) + rng.normal(size=(1, 40)) + rng.normal(size=(5, 40))
    seed, item = np.repeat(np.arange(5), 40), np.tile(np.arange(40), 5)
    base = rng.normal(9, 1, 200)
    system = compared(base, base + gap.ravel(), np.zeros(200), seed_of=seed, cluster=item)
    seeds, items = gap.mean(axis=1), gap.mean(axis=0)
    rest = gap - seeds[:, None] - items[None] + gap.mean()
    squares = (40 * seeds.var(ddof=1), 5 * items.var(ddof=1), (rest**2).sum() / (4 * 39))
    assert system.ci.standard_error == pytest.approx(math.sqrt((squares[0] + squares[1] - squares[2]) / 200), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("spreads", [(0.3, 1, 1), (0, 1, 1), (0.5, 0, 1), (0, 0, 1)], ids=str)
def test_intervals_over_seeds_and_items_hold_the_truth(spreads):
    """Of six seeds and forty items; where only rows vary they are a little wide."""
    covered = 0
    for number in range(400):
        rng = np.random.default_rng(number)
        of_seed, of_item, of_row = (
            spread * rng.normal(size=shape) for spread, shape in zip(spreads, [(6, 1), (1, 40), (6, 40)], strict=True)
        )
        gap = (of_seed + of_item + of_row).ravel()
        ci = compared(
            np.full(240, 50.0), 50 + gap, np.zeros(240), seed_of=np.repeat(np.arange(6), 40),
            cluster=np.tile(np.arange(40), 6),
        ).ci  # fmt: skip
        covered += ci.low <= 0 <= ci.high
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400) <= covered / 400


def test_seeds_that_do_not_vary_and_a_single_seed_say_so():
    base, target = np.full(12, 2.0), np.zeros(12)
    system = compared(base, base + 0.5, target, seed_of=np.arange(12) % 3)
    assert system.verdict == "unknown" and "3 seeds do not vary" in system.warnings[-1]
    assert compared(base, base, target, seed_of=np.arange(12) % 3).p == 1
    with pytest.raises(lossctl.DataError, match="one seed only"):
        compared(base, base + 0.5, target, seed_of=np.zeros(12))


# --- the ways in


def suite_of(tmp_path, text):
    (tmp_path / "s.yaml").write_text(text)
    return str(tmp_path / "s.yaml")


def test_shell_suite_and_python_say_the_same(tmp_path):
    base, other, target = systems(60, 0.02)
    columns = np.column_stack([base, other, target, np.arange(60) % 6, np.arange(60) % 2])
    np.savetxt(tmp_path / "d.csv", columns, delimiter=",", header="a,b,y,seed,g", comments="")
    path = tmp_path / "d.csv"
    settings = {"margin_of_harm": "2%", "holm": "all", "beside": ["effect", "t"]}
    called = [
        *lossctl.compare(f"{path}::a", f"{path}::b", target="y", loss="mae", group="g", **settings),
        *lossctl.compare(f"{path}::a", f"{path}::b", target="y", loss="mae", seed_of="seed", **settings),
    ]
    flags = ("--margin-of-harm", "2%", "--holm", "all", "--beside", "effect,t", "--json")
    shell = ("compare", f"{path}::a", f"{path}::b", "-y", "y", "--loss", "mae", *flags)
    printed = [
        result
        for beside in (("-g", "g"), ("--seed-of", "seed"))
        for result in json.loads(run_lossctl(*shell, *beside).out)["results"]
    ]
    for result in printed:
        result["signature"] = re.sub(r"\|data:\w+", "", result["signature"])
    assert printed == [json.loads(json.dumps(system.to_dict())) for system in called]
    entry = (
        "{base: d.csv::a, others: d.csv::b, target: y, loss: mae, margin-of-harm: 2%, holm: all, beside: [effect, t]"
    )
    report = lossctl.run(
        suite_of(tmp_path, f"comparisons:\n- {entry}, name: g, group: g}}\n- {entry}, name: s, seed-of: seed}}\n")
    )
    assert [system.to_dict() for outcome in report.outcomes for system in outcome.comparisons] == [
        system.to_dict() for system in called
    ]


def test_harm_that_is_not_excluded_fails(tmp_path):
    shell = ("compare", SAMPLES / "digits_probs.npy", f"{SAMPLES}/distributions.npz::q", "-y",
             SAMPLES / "digits_labels.npy", "--fail-if", "harm")  # fmt: skip
    held = run_lossctl(*shell, "--loss", "cross-entropy", "--margin-of-harm", "1%", "-f", "bare")
    failed = run_lossctl(*shell, "--loss", "focal", "--margin-of-harm", "1%", "-f", "bare")
    assert (held.code, failed.code) == (0, 1)
    assert "focal: distributions.npz::q is not shown to be within 1% of digits_probs.npy" in failed.err
    nothing = run_lossctl(*shell, "--loss", "focal")
    assert nothing.code == 2 and "add --margin-of-harm 1%" in nothing.err


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "csv", "md", "latex", "tsv", "json", "ndjson"])
def test_every_format_holds_what_was_asked(format):
    done = run_lossctl(
        "compare", SAMPLES / "digits_probs.npy", f"{SAMPLES}/distributions.npz::q", "-y", SAMPLES / "digits_labels.npy",
        "--loss", "focal", "--margin-of-harm", "1%", "--beside", "wilcoxon", "-g", SAMPLES / "digits_labels.npy",
        "-f", format, COLUMNS="200",
    )  # fmt: skip
    assert done.code == 0
    assert ("wilcoxon" in done.out or "p of ranks" in done.out) and "not" in done.out
    assert len(done.out.splitlines()) >= 11


def test_all_patterns_are_counted_as_many_as_they_are():
    base, other, target = systems(10, 0.1)
    assert compared(base, other, target).ci.resamples == 1024
