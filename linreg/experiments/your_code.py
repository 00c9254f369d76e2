"""The page of your own code: what a loss computes from two shapes, and what PyTorch does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from linreg.experiments import pytorch_calls
from linreg.experiments.resources import Resources
from linreg.guard.shapes import ShapeDiagnosis, diagnose_shapes
from linreg.settings.pages import CodeView

if TYPE_CHECKING:
    from linreg.guard.report import Reaction

__all__ = ["CodeResult", "ShapeDiagnosis", "guard_example_output", "reaction", "run"]


@dataclass(frozen=True)
class CodeResult:
    """The diagnosis of two shapes in a loss."""

    diagnosis: ShapeDiagnosis


def run(view: CodeView, _resources: Resources) -> CodeResult:
    """The diagnosis of the view's two shapes. Raises `ValueError` for what is not a shape."""
    return CodeResult(diagnose_shapes(view.prediction, view.truth, view.loss))


def reaction(view: CodeView, resources: Resources) -> Reaction:
    """What PyTorch does with a loss of the view's two shapes.

    Raises `ValueError` for shapes that are too large to be run.
    """
    found: Reaction = resources.demo(pytorch_calls.reaction, view.prediction, view.truth, view.loss)
    return found


def guard_example_output(resources: Resources) -> str:
    """How the example of the guard ends: run it, and return its last line."""
    found: str = resources.demo(pytorch_calls.run_guard_example)
    return found
