"""`lossctl list`: all losses, by family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..language import registry
from . import options, output


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
        output.alone("names", "names are printed bare, a line each", values, "list", ("family", "search"))
    chosen = [loss for loss in registry.walk() if family in (None, loss.family)]
    if values["search"] is not None:
        chosen = _searched(chosen, values["search"])
    with output.destination(style) as writer:
        if values["names"]:
            writer.write("".join(f"{loss.name}\n" for loss in chosen))
            return
        from ..show import losses as show

        if style.format == "json":
            writer.write(show.list_json(chosen))
        elif output.many_format(style) == "table":
            writer.write("".join(output.sheet_text(sheet, "table").lstrip("\n") for sheet in show.by_family(chosen)))
            if family is None and values["search"] is None:
                writer.write(output.sheet_text(show.objectives(), "table").lstrip("\n"))
            more = "formula, inputs and options of one: lossctl explain LOSS; of all: lossctl list -f tsv"
            writer.write("\n".join(output.lines(more)) + "\n")
        else:
            writer.write(output.sheet_text(show.list_sheet(chosen), output.many_format(style)))


def _searched(losses: list[registry.Loss], text: str) -> list[registry.Loss]:
    """Those that hold each of the words, those of such a name first. UsageError where none does."""
    from ..language import elsewhere

    words = text.lower().split()

    def has_name(loss: registry.Loss) -> bool:
        foreign = [name for names in elsewhere.names_of(loss.name).values() for name in names]
        names = " ".join((loss.name, *loss.aliases, *foreign)).lower()
        return all(word in names or word.replace("_", "-") in names for word in words)

    def holds(loss: registry.Loss) -> bool:
        told = [loss.doc.get(key, "") for key in ("summary", "Use", "Formula", "Paper", "Reading")]
        libraries = [f"{library} {' '.join(names)}" for library, names in elsewhere.names_of(loss.name).items()]
        text = " ".join((loss.name, *loss.aliases, loss.family, *told, *libraries)).lower()
        return all(word in text for word in words)

    chosen = [loss for loss in losses if has_name(loss)]
    chosen += [loss for loss in losses if holds(loss) and loss not in chosen]
    if not chosen:
        registry.refuse_pointer(text)
        raise UsageError(f"no loss has to do with {text!r}", fix="try one word, or see them all with: lossctl list")
    return chosen
