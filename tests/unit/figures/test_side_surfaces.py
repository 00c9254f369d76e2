"""Both loss surfaces by their encodings, domains and data."""

import re

import numpy as np
import pytest
import vl_convert
from figure_checks import value_of
from trained_sides import BOWL, SPIRAL, layers_over, side, trained

from linreg.figures import layers
from linreg.figures.curves import loss_figure, weights_figure
from linreg.figures.side_surfaces import surface_figure, surfaces_layout
from linreg.figures.theme import LIGHT
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Comparison, DataSettings, Settings
from linreg.settings.presets import PRESETS


@pytest.fixture(scope="module")
def thread():
    return trained(Comparison())


def test_both_surfaces_share_axes_and_levels(thread):
    sides, layout = thread
    domains, ratios = [], []
    for which in (0, 1):
        figure = surface_figure(sides, which, layout, 3000, LIGHT)
        encoding = layers_over(figure, "marks")[0]["encoding"]
        ends = [*encoding["x"]["scale"]["domain"], *encoding["y"]["scale"]["domain"]]
        domains.append([value_of(end, figure) for end in ends])
        rings = figure.data["rings"]
        surface = sides[which].surface
        for level in rings["level"].unique()[2:]:
            ring = rings.loc[rings["level"] == level, ["w1", "w2"]].to_numpy(float)
            low, high = np.array(layout.domain[::2]), np.array(layout.domain[1::2])
            ring = ring[((ring > low + 1e-3) & (ring < high - 1e-3)).all(1)]  # not along the edge
            if not len(ring):
                continue
            rmse = np.median(np.sqrt(surface.value(ring)))
            ratios.append(rmse / (layout.levels.spacing * (layout.levels.below + level)))
    assert domains[0] == domains[1] == list(layout.domain)
    assert len(ratios) > 10
    assert ratios == pytest.approx([1.0] * len(ratios), rel=0.01)


def test_what_the_broadcast_lifts_is_never_drawn_dark(thread):
    """One colour scale: the original's lowest contour is that of its RMSE, not of its own floor."""
    sides, layout = thread
    lowest = [table["level"].min() for table in layout.contours]
    for level, run in zip(lowest, sides, strict=True):
        rmse = layout.levels.spacing * (layout.levels.below + level)
        assert rmse - layout.levels.spacing < np.sqrt(run.surface.min_loss) <= rmse
    assert lowest[0] > 3 * lowest[1]


def test_contours_are_labelled_with_their_rmse(thread):
    sides, layout = thread
    for run, labels in zip(sides, layout.contour_labels, strict=True):
        assert len(labels) >= 3
        rmse = np.sqrt(run.surface.value(layers.weights_of(labels)))
        assert [float(text.replace(",", "")) for text in labels["label"]] == pytest.approx(
            rmse.tolist(), rel=0.01
        )


def test_the_line_to_the_right_answer_says_how_far_it_is(thread):
    sides, layout = thread
    original, fixed = (surface_figure(sides, k, layout, 3000, LIGHT).data for k in (0, 1))
    gap, distance = original["gap"], np.hypot(*(sides[0].surface.minimum - layout.least_squares))
    assert gap["label"].to_list() == ["", f"off by {distance:.1f}", ""]
    ends = layers.weights_of(gap)[[0, 2]]
    assert ends == pytest.approx(np.array([sides[0].surface.minimum, layout.least_squares]))
    assert fixed["gap"].empty, "the fixed loss has its minimum there"


def test_only_a_path_that_hides_the_surface_is_drawn_thinly(thread):
    def is_thin(sides, layout):
        return bool(surface_figure(sides, 0, layout, 3000, LIGHT).data["frame"]["tangled"][0])

    assert not is_thin(*thread)
    assert is_thin(*trained(Comparison(Settings(lr=5.0), Settings(wiring="squeeze", lr=5.0))))


def test_labels_keep_off_marks_and_off_each_other(thread):
    """By boxes of their own: as wide as the letters of an average typeface, in a narrow plot."""
    sides, layout = thread
    for which in (0, 1):
        data = surface_figure(sides, which, layout, 3000, LIGHT).data
        marks, heights = data["marks"], data["heights"]
        named = marks[marks["label"] != ""]
        low1, high1, _, high2 = layout.domain
        scale = 300 / (high1 - low1)
        boxes = []
        for table, size in ((named, 12.5), (heights.assign(dx=0, dy=0), 11)):
            for row in table.itertuples():
                half = 0.5 * size * len(row.label) / 2
                x = min(max((row.w1 - low1) * scale + row.dx, half), 300 - half)
                y = (high2 - row.w2) * scale + row.dy
                boxes.append((x - half, y - size / 2, x + half, y + size / 2))
        for row in marks.itertuples():
            x, y = (row.w1 - low1) * scale, (high2 - row.w2) * scale
            boxes.append((x - 9, y - 9, x + 9, y + 9))
        labels = len(named) + len(heights)
        for k, one in enumerate(boxes[:labels]):
            for other in boxes[k + 1 :]:
                is_apart = one[2] <= other[0] or other[2] <= one[0]
                assert is_apart or one[3] <= other[1] or other[3] <= one[1]


def test_lines_are_drawn_where_the_axes_have_their_points(thread):
    """Points are placed by the axes' scales, lines by a projection."""
    sides, layout = thread
    figure = surface_figure(sides, 0, layout, 3000, LIGHT)
    width = 400
    svg = vl_convert.vegalite_to_svg(
        {**figure.standalone(), "width": width, "autosize": "none"}, vl_version="6.4"
    )
    assert "clip-path" not in svg  # its name would be that of another figure's on the page
    shapes = [
        part.split("</g>")[0] for part in svg.split('class="mark-shape ')[1:]
    ]  # rings, trail, halo, path
    drawn = []
    for shape in shapes:
        pairs = re.findall(r"[-0-9.e]+,[-0-9.e]+", " ".join(re.findall(r' d="([^"]+)"', shape)))
        drawn.append(np.array([pair.split(",") for pair in pairs], dtype=float))
    low1, high1, low2, high2 = layout.domain
    for table, points in zip(("rings", "trail", "path", "path"), drawn, strict=True):
        w = layers.weights_of(figure.data[table])
        across = (w[:, 0] - low1) / (high1 - low1) * width
        down = (high2 - w[:, 1]) / (high2 - low2) * width * layers.ASPECT
        expected = np.stack([across, down], axis=1)
        if (
            table == "rings"
        ):  # a closed line has its first point at its end, where the renderer only closes it
            ends = figure.data[table].duplicated(["level"], keep="last")
            expected = expected[ends.to_numpy()]
        assert points == pytest.approx(expected, abs=0.01)


def test_no_label_of_a_surface_changes_its_width(thread):
    """Its height follows the width and its labels both: a page of a certain width would draw it
    over and over."""
    figure = surface_figure(thread[0], 0, thread[1], 3000, LIGHT)
    for layer in figure.spec["layer"]:
        for channel, fixed in (("x", ["labelBound"]), ("y", ["minExtent", "maxExtent"])):
            axis = layer["encoding"].get(channel, {}).get("axis", {})
            assert not axis or all(axis.get(name) for name in fixed)
    assert any(layer["encoding"].get("x", {}).get("axis") for layer in figure.spec["layer"])


def test_weights_that_share_a_unit_are_drawn_in_true_aspect(thread):
    _, layout = thread
    width, height = layout.domain[1] - layout.domain[0], layout.domain[3] - layout.domain[2]
    assert height / width == pytest.approx(layers.ASPECT)
    figure = surface_figure(thread[0], 0, layout, 3000, LIGHT)
    assert {"name": "height", "expr": f"width * {layers.ASPECT}"} in figure.spec["params"]


def test_marks_stand_where_the_numbers_are(thread):
    sides, layout = thread
    for which, run in enumerate(sides):
        marks = surface_figure(sides, which, layout, 1200, LIGHT).data["marks"].set_index("kind")
        for kind, place in {
            "start": run.weights[0],
            "here": run.weights[1200],
            "solution": layout.least_squares,
            **({"minimum": run.surface.minimum} if which == 0 else {}),
        }.items():
            assert marks.loc[kind, ["w1", "w2"]].to_list() == pytest.approx(
                list(place), abs=1e-6
            ), kind
        assert ("minimum" in marks.index) == (which == 0)
    assert "end" in surface_figure(sides, 0, layout, 3000, LIGHT).data["marks"]["kind"].to_list()


def test_the_rings_cover_the_whole_picture(thread):
    _, layout = thread
    for rings in layout.contours:
        outermost = rings[rings["level"] == rings["level"].max()]
        assert outermost["w1"].agg(["min", "max"]).to_list() == pytest.approx(
            layout.domain[:2], rel=1e-6
        )
        assert outermost["w2"].agg(["min", "max"]).to_list() == pytest.approx(
            layout.domain[2:], rel=1e-6
        )
        assert rings["level"].is_monotonic_decreasing, "the outermost is drawn first"


def test_a_shortened_path_stays_within_a_pixel(thread):
    sides, layout = thread
    pixel = (layout.domain[1] - layout.domain[0]) / layers.PATH_RESOLUTION
    for run, trail in zip(sides, layout.full_paths, strict=True):
        assert len(trail) <= layers.MAX_POINTS + 1
        steps = np.arange(len(run.weights))
        for name, column in (("w1", 0), ("w2", 1)):
            assert (run.weights[trail["step"], column] == trail[name]).all(), (
                "kept points are the run's own"
            )
        drawn = trail[["w1", "w2"]].to_numpy(float)
        for point in run.weights[steps[::7], :2].astype(float):
            a, b = drawn[:-1], drawn[1:]
            t = np.clip(
                ((point - a) * (b - a)).sum(1) / np.maximum(((b - a) ** 2).sum(1), 1e-30), 0, 1
            )
            assert np.hypot(*(a + t[:, None] * (b - a) - point).T).min() < 2 * pixel


def test_the_path_up_to_a_step_ends_where_the_run_is():
    sides = [side(), side("Fixed")]
    layout = surfaces_layout(sides, np.array([1.0, 1.0]), [])
    path = surface_figure(sides, 0, layout, 123, LIGHT).data["path"]
    assert path.iloc[-1][["w1", "w2"]].to_list() == pytest.approx(SPIRAL[123].tolist(), abs=1e-6)
    assert len(path) < len(layout.full_paths[0])


def test_a_diverged_path_is_drawn_to_the_edge_and_says_when_it_left():
    sides, layout = trained(PRESETS["sgd_overflows"].comparison)
    figure = surface_figure(sides, 0, layout, 10, LIGHT)
    trail = figure.data["trail"]
    low1, high1, low2, high2 = layout.domain
    assert trail["w1"].between(low1 - 1e-6, high1 + 1e-6).all()
    assert trail["w2"].between(low2 - 1e-6, high2 + 1e-6).all()
    on_edge = [
        min(abs(w1 - low1), abs(w1 - high1), abs(w2 - low2), abs(w2 - high2)) < 1e-5
        for w1, w2 in zip(trail["w1"], trail["w2"], strict=True)
    ]
    assert any(on_edge)
    outside = [
        k
        for k, w in enumerate(sides[0].weights)
        if not (low1 <= w[0] <= high1 and low2 <= w[1] <= high2)
    ]
    assert (
        figure.data["now"]["text"].item()
        == f"leaves the picture at step {outside[0]} and diverges at step 7"
    )


def test_a_path_that_leaves_and_returns_is_drawn_in_pieces():
    weights = np.array([[0.0, 0.0], [0.0, 900.0], [0.5, 0.0], [900.0, 0.0], [0.5, 0.5]])
    sides = [side(weights=weights), side("Fixed", weights=weights)]
    layout = surfaces_layout(sides, np.array([1.0, 1.0]), [])
    assert layout.domain[1] < 100
    trail = layout.full_paths[0]
    assert trail["piece"].nunique() == 3
    for _, piece in trail.groupby("piece"):
        assert np.hypot(*np.diff(piece[["w1", "w2"]].to_numpy(), axis=0).T).max() < 10, (
            "no line runs through the outside"
        )


def test_points_that_coincide_still_make_a_picture():
    """Both sides matched and started at the minimum, without noise: nothing spans anything."""
    start = {"data": DataSettings(noise=0.0, samples=1_000), "init": (5.0, 3.0)}
    sides, layout = trained(
        Comparison(Settings(wiring="unsqueeze", **start), Settings(wiring="squeeze", **start))
    )
    assert layout.domain[1] - layout.domain[0] > 0.5
    assert "no place on a log axis" in loss_figure(sides, 5, LIGHT).caption


@pytest.mark.slow
def test_a_far_start_widens_the_picture():
    _, layout = trained(PRESETS["from_far"].comparison)
    assert layout.domain[0] < 0
    assert layout.domain[1] > 100


def test_before_training_there_is_a_surface_and_no_path():
    sides = [side(weights=None), side("Fixed", weights=None)]
    layout = surfaces_layout(sides, np.array([1.0, 1.0]), [(0.0, 0.0)])
    figure = surface_figure(sides, 0, layout, 0, LIGHT)
    assert len(figure.data["rings"])
    assert not len(figure.data["path"])
    assert figure.data["now"]["text"].item() == "not trained yet"


def test_a_bias_is_at_its_best_and_said():
    data = DataSettings(samples=400, mean=20.0)
    sides, layout = trained(
        Comparison(Settings(data=data, bias=True), Settings(data=data, bias=True, wiring="squeeze"))
    )
    figure = surface_figure(sides, 1, layout, 10, LIGHT)
    assert "has the bias at its best" in figure.caption
    assert set(weights_figure(sides, (5.0, 3.0), 5, LIGHT).data["weights"]["weight"]) == {
        "w1",
        "w2",
        "bias",
    }


def test_a_minimum_that_is_not_unique_is_said():
    data = DataSettings(samples=400, correlation=1.0)
    sides, layout = trained(Comparison(Settings(data=data), Settings(data=data, wiring="squeeze")))
    assert "not unique" in surface_figure(sides, 1, layout, 10, LIGHT).caption


def test_a_path_is_drawn_in_the_order_of_its_steps():
    """Vega-Lite sorts a line by its horizontal axis unless told otherwise: a spiral would be a
    zigzag."""
    sides = [side(), side("Fixed")]
    figure = surface_figure(sides, 0, surfaces_layout(sides, BOWL.minimum, []), 400, LIGHT)
    svg = vl_convert.vegalite_to_svg({**figure.standalone(), "width": 400}, vl_version="6.4")
    (path,) = (
        tag
        for tag in re.findall(r"<path[^>]+>", svg)
        if 'stroke-width="3.5"' in tag and LIGHT.original in tag
    )
    points = np.array(
        [point.split(",") for point in re.findall(r"-?[0-9.]+,-?[0-9.]+", path.split(' d="')[1])],
        dtype=float,
    )
    trail = figure.data["path"][["w1", "w2"]].to_numpy(float)
    assert np.corrcoef(points[:, 0], trail[:, 0])[0, 1] == pytest.approx(1, abs=1e-4)
    assert np.corrcoef(points[:, 1], -trail[:, 1])[0, 1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("climbs", "place"), [(1, "below"), (-1, "above")])
def test_the_invitation_to_drag_keeps_off_the_path(climbs, place):
    steps = np.linspace(0, 3, 50)
    path = np.stack([steps / 4, climbs * steps], axis=1)
    runs = [side(weights=path, surface=Quadratic(np.eye(2), path[-1], 10.0))] * 2
    layout = surfaces_layout(runs, path[-1], [tuple(-path[-1])])
    figure = surface_figure(runs, 0, layout, 49, LIGHT)
    assert figure.data["frame"]["invitation"].tolist() == [place]
