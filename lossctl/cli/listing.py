"""`lossctl list`: all losses, by family."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..language import elsewhere, registry
from . import options, output
from .app import say


def command() -> Any:
    """The command."""
    return options.command(losses, "list")


def losses(values: Mapping[str, Any]) -> None:
    """All losses, by family."""
    family = values["family"]
    if family is not None and family not in registry.FAMILIES:
        raise UsageError(f"unknown family {family!r}", fix=f"use one of {', '.join(registry.FAMILIES)}")
    style = output.style_of(values)
    if values["names"]:
        output.alone("names", "names are printed bare, a line each", values, "list", ("family", "search", "like"))
    chosen = [loss for loss in registry.walk() if family in (None, loss.family)]
    if values["search"] is not None:
        chosen = _searched(chosen, values["search"])
    rows = [] if values["like"] is None else elsewhere.of_library(values["like"])
    if rows:
        here = {row.loss for row in rows}
        chosen = [loss for loss in chosen if loss.name in here]
    with output.destination(style) as writer:
        if values["names"]:
            writer.write("".join(f"{loss.name}\n" for loss in chosen))
            return
        from ..show import losses as show

        if style.format == "json":
            writer.write(show.list_json(chosen))
        elif rows:
            writer.write(output.sheet_text(show.library_sheet(rows, chosen), output.many_format(style)))
        elif output.many_format(style) == "table":
            writer.write("".join(output.sheet_text(sheet, "table").lstrip("\n") for sheet in show.by_family(chosen)))
            if family is None and values["search"] is None:
                writer.write(output.sheet_text(show.objectives(), "table").lstrip("\n"))
            more = "formula, inputs and options of one: lossctl explain LOSS; of all: lossctl list -f tsv"
            writer.write("\n".join(output.lines(more)) + "\n")
        else:
            writer.write(output.sheet_text(show.list_sheet(chosen), output.many_format(style)))


def _searched(losses: list[registry.Loss], text: str) -> list[registry.Loss]:
    """Those that hold each of the words: of such a name, of such a family, of such a name elsewhere, then the others.

    UsageError where none does; what is no loss gives the loss to use in its place, with a word.
    """
    from ..language.pointers import POINTERS

    words = [word.replace("_", "-").removesuffix("-loss") for word in text.lower().split()]

    def holds(told: str) -> bool:
        return all(word in told.lower() or word.replace("-", "_") in told.lower() for word in words)

    def place(loss: registry.Loss) -> int | None:
        own = " ".join((loss.name, *loss.aliases))
        foreign = elsewhere.names_of(loss.name)
        libraries = " ".join(f"{library} {' '.join(names)}" for library, names in foreign.items())
        told = [loss.doc.get(key, "") for key in ("summary", "Use", "Formula", "Paper", "Reading")]
        ranks = (
            text.lower() in map(str.lower, (loss.name, *loss.aliases, *itertools.chain(*foreign.values()))),
            holds(own) and holds(loss.family),
            holds(loss.family),
            holds(own),
            holds(f"{own} {libraries}"),
            holds(" ".join((own, loss.family, *told, libraries))),
        )
        return ranks.index(True) if any(ranks) else None

    placed = [(at, loss) for loss in losses if (at := place(loss)) is not None]
    chosen = [loss for _, loss in sorted(placed, key=lambda pair: pair[0])]
    name = text.strip().lower().replace("_", "-").replace(" ", "-")
    if name in POINTERS and POINTERS[name].loss and not any(name in (loss.name, *loss.aliases) for loss in chosen):
        instead = [loss for loss in losses if loss.name == POINTERS[name].loss]
        say(f"lossctl: {name} is no loss here: {POINTERS[name].what}; {POINTERS[name].use}")
        chosen = instead + [loss for loss in chosen if loss not in instead]
    if not chosen:
        registry.refuse_pointer(text)
        raise UsageError(f"no loss has to do with {text!r}", fix="try one word, or see them all with: lossctl list")
    return chosen
