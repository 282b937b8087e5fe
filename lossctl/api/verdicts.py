"""What is said of a difference: Holm's correction, the verdict, what is reported beside, and what cannot be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..language.registry import Loss, find
from ..resampling import contrast, flips, paired, student
from ..resampling.bootstrap import FEWEST, narrowed
from ..resampling.contrast import Difference
from ..resampling.jackknife import FEW_CLUSTERS, FEW_POINTS
from ..resampling.paired import Margin, Pairs
from ..resampling.signed_rank import signed_ranks
from ..results.comparisons import Comparison, Harm
from ..results.values import Interval, Result
from .numbers import Confidence

CHANCE = 0.8  # with which a detectable difference is shown


def comparison(
    result: Result,
    names: tuple[str, str],
    loss: Loss,
    difference: Difference,
    rows: Sequence[int | None],
    *,
    group: str | None,
    unit: str,
    confidence: Confidence,
    beside: tuple[tuple[str, float], ...],
) -> Comparison:
    """A difference with all that belongs to it but the correction and the verdicts, which `settled` gives.

    result: of the other system;  rows: better, equal, worse
    """
    level = confidence.level
    interval = Interval(
        level, difference.method, difference.low, difference.high, difference.standard_error, difference.draws,
        confidence.seed, unit, difference.units,
    )  # fmt: skip
    better, equal, worse = rows
    of = "" if group is None else f"group {group}: "
    warnings = (*result.warnings, *(f"{of}{text}" for text in _cannot_tell(difference, level)))
    return Comparison(
        loss=result.loss,
        params=result.params,
        reduction=result.reduction,
        base=names[0],
        other=names[1],
        base_value=difference.base,
        other_value=difference.other,
        difference=difference.value,
        ci=interval,
        test=difference.test,
        p=difference.p,
        p_adjusted=math.nan,
        better=better,
        equal=equal,
        worse=worse,
        n=result.n,
        verdict="unknown",
        signature=result.signature,
        notes=result.notes,
        warnings=warnings,
        group=group,
        harm=_harm(loss, difference),
        beside=beside,
    )


def _harm(loss: Loss, difference: Difference) -> Harm | None:
    if math.isnan(difference.margin) and math.isnan(difference.beyond[0]):
        return None
    below, above = difference.beyond  # that the difference is not below the margin, and not above its negative
    harm = math.nan if loss.is_signed else above if loss.is_gain else below
    return Harm("", difference.margin, harm, max(below, above), math.nan, math.nan, "unknown")


def settled(comparisons: Sequence[Comparison], level: float, margin: Margin | None, holm: str) -> list[Comparison]:
    """The comparisons with Holm's correction and the verdicts.

    holm: over what it corrects: "loss", all comparisons of all rows by one loss, and all of its groups; or "all"
    """
    alpha = flips.alpha_of(level)
    keys = [None if holm == "all" else (system.loss, system.params, system.group is None) for system in comparisons]
    result = [replace(system, holm=holm) for system in comparisons]
    for key in dict.fromkeys(keys):
        members = [at for at, own in enumerate(keys) if own == key]
        adjusted = contrast.holm([comparisons[at].p for at in members])
        for at, p in zip(members, adjusted, strict=True):
            verdict = _verdict(find(result[at].loss), result[at].difference, p, alpha)
            result[at] = replace(result[at], p_adjusted=p, verdict=verdict)
        harms = [harm for at in members if (harm := comparisons[at].harm) is not None]
        if margin is None or not harms:
            continue
        inferior = contrast.holm([harm.p_non_inferior for harm in harms])
        equivalent = contrast.holm([harm.p_equivalent for harm in harms])
        for at, harm, *p_of in zip(members, harms, inferior, equivalent, strict=True):
            result[at] = _with_harm(result[at], harm, margin, (p_of[0], p_of[1]), alpha)
    return result


def _with_harm(
    comparison: Comparison, harm: Harm, margin: Margin, adjusted: tuple[float, float], alpha: float
) -> Comparison:
    inferior, equivalent = adjusted
    verdict = "not shown"
    if math.isnan(equivalent):
        verdict = "unknown"
    elif equivalent < alpha:
        verdict = "equivalent"
    elif inferior < alpha:
        verdict = "non-inferior"
    harm = harm._replace(
        text=margin.text, non_inferior_adjusted=inferior, equivalent_adjusted=equivalent, verdict=verdict
    )
    nothing = (f"a margin of {margin.text} of a base of 0 is nothing",) if harm.size == 0 else ()
    return replace(comparison, harm=harm, warnings=(*comparison.warnings, *nothing))


def _verdict(loss: Loss, difference: float, p: float, alpha: float) -> str:
    if math.isnan(difference) or math.isnan(p):
        return "unknown"
    if loss.is_signed:
        return "different" if p < alpha else "no difference shown"
    is_worse = difference < 0 if loss.is_gain else difference > 0
    return ("worse" if is_worse else "better") if p < alpha else "no difference shown"


def beside(
    difference: Difference, pairs: Pairs, other: int, level: float, chosen: Sequence[str]
) -> tuple[tuple[str, float], ...]:
    """What was asked for beside the test, by name."""
    value, error, freedom = difference.value, difference.standard_error, difference.freedom
    numbers: list[tuple[str, float]] = []
    if "effect" in chosen:
        numbers += [("effect_d", _d(difference)), ("effect_relative", _quotient(value, abs(difference.base)))]
        numbers += [("effect_better", _share_better(pairs, other))]
    if "detectable" in chosen:
        cannot = math.isinf(difference.low) or math.isinf(difference.high)
        numbers += [("detectable", math.inf if cannot else _detectable(error, level, freedom))]
    if "t" in chosen:
        t = 0.0 if value == 0 else _quotient(value, error)
        numbers += [("t", t), ("t_freedom", freedom), ("t_p", student.two_sided(t, freedom))]
    if "wilcoxon" in chosen:
        ranks = signed_ranks(np.concatenate(pairs.gaps)[:, other])
        numbers += [("wilcoxon", ranks.statistic), ("wilcoxon_n", float(ranks.n)), ("wilcoxon_p", ranks.p)]
    return tuple(numbers)


def _d(difference: Difference) -> float:
    """Cohen's d of paired differences; nan where the units are not what the error was made of."""
    if difference.method in ("jackknife", "seeds"):
        return math.nan
    return _quotient(difference.value, difference.standard_error * math.sqrt(difference.units))


def _quotient(a: float, b: float) -> float:
    return a / b if b else math.nan


def _share_better(pairs: Pairs, other: int) -> float:
    if pairs.better is None or pairs.equal is None or pairs.worse is None:
        return math.nan
    better, equal, worse = (int(counts[other]) for counts in (pairs.better, pairs.equal, pairs.worse))
    return (better + equal / 2) / (better + equal + worse) if better + equal + worse else math.nan


def _detectable(error: float, level: float, freedom: float) -> float:
    if math.isnan(error) or not freedom > 0:
        return math.nan
    return student.detectable(level, CHANCE, freedom) * error


def _cannot_tell(difference: Difference, level: float) -> list[str]:
    """What to say where no difference at all could be shown, or where little shows it."""
    if difference.method == "seeds" and math.isnan(difference.low) and math.isfinite(difference.value):
        return [f"no interval: the {difference.units} seeds do not vary, which does not show that others would not"]
    if difference.method == "jackknife" and math.isnan(difference.low) and difference.units < FEW_POINTS:
        return [f"no test of {difference.units} points (or clusters): it holds from {FEW_POINTS} ({FEW_CLUSTERS}) on"]
    if difference.carriers < FEWEST:
        return [
            f"no test by resamples: too few of {difference.units} units differ (effective n "
            f"{difference.carriers:.3g}); the sign-flip test is exact for few"
        ]
    if math.isnan(difference.low) and math.isfinite(difference.value):
        return ["no interval of the difference: resamples are not finite, or their sums cancel beyond float64"]
    remarks = [difference.remark] if difference.remark else []
    if math.isinf(difference.low) or math.isinf(difference.high):
        of_units = 0.0 if difference.test == paired.BOOTSTRAP else 2.0 ** (1 - difference.units)
        smallest = max(of_units, narrowed(1 / (difference.draws + 1), difference.carriers))
        cannot = f"{difference.units} units cannot show a difference at {level:g}: no p is below {smallest:.3g}"
        remarks.append(cannot)
    return remarks
