"""Tuned learning rates, starting points and curvature, against brute force and closed forms."""

import numpy as np
import pytest

from linreg import DataSettings, Settings, batch_moments, make_data, train_ensemble
from linreg.experiments import optimizer_paths
from linreg.experiments.optimizer_paths import as_points, curvature, paths, ring, tuned_lr
from linreg.settings.changes import fitting_momentum
from linreg.settings.optimizers import OPTIMIZERS

DATA = DataSettings(samples=1_000, correlation=0.6)
MOMENTS = batch_moments(make_data(DATA), Settings(data=DATA, wiring="squeeze"))
PAIRED = batch_moments(make_data(DATA), Settings(data=DATA, batch_size=20))
STARTS = ring(np.array([5.0, 3.0]), 4.0, 3)


def steps_needed(optimizer, rates, steps=600):
    """From a full record: for each rate the first step after which the mean excess stays below
    1 %."""
    momentum = fitting_momentum(optimizer, 0.0)
    given = {"momentum": momentum} if momentum else {}
    starts, lr = np.tile(STARTS, (len(rates), 1)), np.repeat(rates, len(STARTS))
    found = train_ensemble(MOMENTS, starts, lr, optimizer, steps=steps, **given)
    surface = MOMENTS.mean()
    with np.errstate(over="ignore", invalid="ignore"):
        excess = surface.value(found.weights) - surface.min_loss  # (S + 1, rates × starts)
        excess = excess.reshape(steps + 1, len(rates), len(STARTS)).mean(2)  # (S + 1, rates)
    above = ~(excess <= 0.01 * excess[0])
    return [int(np.flatnonzero(column)[-1]) + 1 for column in above.T]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_rate_of_a_wide_grid_is_much_faster_than_the_tuned_one(optimizer):
    best = tuned_lr(MOMENTS, optimizer, STARTS, 600, fitting_momentum(optimizer, 0.0))
    needed, *others = steps_needed(optimizer, [best, *np.geomspace(1e-7, 30, 80)])
    assert needed <= min(others) + 0.02 * 600


@pytest.mark.parametrize("promising", [1, 8])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_early_stop_of_a_search_does_not_change_its_result(optimizer, promising, monkeypatch):
    monkeypatch.setattr(optimizer_paths, "PROMISING", promising)
    momentum = fitting_momentum(optimizer, 0.0)
    for moments, steps in ((MOMENTS, 600), (PAIRED, 600), (PAIRED, 40)):
        search = optimizer_paths._Search(
            moments, moments.mean(), optimizer, STARTS, steps, momentum
        )
        needed, last = search._compared(optimizer_paths.COARSE, steps, max(steps // 150, 1))
        assert (
            search.best_of(optimizer_paths.COARSE, 150)
            == optimizer_paths.COARSE[np.lexsort((last, needed))[0]]
        )


def test_the_tuned_rate_of_gradient_descent_is_stable():
    assert tuned_lr(MOMENTS, "SGD", STARTS, 600) < MOMENTS.mean().stable_lr()


def test_the_smallest_rate_is_returned_if_all_diverge():
    data = DataSettings(samples=100, scale=1e6)
    moments = batch_moments(make_data(data), Settings(data=data, wiring="squeeze"))
    assert 0.6e-7 < tuned_lr(moments, "SGD", STARTS, 600) < 1.1e-7


def test_a_ring_is_round_and_keeps_the_bias():
    found = ring(np.array([1.0, 2.0, 7.0]), 3.0, 8)
    assert np.linalg.norm(found[:, :2] - [1, 2], axis=1) == pytest.approx(np.full(8, 3.0))
    assert found[:, 2].tolist() == [7.0] * 8
    assert found[:, :2].mean(0) == pytest.approx([1, 2])


def test_paths_keep_first_and_last_step_and_measure_loss_and_distance():
    found = paths(MOMENTS, "Adam", 0.05, STARTS, 2_500)
    assert len(found.steps) <= 1_001
    assert (found.steps[0], found.steps[-1]) == (0, 2_500)
    surface = MOMENTS.mean()
    assert found.losses(surface)[0] == pytest.approx(surface.value(STARTS))
    assert found.distances(surface)[0] == pytest.approx(
        [np.hypot(*(start - surface.minimum)) for start in STARTS]
    )


def test_the_curvature_is_that_of_the_hessian():
    surface = MOMENTS.mean()
    found = curvature(surface)
    assert found.values[0] > found.values[1]
    rebuilt = sum(
        value * np.outer(along, along)
        for value, along in zip(found.values, found.directions, strict=True)
    )
    np.testing.assert_allclose(rebuilt, surface.hessian, rtol=1e-12)
    assert found.condition_number == pytest.approx(np.linalg.cond(surface.hessian))
    assert found.condition_number == pytest.approx((1 + 0.6) / (1 - 0.6), rel=0.2), (
        "of two features with correlation 0.6"
    )


def test_numbers_become_points():
    assert as_points((1, 2, 3, 4)).tolist() == [[1, 2], [3, 4]]
    assert as_points(()).shape == (0, 2)
