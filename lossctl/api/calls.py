"""What notebooks call: the commands as functions, with arrays, tensors or files in and frozen results out.

Each keyword is a row of `language/options.py`, with its default; a test holds that the signatures say no more and no
less.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Literal, overload

import numpy as np

from ..errors import UsageError, in_python
from ..kernels import devices
from ..language import options
from ..language.options import COMPARE, COMPUTE, MINE, ROWS, RUN, TRIPLETS
from ..language.registry import Spec, parse
from ..results.comparisons import Comparison
from ..results.grouped import Grouped
from ..results.suites import SuiteReport
from ..results.values import Result
from ..sets.mined_pairs import MinedPairs, joined_pairs
from ..sets.mining import Mined, joined
from . import answers, signatures, states, suite, suite_file
from . import compare as comparing
from . import mine as mining
from .arguments import margins_of, pair_of, question_of, refuse_unknown, settings_of, several
from .asked import asked, memory_of
from .bound import as_array, refuse_none, refuse_other_indexes
from .mine import Summary
from .parts import Executor
from .question import Question
from .question_of_sets import MiningQuestion, TripletQuestion, check_mining
from .question_of_systems import ComparisonQuestion
from .reading import Given
from .signatures import called, plain
from .states import PartOfQuestion
from .triplets import Report, report

Source = Given  # an array, a tensor, or the text of a source: "preds.npy", "data.csv::p"


# --- losses


@called
def compute(
    loss: str | Spec,
    *inputs: Source,
    like: str | None = None,
    from_logits: bool = False,
    from_probs: bool = False,
    clip: float = 0.0,
    percent: bool = False,
    renormalize: bool = False,
    clip_type: str = "float64",
    clip_log: float = 0.0,
    squash: str = "none",
    classes: str | Sequence[str | int] | None = None,
    positive: str | int | Source | None = None,
    multi_label: bool = False,
    multi_class: bool = False,
    soft: bool = False,
    class_axis: int | None = None,
    shift: bool = False,
    frame_axis: int | None = None,
    frame_lengths: Source | None = None,
    symbol_lengths: Source | None = None,
    train: Source | None = None,
    season: int = 1,
    distance: str | None = None,
    normalize: bool = False,
    lone: str = "drop",
    ref: Source | None = None,
    ref_label: Source | None = None,
    exclude_same: Source | Sequence[str] | None = None,
    ref_exclude_same: Source | Sequence[str] | None = None,
    coarse_label: Source | None = None,
    ref_coarse_label: Source | None = None,
    coarse_negatives: str | None = None,
    noise_label: str | int | None = None,
    noise: str = "out",
    reduction: str | None = None,
    weight: Source | None = None,
    weight_norm: str = "sum",
    scale: float = 1.0,
    na: str = "error",
    skip_nan: bool = False,
    header: str | bool = "auto",
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    dim: int | None = None,
    data_hash: bool = False,
    device: str = "cpu",
    executor: Executor | str | None = None,
    jobs: int | None = None,
    memory: str | None = None,
    keep: int | str | None = None,
    group: Source | None = None,
    by: str | None = None,
    ci: float | str | None = None,
    ci_method: str = "bca",
    resamples: int = 1000,
    cluster: Source | None = None,
    seed: int | None = None,
    align: str | None = None,
    **named: Any,
) -> Result | Grouped:
    """The loss of some inputs, as `lossctl compute` prints it.

    loss: "focal", or with options "focal:gamma=1.5,alpha=0.25", which may be keywords too: gamma=1.5, alpha=0.25
    inputs: in role order (predictions, then the truth): numpy arrays, torch tensors, or sources such as "preds.npy" or
        "data.csv::p"; one source may hold all roles. Roles may be named instead: compute("mse", pred=a, target=b)
    like: the library whose choices are taken, "torch", "keras/balanced" or "scikit-learn@1.9"; what is set here stays
    from_logits, from_probs: what the predictions are, where it is not what the loss expects
    clip: clip probabilities into [clip, 1 - clip]; never done unless asked
    clip_type, clip_log: the type that rounds probabilities and those bounds; no log of one is below -clip_log (0: none)
    squash: what scores go through before the loss: "none", "sigmoid", "softmax" or "tanh"
    weight_norm: a weighted mean divides by the "sum" of the weights, or by "n";  scale: every loss times this
    percent, renormalize: probabilities are percents; rows of them are divided by their sums
    classes: the classes in the order of the columns of predictions, where labels are names (or do not start at 0)
    positive: the label that counts as 1, every other as 0
    multi_label, multi_class: what columns of labels are, where rows with a single 1 leave it open
    soft: labels may be anything from 0 to 1, the chance that the label is 1
    class_axis, shift: which axis holds the classes; whether each step of a sequence predicts the label of the next
    frame_axis, frame_lengths, symbol_lengths: of an array of sequences, such as (frames, sequences, symbols): the axis
        of the frames, 0 or 1, and how many frames and symbols each sequence has, (sequences,)
    train, season: of losses in units of a naive error (mase): the training values, (n,) or columns `y` and `unique_id`,
        in the order of time, and how many steps back the naive forecast looks
    lone: anchors that are alone in their class: "drop", "zero" (they count, and cost 0), "self" (d_ap is 0), or
        "negatives" (they count by their negatives)
    distance, normalize: of an embedding set: euclidean (if None), sqeuclidean or cosine, on the unit sphere or as it is
    ref, ref_label: of an embedding set: the set that positives and negatives come from; the inputs are anchors then
    exclude_same, ref_exclude_same: an array (n,), or the columns of a file; rows that agree in it are no pair
    coarse_label, ref_coarse_label: an array (n,) or a column, such as a genus above species
    coarse_negatives: only "near" ones, of the anchor's coarse class, or only "far" ones, of another
    noise_label, noise: the label that is no class; "out" leaves its rows out, "negatives" keeps them as negatives only
    reduction: "mean", "sum", or "positives" (sum over the number of labels 1); batch-all knows "mean-active", its
        default, too. `lossctl.row_losses` gives them row by row
    weight: a weight >= 0 for each row, (n,)
    na: "skip" leaves out rows that hold nan, or NA in a CSV; skip_nan: short for it
    header, delimiter: of a CSV: "auto", "yes" or "no"; the character between cells
    decimal, thousands: of a CSV: the decimal point, "." or ","; what groups digits by three
    dim: the columns of a file of raw float32
    data_hash: put a hash of the values read into the signature (reads them once more)
    device: where the distances of an embedding set are computed: cpu, cuda, cuda:1 (and so on), or auto
    executor: who reads and scores the rows in parts: an executor of `concurrent.futures` (or of dask, loky, mpi4py), or
        "ray", "dask", "ray://HOST:PORT", "dask://HOST:PORT"; the numbers are those of one process
    jobs: threads, all cores unless given;  memory: what it may take, "8GB"; what is free unless given
    keep: over the hardest rows only, 100 or "10%"
    group: a value for each row that names its group, (n,): the result is a `Grouped` then; of a ranking loss, its lists
        where rows are not lists already
    by: groups by bins of a numeric column, "bins:data.csv::age:10"; the result is a `Grouped` too
    ci, ci_method, resamples, seed: the level of a bootstrap interval and how it is made: "bca" or "percentile"
    cluster: a value for each row, (n,): the interval resamples rows that share it together
    align: match rows by this column of every file, not by place

    Raises UsageError (wrong call), DataError (unusable values), FileError (unreadable file), DeviceError (no such
    device).
    """
    if reduction == "none":
        raise UsageError("compute gives one number", fix="for the loss of each row: lossctl.row_losses(...)")
    settings = settings_of(compute, locals())
    question = question_of(loss, inputs, named, settings, COMPUTE)
    with answers.opened(question) as answer:
        return _as_asked(question, answer.results(data_hash=data_hash))


def _as_asked(question: Question, results: Sequence[Result]) -> Result | Grouped:
    """The result of the (only) loss; with groups all of its results."""
    results = [_in_python(result) for result in results]
    if all(result.group is None for result in results):
        return results[0]
    macro = next((result for result in results if result.average == "macro"), None)
    return Grouped(results[0], macro, {result.group: result for result in results if result.group is not None})


def _in_python(result: Result) -> Result:
    """What was decided and what may be wrong, told in the words of a call."""
    notes, warnings = tuple(map(in_python, result.notes)), tuple(map(in_python, result.warnings))
    is_other = notes != result.notes or warnings != result.warnings
    return replace(result, notes=notes, warnings=warnings) if is_other else result


@called
def parts(loss: str | Spec, *inputs: Source, **settings: Any) -> list[PartOfQuestion]:
    """The parts of `compute(loss, *inputs, **settings)`, for engines that run functions on many machines.

    A part can be pickled; its `state()`, wherever that runs, reads its rows and gives a few bytes; `merge` makes the
    result of the states of all parts. Inputs are files that say how many rows they have, found by all workers.
    settings: those of `compute`, but executor, jobs, keep, by and data_hash

    Raises UsageError (also for what cannot be cut), DataError, FileError.
    """
    preset = options.defaults(COMPUTE, "python")
    for name in ("executor", "jobs", "keep", "by", "data_hash"):
        if name in settings:
            raise UsageError(f"{name} with parts", fix=f"leave {name} out, or call lossctl.compute")
    signatures.check(inspect.signature(compute), settings)
    known = options.arguments(COMPUTE)
    values = {known[name]: plain(value) for name, value in settings.items() if name in known}
    values = {key: value for key, value in values.items() if value is not preset[key]}
    named = {name: value for name, value in settings.items() if name not in known}
    return states.planned(question_of(loss, inputs, named, values, COMPUTE))


@called
def merge(parts: Sequence[bytes]) -> Result | Grouped:
    """What `compute` would have given, from the states of all parts, in any order.

    States are pickles: merge only those that your own workers made.

    Raises UsageError for missing parts, and what `compute` raises of the files.
    """
    return _as_asked(*states.merged(parts))


@called
def row_losses(
    loss: str | Spec,
    *inputs: Source,
    like: str | None = None,
    from_logits: bool = False,
    from_probs: bool = False,
    clip: float = 0.0,
    percent: bool = False,
    renormalize: bool = False,
    clip_type: str = "float64",
    clip_log: float = 0.0,
    squash: str = "none",
    classes: str | Sequence[str | int] | None = None,
    positive: str | int | Source | None = None,
    multi_label: bool = False,
    multi_class: bool = False,
    soft: bool = False,
    class_axis: int | None = None,
    shift: bool = False,
    frame_axis: int | None = None,
    frame_lengths: Source | None = None,
    symbol_lengths: Source | None = None,
    train: Source | None = None,
    season: int = 1,
    distance: str | None = None,
    normalize: bool = False,
    lone: str = "drop",
    ref: Source | None = None,
    ref_label: Source | None = None,
    exclude_same: Source | Sequence[str] | None = None,
    ref_exclude_same: Source | Sequence[str] | None = None,
    coarse_label: Source | None = None,
    ref_coarse_label: Source | None = None,
    coarse_negatives: str | None = None,
    noise_label: str | int | None = None,
    noise: str = "out",
    weight: Source | None = None,
    weight_norm: str = "sum",
    scale: float = 1.0,
    na: str = "error",
    skip_nan: bool = False,
    header: str | bool = "auto",
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    dim: int | None = None,
    executor: Executor | str | None = None,
    jobs: int | None = None,
    memory: str | None = None,
    **named: Any,
) -> np.ndarray:
    """The loss of each row that counts, (n,) float64, as `lossctl compute -r none` prints it.

    The arguments are those of `compute`; a row's weight multiplies its loss. Ranking losses have one value a list,
    losses of embedding sets one an anchor: the sum over its pairs or triplets.
    """
    return answers.row_values(question_of(loss, inputs, named, settings_of(row_losses, locals()), ROWS))


@called
def compare(
    base: Source,
    *others: Source,
    target: Source,
    loss: str | Spec | Sequence[str | Spec],
    from_logits: bool = False,
    from_probs: bool = False,
    clip: float = 0.0,
    percent: bool = False,
    renormalize: bool = False,
    clip_type: str = "float64",
    clip_log: float = 0.0,
    squash: str = "none",
    classes: str | Sequence[str | int] | None = None,
    positive: str | int | None = None,
    multi_label: bool = False,
    multi_class: bool = False,
    soft: bool = False,
    class_axis: int | None = None,
    shift: bool = False,
    frame_axis: int | None = None,
    frame_lengths: Source | None = None,
    symbol_lengths: Source | None = None,
    distance: str = "euclidean",
    normalize: bool = False,
    lone: str = "drop",
    exclude_same: Source | Sequence[str] | None = None,
    coarse_label: Source | None = None,
    coarse_negatives: str | None = None,
    noise_label: str | int | None = None,
    noise: str = "out",
    reduction: str | None = None,
    weight: Source | None = None,
    weight_norm: str = "sum",
    scale: float = 1.0,
    group: Source | None = None,
    na: str = "error",
    skip_nan: bool = False,
    header: str | bool = "auto",
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    dim: int | None = None,
    data_hash: bool = False,
    device: str = "cpu",
    executor: Executor | str | None = None,
    jobs: int | None = None,
    memory: str | None = None,
    ci: float | str = 0.95,
    ci_method: str = "bca",
    resamples: int = 10_000,
    cluster: Source | None = None,
    seed: int = 0,
    test: str = "sign-flip",
    margin_of_harm: float | str | None = None,
    seed_of: Source | None = None,
    beside: str | Sequence[str] = (),
    holm: str = "loss",
    align: str | None = None,
) -> tuple[Comparison, ...]:
    """Each other system against the base, for each loss, as `lossctl compare` prints it; below 0 is better.

    base, others: the predictions of the systems; arrays, tensors or sources;  target: the truth of every row
    loss: one, or several; losses in order, systems in order within them
    reduction: "mean" or "sum"; unless given the mean, or the loss's own
    group: also within each group of rows; of ranking losses, the lists
    cluster: rows that share it are resampled together;  seed_of: the seed (or fold) of each row, which varies then
    margin_of_harm: also test that a system is no worse by so much, 0.01 or "1%" of the base, and that it is within it
    beside: also "effect", "detectable", "t", "wilcoxon";  holm: what Holm corrects over, "loss" or "all"
    ci: the level of the intervals; p < 1 - ci decides;  test: "sign-flip" or "bootstrap"
    align: match rows by this column of every file, not by place
    The rest is as in `compute`.

    Raises UsageError, DataError (unusable values, unequal ids), FileError, DeviceError.
    """
    call = asked(settings_of(compare, locals()), COMPARE, "python")
    if not several(loss):
        raise UsageError("compare needs a loss, and the list is empty", fix='name one, or several: loss="bce"')
    refuse_none("compare", [base, *others, target])
    refuse_other_indexes([base, *others, target, weight, group, cluster, seed_of, exclude_same, coarse_label])
    specs = [parse(item) if isinstance(item, str) else item for item in several(loss)]
    system, *systems = map(as_array, (base, *others))
    question = ComparisonQuestion.of(call, specs, system, systems, device=devices.choose(device).name)
    return tuple(comparing.compare(question, data_hash=data_hash))


@called
def run(
    path: str | PathLike[str],
    *,
    only: str | Sequence[str] = (),
    data_hash: bool = False,
    executor: Executor | str | None = None,
    jobs: int | None = None,
    memory: str | None = None,
) -> SuiteReport:
    """Everything a suite (YAML) asks for, as `lossctl run` does: losses, groups, intervals, gates, comparisons.

    only: entries whose name holds one of these texts;  data_hash, executor, jobs, memory: as in `compute`

    An entry with an error stops no other: see its `status`

    Raises FileError, DataError (line, column and the nearest key) and UsageError for the suite itself.
    """
    call = asked(settings_of(run, locals()), RUN, "python")
    texts = [only] if isinstance(only, str) else only
    return suite.run(
        suite_file.load(plain(path)), only=texts, jobs=executor or jobs, data_hash=data_hash, memory=memory_of(call)
    )


# --- sets of embeddings


@called
def triplets(
    *inputs: Source,
    margin: float | Sequence[float] = 1.0,
    distance: str = "euclidean",
    normalize: bool = False,
    ref: Source | None = None,
    ref_label: Source | None = None,
    exclude_same: Source | Sequence[str] | None = None,
    ref_exclude_same: Source | Sequence[str] | None = None,
    coarse_label: Source | None = None,
    ref_coarse_label: Source | None = None,
    coarse_negatives: str | None = None,
    noise_label: str | int | None = None,
    noise: str = "out",
    positive: str | int | None = None,
    by_class: bool = False,
    pairs: int = 0,
    batch: tuple[int, int] | None = None,
    batches: int = 100,
    anchors: int | None = None,
    ci: float | str | None = None,
    seed: int = 0,
    na: str = "error",
    skip_nan: bool = False,
    header: str | bool = "auto",
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    dim: int | None = None,
    device: str = "cpu",
    executor: Executor | str | None = None,
    jobs: int | None = None,
    memory: str | None = None,
    **named: Source,
) -> Report:
    """The triplets of an embedding set by category, as `lossctl triplets` prints them.

    inputs: embeddings (N, D) and labels (N,), or one source that holds both; or emb=..., label=...
    margin: one or several
    distance: euclidean, sqeuclidean or cosine; normalize: onto the unit sphere first
    ref, ref_label, exclude_same, ref_exclude_same, noise_label, noise: who pairs with whom, as in `compute`
    positive: "any" or "all", of rows with several labels (a;b, or columns of 0 and 1): which of them positives share
    coarse_label, ref_coarse_label, coarse_negatives: as in `compute`; without the last, triplets with negatives of the
        same coarse class and of another are also told apart
    by_class, pairs: also by class of the anchor, and the so many class pairs with the most hard triplets
    batch: (P, K), also over `batches` sampled batches of P classes with K rows each, from `seed`
    anchors: estimate the shares from so many anchors, drawn by `seed`, each against everyone
    ci: the level of intervals of the shares: about new points, or with `anchors` (0.95 there) about the set
    na, skip_nan, header, delimiter: as in `compute`
    executor: who compares parts of the anchors with all points, as in `compute`
    device: where the whole set is counted: cpu, cuda, cuda:1 (and so on), or auto; the counts are the same

    Raises UsageError (wrong call), DataError (unusable values), FileError (unreadable file), DeviceError (no such
    device).
    """
    refuse_unknown(triplets, inputs, named)
    refuse_other_indexes([*inputs, *named.values(), exclude_same, coarse_label])
    call = asked(settings_of(triplets, locals()), TRIPLETS, "python")
    question = TripletQuestion.of(
        call, inputs, named, margins_of(margin), batch=pair_of(batch), device=devices.choose(device).name
    )
    with answers.opened_set(question) as embeddings:
        return report(question, embeddings)


@overload
def mine(strategy: str, *inputs: Source, out: None = None, as_pairs: Literal[True], **settings: Any) -> MinedPairs: ...
@overload
def mine(strategy: str, *inputs: Source, out: None = None, **settings: Any) -> Mined: ...
@overload
def mine(strategy: str, *inputs: Source, out: str, **settings: Any) -> Summary: ...
@called
def mine(
    strategy: str,
    *inputs: Source,
    out: str | None = None,
    margin: float = 1.0,
    distance: str = "euclidean",
    normalize: bool = False,
    ref: Source | None = None,
    ref_label: Source | None = None,
    exclude_same: Source | Sequence[str] | None = None,
    ref_exclude_same: Source | Sequence[str] | None = None,
    coarse_label: Source | None = None,
    ref_coarse_label: Source | None = None,
    coarse_negatives: str | None = None,
    noise_label: str | int | None = None,
    noise: str = "out",
    positive: str | int | None = None,
    category: str | Sequence[str] | None = None,
    fallback: str | None = None,
    farther_than: float = 0.2,
    nearer_than: float = 0.8,
    angle: float = 20.0,
    positives: str = "easy",
    negatives: str = "semi-hard",
    steps: int = 100,
    per_bin: int = 10,
    as_pairs: bool = False,
    limit: int | None = None,
    per_anchor: int | None = None,
    per_positive: int | None = None,
    min_distance: float | None = None,
    sample: int | None = None,
    seed: int = 0,
    id: Source | None = None,
    format: str | None = None,
    na: str = "error",
    skip_nan: bool = False,
    header: str | bool = "auto",
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    dim: int | None = None,
    device: str = "cpu",
    executor: Executor | str | None = None,
    jobs: int | None = None,
    memory: str | None = None,
    **named: Source,
) -> Mined | MinedPairs | Summary:
    """Triplets chosen from an embedding set, as `lossctl mine` writes them.

    strategy: batch-hard, semi-hard, random-semi-hard, hardest, all, distance-weighted, easy-positive, multi-similarity,
        pair-margin, angular, easy-hard, uniform-histogram
    inputs: embeddings (N, D) and labels (N,), or one source that holds both; or emb=..., label=...
    out: None for the triplets themselves, a `Mined`: rows (M, 3) int64, d_ap, d_an and loss (M,); the name of a file to
        write them there, NPY, NPZ, CSV or NDJSON, and get a `MiningSummary`
    margin: of the loss and of the categories;  category: for "all", of hard, semi-hard, easy
    fallback: for "semi-hard" and "easy-positive", the negative where none lies beyond: hardest, easiest or drop
    farther_than, nearer_than: for "pair-margin", of the positives, and of the negatives
    angle: for "angular", in degrees;  steps, per_bin: for "uniform-histogram": steps of distance, and pairs of each
    positives, negatives: for "easy-hard": easy, semi-hard, hard or all
    as_pairs: the pairs that multi-similarity, pair-margin, easy-hard or uniform-histogram take, a `MinedPairs`, whose
        `indices` are (a1, p, a2, n); a file (NPZ, CSV, NDJSON) of them, and a `PairSummary`
    limit, per_anchor: at most so many triplets, and so many of each anchor, its hardest
    per_positive, min_distance: for "all", so many of each positive pair, its nearest negatives; none nearer than this
    sample: so many of all that were chosen, each as likely;  seed: of what is drawn
    id, format: of a file: what stands for each row (a source), and its format where the name does not tell
    The rest is as in `triplets`.

    Raises UsageError, DataError, FileError, DeviceError.
    """
    refuse_unknown(mine, inputs, named)
    refuse_other_indexes([*inputs, *named.values(), exclude_same, coarse_label])
    call = asked(settings_of(mine, locals()), MINE, "python")
    check_mining(call, strategy)
    chosen = mining.choose_device(strategy, device)
    question = MiningQuestion.of(call, strategy, inputs, named, device=chosen.name)
    with answers.opened_set(question) as embeddings:
        job = mining.prepare(question, embeddings)
        if question.path is None:
            return joined_pairs(job.blocks(None)) if question.as_pairs else joined(job.blocks(None))
        files = [item for item in (*inputs, *named.values(), id) if isinstance(item, str)]
        return mining.write(job, files)
