"""The live figures in Chromium: `make bench-live [SCENES="replay drag"]`.

For each scene, at two widths of the window and for a short and a long run: frames a second, the
median and the 95th percentile of a frame's scripts, what else the browser does in a frame, messages
to the server meanwhile, and the time of the server's processors. And the bytes of a visit.

A frame's scripts are those that Chromium's own trace names between two calls of
`requestAnimationFrame`; the trace itself takes a tenth of the time. `-v` says which functions they
are, by V8's profiler, which takes more."""

import asyncio
import json
import statistics
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from browsing import ARGUMENTS, CHROMIUM
from served import Server

SIZES = {1400: 1000, 390: 844}
# 3,000 steps, and 300,000: as many as the page trains at all, quickly since it trains in part
RUNS = {"3,000 steps": "", "300,000 steps": "epochs=3000"}
MOTION = [word for word in ARGUMENTS if word != "--force-prefers-reduced-motion"]
SCRIPTS = ("FireAnimationFrame", "FunctionCall", "RunMicrotasks", "EventDispatch", "TimerFire")
OTHERS = ("UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit")
BEGIN = ("AnimationFrame", "b")  # name and phase of the event that begins a frame
CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "v8", "toplevel"]
TRAINED = (
    "document.querySelectorAll('svg.marks').length >= 4 && !document.querySelector("
    "'[data-testid=stProgress]')"
)


# ---- scenes: what a visitor does for so many seconds ---------------------------------------------


def replay(page, seconds):
    """The whole replay at its own pace."""
    page.get_by_role("slider", name="Replay: step", exact=True).press("Home")
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(1000 * seconds)


def drag(page, seconds):
    """A starting point under the mouse, which moves with every frame."""
    handle = page.get_by_role("button", name="Starting point").first
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    handle.evaluate(
        EVERY_FRAME
        % """this.dispatchEvent(new PointerEvent('pointermove', {
            bubbles: true, pointerId: 1, pointerType: 'mouse', buttons: 1,
            clientX: x + 40 * (k / 60 % 1) - 20, clientY: y - 20 * (k / 37 % 1) + 10}))""",
        [x, y, seconds],
    )
    page.keyboard.press("Escape")  # nothing is trained by PyTorch
    page.mouse.up()


def alpha(page, seconds):
    """The wrong pairs faded in and out, a step in every frame."""
    slider = page.get_by_role("slider", name="Wrong pairs faded in")
    slider.scroll_into_view_if_needed()
    slider.evaluate(
        EVERY_FRAME
        % """{
            const share = Math.abs(k / 50 % 2 - 1);
            this.value = Number(this.min) + share * (this.max - this.min);
            this.dispatchEvent(new Event('input', {bubbles: true}));
        }""",
        [0, 0, seconds],
    )


# Playwright's own mouse and keys wait for an answer each, so they move less often than a screen
EVERY_FRAME = """function (element, [x, y, seconds]) {
    return new Promise((resolve) => {
        const until = performance.now() + 1000 * seconds;
        let k = 0;
        const move = (now) => {
            k++;
            (function () { %s }).call(element);
            if (now < until) requestAnimationFrame(move);
            else resolve();
        };
        requestAnimationFrame(move);
    });
}"""


# scene -> (page, what the visitor does, what has to be there)
SCENES = {
    "replay": ("", replay, ("button", "Play")),
    "replay, surface": ("surface", replay, ("button", "Play")),
    "drag": ("", drag, ("button", "Starting point")),
    "alpha": ("cause", alpha, ("slider", "Wrong pairs faded in")),
}


# ---- what is measured ----------------------------------------------------------------------------


class Frames:
    """The frames in a trace of the page's main thread."""

    def __init__(self, trace):
        events = json.loads(trace)["traceEvents"]
        fired = [event for event in events if event["name"] == "FireAnimationFrame"]
        threads = defaultdict(int)
        for event in fired:
            threads[event["pid"], event["tid"]] += 1
        main = max(threads, key=threads.get)
        events = [event for event in events if (event["pid"], event["tid"]) == main]
        begins = [event["ts"] for event in events if (event["name"], event["ph"]) == BEGIN]
        self.begins = sorted(begins)
        events = [event for event in events if "dur" in event]
        events.sort(key=lambda event: (event["ts"], -event["dur"]))
        self.scripts = self._by_frame(events, SCRIPTS)
        self.others = self._by_frame(events, OTHERS)

    def _by_frame(self, events, names):
        """Milliseconds of the processor that these events take in each frame; those inside of
        another count once."""
        spent, frame, until = [0.0] * len(self.begins), -1, 0.0
        for event in events:
            while frame + 1 < len(self.begins) and event["ts"] >= self.begins[frame + 1]:
                frame += 1
            if event["name"] in names and event["ts"] >= until and frame >= 0:
                spent[frame] += event.get("tdur", event["dur"]) / 1000
                until = event["ts"] + event["dur"]
        return spent[:-1]

    @property
    def per_second(self):
        return 1e6 * (len(self.begins) - 1) / (self.begins[-1] - self.begins[0])


# the messages to the server
SOCKETS = """
  window.messages = 0;
  window.WebSocket = class extends WebSocket {
    send(data) { window.messages++; super.send(data); }
  };
"""


class Wire:
    """Stands between the browser and the server, and counts the bytes that the server sends through
    its WebSocket, which the browser itself only knows after they were decompressed."""

    def __init__(self, port):
        self.server, self.count = port, 0
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        listening = asyncio.start_server(self._connected, "127.0.0.1", 0)
        sockets = asyncio.run_coroutine_threadsafe(listening, loop).result().sockets
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"

    async def _connected(self, browser, to_browser):
        server, to_server = await asyncio.open_connection("127.0.0.1", self.server)
        request = await browser.readuntil(b"\r\n")
        to_server.write(request)
        await asyncio.gather(
            self._passed_on(browser, to_server, False),
            self._passed_on(server, to_browser, b"/_stcore/stream" in request),
        )

    async def _passed_on(self, source, target, is_counted):
        while data := await source.read(65_536):
            self.count += is_counted * len(data)
            target.write(data)
        target.close()


def processor_seconds(process):
    """Of a process and its children, in user and system mode."""
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if process in (int(status.parent.name), int(fields[1])):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / 100


def p95(values):
    return sorted(values)[max(-(-95 * len(values) // 100) - 1, 0)]


def open_page(browser, address, width):
    page = browser.new_page(viewport={"width": width, "height": SIZES[width]})
    page.add_init_script(SOCKETS)
    page.goto(address)
    button = page.get_by_role("button", name="Train")
    page.wait_for_function(f"() => {TRAINED}", timeout=600_000)
    if button.is_visible():
        button.click()
        page.wait_for_timeout(2_000)
        page.wait_for_function(f"() => {TRAINED}", timeout=600_000)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(3_000)
    return page


def measured(browser, page, process, act, seconds):
    """The row of a table for one scene."""
    act(page, 1)  # a browser is slow with what it runs for the first time
    before = processor_seconds(process)
    browser.start_tracing(page=page, categories=CATEGORIES)
    began = time.monotonic()
    messages = page.evaluate("messages")
    act(page, seconds)
    messages = page.evaluate("messages") - messages
    took = time.monotonic() - began
    frames = Frames(browser.stop_tracing())
    busy = processor_seconds(process) - before
    scripts = [spent for spent in frames.scripts if spent > 0.3]  # the others have nothing to show
    return (
        f"{frames.per_second:.0f} | {statistics.median(scripts):.1f} ms | {p95(scripts):.1f} ms"
        f" | {statistics.median(frames.others):.1f} ms | {messages} | {100 * busy / took:.0f} %"
    )


def profiled(page, act, seconds):
    """The functions that take the most time, by V8's profiler."""
    session = page.context.new_cdp_session(page)
    session.send("Profiler.enable")
    session.send("Profiler.setSamplingInterval", {"interval": 200})
    session.send("Profiler.start")
    act(page, seconds)
    profile = session.send("Profiler.stop")["profile"]
    session.detach()
    own = defaultdict(float)
    places = {node["id"]: node["callFrame"] for node in profile["nodes"]}
    for node, micros in zip(profile["samples"], profile["timeDeltas"], strict=True):
        frame = places[node]
        file = frame["url"].rpartition("/")[2][:24]
        place = f"{file}:{frame['lineNumber'] + 1}:{frame['columnNumber']}"
        own[f"{frame['functionName'] or '(anonymous)'} {place}"] += micros
    total = sum(profile["timeDeltas"])
    for name, micros in sorted(own.items(), key=lambda item: -item[1])[:28]:
        print(f"    {100 * micros / total:5.1f} %  {name}")


def change_bytes(browser, wire):
    """The bytes received after a change of the learning rate on the home page."""
    page = open_page(browser, f"{wire.url}/", 1400)
    before = wire.count
    field = page.get_by_label("Learning rate", exact=True).first
    field.fill("0.023")
    field.press("Enter")
    page.wait_for_timeout(15_000)
    page.close()
    return wire.count - before


def main():
    from playwright.sync_api import sync_playwright

    asked = [word for word in sys.argv[1:] if not word.startswith(("-", "http"))]
    server = Server()
    wire = Wire(server.port)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=MOTION)
        began = time.perf_counter()
        sum(k * k for k in range(10_000_000))
        print(f"Python adds up 10⁷ squares in {time.perf_counter() - began:.2f} s.\n")
        print(
            "| scene | width | run | frames a second | script, median | p95 | style, layout and"
            " paint | messages | server |\n|---|---|---|---|---|---|---|---|---|"
        )
        visits = []
        for name, (path, act, needed) in SCENES.items():
            if asked and name.split(",")[0] not in asked:
                continue
            for run, query in RUNS.items():
                for width in SIZES:
                    before = wire.count
                    page = open_page(browser, f"{wire.url}/{path}?{query}", width)
                    visits.append((path or "home", run, width, wire.count - before))
                    role, label = needed
                    if page.get_by_role(role, name=label).count():
                        row = measured(browser, page, server.process.pid, act, 6)
                        print(f"| {name} | {width} | {run} | {row} |", flush=True)
                        if "-v" in sys.argv:
                            profiled(page, act, 6)
                    else:
                        print(f"| {name} | {width} | {run} | the page has no {label!r} |")
                    page.close()
        changed = change_bytes(browser, wire)
        browser.close()
    print("\n| page | run | width | kB received |\n|---|---|---|---|")
    for path, run, width, size in visits:  # the first of each run is trained, others are not
        print(f"| {path} | {run} | {width} | {size / 1e3:.0f} |")
    print(f"| home, another learning rate | 3,000 steps | 1400 | {changed / 1e3:.0f} |")
    server.stop()


if __name__ == "__main__":
    main()
