"""Which column of which file is which role. What cannot be told for certain is an error that shows the ways out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, UsageError
from ..language.roles import TRIPLET, Role
from ..text import shown
from .classes import first_values
from .dialect import NEEDS, PLAIN, Dialect
from .naming import columns_called, field_called, named
from .opening import label_of
from .sources import Field, Frame, open_source, parse_source

if TYPE_CHECKING:
    from types import TracebackType

Given = Any  # the text of a source, `Paths`, an array, a table or a dict


class Paths(tuple[str, ...]):
    """Files that are read as one."""


@dataclass(eq=False)
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
            from .memory import frame_of

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
        """UsageError for a setting that is about none of the open files. told: what is set by hand, as it is written"""
        for key, name in told:
            format, what, why = NEEDS[key]
            if all(frame.format != format for frame in self.frames.values()):
                raise UsageError(f"{name}, and no file is {what}", why=why, fix=f"leave {name.split()[0]} out")

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
        quote = [QUOTE] if len(sources) > len(roles) and _alike(sources) else []
        raise UsageError(_wrong_count(roles, open_roles, len(sources)), fix="; ".join([_order(roles), *quote]))
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
    if {role.name for role in roles} >= set(TRIPLET):
        _refuse_row_numbers([bound[name] for name in TRIPLET])
    if roles[0].is_set and len(roles) == 2:
        from .embeddings import upright

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


def _refuse_row_numbers(fields: Sequence[Field]) -> None:
    """DataError for three columns of a table, each of whole numbers, as points: mined triplets say rows of a set."""
    frames = {field.frame for field in fields}
    if len(frames) > 1 and any(frame.format == "memory" for frame in frames):
        return  # arrays of one number a row
    if any(len(field.columns) > 1 for field in fields):
        return
    if any(field.frame.dtype_of(field).startswith("float") for field in fields):
        return
    values = [first_values(field, "number") for field in fields]
    if all(side.ndim == 1 and len(side) and (side == np.floor(side)).all() and side.min() >= 0 for side in values):
        label = label_of(fields[0].frame.path)
        raise DataError(
            f"{label}: row numbers as points: {', '.join(TRIPLET)} are a whole number each",
            why="mine writes which rows of a set are together, and no points",
            fix=f"add --index {'-' if label == 'stdin' else label}, and name the file of the points where it stood",
        )


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
    return named(frame, [role], taken)[role.name]


def _is_block(frame: Frame, role: Role, taken: Collection[Field]) -> bool:
    """A table in memory of which no column is called like the role is all of it, as an array would be."""
    content = frame.content
    if role.layout == "row" or content.unit != "column" or any(map(content.columns_of, range(frame.width))):
        return False
    return not columns_called(frame, role, {frame.names[column] for field in taken for column in field.columns})


def split(frame: Frame, block: Field | None, roles: Sequence[Role], taken: Collection[Field] = ()) -> dict[str, Field]:
    """One source as all of `roles`: by column names, or by position in an array without names."""
    is_stack = frame.width == 1 and bool(_axes_of(frame))
    if block is None and frame.names and not is_stack:
        return named(frame, roles, taken)
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
            else f"add the labels as a second input, or --label {label_of(frame.path)}::COLUMN",
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
            else f"add a second input, or --{last.option} SRC"
            if last.truth
            else f"name all of them as one range, PATH::FIRST..LAST, or add a second input, or --{last.option} SRC (in "
            "compute)",
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
        chosen = field_called(frame, TRIPLET)
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
    try:
        first_values(chosen, "number")
    except DataError as fault:
        if "--na" not in fault.fix:  # text, not a cell without a value
            fault.why = "an index holds row numbers of the embeddings, from 0, not their ids"
            fault.fix = "give row numbers, as mine writes them where no ids are asked for"
        raise
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
