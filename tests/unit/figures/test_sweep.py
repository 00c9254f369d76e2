"""The map of a sweep and the law of the batch size, by what they draw."""

import numpy as np
import pytest
from figure_checks import is_filled_and_compiles

from linreg.experiments.sweep_grid import Sweep, law_of_batch_size
from linreg.figures import sweep as sweep_figures
from linreg.figures.theme import DARK, LIGHT
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.sweep_axes import METRICS

ORIGINAL = Settings(data=DataSettings(samples=1_000, correlation=0.4))
GRID = Sweep(Comparison(), x_values=(0.01, 0.1, 1.0), y_values=(1, 10))


@pytest.fixture(scope="module")
def law():
    return law_of_batch_size(ORIGINAL, (1, 10, 100), 4, 200)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_figure_is_filled_and_compiles(law, theme):
    is_filled_and_compiles(sweep_figures.law_figure(law, theme), theme)
    values = np.array([[0.5, np.nan, 1.0], [0.0, 0.25, 0.75]])
    limit = [(0.05, 1), (0.2, 10)]
    for metric in METRICS.values():
        figure = sweep_figures.map_figure(
            GRID, values, "Original", metric, (0.1, 1.0), limit, theme
        )
        is_filled_and_compiles(figure, theme)


def test_cells_meet_half_way_and_carry_their_values():
    values = np.arange(6.0).reshape(2, 3)
    figure = sweep_figures.map_figure(
        GRID, values, "Original", METRICS["converged"], (0, 1), [], LIGHT
    )
    cells = figure.data["cells"].set_index(["row", "column"])
    assert cells.loc[(1, 2), "value"] == 5
    assert cells.loc[(0, 0), "x2"] == pytest.approx(np.sqrt(0.01 * 0.1)) == cells.loc[(0, 1), "x"]
    assert (cells.loc[(1, 1), "at_x"], cells.loc[(1, 1), "at_y"]) == (0.1, 10)
    assert "Dashed" not in figure.caption


def test_the_law_draws_sizes_not_signs(law):
    figure = sweep_figures.law_figure(law, LIGHT)
    theory = figure.data["theory"].query("weight == 'w1'").set_index("size")["value"]
    assert theory[10] == pytest.approx(abs(law.true[0]) / 10)
    assert (figure.data["runs"]["value"] > 0).all()
    exact = figure.data["exact"].query("weight == 'w2' and size == 100")["value"].item()
    assert exact == pytest.approx(abs(law.minima[2, 1]))
