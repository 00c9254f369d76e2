"""The figures of the cause page, by what they draw."""

import re

import numpy as np
import pytest
import vl_convert

from linreg.data.tables import make_data
from linreg.experiments.broadcast_terms import batch_statistics, minimum_by_batch_size, pairs_of
from linreg.figures import cause as cause_figures
from linreg.figures import matrix as matrix_figures
from linreg.figures.theme import DARK, LIGHT
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
        "matrix": matrix_figures.matrix_figure(pairs_of(table, AWAY, 12), theme),
        "terms": cause_figures.terms_figure(batch_statistics(table, 100).terms(AWAY), theme),
        "bowls": cause_figures.both_surfaces_figure(surfaces, theme),
        "section": cause_figures.section_figure(surfaces, theme),
        "walk": cause_figures.minimum_by_batch_size_figure(
            minimum_by_batch_size(table, Settings(DATA)), 100, theme
        ),
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
    figure = matrix_figures.matrix_figure(pairs, LIGHT)
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
        matrix_figures.cell_text(value) for value in pairs.predictions
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
    assert matrix_figures.cell_text(value) == text


def test_the_terms_add_up_to_the_bar_below_them(table):
    bars = cause_figures.terms_figure(batch_statistics(table, 100).terms(AWAY), LIGHT).data["terms"]
    for side in ("Original", "Fixed"):
        *parts, whole = bars.loc[bars["side"] == side, "value"]
        assert sum(parts) == pytest.approx(whole)
    assert list(bars.loc[bars["text"] == "erased", "side"]) == ["Original"]


def test_both_bowls_are_the_same_ellipse(surfaces):
    figure = cause_figures.both_surfaces_figure(surfaces, LIGHT)
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
    figure = cause_figures.both_surfaces_figure(surfaces, LIGHT)
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
