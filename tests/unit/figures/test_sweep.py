"""The map of a sweep and the law of the batch size, by what they draw."""

import numpy as np
import pytest
from figure_checks import is_filled_and_compiles, no_mark_shows_its_columns

from linreg.experiments.sweep import SweepResult
from linreg.experiments.sweep_grid import Sweep, law_of_batch_size
from linreg.figures import sweep as sweep_figures
from linreg.figures.theme import DARK, LIGHT
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.pages import SweepView
from linreg.settings.sweep_axes import METRICS
from linreg.text.sweep import sweep_finding

ORIGINAL = Settings(data=DataSettings(samples=1_000, correlation=0.4))
GRID = Sweep(Comparison(), x_values=(0.01, 0.1, 1.0), y_values=(1, 10))


@pytest.fixture(scope="module")
def law():
    return law_of_batch_size(ORIGINAL, (1, 10, 100), 4, 200)


@pytest.mark.slow
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_figure_is_filled_and_compiles(law, theme):
    figure = sweep_figures.law_figure(law, theme)
    is_filled_and_compiles(figure, theme)
    no_mark_shows_its_columns(figure)
    values = np.array([[0.5, np.nan, 1.0], [0.0, 0.25, 0.75]])
    limit = [(0.05, 1), (0.2, 10)]
    for metric in METRICS.values():
        figure = sweep_figures.map_figure(
            GRID, values, "Original", metric, (0.1, 1.0), limit, theme
        )
        is_filled_and_compiles(figure, theme)
        no_mark_shows_its_columns(figure)


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


@pytest.mark.parametrize(
    ("original", "fixed", "finding"),
    [
        ([[1, 1], [0, 0]], [[1, 1], [1, 1]], "As written it converges only at batch size 1; fixed,"
         " it does everywhere on this map"),
        ([[0, 1], [0, 0]], [[0, 1], [0, 1]], "As written it converges only at batch size 1; fixed,"
         " it does at every batch size (both only at learning rate 0.1)"),
        ([[1, 0, 1], [0, 0, 0]], [[1, 1, 0], [1, 0, 0]], "As written it converges only at batch"
         " size 1; fixed, it does at every batch size, with a suitable learning rate"),
        ([[0, 0], [0, 0]], [[0, 0], [0, 0]], "Neither side converges anywhere on this map"),
        ([[1, 1], [1, 1]], [[1, 1], [1, 1]], "Both sides converge everywhere on this map"),
        ([[0, 0], [0, 0]], [[1, 0], [1, 0]], "As written it converges nowhere on this map; fixed,"
         " it does only at learning rate 0.01"),
        ([[0, np.nan], [0, 0]], [[1, 1], [1, 1]], "So far, with 7 of 8 cells trained: as written it"
         " converges nowhere on this map; fixed, it does everywhere on this map"),
    ],
)  # fmt: skip
def test_the_finding_is_computed_from_the_cells(original, fixed, finding):
    share = np.array([original, fixed], dtype=float)
    rates = (0.01, 0.1, 1.0)[: share.shape[2]]
    grid = Sweep(Comparison(), x_values=rates, y_values=(1, 10))
    complete = bool(np.isfinite(share).all())
    result = SweepResult(
        grid, SweepView(), tuple(grid.tasks()), {"share": share}, [[], []], complete
    )
    assert sweep_finding(result).startswith(f"**{finding}.**")
