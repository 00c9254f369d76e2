"""Loss and weights against step, by what they draw."""

import re
from dataclasses import replace

import numpy as np
import pytest
import vl_convert
from trained_sides import BOWL, layers_over, side, trained

from linreg.data.tables import make_data
from linreg.experiments import comparison
from linreg.experiments.resources import local_resources
from linreg.figures.comparison import losses
from linreg.figures.curves import LEAST_SQUARES_WEIGHTS, loss_figure, weights_figure
from linreg.figures.side_surfaces import Side
from linreg.figures.theme import LIGHT
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Comparison, DataSettings, Settings


@pytest.fixture(scope="module")
def thread():
    return trained(Comparison())


@pytest.mark.slow
def test_the_loss_curve_keeps_the_extremes_and_its_floor(thread):
    sides, _ = thread
    figure = loss_figure(sides, 1200, LIGHT)
    for run in sides:
        shown = figure.data["loss"].query("side == @run.label")
        assert (run.losses[shown["step"]] == shown["loss"]).all()
        assert shown["loss"].max() == run.losses.max()
        assert shown["loss"].min() == run.losses.min()
        assert run.surface.min_loss in figure.data["floors"]["loss"].to_list()
        here = figure.data["here"].set_index("side").loc[run.label]
        assert here.to_list() == [1200, run.losses[1200]]
    assert layers_over(figure, "loss")[0]["encoding"]["y"]["scale"]["type"] == "log"


def test_the_correct_loss_of_the_original_s_weights_is_a_dotted_curve():
    resources, table = local_resources(), make_data(DataSettings(samples=600))
    settings = Settings(data=DataSettings(samples=600), epochs=8)
    asked = Comparison(settings, replace(settings, wiring="squeeze"))
    comparison.outstanding(asked, resources).run()
    result = comparison.run(asked, resources)
    (figure,) = losses(result, LIGHT, 5).panels
    curve = figure.data["correct"]
    assert curve["step"].tolist() == list(range(48)), "a step for each loss"
    for step, loss in zip(curve["step"], curve["loss"], strict=True):
        predicted = table.X @ result.runs[0].weights[step].astype(float)
        assert loss == pytest.approx(np.mean((table.y - predicted) ** 2), rel=1e-9)
    end = f"correct loss of the original's weights: {curve['loss'].iloc[-1]:,.0f}"
    assert figure.data["correct end"]["label"].item() == end
    assert f"over all rows, ends at {curve['loss'].iloc[-1]:,.0f}." in figure.alt
    (line,) = (layer for layer in layers_over(figure, "correct") if "strokeDash" in layer["mark"])
    assert line["mark"]["type"] == "line"
    matched = Comparison(asked.fixed, asked.fixed)
    (figure,) = losses(comparison.run(matched, resources), LIGHT).panels
    assert figure.data["correct"].empty, "the loss is the correct one already"
    assert "Dotted" not in figure.caption


def test_the_correct_loss_ends_where_it_is_not_finite():
    correct = np.array([3.0, 1e300, np.inf, 5.0])
    figure = loss_figure([side(weights=np.zeros((5, 2)))], 3, LIGHT, correct)
    assert figure.data["correct"]["loss"].tolist() == [3.0, 1e300]


def test_a_loss_of_zero_is_left_out_of_a_log_axis_and_said():
    exact = Side("Fixed", "shapes", BOWL, np.zeros((4, 2)), np.array([1.0, 0.1, 0.0]))
    figure = loss_figure([exact], 2, LIGHT)
    assert figure.data["loss"]["loss"].min() > 0
    assert "1 of the points are exactly 0" in figure.caption


def test_the_weights_figure(thread):
    sides, _ = thread
    figure = weights_figure(sides, (5.0, 3.0), 1200, LIGHT)
    assert figure.data["true"]["label"].to_list() == ["true w1 = 5.00", "true w2 = 3.00"]
    fixed = figure.data["ends"].query("side == 'Fixed'")
    assert dict(zip(fixed["weight"], fixed["value"], strict=True)) == pytest.approx(
        dict(zip(("fixed w1", "fixed w2"), sides[1].weights[-1], strict=True))
    )
    assert figure.data["ends"].query("side == 'Original'")["weight"].to_list() == [
        "original w1, w2"
    ], "labels do not overlap"


def test_curves_that_end_together_have_labels_apart():
    ends = np.array([[-1.63, -0.54, 22.79], [-2.54, -4.29, 23.26]])  # of a table, with a bias
    sides = [
        side(label, np.linspace(np.zeros(3), end, 50), Quadratic(np.eye(3), np.zeros(3), 0.0))
        for label, end in zip(("Original", "Fixed"), ends, strict=True)
    ]
    figure = weights_figure(sides, (-1.82, -4.92, 23.45), 49, LIGHT, LEAST_SQUARES_WEIGHTS)
    svg = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 300}, vl_version="6.4")
    lines = re.findall(r'translate\([^,]+,([-0-9.]+)\)"[^>]*>((?:original|fixed) [^<]+)<', svg)
    heights = {text: float(height) for height, text in lines}
    assert set(heights) == {
        "original w1, w2",
        "original bias",
        "fixed w1",
        "fixed w2",
        "fixed bias",
    }
    assert np.diff(sorted(heights.values())).min() > 12, "pixels: as much as a line of text is high"
    assert sorted(heights, key=heights.get) == [
        "fixed bias",
        "original bias",
        "original w1, w2",
        "fixed w1",
        "fixed w2",
    ]
