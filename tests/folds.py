"""Many small cases of one claim as a few tests: pytest spends ten milliseconds on a test, however small it is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest


def fold(name: str, cases: Mapping[str, Iterable[Any]], slow: Mapping[str, Iterable[Any]] | None = None) -> Any:
    """Decorate a test that takes a case as `name`: it becomes one test for each group of cases.

    cases: the group's name -> its cases;  slow: groups that are left to the slow tests. All cases of a group are tried,
    and those that fail are told with their text.
    """

    def decorate(test: Callable[..., None]) -> Any:
        @functools.wraps(test)
        def over(group: Iterable[Any], **fixtures: Any) -> None:
            failures: list[BaseException] = []
            for case in group:
                try:
                    test(**{name: case}, **fixtures)
                except (Exception, pytest.fail.Exception) as error:
                    error.add_note(f"{name}: {case}")
                    failures.append(error)
            if failures:
                raise failures[0] if len(failures) == 1 else BaseExceptionGroup(f"{len(failures)} cases", failures)

        old = inspect.signature(test)
        others = [parameter for parameter in old.parameters.values() if parameter.name != name]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        over.__signature__ = old.replace(parameters=[inspect.Parameter("group", kind), *others])  # type: ignore[attr-defined]
        del over.__wrapped__  # type: ignore[attr-defined]
        groups = [pytest.param(list(members), id=key) for key, members in cases.items()]
        left = [
            pytest.param(list(rest), id=f"{key}, rest", marks=[pytest.mark.slow]) for key, rest in (slow or {}).items()
        ]
        return pytest.mark.parametrize("group", groups + left)(over)

    return decorate


def by(key: Callable[[Any], str], cases: Iterable[Any]) -> dict[str, list[Any]]:
    """The cases by what `key` says of each, in order."""
    groups: dict[str, list[Any]] = {}
    for case in cases:
        groups.setdefault(key(case), []).append(case)
    return groups
