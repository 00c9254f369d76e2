"""From a cold `streamlit run` to the home page's figures in Chromium: `make bench-start`.

A round starts a server; Chromium, which is open already, visits it as soon as it answers, and
another Chromium once the server has rested. Kernels and modules are compiled before. Seconds are
from the start of the server, those of the second visitor from its navigation."""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from browsing import ARGUMENTS, CHROMIUM
from playwright.sync_api import sync_playwright
from served import Server

ROUNDS = 3
REST_SECONDS = 8
WATCH = """
  window.drawn = {first: 0, last: 0};
  const figure = node => node.nodeType == 1 &&
    (node.closest('svg.marks') || node.querySelector('svg.marks'));
  new MutationObserver(records => {
    if (records.some(record => figure(record.target) || [...record.addedNodes].some(figure))) {
      drawn.last = performance.now();
      drawn.first ||= drawn.last;
    }
  }).observe(document, {subtree: true, childList: true, attributes: true});
"""
FINISHED = """() => document.querySelectorAll('svg.marks').length >= 5
  && performance.now() - drawn.last > 700 && document.body.innerText.includes('R² of least squares')
"""


def measure(browser, url, began):
    """Seconds from `began` until the first figure is drawn, and until the last change of one."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.add_init_script(WATCH)
    page.goto(url)
    page.wait_for_function(FINISHED, timeout=120_000)
    origin = page.evaluate("performance.timeOrigin") / 1e3
    return [origin + page.evaluate(f"drawn.{name}") / 1e3 - began for name in ("first", "last")]


def main():
    began = time.perf_counter()
    sum(k * k for k in range(10_000_000))
    print(f"Python adds up 10⁷ squares in {time.perf_counter() - began:.2f} s.\n")
    found = {"cold server": [], "second visitor": []}
    with sync_playwright() as playwright:
        for _ in range(ROUNDS):
            first, second = (
                playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
                for _ in range(2)
            )
            began = time.time()
            server = Server()
            found["cold server"].append(measure(first, server.url, began))
            first.close()
            time.sleep(REST_SECONDS)
            found["second visitor"].append(measure(second, server.url, time.time()))
            second.close()
            server.stop()
    print("| | first figure | all figures |\n|---|---|---|")
    for name, rounds in found.items():
        medians = [statistics.median(times) for times in zip(*rounds, strict=True)]
        print(f"| {name} | {' | '.join(f'{seconds:.1f} s' for seconds in medians)} |")


if __name__ == "__main__":
    main()
