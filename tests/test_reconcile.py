"""`reconcile` and `parity`: the numbers that libraries printed, and the choices that are found behind them."""

import dataclasses
import json
import math
import shlex

import numpy as np
import pytest
import test_laws
import test_views
from conftest import run_lossctl
from oracles.embedding import A5, A9
from printed import MORE, PRINTED
from rules import value

import lossctl
from lossctl.api import answers, reconcile
from lossctl.api.combinations import Combinations
from lossctl.api.printed import by_chance, number_of
from lossctl.api.question import Question
from lossctl.api.reading import Reading
from lossctl.errors import UsageError
from lossctl.language import registry


def sources(case, folder):
    """The inputs of a case as files, in role order."""
    paths = []
    for place, values in enumerate(case.inputs):
        values = np.asarray(values)
        path = folder / f"{place}.npy"
        np.save(path, values if values.dtype.kind != "U" else np.zeros(len(values)))
        paths.append(path)
    return paths


@pytest.mark.first_fast
@pytest.mark.parametrize("case", PRINTED, ids=lambda case: f"{case.loss} {case.text} {case.who}")
def test_a_printed_number_is_one_command(case, tmp_path):
    options = shlex.split(f"{case.fixed} {case.options}")
    value = float(run_lossctl("compute", case.loss, *options, *sources(case, tmp_path), "-q").out)
    assert number_of(case.text).fits(value), value


@pytest.mark.slow
def test_more_printed_numbers_are_one_command():
    for case in MORE:
        ours = value(case.loss, case.inputs, f"{case.fixed} {case.options}")
        assert number_of(case.text).fits(ours), f"{case.loss} {case.options}: {case.text} for {ours}"
    assert value("pairwise-ranking", (np.ones((1, 2)), np.ones((1, 2)), np.ones(1)), "") == 0  # equal points: exactly
    assert value("mape", ([1.0, 1, 1, 3], [0, 0.5, 2, 4]), "") == np.inf  # a target of 0, as xgboost has it


def test_the_triplets_of_a_line_are_counted_by_every_boundary():
    """A9 and A5 of the printed numbers: with ties on either side, and squared on the unit sphere."""
    (at,) = lossctl.triplets(*A9, margin=1.0).breakdown.margins
    easy, semi_hard, hard, hard_ties, margin_ties = dataclasses.astuple(at.categories)
    assert (easy, semi_hard, hard) == (59, 0, 57)
    assert (easy - margin_ties, semi_hard + margin_ties, hard) == (43, 16, 57)  # pytorch-metric-learning's miner
    assert (easy - margin_ties, semi_hard, hard - hard_ties) == (43, 0, 49)  # by strict inequalities alone
    for settings, counts in (({}, [8, 3, 1]), ({"distance": "sqeuclidean", "normalize": True}, [4, 7, 1])):
        (line,) = lossctl.triplets(*A5, margin=0.2, **settings).records()
        assert [line[name] for name in ("easy", "semi_hard", "hard")] == counts


def explained(case, folder, *more):
    words = (*shlex.split(case.fixed), *sources(case, folder), "--value", case.text, "--json", *more)
    return json.loads(run_lossctl("reconcile", case.loss, *words).out)


@pytest.mark.first_fast
@pytest.mark.parametrize("case", PRINTED, ids=lambda case: f"{case.loss} {case.text} {case.who}")
def test_the_choice_behind_a_printed_number_is_found(case, tmp_path):
    """It stands in a line of the answer; first, or with as few choices changed as the first."""
    fits = explained(case, tmp_path)["results"]
    wanted = sorted(words(f"{case.fixed.replace('--from-logits', '')} {case.options}"))
    lines = [[sorted(words(text)) for text in (fit["options"], *fit["twins"])] for fit in fits]
    at = [k for k, line in enumerate(lines) if wanted in line]
    assert at, [fit["options"] for fit in fits]
    assert fits[at[0]]["changed"] == fits[0]["changed"]


def words(options):
    """Options as texts of a flag with its value, numbers alike."""
    parts = [f"{part}".strip() for part in f" {options}".replace(" -r ", " --r ").split(" --") if part.strip()]
    return [" ".join(str(number(word)) for word in part.split()) for part in parts]


def number(word):
    try:
        return float(word)
    except ValueError:
        return word


@pytest.mark.slow
def test_a_free_factor_counts_for_more_than_a_choice(tmp_path):
    """Squares on the unit sphere are twice the cosine distance, so half the margin and a factor say the same."""
    rng = np.random.default_rng(3)
    emb, label = rng.normal(size=(40, 6)), rng.integers(0, 5, 40)
    np.save(tmp_path / "e.npy", emb)
    np.save(tmp_path / "l.npy", label)
    truth = "--margin 0.2 --distance sqeuclidean --normalize"
    number = value("batch-hard", (emb, label), truth)
    assert value("batch-hard", (emb, label), "--margin 0.1 --distance cosine --scale 2") == pytest.approx(number)
    files = (tmp_path / "e.npy", tmp_path / "l.npy")
    first = json.loads(run_lossctl("reconcile", "batch-hard", *files, "--value", f"{number:.6g}", "--json").out)
    fit = first["results"][0]
    assert (fit["options"], fit["changed"], "--scale 2" in fit["twins"][0]) == (truth, 3, True), fit


def test_a_random_number_is_explained_by_nothing(tmp_path):
    case = next(case for case in PRINTED if case.text == "0.433715")
    answer = explained(case._replace(text="0.43371937"), tmp_path)
    assert answer["results"] == [] and answer["tried"] > 1000


def random_inputs(loss):
    """Inputs of a loss by role, and their forms."""
    rng = np.random.default_rng(0)
    if loss.engine.kind == "pairs of two views":
        return {role.name: rng.normal(size=(9, 5)) for role in loss.roles}, {}
    if loss.engine.has_lists or loss.roles[0].name == "emb":
        more = {
            "emb": rng.normal(size=(24, 5)),
            **dict.fromkeys(("label", "identity"), np.repeat(np.arange(6), 4)),
            "rank_score": rng.normal(size=24),
            **dict.fromkeys(("relevance", "grade"), rng.integers(0, 4, 24)),
            "group": np.repeat(np.arange(4), 6),
            "frames": rng.normal(size=(24, 5)),
            "symbol": np.tile([1, 2, 3, 0, 0, 0], 4),
        }
        return {role.name: more[role.name] for role in loss.roles}, {}
    if loss.name in test_views.ROWS_TOGETHER:
        return dict(zip([role.name for role in loss.roles], test_views.ROWS_TOGETHER[loss.name], strict=True)), {}
    sample = next(test_laws.samples(loss, n=23))
    return sample.inputs, sample.forms


@pytest.mark.slow
def test_the_number_that_compute_prints_is_found_first():
    """All its digits, for every loss: by default, with nothing changed."""
    missed, tried = [], 0
    for loss in registry.walk():
        inputs, forms = random_inputs(loss)
        centers = next((option.default for option in loss.options if option.name == "centers"), 1)
        proxies = {"class_weights": list(range(30 * centers))} if "emb label" in " ".join(inputs) else {}
        asked = Question((registry.make(loss, **proxies),), (forms,), (), inputs, reading=Reading(forms=forms))
        with answers.opened(asked) as answer:
            value = answer.results()[0].value
        if not value:
            continue
        fits = reconcile.reconcile([(asked, {})], repr(value)).fits
        tried += 1
        if not fits or (fits[0].changed, fits[0].is_near, bool(fits[0].options)) != (0, False, bool(proxies)):
            missed.append((loss.name, value, [fit.options for fit in fits]))
    assert not missed and tried > 130


@pytest.mark.slow
def test_what_ends_in_a_root_or_a_quotient_is_finished_with_the_options_tried(tmp_path):
    """dice, the Tversky family, nrmse: two options that give other numbers never stand as one."""
    rng = np.random.default_rng(5)
    np.save(tmp_path / "p.npy", rng.uniform(size=30))
    np.save(tmp_path / "y.npy", rng.integers(0, 2, 30))
    files = (tmp_path / "p.npy", tmp_path / "y.npy")
    for loss, options in (
        ("dice", "--smooth 1"), ("jaccard", "--smooth 1"), ("mcc", "--smooth 1"),
        ("tversky", "--alpha 0.3 --beta 0.7"), ("focal-tversky", "--gamma 1.5"),
    ):  # fmt: skip
        value = run_lossctl("compute", loss, *options.split(), *files).out.strip()
        fits = json.loads(run_lossctl("reconcile", loss, *files, "--value", value, "--json").out)["results"]
        assert options in (fits[0]["options"], *fits[0]["twins"]), (loss, fits)
        for text in (fits[0]["options"], *fits[0]["twins"]):
            twin = float(run_lossctl("compute", loss, *text.split(), *files).out)
            assert twin == pytest.approx(float(value), rel=1e-11), (loss, text)


@pytest.mark.slow
def test_what_is_tried_is_what_the_command_gives(tmp_path):
    """The value of a combination, against its command: three of each kind of loss, drawn."""
    rng = np.random.default_rng(6)
    arrays = {
        "p": rng.uniform(size=30), "y": rng.integers(0, 2, 30), "P": rng.dirichlet(np.ones(4), 30),
        "Q": rng.dirichlet(np.ones(4), 30), "c": rng.integers(0, 4, 30), "a": rng.normal(size=30),
        "L": rng.normal(size=(30, 3)), "R": rng.normal(size=(30, 3)), "g": np.repeat(np.arange(6), 5),
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    lines = (
        "focal p y", "focal P c", "bce p y", "kl P Q", "rmse L R", "tversky p y", "hinge a y", "contrastive L R y",
        "batch-hard L c", "ranknet a c g",
    )  # fmt: skip
    for line in lines:
        name, *sources = line.split()
        files = tuple(tmp_path / f"{source}.npy" for source in sources)
        loss = registry.find(name)
        forms = {role.name: role.forms[0] for role in loss.roles if role.forms}
        asked = Question((registry.make(loss),), (forms,), tuple(map(str, files)), {})
        with answers.opened(asked) as answer:
            tried = Combinations(asked, answer.shared, {}).all()
        for hit in rng.choice(np.array([*tried, None], dtype=object)[:-1], 3):
            done = run_lossctl("compute", name, *hit.text.split(), *files, "-q")
            assert done.code == 0 and float(done.out) == pytest.approx(hit.value, rel=1e-9), (name, hit.text, done.err)


@pytest.mark.slow
def test_the_numbers_of_a_set_are_those_of_the_pipeline():
    """What one comparison of all points gives by every reduction, with a class of one, against a run for each."""
    rng = np.random.default_rng(7)
    label = np.r_[rng.integers(0, 4, 24), 7, 8]
    free, ties = rng.normal(size=(26, 4)), rng.integers(-3, 4, (26, 4)).astype(float)
    far = np.where(label[:, None] > 1, 1e3, 1) * free  # soft terms of e^1000 beside those of e^-1000
    sets = (
        ("batch-hard", free),
        ("contrastive-pairs", free),
        ("batch-all", free),
        ("batch-all", ties),
        ("batch-all", far),
    )
    for name, emb in sets:
        loss = registry.find(name)
        asked = Question((registry.make(loss),), ({},), (emb, label), {})
        with answers.opened(asked) as answer:
            field = Combinations(asked, answer.shared, {})
            tried = field.all()
        soft_or_swapped = [at for at, hit in enumerate(tried) if {"soft", "swap"} & dict(hit.options).keys()]
        for at in [*rng.choice(len(tried), 12), *rng.choice([*soft_or_swapped, 0], 24)]:
            hit = tried[at]
            exact = field.computed(dict(hit.options), {**dict(hit.settings), "scale": 1.0})
            exact *= dict(hit.settings).get("scale", 1.0)
            assert hit.value == pytest.approx(exact, rel=1e-9, abs=0), (name, hit.text)
            assert field.exact(hit) == pytest.approx(exact, rel=1e-15, abs=0), (name, hit.text)


def test_few_digits_prove_nothing(tmp_path):
    np.save(tmp_path / "x.npy", np.array([1.5, -2.7]))
    np.save(tmp_path / "y.npy", np.array([1, 0]))
    out = run_lossctl("reconcile", "bce", "--from-logits", tmp_path / "x.npy", tmp_path / "y.npy", "--value", "0.1").out
    assert "nothing can be concluded" in out


@pytest.mark.slow
def test_the_chance_of_a_fit_is_the_share_of_numbers_that_would_fit():
    """Numbers drawn log-uniformly within a factor of 2, one by one."""
    rng = np.random.default_rng(0)
    values = rng.uniform(0.5, 2.5, 300).tolist()
    number = number_of("1.00")
    drawn = np.exp(rng.uniform(-math.log(2), math.log(2), 20_000))
    hits = [sum(abs(value - draw) <= number.half for value in values) for draw in drawn]
    assert by_chance(number, values) == pytest.approx(np.mean(hits), rel=0.1)


@pytest.mark.slow
def test_a_second_number_narrows_the_choice(tmp_path):
    rng = np.random.default_rng(1)
    for name in "ab":
        np.save(tmp_path / f"x{name}.npy", rng.normal(size=(40,)))
        np.save(tmp_path / f"y{name}.npy", rng.integers(0, 2, 40))
    first, second = ((tmp_path / f"x{name}.npy", tmp_path / f"y{name}.npy") for name in "ab")
    truth = ("focal", "--from-logits", "--alpha", "0.25")
    a, b = (run_lossctl("compute", *truth, *files, "-p", "4").out.strip() for files in (first, second))
    asked = ("reconcile", "focal", "--from-logits", *first, "--value", a, "--json", "--solve")
    wide = json.loads(run_lossctl(*asked).out)
    more = [word for path in second for word in ("--src2", path)]
    narrow = json.loads(run_lossctl(*asked, "--value2", b, *more).out)
    assert len(narrow["solved"]) < len(wide["solved"])
    assert narrow["results"][0]["options"] == "--alpha 0.25"


@pytest.mark.slow
def test_the_number_of_another_loss_narrows_the_choice(tmp_path):
    """Chances of 0 beside a label of 1: bce tells the clip, which two digits of focal leave open."""
    np.save(tmp_path / "p.npy", np.array([1.0, 0.25, 0.8, 0.0, 0.6, 0.3]))
    np.save(tmp_path / "y.npy", np.array([0, 1, 1, 1, 1, 0]))
    files = (tmp_path / "p.npy", tmp_path / "y.npy")
    truth = ("--clip", "1e-8", "-r", "sum")
    value, value2 = (
        run_lossctl("compute", *words, *truth, *files, "-q", "-p", digits).out.strip()
        for words, digits in ((("focal", "--gamma", "1"), "2"), (("bce",), "7"))
    )
    asked = ("reconcile", "focal", *files, "--value", value, "--json")
    wide = json.loads(run_lossctl(*asked).out)["results"]
    narrow = json.loads(run_lossctl(*asked, "--value2", value2, "--also", "bce").out)["results"]
    assert 0 < len(narrow) < len(wide) / 2 and {fit["options"] for fit in narrow} < {fit["options"] for fit in wide}
    assert not all("--clip 1e-08" in fit["options"] for fit in wide)
    assert all("--clip 1e-08" in fit["options"] and "-r sum" in fit["options"] for fit in narrow), narrow
    assert {fit["beside"] for fit in narrow} == {"bce --clip 1e-08 -r sum"}
    assert any("--gamma 1" in fit["options"] for fit in narrow)
    for words, what in (
        (("--also", "bce"), "--also without --value2"),
        (("--value2", value2), "--value2 alone"),
        (("--value2", value2, "--also", "bce", "--src2", files[0]), "--also beside --src2"),
        (("--value2", "0.123456", "--also", "bce"), "no combination of bce gives 0.123456"),
        (("--value2", value2, "--also", "nix"), "unknown loss"),
    ):
        done = run_lossctl(*asked, *words)
        assert done.code == 2 and what in done.err, (words, done.err)


def test_a_number_is_solved_for(tmp_path):
    rng = np.random.default_rng(2)
    np.save(tmp_path / "x.npy", rng.normal(size=50))
    np.save(tmp_path / "y.npy", rng.normal(size=50))
    files = (tmp_path / "x.npy", tmp_path / "y.npy")
    value = run_lossctl("compute", "huber", "--delta", "0.73", *files, "-p", "8").out.strip()
    answer = json.loads(run_lossctl("reconcile", "huber", *files, "--value", value, "--solve", "--json").out)
    assert answer["results"] == []
    assert any("--delta 0.73" in fit["options"].split("--scale")[0].strip() for fit in answer["solved"])


@pytest.mark.slow
def test_without_a_loss_all_that_fit_are_tried(tmp_path):
    rng = np.random.default_rng(3)
    np.save(tmp_path / "x.npy", rng.normal(size=50))
    np.save(tmp_path / "y.npy", rng.normal(size=50))
    files = (tmp_path / "x.npy", tmp_path / "y.npy")
    value = run_lossctl("compute", "log-cosh", *files, "-p", "8").out.strip()
    fits = json.loads(run_lossctl("reconcile", *files, "--value", value, "--json").out)["results"]
    assert fits[0]["loss"] == "log-cosh"


def test_no_library_is_named_that_does_otherwise_than_what_is_set_by_hand():
    rng = np.random.default_rng(4)
    left, right = rng.normal(size=(2, 20, 4))
    loss = registry.find("contrastive-sides")
    for fixed, names in (({"normalize": True}, {""}), ({}, {"unnormalized"}), ({"margin": 2.0}, {"unnormalized"})):
        asked = Question((registry.make(loss, **fixed),), ({},), (left, right, np.arange(20) % 2), {})
        (default,) = reconcile.reconcile([(asked, fixed)], "2.40187").defaults
        assert {name.partition("/")[2] for name in default.libraries} == names, fixed


@pytest.mark.slow
def test_no_library_of_sets_is_named_that_does_otherwise_than_what_is_set_by_hand():
    """pytorch-metric-learning puts points on the unit sphere, unless its distance is told not to."""
    rng = np.random.default_rng(4)
    emb, label = rng.normal(size=(24, 4)), np.arange(24) % 4
    loss = registry.find("batch-all")
    for fixed, reading, names in (
        ({}, {}, {"unnormalized"}),
        ({"normalize": True}, {"normalize": True}, {""}),
        ({"normalize": True, "distance": "sqeuclidean"}, {"normalize": True, "metric": "sqeuclidean"}, set()),
    ):
        asked = Question((registry.make(loss, margin=0.05),), ({},), (emb, label), {}, reading=Reading(**reading))
        (default,) = reconcile.reconcile([(asked, {"margin": 0.05, **fixed})], "2.40187").defaults
        by_name = (name.partition("/") for name in default.libraries)
        assert {variant for library, _, variant in by_name if library == "pytorch-metric-learning"} == names, fixed


def test_the_library_that_makes_all_choices_but_one_is_named(tmp_path):
    np.save(tmp_path / "p.npy", np.array([1.0, 0.25, 0.8, 0.0]))
    np.save(tmp_path / "y.npy", np.array([0, 1, 1, 1]))
    files = (tmp_path / "p.npy", tmp_path / "y.npy")
    of_keras = ("--clip", "1e-7", "--clip-type", "float32")
    value = run_lossctl("compute", "bce", *of_keras, "--label-smoothing", "0.1", *files, "-p", "8").out.strip()
    out = run_lossctl("reconcile", "bce", *files, "--value", value).out
    assert "is bce as keras has it, and --label-smoothing 0.1" in out, out


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "0", "-0.000", "1e400", "1e-400", "0,43", "43%"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(UsageError, match="nothing can be told" if text in ("0", "-0.000", "1e-400") else "no number"):
        number_of(text)


def test_parity_names_libraries_and_their_numbers(tmp_path):
    case = next(case for case in PRINTED if case.text == "0.433715")
    record = json.loads(run_lossctl("parity", "focal", "--from-logits", *sources(case, tmp_path), "--json").out)
    values = {row["library"]: row["value"] for row in record["results"]}
    assert values["lossctl"] == pytest.approx(0.8503501751) and values["torchvision"] == pytest.approx(0.4337151047)
    assert values["torchvision/retinanet"] == pytest.approx(0.8674302094)
    case = next(case for case in PRINTED if (case.text, case.loss) == ("25.0000", "bce"))
    table = run_lossctl("parity", "bce", *sources(case, tmp_path), "-f", "tsv").out
    assert "torch\t25.0\t" in table and "4.02952398" in table and "9.01091334" in table
