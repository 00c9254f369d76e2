"""What figures say under the pointer, in Chromium: words and formatted numbers, or nothing."""

import numpy as np
import pytest
from browsing import Visit
from drawn import drawn
from hovering import SAID, hovered, is_in_words
from live_tables import LIVE

from linreg.experiments import comparison as experiment
from linreg.experiments.resources import local_resources
from linreg.settings.query import from_query
from linreg.text.numbers import quantity

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def home(browser, server):
    """The home page once for all who point at it."""
    visit = Visit(browser, server, "?samples=1000", height=1200).until_trained()
    yield visit
    visit.ended()


@pytest.mark.parametrize("raw", ["level\n4\ngeometry\n[]", "true", "[object Object]", "1.2345678"])
def test_raw_columns_are_not_words(raw):
    assert not is_in_words(raw)


@pytest.mark.parametrize(
    ("query", "count", "speaking"),
    [("", 5, [0, 1, 3, 4]), ("cause?samples=1000", 6, [0])],
    ids=["home", "cause"],
)
def test_figures_say_words_or_nothing(visit, home, query, count, speaking):
    """Those of other pages, in the tests of these pages."""
    said = hovered(drawn(visit(query, height=1200), count) if query else home)
    assert len(said) == count
    assert [text for texts in said for text in texts if not is_in_words(text)] == []
    assert all(said[k] for k in speaking)


def test_a_surface_says_both_losses_and_is_quiet_while_a_start_is_dragged(home):
    here = home
    here.page.locator("svg.marks").first.scroll_into_view_if_needed()
    compared, _ = from_query({"samples": "1000"})
    (original, fixed) = experiment.run(compared, local_resources()).sides
    for k, names in enumerate([("loss as written", "correct loss"), ("loss",)]):
        box = here.page.locator("svg.marks").nth(k).bounding_box()
        x, y = box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"]
        here.page.mouse.move(x, y)
        weights = here.page.evaluate(
            "async ([k, x, y]) => {"
            + LIVE
            + """
                const {stageOf} = await import(address);
                const figure = document.querySelectorAll('svg.marks')[k];
                const views = [...stageOf('comparison').views];
                const view = views.find(({plot}) => plot.contains(figure));
                return view.weightsAt({clientX: x, clientY: y});
            }""",
            [k, x, y],
        )
        (text,) = here.page.evaluate(SAID)
        surfaces = (original.surface, original.baseline.surface) if k == 0 else (fixed.surface,)
        losses = [quantity(float(surface.value(np.array(weights)))) for surface in surfaces]
        assert text.split("\n")[2:] == [
            part for pair in zip(names, losses, strict=True) for part in pair
        ]
    start = here.page.get_by_role("button", name="Starting point").first.bounding_box()
    x, y = start["x"] + start["width"] / 2, start["y"] + start["height"] / 2
    here.page.mouse.move(x, y)
    here.page.mouse.down()
    here.page.mouse.move(x + 60, y - 40)
    assert here.page.evaluate(SAID) == []
    here.page.keyboard.press("Escape")
    here.page.mouse.up()


def test_the_nearest_point_says_what_is_predicted_for_its_row(home):
    here = home
    compared, _ = from_query({"samples": "1000"})
    sample = experiment.run(compared, local_resources()).sample
    here.page.locator("svg.marks").nth(2).scroll_into_view_if_needed()
    true, predicted, x, y = here.page.evaluate(
        "async () => {"
        + LIVE
        + """
            const {stageOf} = await import(address);
            const figure = document.querySelectorAll('svg.marks')[2];
            const stage = stageOf('comparison');
            const view = [...stage.views].find(({plot}) => plot.contains(figure));
            const rows = stage.rowsOf(view.figure).points.filter(({side}) => side == 'Fixed');
            const row = rows.reduce((most, row) => row.true > most.true ? row : most);
            const [left, top] = view.plotOrigin(), box = figure.getBoundingClientRect();
            return [row.true, row.predicted, box.left + left + view.view.scale('x')(row.true),
                    box.top + top + view.view.scale('y')(row.predicted)];
        }"""
    )
    assert true == max(sample.y)
    here.page.mouse.move(x + 5, y - 4)
    (text,) = here.page.evaluate(SAID)
    assert text.split("\n") == [
        *("true value", f"{true:,.1f}", "predicted by fixed", f"{predicted:,.1f}")
    ]
    here.page.mouse.move(x + 5, y - 14)
    assert here.page.evaluate(SAID) == []


def test_a_finger_shows_no_tooltip(home):
    here = home
    for kind, count in (("mouse", 1), ("touch", 0)):
        here.page.evaluate(
            """kind => {
                const plot = document.querySelector('svg.marks');
                const {x, y, width, height} = plot.getBoundingClientRect();
                const place = {clientX: x + width / 2, clientY: y + height / 2, bubbles: true};
                plot.dispatchEvent(new PointerEvent('pointermove', {pointerType: kind, ...place}));
            }""",
            kind,
        )
        assert len(here.page.evaluate(SAID)) == count
