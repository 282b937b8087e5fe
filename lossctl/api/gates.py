"""Bounds on values: at most, at least, or at most so much more than a saved run. A value that is nan holds no bound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..errors import DataError, UsageError
from ..results.values import Gate, Result
from ..text import option_text, shown

Key = tuple[Any, ...]


class Bounds(NamedTuple):
    """What was asked for.

    increase_percent: how much larger than in `baseline` a value may be, in percent of its size there
    baseline: `key_of` a result -> its value in the saved run, nan where that was no finite number
    """

    at_most: float | None = None
    at_least: float | None = None
    increase_percent: float | None = None
    baseline: Mapping[Key, float] | None = None

    def __bool__(self) -> bool:
        return any(bound is not None for bound in self[:3])


def checked(results: Sequence[Result], bounds: Bounds) -> list[Result]:
    """The results with their gates. DataError where the saved run does not hold one of them."""
    return [replace(result, gates=tuple(_gates(result, bounds))) for result in results]


def _gates(result: Result, bounds: Bounds) -> list[Gate]:
    found, value = [], result.value
    if bounds.at_most is not None:
        found.append(Gate("max", bounds.at_most, f"<= {option_text(bounds.at_most)}", value <= bounds.at_most))
    if bounds.at_least is not None:
        found.append(Gate("min", bounds.at_least, f">= {option_text(bounds.at_least)}", value >= bounds.at_least))
    if bounds.increase_percent is not None:
        before = _before(result, bounds.baseline or {})
        limit = before + abs(before) * bounds.increase_percent / 100
        text = f"<= {before!r} + {option_text(bounds.increase_percent)}%"
        found.append(Gate("max-increase", limit, text, value <= limit))
    return found


def _before(result: Result, baseline: Mapping[Key, float]) -> float:
    if key_of(result.as_json()) not in baseline:
        held = ", ".join(sorted({shown(str(key[0])) for key in baseline})) or "nothing"
        raise DataError(
            f"the baseline does not hold {shown(name_of(result))}",
            why=f"it holds {held}; loss, options, reduction, group and what is kept must agree",
            fix="save a baseline with the same command: --json -o FILE",
        )
    return baseline[key_of(result.as_json())]


def name_of(result: Result) -> str:
    """A result in a few words: its loss, with what it is of where that is not all rows."""
    parts = [result.loss]
    parts += [f"of group {result.group}"] if result.group is not None else []
    parts += [f"({result.average})"] if result.average else []
    parts += [f"of the {result.keep} hardest"] if result.keep else []
    return " ".join(parts)


def key_of(record: Mapping[str, Any]) -> Key:
    """What must agree for two results to be comparable, from the result's JSON."""
    params = tuple(sorted((name, option_text(_frozen(value))) for name, value in dict(record["params"]).items()))
    return (
        record["loss"],
        params,
        record["reduction"],
        record.get("group"),
        record.get("average"),
        record.get("keep"),
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def read_baseline(document: Any, name: str) -> dict[Key, float]:
    """The values of a saved run, from its JSON. DataError where it is none."""
    try:
        if document["schema"] != "lossctl/1":
            raise KeyError("schema")
        return {key_of(record): _value(record) for record in document["results"]}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise DataError(
            f"{shown(name)}: not a saved result of lossctl", fix="make one with: lossctl compute ... --json -o FILE"
        ) from None


def _value(record: Mapping[str, Any]) -> float:
    value = record["value"]
    return math.nan if value is None else float(value)


def read_percent(text: str) -> float:
    """ "5%" as 5.0. UsageError."""
    try:
        if text.endswith("%"):
            percent = float(text[:-1])
            if math.isfinite(percent):
                return percent
    except ValueError:
        pass
    raise UsageError(f"--max-increase cannot be {text!r}", fix="give a share of the old value, such as 5%")


def failures(results: Sequence[Result]) -> list[str]:
    """One line for each bound that does not hold."""
    return [
        f"{name_of(result)} is {result.value!r}, not {gate.text}"
        for result in results
        for gate in result.gates
        if not gate.passed
    ]
