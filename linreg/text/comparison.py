"""The home page in words."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from linreg.settings.fields import format_number
from linreg.settings.model import LABELS, Comparison, Data, DataSettings, Settings, TableSettings
from linreg.settings.wirings import WIRINGS
from linreg.text.markdown import column, table_in_markdown
from linreg.text.numbers import duration, point, quantity, r2_text, shape
from linreg.training.outcome import Outcome

if TYPE_CHECKING:
    from linreg.training.run import Run


def shapes_met(settings: Settings) -> str:
    """The shapes that the loss compares: `(100, 1) meets (100,)`."""
    prediction, target = WIRINGS[settings.wiring].shapes(settings.batch_size)
    return f"{prediction} meets {target}"


def sides(comparison: Comparison, varied: Collection[str] = ()) -> str:
    """What the loss of each side compares, a line per side.

    `varied` are settings that the page varies; with the batch size among them, of any batch size.
    """
    both = zip(LABELS, (comparison.original, comparison.fixed), strict=True)
    any_size = "batch_size" in varied
    return "  \n".join(
        f"**{label}**: {broadcast_sentence(settings, any_size)}" for label, settings in both
    )


def setup(comparison: Comparison, varied: Collection[str] = ()) -> str:
    """The regression, the data, the layer and the optimizers in one line.

    Settings that the page varies, `varied`, are left out.
    """
    layers = []
    for side in (comparison.original, comparison.fixed):
        rate = "" if "lr" in varied else f" at lr {format_number(side.lr)}"
        optimizer = "" if "optimizer" in varied else f" with {side.optimizer}{rate}"
        layers.append(f"`nn.Linear(2, 1, bias={side.bias})`{optimizer}")
    data = comparison.original.data
    rows = f"{data.samples:,} rows"
    if isinstance(data, DataSettings) and "scale" not in varied:
        rows += f" with features of standard deviation {format_number(data.scale)}"
    return f"{regression(data)}, {rows}; {', then '.join(dict.fromkeys(layers))}; `nn.MSELoss`."


def regression(data: Data) -> str:
    """What is regressed on what: the formula of synthetic data, or the columns of a table."""
    if isinstance(data, TableSettings):
        target, first, second = (column(name) for name in (data.target, *data.features))
        standardised = ", both standardised" if data.standardise else ""
        return f"{target} on {first} (w1) and {second} (w2){standardised}"
    first, second = (format_number(weight).replace("-", "−") for weight in data.weights)
    second_term = f"− {second[1:]}·x2" if second.startswith("−") else f"+ {second}·x2"
    return f"y = {first}·x1 {second_term}{' + noise' if data.noise else ''}"


def headline(original: Outcome | None, fixed: Outcome | None) -> str:
    """The finding in one sentence; before the runs are trained, what there is to see."""
    if original is None or fixed is None:
        return (
            "The same data, two losses: their surfaces are exact, their runs have yet to be"
            " trained."
        )
    if original.diverged_at is not None or fixed.diverged_at is not None:
        return _headline_of_diverged(original, fixed)
    losses = [_loss(outcome.final_loss) for outcome in (original, fixed)]
    if not (original.judged and fixed.judged):
        return (
            "The target is constant, so R² cannot judge: the loss ends at"
            f" {losses[0]} and at {losses[1]}."
        )
    if fixed.converged and not original.converged:
        return (
            f"As written, the loss {_change(original)} {losses[0]}. Fixed, it"
            f" {_change(fixed)} {losses[1]}."
        )
    if original.converged and fixed.converged:
        return (
            f"Both sides converge: the loss comes to {losses[0]} on the original and to"
            f" {losses[1]} on the fixed side."
        )
    if original.converged:
        return (
            f"The original converges at a loss of {losses[0]}; the fixed side ends at {losses[1]}."
        )
    return (
        f"Neither side converges: the loss ends at {losses[0]} on the original and at"
        f" {losses[1]} on the fixed side."
    )


def _headline_of_diverged(original: Outcome, fixed: Outcome) -> str:
    """The finding where at least one side diverges."""
    if original.diverged_at is None:
        return (
            f"The fixed side diverges at step {fixed.diverged_at:,}; on the original the loss"
            f" comes to {_loss(original.final_loss)}."
        )
    if fixed.diverged_at is None:
        return (
            f"The original diverges at step {original.diverged_at:,}; on the fixed side the loss"
            f" comes to {_loss(fixed.final_loss)}."
        )
    return (
        f"Both sides diverge: the original at step {original.diverged_at:,}, the fixed side at"
        f" step {fixed.diverged_at:,}."
    )


def _change(outcome: Outcome) -> str:
    """The verb for how the final loss compares with the loss at the start."""
    if outcome.final_loss is None or not outcome.start_loss:
        return "comes to"
    ratio = outcome.final_loss / outcome.start_loss
    if ratio < 0.9:
        return "falls to"
    return "rises to" if ratio > 1.1 else "stays at"


def explanation(settings: Settings, outcome: Outcome | None) -> str:
    """Which shapes meet and what that does; of a trained run also its final weights and minimum."""
    sentence = broadcast_sentence(settings)
    if outcome is None:
        return sentence
    end = (
        f"After {outcome.steps:,} steps the weights are"
        if outcome.diverged_at is None
        else "The last finite weights are"
    )
    where = point(outcome.minimum)
    if not outcome.unique_minimum:
        where += ", among other points"
    last = settings.data.samples % settings.batch_size
    if (
        last and not WIRINGS[settings.wiring].pairs
    ):  # of paired rows it is the least-squares weights
        rows = "rows" if last > 1 else "row"
        where += f", as the last batch, of {last:,} {rows}, counts as much as the others"
    return f"{sentence} {end} {point(outcome.weights)}; this loss is least at {where}."


def broadcast_sentence(settings: Settings, any_size: bool = False) -> str:
    """Which shapes meet and what that does, for batches of the settings' size.

    With `any_size` for batches of B rows.
    """
    wiring, rows = WIRINGS[settings.wiring], settings.batch_size
    if not wiring.pairs:
        effect = "each prediction is compared with its own target"
    elif any_size:
        effect = "each of B predictions is compared with all B targets of its batch, B² pairs"
    elif rows > 1:
        effect = (
            f"each of {rows:,} predictions is compared with all {rows:,} targets of its batch,"
            f" {rows**2:,} pairs"
        )
    else:
        effect = "one row a batch, so nothing can be mixed"
    sizes = ("B" if any_size else str(rows), "1")
    prediction, target = (sizes[:axes] for axes in (wiring.prediction_axes, wiring.target_axes))
    return f"{shape(prediction)} meets {shape(target)}: {effect}."


def steps_and_time(comparison: Comparison, paces: Sequence[float | None]) -> str:
    """`3,000 steps a side, about 1.2 s`.

    `paces` are in seconds per step; without the time where one is not known.
    """
    original, fixed = comparison.original.steps, comparison.fixed.steps
    steps = (
        f"{original:,} and {fixed:,} steps" if original != fixed else f"{original:,} steps a side"
    )
    seconds = 0.0
    for count, pace in zip((original, fixed), paces, strict=True):
        if pace is None:
            return steps
        seconds += count * pace
    return f"{steps}, about {duration(seconds)}"


def outcome_table(outcomes: Sequence[Outcome], labels: Sequence[str]) -> str:
    """The outcomes side by side, as a Markdown table."""
    rows = {
        "Verdict": [_verdict(outcome) for outcome in outcomes],
        "Loss at the final weights": [_loss(outcome.final_loss) for outcome in outcomes],
        "Mean loss of the last epoch": [_loss(outcome.last_epoch_loss) for outcome in outcomes],
        "Final weights": [point(outcome.weights, 3) for outcome in outcomes],
        "R² on all rows": [r2_text(outcome.r_squared) for outcome in outcomes],
        "R² of least squares": [r2_text(outcome.least_squares_r_squared) for outcome in outcomes],
    }
    return table_in_markdown(rows, labels)


def _verdict(outcome: Outcome) -> str:
    if outcome.converged:
        return f"✓ {outcome.verdict}"
    return f"{'✕' if outcome.judged else '–'} {outcome.verdict}"


def _loss(value: float | None) -> str:
    return "–" if value is None else quantity(value)


def shape_table(runs: Sequence[Run], labels: Sequence[str]) -> str:
    """The shapes of the first batch side by side, as a Markdown table."""
    losses = [f"{shape(run.loss_shape)}, {math.prod(run.loss_shape):,} terms" for run in runs]
    rows = {
        "Prediction": [shape(run.prediction_shape) for run in runs],
        "Target": [shape(run.target_shape) for run in runs],
        "Loss, before its mean": losses,
    }
    return table_in_markdown(rows, labels)
