"""The shapes in linreg's signatures are checked at run time in every test.

Settings are left out: they check themselves, and the tests hand them what is wrong on purpose.
"""

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


def pytest_collection_modifyitems(config, items):
    """Quick tests first; in several processes the browser's, which mostly wait: none of them is
    left alone at the end."""
    several = hasattr(config, "workerinput")
    items.sort(key=lambda item: (item.get_closest_marker("browser") is None) == several)
