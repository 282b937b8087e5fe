"""What a call from Python may look like: its arguments by name, each of a type that its signature says."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from ..errors import UsageError, told_in_python
from ..files import again
from ..language.registry import Spec
from ..text import did_you_mean, shown

Function = TypeVar("Function", bound=Callable[..., Any])
ARRAYS = ("__len__", "__array__", "__dlpack__", "__cuda_array_interface__", "collect")  # what a source in memory has
ALTERNATIVES = re.compile(r" \| (?![^\[]*\])")


class Type(NamedTuple):
    """One of the types of an argument. holds: whether a value is of it;  name: what a fix calls it"""

    holds: Callable[[Any], bool]
    name: str


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _is_several(value: Any, kind: Any) -> bool:
    items = value.tolist() if hasattr(value, "tolist") else value
    return isinstance(items, list | tuple) and all(isinstance(plain(item), kind) for item in items)


def _is_source(value: Any) -> bool:
    is_array = any(hasattr(value, name) for name in ARRAYS)
    return isinstance(value, str) or (is_array and not isinstance(value, bytes | set | frozenset | type))


TYPES = {
    "None": Type(lambda value: value is None, ""),
    "Any": Type(lambda value: True, ""),
    "str": Type(lambda value: isinstance(value, str), "a text"),
    "bool": Type(lambda value: isinstance(value, bool), "True or False"),
    "int": Type(_is_whole, "a whole number"),
    "float": Type(_is_number, "a number"),
    "Spec": Type(lambda value: isinstance(value, Spec), ""),
    "Source": Type(_is_source, "an array, or the name of a file or of a column"),
    "Executor": Type(lambda value: hasattr(value, "submit"), "an executor"),
    "PathLike[str]": Type(lambda value: hasattr(value, "__fspath__"), ""),
    "Sequence[str]": Type(lambda value: _is_several(value, str), "a list of texts"),
    "Sequence[str | int]": Type(lambda value: _is_several(value, str | int), "a list of names"),
    "Sequence[float]": Type(lambda value: _is_several(value, int | float), "a list of numbers"),
    "Sequence[str | Spec]": Type(lambda value: _is_several(value, str | Spec), "a list of them"),
    "Sequence[bytes]": Type(lambda value: _is_several(value, bytes), "a list of bytes"),
    "tuple[int, int]": Type(
        lambda value: _is_several(value, int) and len(value) == 2, "(P, K): P classes with K rows each, such as (18, 4)"
    ),
}


def plain(value: Any) -> Any:
    """A number of numpy as one of Python; paths as texts."""
    if value is None or type(value) in (str, bool, int, float):
        return value
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    numpy: Any = sys.modules.get("numpy")
    return value.item() if numpy is not None and isinstance(value, numpy.generic) else value


def called(function: Function) -> Function:
    """The function for calls from Python: faults speak Python, and so are arguments of other names and types; what was
    done again is told."""
    signature = inspect.signature(function)
    first = [name for name, item in signature.parameters.items() if item.kind is item.POSITIONAL_OR_KEYWORD]

    @wraps(function)
    def checked(*arguments: Any, **keywords: Any) -> Any:
        with told_in_python():
            check(signature, {**dict(zip(first, arguments, strict=False)), **keywords})
            try:
                return function(*arguments, **keywords)
            except TypeError as fault:
                if fault.__traceback__ is not None and fault.__traceback__.tb_next is None:  # of the call itself
                    _bind(function.__name__, signature, arguments, keywords)
                raise
            finally:
                again.log()

    return checked  # type: ignore[return-value]


def check(signature: inspect.Signature, arguments: Mapping[str, Any]) -> None:
    """UsageError for an argument that is of none of the types of its parameter; others than parameters are let by."""
    for name in arguments.keys() & signature.parameters.keys():
        _check(signature.parameters[name], arguments[name])


def _check(parameter: inspect.Parameter, value: Any) -> None:
    """UsageError for an argument that is of none of the types of its parameter."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return
    types = [TYPES[name] for name in ALTERNATIVES.split(str(parameter.annotation))]
    if parameter.kind is not parameter.KEYWORD_ONLY and {TYPES["Source"], TYPES["Spec"]} & {*types}:
        return  # what stands first is judged by the call, which says what is to stand there
    value = plain(value)
    if not any(type.holds(value) for type in types):
        kinds = " or ".join(type.name for type in types if type.name)
        raise UsageError(f"{parameter.name} cannot be {shown(repr(value))}", fix=f"give {kinds}")


def _bind(name: str, signature: inspect.Signature, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    """UsageError for arguments that do not fit the signature."""
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as fault:
        raise _unbound(name, signature, keywords, str(fault)) from None


def _unbound(name: str, signature: inspect.Signature, keywords: dict[str, Any], reason: str) -> UsageError:
    """The fault of a call whose arguments do not fit the signature."""
    parameters = signature.parameters.values()
    known = [item.name for item in parameters if item.kind is item.KEYWORD_ONLY]
    takes_any = any(item.kind is item.VAR_KEYWORD for item in parameters)
    unknown = next((keyword for keyword in keywords if keyword not in signature.parameters and not takes_any), None)
    if unknown is not None:
        return UsageError(
            f"{name} has no argument {unknown!r}{did_you_mean(unknown, known)}",
            fix=f"its options are {', '.join(known)}",
        )
    needed = []
    for item in parameters:
        if item.kind is item.VAR_POSITIONAL:
            needed.append(f"*{item.name}")
        elif item.default is item.empty and item.kind is not item.VAR_KEYWORD:
            needed.append(f"{item.name}=..." if item.kind is item.KEYWORD_ONLY else item.name)
    return UsageError(f"{name}: {reason}", fix=f"lossctl.{name}({', '.join(needed)})")
