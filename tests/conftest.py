"""The shapes in linreg's signatures are checked at run time in every test.

Settings are left out: they check themselves, and the tests hand them what is wrong on purpose.
"""

from jaxtyping import install_import_hook

CHECKED = ("data", "tables", "surface", "trainer", "ensemble", "outcome", "cause", "findings", "evidence", "charts")
install_import_hook([f"linreg.{name}" for name in CHECKED], "shapes.checked")
