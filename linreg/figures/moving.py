"""The runs behind the figures of a page, as a browser replays them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from linreg.experiments.comparison import ComparisonResult
from linreg.experiments.optimizer_paths import Paths
from linreg.experiments.surface import SurfaceResult
from linreg.figures.optimizer_paths import early_rows

MAX_STEPS = 3_000  # of a run whose steps are all sent
EVEN_STEPS, EARLY_STEPS = 2_500, 400  # of a longer one; a replay of 8 s has 480 frames
MAX_POINTS = 20_000  # of all paths of the surface page


@dataclass(frozen=True, eq=False)
class MovingRun:
    """A run of the side `label`; at a step, the browser shows the last record up to that step.

    `losses` are those at the recorded steps, except at the last one, where there is none.
    """

    label: str
    optimizer: str
    steps: Int[np.ndarray, " S"]
    weights: Float[np.ndarray, "S P"]
    losses: Float[np.ndarray, " S-1"] | None = None
    diverged_at: int | None = None


def runs_of_comparison(result: ComparisonResult) -> list[MovingRun]:
    """The runs of both sides."""
    moving = []
    for label, run in zip((side.label for side in result.sides), result.runs, strict=True):
        steps = _recorded(len(run.losses))
        moving.append(
            MovingRun(
                label,
                run.settings.optimizer,
                steps,
                run.weights[steps],
                run.losses[steps[:-1]],
                run.diverged_at,
            )
        )
    return moving


def frame_steps(last: int) -> int:
    """How many steps a frame of a replay to step `last` goes on: 1 where all steps are sent."""
    return 1 if last <= MAX_STEPS else -(-last // EVEN_STEPS)


def _recorded(last: int) -> Int[np.ndarray, " S"]:
    """The steps from 0 to `last` that a browser gets: all, or those of the frames and, at growing
    distances, early ones, in which a path is longest."""
    evenly = np.append(np.arange(0, last + 1, frame_steps(last)), last)
    if last <= MAX_STEPS:
        return np.unique(evenly)
    early = np.rint(np.geomspace(1, last + 1, EARLY_STEPS)).astype(int) - 1
    return np.union1d(evenly, early)


def runs_of_surface(result: SurfaceResult) -> list[MovingRun]:
    """The runs of every optimizer from every start on every shown surface."""
    count = sum(path.weights.shape[1] for panel in result.panels for path in panel.paths)
    most = MAX_POINTS // max(count, 1)
    return [
        _run_of_path(panel.label, path, run, most)
        for panel in result.panels
        for path in panel.paths
        for run in range(path.weights.shape[1])
    ]


def _run_of_path(label: str, path: Paths, run: int, most: int) -> MovingRun:
    """One run of a path, up to the last record before it diverges."""
    diverged_at = int(path.diverged_at[run])
    rows = len(path.steps)
    if diverged_at >= 0:
        rows = max(int(np.searchsorted(path.steps, diverged_at, side="left")), 1)
    kept = np.arange(rows)
    if rows > most:  # the first steps densely, and all of it evenly
        evenly = np.linspace(0, rows - 1, max(most // 2, 2)).astype(int)
        kept = np.union1d(evenly, early_rows(path.steps[:rows]))
    return MovingRun(
        label,
        path.optimizer,
        path.steps[kept],
        _compact(path.weights[kept, run, :2]),
        diverged_at=None if diverged_at < 0 else diverged_at,
    )


def _compact(weights: Float[np.ndarray, "S P"]) -> Float[np.ndarray, "S P"]:
    """The weights in single precision, half the bytes, where its range suffices."""
    return weights if np.abs(weights).max(initial=0) > 1e30 else weights.astype(np.float32)
