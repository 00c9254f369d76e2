"""Phase diagrams: two settings vary over a grid of cells, with many initial weights per cell.

A sweep consists of tasks, one for each table, batch size and loss variant in the grid. A task is
reduced to a few numbers per cell where it is computed, so memory does not grow with the number of
runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from linreg.data.dataset import Dataset, initial_weights
from linreg.data.tables import make_data
from linreg.experiments.optimizer_paths import ring
from linreg.quadratic.evaluation import Baseline, baseline
from linreg.quadratic.moments import batch_moments
from linreg.quadratic.quadratic import Quadratic
from linreg.quadratic.streaming import loss_surface
from linreg.settings.changes import all_specs, apply_overrides, check_limits, overrides, update_both
from linreg.settings.fields import SettingsError, format_number
from linreg.settings.model import Comparison, Data, DataSettings, Settings
from linreg.settings.pages import SweepView
from linreg.settings.sweep_axes import AXES, Axis, Metric

MIN_STEPS_FOR_THREADS = 1_000_000  # of a task, on average; shorter tasks run in one thread
MAX_TASK_STEPS = 200_000_000  # steps of all runs of a task: about a second; then a sweep can stop
RECORDED = 60  # recorded steps per run, from which the step of convergence is determined
LAW_INITS, LAW_STEPS = 20, 20_000  # limits
LAW_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)


def axis_values(
    axis: Axis, count: int, low: float | None = None, high: float | None = None
) -> tuple[float, ...]:
    """Up to `count` values from `low` to `high`, on the scale of the axis, without duplicates."""
    low, high = axis.low if low is None else low, axis.high if high is None else high
    spread = (np.geomspace if axis.log else np.linspace)(low, high, count)
    if axis.whole:
        return tuple(int(value) for value in np.unique(np.rint(spread).astype(int)))
    return tuple(dict.fromkeys(float(f"{value:.6g}") for value in spread))


def color_limits(metric: Metric, values: np.ndarray) -> tuple[float, float]:
    """The range of the colour scale, from the values of both sides."""
    if metric.known:
        return metric.known
    finite = values[np.isfinite(values) & (values > 0)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (1.0, 10.0)
    return low, high if high > low else low * 10


@dataclass(frozen=True)
class Sweep:
    """A comparison in which two settings vary, with `inits` initial weights per cell."""

    comparison: Comparison
    x: str = "lr"
    y: str = "batch_size"
    x_values: tuple[float, ...] = axis_values(AXES["lr"], 40)
    y_values: tuple[float, ...] = axis_values(AXES["batch_size"], 12)
    inits: int = 20
    steps: int = 3_000

    @property
    def cells(self) -> int:
        return len(self.x_values) * len(self.y_values)

    def cell(self, column: int, row: int) -> Comparison:
        """The comparison of one cell, with the first of its initial weights.

        The fixed side keeps its overrides, except of the settings that vary. Epochs are whole, so
        the comparison may train a little longer or shorter than the sweep. Raises `SettingsError`
        if the comparison is impossible, or beyond the limits of the app."""
        changes = {self.x: self.x_values[column], self.y: self.y_values[row]}
        distance = changes.pop("distance", None)
        for name, value in changes.items():
            if value not in all_specs()[name].ui_range:
                raise SettingsError(
                    f"{all_specs()[name].label} {format_number(value)} is out of range"
                    f" ({all_specs()[name].ui_range})",
                    name,
                )
        original = update_both(self.comparison, changes).original
        if distance is not None:
            start = tuple(_starts(original, self.inits, distance)[0, :2].tolist())
            if not all(weight in all_specs()["init"].ui_range for weight in start):
                raise SettingsError(
                    f"a start at distance {format_number(distance)} is out of range"
                    f" ({all_specs()['init'].ui_range})",
                    "init",
                )
            original = replace(original, init=start)
        varied = {"init" if name == "distance" else name for name in (self.x, self.y)}
        own = {
            name: value for name, value in overrides(self.comparison).items() if name not in varied
        }
        sides = [original, apply_overrides(original, own)]
        if "epochs" not in changes:
            sides = [
                replace(side, epochs=max(round(self.steps / side.steps_per_epoch), 1))
                for side in sides
            ]
        return Comparison(*map(check_limits, sides))

    @property
    def own_cell(self) -> tuple[int, int]:
        """Column and row of the cell that is nearest to the comparison's own settings, the first
        ones on an axis that it has no setting for."""
        column, row = (
            _nearest(AXES[key], values, _setting(self.comparison.original, key))
            for key, values in ((self.x, self.x_values), (self.y, self.y_values))
        )
        return column, row

    def tasks(self) -> list[Task]:
        """The tasks of the sweep; runs of a task share table, batches, steps and optimizer."""
        found: dict[tuple[int, Settings, float | None, int], tuple[list[int], list[float]]] = {}
        refusal: SettingsError | None = None
        for row in range(len(self.y_values)):
            for column in range(len(self.x_values)):
                try:
                    cell = self.cell(column, row)
                except SettingsError as error:
                    refusal = refusal or error
                    continue
                for side, settings in enumerate((cell.original, cell.fixed)):
                    steps = settings.steps if "epochs" in (self.x, self.y) else self.steps
                    distance = self._value("distance", column, row)
                    key = (side, _shared(settings, steps), distance, steps)
                    cells, rates = found.setdefault(key, ([], []))
                    cells.append(row * len(self.x_values) + column)
                    rates.append(settings.lr)
        if not found and refusal:
            raise refusal
        tasks = []
        for (side, settings, distance, steps), (cells, rates) in found.items():
            size = max(MAX_TASK_STEPS // (steps * self.inits), 1)  # cells
            for first in range(0, len(cells), size):
                part = slice(first, first + size)
                tasks.append(
                    Task(
                        side,
                        settings,
                        distance,
                        self.inits,
                        steps,
                        tuple(rates[part]),
                        tuple(cells[part]),
                    )
                )
        return tasks

    def _value(self, name: str, column: int, row: int) -> float | None:
        return (
            self.x_values[column]
            if self.x == name
            else self.y_values[row]
            if self.y == name
            else None
        )


def _setting(settings: Settings, key: str) -> float | None:
    """The value that a run has on an axis; None for the distance, and for data from a file."""
    value: float | None = getattr(settings, key, getattr(settings.data, key, None))
    return value


def _nearest(axis: Axis, values: Sequence[float], value: float | None) -> int:
    if value is None or (axis.log and value <= 0):
        return 0
    scale = np.log if axis.log else np.asarray
    return int(np.abs(scale(values) - scale(value)).argmin())


def sweep_around(comparison: Comparison, view: SweepView) -> Sweep:
    """The sweep of a view around a comparison."""
    return Sweep(
        comparison,
        view.x,
        view.y,
        axis_values(AXES[view.x], view.columns, *(view.x_range or ())),
        axis_values(AXES[view.y], view.rows, *(view.y_range or ())),
        view.inits,
        view.steps,
    )


def _shared(settings: Settings, steps: int) -> Settings:
    """The settings of a cell without what differs within a task, so that equal ones share one."""
    epochs = -(-steps // settings.steps_per_epoch) if settings.shuffle else 1
    return replace(settings, lr=1.0, epochs=epochs)


@dataclass(frozen=True)
class Task:
    """Cells of one side whose runs share their batches; they differ in the learning rate only."""

    side: int
    settings: Settings
    distance: float | None
    inits: int
    steps: int
    rates: tuple[float, ...]
    cells: tuple[int, ...]

    @property
    def runs(self) -> int:
        return len(self.rates) * (1 if self.fixed_start else self.inits)

    @property
    def fixed_start(self) -> bool:
        """Whether all runs of a cell start at the same point, so that one is enough."""
        return self.distance is None and not self.settings.has_random_init


@dataclass(frozen=True, eq=False)
class CellStats:
    """Results per cell: the share of runs that converged, and medians over the initial weights."""

    share: Float[np.ndarray, " C"]
    r_squared: Float[np.ndarray, " C"]
    loss: Float[np.ndarray, " C"]
    steps: Float[np.ndarray, " C"]


def run_task(task: Task) -> CellStats:
    """Train the runs of a task, and reduce them to numbers per cell.

    Runs that diverged count as not converged and are left out of the medians of R² and loss, which
    are NaN if all runs of a cell diverged. The steps to converge are counted up to the first
    recorded step after which the run stays converged."""
    from linreg.training.ensemble import train_ensemble

    table, judge = _table(task.settings.data, task.settings.bias)
    moments = batch_moments(table, task.settings)
    starts = _starts(task.settings, 1 if task.fixed_start else task.inits, task.distance)  # (I, P)
    found = train_ensemble(
        moments,
        np.tile(starts, (len(task.rates), 1)),
        np.repeat(task.rates, len(starts)),
        task.settings.optimizer,
        steps=task.steps,
        record_every=-(-task.steps // RECORDED),
        momentum=task.settings.momentum,
    )
    cells = (len(task.rates), len(starts))
    converged = judge.converged(found.weights)  # (S, C · I)
    final = converged[-1].reshape(cells)
    last_index = len(found.steps) - 1
    last_unconverged = last_index - np.argmax(~converged[::-1], axis=0)  # (C · I,)
    since = np.where(converged.all(0), 0, found.steps[np.minimum(last_unconverged + 1, last_index)])
    with np.errstate(over="ignore", invalid="ignore"):
        losses = moments.mean().value(found.final).reshape(cells)
    return CellStats(
        final.mean(1),
        _median(judge.r_squared(found.final).reshape(cells)),
        _median(losses),
        _median(np.where(final, since.reshape(cells), np.nan)),
    )


def _median(values: np.ndarray) -> np.ndarray:
    """The median of the finite numbers of each row; NaN if there are none."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)  # (C, I), NaN last
    count = np.isfinite(ordered).sum(1)  # (C,)
    low, high = (np.maximum(count - 1, 0)) // 2, count // 2
    rows = np.arange(len(values))
    middle: np.ndarray = (
        ordered[rows, low] + ordered[rows, np.minimum(high, values.shape[1] - 1)]
    ) / 2
    return np.where(count > 0, middle, np.nan)


def _starts(settings: Settings, inits: int, distance: float | None) -> np.ndarray:
    """The initial weights of a cell (I, P).

    With `distance` they lie on a circle around the true weights (for a table from a file, the
    least-squares solution); otherwise they are drawn from successive seeds, where not set."""
    if distance is not None:
        data = settings.data
        true = (
            data.weights
            if isinstance(data, DataSettings)
            else _table(data, settings.bias)[1].surface.minimum
        )
        return ring(initial_weights(replace(settings, init=tuple(true[:2]))), distance, inits)
    return np.stack([initial_weights(settings, settings.seed + k) for k in range(inits)])


def _table(data: Data, bias: bool) -> tuple[Dataset, Baseline]:
    """A table and its baseline, cached because successive tasks share them."""
    return (_synthetic_table if isinstance(data, DataSettings) else _file_table)(data, bias)


def _table_and_baseline(data: Data, bias: bool) -> tuple[Dataset, Baseline]:
    table = make_data(data)
    return table, baseline(table, bias)


_synthetic_table = lru_cache(maxsize=4)(_table_and_baseline)
_file_table = lru_cache(maxsize=1)(_table_and_baseline)  # a table may have ten million rows


def run_tasks(tasks: Sequence[Task], low_priority: bool = False) -> Iterator[CellStats]:
    """The results of all tasks, in order; on all cores, unless the tasks are very short.

    With `low_priority`, the threads have the lowest priority."""
    from linreg.training.ensemble import in_parallel

    parallel = sum(task.runs * task.steps for task in tasks) > MIN_STEPS_FOR_THREADS * len(tasks)
    return in_parallel(run_task, tasks, low_priority) if parallel else map(run_task, tasks)


def assemble_grid(
    sweep: Sweep, cells: Mapping[Task, CellStats | None]
) -> dict[str, Float[np.ndarray, "2 rows columns"]]:
    """The fields of `CellStats` as grids for both sides; NaN where a task is not done."""
    tables = {entry.name: np.full((2, sweep.cells), np.nan) for entry in fields(CellStats)}
    for task, found in cells.items():
        if found:
            for name, table in tables.items():
                table[task.side, list(task.cells)] = getattr(found, name)
    return {
        name: table.reshape(2, len(sweep.y_values), len(sweep.x_values))
        for name, table in tables.items()
    }


def shown_inits(sweep: Sweep, tasks: Sequence[Task]) -> int:
    """The number of initial weights per cell: one if all would be equal."""
    return 1 if all(task.fixed_start for task in tasks) else sweep.inits


def stability_limits(
    sweep: Sweep, surface: Callable[[Settings], Quadratic]
) -> list[list[tuple[float, float]]]:
    """For each side, points (x, y) of the stability limit of SGD or Nesterov.

    Empty for other optimizers, and if the learning rate is not on an axis."""
    found: list[list[tuple[float, float]]] = [[], []]
    if "lr" not in (sweep.x, sweep.y):
        return found
    lr_across = sweep.x == "lr"
    for index in range(len(sweep.y_values if lr_across else sweep.x_values)):
        try:
            cell = sweep.cell(0, index) if lr_across else sweep.cell(index, 0)
        except SettingsError:
            continue
        for side, settings in enumerate((cell.original, cell.fixed)):
            if settings.optimizer in ("SGD", "Nesterov"):
                full = surface(replace(settings, lr=1.0, epochs=1, shuffle=False))
                lr = full.stable_lr(settings.momentum, nesterov=settings.optimizer == "Nesterov")
                if lr == 0:
                    continue
                found[side].append(
                    (lr, sweep.y_values[index]) if lr_across else (sweep.x_values[index], lr)
                )
    return found


# ---- the law of the batch size -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class BatchSizeLaw:
    """Final weights of the original at each batch size B, the exact minima, and the law w*/B."""

    sizes: tuple[int, ...]
    true: Float[np.ndarray, " 2"]  # least squares: w*
    minima: Float[np.ndarray, "S 2"]
    finals: Float[np.ndarray, "S I 2"]

    @property
    def theory(self) -> Float[np.ndarray, "S 2"]:
        """w*/B for each batch size.

        This follows from E[x̄ȳ] = E[x]E[y] + Cov(x, y)/B for independent rows with means near 0."""
        return np.asarray(self.true / np.array(self.sizes)[:, None])


def law_settings(
    settings: Settings, inits: int, steps: int
) -> tuple[Settings, tuple[int, ...], int, int]:
    """The arguments of `law_of_batch_size` for a run: all batch sizes that its table allows."""
    sizes = tuple(size for size in LAW_SIZES if size <= settings.data.samples)
    return (
        replace(settings, batch_size=1, epochs=1, shuffle=False),
        sizes,
        min(inits, LAW_INITS),
        min(steps, LAW_STEPS),
    )


def law_of_batch_size(
    settings: Settings, sizes: tuple[int, ...], inits: int, steps: int
) -> BatchSizeLaw:
    """Train at each batch size from several initial weights, and compute the exact minima."""
    from linreg.training.ensemble import train_ensemble

    table, judge = _table(settings.data, settings.bias)
    minima, groups = [], []
    for size in sizes:
        at_size = replace(settings, batch_size=size, epochs=1, shuffle=False)
        rows_used = _first_rows(table, steps * size)  # a run gets no further
        groups.append(batch_moments(rows_used, at_size))
        if rows_used is table:
            surface = groups[-1].mean()
        else:
            surface = loss_surface(_in_pieces(table), at_size)
        minima.append(surface.minimum[:2])
    inits = inits if settings.has_random_init else 1  # otherwise all would be equal
    starts = _starts(settings, inits, None)  # (I, P)
    found = train_ensemble(
        groups,
        np.tile(starts, (len(sizes), 1)),
        settings.lr,
        settings.optimizer,
        steps=steps,
        record_every=steps,
        groups=np.repeat(np.arange(len(sizes)), inits),
        momentum=settings.momentum,
    )
    finals = found.final[:, :2].reshape(len(sizes), inits, 2)
    return BatchSizeLaw(sizes, judge.surface.minimum[:2], np.stack(minima), finals)


PIECE = 1 << 17  # rows


def _in_pieces(table: Dataset) -> Dataset | Iterator[Dataset]:
    """A large table in pieces, since the moments of all its batches would need more memory."""
    if len(table) <= PIECE:
        return table
    return (
        Dataset(table.X[at : at + PIECE], table.y[at : at + PIECE])
        for at in range(0, len(table), PIECE)
    )


def _first_rows(table: Dataset, rows: int) -> Dataset:
    return table if rows >= len(table) else Dataset(table.X[:rows], table.y[:rows])
