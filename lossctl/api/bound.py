"""The inputs of a loss, bound to the columns of files and arrays, before their shapes are settled."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files import binding
from ..files.opening import label_of
from ..files.sources import Field, blocks, held, parse_source, place_of
from ..language import synonyms
from ..language.registry import Loss, Spec
from ..language.roles import DISTANCE, LOGIT_NAMES, PAIR, POINTS, PROBABILITY_NAMES, ROLES, SAME, TRIPLET, Form, Role
from ..rows import checks, shapes
from ..text import did_you_mean, shown
from .reading import Given, Reading


def as_array(source: Given) -> Given:
    """Tensors, series and lists as numpy arrays; sources, tables and dicts as they are; paths as text, several `Paths`.

    UsageError for a list of texts that are names of files.
    """
    if source is None or isinstance(source, str | binding.Paths):
        return source
    from ..files import memory

    if memory.is_plain(source):
        return source
    if memory.columns_of(source) is not None:
        return source
    if hasattr(source, "__fspath__"):
        return source.__fspath__()
    if isinstance(source, list | tuple) and source and hasattr(source[0], "__fspath__"):
        return binding.Paths(os.fspath(item) for item in source)
    if isinstance(source, list | tuple) and source and all(map(_names_file, source)):
        raise UsageError(
            f"{shown(str(source[0]))}{', ...' * (len(source) > 1)} are names of files, in a {type(source).__name__}",
            why="a list of texts is a column of labels",
            fix="to read several files as one: tuple(map(Path, ...)), with pathlib; if they are labels: np.array(...)",
        )
    return memory.as_array(source, "an input")


def _names_file(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    path = text.partition("::")[0]
    return os.path.splitext(path)[1].lower() in SUFFIXES or os.path.isfile(path)


def refuse_none(name: str, inputs: Sequence[Given]) -> None:
    """UsageError where an input of `name` is None."""
    absent = [str(place) for place, source in enumerate(inputs, 1) if source is None]
    if absent:
        which = (
            f"input {absent[0]} of {name} is" if len(absent) == 1 else f"inputs {' and '.join(absent)} of {name} are"
        )
        raise UsageError(f"{which} None", fix="give an array, a tensor or the name of a file")


def roles_of(loss: Loss, named: Mapping[str, Given]) -> dict[str, Given]:
    """role name -> source, for inputs given by the name of a role or of its option."""
    result = {}
    for name, source in named.items():
        role = next((role for role in loss.roles if name in (role.name, role.option)), None)
        if role is None:
            inputs, options = (
                [parameter.option for parameter in loss.roles],
                [option.name for option in loss.all_options],
            )
            own = f"its inputs are {', '.join(inputs)}; its options are {', '.join(options) or 'none'}"
            word = synonyms.meant(name, options)
            raise UsageError(
                f"{loss.name} has no input or option {name!r}{'' if word else did_you_mean(name, inputs + options)}",
                fix=synonyms.fix(name, loss, options) if word else own,
            )
        result[role.name] = as_array(source)
    return result


class Bound(NamedTuple):
    """The files of a loss: what to read, and how it becomes the loss's inputs.

    notes, marks, warnings: what was decided on the way, for people, for the signature, and where it may be wrong
    unknown: the role whose nan say that a value is not known: such rows are left out
    first_label: what is done where class indices lack a 0
    places: how many rows of the loss a row of the files has: steps, views, cells; of sequences how many each has, (n,)
    has_shape: the shape of the inputs tells its lists: each is a row of the files
    grouping: of such lists what their group was for, a column that they are grouped by
    blank: of sequences as arrays, the symbol that fills what lies behind their own
    """

    fields: tuple[Field, ...]
    roles: tuple[Any, ...]
    columns: dict[str, shapes.Column]
    arrange: Callable[[tuple[np.ndarray, ...]], tuple[np.ndarray, ...]] = lambda arrays: arrays
    notes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unknown: str = ""
    first_label: shapes.Doubt = "warn"
    places: int | np.ndarray = 1
    has_shape: bool = False
    grouping: Field | None = None
    blank: int | None = None

    def beside(self, column: Field) -> Field:
        """A column with a value for each row of the files (or for each place already), in step with the fields."""
        from ..files.unfolding import cells_of, repeated

        rows, own = (field.frame.content.rows_of(field.columns[0]) for field in (self.fields[0], column))
        if isinstance(self.places, np.ndarray):
            from ..files.sequences import along

            return along(column, self.places, "sequences")
        if self.places == 1 or (own is not None and own == rows):
            return column
        if column.width == self.places:  # a value for each place
            return cells_of(column)
        return repeated(column, self.places)


class Derived(NamedTuple):
    """An input that is computed from another one: gathered rows, or the other end of a distance."""

    frame: Any
    name: str
    width: int
    ndim: int = 2


def bound_of(desk: binding.Desk, spec: Spec, inputs: list[Given], named: dict[str, Given], reading: Reading) -> Bound:
    roles = tuple(_of_form(role, reading.forms.get(role.name)) for role in spec.loss.roles)
    names = [role.name for role in roles if not role.naive or reading.train is None]
    inputs, named = _columns_by_name(inputs, named, names)
    if reading.index is not None:
        return _indexed(desk, inputs, reading.index)
    if spec.loss.is_of_pairs and not set(PAIR[:2]) & named.keys():
        distances = _distances(desk, inputs, named, reading.distances)
        if distances is not None:
            return _from_distances(spec, *distances)
    if roles[0].is_frames:
        from .sequences import sequences_of

        sequences = sequences_of(desk, spec, inputs, named, reading)
        if sequences is not None:
            return sequences
    elif spec.loss.engine.has_lists:
        group = named.get(roles[-1].name)
        rest = {name: source for name, source in named.items() if source is not group}
        matrices = _matrices(desk, roles, inputs, rest)
        if matrices is not None:
            return matrices._replace(grouping=None if group is None else desk.field(group, rider("group")))
    if reading.train is not None:
        from .history import scaled_bound

        scaled = scaled_bound(desk, roles, inputs, named, reading)
        if scaled is not None:
            return scaled
    fields = binding.bind(desk, roles, inputs, named)
    columns: dict[str, shapes.Column] = dict(fields)
    notes = [binding.described(fields, roles)] if len(inputs) == 1 and len(roles) > 1 else []
    guesses: list[str] = []
    chosen = tuple(fields[name] for name in names)
    for field in chosen:
        if field.said:
            (guesses if field.is_guess else notes).append(field.said)
    doubts = filter(None, (_doubt_of_levels(spec, role, fields[role.name]) for role in roles if role.levels))
    return Bound(chosen, roles, columns, notes=tuple(filter(None, notes)), warnings=(*guesses, *doubts))


def _doubt_of_levels(spec: Spec, role: Role, field: Field) -> str:
    """What to say where columns are called after other levels, as shares or percents, than those that are asked for."""
    names = [field.frame.names[column] for column in field.columns] if field.frame.names else []
    ends = [NUMBER_AT_END.search(name) for name in names]
    numbers = [float(end[0]) for end in ends if end]
    levels = list(spec.options[role.levels])
    if len(numbers) != len(levels) or len(names) != len(levels) or numbers in _counted(len(names)):
        return ""
    if any(np.allclose(np.array(numbers) * unit, levels, rtol=1e-6) for unit in (1.0, 0.01, 0.001)):
        return ""
    return (
        f"columns {shown(names[0])} to {shown(names[-1])} are read as the {role.levels} "
        f"{', '.join(f'{level:g}' for level in levels)}: their names say others"
    )


NUMBER_AT_END = re.compile(r"[0-9]*\.?[0-9]+$")


def _counted(count: int) -> list[list[float]]:
    """Numbers that count columns, from 0 or from 1."""
    return [[float(at + first) for at in range(count)] for first in (0, 1)]


def _of_form(role: Role, form: Form | None) -> Role:
    """A role whose columns are looked for by the names of the form that they are said to have."""
    if form == "logits" and role.forms and role.forms[0] == "prob":
        return role._replace(columns=tuple(dict.fromkeys((*LOGIT_NAMES, *role.columns))))
    if form == "prob" and role.forms and role.forms[0] == "logits":
        return role._replace(columns=tuple(dict.fromkeys((*PROBABILITY_NAMES, *role.columns))))
    return role


def _columns_by_name(
    inputs: list[Given], named: Mapping[str, Given], names: Sequence[str]
) -> tuple[list[Given], dict[str, Given]]:
    """Names of columns alone, among inputs, as columns of the first source.

    A source beside columns of it for every input is no input: it says where they are. So is one beside a column of it
    where there are too many sources without that.
    """
    first = home_of([*inputs, *named.values()]) if len(inputs) + len(named) > 1 else None
    if first is None or (inputs and not isinstance(inputs[0], str)):
        return inputs, dict(named)
    columns = {name: column_of(source, first) for name, source in named.items()}
    is_home = len(inputs) == 1 and set(names) <= columns.keys() and columns != dict(named)
    rest = [] if is_home else [*inputs[:1], *(column_of(source, first) for source in inputs[1:])]
    homes = {parse_source(source).path for source in columns.values() if isinstance(source, str)}
    others = [source for source in rest if not (isinstance(source, str) and source in homes)]
    return (others if len(rest) + len(columns) > len(names) == len(others) + len(columns) else rest), columns


def home_of(sources: Sequence[Given]) -> str | None:
    """The source whose columns bare names are: the first one that is no bare name itself."""
    for source in sources:
        if isinstance(source, str) and (not looks_like_column(source) or os.path.exists(source)):
            return source
    return None


def column_of(source: Given, first: Given) -> Given:
    """A source; a bare name that is no file is a column of the first source."""
    if not isinstance(source, str) or not isinstance(first, str):
        return source
    if not looks_like_column(source) or os.path.exists(source):
        return source
    return f"{parse_source(first).path}::{source}"


def rider(name: str, is_number: bool = False) -> Role:
    """The role of a column that rides along: id, group or cluster."""
    return Role(name, name, f"the {name} of each row", "row", (name,), kind="number" if is_number else "category")


def looks_like_column(text: str) -> bool:
    """Whether a source may be the bare name of a column: no path, no pattern, no ending of a file."""
    is_name = text != "-" and "::" not in text and not set("*?[/\\") & set(text)
    return is_name and os.path.splitext(text)[1].lower() not in SUFFIXES


SUFFIXES = (".csv", ".tsv", ".txt", ".npy", ".npz", ".json", ".jsonl", ".parquet", ".gz", ".pt", ".pth", ".h5")


def as_bound(spec: Spec, other: Bound) -> Bound:
    """The inputs of another loss, in the same order, as those of this one."""
    roles = spec.loss.roles
    if len(roles) != len(other.columns):
        needs = ", ".join(role.option for role in roles)
        raise UsageError(
            f"{spec.loss.name} takes {len(roles)} inputs ({needs}), the loss beside it {len(other.columns)}",
            why="losses of one reading share their inputs, in the same order",
            fix="compute it in a call of its own",
        )
    columns = dict(zip((role.name for role in roles), other.columns.values(), strict=True))
    is_gathered = all(isinstance(column, Derived) for column in other.columns.values())
    if is_gathered and columns.keys() != other.columns.keys():
        raise UsageError(
            f"{spec.loss.name} takes {', '.join(columns)}, not {', '.join(other.columns)}",
            why="--index gathers triplets, and nothing else",
            fix="leave --also out, and compute it in a call of its own",
        )
    units = [(role.naive, ROLES[name].naive) for role, name in zip(roles, other.columns, strict=True)]
    if any(own != theirs for own, theirs in units):
        needs, there = (", ".join(ROLES[name].option for name in names) for names in (columns, other.columns))
        raise UsageError(
            f"{spec.loss.name} takes {needs}, the loss beside it {there}",
            why="what errors are in units of is another number there",
            fix="compute it in a call of its own",
        )
    if other.blank is not None:
        return _as_sequences(spec, other)
    is_partly = not is_gathered and any(isinstance(column, Derived) for column in other.columns.values())
    kinds = other.roles if is_partly or len(other.roles) != len(roles) else roles
    return Bound(
        other.fields, tuple(kinds), columns, other.arrange, other.notes, other.marks, places=other.places,
        has_shape=other.has_shape,
    )  # fmt: skip


def _as_sequences(spec: Spec, other: Bound) -> Bound:
    """The same sequences for another loss of them. UsageError where its blank is another."""
    if not spec.loss.roles[0].is_frames or spec.blank_of(other.fields[0].width) != other.blank:
        raise UsageError(
            f"{spec} reads sequences otherwise than the loss beside it, whose blank is {other.blank}",
            why="what lies behind the symbols of a sequence is filled with its blank",
            fix="compute it in a call of its own",
        )
    return other


def _matrices(
    desk: binding.Desk, roles: Sequence[Role], inputs: list[Given], named: Mapping[str, Given]
) -> Bound | None:
    """Scores and relevances as matrices (lists, documents); None where they are columns."""
    from .axes import lists_of

    free = [role._replace(layout="rows") for role in roles[:2]]
    if len(inputs) + len(named) > 2 or (len(inputs) == 1 and not named and _has_group(desk, roles[2], inputs[0])):
        return None
    try:
        fields = binding.bind(desk, free, inputs, named)
    except (DataError, UsageError):
        return None
    score, relevance = (fields[role.name] for role in free)
    if score.width < 2 or score.width != relevance.width:
        return None
    cells = lists_of(score, relevance)
    columns: dict[str, shapes.Column] = dict(zip((role.name for role in roles), cells, strict=True))
    note = f"rows of {score.width} documents are lists"
    return Bound(cells, tuple(roles), columns, notes=(note,), marks=("lists:rows",), places=score.width, has_shape=True)


def are_lists(source: Given, role: Role, reading: Reading) -> bool:
    """Whether the shape of the first input tells its lists: rows of documents, an array of sequences."""
    with binding.Desk(reading.dialect) as desk:
        field = desk.field(as_array(source), role._replace(layout="rows"))
        return bool(field.axes) if role.is_frames else field.width > 1


def _has_group(desk: binding.Desk, role: Role, source: Given) -> bool:
    frame, _ = desk.frame(source, "input")
    return bool({name.lower() for name in frame.names} & set(role.columns))


def _distances(
    desk: binding.Desk, inputs: list[Given], named: dict[str, Given], source: Given | None
) -> tuple[Field, Field] | None:
    """(distances, same) where pairs are given by their distances: an option, two files, or a column of that name."""
    roles = [DISTANCE, SAME]
    same = {SAME.name: named[SAME.name]} if named.get(SAME.name) is not None else {}
    if source is not None:
        fields = binding.bind(desk, roles, inputs, {DISTANCE.name: as_array(source), **same})
    elif len(inputs) == 2 or (len(inputs) == 1 and same):
        fields = binding.bind(desk, roles, inputs, same)
    elif len(inputs) == 1:
        frame, selector = desk.frame(inputs[0], "input")
        if selector is not None or not set(DISTANCE.columns) & {name.lower() for name in frame.names}:
            return None
        fields = binding.split(frame, None, roles)
    else:
        return None
    distance = fields[DISTANCE.name]
    if distance.width > 1:
        raise DataError(
            f"{label_of(distance.frame.path)}: {distance.name}: {distance.width} columns as distances",
            why="a pair has one distance",
            fix="choose one column, or give the ends of the pairs: LEFT RIGHT SAME",
        )
    return distance, fields[SAME.name]


def _from_distances(spec: Spec, distance: Field, same: Field) -> Bound:
    """A distance is the embedding of a pair on a line: one end at the distance, the other at 0."""
    for flag, is_set in (("--distance", spec.metric != "euclidean"), ("--normalize", spec.is_on_sphere)):
        if is_set:
            raise UsageError("given distances are taken as they are", fix=f"leave {flag} out")

    def arrange(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        values = arrays[0].reshape(-1)
        if (values < 0).any():
            raise DataError(
                f"{distance.name}: a distance is negative ({values.min():.6g})", fix="choose another column"
            )
        return (values.reshape(-1, 1), np.zeros((len(values), 1)), *arrays[1:])

    end = Derived(distance.frame, distance.name, 1)
    columns: dict[str, shapes.Column] = dict(zip(PAIR, (end, end, same), strict=True))
    note = f"distances = {distance.name}, same = {same.name}"
    return Bound((distance, same), (DISTANCE, SAME), columns, arrange, (note,))


def _indexed(desk: binding.Desk, inputs: list[Given], index: Given) -> Bound:
    """Triplets as rows of an embedding set: the set is held in memory, the index is streamed."""
    if len(inputs) != 1:
        raise UsageError(
            f"{len(inputs)} sources beside --index", fix="give the embeddings alone: triplet EMB --index FILE"
        )
    source = desk.field(inputs[0], POINTS)
    triplets = binding.index_of(desk, as_array(index))
    emb = read_all(source)
    emb = emb.reshape(len(emb), -1)

    def arrange(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        at = checks.index_rows(arrays[0], len(emb), triplets.frame.path)
        return (emb[at[:, 0]], emb[at[:, 1]], emb[at[:, 2]], *arrays[1:])

    columns: dict[str, shapes.Column] = {
        name: Derived(triplets.frame, f"{label_of(source.frame.path)} at index {name}", emb.shape[1])
        for name in TRIPLET
    }
    return Bound((triplets,), (POINTS,), columns, arrange)


def read_all(field: Field) -> np.ndarray:
    """All of a field as float64, (n,) or (n, k)."""
    place_of([field])
    parts = [block.load()[0] for block in held(blocks([field], ["number"], 1 << 16), [field])]
    return np.concatenate(parts) if parts else np.zeros((0, field.width))


def categories_of(field: Field) -> np.ndarray:
    """All of a field as categories, (n,)."""
    parts = [block.load()[0].reshape(-1) for block in blocks([field], ["category"], 1 << 16)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=str)


def refuse_other_indexes(inputs: Sequence[Given]) -> None:
    """DataError where two tables or series (pandas) have an index each, of the same length, and disagree."""
    indexes = [source.index for source in inputs if hasattr(source, "index") and hasattr(source, "iloc")]
    for other in indexes[1:]:
        first = indexes[0]
        if len(first) == len(other) and not first.equals(other):
            row = int(np.flatnonzero(np.asarray(first != other))[0])
            raise DataError(
                f"two indexes disagree: row {row} is {shown(str(first[row]))} in the first, {shown(str(other[row]))} "
                "in the other",
                why="rows are matched by their place",
                fix="bring them into one order, other.loc[first.index], or give other.to_numpy() if places are right",
            )
