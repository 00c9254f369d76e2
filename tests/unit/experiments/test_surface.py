"""The surface page's result: starts, rates and batches, against brute force."""

from dataclasses import replace

import numpy as np
import pytest
from trained_panels import MOMENTS, TABLE

from linreg.data.dataset import initial_weights
from linreg.data.tables import make_data
from linreg.experiments.optimizer_paths import tuned_lr
from linreg.experiments.resources import local_resources
from linreg.experiments.surface import batch_minima, batches, run
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.pages import SurfaceView

DATA = DataSettings(samples=400)
ORIGINAL = Settings(data=DATA, epochs=5, batch_size=50)
COMPARISON = Comparison(ORIGINAL, replace(ORIGINAL, wiring="squeeze", lr=0.05, batch_size=100))


def test_batch_minima_are_those_of_all_pairs_of_the_batch():
    minima = batch_minima(MOMENTS[0])
    for k in (0, 7):
        X, y = TABLE.X[100 * k : 100 * k + 100], TABLE.y[100 * k : 100 * k + 100]
        pairs = np.linalg.lstsq(np.repeat(X, 100, axis=0), np.tile(y, 100), rcond=None)[0]
        np.testing.assert_allclose(minima[k], pairs, rtol=1e-8)


def test_every_optimizer_starts_from_every_start_on_each_side():
    view = SurfaceView(optimizers=("RMSprop", "Adam"), rates="one", starts=(1.0, 2.0), ring=3)
    result = run(COMPARISON, view, local_resources())
    middle = result.panels[1].surface.minimum
    for panel, settings in zip(result.panels, (ORIGINAL, COMPARISON.fixed), strict=True):
        assert panel.settings == settings
        assert [path.optimizer for path in panel.paths] == ["RMSprop", "Adam"]
        for path in panel.paths:
            first, *around = path.weights[0]
            assert path.lr == settings.lr
            assert first.tolist() == [1.0, 2.0]
            assert np.hypot(*(np.array(around) - middle).T) == pytest.approx([view.radius] * 3)
            assert path.steps[-1] == settings.steps
    assert result.last_step == 40
    table = make_data(DATA)
    best = np.linalg.lstsq(table.X, table.y, rcond=None)[0]
    assert result.least_squares == pytest.approx(best, rel=1e-9)


def test_with_no_start_the_run_s_own_weights_are_the_start():
    view = SurfaceView(optimizers=("SGD",), rates="one", ring=0)
    result = run(COMPARISON, view, local_resources())
    for panel in result.panels:
        expected = [initial_weights(panel.settings)]
        np.testing.assert_array_equal(panel.paths[0].weights[0], expected)


@pytest.mark.parametrize("sides", ["original", "fixed"])
def test_one_side_may_be_shown_alone(sides):
    view = SurfaceView(sides=sides, optimizers=("SGD",), rates="one")
    result = run(COMPARISON, view, local_resources())
    assert [panel.label.lower() for panel in result.panels] == [sides]
    shown = getattr(COMPARISON, sides)
    np.testing.assert_array_equal(
        result.surface.minimum, loss_surface(make_data(DATA), shown).minimum
    )
    assert result.curvature.values == pytest.approx(
        np.linalg.eigvalsh(result.surface.hessian)[::-1]
    )


def test_each_optimizer_has_its_rate():
    of = local_resources()
    own = SurfaceView(optimizers=("RMSprop", "SGD"), rates="own", lrs=(0.3,))
    rates = [path.lr for path in run(COMPARISON, own, of).panels[1].paths]
    assert rates == [0.3, 0.05], "the comparison's where none is given"
    (path,) = run(COMPARISON, replace(own, optimizers=("SGD",), rates="tuned"), of).panels[1].paths
    settings = COMPARISON.fixed
    moments = batch_moments(make_data(DATA), settings)
    assert path.lr == tuned_lr(moments, "SGD", path.weights[0], settings.steps)


def test_the_shown_batch_is_one_of_both_sides():
    found = batches(COMPARISON, SurfaceView(batch=6), local_resources())
    assert (found.count, found.batch) == (4, 3), "the fixed side has four batches, of 100 rows"
    assert [len(side.minima) for side in found.sides] == [8, 4]
    table = make_data(DATA)
    own = np.linalg.lstsq(table.X[:100], table.y[:100], rcond=None)[0]
    assert found.sides[1].minima[0] == pytest.approx(own, rel=1e-8)
