"""Every figure of the app as a plate, without a browser: what the pages draw, and all of them in a
row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from linreg.data.dataset import Dataset, initial_weights, make_data
from linreg.experiments.cause import batch_statistics, minimum_by_batch_size, pairs_of
from linreg.experiments.claims import (
    CLAIMS,
    PRINTED_RUNS,
    Claim,
    Trials,
    printed_paths,
    seeds_run,
    trials,
)
from linreg.experiments.surface import Panel, Paths, as_points, curvature, paths, ring, tuned_lr
from linreg.experiments.sweep import (
    BatchSizeLaw,
    CellStats,
    Sweep,
    Task,
    assemble_grid,
    color_limits,
    law_of_batch_size,
    law_settings,
    run_tasks,
    shown_inits,
    stability_limits,
    sweep_around,
)
from linreg.figures import cause as cause_figures
from linreg.figures import claims as claims_figures
from linreg.figures import comparison as comparison_figures
from linreg.figures import layers
from linreg.figures import surface as surface_figures
from linreg.figures import sweep as sweep_figures
from linreg.figures import your_code as your_code_figures
from linreg.figures.figure import Figure, FigureSet, LegendEntry
from linreg.figures.surface import Batches, PathScene
from linreg.figures.theme import Theme
from linreg.guard.shapes import ShapeDiagnosis, diagnose_shapes
from linreg.quadratic.evaluation import Baseline, baseline
from linreg.quadratic.least_squares import least_squares, with_ones
from linreg.quadratic.moments import Moments, batch_moments
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import loss_surface
from linreg.settings.changes import fitting_momentum
from linreg.settings.fields import format_number
from linreg.settings.model import LABELS, Comparison, Data, DataSettings, Settings
from linreg.settings.pages import PAGES, CauseView, ClaimsView, CodeView, SurfaceView, SweepView
from linreg.settings.query import to_query, to_view_query
from linreg.settings.sweep_axes import METRICS, Metric
from linreg.settings.wirings import WIRINGS
from linreg.text import comparison as comparison_text

if TYPE_CHECKING:
    from linreg.training.run import Run

MOST_WORDS = 80  # characters of a file's name
CIRCLE = "M-0.7,0A0.7,0.7 0 1,0 0.7,0A0.7,0.7 0 1,0 -0.7,0Z"
CROSS = "M-0.9,-0.5L-0.5,-0.9L0,-0.4L0.5,-0.9L0.9,-0.5L0.4,0L0.9,0.5L0.5,0.9L0,0.4L-0.5,0.9L-0.9,0.5L-0.4,0Z"


# ---- what figures are made of --------------------------------------------------------------------


def trained_by_pytorch(
    comparison: Comparison, table: Callable[[Data], Dataset] = make_data
) -> list[Run]:
    """Both runs of a comparison."""
    from linreg.training.pytorch import train

    return train([comparison.original, comparison.fixed], table(comparison.original.data))


def _claims_by_seed(seeds: int) -> list[Mapping[Settings, Any]]:
    return list(seeds_run(range(seeds)))


def _swept(_: Sweep, tasks: Sequence[Task]) -> dict[Task, CellStats]:
    return dict(zip(tasks, run_tasks(tasks), strict=True))


@dataclass(frozen=True)
class Core:
    """The computations behind the figures, each by its settings; the app passes its cached ones."""

    table: Callable[[Data], Dataset]
    surface: Callable[[Settings], Quadratic]
    moments: Callable[[Settings], Moments]
    least_squares: Callable[[Data, bool], Any]
    baseline: Callable[[Data, bool], Baseline]
    tuned: Callable[[Settings, str, tuple[tuple[float, ...], ...], int, float], float]
    paths: Callable[[Settings, str, float, tuple[tuple[float, ...], ...]], Paths]
    runs: Callable[[Comparison], Sequence[Run]] = trained_by_pytorch
    by_seed: Callable[[int], Sequence[Mapping[Settings, Any]]] = _claims_by_seed
    cells: Callable[[Sweep, Sequence[Task]], Mapping[Task, CellStats | None]] = _swept


def core() -> Core:
    """The computations with a memory of their own."""

    def weights(data: Data, bias: bool) -> Any:
        return least_squares(with_ones(table(data).X) if bias else table(data).X, table(data).y)

    table = cache(make_data)
    moments = cache(lambda settings: batch_moments(table(settings.data), settings))
    return Core(
        table,
        cache(lambda settings: loss_surface(table(settings.data), settings)),
        moments,
        cache(weights),
        cache(lambda data, bias: baseline(table(data), bias)),
        cache(lambda settings, *how: tuned(moments(settings), *how)),
        cache(lambda settings, *how: trained(moments(settings), settings, *how)),
        lambda comparison: trained_by_pytorch(comparison, table),
    )


def tuned(
    moments: Moments,
    optimizer: str,
    starts: tuple[tuple[float, ...], ...],
    steps: int,
    momentum: float,
) -> float:
    """The learning rate that suits an optimizer best from these starts."""
    return tuned_lr(moments, optimizer, np.array(starts), steps, momentum)


def trained(
    moments: Moments,
    settings: Settings,
    optimizer: str,
    lr: float,
    starts: tuple[tuple[float, ...], ...],
) -> Paths:
    """An optimizer's paths from these starts, for the steps of the settings."""
    momentum = fitting_momentum(optimizer, settings.momentum)
    return paths(moments, optimizer, lr, np.array(starts), settings.steps, momentum)


def single_figure(name: str, figure: Figure, theme: Theme, heading: str = "") -> FigureSet:
    """A plate of one figure."""
    return FigureSet(name, (figure,), theme, figure.caption, heading=heading)


def state_words(comparison: Comparison, view: Any = None, step: int | None = None) -> str:
    """The settings in the name of a file: `RMSprop lr 0.01 batch 100`, and all else that differs
    from the defaults."""
    if isinstance(view, ClaimsView | CodeView):  # of no comparison
        return _named(to_view_query(view))
    asked = comparison.original
    others = (
        to_query(comparison)
        | (to_view_query(view) if view else {})
        | ({} if step is None else {"step": str(step)})
    )
    told = _named(
        {
            name: text
            for name, text in others.items()
            if name not in ("v", "optimizer", "lr", "batch_size")
        }
    )
    return f"{asked.optimizer} lr {format_number(asked.lr)} batch {asked.batch_size} {told}".strip()


def _named(query: Mapping[str, str]) -> str:
    """A query in words; a long one is cut, and ends with what tells it from others."""
    words = " ".join(f"{name} {text}" for name, text in query.items())
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]} {digest}"


# ---- the comparison ------------------------------------------------------------------------------


def sides_of(
    comparison: Comparison, runs: Sequence[Run] | None, surface: Callable[[Settings], Quadratic]
) -> list[comparison_figures.Side]:
    """Both sides as the figures need them."""
    sides = [
        comparison_figures.Side(label, comparison_text.shapes_met(settings), surface(settings))
        for label, settings in zip(LABELS, (comparison.original, comparison.fixed), strict=True)
    ]
    if runs is None:
        return sides
    return [
        replace(side, weights=run.weights, losses=run.losses, diverged_at=run.diverged_at)
        for side, run in zip(sides, runs, strict=True)
    ]


def scene_of(
    comparison: Comparison, sides: Sequence[comparison_figures.Side], best: np.ndarray
) -> comparison_figures.Layout:
    """The picture that holds both sides, and where a run may start."""
    reach = 1 / np.sqrt(2)  # of PyTorch's own init of two weights
    starts = [
        start
        for side in (comparison.original, comparison.fixed)
        for start in ([side.init] if side.init else [(-reach, -reach), (reach, reach)])
    ]
    return comparison_figures.scene(sides, best, starts)


def surfaces_plate(
    sides: Sequence[comparison_figures.Side],
    scene: comparison_figures.Layout,
    step: int,
    theme: Theme,
) -> FigureSet:
    """Both surfaces with both paths, on the same axes."""
    panels = tuple(
        comparison_figures.surface_figure(sides, which, scene, step, theme) for which in range(2)
    )
    marks = [
        LegendEntry("minimum of this loss", layers.STAR, theme.star, "#1f2430"),
        LegendEntry("least squares", CROSS, theme.ink, theme.background),
    ]
    if sides[0].weights is not None:
        marks = [
            LegendEntry("path of the original", "line", "", theme.original),
            LegendEntry("of the fixed side", "line", "", theme.fixed),
            LegendEntry("start", CIRCLE, theme.background, theme.quiet),
            *marks,
        ]
    return FigureSet(
        "loss surfaces", panels, theme, panels[0].caption, LABELS, tuple(marks), shared=True
    )


def loss_plate(sides: Sequence[comparison_figures.Side], step: int, theme: Theme) -> FigureSet:
    """Both losses against step."""
    return single_figure("loss", comparison_figures.loss_figure(sides, step, theme), theme)


def weights_plate(
    comparison: Comparison,
    sides: Sequence[comparison_figures.Side],
    best: Sequence[float],
    step: int,
    theme: Theme,
) -> FigureSet:
    """All weights against step, with the weights to aim at: the true ones, or of a table least
    squares' own, `best`."""
    data = comparison.original.data
    if isinstance(data, DataSettings):
        figure = comparison_figures.weights_figure(sides, data.weights, step, theme)
    else:
        figure = comparison_figures.weights_figure(
            sides, best, step, theme, comparison_figures.AIMS[1]
        )
    return single_figure("weights", figure, theme)


def _comparison(
    comparison: Comparison, of: Core, _: Any, step: int | None, theme: Theme
) -> Iterator[FigureSet]:
    runs = of.runs(comparison)
    sides = sides_of(comparison, runs, of.surface)
    best = of.least_squares(comparison.original.data, comparison.original.bias)
    last = max(len(run.losses) for run in runs)
    at = last if step is None else min(step, last)
    yield surfaces_plate(sides, scene_of(comparison, sides, best), at, theme)
    yield loss_plate(sides, at, theme)
    yield weights_plate(comparison, sides, best.tolist(), at, theme)


# ---- the cause -----------------------------------------------------------------------------------


def _cause(
    comparison: Comparison, of: Core, shown: CauseView, _: int | None, theme: Theme
) -> Iterator[FigureSet]:
    asked = replace(comparison.original, wiring="original")
    surfaces = [of.surface(asked), of.surface(replace(asked, wiring="squeeze"))]
    table, best = of.table(asked.data), surfaces[1].minimum
    weights = np.array(list(shown.weights(best.tolist())))
    statistics = batch_statistics(table, asked.batch_size)
    if asked.bias:
        weights = np.append(weights, statistics.best_bias(weights))
    walk = minimum_by_batch_size(
        table, Settings(asked.data, batch_size=asked.batch_size, bias=asked.bias)
    )
    yield single_figure(
        MATRIX, cause_figures.matrix_figure(pairs_of(table, weights, shown.rows), theme), theme
    )
    yield single_figure(TERMS, cause_figures.terms_figure(statistics.terms(weights), theme), theme)
    yield single_figure(BOWLS, cause_figures.bowls_figure(surfaces, theme), theme)
    yield single_figure(SECTION, cause_figures.section_figure(surfaces, theme), theme)
    yield single_figure(WALK, cause_figures.walk_figure(walk, asked.batch_size, theme), theme)


MATRIX, TERMS, BOWLS = "matrix of all pairs", "four terms of the loss", "both bowls in one picture"
SECTION, WALK = "section through both bowls", "minimum by batch size"


# ---- the claims ----------------------------------------------------------------------------------


def claim_plate(claim: Claim, found: Sequence[Trials], theme: Theme) -> FigureSet:
    """The shares of a claim's arms."""
    figure = claims_figures.arms_figure(claim.arms, found, theme)
    return single_figure(f"claim {claim.key.replace('_', ' ')}", figure, theme, claim.says)


def _claims(
    _: Comparison, of: Core, shown: ClaimsView, __: int | None, theme: Theme
) -> Iterator[FigureSet]:
    by_seed = of.by_seed(shown.seeds)
    for claim in CLAIMS.values():
        found = [trials(by_seed, arm) for arm in claim.arms]
        yield claim_plate(claim, found, theme)
    yield single_figure(
        PRINTED, claims_figures.printed_figure(printed_paths(PRINTED_RUNS), theme), theme
    )


PRINTED = "printed path of the answer"


# ---- optimizers on both surfaces -----------------------------------------------------------------


def shown_sides(comparison: Comparison, shown: SurfaceView) -> list[tuple[str, Settings]]:
    """The sides that the view shows."""
    both = list(zip(LABELS, (comparison.original, comparison.fixed), strict=True))
    return (
        both if shown.sides == "both" else [side for side in both if side[0].lower() == shown.sides]
    )


def panels_of(
    comparison: Comparison, shown: SurfaceView, of: Core
) -> tuple[list[Panel], PathScene]:
    """All paths of a view, and their picture."""
    sides = shown_sides(comparison, shown)
    middle = of.surface(sides[-1][1]).minimum  # of the fixed side where it is shown
    panels = [
        Panel(
            label,
            comparison_text.shapes_met(settings),
            of.surface(settings),
            of.baseline(settings.data, settings.bias),
            tuple(
                _paths(settings, shown, k, _starts(settings, shown, middle), of)
                for k in range(len(shown.optimizers))
            ),
        )
        for label, settings in sides
    ]
    bias = comparison.original.bias
    return panels, surface_figures.path_scene(
        panels, of.least_squares(comparison.original.data, bias)
    )


def _starts(
    settings: Settings, shown: SurfaceView, middle: np.ndarray
) -> tuple[tuple[float, ...], ...]:
    own = initial_weights(settings)  # (P,)
    points = [
        *as_points(shown.starts),
        *(ring(middle[:2], shown.radius, shown.ring) if shown.ring else []),
    ]
    return tuple((*map(float, point), *own[2:].tolist()) for point in points) or (
        tuple(own.tolist()),
    )


def _paths(
    settings: Settings,
    shown: SurfaceView,
    index: int,
    starts: tuple[tuple[float, ...], ...],
    of: Core,
) -> Paths:
    optimizer = shown.optimizers[index]
    lr = settings.lr
    if shown.rates == "tuned":
        momentum = fitting_momentum(optimizer, settings.momentum)
        lr = of.tuned(batches_of(settings), optimizer, starts, min(settings.steps, 3_000), momentum)
    elif shown.rates == "own" and index < len(shown.lrs):
        lr = shown.lrs[index]
    return of.paths(settings, optimizer, lr, starts)


def batches_of(settings: Settings) -> Settings:
    """The settings with only what the batches' moments depend on, so that runs which share them ask
    for the same."""
    wiring = "original" if WIRINGS[settings.wiring].pairs else "squeeze"
    order: dict[str, Any] = {"epochs": 1}
    if settings.shuffle:
        order = {"shuffle": True, "epochs": settings.epochs, "seed": settings.seed}
    return Settings(
        settings.data, wiring=wiring, batch_size=settings.batch_size, bias=settings.bias, **order
    )


def last_step(panels: Sequence[Panel]) -> int:
    """The last step of all paths."""
    return max((int(path.steps[-1]) for panel in panels for path in panel.paths), default=1)


def paths_plate(
    panels: Sequence[Panel], scene: PathScene, step: int, arrows: bool, theme: Theme
) -> FigureSet:
    """The paths of all optimizers, each panel a surface."""
    figures = tuple(
        surface_figures.paths_figure(panels, which, scene, step, theme, arrows)
        for which in range(len(panels))
    )
    labels = tuple(panel.label for panel in panels)
    return FigureSet("paths", figures, theme, figures[-1].caption, labels, shared=True)


def descent_plate(panels: Sequence[Panel], what: str, step: int, theme: Theme) -> FigureSet:
    """Loss or distance against step."""
    return single_figure(
        f"{what} of optimizers", surface_figures.descent_figure(panels, what, step, theme), theme
    )


def curvature_plate(panels: Sequence[Panel], scene: PathScene, theme: Theme) -> FigureSet:
    """The bowls alone, with their axes."""
    figures = []
    for which, panel in enumerate(panels):
        alone = [replace(panel, paths=())]
        figure = surface_figures.paths_figure(
            alone, 0, surface_figures.of_panel(scene, which), 0, theme
        )
        bowl = curvature(panel.surface)
        names = ["w1", "w2", "bias"][: len(bowl.values)]
        table = pd.DataFrame(
            {"curvature": bowl.values, **dict(zip(names, bowl.directions.T, strict=True))}
        )
        figures.append(replace(figure, data={**figure.data, "bowl": table}, table="bowl"))
    labels = tuple(panel.label for panel in panels)
    return FigureSet("curvature", tuple(figures), theme, figures[-1].caption, labels, shared=True)


def rates_plate(
    comparison: Comparison, panels: Sequence[Panel], surface: Quadratic, theme: Theme
) -> FigureSet:
    """The learning rates in use beside the stable ones of a surface."""
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
    rates = [("the sidebar's lr", panel.label, sides[panel.label].lr) for panel in panels]
    for panel in panels:
        rates += [(path.optimizer, panel.label, path.lr) for path in panel.paths]
    return single_figure(
        "learning rates", surface_figures.rates_figure(rates, limits, theme), theme
    )


def batches_plate(
    batches: Sequence[Batches], minima: Sequence[np.ndarray], k: int, theme: Theme
) -> FigureSet:
    """The surface of one batch, with the minima of the others."""
    size = max(float(np.abs(one.moments.origin[:2]).max()) for one in batches)
    domains = surface_figures.batch_domains(minima, size)
    bowls = [one.moments.batch(k).profile() for one in batches]
    spacing = max(
        layers.levels_over([bowl], domain)[0] for bowl, domain in zip(bowls, domains, strict=True)
    )
    figures = tuple(
        surface_figures.batch_figure(one, k, cloud, domain, spacing, theme)
        for one, cloud, domain in zip(batches, minima, domains, strict=True)
    )
    caption = " ".join(
        [
            *(figure.caption for figure in figures),
            "Star: where this batch's loss is least. Dots: the minima of the other batches. Cross:"
            " the minimum of their"
            " mean, which is what a run settles near. Both pictures are to the same scale.",
        ]
    )
    return FigureSet("one batch", figures, theme, caption, tuple(one.label for one in batches))


def _surface(
    comparison: Comparison, of: Core, shown: SurfaceView, step: int | None, theme: Theme
) -> Iterator[FigureSet]:
    panels, scene = panels_of(comparison, shown, of)
    last = last_step(panels)
    at = last if step is None else min(step, last)
    sides = shown_sides(comparison, shown)
    yield paths_plate(panels, scene, at, shown.arrows, theme)
    yield descent_plate(panels, "loss", at, theme)
    yield descent_plate(panels, "distance", at, theme)
    yield curvature_plate(panels, scene, theme)
    yield rates_plate(comparison, panels, panels[-1].surface, theme)
    every = [
        Batches(label, comparison_text.shapes_met(settings), of.moments(settings))
        for label, settings in sides
    ]
    k = min(shown.batch, min(len(one.moments) for one in every) - 1)
    yield batches_plate(
        every, [surface_figures.batch_minima(one.moments) for one in every], k, theme
    )


# ---- sweeps --------------------------------------------------------------------------------------


def maps_plate(
    sweep: Sweep, values: np.ndarray, metric: Metric, limits: Sequence[Any], theme: Theme
) -> FigureSet:
    """Both maps (2, rows, columns), coloured by one scale."""
    scale = color_limits(metric, values)
    figures = tuple(
        sweep_figures.map_figure(sweep, values[side], label, metric, scale, limits[side], theme)
        for side, label in enumerate(LABELS)
    )
    return FigureSet(
        f"sweep {metric.key}", figures, theme, figures[-1].caption, LABELS, shared=True
    )


def law_plate(law: BatchSizeLaw, theme: Theme) -> FigureSet:
    """The law of the batch size."""
    return single_figure("law of the batch size", sweep_figures.law_figure(law, theme), theme)


def _sweep(
    comparison: Comparison, of: Core, shown: SweepView, _: int | None, theme: Theme
) -> Iterator[FigureSet]:
    grid, metric = sweep_around(comparison, shown), METRICS[shown.metric]
    tasks = grid.tasks()
    numbers = assemble_grid(grid, of.cells(grid, tasks))
    inits = replace(grid, inits=shown_inits(grid, tasks))
    yield maps_plate(inits, numbers[metric.of], metric, stability_limits(grid, of.surface), theme)
    if WIRINGS[comparison.original.wiring].pairs:
        yield law_plate(
            law_of_batch_size(*law_settings(comparison.original, shown.inits, shown.steps)), theme
        )


# ---- all of them ---------------------------------------------------------------------------------


def _shapes(
    _: Comparison, __: Core, shown: CodeView, ___: int | None, theme: Theme
) -> Iterator[FigureSet]:
    found = diagnose_shapes(shown.prediction, shown.truth, shown.loss)
    if your_code_figures.drawn_shapes(found):
        yield shapes_plate(found, theme)


def shapes_plate(found: ShapeDiagnosis, theme: Theme) -> FigureSet:
    """The pairs of two shapes that can be drawn."""
    return single_figure(
        "pairs of two shapes", your_code_figures.shapes_figure(found, theme), theme
    )


Drawing = Callable[[Comparison, Core, Any, "int | None", Theme], Iterator[FigureSet]]
DRAWINGS: dict[str, Drawing] = {  # by the page that shows them
    "comparison": _comparison,
    "cause": _cause,
    "claims": _claims,
    "surface": _surface,
    "sweep": _sweep,
    "your_code": _shapes,
}


def figures(
    comparison: Comparison,
    theme: Theme,
    views: Mapping[type[Any], Any] | None = None,
    step: int | None = None,
    pages: Sequence[str] = tuple(DRAWINGS),
    of: Core | None = None,
) -> Iterator[tuple[str, FigureSet]]:
    """Every figure of these pages, with what its file's name tells of the settings, one after the
    other as they are made.

    `views` has what a page shows beside the comparison by its type, the defaults where it has none;
    `step` is the moment of a replay, the end without one."""
    shared = of or core()
    for page in pages:
        kind = PAGES.get(page)
        view = (views or {}).get(kind) or kind() if kind else None
        for plate in DRAWINGS[page](comparison, shared, view, step, theme):
            yield state_words(comparison, view, step), plate
