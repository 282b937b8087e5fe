"""From inputs to a computation that is ready to run, and from its number to a result with its signature."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files import binding
from ..files.reading import HELD, HELD_DIRECTIONS
from ..files.sources import (
    Block,
    Field,
    block_rows,
    blocks,
    held,
    numbers_of,
    open_source,
    parse_source,
    place_of,
)
from ..language import synonyms
from ..language.domains import ANGULAR, Option
from ..language.registry import SET, Loss, Spec, make
from ..language.roles import ROLES, WEIGHT, Form
from ..rows import by_row, checks, job, shapes
from ..rows.job import PLAIN, Loaded, Pairing
from ..rows.workers import cores
from .bound import Bound, as_array, as_bound, bound_of, read_all, roles_of
from .reading import Given, Reading, Request

if TYPE_CHECKING:
    from ..files.drawer import Place
    from .pairing import Reference


class Prepared(NamedTuple):
    """A computation that is ready to run: shapes are settled, nothing but headers has been read.

    fields: what is read, in step; kinds: "number" or "category" for each
    arrange: the arrays of the fields -> the arrays of the plan's entries
    bound: the inputs before labels and axes were read;  beside: a column that rides along -> one in step with them
    backend: what computes it, for the signature;  grouping: what its lists are grouped by, where that was their group
    places: how many rows of the loss a row of the files has
    """

    plan: shapes.Plan
    fields: tuple[Field, ...]
    kinds: tuple[str, ...]
    arrange: Callable[[tuple[np.ndarray, ...]], tuple[np.ndarray, ...]]
    sources: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    jobs: int
    reading: Reading = Reading()
    bound: Bound | None = None
    beside: Callable[[Field], Field] = lambda column: column
    backend: str = "numpy"
    marks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    pairs: Pairing = PLAIN
    grouping: Field | None = None
    places: int = 1

    @property
    def dtype(self) -> str:
        """What the files hold: "float64", or several with commas between."""
        names = ("decimal" if item.kind == "unknown" else item.frame.dtype_of(item) for item in self.fields)
        return ",".join(dict.fromkeys(names))

    @property
    def job(self) -> job.Job:
        """The computation as one of a shared reading that has no other columns."""
        asked = self.reading
        space = job.Space(asked.metric, asked.normalize, asked.device, self.pairs, asked.lone)
        return job.Job(self.plan, tuple(range(len(self.fields))), self.arrange, space)

    def read(self, only: tuple[int, ...] | None = None) -> Iterator[Block]:
        """The blocks of the fields as they are read, of all fields or of some."""
        chosen = range(len(self.fields)) if only is None else only
        fields, kinds = [self.fields[at] for at in chosen], [self.kinds[at] for at in chosen]
        walk = blocks(fields, kinds, block_rows(self.fields, by_row.BLOCK_VALUES))
        return held(walk, fields) if self.plan.spec.loss.engine.reads_whole else walk

    @property
    def can_be_filed(self) -> bool:
        """Whether its points can lie in a file where memory has no room for them."""
        return self.plan.spec.loss.engine.is_blockwise

    @property
    def copies(self) -> int:
        """How many times its size a set takes in memory."""
        is_angular = self.plan.spec.loss.cosine or self.reading.normalize or self.reading.metric in ANGULAR
        return HELD_DIRECTIONS if is_angular else HELD

    @property
    def place(self) -> Place:
        """Where its set is kept. FileError where it does not fit anywhere."""
        other = 0 if self.pairs.reference is None else self.pairs.reference[0].size
        return place_of(self.fields, self.can_be_filed, self.copies, other)

    def inputs(self) -> Iterator[Loaded]:
        """The blocks as the plan's entries take them."""
        for block in self.read():
            yield Loaded(block.start, self.arrange(block.load()))


def logit_forms(loss: Loss) -> dict[str, Form]:
    """--from-logits, for each role of a loss that can be given as logits. UsageError where none can."""
    forms: dict[str, Form] = {role.name: "logits" for role in loss.roles if "logits" in role.forms}
    if not forms:
        raise UsageError(f"{loss.name} does not read probabilities", fix="leave --from-logits out")
    return forms


def prepare(
    desk: binding.Desk, request: Request, reading: Reading, jobs: int | None, like: Bound | None = None
) -> Prepared:
    """Settle the shapes of one computation; its files stay open until the desk closes.

    like: take the inputs that another loss has bound, in the same order, instead of its own
    """
    spec, weight = request.spec, request.weight
    reading = reading if reading.forms is request.forms else replace(reading, forms=request.forms)
    inputs, named = [as_array(item) for item in request.inputs or ()], roles_of(spec.loss, request.named or {})
    plain = as_bound(spec, like) if like else bound_of(desk, spec, inputs, named, reading)
    if spec.loss.engine.has_space:
        bound = _paired(desk, spec, plain, reading, [*(request.inputs or ()), *(request.named or {}).values()])
    else:
        bound = _in_rows(spec, plain, reading)
    own_weights = desk.field(as_array(weight), WEIGHT) if weight is not None else None
    weights = bound.beside(own_weights) if own_weights else None
    plan = shapes.plan(
        spec,
        bound.columns,
        reading,
        reduction=request.reduction or spec.loss.reductions[0],
        weight=weights,
        unknown=bound.unknown,
        first_label=bound.first_label,
        has_shape=bound.has_shape,
    )
    if (where := plan.entries[0].column.frame.where) not in desk.rows:
        desk.rows.append(where)
    used = (*plain.fields, own_weights) if own_weights else plain.fields
    if like is None and len({id(field.frame) for field in used}) > 1:
        own_rows = (reading.ref, reading.index, reading.distances, reading.coarse_label, *reading.exclude_same)
        can_align = spec.loss is not SET and all(source is None for source in own_rows)
        from ..files.ids import refuse_other_ids

        refuse_other_ids(used, can_align=can_align)
    kinds = [role.kind for role in bound.roles] + ["number"] * (weights is not None)
    computation = Prepared(
        plan,
        (*bound.fields, weights) if weights else bound.fields,
        tuple(kinds),
        bound.arrange,
        tuple((ROLES[role].option, f"{item.frame.path}: {item.name}") for role, item in bound.columns.items()),
        (*bound.notes, *_sum_note(plan)),
        jobs or cores(),
        reading,
        plain,
        bound.beside,
        marks=bound.marks,
        warnings=(*bound.warnings, *_scale_doubt(plan)),
        grouping=bound.grouping,
        places=bound.places if isinstance(bound.places, int) else 1,
    )
    return _with_pairs(desk, computation, inputs) if spec.loss.engine.has_space else _balanced(computation)


def _in_rows(spec: Spec, bound: Bound, reading: Reading) -> Bound:
    """The inputs with a row for each step, pixel or view, and their labels read as the loss needs them."""
    if spec.loss.takes_masks and reading.class_axis is None:
        from .masks import masks_of

        masks = masks_of(spec, bound)
        if masks is not None:
            return masks
    if reading.class_axis is not None or reading.shift or any(field.axes for field in bound.fields):
        from .axes import spread

        bound = spread(spec, bound, reading)
    if reading.skip_nan or any(role.has_codes for role in bound.roles):
        from .labels import coded

        bound = coded(spec, bound, reading)
    return bound


def _paired(desk: binding.Desk, spec: Spec, plain: Bound, reading: Reading, sources: Sequence[Given]) -> Bound:
    """The inputs of a set, its labels as they pair."""
    from . import pairing

    pairing.refuse_contradictions(reading)
    at = next(at for at, role in enumerate(plain.roles) if role.is_class_of_points)
    bound = pairing.with_sets_of_labels(plain, at, reading)
    bound = bound if reading.positive is not None else _in_rows(spec, bound, reading)
    return pairing.with_keys(desk, bound, reading, sources)


def _with_pairs(outer: binding.Desk, computation: Prepared, sources: Sequence[Given]) -> Prepared:
    """The computation with the other set, read whole, and all else that says who pairs with whom."""
    from . import pairing

    reading = computation.reading

    def read(other: Sequence[Given], asked: Reading) -> Reference:
        from ..sets.by_anchor import read_set

        keys = asked.ref_exclude_same or asked.exclude_same
        coarse = asked.coarse_label if asked.ref_coarse_label is None else asked.ref_coarse_label
        alone = replace(asked, ref=None, ref_label=None, exclude_same=keys, ref_exclude_same=(), noise="out")
        alone = replace(alone, coarse_label=coarse, ref_coarse_label=None)
        desk = binding.Desk(alone.dialect)
        with desk:
            spec = make(computation.plan.spec.loss, **computation.plan.spec.options)
            request = Request(spec, alone.forms, other, reduction=computation.plan.reduction)
            ref = prepare(desk, request, replace(alone, noise_label=None), computation.jobs)
            others = numbers_of(computation.fields)
            points = read_set(ref.plan, ref.inputs(), place_of(ref.fields, ref.can_be_filed, ref.copies, others))
        outer.names.update(desk.names)
        names = tuple((f"ref {name}", text) for name, text in ref.sources)
        return pairing.Reference(points.emb, points.label, names, points.facts.skipped)

    pairs, reference = pairing.pairs_of(reading, sources, read)
    return computation._replace(
        pairs=pairs,
        sources=(*computation.sources, *(() if reference is None else reference.sources)),
        notes=(*computation.notes, *pairing.notes_of(pairs, reference)),
        marks=(*computation.marks, *pairing.marks_of(pairs, reference)),
    )


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
        chosen = frame.select(source.selector) if source.selector is not None else frame.all_columns()
        return option.check(tuple(read_all(chosen).reshape(-1).tolist()))


# --- parts


def _sum_note(plan: shapes.Plan) -> tuple[str, ...]:
    """What a sum adds up, where rows have several columns."""
    first = plan.entries[0]
    if plan.reduction != "sum" or first.role.layout != "rows" or first.width == 1 or first.classes:
        return ()
    return (f"-r sum adds up rows, each the mean of {first.width} columns; -r sum-elements adds up all cells",)


def _scale_doubt(plan: shapes.Plan) -> tuple[str, ...]:
    """What to say of a result times a number, where what libraries call scale is an option of the loss itself."""
    scale, names = plan.treatment.scale, [option.flag for option in plan.spec.loss.options]
    option = "" if scale == shapes.UNTREATED.scale else synonyms.meant("scale", names)
    if not option:
        return ()
    value = f"{1 / scale:.6g}, 1 over it" if synonyms.is_inverse("scale", option) else f"{scale:g}"
    name = plan.spec.loss.name
    return (f"scale {scale:g} multiplies the result; what libraries call the scale of {name} is its {option}: {value}",)


def _balanced(computation: Prepared) -> Prepared:
    """Balanced weights of classes as the numbers they mean: inverse class frequency, summing to 1."""
    plan = computation.plan
    option = plan.spec.balanced
    if option is None:
        return computation
    label = plan.entries[-1]
    classes = label.classes or 2
    counts = np.zeros(classes)
    for block in computation.inputs():
        (_, values) = checks.admit(plan, block.arrays, block.start).inputs
        if plan.is_soft:
            ones = float(values.sum())
            counts += (values.size - ones, ones)
        else:
            counts += np.bincount(values.reshape(-1).astype(np.int64), minlength=classes)
    if not counts.all():
        raise DataError(
            f"class {int(np.argmin(counts))} has no rows, so its inverse frequency is infinite",
            fix=f"give {option} as numbers",
        )
    shares = (1 / counts) / np.sum(1 / counts)
    numbers = tuple(shares.tolist()) if label.classes else float(shares[1])
    spec = make(plan.spec.loss, **{**plan.spec.options, option: numbers})
    return computation._replace(plan=plan._replace(spec=spec))
