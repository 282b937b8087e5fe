"""What an option of a loss may be: its domain, as the annotation of a keyword-only parameter says it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args

from ..errors import UsageError


class Domain(NamedTuple):
    """What an option may be.

    kind: float, int, bool, or str
    low, high: the closed bounds of a number; low_open excludes the lower bound
    words: texts that are allowed (beside a number, when kind is a number)
    many: a list of numbers (`1/2/4`, or read from a file); single: one number alone is a number, not a list
    optional: None is allowed, written "none"
    stem: a text that is allowed with a number of at least 1 behind it, as in minkowski:3
    """

    kind: type
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    words: tuple[str, ...] = ()
    many: bool = False
    single: bool = False
    optional: bool = False
    stem: str = ""

    @property
    def text(self) -> str:
        """The domain in a few words, for help and errors; empty where every number will do."""
        if self.kind is bool:
            return "true or false"
        kinds = ["a whole number"] if self.kind is int else []
        bounds = [f"{'>' if self.low_open else '>='} {self.low:g}"] if self.low > -math.inf else []
        bounds += [f"<= {self.high:g}"] if self.high < math.inf else []
        parts = [" ".join([*kinds, " and ".join(bounds)]).strip()] if bounds or kinds else []
        parts += ["a list such as 0.2/0.3/0.5, or a file"] if self.many else []
        parts += list(self.words)
        parts += [f"{self.stem}:P with P >= 1"] if self.stem else []
        parts += ["none"] if self.optional else []
        return ", ".join(parts[:-1]) + " or " + parts[-1] if len(parts) > 1 else "".join(parts)

    def read(self, text: str) -> Any:
        """The value that `text` means; ValueError where it means none. A list may also be the name of a file."""
        text = text.strip()
        if self.optional and text.lower() == "none":
            return None
        if text in self.words:
            return text
        if self.kind is bool:
            return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}[text.lower()]
        if self.kind is str:
            return self._with_number(text)
        if self.many:
            numbers = tuple(_number(part, float) for part in text.replace(",", "/").split("/"))
            return self.check(numbers[0] if self.single and len(numbers) == 1 else numbers)
        return self.check(_number(text, self.kind))

    def check(self, value: Any) -> Any:
        """`value` itself, whole numbers made floats where floats are meant; ValueError where it is not allowed."""
        if value is None and self.optional:
            return None
        if isinstance(value, str):
            if value in self.words:
                return value
            return self._with_number(value)
        if self.kind is bool:
            if isinstance(value, bool):
                return value
            raise ValueError(value)
        if self.single and isinstance(value, tuple | list) and len(value) == 1:
            value = value[0]
        if self.many and hasattr(value, "__len__"):
            return tuple(self._check_number(float(item)) for item in value)
        if value != self.kind(value):
            raise ValueError(value)
        return self._check_number(self.kind(value))

    def shares_of(self, value: Any) -> tuple[str, str] | None:
        """A list that is beyond the upper bound as shares of its largest number, and that number; None for others."""
        try:
            parts = value.replace(",", "/").split("/") if isinstance(value, str) else value
            numbers = [float(part) for part in parts] if self.many and self.high == 1 else []
        except (ValueError, TypeError):
            return None
        most = max(numbers, default=0.0)
        if len(numbers) < 2 or not (min(numbers) >= 0 and 1 < most < math.inf):
            return None
        return "/".join(repr(number / most) for number in numbers), repr(most)

    def _with_number(self, text: str) -> str:
        if not (self.stem and text.startswith(f"{self.stem}:")):
            raise ValueError(text)
        return named_power(text)

    def _check_number(self, value: float) -> float:
        inside = self.low < value if self.low_open else self.low <= value
        if not (inside and value <= self.high and math.isfinite(value)):
            raise ValueError(value)
        return value


def _number(text: str, kind: type) -> float:
    if "_" in text or not text.isascii():
        raise ValueError(text)
    number: float = kind(text)
    return number


Real = Annotated[float, Domain(float)]
Positive = Annotated[float, Domain(float, low=0, low_open=True)]
NonNegative = Annotated[float, Domain(float, low=0)]
Fraction = Annotated[float, Domain(float, low=0, high=1)]
Base = Annotated[float, Domain(float, low=1, low_open=True)]
Flag = Annotated[bool, Domain(bool)]
Seed = Annotated[int, Domain(int, low=0)]
Count = Annotated[int, Domain(int, low=1)]
Bins = Annotated[int, Domain(int, low=1)]
ClassIndex = Annotated[int | None, Domain(int, optional=True)]
Alpha = Annotated[
    float | str | None, Domain(float, low=0, high=1, words=("balanced",), many=True, single=True, optional=True)
]
LabelWeight = Annotated[float | tuple[float, ...], Domain(float, low=0, many=True, single=True)]
Threshold = Annotated[float | None, Domain(float, low=0, high=1, low_open=True, optional=True)]
Weights = Annotated[tuple[float, ...] | None, Domain(float, low=0, many=True, optional=True)]
Numbers = Annotated[tuple[float, ...] | None, Domain(float, many=True, optional=True)]
MINKOWSKI = "minkowski"
ANGULAR = ("cosine", "angular")  # of directions
METRICS = ("euclidean", "sqeuclidean", "cosine", "manhattan", "angular")
Metric = Annotated[str, Domain(str, words=METRICS, stem=MINKOWSKI)]  # at least 0
Order = Annotated[str, Domain(str, words=(*METRICS, "dot"), stem=MINKOWSKI)]  # tells what is nearer


def named_power(text: str) -> str:
    """`minkowski:P` with P as it is written everywhere; ValueError where it is no number of at least 1."""
    stem, _, number = text.partition(":")
    power = _number(number, float)
    if not 1 <= power < math.inf:
        raise ValueError(text)
    return f"{stem}:{power:.17g}"


def named_distance(text: str) -> str:
    """A distance by its one name. UsageError for a minkowski:P whose P is no number of at least 1."""
    if text.partition(":")[0] != MINKOWSKI:
        return text
    try:
        return named_power(text)
    except ValueError:
        raise UsageError(f"{text} is no distance", fix="give a number of at least 1: --distance minkowski:3") from None


def domain_of(function: Callable[..., Any], name: str) -> Domain:
    """What the annotation of one parameter says."""
    annotation = function.__annotations__[name]
    if isinstance(annotation, str):
        annotation = _evaluated(annotation, function.__module__)
    if hasattr(annotation, "__metadata__"):
        domain = annotation.__metadata__[0]
        assert isinstance(domain, Domain)
        return domain
    return Domain(str, words=get_args(annotation))


@cache
def _evaluated(annotation: str, module: str) -> Any:
    return eval(annotation, vars(sys.modules[module]))


class Option(NamedTuple):
    """One keyword-only parameter of a loss: its name as in Python, its domain and default, one line of help."""

    name: str
    domain: Domain
    default: Any
    help: str

    @property
    def flag(self) -> str:
        """The name as in a shell, without the dashes: label_smoothing -> label-smoothing."""
        return self.name.replace("_", "-")

    def check(self, value: Any) -> Any:
        """`value` (a text or a Python value) in its one true form; UsageError where it is not allowed."""
        try:
            return self.domain.read(value) if isinstance(value, str) else self.domain.check(value)
        except (ValueError, KeyError, TypeError, OverflowError):
            shares = self.domain.shares_of(value)
            larger = (
                f"; for weights of classes above 1, --{self.flag} {shares[0]} --scale {shares[1]}" if shares else ""
            )
            raise UsageError(
                f"{self.flag} cannot be {value!r}", fix=f"it may be: {self.domain.text or 'any number'}{larger}"
            ) from None
