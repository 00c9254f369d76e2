"""The cause page in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from linreg.text.markdown import table_in_markdown
from linreg.text.numbers import point, quantity, r2_text, shape, share_text

if TYPE_CHECKING:
    from linreg.experiments.broadcast_terms import RunResult
    from linreg.experiments.cause import (
        AttributesResult,
        CauseResult,
        PyTorchResult,
        ShapeOrValueResult,
    )


def cause_finding(result: CauseResult) -> str:
    """The bug in a sentence: the shapes, the number of pairs, and where both minima are."""
    rows = result.batch_rows
    minima = (
        f"has its minimum at {point(result.broadcast.minimum)}; the correct solution is"
        f" {point(result.least_squares.minimum)}."
    )
    if rows == 1:
        return (
            f"Predictions {shape((1, 1))} and targets {shape((1,))} are one pair per batch, so"
            f" broadcasting has no effect: the loss {minima}"
        )
    return (
        f"Predictions {shape((rows, 1))} are broadcast against targets {shape((rows,))}:"
        f" {rows * rows:,} pairs per batch. Their loss {minima}"
    )


def fade_finding(result: CauseResult) -> str:
    """What the loss between both comes to at the view's alpha, and why it is exact."""
    alpha, loss = result.fade.alpha, result.fade.loss
    r_squared = r2_text(float(result.baseline.r_squared(loss.minimum)))
    here = (
        f"With {share_text(alpha)} of the wrong pairs faded in, the minimum is at"
        f" {point(loss.minimum)}, with minimum loss {quantity(loss.min_loss)} and R² {r_squared}. "
    )
    return (
        f"{here if alpha < 1 else ''}Between its ends the slider mixes the losses: (1 − α) ·"
        " matched + α · all pairs. Both are quadratics with the same Hessian, so the minimum is"
        " exact at every α."
    )


def batch_rows_note(result: CauseResult) -> str:
    """What is exact about the batch size."""
    shuffled = (
        f"; for the comparison's {result.own.size:,}, over those of its shuffled run"
        if result.settings.shuffle
        else ""
    )
    return (
        "Rows per batch: each loss is the mean over all batches of that many rows, in the order of"
        f" the table{shuffled}. It is computed from every row, so it is exact at each size."
    )


def predictions_finding(result: CauseResult) -> str:
    """How far the predictions spread, and R², at the minimum of either loss."""
    sample, judge = result.sample, result.baseline
    parts = []
    for name, loss in (("matched loss", result.matched), ("loss over all pairs", result.broadcast)):
        spread = float(np.ptp(sample.predictions(loss.minimum)))
        share = _in_words(spread / float(np.ptp(sample.y) or 1.0))
        r_squared = r2_text(float(judge.r_squared(loss.minimum)))
        parts.append(
            f"at the minimum of the {name} the predictions spread over {share} of the range of the"
            f" targets (R² {r_squared})"
        )
    first, second = parts
    return f"{first[0].upper()}{first[1:]}; {second}."


def matrix_finding(result: CauseResult) -> str:
    """How many differences there are and were intended, and the share of the others in the loss."""
    pairs = result.pairs
    rows, (on_diagonal, off_diagonal) = len(pairs), pairs.loss_parts
    loss = on_diagonal + off_diagonal
    share = _in_words(off_diagonal / loss) if loss else "nothing"
    return (
        f"Predictions {shape((rows, 1))} minus targets {shape((rows,))} give {shape((rows, rows))}:"
        f" {rows * rows} differences. Only the {rows} on the diagonal are intended; the other"
        f" {rows * rows - rows} make up {share} of the loss. It is {quantity(loss)} for these"
        f" {rows} rows, instead of {quantity(pairs.matched_loss)}."
    )


def _in_words(share: float) -> str:
    """`nearly all`, `42 %`, `almost nothing`."""
    if share >= 0.999:
        return "nearly all"
    return f"{100 * share:.2g}\N{NO-BREAK SPACE}%" if share >= 0.001 else "almost nothing"


def matrix_table(result: CauseResult) -> str:
    """Pairs, loss and gradient on and off the diagonal, with shares, as a Markdown table."""
    pairs = result.pairs
    rows, losses, gradients = len(pairs), pairs.loss_parts, pairs.gradient_parts
    norms = [math.hypot(*gradient.tolist()) for gradient in gradients]  # a square could overflow
    counts = {"on the diagonal": rows, "off the diagonal": rows * rows - rows}
    table = {}
    for k, (name, count) in enumerate(counts.items()):
        slopes = ", ".join(quantity(float(slope)) for slope in gradients[k])
        table[name] = [
            f"{count} of {rows * rows}",
            f"{quantity(losses[k])} ({_share(losses[k], sum(losses))})",
            f"({slopes}) ({_share(norms[k], sum(norms))})",
        ]
    return table_in_markdown(table, ("pairs", "in the loss", "in the gradient over (w1, w2)"))


def _share(part: float, whole: float) -> str:
    """A percentage with enough decimals not to be rounded to 0 % or 100 %."""
    if not whole:
        return "–"
    ratio = part / whole
    for decimals in range(1, 8):
        text = f"{ratio:.{decimals}%}"
        if ratio in (0, 1) or float(text[:-1]) not in (0, 100):
            return text
    return "almost all" if ratio > 0.5 else "almost nothing"


def terms_finding(result: CauseResult) -> str:
    """Both losses at the result's weights, and the one term in which they differ."""
    terms, weights = result.terms, result.weights[:2]
    return (
        f"At {point(weights)} the loss over all pairs is {quantity(terms.all_pairs)}, the matched"
        f" one {quantity(terms.matched)}. They differ by −2·Cov(p, y) ="
        f" {quantity(terms.minus_twice_cov)}, the one term that ties a prediction to its own"
        " target. Without it, the best strategy is to predict the batch mean."
    )


def surfaces_finding(result: CauseResult) -> str:
    """Whether the curvatures are the same, and how far the minimum is moved and its loss lifted."""
    broadcast, matched = result.broadcast, result.matched
    curvatures = [np.linalg.eigvalsh(surface.hessian)[::-1] for surface in (broadcast, matched)]
    curvature = "The two losses have different Hessians"
    if np.allclose(curvatures[0], curvatures[1], rtol=1e-9):
        curvature = "Both losses have the same Hessian, so SGD has the same stability limit on both"
    lift = broadcast.min_loss - matched.min_loss
    return (
        f"{curvature}. All pairs together move the minimum from {point(matched.minimum)} to"
        f" {point(broadcast.minimum)} and {'lower' if lift < 0 else 'raise'} the minimum loss by"
        f" {quantity(abs(lift))}, from {quantity(matched.min_loss)} to"
        f" {quantity(broadcast.min_loss)}."
    )


def minimum_by_batch_size_finding(result: CauseResult) -> str:
    """Where the minimum is with batches of one row, of two, and of the comparison's size."""
    minima = result.minimum_by_batch_size.minima
    first, second = minima[0], minima[min(1, len(minima) - 1)]
    return (
        "With one row per batch `(1, 1)` is compared with `(1,)`: one pair, so broadcasting has no"
        f" effect, and the minimum is the correct solution {point(first)}. That is why a batch size"
        f" of one hides the bug. With two rows it is at {point(second)}, with the comparison's"
        f" {result.settings.batch_size:,} at {point(result.own.broadcast.minimum[:2])}."
    )


def shape_or_value_table(result: ShapeOrValueResult) -> dict[str, dict[str, str]]:
    """The results of the four runs: row (shape of the weight) -> column (its values) -> text."""
    default, set_by_hand = result.runs[0]
    names = [
        f"values {point(default.init, 3)}, PyTorch's own",
        f"values {point(set_by_hand.init, 0)}, the line's",
    ]
    return {
        f"weight of shape {row[0].weight_shape}": {
            name: _run_text(run) for name, run in zip(names, row, strict=True)
        }
        for row in result.runs
    }


def _run_text(run: RunResult) -> str:
    if run.diverged:
        return "✕ diverged"
    mark = "✓" if run.converged else "✕"
    return f"{mark} ends at {point(run.weights)}, loss {quantity(run.loss)}"


def shape_or_value_finding(result: ShapeOrValueResult) -> str:
    """Whether the shape of the weight or its values decide if a run converges."""
    converged = np.array([[run.converged for run in row] for row in result.runs])  # (shape, value)
    shapes = [shape(row[0].weight_shape) for row in result.runs]
    for good, bad in ((1, 0), (0, 1)):
        if converged[good].all() and not converged[bad].any():
            return (
                "**The shape decides, the values do not**: with"
                f" {shapes[good]} both runs converge, with {shapes[bad]} neither does."
            )
        if converged[:, good].all() and not converged[:, bad].any():
            return "**The values decide, the shape does not**, at these settings."
    if converged.all() or not converged.any():
        count = "all" if converged.all() else "none"
        return f"**Nothing tells them apart at these settings**: {count} of the four converge."
    return "**Shape and values both matter at these settings.**"


def attributes_finding(result: AttributesResult) -> str:
    """How many of the layer's attributes, the rows of `vars(layer)`, a line changes, and which."""
    names = ", ".join(f"`{attribute.name}`" for attribute in result.changed) or "none"
    return (
        f"A debugger shows {len(result.attributes)} attributes of the layer, `vars(layer)`. The"
        f" line changes {len(result.changed)} of them, {names}: its values, and its shape."
    )


def fixes_table(result: PyTorchResult) -> dict[str, dict[str, str]]:
    """Each fix, where it belongs, and the loss that PyTorch computes with it, as float32 prints."""
    return {
        f"`{code}`, {where}": {"loss": str(np.float32(loss))} for code, where, loss in result.losses
    }
