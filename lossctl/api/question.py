"""What is asked of a loss, as a frozen value that the library answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..errors import UsageError
from ..language import options
from ..language.options import COMPUTE
from ..language.registry import Loss, Spec
from ..language.roles import LISTS, Form
from .asked import Asked, bounds_of, confidence_of, id_column, reading_of, refuse_both, side_of, without, workers_of
from .compute import Jobs, forms_of
from .numbers import Confidence
from .reading import Given, Reading, Side

if TYPE_CHECKING:
    from ..rows.hardest import Kept
    from .gates import Bounds


class Question(NamedTuple):
    """What is asked of a loss, and of others beside it: `compute`, and an entry under `losses` of a suite.

    specs, forms: the losses, each with the forms of its predictions;  inputs, named: sources in role order, or by role
    align: the column that names the rows in every source;  keep: over the hardest rows only
    top: the so many hardest rows;  per_row: every row;  note: by which library's choices
    """

    specs: tuple[Spec, ...]
    forms: tuple[Mapping[str, Form], ...]
    inputs: tuple[Given, ...]
    named: Mapping[str, Given]
    reduction: str | None = None
    weight: Given | None = None
    reading: Reading = Reading()
    side: Side = Side()
    confidence: Confidence | None = None
    bounds: Bounds | None = None
    align: str | None = None
    keep: Kept | None = None
    top: int | None = None
    per_row: bool = False
    jobs: Jobs = None
    note: str = ""

    @property
    def is_by_row(self) -> bool:
        """Whether the answer is a value for each row."""
        return self.per_row or self.reduction == "none"

    @property
    def is_plain(self) -> bool:
        """Whether one number (or every row's, with nothing beside it) answers it."""
        columns = any(column is not None for column in self.side)
        beside = self.per_row or self.top or self.keep or len(self.specs) > 1 or columns or self.confidence
        loss = self.specs[0].loss
        return not beside and (loss.engine.is_by_row or self.reduction != "none" or "none" not in loss.reductions)

    @classmethod
    def of(
        cls,
        call: Asked,
        specs: Sequence[Spec],
        inputs: Sequence[Given],
        named: Mapping[str, Given],
        *,
        forms: Mapping[str, Form] | None = None,
        device: str = "cpu",
    ) -> Question:
        """What a call asks of its losses; the first tells what the inputs are. UsageError for what has no answer.

        forms: of the inputs of the first loss, where they are told one by one
        """
        first = specs[0].loss
        _refuse_refused(call, first)
        _refuse_contradictions(call, first)
        if first.engine.has_lists and call["group"] is not None:
            named = {**named, LISTS.name: call["group"]}
            call = without(call, "group")
        logits, probs = bool(call["from_logits"]), bool(call["from_probs"])
        own = forms if forms is not None else forms_of(first, logits, probs)
        all_forms = (own, *(forms_of(spec.loss, logits, probs) for spec in specs[1:]))
        return cls(
            specs=tuple(specs),
            forms=all_forms,
            inputs=tuple(inputs),
            named=named,
            reduction=call["reduction"],
            weight=call["weight"],
            reading=reading_of(call, own, device),
            side=side_of(call),
            confidence=confidence_of(call, specs),
            bounds=bounds_of(call),
            align=id_column(call["align"]),
            keep=_kept(str(call["keep"])) if call["keep"] is not None else None,
            top=call["top"],
            per_row=bool(call["per_row"]),
            jobs=workers_of(call),
        )


def _kept(text: str) -> Kept:
    from ..rows.hardest import read_kept

    return read_kept(text)


def without_wishes(call: Asked, losses: Sequence[Loss]) -> Asked:
    """The call of an entry, without what only the suite's defaults ask for where the entry has no use for it."""
    rows = options.settings(call.command, call.way)
    idle = {key for key, row in rows.items() if not any(row.suits(loss) for loss in losses)}
    idle |= {"ci", "cluster"} if call.has("keep") else set()
    idle -= {"group"} if any(loss.engine.has_lists for loss in losses) and not call.has("keep") else set()
    return without(call, *(idle - call.own - {"seed"}))


def _refuse_refused(call: Asked, loss: Loss) -> None:
    """UsageError where a loss of counts is asked for its rows."""
    for key in ("per_row", "top", "keep", "id"):
        if call[key] and options.setting(key, COMPUTE).is_refused_by(loss):
            raise UsageError(
                f"{loss.name} knows no {call.name(key)}",
                why=loss.engine.no_values,
                fix=f"leave it out, or ask for groups in its place: {call.put('group', 'SRC')}",
            )


def _refuse_contradictions(call: Asked, loss: Loss) -> None:
    """Settings that have no common answer. UsageError."""
    per_row = call["per_row"] or call["reduction"] == "none"
    shapes = [call.name("per_row")] if call["per_row"] else ["-r none"] if per_row else []
    shapes += [call.name(key) for key in ("top", "keep") if call[key]]
    first = shapes[0] if shapes else ""
    if len(shapes) > 1:
        raise UsageError(f"{shapes[0]} and {shapes[1]} at once", fix=f"ask for them in two {call.place}")
    if (call["per_row"] or call["top"]) and call["reduction"] not in (None, "none", loss.reductions[0]):
        raise UsageError(f"{first} and -r {call['reduction']} at once", why="rows are not reduced", fix="leave -r out")
    if call["from_logits"] and call["from_probs"]:
        raise UsageError(
            f"{call.name('from-logits')} and {call.name('from-probs')} contradict each other", fix="choose one"
        )
    if per_row or call["top"]:
        refuse_both(call, first, ("ci", "max", "min", "max_increase", "max_high", "min_low"), "it is about one value")
        if call["signature"]:
            raise UsageError(f"{first} prints no signature", fix="leave --signature out")
        if call["by"]:
            raise UsageError(
                f"{first} and {call.name('by')} at once", fix="name the column with --group, or leave it out"
            )
    if call["multi_label"] and call["multi_class"]:
        names = f"{call.name('multi-label')} and {call.name('multi-class')}"
        raise UsageError(f"{names} contradict each other", fix="choose one")
    if call["classes"] is not None and call["positive"] is not None:
        raise UsageError(f"{call.name('classes')} and {call.name('positive')} at once", fix="choose one")
    if call["keep"]:
        refuse_both(call, first, ("ci",), "which rows are the hardest would vary too")
    if call["top"] and call["also"]:
        raise UsageError("--top and --also at once", fix="rows are ranked by one loss: leave --also out")
    if call["id"] and not (per_row or call["top"]):
        source = call["id"] if isinstance(call["id"], str) else "SRC"
        raise UsageError(
            "--id is for --per-row and --top", fix=f"leave it out, or group by it in its place: --group {source}"
        )
    if call["align"] is not None:
        refuse_both(call, call.name("align"), ("index", "distances"), "they have no rows of their own to match")
        refuse_both(
            call,
            call.name("align"),
            ("ref", "exclude_same", "coarse_label"),
            "rows are matched in the inputs of a loss only",
        )
    if call["plot"]:
        refuse_both(call, call.name("plot"), ("top", "keep", "group", "by", "also"), "it draws all rows of one loss")
