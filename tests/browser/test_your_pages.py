"""Your data and Your code in Chromium: a file is uploaded and its R² changes, bad files are
refused, every width."""

import re

import numpy as np
import pytest
from accessible import PHONE, ZOOMED, beside_the_window, shut_out
from drawn import drawn, menu, nothing_is_cut_off
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def csv(rows=240):
    """Three numbers and a word a row; `level` follows from `a` and `b` and hardly from `c`."""
    generator = np.random.default_rng(0)
    a, b, c = generator.normal(size=(3, rows))
    level = 2 * a - b + 0.3 * generator.normal(size=rows)
    lines = [
        f"{p:.4f},{q:.4f},{r:.4f},x{k},{s:.4f}"
        for k, (p, q, r, s) in enumerate(zip(a, b, c, level, strict=True))
    ]
    lines[10] = "0.1,,0.2,x10,0.3"
    X, kept = np.column_stack([a, b, c, np.ones(rows)]), np.arange(rows) != 10

    def worth(*columns):
        rest = (
            level[kept]
            - X[kept][:, columns] @ np.linalg.lstsq(X[kept][:, columns], level[kept], rcond=None)[0]
        )
        return 1 - rest.var() / level[kept].var()

    return "\n".join(["a,b,c,word,level", *lines]).encode(), worth(0, 1, 3)


def given(here, name, content):
    field = here.page.locator("input[type=file]")
    if not field.count():
        here.page.get_by_role("button", name="Upload a file").click()
    field.set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


def said_of_the_fixed(here):
    text = here.page.get_by_text(re.compile("the loss has its minimum where R² is")).first
    text.wait_for(timeout=60_000)
    return float(re.search(r"instead of (−?[\d.]+)", text.inner_text())[1].replace("−", "-"))


def test_an_upload_is_chosen_from_and_its_r_squared_changes(visit):
    content, worth = csv()
    here = visit("your_data?epochs=3").until_trained()
    assert said_of_the_fixed(here) == pytest.approx(0.706, abs=1e-3), (
        "it opens on the bundled table"
    )
    assert shut_out(here) == []
    given(here, "mine <b>.csv", content)
    here.page.get_by_text("239 of 240 rows are used.").wait_for(timeout=60_000)
    here.until_trained()
    assert said_of_the_fixed(here) == pytest.approx(worth, abs=2e-3)
    here.field("Feature 2").click()
    here.page.get_by_role("option", name="c", exact=True).click()
    here.page.wait_for_function("location.search.includes('feature2=c')")
    here.page.wait_for_function(
        "() => document.body.innerText.includes('240 of 240 rows are used.')"
    )  # b has the gap
    here.until_trained()
    assert said_of_the_fixed(here) < worth - 0.1
    given(here, "broken.csv", b"a,b,c\n1,2,3\n4,5,6,7\n8,9,10\n")
    here.page.get_by_text("Nothing else has changed").wait_for(timeout=60_000)
    assert "240 of 240 rows are used." in here.page.inner_text("body")
    here.page.keyboard.press("Escape")  # shuts the popover
    here.page.get_by_text("Apply to all pages").click()
    here.settled()
    menu(here, "Original vs fixed")
    here.page.wait_for_function(
        "location.pathname == '/' && location.search.includes('feature2=c')"
    )
    here.until_trained()
    here.page.go_back()
    here.page.get_by_text("240 of 240 rows are used.").wait_for(timeout=60_000)
    here.settled()
    assert beside_the_window(here, ZOOMED) == 0
    assert beside_the_window(here, PHONE) == 0


WARNING = (
    "UserWarning: Using a target size (torch.Size([64])) that is different to the input size"
    " (torch.Size([64, 1])). This will likely lead to incorrect results due to broadcasting."
)
HOVERED = """() => {
  const shown = document.querySelector('#vg-tooltip-element.visible');
  return shown && shown.innerText;
}"""


def test_shapes_are_pasted_typed_and_answered(visit):
    here = drawn(visit("your_code", width=390, scheme="dark"), 1)
    nothing_is_cut_off(here)
    assert shut_out(here) == []
    assert beside_the_window(here) == 0
    box = here.page.get_by_label("Paste a warning, an error, or two shapes")
    box.fill("my loss does not go down")
    here.page.get_by_role("button", name="Check my shapes").click()
    refusal = here.page.get_by_text("No shapes are found in “my loss does not go down”")
    refusal.wait_for(timeout=30_000)
    assert box.input_value() == "my loss does not go down"
    below = refusal.bounding_box()["y"] - box.bounding_box()["y"]
    assert 0 < below < 250, "at the field"
    box.fill(WARNING)
    here.page.get_by_role("button", name="Check my shapes").click()
    here.page.get_by_text("Each prediction is compared with 64 targets").wait_for(timeout=30_000)
    assert not refusal.is_visible()
    field = here.field("Shape of the target")
    field.fill("(64, 1)")
    field.press("Enter")
    here.page.get_by_text("each prediction is compared with its own target").wait_for(
        timeout=30_000
    )
    expect(box, "the shapes are not those of the warning any more").to_have_value("")
    here.page.go_back()
    here.page.get_by_text("Each prediction is compared with 64 targets").wait_for(timeout=30_000)
    here.page.go_back()
    here.page.get_by_text("Each prediction is compared with 100 targets").wait_for(timeout=30_000)
    assert beside_the_window(here, ZOOMED) == 0


def test_a_cell_says_what_it_is_and_nothing_else_does(visit):
    """Also where the columns stand below each other, beside an open menu."""
    here = drawn(visit("your_code?prediction=4,1&truth=4", width=900), 1)
    assert here.page.get_by_test_id("stSidebar").is_visible()
    nothing_is_cut_off(here)
    chart = here.page.locator("svg.marks")
    assert chart.bounding_box()["width"] > 400, "the whole width of what the menu leaves"
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    said = set()
    for row in range(8):
        for column in range(8):
            here.page.mouse.move(
                box["x"] + (column + 0.5) * box["width"] / 8,
                box["y"] + (row + 0.5) * box["height"] / 8,
            )
            here.page.wait_for_timeout(30)
            said.add(here.page.evaluate(HOVERED))
    said.discard(None)
    assert said
    assert all(
        re.fullmatch(
            r"prediction \[\d, 0\], target \[\d\]: (its own|another's) target", text.strip()
        )
        for text in said
    )
