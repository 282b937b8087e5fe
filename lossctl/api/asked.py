"""The values of one call, checked once, and what every question makes of them.

They are plain values by the name of their row in `language/options.py`, whoever gives them: the command line, an entry
of a suite, a call from Python. Faults are told in the words of whoever asks.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..files.dialect import NEEDS, dialect_of
from ..files.room import parse_bytes
from ..language import options
from ..language.domains import named_distance
from ..language.registry import Loss, Spec
from ..language.roles import Form
from ..language.setting import Setting, Way
from .compute import Jobs, forms_of, read_bins
from .numbers import Confidence
from .reading import Given, Reading, Side

if TYPE_CHECKING:
    from .gates import Bounds


@dataclass(frozen=True, eq=False)
class Asked:
    """The values of one call, complete and checked one by one.

    values: `Setting.key` -> value, defaults filled in;  own: the keys that were set by hand;  way, command: who asks
    """

    values: Mapping[str, Any]
    own: frozenset[str]
    way: Way
    command: str

    def __getitem__(self, key: str) -> Any:
        return self.values.get(key)

    def has(self, key: str) -> bool:
        """Whether it was set by hand."""
        return key in self.own

    def name(self, key: str) -> str:
        """What a setting is called by whoever asks: --ci-method, ci-method, ci_method."""
        row = options.setting(key, self.command)
        return {"shell": row.flag, "suite": row.name, "python": row.argument}[self.way]

    @property
    def place(self) -> str:
        """Where settings stand together, more than one of them."""
        return "entries" if self.way == "suite" else "calls"

    def put(self, key: str, value: str = "") -> str:
        """A setting with its value, as whoever asks would write it: --ci 0.95, ci: 0.95, ci=0.95."""
        name = self.name(key)
        if self.way == "shell":
            return f"{options.setting(key, self.command).short or name} {value}".strip()
        if self.way == "suite":
            return f"{name}: {value or 'true'}"
        plain = not value or value.isupper() or value.replace(".", "", 1).isdigit()
        return f"{name}={value or True}" if plain else f'{name}="{value}"'


def asked(values: Mapping[str, Any], command: str, way: Way, own: Sequence[str] | None = None) -> Asked:
    """The settings among the values, each within its words and bounds, with defaults for the rest. UsageError.

    own: what was set by hand; whatever is not its default, unless told
    """
    rows, preset = options.settings(command, way), options.defaults(command, way)
    taken, by_hand = dict(preset), set(own or ()) & rows.keys()
    given = [key for key in rows if key in values and values[key] is not preset[key]]
    others = [key for key in given if not _is_default(values[key], preset[key])]
    for key in others:
        value = values[key]
        if rows[key].kind == "level" and isinstance(value, str) and (level := options.level_of(value)) is not None:
            value = level
        taken[key] = value
        if own is None and not _same(value, preset[key]):
            by_hand.add(key)
    call = Asked(taken, frozenset(by_hand), way, command)
    for key in others:
        row, value = rows[key], taken[key]
        fix = "" if value is None or row.is_read else _remedy(call, row, value)
        if fix:
            raise UsageError(f"{call.name(key)} cannot be {value!r}", fix=fix)
    return call


def _is_default(value: Any, preset: Any) -> bool:
    return type(value) is type(preset) and type(value) in (int, float, str) and bool(value == preset)


def _same(value: Any, other: Any) -> bool:
    return value is other or (isinstance(value, bool | int | float | str | tuple) and bool(value == other))


def _remedy(call: Asked, row: Setting, value: Any) -> str:
    """What to give in place of a value that a setting cannot have; "" where it can."""
    if row.kind == "flag":
        return "" if isinstance(value, bool) else "give True or False"
    if row.kind in ("number", "level", "whole"):
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
        if is_number and (row.kind != "whole" or value == int(value)) and row.low <= value <= row.high:
            return ""
        return "give a level between 0 and 1, such as 0.95 or 95%" if row.kind == "level" else f"give {_range(row)}"
    is_free = row.kind != "text" or not row.words or row.key == "reduction"
    if is_free or row.allows(value) or (row.key == "header" and value in (True, False)):
        return ""
    words = [*row.words, *([f"{row.stem}:P"] if row.stem else [])]
    others = [f'"{word}"' for word in words[1:]] if call.way == "python" else words[1:]
    return f"use {' or '.join([call.put(row.key, words[0]), *others])}"


def _range(row: Setting) -> str:
    kind = "a whole number" if row.kind == "whole" else "a number"
    low = f" from {row.low:g}" if math.isfinite(row.low) else ""
    return f"{kind}{low}" + (f" to {row.high:g}" if math.isfinite(row.high) else "")


def liked(
    call: Asked, loss: Loss, form: str, chosen_own: Collection[str], by_hand: Collection[str] | None = None
) -> tuple[Asked, dict[str, Any], str]:
    """The call with the choices of the library that it names; the options of the loss; a note of it. UsageError.

    form: of the predictions, "" for other inputs;  chosen_own: the options of the loss that were set by hand
    by_hand: what was set by hand and stays, where that is known better than `call.own`
    """
    if call["like"] is None:
        return call, {}, ""
    from ..language import libraries

    preset = libraries.find(str(call["like"]), loss, form)
    stays = call.own if by_hand is None else by_hand
    of_classes = loss.weighs_classes and "class_weights" in chosen_own
    weights = (*(["rows"] if call["weight"] is not None else []), *(["classes"] if of_classes else []))
    lacking = preset.lacks(*weights)
    if lacking and "weight_norm" not in stays:
        by_n = f"add {call.put('weight_norm', 'n')}"
        by_sum = f"add {call.put('weight_norm', 'sum')}"
        if call.way == "python":  # where a default that is given cannot be told from one that is not
            by_sum = f"leave {call.name('like')} out to divide by their sum"
        raise UsageError(
            f"{preset.name} has no weights of {lacking} for {loss.name}",
            why="nothing says what it would divide by: the sum of the weights, or n",
            fix=f"{by_sum}, or {by_n}",
        )
    known = options.settings(call.command, call.way)
    texts = {key: text for key, text in preset.settings(loss).items() if key not in stays}
    left_out = [key for key in texts if key not in known]
    if left_out:
        raise UsageError(
            f"{call.put('like', preset.name)} means {preset.options}, and rows have no {left_out[0]}",
            fix=f"leave {call.name('like')} out, and set the other choices",
        )
    chosen = {key: text if known[key].kind in ("text", "flag") else float(text) for key, text in texts.items()}
    own = {key: text for key, text in preset.own(loss).items() if key not in stays}
    note = f"as {preset.library}: {preset.what}" + (f"; {preset.options}" if preset.options else "")
    return Asked({**call.values, **chosen}, call.own | chosen.keys(), call.way, call.command), own, note


def form_of(call: Asked, loss: Loss) -> str:
    """The form of the predictions of a loss, "" for other inputs."""
    first = loss.roles[0]
    forms = forms_of(loss, bool(call["from_logits"]), bool(call["from_probs"]))
    return forms.get(first.name) or (first.forms[0] if first.forms else "")


def without(call: Asked, *keys: str) -> Asked:
    """The call without some of its settings."""
    preset = options.defaults(call.command, call.way)
    values = {key: preset.get(key) if key in keys else value for key, value in call.values.items()}
    return Asked(values, call.own - set(keys), call.way, call.command)


def refuse_both(call: Asked, first: str, others: Sequence[str], why: str, fix: str | None = None) -> None:
    for key in others:
        if call[key] is not None:
            fix = fix or f"ask for them in two {call.place}"
            raise UsageError(f"{first} and {call.name(key)} at once", why=why, fix=fix)


# --- how it is read, what rides along, what is held against it


READ = tuple(item.name for item in fields(Reading))


def reading_of(call: Asked, forms: Mapping[str, Form], device: str = "cpu") -> Reading:
    """How the inputs are read: the settings that are fields of `Reading`, and those that it calls otherwise."""
    same = {name: call.values[name] for name in READ if name in call.values}
    distance, skip_nan = call["distance"] or "euclidean", call["na"] == "skip" or bool(call["skip_nan"])
    renamed = {
        "forms": forms,
        "classes": _listed(call["classes"]),
        "positive": None if call["positive"] is None else str(call["positive"]),
        "skip_nan": skip_nan,
        "dialect": dialect_of(call.values, allow_missing=skip_nan),
        "metric": distance if distance in options.DISTANCES else named_distance(distance),
        "device": device,
        "exclude_same": _sources(call["exclude_same"]),
        "ref_exclude_same": _sources(call["ref_exclude_same"]),
        "noise": call["noise"] or "out",
        "memory": memory_of(call),
        "told": tuple((key, call.name(key)) for key in NEEDS if key in call.own),
    }
    return Reading(**{**same, **renamed})


def _sources(sources: Any) -> tuple[Given, ...]:
    """One source, or several, as several."""
    if sources is None:
        return ()
    return tuple(sources) if isinstance(sources, list | tuple) else (sources,)


def _listed(names: Any) -> tuple[str, ...]:
    """ "a,b" or a list of names as a tuple of texts."""
    if isinstance(names, str) and (ends := re.fullmatch(r" *([0-9]+)\.\.([0-9]+) *", names)):
        return tuple(map(str, range(int(ends[1]), int(ends[2]) + 1)))
    parts = names.split(",") if isinstance(names, str) else () if names is None else names
    return tuple(str(part).strip() for part in parts)


def id_column(align: str | None) -> str | None:
    """The column in "id::COLUMN", or in its name alone."""
    return None if align is None else align.removeprefix("id::")


def confidence_of(call: Asked, specs: Sequence[Spec] = ()) -> Confidence | None:
    """The interval, where one is asked for. UsageError.

    specs: a loss that draws has a seed of its own, which serves the resamples too unless they are told another
    """
    level = call["ci"]
    if level is None:
        for key in ("cluster", "ci_method", "resamples"):
            if call.has(key):
                fix = f"add {call.put('ci', '0.95')}, or leave it out"
                raise UsageError(f"{call.name(key)} is for intervals", fix=fix)
        if call.has("seed") and not any(option.name == "seed" for spec in specs for option in spec.loss.options):
            fix = f"add {call.put('ci', '0.95')}, or leave it out"
            raise UsageError(f"{call.name('seed')} is for intervals", why="nothing else is drawn here", fix=fix)
        return None
    if not 0 < level < 1:
        raise UsageError(f"{call.name('ci')} cannot be {level:g}", fix="give a level between 0 and 1, such as 0.95")
    _refuse_unresolved(call, float(level), int(call["resamples"]))
    from ..resampling.bootstrap import METHODS

    method = next(word for word in METHODS if word == call["ci_method"])
    own = specs[0].seed if specs else 0
    seed = call["seed"] if call.has("seed") else own
    return Confidence(float(level), method, int(call["resamples"]), int(seed))


def _refuse_unresolved(call: Asked, level: float, resamples: int) -> None:
    """UsageError where an end of the interval, or a p-value below 1 - level, lies beyond what resamples can tell."""
    least = math.ceil(round(2 / (1 - level), 6)) - 1
    if resamples < least:
        raise UsageError(
            f"{call.put('ci', f'{level:g}')} from {resamples} resamples",
            why=f"each end of the interval leaves out {(1 - level) / 2:.3g} of them: less than one",
            fix=f"add {call.put('resamples', str(least))} or more, or ask for a lower level",
        )


def side_of(call: Asked) -> Side:
    """The columns that ride along. UsageError."""
    group, bins = call["group"], None
    if call["by"] is not None:
        if group is not None:
            raise UsageError(f"{call.name('group')} and {call.name('by')} at once", fix="choose one")
        group, bins = read_bins(call["by"])
    return Side(call["id"], group, call["cluster"] if call["ci"] is not None else None, bins)


BOUNDS = ("max", "min", "max_high", "min_low", "max_increase", "baseline", "strict")


def bounds_of(call: Asked) -> Bounds | None:
    """The gates, None where there are none. UsageError, DataError, FileError for a baseline that is none."""
    if all(call[key] in (None, False) for key in BOUNDS):
        return None
    from .gates import Bounds, read_baseline, read_percent

    increase, path = call["max_increase"], call["baseline"]
    for key in ("max_high", "min_low"):
        if call[key] is not None and call["ci"] is None:
            raise UsageError(
                f"{call.name(key)} bounds an interval, and none is asked for", fix=f"add {call.put('ci', '0.95')}"
            )
    if (increase is None) != (path is None):
        names = f"{call.name('max-increase')} and {call.name('baseline')}"
        raise UsageError(f"{names} go together", fix=f"give both, or {call.name('max')} X")
    if call["strict"] and path is None:
        fix = f"add {call.put('baseline', 'FILE')} and {call.put('max-increase', '5%')}"
        raise UsageError(f"{call.name('strict')} is about a baseline", fix=fix)
    bounds = Bounds(
        at_most=call["max"],
        at_least=call["min"],
        high_at_most=call["max_high"],
        low_at_least=call["min_low"],
        is_strict=bool(call["strict"]),
    )
    if increase is None:
        return bounds
    from ..files.saved import read_json

    return bounds._replace(increase_percent=read_percent(increase), baseline=read_baseline(read_json(path), path))


def memory_of(call: Asked) -> int | None:
    """How many bytes it may take, None for what is free. UsageError."""
    text = call.values.get("memory")
    return None if text is None else parse_bytes(str(text), call.name("memory"))


def workers_of(call: Asked) -> Jobs:
    """How many threads, or who runs the parts. UsageError for both."""
    workers, name = call["on"], call.name("on")
    if workers is None and call.way == "shell" and "TORCHELASTIC_RUN_ID" in os.environ:
        from . import ranks

        if ranks.is_one():
            workers, name = "torchrun", "torchrun"
    if workers is None:
        threads: Jobs = call["jobs"]
        return threads
    jobs = call.name("jobs")
    refuse_both(call, name, ("jobs",), "its workers take one part at a time each", f"leave {jobs} out")
    if "align" in call.values:
        refuse_both(call, name, ("align",), "rows are matched in one process", f"compute it without {name}")
    others: Jobs = workers
    return others


def refuse_unsuited(call: Asked, losses: Sequence[Loss]) -> None:
    """UsageError for what was set by hand and means nothing to any of the losses."""
    rows = options.settings(call.command, call.way) if call.own else {}
    for key, row in rows.items():
        is_input = key == "group" and any(loss.engine.has_lists for loss in losses)
        if call.has(key) and key != "seed" and not is_input and not any(row.suits(loss) for loss in losses):
            names = " and ".join(loss.name for loss in losses)
            why = "it is made of cosines" if key == "distance" and losses[0].cosine else row.why
            raise UsageError(f"{names} takes no {call.name(key)}", why=why, fix=f"leave {call.name(key)} out")
