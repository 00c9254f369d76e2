"""Tables to regress on, and the order in which their rows are visited."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from linreg.settings import DataSettings, Settings, SettingsError


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table: features X, one row a sample, and the target y, one-dimensional as in the thread."""

    X: Float[np.ndarray, "N D"]
    y: Float[np.ndarray, " N"]
    features: tuple[str, ...] = ("x1", "x2")
    target: str = "y"

    def __len__(self) -> int:
        return len(self.y)


def make_data(data: DataSettings) -> Dataset:
    """The synthetic table of the settings, drawn from a generator of its own.

    With z ~ N(0, 1): x1 = mean + scale·z1, x2 = mean + scale·(ρ·z1 + √(1 − ρ²)·z2), y = w1·x1 + w2·x2 + noise·z3.
    All of z1 and z2 is drawn before z3, so the features do not depend on the noise.
    """
    generator = np.random.default_rng(data.seed)
    z = generator.standard_normal((data.samples, 2))  # (N, 2)
    rho = data.correlation
    mixing = np.array([[1.0, rho], [0.0, np.sqrt(1.0 - rho**2)]])  # (2, 2)
    X = data.mean + data.scale * (z @ mixing if rho else z)  # (N, 2)
    y = X @ np.array(data.weights) + data.noise * generator.standard_normal(data.samples)  # (N,)
    return Dataset(X, y)


def batch_order(settings: Settings, rows: int) -> Iterator[Int[np.ndarray, " N"] | None]:
    """For each epoch the order of the rows, or None for the file's own order.

    A shuffled run draws each epoch's order from one generator seeded with `settings.seed`.
    """
    generator = np.random.default_rng(settings.seed)
    for _ in range(settings.epochs):
        yield generator.permutation(rows) if settings.shuffle else None


def initial_weights(settings: Settings, seed: int | None = None) -> Float[np.ndarray, " P"]:
    """Where a run starts: its init, or what `nn.Linear` draws after `torch.manual_seed(seed)`, to the last bit of float32.

    The seed is the settings' own unless one is given.

    PyTorch draws each weight and then the bias from U(−1/√D, 1/√D), with 24 bits of a Mersenne twister's next number each
    (`at::uniform_real_distribution`), so that NumPy's twister gives the same without PyTorch.
    """
    start = np.array(_drawn(settings.seed if seed is None else seed)[: 2 + settings.bias])  # (P,)
    if settings.init is not None:
        start[: len(settings.init)] = settings.init
    return start


@lru_cache(maxsize=4096)  # to seed a twister takes longer than all the rest
def _drawn(seed: int, features: int = 2) -> tuple[float, ...]:
    """The weights and then the bias that a seed draws."""
    bits = np.random.RandomState(seed & 0xFFFFFFFF)._bit_generator.random_raw(features + 1)  # (D + 1,)
    gain = math.sqrt(2 / (1 + 5))  # of nn.Linear's kaiming_uniform_ with a = √5: once more 1/√D, but for rounding
    bounds = [math.sqrt(3) * (gain / math.sqrt(features))] * features + [1 / math.sqrt(features)]
    reach = np.array(bounds, dtype=np.float32)  # (D + 1,)
    drawn = ((bits & 0xFFFFFF) * 2.0**-24) * (reach + reach).astype(np.float64) - reach
    return tuple(drawn.astype(np.float32).tolist())


def check_fits(settings: Settings, dataset: Dataset) -> None:
    """Raise a `SettingsError` if a batch is larger than the table, or the table has no rows."""
    if not len(dataset):
        raise SettingsError("the table has no rows; use one with at least 1")
    if settings.batch_size > len(dataset):
        raise SettingsError(
            f"batch size {settings.batch_size:,} is above the {len(dataset):,} rows of the table; use 1 to {len(dataset):,}",
            "batch_size",
        )
