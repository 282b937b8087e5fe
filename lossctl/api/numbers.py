"""From a number to a result: what it is of, its interval, what is said of it, and its signature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ..language.engines import Engine
from ..resampling import survey
from ..results.values import Interval, Result
from ..rows import shapes
from ..rows.facts import Facts, verdict
from ..text import option_text, shown
from ..version import __version__
from .prepare import Prepared

if TYPE_CHECKING:
    from ..resampling.bootstrap import Method, Spread
    from ..resampling.draws import Draws
    from ..resampling.jackknife import Jackknife
    from ..resampling.macro import GroupMean
    from ..rows.hardest import Kept

LOST = (
    "no interval: what the rows do to the value leaves the range of float64 on the way; multiply the columns by a "
    "constant that brings them near 1"
)


class Confidence(NamedTuple):
    """Which interval: its level, the method, and the resamples it is made from."""

    level: float = 0.95
    method: Method = "bca"
    resamples: int = 1000
    seed: int = 0

    @property
    def draws(self) -> Draws:
        """The resamples."""
        from ..resampling.draws import Draws

        return Draws(self.seed, self.resamples)


def result(computation: Prepared, fingerprint: str | None, value: float, n: int, facts: Facts, **more: Any) -> Result:
    """A number with all that belongs to it. fingerprint: the hash of the values, where it is wanted."""
    plan = computation.plan
    notes, warnings = verdict(plan, facts, more.get("group") is None)
    answer = Result(
        loss=plan.spec.loss.name,
        params=tuple((name.replace("_", "-"), item) for name, item in plan.spec.params),
        reduction=plan.reduction,
        value=value,
        n=n,
        sources=computation.sources,
        signature=signature(computation, fingerprint, n),
        dtype=computation.dtype,
        notes=(*computation.notes, *notes),
        warnings=(*computation.warnings, *warnings, *_not_finite(plan, value, facts)),
    )
    return replace(answer, **more) if more else answer


def _not_finite(plan: shapes.Plan, value: float, facts: Facts) -> tuple[str, ...]:
    """What to say of a value that is not finite although every row is."""
    if math.isfinite(value) or facts.infinite:
        return ()
    return (
        f"the value is {value!r} although every row is finite: its sums divide by 0 or leave float64; "
        f"see lossctl explain {plan.spec.loss.name}",
    )


def signature(computation: Prepared, fingerprint: str | None, n: int | str = "{n}") -> str:
    """Every choice that changes the number, in one line without spaces. n: how many rows count"""
    plan, reading, treatment = computation.plan, computation.reading, computation.plan.treatment
    parts = [plan.spec.loss.name]
    parts += [f"{name.replace('_', '-')}:{brief(value)}" for name, value in plan.spec.params]
    forms = [entry.form for entry in plan.entries if entry.form]
    parts += ["in:" + ",".join(dict.fromkeys(forms))] if forms else []
    if plan.spec.loss.engine.has_space:
        parts += [
            f"dist:{'cosine' if plan.spec.loss.cosine else reading.metric}",
            f"norm:{'l2' if reading.normalize else 'none'}",
            "anchors:pos+neg",
        ]
        parts += [f"lone:{reading.lone}"] if reading.lone != "drop" else []
    parts += [f"read:{'+'.join(computation.marks)}"] if computation.marks else []
    parts += ["labels:soft"] if plan.is_soft else []
    parts += ["percent:yes"] if treatment.percent else []
    parts += ["sums:1"] if treatment.renormalize else []
    changes = {name: getattr(treatment, name) for name in ("clip", "clip_type", "clip_log", "squash", "scale")}
    parts += [
        f"{name.replace('_', '-')}:{option_text(value)}"
        for name, value in changes.items()
        if value != getattr(shapes.UNTREATED, name)
    ]
    parts += ["na:skip"] if treatment.skip_nan else []
    first = plan.entries[0]
    parts += ["columns:mean"] if first.role.layout == "rows" and first.width > 1 and not first.classes else []
    parts += [f"red:{plan.reduction}"]
    weights = "n" if treatment.weight_norm == "n" else "sum-w" if plan.weight else "none"
    parts += [f"w:{weights}", f"n:{n}", "acc:f64", f"be:{computation.backend}"]
    parts += [f"data:{fingerprint}"] if fingerprint else []
    return "|".join([*parts, f"v:{__version__}"])


def brief(value: Any) -> str:
    """An option's value as text; a long list of numbers by its length and hash."""
    text = option_text(value)
    if isinstance(value, tuple) and len(value) > 16:
        import hashlib

        return f"{len(value)}-numbers-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return text


def some_of(names: Sequence[str]) -> str:
    """Some of the names, and how many there are more."""
    more = f" and {len(names) - survey.NAMED} more" if len(names) > survey.NAMED else ""
    return ", ".join(map(shown, names[: survey.NAMED])) + more


def counted(result: Result, counts: tuple[tuple[str, int], ...]) -> Result:
    """With what a loss of a set is a mean of and what was left out."""
    if not counts:
        return result
    return replace(
        result, counts=counts, notes=(*result.notes, ", ".join(f"{name} {number}" for name, number in counts))
    )


def signed(result: Result, group: str) -> Result:
    """With the rows that it is of in its signature."""
    return replace(result, signature=result.signature.replace("|red:", f"|group:{group}|red:", 1))


def left_out_unit(engine: Engine) -> str:
    """What is left out in turn, in the plural."""
    return "points" if engine.has_space else engine.unit


def interval_of(confidence: Confidence, unit: str, spread: Spread | GroupMean | Jackknife) -> Interval:
    from ..resampling.jackknife import Jackknife

    level, method, resamples, seed = confidence
    if isinstance(spread, Jackknife):
        ends, error = spread.interval(level), spread.standard_error
        return Interval(level, "jackknife", *ends, error, len(spread.left_out), seed, unit, spread.units)
    name, low, high = spread.ends(level, method)
    return Interval(level, name, low, high, spread.standard_error, resamples, seed, unit, spread.influence.units)


def remark_of(result: Result, remark: str) -> str:
    """What there is to say of an interval; also where its ends were lost on the way."""
    lost = result.ci is not None and math.isnan(result.ci.low) and math.isfinite(result.value)
    return LOST if lost and not remark.startswith("no ") else remark


def remarked(result: Result, remark: str) -> Result:
    """With what there is to say of its interval."""
    if not remark:
        return result
    of = "" if result.group is None else f"group {shown(result.group)}: "
    of = "mean of groups: " if result.average == "macro" else of
    return replace(result, warnings=(*result.warnings, f"{result.loss}: {of}{remark}"))


def marked(result: Result, keep: Kept, unit: str) -> Result:
    """With which rows it is of."""
    signature = result.signature.replace("|red:", f"|keep:{keep.text}|red:", 1)
    note = "" if result.average == "macro" else f"the {result.n} hardest {unit}"
    note += " of the groups" if result.average == "micro" else ""
    return replace(result, signature=signature, keep=keep.text, notes=(*result.notes, *([note] if note else [])))
