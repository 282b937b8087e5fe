"""Comparisons of systems: the numbers against scipy.stats, p-values under the null, the command on real files."""

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
from lossctl.errors import DataError
from lossctl.language import registry
from lossctl.resampling import contrast, draws, paired
from lossctl.resampling.draws import Draws
from lossctl.rows import by_row, shapes, sums

RNG = np.random.default_rng(0)


def compared(base, others, target, *specs, test="sign-flip", align=None, reduction=None, reading=None, **options):
    """Comparisons of arrays (or sources)."""
    names = ("base", *(f"other {at}" for at in range(len(others))))
    forms, reading = tuple({} for _ in specs), assess.Reading() if reading is None else reading
    sides = {name: options.pop(name, None) for name in ("weight", "group", "cluster")}
    question = ComparisonQuestion(
        tuple(map(registry.parse, specs)), forms, base, tuple(others), target, names, reduction, **sides, align=align,
        confidence=assess.Confidence(**{"resamples": 2000, **options}), test=test, reading=reading, jobs=2,
    )  # fmt: skip
    return comparing.compare(question)


def some_systems(n=400, others=2, seed=5):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=n)
    base = target + rng.normal(size=n)
    return base, [target + rng.normal(scale=0.9 + 0.2 * at, size=n) for at in range(others)], target


# --- truths


def test_differences_and_rows_are_counted():
    base, (other,), target = some_systems(others=1)
    other[:50] = base[:50]
    (one,) = compared(base, [other], target, "mse")
    a, b = (base - target) ** 2, (other - target) ** 2
    assert one.difference == pytest.approx((b - a).mean(), rel=1e-12)
    assert (one.base_value, one.other_value) == pytest.approx((a.mean(), b.mean()), rel=1e-14)
    assert (one.better, one.equal, one.worse) == ((b < a).sum(), 50, (b > a).sum())


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("spec", ["mse", "rmse"])
def test_intervals_agree_with_scipy(method, spec):
    base, (other,), target = some_systems(300, 1)
    (one,) = compared(base, [other], target, spec, method=method, resamples=10_000, test="bootstrap")
    a, b = (base - target) ** 2, (other - target) ** 2
    root = np.sqrt if spec == "rmse" else lambda x: x
    theirs = scipy.stats.bootstrap(
        (a, b), lambda a, b, axis: root(b.mean(axis)) - root(a.mean(axis)), paired=True, rng=1, n_resamples=10_000,
        method="BCa" if method == "bca" else method,
    )  # fmt: skip
    assert one.ci.standard_error == pytest.approx(theirs.standard_error, rel=0.04)
    for end, truth in zip((one.ci.low, one.ci.high), theirs.confidence_interval, strict=True):
        assert end == pytest.approx(truth, abs=0.15 * theirs.standard_error)


@pytest.mark.parametrize("spec", ["mse", "rmse"])
def test_few_rows_give_scipy_s_exact_p(spec):
    base, (other,), target = some_systems(10, 1)
    (one,) = compared(base, [other], target, spec)
    a, b = (base - target) ** 2, (other - target) ** 2
    root = np.sqrt if spec == "rmse" else lambda x: x
    theirs = scipy.stats.permutation_test(
        (a, b), lambda a, b, axis: root(b.mean(axis)) - root(a.mean(axis)), permutation_type="samples",
        vectorized=True, n_resamples=math.inf,
    )  # fmt: skip
    assert one.p == pytest.approx(theirs.pvalue, rel=1e-12)
    assert one.test == "sign-flip, all patterns"


@pytest.mark.slow
def test_many_rows_give_scipy_s_p_up_to_chance():
    target = np.zeros(300)
    base = RNG.normal(size=300)
    other = base * 0.97 + RNG.normal(scale=0.3, size=300)
    (one,) = compared(base, [other], target, "mae", resamples=20_000)
    gap = np.abs(other) - np.abs(base)
    theirs = scipy.stats.permutation_test(
        (gap, np.zeros(300)), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples", vectorized=True,
        n_resamples=20_000, rng=1,
    )  # fmt: skip
    assert one.p == pytest.approx(theirs.pvalue, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("test", ["sign-flip", "bootstrap"])
def test_p_is_uniform_under_the_null(test):
    """Two systems that are alike: their losses may be swapped in any row."""
    plan = shapes.Plan(registry.parse("mae"), ())
    found = []
    for seed in range(800):
        rng = np.random.default_rng(seed)
        losses = rng.gamma(1.0, 1.0, (100, 2))
        values = np.column_stack([losses, np.ones(100)])
        ask = paired.Ask(Draws(seed, 499), test)
        drawn = paired._drawn(plan, np.arange(100), values, 1, ask)
        parts = tuple(by_row.Part((sums.total(column), sums.count(100)), n=100) for column in losses.T)
        found.append(contrast.difference(plan, drawn._replace(parts=parts), 0, 0.95, ask).p)
    assert scipy.stats.kstest(found, "uniform").pvalue > 0.01
    for level in (0.05, 0.1, 0.5):
        assert np.mean(np.array(found) <= level) == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / 800))


@pytest.mark.parametrize("spec", ["mae", "mse", "rmse"])
def test_rows_that_do_not_differ_say_nothing(spec):
    """Of 40 rows 4 differ, all in one direction: 2 of the 16 patterns of their signs reach that."""
    base = np.random.default_rng(3).uniform(0.5, 1, 40)
    other = base + (np.arange(40) < 4) * 2e-4
    (system,) = compared(base, [other], np.zeros(40), spec)
    assert (system.p, system.verdict, system.test) == (0.125, "no difference shown", "sign-flip, all patterns")
    assert system.ci.low <= 0 < system.ci.high


FEW = {  # a base and another system of which few rows tell anything, whatever else they have
    "four of forty": (np.ones(40), 1 + (np.arange(40) < 4) * 2e-4, {}),
    "four beside rounding": (np.ones(40), 1 + (np.arange(40) < 4) * 2e-4 + np.arange(40) * 2e-16, {}),
    "five rows": (np.ones(5), 1 + np.arange(1, 6) * 1e-4, {}),
    "one heavy row": (np.ones(40), np.linspace(1, 1.1, 40), {"weight": np.where(np.arange(40) < 2, 1e4, 1.0)}),
    "four clusters": (np.ones(80), np.linspace(1, 1.1, 80), {"cluster": np.arange(80) % 4}),
}


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_resamples_of_few_rows_that_differ_decide_nothing(method):
    """None of four rows is drawn in e^-4 of resamples: that would be p = 0.037, where 0.125 is exact."""
    for case, (base, other, settings) in FEW.items():
        (system,) = lossctl.compare(
            base, other, target=np.zeros(len(base)), loss="mae", test="bootstrap", ci_method=method,
            margin_of_harm="10%", **settings,
        )  # fmt: skip
        assert (system.verdict, system.harm.verdict) == ("unknown", "unknown"), case
        assert math.isnan(system.p) and math.isnan(system.ci.low) and "too few" in system.warnings[-1], case


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_resamples_of_differences_whose_squares_leave_float64_decide_nothing(size):
    (system,) = compared(np.full(40, size), [size * (1 + (np.arange(40) < 4))], np.zeros(40), "mae", test="bootstrap")
    assert system.verdict == "unknown" and math.isnan(system.p) and system.warnings


def test_the_t_test_beside_resamples_is_scipy_s():
    rng = np.random.default_rng(5)
    base, other = rng.gamma(1, 1, 30), rng.gamma(1, 1, 30)
    (system,) = lossctl.compare(base, other, target=np.zeros(30), loss="mae", test="bootstrap", beside=["t"])
    theirs = scipy.stats.ttest_rel(other, base)
    assert dict(system.beside)["t_p"] == pytest.approx(theirs.pvalue, rel=1e-9)


def test_five_rows_cannot_show_a_difference_at_95_percent():
    base = np.array([1.55, 1.03, 1.31, 0.77, 1.98])
    (system,) = compared(base, [base + 2e-4], np.zeros(5), "mae")
    assert (system.p, system.verdict) == (0.0625, "no difference shown")
    assert (system.ci.low, system.ci.high) == (-math.inf, math.inf)
    (system,) = compared(base, [base + 2e-4], np.zeros(5), "mae", level=0.9)
    assert system.verdict == "worse" and system.ci.low == pytest.approx(2e-4)


@pytest.mark.first_fast
@pytest.mark.parametrize("copy", ["float32", "four rows"])
@pytest.mark.parametrize("spec", ["mae", "rmse"])
def test_differences_near_rounding_are_no_findings(spec, copy):
    rng = np.random.default_rng(9)
    p = []
    for _ in range(120):
        base = rng.normal(size=200)
        tiny = base.astype(np.float32) if copy == "float32" else base + (np.arange(200) < 4) * rng.normal(0, 1e-3, 200)
        p.append(compared(base, [tiny.astype(float)], np.zeros(200), spec, resamples=999)[0].p)
    assert min(p) > 0
    assert np.mean(np.array(p) < 0.05) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 120)
    assert copy == "float32" or min(p) >= 0.125


@pytest.mark.first_fast
@pytest.mark.parametrize("test", ["sign-flip", "bootstrap"])
@pytest.mark.parametrize("spec", ["mae", "rmse"])
@pytest.mark.parametrize("n", [6, 12, 20, 30])
def test_the_interval_leaves_0_out_where_p_is_below(test, spec, n):
    for seed in range(60):
        rng = np.random.default_rng(seed)
        base, other = rng.gamma(1, 1, n), 1.5 * rng.gamma(1, 1, n)
        (system,) = compared(base, [other], np.zeros(n), spec, test=test, resamples=399)
        assert (system.ci.low > 0 or system.ci.high < 0) == (system.p < 0.05), seed
        assert (system.verdict in ("better", "worse")) == (system.p < 0.05)
        assert test == "bootstrap" or system.ci.low <= system.difference <= system.ci.high


def test_the_interval_of_all_patterns_is_that_of_shifted_rows():
    """Each end by bisection on scipy's p of the shifted differences."""
    gap = np.random.default_rng(4).normal(0.4, 1, 9)

    def p_of(shift):
        return scipy.stats.permutation_test(
            (gap - shift, np.zeros(9)), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples",
            vectorized=True, n_resamples=math.inf,
        ).pvalue  # fmt: skip

    (system,) = compared(np.full(9, 5.0), [5 + gap], np.zeros(9), "mae")
    for end, outward in ((system.ci.low, -1), (system.ci.high, 1)):
        assert p_of(end - outward * 1e-9) >= 0.05 > p_of(end + outward * 1e-9)


def test_holm_is_holm():
    assert contrast.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert contrast.holm([0.6, 0.9]) == [1.0, 1.0]
    held = contrast.holm([math.nan, 0.01])
    assert math.isnan(held[0]) and held[1] == 0.02


def test_holm_is_over_the_systems_of_each_loss():
    base, others, target = some_systems(others=3)
    found = compared(base, others, target, "mse", "mae")
    assert [(one.loss, one.other) for one in found[:4]] == [("mse", f"other {at}") for at in range(3)] + [
        ("mae", "other 0")
    ]
    for family in (found[:3], found[3:]):
        assert [one.p_adjusted for one in family] == pytest.approx(contrast.holm([one.p for one in family]))


def test_clusters_are_flipped_whole():
    cluster = np.repeat(np.arange(12), 50)
    target = np.zeros(600)
    base = np.ones(600)
    shift = RNG.normal(size=12)
    other = 1 + np.repeat(shift, 50) * 0.1
    (by_row,) = compared(base, [other], target, "mean-error")
    (by_cluster,) = compared(base, [other], target, "mean-error", cluster=cluster, resamples=5000)
    theirs = scipy.stats.permutation_test(
        (shift, np.zeros(12)), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples", vectorized=True,
        n_resamples=math.inf,
    )  # fmt: skip
    assert by_cluster.p == pytest.approx(theirs.pvalue)
    assert by_cluster.ci.standard_error > 4 * by_row.ci.standard_error
    assert (by_cluster.ci.unit, by_cluster.ci.units) == ("clusters", 12)


def test_ranking_losses_compare_list_by_list():
    group = np.repeat(np.arange(60), 5)
    relevance = RNG.integers(0, 3, 300)
    base, other = RNG.normal(size=300), relevance + RNG.normal(size=300)
    (one,) = compared(base, [other], relevance, "list-mle", group=group)
    assert (one.n, one.ci.unit, one.verdict) == (60, "lists", "better")
    assert one.better + one.equal + one.worse == 60


def test_sums_and_weights():
    base, (other,), target = some_systems(others=1)
    weight = RNG.uniform(1, 3, len(base))
    (mean,) = compared(base, [other], target, "mse", weight=weight)
    gap = weight * ((other - target) ** 2 - (base - target) ** 2)
    assert mean.difference == pytest.approx(gap.sum() / weight.sum(), rel=1e-11)
    (total,) = compared(base, [other], target, "mse", reduction="sum")
    (plain,) = compared(base, [other], target, "mse")
    assert total.difference == pytest.approx(400 * plain.difference)
    assert (total.ci.low, total.p) == pytest.approx((400 * plain.ci.low, plain.p))


def test_alike_and_infinite():
    base, _, target = some_systems()
    (same,) = compared(base, [base], target, "mse")
    assert (same.difference, same.p, same.verdict, same.equal) == (0, 1, "no difference shown", 400)
    (one,) = compared(np.full(30, 0.5), [np.r_[0.0, np.full(29, 0.6)]], np.ones(30), "bce")
    assert (one.difference, one.verdict) == (math.inf, "unknown")
    assert one.to_dict()["p"] is None


def test_rows_left_out_are_left_out_for_all():
    from lossctl.api.reading import Reading

    base, others, target = some_systems()
    others[0][3] = others[1][5] = np.nan
    with pytest.raises(DataError, match="nan"):
        compared(base, others, target, "mse")
    found = compared(base, others, target, "mse", reading=Reading(skip_nan=True))
    assert [one.n for one in found] == [398, 398]
    rest = np.delete(np.arange(400), [3, 5])
    assert found[0].base_value == pytest.approx(((base - target)[rest] ** 2).mean(), rel=1e-14)


# --- joined by identifier


def write_csv(path, names, **columns):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *columns])
        writer.writerows(zip(names, *columns.values(), strict=True))
    return str(path)


def test_rows_are_matched_by_identifier(tmp_path):
    base, (other,), target = some_systems(50, 1)
    names = [f"r{at}" for at in range(50)]
    mixed, again = RNG.permutation(50), RNG.permutation(50)
    sources = (
        write_csv(tmp_path / "a.csv", names, pred=base),
        write_csv(tmp_path / "b.csv", [names[at] for at in mixed], pred=other[mixed]),
        write_csv(tmp_path / "y.csv", [names[at] for at in again], target=target[again]),
    )
    done = run_lossctl(
        "compare", *sources[:2], "-y", sources[2], "--loss", "mse", "--align", "id::id", "--json", cwd=tmp_path
    )
    (one,) = json.loads(done.out)["results"]
    assert one["value"] == pytest.approx(((other - target) ** 2 - (base - target) ** 2).mean())
    unequal = write_csv(tmp_path / "c.csv", [*names[2:], "x", "y", "z"], pred=range(51))
    done = run_lossctl("compare", sources[0], unequal, "-y", sources[2], "--loss", "mse", "--align", "id::id")
    assert (done.code, done.out) == (3, "")
    assert "lacks 2 of the 50" in done.err and "has 3 others" in done.err
    twice = write_csv(tmp_path / "d.csv", [*names[:49], "r0"], pred=range(50))
    done = run_lossctl("compare", sources[0], twice, "-y", sources[2], "--loss", "mse", "--align", "id::id")
    assert done.code == 3 and "more than once" in done.err
    for at, (name, label) in enumerate((("id", "target"), ("target", "id"))):
        (tmp_path / f"s{at}.csv").write_text(f"{name},{label}\n1,2\n")
    done = run_lossctl("compute", "mse", sources[0], "-y", f"{tmp_path}/s*.csv", "--align", "id::id", cwd=tmp_path)
    assert (done.code, done.err.split(": has")[0]) == (3, f"lossctl: error: {tmp_path}/s1.csv")
    done = run_lossctl("compute", "mse", *sources[1:], "--align", "id::id", "--on", "ray")
    assert done.code == 2 and "without --on" in done.err


# --- the command


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("systems")
    prob, label = np.load(ROOT / "samples/preds.npy").T
    np.save(folder / "base.npy", prob)
    np.save(folder / "flat.npy", 0.5 + (prob - 0.5) * 0.2)
    np.save(folder / "near.npy", np.clip(prob + RNG.normal(scale=0.001, size=285), 0.00001, 0.99999))
    np.save(folder / "label.npy", label)
    return folder


def compare_files(files, *arguments, **environment):
    few = () if {"bare", "--resamples"} & set(arguments) else ("--resamples", "500")
    return run_lossctl(
        "compare", "base.npy", "flat.npy", "near.npy", "-y", "label.npy", "--loss", "bce", *few, *arguments, cwd=files,
        **environment,
    )  # fmt: skip


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "json", "ndjson", "tsv", "csv", "md", "latex", "bare"])
def test_every_format_holds_the_differences(files, format):
    done = compare_files(files, "-f", format)
    assert done.code == 0, done.err
    truth = json.loads(compare_files(files, "--json").out)["results"]
    assert truth[0]["verdict"] == "worse" and truth[0]["rows"]["worse"] > 142
    assert truth[1]["verdict"] != "unknown"
    assert f"{truth[0]['value']:.10f}"[: 5 if format == "table" else 10] in done.out
    if format == "csv":
        rows = list(csv.DictReader(io.StringIO(done.out)))
        assert [row["other"] for row in rows] == ["flat.npy", "near.npy"]
        assert float(rows[0]["p"]) == truth[0]["p"]


def test_a_wide_terminal_gets_the_intervals_drawn(files):
    drawn = compare_files(files, "-f", "table", COLUMNS="130").out
    assert "●" in drawn and "worse" in drawn
    assert "●" not in compare_files(files, "-f", "table", COLUMNS="100").out


def test_fail_if_worse(files):
    done = compare_files(files, "--fail-if", "worse")
    assert done.code == 1
    assert "flat.npy is worse than base.npy" in done.err
    assert len(done.out.splitlines()) == 3
    better = run_lossctl(
        "compare", "flat.npy", "base.npy", "-y", "label.npy", "--loss", "bce", "--fail-if", "worse", cwd=files
    )
    assert better.code == 0


def test_the_seed_and_nothing_else_moves_the_digits(files):
    text = compare_files(files).out
    assert compare_files(files, "-j", "1").out == text
    assert compare_files(files, "--seed", "1").out != text


def test_the_bootstrap_is_another_test(files):
    (one, _) = json.loads(compare_files(files, "--test", "bootstrap", "--json").out)["results"]
    assert one["test"] == "bootstrap"
    prob, label = np.load(ROOT / "samples/preds.npy").T
    flat = 0.5 + (prob - 0.5) * 0.2
    gap = np.log(np.where(label == 1, prob / flat, (1 - prob) / (1 - flat)))
    effective = np.abs(gap).sum() ** 2 / (gap * gap).sum()
    reach = scipy.stats.norm.isf(1 / 1002) * math.sqrt(1 - 1 / effective)  # no resample is on the other side
    assert one["p"] == pytest.approx(2 * scipy.stats.t.sf(reach, effective - 1), rel=1e-6)


WRONG = {
    "test": (("--test", "t"), 2, "sign-flip"),
    "gate": (("--fail-if", "bad"), 2, "worse"),
    "signed": (("--loss", "mean-error", "--fail-if", "worse"), 2, "lower is not better"),
    "no rows": (("--loss", "gini"), 2, "gini"),
    "lists without groups": (("--loss", "ranknet"), 2, "--group"),
    "method": (("--ci-method", "percentile"), 2, "--test bootstrap"),
    "level": (("--resamples", "19"), 2, "--resamples 39"),
    "reduction": (("-r", "none"), 2, "mean or sum"),
    "logits": (("--loss", "mse", "--from-logits"), 2, "--from-logits"),
}


@pytest.mark.parametrize(("arguments", "code", "expected"), WRONG.values(), ids=WRONG)
def test_comparisons_that_make_no_sense(files, arguments, code, expected):
    done = compare_files(files, *arguments)
    assert (done.code, done.out) == (code, ""), done.err
    assert expected in done.err and "fix:" in done.err


def test_flips_and_resamples_are_drawn_apart():
    values = np.eye(64)
    weights = draws.resample_sums(Draws(0, 640), np.arange(64), values).table
    signs = draws.flip_sums(Draws(0, 640), np.arange(64), values).table
    correlation = np.corrcoef(weights.ravel(), signs.ravel())[0, 1]
    assert abs(correlation) < 4 / math.sqrt(weights.size)
