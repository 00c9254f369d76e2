"""The home page in words.

What is said of the settings alone, other pages say too: `setup`, `sides` and `regression`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from linreg.settings.fields import format_number
from linreg.settings.model import LABELS, Comparison, Data, DataSettings, Settings, TableSettings
from linreg.settings.wirings import WIRINGS
from linreg.text import outcomes
from linreg.text.markdown import column, escape_markdown, table_in_markdown
from linreg.text.numbers import coordinate, duration, r2_text, shape
from linreg.text.outcomes import broadcast_sentence, loss_text
from linreg.training.outcome import Outcome

FIXES = """\
loss = criterion(pred.squeeze(-1), y)
loss = criterion(pred, y.unsqueeze(1))  # or this
assert pred.shape == y.shape"""

if TYPE_CHECKING:
    from linreg.experiments.comparison import ComparisonResult


def shapes_met(settings: Settings) -> str:
    """The shapes that the loss compares, of the settings alone: `(100, 1) against (100,)`."""
    prediction, target = WIRINGS[settings.wiring].shapes(settings.batch_size)
    return f"{prediction} against {target}"


def sides(comparison: Comparison, varied: Collection[str] = ()) -> str:
    """What the loss of each side compares, a line per side, of the settings alone.

    `varied` are settings that the page varies; with the batch size among them, of any batch size.
    """
    both = zip(LABELS, (comparison.original, comparison.fixed), strict=True)
    any_size = "batch_size" in varied
    return "  \n".join(
        f"**{label}**: {broadcast_sentence(settings, any_size)}" for label, settings in both
    )


def setup(comparison: Comparison, varied: Collection[str] = ()) -> str:
    """The regression, the data, the layer and the optimizers in one line, of the settings alone.

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
    """What is regressed on what, of the settings alone: a formula, or the columns of a table."""
    if isinstance(data, TableSettings):
        target, first, second = (column(name) for name in (data.target, *data.features))
        if data.standardise_target and not data.standardise:
            target = f"standardised {target}"
        which = "all" if data.standardise_target else "both"
        standardised = f", {which} standardised" if data.standardise else ""
        return f"{target} on {first} (w1) and {second} (w2){standardised}"
    first, second = (format_number(weight).replace("-", "−") for weight in data.weights)
    second_term = f"− {second[1:]}·x2" if second.startswith("−") else f"+ {second}·x2"
    return f"y = {first}·x1 {second_term}{' + noise' if data.noise else ''}"


def steps_and_time(comparison: Comparison, paces: Sequence[float | None]) -> str:
    """`3,000 steps per run, about 1.2 s`.

    Of the settings alone, before there is a result. `paces` are in seconds per step; without the
    time where one is not known.
    """
    original, fixed = comparison.original.steps, comparison.fixed.steps
    steps = (
        f"{original:,} and {fixed:,} steps" if original != fixed else f"{original:,} steps per run"
    )
    seconds = 0.0
    for count, pace in zip((original, fixed), paces, strict=True):
        if pace is None:
            return steps
        seconds += count * pace
    return f"{steps}, about {duration(seconds)}"


def title(result: ComparisonResult) -> str:
    """The title of the page: the silent broadcast, and what it does to this regression."""
    original, fixed = (_broadcasts(side.settings) for side in result.sides)
    data = result.comparison.original.data
    if isinstance(data, TableSettings):
        regression_name = f"this regression of {column(data.target)}"
    else:
        regression_name = "this PyTorch regression"
    if not original:
        return f"Why {regression_name} needs matched shapes" if fixed else "Two trainings compared"
    outcome = result.sides[0].outcome
    if fixed:
        return f"A silent broadcast on both sides of {regression_name}"
    if outcome and outcome.judged and outcome.converged:
        return f"A silent broadcast, and why {regression_name} converges all the same"
    return f"A silent broadcast: why {regression_name} never learns"


def _broadcasts(settings: Settings) -> bool:
    """Whether the loss compares each prediction with the targets of other rows."""
    return WIRINGS[settings.wiring].pairs and settings.batch_size > 1


def lead(result: ComparisonResult) -> str:
    """What happens and what it costs, in a few sentences; R² is that of the runs or, before these
    are trained, of each loss's minimum."""
    original, fixed = result.sides
    if not _broadcasts(original.settings) or _broadcasts(fixed.settings):
        sentences = [outcomes.broadcast_sentence(side.settings) for side in result.sides]
        return " ".join(
            f"**{side.label}**: {sentence}"
            for side, sentence in zip(result.sides, sentences, strict=True)
        )
    rows = original.settings.batch_size
    prediction, target = WIRINGS[original.settings.wiring].shapes(rows)
    warned = ""
    if original.run and original.run.warnings:
        words = original.run.warnings[0].partition("input size")[0] + "input size"
        warned = f", and PyTorch only warns: *“{escape_markdown(words)} …”*"
    return (
        f"The model returns `{prediction}`, the targets are `{target}`: `nn.MSELoss` broadcasts"
        f" them to {rows**2:,} pairs{warned}. {_gain(result)}"
    )


def _gain(result: ComparisonResult) -> str:
    """What the fix does to R²."""
    original, fixed = result.sides
    fix = f"`{WIRINGS[fixed.settings.wiring].title}`"
    if original.outcome is None or fixed.outcome is None:
        before, after = (
            r2_text(float(side.baseline.r_squared(side.surface.minimum))) for side in result.sides
        )
        return f"At its minimum R² is {before}; with {fix} it is {after}."
    both = original.outcome, fixed.outcome
    if any(outcome.diverged_at is not None or not outcome.judged for outcome in both):
        return outcomes.headline(*both)
    before, after = (r2_text(outcome.r_squared) for outcome in both)
    return f"With {fix}, R² goes from {before} to {after}."


def headline(result: ComparisonResult) -> str:
    """The finding in one sentence; before the runs are trained, what there is to see."""
    return outcomes.headline(*result.outcomes)


def explanations(result: ComparisonResult) -> list[str]:
    """For each side, which shapes meet and what that does; once trained, also where it ends."""
    return [outcomes.explanation(side.settings, side.outcome) for side in result.sides]


def outcome_table(result: ComparisonResult) -> str:
    """The outcomes of both trained sides, as a Markdown table."""
    found = [outcome for outcome in result.outcomes if outcome]
    with_bias = any(len(outcome.weights) > 2 for outcome in found)
    rows = {
        "Verdict": [_verdict(outcome) for outcome in found],
        "Loss at the final weights": [loss_text(outcome.final_loss) for outcome in found],
        "Mean loss of the last epoch": [loss_text(outcome.last_epoch_loss) for outcome in found],
        "Final weights and bias" if with_bias else "Final weights": [
            f"({', '.join(coordinate(weight, 3) for weight in outcome.weights)})"
            for outcome in found
        ],
        "R² on all rows": [r2_text(outcome.r_squared) for outcome in found],
        "R² of least squares": [r2_text(outcome.least_squares_r_squared) for outcome in found],
    }
    return table_in_markdown(rows, _labels(result))


def _verdict(outcome: Outcome) -> str:
    if outcome.converged:
        return f"✓ {outcome.verdict}"
    return f"{'✕' if outcome.judged else '–'} {outcome.verdict}"


def shape_table(result: ComparisonResult) -> str:
    """The shapes of the first batch of both trained sides, as a Markdown table."""
    runs = result.runs
    losses = [f"{shape(run.loss_shape)}, {math.prod(run.loss_shape):,} terms" for run in runs]
    rows = {
        "Prediction": [shape(run.prediction_shape) for run in runs],
        "Target": [shape(run.target_shape) for run in runs],
        "Shape before averaging": losses,
    }
    return table_in_markdown(rows, _labels(result))


def _labels(result: ComparisonResult) -> list[str]:
    return [side.label for side in result.sides]
