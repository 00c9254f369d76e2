"""Numbers and findings in words: every figure in a sentence comes from a run or a surface."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from linreg.outcome import Outcome
from linreg.settings import Comparison, Settings, plain
from linreg.wiring import WIRINGS

if TYPE_CHECKING:
    from linreg.claims import Arm, Factor, Trials
    from linreg.explore import Panel
    from linreg.surface import Quadratic
    from linreg.sweep import Sweep, Task
    from linreg.trainer import Run

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def quantity(value: float, digits: int = 3) -> str:
    """A loss or another size: `332,468`, `1.05`, `0.00312`, `3.2 × 10³⁰`."""
    if not math.isfinite(value):
        return "not finite"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e9 or size < 1e-4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}".replace("-", "−", 1 if value < 0 else 0)
    if size >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    decimals = max(digits - 1 - math.floor(math.log10(size)), 0)
    return f"{value:.{decimals}f}".replace("-", "−")


def point(weights: Sequence[float] | np.ndarray, decimals: int = 2) -> str:
    """Weights as a point: `(5.00, 3.00)`."""
    return f"({', '.join(coordinate(weight, decimals) for weight in weights)})"


def coordinate(value: float, decimals: int = 2) -> str:
    """One weight, `−0.27`; large ones as a `quantity`, and nothing is ever minus zero."""
    if abs(value) >= 10_000:
        return quantity(value)
    text = f"{value:.{decimals}f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")


def share(value: float) -> str:
    """R²: four decimals, more where rounding would claim a perfect 1."""
    if math.isnan(value):
        return "undefined"
    if value < -100:
        return quantity(value)
    for decimals in range(4, 16):
        text = f"{value:.{decimals}f}"
        if value == 1 or float(text) != 1:
            return text.replace("-", "−") if float(text) else f"{0:.{decimals}f}"
    return "1"


def shape(size: Sequence[int]) -> str:
    """A shape as PyTorch prints it, in backticks: `(100, 1)`, `(100,)`."""
    return f"`{tuple(size)}`"


def met(settings: Settings) -> str:
    """What meets what in the loss: `(100, 1) meets (100,)`."""
    prediction, target = WIRINGS[settings.wiring].shapes(settings.batch_size)
    return f"{prediction} meets {target}"


def sides(comparison: Comparison) -> str:
    """What each side's loss compares, a line each."""
    both = zip(("Original", "Fixed"), (comparison.original, comparison.fixed), strict=True)
    return "  \n".join(f"**{label}**: {explanation(settings, None)}" for label, settings in both)


def setup(comparison: Comparison, optimizer: bool = True) -> str:
    """What is regressed on what, and with what, in one line; without the optimizer where a page has others."""
    data = comparison.original.data
    first, second = (plain(weight).replace("-", "−") for weight in data.weights)
    terms = f"y = {first}·x1 " + (f"− {second[1:]}·x2" if second.startswith("−") else f"+ {second}·x2")
    noise = " + noise" if data.noise else ""
    with_what = [
        f"`nn.Linear(2, 1, bias={side.bias})`" + (f" with {side.optimizer} at lr {plain(side.lr)}" if optimizer else "")
        for side in (comparison.original, comparison.fixed)
    ]
    return f"{terms}{noise}, {data.samples:,} rows; {', then '.join(dict.fromkeys(with_what))}; `nn.MSELoss`."


def duration(seconds: float) -> str:
    """`0.8 s`, `40 s`, `2 min 10 s`."""
    if seconds < 10:
        return f"{max(seconds, 0.1):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


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
        return f"As written, the loss stays at {losses[0]}. Fixed, it falls to {losses[1]}."
    if original.converged and fixed.converged:
        return f"Both sides converge: the loss comes to {losses[0]} on the original and to {losses[1]} on the fixed side."
    if original.converged:
        return f"The original converges at a loss of {losses[0]}; the fixed side ends at {losses[1]}."
    return f"Neither side converges: the loss ends at {losses[0]} on the original and at {losses[1]} on the fixed side."


def explanation(settings: Settings, result: Outcome | None) -> str:
    """Which shapes meet and what that does; of a trained run also where the weights end and where its loss is least."""
    wiring, rows = WIRINGS[settings.wiring], settings.batch_size
    if wiring.pairs and rows > 1:
        effect = f"each of {rows:,} predictions is compared with all {rows:,} targets of its batch, {rows**2:,} pairs"
    elif wiring.pairs:
        effect = "one row a batch, so nothing can be mixed"
    else:
        effect = "each prediction is compared with its own target"
    prediction, target = wiring.shapes(rows)
    said = f"{shape(prediction)} meets {shape(target)}: {effect}."
    if result is None:
        return said
    end = f"After {result.steps:,} steps the weights are" if result.diverged_at is None else "The last finite weights are"
    also = "" if result.unique_minimum else ", among other points"
    return f"{said} {end} {point(result.weights)}; this loss is least at {point(result.minimum)}{also}."


def steps_and_time(comparison: Comparison, paces: Sequence[float | None]) -> str:
    """`3,000 steps a side, about 1.2 s`; the time only where the paces, in seconds a step, are known."""
    counts = [comparison.original.steps, comparison.fixed.steps]
    steps = f"{counts[0]:,} steps a side" if counts[0] == counts[1] else f"{counts[0]:,} and {counts[1]:,} steps"
    known = [count * pace for count, pace in zip(counts, paces, strict=True) if pace is not None]
    return steps + (f", about {duration(sum(known))}" if len(known) == len(counts) else "")


def outcome_table(results: Sequence[Outcome], labels: Sequence[str]) -> str:
    """The outcomes side by side, as a Markdown table."""
    rows = {
        "Verdict": [("✓ " if one.converged else "✕ " if one.judged else "– ") + one.verdict for one in results],
        "Loss at the final weights": [_loss(one.final_loss) for one in results],
        "Mean loss of the last epoch": [_loss(one.last_epoch_loss) for one in results],
        "Final weights": [point(one.weights, 3) for one in results],
        "R² on all rows": [share(one.r_squared) for one in results],
        "R² of least squares": [share(one.least_squares_r_squared) for one in results],
    }
    return _table(rows, labels)


def _loss(value: float | None) -> str:
    return "–" if value is None else quantity(value)


def shape_table(runs: Sequence[Run], labels: Sequence[str]) -> str:
    """The shapes of the first batch side by side, as a Markdown table."""
    rows = {
        "Prediction": [shape(run.prediction_shape) for run in runs],
        "Target": [shape(run.target_shape) for run in runs],
        "Loss, before its mean": [f"{shape(run.loss_shape)}, {math.prod(run.loss_shape):,} terms" for run in runs],
    }
    return _table(rows, labels)


def _table(rows: Mapping[str, Sequence[str]], labels: Sequence[str]) -> str:
    lines = [("", *labels), ("---",) * (len(labels) + 1), *((name, *cells) for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def curvature_table(values: Sequence[float] | np.ndarray, directions: np.ndarray) -> str:
    """The eigenvalues of a Hessian and their directions, as a Markdown table."""
    names = ("steepest", "flattest") if len(values) == 2 else ("steepest", "between", "flattest")
    rows = {
        name: [quantity(float(value)), point(along)] for name, value, along in zip(names, values, directions, strict=True)
    }
    return _table(rows, ("curvature λ", "direction"))


def paths_finding(panel: Panel) -> str:
    """How many optimizers settle near a surface's minimum, where that is, and what the fit is worth there."""
    paths, minimum = panel.paths, panel.surface.minimum
    if not paths:
        return f"**{panel.label}**: choose an optimizer."
    arrived = sum(path.settled_at(panel.surface) is not None for path in paths)
    worth = share(float(panel.judge.r_squared(minimum)))
    many = f"{arrived} of {len(paths)} optimizers" if len(paths) > 1 else f"{paths[0].optimizer}"
    verb = "settle" if len(paths) > 1 else ("settles" if arrived else "does not settle")
    return f"**{panel.label}**: {many} {verb} near the minimum of this loss, {point(minimum)}, where R² is {worth}."


def paths_table(panels: Sequence[Panel]) -> dict[str, dict[str, str]]:
    """Each optimizer's learning rate, steps, end and fit, the sides below each other: row -> column -> text."""
    rows = {}
    for panel in panels:
        for path in panel.paths:
            settled = path.settled_at(panel.surface)
            ends = path.weights[-1][np.isfinite(path.weights[-1]).all(1)]  # (R, P)
            lost = int((path.diverged_at >= 0).sum())
            end = point(np.median(ends, axis=0)) if len(ends) else f"diverged at step {int(path.diverged_at.max()):,}"
            if lost and len(ends):
                end += f", {lost} of {len(path.diverged_at)} diverged"
            worth = share(float(np.median(panel.judge.r_squared(ends)))) if len(ends) else "–"
            rows[f"{panel.label}, {path.optimizer}"] = {
                "learning rate": f"{path.lr:.3g}",
                "steps to lose 99 % of the excess loss": "–" if settled is None else f"{settled:,}",
                "ends at, median of the starts": end,
                "R² there": worth,
            }
    return rows


def curvature_finding(sides: Sequence[tuple[Quadratic, Settings]]) -> str:
    """The condition number of each surface, and SGD's stability limit beside the learning rate in use."""
    said = []
    for surface, settings in sides:
        number, momentum = surface.condition_number, settings.momentum
        limit = surface.stable_lr(momentum)
        shape_of = (
            f"The bowl is {quantity(number)} times as steep along one axis as along the other (its condition number)."
            if math.isfinite(number)
            else "The bowl is flat along one axis: its minimum is a whole line."
        )
        formula = f"with momentum {plain(momentum)} is stable below 2(1 + β)/λ" if momentum else "is stable below 2/λ"
        lr = plain(settings.lr)
        beside = (
            f"lr {lr} would be {quantity(settings.lr / limit)} times that" if settings.lr > limit else f"lr {lr} is below"
        )
        said.append(f"{shape_of} SGD {formula} = {quantity(limit)}; for SGD, {beside}.")
    return "  \n".join(dict.fromkeys(said))


def claims_finding(verdicts: Sequence[str], seeds: int, arms: int, tolerance: float) -> str:
    """How many claims hold, what was run to tell, and what the limit of convergence is in terms of the loss."""
    counts = [f"{list(verdicts).count(kind)} {kind}" for kind in dict.fromkeys(sorted(verdicts))]
    return (
        f"**{len(verdicts)} claims: {', '.join(counts)}.** {arms} different experiments, some in more than one claim, each"
        f" on {seeds:,} tables with inits of their own: {arms * seeds:,} runs. An R² lower by 0.01 is a loss higher by"
        f" {quantity(tolerance)}."
    )


def trials_table(arms: Sequence[Arm], found: Sequence[Trials]) -> dict[str, dict[str, str]]:
    """For each arm the share that converged, and median and spread of its final loss and weights: row -> column -> text."""
    rows = {}
    for arm, one in zip(arms, found, strict=True):
        low, high = one.interval
        w1, w2 = (spread(column, coordinate) for column in one.weights[:, :2].T)
        rows[arm.label] = {
            "predicted": "converges" if arm.predicted else "does not",
            "converged (95 % interval)": f"{one.converged.sum()} of {len(one)} ({100 * low:.1f} to {100 * high:.1f} %)",
            "final loss, median (middle 90 %)": spread(one.loss, quantity),
            "final w1, likewise": w1,
            "final w2, likewise": w2,
        }
    return rows


def spread(values: np.ndarray, written: Callable[[float], str]) -> str:
    """The median, and in brackets what the middle 90 % lie between: `1.27 (1.11 … 1.64)`."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "–"
    low, middle, high = (written(float(number)) for number in np.quantile(finite, [0.05, 0.5, 0.95]))
    return f"{middle} ({low} … {high})"


def factors_table(factors: Sequence[Factor], found: Mapping[str, Sequence[Trials]], causes: Mapping[str, str]) -> str:
    """Each factor, what it was switched to, the share that then converged, and whether it is the cause."""
    marks = {"cause": "✓", "not the cause": "✕"}
    rows = {
        factor.title: [
            "; ".join(f"{arm.label}: {one.share:.0%}" for arm, one in zip(factor.arms, found[factor.key], strict=True)),
            f"{marks.get(causes[factor.key], '–')} {causes[factor.key]}",
        ]
        for factor in factors
    }
    return _table(rows, ("to, and the share that then converges", "is it the cause"))


def sweep_finding(sweep: Sweep, shares: np.ndarray, tasks: Sequence[Task]) -> str:
    """In how many cells most runs converge, side by side, whether that is at one value of an axis, and how many runs."""
    from linreg.sweep import AXES

    said = []
    for share_of in shares:  # (rows, columns)
        good = share_of > 0.5
        where = ""
        for values, key, at in ((sweep.x_values, sweep.x, good.any(0)), (sweep.y_values, sweep.y, good.any(1))):
            if at.sum() == 1 and len(values) > 1:
                where += f", all of them at {AXES[key].title} {plain(float(np.array(values)[at][0]))}"
        said.append(f"{int(good.sum()):,} of {int(np.isfinite(share_of).sum()):,} cells{where}")
    runs = sum(task.runs for task in tasks)
    inits = "one init" if all(task.fixed_start for task in tasks) else f"{sweep.inits} inits"
    return f"**Cells in which most runs converge: original {said[0]}; fixed {said[1]}.** {runs:,} runs, {inits} a cell."
