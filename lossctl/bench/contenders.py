"""The implementations of lossctl as the benchmark runs them: from embeddings and labels in file order to the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..kernels import find
from .answers import AnswerSums, Correctness, Picks, judge_hardest, judge_semi_hard, judge_sums, sample
from .cases import MARGIN, ON_CPU, PRODUCT, Case
from .inputs import Inputs


@dataclass(frozen=True)
class Contender:
    """Something to time.

    place: inputs into the library and onto the device, which is not timed; run: what is timed
    judge: how right what `run` returned is, None where it answers another question
    """

    place: Callable[[Inputs], Any]
    run: Callable[[Any], Any]
    judge: Callable[[Inputs, Any], Correctness] | None = None


class Unavailable(Exception):
    """Why a case does not run here, for the table."""


def contender(case: Case) -> Contender:
    """How a case is run. Raises Unavailable."""
    if case.device == "cpu" and case.dtype not in ON_CPU:
        raise Unavailable(f"{case.dtype} products exist on CUDA only")
    if case.kernel == PRODUCT:
        return _product_on_the_cpu(case) if case.device == "cpu" else _product_on_cuda(case)
    if case.implementation == "panel" and case.device == "cpu":
        return {"batch-hard": _batch_hard, "batch-all": _batch_all, "semi-hard": _semi_hard}[case.kernel](case)
    return _kernel(case)


# --- the engine, numpy


def _arrays(inputs: Inputs) -> Inputs:
    return inputs


def _product_on_the_cpu(case: Case) -> Contender:
    """Tiles of the size that the engine takes, on as many threads, each thrown away."""
    from ..rows.workers import ordered_map
    from ..sets.extremes import TILE
    from ..sets.panels import default_threads
    from ..sets.scratch import Scratch

    def run(inputs: Inputs) -> None:
        x, scratch = inputs.embeddings, Scratch()

        def tile(at: tuple[int, int]) -> None:
            left, right = x[at[0] : at[0] + 256], x[at[1] : at[1] + TILE]
            np.matmul(left, right.T, out=scratch.array("product", (len(left), len(right)), x.dtype))

        tiles = ((i, j) for i in range(0, len(x), 256) for j in range(0, len(x), TILE))
        for _ in ordered_map(tile, tiles, default_threads()):
            pass

    return Contender(_arrays, run)


def _batch_hard(case: Case) -> Contender:
    from ..sets.extremes import extremes
    from ..sets.panels import Panel, fold, pair_distances
    from ..sets.points import Points, sort_points

    def mined(panel: Panel) -> tuple[np.ndarray, ...]:
        positions = extremes(panel.points, panel.start, panel.stop, scratch=panel.judges.scratch)
        return *positions, *(pair_distances(panel.points, panel.positions, at) for at in positions)

    def run(inputs: Inputs) -> tuple[Points, tuple[np.ndarray, ...]]:
        points = sort_points(inputs.embeddings, inputs.labels, dtype=case.dtype)
        return points, tuple(map(np.concatenate, zip(*fold(points, mined), strict=True)))

    def judge(inputs: Inputs, answer: tuple[Points, tuple[np.ndarray, ...]]) -> Correctness:
        points, (far, near, d_ap, d_an) = answer
        at = _anchors_at(points)
        rows = points.rows
        return judge_hardest(inputs, Picks(rows[at], rows[far[at]], rows[near[at]], d_ap[at], d_an[at]))

    return Contender(_arrays, run, judge)


def _anchors_at(points: Any) -> np.ndarray:
    """Where the sampled rows stand among the anchors."""
    at = np.argsort(points.rows)[sample(*points.x.shape)]
    anchors: np.ndarray = at[at < points.anchors]
    return anchors


def _batch_all(case: Case) -> Contender:
    """The breakdown as `lossctl triplets` makes it, certified in float64, without its histograms."""
    from ..sets.counting import Census, Counts, count_panel, joined
    from ..sets.panels import fold
    from ..sets.triplets import prepare

    def run(inputs: Inputs) -> tuple[Census, Counts]:
        census = prepare(
            inputs.embeddings,
            inputs.labels,
            margins=(MARGIN,),
            metric="euclidean",
            normalize=False,
            bins=0,
        )
        return census, joined(list(fold(census.points, lambda panel: count_panel(census, panel, is_whole=True))))

    def judge(inputs: Inputs, answer: tuple[Census, Counts]) -> Correctness:
        census, counts = answer
        points = census.points
        at = _anchors_at(points)
        hard, active = (counts.below[0] + counts.ties[0])[at], counts.below[1][at]
        categories = np.stack([counts.triplets[at] - active, active - hard, hard], 1)
        return judge_sums(inputs, AnswerSums(points.rows[at], counts.losses[1][at], categories), MARGIN)

    return Contender(_arrays, run, judge)


def _semi_hard(case: Case) -> Contender:
    from ..sets.panels import Panel, fold
    from ..sets.points import Points, sort_points

    def mined(panel: Panel) -> tuple[Any, ...]:
        index, _ = panel.own
        negatives, is_pair = panel.semi_hard("easiest")
        return panel.start, index, negatives, is_pair, panel.distance_to(index), panel.distance_to(negatives)

    def run(inputs: Inputs) -> tuple[Points, list[tuple[Any, ...]]]:
        points = sort_points(inputs.embeddings, inputs.labels, dtype=case.dtype)
        return points, list(fold(points, mined))

    def judge(inputs: Inputs, answer: tuple[Points, list[tuple[Any, ...]]]) -> Correctness:
        points, panels = answer
        at = _anchors_at(points)
        parts = []
        for start, index, negatives, is_pair, d_ap, d_an in panels:
            i, k = np.nonzero(is_pair & np.isin(np.arange(start, start + len(index)), at)[:, None])
            parts.append((i + start, index[i, k], negatives[i, k], d_ap[i, k], d_an[i, k]))
        anchor, positive, negative, d_ap, d_an = map(np.concatenate, zip(*parts, strict=True))
        rows = points.rows
        picks = Picks(rows[anchor], rows[positive], rows[negative], d_ap, d_an)
        return judge_semi_hard(inputs, picks, rows[at])

    return Contender(_arrays, run, judge)


# --- the kernels, torch and triton


def why_not(implementation: str, device: str) -> str:
    """Why `kernels.find` found nothing, in a few words."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        return "torch is not installed"
    if implementation == "triton" and find_spec("triton") is None:
        return "triton is not installed"
    return f"{implementation} does not run on {device}"


def _kernel(case: Case) -> Contender:
    function = find(case.kernel, case.implementation, case.device)
    if function is None:
        raise Unavailable(why_not(case.implementation, case.device))
    from ..kernels import tiles

    knobs: dict[str, Any] = {"precision": "ieee" if case.dtype in ON_CPU else case.dtype}
    if case.kernel == "batch-all":
        knobs["margin"] = MARGIN

    def run(inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        is_certified = case.kernel == "batch-all" and case.dtype == "float64" and case.implementation != "naive"
        if is_certified:  # as `lossctl triplets` asks for it
            knobs["slack"] = tiles.squared_distance_error(case.dim, inputs[0].dtype)
        padded = tiles.sort_by_label(*inputs)
        return padded.order, function(padded.embeddings, padded.start, padded.end, **knobs)

    def judge(inputs: Inputs, answer: tuple[Any, Any]) -> Correctness:
        order, output = answer
        return _judge_kernel(case.kernel, inputs, order.cpu().numpy(), output)

    return Contender(lambda inputs: inputs.on(case.device), run, judge)


def _judge_kernel(kernel: str, inputs: Inputs, order: np.ndarray, output: Any) -> Correctness:
    at = np.argsort(order)[sample(*inputs.embeddings.shape)]

    def column(name: str) -> np.ndarray:
        values: np.ndarray = getattr(output, name).cpu().numpy()[at]
        return values

    if kernel == "batch-all":
        counts = np.stack([column("easy"), column("semi_hard"), column("hard")], 1)
        return judge_sums(inputs, AnswerSums(order[at], column("loss"), counts), MARGIN)
    positive, negative, d_ap, d_an = map(column, ("positive_at", "negative_at", "positive", "negative"))
    exists = positive >= 0
    anchor = np.broadcast_to(order[at].reshape(-1, *[1] * (positive.ndim - 1)), positive.shape)[exists]
    picks = Picks(anchor, order[positive[exists]], order[negative[exists]], d_ap[exists], d_an[exists])
    return judge_hardest(inputs, picks) if kernel == "batch-hard" else judge_semi_hard(inputs, picks, order[at])


def _product_on_cuda(case: Case) -> Contender:
    """Blocks as large as those of the panel kernels, in the same precision."""
    if find("batch-hard", "panel", case.device) is None:
        raise Unavailable(why_not("panel", case.device))
    from ..kernels import tiles

    def run(inputs: tuple[Any, Any]) -> None:
        tiles.blocked_product(inputs[0], "ieee" if case.dtype in ON_CPU else case.dtype)

    return Contender(lambda inputs: inputs.on(case.device), run)
