"""The diagnosis of a table, against least squares, brute force and the standardised table."""

import math

import numpy as np
import pytest

from linreg.data.dataset import Dataset, initial_weights, standardised
from linreg.data.tables import make_data, table_settings
from linreg.experiments.table_diagnosis import diagnose_table
from linreg.experiments.your_data import YourDataResult
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import DataSettings, Settings, TableSettings
from linreg.text.your_data import data_findings
from linreg.training.ensemble import train_ensemble

COLUMNS = TableSettings("t", "y", ("a", "b"), 400)


def skewed(rows=400, seed=0):
    generator = np.random.default_rng(seed)
    a = generator.normal(3_000, 800, rows)
    b = 0.02 * a + generator.normal(0, 8, rows)
    return Dataset(
        np.column_stack([a, b]),
        40 - 0.005 * a - 0.1 * b + generator.normal(0, 3, rows),
        ("a", "b"),
        "y",
    )


def findings(diagnosis):
    """What the page says of a diagnosis."""
    return data_findings(YourDataResult(COLUMNS, diagnosis, 400, ()))


def all_pairs_minimum(table, batch_size):
    """The minimum of the loss with the bug, from the normal equations over all pairs."""
    A, c = np.zeros((3, 3)), np.zeros(3)
    for first in range(0, len(table), batch_size):
        X = np.column_stack([table.X, np.ones(len(table))])[first : first + batch_size]
        y = table.y[first : first + batch_size]
        A += X.T @ X / len(X)
        c += sum(np.outer(row, y).mean(1) for row in X) / len(X)
    return np.linalg.solve(A, c)


def test_both_fits_equal_brute_force():
    table = skewed()
    found = diagnose_table(
        table, Settings(bias=True, batch_size=80, data=DataSettings(samples=400))
    )
    X = np.column_stack([table.X, np.ones(len(table))])
    best = np.linalg.lstsq(X, table.y, rcond=None)[0]
    for fit, weights in (
        (found.least_squares_fit, best),
        (found.broadcast_fit, all_pairs_minimum(table, 80)),
    ):
        assert fit.weights == pytest.approx(weights, rel=1e-5)
        p = X @ weights
        assert fit.r_squared == pytest.approx(
            1 - np.mean((table.y - p) ** 2) / table.y.var(), abs=1e-6
        )
        assert fit.spread == pytest.approx(p.std(), rel=1e-4)
    assert found.correlation == pytest.approx(np.corrcoef(table.X.T)[0, 1])


@pytest.mark.parametrize("bias", [False, True])
def test_the_predicted_effect_of_standardising_is_the_actual_one(bias):
    table, settings = (
        skewed(),
        Settings(bias=bias, wiring="squeeze", data=DataSettings(samples=400)),
    )
    said, so = (
        diagnose_table(table, settings).standardised,
        loss_surface(standardised(table), settings),
    )
    assert said.condition_number == pytest.approx(so.condition_number, rel=1e-6)
    assert said.stable_lr == pytest.approx(so.stable_lr(), rel=1e-9)
    way = np.abs(so.minimum - initial_weights(settings))
    assert said.distance == pytest.approx(way.max(), rel=1e-6)
    assert said.furthest == way.argmax()


def test_training_describes_the_table_as_it_is():
    table, settings = (
        skewed(),
        Settings(bias=True, data=DataSettings(samples=400), lr=0.02, epochs=10),
    )
    found, so = (
        diagnose_table(table, settings),
        loss_surface(table, Settings(wiring="squeeze", bias=True, batch_size=100)),
    )
    assert found.training.condition_number == pytest.approx(so.condition_number, rel=1e-6)
    assert found.training.stable_lr == pytest.approx(so.stable_lr(), rel=1e-9)
    assert found.max_displacement == pytest.approx(0.02 * (10 * 4 + 9))


def test_the_reach_is_the_distance_of_the_threads_run():
    """From (100, 100), RMSprop ends at (69.5, 69.5) after 3,000 steps: it has moved 30.5."""
    found = diagnose_table(make_data(DataSettings()), Settings(init=(100.0, 100.0)))
    assert found.max_displacement == pytest.approx(30.5, abs=0.5)
    assert found.training.distance == pytest.approx(97, abs=0.1)
    assert findings(found)[-1].startswith(
        "**Training is too short**: b must travel 97.0 but can move about 30.1; standardise"
        " features and target, use lr 0.036 or train for 107 epochs."
    )


@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_momentum_lengthens_the_reach(momentum):
    settings = Settings(wiring="squeeze", init=(1e5, -1e5), momentum=momentum)
    table = make_data(settings.data)
    steps = settings.steps
    run = train_ensemble(
        batch_moments(table, settings),
        np.array([settings.init]),
        settings.lr,
        "RMSprop",
        steps=steps,
        record_every=steps,
        momentum=momentum,
    )
    assert np.abs(run.final[0] - settings.init) == pytest.approx(
        np.full(2, diagnose_table(table, settings).max_displacement), rel=0.03
    )


@pytest.mark.parametrize("momentum", [1.0, 1.5])
def test_the_reach_is_infinite_for_a_momentum_of_one_or_more(momentum):
    assert (
        diagnose_table(
            skewed(), Settings(DataSettings(samples=400), momentum=momentum)
        ).max_displacement
        == math.inf
    )


@pytest.mark.parametrize("bias", [False, True])
def test_constant_and_collinear_features_are_named(bias):
    table = skewed()
    settings = Settings(bias=bias, data=DataSettings(samples=400))
    constant = Dataset(
        np.column_stack([table.X[:, 0], np.full(400, 7.0)]), table.y, ("a", "b"), "y"
    )
    found = diagnose_table(constant, settings)
    assert found.constant == (1,)
    assert not found.collinear
    said = " ".join(findings(found))
    assert "**b is constant**, 7.00 in every row" in said
    assert "nan" not in said.lower()
    twins = Dataset(np.column_stack([table.X[:, 0], 2 * table.X[:, 0]]), table.y, ("a", "b"), "y")
    found = diagnose_table(twins, settings)
    assert found.collinear
    assert math.isinf(found.training.condition_number)
    assert "**a and b are collinear**" in " ".join(findings(found))


@pytest.mark.parametrize(("value", "rows"), [(3.0, 400), (0.1, 1_000), (72.3, 398), (3.3, 50)])
def test_a_constant_target_has_no_r_squared(value, rows):
    """The mean of the last three is rounded to another number."""
    table = Dataset(skewed(rows).X, np.full(rows, value))
    pieces = [Dataset(table.X[:17], table.y[:17]), Dataset(table.X[17:], table.y[17:])]
    for tables in (table, pieces):
        found = diagnose_table(
            tables, Settings(data=DataSettings(samples=rows), bias=True, batch_size=10)
        )
        assert np.isnan([found.broadcast_fit.r_squared, found.least_squares_fit.r_squared]).all()
        said = " ".join(findings(found))
        assert said.startswith(f"**y is constant**, {value:g}")
        assert "R² is" not in said


def test_a_batch_size_of_one_loses_nothing():
    found = diagnose_table(
        skewed(), Settings(data=DataSettings(samples=400), bias=True, batch_size=1)
    )
    assert found.broadcast_fit.weights == pytest.approx(found.least_squares_fit.weights)
    assert "(" not in findings(found)[0]


def test_the_settings_of_a_table_count_its_rows():
    settings = table_settings("auto-mpg", "mpg", ("horsepower", "weight"), standardise=True)
    assert settings.samples == 392
    table = make_data(settings)
    assert table.X.mean(0) == pytest.approx([0, 0], abs=1e-12)
    assert table.X.std(0) == pytest.approx([1, 1])
