"""Ways through the app in Chromium: links between pages, Back, broken and unknown addresses, and
the lecture view."""

import re

import pytest
from accessible import beside_the_window
from drawn import drawn, menu
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def links_of(here, place):
    return here.page.locator(f".st-key-{place}_links a")


def test_pages_lead_to_their_neighbours_and_back_with_the_settings(visit):
    query = "v=1&samples=500&columns=4&rows=3&inits=1&steps=50&y_range=5,100&lr=0.05"
    here = visit(f"sweep?{query}")
    foot = links_of(here, "foot")
    foot.first.wait_for(timeout=120_000)
    assert foot.all_inner_texts() == ["← Surface", "Your data →"]
    expect(links_of(here, "top").first).not_to_be_visible()
    here.settled()
    foot.first.click()
    here.page.wait_for_url("**/surface?*lr=0.05*")
    links_of(here, "foot").get_by_text("Sweep →").wait_for(timeout=120_000)
    here.settled()
    here.page.go_back()
    here.page.wait_for_url("**/sweep?*rows=3*")
    here.settled()
    expect(here.field("Cells along x")).to_have_value("4")


def test_back_to_an_address_without_settings_is_back_to_the_defaults(visit):
    here = visit("cause")
    links_of(here, "foot").first.click(timeout=120_000)
    here.page.get_by_text("R² of least squares").wait_for(timeout=60_000)
    here.settled()
    here.field("Batch size").fill("500")
    here.field("Batch size").press("Enter")
    here.page.wait_for_function("location.search.includes('batch_size=500')")
    here.until_trained()
    here.page.evaluate("history.go(-2)")
    here.page.wait_for_url(re.compile(r"/cause(\?v=1)?$"))
    links_of(here, "foot").get_by_text("Claims →").wait_for(timeout=60_000)
    here.settled()
    assert here.address in ("", "?v=1"), "the version alone says the same"
    expect(here.field("Batch size of the comparison")).to_have_value("100")


def test_a_click_right_after_back_leads_on_from_there(visit):
    """The server has not answered: the links on the page are those of what was left."""
    here = visit("?v=1&samples=1000&epochs=3").until_trained()
    epochs_changed(here, 5)
    with here.unheard():
        here.page.go_back()
        here.page.wait_for_function("location.search.includes('epochs=3')")
        menu(here, "Surface")
    here.page.wait_for_url("**/surface?*epochs=3*")
    drawn(here, 4)
    epochs_changed(here, 7)
    with here.unheard():
        here.page.go_back()
        here.page.wait_for_function("location.search.includes('epochs=3')")
        links_of(here, "foot").get_by_text("Sweep →").click()
    here.page.wait_for_url("**/sweep?*epochs=3*")
    drawn(here, 3)
    with here.unheard():
        here.page.go_back()
        here.page.wait_for_url("**/surface?*epochs=3*")
        menu(here, "Cause")
        here.page.go_forward()
        here.page.wait_for_url("**/sweep?*epochs=3*")
    drawn(here, 3)
    assert here.page.url.count("/sweep?"), "who goes on through the history has changed their mind"


def epochs_changed(here, epochs):
    here.field("Epochs").fill(str(epochs))
    here.field("Epochs").press("Enter")
    here.page.wait_for_function(f"location.search.includes('epochs={epochs}')")
    here.settled()


def test_a_phone_has_the_way_on_at_its_top(visit):
    here = visit("your_data?v=1&epochs=2&seed=3", width=390, height=844)
    top = links_of(here, "top")
    expect(top.last).to_be_visible(timeout=60_000)
    assert top.all_inner_texts() == ["← Sweep", "Your code →"]
    boxes = [link.bounding_box() for link in top.all()]
    assert all(box["y"] + box["height"] < 60 for box in boxes), "no room is taken from the page"
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    here.settled()
    top.last.click()
    here.page.wait_for_url("**/your_code?*seed=3*")
    assert beside_the_window(here) == 0


def test_a_value_typed_just_before_a_click_on_the_menu_goes_along(visit):
    """The field gives it when it is left, by that very click: the link is still that of the
    settings before."""
    here = visit("?v=1&samples=1000&lr=0.05", height=1800).until_trained()
    here.field("Epochs").fill("20")
    here.page.get_by_test_id("stSidebar").get_by_text("Surface", exact=True).click(delay=400)
    here.page.get_by_text("Optimizers on both surfaces").wait_for(timeout=60_000)
    here.settled()
    expect(here.field("Epochs")).to_have_value("20")
    assert "epochs=20" in here.address


def unknown_page(here, name):
    """A home page that says there is no such page, and the links to others that it gives."""
    here.page.get_by_text(f"There is no page {name}, so this is the home page.").wait_for(
        timeout=60_000
    )
    here.until_trained()
    here.page.keyboard.press("Escape")  # Streamlit's own dialog, which has no link
    assert here.complaints == [
        "The page that you have requested does not seem to exist. Running the app's main page."
    ]
    here.complaints.clear()
    return here.page.locator(".st-key-other_pages a")


def test_a_broken_link_opens_and_says_what_was_ignored(visit):
    """Its page and its settings; HTML shows as text."""
    here = visit(
        "%3Ci%3Ex?samples=1000&lr=1e999&%3Cb%3Ebold%3C/b%3E=*1*"
        "&nonsense=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
    )
    links = unknown_page(here, "<i>x").all_inner_texts()
    assert links == ["Cause →", "Claims →", "Surface →", "Sweep →", "Your data →", "Your code →"]
    said = here.page.locator("[data-testid=stAlert]").all_inner_texts()
    assert any("lr=1e999 was ignored: it is out of range" in text for text in said)
    assert any("<b>bold</b> was ignored: there is no such setting." in text for text in said)


def test_an_address_that_is_nearly_a_page_leads_to_it(visit):
    here = visit("surfaces?lr=0.05&samples=1000")
    link = unknown_page(here, "surfaces")
    assert link.all_inner_texts() == ["Surface →"]
    link.click()
    here.page.wait_for_url("**/surface?*lr=0.05*")
    here.page.get_by_text("Optimizers on both surfaces").wait_for(timeout=60_000)
    here.settled()
    assert here.page.get_by_text("There is no page").count() == 0


def test_the_lecture_view_is_left_by_escape_and_stepped_through_from_anywhere(visit):
    here = visit("?v=1&samples=1000&lr=0.05").until_trained()
    sidebar = here.page.get_by_test_id("stSidebar")
    type_size = "getComputedStyle(document.querySelector('.live-controls')).fontSize"
    before = float(here.page.evaluate(type_size)[:-2])
    here.page.get_by_role("button", name="Lecture view").click()
    here.page.wait_for_function("location.search.includes('present=true')")
    here.until_trained()
    expect(sidebar).not_to_be_visible()
    assert float(here.page.evaluate(type_size)[:-2]) == 1.25 * before
    for _ in range(3):
        here.page.keyboard.press("ArrowLeft")
    here.page.wait_for_function("location.search.includes('step=297')")
    assert "present=true" in here.address
    here.page.keyboard.press("Escape")
    here.page.wait_for_function("!location.search.includes('present')")
    here.settled()
    expect(sidebar).to_be_visible()
    expect(here.field("Learning rate")).to_have_value("0.05")
    here.page.go_back()
    here.page.wait_for_function("location.search.includes('present=true')")
    here.settled()
    expect(sidebar).not_to_be_visible()
    links_of(here, "foot").last.click()
    here.page.wait_for_url("**/cause?*lr=0.05*present=true*")
    expect(sidebar).not_to_be_visible()
