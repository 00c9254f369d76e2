"""The figures of the surface page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from linreg.experiments.optimizer_paths import Panel, curvature
from linreg.experiments.surface import BatchesResult, SurfaceResult
from linreg.figures.descent import descent_figure, rates_figure
from linreg.figures.figure import FigureSet, single_figure
from linreg.figures.layers import levels_over
from linreg.figures.optimizer_paths import PathScene, of_panel, path_scene, paths_figure
from linreg.figures.single_batch import batch_domains, batch_figure
from linreg.figures.theme import Theme
from linreg.settings.model import LABELS

_LAYOUTS: WeakKeyDictionary[Panel, PathScene] = WeakKeyDictionary()


def figures(
    result: SurfaceResult, batches: BatchesResult, theme: Theme, step: int | None = None
) -> Iterator[FigureSet]:
    """All figures of the page; at a step of the replay, or else at its end."""
    yield paths(result, theme, step)
    yield losses(result, theme, step)
    yield distances(result, theme, step)
    yield bowls(result, theme)
    yield learning_rates(result, theme)
    yield one_batch(batches, theme)


def layout_of(result: SurfaceResult) -> PathScene:
    """The layout of all panels: computed once, whatever step of the replay is drawn."""
    first = result.panels[0]  # the panels of a result are made together
    if first not in _LAYOUTS:
        _LAYOUTS[first] = path_scene(result.panels, result.least_squares)
    return _LAYOUTS[first]


def paths(result: SurfaceResult, theme: Theme, step: int | None = None) -> FigureSet:
    """The paths of all optimizers, on each shown surface."""
    panels, layout, at = result.panels, layout_of(result), _step(result, step)
    drawn = tuple(
        paths_figure(panels, which, layout, at, theme, result.view.arrows)
        for which in range(len(panels))
    )
    labels = tuple(panel.label for panel in panels)
    return FigureSet("paths", drawn, theme, drawn[-1].caption, labels, shared=True)


def losses(result: SurfaceResult, theme: Theme, step: int | None = None) -> FigureSet:
    """The excess loss of each optimizer against step."""
    return _descent(result, "loss", theme, step)


def distances(result: SurfaceResult, theme: Theme, step: int | None = None) -> FigureSet:
    """Each optimizer's distance to the minimum against step."""
    return _descent(result, "distance", theme, step)


def _descent(result: SurfaceResult, what: str, theme: Theme, step: int | None) -> FigureSet:
    figure = descent_figure(result.panels, what, _step(result, step), theme)
    return single_figure(f"{what} of optimizers", figure, theme)


def _step(result: SurfaceResult, step: int | None) -> int:
    return result.last_step if step is None else min(step, result.last_step)


def bowls(result: SurfaceResult, theme: Theme) -> FigureSet:
    """The surfaces alone, with the axes of their contours."""
    layout, drawn = layout_of(result), []
    for which, panel in enumerate(result.panels):
        alone = [replace(panel, paths=())]
        figure = paths_figure(alone, 0, of_panel(layout, which), 0, theme)
        axes = curvature(panel.surface)
        names = ["w1", "w2", "bias"][: len(axes.values)]
        table = pd.DataFrame(
            {"curvature": axes.values, **dict(zip(names, axes.directions.T, strict=True))}
        )
        drawn.append(replace(figure, data={**figure.data, "bowl": table}, table="bowl"))
    labels = tuple(panel.label for panel in result.panels)
    return FigureSet("curvature", tuple(drawn), theme, drawn[-1].caption, labels, shared=True)


def learning_rates(result: SurfaceResult, theme: Theme) -> FigureSet:
    """The learning rates in use beside the stable ones of the surface."""
    comparison, surface = result.comparison, result.surface
    momentum = comparison.original.momentum or 0.9  # with none, what momentum would do
    nesterov = comparison.original.optimizer == "Nesterov"
    other = (
        f"{'Nesterov' if nesterov else 'SGD'}, momentum {momentum:g}",
        surface.stable_lr(momentum, nesterov=nesterov),
    )
    limits = sorted(
        (limit for limit in (("SGD", surface.stable_lr()), other) if limit[1] > 0),
        key=itemgetter(1),
    )
    sides = dict(zip(LABELS, (comparison.original, comparison.fixed), strict=True))
    rates = [("the sidebar's lr", panel.label, sides[panel.label].lr) for panel in result.panels]
    for panel in result.panels:
        rates += [(path.optimizer, panel.label, path.lr) for path in panel.paths]
    return single_figure("learning rates", rates_figure(rates, limits, theme), theme)


def one_batch(result: BatchesResult, theme: Theme) -> FigureSet:
    """The loss surface of one batch, with the minima of the others, on each shown side."""
    k = result.batch
    size = max(float(np.abs(side.moments.origin[:2]).max()) for side in result.sides)
    domains = batch_domains([side.minima for side in result.sides], size)
    bowls_of = [side.moments.batch(k).profile() for side in result.sides]
    spacing = max(
        levels_over([bowl], domain)[0] for bowl, domain in zip(bowls_of, domains, strict=True)
    )
    drawn = tuple(
        batch_figure(side, k, side.minima, domain, spacing, theme)
        for side, domain in zip(result.sides, domains, strict=True)
    )
    caption = " ".join(
        [
            *(figure.caption for figure in drawn),
            "Star: where this batch's loss is least. Dots: the minima of the other batches. Cross:"
            " the minimum of their mean, which is what a run settles near. Both pictures are to the"
            " same scale.",
        ]
    )
    labels = tuple(side.label for side in result.sides)
    return FigureSet("one batch", drawn, theme, caption, labels)
