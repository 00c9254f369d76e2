"""The shares of a claim's arms and the answer's printed path, by what they draw."""

import numpy as np
import pytest
from figure_checks import is_filled_and_compiles, no_mark_shows_its_columns

from linreg.experiments.claim_trials import PRINTED, Arm, Trials
from linreg.figures import claims as claims_figures
from linreg.figures.theme import DARK, LIGHT
from linreg.settings.model import Settings


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_figure_is_filled_and_compiles(theme):
    arm = Arm("an arm", Settings(), predicted=True)
    trials = Trials(np.ones((5, 2)), np.ones(5), np.array([True, False, True, True, True]))
    for figure in (
        claims_figures.arms_figure([arm], [trials], theme),
        claims_figures.printed_figure(np.array(PRINTED)[None] + 0.1, theme),
    ):
        is_filled_and_compiles(figure, theme)
        no_mark_shows_its_columns(figure)


def test_a_prediction_that_fails_is_coloured_so():
    trials = Trials(np.ones((20, 2)), np.ones(20), np.zeros(20, dtype=bool))
    arms = [Arm("yes", Settings(), predicted=True), Arm("no", Settings(), predicted=False)]
    table = claims_figures.arms_figure(arms, [trials, trials], LIGHT).data["arms"]
    assert table["answer"].tolist() == ["not as predicted", "as predicted"]
    assert table["high"].iloc[0] == pytest.approx(0.1611, abs=1e-4)
