"""Suites, run: entries that share a file are read together, each source once; an entry that fails stops no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import LossctlError, UsageError, told_in_a_suite
from ..files import room
from ..files.sources import parse_source
from ..kernels.devices import choose
from ..language import options
from ..language.engines import Engine
from ..language.options import COMPUTE, ENTRIES
from ..language.registry import Spec, make, parse
from ..results.comparisons import Comparison
from ..results.suites import Outcome, SuiteReport
from ..results.values import Result
from . import compute, gates
from .answers import losses_of, opened
from .asked import Asked, asked, form_of, liked, reading_of, refuse_unsuited
from .compare import compare
from .compute import Jobs
from .executors import working
from .question import Question, without_wishes
from .question_of_systems import ComparisonQuestion
from .suite_file import Entry, Suite, by_key


class Task(NamedTuple):
    """One entry with its losses parsed, and what it asks."""

    entry: Entry
    specs: tuple[Spec, ...]
    call: Asked

    @property
    def values(self) -> Any:
        return self.entry.values

    @property
    def is_shared(self) -> bool:
        """Whether it can be read together with other entries."""
        return (
            self.entry.kind == "losses"
            and "keep" not in self.values
            and self.engine is not None
            and not self.values.get("align")
        )

    @property
    def engine(self) -> Engine | None:
        """How all of its losses meet their input, None where they differ."""
        engines = {spec.loss.engine for spec in self.specs}
        return engines.pop() if len(engines) == 1 else None

    @property
    def files(self) -> set[str]:
        """What it reads."""
        names = ("inputs", "weight", "group", "cluster")
        texts = options.inputs_of(COMPUTE, "suite", {name: self.values.get(name) for name in names})
        return {parse_source(text).path for text in texts}


def run(
    suite: Suite,
    *,
    only: Sequence[str] = (),
    jobs: Jobs = None,
    data_hash: bool = False,
    memory: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> SuiteReport:
    """Compute every entry, or those whose name holds one of the texts in `only`.

    memory: bytes that it may take, None for what is free
    progress: is told the name of what begins.  Raises UsageError for a wrong loss or an `only` that fits nothing.
    """
    chosen = [entry for entry in suite.entries if not only or any(text in entry.name for text in only)]
    if not chosen:
        names = ", ".join(entry.name for entry in suite.entries[:6])
        raise UsageError(f"no entry is called {' or '.join(only)}", fix=f"the suite holds: {names}")
    tasks = [_task(entry) for entry in chosen]
    done: dict[str, Outcome] = {}
    with room.allowed(memory), working(jobs) as workers:
        for batch in _batches(tasks):
            if progress:
                progress(batch[0].entry.name)
            for outcome in _outcomes(batch, workers, data_hash):
                done[outcome.name] = outcome
    return SuiteReport(suite.title, suite.path, tuple(done[entry.name] for entry in chosen))


def _task(entry: Entry) -> Task:
    try:
        specs = tuple(parse(text) for text in entry.values["loss"])
    except UsageError as fault:
        raise UsageError(f"{entry.places['loss']}: {fault.what}", why=fault.why, fix=fault.fix) from None
    call = asked(by_key(entry.values), ENTRIES[entry.kind], "suite", own=list(by_key(entry.places)))
    return Task(entry, specs, without_wishes(call, [spec.loss for spec in specs]))


def _batches(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks that share a file, and are read alike, together; each once, in the order of their first."""
    batches: list[tuple[Any, set[str], list[Task]]] = []
    for task in tasks:
        key = (task.engine, reading_of(task.call, {}, task.call["device"]))
        key += (task.values.get("group"),) if task.engine and task.engine.has_lists else ()
        fits = [known for known in batches if task.is_shared and known[0] == key and known[1] & task.files]
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


def _outcomes(batch: list[Task], jobs: Jobs, data_hash: bool) -> Iterator[Outcome]:
    """The outcomes of a batch; where it fails, of each of its entries alone, so that a fault is where it belongs."""
    started = time.perf_counter()
    try:
        with told_in_a_suite():
            computed = _computed(batch, jobs, data_hash)
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
    for task, (results, comparisons) in zip(batch, computed, strict=True):
        reasons = [*gates.failures(results), *(system.failure for system in comparisons if system.failure)]
        status = "failed" if reasons else "passed"
        yield Outcome(
            task.entry.name, task.entry.kind, status, tuple(results), tuple(comparisons), tuple(reasons),
            seconds=seconds,
        )  # fmt: skip


def _computed(batch: list[Task], jobs: Jobs, data_hash: bool) -> list[tuple[list[Result], list[Comparison]]]:
    task = batch[0]
    jobs = _workers(batch, jobs)
    if task.entry.kind == "comparisons":
        return [([], _compared(task, jobs, data_hash))]
    asked_for = [_questions(member) for member in batch]
    if not task.is_shared:
        results = [[result for question in asked_for[0] for result in _alone(question, jobs, data_hash)]]
    else:
        questions = [question for of_entry in asked_for for question in of_entry]
        losses = [loss for question in questions for loss in losses_of(question)]
        confidences = [question.confidence for question in questions]
        with compute.prepared(losses, reading=questions[0].reading, jobs=jobs) as shared:
            stream = iter(compute.results_of_each(shared, confidences, data_hash))
            results = [[result for _ in of_entry for result in next(stream)] for of_entry in asked_for]
    bounds = [of_entry[0].bounds for of_entry in asked_for]
    return [
        (gates.checked(of_entry, bound) if bound else of_entry, [])
        for of_entry, bound in zip(results, bounds, strict=True)
    ]


def _workers(batch: list[Task], jobs: Jobs) -> Jobs:
    """Who computes a batch: this process where parts would cut its lists, or rows are matched by ids."""
    is_parted = all(spec.loss.engine.is_parted for task in batch for spec in task.specs)
    is_aligned = any(task.call["align"] is not None for task in batch)
    return jobs if isinstance(jobs, int) or (is_parted and not is_aligned) else None


def _questions(task: Task) -> list[Question]:
    """What an entry asks, loss by loss."""
    inputs = task.values["inputs"]
    named, texts = (inputs, []) if isinstance(inputs, dict) else ({}, inputs)
    refuse_unsuited(task.call, [spec.loss for spec in task.specs])
    device = choose(task.call["device"]).name
    return [_question(task, spec, texts, named, device) for spec in task.specs]


def _question(task: Task, spec: Spec, texts: Sequence[str], named: Mapping[str, str], device: str) -> Question:
    call, own, note = liked(task.call, spec.loss, form_of(task.call, spec.loss), spec.by_hand)
    question = Question.of(call, [make(spec.loss, **{**own, **spec.by_hand})], texts, named, device=device)
    return question._replace(note=note)


def _alone(question: Question, jobs: Jobs, data_hash: bool) -> list[Result]:
    """A loss among those of another kind, the mean over the hardest rows, or of rows that are matched by ids."""
    with opened(question._replace(jobs=jobs, bounds=None)) as answer:
        return answer.results(data_hash=data_hash)


def _compared(task: Task, jobs: Jobs, data_hash: bool) -> list[Comparison]:
    values, device = task.values, choose(task.call["device"]).name
    question = ComparisonQuestion.of(task.call, task.specs, values["base"], values["others"], device=device)
    return compare(question._replace(jobs=jobs), data_hash=data_hash)
