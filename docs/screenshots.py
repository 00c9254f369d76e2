"""The pictures of the README, from the running app: `make screenshots`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from browsing import ARGUMENTS, CHROMIUM, Server  # noqa: E402

SHOTS = {  # file -> address, figures to wait for, width, height
    "home": ("", 4, 1400, 1040),
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
                    shot(
                        browser,
                        f"{server.url}/{path}",
                        figures,
                        width,
                        height,
                        scheme,
                        HERE / f"{name}-{scheme}.png",
                    )
    finally:
        server.stop()


def shot(browser, address, figures, width, height, scheme, file):
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(
        f"document.querySelectorAll('svg.marks').length >= {figures}", timeout=120_000
    )
    page.wait_for_timeout(1_000)
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=stStatusWidget]')", timeout=60_000
    )
    page.wait_for_timeout(1_000)
    page.screenshot(path=file)
    print(file.relative_to(HERE.parent))
    context.close()


if __name__ == "__main__":
    main()
