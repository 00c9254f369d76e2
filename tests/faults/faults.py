"""What goes wrong around the app, done to it for real on a running server with Chromium: `make
faults [ONLY=killed]`.

Each fault says what was done and what was seen; a page that fails, spins for two minutes or asks
another host is counted, and the exit status is 1 if there was one. Namespaces make a read-only or
full disk and a missing network: Linux, and root or user namespaces. A fresh copy of the checkout is
used, so that nothing compiled lies beside it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
from browsing import ARGUMENTS, CHROMIUM  # noqa: E402

from linreg.settings.pages import MENU  # noqa: E402

FIGURES = {  # to wait for on a page
    "comparison": 4, "cause": 1, "claims": 1, "surface": 2, "sweep": 3, "your_data": 4,
    "your_code": 1,
}  # fmt: skip
PATHS = {  # those that are not the page's name
    "comparison": "", "surface": "surface?ring=4",
    "sweep": "sweep?columns=12&rows=6&inits=5&steps=300",
}  # fmt: skip
PAGES = {PATHS.get(name, name): FIGURES[name] for name in MENU}  # path -> figures
LONG = "sweep?columns=80&rows=40&steps=20000&inits=20&optimizer=Adam"
ENTER = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]
HIDE = """import os
from importlib.machinery import PathFinder
find, hidden = PathFinder.find_spec, os.environ["HIDDEN"].split()
PathFinder.find_spec = lambda name, path=None, target=None: (
    None if name.partition(".")[0] in hidden else find(name, path, target))
"""
failures = []


def say(text, wrong=False):
    if wrong:
        failures.append(text)
    print(("  ✗ " if wrong else "  ") + text, flush=True)


@contextmanager
def checkout():
    """A copy of the tracked files, and of those that are not ignored."""
    place = Path(tempfile.mkdtemp(prefix="faults-", dir=ROOT / ".venv"))
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    for name in listed.stdout.decode().splitlines():
        if not name.startswith(("docs/", "tests/")) and (ROOT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    try:
        yield place
    finally:
        shutil.rmtree(place)


class Server:
    """A server in a checkout. `around` is a shell script that prepares its namespace, `before` a
    command that runs it."""

    def __init__(self, place, around="", before=(), port=0, **environment):
        if not port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        self.port, self.url, self.log = (
            port,
            f"http://127.0.0.1:{port}",
            place.with_suffix(f".{port}.log"),
        )
        options = ["--server.headless=true", f"--server.port={port}", "--server.address=127.0.0.1"]
        command = [*before, sys.executable, "-m", "streamlit", "run", "streamlit_app.py", *options]
        if around:
            command = [*ENTER, f'{around}\ncd {place}\nexec "$@"', "sh", *command]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command,
                cwd=place,
                stdout=log,
                stderr=log,
                env=os.environ | environment,
                start_new_session=True,
            )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1)
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        said = (self.log.read_text().strip().splitlines() or ["nothing"])[-1]
        self.stop()
        raise RuntimeError(f"the server did not start, and said: {said}")

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        self.process.wait(30)
        text = self.log.read_text()
        self.log.unlink()
        return text


@contextmanager
def visitor(server):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_context(accept_downloads=True).new_page()
        page.set_viewport_size({"width": 1400, "height": 1000})
        page.elsewhere = []
        local = (f"http://127.0.0.1:{server.port}/", "data:", "blob:")
        page.on("request", lambda one: one.url.startswith(local) or page.elsewhere.append(one.url))
        try:
            yield page
        finally:
            browser.close()


def settled(page, figures):
    """Wait until the page rests, with so many figures. Returns the seconds and what it says is
    wrong."""
    began = time.monotonic()
    page.wait_for_selector("[data-testid=stApp]", timeout=60_000)
    rests = """n => {
      const count = what => document.querySelectorAll(what).length;
      return !count('[data-testid=stStatusWidget], [data-testid=stSpinner], [data-stale=true]')
        && (count('svg.marks') >= n
          || count('[data-testid=stAlert], [data-testid=stException]') > 0);
    }"""
    try:
        page.wait_for_function(rests, arg=figures, timeout=120_000)
        page.wait_for_timeout(700)
        page.wait_for_function(rests, arg=figures, timeout=120_000)
    except Error:
        say(f"{page.url}: does not come to rest in two minutes", wrong=True)
    return time.monotonic() - began - 0.7


def tour(server, pages=PAGES, expected=""):
    """Visit pages. Each has its figures, or where something is `expected` says that, and never
    shows a traceback."""
    with visitor(server) as page:
        for path, figures in pages.items():
            page.goto(f"{server.url}/{path}")
            seconds = settled(page, figures)
            drawn = page.locator("svg.marks").count()
            alerts = page.locator("[data-testid=stAlert]").all_inner_texts()
            traceback = page.locator("[data-testid=stException]").count()
            told = f"; says: {' | '.join(alerts)}" if alerts else ""
            wrong = traceback or not (
                (drawn >= figures and not expected) or (expected and expected in told)
            )
            say(
                f"/{path.partition('?')[0]}: {drawn} figures in {seconds:.1f} s{told}",
                wrong=bool(wrong),
            )
        if page.elsewhere:
            say(f"asked other hosts: {sorted(set(page.elsewhere))}", wrong=True)


def leave_with_it(server):
    """Upload a table of 5 MB and more, and take a figure as each kind of file and the script
    along."""
    with visitor(server) as page:
        page.goto(f"{server.url}/your_data")
        settled(page, 4)
        rows = "".join(f"{k % 97},{k % 89},{(k * 7) % 1013}\n" for k in range(600_000))
        given = {"name": "table.csv", "mimeType": "text/csv", "buffer": f"a,b,y\n{rows}".encode()}
        page.get_by_role("button", name="Upload a file").click()
        page.locator("input[type=file]").set_input_files(given)
        try:
            page.get_by_text("600,000 of 600,000 rows are used").wait_for(timeout=60_000)
            say(f"an upload of {len(rows) / 1e6:.1f} MB is read")
        except Error:
            told = page.locator(
                "[data-testid=stFileUploader], [data-testid=stAlert]"
            ).all_inner_texts()
            say(f"an upload of {len(rows) / 1e6:.1f} MB is not read: {told}", wrong=True)
        page.goto(f"{server.url}/?samples=1000&epochs=3")
        settled(page, 4)
        page.get_by_text("Save").first.click()
        for name in ("SVG", "PDF", "PNG, 300 dpi", "HTML", "CSV of the data"):
            take(page, name)
        page.keyboard.press("Escape")
        for name in ("Python script", "Jupyter notebook"):
            take(page, name)


def take(page, name):
    try:
        with page.expect_download(timeout=60_000) as download:
            page.get_by_role("button", name=name, exact=True).click()
        error = download.value.failure()
        say(
            f"{name}: {error or 'taken'}, {Path(download.value.path()).stat().st_size:,} bytes",
            wrong=bool(error),
        )
    except Error as error:
        say(f"{name}: {str(error).splitlines()[0]}", wrong=True)


# ---- the faults ----------------------------------------------------------------------------------


def killed(place):
    """The server is killed during a long sweep and started again: the open page comes back as it
    was, and goes on."""
    server = Server(place)
    with visitor(server) as page:
        page.goto(f"{server.url}/{LONG}")
        button = page.get_by_role("button", name="Run them").or_(
            page.get_by_role("button", name="Stop the sweep")
        )
        button.first.wait_for(timeout=60_000)
        if page.get_by_role("button", name="Run them").count():
            page.get_by_role("button", name="Run them").click()
        page.get_by_role("button", name="Stop the sweep").wait_for(timeout=60_000)
        bar, offer = (
            page.locator("[data-testid=stProgress]"),
            page.get_by_role("button", name="Run them"),
        )
        bar.get_by_text(" of ").first.wait_for(timeout=120_000)
        say(f"before: {bar.first.inner_text()}, {page.url.partition('/sweep')[2]}")
        server.stop(signal.SIGKILL)
        lost = page.get_by_text("server is not responding").first
        lost.wait_for(timeout=60_000)
        say(f"killed; the page says: {lost.inner_text()!r}")
        page.evaluate("document.body.dataset.before = 'the page has not been loaded again'")
        began = time.monotonic()
        server = Server(place, port=server.port)
        try:
            lost.wait_for(state="hidden", timeout=90_000)
            page.get_by_text("CONNECTING").wait_for(state="hidden", timeout=90_000)
            before = bar.first.inner_text() if bar.count() else ""
            for _ in range(
                240
            ):  # what stands there is of the server before, until something else does
                if offer.count() or (bar.count() and bar.first.inner_text() not in ("", before)):
                    break
                page.wait_for_timeout(500)
            fields = [
                page.get_by_label(label, exact=True).first
                for label in ("Cells along x", "Cells along y", "Steps per run")
            ]
            settings, now = (
                [field.input_value() for field in fields],
                page.url.partition("/sweep")[2],
            )
            say(
                f"started again: {time.monotonic() - began:.1f} s later the page is back"
                f"{'' if page.evaluate('document.body.dataset.before') else ', loaded again'},"
                f" {settings}, {now}",
                wrong=settings != ["80", "40", "20000"] or "columns=80" not in now,
            )
            say(
                "it offers to run the sweep"
                if offer.count()
                else f"it goes on: {bar.first.inner_text()}"
            )
        except Error as error:
            say(
                f"the page does not come back: {str(error).splitlines()[0]};"
                f" {page.inner_text('body')[:300]!r}",
                wrong=True,
            )
    server.stop()


def within(script, **environment):
    """What a shell script does in a namespace of its own."""
    return subprocess.run(
        [*ENTER, script], capture_output=True, text=True, env=os.environ | environment, check=False
    )


COMPILE = """import time
began = time.perf_counter()
from linreg.training.ensemble import precompile
count = len(list(precompile()))
print(f"{count} kernels compiled in memory in {time.perf_counter() - began:.1f} s,"
    f" {time.process_time():.1f} s of them work")
"""
READ_ONLY = (
    'for one in {place} "$HOME" /tmp /var/tmp;'
    ' do mount --bind "$one" "$one"; mount -o remount,bind,ro "$one"; done'
)


def read_only(place):
    """Home, checkout and temporary folders are read-only: nothing compiled can be kept."""
    around = READ_ONLY.format(place=place)
    seen = within(
        f'{around}\ncd {place}\ntouch x "$HOME/x" /tmp/x 2>&1 | grep -c'
        f" Read-only\n{sys.executable} -c '{COMPILE}'",
        PYTHONDONTWRITEBYTECODE="",
    )
    say("; ".join((seen.stdout + seen.stderr).split("\n")[:3]), wrong=seen.returncode != 0)
    server = Server(place, around)
    tour(server)
    leave_with_it(server)
    complaints(server)


def complaints(server):
    """Tracebacks in the server's log."""
    text = server.stop()
    last = [
        line for line in text.splitlines() if line and not line.startswith(" ") and "Error" in line
    ]
    if "Traceback" in text:
        say(
            f"the server's log has {text.count('Traceback')} tracebacks: {sorted(set(last))}",
            wrong=True,
        )


def full_disk(place):
    """The disk of home, temporary files and numba's cache is full."""
    full = place / "full"
    full.mkdir()
    around = (
        f"mount -t tmpfs -o size=1m tmpfs {full};"
        f" cat /dev/zero > {full}/filled 2> /dev/null || true"
    )
    elsewhere = {name: str(full) for name in ("HOME", "TMPDIR", "NUMBA_CACHE_DIR")}
    for arguments in (
        "compare --samples 1000 --epochs 2", "sweep --columns 3 --rows 3 --steps 100 --inits 3",
        f"figures --out {full}/figures --only comparison --samples 1000 --epochs 2 --format png",
        f"script --out {full}/script.py",
        f"sweep --columns 3 --rows 3 --steps 100 --out {full}/cells.csv",
        "compare --samples 1000 --epochs 2 > /dev/full",
    ):  # fmt: skip
        run = (
            f"set +e\n{sys.executable} -m linreg {arguments}\ncode=$?\nls -A {full} >&2\nexit $code"
        )
        seen = within(f"{around}\ncd {place}\n{run}", **elsewhere)
        shown = arguments.replace(str(full), "FULL")
        said = (
            " ".join(seen.stderr.replace(str(full), "FULL").partition("filled\n")[0].split())
            or "nothing"
        )
        left = {
            name
            for name in seen.stderr.split()
            if name.endswith((".part", ".csv", ".py")) and "/" not in name
        }
        expected = 2 if "full" in shown.lower() else 0
        wrong = "Traceback" in seen.stderr or seen.returncode != expected or bool(left)
        say(f"linreg {shown}: status {seen.returncode}, says {said}", wrong=wrong)
    server = Server(place, around, **elsewhere)
    tour(server)
    leave_with_it(server)
    complaints(server)


def offline(place):
    """Server and Chromium are alone on their machine: there is no network but the loopback."""
    if not os.environ.get("WITHOUT_NETWORK"):
        alone = [
            "unshare",
            "--map-root-user",
            "--net",
            "sh",
            "-ec",
            'ip link set lo up; exec "$@"',
            "sh",
        ]
        again = [*alone, sys.executable, __file__, "offline"]
        code = subprocess.run(
            again, env=os.environ | {"WITHOUT_NETWORK": "1"}, check=False
        ).returncode
        if code:
            failures.append("offline")
        return
    say(f"links: {', '.join(name for _, name in socket.if_nameindex())}")
    server = Server(place)
    tour(server)
    leave_with_it(server)
    complaints(server)


def missing(place):
    """Packages are not there, one after the other, as if they had not been installed."""
    hidden = place / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(HIDE)
    for name in ("torch", "contourpy", "jaxtyping", "numba", "joblib"):
        server = Server(place, HIDDEN=name, PYTHONPATH=str(hidden))
        say(f"without {name}:")
        tour(
            server,
            {"": 4, "your_code": 1},
            expected=f"This app needs {name}, which is not installed; pip install",
        )
        complaints(server)
    for name in ("vl_convert", "fontTools", "font_source_sans_pro", "distributed"):
        server = Server(place, HIDDEN=name, PYTHONPATH=str(hidden))
        say(f"without {name}:")
        told = "The figures cannot be drawn here: The live figures need vl-convert-python, which is"
        tour(server, {"": 4}, expected=told if name == "vl_convert" else "")
        if name != "distributed":
            with visitor(server) as page:
                page.goto(f"{server.url}/?samples=1000&epochs=3")
                settled(page, 4)
                page.get_by_text("Save").first.click()
                told = page.get_by_text("Figures as files need").first
                told.wait_for(timeout=20_000)
                say(f"Save says: {told.inner_text()}", wrong="pip install" not in told.inner_text())
        complaints(server)
    for name in (
        "numpy",
        "pandas",
        "pyarrow",
        "altair",
    ):  # Streamlit's own, without which it does not start or serve
        try:
            server = Server(place, HIDDEN=name, PYTHONPATH=str(hidden))
        except RuntimeError as error:
            say(f"without {name}: {error}")
            continue
        say(f"without {name}:")
        tour(
            server, {"": 4}, expected=f"This app needs {name}, which is not installed; pip install"
        )
        server.stop()


def one_core(place):
    """One core for the server."""
    server = Server(place, before=("taskset", "-c", "0"))
    tour(server)
    leave_with_it(server)
    complaints(server)


FAULTS = {one.__name__: one for one in (killed, read_only, full_disk, offline, missing, one_core)}


def main(names):
    for name in names or FAULTS:
        print(f"{name}: {FAULTS[name].__doc__.splitlines()[0]}", flush=True)
        with checkout() as place:
            FAULTS[name](place)
    if not os.environ.get("WITHOUT_NETWORK"):
        print(f"{len(failures)} failed" if failures else "all is as it should be")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
