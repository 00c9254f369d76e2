"""Change the settings of a comparison, and keep them within the limits of the server."""

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
    """The settings with changes, given by URL name (see `all_specs`).

    Raises `SettingsError` for impossible values, and for fields of the synthetic data when the
    settings use a table."""
    specs = data_specs()
    data = {data_field(name): value for name, value in changes.items() if name in specs}
    run = {name: value for name, value in changes.items() if name not in specs}
    if data and isinstance(settings.data, TableSettings):
        name = next(name for name in changes if name in specs)
        raise SettingsError(
            f"{specs[name].label} belongs to the synthetic data, and this is a table of its own;"
            " choose another setting, or go back to the synthetic data",
            name,
        )
    return replace(settings, data=replace(settings.data, **data), **run)


def with_table(comparison: Comparison, table: TableSettings, bias: bool = True) -> Comparison:
    """The comparison on a table, trained for about as many steps as before.

    Rows of a file are often sorted, and the means of batches of similar rows keep much of the fit:
    a comparison that comes from synthetic data is therefore shuffled. Batches are at most as large
    as the table, and smaller where the last one would have few rows (see `balanced_batch_size`).
    With `bias`, both sides get a bias if both loss variants allow one."""
    sides = comparison.original, comparison.fixed
    bias = bias and all(WIRINGS[side.wiring].takes_bias for side in sides)
    moved = [_with_data(side, table, bias, side.batch_size) for side in sides]
    if isinstance(comparison.original.data, DataSettings):
        moved = [replace(side, shuffle=True) for side in moved]
    return Comparison(*moved)


def without_table(comparison: Comparison) -> Comparison:
    """The comparison on the default synthetic data, in the order of its rows, without a bias, for
    about as many steps.

    A batch size that `with_table` made of the default one becomes the default again."""
    default = DEFAULTS[VERSION].original
    reduced = balanced_batch_size(default.batch_size, comparison.original.data.samples)
    moved = []
    for side in (comparison.original, comparison.fixed):
        batch_size = default.batch_size if side.batch_size == reduced else side.batch_size
        side = _with_data(side, default.data, bias=False, batch_size=batch_size)
        moved.append(replace(side, shuffle=default.shuffle))
    return Comparison(*moved)


def balanced_batch_size(batch_size: int, rows: int) -> int:
    """The largest batch size up to `batch_size` for a table of this many rows, with which the last
    batch has at least a quarter of the rows of the others.

    The loss is averaged over the batches, so a last batch of one row, in which nothing can be
    broadcast wrongly, would count as much as all the others."""
    batch_size = min(batch_size, rows)
    if 0 < rows % batch_size < batch_size / 4:
        return -(-rows // -(-rows // batch_size))
    return batch_size


def _with_data(side: Settings, data: Data, bias: bool, batch_size: int) -> Settings:
    batch_size = min(batch_size, data.samples)
    if data.samples != side.data.samples:
        batch_size = balanced_batch_size(batch_size, data.samples)
    steps_per_epoch = -(-data.samples // batch_size)
    epochs = max(round(side.steps / steps_per_epoch), 1)
    init = side.init and side.init[: 2 + bias]
    return replace(side, data=data, bias=bias, batch_size=batch_size, epochs=epochs, init=init)


def update_both(comparison: Comparison, changes: Mapping[str, Any]) -> Comparison:
    """The comparison with changes, given by URL name, on both sides.

    The overrides of the fixed side stay, except a momentum that the new optimizer does not take. A
    change of the loss variant (`wiring`) applies to the original side only."""
    kept = overrides(comparison)
    if "optimizer" in changes and "momentum" not in changes:
        optimizer = str(changes["optimizer"])
        changes = {**changes, "momentum": fitting_momentum(optimizer, comparison.original.momentum)}
        inherits_optimizer = "optimizer" not in kept
        momentum = kept.get("momentum")
        if inherits_optimizer and momentum and not fitting_momentum(optimizer, momentum):
            del kept["momentum"]
    original = with_changes(comparison.original, changes)
    return Comparison(original, apply_overrides(original, kept))


def apply_overrides(original: Settings, changes: Mapping[str, Any]) -> Settings:
    """The fixed side: the original with changes; an inherited momentum is made to fit."""
    if "momentum" not in changes:
        optimizer = changes.get("optimizer", original.optimizer)
        changes = {**changes, "momentum": fitting_momentum(optimizer, original.momentum)}
    return replace(original, **changes)


def fitting_momentum(optimizer: str, momentum: float) -> float:
    """The momentum adapted to an optimizer: 0 if it takes none, 0.9 if it needs some and has 0."""
    entry = OPTIMIZERS.get(optimizer)
    if entry is None or entry.takes_momentum:
        return 0.9 if entry and entry.needs_momentum and not momentum else momentum
    return 0.0


def check_limits(settings: Settings) -> Settings:
    """The settings unchanged, if they are within the limits of the server.

    Otherwise raises a `SettingsError` that says how to get below the limit."""
    if settings.steps > LIMITS.steps:
        raise SettingsError(
            f"{settings.steps:,} steps are above the {LIMITS.steps:,} that a run may have here;"
            " use fewer epochs or larger batches",
            "epochs",
            "batch_size",
            "samples",
        )
    if WIRINGS[settings.wiring].pairs and settings.batch_size > LIMITS.broadcast_rows:
        raise SettingsError(
            f"batch size {settings.batch_size:,} would compare {settings.batch_size**2:,} pairs"
            f" at every step; use up to {LIMITS.broadcast_rows:,}, or a wiring that matches the"
            " shapes",
            "batch_size",
            "wiring",
        )
    return settings


def clamp_to_limits(settings: Settings) -> Settings:
    """The settings with rows, batch size and epochs reduced to the limits where needed."""
    data = settings.data
    if isinstance(data, DataSettings):
        data = replace(data, samples=min(data.samples, LIMITS.rows))
    batch_size = min(settings.batch_size, data.samples)
    if WIRINGS[settings.wiring].pairs:
        batch_size = min(batch_size, LIMITS.broadcast_rows)
    steps_per_epoch = -(-data.samples // batch_size)
    epochs = max(min(settings.epochs, LIMITS.steps // steps_per_epoch), 1)
    return replace(settings, data=data, batch_size=batch_size, epochs=epochs)


def overrides(comparison: Comparison) -> dict[str, Any]:
    """The settings in which the fixed side differs from the original, and always its wiring."""
    return {
        name: getattr(comparison.fixed, name)
        for name in specs_of(Settings)
        if name == "wiring" or getattr(comparison.fixed, name) != getattr(comparison.original, name)
    }


def data_specs() -> dict[str, FieldSpec]:
    """The fields of `DataSettings` by URL name; `seed` is `data_seed`, as a run has a seed too."""
    return {
        ("data_seed" if name == "seed" else name): spec
        for name, spec in specs_of(DataSettings).items()
    }


def data_field(name: str) -> str:
    """The field of `DataSettings` that has this URL name."""
    return "seed" if name == "data_seed" else name


def all_specs() -> dict[str, FieldSpec]:
    """All fields by URL name: those of the data, then those of the run."""
    return {**data_specs(), **specs_of(Settings)}
