"""The table that settings describe: synthetic, bundled with linreg, or registered by its digest."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import numpy as np

from linreg.data.bundled import BUNDLED
from linreg.data.dataset import (
    Dataset,
    check_numbers,
    max_abs,
    standardised,
    with_standardised_target,
)
from linreg.data.errors import TableError
from linreg.settings.fields import SettingsError, shorten
from linreg.settings.limits import LIMITS
from linreg.settings.model import Data, TableSettings

if TYPE_CHECKING:
    from linreg.data.files import Table

MAX_LOSS = 1e300  # of the weights that a figure shows


def make_data(data: Data) -> Dataset:
    """The data that settings describe: columns of a file, or synthetic data from a generator with
    its own seed.

    With z ~ N(0, 1): x1 = mean + scale·z1, x2 = mean + scale·(ρ·z1 + √(1 − ρ²)·z2), y = w1·x1 +
    w2·x2 + noise·z3. z1 and z2 are drawn before z3, so the features do not depend on the noise.
    Raises `TableError` if the file is not available."""
    if isinstance(data, TableSettings):
        found: Dataset = table_named(data.table).select(data.target, data.features)
        found = standardised(found) if data.standardise else found
        return with_standardised_target(found) if data.standardise_target else found
    generator = np.random.default_rng(data.seed)
    z = generator.standard_normal((data.samples, 2))  # (N, 2)
    rho = data.correlation
    mixing = np.array([[1.0, rho], [0.0, np.sqrt(1.0 - rho**2)]])  # (2, 2)
    X = data.mean + data.scale * (z @ mixing if rho else z)  # (N, 2)
    y = X @ np.array(data.weights) + data.noise * generator.standard_normal(data.samples)  # (N,)
    return Dataset(X, y)


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
    # Arrow and pandas, which read it, are loaded here: synthetic data and PyTorch's process need
    # neither.
    from linreg.data.files import open_bundled

    return open_bundled(key)


def table_settings(
    key: str,
    target: str,
    features: Sequence[str],
    standardise: bool = False,
    standardise_target: bool = False,
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
        key,
        found.target,
        (found.features[0], found.features[1]),
        found.kept,
        standardise,
        standardise_target,
    )
