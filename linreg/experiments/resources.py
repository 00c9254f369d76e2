"""The computations that the pages share, each asked for by its settings.

`local_resources()` has the plain ones, which remember what they have computed. The app passes its
own, which share one bounded cache between all visitors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from linreg.data.dataset import Dataset
from linreg.data.tables import make_data
from linreg.experiments.claim_trials import of_seed
from linreg.experiments.optimizer_paths import Paths, paths, tuned_lr
from linreg.experiments.sweep_grid import CellStats, Task, run_tasks
from linreg.experiments.work import LocalStore, Store
from linreg.quadratic.evaluation import Baseline, baseline
from linreg.quadratic.least_squares import least_squares, with_ones
from linreg.quadratic.moments import Moments, batch_moments
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import loss_surface
from linreg.settings.changes import fitting_momentum
from linreg.settings.model import Data, Settings
from linreg.settings.wirings import ALL_PAIRS, MATCHED, WIRINGS
from linreg.training.worker import Progress

if TYPE_CHECKING:
    from linreg.training.run import Run

Starts = tuple[tuple[float, ...], ...]  # one tuple of initial weights for each run


@dataclass(frozen=True)
class Resources:
    """What the experiments are computed from.

    `runs`, `cells` and `seeds` hold what takes long: trainings by PyTorch, cells of sweeps, and the
    claims' experiments by seed. `cached(function, *key)` is `function(*key, resources)`, computed
    once for each key. `demo` runs a function that needs PyTorch, here or elsewhere.
    """

    table: Callable[[Data], Dataset]
    surface: Callable[[Settings], Quadratic]
    moments: Callable[[Settings], Moments]  # of `batches_of` the settings
    least_squares: Callable[[Data, bool], Any]  # (P,), with a bias or without
    baseline: Callable[[Data, bool], Baseline]
    tuned: Callable[[Settings, str, Starts, int, float], float]  # a learning rate
    paths: Callable[[Settings, str, float, Starts], Paths]
    runs: Store[Settings, Run]
    cells: Store[Task, CellStats]
    seeds: Store[int, Mapping[Settings, Any]]
    cached: Callable[..., Any]
    demo: Callable[..., Any]


def batches_of(settings: Settings) -> Settings:
    """The settings with only what moments and loss surface depend on, so that runs which share
    their batches ask for the same."""
    variant = ALL_PAIRS if WIRINGS[settings.wiring].pairs else MATCHED
    order: dict[str, Any] = {"epochs": 1}
    if settings.shuffle:
        order = {"shuffle": True, "epochs": settings.epochs, "seed": settings.seed}
    return Settings(
        settings.data, wiring=variant, batch_size=settings.batch_size, bias=settings.bias, **order
    )


def least_squares_weights(table: Dataset, bias: bool) -> np.ndarray:
    """The least-squares weights (P,) of a table; the bias last, if there is one."""
    return least_squares(with_ones(table.X) if bias else table.X, table.y)


def tuned_rate(
    moments: Moments, optimizer: str, starts: Starts, steps: int, momentum: float
) -> float:
    """The learning rate that suits an optimizer best from these starts."""
    return tuned_lr(moments, optimizer, np.array(starts), steps, momentum)


def optimizer_paths(
    moments: Moments, settings: Settings, optimizer: str, lr: float, starts: Starts
) -> Paths:
    """An optimizer's paths from these starts, for the steps of the settings."""
    momentum = fitting_momentum(optimizer, settings.momentum)
    return paths(moments, optimizer, lr, np.array(starts), settings.steps, momentum)


def local_resources(
    run_all: Callable[[Sequence[Task]], Iterable[CellStats]] = run_tasks,
) -> Resources:
    """The plain computations, each result remembered for as long as the returned object lives.

    `run_all` runs the tasks of sweeps, on this machine or elsewhere.
    """
    table = cache(make_data)

    def of_batches(compute: Callable[[Dataset, Settings], Any]) -> Callable[[Settings], Any]:
        known = cache(lambda batches: compute(table(batches.data), batches))
        return lambda settings: known(batches_of(settings))

    moments_of = of_batches(batch_moments)

    def train_all(
        keys: Sequence[Settings], progress: Progress | None
    ) -> Iterator[tuple[Settings, Run]]:
        from linreg.training.pytorch import train

        if keys:
            yield from zip(keys, train(keys, table(keys[0].data), progress), strict=True)

    def run_cells(
        tasks: Sequence[Task], progress: Progress | None
    ) -> Iterator[tuple[Task, CellStats]]:
        runs, done = sum(task.runs for task in tasks), 0
        for task, found in zip(tasks, run_all(tasks), strict=True):
            yield task, found
            done += task.runs
            if progress:
                progress(done, runs)

    @cache
    def cached(function: Callable[..., Any], *key: Any) -> Any:
        return function(*key, found)

    found = Resources(
        table=table,
        surface=of_batches(loss_surface),
        moments=moments_of,
        least_squares=cache(lambda data, bias: least_squares_weights(table(data), bias)),
        baseline=cache(lambda data, bias: baseline(table(data), bias)),
        tuned=cache(lambda settings, *how: tuned_rate(moments_of(settings), *how)),
        paths=cache(lambda settings, *how: optimizer_paths(moments_of(settings), settings, *how)),
        runs=LocalStore(train_all),
        cells=LocalStore(run_cells),
        seeds=LocalStore(_run_seeds),
        cached=cached,
        demo=lambda function, *arguments: function(*arguments),
    )
    return found


def _run_seeds(
    seeds: Sequence[int], progress: Progress | None
) -> Iterator[tuple[int, Mapping[Settings, Any]]]:
    # One after the other: so many short steps of NumPy take longer in two threads than in one.
    for done, seed in enumerate(seeds, 1):
        yield seed, of_seed(seed)
        if progress:
            progress(done, len(seeds))
