"""Suites, run: entries that share a file are read together, each source once; an entry that fails stops no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ..errors import LossctlError, UsageError
from ..files.saved import read_json
from ..files.sources import parse_source
from ..language.engines import Engine
from ..language.registry import Spec, parse
from ..results.values import Comparison, Outcome, Result, SuiteReport
from ..rows import hardest
from . import compare, gates, together
from .calculator import Reading
from .suite_file import Entry, Suite
from .together import Confidence, Side, Wanted


class Task(NamedTuple):
    """One entry with its losses parsed."""

    entry: Entry
    specs: tuple[Spec, ...]

    @property
    def values(self) -> Any:
        return self.entry.values

    @property
    def is_shared(self) -> bool:
        """Whether it can be read together with other entries."""
        return self.entry.kind == "losses" and "keep" not in self.values and self.engine is not None

    @property
    def engine(self) -> Engine | None:
        """How all of its losses meet their input, None where they differ."""
        engines = {spec.loss.engine for spec in self.specs}
        return engines.pop() if len(engines) == 1 else None

    @property
    def files(self) -> set[str]:
        """What it reads."""
        inputs = self.values["inputs"]
        texts = [*(inputs.values() if isinstance(inputs, dict) else inputs)]
        texts += [self.values[name] for name in ("weight", "group", "cluster") if name in self.values]
        return {parse_source(text).path for text in texts}


def run(
    suite: Suite,
    *,
    only: Sequence[str] = (),
    jobs: int | None = None,
    data_hash: bool = False,
    progress: Callable[[str], None] | None = None,
) -> SuiteReport:
    """Compute every entry, or those whose name holds one of the texts in `only`.

    progress: is told the name of what begins.  Raises UsageError for a wrong loss or an `only` that fits nothing.
    """
    chosen = [entry for entry in suite.entries if not only or any(text in entry.name for text in only)]
    if not chosen:
        names = ", ".join(entry.name for entry in suite.entries[:6])
        raise UsageError(f"no entry is called {' or '.join(only)}", fix=f"the suite holds: {names}")
    tasks = [_task(entry) for entry in chosen]
    done: dict[str, Outcome] = {}
    for batch in _batches(tasks):
        if progress:
            progress(batch[0].entry.name)
        for outcome in _outcomes(batch, jobs, data_hash):
            done[outcome.name] = outcome
    return SuiteReport(suite.title, suite.path, tuple(done[entry.name] for entry in chosen))


def _task(entry: Entry) -> Task:
    try:
        return Task(entry, tuple(parse(text) for text in entry.values["loss"]))
    except UsageError as fault:
        raise UsageError(f"{entry.places['loss']}: {fault.what}", why=fault.why, fix=fault.fix) from None


def _batches(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks that share a file, and are read alike, together; each once, in the order of their first."""
    batches: list[tuple[Any, set[str], list[Task]]] = []
    for task in tasks:
        alike = ("na", "header", "delimiter", "clip", "distance", "normalize")
        key = (task.engine, *(task.values.get(name) for name in alike))
        key += (task.values.get("group"),) if task.engine and task.engine.has_lists else ()
        fits = [one for one in batches if task.is_shared and one[0] == key and one[1] & task.files]
        if not fits:
            batches.append((key if task.is_shared else None, task.files if task.is_shared else set(), [task]))
            continue
        first, *rest = fits
        first[1].update(task.files)
        first[2].append(task)
        for other in rest:  # the task is what two batches have in common
            first[1].update(other[1])
            first[2].extend(other[2])
            batches.remove(other)
    return [tasks for _, _, tasks in batches]


def _outcomes(batch: list[Task], jobs: int | None, data_hash: bool) -> Iterator[Outcome]:
    """The outcomes of a batch; where it fails, of each of its entries alone, so that a fault is where it belongs."""
    started = time.perf_counter()
    try:
        found = _computed(batch, jobs, data_hash)
    except LossctlError as fault:
        if len(batch) == 1:
            seconds = time.perf_counter() - started
            first, *rest = str(fault).splitlines()
            entry = batch[0].entry
            yield Outcome(
                entry.name, entry.kind, "error", reasons=(f"{entry.place}: {first}", *rest),
                error=type(fault).__name__, seconds=seconds,
            )  # fmt: skip
            return
        for task in batch:
            yield from _outcomes([task], jobs, data_hash)
        return
    seconds = (time.perf_counter() - started) / len(batch)
    for task, (results, comparisons) in zip(batch, found, strict=True):
        reasons = [*gates.failures(results), *_worse(task, comparisons)]
        status = "failed" if reasons else "passed"
        yield Outcome(
            task.entry.name, task.entry.kind, status, tuple(results), tuple(comparisons), tuple(reasons),
            seconds=seconds,
        )  # fmt: skip


def _computed(batch: list[Task], jobs: int | None, data_hash: bool) -> list[tuple[list[Result], list[Comparison]]]:
    task = batch[0]
    if task.entry.kind == "comparisons":
        return [([], _compared(task, jobs, data_hash))]
    bounds = [_bounds(one) for one in batch]
    if not task.is_shared:
        found = [[result for spec in task.specs for result in _alone(task, spec, jobs, data_hash)]]
    else:
        wanted = [_wanted(one, spec) for one in batch for spec in one.specs]
        confidences = [_confidence(one) for one in batch for _ in one.specs]
        with together.prepared(wanted, reading=_reading(task), jobs=jobs) as shared:
            each = iter(together.results_of_each(shared, confidences, data_hash))
            found = [[result for _ in one.specs for result in next(each)] for one in batch]
    return [
        (gates.checked(results, bound) if bound else results, []) for results, bound in zip(found, bounds, strict=True)
    ]


def _alone(task: Task, spec: Spec, jobs: int | None, data_hash: bool) -> list[Result]:
    """A loss among those of another kind, or the mean over the hardest rows."""
    wanted = _wanted(task, spec)
    if "keep" in task.values:
        if not spec.loss.engine.has_values:
            raise UsageError(
                f"keep with {spec.loss.name}", why="no row has a value", fix="leave keep out of this entry"
            )
        _refuse(task, ("ci", "cluster", "group", "by"), "the hardest rows have no")
        with together.prepared([wanted._replace(side=None)], reading=_reading(task), jobs=jobs) as shared:
            return together.kept(shared, hardest.read_kept(task.values["keep"]), data_hash=data_hash)
    with together.prepared([wanted], reading=_reading(task), jobs=jobs) as shared:
        return together.results(shared, _confidence(task), data_hash=data_hash)


def _refuse(task: Task, names: Sequence[str], why: str) -> None:
    """What the entry itself asks for must have an answer; what only the defaults ask for is left out."""
    for name in names:
        if name in task.entry.places:
            raise UsageError(f"{why} {name}", fix=f"leave {name} out of this entry")


def _wanted(task: Task, spec: Spec) -> Wanted:
    values = task.values
    inputs = values["inputs"]
    named = dict(inputs) if isinstance(inputs, dict) else {}
    group, bins = values.get("group"), None
    if spec.loss.engine.has_lists:
        if group is not None:
            named["group"] = group
        group = None
    if "by" in values:
        if group is not None:
            raise UsageError("group and by at once", fix="choose one")
        group, bins = together.read_bins(values["by"])
    return Wanted(
        spec,
        together.forms_of(spec.loss, values.get("from-logits", False), values.get("from-probs", False)),
        [] if isinstance(inputs, dict) else inputs,
        named,
        values.get("reduction"),
        values.get("weight"),
        Side(group=group, cluster=values.get("cluster") if "ci" in values else None, bins=bins),
    )


def _confidence(task: Task) -> Confidence | None:
    values = task.values
    if "ci" not in values:
        return None
    return together.check_confidence(
        values["ci"], values.get("ci-method", "bca"), values.get("resamples", 1000), values.get("seed", 0)
    )


def _reading(task: Task) -> Reading:
    values = task.values
    return Reading(
        clip=values.get("clip", 0.0),
        skip_nan=values.get("na") == "skip",
        header={"auto": None, "yes": True, "no": False}[values.get("header", "auto")],
        delimiter=values.get("delimiter"),
        metric=values.get("distance", "euclidean"),
        normalize=values.get("normalize", False),
    )


def _bounds(task: Task) -> gates.Bounds:
    values = task.values
    increase = values.get("max-increase")
    if (increase is None) != (values.get("baseline") is None):
        raise UsageError("max-increase and baseline go together", fix="give both, or max")
    return gates.Bounds(
        values.get("max"),
        values.get("min"),
        None if increase is None else gates.read_percent(increase),
        None if increase is None else gates.read_baseline(read_json(values["baseline"]), values["baseline"]),
    )


def _compared(task: Task, jobs: int | None, data_hash: bool) -> list[Comparison]:
    values = task.values
    logits, probs = values.get("from-logits", False), values.get("from-probs", False)
    systems = compare.Systems(
        values["base"],
        values["others"],
        values["target"],
        [(spec, together.forms_of(spec.loss, logits, probs)) for spec in task.specs],
        compare.names_of([values["base"], *values["others"]]),
        values.get("reduction", "mean"),
        values.get("weight"),
        values.get("group"),
        values.get("cluster"),
        values["align"].removeprefix("id::") if "align" in values else None,
    )
    confidence = together.check_confidence(
        values.get("ci", 0.95), values.get("ci-method", "bca"), values.get("resamples", 10_000), values.get("seed", 0)
    )
    return compare.compare(
        systems,
        confidence=confidence,
        test=values.get("test", "sign-flip"),
        reading=_reading(task),
        jobs=jobs,
        data_hash=data_hash,
    )


def _worse(task: Task, comparisons: Sequence[Comparison]) -> list[str]:
    if task.values.get("fail-if") is None:
        return []
    return [
        f"{one.loss}: {one.other} is {'worse than' if one.verdict == 'worse' else 'not comparable with'} {one.base}"
        for one in comparisons
        if one.verdict in ("worse", "unknown")
    ]
