"""The figures of the cause page, by what they draw."""

import re

import numpy as np
import pytest
import vl_convert

from linreg.data.tables import make_data
from linreg.experiments import cause
from linreg.experiments.broadcast_terms import batch_statistics, minimum_by_batch_size, pairs_of
from linreg.experiments.resources import local_resources
from linreg.figures import cause as cause_figures
from linreg.figures import fade as fade_figures
from linreg.figures import matrix as matrix_figures
from linreg.figures.theme import DARK, LIGHT
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.pages import CauseView

AWAY = np.array([4.0, -1.5])


DATA = DataSettings(samples=1_000, mean=10.0)


@pytest.fixture(scope="module")
def table():
    return make_data(DATA)


@pytest.fixture(scope="module")
def resources():
    return local_resources()


@pytest.fixture(scope="module")
def result_at(resources):
    """The page's result at an alpha and a batch size."""
    sides = [Settings(DATA, wiring=wiring) for wiring in ("original", "squeeze")]

    def found(alpha=1.0, batch_rows=None):
        return cause.run(
            Comparison(*sides), CauseView(alpha=alpha, batch_rows=batch_rows), resources
        )

    return found


def figures(table, result, theme):
    return {
        "matrix": matrix_figures.matrix_figure(pairs_of(table, AWAY, 12), theme, result.fade.alpha),
        "terms": cause_figures.terms_figure(batch_statistics(table, 100).terms(AWAY), theme),
        "bowls": fade_figures.both_surfaces_figure(result.fade, theme),
        "section": fade_figures.section_figure(result.fade, theme),
        "predictions": fade_figures.predictions_figure(result, theme),
        "walk": cause_figures.minimum_by_batch_size_figure(
            minimum_by_batch_size(table, Settings(DATA)), 100, theme
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_figure_compiles_in_vega(table, result_at, theme):
    for figure in figures(table, result_at(0.3), theme).values():
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


def test_all_bowls_are_the_same_ellipse(result_at):
    figure = fade_figures.both_surfaces_figure(result_at(0.3).fade, LIGHT)
    rings, marks = figure.data["rings"], figure.data["marks"].set_index("side")
    (now,) = figure.data["now"].itertuples()
    bowls = [(rings[rings["side"] == side], marks.loc[side]) for side in ("Original", "Fixed")]
    sizes = []
    for ring, middle in [*bowls, (figure.data["bowl"], now)]:
        for level in (1, 2, 3):
            points = ring.loc[ring["level"] == level, ["w1", "w2"]].to_numpy(float)
            distances = np.linalg.norm(points - [middle.w1, middle.w2], axis=1)
            sizes.append(distances)
    original, fixed, between = np.reshape(sizes, (3, -1))
    assert original == pytest.approx(fixed, rel=1e-9)
    assert between == pytest.approx(fixed, rel=1e-9)
    expected = 0.7 * marks.loc["Fixed", ["w1", "w2"]] + 0.3 * marks.loc["Original", ["w1", "w2"]]
    assert [now.w1, now.w2] == pytest.approx(expected.to_list(), rel=1e-9)


def test_contours_are_at_one_height_above_the_minimum(result_at):
    fade = result_at(0.3).fade
    bowl = fade_figures.both_surfaces_figure(fade, LIGHT).data["bowl"]
    excess = fade.loss.value(bowl[["w1", "w2"]].to_numpy()) - fade.loss.min_loss
    innermost = excess[bowl["level"] == 1].mean()
    assert excess == pytest.approx(innermost * bowl["level"].to_numpy() ** 2, rel=1e-9)


def test_contours_are_drawn_around_and_not_along_the_axis(result_at):
    """Vega-Lite sorts a line by its horizontal axis unless told otherwise: a ring would be a
    zigzag."""
    figure = fade_figures.both_surfaces_figure(result_at(0.3).fade, LIGHT)
    svg = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
    paths = [path for path in re.findall(r' d="(M[^"]+)"', svg) if path.count("L") > 40]
    assert len(paths) == 9
    for path in paths:
        points = np.array(
            [part.split(",") for part in re.findall(r"[-0-9.]+,[-0-9.]+", path)], dtype=float
        )
        around = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
        assert around < 4 * np.ptp(points, axis=0).sum()


def test_the_plot_stays_while_alpha_and_batch_size_change(result_at):
    frames = [
        fade_figures.both_surfaces_figure(result_at(alpha, rows).fade, LIGHT).data["frame"]
        for alpha, rows in ((0.0, None), (1.0, 1), (0.4, 512))
    ]
    assert frames[0].filter(regex="^w").equals(frames[1].filter(regex="^w"))
    assert frames[0].filter(regex="^w").equals(frames[2].filter(regex="^w"))


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_the_section_is_one_parabola_moved_and_lifted(result_at, batch_rows):
    """With one row per batch both losses are the same, and there is a line nevertheless."""
    figure = fade_figures.section_figure(result_at(0.3, batch_rows).fade, LIGHT)
    curves, minima = figure.data["section"], figure.data["minima"].set_index("side")
    bends = []
    for side in ("Original", "Fixed"):
        curve = curves[curves["side"] == side]
        bends.append(np.polyfit(curve["along"], curve["loss"], 2)[0])
        assert curve["loss"].min() >= minima.loc[side, "loss"] * (1 - 1e-9)
    assert bends[0] == pytest.approx(bends[1], rel=1e-6)
    original, fixed = (
        curves.loc[curves["side"] == side, "loss"].to_numpy() for side in ("Original", "Fixed")
    )
    between = figure.data["curve"]
    assert between["loss"].to_numpy() == pytest.approx(0.7 * fixed + 0.3 * original, rel=1e-9)
    (now,) = figure.data["now"].itertuples()
    a, b, c = np.polyfit(between["along"], between["loss"], 2)
    assert now.along == pytest.approx(-b / (2 * a), abs=1e-6)
    assert now.loss == pytest.approx(c - b**2 / (4 * a), rel=1e-6)


def test_the_predictions_are_those_of_the_minimum(result_at, table):
    for alpha in (0.0, 0.3, 1.0):
        figure = fade_figures.predictions_figure(result_at(alpha), LIGHT)
        w = figure_minimum(table, alpha)
        points = figure.data["points"]
        rows = np.linspace(0, len(table) - 1, len(points)).round().astype(int)
        assert points["predicted"].to_numpy() == pytest.approx(table.X[rows] @ w, rel=1e-6)
        rest = np.mean((table.y - table.X @ w) ** 2) / table.y.var()
        assert float(figure.data["now"]["text"][0].split()[1]) == pytest.approx(1 - rest, abs=1e-4)


def figure_minimum(table, alpha):
    """The minimum of the loss with this share of all pairs, in batches of 100 rows."""
    x, y = table.X.reshape(10, 100, 2), table.y.reshape(10, 100)
    own = np.einsum("kbi,kb->i", x, y) / len(table)
    every = x.mean(1).T @ y.mean(1) / 10
    return np.linalg.solve(table.X.T @ table.X / len(table), (1 - alpha) * own + alpha * every)


def test_cells_off_the_diagonal_fade(table):
    pairs = pairs_of(table, AWAY, 4)
    drawn = {}
    for alpha in (0.0, 0.25, 1.0):
        figure = matrix_figures.matrix_figure(pairs, LIGHT, alpha)
        svg = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
        cells = re.findall(r'<path [^>]*d="M[^"]*" fill="rgb[^>]*?(?:opacity="([\d.]+)")?/>', svg)
        drawn[alpha] = sorted(float(opacity or 1) for opacity in cells)
    assert drawn[0.25] == [0.25] * 12 + [1] * 4
    assert drawn[0.0] == [0] * 12 + [1] * 4
    assert drawn[1.0] == [1] * 16
