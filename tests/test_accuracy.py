"""Every value of every loss against the exact formula in mpmath: row by row, list by list, anchor by anchor."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from exact_audit import by_set, known_bounds
from exact_counts import CountCase, count_cases, count_computed, count_truth
from exact_lists import ListCase, list_cases, list_computed, list_limits, list_truths
from exact_losses import (
    BITS,
    CASES,
    KNOWN_BOUNDS,
    ULP,
    Bound,
    Case,
    allowed,
    computed,
    exact,
    forms_of,
    rng,
    rows,
    truths,
    ulps,
)
from exact_sets import SetCase, set_cases, set_computed, set_limits, set_truths
from exact_totals import TotalCase, total_cases, total_computed, total_limit, total_truth
from exact_views import ViewCase, view_cases, view_computed, view_limits, view_truths
from folds import by, fold

import lossctl
from lossctl.language import registry

# --- claims


@pytest.mark.slow
@fold("case", by(lambda case: registry.find(case.loss).family, CASES))
def test_every_row_has_its_digits(case: Case) -> None:
    values = truths(case)
    errors = [ulps(value, truth) for value, truth in zip(computed(case), values, strict=True)]
    limits = allowed(case, values)
    over = [row for row, (error, limit) in enumerate(zip(errors, limits, strict=True)) if not error <= limit]
    shown = [
        (row, errors[row], limits[row], [np.asarray(array)[row].tolist() for array in case.inputs]) for row in over
    ]
    assert not over, f"{len(over)} rows: {shown[0]}"


def test_nearly_equal_directions_have_their_digits_whatever_their_lengths() -> None:
    """Angles down to 1e-14, lengths alike and 1e200 apart; multiples of a vector are exactly 0 apart."""
    random = np.random.default_rng(26)
    for eps, longer in product((1e-2, 1e-5, 1e-9, 1e-14), (1.0, 0.3, 7.0, 3e200, 3e-200)):
        left = random.normal(size=(4, 9))
        right = (left + eps * random.normal(size=left.shape)) * longer * (random.random((4, 1)) + 0.5)
        units = [[exact(row) for row in side] for side in (left, right)]
        with mp.workprec(BITS):
            chords = [
                mp.fsum((x / mp.norm(a) - y / mp.norm(b)) ** 2 for x, y in zip(a, b, strict=True))
                for a, b in zip(*units, strict=True)
            ]
            angles = [(2 * mp.asin(mp.sqrt(c) / 2)) ** 2 / 2 for c in chords]
        for spec, truth in (
            ("cosine-distance", [c / 2 for c in chords]),
            ("alignment", chords),
            ("contrastive:distance=angular", angles),
        ):
            inputs = (left, right, np.ones(4, int))[: 3 if "contrastive" in spec else 2]
            values = lossctl.row_losses(spec, *inputs)
            assert max(map(ulps, values, truth)) <= 8, (spec, eps, longer)
        short = np.float32(left).astype(float)
        assert not lossctl.row_losses("cosine-distance", short, 3 * short * 2.0**-40).any()


def test_wide_rows_have_their_digits() -> None:
    """More columns than are added up one by one: short numbers, ties, masks, numbers whose differences are rounded."""
    short = np.float32(rng.normal(0, 3, (3, 70))).astype(float)
    kinds = {
        "short": short,
        "long": rng.normal(0, 3, (3, 70)),
        "ties": np.round(short),
        "saturated": short - 45.0 * (np.arange(70) > 0),
        "tiny beside large": short * 2.0 ** -np.arange(0, 140, 2),
        "one rounded": np.r_[40.0, np.float32(1.3e-9), [-600.0] * 68] * np.float32([[1], [3], [0.8]]),
        "masked": np.where(np.arange(70) % 3, short, -np.inf),
        "beyond e^709": short + rows([705], [1e4], [600]),
        "below e^-745": short - rows([690], [1e4], [745]),
        "vanishing": short - 750.0 * (np.arange(70) > 0),
        "of both ends": np.linspace(-740, 599, 70) + rows([0], [100], [-700]),
    }
    for (what, x), (spec, role) in product(kinds.items(), (("cross-entropy", "probs"), ("focal", "chance"))):
        case = Case(what, spec, (x, [int(np.argmax(x[0])), 67, int(np.argmax(x[2]))]), {role: "logits"})
        errors = [ulps(value, truth) for value, truth in zip(computed(case), truths(case), strict=True)]
        assert max(errors) <= (ULP if spec == "cross-entropy" else ULP + 6), (what, spec, errors)


PLAIN = {
    "log-loss": lambda p, y: -np.where(y == 1, np.log(np.clip(p, 1e-7, 1)), np.log(np.clip(1 - p, 1e-7, 1))),
    "focal": lambda p, y: -((1 - np.where(y == 1, p, 1 - p)) ** 2) * np.log(np.where(y == 1, p, 1 - p)),
    "cross-entropy": lambda x, y: np.log(np.exp(x - x.max(1, keepdims=True)).sum(1)) + x.max(1) - x[range(len(x)), y],
    "kl": lambda p, q: np.sum(np.exp(p) / np.exp(p).sum(1)[:, None] * (p - q), axis=1),
    "multiclass-hinge": lambda s, y: np.maximum(0, 0.1 - s[range(len(s)), y] + np.max(np.delete(s, y[0], 1), 1)),
    "pairwise-ranking": lambda a, b, y: 1 - np.sum(a * b, 1) / np.sqrt(np.sum(a * a, 1) * np.sum(b * b, 1)),
}
CAUGHT = {
    "log-loss": Case("saturated", "log-loss", (rows(1e-9, 1 - 1e-12), [1, 1])),
    "focal": Case("saturated", "focal", (rows(1e-17, 1e-12), [0, 0])),
    "cross-entropy": Case("saturated", "cross-entropy", (rows([40, 0, -3]), [0]), {"probs": "logits"}),
    "kl": Case("near", "kl", (rows([0, 1, 2]), rows([1e-9, 1, 2])), {"p": "logits", "q": "logits"}),
    "multiclass-hinge": Case("near", "multiclass-hinge:margin=0.1", (rows([1e9, 1e9, 0]), [1])),
    "pairwise-ranking": Case(
        "near", "pairwise-ranking:distance=cosine", (rows([1, 1, 1]), rows([1, 1, 1 + 1e-9]), [1]), {}
    ),
}


@pytest.mark.parametrize("loss", PLAIN)
def test_plain_formulas_would_be_caught(loss: str) -> None:
    case = CAUGHT[loss]
    with np.errstate(all="ignore"):
        plain = PLAIN[loss](*map(np.asarray, case.inputs)).tolist()
    values = truths(case)
    assert max(ulps(value, truth) for value, truth in zip(plain, values, strict=True)) > 100
    assert max(ulps(value, truth) for value, truth in zip(computed(case), values, strict=True)) <= ULP


@pytest.mark.slow
@pytest.mark.parametrize("bound", KNOWN_BOUNDS, ids=lambda bound: "-".join(bound.losses))
def test_bounds_are_needed(bound: Bound) -> None:
    cases = [case for case in CASES if case.loss in bound.losses and bound.applies(case)]
    pairs = (pair for case in cases for pair in zip(computed(case), truths(case), strict=True))
    assert any(ulps(value, truth) > ULP for value, truth in pairs)


# --- lists, sets, counts


@pytest.mark.slow
@fold("case", {"all": list_cases()})
def test_every_list_has_its_digits(case: ListCase) -> None:
    exact_values = list_truths(case, BITS)
    errors = list(map(ulps, list_computed(case), exact_values))
    assert all(error <= limit for error, limit in zip(errors, list_limits(case, exact_values), strict=True)), errors


@pytest.mark.slow
@fold("cases", by(lambda cases: cases[0].loss, by_set()))
def test_every_anchor_has_its_digits(cases: list[SetCase]) -> None:
    for case in cases:
        exact_values = set_truths(case, BITS)
        errors = list(map(ulps, set_computed(case), exact_values))
        limits = set_limits(case, exact_values, BITS)
        assert all(error <= limit for error, limit in zip(errors, limits, strict=True)), (case, errors, limits)


@pytest.mark.slow
@fold("case", by(lambda case: case.loss, view_cases()))
def test_every_thing_seen_twice_has_its_digits(case: ViewCase) -> None:
    exact_values = view_truths(case, BITS)
    errors = list(map(ulps, view_computed(case), exact_values))
    limits = view_limits(case, exact_values)
    assert all(error <= limit for error, limit in zip(errors, limits, strict=True)), (case, errors)


@pytest.mark.slow
@fold("case", by(lambda case: case.loss, total_cases()))
def test_every_number_of_all_rows_has_its_digits(case: TotalCase) -> None:
    truth = total_truth(case)
    error = ulps(total_computed(case), truth)
    assert error <= total_limit(case, truth), (case, error)


def test_unit_vectors_in_float64_would_be_caught() -> None:
    case = SetCase("near", "contrastive-pairs", rows([1, 1], [1, 1 + 1e-7]), np.array([0, 0]), "cosine")
    unit = case.emb / np.linalg.norm(case.emb, axis=1, keepdims=True)
    plain = (np.sum((unit[0] - unit[1]) ** 2) / 2) ** 2 / 2
    assert ulps(plain, set_truths(case, BITS)[0]) > 1e6
    assert ulps(set_computed(case)[0], set_truths(case, BITS)[0]) <= 2 * ULP


def test_a_softmax_by_logarithms_would_be_caught() -> None:
    case = SetCase("one positive", "supcon", rows([1, 0], [1, 0], [-1, 0], [-1, 0]), np.array([0, 0, 1, 1]))
    logits = np.array([10.0, -10, -10])
    plain = 10 + np.log(np.exp(logits - 10).sum()) - 10
    assert ulps(plain, set_truths(case, BITS)[0]) > 1e6
    assert ulps(set_computed(case)[0], set_truths(case, BITS)[0]) <= ULP


@pytest.mark.slow
@fold("case", {"all": count_cases()})
def test_losses_of_counts_have_their_digits(case: CountCase) -> None:
    assert ulps(count_computed(case), count_truth(case, BITS)) <= ULP


def test_every_loss_and_every_form_is_audited() -> None:
    audited = {(case.loss, *forms_of(case)) for case in CASES}
    for loss in registry.walk():
        forms = [role.forms for role in loss.roles if role.forms]
        for combination in product(*forms) if loss.engine.is_by_row and loss.stands_alone else ():
            assert (loss.name, *combination) in audited, (loss.name, combination)
    others = {case.loss for case in (*list_cases(), *set_cases(), *count_cases(), *view_cases(), *total_cases())}
    assert others == {loss.name for loss in registry.walk() if not (loss.engine.is_by_row and loss.stands_alone)}


def test_known_bounds_are_in_the_docs() -> None:
    text = " ".join(Path("docs/accuracy.md").read_text().split())
    assert [reason for _, reason in known_bounds() if reason not in text] == []


# --- the functions


@pytest.mark.parametrize(
    ("name", "worst", "values"),
    [
        ("exp", 1.0, np.concatenate([-(10.0 ** rng.uniform(-20, 2.87, 1000)), rng.uniform(-1, 709, 500)])),
        ("expm1", 1.0, np.concatenate([rng.uniform(-1, 1, 800), -(10.0 ** rng.uniform(-20, 2, 400))])),
        ("log", 1.0, np.concatenate([10.0 ** rng.uniform(-300, 300, 800), 1 + rng.normal(0, 1e-3, 400)])),
        ("log1p", 1.0, np.concatenate([-(10.0 ** rng.uniform(-30, -1e-3, 800)), 10.0 ** rng.uniform(-30, 3, 400)])),
        ("tanh", 2.0, rng.normal(0, 1, 800) * 10.0 ** rng.uniform(-20, 1, 800)),
    ],
)
def test_numpys_functions_are_as_exact_as_the_bounds_assume(name: str, worst: float, values: np.ndarray) -> None:
    with mp.workprec(BITS):
        truth = [getattr(mp, name)(value) for value in exact(values)]
    assert max(map(ulps, getattr(np, name)(values).tolist(), truth)) <= worst


@pytest.mark.parametrize("gamma", [0.5, 1.5, 2.0, 3.0, 5.0])
def test_numpys_power_is_as_exact_as_the_bounds_assume(gamma: float) -> None:
    values = np.concatenate([10.0 ** rng.uniform(-40, 0, 400), rng.random(200)])
    with mp.workprec(BITS):
        truth = [value ** mp.mpf(gamma) for value in exact(values)]
    assert max(map(ulps, (values**gamma).tolist(), truth)) <= 1.0
