"""The ensemble's pages in Chromium: the menu and Back, clicks on surfaces and cells, a stopped
sweep, every width."""

import re

import pytest
from accessible import PHONE, ZOOMED, beside_the_window, shut_out
from browsing import Visit
from drawn import drawn, menu, nothing_is_cut_off
from hovering import hovered, is_in_words
from playwright.sync_api import expect
from project import ROOT

pytestmark = pytest.mark.browser


def test_the_menu_keeps_the_settings_and_back_leads_from_page_to_page(visit):
    here = visit("?samples=1000&optimizer=Adam&epochs=3").until_trained()
    menu(here, "Sweep")
    here.page.wait_for_function(
        "location.pathname == '/sweep' && location.search.includes('optimizer=Adam')"
    )
    drawn(here, 3)
    expect(here.field("Epochs")).to_have_value("3")
    expect(here.field("Rows")).to_have_value("1000")
    menu(here, "Claims")
    here.page.wait_for_function("location.pathname == '/claims'")
    here.page.go_back()
    here.page.wait_for_function("location.pathname == '/sweep'")
    drawn(here, 3)
    here.page.go_back()
    here.page.wait_for_function(
        "location.pathname == '/' && location.search.includes('optimizer=Adam')"
    )
    here.until_trained()
    expect(here.field("Epochs")).to_have_value("3")


@pytest.fixture(scope="module")
def surface(browser, server):
    """The surface page for a click that Back undoes, and for its controls."""
    visit = Visit(browser, server, "surface?samples=1000&ring=2", height=1200)
    yield drawn(visit, 4)
    visit.ended()


def test_figures_of_the_surface_page_say_words_or_nothing(surface):
    said = hovered(surface)
    assert len(said) == 4
    assert [text for texts in said for text in texts if not is_in_words(text)] == []
    assert all(said)


def test_a_click_on_a_surface_adds_a_start(surface):
    here = surface
    chart = here.page.locator("svg.marks").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    here.page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    here.page.wait_for_function("location.search.includes('starts=')")
    starts = re.search(r"starts=([^&]+)", here.address)[1].replace("%2C", ",").split(",")
    drawn(here, 4)
    assert [
        float(part) for part in here.field("Starts, e.g. 2, 3, 4, 1").input_value().split(", ")
    ] == [*map(float, starts)]
    here.page.go_back()
    here.page.wait_for_function("!location.search.includes('starts=')")
    drawn(here, 4)


@pytest.fixture(scope="module")
def cells(browser, server):
    """A sweep whose cells are pointed at, clicked, and opened by keyboard, in this order."""
    query = "sweep?samples=500&columns=4&rows=3&inits=1&steps=50&y_range=5,100"
    visit = Visit(browser, server, query, height=1200)
    yield drawn(visit, 3)
    visit.ended()


def at(here, chart, across, down):
    """A point of a chart, by its share of the width and of the height."""
    marks = here.page.locator("svg.marks").nth(chart)
    marks.scroll_into_view_if_needed()
    box = marks.bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def test_figures_of_a_sweep_say_words_or_nothing(cells):
    said = hovered(cells)
    assert len(said) == 3
    assert [text for texts in said for text in texts if not is_in_words(text)] == []
    assert said[0]
    assert said[1]


def test_a_cell_says_its_numbers_and_a_refusal_stands_at_its_field(cells):
    here = cells
    here.page.mouse.move(*at(here, 1, 0.6, 0.55))
    tooltip = here.page.locator("#vg-tooltip-element")
    expect(tooltip).to_have_text("learning rate0.1batch size22share of runs that converge100%")
    field = here.field("Initial weights")
    before = field.input_value()
    field.fill("two, three")
    field.press("Enter")
    refusal = here.page.get_by_text("Two, three is not a number")
    expect(refusal).to_be_visible()
    expect(field).to_have_value("two, three")
    gap = refusal.bounding_box()["y"] - field.bounding_box()["y"]
    assert 0 < gap < 80, "below the field"
    field.fill(before)
    field.press("Enter")
    expect(refusal).not_to_be_visible()
    drawn(here, 3)


def test_the_first_click_selects_a_cell_the_second_opens_it_and_back_returns(cells):
    here = cells
    here.page.mouse.click(*at(here, 1, 0.6, 0.55))
    expect(here.page.get_by_text("learning rate 0.1, batch size 22", exact=True)).to_be_visible()
    assert here.page.evaluate("location.pathname") == "/sweep", (
        "a slip of the mouse changes no page"
    )
    here.settled()
    here.page.mouse.click(*at(here, 0, 0.6, 0.55))
    here.page.wait_for_function("location.pathname == '/'", timeout=30_000)
    here.until_trained()
    expect(here.field("Batch size"), "the middle row of 5, 22, 100").to_have_value("22")
    here.page.go_back()
    here.page.wait_for_function("location.pathname == '/sweep'")
    expect(here.page.get_by_text("learning rate 0.1, batch size 22", exact=True)).to_be_visible()
    expect(here.field("Batch size"), "the sweep's own settings").to_have_value("100")
    expect(here.field("Learning rate")).to_have_value("0.01")
    assert "rows=3" in here.address


def test_a_cell_is_selected_and_opened_by_keyboard(cells):
    here = cells
    slider = here.page.get_by_role("slider").last
    slider.press("Home")
    expect(here.page.get_by_text(re.compile(r"^learning rate .*, batch size 5$"))).to_be_visible()
    here.page.get_by_role("link", name="Open this cell side by side").press("Enter")
    here.page.wait_for_function("location.pathname == '/'", timeout=30_000)
    here.until_trained()
    expect(here.field("Batch size")).to_have_value("5")


PAGE_STYLE = '[data-stale="true"]'  # where the page's style is, which is in no other
REMOVE_STYLE = f"""() => document.querySelectorAll('style').forEach(
  style => style.textContent.includes('{PAGE_STYLE}') && style.remove())"""


def test_a_long_sweep_can_be_stopped_and_goes_on(visit):
    """The button stands where it stays without the style of the page, which on a busy machine comes
    later: a press on what then jumps away would be lost."""
    here = visit("sweep?x=scale&y=noise&columns=80&rows=20&inits=2&steps=8000")
    stop = here.page.get_by_role("button", name="Stop the sweep")
    stop.wait_for(timeout=60_000)
    here.page.evaluate(REMOVE_STYLE)  # unless it is not yet there
    assert stop.bounding_box()["y"] > 900, "at the edge of the window"
    stop.click()
    here.page.get_by_text(re.compile(r"Stopped: [\d,]+ cells of 3,200 are not done")).wait_for(
        timeout=30_000
    )
    drawn(here, 3)
    here.page.get_by_role("button", name="Go on").click()
    here.page.get_by_text(re.compile("Stopped")).wait_for(state="detached", timeout=60_000)
    assert PAGE_STYLE in (ROOT / "linreg/ui/legible.css").read_text()


def test_a_claim_opens_its_run_and_back_returns_to_its_place(visit):
    here = drawn(visit("claims?seeds=10"), 12)
    place = "document.querySelector('[data-testid=stMain]').scrollTop"
    link = here.page.get_by_text("side by side").nth(2)
    link.scroll_into_view_if_needed()
    left_at = here.page.evaluate(place)
    assert left_at > 300
    link.click()
    here.page.wait_for_function("location.pathname == '/' && location.search.includes('init=35')")
    here.until_trained()
    expect(here.field("Initial weights")).to_have_value("35, 35")
    here.page.go_back()
    here.page.wait_for_function("location.pathname == '/claims'")
    here.page.wait_for_function(f"Math.abs({place} - {left_at}) < 3", timeout=30_000)
    assert "seeds=10" in here.address
    menu(here, "Original vs fixed")
    here.page.wait_for_function("location.pathname == '/'")
    here.until_trained()
    expect(here.field("Initial weights"), "the claim's are gone").to_have_value("default")


def test_no_figure_of_the_surface_page_is_cut_off(visit):
    here = drawn(visit("surface?samples=1000&correlation=0.9", width=390, scheme="dark"), 4)
    nothing_is_cut_off(here)
    assert shut_out(here) == []
    assert beside_the_window(here) == 0
    here.page.get_by_text("single batches", exact=True).click()
    here.page.wait_for_function("document.querySelectorAll('svg.marks').length == 2")
    nothing_is_cut_off(drawn(here, 2))
    here.page.set_viewport_size({"width": 1_100, "height": 1_000})
    here.page.get_by_text("curvature", exact=True).click()
    here.page.wait_for_function("document.querySelectorAll('svg.marks').length == 3")
    nothing_is_cut_off(drawn(here, 3))
    assert beside_the_window(here, ZOOMED) == 0
    here.page.get_by_text("paths", exact=True).first.click()
    expect(here.page.get_by_role("slider", name="Replay: step", exact=True)).to_have_value("300")


@pytest.mark.parametrize(
    ("path", "figures", "width", "scheme"),
    [
        ("claims?seeds=10", 12, 390, "light"),
        (
            "sweep?samples=1000&columns=5&rows=3&inits=1&steps=50&optimizer=SGD&metric=loss",
            3,
            1400,
            "dark",
        ),
    ],
)
def test_no_figure_of_these_pages_is_cut_off(visit, path, figures, width, scheme):
    here = drawn(visit(path, width=width, scheme=scheme), figures)
    nothing_is_cut_off(here, least=50 if "claims" in path else 100)
    assert shut_out(here) == []
    assert beside_the_window(here, ZOOMED) == 0
    assert beside_the_window(here, PHONE) == 0


def test_controls_of_the_view_and_of_the_sidebar(surface):
    """One of the view redraws in place and is in the URL; one of the sidebar, moved on the page,
    reruns all of it."""
    here = surface
    here.page.evaluate(
        "document.querySelectorAll('svg.marks').forEach((svg, i) => svg.dataset.first = i)"
    )
    labels = (
        "[...document.querySelectorAll('svg.marks [aria-label]')]"
        ".map(mark => mark.getAttribute('aria-label'))"
    )
    assert sum("has its minimum at" in label for label in here.page.evaluate(labels)) == 2, (
        "the finding is in the figure"
    )
    field = here.field("Radius of the ring")
    field.fill("30")  # a picture with more contours than the one before
    field.press("Enter")
    here.page.wait_for_function("location.search.includes('radius=30')")
    drawn(here, 4)
    marks = here.page.evaluate(
        "[...document.querySelectorAll('svg.marks')].map(svg => svg.dataset.first)"
    )
    assert marks == ["0", "1", "2", "3"], "no figure was drawn anew"
    rings = here.page.evaluate(
        "[...document.querySelectorAll('svg.marks')].slice(0, 2).map(svg =>"
        " [...svg.querySelectorAll('.layer_1_marks path')]"
        ".map(ring => ring.getBBox()).map(box => box.width * box.height))"
    )
    for areas in rings:
        assert len(areas) > 5
        assert areas == sorted(areas, reverse=True), (
            "the outermost ring still lies below the others"
        )
    moved = here.texts()
    here.page.go_back()
    here.page.wait_for_function("!location.search.includes('radius')")
    drawn(here, 4)
    expect(here.field("Radius of the ring"), "Back undoes a control of the view too").to_have_value(
        "4"
    )
    assert here.texts() != moved, "and what it had changed"
    here.page.get_by_label("Feature scale", exact=True).last.fill("50")
    here.page.get_by_label("Feature scale", exact=True).last.press("Enter")
    here.page.wait_for_function("location.search.includes('scale=50')")
    drawn(here, 4)
    menu(here, "Data")
    expect(
        here.page.get_by_test_id("stSidebar").get_by_label("Feature scale", exact=True)
    ).to_have_value("50")
    starts = here.field("Starts, e.g. 2, 3, 4, 1")
    starts.fill("1, 2, 3")
    starts.press("Enter")
    here.page.get_by_text("does not have an even count").wait_for(timeout=20_000)
    expect(starts, "what was typed is kept").to_have_value("1, 2, 3")
    here.field("Starts in a ring").fill("3")
    here.field("Starts in a ring").press("Enter")
    here.page.get_by_text("does not have an even count").wait_for(state="detached", timeout=20_000)
    here.page.wait_for_function("location.search.includes('ring=3')")
