"""What an optimizer's update is given: constants, and values that depend only on the step.

Both follow from the hyperparameters of PyTorch, with its names and defaults, and are computed in
advance, so that an update is plain arithmetic (see `linreg.training.kernels`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

CONSTANTS, SCHEDULED = 5, 3  # the number of constants, and of values per step, of an update

Computed = tuple[tuple[float, ...], np.ndarray]  # constants, schedule (steps or 1, SCHEDULED)


@dataclass(frozen=True, eq=False)
class Plan:
    """How constants and schedule follow from the steps t = 1 … T and from hyperparameters.

    The keyword arguments of `compute` are the hyperparameters."""

    compute: Callable[..., Computed]
    scheduled: bool = False  # whether the schedule depends on the step

    @cached_property
    def hyperparameters(self) -> tuple[str, ...]:
        """The names of the hyperparameters, as in PyTorch."""
        return tuple(inspect.signature(self.compute).parameters)[1:]

    def arrays(self, steps: int, **hyperparameters: Any) -> tuple[np.ndarray, np.ndarray]:
        """The constants (CONSTANTS,) and the schedule (steps or 1, SCHEDULED)."""
        last = steps if self.scheduled else 1
        t = np.arange(1, last + 1, dtype=np.float64)  # (steps or 1,)
        constants, schedule = self.compute(t, **hyperparameters)
        return np.array([*constants, *[0.0] * (CONSTANTS - len(constants))]), schedule


NO_SCHEDULE = np.zeros((1, SCHEDULED))  # of an update that does not depend on the step


def _schedule(*columns: np.ndarray) -> np.ndarray:
    """The schedule (T, SCHEDULED) with these columns (T,), and zeros for the others."""
    return np.stack([*columns, *[np.zeros_like(columns[0])] * (SCHEDULED - len(columns))], axis=1)


def _rmsprop(
    t: np.ndarray, alpha: float = 0.99, eps: float = 1e-8, momentum: float = 0.0
) -> Computed:
    return (alpha, 1 - alpha, eps, momentum), NO_SCHEDULE


def _sgd(t: np.ndarray, momentum: float = 0.0, nesterov: bool = False) -> Computed:
    return (momentum, momentum if nesterov else 1.0, 1.0 if nesterov else 0.0), NO_SCHEDULE


def _adagrad(t: np.ndarray, eps: float = 1e-10) -> Computed:
    return (eps,), NO_SCHEDULE


def _adadelta(t: np.ndarray, rho: float = 0.9, eps: float = 1e-6) -> Computed:
    return (rho, 1 - rho, eps), NO_SCHEDULE


def _adam(t: np.ndarray, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> Computed:
    return _adamw(t, betas, eps, weight_decay=0.0)


def _adamw(
    t: np.ndarray,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> Computed:
    beta1, beta2 = betas
    constants = (1 - beta1, beta2, 1 - beta2, eps, weight_decay)
    return constants, _schedule(1 / (1 - beta1**t), 1 / np.sqrt(1 - beta2**t))


def _nadam(
    t: np.ndarray,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    momentum_decay: float = 0.004,
) -> Computed:
    beta1, beta2 = betas
    mu, following = (beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay)) for step in (t, t + 1))
    # in single precision, as in PyTorch
    product = np.cumprod(mu.astype(np.float32), dtype=np.float32).astype(np.float64)
    of_gradient, of_momentum = (1 - mu) / (1 - product), following / (1 - product * following)
    return (1 - beta1, beta2, 1 - beta2, eps), _schedule(
        of_gradient, 1 / np.sqrt(1 - beta2**t), of_momentum
    )


def _radam(t: np.ndarray, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> Computed:
    """Plain momentum while the variance is intractable (ρ_t ≤ 5), the rectified step after that."""
    beta1, beta2 = betas
    unbias = 1 / (1 - beta1**t)
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    tractable = rho > 5
    safe = np.where(tractable, rho, 6.0)
    rectification = (safe - 4) * (safe - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * safe)
    rectified = np.sqrt(rectification * (1 - beta2**t))
    return (
        (1 - beta1, beta2, 1 - beta2, eps),
        _schedule(np.where(tractable, 0.0, unbias), np.where(tractable, unbias * rectified, 0.0)),
    )


def _adamax(
    t: np.ndarray, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> Computed:
    beta1, beta2 = betas
    return (1 - beta1, beta2, 0.0, eps), _schedule(1 / (1 - beta1**t))


PLANS: dict[str, Plan] = {  # by the name of a class of torch.optim
    "RMSprop": Plan(_rmsprop),
    "SGD": Plan(_sgd),
    "Adagrad": Plan(_adagrad),
    "Adadelta": Plan(_adadelta),
    "Adam": Plan(_adam, scheduled=True),
    "AdamW": Plan(_adamw, scheduled=True),
    "NAdam": Plan(_nadam, scheduled=True),
    "RAdam": Plan(_radam, scheduled=True),
    "Adamax": Plan(_adamax, scheduled=True),
}
