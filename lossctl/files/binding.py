"""Which column of which file is which role. What cannot be told for certain is an error that shows the ways out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, UsageError
from ..language.roles import LABEL_NAMES, PREDICTION_NAMES, PROBABILITY_NAMES, ROLES, TRIPLET, TRUTH_NAMES, Role
from ..text import shown
from .classes import columns_of_classes, first_values, names_in
from .dialect import PLAIN, Dialect, refuse_idle
from .embeddings import unnamed, upright
from .ids import NAMES as IDS
from .opening import label_of
from .selectors import listed
from .sources import Field, Frame, frame_of, open_source, parse_source

if TYPE_CHECKING:
    from types import TracebackType

Given = Any  # the text of a source, `Paths`, an array, a table or a dict


class Paths(tuple[str, ...]):
    """Files that are read as one."""


@dataclass
class Desk:
    """The files that are open for one computation, each once, whatever many roles it holds. A context manager: what
    is wrong with the rows says in which of them.

    names: what messages call the inputs;  rows: what they call a row of each first input
    """

    dialect: Dialect = PLAIN
    stack: ExitStack = field(default_factory=ExitStack)
    frames: dict[str, Frame] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    rows: list[Callable[[int], str]] = field(default_factory=list)

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(fault, DataError):
            fault.place(tuple(self.names), self.rows[0] if len(self.rows) == 1 else None)
        self.stack.__exit__(kind, fault, trace)

    def frame(self, source: Given, name: str) -> tuple[Frame, str | None]:
        """The frame of a source, and its selector."""
        if isinstance(source, Paths):
            return self._opened(source, " ".join(source)), None
        if not isinstance(source, str):
            self.names[name] = None
            return frame_of(source, name, self.dialect.allow_missing), None
        parsed = parse_source(source)
        return self._opened(parsed.path, parsed.path), parsed.selector

    def _opened(self, path: str | tuple[str, ...], key: str) -> Frame:
        if key not in self.frames:
            self.frames[key] = self.stack.enter_context(open_source(path, self.dialect))
            self.names[label_of(self.frames[key].path)] = None
        return self.frames[key]

    def refuse_idle(self, told: Iterable[tuple[str, str]]) -> None:
        """UsageError for a setting that is about none of the open files."""
        refuse_idle(told, {frame.format for frame in self.frames.values()})

    def field(self, source: Given, role: Role) -> Field:
        """The column or columns of one source that hold one role."""
        return self.rest(source, role, ())

    def rest(self, source: Given, role: Role, others: Collection[Field]) -> Field:
        """The same, without columns that other roles have by name; those that a selector names are taken all."""
        frame, selector = self.frame(source, role.option)
        if selector is not None:
            return frame.select(selector)
        return pick(frame, role, _of_frame(frame, others))


def bind(desk: Desk, roles: Sequence[Role], sources: Sequence[Given], named: Mapping[str, Given]) -> dict[str, Field]:
    """Each role's columns: from the option that names it, else from the sources in role order, or from one alone.

    sources: sources in role order; named: role name -> source
    """
    if sum(isinstance(source, str) and source == "-" for source in sources) > 1:
        raise UsageError("stdin ('-') can be read once only", fix="write one of the inputs to a file")
    open_roles = [role for role in roles if role.name not in named]
    if len(sources) != len(open_roles) and (len(sources) != 1 or not open_roles):
        fix = QUOTE if len(sources) > len(roles) and _alike(sources) else _order(roles)
        raise UsageError(_wrong_count(roles, open_roles, len(sources)), fix=fix)
    by_name = {role.name: desk.field(named[role.name], role) for role in roles if role.name in named}
    others = by_name.values()
    if len(sources) == len(open_roles):
        fields = {role.name: desk.rest(source, role, others) for role, source in zip(open_roles, sources, strict=True)}
    else:
        frame, selector = desk.frame(sources[0], "input")
        block = frame.select(selector) if selector is not None else None
        fields = split(frame, block, open_roles, _of_frame(frame, others))
    bound = {**fields, **by_name}
    for role in roles:
        _refuse_bits(bound[role.name], role)
    if roles[0].is_set and len(roles) == 2:
        emb, label = upright(*(bound[role.name] for role in roles))
        bound = {roles[0].name: emb, roles[1].name: label}
    return bound


def _refuse_bits(field: Field, role: Role) -> None:
    """DataError for uint16 where fractions are expected: numpy has no bfloat16, and its bits are often kept so."""
    if role.is_fractional and field.frame.dtype_of(field) == "uint16":
        raise DataError(
            f"{label_of(field.frame.path)}: {field.name}: uint16 values as {role.option}",
            why="bfloat16 is often saved as its 16 bits, and read as whole numbers they mean nothing",
            fix="if that is what they are: np.save(path, (x.astype('u4') << 16).view('f4')); if not: x.astype('i4')",
        )


LOOKED_AT = 20  # columns of a text that are read to tell which may be meant
EMBEDDED = re.compile(r"^emb(?:eddings?)?_|_(?:emb(?:eddings?)?|vec(?:tors?)?)$")
QUOTE = "to read several files as one, put quotes around the pattern: 'preds/*.npy'"


def _alike(sources: Sequence[Given]) -> bool:
    """Whether they could be what a shell made of a pattern."""
    return all(isinstance(source, str) for source in sources) and len({source[-4:] for source in sources}) == 1


def _of_frame(frame: Frame, fields: Collection[Field]) -> list[Field]:
    return [field for field in fields if field.frame is frame]


def _wrong_count(roles: Sequence[Role], open_roles: Sequence[Role], got: int) -> str:
    names = ", ".join(role.option for role in (open_roles or roles))
    if not open_roles:
        return f"{got} sources beside options that name every input"
    sources = "no source" if not got else f"{got} sources"
    return f"{sources} for {len(open_roles)} inputs ({names})"


def _order(roles: Sequence[Role]) -> str:
    order = " ".join(role.option.upper() for role in roles)
    options = " ".join(f"--{role.option} SRC" for role in roles)
    return f"give one file that holds all, or: {order}, or: {options}"


def pick(frame: Frame, role: Role, taken: Collection[Field] = ()) -> Field:
    """The columns of a frame that hold `role`, of those not taken: all of a plain array, else by name."""
    if not frame.names or frame.width == 1 or (frame.format == "memory" and _is_block(frame, role, taken)):
        return _whole(frame, taken)
    return _named(frame, [role], taken)[role.name]


def _is_block(frame: Frame, role: Role, taken: Collection[Field]) -> bool:
    """A table in memory of which no column is called like the role is all of it, as an array would be."""
    content = frame.content
    if role.layout == "row" or content.unit != "column" or any(map(content.columns_of, range(frame.width))):
        return False
    return not _columns_of(frame, role, {frame.names[column] for field in taken for column in field.columns})


def split(frame: Frame, block: Field | None, roles: Sequence[Role], taken: Collection[Field] = ()) -> dict[str, Field]:
    """One source as all of `roles`: by column names, or by position in an array without names."""
    is_stack = frame.width == 1 and bool(_axes_of(frame))
    if block is None and frame.names and not is_stack:
        return _named(frame, roles, taken)
    return _by_position(frame, block or _whole(frame, taken), roles)


def _axes_of(frame: Frame) -> tuple[int, ...]:
    """The shape of the only array of a frame, where it has more than two axes; () for others."""
    return frame.field(0).axes if frame.width == 1 or not frame.names else ()


def _whole(frame: Frame, taken: Collection[Field]) -> Field:
    """All columns of an array, or of the only key there is, that are not taken; all where all are."""
    block = frame.all_columns()
    is_key = block.width != len(block.columns)
    gone = {column for field in taken for column in ((field.inner or ()) if is_key else field.columns)}
    left = tuple(column for column in range(block.width) if column not in gone) if gone else ()
    if not left:
        return block
    if is_key:
        without = ", ".join(str(column + 1) for column in sorted(gone))
        return block._replace(name=f"{block.name} without column {without}", inner=left)
    return frame.block(left) if len(left) > 1 else frame.field(left[0])


def _truth_of(roles: Sequence[Role], bound: Mapping[str, Field], others: Collection[Field]) -> Field | None:
    return next((bound[role.name] for role in roles if role.truth and role.name in bound), next(iter(others), None))


def _class_columns(frame: Frame, truth: Field, taken: Collection[str]) -> tuple[str, ...]:
    """The columns that are called after the classes of the truth: ham and spam, or p_ham and p_spam."""
    try:
        classes = names_in(truth) if truth.width == 1 else ()
    except DataError:
        return ()
    free = [name for name in frame.names if name not in taken]
    names = columns_of_classes(free, classes)
    if names and set(names) == set(classes):
        _refuse_more_classes(frame, names, free)
    return names


def _refuse_more_classes(frame: Frame, names: Sequence[str], free: Sequence[str]) -> None:
    """DataError where the columns of classes are no whole, and others stand beside them: of a class that no row has?"""
    usual = {*IDS, *(name for role in ROLES.values() for name in role.columns)}
    others = [name for name in free if name not in names and name.lower() not in usual and _holds_numbers(frame, name)]
    if not others or _are_whole(_field(frame, tuple(names))):
        return
    path, both = frame.path, [name for name in free if name in names or name in others]
    at = [frame.names.index(name) for name in both]
    is_run = at == list(range(at[0], at[0] + len(at)))
    raise DataError(
        f"{label_of(path)}: columns are called {listed(tuple(names))}, as the labels are, and "
        f"{listed(tuple(others))} as none",
        why="rows of the former do not sum to 1, and a column may be of a class that no row has",
        fix=f"if they are classes too: --prob {quote(f'{path}::{both[0]}..{both[-1]}')} "
        f"--classes {quote(','.join(both))}"
        if is_run
        else "give the columns of all classes as a file of their own",
    )


def _are_whole(field: Field) -> bool:
    """Whether the first rows sum to 1."""
    try:
        rows = first_values(field, "number")
    except DataError:
        return False
    return bool((abs(rows.sum(axis=1) - 1) < 1e-3).all())


def _named(frame: Frame, roles: Sequence[Role], others: Collection[Field]) -> dict[str, Field]:
    bound: dict[str, Field] = {}
    taken = {frame.names[column] for field in others for column in field.columns}
    # a role whose names are few knows them better: `p` is a probability only where no role is called p
    for role in sorted(roles, key=lambda role: len(role.columns)):
        names = _columns_of(frame, role, taken)
        if names:
            _refuse_matrices(frame, role, names)
            taken.update(names)
            bound[role.name] = _field(frame, names)
    for role in roles:
        if "logit" in role.columns and role.name in bound:
            _refuse_decisions(frame, role, bound[role.name], taken)
        if role.is_set and role.name not in bound and (vectors := unnamed(frame, taken)) is not None:
            bound[role.name] = vectors
    missing = [role for role in roles if role.name not in bound]
    if len(missing) == 1 and missing[0].has_class_columns and (truth := _truth_of(roles, bound, others)):
        names = _class_columns(frame, truth, taken)
        if names:
            bound[missing.pop().name] = _field(frame, names)
    if missing:
        columns = ", ".join(shown(name) for name in frame.names[:8]) + (", ..." if len(frame.names) > 8 else "")
        role = missing[0]
        several = _like(frame, role, taken)
        if several:
            raise _ambiguous(frame, role, several)
        choices = _choices(frame, role, taken)
        taken = {*taken, *_covered(frame, _candidates(frame, role, taken))}
        others_too = "".join(f", the {other.option} with {_choices(frame, other, taken)}" for other in missing[1:])
        raise DataError(
            f"{label_of(frame.path)}: no column is called {' or '.join(role.columns[:3])}: which is the {role.option}?",
            why=f"{role.option}: {role.meaning}; the columns are {columns}",
            fix=_two_views(frame, role) or f"name it with {choices}{others_too}, or give it as a file of its own",
        )
    return {role.name: bound[role.name] for role in roles}


def _refuse_matrices(frame: Frame, role: Role, names: Sequence[str]) -> None:
    """DataError for several matrices where one input is asked for: negative_1 beside negative_2."""
    if len(names) == 1 or all(frame.content.columns_of(frame.names.index(name)) in (None, 1) for name in names):
        return
    sides = {side: _columns_of(frame, ROLES[side], ()) or (side,) for side in TRIPLET[:2]}
    others = [f"{side}=np.tile(x[{shown(name)!r}], ({len(names)}, 1))" for side, (name, *_) in sides.items()]
    stacked = ", ".join(f"x[{shown(name)!r}]" for name in names)
    raise DataError(
        f"{label_of(frame.path)}: {listed(tuple(names))} are matrices, and the {role.option} is one",
        why="a triplet has one anchor, one positive and one negative" if role.is_of_triplet else "",
        fix=f"make a triplet of each negative: np.savez('apn.npz', {', '.join(others)}, "
        f"negative=np.concatenate([{stacked}]))"
        if role.name == TRIPLET[2]
        else f"choose one: --{role.option} {quote(f'{frame.path}::{names[0]}')}",
    )


def holds_triplets(frame: Frame) -> bool:
    """Whether a frame has anchors, positives and negatives by name; by letters only as matrices."""
    sides = [_columns_of(frame, ROLES[side], ()) for side in TRIPLET]
    named = [name for names in sides for name in names]
    if all(sides) and any(len(name) == 1 or name.startswith("arr_") for name in named):
        widths = {frame.content.columns_of(frame.names.index(name)) for name in named}
        return len(widths) == 1 and widths.isdisjoint({None, 1})
    return all(sides)


def _refuse_decisions(frame: Frame, role: Role, field: Field, taken: Collection[str]) -> None:
    """DataError where a column such as `pred` holds only 0 and 1, and what it was decided by may stand beside it."""
    name = frame.names[field.columns[0]]
    if name.lower() not in PREDICTION_NAMES or len(field.columns) > 1 or not _are_all(field, _is_decision):
        return
    is_one = _is_share if role.columns[0] == PROBABILITY_NAMES[0] else np.isfinite
    others = [
        other
        for other in _candidates(frame, role, taken)
        if _are_all(frame.select(f"={other}"), is_one) and not _are_all(frame.select(f"={other}"), _is_whole)
    ]
    if not others:
        return
    choices = " or ".join(f"--{role.option} {quote(f'{frame.path}::{other}')}" for other in others[:3])
    decided = shown(name)
    raise DataError(
        f"{label_of(frame.path)}: column '{decided}' holds only 0 and 1, beside {listed(tuple(others))}",
        why=f"decisions are no {role.option}; what made them may stand beside, of label 1 or of the decision",
        fix=f"{choices} if it is of label 1; if it is of the decision, write 1 - {shown(others[0])} where {decided} is "
        f"0; for the decisions as they are --{role.option} {quote(f'{frame.path}::{name}')}",
    )


def _are_all(field: Field, holds: Callable[[Any], Any]) -> bool:
    """Whether the first numbers of a column are all of a kind; False where there is none, or one that is no number."""
    try:
        values = first_values(field, "number")
    except DataError:
        return False
    return bool(values.size and np.all(holds(values)))


def _is_decision(values: Any) -> Any:
    return (values == 0) | (values == 1)


def _is_share(values: Any) -> Any:
    return (values >= 0) & (values <= 1)


def _is_whole(values: Any) -> Any:
    return values == np.floor(values)


def _choices(frame: Frame, role: Role, taken: Collection[str]) -> str:
    """The options that would name the columns of a role."""
    places = _candidates(frame, role, taken) or ["FIRST..LAST" if role.layout == "vectors" else "COLUMN"]
    selectors = [f"={place}" if place.isdigit() else place for place in places[:3]]
    return " or ".join(f"--{role.option} {quote(f'{frame.path}::{selector}')}" for selector in selectors)


def _candidates(frame: Frame, role: Role, taken: Collection[str]) -> list[str]:
    """The columns that may be meant where none is called like the role, as selectors write them."""
    others = {*IDS, *(() if role.truth else (*LABEL_NAMES, *TRUTH_NAMES))}
    free = [name for name in frame.names if name not in taken and name.strip().lower() not in others]
    if role.truth or role.kind == "category":
        return free
    place = {name: at for at, name in enumerate(frame.names)}
    kinds = {name: frame.content.kind_of(place[name]) for name in free}
    unread = set([name for name in free if kinds[name] == "unknown"][LOOKED_AT:])
    free = [
        name
        for name in free
        if kinds[name] == "number" or name in unread or (kinds[name] != "text" and _holds_numbers(frame, name))
    ]
    if (
        not (role.layout == "vectors" or role.is_per_class)
        or len(free) < 2
        or any(map(frame.content.columns_of, range(frame.width)))
    ):
        return free
    family = max((_family([name for name in free if _stem(name) == _stem(first)]) for first in free), key=len)
    run = list(family) if len(family) > 1 else free
    at = [frame.names.index(name) for name in run]
    if at == list(range(at[0], at[0] + len(at))):
        return [f"{run[0]}..{run[-1]}"]
    return [] if role.layout == "vectors" else free


def _covered(frame: Frame, places: Sequence[str]) -> Collection[str]:
    """The columns of the one place that may be meant; none where it may be another."""
    first, _, last = places[0].partition("..") if len(places) == 1 else ("", "", "")
    if not {first, last or first} <= set(frame.names):
        return ()
    return frame.names[frame.names.index(first) : frame.names.index(last or first) + 1]


def _stem(name: str) -> str:
    return re.sub(r"[0-9]+(\]?)$", r"\1", name)


def _holds_numbers(frame: Frame, name: str) -> bool:
    try:
        first_values(frame.select(f"={name}"), "number")
    except DataError:
        return False
    return True


def _two_views(frame: Frame, role: Role) -> str:
    """How two embeddings a row become a set, where a set is asked for and no label stands beside them; "" elsewhere."""
    if not role.is_set or len(frame.names) != 2 or frame.content.unit != "key":
        return ""
    left, right = frame.names
    if len({frame.content.columns_of(column) for column in (0, 1)}) != 1 or frame.content.columns_of(0) == 1:
        return ""
    return (
        f"if row k of {shown(left)} belongs to row k of {shown(right)}: np.savez('views.npz', "
        f"emb=np.concatenate([{shown(left)}, {shown(right)}]), label=np.tile(np.arange(len({shown(left)})), 2), "
        f"view=np.repeat([0, 1], len({shown(left)}))), then views.npz; with --exclude-same views.npz::view only "
        f"{shown(left)} against {shown(right)} counts, as in CLIP"
    )


def _columns_of(frame: Frame, role: Role, taken: Collection[str]) -> tuple[str, ...]:
    """The columns that are called like the role; of a vector also as anchor_emb, or embeddings_anchor."""
    lower = {title.lower(): title for title in frame.names if title not in taken}
    names = _called(frame, role, lower)
    if names or not role.is_of_triplet:
        return names
    bare = {EMBEDDED.sub("", title): name for title, name in lower.items() if EMBEDDED.search(title)}
    return next(((bare[name],) for name in role.columns if name in bare), ())


def _called(frame: Frame, role: Role, lower: Mapping[str, str]) -> tuple[str, ...]:
    for name in role.columns:
        if name in lower and not (name == "x" and role.layout == "vectors" and _is_axis(frame, lower[name])):
            return (lower[name],)
        if "*" in name:
            matching = [title for low, title in lower.items() if fnmatchcase(low, name)]
            if len(matching) == 1:
                return tuple(matching)
            if matching:
                family = _family(matching) if role.layout != "row" else ()
                if family or role.layout == "row" or not any(low in role.columns for low in lower):
                    return family
                raise _ambiguous(frame, role, matching)
        elif role.layout != "row":
            pattern = re.escape(name) + r"[_.\[]?\d+\]?"
            family = _family([title for low, title in lower.items() if re.fullmatch(pattern, low)])
            if family and not (role.is_set and _are_words(frame, family)):
                return family
    return ()


def _are_words(frame: Frame, names: Sequence[str]) -> bool:
    """Whether keys are the names of vectors among others, as x7 and x33 are: they do not count from 0 or 1."""
    if frame.content.unit != "key" or len(names) == frame.width:
        return False
    if any(frame.content.columns_of(frame.names.index(name)) is not None for name in names):
        return False
    numbers = [int(name.rstrip("]")[len(_stem(name).rstrip("]")) :]) for name in names]
    return numbers[0] > 1 or numbers != list(range(numbers[0], numbers[0] + len(numbers)))


def _is_axis(frame: Frame, title: str) -> bool:
    """Whether a column is one coordinate of several, as x beside y and z."""
    return len(frame.names) > 1 and frame.select(f"={title}").width == 1


def _like(frame: Frame, role: Role, taken: Collection[str]) -> list[str]:
    """The columns that a pattern of the role takes in, where more than one."""
    patterns = [name for name in role.columns if "*" in name]
    titles = [title for title in frame.names if title not in taken]
    matching = [[title for title in titles if fnmatchcase(title.lower(), pattern)] for pattern in patterns]
    return next((alike for alike in matching if len(alike) > 1), [])


def _family(titles: Sequence[str]) -> tuple[str, ...]:
    """Columns that are called alike but for a number at the end, in the order of the number; () for others."""
    split = [re.fullmatch(r"(.*?)(\d+)(\]?)", title) for title in titles]
    if not all(split) or len({(part[1].lower(), part[3]) for part in split if part}) != 1:
        return ()
    return tuple(title for _, title in sorted((int(part[2]), part[0]) for part in split if part))


def _ambiguous(frame: Frame, role: Role, titles: Sequence[str]) -> DataError:
    at = [frame.names.index(title) for title in titles]
    is_run = (role.layout == "vectors" or role.is_per_class) and at == list(range(at[0], at[0] + len(at)))
    ends = [f"{titles[0]}..{titles[-1]}"] if is_run else titles[:3]
    choices = " or ".join(f"--{role.option} {quote(f'{frame.path}::{end}')}" for end in ends)
    return DataError(
        f"{label_of(frame.path)}: {len(titles)} columns could be the {role.option}: "
        f"{', '.join(map(shown, titles[:8]))}",
        why=f"{role.option} is {role.meaning}",
        fix=f"say which: {choices}",
    )


def _field(frame: Frame, names: tuple[str, ...]) -> Field:
    if len(names) == 1:
        return frame.field(frame.names.index(names[0]))
    columns = tuple(frame.names.index(name) for name in names)
    return Field(frame, f"columns '{shown(names[0])}'..'{shown(names[-1])}'", columns, 2, "unknown")


def _by_position(frame: Frame, block: Field, roles: Sequence[Role]) -> dict[str, Field]:
    """Predictions first, the truth last; inputs of one shape share the columns evenly."""
    k = block.width
    last = roles[-1]
    if roles[0].is_set:
        raise DataError(
            f"{label_of(frame.path)}: embeddings without labels",
            why="which column would be the label cannot be told",
            fix="; ".join([VIEWS_OF_ROWS, *_ways_of_a_stack(block.axes)])
            if block.axes
            else f"add the labels as a second file, or --label {label_of(frame.path)}::COLUMN",
        )
    if block.axes and roles[0].is_of_triplet:
        raise _stacked_triplets(f"{label_of(frame.path)}: {block.name}", block.axes)
    single_last = last.truth and not roles[0].is_shaped_as_truth
    shared = len(roles) - single_last
    width, rest = divmod(k - single_last, shared)
    if width < 1 or rest:
        names = " and ".join(role.option for role in roles)
        raise DataError(
            f"{label_of(frame.path)}: {k} column{'s' if k > 1 else ''} cannot be split into {names}",
            why="a single source needs the columns of every input, predictions first, the truth last",
            fix="give three files, or the embeddings with --index FILE"
            if roles[0].is_of_triplet
            else f"add a second file, or --{last.option} SRC",
        )
    widths = [width] * shared + [1] * single_last
    starts = [sum(widths[:position]) for position in range(len(widths))]
    return {role.name: _slice(block, start, size) for role, start, size in zip(roles, starts, widths, strict=True)}


VIEWS_OF_ROWS = "if the views of a row belong together, number the rows: np.save('y.npy', np.arange(len(x))), as labels"


def _stacked_triplets(place: str, shape: tuple[int, ...]) -> DataError:
    """The error of anchors, positives and negatives in one array: which axis they stand along, and how to part them."""
    ways = _ways_of_a_stack(shape)
    return DataError(
        f"{place}: shape {shown(str(shape))}",
        why="which axis holds anchors, positives and negatives is not written in it",
        fix="; ".join(ways) if ways else "give three files, or the embeddings with --index FILE",
    )


def _ways_of_a_stack(shape: tuple[int, ...]) -> list[str]:
    """What an array x of three axes may hold as triplets, and how to part each; none where its axes are too short."""
    if len(shape) != 3:
        return []
    sides, saved = TRIPLET, "np.savez('apn.npz', "
    ways, meanings = [], []
    if shape[1] >= 3:
        negatives = shape[1] - 2
        meanings.append(f"an anchor, a positive and {negatives} negative{'s' if negatives > 1 else ''} a row")
        parts = [f"{side}=np.repeat(x[:, {k}], {negatives}, axis=0)" for k, side in enumerate(sides[:2])]
        parts += ["negative=x[:, 2:].reshape(-1, x.shape[-1])"]
        parts = parts if negatives > 1 else [f"{side}=x[:, {k}]" for k, side in enumerate(sides)]
        ways.append(f"{saved}{', '.join(parts)})")
    if shape[0] == 3:
        meanings.append("all anchors, all positives, all negatives")
        ways.append(f"{saved}{', '.join(f'{side}=x[{k}]' for k, side in enumerate(sides))})")
    return [f"if it is {meaning}: {way}" for meaning, way in zip(meanings, ways, strict=True)]


def _slice(block: Field, start: int, size: int) -> Field:
    """Some of the columns of a block, counted within it."""
    ndim = 1 if size == 1 else 2
    if block.width != len(block.columns) or block.inner is not None:  # the columns of one NPZ key
        inner = (block.inner or tuple(range(block.width)))[start : start + size]
        text = f"{block.name} column {inner[0] + 1}" + (f"..{inner[-1] + 1}" if size > 1 else "")
        return block._replace(name=text, ndim=ndim, inner=inner)
    columns = block.columns[start : start + size]
    if size == 1:
        return block.frame.field(columns[0])
    return block._replace(name=f"columns {columns[0] + 1}..{columns[-1] + 1}", columns=columns)


def index_of(desk: Desk, source: Given) -> Field:
    """The three columns of an index: those called anchor, positive and negative, or all of a source of three."""
    frame, selector = desk.frame(source, "index")
    if selector is not None:
        chosen = frame.select(selector)
    elif set(TRIPLET) <= set(frame.names):
        chosen = _field(frame, TRIPLET)
    else:
        chosen = frame.all_columns()
    if chosen.ndim != 2 or chosen.width != 3:
        if chosen.ndim == 2 and chosen.width > 3:
            raise _wide_index(chosen)
        raise DataError(
            f"{label_of(frame.path)}: {chosen.name}: an index has three columns",
            why="each row is a triplet: the rows of its anchor, its positive and its negative",
            fix="choose them: PATH::1..3",
        )
    return chosen


def _wide_index(chosen: Field) -> DataError:
    """The fault of an index of more columns: turned by 90 degrees, or with several negatives a row."""
    negatives = chosen.width - 2
    turned = "np.save(path, x.T)"
    several = "np.save(path, np.concatenate([x[:, [0, 1, k]] for k in range(2, x.shape[1])]))"
    of_each = f"an anchor, a positive and {negatives} negatives a row are {negatives} triplets each"
    is_turned = chosen.frame.rows == 3
    return DataError(
        f"{label_of(chosen.frame.path)}: {chosen.name}: an index has three columns, anchor, positive, negative",
        why=f"its three rows may be all anchors, all positives, all negatives, as miners return them; or {of_each}"
        if is_turned
        else of_each,
        fix=f"if its rows are anchors, positives and negatives: {turned}; if negatives stand side by side: {several}"
        if is_turned
        else several,
    )


def described(fields: Mapping[str, Field], roles: Sequence[Role]) -> str:
    """Which column became which role, for a note."""
    return ", ".join(f"{role.option} = {fields[role.name].name}" for role in roles if role.name in fields)
