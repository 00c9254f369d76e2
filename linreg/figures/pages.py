"""The figures of every page by the page's name, for the command line and embedded pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from linreg.experiments import cause, claims, comparison, surface, sweep, your_code
from linreg.experiments.resources import Resources
from linreg.experiments.work import Work
from linreg.figures import cause as cause_figures
from linreg.figures import claims as claims_figures
from linreg.figures import comparison as comparison_figures
from linreg.figures import surface as surface_figures
from linreg.figures import sweep as sweep_figures
from linreg.figures import your_code as your_code_figures
from linreg.figures.figure import FigureSet
from linreg.figures.theme import Theme
from linreg.settings.model import Comparison
from linreg.settings.pages import PAGES

# (comparison, view, resources, theme, step) -> the page's figures
PageFigures = Callable[[Comparison, Any, Resources, Theme, "int | None"], Iterator[FigureSet]]


def _comparison(
    compared: Comparison, _view: Any, resources: Resources, theme: Theme, step: int | None
) -> Iterator[FigureSet]:
    return comparison_figures.figures(comparison.run(compared, resources), theme, step)


def _cause(
    compared: Comparison, view: Any, resources: Resources, theme: Theme, _step: int | None
) -> Iterator[FigureSet]:
    return cause_figures.figures(cause.run(compared, view, resources), theme)


def _claims(
    _compared: Comparison, view: Any, resources: Resources, theme: Theme, _step: int | None
) -> Iterator[FigureSet]:
    return claims_figures.figures(claims.run(view, resources), theme)


def _surface(
    compared: Comparison, view: Any, resources: Resources, theme: Theme, step: int | None
) -> Iterator[FigureSet]:
    result = surface.run(compared, view, resources)
    batches = surface.batches(compared, view, resources)
    return surface_figures.figures(result, batches, theme, step)


def _sweep(
    compared: Comparison, view: Any, resources: Resources, theme: Theme, _step: int | None
) -> Iterator[FigureSet]:
    law = sweep.batch_size_law(compared, view, resources)
    return sweep_figures.figures(sweep.run(compared, view, resources), law, theme)


def _your_code(
    _compared: Comparison, view: Any, resources: Resources, theme: Theme, _step: int | None
) -> Iterator[FigureSet]:
    return your_code_figures.figures(your_code.run(view, resources), theme)


FIGURES: dict[str, PageFigures] = {
    "comparison": _comparison,
    "cause": _cause,
    "claims": _claims,
    "surface": _surface,
    "sweep": _sweep,
    "your_code": _your_code,
}


def outstanding(
    page: str, compared: Comparison, view: Any, resources: Resources
) -> Work[Any, Any] | None:
    """The work that a page's result still needs; None for a page that needs none."""
    if page == "comparison":
        return comparison.outstanding(compared, resources)
    if page == "claims":
        return claims.outstanding(view, resources)
    if page == "sweep":
        return sweep.outstanding(compared, view, resources)
    return None


def page_figures(
    page: str,
    compared: Comparison,
    view: Any,
    resources: Resources,
    theme: Theme,
    step: int | None = None,
) -> Iterator[FigureSet]:
    """Every figure of a page, once the work that it needs is done.

    `view` is the page's own view, or None for its default; `step` is a step of the replay, or None
    for its end.
    """
    view_type = PAGES.get(page)
    view = view or (view_type() if view_type else None)
    work = outstanding(page, compared, view, resources)
    if work:
        work.run()
    yield from FIGURES[page](compared, view, resources, theme, step)
