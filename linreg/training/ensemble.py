"""Training as exact algebra on the moments of the batches: thousands of runs at once, compiled.

The gradient of a batch's mean squared error is 2(A d − c), with the batch's own A and c: no row is
visited twice. In double precision a run equals `linreg.train` step for step, but for rounding."""

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

FEW = 3  # runs that take less time one after the other than in lanes that stand empty
NICE = 19  # as `nice` counts: the most
WORTH_A_THREAD = 4_000_000  # steps of all runs; fewer are done before another thread has begun

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """R runs, recorded at S steps, the first 0 and the last the end of training; P weights, the
    bias last if there is one.

    `diverged_at` is the first step at which a run's loss or a weight of it is not finite, −1 for a
    run that stayed finite. From that step on its weights are NaN."""

    steps: Int[np.ndarray, " S"]
    weights: Float[np.ndarray, "S R P"]
    diverged_at: Int[np.ndarray, " R"]

    @property
    def final(self) -> Float[np.ndarray, "R P"]:
        """The weights at the end."""
        last: np.ndarray = self.weights[-1]
        return last


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
    """Train R runs, each from its own init (R, P) with its own `lr`, for so many steps.

    `moments` may hold several groups (other data, batch sizes, wirings); `groups` (R,) says which
    is each run's, all the first unless given. A run takes its group's batches in turn and begins
    again when they end. `record_every` thins the record; the init and the last step are always
    kept. `hyperparameters` are PyTorch's own names and defaults, momentum among them. On all cores,
    or where `joblib.parallel_config` says. Raises `SettingsError` for what is not possible, and
    names it."""
    parts = (moments,) if isinstance(moments, Moments) else tuple(moments)
    init = np.ascontiguousarray(init, dtype=np.float64)  # (R, P)
    runs = len(init)
    rates = np.ascontiguousarray(np.broadcast_to(np.asarray(lr, dtype=np.float64), (runs,)))  # (R,)
    groups = np.zeros(runs, dtype=np.int64) if groups is None else np.asarray(groups)
    rule = _checked(parts, init, rates, optimizer, groups, steps, record_every)
    plan = rule.planned(steps, **_with_defaults(rule, optimizer, hyperparameters))
    recorded = np.append(np.arange(0, steps, record_every), steps)  # (S,)
    tasks = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        size = _chunk(len(members), steps)
        table, origin = _table(parts[group]), np.ascontiguousarray(parts[group].origin)
        for chunk in np.split(members, range(size, len(members), size)):
            tasks.append(
                (
                    chunk,
                    (
                        optimizer,
                        table,
                        origin,
                        init[chunk],
                        rates[chunk],
                        plan,
                        steps,
                        record_every,
                        recorded,
                    ),
                )
            )
    if len(tasks) == 1:
        return Ensemble(recorded, *_trained(tasks[0][1]))
    weights = np.empty((len(recorded), runs, init.shape[1]))  # (S, R, P)
    diverged_at = np.full(runs, -1)
    direct = runs * steps <= WORTH_A_THREAD
    results = (
        map(_trained, (task for _, task in tasks))
        if direct
        else in_parallel(_trained, (task for _, task in tasks))
    )
    for (chunk, _), (part, lost) in zip(tasks, results, strict=True):
        weights[:, chunk], diverged_at[chunk] = part, lost
    return Ensemble(recorded, weights, diverged_at)


def in_parallel(
    work: Callable[[Task], Result], tasks: Iterable[Task], behind: bool = False
) -> Iterator[Result]:
    """`work` on every task, in their order, on all cores or where `joblib.parallel_config` says.

    Tasks are drawn as they are needed, so with results that are small the memory stays flat however
    many there are. When the iterator is closed, what has begun is waited for and nothing more is
    drawn. With `behind` the threads stand back for all others of this process, where the system has
    priorities of threads."""
    closed = False

    def drawn() -> Iterator[Task]:
        for task in tasks:
            if closed:
                return
            yield task

    backend, _ = joblib.parallel.get_active_backend()
    if backend.nesting_level:  # this thread is itself one of many
        yield from map(work, tasks)
        return
    results = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(
        joblib.delayed(partial(_low_priority, work) if behind else work)(task) for task in drawn()
    )
    try:
        for result in results:  # noqa: UP028  # `yield from` would close joblib's generator, which warns of what is left
            yield result
    finally:
        closed = True
        for _ in results:
            pass


def _low_priority(work: Callable[[Task], Result], task: Task) -> Result:
    """In a thread of joblib's that ends with its work: a priority that is given up does not come
    back."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    return work(task)


def precompile(parameters: int = 2) -> Iterator[str]:
    """Compile the kernels, or load them from the disk, one each time that the iterator is asked;
    yields their optimizers.

    First comes what compares learning rates."""
    compile_scores()
    for name, entry in OPTIMIZERS.items():
        for lanes in (LANES, SINGLE_LANE):
            RULES[entry.torch_name].kernel(parameters, lanes)
            yield name


def is_compiled(optimizer: str, parameters: int = 2) -> bool:
    """Whether an ensemble of this optimizer would begin at once, with nothing left to compile."""
    return RULES[OPTIMIZERS[optimizer].torch_name].ready(parameters)


def _trained(task: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The record (S, R, P) and `diverged_at` (R,) of some runs of one group, in this thread."""
    optimizer, table, origin, init, lr, (constants, schedule), steps, record_every, recorded = task
    kernel = RULES[OPTIMIZERS[optimizer].torch_name].kernel(
        init.shape[1], LANES if len(init) >= FEW else SINGLE_LANE
    )
    weights, diverged_at = np.empty((len(recorded), *init.shape)), np.full(len(init), -1)
    kernel(table, origin, init, lr, constants, schedule, steps, record_every, weights, diverged_at)
    if (diverged_at >= 0).any():
        weights[(diverged_at >= 0) & (recorded[:, None] >= diverged_at)] = np.nan  # (S, R)
    return weights, diverged_at


def _table(moments: Moments) -> np.ndarray:
    """The moments as the kernel reads them, a batch a row."""
    A, c = 2 * moments.A, 2 * moments.c
    columns = [A[:, 0, 0], A[:, 0, 1], A[:, 1, 1], c[:, 0], c[:, 1], moments.s]
    if A.shape[1] == 3:
        columns += [A[:, 0, 2], A[:, 1, 2], A[:, 2, 2], c[:, 2]]
    return np.stack(columns, axis=1)  # (K, 6 or 10)


def _chunk(runs: int, steps: int) -> int:
    """How many runs go to a thread at once: whole blocks of lanes, a few chunks for each core, none
    of them tiny."""
    fair = -(-runs // (4 * _cores()))
    worth = -(-WORTH_A_THREAD // (4 * steps))
    return max(-(-max(fair, worth) // LANES) * LANES, LANES)


@cache
def _cores() -> int:
    """joblib reads several files to tell, each time anew."""
    return int(joblib.cpu_count())


def _checked(
    moments: Sequence[Moments],
    init: np.ndarray,
    lr: np.ndarray,
    optimizer: str,
    groups: np.ndarray,
    steps: int,
    record_every: int,
) -> Rule:
    """The optimizer's rule, once all that was asked for is possible."""
    if optimizer not in OPTIMIZERS:
        raise SettingsError(
            f"optimizer {shorten(optimizer)} is unknown; use one of {', '.join(OPTIMIZERS)}",
            "optimizer",
        )
    sizes = {part.A.shape[1] for part in moments}
    if sizes not in ({2}, {3}) or init.ndim != 2 or init.shape[1] not in sizes:
        given = " and ".join(map(str, sorted(sizes))) or "no"
        raise SettingsError(
            f"init of shape {init.shape} does not fit moments of {given} weights; use (R, 2) or (R,"
            " 3)",
            "init",
        )
    if not np.isfinite(init).all():
        raise SettingsError("initial weights must be finite; remove the runs whose are not", "init")
    if not (np.isfinite(lr) & (lr > 0)).all():
        bad = lr[~(np.isfinite(lr) & (lr > 0))][0]
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
    """The hyperparameters with the registry's own; a momentum of 0 is none, and as good as not
    given."""
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
        if name not in rule.hyperparameters:
            raise SettingsError(
                f"{optimizer} has no {shorten(name)}; use {', '.join(rule.hyperparameters)}", name
            )
    for name, value in hyperparameters.items():
        for part in value if isinstance(value, tuple) else (value,):
            if not 0 <= part < (1 if name == "betas" else np.inf):  # as PyTorch
                limit = "at least 0" + " and below 1" * (name == "betas")
                raise SettingsError(
                    f"{shorten(name)} {shorten(float(part))} is not possible; use a number {limit}",
                    name,
                )
    return {**OPTIMIZERS[optimizer].options, **hyperparameters}
