"""A computation cut into parts that are done anywhere, each to a few bytes, and put together again.

The plan of it goes with every part, so a part needs nothing but lossctl and the files; what comes of it is the bytes of
one process, whoever did the parts and in whichever order they come back.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import UsageError
from ..results.values import Result
from . import answers
from .question import Question

STATE = b"lossctl/state/1 "  # what the bytes of a state begin with


@dataclass(frozen=True, eq=False)
class PartOfQuestion:
    """Rows start..stop of a computation. It can be pickled; `state` does it, here or elsewhere."""

    question: Question
    start: int
    stop: int
    work: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"<part {self.question.specs[0]}: rows {self.start}..{self.stop}>"

    def state(self) -> bytes:
        """What these rows add to the result, for `merge`; a fault in the data is in it too, and raised there."""
        answer = self.work(self.start, self.stop, *self.arguments)
        return STATE + pickle.dumps(_State(pickle.dumps(self.question), self.start, self.stop, answer))


class _State(NamedTuple):
    question: bytes
    start: int
    stop: int
    answer: Any


class _Planned(Exception):
    """All parts are known."""


class _Planning:
    """An executor that only takes note of the parts."""

    ahead = sys.maxsize

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> _Planning:
        self.calls.append((fn, args))
        return self

    def result(self) -> Any:
        raise _Planned

    def cancel(self) -> None:
        """There is nothing to stop."""


class _Done(NamedTuple):
    """A future that is there already."""

    answer: Any

    def result(self) -> Any:
        return self.answer

    def cancel(self) -> None:
        """There is nothing to stop."""


class _Kept:
    """An executor that has every answer from a state."""

    def __init__(self, states: Iterable[_State]) -> None:
        self.answers = {(state.start, state.stop): state.answer for state in states}

    def submit(self, fn: Callable[..., Any], /, start: int, stop: int, *args: Any) -> _Done:
        if (start, stop) not in self.answers:
            raise UsageError(
                f"the state of rows {start}..{stop} is missing",
                why="a result is of all parts",
                fix="merge the states of all parts that lossctl.parts gave, made from the same files",
            )
        return _Done(self.answers[start, stop])


def planned(question: Question) -> list[PartOfQuestion]:
    """The parts of a question, in the order of the rows. UsageError for what cannot be cut."""
    if question.keep:
        raise UsageError("keep in parts", why="the hardest rows take several readings", fix="use executor= instead")
    planning = _Planning()
    with answers.opened(question._replace(jobs=planning)) as answer, contextlib.suppress(_Planned):
        answer.results()
    asked = question._replace(jobs=None)
    return [PartOfQuestion(asked, start, stop, work, tuple(rest)) for work, (start, stop, *rest) in planning.calls]


def merged(states: Sequence[bytes]) -> tuple[Question, list[Result]]:
    """The results of all parts together, and what was asked. UsageError for states that are not of one question."""
    held = [_read(state) for state in states]
    if not held:
        raise UsageError("no state to merge", fix="give those of all parts that lossctl.parts gave")
    if any(state.question != held[0].question for state in held):
        raise UsageError("states of different computations", fix="merge those of one call of lossctl.parts")
    question: Question = pickle.loads(held[0].question)
    with answers.opened(question._replace(jobs=_Kept(held))) as answer:
        return question, answer.results()


def _read(state: bytes) -> _State:
    state = bytes(state)
    if not state.startswith(STATE):
        raise UsageError("not the state of a part", fix="give the bytes that PartOfQuestion.state returned")
    kept: _State = pickle.loads(state[len(STATE) :])
    return kept
