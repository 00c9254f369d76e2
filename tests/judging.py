"""A run's outcome with the surface of its own settings, as the page takes it."""

from linreg.outcome import outcome
from linreg.surface import loss_surface


def judged(run, table):
    return outcome(run, table, loss_surface(table, run.settings))
