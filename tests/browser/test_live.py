"""The live figures in Chromium: their tables at a step, their numbers, the replay, and where their
files cannot be loaded."""

import json
import math
import random

import numpy as np
import pytest
from browsing import Visit
from live_tables import LIVE, assert_same_tables
from playwright.sync_api import expect
from served import Server

from linreg.text import numbers

pytestmark = pytest.mark.browser

TABLES = (
    LIVE
    + """
    const {stageOf} = await import(address);
    const stage = stageOf(group);
    return steps.map(step => {
        stage.go(step);
        return [...stage.views].map(({figure}) => [figure.label, figure.rowsAt(step, stage.runs)]);
    });"""
)


@pytest.fixture(scope="module")
def home(browser, server):
    visit = Visit(browser, server, "?samples=1000&bias=true").until_trained()
    yield visit
    visit.ended()


def tables_of(here, group, steps):
    """The tables that move, by step, the figure's label, and name."""
    found = here.page.evaluate(f"async ([group, steps]) => {{ {TABLES} }}", [group, steps])
    return {step: dict(figures) for step, figures in zip(steps, found, strict=True)}


def test_the_browser_computes_the_tables_of_the_home_page(home):
    from linreg.experiments.resources import local_resources
    from linreg.figures import comparison as figures
    from linreg.figures.theme import LIGHT
    from linreg.settings.query import from_query

    comparison, _ = from_query({"samples": "1000", "bias": "true"})
    result = trained_result(comparison, local_resources())
    steps = [0, 1, 17, 150, 299, 300]
    sent = tables_of(home, "comparison", steps)
    for step in steps:
        panels = [panel for drawn in figures.figures(result, LIGHT, step) for panel in drawn.panels]
        assert len(panels) == 5
        for panel in panels:
            assert_same_tables(panel, sent[step][panel.name or panel.alt])


def test_the_browser_computes_the_tables_of_the_surface_page(visit):
    from linreg.experiments import surface
    from linreg.experiments.resources import local_resources
    from linreg.figures import surface as figures
    from linreg.figures.theme import LIGHT
    from linreg.settings.pages import SurfaceView
    from linreg.settings.query import from_query

    here = visit("surface?samples=1000&ring=2&rates=own&lrs=0.05,0.001&optimizers=Adam,SGD")
    here.page.wait_for_function(
        "document.querySelectorAll('svg.marks').length == 4", timeout=120_000
    )
    here.settled()
    comparison, _ = from_query({"samples": "1000"})
    view = SurfaceView(ring=2, rates="own", lrs=(0.05, 1e-3), optimizers=("Adam", "SGD"))
    result = surface.run(comparison, view, local_resources())
    assert any(path.diverged_at.max() >= 0 for panel in result.panels for path in panel.paths)
    steps = [0, 3, 40, 300]
    sent = tables_of(here, "surface", steps)
    for step in steps:
        for make in (figures.paths, figures.losses, figures.distances):
            for panel in make(result, LIGHT, step).panels:
                assert_same_tables(panel, sent[step][panel.name])


def trained_result(comparison, resources):
    from linreg.experiments import comparison as experiment

    work = experiment.outstanding(comparison, resources)
    if work:
        work.run()
    return experiment.run(comparison, resources)


def test_numbers_are_written_as_in_python(home):
    draw = random.Random(0)
    values = [0.0, -0.0, 0.125, 2.5, 0.375, -2.5, 9.995, 999.5, 1000.5, 12500000000.0, 1.25e-5]
    values += [9_999.995, 10_000.0, 1e9, 999_999_999.5, 0.005, 0.015, -0.004, 1e300, 5e-324]
    values += [sign * 10.0**power for power in range(-12, 13) for sign in (1, -1)]
    values += [draw.choice((-1, 1)) * 10 ** draw.uniform(-9, 12) for _ in range(3_000)]
    values += [draw.randrange(-(10**6), 10**6) / 2**k for k in range(1, 12) for _ in range(100)]
    written = home.page.evaluate(
        f"""async values => {{
            {LIVE}
            const numbers = await import(address.replace('live.js', 'numbers.js'));
            return values.map(value => [numbers.quantity(value), numbers.coordinate(value),
                                        numbers.point([value, 1])]);
        }}""",
        values,
    )
    for value, found in zip(values, written, strict=True):
        expected = [
            numbers.quantity(value),
            numbers.coordinate(value),
            numbers.point(np.array([value, 1.0])),
        ]
        assert found == expected, value
        assert math.isfinite(value)


def test_back_wins_over_a_value_that_was_heard_of_but_not_answered(home):
    """`takes` says whether the page follows Python, which has heard so much of what it was told."""
    found = home.page.evaluate(
        f"""async () => {{
            {LIVE}
            const {{Telling}} = await import(address.replace('live.js', 'telling.js'));
            const one = new Telling(null), found = [one.takes(null, 0)];
            found.push(one.tells(295), one.tells(295), one.takes(null, 0), one.takes(295, 1));
            found.push(one.tells(3), one.takes(295, 1), one.takes(null, 2));
            one.tells(7);
            one.begin(); // another element, which Python has not heard of
            found.push(one.takes(null, 0), one.tells(8), one.count);
            return found;
        }}"""
    )
    first, told_again, older, answer = False, False, False, False
    assert found[:5] == [first, True, told_again, older, answer]
    older, back = False, True
    assert found[5:8] == [True, older, back], "the answer never came"
    assert found[8:] == [True, True, 1]


def test_a_replay_moves_all_figures_without_a_word_to_the_server(visit):
    here = visit("?samples=1000", height=1_700).until_trained()  # all figures are in sight
    here.page.emulate_media(reduced_motion="no-preference")
    texts = "[...document.querySelectorAll('svg.marks')].map(svg => svg.innerHTML)"
    before, asked = here.page.evaluate(texts), here.page.evaluate("seen.asked")
    here.page.get_by_label("Speed").select_option("0.5")
    here.page.get_by_role("button", name="Play").click()
    here.page.get_by_role("button", name="Pause").wait_for()
    here.page.wait_for_function(
        "() => { const at = document.querySelector('input[aria-label=\"Replay: step\"]');"
        " return at.value > 10 && at.value < 290; }"
    )
    during = here.page.evaluate(texts)
    assert all(a != b for a, b in zip(before, during, strict=True)), "every figure moves"
    assert here.page.evaluate("seen.asked") == asked, "the server hears nothing while it plays"
    here.page.get_by_label("Speed").select_option("4")
    here.page.get_by_role("button", name="Play").wait_for(timeout=60_000)
    here.page.wait_for_function(
        f"before => JSON.stringify({texts}) == before",
        arg=json.dumps(before, separators=(",", ":"), ensure_ascii=False),
    )
    here.page.emulate_media(reduced_motion="null")


def test_the_keyboard_steps_and_the_step_is_read_out(visit):
    here = visit("?samples=1000&step=100").until_trained()
    slider = here.page.get_by_role("slider", name="Replay: step", exact=True)
    expect(slider).to_have_value("100")
    for key, step in (
        ("ArrowRight", 101),
        ("ArrowLeft", 100),
        ("Shift+ArrowRight", 110),
        ("PageDown", 100),
        ("PageUp", 110),
        ("Home", 0),
    ):
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuetext", f"step {step} of 300")
    here.page.wait_for_function("location.search.includes('step=0')")
    slider.press("End")
    here.page.wait_for_function("!location.search.includes('step')")
    slider.press("Space")
    here.page.get_by_role("button", name="Pause").wait_for()
    slider.press("Space")
    here.page.get_by_role("button", name="Play").wait_for()


def test_vega_is_fetched_once_and_kept_by_the_browser(home):
    here, asked = home, []

    def note(request):
        asked.append(request.url.rpartition("/")[2])

    here.page.on("request", note)
    here.page.reload()
    here.until_trained()
    here.page.remove_listener("request", note)
    assert "live.js" in asked
    assert "vega.js" not in asked


def test_files_that_do_not_load_leave_a_sentence(browser, server):
    page = browser.new_page()
    page.route("**/component/**", lambda route: route.abort())
    page.goto(server.url + "/?samples=1000")
    page.get_by_text("their code could not be loaded").first.wait_for(timeout=120_000)
    page.close()


def test_a_deep_link_under_a_base_path_draws_in_an_embedded_page(browser):
    running = Server(base="some/where")
    try:
        for path in ("", "your_data"):
            query = f"{path}?samples=1000&epochs=2&embed=true&step=3"
            here = Visit(browser, running, query)
            slider = here.page.get_by_role("slider", name="Replay: step", exact=True)
            expect(slider).to_have_value("3", timeout=120_000)
            here.page.wait_for_function("document.querySelectorAll('svg.marks').length == 5")
            here.settled()
            assert sum("after 3 steps" in text for text in here.texts()) == 2
            here.ended()
    finally:
        running.stop()


# ---- the first page ------------------------------------------------------------------------------

COUNTS = """
window.counts = []; // of the figures on the page, after each that has been drawn
new MutationObserver(records => {
  const added = records.flatMap(record => [...record.addedNodes]);
  if (added.some(node => node.matches?.('svg.marks') || node.querySelector?.('svg.marks'))) {
    setTimeout(() => counts.push(document.querySelectorAll('svg.marks').length));
  }
}).observe(document, {subtree: true, childList: true});
"""


def test_the_code_is_loaded_at_once_and_the_first_figure_shown_before_the_others(
    browser, visit, server
):
    if not server.visited:  # it writes the files first
        visit().until_trained()
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.add_init_script(COUNTS)
    page.goto(server.url)
    page.wait_for_function("document.querySelectorAll('svg.marks').length == 5", polling=50)
    assert page.evaluate("counts.slice(0, 2)") == [1, 2]
    preloaded, loaded = page.evaluate("""() => [
      [...document.querySelectorAll('link[rel=modulepreload]')].map(link => link.href),
      performance.getEntriesByType('resource').map(entry => entry.name),
    ].map(names => names.filter(name => name.includes('/component/')))""")
    modules = {name for name in loaded if name.endswith(".js")}
    assert set(preloaded) == {name for name in modules if not name.endswith("/vega.js")}
    assert len(preloaded) == len(set(preloaded)) > 20
    page.close()
