"""How long a changed control takes until the last new figure is drawn, in Chromium, warm: `make
bench-pages [PAGES=…]`.

Actions are timed on values that were not seen before, from the key or the click to the last change
inside a figure after which nothing happens for half a second; the first on each page is not, since
a browser is slow with what it runs for the first time. Three parts are told apart: until the
browser has sent the change (Streamlit itself waits 200 ms for a slider to come to rest), until it
has read the server's last message, and what it draws after it. The page watches itself: to be told
of each message from outside would cost the two cores a tenth of what they do."""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from browsing import ARGUMENTS, CHROMIUM
from served import Server

WATCH = """
  window.changed = window.acted = window.sent = window.read = window.bytes = 0;
  for (const kind of ['keydown', 'click'])
    addEventListener(kind, () => window.acted = performance.now(), true);
  window.WebSocket = class extends WebSocket {
    constructor(...how) {
      super(...how);
      this.addEventListener('message', event => {
        window.read = performance.now();
        window.bytes += event.data.byteLength ?? event.data.size ?? event.data.length;
      });
    }
    send(data) { window.sent = performance.now(); super.send(data); }
  };
  const figure = node => node.nodeType == 1 &&
    (node.closest('svg.marks') || node.querySelector('svg.marks'));
  const seen = record => figure(record.target) || [...record.addedNodes].some(figure);
  new MutationObserver(records => {
    if (records.some(seen)) window.changed = performance.now();
  }).observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
"""
SETTLED = """async ([after, quiet, most]) => {
  const working = () => document.querySelector('[data-testid=stStatusWidget]');
  const over = performance.now() + most;
  while (!(window.changed > after && performance.now() - window.changed > quiet && !working())) {
    if (performance.now() > over) throw new Error(`not at rest within ${most} ms`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}"""


def number(label, *values):
    """Type each value into a field."""
    return [
        (f"{label} = {value}", lambda page, value=value: typed(page, label, value))
        for value in values
    ]


def typed(page, label, value):
    field = page.get_by_label(label, exact=True).first
    if not field.is_visible():
        page.get_by_test_id("stSidebar").get_by_text("Data", exact=True).click()
    field.fill(str(value))
    return lambda: field.press("Enter")


def pressed(label, key, times):
    """Press a key on a slider."""
    return [
        (
            f"{label}: {key}",
            lambda page: (
                lambda: page.get_by_label(label, exact=True).get_by_role("slider").press(key)
            ),
        )
    ] * times


def chosen(label, *options):
    return [
        (f"{label} = {option}", lambda page, option=option: opened(page, label, option))
        for option in options
    ]


def opened(page, label, option):
    page.get_by_label(label, exact=True).first.click()
    found = page.get_by_role("option", name=option, exact=True)
    found.wait_for()
    return found.click


def clicked(name, times=1):
    return [(name, lambda page: lambda: page.get_by_text(name, exact=True).first.click())] * times


# the time to run the default one is another figure
SWEEP = "samples=2000&columns=12&rows=6&inits=5&steps=300"
PAGES = {
    "surface": [
        *clicked("single batches"),
        *number("Batch, 0 to 99", 3, 4, 5),
        *clicked("curvature"),
        *pressed("Correlation of the features", "ArrowLeft", 4),
        *clicked("paths"),
        *number("Starts in a ring", 5, 4, 7, 3),
        *number("Radius of the ring", 3, 6, 2.5),
        *number("Data seed", 1, 2, 3),
        *number("Batch size", 50, 200, 80, 40),
        *pressed("Correlation of the features", "ArrowRight", 6),
        *clicked("one for all"),
        *number("Learning rate", 0.02, 0.03),
        *clicked("original"),
        *clicked("both"),
        *pressed("Replay: step", "ArrowLeft", 5),
    ],
    "claims": number("Random data sets (seeds)", *range(199, 99, -5)),
    f"sweep?{SWEEP}": [
        *chosen("Colour shows", "R², median of the runs", "final loss, median of the runs"),
        *chosen(
            "Colour shows",
            "steps to converge, median of the runs that do",
            "share of runs that converge",
        ),
        *number("Seed", 1, 2, 3, 4),
        *number("Noise", 2, 3, 4, 5),
        *number("Correlation", 0.1, 0.2, 0.3, 0.4),
        *number("Epochs", 20, 10),
        *number("Batch size", 50, 20),
    ],
}


class Watched:
    """A page, and what its figures and its server do."""

    def __init__(self, browser, address):
        self.page = browser.new_page(viewport={"width": 1400, "height": 1000})
        self.page.add_init_script(WATCH)
        self.page.goto(address)
        self.page.locator("svg.marks").first.wait_for(timeout=180_000)

    def settled(self, after=-1, quiet=500, most=120_000):
        self.page.evaluate(SETTLED, [after, quiet, most])

    def timed(self, prepare):
        """Milliseconds: all, until the change is sent, until the server's last message is read,
        after it; bytes received."""
        act = prepare(self.page)
        self.settled()
        before = self.page.evaluate("window.bytes = 0, window.changed")
        act()
        self.settled(before, most=20_000)
        changed, acted, sent, read, size = self.page.evaluate("[changed, acted, sent, read, bytes]")
        return (
            changed - acted,
            sent - acted,
            min(read, changed) - sent,
            max(changed - read, 0),
            size,
        )


def p95(values):
    return sorted(values)[max(-(-95 * len(values) // 100) - 1, 0)]


if __name__ == "__main__":
    from playwright.sync_api import Error, sync_playwright

    asked = [word for word in sys.argv[1:] if not word.startswith("-")]
    server = Server()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        began = time.perf_counter()
        sum(k * k for k in range(10_000_000))
        print(
            "The machine, to compare with others: Python adds up 10⁷ squares in"
            f" {time.perf_counter() - began:.2f} s.\n"
        )
        print(
            "| page | changes | median | p95 | sent | server | then the browser | kB"
            " |\n|---|---|---|---|---|---|---|---|"
        )
        for address, actions in PAGES.items():
            name = address.partition("?")[0]
            if asked and name not in asked:
                continue
            watched = Watched(browser, f"{server.url}/{address}")
            watched.page.wait_for_timeout(
                20_000 if name == "surface" else 3_000
            )  # the kernels compile in the background
            watched.timed(actions[0][1])
            times = []
            for label, prepare in actions[1:]:
                try:
                    times.append((*watched.timed(prepare), label))
                except Error as error:
                    print(f"  {label}: nothing changed ({str(error).splitlines()[0]})")
            total = [time[0] for time in times]
            parts = [
                f"{statistics.median(part):.0f} ms" for part in list(zip(*times, strict=True))[1:4]
            ]
            size = statistics.median(time[4] for time in times) / 1e3
            print(
                f"| {name} | {len(total)} | {statistics.median(total):.0f} ms | {p95(total):.0f} ms"
                " |"
                f" {' | '.join(parts)} | {size:.0f} |",
                flush=True,
            )
            for all_of_it, *parts, _, label in sorted(times)[
                : -6 if "-v" not in sys.argv else None : -1
            ]:
                print(
                    f"    {all_of_it:5.0f} ms = {' + '.join(f'{part:.0f}' for part in parts)} "
                    f" {label}"
                )
            watched.page.close()
        browser.close()
    server.stop()
