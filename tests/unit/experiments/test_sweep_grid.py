"""Cells of a sweep against runs of the PyTorch trainer; the law against the mathematics."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from judging import judged

from linreg import Comparison, DataSettings, Settings, SettingsError, make_data, train
from linreg.data.dataset import initial_weights
from linreg.experiments import sweep_grid
from linreg.experiments.sweep_grid import (
    CellStats,
    Sweep,
    _starts,
    assemble_grid,
    axis_values,
    law_of_batch_size,
    law_settings,
    run_tasks,
    stability_limits,
)
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.sweep_axes import AXES, METRICS

pytestmark = pytest.mark.slow

DATA = DataSettings(samples=400)
SMALL = Comparison(Settings(data=DATA, epochs=5), Settings(data=DATA, epochs=5, wiring="squeeze"))


def numbers(sweep):
    """Grids by metric: (sides, rows, columns)."""
    tasks = sweep.tasks()
    return assemble_grid(sweep, dict(zip(tasks, run_tasks(tasks), strict=True)))


@pytest.mark.parametrize("fixed_steps", [20, 200])
def test_cells_equal_runs_of_the_trainer(fixed_steps):
    sweep = Sweep(
        SMALL,
        "lr",
        "batch_size",
        x_values=(1e-3, 0.02, 0.1),
        y_values=(1, 40, 150),
        inits=3,
        steps=fixed_steps,
    )
    found = numbers(sweep)
    table = make_data(DATA)
    for row, batch_size in enumerate(sweep.y_values):
        for column, lr in enumerate(sweep.x_values):
            for side, settings in enumerate((SMALL.original, SMALL.fixed)):
                changes = {
                    "lr": lr,
                    "batch_size": batch_size,
                    "epochs": -(-fixed_steps // -(-400 // batch_size)),
                }
                starts = [
                    tuple(initial_weights(settings, seed).tolist()) for seed in range(3)
                ]  # PyTorch's in float32
                runs = train(
                    [replace(settings, **changes, init=init) for init in starts],
                    table,
                    dtype=torch.float64,
                )
                runs = [
                    replace(
                        run, weights=run.weights[: fixed_steps + 1], losses=run.losses[:fixed_steps]
                    )
                    for run in runs
                ]
                outcomes = [judged(run, table) for run in runs]
                at = (side, row, column)
                assert found["share"][at] == pytest.approx(
                    np.mean([one.converged for one in outcomes])
                )
                assert found["r_squared"][at] == pytest.approx(
                    np.median([one.r_squared for one in outcomes]), abs=1e-8
                )
                assert found["loss"][at] == pytest.approx(
                    np.median([one.final_loss for one in outcomes]), rel=1e-8
                )
                assert np.isfinite(found["r_squared"][at])


def test_steps_to_converge_equal_those_of_the_trainer_up_to_the_recording_interval():
    sweep = Sweep(SMALL, "lr", "noise", x_values=(0.05,), y_values=(1.0,), inits=1, steps=400)
    found = numbers(sweep)["steps"][1, 0, 0]
    start = tuple(initial_weights(SMALL.fixed).tolist())
    run = train([replace(SMALL.fixed, lr=0.05, epochs=100, init=start)], dtype=torch.float64)[0]
    table = make_data(DATA)
    fits = [((table.y - table.X @ w) ** 2).sum() for w in run.weights]
    limit = ((table.y - table.X @ np.linalg.lstsq(table.X, table.y, rcond=None)[0]) ** 2).sum()
    good = np.array(fits) <= limit + 0.01 * ((table.y - table.y.mean()) ** 2).sum()
    first = np.flatnonzero(~good)[-1] + 1
    assert first <= found <= first + 400 / 50


def test_a_cell_that_diverges_has_neither_loss_nor_r_squared():
    sgd = Comparison(
        replace(SMALL.original, optimizer="SGD"), replace(SMALL.fixed, optimizer="SGD")
    )
    found = numbers(Sweep(sgd, x_values=(1e-5, 1.0), y_values=(100,), inits=2, steps=400))
    assert np.isnan(found["loss"][:, 0, 1]).all()
    assert np.isnan(found["r_squared"][:, 0, 1]).all()
    assert found["share"][:, 0].tolist() == [[0, 0], [1, 0]]


def test_sgd_diverges_beyond_the_stability_limit():
    """With full batches 2/λ_max is exact: runs converge just below it and diverge just above."""
    from linreg import loss_surface

    full = replace(SMALL.fixed, optimizer="SGD", batch_size=400)
    limit = loss_surface(make_data(DATA), full).stable_lr()
    sgd = Comparison(replace(full, wiring="original"), full)
    found = numbers(Sweep(sgd, "lr", "batch_size", (0.95 * limit, 1.05 * limit), (400,), 2, 20_000))
    assert np.isnan(found["r_squared"][:, 0]).tolist() == [[False, True], [False, True]]


def test_every_axis_changes_its_setting():
    for key, axis in AXES.items():
        other = "lr" if key != "lr" else "noise"
        base = replace(SMALL.original, optimizer="SGD")
        sweep = Sweep(
            Comparison(base, base),
            key,
            other,
            axis_values(axis, 4)[:2],
            axis_values(AXES[other], 3)[:1],
        )
        first, second = (sweep.cell(column, 0).original for column in (0, 1))
        changed = {"distance": "init"}.get(key, key)
        holder = (lambda one: one.data) if hasattr(DATA, changed) else (lambda one: one)
        assert getattr(holder(first), changed) != getattr(holder(second), changed)


def test_axis_values():
    assert axis_values(AXES["batch_size"], 12) == (
        1,
        2,
        4,
        8,
        16,
        32,
        63,
        126,
        252,
        502,
        1002,
        2000,
    )
    assert axis_values(AXES["epochs"], 40, 1, 3) == (1, 2, 3), "whole numbers come once"
    assert axis_values(AXES["correlation"], 3) == (-0.99, 0.0, 0.99)
    assert axis_values(AXES["lr"], 7)[0] == 1e-5


def test_both_sides_take_the_swept_values():
    own = replace(SMALL.fixed, lr=0.5, batch_size=4, init=(1.0, 2.0))
    sweep = Sweep(
        Comparison(SMALL.original, own), "lr", "distance", (0.01, 0.1), (3.0,), inits=2, steps=50
    )
    cell = sweep.cell(1, 0)
    assert cell.original.lr == cell.fixed.lr == 0.1
    assert cell.original.init == cell.fixed.init
    assert cell.fixed.batch_size == 4, "its own, and not swept"
    assert all(abs(side.steps - 50) < side.steps_per_epoch for side in (cell.original, cell.fixed))


def test_no_task_is_longer_than_a_second_or_so():
    tasks = Sweep(Comparison(), inits=200, steps=100_000).tasks()
    assert max(task.runs * task.steps for task in tasks) <= 200_000_000


def test_the_size_of_the_default_sweep():
    tasks = Sweep(Comparison()).tasks()
    assert sum(task.runs for task in tasks) == 19_200
    assert {task.steps for task in tasks} == {3_000}


def test_a_distance_places_the_starts_on_a_circle_around_the_true_weights():
    sweep = Sweep(SMALL, "distance", "lr", (2.0, 50.0), (0.05,), inits=5, steps=60)
    found = numbers(sweep)
    assert found["share"][1, 0].tolist() == [1, 0], "RMSprop's reach is about lr × steps"
    start = sweep.cell(1, 0).original.init
    assert np.hypot(start[0] - 5, start[1] - 3) == pytest.approx(50)
    assert list(start) == _starts(SMALL.original, 5, 50.0)[0].tolist(), (
        "the first of the cell's own"
    )
    far = Sweep(SMALL, "distance", "lr", (2.0, 1e8), (0.05,), inits=5, steps=60)
    with pytest.raises(SettingsError, match=r"a start at distance 100000000 is out of range"):
        far.cell(1, 0)
    assert {cell for task in far.tasks() for cell in task.cells} == {0}


def test_the_stability_limit_is_the_optimizers():
    bowl = Quadratic(np.eye(2) / 2, np.zeros(2), 1.0)

    def limits(**changes):
        both = Comparison(*(replace(side, **changes) for side in (SMALL.original, SMALL.fixed)))
        return stability_limits(Sweep(both, x_values=(0.01,), y_values=(10, 20)), lambda _: bowl)

    assert limits(optimizer="SGD") == [[(2.0, 10), (2.0, 20)]] * 2
    assert limits(optimizer="Nesterov", momentum=0.9)[0][0][0] == pytest.approx(3.8 / 2.8)
    assert limits(optimizer="SGD", momentum=1.5) == [[], []], "there is none"
    assert limits(optimizer="Adam") == [[], []]


def test_with_a_set_init_one_run_per_cell_is_enough():
    fixed_start = Comparison(
        *(replace(side, init=(1.0, 1.0)) for side in (SMALL.original, SMALL.fixed))
    )
    tasks = Sweep(fixed_start, x_values=(0.01,), y_values=(10,)).tasks()
    assert [task.runs for task in tasks] == [1, 1]
    drawn = Comparison(
        *(replace(side, bias=True) for side in (fixed_start.original, fixed_start.fixed))
    )
    assert [task.runs for task in Sweep(drawn, x_values=(0.01,), y_values=(10,)).tasks()] == [
        20,
        20,
    ], "the bias is drawn"


def test_impossible_cells_are_left_out_and_a_sweep_without_cells_raises():
    tasks = Sweep(SMALL, x_values=(0.01,), y_values=(100, 500)).tasks()
    assert {cell for task in tasks for cell in task.cells} == {0}, (
        "a batch of 500 is more than the table has"
    )
    sides = (replace(side, optimizer="Adam") for side in (SMALL.original, SMALL.fixed))
    adam = Sweep(Comparison(*sides), "momentum", "lr", (0.5,), (0.01,))
    with pytest.raises(SettingsError, match=r"momentum 0\.5 does not fit Adam"):
        adam.tasks()


def test_metrics_name_the_numbers_of_a_cell():
    assert {metric.of for metric in METRICS.values()} <= set(CellStats.__dataclass_fields__)


def test_the_law_of_the_batch_size():
    """Minima equal brute force over all pairs and are near w*/B, and the runs end there."""
    settings = Settings(optimizer="SGD", lr=2e-7)
    law = law_of_batch_size(settings, (1, 10, 100), 3, 3_000)
    table = make_data(settings.data)
    for index, size in enumerate(law.sizes):
        X, y = table.X.reshape(-1, size, 2), table.y.reshape(-1, size)
        pairs_X = np.repeat(X, size, axis=1).reshape(-1, 2)  # every prediction
        pairs_y = np.tile(y, (1, size)).reshape(-1)  # against every target of its batch
        np.testing.assert_allclose(
            law.minima[index], np.linalg.lstsq(pairs_X, pairs_y, rcond=None)[0], rtol=1e-8
        )
    np.testing.assert_allclose(law.theory[:, 0], law.true[0] / np.array([1, 10, 100]))
    np.testing.assert_allclose(law.minima, law.theory, atol=0.06)
    np.testing.assert_allclose(law.finals.mean(1), law.minima, atol=0.1)


def test_the_law_of_a_large_table_is_computed_from_pieces_and_from_the_rows_used(monkeypatch):
    settings = Settings(DataSettings(samples=1_000, mean=3.0), init=(0.0, 0.0))
    whole = law_of_batch_size(*law_settings(settings, 1, 40))
    sizes = []
    monkeypatch.setattr(sweep_grid, "PIECE", 64)
    monkeypatch.setattr(
        sweep_grid,
        "batch_moments",
        lambda table, of: sizes.append(len(table)) or batch_moments(table, of),
    )
    pieces = law_of_batch_size(*law_settings(settings, 1, 40))
    np.testing.assert_allclose(pieces.minima, whole.minima, rtol=1e-9)
    np.testing.assert_allclose(pieces.finals, whole.finals, rtol=1e-9)
    assert sizes[:3] == [40, 80, 200]
    assert max(sizes) == 1_000
