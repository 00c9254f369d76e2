"""What the browser needs to train runs by itself: `linreg/ui/live/trainer.js` reads it.

The browser gets the moments of the batches or the rows of the table, whichever takes fewer bytes,
and of the schedule what the steps need. All numbers are in double precision, so that its training
equals `train_ensemble`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import Dataset, batch_order, initial_weights
from linreg.quadratic.evaluation import Baseline
from linreg.quadratic.least_squares import origin_of
from linreg.quadratic.moments import Moments
from linreg.quadratic.quadratic import Quadratic
from linreg.settings.model import Settings
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.wirings import WIRINGS
from linreg.training.plans import PLANS

LIVE_BYTES = 1_000_000  # above this, a drag trains only when it ends
MAX_INT16 = 2**15  # rows up to which an index takes two bytes


class Arrays:
    """Arrays that problems refer to by their index; equal arrays are kept once."""

    def __init__(self) -> None:
        self.found: list[np.ndarray] = []
        self._indices: dict[tuple[str, bytes], int] = {}

    def add(self, array: np.ndarray) -> int:
        """The index of an array."""
        key = array.dtype.str, array.tobytes()
        if key not in self._indices:
            self._indices[key] = len(self.found)
            self.found.append(np.ascontiguousarray(array))
        return self._indices[key]

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays."""
        return sum(array.nbytes for array in self.found)


@dataclass(frozen=True, eq=False)
class Problems:
    """Trainings for the browser: one JSON object each, and the arrays they refer to by index.

    `nbytes` are those of the arrays. If they are too many for training during a drag, no arrays are
    sent, and the problems have neither schedule nor moments nor rows."""

    problems: tuple[dict[str, Any], ...]
    arrays: tuple[np.ndarray, ...]
    nbytes: int

    @property
    def live(self) -> bool:
        """Whether the browser can train during a drag."""
        return self.nbytes <= LIVE_BYTES


def browser_problems(
    table: Dataset,
    runs: Sequence[Settings],
    moments: Callable[[Settings], Moments],
    **hyperparameters: Any,
) -> Problems:
    """The trainings of these runs, all on one table, for the browser.

    `moments` returns the moments of a run's batches; it is called only if they take fewer bytes
    than the rows. `hyperparameters` have the names and defaults of PyTorch; momentum is that of the
    settings."""
    arrays = Arrays()
    problems = [_problem(run, arrays, hyperparameters) for run in runs]
    of_moments, of_rows = _moment_bytes(runs, len(table)), _row_bytes(runs, len(table))
    needed = arrays.nbytes + min(of_moments, of_rows)
    if needed > LIVE_BYTES:
        bare = ({**problem, "schedule": None} for problem in problems)
        return Problems(tuple(bare), (), needed)
    for run, problem in zip(runs, problems, strict=True):
        if of_moments <= of_rows:
            found = moments(run)
            problem["origin"] = found.origin.tolist()
            problem["moments"] = [
                arrays.add(column) for column in _columns(found.A, found.c, found.s)
            ]
        else:
            problem["origin"] = origin_of(table, run.bias).tolist()
            problem["rows"] = {
                **_rows(table, arrays),
                "order": _order(run, table, arrays),
            }
    return Problems(tuple(problems), tuple(arrays.found), arrays.nbytes)


def browser_surface(surface: Quadratic) -> dict[str, list[float]]:
    """A loss surface for `surface.js`, such as the correct loss that a run is compared with."""
    columns = _columns(surface.A[None], surface.c[None], np.array([surface.s]))
    row = np.concatenate(columns)  # (6 or 10,)
    return {"row": row.tolist(), "origin": surface.origin.tolist()}


def browser_evaluation(baseline: Baseline) -> dict[str, Any]:
    """What R² is computed from: the correct loss of all rows, and the variance of the target."""
    return {"surface": browser_surface(baseline.surface), "variance": baseline.variance}


def _rows(table: Dataset, arrays: Arrays) -> dict[str, int]:
    """The columns x1, x2 and y of a table, added to the arrays."""
    columns = {"x1": table.X[:, 0], "x2": table.X[:, 1], "y": table.y}
    return {name: arrays.add(column) for name, column in columns.items()}


def _problem(run: Settings, arrays: Arrays, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """The settings and the rule of a run."""
    constants, per_momentum, schedule = _rule(run, hyperparameters)
    return {
        "rule": OPTIMIZERS[run.optimizer].torch_name,
        "lr": run.lr,
        "momentum": run.momentum,
        "init": initial_weights(run).tolist(),
        "steps": run.steps,
        "batch_size": run.batch_size,
        "pairs": WIRINGS[run.wiring].pairs,
        "constants": constants.tolist(),
        "constants_per_momentum": per_momentum.tolist(),
        "schedule": [arrays.add(_until_constant(column)) for column in schedule.T],
        "origin": None,
        "moments": None,
        "rows": None,
    }


def _rule(
    run: Settings, hyperparameters: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The constants at momentum 0 and their slope (CONSTANTS,), and the schedule (T or 1, 3).

    Raises `ValueError` if the constants are not linear in the momentum, or the schedule depends on
    it."""
    entry = OPTIMIZERS[run.optimizer]
    plan, given = PLANS[entry.torch_name], {**entry.options, **hyperparameters}
    if not entry.takes_momentum:
        constants, schedule = plan.arrays(run.steps, **given)
        return constants, np.zeros_like(constants), schedule
    (zero, schedule), (half, _), (one, same) = (
        plan.arrays(run.steps, **given, momentum=momentum) for momentum in (0.0, 0.5, 1.0)
    )
    if not (np.allclose(half, (zero + one) / 2) and np.array_equal(schedule, same)):
        raise ValueError(f"the plan of {entry.torch_name} is not linear in the momentum")
    return zero, one - zero, schedule


def _until_constant(column: Float[np.ndarray, " T"]) -> Float[np.ndarray, " n"]:
    """A column of a schedule (T,) up to the step from which on it does not change."""
    changing = np.flatnonzero(column != column[-1])
    return column[: changing[-1] + 2 if len(changing) else 1]


def _columns(
    A: Float[np.ndarray, "K P P"], c: Float[np.ndarray, "K P"], s: Float[np.ndarray, " K"]
) -> list[np.ndarray]:
    """The quadratics of K batches as the browser's tables have them, one column (K,) each."""
    H, b = 2 * A, 2 * c
    columns = [H[:, 0, 0], H[:, 0, 1], H[:, 1, 1], b[:, 0], b[:, 1], s]
    if H.shape[1] == 3:
        columns += [H[:, 0, 2], H[:, 1, 2], H[:, 2, 2], b[:, 2]]
    return columns


def _order(run: Settings, table: Dataset, arrays: Arrays) -> int | None:
    """The rows in the order of a shuffled run (E · N,), or None for the order of the table."""
    if not run.shuffle:
        return None
    order = np.concatenate([np.asarray(epoch) for epoch in batch_order(run, len(table))])
    return arrays.add(order.astype(np.int16 if len(table) <= MAX_INT16 else np.int32))


def _order_key(run: Settings) -> tuple[int, int] | None:
    return (run.seed, run.epochs) if run.shuffle else None


def _moment_bytes(runs: Sequence[Settings], rows: int) -> int:
    """The bytes of the moments of all runs: A is the same for both kinds of loss."""
    parts: dict[Hashable, int] = {}  # values by what they depend on
    for run in runs:
        parameters = 2 + run.bias
        batches = -(-rows // run.batch_size) * (run.epochs if run.shuffle else 1)
        key = run.batch_size, run.bias, _order_key(run)
        pairs = WIRINGS[run.wiring].pairs and run.batch_size > 1
        parts[key] = batches * parameters * (parameters + 1) // 2
        parts[key, pairs] = batches * (parameters + 1)
    return 8 * sum(parts.values())


def _row_bytes(runs: Sequence[Settings], rows: int) -> int:
    """The bytes of the rows, and of their order in each shuffled run."""
    index = 2 if rows <= MAX_INT16 else 4
    orders = {(run.seed, run.epochs) for run in runs if run.shuffle}
    return 8 * 3 * rows + sum(index * epochs * rows for _, epochs in orders)
