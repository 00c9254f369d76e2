"""The data of a regression: synthetic or from a file, its row order, and the initial weights."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np
from jaxtyping import Float, Int

from linreg.data.bundled import BUNDLED
from linreg.data.errors import TableError
from linreg.settings.fields import SettingsError, shorten
from linreg.settings.limits import LIMITS
from linreg.settings.model import Data, Settings, TableSettings

if TYPE_CHECKING:  # Arrow is loaded when a file is read
    from linreg.data.files import Progress, Source, Table
    from linreg.data.stream import TableStream

# The sum of a column's squares overflows above this norm, and underflows below this maximum.
MAX_NORM, MIN_MAX_ABS = 1e153, 1e-152
MAX_LOSS = 1e300  # of the weights that a figure shows


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features X, one row per sample, and a one-dimensional target y, as in the thread."""

    X: Float[np.ndarray, "N D"]
    y: Float[np.ndarray, " N"]
    features: tuple[str, ...] = ("x1", "x2")
    target: str = "y"

    def __len__(self) -> int:
        return len(self.y)


def make_data(data: Data) -> Dataset:
    """The data that settings describe: columns of a file, or synthetic data from a generator with
    its own seed.

    With z ~ N(0, 1): x1 = mean + scale·z1, x2 = mean + scale·(ρ·z1 + √(1 − ρ²)·z2), y = w1·x1 +
    w2·x2 + noise·z3. z1 and z2 are drawn before z3, so the features do not depend on the noise.
    Raises `TableError` if the file is not available."""
    if isinstance(data, TableSettings):
        found = read_table(table_named(data.table), data.target, data.features)
        return standardised(found) if data.standardise else found
    generator = np.random.default_rng(data.seed)
    z = generator.standard_normal((data.samples, 2))  # (N, 2)
    rho = data.correlation
    mixing = np.array([[1.0, rho], [0.0, np.sqrt(1.0 - rho**2)]])  # (2, 2)
    X = data.mean + data.scale * (z @ mixing if rho else z)  # (N, 2)
    y = X @ np.array(data.weights) + data.noise * generator.standard_normal(data.samples)  # (N,)
    return Dataset(X, y)


def read_table(source: Source | Table, target: str, features: Sequence[str]) -> Dataset:
    """The rows of a CSV or Parquet file with a number in the target (N,) and in every feature
    (N, D), in the file's order and units.

    The source is a path, the file's bytes, a binary file, or a `Table`. Raises `TableError`.
    `Table.select` returns the same rows and also what was left out."""
    from linreg.data.files import Table, open_table

    table = source if isinstance(source, Table) else open_table(source)
    return table.select(target, features)


def stream_table(
    path: str | Path,
    target: str,
    features: Sequence[str],
    rows_per_chunk: int = 1 << 17,
    progress: Progress | None = None,
) -> TableStream:
    """The rows of `read_table` in chunks, for a file of any size: what `loss_surface` and
    `table_sums` take.

    `progress` is called as `progress(done, total)`: bytes of a CSV file, rows of a Parquet file.
    Raises `TableError` at once for what the file's beginning shows, and while it is read for the
    rest."""
    from linreg.data.stream import TableStream

    return TableStream(Path(path), target, tuple(features), rows_per_chunk, progress)


_REGISTERED: WeakValueDictionary[str, Table] = WeakValueDictionary()  # by digest
_REGISTER_LOCK = threading.Lock()


def register_table(table: Table) -> Table:
    """Make a table available to `table_named` by its `digest`, for as long as the returned table is
    referenced.

    If a table with the same content is registered already, that one is returned. Raises
    `TableError` if the registered tables would take more than `LIMITS.upload_bytes`."""
    with _REGISTER_LOCK:
        known = _REGISTERED.get(table.digest)
        if known is not None:
            return known
        stored = sum(other.bytes for other in list(_REGISTERED.values()))
        if stored + table.bytes <= LIMITS.upload_bytes:
            _REGISTERED[table.digest] = table
            return table
    raise TableError(
        f"{table.name} takes {table.bytes / 1e6:,.0f} MB of memory, and this server holds"
        f" {stored / 1e6:,.0f} of the"
        f" {LIMITS.upload_bytes / 1e6:,.0f} MB that it has for its visitors' tables; use a smaller"
        " file, or come back later"
    )


def table_named(key: str) -> Table:
    """A bundled table by its name, or a registered one by its digest. Raises `TableError` if there
    is none."""
    if key in BUNDLED:
        return _bundled(key)
    found = _REGISTERED.get(key)
    if found is None:
        raise TableError(
            "an uploaded table is not in a link, and this one is not here; upload the file again"
        )
    return found


@cache
def _bundled(key: str) -> Table:
    from linreg.data.files import open_bundled

    return open_bundled(key)


def table_settings(
    key: str, target: str, features: Sequence[str], standardise: bool = False
) -> TableSettings:
    """Settings for columns of a table, with the number of usable rows. Raises `TableError` or
    `SettingsError` if they cannot be regressed on."""
    found = table_named(key).select(target, features)
    check_numbers(found)
    feature_max = max_abs(found.X)  # (D,)
    target_max = float(max_abs(found.y[:, None])[0])
    unscaled = not standardise and feature_max.all()
    ratio = float(feature_max.max() / feature_max.min()) if unscaled else 1.0
    if ratio > math.sqrt(MAX_LOSS) / max(target_max, float(feature_max.max()), 1.0):
        names = " and ".join(map(shorten, features))
        raise SettingsError(
            f"the values of {names} are {ratio:.0e} times apart, and the loss would overflow;"
            " standardise them"
        )
    return TableSettings(
        key, found.target, (found.features[0], found.features[1]), found.kept, standardise
    )


def standardised(dataset: Dataset) -> Dataset:
    """The dataset with every feature at mean 0 and (population) standard deviation 1; a constant
    feature becomes all zeros.

    The target keeps its unit: a weight is its change per standard deviation of the feature."""
    centred = dataset.X - dataset.X.mean(0)  # (N, D)
    largest = np.abs(centred).max(0)  # (D,), divided out first: no square over- or underflows
    varies = dataset.X.max(0) > dataset.X.min(0)  # (D,); a constant's mean may be rounded
    unit = centred / np.where(varies, largest, 1)
    unit -= unit.mean(0)
    return replace(dataset, X=np.where(varies, unit / np.where(varies, unit.std(0), 1), 0.0))


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
