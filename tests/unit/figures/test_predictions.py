"""Predicted against true values: what is drawn, in which range, and what is said of it."""

import json
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import vl_convert
from figure_checks import STREAMLITS, is_filled_and_compiles, tooltips
from settings_of import compared

from linreg.data.tables import make_data, table_settings
from linreg.experiments import comparison
from linreg.experiments.resources import local_resources
from linreg.figures.predictions import predictions_figure
from linreg.figures.theme import DARK, LIGHT
from linreg.settings.changes import with_table
from linreg.settings.model import Comparison, DataSettings, Settings

CARS = with_table(
    Comparison(Settings(epochs=1), Settings(epochs=1, wiring="squeeze")),
    table_settings("auto-mpg", "mpg", ("horsepower", "weight"), standardise=True),
)


def on(data, **changes):
    original = Settings(data=data, **changes)
    return Comparison(original, replace(original, wiring="squeeze"))


CASES = {
    "thread": compared(),
    "bias": compared(bias=True, epochs=5),
    "a bias on one side": Comparison(
        compared(epochs=2).original, replace(compared(epochs=2).fixed, bias=True)
    ),
    "cars": CARS,
    "diverged": compared(optimizer="SGD", lr=0.01),
    "one row": on(DataSettings(samples=1), batch_size=1, epochs=9),
    "constant y": on(DataSettings(samples=50, weights=(0.0, 0.0), noise=0.0), batch_size=10),
    "millions": on(DataSettings(samples=600, weights=(5e4, 3e4), mean=1e3), lr=100.0, epochs=3),
    "millionths": on(
        DataSettings(samples=600, weights=(5e-6, 3e-6), scale=0.3, noise=1e-8),
        lr=1e-7,
        init=(0.0, 0.0),
    ),
    "far": compared(init=(40.0, -30.0), epochs=3),
}


@cache
def result_of(name):
    resources = local_resources()
    comparison.outstanding(CASES[name], resources).run()
    return comparison.run(CASES[name], resources)


def figure_of(name, step=10**9, theme=LIGHT):
    return predictions_figure(result_of(name), step, theme)


def drawn(figure, width=400):
    return vl_convert.vegalite_to_svg({**figure.standalone(), "width": width}, vl_version="6.4")


def dots(svg):
    """The centres of all points of the plot (n, 2), in pixels of its own coordinates, by the caps
    of the lines that draw them."""
    (group,) = re.findall(r'<g class="mark-shape[^>]*>(.*?)</g>', svg, flags=re.DOTALL)
    found = {}
    for path in re.findall(r"<path [^>]*>", group):
        lines = re.findall(r"M([-\d.e]+),([-\d.e]+)L([-\d.e]+),([-\d.e]+)", path)
        ends = np.array(lines, float).reshape(-1, 4)
        lengths = ends[:, 2:] - ends[:, :2]
        assert (lengths[:, 0] > 0).all(), "or a PDF has no square caps"
        assert np.abs(lengths).max() < 0.04, "pixels"
        found[re.search(r'stroke-linecap="(\w+)"', path)[1]] = ends[:, :2]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_it_is_filled_in_and_compiles(name):
    theme = DARK if name == "thread" else LIGHT
    figure = figure_of(name, theme=theme)
    assert "NaN" not in is_filled_and_compiles(figure, theme)


def test_the_points_are_what_the_weights_of_the_step_predict_for_evenly_spaced_rows():
    result, table = result_of("thread"), make_data(CASES["thread"].original.data)
    rows = [round(k * 999 / 499) for k in range(500)]
    for step in (0, 7, 299, 300):
        points = figure_of("thread", step).data["points"]
        assert points["side"].tolist() == ["Original"] * 500 + ["Fixed"] * 500
        assert points["true"].tolist() == [*table.y[rows], *table.y[rows]]
        for side in result.sides:
            of_side = points[points["side"] == side.label]
            w1, w2 = side.run.weights[step].astype(float)
            expected = w1 * table.X[rows, 0] + w2 * table.X[rows, 1]
            assert of_side["predicted"].to_numpy() == pytest.approx(expected, rel=1e-12)
            again = of_side["feature1"] * w1 + of_side["feature2"] * w2
            assert again.to_numpy() == pytest.approx(expected, rel=1e-12)


def test_the_bias_is_part_of_a_prediction():
    table, points = make_data(CARS.original.data), figure_of("cars").data["points"]
    assert len(points) == 2 * len(table), "a small table has all of its rows"
    for k, side in enumerate(result_of("cars").sides):
        expected = np.column_stack([table.X, np.ones(392)]) @ side.run.weights[-1].astype(float)
        assert points["predicted"][392 * k : 392 * (k + 1)].to_numpy() == pytest.approx(expected)


def test_a_replay_changes_the_points_and_the_text_of_the_sides_alone():
    first, later = figure_of("thread", 3), figure_of("thread", 250)
    assert json.dumps(first.spec) == json.dumps(later.spec)
    assert (first.alt, first.caption, first.name) == (later.alt, later.caption, later.name)
    moved = {name for name, table in first.data.items() if not table.equals(later.data[name])}
    assert moved == {"points", "sides"}
    columns = ["true", "side", "feature1", "feature2"]
    assert first.data["points"][columns].equals(later.data["points"][columns])


def test_it_says_that_the_original_collapses_and_the_fixed_side_does_not():
    figure, table = figure_of("thread"), make_data(CASES["thread"].original.data)
    points = figure.data["points"]
    flat = points[points["side"] == "Original"]
    spread = round(100 * float(np.ptp(flat["predicted"]) / np.ptp(flat["true"])))
    assert spread < 10
    texts = []
    for side in result_of("thread").sides:
        predicted = table.X @ side.run.weights[-1].astype(float)
        score = 1 - np.mean((table.y - predicted) ** 2) / np.var(table.y)  # of all rows
        shown = re.search(rf"{side.label}:.*?R² ([\d.]+\d)", figure.alt)[1]
        assert float(shown) == pytest.approx(score, abs=1e-4), "as rounded"
        assert f"{side.label.lower()}: R² {shown}" in figure.data["sides"]["text"].tolist()
        texts.append(float(shown))
    assert texts[0] < 0.1 < 0.9 < texts[1]
    assert (
        f"Original: almost the same value for every row; the predictions spread over {spread}"
        in (figure.alt.replace("\N{NO-BREAK SPACE}", " "))
    )
    assert "Fixed: the predictions spread over 76" in figure.caption
    assert "500 of 1,000 rows" in figure.alt
    assert "R² is that of all 1,000 rows." in figure.caption


def test_r_squared_of_a_step_is_that_of_all_rows_at_its_weights():
    result, table = result_of("thread"), make_data(CASES["thread"].original.data)
    for side in result.sides:
        predicted = table.X @ side.run.weights[40].astype(float)
        score = 1 - np.mean((table.y - predicted) ** 2) / np.var(table.y)
        assert side.r_squared(40) == pytest.approx(score, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "width"), [("thread", 280), ("cars", 1600), ("bias", 500), ("far", 280)]
)
def test_both_axes_have_one_scale_and_no_point_lies_beside_the_plot(name, width):
    figure = figure_of(name, 20)
    low, high = (figure.data["frame"][column].item() for column in ("low", "high"))
    svg = drawn(figure, width)
    points, of_side = figure.data["points"], dots(svg)
    assert [*of_side] == ["square", "round"], "of original and fixed"
    places = np.concatenate(list(of_side.values()))
    inside = points[(points["predicted"] >= low) & (points["predicted"] <= high)]
    assert [len(of_side["square"]), len(places)] == [
        (inside["side"] == "Original").sum(),
        len(inside),
    ], "one for each point in the range"
    x, y = (
        np.polyfit(inside[column], place, 1)
        for column, place in zip(("true", "predicted"), places.T, strict=True)
    )
    assert x[0] == pytest.approx(-y[0], rel=1e-3), "pixels for one unit"
    plot = re.search(r'class="background"[^>]*d="M0,0h([\d.]+)v([\d.]+)h', svg)
    plot_width, plot_height = map(float, plot.groups())
    assert plot_height == pytest.approx(min(0.8 * plot_width, 440))
    assert (places >= 0).all()
    assert (places <= [plot_width + 1, plot_height + 1]).all()


def test_a_run_that_diverged_says_so_and_leaves_the_range_alone():
    figure = figure_of("diverged")
    assert all(
        re.fullmatch(r"(original|fixed): diverged at step \d+, all outside the plot", text)
        for text in figure.data["sides"]["text"]
    )
    assert figure.alt.count("the run diverges at step") == 2
    y = figure.data["points"]["true"]
    frame = figure.data["frame"].iloc[0]
    assert y.min() - np.ptp(y) * 1.2 < frame["low"] < y.min()
    assert y.max() < frame["high"] < y.max() + np.ptp(y) * 1.2
    assert "R²" in figure_of("diverged", 0).data["sides"]["text"][0], "before it diverges"


def test_predictions_beyond_the_range_are_counted():
    figure = figure_of("far", 0)
    points, frame = figure.data["points"], figure.data["frame"].iloc[0]
    beyond = ~points["predicted"].between(frame["low"], frame["high"])
    count = int(beyond[:500].sum())
    assert 0 < count < 500
    assert f", {count} of 500 outside the plot" in figure.data["sides"]["text"][0]


@pytest.mark.parametrize("name", ["one row", "constant y"])
def test_a_target_without_variance_has_a_range_and_no_r_squared(name):
    figure = figure_of(name)
    frame = figure.data["frame"].iloc[0]
    y = figure.data["points"]["true"][0]
    assert frame["low"] < y < frame["high"]
    assert frame["high"] - frame["low"] > 0.5 * abs(y), "not zoomed in on rounding errors"
    assert figure.data["sides"]["text"].tolist() == [
        "original: R² undefined",
        "fixed: R² undefined",
    ]
    assert figure.alt.count("the target is constant") == 2


@pytest.mark.parametrize("name", ["millions", "millionths", "far", "thread"])
def test_labels_of_an_axis_differ(name):
    svg = drawn(figure_of(name), 300)
    axes = re.findall(r'mark-text role-axis-label"[^>]*>(.*?)</g>', svg, flags=re.DOTALL)
    assert len(axes) == 2
    for axis in axes:
        shown = re.findall(r'<text(?![^>]*opacity="0")[^>]*>([^<]+)</text>', axis)
        assert len(shown) >= 2
        assert len(set(shown)) == len(shown)


def test_no_mark_has_a_tooltip_of_its_own():
    figure = figure_of("cars")
    assert not any(tooltips(figure.spec, STREAMLITS))
    assert figure.hover == {"rule": "predictions", "decimals": 2}, "a live figure speaks of points"


def test_axes_have_the_name_of_the_target_and_the_line_at_the_mean_its_value():
    figure = figure_of("cars")
    svg = drawn(figure, 500)
    assert ">true mpg<" in svg
    assert ">predicted mpg<" in svg
    assert ">predicted = true<" in svg
    assert f">mean of mpg: {make_data(CARS.original.data).y.mean():.1f}<" in svg
    assert figure.shown_table().columns.tolist() == [
        "true",
        "predicted",
        "side",
        "feature1",
        "feature2",
    ]
