"""What figures say under the pointer, in Chromium: words and formatted numbers, or nothing."""

import re

SAID = """() => [...document.querySelectorAll(
    '.live-tooltip:not([hidden]), #vg-tooltip-element.visible')].map(e => e.innerText)"""
COLUMNS = {
    *("alt", "geometry", "level", "levels", "piece", "order", "kind", "label", "side", "value"),
    *("x", "x2", "y", "y2", "dy", "at", "at_x", "at_y", "column", "row", "size", "text", "title"),
    *("true", "false", "null", "optimizer", "arm", "angle"),
}
PLACES = [(x, y) for x in (0.02, 0.2, 0.5, 0.65, 0.95) for y in (0.04, 0.2, 0.5, 0.8)]


def hovered(here):
    """What each figure of the page says at a grid of places."""
    found = []
    figures = here.page.locator("svg.marks")
    for k in range(figures.count()):
        figures.nth(k).scroll_into_view_if_needed()
        box, said = figures.nth(k).bounding_box(), []
        for x, y in PLACES:
            here.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            said += here.page.evaluate(SAID)
        here.page.mouse.move(0, 0)
        found.append(said)
    return found


def is_in_words(text):
    lines = {line.strip() for line in re.split(r"[\n\t]", text)}
    numbers = [number.lstrip("0.").replace(".", "") for number in re.findall(r"\d[\d.]*", text)]
    is_short = all(len(number) <= 6 for number in numbers)
    return not lines & COLUMNS and not re.search(r"\[object|NaN|undefined", text) and is_short
