"""How long a changed control takes until the last new figure is drawn, in Chromium, warm: `make bench-pages`.

Each action is done once to warm what can be kept, and back; then the same changes are timed with values that were not seen
before. A change ends with the last change inside a figure, after which nothing happens for half a second.
"""

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from test_browser import ARGUMENTS, CHROMIUM, Server

WATCH = """() => {
  window.changed = 0;
  const figure = node => node.nodeType == 1 && (node.closest('svg.marks') || node.querySelector('svg.marks'));
  const seen = record => figure(record.target) || [...record.addedNodes].some(figure);
  new MutationObserver(records => { if (records.some(seen)) window.changed = performance.now(); }).observe(
    document.querySelector('[data-testid=stMainBlockContainer]'),
    {subtree: true, childList: true, attributes: true, characterData: true});
}"""


def number(label, *values):
    """Type each value into a field."""
    return [(f"{label} = {value}", lambda page, value=value: typed(page, label, value)) for value in values]


def typed(page, label, value):
    field = page.get_by_label(label, exact=True).first
    field.fill(str(value))
    return lambda: field.press("Enter")


def pressed(label, key, times):
    """Press a key on a slider or a switch."""
    return [(f"{label}: {key}", lambda page: lambda: page.get_by_label(label, exact=True).first.press(key))] * times


def chosen(label, *options):
    return [(f"{label} = {option}", lambda page, option=option: opened(page, label, option)) for option in options]


def opened(page, label, option):
    page.get_by_label(label, exact=True).first.click()
    found = page.get_by_role("option", name=option, exact=True)
    found.wait_for()
    return found.click


def clicked(name, times=1):
    return [(name, lambda page: lambda: page.get_by_text(name, exact=True).first.click())] * times


PAGES = {
    "surface": [
        *clicked("single batches"),
        *number("Batch, 0 to 99", 3, 4, 5),
        *clicked("curvature"),
        *pressed("Correlation of the features", "ArrowLeft", 4),
        *clicked("paths"),
        *number("Starts in a ring", 5, 4, 7, 3),
        *number("Radius of the ring", 3, 6, 2.5),
        *number("Seed", 1, 2, 3),
        *number("Batch size", 50, 200, 80, 40),
        *pressed("Correlation of the features", "ArrowRight", 6),
        *clicked("one for all"),
        *number("Learning rate", 0.02, 0.03),
        *clicked("original"),
        *clicked("both"),
        *pressed("Replay: step", "ArrowLeft", 5),
    ],
    "claims": [*number("Seeds of data and init", 199, 150, 198, 120, 200, 180)],
    "sweep": [
        *chosen("Colour", "R², median over the inits", "final loss, median over the inits"),
        *chosen("Colour", "steps to converge, median over those that do", "share of the inits that converge"),
        *number("Seed", 1, 2, 3),
        *number("Noise", 2, 3),
        *number("Correlation", 0.1, 0.2),
    ],
}


def settled(page, quiet=500):
    page.wait_for_function(
        f"() => performance.now() - window.changed > {quiet} && !document.querySelector('[data-testid=stStatusWidget]')",
        timeout=120_000,
    )


def timed(page, prepare):
    act = prepare(page)
    settled(page)
    started = page.evaluate("performance.now()")
    act()
    page.wait_for_timeout(150)
    settled(page)
    return page.evaluate("window.changed") - started


def p95(values):
    return sorted(values)[max(-(-95 * len(values) // 100) - 1, 0)]


if __name__ == "__main__":
    from playwright.sync_api import sync_playwright

    server = Server()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        print("| page | changes | median | p95 |\n|---|---|---|---|")
        for name, actions in PAGES.items():
            if len(sys.argv) > 1 and name not in sys.argv[1:]:
                continue
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(f"{server.url}/{name}")
            page.locator("svg.marks").first.wait_for(timeout=180_000)
            page.evaluate(WATCH)
            sidebar = page.get_by_test_id("stSidebar").get_by_text("Data", exact=True)
            if sidebar.count():
                sidebar.click()
            page.wait_for_timeout(20_000 if name == "surface" else 3_000)  # the kernels compile in the background
            settled(page)
            times = [(timed(page, prepare), label) for label, prepare in actions]
            values = [value for value, _ in times]
            print(f"| {name} | {len(values)} | {statistics.median(values):.0f} ms | {p95(values):.0f} ms |", flush=True)
            print("  slowest: " + ", ".join(f"{label} {value:.0f} ms" for value, label in sorted(times)[::-1][:5]))
            page.close()
        browser.close()
    server.stop()
