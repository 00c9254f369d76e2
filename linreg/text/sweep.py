"""The sweep page in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from linreg.settings.fields import format_number
from linreg.settings.sweep_axes import AXES

if TYPE_CHECKING:
    from linreg.experiments.sweep import SweepResult


def sweep_finding(result: SweepResult) -> str:
    """In how many cells most runs converge on each side, whether these cells share one value of an
    axis, and how many runs there are."""
    sweep, said = result.sweep, []
    for shares in result.numbers["share"]:  # (rows, columns)
        good = shares > 0.5
        where = ""
        for values, key, at in (
            (sweep.x_values, sweep.x, good.any(0)),
            (sweep.y_values, sweep.y, good.any(1)),
        ):
            if at.sum() == 1 and len(values) > 1:
                only = format_number(float(np.array(values)[at][0]))
                where += f", all of them at {AXES[key].title} {only}"
        said.append(f"{int(good.sum()):,} of {int(np.isfinite(shares).sum()):,} cells{where}")
    inits = "one init" if all(task.fixed_start for task in result.tasks) else f"{sweep.inits} inits"
    return (
        f"**Cells in which most runs converge: original {said[0]}; fixed {said[1]}.**"
        f" {result.runs:,} runs, {inits} a cell."
    )
