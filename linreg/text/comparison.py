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
    """What meets what in the loss: `(100, 1) meets (100,)`."""
    prediction, target = WIRINGS[settings.wiring].shapes(settings.batch_size)
    return f"{prediction} meets {target}"


def sides(comparison: Comparison, varied: Collection[str] = ()) -> str:
    """What each side's loss compares, a line each; where the batch size is `varied`, for any."""
    both = zip(LABELS, (comparison.original, comparison.fixed), strict=True)
    any_size = "batch_size" in varied
    return "  \n".join(
        f"**{label}**: {broadcast_sentence(settings, any_size)}" for label, settings in both
    )


def setup(comparison: Comparison, varied: Collection[str] = ()) -> str:
    """What is regressed on what, and with what, in one line, without the settings that are `varied`
    on the page."""
    with_what = []
    for side in (comparison.original, comparison.fixed):
        rate = "" if "lr" in varied else f" at lr {format_number(side.lr)}"
        optimizer = "" if "optimizer" in varied else f" with {side.optimizer}{rate}"
        with_what.append(f"`nn.Linear(2, 1, bias={side.bias})`{optimizer}")
    data = comparison.original.data
    rows = f"{data.samples:,} rows"
    if isinstance(data, DataSettings) and "scale" not in varied:
        rows += f" with features of standard deviation {format_number(data.scale)}"
    return f"{regression(data)}, {rows}; {', then '.join(dict.fromkeys(with_what))}; `nn.MSELoss`."


def regression(data: Data) -> str:
    """What is regressed on what: the formula of the synthetic data, or a table's columns."""
    if isinstance(data, TableSettings):
        target, first, second = (column(name) for name in (data.target, *data.features))
        return f"{target} on {first} (w1) and {second} (w2)" + (
            ", both standardised" if data.standardise else ""
        )
    first, second = (format_number(weight).replace("-", "−") for weight in data.weights)
    terms = f"y = {first}·x1 " + (
        f"− {second[1:]}·x2" if second.startswith("−") else f"+ {second}·x2"
    )
    return terms + (" + noise" if data.noise else "")


def headline(original: Outcome | None, fixed: Outcome | None) -> str:
    """The finding in one sentence; before the runs are trained, what there is to see."""
    if original is None or fixed is None:
        return "The same data, two losses: their surfaces are exact, their runs have yet to be trained."
    losses = [_loss(one.final_loss) for one in (original, fixed)]
    if original.diverged_at is not None and fixed.diverged_at is not None:
        steps = f"the original at step {original.diverged_at:,}, the fixed side at step {fixed.diverged_at:,}"
        return f"Both sides diverge: {steps}."
    if original.diverged_at is not None:
        return f"The original diverges at step {original.diverged_at:,}; on the fixed side the loss comes to {losses[1]}."
    if fixed.diverged_at is not None:
        return f"The fixed side diverges at step {fixed.diverged_at:,}; on the original the loss comes to {losses[0]}."
    if not (original.judged and fixed.judged):
        return f"The target is constant, so R² cannot judge: the loss ends at {losses[0]} and at {losses[1]}."
    if fixed.converged and not original.converged:
        return f"As written, the loss {_went(original)} {losses[0]}. Fixed, it {_went(fixed)} {losses[1]}."
    if original.converged and fixed.converged:
        return f"Both sides converge: the loss comes to {losses[0]} on the original and to {losses[1]} on the fixed side."
    if original.converged:
        return (
            f"The original converges at a loss of {losses[0]}; the fixed side ends at {losses[1]}."
        )
    return f"Neither side converges: the loss ends at {losses[0]} on the original and at {losses[1]} on the fixed side."


def _went(result: Outcome) -> str:
    """Where the loss went from its start."""
    if result.final_loss is None or not result.start_loss:
        return "comes to"
    left = result.final_loss / result.start_loss
    return "falls to" if left < 0.9 else "rises to" if left > 1.1 else "stays at"


def explanation(settings: Settings, result: Outcome | None) -> str:
    """Which shapes meet and what that does; of a trained run also where the weights end and where
    its loss is least."""
    said = broadcast_sentence(settings)
    if result is None:
        return said
    end = (
        f"After {result.steps:,} steps the weights are"
        if result.diverged_at is None
        else "The last finite weights are"
    )
    also = "" if result.unique_minimum else ", among other points"
    last = settings.data.samples % settings.batch_size
    if last and not WIRINGS[settings.wiring].pairs:  # else it would be least at least squares
        also += f", as the last batch, of {last:,} {'rows' if last > 1 else 'row'}, counts as much as the others"
    return f"{said} {end} {point(result.weights)}; this loss is least at {point(result.minimum)}{also}."


def broadcast_sentence(settings: Settings, any_size: bool = False) -> str:
    """Which shapes meet and what that does, in batches of the settings' rows or, with `any_size`,
    of B."""
    wiring, rows = WIRINGS[settings.wiring], settings.batch_size
    if not wiring.pairs:
        effect = "each prediction is compared with its own target"
    elif any_size:
        effect = "each of B predictions is compared with all B targets of its batch, B² pairs"
    elif rows > 1:
        effect = f"each of {rows:,} predictions is compared with all {rows:,} targets of its batch, {rows**2:,} pairs"
    else:
        effect = "one row a batch, so nothing can be mixed"
    axes = (wiring.prediction_axes, wiring.target_axes)
    prediction, target = (
        (str(size) for size in ("B" if any_size else rows, 1)[:count]) for count in axes
    )
    return f"{shape(tuple(prediction))} meets {shape(tuple(target))}: {effect}."


def steps_and_time(comparison: Comparison, paces: Sequence[float | None]) -> str:
    """`3,000 steps a side, about 1.2 s`; the time only where the paces, in seconds a step, are
    known."""
    counts = [comparison.original.steps, comparison.fixed.steps]
    steps = (
        f"{counts[0]:,} steps a side"
        if counts[0] == counts[1]
        else f"{counts[0]:,} and {counts[1]:,} steps"
    )
    known = [count * pace for count, pace in zip(counts, paces, strict=True) if pace is not None]
    return steps + (f", about {duration(sum(known))}" if len(known) == len(counts) else "")


def outcome_table(results: Sequence[Outcome], labels: Sequence[str]) -> str:
    """The outcomes side by side, as a Markdown table."""
    rows = {
        "Verdict": [
            ("✓ " if one.converged else "✕ " if one.judged else "– ") + one.verdict
            for one in results
        ],
        "Loss at the final weights": [_loss(one.final_loss) for one in results],
        "Mean loss of the last epoch": [_loss(one.last_epoch_loss) for one in results],
        "Final weights": [point(one.weights, 3) for one in results],
        "R² on all rows": [r2_text(one.r_squared) for one in results],
        "R² of least squares": [r2_text(one.least_squares_r_squared) for one in results],
    }
    return table_in_markdown(rows, labels)


def _loss(value: float | None) -> str:
    return "–" if value is None else quantity(value)


def shape_table(runs: Sequence[Run], labels: Sequence[str]) -> str:
    """The shapes of the first batch side by side, as a Markdown table."""
    rows = {
        "Prediction": [shape(run.prediction_shape) for run in runs],
        "Target": [shape(run.target_shape) for run in runs],
        "Loss, before its mean": [
            f"{shape(run.loss_shape)}, {math.prod(run.loss_shape):,} terms" for run in runs
        ],
    }
    return table_in_markdown(rows, labels)
