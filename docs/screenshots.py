"""Take the screenshots of the README from the running app: `make screenshots`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from browsing import ARGUMENTS, CHROMIUM  # noqa: E402
from served import Server  # noqa: E402

SHOTS = {  # file: path and query, number of figures to wait for, width and height in pixels
    "home": ("?init=6.6,4.4", 5, 1400, 900),
    "surface": ("surface?correlation=0.6&optimizers=RMSprop,SGD,Adam&ring=8", 4, 1400, 1400),
    "sweep": ("sweep", 3, 1400, 1250),
}


def main():
    from playwright.sync_api import sync_playwright

    server = Server()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for name, (path, figures, width, height) in SHOTS.items():
                for scheme in ("light", "dark"):
                    size = {"width": width, "height": height}
                    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
                    page.goto(f"{server.url}/{path}")
                    wait(page, figures)
                    page.screenshot(path=HERE / f"{name}-{scheme}.png")
                    print(f"docs/{name}-{scheme}.png")
                    page.context.close()
    finally:
        server.stop()


def wait(page, figures):
    """Until the page has drawn so many figures and the server is idle."""
    drawn = f"document.querySelectorAll('svg.marks').length >= {figures}"
    idle = "!document.querySelector('[data-testid=stStatusWidget]')"
    for condition, seconds in ((drawn, 120), (idle, 60)):
        page.wait_for_function(f"() => {condition}", timeout=seconds * 1_000)
        page.wait_for_timeout(1_000)


if __name__ == "__main__":
    main()
