"""Tables to regress on, and the order in which their rows are visited."""

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

from linreg.settings.fields import SettingsError, shorten
from linreg.settings.limits import LIMITS
from linreg.settings.model import Data, Settings, TableSettings

if TYPE_CHECKING:  # Arrow is loaded when a file is read
    from linreg.data.files import Dropped, Progress, Source, Stream, Table

LARGEST_LENGTH, SMALLEST_REACH = (
    1e153,
    1e-152,
)  # of a column's values; beyond, their squares' sum over- or underflows
LARGEST_LOSS = 1e300  # anywhere in a picture


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table: features X, one row a sample, and the target y, one-dimensional as in the thread."""

    X: Float[np.ndarray, "N D"]
    y: Float[np.ndarray, " N"]
    features: tuple[str, ...] = ("x1", "x2")
    target: str = "y"

    def __len__(self) -> int:
        return len(self.y)


def make_data(data: Data) -> Dataset:
    """The table of the settings: a file's columns, or the synthetic table, drawn from a generator
    of its own.

    With z ~ N(0, 1): x1 = mean + scale·z1, x2 = mean + scale·(ρ·z1 + √(1 − ρ²)·z2), y = w1·x1 +
    w2·x2 + noise·z3. All of z1 and z2 is drawn before z3, so the features do not depend on the
    noise."""
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
    """The rows of a CSV or Parquet file that have a number in every chosen column, in the file's
    order and units.

    The source is a path, the file's bytes, a binary file, or a `Table`, whose `select` also says
    what was left out. Raises `TableError`."""
    from linreg.data.files import Table, open_table

    table = source if isinstance(source, Table) else open_table(source)
    found = table.select(target, features)
    return Dataset(found.X, found.y, found.features, found.target)


_REGISTERED: WeakValueDictionary[str, Table] = (
    WeakValueDictionary()
)  # by content: a key names the same table for all


_REGISTERING = threading.Lock()


def register_table(table: Table) -> Table:
    """An opened table as settings name it, by its `digest`, for as long as somebody keeps what this
    returns.

    Of two with the same content it is the first for both. Raises `TableError` if there are too many
    of them already."""
    from linreg.data.files import TableError

    with _REGISTERING:
        known = _REGISTERED.get(table.digest)
        if known is not None:
            return known
        held = sum(other.bytes for other in list(_REGISTERED.values()))
        if held + table.bytes <= LIMITS.held_bytes:
            _REGISTERED[table.digest] = table
            return table
    raise TableError(
        f"{table.name} takes {table.bytes / 1e6:,.0f} MB of memory, and this server holds"
        f" {held / 1e6:,.0f} of the"
        f" {LIMITS.held_bytes / 1e6:,.0f} MB that it has for its visitors' tables; use a smaller"
        " file, or come back later"
    )


def table_named(key: str) -> Table:
    """A bundled table by its name, or an opened one that is held. Raises `TableError` where there
    is none."""
    from linreg.data.files import BUNDLED, TableError

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
    """The settings of a table's columns, its rows counted. Raises `TableError` or `SettingsError`,
    which say why not."""
    found = table_named(key).select(target, features)
    check_numbers(Dataset(found.X, found.y, found.features, found.target))
    reach = max_abs(found.X)
    apart = 1.0 if standardise or not reach.all() else float(reach.max() / reach.min())
    if apart > math.sqrt(LARGEST_LOSS) / max(
        float(max_abs(found.y[:, None])[0]), float(reach.max()), 1.0
    ):
        names = " and ".join(map(shorten, features))
        raise SettingsError(
            f"the values of {names} are {apart:.0e} times apart, and the loss would overflow;"
            " standardise them"
        )
    return TableSettings(
        key, found.target, (found.features[0], found.features[1]), found.kept, standardise
    )


def stream_table(
    path: str | Path,
    target: str,
    features: Sequence[str],
    rows_per_chunk: int = 1 << 17,
    progress: Progress | None = None,
) -> TableStream:
    """The same rows in pieces of at most so many, for a file of any size: what `loss_surface` and
    its like take.

    `progress` is called as `progress(done, total)`, in bytes of a CSV file or rows of a Parquet
    file. Raises `TableError`, at once or while it is read."""
    from linreg.data.files import stream

    return TableStream(stream(path, target, features, rows_per_chunk, progress))


class TableStream:
    """The pieces of a file, each a `Dataset`; every loop over them reads the file once, and
    `dropped` is of the last one."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Dataset]:
        return (Dataset(part.X, part.y, part.features, part.target) for part in self._stream)

    @property
    def kept(self) -> int:
        """How many rows were found to have a number in every chosen column."""
        return self._stream.kept

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """What was left out, and why."""
        return self._stream.dropped


def standardised(dataset: Dataset) -> Dataset:
    """The table with every feature at mean 0 and (population) standard deviation 1; a constant one
    becomes all zeros.

    The target keeps its unit, so that a weight is its change per standard deviation of the feature.
    """
    centred = dataset.X - dataset.X.mean(0)  # (N, D)
    reach = np.abs(centred).max(0)  # (D,), divided out first, so that no square under- or overflows
    varies = dataset.X.max(0) > dataset.X.min(0)  # rounding may leave the mean beside a constant
    unit = centred / np.where(varies, reach, 1)
    unit -= unit.mean(0)
    return replace(dataset, X=np.where(varies, unit / np.where(varies, unit.std(0), 1), 0.0))


def batch_order(settings: Settings, rows: int) -> Iterator[Int[np.ndarray, " N"] | None]:
    """For each epoch the order of the rows, or None for the file's own order.

    A shuffled run draws each epoch's order from one generator seeded with `settings.seed`.
    """
    generator = np.random.default_rng(settings.seed)
    for _ in range(settings.epochs):
        yield generator.permutation(rows) if settings.shuffle else None


def initial_weights(settings: Settings, seed: int | None = None) -> Float[np.ndarray, " P"]:
    """Where a run starts: its init, or what `nn.Linear` draws after `torch.manual_seed(seed)`, to
    the last bit of float32.

    The seed is the settings' own unless one is given.

    PyTorch draws each weight and then the bias from U(−1/√D, 1/√D), with 24 bits of a Mersenne
    twister's next number each (`at::uniform_real_distribution`), so that NumPy's twister gives the
    same without PyTorch."""
    start = np.array(_drawn(settings.seed if seed is None else seed)[: 2 + settings.bias])  # (P,)
    if settings.init is not None:
        start[: len(settings.init)] = settings.init
    return start


@lru_cache(maxsize=4096)  # to seed a twister takes longer than all the rest
def _drawn(seed: int, features: int = 2) -> tuple[float, ...]:
    """The weights and then the bias that a seed draws."""
    twister = np.random.RandomState(seed & 0xFFFFFFFF)
    bits = twister.randint(2**32, size=features + 1, dtype=np.uint32)  # (D + 1,), its raw output
    gain = math.sqrt(
        2 / (1 + 5)
    )  # of nn.Linear's kaiming_uniform_ with a = √5: once more 1/√D, but for rounding
    bounds = [math.sqrt(3) * (gain / math.sqrt(features))] * features + [1 / math.sqrt(features)]
    reach = np.array(bounds, dtype=np.float32)  # (D + 1,)
    drawn = ((bits & 0xFFFFFF) * 2.0**-24) * (reach + reach).astype(np.float64) - reach
    return tuple(drawn.astype(np.float32).tolist())


def check_fits(settings: Settings, dataset: Dataset) -> None:
    """Raise a `SettingsError` if a batch is larger than the table, or the table has no rows."""
    check_rows(settings, len(dataset))


def check_rows(settings: Settings, rows: int) -> None:
    """The same for a table of so many rows."""
    if not rows:
        raise SettingsError("the table has no rows; use one with at least 1")
    if settings.batch_size > rows:
        raise SettingsError(
            f"batch size {settings.batch_size:,} is above the {rows:,} rows of the table; use 1 to"
            f" {rows:,}",
            "batch_size",
        )


def max_abs(X: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " D"]:
    """The largest magnitude in each column; NaN where one is in it."""
    columns = X.T  # one after the other: NumPy goes through rows of two a tenth as fast
    return np.array(
        [np.maximum(column.max(initial=0), -column.min(initial=0)) for column in columns]
    )


def check_numbers(dataset: Dataset, whole: bool = True) -> None:
    """Raise a `SettingsError` for a column whose squares double precision cannot add up, or that
    holds no finite number.

    In a piece, which is not the `whole` table, all values may be tiny.
    """
    most = LARGEST_LENGTH / math.sqrt(max(len(dataset), 1))
    columns = range(dataset.X.shape[1])
    names = [
        *(
            dataset.features[k] if k < len(dataset.features) else f"feature {k + 1}"
            for k in columns
        ),
        dataset.target,
    ]
    reaches = [*max_abs(dataset.X).tolist(), *max_abs(dataset.y[:, None]).tolist()]
    for name, reach in zip(map(shorten, names), reaches, strict=True):
        if reach <= most and (reach >= SMALLEST_REACH or reach == 0 or not whole):
            continue
        if not math.isfinite(reach):
            raise SettingsError(
                f"{name} holds {reach}, which is no finite number; leave such rows out"
            )
        limit = f"above the {most:.0e}" if reach > most else f"below the {SMALLEST_REACH:.0e}"
        raise SettingsError(
            f"{name} reaches {reach:.2g}, {limit} whose squares double precision can add up; give"
            " it in another unit"
        )
