"""Starts on the surface page: dragged, added, removed, and trained in the browser meanwhile."""

import re

import pytest
from live_tables import LIVE
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# Adam settles, SGD diverges
QUERY = "samples=1000&ring=3&rates=own&lrs=0.05,0.001&optimizers=Adam,SGD"
IN_ORDER = (
    "[...stage.views].sort((a, b) => a.element.compareDocumentPosition(b.element) & 2 ? 1 : -1)"
)
PATHS = f"""which => {{
    const stage = window.live.stageOf('surface');
    const view = {IN_ORDER}.filter(({{figure}}) => 'path' in figure.moving)[which];
    return JSON.stringify(view.view.data('path').map(row => [row[0], row[1]]));
}}"""

TABLES = f"""() => {{
    const stage = window.live.stageOf('surface');
    const runs = stage.training.trainAll();
    return {IN_ORDER}.map(({{figure}}) => {{
        const names = Object.keys(figure.retrained);
        if (names.includes('trail')) names.push('now');
        const sent = Object.fromEntries(names.map(name => [name, figure.rows(name)]));
        figure.retrain(runs);
        const rows = figure.rowsAt(stage.last, runs);
        return [Object.fromEntries(names.map(name => [name, rows[name]])), sent];
    }});
}}"""


def opened(visit, query):
    here = visit(f"surface?{query}", height=1_400)
    agreement(here)
    here.settled()
    here.page.evaluate(f"async () => {{ {LIVE} window.live = await import(address); }}")
    return here


def agreement(here):
    """How far the server's runs are from the browser's, once it says so."""
    says = here.page.get_by_role("status").filter(has_text="The server agrees with this browser")
    says.wait_for(timeout=60_000)
    return says.inner_text().rsplit(" weight ", 1)[1]


def query_of(here):
    return here.page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")


def handles(here):
    return here.page.get_by_role("button", name="Starting point")


def center(handle):
    box = handle.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def starts_of(here):
    return query_of(here).get("starts", "").split(",")


def test_a_drag_moves_the_paths_of_both_panels_before_release_and_back_undoes_it(visit):
    here = opened(visit, QUERY)
    assert handles(here).count() == 6, "three on each panel"
    before, address = [here.page.evaluate(PATHS, which) for which in (0, 1)], here.address
    x, y = center(handles(here).first)
    here.page.mouse.move(x, y)
    here.page.mouse.down()
    for k in range(1, 6):
        here.page.mouse.move(x - 15 * k, y + 6 * k)
    here.page.get_by_role("status").filter(has_text="Trained in this browser").wait_for()
    here.page.wait_for_function(
        f"([before, which]) => ({PATHS})(which) !== before", arg=[before[1], 1]
    )
    assert here.page.evaluate(PATHS, 0) != before[0]
    assert here.address == address, "nothing is said before it is let go"
    here.page.mouse.up()
    here.page.wait_for_function("location.search.includes('starts=')")
    assert len(starts_of(here)) == 6, "the ring has become three starts"
    difference = agreement(here)
    here.settled()
    assert_same_as_sent(here)
    assert re.fullmatch(r"\d(\.\d)? × 10⁻(⁹|¹[⁰-⁹¹²³])|none", difference), difference
    here.page.go_back()
    here.page.wait_for_function("!location.search.includes('starts=')")
    here.page.wait_for_function(
        f"([before, which]) => ({PATHS})(which) === before", arg=[before[1], 1], timeout=30_000
    )


def assert_same_as_sent(here):
    """What the browser makes of its own training of these starts is what Python sends."""
    tables = here.page.evaluate(TABLES)
    assert [len(computed) for computed, _ in tables] == [3, 3, 1, 1]
    compared = 0
    for computed, sent in tables:
        for name, rows in computed.items():
            assert len(rows) == len(sent[name]), name
            compared += len(rows)
            for row, expected in zip(rows, sent[name], strict=True):
                words = {key: value for key, value in expected.items() if isinstance(value, str)}
                assert {key: row[key] for key in words} == words
                numbers = [key for key in expected if key not in words]
                found = [row[key] for key in numbers]
                assert found == pytest.approx([expected[key] for key in numbers], 1e-6, 1e-6), name
    assert compared > 500


def test_a_click_adds_a_start_and_a_second_one_removes_it(visit):
    here = opened(visit, "samples=1000&ring=0&starts=1,2,7,5&optimizers=Adam")
    plot = here.page.locator("svg.marks").first.bounding_box()
    here.page.mouse.click(plot["x"] + 0.6 * plot["width"], plot["y"] + 0.7 * plot["height"])
    here.page.wait_for_function("location.search.split('%2C').length == 6")
    agreement(here)
    here.settled()
    expect(handles(here)).to_have_count(6)
    added = starts_of(here)[4:]
    here.page.mouse.click(*center(handles(here).nth(2)))
    here.page.wait_for_function("location.search.split('%2C').length == 4")
    assert starts_of(here) == ["1", "2", "7", "5"]
    assert added != ["7", "5"]
    agreement(here)
    here.settled()
    handles(here).first.press("Delete")
    here.page.wait_for_function("location.search.split('%2C').length == 2")
    assert starts_of(here) == ["7", "5"]
    agreement(here)
    here.settled()
    handles(here).first.press("Backspace")
    expect(here.page.get_by_role("alert").filter(has_text="The last start stays")).to_be_visible()
    assert starts_of(here) == ["7", "5"]


def test_the_thirteenth_start_is_refused_at_its_place(visit):
    twelve = ",".join(f"{k},{k % 5}" for k in range(12))
    here = opened(visit, f"samples=1000&ring=0&starts={twelve}&optimizers=SGD&sides=fixed")
    plot = here.page.locator("svg.marks").first.bounding_box()
    x, y = plot["x"] + 0.5 * plot["width"], plot["y"] + 0.85 * plot["height"]
    here.page.mouse.click(x, y)
    note = here.page.get_by_role("alert").filter(has_text="12 starts are the most")
    box = note.bounding_box()
    assert abs(box["y"] + box["height"] - y) < 60
    assert len(starts_of(here)) == 24
