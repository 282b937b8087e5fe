"""Learning to rank: every digit against a definition written out, and lists of every shape."""

import itertools
import json
import re

import mpmath as mp
import numpy as np
import pytest
import torch
from conftest import ROOT, run_lossctl
from folds import fold

import lossctl
from lossctl.errors import DataError
from lossctl.language import registry
from lossctl.language.registry import Weighted

RNG = np.random.default_rng(0)
SIZES = RNG.integers(1, 9, 40)
GROUP = np.repeat(np.arange(40), SIZES)
SCORE = RNG.normal(size=len(GROUP))
GRADE = RNG.integers(0, 4, len(GROUP)).astype(float)
SPECS = [
    "pointwise-mse",
    "pointwise-mse:per=list",
    "pointwise-bce",
    "pointwise-bce:per=list",
    "ranknet",
    "ranknet:sigma=2,per=pair",
    "margin-ranking",
    "margin-ranking:margin=0.3,per=pair",
    "listnet",
    "list-mle",
    "ranking-softmax",
    "ranking-softmax:normalized=true",
    "pairwise-soft-zero-one",
    "pairwise-soft-zero-one:per=pair",
    "ranking-softmax:epsilon=1",
    "unique-softmax",
    "pairwise-mse",
    "pairwise-mse:per=pair",
    "approx-ndcg",
    "lambda-loss",
    "lambda-loss:scheme=lambdarank,cutoff=3",
    "lambda-loss:scheme=ndcg-loss2++,per=pair",
]
BY_ORDER = ["dcg", "ndcg", "ndcg:cutoff=3,gain=exponential,empty=zero"]  # fmt: skip


def lists():
    ends = np.cumsum(SIZES)[:-1]
    return list(zip(np.split(SCORE, ends), np.split(GRADE, ends), strict=True))


def test_list_mle_is_a_probability_over_all_orders():
    scores = np.array([0.3, -1.2, 2.0, 0.1])
    chances = [
        np.exp(-lossctl.compute("list-mle", scores[list(order)], np.array([4.0, 3, 2, 1]), np.zeros(4)).value)
        for order in itertools.permutations(range(4))
    ]
    assert sum(chances) == pytest.approx(1, rel=1e-13)


HARD = [
    [80.0, 40.0, 0.0], [0.0, 40.0, 80.0], [700.0, -700.0], [-800.0, 800.0, 0.0], [1e-9, 0.0, -1e-9], [5.0, 5.0, 5.0],
    [1e8, 1e8 + 1, 1e8 - 1], [37.5, 0.0], [0.0],
]  # fmt: skip


@fold("scores", {"all": HARD})
@pytest.mark.parametrize("name", ["ranknet", "margin-ranking", "listnet", "list-mle", "pointwise-mse", "pointwise-bce"])
def test_every_digit_is_right(name, scores):
    with mp.workdps(900):
        s = [mp.mpf(score) for score in scores]
        y = [mp.mpf(len(s) - at) for at in range(len(s))]
        pairs = [s[i] - s[j] for i in range(len(s)) for j in range(i + 1, len(s))]
        total = mp.fsum(mp.exp(v) for v in s)
        targets = mp.fsum(mp.exp(v) for v in y)
        truth = {
            "ranknet": lambda: mp.fsum(mp.log1p(mp.exp(-gap)) for gap in pairs),
            "margin-ranking": lambda: mp.fsum(max(mp.mpf(0), 1 - gap) for gap in pairs),
            "listnet": lambda: -mp.fsum(
                mp.exp(a) / targets * mp.log(mp.exp(b) / total) for a, b in zip(y, s, strict=True)
            ),
            "list-mle": lambda: mp.fsum(
                mp.log1p(mp.fsum(mp.exp(s[k] - s[i]) for k in range(i + 1, len(s)))) for i in range(len(s))
            ),
            "pointwise-mse": lambda: mp.fsum((a - b) ** 2 for a, b in zip(s, y, strict=True)) / len(s),
            "pointwise-bce": lambda: mp.fsum(mp.log1p(mp.exp(-v)) for v in s) / len(s),
        }[name]()  # fmt: skip
        truth = float(truth)
    if len(scores) == 1 and name in ("ranknet", "margin-ranking"):
        with pytest.raises(DataError, match="anything to compare"):
            lossctl.compute(name, np.array(scores), np.array([1.0]), np.zeros(1))
        return
    value = lossctl.compute(name, np.array(scores), np.arange(len(scores), 0, -1.0), np.zeros(len(scores))).value
    tail = max(scores) - min(scores) > 1e3 and 1e-13
    assert value == pytest.approx(truth, rel=tail or 2e-15, abs=0)


# --- lists of every shape


@pytest.mark.parametrize("spec", [spec for spec in (*SPECS, *BY_ORDER) if "mle" not in spec])
def test_the_order_of_rows_changes_nothing(spec):
    order = RNG.permutation(len(GROUP))
    whole = lossctl.compute(spec, SCORE, GRADE, GROUP)
    mixed = lossctl.compute(spec, SCORE[order], GRADE[order], GROUP[order])
    assert mixed.value == pytest.approx(whole.value, rel=1e-13)
    assert mixed.n == whole.n
    text = np.array([f"q{g}" for g in GROUP])
    assert lossctl.compute(spec, SCORE, GRADE, text).value == whole.value


def test_rows_of_a_list_keep_their_order_where_lists_are_mixed_up():
    """List by list, the order within each is that of the file: list-mle depends on it where relevance ties."""
    woven = np.lexsort((GROUP, np.concatenate([np.arange(size) for size in SIZES])))
    grade = np.zeros(len(GROUP))
    whole = lossctl.compute("list-mle", SCORE, grade, GROUP).value
    assert lossctl.compute("list-mle", SCORE[woven], grade[woven], GROUP[woven]).value == pytest.approx(whole)
    backwards = lossctl.compute("list-mle", SCORE[::-1].copy(), grade, GROUP[::-1].copy()).value
    assert backwards != pytest.approx(whole)


@pytest.mark.first_fast
@pytest.mark.parametrize("spec", [*SPECS, *BY_ORDER])
@pytest.mark.parametrize("block", [1, 7, 64])
def test_blocks_that_cut_lists_change_nothing(spec, block, monkeypatch):
    from lossctl.rows import by_row as rows

    whole = lossctl.compute(spec, SCORE, GRADE, GROUP)
    monkeypatch.setattr(rows, "BLOCK_VALUES", 3 * block)
    for order in (slice(None), np.argsort(GROUP % 7, kind="stable")):
        cut = lossctl.compute(spec, SCORE[order], GRADE[order], GROUP[order])
        assert cut.value == pytest.approx(whole.value, rel=1e-14)
        assert cut.n == whole.n


@pytest.mark.slow
def test_one_long_list_takes_linear_memory():
    import tracemalloc

    n = 6000
    score, grade = RNG.normal(size=n), RNG.integers(0, 5, n).astype(float)
    tracemalloc.start()
    value = lossctl.compute("ranknet:per=pair", score, grade, np.zeros(n)).value
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6  # the matrix of pairs alone is 288 MB
    assert value == pytest.approx(
        np.mean(np.logaddexp(0, -(score[:, None] - score)[grade[:, None] > grade])), rel=1e-10
    )


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("pointwise-mse", (1 + 4 + 9) / 3), ("pointwise-mse:per=list", (2.5 + 9) / 2), ("listnet", None),
        ("list-mle", None),
    ],
)  # fmt: skip
def test_single_items_and_lists_without_relevant_items_count(spec, value):
    """A list of one, and a list where nothing is relevant."""
    result = lossctl.compute(spec, np.array([1.0, 2.0, 3.0]), np.zeros(3), np.array([0, 0, 1]))
    assert result.n == 2
    alone = lossctl.compute(spec, np.array([3.0]), np.zeros(1), np.zeros(1))
    if value is None:
        assert alone.value == 0
        two = lossctl.compute(spec, np.array([1.0, 2.0]), np.zeros(2), np.zeros(2)).value
        assert result.value == pytest.approx(two / 2)
    else:
        assert result.value == pytest.approx(value)


@pytest.mark.parametrize("spec", ["ranknet", "margin-ranking", "ranknet:per=pair", "lambda-loss"])
def test_lists_without_a_pair_are_left_out_and_counted(spec):
    score, grade = np.array([1.0, 2.0, 0.5, 0.2, 3.0]), np.array([0.0, 0.0, 1.0, 0.0, 2.0])
    result = lossctl.compute(spec, score, grade, np.array([0, 0, 1, 1, 2]))
    assert result.n == 1
    assert any("2 lists" in note for note in result.notes)
    assert result.value == lossctl.compute(spec, score[2:4], grade[2:4], np.zeros(2)).value
    with pytest.raises(DataError, match="none has anything to compare"):
        lossctl.compute(spec, score[:2], grade[:2], np.zeros(2))


def test_a_weight_is_a_list_s_weight():
    weight = np.repeat(RNG.uniform(1, 3, 40), SIZES)
    weighted = lossctl.compute("listnet", SCORE, GRADE, GROUP, weight=weight).value
    rows = [lossctl.compute("listnet", s, y, np.zeros(len(s))).value for s, y in lists()]
    assert weighted == pytest.approx(np.average(rows, weights=weight[np.cumsum(SIZES) - 1]))
    with pytest.raises(DataError, match="changes within the list"):
        lossctl.compute("listnet", SCORE, GRADE, GROUP, weight=RNG.uniform(1, 2, len(GROUP)))


@pytest.mark.parametrize("spec", SPECS)
def test_torch_has_the_same_values_and_a_gradient(spec):
    parsed = registry.parse(spec)
    score = torch.tensor(RNG.normal(size=(3, 5)), requires_grad=True)
    grade = torch.tensor([[2.0, 0, 1, 0, 0], [0, 0, 0, 1, 1], [3, 2, 1, 1, 0]], dtype=torch.float64)

    def total(score):
        value = parsed.loss.function(score, grade, **parsed.options)
        return value.total if isinstance(value, Weighted) else value

    ours = parsed.loss.function(score.detach().numpy(), grade.numpy(), **parsed.options)
    assert np.allclose(total(score).detach(), ours.total if isinstance(ours, Weighted) else ours, rtol=1e-14)
    assert torch.autograd.gradcheck(total, (score,))


@pytest.mark.parametrize("spec", BY_ORDER)
@pytest.mark.parametrize("spread", [5.0, 1.0, 0.0])
def test_torch_orders_ties_alike(spec, spread):
    parsed = registry.parse(spec)
    score, grade = np.round(spread * RNG.normal(size=(4, 7))), RNG.integers(0, 3, (4, 7)).astype(float)
    ours, theirs = (parsed.loss.function(x(score), x(grade), **parsed.options) for x in (np.asarray, torch.tensor))
    columns = zip(registry.columns_of(ours), registry.columns_of(theirs), strict=True)
    assert all(a is b or np.allclose(a, b.numpy(), rtol=1e-14) for a, b in columns)


@pytest.mark.parametrize("name", ["dcg", "ndcg", "approx-ndcg", "lambda-loss", "unique-softmax"])
def test_gains_of_negative_grades_are_refused(name):
    with pytest.raises(DataError, match="-2"):
        lossctl.compute(name, np.array([1.0, 2.0]), np.array([1.0, -2.0]), np.zeros(2))


def test_one_long_list_is_ordered_in_no_time():
    score, grade = RNG.integers(0, 1000, 200_000).astype(float), RNG.integers(0, 4, 200_000).astype(float)
    assert 0 < lossctl.compute("ndcg", score, grade, np.zeros(len(score))).value < 1


# --- the command line


def test_a_file_of_lists_is_split_by_its_names():
    document = json.loads(run_lossctl("compute", "ranknet", "samples/ranking.csv", "--json").out)
    (result,) = document["results"]
    assert set(result["source"]) == {"score", "relevance", "group"}
    table = np.genfromtxt(ROOT / "samples/ranking.csv", delimiter=",", names=True)
    assert result["value"] == lossctl.compute("ranknet", table["score"], table["relevance"], table["qid"]).value
    apart = run_lossctl(
        "compute", "ranknet", "samples/ranking.csv::score", "-y", "samples/ranking.csv::relevance", "--group",
        "samples/ranking.csv::qid",
    )  # fmt: skip
    assert float(apart.out) == result["value"]


@pytest.mark.slow
def test_lists_have_rows_intervals_and_a_hardest():
    ranking = ("compute", "list-mle", "samples/ranking.csv")
    per_row = run_lossctl(*ranking, "--per-row", "-f", "csv").out.splitlines()
    assert per_row[0] == "row,list,loss"
    values = [float(line.split(",")[2]) for line in per_row[1:]]
    assert np.mean(values) == pytest.approx(float(run_lossctl(*ranking).out))
    assert [float(line) for line in run_lossctl(*ranking, "-r", "none").out.split()] == values
    (result,) = json.loads(run_lossctl(*ranking, "--ci", "0.9", "--json").out)["results"]
    assert (result["ci"]["unit"], result["ci"]["units"]) == ("lists", 40)
    (hardest,) = json.loads(run_lossctl(*ranking, "--top", "1", "--json").out)["results"]
    assert hardest["loss"] == max(values)
    assert len(hardest["inputs"]["score"]) == len(hardest["inputs"]["relevance"]) > 1
    both = run_lossctl(*ranking, "--also", "listnet").out.splitlines()
    assert [line.split("\t")[0] for line in both[1:]] == ["list-mle", "listnet"]


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("samples/ranking.csv::score", "samples/ranking.csv::relevance"), 2, "group"),
        (("samples/ranking.csv", "--also", "mse"), 2, "mse by rows"),
        (("samples/ranking.csv", "--ci", "0.9", "--cluster", "relevance"), 3, "changes within the list"),
    ],
    ids=["no lists", "rows beside lists", "cluster that cuts lists"],
)
def test_what_lists_cannot_do(arguments, code, expected):
    done = run_lossctl("compute", "ranknet", *arguments)
    assert (done.code, done.out) == (code, ""), done.err
    assert expected in done.err and "fix:" in done.err


def test_a_blank_among_the_symbols_of_a_sequence_is_no_sequence():
    scores, group = np.random.default_rng(0).normal(size=(8, 4)), np.repeat([0, 1], 4)
    losses = lossctl.row_losses("ctc", scores, [1, 0, 1, 2, 3, 0, 0, 0], group=group)
    assert np.isfinite(losses).tolist() == [False, True]


RUN = "".join(f"q{q} Q0 d{d} {p} {20.5 - p} x\n" for q in (1, 2, 3) for p, d in enumerate(range(q, q + 11), 1))
TREC = 0.3539001986172108  # ndcg_cut_10 of pytrec_eval-terrier 0.5.11
QRELS = "q1 0 d2 2\nq1 0 d5 0\nq1 0 away 1\nq1 0 d11 3\nq2 0 d3 3\nq2 0 d2 1\nq3 0 d4 0\n"


@pytest.mark.slow
def test_a_run_and_its_qrels_are_joined_as_the_page_says(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    page = (ROOT / "docs" / "python.md").read_text()
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "qrels" in block]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bm25.run").write_text(RUN)
    (tmp_path / "test.qrels").write_text(QRELS)
    names = {"lossctl": lossctl}
    exec(code, names)
    assert names["result"].value == pytest.approx(TREC, rel=1e-12)
