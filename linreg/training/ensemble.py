"""Train thousands of runs at once, by compiled arithmetic on the moments of the batches.

The gradient of a batch is 2(A d − c), with A and c of the batch (see `Moments`): a step costs the
same for any number of rows. In double precision a run equals `linreg.train` step for step, up to
rounding."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar

import joblib
import numpy as np
from jaxtyping import Float, Int

from linreg.quadratic.moments import Moments
from linreg.settings.fields import SettingsError, shorten
from linreg.settings.optimizers import OPTIMIZERS
from linreg.training.kernels import LANES, RULES, SINGLE_LANE, Rule, compile_scores

MIN_RUNS_FOR_LANES = 3  # fewer are faster one after the other than side by side
NICE = 19  # the lowest priority that a thread can have
MIN_STEPS_FOR_THREADS = 4_000_000  # of all runs; fewer are done before a thread has started
HIGHEST = {  # values of hyperparameters, as in PyTorch, and the limit in words
    "betas": (np.nextafter(1.0, 0.0), "at least 0 and below 1"),
    "rho": (1.0, "from 0 to 1"),
}

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """R runs of P weights (the bias last, if any), recorded at S steps from 0 to the last.

    `diverged_at` is the first step at which the loss or a weight of a run is not finite, or −1.
    From that step on its weights are NaN."""

    steps: Int[np.ndarray, " S"]
    weights: Float[np.ndarray, "S R P"]
    diverged_at: Int[np.ndarray, " R"]

    @property
    def final(self) -> Float[np.ndarray, "R P"]:
        """The weights at the end of training."""
        weights: np.ndarray = self.weights[-1]
        return weights


def train_ensemble(
    moments: Moments | Sequence[Moments],
    init: Float[np.ndarray, "R P"],
    lr: float | Float[np.ndarray, " R"],
    optimizer: str = "RMSprop",
    *,
    steps: int,
    record_every: int = 1,
    groups: Int[np.ndarray, " R"] | None = None,
    **hyperparameters: Any,
) -> Ensemble:
    """Train R runs, each from its own initial weights `init` (R, P).

    `lr` is one learning rate, or one for each run. `moments` may hold several groups (other data,
    batch sizes or loss variants); `groups` (R,) is the index of each run's group, 0 by default. A
    run takes the batches of its group in turn, and starts over after the last one. Weights are
    recorded at every `record_every`-th step, at step 0 and at the last step. `hyperparameters` have
    the names and defaults of PyTorch; momentum is one of them.

    Runs on all cores, or as `joblib.parallel_config` says. Raises `SettingsError` for impossible
    values."""
    all_moments = (moments,) if isinstance(moments, Moments) else tuple(moments)
    init = np.ascontiguousarray(init, dtype=np.float64)  # (R, P)
    runs = len(init)
    rates = np.ascontiguousarray(np.broadcast_to(np.asarray(lr, dtype=np.float64), (runs,)))  # (R,)
    groups = np.zeros(runs, dtype=np.int64) if groups is None else np.asarray(groups)
    rule = _checked_rule(all_moments, init, rates, optimizer, groups, steps, record_every)
    plan = rule.plan.arrays(steps, **_with_defaults(rule, optimizer, hyperparameters))
    recorded = np.append(np.arange(0, steps, record_every), steps)  # (S,)
    chunks, tasks = [], []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        size = _chunk_size(len(members), steps)
        table, origin = _table(all_moments[group]), np.ascontiguousarray(all_moments[group].origin)
        for chunk in np.split(members, range(size, len(members), size)):
            start = init[chunk], rates[chunk]
            chunks.append(chunk)
            tasks.append((optimizer, table, origin, *start, plan, steps, record_every, recorded))
    if len(tasks) == 1:
        return Ensemble(recorded, *_train_chunk(tasks[0]))
    weights = np.empty((len(recorded), runs, init.shape[1]))  # (S, R, P)
    diverged_at = np.full(runs, -1)
    run_all = map if runs * steps <= MIN_STEPS_FOR_THREADS else in_parallel
    for chunk, result in zip(chunks, run_all(_train_chunk, tasks), strict=True):
        weights[:, chunk], diverged_at[chunk] = result
    return Ensemble(recorded, weights, diverged_at)


def in_parallel(
    work: Callable[[Task], Result], tasks: Iterable[Task], low_priority: bool = False
) -> Iterator[Result]:
    """The results of `work` on all tasks, in order, computed in parallel.

    Uses all cores, or what `joblib.parallel_config` says. Tasks are consumed lazily, so memory does
    not grow with their number. When the iterator is closed, running tasks are waited for, and no
    others are started. With `low_priority`, the threads get the lowest priority, on Linux."""
    closed = False

    def remaining() -> Iterator[Task]:
        for task in tasks:
            if closed:
                return
            yield task

    backend, _ = joblib.parallel.get_active_backend()
    if backend.nesting_level:  # this thread is a worker of joblib itself
        yield from map(work, tasks)
        return
    results = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(
        joblib.delayed(partial(_low_priority, work) if low_priority else work)(task)
        for task in remaining()
    )
    try:
        # not `yield from`, which would close joblib's generator, with a warning on pending tasks
        for result in results:  # noqa: UP028
            yield result
    finally:
        closed = True
        for _ in results:
            pass


def _low_priority(work: Callable[[Task], Result], task: Task) -> Result:
    """Do the work with the lowest priority; the thread, one of joblib's, ends with the work.

    A thread cannot raise its priority again."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    return work(task)


def precompile(parameters: int = 2) -> Iterator[str]:
    """Compile the kernels one by one, or load them from disk; yields the optimizer of each.

    The comparison of learning rates is compiled first."""
    compile_scores()
    for name, entry in OPTIMIZERS.items():
        for lanes in (LANES, SINGLE_LANE):
            RULES[entry.torch_name].kernel(parameters, lanes)
            yield name


def is_compiled(optimizer: str, parameters: int = 2) -> bool:
    """Whether the kernels of this optimizer are compiled, so that training starts at once."""
    return RULES[OPTIMIZERS[optimizer].torch_name].is_compiled(parameters)


def _train_chunk(task: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Train some runs of one group in this thread: their weights (S, R, P), `diverged_at` (R,)."""
    optimizer, table, origin, init, lr, (constants, schedule), steps, record_every, recorded = task
    lanes = LANES if len(init) >= MIN_RUNS_FOR_LANES else SINGLE_LANE
    kernel = RULES[OPTIMIZERS[optimizer].torch_name].kernel(init.shape[1], lanes)
    weights, diverged_at = np.empty((len(recorded), *init.shape)), np.full(len(init), -1)
    kernel(table, origin, init, lr, constants, schedule, steps, record_every, weights, diverged_at)
    if (diverged_at >= 0).any():
        weights[(diverged_at >= 0) & (recorded[:, None] >= diverged_at)] = np.nan  # (S, R)
    return weights, diverged_at


def _table(moments: Moments) -> np.ndarray:
    """The moments as the kernel reads them (see there), one row per batch."""
    A, c = 2 * moments.A, 2 * moments.c
    columns = [A[:, 0, 0], A[:, 0, 1], A[:, 1, 1], c[:, 0], c[:, 1], moments.s]
    if A.shape[1] == 3:
        columns += [A[:, 0, 2], A[:, 1, 2], A[:, 2, 2], c[:, 2]]
    return np.stack(columns, axis=1)  # (K, 6 or 10)


def _chunk_size(runs: int, steps: int) -> int:
    """How many runs a task has: a multiple of `LANES`, for about four tasks per core."""
    per_core = -(-runs // (4 * _cores()))
    least = -(-MIN_STEPS_FOR_THREADS // (4 * steps))
    return max(-(-max(per_core, least) // LANES) * LANES, LANES)


@cache
def _cores() -> int:
    """The number of cores; cached because joblib reads several files to find it."""
    return int(joblib.cpu_count())


def _checked_rule(
    moments: Sequence[Moments],
    init: np.ndarray,
    lr: np.ndarray,
    optimizer: str,
    groups: np.ndarray,
    steps: int,
    record_every: int,
) -> Rule:
    """The rule of the optimizer. Raises `SettingsError` if an argument is impossible."""
    if optimizer not in OPTIMIZERS:
        raise SettingsError(
            f"optimizer {shorten(optimizer)} is unknown; use one of {', '.join(OPTIMIZERS)}",
            "optimizer",
        )
    sizes = {part.A.shape[1] for part in moments}
    if sizes not in ({2}, {3}) or init.ndim != 2 or init.shape[1] not in sizes:
        given = " and ".join(map(str, sorted(sizes))) or "no"
        raise SettingsError(
            f"init of shape {init.shape} does not fit moments of {given} weights;"
            " use (R, 2) or (R, 3)",
            "init",
        )
    if not np.isfinite(init).all():
        raise SettingsError("initial weights must be finite; remove the runs whose are not", "init")
    possible = np.isfinite(lr) & (lr > 0)
    if not possible.all():
        bad = lr[~possible][0]
        raise SettingsError(
            f"learning rate {shorten(float(bad))} is not possible; use a finite number above 0",
            "lr",
        )
    for name, value in (("steps", steps), ("record_every", record_every)):
        if value < 1:
            raise SettingsError(
                f"{name} {value} is not possible; use a whole number at least 1", name
            )
    if groups.shape != (len(init),) or (
        len(init) and (groups.min() < 0 or groups.max() >= len(moments))
    ):
        raise SettingsError(
            f"groups must name one of {len(moments)} moments for each of {len(init)} runs", "groups"
        )
    return RULES[OPTIMIZERS[optimizer].torch_name]


def _with_defaults(rule: Rule, optimizer: str, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """The hyperparameters, with those of the registry; a momentum of 0 counts as not given.

    Raises `SettingsError` for unknown names and impossible values."""
    momentum = hyperparameters.get("momentum", 0.0)
    if not momentum:
        hyperparameters = {
            name: value for name, value in hyperparameters.items() if name != "momentum"
        }
        if OPTIMIZERS[optimizer].needs_momentum:
            raise SettingsError(f"{optimizer} needs momentum; use 0.9, for example", "momentum")
    elif not 0 < momentum < np.inf:
        raise SettingsError(
            f"momentum {shorten(float(momentum))} is not possible; use a finite number at least 0",
            "momentum",
        )
    for name in hyperparameters:
        if name not in rule.plan.hyperparameters:
            raise SettingsError(
                f"{optimizer} has no {shorten(name)}; use {', '.join(rule.plan.hyperparameters)}",
                name,
            )
    for name, value in hyperparameters.items():
        for number in value if isinstance(value, tuple) else (value,):
            end, limit = HIGHEST.get(name, (np.inf, "at least 0"))
            if not 0 <= number < np.inf or number > end:
                raise SettingsError(
                    f"{shorten(name)} {shorten(float(number))} is not possible;"
                    f" use a number {limit}",
                    name,
                )
    return {**OPTIMIZERS[optimizer].options, **hyperparameters}
