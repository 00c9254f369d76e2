"""The sliders of the cause page in Chromium: the browser's tables are Python's, and what is dragged
moves at once and ends in the address."""

import base64
import re

import pytest
from accessible import ZOOMED, beside_the_window, shut_out
from drawn import drawn, nothing_is_cut_off
from live_modules import open_modules
from playwright.sync_api import expect

from linreg.experiments import cause
from linreg.experiments.resources import local_resources
from linreg.figures import cause as figures
from linreg.figures.theme import LIGHT
from linreg.settings.changes import update_both
from linreg.settings.model import Comparison
from linreg.settings.pages import CauseView
from linreg.ui.live.fade import fade_model
from linreg.ui.live.payload import pack

pytestmark = pytest.mark.browser

MOVES = """async ({sent, values}) => {
    const {unpack} = await import("./payload.js");
    const {Fade, rowsOfFade} = await import("./fade.js");
    const {Figure} = await import("./tables.js");
    const bytes = Uint8Array.from(atob(sent), byte => byte.charCodeAt(0));
    const {model, figures} = unpack(bytes);
    const fade = new Fade(model);
    const drawn = figures.map(figure => new Figure(figure, ""));
    return values.map(({alpha, rows, weights}) => {
        Object.assign(fade, {alpha, index: fade.indexOf(rows), weights: weights ?? model.best});
        return drawn.map(figure => rowsOfFade(fade, figure));
    });
}"""


@pytest.fixture(scope="module")
def page(browser):
    opened = browser.new_page()
    open_modules(opened)
    yield opened
    opened.close()


def panels_of(result):
    found = [panel for drawn in figures.figures(result, LIGHT) for panel in drawn.panels]
    return [panel for panel in found if panel.moving]


def assert_same_table(rows, columns, scale):
    """The rows of the browser have Python's columns; numbers agree relative to their size."""
    names = list(columns)
    assert len(rows) == len(columns[names[0]])
    for name in names:
        found, expected = [row[name] for row in rows], columns[name].tolist()
        if isinstance(expected[0], str):
            assert found == expected, name
        else:
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale(name)), name
    assert all(set(row) == set(names) for row in rows)


@pytest.mark.parametrize(
    "changes", [{}, {"bias": True, "data_mean": 20.0}, {"shuffle": True, "data_correlation": 0.5}]
)
def test_the_browser_computes_the_tables_of_python(page, changes):
    """Of 1,030 rows the last batch of most sizes is smaller."""
    named = {name.replace("data_", ""): value for name, value in changes.items()}
    comparison = update_both(Comparison(), {"samples": 1_030, "epochs": 2, **named})
    resources = local_resources()
    first = cause.run(comparison, CauseView(), resources)
    sent = pack(
        {
            "model": fade_model(first),
            "figures": [
                {
                    "spec": {},
                    "tables": panel.drawn(),
                    "moving": panel.moving,
                    "label": "",
                    "alt": "",
                }
                for panel in panels_of(first)
            ],
        }
    )
    views = [
        CauseView(),
        CauseView(alpha=0.0),
        CauseView(alpha=0.3, batch_rows=8, w1=-1.25, w2=12.5),
        CauseView(alpha=0.99, batch_rows=1, w1=4.0),
        CauseView(alpha=1.0, batch_rows=768, w2=-3.0),
    ]
    results = [cause.run(comparison, view, resources) for view in views]
    values = [
        {"alpha": view.alpha, "rows": result.batch_rows, "weights": result.weights[:2].tolist()}
        for view, result in zip(views, results, strict=True)
    ]
    given = {"sent": base64.b64encode(sent).decode(), "values": values}
    for result, tables in zip(results, page.evaluate(MOVES, given), strict=True):
        panels = panels_of(result)
        assert len(panels) == len(tables) == 5
        for panel, moved in zip(panels, tables, strict=True):
            assert set(moved) == set(panel.moving)
            for name, rows in moved.items():
                columns = panel.drawn()[name]
                if name == "frame":  # sentences are Python's
                    columns = {key: text for key, text in columns.items() if key != "alt"}
                    rows = [{key: row[key] for key in row if key != "alt"} for row in rows]
                sizes = {key: max(map(abs, column)) for key, column in columns.items()
                         if column.dtype.kind in "if"}  # fmt: skip
                assert_same_table(rows, columns, lambda key, sizes=sizes: max(sizes[key], 1.0))


def ready(visit, query="", **how):
    here = visit(f"cause?samples=1000&epochs=2{query}", **how)
    here.page.wait_for_function(
        "document.querySelectorAll('svg.marks').length == 6", timeout=60_000
    )
    here.page.get_by_role("group", name="Weights").wait_for()
    here.settled()
    return here


def said(here):
    return here.page.inner_text(".live-fade-results")


def test_dragging_moves_the_figures_at_once_and_ends_in_the_address(visit):
    here = ready(visit)
    page = here.page
    slider = page.get_by_role("slider", name="Wrong pairs faded in")
    expect(slider).to_have_attribute("aria-valuetext", f"100 %: {said(here).splitlines()[-1]}")
    before = page.locator("svg.marks").nth(1).inner_html()
    box = slider.bounding_box()
    address = here.address
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.evaluate(
        "() => { const send = WebSocket.prototype.send; window.messages = 0;"
        " WebSocket.prototype.send = function (...sent)"
        " { window.messages++; return send.apply(this, sent); }; }"
    )
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=10)
    page.wait_for_function(
        "before => document.querySelectorAll('svg.marks')[1].innerHTML != before", arg=before
    )
    messages = page.evaluate("window.messages")
    assert "0.5 * criterion(pred_y.squeeze(-1), batch_y) + 0.5 * criterion(pred_y" in said(here)
    assert (messages, here.address) == (0, address), "the server is not asked meanwhile"
    page.mouse.up()
    page.wait_for_function("location.search.includes('alpha=0.5')")
    page.get_by_text("of the wrong pairs faded in, the minimum is at").wait_for()
    sentence = page.get_by_text("of the wrong pairs faded in, the minimum is at").inner_text()
    assert said(here).split("minimum ")[1].split(", minimum")[0] in sentence
    page.go_back()
    page.wait_for_function("!location.search.includes('alpha')")
    expect(slider).to_have_js_property("value", "1")
    assert said(here).splitlines()[0] == "loss = criterion(pred_y, batch_y)"


def test_the_keyboard_moves_every_slider_and_exports_show_it(visit):
    """On a phone, where no figure is cut off in the end."""
    here = ready(visit, "&rows=12&alpha=0.5", width=390, height=844)
    page = here.page
    rows = page.get_by_role("slider", name="Rows per batch")
    rows.focus()
    page.keyboard.press("Home")
    expect(rows).to_have_attribute("aria-valuetext", re.compile("^1 row: "))
    expect(rows).to_have_attribute("aria-valuetext", f"1 row: {said(here).splitlines()[-1]}")
    page.wait_for_function("location.search.includes('batch_rows=1')")
    weight = page.get_by_role("slider", name="Weight 2")
    weight.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.search.includes('w2=3.05')")
    page.get_by_text(", 3.05) the loss over all pairs is").wait_for()
    page.get_by_role("button", name="Go to the buggy minimum").click()
    page.wait_for_function("/w1=[45]/.test(location.search)")  # one row per batch: no broadcast
    page.get_by_role("button", name="Go to the correct solution").click()
    page.wait_for_function("!/w[12]=/.test(location.search)")
    page.get_by_role("slider", name="Wrong pairs faded in").press("End")
    page.wait_for_function("!location.search.includes('alpha')")
    nothing_is_cut_off(drawn(here, 6))
    assert shut_out(here) == []
    assert beside_the_window(here) == 0
    assert beside_the_window(here, ZOOMED) == 0


def test_play_fades_them_in(visit):
    here = ready(visit, "&alpha=0")
    page = here.page
    assert said(here).splitlines()[0] == "loss = criterion(pred_y.squeeze(-1), batch_y)"
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(
        "document.querySelector('.live-fade-results').innerText.includes(' * criterion')"
    )
    page.wait_for_function("!location.search.includes('alpha')")
    assert said(here).splitlines()[0] == "loss = criterion(pred_y, batch_y)"
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Play").click()
    assert page.get_by_role("slider", name="Wrong pairs faded in").input_value() in ("0", "1")
    page.wait_for_function("location.search.includes('alpha=0')")
    page.emulate_media(reduced_motion="no-preference")
