"""What the browser tests of several pages ask of a page that is drawn."""

OUTSIDE = """() => [...document.querySelectorAll('svg.marks text')]
  .filter(t => t.textContent.trim()).filter(t => {
    const svg = t.closest('svg').getBoundingClientRect(), b = t.getBoundingClientRect();
    const inside = b.left >= svg.left - 1 && b.right <= svg.right + 1 && b.top >= svg.top - 1
        && b.bottom <= svg.bottom + 1;
    return b.width && !inside;
  }).map(t => t.textContent)"""


def drawn(here, figures):
    here.page.wait_for_function(
        f"document.querySelectorAll('svg.marks').length >= {figures}", timeout=120_000
    )
    here.settled()
    return here


def nothing_is_cut_off(here, least=100):
    assert here.page.evaluate(OUTSIDE) == []
    heights = here.page.evaluate(
        "[...document.querySelectorAll('svg.marks')].map(s => s.getBoundingClientRect().height)"
    )
    assert min(heights) > least, "none has collapsed"
    assert here.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def menu(here, name):
    here.page.get_by_test_id("stSidebar").get_by_text(name, exact=True).click()
