"""The cause page in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg.settings.model import Settings
from linreg.text.markdown import table_in_markdown
from linreg.text.numbers import point, quantity, shape

if TYPE_CHECKING:
    from linreg.experiments.broadcast_terms import MinimumByBatchSize, Pairs, RunResult, Terms
    from linreg.quadratic.quadratic import Quadratic


def cause_finding(asked: Settings, written: Quadratic, meant: Quadratic) -> str:
    """The whole bug in a sentence: which shapes meet, how many pairs that makes, and where it puts
    the minimum."""
    rows = asked.batch_size
    become = (
        f"broadcast to {rows * rows:,} pairs a batch. Their"
        if rows > 1
        else "are one pair, with nothing to mix. The"
    )
    return (
        f"Predictions {shape((rows, 1))} and targets {shape((rows,))} {become} loss is least at"
        f" {point(written.minimum)};"
        f" least squares is at {point(meant.minimum)}."
    )


def matrix_finding(pairs: Pairs) -> str:
    """How many differences there are, how many were meant, and what the others make of the loss."""
    rows, (on, off) = len(pairs), pairs.loss_parts
    total = on + off
    other = (
        f"The other {rows * rows - rows} make {_part(off, total)} of the loss of these {rows} rows"
    )
    return (
        f"Predictions {shape((rows, 1))} minus targets {shape((rows,))} are {shape((rows, rows))}:"
        f" {rows * rows}"
        f" differences, of which {rows} were meant. {other}: it is {quantity(total)}, where"
        f" {quantity(pairs.meant)} was meant."
    )


def matrix_table(pairs: Pairs) -> str:
    """Pairs, loss and gradient on the diagonal and off it, with their shares, as a Markdown
    table."""
    rows, loss, gradient = len(pairs), pairs.loss_parts, pairs.gradient_parts
    sizes = [math.hypot(*part.tolist()) for part in gradient]  # no square, which could overflow
    lines = {
        name: [
            f"{count} of {rows * rows}",
            f"{quantity(loss[k])} ({_part(loss[k], sum(loss))})",
            f"({', '.join(quantity(float(slope)) for slope in gradient[k])})"
            f" ({_part(sizes[k], sum(sizes))})",
        ]
        for k, (name, count) in enumerate(
            (("on the diagonal", rows), ("off the diagonal", rows * rows - rows))
        )
    }
    return table_in_markdown(lines, ("pairs", "in the loss", "in the gradient over (w1, w2)"))


def _part(part: float, whole: float) -> str:
    """A share as a percentage that claims neither all nor nothing where that is rounded."""
    if not whole:
        return "–"
    ratio = part / whole
    for decimals in range(1, 8):
        text = f"{ratio:.{decimals}%}"
        if ratio in (0, 1) or float(text[:-1]) not in (0, 100):
            return text
    return "almost all" if ratio > 0.5 else "almost nothing"


def terms_finding(terms: Terms, weights: Sequence[float] | np.ndarray) -> str:
    """Both losses at these weights, and the one term in which they differ."""
    return (
        f"At {point(weights)}, over all batches, the original's loss is {quantity(terms.all_pairs)}"
        " and the fixed one"
        f" {quantity(terms.matched)}. They differ by −2·Cov(p, y) ="
        f" {quantity(terms.minus_twice_cov)}, the one term that"
        " ties a prediction to its own target. What is left is least where the predictions of a"
        " batch hardly vary and lie"
        " near its targets' mean."
    )


def bowls_finding(asked: Quadratic, matched: Quadratic) -> str:
    """How far the minimum has moved, how much its loss is lifted, and whether the curvatures are
    the same."""
    curvatures = [np.linalg.eigvalsh(surface.hessian)[::-1] for surface in (asked, matched)]
    same = np.allclose(curvatures[0], curvatures[1], rtol=1e-9)
    steep, flat = quantity(float(curvatures[1][0])), quantity(float(curvatures[1][-1]))
    bends = (
        f"Both losses curve alike, by {steep} along the steepest axis and {flat} along the"
        " flattest, so SGD bears the"
        " same learning rates on both"
        if same
        else "The two losses curve differently"
    )
    lift = asked.floor - matched.floor
    return (
        f"{bends}. The broadcast moves the minimum from {point(matched.minimum)} to"
        f" {point(asked.minimum)} and"
        f" {'lowers' if lift < 0 else 'lifts'} the least loss by {quantity(abs(lift))}, from"
        f" {quantity(matched.floor)} to {quantity(asked.floor)}."
    )


def walk_finding(walk: MinimumByBatchSize, batch_size: int, here: Quadratic) -> str:
    """Where the minimum is with one row a batch, with two, and with as many as the comparison
    has."""
    first, second = walk.minima[0], walk.minima[min(1, len(walk.minima) - 1)]
    return (
        "With one row a batch `(1, 1)` meets `(1,)`: one difference, nothing to mix, and the"
        " minimum is least squares'"
        f" {point(first)}. That is why a batch of one hides the bug. With two rows it is at"
        f" {point(second)}, with the"
        f" comparison's {batch_size:,} at {point(here.minimum[:2])}."
    )


def shape_or_value_table(cells: Sequence[Sequence[RunResult]]) -> dict[str, dict[str, str]]:
    """What the four runs came to: row (the weight's shape) -> column (its values) -> text."""
    names = [
        f"values {point(cells[0][0].init, 3)}, PyTorch's own",
        f"values {point(cells[0][1].init, 0)}, the line's",
    ]
    return {
        f"weight of shape {row[0].weight_shape}": {
            name: "✕ diverged"
            if cell.diverged
            else f"{'✓' if cell.converged else '✕'} ends at {point(cell.weights)}, loss {quantity(cell.loss)}"
            for name, cell in zip(names, row, strict=True)
        }
        for row in cells
    }


def shape_or_value_finding(cells: Sequence[Sequence[RunResult]]) -> str:
    """Which of the two decides whether a run converges."""
    came = np.array([[cell.converged for cell in row] for row in cells])  # (shape, value)
    shapes = [row[0].weight_shape for row in cells]
    for good, bad in ((1, 0), (0, 1)):
        if came[good].all() and not came[bad].any():
            both, neither = shape(shapes[good]), shape(shapes[bad])
            return f"**The shape decides, the values do not**: with {both} both runs converge, with {neither} neither does."
        if came[:, good].all() and not came[:, bad].any():
            return "**The values decide, the shape does not**, at these settings."
    if came.all() or not came.any():
        return f"**Nothing tells them apart at these settings**: {'all' if came.all() else 'none'} of the four converge."
    return "**Shape and values both matter at these settings.**"


def attributes_finding(changed: Sequence[str], rows: int) -> str:
    """How many rows of `vars(layer)` a line changes, and which."""
    names = ", ".join(f"`{name}`" for name in changed) or "none"
    return (
        f"A debugger shows {rows} attributes of the layer, `vars(layer)`. The line changes"
        f" {len(changed)} of them, {names}:"
        " its values, and its shape."
    )


def fixes_table(losses: Sequence[tuple[str, str, float]]) -> dict[str, dict[str, str]]:
    """Each line, where it stands, and the loss that PyTorch gives with it, to the last digit of
    float32."""
    return {f"`{code}`, {where}": {"loss": str(np.float32(loss))} for code, where, loss in losses}
