"""A run's outcome with the surface of its own settings, as the page takes it."""

from linreg.quadratic.streaming import loss_surface
from linreg.training.outcome import outcome


def judged(run, table):
    return outcome(run, table, loss_surface(table, run.settings))
