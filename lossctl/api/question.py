"""What is asked: the settings of a call, checked once, as frozen values that the library answers.

A question is made from plain values by the name of their row in `language/options.py`, whoever gives them: the command
line, an entry of a suite, a call from Python. Faults are told in the words of whoever asks.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from ..errors import UsageError
from ..files.dialect import NEEDS
from ..language import libraries, options
from ..language.options import COMPARE, COMPUTE, Setting, Way
from ..language.registry import Loss, Spec
from ..language.roles import LISTS, Form
from ..resampling.bootstrap import METHODS
from ..resampling.paired import SIGN_FLIP, Margin
from ..rows.hardest import Kept, read_kept
from ..text import did_you_mean
from .compute import Confidence, Jobs, Side, forms_of, read_bins
from .gates import Bounds, read_baseline, read_percent
from .prepare import logit_forms
from .reading import Given, Reading

HEADERS = {"auto": None, "yes": True, "no": False}


@dataclass(frozen=True)
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
    taken = {key: _plain(row, values[key]) for key, row in rows.items() if key in values}
    by_hand = {key for key, value in taken.items() if not _same(value, preset[key])} if own is None else set(own)
    call = Asked({**preset, **taken}, frozenset(by_hand & rows.keys()), way, command)
    for key, row in rows.items():
        _check(call, row, call[key])
    return call


def _plain(row: Setting, value: Any) -> Any:
    """A level as a number, however it is written; anything else as it is."""
    if row.kind != "level" or not isinstance(value, str):
        return value
    level = options.level_of(value)
    return value if level is None else level


def _same(value: Any, other: Any) -> bool:
    return value is other or (isinstance(value, bool | int | float | str | tuple) and bool(value == other))


def _check(call: Asked, row: Setting, value: Any) -> None:
    if value is None or row.is_read:
        return
    name = call.name(row.key)
    if (
        row.kind == "text"
        and row.words
        and row.key != "reduction"
        and not (row.key == "header" and value in (True, False))
    ):
        if value not in row.words:
            words = row.words if len(row.words) > 1 else [call.put(row.key, *row.words)]
            raise UsageError(f"{name} cannot be {value!r}", fix=f"use {' or '.join(words)}")
    elif row.kind == "flag" and not isinstance(value, bool):
        raise UsageError(f"{name} cannot be {value!r}", fix="give True or False")
    elif row.kind in ("number", "level", "whole"):
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
        is_kind = is_number and (row.kind != "whole" or value == int(value))
        if not is_kind or not row.low <= value <= row.high:
            fix = "give a level between 0 and 1, such as 0.95 or 95%" if row.kind == "level" else f"give {_range(row)}"
            raise UsageError(f"{name} cannot be {value!r}", fix=fix)


def _range(row: Setting) -> str:
    kind = "a whole number" if row.kind == "whole" else "a number"
    low = f" from {row.low:g}" if math.isfinite(row.low) else ""
    return f"{kind}{low}" + (f" to {row.high:g}" if math.isfinite(row.high) else "")


# --- as a library


def liked(
    call: Asked, loss: Loss, form: str, chosen_own: Collection[str], by_hand: Collection[str] | None = None
) -> tuple[Asked, dict[str, Any], str]:
    """The call with the choices of the library that it names; the options of the loss; a note of it. UsageError.

    form: of the predictions, "" for other inputs;  chosen_own: the options of the loss that were set by hand
    by_hand: what was set by hand and stays, where that is known better than `call.own`
    """
    if call["like"] is None:
        return call, {}, ""
    preset = libraries.find(str(call["like"]), loss, form)
    stays = call.own if by_hand is None else by_hand
    of_classes = loss.weighs_classes and "class_weights" in chosen_own
    weights = (*(["rows"] if call["weight"] is not None else []), *(["classes"] if of_classes else []))
    lacking = preset.lacks(*weights)
    if lacking and "weight_norm" not in stays:
        raise UsageError(
            f"{preset.name} has no weights of {lacking} for {loss.name}",
            why="nothing says what it would divide by: the sum of the weights, or n",
            fix=f"add {call.put('weight_norm', 'sum')} or {call.put('weight_norm', 'n')}",
        )
    chosen = {}
    for key, text in preset.settings(loss).items():
        row = options.setting(key, call.command)
        if key not in stays:
            chosen[key] = text if row.kind in ("text", "flag") else float(text)
    own = {key: text for key, text in preset.own(loss).items() if key not in stays}
    note = f"as {preset.library}: {preset.what}" + (f"; {preset.options}" if preset.options else "")
    known = options.settings(call.command, call.way).keys()
    left_out = [key for key in chosen if key not in known]
    if left_out:
        raise UsageError(
            f"{call.put('like', preset.name)} means {preset.options}, and rows have no {left_out[0]}",
            fix=f"leave {call.name('like')} out, and set the other choices",
        )
    return Asked({**call.values, **chosen}, call.own | chosen.keys(), call.way, call.command), own, note


def form_of(call: Asked, loss: Loss) -> str:
    """The form of the predictions of a loss, "" for other inputs."""
    first = loss.roles[0]
    forms = forms_of(loss, bool(call["from_logits"]), bool(call["from_probs"]))
    return forms.get(first.name) or (first.forms[0] if first.forms else "")


# --- parts


def reading_of(call: Asked, forms: Mapping[str, Form], device: str = "cpu") -> Reading:
    """How the inputs are read: the settings that are fields of `Reading`, and those that it calls otherwise."""
    same = {item.name: call[item.name] for item in fields(Reading) if item.name in call.values}
    header = call["header"]
    renamed = {
        "forms": forms,
        "classes": _listed(call["classes"]),
        "positive": None if call["positive"] is None else str(call["positive"]),
        "skip_nan": call["na"] == "skip" or bool(call["skip_nan"]),
        "header": header if isinstance(header, bool) else HEADERS[header or "auto"],
        "metric": call["distance"] or "euclidean",
        "device": device,
        "exclude_same": _sources(call["exclude_same"]),
        "ref_exclude_same": _sources(call["ref_exclude_same"]),
        "noise": call["noise"] or "out",
        "told": tuple((key, call.name(key)) for key in NEEDS if call.has(key)),
    }
    return Reading(**{**same, **renamed})


def _sources(sources: Any) -> tuple[Given, ...]:
    """One source, or several, as several."""
    if sources is None:
        return ()
    return tuple(sources) if isinstance(sources, list | tuple) else (sources,)


def _listed(names: Any) -> tuple[str, ...]:
    """ "a,b" or a list of names as a tuple of texts."""
    parts = names.split(",") if isinstance(names, str) else names or ()
    return tuple(str(part).strip() for part in parts)


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


def bounds_of(call: Asked) -> Bounds:
    """The gates. UsageError, DataError, FileError for a baseline that is none."""
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


def refuse_unsuited(call: Asked, losses: Sequence[Loss]) -> None:
    """UsageError for what was set by hand and means nothing to any of the losses."""
    for key, row in options.settings(call.command, call.way).items():
        is_input = key == "group" and any(loss.engine.has_lists for loss in losses)
        if key != "seed" and not is_input and call.has(key) and not any(row.suits(loss) for loss in losses):
            names = " and ".join(loss.name for loss in losses)
            why = "it is made of cosines" if key == "distance" and losses[0].cosine else row.why
            raise UsageError(f"{names} takes no {call.name(key)}", why=why, fix=f"leave {call.name(key)} out")


# --- a loss


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
    bounds: Bounds = Bounds()
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
            call = _without(call, "group")
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
            align=_column(call["align"]),
            keep=read_kept(str(call["keep"])) if call["keep"] is not None else None,
            top=call["top"],
            per_row=bool(call["per_row"]),
            jobs=workers_of(call),
        )


def _column(align: str | None) -> str | None:
    """The column in "id::COLUMN", or in its name alone."""
    return None if align is None else align.removeprefix("id::")


def _without(call: Asked, *keys: str) -> Asked:
    """The call without some of its settings."""
    preset = options.defaults(call.command, call.way)
    values = {key: preset.get(key) if key in keys else value for key, value in call.values.items()}
    return Asked(values, call.own - set(keys), call.way, call.command)


def without_wishes(call: Asked, losses: Sequence[Loss]) -> Asked:
    """The call of an entry, without what only the suite's defaults ask for where the entry has no use for it."""
    rows = options.settings(call.command, call.way)
    idle = {key for key, row in rows.items() if not any(row.suits(loss) for loss in losses)}
    idle |= {"ci", "cluster"} if call.has("keep") else set()
    idle -= {"group"} if any(loss.engine.has_lists for loss in losses) and not call.has("keep") else set()
    return _without(call, *(idle - call.own - {"seed"}))


def _refuse_refused(call: Asked, loss: Loss) -> None:
    """UsageError where a loss of counts is asked for its rows."""
    for key in ("per_row", "top", "keep", "id"):
        if call[key] and options.setting(key, COMPUTE).refused(loss):
            raise UsageError(
                f"{loss.name} knows no {call.name(key)}",
                why=loss.engine.no_values,
                fix=f"leave it out, or ask for groups in its place: {call.put('group', 'SRC')}",
            )


def workers_of(call: Asked) -> Jobs:
    """How many threads, or who runs the parts. UsageError for both."""
    if call["on"] is not None:
        _refuse(call, call.name("on"), ("jobs",), "its workers take one part at a time each")
        _refuse(call, call.name("on"), ("align",), "rows are matched in one process")
    workers: Jobs = call["jobs"] if call["on"] is None else call["on"]
    return workers


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
        _refuse(call, first, ("ci", "max", "min", "max_increase", "max_high", "min_low"), "it is about one value")
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
        _refuse(call, first, ("ci",), "which rows are the hardest would vary too")
    if call["top"] and call["also"]:
        raise UsageError("--top and --also at once", fix="rows are ranked by one loss: leave --also out")
    if call["id"] and not (per_row or call["top"]):
        source = call["id"] if isinstance(call["id"], str) else "SRC"
        raise UsageError(
            "--id is for --per-row and --top", fix=f"leave it out, or group by it in its place: --group {source}"
        )
    if call["align"] is not None:
        _refuse(call, call.name("align"), ("index", "distances"), "they have no rows of their own to match")
        _refuse(call, call.name("align"), ("ref", "exclude_same"), "rows are matched in the inputs of a loss only")
    if call["plot"]:
        _refuse(call, call.name("plot"), ("top", "keep", "group", "by", "also"), "it draws all rows of one loss")


def _refuse(call: Asked, first: str, others: Sequence[str], why: str) -> None:
    for key in others:
        if call[key] is not None:
            raise UsageError(f"{first} and {call.name(key)} at once", why=why, fix=f"ask for them in two {call.place}")


# --- systems


class ComparisonQuestion(NamedTuple):
    """What is asked of systems against a base: `compare`, and an entry under `comparisons` of a suite.

    base, others: predictions;  names: what the systems are called, the base first;  target: the truth of every row
    align: the column that names the rows in every source;  seed_of: the source of each row's seed
    margin: what is no harm;  beside: what to report beside the test;  holm: over what it corrects, "loss" or "all"
    fails_if: "worse" or "harm", where that is a failure; "" for neither
    """

    specs: tuple[Spec, ...]
    forms: tuple[Mapping[str, Form], ...]
    base: Given
    others: tuple[Given, ...]
    target: Given
    names: tuple[str, ...]
    reduction: str | None = None
    weight: Given | None = None
    group: Given | None = None
    cluster: Given | None = None
    align: str | None = None
    test: str = "sign-flip"
    reading: Reading = Reading()
    confidence: Confidence = Confidence()
    jobs: Jobs = None
    seed_of: Given | None = None
    margin: Margin | None = None
    beside: tuple[str, ...] = ()
    holm: str = "loss"
    fails_if: str = ""

    @classmethod
    def of(
        cls, call: Asked, specs: Sequence[Spec], base: Given, others: Sequence[Given], *, device: str = "cpu"
    ) -> ComparisonQuestion:
        """What a call asks of its systems. UsageError for what has no answer."""
        rows = options.settings(COMPARE, call.way)
        if call["reduction"] not in (None, *rows["reduction"].words):
            raise UsageError(
                f"{'-r' if call.way == 'shell' else 'reduction'} cannot be {call['reduction']!r}", fix="use mean or sum"
            )
        logits, probs = bool(call["from_logits"]), bool(call["from_probs"])
        if logits and probs:
            raise UsageError(
                f"{call.name('from-logits')} and {call.name('from-probs')} contradict each other", fix="choose one"
            )
        for spec in specs if call["fail_if"] else ():
            if spec.loss.is_signed:
                raise UsageError(
                    f"{call.put('fail-if', call['fail_if'])} with {spec.loss.name}: lower is not better",
                    fix="choose a loss",
                )
        for spec in specs if logits and call.way != "suite" else ():
            logit_forms(spec.loss)
        refuse_unsuited(call, [spec.loss for spec in specs])
        if call.has("ci_method") and call["test"] == SIGN_FLIP:
            raise UsageError(
                f"{call.name('ci-method')} is for resamples",
                why="the interval of a sign-flip test is every difference that its flips do not reject",
                fix=f"leave it out, or add {call.put('test', 'bootstrap')}",
            )
        margin, beside = margin_of(call), _beside_of(call)
        alone = next((spec.loss.name for spec in specs if not spec.loss.stands_alone), None)
        if "wilcoxon" in beside and alone is not None:
            raise UsageError(
                f"{call.put('beside', 'wilcoxon')} of {alone}",
                why="it ranks the differences of single rows, and a row alone has no value of this loss",
                fix=f"leave {call.put('beside', 'wilcoxon')} out",
            )
        confidence = confidence_of(call)
        assert confidence is not None  # the level has a default
        return cls(
            specs=tuple(specs),
            forms=tuple(forms_of(spec.loss, logits, probs) for spec in specs),
            base=base,
            others=tuple(others),
            target=call["target"],
            names=tuple(_names([base, *others])),
            reduction=call["reduction"],
            weight=call["weight"],
            group=call["group"],
            cluster=call["cluster"],
            align=_column(call["align"]),
            test=call["test"],
            reading=reading_of(call, {}, device),
            confidence=confidence,
            jobs=workers_of(call),
            seed_of=call["seed_of"],
            margin=margin,
            beside=beside,
            holm=call["holm"],
            fails_if=call["fail_if"] or "",
        )


def margin_of(call: Asked) -> Margin | None:
    """What is no harm, "1%" of the base's value or an amount of the loss. UsageError."""
    value = call["margin_of_harm"]
    if value is None:
        if call["fail_if"] == "harm":
            fix = f"add {call.put('margin_of_harm', '1%')}"
            raise UsageError(f"{call.put('fail_if', 'harm')}: how much worse is harm?", fix=fix)
        return None
    text = str(value).strip()
    try:
        amount = math.nan if isinstance(value, bool) else float(text.removesuffix("%"))
    except ValueError:
        amount = math.nan
    if not 0 < amount < math.inf:
        raise UsageError(
            f"{call.name('margin_of_harm')} cannot be {value!r}",
            fix=f"give a number above 0, or a percentage of the base: {call.put('margin_of_harm', '1%')}",
        )
    is_relative = text.endswith("%")
    return Margin(text, amount / 100 if is_relative else amount, is_relative)


def _beside_of(call: Asked) -> tuple[str, ...]:
    """What is reported beside the test. UsageError for an unknown word, and for what has no answer."""
    value, words = call["beside"] or (), options.setting("beside", COMPARE).words
    chosen = tuple(part.strip() for text in ([value] if isinstance(value, str) else value) for part in text.split(","))
    for word in chosen:
        if word not in words:
            raise UsageError(
                f"{call.name('beside')} cannot be {word!r}{did_you_mean(word, words)}", fix=f"use {', '.join(words)}"
            )
    if "wilcoxon" in chosen:
        for key, why in (("weight", "its ranks have no weights"), ("seed_of", "rows of one seed are not alike")):
            if call[key] is not None:
                raise UsageError(
                    f"{call.put('beside', 'wilcoxon')} and {call.name(key)} at once",
                    why=why,
                    fix=f"leave {call.put('beside', 'wilcoxon')} out",
                )
    if call["seed_of"] is not None:
        for key in ("test", "resamples", "ci_method", "seed"):
            if call.has(key):
                raise UsageError(
                    f"{call.name(key)} and {call.name('seed_of')} at once",
                    why="seeds are few: Student's t of what they contribute is the test",
                    fix=f"leave {call.name(key)} out",
                )
    return chosen


def _names(systems: Sequence[Given]) -> list[str]:
    """What systems are called: files by their paths, arrays by their place."""
    if all(isinstance(system, str) for system in systems):
        from .compare import names_of

        return names_of([str(system) for system in systems])
    return [
        system if isinstance(system, str) else f"other {place}" if place else "base"
        for place, system in enumerate(systems)
    ]


# --- sets of embeddings


class TripletQuestion(NamedTuple):
    """What is asked of the triplets of an embedding set: `triplets`.

    margins: one breakdown each;  by_class, pairs: also by class, and the so many class pairs with the most hard ones
    batch: (P, K), also over `batches` sampled batches of P classes with K rows each, from `seed`
    anchors: the triplets of so many anchors only, drawn by `seed`;  level: of intervals of the shares
    """

    inputs: tuple[Given, ...]
    named: Mapping[str, Given]
    margins: tuple[float, ...]
    reading: Reading
    by_class: bool = False
    pairs: int = 0
    batch: tuple[int, int] | None = None
    batches: int = 100
    seed: int = 0
    anchors: int | None = None
    level: float | None = None
    jobs: int | None = None

    @classmethod
    def of(
        cls,
        call: Asked,
        inputs: Sequence[Given],
        named: Mapping[str, Given],
        margins: Sequence[float],
        *,
        batch: tuple[int, int] | None = None,
        device: str = "cpu",
    ) -> TripletQuestion:
        """What a call asks of a set. UsageError for what has no answer."""
        if call.has("batches") and batch is None:
            raise UsageError(
                f"{call.name('batches')} is for sampled batches",
                why="the whole set is counted, and nothing is drawn",
                fix=f"add {'--batch 18,4' if call.way == 'shell' else 'batch=(18, 4)'}, or leave it out",
            )
        if call["anchors"] is not None:
            counted = {
                "by_class": call["by_class"],
                "by": call["by"],
                "pairs": call["pairs"],
                "device": device != "cpu",
            }
            for key in (key for key, value in counted.items() if value):
                raise UsageError(
                    f"{call.name(key)} with {call.name('anchors')}",
                    why="sampled anchors are counted on the CPU, and tell of the set as a whole",
                    fix=f"leave {call.name(key)} out",
                )
        return cls(
            inputs=tuple(inputs),
            named=named,
            margins=tuple(margins),
            reading=reading_of(call, {}, device),
            by_class=bool(call["by_class"] or call["by"]),
            pairs=call["pairs"],
            batch=batch,
            batches=call["batches"],
            seed=call["seed"],
            anchors=call["anchors"],
            level=call["ci"],
            jobs=call["jobs"],
        )


class MiningQuestion(NamedTuple):
    """What is asked of a set whose triplets are chosen: `mine`.

    options: of the strategy;  limit, per_anchor: at most so many triplets, and so many of each anchor
    identity: the source of what stands for each row;  path, kind: the file to write and its format, None for no file
    """

    strategy: str
    inputs: tuple[Given, ...]
    named: Mapping[str, Given]
    options: Mapping[str, Any]
    reading: Reading
    limit: int | None = None
    per_anchor: int | None = None
    identity: Given | None = None
    path: str | None = None
    kind: str = "npy"
    jobs: int | None = None

    @classmethod
    def of(
        cls, call: Asked, strategy: str, inputs: Sequence[Given], named: Mapping[str, Given], *, device: str = "cpu"
    ) -> MiningQuestion:
        """What a call asks of a set. UsageError for what has no answer."""
        check_mining(call, strategy)
        path = call["output"]
        chosen: dict[str, Any] = {"margin": call["margin"]}
        chosen |= {"fallback": call["fallback"]} if call["fallback"] else {}
        chosen |= {"categories": _categories(call["category"])} if call["category"] else {}
        chosen |= {"seed": call["seed"]} if strategy in options.DRAWN else {}
        return cls(
            strategy=strategy,
            inputs=tuple(inputs),
            named=named,
            options=chosen,
            reading=reading_of(call, {}, device),
            limit=call["limit"],
            per_anchor=call["per_anchor"],
            identity=call["id"],
            path=path,
            kind="npy" if path is None else _mined_format(call, path),
            jobs=call["jobs"],
        )


def check_mining(call: Asked, strategy: str) -> None:
    """UsageError for an unknown strategy, and for settings that it does not go with."""
    if strategy not in options.STRATEGIES:
        guess = did_you_mean(strategy, options.STRATEGIES)
        raise UsageError(f"unknown strategy {strategy!r}{guess}", fix=f"use one of {', '.join(options.STRATEGIES)}")
    category, fallback = call["category"], call["fallback"]
    for key in ("id", "format") if call.way == "python" and call["output"] is None else ():
        if call[key] is not None:
            fix = f"name one, {call.put('output', 'triplets.csv')}, or leave {call.name(key)} out"
            raise UsageError(f"{call.name(key)} is for a file of triplets", fix=fix)
    if call.way == "shell" and call["output"] in (None, "-"):
        what = "mine writes a file, not to stdout" if call["output"] else "mine writes a file, and none is named"
        raise UsageError(what, fix="add -o triplets.npy")
    if category is not None and (strategy != "all" or not set(_categories(category)) <= set(options.CATEGORIES)):
        raise UsageError(
            f"{call.name('category')} {category!r} with {strategy}",
            fix=f"use it with `all`: {', '.join(options.CATEGORIES)}",
        )
    if fallback is not None and (strategy != "semi-hard" or fallback not in options.FALLBACKS):
        raise UsageError(
            f"{call.name('fallback')} {fallback!r} with {strategy}",
            fix=f"use it with `semi-hard`: {', '.join(options.FALLBACKS)}",
        )
    if strategy == "hardest" and call["limit"] is None:
        raise UsageError("how many of the hardest?", fix=f"add {call.put('limit', 'N')}")


def _categories(value: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(value.split(",")) if isinstance(value, str) else tuple(value)


def _mined_format(call: Asked, path: str) -> str:
    """The format of a file of triplets: the one asked for, else the one that its name tells. UsageError."""
    kind: str = call["format"] or (path.rpartition(".")[2].lower() if "." in path else "npy")
    if kind not in options.MINED_FORMATS:
        first, *others = options.MINED_FORMATS
        fix = " or ".join([f"add {call.put('format', first)}", *others])
        raise UsageError(f"cannot tell the format of {path!r}", fix=fix)
    if call["id"] is not None and kind == "npy":
        raise UsageError("an NPY of triplets holds row numbers", fix="write ids as CSV or NDJSON")
    return kind
