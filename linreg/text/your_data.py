"""The page for your own data in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from linreg.data.bundled import BUNDLED
from linreg.data.tables import table_named
from linreg.experiments.your_data import Remedy, remedies
from linreg.settings.fields import format_number
from linreg.settings.model import Comparison, Data, TableSettings
from linreg.text import outcomes
from linreg.text.markdown import as_code, column
from linreg.text.numbers import coordinate, quantity, r2_text

if TYPE_CHECKING:
    from linreg.experiments.comparison import ComparisonResult
    from linreg.experiments.table_diagnosis import TableDiagnosis
    from linreg.experiments.your_data import YourDataResult


def origin(data: Data) -> str:
    """Where the data are from, of the settings alone: the question, or a table in its place."""
    if not isinstance(data, TableSettings):
        return (
            "[The question on the PyTorch forums](https://discuss.pytorch.org/t/50431), also on"
            " Stack Overflow."
        )
    if data.table in BUNDLED:
        return f"{BUNDLED[data.table].title}, in place of the data of the forum's question."
    name = column(table_named(data.table).name)
    return f"Your table {name}, in place of the data of the forum's question."


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
    names = [*(column(name) for name in data.features), "the bias"]
    paragraphs = [_bug_finding(result, column(data.target))]
    if diagnosis.sums.target_variance and (data.standardise or data.standardise_target):
        paragraphs.append(_solution(result))
    for index in diagnosis.constant:
        value = result.feature_scalings[index].in_table(float(diagnosis.sums.feature_minima[index]))
        paragraphs.append(
            f"**{names[index]} is constant**, {quantity(value)} in every row, so its weight cannot"
            " be told from a bias; choose another feature."
        )
    if diagnosis.collinear:
        paragraphs.append(
            f"**{names[0]} and {names[1]} are collinear**, with a correlation of"
            f" {r2_text(diagnosis.correlation)}: their weights trade off against each other; leave"
            " one of them out."
        )
    return [*paragraphs, _conditioning(diagnosis, data), _reach(result, names)]


def headline(result: ComparisonResult) -> str:
    """The finding on a table in a sentence: R² as written, with the shapes fixed, and at best."""
    original, fixed = result.outcomes
    data = result.comparison.original.data
    assert isinstance(data, TableSettings)
    if original is None or fixed is None or not (original.judged and fixed.judged):
        return outcomes.headline(original, fixed)
    if not fixed.converged or original.converged or original.diverged_at is not None:
        return outcomes.headline(original, fixed)
    first, second = (column(name) for name in data.features)
    return (
        f"The silent broadcast hides what {first} and {second} say about {column(data.target)}: as"
        f" written R² ends at {_two_digits(original.r_squared)}, fixed at"
        f" {_two_digits(fixed.r_squared)} (least squares:"
        f" {_two_digits(fixed.least_squares_r_squared)})."
    )


def _two_digits(r_squared: float) -> str:
    return r2_text(r_squared) if r_squared > 0.995 else coordinate(r_squared)


def preparation(comparison: Comparison) -> str:
    """What is done to the table before training and why, of the settings alone."""
    data = comparison.original.data
    assert isinstance(data, TableSettings)
    shuffled = " and the rows are shuffled" if comparison.original.shuffle else ""
    if data.standardise and data.standardise_target:
        return (
            f"Features and target are standardised{shuffled}, so that training works in any units"
            f"{' and order' if shuffled else ''}."
        )
    scaled = (
        "The features are standardised, the target keeps its units"
        if data.standardise
        else "The target is standardised, the features keep their units"
        if data.standardise_target
        else "Features and target keep their units"
    )
    return f"{scaled}{';' if shuffled else ''}{shuffled.removeprefix(' and')}."


def advice(result: YourDataResult) -> str:
    """Why the comparison would tell more with the remedies."""
    names = [*(column(name) for name in result.data.features), "the bias"]
    diagnosis = result.diagnosis
    sentences = []
    if diagnosis.max_displacement < diagnosis.training.distance:
        sentences.append(_too_short(result, names))
    if diagnosis.similar_neighbours and not diagnosis.settings.shuffle:
        sentences.append(
            "**Neighbouring rows are alike**, and the means of the batches keep part of the fit."
        )
    return " ".join(sentences)


def _bug_finding(result: YourDataResult, target: str) -> str:
    """R² and the spread of the predictions at the minimum of the buggy loss, and as intended."""
    diagnosis, unit = result.diagnosis, result.target_scaling.deviation
    sums = diagnosis.sums
    broadcast, matched = diagnosis.broadcast_fit, diagnosis.least_squares_fit
    mean = quantity(result.target_scaling.in_table(sums.target_mean))
    if sums.target_variance == 0:
        return (
            f"**{target} is constant**, {mean} in every row: there is nothing to explain, and R²"
            " cannot judge."
        )
    return (
        f"**What the bug does**: as written, with batches of {diagnosis.settings.batch_size:,}, the"
        f" loss has its minimum where R² is {r2_text(broadcast.r_squared)} instead of"
        f" {r2_text(matched.r_squared)}, and the predictions there have a standard deviation of"
        f" {quantity(unit * broadcast.spread)} instead of {quantity(unit * matched.spread)}"
        f"{_shrinkage(diagnosis)}. {target} is {mean} on average, with a standard deviation of"
        f" {quantity(unit * math.sqrt(sums.target_variance))}."
    )


def _shrinkage(diagnosis: TableDiagnosis) -> str:
    """The share of the predictions' spread that the bug leaves.

    Also why, where it is more than rows in random order would keep.
    """
    share = diagnosis.kept_spread
    if share > 0.95 and not diagnosis.similar_neighbours:
        return ""
    text = f" ({share:.0%})" if share >= 0.1 else f" ({share:.1%}: nearly a constant)"
    if diagnosis.similar_neighbours:
        text += (
            f"; rows in random order would keep 1/{diagnosis.settings.batch_size:,} of it, but"
            " here neighbouring rows are alike, and the means of the batches keep part of the fit:"
            " try *Shuffle*"
        )
    return text


def _solution(result: YourDataResult) -> str:
    """The least-squares solution as an equation, in the units of the table."""
    slopes = result.table_weights
    terms = [
        f"{_signed(weight)} · {column(name)}"
        for weight, name in zip(slopes[:2].tolist(), result.data.features, strict=True)
    ]
    terms += [_signed(float(bias)) for bias in slopes[2:]]
    equation = " ".join(terms).removeprefix("+ ")
    return (
        f"**Correct solution in the units of the table**: {column(result.data.target)} ="
        f" {equation}. The weights in the figures are of the standardised values."
    )


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'} {quantity(abs(value))}"


def _conditioning(diagnosis: TableDiagnosis, data: TableSettings) -> str:
    """The condition number and SGD's stability limit, now and with standardised features."""
    training, standardised = diagnosis.training, diagnosis.standardised
    if math.isinf(training.condition_number):
        hessian = "the Hessian is singular, so the minimum is not unique"
    else:
        hessian = f"the condition number of the Hessian is {quantity(training.condition_number)}"
    text = f"**Conditioning**: {hessian}; SGD is stable below lr {quantity(training.stable_lr)}."
    if data.standardise:
        return text
    if math.isinf(standardised.condition_number):
        return f"{text} Standardising would not change that."
    return (
        f"{text} With standardised features these would be"
        f" {quantity(standardised.condition_number)} and {quantity(standardised.stable_lr)}."
    )


def _reach(result: YourDataResult, names: Sequence[str]) -> str:
    """Whether RMSprop can move every weight as far as its minimum, and what would help."""
    diagnosis = result.diagnosis
    settings, training = diagnosis.settings, diagnosis.training
    steps = settings.epochs * -(-diagnosis.sums.rows // settings.batch_size)
    damping = 1 - settings.momentum
    if damping <= 0:
        return (
            f"**Momentum {format_number(settings.momentum)} is too large**: RMSprop's steps grow"
            " without end; use one below 1."
        )
    step_formula = "lr/(1 − momentum)" if settings.momentum else "lr"
    step_size = format_number(float(f"{settings.lr / damping:.3g}"))
    name, distance = names[training.furthest], quantity(training.distance)
    reach = quantity(diagnosis.max_displacement)
    steps_taken = (
        f"RMSprop moves a weight by about {step_formula} per step, so {steps:,} steps of"
        f" {step_size} reach about {reach}"
    )
    if diagnosis.max_displacement >= training.distance:
        return (
            f"**Training is long enough**: {steps_taken}; {name} has the farthest to travel,"
            f" {distance}."
        )
    advised = _list_of([label(remedy) for remedy in remedies(result) if remedy.name != "shuffle"])
    too_short = _too_short(result, names).removesuffix(".")
    return f"{too_short}; {advised}. {steps_taken[0].upper()}{steps_taken[1:]}."


def _too_short(result: YourDataResult, names: Sequence[str]) -> str:
    diagnosis = result.diagnosis
    return (
        f"**Training is too short**: {names[diagnosis.training.furthest]} must travel"
        f" {quantity(diagnosis.training.distance)} but can move about"
        f" {quantity(diagnosis.max_displacement)}."
    )


def label(remedy: Remedy) -> str:
    """A remedy as an imperative: `use lr 73`."""
    if remedy.name == "standardise":
        return "standardise features and target"
    if remedy.name == "shuffle":
        return "shuffle the rows"
    if remedy.name == "epochs":
        return f"train for {remedy.value:,} epochs"
    return f"use lr {format_number(remedy.value)}"


def _list_of(parts: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
