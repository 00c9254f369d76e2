"""The figures of the cause and of the shapes, by what they draw."""

import re

import numpy as np
import pytest
import vl_convert

from linreg import charts_cause, charts_code
from linreg.cause import batch_statistics, pairs_of, walk_of_the_minimum
from linreg.data import make_data
from linreg.settings import DataSettings, Settings
from linreg.shapes import diagnose_shapes
from linreg.surface import loss_surface
from linreg.theme import DARK, LIGHT

AWAY = np.array([4.0, -1.5])
DATA = DataSettings(samples=1_000, mean=10.0)


@pytest.fixture(scope="module")
def table():
    return make_data(DATA)


@pytest.fixture(scope="module")
def surfaces(table):
    return [loss_surface(table, Settings(DATA, wiring=wiring)) for wiring in ("original", "squeeze")]


def figures(table, surfaces, theme):
    return {
        "matrix": charts_cause.matrix_figure(pairs_of(table, AWAY, 12), theme),
        "terms": charts_cause.terms_figure(batch_statistics(table, 100).terms(AWAY), theme),
        "bowls": charts_cause.bowls_figure(surfaces, theme),
        "section": charts_cause.section_figure(surfaces, theme),
        "walk": charts_cause.walk_figure(walk_of_the_minimum(table, Settings(DATA)), 100, theme),
        "shapes": charts_code.shapes_figure(diagnose_shapes((100, 1), (100,)), theme),
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
    figure = charts_cause.matrix_figure(pairs, LIGHT)
    cells = figure.data["cells"]
    assert len(cells) == 25
    for cell in cells.itertuples():
        assert cell.difference == pytest.approx(table.X[cell.prediction] @ AWAY - table.y[cell.target])
    outlined = figure.data["outlined"]
    assert (outlined["prediction"] == outlined["target"]).all()
    assert len(outlined) == 5
    assert list(figure.data["heads"]["text"][:5]) == [charts_cause.short(value) for value in pairs.predictions]


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
    assert charts_cause.short(value) == text


def test_the_terms_add_up_to_the_bar_below_them(table):
    bars = charts_cause.terms_figure(batch_statistics(table, 100).terms(AWAY), LIGHT).data["terms"]
    for side in ("Original", "Fixed"):
        *parts, whole = bars.loc[bars["side"] == side, "value"]
        assert sum(parts) == pytest.approx(whole)
    assert list(bars.loc[bars["text"] == "erased", "side"]) == ["Original"]


def test_both_bowls_are_the_same_ellipse(surfaces):
    figure = charts_cause.bowls_figure(surfaces, LIGHT)
    rings, marks = figure.data["rings"], figure.data["marks"].set_index("side")
    inner = rings[rings["level"] == 1]
    sizes = {}
    for side in ("Original", "Fixed"):
        ring = inner.loc[inner["side"] == side, ["w1", "w2"]].to_numpy(float)
        middle = marks.loc[side, ["w1", "w2"]].to_numpy(float)
        sizes[side] = np.linalg.norm(ring - middle, axis=1).max()
    assert sizes["Original"] == pytest.approx(sizes["Fixed"], rel=0.01)


def test_contours_are_drawn_around_and_not_along_the_axis(surfaces):
    """Vega-Lite sorts a line by its horizontal axis unless told otherwise: a ring would be a zigzag."""
    figure = charts_cause.bowls_figure(surfaces, LIGHT)
    svg = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
    paths = [path for path in re.findall(r' d="(M[^"]+)"', svg) if path.count("L") > 40]
    assert len(paths) == 6
    for path in paths:
        points = np.array([part.split(",") for part in re.findall(r"[-0-9.]+,[-0-9.]+", path)], dtype=float)
        around = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
        assert around < 4 * np.ptp(points, axis=0).sum()


def test_the_section_is_one_parabola_moved_and_lifted(surfaces):
    figure = charts_cause.section_figure(surfaces, LIGHT)
    curves, minima = figure.data["section"], figure.data["minima"].set_index("side")
    bends = []
    for side in ("Original", "Fixed"):
        curve = curves[curves["side"] == side]
        bends.append(np.polyfit(curve["along"], curve["loss"], 2)[0])
        assert curve["loss"].min() >= minima.loc[side, "loss"] * (1 - 1e-9)
    assert bends[0] == pytest.approx(bends[1], rel=1e-6)


# ---- shapes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prediction", "target"),
    [((3, 1), (3,)), ((3,), (3, 1)), ((3, 3, 1), (3, 3)), ((4,), (4,)), ((2, 1), ()), ((5, 1), (1, 5))],
)
def test_the_pairs_that_meet_are_those_that_pytorch_subtracts(prediction, target):
    """Predictions are numbered along the real axis and targets along the imaginary one: a difference tells who has met."""
    import torch

    left = torch.arange(np.prod(prediction, dtype=int)).reshape(prediction) + 0j
    right = torch.arange(np.prod(target, dtype=int)).reshape(target) * 1j
    came = {(int(number.real), int(-number.imag)) for number in (left - right).flatten().tolist()}
    assert {tuple(pair) for pair in np.argwhere(charts_code.pairs_that_meet(prediction, target)).tolist()} == came


def test_long_axes_are_drawn_shorter_and_stay_told_apart():
    figure = charts_code.shapes_figure(diagnose_shapes((1_000_000, 1), (1_000_000,)), LIGHT)
    assert len(figure.data["cells"]) == 36
    assert "Drawn for (6, 1) and (6,)" in figure.caption
    figure = charts_code.shapes_figure(diagnose_shapes((64, 1), (10,)), LIGHT)
    assert "Drawn for (6, 1) and (5,)" in figure.caption
    assert set(figure.data["cells"]["compared"]) == {"compared"}, "nothing belongs together"


def test_a_cell_says_what_the_loss_does_with_a_pair():
    cells = charts_code.shapes_figure(diagnose_shapes((4, 1), (4,)), LIGHT).data["cells"]
    own = cells["prediction"] == cells["target"]
    assert set(cells.loc[own, "compared"]) == {"its own target"}
    assert set(cells.loc[~own, "compared"]) == {"another's target"}
    cells = charts_code.shapes_figure(diagnose_shapes((4,), (4,)), LIGHT).data["cells"]
    assert set(cells.loc[~own, "compared"]) == {"not compared"}


@pytest.mark.parametrize(("prediction", "target"), [((3,), (4,)), ((0, 1), (0,)), ((2, 3, 4, 5), (2, 3, 4, 5))])
def test_what_cannot_be_drawn_is_not(prediction, target):
    assert charts_code.drawn_shapes(diagnose_shapes(prediction, target)) is None
    with pytest.raises(ValueError, match="cannot be drawn"):
        charts_code.shapes_figure(diagnose_shapes(prediction, target), LIGHT)
