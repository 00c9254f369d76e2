"""Loss, distance and learning rates of optimizers, by their data."""

import numpy as np
import pytest
from figure_checks import is_filled_and_compiles
from trained_panels import panel

from linreg.figures.descent import descent_figure, rates_figure
from linreg.figures.theme import DARK, LIGHT


@pytest.fixture(scope="module")
def panels():
    return [panel(0), panel(1)]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_figure_is_filled_and_compiles(panels, theme):
    limits = [("SGD", 1e-4), ("none", np.inf)]
    for figure in (
        descent_figure(panels, "loss", 300, theme),
        descent_figure(panels, "distance", 300, theme),
        rates_figure([("SGD", "Fixed", 1e-4)], limits, theme),
    ):
        is_filled_and_compiles(figure, theme)


def test_descent_is_the_median_of_the_starts(panels):
    table = descent_figure(panels, "distance", 0, LIGHT).data["curve"]
    rms = panels[1].paths[0]
    row = table.query("side == 'Fixed' and optimizer == 'RMSprop' and step == 600")
    expected = np.median([np.hypot(*(w - panels[1].surface.minimum)) for w in rms.weights[-1]])
    assert row["value"].item() == pytest.approx(expected)
