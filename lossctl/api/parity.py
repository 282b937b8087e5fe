"""What each known library would print: one computation for each row of `language/libraries.tsv` that is of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import LossctlError
from ..language import libraries
from ..language.registry import Loss
from ..results.choices import LibraryValue, Parity
from ..rows.shapes import Plan
from . import answers
from .question import Question

Ask = Callable[[str | None], Question]  # what is asked with the choices of a library, None for our own


def parity(loss: Loss, form: str, ask: Ask) -> Parity:
    """Our number, then that of every library, in the order of the table. Faults of the input are raised.

    form: of the predictions, "" for other inputs
    """
    with answers.opened(ask(None)) as answer:
        result, labels = answer.results()[0], labels_of(answer.shared.losses[0].plan)
    ours = LibraryValue("lossctl", result.value, "exact", "run", "ours, unless told otherwise", "")
    others = (_of(preset, ask) for preset in libraries.usable_for(libraries.of_loss(loss), form, labels))
    return Parity(loss.name, (ours, *others), result.warnings)


def labels_of(plan: Plan) -> str:
    """ "class" where labels are class indices, else "binary"."""
    return "class" if plan.entries[0].classes else "binary"


def _of(preset: libraries.Preset, ask: Ask) -> LibraryValue:
    value, fault = math.nan, ""
    try:
        with answers.opened(ask(preset.name)) as answer:
            value = answer.results()[0].value
    except LossctlError as error:
        fault = error.what
    return LibraryValue(preset.name, value, preset.agrees, preset.proof, preset.what, preset.options, fault)
