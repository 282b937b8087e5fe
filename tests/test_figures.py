"""Figures: those of docs/losses.md are drawn anew, data pictures show their data; only they need matplotlib."""

import io
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from conftest import ROOT

import lossctl
from lossctl.results.distributions import RowPicture, histogram, reliability
from lossctl.show import data_plots, style

PAGE = (ROOT / "docs" / "losses.md").read_text()
COMMANDS = re.search(r"## Figures.*?```sh\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
SHOWN = {  # file -> the texts that must stand in it, and how many curves it has in each panel
    "contrastive": (["contrastive similar", "contrastive dissimilar", "distance of the pair d (embedding units)"], [2]),
    "triplet": (["hard", "semi-hard", "easy"], [1]),
    "space": (["hard", "semi-hard", "easy", "anchor", "positive", "margin"], []),
    "focal": ([f"focal (\u03b3 = {gamma})" for gamma in ("0", "0.5", "1", "2", "5")], [5]),
    "focal-star": (["bce", "focal (\u03b3 = 2)", "focal-star (\u03b3 = 2, \u03b2 = 1)", "loss (nats)"], [3, 3]),
    "hinge": (["zero-one", "hinge", "log-loss (base = 2)", "exponential", "mse", "score s of a row with label 1"], [5]),
    "small": (["bce", "focal (\u03b3 = 5)", "loss (nats)"], [3]),
    "huber": (["huber (\u03b4 = 1)", "mse", "mae", "error, pred - target (units of the target)"], [3, 3]),
    "circle": (["circle", "circle (unified)", "boundary, loss = log 2", "loss (nats)"], []),
}


def texts(svg: str) -> list[str]:
    return [re.sub("<[^>]*>", "", body).strip() for body in re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[-1])
def test_a_figure_of_the_page(command, tmp_path, monkeypatch):
    from lossctl.cli.app import run

    monkeypatch.chdir(tmp_path)
    words = command.split()
    assert words[0] == "lossctl" and run(words[1:]) == 0
    target = Path(words[-1])
    svg = target.read_text()
    wanted, panels = SHOWN[target.stem]
    assert set(wanted) <= set(texts(svg))
    for position, lines in enumerate(panels, start=1):
        axes = svg.split(f'<g id="axes_{position}">')[1].split('<g id="axes_')[0]
        drawn = re.findall(r'clip-path="[^"]*" style="fill: none[^"]*stroke: (#[0-9a-f]{6}); stroke-width: 1.3', axes)
        drawn += re.findall(r'clip-path="[^"]*" style="fill: none; stroke: (#[0-9a-f]{6}); stroke-width: 1.3', axes)
        assert len(set(drawn)) == lines
    assert run([*words[1:-1], "again.svg"]) == 0
    assert Path("again.svg").read_text() == svg


def test_the_page_has_every_figure():
    assert [Path(command.split()[-1]).stem for command in COMMANDS] == list(SHOWN)


@pytest.mark.first_fast
@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_each_format_is_what_its_name_says(ending, start, tmp_path):
    from lossctl.cli.app import run

    assert run(["curve", "mse", "-o", str(tmp_path / f"mse.{ending}")]) == 0
    content = (tmp_path / f"mse.{ending}").read_bytes()
    assert content.startswith(start)
    if ending == "pdf":
        assert b"/Type3" not in content and b"/FontFile2" in content  # TrueType: text stays text


def test_colours_can_be_told_apart_and_lines_without_colour_too():
    assert len(set(style.COLOURS)) == len(style.COLOURS)
    looks = [style.line_style(position) for position in range(5)]
    assert len({str(look["linestyle"]) for look in looks}) == 5


# --- data


def svg_of(draw, found, tmp_path):
    with open(tmp_path / "figure.svg", "wb") as file:
        draw(found, file, "svg")
    return (tmp_path / "figure.svg").read_text()


@pytest.mark.slow
def test_the_breakdown_shows_margins_or_classes(tmp_path):
    emb, label = np.load(ROOT / "samples/embeddings.npy"), np.load(ROOT / "samples/embedding_labels.npy")
    several = lossctl.triplets(emb, label, margin=[0.2, 1.0]).breakdown
    shown = texts(svg_of(data_plots.draw_breakdown, several, tmp_path))
    assert {"margin", "0.2", "1", "hard", "semi-hard", "easy", "distance (embedding units)"} <= set(shown)
    classes = lossctl.triplets(emb, label, margin=0.2, by_class=True).breakdown
    shown = texts(svg_of(data_plots.draw_breakdown, classes, tmp_path))
    both = lossctl.triplets(emb, label, margin=[0.2, 1.0], by_class=True).breakdown
    assert {"class (margin 0.2)", "class (margin 1)"} <= set(texts(svg_of(data_plots.draw_breakdown, both, tmp_path)))
    assert {"class (margin 0.2)", *(str(one.label) for one in classes.classes)} <= set(shown)


def test_row_losses_show_their_mean_and_what_is_infinite(tmp_path):
    prob, label = np.load(ROOT / "samples/preds.npy").T
    losses = -np.log(np.where(label == 1, prob, 1 - prob))
    found = RowPicture("bce", "nats", histogram(np.append(losses, math.inf)), reliability(prob, label))
    shown = texts(svg_of(data_plots.draw_rows, found, tmp_path))
    assert f"mean {losses.mean():.3g}" in shown
    assert "bce loss of a row (nats); 1 infinite not shown" in shown
    assert {"predicted probability of label 1", "(bars: 285 rows, 10 or more each)"} <= set(shown)
    counts = [int(np.sum((prob >= low) & (prob < high))) for low, high in ((0, 0.1), (0.1, 0.2), (0.9, 1.1))]
    assert set(map(str, counts)) <= set(shown)
    plain = texts(svg_of(data_plots.draw_rows, RowPicture("mse", "", histogram(losses)), tmp_path))
    assert "mse loss of a row" in plain and "share of label 1" not in plain


def test_histograms_and_reliability_count_every_row():
    rows = histogram(np.array([0.0, 1.0, 1.0, 4.0, np.inf, np.nan]), bins=4)
    assert (rows.counts, rows.infinite, rows.mean) == ((1, 2, 0, 1), 2, 1.5)
    assert histogram(np.array([np.inf])).infinite == 1
    found = reliability(np.array([0.05, 0.15, 0.19, 1.0]), np.array([0, 1, 0, 1]))
    assert [(one.low, one.count, one.observed) for one in found.bins] == [(0, 1, 0), (0.1, 2, 0.5), (0.9, 1, 1)]
    assert found.n == 4
    assert found.expected_error == pytest.approx((0.05 + 2 * (0.5 - 0.17)) / 4)


def test_small_bins_are_joined_and_have_intervals():
    rng = np.random.default_rng(3)
    for n in (1, 7, 40, 3000):
        prob = rng.beta(0.5, 2, n)
        label = (rng.random(n) < prob).astype(int)
        fine = reliability(prob, label)
        coarse = fine.merged(10)
        assert coarse.n == n and (len(coarse.bins) == 1 or min(part.count for part in coarse.bins) >= 10)
        for part in coarse.bins:
            inside = (prob >= part.low) & ((prob < part.high) | (part.high == 1))
            assert part.count == inside.sum()
            assert (part.predicted, part.observed) == pytest.approx((prob[inside].mean(), label[inside].mean()))
            hits = round(part.observed * part.count)
            wilson = scipy.stats.binomtest(hits, part.count).proportion_ci(0.95, "wilson")
            assert part.interval == pytest.approx((wilson.low, wilson.high), abs=1e-12)
    assert [data_plots._count(n) for n in (9999, 12345, 4_560_000, 7e9)] == ["9999", "12.3k", "4.56M", "7G"]


# --- without matplotlib

WITHOUT = "import sys\nsys.modules['matplotlib'] = None\nfrom lossctl.cli.app import run\nsys.exit(run({arguments!r}))"


def without_matplotlib(*arguments):
    script = WITHOUT.format(arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.slow
def test_without_matplotlib_only_figures_are_missing(tmp_path):
    assert without_matplotlib("curve", "mse", "-f", "plot").returncode == 0
    assert without_matplotlib("curve", "mse", "-o", str(tmp_path / "mse.csv")).returncode == 0
    done = without_matplotlib("curve", "mse", "-o", str(tmp_path / "mse.svg"))
    assert done.returncode == 5
    assert "pip install matplotlib" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mse.csv"]


@pytest.mark.parametrize("labels", [["huber (delta = 0.5)", "huber (delta = 1)", "huber (delta = 2)"], ["x" * 30] * 7])
def test_no_name_of_a_line_is_cut_at_the_edge(labels):
    with style.figure(io.BytesIO(), "png", style.COLUMN, 3) as figure:
        axes = figure.subplots()
        for label in labels:
            axes.plot([0, 1], [0, 1], label=label)
        style.legend(figure, axes, labels)
        figure.canvas.draw()
        (names,) = figure.legends
        assert names.get_window_extent().x1 <= figure.bbox.x1 and names._ncols == (2 if len(labels) == 3 else 1)
