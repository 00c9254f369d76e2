"""Features and a target, the order of their rows, and the initial weights of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from linreg.settings.fields import SettingsError, shorten
from linreg.settings.model import Settings

# The sum of a column's squares overflows above this norm, and underflows below this maximum.
MAX_NORM, MIN_MAX_ABS = 1e153, 1e-152


@dataclass(frozen=True)
class Scaling:
    """How a column was standardised: its values in the table are mean + deviation · value.

    The deviation of a constant column is 0."""

    mean: float = 0.0
    deviation: float = 1.0

    def in_table(self, values: Any) -> Any:
        """Values of the column in the units of the table."""
        return self.mean + self.deviation * values


UNSCALED = Scaling()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features X, one row per sample, and a one-dimensional target y, as in the thread.

    `feature_scalings`, one per feature where the features are standardised, and `target_scaling`
    lead back to the units of the table."""

    X: Float[np.ndarray, "N D"]
    y: Float[np.ndarray, " N"]
    features: tuple[str, ...] = ("x1", "x2")
    target: str = "y"
    feature_scalings: tuple[Scaling, ...] = field(default=(), kw_only=True)
    target_scaling: Scaling = field(default=UNSCALED, kw_only=True)

    def __len__(self) -> int:
        return len(self.y)


def standardised(dataset: Dataset) -> Dataset:
    """The dataset with every feature at mean 0 and (population) standard deviation 1; a constant
    feature becomes all zeros.

    The target keeps its unit: a weight is its change per standard deviation of the feature."""
    X, scalings = _standard_scores(dataset.X)
    return replace(dataset, X=X, feature_scalings=scalings)


def with_standardised_target(dataset: Dataset) -> Dataset:
    """The dataset with the target at mean 0 and (population) standard deviation 1; a constant
    target becomes all zeros."""
    y, (scaling,) = _standard_scores(dataset.y[:, None])
    return replace(dataset, y=y[:, 0], target_scaling=scaling)


def _standard_scores(
    columns: Float[np.ndarray, "N D"],
) -> tuple[Float[np.ndarray, "N D"], tuple[Scaling, ...]]:
    means = columns.mean(0)  # (D,)
    centred = columns - means  # (N, D)
    largest = np.abs(centred).max(0)  # (D,), divided out first: no square over- or underflows
    varies = columns.max(0) > columns.min(0)  # (D,); a constant's mean may be rounded
    unit = centred / np.where(varies, largest, 1)
    unit -= unit.mean(0)
    deviations = np.where(varies, unit.std(0), 1)  # (D,)
    scores = np.where(varies, unit / deviations, 0.0)
    in_table = np.where(varies, largest * deviations, 0.0)
    scalings = zip(means.tolist(), in_table.tolist(), strict=True)
    return scores, tuple(Scaling(mean, deviation) for mean, deviation in scalings)


def batch_order(settings: Settings, rows: int) -> Iterator[Int[np.ndarray, " N"] | None]:
    """The order of the rows in each epoch, or None for the order of the data.

    A shuffled run draws every epoch's order from one generator seeded with `settings.seed`."""
    generator = np.random.default_rng(settings.seed)
    for _ in range(settings.epochs):
        yield generator.permutation(rows) if settings.shuffle else None


def initial_weights(settings: Settings, seed: int | None = None) -> Float[np.ndarray, " P"]:
    """The initial weights of a run: its `init`, or what `nn.Linear` draws after
    `torch.manual_seed(seed)`, bit for bit. `seed` defaults to that of the settings.

    PyTorch draws the weights and then the bias from U(−1/√D, 1/√D), each from 24 bits of the
    Mersenne Twister (`at::uniform_real_distribution`). NumPy has the same generator."""
    start = np.array(
        _linear_init(settings.seed if seed is None else seed)[: 2 + settings.bias]
    )  # (P,)
    if settings.init is not None:
        start[: len(settings.init)] = settings.init
    return start


@lru_cache(maxsize=4096)  # seeding the generator takes longer than the rest
def _linear_init(seed: int, features: int = 2) -> tuple[float, ...]:
    """The weights and then the bias of `nn.Linear(features, 1)` for a seed."""
    generator = np.random.RandomState(seed & 0xFFFFFFFF)
    bits = generator.randint(0, 2**32, features + 1, np.uint32)  # (D + 1,)
    gain = math.sqrt(2 / (1 + 5))  # of kaiming_uniform_ with a = √5: the bound is 1/√D, rounded
    bounds = [math.sqrt(3) * (gain / math.sqrt(features))] * features + [1 / math.sqrt(features)]
    bound = np.array(bounds, dtype=np.float32)  # (D + 1,)
    uniform = (bits & 0xFFFFFF) * 2.0**-24  # (D + 1,)
    drawn = uniform * (bound + bound).astype(np.float64) - bound
    return tuple(drawn.astype(np.float32).tolist())


def check_fits(settings: Settings, dataset: Dataset) -> None:
    """Raise a `SettingsError` if the dataset is empty or smaller than a batch."""
    check_rows(settings, len(dataset))


def check_rows(settings: Settings, rows: int) -> None:
    """`check_fits` for a dataset of that many rows."""
    if not rows:
        raise SettingsError("the table has no rows; use one with at least 1")
    if settings.batch_size > rows:
        raise SettingsError(
            f"batch size {settings.batch_size:,} is above the {rows:,} rows of the table; use 1 to"
            f" {rows:,}",
            "batch_size",
        )


def max_abs(X: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " D"]:
    """The largest absolute value in each column; NaN where one is in it."""
    columns = X.T  # column by column: reducing an (N, 2) array over axis 0 is ten times slower
    return np.array(
        [np.maximum(column.max(initial=0), -column.min(initial=0)) for column in columns]
    )


def check_numbers(dataset: Dataset, whole: bool = True) -> None:
    """Raise a `SettingsError` for a column with a value that is not finite, or whose sum of squares
    over- or underflows in double precision.

    In a chunk, which is not the `whole` table, all values may be tiny."""
    most = MAX_NORM / math.sqrt(max(len(dataset), 1))
    unnamed = range(len(dataset.features), dataset.X.shape[1])
    names = [*dataset.features, *(f"feature {k + 1}" for k in unnamed)][: dataset.X.shape[1]]
    largest = [*max_abs(dataset.X).tolist(), *max_abs(dataset.y[:, None]).tolist()]
    for name, value in zip(map(shorten, [*names, dataset.target]), largest, strict=True):
        if value <= most and (value >= MIN_MAX_ABS or value == 0 or not whole):
            continue
        if not math.isfinite(value):
            raise SettingsError(
                f"{name} holds {value}, which is no finite number; leave such rows out"
            )
        limit = f"above the {most:.0e}" if value > most else f"below the {MIN_MAX_ABS:.0e}"
        raise SettingsError(
            f"{name} reaches {value:.2g}, {limit} whose squares double precision can add up; give"
            " it in another unit"
        )
