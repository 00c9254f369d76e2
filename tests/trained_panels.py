"""Panels of the surface page: two optimizers from three starts on each side of one table."""

from linreg.data.tables import make_data
from linreg.experiments.optimizer_paths import Panel, paths, ring
from linreg.quadratic.evaluation import baseline
from linreg.quadratic.least_squares import least_squares
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.streaming import loss_surface
from linreg.settings.model import DataSettings, Settings

DATA = DataSettings(samples=1_000, correlation=0.4)


TABLE = make_data(DATA)


BEST = least_squares(TABLE.X, TABLE.y)


STARTS = ring(BEST, 4.0, 3)


SIDES = (Settings(data=DATA), Settings(data=DATA, wiring="squeeze"))


MOMENTS = [batch_moments(TABLE, side) for side in SIDES]


def panel(side, optimizers=("RMSprop", "SGD"), lr=0.05):
    label = ("Original", "Fixed")[side]
    found = tuple(paths(MOMENTS[side], name, lr, STARTS, 600) for name in optimizers)
    surface, steepest = loss_surface(TABLE, SIDES[side]), MOMENTS[side].stable_lr()
    return Panel(label, SIDES[side], surface, baseline(TABLE), steepest, found)
