"""The home page's result, before and after its sides are trained, against the trainer itself."""

from dataclasses import replace

import numpy as np
import pytest
from judging import judged

from linreg.data.tables import make_data, table_settings
from linreg.experiments.comparison import outstanding, run
from linreg.experiments.resources import local_resources
from linreg.quadratic.streaming import loss_surface
from linreg.settings.changes import with_table
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.training.pytorch import train

DATA = DataSettings(samples=400, weights=(2.0, -1.0))
ORIGINAL = Settings(data=DATA, epochs=5)
FIXED = replace(ORIGINAL, wiring="squeeze", epochs=7)
COMPARISON = Comparison(ORIGINAL, FIXED)


def test_before_training_there_are_surfaces_and_no_runs():
    of = local_resources()
    result = run(COMPARISON, of)
    assert not result.complete
    assert (result.runs, result.outcomes, result.last_step) == ([], [None, None], 0)
    for side, settings in zip(result.sides, (ORIGINAL, FIXED), strict=True):
        assert (side.settings, side.run, side.outcome) == (settings, None, None)
        expected = loss_surface(make_data(DATA), settings)
        np.testing.assert_array_equal(side.surface.minimum, expected.minimum)
        assert side.surface.min_loss == expected.min_loss
    assert [side.label for side in result.sides] == ["Original", "Fixed"]
    work = outstanding(COMPARISON, of)
    assert work.keys == (ORIGINAL, FIXED)
    assert work.steps == 20 + 28
    assert of.runs.get(ORIGINAL) is None, "to ask what is missing trains nothing"


def test_after_training_the_runs_are_those_of_the_trainer():
    of, seen = local_resources(), []
    outstanding(COMPARISON, of).run(lambda *so_far: seen.append(so_far))
    assert seen[-1][0] == seen[-1][1]
    result, table = run(COMPARISON, of), make_data(DATA)
    assert result.complete
    assert result.last_step == 28, "of the longer run"
    for side, expected in zip(result.sides, train([ORIGINAL, FIXED], table), strict=True):
        np.testing.assert_array_equal(side.run.weights, expected.weights)
        np.testing.assert_array_equal(side.run.losses, expected.losses)
        assert side.run.warnings == expected.warnings
        assert side.outcome.verdict == judged(expected, table).verdict
        assert side.outcome.final_loss == judged(expected, table).final_loss
    assert result.outcomes == [side.outcome for side in result.sides]
    assert not outstanding(COMPARISON, of)


@pytest.mark.parametrize(("samples", "expected"), [(501, 500), (400, 400), (1, 1)])
def test_the_sample_has_evenly_spaced_rows_and_the_whole_of_a_small_table(samples, expected):
    data = DataSettings(samples=samples, mean=3.0)
    settings = replace(ORIGINAL, data=data, batch_size=1)
    table = make_data(data)
    sample = run(Comparison(settings, settings), local_resources()).sample
    assert (len(sample.y), sample.rows) == (expected, samples)
    assert sample.mean == pytest.approx(table.y.mean())
    rows = [table.y.tolist().index(value) for value in sample.y]
    assert (rows[0], rows[-1]) == (0, samples - 1)
    assert set(np.diff(rows)) <= {1, 2}
    np.testing.assert_array_equal(sample.X, table.X[rows])
    with_bias = sample.predictions(np.array([2.0, -1.0, 7.0]))
    assert with_bias == pytest.approx(2 * sample.X[:, 0] - sample.X[:, 1] + 7)


@pytest.mark.parametrize("first", [ORIGINAL, FIXED], ids=["original", "fixed"])
def test_with_one_side_trained_neither_is_shown_as_trained(first):
    of = local_resources()
    of.runs.compute([first])
    result = run(COMPARISON, of)
    assert not result.complete
    assert (result.runs, result.outcomes, result.last_step) == ([], [None, None], 0)
    work = outstanding(COMPARISON, of)
    assert work.keys == tuple(side for side in (ORIGINAL, FIXED) if side != first)
    work.run()
    assert run(COMPARISON, of).complete


def test_two_sides_alike_are_trained_once():
    of = local_resources()
    same = Comparison(ORIGINAL, ORIGINAL)
    work = outstanding(same, of)
    assert work.keys == (ORIGINAL,)
    work.run()
    result = run(same, of)
    assert result.complete
    assert result.sides[0].run is result.sides[1].run


def test_the_weights_to_aim_at_are_the_true_ones_of_synthetic_data_only():
    of = local_resources()
    result, table = run(COMPARISON, of), make_data(DATA)
    best = np.linalg.lstsq(table.X, table.y, rcond=None)[0]
    assert result.least_squares == pytest.approx(best, rel=1e-9)
    assert result.correct_weights == (2.0, -1.0)
    data = table_settings("auto-mpg", "mpg", ("horsepower", "weight"), standardise=True)
    result, table = run(with_table(COMPARISON, data), of), make_data(data)
    columns = np.column_stack([table.X, np.ones(len(table))])
    best = np.linalg.lstsq(columns, table.y, rcond=None)[0]
    assert result.comparison.original.bias, "a table comes with a bias"
    assert result.least_squares == pytest.approx(best, rel=1e-9)
    assert result.correct_weights == pytest.approx(best, rel=1e-9)
