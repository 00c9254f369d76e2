"""The surface page: any optimizers from any starts on both surfaces, curvature, single batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import initial_weights
from linreg.experiments.optimizer_paths import Curvature, Panel, Paths, as_points, curvature, ring
from linreg.experiments.resources import Resources, Starts, batches_of
from linreg.quadratic.moments import Moments
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.changes import fitting_momentum
from linreg.settings.model import LABELS, Comparison, Data, Settings
from linreg.settings.pages import SurfaceView
from linreg.training.browser import Problems, browser_problems

TUNED_STEPS = 3_000  # at most, of the runs that find a learning rate
SHOWN_MINIMA = 500  # of single batches


@dataclass(frozen=True, eq=False)
class SurfaceResult:
    """The shown sides, each with the paths of all optimizers."""

    comparison: Comparison
    view: SurfaceView
    panels: tuple[Panel, ...]
    least_squares: Float[np.ndarray, " P"]

    @property
    def last_step(self) -> int:
        """The last step of all paths."""
        return max(
            (int(path.steps[-1]) for panel in self.panels for path in panel.paths), default=1
        )

    @property
    def starts(self) -> list[tuple[tuple[float, float], ...]]:
        """The starts (w1, w2) of all paths on each shown side."""
        return [
            tuple((w1, w2) for w1, w2, *_ in paths.weights[0].tolist())
            for panel in self.panels
            for paths in panel.paths[:1]
        ]

    @property
    def surface(self) -> Quadratic:
        """The surface of the last shown side."""
        return self.panels[-1].surface

    @cached_property
    def curvature(self) -> Curvature:
        """The curvature, which both sides share."""
        return curvature(self.surface)


@dataclass(frozen=True, eq=False)
class BatchesOfSide:
    """The quadratics of one side's batches, and the minima (K, 2) of the first of them."""

    label: str
    settings: Settings
    moments: Moments
    minima: Float[np.ndarray, "K 2"]


@dataclass(frozen=True, eq=False)
class BatchesResult:
    """The batches of the shown sides; `batch` is the number of the shown one, from 0."""

    sides: tuple[BatchesOfSide, ...]
    count: int
    batch: int


def shown_sides(comparison: Comparison, view: SurfaceView) -> list[tuple[str, Settings]]:
    """The sides that the view shows, by their labels."""
    both = list(zip(LABELS, (comparison.original, comparison.fixed), strict=True))
    return both if view.sides == "both" else [one for one in both if one[0].lower() == view.sides]


def run(comparison: Comparison, view: SurfaceView, resources: Resources) -> SurfaceResult:
    """Every optimizer of the view from all of its starts, on each shown side."""
    sides = shown_sides(comparison, view)
    middle = resources.surface(sides[-1][1]).minimum  # of the fixed side where it is shown
    panels = tuple(_panel(label, settings, view, middle, resources) for label, settings in sides)
    best = resources.least_squares(comparison.original.data, comparison.original.bias)
    return SurfaceResult(comparison, view, panels, best)


def browser_training(result: SurfaceResult, resources: Resources) -> Problems:
    """The trainings of every optimizer on each shown side, in the order of the paths, for the
    browser."""
    runs = tuple(
        replace(
            panel.settings,
            optimizer=path.optimizer,
            lr=path.lr,
            momentum=fitting_momentum(path.optimizer, panel.settings.momentum),
        )
        for panel in result.panels
        for path in panel.paths
    )
    found: Problems = resources.cached(_problems, result.comparison.original.data, runs)
    return found


def _problems(data: Data, runs: tuple[Settings, ...], resources: Resources) -> Problems:
    return browser_problems(resources.table(data), runs, resources.moments)


def batches(comparison: Comparison, view: SurfaceView, resources: Resources) -> BatchesResult:
    """The quadratic of every batch on each shown side."""
    sides = tuple(
        BatchesOfSide(
            label,
            settings,
            resources.moments(settings),
            resources.cached(_minima, batches_of(settings)),
        )
        for label, settings in shown_sides(comparison, view)
    )
    count = min(len(side.moments) for side in sides)
    return BatchesResult(sides, count, min(view.batch, count - 1))


def _minima(batches: Settings, resources: Resources) -> np.ndarray:
    return batch_minima(resources.moments(batches))


def batch_minima(moments: Moments, most: int = SHOWN_MINIMA) -> Float[np.ndarray, "K 2"]:
    """The minima of the first batches' own losses."""
    return np.stack([moments.batch(k).profile().minimum for k in range(min(len(moments), most))])


def _panel(
    label: str, settings: Settings, view: SurfaceView, middle: np.ndarray, resources: Resources
) -> Panel:
    starts = _starts(settings, view, middle)
    return Panel(
        label,
        settings,
        resources.surface(settings),
        resources.baseline(settings.data, settings.bias),
        resources.cached(_batch_stable_lr, batches_of(settings)),
        tuple(_paths(settings, view, k, starts, resources) for k in range(len(view.optimizers))),
    )


def _batch_stable_lr(batches: Settings, resources: Resources) -> float:
    return resources.moments(batches).stable_lr()


def _starts(settings: Settings, view: SurfaceView, middle: np.ndarray) -> Starts:
    own = initial_weights(settings)  # (P,)
    around: Sequence[np.ndarray] = (
        list(ring(middle[:2], view.radius, view.ring)) if view.ring else []
    )
    points = [*as_points(view.starts), *around]
    drawn = tuple((*map(float, point), *own[2:].tolist()) for point in points)
    return drawn or (tuple(own.tolist()),)


def _paths(
    settings: Settings, view: SurfaceView, index: int, starts: Starts, resources: Resources
) -> Paths:
    optimizer, lr = view.optimizers[index], settings.lr
    if view.rates == "tuned":
        momentum = fitting_momentum(optimizer, settings.momentum)
        lr = resources.tuned(
            settings, optimizer, starts, min(settings.steps, TUNED_STEPS), momentum
        )
    elif view.rates == "own" and index < len(view.lrs):
        lr = view.lrs[index]
    return resources.paths(settings, optimizer, lr, starts)
