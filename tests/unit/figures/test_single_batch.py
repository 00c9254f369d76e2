"""The loss surface of a single batch, filled and compiled."""

import pytest
from figure_checks import is_filled_and_compiles
from trained_panels import MOMENTS, SIDES

from linreg.experiments.surface import BatchesOfSide, batch_minima
from linreg.figures.single_batch import batch_domains, batch_figure
from linreg.figures.theme import DARK, LIGHT


@pytest.mark.slow
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_a_single_batch_is_filled_and_compiles(theme):
    minima = batch_minima(MOMENTS[0])
    (domain,) = batch_domains([minima], 5.0)
    batches = BatchesOfSide("Original", SIDES[0], MOMENTS[0], minima)
    is_filled_and_compiles(batch_figure(batches, 3, minima, domain, 0.5, theme), theme)
