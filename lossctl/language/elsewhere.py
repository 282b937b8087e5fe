"""What losses are called in libraries, as rows of `names.tsv`: a person may type what stands in their code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from ..text import did_you_mean

TABLE = Path(__file__).with_name("names.tsv")
MODULES = {
    "f": "torch",
    "nn": "torch",
    "tf": "keras",
    "sklearn": "scikit-learn",
    "smp": "segmentation-models-pytorch",
    "tfr": "tf-ranking",
    "tfa": "tensorflow-addons",
    "tensorflow_addons": "tensorflow-addons",
    "pytorch_metric_learning": "pytorch-metric-learning",
    "sentence_transformers": "sentence-transformers",
    "segmentation_models_pytorch": "segmentation-models-pytorch",
}


class Foreign(NamedTuple):
    """Some losses of a library: their names there, and our name, "" where we have none for a reason.

    is_outside: whether no file of predictions could give them
    where: how a name that is several losses is told which, as `mode "binary"`; "" for others
    """

    library: str
    names: tuple[str, ...]
    loss: str
    reason: str
    is_outside: bool = False
    where: str = ""

    @property
    def meaning(self) -> str:
        """Our name, and where it is meant."""
        return f"{self.loss} in {self.library}{', ' if self.where else ''}{self.where}"


@cache
def table() -> tuple[Foreign, ...]:
    """All rows, in order."""
    rows = []
    for line in TABLE.read_text(encoding="utf-8").splitlines()[2:]:
        library, names, loss, *where = line.split("\t")
        mark, _, reason = loss.partition(" ")
        rows.append(Foreign(library, tuple(names.split()), "" if reason else loss, reason, mark == "!", *where))
    return tuple(rows)


def names_of(loss: str) -> dict[str, tuple[str, ...]]:
    """What a loss of ours is called in each library."""
    names: dict[str, tuple[str, ...]] = {}
    for row in table():
        if row.loss == loss:
            names[row.library] = (*names.get(row.library, ()), *row.names)
    return names


def of_library(text: str) -> list[Foreign]:
    """The losses of a library, by its name or that of its module, in order. UsageError for one that is not known."""
    from .libraries import ALIASES

    name = text.strip().lower()
    name = MODULES.get(name, ALIASES.get(name, MODULES.get(name.replace("-", "_"), name.replace("_", "-"))))
    rows = [row for row in table() if name in (row.library, row.library.replace("_", "-"))]
    if not rows:
        known = dict.fromkeys(row.library for row in table())
        raise UsageError(f"no library {text!r}{did_you_mean(name, known)}", fix=f"use one of {', '.join(known)}")
    return rows


def ours(text: str) -> str | None:
    """Our name of what `F.binary_cross_entropy` or `MSELoss` is; None for no such name. UsageError for several.

    A library before the last point counts: `torch.nn.TripletMarginLoss` is torch's.
    """
    *modules, word = text.strip().split(".")
    rows = [row for row in table() if plain(word) in map(plain, row.names)]
    libraries = {MODULES.get(module.lower(), module.lower()) for module in modules}
    rows = [row for row in rows if row.library in libraries] or rows
    losses = list(dict.fromkeys(row.loss for row in rows if row.loss))
    if len(losses) > 1:
        means = "; ".join(
            ", ".join(filter(None, (f"{row.loss} in {row.library}", row.where))) for row in rows if row.loss
        )
        raise UsageError(f"{text!r} is the name of several losses", why=means, fix=f"use {' or '.join(losses)}")
    if rows and not losses:
        row = rows[0]
        raise UsageError(
            f"{text!r} of {row.library} is not here",
            why=row.reason,
            fix="see what is, with: lossctl list --search WORD",
        )
    return losses[0] if losses else None


def plain(word: str) -> str:
    """A name without what spellings differ by."""
    return word.replace("_", "").replace("-", "").lower()


class Coverage(NamedTuple):
    """How many losses of a library are here, of how many possible ones, that files of predictions give; and the others.

    missing, outside: names and reasons of what files would give, and of what none does
    """

    library: str
    here: int
    possible: int
    missing: list[str]
    outside: list[str]


def coverage() -> list[Coverage]:
    """That of each library, the largest first."""
    lines = []
    for library in dict.fromkeys(row.library for row in table()):
        rows = [row for row in table() if row.library == library]
        missing, outside = ([row for row in rows if row.reason and row.is_outside == side] for side in (False, True))
        # names in a row we have are spellings of one loss, those in a row that we lack may be several losses
        here = len({row.names for row in rows if not row.reason})
        possible = here + sum(len(_distinct(row.names)) for row in missing)
        lines.append(Coverage(library, here, possible, *(list(map(_why_not, side)) for side in (missing, outside))))
    return sorted(lines, key=lambda line: -line.possible)


def _why_not(row: Foreign) -> str:
    return f"{', '.join(row.names)} ({row.reason})"


def _distinct(names: tuple[str, ...]) -> set[str]:
    """Spellings of one name (`CTCLoss`, `ctc_loss`) once."""
    return {plain(name) for name in names}
