"""The inputs of a loss, bound to the columns of files and arrays, before their shapes are settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files import binding, memory
from ..files.sources import Field, blocks
from ..language.registry import Loss, Spec
from ..language.roles import ROLES
from ..rows import checks, shapes
from ..text import did_you_mean, shown
from .reading import Given, Reading


def as_array(given: Given) -> Given:
    """Tensors, series and lists as numpy arrays; sources, tables and dicts as they are; paths as text."""
    if given is None or isinstance(given, str) or memory.columns_of(given) is not None:
        return given
    if hasattr(given, "__fspath__"):
        return given.__fspath__()
    if isinstance(given, list | tuple) and given and all(hasattr(item, "__fspath__") for item in given):
        return tuple(item.__fspath__() for item in given)
    return memory.as_array(given, "an input")


def refuse_none(name: str, inputs: Sequence[Given]) -> None:
    """UsageError where an input of `name` is None."""
    absent = [str(place) for place, given in enumerate(inputs, 1) if given is None]
    if absent:
        which = (
            f"input {absent[0]} of {name} is" if len(absent) == 1 else f"inputs {' and '.join(absent)} of {name} are"
        )
        raise UsageError(f"{which} None", fix="give an array, a tensor or the name of a file")


def roles_of(loss: Loss, named: Mapping[str, Given]) -> dict[str, Given]:
    """role name -> source, for inputs given by the name of a role or of its option."""
    result = {}
    for name, given in named.items():
        role = next((role for role in loss.roles if name in (role.name, role.option)), None)
        if role is None:
            inputs, options = [one.option for one in loss.roles], [one.name for one in loss.options]
            raise UsageError(
                f"{loss.name} has no input or option {name!r}{did_you_mean(name, inputs + options)}",
                fix=f"its inputs are {', '.join(inputs)}; its options are {', '.join(options) or 'none'}",
            )
        result[role.name] = as_array(given)
    return result


class Bound(NamedTuple):
    """The files of a loss: what to read, and how it becomes the loss's inputs.

    notes, marks: what was decided on the way, for people and for the signature
    skips: rows that hold a nan then are unknown, and are left out
    """

    fields: tuple[Field, ...]
    roles: tuple[Any, ...]
    columns: dict[str, shapes.Column]
    arrange: Callable[[tuple[np.ndarray, ...]], tuple[np.ndarray, ...]] = lambda arrays: arrays
    notes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    skips: bool = False


class Derived(NamedTuple):
    """An input that is computed from another one: gathered rows, or the other end of a distance."""

    frame: Any
    name: str
    width: int
    ndim: int = 2


def bound_of(desk: binding.Desk, spec: Spec, inputs: list[Given], named: dict[str, Given], reading: Reading) -> Bound:
    roles = spec.loss.roles
    names = [role.name for role in roles]
    if reading.index is not None:
        if names != ["anchor", "positive", "negative"]:
            raise UsageError(f"{spec.loss.name} takes no --index", fix="--index goes with triplet")
        return _indexed(desk, inputs, reading.index)
    if names == ["left", "right", "same"] and not {"left", "right"} & named.keys():
        distances = _distances(desk, inputs, named, reading.distances)
        if distances is not None:
            return _from_distances(spec, *distances)
    fields = binding.bind(desk, roles, inputs, named)
    columns: dict[str, shapes.Column] = dict(fields)
    note = binding.described(fields, roles) if len(inputs) == 1 and len(roles) > 1 else ""
    return Bound(tuple(fields[name] for name in names), roles, columns, notes=(note,) if note else ())


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
    kinds = roles if len(other.roles) == len(roles) else other.roles
    return Bound(other.fields, tuple(kinds), columns, other.arrange, other.notes, other.marks)


def _distances(
    desk: binding.Desk, inputs: list[Given], named: dict[str, Given], given: Given | None
) -> tuple[Field, Field] | None:
    """(distances, same) where pairs are given by their distances: an option, two files, or a column of that name."""
    same, role = (
        named.get("same"),
        ROLES["left"]._replace(name="distance", option="distances", columns=("distance", "d", "dist")),
    )
    roles = [role._replace(layout="row"), ROLES["same"]]
    if given is not None:
        fields = binding.bind(
            desk, roles, inputs, {"distance": as_array(given)} | ({"same": same} if same is not None else {})
        )
    elif len(inputs) == 2 or (len(inputs) == 1 and same is not None):
        fields = binding.bind(desk, roles, inputs, {"same": same} if same is not None else {})
    elif len(inputs) == 1:
        frame, selector = desk.frame(inputs[0], "input")
        if selector is not None or not {"distance", "d", "dist"} & {name.lower() for name in frame.names}:
            return None
        fields = binding.split(frame, None, roles)
    else:
        return None
    return fields["distance"], fields["same"]


def _from_distances(spec: Spec, distance: Field, same: Field) -> Bound:
    """A distance is the embedding of a pair on a line: one end at the distance, the other at 0."""
    if spec.options["distance"] != "euclidean":
        raise UsageError("given distances are taken as they are", fix="leave --distance out")

    def arrange(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        values = arrays[0].reshape(-1)
        if (values < 0).any():
            raise DataError(
                f"{distance.name}: a distance is negative ({values.min():.6g})", fix="choose another column"
            )
        return (values.reshape(-1, 1), np.zeros((len(values), 1)), *arrays[1:])

    end = Derived(distance.frame, distance.name, 1)
    columns: dict[str, shapes.Column] = {"left": end, "right": end, "same": same}
    note = f"distances = {distance.name}, same = {same.name}"
    return Bound((distance, same), (ROLES["left"], ROLES["same"]), columns, arrange, (note,))


def _indexed(desk: binding.Desk, inputs: list[Given], index: Given) -> Bound:
    """Triplets as rows of an embedding set: the set is held in memory, the index is streamed."""
    if len(inputs) != 1:
        raise UsageError(
            f"{len(inputs)} sources beside --index", fix="give the embeddings alone: triplet EMB --index FILE"
        )
    source = desk.field(inputs[0], ROLES["emb"])
    triplets = binding.index_of(desk, as_array(index))
    emb = read_all(source)
    emb = emb.reshape(len(emb), -1)

    def arrange(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        at = checks.index_rows(arrays[0], len(emb), triplets.frame.path)
        return (emb[at[:, 0]], emb[at[:, 1]], emb[at[:, 2]], *arrays[1:])

    columns: dict[str, shapes.Column] = {
        name: Derived(triplets.frame, f"{shown(source.frame.path)} at index {name}", emb.shape[1])
        for name in ("anchor", "positive", "negative")
    }
    return Bound((triplets,), (ROLES["emb"],), columns, arrange)


def read_all(field: Field) -> np.ndarray:
    """All of a field as float64, (n,) or (n, k)."""
    parts = [block.load()[0] for block in blocks([field], ["number"], 1 << 16)]
    return np.concatenate(parts) if parts else np.zeros((0, field.width))


def categories_of(field: Field) -> np.ndarray:
    """All of a field as categories, (n,)."""
    parts = [block.load()[0].reshape(-1) for block in blocks([field], ["category"], 1 << 16)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=str)
