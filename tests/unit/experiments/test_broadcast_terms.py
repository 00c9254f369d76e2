"""The explanation of the bug, each part against PyTorch or brute force."""

import numpy as np
import pytest
import torch
from torch import nn

from linreg.data.dataset import Dataset
from linreg.data.tables import make_data
from linreg.experiments.broadcast_terms import (
    batch_statistics,
    minimum_by_batch_size,
    pairs_of,
    shape_or_value,
)
from linreg.quadratic.evaluation import baseline
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import DataSettings, Settings
from linreg.settings.wirings import STRANGE_INIT
from linreg.training.pytorch import train

ROWS = 6


AWAY = np.array([4.0, -1.5])


@pytest.fixture(scope="module")
def table():
    return make_data(DataSettings(samples=1_003, mean=20.0, correlation=0.4, seed=3))


def broadcast_loss(X, y, weights, rows):
    """The loss and its gradient as PyTorch computes them from (B, 1) and (B,)."""
    w = torch.tensor(weights[None, :2], requires_grad=True)  # (1, 2)
    prediction = torch.tensor(X[:rows]) @ w.T  # (B, 1)
    with pytest.warns(UserWarning, match="broadcasting"):
        loss = nn.MSELoss()(prediction, torch.tensor(y[:rows]))
    loss.backward()
    return loss.item(), w.grad[0].numpy()


def test_the_parts_of_the_pairs_add_up_to_pytorchs_loss_and_gradient(table):
    pairs = pairs_of(table, AWAY, ROWS)
    loss, gradient = broadcast_loss(table.X, table.y, AWAY, ROWS)
    assert pairs.differences.shape == (ROWS, ROWS)
    assert sum(pairs.loss_parts) == pytest.approx(loss, rel=1e-12)
    assert sum(pairs.gradient_parts) == pytest.approx(gradient, rel=1e-12)
    assert pairs.matched_loss == pytest.approx(
        np.mean((table.X[:ROWS] @ AWAY - table.y[:ROWS]) ** 2)
    )


def test_the_diagonal_compares_each_prediction_with_its_own_target(table):
    pairs = pairs_of(table, AWAY, ROWS)
    on = sum(pairs.differences[i, i] ** 2 for i in range(ROWS)) / ROWS**2
    slope = sum(2 * pairs.differences[i, i] * table.X[i] for i in range(ROWS)) / ROWS**2
    assert pairs.loss_parts[0] == pytest.approx(on)
    assert pairs.gradient_parts[0] == pytest.approx(slope)


def test_a_batch_of_one_has_nothing_off_the_diagonal(table):
    pairs = pairs_of(table, AWAY, 1)
    assert pairs.loss_parts[1] == 0
    assert not pairs.gradient_parts[1].any()


@pytest.mark.parametrize("batch_size", [1, 4, 100, 1_003])
@pytest.mark.parametrize("weights", [AWAY, np.array([4.0, -1.5, 7.0])], ids=["no bias", "bias"])
def test_the_four_terms_are_the_means_over_the_batches(table, batch_size, weights):
    terms = batch_statistics(table, batch_size).terms(weights)
    parts, matched, paired = [], [], []
    for first in range(0, len(table), batch_size):
        p = table.X[first : first + batch_size] @ weights[:2] + weights[2:].sum()
        y = table.y[first : first + batch_size]
        parts.append(
            [
                p.var(),
                y.var(),
                -2 * np.mean((p - p.mean()) * (y - y.mean())),
                (p.mean() - y.mean()) ** 2,
            ]
        )
        matched.append(np.mean((p - y) ** 2))
        paired.append(np.mean((p[:, None] - y) ** 2))
    expected = np.mean(parts, axis=0)
    assert [terms.var_p, terms.var_y, terms.minus_twice_cov, terms.means] == pytest.approx(
        expected.tolist(), rel=1e-9
    )
    assert terms.matched == pytest.approx(np.mean(matched), rel=1e-9)
    assert terms.all_pairs == pytest.approx(np.mean(paired), rel=1e-9)


def test_the_best_bias_minimises_both_losses(table):
    statistics = batch_statistics(table, 59)  # a divisor of the rows: 17 batches
    best = statistics.best_bias(AWAY)
    for loss in ("matched", "all_pairs"):
        here, *beside = (
            getattr(statistics.terms(np.append(AWAY, best + off)), loss) for off in (0, -0.01, 0.01)
        )
        assert here < min(beside)


@pytest.mark.parametrize("bias", [False, True])
def test_the_minimum_by_batch_size_is_as_predicted(bias):
    table = make_data(DataSettings(samples=40_000, mean=30.0 if bias else 0.0, seed=1))
    found = minimum_by_batch_size(table, Settings(bias=bias, data=DataSettings(samples=40_000)))
    assert found.sizes[0] == 1
    X = np.column_stack([table.X, np.ones(len(table))]) if bias else table.X
    best = np.linalg.lstsq(X, table.y, rcond=None)[0]
    if not bias:
        assert found.minima[0] == pytest.approx(best, rel=1e-9)  # a batch of one hides the bug
    few = [k for k, size in enumerate(found.sizes) if 2 <= size <= 16]
    assert found.minima[few] == pytest.approx(best[:2] / np.array(found.sizes)[few, None], abs=0.08)
    assert found.predicted[few] == pytest.approx(
        best[:2] / np.array(found.sizes)[few, None], abs=0.02
    )
    sizes = np.array(found.sizes[1:])
    assert found.floors[1:] == pytest.approx(
        table.y.var() * (1 - 1 / sizes**2), rel=0.02
    )  # s − cᵀA⁺c with c/B


@pytest.mark.parametrize("bias", [False, True])
def test_the_prediction_does_not_depend_on_the_units_of_the_features(bias):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(1_000, 2)) * [1e8, 1.0]
    table = Dataset(X, X @ [5e-8, 3.0] + generator.normal(size=1_000))
    found = minimum_by_batch_size(table, Settings(DataSettings(samples=1_000), bias=bias))
    assert found.predicted[0] == pytest.approx(found.minima[0], rel=1e-9)  # both are least squares
    assert found.predicted[1] == pytest.approx(found.minima[1], rel=0.1)


def test_the_predicted_weight_of_a_constant_feature_with_a_bias_is_zero():
    """Its covariance is 1e-32 from rounding, not 0."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=1_000)
    table = Dataset(np.column_stack([x, np.full(1_000, 0.1)]), 5 * x + generator.normal(size=1_000))
    found = minimum_by_batch_size(table, Settings(DataSettings(samples=1_000), bias=True))
    assert found.predicted[:, 0] * found.sizes == pytest.approx(
        np.full(len(found.sizes), found.predicted[0, 0])
    )
    assert found.predicted[:, 1].tolist() == [0] * len(found.sizes)


def test_batch_sizes_end_at_the_size_of_the_table():
    found = minimum_by_batch_size(make_data(DataSettings(samples=50)), Settings(batch_size=1))
    assert found.sizes == (1, 2, 4, 8, 16, 32)


@pytest.mark.slow
def test_the_shape_decides_and_the_values_do_not():
    settings = Settings(DataSettings(samples=2_000), epochs=60, batch_size=50)
    table = make_data(settings.data)
    cells = shape_or_value(table, settings, baseline(table))
    assert [[cell.converged for cell in row] for row in cells] == [[False, False], [True, True]]
    each = [
        Settings(settings.data, wiring, init, epochs=60, batch_size=50)
        for wiring in ("original", "weight_1d")
        for init in (None, STRANGE_INIT)
    ]
    runs = train(each, table, dtype=torch.float64)
    for cell, run in zip([cell for row in cells for cell in row], runs, strict=True):
        assert cell.weights == pytest.approx(run.weights[-1].tolist(), rel=1e-9)
        assert cell.loss == pytest.approx(
            float(loss_surface(table, run.settings).value(run.weights[-1])), rel=1e-9
        )


def test_a_run_that_diverges_is_marked():
    settings = Settings(DataSettings(samples=500), optimizer="SGD", lr=0.01, epochs=20)
    table = make_data(settings.data)
    cells = shape_or_value(table, settings, baseline(table))
    assert all(cell.diverged and not cell.converged for row in cells for cell in row)


def test_zero_predictions_and_targets_have_zero_loss_parts():
    pairs = pairs_of(Dataset(np.zeros((4, 2)), np.zeros(4)), AWAY, 4)
    assert pairs.loss_parts == (0.0, 0.0)
