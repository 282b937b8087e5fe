"""Losses that finish sums of all rows: their intervals, groups, comparisons and refusals, against scipy and sklearn."""

import json
import math
import sys
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from conftest import run_lossctl
from readings import reading_of, value_of

import lossctl
from lossctl.api import compare, compute
from lossctl.api.question_of_systems import ComparisonQuestion
from lossctl.errors import DataError, UsageError
from lossctl.language import registry
from lossctl.resampling import survey
from lossctl.resampling.draws import Draws
from lossctl.rows import hardest

RNG = np.random.default_rng(21)
N = 400
PROB = RNG.beta(0.5, 0.8, N)
LABEL = (RNG.random(N) < 0.2 + 0.6 * PROB).astype(float)
TARGET = RNG.gamma(2.0, 3.0, N)
PRED = TARGET + RNG.normal(0, 2.0, N)
PROBS = RNG.dirichlet(np.ones(4), N)
CLASSES = np.array([RNG.choice(4, p=row) for row in PROBS])
INPUTS = {"dice": (PROB, LABEL), "r2": (PRED, TARGET), "perplexity": (PROBS, CLASSES), "rmse": (PRED, TARGET)}


def dice(p, y, axis=-1):
    return 1 - 2 * (p * y).sum(axis) / (p + y).sum(axis)


def r2(p, y, axis=-1):
    return 1 - ((p - y) ** 2).sum(axis) / ((y - y.mean(axis, keepdims=True)) ** 2).sum(axis)


def perplexity(log_p, axis=-1):
    return np.exp(-log_p.mean(axis))


def rmse(p, y, axis=-1):
    return np.sqrt(((p - y) ** 2).mean(axis))


CHOSEN = np.log(PROBS[np.arange(N), CLASSES])
STATISTICS = {"dice": ((PROB, LABEL), dice), "r2": ((PRED, TARGET), r2), "perplexity": ((CHOSEN,), perplexity)}
STATISTICS["rmse"] = ((PRED, TARGET), rmse)


def assessed(loss, *, confidence=None, **side):
    request = compute.Request(registry.parse(loss), {}, INPUTS[loss], side=compute.Side(**side))
    with compute.prepared([request]) as shared:
        return compute.results(shared, confidence)


def test_values_are_those_of_others():
    assert value_of(registry.parse("r2"), (PRED, TARGET)) == pytest.approx(sklearn.metrics.r2_score(TARGET, PRED))
    weight = RNG.random(N)
    ours = value_of(registry.parse("r2"), (PRED, TARGET), weight=weight)
    assert ours == pytest.approx(sklearn.metrics.r2_score(TARGET, PRED, sample_weight=weight), rel=1e-12)
    many = np.stack([TARGET, TARGET[::-1], PRED], axis=1), np.stack([PRED, TARGET, TARGET], axis=1)
    ours = value_of(registry.parse("r2"), (many[1], many[0]))
    assert ours == pytest.approx(sklearn.metrics.r2_score(many[0], many[1]), rel=1e-12)
    hard = (PROB > 0.5).astype(float)
    ours = value_of(registry.parse("dice"), (hard, LABEL))
    assert ours == pytest.approx(1 - sklearn.metrics.f1_score(LABEL, hard), rel=1e-12)
    ours = value_of(registry.parse("perplexity"), (PROBS, CLASSES))
    assert ours == pytest.approx(math.exp(sklearn.metrics.log_loss(CLASSES, PROBS, labels=range(4))), rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8, 2.0**40])
@pytest.mark.parametrize("weighted", [False, True])
def test_r2_keeps_its_digits_far_from_zero(offset, weighted):
    """The squares of the targets would cancel in float64; the exact sums of both halves of each do not."""
    target = np.round(TARGET * 1024) / 1024 + offset
    pred = target + np.round(RNG.normal(0, 2, N) * 1024) / 1024
    weight = RNG.random(N) if weighted else None
    w = [Fraction(1)] * N if weight is None else [Fraction(item) for item in weight.tolist()]
    y, p = ([Fraction(item) for item in column.tolist()] for column in (target, pred))
    mean = sum(a * b for a, b in zip(w, y, strict=True)) / sum(w)
    spread = sum(a * (b - mean) ** 2 for a, b in zip(w, y, strict=True))
    error = sum(a * (b - c) ** 2 for a, b, c in zip(w, y, p, strict=True))
    ours = value_of(registry.parse("r2"), (pred, target), weight=weight)
    assert ours == pytest.approx(float(1 - error / spread), rel=1e-15)


@pytest.mark.first_fast
@pytest.mark.parametrize("loss", STATISTICS)
@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_intervals_are_scipy_s(loss, method):
    inputs, statistic = STATISTICS[loss]
    (result,) = assessed(loss, confidence=compute.Confidence(0.9, method, 20_000))
    theirs = scipy.stats.bootstrap(
        inputs, statistic, paired=True, vectorized=True, confidence_level=0.9,
        method="BCa" if method == "bca" else method, n_resamples=20_000, rng=3,
    )  # fmt: skip
    assert result.value == pytest.approx(float(statistic(*inputs)), rel=1e-12)
    assert result.ci.low < result.value < result.ci.high
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert result.ci.low == pytest.approx(theirs.confidence_interval.low, abs=0.04 * width)
    assert result.ci.high == pytest.approx(theirs.confidence_interval.high, abs=0.04 * width)
    assert result.ci.standard_error == pytest.approx(theirs.standard_error, rel=0.03)


@pytest.mark.first_fast
@pytest.mark.parametrize("loss", STATISTICS)
def test_the_influence_of_rows_is_what_a_weight_does(loss):
    """The acceleration from moments, against the values with a little more weight on each row (Efron 1987, 6.6)."""
    step = 1e-5
    more, less = (
        np.array([value_of(registry.parse(loss), INPUTS[loss], weight=1 + sign * step * row) for row in np.eye(N)])
        for sign in (1, -1)
    )
    influence = more - less
    truth = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    aspects = (survey.Aspects(draws=Draws(0, 10)),)
    with reading_of(registry.parse(loss), INPUTS[loss]) as shared:
        (pieces,) = survey.add_up(shared.score(partial(survey.of_block, aspects, survey.slice_of)), aspects)
        spread = pieces[None].spread(shared.losses[0].plan, Draws(0, 10), "bca")
    assert spread.acceleration == pytest.approx(truth, rel=1e-4)


@pytest.mark.first_fast
@pytest.mark.parametrize("loss", STATISTICS)
def test_groups_clusters_and_their_mean(loss):
    inputs, statistic = STATISTICS[loss]
    group = np.arange(N) % 3
    confidence = compute.Confidence(0.9, resamples=2000)
    everyone, macro, *parts = assessed(loss, group=group, confidence=confidence)
    truths = [float(statistic(*(column[group == at] for column in inputs))) for at in range(3)]
    assert [part.value for part in parts] == pytest.approx(truths, rel=1e-12)
    assert macro.value == pytest.approx(np.mean(truths), rel=1e-12)
    for result in (everyone, macro, *parts):
        assert result.ci.low < result.value < result.ci.high
    cluster = np.arange(N) // 8
    (clustered,) = assessed(loss, cluster=cluster, confidence=compute.Confidence(0.9, resamples=4000))
    rng = np.random.default_rng(0)
    drawn = [np.concatenate([np.flatnonzero(cluster == at) for at in rng.integers(0, 50, 50)]) for _ in range(4000)]
    values = np.array([float(statistic(*(column[rows] for column in inputs))) for rows in drawn])
    assert clustered.ci.units == 50
    assert clustered.ci.standard_error == pytest.approx(values.std(ddof=1), rel=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("loss", STATISTICS)
def test_a_comparison_is_scipy_s(loss):
    inputs, statistic = STATISTICS[loss]
    other = {
        "dice": np.clip(PROB + RNG.normal(0, 0.05, N), 0, 1),
        "r2": PRED + RNG.normal(0, 0.3, N),
        "rmse": PRED + RNG.normal(0, 0.3, N),
        "perplexity": (PROBS + 0.01) / 1.04,
    }[loss]
    base, target = INPUTS[loss]
    question = ComparisonQuestion(
        (registry.parse(loss),), ({},), base, (other,), target, ("base", "other"),
        confidence=compute.Confidence(resamples=20_000),
    )  # fmt: skip
    (ours,) = compare.compare(question)
    (resampled,) = compare.compare(question._replace(test="bootstrap"))
    columns = [np.log(other[np.arange(N), CLASSES])] if loss == "perplexity" else [other, target]
    both = statistic(*inputs), statistic(*columns)
    assert ours.difference == pytest.approx(float(both[1] - both[0]), rel=1e-9)

    def gap(*parts, axis=-1):
        half = len(parts) // 2
        return statistic(*parts[half:]) - statistic(*parts[:half])

    theirs = scipy.stats.bootstrap(
        (*inputs, *columns), gap, paired=True, vectorized=True, method="BCa", n_resamples=20_000, rng=4
    )
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert resampled.ci.low == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert resampled.ci.high == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)
    assert (ours.ci.low, ours.ci.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.15 * width)
    signs = np.random.default_rng(5).integers(0, 2, (4000, N)).astype(bool)
    swapped = [np.where(signs, b, a) for a, b in zip(inputs, columns, strict=True)]
    others = [np.where(signs, a, b) for a, b in zip(inputs, columns, strict=True)]
    flips = np.abs(statistic(*others) - statistic(*swapped))
    p = (1 + np.count_nonzero(flips >= abs(both[1] - both[0]) * (1 - 1e-9))) / 4001
    assert ours.p == pytest.approx(p, abs=0.03)
    better = ours.difference > 0 if loss == "r2" else ours.difference < 0
    assert ours.verdict in ("no difference shown", "better" if better else "worse")
    assert (ours.better is None) == (loss in ("dice", "r2"))


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["dice", "r2"])
def test_what_a_row_alone_does_not_have_is_refused(loss, tmp_path):
    path = tmp_path / "x.csv"
    names = {"dice": "prob,label", "r2": "pred,target"}[loss]
    np.savetxt(path, np.stack(INPUTS[loss], axis=1), delimiter=",", header=names, comments="")
    for asked in (["--top", "3"], ["--keep", "10%"], ["--per-row"]):
        done = run_lossctl("compute", loss, path, *asked)
        assert done.code == 2 and asked[0] in done.err and "all rows together" in done.err
    assert "no curve" in run_lossctl("curve", loss).err
    with reading_of(registry.parse(loss), INPUTS[loss]) as shared, pytest.raises(UsageError, match="each row"):
        compute.top(shared, 3)
    done = run_lossctl("compute", loss, path, "--max", "-1", "--ci", "0.9", "--json")
    assert done.code == 1 and json.loads(done.out)["results"][0]["ci"]["low"]


@pytest.mark.parametrize("loss", ["perplexity", "rmse"])
def test_the_hardest_rows_have_a_value_of_their_own(loss):
    inputs, statistic = STATISTICS[loss]
    alone = np.exp(-CHOSEN) if loss == "perplexity" else np.abs(PRED - TARGET)
    with reading_of(registry.parse(loss), INPUTS[loss]) as shared:
        top = compute.top(shared, 7)
        (kept,) = compute.kept(shared, hardest.read_kept("50"))
    order = np.argsort(-alone, kind="stable")
    assert top.number.tolist() == order[:7].tolist()
    assert top.loss == pytest.approx(alone[order[:7]], rel=1e-13)
    assert kept.value == pytest.approx(float(statistic(*(column[order[:50]] for column in inputs))), rel=1e-12)


def test_an_interval_without_digits_is_refused():
    """The sums of squares of a resample are rounded to float64: around 1e12 nothing of their difference is left."""
    far = [column + 1e12 for column in (PRED, TARGET)]
    with reading_of(registry.parse("r2"), far) as shared:
        assert compute.results(shared)[0].value == pytest.approx(r2(PRED, TARGET), rel=1e-3)
        with pytest.raises(DataError, match="cancel"):
            compute.results(shared, compute.Confidence())


@pytest.mark.parametrize(
    ("loss", "inputs", "truth"),
    [
        ("dice", ([0.0, 0.0], [0.0, 0.0]), math.nan),
        ("dice:smooth=1", ([0.0, 0.0], [0.0, 0.0]), 0.0),
        ("dice", ([0.0], [1.0]), 1.0),
        ("r2", ([1.0, 2.0], [3.0, 3.0]), -math.inf),
        ("r2", ([3.0, 3.0], [3.0, 3.0]), math.nan),
        ("r2", ([1.0], [1.0]), math.nan),
        ("perplexity", ([[0.0, 1.0]], [0]), math.inf),
        ("perplexity", ([[1.0, 0.0]], [0]), 1.0),
    ],
)
def test_ends(loss, inputs, truth):
    assert value_of(registry.parse(loss), [np.array(column) for column in inputs]) == pytest.approx(truth, nan_ok=True)


@pytest.mark.parametrize(
    ("specs", "printed"),
    [
        (("dice:smooth=1e-5",), 0.2520319),
        (("dice-squared:smooth=1e-5",), 0.09489695),
        (("dice:smooth=1e-5", "bce"), 0.551033),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else "",
)
def test_means_of_images_are_what_monai_prints(specs, printed):
    """MONAI 1.6.1, of two images of four pixels: DiceLoss, with squared_pred=True, DiceCELoss."""
    images = [([0.9, 0.8, 0.3, 0.1], [1, 1, 0, 0]), ([0.7, 0.2, 0.6, 0.4], [1, 0, 1, 0])]
    means = [np.mean([value_of(registry.parse(spec), image) for image in images]) for spec in specs]
    assert sum(means) == pytest.approx(printed, rel=1e-6)


@pytest.mark.parametrize("power", [-1060, -700, -560, -480, -400, 500, 680, 1015])
def test_the_explained_share_of_numbers_of_any_size(power):
    """A power of two changes no digit of it; the truth is of the small whole numbers."""
    scale = 2.0**power
    target = np.array([1, 2, 6, 3, 4, 8, 2, 5, 1, 9, 12, 3.0])
    error = np.array([1, -1, 2, 0, 1, -3, 1, 0, 2, 1, -4, 1.0])
    spread = ((target - target.mean()) ** 2).sum()
    got = lossctl.compute("r2", (target + error) * scale, target * scale)
    assert got.value == pytest.approx(1 - 39 / spread, rel=1e-15) and not got.warnings
    interval = lossctl.compute("r2", (target + error) * scale, target * scale, ci=0.9)
    assert interval.ci.low <= got.value <= interval.ci.high or any("no " in text for text in interval.warnings)


@pytest.mark.parametrize("power", [-1040, -665, 664])
def test_roots_of_powers_of_any_size(power):
    """A power of two changes no digit of them; an interval is that of numbers near 1, or is not given."""
    pred, target = np.array([3, 1, 2, 8, 5, 3, 7, 2, 9, 4, 6, 4.0]), np.array([1, 3, 6, 7, 9, 2, 2, 4, 9, 1, 3, 8.0])
    errors, scale = np.abs(pred - target), 2.0**power
    size = {"mean": target.mean(), "std": target.std(), "l2": np.sqrt((target**2).sum())}
    truths = {f"nrmse:normalization={name}": np.sqrt((errors**2).mean()) / size[name] for name in size}
    truths |= {f"minkowski:p={p}": (errors**p).sum() ** (1 / p) * scale for p in (1, 1.5, 2, 3, 32)}
    truths |= {"rmse": np.sqrt((errors**2).mean()) * scale, "mae": errors.mean() * scale}
    if power < -100:
        truths["rmsle"] = truths["rmse"]
    for spec, truth in truths.items():
        got = lossctl.compute(spec, pred * scale, target * scale, ci=0.9, resamples=99)
        assert got.value == pytest.approx(truth, rel=1e-14, abs=0), spec
        assert got.warnings or got.ci.low < got.value < got.ci.high, spec


def test_errors_beyond_the_largest_number_have_squares():
    largest = np.array([1.5e308, 1.0, 2.0])
    assert lossctl.compute("r2", largest, -largest).value == pytest.approx(-5, rel=1e-15)
    zeros = np.zeros(9)
    rmse = lossctl.compute("rmse", np.append(1.5e308, zeros), np.append(-1.5e308, zeros)).value
    assert rmse == pytest.approx(3 / math.sqrt(10) * 1e308, rel=1e-15)


def test_errors_beyond_the_largest_number_may_have_a_mean_below_it():
    """In a row of two columns of which the other is right: half of the error, or of its logarithm."""
    largest = sys.float_info.max
    pred, target = np.array([[largest, 1.0]]), np.array([[-largest, 1.0]])
    lines = dict.fromkeys(("mae", "huber", "smooth-l1", "log-cosh", "pseudo-huber", "fair", "wing"), largest)
    truths = lines | {"quantile-huber": largest / 2, "median-error": largest}
    logarithm = math.log(largest) + math.log(2) - math.log(2) / 2
    truths |= {"cauchy": logarithm, "barron:alpha=0": logarithm}
    for spec, truth in truths.items():
        assert lossctl.compute(spec, pred, target).value == pytest.approx(truth, rel=1e-15), spec
    assert lossctl.compute("median-error", [largest, largest], [0, 0]).value == largest


def test_the_explained_share_of_sizes_side_by_side():
    target = np.array([2.0**700, 3.0, 2.0**-700, -(2.0**690), 2.0**699, 7.0])
    exact = [Fraction(number) for number in target]
    mean = sum(exact) / len(exact)
    errors = sum((number * Fraction(0.875) - number) ** 2 for number in exact)
    truth = 1 - errors / sum((number - mean) ** 2 for number in exact)
    assert lossctl.compute("r2", target * 0.875, target).value == pytest.approx(float(truth), rel=1e-15)


@pytest.mark.parametrize(
    ("loss", "prediction", "truth"),
    [
        ("r2", [1.0, 2, 3], [2.0, 2, 2]),
        ("r2", [2.0, 2, 2], [2.0, 2, 2]),
        ("dice", [0.0, 0, 0], [0, 0, 0]),
        ("jaccard", [0.0, 0, 0], [0, 0, 0]),
        ("mse:", [1e200, 1e200, 1e200], [-1e200, 0, 0]),
    ],
)
def test_a_value_that_is_not_finite_is_said(loss, prediction, truth):
    got = lossctl.compute(loss.strip(":"), np.array(prediction), np.array(truth))
    assert not np.isfinite(got.value) and "finite" in " ".join(got.warnings)
    others = np.array([0.25, 0.75, 0.5]), np.array([0.0, 1, 1])
    pair = np.concatenate([prediction, others[0]]), np.concatenate([truth, others[1]])
    groups = lossctl.compute(loss.strip(":"), *pair, group=np.array(list("aaabbb")))
    assert not np.isfinite(groups.macro.value) and "not finite: a" in " ".join(groups.macro.warnings)


def test_a_term_without_weight_is_not_told_to_be_infinite():
    """A probability of 0 for what came costs cross-entropy without end, and dice nothing but what it misses."""
    sources = np.array([0.8, 0.4, 0.0]), np.array([1, 0, 1])
    for spec in ("dice-bce:bce_weight=0", "dice-focal:focal_weight=0"):
        result = lossctl.compute(spec, *sources)
        assert result.value == lossctl.compute("dice", *sources).value and not result.warnings, spec
    assert not lossctl.compute("unified-focal:focal_weight=0", *sources).warnings
