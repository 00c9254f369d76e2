"""The sweep page in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from linreg.settings.fields import format_number
from linreg.settings.sweep_axes import AXES

if TYPE_CHECKING:
    from linreg.experiments.sweep import SweepResult
    from linreg.experiments.sweep_grid import Sweep


def sweep_finding(result: SweepResult) -> str:
    """In how many cells most runs converge on each side, and how many runs there are."""
    original, fixed = (_side_finding(result.sweep, shares) for shares in result.numbers["share"])
    inits = result.sweep.inits
    inits_text = "one init" if all(task.fixed_start for task in result.tasks) else f"{inits} inits"
    return (
        f"**Cells in which most runs converge: original {original}; fixed {fixed}.**"
        f" {result.runs:,} runs, {inits_text} a cell."
    )


def _side_finding(sweep: Sweep, shares: Float[np.ndarray, "rows columns"]) -> str:
    """In how many cells most runs converge, and the axis values that all these cells share."""
    converges = shares > 0.5
    text = f"{int(converges.sum()):,} of {int(np.isfinite(shares).sum()):,} cells"
    for key, values, has_cells in (
        (sweep.x, sweep.x_values, converges.any(0)),
        (sweep.y, sweep.y_values, converges.any(1)),
    ):
        if has_cells.sum() == 1 and len(values) > 1:
            shared = format_number(float(np.array(values)[has_cells][0]))
            text += f", all of them at {AXES[key].title} {shared}"
    return text
