"""Settings of the data, of a run and of a comparison, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass

from linreg.settings.fields import (
    POSITIVE,
    FieldSpec,
    Interval,
    SettingsError,
    check_fields,
    format_number,
    setting,
    shorten,
    to_text,
)
from linreg.settings.limits import LIMITS
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.wirings import WIRINGS

VERSION = 1  # of links

SEED = FieldSpec("seed", int, Interval(0, 2**63 - 1), Interval(0, 999_999))


@dataclass(frozen=True)
class DataSettings:
    """A synthetic table: y = w1·x1 + w2·x2 + noise.

    x1 and x2 are normal with the given mean, standard deviation (`scale`) and correlation; the
    noise is normal with standard deviation `noise`."""

    samples: int = setting(10_000, FieldSpec("samples", int, Interval(1), Interval(2, LIMITS.rows)))
    weights: tuple[float, ...] = setting(
        (5.0, 3.0), FieldSpec("true weights", float, ui_range=Interval(-1e6, 1e6), parts=(2,))
    )
    scale: float = setting(100.0, FieldSpec("feature scale", float, POSITIVE, Interval(1e-6, 1e6)))
    mean: float = setting(0.0, FieldSpec("feature mean", float, ui_range=Interval(-1e6, 1e6)))
    correlation: float = setting(
        0.0, FieldSpec("correlation", float, Interval(-1, 1), Interval(-1, 1))
    )
    noise: float = setting(1.0, FieldSpec("noise", float, Interval(0), Interval(0, 1e6)))
    seed: int = setting(0, SEED)

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class TableSettings:
    """A table from a file: which table, which columns, and how many rows are used.

    `table` is the name of a bundled table or the digest of an upload. `samples` is counted by
    `linreg.data.table_settings`. With `standardise`, each feature has mean 0 and standard deviation
    1; with `standardise_target`, the target has."""

    table: str
    target: str
    features: tuple[str, str]
    samples: int
    standardise: bool = False
    standardise_target: bool = False

    def __post_init__(self) -> None:
        if len({self.target, *self.features}) != 3:
            names = ", ".join(shorten(name) for name in (self.target, *self.features))
            raise SettingsError(
                f"target and features {names} are not three columns; choose different ones",
                "target",
            )


Data = DataSettings | TableSettings


@dataclass(frozen=True)
class Settings:
    """Settings of one run: data, loss variant (`wiring`, a key of `WIRINGS`), optimizer, training.

    `init` holds the two initial weights, and with `bias` optionally the initial bias as a third
    number. None is PyTorch's default initialisation, drawn from `seed`, which also determines the
    order of the rows if `shuffle` is on. Raises `SettingsError` for impossible combinations."""

    data: Data = DataSettings()
    wiring: str = setting("original", FieldSpec("wiring", str, choices=tuple(WIRINGS)))
    init: tuple[float, ...] | None = setting(
        None,
        FieldSpec(
            "initial weights", float, ui_range=Interval(-1e6, 1e6), parts=(2, 3), optional=True
        ),
    )
    optimizer: str = setting("RMSprop", FieldSpec("optimizer", str, choices=tuple(OPTIMIZERS)))
    lr: float = setting(0.01, FieldSpec("learning rate", float, POSITIVE, Interval(1e-12, 1e6)))
    momentum: float = setting(0.0, FieldSpec("momentum", float, Interval(0), Interval(0, 2)))
    batch_size: int = setting(
        100, FieldSpec("batch size", int, Interval(1), Interval(1, LIMITS.rows))
    )
    epochs: int = setting(30, FieldSpec("epochs", int, Interval(1), Interval(1, LIMITS.steps)))
    shuffle: bool = setting(False, FieldSpec("shuffle", bool))
    bias: bool = setting(False, FieldSpec("bias", bool))
    seed: int = setting(0, SEED)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.batch_size > self.data.samples:
            raise SettingsError(
                f"batch size {self.batch_size:,} is above the {self.data.samples:,} samples; use 1"
                f" to {self.data.samples:,}",
                "batch_size",
                "samples",
            )
        optimizer = OPTIMIZERS[self.optimizer]
        if self.momentum and not optimizer.takes_momentum:
            takers = ", ".join(entry.name for entry in OPTIMIZERS.values() if entry.takes_momentum)
            raise SettingsError(
                f"momentum {format_number(self.momentum)} does not fit {self.optimizer},"
                f" which takes none; use 0, or one of {takers}",
                "momentum",
                "optimizer",
            )
        if optimizer.needs_momentum and not self.momentum:
            raise SettingsError(
                f"momentum 0 does not fit {self.optimizer}, which needs some; use 0.9, for example",
                "momentum",
                "optimizer",
            )
        if self.bias and not WIRINGS[self.wiring].takes_bias:
            takers = ", ".join(key for key, entry in WIRINGS.items() if entry.takes_bias)
            raise SettingsError(
                f"wiring {self.wiring} has a one-dimensional weight, and PyTorch's linear layer"
                f" takes no bias beside it; use no bias, or one of {takers}",
                "wiring",
                "bias",
            )
        if self.init is not None and len(self.init) == 3 and not self.bias:
            raise SettingsError(
                f"initial weights {to_text(self.init)} has 3 numbers, but there is no bias; use 2"
                " numbers",
                "init",
                "bias",
            )

    @property
    def steps_per_epoch(self) -> int:
        """Batches per pass over the data; the last one may be smaller."""
        return -(-self.data.samples // self.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer steps of the run."""
        return self.epochs * self.steps_per_epoch

    @property
    def has_random_init(self) -> bool:
        """Whether the seed determines an initial weight: all of them, or only the bias."""
        return self.init is None or len(self.init) < 2 + self.bias


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same data, as the app compares them; the loss variants usually differ."""

    original: Settings = Settings()
    fixed: Settings = Settings(wiring="squeeze")

    def __post_init__(self) -> None:
        if self.original.data != self.fixed.data:
            raise SettingsError("the two sides of a comparison need the same data settings", "data")


LABELS = ("Original", "Fixed")  # of the two sides

DEFAULTS: dict[int, Comparison] = {VERSION: Comparison()}  # by the version of a link
