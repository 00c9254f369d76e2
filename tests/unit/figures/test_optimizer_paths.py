"""The paths of optimizers by their encodings, domains and data."""

import numpy as np
import pytest
from figure_checks import is_filled_and_compiles, value_of
from trained_panels import BEST, STARTS, panel

from linreg.figures import optimizer_paths as paths_figures
from linreg.figures.theme import DARK, LIGHT


@pytest.fixture(scope="module")
def panels():
    return [panel(0), panel(1)]


@pytest.fixture(scope="module")
def layout(panels):
    return paths_figures.paths_layout(panels, BEST)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_the_paths_are_filled_and_compile(panels, layout, theme):
    is_filled_and_compiles(
        paths_figures.paths_figure(panels, 0, layout, 300, theme, arrows=True), theme
    )


def test_both_surfaces_share_their_picture(panels, layout):
    for which in (0, 1):
        figure = paths_figures.paths_figure(panels, which, layout, 600, LIGHT)
        for layer in figure.spec["layer"][1:]:
            for axis in ("x", "y"):
                ends = layer["encoding"].get(axis, {}).get("scale", {}).get("domain", [])
                assert (
                    [value_of(end, figure) for end in ends]
                    in (
                        [],  # of a layer that takes the scale of the others, or has lines
                        list(layout.domain[:2] if axis == "x" else layout.domain[2:]),
                    )
                )
    for one in (*STARTS, BEST, *(each.surface.minimum for each in panels)):
        assert layout.domain[0] < one[0] < layout.domain[1]
        assert layout.domain[2] < one[1] < layout.domain[3]


def test_trails_are_points_of_the_runs_and_stay_in_the_picture(panels, layout):
    for which, one in enumerate(panels):
        trail = layout.full_paths[which]
        assert len(trail) < 2 * paths_figures.MAX_PANEL_POINTS
        inside = trail["w1"].between(*layout.domain[:2]) & trail["w2"].between(*layout.domain[2:])
        assert inside.all()
        rms = one.paths[0]
        for step, w1, w2 in trail.loc[
            trail["optimizer"] == "RMSprop", ["step", "w1", "w2"]
        ].to_numpy():
            away = np.abs(rms.weights[rms.steps == step] - [w1, w2]).max(-1).min()
            assert away < 1e-5, "every corner is where some run was at that step"


def test_a_diverged_path_leaves_the_picture_and_its_dot_is_gone():
    lost = [panel(1, ("SGD",), lr=0.01)]
    layout = paths_figures.paths_layout(lost, BEST)
    figure = paths_figures.paths_figure(lost, 0, layout, 600, LIGHT)
    assert len(figure.data["now"]) == 0
    assert "0 of 1 come close" in figure.alt
    assert np.isfinite(layout.domain).all()


def test_the_replay_shows_what_was_by_then(panels, layout):
    figure = paths_figures.paths_figure(panels, 1, layout, 20, LIGHT)
    assert figure.data["path"]["step"].max() <= 20
    rms = panels[1].paths[0]
    shown = figure.data["now"].query("optimizer == 'RMSprop'")[["w1", "w2"]].to_numpy()
    np.testing.assert_allclose(shown, rms.weights[20], rtol=1e-12)


def test_arrows_point_down_the_gradient(panels, layout):
    figure = paths_figures.paths_figure(panels, 1, layout, 0, LIGHT, arrows=True)
    surface = panels[1].surface
    for w1, w2, angle, size in figure.data["arrows"].to_numpy(float)[::7]:
        turned = np.radians(angle)
        step = 1e-4 * np.array([np.sin(turned), np.cos(turned)])
        at = np.array([w1, w2])
        downhill = -surface.gradient(at)
        assert surface.value(at + step) < surface.value(at)
        assert step @ downhill == pytest.approx(1e-4 * np.linalg.norm(downhill), rel=1e-4)
        assert 0 < size <= 1


def test_the_axes_are_eigenvectors_and_stay_in_the_picture(panels, layout):
    axes = paths_figures.paths_figure(panels, 1, layout, 0, LIGHT).data["axes"]
    hessian = panels[1].surface.hessian
    for _, ends in axes.groupby("axis"):
        along = np.diff(ends[["w1", "w2"]].to_numpy(), axis=0)[0]
        stretched = hessian @ along
        assert stretched[0] * along[1] == pytest.approx(stretched[1] * along[0], rel=1e-3)
    assert axes["w1"].between(*layout.domain[:2]).all()
    assert axes["at2"].between(*layout.domain[2:]).all()
    assert sorted(axes["label"])[-2:] == sorted(
        f"λ = {value:,.0f}" for value in np.linalg.eigvalsh(hessian)
    ), "the labels are the Hessian's eigenvalues"


def test_labels_of_axes_keep_off_the_starts(panels, layout):
    """With a start where each label stood, every label stands elsewhere."""
    axes = paths_figures.paths_figure(panels, 1, layout, 0, LIGHT).data["axes"]
    places = axes.loc[axes["label"] != "", ["at1", "at2"]].to_numpy()
    taken = paths_figures._places(panels[1], layout, 1)
    taken.add_marks(places, 9)
    moved = paths_figures._axes(panels[1].surface.profile(), layout, 1, taken)
    width = layout.domain[1] - layout.domain[0]
    for place in moved.loc[moved["label"] != "", ["at1", "at2"]].to_numpy():
        assert np.hypot(*(places - place).T).min() > 0.05 * width
    assert sorted(moved["label"]) == sorted(axes["label"])


def test_only_tangled_paths_are_drawn_thinly():
    def are_tangled(lr):
        shown = [panel(side, ("Adam",), lr) for side in (0, 1)]
        layout = paths_figures.paths_layout(shown, BEST)
        figures = [paths_figures.paths_figure(shown, k, layout, 600, LIGHT) for k in (0, 1)]
        return [bool(figure.data["frame"]["tangled"][0]) for figure in figures]

    assert are_tangled(0.05) == [False, False]
    assert are_tangled(8.0) == [True, True]
