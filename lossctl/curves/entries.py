"""Which losses are drawn, and under what name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import UsageError
from ..language import registry
from ..language.registry import Spec
from ..text import option_text


class Subject(NamedTuple):
    """A loss to be drawn. label: its name, with the options that were given."""

    spec: Spec
    label: str


def read(text: str) -> Subject:
    """The loss that `focal:gamma=2` means. UsageError."""
    spec = registry.parse(text)
    options = [part.partition("=")[0].strip().replace("-", "_") for part in text.partition(":")[2].split(",")]
    return Subject(spec, _label(spec, options))


def _label(spec: Spec, options: Sequence[str]) -> str:
    chosen = [f"{name.replace('_', '-')}={option_text(value)}" for name, value in spec.params if name in options]
    return ":".join([spec.loss.name, ",".join(chosen)]) if chosen else spec.loss.name


def sweep(subjects: Sequence[Subject], option: str, values: Sequence[str]) -> tuple[Subject, ...]:
    """Each loss that has the option, once for each value; the others as they are. UsageError if none has it."""
    name = option.strip().replace("-", "_")
    if not any(name in subject.spec.options for subject in subjects):
        known = sorted({knob.flag for subject in subjects for knob in subject.spec.loss.options})
        raise UsageError(
            f"no loss here has an option {option!r}", fix=f"sweep one of {', '.join(known) or 'another loss'}"
        )
    subjects_of_values: list[Subject] = []
    for subject in subjects:
        if name not in subject.spec.options:
            subjects_of_values.append(subject)
            continue
        options = [*subject.label.partition(":")[2].replace("=", ",").split(",")[::2], name]
        for value in values:
            spec = registry.make(subject.spec.loss, **{**subject.spec.options, name: value.strip()})
            subjects_of_values.append(Subject(spec, _label(spec, [word.replace("-", "_") for word in options])))
    return tuple(subjects_of_values)


def unit(subjects: Sequence[Subject]) -> str:
    """The unit that the losses share, empty where they differ."""
    units = {subject.spec.loss.doc.get("Unit", "") for subject in subjects}
    return units.pop() if len(units) == 1 else ""
