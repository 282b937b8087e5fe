"""What choices give, as text: the numbers of libraries, and the choices behind a number."""

from __future__ import annotations

from collections.abc import Sequence

from ..results.choices import Fit, LibraryValue, Parity, Reconciliation
from ..results.document import document
from .results import number
from .sheet import Sheet, folded

FEW = 4  # digits below which nothing can be concluded
COMMAND = "lossctl compute"
PROOFS = {"run": "", "source": " (from its source)"}


def parity_sheet(values: Sequence[LibraryValue], digits: int | None) -> Sheet:
    """One row a library."""
    rows = tuple(
        (
            value.library,
            "-" if value.fault else number(value.value, digits),
            value.agrees,
            value.options,
            (value.fault or value.what) + PROOFS[value.proof],
        )
        for value in values
    )
    return Sheet(
        ("library", "value", "agrees", "options", "what"),
        rows,
        numeric=frozenset({"value"}),
        prose=frozenset({"options", "what"}),
        spare=("agrees",),
    )


def parity_json(parity: Parity) -> str:
    """One document."""
    return document("parity", [value.to_dict() for value in parity.values], parity.warnings, loss=parity.loss)


def reconcile_json(answer: Reconciliation) -> str:
    """One document, whose results are the choices that give the number."""
    return document(
        "reconcile",
        [fit.to_dict() for fit in answer.fits],
        answer.warnings,
        value=answer.value,
        value_text=answer.text,
        digits=answer.digits,
        tried=answer.tried,
        by_chance=answer.by_chance,
        solved=[fit.to_dict() for fit in answer.solved],
        defaults=[fit.to_dict() for fit in answer.defaults],
    )


def reconcile_text(answer: Reconciliation, sources: str, most: int, *, solve: bool = False, width: int = 1000) -> str:
    """The sentence that explains the number, the choices that give it, and how much that proves.

    Lines are as long as the width at most, but for commands, which are there to be copied.
    """
    chance = f"{answer.by_chance:.2g} of {answer.tried:,} combinations tried would fit by chance"
    digits = f"{answer.digits} digit" + "s" * (answer.digits != 1)
    lines = [f"{answer.text} has {digits}; {chance}"]
    if answer.digits < FEW:
        lines.append(f"with fewer than {FEW} digits nothing can be concluded: give the number with all its digits")
    if not answer.fits:
        lines.append("no combination of customary choices gives it" + ("" if solve else "; --solve tries more"))
        if len(answer.defaults) == 1:
            lines.append(f"other losses may: lossctl reconcile {sources} --value {answer.text}")
    for fit in answer.fits[:most]:
        lines += _fit_lines(fit, sources)
    if len(answer.fits) > most:
        lines.append(f"and {len(answer.fits) - most} more; --most {len(answer.fits)} shows them")
    if answer.solved:
        lines.append("with an option solved for (weak evidence: a free number fits almost anything):")
        for fit in answer.solved[:most]:
            lines += _fit_lines(fit, sources)
    elif solve:
        lines.append("no option solved for, alone, gives it")
    for fit in answer.defaults if len(answer.defaults) == 1 else ():
        lines.append(f"{fit.loss} by default gives {fit.value:.9g}{_who(fit)}")
    return "".join(f"{part}\n" for line in lines for part in _within(line, width))


def _within(line: str, width: int) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    is_command = line.startswith(COMMAND, len(indent))
    return [line] if is_command else folded(line, width, indent + "  ")


def _fit_lines(fit: Fit, sources: str) -> list[str]:
    count = "1 choice" if fit.changed == 1 else f"{fit.changed} choices"
    unchanged = "as a library has it" if fit.libraries else "with nothing else changed"
    how = "as it is by default" if not fit.options else f"with {count} changed" if fit.changed else unchanged
    how = f"as {fit.near_library} has it, and {fit.more}" if fit.near_library else how
    near = ", with other digits, as float32 may have" if fit.is_near else ""
    lines = [f"  {fit.value:.9g} is {fit.loss} {how}{_who(fit)}{near}"]
    if fit.libraries:
        lines.append(f"    in {fit.libraries[0]}: {fit.what}")
    lines.append(f"    {COMMAND} {' '.join(part for part in (fit.loss, fit.options, sources) if part)}")
    if fit.beside:
        lines += ["    and the second number, by the same choices:", f"    {COMMAND} {fit.beside} {sources}"]
    lines += [f"    the same number: {twin or 'the defaults'}" for twin in fit.twins[:3]]
    return lines


def _who(fit: Fit) -> str:
    return f": {', '.join(fit.libraries)}" if fit.libraries else ""
