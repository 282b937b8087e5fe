"""Faulty inputs and calls, and what following the fix line of each must lead to.

A fix is followed as it is printed: flags are added to the command or left out of it, pipes go through a shell, lines of
numpy are executed. Truths are closed forms of the few numbers in the files.
"""

from __future__ import annotations

import bz2
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np

BCE = -(log(0.9) + log(0.8) + log(0.6)) / 3  # of chances 0.9, 0.2, 0.6 beside labels 1, 0, 1
FALSE = -(log(0.1) + log(0.2) + log(0.4)) / 3  # of the same, where the other label counts as 1
TWO = -(log(0.9) + log(0.8)) / 2  # of the first two rows
CE = -(log(0.7) + log(0.6)) / 2
ENDS = -(log(0.9) + log(0.6)) / 2  # of the first and the last
HARD = 0.5  # batch-hard of SET at margin 1
P, Y = np.array([0.9, 0.2, 0.6]), np.array([1, 0, 1])
POINTS, CLASSES = np.array([[0.0], [1], [2], [3]]), np.array([0, 0, 1, 1])
WIDE = np.hstack([POINTS, np.zeros((4, 1))])
FRAMES, ONES, CTC = np.zeros((2, 3, 2)), np.ones((2, 1), int), -log(3 / 4)  # three of four ways write one
VIEWS = np.array([[1.0, 0], [0, 1]])
APN = dict.fromkeys(("anchor", "positive", "negative"), VIEWS)
CHANCES = np.array([[0.7, 0.3], [0.4, 0.6]])
BESIDE = {"p.npy": CHANCES, "y.npy": np.array([0, 1])}
SET, SET_OF_2D = {"x.npy": POINTS, "y.npy": CLASSES}, {"x.npy": WIDE + 1, "y.npy": CLASSES}
GOOD = "prob,label,w,g,id\n0.9,1,1,a,r1\n0.2,0,1,b,r2\n0.6,1,1,a,r3\n"
MANY = "prob,label\n" + "0.9,1\n0.2,0\n0.6,1\n" * 4

Files = Mapping[str, Any]  # name -> text, bytes, an array, or arrays by key


@dataclass(frozen=True)
class Case:
    """words: the command, without its name;  files: what it reads;  right: the numbers that may come, () where none is
    printed;  fills: what a person writes for the placeholders of a fix;  advice: no command is in the fix"""

    words: str
    files: Files = field(default_factory=dict)
    right: tuple[float, ...] = (BCE,)
    fills: Mapping[str, str] = field(default_factory=dict)
    advice: bool = False


def _bce(text: str | bytes, more: str = "", right: tuple[float, ...] = (BCE,), **settings: Any) -> Case:
    return Case(f"compute bce t.csv {more}".strip(), {"t.csv": text}, right, **settings)


def _good(words: str, right: tuple[float, ...] = (BCE,), **settings: Any) -> Case:
    return Case(words, {"t.csv": GOOD}, right, **settings)


def _done(words: str, files: Files | None = None, **settings: Any) -> Case:
    return Case(words, {"t.csv": GOOD} if files is None else files, (), **settings)


def _pair(
    p: Any, y: Any, right: tuple[float, ...] = (BCE,), more: str = "", loss: str = "bce", **settings: Any
) -> Case:
    return Case(f"compute {loss} p.npy y.npy {more}".strip(), {"p.npy": p, "y.npy": y}, right, **settings)


def _set(emb: Any, label: Any, more: str = "", right: tuple[float, ...] = (HARD,), **settings: Any) -> Case:
    return Case(f"compute batch-hard x.npy y.npy {more}".strip(), {"x.npy": emb, "y.npy": label}, right, **settings)


def _objects(*items: Any) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


CASES: dict[str, Case] = {
    "a loss for a command": _good("bce t.csv"),
    # --- text tables
    "UTF-16": _bce("prob,label\n0.9,1\n0.2,0\n0.6,1\n".encode("utf-16")),
    "UTF-16 without a mark": _bce("prob,label\n0.9,1\n0.2,0\n0.6,1\n".encode("utf-16-le")),
    "UTF-32": _bce("prob,label\n0.9,1\n0.2,0\n0.6,1\n".encode("utf-32")),
    "Latin 1": _bce("prob,label,név\n0.9,1,é\n0.2,0,a\n0.6,1,a\n".encode("latin-1")),
    "NUL": _bce(b"prob,label\n0.9,1\n0.2,0\0\0\n0.6,1\n"),
    "a blank line": _bce("prob,label\n0.9,1\n\n0.2,0\n0.6,1\n"),
    "a blank line, CRLF": _bce("prob,label\r\n0.9,1\r\n\r\n0.2,0\r\n0.6,1\r\n"),
    "a blank line in a column": Case(
        "compute brier p.csv y.csv", {"p.csv": "prob\n0.5\n\n0.8\n", "y.csv": "y\n1\n0\n1\n"}, (0.145,)
    ),
    "comments among rows": _bce("prob,label\n0.9,1\n# second half\n0.2,0\n0.6,1\n"),
    "a label or a comment": Case(
        "compute gini l.txt",
        {"l.txt": "#a\nb\n#a\nb\n"},
        (0.5, 0.0),
    ),
    "two rows of names": _bce("split,fold,,\nmodel,,prob,label\n0,0,0.9,1\n0,1,0.2,0\n0,1,0.6,1\n"),
    "units below names": _bce("prob,label\nshare,class\n0.9,1\n0.2,0\n0.6,1\n"),
    "names twice": _bce("prob,prob,label\n0.9,0.9,1\n0.2,0.2,0\n0.6,0.6,1\n", "", (BCE,), advice=True),
    "no name": _bce("prob,,label\n0.9,3,1\n0.2,3,0\n0.6,3,1\n", "", (BCE,)),
    "decimal comma under other names": Case(
        "compute bce t.csv", {"t.csv": "wahr;vorhersage\n1;0,9\n0;0,2\n1;0,6\n"}, (BCE,)
    ),
    "columns of several targets": Case(
        "compute mse t.csv", {"t.csv": "pred_a,pred_b,true_a,true_b\n1,2,1,3\n2,4,4,4\n"}, (1.25, 2.0, 0.5, 4.0)
    ),
    "decimal comma": _bce("prob;label\n0,9;1\n0,2;0\n0,6;1\n"),
    "quoted comma": _bce('prob,label\n"0,9",1\n"0,2",0\n"0,6",1\n'),
    "three decimals": _bce("prob;label\n0,900;1\n0,200;0\n0,600;1\n"),
    "thousands": Case("compute mae t.csv", {"t.csv": "pred;target\n1,000;1,001\n2,000;2,003\n"}, (2.0, 0.002)),
    "thousands of others": Case(
        "compute mae t.csv", {"t.csv": "pred;target\n1.000,5;1.001,5\n2.000,5;2.003,5\n"}, (2.0,)
    ),
    "a point among commas": _bce("prob;label\n0,9;1\n0.2;0\n0,6;1\n", "--decimal ,", (BCE,)),
    "both commas": _bce("prob;label\n0,9;1\n0,2;0\n0,6;1\n", "--thousands , --decimal ,"),
    "percent signs": _bce("prob,label\n90%,1\n20 %,0\n60%,1\n"),
    "lists in cells": Case(
        "compute batch-hard t.csv", {"t.csv": 'emb,label\n"[0, 0]",0\n"[1, 0]",0\n"[2, 0]",1\n"[3, 0]",1\n'}, (HARD,)
    ),
    "lists and semicolons": Case(
        "compute batch-hard t.csv", {"t.csv": "emb;label\n[0, 0];0\n[1, 0];0\n[2, 0];1\n[3, 0];1\n"}, (HARD,)
    ),
    "a missing chance": _bce("prob,label\n0.9,1\nNA,0\n0.6,1\n", "", (ENDS,)),
    "a missing label": _bce("prob,label\n0.9,yes\n0.2,\n0.6,yes\n", "", (ENDS,)),
    "a missing number as label": _bce("prob,label\n0.9,1\n0.2,\n0.6,1\n", "", (ENDS,)),
    "a missing group": _bce("prob,label,g\n0.9,1,a\n0.2,0,\n0.6,1,a\n", "-g t.csv::g", (ENDS,)),
    "a bad delimiter": _good("compute bce t.csv --delimiter ::", advice=True),
    "a header of numbers": _bce("0,1\n0.9,1\n0.2,0\n0.6,1\n", "", (BCE, (2 * 0 + 3 * BCE) / 3)),
    "row names of R": _bce('"prob" "label"\n"1" 0.9 1\n"2" 0.2 0\n"3" 0.6 1\n'),
    "row names of R, in a CSV": _bce("prob,label\nr1,0.9,1\nr2,0.2,0\nr3,0.6,1\n"),
    # --- names of columns
    "two chances": _bce("a_prob,b_prob,label\n0.9,0.5,1\n0.2,0.5,0\n0.6,0.5,1\n", "", (BCE, log(2))),
    "no chance by name": _bce("left_out,zz,label\n0.9,0.5,1\n0.2,0.5,0\n0.6,0.5,1\n", "", (BCE, log(2))),
    "decisions beside a confidence": _bce("pred,confidence,label\n1,0.9,1\n0,0.2,0\n1,0.6,1\n", "", (BCE, 0.0)),
    "no label by name": _bce("prob,gold\n0.9,1\n0.2,0\n0.6,1\n"),
    "blanks in a path": Case("compute bce 'a b.csv'", {"a b.csv": "prob,gold\n0.9,1\n0.2,0\n0.6,1\n"}),
    "classes by other names": Case(
        "compute cross-entropy t.csv --label label", {"t.csv": "u,v,label\n0.7,0.3,0\n0.4,0.6,1\n"}, (CE,)
    ),
    "embeddings by other names": Case(
        "compute batch-hard t.csv", {"t.csv": "e0,e1,label\n0,0,0\n1,0,0\n2,0,1\n3,0,1\n"}, (HARD,)
    ),
    "an id beside embeddings": Case(
        "compute batch-hard t.csv y.npy",
        {"t.csv": "id,e0,e1\n7,0,0\n8,1,0\n9,2,0\n5,3,0\n", "y.npy": CLASSES},
        (HARD,),
    ),
    "turned": _bce("1,0.9\n0,0.2\n1,0.6\n"),
    "turned in two files": _pair(Y * 1.0, P, fills={"SRC": "y.npy|p.npy"}),
    "embeddings without labels": Case(
        "compute batch-hard x.npy", {"x.npy": POINTS, "t.csv": "label\n0\n0\n1\n1\n"}, (HARD,), advice=True
    ),
    "two views": Case(
        "compute info-nce --temperature 1 v.npz",
        {"v.npz": {"image": VIEWS, "text": VIEWS}},
        (log(1 + exp(-1)), log(1 + 2 * exp(-1))),
    ),
    "a class that no row has": Case(
        "compute cross-entropy t.csv",
        {"t.csv": "cat,dog,owl,label\n0.7,0.2,0.1,cat\n0.1,0.6,0.3,dog\n"},
        (-(log(0.7) + log(0.6)) / 2,),
    ),
    # --- labels
    "names": _bce("prob,label\n0.9,cat\n0.2,dog\n0.6,cat\n", "", (BCE, FALSE)),
    "an unknown positive": _bce("prob,label\n0.9,cat\n0.2,dog\n0.6,cat\n", "--positive cow", (BCE, FALSE)),
    "odd numbers": _bce("prob,label\n0.9,2\n0.2,0\n0.6,2\n"),
    "soft": _bce("prob,label\n0.9,0.8\n0.2,0.1\n", "", (0.453289209275634,)),
    "soft above 1": _bce("prob,label\n0.9,2\n0.2,0\n0.6,2\n", "--soft"),
    "names of classes": Case(
        "compute cross-entropy p.npy y.npy",
        {"p.npy": CHANCES, "y.npy": np.array(["ham", "spam"])},
        (CE,),
    ),
    "classes of another number": Case(
        "compute cross-entropy p.npy y.npy --classes a,b,c",
        {"p.npy": CHANCES, "y.npy": np.array(["a", "b"])},
        (CE,),
        {"A,B,...": "a,b"},
    ),
    "an unknown class": Case(
        "compute cross-entropy p.npy y.npy --classes a,c",
        {"p.npy": CHANCES, "y.npy": np.array(["a", "b"])},
        (CE,),
        {"A,B,...": "a,b"},
    ),
    "a positive of classes": Case(
        "compute cross-entropy p.npy y.npy --positive a",
        {"p.npy": CHANCES, "y.npy": np.array(["a", "b"])},
        (CE,),
        {"A,B,...": "a,b"},
    ),
    "classes from 1": Case(
        "compute cross-entropy t.csv",
        {"t.csv": "p1,p2,p3,label\n0.7,0.2,0.1,1\n0.3,0.6,0.1,2\n"},
        (CE, -(log(0.2) + log(0.1)) / 2),
    ),
    "classes up to K": Case(
        "compute cross-entropy p.npy y.npy",
        {"p.npy": CHANCES, "y.npy": np.array([1, 2])},
        (CE,),
    ),
    "three classes of a binary loss": _bce(
        "prob,label\n0.9,a\n0.2,b\n0.6,a\n", "--classes a,b,c", (BCE,), fills={"LABEL": "a"}
    ),
    "several labels of a loss of classes": Case(
        "compute cross-entropy p.npy y.npy --multi-label",
        {"p.npy": CHANCES, "y.npy": np.eye(2, dtype=int)},
        (CE, BCE),
    ),
    "sets of labels": _set(POINTS, np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]])),
    "a set of pairs only": _set(POINTS, CLASSES, "--positive some"),
    # --- values
    "percents": _bce("prob,label\n90,1\n20,0\n60,1\n", "", (BCE,)),
    "logits": _bce(f"prob,label\n{log(9)!r},1\n{log(0.25)!r},0\n{log(1.5)!r},1\n"),
    "rounded up": _bce("prob,label\n1.0001,1\n0.2,0\n", "", (-(log(1 - 1e-7) + log(0.8)) / 2,)),
    "sums": Case(
        "compute cross-entropy t.csv",
        {"t.csv": "p0,p1,label\n0.7,0.31,0\n0.2,0.8,1\n"},
        (-(log(0.7 / 1.01) + log(0.8)) / 2,),
    ),
    "shares of a whole": Case(
        "compute cross-entropy t.csv", {"t.csv": "p0,p1,label\n0.9,0.6,0\n0.3,0.9,1\n"}, (-(log(0.6) + log(0.75)) / 2,)
    ),
    "zero vectors": Case(
        "compute cosine-distance t.npz",
        {"t.npz": {"left": np.array([[1.0, 0], [0, 0]]), "right": np.array([[0.0, 1], [1, 0]])}},
        (1.0,),
    ),
    "zero vectors of a set": _set(
        np.array([[1.0, 0], [1, 0], [0, 1], [0, 1], [0, 0]]),
        np.array([0, 0, 1, 1, 1]),
        "--distance cosine",
        (0.0, (0 + 0 + 0 + 0 + 1) / 5, 1.0, 0.2, 0.4),
    ),
    "nan": _pair(np.array([0.9, np.nan, 0.6]), Y, (ENDS,)),
    "a label that is nan": _pair(P, np.array([1, np.nan, 1]), (ENDS,)),
    "a name that is missing": _pair(P, np.array(["yes", "nan", "yes"]), (ENDS,)),
    # --- arrays
    "object text": _pair(_objects(0.9, 0.2, 0.6), Y),
    "object text with a missing one": Case(
        "compute gini y.npy", {"y.npy": _objects("yes", "no", "yes", None)}, (4 / 9,)
    ),
    "an object": Case("compute bce p.npy", {"p.npy": np.array({"prob": P, "label": Y}, object)}, (BCE,)),
    "bits of bf16": _pair((P.astype("f4").view("u4") >> 16).astype("u2"), Y, (None,)),
    "labels in a row": _set(POINTS, CLASSES.reshape(1, -1)),
    "a number alone": _pair(np.float64(0.9), np.array([1]), (-log(0.9),)),
    "flat by class": _pair(
        np.array([0.7, 0.4, 0.3, 0.6]), np.array([0, 1]), (CE, -(log(0.7) + log(0.6)) / 2, None), loss="cross-entropy"
    ),
    "an index that is turned": Case(
        "compute triplet x.npy --index i.npy",
        {"x.npy": POINTS, "i.npy": np.array([[0, 1, 2, 3], [1, 0, 3, 2], [2, 2, 1, 1]])},
        (0.5,),
    ),
    "several negatives a row": Case(
        "compute triplet x.npy --index i.npy",
        {"x.npy": POINTS, "i.npy": np.array([[0, 1, 2, 3], [3, 2, 1, 0]])},
        (0.0, 0.5, None),
    ),
    # --- rows that do not match
    "ids that disagree": Case(
        "compute bce p.csv y.csv",
        {"p.csv": "id,prob\na,0.9\nb,0.2\nc,0.6\n", "y.csv": "id,label\nb,0\na,1\nc,1\n"},
    ),
    "ids of one row only": Case(
        "compute bce p.csv y.csv --align id::id",
        {"p.csv": "id,prob\na,0.9\n,0.2\nc,0.6\n", "y.csv": "id,label\nb,0\na,1\nc,1\n"},
        advice=True,
    ),
    "ids that repeat": Case(
        "compute bce p.csv y.csv --align id::id",
        {"p.csv": "id,prob\na,0.9\na,0.2\nc,0.6\n", "y.csv": "id,label\na,1\na,0\nc,1\n"},
        advice=True,
    ),
    "ids without names": _pair(P, Y, more="--align id::id"),
    # --- files of other programs
    "JSON of a list": Case(
        "compute bce t.json",
        {"t.json": '[{"prob": 0.9, "label": 1}, {"prob": 0.2, "label": 0}, {"prob": 0.6, "label": 1}]'},
    ),
    "JSON over lines": Case(
        "compute bce t.json",
        {"t.json": '{\n"prob": 0.9, "label": 1}\n{\n"prob": 0.2, "label": 0}\n{"prob": 0.6, "label": 1}\n'},
    ),
    "JSON and a blank line": Case(
        "compute bce t.jsonl",
        {"t.jsonl": '{"prob": 0.9, "label": 1}\n\n{"prob": 0.2, "label": 0}\n{"prob": 0.6, "label": 1}\n'},
    ),
    "JSON in Latin 1": Case(
        "compute bce t.jsonl", {"t.jsonl": '{"prob": 0.9, "label": 1, "s": "é"}\n'.encode("latin-1")}, (-log(0.9),)
    ),
    "log-probabilities of a chat": Case(
        "compute token-nll t.json",
        {"t.json": '{"id": "a", "choices": [{"logprobs": {"content": [{"logprob": -0.5}, {"logprob": -1.0}]}}]}\n'},
        (0.75,),
    ),
    "log-probabilities of a completion": Case(
        "compute token-nll t.jsonl",
        {"t.jsonl": '{"id": "a", "choices": [{"logprobs": {"token_logprobs": [-0.5, -1.0, -1.5]}}]}\n' * 2},
        (1.0,),
    ),
    "lists of log-probabilities": Case(
        "compute token-nll t.jsonl",
        {"t.jsonl": '{"id": 1, "logprobs": [-0.5, -1.0]}\n{"id": 2, "logprobs": [-1.5]}\n'},
        (1.0,),
    ),
    "lists of texts": Case(
        "compute token-nll t.jsonl", {"t.jsonl": '{"id": 1, "filtered_resps": ["-0.5", "False"]}\n'}, advice=True
    ),
    "rows within one object": Case(
        "compute bce t.json",
        {"t.json": '{"results": [{"prob": 0.9, "label": 1}, {"prob": 0.2, "label": 0}, {"prob": 0.6, "label": 1}]}\n'},
    ),
    "columns within a key": Case(
        "compute token-nll --logprob t.npz::lp",
        {"t.npz": {"id": np.arange(2), "lp": np.log([[0.9, 0.5], [0.8, 0.5]])}},
        (TWO, log(2)),
    ),
    "tables in a ZIP": Case("compute bce t.zip", {"t.zip": {"a.csv": GOOD, "b.csv": GOOD}}),
    # --- settings that do not go together
    "an option of other losses": _done("compute bce t.csv --class-axis 1"),
    "a shift of rows": Case(
        "compute cross-entropy p.npy y.npy --shift",
        BESIDE,
        (CE,),
    ),
    "an index of bce": _done("compute bce t.csv --index t.csv"),
    "logits of mse": _done("compute mse t.csv --from-logits"),
    "a distance of given distances": Case(
        "compute contrastive d.npy y.npy --distance cosine",
        {"d.npy": np.array([0.5, 0.5]), "y.npy": np.array([1, 0])},
        (0.125,),
    ),
    "positives of mse": Case("compute mse t.csv -r positives", {"t.csv": "pred,target\n1,2\n"}, (1.0,)),
    "positives of classes": Case(
        "compute focal p.npy y.npy -r positives --gamma 0",
        BESIDE,
        (CE, 2 * CE),
    ),
    "weights of 0": _bce("prob,label,w\n0.9,1,0\n0.2,0,0\n0.6,1,0\n", "-w t.csv::w", (BCE,), advice=True),
    "no positives": _bce("prob,label\n0.9,0\n0.2,0\n", "-r positives", (-(log(0.1) + log(0.8)) / 2,)),
    "resamples too few": _bce(MANY, "--ci 0.99 --resamples 50"),
    "cluster without ci": _good("compute bce t.csv --cluster t.csv::g"),
    "seed without ci": _good("compute bce t.csv --seed 3"),
    "a bound of an interval": _bce(MANY, "--max-high 5", (BCE,)),
    "a baseline alone": _good("compute bce t.csv --max-increase 5%", (BCE,), advice=True),
    "strict alone": _done("compute bce t.csv --strict", fills={"FILE": "b.json"}, advice=True),
    "top and a reduction": _done("compute bce t.csv --top 1 -r sum"),
    "top and also": _done("compute bce t.csv --top 1 --also focal"),
    "an id of nothing": _good("compute bce t.csv --id g", (BCE,)),
    "by of rows": Case("compute bce t.csv --per-row --by bins:t.csv::prob:2", {"t.csv": GOOD}, ()),
    "a signature of rows": _done("compute bce t.csv --per-row --signature"),
    "keep of counts": Case(
        "compute gini t.csv::label --keep 1", {"t.csv": "label,g\na,1\nb,1\na,2\nb,2\n"}, (0.5,), {"SRC": "t.csv::g"}
    ),
    "keep too much": _good("compute bce t.csv --keep 10", (BCE, -log(0.6))),
    "lone of supcon": Case("compute supcon x.npy y.npy --lone self", SET_OF_2D, (None,)),
    "a weight of a set": _done("compute batch-hard x.npy y.npy -w y.npy", SET),
    "squash of chances": Case("compute hinge t.csv --squash softmax", {"t.csv": "score,label\n0,1\n"}, (0.5,)),
    "like the unknown": _good("compute bce t.csv --like pytorch-metric-learning", (BCE, None)),
    "labels of two kinds": Case(
        "compute focal p.npy y.npy --multi-label --multi-class", {"p.npy": CHANCES, "y.npy": np.eye(2)}, advice=True
    ),
    "the seed of another test": _done("compare t.csv t.csv -y label --loss bce --seed-of g --test bootstrap"),
    "wilcoxon of no rows": _done("compare t.csv t.csv -y label --loss dice --beside wilcoxon"),
    "wilcoxon and weights": _done("compare t.csv t.csv -y label --loss bce --beside wilcoxon -w w"),
    "a method of flips": _done("compare t.csv t.csv -y label --loss bce --ci-method percentile"),
    "harm without a margin": _done("compare t.csv t.csv -y label --loss bce --fail-if harm"),
    "a margin of nothing": _done("compare t.csv t.csv -y label --loss bce --margin-of-harm x"),
    "ranks without lists": _done(
        "compare s.csv s.csv -y rel --loss ndcg",
        {"s.csv": "score,rel,g\n1,1,a\n2,0,a\n1,1,b\n2,0,b\n"},
        fills={"SRC": "g"},
    ),
    # --- other commands
    "no such command": _done("compote bce t.csv"),
    "no such loss": _done("compute bcee t.csv", advice=True),
    "nothing to search": _done("list --search zzzzzz"),
    "strategies": _done("mine hardest x.npy y.npy -o m.npy", SET, fills={"N": "2"}),
    "no file of triplets": _done("mine batch-hard x.npy y.npy", SET),
    "a format of none": _done("mine batch-hard x.npy y.npy -o m.xyz", SET),
    "a category of none": _done("mine batch-hard x.npy y.npy -o m.npy --category hard", SET, advice=True),
    "a setting of another strategy": _done("mine all x.npy y.npy -o m.npy --angle 30", SET, advice=True),
    "kinds that tell each other": _done(
        "mine easy-hard x.npy y.npy -o m.npy --positives semi-hard --negatives all", SET, advice=True
    ),
    "several negatives": _done("compute triplet x.npz", {"x.npz": {**APN, "negative": VIEWS[:, None]}}, advice=True),
    "numbered negatives": _done(
        "compute triplet x.npz",
        {"x.npz": {"query": VIEWS, "pos": VIEWS, "neg_1": VIEWS, "neg_2": VIEWS}},
        advice=True,
    ),
    "triplets in one array": _done("compute triplet x.npy", {"x.npy": np.ones((2, 3, 4))}, advice=True),
    "eps of no difference": _done("compute triplet x.npz --eps 1e-6 --distance cosine", {"x.npz": APN}, advice=True),
    "no such library": _done("compute bce t.csv --like pytorchh", advice=True),
    "ids of one set of two": _done(
        "mine all x.npy y.npy -o m.csv --ref x.npy --ref-label y.npy --id y.npy", SET_OF_2D, advice=True
    ),
    "a seed of nothing": _done("mine all x.npy y.npy -o m.npy --seed 1", SET_OF_2D, advice=True),
    "pairs of triplets": _done("mine all x.npy y.npy -o m.npz --as-pairs", SET_OF_2D, advice=True),
    "pairs without their kind": _done("mine pair-margin x.npy y.npy -o m.npy --as-pairs", SET_OF_2D, advice=True),
    "a limit of pairs": _done("mine pair-margin x.npy y.npy -o m.npz --as-pairs --limit 3", SET_OF_2D, advice=True),
    "bounds of a product": _done("mine pair-margin x.npy y.npy -o m.npy --distance dot", SET_OF_2D),
    "angles of no angle": _done("mine angular x.npy y.npy -o m.npy --distance manhattan", SET_OF_2D),
    "distances to draw from": _done("mine distance-weighted x.npy y.npy -o m.npy", SET_OF_2D),
    "a part of a power": _done("triplets x.npy y.npy --distance minkowski:2.5", SET_OF_2D),
    "a power that is a word": _done("triplets x.npy y.npy --distance minkowski:three", SET_OF_2D),
    "manhattan on the sphere": _done("triplets x.npy y.npy --distance manhattan --normalize", SET_OF_2D),
    "a product has no zero": _done("compute contrastive-pairs x.npy y.npy --distance dot", SET_OF_2D),
    "batches of none": _done("triplets x.npy y.npy --batches 3", SET),
    "a batch of triplets": _done("triplets a.npy a.npy a.npy --batch 2,2", {"a.npy": POINTS}),
    "a suite without losses": _done("run s.yaml", {"s.yaml": "title: x\n"}),
    "an unknown key": _done("run s.yaml", {"s.yaml": "losses:\n  - {loss: bce, inputs: t.csv, form-logits: true}\n"}),
    "an option as a key": _done(
        "run s.yaml", {"s.yaml": "losses:\n  - {loss: bce, inputs: t.csv, pos-weight: 2}\n"}, advice=True
    ),
    "a signature of a suite": _done(
        "run s.yaml -f tsv --signature", {"s.yaml": "losses:\n  - {loss: bce, inputs: t.csv}\n", "t.csv": GOOD}
    ),
    "a curve out of range": _done("curve bce --x 0..3", advice=True),
    "a curve at nothing": _done("curve mse --at d_ap=1", advice=True),
    "a baseline of none": _done("compute bce t.csv --baseline t.csv --max 5", fills={"FILE": "b.json"}, advice=True),
    "jobs of one kernel": _done("bench batch-hard --device cuda:9 --n 64 --dim 2", {}, advice=True),
    # --- what is left
    "an axis of three": Case(
        "compute cross-entropy --from-logits p.npy y.npy",
        {"p.npy": np.zeros((2, 2, 2)), "y.npy": np.zeros((2, 2), int)},
        (log(2),),
    ),
    "an axis that does not fit": Case(
        "compute cross-entropy --from-logits p.npy y.npy --class-axis 0",
        {"p.npy": np.zeros((2, 3, 4)), "y.npy": np.zeros((2, 4), int)},
        (log(3),),
    ),
    "a mark in masks": _pair([[[0, 1], [1, 2]]], [[[0, 1], [255, 2]]], (0.0,), loss="multiclass-jaccard"),
    "a mark beside 0 and 1": _pair(P, [1, 0, 255], (TWO, -(log(0.1) + log(0.8) + log(0.6)) / 3)),
    "a negative mark": _pair(P, [1, 0, -100], (TWO,)),
    "a mark of names": _pair(
        P, np.array(["1", "0", "no"]), (-(log(0.9) + log(0.8) + log(0.4)) / 3,), "--positive 1 --ignore-index 255"
    ),
    "a mark among columns": _pair(np.array([[0.9, 0.2]]), np.array([[1, 0]]), (TWO,), "--ignore-index -1"),
    "frames on either axis": Case("compute ctc x.npy y.npy", {"x.npy": np.zeros((2, 2, 2)), "y.npy": ONES}, (CTC,)),
    "symbols one after another": Case(
        "compute ctc x.npy y.npy", {"x.npy": FRAMES, "y.npy": ONES[:, 0], "n.npy": ONES[:, 0]}, (CTC,), {"SRC": "n.npy"}
    ),
    "frames on the other axis": Case(
        "compute ctc x.npy y.npy --frame-axis 0", {"x.npy": FRAMES, "y.npy": ONES}, (CTC,)
    ),
    "weights of classes above 1": Case(
        "compute focal p.npy y.npy --gamma 0 --alpha 1/3", BESIDE, (-(log(0.7) + 3 * log(0.6)) / 2,)
    ),
    "lengths of rows": Case(
        "compute ctc x.npy y.npy g.npy --frame-axis 1 --frame-lengths g.npy",
        {"x.npy": np.zeros((2, 2)), "y.npy": np.array([1, 0]), "g.npy": np.zeros(2)},
        (CTC,),
    ),
    "an axis of a regression": _done("compute mse p.npy y.npy --class-axis 1", {"p.npy": P, "y.npy": Y}),
    "weights that a library does not take": _good("compute focal t.csv --like torchvision -w t.csv::w", (None,)),
    "a seed of whole counts": Case("triplets x.npy y.npy --seed 3", SET_OF_2D, (None,), advice=True),
    "class pairs of sampled anchors": Case("triplets x.npy y.npy --anchors 2 --pairs", SET_OF_2D, (None,), advice=True),
    "an index beside a label": Case("triplets x.npy y.npy --index y.npy", SET_OF_2D, (None,), advice=True),
    "triplets to stdout": Case("mine all x.npy y.npy -o -", SET_OF_2D, (None,), advice=True),
    "an axis of a column": Case("compute focal p.npy y.npy --class-axis 1", {"p.npy": P, "y.npy": Y}, advice=True),
    "an index of a set": _done("compute batch-hard x.npy y.npy --index x.npy", SET),
    "two sources and an index": Case(
        "compute triplet x.npy y.npy --index i.npy", {**SET, "i.npy": np.array([[0, 1, 2]])}, (0.0,), advice=True
    ),
    "one system": _done("compare t.csv -y label --loss bce", fills={}, advice=True),
    "nothing left to compare": _done(
        "compare a.csv a.csv -y a.csv::label --loss bce --na skip", {"a.csv": "prob,label\nNA,1\nNA,0\n"}, advice=True
    ),
    "one seed": _done(
        "compare t.csv t.csv -y label --loss bce --seed-of s", {"t.csv": "prob,label,s\n0.9,1,1\n0.2,0,1\n"}
    ),
    "lists that are left out": Case(
        "compute ndcg s.csv --na skip", {"s.csv": "score,relevance,group\nNA,1,a\nNA,0,a\n"}, (), advice=True
    ),
    "a baseline of another loss": Case(
        "compute bce t.csv --baseline b.json --max-increase 5%",
        {"t.csv": GOOD, "b.json": '{"schema": "lossctl/1", "results": []}'},
        advice=True,
    ),
    "a positive of class weights": Case(
        "compute norm-face x.npy y.npy --class-weights w.npy --positive a",
        {"x.npy": VIEWS, "y.npy": np.array(["a", "b"]), "w.npy": VIEWS},
        (None,),
        {"A,B,...": "a,b"},
        advice=True,
    ),
    "names of class weights": Case(
        "compute normalized-softmax x.npy y.npy --class-weights w.npy",
        {"x.npy": VIEWS, "y.npy": np.array(["a", "b"]), "w.npy": VIEWS},
        (None,),
        {"A,B,...": "a,b"},
    ),
    "two columns of no distribution": _bce(
        "p1,p2,label\n0.9,0.9,1\n0.2,0.2,0\n0.6,0.6,1\n", "--prob t.csv::p1..p2 --label label"
    ),
    "a strategy on a device": _done("mine all x.npy y.npy -o m.npy --device cuda", SET, advice=True),
    "a column of none": _set(POINTS, CLASSES, "--exclude-same t.npz", (HARD,), advice=True),
    "logits of a preset": _good("compute bce t.csv --like scikit-learn --from-logits"),
    "several of a library": _good("compute bce t.csv --like keras/zzz", (None,)),
    "a value out of range": _done("compute bce t.csv --clip 2"),
    "nothing to suggest": _done("suggest t.csv", {"t.csv": "a,b\n1,x\n2,y\n"}, advice=True),
    "a number that is none": _done(
        "run s.yaml", {"s.yaml": "losses:\n  - {loss: bce, inputs: t.csv, ci: [1]}\n"}, advice=True
    ),
    "a season longer than its series": _done(
        "compute mase f.csv --pred m --train h.csv --season 50",
        {"f.csv": "id,y,m\nA,3,4\n", "h.csv": "id,y\nA,3\nA,5\n"},
        advice=True,
    ),
    "a setting of other commands": _done("triplets x.npy y.npy --seed-of y.npy", SET, advice=True),
    "an option of no command": _done("triplets x.npy y.npy --zzzz 1", SET, advice=True),
    "an option that does not suit": _good("compute bce t.csv --noise out", advice=True),
    "an option of a spec that it has not": _good(
        "compute mae t.csv --pred prob -y label --also focal:zzzz=1", advice=True
    ),
    "a plot of the hardest": _good("compute bce t.csv --plot p.svg --top 2", advice=True),
    "distances of other classes": _done(
        "compute wasserstein-dice p.npy y.npy --class-distances 0/1", BESIDE, advice=True
    ),
    "no semi-hard negative": _done(
        "compute semi-hard x.npy y.npy --fallback drop",
        {"x.npy": np.array([[0.0], [10], [0], [10]]), "y.npy": CLASSES},
        advice=True,
    ),
    "a reference without direction": _done(
        "compute batch-hard x.npy y.npy --ref z.npy --ref-label y.npy --distance cosine",
        {"x.npy": WIDE + 1, "y.npy": CLASSES, "z.npy": WIDE * 0},
        advice=True,
    ),
    "a bench of one point": _done("bench batch-hard --n 1", {}, advice=True),
    "a bench that is none": _done("bench batch-hard --n 64 --dim 2 --baseline t.csv", advice=True),
    "a format by another name": _done("compute bce t.csv -f github", advice=True),
    "an interval of bare": _done("compute bce t.csv --ci 0.9 -f bare"),
    "two losses that skip otherwise": _done(
        "compute cross-entropy p.npy y.npy --per-row --also focal --ignore-index 0", BESIDE, advice=True
    ),
    "no suite": _done("run", {}, advice=True),
    "a curve of a set": _done("curve batch-hard"),
    "a slope of counts": _done("curve gini --grad", {}, advice=True),
    "a plane out of range": _done("curve arcface --x -3..3", {}, advice=True),
    "a file too many": Case(
        "compute bce a.csv b.csv c.csv",
        {f"{name}.csv": "prob,label\n0.9,1\n" for name in "abc"},
        (-log(0.9),),
        advice=True,
    ),
    "raw numbers": _done("compute bce p.bin y.npy", {"p.bin": P.tobytes() * 20, "y.npy": Y}, advice=True),
    "labels of three axes": _pair(CHANCES, np.zeros((2, 1, 1), int), (), loss="cross-entropy", advice=True),
    "an NPY that ends": Case("compute bce p.npy", {"p.npy": b"\x93NUMPY\x01\x00v"}, (), advice=True),
    "an NPZ that ends": Case("compute bce p.npz", {"p.npz": b"PK\x03\x04abc"}, (), advice=True),
    "a baseline that is none": _good(
        "compute bce t.csv --baseline t.csv --max-increase 5%", (BCE,), fills={}, advice=True
    ),
    "a column of no name": _good("compute bce t.csv::zz", (BCE,), advice=True),
    "a row that is no label": _pair(P, np.array([1.0, 0.5, 1.0]), (None,), advice=True, loss="gini"),
    "a suite of no YAML": _done("run s.yaml", {"s.yaml": "losses: [\n"}, advice=True),
    "a suite of a list": _done("run s.yaml", {"s.yaml": "- a\n- b\n"}, advice=True),
    "a missing list": Case(
        "compute ndcg s.csv", {"s.csv": "score,relevance,group\n2,1,a\n1,0,a\n1,1,\n"}, (1.0,), advice=True
    ),
    "systems that lack rows": _done(
        "compare a.csv b.csv -y a.csv::label --loss bce",
        {"a.csv": "prob,label\n0.9,1\n0.2,0\n0.6,1\n", "b.csv": "prob\n0.9\nNA\n0.6\n"},
    ),
    "weights that are all 0": _pair(P, Y, (None,), "--weight w.npy", advice=True),
    "a wide label": Case(
        "compute multiclass-hinge p.npy y.npy",
        {"p.npy": CHANCES, "y.npy": np.array([[1, 0, 0], [0, 1, 0]])},
        (),
        advice=True,
    ),
    "a wide score": Case(
        "compute pinball p.npy y.npy", {"p.npy": CHANCES, "y.npy": np.array([1.0, 2.0])}, (None,), advice=True
    ),
    "a lone rule beside others": _set(POINTS, CLASSES, "--lone zero --exclude-same y.npy", (HARD,), advice=True),
    "a library of none": _done("list --search MAELoss"),
}


# --- following


FLAGS = frozenset(
    [
        "--percent",
        "--from-logits",
        "--from-probs",
        "--soft",
        "--renormalize",
        "--normalize",
        "--multi-label",
        "--multi-class",
        "--shift",
        "--grad",
        "--signature",
        "--strict",
    ]
)
PLACEHOLDERS = re.compile(r"SRC|N|A,B,\.\.\.|FILE|X|LABEL|LOW\.\.HIGH.*|PATH::.*|.*::(?:COLUMN|NAME)|D")
VERBS = r"(?:sed|tail|head|grep|iconv|tr|jq|unzip|sqlite3)"


@dataclass(frozen=True)
class Step:
    """A command after a fix: words for the program, or a line of a shell."""

    text: str
    words: tuple[str, ...] = ()
    line: str = ""


def steps(what: str, fix: str, words: tuple[str, ...], fills: Mapping[str, str], folder: Path) -> list[Step]:
    """The ways out that the fix of a message names, as commands. What is only advice gives none."""
    if "in its place" in fix:
        for flag in re.findall(r"--[a-z-]+", what)[:1]:
            words = _without(words, flag)
    pipe = re.search(rf"\b{VERBS} .*\| lossctl .*", fix)
    if pipe:
        before = _flag_steps(what, fix[: pipe.start()], words, fills)
        ways = [way for way in re.split(r" or (?=unzip )", pipe[0])]
        return [*before, *(Step(way, line=way) for way in ways)]
    saved = _saved(fix, tuple(words), what, folder)
    if saved:
        return saved
    command = re.search(r"lossctl ((?:compute|curve|list|run|compare|triplets|mine|--help)\b[^;]*)", fix)
    if command and "..." not in command[1] and not re.search(r"\b[A-Z]{3,}", command[1]):
        return [
            Step(way, tuple(shlex.split(way.strip().removeprefix("lossctl ")))) for way in command[0].split(", or ")
        ]
    return _flag_steps(what, fix, words, fills)


def _flag_steps(what: str, fix: str, words: tuple[str, ...], fills: Mapping[str, str]) -> list[Step]:
    found: list[Step] = []
    fix = re.sub(r"^check .*|with the same command: .*|lossctl (?:compute \.\.\.|bench) .*", "", fix)
    for gone in re.findall(r"leave ((?:--?[a-z-]+(?: [a-z]+)?(?: and )?)+) out", fix):
        rest = words
        for flag in re.findall(r"--?[a-z-]+", gone):
            rest = _without(rest, flag)
        found.append(Step(f"leave {gone} out", rest))
    fix = re.sub(r"leave (?:--?[a-z-]+(?: [a-z]+)?(?: and )?)+ out", "", fix)
    if re.search(r"\bleave it out\b", fix):
        found += [
            Step(f"leave {flag} out", _without(words, flag))
            for flag in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", what)[:1]
        ]
    try:
        tokens = shlex.split(fix.replace("'s ", "s "))
    except ValueError:
        return found
    at = 0
    while at < len(tokens):
        group: list[str] = []
        while at < len(tokens) and re.fullmatch(r"--?[a-z][a-z-]*[;,]?", tokens[at]):
            flag = tokens[at].rstrip(";,")
            ends = flag != tokens[at]
            at += 1
            group.append(flag)
            if flag in FLAGS or ends or at >= len(tokens):
                break
            value = tokens[at] if tokens[at] in (",", ";") else tokens[at].rstrip(";,)")
            if PLACEHOLDERS.fullmatch(value):
                if value not in fills:
                    group = []
                    at += 1
                    break
                options = fills[value].split("|")
                value = options[min(group.count("--label"), len(options) - 1)]
            group.append(value)
            done = tokens[at].endswith((";",)) and tokens[at] != ";"
            at += 1
            if done:
                break
            at += tokens[at : at + 1] == ["and"]
        if group:
            rest = words
            for flag in (item for item in group if re.fullmatch(r"--?[a-z][a-z-]*", item)):
                rest = _without(rest, flag)
            found.append(Step(shlex.join(group), (*rest, *group)))
        else:
            at += 1
    return found


def _without(words: tuple[str, ...], flag: str) -> tuple[str, ...]:
    if flag not in words:
        return words
    at = words.index(flag)
    has_value = flag not in FLAGS and at + 1 < len(words) and not words[at + 1].startswith("--")
    return words[:at] + words[at + 1 + has_value :]


def _saved(fix: str, words: tuple[str, ...], what: str, folder: Path) -> list[Step]:
    """Lines of numpy, each executed: `x` is the file that is at fault, `path` is where it is written again."""
    lines = []
    for start in re.finditer(r"np\.savez?\(", fix):
        depth, at = 0, start.end() - 1
        while at < len(fix):
            depth += {"(": 1, ")": -1}.get(fix[at], 0)
            at += 1
            if not depth:
                break
        lines.append(fix[start.start() : at])
    found = []
    for number, line in enumerate(lines):
        for word in words:
            if (
                not word.endswith((".npy", ".npz"))
                or not (folder / word).exists()
                or not (f"{word}:" in what or f"'{word}'" in line)
            ):
                continue
            stored: Any = np.load(folder / word, allow_pickle=True)
            scope: dict[str, Any] = {"np": np, "x": stored, "labels": stored}
            if not isinstance(stored, np.ndarray):
                scope |= dict(stored.items())
            elif stored.shape == ():
                scope["x"] = stored.item() if stored.dtype == object else stored
            target = folder / f"saved{number}-{word.split('.')[0]}.{'npz' if 'savez' in line else 'npy'}"
            named = re.search(r"'(\w+\.np[yz])'", line)
            scope["path"] = target
            code = re.sub(r"'(\w+\.np[yz])'", "path", line)
            try:
                exec(code, scope)
            except Exception:
                continue
            if target.exists():
                more: tuple[str, ...] = ()
                if named and (beside := re.search(r"with (--[a-z-]+) (\S+)::(\w+)", fix)):
                    more = (beside[1], f"{target.name}::{beside[3]}")
                    found.append(Step(line, tuple(target.name if item == word else item for item in words)))
                found.append(Step(line, (*(target.name if item == word else item for item in words), *more)))
    return found


def write(folder: Path, files: Files) -> None:
    """The files of a case."""
    for name, content in files.items():
        path = folder / name
        if isinstance(content, str):
            path.write_text(content)
        elif isinstance(content, bytes):
            path.write_bytes(bz2.decompress(content) if name.endswith(".bz2") else content)
        elif isinstance(content, dict) and name.endswith(".zip"):
            import zipfile

            with zipfile.ZipFile(path, "w") as archive:
                for inner, text in content.items():
                    archive.writestr(inner, text)
        elif isinstance(content, dict):
            np.savez(path, **content)
        else:
            np.save(path, content)
