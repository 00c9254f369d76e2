"""The outcomes of two runs in words: for the home page, and for the generated script.

The script is given outcomes rather than a page's result, so that a download that waits to be
fetched does not keep the runs in memory.
"""

from __future__ import annotations

from linreg.settings.model import Settings
from linreg.settings.wirings import WIRINGS
from linreg.text.numbers import point, quantity, shape
from linreg.training.outcome import Outcome


def headline(original: Outcome | None, fixed: Outcome | None) -> str:
    """The finding of both outcomes in a sentence; without them, what there is to see."""
    if original is None or fixed is None:
        return (
            "The same data, two losses: their surfaces are exact, their runs have yet to be"
            " trained."
        )
    if original.diverged_at is not None or fixed.diverged_at is not None:
        return _headline_of_diverged(original, fixed)
    losses = [loss_text(outcome.final_loss) for outcome in (original, fixed)]
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
            f" comes to {loss_text(original.final_loss)}."
        )
    if fixed.diverged_at is None:
        return (
            f"The original diverges at step {original.diverged_at:,}; on the fixed side the loss"
            f" comes to {loss_text(fixed.final_loss)}."
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
    return f"{sentence} {end} {point(outcome.weights)}; this loss has its minimum at {where}."


def broadcast_sentence(settings: Settings, any_size: bool = False) -> str:
    """Which shapes are broadcast and what that does, for batches of the settings' size.

    With `any_size` for batches of B rows.
    """
    variant, rows = WIRINGS[settings.wiring], settings.batch_size
    if not variant.pairs:
        effect = "each prediction is compared with its own target"
    elif any_size:
        effect = "each of B predictions is compared with all B targets of its batch, B² pairs"
    elif rows > 1:
        effect = (
            f"each of {rows:,} predictions is compared with all {rows:,} targets of its batch,"
            f" {rows**2:,} pairs"
        )
    else:
        effect = "one pair per batch, so broadcasting has no effect"
    sizes = ("B" if any_size else str(rows), "1")
    prediction, target = (sizes[:axes] for axes in (variant.prediction_axes, variant.target_axes))
    return f"{shape(prediction)} against {shape(target)}: {effect}."


def loss_text(value: float | None) -> str:
    """A loss, or a dash where a run has none because it diverged."""
    return "–" if value is None else quantity(value)
