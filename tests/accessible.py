"""Whom a page shuts out: axe-core, and what stands beside the window, on pages that the browser
tests have open anyway."""

from axe_playwright_python.base import AXE_SCRIPT

SERIOUS = ("serious", "critical")
RUN = """async ([rules, leftOut]) => {
    const options = {resultTypes: ['violations'], ...(rules ? {runOnly: rules} : {})};
    const {violations} = await axe.run({exclude: leftOut}, options);
    // A box that scrolls is reached by the keyboard in Chromium and Firefox; axe asks for a
    // tabindex, which the box around a table has not, and no parameter gives it.
    const known = (rule, node) => rule.id == 'scrollable-region-focusable' &&
        document.querySelector(node.target[0]).matches(
            '[data-testid=stMarkdownContainer]:has(> table)');
    return violations.flatMap(rule => rule.nodes.filter(node => !known(rule, node)).map(
        node => [rule.impact, `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`]));
}"""
ASIDE = """() => [document.scrollingElement, document.querySelector('[data-testid=stMain]')]
    .map(box => box.scrollWidth - box.clientWidth)"""
ZOOMED = {"width": 700, "height": 450}  # of a window of 1400 by 900 at 200 %
PHONE = {"width": 390, "height": 844}


def shut_out(here):
    """Violations of serious and critical impact: all rules as the page stands, contrast in the
    other scheme too."""
    page, size = here.page, here.page.viewport_size
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size(
        {**size, "height": max(height, size["height"])}
    )  # axe cannot judge what is scrolled away
    found = page.evaluate(RUN, [None, []])
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(color_scheme="light" if dark else "dark")
    colour = "rgb(255, 255, 255)" if dark else "rgb(14, 17, 23)"
    page.wait_for_function(
        f"getComputedStyle(document.querySelector('.stApp')).backgroundColor == '{colour}'"
    )
    found += page.evaluate(RUN, [["color-contrast"], ["svg"]])
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.set_viewport_size(size)
    return [text for impact, text in found if impact in SERIOUS]


def beside_the_window(here, size=None):
    """How many pixels of the page, or of its main part, can only be reached sideways, at this size
    from now on."""
    if size:
        here.page.set_viewport_size(size)
        here.settled()  # figures follow
    return max(here.page.evaluate(ASIDE))
