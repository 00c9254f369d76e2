"""Change a comparison: update both sides, override the fixed side, keep within the limits of a
server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from linreg.settings.fields import FieldSpec, SettingsError, specs_of
from linreg.settings.limits import LIMITS
from linreg.settings.model import (
    DEFAULTS,
    VERSION,
    Comparison,
    Data,
    DataSettings,
    Settings,
    TableSettings,
)
from linreg.settings.optimizers import OPTIMIZERS
from linreg.settings.wirings import WIRINGS


def with_changes(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with changes by URL name: those of `DataSettings` change the data, `data_seed`
    its seed."""
    data = {data_field(name): value for name, value in changes.items() if name in data_specs()}
    run = {name: value for name, value in changes.items() if name not in data_specs()}
    if data and isinstance(settings.data, TableSettings):
        name = next(name for name in changes if name in data_specs())
        raise SettingsError(
            f"{data_specs()[name].label} belongs to the synthetic data, and this is a table of its"
            " own;"
            " choose another setting, or go back to the synthetic data",
            name,
        )
    return replace(settings, data=replace(settings.data, **data), **run)


def with_table(comparison: Comparison, table: TableSettings, bias: bool = True) -> Comparison:
    """The comparison on a table: as many steps as before, batches no larger than the table, a bias
    where both take one."""
    bias = bias and all(
        WIRINGS[side.wiring].takes_bias for side in (comparison.original, comparison.fixed)
    )
    return Comparison(
        *(_moved(side, table, bias) for side in (comparison.original, comparison.fixed))
    )


def without_table(comparison: Comparison) -> Comparison:
    """The comparison on the synthetic data of the defaults, without a bias, for as many steps as
    before."""
    data = DEFAULTS[VERSION].original.data
    return Comparison(
        *(_moved(side, data, bias=False) for side in (comparison.original, comparison.fixed))
    )


def _moved(side: Settings, data: Data, bias: bool) -> Settings:
    size = min(side.batch_size, data.samples)
    epochs = max(round(side.steps / -(-data.samples // size)), 1)
    init = side.init and side.init[: 2 + bias]
    return replace(side, data=data, bias=bias, batch_size=size, epochs=epochs, init=init)


def update_both(comparison: Comparison, changes: Mapping[str, Any]) -> Comparison:
    """The comparison with changes on both sides, by URL name.

    On the fixed side a setting of its own (where it differs from the original's) stays, but for a
    momentum that a new optimizer does not take. The wiring belongs to one side alone, so here it is
    the original's."""
    own = overrides(comparison)
    if "optimizer" in changes and "momentum" not in changes:
        optimizer = str(changes["optimizer"])
        changes = {**changes, "momentum": fitting_momentum(optimizer, comparison.original.momentum)}
        if (
            "optimizer" not in own
            and own.get("momentum")
            and not fitting_momentum(optimizer, own["momentum"])
        ):
            del own["momentum"]
    original = with_changes(comparison.original, changes)
    return Comparison(original, apply_overrides(original, own))


def apply_overrides(original: Settings, own: Mapping[str, Any]) -> Settings:
    """The original with the fixed side's own settings; a momentum that it inherits is made to fit
    its optimizer."""
    if "momentum" not in own:
        own = {
            **own,
            "momentum": fitting_momentum(
                own.get("optimizer", original.optimizer), original.momentum
            ),
        }
    return replace(original, **own)


def fitting_momentum(optimizer: str, momentum: float) -> float:
    """The momentum that an optimizer can go on with: none where it takes none, 0.9 where it needs
    some and there is none."""
    entry = OPTIMIZERS.get(optimizer)
    if entry is None or entry.takes_momentum:
        return 0.9 if entry and entry.needs_momentum and not momentum else momentum
    return 0.0


def check_limits(settings: Settings) -> Settings:
    """The settings, if the app lets a visitor run them; a `SettingsError` that says how to get
    below the limit if not."""
    if settings.steps > LIMITS.steps:
        raise SettingsError(
            f"{settings.steps:,} steps are above the {LIMITS.steps:,} that a run may have here;"
            " use fewer epochs or larger batches",
            "epochs",
            "batch_size",
            "samples",
        )
    if WIRINGS[settings.wiring].pairs and settings.batch_size > LIMITS.paired_rows:
        raise SettingsError(
            f"batch size {settings.batch_size:,} would compare {settings.batch_size**2:,} pairs at"
            " every step;"
            f" use up to {LIMITS.paired_rows:,}, or a wiring that matches the shapes",
            "batch_size",
            "wiring",
        )
    return settings


def clamp_to_limits(settings: Settings) -> Settings:
    """The settings if they are `offered`; else with as many rows, as large batches and as many
    epochs as are."""
    data, pairs = settings.data, WIRINGS[settings.wiring].pairs
    if isinstance(data, DataSettings):
        data = replace(data, samples=min(data.samples, LIMITS.rows))
    size = min(settings.batch_size, data.samples, LIMITS.paired_rows if pairs else data.samples)
    epochs = max(min(settings.epochs, LIMITS.steps // -(-data.samples // size)), 1)
    return replace(settings, data=data, batch_size=size, epochs=epochs)


def overrides(comparison: Comparison) -> dict[str, Any]:
    """The settings in which the fixed side differs from the original, its wiring always among
    them."""
    return {
        name: getattr(comparison.fixed, name)
        for name in specs_of(Settings)
        if name == "wiring" or getattr(comparison.fixed, name) != getattr(comparison.original, name)
    }


def data_specs() -> dict[str, FieldSpec]:
    """URL name -> kind of the data's fields. Their seed is `data_seed`, since a run has one of its
    own."""
    return {
        ("data_seed" if name == "seed" else name): kind
        for name, kind in specs_of(DataSettings).items()
    }


def data_field(name: str) -> str:
    return "seed" if name == "data_seed" else name


def all_specs() -> dict[str, FieldSpec]:
    """Every setting by its URL name: those of the data, then those of the run."""
    return {**data_specs(), **specs_of(Settings)}
