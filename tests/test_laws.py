"""What holds for every loss, whatever its formula: read off the registry and the table of roles, for new losses too.

A `Sample` is random input for one loss in one of its shapes and forms. Losses that compare a whole embedding set with
itself have their own claims elsewhere; what a loss says of itself (specs, options, examples) is claimed of all.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch
from conftest import examples
from folds import by, fold
from hypothesis import given, settings
from hypothesis import strategies as st
from readings import reading_of

from lossctl.api import calls, compute
from lossctl.api.reading import Reading
from lossctl.errors import DataError, LossctlError, UsageError
from lossctl.language import registry
from lossctl.language.predictions import Binary, Categorical, Distribution
from lossctl.language.roles import ROLES as TABLE_OF_ROLES
from lossctl.rows import by_row as rows
from lossctl.rows import checks as door
from lossctl.sets.views import View, ViewPanel

CLASSES = WIDTH = 9  # wide enough for sums over the columns to depend on their order, where they do
N = 40
ALL = list(registry.walk())
HERE = [loss for loss in ALL if not (loss.engine.reads_whole or loss.engine.has_lists or loss.roles[0].is_set)]
TOGETHER = [loss for loss in ALL if loss.engine.reads_whole and not loss.engine.has_space]  # all of their rows meet
BY_ROW = [loss for loss in HERE if loss.engine.is_by_row and loss.stands_alone]


@dataclass(frozen=True)
class Sample:
    """Input for one loss. inputs: role name -> values; forms: role name -> form of its probabilities."""

    spec: str
    layout: str
    inputs: dict[str, np.ndarray]
    forms: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.spec, self.layout, *self.forms.values()])

    def at(self, rows: Any) -> Sample:
        """Some of the rows, in some order."""
        return replace(self, inputs={name: values[rows] for name, values in self.inputs.items()})


def prepared(sample: Sample, **options: Any) -> Any:
    reading = Reading(forms=sample.forms, **options.pop("reading", {}))
    return reading_of(registry.parse(sample.spec), [], sample.inputs, reading=reading, **options)


def value_of(sample: Sample, **options: Any) -> float:
    with prepared(sample, **options) as ready:
        return compute.results(ready)[0].value


def row_values(sample: Sample, **options: Any) -> np.ndarray:
    with prepared(sample, **options) as ready:
        return np.concatenate([block.total for block in compute.row_losses(ready)])


def is_by_row(sample: Sample) -> bool:
    """Whether a row alone has a loss."""
    return registry.parse(sample.spec).loss in BY_ROW


# --- sampler


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def chances(rng: np.random.Generator, shape: tuple[int, ...], form: str, classes: bool) -> np.ndarray:
    x = rng.normal(0, 2, shape)
    if form == "logits":
        return x
    p = softmax(x) if classes else 1 / (1 + np.exp(-x))
    return np.log(p) if form == "log-prob" else p


def labels(rng: np.random.Generator, layout: str, n: int) -> np.ndarray:
    if layout == "classes":
        return rng.integers(0, CLASSES, n)
    return chances(rng, (n, CLASSES), "prob", True) if layout == "soft" else rng.integers(0, 2, shape_of(layout, n))


def shape_of(layout: str, n: int) -> tuple[int, ...]:
    return (n,) if layout == "row" else (n, WIDTH)


def boxes(rng: np.random.Generator, n: int) -> np.ndarray:
    corner = rng.uniform(0, 4, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(1, 4, (n, 2))], axis=1)


ROLES: dict[str, Callable[[np.random.Generator, str, int, str], np.ndarray]] = {
    **dict.fromkeys(("pred", "target"), lambda rng, layout, n, form: rng.normal(0, 1, shape_of(layout, n))),
    **dict.fromkeys(
        ("prob", "probs", "chance", "logit"),
        lambda rng, layout, n, form: chances(rng, shape_of(layout, n), form, layout in ("classes", "soft")),
    ),
    **dict.fromkeys(("p", "q"), lambda rng, layout, n, form: chances(rng, (n, CLASSES), form, True)),
    **dict.fromkeys(
        ("score", "scores", "label_scores"), lambda rng, layout, n, form: rng.normal(0, 1, shape_of(layout, n))
    ),
    **dict.fromkeys(
        ("left", "right", "anchor", "positive", "negative", "guide_left", "guide_right", "points", "emb"),
        lambda rng, layout, n, form: rng.normal(0, 1, (n, WIDTH)),
    ),
    **dict.fromkeys(
        (
            "chosen",
            "rejected",
            "ref_chosen",
            "ref_rejected",
            "policy",
            "reference",
            "behaviour",
            "mean_chosen",
            "mean_rejected",
            "token_logprob",
        ),
        lambda rng, layout, n, form: -abs(rng.normal(0, 3, n)),
    ),
    **dict.fromkeys(
        ("chosen_reward", "rejected_reward", "advantage", "outcome", "similarity", "teacher_margin"),
        lambda rng, layout, n, form: rng.normal(0, 1, n),
    ),
    **dict.fromkeys(
        ("rate", "amount", "variance", "deviation", "spread", "dispersion"),
        lambda rng, layout, n, form: np.exp(rng.normal(0, 1, shape_of(layout, n))),
    ),
    "identity": lambda rng, layout, n, form: np.arange(n) % 4,
    **dict.fromkeys(
        ("size", "true_size"), lambda rng, layout, n, form: np.expm1(rng.normal(0, 1, shape_of(layout, n)))
    ),
    **dict.fromkeys(
        ("lower", "upper", "mean", "log_variance"), lambda rng, layout, n, form: rng.normal(0, 1, shape_of(layout, n))
    ),
    **dict.fromkeys(
        ("members", "student", "teacher", "router", "augmented", "augmented_again"),
        lambda rng, layout, n, form: rng.normal(0, 1, (n, WIDTH)),
    ),
    "count": lambda rng, layout, n, form: np.maximum(rng.normal(1, 1, shape_of(layout, n)), 0),
    **dict.fromkeys(("naive", "naive_square"), lambda rng, layout, n, form: np.exp(rng.normal(0, 1, n))),
    "benchmark": lambda rng, layout, n, form: rng.normal(0, 1, shape_of(layout, n)),
    "quantiles": lambda rng, layout, n, form: rng.normal(0, 1, (n, 3)),
    "lifetime": lambda rng, layout, n, form: np.exp(rng.normal(0, 1, n)),
    "earliest": lambda rng, layout, n, form: rng.uniform(0, 1, n) * (np.arange(n) % 3 > 0),
    "latest": lambda rng, layout, n, form: np.where(np.arange(n) % 4, 1 + rng.uniform(0, 1, n), np.inf),
    "thresholds": lambda rng, layout, n, form: chances(rng, (n, CLASSES), form, False),
    "level": lambda rng, layout, n, form: rng.integers(0, CLASSES + 1, n),
    **dict.fromkeys(("left_codes", "right_codes"), lambda rng, layout, n, form: rng.uniform(-1, 1, (n, WIDTH))),
    "nll": lambda rng, layout, n, form: np.exp(rng.normal(0, 1, n)),
    "bytes": lambda rng, layout, n, form: rng.integers(1, 9, n).astype(float),
    **dict.fromkeys(("first", "second", "hazard"), lambda rng, layout, n, form: rng.normal(0, 1, n)),
    "time": lambda rng, layout, n, form: abs(rng.normal(0, 1, n)),
    "event": lambda rng, layout, n, form: rng.integers(0, 2, n),
    "wins": lambda rng, layout, n, form: rng.integers(0, 2, n),
    "desirable": lambda rng, layout, n, form: rng.integers(0, 2, n),
    **dict.fromkeys(("box", "true_box"), lambda rng, layout, n, form: boxes(rng, n)),
    "label": lambda rng, layout, n, form: labels(rng, layout, n),
    "same": lambda rng, layout, n, form: rng.integers(0, 2, n),
    "category": lambda rng, layout, n, form: rng.integers(0, 4, n),
    "split": lambda rng, layout, n, form: rng.integers(0, 3, n),
}
LAYOUTS = {
    **dict.fromkeys(("pred", "prob", "logit", "label_scores", "rate", "size", "lower"), ("row", "columns")),
    "target": ("row",),
    "chance": ("row", "columns", "classes"),
    "probs": ("classes", "soft"),
    "scores": ("classes",),
}
WEIGHTS = "/".join(str(k % 3 + 0.5) for k in range(CLASSES))
PROXIES = "/".join(map(repr, np.random.default_rng(2).normal(size=3 * WIDTH).tolist()))  # the third class has no row
SPECS = {  # beside the defaults: what takes another path through the loss
    "bce": ("bce:pos_weight=2.5",),
    "cross-entropy": ("cross-entropy:label_smoothing=0.1", f"cross-entropy:class_weights={WEIGHTS}"),
    "focal": ("focal:gamma=0", "focal:gamma=1.7,alpha=0.3"),
    "multiclass-hinge": ("multiclass-hinge:kind=weston-watkins",),
    "triplet": ("triplet:swap=true", "triplet:soft=true", "triplet:distance=sqeuclidean", "triplet:distance=cosine"),
    "contrastive": ("contrastive:margin=6", "contrastive:distance=cosine"),
    "pairwise-ranking": ("pairwise-ranking:margin=6",),
    **{name: (f"{name}:{options}",) for name, options in (
        ("dpo", "beta=0.7,label_smoothing=0.2"), ("robust-dpo", "label_smoothing=0"), ("cpo", "alpha=0"),
        ("reward-model", "margin=0.3,center=0.1"), ("barron", "alpha=-2,c=0.7"), ("gaussian-nll", "full=true"),
    )},
    **{name: (f"{name}:{options}",) for name, options in (
        ("brier", "half=true"), ("poly1", "epsilon=2"), ("generalized-ce", "q=1"), ("multi-margin", "squared=true"),
        ("asymmetric", "gamma_neg=0,offset=0"), ("calibration-error", "bins=4,closed=left"),
        ("cross-entropy-z", "z=0"), ("tversky", "alpha=0.3,beta=0.7"), ("generalized-jsd", "beta=0.2"),
        ("knowledge-distillation", "scaled=false,temperature=3"), ("cosine-embedding", "margin=0.2"),
    )},
    "minkowski": ("minkowski:p=3.5",),
    "aft": ("aft:distribution=logistic,s=0.5", "aft:distribution=extreme"),
    "lovasz-softmax": ("lovasz-softmax:over=all",),
    "gist": ("gist:margin=0.1,relative=true,within=left",),
    "vicreg": ("vicreg:eps=0",),
    **{name: (f"{name}:class_weights={PROXIES}",) for name in ("proxy-anchor", "adaface")},
    "mnrl": ("mnrl:symmetric=true",),
    "nrmse": ("nrmse:normalization=std", "nrmse:normalization=l2"),
    "kl-estimate": ("kl-estimate:kind=k1", "kl-estimate:kind=k2"),
    "tweedie-deviance": ("tweedie-deviance:power=1", "tweedie-deviance:power=1.9"),
}  # fmt: skip


def samples(loss: registry.Loss, n: int = N, seed: int = 3) -> Iterator[Sample]:
    """One for each spec, layout and choice of forms."""
    rng = np.random.default_rng(seed)
    with_forms = [role for role in loss.roles if role.forms]
    choices = [
        dict(zip([role.name for role in with_forms], forms, strict=True))
        for forms in product(*(role.forms for role in with_forms))
    ]
    names = SPECS.get(loss.name, ()) if loss.has_class_weights else (loss.name, *SPECS.get(loss.name, ()))
    for spec, layout, forms in product(names, LAYOUTS.get(loss.roles[0].name, ("row",)), choices):
        if layout == "soft" and loss.engine.reads_whole:
            continue  # they take class indices only
        inputs = {role.name: ROLES[role.name](rng, layout, n, forms.get(role.name, "")) for role in loss.roles}
        yield Sample(spec, layout, inputs, forms)


SAMPLES = [sample for loss in HERE for sample in samples(loss)]
TOGETHER_SAMPLES = [sample for loss in TOGETHER for sample in samples(loss)]
ROW_SAMPLES = [sample for sample in SAMPLES if is_by_row(sample)]
FIRST = {
    sample.spec.partition(":")[0]: str(sample) for sample in reversed([*SAMPLES, *TOGETHER_SAMPLES])
}  # of each loss


def family(sample: Sample) -> str:
    return registry.parse(sample.spec).loss.family


def one_fast(samples: list[Sample]) -> Any:
    """A test of each family's samples; those after a loss's first are left to the slow tests."""
    first = set(FIRST.values())
    early, late = ([sample for sample in samples if (str(sample) in first) is is_first] for is_first in (True, False))
    return fold("sample", by(family, early), slow=by(family, late))


of_samples, of_row_samples = one_fast(SAMPLES), one_fast(ROW_SAMPLES)
of_all_samples, of_samples_together = one_fast([*SAMPLES, *TOGETHER_SAMPLES]), one_fast(TOGETHER_SAMPLES)
of_all = fold("loss", by(lambda loss: loss.family, ALL))


def test_no_name_means_two_losses() -> None:
    names = [name for loss in ALL for name in (loss.name, *loss.aliases)]
    assert len(names) == len(set(names))


def test_the_sampler_knows_every_role() -> None:
    assert {role.name for loss in [*HERE, *TOGETHER] for role in loss.roles} <= ROLES.keys()


# --- one value a row, in any order


@of_row_samples
def test_one_value_a_row(sample: Sample) -> None:
    values = row_values(sample)
    assert values.shape == (N,) and values.dtype == np.float64 and np.isfinite(values).all()


@of_samples
def test_blocks_and_jobs_change_no_digit(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    value, losses = value_of(sample, jobs=1), row_values(sample, jobs=1) if is_by_row(sample) else None
    for size, jobs in ((1, 3), (7 * WIDTH, 1), (7 * WIDTH, 3), (1 << 20, 3)):
        with monkeypatch.context() as patch:
            patch.setattr(rows, "BLOCK_VALUES", size)
            assert value_of(sample, jobs=jobs) == value, (size, jobs)
            assert losses is None or np.array_equal(row_values(sample, jobs=jobs), losses), (size, jobs)


@of_samples
def test_the_order_of_rows_changes_no_digit(sample: Sample) -> None:
    order = np.random.default_rng(5).permutation(N)
    assert value_of(sample.at(order)) == value_of(sample)
    if is_by_row(sample):
        assert np.array_equal(row_values(sample.at(order)), row_values(sample)[order])


def layouts_of(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "fortran", np.asfortranarray(values)
    yield "big-endian", values.astype(values.dtype.newbyteorder(">"))
    yield "backwards", values[::-1].copy()[::-1]
    spread = np.zeros((3 * len(values), *values.shape[1:]), values.dtype)
    spread[1::3] = values
    yield "every third row", spread[1::3]
    wide = np.zeros((*values.shape, 2), values.dtype)
    wide[..., 1] = values
    yield "every second value", wide[..., 1]
    yield "tensor", torch.from_numpy(values.copy())


@of_all_samples
def test_the_layout_in_memory_changes_no_digit(sample: Sample) -> None:
    whole = value_of(sample)
    for arrangement in zip(*map(layouts_of, sample.inputs.values()), strict=True):
        inputs = dict(zip(sample.inputs, (values for _, values in arrangement), strict=True))
        assert value_of(replace(sample, inputs=inputs)) == whole, arrangement[0][0]


NAMES = {role.name: role.columns[0] for role in TABLE_OF_ROLES.values()}


def save_npy(folder: Path, name: str, values: np.ndarray) -> str:
    np.save(folder / f"{name}.npy", values)
    return f"{folder}/{name}.npy"


def save_csv(folder: Path, name: str, values: np.ndarray) -> str:
    lines = [",".join(map(repr, np.ravel(row).tolist())) for row in values]
    head = ",".join(f"{NAMES[name]}{column}" for column in range(np.ravel(values[0]).size))
    (folder / f"{name}.csv").write_text("\n".join([head, *lines, ""]))
    return f"{folder}/{name}.csv"


def save_npz(folder: Path, name: str, values: np.ndarray) -> str:
    np.savez_compressed(folder / f"{name}.npz", **{name: values})
    return f"{folder}/{name}.npz::{name}"


FILES: dict[str, Callable[[Path, str, np.ndarray], str]] = {
    "npy": save_npy,
    "npy, fortran": lambda folder, name, values: save_npy(folder, name, np.asfortranarray(values)),
    "npy, big-endian": lambda folder, name, values: save_npy(
        folder, name, values.astype(values.dtype.newbyteorder(">"))
    ),
    "npz": save_npz,
    "csv": save_csv,
}


@pytest.mark.slow
@of_all_samples
def test_the_format_of_files_changes_no_digit(sample: Sample, tmp_path: Path) -> None:
    values = {value_of(sample)}
    for number, save in enumerate(FILES.values()):
        (folder := tmp_path / str(number)).mkdir(exist_ok=True)
        inputs = {name: save(folder, name, array) for name, array in sample.inputs.items()}
        values.add(value_of(replace(sample, inputs=inputs)))
    assert len(values) == 1


# --- weights


@of_samples
def test_weights_of_one_change_no_digit(sample: Sample) -> None:
    for reduction in ("mean", "sum") if is_by_row(sample) and not registry.parse(sample.spec).loss.finish else (None,):
        assert value_of(sample, weight=np.ones(N), reduction=reduction) == value_of(sample, reduction=reduction)


@of_samples
def test_twice_every_row_is_the_same_mean(sample: Sample) -> None:
    twice, spec = value_of(sample.at(np.tile(np.arange(N), 2))), registry.parse(sample.spec)
    if spec.loss.name == "minkowski":  # a sum
        assert twice == pytest.approx(2 ** (1 / spec.options["p"]) * value_of(sample), rel=1e-15)
    elif spec.options.get("normalization") == "l2":  # a mean divided by a sum
        assert twice == pytest.approx(value_of(sample) / math.sqrt(2), rel=1e-15)
    else:
        assert twice == value_of(sample)


@of_samples
def test_a_weight_counts_rows(sample: Sample) -> None:
    counts = np.random.default_rng(8).integers(0, 4, N)
    counts[0] = 3
    repeated = sample.at(np.repeat(np.arange(N), counts))
    assert value_of(sample, weight=counts.astype(float)) == pytest.approx(value_of(repeated), rel=2e-16)
    powers = 1 << (counts % 3)  # products with powers of two round nothing
    assert value_of(sample, weight=powers) == value_of(sample.at(np.repeat(np.arange(N), powers)))


# --- other array libraries


def admitted(sample: Sample) -> tuple[Any, ...]:
    """What the loss's function receives."""
    with prepared(sample) as ready:
        (block,) = ready.read()
        (loss,) = ready.losses
        return door.admit(loss.plan, loss.arrange(block.load()), 0).inputs


def converted(given: Any, convert: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(given, Binary | Categorical):
        return type(given)(convert(given.values), given.logits)
    return Distribution(convert(given.values), given.form) if isinstance(given, Distribution) else convert(given)


def called(sample: Sample, given: Any) -> Any:
    spec = registry.parse(sample.spec)
    columns = registry.columns_of(spec.loss.function(*given, **spec.options))
    return sum(column for column in columns[1:-1] if column is not None) + columns[0]


@of_row_samples
def test_every_array_library_gives_the_number(sample: Sample) -> None:
    inputs = admitted(sample)
    losses = called(sample, inputs)
    for convert in (torch.from_numpy, array_api_strict.asarray):
        elsewhere = [converted(item, lambda array, to=convert: to(np.ascontiguousarray(array))) for item in inputs]
        values = called(sample, elsewhere)
        assert str(values.dtype).endswith("float64") and values.shape == (N,)
        np.testing.assert_allclose(np.asarray(values), losses, rtol=1e-13, atol=1e-16)


@of_samples_together
def test_rows_together_have_no_order_and_a_number_in_every_library(sample: Sample) -> None:
    """Weights and a row alone mean nothing to them; their blocks are in test_views.py, their extremes in the audit."""
    value, order = value_of(sample), np.random.default_rng(5).permutation(N)
    assert value_of(sample, jobs=3) == value
    assert value_of(sample.at(order)) == pytest.approx(value, rel=1e-11)
    spec, inputs = registry.parse(sample.spec), admitted(sample)
    for convert in (np.asarray, torch.from_numpy, array_api_strict.asarray):
        held = [converted(item, lambda array, to=convert: to(np.ascontiguousarray(array))) for item in inputs]
        given = (ViewPanel(tuple(map(View, held)), 0, N),) if spec.loss.engine.has_values else held
        with np.errstate(divide="ignore", invalid="ignore"):
            answer = spec.loss.function(*given, **spec.options)
        total = float(np.asarray(getattr(answer, "x", answer)).sum())
        finish = spec.loss.finish or (lambda total, weight: total / weight)
        number = finish(total, N) if spec.loss.engine.has_values else total
        assert number == pytest.approx(value, rel=1e-12)


def leaves(given: tuple[Any, ...]) -> list[np.ndarray]:
    """The arrays that a gradient is asked for: predictions and embeddings, not labels."""
    return [getattr(item, "values", item) for item in given]


def differentiable(sample: Sample) -> tuple[Callable[..., Any], list[torch.Tensor]]:
    given = admitted(sample)
    truth = {role.name for role in registry.parse(sample.spec).loss.roles} & {
        "label",
        "same",
        "desirable",
        "count",
        "wins",
        "earliest",
        "latest",
        "level",
    }
    fixed = len(truth)
    tensors = [torch.from_numpy(np.ascontiguousarray(array).copy()) for array in leaves(given)]
    moving = [tensor.requires_grad_() for tensor in tensors[: len(tensors) - fixed]]

    def function(*values: torch.Tensor) -> Any:
        everything = iter([*values, *tensors[len(moving) :]])
        return called(sample, [converted(item, lambda _: next(everything)) for item in given])

    return function, moving


@pytest.mark.slow
@one_fast([sample.at(slice(0, 3)) for sample in ROW_SAMPLES])
def test_gradients_are_those_of_differences(sample: Sample) -> None:
    function, moving = differentiable(sample)
    assert torch.autograd.gradcheck(function, moving, eps=1e-7, atol=1e-5, rtol=1e-5)


def still(sample: Sample) -> Sample:
    """All values alike: distances of zero, probabilities of 1/2, scores on the kink, errors of zero."""
    flat = {
        "prob": lambda form, array: 0.5 if form == "prob" else 0.0,
        "class": lambda form, array: {"prob": 1 / CLASSES, "log-prob": -math.log(CLASSES)}.get(form, 0.0),
    }
    inputs = {}
    for name, array in sample.inputs.items():
        form = sample.forms.get(name, "")
        if name in ("label", "same", "desirable", "wins"):
            inputs[name] = array
        elif form:
            inputs[name] = np.full_like(
                array, flat["class" if array.ndim == 2 and sample.layout != "columns" else "prob"](form, array)
            )
        else:
            inputs[name] = array * 0 + array[0] if name in ("box", "true_box") else allowed(name, np.ones_like(array))
    return replace(sample, inputs=inputs)


def allowed(name: str, array: np.ndarray) -> np.ndarray:
    """The values, moved to where those of the role may be."""
    role = TABLE_OF_ROLES[name]
    if role.high <= 0:
        array = -abs(array)
    if role.low >= 0:
        array = abs(array)
    low, high = role.low, role.high
    if role.is_open:
        low, high = np.nextafter(low, math.inf), np.nextafter(high, -math.inf)
    return np.clip(array, low, high)


@one_fast([still(sample) for sample in ROW_SAMPLES])
def test_no_gradient_is_nan_where_the_loss_has_a_kink(sample: Sample) -> None:
    function, moving = differentiable(sample)
    function(*moving).sum().backward()
    assert all(torch.isfinite(tensor.grad).all() for tensor in moving)


@pytest.mark.parametrize("name", ["bce", "log-loss"])
def test_certainty_still_has_a_slope(name: str) -> None:
    p = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    registry.find(name).function(Binary(p, False), torch.tensor([1.0, 0.0], dtype=torch.float64)).sum().backward()
    assert p.grad.tolist() == [-1.0, 1.0]


# --- extremes

ENDS = {
    "prob": [0.0, 5e-324, 1e-300, 2.0**-53, 0.5, 1 - 2.0**-53, 1.0],
    "logits": [-1e307, -1e4, -745.2, -1e-300, 0.0, 5e-324, 36.8, 710.0, 1e4, 1e307],
    "log-prob": [-math.inf, -1e4, -745.2, -1e-300, -5e-324, 0.0],
    "": [-1e300, -1e160, -1.0, -5e-324, 0.0, 1e-200, 1.0, 1e160, 1e300],
}
NEGATIVE = (
    "kl",
    "reverse-kl",
    "robust-dpo",
    "interval-score",
)  # kl of rows that are no distributions; ends that are crossed
SIGNED = (*NEGATIVE, *(loss.name for loss in HERE if loss.is_signed))


def at_the_ends(sample: Sample, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    inputs = {}
    for name, array in sample.inputs.items():
        if array.dtype.kind != "f":
            inputs[name] = array
            continue
        ends = ENDS[sample.forms.get(name, "prob" if name == "label" else "")]
        if sample.spec in ("triplet:distance=sqeuclidean", "margin-mse") or name in ("student", "teacher"):
            ends = [end for end in ends if abs(end) < 1e100]  # two infinities have no difference
        values = rng.choice(ends, array.shape)
        if (
            array.ndim == 2
            and (sample.forms.get(name) in ("prob", "log-prob") or name == "label")
            and sample.layout != "columns"
        ):
            values = np.zeros_like(array)  # one class has it all but for what is too small to show in the sum
            values[:] = rng.choice([0.0, 5e-324, 1e-300, 2.0**-60], array.shape)
            values[np.arange(len(array)), rng.integers(0, CLASSES, len(array))] = 1.0
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.log(values) if sample.forms.get(name) == "log-prob" else values
        if name in ("box", "true_box"):
            corners = [np.sort(rng.choice(ends, 2, replace=False)) for _ in range(2 * len(array))]
            values = np.array(corners).reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1, 4)
        inputs[name] = allowed(name, values)
        if TABLE_OF_ROLES[name].is_ordered:
            inputs[name] = np.maximum(inputs[name], inputs[TABLE_OF_ROLES[name].floor])
    return replace(sample, inputs=inputs)


@one_fast([at_the_ends(sample, 1) for sample in ROW_SAMPLES])
def test_the_ends_give_numbers_or_infinity(sample: Sample) -> None:
    values = row_values(sample)
    assert not np.isnan(values).any()
    if registry.parse(sample.spec).loss.name not in SIGNED:
        assert (values >= 0).all()


Q = 0.95  # of asymmetric, the probability less the offset
FARTHEST = {  # what certain and wrong costs, where it is no infinity
    **{"js": math.log(2), "js-distance": math.sqrt(math.log(2)), "hellinger": 1.0, "total-variation": 1.0},
    **{"zero-one": 1.0, "brier": 1.0, "generalized-ce": 1 / 0.7, "asymmetric": -(Q**4) * math.log(1 - Q)},
}


@fold("loss", {"all": [loss for loss in BY_ROW if any("prob" in role.forms for role in loss.roles)]})
def test_certain_and_right_is_zero_and_certain_and_wrong_infinite(loss: registry.Loss) -> None:
    if loss.family == "divergence":
        certain, wrong = {"p": [[1.0, 0.0]], "q": [[1.0, 0.0]]}, {"p": [[1.0, 0.0]], "q": [[0.0, 1.0]]}
    elif loss.roles[0].name == "probs":
        certain, wrong = {"probs": [[1.0, 0.0]], "label": [0]}, {"probs": [[1.0, 0.0]], "label": [1]}
    else:
        certain, wrong = {loss.roles[0].name: [1.0], "label": [1]}, {loss.roles[0].name: [1.0], "label": [0]}
    forms = {role.name: "prob" for role in loss.roles if role.forms}
    right, far = (
        value_of(Sample(loss.name, "", {k: np.array(v) for k, v in given.items()}, forms)) for given in (certain, wrong)
    )
    assert right == (1 if loss.name == "perplexity" else 0)
    assert far == pytest.approx(FARTHEST.get(loss.name, math.inf), rel=1e-15)


# --- small and bad inputs


@of_all_samples
def test_no_rows_is_a_stated_error(sample: Sample) -> None:
    with pytest.raises(DataError, match="no rows"):
        value_of(sample.at(slice(0, 0)))


@of_samples
def test_one_row_is_enough(sample: Sample) -> None:
    one = sample.at(slice(0, 1))
    value = value_of(one)
    spec = registry.parse(sample.spec)
    if not spec.loss.engine.is_by_row:
        assert value == 0
    elif not is_by_row(sample):
        columns = registry.columns_of(spec.loss.function(*admitted(one), **spec.options))
        with np.errstate(all="ignore"):
            expected = spec.finish(*(np.ones(1) if column is None else column for column in columns))
        assert value == pytest.approx(expected[0], nan_ok=True)
    elif "class_weights" in sample.spec and sample.layout == "classes":
        assert value == pytest.approx(row_values(one)[0] / float(WEIGHTS.split("/")[int(one.inputs["label"][0])]))
    else:
        assert value == row_values(one)[0]


@of_samples
def test_all_weights_zero_is_a_stated_error(sample: Sample) -> None:
    with pytest.raises(DataError, match=r"left out|no rows"):
        value_of(sample, weight=np.zeros(N))


@pytest.mark.parametrize(
    ("spec", "inputs", "match"),
    [
        ("cross-entropy:ignore_index=-100", {"probs": [[0.5, 0.5]], "label": [-100]}, "all 1 rows were left out"),
        ("cross-entropy", {"probs": [[0.5, 0.5]], "label": [2]}, "row 0.*not one of the classes 0..1"),
        ("cross-entropy", {"probs": [[0.5, 0.5]], "label": [0.5]}, "row 0.*not one of the classes"),
        ("cross-entropy", {"probs": [[0.5, 0.7]], "label": [0]}, "sum to 1.2"),
        ("focal:alpha=balanced", {"chance": [0.5, 0.6], "label": [1, 1]}, "class 0 has no rows"),
        ("bce", {"prob": [0.5, 0.6], "label": [0, 2]}, "row 1.*neither 0 nor 1"),
        ("bce", {"prob": [0.5, 0.6, 0.5], "label": [0, 1, -1]}, "mix -1"),
        ("bce", {"prob": [0.5, 1.5], "label": [0, 1]}, "row 1.*outside"),
        ("mse", {"pred": [[1.0, 2]], "target": [[1.0, 2, 3]]}, "2 columns.*3"),
        ("mse", {"pred": [1.0, 2], "target": [1.0]}, "2 rows"),
        ("kl", {"p": [[0.5, -0.5]], "q": [[0.5, 0.5]]}, "row 0.*outside"),
    ],
)  # fmt: skip
def test_unusable_data_is_refused_with_its_place(spec: str, inputs: dict[str, list[Any]], match: str) -> None:
    with pytest.raises(DataError, match=f"(?s){match}"):
        calls.compute(spec, **{name: np.array(values) for name, values in inputs.items()})


@fold("loss", {"all": [loss for loss in BY_ROW if "positives" in loss.reductions or loss.roles[0].name == "probs"]})
def test_no_positives_is_a_stated_error(loss: registry.Loss) -> None:
    sample = next(samples(loss))
    none = replace(sample, inputs={**sample.inputs, "label": np.zeros(N)})
    with pytest.raises(
        DataError if sample.layout == "row" and loss.roles[0].name != "scores" else UsageError, match="positives"
    ):
        value_of(none, reduction="positives")


@of_all_samples
def test_nan_and_infinity_are_refused_with_their_place(sample: Sample) -> None:
    for (name, array), bad in product(sample.inputs.items(), (math.nan, math.inf, -math.inf)):
        may_be_impossible = sample.forms.get(name) == "log-prob" or (
            sample.forms.get(name) == "logits" and array.ndim == 2  # the logit of a class that is masked out
        )
        is_no_bound = bad == math.inf and TABLE_OF_ROLES[name].check == "bound"
        if is_no_bound or (bad == -math.inf and may_be_impossible) or name in ("category", "split"):
            continue
        spoiled = array.astype(float)
        spoiled[(5,) + (2,) * (array.ndim - 1)] = bad
        with pytest.raises(DataError) as caught:
            value_of(replace(sample, inputs={**sample.inputs, name: spoiled}))
        message = str(caught.value)
        assert "row 5" in message and str(bad) in message, message


@of_all_samples
def test_rows_with_nan_are_left_out_when_asked(sample: Sample) -> None:
    name = next(iter(sample.inputs))
    if name in ("category", "split"):
        return
    label = sample.inputs.get("label", np.ones(N))
    row = next(row for row in range(5, N) if np.any(label[row]))  # where labels begin at 0, one of 0 stays
    spoiled = sample.inputs[name].astype(float)
    spoiled[row] = math.nan
    value = value_of(replace(sample, inputs={**sample.inputs, name: spoiled}), reading={"skip_nan": True})
    assert value == value_of(sample.at(np.arange(N) != row))


# --- what a loss says of itself


def option_values(option: registry.Option) -> st.SearchStrategy[Any]:
    """Any value that the option allows."""
    domain = option.domain
    if domain.kind is bool:
        return st.booleans()
    if domain.kind is str:
        return st.sampled_from(domain.words)
    ends = {
        "min_value": None if math.isinf(domain.low) else domain.low,
        "max_value": None if math.isinf(domain.high) else domain.high,
    }
    if domain.kind is int:
        numbers = st.integers(**ends)
    else:
        numbers = st.floats(**ends, allow_nan=False, allow_infinity=False, exclude_min=domain.low_open)
    choices = [numbers] if not domain.many else [st.lists(numbers.map(float), min_size=1, max_size=5).map(tuple)]
    choices += [numbers] if domain.many and domain.words else []
    choices += [st.sampled_from(domain.words)] if domain.words else []
    choices += [st.none()] if domain.optional else []
    return st.one_of(choices)


@settings(max_examples=examples(2000))
@given(loss=st.sampled_from(ALL), data=st.data())
def test_the_text_of_a_spec_is_its_identity(loss: registry.Loss, data: st.DataObject) -> None:
    options = {option.name: data.draw(option_values(option), label=option.name) for option in loss.options}
    try:
        spec = registry.make(loss, **options)
    except UsageError:  # some options exclude each other
        return
    assert registry.parse(str(spec)) == spec
    assert str(registry.parse(str(spec))) == str(spec)
    assert " " not in str(spec)


@of_all
def test_every_option_says_what_it_is(loss: registry.Loss) -> None:
    for option in loss.options:
        assert option.help and option.domain.text is not None
        assert option.default is None or option.domain.check(option.default) == option.default
        for wrong in ("", "nonsense-word", "nan", "1e999"):
            with pytest.raises(UsageError, match=option.flag):
                option.check(wrong)


@of_all
def test_every_name_finds_its_loss(loss: registry.Loss) -> None:
    for name in (loss.name, loss.name.upper(), loss.name.replace("-", "_"), *loss.aliases):
        assert registry.find(name) is loss
    assert registry.parse(loss.name).loss is loss and str(registry.parse(loss.name)) == loss.name
    assert loss.summary.endswith((".", "!")) and loss.doc["Formula"]


def read_example(loss: registry.Loss) -> tuple[str, dict[str, Any], float]:
    """`Example: pred=3 target=5 -> 2` as (spec, inputs, value)."""
    given, _, value = loss.doc["Example"].partition("->")
    pairs = dict(word.split("=", 1) for word in given.split())
    options = {option.name: pairs.pop(option.name) for option in loss.options if option.name in pairs}
    roles = {name: role for role in loss.roles for name in (role.name, role.option)}
    inputs = {roles[name].name: example_values(loss, roles[name], text) for name, text in pairs.items()}
    for role in loss.roles:
        if role.name == "group" and "group" not in inputs:  # all rows are one list
            inputs["group"] = np.zeros(len(next(iter(inputs.values()))))
    return str(registry.make(loss, **options)), inputs, float(value)


def example_values(loss: registry.Loss, role: Any, text: str) -> Any:
    if loss.engine.has_space or "/" in text:  # a set: rows between commas, columns between slashes
        table = np.array([[float(number) for number in row.split("/")] for row in text.split(",")])
        return table if role.layout == "vectors" else table[:, 0]
    value = ast.literal_eval(text)
    return np.array([value] if loss.engine.is_by_row and loss.stands_alone else value)


@of_all
def test_every_example_is_the_number(loss: registry.Loss) -> None:
    spec, inputs, value = read_example(loss)
    assert calls.compute(spec, **inputs).value == pytest.approx(value, rel=1e-15, abs=0)


@of_all
def test_a_wrong_call_is_a_usage_error(loss: registry.Loss) -> None:
    for text in (f"{loss.name}:nonsense=1", f"{loss.name}:nonsense", f"{loss.name}:=,="):
        with pytest.raises(UsageError):
            registry.parse(text)
    with pytest.raises(LossctlError):
        calls.compute(loss.name)
