"""The page for your own data in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from linreg.settings.fields import format_number
from linreg.settings.model import TableSettings
from linreg.text.markdown import as_code, column
from linreg.text.numbers import quantity, r2_text

if TYPE_CHECKING:
    from linreg.experiments.table_diagnosis import TableDiagnosis
    from linreg.experiments.your_data import YourDataResult


def rows_used(result: YourDataResult) -> str:
    """How many rows are used, and how many are left out for each reason, with the first of them."""
    rows = result.kept + sum(reason.count for reason in result.dropped)
    text = f"**{result.kept:,} of {rows:,} rows are used.**"
    for drop in result.dropped:
        value = f", `{as_code(drop.value)}`" if drop.value else ""
        text += (
            f" {drop.count:,} left out: {column(drop.column)} is {drop.reason}, first in row"
            f" {drop.first_row:,} of the file{value}."
        )
    return text


def data_findings(result: YourDataResult) -> list[str]:
    """What the bug does to this table, and what makes training on it difficult.

    A paragraph per finding.
    """
    data, diagnosis = result.data, result.diagnosis
    sums = diagnosis.sums
    names = [*(column(name) for name in data.features), "the bias"]
    paragraphs = [_bug_finding(diagnosis, column(data.target))]
    for index in diagnosis.constant:
        paragraphs.append(
            f"**{names[index]} is constant**, {quantity(float(sums.feature_minima[index]))} in"
            " every row, so its weight cannot be told from a bias; choose another feature."
        )
    if diagnosis.collinear:
        paragraphs.append(
            f"**{names[0]} and {names[1]} are collinear**, with a correlation of"
            f" {r2_text(diagnosis.correlation)}: their weights trade off against each other, and"
            " the valley is flat; leave one of them out."
        )
    return [*paragraphs, _conditioning(diagnosis, data), _reach(diagnosis, data, names)]


def _bug_finding(diagnosis: TableDiagnosis, target: str) -> str:
    """R² and the spread of the predictions at the minimum of the buggy loss, and as intended."""
    sums = diagnosis.sums
    broadcast, matched = diagnosis.broadcast_fit, diagnosis.least_squares_fit
    mean = quantity(sums.target_mean)
    if sums.target_variance == 0:
        return (
            f"**{target} is constant**, {mean} in every row: there is nothing to explain, and R²"
            " cannot judge."
        )
    return (
        f"**What the bug does**: as written, with batches of {diagnosis.settings.batch_size:,}, the"
        f" loss is least where R² is {r2_text(broadcast.r_squared)} instead of"
        f" {r2_text(matched.r_squared)}, and the predictions there have a standard deviation of"
        f" {quantity(broadcast.spread)} instead of {quantity(matched.spread)}"
        f"{_shrinkage(diagnosis)}. {target} is {mean} on average, with a standard deviation of"
        f" {quantity(math.sqrt(sums.target_variance))}."
    )


def _shrinkage(diagnosis: TableDiagnosis) -> str:
    """The share of the predictions' spread that the bug leaves.

    Also why, where it is more than rows in random order would keep.
    """
    settings, matched = diagnosis.settings, diagnosis.least_squares_fit
    share = diagnosis.broadcast_fit.spread / matched.spread if matched.spread else 1.0
    if share > 0.95:
        return ""
    text = f" ({share:.0%})" if share >= 0.1 else f" ({share:.1%}: nearly a constant)"
    batches = -(-diagnosis.sums.rows // settings.batch_size)
    r_squared = max(matched.r_squared, 1e-9)
    deviation = math.sqrt(2 / (batches * r_squared))
    by_chance = max(3.0, 1 + 3 * deviation) / settings.batch_size  # upper bound, in random order
    if settings.bias and not settings.shuffle and share > max(by_chance, 0.1):
        text += (
            f"; rows in random order would keep 1/{settings.batch_size:,} of it, but in this table"
            " rows that follow each other are alike, and the means of the batches keep part of the"
            " fit"
        )
    return text


def _conditioning(diagnosis: TableDiagnosis, data: TableSettings) -> str:
    """The condition number and SGD's stability limit, now and with standardised features."""
    training, standardised = diagnosis.training, diagnosis.standardised
    if math.isinf(training.condition_number):
        bowl = "the bowl is flat along one axis"
    else:
        number = quantity(training.condition_number)
        bowl = f"the bowl is {number} times as steep along one axis as along another"
    text = f"**Steepness**: {bowl}, and SGD is stable below lr {quantity(training.stable_lr)}."
    if data.standardise:
        return text
    if math.isinf(standardised.condition_number):
        return f"{text} Standardising would not help that."
    return (
        f"{text} Standardised features would make that {quantity(standardised.condition_number)}"
        f" and {quantity(standardised.stable_lr)}."
    )


def _reach(diagnosis: TableDiagnosis, data: TableSettings, names: Sequence[str]) -> str:
    """Whether RMSprop can move every weight as far as its minimum, and what would help."""
    settings, training = diagnosis.settings, diagnosis.training
    steps_per_epoch = -(-diagnosis.sums.rows // settings.batch_size)
    steps, damping = settings.epochs * steps_per_epoch, 1 - settings.momentum
    if damping <= 0:
        return (
            f"**Reach**: with momentum {format_number(settings.momentum)} RMSprop's steps grow"
            " without end; use one below 1."
        )
    step_formula = "lr/(1 − momentum)" if settings.momentum else "lr"
    step_size = format_number(float(f"{settings.lr / damping:.3g}"))
    text = (
        f"**Reach**: RMSprop moves a weight by about {step_formula} a step, ten times that in the"
        f" first, so {steps:,} steps of {step_size} reach about"
        f" {quantity(diagnosis.max_displacement)}. The furthest way is that of"
        f" {names[training.furthest]}, {quantity(training.distance)}:"
    )
    if diagnosis.max_displacement >= training.distance:
        text += " within reach."
    else:
        required = 1.1 * training.distance * damping
        epochs = math.ceil(required / settings.lr / steps_per_epoch)
        text += f" out of reach; {epochs:,} epochs would do, or lr {quantity(required / steps)}."
    if not data.standardise:
        standardised = diagnosis.standardised
        distance, name = quantity(standardised.distance), names[standardised.furthest]
        text += f" Standardised, it would be {distance}, of {name}."
    return text
