"""One cache for all visitors with one budget in bytes, and the experiments' computations behind it.

Keys are settings, never arrays. What is in the cache is shared: nothing changes it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from linreg.data.dataset import Dataset
from linreg.data.tables import make_data
from linreg.experiments import pytorch_calls
from linreg.experiments.claim_trials import of_seed
from linreg.experiments.optimizer_paths import Paths
from linreg.experiments.resources import (
    Resources,
    Starts,
    batches_of,
    least_squares_weights,
    optimizer_paths,
    tuned_rate,
)
from linreg.experiments.sweep_grid import CellStats, Task, run_tasks
from linreg.quadratic.evaluation import Baseline, baseline
from linreg.quadratic.moments import Moments, batch_moments
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import loss_surface
from linreg.settings.limits import LIMITS
from linreg.settings.model import Data, Settings, TableSettings
from linreg.training.worker import PYTORCH, Progress

if TYPE_CHECKING:
    from linreg.training.run import Run

P = ParamSpec("P")
R = TypeVar("R")
KEPT_AT_LEAST = 8  # values, however large: what a page computes it also shows
POLL_SECONDS = 0.1  # between two looks at what others compute
ENTRY_BYTES = 500  # of a value beside its arrays: the key and the objects around them


def size_in_bytes(value: Any) -> int:
    """About how many bytes a value takes: its arrays, tables and texts."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, pd.DataFrame):
        return int(value.memory_usage(deep=False).sum())
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(size_in_bytes, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(size_in_bytes, value))
    if is_dataclass(value):
        return sum(size_in_bytes(getattr(value, entry.name)) for entry in fields(value))
    return 8


class Cache:
    """The values used last, as many as fit into a budget of bytes.

    A value that several threads ask for at once is computed by one of them; the others wait for it.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._computing: dict[Hashable, threading.Event] = {}

    def get(self, key: Hashable) -> Any:
        """The value of a key, or None where it is not kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value, and drop those that have not been used for longest until all fit."""
        size = size_in_bytes(value) + ENTRY_BYTES
        with self._lock:
            self._bytes -= self._values.pop(key, (None, 0))[1]
            self._values[key] = value, size
            self._bytes += size
            while self._bytes > self._budget and len(self._values) > KEPT_AT_LEAST:
                _, (_, dropped) = self._values.popitem(last=False)
                self._bytes -= dropped

    def get_or_compute(
        self, key: Hashable, compute: Callable[[], R], keep: Callable[[R], bool] = lambda _: True
    ) -> R:
        """The value of a key, computed by the first who asks for it, and kept where `keep` says so.

        None is never kept.
        """
        while True:
            found: R | None = self.get(key)
            if found is not None:
                return found
            with self._lock:
                others = self._computing.get(key)
                if others is None:
                    self._computing[key] = threading.Event()
            if others is not None:
                others.wait()
                continue  # it is there now, unless its computation failed
            try:
                found = compute()
                if found is not None and keep(found):
                    self.put(key, found)
                return found
            finally:
                with self._lock:
                    self._computing.pop(key).set()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._bytes = 0


CACHE = Cache(LIMITS.cache_bytes)


def cached(function: Callable[P, R]) -> Callable[P, R]:
    """A function of hashable arguments whose results are kept in the one cache."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        key = (function.__module__, function.__qualname__, args, tuple(sorted(kwargs.items())))
        return CACHE.get_or_compute(key, lambda: function(*args, **kwargs))

    return wrapped


# ---- what the experiments are computed from ------------------------------------------------------


@cached
def table_of(data: Data) -> Dataset:
    """The table of the settings: synthetic, or from a file."""
    return make_data(data)


@cached
def _surface_of_batches(batches: Settings) -> Quadratic:
    return loss_surface(table_of(batches.data), batches)


def surface_of(settings: Settings) -> Quadratic:
    """The loss surface that a run descends on."""
    return _surface_of_batches(batches_of(settings))


@cached
def _least_squares_of(data: Data, bias: bool) -> np.ndarray:
    return least_squares_weights(table_of(data), bias)


@cached
def _moments_of_batches(batches: Settings) -> Moments:
    return batch_moments(table_of(batches.data), batches)


def moments_of(settings: Settings) -> Moments:
    """The quadratic of every batch."""
    return _moments_of_batches(batches_of(settings))


@cached
def baseline_of(data: Data, bias: bool) -> Baseline:
    """What the runs on a table are measured against."""
    return baseline(table_of(data), bias)


@cached
def _tuned_of_batches(
    batches: Settings, optimizer: str, starts: Starts, steps: int, momentum: float
) -> float:
    return tuned_rate(moments_of(batches), optimizer, starts, steps, momentum)


def _tuned(
    settings: Settings, optimizer: str, starts: Starts, steps: int, momentum: float
) -> float:
    return _tuned_of_batches(batches_of(settings), optimizer, starts, steps, momentum)


@cached
def _paths(settings: Settings, optimizer: str, lr: float, starts: Starts) -> Paths:
    return optimizer_paths(moments_of(settings), settings, optimizer, lr, starts)


# ---- what takes long -----------------------------------------------------------------------------


class TrainedRuns:
    """Runs by PyTorch, trained in its own process, and how fast that went."""

    def __init__(self) -> None:
        self.seconds_per_step: dict[tuple[Any, ...], float] = {}

    def get(self, key: Settings) -> Run | None:
        """The run of these settings, if it is kept."""
        found: Run | None = CACHE.get(("run", key))
        return found

    def compute(self, keys: Sequence[Settings], progress: Progress | None = None) -> None:
        """Train these settings; a comparison that many open at once is trained once."""
        for run in self.train(keys, progress=progress):
            if run.diverged_at is None:  # its seconds are those of all its steps
                self.seconds_per_step[speed_key(run.settings)] = run.seconds / len(run.losses)
            CACHE.put(("run", run.settings), run)

    def train(
        self,
        keys: Sequence[Settings],
        table: Dataset | None = None,
        progress: Progress | None = None,
    ) -> list[Run]:
        """Train in PyTorch's process; what `progress` raises ends the training, unless others wait
        for the same. A file's table is sent along, a synthetic one is drawn there."""
        if table is None and isinstance(keys[0].data, TableSettings):
            table = table_of(keys[0].data)
        if table is not None:  # the reader's own type of it would import Arrow there: 24 MB
            table = Dataset(table.X, table.y, table.features, table.target)
        return PYTORCH.call(
            pytorch_calls.train, list(keys), table, progress=progress, dedupe_key=tuple(keys)
        )


def speed_key(settings: Settings) -> tuple[Any, ...]:
    """What the seconds per step of a run depend on."""
    return settings.wiring, settings.batch_size, settings.optimizer


class SweepCells:
    """Cells of sweeps, computed in this process with a low priority.

    A task that another visitor's sweep is running already is waited for.
    """

    def __init__(self) -> None:
        self._running: set[Task] = set()
        self._lock = threading.Lock()

    def get(self, key: Task) -> CellStats | None:
        """The cells of a task, if they are kept."""
        found: CellStats | None = CACHE.get(("cells", key))
        return found

    def compute(self, keys: Sequence[Task], progress: Progress | None = None) -> None:
        """Run these tasks; each is kept as soon as it is done. Progress counts runs."""
        missing, total = dict.fromkeys(keys), sum(task.runs for task in keys)

        def report() -> None:
            if progress:
                progress(total - sum(task.runs for task in missing), total)

        while missing:
            mine = self._claim(missing)
            try:
                for task, found in zip(mine, run_tasks(mine, low_priority=True), strict=True):
                    CACHE.put(("cells", task), found)
                    del missing[task]
                    report()
            finally:
                with self._lock:
                    self._running.difference_update(mine)
            if missing:
                time.sleep(POLL_SECONDS)
                missing = {task: None for task in missing if self.get(task) is None}
                report()

    def _claim(self, tasks: Iterable[Task]) -> list[Task]:
        """Those of the tasks that nobody runs; from now on the caller does."""
        with self._lock:
            mine = [task for task in tasks if task not in self._running]
            self._running.update(mine)
            return mine


class ClaimSeeds:
    """The claims' experiments by seed; visitors who wait for the same seeds share them."""

    def get(self, key: int) -> Mapping[Settings, Any] | None:
        """What every experiment came to with a seed, if it is kept."""
        found: Mapping[Settings, Any] | None = CACHE.get(("seed", key))
        return found

    def compute(self, keys: Sequence[int], progress: Progress | None = None) -> None:
        """Run every experiment with these seeds."""
        for done, seed in enumerate(keys, 1):
            CACHE.get_or_compute(("seed", seed), lambda seed=seed: of_seed(seed))  # type: ignore[misc]
            if progress:
                progress(done, len(keys))


def _cached(function: Callable[..., R], *key: Any) -> R:
    return CACHE.get_or_compute(
        (function.__module__, function.__qualname__, key), lambda: function(*key, RESOURCES)
    )


def _demo(function: Callable[..., R], *arguments: Any) -> R:
    values = tuple(one.tobytes() if isinstance(one, np.ndarray) else one for one in arguments)
    key = ("demo", function.__module__, function.__qualname__, values)

    def compute() -> R:
        with st.spinner("Asking PyTorch …"):
            return PYTORCH.call(function, *arguments)

    return CACHE.get_or_compute(key, compute)


RUNS = TrainedRuns()
RESOURCES = Resources(
    table=table_of,
    surface=surface_of,
    moments=moments_of,
    least_squares=_least_squares_of,
    baseline=baseline_of,
    tuned=_tuned,
    paths=_paths,
    runs=RUNS,
    cells=SweepCells(),
    seeds=ClaimSeeds(),
    cached=_cached,
    demo=_demo,
)


def result_of(run: Callable[..., R], *question: Any) -> R:
    """The result of an experiment's `run` for a comparison, a view or both; kept once complete."""

    def compute() -> R:
        return run(*question, RESOURCES)

    key = ("result", run.__module__, run.__qualname__, question)
    return CACHE.get_or_compute(key, compute, lambda found: getattr(found, "complete", True))
