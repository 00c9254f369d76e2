"""Chromium and the app's server, once for every process of the tests, and what a visitor does with
them.

Without Chromium the tests that use them skip; with REQUIRE_BROWSER=1 they fail instead.
"""

import os
import re
import shutil
from contextlib import contextmanager
from functools import partial

import pytest
from served import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-prefers-reduced-motion",
]  # fmt: skip
POLLING = 50  # milliseconds; Playwright's own choice, every frame, has the page draw all of them


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import expect, sync_playwright  # which most tests do without

    if not CHROMIUM and not os.environ.get("REQUIRE_BROWSER"):
        pytest.skip("no Chromium on the PATH; the browser tests were skipped")
    assert CHROMIUM, "REQUIRE_BROWSER is set, but there is no Chromium on the PATH"
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def server():
    running = Server()
    yield running
    running.stop()


IDLE = []  # pages: one that has shown the app has read and compiled what it consists of
QUIET = 0.3  # seconds without a change; Streamlit sends a slider's value after 0.2 s
# When the page last asked its server for something, was answered, and changed. A page that is left
# may never be answered, so each one starts anew.
WATCH = """
window.seen = {asked: 0, answered: 1, changed: 1};
window.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    this.addEventListener('message', () => { seen.answered = performance.now(); });
  }
  send(message) {
    seen.asked = performance.now();
    if (seen.unsent) seen.unsent.push(() => super.send(message));
    else super.send(message);
  }
};
new MutationObserver(() => { seen.changed = performance.now(); }).observe(
  document, {subtree: true, childList: true, attributes: true, characterData: true});
"""
SETTLED = """quiet => {
  const app = document.querySelector('[data-testid=stApp]');
  return app && app.dataset.testScriptState == 'notRunning' && seen.answered > seen.asked
    && performance.now() - Math.max(seen.answered, seen.changed) > 1000 * quiet;
}"""
# Figures follow their boxes while a frame is drawn, which on a busy machine may be late.
STILL = f"""quiet => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
  () => setTimeout(() => done(({SETTLED})(quiet))))))"""


def watched(page):
    page.add_init_script(WATCH)
    page.wait_for_function = partial(page.wait_for_function, polling=POLLING)
    return page


class Visit:
    """A visitor with a window of their own; collects what the page asks for and complains of."""

    def __init__(self, browser, server, query="", width=1400, height=1000, scheme="light"):
        server.visited = True
        self.page = IDLE.pop() if IDLE else watched(browser.new_page())
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=scheme)
        self.elsewhere, self.complaints = [], []
        self.listeners = {
            "request": lambda request: self._asked(request.url, server.port),
            "console": lambda message: message.type == "error" and self._complained(message),
            "pageerror": lambda error: self.complaints.append(str(error)),
        }
        for event, listener in self.listeners.items():
            self.page.on(event, listener)
        self.page.goto(server.url + "/" + query)

    def ended(self):
        """Nothing was asked of anybody else and nothing complained of; the page is free for the
        next visit."""
        assert not self.elsewhere, "a request left the server's own address"
        assert not self.complaints
        for event, listener in self.listeners.items():
            self.page.remove_listener(event, listener)
        self.page.goto("about:blank")
        IDLE.append(self.page)

    def _asked(self, url, port):
        if not re.match(rf"(https?|wss?)://127\.0\.0\.1:{port}/|data:|blob:", url):
            self.elsewhere.append(url)

    def _complained(self, message):
        if (
            "/_stcore/" not in message.location["url"]
        ):  # Streamlit looks for its server beside a page first
            self.complaints.append(message.text)

    def until_trained(self):
        self.page.get_by_text("R² of least squares").wait_for(timeout=120_000)
        self.page.wait_for_function("document.querySelectorAll('svg.marks').length == 5")
        self.settled()
        return self

    @contextmanager
    def unheard(self):
        """Within, the server hears nothing, as if it were busy; what was asked is sent after it."""
        self.page.evaluate("seen.unsent = []")
        yield
        self.page.evaluate("for (const send of seen.unsent) send(); seen.unsent = undefined;")

    def settled(self):
        """Wait until the script has run, its server has answered, and the page has stood still."""
        self.page.evaluate("seen.changed = performance.now()")
        while True:
            self.page.wait_for_function(SETTLED, arg=QUIET, timeout=60_000)
            if self.page.evaluate(STILL, QUIET):
                return

    @property
    def address(self):
        return self.page.evaluate("location.search")

    def texts(self):
        return self.page.evaluate(
            "[...document.querySelectorAll('svg.marks text')].map(t => t.textContent)"
        )

    def field(self, label):
        return self.page.get_by_label(label, exact=True).first


@pytest.fixture
def visit(browser, server):
    visits = []

    def begin(query="", **how):
        visits.append(Visit(browser, how.pop("server", server), query, **how))
        return visits[-1]

    yield begin
    for one in visits:
        one.ended()
