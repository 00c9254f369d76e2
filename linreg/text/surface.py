"""The surface page in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from linreg.settings.fields import format_number
from linreg.text.markdown import table_in_markdown
from linreg.text.numbers import point, quantity, r2_text

if TYPE_CHECKING:
    from linreg.experiments.optimizer_paths import Panel, Paths
    from linreg.experiments.surface import SurfaceResult

WORSE_BY = 0.01  # in R², of a minimum that is called the wrong place


def curvature_table(result: SurfaceResult) -> str:
    """The eigenvalues of the Hessian and their directions, as a Markdown table."""
    values, directions = result.curvature.values, result.curvature.directions
    names = ("steepest", "flattest") if len(values) == 2 else ("steepest", "between", "flattest")
    rows = {
        name: [quantity(float(value)), point(along)]
        for name, value, along in zip(names, values, directions, strict=True)
    }
    return table_in_markdown(rows, ("curvature λ", "direction"))


def paths_finding(result: SurfaceResult) -> str:
    """How many optimizers settle near each surface's minimum, where that is, and its R².

    Where all do on both surfaces, and the original's minimum is a worse model, that is the finding.
    """
    findings = "  \n".join(map(_paths_finding, result.panels))
    if len(result.panels) < 2 or not all(
        len(panel.paths) == _settled(panel) > 1 for panel in result.panels
    ):
        return findings
    original, fixed = map(_r_squared_at_minimum, result.panels)
    if not original < fixed - WORSE_BY:
        return findings
    return (
        "**The optimizer is not the cause: each one finds the minimum, but as written that is the"
        f" wrong place.**  \n{findings}"
    )


def _settled(panel: Panel) -> int:
    """How many optimizers settle near the minimum."""
    return sum(path.settled_at(panel.surface) is not None for path in panel.paths)


def _r_squared_at_minimum(panel: Panel) -> float:
    return float(panel.baseline.r_squared(panel.surface.minimum))


def _paths_finding(panel: Panel) -> str:
    paths, minimum = panel.paths, panel.surface.minimum
    if not paths:
        return f"**{panel.label}**: choose an optimizer."
    settled = _settled(panel)
    if len(paths) > 1:
        subject = f"{settled} of {len(paths)} optimizers settle"
    else:
        subject = f"{paths[0].optimizer} {'settles' if settled else 'does not settle'}"
    r_squared = r2_text(_r_squared_at_minimum(panel))
    return (
        f"**{panel.label}**: {subject} near the minimum of this loss, {point(minimum)}, where R² is"
        f" {r_squared}."
    )


def paths_table(result: SurfaceResult) -> dict[str, dict[str, str]]:
    """Learning rate, steps, final weights and R² of each optimizer on each side.

    Row -> column -> text.
    """
    return {
        f"{panel.label}, {path.optimizer}": _path_row(path, panel)
        for panel in result.panels
        for path in panel.paths
    }


def _path_row(path: Paths, panel: Panel) -> dict[str, str]:
    settled_at = path.settled_at(panel.surface)
    finals = path.weights[-1][np.isfinite(path.weights[-1]).all(1)]  # (R, P), those that are finite
    diverged = int((path.diverged_at >= 0).sum())
    if len(finals):
        end = point(np.median(finals, axis=0))
        end += f", {diverged} of {len(path.diverged_at)} diverged" if diverged else ""
        r_squared = r2_text(float(np.median(panel.baseline.r_squared(finals))))
    else:
        end, r_squared = f"diverged at step {int(path.diverged_at.max()):,}", "–"
    return {
        "learning rate": f"{path.lr:.3g}",
        "steps to 99 % of the way down": "–" if settled_at is None else f"{settled_at:,}",
        "ends at, median of the starts": end,
        "R², median of the starts": r_squared,
    }


def curvature_finding(result: SurfaceResult) -> str:
    """The condition number of each surface, and SGD's stability limit beside the learning rate.

    The limit of a side's steepest batch is given as well where it is lower.
    """
    sentences = []
    for panel in result.panels:
        number = panel.surface.condition_number
        curvature = (
            f"Condition number of the Hessian: {quantity(number)}."
            if math.isfinite(number)
            else "The Hessian is singular: the minimum is not unique."
        )
        sentences.append(f"{curvature} {_stability(panel)}")
    return "  \n".join(dict.fromkeys(sentences))


def _stability(panel: Panel) -> str:
    """The learning rate below which SGD (or Nesterov, if chosen) is stable, and the one in use."""
    settings = panel.settings
    momentum, nesterov = settings.momentum, settings.optimizer == "Nesterov"
    limit = panel.surface.stable_lr(momentum, nesterov=nesterov)
    name = "Nesterov" if nesterov else "SGD"
    if momentum:
        name += f" with momentum {format_number(momentum)}"
    if limit == 0:
        return f"{name} diverges at every learning rate; use a momentum below 1."
    formula = "2/λ"
    if momentum:
        formula = "2(1 + β)/((1 + 2β)λ)" if nesterov else "2(1 + β)/λ"
    sentence = f"{name} is stable below {formula} = {quantity(limit)} on the mean of the batches"
    if not momentum and panel.batch_stable_lr < 0.95 * limit:
        limit = panel.batch_stable_lr
        sentence += f", and below {quantity(limit)} on each of them"
    lr = format_number(settings.lr)
    if settings.lr > limit:
        times = quantity(settings.lr / limit)
        return f"{sentence}; the current learning rate {lr} is {times} times the limit."
    return f"{sentence}; the current learning rate {lr} is below."
