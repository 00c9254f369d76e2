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
from linreg.figures.comparison import minima_legend, rmse_unit
from linreg.figures.contours import excess_spacing, loss_color_bar
from linreg.figures.descent import descent_figure, rates_figure
from linreg.figures.figure import CIRCLE, DASHES, FigureSet, LegendEntry, single_figure
from linreg.figures.layers import Layout
from linreg.figures.optimizer_paths import paths_figure, paths_layout, surface_only
from linreg.figures.single_batch import batch_domains, batch_figure
from linreg.figures.theme import Theme
from linreg.settings.model import LABELS

_LAYOUTS: WeakKeyDictionary[Panel, Layout] = WeakKeyDictionary()


def figures(
    result: SurfaceResult, batches: BatchesResult, theme: Theme, step: int | None = None
) -> Iterator[FigureSet]:
    """The figures of the page, at a step of the replay or, without one, at its end."""
    yield paths(result, theme, step)
    yield losses(result, theme, step)
    yield distances(result, theme, step)
    yield principal_axes(result, theme)
    yield learning_rates(result, theme)
    yield one_batch(batches, theme)


def layout_of(result: SurfaceResult) -> Layout:
    """The layout of all panels, computed once for all steps of the replay."""
    first = result.panels[0]  # belongs to one result only
    if first not in _LAYOUTS:
        _LAYOUTS[first] = paths_layout(result.panels, result.least_squares)
    return _LAYOUTS[first]


def paths(result: SurfaceResult, theme: Theme, step: int | None = None) -> FigureSet:
    """The paths of all optimizers, on each shown surface."""
    panels, layout, step = result.panels, layout_of(result), _step(result, step)
    figures = tuple(
        paths_figure(panels, which, layout, step, theme, result.view.arrows)
        for which in range(len(panels))
    )
    return FigureSet(
        "paths",
        figures,
        theme,
        figures[-1].caption,
        tuple(panel.label for panel in panels),
        _legend(theme),
        loss_color_bar(theme, layout.levels, rmse_unit(result.comparison.original.data)),
        shared=True,
    )


def _legend(theme: Theme) -> tuple[LegendEntry, ...]:
    return (
        LegendEntry("start", CIRCLE, theme.background, theme.foreground),
        *minima_legend(theme, theme.foreground),
        LegendEntry("principal axis, with the curvature λ along it", DASHES, theme.foreground),
    )


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


def principal_axes(result: SurfaceResult, theme: Theme) -> FigureSet:
    """The surfaces alone, with their principal axes."""
    layout, figures = layout_of(result), []
    for which, panel in enumerate(result.panels):
        alone = replace(panel, paths=())
        figure = paths_figure([alone], 0, surface_only(alone, layout, which), 0, theme)
        axes = curvature(panel.surface)
        names = ["w1", "w2", "bias"][: len(axes.values)]
        directions = dict(zip(names, axes.directions.T, strict=True))
        table = pd.DataFrame({"curvature": axes.values, **directions})
        figures.append(replace(figure, data={**figure.data, "bowl": table}, table="bowl"))
    labels = tuple(panel.label for panel in result.panels)
    return FigureSet("curvature", tuple(figures), theme, figures[-1].caption, labels, shared=True)


def learning_rates(result: SurfaceResult, theme: Theme) -> FigureSet:
    """The learning rates in use beside the largest stable ones of the surface."""
    comparison = result.comparison
    sides = dict(zip(LABELS, (comparison.original, comparison.fixed), strict=True))
    rates = [("the sidebar's lr", panel.label, sides[panel.label].lr) for panel in result.panels]
    for panel in result.panels:
        rates += [(path.optimizer, panel.label, path.lr) for path in panel.paths]
    figure = rates_figure(rates, _stability_limits(result), theme)
    return single_figure("learning rates", figure, theme)


def _stability_limits(result: SurfaceResult) -> list[tuple[str, float]]:
    """The learning rates below which SGD is stable, without and with momentum, in order."""
    original, surface = result.comparison.original, result.surface
    momentum = original.momentum or 0.9  # without momentum: what it would change
    nesterov = original.optimizer == "Nesterov"
    name = f"{'Nesterov' if nesterov else 'SGD'}, momentum {momentum:g}"
    limits = [
        ("SGD", surface.stable_lr()),
        (name, surface.stable_lr(momentum, nesterov=nesterov)),
    ]
    return sorted((limit for limit in limits if limit[1] > 0), key=itemgetter(1))


def one_batch(result: BatchesResult, theme: Theme) -> FigureSet:
    """The loss surface of one batch, with the minima of the others, on each shown side."""
    k, sides = result.batch, result.sides
    scale = max(float(np.abs(side.moments.origin[:2]).max()) for side in sides)
    domains = batch_domains([side.minima for side in sides], scale)
    surfaces = [side.moments.batch(k).profile() for side in sides]
    spacing = max(
        excess_spacing([surface], domain) for surface, domain in zip(surfaces, domains, strict=True)
    )
    figures = tuple(
        batch_figure(side, k, side.minima, domain, spacing, theme)
        for side, domain in zip(sides, domains, strict=True)
    )
    marks = (
        "Crossed circle: the minimum of this batch's loss. Dots: the minima of the other batches."
        " Diamond: the minimum of their mean, near which a run settles. Both pictures are to the"
        " same scale."
    )
    caption = " ".join([*(figure.caption for figure in figures), marks])
    labels = tuple(side.label for side in sides)
    return FigureSet("one batch", figures, theme, caption, labels)
