"""Shapes in linreg's signatures are checked at run time in every test, quick tests go first, and
property tests try as many examples as the profile says.

Settings are left out of the check: they check themselves, and the tests hand them what is wrong on
purpose.
"""

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

CHECKED = (
    "data",
    "quadratic",
    "training.browser",
    "training.pytorch",
    "training.ensemble",
    "training.outcome",
    "experiments",
    "figures.layers",
    "figures.comparison",
    "figures.side_surfaces",
    "figures.curves",
    "figures.predictions",
)
install_import_hook([f"linreg.{name}" for name in CHECKED], "shapes.checked")
pytest_plugins = ["browsing"]

settings.register_profile("dev", max_examples=20, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, print_blob=True)
settings.load_profile("dev")  # `make test` asks for the other


@pytest.fixture(scope="module")
def one_renderer():
    """One process that draws all figures of a module, and none when they are drawn."""
    from linreg.figures.renderer import RENDERER  # which most tests do without

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RENDERER, "max_bytes", 1_000_000_000)
        RENDERER.close()
        yield
        RENDERER.close()


def pytest_collection_modifyitems(config, items):
    """Quick tests first, then slow ones, then the browser's.

    In several processes it is the other way round, so that all are busy to the end: the longest
    modules, which are the browser's, come first. Each module goes to one process, which keeps what
    the module caches.
    """
    items.sort(key=_order)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -_order(item)[0])


def _order(item):
    """Among the browser's, that which needs a server that nobody has visited is the first."""
    if item.get_closest_marker("browser"):
        return 2, not item.get_closest_marker("cold")
    return int(item.get_closest_marker("slow") is not None), False
