"""What is asked of systems against a base, as a frozen value that the library answers."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..errors import UsageError
from ..files.opening import public
from ..files.sources import parse_source
from ..language import options
from ..language.options import COMPARE
from ..language.registry import Spec
from ..language.roles import Form
from ..resampling.paired import SIGN_FLIP, Margin
from ..text import did_you_mean
from .asked import Asked, confidence_of, id_column, reading_of, refuse_unsuited, workers_of
from .compute import Jobs, forms_of
from .numbers import Confidence
from .prepare import logit_forms
from .reading import Given, Reading


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
    confidence: Confidence = Confidence(resamples=10_000)
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
        if not others:
            usage = {
                "shell": "lossctl compare BASE OTHER... --target SRC --loss SPEC",
                "suite": "others: [OTHER]",
                "python": "lossctl.compare(base, other, target=..., loss=...)",
            }
            raise UsageError("nothing to compare with", fix=f"name another system: {usage[call.way]}")
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
            align=id_column(call["align"]),
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
    """What systems are called: files by their paths, without the folders that all of them share; arrays by place."""
    systems = [public(system) if isinstance(system, str) else system for system in systems]
    if not all(isinstance(system, str) for system in systems):
        return [
            system if isinstance(system, str) else f"other {place}" if place else "base"
            for place, system in enumerate(systems)
        ]
    folders = [os.path.dirname(parse_source(text).path).split("/") for text in systems]
    shared = itertools.takewhile(lambda names: len(set(names)) == 1, zip(*folders, strict=False))
    common = "/".join(names[0] for names in shared)
    return [text[len(common) + 1 :] if common and text.startswith(common + "/") else text for text in systems]
