"""The command `sweep`: two settings varied over a grid of cells."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from linreg.cli.output import (
    counting,
    unmarked,
    wrapped,
)
from linreg.cli.request import resolve, resolve_view
from linreg.cli.result_output import SIDES, emit, link_of, where_to_open
from linreg.experiments import sweep as sweep_experiments
from linreg.experiments.backends import BACKENDS
from linreg.experiments.resources import local_resources
from linreg.experiments.sweep import SweepResult
from linreg.experiments.sweep_grid import Sweep
from linreg.settings.fields import SettingsError, format_number
from linreg.settings.model import LABELS, TableSettings
from linreg.settings.pages import SweepView
from linreg.settings.sweep_axes import AXES
from linreg.text import comparison as comparison_text
from linreg.text import numbers as numbers_text
from linreg.text import sweep as sweep_text

SHADES = "·░▒▓█"  # nothing, three parts of what lies between, all


def sweep(chosen: SimpleNamespace) -> None:
    """Two settings varied over a grid of cells, as on the sweep page."""
    wanted = resolve(chosen)
    asked, view = wanted.comparison, resolve_view(SweepView, chosen, wanted.link)
    if wanted.table and chosen.backend == "dask" and isinstance(asked.original.data, TableSettings):
        raise SettingsError(
            "a file of yours is not on the cluster's workers; use --backend cores, or the synthetic"
            " data"
        )
    with BACKENDS[chosen.backend](chosen.scheduler) as run_all:
        resources = local_resources(run_all)
        work = sweep_experiments.outstanding(asked, view, resources)
        runs = sum(task.runs for task in work.keys)
        with counting(f"{runs:,} runs") as progress:
            work.run(progress)
    result = sweep_experiments.run(asked, view, resources)
    finding = sweep_text.sweep_finding(result)
    emit(
        chosen,
        lambda: _sweep_text(result, finding),
        lambda: _sweep_numbers(result, finding),
        lambda: _sweep_rows(result),
    )


def _sweep_text(result: SweepResult, finding: str) -> str:
    metric, scale, asked = result.metric, result.color_limits, result.sweep.comparison
    parts = [wrapped(finding), wrapped(comparison_text.setup(asked))]
    parts += [
        f"{label}: {metric.title}\n\n{_map(result.sweep, values, scale, metric.log)}"
        for label, values in zip(LABELS, result.values, strict=True)
    ]
    low, high = map(format_number if metric.known else numbers_text.quantity, scale)
    between = "in thirds of its ratio" if metric.log else "in thirds"
    empty = "   empty: there is none" if np.isnan(result.values).any() else ""
    parts.append(
        f"{SHADES[0]} {low}   {' '.join(SHADES[1:-1])} between, {between}   {SHADES[-1]} {high}"
        f"{empty}"
    )
    return "\n\n".join([*parts, f"{where_to_open(asked)}: /sweep{link_of(asked, result.view)}"])


def _sweep_numbers(result: SweepResult, finding: str) -> dict[str, Any]:
    grid = result.sweep
    return {
        "link": f"/sweep{link_of(grid.comparison, result.view)}",
        "finding": unmarked(finding),
        "x": {"setting": grid.x, "values": grid.x_values},
        "y": {"setting": grid.y, "values": grid.y_values},
        "inits": grid.inits,
        "steps": grid.steps,
        "runs": result.runs,
    } | {
        side: {name: values[index] for name, values in result.numbers.items()}
        for index, side in enumerate(SIDES)
    }


def _sweep_rows(result: SweepResult) -> list[list[Any]]:
    grid, found = result.sweep, result.numbers
    rows: list[list[Any]] = [[grid.x, grid.y, "side", *found]]
    for index, side in enumerate(SIDES):
        for row, y in enumerate(grid.y_values):
            for column, x in enumerate(grid.x_values):
                rows.append(
                    [x, y, side, *(values[index, row, column] for values in found.values())]
                )
    return rows


def _map(grid: Sweep, values: np.ndarray, scale: tuple[float, float], log: bool) -> str:
    """A side's cells as shades, the largest value of the vertical axis on top."""
    labels = [format_number(y) for y in grid.y_values]
    margin = max(map(len, labels))
    lines = [f"{AXES[grid.y].title} ↑"]
    lines += [
        f"{label:>{margin}} {''.join(_shade(value, scale, log) for value in row)}"
        for label, row in reversed(list(zip(labels, values, strict=True)))
    ]
    first, last = format_number(grid.x_values[0]), format_number(grid.x_values[-1])
    title, gap = f"{AXES[grid.x].title} →", max(len(grid.x_values) - len(first) - len(last), 2)
    fits = len(title) + 2 <= gap
    lines.append(f"{'':{margin}} {first}{title if fits else '':^{gap}}{last}")
    return "\n".join(
        line.rstrip() for line in (lines if fits else [*lines, f"{'':{margin}} {title}"])
    )


def _shade(value: float, scale: tuple[float, float], log: bool) -> str:
    if math.isnan(value):
        return " "
    low, high = scale
    if value <= low or value >= high:
        return SHADES[0] if value <= low else SHADES[-1]
    share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
    return SHADES[1 + min(int(3 * share), 2)]
