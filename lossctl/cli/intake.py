"""How inputs are read and where they are computed: the options that commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ..errors import UsageError
from . import output
from .app import say

if TYPE_CHECKING:
    from ..kernels.devices import Device as Chosen

Word = TypeVar("Word", str, str | None)
DISTANCES = ("euclidean", "sqeuclidean", "cosine")

EmbeddingSources = Annotated[
    list[str] | None,
    typer.Argument(metavar="EMB LABEL", show_default=False, help="Two files, or one that holds both; - is stdin."),
]
Emb = Annotated[str | None, typer.Option("--emb", metavar="SRC", help="The embeddings, (n, D).")]
Label = Annotated[str | None, typer.Option("-y", "--label", metavar="SRC", help="The class of each row.")]
Distance = Annotated[
    str, typer.Option("--distance", metavar="|".join(DISTANCES), help="The distance of two embeddings.")
]
Normalize = Annotated[bool, typer.Option("--normalize", help="Put the embeddings on the unit sphere first.")]
Na = Annotated[str, typer.Option("--na", metavar="error|skip", help="What to do with rows that hold nan or NA.")]
Header = Annotated[
    str, typer.Option("--header", metavar="auto|yes|no", help="Whether the first row of a CSV names its columns.")
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", metavar="CHAR", help="What separates the cells of a CSV.")
]
Jobs = Annotated[int | None, typer.Option("-j", "--jobs", min=1, metavar="N", help="Threads (all cores unless given).")]
Device = Annotated[
    str, typer.Option("--device", metavar="cpu|cuda|cuda:1|auto", help="Where the distances are computed.")
]


def check(name: str, value: Word, allowed: Sequence[Word]) -> Word:
    """The value of an option that takes a few words, or None where it may be left out. UsageError."""
    if value not in allowed:
        raise UsageError(f"{name} cannot be {value!r}", fix=f"use {' or '.join(word for word in allowed if word)}")
    return value


def has_header(text: str) -> bool | None:
    """--header: whether a CSV names its columns; None to tell by looking. UsageError."""
    words = {"auto": None, "yes": True, "no": False}
    return words[check("--header", text, tuple(words))]


def skips_nan(text: str) -> bool:
    """--na. UsageError."""
    return check("--na", text, ("error", "skip")) == "skip"


def note_device(style: output.Style, chosen: Chosen) -> Chosen:
    """The device, with a word on stderr where the choice was left to lossctl; -q silences it."""
    if chosen.note and not style.quiet:
        say(chosen.note)
    return chosen
