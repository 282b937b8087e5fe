"""What the arguments of a call from Python mean: settings, inputs and options of a loss, columns of tables."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any

import numpy as np

from ..errors import UsageError
from ..files import memory
from ..kernels import devices
from ..language import options
from ..language.options import COMPUTE
from ..language.registry import SET, Spec, make, parse
from ..text import did_you_mean, shown
from .asked import Asked, asked, form_of, liked, refuse_unsuited
from .bound import as_array, looks_like_column, refuse_none, refuse_other_indexes
from .prepare import option_value
from .question import Question
from .reading import Given
from .signatures import plain


def settings_of(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a call's keywords by `Setting.key`, without those that were left at their defaults."""
    name = function.__name__
    keys, preset = options.arguments(name), options.defaults(name, "python")
    return {
        key: plain(values[argument])
        for argument, key in keys.items()
        if argument in values and values[argument] is not preset[key]
    }


def several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) and not isinstance(value, Spec) else [value]


def question_of(
    loss: str | Spec, inputs: Sequence[Given], named: dict[str, Any], settings: dict[str, Any], command: str
) -> Question:
    """What the keywords of a call mean: options of the loss, its inputs by name, and settings. UsageError.

    settings: those that were set, by `Setting.key`
    """
    is_plain = type(loss) is str and "device" not in settings and all(map(memory.is_plain, inputs))
    if is_plain and _are_of(NUMBERS, named) and _are_of(WORDS, settings):
        question = _of_words(str(loss), _told(named), _told(settings), command)
        return question._replace(inputs=tuple(inputs))
    return _question(loss, inputs, named, settings, command)


NUMBERS, WORDS = (bool, int, float), (bool, int, float, str, NoneType)


def _are_of(types: tuple[type, ...], values: Mapping[str, Any]) -> bool:
    return all(type(value) in types for value in values.values())


def _told(values: Mapping[str, Any]) -> tuple[tuple[str, str, Any], ...]:
    """Names and plain values, with what tells 1 from 1.0 and True, and 0.0 from -0.0."""
    return tuple((name, repr(value), value) for name, value in values.items())


@lru_cache(maxsize=64)
def _of_words(
    loss: str, named: tuple[tuple[str, str, Any], ...], settings: tuple[tuple[str, str, Any], ...], command: str
) -> Question:
    """The question but for its inputs, which are arrays, where all else is words: the same at every step of a
    training, and asked anew only of devices, which may come and go."""
    own = {name: value for name, _, value in settings}
    return _question(loss, (), {name: value for name, _, value in named}, own, command)


def _question(
    loss: str | Spec, inputs: Sequence[Given], named: dict[str, Any], settings: dict[str, Any], command: str
) -> Question:
    if not isinstance(loss, str | Spec):
        raise UsageError(
            f"the loss is an object of type {type(loss).__name__}", fix='name it first: compute("mse", pred, target)'
        )
    spec = parse(loss) if isinstance(loss, str) else loss
    known = {option.name for option in spec.loss.all_options}
    words = known | {role.name for role in spec.loss.roles}
    for key in words & settings.keys():  # a word of both the loss and the table is the loss's
        named = {**named, key: settings[key]}
        settings = {name: value for name, value in settings.items() if name != key}
    chosen = {keyword: _option(spec, keyword, named[keyword]) for keyword in known & named.keys()}
    written = loss.partition(":")[2] if isinstance(loss, str) else ""
    twice = chosen.keys() & {part.partition("=")[0].strip().replace("-", "_") for part in written.split(",")}
    if twice:
        raise UsageError(
            f"{min(twice)} of {spec.loss.name} is given twice, in {loss!r} and beside it", fix="leave one out"
        )
    sources = {keyword: value for keyword, value in named.items() if keyword not in known}
    refuse_none(spec.loss.name, [*inputs, *sources.values()])
    settings, sources, inputs = _columns_of_tables(spec, inputs, sources, settings)
    refuse_other_indexes([*inputs, *sources.values(), *_riders(settings)])
    inputs = [as_array(value) for value in inputs]
    call = _arrays(asked(settings, command, "python"))
    call, own, note = liked(call, spec.loss, form_of(call, spec.loss), {*spec.by_hand, *chosen})
    refuse_unsuited(call, [spec.loss])
    device = devices.choose(settings.get("device", "cpu")).name
    if own or chosen:
        spec = make(spec.loss, **{**own, **spec.by_hand, **chosen})
    question = Question.of(call, [spec], inputs, sources, device=device)
    return question._replace(note=note)


def _riders(settings: Mapping[str, Any]) -> list[Any]:
    """The columns that have a value for each row of the inputs."""
    return [settings.get(key) for key in ("weight", "group", "cluster", "exclude_same", "coarse_label", "id")]


def _columns_of_tables(
    spec: Spec, inputs: Sequence[Given], named: Mapping[str, Given], settings: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Given], list[Given]]:
    """Bare names of columns, among sources by name, as columns of the first table in memory that has one.

    A table that was given beside a column of it for every input is no input: it says where they are.
    """
    tables = [(table, columns) for table in inputs if (columns := memory.columns_of(table)) is not None]
    if not tables:
        return dict(settings), dict(named), list(inputs)
    rows = options.settings(COMPUTE, "python")
    homes: list[Given] = []

    def column(value: Any) -> Any:
        if isinstance(value, str) and not os.path.exists(value):
            for table, columns in tables:
                if value in columns:
                    homes.append(table)
                    return columns[value]
            if tables and looks_like_column(value):
                names = [name for _, columns in tables for name in columns]
                raise UsageError(
                    f"no column and no file is called {shown(value)!r}{did_you_mean(value, names)}",
                    fix=f"the columns are {', '.join(map(shown, names[:8]))}",
                )
        return value

    sources = {key: column(value) for key, value in named.items()}
    is_home = len(inputs) + len(sources) > len(spec.loss.roles)
    rest = [source for source in inputs if not (is_home and any(source is home for home in homes))]
    is_source = {key for key, row in rows.items() if row.kind == "source"}
    return {key: column(value) if key in is_source else value for key, value in settings.items()}, sources, rest


def _arrays(call: Asked) -> Asked:
    """The call with tensors and lists among its sources as arrays."""
    rows = options.settings(call.command, call.way)
    sources = {key: as_array(call.values[key]) for key in call.own if rows[key].kind == "source"}
    return Asked({**call.values, **sources}, call.own, call.way, call.command) if sources else call


def _option(spec: Spec, name: str, value: Any) -> Any:
    """The value of an option: arrays and nested lists as one list of numbers, the name of a file as what is in it."""
    option = next(option for option in spec.loss.all_options if option.name == name)
    if isinstance(value, str):
        return option_value(option, value)
    value = value.item() if isinstance(value, np.generic) else value
    if option.domain.many and hasattr(value, "__len__"):
        return np.ravel(as_array(value)).tolist()
    return value


def refuse_unknown(function: Callable[..., Any], inputs: Sequence[Given], named: Mapping[str, Given]) -> None:
    """UsageError for a keyword that is neither an input nor a setting, and for an input that is None."""
    name = function.__name__
    options = [role.option for role in SET.roles]
    for keyword in named.keys() - {*options, *(role.name for role in SET.roles)}:
        parameters = inspect.signature(function).parameters.values()
        known = [item.name for item in parameters if item.kind is item.KEYWORD_ONLY]
        raise UsageError(
            f"{name} has no argument {keyword!r}{did_you_mean(keyword, [*options, *known])}",
            fix=f"its inputs are {', '.join(options)}; its options are {', '.join(known)}",
        )
    refuse_none(name, [*inputs, *named.values()])


def margins_of(margin: Any) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in np.ravel(as_array(margin)).tolist())
    except (TypeError, ValueError):
        raise UsageError(f"margin cannot be {margin!r}", fix="give a number >= 0, or several in a list") from None


def pair_of(batch: Any) -> tuple[int, int] | None:
    if batch is None:
        return None
    if isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(count, int) for count in batch):
        return batch[0], batch[1]
    raise UsageError(f"batch cannot be {batch!r}", fix="give (P, K): P classes with K rows each, such as (18, 4)")
