"""The page of your own data in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from linreg.settings.fields import format_number
from linreg.settings.model import TableSettings
from linreg.text.markdown import as_code, column
from linreg.text.numbers import quantity, r2_text

if TYPE_CHECKING:
    from linreg.data.files import Dropped
    from linreg.experiments.table_diagnosis import TableDiagnosis


def rows_used(kept: int, dropped: Sequence[Dropped]) -> str:
    """How many rows are used, and how many are left out for what, with the first of them."""
    rows = kept + sum(one.count for one in dropped)
    said = f"**{kept:,} of {rows:,} rows are used.**"
    for one in dropped:
        holds = f", `{as_code(one.value)}`" if one.value else ""
        first = f"first in row {one.first_row:,} of the file{holds}"
        said += f" {one.count:,} left out: {column(one.column)} is {one.reason}, {first}."
    return said


def data_findings(found: TableDiagnosis, data: TableSettings) -> list[str]:
    """What the bug does to this table and what stands in the way of training on it, a paragraph
    each."""
    settings, sums = found.settings, found.sums
    target = column(data.target)
    names = [column(name) for name in data.features] + ["the bias"]
    mean, deviation = quantity(sums.target_mean), quantity(math.sqrt(sums.target_variance))
    said = []
    if sums.target_variance == 0:
        said.append(
            f"**{target} is constant**, {mean} in every row: there is nothing to explain, and R²"
            " cannot judge."
        )
    else:
        said.append(
            f"**What the bug does**: as written, with batches of {settings.batch_size:,}, the loss"
            " is least where R² is"
            f" {r2_text(found.written.r_squared)} instead of {r2_text(found.fixed.r_squared)}, and"
            " the predictions there have a"
            f" standard deviation of {quantity(found.written.spread)} instead of"
            f" {quantity(found.fixed.spread)}{_shrunk(found)}. {target} is {mean} on average, with"
            " a standard deviation of"
            f" {deviation}."
        )
    for index in found.constant:
        said.append(
            f"**{names[index]} is constant**, {quantity(float(sums.feature_minima[index]))} in"
            " every row, so its weight"
            " cannot be told from a bias; choose another feature."
        )
    if found.collinear:
        said.append(
            f"**{names[0]} and {names[1]} are collinear**, with a correlation of"
            f" {r2_text(found.correlation)}: their weights"
            " trade off against each other, and the valley is flat; leave one of them out."
        )
    said += [_steepness(found, data), _way(found, data, names)]
    return said


def _shrunk(found: TableDiagnosis) -> str:
    """What the bug leaves of the spread of the predictions, and why where it is more than
    independent rows would keep."""
    settings, whole = found.settings, found.fixed.spread
    left = found.written.spread / whole if whole else 1.0
    if left > 0.95:
        return ""
    said = f" ({left:.0%})" if left >= 0.1 else f" ({left:.1%}: nearly a constant)"
    batches, fit = -(-found.sums.rows // settings.batch_size), max(found.fixed.r_squared, 1e-9)
    by_chance = (
        max(3.0, 1 + 3 * math.sqrt(2 / (batches * fit))) / settings.batch_size
    )  # of rows in random order
    if settings.bias and not settings.shuffle and left > max(by_chance, 0.1):
        said += (
            f"; rows in random order would keep 1/{settings.batch_size:,} of it, but in this table"
            " rows that follow each"
            " other are alike, and the means of the batches keep part of the fit"
        )
    return said


def _steepness(found: TableDiagnosis, data: TableSettings) -> str:
    """The condition number and the stable learning rate, and what standardising would make of
    them."""
    now, then = found.training, found.standardised
    flat = "the bowl is flat along one axis" if math.isinf(now.condition_number) else ""
    steep = (
        flat
        or f"the bowl is {quantity(now.condition_number)} times as steep along one axis as along another"
    )
    said = f"**Steepness**: {steep}, and SGD is stable below lr {quantity(now.stable_lr)}."
    if data.standardise:
        return said
    if math.isinf(then.condition_number):
        return f"{said} Standardising would not help that."
    return f"{said} Standardised features would make that {quantity(then.condition_number)} and {quantity(then.stable_lr)}."


def _way(found: TableDiagnosis, data: TableSettings, names: Sequence[str]) -> str:
    """Whether RMSprop's reach covers the distance to the minimum, and what would."""
    settings, now, then = found.settings, found.training, found.standardised
    per_epoch = -(-found.sums.rows // settings.batch_size)
    steps, left = settings.epochs * per_epoch, 1 - settings.momentum
    if left <= 0:
        return f"**Reach**: with momentum {format_number(settings.momentum)} RMSprop's steps grow without end; use one below 1."
    a_step = "lr/(1 − momentum)" if settings.momentum else "lr"
    said = (
        f"**Reach**: RMSprop moves a weight by about {a_step} a step, ten times that in the first,"
        f" so {steps:,} steps of"
        f" {format_number(float(f'{settings.lr / left:.3g}'))} reach about {quantity(found.reach)}."
        " The furthest way is that of"
        f" {names[now.furthest]}, {quantity(now.distance)}:"
    )
    if found.reach >= now.distance:
        said += " within reach."
    else:
        way = 1.1 * now.distance * left
        epochs = math.ceil(way / settings.lr / per_epoch)
        said += f" out of reach; {epochs:,} epochs would do, or lr {quantity(way / steps)}."
    if not data.standardise:
        said += f" Standardised, it would be {quantity(then.distance)}, of {names[then.furthest]}."
    return said
