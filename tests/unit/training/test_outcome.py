"""Verdicts and R², against NumPy."""

import numpy as np
import pytest
from judging import judged

from linreg.data.dataset import Dataset
from linreg.data.tables import make_data
from linreg.quadratic.evaluation import baseline, r_squared
from linreg.settings.model import DataSettings, Settings
from linreg.training.pytorch import train


def test_the_numbers_of_an_outcome():
    table = make_data(DataSettings(samples=250))
    (run,) = train([Settings(data=DataSettings(samples=250), wiring="squeeze", epochs=4)], table)
    result = judged(run, table)
    assert result.weights == tuple(run.weights[-1].astype(float))
    assert result.last_epoch_loss == pytest.approx(np.mean(run.losses[-3:].astype(float)))
    prediction = table.X @ run.weights[-1].astype(float)
    assert result.final_loss == pytest.approx(
        np.mean((table.y - prediction) ** 2), rel=0.05
    )  # its last batch is smaller
    errors = np.linalg.norm(table.y - prediction) / np.linalg.norm(table.y - table.y.mean())
    assert result.r_squared == pytest.approx(1 - errors**2)
    best = table.X @ np.linalg.lstsq(table.X, table.y, rcond=None)[0]
    assert result.least_squares_r_squared == pytest.approx(r_squared(best, table.y))


def test_the_bias_counts_in_r_squared():
    data = DataSettings(samples=200, mean=50.0, scale=1.0)
    (run,) = train(
        [Settings(data=data, wiring="squeeze", bias=True, init=(5.0, 3.0, 0.0), lr=1e-6, epochs=1)]
    )
    assert judged(run, make_data(data)).r_squared == pytest.approx(
        judged(run, make_data(data)).least_squares_r_squared, abs=0.01
    )


@pytest.mark.parametrize(("value", "rows"), [(3.0, 40), (0.1, 1_000), (72.3, 398), (3.3, 50)])
def test_a_constant_target_cannot_be_judged(value, rows):
    """The mean of the last three is rounded to beside them."""
    table = Dataset(np.random.default_rng(0).normal(size=(rows, 2)), np.full(rows, value))
    (run,) = train([Settings(data=DataSettings(samples=rows), batch_size=10, epochs=2)], table)
    assert judged(run, table).verdict == "cannot tell: the target is constant"
    assert np.isnan(judged(run, table).r_squared)
    judge = baseline(table)
    assert judge.variance == 0
    assert np.isnan([judge.best, *judge.r_squared(np.ones((2, 2)))]).all()
    assert not judge.converged(judge.surface.minimum)
