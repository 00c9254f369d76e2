"""Which prediction meets which target, drawn for two shapes."""

import re

import numpy as np
import pytest
import vl_convert
from figure_checks import STREAMLITS, tooltips

from linreg.figures import your_code as your_code_figures
from linreg.figures.theme import DARK, LIGHT
from linreg.guard.shapes import diagnose_shapes


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_figure_compiles_in_vega(theme):
    figure = your_code_figures.shapes_figure(diagnose_shapes((100, 1), (100,)), theme)
    assert figure.alt
    assert figure.caption
    assert figure.table in figure.data
    drawn = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
    assert "NaN" not in drawn
    assert "§" not in drawn


@pytest.mark.parametrize(
    ("prediction", "target"),
    [
        ((3, 1), (3,)),
        ((3,), (3, 1)),
        ((3, 3, 1), (3, 3)),
        ((4,), (4,)),
        ((2, 1), ()),
        ((5, 1), (1, 5)),
    ],
)
def test_the_pairs_that_meet_are_those_that_pytorch_subtracts(prediction, target):
    """Predictions are numbered along the real axis and targets along the imaginary one: a
    difference tells who has met."""
    import torch

    left = torch.arange(np.prod(prediction, dtype=int)).reshape(prediction) + 0j
    right = torch.arange(np.prod(target, dtype=int)).reshape(target) * 1j
    came = {(int(number.real), int(-number.imag)) for number in (left - right).flatten().tolist()}
    assert {
        tuple(pair)
        for pair in np.argwhere(your_code_figures.pairs_that_meet(prediction, target)).tolist()
    } == came


def test_long_axes_are_drawn_shorter_and_stay_told_apart():
    figure = your_code_figures.shapes_figure(diagnose_shapes((1_000_000, 1), (1_000_000,)), LIGHT)
    assert len(figure.data["cells"]) == 36
    assert "Drawn for (6, 1) and (6,)" in figure.caption
    figure = your_code_figures.shapes_figure(diagnose_shapes((64, 1), (10,)), LIGHT)
    assert "Drawn for (6, 1) and (5,)" in figure.caption
    assert set(figure.data["cells"]["compared"]) == {"compared"}, "nothing belongs together"


def test_a_cell_says_what_the_loss_does_with_a_pair():
    cells = your_code_figures.shapes_figure(diagnose_shapes((4, 1), (4,)), LIGHT).data["cells"]
    own = cells["prediction"] == cells["target"]
    assert set(cells.loc[own, "compared"]) == {"its own target"}
    assert set(cells.loc[~own, "compared"]) == {"another's target"}
    cells = your_code_figures.shapes_figure(diagnose_shapes((4,), (4,)), LIGHT).data["cells"]
    assert set(cells.loc[~own, "compared"]) == {"not compared"}


def test_elements_of_a_row_belong_to_the_target_of_the_row():
    cells = your_code_figures.shapes_figure(diagnose_shapes((3, 3), (3,)), LIGHT).data["cells"]
    own = cells["prediction"] // 3 == cells["target"]
    compared = cells["prediction"] % 3 == cells["target"]
    assert set(cells.loc[own, "compared"]) == {"its own target"}
    assert set(cells.loc[compared & ~own, "compared"]) == {"another's target"}
    assert set(cells.loc[~compared & ~own, "compared"]) == {"not compared"}


def test_tooltips_speak_of_cells_and_of_nothing_else():
    figure = your_code_figures.shapes_figure(diagnose_shapes((4, 1), (4,)), LIGHT)
    assert figure.data["cells"]["tooltip"][1] == "prediction [0, 0], target [1]: another's target"
    assert "tooltip" not in figure.shown_table()
    (said,) = {said["signal"] for said in tooltips(figure.spec, STREAMLITS) if said}
    assert set(re.findall(r"datum\.(\w+)", said)) == {"tooltip"}


@pytest.mark.parametrize(
    ("prediction", "target"), [((3,), (4,)), ((0, 1), (0,)), ((2, 3, 4, 5), (2, 3, 4, 5))]
)
def test_what_cannot_be_drawn_is_not(prediction, target):
    assert your_code_figures.drawn_shapes(diagnose_shapes(prediction, target)) is None
    with pytest.raises(ValueError, match="cannot be drawn"):
        your_code_figures.shapes_figure(diagnose_shapes(prediction, target), LIGHT)
