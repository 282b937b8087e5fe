"""The tally engine: counts of categories, exact sums, constant memory but for one entry a category.

Where only the number of rows counts, a census is all that is kept (`census`). Else rows are told apart by their cell:
the branch of the split, and the class. Of a cell a loss of counts sees two numbers, the sum of its rows' weights and
that of weight times target, and nothing else. They are what the bootstrap of a mean keeps of its rows (`bootstrap`),
so the bootstrap of a tally is that of its cells, and the loss of a resample is the same function, of its cells' sums.
Source: the influence of a row is the derivative of the loss by the row's weight, as in the infinitesimal jackknife:
Efron, The Jackknife, the Bootstrap and Other Resampling Plans, 1982, chapter 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..errors import UsageError
from ..language.numerics import Classes
from ..language.rounding import two_product
from ..rows import checks, shapes, sums
from ..rows.facts import NOTHING, Facts
from ..rows.job import Job, Read, RowBlock, shared
from ..rows.workers import ordered_map
from . import bootstrap
from .bootstrap import Influence, Moments, Sample, Spread
from .census import Census, distinct, joined, table, taken
from .clusters import Clusters, cluster_numbers, cluster_sums, merge_into, table_of
from .draws import Draws
from .survey import Aspects, refuse_slow, refuse_too_many

Result = TypeVar("Result")
Key = tuple[Any, Any]  # (branch of the split, class); None where the loss has no such input
STEP = 2.0**-13  # of a derivative, relative: the error of a central difference is 1e-8, that of its rounding 1e-12
MOST_AT_ONCE = 1 << 20  # sums of cells for which losses are computed together
STRAIGHT, CHANCE = 0.9, 1.0  # the share of a variance that slopes must explain, less this many standard errors of it
MOST_CELLS_OF_SPLIT = 1 << 25
MOST_CELLS = 5000  # of a BCa interval, whose time grows with their square


class Seen(NamedTuple):
    """The rows of a block.

    branches, classes, weight, target: of each row, (n,), None where there are none;  side: what rides along, (n,) each
    """

    numbers: checks.RowNumbers
    n: int
    branches: np.ndarray | None
    classes: np.ndarray | None
    weight: np.ndarray | None
    target: np.ndarray | None
    side: tuple[np.ndarray, ...]
    facts: Facts


class Cell(NamedTuple):
    """What the rows of a cell add up to; cells of different rows merge.

    weight: exact sum of the weights;  target: of weight times target
    sample: both for each resample, the target first;  clusters: both for each cluster
    """

    weight: sums.Total
    target: Fraction
    sample: Sample | None = None
    clusters: Clusters | None = None

    def merge(self, other: Cell) -> Cell:
        """The cell of two sets of rows together."""
        return Cell(
            self.weight + other.weight,
            self.target + other.target,
            self.sample.merge(other.sample) if self.sample and other.sample else None,
            merge_into(dict(self.clusters), other.clusters)
            if self.clusters is not None and other.clusters is not None
            else None,
        )


class Tally(NamedTuple):
    """Rows by cell; tallies of different rows merge. n: rows that count;  census: where there is no more to them"""

    cells: Mapping[Key, Cell]
    n: int
    facts: Facts
    census: Census | None = None

    @property
    def entries(self) -> int:
        """How many sums it holds of each resample."""
        return 2 * len(self.cells)

    def noticing(self, facts: Facts) -> Tally:
        """The same with other facts."""
        return self._replace(facts=facts)

    def refuse_nothing(self, plan: shapes.Plan) -> None:
        """DataError where all rows together have no value: a tally of any rows has one."""

    def value(self, plan: shapes.Plan) -> float:
        """The number that the loss makes of the counts."""
        if self.census is not None:
            return _nearest(_loss_of_census(plan, self.census))
        return _nearest(_loss(plan, _whole_cells(plan, self.cells), 0))

    def spread(self, plan: shapes.Plan, draws: Draws, method: bootstrap.Method) -> Spread:
        """How the value varies over the resamples. UsageError for BCa of too many cells."""
        return self._in_order()._spread(plan, draws, method)

    def _in_order(self) -> Tally:
        """The same with its cells in an order that no merging changes."""
        cells = sorted(self.cells.items(), key=lambda item: tuple(map(_order, item[0])))
        return self._replace(cells=dict(cells))

    def _spread(self, plan: shapes.Plan, draws: Draws, method: bootstrap.Method) -> Spread:
        samples = [_sample(cell, draws) for cell in self.cells.values()]
        observed = np.array([(_nearest(cell.target), _nearest(_exact(cell.weight))) for cell in self.cells.values()])
        width = max(1, MOST_AT_ONCE // len(samples))
        stretches = [slice(start, start + width) for start in range(0, draws.resamples, width)]
        with np.errstate(all="ignore"):
            value = _losses(plan, self, observed[:, None])
            tables = [sample.sums.table for sample in samples]
            values = [_losses(plan, self, np.stack([table[at] for table in tables])) for at in stretches]
            sloped = method == "bca" or len(samples) <= MOST_CELLS
            centred = [
                sample.moments.about(np.array([target / weight]))
                for sample, (target, weight) in zip(samples, observed.tolist(), strict=True)
            ]
            slopes = _slopes(plan, self, centred, observed) if sloped else np.full_like(observed, math.nan)
            influence = _influence(self, centred, observed, slopes)
        held = np.any([table[:, 1] > 0 for table in tables], axis=0)
        resampled = np.concatenate(values)
        squares = sum(moments.pairs[1, 1] for moments in centred)
        if influence.by_cluster is not None:
            squares = sum(weight * weight for weight in self.cluster_weights().values())
        effective = _effective(float(observed[:, 1].sum()), float(squares))
        at_end = _is_at_end(resampled[held], influence.squares)
        return Spread(float(value[0]), resampled, held, influence.acceleration, influence, effective, at_end)

    def cluster_weights(self) -> dict[str, float]:
        """What the rows of each cluster weigh, over all cells."""
        weights: dict[str, float] = {}
        for cell in self.cells.values():
            for name, (_, weight) in sorted((cell.clusters or {}).items()):
                weights[name] = weights.get(name, 0.0) + float(weight)
        return weights

    def merge(self, other: Tally) -> Tally:
        """The tally of two sets of rows together."""
        more = {key: self.cells[key].merge(cell) if key in self.cells else cell for key, cell in other.cells.items()}
        facts = self.facts if other.facts is NOTHING else self.facts.merge(other.facts)
        census = joined(self.census, other.census) if self.census is not None and other.census is not None else None
        return Tally({**self.cells, **more}, self.n + other.n, facts, census)


# --- reading


def count_blocks(
    jobs: tuple[Job, ...],
    side: tuple[int, ...],
    read: Read,
    threads: int,
    fold: Callable[[tuple[Seen, ...]], Result],
) -> Iterator[Result]:
    """fold(one Seen for each job), block by block, in order; see `rows.by_row`."""

    def of_block(block: RowBlock) -> Result:
        return fold(tuple(_seen(job, side, block.start, arrays) for job, arrays in shared(jobs, block.load())))

    yield from ordered_map(of_block, read(), threads)


def _seen(job: Job, side: tuple[int, ...], start: int, arrays: tuple[np.ndarray, ...]) -> Seen:
    block = see(job.plan, job.arrange(tuple(arrays[place] for place in job.picks)), start)
    keep = block.numbers.keep
    return block._replace(side=tuple(arrays[place] if keep is None else arrays[place][keep] for place in side))


def see(plan: shapes.Plan, arrays: tuple[np.ndarray, ...], start: int) -> Seen:
    """The rows of a block, from the arrays of the plan's entries; nothing rides along."""
    admitted = checks.admit(plan, arrays, start)
    arrays_of = dict(zip((entry.role.counts for entry in plan.entries), admitted.inputs, strict=True))
    branches, classes, target = (
        arrays_of[name].reshape(-1) if name in arrays_of else None for name in ("branches", "classes", "sum")
    )
    return Seen(admitted.rows, len(admitted.inputs[0]), branches, classes, admitted.weights, target, (), admitted.facts)


def _cells(branches: np.ndarray | None, classes: np.ndarray | None, n: int) -> tuple[tuple[Key, ...], np.ndarray]:
    """The cells of n rows, and of each row its place among them, (n,)."""
    branch_names, branch_of = _codes(branches, n)
    class_names, class_of = _codes(classes, n)
    codes, cell = np.unique(branch_of * len(class_names) + class_of, return_inverse=True)
    width = len(class_names)
    return tuple((branch_names[code // width], class_names[code % width]) for code in codes.tolist()), cell


def _codes(values: np.ndarray | None, n: int) -> tuple[list[Any], np.ndarray]:
    if values is None:
        return [None], np.zeros(n, dtype=np.int64)
    flat = values.reshape(-1)
    if flat.dtype == object:  # numbers and text side by side have no order of their own
        names = sorted(set(flat.tolist()), key=_order)
        code = {name: at for at, name in enumerate(names)}
        return names, np.array([code[name] for name in flat.tolist()], dtype=np.int64)
    kinds, codes = np.unique(flat, return_inverse=True)
    return kinds.tolist(), codes.reshape(-1)


def tally_of(block: Seen, positions: np.ndarray | None, aspects: Aspects) -> Tally:
    """The tally of a block's rows, or of those at some positions, then without what was noticed of the block."""
    here = slice(None) if positions is None else positions
    n = block.n if positions is None else len(positions)
    facts = block.facts if positions is None else NOTHING
    branches, classes = (None if side is None else side[here] for side in (block.branches, block.classes))
    if aspects.draws is None and classes is not None and block.target is None:
        weight = None if block.weight is None else block.weight[here]
        return Tally({}, n, facts, taken(classes, branches, weight))
    clusters = None if aspects.cluster is None else block.side[aspects.cluster]
    names, cell = _cells(branches, classes, n)
    refuse_slow(2 * len(names), aspects.most)
    refuse_too_many(1 if positions is None else 2, 2 * len(names) if clusters is None else 0, aspects)
    order = np.argsort(cell, kind="stable") if positions is None else positions[np.argsort(cell, kind="stable")]
    counts = np.bincount(cell, minlength=len(names))
    ends = zip(names, counts.tolist(), np.cumsum(counts).tolist(), strict=True)
    parts = {key: order[end - count : end] for key, count, end in ends}
    return Tally({key: _cell(block, members, aspects.draws, clusters) for key, members in parts.items()}, n, facts)


def _cell(block: Seen, mine: np.ndarray, draws: Draws | None, clusters: np.ndarray | None) -> Cell:
    """What the rows at some positions add up to, all of one cell."""
    weight = None if block.weight is None else block.weight[mine]
    target = None if block.target is None else block.target[mine]
    cell = Cell(sums.count(len(mine)) if weight is None else sums.total(weight), _target_sum(weight, target))
    if draws is None:
        return cell
    denominator = np.ones(len(mine)) if weight is None else weight
    with np.errstate(over="ignore", under="ignore"):
        numerator = np.zeros(len(mine)) if target is None else target * denominator
    columns = np.stack([numerator, denominator], axis=1)
    if clusters is None:
        return cell._replace(sample=bootstrap.sample(draws, block.numbers.at(mine), columns))
    return cell._replace(clusters=cluster_sums(clusters[mine], columns))


def _target_sum(weight: np.ndarray | None, target: np.ndarray | None) -> Fraction:
    if target is None:
        return Fraction(0)
    return _exact(sums.total(target)) if weight is None else _weighted_sum(weight, target)


def _exact(total: sums.Total) -> Fraction:
    return Fraction(total.units, 1 << sums.UNIT_EXPONENT)


def _weighted_sum(weights: np.ndarray, values: np.ndarray) -> Fraction:
    """The exact sum of the products, each taken as its rounded value and what the rounding lost."""
    counts = values != 0
    weights, values = weights[counts], values[counts]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        product, lost = two_product(weights, values)
        size = np.abs(product)
    if size.size and (size.min() < 1e-250 or max(size.max(), weights.max(), np.abs(values).max()) > 1e250):
        pairs = zip(map(Fraction, weights.tolist()), map(Fraction, values.tolist()), strict=True)
        return sum((weight * value for weight, value in pairs), Fraction(0))
    return _exact(sums.total(product) + sums.total(lost))


# --- the loss


def _nearest(value: Fraction | float) -> float:
    try:
        return float(value)
    except OverflowError:  # a fraction beyond the largest float64
        return math.inf if value > 0 else -math.inf


def _loss(plan: shapes.Plan, cells: Mapping[Key, tuple[Any, Any]], nothing: Any) -> Any:
    """What the loss makes of cells, key -> (weight, weighted target): fractions, or arrays (m,) that give an array."""
    branches = sorted({branch for branch, _ in cells}, key=_order)
    classes = sorted({name for _, name in cells}, key=_order)
    empty = (nothing, nothing)
    table = [[cells.get((branch, name), empty) for name in classes] for branch in branches]
    weights = [[weight for weight, _ in row] for row in table]
    counts: dict[str, Any] = {
        "classes": weights if len(plan.entries) > 1 else weights[0],
        "branches": [reduce(add, row) for row in weights],
        "sum": [reduce(add, (target for _, target in row)) for row in table],
    }
    return plan.spec.loss.function(*(counts[entry.role.counts] for entry in plan.entries), **plan.spec.options)


def _whole_cells(plan: shapes.Plan, cells: Mapping[Key, Cell]) -> dict[Key, tuple[Any, Fraction]]:
    """key -> (weight, weighted target), exact; weights without targets as whole numbers of a unit, whatever it is."""
    if any(entry.role.counts == "sum" for entry in plan.entries):
        return {key: (_exact(cell.weight), cell.target) for key, cell in cells.items()}
    units = [cell.weight.units for cell in cells.values()]
    shift = max(0, min((unit & -unit).bit_length() - 1 for unit in [*units, sum(units)] if unit))
    return {key: (unit >> shift, cell.target) for (key, cell), unit in zip(cells.items(), units, strict=True)}


def _loss_of_census(plan: shapes.Plan, census: Census) -> Any:
    """`_loss`, classes that have the same counts once."""
    branches = sorted(census, key=_order)
    _refuse_too_many(plan, census)
    rows, times = table(census, branches)
    classes = [Classes(row, times) for row in rows]
    counts = {
        "classes": classes if len(plan.entries) > 1 else classes[0],
        "branches": [row.rows for row in classes],
    }
    return plan.spec.loss.function(*(counts[entry.role.counts] for entry in plan.entries), **plan.spec.options)


def _refuse_too_many(plan: shapes.Plan, census: Census) -> None:
    """UsageError where a table of branches and classes would not fit."""
    classes = distinct(census) if len(census) > 1 else 1
    if len(census) * classes > MOST_CELLS_OF_SPLIT:
        raise UsageError(
            f"{plan.spec.loss.name} of {len(census)} branches and {classes} classes",
            why=f"each branch has a count of each class, and {len(census) * classes} are too many",
            fix="split into fewer branches, or join classes",
        )


def _order(name: Any) -> tuple[str, Any]:
    return type(name).__name__, name


# --- the bootstrap


def _sample(cell: Cell, draws: Draws) -> Sample:
    """The bootstrap of a cell: that of its rows, or of its clusters."""
    if cell.clusters is None:
        assert cell.sample is not None
        return cell.sample
    names, columns = table_of(cell.clusters)
    return bootstrap.sample(draws, cluster_numbers(names), columns)


def _losses(plan: shapes.Plan, tally: Tally, table: np.ndarray) -> np.ndarray:
    """The loss of each column of a table (cells, m, 2) of weighted targets and weights -> (m,)."""
    cells = {key: (row[:, 1], row[:, 0]) for key, row in zip(tally.cells, table, strict=True)}
    values: np.ndarray = _loss(plan, cells, np.zeros(table.shape[1]))
    return values


def _slopes(plan: shapes.Plan, tally: Tally, centred: list[Moments], observed: np.ndarray) -> np.ndarray:
    """The derivatives of the loss by each cell's target and by its weight, with the cell's mean target as it is.

    observed: (cells, 2) weighted targets and weights -> (cells, 2)
    """
    refuse_slow(2 * len(observed), 2 * MOST_CELLS)
    result = np.zeros_like(observed)
    weight = observed[:, 1]
    by_weight = _differences(plan, tally, observed, STEP * observed) / (STEP * weight)
    result[:, 1] = by_weight - by_weight @ weight / weight.sum()  # all rows twice change nothing
    if any(entry.role.counts == "sum" for entry in plan.entries):
        pairs = np.array([moments.pairs for moments in centred])
        step = STEP * weight * np.sqrt(pairs[:, 0, 0] / pairs[:, 1, 1])  # by the spread of the targets in the cell
        changes = _differences(plan, tally, observed, np.stack([step, np.zeros_like(step)], axis=1))
        result[:, 0] = changes / np.where(step == 0, 1.0, step)
    return result


def _differences(plan: shapes.Plan, tally: Tally, observed: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Half of what the loss gains from a step down to a step up of each cell; observed, steps (cells, 2) -> (cells,)"""
    cells = len(observed)
    gains = []
    width = max(1, MOST_AT_ONCE // (2 * cells))
    for start in range(0, cells, width):
        mine = np.arange(start, min(start + width, cells))
        table = np.repeat(observed[:, None], 2 * len(mine), axis=1).reshape(cells, len(mine), 2, 2)
        table[mine, mine - start, 0] -= steps[mine]
        table[mine, mine - start, 1] += steps[mine]
        values = _losses(plan, tally, table.reshape(cells, -1, 2)).reshape(len(mine), 2)
        gains.append((values[:, 1] - values[:, 0]) / 2)
    return np.concatenate(gains)


def _effective(weight: float, squares: float) -> float:
    """How many rows of equal weight tell as much as rows of a weight and a sum of squared weights in all."""
    return weight / squares * weight if squares else math.nan


def _is_at_end(resampled: np.ndarray, squares: float) -> bool:
    """Whether the loss bends so much over the resamples that the variance of single rows is not its own.

    squares: the sum of the squared influences of rows
    """
    if len(resampled) < 2 or not math.isfinite(squares):
        return False
    chance = CHANCE * math.sqrt(2 / len(resampled))
    variance = float(resampled.var(ddof=1))
    return variance > 0 and squares < (STRAIGHT - chance) * variance


def _influence(tally: Tally, centred: list[Moments], observed: np.ndarray, slopes: np.ndarray) -> Influence:
    """The influence of a row: by_target * u + by_weight * w, with u = w * (its target - the mean of its cell)."""
    squares = cubes = 0.0
    units = 0
    by_cluster: dict[str, float] = {}
    for cell, moments, (target, weight), (b, a) in zip(
        tally.cells.values(), centred, observed.tolist(), slopes.tolist(), strict=True
    ):
        own = moments.influence(np.array([b, a]))
        squares, cubes, units = squares + own.squares, cubes + own.cubes, units + own.units
        for name, sums_of_cluster in sorted((cell.clusters or {}).items()):
            numerator, denominator = map(float, sums_of_cluster)
            change = b * (numerator - target / weight * denominator) + a * denominator
            by_cluster[name] = by_cluster.get(name, 0.0) + change
    return Influence.of_clusters(by_cluster) if by_cluster else Influence(squares, cubes, units)
