"""Faults of Python calls, of odd machines and of rare commands: what their fix says, and the call with that done.

Files stand in the working folder (`FILES`); truths are closed forms of the few numbers in them.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import warnings
import zipfile
from collections import namedtuple
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from math import log
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import numpy as np
import pytest
from faults import BCE, CE, CHANCES, CLASSES, ENDS, GOOD, HARD, POINTS, WIDE, P, Y

import lossctl
from lossctl.api.mine import KEPT_FREE
from lossctl.cli.app import run
from lossctl.files import faiss
from lossctl.sets.device import points as device_points

FILES = {
    "t.csv": GOOD,
    "p.npy": P,
    "y.npy": Y,
    "x.npy": POINTS,
    "c.npy": CLASSES,
    "wide.npy": WIDE + 1,
    "chances.npy": CHANCES,
    "i.npy": np.array([[0, 1, 2], [2, 3, 1]]),
    "w.npy": np.eye(2),
    "steps.npy": np.full((2, 2, 3), 1 / 3),
    "classes.npy": np.zeros((2, 2), int),
    "names.csv": "e,label,user\n0,0,a\n1,0,b\n2,1,c\n3,1,d\n",
}
DISK = namedtuple("DISK", "total used free")
LINES = '{"prob": 0.9, "label": 1}\n{"prob": null, "label": 0}\n{"prob": 0.6, "label": 1}\n'
GAPS = np.array([[0.0], [np.nan], [2], [3]])
RECORD = [("prob", "f8"), ("label", "i8")]
BENCH = "batch-hard --n 64 --dim 2 --k 2 --min-time 0.001 --time-limit 1"
SYSTEMS = np.array([[[0.1, 0.2], [0.9, 0.4], [0.5, 0.1], [0.3, 0.8], [0.6, 0.6], [0.2, 0.9]]] * 2)
SYSTEMS[1, 0] += 2
OF_SYSTEMS = np.array([0, 0, 0, 1, 1, 1])


class Stopped(Exception):
    """What a command printed that ended with an error."""


@dataclass(frozen=True)
class Remedy:
    """call: ends with an error, whose fix holds `says`;  then: the call with that done

    right: what it gives then, None for anything;  under: (name, value) of what is otherwise while `call` runs
    kept: and while `then` runs;  asks: another error may come of `then`
    """

    call: Callable[[], Any]
    says: str
    then: Callable[[], Any] | None = None
    right: float | None = None
    under: tuple[tuple[str, Any], ...] = ()
    kept: bool = False
    asks: bool = False


def shell(words: str) -> float | None:
    """The first number that a command prints, None where it prints none. Stopped"""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(shlex.split(words))
    if code not in (0, 1):
        raise Stopped(err.getvalue())
    with contextlib.suppress(ValueError):
        return float(out.getvalue().split("\n")[0])
    return None


def _missing(library: str) -> tuple[tuple[str, Any], ...]:
    plain = import_module

    def without(name: str, *more: Any) -> Any:
        if name.split(".")[0] == library:
            raise ModuleNotFoundError(f"No module named {library!r}", name=library)
        return plain(name, *more)

    return (("importlib.import_module", without),)


def _written(name: str, content: str | bytes) -> None:
    path = Path(name)
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)


def _twice(name: str) -> None:
    with zipfile.ZipFile(name, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            archive.writestr("prob.npy", Path("p.npy").read_bytes())


def _parts_of(version: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lossctl.api.parts.__version__", version)
        return lossctl.parts("bce", "p.npy", "y.npy")


def _raised(room: Any, fault: Exception) -> None:
    with room:
        raise fault


def bce(*inputs: Any, **keywords: Any) -> Any:
    return lossctl.compute("bce", *(inputs or (P, Y)), **keywords)


REMEDIES: dict[str, Remedy] = {
    # --- calls of Python
    "one number of each row": Remedy(
        lambda: bce(reduction="none"), "lossctl.row_losses(", lambda: lossctl.row_losses("bce", P, Y).mean(), BCE
    ),
    "a number out of range": Remedy(lambda: bce(clip=3), "a number from 0 to 0.5", lambda: bce(clip=0.1), BCE),
    "keep of parts": Remedy(
        lambda: lossctl.parts("bce", "t.csv", keep=1),
        "leave keep out",
        lambda: lossctl.merge([part.state() for part in lossctl.parts("bce", "p.npy", "y.npy")]),
        BCE,
    ),
    "no states": Remedy(
        lambda: lossctl.merge([]),
        "lossctl.parts",
        lambda: lossctl.merge([part.state() for part in lossctl.parts("bce", "p.npy", "y.npy")]),
        BCE,
    ),
    "states of two losses": Remedy(
        lambda: lossctl.merge(
            [part.state() for loss in ("bce", "focal") for part in lossctl.parts(loss, "p.npy", "y.npy")]
        ),
        "merge those of one call of lossctl.parts",
        lambda: lossctl.merge([part.state() for part in lossctl.parts("bce", "p.npy", "y.npy")]),
        BCE,
    ),
    "nobody to compare with": Remedy(
        lambda: lossctl.compare(P, target=Y, loss="bce"),
        "lossctl.compare(base, other, target=",
        lambda: lossctl.compare(P, P, target=Y, loss="bce")[0].base_value,
        BCE,
    ),
    "an id of no file": Remedy(
        lambda: lossctl.mine("all", POINTS, CLASSES, id=np.arange(4)),
        'out="triplets.csv"',
        lambda: lossctl.mine("all", POINTS, CLASSES, id=np.arange(4), out="triplets.csv"),
    ),
    "classes of sampled anchors": Remedy(
        lambda: lossctl.triplets(POINTS, CLASSES, anchors=2, by_class=True),
        "leave by_class out",
        lambda: lossctl.triplets(POINTS, CLASSES, anchors=2),
    ),
    "batches of rows kept apart": Remedy(
        lambda: lossctl.triplets(POINTS, CLASSES, exclude_same=np.arange(4), batch=(2, 2)),
        "leave batch out",
        lambda: lossctl.triplets(POINTS, CLASSES, exclude_same=np.arange(4)),
    ),
    "a comparison without a truth": Remedy(
        lambda: lossctl.compare(P, P, loss="bce"),
        "lossctl.compare(base, *others, target=..., loss=...)",
        lambda: lossctl.compare(P, P, target=Y, loss="bce")[0].base_value,
        BCE,
    ),
    "a word among one-hot labels": Remedy(
        lambda: lossctl.compute("semi-hard", POINTS, np.array([["1", "0"], ["1", "0"], ["0", "x"], ["0", "1"]])),
        'positive="any"',
        lambda: (
            lossctl.compute("semi-hard", POINTS, np.array([[1, 0], [1, 0], [0, 1], [0, 1]]), positive="any").value
            - lossctl.compute("semi-hard", POINTS, CLASSES).value
        ),
        0.0,
    ),
    "centers that do not fit": Remedy(
        lambda: lossctl.compute("soft-triple", WIDE + 1, CLASSES, class_weights=np.eye(2).repeat(2, 0)[:3], centers=2),
        "centers",
        lambda: lossctl.compute("soft-triple", WIDE + 1, CLASSES, class_weights=np.eye(2).repeat(2, 0), centers=2),
    ),
    "a blank beyond the symbols": Remedy(
        lambda: lossctl.compute("ctc", np.zeros((2, 2)), [1, 0], [0, 0], blank=7),
        "use blank",
        lambda: lossctl.compute("ctc", np.zeros((2, 2)), [1, 0], [0, 0], blank=0),
        -log(0.75),
    ),
    "a plot of nothing": Remedy(
        lambda: lossctl.plot([1.0]), "what lossctl.compute", lambda: lossctl.plot(bce("t.csv"))
    ),
    "a cell that is missing": Remedy(
        lambda: (_written("n.jsonl", LINES), bce("n.jsonl")),
        "skip_nan=True",
        lambda: bce("n.jsonl", skip_nan=True),
        ENDS,
    ),
    "a label that is missing": Remedy(
        lambda: lossctl.compute("gini", np.array([1, None, "a"], object)),
        "skip_nan=True",
        lambda: lossctl.compute("gini", np.array([1, None, "a"], object), skip_nan=True),
        0.5,
    ),
    "a label that is nan": Remedy(
        lambda: lossctl.compute("gini", np.array([1.0, np.nan, 0.0])),
        "skip_nan=True",
        lambda: lossctl.compute("gini", np.array([1.0, np.nan, 0.0]), skip_nan=True),
        0.5,
    ),
    "axes without a reading": Remedy(
        lambda: lossctl.compute("batch-hard", np.ones((4, 2, 0)), CLASSES),
        "x.reshape(len(x), -1)",
        lambda: lossctl.compute("batch-hard", np.hstack([POINTS, POINTS * 0]).reshape(4, -1), CLASSES),
        HARD,
    ),
    # --- rare commands
    "mined rows as points": Remedy(
        lambda: (np.savez("t.npz", anchor=[0, 2], positive=[1, 3], negative=[2, 1]), shell("compute triplet t.npz")),
        "add --index t.npz, and name the file of the points where it stood",
        lambda: shell("compute triplet x.npy --index t.npz --margin 1"),
        float(
            np.mean(
                [
                    max(0.0, abs(POINTS[a] - POINTS[p]).sum() - abs(POINTS[a] - POINTS[n]).sum() + 1)
                    for a, p, n in ((0, 1, 2), (2, 3, 1))
                ]
            )
        ),
    ),
    "an option by another name": Remedy(
        lambda: shell("triplets x.npy c.npy --metric cityblock"),
        "use --distance; all options: lossctl triplets --help",
        lambda: shell("triplets x.npy c.npy --distance manhattan"),
    ),
    "a baseline that is not saved": Remedy(
        lambda: (_written("b.json", '{"schema": "x"}'), shell("compute bce t.csv --baseline b.json --max-increase 5%")),
        "-f json -o FILE",
        lambda: (
            shell("compute bce t.csv -f json -o b.json"),
            shell("compute bce t.csv --baseline b.json --max-increase 5% --bare"),
        )[1],
        BCE,
    ),
    "a bare comparison": Remedy(
        lambda: shell("compare p.npy p.npy -y y.npy --loss bce --ci 0.9 -f bare"),
        "leave one out, or add --fail-if worse",
        lambda: shell("compare p.npy p.npy -y y.npy --loss bce -f bare"),
        0.0,
    ),
    "digits of JSON": Remedy(
        lambda: shell("compute bce t.csv --json --digits 3"),
        "leave --digits out",
        lambda: shell("compute bce t.csv --json"),
    ),
    "a loss that none fits": Remedy(
        lambda: (_written("w.csv", "zz\nx\n"), shell("reconcile w.csv --value 0.5"))[1],
        "lossctl reconcile LOSS SRC... --value V",
        lambda: shell("reconcile bce t.csv --value 0.27978"),
    ),
    "most of JSON": Remedy(
        lambda: shell("reconcile bce t.csv --value 0.27978 --most 3 --json"),
        "leave --most out",
        lambda: shell("reconcile bce t.csv --value 0.27978 --json"),
    ),
    "weights of the first data": Remedy(
        lambda: shell("reconcile bce t.csv --value 0.27978 --value2 0.3 --src2 t.csv -w t.csv::w"),
        "without --value2",
        lambda: shell("reconcile bce t.csv --value 0.27978 -w t.csv::w"),
    ),
    "a second number that is of nothing": Remedy(
        lambda: shell("reconcile bce t.csv --value 0.27978 --value2 0.03057"),
        "for another loss of the same data --also LOSS",
        lambda: shell("reconcile bce t.csv --value 0.27978 --value2 0.03057 --also focal"),
    ),
    "another loss without its number": Remedy(
        lambda: shell("reconcile bce t.csv --value 0.27978 --also focal"),
        "--value2 V --also ...",
        lambda: shell("reconcile bce t.csv --value 0.27978 --value2 0.03057 --also focal"),
    ),
    "a second number that nothing gives": Remedy(
        lambda: shell("reconcile bce t.csv --value 0.27978 --value2 0.123456789 --also focal"),
        "check --value2 and --also, or leave both out",
        lambda: shell("reconcile bce t.csv --value 0.27978"),
    ),
    "a number of nothing": Remedy(
        lambda: shell("reconcile bce t.csv --value inf"),
        "such as 0.433715",
        lambda: shell("reconcile bce t.csv --value 0.433715"),
    ),
    "rows that are all left out": Remedy(
        lambda: (
            _written("n.csv", "prob,label\nNA,1\nNA,0\n"),
            shell("compute bce n.csv --per-row --na skip -o rows.npy"),
        ),
        "--na skip",
        lambda: shell("compute bce t.csv --per-row -o rows.npy"),
    ),
    "given triplets on a device": Remedy(
        lambda: shell("triplets x.npy --index i.npy --device cuda"),
        "leave --device out",
        lambda: shell("triplets x.npy --index i.npy"),
    ),
    "a curve of all rows": Remedy(
        lambda: shell("curve dice -f csv"), "lossctl curve bce", lambda: shell("curve bce -f csv")
    ),
    "a plane out of range": Remedy(
        lambda: shell("curve circle --x -3..3 -f csv"),
        "within -1..1",
        lambda: shell("curve circle --x -1..1 -f csv"),
    ),
    "a plane at a place": Remedy(
        lambda: shell("curve circle --at s_p=1 -f csv"), "leave --at", lambda: shell("curve circle -f csv")
    ),
    "a logarithm of 0": Remedy(
        lambda: shell("curve mse --x -2..2 --log x -f csv"),
        "give --x error=0.0002..2",
        lambda: shell("curve mse --x error=0.0002..2 --log x -f csv"),
    ),
    "a logarithm of a gain": Remedy(
        lambda: shell("curve mean-error --log y -o c.svg"),
        "leave y out of --log",
        lambda: shell("curve mean-error -o c.svg"),
    ),
    "a logarithm of no loss": Remedy(
        lambda: shell("curve hinge --x 10..20 --log y -o c.svg"),
        "leave y out of --log",
        lambda: shell("curve hinge --x 10..20 -o c.svg"),
    ),
    "a table of logarithms": Remedy(
        lambda: shell("curve mse --log y -f csv"), "leave --log out", lambda: shell("curve mse -f csv")
    ),
    "a plane of logarithms": Remedy(
        lambda: shell("curve circle --log x -f csv"), "leave --log out", lambda: shell("curve circle -f csv")
    ),
    "a cosine distance of 5": Remedy(
        lambda: shell("curve triplet:distance=cosine --at d_ap=5 -f csv"),
        "give --at d_ap=2, or less",
        lambda: shell("curve triplet:distance=cosine --at d_ap=2 -f csv"),
    ),
    "regions of a soft margin": Remedy(
        lambda: shell("curve triplet:soft=true --x space -o r.svg"),
        "lossctl curve triplet:soft=true",
        lambda: shell("curve triplet:soft=true -o r.svg"),
    ),
    "regions of a product": Remedy(
        lambda: shell("curve triplet:distance=dot --x space -o r.svg"),
        "leave --x out",
        lambda: shell("curve triplet:distance=dot -o r.svg"),
    ),
    "regions from high to low": Remedy(
        lambda: shell("curve triplet --x space=5..1 -o r.svg"),
        "give --x space=LOW..HIGH",
        lambda: shell("curve triplet --x space=1..5 -o r.svg"),
    ),
    "regions of all numbers": Remedy(
        lambda: shell("curve triplet --x space=-1e308..1e308 -o r.svg"),
        "give a smaller margin, d_ap or --x",
        lambda: shell("curve triplet --x space=-9..9 -o r.svg"),
    ),
    "slopes of regions": Remedy(
        lambda: shell("curve triplet --x space --grad -o r.svg"),
        "leave them out",
        lambda: shell("curve triplet --x space -o r.svg"),
    ),
    "an empty suite": Remedy(
        lambda: (_written("s.yaml", "# nothing\n"), shell("run s.yaml")),
        "lossctl run --schema",
        lambda: shell("run --schema"),
    ),
    "a name of another library": Remedy(
        lambda: shell("compute lightly.DINOLoss t.csv"),
        "lossctl list --search WORD",
        lambda: shell("list --search lightly"),
        asks=True,
    ),
    "a slow gate without a baseline": Remedy(
        lambda: shell("bench batch-hard --fail-slower 5%"),
        "lossctl bench --save FILE.json",
        lambda: (shell(f"bench {BENCH} --save b.json"), shell(f"bench {BENCH} --baseline b.json --fail-slower 90%")),
    ),
    "a bench of another case": Remedy(
        lambda: (
            shell(f"bench {BENCH} --save b.json"),
            shell(f"bench {BENCH.replace('64', '80')} --baseline b.json --fail-slower 5%"),
        ),
        "measure what it holds",
        lambda: shell(f"bench {BENCH} --baseline b.json --fail-slower 90%"),
    ),
    "a bench that is not there": Remedy(
        lambda: shell(f"bench {BENCH} --baseline b.json"),
        "lossctl bench --save FILE.json",
        lambda: (shell(f"bench {BENCH} --save b.json"), shell(f"bench {BENCH} --baseline b.json")),
    ),
    "cores of another system": Remedy(
        lambda: shell(f"bench {BENCH} --jobs 1"),
        "leave --jobs out",
        lambda: shell(f"bench {BENCH}"),
        under=(("lossctl.cli.bench.os.sched_setaffinity", None),),
        kept=True,
    ),
    "metrics of one name": Remedy(
        lambda: (
            _written("g.csv", "prob,label,g\n0.9,1,a&\n0.2,0,a?\n0.6,1,a&\n"),
            shell("compute bce g.csv -g g.csv::g --metrics m.json"),
        ),
        "leave --metrics out",
        lambda: shell("compute bce g.csv -g g.csv::g -f bare"),
    ),
    "a class of class weights": Remedy(
        lambda: shell("compute normalized-softmax wide.npy c.npy --class-weights w.npy --positive 1"),
        "--classes A,B,...",
        lambda: shell("compute normalized-softmax wide.npy c.npy --class-weights w.npy --classes 0,1"),
    ),
    "a key in no file": Remedy(
        lambda: shell("compute batch-hard x.npy c.npy --exclude-same user"),
        "--exclude-same PATH::COLUMN",
        lambda: shell("compute batch-hard x.npy c.npy --exclude-same names.csv::user --bare"),
        HARD,
    ),
    "a coarse class of neither side": Remedy(
        lambda: shell("compute batch-hard x.npy c.npy --coarse-label c.npy"),
        "--coarse-negatives near",
        lambda: lossctl.compute("batch-hard", POINTS, CLASSES, coarse_label=np.zeros(4, int), coarse_negatives="near"),
        HARD,
    ),
    "a side of no coarse class": Remedy(
        lambda: shell("compute batch-hard x.npy c.npy --coarse-negatives far"),
        "leave --coarse-negatives out",
        lambda: shell("compute batch-hard x.npy c.npy --bare"),
        HARD,
    ),
    "a key of one set alone": Remedy(
        lambda: shell("compute batch-hard x.npy c.npy --ref x.npy --ref-label z.npy --exclude-same c.npy"),
        "add --ref-exclude-same SRC",
        lambda: lossctl.compute(
            "batch-hard",
            POINTS,
            CLASSES,
            ref=POINTS + 0,
            ref_label=CLASSES + 0,
            exclude_same=np.arange(4),
            ref_exclude_same=np.arange(4),
        ),
        HARD,
    ),
    "a key of two columns": Remedy(
        lambda: lossctl.compute("batch-hard", POINTS, CLASSES, exclude_same=np.arange(8).reshape(4, 2)),
        "several one by one",
        lambda: lossctl.compute("batch-hard", POINTS, CLASSES, exclude_same=[np.arange(4), np.arange(4)]),
        HARD,
    ),
    "references with nan": Remedy(
        lambda: lossctl.compute("batch-hard", POINTS, CLASSES, ref=GAPS, ref_label=CLASSES),
        "skip_nan=True",
        lambda: lossctl.compute("batch-hard", POINTS, CLASSES, ref=GAPS, ref_label=CLASSES, skip_nan=True),
        1 / 4,
    ),
    "lists of one relevance": Remedy(
        lambda: (_written("s.csv", "score,rel,list\n1,0,a\n2,0,a\n"), shell("compute ndcg s.csv --group s.csv::list")),
        "check the relevance column",
        lambda: (
            _written("s.csv", "score,rel,list\n2,1,a\n1,0,a\n"),
            shell("compute ndcg s.csv --relevance s.csv::rel --group s.csv::list --bare"),
        )[1],
        1.0,
    ),
    "the hardest by positives": Remedy(
        lambda: shell("compute bce t.csv --keep 1 -r positives"),
        "-r mean or -r sum",
        lambda: shell("compute bce t.csv --keep 1 -r sum --bare"),
        -log(0.6),
    ),
    "class weights of 0": Remedy(
        lambda: lossctl.compute("cross-entropy", CHANCES, [0, 1], class_weights=[0, 0]),
        "check weight and class_weights",
        lambda: lossctl.compute("cross-entropy", CHANCES, [0, 1], class_weights=[1, 1]),
        CE,
    ),
    "one row of two views": Remedy(
        lambda: lossctl.compute("vicreg", [[1.0, 2]], [[2.0, 1]]),
        "lossctl explain vicreg",
        lambda: lossctl.explain("vicreg"),
    ),
    "bins of a nan": Remedy(
        lambda: (np.save("v.npy", [np.nan, 1, 2]), bce("p.npy", "y.npy", by="bins:v.npy:2")),
        "skip_nan=True",
        lambda: bce("p.npy", "y.npy", by="bins:v.npy:2", skip_nan=True).overall,
        -(log(0.8) + log(0.6)) / 2,
    ),
    "several scores": Remedy(
        lambda: lossctl.compute("hinge", "chances.npy", np.array([0, 1])),
        'score="chances.npy::2"',
        lambda: lossctl.compute("hinge", score="chances.npy::2", label=np.array([0, 1])),
        (1.3 + 0.4) / 2,
    ),
    "several labels of classes": Remedy(
        lambda: lossctl.compute("cross-entropy", CHANCES, np.array([[1, 0, 0], [0, 1, 0]])),
        "give one of its columns",
        lambda: lossctl.compute("cross-entropy", CHANCES, np.array([[1, 0, 0], [0, 1, 0]])[:, 1]),
        CE,
    ),
    "a list of alpha for soft labels": Remedy(
        lambda: lossctl.compute("focal", CHANCES, CHANCES, soft=True, alpha=[0.2, 0.8], multi_label=True),
        "leave soft out",
        lambda: lossctl.compute("focal", CHANCES, CHANCES, soft=True, alpha=0.5, multi_label=True),
    ),
    "logits of an error": Remedy(
        lambda: lossctl.compare(P, P, target=Y, loss="mse", from_logits=True),
        "leave from_logits out",
        lambda: lossctl.compare(P, P, target=Y, loss="mse")[0].base_value,
        (0.01 + 0.04 + 0.16) / 3,
    ),
    "a mean over other terms": Remedy(
        lambda: lossctl.compare(*SYSTEMS, target=OF_SYSTEMS, loss="semi-hard:fallback=drop"),
        "fallback=easiest for semi-hard",
        lambda: (
            lossctl.compare(*SYSTEMS, target=OF_SYSTEMS, loss="semi-hard:fallback=easiest")[0].base_value
            - lossctl.compute("semi-hard", SYSTEMS[0], OF_SYSTEMS).value
        ),
        0.0,
    ),
    "a sum of a library, row by row": Remedy(
        lambda: lossctl.row_losses("mse", P, Y, like="torch/sum"),
        "leave like out",
        lambda: lossctl.row_losses("mse", P, Y).sum(),
        0.01 + 0.04 + 0.16,
    ),
    "a rule of anchors for rows": Remedy(lambda: bce(lone="zero"), "leave lone out", bce, BCE),
    "an axis of the loss beside": Remedy(
        lambda: shell("compute cross-entropy steps.npy classes.npy --also kl --shift"),
        "leave --class-axis and --shift out",
        lambda: shell("compute cross-entropy steps.npy classes.npy --also kl"),
        asks=True,
    ),
    "an index of the loss beside": Remedy(
        lambda: shell("compute triplet x.npy --index i.npy --also contrastive"),
        "leave --also out",
        lambda: shell("compute triplet x.npy --index i.npy --bare"),
        0.5,
    ),
    # --- files
    "nothing behind the colons": Remedy(
        lambda: bce("t.csv::", "y.npy"), "among prob, label", lambda: bce("t.csv::prob", "y.npy"), BCE
    ),
    "a column beyond the last": Remedy(
        lambda: bce("p.npy::9", "y.npy"), "a position: 1", lambda: bce("p.npy::1", "y.npy"), BCE
    ),
    "a pattern of no column": Remedy(
        lambda: bce("t.csv::zz*", "y.npy"), "among prob, label", lambda: bce("t.csv::pro*", "y.npy"), BCE
    ),
    "axes in Fortran's order": Remedy(
        lambda: (
            np.save("f.npy", np.asfortranarray(CHANCES.reshape(2, 1, 2))),
            lossctl.compute("cross-entropy", "f.npy", np.array([[0], [1]])),
        ),
        "np.save(path, np.ascontiguousarray(x))",
        lambda: (
            np.save("f.npy", np.ascontiguousarray(np.load("f.npy"))),
            lossctl.compute("cross-entropy", "f.npy", np.array([[0], [1]])),
        )[1],
        CE,
    ),
    "two arrays in an NPY": Remedy(
        lambda: (_written("p2.npy", Path("p.npy").read_bytes() + b"12345678"), bce("p2.npy", "y.npy")),
        "with np.save, one array a file",
        lambda: (np.save("p2.npy", np.load("p2.npy")), bce("p2.npy", "y.npy"))[1],
        BCE,
    ),
    "long names": Remedy(
        lambda: (np.save("l.npy", ["a" * 300 + "1", "a" * 300, "a" * 300]), lossctl.compute("gini", "l.npy")),
        "np.save(path, np.unique(labels, return_inverse=True)[1])",
        lambda: (
            np.save("l.npy", np.unique(np.load("l.npy"), return_inverse=True)[1]),
            lossctl.compute("gini", "l.npy"),
        )[1],
        4 / 9,
    ),
    "a structure of two axes": Remedy(
        lambda: (
            np.save("s.npy", np.array([(0.9, 1), (0.2, 0), (0.6, 1)], RECORD).reshape(3, 1)),
            bce("s.npy"),
        ),
        "np.save(path, x.ravel())",
        lambda: (np.save("s.npy", np.load("s.npy").ravel()), bce("s.npy"))[1],
        BCE,
    ),
    "an NPZ of nothing": Remedy(
        lambda: (zipfile.ZipFile("e.npz", "w").close(), bce("e.npz")),
        "with np.savez",
        lambda: (np.savez("e.npz", prob=P, label=Y), bce("e.npz"))[1],
        BCE,
    ),
    "a name twice in an NPZ": Remedy(
        lambda: (_twice("w.npz"), bce("w.npz")),
        "with np.savez",
        lambda: (np.savez("w.npz", prob=P, label=Y), bce("w.npz"))[1],
        BCE,
    ),
    "a list that numpy cut short": Remedy(
        lambda: (_written("l.csv", 'emb,label\n"[0 ... 1]",0\n'), lossctl.compute("batch-hard", "l.csv")),
        "np.save('x.npy', np.stack(table['column']))",
        lambda: (
            np.save("x.npy", np.stack({"column": list(POINTS)}["column"])),
            lossctl.compute("batch-hard", "x.npy", "c.npy"),
        )[1],
        HARD,
    ),
    "raw float64": Remedy(
        lambda: (np.arange(64.0).tofile("r.bin"), lossctl.compute("batch-hard", "r.bin", "c.npy", dim=2)),
        "np.save('x.npy', np.fromfile('r.bin', 'f8').reshape(-1, 2))",
        lambda: (
            np.save("x.npy", np.fromfile("r.bin", "f8").reshape(-1, 2)),
            lossctl.compute("cosine-distance", "x.npy", "x.npy"),
        )[1],
        0.0,
    ),
    "an index of faiss without vectors": Remedy(
        lambda: (_written("q.faiss", faiss.HEADER.pack(b"IxPQ", 4, 3, 0, 0, 1, 1)), lossctl.compute("gini", "q.faiss")),
        "faiss.read_index('q.faiss'); np.save('x.npy'",
        lambda: (np.save("x.npy", POINTS), lossctl.compute("batch-hard", "x.npy", "c.npy"))[1],
        HARD,
    ),
    "a key twice in a suite": Remedy(
        lambda: (_written("s.yaml", "losses:\n - {loss: bce, loss: mse, inputs: t.csv}\n"), lossctl.run("s.yaml")),
        "remove one",
        lambda: (
            _written("s.yaml", "losses:\n - {loss: bce, inputs: t.csv}\n"),
            lossctl.run("s.yaml").outcomes[0].results[0],
        )[1],
        BCE,
    ),
    "a folder that is missing": Remedy(
        lambda: shell("compute bce t.csv --json -o away/b.json"),
        "make the directory first",
        lambda: (Path("away").mkdir(), shell("compute bce t.csv --json -o away/b.json")),
    ),
    # --- parts
    "a set in parts": Remedy(
        lambda: lossctl.compute("vicreg", "wide.npy", "wide.npy", executor=ThreadPoolExecutor(1)),
        "in one process, without executor",
        lambda: lossctl.compute("vicreg", "wide.npy", "wide.npy"),
    ),
    "ranks without torchrun": Remedy(
        lambda: bce("t.csv", executor="torchrun"), "without executor", lambda: bce("t.csv"), BCE
    ),
    "rows that nobody has counted": Remedy(
        lambda: (_written("big.csv", "prob,label\n" + "0.9,1\n" * 200_000), lossctl.parts("bce", "big.csv")),
        "NPY",
        lambda: bce("big.csv"),
        -log(0.9),
    ),
    "a worker of another version": Remedy(
        lambda: lossctl.merge([part.state() for part in _parts_of("another")]),
        "install the same lossctl",
        lambda: lossctl.merge([part.state() for part in lossctl.parts("bce", "p.npy", "y.npy")]),
        BCE,
    ),
    "a part that is missing": Remedy(
        lambda: (
            np.save("b.npy", np.ones(600_000, np.int8)),
            lossctl.merge([part.state() for part in lossctl.parts("bce", "b.npy", "b.npy")][1:]),
        ),
        "the states of all parts",
        lambda: lossctl.merge([part.state() for part in lossctl.parts("bce", "b.npy", "b.npy")]),
        0.0,
        under=(("lossctl.api.parts.PART_ROWS", 1),),
        kept=True,
    ),
    "a cluster that is not installed": Remedy(
        lambda: bce("t.csv", executor="ray"),
        "pip install 'lossctl[ray]'",
        lambda: bce("t.csv"),
        BCE,
        under=_missing("ray"),
    ),
    "a library that is not installed": Remedy(
        lambda: bce("s3://bucket/t.csv"),
        "pip install 'lossctl[remote]'",
        lambda: bce("t.csv"),
        BCE,
        under=(("sys.modules[fsspec]", None),),
    ),
    "a format that is not installed": Remedy(
        lambda: (_written("t.parquet", b"PAR1" + b"0" * 50 + b"PAR1"), bce("t.parquet")),
        "pip install 'lossctl[arrow]'",
        lambda: bce("t.csv"),
        BCE,
        under=_missing("pyarrow"),
    ),
    "slopes without torch": Remedy(
        lambda: shell("curve bce --grad -f csv"),
        "pip install 'lossctl[torch]'",
        lambda: shell("curve bce -f csv"),
        under=(("sys.modules[torch]", None),),
    ),
    # --- what does not fit
    "a full disk": Remedy(
        lambda: lossctl.mine("all", POINTS, CLASSES, out="t.npy"),
        "limit or per_anchor",
        lambda: lossctl.mine("all", POINTS, CLASSES, out="t.npy", limit=1),
        under=(("shutil.disk_usage", lambda path: DISK(0, 0, KEPT_FREE + 30)),),
        kept=True,
    ),
    "rows beyond the memory": Remedy(
        lambda: lossctl.compute("cross-entropy", "chances.npy", np.array([0, 1])),
        "fewer columns a row",
        lambda: lossctl.compute("cross-entropy", "chances.npy", np.array([0, 1])),
        CE,
        under=(("lossctl.files.room.bytes_free", lambda: 10), ("lossctl.files.room.SMALL", 0)),
    ),
    "rows beyond the memory that was allowed": Remedy(
        lambda: lossctl.compute("cross-entropy", "chances.npy", np.array([0, 1]), memory="10"),
        'memory="0.4kB"',
        lambda: lossctl.compute("cross-entropy", "chances.npy", np.array([0, 1]), memory="0.4kB"),
        CE,
        kept=True,
    ),
    "groups beyond the memory": Remedy(
        lambda: bce("t.csv", ci=0.9, group="t.csv::g"),
        "fewer resamples",
        lambda: bce("t.csv", group="t.csv::g", ci=0.9, resamples=40).overall,
        BCE,
        under=(("lossctl.resampling.survey.LARGEST_BYTES", 4000),),
        kept=True,
    ),
    "systems beyond the memory": Remedy(
        lambda: lossctl.compare("p.npy", "p.npy", target="y.npy", loss="bce", resamples=10_000),
        "fewer resamples",
        lambda: lossctl.compare("p.npy", "p.npy", target="y.npy", loss="bce", resamples=40)[0].base_value,
        BCE,
        under=(("lossctl.resampling.survey.LARGEST_BYTES", 4000),),
        kept=True,
    ),
    "counts beyond a BCa interval": Remedy(
        lambda: lossctl.compute("gini", "t.csv::label", ci=0.9),
        'ci_method="percentile"',
        lambda: lossctl.compute("gini", "t.csv::label", ci=0.9, ci_method="percentile"),
        4 / 9,
        under=(("lossctl.resampling.by_count.MOST_CELLS", 1),),
        kept=True,
    ),
    # --- devices
    "a device of rows kept apart": Remedy(
        lambda: lossctl.compute("batch-hard", POINTS, CLASSES, exclude_same=np.arange(4), device="cuda:0"),
        'device="cpu"',
        lambda: lossctl.compute("batch-hard", POINTS, CLASSES, exclude_same=np.arange(4), device="cpu"),
        HARD,
        under=(("lossctl.kernels.devices.no_cuda", lambda: ""), ("torch.cuda.device_count", lambda: 1)),
    ),
    "a device of no kernel": Remedy(
        lambda: device_points.check("cuda:9"),
        "lossctl doctor",
        lambda: shell("doctor"),
        under=(("lossctl.sets.device.points.find", lambda *asked: None),),
    ),
    "a device without room": Remedy(
        lambda: _raised(device_points.room_on("cuda:0"), import_module("torch").OutOfMemoryError("CUDA out of memory")),
        "--device cpu",
        lambda: shell("compute batch-hard x.npy c.npy --device cpu --bare"),
        HARD,
    ),
    **{
        f"a device where {what}": Remedy(
            lambda fault=fault: _raised(device_points.room_on("cuda:0"), fault),
            "--device cpu",
            lambda: shell("compute batch-hard x.npy c.npy --device cpu --bare"),
            HARD,
        )
        for what, fault in (
            ("no compiler is", RuntimeError("Failed to find C compiler. Please specify via CC environment variable")),
            ("headers are missing", CalledProcessError(1, ["gcc", "main.c"])),
            ("the driver fails", RuntimeError("CUDA error: an illegal memory access was encountered\nFor debugging")),
            (
                "the library has no room",
                RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
            ),
        )
    },
    "a kernel that does not fit": Remedy(
        lambda: _raised(device_points.room_on("cuda:0"), MemoryError("out of shared memory")),
        "--device cpu",
        lambda: shell("compute batch-hard x.npy c.npy --device cpu --bare"),
        HARD,
        under=(("lossctl.kernels.tiles.out_of_resources", lambda: MemoryError),),
    ),
}
