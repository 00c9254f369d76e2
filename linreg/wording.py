"""Numbers and findings in words: every figure in a sentence comes from a run or a surface."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from linreg.outcome import Outcome
from linreg.settings import Comparison, Data, DataSettings, Settings, TableSettings, clipped, plain
from linreg.wiring import WIRINGS

if TYPE_CHECKING:
    from linreg.cause import Cell, Pairs, Terms, Walk
    from linreg.claims import Arm, Factor, Trials
    from linreg.explore import Panel
    from linreg.findings import Findings
    from linreg.records import Reaction, Run
    from linreg.shapes import ShapeDiagnosis
    from linreg.surface import Quadratic
    from linreg.sweep import Sweep, Task
    from linreg.tables import Dropped

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
    return f"{value:,.{decimals}f}".replace("-", "−")


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


def shape(size: Sequence[int | str]) -> str:
    """A shape as PyTorch prints it, in backticks: `(100, 1)`, `(100,)`, `(B,)`."""
    return f"`({', '.join(map(str, size))}{',' if len(size) == 1 else ''})`"


def met(settings: Settings) -> str:
    """What meets what in the loss: `(100, 1) meets (100,)`."""
    prediction, target = WIRINGS[settings.wiring].shapes(settings.batch_size)
    return f"{prediction} meets {target}"


def sides(comparison: Comparison, varied: Collection[str] = ()) -> str:
    """What each side's loss compares, a line each; where the batch size is `varied`, for any."""
    both = zip(("Original", "Fixed"), (comparison.original, comparison.fixed), strict=True)
    any_size = "batch_size" in varied
    return "  \n".join(f"**{label}**: {_meeting(settings, any_size)}" for label, settings in both)


def setup(comparison: Comparison, varied: Collection[str] = ()) -> str:
    """What is regressed on what, and with what, in one line, without the settings that are `varied` on the page."""
    with_what = []
    for side in (comparison.original, comparison.fixed):
        rate = "" if "lr" in varied else f" at lr {plain(side.lr)}"
        optimizer = "" if "optimizer" in varied else f" with {side.optimizer}{rate}"
        with_what.append(f"`nn.Linear(2, 1, bias={side.bias})`{optimizer}")
    data = comparison.original.data
    rows = f"{data.samples:,} rows"
    if isinstance(data, DataSettings) and "scale" not in varied:
        rows += f" with features of standard deviation {plain(data.scale)}"
    return f"{regression(data)}, {rows}; {', then '.join(dict.fromkeys(with_what))}; `nn.MSELoss`."


def regression(data: Data) -> str:
    """What is regressed on what: the formula of the synthetic data, or a table's columns."""
    if isinstance(data, TableSettings):
        target, first, second = (column(name) for name in (data.target, *data.features))
        return f"{target} on {first} (w1) and {second} (w2)" + (", both standardised" if data.standardise else "")
    first, second = (plain(weight).replace("-", "−") for weight in data.weights)
    terms = f"y = {first}·x1 " + (f"− {second[1:]}·x2" if second.startswith("−") else f"+ {second}·x2")
    return terms + (" + noise" if data.noise else "")


APART = "\u2060"  # a word joiner: it has no width
LIVE = re.compile(r":(?=[\w/+-])|@(?=[\w-])|www(?=\.)", re.IGNORECASE)
ARROW = re.compile(r"(?<!\S)(?:<->|->|<-|--|>=|<=|~=)(?!\S)")


def as_text(foreign: str) -> str:
    """Text from outside, safe in Markdown: every character shows as itself.

    Streamlit makes icons, links and arrows of text even where it is escaped; there a word joiner parts it.
    """
    apart = LIVE.sub(rf"\g<0>{APART}", foreign)
    apart = ARROW.sub(lambda found: APART.join(found[0]), apart)
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&=])", r"\\\1", apart)


def column(name: str) -> str:
    """A column's name in a sentence: as itself, on one line, and not too long."""
    return as_text(clipped(name))


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
        return f"As written, the loss {_went(original)} {losses[0]}. Fixed, it {_went(fixed)} {losses[1]}."
    if original.converged and fixed.converged:
        return f"Both sides converge: the loss comes to {losses[0]} on the original and to {losses[1]} on the fixed side."
    if original.converged:
        return f"The original converges at a loss of {losses[0]}; the fixed side ends at {losses[1]}."
    return f"Neither side converges: the loss ends at {losses[0]} on the original and at {losses[1]} on the fixed side."


def _went(result: Outcome) -> str:
    """Where the loss went from its start."""
    if result.final_loss is None or not result.start_loss:
        return "comes to"
    left = result.final_loss / result.start_loss
    return "falls to" if left < 0.9 else "rises to" if left > 1.1 else "stays at"


def explanation(settings: Settings, result: Outcome | None) -> str:
    """Which shapes meet and what that does; of a trained run also where the weights end and where its loss is least."""
    said = _meeting(settings)
    if result is None:
        return said
    end = f"After {result.steps:,} steps the weights are" if result.diverged_at is None else "The last finite weights are"
    also = "" if result.unique_minimum else ", among other points"
    last = settings.data.samples % settings.batch_size
    if last and not WIRINGS[settings.wiring].pairs:  # else it would be least at least squares
        also += f", as the last batch, of {last:,} {'rows' if last > 1 else 'row'}, counts as much as the others"
    return f"{said} {end} {point(result.weights)}; this loss is least at {point(result.minimum)}{also}."


def _meeting(settings: Settings, any_size: bool = False) -> str:
    """Which shapes meet and what that does, in batches of the settings' rows or, with `any_size`, of B."""
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
    prediction, target = ((str(size) for size in ("B" if any_size else rows, 1)[:count]) for count in axes)
    return f"{shape(tuple(prediction))} meets {shape(tuple(target))}: {effect}."


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
    return table_in_markdown(rows, labels)


def _loss(value: float | None) -> str:
    return "–" if value is None else quantity(value)


def shape_table(runs: Sequence[Run], labels: Sequence[str]) -> str:
    """The shapes of the first batch side by side, as a Markdown table."""
    rows = {
        "Prediction": [shape(run.prediction_shape) for run in runs],
        "Target": [shape(run.target_shape) for run in runs],
        "Loss, before its mean": [f"{shape(run.loss_shape)}, {math.prod(run.loss_shape):,} terms" for run in runs],
    }
    return table_in_markdown(rows, labels)


def table_in_markdown(rows: Mapping[str, Sequence[str]], labels: Sequence[str]) -> str:
    """A table in Markdown: row -> its cells, under these labels."""
    lines = [("", *labels), ("---",) * (len(labels) + 1), *((name, *cells) for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def curvature_table(values: Sequence[float] | np.ndarray, directions: np.ndarray) -> str:
    """The eigenvalues of a Hessian and their directions, as a Markdown table."""
    names = ("steepest", "flattest") if len(values) == 2 else ("steepest", "between", "flattest")
    rows = {
        name: [quantity(float(value)), point(along)] for name, value, along in zip(names, values, directions, strict=True)
    }
    return table_in_markdown(rows, ("curvature λ", "direction"))


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
                "R², median of the starts": worth,
            }
    return rows


def curvature_finding(sides: Sequence[tuple[Quadratic, Settings]], steepest: Sequence[float] = ()) -> str:
    """The condition number of each surface, and SGD's stability limit beside the learning rate in use; with `steepest`, the
    limit of each side's steepest batch, also that one where it is lower."""
    said = []
    for (surface, settings), of_a_batch in zip_longest(sides, steepest):
        number = surface.condition_number
        shape_of = (
            f"The bowl is {quantity(number)} times as steep along one axis as along the other (its condition number)."
            if math.isfinite(number)
            else "The bowl is flat along one axis: its minimum is a whole line."
        )
        said.append(f"{shape_of} {_stability(surface, settings, of_a_batch)}")
    return "  \n".join(dict.fromkeys(said))


def _stability(surface: Quadratic, settings: Settings, of_a_batch: float | None) -> str:
    """Below which learning rate SGD, or Nesterov where that is chosen, comes to rest, and where the one in use is."""
    momentum, nesterov = settings.momentum, settings.optimizer == "Nesterov"
    name, limit = "Nesterov" if nesterov else "SGD", surface.stable_lr(momentum, nesterov=nesterov)
    if momentum:
        name += f" with momentum {plain(momentum)}"
    if limit == 0:
        return f"{name} is stable at no learning rate; use a momentum below 1."
    formula = "2/λ" if not momentum else "2(1 + β)/((1 + 2β)λ)" if nesterov else "2(1 + β)/λ"
    said = f"{name} is stable below {formula} = {quantity(limit)} on the mean of the batches"
    if of_a_batch is not None and not momentum and of_a_batch < 0.95 * limit:
        said += f", and below {quantity(of_a_batch)} on each of them"
        limit = of_a_batch
    lr = plain(settings.lr)
    return said + (
        f"; lr {lr} would be {quantity(settings.lr / limit)} times that." if settings.lr > limit else f"; lr {lr} is below."
    )


def claims_finding(verdicts: Sequence[str], seeds: int, arms: int, tolerance: float) -> str:
    """How many claims hold, what was run to tell, and what the limit of convergence is in terms of the loss."""
    counts = [f"{list(verdicts).count(kind)} {kind}" for kind in dict.fromkeys(sorted(verdicts))]
    return (
        f"**{len(verdicts)} claims: {', '.join(counts)}.** {arms} different experiments, some in more than one claim, each"
        f" on {seeds:,} tables with inits of their own: {arms * seeds:,} runs. An R² lower by 0.01 is a loss higher by"
        f" {quantity(tolerance)} on the first table."
    )


def trials_table(arms: Sequence[Arm], found: Sequence[Trials]) -> dict[str, dict[str, str]]:
    """For each arm the share that converged, and median and spread of its final loss and weights: row -> column -> text."""
    rows = {}
    for arm, one in zip(arms, found, strict=True):
        low, high = one.interval
        loss, w1, w2 = spreads(np.column_stack([one.loss, one.weights[:, :2]]), (quantity, coordinate, coordinate))
        rows[arm.label] = {
            "predicted": "converges" if arm.predicted else "does not",
            "converged (95 % interval)": f"{one.converged.sum()} of {len(one)} ({100 * low:.1f} to {100 * high:.1f} %)",
            "loss, median (middle 90 %)": loss,
            "w1, likewise": w1,
            "w2, likewise": w2,
        }
    return rows


def spreads(columns: np.ndarray, written: Sequence[Callable[[float], str]]) -> list[str]:
    """For each column of (S, K) the median, and in brackets what the middle 90 % lie between: `1.27 (1.11 … 1.64)`."""
    asked = [0.05, 0.5, 0.95]
    if np.isfinite(columns).all():  # at once: what surrounds the search for a quantile takes longer than the search
        found = list(np.quantile(columns, asked, axis=0).T)
    else:
        finite = [column[np.isfinite(column)] for column in columns.T]
        found = [np.quantile(column, asked) if len(column) else column for column in finite]
    return [
        "{1} ({0} … {2})".format(*map(in_words, of.tolist())) if len(of) else "–"
        for of, in_words in zip(found, written, strict=True)
    ]


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
    return table_in_markdown(rows, ("changed to: share that converges", "is it the cause"))


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


# ---- the cause -------------------------------------------------------------------------------------------------------


def cause_finding(asked: Settings, written: Quadratic, meant: Quadratic) -> str:
    """The whole bug in a sentence: which shapes meet, how many pairs that makes, and where it puts the minimum."""
    rows = asked.batch_size
    become = f"broadcast to {rows * rows:,} pairs a batch. Their" if rows > 1 else "are one pair, with nothing to mix. The"
    return (
        f"Predictions {shape((rows, 1))} and targets {shape((rows,))} {become} loss is least at {point(written.minimum)};"
        f" least squares is at {point(meant.minimum)}."
    )


def matrix_finding(pairs: Pairs) -> str:
    """How many differences there are, how many were meant, and what the others make of the loss."""
    rows, (on, off) = len(pairs), pairs.loss_parts
    total = on + off
    other = f"The other {rows * rows - rows} make {_part(off, total)} of the loss of these {rows} rows"
    return (
        f"Predictions {shape((rows, 1))} minus targets {shape((rows,))} are {shape((rows, rows))}: {rows * rows}"
        f" differences, of which {rows} were meant. {other}: it is {quantity(total)}, where"
        f" {quantity(pairs.meant)} was meant."
    )


def matrix_table(pairs: Pairs) -> str:
    """Pairs, loss and gradient on the diagonal and off it, with their shares, as a Markdown table."""
    rows, loss, gradient = len(pairs), pairs.loss_parts, pairs.gradient_parts
    sizes = [math.hypot(*part.tolist()) for part in gradient]  # no square, which could overflow
    lines = {
        name: [
            f"{count} of {rows * rows}",
            f"{quantity(loss[k])} ({_part(loss[k], sum(loss))})",
            f"({', '.join(quantity(float(slope)) for slope in gradient[k])}) ({_part(sizes[k], sum(sizes))})",
        ]
        for k, (name, count) in enumerate((("on the diagonal", rows), ("off the diagonal", rows * rows - rows)))
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
        f"At {point(weights)}, over all batches, the original's loss is {quantity(terms.all_pairs)} and the fixed one"
        f" {quantity(terms.matched)}. They differ by −2·Cov(p, y) = {quantity(terms.minus_twice_cov)}, the one term that"
        " ties a prediction to its own target. What is left is least where the predictions of a batch hardly vary and lie"
        " near its targets' mean."
    )


def bowls_finding(asked: Quadratic, matched: Quadratic) -> str:
    """How far the minimum has moved, how much its loss is lifted, and whether the curvatures are the same."""
    curvatures = [np.linalg.eigvalsh(surface.hessian)[::-1] for surface in (asked, matched)]
    same = np.allclose(curvatures[0], curvatures[1], rtol=1e-9)
    steep, flat = quantity(float(curvatures[1][0])), quantity(float(curvatures[1][-1]))
    bends = (
        f"Both losses curve alike, by {steep} along the steepest axis and {flat} along the flattest, so SGD bears the"
        " same learning rates on both"
        if same
        else "The two losses curve differently"
    )
    lift = asked.floor - matched.floor
    return (
        f"{bends}. The broadcast moves the minimum from {point(matched.minimum)} to {point(asked.minimum)} and"
        f" {'lowers' if lift < 0 else 'lifts'} the least loss by {quantity(abs(lift))}, from"
        f" {quantity(matched.floor)} to {quantity(asked.floor)}."
    )


def walk_finding(walk: Walk, batch_size: int, here: Quadratic) -> str:
    """Where the minimum is with one row a batch, with two, and with as many as the comparison has."""
    first, second = walk.minima[0], walk.minima[min(1, len(walk.minima) - 1)]
    return (
        f"With one row a batch `(1, 1)` meets `(1,)`: one difference, nothing to mix, and the minimum is least squares'"
        f" {point(first)}. That is why a batch of one hides the bug. With two rows it is at {point(second)}, with the"
        f" comparison's {batch_size:,} at {point(here.minimum[:2])}."
    )


def shape_or_value_table(cells: Sequence[Sequence[Cell]]) -> dict[str, dict[str, str]]:
    """What the four runs came to: row (the weight's shape) -> column (its values) -> text."""
    names = [f"values {point(cells[0][0].init, 3)}, PyTorch's own", f"values {point(cells[0][1].init, 0)}, the line's"]
    return {
        f"weight of shape {row[0].weight_shape}": {
            name: "✕ diverged"
            if cell.diverged
            else f"{'✓' if cell.converged else '✕'} ends at {point(cell.weights)}, loss {quantity(cell.loss)}"
            for name, cell in zip(names, row, strict=True)
        }
        for row in cells
    }


def shape_or_value_finding(cells: Sequence[Sequence[Cell]]) -> str:
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
        f"A debugger shows {rows} attributes of the layer, `vars(layer)`. The line changes {len(changed)} of them, {names}:"
        " its values, and its shape."
    )


def fixes_table(losses: Sequence[tuple[str, str, float]]) -> dict[str, dict[str, str]]:
    """Each line, where it stands, and the loss that PyTorch gives with it, to the last digit of float32."""
    return {f"`{code}`, {where}": {"loss": str(np.float32(loss))} for code, where, loss in losses}


# ---- shapes ----------------------------------------------------------------------------------------------------------


def verdict_of_shapes(found: ShapeDiagnosis) -> str:
    """Whether the shapes are right, in a word, and what the loss computes, in a sentence."""
    verdicts = {
        "matched": "✓ Matched",
        "silent": "✕ A silent broadcast",
        "outer": "All pairs, written out",
        "one-sided": "One side is repeated",
        "raises": "✕ PyTorch raises",
    }
    return f"**{verdicts[found.kind]}.** {found.finding}"


def reaction(answer: Reaction) -> str:
    """What PyTorch did: raised, warned, or nothing."""
    if answer.error is not None:
        return "It raises:"
    return "It runs, and warns:" if answer.warnings else "It runs, and says nothing."


def guarded(answer: Reaction) -> str:
    """Whether the guard reports it."""
    return "`no_silent_broadcast` " + ("**reports it**." if answer.broadcast else "lets it pass.")


# ---- a table of one's own --------------------------------------------------------------------------------------------


def rows_used(kept: int, dropped: Sequence[Dropped]) -> str:
    """How many rows are used, and how many are left out for what, with the first of them."""
    rows = kept + sum(one.count for one in dropped)
    said = f"**{kept:,} of {rows:,} rows are used.**"
    for one in dropped:
        holds = f", `{as_code(one.value)}`" if one.value else ""
        first = f"first in row {one.first_row:,} of the file{holds}"
        said += f" {one.count:,} left out: {column(one.column)} is {one.reason}, {first}."
    return said


def as_code(foreign: str) -> str:
    """Text from outside between backticks."""
    return clipped(foreign).replace("`", "ˋ")


def data_findings(found: Findings, data: TableSettings) -> list[str]:
    """What the bug does to this table and what stands in the way of training on it, a paragraph each."""
    settings, sums = found.settings, found.sums
    target = column(data.target)
    names = [column(name) for name in data.features] + ["the bias"]
    mean, deviation = quantity(sums.target_mean), quantity(math.sqrt(sums.target_variance))
    said = []
    if sums.target_variance == 0:
        said.append(f"**{target} is constant**, {mean} in every row: there is nothing to explain, and R² cannot judge.")
    else:
        said.append(
            f"**What the bug does**: as written, with batches of {settings.batch_size:,}, the loss is least where R² is"
            f" {share(found.written.r_squared)} instead of {share(found.fixed.r_squared)}, and the predictions there have a"
            f" standard deviation of {quantity(found.written.spread)} instead of"
            f" {quantity(found.fixed.spread)}{_shrunk(found)}. {target} is {mean} on average, with a standard deviation of"
            f" {deviation}."
        )
    for index in found.constant:
        said.append(
            f"**{names[index]} is constant**, {quantity(float(sums.feature_minima[index]))} in every row, so its weight"
            " cannot be told from a bias; choose another feature."
        )
    if found.collinear:
        said.append(
            f"**{names[0]} and {names[1]} are collinear**, with a correlation of {share(found.correlation)}: their weights"
            " trade off against each other, and the valley is flat; leave one of them out."
        )
    said += [_steepness(found, data), _way(found, data, names)]
    return said


def _shrunk(found: Findings) -> str:
    """What the bug leaves of the spread of the predictions, and why where it is more than independent rows would keep."""
    settings, whole = found.settings, found.fixed.spread
    left = found.written.spread / whole if whole else 1.0
    if left > 0.95:
        return ""
    said = f" ({left:.0%})" if left >= 0.1 else f" ({left:.1%}: nearly a constant)"
    batches, fit = -(-found.sums.rows // settings.batch_size), max(found.fixed.r_squared, 1e-9)
    by_chance = max(3.0, 1 + 3 * math.sqrt(2 / (batches * fit))) / settings.batch_size  # of rows in random order
    if settings.bias and not settings.shuffle and left > max(by_chance, 0.1):
        said += (
            f"; rows in random order would keep 1/{settings.batch_size:,} of it, but in this table rows that follow each"
            " other are alike, and the means of the batches keep part of the fit"
        )
    return said


def _steepness(found: Findings, data: TableSettings) -> str:
    """The condition number and the stable learning rate, and what standardising would make of them."""
    now, then = found.training, found.standardised
    flat = "the bowl is flat along one axis" if math.isinf(now.condition_number) else ""
    steep = flat or f"the bowl is {quantity(now.condition_number)} times as steep along one axis as along another"
    said = f"**Steepness**: {steep}, and SGD is stable below lr {quantity(now.stable_lr)}."
    if data.standardise:
        return said
    if math.isinf(then.condition_number):
        return f"{said} Standardising would not help that."
    return f"{said} Standardised features would make that {quantity(then.condition_number)} and {quantity(then.stable_lr)}."


def _way(found: Findings, data: TableSettings, names: Sequence[str]) -> str:
    """Whether RMSprop's reach covers the distance to the minimum, and what would."""
    settings, now, then = found.settings, found.training, found.standardised
    per_epoch = -(-found.sums.rows // settings.batch_size)
    steps, left = settings.epochs * per_epoch, 1 - settings.momentum
    if left <= 0:
        return f"**Reach**: with momentum {plain(settings.momentum)} RMSprop's steps grow without end; use one below 1."
    a_step = "lr/(1 − momentum)" if settings.momentum else "lr"
    said = (
        f"**Reach**: RMSprop moves a weight by about {a_step} a step, ten times that in the first, so {steps:,} steps of"
        f" {plain(float(f'{settings.lr / left:.3g}'))} reach about {quantity(found.reach)}. The furthest way is that of"
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
