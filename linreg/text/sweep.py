"""The sweep page in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from linreg.settings.model import LABELS
from linreg.settings.sweep_axes import AXES, Axis
from linreg.text.markdown import table_in_markdown
from linreg.text.numbers import axis_number, point, quantity, r2_text

if TYPE_CHECKING:
    from linreg.experiments.sweep import CellResult, LawResult, SweepResult

NOUNS = {  # axis -> what one of its values is called, and several
    "lr": ("learning rate", "learning rates"),
    "batch_size": ("batch size", "batch sizes"),
    "distance": ("starting distance", "starting distances"),
    "scale": ("feature scale", "feature scales"),
    "correlation": ("correlation", "correlations"),
    "noise": ("noise level", "noise levels"),
    "epochs": ("epoch count", "epoch counts"),
    "momentum": ("momentum", "momenta"),
}


# ---- the finding ---------------------------------------------------------------------------------


def sweep_finding(result: SweepResult) -> str:
    """Where each side converges, in how many cells, and how many runs there are."""
    done = result.done.sum(axis=(1, 2))  # (2,)
    if not done.any():
        return "**No cell is trained yet.**"
    finding = _comparison(result) if done.all() else "one side is not trained yet"
    so_far = "" if result.complete else f"so far, with {done.sum():,} of {result.possible:,} cells"
    finding = f"{so_far} trained: {finding}" if so_far else finding
    counts = ", ".join(
        f"{label.lower()} {converging.sum():,} of {cells:,}"
        for label, converging, cells in zip(LABELS, result.converging, done, strict=True)
    )
    most = "its run does" if result.inits == 1 else f"most of its {result.inits:,} runs do"
    return (
        f"**{finding[0].upper()}{finding[1:]}.** Cells that converge: {counts}; a cell"
        f" converges if {most}. {result.runs:,} runs in all."
    )


def _comparison(result: SweepResult) -> str:
    """Where the original converges, and where the fixed side."""
    original, fixed = result.converging
    if not original.any() and not fixed.any():
        return "neither side converges anywhere on this map"
    if np.array_equal(original, fixed):
        return f"both sides converge {_where(result, 0, AXES)}"
    ranges = [_ranges(result, side) for side in (0, 1)]
    shares = {key: [found[key].share for found in ranges] for key in ranges[0]}
    telling = [key for key, (one, other) in shares.items() if _differ(one, other)]
    finding = (
        f"as written it converges {_where(result, 0, telling or shares)}; fixed, it does"
        f" {_where(result, 1, telling or shares)}"
    )
    shared = [
        found.place
        for key, found in ranges[0].items()
        if key not in telling and found == ranges[1][key] and found.place
    ]
    if not telling:
        return finding
    if shared:
        return f"{finding} (both only {' and '.join(shared)})"
    limited = [NOUNS[key][0] for key in shares if key not in telling and shares[key][1] < 1]
    return f"{finding}, with a suitable {' and '.join(limited)}" if limited else finding


def _differ(share: float, other: float) -> bool:
    """Whether one side converges on much less of an axis than the other."""
    return min(share, other) < 0.75 * max(share, other)


def _where(result: SweepResult, side: int, keys: Collection[str]) -> str:
    """Where one side converges, by its ranges on these axes."""
    converging, done = result.converging[side], result.done[side]
    if not converging.any():
        return "nowhere on this map"
    if np.array_equal(converging, done):
        return "everywhere on this map"
    ranges = [found for key, found in _ranges(result, side).items() if key in keys]
    limited = [found.place for found in ranges if found.place]
    if limited:
        return f"only {' and '.join(limited)}"
    if ranges and len(ranges) < 2:
        return f"at every {ranges[0].noun}"
    return f"in {converging.sum():,} of {done.sum():,} cells"


@dataclass(frozen=True)
class _Range:
    """The part of an axis in which there are cells that converge; no `place` where it is all."""

    noun: str
    place: str
    share: float  # of the axis


def _ranges(result: SweepResult, side: int) -> dict[str, _Range]:
    """The ranges in which one side converges, the vertical axis first."""
    sweep, converging, done = result.sweep, result.converging[side], result.done[side]
    return {
        key: _Range(
            NOUNS[key][0],
            _place(AXES[key], values, converging.any(other), done.any(other)),
            float(converging.any(other).mean()),
        )
        for key, values, other in ((sweep.y, sweep.y_values, 1), (sweep.x, sweep.x_values, 0))
    }


def _place(
    axis: Axis,
    values: Sequence[float],
    converges: Bool[np.ndarray, " values"],
    done: Bool[np.ndarray, " values"],
) -> str:
    """From which value to which there are cells that converge."""
    (inside,), (trained,) = np.nonzero(converges), np.nonzero(done)
    if not len(inside):
        return "nowhere"
    starts, ends = inside[0] == trained[0], inside[-1] == trained[-1]
    low, high = (axis_number(axis, values[index]) for index in (inside[0], inside[-1]))
    one, several = NOUNS[axis.key]
    if starts and ends:
        return ""
    if low == high:
        return f"at {one} {low}"
    if starts:
        return f"at {several} up to {high}"
    return f"at {several} from {low} {'up' if ends else f'to {high}'}"


def law_finding(result: LawResult) -> str:
    """Where the original's runs end at the batch size that is nearest to the one in use."""
    law = result.law
    index = int(np.abs(np.log(law.sizes) - np.log(result.batch_size)).argmin())
    finals = law.finals[index]
    finite = finals[np.isfinite(finals).all(1)]  # (runs, 2)
    ends = (
        f"at {point(np.median(finite, axis=0))}" if len(finite) else "nowhere: every run diverges"
    )
    return (
        f"**The larger the batch, the smaller the wrong weights.** At batch size"
        f" {law.sizes[index]:,} the original ends {ends}; the rule w\\*/B gives"
        f" {point(law.theory[index])}, and the correct solution is {point(law.true)}."
    )


# ---- one cell ------------------------------------------------------------------------------------


def cell_title(cell: CellResult) -> str:
    """The place of a cell on both axes."""
    sweep = cell.result.sweep
    return ", ".join(
        f"{AXES[key].title} {axis_number(AXES[key], values[index])}"
        for key, values, index in (
            (sweep.x, sweep.x_values, cell.column),
            (sweep.y, sweep.y_values, cell.row),
        )
    )


def cell_table(cell: CellResult) -> str:
    """The numbers of a cell on both sides, as a Markdown table; nothing where it is not trained."""
    rows, result = {}, cell.result
    for label, share, r_squared, loss, steps in zip(
        LABELS,
        *(
            result.numbers[name][:, cell.row, cell.column]
            for name in ("share", "r_squared", "loss", "steps")
        ),
        strict=True,
    ):
        if np.isfinite(share):
            rows[label] = [
                f"{round(share * result.inits):,} of {result.inits:,}",
                *(
                    "–" if np.isnan(value) else text(value)
                    for value, text in (
                        (r_squared, r2_text),
                        (loss, quantity),
                        (steps, quantity),
                    )
                ),
            ]
    if not rows:
        return ""
    columns = ("runs that converge", "R² (median)", "final loss (median)", "steps to converge")
    return table_in_markdown(rows, columns)
