"""Taking things along, in Chromium: files from under a figure, links, and an embedded page."""

import json
import re
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from playwright.sync_api import TimeoutError
from settings_of import compared

from linreg.experiments.resources import local_resources
from linreg.figures.export import exported, with_source
from linreg.figures.pages import page_figures
from linreg.figures.renderer import RENDERER
from linreg.figures.theme import LIGHT
from linreg.settings.pages import SurfaceView
from linreg.settings.query import from_query, from_view_query, to_query
from linreg.text.citation import bibtex

pytestmark = pytest.mark.browser


@pytest.fixture
def surfaces():
    """The first figure of the home page."""
    yield next(page_figures("comparison", compared(), None, local_resources(), LIGHT))
    RENDERER.close()


def opened(here, name):
    menu = here.page.locator("summary").filter(has_text=name).first
    menu.scroll_into_view_if_needed()
    menu.click()


def downloaded(here, name):
    """The file behind a button; on a slow machine a page that is still redrawn may take the first
    click away."""
    for patience in (15_000, 60_000):
        with suppress(TimeoutError), here.page.expect_download(timeout=patience) as found:
            here.page.get_by_role("button", name=name, exact=True).click()
            return found.value.suggested_filename, found.value.path().read_bytes()
    raise AssertionError(f"nothing came of {name}")


def test_the_comparison_leaves_as_one_figure_and_as_code(visit, surfaces):
    here = visit("?samples=1000").until_trained()
    name, code = downloaded(here, re.compile("script", re.IGNORECASE))
    assert name.endswith(".py")
    assert b"standard_normal((1_000, 2))" in code
    name, notebook = downloaded(here, re.compile("notebook", re.IGNORECASE))
    assert name.endswith(".ipynb")
    assert json.loads(notebook)["nbformat"] == 4
    opened(here, "Save")
    name, svg = downloaded(here, "SVG")
    assert name == "loss-surfaces_rmsprop-lr-0.01-batch-100-samples-1000_page.svg"
    address = here.page.url.split("?")[0] + "?" + urlencode(to_query(compared(), True), safe=",")
    assert svg == exported(with_source(surfaces, address), "svg"), (
        "what leaves the page is what the command line makes of its address"
    )
    assert bibtex(address, "Loss surfaces") in here.page.locator("code").all_inner_texts()
    here.page.get_by_text("one column, 85 mm", exact=True).click()
    here.page.get_by_text("dark", exact=True).click()
    here.settled()
    name, png = downloaded(here, "PNG, 300 dpi")
    assert name == "loss-surfaces_rmsprop-lr-0.01-batch-100-samples-1000_column_dark.png"
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    name, table = downloaded(here, "CSV of the data")
    assert table.startswith(b"step,w1,w2,panel")


def test_a_copied_link_spells_everything_out_and_opens_the_same_page(visit):
    here = visit("surface?samples=1000&lr=0.05&fixed.batch_size=1&ring=2&optimizers=Adam&step=30")
    here.page.wait_for_function(
        "document.querySelectorAll('svg.marks').length >= 4", timeout=120_000
    )
    here.settled()
    opened(here, "Copy link")
    here.page.get_by_text("surface?v=1&").first.wait_for(timeout=30_000)
    link, frame = here.page.get_by_test_id("stSidebar").locator("code").all_inner_texts()
    path, query = link.split("?")
    assert path.endswith("/surface")
    named = dict(pair.split("=") for pair in query.split("&"))
    assert named["step"] == "30"
    assert named["momentum"] == "0", "what is as the default says is there too"
    view, _ = from_view_query(SurfaceView, named)
    assert view == SurfaceView(ring=2, optimizers=("Adam",))
    own = set(named) - {"step"} - {name for name in named if hasattr(view, name)}
    comparison, ignored = from_query({name: named[name] for name in own})
    assert ignored == []
    assert (
        comparison.original.lr,
        comparison.original.batch_size,
        comparison.fixed.batch_size,
    ) == (0.05, 100, 1)
    assert f'src="{link}&embed=true"' in frame
    again = visit(f"surface?{query}")
    again.page.wait_for_function(
        "document.querySelectorAll('svg.marks').length >= 4", timeout=120_000
    )
    again.settled()
    assert again.texts() == here.texts()
    assert again.page.locator("[data-testid=stAlert]").count() == 0


def test_an_embedded_table_is_the_one_that_its_page_shows(visit):
    here = visit("your_data?embed=true&epochs=2", width=700)
    here.page.get_by_role("link", name="Open in linreg").wait_for(timeout=120_000)
    here.page.wait_for_function("document.querySelectorAll('svg.marks').length == 5")
    here.settled()
    assert any("w1 = " in text and "true" not in text for text in here.texts()), (
        "least squares weights, not true ones"
    )


def test_an_embedded_page_is_its_finding_and_its_figures(visit):
    here = visit("?samples=1000&embed=true&step=40", width=700)
    link = here.page.get_by_role("link", name="Open in linreg")
    link.wait_for(timeout=120_000)
    here.page.wait_for_function("document.querySelectorAll('svg.marks').length == 5")
    here.settled()
    assert sum("after 40 steps" in text for text in here.texts()) == 2
    assert "step=40" in link.get_attribute("href")
    assert "embed" not in link.get_attribute("href")
    headline = here.page.get_by_test_id("stHeading")
    assert headline.all_inner_texts() == [
        "A silent broadcast: why this PyTorch regression never learns"
    ]
    here.page.get_by_text(re.compile("broadcasts them to 10,000 pairs")).wait_for()
    here.page.get_by_role("button", name="Play").wait_for()
    for absent in ("stSidebar", "stButton", "stPopover", "stExpander", "stSlider"):
        assert here.page.locator(f"[data-testid={absent}]").count() == 0, absent


def test_one_figure_is_embedded_alone_and_still_plays(visit):
    here = visit("?samples=1000&embed=true&figure=loss&step=40", width=700)
    here.page.get_by_role("link", name="Open in linreg").wait_for(timeout=120_000)
    here.page.wait_for_function("document.querySelectorAll('svg.marks').length == 1")
    here.settled()
    assert "Loss of each batch" in here.texts()
    assert here.page.get_by_test_id("stHeading").count() == 0
    slider = here.page.get_by_role("slider")
    slider.press("ArrowLeft")
    here.page.wait_for_function("location.search.includes('step=39')")
    here.settled()
    assert "figure=loss" in here.address
    assert here.page.locator("svg.marks").count() == 1


def test_an_unknown_figure_is_answered_with_those_that_there_are(visit):
    here = visit("your_code?embed=true&figure=%3Cb%3E", width=700)
    said = here.page.get_by_test_id("stAlert")
    said.wait_for(timeout=120_000)
    assert "figure=<b> was ignored: this page has no such figure; it has pairs-of-two-shapes." in (
        said.inner_text()
    )
    here.page.wait_for_function("document.querySelectorAll('svg.marks').length == 1")
