"""From inputs to a result: bind, admit, add up. What the commands print."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files import binding, memory
from ..files.sources import Block, Field, blocks, frame_of, open_source, parse_source
from ..language.domains import Option
from ..language.registry import Loss, Spec, make
from ..language.roles import ROLES, Form
from ..results.values import Result
from ..rows import by_row, checks, job, shapes
from ..rows.facts import Facts, verdict
from ..rows.workers import cores
from ..text import did_you_mean, option_text, shown
from ..version import __version__

Given = Any  # the text of a source (PATH::SELECTOR), a numpy array or a torch tensor


@dataclass(frozen=True)
class Reading:
    """How the inputs are read: what is the same for every loss.

    forms: role name -> form of its probabilities; clip: into [clip, 1 - clip]
    skip_nan: leave out rows with nan, or with NA in a CSV; header: whether a CSV has one (None: told by looking)
    delimiter, decimal, thousands: of a CSV: what separates cells (None: told by looking), the decimal point, and what
        groups digits by three
    index: triplets as rows of the embeddings, a source of (m, 3) whole numbers; distances: a source of pair distances
    metric, normalize: the distance of an embedding set, and whether its points are put on the unit sphere first
    device: where the distances of an embedding set are computed, as torch names it
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    clip: float = 0.0
    skip_nan: bool = False
    header: bool | None = None
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    index: Given | None = None
    distances: Given | None = None
    metric: str = "euclidean"
    normalize: bool = False
    device: str = "cpu"


class Prepared(NamedTuple):
    """A computation that is ready to run: shapes are settled, nothing but headers has been read.

    fields: what is read, in step; kinds: "number" or "category" for each
    arrange: the arrays of the fields -> the arrays of the plan's entries
    backend: what computes it, for the signature
    """

    plan: shapes.Plan
    fields: tuple[Field, ...]
    kinds: tuple[str, ...]
    arrange: Callable[[tuple[np.ndarray, ...]], tuple[np.ndarray, ...]]
    sources: tuple[tuple[str, str], ...]
    note: str
    jobs: int
    reading: Reading = Reading()
    bound: Bound | None = None
    backend: str = "numpy"

    @property
    def dtype(self) -> str:
        """What the files hold: "float64", or several with commas between."""
        names = ("decimal" if item.kind == "unknown" else item.frame.dtype_of(item) for item in self.fields)
        return ",".join(dict.fromkeys(names))

    @property
    def job(self) -> job.Job:
        """The computation as one of a shared reading that has no other columns."""
        space = job.Space(self.reading.metric, self.reading.normalize, self.reading.device)
        return job.Job(self.plan, tuple(range(len(self.fields))), self.arrange, space)

    def read(self, only: tuple[int, ...] | None = None) -> Iterator[Block]:
        """The blocks of the fields as they are read, of all fields or of some."""
        chosen = range(len(self.fields)) if only is None else only
        fields, kinds = [self.fields[at] for at in chosen], [self.kinds[at] for at in chosen]
        return blocks(fields, kinds, by_row.block_rows(self.plan))


def logit_forms(loss: Loss) -> dict[str, Form]:
    """--from-logits, for each role of a loss that can be given as logits. UsageError where none can."""
    forms: dict[str, Form] = {role.name: "logits" for role in loss.roles if "logits" in role.forms}
    if not forms:
        raise UsageError(f"{loss.name} does not read probabilities", fix="leave --from-logits out")
    return forms


def desk_for(reading: Reading) -> binding.Desk:
    """Where the files of one computation, or of several together, are opened; each is opened once."""
    return binding.Desk(
        open=partial(
            open_source,
            header=reading.header,
            delimiter=reading.delimiter,
            decimal=reading.decimal,
            thousands=reading.thousands or "",
            allow_missing=reading.skip_nan,
        ),
        hold=partial(frame_of, allow_missing=reading.skip_nan),
    )


def prepare(
    desk: binding.Desk,
    spec: Spec,
    inputs: Sequence[Given],
    named: Mapping[str, Given],
    *,
    reduction: str,
    weight: Given | None,
    reading: Reading,
    jobs: int | None,
    like: Bound | None = None,
) -> Prepared:
    """Settle the shapes of one computation; its files stay open until the desk closes.

    like: take the inputs that another loss has bound, in the same order, instead of binding `inputs` and `named`
    """
    bound = (
        _as_bound(spec, like)
        if like
        else _bound(desk, spec, [as_array(item) for item in inputs], _roles_of(spec.loss, named), reading)
    )
    weights = desk.field(as_array(weight), ROLES["weight"]) if weight is not None else None
    plan = shapes.plan(
        spec,
        bound.columns,
        reduction=reduction,
        forms=dict(reading.forms),
        weight=weights,
        clip=reading.clip,
        skip_nan=reading.skip_nan,
    )
    kinds = [role.kind for role in bound.roles] + ["number"] * (weights is not None)
    ready = Prepared(
        plan,
        (*bound.fields, weights) if weights else bound.fields,
        tuple(kinds),
        bound.arrange,
        tuple((ROLES[role].option, _source_text(item)) for role, item in bound.columns.items()),
        bound.note,
        jobs or cores(),
        reading,
        bound,
    )
    return _balanced(ready)


def result(ready: Prepared, data: str | None, value: float, n: int, facts: Facts, **more: Any) -> Result:
    """A number with all that belongs to it. data: the hash of the values, where it is wanted."""
    plan = ready.plan
    notes, warnings = verdict(plan, facts)
    made = Result(
        loss=plan.spec.loss.name,
        params=tuple((name.replace("_", "-"), item) for name, item in plan.spec.params),
        reduction=plan.reduction,
        value=value,
        n=n,
        sources=ready.sources,
        signature=signature(ready, data).format(n=n),
        dtype=ready.dtype,
        notes=(ready.note, *notes) if ready.note else notes,
        warnings=warnings,
    )
    return replace(made, **more) if more else made


def signature(ready: Prepared, data: str | None) -> str:
    """Every choice that changes the number, in one line without spaces; `{n}` stands for how many rows count."""
    plan, reading = ready.plan, ready.reading
    parts = [plan.spec.loss.name]
    parts += [f"{name.replace('_', '-')}:{brief(value)}" for name, value in plan.spec.params]
    forms = [entry.form for entry in plan.entries if entry.form]
    parts += ["in:" + ",".join(dict.fromkeys(forms))] if forms else []
    if plan.spec.loss.engine.has_space:
        parts += [
            f"dist:{'cosine' if plan.spec.loss.cosine else reading.metric}",
            f"norm:{'l2' if reading.normalize else 'none'}",
            "anchors:pos+neg",
        ]
    parts += [f"clip:{option_text(plan.clip)}"] if plan.clip else []
    parts += ["na:skip"] if plan.skip_nan else []
    first = plan.entries[0]
    parts += ["columns:mean"] if first.role.layout == "rows" and first.width > 1 and not first.classes else []
    parts += [f"red:{plan.reduction}"]
    parts += [f"w:{'sum-w' if plan.weight else 'none'}", "n:{n}", "acc:f64", f"be:{ready.backend}"]
    parts += [f"data:{data}"] if data else []
    return "|".join([*parts, f"v:{__version__}"])


def option_value(option: Option, text: Any) -> Any:
    """An option's text as its value; where it takes a list of numbers, the text may be a source that holds them."""
    try:
        return option.check(text)
    except UsageError:
        if not option.domain.many or not isinstance(text, str):
            raise
        source = parse_source(text)
        if not os.path.exists(source.path) and not any(mark in text for mark in (".", "/", "::")):
            raise
        if text.replace("/", "").replace(".", "").replace(",", "").replace("-", "").isdigit():
            raise
    with open_source(source.path) as frame:
        chosen = frame.select(source.selector) if source.selector is not None else frame.whole()
        return option.check(tuple(read_all(chosen).reshape(-1).tolist()))


def brief(value: Any) -> str:
    """An option's value as text; a long list of numbers by its length and hash."""
    text = option_text(value)
    if isinstance(value, tuple) and len(value) > 16:
        import hashlib

        return f"{len(value)}-numbers-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return text


# --- inputs


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


def _roles_of(loss: Loss, named: Mapping[str, Given]) -> dict[str, Given]:
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
    """The files of a loss: what to read, and how it becomes the loss's inputs."""

    fields: tuple[Field, ...]
    roles: tuple[Any, ...]
    columns: dict[str, shapes.Column]
    arrange: Callable[[tuple[np.ndarray, ...]], tuple[np.ndarray, ...]] = lambda arrays: arrays
    note: str = ""


class Derived(NamedTuple):
    """An input that is computed from another one: gathered rows, or the other end of a distance."""

    frame: Any
    name: str
    width: int
    ndim: int = 2


def _bound(desk: binding.Desk, spec: Spec, inputs: list[Given], named: dict[str, Given], reading: Reading) -> Bound:
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
    return Bound(tuple(fields[name] for name in names), roles, columns, note=note)


def _as_bound(spec: Spec, other: Bound) -> Bound:
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
    return Bound(other.fields, tuple(kinds), columns, other.arrange, other.note)


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
    return Bound((distance, same), (ROLES["left"], ROLES["same"]), columns, arrange, note)


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


def _source_text(column: Any) -> str:
    return f"{column.frame.path}: {column.name}"


def _balanced(ready: Prepared) -> Prepared:
    """--alpha balanced as the numbers it means: inverse class frequency, summing to 1."""
    plan = ready.plan
    if plan.spec.options.get("alpha") != "balanced":
        return ready
    label = plan.entries[-1]
    classes = label.classes or 2
    counts = np.zeros(classes)
    only_label = plan._replace(entries=(label,), weight=None)
    for block in blocks(ready.fields[1:2], ["number"], by_row.block_rows(plan)):
        (values,) = checks.admit(only_label, block.load(), block.start).inputs
        counts += np.bincount(values.reshape(-1).astype(np.int64), minlength=classes)
    if not counts.all():
        raise DataError(
            f"class {int(np.argmin(counts))} has no rows, so its inverse frequency is infinite",
            fix="give alpha as numbers",
        )
    shares = (1 / counts) / np.sum(1 / counts)
    alpha = tuple(shares.tolist()) if label.classes else float(shares[1])
    spec = make(plan.spec.loss, **{**plan.spec.options, "alpha": alpha})
    return ready._replace(plan=plan._replace(spec=spec))
