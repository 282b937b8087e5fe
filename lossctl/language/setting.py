"""One row of the table of options: what a setting is, and what a loss has to have for it to mean something."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from .registry import Loss

Way = Literal["shell", "suite", "python"]
Kind = Literal[
    "flag",
    "number",
    "level",
    "whole",
    "text",
    "texts",
    "names",
    "source",
    "sources",
    "inputs",
    "bins",
    "file",
    "output",
    "outputs",
]

# What a setting may need of a loss -> what those that lack it are told.
TRAITS = {
    "probabilities": "it reads no probabilities",
    "logits": "it reads no probabilities",
    "logits first": "it reads no logits",
    "sums": "it reads no predictions of classes",
    "classes": "it reads no predictions of classes",
    "scores": "it reads no scores",
    "frames": "it reads no sequences of frames",
    "history": "it is in units of no naive error",
    "labels": "it reads no labels of predictions",
    "positives": "it reads no labels of predictions",
    "chances": "it takes labels as they are",
    "space": "it is for embedding sets, and options of a loss are its own",
    "distance": "it is for embedding sets, and options of a loss are its own",
    "anchors": "it has no mean over anchors",
    "weights": "it counts all points of a set alike",
    "weighted mean": "it is no weighted mean",
    "mean": "it is no mean of losses",
    "resamples": "its interval is a jackknife: some of the points (or rows) are left out in turn",
    "triplets": "",
    "pairs": "",
    "groups": "",
    "draws": "",
    "rows": "",
    "values": "",
    "parts": "",
}


@cache
def traits(loss: Loss) -> frozenset[str]:
    """Which of `TRAITS` a loss has."""
    engine, first = loss.engine, loss.roles[0]
    names = {role.name for role in loss.roles}
    forms = {form for role in loss.roles for form in role.forms}
    is_mean = loss.finish is None and engine.has_values
    is_by_row = engine.is_by_row
    has = {
        "probabilities": "prob" in forms,
        "logits": "logits" in forms,
        "logits first": "logits" in {role.forms[0] for role in loss.roles if role.forms},
        "sums": bool(names & {"probs", "chance", "p"}),
        "classes": bool(names & {"probs", "scores", "chance"}),
        "scores": first.name in ("score", "scores", "label_scores"),
        "frames": first.is_frames,
        "history": any(role.naive for role in loss.roles),
        "labels": bool(names & {"label", "same"}),
        "positives": bool(names & {"label", "same"}) or engine.has_space,
        "chances": is_by_row and loss.stands_alone and bool(names & {"prob", "chance", "logit"}),
        "space": engine.has_space,
        "distance": engine.has_space and not loss.cosine,
        "anchors": bool(loss.lone),
        "weights": engine.takes_weights,
        "weighted mean": is_mean and engine.takes_weights,
        "mean": is_mean,
        "resamples": not engine.reads_whole,
        "triplets": first.name == "anchor",
        "pairs": first.name == "left",
        "groups": not engine.has_lists,
        "draws": all(option.name != "seed" for option in loss.options),
        "rows": is_by_row and loss.stands_alone,
        "values": loss.stands_alone,
        "parts": engine.is_parted,
    }
    return frozenset(trait for trait in TRAITS if has[trait])


class Setting(NamedTuple):
    """One row of the table.

    name: as in a suite: `ci-method`; `--ci-method` on the command line, `ci_method` in Python
    kind: what a value is. "flag", "number", "level" (0.95 or "95%"), "whole", "text", "texts" (several);
        "names" ("a,b", or a list);
        read: "source" (PATH::SELECTOR), "sources", "inputs" (sources, or role: source), "bins" (bins:SRC:K), "file";
        written: "output", "outputs"
    help: a sentence for help pages;  told: the same for suites, where other words are needed
    commands: who takes it;  ways: from where
    default: unless set;  defaults: where it is another one, by command, or by function ("lossctl.compute")
    metavar, short, aliases: how it looks on the command line, and its other names there
    words: the texts that are allowed, () for any;  stem: or one with this, a colon and a number
    low, high: bounds of a number;  shows_bounds: help pages do
    shows_default: help pages do;  is_required: it has no default
    keyword: its name in Python, if not its own
    needs: what a loss has to have for it to mean something, a row of `TRAITS`
    demands: the same, where a loss without it refuses the setting with a reason of its own when it is asked for
    mark: the word under which a signature tells it, if it changes a number
    """

    name: str
    kind: Kind
    help: str
    commands: tuple[str, ...]
    ways: tuple[Way, ...] = ("shell", "suite", "python")
    default: Any = None
    defaults: Mapping[str, Any] = MappingProxyType({})
    metavar: str = ""
    short: str = ""
    aliases: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    stem: str = ""
    low: float = -math.inf
    high: float = math.inf
    shows_bounds: bool = False
    shows_default: bool = True
    is_required: bool = False
    told: str = ""
    keyword: str = ""
    needs: str = ""
    demands: str = ""
    mark: str = ""

    @property
    def key(self) -> str:
        """The name as a Python name: ci-method -> ci_method."""
        return self.name.replace("-", "_")

    @property
    def argument(self) -> str:
        """The name of the keyword in Python."""
        return self.keyword or self.key

    @property
    def flag(self) -> str:
        """The name on the command line: --ci-method."""
        return f"--{self.name}"

    @property
    def meaning(self) -> str:
        """The help as part of a sentence."""
        return self.told or f"{self.help[0].lower()}{self.help[1:]}".rstrip(".")

    def suits(self, loss: Loss) -> bool:
        """Whether it means something for a loss."""
        return not self.needs or self.needs in traits(loss)

    def is_refused_by(self, loss: Loss) -> bool:
        """Whether a loss refuses it, with a reason."""
        return bool(self.demands) and self.demands not in traits(loss)

    @property
    def why(self) -> str:
        """Why it means nothing for the losses that it does not suit."""
        return TRAITS.get(self.needs, "")

    def allows(self, text: Any) -> bool:
        """Whether it may be this text; the number behind a stem is not looked at."""
        return text in self.words or (bool(self.stem) and str(text).startswith(f"{self.stem}:"))

    @property
    def is_read(self) -> bool:
        """Whether it names files that are read, which no output may overwrite."""
        return self.kind in ("source", "sources", "inputs", "bins", "file")

    def default_of(self, command: str, way: Way = "shell") -> Any:
        """What it is unless set."""
        names = (f"lossctl.{command}", command) if way == "python" else (command,)
        return next((self.defaults[name] for name in names if name in self.defaults), self.default)

    def __repr__(self) -> str:
        return f"<{self.name}>"
