"""The command `compare`: both sides trained with PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from linreg.cli.output import (
    counting,
    markdown_table,
    wrapped,
)
from linreg.cli.request import resolve
from linreg.cli.result_output import SIDES, emit, link_of, where_to_open
from linreg.experiments import comparison
from linreg.experiments.comparison import ComparisonResult
from linreg.experiments.resources import local_resources
from linreg.quadratic.evaluation import CONVERGED_WITHIN
from linreg.settings.model import LABELS
from linreg.text import comparison as comparison_text
from linreg.text import numbers as numbers_text
from linreg.text.script import differing_lines

if TYPE_CHECKING:
    from linreg.training.run import Run


def compare(chosen: SimpleNamespace) -> None:
    """Both sides trained with PyTorch, and what the home page says of them."""
    wanted = resolve(chosen)
    resources, asked = local_resources(), wanted.comparison
    with counting("Training") as progress:
        comparison.outstanding(asked, resources).run(progress)
    result = comparison.run(asked, resources)
    steps = [_at_step(run, wanted.link.step) for run in result.runs]
    emit(
        chosen,
        lambda: _comparison_text(result, steps),
        lambda: _comparison_numbers(result, steps),
        lambda: _comparison_rows(result),
    )


def _comparison_text(result: ComparisonResult, steps: Sequence[Mapping[str, Any]]) -> str:
    asked = result.comparison
    parts = [
        wrapped(comparison_text.headline(result)),
        wrapped(comparison_text.setup(asked)),
    ]
    code = differing_lines(asked.original, asked.fixed)
    said_of_sides = comparison_text.explanations(result)
    for side, said, lines, step in zip(result.sides, said_of_sides, code, steps, strict=True):
        parts.append(wrapped(f"{side.label}. {said}{_step_note(step)}"))
        if lines:
            parts.append("\n".join(f"    {line}" for line in lines))
    parts.append(markdown_table(comparison_text.outcome_table(result)))
    parts.append(wrapped(f"Converged: R² within {CONVERGED_WITHIN:g} of that of least squares."))
    parts.append(markdown_table(comparison_text.shape_table(result)))
    for label, run in zip(LABELS, result.runs, strict=True):
        if run.warnings:
            said = "\n".join(wrapped(" ".join(one.split()), indent=4) for one in run.warnings)
            parts.append(
                f"{label}, what PyTorch says: a UserWarning, once for each pair of shapes\n{said}"
            )
        else:
            parts.append(f"{label}, what PyTorch says: nothing")
    return "\n\n".join([*parts, f"{where_to_open(asked)}: /{link_of(asked)}"])


def _comparison_numbers(
    result: ComparisonResult, steps: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "link": link_of(result.comparison),
        "headline": comparison_text.headline(result),
    }
    for key, side, run, step in zip(SIDES, result.sides, result.runs, steps, strict=True):
        shapes = {
            "prediction": run.prediction_shape,
            "target": run.target_shape,
            "loss": run.loss_shape,
        }
        names = ("minimum", "floor", "condition_number", "hessian")
        found[key] = {
            "settings": run.settings,
            "outcome": side.outcome,
            "shapes": shapes,
            "warnings": run.warnings,
            "surface": {name: getattr(side.surface, name) for name in names},
            "seconds": run.seconds,
        } | ({"at_step": step} if step else {})
    return found


def _comparison_rows(result: ComparisonResult) -> list[list[Any]]:
    names = ["w1", "w2", "bias"][: max(run.weights.shape[1] for run in result.runs)]
    found: list[list[Any]] = [["side", "step", "loss", *names]]
    for key, run in zip(SIDES, result.runs, strict=True):
        losses = [*run.losses.tolist(), None]  # the last weights have seen no batch
        absent = [None] * (len(names) - run.weights.shape[1])  # a bias, of a side that has none
        for step, weights in enumerate(run.weights.tolist()):
            found.append([key, step, losses[step], *weights, *absent])
    return found


def _at_step(run: Run, step: int | None) -> dict[str, Any]:
    """Where a run is at the step that a link shows, or at its last; nothing without one."""
    if step is None:
        return {}
    step = min(step, len(run.weights) - 1)
    return {
        "step": step,
        "weights": run.weights[step],
        "loss": float(run.losses[step]) if step < len(run.losses) else None,
    }


def _step_note(at: Mapping[str, Any]) -> str:
    if not at:
        return ""
    loss = (
        ""
        if at["loss"] is None
        else f", and the loss of the batch is {numbers_text.quantity(at['loss'])}"
    )
    return f" At step {at['step']:,} they are {numbers_text.point(at['weights'])}{loss}."
