"""The figures of the home page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from linreg.experiments.comparison import ComparisonResult
from linreg.figures.curves import AIMS, loss_figure, weights_figure
from linreg.figures.figure import CIRCLE, CROSS, FigureSet, LegendEntry, single_figure
from linreg.figures.layers import STAR
from linreg.figures.side_surfaces import Layout, Side, scene, surface_figure
from linreg.figures.theme import Theme
from linreg.settings.model import LABELS, DataSettings
from linreg.text.comparison import shapes_met

_LAYOUTS: WeakKeyDictionary[ComparisonResult, Layout] = WeakKeyDictionary()


def figures(result: ComparisonResult, theme: Theme, step: int | None = None) -> Iterator[FigureSet]:
    """The figures of the home page; at a step of the replay, or else at its end."""
    yield surfaces(result, theme, step)
    if result.complete:
        yield losses(result, theme, step)
        yield weights(result, theme, step)


def surfaces(result: ComparisonResult, theme: Theme, step: int | None = None) -> FigureSet:
    """Both loss surfaces on the same axes, with both paths up to a step."""
    sides, layout, step = _sides(result), layout_of(result), _step(result, step)
    panels = tuple(surface_figure(sides, which, layout, step, theme) for which in range(2))
    legend = [
        LegendEntry("minimum of this loss", STAR, theme.star, "#1f2430"),
        LegendEntry("least squares", CROSS, theme.ink, theme.background),
    ]
    if result.complete:
        legend = [
            LegendEntry("path of the original", "line", "", theme.original),
            LegendEntry("of the fixed side", "line", "", theme.fixed),
            LegendEntry("start", CIRCLE, theme.background, theme.quiet),
            *legend,
        ]
    return FigureSet(
        "loss surfaces", panels, theme, panels[0].caption, LABELS, tuple(legend), shared=True
    )


def losses(result: ComparisonResult, theme: Theme, step: int | None = None) -> FigureSet:
    """Both losses against step."""
    figure = loss_figure(_sides(result), _step(result, step), theme)
    return single_figure("loss", figure, theme)


def weights(result: ComparisonResult, theme: Theme, step: int | None = None) -> FigureSet:
    """All weights against step, with the weights to aim at."""
    known = isinstance(result.comparison.original.data, DataSettings)
    figure = weights_figure(
        _sides(result),
        result.correct_weights,
        _step(result, step),
        theme,
        AIMS[0] if known else AIMS[1],
    )
    return single_figure("weights", figure, theme)


def layout_of(result: ComparisonResult) -> Layout:
    """The layout of a result's surfaces: computed once, whatever step of the replay is drawn."""
    if result not in _LAYOUTS:
        reach = 1 / np.sqrt(2)  # of PyTorch's default init of two weights
        default = [(-reach, -reach), (reach, reach)]
        starts = [
            start
            for side in result.sides
            for start in ([side.settings.init] if side.settings.init else default)
        ]
        _LAYOUTS[result] = scene(_sides(result), result.least_squares, starts)
    return _LAYOUTS[result]


def _sides(result: ComparisonResult) -> list[Side]:
    sides = [Side(side.label, shapes_met(side.settings), side.surface) for side in result.sides]
    if not result.complete:
        return sides
    return [
        replace(side, weights=run.weights, losses=run.losses, diverged_at=run.diverged_at)
        for side, run in zip(sides, result.runs, strict=True)
    ]


def _step(result: ComparisonResult, step: int | None) -> int:
    return result.last_step if step is None else min(step, result.last_step)
