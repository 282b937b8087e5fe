"""A loss is a function; this file reads everything else off it.

`@loss` turns a function into a `Loss` and lists it in `LOSSES`. Positional parameters are roles, keyword-only
parameters are options, the docstring is the help. `parse("focal:gamma=1.5")` gives a `Spec`, and its `str` gives the
text back.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any, NamedTuple, TypeVar, overload

from ..errors import UsageError
from ..text import option_text
from .domains import ANGULAR, Domain, Option, domain_of
from .engines import ROWS, SETS, Engine
from .roles import IDENTITY, PAIR, POINTS, ROLES, TRIPLET, Role

# --- losses


@dataclass(frozen=True, eq=False)
class Loss:
    """One loss, as its function tells it.

    name, aliases: kebab-case; family: the module it stands in
    function: values of the roles, and options, to one value a row, or to `Weighted` or `Sums`
    roles: its inputs, in order
    engine: how it meets its input: row by row, by counts of categories, list by list, a set against itself, two views
        of the same things against each other, or all rows together
    finish: the number that the sums over all rows give, `finish(*totals, weight)` with the options that it names; None
        for their mean, total / weight. Totals are exact fractions, or arrays with one total a resample
    stands_alone: whether a single row has a loss: that of a set of one row
    is_signed: neither lower nor higher is better;  is_gain: higher is better
    reductions: how its rows (anchors, triplets) may become one number, the default first
    cosine: a panel loss of similarities, whatever the distance
    even_at: its value for one positive and one negative alike, where it decides between them; None where it does not
    term: the loss that one of its terms is, of a pair or a triplet, which a curve draws for it
    lone: what may be done with an anchor that is alone in its class: "drop" it, count it as "zero", take it for its
        "self" at distance 0, or count its "negatives" alone; () where means are over pairs, and it makes no difference
    is_angular: points are compared by their direction, whatever the distance
    of_triangle: a panel loss that compares positives with negatives too
    takes_masks: predictions may be decided already, masks of class numbers as the labels are
    everyone: a panel loss of all points, not only of the anchors that have a positive and a negative
    at_once: `at_once(panel, options)`, what the function gives with each of several sets of options, to nine digits,
        where these share most of their work; None where they share little
    """

    name: str
    function: Callable[..., Any] = field(repr=False)
    roles: tuple[Role, ...] = field(repr=False)
    engine: Engine = ROWS
    aliases: tuple[str, ...] = ()
    finish: Callable[..., Any] | None = field(default=None, repr=False)
    stands_alone: bool = True
    is_signed: bool = False
    is_gain: bool = False
    reductions: tuple[str, ...] = ("mean",)
    everyone: bool = False
    cosine: bool = False
    even_at: float | None = None
    term: str = ""
    is_angular: bool = False
    of_triangle: bool = False
    takes_masks: bool = False
    at_once: Callable[..., Any] | None = field(default=None, repr=False)
    lone: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Callable[[str], Loss], tuple[str]]:
        """Pickled by name."""
        return _unpickled, (self.name,)

    @property
    def family(self) -> str:
        return self.function.__module__.rpartition(".")[2]

    @cached_property
    def options(self) -> tuple[Option, ...]:
        """Its knobs: the keyword-only parameters of its function, in order."""
        code, defaults = self.function.__code__, self.function.__kwdefaults__ or {}
        names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        return tuple(Option(name, domain_of(self.function, name), defaults[name], self.doc[name]) for name in names)

    @cached_property
    def all_options(self) -> tuple[Option, ...]:
        """Its options, and the label of rows that are left out, where rows have one label each; it stands in no name of
        a number unless it is set."""
        is_own = any(option.name == IGNORED.name for option in self.options)
        takes_labels = self.roles[-1].is_label and self.roles[0].name != "label_scores"
        return (*self.options, IGNORED) if takes_labels and not is_own else self.options

    @cached_property
    def doc(self) -> dict[str, str]:
        """The docstring in parts: "summary", and one entry for each `Word: text` line below it."""
        return _read_docstring(self.function.__doc__ or "")

    @cached_property
    def summary(self) -> str:
        """The first sentence of its docstring."""
        return _summary(self.function.__doc__ or "")

    @property
    def all_reductions(self) -> tuple[str, ...]:
        """Its reductions, and those over cells where its rows have any."""
        has_cells = self.engine.is_by_row and self.finish is None and self.roles[0].has_cells
        return (*self.reductions, *CELLS) if has_cells else self.reductions

    @property
    def of_classes(self) -> str:
        """The loss of the same name of one class index a row; "" where there is none."""
        name = f"multiclass-{self.name}"
        return name if name in load() else ""

    @property
    def has_plane(self) -> bool:
        """Whether one positive and one negative have a loss by their similarities to the anchor alone."""
        return self.cosine and not self.of_triangle

    @property
    def is_of_pairs(self) -> bool:
        """Whether a row is a pair of points, which may be given by its distance."""
        return self.engine.is_by_row and tuple(role.name for role in self.roles) == PAIR

    @property
    def is_of_order(self) -> bool:
        """Whether its terms are those of triplets of a set, which ask for differences of distances alone."""
        return bool(self.term) and find(self.term).is_of_triplets

    @property
    def is_of_triplets(self) -> bool:
        """Whether a row is a triplet of points, which may be given as rows of a set."""
        return self.engine.is_by_row and tuple(role.name for role in self.roles) == TRIPLET

    @property
    def has_class_weights(self) -> bool:
        """Whether its classes are the rows of an option, beside embeddings."""
        return self.roles[0].is_set and not self.engine.has_space

    @property
    def weighs_classes(self) -> bool:
        """Whether an option weighs its classes."""
        return not self.has_class_weights and any(option.name == "class_weights" for option in self.options)

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


class Sums(tuple[Any, ...]):
    """What a loss returns that is no mean: the columns whose sums over all rows it finishes, (n,) each.

    The weights of the rows are added up behind them.
    """

    def __new__(cls, *columns: Any) -> Sums:
        return super().__new__(cls, columns)


def columns_of(value: Any) -> tuple[Any, ...]:
    """What a loss has returned, as the columns that are added up, (n,) each; the weight last, None for ones."""
    if isinstance(value, Weighted):
        return tuple(value)
    return (*value, None) if isinstance(value, Sums) else (value, None)


def _embedding_set(panel: Any) -> None:
    """A labelled set of embeddings that is read for its triplets, and has no loss of its own."""


SET = Loss("embedding set", _embedding_set, (POINTS, IDENTITY), engine=SETS)


def _unpickled(name: str) -> Loss:
    return SET if name == SET.name else find(name)


IGNORED = Option("ignore_index", Domain(int, optional=True), None, "rows with this label are left out (255, -100)")
LOSSES: dict[str, Loss] = {}
CELLS = ("mean-elements", "sum-elements")  # over the cells of all rows
# options that may hold a number for each class
OF_CLASSES = ("class_weights", "class_counts", "alpha", "pos_weight", "prior", "levels")
BY_NAME: dict[str, Loss] = {}  # names and aliases
FAMILIES = (
    *("regression", "robust", "relative", "quantile", "forecasts", "likelihood", "explained"),
    *(
        "classification",
        "scoring",
        "margins",
        "decisions",
        "ordinal",
        "language",
        "segmentation",
        "regions",
        "boxes",
        "divergence",
        "impurity",
        "adversarial",
    ),
    *(
        "pairs",
        "cosines",
        "views",
        "spread",
        "spectral",
        "ranking",
        "gains",
        "embedding",
        "structures",
        "allpairs",
        "proxies",
        "preference",
        "together",
        "prototypes",
    ),
)


def of_triplets() -> Loss:
    """The loss whose rows are triplets."""
    return next(loss for loss in walk() if loss.is_of_triplets)


Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def loss(function: Function) -> Function: ...
@overload
def loss(**settings: Any) -> Callable[[Function], Function]: ...
def loss(function: Callable[..., Any] | None = None, **settings: Any) -> Any:
    """List `function` as a loss, under its own name; the decorated name is the plain function still.

    settings: fields of `Loss` that its function does not tell: engine, aliases, finish, stands_alone, reductions ...;
        roles where a function takes its input as one panel, and they are not those of the engine
    """

    def listed(function: Any) -> Any:
        entry = _read_function(function, **settings)
        LOSSES[entry.name] = entry
        BY_NAME.update(dict.fromkeys((entry.name, *entry.aliases), entry))
        return function

    return listed if function is None else listed(function)


def _reductions(function: Callable[..., Any], engine: Engine) -> tuple[str, ...]:
    """What suits the engine; and positives, where the labels are 0 and 1."""
    chances = {"prob", "chance", "logit", "score"} & set(function.__code__.co_varnames[:1])
    return (*engine.reductions, "positives") if chances and engine is ROWS else engine.reductions


def _read_function(
    function: Callable[..., Any], *, engine: Engine = ROWS, roles: tuple[str, ...] = (), **settings: Any
) -> Loss:
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    roles = roles or (engine.roles if positional == ("panel",) else positional)
    return Loss(
        name=function.__name__.replace("_", "-"),
        function=function,
        roles=tuple(ROLES[name] for name in (*roles, *engine.roles_beside)),
        engine=engine,
        **{
            "reductions": ("mean",) if settings.get("finish") else _reductions(function, engine),
            "stands_alone": engine.has_values,
            **settings,
        },
    )


def _read_docstring(text: str) -> dict[str, str]:
    parts = {"summary": _summary(text)}
    key = None
    for line in map(str.strip, text.partition("\n\n")[2].splitlines()):
        word, colon, rest = line.partition(": ")
        if colon and word.isidentifier():
            key = word
            parts[key] = f"{parts[key]}\n{rest}" if key in parts else rest
        elif key and line:
            parts[key] += " " + line
    return parts


def _summary(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


@cache
def load() -> dict[str, Loss]:
    """All losses by name: LOSSES with every family imported."""
    for family in FAMILIES:
        importlib.import_module(f"lossctl.losses.{family}")
    return LOSSES


def find(name: str) -> Loss:
    """The loss called `name`, an alias of ours (`_` does for `-`) or its name in a library (`F.l1_loss`).

    UsageError with the nearest names where there is none.
    """
    name, opened, arguments = name.partition("(")
    if opened and arguments.strip(" )"):
        raise UsageError(
            f"{name}({arguments} is a call",
            why="what other code calls its options has other names here",
            fix=f"give the name alone, {name}; its page tells the options",
        )
    kebab = "-".join(name.lower().replace("_", "-").split())
    for family in FAMILIES:  # only as far as the one that has it: a call imports few of them
        if kebab in BY_NAME:
            break
        importlib.import_module(f"lossctl.losses.{family}")
    if kebab in BY_NAME:
        return BY_NAME[kebab]
    refuse_pointer(name)
    from . import elsewhere

    known = elsewhere.ours(name)
    if known is not None:
        return find(known)
    stem = kebab.replace("*", "-star").replace("-loss", "")
    if stem in names():
        return names()[stem]
    plain = elsewhere.plain(name).removesuffix("loss")
    alike = {elsewhere.plain(other).removesuffix("loss"): loss for other, loss in reversed(names().items())}
    if plain in alike:  # InfoNCE, arc_face, GIoULoss
        return alike[plain]
    stem, _, places = kebab.partition("@")  # ndcg@10
    if stem in names() and places.isdigit():
        from . import synonyms

        if cutoff := synonyms.meant("at", [option.name for option in names()[stem].all_options]):
            raise UsageError(f"unknown loss {name!r}", fix=f"write {stem}:{cutoff}={places}")
    if kebab.startswith("neg-") and (meant := elsewhere.ours(kebab[4:]) or kebab[4:]) in names():
        raise UsageError(f"{name!r} is minus a loss", why="scores of scikit-learn rise", fix=f"write {meant}")
    if "," in name and all(part in names() for part in kebab.split(",")):
        first, *others = kebab.split(",")
        more = " ".join(f"--also {other}" for other in others)
        raise UsageError(f"{name!r}: several losses", fix=f"give one at a time, or in a shell: {first} ... {more}")
    import difflib

    near = [other for other in names() if sorted(other) == sorted(kebab)]  # letters in another order
    stems = {other if stem == kebab else other.removesuffix("-loss"): other for other in reversed(names())}
    near = near or [stems[other] for other in difflib.get_close_matches(stem, stems, n=2, cutoff=0.75)]
    guess = f". Did you mean {' or '.join(repr(word) for word in near)}?" if near else ""
    raise UsageError(f"unknown loss {name!r}{guess}", fix="see all losses with: lossctl list")


def refuse_pointer(name: str) -> None:
    """UsageError for a name that is known, though it is no loss: what it is, and what to use."""
    from .pointers import pointer

    if (known := pointer(name)) is not None:
        what, why, use, _ = known
        raise UsageError(f"{name!r} is no loss here: {what}", why=why, fix=use)


def names() -> dict[str, Loss]:
    """Every name and alias, and the loss it means."""
    load()
    return BY_NAME


# --- specs


class Spec(NamedTuple):
    """A loss with all its options set. Its text, `focal:gamma=1.5`, is its identity: parse(str(spec)) == spec."""

    loss: Loss
    params: tuple[tuple[str, Any], ...]

    @property
    def options(self) -> dict[str, Any]:
        """What its function takes."""
        return dict(self.params[: len(self.loss.options)])

    @property
    def by_hand(self) -> dict[str, Any]:
        """The options that are not their defaults."""
        pairs = zip(self.loss.all_options, self.params, strict=False)
        return {name: value for option, (name, value) in pairs if value != option.default}

    @property
    def finish(self) -> Callable[..., Any] | None:
        """What the loss makes of its sums, with the options that it takes for that; None for their mean."""
        finish = self.loss.finish
        if finish is None:
            return None
        names = finish.__code__.co_varnames[: finish.__code__.co_argcount + finish.__code__.co_kwonlyargcount]
        return partial(finish, **{name: value for name, value in self.params if name in names})

    @property
    def is_weighted(self) -> bool:
        """Whether its classes are weighted."""
        return self.loss.weighs_classes and self.options["class_weights"] is not None

    @property
    def ignored(self) -> int | None:
        """The label of rows that are left out; None for none."""
        label: int | None = dict(self.params).get(IGNORED.name)
        return label

    @property
    def can_ignore(self) -> bool:
        """Whether rows may carry a mark by which they are left out."""
        return any(option.name == IGNORED.name for option in self.loss.all_options)

    @property
    def class_numbers(self) -> dict[str, tuple[float, ...]]:
        """The options that hold a number for each class."""
        return {name: value for name, value in self.params if name in OF_CLASSES and isinstance(value, tuple)}

    @property
    def class_distances(self) -> tuple[float, ...] | None:
        """A number for each pair of classes, row by row."""
        numbers: tuple[float, ...] | None = self.options.get("class_distances")
        return numbers

    @property
    def class_weights(self) -> tuple[float, ...] | None:
        """One row of weights for each class, beside embeddings."""
        numbers: tuple[float, ...] | None = self.options["class_weights"]
        return numbers

    def blank_of(self, symbols: int) -> int:
        """The symbol that is none, of so many; -1 is the last."""
        blank = int(self.options.get("blank", 0))
        return blank if blank >= 0 else symbols + blank

    @property
    def centers(self) -> int:
        """How many rows of the class weights a class has."""
        return int(self.options.get("centers", 1))

    @property
    def metric(self) -> str:
        """The distance that is an option of its own, "" for none."""
        return str(self.options.get("distance", ""))

    @property
    def is_on_sphere(self) -> bool:
        """Whether an option of its own puts the points on the unit sphere."""
        return bool(self.options.get("normalize", False))

    @property
    def balanced(self) -> str | None:
        """The option whose numbers are the inverse frequencies of the classes, None for none."""
        return next((name for name, value in self.params if value == "balanced"), None)

    @property
    def margin(self) -> float:
        """The margin, 0 where it has none."""
        margin: float = self.options.get("margin", 0.0)
        return margin

    def with_margin(self, margin: float) -> Spec:
        """The same with another margin."""
        return make(self.loss, **{**self.options, "margin": margin})

    @property
    def width(self) -> float:
        """The longest of the errors or distances at which it bends, 0 where no option says one."""
        return max(float(self.options.get(name, 0.0)) for name in ("delta", "beta", "margin"))

    @property
    def seed(self) -> int:
        """The seed of its own draws, 0 where it draws nothing."""
        return int(self.options.get("seed", 0))

    @property
    def steepness(self) -> float:
        """The factor of what is compared, 1 where it has none."""
        return float(self.options.get("beta", 1.0))

    @property
    def is_soft(self) -> bool:
        """Whether it goes on beyond its margin, without a bend."""
        return bool(self.options.get("soft", False))

    @property
    def is_mutual(self) -> bool:
        """Whether it looks from a positive to the negatives too."""
        return bool(self.options.get("swap", False))

    @property
    def is_angular(self) -> bool:
        """Whether points are compared by their direction."""
        is_on_sphere = bool(self.options.get("normalize", False))
        return is_on_sphere or self.loss.is_angular or self.loss.cosine or self.metric in ANGULAR

    def alone(self, columns: tuple[Any, ...]) -> Any:
        """The loss of each row alone, times the weight that the loss gave it, (n,), from its columns."""
        finish = self.finish
        return columns[0] if finish is None else finish(*(1.0 if column is None else column for column in columns))

    def __str__(self) -> str:
        chosen = [
            f"{option.flag}={option_text(value)}"
            for option, (_, value) in zip(self.loss.all_options, self.params, strict=False)
            if value != option.default
        ]
        return ":".join([self.loss.name, ",".join(chosen)]) if chosen else self.loss.name


def make(target: Loss, **options: Any) -> Spec:
    """`target` with `options` (texts or Python values) and the defaults of the rest; UsageError on a wrong one."""
    known = {option.name: option for option in target.all_options}
    for name in options:
        if name not in known:
            from . import synonyms

            fix = synonyms.fix(name, target, known)
            raise UsageError(f"{target.name} has no option {name!r}", fix=fix)
    values = {name: known[name].check(options[name]) if name in options else known[name].default for name in known}
    own = {option.name for option in target.options}
    return Spec(target, tuple((name, value) for name, value in values.items() if name in own or value is not None))


def parse(text: str) -> Spec:
    """The spec that a text such as `focal:gamma=2,alpha=0.25` means; UsageError with a fix where it means none."""
    name, _, rest = text.partition(":")
    if rest and "=" not in rest:  # reg:squarederror, the name of a loss itself
        from . import elsewhere

        known = elsewhere.ours(text)
        name, rest = (name, rest) if known is None else (known, "")
    target = find(name)
    options: dict[str, str] = {}
    for part in rest.split(","):
        if part.strip():
            option, value = _split_option(part, text)
            if option in options:
                raise UsageError(f"{option.replace('_', '-')} stands twice in {text!r}", fix="give it once")
            options[option] = value
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
