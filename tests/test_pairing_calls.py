"""Two sets, noise, several labels and rows kept apart, as their users meet them: commands, suites and Python."""

import json

import numpy as np
import pytest
from conftest import run_lossctl

import lossctl
from lossctl.errors import DataError, UsageError

random = np.random.default_rng(0)
QUERY, GALLERY = random.standard_normal((20, 6)), random.standard_normal((50, 6))
QUERY_Y, GALLERY_Y = random.integers(0, 5, 20), random.integers(0, 5, 50)


@pytest.fixture
def files(tmp_path):
    """A folder with query.npy, query.csv (label, cam), gallery.npy and gallery.csv."""
    for name, x, y in (("query", QUERY, QUERY_Y), ("gallery", GALLERY, GALLERY_Y)):
        np.save(tmp_path / f"{name}.npy", x)
        np.save(tmp_path / f"{name}_y.npy", y)
        rows = [f"{label},{row % 3}" for row, label in enumerate(y.tolist())]
        (tmp_path / f"{name}.csv").write_text("\n".join(["label,cam", *rows]) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    "loss, value",
    [
        ("batch-hard:margin=0.5", 3.872724961718446),
        ("batch-all:margin=0.5", 1.2357693160388965),
        ("nt-xent", 12.070818051635179),
        ("supcon", 9.129655446029693),
        ("multi-similarity", 2.1342554568285004),
        ("circle:gamma=80", 262.9229065671017),
    ],
)
def test_a_query_against_a_gallery_is_what_pytorch_metric_learning_gives(loss, value):
    """pytorch-metric-learning 2.9.0, loss(query, labels, ref_emb=gallery, ref_labels=...), of these arrays."""
    found = lossctl.compute(loss, QUERY, QUERY_Y, ref=GALLERY, ref_label=GALLERY_Y)
    assert found.value == pytest.approx(value, rel=1e-14)
    assert found.n == 20


@pytest.mark.slow
def test_commands_and_python_agree_on_two_sets(files):
    inputs = ("query.npy", "query_y.npy", "--ref", "gallery.npy", "--ref-label", "gallery_y.npy")
    ours = {"ref": GALLERY, "ref_label": GALLERY_Y}
    value = lossctl.compute("batch-hard", QUERY, QUERY_Y, **ours).value
    assert float(run_lossctl("compute", "batch-hard", *inputs, cwd=files).out) == value
    rows = run_lossctl("compute", "batch-hard", *inputs, "-r", "none", cwd=files).out.split()
    assert list(map(float, rows)) == lossctl.row_losses("batch-hard", QUERY, QUERY_Y, **ours).tolist()
    counts = lossctl.triplets(QUERY, QUERY_Y, **ours).breakdown
    c = counts.margins[0].categories
    assert run_lossctl("triplets", *inputs, "-b", cwd=files).out == f"{c.easy}\t{c.semi_hard}\t{c.hard}\n"
    assert counts.anchors.references == 50 and counts.margins[0].batch_hard == pytest.approx(value, rel=1e-14)
    assert "20 points against 50 references" in run_lossctl("triplets", *inputs, "-f", "table", cwd=files).out
    assert run_lossctl("mine", "batch-hard", *inputs, "-o", "m.npy", cwd=files).code == 0
    assert np.load(files / "m.npy").tolist() == lossctl.mine("batch-hard", QUERY, QUERY_Y, **ours).rows.tolist()


def test_the_set_itself_as_reference_counts_no_point_against_itself(files):
    inputs = ("gallery.npy", "gallery_y.npy")
    alone = run_lossctl("compute", "batch-all", *inputs, cwd=files).out
    twice = run_lossctl("compute", "batch-all", *inputs, "--ref", inputs[0], "--ref-label", inputs[1], cwd=files).out
    assert twice == alone
    assert lossctl.compute("batch-all", GALLERY, GALLERY_Y, ref=GALLERY, ref_label=GALLERY_Y).value == float(alone)


def test_rows_of_one_camera_do_not_meet(files):
    """As re-identification has it: a column of both tables, or one with the class beside it."""
    tables = ("query.npy", "--label", "query.csv::label", "--ref", "gallery.npy", "--ref-label", "gallery.csv::label")
    done = run_lossctl("compute", "batch-hard", *tables, "--exclude-same", "cam", "--signature", cwd=files)
    assert done.code == 0, done.err
    d = np.sqrt(((QUERY[:, None] - GALLERY) ** 2).sum(axis=2))
    same, apart = QUERY_Y[:, None] == GALLERY_Y, (np.arange(20) % 3)[:, None] == np.arange(50) % 3

    def loss(positive, negative):
        kept = positive.any(axis=1) & negative.any(axis=1)
        far, near = np.where(positive, d, -np.inf).max(axis=1), np.where(negative, d, np.inf).min(axis=1)
        return np.maximum(far - near + 1, 0)[kept].mean()

    value, signature = done.out.split()
    assert float(value) == pytest.approx(loss(same & ~apart, ~same & ~apart), rel=1e-14)
    assert "apart:cam" in signature and "ref:50-" in signature
    both = run_lossctl("compute", "batch-hard", *tables, "--exclude-same", "cam", "--exclude-same", "label", cwd=files)
    assert float(both.out) == pytest.approx(loss(same & ~apart, ~same), rel=1e-14)
    keys = {"exclude_same": np.arange(20) % 3, "ref_exclude_same": np.arange(50) % 3}
    assert lossctl.compute("batch-hard", QUERY, QUERY_Y, ref=GALLERY, ref_label=GALLERY_Y, **keys).value == float(value)


def test_noise_is_left_out_or_stays_as_negatives():
    y = np.where(np.arange(50) % 4, GALLERY_Y, -1)
    kept = y >= 0
    plain = lossctl.compute("batch-hard", GALLERY, y)
    assert any("noise" in line for line in plain.warnings)
    out = lossctl.compute("batch-hard", GALLERY, y, noise_label=-1)
    assert out.value == lossctl.compute("batch-hard", GALLERY[kept], y[kept]).value
    assert not any("noise" in line for line in out.warnings) and "noise:-1:out" in out.signature
    alone = np.where(kept, y, 100 + np.arange(50))
    stays = lossctl.compute("batch-hard", GALLERY, y, noise_label="-1", noise="negatives")
    assert stays.value == lossctl.compute("batch-hard", GALLERY, alone).value
    pairs = lossctl.compute("contrastive-pairs", GALLERY, y, noise_label="-1", noise="negatives")
    assert pairs.n == kept.sum()


def test_rows_with_several_labels_are_positives_where_they_share_one():
    several = random.random((50, 4)) < 0.4
    texts = [";".join(str(k) for k in np.flatnonzero(row)) or ";" for row in several]
    d = np.sqrt(((GALLERY[:, None] - GALLERY) ** 2).sum(axis=2))
    for positive, shares in (
        ("any", (several[:, None] & several).any(axis=2)),
        ("all", (several[:, None] == several).all(axis=2) & several.any(axis=1)),
    ):
        shares = shares & ~np.eye(50, dtype=bool)
        other = ~shares & ~np.eye(50, dtype=bool)
        kept = shares.any(axis=1) & other.any(axis=1)
        far, near = np.where(shares, d, -np.inf).max(axis=1), np.where(other, d, np.inf).min(axis=1)
        truth = np.maximum(far - near + 1, 0)[kept].mean()
        for label in (several.astype(int), np.array(texts)):
            assert lossctl.compute("batch-hard", GALLERY, label, positive=positive).value == pytest.approx(truth)


def test_a_row_with_a_missing_key_is_an_error_or_left_out(files):
    (files / "query.csv").write_text((files / "query.csv").read_text().replace("\n2,2\n", "\n2,NA\n", 1))
    assert "NA" in (files / "query.csv").read_text()
    inputs = ("query.npy", "--label", "query.csv::label", "--exclude-same", "cam")
    refused = run_lossctl("compute", "batch-all", *inputs, cwd=files)
    assert refused.code == 3 and "'NA'" in refused.err
    skipped = run_lossctl("compute", "batch-all", *inputs, "--na", "skip", cwd=files)
    assert skipped.code == 0 and "1 row left out" in skipped.err


@pytest.mark.parametrize(
    "options, kind, what",
    [
        ({"ref_label": GALLERY_Y}, UsageError, "ref_label goes with ref"),
        ({"noise": "negatives"}, UsageError, 'noise="negatives" goes with noise_label=-1'),
        ({"ref": GALLERY}, DataError, "the references: "),
        ({"ref": GALLERY[:, :3], "ref_label": GALLERY_Y}, DataError, "6 columns against references of 3"),
        ({"positive": "3"}, UsageError, 'use positive="any" or positive="all"'),
        ({"exclude_same": "cam"}, DataError, "cam"),
    ],
)
def test_what_is_wrong_with_pairs_is_told_in_python(options, kind, what):
    with pytest.raises(kind) as fault:
        lossctl.compute("batch-hard", QUERY, QUERY_Y, **options)
    assert what in str(fault.value) and "--" not in str(fault.value)


def test_an_entry_of_a_suite_takes_two_sets(files):
    (files / "suite.yaml").write_text(
        "losses:\n  - loss: batch-hard\n    inputs: [query.npy, query_y.npy]\n    ref: gallery.npy\n"
        "    ref-label: gallery_y.npy\n    noise-label: 4\n"
    )
    done = run_lossctl("run", "suite.yaml", "-f", "json", cwd=files)
    assert done.code == 0, done.err
    ours = lossctl.compute("batch-hard", QUERY, QUERY_Y, ref=GALLERY, ref_label=GALLERY_Y, noise_label=4)
    assert f"{ours.value!r}" in done.out or str(ours.value) in json.dumps(json.loads(done.out))


@pytest.mark.slow
def test_intervals_groups_and_the_hardest_rows_are_of_queries(files):
    inputs = ("query.npy", "query_y.npy", "--ref", "gallery.npy", "--ref-label", "gallery_y.npy")
    done = run_lossctl("compute", "batch-hard", *inputs, "-g", "query.csv::cam", "--ci", "0.9", "--json", cwd=files)
    assert done.code == 0, done.err
    top = run_lossctl("compute", "batch-hard", *inputs, "--exclude-same", "query.csv::cam",
                      "--ref-exclude-same", "gallery.csv::cam", "--top", "3", cwd=files)  # fmt: skip
    assert top.code == 0, top.err


# --- triplets from files, and the mean over what costs something


def hinge_rows(margin):
    """Rows d_ap - d_an + margin of three sides in step, from their definition."""
    a, p, n = GALLERY[:40], QUERY[np.arange(40) % 20], GALLERY[10:50]
    return (a, p, n), np.sqrt(((a - p) ** 2).sum(axis=1)) - np.sqrt(((a - n) ** 2).sum(axis=1)) + margin


def test_the_mean_over_active_terms_of_given_triplets_and_pairs():
    sides, gap = hinge_rows(0.1)
    found = lossctl.compute("triplet:margin=0.1", *sides, reduction="mean-active").value
    assert found == pytest.approx(gap[gap > 0].mean(), rel=1e-13)
    weight = np.arange(40.0)
    weighted = lossctl.compute("triplet:margin=0.1", *sides, reduction="mean-active", weight=weight).value
    assert weighted == pytest.approx(np.average(gap[gap > 0], weights=weight[gap > 0]), rel=1e-13)
    d, same = np.sqrt(((sides[0] - sides[1]) ** 2).sum(axis=1)), np.arange(40) % 2
    terms = np.where(same, d**2, np.maximum(3 - d, 0) ** 2) / 2
    pairs = lossctl.compute("contrastive:margin=3", sides[0], sides[1], same, reduction="mean-active").value
    assert pairs == pytest.approx(terms[terms > 0].mean(), rel=1e-13)
    assert (
        lossctl.compute("triplet:margin=0", GALLERY[:2], GALLERY[:2], GALLERY[2:4], reduction="mean-active").value == 0
    )


def test_the_mean_over_active_terms_of_sets():
    d = np.sqrt(((GALLERY[:, None] - GALLERY) ** 2).sum(axis=2))
    same, self = GALLERY_Y[:, None] == GALLERY_Y, np.eye(50, dtype=bool)
    gap = np.where(same & ~self, d, -1).max(axis=1) - np.where(same, np.inf, d).min(axis=1) - 2
    hard = lossctl.compute("batch-hard:margin=0", GALLERY, GALLERY_Y, reduction="mean-active")
    gap += 2
    assert hard.value == pytest.approx(gap[gap > 0].mean(), rel=1e-13)
    assert dict(hard.counts)["active"] == (gap > 0).sum() and dict(hard.counts)["triplets"] == 50
    terms = np.where(same, d**2, np.maximum(2 - d, 0) ** 2)[~self] / 2
    pairs = lossctl.compute("contrastive-pairs:margin=2", GALLERY, GALLERY_Y, reduction="mean-active")
    assert pairs.value == pytest.approx(terms[terms > 0].mean(), rel=1e-13)
    assert dict(pairs.counts)["pairs"] == 50 * 49
    i, j = np.nonzero(same & ~self)
    beyond = np.where(same[i] | (d[i] <= d[i, j][:, None]), np.inf, d[i]).min(axis=1)
    semi = np.maximum(d[i, j] - beyond + 0.1, 0)
    dropped = lossctl.compute("semi-hard:margin=0.1,fallback=drop", GALLERY, GALLERY_Y, reduction="mean-active")
    assert dropped.value == pytest.approx(semi[semi > 0].mean(), rel=1e-13)


@pytest.mark.slow
def test_triplets_in_step_are_counted_by_category(tmp_path):
    sides, _ = hinge_rows(0.0)
    d_ap, d_an = (np.sqrt(((sides[0] - side) ** 2).sum(axis=1)) for side in sides[1:])
    easy, hard = int((d_an >= d_ap + 0.4).sum()), int((d_an <= d_ap).sum())
    np.savez(tmp_path / "apn.npz", **dict(zip(("anchor", "positive", "negative"), sides, strict=True)))
    for name, side in zip("apn", sides, strict=True):
        np.save(tmp_path / f"{name}.npy", side)
    for inputs in (("apn.npz",), ("a.npy", "p.npy", "n.npy")):
        done = run_lossctl("triplets", *inputs, "--margin", "0.4", "-b", cwd=tmp_path)
        assert done.out == f"{easy}\t{40 - easy - hard}\t{hard}\n", done.err
    document = json.loads(run_lossctl("triplets", "apn.npz", "--margin", "0.4", "--json", cwd=tmp_path).out)
    assert document["certified"] and document["results"][0]["in_order"] == 1 - hard / 40
    refused = run_lossctl("triplets", "apn.npz", "--by", "class", cwd=tmp_path)
    assert refused.code == 2 and "leave --by out" in refused.err


@pytest.mark.slow
def test_an_index_of_more_columns_says_how_to_write_it(tmp_path):
    index = np.stack([np.arange(5), np.arange(5) + 1, np.arange(5) + 2, np.arange(5) + 3], axis=1)
    np.save(tmp_path / "x.npy", GALLERY)
    np.save(tmp_path / "several.npy", index)
    np.save(tmp_path / "turned.npy", index[:, :3].T)
    for name, fixed in (
        ("several", np.concatenate([index[:, [0, 1, k]] for k in range(2, 4)])),
        ("turned", index[:, :3]),
    ):
        refused = run_lossctl("compute", "triplet", "x.npy", "--index", f"{name}.npy", cwd=tmp_path)
        assert refused.code == 3 and "::1..3" not in refused.err and "np.save(path, " in refused.err
        np.save(tmp_path / "fixed.npy", fixed)
        assert run_lossctl("compute", "triplet", "x.npy", "--index", "fixed.npy", cwd=tmp_path).code == 0
