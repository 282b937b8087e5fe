"""Curves: the values are those of `compute`, the slopes those of calculus, the errors name a way out."""

import json
import math

import numpy as np
import pytest
from commands import on_a_terminal
from conftest import run_lossctl
from folds import by, fold

import lossctl as package
from lossctl.curves.entries import read, sweep
from lossctl.curves.pictures import Plane, Regions
from lossctl.curves.tracing import trace
from lossctl.errors import UsageError
from lossctl.language import registry

LOG = np.log


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def focal_by_logit(x, gamma):
    p, miss = sigmoid(x), sigmoid(-x)
    return miss**gamma * (gamma * p * LOG(p) - miss)


def focal_by_p(p, gamma):
    with np.errstate(divide="ignore", invalid="ignore"):
        easing = np.where(p < 1, gamma * (1 - p) ** (gamma - 1) * LOG(p), 0.0)
        return easing - (1 - p) ** gamma / p


# spec, variable, case -> dy/dx; at a kink the derivative from the right
CLOSED_FORMS = {
    ("mean-error", "error", ""): lambda e: -np.ones_like(e),
    ("mse", "error", ""): lambda e: 2 * e,
    ("mae", "error", ""): lambda e: np.where(e >= 0, 1.0, -1.0),
    ("rmse", "error", ""): lambda e: np.where(e >= 0, 1.0, -1.0),
    ("huber:delta=1", "error", ""): lambda e: np.clip(e, -1, 1),
    ("smooth-l1:beta=0.5", "error", ""): lambda e: np.clip(e / 0.5, -1, 1),
    ("bce", "x_t", ""): lambda x: -sigmoid(-x),
    ("bce:pos-weight=3", "x_t", ""): lambda x: -3 * sigmoid(-x),
    ("log-loss", "score", ""): lambda x: -sigmoid(-x),
    ("cross-entropy", "x_t", ""): lambda x: -sigmoid(-x),
    ("cross-entropy:label-smoothing=0.1", "x_t", ""): lambda x: sigmoid(x) - 0.95,
    ("focal:gamma=0", "x_t", ""): lambda x: -sigmoid(-x),
    ("focal:gamma=2", "x_t", ""): lambda x: focal_by_logit(x, 2),
    ("focal:gamma=0.5,alpha=0.25", "x_t", ""): lambda x: 0.25 * focal_by_logit(x, 0.5),
    ("focal-star:gamma=2,beta=1", "x_t", ""): lambda x: -sigmoid(-(2 * x + 1)),
    ("hinge", "score", ""): lambda s: np.where(s < 1, -1.0, 0.0),
    ("exponential", "score", ""): lambda s: -np.exp(-s),
    ("log-loss:base=2", "score", ""): lambda x: -sigmoid(-x) / LOG(2),
    ("mse", "score", ""): lambda s: 2 * (s - 1),
    ("squared-hinge", "score", ""): lambda s: -2 * np.maximum(1 - s, 0),
    ("multiclass-hinge", "score", ""): lambda s: np.where(s < 1, -1.0, 0.0),
    ("bce", "p_t", ""): lambda p: -1 / p,
    ("cross-entropy", "p_t", ""): lambda p: -1 / p,
    ("focal:gamma=2", "p_t", ""): lambda p: focal_by_p(p, 2),
    ("focal:gamma=5", "p_t", ""): lambda p: focal_by_p(p, 5),
    ("kl", "q", ""): lambda q: -0.5 / q + 0.5 / (1 - q),
    ("js", "q", ""): lambda q: (LOG(q / (0.5 + q)) - LOG((1 - q) / (1.5 - q))) / 2,
    ("contrastive", "d", "similar"): lambda d: d,
    ("contrastive", "d", "dissimilar"): lambda d: -np.maximum(1 - d, 0),
    ("contrastive:distance=sqeuclidean", "d", "similar"): lambda d: d,
    ("contrastive:distance=cosine", "d", "dissimilar"): lambda d: -np.maximum(1 - d, 0),
    ("pairwise-ranking", "d", "similar"): np.ones_like,
    ("pairwise-ranking", "d", "dissimilar"): lambda d: np.where(d < 1, -1.0, 0.0),
    ("triplet", "d_an", ""): lambda d: np.where(d < 1.5, -1.0, 0.0),
    ("triplet:soft=true", "d_an", ""): lambda d: -sigmoid(0.5 - d),
    ("ranknet:sigma=2", "lead", ""): lambda x: -2 * sigmoid(-2 * x),
    ("margin-ranking", "lead", ""): lambda x: np.where(x < 1, -1.0, 0.0),
    ("listnet", "lead", ""): lambda x: sigmoid(x) - sigmoid(1.0),
    ("list-mle", "lead", ""): lambda x: -sigmoid(-x),
}


@pytest.mark.parametrize(
    ("form", "closed"), CLOSED_FORMS.items(), ids=[" ".join(form).strip() for form in CLOSED_FORMS]
)
def test_slopes_are_the_closed_forms(form, closed):
    spec, variable, case = form
    picture = trace([read(spec)], variable=variable, grad=True)
    (line,) = (line for line in picture.lines if line.case == case)
    x = np.array(picture.x)
    with np.errstate(divide="ignore"):
        expected = closed(x)
    finite = np.isfinite(expected)
    assert finite.sum() >= len(x) - 2
    np.testing.assert_allclose(np.array(line.slopes)[finite], expected[finite], rtol=1e-12, atol=1e-12)
    assert np.isinf(np.array(line.slopes)[~finite]).all()


def circle_slopes(s_n, s_p, gamma, m, weighted):
    """d/ds_n and d/ds_p of log(1 + e^z)."""
    if weighted:
        z = gamma * (np.maximum(s_n + m, 0) * (s_n - m) - np.maximum(1 + m - s_p, 0) * (s_p - 1 + m))
        return sigmoid(z) * gamma * 2 * s_n, sigmoid(z) * gamma * 2 * (s_p - 1)
    z = gamma * (s_n - s_p + m)
    return sigmoid(z) * gamma, -sigmoid(z) * gamma


@pytest.mark.parametrize("unified", [False, True])
def test_slopes_of_circle_are_the_closed_forms(unified):
    plane = trace([read(f"circle:gamma=16,unified={str(unified).lower()}")], points=21, grad=True)
    s_n, s_p = np.meshgrid(plane.s_n, plane.s_p)
    expected = circle_slopes(s_n, s_p, 16, 0.25, not unified)
    np.testing.assert_allclose(plane.surfaces[0].slopes, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_the_boundary_of_circle_is_a_circle():
    """On s_n^2 + (1 - s_p)^2 = 2 m^2 the loss is log 2."""
    margin = 0.25
    plane = trace([read("circle")], points=1001)
    values = np.array(plane.surfaces[0].values)
    s_n, s_p = np.meshgrid(plane.s_n, plane.s_p)
    inside = s_n**2 + (1 - s_p) ** 2 < 2 * margin**2
    clear = np.abs(s_n**2 + (1 - s_p) ** 2 - 2 * margin**2) > 1e-9
    assert ((values < plane.surfaces[0].boundary) == inside)[clear].all()


@pytest.mark.parametrize(
    ("spec", "inputs"),
    [
        ("huber:delta=0.5", lambda x: (x, 0 * x)),
        ("focal:gamma=2", lambda p: (p, np.ones_like(p))),
        ("hinge", lambda s: (s, np.ones_like(s))),
        ("triplet:margin=0.2", lambda d: (0 * d[:, None], 0 * d[:, None] + 0.5, d[:, None])),
    ],
)
def test_values_are_those_of_compute(spec, inputs):
    picture = trace([read(spec)], points=11)
    finite = np.isfinite(picture.lines[0].values)
    x, values = np.array(picture.x)[finite], np.array(picture.lines[0].values)[finite]
    for one, value in zip(x, values, strict=True):
        rows = inputs(np.array([one]))
        rows = (rows[0], rows[1].astype(int)) if len(rows) == 2 and spec[0] in "fh" and spec[1] != "u" else rows
        assert package.compute(spec, *rows).value == value


@fold("loss", by(lambda loss: loss.family, registry.walk()))
def test_every_loss_has_a_curve_or_says_what_to_draw(loss):
    try:
        at = {"target": 1.0} if loss.name == "mape" else {}  # a share of nothing is no number
        drawn = trace([read(loss.name)], points=9, grad=loss.engine.has_values, at=at)
    except UsageError as fault:
        assert fault.fix
        return
    if isinstance(drawn, Plane):
        assert loss.has_plane
        assert np.isfinite(drawn.surfaces[0].values).all()
    else:
        assert np.isfinite([line.values[1:-1] for line in drawn.lines]).all()
        assert drawn.lines[0].loss == loss.name


def test_points_are_as_if_typed():
    assert trace([read("mse")], span=(-0.3, 0.3), points=7).x == (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)


def test_points_of_an_axis_of_logarithms_have_equal_quotients():
    picture = trace([read("bce")], points=5, log="x")
    assert picture.x == (1e-4, 1e-3, 1e-2, 0.1, 1.0)
    np.testing.assert_allclose(picture.lines[0].values, -LOG(picture.x), rtol=1e-15, atol=0)
    assert trace([read("mse")], span=(0.01, 4), points=3, log="xy").x == (0.01, 0.2, 4)


def test_a_sweep_draws_each_value_and_leaves_other_losses_alone():
    entries = sweep([read("bce"), read("focal:alpha=0.5")], "gamma", ["0", "2"])
    assert [entry.label for entry in entries] == ["bce", "focal:gamma=0,alpha=0.5", "focal:gamma=2,alpha=0.5"]
    assert [registry.parse(entry.label) for entry in entries] == [entry.spec for entry in entries]
    with pytest.raises(UsageError, match="has an option 'delta'"):
        sweep(entries, "delta", ["1"])


def test_bands_part_the_triplets():
    bands = trace([read("triplet:margin=0.2")], at={"d_ap": 0.5}).bands
    assert [(band.name, round(band.low, 12), round(band.high, 12)) for band in bands] == [
        ("hard", 0, 0.5), ("semi-hard", 0.5, 0.7), ("easy", 0.7, 1.0),
    ]  # fmt: skip
    assert trace([read("triplet:soft=true")]).bands == ()


def _distance(a, b, metric):
    """By angles and by the theorem of Pythagoras."""
    if metric == "cosine":
        return 1 - math.cos(math.atan2(*a[::-1]) - math.atan2(*b[::-1]))
    return math.dist(a, b) ** (2 if metric == "sqeuclidean" else 1)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine"])
@pytest.mark.parametrize("swap", [False, True])
def test_regions_in_space_are_those_of_the_distances(metric, swap):
    spec = f"triplet:margin=0.3,distance={metric},swap={str(swap).lower()}"
    found = trace([read(spec)], variable="space", at={"d_ap": 0.4}, points=16)
    assert isinstance(found, Regions)
    assert _distance(found.anchor, found.positive, metric) == pytest.approx(0.4)
    (zones,) = found.zones
    counts = dict.fromkeys(("easy", "semi-hard", "hard"), 0)
    for y, leads, values in zip(found.side, zones.leads, zones.values, strict=True):
        for x, lead, value in zip(found.side, leads, values, strict=True):
            d = _distance(found.anchor, (x, y), metric)
            d = min(d, _distance(found.positive, (x, y), metric)) if swap else d
            region = "hard" if d <= 0.4 else "semi-hard" if d < 0.7 else "easy"
            assert zones.region(lead) == region and value == pytest.approx(max(0.7 - d, 0), abs=1e-12)
            counts[region] += 1
    assert min(counts.values()) > 0
    assert [_distance(found.anchor, place, metric) for place in (zones.path[0], zones.path[-1])] == pytest.approx(
        [0.4, 0.7]
    )


@pytest.mark.slow
def test_a_space_is_a_table_and_json_and_extremes_are_drawn(tmp_path):
    done = run_lossctl("curve", "triplet", "--x", "space", "-n", "3", "-f", "csv")
    assert done.out.splitlines()[0] == "x,y,triplet,region of triplet" and done.out.count("hard") == 1
    document = json.loads(run_lossctl("curve", "triplet", "--x", "space=-1..1", "-n", "2", "--json").out)
    assert document["results"][0]["regions"] == [["semi-hard"] * 2] * 2 and document["d_ap"] == 0.5
    for k, spec in enumerate(("triplet:margin=0", "triplet:margin=1e-9", "triplet:distance=cosine,margin=9")):
        for at in ("d_ap=0", "d_ap=2"):
            done = run_lossctl("curve", spec, "--x", "space", "--at", at, "-o", tmp_path / f"{k}.png", "-n", "9")
            assert (done.code, done.err) == (0, "")


def test_losses_share_the_first_variable_that_all_know():
    assert trace([read("bce"), read("focal-star")]).variable == "p_t"
    assert trace([read("focal-star"), read("bce")]).variable == "x_t"
    assert trace([read("hinge"), read("log-loss")]).variable == "score"
    assert trace([read("hinge"), read("zero-one")]).variable == "score"


# --- the command


@pytest.mark.slow
def test_a_pipe_gets_points_as_tsv():
    done = run_lossctl("curve", "mse", "huber:delta=1", "--x=-2..2", "-n", "5", "--grad")
    assert done.err == "" and done.code == 0
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert rows[0] == ["error", "mse", "huber:delta=1", "slope of mse", "slope of huber:delta=1"]
    assert rows[1] == ["-2.0", "4.0", "1.5", "-4.0", "-1.0"]
    assert len(rows) == 6


def test_a_range_may_begin_with_a_minus():
    assert run_lossctl("curve", "mse", "--x", "-1..1", "-n", "3").out.split()[2::2] == ["-1.0", "0.0", "1.0"]


def test_json_holds_the_same_points_with_null_for_infinity():
    document = json.loads(run_lossctl("curve", "bce", "--json", "-n", "3", "--grad").out)
    assert (document["schema"], document["command"]) == ("lossctl/1", "curve")
    assert document["variable"]["name"] == "p_t" and document["unit"] == "nats"
    (curve,) = document["results"]
    assert curve["values"] == [None, math.log(2), 0.0]
    assert curve["slopes"][:2] == [None, -2.0]


def test_contours_are_a_table_of_three_columns(tmp_path):
    target = tmp_path / "circle.csv"
    assert run_lossctl("curve", "circle", "-n", "3", "-o", target).code == 0
    lines = target.read_text().splitlines()
    assert lines[0] == "s_n,s_p,circle"
    assert len(lines) == 10
    document = json.loads(run_lossctl("curve", "circle", "-n", "3", "--json", "--grad").out)
    assert np.shape(document["results"][0]["slopes_s_p"]) == (3, 3)


WRONG = {
    "unknown loss": (("focl",), "Did you mean 'focal'"),
    "no common variable": (("mse", "kl"), "no variable that all"),
    "unknown variable": (("bce", "--x", "d"), "--x p_t or --x x_t"),
    "range upside down": (("mse", "--x", "3..-3"), "LOW..HIGH"),
    "range outside": (("bce", "--x", "0..2"), "within 0..1"),
    "no range": (("bce", "--x", "x_t=3"), "write LOW..HIGH"),
    "number that is none": (("mse", "--x", "1_0..20"), "write LOW..HIGH"),
    "no such option to sweep": (("mse", "--sweep", "gamma=1,2"), "no loss here has"),
    "sweep without values": (("focal", "--sweep", "gamma"), "gamma=0,0.5,1,2,5"),
    "value out of range": (("focal", "--sweep", "gamma=-1"), "gamma cannot be '-1'"),
    "nothing to fix": (("mse", "--at", "d_ap=1"), "what can be is target"),
    "fixed out of range": (("triplet", "--at", "d_ap=-1"), "d_ap >= 0"),
    "slope of counts": (("gini", "--grad"), "it counts rows"),
    "needs data": (("focal:alpha=balanced",), "give alpha one number"),
    "three class weights": (("ce:class-weights=1/2/3",), "two classes"),
    "whole set": (("batch-hard",), "lossctl curve triplet"),
    "no curve": (("information-gain",), "has no curve"),
    "logarithm of 0": (("bce", "--log", "x", "--x", "0..0.5"), "--x p_t=5e-05..0.5"),
    "logarithms of none above 0": (("simpo", "--log", "x", "--x", "-3..-1"), "leave x out of --log"),
    "loss below 0": (("mean-error", "--log", "y", "-f", "plot"), "leave y out of --log"),
    "log of a table": (("bce", "--log", "y", "-f", "csv"), "--log y is of a picture"),
    "regions of none": (("triplet:soft=true", "--x", "space"), "lossctl curve triplet:soft=true"),
    "regions of others": (("hinge", "--x", "space"), "--x score"),
    "slope of regions": (("triplet", "--x", "space", "--grad"), "--x d_an"),
    "no such angle": (("triplet:distance=cosine", "--at", "d_ap=3"), "d_ap=2, or less"),
    "regions beyond": (("triplet:margin=1e308", "--x", "space"), "smaller margin"),
    "log of what": (("bce", "--log", "z"), "use x or y or xy"),
    "contours with logarithms": (("circle", "--log", "x"), "leave --log out"),
    "contours beside curves": (("circle", "bce"), "(s_n, s_p)"),
    "contours with a variable": (("circle", "--x", "p_t"), "s_n and s_p"),
    "unknown ending": (("mse", "-o", "figure.gif"), ".png"),
    "format of other commands": (("mse", "-f", "ndjson"), "use plot"),
}


@pytest.mark.parametrize(("arguments", "expected"), WRONG.values(), ids=WRONG)
def test_errors_name_a_way_out(arguments, expected, capfd):
    from lossctl.cli.app import run

    assert run(["curve", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == "" and expected in err and "fix:" in err
    assert len(err.splitlines()) <= 5


def test_a_terminal_gets_a_plot_of_its_width():
    text = on_a_terminal("curve", "bce", "focal", COLUMNS="72", TERM="dumb")
    assert "* bce" in text and "o focal" in text and text.isascii()
    assert max(len(line) for line in text.splitlines()) <= 72


@pytest.mark.parametrize(
    "spec", ["mse", "huber", "log-cosh", "cauchy", "welsch", "focal", "hinge", "contrastive", "triplet"]
)
def test_no_slope_is_a_trace_of_where_it_was_taken(spec):
    """At 0 of an error the slope is 0, not 1e-30; no number is -0.0."""
    picture = trace([read(spec)], points=41, grad=True)
    numbers = [number for line in picture.lines for number in (*line.values, *(line.slopes or ()))]
    assert not [
        number for number in numbers if 0 < abs(number) < 1e-20 or (number == 0 and math.copysign(1, number) < 0)
    ]


def test_a_range_of_another_variable_is_told_as_one():
    with pytest.raises(UsageError) as fault:
        trace([read("focal"), read("bce")], span=(-5.0, 5.0))
    assert "--x x_t=-5..5" in fault.value.fix
    assert trace([read("focal"), read("bce")], variable="x_t", span=(-5.0, 5.0)).x[0] == -5
