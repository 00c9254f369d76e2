"""Taking things along, in Chromium: files from under a figure, what they look like there, links, and an embedded page."""

import json
import re
from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError, expect
from test_browser import browser, pytestmark, server, visit  # noqa: F401  # fixtures and marks of the same kind

from linreg.export import SIZES, exported
from linreg.gallery import figures
from linreg.renderer import RENDERER
from linreg.settings import Comparison, DataSettings, Settings, fixed_side, from_query
from linreg.theme import THEMES
from linreg.views import ClaimsView, SurfaceView, SweepView, from_view_query

CUT = """() => [...document.querySelectorAll('text')].filter(t => t.textContent.trim()).filter(t => {
    const svg = document.documentElement.getBoundingClientRect(), b = t.getBoundingClientRect();
    return b.left < svg.left - 0.5 || b.right > svg.right + 0.5 || b.top < svg.top - 0.5 || b.bottom > svg.bottom + 0.5;
  }).map(t => t.textContent)"""


def compared():
    original = Settings(data=DataSettings(samples=1_000))
    return Comparison(original, fixed_side(original, {"wiring": "squeeze"}))


WIDTHS = [*range(280, 660, 8), *range(670, 1400, 61)]
DRAWN = b'vegaEmbed("#panel" + k, spec, {renderer: "svg", actions: false})'
RESIZED = """async widths => {
    const place = document.querySelector('.panels > div'), changed = [], out = [];
    document.querySelectorAll('.panels > div').forEach(other => other.hidden = other != place);
    document.querySelector('.panels').style.display = 'block';
    for (const name of ['width', 'height']) view.addSignalListener(name, () => changed[changed.length - 1][1]++);
    for (const width of widths) {
      place.style.width = width + 'px';
      changed.push([width, 0]);
      window.dispatchEvent(new Event('resize'));
      await view.runAsync();
      await view.runAsync();
      const whole = place.querySelector('svg.marks').getBoundingClientRect();
      for (const text of place.querySelectorAll('svg.marks text')) {
        const box = text.getBoundingClientRect(), seen = text.textContent && text.getAttribute('opacity') != 0;
        if (seen && (box.left < whole.left - 0.5 || box.right > whole.right + 0.5)) out.push([width, text.textContent]);
      }
    }
    return [changed, out];
  }"""


@pytest.fixture(scope="module")
def plates():
    """Every figure of the app, small."""
    small = {
        ClaimsView: ClaimsView(seeds=10),
        SweepView: SweepView(columns=6, rows=4, inits=2, steps=200),
        SurfaceView: SurfaceView(optimizers=("RMSprop", "SGD", "Adam", "Adagrad"), arrows=True),
    }
    every = [plate for _, plate in figures(compared(), THEMES["light"], small)]
    of_claims = [plate for plate in every if plate.heading][2:]  # which are alike
    yield [plate for plate in every if plate not in of_claims]
    RENDERER.close()


def opened(here, name):
    menu = here.page.locator("summary").filter(has_text=name).first
    menu.scroll_into_view_if_needed()
    menu.click()


def downloaded(here, name):
    """The file behind a button; on a slow machine a page that is still redrawn may take the first click away."""
    for patience in (15_000, 60_000):
        with suppress(TimeoutError), here.page.expect_download(timeout=patience) as found:
            here.page.get_by_role("button", name=name, exact=True).click()
            return found.value.suggested_filename, found.value.path().read_bytes()
    raise AssertionError(f"nothing came of {name}")


def test_the_comparison_leaves_as_one_figure_and_as_code(visit, plates):
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
    assert svg == exported(plates[0], "svg"), "what leaves the page is what the command line makes"
    here.page.get_by_text("one column, 85 mm", exact=True).click()
    here.page.get_by_text("dark", exact=True).click()
    here.settled()
    name, png = downloaded(here, "PNG, 300 dpi")
    assert name == "loss-surfaces_rmsprop-lr-0.01-batch-100-samples-1000_column_dark.png"
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    name, table = downloaded(here, "CSV of the data")
    assert table.startswith(b"step,w1,w2,panel")


def test_an_exported_figure_opened_on_its_own_is_whole(browser, plates, tmp_path):
    """Every figure at its print size: no text reaches over the edge, and all of it is in the typeface that comes along."""
    page = browser.new_page()
    page.set_viewport_size({"width": 1_100, "height": 1_400})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for plate in plates:
        for size in SIZES if len(plate.panels) > 1 else ["column"]:
            path = tmp_path / "figure.svg"
            path.write_bytes(exported(plate, "svg", size))
            page.goto(path.as_uri())
            page.evaluate("document.fonts.ready")
            assert page.evaluate(CUT) == [], (plate.name, size)
            assert page.evaluate("[...document.fonts].map(face => face.status)").count("error") == 0
            assert page.evaluate("document.fonts.check(\"12px 'Source Sans Pro'\", 'weight 1')")
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page.close()


def test_an_exported_page_draws_without_a_network(browser, plates, tmp_path):
    (tmp_path / "figure.html").write_bytes(exported(plates[0], "html"))
    page = browser.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_function("document.querySelectorAll('svg.marks').length == 2")
    texts = page.evaluate("[...document.querySelectorAll('svg.marks text')].map(text => text.textContent)")
    assert "Fixed: (100,) meets (100,)" in texts
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_text("Star: where this loss is least.")).to_be_visible()
    assert said == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page.close()


def test_a_copied_link_spells_everything_out_and_opens_the_same_page(visit):
    here = visit("surface?samples=1000&lr=0.05&fixed.batch_size=1&ring=2&optimizers=Adam&step=30")
    here.page.wait_for_function("document.querySelectorAll('svg.marks').length >= 4", timeout=120_000)
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
    assert (comparison.original.lr, comparison.original.batch_size, comparison.fixed.batch_size) == (0.05, 100, 1)
    assert f'src="{link}&embed=true"' in frame
    again = visit(f"surface?{query}")
    again.page.wait_for_function("document.querySelectorAll('svg.marks').length >= 4", timeout=120_000)
    again.settled()
    assert again.texts() == here.texts()
    assert again.page.locator("[data-testid=stAlert]").count() == 0


def test_an_embedded_table_is_the_one_that_its_page_shows(visit):
    here = visit("your_data?embed=true&epochs=2", width=700)
    here.page.get_by_role("link", name="All of it, with its controls").wait_for(timeout=120_000)
    here.settled()
    assert any("w1 = " in text and "true" not in text for text in here.texts()), "least squares weights, not true ones"


def test_an_embedded_page_is_its_figures_alone(visit):
    here = visit("?samples=1000&embed=true&step=40", width=700)
    link = here.page.get_by_role("link", name="All of it, with its controls")
    link.wait_for(timeout=120_000)
    here.settled()
    assert here.page.locator("svg.marks").count() == 4
    assert sum("after 40 steps" in text for text in here.texts()) == 2
    assert "step=40" in link.get_attribute("href")
    assert "embed" not in link.get_attribute("href")
    for absent in ("stSidebar", "stHeading", "stButton", "stPopover", "stExpander", "stSlider"):
        assert here.page.locator(f"[data-testid={absent}]").count() == 0, absent


def test_figures_come_to_rest_at_every_width(browser, plates, tmp_path):
    """A height that follows the width, and labels that follow both and stand out, can go round in a circle for a minute."""
    page = browser.new_page(viewport={"width": 1450, "height": 900})
    for plate in plates:
        if "params" not in plate.panels[0].spec:
            continue
        html = exported(plate, "html")
        assert DRAWN in html
        watched = DRAWN + b".then(found => { if (!k) window.view = found.view; })"
        (tmp_path / "figure.html").write_bytes(html.replace(DRAWN, watched))
        page.goto((tmp_path / "figure.html").as_uri())
        page.wait_for_function("() => window.view")
        changed, out = page.evaluate(RESIZED, WIDTHS)
        assert max(count for _, count in changed) <= 8, (plate.name, sorted(changed, key=lambda one: -one[1])[:5])
        assert not out, plate.name
    page.close()
