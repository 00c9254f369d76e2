"""A visitor with a mouse: Chromium on the home page, beside the others."""

from browsing import ARGUMENTS, CHROMIUM
from playwright.async_api import async_playwright

HANDLE = "Starting point"
MOVES = 30  # of the mouse, in a drag
AGREED = "PyTorch agrees with this browser"


async def drag_in_chromium(address, over):
    """Drag a starting point on the home page until it is over: how often, and what went wrong.

    A drag is right if the browser trains while the mouse moves, the address follows once it is let
    go, and PyTorch then agrees with the browser."""
    drags, errors = 0, []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1400, "height": 1200})
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: errors.append(f"Chromium: {error}"))
        try:
            await page.goto(address)
            await page.get_by_text("R² of least squares").wait_for()
            while not over.is_set():
                before = page.url
                await _drag(page, 1 if drags % 2 else -1)
                await page.wait_for_function("before => location.href != before", arg=before)
                await page.get_by_text(AGREED).wait_for()
                drags += 1
        except Exception as error:
            errors.append(f"Chromium, drag {drags + 1}: {str(error).splitlines()[0]}")
        await browser.close()
    return drags, errors


async def _drag(page, way):
    box = await page.get_by_role("button", name=HANDLE).first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    for k in range(1, MOVES + 1):
        await page.mouse.move(x + 2 * way * k, y - way * k)
        await page.wait_for_timeout(30)
    await page.get_by_role("status").filter(has_text="Trained in this browser").wait_for()
    await page.mouse.up()
