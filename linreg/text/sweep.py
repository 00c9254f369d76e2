"""The sweep page in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg.settings.fields import format_number

if TYPE_CHECKING:
    from linreg.experiments.sweep import Sweep, Task


def sweep_finding(sweep: Sweep, shares: np.ndarray, tasks: Sequence[Task]) -> str:
    """In how many cells most runs converge, side by side, whether that is at one value of an axis,
    and how many runs."""
    from linreg.settings.sweep_axes import AXES

    said = []
    for share_of in shares:  # (rows, columns)
        good = share_of > 0.5
        where = ""
        for values, key, at in (
            (sweep.x_values, sweep.x, good.any(0)),
            (sweep.y_values, sweep.y, good.any(1)),
        ):
            if at.sum() == 1 and len(values) > 1:
                where += f", all of them at {AXES[key].title} {format_number(float(np.array(values)[at][0]))}"
        said.append(f"{int(good.sum()):,} of {int(np.isfinite(share_of).sum()):,} cells{where}")
    runs = sum(task.runs for task in tasks)
    inits = "one init" if all(task.fixed_start for task in tasks) else f"{sweep.inits} inits"
    return f"**Cells in which most runs converge: original {said[0]}; fixed {said[1]}.** {runs:,} runs, {inits} a cell."
