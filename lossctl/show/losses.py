"""Losses as text: the list, and the page of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..curves.variables import variables_of
from ..language.domains import Option
from ..language.elsewhere import Foreign, names_of
from ..language.pointers import POINTERS, Pointer, pointer
from ..language.presets import CONVENTIONS, Convention
from ..language.registry import Loss, find, names
from ..results.document import document
from ..text import html_text, option_text
from .pages.facts import facts
from .sheet import Sheet, folded

if TYPE_CHECKING:
    from .pages.arithmetic import Step

WIDTH = 100  # characters of a line of a page, where there is room
HEADING = 18  # characters that headings take


def by_family(losses: Sequence[Loss]) -> list[Sheet]:
    """For a person: a family a table, a loss a line."""
    families = {loss.family: [other for other in losses if other.family == loss.family] for loss in losses}
    return [
        Sheet(
            (family, "what it is"),
            tuple((loss.name, short(loss)) for loss in members),
            prose=frozenset({"what it is"}),
        )
        for family, members in families.items()
    ]


def objectives() -> Sheet:
    """For a person: what models minimise, by name, and the loss that is that."""
    families: dict[Pointer, list[str]] = {}
    for name, known in POINTERS.items():
        families.setdefault(known, []).append(name)
    rows = tuple((names[0], known.use) for known, names in families.items())
    return Sheet(("no loss, but", "use"), rows, prose=frozenset({"use"}))


def short(loss: Loss) -> str:
    """What it is, in half a line where its sentence has a place to stop."""
    text = re.split(r": |; ", loss.summary.rstrip("."))[0]
    return text if len(text) <= 60 else text.split(", ")[0]


def list_sheet(losses: Sequence[Loss]) -> Sheet:
    """One row a loss: what people choose by."""
    rows = tuple(
        (loss.name, loss.family, " ".join(role.option for role in loss.roles), options_text(loss), loss.summary)
        for loss in losses
    )
    return Sheet(("name", "family", "inputs", "options", "summary"), rows)


def library_sheet(rows: Sequence[Foreign], losses: Sequence[Loss]) -> Sheet:
    """What a library calls its losses, what they are called here, or why there is none."""
    known = {loss.name for loss in losses}
    lines = tuple((", ".join(row.names), row.loss, row.reason) for row in rows if row.reason or row.loss in known)
    return Sheet(("theirs", "ours", "reason"), lines, prose=frozenset({"theirs", "reason"}))


def options_text(loss: Loss) -> str:
    """The options with their defaults, as a spec writes them."""
    return " ".join(f"{option.flag}={option_text(option.default)}" for option in loss.options)


def list_json(losses: Sequence[Loss]) -> str:
    """The losses as one JSON document."""
    return document("list", [_record(loss) for loss in losses])


def page_json(loss: Loss) -> str:
    """The page of one loss as JSON."""
    record = {
        **_record(loss),
        "computable": True,
        "facts": list(facts(loss.name)),
        "worked": [step._asdict() for step in _steps(loss)],
        "libraries": _libraries_record(loss),
        "curve": curve_command(loss),
    }
    return _document(record)


def _libraries_record(loss: Loss) -> dict[str, Any] | None:
    conventions = CONVENTIONS.get(loss.name)
    if conventions is None:
        return None
    rules = [
        {
            "rule": rule.rule,
            "who": _followers(rule),
            "value": rule.value if isfinite(rule.value) else None,
            "command": rule.command or None,
            "missing": rule.missing or None,
        }
        for rule in conventions.rules
    ]
    return {"input": conventions.example, "rules": rules}


def _followers(rule: Convention) -> str:
    """Who follows a rule: our own command first, then the libraries."""
    return "; ".join(part for part in (rule.command, ", ".join(rule.libraries)) if part)


def _document(record: dict[str, Any]) -> str:
    return document("explain", [record])


@dataclass(frozen=True, repr=False)
class Page:
    """The page of a loss, for a notebook: text, as a console or as HTML shows it."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<pre style="white-space: pre-wrap">{html_text(self.text)}</pre>'


def explain(loss: str) -> Page:
    """What `lossctl explain LOSS` prints. UsageError where the name is unknown."""
    name = loss.strip().lower().replace("_", "-").replace(" ", "-")
    known = None if name in names() else pointer(name)
    if known is not None:
        return Page(pointer_page(name, known))
    return Page(page(find(loss)))


def pointer_page(name: str, pointer: Pointer, width: int = WIDTH) -> str:
    """The page of what is no loss here."""
    parts = [*folded(f"{name}: {pointer.what}", width), ""]
    return "\n".join([*parts, *_item("Not a loss", pointer.why, width), *_item("Use", pointer.use, width), ""])


def pointer_json(name: str, pointer: Pointer) -> str:
    """The same as JSON."""
    about = {"summary": pointer.what, "why": pointer.why, "use": pointer.use}
    return _document({"name": name, "computable": False, "about": about})


def _record(loss: Loss) -> dict[str, Any]:
    options = {option.name for option in loss.options}
    return {
        "name": loss.name,
        "aliases": list(loss.aliases),
        "elsewhere": {library: list(names) for library, names in names_of(loss.name).items()},
        "family": loss.family,
        "inputs": [{"name": role.option, "meaning": role.meaning, "forms": list(role.forms)} for role in loss.roles],
        "options": [_option_record(option) for option in loss.all_options],
        "about": {word.lower(): text for word, text in loss.doc.items() if word not in options},
    }


def _option_record(option: Option) -> dict[str, Any]:
    return {
        "name": option.flag,
        "default": option.default,
        "allowed": _range(option),
        "meaning": option.help,
    }


SECTIONS = {
    "Formula": "Formula",
    "Unit": "Unit",
    "Use": "Good for",
    "Misleads": "Misleads",
    "Gradient": "Gradient",
    "Reading": "Reading",
    "Differs": "Differs",
    "Slips": "Often wrong",
    "Paper": "Paper",
}


def page(loss: Loss, width: int = WIDTH) -> str:
    """The page of one loss, in lines of so many characters: what it is, when to use it, its inputs and options, an
    example, where libraries differ."""
    title = f"{loss.name} ({loss.family})" + (f", also called {', '.join(loss.aliases)}" if loss.aliases else "")
    parts = [*folded(title, width), "", *folded(loss.summary, width), ""]
    for word, heading in SECTIONS.items():
        if word in loss.doc:
            parts += _item(heading, loss.doc[word], width)
    foreign = [f"{library} {', '.join(names)}" for library, names in names_of(loss.name).items()]
    parts += _item("Elsewhere", "; ".join(foreign), width) if foreign else []
    for position, fact in enumerate(facts(loss.name)):
        parts += _item("" if position else "Facts", fact, width)
    parts += ["", "Inputs, in order:"]
    for role in loss.roles:
        forms = f" (as {' or '.join(role.forms)})" if role.forms else ""
        parts += _item(f"  {role.option}", role.meaning + forms, width)
    parts += [*_options(loss, width), *_example(loss, width), *_libraries(loss, width), ""]
    command = curve_command(loss)
    parts += _item("Draw it", command, width) if command else []
    parts += _item("", f"lossctl curve {loss.name} --x space", width) if loss.is_of_triplets else []
    return "\n".join([*parts, *_item("Try", f"lossctl compute {loss.name} --help", width), ""])


def _options(loss: Loss, width: int) -> list[str]:
    """The options with defaults and ranges, a line each; where there is no room, the meaning below."""
    if not loss.all_options:
        return []
    rows = [("option", "default", "range", "meaning")] + [
        (f"--{option.flag}", option_text(option.default), _range(option), option.help) for option in loss.all_options
    ]
    name, default, allowed = (max(len(row[column]) for row in rows) for column in range(3))
    allowed = min(allowed, 36)
    start = 2 + name + 2 + default + 2 + allowed + 2
    parts = ["", "Options:"]
    if width - start < 30:
        for option, *cells, meaning in rows[1:]:
            parts += _hung(f"  {option}  ", f"{meaning}; default {cells[0]}; {cells[1]}", width)
        return parts
    for row in rows:
        ranges = folded(row[2], allowed)
        meanings = folded(row[3], width - start)
        for k, (range_, meaning) in enumerate(zip_longest(ranges, meanings, fillvalue="")):
            first, second = (row[0], row[1]) if k == 0 else ("", "")
            parts.append(f"  {first:<{name}}  {second:<{default}}  {range_:<{allowed}}  {meaning}".rstrip())
    return parts


def _range(option: Option) -> str:
    """What an option may be."""
    if option.domain.kind is bool:
        return "yes or no"
    number = "any whole number" if option.domain.kind is int else "any number"
    if option.domain.text == "none":
        return f"{number} or none"
    return option.domain.text or number


def _steps(loss: Loss) -> tuple[Step, ...]:
    if "Worked" not in loss.doc:
        return ()
    from .pages.arithmetic import steps

    return steps(loss.doc["Worked"])


def _example(loss: Loss, width: int) -> list[str]:
    """The example, step by step where its steps are known."""
    inputs, _, value = loss.doc["Example"].partition(" -> ")
    calculated = _steps(loss)
    if not calculated:
        return ["", *_hung("Example: ", f"{inputs} gives {value}", width)]
    sides = [f"{step.name} = {step.formula}" for step in calculated]
    column = max(map(len, sides))
    parts = ["", *_hung("Example, ", f"{inputs}:", width)]
    for side, step in zip(sides, calculated, strict=True):
        result = "" if step.formula == f"{step.value:g}" else f"= {step.value:.12g}"
        line = f"  {side:<{column}}  {result}".rstrip()
        parts += [line] if len(line) <= width else [*_hung("  ", side, width), f"    {result}".rstrip()]
    return parts


def _libraries(loss: Loss, width: int) -> list[str]:
    """What other rules give on one input."""
    conventions = CONVENTIONS.get(loss.name)
    if conventions is None:
        return []
    rules = conventions.rules
    column = max(len(rule.rule) for rule in rules)
    head = ["", *_hung("Where libraries differ, ", f"on {conventions.example}:", width, indent=2)]
    lines = [f"  {rule.value:<10.6g}  {rule.rule:<{column}}  {_followers(rule)}" for rule in rules]
    if max(map(len, lines)) <= width:
        return head + lines
    below = [
        _hung(f"  {rule.value:<10.6g}  ", rule.rule, width) + _hung(" " * 16, _followers(rule), width) for rule in rules
    ]
    return [*head, *(line for part in below for line in part)]


def curve_command(loss: Loss) -> str | None:
    """The command that draws the loss, or what stands for one term of it; None where there is nothing to draw."""
    known = variables_of(loss)
    if loss.engine.has_values and not loss.stands_alone:
        return None
    if known or loss.has_plane:
        slope = "" if known and known[0].by_counts else "--grad"
        return f"lossctl curve {loss.name} {loss.doc.get('Curve', slope)}".rstrip()
    return f"lossctl curve {loss.term}" if loss.term else None


def _item(word: str, text: str, width: int) -> list[str]:
    first, *rest = (line for part in text.splitlines() for line in folded(part, width - HEADING) or [""])
    return [f"{word:<{HEADING - 1}} {first}", *(" " * HEADING + line for line in rest)]


def _hung(lead: str, text: str, width: int, indent: int | None = None) -> list[str]:
    """A text after a lead, its further lines below the text, or so far from the edge."""
    margin = len(lead) if indent is None else indent
    first, *rest = folded(text, width - len(lead)) or [""]
    return [lead + first, *(" " * margin + line for line in folded(" ".join(rest), width - margin))]
