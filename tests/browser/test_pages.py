"""The home page in Chromium: a link on a server nobody has visited, where marks stand, what the
keyboard reaches, replay, controls, reload, Back, long trainings."""

import re

import numpy as np
import pytest
from accessible import ZOOMED, beside_the_window, shut_out
from browsing import Visit
from playwright.sync_api import expect
from served import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def home(browser, server):
    """The home page once for all who look at it, and then for those who change it."""
    visit = Visit(browser, server, "?samples=1000").until_trained()
    yield visit
    visit.ended()


@pytest.mark.cold
def test_a_cold_deep_link_restores_the_page(browser, server):
    fresh = Server() if server.visited else server
    try:
        query = "?v=1&batch_size=50&fixed.wiring=unsqueeze&epochs=5&step=700"
        visit = Visit(browser, fresh, query).until_trained()
        expect(visit.field("Batch size")).to_have_value("50")
        assert "Fixed: (50, 1) against (50, 1)" in visit.texts()
        assert any("after 700 steps" in text for text in visit.texts())
        assert "step=700" in visit.address
        assert "fixed.wiring=unsqueeze" in visit.address
        visit.ended()
    finally:
        if fresh is not server:
            fresh.stop()


def test_the_marks_stand_where_the_data_says(home):
    """The star and the end of the path, in pixels, against the axis's own ticks."""
    from linreg.data.tables import make_data
    from linreg.quadratic.streaming import loss_surface
    from linreg.settings.query import from_query
    from linreg.training.pytorch import train

    comparison, _ = from_query({"samples": "1000"})
    table = make_data(comparison.original.data)
    runs = train([comparison.original, comparison.fixed], table)
    for which, run in enumerate(runs):
        shapes = (
            home.page.locator("svg.marks")
            .nth(which)
            .evaluate(
                """svg => {
              const centre = e => {
                  const b = e.getBoundingClientRect();
                  return [b.x + b.width / 2, b.y + b.height / 2];
              };
              const number = t => Number(t.textContent.replace('−', '-').replace(',', ''));
              const labels = group =>
                  [...group.querySelectorAll('text')].filter(t => t.textContent);
              const ticks = [...svg.querySelectorAll('.role-axis-label')].map(
                  group => labels(group).map(t => [number(t), ...centre(t)]));
              const symbols = [...svg.querySelectorAll('.mark-symbol path')]
                  .filter(p => p.getAttribute('d'))
                  .map(p => [p.getAttribute('fill'), p.getAttribute('d'), ...centre(p)]);
              return {ticks, symbols};
            }"""
            )
        )
        axes = [axis for axis in shapes["ticks"] if len(axis) > 1]
        (low, at_low, _), (high, at_high, _) = axes[0][0], axes[0][-1]
        (bottom, _, at_bottom), (top, _, at_top) = axes[1][0], axes[1][-1]

        def weights(x, y, fx=(low, high, at_low, at_high), fy=(bottom, top, at_bottom, at_top)):
            return [a + (b - a) * (p - pa) / (pb - pa) for p, (a, b, pa, pb) in ((x, fx), (y, fy))]

        pixel = (high - low) / (at_high - at_low)
        color = ("#D55E00", "#009E73")[which]
        symbols = shapes["symbols"]
        star = next(weights(x, y) for fill, _, x, y in symbols if fill.upper() == "#F0E442")
        end = next(weights(x, y) for fill, _, x, y in symbols if fill.upper() == color)
        crossed = [weights(x, y) for fill, d, x, y in symbols if fill == "#ffffff" and "L" in d]
        solution = np.linalg.lstsq(table.X, table.y, rcond=None)[0]
        assert star == pytest.approx(solution.tolist(), abs=4 * pixel)
        minimum = loss_surface(table, run.settings).minimum
        expected = [minimum.tolist()] if which == 0 else []  # the fixed side's is the star
        assert crossed == [pytest.approx(weights, abs=4 * pixel) for weights in expected]
        assert end == pytest.approx(run.weights[-1].tolist(), abs=4 * pixel)


CUT = """() => [...document.querySelectorAll('svg.marks text')]
   .filter(t => t.textContent.trim()).filter(t => {
     const svg = t.closest('svg').getBoundingClientRect(), b = t.getBoundingClientRect();
     const inside = b.left >= svg.left - 1 && b.right <= svg.right + 1 && b.top >= svg.top - 1
         && b.bottom <= svg.bottom + 1 && b.right <= innerWidth && b.left >= 0;
     // a label that does not fit is not drawn
     return b.width && !inside && t.getAttribute('opacity') != '0';
   }).map(t => t.textContent)"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_no_figure_is_cut_off(visit, home, scheme):
    here = (
        home
        if scheme == "light"
        else visit("?samples=1000", width=390, scheme=scheme).until_trained()
    )
    background = here.page.evaluate(
        "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
    )
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(14, 17, 23)"}[scheme]
    assert here.page.evaluate(CUT) == []
    if scheme == "dark":
        assert beside_the_window(here) == 0
        assert beside_the_window(here, ZOOMED) == 0


def test_figures_have_a_text_for_those_who_cannot_see_them(home):
    labels = home.page.evaluate(
        "[...document.querySelectorAll('.live-figure')].map(figure =>"
        " figure.getAttribute('aria-label'))"
    )
    assert labels[0].startswith("Original: path on the loss surface")
    assert labels[1].startswith("Fixed: path on the loss surface")
    findings = home.page.evaluate(
        "[...document.querySelectorAll('.live-figure')].slice(0, 2).map(figure =>"
        " figure.querySelector('.mark-rect [aria-label]').getAttribute('aria-label'))"
    )
    assert ["minimum at" in finding for finding in findings] == [True, True]
    assert labels[2].startswith("Predicted against true values")
    assert labels[3].startswith("Loss of each batch against step")
    assert labels[4].startswith("Weights against step")


def test_the_keyboard_reaches_every_control(home):
    reached = set()
    for _ in range(80):
        home.page.keyboard.press("Tab")
        reached.add(
            home.page.evaluate(
                "document.activeElement.getAttribute('aria-label') ||"
                " document.activeElement.innerText || ''"
            )
        )
    for name in (
        "Learning rate",
        "Momentum",
        "Batch size",
        "Epochs",
        "Seed",
        "Initial weights",
        "Play",
        "Replay: step",
    ):
        if name != "Momentum" or home.field("Momentum").is_enabled():
            assert any(name in label for label in reached), name
    for name in ("Data as a table", "Save", "Copy link"):
        assert any(name in label for label in reached), name


def test_the_data_is_a_click_away(home):
    home.page.get_by_text("Data as a table").nth(1).click()
    home.page.get_by_test_id("stDataFrame").wait_for(timeout=20_000)


def test_menus_open_where_the_keyboard_is_and_shut_nobody_out(home):
    for name, first in (("Copy link", "http://127.0.0.1"), ("Save", "one column")):
        home.page.locator("summary").filter(has_text=name).first.press("Enter")
        home.page.get_by_text(first).first.wait_for(timeout=20_000)
        home.settled()
        home.page.keyboard.press("Tab")
        focused = home.page.evaluate("document.activeElement.innerText")
        assert focused.startswith(first), "the menu comes next"
    assert shut_out(home) == []


def test_a_replay_moves_every_figure_in_place(home):
    """By the slider, by a click on the loss curve, and by Play, which runs to the end and stops."""
    here = home
    here.page.evaluate(
        "document.querySelectorAll('svg.marks').forEach((svg, i) => svg.dataset.first = i)"
    )
    here.page.evaluate("window.first = 'this'")

    def in_place(what):
        assert here.page.evaluate("window.first") == "this", f"{what} stays in the page"
        marks = here.page.evaluate(
            "[...document.querySelectorAll('svg.marks')].map(svg => svg.dataset.first)"
        )
        assert marks == ["0", "1", "2", "3", "4"], f"{what} draws no figure anew"

    slider = here.page.get_by_role("slider", name="Replay: step", exact=True)
    slider.focus()
    for _ in range(5):
        slider.press("ArrowLeft")
    here.page.wait_for_function("location.search.includes('step=295')")
    expect(here.page.locator("svg.marks text").filter(has_text="after 295 steps")).to_have_count(2)
    in_place("the slider")
    while (
        "step=" in here.address
    ):  # as many entries in the history as the server has taken the presses apart
        here.page.go_back()
        here.settled()
    gone = here.page.locator("svg.marks text").filter(has_text=re.compile("after 29[5-9] steps"))
    expect(gone, "Back undoes a move of the slider too").to_have_count(0)
    here.settled()
    in_place("Back")
    chart = here.page.locator("svg.marks").nth(3)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    here.page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    here.page.wait_for_function("location.search.includes('step=')")
    step = int(re.search(r"step=(\d+)", here.address)[1])
    assert 100 < step < 200, "far enough from the end that Pause stays for a while"
    here.page.locator("svg.marks").first.scroll_into_view_if_needed()  # drawn when it is seen
    here.page.get_by_text(f"after {step} steps").first.wait_for(timeout=20_000)
    in_place("a click")
    here.page.get_by_role("button", name="Play", exact=True).press("Enter")
    here.page.get_by_role("button", name="Pause").wait_for(timeout=20_000)
    here.page.get_by_role("button", name="Play", exact=True).wait_for(timeout=60_000)
    here.settled()
    ends = [text for text in here.texts() if "ends at" in text]
    assert len([text for text in ends if "after 300 steps" in text]) == 2, ends
    assert "step" not in here.address
    in_place("Play")


def test_a_control_then_back_then_reload(home):
    here = home
    here.field("Batch size").fill("20")
    here.field("Batch size").press("Enter")
    here.page.wait_for_function("location.search.includes('batch_size=20')")
    here.until_trained()
    assert "Original: (20, 1) against (20,)" in here.texts()
    here.page.go_back()
    here.page.wait_for_function("!location.search.includes('batch_size')")
    here.page.get_by_text("Original: (100, 1) against (100,)").first.wait_for(timeout=20_000)
    here.settled()
    expect(here.field("Batch size")).to_have_value("100")
    here.page.go_forward()
    here.page.get_by_text("Original: (20, 1) against (20,)").first.wait_for(timeout=20_000)
    here.page.reload()
    here.until_trained()
    expect(here.field("Batch size")).to_have_value("20")
    here.page.go_back()
    here.page.get_by_text("Original: (100, 1) against (100,)").first.wait_for(timeout=20_000)
    here.settled()


def test_a_preset_sets_controls_and_link(home):
    here = home
    here.page.get_by_label("Preset").click()
    here.page.get_by_role("option", name="SGD at lr 0.01").click()
    here.page.wait_for_function("location.search.includes('optimizer=SGD')")
    here.page.get_by_text("Both sides diverge").wait_for(timeout=60_000)
    said = here.page.locator("svg.marks text").filter(
        has_text=re.compile(r"leaves the picture at step \d and diverges at step 7")
    )
    expect(said.first).to_be_attached()  # the figures follow the sentence


def test_a_long_training_starts_on_a_button_and_ends_with_the_whole_page(visit):
    here = visit("?epochs=1050&samples=1000&wiring=weight_1d")  # matched, which is quicker
    here.page.get_by_role("button", name=re.compile("^Train 21,000 steps")).click(timeout=60_000)
    here.page.get_by_text(re.compile(r"Training: [\d,]+ of 21,000 steps")).wait_for(timeout=30_000)
    here.until_trained()
    assert here.page.get_by_role("button", name=re.compile("^Train ")).count() == 0
    assert sum("after 10,500 steps" in text for text in here.texts()) == 2


def test_a_long_training_can_be_stopped_and_begun_again(visit):
    """Also while the figures appear: the button stays under the mouse that presses it."""
    here, figures = visit("?batch_size=1"), []
    here.page.route(re.compile(r"/live\.js"), lambda route: figures.append(route))
    here.page.reload()
    begin = here.page.get_by_role("button", name="Train 600,000 steps")
    begin.click(timeout=60_000)
    here.page.get_by_text(re.compile(r"Training: [\d,]+ of 600,000 steps")).wait_for(timeout=30_000)
    here.page.get_by_role("button", name="Stop the training").hover()
    here.page.mouse.down()
    assert figures, "what draws them has been held back"
    for file in figures:
        file.continue_()
    here.page.unroute_all()
    here.page.wait_for_function("document.querySelectorAll('svg.marks').length == 4")
    here.page.mouse.up()
    begin.wait_for(timeout=30_000)
