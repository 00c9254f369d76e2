"""The optimizers as compiled arithmetic: one rule an optimizer, and one kernel that trains many
runs side by side.

A rule's update takes one weight w, its gradient g, two state variables that start at 0, the
learning rate, the optimizer's constants and the three values that depend on the step alone; it
returns the new weight and state. Each is the formula of the single-tensor update in `torch.optim`,
rearranged so that all that depends on the step alone is computed beforehand.

The kernel's code is compiled once for each rule and number of weights, as a function with globals
of its own: numba keeps such a function on disk, as it does not with a closure over an update.
Updates and kernel stand in one file, because a change of the file is what tells numba that what it
has kept is out of date."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from types import FunctionType
from typing import Any

import numba
import numpy as np

from linreg.settings.warnings import FILTERS_LOCK

LANES = 16  # runs side by side: some vector registers' worth, few enough to stay in registers
SINGLE_LANE = 1  # for few runs, where lanes that stand empty would be the longest wait
CHECK_EVERY = 256  # steps between two looks for numbers that are not finite
CONSTANTS, SCHEDULED = 5, 3  # how many constants, and how many values a step, an update may use

Plan = tuple[
    tuple[float, ...], np.ndarray
]  # the constants, and the schedule (steps or 1, SCHEDULED)


# ---- updates: w, g, m, v, lr, constants c, this step's a, b, d -> w, m, v ------------------------
# ---- plans: steps t = 1 … T and hyperparameters, named and set as PyTorch does -> constants and sc


def _inlined(update: Any) -> Any:
    return numba.njit(inline="always", error_model="numpy")(update)


NO_SCHEDULE = np.zeros((1, SCHEDULED))  # of an update that is the same at every step


def _schedule(*columns: np.ndarray) -> np.ndarray:
    """The columns, one value a step each, side by side."""
    return np.stack([*columns, *[np.zeros_like(columns[0])] * (SCHEDULED - len(columns))], axis=1)


@_inlined
def _rmsprop(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    v = c[0] * v + c[1] * (g * g)
    m = c[3] * m + g / (math.sqrt(v) + c[2])
    return w - lr * m, m, v


def _plan_rmsprop(
    t: np.ndarray, alpha: float = 0.99, eps: float = 1e-8, momentum: float = 0.0
) -> Plan:
    return (alpha, 1 - alpha, eps, momentum), NO_SCHEDULE


@_inlined
def _sgd(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = c[0] * m + g
    return w - lr * (c[1] * m + c[2] * g), m, v


def _plan_sgd(t: np.ndarray, momentum: float = 0.0, nesterov: bool = False) -> Plan:
    return (momentum, momentum if nesterov else 1.0, 1.0 if nesterov else 0.0), NO_SCHEDULE


@_inlined
def _adagrad(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    v = v + g * g
    return w - lr * (g / (math.sqrt(v) + c[0])), m, v


def _plan_adagrad(t: np.ndarray, eps: float = 1e-10) -> Plan:
    return (eps,), NO_SCHEDULE


@_inlined
def _adadelta(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    v = c[0] * v + c[1] * (g * g)
    delta = math.sqrt(m + c[2]) / math.sqrt(v + c[2]) * g
    return w - lr * delta, c[0] * m + c[1] * (delta * delta), v


def _plan_adadelta(t: np.ndarray, rho: float = 0.9, eps: float = 1e-6) -> Plan:
    return (rho, 1 - rho, eps), NO_SCHEDULE


@_inlined
def _adam(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = m + c[0] * (g - m)
    v = c[1] * v + c[2] * (g * g)
    return w * (1 - lr * c[4]) - lr * a * (m / (math.sqrt(v) * b + c[3])), m, v


def _plan_adam(t: np.ndarray, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> Plan:
    return _plan_adamw(t, betas, eps, weight_decay=0.0)


def _plan_adamw(
    t: np.ndarray,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> Plan:
    beta1, beta2 = betas
    constants = (1 - beta1, beta2, 1 - beta2, eps, weight_decay)
    return constants, _schedule(1 / (1 - beta1**t), 1 / np.sqrt(1 - beta2**t))


@_inlined
def _nadam(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = m + c[0] * (g - m)
    v = c[1] * v + c[2] * (g * g)
    return w - lr * ((a * g + d * m) / (math.sqrt(v) * b + c[3])), m, v


def _plan_nadam(
    t: np.ndarray,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    momentum_decay: float = 0.004,
) -> Plan:
    beta1, beta2 = betas
    mu, following = (beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay)) for step in (t, t + 1))
    product = np.cumprod(mu.astype(np.float32), dtype=np.float32).astype(
        np.float64
    )  # in single precision, as PyTorch
    of_gradient, of_momentum = (1 - mu) / (1 - product), following / (1 - product * following)
    return (1 - beta1, beta2, 1 - beta2, eps), _schedule(
        of_gradient, 1 / np.sqrt(1 - beta2**t), of_momentum
    )


@_inlined
def _radam(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = m + c[0] * (g - m)
    v = c[1] * v + c[2] * (g * g)
    return w - lr * (m * (a + b / (math.sqrt(v) + c[3]))), m, v


def _plan_radam(
    t: np.ndarray, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> Plan:
    """While the mean square cannot be trusted (ρ_t ≤ 5) the step is the momentum's, then it is
    rectified."""
    beta1, beta2 = betas
    unbias = 1 / (1 - beta1**t)
    most = 2 / (1 - beta2) - 1
    rho = most - 2 * t * beta2**t / (1 - beta2**t)
    trusted = rho > 5
    safe = np.where(trusted, rho, 6.0)
    rectified = np.sqrt(
        (safe - 4) * (safe - 2) * most / ((most - 4) * (most - 2) * safe) * (1 - beta2**t)
    )
    return (
        (1 - beta1, beta2, 1 - beta2, eps),
        _schedule(np.where(trusted, 0.0, unbias), np.where(trusted, unbias * rectified, 0.0)),
    )


@_inlined
def _adamax(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = m + c[0] * (g - m)
    v = max(c[1] * v, abs(g) + c[3])
    return w - lr * a * (m / v), m, v


def _plan_adamax(
    t: np.ndarray, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> Plan:
    beta1, beta2 = betas
    return (1 - beta1, beta2, 0.0, eps), _schedule(1 / (1 - beta1**t))


# ---- the kernel ----------------------------------------------------------------------------------

_update, _wide, _lanes = (
    _rmsprop,
    False,
    LANES,
)  # what a compiled copy of the kernel finds under these names is its own


def _kernel(table, origin, init, lr, constants, schedule, steps, record_every, record, diverged_at):  # type: ignore[no-untyped-def]
    """Train the runs of `init` (R, P), all on one group of moments.

    `table` (K, 6 or 10) holds a batch a row, as H = 2A and b = 2c, so that the gradient is H d − b:
    H00 H01 H11 b0 b1 s, and with a bias H02 H12 H22 b2. `lr` is (R,), `constants` (CONSTANTS,),
    `schedule` (T, SCHEDULED) or one row for all steps. Fills `record` (S, R, P), its first row the
    init, and `diverged_at` (R,)."""
    batches, runs, parameters = len(table), len(init), init.shape[1]
    c = (constants[0], constants[1], constants[2], constants[3], constants[4])
    o0, o1, o2 = origin[0], origin[1], origin[-1]
    rate = np.empty(_lanes)
    w, m, v = (
        np.empty((parameters, _lanes)),
        np.empty((parameters, _lanes)),
        np.empty((parameters, _lanes)),
    )
    saved_w, saved_m, saved_v = np.empty_like(w), np.empty_like(w), np.empty_like(w)
    for first in range(0, runs, _lanes):
        for lane in range(_lanes):  # the last lanes of the last block repeat its last run
            run = min(first + lane, runs - 1)
            rate[lane] = lr[run]
            for i in range(parameters):
                w[i, lane], m[i, lane], v[i, lane] = init[run, i], 0.0, 0.0
        lanes = min(_lanes, runs - first)
        for lane in range(lanes):
            for i in range(parameters):
                record[0, first + lane, i] = w[i, lane]
        for start in range(0, steps, CHECK_EVERY):
            end = min(start + CHECK_EVERY, steps)
            saved_w[:], saved_m[:], saved_v[:] = w, m, v
            careful = start == 0 and _bound(w, table[0], origin, lanes, 0, diverged_at[first:])
            again = True
            while again:
                batch = start % batches
                for t in range(start, end):
                    row = table[batch]
                    batch = batch + 1 if batch + 1 < batches else 0
                    if careful:
                        _bound(w, row, origin, lanes, t, diverged_at[first:])
                    now = schedule[min(t, len(schedule) - 1)]
                    a, b, d = now[0], now[1], now[2]
                    H00, H01, H11, b0, b1 = row[0], row[1], row[2], row[3], row[4]
                    if _wide:
                        H02, H12, H22, b2 = row[6], row[7], row[8], row[9]
                    for k in range(_lanes):
                        d0, d1 = w[0, k] - o0, w[1, k] - o1
                        g0 = H00 * d0 + (H01 * d1 - b0)
                        g1 = H01 * d0 + (H11 * d1 - b1)
                        if _wide:
                            d2 = w[2, k] - o2
                            g0 += H02 * d2
                            g1 += H12 * d2
                            g2 = H02 * d0 + H12 * d1 + (H22 * d2 - b2)
                            w[2, k], m[2, k], v[2, k] = _update(
                                w[2, k], g2, m[2, k], v[2, k], rate[k], c, a, b, d
                            )
                        w[0, k], m[0, k], v[0, k] = _update(
                            w[0, k], g0, m[0, k], v[0, k], rate[k], c, a, b, d
                        )
                        w[1, k], m[1, k], v[1, k] = _update(
                            w[1, k], g1, m[1, k], v[1, k], rate[k], c, a, b, d
                        )
                    if (t + 1) % record_every == 0 or t + 1 == steps:
                        row_of_record = t // record_every + 1
                        for lane in range(lanes):
                            for i in range(parameters):
                                record[row_of_record, first + lane, i] = w[i, lane]
                again = False
                lost = _bound(
                    w,
                    table[end % batches],
                    origin,
                    lanes,
                    end if careful else -1,
                    diverged_at[first:],
                )
                if (
                    lost and not careful
                ):  # somewhere in these steps: go through them again, looking at each
                    w[:], m[:], v[:] = saved_w, saved_m, saved_v
                    careful = again = True


@numba.njit(inline="never", error_model="numpy")
def _bound(w, row, origin, lanes, step, diverged_at):  # type: ignore[no-untyped-def]
    """Whether the loss or a weight of a lane is not finite that has not been marked yet; mark it,
    unless `step` is −1."""
    found = False
    for lane in range(lanes):
        if diverged_at[lane] >= 0:
            continue
        d0, d1 = w[0, lane] - origin[0], w[1, lane] - origin[1]
        loss = (
            row[5] + d0 * (row[0] / 2 * d0 + row[1] * d1 - row[3]) + d1 * (row[2] / 2 * d1 - row[4])
        )
        if len(w) == 3:
            d2 = w[2, lane] - origin[2]
            loss += d2 * (row[6] * d0 + row[7] * d1 + row[8] / 2 * d2 - row[9])
        if not np.isfinite(loss):  # a weight that is not finite makes it so
            found = True
            if step >= 0:
                diverged_at[lane] = step
    return found


# ---- learning rates side by side -----------------------------------------------------------------


def _score_rates(weights, A, c, s, origin, floor, settled, late, needed, last):  # type: ignore[no-untyped-def]
    """What each learning rate came to, its runs one after the other in the record `weights` (S,
    rates · starts, P).

    The excess is the mean over the starts of loss − floor, infinite where a loss is not finite.
    Fills `needed` (rates,), the first row from which on it stays at most `settled` of its first (S
    if it does not), and `last` (rates,), its mean from the row `late` on."""
    rates, parameters = len(needed), len(origin)
    starts = weights.shape[1] // rates
    most = np.empty(rates)
    d = np.empty(parameters)
    needed[:], last[:] = 0, 0.0
    for row in range(len(weights)):
        for rate in range(rates):
            excess = 0.0
            for run in range(rate * starts, (rate + 1) * starts):
                loss = s
                for i in range(parameters):
                    d[i] = weights[row, run, i] - origin[i]
                for i in range(parameters):
                    slope = -2 * c[i]
                    for j in range(parameters):
                        slope += A[i, j] * d[j]
                    loss += d[i] * slope
                excess += loss - floor
            excess /= starts
            if math.isnan(excess):
                excess = math.inf
            if row == 0:
                most[rate] = settled * excess
            if not excess <= most[rate]:
                needed[rate] = row + 1
            if row >= late:
                last[rate] += excess / (len(weights) - late)


_SCORE_RATES = "(f8[:,:,::1], f8[:,::1], f8[::1], f8, f8[::1], f8, f8, i8, i8[::1], f8[::1])"


@cache
def compile_scores() -> Callable[..., None]:
    """`_look` compiled, or loaded from the disk."""
    return jitted(_score_rates, _SCORE_RATES)


# ---- the rules -----------------------------------------------------------------------------------

_SIGNATURE = (
    "(f8[:,::1], f8[::1], f8[:,::1], f8[::1], f8[::1], f8[:,::1], i8, i8, f8[:,:,::1], i8[::1])"
)


@dataclass(frozen=True, eq=False)
class Rule:
    """An optimizer of `torch.optim`: its update, and its plan, whose keyword arguments are its
    hyperparameters."""

    update: Any
    plan: Callable[..., Plan]
    scheduled: bool = False  # whether its plan depends on the step

    @cached_property
    def hyperparameters(self) -> tuple[str, ...]:
        """The names, as PyTorch has them, that `planned` understands."""
        return tuple(inspect.signature(self.plan).parameters)[1:]

    def planned(self, steps: int, **hyperparameters: Any) -> tuple[np.ndarray, np.ndarray]:
        """The constants (CONSTANTS,) and the schedule (steps or 1, SCHEDULED)."""
        last = steps if self.scheduled else 1
        constants, schedule = self.plan(np.arange(1, last + 1, dtype=np.float64), **hyperparameters)
        return np.array([*constants, *[0.0] * (CONSTANTS - len(constants))]), schedule

    def kernel(self, parameters: int, lanes: int = LANES) -> Callable[..., None]:
        """The compiled kernel for 2 or 3 parameters: made when first asked for, from the disk where
        it can be."""
        key = (self.update, parameters, lanes)
        if key in _kernels:  # without waiting for another one that is being compiled
            return _kernels[key]
        with FILTERS_LOCK:  # one at a time
            if key not in _kernels:
                _kernels[key] = _compiled(*key)
            return _kernels[key]

    def ready(self, parameters: int) -> bool:
        """Whether `kernel` answers at once, whatever the number of runs."""
        return all((self.update, parameters, lanes) in _kernels for lanes in (LANES, SINGLE_LANE))


_kernels: dict[tuple[Any, int, int], Callable[..., None]] = {}


def _compiled(update: Any, parameters: int, lanes: int) -> Callable[..., None]:
    copy = FunctionType(
        _kernel.__code__,
        {**globals(), "_update": update, "_wide": parameters == 3, "_lanes": lanes},
    )
    copy.__qualname__ = copy.__name__ = (
        f"kernel{update.__name__}_{parameters}_{lanes}"  # under this name on the disk
    )
    return jitted(copy, _SIGNATURE, fastmath={"contract"})


def jitted(function: Callable[..., None], signature: str, **options: Any) -> Callable[..., None]:
    """The function compiled for one signature, kept on the disk where that can be; it runs outside
    the interpreter lock."""
    options |= {"nogil": True, "error_model": "numpy"}
    with FILTERS_LOCK:  # numba swaps them while it compiles
        try:
            dispatcher = numba.njit(signature, cache=True, **options)(function)
        except (
            RuntimeError,
            OSError,
        ):  # no folder that can be written to, a full disk: compiled for this process alone
            dispatcher = numba.njit(signature, **options)(function)
    made: Callable[..., None] = dispatcher
    return made


RULES: dict[str, Rule] = {  # by class of torch.optim
    "RMSprop": Rule(_rmsprop, _plan_rmsprop),
    "SGD": Rule(_sgd, _plan_sgd),
    "Adagrad": Rule(_adagrad, _plan_adagrad),
    "Adadelta": Rule(_adadelta, _plan_adadelta),
    "Adam": Rule(_adam, _plan_adam, scheduled=True),
    "AdamW": Rule(_adam, _plan_adamw, scheduled=True),
    "NAdam": Rule(_nadam, _plan_nadam, scheduled=True),
    "RAdam": Rule(_radam, _plan_radam, scheduled=True),
    "Adamax": Rule(_adamax, _plan_adamax, scheduled=True),
}
