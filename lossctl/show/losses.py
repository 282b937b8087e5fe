"""Losses as text: the list, the page of one, the table of the README."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from ..registry import Loss, Option
from ..text import option_text
from ..version import __version__
from .sheet import Sheet, markdown

WIDTH = 100


def list_sheet(losses: Sequence[Loss]) -> Sheet:
    """One row a loss: what people choose by."""
    rows = tuple(
        (loss.name, loss.family, " ".join(role.option for role in loss.roles), options_text(loss), loss.summary)
        for loss in losses
    )
    return Sheet(("loss", "family", "inputs", "options", "what it is"), rows)


def readme_table(losses: Sequence[Loss]) -> str:
    """The table of the README."""
    rows = tuple(
        (f"`{loss.name}`", " ".join(role.option for role in loss.roles), options_text(loss), f"`{loss.doc['Formula']}`")
        for loss in losses
    )
    return markdown(Sheet(("loss", "inputs", "options", "formula"), rows))


def options_text(loss: Loss) -> str:
    """The options with their defaults, as a spec writes them."""
    return " ".join(f"{option.flag}={option_text(option.default)}" for option in loss.options)


def list_json(losses: Sequence[Loss]) -> str:
    """The losses as one JSON document."""
    document = {
        "schema": "lossctl/1",
        "version": __version__,
        "command": "list",
        "losses": [_record(loss) for loss in losses],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def page_json(loss: Loss) -> str:
    """The page of one loss as JSON."""
    document = {"schema": "lossctl/1", "version": __version__, "command": "explain", "loss": _record(loss)}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _record(loss: Loss) -> dict[str, Any]:
    options = {option.name for option in loss.options}
    return {
        "name": loss.name,
        "aliases": list(loss.aliases),
        "family": loss.family,
        "inputs": [{"name": role.option, "meaning": role.meaning, "forms": list(role.forms)} for role in loss.roles],
        "options": [_option_record(option) for option in loss.options],
        "about": {word.lower(): text for word, text in loss.doc.items() if word not in options},
    }


def _option_record(option: Option) -> dict[str, Any]:
    return {
        "name": option.flag,
        "default": option.default,
        "allowed": option.domain.text or "any number",
        "meaning": option.help,
    }


SECTIONS = ("Formula", "Reading", "Differs", "Paper", "Example")


def page(loss: Loss) -> str:
    """The page of one loss: summary, formula, inputs, options, and where libraries differ."""
    title = f"{loss.name} ({loss.family})" + (f", also called {', '.join(loss.aliases)}" if loss.aliases else "")
    parts = [title, "", *_wrapped(loss.summary, ""), ""]
    for word in SECTIONS:
        if word in loss.doc:
            parts += _item(word, loss.doc[word])
    parts += ["", "Inputs, in order:"]
    for role in loss.roles:
        forms = f" (as {' or '.join(role.forms)})" if role.forms else ""
        parts += _item(f"  {role.option}", role.meaning + forms)
    if loss.options:
        parts += ["", "Options:"]
        for option in loss.options:
            allowed = f"; {option.domain.text}" if option.domain.text else ""
            parts += _item(f"  --{option.flag}", f"{option.help} (default {option_text(option.default)}{allowed})")
    return "\n".join([*parts, "", f"Try: lossctl compute {loss.name} --help", ""])


def _item(word: str, text: str) -> list[str]:
    first, *rest = (line for part in text.splitlines() for line in _wrapped(part, ""))
    indent = " " * 18
    return [f"{word:<17} {first}", *(indent + line for line in rest)]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 18, subsequent_indent=indent) or [""]
