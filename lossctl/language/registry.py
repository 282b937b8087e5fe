"""A loss is a function; this file reads everything else off it.

`@loss` turns a function into a `Loss` and lists it in `LOSSES`. Positional parameters are roles, keyword-only
parameters are options, the docstring is the help. `parse("focal:gamma=1.5")` gives a `Spec`, and its `str` gives the
text back.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, overload

from ..errors import UsageError
from ..text import option_text
from .roles import ROLES, Role

Engine = Literal["rows", "tally", "panel", "lists"]

# --- option domains


class Domain(NamedTuple):
    """What an option may be.

    kind: float, int, bool, or str
    low, high: the closed bounds of a number; low_open excludes the lower bound
    words: texts that are allowed (beside a number, when kind is a number)
    many: a list of numbers (`1/2/4`, or read from a file); single: one number alone is a number, not a list
    optional: None is allowed, written "none"
    """

    kind: type
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    words: tuple[str, ...] = ()
    many: bool = False
    single: bool = False
    optional: bool = False

    @property
    def text(self) -> str:
        """The domain in a few words, for help and errors; empty where every number will do."""
        if self.kind is bool:
            return "true or false"
        whole = ["a whole number"] if self.kind is int else []
        bounds = [f"{'>' if self.low_open else '>='} {self.low:g}"] if self.low > -math.inf else []
        bounds += [f"<= {self.high:g}"] if self.high < math.inf else []
        parts = [" ".join([*whole, " and ".join(bounds)]).strip()] if bounds or whole else []
        parts += ["a list such as 0.2/0.3/0.5, or a file"] if self.many else []
        parts += list(self.words)
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
            raise ValueError(text)
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
            raise ValueError(value)
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
ClassIndex = Annotated[int | None, Domain(int, optional=True)]
Alpha = Annotated[
    float | str | None, Domain(float, low=0, high=1, words=("balanced",), many=True, single=True, optional=True)
]
Weights = Annotated[tuple[float, ...] | None, Domain(float, low=0, many=True, optional=True)]
Numbers = Annotated[tuple[float, ...] | None, Domain(float, many=True, optional=True)]
Metric = Literal["euclidean", "sqeuclidean", "cosine"]


def _domain(function: Callable[..., Any], name: str) -> Domain:
    """What the annotation of one parameter says."""
    annotation = function.__annotations__[name]
    if isinstance(annotation, str):
        annotation = eval(annotation, function.__globals__)
    if hasattr(annotation, "__metadata__"):
        domain = annotation.__metadata__[0]
        assert isinstance(domain, Domain)
        return domain
    return Domain(str, words=get_args(annotation))


# --- losses


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
        except (ValueError, KeyError, TypeError):
            raise UsageError(
                f"{self.flag} cannot be {value!r}", fix=f"it may be: {self.domain.text or 'any number'}"
            ) from None


@dataclass(frozen=True, eq=False)
class Loss:
    """One loss, as its function tells it.

    name, aliases: kebab-case; family: the module it stands in
    function: values of the roles, and options, to one value a row (or a `Weighted`)
    roles, options: its inputs and its knobs, in order
    engine: "rows" (row by row), "tally" (counts of categories), "panel" (an embedding set against itself),
        "lists" (one value a list: the rows that share a group)
    finish: what is done to the mean at the end (rmse), or None
    reductions: how its rows (anchors, triplets) may become one number, the default first
    cosine: a panel loss of similarities, whatever the distance
    everyone: a panel loss of all points, not only of the anchors that have a positive and a negative
    """

    name: str
    function: Callable[..., Any] = field(repr=False)
    roles: tuple[Role, ...] = field(repr=False)
    options: tuple[Option, ...] = field(repr=False)
    engine: Engine = "rows"
    aliases: tuple[str, ...] = ()
    finish: Callable[[float], float] | None = field(default=None, repr=False)
    reductions: tuple[str, ...] = ("mean",)
    everyone: bool = False
    cosine: bool = False

    @property
    def family(self) -> str:
        return self.function.__module__.rpartition(".")[2]

    @cached_property
    def doc(self) -> dict[str, str]:
        """The docstring in parts: "summary", and one entry for each `Word: text` line below it."""
        return _read_docstring(self.function.__doc__ or "")

    @property
    def summary(self) -> str:
        return self.doc["summary"]

    @property
    def truth(self) -> Role | None:
        """The role that -y gives."""
        return next((role for role in self.roles if role.truth), None)


class Weighted(NamedTuple):
    """What a loss returns where its rows do not count alike: totals that already carry the weights.

    total: weight times loss, (n,)
    weight: what the row adds to the divisor of the mean, (n,)
    """

    total: Any
    weight: Any


LOSSES: dict[str, Loss] = {}
REDUCTIONS: dict[Engine, tuple[str, ...]] = {
    "rows": ("mean", "sum", "none"),
    "tally": ("mean",),
    "panel": ("mean", "sum", "none"),
    "lists": ("mean", "sum", "none"),
}
FAMILIES = ("regression", "classification", "divergence", "impurity", "pairs", "ranking", "embedding")


Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def loss(function: Function) -> Function: ...
@overload
def loss(
    *,
    engine: Engine = "rows",
    aliases: tuple[str, ...] = (),
    finish: Callable[[float], float] | None = None,
    reductions: tuple[str, ...] | None = None,
    everyone: bool = False,
    cosine: bool = False,
) -> Callable[[Function], Function]: ...
def loss(
    function: Callable[..., Any] | None = None,
    *,
    engine: Engine = "rows",
    aliases: tuple[str, ...] = (),
    finish: Callable[[float], float] | None = None,
    reductions: tuple[str, ...] | None = None,
    everyone: bool = False,
    cosine: bool = False,
) -> Any:
    """List `function` as a loss, under its own name; the decorated name is the plain function still."""

    def listed(function: Any) -> Any:
        made = _read_function(
            function,
            engine=engine,
            aliases=aliases,
            finish=finish,
            reductions=reductions or (("mean",) if finish else _reductions(function, engine)),
            everyone=everyone,
            cosine=cosine,
        )
        LOSSES[made.name] = made
        return function

    return listed if function is None else listed(function)


def _reductions(function: Callable[..., Any], engine: Engine) -> tuple[str, ...]:
    """What suits the engine; and positives, where the labels are 0 and 1."""
    chances = {"prob", "chance", "logit", "score"} & set(function.__code__.co_varnames[:1])
    return (*REDUCTIONS[engine], "positives") if chances and engine == "rows" else REDUCTIONS[engine]


def _read_function(function: Callable[..., Any], *, engine: Engine, **more: Any) -> Loss:
    code, defaults = function.__code__, function.__kwdefaults__ or {}
    positional = code.co_varnames[: code.co_argcount]
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    doc = _read_docstring(function.__doc__ or "")
    roles = ("emb", "identity") if positional == ("panel",) else positional
    roles = (*roles, "group") if engine == "lists" else roles
    return Loss(
        name=function.__name__.replace("_", "-"),
        function=function,
        roles=tuple(ROLES[name] for name in roles),
        options=tuple(Option(name, _domain(function, name), defaults[name], doc[name]) for name in keywords),
        engine=engine,
        **more,
    )


def _read_docstring(text: str) -> dict[str, str]:
    summary, _, body = text.strip().partition("\n\n")
    parts = {"summary": " ".join(summary.split())}
    key = None
    for line in body.splitlines():
        word, colon, rest = line.strip().partition(": ")
        if colon and word.isidentifier():
            key = word
            parts[key] = f"{parts[key]}\n{rest.strip()}" if key in parts else rest.strip()
        elif key and line.strip():
            parts[key] += " " + line.strip()
    return parts


@cache
def load() -> dict[str, Loss]:
    """All losses by name: LOSSES with every family imported."""
    for family in FAMILIES:
        importlib.import_module(f"lossctl.losses.{family}")
    return LOSSES


def find(name: str) -> Loss:
    """The loss called `name` (or an alias; `_` does for `-`); UsageError with the nearest names where there is none."""
    wanted = name.strip().lower().replace("_", "-")
    known = names()
    if wanted in known:
        return known[wanted]
    import difflib

    near = difflib.get_close_matches(wanted, known, n=2, cutoff=0.6)
    guess = f". Did you mean {' or '.join(repr(word) for word in near)}?" if near else ""
    raise UsageError(f"unknown loss {name!r}{guess}", fix="see all losses with: lossctl list")


def names() -> dict[str, Loss]:
    """Every name and alias, and the loss it means."""
    losses = load()
    return {**{alias: item for item in losses.values() for alias in item.aliases}, **losses}


# --- specs


class Spec(NamedTuple):
    """A loss with all its options set. Its text, `focal:gamma=1.5`, is its identity: parse(str(spec)) == spec."""

    loss: Loss
    params: tuple[tuple[str, Any], ...]

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.params)

    def __str__(self) -> str:
        chosen = [
            f"{option.flag}={option_text(value)}"
            for option, (_, value) in zip(self.loss.options, self.params, strict=True)
            if value != option.default
        ]
        return ":".join([self.loss.name, ",".join(chosen)]) if chosen else self.loss.name


def make(target: Loss, **options: Any) -> Spec:
    """`target` with `options` (texts or Python values) and the defaults of the rest; UsageError on a wrong one."""
    known = {option.name: option for option in target.options}
    for name in options:
        if name not in known:
            raise UsageError(f"{target.name} has no option {name!r}", fix=_fix_for_option(target))
    return Spec(
        target,
        tuple((name, known[name].check(options[name]) if name in options else known[name].default) for name in known),
    )


def _fix_for_option(target: Loss) -> str:
    flags = ", ".join(option.flag for option in target.options)
    return f"{target.name} knows {flags}" if flags else f"{target.name} has no options"


def parse(text: str) -> Spec:
    """The spec that a text such as `focal:gamma=2,alpha=0.25` means; UsageError with a fix where it means none."""
    name, _, rest = text.partition(":")
    target = find(name)
    options = dict(_split_option(part, text) for part in rest.split(",") if part.strip())
    return make(target, **options)


def _split_option(part: str, text: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals:
        raise UsageError(f"cannot read {part!r} in {text!r}", fix="write options as name=value, with commas between")
    return name.strip().replace("-", "_"), value


def walk() -> Iterator[Loss]:
    """All losses, family by family, in the order they are written."""
    order = {family: position for position, family in enumerate(FAMILIES)}
    yield from sorted(load().values(), key=lambda item: order[item.family])
