"""Training in the browser while a starting point or a slider is dragged, and PyTorch's after it."""

import re

import numpy as np
import pytest
from live_tables import LIVE
from playwright.sync_api import expect

from linreg.data.tables import make_data
from linreg.quadratic.moments import batch_moments
from linreg.settings.query import from_query
from linreg.text.numbers import point
from linreg.training.ensemble import train_ensemble

pytestmark = pytest.mark.browser


def ends_of(here):
    """Where the paths of both sides end, as the surfaces say it."""
    found = [re.search(r"ends at (\(.*?\)) after", text) for text in here.texts()]
    return [match[1] for match in found if match]


def expected_ends(query):
    """The same by the compiled ensemble."""
    comparison, _ = from_query(query)
    ends = []
    for side in (comparison.original, comparison.fixed):
        moments = batch_moments(make_data(side.data), side)
        runs = train_ensemble(
            moments, np.array([side.init]), side.lr, side.optimizer, steps=side.steps
        )
        ends.append(point(runs.final[0]))
    return ends


def query_of(here):
    return here.page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")


def grab(here, which=0):
    """Press the mouse on a starting point; returns where."""
    box = here.page.get_by_role("button", name="Starting point").nth(which).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    here.page.mouse.move(x, y)
    here.page.mouse.down()
    return x, y


@pytest.mark.parametrize("which", [0, 1])
def test_both_sides_train_while_a_starting_point_is_dragged(visit, which):
    here = visit("?samples=1000", height=1_200).until_trained()
    before, address, asked = ends_of(here), here.address, here.page.evaluate("seen.asked")
    x, y = grab(here, which)
    for k in range(1, 9):
        here.page.mouse.move(x + 12 * k, y - 9 * k)
    status = here.page.get_by_role("status").filter(has_text="Trained in this browser")
    status.wait_for()
    here.page.wait_for_function(
        "before => ![...document.querySelectorAll('svg.marks text')]"
        ".some(({textContent}) => before.some(end => textContent.includes(end + ' after')))",
        arg=before[1:],
    )
    during = ends_of(here)
    assert here.address == address
    assert here.page.evaluate("seen.asked") == asked, "nothing is said before it is let go"
    here.page.mouse.up()
    here.page.wait_for_function("location.search.includes('init=')")
    query = query_of(here)
    assert during == expected_ends({"samples": "1000", **query})
    agrees = here.page.get_by_text("PyTorch agrees with this browser")
    agrees.wait_for(timeout=60_000)
    difference = agrees.inner_text().rsplit(" weight ", 1)[1]
    assert re.fullmatch(r"\d\.\d × 10⁻[⁴-⁹]|0\.000\d+|none", difference), difference
    here.page.go_back()
    here.page.wait_for_function("!location.search.includes('init=')")
    here.page.wait_for_function(
        "end => [...document.querySelectorAll('svg.marks text')]"
        ".some(({textContent}) => textContent.includes(end))",
        arg=before[0],
        timeout=60_000,
    )


# the tables of which Vega holds other rows than the rules say
DIFFERING = f"""async () => {{
    {LIVE}
    const {{ stageOf }} = await import(address);
    const stage = stageOf('comparison');
    const isSame = (held, rows) => held.length === rows.length && rows.every((row, k) =>
        Object.keys(row).every(field => Object.is(held[k][field], row[field])));
    return [...stage.views].flatMap(({{ figure, view, tables }}) =>
        Object.entries(stage.rowsOf(figure))
            .filter(([name, rows]) => tables.has(name) && !isSame(view.data(name), rows))
            .map(([name]) => `${{figure.label}}: ${{name}}`));
}}"""


def wait_until_all_hold_their_rows(here):
    for _ in range(50):
        differing = here.page.evaluate(DIFFERING)
        if not differing:
            return
        here.page.wait_for_timeout(100)
    raise AssertionError(differing)


def test_figures_keep_their_marks_and_hold_the_rows_at_rest_even_out_of_sight(visit):
    here = visit("?samples=1000", height=800).until_trained()
    below = "[...document.querySelectorAll('svg.marks')].at(-1).getBoundingClientRect().top"
    assert here.page.evaluate(below) > 800, "one is out of sight"
    paths = "[...document.querySelector('svg.marks').querySelectorAll('path')]"
    x, y = grab(here)
    for k in range(1, 6):
        here.page.mouse.move(x + 6 * k, y - 4 * k)
        wait_until_all_hold_their_rows(here)
        if k == 3:  # tables are copied once
            here.page.evaluate(f"window.before = {paths}")
    assert here.page.evaluate("before.length > 10 && before.every(path => path.isConnected)")
    here.page.keyboard.press("Escape")
    here.page.mouse.up()
    slider = here.page.get_by_role("slider", name="Replay: step", exact=True)
    for key in ("Home", "ArrowRight", "PageUp", "End"):
        slider.press(key)
        wait_until_all_hold_their_rows(here)


VALUES = "String(seen.view.data('true').map(({value}) => value))"


@pytest.fixture
def out_of_sight(visit):
    """A home page, whose `seen` is the view of the weights, below the window; `lines` makes the
    rows of its lines, each with so much more as its value."""
    here = visit("?samples=1000", height=800).until_trained()
    here.page.evaluate(
        f"""async () => {{
            {LIVE}
            const {{ stageOf }} = await import(address);
            const views = [...stageOf('comparison').views];
            window.seen = views.find(({{ tables }}) => tables.has('true'));
            const sent = seen.figure.rows('true');
            window.lines = more =>
                sent.map(({{ value, label }}) => ({{ value: value + more, label }}));
        }}"""
    )
    assert not here.page.evaluate("seen.isVisible")
    return here


def test_a_figure_that_gets_data_twice_out_of_sight_shows_the_second(out_of_sight):
    """Vega forgets a change to a table at the next one, unless it has run in between."""
    page = out_of_sight.page
    page.evaluate(
        """() => { for (const more of [1, 2]) {
            const { figure, waiting } = seen;
            const rows = name => name === 'true' ? lines(more) : figure.rows(name);
            seen.draw(Object.assign(Object.create(figure), { rows }), waiting);
        } }"""
    )
    page.wait_for_function(f"{VALUES} == '7,5'")


def test_rows_that_stay_and_then_change_places_are_shown(out_of_sight):
    """A row that was shown as it is, then copied, and then is another one."""
    shown = out_of_sight.page.evaluate(
        f"""() => {{
            const [stays, first] = lines(0), [, second] = lines(1);
            const show = rows => {{ seen.setRows('true', rows); seen.run(); return {VALUES}; }};
            return [show([stays]), show([stays, first]), show([stays, second]), show(lines(2))];
        }}"""
    )
    assert shown == ["5", "5,3", "5,4", "7,5"]


def test_a_finger_drags_the_starting_point_and_swipes_the_page(browser, server):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(f"{server.url}/?samples=1000")
    page.get_by_text("R² of least squares").wait_for(timeout=120_000)
    handle = page.get_by_role("button", name="Starting point").first
    handle.scroll_into_view_if_needed()
    touches, top = (
        context.new_cdp_session(page),
        "() => document.querySelector('.stMain').scrollTop",
    )
    before = page.evaluate(top)

    def move_finger(x, y, dx, dy):
        touches.send(
            "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
        )
        for k in range(1, 9):
            there = {"x": x + k * dx, "y": y + k * dy}
            touches.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [there]})

    def let_go():
        touches.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    box = handle.bounding_box()
    move_finger(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 6, -8)
    page.get_by_role("status").filter(has_text="Trained in this browser").wait_for()
    let_go()
    page.wait_for_function("location.search.includes('init=')")
    assert page.evaluate(top) == before, "the page has not moved"
    plot = page.locator("svg.marks").first.bounding_box()
    move_finger(plot["x"] + 0.8 * plot["width"], plot["y"] + 0.5 * plot["height"], 0, -20)
    let_go()
    page.wait_for_function(f"before => ({top})() > before + 100", arg=before)
    context.close()


def test_arrow_keys_move_the_starting_point_and_escape_takes_it_back(visit):
    here = visit("?samples=1000&init=2,1").until_trained()
    handle = here.page.get_by_role("button", name="Starting point").first
    expect(handle).to_have_accessible_name(re.compile(r"Starting point \(2\.00, 1\.00\)"))
    for key in ("ArrowRight", "Shift+ArrowUp"):
        handle.press(key)
    expect(handle).not_to_have_accessible_name(re.compile(r"\(2\.00, 1\.00\)"))
    handle.press("Escape")
    expect(handle).to_have_accessible_name(re.compile(r"\(2\.00, 1\.00\)"))
    handle.press("ArrowLeft")
    here.page.wait_for_function("!location.search.includes('init=2%2C1')")
    w1, w2 = map(float, query_of(here)["init"].split(","))
    assert w1 < 2
    assert w2 == 1
    here.page.get_by_text("PyTorch agrees with this browser").wait_for(timeout=60_000)


def test_a_slider_of_the_learning_rate_trains_and_ends_in_the_address(visit):
    here = visit("?samples=1000&init=2,1").until_trained()
    here.page.get_by_role("slider", name="Learning rate").press("PageUp")
    here.page.wait_for_function("location.search.includes('lr=')")
    assert float(query_of(here)["lr"]) > 0.01
    here.page.get_by_text("PyTorch agrees with this browser").wait_for(timeout=60_000)
    assert ends_of(here) == expected_ends({"samples": "1000", **query_of(here)})
    expect(here.field("Learning rate")).not_to_have_value("0.01")


def test_too_many_bytes_are_said(visit):
    here = visit("?samples=1000&epochs=30000&optimizer=NAdam")
    here.page.get_by_text("MB are too many to train while you drag").wait_for(timeout=60_000)
