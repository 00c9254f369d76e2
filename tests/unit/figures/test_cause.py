"""The figures of the cause and of the shapes, by what they draw."""

import re

import numpy as np
import pytest
import vl_convert

from linreg.data.dataset import make_data
from linreg.experiments.broadcast_terms import batch_statistics, minimum_by_batch_size, pairs_of
from linreg.figures import cause as cause_figures
from linreg.figures import your_code as your_code_figures
from linreg.figures.theme import DARK, LIGHT
from linreg.guard.shapes import diagnose_shapes
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import DataSettings, Settings

AWAY = np.array([4.0, -1.5])
DATA = DataSettings(samples=1_000, mean=10.0)


@pytest.fixture(scope="module")
def table():
    return make_data(DATA)


@pytest.fixture(scope="module")
def surfaces(table):
    return [
        loss_surface(table, Settings(DATA, wiring=wiring)) for wiring in ("original", "squeeze")
    ]


def figures(table, surfaces, theme):
    return {
        "matrix": cause_figures.matrix_figure(pairs_of(table, AWAY, 12), theme),
        "terms": cause_figures.terms_figure(batch_statistics(table, 100).terms(AWAY), theme),
        "bowls": cause_figures.bowls_figure(surfaces, theme),
        "section": cause_figures.section_figure(surfaces, theme),
        "walk": cause_figures.walk_figure(minimum_by_batch_size(table, Settings(DATA)), 100, theme),
        "shapes": your_code_figures.shapes_figure(diagnose_shapes((100, 1), (100,)), theme),
    }


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_figure_compiles_in_vega(table, surfaces, theme):
    for figure in figures(table, surfaces, theme).values():
        assert figure.alt
        assert figure.caption
        assert figure.table in figure.data
        drawn = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
        assert "NaN" not in drawn
        assert "§" not in drawn


def test_the_matrix_shows_every_difference_and_outlines_what_was_meant(table):
    pairs = pairs_of(table, AWAY, 5)
    figure = cause_figures.matrix_figure(pairs, LIGHT)
    cells = figure.data["cells"]
    assert len(cells) == 25
    for cell in cells.itertuples():
        assert cell.difference == pytest.approx(
            table.X[cell.prediction] @ AWAY - table.y[cell.target]
        )
    outlined = figure.data["outlined"]
    assert (outlined["prediction"] == outlined["target"]).all()
    assert len(outlined) == 5
    assert list(figure.data["heads"]["text"][:5]) == [
        cause_figures.short(value) for value in pairs.predictions
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.004, "0.00"),
        (-0.334, "−0.33"),
        (9.96, "10.0"),
        (-123.4, "−123"),
        (9_999.4, "9999"),
        (-123_456, "−1e5"),
        (3e120, "3e120"),
    ],
)
def test_a_cell_has_room_for_its_number(value, text):
    assert cause_figures.short(value) == text


def test_the_terms_add_up_to_the_bar_below_them(table):
    bars = cause_figures.terms_figure(batch_statistics(table, 100).terms(AWAY), LIGHT).data["terms"]
    for side in ("Original", "Fixed"):
        *parts, whole = bars.loc[bars["side"] == side, "value"]
        assert sum(parts) == pytest.approx(whole)
    assert list(bars.loc[bars["text"] == "erased", "side"]) == ["Original"]


def test_both_bowls_are_the_same_ellipse(surfaces):
    figure = cause_figures.bowls_figure(surfaces, LIGHT)
    rings, marks = figure.data["rings"], figure.data["marks"].set_index("side")
    inner = rings[rings["level"] == 1]
    sizes = {}
    for side in ("Original", "Fixed"):
        ring = inner.loc[inner["side"] == side, ["w1", "w2"]].to_numpy(float)
        middle = marks.loc[side, ["w1", "w2"]].to_numpy(float)
        sizes[side] = np.linalg.norm(ring - middle, axis=1).max()
    assert sizes["Original"] == pytest.approx(sizes["Fixed"], rel=0.01)


def test_contours_are_drawn_around_and_not_along_the_axis(surfaces):
    """Vega-Lite sorts a line by its horizontal axis unless told otherwise: a ring would be a
    zigzag."""
    figure = cause_figures.bowls_figure(surfaces, LIGHT)
    svg = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
    paths = [path for path in re.findall(r' d="(M[^"]+)"', svg) if path.count("L") > 40]
    assert len(paths) == 6
    for path in paths:
        points = np.array(
            [part.split(",") for part in re.findall(r"[-0-9.]+,[-0-9.]+", path)], dtype=float
        )
        around = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
        assert around < 4 * np.ptp(points, axis=0).sum()


def test_the_section_is_one_parabola_moved_and_lifted(surfaces):
    figure = cause_figures.section_figure(surfaces, LIGHT)
    curves, minima = figure.data["section"], figure.data["minima"].set_index("side")
    bends = []
    for side in ("Original", "Fixed"):
        curve = curves[curves["side"] == side]
        bends.append(np.polyfit(curve["along"], curve["loss"], 2)[0])
        assert curve["loss"].min() >= minima.loc[side, "loss"] * (1 - 1e-9)
    assert bends[0] == pytest.approx(bends[1], rel=1e-6)


# ---- shapes --------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("prediction", "target"), [((3,), (4,)), ((0, 1), (0,)), ((2, 3, 4, 5), (2, 3, 4, 5))]
)
def test_what_cannot_be_drawn_is_not(prediction, target):
    assert your_code_figures.drawn_shapes(diagnose_shapes(prediction, target)) is None
    with pytest.raises(ValueError, match="cannot be drawn"):
        your_code_figures.shapes_figure(diagnose_shapes(prediction, target), LIGHT)
