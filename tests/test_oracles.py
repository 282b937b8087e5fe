"""Every loss prints what others say: the table is in oracles/, one file a family."""

from __future__ import annotations

import numpy as np
import pytest
import readings
from folds import by, fold
from oracles import ORACLES
from oracles.case import Case

from lossctl.api.reading import Reading
from lossctl.language import registry

SPACES = {("euclidean", False), ("sqeuclidean", False), ("cosine", False), ("euclidean", True), ("sqeuclidean", True)}


def value_of(case: Case) -> float:
    spec = registry.parse(case.spec)
    named = {role.name: np.asarray(column) for role, column in zip(spec.loss.roles, case.inputs, strict=True)}
    reading = Reading(forms=case.forms, clip=case.clip, **case.space)
    weight = None if case.weight is None else np.asarray(case.weight)
    return readings.value_of(spec, [], named, reduction=case.reduction, weight=weight, reading=reading)


of_all = fold("name", {"all": ORACLES})


@fold(
    "case", by(lambda case: registry.parse(case.spec).loss.family, (case for name in ORACLES for case in ORACLES[name]))
)
def test_what_others_say(case: Case) -> None:
    truth = float(case.truth() if callable(case.truth) else case.truth)
    value = value_of(case)
    if case.digits:
        assert abs(value - truth) <= 0.5000001 * 10.0**-case.digits
    else:
        assert value == pytest.approx(truth, rel=1e-13, abs=0)


def test_every_loss_has_an_oracle() -> None:
    assert set(ORACLES) == {loss.name for loss in registry.walk()}


@of_all
def test_a_case_asks_for_its_loss(name: str) -> None:
    assert ORACLES[name]
    assert {registry.parse(case.spec).loss.name for case in ORACLES[name]} == {name}


@of_all
def test_every_option_is_tried(name: str) -> None:
    options = {option.name for option in registry.find(name).options}
    changed = {
        option.name
        for case in ORACLES[name]
        for option, (_, value) in zip(registry.find(name).options, registry.parse(case.spec).params, strict=True)
        if value != option.default
    }
    assert changed == options


@of_all
def test_every_form_is_tried(name: str) -> None:
    roles = [role for role in registry.find(name).roles if role.forms]
    for role in roles:
        tried = {case.forms.get(role.name, role.forms[0]) for case in ORACLES[name]}
        assert tried == set(role.forms)


@of_all
def test_every_reduction_is_tried(name: str) -> None:
    default, *others = registry.find(name).reductions
    tried = {case.reduction or default for case in ORACLES[name]}
    assert tried == {default, *others} - {"none"}


@fold("name", {"all": [loss.name for loss in registry.walk() if loss.engine.has_space]})
def test_every_space_is_tried(name: str) -> None:
    if not registry.find(name).cosine:
        tried = {(case.space.get("metric", "euclidean"), case.space.get("normalize", False)) for case in ORACLES[name]}
        assert tried == SPACES
