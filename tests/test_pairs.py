"""Nothing asked is dropped in silence: each pair of options of each command works together, or is refused by name.

Whatever an option changes where it stands alone (output, files, exit code) it must change beside any other too; else
the call must end in an error that names one of the two.
"""

import contextlib
import hashlib
import io
import itertools
import json

import numpy as np
import pytest
from conftest import ROOT

SAMPLES = ROOT / "samples"
N = 40
OLD = {
    "loss": "bce", "params": {"pos_weight": "1", "label_smoothing": "0"}, "reduction": "mean", "value": 0.1, "n": N,
}  # fmt: skip


def write(folder):
    """The files that the calls read."""
    rng = np.random.default_rng(0)
    prob = rng.uniform(0.05, 0.95, N)
    label = (rng.uniform(size=N) < prob).astype(int)
    moved = np.clip(prob + 0.05, 0, 1)

    def table(name, values, delimiter=",", decimal=".", words=("0", "1"), rows=range(N)):
        head = delimiter.join(("prob", "label", "w", "g", "c", "id", "score"))
        lines = [
            delimiter.join(
                (repr(float(values[k])).replace(".", decimal), words[label[k]], str(1 + k % 3), "abc"[k % 3],
                 str(k // 2), f"r{k}", str(k))
            )
            for k in rows
        ]  # fmt: skip
        (folder / name).write_text("\n".join([head, *lines]) + "\n")

    table("a.csv", prob)
    table("b.csv", moved)
    table("shuffled.csv", moved, rows=rng.permutation(N))
    table("nan.csv", np.where(np.arange(N) == 3, np.nan, prob))
    table("semicolons.csv", prob, delimiter=";")
    table("commas.csv", prob, delimiter=";", decimal=",")
    table("words.csv", prob, words=("no", "bad"))
    table("percent.csv", 100 * prob)
    table("logits.csv", np.log(prob / (1 - prob)))
    table("edge.csv", np.where(np.arange(N) == 2, 1 - label, prob))
    for name, mark in (("few", ","), ("few_semicolons", ";")):
        rows = [("prob", "label"), *zip(map(str, prob.tolist()), map(str, label.tolist()), strict=True)]
        (folder / f"{name}.csv").write_text("".join(mark.join(row) + "\n" for row in rows))
    points, classes = rng.normal(size=(24, 3)), np.arange(24) % 4
    np.savez(folder / "e.npz", emb=points, label=classes)
    holed = points.copy()
    holed[2] = np.nan
    np.savez(folder / "nan.npz", emb=holed, label=classes)
    np.save(folder / "clusters.npy", np.arange(24) // 3)
    np.save(folder / "index.npy", np.array([[0, 4, 1], [0, 8, 1]]))
    (folder / "old.json").write_text(json.dumps({"results": [OLD]}))
    (folder / "s.yaml").write_text(
        "losses:\n- {name: one, loss: bce, inputs: a.csv, max: 0.1}\n- {name: two, loss: focal, inputs: a.csv}\n"
    )


NPY = ("-o", "OUT.npy")
SHEET = {"json": ("--json",), "csv": ("-f", "csv"), "output": ("-o", "OUT.txt")}
TEXT = {**SHEET, "digits": ("-p", "3"), "table": ("-f", "table"), "md": ("-f", "md"), "ndjson": ("-f", "ndjson")}
GATES = {"max": ("--max", "1e-9"), "min": ("--min", "1e9"), "max-high": ("--max-high", "1e-9")}
ROWS = {"per-row": ("--per-row",), "top": ("--top", "3"), "keep": ("--keep", "5"), "none": ("-r", "none")}
CURVE = {
    "x": ("--x", "0.1..0.5"), "log": ("--log", "x"), "log y": ("--log", "y"),
    "points": ("-n", "5"), "grad": ("--grad",), "csv": ("-f", "csv"), "plot": ("-f", "plot"),
    "json": ("--json",), "output": ("-o", "OUT.svg"),
}  # fmt: skip
# command -> its arguments, its own sources, and options: words, or (words, the sources that they need)
COMMANDS = {
    "compute bce": (("compute", "bce"), ("a.csv",), {
        "pos-weight": ("--pos-weight", "3"), "weight": ("-w", "w"), "sum": ("-r", "sum"),
        "na": (("--na", "skip"), ("nan.csv",)), "header": ("--header", "no"),
        "delimiter": (("--delimiter", ";"), ("semicolons.csv",)), "decimal": (("--decimal", ","), ("commas.csv",)),
        "from-logits": (("--from-logits",), ("logits.csv",)), "percent": (("--percent",), ("percent.csv",)),
        "clip": (("--clip", "0.01"), ("edge.csv",)), "classes": (("--classes", "no,bad"), ("words.csv",)),
        "positive": (("--positive", "bad"), ("words.csv",)), "multi-label": ("--multi-label",),
        "soft": ("--soft",), "align": (("--align", "id::id"), ("shuffled.csv::prob", "a.csv::label")),
        **TEXT, "bare": ("-b",), "named": ("-o", "OUT.csv"), "plot": ("--plot", "OUT.svg"),
        "metrics": ("--metrics", "OUT.json"), "summary": ("--summary", "OUT.md"), "signature": ("--signature",),
        **GATES, **ROWS, "id": ("--id", "id"),
        "group": ("-g", "g"),
        "by": ("--by", "bins:score:3"), "also": ("--also", "focal"), "ci": ("--ci", "0.9"),
        "ci-method": ("--ci-method", "percentile"), "resamples": ("--resamples", "99"), "cluster": ("--cluster", "c"),
        "seed": ("--seed", "3"),
    }),
    "compute bce by choices": (("compute", "bce"), ("a.csv",), {
        "like": ("--like", "keras"), "scale": ("--scale", "2"), "strict": ("--strict",), "shift": ("--shift", "1"),
        "clip-log": ("--clip-log", "1"), "squash": ("--squash", "sigmoid"), "weight": ("-w", "w"),
        "weight-norm": ("--weight-norm", "n"), "min-low": ("--min-low", "1"), "ci": ("--ci", "0.9"),
        "max-increase": ("--baseline", "old.json", "--max-increase", "1%"), "thousands": ("--thousands", ","),
        "dim": ("--dim", "2"), "on": ("--on", "a.csv"),
        "jobs": ("-j", "1"), "group": ("-g", "g"), "top": ("--top", "2"),
        "per-row": ("--per-row",), "json": ("--json",), "signature": ("--signature",), "plot": ("--plot", "OUT.svg"),
    }),
    "compute dice": (("compute", "dice"), ("a.csv",), {
        **ROWS, "ci": ("--ci", "0.9"), "group": ("-g", "g"), "cluster": ("--cluster", "c"),
        "also": ("--also", "bce"), "id": ("--id", "id"),
    }),
    "compute list-mle": (("compute", "list-mle"), (SAMPLES / "ranking.csv",), {
        "sum": ("-r", "sum"), "weight": ("-w", SAMPLES / "ranking.csv::relevance"), "ci": ("--ci", "0.9"), **ROWS,
        "also": ("--also", "ranknet"), "signature": ("--signature",), "cluster": ("--cluster", "group"), **GATES,
        "json": ("--json",), "digits": ("-p", "3"),
    }),
    "compute batch-hard": (("compute", "batch-hard"), ("e.npz",), {
        "margin": ("--margin", "0.3"), "distance": ("--distance", "cosine"), "normalize": ("--normalize",),
        "sum": ("-r", "sum"), "na": (("--na", "skip"), ("nan.npz",)), "ci": ("--ci", "0.9"),
        "cluster": ("--cluster", "clusters.npy"), **ROWS, "group": ("-g", "clusters.npy"),
        "also": ("--also", "batch-all"), "id": ("--id", "clusters.npy"), "signature": ("--signature",), **GATES,
        "json": ("--json",), "output": ("-o", "OUT.txt"), "digits": ("-p", "3"),
    }),
    "compute triplet": (("compute", "triplet"), (SAMPLES / "triplets.npz",), {
        "margin": ("--margin", "0.3"), "distance": ("--distance", "cosine"), "ci": ("--ci", "0.9"),
        "index": (("--index", SAMPLES / "triplets_index.npy"), (SAMPLES / "embeddings.npy",)), "top": ("--top", "2"),
        "per-row": ("--per-row",), "plot": ("--plot", "OUT.svg"),
    }),
    "compare": (("compare",), ("a.csv::prob", "b.csv::prob", "-y", "a.csv::label", "--loss", "bce"), {
        "loss": ("--loss", "focal"), "sum": ("-r", "sum"), "weight": ("-w", "w"), "ci": ("--ci", "0.8"),
        "ci-method": ("--ci-method", "percentile"), "resamples": ("--resamples", "99"), "cluster": ("--cluster", "c"),
        "seed": ("--seed", "4"), "test": ("--test", "bootstrap"), "fail-if": ("--fail-if", "worse"),
        "group": ("-g", "c"), "margin": ("--margin-of-harm", "2%"), "beside": ("--beside", "t"),
        "seed-of": ("--seed-of", "g"),
        "align": (("--align", "id::id"), ("a.csv::prob", "shuffled.csv::prob", "-y", "a.csv::label", "--loss", "bce")),
        "clip": (("--clip", "0.2"), ("a.csv::prob", "edge.csv::prob", "-y", "a.csv::label", "--loss", "bce")),
        **TEXT, "bare": ("-f", "bare"), "metrics": ("--metrics", "OUT.json"),
        "summary": ("--summary", "OUT.md"),
    }),
    "triplets": (("triplets",), ("e.npz",), {
        "margin": ("--margin", "0.2,0.5"), "distance": ("--distance", "cosine"), "normalize": ("--normalize",),
        "by": ("--by", "class"), "pairs": ("--pairs", "2"), "batch": ("--batch", "2,3"), "seed": ("--seed", "3"),
        "index": (("--index", "index.npy"), ("--emb", "e.npz::emb")), "na": (("--na", "skip"), ("nan.npz",)),
        "plot": ("--plot", "OUT.svg"), "bare": ("-b",), "metrics": ("--metrics", "OUT.json"), **SHEET,
        "summary": ("--summary", "OUT.md"),
        "table": ("-f", "table"), "md": ("-f", "md"),
    }),
    "triplets of some": (("triplets",), ("e.npz",), {
        "anchors": ("--anchors", "12"), "ci": ("--ci", "0.9"), "batch": ("--batch", "2,3"),
        "batches": ("--batches", "7"),
        "explain": ("--explain",), "seed": ("--seed", "3"), "by": ("--by", "class"), "pairs": ("--pairs", "2"),
        "noise": ("--noise-label", "3"), "json": ("--json",), "bare": ("-b",), "metrics": ("--metrics", "OUT.json"),
        "ref": ("--ref", "e.npz::emb", "--ref-label", "e.npz::label"),
    }),
    **{
        f"mine {strategy}": (("mine", strategy), ("e.npz", *NPY), {
            "margin": ("--margin", "0.2"), "distance": ("--distance", "cosine"), "limit": ("--limit", "40"),
            "seed": ("--seed", "3"), "category": ("--category", "semi-hard"), "fallback": ("--fallback", "drop"),
            "per-anchor": ("--per-anchor", "1"), "id": ("--id", "clusters.npy"), "noise": ("--noise-label", "3"),
            "format": ("-f", "csv"), "na": (("--na", "skip"), ("nan.npz", *NPY)),
        })
        for strategy in ("batch-hard", "semi-hard", "random-semi-hard", "hardest", "all", "distance-weighted")
    },
    "run": (("run",), ("s.yaml",), {
        "only": ("--only", "one"), "schema": (("--schema",), ()), "report": ("--report", "OUT.html"),
        "json": ("--json",), "html": ("-f", "html"), "junit": ("-f", "junit"), "md": ("-f", "md"),
        "output": ("-o", "OUT.txt"), "digits": ("-p", "3"), "signature": ("--signature",),
        "metrics": ("--metrics", "OUT.json"), "summary": ("--summary", "OUT.md"),
    }),
    "curve focal": (("curve",), ("focal",), {"sweep": ("--sweep", "gamma=0,1"), "more": ("--sweep", "alpha=0.2,0.8"),
                                             **CURVE}),
    "curve triplet": (("curve",), ("triplet",), {"sweep": ("--sweep", "margin=0,1"), "at": ("--at", "d_ap=0.5"),
                                                 **CURVE}),
    "curve triplet in space": (("curve", "triplet", "-n", "6"), (), {
        "space": ("--x", "space"), "at": ("--at", "d_ap=0.2"), "sweep": ("--sweep", "margin=0.5,1"),
        **{name: CURVE[name] for name in ("log", "grad", "csv", "json", "output")},
    }),
    "curve circle": (("curve",), ("circle",), {"sweep": ("--sweep", "margin=0.1,0.2"), **CURVE}),
    "info": (("info",), ("a.csv",), {
        **SHEET, "header": ("--header", "no"), "delimiter": (("--delimiter", ";"), ("semicolons.csv",)),
        "decimal": (("--decimal", ",", "--delimiter", ";"), ("commas.csv",)), "first": ("--first", "2"),
    }),
    "list": (("list",), (), {**SHEET, "family": ("--family", "pairs"), "names": ("--names",),
                           "search": ("--search", "pair")}),
    "parity": (("parity", "bce"), ("a.csv",), {
        "pos-weight": ("--pos-weight", "3"), "weight": ("-w", "w"), "scale": ("--scale", "2"),
        "na": (("--na", "skip"), ("nan.csv",)), "from-logits": (("--from-logits",), ("logits.csv",)),
        "clip": (("--clip", "0.01"), ("edge.csv",)), "positive": (("--positive", "bad"), ("words.csv",)), **SHEET,
        "digits": ("-p", "3"),
    }),
    "reconcile": (("reconcile", "bce"), ("a.csv", "--value", "1"), {
        "pos-weight": ("--pos-weight", "3"), "weight": ("-w", "w"),
        "from-logits": (("--from-logits",), ("logits.csv", "--value", "1")), "json": ("--json",),
        "output": ("-o", "OUT.txt"), "solve": ("--solve",), "most": ("--most", "1"),
        "value2": ("--value2", "1", "--src2", "b.csv"),
    }),
    "suggest": (("suggest",), ("few.csv",), {
        **SHEET, "header": ("--header", "no"), "delimiter": (("--delimiter", ";"), ("few_semicolons.csv",)),
    }),
    "schema": (("schema",), (), {"command": ("run",), "output": ("-o", "OUT.json")}),
    "bench list": (("bench",), ("--list",), {**SHEET, "n": ("--n", "5"), "save": ("--save", "OUT.json"),
                                             "peers": ("--peers",)}),
    "explain": (("explain",), ("focal",), {"json": ("--json",), "output": ("-o", "OUT.txt")}),
    "doctor": (("doctor",), (), SHEET),
}  # fmt: skip
SLOW = {
    "compute bce by choices", "triplets of some",
    "compute bce", "compute list-mle", "compute batch-hard", "compute triplet", "compare", "triplets", "curve focal",
    "curve circle", "curve triplet", "curve triplet in space", "mine all", "mine semi-hard", "suggest", "parity",
    "reconcile",
}  # fmt: skip
# pairs of which one says what holds anyway
IMPLIED = {
    ("normalize", "distance"): "a cosine distance is of points of length 1",
    ("signature", "json"): "JSON has it", ("signature", "ndjson"): "JSON has it",
    ("margin", "fallback"): "no triplet is chosen by it here",
    ("anchors", "ci"): "of so few anchors there is no interval",
    ("margin", "per-anchor"): "the one triplet of an anchor is hard by both margins",
    ("limit", "per-anchor"): "one triplet an anchor is fewer than that",
    ("fail-if", "clip"): "it is no worse there",
    ("header", "decimal"): "the table has names: the error is of its first row",
    ("per-row", "none"): "both ask for the rows",
    ("csv", "named"): "the name says so too",
    ("junit", "digits"): "JUnit has times, and a value only where an entry fails",
}  # fmt: skip


@pytest.fixture
def call(tmp_path, monkeypatch):
    """A command line as a function: its exit code, both streams and the files that it wrote."""
    from lossctl.cli.app import run

    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    known = {}

    def called(words):
        words = tuple(map(str, words))
        if words not in known:
            known[words] = _called(run, words, tmp_path)
        return known[words]

    return called


def _called(run, words, folder):
    for path in folder.glob("OUT*"):
        path.unlink()
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run(list(words))
        except SystemExit as ending:
            code = ending.code
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("OUT*"))}
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return code, *texts, files


def _faults(call, base, sources, options):
    """What is dropped, and what is refused without a name."""
    read = {name: value if isinstance(value[0], tuple) else (value, None) for name, value in options.items()}
    for (name, (words, own)), (other, (others, its)) in itertools.combinations(read.items(), 2):
        if (own is not None and its is not None and own != its) or {(name, other), (other, name)} & IMPLIED.keys():
            continue
        where = own if own is not None else its if its is not None else sources
        plain, first, second, both = (
            call([*base, *where, *part]) for part in ((), words, others, (*words, *others))
        )  # fmt: skip
        if both[0] == 70:
            yield f"a bug: {name} with {other}: {both[2]}"
        elif both[0] in (2, 3, 5):
            flags = [word.lstrip("-") for word in (*words, *others) if str(word).startswith("-")] + [name, other]
            if first[0] in (0, 1) and second[0] in (0, 1) and not any(flag in both[2] for flag in flags):
                yield f"refused without a name: {name} with {other}: {both[2]}"
        else:
            dropped = [name] * (first != plain and both == second) + [other] * (second != plain and both == first)
            yield from (f"{word} is dropped: {name} with {other}" for word in dropped)


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in COMMANDS]
)
def test_each_pair_works_or_is_refused_by_name(call, command):
    base, sources, options = COMMANDS[command]
    assert list(_faults(call, base, sources, options)) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_given_twice_is_refused(call, command):
    """But for the repeatable ones, which count each time."""
    base, sources, options = COMMANDS[command]
    for value in options.values():
        words, own = value if isinstance(value[0], tuple) else (value, None)
        where = own if own is not None else sources
        if (
            len(words) != 2
            or call([*base, *where, *words])[0] == 2
            or words[0] in ("--loss", "--also", "--sweep", "--only", "--report", "--margin", "--beside")
        ):
            continue
        code, _, err, _ = call([*base, *where, *words, *words])
        assert code == 2 and "twice" in err, (words, err)


def test_two_sweeps_are_drawn_in_all_pairs(call):
    code, out, _, _ = call(["curve", "focal", "--sweep", "gamma=0,2", "--sweep", "alpha=0.25,0.5", "-n", "2"])
    assert code == 0
    assert out.splitlines()[0].split("\t")[1:] == [
        f"focal:gamma={gamma},alpha={alpha}" for gamma in (0, 2) for alpha in (0.25, 0.5)
    ]
    code, _, err, _ = call(["curve", "focal", "--sweep", "gamma=0", "--sweep", "gamma=1"])
    assert code == 2 and "gamma=0,1,2" in err


BARE = "compute bce samples/preds.csv"
IDLE = {
    f"{BARE} --seed 3": ("--seed", "--ci 0.95"),
    f"{BARE} --per-row -r sum": ("-r sum", "leave -r out"),
    f"{BARE} --top 2 -r sum": ("-r sum", "leave -r out"),
    f"{BARE} -r none -g label": ("--group", "-f tsv"),
    f"{BARE} -r none --id label": ("--id", "-f tsv"),
    f"{BARE} -r none --also focal": ("--also", "-f tsv"),
    f"{BARE} --per-row -b -g label": ("--group", "-f tsv"),
    f"{BARE} --ci 0.9 -b": ("--ci", "-f tsv"),
    "triplets samples/embeddings.npz --seed 3": ("--seed", "--anchors 1000"),
    "mine hardest samples/embeddings.npz --limit 9 -o triplets.npy --seed 3": ("--seed", "distance-weighted"),
    "run samples/suite.yaml --signature -f csv": ("--signature", "-f json"),
    "run samples/suite.yaml --signature -f table": ("--signature", "-f json"),
}


@pytest.mark.first_fast
@pytest.mark.parametrize("line", IDLE)
def test_what_would_change_nothing_is_refused_by_name(line):
    from commands import run_lossctl

    name, fix = IDLE[line]
    answer = run_lossctl(*line.split())
    what, _, remedy = answer.err.partition("fix:")
    assert answer.code == 2 and not answer.out and name in what and fix in remedy


def test_a_seed_without_draws_is_refused_in_python_and_of_an_entry_alone(tmp_path):
    import lossctl
    from lossctl.errors import UsageError

    with pytest.raises(UsageError, match=r"seed is for intervals[\s\S]*ci=0.95"):
        lossctl.compute("bce", [0.2, 0.7], [0, 1], seed=3)
    drawn = lossctl.compute("random-semi-hard:margin=9", np.arange(8.0).reshape(8, 1), [0, 1] * 4, seed=3)
    assert "seed:3" in drawn.signature
    np.savez(tmp_path / "a.npz", prob=[0.2, 0.7], label=[0, 1])
    path = tmp_path / "s.yaml"
    path.write_text("losses:\n- {loss: bce, inputs: a.npz, seed: 3}\n")
    (outcome,) = lossctl.run(str(path)).outcomes
    text = "\n".join(outcome.reasons)
    assert outcome.status == "error" and "seed is for intervals" in text and "ci: 0.95" in text
    path.write_text("defaults: {seed: 3}\nlosses:\n- {loss: bce, inputs: a.npz}\n")
    (outcome,) = lossctl.run(str(path)).outcomes
    assert outcome.status == "passed"
