"""The surface page in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from linreg.settings.fields import format_number
from linreg.settings.model import Settings
from linreg.text.markdown import table_in_markdown
from linreg.text.numbers import point, quantity, r2_text

if TYPE_CHECKING:
    from linreg.experiments.optimizer_paths import Panel
    from linreg.quadratic.quadratic import Quadratic


def curvature_table(values: Sequence[float] | np.ndarray, directions: np.ndarray) -> str:
    """The eigenvalues of a Hessian and their directions, as a Markdown table."""
    names = ("steepest", "flattest") if len(values) == 2 else ("steepest", "between", "flattest")
    rows = {
        name: [quantity(float(value)), point(along)]
        for name, value, along in zip(names, values, directions, strict=True)
    }
    return table_in_markdown(rows, ("curvature λ", "direction"))


def paths_finding(panel: Panel) -> str:
    """How many optimizers settle near a surface's minimum, where that is, and what the fit is worth
    there."""
    paths, minimum = panel.paths, panel.surface.minimum
    if not paths:
        return f"**{panel.label}**: choose an optimizer."
    arrived = sum(path.settled_at(panel.surface) is not None for path in paths)
    worth = r2_text(float(panel.baseline.r_squared(minimum)))
    many = f"{arrived} of {len(paths)} optimizers" if len(paths) > 1 else f"{paths[0].optimizer}"
    verb = "settle" if len(paths) > 1 else ("settles" if arrived else "does not settle")
    return f"**{panel.label}**: {many} {verb} near the minimum of this loss, {point(minimum)}, where R² is {worth}."


def paths_table(panels: Sequence[Panel]) -> dict[str, dict[str, str]]:
    """Each optimizer's learning rate, steps, end and fit, the sides below each other: row -> column
    -> text."""
    rows = {}
    for panel in panels:
        for path in panel.paths:
            settled = path.settled_at(panel.surface)
            ends = path.weights[-1][np.isfinite(path.weights[-1]).all(1)]  # (R, P)
            lost = int((path.diverged_at >= 0).sum())
            end = (
                point(np.median(ends, axis=0))
                if len(ends)
                else f"diverged at step {int(path.diverged_at.max()):,}"
            )
            if lost and len(ends):
                end += f", {lost} of {len(path.diverged_at)} diverged"
            worth = r2_text(float(np.median(panel.baseline.r_squared(ends)))) if len(ends) else "–"
            rows[f"{panel.label}, {path.optimizer}"] = {
                "learning rate": f"{path.lr:.3g}",
                "steps to lose 99 % of the excess loss": "–" if settled is None else f"{settled:,}",
                "ends at, median of the starts": end,
                "R², median of the starts": worth,
            }
    return rows


def curvature_finding(
    sides: Sequence[tuple[Quadratic, Settings]], steepest: Sequence[float] = ()
) -> str:
    """The condition number of each surface, and SGD's stability limit beside the learning rate in
    use; with `steepest`, the limit of each side's steepest batch, also that one where it is
    lower."""
    said = []
    for (surface, settings), of_a_batch in zip_longest(sides, steepest):
        number = surface.condition_number
        shape_of = (
            f"The bowl is {quantity(number)} times as steep along one axis as along the other (its"
            " condition number)."
            if math.isfinite(number)
            else "The bowl is flat along one axis: its minimum is a whole line."
        )
        said.append(f"{shape_of} {_stability(surface, settings, of_a_batch)}")
    return "  \n".join(dict.fromkeys(said))


def _stability(surface: Quadratic, settings: Settings, of_a_batch: float | None) -> str:
    """Below which learning rate SGD, or Nesterov where that is chosen, comes to rest, and where the
    one in use is."""
    momentum, nesterov = settings.momentum, settings.optimizer == "Nesterov"
    name, limit = "Nesterov" if nesterov else "SGD", surface.stable_lr(momentum, nesterov=nesterov)
    if momentum:
        name += f" with momentum {format_number(momentum)}"
    if limit == 0:
        return f"{name} is stable at no learning rate; use a momentum below 1."
    formula = "2/λ" if not momentum else "2(1 + β)/((1 + 2β)λ)" if nesterov else "2(1 + β)/λ"
    said = f"{name} is stable below {formula} = {quantity(limit)} on the mean of the batches"
    if of_a_batch is not None and not momentum and of_a_batch < 0.95 * limit:
        said += f", and below {quantity(of_a_batch)} on each of them"
        limit = of_a_batch
    lr = format_number(settings.lr)
    return said + (
        f"; lr {lr} would be {quantity(settings.lr / limit)} times that."
        if settings.lr > limit
        else f"; lr {lr} is below."
    )
