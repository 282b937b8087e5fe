"""Bounds on values and on the ends of their intervals: at most, at least, at most so much more than a saved run.

A value that is nan holds no bound. What a saved run is of (rows, groups, weights, distance, data) should be the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..errors import DataError, UsageError
from ..language.registry import find
from ..results.values import Gate, Result
from ..text import option_text, shown

Key = tuple[Any, ...]


NOT_CHOSEN = ("acc", "be", "v", "group")  # of a signature: what computed a value, and what its key says


class Saved(NamedTuple):
    """A value of a saved run, nan where it had none; choices: what its signature says that it is of."""

    value: float
    choices: Mapping[str, str]


class Bounds(NamedTuple):
    """What was asked for.

    increase_percent: how much larger than in `baseline` a value may be (smaller, of one that is better when larger),
        in percent of its size there
    baseline: `key_of` a result -> its value in the saved run
    high_at_most, low_at_least: bounds of the ends of the interval
    is_strict: what differs from the baseline, other than values, fails
    """

    at_most: float | None = None
    at_least: float | None = None
    increase_percent: float | None = None
    baseline: Mapping[Key, Saved] | None = None
    high_at_most: float | None = None
    low_at_least: float | None = None
    is_strict: bool = False


def checked(results: Sequence[Result], bounds: Bounds) -> list[Result]:
    """The results with their gates. DataError where the saved run does not hold one of them."""
    gated = [_unlike(replace(result, gates=tuple(_gates(result, bounds))), bounds) for result in results]
    if gated and bounds.baseline:
        lost = _vanished(results, bounds.baseline)
        gated[0] = _said(gated[0], lost, bounds.is_strict)
    return gated


def _unlike(result: Result, bounds: Bounds) -> Result:
    """The result with what else than its value differs from the saved run."""
    if bounds.increase_percent is None:
        return result
    now, then = choices_of(result.signature), _before(result, bounds.baseline or {}).choices
    then = {**_defaults_of(result.loss), **then} if then else {}
    names = [name for name in dict.fromkeys((*then, *now)) if now.get(name) != then.get(name)]
    names = [name for name in names if name != "data" or (name in now and name in then)]
    told = [f"{name_of(result)}: {name} is {now.get(name, 'none')}, was {then.get(name, 'none')}" for name in names]
    return _said(result, told if then else [], bounds.is_strict)


def _vanished(results: Sequence[Result], baseline: Mapping[Key, Saved]) -> list[str]:
    """The groups of the saved run that these results lack."""
    held = {key_of(result.to_dict()) for result in results}
    alike = {(*key[:3], key[5]) for key in held}
    grouped = any(key[3] is not None for key in held)
    lost = [key for key in baseline if key not in held and (*key[:3], key[5]) in alike and key[3] is not None]
    return [f"{key[0]}: group {shown(str(key[3]))} of the baseline is not here" for key in lost if grouped]


def _said(result: Result, differences: Sequence[str], is_strict: bool) -> Result:
    """With the differences as warnings, and as gates that fail where they are to."""
    warnings = tuple(f"compared with another baseline: {text}" for text in differences)
    gates = tuple(Gate("strict", math.nan, text, False) for text in differences if is_strict)
    return replace(result, warnings=(*result.warnings, *warnings), gates=(*result.gates, *gates))


def choices_of(signature: str) -> dict[str, str]:
    """What a signature says of the rows and how they are read, by name; {} where there is none."""
    parts = [part.partition(":") for part in signature.split("|")[1:]]
    return {name: value for name, _, value in parts if name not in NOT_CHOSEN}


def _gates(result: Result, bounds: Bounds) -> list[Gate]:
    gates, value = [], result.value
    if bounds.at_most is not None:
        gates.append(Gate("max", bounds.at_most, f"<= {option_text(bounds.at_most)}", value <= bounds.at_most))
    if bounds.at_least is not None:
        gates.append(Gate("min", bounds.at_least, f">= {option_text(bounds.at_least)}", value >= bounds.at_least))
    low, high = (result.ci.low, result.ci.high) if result.ci else (math.nan, math.nan)
    if bounds.high_at_most is not None:
        limit = bounds.high_at_most
        gates.append(Gate("max-high", limit, f"an interval that ends <= {option_text(limit)}", high <= limit))
    if bounds.low_at_least is not None:
        limit = bounds.low_at_least
        gates.append(Gate("min-low", limit, f"an interval that starts >= {option_text(limit)}", low >= limit))
    if bounds.increase_percent is not None:
        before = _before(result, bounds.baseline or {}).value
        worse = -1 if find(result.loss).is_gain else 1
        limit = before + worse * abs(before) * bounds.increase_percent / 100 if math.isfinite(before) else before
        relation, sign, is_kept = (">=", "-", value >= limit) if worse < 0 else ("<=", "+", value <= limit)
        text = f"{relation} {before!r} {sign} {option_text(bounds.increase_percent)}%"
        gates.append(Gate("max-increase", limit, text, is_kept))
    return gates


def _before(result: Result, baseline: Mapping[Key, Saved]) -> Saved:
    if key_of(result.to_dict()) not in baseline:
        held = ", ".join(sorted({shown(str(key[0])) for key in baseline})) or "nothing"
        fault = DataError(
            f"the baseline does not hold {shown(name_of(result))}",
            why=f"it holds {held}; loss, options, reduction, group and what is kept must agree",
            fix="save a baseline with the same command: -f json -o FILE",
        )
        fault.is_placed = True  # it is about none of the inputs
        raise fault
    return baseline[key_of(result.to_dict())]


def name_of(result: Result) -> str:
    """A result in a few words: its loss, with what it is of where that is not all rows."""
    parts = [result.loss]
    parts += [f"of group {result.group}"] if result.group is not None else []
    parts += [f"({result.average})"] if result.average else []
    parts += [f"of the {result.keep} hardest"] if result.keep else []
    return " ".join(parts)


def key_of(record: Mapping[str, Any]) -> Key:
    """What must agree for two results to be comparable, from the result's JSON."""
    params = {name: option_text(_frozen(value)) for name, value in dict(record["params"]).items()}
    return (
        record["loss"],
        tuple(sorted(params.items() - _defaults_of(record["loss"]).items())),
        record["reduction"],
        record.get("group"),
        record.get("average"),
        record.get("keep"),
    )


def _defaults_of(loss: str) -> dict[str, str]:
    """The options of a loss as they are unless set: a run that was saved before it had one has that too."""
    try:
        return {option.flag: option_text(option.default) for option in find(loss).options}
    except UsageError:  # no loss of today
        return {}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def read_baseline(document: Any, name: str) -> dict[Key, Saved]:
    """The values of a saved run, from its JSON. DataError where it is none."""
    try:
        if document["schema"] != "lossctl/1":
            raise KeyError("schema")
        return {key_of(record): _saved(record) for record in document["results"]}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise DataError(
            f"{shown(name)}: not a saved result of lossctl", fix="make one with: lossctl compute ... -f json -o FILE"
        ) from None


def _saved(record: Mapping[str, Any]) -> Saved:
    value = record["value"]
    number = float(record.get("value_text", "nan") if value is None else value)
    number = math.nan if value is None and math.isfinite(number) else number
    return Saved(number, choices_of(record.get("signature") or ""))


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
    return [_failure(result, gate) for result in results for gate in result.gates if not gate.passed]


def _failure(result: Result, gate: Gate) -> str:
    if gate.kind == "strict":
        return f"not like the baseline: {gate.text}"
    if gate.kind in ("max-high", "min-low") and result.ci:
        return f"{name_of(result)} has the interval {result.ci.low!r} .. {result.ci.high!r}, not {gate.text}"
    return f"{name_of(result)} is {result.value!r}, not {gate.text}"
