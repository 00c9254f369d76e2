"""The result of the page of one's own code is the diagnosis of its two shapes."""

import pytest

from linreg.experiments.resources import local_resources
from linreg.experiments.your_code import run
from linreg.guard.shapes import diagnose_shapes
from linreg.settings.pages import CodeView


@pytest.mark.parametrize(
    "view", [CodeView(), CodeView((3, 4), (4,)), CodeView((5,), (7,), "l1")], ids=str
)
def test_the_diagnosis_is_of_the_view_s_shapes(view):
    assert run(view, local_resources()).diagnosis == diagnose_shapes(
        view.prediction, view.truth, view.loss
    )
