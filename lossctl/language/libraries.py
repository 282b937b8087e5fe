"""What libraries do, as rows of `libraries.tsv`: by which of our options each computes a loss.

A row is data: whoever knows a library can add one line. `--like` sets the options of a row, `parity` computes all rows
of a loss. Tests run the libraries that are installed against their rows; docs/parity.md says what was proved.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from ..text import did_you_mean
from .registry import Loss

TABLE = Path(__file__).with_name("libraries.tsv")
DIGITS = {"exact": 1e-9, "float32": 5e-6}  # how far a library may be from the row, as a share of the value
SHORT = {"-r": "reduction", "-w": "weight"}


class Preset(NamedTuple):
    """One row: how a library computes a loss.

    versions: such as ">=2.0,<3";  loss: by our name;  variant: "" for what the library does unless told
    reads: "prob" or "logits" where it is of these only, else "any"; before it "binary" or "class", where it is of
        labels 0 and 1 only, or of class indices;  options: as a command line has them
    weights: "rows", "classes", both or "": the weights that it takes, and divides as the options say
    agrees: a key of DIGITS;  proof: "run" or "source";  what: its name there, and what it does otherwise
    """

    library: str
    versions: str
    loss: str
    variant: str
    reads: str
    options: str
    weights: str
    agrees: str
    proof: str
    what: str

    @property
    def name(self) -> str:
        """As --like takes it."""
        return f"{self.library}/{self.variant}" if self.variant else self.library

    @property
    def values(self) -> dict[str, Any]:
        """The options by the name of their keyword: texts, and True for a flag."""
        return keywords(self.options)

    def own(self, loss: Loss) -> dict[str, Any]:
        """Those that are options of the loss."""
        names = {option.name for option in loss.options}
        return {key: "true" if value is True else value for key, value in self.values.items() if key in names}

    def settings(self, loss: Loss) -> dict[str, Any]:
        """Those that every loss takes."""
        names = {option.name for option in loss.options}
        return {key: value for key, value in self.values.items() if key not in names}

    def lacks(self, *weights: str) -> str:
        """The first of the weights that it does not take, "" where it takes all."""
        return next((kind for kind in weights if kind not in self.weights.split()), "")

    @property
    def form(self) -> str:
        """The form of the predictions that it is of, "any" for all."""
        return self.reads.split()[-1]

    def suits(self, form: str, labels: str = "") -> bool:
        """Whether it is of predictions of that form ("" for other inputs), and of "binary" or "class" labels."""
        kinds = self.reads.split()[:-1]
        return self.form in ("any", form) and (not labels or not kinds or labels in kinds)


def keywords(options: str) -> dict[str, Any]:
    """Options of a command line by the name of their keyword: texts, and True for a flag."""
    values: dict[str, Any] = {}
    key = ""
    for word in shlex.split(options):
        if word.startswith("-") and not word[1:2].isdigit():
            key = SHORT.get(word, word.removeprefix("--").replace("-", "_"))
            values[key] = True
        else:
            values[key] = word
    return values


@cache
def presets() -> tuple[Preset, ...]:
    """All rows, in order."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return tuple(Preset(*line.split("\t")) for line in lines[1:])


def of_loss(loss: Loss) -> tuple[Preset, ...]:
    """The rows of a loss."""
    return tuple(preset for preset in presets() if preset.loss == loss.name)


def find(text: str, loss: Loss, form: str = "") -> Preset:
    """The row that `LIBRARY[/VARIANT][@VERSION]` means for a loss of predictions in a form. UsageError."""
    name, _, version = text.partition("@")
    library, _, variant = name.strip().lower().replace("_", "-").partition("/")
    library = ALIASES.get(library, library)
    known = {preset.library.replace("_", "-"): preset.library for preset in presets()}
    if library not in known:
        fix = f"use one of {', '.join(known.values())}"
        raise UsageError(f"no library {library!r}{did_you_mean(library, known.values())}", fix=fix)
    library = known[library]
    rows = [preset for preset in of_loss(loss) if preset.library == library]
    if not rows:
        others = dict.fromkeys(preset.library for preset in of_loss(loss))
        fix = f"use --like {' or --like '.join(others)}" if others else "leave --like out"
        raise UsageError(f"nothing is known of {loss.name} in {library}", fix=fix)
    rows = _of_version(rows, version, library)
    usable = usable_for(rows, form)
    chosen = [preset for preset in usable if preset.variant == variant]
    if chosen:
        return chosen[0]
    if not usable:
        raise UsageError(f"{loss.name} of {library} reads probabilities", fix="leave --from-logits out")
    names = dict.fromkeys(preset.name for preset in usable)
    what = f"{library} has no {variant!r} of {loss.name}" if variant else f"{library} has several of {loss.name}"
    raise UsageError(what, fix=f"use --like {' or --like '.join(names)}")


def usable_for(rows: Iterable[Preset], form: str, labels: str = "") -> list[Preset]:
    """Those of predictions in a form and of "binary" or "class" labels, "" for any.

    Those of logits are of probabilities too, where a library and variant has none of these.
    """
    rows = list(rows)
    exact = [preset for preset in rows if preset.suits(form, labels)]
    taken = {preset.name for preset in exact}
    more = [preset for preset in rows if form == "prob" and preset.suits("logits", labels) and preset.name not in taken]
    return [preset for preset in rows if preset in exact or preset in more]


def _of_version(rows: Iterable[Preset], version: str, library: str) -> list[Preset]:
    """Those whose range holds the version; all where none is told."""
    rows = list(rows)
    fitting = [preset for preset in rows if not version or holds(preset.versions, version)]
    if not fitting:
        known = " or ".join(dict.fromkeys(preset.versions for preset in rows))
        raise UsageError(f"{library} {version} is not known", fix=f"versions that are: {known}")
    return fitting


def holds(versions: str, version: str) -> bool:
    """Whether a range such as ">=2.0,<3" holds a version. UsageError for what is no version."""
    try:
        number = _number(version)
        return all(
            number >= _number(part[2:]) if part.startswith(">=") else number < _number(part[1:])
            for part in versions.split(",")
        )
    except ValueError:
        raise UsageError(f"{version!r} is no version", fix="write numbers with points, such as torch@2.6") from None


def _number(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split("+")[0].split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))


ALIASES: Mapping[str, str] = {
    "sklearn": "scikit-learn",
    "pml": "pytorch-metric-learning",
    "smp": "segmentation-models-pytorch",
    "tfa": "tensorflow-addons",
    "tfr": "tf-ranking",
    "tensorflow": "keras",
    "pytorch": "torch",
}
