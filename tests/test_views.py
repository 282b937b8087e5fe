"""Losses of two views, and of all rows together, through the doors: blocks, threads, order, gradients, groups."""

from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pytest
import torch
from conftest import run_lossctl
from folds import fold

import lossctl
from lossctl.errors import DataError, UsageError
from lossctl.language import registry
from lossctl.sets.views import View, ViewPanel, values_of

RNG = np.random.default_rng(3)
VIEWS = RNG.normal(size=(4, 40, 9))
LOSSES = [loss for loss in registry.walk() if loss.engine.kind == "pairs of two views"]
TIMES = (VIEWS[0, :, 0], abs(VIEWS[1, :, 0]), np.arange(40) % 2)
ROWS_TOGETHER = {
    **dict.fromkeys(("barlow-twins", "vicreg"), VIEWS[:2]),
    **dict.fromkeys(("cosent", "angle"), (*VIEWS[:2], np.arange(40) % 5)),
    **dict.fromkeys(
        (
            *("wasserstein-1d", "energy-distance", "median-error", "max-error", "psnr", "snr", "si-sdr"),
            *("correlation", "concordance"),
        ),
        VIEWS[:2, :, 0],
    ),
    "lovasz-hinge": (VIEWS[0, :, 0], np.arange(40) % 2),
    "cox": TIMES,
    "aot": -abs(VIEWS[:, :, 1]),
    "load-balancing": (VIEWS[0],),
}


def inputs_of(loss: registry.Loss) -> tuple[np.ndarray, ...]:
    return tuple(VIEWS[: len(loss.roles)])


def function_of(loss: registry.Loss):
    return partial(loss.function, **registry.make(loss).options)


@fold("loss", {"views": LOSSES})
def test_neither_blocks_nor_threads_nor_order_change_a_thing(loss):
    views, order = inputs_of(loss), RNG.permutation(40)
    values = values_of(views, function_of(loss), block=40)
    for block, threads in ((1, 1), (7, 3), (39, 1)):
        np.testing.assert_allclose(
            values_of(views, function_of(loss), block=block, threads=threads), values, rtol=1e-14
        )
    turned = values_of(tuple(view[order] for view in views), function_of(loss), block=16)
    np.testing.assert_allclose(turned, values[order], rtol=1e-13)
    expected = loss.finish(values.sum(), 40) if loss.finish else values.mean()
    assert lossctl.compute(loss.name, *views).value == pytest.approx(expected, rel=1e-15)
    if not loss.finish:
        np.testing.assert_array_equal(lossctl.row_losses(loss.name, *views), values_of(views, function_of(loss)))


@pytest.mark.slow
@fold("loss", {"views": LOSSES})
def test_torch_gives_the_numbers_and_their_gradient(loss):
    views = [torch.from_numpy(view[:4, :2].copy()).requires_grad_() for view in inputs_of(loss)]

    def total(*tensors: torch.Tensor) -> torch.Tensor:
        return function_of(loss)(ViewPanel(tuple(map(View, tensors)), 0, len(tensors[0]))).sum()

    numbers = values_of(tuple(view.detach().numpy() for view in views), function_of(loss))
    assert total(*views).item() == pytest.approx(numbers.sum(), rel=1e-13)
    assert torch.autograd.gradcheck(total, views, eps=1e-6, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@fold("name", {"together": ROWS_TOGETHER})
def test_all_rows_together_have_a_gradient_and_no_order(name):
    inputs, loss = ROWS_TOGETHER[name], registry.find(name)
    function = function_of(loss)
    order = RNG.permutation(40)
    value = lossctl.compute(name, *inputs).value
    assert lossctl.compute(name, *(item[order] for item in inputs)).value == pytest.approx(value, rel=1e-12)
    tensors = [torch.from_numpy(item[:6].copy()).requires_grad_(item.dtype.kind == "f") for item in inputs]
    assert function(*tensors).item() == pytest.approx(lossctl.compute(name, *(item[:6] for item in inputs)).value)
    assert torch.autograd.gradcheck(function, tensors, eps=1e-6, atol=1e-4, rtol=1e-4)


def test_a_group_of_rows_together_is_a_number_of_its_own():
    left, right = VIEWS[:2]
    group = np.arange(40) % 3
    results = lossctl.compute("vicreg", left, right, group=group)
    own = [lossctl.compute("vicreg", left[group == k], right[group == k]).value for k in range(3)]
    assert [result.value for result in results.groups.values()] == own
    assert results.value == lossctl.compute("vicreg", left, right).value
    assert results.macro.value == pytest.approx(np.mean(own))
    interval = lossctl.compute("vicreg", left, right, ci=0.95).ci
    assert interval.method == "jackknife" and interval.low < results.value < interval.high


def test_a_group_of_pixels_is_an_image_of_its_own():
    probs, image = RNG.dirichlet(np.ones(3), 40), np.arange(40) // 20
    label = np.where(np.arange(40) % 7, np.arange(40) % 3, 255)
    of_images = lossctl.compute("lovasz-softmax:ignore_index=255", probs, label, group=image)
    kept = [(image == at) & (label < 255) for at in (0, 1)]
    alone = [lossctl.compute("lovasz-softmax", probs[rows], label[rows]).value for rows in kept]
    assert [group.value for group in of_images.groups.values()] == alone


def test_what_they_cannot_do_is_refused():
    left, right = VIEWS[:2]
    with pytest.raises(DataError, match="clip of 1 pairs"):
        lossctl.compute("clip", left[:1], right[:1])
    with pytest.raises(DataError, match=r"of 1 row has no value\n.*there is one"):
        lossctl.compute("vicreg", left[:1], right[:1])
    with pytest.raises(DataError, match=r"of 3 rows has no value\n.*target: one value in every row"):
        lossctl.compute("correlation", [1.0, 2, 4], [0.1] * 3)
    with pytest.raises(DataError, match="one value in every row"):
        lossctl.compute("d2-tweedie", [1.0, 2, 4], [0.1] * 3)
    with pytest.raises(DataError, match="of 40 rows has no value"):
        lossctl.compute("cox", *TIMES[:2], np.zeros(40, int))
    with pytest.raises(DataError, match="3 label columns beside 3 classes"):
        lossctl.compute("lovasz-softmax", np.full((4, 3), 1 / 3), np.full((4, 3), 1 / 3))
    with pytest.raises(DataError, match="all zeros"):
        lossctl.compute("clip", np.zeros((2, 2)), left[:2, :2])
    with pytest.raises(DataError, match="guide-left has 9 columns, guide-right 8"):
        lossctl.compute("gist", *VIEWS[:3], VIEWS[3][:, :8])
    for name, option in (
        ("clip", {"weight": np.ones(40)}),
        ("vicreg", {"weight": np.ones(40)}),
        ("vicreg", {"top": 3}),
    ):
        with pytest.raises(UsageError):
            lossctl.compute(name, left, right, **option)
    with pytest.raises(UsageError, match="no reduction"):
        lossctl.row_losses("barlow-twins", left, right)


@pytest.mark.slow
def test_memory_grows_with_the_rows_and_not_with_their_square():
    peaks = []
    for count in (256, 1024):
        views = tuple(np.random.default_rng(0).normal(size=(2, count, 8)))
        tracemalloc.start()
        values_of(views, function_of(registry.find("clip")), block=32)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 5 * peaks[0]


def test_the_command_reads_two_files_or_one(tmp_path):
    left, right = VIEWS[:2]
    np.save(tmp_path / "a.npy", left)
    np.save(tmp_path / "b.npy", right)
    np.savez(tmp_path / "ab.npz", left=left, right=right)
    value = lossctl.compute("clip", left, right, temperature=0.05).value
    two = run_lossctl("compute", "clip", tmp_path / "a.npy", tmp_path / "b.npy", "--like", "sentence-transformers")
    one = run_lossctl("compute", "clip", tmp_path / "ab.npz", "--temperature", "0.05")
    assert float(two.out) == float(one.out) == value
    hardest = run_lossctl("compute", "mnrl", tmp_path / "ab.npz", "--top", "2")
    worst = np.argsort(-lossctl.row_losses("mnrl", left, right))[:2]
    assert all(str(row) in hardest.out for row in worst)


def test_macl_of_a_temperature_that_is_not_above_zero_is_no_number():
    left = np.eye(2)
    assert np.isnan(lossctl.compute("macl:alignment=1,alpha=1", left, -left).value)
    assert np.isnan(lossctl.row_losses("macl:alignment=1,alpha=1", left, -left)).all()
    assert lossctl.compute("macl:alignment=1,alpha=1", left, left).value > 1


def test_a_softmax_of_numbers_that_are_off_is_never_farther_off_than_it_says():
    import mpmath as mp

    from lossctl.language.rounded import UNIT, Rounded

    with mp.workprec(400):
        for case in range(40):
            count, slope, floor = int(RNG.integers(2, 12)), float(RNG.choice([0, 1, 3])), 10 ** RNG.uniform(-1, 3)
            x = RNG.normal(size=(1, count)) * 10 ** RNG.uniform(-2, 1)
            at = int(np.argsort(x[0])[-1 - case % 2])
            said = Rounded(x, slope, floor, 1e9).surprises(np.ones((1, count), bool), np.array([[at]]))
            for sign in (1, -1):  # all others up and the own one down, and the reverse
                off = [
                    sign * (slope * abs(v) + floor) * mp.mpf(UNIT) * (-1 if k == at else 1) for k, v in enumerate(x[0])
                ]
                truth = [mp.mpf(v) + move for v, move in zip(x[0].tolist(), off, strict=True)]
                value = mp.log(mp.fsum(mp.exp(v - truth[at]) for v in truth))
                assert abs(value - said.x[0, 0]) <= 1.01 * mp.mpf(said.error[0, 0]), (case, sign)
