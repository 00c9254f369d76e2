"""Compiled training: one update rule per optimizer, and a kernel that trains many runs at once.

An update takes one weight w, its gradient g, two state variables m and v that start at 0, the
learning rate lr, the constants c of the optimizer, and three values a, b, d that depend only on the
step. It returns the new w, m and v. Each update is the formula of the single-tensor implementation
in `torch.optim`; constants and values are computed in advance, by a plan (`linreg.training.plans`).
The browser has the same updates: `linreg.training.javascript` translates them.

The kernel is compiled once for each update, number of weights and number of lanes, as a copy of
`_kernel` with its own globals: numba caches such a function on disk, but not a closure over an
update. Updates and kernel are in one file because numba discards its cache when the file
changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any

import numba
import numpy as np

from linreg.settings.warnings import FILTERS_LOCK
from linreg.training.plans import PLANS, Plan

LANES = 16  # runs that are trained side by side: a few vector registers
SINGLE_LANE = 1  # for few runs, which would leave most lanes empty
CHECK_EVERY = 256  # steps between two checks for numbers that are not finite

# ---- updates: w, g, m, v, lr, constants c, values a, b, d of the step -> w, m, v -----------------


def _inlined(update: Any) -> Any:
    return numba.njit(inline="always", error_model="numpy")(update)


@_inlined
def _rmsprop(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    v = c[0] * v + c[1] * (g * g)
    m = c[3] * m + g / (math.sqrt(v) + c[2])
    return w - lr * m, m, v


@_inlined
def _sgd(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = c[0] * m + g
    return w - lr * (c[1] * m + c[2] * g), m, v


@_inlined
def _adagrad(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    v = v + g * g
    return w - lr * (g / (math.sqrt(v) + c[0])), m, v


@_inlined
def _adadelta(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    v = c[0] * v + c[1] * (g * g)
    delta = math.sqrt(m + c[2]) / math.sqrt(v + c[2]) * g
    return w - lr * delta, c[0] * m + c[1] * (delta * delta), v


@_inlined
def _adam(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = m + c[0] * (g - m)
    v = c[1] * v + c[2] * (g * g)
    return w * (1 - lr * c[4]) - lr * a * (m / (math.sqrt(v) * b + c[3])), m, v


@_inlined
def _nadam(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = m + c[0] * (g - m)
    v = c[1] * v + c[2] * (g * g)
    return w - lr * ((a * g + d * m) / (math.sqrt(v) * b + c[3])), m, v


@_inlined
def _radam(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = m + c[0] * (g - m)
    v = c[1] * v + c[2] * (g * g)
    return w - lr * (m * (a + b / (math.sqrt(v) + c[3]))), m, v


@_inlined
def _adamax(w, g, m, v, lr, c, a, b, d):  # type: ignore[no-untyped-def]
    m = m + c[0] * (g - m)
    v = max(c[1] * v, abs(g) + c[3])
    return w - lr * a * (m / v), m, v


# ---- the kernel ----------------------------------------------------------------------------------

# placeholders: each compiled copy of the kernel has its own values of these globals
_update, _has_bias, _lanes = _rmsprop, False, LANES


def _kernel(table, origin, init, lr, constants, schedule, steps, record_every, record, diverged_at):  # type: ignore[no-untyped-def]
    """Train the runs of `init` (R, P), all on one group of moments.

    A row of `table` (K, 6 or 10) holds a batch, as H = 2A and b = 2c, so that the gradient is
    H d − b: H00 H01 H11 b0 b1 s, and with a bias H02 H12 H22 b2. `lr` is (R,), `constants`
    (CONSTANTS,), `schedule` (T, SCHEDULED) or one row for all steps. Fills `record` (S, R, P), from
    the initial weights on, and `diverged_at` (R,)."""
    batches, runs, parameters = len(table), len(init), init.shape[1]
    c = (constants[0], constants[1], constants[2], constants[3], constants[4])
    o0, o1, o2 = origin[0], origin[1], origin[-1]
    rate = np.empty(_lanes)
    w = np.empty((parameters, _lanes))
    m, v = np.empty_like(w), np.empty_like(w)
    saved_w, saved_m, saved_v = np.empty_like(w), np.empty_like(w), np.empty_like(w)
    for first in range(0, runs, _lanes):
        for lane in range(_lanes):  # unused lanes of the last block repeat its last run
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
            each_step = start == 0 and _diverged(w, table[0], origin, lanes, 0, diverged_at[first:])
            again = True
            while again:
                batch = start % batches
                for t in range(start, end):
                    row = table[batch]
                    batch = batch + 1 if batch + 1 < batches else 0
                    if each_step:
                        _diverged(w, row, origin, lanes, t, diverged_at[first:])
                    now = schedule[min(t, len(schedule) - 1)]
                    a, b, d = now[0], now[1], now[2]
                    H00, H01, H11, b0, b1 = row[0], row[1], row[2], row[3], row[4]
                    if _has_bias:
                        H02, H12, H22, b2 = row[6], row[7], row[8], row[9]
                    for k in range(_lanes):
                        d0, d1 = w[0, k] - o0, w[1, k] - o1
                        g0 = H00 * d0 + (H01 * d1 - b0)
                        g1 = H01 * d0 + (H11 * d1 - b1)
                        if _has_bias:
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
                next_row, mark_at = table[end % batches], end if each_step else -1
                found = _diverged(w, next_row, origin, lanes, mark_at, diverged_at[first:])
                if found and not each_step:  # repeat these steps, and check each of them
                    w[:], m[:], v[:] = saved_w, saved_m, saved_v
                    each_step = again = True


@numba.njit(inline="never", error_model="numpy")
def _diverged(w, row, origin, lanes, step, diverged_at):  # type: ignore[no-untyped-def]
    """Whether a lane, not marked yet, has a loss or weight that is not finite.

    Marks it in `diverged_at`, unless `step` is −1."""
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
        if not np.isfinite(loss):  # also if only a weight is not finite
            found = True
            if step >= 0:
                diverged_at[lane] = step
    return found


# ---- the comparison of learning rates ------------------------------------------------------------


def _score_rates(weights, A, c, s, origin, floor, settled, late, needed, last):  # type: ignore[no-untyped-def]
    """Score learning rates by the excess loss of their runs.

    `weights` is (S, rates · starts, P), with the runs of a rate next to each other. The excess is
    the mean over the starts of loss − `floor`, infinite if a loss is not finite. Fills `needed`
    (rates,), the first row from which on the excess is at most `settled` times that of row 0 (S if
    there is none), and `last` (rates,), its mean from row `late` on."""
    rates, parameters = len(needed), len(origin)
    starts = weights.shape[1] // rates
    threshold = np.empty(rates)
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
                threshold[rate] = settled * excess
            if not excess <= threshold[rate]:
                needed[rate] = row + 1
            if row >= late:
                last[rate] += excess / (len(weights) - late)


_SCORE_RATES = "(f8[:,:,::1], f8[:,::1], f8[::1], f8, f8[::1], f8, f8, i8, i8[::1], f8[::1])"


@cache
def compile_scores() -> Callable[..., None]:
    """`_score_rates`, compiled or loaded from disk."""
    return jitted(_score_rates, _SCORE_RATES)


# ---- the rules -----------------------------------------------------------------------------------

_SIGNATURE = (
    "(f8[:,::1], f8[::1], f8[:,::1], f8[::1], f8[::1], f8[:,::1], i8, i8, f8[:,:,::1], i8[::1])"
)


@dataclass(frozen=True, eq=False)
class Rule:
    """The update and the plan of an optimizer of `torch.optim`."""

    update: Any
    plan: Plan

    def kernel(self, parameters: int, lanes: int = LANES) -> Callable[..., None]:
        """The kernel for 2 or 3 parameters, compiled or loaded from disk at the first call."""
        key = (self.update, parameters, lanes)
        if key in _kernels:  # without waiting for another kernel that is being compiled
            return _kernels[key]
        with FILTERS_LOCK:  # compile one at a time
            if key not in _kernels:
                _kernels[key] = _compiled(*key)
            return _kernels[key]

    def is_compiled(self, parameters: int) -> bool:
        """Whether `kernel` returns at once, for few and for many runs."""
        return all((self.update, parameters, lanes) in _kernels for lanes in (LANES, SINGLE_LANE))


_kernels: dict[tuple[Any, int, int], Callable[..., None]] = {}


def _compiled(update: Any, parameters: int, lanes: int) -> Callable[..., None]:
    own = {"_update": update, "_has_bias": parameters == 3, "_lanes": lanes}
    copy = FunctionType(_kernel.__code__, {**globals(), **own})
    # the name of its file on disk
    copy.__qualname__ = copy.__name__ = f"kernel{update.__name__}_{parameters}_{lanes}"
    return jitted(copy, _SIGNATURE, fastmath={"contract"})


def jitted(function: Callable[..., None], signature: str, **options: Any) -> Callable[..., None]:
    """The function compiled for one signature, without the GIL, and cached on disk if possible."""
    options |= {"nogil": True, "error_model": "numpy"}
    dispatcher: Callable[..., None]
    with FILTERS_LOCK:  # numba replaces the filters while it compiles
        try:
            dispatcher = numba.njit(signature, cache=True, **options)(function)
        except (RuntimeError, OSError):  # no writable folder, or a full disk
            dispatcher = numba.njit(signature, **options)(function)
    return dispatcher


UPDATES: dict[str, Any] = {  # by the name of a class of torch.optim
    "RMSprop": _rmsprop,
    "SGD": _sgd,
    "Adagrad": _adagrad,
    "Adadelta": _adadelta,
    "Adam": _adam,
    "AdamW": _adam,
    "NAdam": _nadam,
    "RAdam": _radam,
    "Adamax": _adamax,
}
RULES: dict[str, Rule] = {name: Rule(update, PLANS[name]) for name, update in UPDATES.items()}
