"""The figures of the home page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from linreg.experiments.comparison import ComparisonResult
from linreg.figures.contours import loss_color_bar
from linreg.figures.curves import (
    LEAST_SQUARES_WEIGHTS,
    TRUE_WEIGHTS,
    loss_figure,
    weights_figure,
)
from linreg.figures.figure import CIRCLE, CROSSED_CIRCLE, FigureSet, LegendEntry, single_figure
from linreg.figures.layers import STAR, WEIGHT_TITLES, Layout
from linreg.figures.predictions import predictions_figure
from linreg.figures.side_surfaces import Side, surface_figure, surfaces_layout
from linreg.figures.theme import Theme
from linreg.settings.fields import shorten
from linreg.settings.model import LABELS, Data, DataSettings, TableSettings
from linreg.settings.wirings import WIRINGS
from linreg.text.comparison import shapes_met

_LAYOUTS: WeakKeyDictionary[ComparisonResult, Layout] = WeakKeyDictionary()


def figures(result: ComparisonResult, theme: Theme, step: int | None = None) -> Iterator[FigureSet]:
    """The figures of the home page, at a step of the replay or, without one, at its end."""
    yield surfaces(result, theme, step)
    if result.complete:
        yield losses(result, theme, step)
        yield weights(result, theme, step)
        yield predictions(result, theme, step)


def surfaces(result: ComparisonResult, theme: Theme, step: int | None = None) -> FigureSet:
    """Both loss surfaces on the same axes, with both paths up to a step."""
    sides, layout, step = _sides(result), layout_of(result), _step(result, step)
    data = result.comparison.original.data
    titles = _axis_titles(data)
    panels = tuple(surface_figure(sides, which, layout, step, theme, titles) for which in range(2))
    legend = _legend(theme, with_paths=result.complete)
    return FigureSet(
        "loss surfaces",
        panels,
        theme,
        panels[0].caption,
        LABELS,
        legend,
        loss_color_bar(theme, layout.levels, rmse_unit(data)),
        shared=True,
    )


def rmse_unit(data: Data) -> str:
    """The unit of the RMSE where a table gives it a name."""
    if not isinstance(data, TableSettings):
        return ""
    unit = shorten(data.target, 24)
    return f"standard deviations of {unit}" if data.standardise_target else unit


def _axis_titles(data: Data) -> tuple[str, str]:
    """The titles of the axes, with the names of a table's features."""
    if not isinstance(data, TableSettings):
        return WEIGHT_TITLES
    scaled = " (standardised)" if data.standardise or data.standardise_target else ""
    first, second = (
        f"{title}: {shorten(name, 24)}{scaled}"
        for title, name in zip(WEIGHT_TITLES, data.features, strict=True)
    )
    return first, second


def minima_legend(theme: Theme, color: str) -> tuple[LegendEntry, ...]:
    """The marks of the correct solution, and of a loss that has its minimum elsewhere."""
    return (
        LegendEntry("correct solution", STAR, theme.star, "#1f2430"),
        LegendEntry("minimum of the loss", CROSSED_CIRCLE, theme.background, color),
    )


def _legend(theme: Theme, with_paths: bool) -> tuple[LegendEntry, ...]:
    minima = minima_legend(theme, theme.original)
    if not with_paths:
        return minima
    return (
        LegendEntry("path of the original", "line", "", theme.original),
        LegendEntry("of the fixed side", "line", "", theme.fixed),
        LegendEntry("start", CIRCLE, theme.background, theme.muted),
        *minima,
    )


def losses(result: ComparisonResult, theme: Theme, step: int | None = None) -> FigureSet:
    """Both losses against step, and the correct loss of the original's weights where it trains on
    another."""
    original, correct = result.sides[0], None
    if original.run and WIRINGS[original.settings.wiring].pairs:
        correct = original.correct_losses()[: len(original.run.losses)]
    figure = loss_figure(_sides(result), _step(result, step), theme, correct)
    return single_figure("loss", figure, theme)


def weights(result: ComparisonResult, theme: Theme, step: int | None = None) -> FigureSet:
    """All weights against step, with the correct weights."""
    is_synthetic = isinstance(result.comparison.original.data, DataSettings)
    correct_name = TRUE_WEIGHTS if is_synthetic else LEAST_SQUARES_WEIGHTS
    figure = weights_figure(
        _sides(result), result.correct_weights, _step(result, step), theme, correct_name
    )
    return single_figure("weights", figure, theme)


def predictions(result: ComparisonResult, theme: Theme, step: int | None = None) -> FigureSet:
    """Predicted against true values of both sides, for a sample of the rows."""
    figure = predictions_figure(result, _step(result, step), theme)
    return single_figure("predictions", figure, theme)


def layout_of(result: ComparisonResult) -> Layout:
    """The layout of a result's surfaces, computed once for all steps of the replay."""
    if result not in _LAYOUTS:
        bound = 1 / np.sqrt(2)  # of PyTorch's default initial weights
        random_init = [(-bound, -bound), (bound, bound)]
        starts = [
            start
            for side in result.sides
            for start in ([side.settings.init] if side.settings.init else random_init)
        ]
        _LAYOUTS[result] = surfaces_layout(_sides(result), result.least_squares, starts)
    return _LAYOUTS[result]


def _sides(result: ComparisonResult) -> list[Side]:
    sides = [
        Side(side.label, shapes_met(side.settings), side.surface, baseline=side.baseline)
        for side in result.sides
    ]
    if not result.complete:
        return sides
    return [
        replace(side, weights=run.weights, losses=run.losses, diverged_at=run.diverged_at)
        for side, run in zip(sides, result.runs, strict=True)
    ]


def _step(result: ComparisonResult, step: int | None) -> int:
    return result.last_step if step is None else min(step, result.last_step)
