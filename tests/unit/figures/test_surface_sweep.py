"""The figures of the ensemble's pages by their encodings, domains and data; every template compiles
without a word."""

import json
import re

import numpy as np
import pytest
import vl_convert

from linreg.data.dataset import make_data
from linreg.experiments.claim_trials import PRINTED, Arm, Trials
from linreg.experiments.optimizer_paths import Panel, paths, ring
from linreg.experiments.sweep_grid import Sweep, law_of_batch_size
from linreg.figures import claims as claims_figures
from linreg.figures import surface as surface_figures
from linreg.figures import sweep as sweep_figures
from linreg.figures.layers import cut_at_edge, round_number
from linreg.figures.theme import DARK, LIGHT, SLOT
from linreg.quadratic.evaluation import baseline
from linreg.quadratic.least_squares import least_squares
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.sweep_axes import METRICS

DATA = DataSettings(samples=1_000, correlation=0.4)
TABLE = make_data(DATA)
BEST = least_squares(TABLE.X, TABLE.y)
STARTS = ring(BEST, 4.0, 3)
SIDES = (Settings(data=DATA), Settings(data=DATA, wiring="squeeze"))
MOMENTS = [batch_moments(TABLE, side) for side in SIDES]


def panel(side, optimizers=("RMSprop", "SGD"), lr=0.05):
    label = ("Original", "Fixed")[side]
    found = tuple(paths(MOMENTS[side], name, lr, STARTS, 600) for name in optimizers)
    return Panel(label, "shapes", loss_surface(TABLE, SIDES[side]), baseline(TABLE), found)


@pytest.fixture(scope="module")
def panels():
    return [panel(0), panel(1)]


@pytest.fixture(scope="module")
def scene(panels):
    return surface_figures.path_scene(panels, BEST)


def every_figure(panels, scene, theme):
    law = law_of_batch_size(SIDES[0], (1, 10, 100), 4, 200)
    arm = Arm("an arm", Settings(), predicted=True)
    trials = Trials(np.ones((5, 2)), np.ones(5), np.array([True, False, True, True, True]))
    grid = Sweep(Comparison(), x_values=(0.01, 0.1, 1.0), y_values=(1, 10))
    values = np.array([[0.5, np.nan, 1.0], [0.0, 0.25, 0.75]])
    minima = surface_figures.batch_minima(MOMENTS[0])
    (domain,) = surface_figures.batch_domains([minima], 5.0)
    batches = surface_figures.Batches("Original", "shapes", MOMENTS[0])
    yield surface_figures.paths_figure(panels, 0, scene, 300, theme, arrows=True)
    yield surface_figures.descent_figure(panels, "loss", 300, theme)
    yield surface_figures.descent_figure(panels, "distance", 300, theme)
    yield surface_figures.rates_figure(
        [("SGD", "Fixed", 1e-4)], [("SGD", 1e-4), ("none", np.inf)], theme
    )
    yield surface_figures.batch_figure(batches, 3, minima, domain, 0.5, theme)
    yield claims_figures.arms_figure([arm], [trials], theme)
    yield claims_figures.printed_figure(np.array(PRINTED)[None] + 0.1, theme)
    yield sweep_figures.law_figure(law, theme)
    for metric in METRICS.values():
        yield sweep_figures.map_figure(
            grid, values, "Original", metric, (0.1, 1.0), [(0.05, 1), (0.2, 10)], theme
        )


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_figure_is_filled_and_compiles(panels, scene, theme):
    for figure in every_figure(panels, scene, theme):
        text = json.dumps(figure.spec)
        assert SLOT not in text, "a slot was left open"
        for name in re.findall(r"data\('frame'\)\[0\]\['([^']+)'\]", text):
            assert name in figure.data["frame"], "what is read when it is drawn is there"
        if figure.name:
            assert figure.data["frame"]["alt"].item() == figure.alt
        assert figure.alt.endswith(".")
        assert figure.caption.endswith(".")
        assert figure.table in figure.data
        vega = vl_convert.vegalite_to_vega(figure.standalone(), vl_version="6.4")
        assert (
            vega["config"]["background"] == theme.background
            if "background" in vega["config"]
            else True
        )
        svg = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
        assert svg.startswith("<svg")


def value_of(read, figure):
    """What a figure's expression for a value of its frame comes to."""
    name = re.fullmatch(r"data\('frame'\)\[0\]\['(.+)'\]", read["expr"])[1]
    return figure.data["frame"][name].item()


def test_both_surfaces_share_their_picture(panels, scene):
    for which in (0, 1):
        figure = surface_figures.paths_figure(panels, which, scene, 600, LIGHT)
        for layer in figure.spec["layer"][1:]:
            for axis in ("x", "y"):
                ends = layer["encoding"].get(axis, {}).get("scale", {}).get("domain", [])
                assert (
                    [value_of(end, figure) for end in ends]
                    in (
                        [],  # of a layer that takes the scale of the others, or has lines
                        list(scene.domain[:2] if axis == "x" else scene.domain[2:]),
                    )
                )
    for one in (*STARTS, BEST, *(each.surface.minimum for each in panels)):
        assert scene.domain[0] < one[0] < scene.domain[1]
        assert scene.domain[2] < one[1] < scene.domain[3]


def test_trails_are_points_of_the_runs_and_stay_in_the_picture(panels, scene):
    for which, one in enumerate(panels):
        trail = scene.trails[which]
        assert len(trail) < 2 * surface_figures.TRAIL_POINTS
        inside = trail["w1"].between(*scene.domain[:2]) & trail["w2"].between(*scene.domain[2:])
        assert inside.all()
        rms = one.paths[0]
        for step, w1, w2 in trail.loc[
            trail["optimizer"] == "RMSprop", ["step", "w1", "w2"]
        ].to_numpy():
            away = np.abs(rms.weights[rms.steps == step] - [w1, w2]).max(-1).min()
            assert away < 1e-5, "every corner is where some run was at that step"


def test_a_diverged_path_leaves_the_picture_and_its_dot_is_gone():
    lost = [panel(1, ("SGD",), lr=0.01)]
    scene = surface_figures.path_scene(lost, BEST)
    figure = surface_figures.paths_figure(lost, 0, scene, 600, LIGHT)
    assert len(figure.data["now"]) == 0
    assert "0 of 1 come close" in figure.alt
    assert np.isfinite(scene.domain).all()


def test_the_replay_shows_what_was_by_then(panels, scene):
    figure = surface_figures.paths_figure(panels, 1, scene, 20, LIGHT)
    assert figure.data["path"]["step"].max() <= 20
    rms = panels[1].paths[0]
    shown = figure.data["now"].query("optimizer == 'RMSprop'")[["w1", "w2"]].to_numpy()
    np.testing.assert_allclose(shown, rms.weights[20], rtol=1e-12)


def test_arrows_point_down_the_gradient(panels, scene):
    figure = surface_figures.paths_figure(panels, 1, scene, 0, LIGHT, arrows=True)
    surface = panels[1].surface
    for w1, w2, angle, size in figure.data["arrows"].to_numpy(float)[::7]:
        turned = np.radians(angle)
        step = 1e-4 * np.array([np.sin(turned), np.cos(turned)])
        at = np.array([w1, w2])
        downhill = -surface.gradient(at)
        assert surface.value(at + step) < surface.value(at)
        assert step @ downhill == pytest.approx(1e-4 * np.linalg.norm(downhill), rel=1e-4)
        assert 0 < size <= 1


def test_the_axes_are_eigenvectors_and_stay_in_the_picture(panels, scene):
    axes = surface_figures.paths_figure(panels, 1, scene, 0, LIGHT).data["axes"]
    hessian = panels[1].surface.hessian
    for _, ends in axes.groupby("axis"):
        along = np.diff(ends[["w1", "w2"]].to_numpy(), axis=0)[0]
        stretched = hessian @ along
        assert stretched[0] * along[1] == pytest.approx(stretched[1] * along[0], rel=1e-3)
    assert axes["w1"].between(*scene.domain[:2]).all()
    assert axes["at2"].between(*scene.domain[2:]).all()
    assert sorted(axes["label"])[-2:] == sorted(
        f"λ = {value:,.0f}" for value in np.linalg.eigvalsh(hessian)
    ), "the labels are the Hessian's eigenvalues"


def test_a_click_sets_a_start_in_its_cell_or_beside_it(panels, scene):
    snap = surface_figures.paths_figure(panels, 0, scene, 0, LIGHT).data["snap"]
    columns, rows = surface_figures.SNAP
    assert len(snap.drop_duplicates()) == columns * rows
    left, right, below, above = scene.domain
    grid = round_number((right - left) / columns)
    found = np.array(
        [
            surface_figures.snapped(scene.domain, *cell)
            for cell in snap[["column", "row"]].itertuples(index=False)
        ]
    )
    middles = (snap[["column", "row"]].to_numpy() + 0.5) / (columns, rows) * (
        right - left,
        above - below,
    ) + (left, below)
    assert (np.abs(found - middles) <= grid / 2 + 1e-9).all()
    assert np.allclose(found / grid, np.rint(found / grid)), "round numbers"


@pytest.mark.parametrize("scale", [1e-40, 1e30])
def test_a_click_works_in_pictures_of_any_size(scale):
    domain = (-1.0 * scale, 3.0 * scale, 0.0, 3.2 * scale)
    assert np.array(surface_figures.snapped(domain, 12, 9)) / scale == pytest.approx(
        [1.1, 1.6], abs=0.15
    )


def test_descent_is_the_median_of_the_starts(panels):
    table = surface_figures.descent_figure(panels, "distance", 0, LIGHT).data["curve"]
    rms = panels[1].paths[0]
    row = table.query("side == 'Fixed' and optimizer == 'RMSprop' and step == 600")
    expected = np.median([np.hypot(*(w - panels[1].surface.minimum)) for w in rms.weights[-1]])
    assert row["value"].item() == pytest.approx(expected)


def test_batch_minima_are_those_of_all_pairs_of_the_batch():
    minima = surface_figures.batch_minima(MOMENTS[0])
    for k in (0, 7):
        X, y = TABLE.X[100 * k : 100 * k + 100], TABLE.y[100 * k : 100 * k + 100]
        pairs = np.linalg.lstsq(np.repeat(X, 100, axis=0), np.tile(y, 100), rcond=None)[0]
        np.testing.assert_allclose(minima[k], pairs, rtol=1e-8)


def test_cells_meet_half_way_and_carry_their_values():
    grid = Sweep(Comparison(), x_values=(0.01, 0.1, 1.0), y_values=(1, 10))
    values = np.arange(6.0).reshape(2, 3)
    figure = sweep_figures.map_figure(
        grid, values, "Original", METRICS["converged"], (0, 1), [], LIGHT
    )
    cells = figure.data["cells"].set_index(["row", "column"])
    assert cells.loc[(1, 2), "value"] == 5
    assert cells.loc[(0, 0), "x2"] == pytest.approx(np.sqrt(0.01 * 0.1)) == cells.loc[(0, 1), "x"]
    assert (cells.loc[(1, 1), "at_x"], cells.loc[(1, 1), "at_y"]) == (0.1, 10)
    assert "Dashed" not in figure.caption


def test_the_law_draws_sizes_not_signs():
    law = law_of_batch_size(SIDES[0], (1, 10, 100), 4, 200)
    figure = sweep_figures.law_figure(law, LIGHT)
    theory = figure.data["theory"].query("weight == 'w1'").set_index("size")["value"]
    assert theory[10] == pytest.approx(abs(law.true[0]) / 10)
    assert (figure.data["runs"]["value"] > 0).all()
    exact = figure.data["exact"].query("weight == 'w2' and size == 100")["value"].item()
    assert exact == pytest.approx(abs(law.minima[2, 1]))


def test_a_prediction_that_fails_is_coloured_so():
    trials = Trials(np.ones((20, 2)), np.ones(20), np.zeros(20, dtype=bool))
    arms = [Arm("yes", Settings(), predicted=True), Arm("no", Settings(), predicted=False)]
    table = claims_figures.arms_figure(arms, [trials, trials], LIGHT).data["arms"]
    assert table["answer"].tolist() == ["not as predicted", "as predicted"]
    assert table["high"].iloc[0] == pytest.approx(0.1611, abs=1e-4)


def test_lines_are_cut_where_they_cross_the_edge():
    line = np.array([[-2.0, 0.0], [2.0, 0.0], [2.0, 3.0], [0.0, 0.5]])
    found = cut_at_edge([np.arange(4)], [line], (-1.0, 1.0, -1.0, 1.0))
    assert found.query("piece == 1")[["w1", "w2"]].to_numpy().tolist() == [[-1, 0], [1, 0]]
    back = found.query("piece == 2")[["w1", "w2"]].to_numpy()
    assert back[-1].tolist() == [0, 0.5]
    assert back[0][1] == pytest.approx(1.0)
    assert len(cut_at_edge([np.array([0])], [np.array([[0.5, 0.5]])], (-1.0, 1.0, -1.0, 1.0))) == 2
    assert cut_at_edge([np.array([0])], [np.array([[5.0, 0.5]])], (-1.0, 1.0, -1.0, 1.0)).empty
