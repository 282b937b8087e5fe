"""Triplets by coarse class of the negative: against loops over whole numbers, where every distance is exact."""

import itertools
import json

import numpy as np
import pytest
from conftest import run_lossctl

import lossctl
from lossctl import DataError, UsageError

MARGINS = [0.0, 1.0, 2.5]
CATEGORIES = ("easy", "semi_hard", "hard", "hard_ties", "margin_ties")


def by_loops(d, label, coarse, camera, is_noise, margin):
    """[same, other] of easy, semi-hard, hard, hard ties and margin ties."""
    counts = np.zeros((2, 5), int)
    rows = range(len(d))
    for a in (row for row in rows if not is_noise[row]):
        mates = [b for b in rows if b != a and camera[a] != camera[b]]
        for p in (b for b in mates if label[b] == label[a] and not is_noise[b]):
            for n in (b for b in mates if label[b] != label[a]):
                gap, side = d[a, n] - d[a, p], counts[int(coarse[n] != coarse[a])]
                side[2 if gap <= 0 else 0 if gap >= margin else 1] += 1
                side[3] += gap == 0
                side[4] += gap == margin
    return counts.tolist()


@pytest.mark.slow
def test_counts_by_coarse_class_are_those_of_loops():
    """Ties everywhere, equal rows, noise in any coarse class, rows kept apart, one coarse class, and one a class."""
    random = np.random.default_rng(4)
    for number, noise in enumerate((None, "out", "negatives") * 2):
        x, label, camera = random.integers(0, 6, (26, 1 + number % 2)), random.integers(0, 7, 26), np.arange(26)
        metric = ("euclidean", "sqeuclidean")[number % 2]
        d = (x[:, None] - x[None]) ** 2
        d = d.sum(axis=2) if number % 2 else np.sqrt(d[..., 0])
        is_noise = (label == 0) & (noise is not None)
        nested = np.array([f"kind {name}" for name in label % (3 if number < 4 else 1 if number < 5 else 7)])
        coarse = np.where(is_noise, random.choice(nested, 26), nested)
        asked = {"noise_label": 0, "noise": noise} if noise else {}
        if number > 2:
            camera = random.integers(0, 4, 26)
            asked["exclude_same"] = camera
        counted = lossctl.triplets(
            x.astype(float), label, margin=MARGINS, distance=metric, coarse_label=coarse, **asked
        ).breakdown
        assert counted.certified and [side.negatives for side in counted.coarse] == ["same", "other"]
        stay = np.flatnonzero(~is_noise) if noise == "out" else np.arange(26)
        sides = [side[stay] for side in (label, coarse, camera, is_noise)]
        for k, margin in enumerate(MARGINS):
            found = [[getattr(side.categories[k], name) for name in CATEGORIES] for side in counted.coarse]
            assert found == by_loops(d[np.ix_(stay, stay)], *sides, margin), (number, noise, margin)


def test_negatives_of_one_side_are_those_of_loops():
    """Ties, equal rows, noise, rows kept apart, and a gallery: counts, the hardest triplets, a loss of similarities."""
    random = np.random.default_rng(9)
    sets = []
    for n in (22, 17):
        label = random.integers(0, 7, n)
        sets.append((random.integers(0, 6, (n, 1)), label, label % 3, random.integers(0, 4, n)))
    for number, (near, noise, apart, gallery) in enumerate(itertools.product((True, False), repeat=4)):
        x, label, coarse, camera = sets[0]
        ref_x, ref_label, ref_coarse, ref_camera = sets[int(gallery)]
        asked = {"coarse_label": coarse, "coarse_negatives": "near" if near else "far"}
        asked |= {"exclude_same": camera} if apart else {}
        asked |= {"noise_label": 0, "noise": "negatives"} if noise else {}
        if gallery:
            asked |= {"ref": ref_x * 1.0, "ref_label": ref_label, "ref_coarse_label": ref_coarse}
            asked |= {"ref_exclude_same": ref_camera} if apart else {}
        d, hardest, rows = np.abs(x - ref_x.T), [], []
        counts = np.zeros(3, int)
        for a in (row for row in range(len(x)) if not (noise and label[row] == 0)):
            others = [
                b for b in range(len(ref_x)) if (gallery or b != a) and not (apart and camera[a] == ref_camera[b])
            ]
            positives = [b for b in others if ref_label[b] == label[a]]
            negatives = [b for b in others if ref_label[b] != label[a] and (ref_coarse[b] == coarse[a]) == near]
            gaps = [d[a, n] - d[a, p] for p in positives for n in negatives]
            counts += [sum(g >= 1.5 for g in gaps), sum(0 < g < 1.5 for g in gaps), sum(g <= 0 for g in gaps)]
            rows += [(a, p, n) for p in positives for n in negatives if d[a, n] - d[a, p] < 1.5]
            if gaps:
                hardest.append(max(d[a, p] for p in positives) - min(d[a, n] for n in negatives))
        own = x.astype(float), label
        found = lossctl.triplets(*own, margin=1.5, **asked).breakdown
        of_all = found.margins[0].categories
        assert found.certified and [of_all.easy, of_all.semi_hard, of_all.hard] == counts.tolist(), number
        got = lossctl.compute("batch-hard", *own, margin=1.5, **asked).value
        assert got == pytest.approx(np.mean([max(gap + 1.5, 0) for gap in hardest]), rel=1e-12), number
        mined = lossctl.mine("all", *own, margin=1.5, **asked)
        assert sorted(map(tuple, mined.rows.tolist())) == sorted(rows), number
    x, label, coarse, _ = sets[0]
    points = np.concatenate([x + 1.0, random.normal(size=(22, 2))], axis=1)
    unit = points / np.linalg.norm(points, axis=1)[:, None]
    likeness, losses = np.exp(unit @ unit.T / 0.1), []
    for a in range(22):
        same = (label == label[a]) & (np.arange(22) != a)
        counted = same | ((label != label[a]) & (coarse != coarse[a]))
        if same.any() and (counted & ~same).any():
            losses.append(-np.log(likeness[a, same] / likeness[a, counted].sum()).mean())
    got = lossctl.compute("supcon", points, label, coarse_label=coarse, coarse_negatives="far").value
    assert got == pytest.approx(np.mean(losses), rel=1e-12)


def test_what_has_no_coarse_class_is_refused():
    x, label = np.arange(6.0)[:, None], np.array([0, 0, 1, 1, 2, 2])
    for coarse, more, kind, what in (
        ([0, 1, 0, 0, 1, 1], {}, DataError, "class 0 lies in two coarse classes: 0 and 1"),
        (["a", "a", "b", "b", None, "b"], {}, DataError, "is not a label"),
        ([0, 0, 1], {}, DataError, "3 coarse labels for 6 embeddings"),
        ([0, 0, 1, 1, 1, 1], {"ref": x, "ref_label": label}, UsageError, "ref at once"),
        ([0, 0, 1, 1, 1, 1], {"positive": "any"}, UsageError, "positive at once"),
        ([0, 0, 1, 1, 1, 1], {"anchors": 2}, UsageError, "anchors at once"),
        (
            [0, 0, 1, 1, 1, 1],
            {"coarse_negatives": "near", "ref": x + 0, "ref_label": label},
            UsageError,
            "nothing names that of",
        ),
        ([0, 0, 1, 1, 1, 1], {"coarse_negatives": "all"}, UsageError, "cannot be|does not tell"),
    ):
        with pytest.raises(kind, match=what):
            lossctl.triplets(x, label, coarse_label=np.array(coarse, object if None in coarse else None), **more)


@pytest.mark.slow
def test_every_form_tells_the_coarse_classes_and_rows_left_out_stay_in_step(tmp_path):
    x = np.array([[0.0], [np.nan], [1], [1], [3], [4], [8]])
    rows = zip(x[:, 0], "aaabbcc", "ggggghh", strict=True)
    (tmp_path / "t.csv").write_text("e0,species,genus\n" + "".join(f"{v},{s},{g}\n" for v, s, g in rows))
    np.save(tmp_path / "x.npy", x)
    words = ("triplets", "x.npy", "t.csv::species", "--coarse-label", "genus", "--na", "skip")
    record = json.loads(run_lossctl(*words, "--json", cwd=tmp_path).out)
    same, other = record["coarse"]
    # a at 0, 1; b at 1, 3: hard are 0-1-1, 1-0-1, 1-3-0, 1-3-1 and 3-1-1, of d_an 1, 0, 1, 0, 2
    assert [same["categories"][0][name] for name in ("triplets", "hard")] == [8, 5]
    assert record["results"][0]["triplets"] == same["categories"][0]["triplets"] + other["categories"][0]["triplets"]
    tsv = run_lossctl(*words, cwd=tmp_path).out.splitlines()
    assert [line.split("\t")[0] for line in tsv] == ["of", "set", "same coarse class", "other coarse class"]
    with (tmp_path / "t.csv").open("a") as file:
        file.write("0,a,NA\n")
    np.save(tmp_path / "x.npy", np.append(x, [[0.0]], axis=0))
    done = run_lossctl(*words, cwd=tmp_path)
    assert done.out.splitlines() == tsv and "2 rows left out" in done.err
    table = run_lossctl(*words, "-f", "table", cwd=tmp_path).out
    assert "by coarse class of the negative" in table
