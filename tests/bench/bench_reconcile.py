"""`reconcile` on printed comparisons, from the number alone at six digits: is the true choice listed, does it stand
first, and how long does it take at 100,000 rows.

    python tests/bench/bench_reconcile.py [ROWS]     # a table in Markdown

Losses are tried a second time on more rows, drawn from the comparison's own with noise: row by row losses on as many,
lists on as many documents, and sets, whose every number compares each point with all others, on SET_POINTS. Seconds are
of the processors, all threads together, and of the clock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from printed import PRINTED, Printed
from rules import value

from lossctl.api import reconcile
from lossctl.api.question import Question
from lossctl.api.reading import Reading
from lossctl.language import libraries, registry


def keywords(options: str) -> dict[str, Any]:
    return {key: word for key, word in libraries.keywords(options).items() if key != "from_logits"}


def question(case: Printed, inputs: tuple[np.ndarray, ...]) -> tuple[Question, dict[str, Any]]:
    """The loss with what is known of it."""
    loss = registry.find(case.loss)
    fixed = keywords(case.fixed)
    forms = {role.name: role.forms[0] for role in loss.roles if role.forms}
    if "--from-logits" in case.fixed:
        forms = dict.fromkeys(forms, "logits")
    own = {option.name for option in loss.options}
    spec = registry.make(loss, **{key: word for key, word in fixed.items() if key in own})
    settings = {key: word for key, word in fixed.items() if key not in own}
    reading = Reading(forms=forms, **{"normalize": True} if settings.get("normalize") else {})
    return Question((spec,), (forms,), tuple(map(np.asarray, inputs)), {}, reading=reading), fixed


def words(options: str) -> frozenset[tuple[str, str]]:
    return frozenset((key, f"{_number(word)}") for key, word in keywords(options).items())


def _number(word: Any) -> Any:
    try:
        return word if word is True else float(word)
    except ValueError:
        return word


def asked(case: Printed, inputs: tuple[np.ndarray, ...], text: str) -> tuple[str, int, float, float]:
    """Where the true choice stands, how many were tried, seconds of the processors and of the clock."""
    q, fixed = question(case, inputs)
    cpu, wall = time.process_time(), time.perf_counter()
    answer = reconcile.reconcile([(q, fixed)], text)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    truth = words(f"{case.fixed} {case.options}")
    lines = [[words(option) for option in (fit.options, *fit.twins)] for fit in answer.fits]
    at = next((place for place, line in enumerate(lines) if truth in line), None)
    if at is None:
        return "not listed", answer.tried, cpu, wall
    place = "first" if at == 0 else "tied" if answer.fits[at].changed == answer.fits[0].changed else f"place {at + 1}"
    return place, answer.tried, cpu, wall


SET_POINTS = 300


def grown(case: Printed, rows: int) -> tuple[np.ndarray, ...]:
    """Rows drawn from the inputs, numbers that are no labels nor chances with noise; of lists whole ones, again and
    again."""
    loss = registry.find(case.loss)
    rng = np.random.default_rng(0)
    if loss.engine.has_lists:
        score, relevance, *group = map(np.asarray, case.inputs)
        times = max(1, rows // len(score))
        names = np.unique(group[0], return_inverse=True)[1] if group else np.zeros(len(score), np.int64)
        again = np.repeat(np.arange(times), len(score)) * (names.max() + 1) + np.tile(names, times)
        return np.tile(score, times) * (1 + 0.1 * rng.random(times * len(score))), np.tile(relevance, times), again
    at = rng.integers(0, len(case.inputs[0]), min(rows, SET_POINTS) if loss.engine.has_space else rows)
    arrays = []
    for role, array in zip(loss.roles, case.inputs, strict=True):
        drawn = np.asarray(array)[at]
        form = "logits" if "--from-logits" in case.fixed else (*role.forms, "")[0]
        is_free = form == "logits" if role.forms else role.check == "real"
        arrays.append(drawn * (1 + 0.1 * rng.random(drawn.shape)) if is_free and drawn.dtype.kind == "f" else drawn)
    return tuple(arrays)


def main(rows: int) -> None:
    print("| number | loss | options | its own rows | more rows | of them | tried | CPU s | wall s |")
    print("| --- | --- | --- | --- | --- | --: | --: | --: | --: |")
    for case in PRINTED:
        place, *_ = asked(case, case.inputs, case.text)
        large = grown(case, rows)
        text = f"{value(case.loss, large, f'{case.fixed} {case.options}'):.6g}"
        there, tried, cpu, wall = asked(case, large, text)
        count = len(large[0])
        options = f"{case.fixed} {case.options}".strip() or "the defaults"
        numbers = f"{count:,} | {tried:,} | {cpu:.2f} | {wall:.2f}"
        print(f"| {case.text} | {case.loss} | `{options}` | {place} | {there} | {numbers} |", flush=True)


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 100_000)
